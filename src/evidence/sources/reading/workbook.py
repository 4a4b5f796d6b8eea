"""Excel workbooks: one sheet, one header, and no cell that Excel has changed."""

from __future__ import annotations

import datetime as dt
import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np
import openpyxl
import pyarrow as pa

from evidence.errors import SourceError
from evidence.sources.reading.cells import (
    Cells,
    Grid,
    Pairs,
    check_header,
    check_rows,
    check_size,
    clean,
    clean_name,
    is_header,
)
from evidence.sources.record import Table

_MOST_BYTES = 1 << 30
_MOST_RATIO = 200
_TITLES = 50
_ROW = re.compile(rb"<(?:x:)?row [^>]*?\br=\"(\d+)\"")
_STRICT = b"http://purl.oclc.org/ooxml/spreadsheetml/main"
_DECLARATIONS = tuple(
    word.encode(codec)
    for word in ("<!DOCTYPE", "<!ENTITY")
    for codec in ("utf-8", "utf-16-le", "utf-16-be")
)


def read_workbook(payload: bytes, table: Table, where: str) -> Grid:
    """Read the declared columns of a workbook's sheet.

    Raises
    ------
    SourceError
        Where the sheet, the header or a cell is not clear, or the file would not fit.
    """
    marks = _check_members(payload, where)
    book = _open(payload, where)
    try:
        sheet, rows = _pick_sheet(book, table, where)
    finally:
        book.close()
    where = where if len(book.sheetnames) == 1 else f"{where}, sheet '{sheet}'"
    if b"<mergeCell " in marks:
        _refuse_merged(payload, sheet, where)
    readings: Pairs = ()
    if b"<f" in marks:
        _check_formulas(payload, sheet, rows, where)
        readings = (("formulas", "the results that Excel stored with them"),)
    first = next(i for i, row in enumerate(rows) if any(_is_filled(cell) for cell in row))
    names = _trim([clean_name(_text_of(cell)[0]) for cell in rows[first]])
    later = next(
        (
            f"row {i + 1}"
            for i, row in enumerate(rows[:_TITLES])
            if i > first and _holds(row, table)
        ),
        "",
    )
    found = check_header(names, table, where, later=later)
    body = rows[first + 1 :]
    check_rows(len(body), where)
    check_size(len(body), len(found), where)
    cells = {}
    for name in sorted(set(found.values())):
        place = names.index(name)
        column = _encode([_text_of(row[place]) if place < len(row) else _BLANK for row in body])
        cells[name], hidden = clean(column, name)
        readings += hidden
    filled = [any(_is_filled(cell) for cell in row) for row in body]
    return Grid(
        where,
        cells,
        np.arange(len(body)),
        lambda row: f"row {first + 2 + row}",
        readings,
        blank=lambda rows: ~np.array(filled, dtype=bool)[rows],
    )


def _check_members(payload: bytes, where: str) -> set[bytes]:
    """Check a workbook's parts before they are opened; say which marks its sheets hold."""
    try:
        with zipfile.ZipFile(io.BytesIO(payload)) as archive:
            total = sum(member.file_size for member in archive.infolist())
            small = total <= min(_MOST_BYTES, _MOST_RATIO * len(payload))
            names = [n for n in archive.namelist() if n.endswith((".xml", ".rels")) and small]
            parts = {name: archive.read(name) for name in names}
    except Exception as error:
        raise _damaged(where, error) from error
    if not small:
        _refuse_size(len(payload), total, where)
    return set().union(*(_check_part(part, name, where) for name, part in parts.items()))


def _refuse_size(packed: int, total: int, where: str) -> NoReturn:
    raise SourceError(
        where,
        seen=f"{packed:,} bytes that unpack to {total:,}",
        expected=f"at most {_MOST_RATIO} times as many, and at most {_MOST_BYTES:,}",
        do="Save the sheet as CSV.",
    )


def _check_part(part: bytes, name: str, where: str) -> set[bytes]:
    if any(word in part for word in _DECLARATIONS):
        raise SourceError(
            where,
            seen=f"a document type or entity in {name}, which no spreadsheet program writes",
            expected="a workbook of Excel or LibreOffice",
            do="Do not open it; ask who made the file, and save the sheet as CSV.",
        )
    if name == "xl/workbook.xml" and _STRICT in part:
        raise SourceError(
            where,
            seen="a workbook saved as 'Strict Open XML'",
            expected="a workbook of Excel (.xlsx)",
            do="Open it and save it as 'Excel Workbook (.xlsx)'.",
        )
    if not name.startswith("xl/worksheets/"):
        return set()
    _check_order(part, name, where)
    formulas = {b"<f"} if b"<f>" in part or b"<f " in part or b"<f/" in part else set()
    return formulas | {mark for mark in (b"<mergeCell ",) if mark in part}


def _check_order(part: bytes, name: str, where: str) -> None:
    """Refuse rows whose numbers do not grow: one of them would be lost."""
    numbers = np.array([int(number) for number in _ROW.findall(part)], dtype=np.int64)
    back = np.flatnonzero(np.diff(numbers) <= 0)
    if back.size:
        raise SourceError(
            where,
            seen=f"row {numbers[back[0] + 1]} after row {numbers[back[0]]} in {name}",
            expected="each row once, in order",
            do="Open the file in Excel, let it repair it, look at the rows, and save it again.",
        )


def _damaged(where: str, error: Exception) -> SourceError:
    why = " ".join(str(error).split())[:120] or type(error).__name__
    return SourceError(
        where,
        seen=f"a workbook that cannot be opened ({why})",
        expected="a whole .xlsx file without a password",
        do="Open it in Excel and save it again, or save the sheet as CSV.",
    )


def _open(payload: bytes, where: str, *, formulas: bool = False, whole: bool = False) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return openpyxl.load_workbook(
                io.BytesIO(payload), read_only=not whole, data_only=not formulas
            )
    except Exception as error:
        raise _damaged(where, error) from error


def _rows(sheet: Any, where: str) -> list[tuple[Any, ...]]:
    """Read a sheet whole, whatever size it claims; rows at the end that are empty fall away."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sheet.reset_dimensions()
            rows = list(sheet.iter_rows())
    except Exception as error:
        raise _damaged(where, error) from error
    while rows and not any(_is_filled(cell) for cell in rows[-1]):
        rows.pop()
    return rows


def _is_filled(cell: Any) -> bool:
    return cell.value is not None and str(cell.value).strip() != ""


def _pick_sheet(book: Any, table: Table, where: str) -> tuple[str, list[tuple[Any, ...]]]:
    names = [sheet.title for sheet in book.worksheets]
    if table.sheet and table.sheet not in names:
        raise SourceError(
            where,
            seen=f"sheets {', '.join(names)}",
            expected=f"also '{table.sheet}', which the record names",
            do="Mend 'sheet' in the record.",
        )
    chosen = [sheet for sheet in book.worksheets if table.sheet in {"", sheet.title}]
    held = [(sheet.title, rows) for sheet in chosen if (rows := _rows(sheet, where))]
    if not held:
        raise SourceError(
            where,
            seen="a workbook without a filled cell",
            expected="a sheet with a header and rows",
            do="Put the data into the file, or name another 'sheet' in the record.",
        )
    if len(held) > 1:
        raise SourceError(
            where,
            seen=f"several sheets with data: {', '.join(name for name, _ in held)}",
            expected="one, or the record's word which one",
            do="Say 'sheet' in the record.",
        )
    return held[0]


def _refuse_merged(payload: bytes, sheet: str, where: str) -> None:
    ranges = _open(payload, where, whole=True)[sheet].merged_cells.ranges
    if ranges:
        raise SourceError(
            where,
            seen=f"merged cells {', '.join(sorted(str(r) for r in ranges)[:5])}",
            expected="each value in a cell of its own",
            do="Unmerge the cells and fill each of them: only the first holds the value.",
        )


def _check_formulas(payload: bytes, sheet: str, rows: list[tuple[Any, ...]], where: str) -> None:
    """Refuse a formula whose result was never stored: it would be read as an empty cell."""
    book = _open(payload, where, formulas=True)
    try:
        written = _rows(book[sheet], where)
    finally:
        book.close()
    for formula in _formulas(written):
        row, place = formula.row - 1, formula.column - 1
        within = row < len(rows) and place < len(rows[row])
        result = rows[row][place] if within else None
        if result is None or (result.value is None and result.data_type == "n"):
            raise SourceError(
                f"{where}, cell {formula.coordinate}",
                seen=f"the formula '{formula.value}' without a result",
                expected="a value",
                do="Open the file in Excel, let it calculate, and save it; or paste the values.",
            )


def _formulas(rows: list[tuple[Any, ...]]) -> Iterator[Any]:
    return (cell for row in rows for cell in row if getattr(cell, "data_type", "") == "f")


def _holds(row: tuple[Any, ...], table: Table) -> bool:
    return is_header([_text_of(cell)[0] for cell in row], table)


def _trim(names: list[str]) -> list[str]:
    """Leave out columns without a name at the end."""
    while names and not names[-1]:
        names.pop()
    return names


_BLANK = ("", "text")


def _text_of(cell: Any) -> tuple[str, str]:
    """Give a cell as text, with the kind of value that Excel holds it as."""
    value = cell.value
    if value is None:
        return _BLANK
    if isinstance(value, bool):
        return ("1" if value else "0"), "flag"
    if isinstance(value, int | float):
        whole = float(value).is_integer() and abs(value) < 1e15
        return (str(int(value)) if whole else repr(float(value))), "number"
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat(), "date"
    if isinstance(value, dt.time | dt.timedelta):
        return str(value), "time"
    return str(value), "error" if cell.data_type == "e" else "text"


def _encode(values: list[tuple[str, str]]) -> Cells:
    places = {value: place for place, value in enumerate(dict.fromkeys(values))}
    return Cells(
        pa.array([text for text, _ in places], pa.string()),
        np.array([places[value] for value in values], dtype=np.int64),
        np.array([kind for _, kind in places]),
    )
