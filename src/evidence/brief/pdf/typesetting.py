"""Typst sets the nodes: PDF/UA-1 and PDF/A-2a, from plain data, with fonts from packages.

Texts travel as strings in one JSON value and are never markup; pictures travel in it too, so that
no value can name a file. Any warning is an error.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import typst

from evidence.brief.fonts import gather_text, typst_fonts
from evidence.brief.pdf.layout import Node, lay_out, list_leaves
from evidence.brief.pdf.tagging import finish
from evidence.errors import BriefError

_TEMPLATES = Path(__file__).parents[2] / "templates" / "brief"
_STANDARDS: dict[str, list[typst.PDFStandard]] = {
    "brief": ["ua-1", "a-2a"],
    "slides": ["ua-1", "a-2a"],
}
_OWN = "•○ /0123456789:\u00a0"
_LEADING = {"ja": 0.85, "bn": 0.85, "km": 1.0}
_REPLACED = {"km", "bn"}
_UNDATED = date(2000, 1, 1)
"""A draft has no date; a PDF/A must have one."""


def typeset(model: Mapping[str, Any]) -> bytes:
    """Set a composed and worded brief as a PDF.

    Raises
    ------
    BriefError
        Where typst refuses or warns: a character without a font, a picture without a text.
    """
    nodes = lay_out(model)
    return _set(model, nodes, 9.6)


def _set(model: Mapping[str, Any], nodes: list[Node], size: float) -> bytes:
    language = model["language"]
    data = {
        "title": model["title"],
        "language": language,
        "date": _day(model),
        "size": size,
        "small": 8.2,
        "leading": _LEADING.get(language, 0.65),
        "figure": 1,
        "mark": model["imprint"]["mark"] if model["state"] == "draft" else "",
        "foot": model["kicker"],
        "nodes": nodes,
    }
    payload = _compile("brief", data, gather_text(data) + _OWN)
    return finish(payload, list_leaves(nodes) if language in _REPLACED else None)


def _compile(template: str, data: Mapping[str, Any], text: str) -> bytes:
    folders, families = typst_fonts(text, data["language"])
    compiler = _compiler(template, tuple(folders))
    told = json.dumps({**data, "fonts": families}, ensure_ascii=False, sort_keys=True)
    try:
        payload, warnings = compiler.compile_with_warnings(
            format="pdf", sys_inputs={"model": told}, pdf_standards=_STANDARDS[template]
        )
    except typst.TypstError as error:
        raise _refused(data, str(error)) from error
    if warnings or not isinstance(payload, bytes):
        raise _refused(data, "; ".join(str(warning) for warning in warnings))
    return payload


@functools.lru_cache(maxsize=8)
def _compiler(template: str, folders: tuple[Path, ...]) -> typst.Compiler:
    fonts = typst.Fonts(include_system_fonts=False, font_paths=list(folders))
    return typst.Compiler(_TEMPLATES / f"{template}.typ", root=_TEMPLATES, font_paths=fonts)


def _day(model: Mapping[str, Any]) -> list[int]:
    day = date.fromisoformat(model["date"]) if model["date"] else _UNDATED
    return [day.year, day.month, day.day]


def _refused(data: Mapping[str, Any], said: str) -> BriefError:
    return BriefError(
        f"the PDF in language '{data['language']}'",
        seen=said,
        expected="a PDF without a warning",
        do="Write the label or the text that is named with other characters.",
    )
