"""Findings become exhibits: data with a specification, drawn last.

An exhibit holds aggregated rows and the count of contributors behind each, never
microdata and no words. ``draw`` makes a picture of it in a language and a width.
"""

from __future__ import annotations

from evidence.exhibits.cells import (
    CELL_COLUMNS,
    STATISTICS,
    label_cell,
    list_places,
    table_cells,
    type_cells,
)
from evidence.exhibits.change import figure_change, name_cause
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
from evidence.exhibits.noun import COLUMNS, Exhibit, figure_coefficients, table_findings
from evidence.exhibits.report import figure_report
from evidence.exhibits.style import font_path
from evidence.exhibits.words import (
    describe,
    entitle_cells,
    label_row,
    name_case,
    note_cells,
    say_findings,
    tabulate,
    words_of,
)

__all__ = [
    "CELL_COLUMNS",
    "COLUMNS",
    "STATISTICS",
    "Exhibit",
    "covered",
    "describe",
    "draw",
    "entitle_cells",
    "figure_change",
    "figure_coefficients",
    "figure_curve",
    "figure_report",
    "find_font",
    "fix_weight",
    "font_path",
    "hash_font",
    "is_variable",
    "label_cell",
    "label_row",
    "list_families",
    "list_places",
    "missing_characters",
    "name_case",
    "name_cause",
    "note_cells",
    "remember",
    "say_findings",
    "show",
    "table_cells",
    "table_findings",
    "tabulate",
    "type_cells",
    "words_of",
]
