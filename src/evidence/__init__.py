"""Notebooks in, policy briefs out: every sentence tied to an estimate.

The face of the package: what a notebook needs, loaded when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evidence.course import check_answer as check_answer
    from evidence.errors import EvidenceError as EvidenceError
    from evidence.exhibits import draw as draw
    from evidence.exhibits import figure_coefficients as figure_coefficients
    from evidence.exhibits import figure_forest as figure_forest
    from evidence.exhibits import figure_report as figure_report
    from evidence.exhibits import list_variables as list_variables
    from evidence.exhibits import say_findings as say_findings
    from evidence.exhibits import show as show
    from evidence.exhibits import table_cells as table_cells
    from evidence.exhibits import table_findings as table_findings
    from evidence.findings import list_family as list_family
    from evidence.findings import state as state
    from evidence.measures import compare_peers as compare_peers
    from evidence.measures import list_events as list_events
    from evidence.measures import list_frames as list_frames
    from evidence.measures import score_measures as score_measures
    from evidence.models import balance_at_cutoff as balance_at_cutoff
    from evidence.models import bound_trends as bound_trends
    from evidence.models import estimate_cutoff as estimate_cutoff
    from evidence.models import fit as fit
    from evidence.models import fit_specifications as fit_specifications
    from evidence.models import link_findings as link_findings
    from evidence.models import list_bearing as list_bearing
    from evidence.models import list_cells as list_cells
    from evidence.models import list_diagnostics as list_diagnostics
    from evidence.models import list_estimates as list_estimates
    from evidence.models import list_lasting as list_lasting
    from evidence.models import tabulate_estimates as tabulate_estimates
    from evidence.neck import write_neck as write_neck
    from evidence.panel import build_panel as build_panel
    from evidence.panel import list_complete as list_complete
    from evidence.panel import list_jumps as list_jumps
    from evidence.panel import list_truth as list_truth
    from evidence.panel import list_variation as list_variation
    from evidence.panel import report_data as report_data
    from evidence.sources import list_sources as list_sources
    from evidence.sources import read_sources as read_sources
    from evidence.study import load_study as load_study
    from evidence.study import select_case as select_case

_ROOM = {
    "EvidenceError": "errors",
    "balance_at_cutoff": "models",
    "bound_trends": "models",
    "build_panel": "panel",
    "check_answer": "course",
    "compare_peers": "measures",
    "draw": "exhibits",
    "estimate_cutoff": "models",
    "figure_coefficients": "exhibits",
    "figure_forest": "exhibits",
    "figure_report": "exhibits",
    "fit": "models",
    "fit_specifications": "models",
    "link_findings": "models",
    "list_bearing": "models",
    "list_cells": "models",
    "list_complete": "panel",
    "list_diagnostics": "models",
    "list_estimates": "models",
    "list_events": "measures",
    "list_family": "findings",
    "list_frames": "measures",
    "list_jumps": "panel",
    "list_lasting": "models",
    "list_sources": "sources",
    "list_truth": "panel",
    "list_variables": "exhibits",
    "list_variation": "panel",
    "load_study": "study",
    "read_sources": "sources",
    "report_data": "panel",
    "say_findings": "exhibits",
    "score_measures": "measures",
    "select_case": "study",
    "show": "exhibits",
    "state": "findings",
    "table_cells": "exhibits",
    "table_findings": "exhibits",
    "tabulate_estimates": "models",
    "write_neck": "neck",
}

__all__ = [
    "EvidenceError",
    "balance_at_cutoff",
    "bound_trends",
    "build_panel",
    "check_answer",
    "compare_peers",
    "draw",
    "estimate_cutoff",
    "figure_coefficients",
    "figure_forest",
    "figure_report",
    "fit",
    "fit_specifications",
    "link_findings",
    "list_bearing",
    "list_cells",
    "list_complete",
    "list_diagnostics",
    "list_estimates",
    "list_events",
    "list_family",
    "list_frames",
    "list_jumps",
    "list_lasting",
    "list_sources",
    "list_truth",
    "list_variables",
    "list_variation",
    "load_study",
    "read_sources",
    "report_data",
    "say_findings",
    "score_measures",
    "select_case",
    "show",
    "state",
    "table_cells",
    "table_findings",
    "tabulate_estimates",
    "write_neck",
]


def __getattr__(name: str) -> Any:
    if name not in _ROOM:
        raise AttributeError(f"module 'evidence' has no attribute '{name}'")
    return getattr(importlib.import_module(f"evidence.{_ROOM[name]}"), name)


def __dir__() -> list[str]:
    return __all__
