"""Randomisation inference: the p-value of an event from who else could have had it.

With a handful of countries no large-sample error is to be trusted. Under the sharp null
(the event changed nobody's outcome) the statistic is known for every assignment that
could have been, and its rank among them is an exact p-value (Fisher 1935).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from evidence.errors import ModelError
from evidence.models.design import CONF_LEVEL, Codes, Diagnostic, Floats

Statistic = Callable[[pd.Series], float]
"""Takes an assignment (a value a cluster), gives the statistic of the same outcomes."""

_SIDES: dict[str, Callable[[Floats], Floats]] = {
    "two-sided": np.abs,
    "greater": np.positive,
    "less": np.negative,
}
_TIE = 1e-9
_MOST_DOUBLINGS = 40
_NEAR = 1e-4


@dataclass(frozen=True, slots=True)
class Randomised:
    """A statistic ranked among the assignments that could have been.

    ``n_assignments`` counts the distinct ones, ``n_compared`` those that were looked at,
    the observed one among them; ``enumerated`` where that is all. ``smallest_p`` is the
    least p-value that any of them would have had.
    """

    statistic: float
    p_value: float
    n_assignments: int
    n_compared: int
    enumerated: bool
    smallest_p: float
    diagnostic: Diagnostic


@dataclass(frozen=True, slots=True)
class RandomisedInterval:
    """Constant effects that randomisation does not reject; infinite where it cannot."""

    conf_low: float
    conf_high: float
    conf_level: float
    n_assignments: int
    enumerated: bool
    diagnostic: Diagnostic


@dataclass(frozen=True, slots=True)
class _Assignments:
    possible: int
    enumerated: bool
    compared: tuple[pd.Series, ...]


def randomise(
    statistic: Statistic,
    assignment: pd.Series,
    *,
    seed: int,
    draws: int = 9999,
    strata: pd.Series | None = None,
    alternative: Literal["two-sided", "greater", "less"] = "two-sided",
) -> Randomised:
    """Rank a statistic among the assignments that could have been.

    ``assignment`` (G,) gives each cluster what it got: treated or not, a dose, or a date
    of adoption (missing: never). Any reordering of these values over the clusters is
    taken to have been as likely as the one observed; with ``strata`` (G,) any within
    strata. ``statistic`` receives such a series and must treat all clusters alike.

    All distinct assignments are enumerated where they are at most ``draws`` + 1: p is
    the share whose statistic is as far out as the observed one. Otherwise ``draws``
    random ones: p = (1 + count)/(1 + draws) (Phipson and Smyth 2010). Both keep
    P(p ≤ a) ≤ a under the sharp null. Two-sided compares absolute values. Ties count, to
    1e-9 of the observed value or of the median one (sums in another order round
    differently), as does an assignment for which the statistic does not exist.

    Raises
    ------
    ModelError
        Where clusters repeat, strata do not match, ``draws`` is below 1, the alternative
        is unknown, or the observed statistic does not exist.
    """
    if alternative not in _SIDES:
        raise ModelError(
            "randomisation, alternative",
            seen=f"'{alternative}'",
            expected="'two-sided', 'greater' or 'less'",
            do="Name one of the three.",
        )
    listed = _list_assignments(assignment, strata, draws, seed)
    observed = float(statistic(assignment))
    if np.isnan(observed):
        raise ModelError(
            "randomisation, statistic",
            seen="nan for the observed assignment",
            expected="a number",
            do="Look at the outcome and at the clusters that the statistic needs.",
        )
    if listed.possible == 1:
        return _decline(observed)
    values = np.array([float(statistic(other)) for other in listed.compared])
    return _rank(observed, values, listed, alternative)


def invert_test(
    shift: Callable[[float], Statistic],
    assignment: pd.Series,
    *,
    estimate: float,
    step: float,
    seed: int,
    draws: int = 999,
    strata: pd.Series | None = None,
    conf_level: float = CONF_LEVEL,
) -> RandomisedInterval:
    """Find the constant additive effects that randomisation does not reject.

    ``shift(effect)`` gives the statistic of the outcomes less ``effect`` times the
    treatment that was really given: under the hypothesis that outcome is the same
    whoever is treated. All effects are tested with the same assignments, two-sided as in
    ``randomise``; kept are those with p above 1 − ``conf_level`` (Rosenbaum 2002, ch. 2).
    The search doubles ``step`` outwards from ``estimate`` (both in units of the outcome)
    until an effect is rejected, then halves to step/10,000 and returns the rejected
    side, so the interval is never too short. It takes the effects kept to be an interval
    about the estimate. With too few assignments nothing can be rejected: the interval is
    infinite, and says so.

    Raises
    ------
    ModelError
        As ``randomise``; or where ``step`` or ``conf_level`` is out of range, or the
        estimate itself is rejected.
    """
    _check_search(step, conf_level)
    listed = _list_assignments(assignment, strata, draws, seed)
    level = 1 - conf_level

    def keeps(effect: float) -> bool:
        statistic = shift(effect)
        values = np.array([float(statistic(other)) for other in listed.compared])
        ranked = _rank(float(statistic(assignment)), values, listed, "two-sided")
        return ranked.p_value > level * (1 + _TIE)

    least = 1 / (listed.possible if listed.enumerated else len(listed.compared))
    ends = (-np.inf, np.inf)
    if least <= level * (1 + _TIE):
        if not keeps(estimate):
            raise ModelError(
                "randomisation interval, estimate",
                seen=f"{estimate:g}, which is itself rejected",
                expected="an effect that the data do not reject",
                do="Start at the point estimate of the same statistic.",
            )
        ends = (_search(keeps, estimate, -step), _search(keeps, estimate, step))
    reason = _tell(listed, least)
    if np.isinf(ends).any():
        reason += f"; no effect is rejected on one side or both at {level:.3g}"
    return RandomisedInterval(
        conf_low=float(ends[0]),
        conf_high=float(ends[1]),
        conf_level=conf_level,
        n_assignments=listed.possible,
        enumerated=listed.enumerated,
        diagnostic=Diagnostic("randomisation interval", value=float(estimate), reason=reason),
    )


def _rank(observed: float, values: Floats, listed: _Assignments, alternative: str) -> Randomised:
    far = np.where(np.isnan(values), np.inf, _SIDES[alternative](values))
    mark = float(_SIDES[alternative](np.array([observed]))[0])
    p_value = float(_reach(far, mark).mean())
    furthest = float(far[~np.isnan(values)].max())
    smallest = float(_reach(far, furthest).mean()) if listed.enumerated else 1 / len(far)
    reason = _tell(listed, smallest)
    broken = int(np.isnan(values).sum())
    if broken:
        reason += f"; {broken} without a statistic count as further out"
    return Randomised(
        statistic=observed,
        p_value=p_value,
        n_assignments=listed.possible,
        n_compared=len(far),
        enumerated=listed.enumerated,
        smallest_p=smallest,
        diagnostic=Diagnostic("randomisation", observed, p_value, reason=reason),
    )


def _reach(far: Floats, mark: float) -> npt.NDArray[np.bool_]:
    """Tell which values are as far out as the mark, or tie with it."""
    finite = np.abs(far[np.isfinite(far)])
    scale = max(abs(mark), float(np.median(finite))) if finite.size else 0.0
    reached: npt.NDArray[np.bool_] = far >= (mark - _TIE * scale if np.isfinite(mark) else mark)
    return reached


def _tell(listed: _Assignments, smallest: float) -> str:
    if listed.enumerated:
        told = f"all {listed.possible:,} possible assignments were compared"
    else:
        told = (
            f"{len(listed.compared) - 1:,} assignments were drawn at random and compared with "
            "the observed one"
        )
    return f"{told}: no p-value can be below {smallest:.3g}"


def _decline(observed: float) -> Randomised:
    reason = "one assignment was possible, the observed one: there is nothing to compare"
    return Randomised(
        statistic=observed,
        p_value=np.nan,
        n_assignments=1,
        n_compared=1,
        enumerated=True,
        smallest_p=1.0,
        diagnostic=Diagnostic("randomisation", observed, reason=reason),
    )


def _search(keeps: Callable[[float], bool], estimate: float, step: float) -> float:
    """Find the end of what is kept in the direction of ``step``."""
    kept = 0.0
    for doubling in range(_MOST_DOUBLINGS):
        tried = step * 2.0**doubling
        if not keeps(estimate + tried):
            return estimate + _halve(lambda reach: keeps(estimate + reach), kept, tried, step)
        kept = tried
    return math.copysign(np.inf, step)


def _halve(keeps: Callable[[float], bool], kept: float, refused: float, step: float) -> float:
    while abs(refused - kept) > _NEAR * abs(step):
        middle = (kept + refused) / 2
        kept, refused = (middle, refused) if keeps(middle) else (kept, middle)
    return refused


def _list_assignments(
    assignment: pd.Series, strata: pd.Series | None, draws: int, seed: int
) -> _Assignments:
    """List the assignments to compare: all, or the observed one with random ones."""
    groups = _group_clusters(assignment, strata, draws)
    codes, values = pd.factorize(assignment, use_na_sentinel=False)
    codes = codes.astype(np.int64)
    possible = math.prod(_count_arrangements(codes[group]) for group in groups)
    enumerated = possible <= draws + 1
    if enumerated:
        arranged = _enumerate(codes, groups)
    else:
        arranged = _draw(codes, groups, draws, np.random.default_rng(seed))
    compared = tuple(
        pd.Series(values.take(other), index=assignment.index, name=assignment.name)
        for other in arranged
    )
    return _Assignments(possible, enumerated, compared)


def _group_clusters(
    assignment: pd.Series, strata: pd.Series | None, draws: int
) -> tuple[Codes, ...]:
    """Give the positions of the clusters of each stratum."""
    if draws < 1 or len(assignment) < 2 or not assignment.index.is_unique:
        raise ModelError(
            "randomisation, assignment",
            seen=f"{len(assignment)} clusters, {assignment.index.nunique()} of them distinct; "
            f"{draws} draws",
            expected="two or more clusters, each once, and one or more draws",
            do="Give one value a cluster: the level at which the event was decided.",
        )
    if strata is None:
        return (np.arange(len(assignment)),)
    labels = strata.loc[strata.index.is_unique & strata.index.isin(assignment.index)]
    labels = labels.reindex(assignment.index)
    if labels.isna().any():
        raise ModelError(
            "randomisation, strata",
            seen=f"{strata.index.nunique()} clusters with a stratum",
            expected=f"one stratum for each of the {len(assignment)} clusters",
            do="Give every cluster the stratum within which its event could have gone elsewhere.",
        )
    codes = pd.factorize(labels)[0]
    return tuple(np.flatnonzero(codes == code) for code in range(codes.max() + 1))


def _count_arrangements(codes: Codes) -> int:
    counts = np.unique(codes, return_counts=True)[1].tolist()
    return math.factorial(len(codes)) // math.prod(math.factorial(count) for count in counts)


def _enumerate(codes: Codes, groups: Sequence[Codes]) -> Iterator[Codes]:
    """Yield every distinct assignment, stratum by stratum."""
    choices = [list(_arrange(codes[group])) for group in groups]
    for chosen in product(*choices):
        arranged = codes.copy()
        for group, part in zip(groups, chosen, strict=True):
            arranged[group] = part
        yield arranged


def _arrange(codes: Codes) -> Iterator[Codes]:
    """Yield every distinct order: rarer values choose places, the commonest has the rest."""
    values, counts = np.unique(codes, return_counts=True)
    rising = np.argsort(counts, kind="stable").tolist()
    rarer = [(int(values[at]), int(counts[at])) for at in rising[:-1]]
    blank = np.full(len(codes), values[rising[-1]])
    yield from _place(blank, rarer, tuple(range(len(codes))))


def _place(
    placed: Codes, rarer: Sequence[tuple[int, int]], free: tuple[int, ...]
) -> Iterator[Codes]:
    if not rarer:
        yield placed
        return
    value, count = rarer[0]
    for chosen in combinations(free, count):
        further = placed.copy()
        further[list(chosen)] = value
        yield from _place(further, rarer[1:], tuple(at for at in free if at not in chosen))


def _draw(
    codes: Codes, groups: Sequence[Codes], draws: int, rng: np.random.Generator
) -> Iterator[Codes]:
    """Yield the observed assignment, then random ones."""
    yield codes
    for _ in range(draws):
        arranged = codes.copy()
        for group in groups:
            arranged[group] = rng.permutation(codes[group])
        yield arranged


def _check_search(step: float, conf_level: float) -> None:
    if not (step > 0 and np.isfinite(step)) or not 0 < conf_level < 1:
        raise ModelError(
            "randomisation interval",
            seen=f"step {step:g}, conf_level {conf_level:g}",
            expected="a step above 0 in units of the outcome and a level between 0 and 1",
            do="Take the standard error as step and 0.95 as level.",
        )
