"""Which inference speaks where clusters are few.

At 30 clusters and more CR1 with t(G−1), unless fewer than 10 carry a term's comparison;
from 6 to 29, and for such a term, the wild bootstrap and the jackknife CR3, the one with
the larger p; below 6 CR3 (docs/decisions/0014-few-clusters.md).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
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
FEW_CARRIERS = 10
LEAST_FOR_BOOTSTRAP = 6
MOST_REFITS = 100
MOST_SOLVED = 5_000

Estimator = Callable[[Design], Estimates]

_INFERENCE = ["std_error", "statistic", "p_value", "conf_low", "conf_high"]


def infer(
    design: Design,
    estimator: Estimator,
    *,
    linear: bool,
    carriers: Mapping[str, int] | None = None,
) -> tuple[Estimates, pd.DataFrame]:
    """Estimate a design and let the rule choose whose p-value and interval are printed.

    ``linear`` says that the estimator is least squares with ``design.effects`` absorbed,
    for which the bootstrap holds; others have the jackknife alone. ``carriers`` maps term →
    count of clusters on the thinnest side of its comparison. The table has the columns of
    ``tabulate_estimates`` and ``cov_type, small_sample, reason``.
    """
    estimates = estimator(design)
    groups = estimates.n_clusters
    table = label(tabulate_estimates(estimates), estimates)
    few = _find_few(estimates, carriers or {})
    if groups is None or not few or np.isnan(estimates.std_errors).all():
        return estimates, table
    if groups > (MOST_SOLVED if linear else MOST_REFITS):
        return estimates, _silence_few(table, few)
    moments = _collect(design) if linear else None
    if moments is None:
        covariance, refused = leave_clusters_out(design, estimator, estimates)
    else:
        covariance, refused = jackknife(moments), ()
    careful = replace(
        estimates,
        covariance=covariance,
        df=float(groups - 1),
        cov_type="CR3",
        small_sample="jackknife",
        diagnostics=(*estimates.diagnostics, *refused),
    )
    told = label(tabulate_estimates(careful), careful)
    if moments is not None:
        effective = [
            Diagnostic(f"effective_clusters {term}", count_effective(moments, term)) for term in few
        ]
        careful = replace(careful, diagnostics=(*careful.diagnostics, *effective))
        if groups >= LEAST_FOR_BOOTSTRAP:
            told = _bootstrap(moments, told, few)
    chosen = table["term"].isin(few).to_numpy()
    rows = [new if own else old for own, new, old in zip(
        chosen, told.to_dict("records"), table.to_dict("records"), strict=True)]  # fmt: skip
    return careful, pd.DataFrame(rows)


def _find_few(estimates: Estimates, carriers: Mapping[str, int]) -> list[str]:
    """Find the terms for which the plain sandwich is too sure."""
    groups = estimates.n_clusters
    if groups is None:
        return []
    return [
        term
        for term in estimates.terms
        if groups < FEW_CLUSTERS or carriers.get(term, groups) < FEW_CARRIERS
    ]


def _silence_few(table: pd.DataFrame, few: list[str]) -> pd.DataFrame:
    rows = table["term"].isin(few)
    table.loc[rows, _INFERENCE] = np.nan
    table.loc[rows, "reason"] = (
        f"fewer than {FEW_CARRIERS} of many clusters carry it: the error is not known, "
        "no p-value and no interval"
    )
    return table


def leave_clusters_out(
    design: Design, estimator: Estimator, whole: Estimates
) -> tuple[Floats, tuple[Diagnostic, ...]]:
    """Give the delete-one-cluster covariance CR3 (K × K) of any estimator, by refits.

    A term that cannot be estimated without some cluster has nan, and a diagnostic why.
    """
    assert design.clusters is not None
    rests, refused = [], ""
    for cluster in design.clusters.unique():
        rest = _without(design, cluster)
        try:
            told = estimator(rest)
        except ModelError as error:
            rests.append(np.full(len(whole.terms), np.nan))
            refused = f"it cannot be estimated without one of the clusters ({error.seen})"
            continue
        found = dict(zip(told.terms, told.coefficients, strict=True))
        rests.append(np.array([found.get(term, np.nan) for term in whole.terms]))
    deviations = np.array(rests) - whole.coefficients
    groups = len(rests)
    covariance: Floats = (groups - 1) / groups * deviations.T @ deviations
    reasons = [Diagnostic(f"std_error {term}", reason=refused) for term in whole.terms if refused]
    return covariance, tuple(reasons)


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


def _bootstrap(moments: ClusterMoments, table: pd.DataFrame, few: list[str]) -> pd.DataFrame:
    spoken = [
        _speak_wild(moments, row) if np.isfinite(row["std_error"]) and row["term"] in few else row
        for row in table.to_dict("records")
    ]
    return pd.DataFrame(spoken)


def _speak_wild(moments: ClusterMoments, row: dict[Hashable, Any]) -> dict[Hashable, Any]:
    """Let the bootstrap speak where its p is the larger one."""
    try:
        drawn = bootstrap_wild(moments, str(row["term"]))
    except ModelError as error:
        nothing = dict.fromkeys(_INFERENCE, np.nan)
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


def label(table: pd.DataFrame, estimates: Estimates) -> pd.DataFrame:
    """Add the conventions to a table of estimates, and the reason of what is missing."""
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
