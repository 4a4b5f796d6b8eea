"""Measured records become one entity × time panel with a ledger of every row dropped."""

from __future__ import annotations

from evidence.panel.attrition import list_attrition, list_gaps, measure_attrition
from evidence.panel.build import (
    UPPER,
    Panel,
    build_panel,
    cluster_column,
    cross_effects,
    select_sample,
    within_share,
)
from evidence.panel.report import DataReport, report_data
from evidence.panel.variation import list_complete, list_jumps, list_truth, list_variation

__all__ = [
    "UPPER",
    "DataReport",
    "Panel",
    "build_panel",
    "cluster_column",
    "cross_effects",
    "list_attrition",
    "list_complete",
    "list_gaps",
    "list_jumps",
    "list_truth",
    "list_variation",
    "measure_attrition",
    "report_data",
    "select_sample",
    "within_share",
]
