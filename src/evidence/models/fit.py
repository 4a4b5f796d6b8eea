"""A panel and a specification become a ``Fit``: estimates with their inference.

The room's door for studies: it sees to it that the inference is never finer than the
exposure's level of variation, and names the convention that was used.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from evidence.errors import ModelError
from evidence.models.design import Diagnostic, Estimates, tabulate_estimates
from evidence.models.designs.pooling import list_cell_terms
from evidence.models.estimators import ABSORBING, LINEAR, RATIOS, choose_estimator, make_design
from evidence.models.few_clusters import infer, label
from evidence.models.kernel.absorb import absorb, code_effects
from evidence.models.kernel.solve import NO_CHANGE
from evidence.models.level import (
    compares_within,
    count_carriers,
    count_contributors,
    count_treated,
    find_clusters,
    guard_level,
    list_behind,
    list_units,
    select_used,
)
from evidence.panel import Panel, cluster_column, select_sample, within_share
from evidence.study import Specification, Study

COLUMNS = (
    "analysis", "case", "specification", "estimator", "outcome", "term", "estimate",
    "std_error", "statistic", "p_value", "conf_low", "conf_high", "conf_level", "unit",
    "nobs", "n_entities", "n_periods", "n_clusters", "n_treated_clusters", "level",
    "cov_type", "small_sample", "role", "reason",
)  # fmt: skip
"""Columns of ``estimates.csv``, in order."""

_BORNE = 0.1
"""Share of the largest unit's weight in a coefficient from which another one bears it too."""

_DECIMALS = 4


@dataclass(frozen=True, slots=True)
class Fit:
    """Estimates of one specification in one case.

    ``estimates`` has the columns ``COLUMNS``, a row a term; a term that the design
    cannot estimate has no numbers and a ``reason``. ``within_share`` maps exposure →
    share of its variance within entities. ``periods`` are the first and last time.
    ``carriers`` maps term → the least count of clusters on any side of the
    comparison (treated, untreated, moving); ``contributors`` the same of protected
    units, and of those that bear the coefficient beside the other regressors, or None where
    the study has no variable that names them, and of each step of an adoption path; ``units`` maps their names → a hash of their
    rows. ``diagnostics`` are checks as values, each with the reason where it does not apply.
    """

    specification: Specification
    case: str
    estimates: pd.DataFrame
    within_share: dict[str, float]
    periods: tuple[int, int]
    ledger: pd.DataFrame
    carriers: dict[str, int]
    contributors: dict[str, int | None]
    units: dict[str, str]
    diagnostics: tuple[Diagnostic, ...]


def fit(panel: Panel, specification: str, *, case: str = "all") -> Fit:
    """Fit one specification of the panel's study.

    Convention (unless the role is replication): standard errors clustered at the
    level of the exposure or coarser, CR1 with the factor G/(G−1)·(n−1)/(n−k) in which
    entity effects nested in clusters are not counted, t(G−1), entities seen once
    dropped: the default of R's fixest ≥ 0.13 and Stata's reghdfe. Below 30 clusters, and
    where fewer than 10 carry the comparison, the wild bootstrap and the jackknife CR3 take
    its place (``few_clusters.infer``); where fewer than two clusters are treated, untreated
    or (within entities) ever change, there is no p-value and no interval. Replications of
    linear models keep the published table's unadjusted errors, t(n−k).

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
    sample = _cross_moderators(select_sample(panel, spec), spec)
    absorbed = _find_absorbed(sample, spec)
    _check_controls(panel.study, spec, absorbed)
    used = [name for name in _list_columns(spec) if name not in absorbed]
    told = [name for name in spec.exposures if name in used]
    estimates, table = _estimate(sample, spec, used, level) if told else (None, _nothing())
    told_rows = select_used(sample, spec)
    time = told_rows.data.index.get_level_values("time")
    shares = {name: within_share(sample.data, name) for name in spec.exposures}
    return Fit(
        specification=spec,
        case=case,
        estimates=_complete(sample, spec, case, level, table, absorbed),
        within_share=shares,
        periods=(int(time.min()), int(time.max())),
        ledger=sample.ledger,
        carriers=_bound(count_carriers(told_rows, spec, level), estimates),
        contributors={
            **_count_bearers(sample, spec, used, count_contributors(told_rows, spec)),
            **{term: len(names) for term, names in list_behind(sample, spec).items()},
        },
        units=list_units(told_rows, spec),
        diagnostics=estimates.diagnostics if estimates else (),
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
    """List what was estimated, a row a coefficient, for the reader of a notebook.

    ``within_share`` (0 to 1) says how much of an exposure's variance is within entities.
    Four decimals, and all of them for an estimate whose error would have none.
    """
    shown = ["estimate", "std_error", "conf_low", "conf_high", "nobs", "n_clusters", "cov_type",
             "within_share", "role", "reason"]  # fmt: skip
    empty = pd.DataFrame(columns=[*COLUMNS, "within_share"])
    tables = [fit.estimates.assign(within_share=fit.estimates["term"].map(fit.within_share))
              for fit in fits]  # fmt: skip
    frame = pd.concat(tables) if fits else empty
    counts = {"nobs": "Int64", "n_clusters": "Int64"}
    exact = frame.astype(counts).set_index(["specification", "term"])[shown]
    told, tiny = exact.round(_DECIMALS), (exact["std_error"] < 10.0**-_DECIMALS).to_numpy()
    told.loc[tiny] = exact.loc[tiny]
    return told


def _bound(counts: dict[str, int], estimates: Estimates | None) -> dict[str, int]:
    """Bound counts of clusters by those that the estimator could use."""
    groups = None if estimates is None else estimates.n_clusters
    return {name: count if groups is None else min(count, groups) for name, count in counts.items()}


def list_diagnostics(fits: tuple[Fit, ...]) -> pd.DataFrame:
    """List the checks of each specification: value, p-value, or why they do not apply."""
    rows = [
        {"specification": fit.specification.id, "check": check.name, "value": check.value,
         "df": check.df, "p_value": check.p_value, "reason": check.reason}
        for fit in fits
        for check in fit.diagnostics
    ]  # fmt: skip
    columns = ["specification", "check", "value", "df", "p_value", "reason"]
    return pd.DataFrame(rows, columns=columns).set_index(["specification", "check"])


def _nothing() -> pd.DataFrame:
    return pd.DataFrame(columns=["term"])


def _list_columns(spec: Specification) -> list[str]:
    """List the columns of a regression: a moderator stands beside its interactions."""
    alone = [name for name in spec.moderators if name not in spec.regressors]
    return [*spec.regressors, *alone, *spec.interactions]


def _cross_moderators(sample: Panel, spec: Specification) -> Panel:
    """Add a column an interaction: exposure × (moderator − its mean in the sample).

    Centred, so that the exposure's own coefficient stays that of the average row.
    """
    data = sample.data
    centred = {name: data[name].astype("float64") - data[name].mean() for name in spec.moderators}
    crossed = {
        f"{x}:{m}": data[x].astype("float64") * centred[m]
        for x in spec.exposures
        for m in spec.moderators
    }
    return replace(sample, data=data.assign(**crossed)) if crossed else sample


def _find_absorbed(sample: Panel, spec: Specification) -> dict[str, str]:
    """Say which regressors have nothing left to estimate from, and why."""
    data = sample.data
    names = _list_columns(spec)
    columns = data[names].to_numpy(dtype="float64")
    spread = ((columns - columns.mean(axis=0)) ** 2).sum(axis=0)
    left = spread
    if spec.effects and spec.estimator in ABSORBING:
        design = make_design(sample, spec, names, None)
        inside = absorb(columns, code_effects(design.effects), where=design.where)
        left = (inside**2).sum(axis=0)
    within = compares_within(spec) and spec.estimator != "mundlak"
    gone = {}
    for name, rest, whole in zip(names, left, spread, strict=True):
        if data[name].nunique() < 2:
            gone[name] = f"{name} has one and the same value in every row of the sample"
        elif within and within_share(data, name) < NO_CHANGE:
            gone[name] = f"{name} never changes within an entity: its within share is 0"
        elif rest / whole < NO_CHANGE:
            gone[name] = f"nothing of {name} is left once the effects are taken out"
    return gone


def _count_bearers(
    sample: Panel, spec: Specification, used: list[str], counts: dict[str, int | None]
) -> dict[str, int | None]:
    """Bound counts of protected units by how many bear each coefficient.

    A coefficient of least squares is that of its regressor once the others and the effects
    are taken out (Frisch and Waugh 1933); a unit bears it by the sum of squares left to it.
    Counted are units with a tenth or more of the largest: all others together tell little.
    """
    named = {name: count for name, count in counts.items() if count is not None and name in used}
    if not named:
        return counts
    units = sample.data[cluster_column(sample.study, sample.provenance.protected_unit)]
    left = take_out(sample, spec, used)
    bounds = {}
    for name, count in named.items():
        alone = left[name].to_numpy()
        others = left.drop(columns=name).to_numpy()
        rest = alone - others @ np.linalg.lstsq(others, alone, rcond=None)[0]
        borne = pd.Series(rest**2).groupby(units.loc[left.index].to_numpy()).sum()
        bounds[name] = min(count, int((borne >= _BORNE * borne.max()).sum()))
    return counts | bounds


def take_out(sample: Panel, spec: Specification, used: list[str]) -> pd.DataFrame:
    """Take from regressors what an estimator compares nothing with: effects, means, levels."""
    columns = sample.data[used].astype("float64")
    if spec.estimator == "between":
        means = columns.groupby(level="entity").transform("mean")
        return means - means.mean()
    if spec.estimator == "first_differences":
        columns = columns.groupby(level="entity").diff().dropna()
        return columns - columns.groupby(level="time").transform("mean")
    if spec.estimator in ABSORBING and spec.effects:
        design = make_design(sample, spec, used, None)
        inside = absorb(columns.to_numpy(), code_effects(design.effects), where=design.where)
        return pd.DataFrame(inside, columns=columns.columns, index=columns.index)
    if compares_within(spec):
        columns = columns - columns.groupby(level="entity").transform("mean")
    return columns - columns.mean()


def _check_controls(study: Study, spec: Specification, absorbed: dict[str, str]) -> None:
    for name in spec.controls:
        if name in absorbed:
            raise ModelError(
                f"{study.path.name}: specification '{spec.id}', controls",
                seen=absorbed[name],
                expected="controls that the design can use",
                do=f"Take {name} out of this specification's controls.",
            )


def _estimate(
    sample: Panel, spec: Specification, used: list[str], level: str
) -> tuple[Estimates, pd.DataFrame]:
    clusters = find_clusters(sample, spec, level) if level and not spec.shares else None
    design = make_design(sample, spec, used, clusters)
    estimator = choose_estimator(spec)
    carriers = count_carriers(select_used(sample, spec), spec, level)
    if clusters is not None:
        linear = spec.estimator in LINEAR
        estimates, table = infer(design, estimator, linear=linear, carriers=carriers)
    else:
        estimates = estimator(design)
        table = label(tabulate_estimates(estimates), estimates)
    table = table.assign(nobs=estimates.nobs, n_clusters=estimates.n_clusters)
    table = _silence(table, carriers, level)
    entity = sample.study.entity.level
    if spec.estimator == "pooled_cells" and entity == _find_own_level(sample.study, spec):
        told = tuple(name for name in spec.exposures if name in used)
        cells = list_cell_terms(design, told)
        levels = cells["n_entities"].notna().map({True: entity, False: level})
        table = pd.concat([table, cells.assign(level=levels)], ignore_index=True)
    return estimates, table


def _find_own_level(study: Study, spec: Specification) -> str:
    """Find the level of inference of the exposure itself, whatever coarser one is asked for."""
    return guard_level(study, replace(spec, clusters=""))


def _silence(table: pd.DataFrame, carriers: dict[str, int], level: str) -> pd.DataFrame:
    """Take the inference from terms of an exposure that fewer than two clusters carry."""
    numbers = ["std_error", "statistic", "p_value", "conf_low", "conf_high"]
    for name, count in carriers.items():
        rows = table["term"].str.fullmatch(rf"(lag\d+_|mean_)*{re.escape(name)}( event .*)?")
        if count < 2:
            table.loc[rows, numbers] = np.nan
            table.loc[rows, "reason"] = (
                f"fewer than two units of the level {level} are treated, untreated "
                f"or change: no p-value and no interval"
            )
    return table


def _complete(
    sample: Panel,
    spec: Specification,
    case: str,
    level: str,
    estimates: pd.DataFrame,
    absorbed: dict[str, str],
) -> pd.DataFrame:
    refused = pd.DataFrame(
        [
            {"term": name, "reason": absorbed[name]}
            for name in (*spec.exposures, *spec.interactions)
            if name in absorbed
        ]
    )
    parts = [part for part in (estimates, refused) if not part.empty]
    frame = pd.concat(parts, ignore_index=True)
    return frame.assign(
        analysis=sample.study.slug,
        case=case,
        specification=spec.id,
        estimator=spec.estimator,
        outcome=spec.outcome,
        unit="log points" if spec.estimator in RATIOS else sample.study.variable(spec.outcome).unit,
        nobs=_fill(frame, "nobs", len(sample.data)),
        n_treated_clusters=_count_treated(sample, spec, level, frame),
        n_entities=_fill(frame, "n_entities", sample.n_entities),
        n_periods=sample.n_periods,
        level=_fill(frame, "level", level),
        role=spec.role,
    ).reindex(columns=list(COLUMNS))


def _fill(frame: pd.DataFrame, name: str, value: int | str) -> pd.Series | int | str:
    """Give a column where terms have their own, else the value of the whole sample."""
    if name not in frame:
        return value
    filled = frame[name].astype("object").where(frame[name].notna(), value)
    return filled if isinstance(value, str) else filled.astype("int64")


def _count_treated(
    sample: Panel, spec: Specification, level: str, frame: pd.DataFrame
) -> pd.Series:
    """Count treated clusters of each term, no more than the estimator could use."""
    counts = frame["term"].map(count_treated(select_used(sample, spec), spec, level))
    if "n_clusters" not in frame:
        return counts
    groups = pd.to_numeric(frame["n_clusters"])
    return counts.where(~(counts > groups), groups)
