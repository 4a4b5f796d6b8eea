"""Small-sample conventions by name: what is counted, and which factor follows.

``fixest``: R's fixest ≥ 0.13 and Stata's reghdfe: G/(G−1)·(n−1)/(n−k), where effects
nested in clusters count once together; t(G−1); rows alone in a level dropped.
``stata``: Stata's areg: the same with all effects counted, nothing dropped.
``linearmodels``: its ``PanelOLS`` with default options: n/(n−k) with all effects counted,
no G/(G−1), t(n−k), nothing dropped.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from evidence.models.absorb import Effects
from evidence.models.design import Codes

_LOOK = 4_096

SmallSample = Literal["fixest", "stata", "linearmodels"]


def count_parameters(
    regressors: int, effects: Effects, clusters: Codes | None, small_sample: SmallSample
) -> int:
    """Count the parameters that a convention charges: regressors and effects."""
    if not effects.codes:
        return regressors
    counted = [
        levels - 1
        for code, levels in zip(effects.codes, effects.levels, strict=True)
        if small_sample != "fixest" or clusters is None or not is_nested(code, levels, clusters)
    ]
    return regressors + 1 + sum(counted)


def scale_covariance(nobs: int, parameters: int, groups: int, small_sample: SmallSample) -> float:
    """Give the factor on the cluster sandwich CR0."""
    if small_sample == "linearmodels":
        return nobs / (nobs - parameters)
    return groups / (groups - 1) * (nobs - 1) / (nobs - parameters)


def count_df(nobs: int, parameters: int, groups: int, small_sample: SmallSample) -> float:
    """Give the degrees of freedom of the t distribution."""
    return float(nobs - parameters if small_sample == "linearmodels" else groups - 1)


def is_nested(code: Codes, levels: int, clusters: Codes) -> bool:
    """Tell whether each level of an effect lies within a single cluster."""
    if code is clusters:
        return True
    owner = np.empty(levels, dtype=np.int64)
    owner[code[:_LOOK]] = clusters[:_LOOK]
    if (owner[code[:_LOOK]] != clusters[:_LOOK]).any():
        return False
    owner[code] = clusters
    return bool((owner[code] == clusters).all())
