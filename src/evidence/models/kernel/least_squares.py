"""Least squares with any number of absorbed effects, and cluster-robust inference.

One kernel: effects coded once, absorbed once a column, every coefficient from cross
products, errors from grouped sums. linearmodels is the oracle of its tests.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from evidence.errors import ModelError
from evidence.models.design import Codes, Design, Diagnostic, Estimates, Floats
from evidence.models.kernel.absorb import (
    MOST_DIRECT,
    Effects,
    absorb,
    code_clusters,
    code_labels,
    find_singletons,
)
from evidence.models.kernel.check import check_design
from evidence.models.kernel.conventions import (
    SmallSample,
    count_df,
    count_parameters,
    is_nested,
    scale_covariance,
)
from evidence.models.kernel.moments import (
    Block,
    Moments,
    cut_blocks,
    reduce_moments,
    sum_moments,
    sum_scores,
)
from evidence.models.kernel.solve import (
    COLLINEAR,
    Solution,
    find_absorbed,
    solve_cross,
    solve_rows,
)

_ROUNDING = 1e-16


@dataclass(frozen=True, slots=True)
class _Rows:
    """Aligned columns of a design: [outcome, regressors], coded effects and clusters.

    ``kept`` marks the rows that carry information, and ``nobs`` counts them; rows of
    entities seen once may stay, because what is left of them within their entity is zero.
    """

    columns: list[npt.NDArray[np.generic]]
    effects: Effects
    clusters: Codes | None
    crossed: Codes | None
    kept: npt.NDArray[np.bool_] | None
    nobs: int
    names: tuple[str, ...]
    where: str


@dataclass(frozen=True, slots=True)
class _Solved:
    """A solution, what is left of each column within effects, and how to get the meat.

    ``squares`` (K,) are the sums of squares that are left, ``within`` their shares;
    ``explained`` says that the effects leave nothing of the outcome, ``sum_meat`` gives
    Σ s s' (K × K) of the scores of given clusters.
    """

    solution: Solution
    squares: Floats
    within: Floats
    residual_squares: float
    rank: int
    explained: bool
    sum_meat: Callable[[Codes], Floats]


def estimate_least_squares(
    design: Design,
    *,
    small_sample: SmallSample = "fixest",
    crossed: pd.Series | None = None,
    collinear: float = COLLINEAR,
) -> Estimates:
    """Estimate a linear model with ``design.effects`` absorbed.

    A constant is best absorbed as an effect with one level: as a regressor it costs
    digits where another has a large mean.

    With clusters the covariance is CR1, c·A(Σ s s')A (Liang and Zeger 1986) with the
    factor of the named convention; ``crossed`` adds a second dimension of clusters
    (Cameron, Gelbach and Miller 2011; one factor of the smaller count). Without
    clusters it is unadjusted, σ²A with t(n−k).

    A term whose clusters' scores cancel exactly has no error (nan), nor has any where the
    effects leave nothing of the outcome.

    Raises
    ------
    ModelError
        For values that are not finite, an outcome without variation, a regressor that
        the effects absorb, collinear regressors, fewer rows than parameters, or a
        single cluster.
    """
    rows = _align(design, crossed, drop=small_sample == "fixest")
    rows, solved = _solve(rows, collinear)
    _check_room(rows, solved.rank)
    covariance, groups, df = _infer(rows, solved, small_sample)
    if solved.explained:
        covariance = np.full_like(covariance, np.nan)
    return Estimates(
        terms=rows.names,
        coefficients=solved.solution.coefficients,
        covariance=covariance,
        df=df,
        nobs=rows.nobs,
        n_clusters=groups,
        cov_type="unadjusted" if groups is None else "CR1",
        small_sample="n/(n-k)" if groups is None else small_sample,
        diagnostics=_diagnose(rows, solved, covariance),
    )


def _diagnose(rows: _Rows, solved: _Solved, covariance: Floats) -> tuple[Diagnostic, ...]:
    shares = [
        Diagnostic(f"within_share {name}", float(share))
        for name, share in zip(rows.names, solved.within, strict=True)
    ]
    reason = (
        "nothing is left of the outcome once the effects are taken out"
        if solved.explained
        else "a single cluster carries it: its scores cancel"
        if rows.crossed is None
        else "the variance of crossed clusters is not positive (Cameron, Gelbach and Miller 2011)"
    )
    silent = [
        Diagnostic(f"std_error {name}", reason=reason)
        for name, variance in zip(rows.names, np.diag(covariance), strict=True)
        if np.isnan(variance)
    ]
    return (*shares, *silent)


def _align(design: Design, crossed: pd.Series | None, *, drop: bool) -> _Rows:
    effects = check_design(design, crossed)
    rows = _Rows(
        columns=[
            np.asarray(design.outcome),
            *(np.asarray(x) for _, x in design.regressors.items()),
        ],
        effects=effects,
        clusters=None if design.clusters is None else _code_clusters(design, effects),
        crossed=None if crossed is None else code_clusters(crossed, design.where),
        kept=None,
        nobs=len(design.outcome),
        names=tuple(map(str, design.regressors.columns)),
        where=design.where,
    )
    rows = _sort_rows(rows)
    return _drop_singletons(rows) if drop and effects.codes else rows


def _code_clusters(design: Design, effects: Effects) -> Codes:
    """Code the clusters; those that are the levels of an effect share its codes."""
    assert design.clusters is not None
    labels = design.clusters.to_numpy()
    for name, code in zip(design.effects.columns, effects.codes, strict=True):
        if np.array_equal(labels, design.effects[name].to_numpy()):
            return code
    return code_clusters(design.clusters, design.where)


def _drop_singletons(rows: _Rows) -> _Rows:
    """Drop rows alone in a level; in a design for two scans, count them out only."""
    kept, whole = find_singletons(rows.effects)
    nobs = int(kept.sum())
    if nobs == rows.nobs:
        return rows
    if not nobs:
        raise ModelError(
            rows.where,
            seen=f"no row left of {rows.nobs}",
            expected="rows whose effects are seen more than once",
            do="Widen the sample, or absorb fewer effects.",
        )
    rows = replace(rows, kept=kept, nobs=nobs)
    first = rows.effects.codes[0]
    alone = np.bincount(first, minlength=rows.effects.levels[0]) == 1
    if whole and _find_starts(rows) is not None and nobs + int(alone.sum()) == len(kept):
        return rows
    return _compress(rows)


def _compress(rows: _Rows) -> _Rows:
    """Leave out the rows that carry no information."""
    if rows.kept is None:
        return rows
    kept = rows.kept
    left = [_recode(code[kept]) for code in rows.effects.codes]
    levels = tuple(int(code.max()) + 1 for code in left)
    return replace(
        rows,
        columns=[column[kept] for column in rows.columns],
        effects=replace(rows.effects, codes=tuple(left), levels=levels),
        clusters=None if rows.clusters is None else _recode(rows.clusters[kept]),
        crossed=None if rows.crossed is None else _recode(rows.crossed[kept]),
        kept=None,
    )


def _recode(codes: Codes) -> Codes:
    return np.asarray(np.unique(codes, return_inverse=True)[1], dtype=np.int64)


def _check_finite(rows: _Rows, cross: Floats) -> None:
    if np.isfinite(cross).all():
        return
    for name, column in zip(("the outcome", *rows.names), rows.columns, strict=True):
        bad = len(column) - int(np.isfinite(column).sum())
        if bad:
            raise ModelError(
                rows.where,
                seen=f"{bad} values of {name} that are missing or infinite",
                expected="finite numbers",
                do="Drop or mend these rows in the raw file before you estimate.",
            )
    raise ModelError(
        rows.where,
        seen="values whose squares are too large for double precision",
        expected="values below 1e150",
        do="Express the columns in a larger unit.",
    )


def _check_room(rows: _Rows, rank: int) -> None:
    used = len(rows.names) + rank
    if rows.nobs <= used:
        raise ModelError(
            rows.where,
            seen=f"{rows.nobs} rows for {used} parameters",
            expected="more rows than parameters",
            do="Widen the sample, or absorb fewer effects.",
        )


def _solve(rows: _Rows, collinear: float) -> tuple[_Rows, _Solved]:
    starts = _find_starts(rows)
    if starts is not None:
        solved = _solve_scans(rows, starts)
        if solved is not None:
            return rows, solved
    rows = _compress(rows)
    return rows, _solve_columns(rows, collinear)


def _sort_rows(rows: _Rows) -> _Rows:
    """Put the dimension with most levels first and sort by it, where two scans may follow."""
    effects = rows.effects
    first = np.argsort(np.negative(effects.levels), kind="stable")
    if not 1 <= len(first) <= 2 or (first[0] == 0 and _find_runs(effects) is not None):
        return rows
    order = np.argsort(effects.codes[first[0]], kind="stable")
    codes = [effects.codes[number] for number in first]
    moved = [code[order] for code in codes]
    moved[0] = code_labels(pd.Series(moved[0]))
    same = [new for new, old in zip(moved, codes, strict=True) if old is rows.clusters]
    clusters = None if rows.clusters is None else (same or [rows.clusters[order]])[0]
    return replace(
        rows,
        columns=[column[order] for column in rows.columns],
        effects=Effects(
            tuple(effects.names[number] for number in first),
            tuple(moved),
            tuple(effects.levels[number] for number in first),
        ),
        clusters=clusters,
        crossed=None if rows.crossed is None else rows.crossed[order],
    )


def _find_starts(rows: _Rows) -> Codes | None:
    """Find each entity's first row, where the design allows two scans over entities.

    That is: one or two dimensions, sorted by the first, few levels of the second, and
    clusters that hold whole entities.
    """
    effects = rows.effects
    if not 1 <= len(effects.codes) <= 2 or (effects.levels[1:] or (0,))[0] > MOST_DIRECT:
        return None
    if rows.crossed is not None:
        return None
    if rows.clusters is not None and not is_nested(
        effects.codes[0], effects.levels[0], rows.clusters
    ):
        return None
    return _find_runs(effects)


def _find_runs(effects: Effects) -> Codes | None:
    """Find where each level of the first dimension begins; None where rows are not sorted."""
    code, levels = effects.codes[0], effects.levels[0]
    starts = np.concatenate([[0], np.flatnonzero(code[1:] != code[:-1]) + 1])
    sorted_once = len(starts) == levels and bool((code[starts] == np.arange(levels)).all())
    return starts if sorted_once else None


def _solve_scans(rows: _Rows, starts: Codes) -> _Solved | None:
    """Solve a one- or two-way design sorted by entity without a copy of the columns."""
    centre = np.array([float(column[0]) for column in rows.columns])
    two_way = len(rows.effects.codes) == 2
    periods = rows.effects.codes[1] if two_way else None
    n_periods = rows.effects.levels[1] if two_way else 0

    def blocks() -> Iterator[Block]:
        return cut_blocks(rows.columns, rows.effects.codes[0], starts, periods, centre)

    moments: Moments = functools.reduce(
        operator.add, (sum_moments(block, n_periods) for block in blocks())
    )
    _check_finite(rows, moments.cross)
    reduced = reduce_moments(moments)
    _check_left(rows, reduced.cross, moments.spread)
    solution = solve_cross(reduced.cross)
    if solution is None:
        return None
    direction = np.append(1.0, -solution.coefficients)

    def sum_meat(clusters: Codes) -> Floats:
        scores = (sum_scores(block, reduced.paths, direction)[:, 1:] for block in blocks())
        if clusters is rows.effects.codes[0]:
            return np.asarray(sum(part.T @ part for part in scores))
        grouped = _group(np.concatenate(list(scores)), clusters[starts])
        return np.asarray(grouped.T @ grouped)

    squares = float(direction @ reduced.cross @ direction)
    left = np.diag(reduced.cross)[1:]
    rank = rows.effects.levels[0] - (len(rows.columns[0]) - rows.nobs) + reduced.rank
    explained = bool(find_absorbed(reduced.cross[:1, :1], moments.spread[:1], ["y"]))
    within = left / moments.spread[1:]
    return _Solved(solution, left, within, squares, rank, explained, sum_meat)


def _solve_columns(rows: _Rows, collinear: float) -> _Solved:
    """Solve from absorbed columns in memory: any effects, any clusters."""
    columns = np.column_stack(rows.columns).astype(np.float64)
    _check_finite(rows, columns.T @ columns)
    left = absorb(columns, rows.effects, where=rows.where) if rows.effects.codes else columns
    spread = ((columns - columns.mean(axis=0)) ** 2).sum(axis=0)
    cross = left.T @ left
    _check_left(rows, cross, spread)
    solution = solve_cross(cross) if rows.effects.codes else None
    if solution is None:
        solution = solve_rows(
            left[:, 0], left[:, 1:], rows.names, where=rows.where, collinear=collinear
        )
    residual = left[:, 0] - left[:, 1:] @ solution.coefficients

    def sum_meat(clusters: Codes) -> Floats:
        grouped = _group(left[:, 1:] * residual[:, None], clusters)
        return np.asarray(grouped.T @ grouped)

    whole = np.where(spread > 0, spread, np.diag(cross))[1:]
    inside = np.diag(cross)[1:]
    squares = float(residual @ residual)
    explained = bool(find_absorbed(cross[:1, :1], spread[:1], ["y"])) and bool(rows.effects.codes)
    return _Solved(
        solution, inside, inside / whole, squares, rows.effects.rank, explained, sum_meat
    )


def _check_left(rows: _Rows, cross: Floats, spread: Floats) -> None:
    if rows.columns[0].min() == rows.columns[0].max():
        raise ModelError(
            rows.where,
            seen="an outcome with one and the same value in every row",
            expected="an outcome that varies",
            do="Look at the raw file, or choose another outcome.",
        )
    gone = find_absorbed(cross[1:, 1:], spread[1:], rows.names) if rows.effects.codes else []
    if gone:
        raise ModelError(
            rows.where,
            seen=f"nothing is left of {', '.join(gone)} once {', '.join(rows.effects.names)} "
            "are taken out",
            expected="regressors that vary within the effects",
            do="Take the regressor out, or absorb fewer effects.",
        )


def _infer(
    rows: _Rows, solved: _Solved, small_sample: SmallSample
) -> tuple[Floats, int | None, float]:
    bread = solved.solution.bread
    regressors = len(rows.names)
    if rows.clusters is None:
        left = rows.nobs - regressors - solved.rank
        return solved.residual_squares / left * bread, None, float(left)
    meat, groups = _sum_meat(rows, solved)
    if groups < 2:
        raise ModelError(
            rows.where,
            seen="a single cluster",
            expected="two or more",
            do="Add data of other units; from a single one nothing can be inferred.",
        )
    clusters = [codes for codes in (rows.clusters, rows.crossed) if codes is not None]
    parameters = count_parameters(regressors, rows.effects, clusters, small_sample)
    used = count_parameters(regressors, rows.effects, (), small_sample)
    factor = scale_covariance(rows.nobs, parameters, groups, small_sample)
    covariance = factor * bread @ meat @ bread
    noise = _ROUNDING * solved.residual_squares / rows.nobs * solved.squares
    silent = (np.diag(meat) < noise) if rows.crossed is None else np.diag(covariance) <= 0
    covariance[silent, :] = covariance[:, silent] = np.nan
    return covariance, groups, count_df(rows.nobs, used, groups, small_sample)


def _sum_meat(rows: _Rows, solved: _Solved) -> tuple[Floats, int]:
    assert rows.clusters is not None
    meat = solved.sum_meat(rows.clusters)
    if rows.crossed is None:
        return meat, _count_clusters(rows)
    width = int(rows.crossed.max()) + 1
    both = _recode(rows.clusters * width + rows.crossed)
    meat = meat + solved.sum_meat(rows.crossed) - solved.sum_meat(both)
    return meat, min(int(rows.clusters.max()) + 1, width)


def _count_clusters(rows: _Rows) -> int:
    """Count the clusters whose rows carry information."""
    assert rows.clusters is not None
    if len(rows.columns[0]) == rows.nobs:
        return int(rows.clusters.max()) + 1
    first = rows.effects.codes[0]
    if rows.clusters is first:
        return rows.effects.levels[0] - (len(first) - rows.nobs)
    told = rows.clusters[(np.bincount(first) > 1)[first]]
    return int(np.count_nonzero(np.bincount(told)))


def _group(scores: Floats, clusters: Codes) -> Floats:
    groups = int(clusters.max()) + 1
    return np.column_stack([np.bincount(clusters, column, minlength=groups) for column in scores.T])
