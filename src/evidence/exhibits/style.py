"""How every picture looks: fonts by language, few colours, the same bytes each time."""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager

from evidence.errors import ExhibitError
from evidence.exhibits.fonts import FAMILIES, WEIGHTS, fix_weight, list_families

Width = Literal["wide", "narrow"]

INK, BLUE, MUTED, GREY, GRID = "#1b2530", "#00558c", "#4f5a64", "#c3cad1", "#d9dee3"
SERIES = ("#12436D", "#28A197", "#801650", "#F46A25")
"""Colours of series, four at most (Government Analysis Function)."""

INCHES = {"wide": 7.0, "narrow": 3.55}
_MISSING = r"Glyph (\d+) .*missing from font"


def style(language: str) -> dict[str, Any]:
    """Give the settings of matplotlib under which everything is drawn in a language.

    Raises
    ------
    ExhibitError
        Where a font is missing, or matplotlib would draw another one in its place.
    """
    _register_fonts()
    return {
        "font.family": list_families(language),
        "font.size": 8.5,
        "svg.fonttype": "path",
        "svg.hashsalt": "evidence",
        "text.color": INK,
        "axes.labelcolor": MUTED,
        "xtick.color": INK,
        "figure.dpi": 100,
        # A label with two dollar signs is a label, not a formula.
        "text.parse_math": False,
    }


def blank(width: Width) -> Figure:
    """Open a figure of a width, on which texts can be measured; its height is set later."""
    figure = Figure(figsize=(INCHES[width], 1.0))
    FigureCanvasAgg(figure)
    return figure


@contextmanager
def refuse_missing_glyphs(where: str) -> Iterator[None]:
    """Make a character that no font draws an error; matplotlib only warns and draws a box.

    Raises
    ------
    ExhibitError
        Where such a character is drawn or measured.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=_MISSING, category=UserWarning)
        try:
            yield
        except UserWarning as warning:
            found = re.match(_MISSING, str(warning))
            if found is None:
                raise
            code = int(found[1])
            raise ExhibitError(
                where,
                seen=f"the character '{chr(code)}' (U+{code:04X}) in a text of the picture",
                expected="characters that the fonts of the five languages draw",
                do="Write the label with other characters.",
            ) from warning


@functools.cache
def _register_fonts() -> None:
    for family in FAMILIES:
        for weight in WEIGHTS:
            path = fix_weight(family, weight)
            fontManager.addfont(path)
            # Of fonts with equal names the first is taken: ours, whatever the system has.
            fontManager.ttflist.insert(0, fontManager.ttflist.pop())
    for family in FAMILIES:
        for weight in WEIGHTS:
            _check_font(family, weight)


def _check_font(family: str, weight: int) -> None:
    properties = FontProperties(family=[family], weight=weight)
    found = Path(findfont(properties, fallback_to_default=False))
    if not found.samefile(fix_weight(family, weight)):
        raise ExhibitError(
            f"font '{family}' in weight {weight}",
            seen=f"{found.name}, which matplotlib would draw",
            expected=fix_weight(family, weight).name,
            do="Report this with the version of matplotlib.",
        )
