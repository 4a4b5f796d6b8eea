"""The parts of a move, for the people who rerun a study; the picture stays in the house."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evidence.errors import ExhibitError
from evidence.exhibits.noun import Exhibit
from evidence.exhibits.style import BLUE, GRID, INCHES, INK, MUTED, Width
from evidence.language import capitalise, format_number, join, name_unit, say
from evidence.study import Study, nouns_of

_LINE = {"wide": 44, "narrow": 50}


def figure_change(
    parts: Iterable[tuple[str, tuple[str, ...], float]], *, unit: str, decimals: int
) -> Exhibit:
    """Show what a finding's move is made of, and the whole below.

    Parameters
    ----------
    parts : iterable of (cause, what it cannot tell apart, change)
        In ``unit``; they add up to the move.

    Raises
    ------
    ExhibitError
        Where there is no part.
    """
    rows = [(cause, " ".join(of), change) for cause, of, change in parts]
    if not rows:
        raise ExhibitError(
            "figure_change",
            seen="no part of a move",
            expected="at least one",
            do="Draw findings that have an estimate in both runs.",
        )
    whole = ("whole", "", float(sum(row[2] for row in rows)))
    data = pd.DataFrame([*rows, whole], columns=["cause", "of", "change"])
    return Exhibit("change", {"kind": "change", "unit": unit, "decimals": decimals}, data)


def name_cause(study: Study, language: str, cause: str, of: Iterable[str]) -> str:
    """Name a part of a move."""
    nouns = nouns_of(study, language)[1]
    told = [say(language, f"change.of.{item}", nouns=nouns) for item in of]
    return say(language, f"change.cause.{cause}", nouns=nouns, of=join(language, told, "comma"))


def _draw_change(exhibit: Exhibit, study: Study, language: str, width: Width) -> Figure:
    rows = exhibit.rows
    narrow = width == "narrow"
    labels = [
        textwrap.fill(
            capitalise(name_cause(study, language, row["cause"], row["of"].split())), _LINE[width]
        )
        for row in rows
    ]
    lines = max(label.count("\n") + 1 for label in labels)
    row_height = (0.26 if narrow else 0.12) + 0.15 * lines
    figure = Figure(figsize=(INCHES[width], row_height * len(rows) + 0.75), layout="constrained")
    axes = figure.add_subplot()
    places = list(range(len(rows)))[::-1]
    thick = (0.17 if narrow else 0.2) / row_height
    for place, row in zip(places, rows, strict=True):
        _draw_bar(axes, place, row, exhibit, language, thick)
    axes.axvline(0, color=INK, linewidth=0.9, zorder=2)
    axes.set_ylim(-0.6, len(rows) - (0.2 if narrow else 0.4))
    axes.set_xlim(*_reach(exhibit.data["change"]))
    _draw_labels(axes, places, labels, narrow=narrow)
    axes.tick_params(length=0)
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_formatter(
        lambda value, _: format_number(language, value, decimals=exhibit.specification["decimals"])
    )
    axes.locator_params(axis="x", nbins=4 if narrow else 6)
    axes.set_xlabel(capitalise(name_unit(language, exhibit.specification["unit"])))
    sns.despine(ax=axes, left=True, bottom=True)
    return figure


def _reach(changes: pd.Series) -> tuple[float, float]:
    low, high = min(0.0, float(changes.min())), max(0.0, float(changes.max()))
    room = 0.22 * ((high - low) or 1.0)
    return low - room, high + room


def _draw_labels(axes: Axes, places: list[int], labels: list[str], *, narrow: bool) -> None:
    if not narrow:
        axes.set_yticks(places, labels)
        return
    axes.set_yticks([])
    for place, label in zip(places, labels, strict=True):
        axes.annotate(
            label, (0, place), (0, 8), textcoords="offset points", fontsize=7.5, zorder=3,
            xycoords=axes.get_yaxis_transform(), va="bottom",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
        )  # fmt: skip


def _draw_bar(
    axes: Axes,
    place: int,
    row: Mapping[str, Any],
    exhibit: Exhibit,
    language: str,
    thick: float,
) -> None:
    whole, change = row["cause"] == "whole", row["change"]
    axes.barh([place], [change], height=thick, color=INK if whole else BLUE)
    text = format_number(language, change, decimals=exhibit.specification["decimals"], signed=True)
    left = change < 0
    axes.annotate(
        text, (change, place), (-4 if left else 4, 0), textcoords="offset points",
        ha="right" if left else "left", va="center", color=INK if whole else MUTED, fontsize=8,
    )  # fmt: skip


DRAWN: dict[str, Callable[[Exhibit, Study, str, Width], Figure]] = {"change": _draw_change}
"""Drawings by kind of exhibit."""
