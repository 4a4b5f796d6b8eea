"""Raw bytes become a typed table, or one error that says where and what."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from evidence.errors import SourceError
from evidence.sources.reading.alike import check_names
from evidence.sources.reading.cells import Bytes, Grid, Spot, count, drop_empty, find_columns, show
from evidence.sources.reading.formats import read_file
from evidence.sources.reading.values import Typed, as_series, type_column
from evidence.sources.record import Column, Table

_MOST_KEYS = 2**62
_DENSE = 32

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Parsed:
    """A typed table read from one file.

    ``readings`` says what was found in the file rather than declared: pairs of a kind
    (``encoding``, ``delimiter``, ``digits``, …) and what was found. ``steps`` counts
    rows left out on the way, as pairs of the rows left and the reason.
    """

    frame: pd.DataFrame
    readings: tuple[tuple[str, str], ...] = ()
    steps: tuple[tuple[int, str], ...] = ()


def parse(payload: Bytes, name: str, table: Table, where: str) -> Parsed:
    """Read one file of a table.

    Parameters
    ----------
    payload : bytes or memoryview
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
    _check_marks(table, where)
    grid = drop_empty(read_file(payload, name, table, where))
    found = find_columns(tuple(grid.cells), table)
    spots = {house: Spot(grid, raw, grid.cells[raw]) for house, raw in found.items()}
    columns = tuple(c for c in table.columns if c.name in spots)
    _check_no_second_header(spots, grid)
    typed = {c.name: type_column(spots[c.name], c, table) for c in columns}
    keep, steps = _choose_rows(typed, columns, table, grid)
    _check_keys(typed, spots, keep, table)
    kept = None if keep.all() else keep
    with ThreadPoolExecutor() as threads:
        series = threads.map(
            lambda c: as_series(typed[c.name], c, kept, coded=table.holds_answers), columns
        )
        frame = pd.DataFrame(
            {c.name: one for c, one in zip(columns, series, strict=True)}, copy=False
        )
    readings = (*grid.readings, *(r for t in typed.values() for r in t.readings))
    return Parsed(frame, tuple(dict.fromkeys(readings)), (*grid.steps, *steps))


def _check_marks(table: Table, where: str) -> None:
    if table.decimal and table.decimal == table.thousands:
        raise SourceError(
            where,
            seen=f"'{table.decimal}' as the mark of decimals and of thousands in the record",
            expected="two marks",
            do="Mend 'decimal' or 'thousands' of the table.",
        )


def _check_no_second_header(spots: dict[str, Spot], grid: Grid) -> None:
    """Refuse a header that stands again among the rows, as where files were put together."""
    again = np.ones(len(grid.index), dtype=bool)
    for spot in spots.values():
        code = spot.cells.texts.index(spot.name).as_py()
        if code < 0:
            return
        again &= spot.cells.codes == code
    if again.any():
        raise SourceError(
            f"{grid.where}, {grid.locate(int(grid.index[again.argmax()]))}",
            seen="the header again",
            expected="one header, in the first line",
            do="Delete the line; or keep the files apart and name them with a pattern.",
        )


def _choose_rows(
    typed: dict[str, Typed], columns: tuple[Column, ...], table: Table, grid: Grid
) -> tuple[Mask, list[tuple[int, str]]]:
    """Leave out regions that are no countries, then rows that ``where`` does not name."""
    keep = np.ones(len(grid.index), dtype=bool)
    steps = []
    for column in columns:
        left = typed[column.name].left_rows
        if left is not None:
            count = int((keep & left).sum())
            keep &= ~left
            what = ", ".join(typed[column.name].left_out)
            reason = f"without {count} rows of {column.name} that are no country ({what})"
            steps.append((int(keep.sum()), reason))
    for column in columns:
        if column.name in table.where:
            wanted = table.where[column.name]
            keep &= _holds(typed[column.name], column, wanted)
            steps.append((int(keep.sum()), f"where {column.name} is {', '.join(wanted)}"))
    if not keep.any():
        raise _refuse_nothing(typed, table, grid)
    return keep, steps


def _holds(typed: Typed, column: Column, wanted: tuple[str, ...]) -> Mask:
    """Tell which rows hold one of the values that the record names."""
    texts = _spell(typed, column)
    chosen = np.array([text in wanted for text in texts] + [False], dtype=bool)
    return np.asarray(chosen[typed.codes], dtype=bool)


def _spell(typed: Typed, column: Column) -> list[str]:
    """Write distinct values as the record would."""
    if column.type in {"text", "country"}:
        return [str(text) for text in typed.values.to_pylist()]
    if column.type == "date":
        return [str(day)[:10] for day in typed.values]
    return [str(int(v)) if v == int(v) else repr(float(v)) for v in typed.values]


def _refuse_nothing(typed: dict[str, Typed], table: Table, grid: Grid) -> SourceError:
    named = [c for c in table.columns if c.name in table.where]
    held = [f"{c.name} {', '.join(_spell(typed[c.name], c)[:8])}" for c in named]
    return SourceError(
        grid.where,
        seen=f"no row left, of rows with {show('; '.join(held))}"
        if held
        else "no row of a country",
        expected="at least one row" + (" that 'where' in the record names" if held else ""),
        do="Mend 'where' in the record, or the file." if held else "Mend the file.",
    )


def _check_keys(typed: dict[str, Typed], spots: dict[str, Spot], keep: Mask, table: Table) -> None:
    """Check that each kept row has a key, and no two the same.

    Raises
    ------
    SourceError
        Naming the first row without, or the first repeated key and both its lines.
    """
    key = [name for name in table.key if name in typed]
    for name in key:
        absent = keep & (typed[name].codes < 0)
        if absent.any():
            row = int(absent.argmax())
            raise SourceError(
                spots[name].place(row),
                seen=f"'{spots[name].text_of(row)}'" + count(int(absent.sum()), "such values"),
                expected="a value in every row, because it is part of the key",
                do="Mend the file, or the table's key in the record.",
            )
    check_names(typed, spots, keep, table)
    if key:
        _check_unique({name: typed[name] for name in key}, spots, keep, table)


def _check_unique(
    typed: dict[str, Typed], spots: dict[str, Spot], keep: Mask, table: Table
) -> None:
    columns = [_codes_of_values(t) for t in typed.values()]
    if not keep.all():
        columns = [codes[keep] for codes in columns]
    if _is_plainly_unique(columns):
        return
    codes = _number_keys(columns)
    later = pd.Series(codes).duplicated().to_numpy()
    if not later.any():
        return
    second = int(later.argmax())
    first = int((codes == codes[second]).argmax())
    rows = np.flatnonzero(keep)[[first, second]]
    spot = next(iter(spots.values()))
    lines = [spot.grid.locate(int(spot.grid.index[row])) for row in rows]
    values = ", ".join(f"'{show(spots[name].text_of(int(rows[1])))}'" for name in typed)
    raise SourceError(
        f"{spot.grid.where}, {lines[0]}",
        seen=f"{values} again in {lines[1]}" + count(int(later.sum()), "repeated rows"),
        expected=f"each combination of {', '.join(table.key)} once",
        do="Delete one of the rows, or add to the table's key in the record what tells them apart.",
    )


def _is_plainly_unique(columns: list[npt.NDArray[np.int64]]) -> bool:
    """Tell quickly whether two of the columns are unique together; then all are."""
    rows = len(columns[0])
    sizes = [int(codes.max(initial=0)) + 1 for codes in columns]
    pairs = itertools.combinations(range(len(columns)), 2)
    for size, one, two in sorted((sizes[i] * sizes[j], i, j) for i, j in pairs):
        if rows <= size <= _DENSE * rows:
            seen = np.zeros(size, dtype=bool)
            seen[columns[one] * np.int64(sizes[two]) + columns[two]] = True
            if np.count_nonzero(seen) == rows:
                return True
    return False


def _number_keys(columns: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    """Give each combination of codes a number."""
    keys = np.zeros(len(columns[0]), dtype=np.int64)
    for codes in columns:
        size = int(codes.max(initial=0)) + 1
        if size * (int(keys.max(initial=0)) + 1) >= _MOST_KEYS:
            keys = pd.factorize(keys)[0].astype(np.int64)
        keys = keys * size + codes
    return keys


def _codes_of_values(typed: Typed) -> npt.NDArray[np.int64]:
    """Give equal values equal codes, however they were written."""
    places, levels = pd.factorize(np.asarray(typed.values))
    return np.asarray(typed.codes if len(levels) == len(places) else places[typed.codes])
