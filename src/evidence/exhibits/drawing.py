"""Exhibits in pictures: SVG with text as paths, the same bytes each time."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, cast

import matplotlib as mpl
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evidence.errors import ExhibitError
from evidence.exhibits.change import DRAWN as CHANGED
from evidence.exhibits.curve import DRAWN as CURVES
from evidence.exhibits.noun import Exhibit
from evidence.exhibits.report import DRAWN as REPORTED
from evidence.exhibits.style import (
    BLUE,
    GRID,
    INCHES,
    INK,
    MUTED,
    Width,
    refuse_missing_glyphs,
    style,
)
from evidence.exhibits.words import label_row, tabulate
from evidence.language import capitalise, format_number, name_unit, say, shown_decimals
from evidence.study import Study


def draw(exhibit: Exhibit, study: Study, language: str, width: Width) -> bytes:
    """Draw a figure as SVG with its text as paths.

    Parameters
    ----------
    width : {"wide", "narrow"}
        7 inches for pages, 3.55 inches for phones (labels above the lines).

    Raises
    ------
    ExhibitError
        Where the exhibit is no figure, or a label holds a character that no font draws.
    """
    kind = exhibit.specification["kind"]
    if kind not in _DRAWN:
        raise ExhibitError(
            f"exhibit '{exhibit.id}'",
            seen=f"kind '{kind}'",
            expected=" or ".join(_DRAWN),
            do="Tables are laid out, not drawn.",
        )
    settings = style(language)
    with (
        refuse_missing_glyphs(f"exhibit '{exhibit.id}' in language '{language}'"),
        sns.axes_style("white", settings),
        mpl.rc_context(cast("Any", settings)),
    ):
        figure = _DRAWN[kind](exhibit, study, language, width)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def show(item: Exhibit | pd.DataFrame, study: Study | None = None, language: str = "en") -> Any:
    """Show an exhibit or a frame in a notebook: a picture, or a table with whole texts.

    Raises
    ------
    ExhibitError
        Where an exhibit is to be shown without its study, which holds the labels.
    """
    from IPython.display import HTML, SVG

    if isinstance(item, pd.DataFrame):
        with pd.option_context("display.max_colwidth", None):
            return HTML(item.to_html(na_rep="", border=0).replace("&lt;NA&gt;", ""))
    if study is None:
        raise ExhibitError(
            f"exhibit '{item.id}'",
            seen="no study",
            expected="the study whose labels the exhibit is shown with",
            do="Say ev.show(exhibit, plan).",
        )
    if item.specification["kind"] in _DRAWN:
        return SVG(data=draw(item, study, language, "wide"))
    head, body = tabulate(study, language, item)
    texts = [[text for text, _ in row] for row in body]
    return show(pd.DataFrame(texts, columns=head).set_index(head[0]))


def _draw_coefficients(exhibit: Exhibit, study: Study, language: str, width: Width) -> Figure:
    rows = exhibit.rows
    labels = [label_row(study, language, exhibit, row) for row in rows]
    narrow = width == "narrow"
    height = (0.42 if narrow else 0.34) * len(rows) + 0.75
    figure = Figure(figsize=(INCHES[width], height))
    left = 0.02 if narrow else (_widest(figure, labels) + 0.15) / INCHES[width]
    right = 1 - 0.55 / INCHES[width]
    bottom = 0.42 / height
    axes = figure.add_axes((left, bottom, right - left, 1 - bottom - 0.3 / height))
    places = list(range(len(rows)))[::-1]
    for place, row, label in zip(places, rows, labels, strict=True):
        _draw_row(axes, place, row, language)
        _draw_label(axes, place, label, narrow=narrow)
    axes.axvline(0, color=INK, linewidth=0.9, zorder=1)
    axes.set_xlim(*_reach(exhibit.data))
    axes.set_ylim(-0.6, len(rows) - 0.4 + (0.2 if narrow else 0))
    axes.set_yticks([])
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(4 if narrow else 6))
    axes.xaxis.set_major_formatter(lambda value, _: _tick(language, value))
    axes.tick_params(axis="x", length=0)
    axes.set_xlabel(capitalise(name_unit(language, rows[0]["unit"])))
    _draw_directions(axes, language)
    sns.despine(ax=axes, left=True, bottom=True)
    return figure


def _reach(data: pd.DataFrame) -> tuple[float, float]:
    """Choose the axis so that both sides of zero have room for their word."""
    ends = data[["estimate", "conf_low", "conf_high", "reference"]].astype("float64")
    low, high = min(0.0, ends.min().min()), max(0.0, ends.max().max())
    room = 0.2 * (high - low)
    return min(low - room / 4, -room), max(high + room / 4, room)


def _widest(figure: Figure, labels: list[str]) -> float:
    """Measure the widest label in inches."""
    texts = [figure.text(0, 0, label) for label in labels]
    widths = [text.get_window_extent().width / figure.dpi for text in texts]
    for text in texts:
        text.remove()
    return float(max(widths))


def _draw_label(axes: Axes, place: int, label: str, *, narrow: bool) -> None:
    axes.annotate(
        label, (0, place), (0, 8) if narrow else (-8, 0), textcoords="offset points",
        ha="left" if narrow else "right", va="bottom" if narrow else "center",
        xycoords=axes.get_yaxis_transform(), zorder=5,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
    )  # fmt: skip


def _draw_row(axes: Axes, place: int, row: Mapping[str, Any], language: str) -> None:
    told = row["direction"] in {"decrease", "increase"}
    color = BLUE if told else MUTED
    if not pd.isna(row["conf_low"]):
        axes.plot([row["conf_low"], row["conf_high"]], [place, place], color=color, linewidth=1.8)
    if row.get("reference") is not None and not pd.isna(row["reference"]):
        axes.plot([row["reference"]], [place], "|", color=INK, markersize=11, zorder=4)
    axes.plot(
        [row["estimate"]], [place], "o", color=color, markersize=6, markeredgewidth=1.4,
        markerfacecolor=color if told else "white", zorder=3,
    )  # fmt: skip
    value = format_number(language, row["estimate"], decimals=shown_decimals(row), signed=True)
    axes.annotate(
        value, (1, place), (36, 0), xycoords=axes.get_yaxis_transform(), color=color,
        textcoords="offset points", ha="right", va="center",
    )  # fmt: skip


def _draw_directions(axes: Axes, language: str) -> None:
    for words, offset, side in (
        ("\N{LEFTWARDS ARROW} " + say(language, "figure.lower"), -5, "right"),
        (say(language, "figure.higher") + " \N{RIGHTWARDS ARROW}", 5, "left"),
    ):
        axes.annotate(
            words, (0, 1), (offset, 3), xycoords=axes.get_xaxis_transform(), color=MUTED,
            textcoords="offset points", ha=side, va="bottom", annotation_clip=False,
        )  # fmt: skip


def _tick(language: str, value: float) -> str:
    decimals = 0 if float(value).is_integer() else 1
    return format_number(language, value, decimals=decimals)


_DRAWN = {"coefficients": _draw_coefficients, **REPORTED, **CURVES, **CHANGED}
