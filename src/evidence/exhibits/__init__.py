"""Findings become exhibits: data with a specification, drawn last.

An exhibit holds aggregated rows and the count of contributors behind each, never
microdata and no words. ``draw`` makes a picture of it in a language and a width. What draws
is loaded when it is first asked for: a run is planned and joined without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evidence.later import load_later

if TYPE_CHECKING:
    from evidence.exhibits.benchmark import BENCHMARK_COLUMNS, QUANTILES, figure_benchmark
    from evidence.exhibits.captions import entitle, subtitle
    from evidence.exhibits.cautions import list_cautions
    from evidence.exhibits.cells import (
        CELL_COLUMNS,
        STATISTICS,
        label_cell,
        list_places,
        table_cells,
        type_cells,
    )
    from evidence.exhibits.change import figure_change, name_cause
    from evidence.exhibits.columns import explain_columns, list_variables
    from evidence.exhibits.comparisons import entitle_findings, lay_findings
    from evidence.exhibits.curve import figure_curve
    from evidence.exhibits.drawing import draw, show
    from evidence.exhibits.font_cache import remember
    from evidence.exhibits.fonts import (
        covered,
        find_font,
        fix_weight,
        hash_font,
        is_variable,
        list_families,
        missing_characters,
    )
    from evidence.exhibits.forest import FOREST_COLUMNS, figure_forest, lay_forest
    from evidence.exhibits.measures import MEASURE, join_measures, list_figures, part_measures
    from evidence.exhibits.noun import COLUMNS, Exhibit, figure_coefficients, table_findings
    from evidence.exhibits.path import PATH_COLUMNS, lay_numbers
    from evidence.exhibits.presenting import present
    from evidence.exhibits.report import figure_report
    from evidence.exhibits.spoken import describe
    from evidence.exhibits.tables import tabulate
    from evidence.exhibits.words import (
        entitle_cells,
        label_row,
        name_case,
        note_cells,
        say_findings,
        scale_of,
        words_of,
    )

_MODULE = {
    "benchmark": ("BENCHMARK_COLUMNS", "QUANTILES", "figure_benchmark"),
    "captions": ("entitle", "subtitle"),
    "cautions": ("list_cautions",),
    "cells": (
        "CELL_COLUMNS",
        "STATISTICS",
        "label_cell",
        "list_places",
        "table_cells",
        "type_cells",
    ),
    "change": ("figure_change", "name_cause"),
    "columns": ("explain_columns", "list_variables"),
    "comparisons": ("entitle_findings", "lay_findings"),
    "curve": ("figure_curve",),
    "drawing": ("draw", "show"),
    "font_cache": ("remember",),
    "fonts": (
        "covered",
        "find_font",
        "fix_weight",
        "hash_font",
        "is_variable",
        "list_families",
        "missing_characters",
    ),
    "forest": ("FOREST_COLUMNS", "figure_forest", "lay_forest"),
    "measures": ("MEASURE", "join_measures", "list_figures", "part_measures"),
    "noun": ("COLUMNS", "Exhibit", "figure_coefficients", "table_findings"),
    "path": ("PATH_COLUMNS", "lay_numbers"),
    "presenting": ("present",),
    "report": ("figure_report",),
    "spoken": ("describe",),
    "tables": ("tabulate",),
    "words": (
        "entitle_cells",
        "label_row",
        "name_case",
        "note_cells",
        "say_findings",
        "scale_of",
        "words_of",
    ),
}

__all__ = [
    "BENCHMARK_COLUMNS",
    "CELL_COLUMNS",
    "COLUMNS",
    "FOREST_COLUMNS",
    "MEASURE",
    "PATH_COLUMNS",
    "QUANTILES",
    "STATISTICS",
    "Exhibit",
    "covered",
    "describe",
    "draw",
    "entitle",
    "entitle_cells",
    "entitle_findings",
    "explain_columns",
    "figure_benchmark",
    "figure_change",
    "figure_coefficients",
    "figure_curve",
    "figure_forest",
    "figure_report",
    "find_font",
    "fix_weight",
    "hash_font",
    "is_variable",
    "join_measures",
    "label_cell",
    "label_row",
    "lay_findings",
    "lay_forest",
    "lay_numbers",
    "list_cautions",
    "list_families",
    "list_figures",
    "list_places",
    "list_variables",
    "missing_characters",
    "name_case",
    "name_cause",
    "note_cells",
    "part_measures",
    "present",
    "remember",
    "say_findings",
    "scale_of",
    "show",
    "subtitle",
    "table_cells",
    "table_findings",
    "tabulate",
    "type_cells",
    "words_of",
]

__getattr__ = load_later(__name__, _MODULE)
