"""Figures of the data report, for the people who rerun a study; none leaves the house."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from evidence.errors import ExhibitError
from evidence.exhibits.noun import Exhibit
from evidence.exhibits.style import BLUE, GREY, INCHES, INK, MUTED, Width
from evidence.language import capitalise, format_number, format_plain, say
from evidence.panel import DataReport
from evidence.study import Study, label_of, nouns_of

_TURN = {"wide": 0, "narrow": 90}


def figure_report(report: DataReport, kind: Literal["coverage", "factories"]) -> Exhibit:
    """Show a part of a data report: who has a value, or who came and went.

    ``coverage`` gives each variable and period the share of records with a value, in
    the case that has least; ``factories`` counts entities that stayed, came or left,
    all cases together.

    Raises
    ------
    ExhibitError
        Where the report holds nothing of it, or there is no such figure.
    """
    frame = {"coverage": report.coverage, "factories": report.factories}.get(kind)
    if frame is None or frame.empty:
        raise ExhibitError(
            f"figure_report: {kind}",
            seen="no such figure" if frame is None else "a report whose cases cannot be read",
            expected="coverage or factories of data that make a panel",
            do="Look at the report's verdict.",
        )
    if kind == "coverage":
        data = frame.groupby(["variable", "time"], sort=False)["share"].min().reset_index()
    else:
        counts = ["present", "entered", "returned", "left"]
        data = frame.groupby("time")[counts].sum(min_count=1).reset_index()
    specification = {"kind": f"report_{kind}", "simulated": report.simulated}
    return Exhibit(f"report_{kind}", specification, data)


def _draw_coverage(exhibit: Exhibit, study: Study, language: str, width: Width) -> Figure:
    order = list(dict.fromkeys(exhibit.data["variable"]))
    grid = exhibit.data.pivot_table(index="variable", columns="time", values="share").loc[order]
    labels = [_label(study, language, name) for name in order]
    figure = Figure(figsize=(INCHES[width], 0.34 * len(order) + 0.8), layout="constrained")
    axes = figure.add_subplot()
    shade = sns.light_palette(BLUE, as_cmap=True)
    told = grid.map(lambda share: format_number(language, 100 * share, decimals=0))
    sns.heatmap(
        grid, ax=axes, vmin=0, vmax=1, cmap=shade, annot=told, fmt="", cbar=False,
        linewidths=1.5, annot_kws={"fontsize": 7.5 if width == "wide" else 6},
    )  # fmt: skip
    axes.set_yticklabels(labels, rotation=0)
    axes.set_xticklabels(
        [format_plain(language, int(time)) for time in grid.columns], rotation=_TURN[width]
    )
    _entitle(figure, exhibit, language, say(language, "report.coverage"))
    axes.set(xlabel="", ylabel="")
    axes.tick_params(length=0)
    return figure


def _draw_factories(exhibit: Exhibit, study: Study, language: str, width: Width) -> Figure:
    data = exhibit.data
    left = data["left"].shift(1).fillna(0).astype("float64")
    came = (data["entered"] + data["returned"]).astype("float64")
    stayed = data["present"].astype("float64") - came
    places = list(range(len(data)))
    figure = Figure(figsize=(INCHES[width], 2.8 if width == "wide" else 3.2), layout="constrained")
    axes = figure.add_subplot()
    axes.bar(places, stayed, color=GREY, width=0.7)
    axes.bar(places, came, bottom=stayed, color=BLUE, width=0.7)
    axes.bar(places, -left, color="white", edgecolor=INK, hatch="////", width=0.7)
    for place, whole in zip(places, data["present"], strict=True):
        number = format_number(language, float(whole), decimals=0)
        axes.annotate(
            number, (place, float(whole)), (0, 3), textcoords="offset points", ha="center"
        )
    axes.axhline(0, color=INK, linewidth=0.9)
    axes.set_xticks(
        places, [format_plain(language, int(time)) for time in data["time"]], rotation=_TURN[width]
    )
    axes.set_yticks([])
    axes.tick_params(length=0)
    nouns = nouns_of(study, language)[1]
    _entitle(figure, exhibit, language, say(language, "report.factories", nouns=nouns))
    keys = {
        "report.stayed": Patch(facecolor=GREY),
        "report.came": Patch(facecolor=BLUE),
        "report.left": Patch(facecolor="white", edgecolor=INK, hatch="////"),
    }
    figure.legend(
        keys.values(), [say(language, key) for key in keys], frameon=False,
        ncols=3 if width == "wide" else 1, loc="outside lower left",
    )  # fmt: skip
    sns.despine(ax=axes, left=True, bottom=True)
    return figure


def _entitle(figure: Figure, exhibit: Exhibit, language: str, title: str) -> None:
    simulated = exhibit.specification["simulated"]
    text = say(language, "report.simulated", title=title) if simulated else capitalise(title)
    figure.suptitle(text, x=0.01, ha="left", fontsize=8.5, color=MUTED)


def _label(study: Study, language: str, name: str) -> str:
    return capitalise(label_of(study, language, name))


DRAWN: dict[str, Callable[[Exhibit, Study, str, Width], Figure]] = {
    "report_coverage": _draw_coverage,
    "report_factories": _draw_factories,
}
"""Drawings by kind of exhibit."""
