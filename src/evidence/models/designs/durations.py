"""Durations until a remedy: proportional hazards of exact and of interval-censored spells.

An end that two assessments bracket is known only up to an interval (lower, upper]; a
finding that is still there at the last assessment is right-censored (upper infinite).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize, sparse, stats
from statsmodels.duration.hazard_regression import PHReg

from evidence.errors import ModelError
from evidence.models.design import Codes, Diagnostic, Estimates, Floats
from evidence.models.designs.counts import (
    Bools,
    find_separated,
    name_separating,
    refuse_collinear,
    refuse_unsolved,
    sandwich,
)

_CONSTANT = 10 * np.finfo(float).eps
_STILL = 1e-10
_NO_MASS = 1e-12
_SINGULAR = 1e-10
_MOST_POLISH = 10
_MOST_STEPS = 200
_MOST_HALVINGS = 40
_GAP = 1e-7
_MOST_ROUNDS = 500


@dataclass(frozen=True, slots=True)
class Spells:
    """Spells until an event, aligned: the interval of their length, and what explains it.

    ``lower`` and ``upper`` (n,) in one unit of time: equal where the end is exact,
    ``upper`` infinite where the spell is right-censored, ``lower`` 0 where the end came
    before the first look. ``regressors`` (n × K, a column a term) stay the same over the
    spell. ``clusters`` (n,) names the unit of inference; None asks for errors of maximum
    likelihood. ``strata`` (n,) have a baseline of their own each. ``where`` opens every
    error message.
    """

    lower: pd.Series
    upper: pd.Series
    regressors: pd.DataFrame
    clusters: pd.Series | None = None
    strata: pd.Series | None = None
    where: str = "durations"


@dataclass(frozen=True, slots=True)
class _Rows:
    """Informative spells as plain arrays; ``columns`` are centred and divided by ``scales``."""

    lower: Floats
    upper: Floats
    columns: Floats
    scales: Floats
    strata: Codes
    stratum_names: tuple[str, ...]
    clusters: Codes | None
    names: tuple[str, ...]
    where: str
    uninformative: int

    @property
    def exact(self) -> Bools:
        """Spells whose end is known to the day."""
        return np.equal(self.lower, self.upper)

    @property
    def right(self) -> Bools:
        """Spells whose end was not seen."""
        return np.isinf(self.upper)


@dataclass(frozen=True, slots=True)
class _Risk:
    """A partial likelihood at given coefficients.

    ``residuals`` (n × K) are score residuals; ``information`` (K × K). ``timed`` and
    ``mixed`` are both again with the regressors times g(t), ``twice`` the information of
    these regressors among themselves.
    """

    residuals: Floats
    information: Floats
    timed: Floats
    mixed: Floats
    twice: Floats


@dataclass(frozen=True, slots=True)
class _Weibull:
    """Columns of a Weibull model: log cumulative hazard = ``low``·θ at lower, ``high``·θ at upper.

    ``shape`` (n × p) gives the shape of each row; ``ends`` and ``starts`` mark the rows
    that have a finite upper and a positive lower bound, ``exact`` those of known length.
    """

    low: Floats
    high: Floats
    shape: Floats
    starts: Bools
    ends: Bools
    exact: Bools


def make_spells(
    table: pd.DataFrame,
    regressors: list[str],
    *,
    clusters: str | None = None,
    strata: str | None = None,
    where: str = "durations",
) -> Spells:
    """Make spells of a table as ``list_spells`` gives it, with regressors joined to it.

    Parameters
    ----------
    table : DataFrame
        A row a spell: ``lower``, ``upper`` (days) and the columns named here.
    regressors : list of str
        Columns of what explains the length, known when the spell opened.
    clusters, strata : str, optional
        Columns of the unit of inference, and of groups with a baseline of their own.

    Raises
    ------
    ModelError
        Where a column is absent.
    """
    wanted = ["lower", "upper", *regressors, *(name for name in (clusters, strata) if name)]
    absent = [name for name in wanted if name not in table]
    if absent:
        raise ModelError(
            where,
            seen=f"spells with columns {', '.join(map(str, table.columns))}",
            expected=f"also {', '.join(absent)}",
            do="Join the column to the spells by their unit.",
        )
    return Spells(
        lower=table["lower"],
        upper=table["upper"],
        regressors=table[regressors],
        clusters=None if clusters is None else table[clusters],
        strata=None if strata is None else table[strata],
        where=where,
    )


def estimate_cox(spells: Spells) -> Estimates:
    """Estimate a Cox model of spells whose ends are exact or right-censored.

    Partial likelihood with Efron's (1977) handling of ties, by strata where there are
    any. Clustered errors sum the score residuals of Efron's likelihood by cluster (Lin
    and Wei 1989), times G/(G−1), with t(G−1). statsmodels' ``PHReg``
    finds the coefficients; its own clustered errors are not used, since they take
    Breslow's residuals and are not a number where a spell is censored before the first
    event.

    Returns
    -------
    Estimates
        Log hazard ratios: positive where remedies come sooner. Diagnostics ``events``,
        ``censored`` and ``uninformative`` (dropped: censored at 0) count spells;
        ``first_order`` as of ``estimate_poisson``; ``proportional_hazards`` is the score
        test of a trend of the hazard ratios over the Kaplan-Meier scale of time
        (Grambsch and Therneau 1994), clustered as the errors are.

    Raises
    ------
    ModelError
        Where an end is known only up to an interval, no event is seen, a bound is
        missing, negative or contradicts the other, a regressor is constant or collinear
        among spells at risk or orders the events without fail (monotone likelihood), or
        there are fewer than two clusters.
    """
    rows = _read_regression(spells)
    _refuse_intervals(rows)
    refuse_collinear(_within_strata(rows), list(rows.names), rows.where)
    _refuse_monotone(rows)
    beta = _fit_partial(rows)
    trend = _kaplan_meier(rows)
    risk = _sum_risk(rows, beta, trend)
    bread = np.asarray(np.linalg.inv(risk.information), dtype=np.float64)
    size = np.abs(risk.residuals).sum(axis=0)
    violation = refuse_unsolved(
        float(np.max(np.abs(risk.residuals.sum(axis=0)) / size)), rows.where
    )
    found = [
        Diagnostic("events", value=float((~rows.right).sum())),
        *_count(rows),
        Diagnostic("first_order", value=violation),
        _test_trend(rows, risk, bread),
    ]
    covariance = _cluster(bread, risk.residuals, rows)
    return _gather(rows, beta, covariance, found)


def estimate_interval_censored(spells: Spells) -> Estimates:
    """Estimate a Weibull proportional-hazards model of interval-censored spells.

    H(t | x) = exp(a + x'β) t^k: the likelihood of a spell is exp(−H(lower)) −
    exp(−H(upper)), or the density where its end is exact (Kalbfleisch and Prentice
    2002). Strata have an ``a`` and a ``k`` each. log H is linear in (β, a,
    k) and the likelihood concave in it (Burridge 1981), so that Newton's method ends at
    the one maximum. Clustered errors are the sandwich with G/(G−1) and t(G−1).

    Returns
    -------
    Estimates
        Log hazard ratios: positive where remedies come sooner. Diagnostics ``exact``,
        ``interval``, ``censored`` and ``uninformative`` count spells (the last said
        nothing and are dropped: from 0 to infinity); ``shape`` is k of each stratum, a
        hazard that falls where below 1, with the test that it is 1;
        ``proportional_hazards`` is the score test that k does not depend on the
        regressors, clustered as the errors are.

    Raises
    ------
    ModelError
        Where no end is seen, a bound is missing, negative or contradicts the other, an
        exact length is 0, a regressor is constant or collinear or tells the ends
        without fail, the shape is not identified, or there are fewer than two clusters.
    """
    rows = _read_regression(spells)
    _refuse_zero_lengths(rows)
    model = _lay_out(rows)
    n_terms, n_strata = len(rows.names), len(rows.stratum_names)
    refuse_collinear(_stack(model), _label(rows), rows.where)
    _refuse_unbounded(rows, model)
    theta = _climb(model, _start(rows), rows.where)
    scores, hessian = _derive(model, theta)
    violation = refuse_unsolved(_violation(scores), rows.where)
    bread = np.asarray(np.linalg.inv(-hessian), dtype=np.float64)
    covariance = _cluster(bread, scores, rows)
    df = _df(rows)
    shapes = range(n_terms + n_strata, n_terms + 2 * n_strata)
    found = [
        Diagnostic("exact", value=float(rows.exact.sum())),
        Diagnostic("interval", value=float((~rows.exact & ~rows.right).sum())),
        *_count(rows),
        Diagnostic("first_order", value=violation),
        *(
            _test_shape(name, n_strata, theta[j], covariance[j, j], df)
            for name, j in zip(rows.stratum_names, shapes, strict=True)
        ),
        _test_shape_by_regressors(rows, model, theta),
    ]
    return _gather(rows, theta[:n_terms], covariance[:n_terms, :n_terms], found)


def estimate_survival(spells: Spells) -> pd.DataFrame:
    """Estimate the share of spells that last, without a model, by strata.

    The nonparametric maximum likelihood of interval-censored data (Turnbull 1976); with
    exact and right-censored ends alone it is Kaplan and Meier's (1958). The maximum is
    found by Wang's (2008) constrained Newton method and proved by the gradient: no other
    distribution has a log-likelihood higher by more than 1e-7 a spell. Regressors and
    clusters are not used; there are no errors.

    Returns
    -------
    DataFrame
        ``stratum, begin, end, mass, survival``: ``mass`` of the spells end in
        (begin, end], or at the day where both are equal; where within, is not known;
        ``survival`` is the share that lasts beyond ``end``. Mass that ends at infinity
        is what no end was seen for. Ordered by stratum, end.

    Raises
    ------
    ModelError
        Where bounds are missing, negative or contradict each other, or the maximum is
        not reached.
    """
    rows = _read(replace(spells, regressors=spells.regressors.iloc[:, :0], clusters=None))
    parts = []
    for number, name in enumerate(rows.stratum_names):
        chosen = rows.strata == number
        table = _survive(rows.lower[chosen], rows.upper[chosen], rows.where)
        table.insert(0, "stratum", name)
        parts.append(table)
    return pd.concat(parts, ignore_index=True)


def _read(spells: Spells) -> _Rows:
    """Check the spells, drop those that say nothing, centre and scale the regressors."""
    index, where = spells.lower.index, spells.where
    parts = [spells.upper, spells.regressors, spells.clusters, spells.strata]
    if any(part is not None and not part.index.equals(index) for part in parts):
        raise ModelError(
            where,
            seen="bounds, regressors, clusters or strata with different rows",
            expected="the same rows in the same order",
            do="Take all of them from one table.",
        )
    lower, upper = _to_floats(spells.lower), _to_floats(spells.upper)
    _check_bounds(lower, upper, where)
    informative = (lower > 0) | np.isfinite(upper)
    names = tuple(str(name) for name in spells.regressors.columns)
    columns = [_to_floats(spells.regressors.iloc[:, j])[informative] for j in range(len(names))]
    values = np.column_stack(columns) if columns else np.empty((int(informative.sum()), 0))
    _check_values(values, names, where)
    scales = values.std(axis=0)
    strata = pd.Series("all", index) if spells.strata is None else spells.strata
    stratum_codes, stratum_names = _encode(strata, informative, where)
    clusters = None
    if spells.clusters is not None:
        clusters, cluster_names = _encode(spells.clusters, informative, where)
        _check_clusters(len(cluster_names), where)
    return _Rows(
        lower=lower[informative],
        upper=upper[informative],
        columns=(values - values.mean(axis=0)) / scales,
        scales=scales,
        strata=stratum_codes,
        stratum_names=stratum_names,
        clusters=clusters,
        names=names,
        where=where,
        uninformative=int((~informative).sum()),
    )


def _read_regression(spells: Spells) -> _Rows:
    if spells.regressors.shape[1] == 0:
        raise ModelError(
            spells.where,
            seen="no regressor",
            expected="at least one",
            do="Name a regressor, or use estimate_survival.",
        )
    return _read(spells)


def _to_floats(series: pd.Series) -> Floats:
    """Give numbers, nan where there is none."""
    try:
        values: Floats = series.to_numpy(dtype="float64", na_value=np.nan)
    except (TypeError, ValueError):
        return np.full(len(series), np.nan)
    return values


def _check_bounds(lower: Floats, upper: Floats, where: str) -> None:
    wrong = {
        "without a finite lower or any upper bound": ~np.isfinite(lower) | np.isnan(upper),
        "with a negative bound": (lower < 0) | (upper < 0),
        "that end before they are last seen (lower above upper)": lower > upper,
    }
    seen = [f"{int(rows.sum())} spells {what}" for what, rows in wrong.items() if rows.any()]
    if seen:
        raise ModelError(
            where,
            seen="; ".join(seen),
            expected="0 ≤ lower ≤ upper, and an infinite upper where no end was seen",
            do="Look at the days of the assessments in the raw file.",
        )
    if not np.isfinite(upper).any():
        raise ModelError(
            where,
            seen=f"{len(upper)} spells of which none was seen to end",
            expected="at least one end",
            do="Widen the sample, or wait for later assessments.",
        )


def _check_values(values: Floats, names: tuple[str, ...], where: str) -> None:
    bad = [
        name
        for name, column in zip(names, values.T, strict=True)
        if not column.std() > _CONSTANT * np.abs(column).max()
    ]
    if bad or len(set(names)) < len(names):
        raise ModelError(
            where,
            seen=f"missing, text or constant values in {', '.join(bad)}"
            if bad
            else f"regressors {', '.join(names)}",
            expected="finite numbers that vary, each column with a name of its own",
            do="Select the rows that have them, or take the regressor out.",
        )


def _encode(labels: pd.Series, informative: Bools, where: str) -> tuple[Codes, tuple[str, ...]]:
    if labels.isna().any():
        raise ModelError(
            where,
            seen=f"{int(labels.isna().sum())} spells without a cluster or stratum",
            expected="a cluster and a stratum for every spell",
            do="Complete the column in the raw file, or leave the spells out.",
        )
    codes, found = pd.factorize(labels[informative], sort=True)
    return codes, tuple(str(label) for label in found)


def _check_clusters(groups: int, where: str) -> None:
    if groups < 2:
        raise ModelError(
            where,
            seen=f"{groups} cluster",
            expected="at least two clusters",
            do="Cluster at a finer level if the design allows it, or widen the sample.",
        )


def _count(rows: _Rows) -> tuple[Diagnostic, Diagnostic]:
    return (
        Diagnostic("censored", value=float(rows.right.sum())),
        Diagnostic("uninformative", value=float(rows.uninformative)),
    )


def _df(rows: _Rows) -> float:
    return np.inf if rows.clusters is None else float(rows.clusters.max())


def _cluster(bread: Floats, scores: Floats, rows: _Rows) -> Floats:
    if rows.clusters is None:
        return bread
    groups = int(rows.clusters.max()) + 1
    return sandwich(bread, scores, rows.clusters, groups / (groups - 1))


def _gather(rows: _Rows, beta: Floats, covariance: Floats, found: list[Diagnostic]) -> Estimates:
    clustered = rows.clusters is not None
    return Estimates(
        terms=rows.names,
        coefficients=beta / rows.scales,
        covariance=covariance / np.outer(rows.scales, rows.scales),
        df=_df(rows),
        nobs=len(rows.lower),
        n_clusters=int(_df(rows)) + 1 if clustered else None,
        cov_type="CR1" if clustered else "unadjusted",
        small_sample="G/(G-1)" if clustered else "none",
        diagnostics=tuple(found),
    )


def _score_test(
    scores: Floats, extra: Floats, bread: Floats, mixed: Floats, twice: Floats, rows: _Rows
) -> Diagnostic:
    """Test extra parameters at 0 by their scores (n × q), net of those of the estimated ones.

    ``mixed`` (K × q) and ``twice`` (q × q) are information matrices. With clusters the
    variance is the sum over clusters of squared net scores.
    """
    name, n_extra = "proportional_hazards", extra.shape[1]
    net = extra - scores @ bread @ mixed
    variance = twice - mixed.T @ bread @ mixed
    if rows.clusters is not None:
        groups = int(rows.clusters.max()) + 1
        if groups <= n_extra:
            reason = f"{n_extra} regressors cannot be tested with {groups} clusters"
            return Diagnostic(name, reason=reason)
        variance = sandwich(np.eye(n_extra), net, rows.clusters, groups / (groups - 1))
    values = np.linalg.eigvalsh(variance)
    if values[0] <= _SINGULAR * max(values[-1], float(np.trace(twice))):
        return Diagnostic(name, reason="too few different times of ends to see a trend")
    total = net.sum(axis=0)
    value = float(total @ np.linalg.solve(variance, total))
    p_value = float(stats.chi2.sf(value, n_extra))
    return Diagnostic(name, value=value, p_value=p_value, df=float(n_extra))


def _refuse_intervals(rows: _Rows) -> None:
    between = ~rows.exact & ~rows.right
    if between.any():
        raise ModelError(
            rows.where,
            seen=f"{int(between.sum())} spells whose end is known only up to an interval",
            expected="exact or right-censored ends",
            do="Use estimate_interval_censored: a day picked within the interval is made up.",
        )


def _within_strata(rows: _Rows) -> Floats:
    """Take the stratum's mean out of the rows that are ever at risk at an event."""
    parts = []
    for chosen in _each_stratum(rows):
        first = rows.lower[chosen & rows.exact].min()
        columns = rows.columns[chosen & (rows.lower >= first)]
        parts.append(columns - columns.mean(axis=0))
    return np.vstack(parts)


def _each_stratum(rows: _Rows) -> Iterator[Bools]:
    """Go through the strata that have an event."""
    for number in range(len(rows.stratum_names)):
        chosen = rows.strata == number
        if (chosen & rows.exact).any():
            yield chosen


def _refuse_monotone(rows: _Rows) -> None:
    """Refuse regressors along which the partial likelihood rises for ever.

    It does along γ where each event has the largest x'γ of those at risk (Jacobsen
    1989). The largest, m, of each risk set joins γ as an unknown, so that rows are
    compared with m and not with each other.
    """
    tied, free, before = [], [], 0
    for chosen in _each_stratum(rows):
        time, event = rows.lower[chosen], rows.exact[chosen]
        moments = np.unique(time[event])
        last = np.searchsorted(moments, time, side="right") - 1
        n_moments = len(moments)
        waiting = ~event & (last >= 0)
        links = sparse.diags_array([1.0, -1.0], offsets=[0, 1], shape=(n_moments - 1, n_moments))
        columns = rows.columns[chosen]
        tied.append((columns[event], -_point(last[event], n_moments), before))
        free.append((-columns[waiting], _point(last[waiting], n_moments), before))
        free.append((np.zeros((n_moments - 1, columns.shape[1])), links, before))
        before += n_moments
    all_tied, all_free = (_join_blocks(parts, before) for parts in (tied, free))
    separated, direction = find_separated(all_tied, all_free, rows.where)
    if separated.any():
        guilty = name_separating(all_tied, all_free, direction, list(rows.names), rows.where)
        raise ModelError(
            rows.where,
            seen=f"ends that come in the order of {', '.join(guilty)} without fail, or on one "
            "side of it only",
            expected="ends on both sides of every comparison",
            do="Take it out, or widen the sample: its hazard ratio would be infinite or zero.",
        )


def _point(positions: Codes, width: int) -> Any:
    n = len(positions)
    return sparse.csr_array((np.ones(n), (np.arange(n), positions)), shape=(n, width))


def _join_blocks(parts: list[tuple[Floats, Any, int]], width: int) -> Any:
    """Put blocks of columns beside their own share of ``width`` further unknowns."""
    rows = []
    for columns, links, before in parts:
        left = sparse.csr_array((len(columns), before))
        right = sparse.csr_array((len(columns), width - before - links.shape[1]))
        rows.append(sparse.hstack([sparse.csr_array(columns), left, links, right]))
    return sparse.vstack(rows).tocsr()


def _fit_partial(rows: _Rows) -> Floats:
    """Let PHReg find the maximum, and Newton steps on our own sums confirm it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model = PHReg(
                rows.lower, rows.columns, status=rows.exact, strata=rows.strata, ties="efron"
            )
            beta: Floats = np.asarray(model.fit().params, dtype=np.float64)
            for _ in range(_MOST_POLISH):
                risk = _sum_risk(rows, beta, np.zeros(len(rows.lower)))
                step = np.linalg.solve(risk.information, risk.residuals.sum(axis=0))
                beta = beta + step
                if np.abs(step).max() < _STILL:
                    return beta
        except np.linalg.LinAlgError:
            pass
    raise ModelError(
        rows.where,
        seen="a partial likelihood whose maximum was not reached",
        expected="coefficients that stand still",
        do="Look for extreme values of the regressors.",
    )


def _kaplan_meier(rows: _Rows) -> Floats:
    """Give each row 1 − S(t−) at its own time, over all strata together, centred at events."""
    moments, events = np.unique(rows.lower[rows.exact], return_counts=True)
    at_risk = len(rows.lower) - np.searchsorted(np.sort(rows.lower), moments)
    surviving = np.concatenate([[1.0], np.cumprod(1 - events / at_risk)])
    trend = 1 - surviving[np.searchsorted(moments, rows.lower)]
    centred: Floats = trend - trend[rows.exact].mean()
    return centred


def _sum_risk(rows: _Rows, beta: Floats, trend: Floats) -> _Risk:
    """Sum the partial likelihood's derivatives over strata; ``trend`` (n,) is g(t)."""
    n, k = rows.columns.shape
    risk = _Risk(
        np.zeros((n, k)), np.zeros((k, k)), np.zeros((n, k)), np.zeros((k, k)), np.zeros((k, k))
    )
    for chosen in _each_stratum(rows):
        part = _sum_stratum(
            rows.lower[chosen], rows.exact[chosen], rows.columns[chosen], beta, trend[chosen]
        )
        risk.residuals[chosen] = part.residuals
        risk.timed[chosen] = part.timed
        risk.information[:] += part.information
        risk.mixed[:] += part.mixed
        risk.twice[:] += part.twice
    return risk


def _sum_stratum(time: Floats, event: Bools, columns: Floats, beta: Floats, trend: Floats) -> _Risk:
    """Sum over the events of a stratum, those of one moment one after the other (Efron).

    At the r-th of d tied events, those that end then are at risk with weight 1 − r/d.
    """
    predictor = columns @ beta
    weight = np.exp(predictor - predictor.max())
    ends = np.flatnonzero(event)[np.argsort(time[event], kind="stable")]
    moments, moment, tied = np.unique(time[ends], return_inverse=True, return_counts=True)
    gone = (np.arange(len(ends)) - np.searchsorted(time[ends], time[ends])) / tied[moment]
    products = np.einsum("ij,ik->ijk", columns, columns).reshape(len(columns), -1)
    sums = np.column_stack([np.ones(len(columns)), columns, products]) * weight[:, None]
    order = np.argsort(-time, kind="stable")
    at_risk = np.cumsum(sums[order], axis=0)[
        np.searchsorted(-time[order], -moments, side="right") - 1
    ]
    ending = _point(moment, len(moments)).T @ sums[ends]
    net = at_risk[moment] - gone[:, None] * ending[moment]
    k = columns.shape[1]
    mean = net[:, 1 : k + 1] / net[:, :1]
    spread = net[:, k + 1 :].reshape(-1, k, k) / net[:, :1, None] - np.einsum(
        "ij,ik->ijk", mean, mean
    )
    steps = np.column_stack([np.ones(len(ends)), mean]) / net[:, :1]
    residuals, timed = (
        _residuals(time, columns, weight, ends, (moments, moment, gone, g, mean, steps))
        for g in (np.ones(len(ends)), trend[ends])
    )
    info, mixed, twice = (
        np.einsum("i,ijk->jk", trend[ends] ** power, spread) for power in (0, 1, 2)
    )
    return _Risk(residuals, info, timed, mixed, twice)


def _residuals(
    time: Floats,
    columns: Floats,
    weight: Floats,
    ends: Codes,
    events: tuple[Floats, Codes, Floats, Floats, Floats, Floats],
) -> Floats:
    """Compute score residuals: what a row adds at its end, less what its risk predicts.

    ``events`` are, by event: moments, number of the moment, share r/d, g(t), mean at
    risk, and increments of the cumulative hazard alone and times the mean.
    """
    moments, moment, gone, trend, mean, steps = events
    gather = _point(moment, len(moments)).T
    tied = np.asarray(gather.sum(axis=1)).ravel()
    hazard = gather @ (steps * trend[:, None])
    until = np.vstack([np.zeros((1, hazard.shape[1])), np.cumsum(hazard, axis=0)])
    until = until[np.searchsorted(moments, time, side="right")]
    spared = (gather @ (steps * (trend * gone)[:, None]))[moment]
    until[ends] -= spared
    residuals: Floats = -weight[:, None] * (columns * until[:, :1] - until[:, 1:])
    average = ((gather @ mean) / tied[:, None])[moment]
    residuals[ends] += trend[:, None] * (columns[ends] - average)
    return residuals


def _test_trend(rows: _Rows, risk: _Risk, bread: Floats) -> Diagnostic:
    return _score_test(risk.residuals, risk.timed, bread, risk.mixed, risk.twice, rows)


def _refuse_zero_lengths(rows: _Rows) -> None:
    zero = rows.exact & (rows.lower == 0)
    if zero.any():
        raise ModelError(
            rows.where,
            seen=f"{int(zero.sum())} spells of length 0",
            expected="lengths above 0",
            do="Give an end on the first day as the interval from 0 to 1.",
        )


def _lay_out(rows: _Rows, *, by_regressors: bool = False) -> _Weibull:
    """Lay out regressors, baselines and shapes; with shapes by the regressors on demand."""
    starts, ends = rows.lower > 0, ~rows.right & ~rows.exact
    center = _center(rows)
    own = np.equal.outer(rows.strata, np.arange(len(rows.stratum_names))).astype(float)
    shaped = np.hstack([own, rows.columns]) if by_regressors else own
    fixed = np.hstack([rows.columns, own])
    low, high = (
        np.hstack([fixed, shaped * (np.log(np.where(there, time, 1.0)) - center)[:, None]])
        for time, there in ((rows.lower, starts), (rows.upper, ends))
    )
    return _Weibull(
        low=low * starts[:, None],
        high=high * ends[:, None],
        shape=np.hstack([np.zeros_like(fixed), shaped]),
        starts=starts,
        ends=ends,
        exact=rows.exact,
    )


def _center(rows: _Rows) -> float:
    """Give the mean of log time, around which baselines and shapes are least correlated."""
    bounds = np.concatenate([rows.lower[rows.lower > 0], rows.upper[~rows.right]])
    return float(np.log(bounds).mean())


def _stack(model: _Weibull) -> Floats:
    return np.vstack([model.low[model.starts], model.high[model.ends]])


def _label(rows: _Rows) -> list[str]:
    several = len(rows.stratum_names) > 1
    return list(rows.names) + [
        f"({part} of {name})" if several else f"({part})"
        for part in ("baseline", "shape")
        for name in rows.stratum_names
    ]


def _refuse_unbounded(rows: _Rows, model: _Weibull) -> None:
    """Refuse where the likelihood rises for ever: no end is too early or late along γ."""
    waiting = model.starts & ~model.exact
    shapes = np.eye(model.low.shape[1])[len(rows.names) + len(rows.stratum_names) :]
    tied = sparse.csr_array(model.low[model.exact])
    free = sparse.csr_array(np.vstack([-model.low[waiting], model.high[model.ends], shapes]))
    separated, direction = find_separated(tied, free, rows.where)
    if separated.any():
        named = name_separating(tied, free, direction, _label(rows), rows.where)
        guilty = [name for name in named if name in rows.names] or named
        raise ModelError(
            rows.where,
            seen=f"spells that {', '.join(guilty)} sets apart without fail into ended and lasting",
            expected="early and late ends on both sides of every comparison",
            do="Take it out, merge small strata, or widen the sample: no finite estimate exists.",
        )


def _start(rows: _Rows) -> Floats:
    """Start at no effects, and in each stratum at ends over time, a constant hazard."""
    middle = np.where(
        rows.right, rows.lower, (rows.lower + np.where(rows.right, 0, rows.upper)) / 2
    )
    total = np.bincount(rows.strata, middle)
    ended = np.bincount(rows.strata, ~rows.right)
    baseline = np.log(ended / total) + _center(rows)
    return np.concatenate([np.zeros(len(rows.names)), baseline, np.ones(len(total))])


def _climb(model: _Weibull, theta: Floats, where: str) -> Floats:
    """Climb by Newton's method, halving a step that does not rise."""
    value = _value(model, theta)
    for _ in range(_MOST_STEPS):
        scores, hessian = _derive(model, theta)
        step = np.linalg.lstsq(-hessian, scores.sum(axis=0))[0]
        if np.abs(step).max() < _STILL:
            return theta
        reach = _reach(model, theta, step, value)
        if reach == 0:
            break
        theta = theta + reach * step
        value = _value(model, theta)
    raise ModelError(
        where,
        seen=f"a likelihood that still rises at a shape of {(model.shape @ theta).min():.2g}",
        expected="a maximum with a shape above 0",
        do="Where the shape goes to 0, long spells end no more often than short ones: "
        "look at the bounds.",
    )


def _reach(model: _Weibull, theta: Floats, step: Floats, value: float) -> float:
    """Give the share of a step, halved until the likelihood does not fall; 0 where it does."""
    reach = 1.0
    for _ in range(_MOST_HALVINGS):
        if _value(model, theta + reach * step) >= value - _STILL:
            return reach
        reach /= 2
    return 0.0


def _cumulate(model: _Weibull, theta: Floats) -> tuple[Floats, Floats]:
    """Compute the cumulative hazard at both bounds, 0 where there is none."""
    low = np.exp(np.minimum(model.low @ theta, 600.0)) * model.starts
    high = np.exp(np.minimum(model.high @ theta, 600.0)) * model.ends
    return low, high


def _value(model: _Weibull, theta: Floats) -> float:
    shape = model.shape @ theta
    if (shape <= 0).any():
        return -np.inf
    low, high = _cumulate(model, theta)
    between = (high - low)[model.ends]
    if (between <= 0).any():
        return -np.inf
    ended = np.log(-np.expm1(-between)).sum()
    density = ((model.low @ theta) + np.log(shape))[model.exact].sum()
    return float(density + ended - low.sum())


def _derive(model: _Weibull, theta: Floats) -> tuple[Floats, Floats]:
    """Compute the score of each row (n × p) and the Hessian (p × p)."""
    shape = model.shape @ theta
    low, high = _cumulate(model, theta)
    with np.errstate(over="ignore"):
        odds = np.zeros_like(low)
        odds[model.ends] = 1 / np.expm1((high - low)[model.ends])
    grow = odds * (1 + odds)
    by_shape = model.shape * (model.exact / shape)[:, None]
    scores = (
        (model.exact - low * (1 + odds))[:, None] * model.low
        + (odds * high)[:, None] * model.high
        + by_shape
    )
    cross = model.low.T @ (model.high * (grow * low * high)[:, None])
    hessian = (
        model.low.T @ (model.low * (-low * (1 + odds) * (1 + odds * low))[:, None])
        + model.high.T @ (model.high * (odds * high - grow * high**2)[:, None])
        + cross
        + cross.T
        - by_shape.T @ by_shape
    )
    return scores, hessian


def _violation(scores: Floats) -> float:
    return float(np.max(np.abs(scores.sum(axis=0)) / np.abs(scores).sum(axis=0)))


def _test_shape(name: str, n_strata: int, shape: float, variance: float, df: float) -> Diagnostic:
    """Test that the hazard is constant over time: a shape of 1."""
    statistic = abs(shape - 1) / float(np.sqrt(variance))
    label = "shape" if n_strata == 1 else f"shape ({name})"
    return Diagnostic(
        label, value=float(shape), p_value=float(2 * stats.t.sf(statistic, df)), df=df
    )


def _test_shape_by_regressors(rows: _Rows, model: _Weibull, theta: Floats) -> Diagnostic:
    """Test that the shape does not go with the regressors."""
    wide = _lay_out(rows, by_regressors=True)
    p = model.low.shape[1]
    scores, hessian = _derive(wide, np.concatenate([theta, np.zeros(len(rows.names))]))
    bread = np.asarray(np.linalg.inv(-hessian[:p, :p]), dtype=np.float64)
    return _score_test(
        scores[:, :p], scores[:, p:], bread, -hessian[:p, p:], -hessian[p:, p:], rows
    )


def _survive(lower: Floats, upper: Floats, where: str) -> pd.DataFrame:
    begin, end, inside, counts = _find_support(lower, upper)
    mass = _share(_product_limit(end, lower, upper), inside, counts, where)
    table = pd.DataFrame({"begin": begin, "end": end, "mass": mass})
    table = table[table["mass"] > _NO_MASS].reset_index(drop=True)
    lasting = 1 - table["mass"].cumsum()
    return table.assign(survival=lasting.where(lasting > _NO_MASS, 0.0))


def _find_support(lower: Floats, upper: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Find the innermost intervals, which alone can hold mass, and who spans them.

    At one time come first what begins there exactly, then ends, then what begins after.
    Returns bounds (m,) of the intervals, who spans which (u × m), and how many spells
    (u,) have the same bounds.
    """
    pairs, counts = np.unique(np.column_stack([lower, upper]), axis=0, return_counts=True)
    exact = pairs[:, 0] == pairs[:, 1]
    left = np.column_stack([pairs[:, 0], np.where(exact, 0, 2)])
    right = np.column_stack([pairs[:, 1], np.ones(len(pairs))])
    points, place = np.unique(np.vstack([left, right]), axis=0, return_inverse=True)
    is_left = points[:, 1] != 1
    opening = np.flatnonzero(is_left[:-1] & ~is_left[1:])
    first, last = place[: len(pairs)], place[len(pairs) :]
    inside = (first[:, None] <= opening) & (opening + 1 <= last[:, None])
    return points[opening, 0], points[opening + 1, 0], inside.astype(float), counts.astype(float)


def _product_limit(end: Floats, lower: Floats, upper: Floats) -> Floats:
    """Start from Kaplan and Meier's mass (m,), at the maximum where no end is an interval."""
    if (np.isfinite(upper) & (lower < upper)).any():
        return np.full(len(end), 1 / len(end))
    exact = np.sort(lower[lower == upper])
    events = np.searchsorted(exact, end, side="right") - np.searchsorted(exact, end)
    at_risk = len(lower) - np.searchsorted(np.sort(lower), end)
    rate = np.divide(events, at_risk, out=np.ones(len(end)), where=np.isfinite(end))
    mass: Floats = np.concatenate([[1.0], np.cumprod(1 - rate)[:-1]]) * rate
    return mass


def _share(start: Floats, inside: Floats, counts: Floats, where: str) -> Floats:
    """Share the mass among the intervals so that the likelihood is largest.

    Each round solves a quadratic approximation with non-negative shares (Wang 2008),
    and goes there half as far as long as the likelihood falls.
    """
    n = counts.sum()
    root = np.sqrt(counts)[:, None]
    mass = start
    for _ in range(_MOST_ROUNDS):
        chance = inside @ mass
        ratio = inside / chance[:, None]
        if (counts @ ratio).max() <= n * (1 + _GAP):
            return mass
        aims = np.vstack([root * (ratio - 2), np.full(len(mass), np.sqrt(n))])
        try:
            found = optimize.nnls(aims, np.append(np.zeros(len(root)), np.sqrt(n)))[0]
        except RuntimeError:
            break
        step = found / found.sum() - mass
        value = counts @ np.log(chance)
        for _ in range(_MOST_HALVINGS):
            with np.errstate(divide="ignore", invalid="ignore"):
                if counts @ np.log(inside @ (mass + step)) >= value:
                    break
            step = step / 2
        mass = mass + step
    raise ModelError(
        where,
        seen=f"shares of spells that still move after {_MOST_ROUNDS} rounds",
        expected="a maximum of the likelihood",
        do="Round the days to weeks, or take fewer strata.",
    )
