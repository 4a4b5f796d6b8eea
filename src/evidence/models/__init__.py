"""A panel and a specification become a ``Fit``: estimates with their inference."""

from __future__ import annotations

from evidence.models.design import (
    CONF_LEVEL,
    Design,
    Diagnostic,
    Estimates,
    tabulate_estimates,
)
from evidence.models.fit import (
    COLUMNS,
    FEW_CLUSTERS,
    Fit,
    fit,
    fit_specifications,
    guard_level,
    list_estimates,
    list_within_shares,
)

__all__ = [
    "COLUMNS",
    "CONF_LEVEL",
    "FEW_CLUSTERS",
    "Design",
    "Diagnostic",
    "Estimates",
    "Fit",
    "fit",
    "fit_specifications",
    "guard_level",
    "list_estimates",
    "list_within_shares",
    "tabulate_estimates",
]
