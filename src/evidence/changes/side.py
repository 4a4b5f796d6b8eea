"""One side of a comparison: the rows and the specification behind a finding."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from evidence.changes.kept import Kept, read_panel, replace_names
from evidence.errors import EvidenceError
from evidence.findings import LOG_POINTS, in_natural_unit
from evidence.models import Design, fit, guard_level
from evidence.models.estimators import RATIOS, choose_estimator, make_design
from evidence.panel import Panel, cluster_column, select_sample
from evidence.study import Specification

_KEYS = ("entity", "time")


@dataclass(frozen=True, slots=True)
class Side:
    """What a finding of one run was estimated from.

    ``term`` is the coefficient that the finding states, ``used`` the regressors that the
    run could use; what the design absorbed is not among them.
    """

    panel: Panel
    specification: Specification
    term: str
    case: str
    used: tuple[str, ...]

    @property
    def outcome(self) -> str:
        """Name of the outcome's column."""
        return self.specification.outcome

    @property
    def exposure(self) -> str:
        """Name of the exposure's column; the term may be its interaction."""
        return self.term.partition(":")[0]

    @property
    def cluster(self) -> str:
        """Name of the column whose values are the units of inference."""
        level = guard_level(self.panel.study, self.specification)
        return cluster_column(self.panel.study, level)

    def select_usable(self) -> pd.DataFrame:
        """Select the rows that have everything the specification asks for."""
        spec = self.specification
        parts = {part for effect in spec.effects for part in effect.split(":")} - set(_KEYS)
        wanted = [spec.outcome, *spec.regressors, *spec.moderators, *spec.instruments,
                  *spec.shares, self.cluster, *sorted(parts)]  # fmt: skip
        return self.panel.data.dropna(subset=list(dict.fromkeys(wanted)))

    @property
    def unit(self) -> str:
        """Unit of the coefficient as estimated."""
        ratio = self.specification.estimator in RATIOS
        return LOG_POINTS if ratio else self.panel.study.variable(self.outcome).unit


def take_side(kept: Kept, entry: dict[str, Any]) -> Side:
    """Take the side of one finding of a kept run.

    Raises
    ------
    RunError
        Where the run kept no rows, or its study file cannot be read.
    """
    panel = read_panel(kept, entry)
    row, case = entry["rows"][0], entry["case"]
    spec = panel.study.specification(row["specification"])
    table = kept.neck.estimates
    own = table[(table["case"] == case) & (table["specification"] == spec.id)]
    refused = set(own["term"][own["estimate"].isna()])
    columns = [*spec.regressors, *spec.moderators, *spec.interactions]
    used = tuple(name for name in dict.fromkeys(columns) if name not in refused)
    return Side(panel, spec, row["term"], case, used)


def translate(old: Side, new: Side) -> Side:
    """Say the old rows with the new run's names, to be estimated as the new run does.

    Outcome and the claim's exposure are the same thing under another name where the names
    differ; every other column keeps its name.
    """
    study = new.panel.study
    names = {
        old.outcome: new.outcome,
        old.exposure: new.exposure,
        old.panel.study.entity.name: study.entity.name,
        old.panel.study.time.name: study.time.name,
    }
    panel = replace(replace_names(old.panel, names), study=study)
    return Side(panel, new.specification, new.term, new.case, new.used)


def lay_out(side: Side) -> Design:
    """Lay out the rows that a side's specification uses.

    Raises
    ------
    ModelError, PanelError
        Where there is none.
    """
    sample = _cross(select_sample(side.panel, side.specification), side.specification)
    clusters = sample.data[side.cluster].astype(str).rename("clusters")
    return make_design(sample, side.specification, list(side.used), clusters)


def _cross(sample: Panel, spec: Specification) -> Panel:
    """Add the interactions of a specification: exposure × (moderator − its mean)."""
    data = sample.data.astype(dict.fromkeys((*spec.exposures, *spec.moderators), "float64"))
    crossed = {
        f"{x}:{m}": data[x] * (data[m] - data[m].mean())
        for x in spec.exposures
        for m in spec.moderators
    }
    return replace(sample, data=sample.data.assign(**crossed)) if crossed else sample


def estimate(side: Side, rows: pd.DataFrame | None = None) -> float | None:
    """Estimate a side's coefficient on rows, with today's code, in its natural unit.

    The estimator alone is called, because only the coefficient is wanted; where it refuses
    (an effect may absorb another regressor in these rows) the room's door decides.

    Returns
    -------
    float or None
        None where the rows or the design do not allow it.
    """
    part = side if rows is None else replace(side, panel=replace(side.panel, data=rows))
    try:
        told = choose_estimator(part.specification)(lay_out(part))
        value = float(told.coefficients[told.terms.index(part.term)])
    except (EvidenceError, ValueError):
        found = _fit_whole(part)
        if found is None:
            return None
        value = found
    return in_natural_unit(value, part.unit)[0]


def _fit_whole(side: Side) -> float | None:
    try:
        table = fit(side.panel, side.specification.id, case=side.case).estimates
    except EvidenceError:
        return None
    found = table["estimate"][table["term"] == side.term].dropna()
    return float(found.iloc[0]) if len(found) == 1 else None
