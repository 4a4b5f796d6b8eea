"""A panel and a specification become a ``Fit``: estimates with their inference.

linearmodels estimates; this room sees to it that the inference is never finer than
the exposure's level of variation, and names the convention that it used.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from linearmodels.panel import BetweenOLS, PanelOLS, PooledOLS, RandomEffects
from linearmodels.panel.utility import AbsorbingEffectError
from scipy import stats

from evidence.errors import ModelError, PanelError
from evidence.models.design import CONF_LEVEL
from evidence.panel import Panel, cluster_column, select_sample, within_share
from evidence.study import LEVELS, Specification, Study

FEW_CLUSTERS = 30
NO_CHANGE = 1e-10
_CONSTANT = "(constant)"
_MOST_TURNS = 1000
_STILL = 1e-12

COLUMNS = (
    "analysis", "case", "specification", "estimator", "outcome", "term", "estimate",
    "std_error", "statistic", "p_value", "conf_low", "conf_high", "conf_level", "unit",
    "nobs", "n_entities", "n_periods", "n_clusters", "n_treated_clusters", "level",
    "cov_type", "small_sample", "role", "reason",
)  # fmt: skip
"""Columns of ``estimates.csv``, in order."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Estimates of one specification in one case.

    ``estimates`` has the columns ``COLUMNS``, a row a term; a term that the design
    cannot estimate has no numbers and a ``reason``. ``within_share`` maps exposure →
    share of its variance within entities. ``periods`` are the first and last time.
    ``carriers`` maps exposure → the least count of clusters on any side of the
    comparison (treated, untreated, moving); ``contributors`` the same of protected
    units, or None where the study has no variable that names them.
    """

    specification: Specification
    case: str
    estimates: pd.DataFrame
    within_share: dict[str, float]
    periods: tuple[int, int]
    ledger: pd.DataFrame
    carriers: dict[str, int]
    contributors: dict[str, int | None]


@dataclass(frozen=True, slots=True)
class _Inference:
    level: str
    cov_type: str
    small_sample: str
    n_clusters: int | None
    df: float


def fit(panel: Panel, specification: str, *, case: str = "all") -> Fit:
    """Fit one specification of the panel's study.

    Convention (unless the role is replication): standard errors clustered at the
    level of the exposure or coarser, CR1 with the factor G/(G−1)·(n−1)/(n−k) in which
    entity effects nested in clusters are not counted, t(G−1), entities seen once
    dropped: the default of R's fixest ≥ 0.13 and Stata's reghdfe. Below 30 clusters
    the delete-one-cluster jackknife CR3 (Bell and McCaffrey 2002) takes its place;
    where fewer than two clusters are treated, untreated or (with entity effects)
    ever change, there is no p-value and no interval. Replications keep the published
    table's unadjusted errors, t(n−k).

    Raises
    ------
    ModelError
        Where inference is asked for at a finer level than the exposure's, or the
        regressors are collinear, or a control never varies in this design.
    PanelError
        Where no row is left, or the clusters' variable is missing.
    """
    spec = panel.study.specification(specification)
    level = guard_level(panel.study, spec)
    sample = select_sample(panel, spec)
    absorbed = _absorbed(sample.data, spec)
    _check_controls(panel.study, spec, absorbed)
    used = [name for name in spec.regressors if name not in absorbed]
    estimates = (
        _estimate(sample, spec, used, level)
        if any(name in used for name in spec.exposures)
        else pd.DataFrame(columns=["term"])
    )
    frame = _complete(sample, spec, case, level, estimates, absorbed)
    time = sample.data.index.get_level_values("time")
    shares = {name: within_share(sample.data, name) for name in spec.exposures}
    periods = (int(time.min()), int(time.max()))
    return Fit(
        specification=spec,
        case=case,
        estimates=frame,
        within_share=shares,
        periods=periods,
        ledger=sample.ledger,
        carriers=_count_carriers(sample, spec, level) if level else {},
        contributors=_count_contributors(sample, spec),
    )


def fit_specifications(panel: Panel, notebook: str, *, case: str = "all") -> tuple[Fit, ...]:
    """Fit every specification that the study gives to a notebook, in file order.

    Raises
    ------
    ModelError, PanelError
        As ``fit``.
    """
    wanted = [s.id for s in panel.study.specifications if s.notebook == notebook]
    return tuple(fit(panel, name, case=case) for name in wanted)


def list_estimates(fits: tuple[Fit, ...]) -> pd.DataFrame:
    """List what was estimated, a row a coefficient, for the reader of a notebook."""
    shown = ["estimate", "std_error", "conf_low", "conf_high", "nobs", "n_clusters", "cov_type",
             "role", "reason"]  # fmt: skip
    empty = pd.DataFrame(columns=list(COLUMNS))
    frame = pd.concat([fit.estimates for fit in fits]) if fits else empty
    counts = {"nobs": "Int64", "n_clusters": "Int64"}
    return frame.astype(counts).set_index(["specification", "term"])[shown].round(4)


def list_within_shares(fits: tuple[Fit, ...]) -> pd.DataFrame:
    """List how much of each exposure's variance is within entities (0 to 1)."""
    shares = {fit.specification.id: fit.within_share for fit in fits}
    return pd.DataFrame(shares).T.rename_axis("specification").round(3)


def guard_level(study: Study, spec: Specification) -> str:
    """Decide the level of inference: the exposure's own, or a coarser one.

    Raises
    ------
    ModelError
        Where the specification asks for a level finer than an exposure's.
    """
    if spec.role == "replication":
        return ""
    rank = {name: LEVELS.index(name) for name in LEVELS}
    declared = [study.variable(name).level for name in spec.exposures]
    needed = max([study.entity.level, *declared], key=lambda name: rank[name])
    if needed == "factory-cycle":
        needed = "factory"
    asked = spec.clusters or needed
    if rank[asked] < rank[needed]:
        raise ModelError(
            f"{study.path.name}: specification '{spec.id}', clusters",
            seen=f"'{asked}', finer than the level at which {', '.join(spec.exposures)} varies",
            expected=f"'{needed}' or coarser",
            do="Remove 'clusters' or name a coarser level: a value copied to many rows "
            "is still one value, and its standard error must not shrink.",
        )
    return asked


def _absorbed(data: pd.DataFrame, spec: Specification) -> dict[str, str]:
    """Say which regressors have nothing left to estimate from, and why."""
    gone = {}
    for name in spec.regressors:
        if data[name].nunique() < 2:
            gone[name] = f"{name} has one and the same value in every row of the sample"
        elif spec.estimator != "fixed_effects" or _varies(data, name, spec):
            continue
        elif "entity" in spec.effects and within_share(data, name) < NO_CHANGE:
            gone[name] = f"{name} never changes within an entity: its within share is 0"
        else:
            gone[name] = f"nothing of {name} is left once the effects are taken out"
    return gone


def _check_controls(study: Study, spec: Specification, absorbed: dict[str, str]) -> None:
    for name in spec.controls:
        if name in absorbed:
            raise ModelError(
                f"{study.path.name}: specification '{spec.id}', controls",
                seen=absorbed[name],
                expected="controls that the design can use",
                do=f"Take {name} out of this specification's controls.",
            )


def _estimate(sample: Panel, spec: Specification, used: list[str], level: str) -> pd.DataFrame:
    data = sample.data
    outcome = _outcome(sample, spec)
    exog = _design(data, spec, used)
    if spec.role == "replication":
        result = _call(sample, spec, outcome, exog, {"cov_type": "unadjusted"})
        inference = _Inference("", "unadjusted", "n/(n-k)", None, float(result.df_resid))
        return _tidy(sample, spec, used, result.params, result.std_errors, inference)
    clusters = _clusters(sample, spec, level)
    groups = int(clusters.nunique())
    if groups < 2:
        raise ModelError(
            f"{sample.study.path.name}: specification '{spec.id}'",
            seen=f"a single {level} to cluster on",
            expected="two or more",
            do="Add data of other units; from a single one nothing can be inferred.",
        )
    options = _clustered(spec, clusters)
    result = _call(sample, spec, outcome, exog, options)
    if groups < FEW_CLUSTERS:
        errors = _jackknife(sample, spec, used, clusters, result.params)
        inference = _Inference(level, "CR3", "jackknife", groups, groups - 1)
    else:
        errors = result.std_errors * _nested_factor(data, spec, exog, clusters)
        inference = _Inference(level, "CR1", "fixest", groups, groups - 1)
    return _tidy(sample, spec, used, result.params, errors, inference)


def _outcome(sample: Panel, spec: Specification) -> pd.Series:
    outcome = sample.data[spec.outcome].astype("float64")
    if outcome.nunique() < 2:
        raise ModelError(
            f"{sample.study.path.name}: specification '{spec.id}', outcome",
            seen=f"{spec.outcome} has one and the same value in every row",
            expected="an outcome that varies",
            do="Look at the raw file, or choose another outcome.",
        )
    return outcome


def _clusters(sample: Panel, spec: Specification, level: str) -> pd.Series:
    name = cluster_column(sample.study, level)
    clusters = sample.data[name]
    if clusters.isna().any():
        raise ModelError(
            f"{sample.study.path.name}: specification '{spec.id}'",
            seen=f"{int(clusters.isna().sum())} rows without {name}",
            expected=f"a {level} for every row, because inference is clustered there",
            do="Complete the column in the raw file, or cluster at another level.",
        )
    return clusters.rename("clusters")


def _design(data: pd.DataFrame, spec: Specification, used: list[str]) -> pd.DataFrame:
    """Build the regressors: absorbed effects stay out, others come as dummies.

    Each is centred, which no slope feels: linearmodels loses all digits of a regressor
    whose mean is large against its spread.
    """
    exog = data[used].astype("float64")
    exog = exog - exog.mean()
    if spec.estimator != "fixed_effects":
        exog[_CONSTANT] = 1.0
        if "time" in spec.effects:
            time = data.index.get_level_values("time")
            dummies = pd.get_dummies(time, prefix="(time", drop_first=True, dtype=float)
            exog = exog.join(dummies.set_index(exog.index))
    return exog


def _runner(spec: Specification) -> Callable[..., Any]:
    if spec.estimator == "fixed_effects":
        effects = {f"{name}_effects": True for name in spec.effects}
        return lambda outcome, exog, options: PanelOLS(outcome, exog, **effects).fit(**options)
    model = {"pooled_ols": PooledOLS, "between": BetweenOLS, "random_effects": RandomEffects}
    chosen = model[spec.estimator]
    return lambda outcome, exog, options: chosen(outcome, exog).fit(**options)


def _clustered(spec: Specification, clusters: pd.Series) -> dict[str, Any]:
    codes = pd.DataFrame({"clusters": pd.factorize(clusters)[0]}, index=clusters.index)
    options = {"cov_type": "clustered", "clusters": codes, "group_debias": True}
    if spec.estimator == "fixed_effects":
        options |= {"auto_df": False, "count_effects": False}
    return options


def _nested_factor(
    data: pd.DataFrame, spec: Specification, exog: pd.DataFrame, clusters: pd.Series
) -> float:
    """Correct linearmodels' n−K to fixest's n−k, where k counts effects not nested."""
    if spec.estimator != "fixed_effects":
        return 1.0
    n, k = exog.shape
    counted = k
    if "entity" in spec.effects:
        entities = clusters.groupby(level="entity")
        nested = bool((entities.nunique() == 1).all())
        counted += 1 if nested else entities.ngroups
    if "time" in spec.effects:
        periods = data.index.get_level_values("time").nunique()
        counted += periods - 1 if "entity" in spec.effects else periods
    return float(np.sqrt((n - k) / (n - counted)))


def _jackknife(
    sample: Panel, spec: Specification, used: list[str], clusters: pd.Series, estimate: pd.Series
) -> pd.Series:
    """Leave each cluster out in turn; a term that one of them alone carries gets none."""
    deviations = []
    for unit in clusters.unique():
        rest = replace(sample, data=sample.data[clusters != unit])
        usable = [name for name in used if _varies(rest.data, name, spec)]
        outcome, exog = _outcome(rest, spec), _design(rest.data, spec, usable)
        result = _call(rest, spec, outcome, exog, {"cov_type": "unadjusted"})
        deviations.append(result.params.reindex(used) - estimate[used])
    groups = len(deviations)
    total = (pd.DataFrame(deviations) ** 2).sum(skipna=False)
    errors: pd.Series = np.sqrt(total * (groups - 1) / groups)
    return errors


def _varies(data: pd.DataFrame, name: str, spec: Specification) -> bool:
    """Tell whether a regressor has anything left once the design's effects are out."""
    values = data[name].astype("float64")
    spread = float(((values - values.mean()) ** 2).sum())
    return spread > 0 and float((_left(values, spec) ** 2).sum()) / spread >= NO_CHANGE


def _left(values: pd.Series, spec: Specification) -> npt.NDArray[np.float64]:
    """Take the absorbed effects out of a variable, by turns until nothing changes."""
    left = (values - values.mean()).to_numpy()
    if spec.estimator != "fixed_effects":
        return left
    codes = [pd.factorize(values.index.get_level_values(name))[0] for name in spec.effects]
    for _ in range(_MOST_TURNS):
        before = left
        for code in codes:
            left = left - (np.bincount(code, left) / np.bincount(code))[code]
        if len(codes) < 2 or float(np.abs(left - before).max()) < _STILL:
            break
    return left


def _call(
    sample: Panel,
    spec: Specification,
    outcome: pd.Series,
    exog: pd.DataFrame,
    options: dict[str, Any],
) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return _runner(spec)(outcome, exog, options)
        except (
            ValueError, ZeroDivisionError, np.linalg.LinAlgError, UserWarning, AbsorbingEffectError
        ) as error:  # fmt: skip
            first = str(error).strip().splitlines()[0] if str(error).strip() else "no reason"
            raise ModelError(
                f"{sample.study.path.name}: specification '{spec.id}'",
                seen=f"{len(exog)} rows and {', '.join(exog.columns)} ({first})",
                expected="more rows than regressors, and none a combination of others",
                do="Take one of the regressors out, or widen the sample.",
            ) from error


def _tidy(
    sample: Panel,
    spec: Specification,
    used: list[str],
    params: pd.Series,
    errors: pd.Series,
    inference: _Inference,
) -> pd.DataFrame:
    table = pd.DataFrame({"estimate": params, "std_error": errors}).loc[used]
    table["statistic"] = table["estimate"] / table["std_error"]
    table["p_value"] = 2 * stats.t.sf(table["statistic"].abs(), inference.df)
    reach = stats.t.ppf((1 + CONF_LEVEL) / 2, inference.df) * table["std_error"]
    table["conf_low"] = table["estimate"] - reach
    table["conf_high"] = table["estimate"] + reach
    table["conf_level"] = CONF_LEVEL
    table["cov_type"] = inference.cov_type
    table["small_sample"] = inference.small_sample
    table["reason"] = ""
    table["n_clusters"] = inference.n_clusters
    table["n_treated_clusters"] = pd.Series(_count_treated(sample, spec, inference.level))
    no_test = ["std_error", "statistic", "p_value", "conf_low", "conf_high"]
    carriers = _count_carriers(sample, spec, inference.level) if inference.level else {}
    for name, count in carriers.items():
        if name in table.index and count < 2:
            table.loc[name, no_test] = np.nan
            table.loc[name, "reason"] = (
                f"fewer than two units of the level {inference.level} are treated, untreated "
                f"or change: no p-value and no interval"
            )
    broken = table["std_error"].isna() & (table["reason"] == "")
    table.loc[broken, "reason"] = "rests on a single cluster: no p-value and no interval"
    return table.rename_axis("term").reset_index()


def _count_treated(sample: Panel, spec: Specification, level: str) -> dict[str, int]:
    """Count clusters that are ever treated, for 0/1 exposures."""
    if not level:
        return {}
    clusters = sample.data[cluster_column(sample.study, level)]
    values = {name: sample.data[name] for name in spec.exposures}
    return {
        name: int(clusters[value == 1].nunique())
        for name, value in values.items()
        if set(value.unique()) <= {0, 1}
    }


def _count_carriers(sample: Panel, spec: Specification, level: str) -> dict[str, int]:
    units = sample.data[cluster_column(sample.study, level)]
    return {name: _least_side(sample.data[name], units, spec) for name in spec.exposures}


def _count_contributors(sample: Panel, spec: Specification) -> dict[str, int | None]:
    try:
        units = sample.data[cluster_column(sample.study, sample.provenance.protected_unit)]
    except PanelError:
        return dict.fromkeys(spec.exposures)
    return {name: _least_side(sample.data[name], units, spec) for name in spec.exposures}


def _least_side(values: pd.Series, units: pd.Series, spec: Specification) -> int:
    """Count the units of the thinnest side of a comparison."""
    values = values.astype("float64")
    commonest = values.mode()[0]
    sides = [units[values != commonest].nunique()]
    if values.nunique() == 2:
        sides.append(units[values == commonest].nunique())
    if spec.estimator == "fixed_effects" and "entity" in spec.effects:
        within = values - values.groupby(level="entity").transform("mean")
        sides.append(units[within.abs() > _STILL * max(1.0, float(values.abs().max()))].nunique())
    return int(min(sides))


def _complete(
    sample: Panel,
    spec: Specification,
    case: str,
    level: str,
    estimates: pd.DataFrame,
    absorbed: dict[str, str],
) -> pd.DataFrame:
    refused = pd.DataFrame(
        [{"term": name, "reason": absorbed[name]} for name in spec.exposures if name in absorbed]
    )
    parts = [part for part in (estimates, refused) if not part.empty]
    frame = pd.concat(parts, ignore_index=True)
    return frame.assign(
        analysis=sample.study.slug,
        case=case,
        specification=spec.id,
        estimator=spec.estimator,
        outcome=spec.outcome,
        unit=sample.study.variable(spec.outcome).unit,
        nobs=len(sample.data),
        n_entities=sample.n_entities,
        n_periods=sample.n_periods,
        level=level,
        role=spec.role,
    ).reindex(columns=list(COLUMNS))
