"""How far a finding would move by chance: the jackknife of the difference.

Both estimates share rows, so that √(se₁² + se₂²) is not the error of their difference.
Each cluster is left out of both runs at the same time, and
se² = (R−1)/R Σᵣ (d₍₋ᵣ₎ − d)², d the difference of both estimates: the delete-one-cluster
jackknife CR3 (Bell and McCaffrey 2002; MacKinnon, Nielsen and Webb 2023) applied to d. A
cluster that a single run has moves that run's estimate alone. Where clusters are many,
they are left out in R groups (delete-a-group jackknife, Kott 2001).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from evidence.changes.side import Side, lay_out
from evidence.errors import EvidenceError
from evidence.findings import in_natural_unit
from evidence.models import Design, collect_moments
from evidence.models.design import Estimates, Floats
from evidence.models.estimators import LINEAR, Estimator, choose_estimator
from evidence.models.kernel.clusters import reduce_cross, solve_reduced

MOST_SOLVED = 1_000
MOST_REFITTED = 50
"""Groups left out in turn: of least squares, whose moments are subtracted, and of others."""


@dataclass(frozen=True, slots=True)
class Noise:
    """Standard error of a move in the finding's unit, and the groups it rests on.

    Without a standard error (None) ``reason`` says why.
    """

    std_error: float | None
    groups: int
    reason: str = ""


def measure_noise(old: Side, new: Side) -> Noise:
    """Measure how far the difference of two sides moves by chance."""
    sides = (old, new)
    if len({side.cluster for side in sides}) > 1:
        return Noise(None, 0, "levels")
    if _are_alike(old, new):
        return Noise(0.0, int(new.select_usable()[new.cluster].nunique()))
    linear = {side.specification.estimator for side in sides} <= LINEAR
    for solved in (True, False) if linear else (False,):
        try:
            laid = [lay_out(side) for side in sides]
            groups = _form_groups(laid, MOST_SOLVED if solved else MOST_REFITTED)
            told = [
                _leave_out(design, groups, side, solved=solved)
                for design, side in zip(laid, sides, strict=True)
            ]
        except EvidenceError:
            continue
        return _compute(told[0], told[1], sorted(set(groups.values())))
    return Noise(None, 0, "not_estimable")


def _are_alike(old: Side, new: Side) -> bool:
    """Tell whether two sides are the same rows under the same specification."""
    same = (old.specification, old.term, old.used) == (new.specification, new.term, new.used)
    return same and old.select_usable().equals(new.select_usable())


@dataclass(frozen=True, slots=True)
class _Told:
    """A side's estimate on all rows, and without each group that it has."""

    whole: float
    rests: Mapping[int, float]

    def without(self, group: int) -> float:
        return self.rests.get(group, self.whole)


def _compute(old: _Told, new: _Told, groups: list[int]) -> Noise:
    count = len(groups)
    moves = np.array([new.without(group) - old.without(group) for group in groups])
    deviations = moves - (new.whole - old.whole)
    if count < 2 or not np.isfinite(deviations).all():
        return Noise(None, count, "few" if count < 2 else "not_estimable")
    return Noise(float(np.sqrt((count - 1) / count * (deviations**2).sum())), count)


def _form_groups(designs: list[Design], most: int) -> dict[Hashable, int]:
    labels: set[str] = set()
    for design in designs:
        assert design.clusters is not None
        labels |= set(design.clusters)
    return {label: number % most for number, label in enumerate(sorted(labels))}


def _leave_out(design: Design, groups: dict[Hashable, int], side: Side, *, solved: bool) -> _Told:
    assert design.clusters is not None
    own = design.clusters.map(groups)
    whole, rests = _subtract(design, own, side.term) if solved else _refit(design, own, side)
    natural = {group: in_natural_unit(rest, side.unit)[0] for group, rest in rests.items()}
    return _Told(in_natural_unit(whole, side.unit)[0], natural)


def _subtract(design: Design, own: pd.Series, term: str) -> tuple[float, dict[int, float]]:
    """Leave groups out of least squares by subtracting their cross products.

    Raises
    ------
    ModelError
        Where too many effects cut across the groups.
    """
    labels = own.astype(str)
    moments = collect_moments(replace(design, clusters=labels), drop=False)
    place, regressors = moments.names.index(term), len(moments.names)
    total: Floats = moments.cross.sum(axis=0)

    def solve(cross: Floats) -> float:
        return float(solve_reduced(reduce_cross(cross, regressors), moments.spread)[place])

    order = [int(label) for label in pd.unique(labels)]
    rests = {group: solve(total - own) for group, own in zip(order, moments.cross, strict=True)}
    return solve(total), rests


def _refit(design: Design, own: pd.Series, side: Side) -> tuple[float, dict[int, float]]:
    """Leave groups out of any estimator by estimating again.

    Raises
    ------
    ModelError
        Where the whole cannot be estimated.
    """
    groups = sorted(int(group) for group in own.unique())
    estimator = choose_estimator(side.specification)
    whole = _find(estimator(design), side.term)
    rests = {group: _refit_without(design, own == group, estimator, side.term) for group in groups}
    return whole, rests


def _refit_without(design: Design, left: pd.Series, estimator: Estimator, term: str) -> float:
    kept = ~left.to_numpy()
    assert design.clusters is not None
    rest = replace(
        design,
        outcome=design.outcome[kept],
        regressors=design.regressors[kept],
        effects=design.effects[kept],
        clusters=design.clusters[kept],
    )
    try:
        return _find(estimator(rest), term)
    except EvidenceError:
        return float("nan")


def _find(estimates: Estimates, term: str) -> float:
    return float(estimates.coefficients[estimates.terms.index(term)])
