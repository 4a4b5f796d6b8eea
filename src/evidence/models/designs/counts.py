"""Outcomes that are counts or fractions: Poisson and fractional logit responses.

Both are pseudo-maximum likelihood: only the conditional mean has to be right, and the
errors are clustered (Gourieroux, Monfort and Trognon 1984).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import optimize, sparse, special, stats
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM

from evidence.errors import ModelError
from evidence.models.design import Codes, Design, Diagnostic, Estimates, Floats
from evidence.models.kernel.absorb import Effects, absorb
from evidence.models.kernel.conventions import is_nested
from evidence.models.kernel.solve import NO_CHANGE

SmallSample = Literal["fixest", "none"]
Scale = Literal["coefficient", "partial"]
Bools = npt.NDArray[np.bool_]

_NEAR_COLLINEAR = 1e-7
_SEPARATED = 1e-6
_SOLVED = 1e-8
_STILL = 1e-10
_MOST_STEPS = 100
_MOST_HALVINGS = 20


@dataclass(frozen=True, slots=True)
class _Sample:
    """Rows as plain arrays; ``columns`` are centred and divided by ``scales``."""

    outcome: Floats
    columns: Floats
    scales: Floats
    codes: Codes
    clusters: Codes | None
    offset: Floats
    names: tuple[str, ...]
    where: str


@dataclass(frozen=True, slots=True)
class _Kept:
    """The rows that say something, and why others do not."""

    sample: _Sample
    separated: int
    singletons: int


def estimate_poisson(
    design: Design,
    *,
    exposure_offset: pd.Series | None = None,
    small_sample: SmallSample = "fixest",
) -> Estimates:
    """Estimate a Poisson regression by pseudo-maximum likelihood, effects absorbed.

    E[y | x, effects] = exp(offset + x'β + effects), by iteratively reweighted least
    squares in which the effects are taken out of every column (Correia, Guimarães and
    Zylkin 2020). Dropped first, by turns, are
    rows that say nothing about β: of groups whose outcome is always zero, of groups of
    a single row, and those that effects together separate (Correia, Guimarães and
    Zylkin 2019).

    Parameters
    ----------
    design : Design
        ``outcome`` zero or positive, not necessarily whole; ``effects`` any number of
        columns, none for a constant alone. Without ``clusters`` the errors are those of
        maximum likelihood, which hold only where the variance equals the mean.
    exposure_offset : Series, optional
        Natural logarithm of what the count is exposed to (n,); its coefficient is 1.
    small_sample : {"fixest", "none"}
        G/(G−1)·(n−1)/(n−k), effects nested in clusters not counted, or 1.

    Returns
    -------
    Estimates
        Log rate ratios with t(G−1); ``nobs`` counts the rows kept. Diagnostics
        ``separated`` and ``singletons`` (rows dropped) and ``first_order``, the largest
        relative violation of the first-order conditions: the likelihood is concave, so
        that it proves the maximum.

    Raises
    ------
    ModelError
        Where values are missing, infinite or negative, the outcome is zero throughout,
        a regressor is collinear, absorbed or has an infinite coefficient, there are
        fewer than two clusters, or the maximum is not reached.
    """
    sample = _read(design, exposure_offset)
    _check_counts(sample)
    kept = _drop_uninformative(sample)
    sample = kept.sample
    _refuse_absorbed(sample)
    beta, mean, columns = _reweight(sample)
    bread = np.asarray(np.linalg.inv(columns.T @ (columns * mean[:, None])), dtype=np.float64)
    scores = columns * (sample.outcome - mean)[:, None]
    found = [
        Diagnostic("separated", value=float(kept.separated)),
        Diagnostic("singletons", value=float(kept.singletons)),
        Diagnostic("first_order", value=_check_first_order(sample, columns, mean)),
    ]
    covariance = bread
    if sample.clusters is not None:
        k = _count_parameters(sample, len(sample.names))
        covariance = sandwich(bread, scores, sample.clusters, _factor(sample, k, small_sample))
        alone = _carried_alone(columns**2 * mean[:, None], sample.clusters)
        covariance[alone, :] = covariance[:, alone] = np.nan
        found += [
            Diagnostic("single_cluster", reason=f"{sample.names[j]} rests on a single cluster")
            for j in np.flatnonzero(alone)
        ]
    return Estimates(
        terms=sample.names,
        coefficients=beta / sample.scales,
        covariance=covariance / np.outer(sample.scales, sample.scales),
        diagnostics=tuple(found),
        **_conventions(sample, small_sample),
    )


def estimate_fractional(
    design: Design,
    *,
    mundlak: bool = False,
    scale: Scale = "coefficient",
    small_sample: SmallSample = "fixest",
) -> Estimates:
    """Estimate a logit response of a fraction (Papke and Wooldridge 1996).

    E[y | x] = Λ(x'β), by Bernoulli pseudo-maximum likelihood. ``effects`` enter as
    dummies. Effects of entities would make the estimates inconsistent: with ``mundlak``
    the entity's means of the regressors and dummies take their place (correlated random
    effects, Papke and Wooldridge 2008). The entity is the first level of the
    index. Means that only repeat other columns are left out.

    Parameters
    ----------
    design : Design
        ``outcome`` between 0 and 1. Without ``clusters`` the errors allow for any
        variance, row by row (HC1): a fraction has no unadjusted ones.
    mundlak : bool
        Add the entity's means.
    scale : {"coefficient", "partial"}
        Log odds; or average partial effects: the mean over the rows of the derivative,
        or of the difference for a regressor that is 0 or 1, in units of the outcome.
        Errors by the delta method, regressors held as observed.
    small_sample : {"fixest", "none"}
        G/(G−1)·(n−1)/(n−k), effects nested in clusters not counted, or 1.

    Returns
    -------
    Estimates
        A term each regressor, t(G−1). Diagnostics ``first_order`` (as of
        ``estimate_poisson``) and, with ``mundlak``, ``entity_means``: the F test that
        none of the means matters.

    Raises
    ------
    ModelError
        Where values are missing or outside [0, 1], columns separate the zeros or the
        ones or are collinear, an effect is one of entities, or there are fewer than two
        clusters.
    """
    sample = _read(design, None)
    _check_fractions(sample)
    sample, wide = _widen(design, sample, mundlak=mundlak)
    refuse_collinear(wide.to_numpy(), list(wide.columns), sample.where)
    _refuse_separated(sample, wide)
    theta, first_order = _fit_logit(sample, wide)
    columns = wide.to_numpy()
    mean = special.expit(columns @ theta)
    bread: Floats = np.linalg.inv(columns.T @ (columns * (mean * (1 - mean))[:, None]))
    scores = columns * (sample.outcome - mean)[:, None]
    units = np.arange(len(columns)) if sample.clusters is None else sample.clusters
    n_means = sum(name.startswith("mean of ") for name in wide.columns)
    k = _count_parameters(sample, len(sample.names) + n_means)
    factor = _factor(replace(sample, clusters=units), k, small_sample)
    covariance = sandwich(bread, scores, units, factor)
    conventions = _conventions(sample, small_sample)
    if sample.clusters is None:
        robust = {"cov_type": "HC1", "small_sample": small_sample, "df": float(len(columns) - k)}
        conventions = conventions | robust
    found = [Diagnostic("first_order", value=first_order)]
    if mundlak:
        found.append(_test_means(theta, covariance, list(wide.columns), conventions["df"]))
    values, jacobian = _on_scale(design, sample, columns, theta, scale)
    return Estimates(
        terms=sample.names,
        coefficients=values,
        covariance=jacobian @ covariance @ jacobian.T,
        diagnostics=tuple(found),
        **conventions,
    )


def find_separated(tied: Any, free: Any, where: str) -> tuple[Bools, Floats]:
    """Find the rows that some direction pushes to the edge at no cost to any other.

    γ separates where tied·γ = 0, free·γ ≥ 0 and some row of free·γ is positive: the
    likelihood rises along γ for ever, and has no maximum (Correia, Guimarães and Zylkin
    2019). A linear programme finds all such rows.

    Parameters
    ----------
    tied, free : csr_array
        Rows × p, columns of like size: rows that must not move, and rows that may move
        one way.
    where : str
        Opens the error message.

    Returns
    -------
    tuple
        Which rows of ``free`` are separated, and the direction (p,), zero if none.

    Raises
    ------
    ModelError
        Where the programme finds no answer.
    """
    separated = np.zeros(free.shape[0], dtype=bool)
    direction = np.zeros(free.shape[1])
    while not separated.all():
        found = _push(tied, free, separated, where)
        new = (free @ found > _SEPARATED) & ~separated
        if not new.any():
            break
        separated |= new
        direction = direction + found
    return separated, direction


def name_separating(
    tied: Any, free: Any, direction: Floats, names: list[str], where: str
) -> tuple[str, ...]:
    """Name the columns without which nothing is separated, or all that take part.

    ``names`` are those of the first columns; the rest (effects, baselines) have none.
    """
    size = np.abs(direction)
    taking_part = [j for j in range(len(names)) if size[j] > _SEPARATED * size.max()]
    needed = []
    for j in taking_part:
        others = np.delete(np.arange(free.shape[1]), j)
        if not find_separated(tied[:, others], free[:, others], where)[0].any():
            needed.append(j)
    return tuple(names[j] for j in needed or taking_part)


def sandwich(bread: Floats, scores: Floats, clusters: Codes, factor: float) -> Floats:
    """Compute factor·B(Σ s_g s_g')B, where s_g are sums of scores (n × p) over a cluster."""
    sums = _incidence(clusters[:, None], len(clusters)).T @ scores
    covariance: Floats = factor * bread @ (sums.T @ sums) @ bread
    return covariance


def _push(tied: Any, free: Any, separated: Bools, where: str) -> Floats:
    """Maximise the sum of free·γ over rows not yet known to be separated, each at most 1."""
    rows = sparse.vstack([tied, free]).tocsr()
    high = np.concatenate([np.zeros(tied.shape[0]), np.where(separated, np.inf, 1.0)])
    solution = optimize.milp(
        -np.asarray(free[~separated].sum(axis=0)).ravel(),
        constraints=optimize.LinearConstraint(rows, np.zeros(rows.shape[0]), high),
        bounds=optimize.Bounds(-np.inf, np.inf),
    )
    if solution.x is None:
        raise ModelError(
            where,
            seen=f"no answer to whether a maximum exists ({solution.message})",
            expected="a linear programme that ends",
            do="Express the regressors in units that bring them near one.",
        )
    direction: Floats = np.asarray(solution.x)
    return direction


def _read(design: Design, exposure_offset: pd.Series | None) -> _Sample:
    """Check what every estimate here needs; centre and scale the regressors."""
    index, where = design.outcome.index, design.where
    parts = [design.regressors, design.effects, design.clusters, exposure_offset]
    if any(part is not None and not part.index.equals(index) for part in parts):
        raise ModelError(
            where,
            seen="outcome, regressors, effects, clusters or offset with different rows",
            expected="the same rows in the same order",
            do="Take all of them from one table.",
        )
    names = tuple(str(name) for name in design.regressors.columns)
    if not names or len(set(names)) < len(names) or index.empty:
        raise ModelError(
            where,
            seen=f"{len(index)} rows and regressors {', '.join(names) or '(none)'}",
            expected="at least one row and one regressor, each with a name of its own",
            do="Look at the specification and at the sample.",
        )
    outcome = _to_floats(design.outcome.to_frame(str(design.outcome.name)), where)[:, 0]
    values = _to_floats(design.regressors, where)
    centred = values - values.mean(axis=0)
    scales = centred.std(axis=0)
    _refuse_constant(scales, np.abs(values).max(axis=0), names, where)
    offset = np.zeros(len(index))
    if exposure_offset is not None:
        offset = _to_floats(exposure_offset.to_frame("exposure_offset"), where)[:, 0]
    return _Sample(
        outcome=outcome,
        columns=centred / scales,
        scales=scales,
        codes=_encode(design.effects, where),
        clusters=_encode_clusters(design.clusters, where),
        offset=offset,
        names=names,
        where=where,
    )


def _to_floats(frame: pd.DataFrame, where: str) -> Floats:
    bad = []
    arrays = []
    for position, name in enumerate(frame.columns):
        try:
            values = frame.iloc[:, position].to_numpy(dtype="float64", na_value=np.nan)
        except (TypeError, ValueError):
            values = np.array([np.nan])
        if not np.isfinite(values).all():
            bad.append(str(name))
        arrays.append(values)
    if bad:
        raise ModelError(
            where,
            seen=f"missing, infinite or text values in {', '.join(bad)}",
            expected="finite numbers in every row",
            do="Select the rows that have them, or correct the raw file.",
        )
    return np.column_stack(arrays)


def _refuse_constant(scales: Floats, largest: Floats, names: tuple[str, ...], where: str) -> None:
    constant = scales <= np.finfo(float).eps * 10 * largest
    if constant.any():
        raise ModelError(
            where,
            seen=f"{_join(names, constant)} with one and the same value in every row",
            expected="regressors that vary",
            do="Take it out, or widen the sample.",
        )


def _encode(effects: pd.DataFrame, where: str) -> Codes:
    if effects.isna().to_numpy().any():
        missing = effects.columns[effects.isna().any()]
        raise ModelError(
            where,
            seen=f"rows without {', '.join(str(name) for name in missing)}",
            expected="every row in a group of each effect",
            do="Complete the column in the raw file, or leave the rows out.",
        )
    codes = [pd.factorize(effects.iloc[:, j])[0] for j in range(effects.shape[1])]
    return np.column_stack(codes) if codes else np.empty((len(effects), 0), dtype=np.int64)


def _encode_clusters(clusters: pd.Series | None, where: str) -> Codes | None:
    if clusters is None:
        return None
    if clusters.isna().any():
        raise ModelError(
            where,
            seen=f"{int(clusters.isna().sum())} rows without a cluster",
            expected="a cluster for every row",
            do="Complete the column in the raw file, or cluster at another level.",
        )
    return pd.factorize(clusters)[0]


def _check_clusters(sample: _Sample) -> None:
    if sample.clusters is not None and len(np.unique(sample.clusters)) < 2:
        raise ModelError(
            sample.where,
            seen=f"{len(np.unique(sample.clusters))} cluster among {len(sample.outcome)} rows",
            expected="at least two clusters",
            do="Cluster at a finer level if the design allows it, or widen the sample.",
        )


def _check_counts(sample: _Sample) -> None:
    if sample.outcome.min() < 0 or sample.outcome.max() == 0:
        raise ModelError(
            sample.where,
            seen=f"an outcome from {sample.outcome.min() + 0.0:g} to {sample.outcome.max() + 0.0:g}",
            expected="values of zero or more, and at least one above zero",
            do="Look at the raw file for codes of missing values, or choose another outcome.",
        )


def _check_fractions(sample: _Sample) -> None:
    low, high = float(sample.outcome.min()), float(sample.outcome.max())
    if low < 0 or high > 1:
        raise ModelError(
            sample.where,
            seen=f"an outcome from {low:g} to {high:g}",
            expected="fractions between 0 and 1",
            do="Divide a percentage by 100; look at the raw file for codes of missing values.",
        )
    if low == high:
        raise ModelError(
            sample.where,
            seen=f"an outcome of {low:g} in every row",
            expected="an outcome that varies",
            do="Look at the raw file, or choose another outcome.",
        )
    _check_clusters(sample)


def _drop_uninformative(sample: _Sample) -> _Kept:
    """Drop by turns groups of zeros, groups of one row and rows that are separated."""
    kept = _Kept(sample, 0, 0)
    while True:
        before = len(kept.sample.outcome)
        kept = _drop_separated(_drop_groups(kept))
        if len(kept.sample.outcome) == before:
            _check_clusters(kept.sample)
            return kept


def _drop_groups(kept: _Kept) -> _Kept:
    """Drop groups of one row and groups of zeros until none is left."""
    while True:
        sample = kept.sample
        alone = np.zeros(len(sample.outcome), dtype=bool)
        zero = alone.copy()
        for code in sample.codes.T:
            alone |= np.bincount(code)[code] == 1
            zero |= np.bincount(code, sample.outcome)[code] == 0
        if not (alone | zero).any():
            return kept
        kept = replace(
            kept,
            sample=_restrict(sample, ~(alone | zero)),
            separated=kept.separated + int(zero.sum()),
            singletons=kept.singletons + int((alone & ~zero).sum()),
        )


def _drop_separated(kept: _Kept) -> _Kept:
    """Drop rows that effects separate, and refuse regressors that do.

    On the rows that would be left, what separates is zero: such a regressor repeats
    others there, and its coefficient is infinite.
    """
    sample = kept.sample
    effects = _incidence(sample.codes, len(sample.outcome))
    rows = sparse.hstack([sparse.csr_array(sample.columns), effects]).tocsr()
    positive = sample.outcome > 0
    tied, free = rows[positive], -rows[~positive]
    separated, direction = find_separated(tied, free, sample.where)
    if not separated.any():
        return kept
    guilty = name_separating(tied, free, direction, list(sample.names), sample.where)
    if guilty:
        raise ModelError(
            sample.where,
            seen=f"an outcome of zero wherever {', '.join(guilty)} varies within the effects",
            expected="outcomes above zero on both sides of every comparison",
            do="Take it out or widen the sample: its coefficient would be infinite.",
        )
    keep = np.ones(len(positive), dtype=bool)
    keep[np.flatnonzero(~positive)[separated]] = False
    return replace(
        kept,
        sample=_restrict(sample, keep),
        separated=kept.separated + int(separated.sum()),
    )


def _restrict(sample: _Sample, keep: Bools) -> _Sample:
    if not keep.any():
        raise ModelError(
            sample.where,
            seen="no row left: every group has a single row or an outcome of zero throughout",
            expected="groups of several rows with some outcome above zero",
            do="Take coarser effects, or widen the sample.",
        )
    codes = [np.unique(code[keep], return_inverse=True)[1] for code in sample.codes.T]
    clusters = sample.clusters
    if clusters is not None:
        clusters = np.unique(clusters[keep], return_inverse=True)[1]
    return replace(
        sample,
        outcome=sample.outcome[keep],
        columns=sample.columns[keep],
        offset=sample.offset[keep],
        codes=np.column_stack(codes) if codes else sample.codes[keep],
        clusters=clusters,
    )


def _incidence(codes: Codes, n: int) -> Any:
    """Build the sparse dummies (n × levels) of all effects; a constant where none is."""
    every = codes if codes.shape[1] else np.zeros((n, 1), dtype=np.int64)
    parts = [sparse.csr_array((np.ones(n), (np.arange(n), code))) for code in every.T]
    return sparse.hstack(parts).tocsr()


def _effects(sample: _Sample) -> Effects:
    codes = tuple(sample.codes.T)
    names = tuple(f"effect {j + 1}" for j in range(len(codes)))
    return Effects(names, codes, tuple(int(code.max()) + 1 for code in codes))


def _refuse_absorbed(sample: _Sample) -> None:
    """Refuse regressors of which the effects, or the other regressors, leave nothing."""
    centred = sample.columns - sample.columns.mean(axis=0)
    spread = (centred**2).sum(axis=0)
    left = absorb(centred, _effects(sample), where=sample.where)
    gone = (left**2).sum(axis=0) <= NO_CHANGE * np.maximum(spread, np.finfo(float).tiny)
    if gone.any():
        raise ModelError(
            sample.where,
            seen=f"{_join(sample.names, gone)}, of which nothing is left once the effects are out",
            expected="regressors that vary within the effects",
            do="Take it out, or take coarser effects.",
        )
    refuse_collinear(left, list(sample.names), sample.where)


def _find_collinear(columns: Floats) -> Bools:
    """Mark the columns that take part in an exact linear combination; all of size about one."""
    size = np.sqrt((columns**2).sum(axis=0))
    nothing = size <= _NEAR_COLLINEAR * np.sqrt(len(columns))
    scaled = np.where(nothing, 0.0, columns / np.where(nothing, 1.0, size))
    _, values, turns = np.linalg.svd(scaled, full_matrices=False)
    null = turns[values <= _NEAR_COLLINEAR * values[0]]
    if len(columns) < columns.shape[1]:
        return np.ones(columns.shape[1], dtype=bool)
    marked: Bools = (np.abs(null) > np.sqrt(_NEAR_COLLINEAR)).any(axis=0)
    return marked


def refuse_collinear(columns: Floats, names: list[str], where: str) -> None:
    """Refuse columns (n × K) of which some are a linear combination of others.

    Raises
    ------
    ModelError
        With the names of all that take part.
    """
    collinear = _find_collinear(columns)
    if collinear.any():
        what = "which repeat each other" if collinear.sum() > 1 else "which does not vary by itself"
        raise ModelError(
            where,
            seen=f"{_join(names, collinear)}, {what} in {len(columns)} rows",
            expected="more rows than regressors, and none a combination of others",
            do="Take one of them out, or widen the sample.",
        )


def _join(names: tuple[str, ...] | list[str], chosen: Bools) -> str:
    return ", ".join(name for name, use in zip(names, chosen, strict=True) if use)


def _reweight(sample: _Sample) -> tuple[Floats, Floats, Floats]:
    """Repeat weighted least squares until the linear predictor stands still.

    Returns coefficients (K,), means (n,) and regressors without effects (n × K).
    """
    outcome, columns, offset = sample.outcome, sample.columns, sample.offset
    effects = _effects(sample)
    mean = (outcome + outcome.mean()) / 2
    predictor, deviance = np.log(mean), np.inf
    for _ in range(_MOST_STEPS):
        working = predictor - offset + (outcome - mean) / mean
        both = absorb(
            np.column_stack([working, columns]), effects, weights=mean, where=sample.where
        )
        left, within = both[:, 0], both[:, 1:]
        root = np.sqrt(mean)
        beta = np.linalg.lstsq(within * root[:, None], left * root)[0]
        aim = offset + working - (left - within @ beta)
        after = _step(predictor, aim, outcome, deviance)
        still = np.abs(after - predictor).max() < _STILL * max(1.0, np.abs(after).max())
        predictor, deviance = after, _deviance(outcome, after)
        mean = np.maximum(np.exp(predictor), np.finfo(float).tiny)
        if still:
            return beta, mean, within
    raise ModelError(
        sample.where,
        seen=f"a linear predictor that still moves after {_MOST_STEPS} steps",
        expected="a maximum of the likelihood",
        do="Look for extreme values of the outcome, the regressors or the offset.",
    )


def _step(before: Floats, aim: Floats, outcome: Floats, deviance: float) -> Floats:
    """Go towards ``aim``, half as far as long as the deviance rises.

    The start is no linear predictor of the model and fits better than any: there the
    deviance to beat is infinite.
    """
    reach = aim - before
    for _ in range(_MOST_HALVINGS):
        if _deviance(outcome, before + reach) <= deviance * (1 + _STILL) + _STILL:
            break
        reach = reach / 2
    return before + reach


def _deviance(outcome: Floats, predictor: Floats) -> float:
    with np.errstate(over="ignore"):
        return 2 * float(special.kl_div(outcome, np.exp(predictor)).sum())


def _check_first_order(sample: _Sample, columns: Floats, mean: Floats) -> float:
    """Measure the first-order conditions: residuals sum to zero along every column."""
    effects = _incidence(sample.codes, len(mean))
    residual, size = sample.outcome - mean, sample.outcome + mean
    groups = np.abs(effects.T @ residual) / (effects.T @ size)
    slopes = np.abs(columns.T @ residual) / (np.abs(columns).T @ size)
    return refuse_unsolved(float(max(groups.max(), slopes.max())), sample.where)


def refuse_unsolved(violation: float, where: str) -> float:
    """Refuse coefficients that violate the first-order conditions; give the violation back.

    Raises
    ------
    ModelError
        Where the violation is above 1e-8 of the size of the terms, or no number.
    """
    if not violation <= _SOLVED:
        raise ModelError(
            where,
            seen=f"first-order conditions violated by {violation:.1e} of their size",
            expected=f"at most {_SOLVED:.0e}, as at a maximum",
            do="Look for extreme values of the outcome or the regressors.",
        )
    return violation


def _count_parameters(sample: _Sample, n_columns: int) -> int:
    """Count columns, the constant and the effects that are not nested in clusters."""
    counted = n_columns + 1
    for code in sample.codes.T:
        levels = int(code.max()) + 1
        if sample.clusters is None or not is_nested(code, levels, sample.clusters):
            counted += levels - 1
    return counted


def _factor(sample: _Sample, k: int, small_sample: SmallSample) -> float:
    if small_sample == "none":
        return 1.0
    assert sample.clusters is not None
    n, groups = len(sample.outcome), int(sample.clusters.max()) + 1
    if n <= k:
        raise ModelError(
            sample.where,
            seen=f"{n} rows for {k} coefficients and effects",
            expected="more rows than coefficients",
            do="Take fewer regressors or coarser effects, or widen the sample.",
        )
    return groups / (groups - 1) * (n - 1) / (n - k)


def _carried_alone(weight: Floats, clusters: Codes) -> Bools:
    """Mark the columns (of squares, n × K) that come from one cluster alone."""
    sums = _incidence(clusters[:, None], len(clusters)).T @ weight
    alone: Bools = sums.max(axis=0) >= (1 - NO_CHANGE) * sums.sum(axis=0)
    return alone


def _conventions(sample: _Sample, small_sample: SmallSample) -> dict[str, Any]:
    nobs = len(sample.outcome)
    if sample.clusters is None:
        unadjusted = {"cov_type": "unadjusted", "small_sample": "none"}
        return unadjusted | {"nobs": nobs, "n_clusters": None, "df": np.inf}
    groups = int(sample.clusters.max()) + 1
    named = {"cov_type": "CR1", "small_sample": small_sample}
    return named | {"nobs": nobs, "n_clusters": groups, "df": float(groups - 1)}


def _widen(design: Design, sample: _Sample, *, mundlak: bool) -> tuple[_Sample, pd.DataFrame]:
    """Lay out constant, regressors, dummies of effects and means, all but the first centred."""
    entity = pd.factorize(design.outcome.index.get_level_values(0))[0]
    own = np.array([is_nested(code, int(code.max()) + 1, entity) for code in sample.codes.T], bool)
    labels = [str(name) for name in design.effects.columns]
    if own.any() and not mundlak:
        raise ModelError(
            sample.where,
            seen=f"effects of entities ({_join(labels, own)})",
            expected="effects of periods or other large groups: with one of each entity the "
            "estimates of a logit are inconsistent",
            do="Ask for mundlak=True: the entity's means take the place of its effect.",
        )
    wide = pd.DataFrame(sample.columns, columns=list(sample.names))
    wide.insert(0, "(constant)", 1.0)
    for name in (name for name, goes in zip(labels, own, strict=True) if not goes):
        levels = design.effects.iloc[:, labels.index(name)].astype(str).to_numpy()
        dummies = pd.get_dummies(levels, prefix=name, prefix_sep="=", drop_first=True, dtype=float)
        wide = wide.join(dummies - dummies.mean())
    if mundlak:
        wide = _add_means(wide, entity, sample.where)
    return replace(sample, codes=sample.codes[:, ~own]), wide


def _add_means(wide: pd.DataFrame, entity: Codes, where: str) -> pd.DataFrame:
    """Add the entity's means of all columns that do not repeat what is there."""
    if len(np.unique(entity)) == len(entity):
        raise ModelError(
            where,
            seen="every entity in a single row",
            expected="entities seen several times, whose means differ from their values",
            do="Leave mundlak out, or widen the sample.",
        )
    means = wide.iloc[:, 1:].groupby(entity).transform("mean")
    for name in means.columns:
        column = means[name].to_numpy()
        present = wide.to_numpy()
        left = column - present @ np.linalg.lstsq(present, column)[0]
        if left @ left > NO_CHANGE * max(column @ column, np.finfo(float).tiny):
            wide = wide.assign(**{f"mean of {name}": column})
    return wide


def _refuse_separated(sample: _Sample, wide: pd.DataFrame) -> None:
    """Refuse columns that tell zeros or ones from the other outcomes without fail."""
    columns = sparse.csr_array(wide.to_numpy())
    inside = (sample.outcome > 0) & (sample.outcome < 1)
    sign = np.where(sample.outcome[~inside] == 0, -1.0, 1.0)
    tied, free = columns[inside], (sparse.diags_array(sign) @ columns[~inside]).tocsr()
    separated, direction = find_separated(tied, free, sample.where)
    if separated.any():
        order = np.roll(np.arange(wide.shape[1]), -1)
        names = list(wide.columns[1:])
        guilty = name_separating(
            tied[:, order], free[:, order], direction[order], names, sample.where
        )
        raise ModelError(
            sample.where,
            seen=f"{int(separated.sum())} outcomes of 0 or 1 that {', '.join(guilty)} tells "
            "without fail (separation)",
            expected="outcomes that no combination of regressors tells without fail",
            do="Take it out, or widen the sample: its coefficient would be infinite.",
        )


def _fit_logit(sample: _Sample, wide: pd.DataFrame) -> tuple[Floats, float]:
    """Maximise the Bernoulli likelihood on orthonormal columns, and check the maximum."""
    columns = wide.to_numpy()
    root = np.sqrt(len(columns))
    orthonormal, triangle = np.linalg.qr(columns)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = GLM(sample.outcome, orthonormal * root, family=Binomial())
        result = model.fit(maxiter=_MOST_STEPS, tol=1e-13, tol_criterion="params")
    theta: Floats = np.linalg.solve(triangle, result.params * root)
    mean = special.expit(columns @ theta)
    slopes = columns.T @ (sample.outcome - mean)
    size = np.abs(columns).T @ (sample.outcome + mean)
    return theta, refuse_unsolved(float(np.max(np.abs(slopes) / size)), sample.where)


def _test_means(theta: Floats, covariance: Floats, names: list[str], df: float) -> Diagnostic:
    chosen = [j for j, name in enumerate(names) if name.startswith("mean of ")]
    if not chosen or len(chosen) > df:
        reason = f"{len(chosen)} means cannot be tested jointly with {df:g} degrees of freedom"
        return Diagnostic("entity_means", reason=reason)
    part = theta[chosen]
    value = float(part @ np.linalg.solve(covariance[np.ix_(chosen, chosen)], part)) / len(chosen)
    p_value = float(stats.f.sf(value, len(chosen), df))
    return Diagnostic("entity_means", value=value, p_value=p_value, df=float(len(chosen)))


def _on_scale(
    design: Design, sample: _Sample, columns: Floats, theta: Floats, scale: Scale
) -> tuple[Floats, Floats]:
    """Give the terms on the scale asked for, and their derivative by ``theta`` (K × p)."""
    n_terms = len(sample.names)
    if scale == "coefficient":
        jacobian = np.eye(len(theta))[1 : n_terms + 1] / sample.scales[:, None]
        return jacobian @ theta, jacobian
    parts = []
    for j in range(n_terms):
        values = design.regressors.iloc[:, j].to_numpy(dtype="float64")
        binary = bool(np.isin(values, (0.0, 1.0)).all())
        effect = _difference if binary else _derivative
        parts.append(effect(columns, theta, j + 1, float(sample.scales[j])))
    return np.array([value for value, _ in parts]), np.array([slope for _, slope in parts])


def _derivative(columns: Floats, theta: Floats, j: int, scale: float) -> tuple[float, Floats]:
    mean = special.expit(columns @ theta)
    slope = mean * (1 - mean)
    gradient = (columns * (slope * (1 - 2 * mean))[:, None]).mean(axis=0) * theta[j]
    gradient[j] += slope.mean()
    return float(slope.mean() * theta[j] / scale), gradient / scale


def _difference(columns: Floats, theta: Floats, j: int, _scale: float) -> tuple[float, Floats]:
    value, gradient = 0.0, np.zeros(len(theta))
    for sign, level in ((1, columns[:, j].max()), (-1, columns[:, j].min())):
        held = columns.copy()
        held[:, j] = level
        mean = special.expit(held @ theta)
        value += sign * float(mean.mean())
        gradient += sign * (held * (mean * (1 - mean))[:, None]).mean(axis=0)
    return value, gradient
