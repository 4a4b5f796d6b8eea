"""The nouns of the room: two runs compared, finding by finding, without words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal[
    "same", "within_noise", "moved", "flipped", "lost", "new", "noise_unknown", "other_question"
]
"""What became of a finding.

``same`` number for number; ``within_noise`` or ``moved`` beyond it; ``flipped`` where both
runs tell opposite directions, or the sign changed beyond noise; ``lost`` and ``new`` where a
single run has an estimate; ``noise_unknown`` where it changed and its noise cannot be had;
``other_question`` where unit or kind of contrast differ, so that no difference exists.
"""

Standing = Literal["stands", "firmed", "weakened", "none"]
"""Whether what a run could tell (a direction) can still be told by the other."""

Cause = Literal[
    "rows", "entities", "law", "data", "study", "values_mixed", "specification", "code", "together"
]
"""A part of a move.

``rows`` of known factories that came or went; ``entities``, factories that came or went;
values of the same rows, changed by ``law`` (questionnaire or law), ``data`` (corrected or
scored again at the source), ``study`` (another variable) or several of them
(``values_mixed``); the ``specification``; ``code`` or environment; ``together`` what cannot
be told apart.
"""


@dataclass(frozen=True, slots=True)
class Component:
    """A part of a move, in the finding's unit. ``of`` lists what it cannot tell apart."""

    cause: Cause
    change: float
    of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Counts:
    """Whose rows a finding stands on, in both runs.

    Rows are those that the specification can use. ``values_changed`` counts rows of both
    runs in which the outcome has another value, ``mean_change`` their mean change in the
    finding's unit; ``exposures_changed`` the same rows for the exposure. ``None`` is a
    count under the threshold of restricted data; ``masked`` says that there are some.
    """

    rows_old: int | None
    rows_new: int | None
    rows_entered: int | None
    rows_left: int | None
    entities_old: int | None
    entities_new: int | None
    entities_entered: int | None
    entities_left: int | None
    clusters_old: int | None
    clusters_new: int | None
    rows_common: int | None
    values_changed: int | None
    entities_changed: int | None
    mean_change: float | None
    exposures_changed: int | None
    masked: bool = False


@dataclass(frozen=True, slots=True)
class Move:
    """What became of one finding.

    ``old`` and ``new`` are entries of ``findings.json`` or None. ``change`` is new less
    old, ``std_error`` its standard error with ``clusters`` left out in turn, all in
    ``unit``. ``components`` add up to ``change``; ``left_open`` says why they are fewer
    than they could be.
    """

    id: str
    kind: Kind
    standing: Standing
    old: dict[str, Any] | None
    new: dict[str, Any] | None
    unit: str
    change: float | None = None
    std_error: float | None = None
    conf_low: float | None = None
    conf_high: float | None = None
    clusters: int | None = None
    components: tuple[Component, ...] = ()
    left_open: str = ""
    counts: Counts | None = None


@dataclass(frozen=True, slots=True)
class Caution:
    """A warning that stops a wrong story.

    ``kind`` is ``scoring_changed``, ``values_revised``, ``cannot_compare_scoring``,
    ``only_new_periods``, ``exposure_revised``, ``definition_changed``,
    ``specification_changed``, ``not_reproduced`` or ``counts_masked``; ``values`` are what
    it is said with.
    """

    kind: str
    findings: tuple[str, ...]
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunName:
    """Which run: slug of its study, id, day and hashes of what it was made from."""

    slug: str
    id: str
    finished: str
    parts: dict[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """Two runs compared.

    ``inputs_changed`` names the parts whose hashes differ (study, notebook, packs, data,
    code, environment, parameters). ``reopen`` pairs the id of a recommendation with the
    reason for which it must be looked at again.
    """

    old: RunName
    new: RunName
    inputs_changed: tuple[str, ...]
    moves: tuple[Move, ...]
    cautions: tuple[Caution, ...]
    restricted: bool
    simulated: bool
    reopen: tuple[tuple[str, str], ...] = ()
