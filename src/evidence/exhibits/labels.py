"""Texts in a picture: how wide they are, where they break, what they would touch."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterable, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox

from evidence.exhibits.style import blank

SMALL, PLAIN = 7.5, 8.5
"""Sizes of text in points: the least that is read in print, and that of labels."""


def measure(text: str, *, size: float = PLAIN, weight: str = "normal") -> float:
    """Measure how wide a text is in the fonts of the style that is set, in inches."""
    return _measure(text, size, weight, tuple(mpl.rcParams["font.family"]))


@functools.lru_cache(maxsize=8192)
def _measure(text: str, size: float, weight: str, families: tuple[str, ...]) -> float:
    """Measure a text; pictures of a language share most of theirs."""
    figure = _paper()
    drawn = figure.text(0, 0, text, fontsize=size, fontweight=weight, fontfamily=families)
    width = float(drawn.get_window_extent().width / figure.dpi)
    drawn.remove()
    return width


@functools.cache
def _paper() -> Figure:
    return blank("wide")


def widest(texts: Iterable[str], *, size: float = PLAIN) -> float:
    """Measure the widest of several texts, in inches, as bold as any of them may be."""
    return max((measure(text, size=size, weight="bold") for text in texts), default=0.0)


def wrap(text: str, inches: float, *, size: float = PLAIN, weight: str = "normal") -> str:
    """Break a text into lines that fit a width: at spaces, else between whole letters."""
    lines: list[str] = [""]
    for piece in _pieces(text):
        longer = lines[-1] + piece
        if lines[-1] and measure(longer.rstrip(), size=size, weight=weight) > inches:
            lines.append(piece.lstrip())
        else:
            lines[-1] = longer
    return "\n".join(line.rstrip() for line in lines)


def _pieces(text: str) -> list[str]:
    """Part a text where it may break; letters of scripts without spaces stand alone."""
    words = [word + " " for word in text.split(" ")]
    return [piece for word in words for piece in (_letters(word) if _is_dense(word) else [word])]


def _is_dense(word: str) -> bool:
    return any("\u3040" <= letter <= "\u9fff" or "\u1780" <= letter <= "\u17ff" for letter in word)


def _letters(word: str) -> list[str]:
    """Part a word into letters with their marks; Khmer's coeng binds the next letter."""
    letters: list[str] = []
    for letter in word:
        bound = letter == " " or unicodedata.category(letter) in {"Mn", "Mc", "Po", "Cf"}
        if letters and (bound or letters[-1].endswith("\u17d2")):
            letters[-1] += letter
        else:
            letters.append(letter)
    return letters


def choose_ticks(low: float, high: float, most: int) -> list[float]:
    """Choose round numbers between two limits, ``most`` and a few at most."""
    found = MaxNLocator(most, steps=[1, 2, 5, 10]).tick_values(low, high)
    return [float(tick) for tick in found if low <= tick <= high]


def decimals_of_ticks(ticks: Sequence[float]) -> int:
    """Count the decimals with which every tick is told exactly, the same for all."""
    return next((n for n in range(6) if all(abs(round(t, n) - t) < 1e-9 for t in ticks)), 6)


def place_value(
    axes: Axes,
    text: str,
    point: tuple[float, float],
    lines: Sequence[tuple[Sequence[float], Sequence[float]]],
    *,
    color: str,
    side: str,
) -> None:
    """Write a value beside a point where it touches no line.

    Beside is tried first (``side``: left or right), then above and below at growing
    distance, the nearest free place being taken; the axes must have their final limits.
    """
    segments = [
        Path(axes.transData.transform(np.column_stack(line))) for line in lines if len(line[0])
    ]
    way = -1 if side == "left" else 1
    tried = [(6.0 * way, 0.0, "right" if way < 0 else "left", "center")]
    for far in (5.0, 9.0, 14.0, 20.0, 28.0, 38.0):
        tried += [(0.0, far, "center", "bottom"), (0.0, -far, "center", "top")]
    frame = axes.get_window_extent()
    for dx, dy, ha, va in tried:
        drawn = axes.annotate(
            text, point, (dx, dy), textcoords="offset points", ha=ha, va=va, color=color,
            fontsize=PLAIN, fontweight="bold", annotation_clip=False, zorder=6,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )  # fmt: skip
        box = drawn.get_window_extent().padded(1.0)
        if _is_inside(box, frame) and not any(
            s.intersects_bbox(box, filled=False) for s in segments
        ):
            return
        drawn.remove()
    axes.annotate(
        text, point, (6.0 * way, 0.0), textcoords="offset points", ha=tried[0][2], va="center",
        color=color, fontsize=PLAIN, fontweight="bold", annotation_clip=False, zorder=6,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
    )  # fmt: skip


def _is_inside(box: Bbox, frame: Bbox) -> bool:
    return bool(
        box.x0 >= frame.x0 - 1
        and box.x1 <= frame.x1 + 1
        and box.y0 >= frame.y0 - 1
        and box.y1 <= frame.y1 + 1
    )
