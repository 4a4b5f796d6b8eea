"""Files of Stata, SPSS and Parquet: codes rather than labels, and no claim believed."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyreadstat

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
)
from evidence.sources.reading.labels import check_labels
from evidence.sources.record import Table

_MOST_BYTES = 4 << 30
_MOST_RATIO = 1000
_TAGGED_STATA = b"<stata_dta>"
_COMPRESSED_SPSS = b"$FL3"


def read_stata(payload: bytes, table: Table, where: str) -> Grid:
    """Read the declared columns of a Stata file; ``.`` and ``.a`` to ``.z`` are missing.

    Raises
    ------
    SourceError
        Where the file is cut off, or claims what it does not hold.
    """
    if payload.startswith(_TAGGED_STATA) and not payload.endswith(b"</stata_dta>"):
        raise _damaged("Stata", "its end is cut off", where)
    return _read(pyreadstat.read_dta, payload, ".dta", table, where)


def read_spss(payload: bytes, table: Table, where: str) -> Grid:
    """Read the declared columns of an SPSS file; values that it declares missing are missing.

    Raises
    ------
    SourceError
        Where the file is cut off, or claims what it does not hold.
    """
    return _read(pyreadstat.read_sav, payload, ".sav", table, where)


def _damaged(program: str, why: str, where: str) -> SourceError:
    return SourceError(
        where,
        seen=f"a file of {program} that cannot be read ({' '.join(why.split())[:160]})",
        expected="a whole file, as the program saved it",
        do="Get the file again, or save it as CSV from the program.",
    )


def _read(
    reader: Callable[..., Any], payload: bytes, ending: str, table: Table, where: str
) -> Grid:
    program = {".dta": "Stata", ".sav": "SPSS"}[ending]
    claimed = _claimed_rows(payload) if ending == ".dta" else 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"file{ending}"
        path.write_bytes(payload)
        _, meta = _call(reader, path, program, table, where, metadataonly=True, user_missing=True)
        rows, names = max(claimed, meta.number_rows or 0), list(meta.column_names)
        packed = _MOST_RATIO if payload.startswith(_COMPRESSED_SPSS) else 1
        if rows * len(names) > packed * len(payload):
            raise _damaged(program, f"it claims {rows:,} rows in {len(payload):,} bytes", where)
        check_size(rows, len(names), where)
        found = check_header([clean_name(n) for n in names], table, where)
        wanted = [n for n in names if clean_name(n) in found.values()]
        frame, _ = _call(reader, path, program, table, where, usecols=wanted)
    if len(frame) != rows:
        raise _damaged(program, f"it claims {rows:,} rows and holds {len(frame):,}", where)
    columns = {clean_name(n): _as_array(frame[n], n, where) for n in wanted}
    readings = _own_missing(meta, wanted)
    for column in table.columns:
        for name in wanted:
            if clean_name(name) == found.get(column.name):
                labels = meta.variable_value_labels.get(name, {})
                readings += check_labels(frame[name], labels, column, name, where)
    return _grid(columns, where, readings)


def _call(
    reader: Callable[..., Any], path: Path, program: str, table: Table, where: str, **options: Any
) -> tuple[pd.DataFrame, Any]:
    encoding = {"encoding": table.encoding} if table.encoding else {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            frame, meta = reader(str(path), **encoding, **options)
    except Exception as error:
        raise _damaged(program, f"{type(error).__name__}: {error}", where) from error
    return frame, meta


def _claimed_rows(payload: bytes) -> int:
    """Read from a Stata file's header how many rows it claims."""
    if payload.startswith(_TAGGED_STATA):
        head = payload[:400]
        place, end = head.find(b"<N>") + 3, head.find(b"</N>")
        order: Literal["big", "little"] = "big" if b"<byteorder>MSF" in head else "little"
        return int.from_bytes(head[place:end], order)
    return int.from_bytes(payload[6:10], "big" if payload[1:2] == b"\x01" else "little")


def _as_array(series: pd.Series, name: str, where: str) -> pa.ChunkedArray:
    try:
        return pa.chunked_array([pa.array(series, from_pandas=True)])
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise _damaged("a statistical program", f"column {name}: {error}", where) from error


def _own_missing(meta: Any, wanted: list[str]) -> Pairs:
    """Say which values the file itself declares to be missing."""
    readings = []
    for name in wanted:
        for span in meta.missing_ranges.get(name, []):
            ends = [f"{end:g}" if isinstance(end, float) else str(end) for end in span.values()]
            values = " to ".join(dict.fromkeys(ends))
            readings.append(("missing", f"{values}, as the file declares, column {name}"))
    return tuple(readings)


def read_parquet(payload: bytes, table: Table, where: str) -> Grid:
    """Read the declared columns of a Parquet file.

    Raises
    ------
    SourceError
        Where the file is damaged, would not fit, or a column holds no plain values.
    """
    try:
        file = pq.ParquetFile(pa.BufferReader(payload))
        meta = file.metadata
        groups = [meta.row_group(i).total_byte_size for i in range(meta.num_row_groups)]
        names = list(file.schema_arrow.names)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise _damaged("Parquet", str(error), where) from error
    check_size(meta.num_rows, len(names), where)
    if sum(groups) > _MOST_BYTES:
        raise _damaged("Parquet", f"it unpacks to {sum(groups):,} bytes", where)
    found = check_header([clean_name(n) for n in names], table, where)
    wanted = [n for n in names if clean_name(n) in found.values()]
    try:
        held = file.read(columns=wanted)
        held.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise _damaged("Parquet", str(error), where) from error
    if held.num_rows != meta.num_rows:
        raise _damaged("Parquet", "it holds other rows than it claims", where)
    return _grid({clean_name(n): held.column(n) for n in wanted}, where, ())


def _grid(columns: dict[str, pa.ChunkedArray], where: str, readings: Pairs) -> Grid:
    rows = max((len(column) for column in columns.values()), default=0)
    check_rows(rows, where)
    cells = {}
    for name, column in columns.items():
        cells[name], hidden = clean(_encode(column, name, where), name)
        readings += hidden
    return Grid(where, cells, np.arange(rows), lambda row: f"row {row + 1}", readings)


def _encode(column: pa.ChunkedArray, name: str, where: str) -> Cells:
    """Write each distinct value as text, and say as what the file holds it."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    try:
        texts, kind = _as_text(column)
    except pa.ArrowException as error:
        raise _damaged("Parquet", f"column {name}: {error}", where) from error
    if not kind:
        raise SourceError(
            f"{where}, column {name}",
            seen=f"values of type {column.type}",
            expected="text, numbers, flags or dates without a time zone",
            do="Write the column as one of these.",
        )
    encoded = texts.combine_chunks().dictionary_encode()
    encoded = encoded.chunk(0) if isinstance(encoded, pa.ChunkedArray) else encoded
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    kinds = None if kind == "text" else np.full(len(encoded.dictionary), kind)
    return Cells(encoded.dictionary.cast(pa.string()), codes, kinds)


def _spell_floats(numbers: pa.ChunkedArray) -> pa.ChunkedArray:
    """Write floats as text, whole ones without an exponent: they may be codes."""
    numbers = pc.if_else(pc.is_nan(numbers), None, numbers)
    exact = pc.and_(pc.equal(pc.trunc(numbers), numbers), pc.less(pc.abs(numbers), 2**53))
    whole = numbers.cast(pa.int64()) if pc.all(exact).as_py() else numbers
    return whole.cast(pa.string())


def _as_text(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, str]:
    held, types = column.type, pa.types
    if types.is_null(held) or types.is_string(held) or types.is_large_string(held):
        return column.cast(pa.large_string()), "text"
    if types.is_boolean(held):
        return column.cast(pa.int8()).cast(pa.string()), "flag"
    if types.is_floating(held):
        return _spell_floats(column.cast(pa.float64())), "number"
    if types.is_integer(held) or types.is_decimal(held):
        return column.cast(pa.string()), "number"
    if types.is_date(held) or (types.is_timestamp(held) and held.tz is None):
        moments = column.cast(pa.timestamp("us"), safe=False)
        return pc.strftime(moments, format="%Y-%m-%dT%H:%M:%S"), "date"
    return column, ""
