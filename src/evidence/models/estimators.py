"""A specification's sample becomes a design, and its estimator is called."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from evidence.models.design import Design, Estimates
from evidence.models.least_squares import estimate_least_squares
from evidence.models.linear import (
    estimate_between,
    estimate_first_differences,
    estimate_mundlak,
    estimate_random_effects,
)
from evidence.panel import Panel, cross_effects
from evidence.study import Specification

LINEAR = frozenset({"pooled_ols", "fixed_effects"})
"""Estimators that are least squares with absorbed effects."""

_CALL: dict[str, Callable[..., Estimates]] = {
    "pooled_ols": estimate_least_squares,
    "fixed_effects": estimate_least_squares,
    "between": estimate_between,
    "random_effects": estimate_random_effects,
    "first_differences": estimate_first_differences,
    "mundlak": estimate_mundlak,
}


def make_design(
    sample: Panel, spec: Specification, used: list[str], clusters: pd.Series | None
) -> Design:
    """Lay out the rows of a sample for an estimator.

    Pooled least squares absorbs a constant where it absorbs no period.
    """
    data = sample.data
    effects = cross_effects(sample, spec)
    if spec.estimator == "pooled_ols" and not spec.effects:
        effects = pd.DataFrame({"constant": np.zeros(len(data), dtype=int)}, index=data.index)
    return Design(
        outcome=data[spec.outcome].astype("float64"),
        regressors=data[used].astype("float64"),
        effects=effects,
        clusters=clusters,
        where=f"{sample.study.path.name}: specification '{spec.id}'",
    )


def choose_estimator(spec: Specification) -> Callable[[Design], Estimates]:
    """Choose the function that a specification's estimator names.

    A replication keeps the rows that the published table kept.
    """
    call = _CALL[spec.estimator]
    kept = spec.role == "replication" and spec.estimator in LINEAR
    return partial(call, small_sample="stata") if kept else call
