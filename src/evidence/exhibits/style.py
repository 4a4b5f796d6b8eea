"""How every picture looks: one font, few colours, the same bytes each time."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from typing import Any, Literal

from matplotlib.font_manager import fontManager

from evidence.errors import ExhibitError

Width = Literal["wide", "narrow"]

INK, BLUE, MUTED, GREY, GRID = "#1b2530", "#00558c", "#4f5a64", "#c3cad1", "#d9dee3"
INCHES = {"wide": 7.0, "narrow": 3.55}
_FONT = "NotoSans[wght].ttf"


def font_path() -> Path:
    """Find the file of Noto Sans (variable, weights 400 to 700) in its package.

    Raises
    ------
    ExhibitError
        Where the package is not installed.
    """
    found = importlib.util.find_spec("manimgx_fonts")
    if found is None or found.origin is None:
        raise ExhibitError(
            "fonts",
            seen="no package manimgx-fonts",
            expected="the package of the lock file that ships Noto Sans",
            do="Install the lock file's packages (make setup).",
        )
    return Path(found.origin).parent / _FONT


@functools.cache
def _font_family() -> str:
    fontManager.addfont(str(font_path()))
    return "Noto Sans"


def style() -> dict[str, Any]:
    """Give the settings of matplotlib under which everything is drawn."""
    return {
        "font.family": [_font_family(), "DejaVu Sans"],
        "font.size": 8.5,
        "svg.fonttype": "path",
        "svg.hashsalt": "evidence",
        "text.color": INK,
        "axes.labelcolor": MUTED,
        "xtick.color": INK,
        "figure.dpi": 100,
    }
