"""Dots and intervals: an estimate a row, in the order of the study."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evidence.exhibits.labels import (
    PLAIN,
    SMALL,
    choose_ticks,
    decimals_of_ticks,
    measure,
    widest,
    wrap,
)
from evidence.exhibits.noun import Exhibit
from evidence.exhibits.style import BLUE, GRID, INCHES, INK, MUTED, Width, blank
from evidence.exhibits.words import label_row
from evidence.language import capitalise, format_number, name_unit, say, shown_decimals
from evidence.study import Study

_MOST_LABEL = 2.6
_UNDER = 0.12
"""Inches below an interval whose label stands above it."""


def _draw_coefficients(exhibit: Exhibit, study: Study, language: str, width: Width) -> Figure:
    rows = exhibit.rows
    figure = blank(width)
    labels = wrap_labels([label_row(study, language, exhibit, row) for row in rows], width)
    base = 0.44 if width == "narrow" else 0.34
    tall = base + 0.15 * max(label.count("\n") for label in labels)
    drawn = [
        Drawn(row, label, _say_value(language, row), tall)
        for row, label in zip(rows, labels, strict=True)
    ]
    draw_rows(figure, drawn, language, width)
    return figure


@dataclass(frozen=True, slots=True)
class Drawn:
    """A row as it is drawn: its numbers, wrapped label, value in words, height in inches."""

    row: Mapping[str, Any]
    label: str
    value: str
    tall: float


def wrap_labels(labels: list[str], width: Width) -> list[str]:
    """Break labels into lines that leave room for the intervals."""
    room = INCHES[width] - 0.1 if width == "narrow" else _MOST_LABEL
    return [wrap(label, room) for label in labels]


def draw_rows(figure: Figure, drawn: Sequence[Drawn], language: str, width: Width) -> Axes:
    """Draw rows of dots and intervals, from the top; the axes count inches downwards."""
    narrow = width == "narrow"
    labels, told = [one.label for one in drawn], [one.value for one in drawn]
    data = pd.DataFrame([one.row for one in drawn])
    total = sum(one.tall for one in drawn)
    left = 0.04 if narrow else widest("\n".join(labels).split("\n")) + 0.16
    right = INCHES[width] - widest(told) - 0.16
    head, foot = 0.3, 0.46
    height = head + total + foot
    figure.set_size_inches(INCHES[width], height)
    axes = figure.add_axes((
        left / INCHES[width],
        foot / height,
        (right - left) / INCHES[width],
        total / height,
    ))  # fmt: skip
    axes.set_xlim(*_reach(data, _words_reach(language, right - left)))
    axes.set_ylim(-total, 0)
    top = 0.0
    for one in drawn:
        place = top - (one.tall - _UNDER if narrow else one.tall / 2)
        draw_estimate(axes, one.row, place)
        _draw_label(axes, place, one.label, narrow=narrow)
        _draw_value(axes, one.row, place, one.value)
        top -= one.tall
    axes.axvline(0, color=INK, linewidth=0.9, zorder=1)
    axes.set_yticks([])
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    ticks = choose_ticks(*axes.get_xlim(), 3 if narrow else 6)
    decimals = decimals_of_ticks(ticks)
    axes.set_xticks(ticks, [format_number(language, tick, decimals=decimals) for tick in ticks])
    axes.tick_params(axis="x", length=0, labelsize=SMALL)
    axes.set_xlabel(capitalise(name_unit(language, drawn[0].row["unit"])), fontsize=SMALL)
    _draw_directions(axes, language)
    sns.despine(ax=axes, left=True, bottom=True)
    return axes


def _say_value(language: str, row: Mapping[str, Any]) -> str:
    return format_number(language, row["estimate"], decimals=shown_decimals(row), signed=True)


def is_told(row: Mapping[str, Any]) -> bool:
    """Tell whether a row of findings says a direction."""
    return row["direction"] in {"decrease", "increase"}


def _words_reach(language: str, across: float) -> float:
    """Say which share of the axis the longer word of direction needs."""
    words = (say(language, "figure.lower"), say(language, "figure.higher"))
    return (max(measure(f"{word} \N{LEFTWARDS ARROW}") for word in words) + 0.1) / across


def _reach(data: pd.DataFrame, words: float) -> tuple[float, float]:
    """Choose the axis so that both sides of zero have room for their word."""
    ends = data[["estimate", "conf_low", "conf_high", "reference"]].astype("float64")
    low, high = min(0.0, ends.min().min()), max(0.0, ends.max().max())
    room = max(words, 0.05) * (high - low) / max(1 - words, 0.2)
    margin = 0.03 * (high - low)
    return min(low - margin, -room), max(high + margin, room)


def _draw_label(axes: Axes, place: float, label: str, *, narrow: bool) -> None:
    axes.annotate(
        label, (0, place), (0, 8) if narrow else (-8, 0), textcoords="offset points",
        ha="left" if narrow else "right", va="bottom" if narrow else "center",
        xycoords=axes.get_yaxis_transform(), zorder=5,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8}, fontsize=PLAIN,
    )  # fmt: skip


def draw_estimate(axes: Axes, row: Mapping[str, Any], place: float) -> None:
    """Draw the interval and the dot of a row; hollow and grey where nothing is told.

    The row's ``mark`` may ask for a diamond (``mean``), or for the dashed line of a ``range``.
    """
    told, mark = is_told(row), row.get("mark", "dot")
    color = BLUE if told else MUTED
    if mark == "range":
        ends = [row["conf_low"], row["conf_high"]]
        axes.plot(ends, [place, place], color=INK, linewidth=1.2, linestyle=(0, (3, 2)))
        axes.plot(ends, [place, place], "|", color=INK, markersize=9, markeredgewidth=1.4)
        return
    if not pd.isna(row["conf_low"]):
        axes.plot([row["conf_low"], row["conf_high"]], [place, place], color=color, linewidth=1.8)
    if not pd.isna(row["reference"]):
        axes.plot([row["reference"]], [place], "|", color=INK, markersize=11, zorder=4)
    axes.plot(
        [row["estimate"]], [place], "D" if mark == "mean" else "o", color=color, markersize=6,
        markeredgewidth=1.4, markerfacecolor=color if told else "white", zorder=3,
    )  # fmt: skip


def _draw_value(axes: Axes, row: Mapping[str, Any], place: float, value: str) -> None:
    axes.annotate(
        value, (1, place), (-3, 0), textcoords="offset points", color=BLUE if is_told(row) else MUTED,
        xycoords=("figure fraction", "data"), ha="right", va="center", fontsize=PLAIN,
        fontweight="bold" if is_told(row) else "normal", annotation_clip=False,
    )  # fmt: skip


def _draw_directions(axes: Axes, language: str) -> None:
    for words, offset, side in (
        ("\N{LEFTWARDS ARROW} " + say(language, "figure.lower"), -5, "right"),
        (say(language, "figure.higher") + " \N{RIGHTWARDS ARROW}", 5, "left"),
    ):
        axes.annotate(
            words, (0, 1), (offset, 3), xycoords=axes.get_xaxis_transform(), color=MUTED,
            textcoords="offset points", ha=side, va="bottom", annotation_clip=False, fontsize=SMALL,
        )  # fmt: skip


DRAWN: dict[str, Callable[[Exhibit, Study, str, Width], Figure]] = {
    "coefficients": _draw_coefficients
}
"""Drawings by form of exhibit."""
