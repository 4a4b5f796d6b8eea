"""Raw bytes become a typed table, or one error that says where and what."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Literal

import pandas as pd
import pandera.pandas as pa

from evidence.errors import SourceError
from evidence.sources.record import Column, Table

_LARGEST_INTEGER = 2**53
_DTYPES = {"text": "str", "integer": "int64", "number": "float64", "flag": "int64"}


@dataclass(frozen=True, slots=True)
class Parsed:
    """A typed table read from one file.

    ``readings`` says what was found in the file rather than declared: pairs of a kind
    (``encoding``, ``delimiter``, ``digits``, …) and what was found. ``steps`` counts
    rows left out on the way, as pairs of count and reason.
    """

    frame: pd.DataFrame
    readings: tuple[tuple[str, str], ...] = ()
    steps: tuple[tuple[int, str], ...] = ()


def parse(payload: bytes, name: str, table: Table, where: str) -> Parsed:
    """Read one file of a table.

    Parameters
    ----------
    payload : bytes
        The file's content.
    name : str
        The file's name; its ending tells the format.
    where : str
        How the file is named in a message.

    Raises
    ------
    SourceError
        Where the file holds what it should not; nothing is half-read.
    """
    raw = _read_lines(payload, name, table, where)
    present = {
        c.name: next((n for n in c.raw_names if n in raw.columns), None) for c in table.columns
    }
    absent = [c.raw_names[0] for c in table.columns if present[c.name] is None]
    if absent:
        raise SourceError(
            where,
            seen=f"columns {', '.join(map(str, raw.columns))}",
            expected=f"also {', '.join(absent)}",
            do="Mend the file's header, or 'raw' of the column in the record.",
        )
    frame = pd.DataFrame(
        {c.name: _typed(raw[present[c.name]], c, table, where) for c in table.columns}
    )
    return Parsed(_validate(frame, table, where))


def _read_lines(payload: bytes, name: str, table: Table, where: str) -> pd.DataFrame:
    """Read every field as text; the index is the line less one."""
    compression: Literal["bz2"] | None = "bz2" if name.endswith(".bz2") else None
    try:
        raw = pd.read_csv(
            io.BytesIO(payload),
            header=None,
            dtype=str,
            keep_default_na=False,
            na_values=[],
            skip_blank_lines=False,
            compression=compression,
            encoding="utf-8-sig",
        )
    except (OSError, EOFError, ValueError, pd.errors.ParserError) as error:
        raise SourceError(
            where,
            seen=f"a file that cannot be read ({' '.join(str(error).split())})",
            expected="comma-separated UTF-8 with a header line, each line with its fields",
            do="Save it as CSV in UTF-8.",
        ) from error
    header = raw.iloc[0].astype(str)
    twice = header[header.duplicated()]
    if not twice.empty:
        raise SourceError(
            where,
            seen=f"more than one column '{twice.iloc[0]}'",
            expected="each name once",
            do="Rename one of the columns in the file.",
        )
    body = raw.iloc[1:].set_axis(header, axis=1)
    body = body[body.notna().any(axis=1)]
    if body.empty:
        raise SourceError(
            where,
            seen="a header without rows",
            expected="at least one row",
            do="Put the data into the file.",
        )
    short = body.isna().any(axis=1)
    if short.any():
        first = _first(short)
        raise SourceError(
            f"{where}, line {first + 1}",
            seen="fewer fields than columns",
            expected=f"{len(header)}, one for each column",
            do="Complete the line: a half-read row would shift or lose values.",
        )
    return body


def _typed(raw: pd.Series, column: Column, table: Table, where: str) -> pd.Series:
    text = raw.str.strip()
    empty = text.isin(table.missing)
    if column.type == "text":
        return text.mask(empty)
    numbers = pd.to_numeric(text.mask(empty), errors="coerce").astype("float64")
    bad = numbers.isna() & ~empty
    if bad.any():
        first = _first(bad)
        raise SourceError(
            f"{where}, column {raw.name}, line {first + 1}",
            seen=f"'{raw.loc[first]}'",
            expected=f"a {column.type}" + (f" or {table.missing}" if table.missing else ""),
            do="Mend the value, or list the mark under 'missing' in the record.",
        )
    return numbers


def _first(marks: pd.Series) -> int:
    """Find the index of the first mark, which is its line less one."""
    return int(marks.index.to_list()[int(marks.to_numpy().argmax())])


def _is_whole(values: pd.Series) -> pd.Series:
    return (values % 1 == 0) & (values.abs() <= _LARGEST_INTEGER)


def _validate(frame: pd.DataFrame, table: Table, where: str) -> pd.DataFrame:
    checks = {
        "flag": [pa.Check.isin([0, 1])],
        "integer": [pa.Check(_is_whole, name="whole number that a computer holds exactly")],
        "number": [pa.Check(lambda values: values.abs() < float("inf"), name="finite")],
        "text": [],
    }
    schema = pa.DataFrameSchema(
        {
            c.name: pa.Column(None, checks[c.type], nullable=c.name not in table.key)
            for c in table.columns
        },
        unique=list(table.key) or None,
    )
    try:
        checked: pd.DataFrame = schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        first = error.failure_cases.iloc[0]
        line = "" if pd.isna(first["index"]) else f", line {int(first['index']) + 1}"
        raise SourceError(
            f"{where}, column {first['column']}{line}",
            seen=f"'{first['failure_case']}' ({len(error.failure_cases)} such values)",
            expected=_spell_check(str(first["check"]), table),
            do="Mend the file, or the column's type or the table's key in the record.",
        ) from error
    types = {
        c.name: _DTYPES[c.type]
        for c in table.columns
        if c.type in {"integer", "flag"} and not checked[c.name].isna().any()
    }
    return checked.astype(types).reset_index(drop=True)


def _spell_check(check: str, table: Table) -> str:
    if check == "multiple_fields_uniqueness":
        return f"each combination of {', '.join(table.key)} once"
    if check == "not_nullable":
        return "a value in every row, because it is part of the key"
    return check.replace("isin([0, 1])", "0 or 1")
