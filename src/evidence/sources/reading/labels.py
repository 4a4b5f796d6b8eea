"""Value labels of Stata and SPSS: a code is read only where its label does not contradict it."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pandas as pd

from evidence.errors import SourceError
from evidence.language import find_territory
from evidence.sources.reading.cells import Pairs, show
from evidence.sources.record import Column

_NO = frozenset(("no", "false", "không", "না", "ទេ", "គ្មាន", "いいえ", "なし", "無"))
_YES = frozenset(("yes", "true", "có", "হ্যাঁ", "হ্যা", "បាទ", "បាទ/ចាស", "មាន", "はい", "あり", "有"))
_NO_ANSWER = re.compile(
    r"(?:do(?:es)? ?n[o'’]?t|did ?n[o'’]?t) (?:know|answer|respond|remember|apply)|dk\b|refus|"
    r"no (?:answer|response|data)|not (?:applicable|available|stated|asked|reported|known)|"
    r"n/?\.?a\.?$|missing|unknown|không (?:biết|trả lời)|無回答|不明|わからない|জানি না|মনে নেই|មិនដឹង"
)
_MOST_SHOWN = 8


def check_labels(
    values: pd.Series, labels: Mapping[object, object], column: Column, name: str, where: str
) -> Pairs:
    """Check the labels of the codes that a column holds; say which stand behind a text.

    Parameters
    ----------
    name : str
        The column's name in the file.

    Raises
    ------
    SourceError
        Where a label says something else than the code would be read as.
    """
    held = set(values.dropna().unique())
    used = {_spell(code): str(label).strip() for code, label in labels.items() if code in held}
    wrong = next((c for c in used if _contradicts(c, used[c], column.type)), None)
    if wrong is not None:
        raise SourceError(
            f"{where}, column {name}",
            seen=f"the code {wrong}, which the file labels '{show(used[wrong])}'",
            expected=_MEANT[column.type],
            do=_MENDED.get(column.type, f'Say missing = ["{wrong}"] of the column in the record.'),
        )
    if column.type != "text" or not used:
        return ()
    told = [f"{code} = {show(label)}" for code, label in list(used.items())[:_MOST_SHOWN]]
    more = " …" if len(used) > _MOST_SHOWN else ""
    return (("codes", f"read without their labels ({', '.join(told)}{more}), column {name}"),)


_MEANT = {
    "country": "the code of the country that the label names",
    "flag": "1 for yes and 0 for no",
    "integer": "numbers that were answered",
    "number": "numbers that were answered",
}
_MENDED = {
    "country": "Write the labels into the file instead of the codes (in Stata: decode).",
    "flag": "Write 1 for yes and 0 for no into the file (in Stata: recode).",
}


def _contradicts(code: str, label: str, kind: str) -> bool:
    word = label.casefold()
    if kind == "country":
        return not find_territory(label) or find_territory(label) != find_territory(code)
    if kind == "flag":
        return (code == "1" and word in _NO) or (code == "0" and word in _YES)
    return kind in {"integer", "number"} and _NO_ANSWER.match(word) is not None


def _spell(code: object) -> str:
    return str(int(code)) if isinstance(code, float) and code.is_integer() else str(code)
