"""The annex as a spreadsheet that a screen reader can walk through."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any

import openpyxl
import pandas as pd
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.table import Table, TableStyleInfo

from evidence.brief.annex.words import (
    name_place,
    name_role,
    name_scale,
    name_variable,
    word_reason,
)
from evidence.brief.office import pack_again
from evidence.brief.plain import plain
from evidence.disclosure import Cleared, list_estimates
from evidence.language import capitalise, say, shown_decimals
from evidence.study import Study, nouns_of

_NUMBERS = ("estimate", "std_error", "conf_low", "conf_high")
_NARROW, _WIDE = 10, 44
_TOP, _LEFT = Alignment(vertical="top", wrap_text=True), Alignment(vertical="top")
_Text = Callable[[Study, str, Any], str]


def write_sheet(cleared: Cleared, language: str, model: Mapping[str, Any]) -> bytes:
    """Write the annex as a workbook in a language: one sheet, one table, a row a coefficient.

    The title stands in the first cell, then what must be said of the data and of the
    edition; the head of the table is declared, frozen and repeated in print. There are no
    merged cells, no formulas and no links: texts are written as texts, numbers as numbers.

    Parameters
    ----------
    model : mapping
        A worded brief of the language: its ``imprint, bands, date``.
    """
    study, rows = cleared.study, list_estimates(cleared)
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = say(language, "annex.sheet")
    title = say(language, "annex.title", slug=study.slug)
    lead = [title, model["imprint"]["line"], *model["bands"], say(language, "annex.lead")]
    for number, text in enumerate(lead, 1):
        _put(sheet.cell(number, 1), text)
        sheet.cell(number, 1).font = Font(bold=number < len(lead), size=14 if number == 1 else 11)
    top = len(lead) + 1
    head = _make_unique([_word_head(study, language, name) for name in _COLUMNS])
    for column, text in enumerate(head, 1):
        _put(sheet.cell(top, column), text)
        sheet.cell(top, column).font = Font(bold=True)
        sheet.cell(top, column).alignment = _TOP
    for number, row in enumerate(rows.to_dict("records"), top + 1):
        _fill_row(sheet, number, row, study, language)
    _shape(sheet, top, top + len(rows), head)
    buffer = io.BytesIO()
    book.save(buffer)
    return pack_again(buffer.getvalue(), title, language, model["date"])


_COLUMNS: dict[str, _Text | None] = {
    "case": name_place,
    "specification": None,
    "role": lambda _, language, role: name_role(language, role),
    "outcome": name_variable,
    "term": name_variable,
    "estimate": None,
    "std_error": None,
    "conf_low": None,
    "conf_high": None,
    "conf_level": None,
    "unit": lambda _, language, unit: name_scale(language, unit),
    "nobs": None,
    "n_entities": None,
    "n_clusters": None,
    "cov_type": None,
    "reason": lambda _, language, reason: word_reason(language, reason),
}
"""Columns of the sheet, with what words a value; None writes it as it stands."""

_HEADS = {"case": "table.place", "outcome": "table.outcome", "estimate": "table.estimate"}


def _word_head(study: Study, language: str, name: str) -> str:
    if name == "n_entities":
        return capitalise(nouns_of(study, language)[1])
    return say(language, _HEADS.get(name, f"annex.{name}"))


def _fill_row(sheet: Any, number: int, row: Mapping[Any, Any], study: Study, language: str) -> None:
    for column, (name, word) in enumerate(_COLUMNS.items(), 1):
        value, cell = row[name], sheet.cell(number, column)
        cell.alignment = _LEFT
        if pd.isna(value):
            continue
        if isinstance(value, str):
            _put(cell, word(study, language, value) if word else value)
        else:
            cell.value = value
            cell.number_format = _number_format(name, row)


def _number_format(name: str, row: Mapping[Any, Any]) -> str:
    """Show one decimal more than a brief does; the cell holds every digit."""
    if name == "conf_level":
        return "0%"
    return "0." + "0" * (shown_decimals(row) + 1) if name in _NUMBERS else "#,##0"


def _put(cell: Any, text: str) -> None:
    """Write a text as a text, whatever it begins with."""
    cell.value = plain(text)
    cell.data_type = "s"
    cell.quotePrefix = True


def _make_unique(heads: list[str]) -> list[str]:
    """Tell columns of one name apart, as a table must, with spaces that nobody sees."""
    seen: list[str] = []
    for head in map(plain, heads):
        seen.append(head + "\N{NO-BREAK SPACE}" * sum(known.strip() == head for known in seen))
    return seen


def _shape(sheet: Any, top: int, last: int, head: list[str]) -> None:
    """Declare the table, freeze its head, set widths and the printed page."""
    area = f"A{top}:{get_column_letter(len(head))}{last}"
    table = Table(displayName="estimates", ref=area)
    table.tableStyleInfo = TableStyleInfo(name="TableStyleLight1", showFirstColumn=True)
    table._initialise_columns()
    for column, text in zip(table.tableColumns, head, strict=True):
        column.name = text
    sheet.add_table(table)
    sheet.freeze_panes = sheet.cell(top + 1, 2)
    sheet.print_title_rows = f"{top}:{top}"
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.paperSize = sheet.PAPERSIZE_A4
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    for number, (name, text) in enumerate(zip(_COLUMNS, head, strict=True), 1):
        column = [sheet.cell(row, number).value for row in range(top + 1, last + 1)]
        told = [] if name in _NUMBERS else [len(str(value or "")) for value in column]
        width = min(_WIDE, max(_NARROW, len(text) // 2, *told) + 2)
        sheet.column_dimensions[get_column_letter(number)].width = width
