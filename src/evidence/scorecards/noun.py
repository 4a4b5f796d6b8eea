"""The noun of the room: what is known of a group, and one factory's part of it."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from evidence.disclosure import Cleared
from evidence.scorecards.group import Benchmark, Uptake
from evidence.scorecards.issues import Issues
from evidence.study import Case


@dataclass(frozen=True, slots=True)
class Group:
    """A case of a study: every factory's rows, and what is the same on all its cards.

    ``rows`` has a row a factory and period: ``entity, time, guard`` and the variables.
    ``issues`` is None where the sources hold no answers.
    """

    cleared: Cleared
    case: Case
    rows: pd.DataFrame
    benchmarks: tuple[Benchmark, ...]
    uptakes: tuple[Uptake, ...]
    issues: Issues | None


@dataclass(frozen=True, slots=True)
class Card:
    """One factory of a group; ``own`` are its rows, in the order of time."""

    group: Group
    unit: str
    own: pd.DataFrame
