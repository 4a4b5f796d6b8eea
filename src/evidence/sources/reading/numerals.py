"""Numbers as people write them: digits of any script, marks of decimals and thousands."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evidence.sources.reading.cells import Pairs
from evidence.sources.record import Table

MISSING = frozenset((
    "na", "n/a", "n.a.", "nan", "null", "none", "nil", "missing", "dk", "n/k", "#n/a",
    ".", "..", "...", "-", "--", "–", "—", "?", "*", "x",
))  # fmt: skip
"""Marks that people use for no answer; only the record makes one of them such a mark."""

_PLAIN = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
_DIGITS_AND_MARKS = r"^[+-]?[0-9,. ']*[0-9][0-9,. ']*(?:[eE][+-]?[0-9]+)?$"
_FOLDED = str.maketrans(
    {"\uff0d": "-", "\ufe63": "-", "\uff0b": "+", "\uff0e": ".", "\uff0c": ",", "\u2019": "'"}
    | dict.fromkeys("\u00a0\u2009\u202f", " ")
)
_SPELT = {",": "comma", ".": "dot", " ": "space", "'": "apostrophe"}
_LAKH = "[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}"
_ODD = (
    (re.compile(r"#[A-Z/0!?]+"), "an error of Excel"),
    (re.compile(r".*[%\u066a\u2030\uff05].*"), "a percentage"),
    (re.compile(r"\(.*\)"), "a number in brackets, which bookkeepers write for a negative one"),
    (re.compile(r"\d{1,4}([/.-])\d{1,2}\1\d{1,4}"), "a date"),
    (re.compile(r"\d+\s*/\s*\d+"), "a fraction"),
    (re.compile(r"[+-]?0[xX][0-9a-fA-F]+"), "a hexadecimal number"),
    (re.compile(r".*\d_\d.*"), "a number with underscores"),
    (re.compile(r".*[$€£¥₫៛৳₹].*|.*\b(?:USD|EUR|JPY|VND|KHR|BDT|Tk)\b.*"), "an amount of money"),
    (re.compile(r"[+-]?[\d.,]+\s*[^\W\d_]+.*"), "a number with a unit"),
)


@dataclass(slots=True)
class Numbers:
    """What the texts of a column give as numbers.

    ``values`` is not a number where a text is none; ``bad`` maps such a text's place →
    what it looks like; ``unsettled`` holds places of texts with more than one reading.
    """

    values: npt.NDArray[np.float64]
    bad: dict[int, str] = field(default_factory=dict)
    unsettled: tuple[int, ...] = ()
    readings: Pairs = ()


@dataclass(frozen=True, slots=True)
class _Marks:
    """One way to read a column: its decimal mark, and its mark of thousands or none."""

    decimal: str
    thousands: str

    @property
    def pattern(self) -> str:
        """The numbers that can be written so."""
        mark, decimal = re.escape(self.thousands), re.escape(self.decimal)
        groups = f"|[1-9][0-9]{{0,2}}(?:{mark}[0-9]{{3}})+" if mark else ""
        groups += f"|{_LAKH}" if mark == "," else ""
        whole = f"(?:[0-9]+{groups})(?:{decimal}[0-9]*)?|{decimal}[0-9]+"
        return f"^[+-]?(?:{whole})(?:[eE][+-]?[0-9]+)?$"

    def read(self, texts: Any) -> npt.NDArray[np.float64]:
        """Read texts that match the pattern."""
        if self.thousands:
            texts = pc.replace_substring(texts, self.thousands, "")
        plain = pc.replace_substring(texts, self.decimal, ".")
        return np.asarray(pc.cast(plain, pa.float64()).to_numpy(zero_copy_only=False))


_WAYS = tuple(
    _Marks(decimal, thousands)
    for thousands, decimal in itertools.product(("", ",", " ", ".", "'"), ".,")
    if decimal != thousands
)


def read_numbers(texts: Any, places: npt.NDArray[np.int64], table: Table) -> Numbers:
    """Read some of the texts of a column as numbers.

    The marks are those of the only way to read all of them; where several ways give
    other numbers, ``decimal`` or ``thousands`` of the table decides.

    Parameters
    ----------
    texts : pyarrow.StringArray
        The column's distinct texts, stripped.
    places : array of int
        Which of them are to be numbers; the others are left not a number.
    """
    numbers = Numbers(np.full(len(texts), np.nan))
    chosen = texts.take(pa.array(places))
    plain = _matches(chosen, _PLAIN)
    if plain.all() and table.decimal != "," and table.thousands != ".":
        numbers.values[places] = pc.cast(chosen, pa.float64()).to_numpy(zero_copy_only=False)
        return numbers
    normal, scripts = _normalise(chosen)
    shaped = _matches(normal, _DIGITS_AND_MARKS)
    way = _settle(normal.filter(pa.array(shaped)), places[shaped], table, numbers)
    fit = shaped & _matches(normal, way.pattern)
    numbers.values[places[fit]] = way.read(normal.filter(pa.array(fit)))
    for place in np.flatnonzero(~fit):
        numbers.bad[int(places[place])] = _describe(chosen[int(place)].as_py())
    numbers.readings = (*sorted(scripts), *_spell(way, normal.filter(pa.array(fit))))
    return numbers


def _matches(texts: Any, pattern: str) -> npt.NDArray[np.bool_]:
    return np.asarray(pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False))


def _settle(texts: Any, places: npt.NDArray[np.int64], table: Table, numbers: Numbers) -> _Marks:
    """Choose the way that reads most; note the texts that two such ways read as other numbers."""
    ways = list(_allowed(table))
    fits = [_matches(texts, way.pattern) for way in ways]
    most = max(int(fit.sum()) for fit in fits)
    best = [(way, fit) for way, fit in zip(ways, fits, strict=True) if int(fit.sum()) == most]
    way, fit = best[0]
    if not pc.any(pc.match_substring(texts, ","), min_count=0).as_py():
        # Dots alone are decimal marks where that reads them all.
        best = [(other, same) for other, same in best if other.decimal == way.decimal]
    values = way.read(texts.filter(pa.array(fit)))
    for other, same in best[1:]:
        if (same == fit).all():
            differ = other.read(texts.filter(pa.array(same))) != values
            numbers.unsettled += tuple(int(p) for p in places[fit][differ])
    return way


def _allowed(table: Table) -> Iterator[_Marks]:
    """List the ways that the record leaves open."""
    for way in _WAYS:
        grouped = way.thousands in {"", table.thousands or way.thousands}
        if grouped and way.decimal in (table.decimal or ".,") and way.decimal != table.thousands:
            yield way


def _spell(way: _Marks, texts: Any) -> Pairs:
    """Say which marks the texts hold that are not the dot of a decimal."""
    marks = (("thousands mark", way.thousands), ("decimal mark", way.decimal))
    return tuple(
        (kind, _SPELT[mark])
        for kind, mark in marks
        if mark
        and (kind, mark) != ("decimal mark", ".")
        and pc.any(pc.match_substring(texts, mark), min_count=0).as_py()
    )


def _normalise(texts: Any) -> tuple[Any, set[tuple[str, str]]]:
    """Write texts with ASCII digits and marks; say which others were found."""
    if pc.all(pc.string_is_ascii(texts), min_count=0).as_py():
        return texts, set()
    found: set[tuple[str, str]] = set()
    normal = [fold_digits(text.translate(_FOLDED), found) for text in texts.to_pylist()]
    if any("\N{MINUS SIGN}" in text for text in normal):
        found.add(("minus sign", "U+2212"))
    return pa.array([text.replace("\N{MINUS SIGN}", "-") for text in normal], pa.string()), found


def fold_digits(text: str, found: set[tuple[str, str]]) -> str:
    """Write a text with ASCII digits, unless it mixes digits of two scripts.

    Parameters
    ----------
    found : set
        Takes the script of digits that are not ASCII, as a reading.
    """
    if text.isascii():
        return text
    names = {unicodedata.name(c) for c in text if c.isdecimal()}
    scripts = {name.rpartition("DIGIT ")[0].strip() for name in names}
    if len(scripts) > 1:
        return text
    found |= {("digits", script.capitalize()) for script in scripts if script}
    return "".join(str(unicodedata.decimal(c, c)) for c in text)


def _describe(text: str) -> str:
    """Say what a text looks like that is no number."""
    if len({unicodedata.name(c).rpartition("DIGIT ")[0] for c in text if c.isdecimal()}) > 1:
        return "digits of two scripts"
    if re.fullmatch(_DIGITS_AND_MARKS, text):
        return "written with other marks than the rest of the column, or with uneven groups"
    return next((phrase for pattern, phrase in _ODD if pattern.fullmatch(text)), "")
