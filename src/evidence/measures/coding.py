"""Columns as numbers of their distinct values, so that each value is looked at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Numbers = npt.NDArray[np.int64]
Marks = npt.NDArray[np.bool_]

_SMALL = 1 << 24


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
            absent = Coded(np.zeros(len(self.data), dtype=np.int64), ("",))
            self.coded[name] = encode(self.data[name]) if name in self.data else absent
        return self.coded[name]

    def columns(self, *names: str) -> list[Coded]:
        """Return the codes of several columns."""
        return [self.column(name) for name in names]

    def put(self, name: str, column: Coded, dtype: str = "str") -> None:
        """Put a column into the frame, with its codes."""
        self.data[name] = spread(column, self.data.index, dtype)
        self.coded[name] = column

    def keep(self, rows: Marks) -> CodedFrame:
        """Keep the marked rows, numbered anew."""
        coded = {name: Coded(c.codes[rows], c.levels) for name, c in self.coded.items()}
        return CodedFrame(self.data[rows].reset_index(drop=True), coded)


def encode(values: pd.Series) -> Coded:
    """Encode a column: its distinct values are numbered in the order in which they come."""
    codes, unique = pd.factorize(values, use_na_sentinel=False)
    levels = tuple("" if pd.isna(value) else value for value in unique)
    return Coded(codes.astype(np.int64, copy=False), levels)


def spread(column: Coded, index: pd.Index, dtype: str = "str") -> pd.Series:
    """Give each row its value again."""
    levels = pd.Series(list(column.levels), dtype=dtype).array
    return pd.Series(levels.take(column.codes), index=index)


def cross(parts: Sequence[Coded]) -> tuple[Numbers, npt.NDArray[np.int64]]:
    """Cross several columns: the combinations that there are get numbers.

    Returns
    -------
    codes, combinations : ndarray
        A number a row; a row of level numbers a combination.
    """
    sizes = [max(1, len(part.levels)) for part in parts]
    codes = parts[0].codes
    for part, size in zip(parts[1:], sizes[1:], strict=True):
        codes = codes * size + part.codes
    compact, kept = _compact(codes, int(np.prod(sizes, dtype=np.float64)))
    return compact, np.stack(np.unravel_index(kept, sizes), axis=1)


def relabel(function: Callable[..., Any], *parts: Coded) -> Coded:
    """Make a column from others, by a function of their values."""
    codes, combinations = cross(parts)
    numbers: dict[Any, int] = {}
    places = []
    for combination in combinations.tolist():
        values = (part.levels[n] for part, n in zip(parts, combination, strict=True))
        places.append(numbers.setdefault(function(*values), len(numbers)))
    return Coded(np.asarray(places, dtype=np.int64)[codes], tuple(numbers))


def _compact(codes: Numbers, size: int) -> tuple[Numbers, Numbers]:
    """Renumber codes without gaps; by a table of all of them where there is room."""
    if size > _SMALL:
        compact, kept = pd.factorize(codes)
        return compact.astype(np.int64, copy=False), np.asarray(kept, dtype=np.int64)
    seen = np.zeros(size, dtype=bool)
    seen[codes] = True
    return (np.cumsum(seen) - 1)[codes], np.flatnonzero(seen)
