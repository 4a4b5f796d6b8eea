"""Small multiples: a panel a group over time, the other groups in grey behind it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evidence.exhibits.labels import (
    PLAIN,
    SMALL,
    choose_ticks,
    decimals_of_ticks,
    measure,
    place_value,
    widest,
    wrap,
)
from evidence.exhibits.noun import Exhibit
from evidence.exhibits.series import Series, list_series
from evidence.exhibits.style import BLUE, GREY, GRID, INCHES, INK, MUTED, Width, blank
from evidence.language import format_number, say
from evidence.study import Study

_COLUMNS = {"wide": 4, "narrow": 2}
_HEIGHT = {"wide": 1.3, "narrow": 1.2}
_GAP = 0.14
_ZERO = 0.6
"""An axis begins at zero where the smallest value is below this share of the largest."""


def _draw_panels(exhibit: Exhibit, study: Study, language: str, width: Width) -> Figure:
    series = list_series(study, language, exhibit)
    columns = math.ceil(len(series) / math.ceil(len(series) / _COLUMNS[width]))
    rows = math.ceil(len(series) / columns)
    figure = blank(width)
    low, high, ticks = _reach([v for one in series for v in one.values if not math.isnan(v)])
    told = [format_number(language, tick, decimals=decimals_of_ticks(ticks)) for tick in ticks]
    left = widest(told, size=SMALL) + 0.08
    across = (INCHES[width] - left - _GAP * (columns - 1) - 0.02) / columns
    titles = [wrap(one.label, across, weight="bold") for one in series]
    head = 0.14 + 0.155 * max(title.count("\n") + 1 for title in titles)
    foot = 0.24
    tall = head + _HEIGHT[width] + foot
    height = tall * rows + 0.06 * (rows - 1)
    figure.set_size_inches(INCHES[width], height)
    frame = _Frame(series, low, high, _margins(series, across))
    for n, (one, title) in enumerate(zip(series, titles, strict=True)):
        row, column = divmod(n, columns)
        bottom = height - (row + 1) * tall - 0.06 * row + foot
        axes = figure.add_axes((
            (left + column * (across + _GAP)) / INCHES[width],
            bottom / height,
            across / INCHES[width],
            _HEIGHT[width] / height,
        ))  # fmt: skip
        _draw_panel(axes, one, frame, language)
        axes.annotate(
            title, (0, 1), (0, 5), xycoords="axes fraction", textcoords="offset points",
            ha="left", va="bottom", fontsize=PLAIN, fontweight="bold", color=INK,
        )  # fmt: skip
        axes.set_yticks(ticks, told if column == 0 else [""] * len(ticks), fontsize=SMALL)
    return figure


@dataclass(frozen=True, slots=True)
class _Frame:
    """What all panels share: their series, limits of values, and those of the axis."""

    series: Sequence[Series]
    low: float
    high: float
    limits: tuple[float, float]


def _draw_panel(axes: Axes, own: Series, frame: _Frame, language: str) -> None:
    axes.set_xlim(*frame.limits)
    axes.set_ylim(frame.low, frame.high)
    others = [one for one in frame.series if one is not own]
    for one in others:
        axes.plot(one.places, one.values, color=GREY, linewidth=1.0, zorder=1)
    axes.plot(own.places, own.values, color=BLUE, linewidth=2.0, zorder=3)
    _draw_lonely(axes, own)
    lines = [_shown(one) for one in (own, *others)]
    if own.shown:
        _draw_ends(axes, own, lines)
    else:
        axes.annotate(
            say(language, "cells.suppressed"), (0.5, 0.5), xycoords="axes fraction", ha="center",
            va="center", color=MUTED, fontsize=PLAIN,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
        )  # fmt: skip
    ends = sorted({min(range(len(own.places)), key=own.places.__getitem__), len(own.places) - 1})
    axes.set_xticks([own.places[n] for n in ends], [own.steps[n] for n in ends], fontsize=SMALL)
    axes.grid(axis="y", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, pad=3)
    sns.despine(ax=axes, left=True, bottom=True)


def _draw_lonely(axes: Axes, own: Series) -> None:
    """Mark values that no line reaches, because both neighbours are withheld."""
    shown = set(own.shown)
    lonely = [n for n in own.shown if not {n - 1, n + 1} & shown]
    axes.plot(
        [own.places[n] for n in lonely], [own.values[n] for n in lonely], "o", color=BLUE,
        markersize=3.5, zorder=3,
    )  # fmt: skip


def _draw_ends(
    axes: Axes, own: Series, lines: list[tuple[tuple[float, ...], tuple[float, ...]]]
) -> None:
    first, last = own.shown[0], own.shown[-1]
    axes.plot([own.places[last]], [own.values[last]], "o", color=BLUE, markersize=5, zorder=4)
    point = own.places[last], own.values[last]
    place_value(axes, own.texts[last], point, lines, color=BLUE, side="right")
    if first != last:
        point = own.places[first], own.values[first]
        place_value(axes, own.texts[first], point, lines, color=BLUE, side="left")


def _shown(one: Series) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return (
        tuple(one.places[n] for n in one.shown),
        tuple(one.values[n] for n in one.shown),
    )


def _margins(series: Sequence[Series], across: float) -> tuple[float, float]:
    """Choose limits of the axis that leave room for the values at both ends."""
    first = min(place for one in series for place in one.places)
    last = max(place for one in series for place in one.places)
    told = [one for one in series if one.shown]
    left = max((measure(t.texts[t.shown[0]], weight="bold") for t in told), default=0.0)
    right = max((measure(t.texts[t.shown[-1]], weight="bold") for t in told), default=0.0)
    left, right = left + 0.13, right + 0.13
    inch = ((last - first) or 1.0) / max(across - left - right, 0.3)
    return first - left * inch, last + right * inch


def _reach(values: Sequence[float]) -> tuple[float, float, list[float]]:
    """Choose limits of values and ticks inside them, shared by all panels."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    if 0 <= low <= _ZERO * high:
        low = 0.0
    room = (high - low) or abs(high) or 1.0
    bottom = low - 0.14 * room if low else 0.0
    top = high + 0.14 * room
    return bottom, top, choose_ticks(bottom, top, 4)


DRAWN: dict[str, Callable[[Exhibit, Study, str, Width], Figure]] = {"panels": _draw_panels}
"""Drawings by form of exhibit."""
