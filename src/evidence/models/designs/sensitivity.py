"""How much an estimate of adoption rests on parallel trends and on its weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

from evidence.errors import ModelError
from evidence.models.design import CONF_LEVEL, Design, Diagnostic, Estimates, Floats
from evidence.models.designs.adoption import match_cohorts
from evidence.models.designs.event_study import Flags

Restriction = Literal["relative_magnitudes", "smoothness"]

_MAGNITUDES = (0.0, 0.5, 1.0, 1.5, 2.0)
_LARGEST = 1e4
_STRIDE = 1.25
_PATH = 200
_HALVINGS = 60
_TURNS = 2000
_STILL = 1e-13


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """Intervals of one effect when trends may differ, and where they first reach 0.

    ``table`` has ``magnitude, conf_low, conf_high, conf_level``, a row a magnitude.
    ``breakdown`` is the least magnitude whose interval holds 0: 0 where even parallel
    trends allow no effect, nan with a reason where no magnitude tried does.
    """

    restriction: Restriction
    target: str
    table: pd.DataFrame
    breakdown: Diagnostic


@dataclass(frozen=True, slots=True)
class _Path:
    """Coefficients before (P,) and from adoption on (S,), with weights on the latter."""

    effects: Floats
    covariance: Floats
    early: int
    weights: Floats
    df: float


def bound_violations(
    estimates: Estimates,
    *,
    restriction: Restriction = "relative_magnitudes",
    event: int | None = None,
    magnitudes: Sequence[float] = (),
) -> Sensitivity:
    """Widen the interval of an effect for trends that are not parallel.

    ``estimates`` has terms ``event e`` against event -1 (``aggregate="dynamic"``, with
    ``base="universal"`` where the method asks for a base). The target is the effect at
    ``event``, or the mean over all events from 0 on.

    "relative_magnitudes" (Rambachan and Roth 2023, section 2.4): from one period to the
    next, trends differ by at most ``magnitude`` times the largest such difference
    before adoption. That set is a union of pieces, one for each difference and sign
    (their Lemma 2.2), on which the ends of the effect's range are linear in the
    coefficients; the interval is the union of the pieces' t intervals. It covers the
    whole range, and is wider than the conditional interval of R's HonestDiD.
    "smoothness": the slope of the difference changes by at most
    ``magnitude`` (in units of the outcome) from period to period; the interval is the
    shortest of fixed length (their section 4.1).

    ``magnitudes`` default to 0, 0.5, 1, 1.5 and 2 (times the target's standard error
    for "smoothness"). With finite ``df`` the t distribution takes the normal's place.

    Raises
    ------
    ModelError
        Where events are missing or have gaps, event -1 is a term, a covariance is not
        known, or a magnitude is negative.
    """
    path, target = _find_path(estimates, event)
    if restriction not in ("relative_magnitudes", "smoothness"):
        raise ModelError(
            "sensitivity, restriction",
            seen=f"'{restriction}'",
            expected="'relative_magnitudes' or 'smoothness'",
            do="Choose one of these.",
        )
    if any(not 0 <= magnitude < np.inf for magnitude in magnitudes):
        raise ModelError(
            "sensitivity, magnitudes",
            seen=f"{min(magnitudes):g} to {max(magnitudes):g}",
            expected="finite magnitudes of 0 or more",
            do="Start at 0, which keeps the assumption.",
        )
    unit = float(np.sqrt(path.weights @ path.covariance[path.early :, path.early :] @ path.weights))
    if restriction == "smoothness":
        widen = _fix_length(path, unit)
    else:
        widen, unit = _join_pieces(path), 1.0
    chosen = [float(m) for m in magnitudes] or [m * unit for m in _MAGNITUDES]
    table = pd.DataFrame([(m, *widen(m)) for m in chosen],
                         columns=["magnitude", "conf_low", "conf_high"])  # fmt: skip
    table = table.assign(conf_level=CONF_LEVEL)
    return Sensitivity(restriction, target, table, _find_breakdown(widen, unit))


def decompose_twfe(design: Design, *, cohort: pd.Series) -> pd.DataFrame:
    """Decompose the two-way fixed-effects estimate of adoption into its comparisons.

    Goodman-Bacon (2021, Theorem 1): on a balanced panel the coefficient of
    a 0/1 adoption beside entity and period effects is the sum of weight × estimate over
    pairs of cohorts. Columns ``kind, cohort, control, estimate, weight``: a cohort
    against those that never adopt (control nan), an earlier against a later one before
    that adopts, and a later against an earlier one (or one always treated, control nan)
    that has adopted already, where changing effects of the earlier enter with the wrong
    sign. Weights add up to 1.

    Raises
    ------
    ModelError
        Where the panel is not balanced, there are covariates, or nothing is compared.
    """
    parts = list(_compare_pairs(*_widen(design, cohort)))
    if not parts:
        raise ModelError(
            design.where,
            seen="no two groups of which one adopts while the other does not",
            expected="entities that adopt in different periods, or never",
            do="Add entities that have not adopted, or earlier periods.",
        )
    table = pd.DataFrame(parts, columns=["kind", "cohort", "control", "estimate", "weight"])
    table["control"] = table["control"].replace([np.inf, -np.inf], np.nan)
    return table.assign(weight=table["weight"] / table["weight"].sum())


def _find_path(estimates: Estimates, event: int | None) -> tuple[_Path, str]:
    events = {
        float(term.removeprefix("event ")): position
        for position, term in enumerate(estimates.terms)
        if term.startswith("event ")
    }
    order = sorted(events)
    early = sum(value < 0 for value in order)
    whole = [float(value) for value in range(-early - 1, len(order) - early) if value != -1]
    if not 0 < early < len(order) or order != whole:
        raise ModelError(
            "sensitivity, estimates",
            seen="the terms " + (", ".join(estimates.terms) or "none"),
            expected="events without gaps, from -2 or earlier to 0 or later, and no event -1",
            do="Estimate with aggregate='dynamic' and base='universal'.",
        )
    if event is not None and (event < 0 or event not in events):
        raise ModelError(
            "sensitivity, event",
            seen=f"{event}",
            expected=f"0 to {order[-1]:g}",
            do="Choose an event from adoption on, or none for their mean.",
        )
    chosen = [events[value] for value in order]
    covariance = estimates.covariance[np.ix_(chosen, chosen)]
    _check_covariance(covariance)
    later = len(order) - early
    weights = np.full(later, 1 / later) if event is None else np.eye(later)[event]
    target = "mean of events from 0 on" if event is None else f"event {event}"
    path = _Path(estimates.coefficients[chosen], covariance, early, weights, estimates.df)
    return path, target


def _check_covariance(covariance: Floats) -> None:
    sound = bool(np.isfinite(covariance).all())
    if sound:
        errors = np.sqrt(np.diag(covariance))
        sound = np.linalg.eigvalsh(covariance / np.outer(errors, errors))[0] > _STILL
    if not sound:
        raise ModelError(
            "sensitivity, estimates",
            seen="events whose covariance is not known or is singular",
            expected="a covariance of all events, from more clusters than events",
            do="Take method 'callaway_santanna' or 'sun_abraham', with more clusters.",
        )


def _join_pieces(path: _Path) -> Callable[[float], tuple[float, float]]:
    """Give the interval as a function of the magnitude, under relative magnitudes."""
    count = len(path.effects)
    target = np.concatenate([np.zeros(path.early), path.weights])
    slopes = np.diff(np.vstack([np.eye(count)[: path.early], np.zeros(count)]), axis=0)
    reach = float(np.abs(np.cumsum(path.weights[::-1])).sum())
    quantile = float(stats.t.ppf((1 + CONF_LEVEL) / 2, path.df))

    def widen(magnitude: float) -> tuple[float, float]:
        bend = magnitude * reach * np.vstack([slopes, -slopes])
        ends = target + bend
        values = ends @ path.effects
        errors = np.sqrt(np.einsum("ij,jk,ik->i", ends, path.covariance, ends))
        low, high = (values - quantile * errors).min(), (values + quantile * errors).max()
        return float(low), float(high)

    return widen


def _fix_length(path: _Path, unit: float) -> Callable[[float], tuple[float, float]]:
    """Give the shortest interval of fixed length as a function of the magnitude.

    An estimator takes off the target Σ w_s × slope s before adoption. With c = cumsum(w),
    whose last is given (no bias from straight lines), its largest bias is the magnitude
    times Σ|c| plus a constant, and its variance is quadratic in c. The best trade between
    both lies on the path of lasso solutions, which one penalty traces.
    """
    vectors, last = _span_estimators(path)
    fixed = _sum_bends(path)
    trace = _trace_penalties(vectors, last, path.covariance / unit**2)
    steps = np.arange(len(trace))

    def assess(free: Floats, magnitude: float) -> tuple[Floats, Floats]:
        directions = last + free @ vectors
        spreads = np.sqrt(np.einsum("ij,jk,ik->i", directions, path.covariance, directions))
        biases = magnitude * (fixed + np.abs(free).sum(axis=1))
        return spreads * _fold(biases / spreads, path.df), directions @ path.effects

    def at(step: float) -> Floats:
        return np.array([[np.interp(step, steps, column) for column in trace.T]])

    def widen(magnitude: float) -> tuple[float, float]:
        best = int(np.argmin(assess(trace, magnitude)[0]))
        near = (max(best - 1.0, 0.0), min(best + 1.0, len(trace) - 1.0))
        found = optimize.minimize_scalar(
            lambda step: float(assess(at(step), magnitude)[0][0]), bounds=near, method="bounded"
        )
        lengths, centres = assess(np.vstack([trace[best], at(found.x)]), magnitude)
        chosen = int(np.argmin(lengths))
        length, centre = float(lengths[chosen]), float(centres[chosen])
        return centre - length, centre + length

    return widen


def _trace_penalties(vectors: Floats, last: Floats, covariance: Floats) -> Floats:
    """Give c (_PATH × P−1) from the largest penalty, where it is 0, down to none."""
    gram, lean = vectors @ covariance @ vectors.T, vectors @ covariance @ last
    penalties = np.abs(lean).max(initial=0.0) * np.linspace(1, 0, _PATH) ** 2
    free = np.zeros((_PATH, len(vectors)))
    for step in range(1, _PATH):
        free[step] = _shrink(gram, lean, free[step - 1], float(penalties[step]))
    return free


def _span_estimators(path: _Path) -> tuple[Floats, Floats]:
    """Give the directions of c_1 to c_{P−1} (P−1 × P+S), and the point where they are 0."""
    count = len(path.effects)
    slopes = np.diff(np.vstack([np.eye(count)[: path.early], np.zeros(count)]), axis=0)
    total = float(path.weights @ np.arange(1, len(path.weights) + 1))
    target = np.concatenate([np.zeros(path.early), path.weights])
    return np.diff(slopes, axis=0), target - total * slopes[-1]


def _sum_bends(path: _Path) -> float:
    """Sum what a unit change of slope does to the target, where no choice is left."""
    total = float(path.weights @ np.arange(1, len(path.weights) + 1))
    tails = np.cumsum(path.weights[::-1])[::-1]
    return abs(total) + float(np.abs(np.cumsum(tails)[:-1] - total).sum())


def _shrink(gram: Floats, lean: Floats, start: Floats, penalty: float) -> Floats:
    """Minimise ½ c'Gc + l'c + penalty Σ|c| by coordinate descent."""
    c = start.copy()
    for _ in range(_TURNS):
        before = c.copy()
        for i in range(len(c)):
            pull = lean[i] + gram[i] @ c - gram[i, i] * c[i]
            c[i] = -np.sign(pull) * max(abs(pull) - penalty, 0.0) / gram[i, i]
        if np.abs(c - before).max(initial=0.0) < _STILL:
            break
    return c


def _fold(biases: Floats, df: float) -> Floats:
    """Give the quantiles of |z + bias|, or of |t + bias|: the bias is known, its error not."""

    def share(values: Floats) -> Floats:
        ends = np.stack([values - biases, -values - biases])
        below = special.ndtr(ends) if np.isinf(df) else special.stdtr(df, ends)
        return np.asarray(below[0] - below[1], dtype=np.float64)

    low = np.zeros_like(biases)
    high = biases + stats.t.ppf((1 + CONF_LEVEL) / 2, df)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        short = share(middle) < CONF_LEVEL
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return np.asarray(high, dtype=np.float64)


def _find_breakdown(widen: Callable[[float], tuple[float, float]], unit: float) -> Diagnostic:
    def margin(magnitude: float) -> float:
        low, high = widen(magnitude)
        return max(low, -high)

    if margin(0.0) <= 0:
        return Diagnostic("breakdown", 0.0)
    held, most = 0.0, unit / 8
    while margin(most) > 0:
        held, most = most, most * _STRIDE
        if most > _LARGEST * unit:
            reason = f"no magnitude up to {_LARGEST * unit:g} lets the interval reach 0"
            return Diagnostic("breakdown", reason=reason)
    return Diagnostic("breakdown", float(optimize.brentq(margin, held, most, rtol=1e-8)))


def _widen(design: Design, cohort: pd.Series) -> tuple[Floats, Floats, Floats]:
    """Give outcomes (n × T), periods (T,) and cohorts (n,), 0 for never."""
    outcome = design.outcome
    count = outcome.index.get_level_values(0).nunique()
    periods = outcome.index.get_level_values(1).unique().sort_values()
    if len(outcome) != count * len(periods) or outcome.index.has_duplicates:
        raise ModelError(
            design.where,
            seen="entities that miss a period, or rows that repeat one",
            expected="a balanced panel: the weights are exact on no other",
            do="Keep the entities seen in every period.",
        )
    if not np.isfinite(outcome.to_numpy(dtype="float64")).all():
        raise ModelError(
            f"{design.where}, outcome",
            seen="missing or infinite values",
            expected="a number in every row",
            do="Leave out the entities that miss one.",
        )
    if len(design.regressors.columns):
        raise ModelError(
            design.where,
            seen=f"{len(design.regressors.columns)} covariates",
            expected="none: the decomposition is of adoption alone",
            do="Give a design without regressors.",
        )
    ordered = outcome.sort_index()
    heads = ordered.index.get_level_values(0)[:: len(periods)]
    wide = ordered.to_numpy(dtype="float64").reshape(count, -1)
    return wide, periods.to_numpy(dtype="float64"), match_cohorts(cohort, heads, design.where)


def _compare_pairs(
    wide: Floats, periods: Floats, cohorts: Floats
) -> Iterator[tuple[str, float, float, float, float]]:
    """Give kind, cohort, control, 2 × 2 estimate and unscaled weight of each pair."""
    starts = np.where((cohorts == 0) | (cohorts > periods[-1]), np.inf, cohorts)
    starts = np.where(starts <= periods[0], -np.inf, starts)
    groups = [float(start) for start in np.unique(starts)]
    means = {g: wide[starts == g].mean(axis=0) for g in groups}
    sizes = {g: float((starts == g).mean()) for g in groups}
    share = {g: float((periods >= g).mean()) for g in groups}
    for early, late in combinations(groups, 2):
        gap = means[early] - means[late]
        product = sizes[early] * sizes[late] * (share[early] - share[late])
        if np.isfinite(early):
            kind = "treated v never" if np.isinf(late) else "earlier v later"
            estimate = _change(gap, periods < late, periods >= early)
            yield kind, early, late, estimate, product * (1 - share[early])
        if np.isfinite(late):
            kind = "later v always" if np.isinf(early) else "later v earlier"
            estimate = -_change(gap, periods >= early, periods >= late)
            yield kind, late, early, estimate, product * share[late]


def _change(gap: Floats, window: Flags, after: Flags) -> float:
    """Give the change of a gap (T,) within a window, from before to after."""
    return float(gap[window & after].mean() - gap[window & ~after].mean())
