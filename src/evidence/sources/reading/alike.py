"""Names that are no key: totals, marks of no answer, and one name written in two ways."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from evidence.sources.reading.cells import LOOKALIKE, Spot, show_odd
from evidence.sources.reading.values import Typed
from evidence.sources.record import Column, Table

_NAMED = frozenset((
    "factory", "plant", "firm", "establishment", "enterprise", "facility", "company", "employer",
    "worker", "name",
))  # fmt: skip
_NO_KEY = frozenset((
    "n/a", "n.a.", "nan", "null", "#n/a", "missing", ".", "..", "...", "-", "--", "–", "—", "?",
))  # fmt: skip
_NO_NAME = _NO_KEY | frozenset((
    "none", "nil", "dk", "n/k", "*", "unknown", "not available", "-9", "-99", "-999",
))  # fmt: skip
_TOTALS = frozenset((
    "total", "totals", "grand total", "subtotal", "sub-total", "sub total", "sum", "all",
    "overall", "average", "mean", "all factories", "মোট", "সর্বমোট", "tổng", "tổng cộng",
    "tổng số", "cộng", "សរុប", "សរុបរួម", "合計", "総計", "小計", "計", "平均",
))  # fmt: skip
_LOST = r"(?:^|\s)\?{3,}(?:\s|$)"
_TOTAL = rf"^(?:{'|'.join(sorted(_TOTALS))})\s*(?:[:(].*)?$"
_NUMBER = r"^0*([0-9]+?)(?:\.0+)?$"


def check_names(
    typed: dict[str, Typed], spots: dict[str, Spot], keep: npt.NDArray[np.bool_], table: Table
) -> None:
    """Check that each text of the key names one thing, and each thing is named in one way.

    Raises
    ------
    SourceError
        At the first total, mark of no answer, or second way to write a name.
    """
    for column in table.columns:
        if column.name in table.key and column.type == "text" and column.name in typed:
            own, spot = typed[column.name], spots[column.name]
            used = np.zeros(len(own.values) + 1, dtype=bool)
            used[own.codes[keep]] = True
            texts = own.values.filter(pa.array(used[:-1]))
            _check_meant(texts, spot, column)
            _check_one_way(texts, spot, column)


def _check_meant(texts: Any, spot: Spot, column: Column) -> None:
    named = column.unit == "identifier" or column.name in _NAMED
    lower = pc.utf8_lower(texts)
    empty = pc.is_in(lower, pa.array(sorted(_NO_NAME if named else _NO_KEY)))
    if named:
        empty = pc.or_(empty, pc.match_substring_regex(lower, _LOST))
    nothing = texts.filter(empty)
    if len(nothing):
        raise spot.error(
            _places(spot, nothing[0].as_py()),
            phrase="which names nothing",
            expected=f"a {column.name} in every row, because it is part of the key",
            do="Enter it; rows whose key is lost would else count as one and the same.",
        )
    totals = texts.filter(pc.match_substring_regex(lower, _TOTAL))
    if named and len(totals):
        raise spot.error(
            _places(spot, totals[0].as_py()),
            phrase="a total or mean of other rows",
            expected=f"a row for each {column.name} only",
            do="Delete the row: it would count as one more.",
        )


def _check_one_way(texts: Any, spot: Spot, column: Column) -> None:
    pair = find_alike(texts)
    if pair is None:
        return
    places = [int(np.isin(spot.cells.codes, _places(spot, text)).argmax()) for text in pair]
    (first, one), (second, other) = sorted(zip(places, pair, strict=True))
    line = spot.grid.locate(int(spot.grid.index[first]))
    raise spot.refusal(
        second,
        seen=f"'{show_odd(other)}', and '{show_odd(one)}' in {line}",
        expected=f"one way to write each {column.name}",
        do="Write it alike in every row; if they are two, give one of them another name.",
    )


def find_alike(texts: Any) -> tuple[str, str] | None:
    """Find two names that differ only in how they are written.

    Case, width, kinds of dashes and digits, blanks in a row, invisible characters, letters
    of another script that look the same, and a number's zeros in front do not count.

    Parameters
    ----------
    texts : pyarrow.StringArray or sequence of str
        Names, each of which may stand more than once.
    """
    names = pc.unique(pa.array(texts, pa.string()) if isinstance(texts, Sequence) else texts)
    written = _fold(names)
    if pc.count_distinct(written).as_py() == len(names):
        return None
    folded = pd.Series(written.to_pylist())
    later = folded.duplicated().to_numpy()
    second = int(later.argmax())
    first = int((folded == folded[second]).to_numpy().argmax())
    return names[first].as_py(), names[second].as_py()


def _fold(names: Any) -> Any:
    if not pc.all(pc.string_is_ascii(names), min_count=0).as_py():
        names = pa.array([_fold_letters(name) for name in names.to_pylist()], pa.string())
    folded = pc.utf8_lower(names)
    for pattern, kept in ((r"\s+", " "), (r'^(?:\'|="?)|"$', ""), (_NUMBER, r"\1")):
        folded = pc.replace_substring_regex(folded, pattern, kept)
    return folded


def _fold_letters(name: str) -> str:
    if name.isascii():
        return name
    plain = unicodedata.normalize("NFKC", name).translate(LOOKALIKE)
    return "".join(_fold_letter(c) for c in plain).casefold().strip()


def _fold_letter(c: str) -> str:
    kind = unicodedata.category(c)
    if kind == "Cf" or "\ufe00" <= c <= "\ufe0f":
        return ""
    if kind == "Nd":
        return str(unicodedata.decimal(c))
    return "-" if kind == "Pd" else c


def _places(spot: Spot, text: str) -> list[int]:
    same = pc.equal(spot.cells.texts, text).to_numpy(zero_copy_only=False)
    return [int(place) for place in np.flatnonzero(same)]
