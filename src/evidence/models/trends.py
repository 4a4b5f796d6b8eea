"""How far trends may part before a study's effect of adoption can no longer be told from 0."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from evidence.models.designs.adoption import estimate_adoption, find_cohorts
from evidence.models.designs.sensitivity import bound_violations
from evidence.models.estimators import redesign
from evidence.panel import Panel


def bound_trends(panel: Panel, specification: str) -> pd.DataFrame:
    """Widen the interval of a specification's effect for trends that are not parallel.

    The effects by period since adoption are Callaway and Sant'Anna's (2021) against the period
    before it; the bounds are those of ``bound_violations``, relative magnitudes.

    Returns
    -------
    DataFrame
        Index ``magnitude``: by how many times the largest step between trends before adoption
        they may part in one period after it. Columns ``conf_low``, ``conf_high``, ``conf_level``.

    Raises
    ------
    ModelError
        Where the specification is no staggered adoption, or has no periods before it.
    """
    adoption = ("callaway_santanna", "sun_abraham", "imputation")
    _, design = redesign(panel, specification, adoption)
    spec = panel.study.specification(specification)
    exposure = spec.exposures[0]
    covariates = replace(design, regressors=design.regressors.drop(columns=exposure))
    path = estimate_adoption(
        covariates,
        cohort=find_cohorts(design.regressors[exposure]),
        method="callaway_santanna",
        control=spec.compared_with,
        aggregate="dynamic",
        base="universal",
    )
    return bound_violations(path).table.set_index("magnitude")
