"""Dynamic panels by GMM: the outcome depends on its own past, and entities have effects.

Within estimates of such a model are biased when periods are few (Nickell 1981). Arellano
and Bond (1991) take first differences and use earlier levels as instruments; Blundell and
Bond (1998) add the equation in levels with earlier differences as instruments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from evidence.errors import ModelError
from evidence.models.design import Codes, Design, Diagnostic, Estimates, Floats

Reach = tuple[int, int | None]
Bools = npt.NDArray[np.bool_]

FEW_ENTITIES = 30
MOST_CELLS = 100_000_000
_COLLINEAR = 1e-9
_SINGULAR = 1e-10
_FURTHEST_ORIGIN = 1e6


@dataclass(frozen=True, slots=True)
class _Options:
    lags: int
    regressor_lags: Mapping[str, int]
    gmm: Mapping[str, Reach | None]
    system: bool
    steps: int
    collapse: bool
    exogenous_levels: bool
    where: str


@dataclass(frozen=True, slots=True)
class _Grid:
    """Levels on a grid entity × time (N × T), nan where missing.

    ``columns`` are the terms, ``exogenous`` those that instrument themselves; ``groups``
    (N,) the cluster of each entity.
    """

    levels: dict[str, Floats]
    columns: dict[str, Floats]
    exogenous: tuple[str, ...]
    time_effects: bool
    groups: Codes


@dataclass(frozen=True, slots=True)
class _Rows:
    """Stacked rows (R): T differences, then in a system T levels.

    ``values`` (N × R × (1 + P + K)) hold the outcome, P absorbed columns and K terms, 0 in
    rows that are not ``used`` (N × R); regressors have norm 1, ``sizes`` (P + K,) are
    their norms before. ``dummies`` (T × P) are the instruments of the absorbed columns.
    """

    values: Floats
    sizes: Floats
    used: Bools
    dummies: Floats


@dataclass(frozen=True, slots=True)
class _Instrument:
    """Lag ``lag`` of ``source`` (N × T), at ``periods`` of the equation that starts at ``row``."""

    source: Floats
    lag: int
    row: int
    periods: Codes


@dataclass(frozen=True, slots=True)
class _Moments:
    """Z'y (G × L) and Z'X (G × L × K) of each cluster, with Z'HZ summed to the identity.

    ``n_instruments`` counts columns before those that repeat others were merged.
    """

    outcome: Floats
    regressors: Floats
    n_instruments: int


@dataclass(frozen=True, slots=True)
class _Step:
    """A GMM estimate with weights A = factor·factor' (L × L).

    ``bread`` (K × K) is (Q'AQ)⁻¹ and ``influence`` (K × L) is (Q'AQ)⁻¹Q'A with Q = Z'X;
    ``scores`` (G × L) are Z'e of each cluster.
    """

    coefficients: Floats
    bread: Floats
    influence: Floats
    weights: Floats
    rank: int
    scores: Floats


def estimate_dynamic(
    design: Design,
    *,
    lags: int = 1,
    regressor_lags: Mapping[str, int] | None = None,
    gmm: Mapping[str, Reach | None] | None = None,
    transformation: Literal["difference", "system"] = "difference",
    steps: Literal[1, 2] = 2,
    collapse: bool = False,
    exogenous_levels: bool = False,
) -> Estimates:
    """Estimate a dynamic panel by difference or system GMM.

    y_it = Σ_k α_k y_i,t−k + x_it'β + η_i + δ_t + e_it, with e_it not correlated over time.
    Lags follow the calendar: over a missing year they are missing. Entity effects, as all
    effects that are constant within entities, are part of η_i; a column ``time`` in
    ``design.effects`` asks for δ_t. δ_t and, in a system, the constant are absorbed.

    Parameters
    ----------
    design : Design
        Levels, index (entity, time) with whole numbers as time; gaps are allowed.
        ``clusters`` may be entities (or None, which means entities) or coarser.
    lags : int
        Lags 1 to ``lags`` of the outcome are terms ``lag1_<outcome>`` and so on.
    regressor_lags : mapping of str to int
        Regressor → number of its lags that are terms beside it, ``lag1_<regressor>`` ….
    gmm : mapping of str to (int, int or None) or None
        Column → first and last lag of its levels that instrument the differences, each in
        each period; None as last: all there are. From 2 for the outcome and endogenous
        regressors, from 1 for predetermined ones. None instead of a pair: the regressor
        brings no instruments of its own. The outcome has (2, None) unless it is named.
        Regressors not named are strictly exogenous: their differences are instruments.
    transformation : {"difference", "system"}
        A system adds the levels, instrumented by the difference lagged ``first − 1``.
    steps : {1, 2}
        One step with weights H = MM', where M differences (and in a system also keeps)
        independent errors, or two steps with weights from the first.
    collapse : bool
        One instrument a lag instead of one a lag and period (Roodman 2009).
    exogenous_levels : bool
        In a system, let strictly exogenous regressors instrument the levels as well, as
        plm and xtabond2 do. They must then not be correlated with η_i.

    Returns
    -------
    Estimates
        Normal inference. One step: errors robust within clusters. Two steps: corrected
        as in Windmeijer (2005). ``nobs`` counts differences, in a system levels.
        Diagnostics: ``hansen`` (two-step weights, whatever ``steps``), ``sargan`` (one
        step, equal variances; differences only), ``ar1`` and ``ar2`` (Arellano and Bond
        1991, eq. 8), ``n_instruments``, ``weight_matrix`` (its rank), ``n_entities``.

    Raises
    ------
    ModelError
        Where the design or an option cannot be used, periods or entities are too few,
        columns are collinear, or instruments do not identify the coefficients.

    Notes
    -----
    Levels as instruments depend on the origin of a variable unless panels are balanced
    and periods have effects; a mean beyond a million standard deviations is refused.
    Time effects instrument themselves, in a system in the levels. Memory grows with
    entities × periods × instruments, which may not exceed ``MOST_CELLS``.
    """
    options = _Options(
        lags=lags,
        regressor_lags=regressor_lags or {},
        gmm={str(design.outcome.name): (2, None), **(gmm or {})},
        system=transformation == "system",
        steps=steps,
        collapse=collapse,
        exogenous_levels=exogenous_levels,
        where=design.where,
    )
    _check_design(design)
    _check_options(design, options, transformation)
    grid = _lay_out(design, options)
    grid, rows = _drop_idle(grid, _stack_rows(grid, options))
    moments = _sum_moments(rows, _stack_instruments(grid, rows, options), grid)
    _check_clusters(moments, rows, options)
    first = _solve(moments, np.eye(moments.outcome.shape[1]), options)
    second = _solve(moments, _invert_scores(first, moments, options), options)
    covariance = first.influence @ _square(first.scores) @ first.influence.T
    if steps == 2:
        covariance = _correct(moments, first, second, covariance)
    step = first if steps == 1 else second
    diagnostics = (
        _test_hansen(second, moments),
        _test_sargan(first, moments, rows, options),
        _test_autocorrelation(1, step, covariance, rows, grid),
        _test_autocorrelation(2, step, covariance, rows, grid),
        *_count(second, moments, grid),
    )
    return _report(step, covariance, rows, grid, diagnostics, options)


def _refuse(where: str, seen: str, expected: str, do: str) -> ModelError:
    return ModelError(where, seen=seen, expected=expected, do=do)


def _check_design(design: Design) -> None:
    index = design.outcome.index
    if index.nlevels != 2 or not pd.api.types.is_integer_dtype(index.get_level_values(1)):
        raise _refuse(
            design.where,
            "an index that is not (entity, time) with whole numbers as time",
            "periods numbered 1, 2, 3 or years, so that a lag is the number before",
            "Number the periods or waves.",
        )
    others = [design.regressors, *([design.effects] if design.effects.shape[1] else [])]
    aligned = all(index.equals(other.index) for other in others)
    entity = index.get_level_values(0)
    if not (index.is_unique and aligned and len(index)) or entity.hasnans:
        raise _refuse(
            design.where,
            "an entity twice in a period or without a name, no row, or columns of other rows",
            "a row an entity and period, the same for outcome, regressors and effects",
            "Remove the repeated rows, and take all columns from the same rows.",
        )
    frame = design.regressors.assign(**{str(design.outcome.name): design.outcome})
    for name, values in frame.items():
        numeric = pd.api.types.is_numeric_dtype(values)
        if not (numeric and np.isfinite(values.to_numpy(dtype=float)).all()):
            raise _refuse(
                f"{design.where}: '{name}'",
                "values that are missing, infinite or not numbers",
                "finite numbers; a missing observation is a row that is not there",
                "Drop these rows; lags over them then count as missing.",
            )


def _check_options(design: Design, options: _Options, transformation: str) -> None:
    outcome = str(design.outcome.name)
    names = [str(name) for name in design.regressors.columns]
    reaches = [reach for reach in options.gmm.values() if reach is not None]
    endogenous = options.gmm[outcome]
    checks = {
        "'lags' is a whole number from 1": options.lags >= 1,
        "'transformation' is 'difference' or 'system'": transformation in {"difference", "system"},
        "'steps' is 1 or 2": options.steps in {1, 2},
        "'regressor_lags' names regressors": set(options.regressor_lags) <= set(names),
        "'regressor_lags' counts from 0": min(options.regressor_lags.values(), default=0) >= 0,
        "'gmm' names the outcome and regressors": set(options.gmm) <= {outcome, *names},
        "each regressor has a name of its own": len({outcome, *names}) == len(names) + 1,
        "'gmm' gives lags from 1, the first not after the last": all(
            first >= 1 and (last is None or last >= first) for first, last in reaches
        ),
        "'gmm' gives the outcome lags from 2: lag 1 is correlated with the differenced error": (
            endogenous is None or endogenous[0] >= 2
        ),
    }
    for rule, kept in checks.items():
        if not kept:
            raise _refuse(options.where, "another option", rule, "Change the option.")


def _lay_out(design: Design, options: _Options) -> _Grid:
    entity, labels = pd.factorize(design.outcome.index.get_level_values(0))
    time = design.outcome.index.get_level_values(1).to_numpy(dtype="int64")
    shape = (len(labels), int(time.max() - time.min()) + 1)
    if shape[0] < 2 or shape[0] * shape[1] > MOST_CELLS:
        raise _refuse(
            options.where,
            f"{shape[0]} entities, and {shape[1]} periods from the first to the last",
            "two entities or more, and periods that are numbered without long gaps",
            "Pool more entities, or number the periods 1, 2, 3.",
        )

    def place(values: pd.Series) -> Floats:
        grid = np.full(shape, np.nan)
        grid[entity, time - time.min()] = values.to_numpy(dtype=float)
        return grid

    outcome = str(design.outcome.name)
    levels = {outcome: place(design.outcome)}
    levels |= {str(name): place(design.regressors[name]) for name in design.regressors.columns}
    columns: dict[str, Floats] = {}
    exogenous: list[str] = []
    for name, values in levels.items():
        longest = options.lags if name == outcome else options.regressor_lags.get(name, 0)
        terms = {
            f"lag{k}_{name}" if k else name: _lag(values, k)
            for k in range(int(name == outcome), longest + 1)
        }
        if repeated := terms.keys() & (columns.keys() | (levels.keys() - {name})):
            raise _refuse(
                options.where,
                f"two terms named {', '.join(sorted(repeated))}",
                "a lag that is either built here or given as a regressor",
                "Drop the column, or ask for fewer lags.",
            )
        columns |= terms
        exogenous += [] if name in options.gmm else list(terms)
    _check_levels(levels, outcome, options)
    groups = _group_entities(design, entity, options)
    return _Grid(levels, columns, tuple(exogenous), _has_periods(design, options), groups)


def _lag(values: Floats, k: int) -> Floats:
    """Shift columns (periods) by k, nan where nothing comes before."""
    shifted = np.full_like(values, np.nan)
    shifted[:, k:] = values[:, : values.shape[1] - k] if k < values.shape[1] else np.nan
    return shifted


def _difference(values: Floats) -> Floats:
    """Take first differences; what rounding alone explains is no change."""
    before = _lag(values, 1)
    change = values - before
    rounding = 8 * np.finfo(float).eps * np.fmax(np.abs(values), np.abs(before))
    change[np.abs(change) <= rounding] = 0.0
    return change


def _check_levels(levels: dict[str, Floats], outcome: str, options: _Options) -> None:
    """Refuse an outcome that never moves, and levels that drown in their origin."""
    if not np.nan_to_num(_difference(levels[outcome])).any():
        raise _refuse(
            f"{options.where}: '{outcome}'",
            "no change from a period to the next in any entity",
            "an outcome that changes, in periods that follow one another",
            "Number the waves 1, 2, 3 if they lie years apart, or choose another outcome.",
        )
    for name, values in levels.items():
        spread, origin = float(np.nanstd(values)), abs(float(np.nanmean(values)))
        if (name in options.gmm or options.system) and origin > _FURTHEST_ORIGIN * spread > 0:
            raise _refuse(
                f"{options.where}: '{name}'",
                f"a mean {origin / spread:.1e} times the standard deviation",
                f"at most {_FURTHEST_ORIGIN:.0e} times: its levels serve as instruments, and "
                "next to such an origin their differences between entities vanish",
                f"Subtract a constant from {name}.",
            )


def _group_entities(design: Design, entity: Codes, options: _Options) -> Codes:
    if design.clusters is None:
        return np.arange(entity.max() + 1)
    codes, _ = pd.factorize(design.clusters)
    pairs = np.unique(np.column_stack([entity, codes]), axis=0)
    if (codes < 0).any() or len(pairs) > entity.max() + 1:
        raise _refuse(
            f"{options.where}: clusters",
            "a cluster that is missing or changes within an entity",
            "entities, or units that hold whole entities",
            "Cluster by entity or coarser: errors of an entity are correlated over time.",
        )
    groups: Codes = pairs[:, 1].astype("int64")
    return groups


def _has_periods(design: Design, options: _Options) -> bool:
    """Tell whether periods have effects, and refuse effects that are neither."""
    entity = design.outcome.index.get_level_values(0)
    time = design.outcome.index.get_level_values(1)
    for name, labels in design.effects.items():
        codes = pd.Series(pd.factorize(labels)[0])
        within = entity if name != "time" else time
        exact = name != "time" or codes.nunique() == time.nunique()
        if codes.groupby(within.to_numpy()).nunique().max() > 1 or not exact:
            raise _refuse(
                f"{options.where}: effect '{name}'",
                "effects that neither are constant within entities nor are the periods",
                "effects of entities, of what holds entities, and of 'time'",
                "Give other effects as 0/1 columns among the regressors.",
            )
    return "time" in design.effects.columns


def _stack_rows(grid: _Grid, options: _Options) -> _Rows:
    """Stack the equations in differences and levels, and absorb the periods."""
    parts = [next(iter(grid.levels.values())), *grid.columns.values()]
    level = np.stack(parts, axis=2)
    change = np.stack([_difference(part) for part in parts], axis=2)
    whole, paired = np.all(np.isfinite(level), axis=2), np.all(np.isfinite(change), axis=2)
    if not paired.any():
        raise _refuse(
            options.where,
            "no entity with enough periods in a row",
            f"{options.lags + 2} periods in a row in at least one entity, more if regressors lag",
            "Use fewer lags, or number the waves 1, 2, 3 if they lie years apart.",
        )
    dummies = _list_periods(grid, options, whole if options.system else paired)
    moving = np.diff(dummies, axis=0, prepend=0) if options.system else dummies
    values, used = _widen(change, moving, paired), paired
    if options.system:
        values = np.concatenate([values, _widen(level, dummies, whole)], axis=1)
        used = np.concatenate([paired, whole], axis=1)
    sizes = np.linalg.norm(values[:, :, 1:], axis=(0, 1))
    names = [""] * dummies.shape[1] + list(grid.columns)
    _check_collinear(values[used][:, 1:], sizes, names, options)
    values[:, :, 1:] /= sizes
    return _Rows(values, sizes, used, dummies)


def _drop_idle(grid: _Grid, rows: _Rows) -> tuple[_Grid, _Rows]:
    """Drop entities without a used row: they are no unit of inference."""
    active = rows.used.any(axis=1)
    kept = replace(
        grid,
        levels={name: values[active] for name, values in grid.levels.items()},
        columns={name: values[active] for name, values in grid.columns.items()},
        groups=pd.factorize(grid.groups[active])[0].astype("int64"),
    )
    return kept, replace(rows, values=rows.values[active], used=rows.used[active])


def _list_periods(grid: _Grid, options: _Options, used: Bools) -> Floats:
    """Lay out 0/1 columns of the used periods (T × P), or in a system the constant."""
    if grid.time_effects:
        periods: Floats = np.eye(used.shape[1])[:, used.any(axis=0)]
        return periods
    return np.ones((used.shape[1], int(options.system)))


def _widen(values: Floats, dummies: Floats, used: Bools) -> Floats:
    """Set the dummies between outcome and terms, and rows that are not used to 0."""
    repeated = np.broadcast_to(dummies, (len(values), *dummies.shape))
    wide = np.concatenate([values[:, :, :1], repeated, values[:, :, 1:]], axis=2)
    return np.where(used[:, :, None], wide, 0.0)


def _check_collinear(values: Floats, sizes: Floats, names: list[str], options: _Options) -> None:
    """Name the terms that those before them (and the effects) determine."""
    upper = np.linalg.qr(values / np.where(sizes > 0, sizes, 1), mode="r")
    left = np.zeros(len(names))
    left[: len(upper)] = np.abs(np.diag(upper))
    gone = [name for name, rest in zip(names, left, strict=True) if rest < _COLLINEAR]
    if gone:
        raise _refuse(
            options.where,
            f"nothing left of {', '.join(gone)} beside the effects and the other terms",
            "regressors that change within entities and do not determine one another",
            "Remove one of the collinear regressors, or lags that few periods cannot carry.",
        )


def _stack_instruments(grid: _Grid, rows: _Rows, options: _Options) -> Floats:
    """Stack the instruments (N × R × L), 0 where missing and in rows that are not used."""
    n_periods = len(rows.dummies)
    periods = [np.flatnonzero(block.any(axis=0)) for block in np.split(
        rows.used, rows.used.shape[1] // n_periods, axis=1
    )]  # fmt: skip
    wanted: list[_Instrument] = []
    for name, reach in options.gmm.items():
        if reach is not None:
            wanted += _list_lagged(grid.levels[name], reach, periods, options)
    for name in grid.exogenous:
        values = grid.columns[name]
        wanted.append(_Instrument(_difference(values), 0, 0, periods[0]))
        if options.system and options.exogenous_levels:
            wanted.append(_Instrument(values, 0, n_periods, periods[1]))
    last = n_periods if options.system else 0
    everywhere = np.ones_like(next(iter(grid.levels.values())))
    for dummy in rows.dummies.T:
        wanted.append(_Instrument(everywhere * dummy, 0, last, np.arange(n_periods)))
    return _fill(wanted, rows, options)


def _list_lagged(
    values: Floats, reach: Reach, periods: list[Codes], options: _Options
) -> list[_Instrument]:
    """List lagged levels for the differences, and in a system a difference for the levels."""
    first, last = reach
    pairs = [
        (t, k)
        for t in periods[0]
        for k in range(first, min(t if last is None else last, t) + 1)
    ]  # fmt: skip
    if options.collapse:
        depths = sorted({k for _, k in pairs})
        wanted = [_Instrument(values, k, 0, periods[0]) for k in depths]
    else:
        wanted = [_Instrument(values, k, 0, np.array([t])) for t, k in pairs]
    if options.system:
        change, n_periods = _difference(values), values.shape[1]
        sets = [periods[1]] if options.collapse else [np.array([t]) for t in periods[1]]
        wanted += [_Instrument(change, first - 1, n_periods, at) for at in sets]
    return wanted


def _fill(wanted: list[_Instrument], rows: _Rows, options: _Options) -> Floats:
    n_cells = rows.used.size * len(wanted)
    if n_cells > MOST_CELLS:
        raise _refuse(
            options.where,
            f"{len(wanted)} instruments on {rows.used.size:,} rows",
            f"at most {MOST_CELLS:,} cells of instruments",
            "Collapse the instruments or limit their lags in 'gmm'.",
        )
    filled = np.zeros((*rows.used.shape, len(wanted)))
    for column, item in enumerate(wanted):
        values = _lag(item.source, item.lag)[:, item.periods]
        at = item.row + item.periods
        filled[:, at, column] = np.where(rows.used[:, at], np.nan_to_num(values), 0.0)
    kept: Bools = np.any(filled, axis=(0, 1))
    if not kept.any():
        raise _refuse(
            options.where,
            "no instrument with a value other than 0",
            "instruments for the lagged outcome",
            "Begin with smaller lags in 'gmm', or pool more periods.",
        )
    return filled[:, :, kept]


def _sum_moments(rows: _Rows, instruments: Floats, grid: _Grid) -> _Moments:
    """Sum Z'y and Z'X within clusters, on an orthonormal basis of the instruments.

    With H = MM' and M'Z = USV', Z becomes ZVS⁺: Z'HZ is the identity, so that columns
    that repeat others fall out and large origins do not square the condition number.
    """
    n_periods = len(rows.dummies)
    half = instruments[:, :n_periods].copy()
    half[:, :-1] -= instruments[:, 1:n_periods]
    if rows.used.shape[1] > n_periods:
        half += instruments[:, n_periods:]
    flat = half.reshape(-1, half.shape[2])
    norms = np.linalg.norm(flat, axis=0)
    norms[norms == 0] = 1
    _, spread, axes = np.linalg.svd(np.linalg.qr(flat / norms, mode="r"), full_matrices=False)
    kept = spread > _SINGULAR * spread.max(initial=0)
    basis = (axes[kept].T / spread[kept]) / norms[:, None]
    by_entity = instruments.transpose(0, 2, 1) @ rows.values
    by_cluster = np.zeros((grid.groups.max() + 1, *by_entity.shape[1:]))
    np.add.at(by_cluster, grid.groups, by_entity)
    moments = basis.T @ by_cluster
    return _Moments(moments[:, :, 0], moments[:, :, 1:], instruments.shape[2])


def _check_clusters(moments: _Moments, rows: _Rows, options: _Options) -> None:
    count, needed = len(moments.outcome), len(rows.sizes)
    if count <= needed:
        raise _refuse(
            options.where,
            f"{count} entities (or clusters) for {needed} coefficients, effects of periods with them",
            "more entities (or clusters) than coefficients",
            "Use fewer lags, regressors or periods, or more entities.",
        )


def _solve(moments: _Moments, factor: Floats, options: _Options) -> _Step:
    """Solve min |factor'(Z'y − Z'X b)| with its parts for the inference."""
    outcome, regressors = moments.outcome.sum(axis=0), moments.regressors.sum(axis=0)
    left, spread, axes = np.linalg.svd(factor.T @ regressors, full_matrices=False)
    if len(spread) < regressors.shape[1] or spread[-1] <= _COLLINEAR * spread[0]:
        raise _refuse(
            options.where,
            f"{factor.shape[1]} independent instruments that do not tell "
            f"{regressors.shape[1]} coefficients apart",
            "at least as many instruments as coefficients, and related to the regressors",
            "Use fewer lags or regressors, or give more lags as instruments in 'gmm'.",
        )
    influence = (axes.T / spread) @ left.T @ factor.T
    coefficients = influence @ outcome
    return _Step(
        coefficients=coefficients,
        bread=(axes.T / spread**2) @ axes,
        influence=influence,
        weights=factor @ factor.T,
        rank=factor.shape[1],
        scores=moments.outcome - moments.regressors @ coefficients,
    )


def _square(scores: Floats) -> Floats:
    product: Floats = scores.T @ scores
    return product


def _invert_scores(first: _Step, moments: _Moments, options: _Options) -> Floats:
    """Factor the pseudo-inverse of Σ_g Z'ee'Z, the weights of the second step."""
    _, spread, axes = np.linalg.svd(first.scores, full_matrices=False)
    if spread[0] <= _COLLINEAR * np.linalg.norm(moments.outcome):
        raise _refuse(
            options.where,
            "an outcome that its lags and the regressors determine exactly",
            "errors to estimate from",
            "Look for an identity between the outcome and the regressors.",
        )
    kept = spread > _SINGULAR * spread[0]
    factor: Floats = axes[kept].T / spread[kept]
    return factor


def _correct(moments: _Moments, first: _Step, second: _Step, one_step: Floats) -> Floats:
    """Correct the two-step covariance for weights that were estimated (Windmeijer 2005)."""
    pull = second.weights @ second.scores.sum(axis=0)
    turn = np.einsum("clk,c->lk", moments.regressors, first.scores @ pull)
    turn += first.scores.T @ np.einsum("clk,l->ck", moments.regressors, pull)
    slope = second.influence @ turn
    drift = slope @ second.bread
    corrected: Floats = second.bread + drift + drift.T + slope @ one_step @ slope.T
    return corrected


def _test_hansen(second: _Step, moments: _Moments) -> Diagnostic:
    """Test overidentifying restrictions with two-step weights (Hansen 1982)."""
    n_moments, n_terms = moments.regressors.shape[1:]
    if n_moments == n_terms:
        return Diagnostic("hansen", reason="as many instruments as coefficients: nothing to test")
    if second.rank < n_moments:
        return Diagnostic("hansen", reason=_singular(second, moments))
    total = second.scores.sum(axis=0)
    value, df = float(total @ second.weights @ total), n_moments - n_terms
    return Diagnostic("hansen", value, float(stats.chi2.sf(value, df)), df)


def _test_sargan(first: _Step, moments: _Moments, rows: _Rows, options: _Options) -> Diagnostic:
    """Test overidentifying restrictions with one-step weights (Sargan 1958)."""
    if options.system:
        why = "the one-step weights of a system are not efficient even with equal variances"
        return Diagnostic("sargan", reason=f"{why}: read hansen")
    df = moments.regressors.shape[1] - moments.regressors.shape[2]
    if df == 0:
        return Diagnostic("sargan", reason="as many instruments as coefficients: nothing to test")
    spare = int(rows.used.sum()) - len(rows.sizes)
    variance = float((_residuals(first, rows) ** 2).sum()) / spare / 2
    value = float((first.scores.sum(axis=0) ** 2).sum()) / variance
    return Diagnostic("sargan", value, float(stats.chi2.sf(value, df)), df)


def _residuals(step: _Step, rows: _Rows) -> Floats:
    residuals: Floats = rows.values[:, :, 0] - rows.values[:, :, 1:] @ step.coefficients
    return residuals


def _test_autocorrelation(
    order: int, step: _Step, covariance: Floats, rows: _Rows, grid: _Grid
) -> Diagnostic:
    """Test the differenced errors for autocorrelation (Arellano and Bond 1991, eq. 8)."""
    n_periods = len(rows.dummies)
    errors = _residuals(step, rows)[:, :n_periods]
    before = np.nan_to_num(_lag(errors, order))
    used = rows.used[:, :n_periods]
    if not (used[:, order:] & used[:, : n_periods - order]).any():
        return Diagnostic(f"ar{order}", reason="too few periods in a row")
    products = np.bincount(grid.groups, (before * errors).sum(axis=1))
    slope = np.einsum("nt,ntk->k", before, rows.values[:, :n_periods, 1:])
    cross = slope @ step.influence @ (step.scores.T @ products)
    variance = float(products @ products - 2 * cross + slope @ covariance @ slope)
    if variance <= 0:
        return Diagnostic(f"ar{order}", reason="its estimated variance is not positive")
    value = float(products.sum() / np.sqrt(variance))
    return Diagnostic(f"ar{order}", value, float(2 * stats.norm.sf(abs(value))))


def _singular(second: _Step, moments: _Moments) -> str:
    return (
        f"the weight matrix of {moments.regressors.shape[1]} instruments has rank {second.rank} "
        f"with {len(moments.outcome)} entities (or clusters), and a pseudo-inverse took its place"
    )


def _count(second: _Step, moments: _Moments, grid: _Grid) -> tuple[Diagnostic, ...]:
    """Count instruments, the rank of their weights, and what inference rests on."""
    n_clusters, n_entities = len(moments.outcome), len(grid.groups)
    many = (
        f"{moments.n_instruments} instruments for {n_clusters} entities (or clusters): the "
        f"coefficients lean to those without instruments, and Hansen's test cannot reject; "
        f"collapse them or limit their lags"
    )
    few = f"fewer than {FEW_ENTITIES} entities (or clusters): normal inference is too sure"
    n_kept = moments.regressors.shape[1]
    n_left = moments.n_instruments - n_kept
    repeated = f"{n_left} of {moments.n_instruments} instruments repeat others and were left out"
    singular = _singular(second, moments) if second.rank < n_kept else ""
    return (
        Diagnostic(
            "n_instruments",
            moments.n_instruments,
            reason=many if moments.n_instruments > n_clusters else "",
        ),
        Diagnostic("weight_matrix", second.rank, reason=singular or (repeated if n_left else "")),
        Diagnostic("n_entities", n_entities, reason=few if n_clusters < FEW_ENTITIES else ""),
    )


def _report(
    step: _Step,
    covariance: Floats,
    rows: _Rows,
    grid: _Grid,
    diagnostics: tuple[Diagnostic, ...],
    options: _Options,
) -> Estimates:
    """Undo the scaling, and leave out what is absorbed."""
    n_periods, n_absorbed = rows.dummies.shape
    counted = rows.used[:, n_periods:] if options.system else rows.used
    scaled = covariance / np.outer(rows.sizes, rows.sizes)
    return Estimates(
        terms=tuple(grid.columns),
        coefficients=(step.coefficients / rows.sizes)[n_absorbed:],
        covariance=scaled[n_absorbed:, n_absorbed:],
        df=np.inf,
        nobs=int(counted.sum()),
        n_clusters=len(step.scores),
        cov_type="robust" if options.steps == 1 else "windmeijer",
        small_sample="normal" if options.steps == 1 else "normal, Windmeijer (2005)",
        diagnostics=diagnostics,
    )
