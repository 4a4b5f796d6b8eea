"""Small-sample conventions by name: what is counted, and which factor follows.

``fixest``: R's fixest ≥ 0.13 and Stata's reghdfe: G/(G−1)·(n−1)/(n−k), where effects
nested in clusters count once together; t(G−1); rows alone in a level dropped.
``stata``: Stata's areg: the same with all effects counted, nothing dropped.
``linearmodels``: its ``PanelOLS`` with default options: n/(n−k), no G/(G−1), nothing
dropped; all effects are counted unless there is one dimension that is nested in the
clusters; t(n−k) with all effects counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from evidence.models.design import Codes
from evidence.models.kernel.absorb import Effects

_LOOK = 4_096

SmallSample = Literal["fixest", "stata", "linearmodels"]


def count_parameters(
    regressors: int,
    effects: Effects,
    clusters: Sequence[Codes],
    small_sample: SmallSample,
) -> int:
    """Count the parameters that a convention charges: regressors and effects.

    ``clusters`` holds no, one or two dimensions; an effect is nested where it is nested in
    one of them.
    """
    if not effects.codes:
        return regressors
    nested = [
        any(is_nested(code, levels, owner) for owner in clusters)
        for code, levels in zip(effects.codes, effects.levels, strict=True)
    ]
    if small_sample == "linearmodels" and nested == [True]:
        return regressors
    free = [small_sample == "fixest" and inside for inside in nested]
    charged = [levels - 1 for levels, out in zip(effects.levels, free, strict=True) if not out]
    return regressors + 1 + sum(charged)


def scale_covariance(nobs: int, parameters: int, groups: int, small_sample: SmallSample) -> float:
    """Give the factor on the cluster sandwich CR0."""
    if small_sample == "linearmodels":
        return nobs / (nobs - parameters)
    return groups / (groups - 1) * (nobs - 1) / (nobs - parameters)


def count_df(nobs: int, used: int, groups: int, small_sample: SmallSample) -> float:
    """Give the degrees of freedom of the t distribution; ``used`` counts all parameters."""
    return float(nobs - used if small_sample == "linearmodels" else groups - 1)


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
