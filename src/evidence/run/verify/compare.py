"""Compare what was there with what came, and say by how much its numbers differ."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Literal

_NUMBER = re.compile(r"[-−]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_FOLLOWS = re.compile(
    r"base64,[A-Za-z0-9+/=\\n]+|(?<![\w.])(?=\d*[a-f])[0-9a-f]{12,64}(?![0-9A-Za-z])"
)
"""Pictures and hashes: they follow the numbers, and say nothing of how far these are apart."""

_ZERO = 1e-12
"""Numbers below it are compared as if they were this large: rounding leaves nothing of them."""

_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Comparison:
    """One thing compared: a notebook's cell, or a file.

    ``verdict`` is ``reproduced`` (the same bytes), ``close`` (other bytes, all numbers
    within the tolerance) or ``different``. ``was`` and ``came`` show the place where most
    lies between them; ``relative`` is the largest relative difference of a number, None
    where more than numbers differs.
    """

    file: str
    cell: str = ""
    section: str = ""
    verdict: Literal["reproduced", "close", "different"] = "reproduced"
    was: str = ""
    came: str = ""
    relative: float | None = None


def is_good(comparisons: Iterable[Comparison]) -> bool:
    """Tell whether nothing differs by more than is allowed."""
    return all(comparison.verdict != "different" for comparison in comparisons)


def compare_texts(place: Comparison, was: str, came: str, tolerance: float | None) -> Comparison:
    """Compare two texts at a place.

    Parameters
    ----------
    tolerance : float or None
        Largest relative difference of a number that is close; None asks for the same
        text.
    """
    if was == came:
        return place
    old, new = _FOLLOWS.sub("#", was), _FOLLOWS.sub("#", came)
    if _NUMBER.split(old) != _NUMBER.split(new):
        first = _first_difference(was, came)
        return replace(place, verdict="different", was=_cut(was, first), came=_cut(came, first))
    pairs = zip(_NUMBER.findall(old), _NUMBER.findall(new), strict=True)
    apart, left, right = max(
        ((_measure(a, b), a, b) for a, b in pairs if a != b), default=(0.0, "", "")
    )
    close = tolerance is not None and apart <= tolerance
    if not left:
        left, right = "a picture or a hash", "another one"
    return replace(
        place,
        verdict="close" if close else "different",
        was=left,
        came=right,
        relative=apart,
    )


def compare_bytes(
    place: Comparison, was: bytes | None, came: bytes | None, tolerance: float | None
) -> Comparison:
    """Compare two files: as texts where they are, else as bytes.

    Files that hold no text cannot be close: with a tolerance their bytes are told, and
    count as close.
    """
    if was == came:
        return place
    if was is None or came is None:
        told = ["no such file" if side is None else f"{len(side)} bytes" for side in (was, came)]
        return replace(place, verdict="different", was=told[0], came=told[1])
    try:
        texts = was.decode("utf-8"), came.decode("utf-8")
    except UnicodeDecodeError:
        verdict: Literal["close", "different"] = "different" if tolerance is None else "close"
        sizes = [f"{len(side)} bytes" for side in (was, came)]
        return replace(place, verdict=verdict, was=sizes[0], came=f"{sizes[1]}, others")
    return compare_texts(place, *texts, tolerance)


def _measure(was: str, came: str) -> float:
    """Measure how far two numbers are apart, relative to the larger."""
    old, new = (float(text.replace("−", "-")) for text in (was, came))
    return abs(old - new) / max(abs(old), abs(new), _ZERO)


def _first_difference(was: str, came: str) -> int:
    pairs = enumerate(zip_longest(was, came))
    return next((n for n, (a, b) in pairs if a != b), 0)


def _cut(text: str, first: int) -> str:
    start = max(0, first - _SHOWN // 3)
    return " ".join(text[start : start + _SHOWN].split()) or "nothing"
