"""Pooled, between, random-effects, first-difference and Mundlak regressions of a panel.

linearmodels estimates; columns are centred and scaled before and coefficients scaled
back, because it loses all digits of a column whose mean is large against its spread.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from linearmodels.panel import (
    BetweenOLS,
    FirstDifferenceOLS,
    PanelOLS,
    PooledOLS,
    RandomEffects,
)
from linearmodels.panel.utility import AbsorbingEffectError
from scipy import linalg, stats

from evidence.errors import ModelError
from evidence.models.design import Design, Diagnostic, Estimates, Floats
from evidence.models.kernel.solve import NO_CHANGE

SmallSample = Literal["fixest", "none"]

_DEPENDENT = 1e-8
_CONSTANT = "(constant)"
_MEAN = "mean_"


@dataclass(frozen=True, slots=True)
class _Columns:
    """What linearmodels sees: scaled columns, sorted by entity and time, codes as index.

    ``exog`` holds ``terms`` first, then a constant and dummies that are not reported.
    ``back`` (K,) turns coefficients of scaled columns into those of the design's.
    """

    outcome: pd.DataFrame
    exog: pd.DataFrame
    terms: tuple[str, ...]
    back: Floats
    clusters: pd.DataFrame | None


def estimate_pooled(design: Design, *, small_sample: SmallSample = "fixest") -> Estimates:
    """Estimate pooled least squares with a constant.

    Parameters
    ----------
    design : Design
        ``effects`` may hold the column ``time``: dummies of the periods.
    small_sample : {"fixest", "none"}
        Clustered errors times G/(G−1)·(n−1)/(n−k), k with constant and dummies (CR1),
        or as they are (CR0); t(G−1) in both. Without clusters: n/(n−k) or no factor,
        t(n−k).

    Raises
    ------
    ModelError
        Where the design is damaged, its columns are collinear, its effects are others
        than time, or a single cluster is left.
    """
    columns = _lay_out(design)
    return _estimate(design, PooledOLS, columns, columns.exog.to_numpy(), small_sample)


def estimate_between(design: Design, *, small_sample: SmallSample = "fixest") -> Estimates:
    """Estimate least squares of the entities' means, each with the same weight.

    ``nobs`` counts entities.

    Parameters
    ----------
    design : Design
        Without effects; ``clusters`` do not vary within an entity.
    small_sample : {"fixest", "none"}
        As ``estimate_pooled``, with n the entities.

    Raises
    ------
    ModelError
        As ``estimate_pooled``, and where there are effects or an entity has several
        clusters.
    """
    if design.effects.shape[1]:
        raise ModelError(
            f"{design.where}, effects",
            seen=", ".join(map(str, design.effects.columns)),
            expected="none, because means of entities are compared",
            do="Take the effects out, or use another estimator.",
        )
    columns = _lay_out(design)
    _check_nested(design, columns, "an entity", "between")
    means = columns.exog.groupby(level=0).mean().to_numpy()
    return _estimate(design, BetweenOLS, columns, means, small_sample)


def estimate_random_effects(design: Design, *, small_sample: SmallSample = "fixest") -> Estimates:
    """Estimate random effects by generalised least squares (Swamy and Arora 1972).

    In unbalanced panels the variance of the effects takes the harmonic mean of the
    entities' counts of periods (linearmodels, Stata's ``xtreg, re``; R's plm takes
    traces instead). Diagnostics: ``mundlak``, as ``estimate_mundlak``, the robust form of
    the Hausman test; ``hausman``, the classical one (Hausman 1978, eq. 2.7) of the
    regressors that vary within entities and periods, without clusters only.

    Parameters
    ----------
    design : Design
        ``effects`` may hold the column ``time``: dummies of the periods.
    small_sample : {"fixest", "none"}
        As ``estimate_pooled``.

    Raises
    ------
    ModelError
        As ``estimate_pooled``.
    """
    columns = _lay_out(design)
    found = _estimate(design, RandomEffects, columns, columns.exog.to_numpy(), small_sample)
    varying = _list_varying(columns)
    try:
        mundlak = _fit_mundlak(design, columns, varying, small_sample).diagnostics[0]
    except ModelError as error:
        mundlak = Diagnostic("mundlak", reason=f"not estimable: {error.seen}")
    return replace(found, diagnostics=(mundlak, _test_hausman(design, columns, varying)))


def estimate_mundlak(design: Design, *, small_sample: SmallSample = "fixest") -> Estimates:
    """Estimate correlated random effects: add the entities' means (Mundlak 1978).

    Terms are the regressors and ``mean_x`` of each that varies within entities beyond
    the periods. The coefficients of those regressors are the within ones, in unbalanced
    panels as well (Wooldridge 2019: means over the rows that are there, of the dummies
    of the periods too). Diagnostic ``mundlak``: Wald test that the coefficients of the
    means are zero, F(q, ``df``), robust to clusters where there are any; ``df`` of the
    diagnostic is q. A small p-value speaks against random effects.

    Parameters
    ----------
    design : Design
        ``effects`` may hold the column ``time``: dummies of the periods.
    small_sample : {"fixest", "none"}
        As ``estimate_pooled``.

    Raises
    ------
    ModelError
        As ``estimate_pooled``, and where a regressor has the name of a mean.
    """
    columns = _lay_out(design)
    return _fit_mundlak(design, columns, _list_varying(columns), small_sample)


def estimate_first_differences(
    design: Design, *, small_sample: SmallSample = "fixest"
) -> Estimates:
    """Estimate least squares of changes from one period to the next, without constant.

    A change over a missing period is left out; the diagnostic ``gaps`` counts them.
    ``nobs`` counts changes.

    Parameters
    ----------
    design : Design
        Times are whole numbers, a period is 1. ``effects`` may hold the column
        ``time``: a dummy a period of the changes.
    small_sample : {"fixest", "none"}
        As ``estimate_pooled``, with n the changes.

    Raises
    ------
    ModelError
        As ``estimate_pooled``, and where no two periods follow each other, a regressor
        never changes, or an entity changes its cluster between two of them.
    """
    columns, gaps = _split_at_gaps(design, _lay_out(design, dummies=False))
    _check_nested(design, columns, "two periods of an entity", "a change")
    changes = columns.exog.groupby(level=0).diff().dropna()
    found = _estimate(design, FirstDifferenceOLS, columns, changes.to_numpy(), small_sample)
    reason = "changes over missing periods are left out" if gaps else ""
    return replace(found, diagnostics=(Diagnostic("gaps", float(gaps), reason=reason),))


def check_design(design: Design) -> None:
    """Check that a design's parts are aligned, finite numbers that vary.

    Raises
    ------
    ModelError
        Naming the part that is not.
    """
    for found, seen, expected in _list_damages(design):
        if found:
            raise ModelError(
                design.where,
                seen=seen,
                expected=expected,
                do="Look at the rows and columns that go into this model.",
            )


def _list_damages(design: Design) -> list[tuple[bool, str, str]]:
    index, names = design.outcome.index, list(design.regressors.columns)
    parts = [design.regressors.index, design.effects.index]
    parts += [] if design.clusters is None else [design.clusters.index]
    numbers = design.regressors.assign(**{"(outcome)": design.outcome})
    typed = all(pd.api.types.is_numeric_dtype(kind) for kind in numbers.dtypes)
    values = numbers.to_numpy(dtype="float64", na_value=np.nan) if typed else np.empty((0, 1))
    flat = [n for n, column in numbers.items() if column.nunique() < 2]
    named = design.clusters is None or bool(design.clusters.notna().all())
    return [
        (not len(index) or not names, "no rows or no regressors", "both"),
        (any(not part.equals(index) for part in parts), "parts with other rows", "one index"),
        (index.nlevels != 2 or index.has_duplicates, "rows that repeat", "an entity and time once"),
        (len(set(names)) < len(names), "columns of one name", "a name a column"),
        (not typed, "columns that are no numbers", "numbers"),
        (typed and not np.isfinite(values).all(), "missing or infinite values", "finite numbers"),
        (bool(flat), f"{', '.join(map(str, flat))} with one and the same value", "columns that vary"),
        (bool(design.effects.isna().any(axis=None)), "effects without a label", "a label a row"),
        (not named, "rows without their cluster", "a cluster for every row"),
        (named and design.clusters is not None and design.clusters.nunique() < 2,
         "a single cluster", "two or more"),
    ]  # fmt: skip


def _lay_out(design: Design, *, dummies: bool = True) -> _Columns:
    """Scale and sort a design's columns, and add a constant and dummies of the periods."""
    check_design(design)
    timed = _has_periods(design)
    entities, _ = pd.factorize(design.outcome.index.get_level_values(0))
    times = design.outcome.index.get_level_values(1)
    codes = times.to_numpy() if not dummies else pd.factorize(times, sort=True)[0]
    if not pd.api.types.is_integer_dtype(codes):
        raise ModelError(
            f"{design.where}, time",
            seen=f"values like {times[0]}",
            expected="whole numbers, so that periods that follow each other are known",
            do="Number the periods, one after another.",
        )
    index = pd.MultiIndex.from_arrays([entities, codes], names=["entity", "time"])
    order = np.lexsort((codes, entities))
    outcome, outcome_spread = _scale(design.outcome.to_frame("(outcome)"))
    exog, spreads = _scale(design.regressors)
    exog = exog.set_axis(index).iloc[order]
    if dummies:
        exog[_CONSTANT] = 1.0
        if timed:
            exog = exog.join(_make_dummies(exog.index))
    clusters = None
    if design.clusters is not None:
        clusters = pd.DataFrame({"clusters": pd.factorize(design.clusters)[0]}, index).iloc[order]
    return _Columns(
        outcome=outcome.set_axis(index).iloc[order],
        exog=exog,
        terms=tuple(map(str, design.regressors.columns)),
        back=outcome_spread / spreads,
        clusters=clusters,
    )


def _has_periods(design: Design) -> bool:
    """Tell whether dummies of the periods are asked for, the only effects allowed here."""
    effects = design.effects
    if not effects.shape[1]:
        return False
    asked = pd.factorize(effects.iloc[:, 0])[0]
    periods = pd.factorize(effects.index.get_level_values(1))[0]
    if list(effects.columns) != ["time"] or not np.array_equal(asked, periods):
        raise ModelError(
            f"{design.where}, effects",
            seen=", ".join(map(str, effects.columns)),
            expected="'time', the periods of the index, or none",
            do="Use fixed effects for other dimensions.",
        )
    return True


def _scale(frame: pd.DataFrame) -> tuple[pd.DataFrame, Floats]:
    values = frame.astype("float64")
    centred = values - values.mean()
    spreads: Floats = centred.std(ddof=0).to_numpy(dtype="float64")
    return centred.div(spreads, axis="columns"), spreads


def _make_dummies(index: pd.Index) -> pd.DataFrame:
    times = index.get_level_values("time")
    dummies = pd.get_dummies(times, prefix="(time", drop_first=True, dtype=float)
    return dummies.set_index(index)


def _split_at_gaps(design: Design, columns: _Columns) -> tuple[_Columns, int]:
    """Count a new entity after each gap, so that no change spans it; drop lone rows."""
    index = columns.exog.index
    entity, time = (index.get_level_values(name).to_numpy() for name in ("entity", "time"))
    same = entity[1:] == entity[:-1]
    follows = same & (np.diff(time) == 1)
    spells = np.concatenate([[0], np.cumsum(~follows)])
    kept = np.bincount(spells)[spells] > 1
    if not kept.any():
        raise ModelError(
            f"{design.where}, time",
            seen="no entity in two periods that follow each other",
            expected="times that differ by 1",
            do="Number the periods one after another, or use another estimator.",
        )
    placed = pd.MultiIndex.from_arrays([spells, time], names=["entity", "time"])[kept]
    exog = columns.exog[kept].set_axis(placed)
    if _has_periods(design):
        changed = np.unique(time[1:][follows])
        steps = {f"(time {t})": (time[kept] >= t).astype(float) for t in changed}
        exog = exog.assign(**steps)
    clusters = None if columns.clusters is None else columns.clusters[kept].set_axis(placed)
    outcome = columns.outcome[kept].set_axis(placed)
    split = replace(columns, outcome=outcome, exog=exog, clusters=clusters)
    return split, int((same & ~follows).sum())


def _check_nested(design: Design, columns: _Columns, unit: str, row: str) -> None:
    if columns.clusters is None:
        return
    if (columns.clusters["clusters"].groupby(level=0).nunique() > 1).any():
        raise ModelError(
            f"{design.where}, clusters",
            seen=f"{unit} in several clusters",
            expected=f"one, because {row} belongs to one cluster",
            do="Cluster at a level that does not change, or take these rows out.",
        )


def _estimate(
    design: Design,
    model: Callable[..., Any],
    columns: _Columns,
    used: Floats,
    small_sample: SmallSample,
) -> Estimates:
    """Run a model of linearmodels; ``used`` are the rows that it regresses on."""
    check_rank(design, used, [str(name) for name in columns.exog.columns])
    adjusted = check_convention(design, small_sample)
    options: dict[str, Any] = {"debiased": adjusted, "cov_type": "unadjusted"}
    if columns.clusters is not None:
        options |= {"cov_type": "clustered", "clusters": columns.clusters}
        options["group_debias"] = adjusted
    result = call_library(design, lambda: model(columns.outcome, columns.exog).fit(**options))
    terms = list(columns.terms)
    covariance = result.cov.loc[terms, terms].to_numpy() * np.outer(columns.back, columns.back)
    groups = None if columns.clusters is None else int(columns.clusters["clusters"].nunique())
    robust = "CR1" if adjusted else "CR0"
    plain = "n/(n-k)" if adjusted else "none"
    return Estimates(
        terms=columns.terms,
        coefficients=result.params[terms].to_numpy() * columns.back,
        covariance=covariance,
        df=float(result.df_resid if groups is None else groups - 1),
        nobs=int(result.nobs),
        n_clusters=groups,
        cov_type="unadjusted" if groups is None else robust,
        small_sample=plain if groups is None else small_sample,
    )


def check_convention(design: Design, small_sample: str) -> bool:
    """Tell whether a small-sample factor is asked for.

    Raises
    ------
    ModelError
        Where the convention is not known.
    """
    if small_sample not in ("fixest", "none"):
        raise ModelError(
            f"{design.where}, small sample",
            seen=f"'{small_sample}'",
            expected="'fixest' or 'none'",
            do="Name one of the two conventions.",
        )
    return small_sample == "fixest"


def check_rank(design: Design, matrix: Floats, names: list[str]) -> None:
    """Check that no column (n × k, of unit spread) is a combination of the others.

    Columns are brought to unit length; a pivoted QR that leaves less than 1e-8 of one
    tells which.

    Raises
    ------
    ModelError
        Naming the columns, or where there are no more rows than columns.
    """
    lengths = np.sqrt((matrix**2).sum(axis=0))
    scaled = matrix / np.where(lengths < _DEPENDENT * np.sqrt(len(matrix)), np.inf, lengths)
    triangle, pivots = linalg.qr(scaled, mode="r", pivoting=True)
    left = np.zeros(matrix.shape[1])
    diagonal = np.abs(np.diag(triangle))
    left[: len(diagonal)] = diagonal
    lost = [names[pivots[at]] for at in np.flatnonzero(left < _DEPENDENT)]
    if lost or len(matrix) <= matrix.shape[1]:
        what = f"{', '.join(lost)} without variation of its own" if lost else "no rows to spare"
        raise ModelError(
            design.where,
            seen=f"{len(matrix)} rows and {', '.join(names)}: {what}",
            expected="more rows than regressors, and none a combination of others",
            do="Take one of the regressors out, or widen the sample.",
        )


def call_library(design: Design, run: Callable[[], Any]) -> Any:
    """Run a library's fit; its warnings and tracebacks become words.

    Raises
    ------
    ModelError
        Where the library warns or fails.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return run()
        except (
            ValueError, ZeroDivisionError, np.linalg.LinAlgError, Warning, AbsorbingEffectError
        ) as error:  # fmt: skip
            first = (str(error).strip().splitlines() or ["no reason"])[0]
            raise ModelError(
                design.where,
                seen=f"{len(design.outcome)} rows that cannot be estimated from ({first})",
                expected="more rows than regressors, and none a combination of others",
                do="Take one of the regressors out, or widen the sample.",
            ) from error


def _list_varying(columns: _Columns) -> list[str]:
    """List terms with something left once entities and dummies of periods are out."""
    within = columns.exog - columns.exog.groupby(level=0).transform("mean")
    terms = within[list(columns.terms)].to_numpy()
    dummies = within.drop(columns=[*columns.terms, _CONSTANT]).to_numpy()
    left = terms - dummies @ np.linalg.lstsq(dummies, terms)[0] if dummies.size else terms
    share = (left**2).sum(axis=0) / len(left)
    return [name for name, part in zip(columns.terms, share, strict=True) if part >= NO_CHANGE]


def _fit_mundlak(
    design: Design, columns: _Columns, varying: list[str], small_sample: SmallSample
) -> Estimates:
    means = columns.exog.groupby(level=0).transform("mean")
    named = means[varying].add_prefix(_MEAN)
    if set(named.columns) & set(columns.terms):
        raise ModelError(
            f"{design.where}, regressors",
            seen=", ".join(sorted(set(named.columns) & set(columns.terms))),
            expected="no names of means, which this estimator adds",
            do="Take them out or rename them.",
        )
    rest = columns.exog.drop(columns=list(columns.terms))
    dummies = _find_basis(means.drop(columns=[*columns.terms, _CONSTANT]))
    back = columns.back[[columns.terms.index(name) for name in varying]]
    widened = replace(
        columns,
        exog=pd.concat([columns.exog[list(columns.terms)], named, rest, dummies], axis=1),
        terms=(*columns.terms, *named.columns),
        back=np.concatenate([columns.back, back]),
    )
    found = _estimate(design, RandomEffects, widened, widened.exog.to_numpy(), small_sample)
    return replace(found, diagnostics=(_test_means(found, len(columns.terms)),))


def _find_basis(frame: pd.DataFrame) -> pd.DataFrame:
    """Find independent columns that span a frame's, beyond a constant."""
    if frame.empty or not frame.shape[1]:
        return pd.DataFrame(index=frame.index)
    left, weights, _ = np.linalg.svd((frame - frame.mean()).to_numpy(), full_matrices=False)
    kept = left[:, weights > NO_CHANGE * np.sqrt(len(frame))] * np.sqrt(len(frame))
    names = [f"(mean of periods {n})" for n in range(kept.shape[1])]
    return pd.DataFrame(kept, frame.index, names)


def _test_means(found: Estimates, first: int) -> Diagnostic:
    tested = slice(first, len(found.terms))
    count = len(found.terms) - first
    if not count:
        return Diagnostic("mundlak", reason="no regressor varies within entities")
    part = found.covariance[tested, tested]
    spread = np.sqrt(np.diag(part))
    scaled = found.coefficients[tested] / spread
    shape = part / np.outer(spread, spread)
    if np.linalg.eigvalsh(shape)[0] < NO_CHANGE:
        return Diagnostic("mundlak", reason=f"too few clusters to test {count} means together")
    value = float(scaled @ np.linalg.solve(shape, scaled)) / count
    return Diagnostic("mundlak", value, float(stats.f.sf(value, count, found.df)), float(count))


def _test_hausman(design: Design, columns: _Columns, varying: list[str]) -> Diagnostic:
    """Compare within with random effects by unadjusted covariances."""
    if columns.clusters is not None:
        return Diagnostic("hausman", reason="needs independent errors; see mundlak")
    if not varying:
        return Diagnostic("hausman", reason="no regressor varies within entities")
    dummies = [n for n in columns.exog.columns if n not in (*columns.terms, _CONSTANT)]
    exog = columns.exog[[*varying, *dummies]]
    within = call_library(
        design, lambda: PanelOLS(columns.outcome, exog, entity_effects=True).fit()
    )
    random = call_library(design, lambda: RandomEffects(columns.outcome, columns.exog).fit())
    gap = (within.params - random.params)[varying].to_numpy()
    spread = (within.cov.loc[varying, varying] - random.cov.loc[varying, varying]).to_numpy()
    if np.linalg.eigvalsh(spread)[0] <= 0:
        return Diagnostic("hausman", reason="difference of covariances not positive; see mundlak")
    value = float(gap @ np.linalg.solve(spread, gap))
    count = len(varying)
    return Diagnostic("hausman", value, float(stats.chi2.sf(value, count)), float(count))
