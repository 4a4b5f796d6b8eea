"""One side of a comparison: the rows and the specification behind a finding."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from evidence.changes.kept import Kept, read_panel, replace_names
from evidence.errors import EvidenceError
from evidence.findings import in_natural_unit
from evidence.models import fit, guard_level
from evidence.panel import Panel, cluster_column
from evidence.study import Specification

_KEYS = ("entity", "time")


@dataclass(frozen=True, slots=True)
class Side:
    """What a finding of one run was estimated from.

    ``term`` is the coefficient that the finding states.
    """

    panel: Panel
    specification: Specification
    term: str
    case: str

    @property
    def outcome(self) -> str:
        """Name of the outcome's column."""
        return self.specification.outcome

    @property
    def cluster(self) -> str:
        """Name of the column whose values are the units of inference."""
        level = guard_level(self.panel.study, self.specification)
        return cluster_column(self.panel.study, level)

    def select_usable(self) -> pd.DataFrame:
        """Select the rows that have everything the specification asks for."""
        spec = self.specification
        parts = {part for effect in spec.effects for part in effect.split(":")} - set(_KEYS)
        wanted = [spec.outcome, *spec.regressors, *spec.instruments, self.cluster, *sorted(parts)]
        return self.panel.data.dropna(subset=list(dict.fromkeys(wanted)))


def take_side(kept: Kept, entry: dict[str, Any]) -> Side:
    """Take the side of one finding of a kept run.

    Raises
    ------
    RunError
        Where the run kept no rows, or its study file cannot be read.
    """
    panel = read_panel(kept, entry)
    spec = panel.study.specification(entry["rows"][0]["specification"])
    return Side(panel, spec, entry["rows"][0]["term"], entry["case"])


def translate(old: Side, new: Side) -> Side:
    """Say the old rows with the new run's names, to be estimated as the new run does.

    Outcome and the claim's exposure are the same thing under another name where the names
    differ; every other column keeps its name.
    """
    study = new.panel.study
    names = {
        old.outcome: new.outcome,
        old.term: new.term,
        old.panel.study.entity.name: study.entity.name,
        old.panel.study.time.name: study.time.name,
    }
    panel = replace(replace_names(old.panel, names), study=study)
    return Side(panel, new.specification, new.term, new.case)


def estimate(side: Side, rows: pd.DataFrame | None = None) -> float | None:
    """Estimate a side's coefficient on rows, with today's code, in its natural unit.

    Returns
    -------
    float or None
        None where the rows or the design do not allow it.
    """
    panel = side.panel if rows is None else replace(side.panel, data=rows)
    try:
        table = fit(panel, side.specification.id, case=side.case).estimates
    except EvidenceError:
        return None
    found = table[table["term"] == side.term]
    if len(found) != 1 or pd.isna(found["estimate"].iloc[0]):
        return None
    return in_natural_unit(float(found["estimate"].iloc[0]), str(found["unit"].iloc[0]))[0]
