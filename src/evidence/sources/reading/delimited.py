"""Text files: the delimiter is found, every line has its fields, nothing is half-read."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

from evidence.errors import SourceError
from evidence.sources.reading.cells import (
    MOST_CELLS,
    Bytes,
    Cells,
    Grid,
    check_header,
    check_rows,
    check_size,
    clean,
    clean_name,
    find_columns,
    is_header,
)
from evidence.sources.reading.encoding import BLOCK, cut_blocks, to_utf8
from evidence.sources.record import Table

_DELIMITERS = (",", ";", "\t", "|")
_SPELT = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_HEAD = 1 << 20
_AT_ONCE = 64
_TITLES = 50
_BREAK = re.compile(rb"\r\n|\n|\r")
_FILLED = re.compile(rb"[^\r\n]")
_SEPARATOR_LINE = re.compile(rb'"?sep=(.)"?(?=[\r\n])', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a text is laid out: what is between its fields, and where its rows begin."""

    text: Bytes
    delimiter: str
    names: list[str]
    start: int
    first_line: int


def read_text(payload: Bytes, ending: str, table: Table, where: str) -> Grid:
    """Read a text file's declared columns.

    Raises
    ------
    SourceError
        Where the encoding or the delimiter is not clear, or a line lacks or has too many
        fields.
    """
    text, readings = to_utf8(payload, table, where)
    if not re.search(rb"\S", text):
        raise _unreadable(where, "it holds no line")
    layout = _find_layout(text, ending, table, where)
    found = _columns_of(layout, table, where)
    if layout.delimiter != ("\t" if ending == ".tsv" else ",") and not table.delimiter:
        readings += (("delimiter", _SPELT[layout.delimiter]),)
    raw = _read_columns(layout, sorted(set(found.values())), where)
    cells = {}
    for name, column in raw.items():
        cells[name], hidden = clean(column, name)
        readings += hidden
    rows = max((len(column.codes) for column in raw.values()), default=0)
    check_rows(rows, where)
    return Grid(where, cells, np.arange(rows), _locator(layout), readings, blank=_finder(layout))


def _unreadable(where: str, why: str) -> SourceError:
    return SourceError(
        where,
        seen=f"a file that cannot be read ({why})",
        expected="a header line, then lines with a field for each of its columns",
        do="Save it again as CSV in UTF-8.",
    )


def _find_layout(text: Bytes, ending: str, table: Table, where: str) -> _Layout:
    """Find the delimiter under which the header holds most of the declared columns."""
    first = _SEPARATOR_LINE.match(text)
    said = first.group(1).decode() if first else ""
    if table.delimiter or said in _DELIMITERS:
        candidates: tuple[str, ...] = (table.delimiter or said,)
    else:
        usual = "\t" if ending == ".tsv" else ","
        candidates = (usual, *(d for d in _DELIMITERS if d != usual))
    body = text[first.end() :] if first else text
    tried = [_lay_out(body, delimiter, where) for delimiter in candidates]
    best = max(tried, key=lambda layout: len(find_columns(layout.names, table)))
    return _Layout(body, best.delimiter, best.names, best.start, best.first_line)


def _lay_out(text: Bytes, delimiter: str, where: str) -> _Layout:
    reader = csv.reader(_head_lines(text), delimiter=delimiter)
    try:
        names = next((row for row in reader if row), [])
    except csv.Error as error:
        raise _unreadable(where, f"its header line: {error}") from error
    ends = islice(_BREAK.finditer(text), reader.line_num - 1, reader.line_num)
    start = next((match.end() for match in ends), len(text))
    return _Layout(text, delimiter, [clean_name(n) for n in names], start, reader.line_num + 1)


def _head_lines(text: Bytes) -> io.StringIO:
    return io.StringIO(str(text[:_HEAD], "utf-8", errors="ignore"), newline="")


def _columns_of(layout: _Layout, table: Table, where: str) -> dict[str, str]:
    if is_header(layout.names, table):
        return check_header(layout.names, table, where)
    for delimiter in (layout.delimiter, *_DELIMITERS):
        line = _find_header(layout, delimiter, table)
        if line >= layout.first_line:
            return check_header(layout.names, table, where, later=f"line {line}")
        if line:
            hint = f"Say delimiter = '{delimiter}' in the record: it stands between the names."
            return check_header(layout.names, table, where, hint=hint)
    return check_header(layout.names, table, where, hint=_hint_of_mixture(layout, table))


def _find_header(layout: _Layout, delimiter: str, table: Table) -> int:
    """Find the line that holds the declared columns under a delimiter; 0 if none does."""
    reader = csv.reader(_head_lines(layout.text), delimiter=delimiter)
    try:
        return next(
            (reader.line_num for row in islice(reader, _TITLES) if is_header(row, table)), 0
        )
    except csv.Error:
        return 0


def _hint_of_mixture(layout: _Layout, table: Table) -> str:
    if len(layout.names) == 1 < len(table.columns):
        return "Save it as CSV with commas between the fields: the header line is not divided."
    line = str(layout.text[: layout.start], "utf-8", errors="ignore")
    if not is_header(re.split(r"[,;\t|]", line), table):
        return ""
    return "The header line mixes delimiters: put the same one between all names."


def _read_columns(layout: _Layout, names: list[str], where: str) -> dict[str, Cells]:
    broken = _check_quotes(layout, where)
    body = memoryview(layout.text)[layout.start :]
    if len(body) > MOST_CELLS:
        lines = sum(int(np.count_nonzero(block == 10)) for block in cut_blocks(body))
        check_size(lines, len(names), where)
    if not _FILLED.search(body):
        check_rows(0, where)
    places = {layout.names.index(name): name for name in names}
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(pa.py_buffer(body)),
            read_options=pyarrow.csv.ReadOptions(
                column_names=[str(i) for i in range(len(layout.names))], block_size=BLOCK
            ),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=layout.delimiter, newlines_in_values=broken
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types={str(i): pa.string() for i in places},
                include_columns=[str(i) for i in places],
                strings_can_be_null=False,
                check_utf8=False,
            ),
        )
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _explain(layout, where, " ".join(str(error).split())) from error
    with ThreadPoolExecutor() as threads:
        cells = threads.map(_encode, [table.column(str(i)) for i in places])
        return dict(zip(places.values(), cells, strict=True))


def _encode(column: pa.ChunkedArray) -> Cells:
    """Find the distinct texts of a column."""
    encoded = column.dictionary_encode().combine_chunks()
    return Cells(encoded.dictionary, encoded.indices.to_numpy(), whole=column)


def _check_quotes(layout: _Layout, where: str) -> bool:
    """Check that quotes open where a field begins and close where it ends.

    Returns
    -------
    bool
        Whether a field may hold a line break.

    Raises
    ------
    SourceError
        Naming the line where one is never closed, or closed within a field.
    """
    if not re.search(b'"', layout.text):
        return False
    paired, broken = _pair_quotes(layout.text, layout.delimiter)
    if paired:
        return broken
    blank = re.search(
        rb"(?:^|[\r\n%b])[ \t]+\"" % re.escape(layout.delimiter.encode()), layout.text
    )
    if blank is not None:
        line = bytes(layout.text[: blank.end()]).count(b"\n") + 1
        raise _unreadable(where, f"a blank before a quotation mark in line {line}")
    reader = csv.reader(_lines(layout.text), delimiter=layout.delimiter, strict=True)
    before = 0
    try:
        for _ in reader:
            before = reader.line_num
    except csv.Error as error:
        place = f"a quotation mark in line {before + 1} that does not close its field"
        raise _unreadable(where, f"{place}: {error}") from error
    return True


def _pair_quotes(text: Bytes, delimiter: str) -> tuple[bool, bool]:
    """Tell, without reading fields, whether each quote opens or closes a whole field.

    The second answer is whether a line breaks between an opening and a closing quote.
    """
    edges = np.zeros(256, dtype=bool)
    edges[[ord(delimiter), 10, 13, 34]] = True
    bytes_ = np.frombuffer(text, dtype=np.uint8)
    inside, broken = 0, False
    for start, chunk, quotes in _find_quotes(text):
        opening, closing = quotes[inside::2] + start, quotes[1 - inside :: 2] + start
        if not _edged(bytes_, opening - 1, edges) or not _edged(bytes_, closing + 1, edges):
            return False, True
        broken = broken or _breaks_within(chunk, quotes, inside)
        inside = (inside + len(quotes)) % 2
    return inside == 0, broken


def _find_quotes(text: Bytes) -> Iterator[tuple[int, npt.NDArray[np.uint8], npt.NDArray[np.int64]]]:
    """Find the quotes of each block, of a few blocks at a time."""
    starts = range(0, len(text), BLOCK)
    chunks = cut_blocks(text)
    with ThreadPoolExecutor() as threads:
        for some in range(0, len(chunks), _AT_ONCE):
            found = threads.map(_quotes_in, chunks[some : some + _AT_ONCE])
            yield from zip(starts[some:], chunks[some:], found, strict=False)


def _quotes_in(chunk: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    return np.flatnonzero(chunk == ord('"'))


def _breaks_within(
    chunk: npt.NDArray[np.uint8], quotes: npt.NDArray[np.int64], inside: int
) -> bool:
    """Tell whether a line breaks within quotes that open or close in a chunk."""
    opening, closing = quotes[inside::2], quotes[1 - inside :: 2]
    if inside:
        opening = np.append(0, opening)
    if len(opening) > len(closing):
        closing = np.append(closing, len(chunk))
    lengths = closing - opening
    if lengths.sum() > len(chunk) // 4:
        breaks = np.flatnonzero(chunk == 10)
        return bool(((np.searchsorted(quotes, breaks) + inside) % 2).any())
    skipped = np.append(0, np.cumsum(lengths)[:-1])
    places = np.arange(lengths.sum()) + np.repeat(opening - skipped, lengths)
    return bool((chunk[places] == 10).any())


def _edged(
    text: npt.NDArray[np.uint8], places: npt.NDArray[np.int64], edges: npt.NDArray[np.bool_]
) -> bool:
    within = places[(places >= 0) & (places < len(text))]
    return bool(edges[text[within]].all())


def _explain(layout: _Layout, where: str, error: str) -> SourceError:
    """Find the first line with too few or too many fields."""
    line = layout.first_line - 1
    try:
        for line, row in _records(layout):
            if len(row) != len(layout.names):
                return _unequal(layout, where, line, row)
    except csv.Error as failure:
        return _unreadable(where, f"after line {line}: {failure}")
    return _unreadable(where, error)


def _unequal(layout: _Layout, where: str, line: int, row: list[str]) -> SourceError:
    others = [d for d in _DELIMITERS if d != layout.delimiter]
    joined = layout.delimiter.join(row)
    mixed = next((d for d in others if joined.count(d) + 1 == len(layout.names) > 1), "")
    why = f"line {line} has {len(row)} fields, the header {len(layout.names)}"
    if mixed:
        why += f": it is split by {_SPELT[mixed]}, the header by {_SPELT[layout.delimiter]}"
    return SourceError(
        where,
        seen=f"a file that cannot be read ({why})",
        expected="a field for each column in every line",
        do="Put the same delimiter into all lines."
        if mixed
        else "Mend the line: a half-read row would shift or lose values; a field that holds the "
        "delimiter has to stand in quotation marks.",
    )


def _lines(text: Bytes) -> Iterator[str]:
    return iter(io.TextIOWrapper(io.BytesIO(text), encoding="utf-8", newline=""))


def _records(layout: _Layout) -> Iterator[tuple[int, list[str]]]:
    """Walk through the rows below the header, each with its line in the file."""
    text = io.BytesIO(layout.text[layout.start :])
    reader = csv.reader(
        io.TextIOWrapper(text, encoding="utf-8", newline=""), delimiter=layout.delimiter
    )
    before = 0
    for row in reader:
        if row:
            yield layout.first_line + before, row
        before = reader.line_num


def _locator(layout: _Layout) -> Callable[[int], str]:
    def locate(row: int) -> str:
        try:
            found = next(islice(_records(layout), row, None), None)
        except csv.Error:
            found = None
        return f"line {found[0]}" if found else f"data row {row + 1}"

    return locate


def _finder(layout: _Layout) -> Callable[[npt.NDArray[np.int64]], npt.NDArray[np.bool_]]:
    def find_blank(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        asked = set(rows.tolist())
        try:
            found = {
                number
                for number, (_, row) in enumerate(_records(layout))
                if number in asked and not any(cell.strip() for cell in row)
            }
        except csv.Error:
            found = set()
        return np.array([row in found for row in rows.tolist()], dtype=bool)

    return find_blank
