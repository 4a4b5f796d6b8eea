"""Specification curves, for the people who choose the specification."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evidence.exhibits.noun import Exhibit
from evidence.exhibits.style import BLUE, GREY, INCHES, INK, MUTED, Width
from evidence.language import capitalise, format_number, say
from evidence.models import CONF_LEVEL, Curve
from evidence.study import Study, label_of

_LINE = {"wide": 100, "narrow": 46}


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
    bottom = 0.2 * max(len(rows), 1)
    figure = Figure(figsize=(INCHES[width], 2.6 + bottom), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2.2, bottom])
    _draw_estimates(above, data, language)
    _draw_choices(below, data, asked, [_label(study, language, name) for name in rows])
    title = say(
        language,
        "curve.title",
        exposure=_label(study, language, asked["term"]),
        count=format_number(language, float(len(data)), decimals=0),
    )
    text = say(language, "report.simulated", title=title) if asked["simulated"] else title
    title = textwrap.fill(capitalise(text), _LINE[width])
    figure.suptitle(title, x=0.01, ha="left", fontsize=8.5, color=MUTED)
    note = say(language, "curve.note", level=format_number(language, 100 * CONF_LEVEL, decimals=0))
    figure.supxlabel(note, x=0.01, ha="left", fontsize=7.5, color=MUTED)
    return figure


def _draw_estimates(axes: Axes, data: pd.DataFrame, language: str) -> None:
    places = range(len(data))
    told = (data["conf_low"] > 0) | (data["conf_high"] < 0)
    axes.vlines(places, data["conf_low"], data["conf_high"], color=GREY, linewidth=0.8)
    for sure, color in ((True, BLUE), (False, "white")):
        own = [place for place, is_told in zip(places, told, strict=True) if is_told == sure]
        axes.plot(
            own, data["estimate"].iloc[own], "o", color=color, markersize=3,
            markeredgecolor=BLUE if sure else MUTED, markeredgewidth=0.7,
        )  # fmt: skip
    axes.axhline(0, color=INK, linewidth=0.9)
    axes.yaxis.set_major_formatter(
        lambda value, _: format_number(language, value, decimals=_decimals(data))
    )
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
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_xticks([])
    axes.tick_params(length=0)
    sns.despine(ax=axes, left=True, bottom=True)


def _decimals(data: pd.DataFrame) -> int:
    largest = float(data[["conf_low", "conf_high"]].abs().max().max())
    return next((n for n in range(6) if largest * 10**n >= 10), 6)


def _label(study: Study, language: str, name: str) -> str:
    declared = {variable.name for variable in study.variables}
    known = label_of(study, language, name, internal=True) if name in declared else name
    return capitalise(known.replace("_", " "))


DRAWN: dict[str, Callable[[Exhibit, Study, str, Width], Figure]] = {"curve": _draw_curve}
"""Drawings by kind of exhibit."""
