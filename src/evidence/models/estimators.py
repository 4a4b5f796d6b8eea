"""A specification's sample becomes a design, and its estimator is called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from evidence.errors import ModelError
from evidence.models.design import Design, Diagnostic, Estimates
from evidence.models.designs.adoption import Method as Adoption
from evidence.models.designs.adoption import estimate_adoption, find_cohorts
from evidence.models.designs.counts import estimate_fractional, estimate_poisson
from evidence.models.designs.durations import Spells, estimate_interval_censored
from evidence.models.designs.dynamic import Reach, estimate_dynamic
from evidence.models.designs.instruments import Method, estimate_iv
from evidence.models.designs.linear import (
    estimate_between,
    estimate_first_differences,
    estimate_mundlak,
    estimate_random_effects,
)
from evidence.models.designs.pooling import estimate_pooled_cells
from evidence.models.designs.shift_share import estimate_shift_share
from evidence.models.kernel.conventions import SmallSample
from evidence.models.kernel.least_squares import estimate_least_squares
from evidence.models.level import find_clusters, guard_level
from evidence.panel import UPPER, Panel, cross_effects, select_sample
from evidence.study import Specification

LINEAR = frozenset({"pooled_ols", "fixed_effects"})
"""Estimators that are least squares with absorbed effects."""

ABSORBING = LINEAR | {"iv_2sls", "iv_liml", "iv_gmm", "poisson", "pooled_cells", "shift_share"}
"""Estimators that absorb the specification's effects."""

DURATIONS = frozenset({"interval_censored"})
"""Estimators of how long a finding stays; a row is a finding, and an effect a log hazard ratio."""

RATIOS = DURATIONS | {"poisson"}
"""Estimators whose coefficients are log points, whatever the outcome's unit is."""

Estimator = Callable[[Design], Estimates]


def make_design(
    sample: Panel, spec: Specification, used: list[str], clusters: pd.Series | None
) -> Design:
    """Lay out the rows of a sample for an estimator.

    Pooled least squares absorbs a constant where it absorbs no period. Instruments, shares,
    their moderators, and the later bound of a duration stand behind the regressors, so that a
    part of the rows keeps its own.

    Raises
    ------
    ModelError
        Where durations are asked for and the rows are no findings with their bounds.
    """
    data = sample.data
    where = f"{sample.study.path.name}: specification '{spec.id}'"
    bounds = [UPPER] if spec.estimator in DURATIONS else []
    if bounds and UPPER not in data:
        raise ModelError(
            where,
            seen="rows that are no findings with the bounds of their length",
            expected="a row a finding",
            do="Fit the specification from its panel.",
        )
    effects = cross_effects(sample, spec)
    if spec.estimator == "pooled_ols" and not spec.effects:
        effects = pd.DataFrame({"constant": np.zeros(len(data), dtype=int)}, index=data.index)
    return Design(
        outcome=data[spec.outcome].astype("float64"),
        regressors=data[[*_list_columns(spec, used), *bounds]].astype("float64"),
        effects=effects,
        clusters=clusters,
        where=where,
    )


def redesign(panel: Panel, specification: str, estimators: tuple[str, ...]) -> tuple[Panel, Design]:
    """Lay out the rows of one of a study's specifications again, for a closer look.

    Parameters
    ----------
    estimators : tuple of str
        The estimators that the look is about.

    Returns
    -------
    tuple
        The specification's sample, and its design.

    Raises
    ------
    ModelError
        Where the specification's estimator is another one.
    """
    spec = panel.study.specification(specification)
    level = guard_level(panel.study, spec)
    if spec.estimator not in estimators:
        raise ModelError(
            f"{panel.study.path.name}: specification '{spec.id}'",
            seen=spec.estimator,
            expected=", ".join(estimators),
            do="Ask of a specification that has one of these estimators.",
        )
    sample = select_sample(panel, spec)
    clusters = find_clusters(sample, spec, level)
    return sample, make_design(sample, spec, list(spec.regressors), clusters)


def _list_columns(spec: Specification, used: list[str]) -> list[str]:
    scaling = spec.moderators if spec.shares else ()
    return list(dict.fromkeys([*used, *spec.instruments, *spec.shares, *scaling]))


def choose_estimator(spec: Specification) -> Estimator:
    """Choose the function that a specification's estimator names, with its options.

    A replication keeps the rows that the published table kept.
    """
    if spec.estimator in LINEAR:
        default: SmallSample = "stata" if spec.role == "replication" else "fixest"
        return partial(estimate_least_squares, small_sample=spec.convention or default)
    return _CHOOSE[spec.estimator](spec)


def _plain(estimator: Estimator) -> Callable[[Specification], Estimator]:
    return lambda _: estimator


def _choose_iv(spec: Specification) -> Estimator:
    method = _IV[spec.estimator]

    def estimate(design: Design) -> Estimates:
        instruments = design.regressors[list(spec.instruments)]
        kept = [name for name in design.regressors.columns if name not in spec.instruments]
        inner = replace(design, regressors=design.regressors[kept])
        endogenous = tuple(name for name in spec.exposures if name in kept)
        return estimate_iv(inner, endogenous=endogenous, instruments=instruments, method=method)

    return estimate


def _choose_shift_share(spec: Specification) -> Estimator:
    """Scale shares by the centred moderator for an interaction, as its exposure is."""

    def estimate(design: Design) -> Estimates:
        columns = design.regressors
        moderators = {name: columns[name] - columns[name].mean() for name in spec.moderators}
        alone = pd.Series(1.0, index=columns.index)
        scaled_by = {
            **dict.fromkeys(spec.exposures, alone),
            **{f"{x}:{m}": moderators[m] for x in spec.exposures for m in spec.moderators},
        }
        fixed = {m for m in spec.moderators if columns[m].groupby(level=0).nunique().max() == 1}
        extra = {*spec.shares, *fixed} - {*spec.regressors}
        inner = replace(design, regressors=columns.drop(columns=list(extra)))
        kept = {name: factor for name, factor in scaled_by.items() if name in inner.regressors}
        return estimate_shift_share(inner, columns[list(spec.shares)], scaled_by=kept)

    return estimate


def _estimate_durations(design: Design) -> Estimates:
    """Estimate hazard ratios of findings; each period has a baseline where time is an effect."""
    effects = design.effects
    return estimate_interval_censored(
        Spells(
            lower=design.outcome,
            upper=design.regressors[UPPER],
            regressors=design.regressors.drop(columns=UPPER),
            clusters=design.clusters,
            strata=effects.get("time"),
            where=design.where,
        )
    )


def _choose_gmm(spec: Specification) -> Estimator:
    gmm: dict[str, Reach | None] = dict.fromkeys(spec.predetermined, (1, None))
    gmm |= dict.fromkeys(spec.endogenous, (2, None))
    return partial(
        estimate_dynamic,
        lags=spec.lags,
        regressor_lags=spec.regressor_lags,
        gmm=gmm or None,
        transformation="system" if spec.estimator == "system_gmm" else "difference",
        steps=spec.steps,
        collapse=spec.collapse,
    )


def _choose_fractional(spec: Specification) -> Estimator:
    """Partial effects; entity effects become the entities' means of the regressors."""
    means = "entity" in spec.effects

    def estimate(design: Design) -> Estimates:
        inner = replace(design, effects=design.effects.drop(columns="entity", errors="ignore"))
        return estimate_fractional(inner, mundlak=means, scale="partial")

    return estimate


def _choose_adoption(spec: Specification) -> Estimator:
    """Give the exposure's row the average effect on adopters; the path of effects follows."""
    exposure = spec.exposures[0]
    method = _ADOPTION[spec.estimator]

    def estimate(design: Design) -> Estimates:
        cohort = find_cohorts(design.regressors[exposure])
        covariates = replace(design, regressors=design.regressors.drop(columns=exposure))
        call = partial(
            estimate_adoption, covariates, cohort=cohort, method=method, control=spec.compared_with
        )
        return _join(exposure, call(aggregate="simple"), call(aggregate="dynamic"))

    return estimate


def _join(exposure: str, average: Estimates, path: Estimates) -> Estimates:
    """Put the average effect and the path by years since adoption into one table.

    Covariances between the two are not known (nan).
    """
    events = [number for number, term in enumerate(path.terms) if term.startswith("event")]
    terms = (exposure, *(f"{exposure} {path.terms[number]}" for number in events))
    covariance = np.full((len(terms), len(terms)), np.nan)
    covariance[0, 0] = average.covariance[0, 0]
    covariance[1:, 1:] = path.covariance[np.ix_(events, events)]
    told = {check.name: check for check in (*average.diagnostics, *path.diagnostics)}
    checks: tuple[Diagnostic, ...] = tuple(told.values())
    coefficients = np.concatenate([average.coefficients[:1], path.coefficients[events]])
    return replace(
        path,
        terms=terms,
        coefficients=coefficients,
        covariance=covariance,
        diagnostics=checks,
    )


_IV: dict[str, Method] = {"iv_2sls": "2sls", "iv_liml": "liml", "iv_gmm": "gmm"}
_ADOPTION: dict[str, Adoption] = {
    "callaway_santanna": "callaway_santanna",
    "sun_abraham": "sun_abraham",
    "imputation": "imputation",
}
_CHOOSE: dict[str, Callable[[Specification], Estimator]] = {
    "between": _plain(estimate_between),
    "random_effects": _plain(estimate_random_effects),
    "first_differences": _plain(estimate_first_differences),
    "mundlak": _plain(estimate_mundlak),
    "iv_2sls": _choose_iv,
    "iv_liml": _choose_iv,
    "iv_gmm": _choose_iv,
    "difference_gmm": _choose_gmm,
    "system_gmm": _choose_gmm,
    "poisson": _plain(estimate_poisson),
    "fractional": _choose_fractional,
    "interval_censored": _plain(_estimate_durations),
    "callaway_santanna": _choose_adoption,
    "sun_abraham": _choose_adoption,
    "imputation": _choose_adoption,
    "pooled_cells": lambda _: partial(estimate_pooled_cells, known={}),
    "shift_share": _choose_shift_share,
}
