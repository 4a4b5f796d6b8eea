"""How wide the columns of a table are, on paper and in Word."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence

_SHORT, _HEAD, _LONG, _SPARE = 8, 20, 36, 4
"""Fewest letters that count for a column, most of its head and of its cells, room beside a word."""
_BOLD = 1.15
"""How much wider bold letters are, in which the first column is set."""


def share_width(head: Sequence[str], body: Iterable[Sequence[Mapping[str, str]]]) -> list[float]:
    """Share the width among columns by their longest text, within bounds.

    Returns
    -------
    list of float
        A share a column; they add up to one.
    """
    rows = [[cell["text"] for cell in row] for row in body]
    letters: list[float] = [
        _count_needed(title, texts) for title, *texts in zip(head, *rows, strict=True)
    ]
    letters = [_BOLD * letters[0], *letters[1:]]
    return [count / sum(letters) for count in letters]


def _count_needed(title: str, texts: Sequence[str]) -> int:
    """Count the letters that a column needs: its longest text within bounds, or a word."""
    words = [word for text in (title, *texts) for word in text.replace("-", " ").split(" ")]
    return max(
        _SHORT,
        min(_HEAD, _count(title)),
        min(_LONG, max(map(_count, texts), default=0)),
        min(_HEAD, max(map(_count, words))) + _SPARE,
    )


def _count(text: str) -> int:
    """Count letters by their width: two for wide ones, none for marks above and below."""
    return sum(
        2 if unicodedata.east_asian_width(letter) in "WF" else unicodedata.category(letter) != "Mn"
        for letter in text
    )
