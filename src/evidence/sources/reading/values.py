"""The cells of a column become values of the declared type, each distinct one once."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from evidence.errors import SourceError
from evidence.language import find_region, find_territory, suggest_territory
from evidence.sources.reading.cells import Codes, Pairs, Spot, show
from evidence.sources.reading.numerals import MISSING, fold_digits, read_numbers
from evidence.sources.record import Column, Table

_LARGEST_INTEGER = 2**53
_YEARS = range(1900, 2101)
_CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x{9f}\x{feff}\x{fffd}]"
_EXCEL_ERROR = r"^#(?:N/A|REF!|VALUE!|NAME\?|DIV/0!|NULL!|NUM!)$"
_EXCEL_DAY = r"^[0-9]{1,2}-(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)$"
_EXCEL_LONG_NUMBER = r"^[0-9]\.[0-9]{2,}E\+[0-9]{2}$"
# UTF-8 of a letter, read as Windows-1252: two to four letters for one.
_TWICE = re.compile(
    "[\u00c2-\u00f4][\u0080-\u00bf\u0152-\u0192\u02c6\u02dc\u2013-\u203a\u20ac\u2122]+"
)
_NEGATIVE_CODES = (
    -7.0, -8.0, -9.0, -66.0, -77.0, -88.0, -97.0, -98.0, -99.0, -666.0, -777.0, -888.0, -997.0,
    -998.0, -999.0, -7777.0, -8888.0, -9997.0, -9998.0, -9999.0, -99999.0,
)  # fmt: skip
_LARGE_NEGATIVE_CODES = tuple(-(10.0**digits - 1) for digits in range(5, 13))
_STATA_MISSING = 2.0**1023
_POSITIVE_CODES = (88.0, 99.0, 888.0, 999.0, 8888.0, 9999.0, 99999.0, 999999.0)
_BESIDE = (*_POSITIVE_CODES, 77.0, 97.0, 98.0, 777.0, 997.0, 998.0, 7777.0, 9997.0, 9998.0)
_FORMATS = (
    "%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%Y/%m/%d", "%Y%m%d", "%d %b %Y",
    "%d-%b-%Y", "%d %B %Y", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%y",
    "%m/%d/%y", "%Y-%m", "%Y",
)  # fmt: skip
_TYPE_NAMES = {
    "text": "text",
    "integer": "a whole number",
    "number": "a number",
    "flag": "0 or 1",
    "date": "a date",
    "country": "a country",
}
_KINDS = {
    "number": "a number",
    "date": "a date",
    "flag": "TRUE or FALSE",
    "time": "a time of the day",
    "error": "an error",
}


@dataclass(frozen=True, slots=True)
class Typed:
    """A column of typed values: ``codes`` gives row → value, -1 where there is none.

    ``left_out`` holds the texts whose rows are left out, such as those of world regions;
    ``whole`` the column as it lies in the file, where its texts are the values.
    """

    codes: Codes
    values: Any
    readings: Pairs = ()
    left_out: tuple[str, ...] = ()
    left_rows: npt.NDArray[np.bool_] | None = None
    whole: Any = None


def type_column(spot: Spot, column: Column, table: Table) -> Typed:
    """Give a column's cells the declared type.

    Raises
    ------
    SourceError
        At the first cell that has no value of the type, with what to do.
    """
    marks = pa.array([*table.missing, *column.missing], pa.string())
    absent = np.asarray(pc.is_in(spot.cells.texts, marks).to_numpy(zero_copy_only=False))
    places = np.flatnonzero(~absent)
    _check_kinds(spot, places, column)
    return _TYPES[column.type](spot, places, column, table)


def _check_kinds(spot: Spot, places: npt.NDArray[np.int64], column: Column) -> None:
    """Refuse cells that a workbook holds as something else than the column's type."""
    allowed = {"text", *_ALSO.get(column.type, ())}
    for kind, phrase in _KINDS.items():
        bad = places[spot.cells.of_kind(kind)[places]]
        if kind not in allowed and bad.size:
            raise spot.error(
                bad,
                phrase=f"which the file holds as {phrase}",
                expected=_TYPE_NAMES[column.type],
                do=_advise_kind(kind, column),
            )


_ALSO = {
    "text": ("number",), "integer": ("number",), "number": ("number",), "flag": ("number", "flag"),
    "date": ("date", "number"), "country": ("number",),
}  # fmt: skip
_CODES_AS_DAYS = (
    "Excel turns codes such as 1-2 into days: enter them again in cells of the format text."
)


def _advise_kind(kind: str, column: Column) -> str:
    if kind == "error":
        return "Mend the formula, or enter the value."
    if kind == "date" and column.type == "text":
        return _CODES_AS_DAYS
    if kind == "date":
        return "Enter numbers, such as 2021 for a year, in cells of the format number."
    return "Mend the cell, or the column's type in the record."


def _build(spot: Spot, places: npt.NDArray[np.int64], values: Any, readings: Pairs = ()) -> Typed:
    """Map the rows to the values of the texts at some places."""
    if len(places) == len(spot.cells.texts):
        return Typed(spot.cells.codes, values, readings)
    to_value = np.full(len(spot.cells.texts) + 1, -1, dtype=np.int32)
    to_value[places] = np.arange(len(places))
    return Typed(to_value[spot.cells.codes], values, readings)


def _name(readings: Pairs, spot: Spot) -> Pairs:
    return tuple((kind, f"{found}, column {spot.name}") for kind, found in readings)


def _type_text(spot: Spot, places: npt.NDArray[np.int64], column: Column, table: Table) -> Typed:
    texts = spot.cells.texts.take(pa.array(places))
    for pattern, phrase, do in _REFUSED_TEXTS:
        bad = _matching(texts, pattern)
        if bad.size:
            raise spot.error(places[bad], phrase=phrase, expected="text as it was written", do=do)
    twice = [p for p, text in zip(places, _beyond_ascii(texts), strict=True) if _is_twice(text)]
    if twice:
        raise spot.error(
            twice,
            phrase="letters that were read in a wrong encoding once before",
            expected="text as it was written",
            do="Export the file again from where it comes from, in UTF-8.",
        )
    typed = _build(spot, places, texts, _check_numbered(spot, places))
    all_valued = len(places) == len(spot.cells.texts)
    return replace(typed, whole=spot.cells.whole if all_valued else None)


_REFUSED_TEXTS = (
    (_CONTROL, "which holds a character that does not print", "Export the file again without it."),
    (
        _EXCEL_DAY,
        "a day, as Excel makes of a code such as 1-2",
        "Enter the codes again in cells of the format text.",
    ),
    (_EXCEL_ERROR, "an error of Excel", "Enter the value, or list the error under 'missing'."),
    (
        _EXCEL_LONG_NUMBER,
        "a long code that Excel has shortened",
        "Export the file again with the column's cells as text: the digits are lost.",
    ),
)


def _matching(texts: Any, pattern: str) -> npt.NDArray[np.int64]:
    return np.flatnonzero(pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False))


def _beyond_ascii(texts: Any) -> list[str]:
    """List the texts, those of ASCII letters only as empty."""
    if pc.all(pc.string_is_ascii(texts), min_count=0).as_py():
        return [""] * len(texts)
    return ["" if text.isascii() else text for text in texts.to_pylist()]


def _is_twice(text: str) -> bool:
    """Tell letters that are UTF-8 read as Windows-1252, such as Ã© for é."""
    for match in _TWICE.finditer(text):
        try:
            back = match.group().encode("cp1252").decode("utf-8")
        except UnicodeError:
            continue
        if len(back) > 1 or len(match.group()) > 2 or "\u00c0" <= back <= "\u00ff":
            return True
    return False


def _check_numbered(spot: Spot, places: npt.NDArray[np.int64]) -> Pairs:
    """Accept whole numbers as codes, and say that leading zeros may be lost."""
    numbers = places[spot.cells.of_kind("number")[places]]
    if not numbers.size:
        return ()
    whole = set(_matching(spot.cells.texts, r"^-?[0-9]{1,19}$"))
    broken = [place for place in numbers if place not in whole]
    if broken:
        raise spot.error(
            broken,
            phrase="which the file holds as a number",
            expected="text, or a whole number that stands for a code",
            do="Store the column as text: zeros at the ends of codes are lost.",
        )
    return _name((("codes", "stored as numbers: leading zeros may be lost"),), spot)


def _type_number(spot: Spot, places: npt.NDArray[np.int64], column: Column, table: Table) -> Typed:
    held = spot.cells.of_kind("number") | spot.cells.of_kind("flag")
    written = places[~held[places]]
    numbers = read_numbers(spot.cells.texts, written, table)
    stored = places[held[places]]
    numbers.values[stored] = pc.cast(spot.cells.texts.take(pa.array(stored)), pa.float64())
    if numbers.bad:
        raise _refuse_no_number(spot, numbers.bad, column)
    if numbers.unsettled:
        raise spot.error(
            numbers.unsettled,
            phrase="whose mark may be that of decimals or of thousands",
            expected="numbers of which one at least can be read in one way only",
            do='Say decimal or thousands in the record, such as decimal = ".".',
        )
    values = numbers.values[places]
    _check_values(spot, places, values, column)
    return _build(spot, places, values, _name(numbers.readings, spot))


def _refuse_no_number(spot: Spot, bad: dict[int, str], column: Column) -> Exception:
    places = list(bad)
    first = spot.cells.codes[int(np.isin(spot.cells.codes, places).argmax())]
    same = [place for place in places if bad[place] == bad[int(first)]]
    text = str(spot.cells.texts[int(first)].as_py())
    finite = "finite " if text.casefold().lstrip("+-") in {"inf", "infinity"} else ""
    do = "Mend the value; if it stands for no answer, list it under 'missing' in the record."
    if text.casefold() in MISSING or not text:
        do = f'If it stands for no answer, say missing = ["", "{text}"] in the record.'
    return spot.error(
        same,
        phrase=bad[int(first)],
        expected=_TYPE_NAMES[column.type].replace("a ", f"a {finite}", 1),
        do=do,
    )


def _check_values(
    spot: Spot,
    places: npt.NDArray[np.int64],
    values: npt.NDArray[np.float64],
    column: Column,
) -> None:
    """Check each number against the column's type and range, and for codes of no answer."""
    least, most = column.range or (-np.inf, np.inf)
    whole = (np.trunc(values) == values) & (np.abs(values) < _LARGEST_INTEGER)
    checks = [("finite number", np.isfinite(values))]
    if column.type == "flag":
        checks.append(("0 or 1", np.isin(values, [0, 1])))
    elif column.type == "integer":
        checks.append(("whole number that a computer holds exactly", whole))
    checks.append((f"value from {least:g} to {most:g}", (values >= least) & (values <= most)))
    for expected, good in checks:
        bad = np.flatnonzero(~good)
        if bad.size:
            raise _refuse_value(spot, places, values, bad, expected)
    if column.range is None and column.type != "flag":
        _refuse_codes(spot, places, values, column)


def _refuse_value(
    spot: Spot,
    places: npt.NDArray[np.int64],
    values: npt.NDArray[np.float64],
    bad: npt.NDArray[np.int64],
    expected: str,
) -> Exception:
    first = int(np.isin(spot.cells.codes, places[bad]).argmax())
    value = values[places == spot.cells.codes[first]][0]
    return spot.error(
        places[bad],
        read=str(value),
        expected=expected if expected == "0 or 1" else f"a {expected}",
        do="Mend the file, or the column's type or 'range' in the record.",
    )


def _refuse_codes(
    spot: Spot, places: npt.NDArray[np.int64], values: npt.NDArray[np.float64], column: Column
) -> None:
    """Refuse values that stand for no answer in most surveys and stick out of the others."""
    negative = values < 0
    coded = np.isin(values, (*_NEGATIVE_CODES, *_LARGE_NEGATIVE_CODES))
    phrase = "the only sort of negative value, as codes of no answer are"
    suspects = coded if coded.any() and not (negative & ~coded).any() else np.zeros_like(coded)
    others = values[~np.isin(values, _BESIDE)]
    top = values.max(initial=-np.inf)
    if not suspects.any() and others.size and top in _POSITIVE_CODES and top > 2 * others.max():
        phrase = "more than twice as large as any other value, as codes of no answer are"
        suspects = values == top
    elif not suspects.any() and others.size and top in _BESIDE and top > 20 * others.max():
        phrase = "far larger than any other value, as codes of no answer are"
        suspects = np.isin(values, _BESIDE)
    if (np.abs(values) >= _STATA_MISSING).any():
        phrase = "as large as what Stata and SPSS write for a missing value"
        suspects = np.abs(values) >= _STATA_MISSING
    if not suspects.any():
        return
    bad = places[suspects]
    code = spot.cells.texts[int(bad[0])].as_py()
    raise spot.error(
        bad,
        phrase=phrase,
        expected=f"{_TYPE_NAMES[column.type]}, or a mark that the record declares",
        do=f"Say missing = [\"{code}\"] of the column in the record, or give its 'range' if the "
        "value is meant.",
    )


def _type_date(spot: Spot, places: npt.NDArray[np.int64], column: Column, table: Table) -> Typed:
    _check_format(spot, column)
    found: set[tuple[str, str]] = set()
    dates = spot.cells.of_kind("date")[places]
    if dates.any() and not dates.all():
        raise spot.error(
            places[~dates],
            phrase="text beside cells that the file holds as dates",
            expected="dates only",
            do="Enter it as a date: a program that knew some of the days has often swapped day "
            "and month of those.",
        )
    texts = [
        fold_digits(text, found) for text in spot.cells.texts.take(pa.array(places)).to_pylist()
    ]
    read: Callable[[str], datetime] = datetime.fromisoformat
    if not dates.any():
        read = _reader_of(column.format)
    days = [_read_day(text, read) for text in texts]
    bad = [place for place, day in zip(places, days, strict=True) if day is None]
    if bad:
        raise spot.error(bad, expected=f"a day written as {column.format}", do=_advise(texts))
    strange = [p for p, day in zip(places, days, strict=True) if day and day.year not in _YEARS]
    if strange:
        raise spot.error(
            strange,
            expected=f"a day from {_YEARS[0]} to {_YEARS[-1]}",
            do="Mend the file, or list the mark under 'missing' in the record.",
        )
    values = np.array([d and d.replace(tzinfo=None) for d in days], dtype="datetime64[us]")
    return _build(spot, places, values, _name(tuple(sorted(found)), spot))


def _check_format(spot: Spot, column: Column) -> None:
    day = datetime(2001, 12, 31, 10, 11, 12, tzinfo=UTC)
    again = _read_day(day.strftime(column.format), _reader_of(column.format))
    if again is None or "%z" in column.format:
        raise SourceError(
            f"{spot.grid.where}, column {spot.name}",
            seen=f"format '{column.format}' in the record",
            expected="one as for strptime, without a time zone, such as '%d/%m/%Y'",
            do="Mend 'format' of the column in the record.",
        )


def _reader_of(pattern: str) -> Callable[[str], datetime]:
    joined = re.search("%[A-Za-z]%[A-Za-z]", pattern) is not None

    def read(text: str) -> datetime:
        day = datetime.strptime(text, pattern).replace(tzinfo=UTC)
        if joined and day.strftime(pattern) != text:
            raise ValueError(text)  # 2021113 may be a day of January or of November
        return day

    return read


def _read_day(text: str, read: Callable[[str], datetime]) -> datetime | None:
    try:
        return read(text)
    except ValueError:
        return None


def _advise(texts: list[str]) -> str:
    """Name a format under which all texts are days, if there is one."""
    fits = [
        pattern
        for pattern in _FORMATS
        if all(_read_day(text, _reader_of(pattern)) for text in texts)
    ]
    if fits:
        named = " or ".join(f"'{pattern}'" for pattern in fits)
        return f"Say format = {named} of the column in the record, if that is how it is meant."
    if all(re.fullmatch(r"[1-5]\d{4}(?:\.\d+)?", text) for text in texts):
        return "These may be Excel's numbers of days: give the cells the format of a date."
    return "Mend the value, or 'format' of the column in the record."


def _type_country(spot: Spot, places: npt.NDArray[np.int64], column: Column, table: Table) -> Typed:
    texts = spot.cells.texts.take(pa.array(places)).to_pylist()
    codes = [find_territory(text) for text in texts]
    unknown = [i for i, code in enumerate(codes) if not code and not find_region(texts[i])]
    if unknown:
        near = suggest_territory(texts[unknown[0]])
        raise spot.error(
            places[unknown[:1]],
            expected="a country's ISO 3166 code, M49 number or English name"
            + (f"; the nearest is {near}" if near else ""),
            do="Mend the code, or list it under 'missing' in the record if it is none.",
        )
    known = np.array([bool(code) for code in codes], dtype=bool)
    typed = _build(spot, places[known], pa.array([c for c in codes if c], pa.string()))
    left = np.isin(spot.cells.codes, places[~known])
    out = tuple(show(text) for text, kept in zip(texts, known, strict=True) if not kept)
    return Typed(typed.codes, typed.values, (), out, left if out else None)


_TYPES: dict[str, Callable[[Spot, npt.NDArray[np.int64], Column, Table], Typed]] = {
    "text": _type_text,
    "integer": _type_number,
    "number": _type_number,
    "flag": _type_number,
    "date": _type_date,
    "country": _type_country,
}


def as_series(
    typed: Typed, column: Column, keep: npt.NDArray[np.bool_] | None, *, coded: bool
) -> pd.Series:
    """Give a column's kept rows as a series of the house's dtype.

    Texts are categories where ``coded``: a million answers have few different ones.
    """
    if typed.whole is not None and keep is None and not coded:
        return pd.Series(pd.array(typed.whole, dtype="str"))
    codes = typed.codes if keep is None else typed.codes[keep]
    absent = codes < 0
    if column.type in {"text", "country"}:
        texts = typed.values.cast(pa.large_string())
        if coded:
            places, levels = pd.factorize(pd.array(texts, dtype="str"))
            same = len(levels) == len(places)
            spread = codes if same else np.append(places, -1)[codes]
            return pd.Series(pd.Categorical.from_codes(spread, levels, validate=False))
        index = pa.array(codes, mask=absent if absent.any() else None)
        return pd.Series(pd.array(texts.take(index), dtype="str"))
    if column.type in {"integer", "flag"} and not absent.any():
        return pd.Series(typed.values.astype("int64")[codes], copy=False)
    nothing = np.datetime64("NaT") if column.type == "date" else np.nan
    return pd.Series(np.append(typed.values, nothing)[codes], copy=False)
