"""Specification curves, for the people who choose the specification."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evidence.exhibits.labels import SMALL, choose_ticks, decimals_of_ticks, widest, wrap
from evidence.exhibits.noun import Exhibit
from evidence.exhibits.style import BLUE, GRID, INCHES, INK, MUTED, Width, blank
from evidence.language import capitalise, format_number
from evidence.models import Curve
from evidence.study import Study, label_of

_MOST = {"wide": 1.8, "narrow": 1.2}
_DENSE = {"wide": 60, "narrow": 28}
_TALL, _GAP, _STEP = 2.3, 0.12, 0.2


def figure_curve(curve: Curve, *, simulated: bool = False) -> Exhibit:
    """Show a term's estimates over all specifications, and which choices each makes.

    ``data`` has the curve's rows, smallest estimate first; the joint tests stand in the
    specification of the exhibit.
    """
    joint = {check.name: {"value": check.value, "p_value": check.p_value} for check in curve.joint}
    choices = [str(name) for name in curve.table.select_dtypes("bool").columns]
    blocks = list(dict.fromkeys(curve.table["block"])) if curve.table["block"].nunique() > 1 else []
    specification = {
        "kind": "curve",
        "term": curve.term,
        "choices": choices,
        "blocks": blocks,
        "joint": joint,
        "simulated": simulated,
    }
    return Exhibit("curve", specification, curve.table)


def _draw_curve(exhibit: Exhibit, study: Study, language: str, width: Width) -> Figure:
    data, asked = exhibit.data, exhibit.specification
    rows = [*asked["blocks"], *asked["choices"]]
    figure = blank(width)
    labels = [wrap(_label(study, language, name), _MOST[width], size=SMALL) for name in rows]
    below = (_STEP + 0.13 * max((text.count("\n") for text in labels), default=0)) * max(
        len(rows), 1
    )
    low, high = _reach(data)
    ticks = choose_ticks(low, high, 4)
    told = [format_number(language, tick, decimals=decimals_of_ticks(ticks)) for tick in ticks]
    left = widest([*"\n".join(labels).split("\n"), *told], size=SMALL) + 0.14
    height = _TALL + _GAP + below + 0.04
    figure.set_size_inches(INCHES[width], height)
    across = (INCHES[width] - left - 0.04) / INCHES[width]
    above = figure.add_axes((left / INCHES[width], (below + _GAP + 0.04) / height, across,
                             (_TALL - 0.06) / height))  # fmt: skip
    above.set_ylim(low, high)
    above.set_yticks(ticks, told, fontsize=SMALL)
    _draw_estimates(above, data, dense=len(data) > _DENSE[width])
    marks = figure.add_axes((left / INCHES[width], 0.04 / height, across, below / height))
    _draw_choices(marks, data, asked, labels)
    for axes in (above, marks):
        axes.set_xlim(-0.8, len(data) - 0.2)
    return figure


def _reach(data: pd.DataFrame) -> tuple[float, float]:
    ends = data[["estimate", "conf_low", "conf_high"]].astype("float64")
    low, high = min(0.0, float(ends.min().min())), max(0.0, float(ends.max().max()))
    room = 0.06 * ((high - low) or 1.0)
    return low - room, high + room


def _draw_estimates(axes: Axes, data: pd.DataFrame, *, dense: bool) -> None:
    """Draw every estimate with its interval; hollow and grey where zero is inside."""
    places = np.arange(len(data))
    told = ((data["conf_low"] > 0) | (data["conf_high"] < 0)).to_numpy()
    size, line = (2.6, 0.7) if dense else (5.0, 1.4)
    for sure, color in ((True, BLUE), (False, MUTED)):
        own = data[told == sure]
        axes.vlines(
            places[told == sure], own["conf_low"], own["conf_high"], color=color, linewidth=line
        )
        axes.plot(
            places[told == sure], own["estimate"], "o", color=color, markersize=size,
            markerfacecolor=color if sure else "white", markeredgewidth=line, zorder=3,
        )  # fmt: skip
    axes.axhline(0, color=INK, linewidth=0.9, zorder=1)
    axes.grid(axis="y", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xticks([])
    axes.tick_params(length=0)
    sns.despine(ax=axes, left=True, bottom=True)


def _draw_choices(
    axes: Axes, data: pd.DataFrame, asked: dict[str, list[str]], labels: list[str]
) -> None:
    flags = [data["block"] == name for name in asked["blocks"]]
    flags += [data[name] for name in asked["choices"]]
    for row, flag in enumerate(flags):
        own = [place for place, chosen in enumerate(flag) if chosen]
        axes.plot(own, [row] * len(own), "|", color=INK, markersize=5, markeredgewidth=0.8)
    axes.set_yticks(range(len(labels)), labels, fontsize=SMALL)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_xticks([])
    axes.tick_params(length=0)
    sns.despine(ax=axes, left=True, bottom=True)


def count_decimals(data: pd.DataFrame) -> int:
    """Count the decimals that show the largest end of a curve's intervals."""
    largest = float(data[["conf_low", "conf_high"]].abs().max().max())
    return next((n for n in range(6) if largest * 10**n >= 10), 6)


def _label(study: Study, language: str, name: str) -> str:
    declared = {variable.name for variable in study.variables}
    known = label_of(study, language, name) if name in declared else name
    return capitalise(known.replace("_", " "))


DRAWN: dict[str, Callable[[Exhibit, Study, str, Width], Figure]] = {"curve": _draw_curve}
"""Drawings by kind of exhibit."""
