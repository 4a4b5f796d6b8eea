"""Effects of adoption by cohort and period, each with its influence function.

Averages, errors at any level of clustering and joint tests are then plain sums over
influence functions. diff-diff estimates the same effects, but gives no covariance
between averages and no average by calendar period, and its doubly robust weights do not
add up to 1 as those of R's did do; it is an oracle of the tests.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats
from statsmodels.discrete.discrete_model import Logit
from statsmodels.tools.sm_exceptions import ModelWarning, PerfectSeparationError

from evidence.errors import ModelError
from evidence.models.design import Codes, Diagnostic, Floats

Flags = npt.NDArray[np.bool_]
Control = Literal["never", "not_yet"]
Aggregate = Literal["simple", "group", "dynamic", "calendar"]
Adjust = Literal["dr", "reg", "ipw"]
Base = Literal["varying", "universal"]

FEWEST = 2
_OVERLAP = 0.995
_COLLINEAR = 1e-10
_SINGULAR = 1e-10
_STILL = 1e-12


@dataclass(frozen=True, slots=True)
class Adopters:
    """A balanced panel, wide: n entities in T periods, ascending.

    ``outcomes`` (n × T, of deviation 1), ``covariates`` (n × T × K, K may be 0), ``cohorts`` (n,) the
    period of adoption, 0 for never; ``clusters`` (n,) codes.
    """

    outcomes: Floats
    covariates: Floats
    cohorts: Floats
    clusters: Codes
    periods: Floats
    where: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One effect ATT(g,t): its comparison and its influence function (n,).

    ``treated`` and ``controls`` (n,) mark who is compared; ``reference`` marks the
    base period itself, whose effect is 0 by construction.
    """

    cohort: float
    period: float
    effect: float
    influence: Floats
    treated: Flags
    controls: Flags
    reference: bool


@dataclass(frozen=True, slots=True)
class Average:
    """A weighted mean of effects, with its influence function (n,) and its cells."""

    term: str
    effect: float
    influence: Floats
    cells: tuple[Cell, ...]


def estimate_cells(
    panel: Adopters, *, control: Control, adjust: Adjust, base: Base
) -> tuple[Cell, ...]:
    """Estimate ATT(g,t) for every cohort and period that has a comparison.

    Callaway and Sant'Anna (2021), section 2: the change since the base
    period of cohort g less the change of those never treated, or not treated by the
    later of the two periods. The base is the last period before adoption; with
    ``base="varying"`` effects before adoption compare with the period just before.
    Covariates enter with their values in the earlier of the two periods.

    Raises
    ------
    ModelError
        Where covariates are collinear or leave no overlap.
    """
    pairs = [
        (cohort, now, before)
        for cohort in np.unique(panel.cohorts[panel.cohorts > 0])
        for now, before in _pair_periods(panel.periods, cohort, base)
    ]
    cells = (_compare(panel, pair, control, adjust) for pair in pairs)
    return tuple(cell for cell in cells if cell is not None)


def average_cells(
    cells: tuple[Cell, ...], cohorts: Floats, aggregate: Aggregate
) -> tuple[Average, ...]:
    """Average effects as Callaway and Sant'Anna (2021, section 3) and R's did do.

    The first average is ``att``, over all; the others are its parts: ``cohort g``,
    ``event e`` or ``period t``. Cohorts weigh by their number of entities, and the
    influence functions carry that these shares are estimated.
    Effects before adoption enter events alone.
    """
    post = tuple(cell for cell in cells if cell.period >= cell.cohort)
    if aggregate == "simple":
        return (_average("att", post, cohorts),)
    if aggregate == "group":
        parts = [
            _average(f"cohort {value:g}", chosen, cohorts, shares=False)
            for value, chosen in _split(post, "cohort")
        ]
        return (_average_parts(parts, cohorts, shares=True), *parts)
    if aggregate == "calendar":
        parts = [
            _average(f"period {value:g}", chosen, cohorts)
            for value, chosen in _split(post, "period")
        ]
        return (_average_parts(parts, cohorts), *parts)
    parts = [
        _average(f"event {value:g}", chosen, cohorts)
        for value, chosen in _split(cells, "event")
        if not all(cell.reference for cell in chosen)
    ]
    after = [part for part in parts if part.cells[0].period >= part.cells[0].cohort]
    return (_average_parts(after, cohorts), *parts)


def cover_averages(averages: tuple[Average, ...], clusters: Codes) -> tuple[Floats, int]:
    """Give the covariance (K × K) of averages and the number of clusters.

    The sum over clusters of outer products of summed influence functions, over n². Each
    cluster coarser than an entity brings the factor G/(G−1); clusters that are entities
    bring none, as in R's did. Averages that rest on fewer than two treated or two
    untreated clusters, or that do not vary at all, have nan.
    """
    n, groups = len(clusters), int(clusters.max()) + 1
    influence = np.reshape([average.influence for average in averages], (-1, n)).T
    sums = np.zeros((groups, influence.shape[1]))
    np.add.at(sums, clusters, influence)
    factor = 1.0 if groups in (n, 1) else groups / (groups - 1)
    covariance: Floats = factor * (sums.T @ sums) / n**2
    thin = [
        count_carriers(average, clusters) < FEWEST or not _moves(average) for average in averages
    ]
    covariance[thin, :] = np.nan
    covariance[:, thin] = np.nan
    return covariance, groups


def count_carriers(average: Average, clusters: Codes) -> int:
    """Count the clusters on the thinner side of an average: treated or untreated.

    Base periods, which compare nothing, have 0.
    """
    cells = [cell for cell in average.cells if not cell.reference]
    if not cells:
        return 0
    treated = np.any([cell.treated for cell in cells], axis=0)
    sides = [treated, *(cell.controls for cell in cells)]
    return min(int((np.bincount(clusters[side]) > 0).sum()) for side in sides)


def check_trends(effects: Floats, covariance: Floats, groups: int) -> Diagnostic:
    """Test jointly that effects (q,) before adoption are 0.

    ``value`` is the Wald statistic W, ``df`` is q, and the p-value that of W/q under
    F(q, G−1). R's did gives the χ²(q) p-value of the same W.
    """
    count = len(effects)
    if not count:
        return Diagnostic("pretrend", reason="no cohort has two periods before adoption")
    if not np.isfinite(covariance).all():
        return Diagnostic("pretrend", reason="effects before adoption have no errors")
    errors = np.sqrt(np.diag(covariance))
    rank = np.linalg.matrix_rank(
        covariance / np.outer(errors, errors), tol=_SINGULAR, hermitian=True
    )
    if rank < count or count >= groups:
        reason = f"{count} effects before adoption, but {groups} clusters: the errors are singular"
        return Diagnostic("pretrend", reason=reason)
    wald = float(effects @ np.linalg.solve(covariance, effects))
    p_value = float(stats.f.sf(wald / count, count, groups - 1))
    return Diagnostic("pretrend", wald, p_value, count)


def _pair_periods(periods: Floats, cohort: float, base: Base) -> Iterator[tuple[int, int]]:
    last = int(np.searchsorted(periods, cohort)) - 1
    for now, period in enumerate(periods):
        before = last if period >= cohort or base == "universal" else now - 1
        if before >= 0:
            yield now, before


def _compare(
    panel: Adopters, pair: tuple[float, int, int], control: Control, adjust: Adjust
) -> Cell | None:
    cohort, now, before = pair
    treated = panel.cohorts == cohort
    controls = panel.cohorts == 0
    if control == "not_yet":
        later = panel.cohorts > panel.periods[max(now, before)]
        controls = controls | (later & ~treated)
    if not controls.any():
        return None
    rows = treated | controls
    change = panel.outcomes[rows, now] - panel.outcomes[rows, before]
    given = _standardise(panel.covariates[rows, min(now, before)])
    where = f"{panel.where}: cohort {cohort:g} in {panel.periods[now]:g}"
    effect, influence = _estimate(change, treated[rows], given, adjust, where)
    spread = np.zeros(len(rows))
    spread[rows] = influence * len(rows) / rows.sum()
    return Cell(
        float(cohort), float(panel.periods[now]), effect, spread, treated, controls, now == before
    )


def _standardise(covariates: Floats) -> Floats:
    """Put a column of ones before covariates of mean 0 and deviation 1."""
    spread = covariates.std(axis=0)
    spread[spread == 0] = 1.0
    scaled = (covariates - covariates.mean(axis=0)) / spread
    return np.column_stack([np.ones(len(covariates)), scaled])


def _estimate(
    change: Floats, treated: Flags, given: Floats, adjust: Adjust, where: str
) -> tuple[float, Floats]:
    """Estimate one effect and its influence function (m,) from changes (m,).

    Sant'Anna and Zhao (2020), for panels: outcome regression, weighting (weights that add
    up to 1) or both, with the influence functions of their sections 2 and 3. Without covariates all three are the difference of two mean changes.
    """
    if adjust == "reg" or given.shape[1] == 1:
        left, slopes = _regress(change, ~treated, given, where)
        mean, part = _mean(left, treated.astype("float64"))
        gone = slopes @ given[treated].sum(axis=0) / treated.sum()
        return mean, part - gone
    weight, score = _weigh(treated, given, where)
    ones = treated.astype("float64")
    if adjust == "dr":
        left, slopes = _regress(change, ~treated, given, where)
    else:
        left, slopes = change, np.zeros_like(given)
    first, first_part = _mean(left, ones)
    second, second_part = _mean(left, weight)
    gap = given.T @ ones / ones.sum() - given.T @ weight / weight.sum()
    tilt = (weight * (left - second)) @ given / weight.sum()
    return first - second, first_part - second_part - slopes @ gap - score @ tilt


def _mean(values: Floats, weights: Floats) -> tuple[float, Floats]:
    mean = float(weights @ values / weights.sum())
    return mean, weights * (values - mean) / weights.mean()


def _regress(change: Floats, controls: Flags, given: Floats, where: str) -> tuple[Floats, Floats]:
    """Give what controls' regression leaves (m,), and the influence of its slopes (m × K)."""
    used = given[controls]
    gram = used.T @ used
    if np.linalg.eigvalsh(gram)[0] < _COLLINEAR * np.trace(gram):
        raise ModelError(
            where,
            seen="covariates that are collinear among the entities not treated",
            expected="covariates that vary apart from each other",
            do="Leave one of them out, or compare with more entities.",
        )
    left = change - given @ np.linalg.solve(gram, used.T @ change[controls])
    scores = given * (controls * left)[:, None]
    return left, scores @ np.linalg.inv(gram) * len(change)


def _weigh(treated: Flags, given: Floats, where: str) -> tuple[Floats, Floats]:
    """Give the controls' odds of treatment (m,), and the logit's influence (m × K)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ModelWarning)
            warnings.simplefilter("ignore", RuntimeWarning)
            found = Logit(treated.astype("float64"), given).fit(disp=0, maxiter=50)
        odds = found.predict()
        sound = bool(found.mle_retvals["converged"]) and odds[~treated].max() < _OVERLAP
    except (PerfectSeparationError, np.linalg.LinAlgError):
        sound = False
    if not sound:
        raise ModelError(
            where,
            seen="covariates that tell treated from untreated entities almost surely",
            expected=f"untreated entities with a probability of treatment below {_OVERLAP}",
            do="Leave out the covariate that separates them, or take adjust='reg'.",
        )
    information = (given * (odds * (1 - odds))[:, None]).T @ given / len(treated)
    score = given * (treated - odds)[:, None] @ np.linalg.inv(information)
    weights: Floats = ~treated * odds / (1 - odds)
    return weights, score


def _average(
    term: str, cells: tuple[Cell, ...], cohorts: Floats, *, shares: bool = True
) -> Average:
    size = {cell.cohort: float((cohorts == cell.cohort).sum()) for cell in cells}
    weights = np.array([size[cell.cohort] if shares else 1.0 for cell in cells])
    parts = [Average(term, cell.effect, cell.influence, (cell,)) for cell in cells]
    return _combine(term, parts, weights, cohorts, shares=shares)


def _average_parts(parts: list[Average], cohorts: Floats, *, shares: bool = False) -> Average:
    sizes = [float((cohorts == part.cells[0].cohort).sum()) for part in parts]
    weights = np.array(sizes) if shares else np.ones(len(parts))
    return _combine("att", parts, weights, cohorts, shares=shares)


def _combine(
    term: str, parts: list[Average], weights: Floats, cohorts: Floats, *, shares: bool
) -> Average:
    effects = np.array([part.effect for part in parts])
    weights = weights / weights.sum()
    effect = float(weights @ effects)
    influence = np.column_stack([part.influence for part in parts]) @ weights
    if shares:
        for part, weight in zip(parts, weights, strict=True):
            members = cohorts == part.cells[0].cohort
            size = members.mean()
            influence = influence + members * (weight / size) * (part.effect - effect)
    cells = tuple(cell for part in parts for cell in part.cells)
    return Average(term, effect, influence, cells)


def _split(
    cells: tuple[Cell, ...], by: Literal["cohort", "period", "event"]
) -> list[tuple[float, tuple[Cell, ...]]]:
    keys = {
        "cohort": [cell.cohort for cell in cells],
        "period": [cell.period for cell in cells],
        "event": [cell.period - cell.cohort for cell in cells],
    }[by]
    return [
        (value, tuple(cell for cell, key in zip(cells, keys, strict=True) if key == value))
        for value in sorted(set(keys))
    ]


def _moves(average: Average) -> bool:
    return float(np.abs(average.influence).max()) > _STILL
