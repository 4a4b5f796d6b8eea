"""A file as it was read: columns of cells, each distinct cell once, and where they stand."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from evidence.errors import SourceError
from evidence.sources.record import Table

MOST_CELLS = 200_000_000
_INVISIBLE = "\N{ZERO WIDTH SPACE}\N{LEFT-TO-RIGHT MARK}\N{RIGHT-TO-LEFT MARK}\N{WORD JOINER}\ufeff"
_SHOWN = 60
# Letters of Cyrillic and Greek that look like those of Latin.
LOOKALIKE = str.maketrans(
    "АВЕЅІЈКМНОРСТХУаеѕіјорсухΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABESIJKMHOPCTXYaesijopcyxABEZHIKMNOPTYXo"
)

Codes = npt.NDArray[np.int64] | npt.NDArray[np.int32]
Pairs = tuple[tuple[str, str], ...]
Bytes = bytes | memoryview


@dataclass(frozen=True, slots=True)
class Cells:
    """One column's cells.

    ``texts`` holds each distinct cell once, ``codes`` row → text, -1 where a format
    marks the cell as missing. ``kinds`` says of each text what the file holds it as
    (``text``, ``number``, ``date``, ``flag``, ``time``, ``error``); None: all are text.
    ``whole`` is the column as it lies in the file, where the texts are just those.
    """

    texts: Any
    codes: Codes
    kinds: npt.NDArray[np.str_] | None = None
    whole: Any = None

    def of_kind(self, kind: str) -> npt.NDArray[np.bool_]:
        """Tell which texts are of a kind."""
        if self.kinds is None:
            return np.full(len(self.texts), kind == "text")
        return np.asarray(self.kinds == kind, dtype=bool)


def _none(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    return np.zeros(len(rows), dtype=bool)


@dataclass(frozen=True, slots=True)
class Grid:
    """The declared columns of one file.

    ``locate`` names the place of a row, such as ``line 7``; ``index`` holds the file's
    rows that are in ``cells``; ``blank`` tells which of some rows are empty in columns
    that are not declared, too.
    """

    where: str
    cells: dict[str, Cells]
    index: npt.NDArray[np.int64]
    locate: Callable[[int], str]
    readings: Pairs = ()
    steps: tuple[tuple[int, str], ...] = ()
    blank: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.bool_]] = _none


@dataclass(frozen=True, slots=True)
class Spot:
    """One column of a grid, for messages that name the first bad cell."""

    grid: Grid
    name: str
    cells: Cells

    def place(self, row: int) -> str:
        """Name file, column and line of a row."""
        line = self.grid.locate(int(self.grid.index[row]))
        return f"{self.grid.where}, column {self.name}, {line}"

    def error(
        self, bad: Iterable[int], *, expected: str, do: str, phrase: str = "", read: str = ""
    ) -> SourceError:
        """Word what is wrong with some of the texts, at the first row that holds one.

        Parameters
        ----------
        bad : iterable of int
            Which of the texts are wrong.
        phrase : str
            What the text looks like.
        read : str
            How the text was read, if that is what is wrong.
        """
        found = np.isin(self.cells.codes, np.fromiter(bad, dtype=np.int64))
        row = int(found.argmax())
        text = show(self.text_of(row))
        seen = f"'{text}'" if read in {"", text} else f"'{read}', written '{text}'"
        seen += f", {phrase}" if phrase else ""
        seen += count(int(found.sum()), "such values")
        return SourceError(self.place(row), seen=seen, expected=expected, do=do)

    def refusal(self, row: int, *, seen: str, expected: str, do: str) -> SourceError:
        """Word what is wrong with one row's cell."""
        return SourceError(self.place(row), seen=seen, expected=expected, do=do)

    def text_of(self, row: int) -> str:
        """Give a row's cell as text."""
        code = int(self.cells.codes[row])
        return "" if code < 0 else str(self.cells.texts[code].as_py())


def count(number: int, what: str) -> str:
    """Say how many there are, if more than one."""
    return f" ({number:,} {what})" if number > 1 else ""


def show(text: str) -> str:
    """Shorten a cell for a message and make what cannot be seen visible."""
    seen = "".join(c if c.isprintable() else f"<U+{ord(c):04X}>" for c in text)
    return seen if len(seen) <= _SHOWN else seen[:_SHOWN] + "…"


def show_odd(text: str) -> str:
    """Show a text with each letter named that looks like another one."""
    odd = (
        c.translate(LOOKALIKE) != c
        or (unicodedata.category(c) == "Pd" and c != "-")
        or "\ufe00" <= c <= "\ufe0f"
        for c in text
    )
    return show("".join(f"<U+{ord(c):04X}>" if o else c for c, o in zip(text, odd, strict=True)))


def clean(cells: Cells, name: str) -> tuple[Cells, Pairs]:
    """Strip the texts and bring them to one Unicode form (NFC)."""
    texts = pc.utf8_trim_whitespace(cells.texts)
    whole = cells.whole if texts.equals(cells.texts) else None
    if pc.all(pc.string_is_ascii(texts), min_count=0).as_py():
        return replace(cells, texts=texts, whole=whole), ()
    bare = pc.utf8_trim_whitespace(pc.utf8_trim(texts, characters=_INVISIBLE))
    hidden = not bare.equals(texts)
    readings = (("invisible characters", f"left out at the ends, column {name}"),)
    normal = pc.utf8_normalize(bare, form="NFC")
    whole = whole if normal.equals(texts) else None
    return replace(cells, texts=normal, whole=whole), readings if hidden else ()


def clean_name(name: object) -> str:
    """Strip a header cell and bring it to one Unicode form (NFC)."""
    return unicodedata.normalize("NFC", str(name).strip().strip(_INVISIBLE).strip())


def find_columns(names: Sequence[str], table: Table) -> dict[str, str]:
    """Find each declared column in a header: house name → the file's name."""
    held = set(names)
    found = {}
    for column in table.columns:
        raw = next((n for n in map(clean_name, column.raw_names) if n in held), None)
        if raw is not None:
            found[column.name] = raw
    return found


def is_header(names: Sequence[object], table: Table) -> bool:
    """Tell whether a row of cells holds the names of all declared columns."""
    return not _absent([clean_name(name) for name in names], table)


def check_header(
    names: Sequence[str],
    table: Table,
    where: str,
    *,
    later: str = "",
    hint: str = "",
) -> dict[str, str]:
    """Check that a header names each declared column once; give house name → file's name.

    Parameters
    ----------
    later : str
        Where the declared names stand instead, such as ``line 4``.
    hint : str
        What else the reader knows about a header that lacks columns.

    Raises
    ------
    SourceError
        Where a name stands twice, or a declared column under none of its names.
    """
    absent = _absent(names, table)
    if absent and later:
        raise SourceError(
            where,
            seen=f"the declared columns in {later}, below other lines",
            expected="the header first",
            do=f"Delete what stands above {later}: titles would be read as data or lost.",
        )
    if absent:
        raise SourceError(
            where,
            seen=f"columns {', '.join(map(show, names[:40]))}",
            expected=f"also {', '.join(absent)}{_nearest(absent[0], names)}",
            do=hint or "Mend the file's header, or 'raw' of the column in the record.",
        )
    twice = next((n for i, n in enumerate(names) if n in names[:i]), None)
    if twice is not None:
        raise SourceError(
            where,
            seen=f"more than one column '{twice}'" if twice else "several columns without a name",
            expected="each name once",
            do="Rename or delete one of the columns in the file.",
        )
    return find_columns(names, table)


def _absent(names: Sequence[str], table: Table) -> list[str]:
    found = find_columns(names, table)
    return [c.raw_names[0] for c in table.columns if c.name not in found and c.name != table.stack]


def _nearest(name: str, names: Sequence[str]) -> str:
    folded = {n.casefold(): n for n in names}
    near = difflib.get_close_matches(name.casefold(), list(folded), 1)
    return f" (the nearest to '{name}' is '{show_odd(folded[near[0]])}')" if near else ""


def check_size(rows: int, columns: int, where: str) -> None:
    """Refuse a file with more cells than can be held at once.

    Raises
    ------
    SourceError
        Naming both numbers.
    """
    if rows * max(columns, 1) > MOST_CELLS:
        raise SourceError(
            where,
            seen=f"{rows:,} rows of {columns} columns",
            expected=f"at most {MOST_CELLS:,} cells",
            do="Split the file, or keep only the columns and rows that the study needs.",
        )


def check_rows(rows: int, where: str) -> None:
    """Refuse a file that holds a header only.

    Raises
    ------
    SourceError
        Where there is no row.
    """
    if not rows:
        raise SourceError(
            where,
            seen="a header without rows",
            expected="at least one row",
            do="Put the data into the file.",
        )


def drop_empty(grid: Grid) -> Grid:
    """Leave out rows that hold nothing at all, and count them.

    Raises
    ------
    SourceError
        Where no row holds anything.
    """
    empty = np.ones(len(grid.index), dtype=bool)
    for cells in grid.cells.values():
        blank = pc.equal(cells.texts, "").to_numpy(zero_copy_only=False)
        if not blank.any() and cells.codes.min(initial=0) >= 0:
            return grid
        empty &= np.concatenate([blank, [True]])[cells.codes]
        if not empty.any():
            return grid
    candidates = np.flatnonzero(empty)
    empty[candidates] = grid.blank(grid.index[candidates])
    if not empty.any():
        return grid
    check_rows(int((~empty).sum()), grid.where)
    kept = {n: replace(c, codes=c.codes[~empty], whole=None) for n, c in grid.cells.items()}
    step = (int((~empty).sum()), f"without {int(empty.sum())} rows that hold nothing")
    return replace(grid, cells=kept, index=grid.index[~empty], steps=(*grid.steps, step))
