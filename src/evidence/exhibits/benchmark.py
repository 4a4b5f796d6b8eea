"""One factory's own values beside its peers': confidential, for that factory alone.

The gate refuses this kind of exhibit: it goes to internal/scorecards and nowhere else.
Peers stay anonymous: quantiles of their values, each with enough factories on either
side, rounded; never the smallest or the largest, which belong to somebody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evidence.errors import ExhibitError
from evidence.exhibits.cells import round_quantile
from evidence.exhibits.labels import PLAIN, SMALL, measure, wrap
from evidence.exhibits.noun import Exhibit
from evidence.exhibits.style import BLUE, GREY, INCHES, INK, MUTED, Width, blank
from evidence.exhibits.words import amount_of_cell
from evidence.language import capitalise, format_number, say
from evidence.panel import Panel, cluster_column
from evidence.study import Study, label_of

QUANTILES = (25.0, 50.0, 75.0)
"""Percentiles of the peers; those with too few factories on a side are left out."""

BENCHMARK_COLUMNS = (
    "measure", "unit", "period", "own", "percentile", "value", "below", "above", "contributors",
)  # fmt: skip
"""Columns of a benchmark: a row a variable and percentile of the peers."""


def figure_benchmark(
    panel: Panel,
    factory: str,
    values: Sequence[str],
    *,
    by: Sequence[str] = (),
    period: int | None = None,
) -> Exhibit:
    """Show a factory's own values beside the distribution of its peers.

    Peers are the other protected units with a value in the same period that share the
    factory's values of ``by``. A percentile is shown where as many peers as the study's
    threshold stand on either side of it, rounded to two significant digits.

    Parameters
    ----------
    factory : str
        Name of the protected unit.
    values : sequence of str
        Numeric variables, in the order in which they are drawn.
    period : int, optional
        The last one in which the factory has a value, if left out.

    Returns
    -------
    Exhibit
        Of kind ``benchmark``, with the columns ``BENCHMARK_COLUMNS``; ``own`` and ``value``
        in the variable's unit, ``contributors`` the count of peers.

    Raises
    ------
    ExhibitError
        For an unknown factory or variable, a factory without a value, or where no
        percentile of a variable has enough peers: then nothing is shown.
    """
    rows = [row for name in values for row in _compare(panel, factory, name, by, period)]
    if not rows:
        raise ExhibitError(
            "figure_benchmark, values",
            seen="no variable",
            expected="at least one",
            do="Name the variables to show.",
        )
    data = pd.DataFrame(rows, columns=list(BENCHMARK_COLUMNS))
    specification = {
        "kind": "benchmark",
        "factory": factory,
        "by": list(by),
        "threshold": panel.study.disclosure.threshold,
        "simulated": panel.provenance.simulated,
    }
    return Exhibit("benchmark", specification, data)


def _compare(
    panel: Panel, factory: str, value: str, by: Sequence[str], period: int | None
) -> list[dict[str, Any]]:
    data = _lay_units(panel, value, by)
    own = data[data["unit"] == factory]
    if period is not None:
        own = own[own["time"] == period]
    if own.empty:
        raise ExhibitError(
            f"figure_benchmark, '{value}'",
            seen="no value of that factory",
            expected="a factory of the panel with a value"
            + ("" if period is None else f" in {period}"),
            do="Check the factory's name, or leave the variable out.",
        )
    last = own.sort_values("time").iloc[-1]
    alike = data["time"] == last["time"]
    for name in by:
        alike &= data[name] == last[name]
    peers = data[alike & (data["unit"] != factory)].groupby("unit")["value"].mean()
    now = own[own["time"] == last["time"]]
    threshold = panel.study.disclosure.threshold
    shown = [row for q in QUANTILES if (row := _find_quantile(peers, q, threshold))]
    if not shown:
        raise ExhibitError(
            f"figure_benchmark, '{value}'",
            seen=f"{len(peers)} peers",
            expected=f"at least {threshold} on either side of the middle",
            do="Compare with a wider group, or leave the variable out: among few, each can be told.",
        )
    shared = {
        "measure": value,
        "unit": panel.study.variable(value).unit,
        "period": int(last["time"]),
        "own": float(now["value"].mean()),
        "contributors": len(peers),
    }
    return [{**shared, **row} for row in shown]


def _lay_units(panel: Panel, value: str, by: Sequence[str]) -> pd.DataFrame:
    """Lay out unit, time, value and groups of the rows that have a value."""
    known = {variable.name for variable in panel.study.variables}
    missing = [name for name in (value, *by) if name not in known]
    if missing or not pd.api.types.is_numeric_dtype(panel.data[value]):
        raise ExhibitError(
            "figure_benchmark",
            seen=f"'{missing[0] if missing else value}'",
            expected="declared variables; those to show with numbers",
            do="Declare it in the study file, or choose another.",
        )
    column = cluster_column(panel.study, panel.provenance.protected_unit)
    frame = pd.DataFrame({
        "unit": panel.data[column].astype("string").to_numpy(),
        "time": panel.data.index.get_level_values("time"),
        "value": panel.data[value].astype("float64").to_numpy(),
        **{name: panel.data[name].to_numpy() for name in by},
    })  # fmt: skip
    return frame.dropna(subset=["value"])


def _find_quantile(peers: pd.Series, percentile: float, threshold: int) -> dict[str, Any] | None:
    if peers.empty:
        return None
    value = float(peers.quantile(percentile / 100))
    below, above = int((peers < value).sum()), int((peers > value).sum())
    if min(below, above) < threshold:
        return None
    return {
        "percentile": percentile,
        "value": round_quantile(value),
        "below": below,
        "above": above,
    }


@dataclass(frozen=True, slots=True)
class Compared:
    """One variable of a benchmark in words: own value, peers' percentiles, their count."""

    label: str
    own: float
    own_text: str
    marks: tuple[tuple[float, float, str], ...]
    count: str


def list_compared(study: Study, language: str, exhibit: Exhibit) -> list[Compared]:
    """List what is compared; ``marks`` are (percentile, value, text)."""
    found = []
    for name, rows in exhibit.data.groupby("measure", sort=False):
        first = rows.iloc[0]
        asked = {"statistic": "mean", "unit": first["unit"]}

        def tell(value: float, asked: Mapping[str, Any] = asked) -> str:
            return amount_of_cell(language, asked, {"status": "", "value": value})

        marks = zip(rows["percentile"], rows["value"], strict=True)
        found.append(
            Compared(
                capitalise(label_of(study, language, str(name))),
                float(first["own"]),
                tell(first["own"]),
                tuple((float(p), float(v), tell(v)) for p, v in marks),
                format_number(language, float(first["contributors"]), decimals=0),
            )
        )
    return found


_TALL = 1.05


def _draw_benchmark(exhibit: Exhibit, study: Study, language: str, width: Width) -> Figure:
    compared = list_compared(study, language, exhibit)
    figure = blank(width)
    narrow = width == "narrow"
    left = 0.06 if narrow else 2.3
    labels = [wrap(one.label, INCHES[width] - 0.1 if narrow else left - 0.2)
              for one in compared]  # fmt: skip
    tall = _TALL + (0.06 + 0.16 * max(text.count("\n") + 1 for text in labels) if narrow else 0)
    height = tall * len(compared)
    figure.set_size_inches(INCHES[width], height)
    for n, (one, label) in enumerate(zip(compared, labels, strict=True)):
        bottom = height - (n + 1) * tall
        axes = figure.add_axes((
            left / INCHES[width], bottom / height, (INCHES[width] - left - 0.06) / INCHES[width],
            _TALL / height,
        ))  # fmt: skip
        _draw_compared(figure, axes, one, language, INCHES[width] - left - 0.06)
        place = (-0.12, 0.5) if not narrow else (0.0, 1.0)
        axes.annotate(
            label, (0, place[1]), (72 * place[0], 0), xycoords="axes fraction",
            textcoords="offset points", ha="left" if narrow else "right",
            va="bottom" if narrow else "center", fontsize=PLAIN, color=INK, annotation_clip=False,
        )  # fmt: skip
    return figure


def _draw_compared(figure: Figure, axes: Axes, one: Compared, language: str, across: float) -> None:
    """Draw the own value above a line, the peers' percentiles below it."""
    values = [one.own, *(value for _, value, _ in one.marks)]
    own = capitalise(say(language, "figure.own", value=one.own_text))
    peers = [name_mark(language, *mark) for mark in one.marks]
    half = max(measure(text, weight="bold") for text in (own, *peers)) / 2 + 0.05
    span = (max(values) - min(values)) or abs(max(values)) or 1.0
    inch = span / max(across - 2 * half, 0.4)
    axes.set_xlim(min(values) - half * inch, max(values) + half * inch)
    axes.set_ylim(0, 1)
    axes.axhline(0.5, color=GREY, linewidth=0.8, zorder=1)
    ends = [value for _, value, _ in one.marks]
    axes.plot([min(ends), max(ends)], [0.5, 0.5], color=MUTED, linewidth=5, solid_capstyle="butt")
    axes.plot(ends, [0.5] * len(ends), "|", color=INK, markersize=12, markeredgewidth=1.6, zorder=3)
    axes.plot([one.own], [0.5], "D", color=BLUE, markersize=8, markeredgecolor="white", zorder=4)
    axes.annotate(
        own, (one.own, 0.5), (0, 8), textcoords="offset points", ha="center", va="bottom",
        color=BLUE, fontsize=PLAIN, fontweight="bold",
    )  # fmt: skip
    _draw_marks(figure, axes, one, peers, inch)
    axes.set_xticks([])
    axes.set_yticks([])
    sns.despine(ax=axes, left=True, bottom=True)


def _draw_marks(figure: Figure, axes: Axes, one: Compared, texts: list[str], inch: float) -> None:
    """Write the percentiles below the line; what would touch another stands a line lower."""
    taken: list[tuple[float, float, int]] = []
    order = sorted(range(len(texts)), key=lambda n: abs(one.marks[n][0] - 50.0))
    for n in order:
        value = one.marks[n][1]
        half = (measure(texts[n], size=SMALL) / 2 + 0.04) * inch
        level = 0
        while any(
            level == line and value - half < high and value + half > low
            for low, high, line in taken
        ):
            level += 1
        taken.append((value - half, value + half, level))
        axes.annotate(
            texts[n], (value, 0.5), (0, -9 - 10 * level), textcoords="offset points", ha="center",
            va="top", color=MUTED, fontsize=SMALL,
        )  # fmt: skip


def name_mark(language: str, percentile: float, value: float, text: str) -> str:
    """Name a percentile of the peers with its value."""
    if percentile == 50.0:
        return say(language, "figure.middle", value=text)
    told = format_number(language, percentile, decimals=0)
    return say(language, "figure.percentile", percent=told, value=text)


DRAWN: dict[str, Callable[[Exhibit, Study, str, Width], Figure]] = {"benchmark": _draw_benchmark}
"""Drawings by form of exhibit."""
