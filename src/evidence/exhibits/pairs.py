"""Before and after: two dots and a line for each group, sorted by the later value."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

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
from evidence.exhibits.series import Series, list_series
from evidence.exhibits.style import BLUE, GREY, GRID, INCHES, INK, MUTED, Width, blank
from evidence.language import format_number, say
from evidence.study import Study

_MOST_LABEL = 2.4
_ZERO = 0.6
"""The axis begins at zero where the smallest value is below this share of the largest."""

_ROW = {"wide": 0.31, "narrow": 0.46}


def sort_pairs(series: Sequence[Series]) -> list[Series]:
    """Sort groups by their later value, largest first; those without one come last."""
    return sorted(series, key=lambda one: -one.values[-1] if one.shown else math.inf)


def _draw_pairs(exhibit: Exhibit, study: Study, language: str, width: Width) -> Figure:
    series = sort_pairs(list_series(study, language, exhibit))
    narrow = width == "narrow"
    figure = blank(width)
    labels = [wrap(one.label, INCHES[width] - 0.1 if narrow else _MOST_LABEL)
              for one in series]  # fmt: skip
    left = 0.04 if narrow else _left(labels)
    lines = max(label.count("\n") for label in labels)
    row = _ROW[width] + 0.15 * lines
    keys = _wrap_keys(series[0], INCHES[width] - left)
    head, foot = 0.2 + 0.16 * sum(key.count("\n") + 1 for line in keys for key in line[:1]), 0.26
    height = head + row * len(series) + foot
    figure.set_size_inches(INCHES[width], height)
    axes = figure.add_axes((
        left / INCHES[width],
        foot / height,
        (INCHES[width] - left - 0.04) / INCHES[width],
        row * len(series) / height,
    ))  # fmt: skip
    _limit(axes, series, INCHES[width] - left - 0.04)
    axes.set_ylim(-0.5, len(series) - 0.5)
    places = list(range(len(series)))[::-1]
    for place, one, label in zip(places, series, labels, strict=True):
        dot = place - 0.22 if narrow else float(place)
        _draw_pair(axes, one, dot, say(language, "cells.suppressed"))
        _draw_label(axes, dot, label, narrow=narrow)
    _finish(axes, series, language, narrow=narrow)
    _draw_keys(figure, keys, left)
    return figure


def _left(labels: Sequence[str]) -> float:
    return widest([line for label in labels for line in label.split("\n")]) + 0.16


def _limit(axes: Axes, series: Sequence[Series], across: float) -> None:
    """Leave room at both ends for the values that stand outside the dots."""
    values = [v for one in series for v in one.values if not math.isnan(v)] or [0.0, 1.0]
    low, high = min(values), max(values)
    if 0 <= low <= _ZERO * high:
        low = 0.0
    room = widest([text for one in series for text in one.texts]) + 0.16
    inch = ((high - low) or 1.0) / max(across - 2 * room, 0.5)
    axes.set_xlim(low - room * inch, high + room * inch)


def _draw_pair(axes: Axes, one: Series, place: float, withheld: str) -> None:
    if not one.shown:
        axes.annotate(
            withheld, (0.5, place), xycoords=axes.get_yaxis_transform(), ha="center", va="center",
            color=MUTED, fontsize=PLAIN,
        )  # fmt: skip
        return
    axes.plot(one.values, [place] * len(one.values), color=GREY, linewidth=2.5, zorder=2)
    rising = one.change >= 0 or math.isnan(one.change)
    for n in one.shown:
        later = n == len(one.values) - 1
        color = BLUE if later else MUTED
        axes.plot([one.values[n]], [place], "o", color=color, markersize=6.5, zorder=3 + later)
        right = later == rising
        axes.annotate(
            one.texts[n], (one.values[n], place), (7 if right else -7, 0), color=color,
            textcoords="offset points", ha="left" if right else "right", va="center",
            fontsize=PLAIN, fontweight="bold" if later else "normal", zorder=2,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )  # fmt: skip


def _draw_label(axes: Axes, place: float, label: str, *, narrow: bool) -> None:
    axes.annotate(
        label, (0, place), (0, 8) if narrow else (-8, 0), textcoords="offset points",
        ha="left" if narrow else "right", va="bottom" if narrow else "center", fontsize=PLAIN,
        xycoords=axes.get_yaxis_transform(), color=INK, zorder=5,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
    )  # fmt: skip


def _finish(axes: Axes, series: Sequence[Series], language: str, *, narrow: bool) -> None:
    axes.set_yticks([])
    values = [v for one in series for v in one.values if not math.isnan(v)] or [0.0, 1.0]
    low = 0.0 if 0 <= min(values) <= _ZERO * max(values) else min(values)
    ticks = choose_ticks(low, max(values), 3 if narrow else 5)
    decimals = decimals_of_ticks(ticks)
    axes.set_xticks(ticks, [format_number(language, tick, decimals=decimals) for tick in ticks])
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(axis="x", length=0, labelsize=SMALL)
    sns.despine(ax=axes, left=True, bottom=True)


def _wrap_keys(one: Series, room: float) -> list[list[str]]:
    """Lay out what the dots are: beside each other where that fits, else below each other."""
    wide = sum(measure(step, weight="bold") + 0.38 for step in one.steps)
    if wide < room:
        return [list(one.steps)]
    return [[wrap(step, room - 0.3, weight="bold")] for step in one.steps]


def _draw_keys(figure: Figure, keys: list[list[str]], left: float) -> None:
    """Say above the rows which dot is which."""
    inches, height = figure.get_size_inches()
    looks = iter(((MUTED, "normal"), (BLUE, "bold")))
    top = 0.02
    for line in keys:
        place = left + 0.08
        for key, (color, weight) in zip(line, looks, strict=False):
            mark = Line2D(
                [place / inches], [1 - (top + 0.09) / height], marker="o", color=color,
                markersize=6.5, linestyle="", transform=figure.transFigure,
            )  # fmt: skip
            figure.add_artist(mark)
            figure.text(
                (place + 0.1) / inches, 1 - top / height, key, color=color, va="top",
                fontsize=PLAIN, fontweight=weight,
            )  # fmt: skip
            place += 0.1 + measure(key, weight=weight) + 0.28
        top += 0.16 * (line[0].count("\n") + 1)


DRAWN: dict[str, Callable[[Exhibit, Study, str, Width], Figure]] = {"pairs": _draw_pairs}
"""Drawings by form of exhibit."""
