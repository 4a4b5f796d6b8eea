"""Columns as numbers of their distinct values, so that each value is looked at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Numbers = npt.NDArray[np.integer[Any]]
Marks = npt.NDArray[np.bool_]

_SMALL = 1 << 16
_NARROW = 2**31
_DENSE = 32
_ROOMY = 4
_RUN = 8


@dataclass(frozen=True, slots=True)
class Coded:
    """A column as numbers: row → ``codes`` → ``levels``. Missing is an empty text."""

    codes: Numbers
    levels: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class CodedFrame:
    """A frame whose columns are encoded once, when they are first asked for."""

    data: pd.DataFrame
    coded: dict[str, Coded] = field(default_factory=dict)

    def column(self, name: str) -> Coded:
        """Return a column's codes; a column that is not there is empty texts."""
        if name not in self.coded:
            absent = Coded(np.zeros(len(self.data), dtype=np.int32), ("",))
            self.coded[name] = encode(self.data[name]) if name in self.data else absent
        return self.coded[name]

    def columns(self, *names: str) -> list[Coded]:
        """Return the codes of several columns."""
        return [self.column(name) for name in names]

    def put(self, name: str, column: Coded, dtype: str = "str") -> None:
        """Put a column into the frame, with its codes."""
        self.data[name] = spread(column, self.data.index, dtype)
        self.coded[name] = column

    def distinct(self, *names: str) -> tuple[Numbers, CodedFrame]:
        """Find the distinct combinations of columns.

        Returns
        -------
        rows, combinations
            A number a row; a frame with a row a combination and just these columns.
        """
        parts = self.columns(*names)
        rows, combinations = cross(parts)
        few = {
            n: Coded(combinations[:, i], p.levels)
            for i, (n, p) in enumerate(zip(names, parts, strict=True))
        }
        return rows, CodedFrame(pd.DataFrame(index=pd.RangeIndex(len(combinations))), few)

    def keep(self, rows: Marks) -> CodedFrame:
        """Keep the marked rows, numbered anew."""
        coded = {name: Coded(c.codes[rows], c.levels) for name, c in self.coded.items()}
        return CodedFrame(self.data[rows].reset_index(drop=True), coded)


def encode(values: pd.Series) -> Coded:
    """Encode a column: its distinct values get numbers; categories have theirs."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        codes = values.cat.codes.to_numpy().astype(np.int32)
        known = tuple(values.cat.categories)
        if codes.min(initial=0) >= 0:
            return Coded(codes, known)
        return Coded(np.where(codes < 0, np.int32(len(known)), codes), (*known, ""))
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "iu":
        whole, kept = _by_runs(_compact_range, values.to_numpy())
        return Coded(whole, tuple(kept.tolist()))
    if isinstance(values.dtype, np.dtype) and values.dtype.kind == "M" and not values.hasnans:
        instants = values.to_numpy()
        moments, unique = _by_runs(pd.factorize, instants.view(np.int64))
        days = pd.DatetimeIndex(unique.view(instants.dtype))
        return Coded(moments.astype(np.int32), tuple(days))
    numbers, found = pd.factorize(values, use_na_sentinel=False)
    levels = tuple("" if pd.isna(value) else value for value in found)
    return Coded(numbers.astype(np.int32), levels)


def spread(column: Coded, index: pd.Index, dtype: str = "str") -> pd.Series:
    """Give each row its value again."""
    if dtype == "str":
        levels = pd.Index(column.levels, dtype="str")
        texts = pd.Categorical.from_codes(column.codes, levels, validate=False)
        return pd.Series(texts, index, copy=False)
    values = pd.Series(list(column.levels), dtype=dtype).array
    return pd.Series(values.take(column.codes), index, copy=False)


def cross(parts: Sequence[Coded]) -> tuple[Numbers, npt.NDArray[np.int64]]:
    """Cross several columns: the combinations that there are get numbers.

    Returns
    -------
    codes, combinations : ndarray
        A number a row; a row of level numbers a combination.
    """
    codes, sizes = _combine(parts)
    compact, kept = _by_runs(lambda some: _compact(some, math.prod(sizes)), codes)
    return compact, np.stack(np.unravel_index(kept, sizes), axis=1)


def _combine(parts: Sequence[Coded]) -> tuple[Numbers, list[int]]:
    """Give equal combinations equal codes, and say how many levels each column has."""
    sizes = [max(1, len(part.levels)) for part in parts]
    narrow = math.prod(sizes) < _NARROW
    codes = parts[0].codes if narrow else parts[0].codes.astype(np.int64)
    for part, size in zip(parts[1:], sizes[1:], strict=True):
        if size > 1:
            codes = codes * size
            codes += part.codes
    return codes, sizes


def list_distinct(data: pd.DataFrame, by: list[str], more: tuple[str, ...] = ()) -> pd.DataFrame:
    """List the distinct combinations of columns, texts spelled out.

    Parameters
    ----------
    more : tuple of str
        Further columns, whose values in the first row of a combination are given.
    """
    if more:
        _, first = number_rows(data, by)
        return spell(data[[*by, *more]].iloc[np.sort(first)])
    parts = [encode(data[column]) for column in by]
    _, combinations = cross(parts)
    return list_levels(data, by, parts, combinations)


def list_levels(
    data: pd.DataFrame, by: list[str], parts: list[Coded], combinations: Numbers
) -> pd.DataFrame:
    """List combinations of level numbers as values, of the types that the columns have."""
    types = spell(data[by].iloc[:0]).dtypes
    columns = {}
    for place, (name, part) in enumerate(zip(by, parts, strict=True)):
        levels = pd.Series([None if v == "" else v for v in part.levels], dtype=object)
        columns[name] = levels.take(combinations[:, place]).reset_index(drop=True)
    whole = pd.DataFrame(columns)
    kept = {n: t for n, t in types.items() if not (t.kind in "iu" and whole[n].isna().any())}
    return whole.astype(kept)


def number_rows(data: pd.DataFrame, by: list[str]) -> tuple[Numbers, Numbers]:
    """Give each row the number of its combination, and each number its first row."""
    rows, combinations = cross([encode(data[column]) for column in by])
    first = np.zeros(len(combinations), dtype=np.int64)
    first[rows[::-1]] = np.arange(len(rows) - 1, -1, -1)
    return rows, first


def spell(data: pd.DataFrame) -> pd.DataFrame:
    """Spell categories out as texts."""
    return data.astype({c: "str" for c in data if isinstance(data[c].dtype, pd.CategoricalDtype)})


def is_unique(parts: Sequence[Coded]) -> bool:
    """Tell whether no combination of columns comes twice."""
    codes, sizes = _combine(parts)
    if math.prod(sizes) > _DENSE * len(codes):
        return len(cross(parts)[1]) == len(codes)
    seen = np.zeros(math.prod(sizes), dtype=bool)
    seen[codes] = True
    return int(np.count_nonzero(seen)) == len(codes)


def mark(column: Coded, test: Callable[[Any], bool]) -> Marks:
    """Mark the rows whose value meets a test."""
    return np.array([test(level) for level in column.levels], dtype=bool)[column.codes]


def relabel(function: Callable[..., Any], *parts: Coded) -> Coded:
    """Make a column from others, by a function of their values."""
    codes, combinations = cross(parts)
    numbers: dict[Any, int] = {}
    places = []
    for combination in combinations.tolist():
        values = (part.levels[n] for part, n in zip(parts, combination, strict=True))
        places.append(numbers.setdefault(function(*values), len(numbers)))
    return Coded(np.asarray(places, dtype=np.int32)[codes], tuple(numbers))


def _by_runs(
    number: Callable[[Numbers], tuple[Numbers, Numbers]], values: Numbers
) -> tuple[Numbers, Numbers]:
    """Give numbers to runs of equal values, where the rows of a unit stand together."""
    changed = values[1:] != values[:-1]
    if _RUN * np.count_nonzero(changed) >= len(values):
        return number(values)
    first = np.append(0, np.flatnonzero(changed) + 1)
    codes, kept = number(values[first])
    return np.repeat(codes, np.diff(first, append=len(values))), kept


def _compact_range(values: Numbers) -> tuple[Numbers, Numbers]:
    """Renumber whole numbers without gaps, in their order."""
    least = int(values.min(initial=0)) if len(values) else 0
    codes, kept = _compact(values - least, int(values.max(initial=least)) - least + 1)
    return codes.astype(np.int32, copy=False), kept + least


def _compact(codes: Numbers, size: int) -> tuple[Numbers, Numbers]:
    """Renumber codes without gaps; by a table of all of them where there is room."""
    if size > max(_SMALL, _ROOMY * len(codes)):
        compact, kept = pd.factorize(codes)
        return compact.astype(np.int32), np.asarray(kept, dtype=np.int64)
    seen = np.zeros(size, dtype=bool)
    seen[codes] = True
    if seen.all():
        return codes, np.arange(size)
    kept = np.flatnonzero(seen)
    places = np.empty(size, dtype=np.int32)
    places[kept] = np.arange(len(kept), dtype=np.int32)
    return places[codes], kept
