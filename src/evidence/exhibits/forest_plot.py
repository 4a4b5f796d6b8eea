"""Forests in pictures: places above, their average and the range of a further one below."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.figure import Figure

from evidence.exhibits.coefficients import Drawn, draw_rows, wrap_labels
from evidence.exhibits.forest_words import label_forest, list_marked, say_amount
from evidence.exhibits.noun import Exhibit
from evidence.exhibits.style import MUTED, Width, blank
from evidence.study import Study

_TALL = {"wide": 0.24, "narrow": 0.4}
_LINE = 0.15


def _draw_forest(exhibit: Exhibit, study: Study, language: str, width: Width) -> Figure:
    rows = list_marked(exhibit)
    figure = blank(width)
    labels = wrap_labels([label_forest(study, language, exhibit, row) for row in rows], width)
    drawn = [
        Drawn(row, label, say_amount(language, row), _TALL[width] + _LINE * label.count("\n"))
        for row, label in zip(rows, labels, strict=True)
    ]
    axes = draw_rows(figure, drawn, language, width)
    places = sum(one.tall for one in drawn if one.row["mark"] == "dot")
    if 0 < places < sum(one.tall for one in drawn):
        axes.axhline(-places, color=MUTED, linewidth=0.6, zorder=0)
    return figure


DRAWN: dict[str, Callable[[Exhibit, Study, str, Width], Figure]] = {"forest": _draw_forest}
"""Drawings by form of exhibit."""
