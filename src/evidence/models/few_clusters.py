"""Which inference speaks where clusters are few.

At 30 clusters and more CR1 with t(G−1); from 6 to 29 the wild bootstrap and the
jackknife CR3, the one with the larger p; below 6 CR3 (rejection rates of each were
simulated for the design of this package: docs/decisions).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from evidence.errors import ModelError
from evidence.models.design import Design, Diagnostic, Estimates, Floats, tabulate_estimates
from evidence.models.kernel.bootstrap import bootstrap_wild
from evidence.models.kernel.clusters import (
    ClusterMoments,
    collect_moments,
    count_effective,
    jackknife,
)

FEW_CLUSTERS = 30
LEAST_FOR_BOOTSTRAP = 6

Estimator = Callable[[Design], Estimates]


def infer(design: Design, estimator: Estimator, *, linear: bool) -> tuple[Estimates, pd.DataFrame]:
    """Estimate a design and let the rule choose whose p-value and interval are printed.

    ``linear`` says that the estimator is least squares with ``design.effects`` absorbed,
    for which the bootstrap holds; others have the jackknife alone. The table has the
    columns of ``tabulate_estimates`` and ``cov_type, small_sample, reason``.
    """
    estimates = estimator(design)
    groups = estimates.n_clusters
    if groups is None or groups >= FEW_CLUSTERS or np.isnan(estimates.std_errors).all():
        return estimates, _label(tabulate_estimates(estimates), estimates)
    moments = _collect(design) if linear else None
    covariance = (
        leave_clusters_out(design, estimator, estimates) if moments is None else jackknife(moments)
    )
    estimates = replace(
        estimates,
        covariance=covariance,
        df=float(groups - 1),
        cov_type="CR3",
        small_sample="jackknife",
    )
    table = _label(tabulate_estimates(estimates), estimates)
    if moments is None:
        return estimates, table
    effective = [
        Diagnostic(f"effective_clusters {term}", count_effective(moments, term))
        for term in estimates.terms
    ]
    estimates = replace(estimates, diagnostics=(*estimates.diagnostics, *effective))
    return estimates, _bootstrap(moments, table) if groups >= LEAST_FOR_BOOTSTRAP else table


def leave_clusters_out(design: Design, estimator: Estimator, whole: Estimates) -> Floats:
    """Give the delete-one-cluster covariance CR3 (K × K) of any estimator, by refits.

    A term that cannot be estimated without some cluster has nan.
    """
    assert design.clusters is not None
    rests = []
    for cluster in design.clusters.unique():
        rest = _without(design, cluster)
        try:
            told = estimator(rest)
        except ModelError:
            rests.append(np.full(len(whole.terms), np.nan))
            continue
        found = dict(zip(told.terms, told.coefficients, strict=True))
        rests.append(np.array([found.get(term, np.nan) for term in whole.terms]))
    deviations = np.array(rests) - whole.coefficients
    groups = len(rests)
    covariance: Floats = (groups - 1) / groups * deviations.T @ deviations
    return covariance


def _without(design: Design, cluster: object) -> Design:
    assert design.clusters is not None
    kept = (design.clusters != cluster).to_numpy()
    return replace(
        design,
        outcome=design.outcome[kept],
        regressors=design.regressors[kept],
        effects=design.effects[kept],
        clusters=design.clusters[kept],
    )


def _collect(design: Design) -> ClusterMoments | None:
    """Collect the cross products of clusters; None where too many effects cut across them."""
    try:
        return collect_moments(design)
    except ModelError:
        return None


def _bootstrap(moments: ClusterMoments, table: pd.DataFrame) -> pd.DataFrame:
    spoken = [
        _speak_wild(moments, row) if np.isfinite(row["std_error"]) else row
        for row in table.to_dict("records")
    ]
    return pd.DataFrame(spoken)


def _speak_wild(moments: ClusterMoments, row: dict[Hashable, Any]) -> dict[Hashable, Any]:
    """Let the bootstrap speak where its p is the larger one."""
    try:
        drawn = bootstrap_wild(moments, str(row["term"]))
    except ModelError as error:
        nothing = dict.fromkeys(
            ("std_error", "statistic", "p_value", "conf_low", "conf_high"), np.nan
        )
        return row | nothing | {"reason": f"{error.seen}: no p-value and no interval"}
    if not drawn.p_value > row["p_value"]:
        return row
    wild = row | {
        "p_value": drawn.p_value,
        "conf_low": drawn.conf_low,
        "conf_high": drawn.conf_high,
        "cov_type": "wild",
        "small_sample": drawn.weights,
    }
    if np.isfinite([drawn.conf_low, drawn.conf_high]).all():
        return wild
    return wild | {
        "conf_low": np.nan,
        "conf_high": np.nan,
        "reason": f"the wild bootstrap of {drawn.n_clusters} clusters rules out no value on one "
        "side: no interval",
    }


def _label(table: pd.DataFrame, estimates: Estimates) -> pd.DataFrame:
    told = {check.name: check.reason for check in estimates.diagnostics if check.reason}
    single = "rests on a single cluster"
    reasons = [told.get(f"std_error {term}", single) for term in table["term"]]
    return table.assign(
        cov_type=estimates.cov_type,
        small_sample=estimates.small_sample,
        reason=[
            f"{reason}: no p-value and no interval" if np.isnan(error) else ""
            for reason, error in zip(reasons, table["std_error"], strict=True)
        ],
    )
