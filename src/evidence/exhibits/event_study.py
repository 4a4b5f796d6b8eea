"""Event studies: estimates by period since adoption, with the period they start from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evidence.exhibits.labels import (
    SMALL,
    choose_ticks,
    decimals_of_ticks,
    measure,
    widest,
    wrap,
)
from evidence.exhibits.noun import Exhibit
from evidence.exhibits.style import BLUE, GRID, INCHES, INK, MUTED, Width, blank
from evidence.exhibits.words import is_clear_of_zero
from evidence.language import capitalise, format_number, name_unit, say, shown_decimals
from evidence.study import Study, label_of

_TALL = {"wide": 2.3, "narrow": 2.1}
_LINE = 0.14


def _draw_path(exhibit: Exhibit, study: Study, language: str, width: Width) -> Figure:
    rows = exhibit.rows
    reference = exhibit.specification["reference"]
    figure = blank(width)
    low, high = _reach(exhibit.data)
    ticks = choose_ticks(low, high, 4)
    told = [format_number(language, tick, decimals=decimals_of_ticks(ticks)) for tick in ticks]
    left = widest(told, size=SMALL) + 0.12
    since = _say_since(rows[0], study, language, width, left)
    head, foot = 0.42, 0.44 + _LINE * since.count("\n")
    height = head + _TALL[width] + foot
    figure.set_size_inches(INCHES[width], height)
    axes = figure.add_axes((
        left / INCHES[width],
        foot / height,
        (INCHES[width] - left - 0.06) / INCHES[width],
        _TALL[width] / height,
    ))  # fmt: skip
    events = [*exhibit.data["event"], *([] if reference is None else [reference])]
    axes.set_xlim(min(events) - 0.6, max(events) + 0.6)
    axes.set_ylim(low, high)
    for row in rows:
        _draw_step(axes, row)
    if reference is not None:
        _draw_reference(axes, reference, exhibit.data, language)
    values = [_say_value(language, row) for row in rows]
    across = (INCHES[width] - left - 0.06) / (max(events) - min(events) + 1.2)
    fits = max(measure(value, size=SMALL, weight="bold") for value in values) < across - 0.03
    for n, (row, value) in enumerate(zip(rows, values, strict=True)):
        if fits or n == len(rows) - 1 or row["event"] == 0:
            _draw_value(axes, row, value)
    axes.set_yticks(ticks, told, fontsize=SMALL)
    _finish(axes, exhibit, language, events, since)
    return figure


def _say_since(
    row: Mapping[str, Any], study: Study, language: str, width: Width, left: float
) -> str:
    """Say what periods are counted from, in lines that leave room for the word of direction."""
    since = say(language, "figure.since", exposure=label_of(study, language, row["exposure"]))
    lower = measure(f"\N{DOWNWARDS ARROW} {say(language, 'figure.lower')}", size=SMALL)
    return wrap(capitalise(since), INCHES[width] - left - lower - 0.2, size=SMALL)


def _reach(data: pd.DataFrame) -> tuple[float, float]:
    ends = data[["estimate", "conf_low", "conf_high"]].astype("float64")
    low, high = min(0.0, float(ends.min().min())), max(0.0, float(ends.max().max()))
    room = (high - low) or 1.0
    return low - 0.14 * room, high + 0.14 * room


def _draw_step(axes: Axes, row: Mapping[str, Any]) -> None:
    told = is_clear_of_zero(row)
    color = BLUE if told else MUTED
    if not pd.isna(row["conf_low"]):
        ends = [row["conf_low"], row["conf_high"]]
        axes.plot([row["event"]] * 2, ends, color=color, linewidth=1.8)
    axes.plot(
        [row["event"]], [row["estimate"]], "o", color=color, markersize=6, markeredgewidth=1.4,
        markerfacecolor=color if told else "white", zorder=3,
    )  # fmt: skip


def _draw_reference(axes: Axes, reference: float, data: pd.DataFrame, language: str) -> None:
    """Mark the period that others are compared with: a square on the zero line."""
    beside = data[data["event"].between(reference - 2, reference)]
    under = float(beside[["estimate", "conf_low"]].min().min()) if len(beside) else 0.0
    axes.plot([reference], [0], "s", color=INK, markersize=6, zorder=4)
    axes.annotate(
        say(language, "figure.reference"), (reference + 0.38, min(under, 0.0)), (0, -7),
        textcoords="offset points", ha="right", va="top", fontsize=SMALL, color=INK, zorder=6,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
    )  # fmt: skip


def _say_value(language: str, row: Mapping[str, Any]) -> str:
    return format_number(language, row["estimate"], decimals=shown_decimals(row), signed=True)


def _draw_value(axes: Axes, row: Mapping[str, Any], value: str) -> None:
    """Write a value beyond the end of its interval that is farther from the zero line."""
    told, below = is_clear_of_zero(row), row["estimate"] < 0
    end = row["conf_low" if below else "conf_high"]
    at = row["event"], row["estimate"] if pd.isna(end) else end
    far = 4 if not pd.isna(end) else 7
    axes.annotate(
        value, at, (0, -far if below else far), textcoords="offset points", ha="center",
        va="top" if below else "bottom",
        fontsize=SMALL, color=BLUE if told else MUTED, fontweight="bold" if told else "normal",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4}, zorder=5,
    )  # fmt: skip


def _finish(
    axes: Axes, exhibit: Exhibit, language: str, events: Sequence[float], since: str
) -> None:
    first = exhibit.rows[0]
    axes.axhline(0, color=INK, linewidth=0.9, zorder=1)
    if min(events) < 0 <= max(events):
        axes.axvline(-0.5, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    steps = np.arange(np.ceil(min(events)), max(events) + 1)
    axes.set_xticks(
        steps, [format_number(language, float(step), decimals=0, signed=True) for step in steps],
        fontsize=SMALL,
    )  # fmt: skip
    axes.annotate(
        since, (axes.get_position().x0, 0), (0, 3), xycoords="figure fraction",
        textcoords="offset points", ha="left", va="bottom", fontsize=SMALL, color=MUTED,
        annotation_clip=False,
    )  # fmt: skip
    axes.grid(axis="y", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    sns.despine(ax=axes, left=True, bottom=True)
    axes.annotate(
        capitalise(name_unit(language, first["unit"])), (0, 1), (3, -3), va="top", ha="left",
        xycoords=("figure fraction", "figure fraction"), textcoords="offset points",
        fontsize=SMALL, color=MUTED,
    )  # fmt: skip
    for key, arrow, top in (
        ("figure.higher", "\N{UPWARDS ARROW}", True),
        ("figure.lower", "\N{DOWNWARDS ARROW}", False),
    ):
        axes.annotate(
            f"{arrow} {say(language, key)}", (1, int(top)), (-3, -3 if top else 3), ha="right",
            xycoords="figure fraction", textcoords="offset points", va="top" if top else "bottom",
            fontsize=SMALL, color=MUTED, annotation_clip=False,
        )  # fmt: skip


DRAWN: dict[str, Callable[[Exhibit, Study, str, Width], Figure]] = {"path": _draw_path}
"""Drawings by form of exhibit."""
