"""Typst sets the nodes: PDF/UA-1 and PDF/A-2a, from plain data, with fonts from packages.

Texts travel as strings in one JSON value and are never markup; pictures travel in it too, so that
no value can name a file. Any warning is an error.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import typst

from evidence.brief.fonts import gather_text, typst_fonts
from evidence.brief.pdf.layout import (
    Node,
    float_figures,
    keep_order,
    lay_out,
    lay_out_slides,
    list_languages,
    list_leaves,
    measure,
)
from evidence.brief.pdf.tagging import finish
from evidence.errors import BriefError

_TEMPLATES = Path(__file__).parents[2] / "templates" / "brief"
_STANDARDS: list[typst.PDFStandard] = ["ua-1", "a-2a"]
_OWN = "•○· /0123456789:\u00a0"
_REPLACED = {"km", "bn"}
_LEADING = {"ja": (0.85, 0.72), "bn": (0.85, 0.7), "km": (1.0, 0.76)}
"""Space between lines (em) at the largest and the smallest size."""
_SIZES: tuple[tuple[float, float], ...] = (
    (9.6, 1.0),
    (9.6, 0.9),
    (9.4, 0.9),
    (9.2, 0.88),
    (9.2, 0.82),
)
"""Size of letters (pt) and width of figures (share of the measure), the best first."""
_ANNEX = 7.5
"""Size of letters in the annex (pt): the least for print."""
_SLIDES = {"size": 20, "small": 14}
_SHRINKINGS = 5
_MOST_PAGES = {"brief": 2, "technical": 6}
_GAP = 0.12
_UNDATED = date(2000, 1, 1)
"""A draft has no date; a PDF/A must have one."""


@dataclass(frozen=True, slots=True)
class _Setting:
    """A document laid out: its pages, its largest gap, whether it is ill filled or out of order."""

    document: typst.Compiler
    pages: int
    gap: float
    bad: bool


def typeset(model: Mapping[str, Any]) -> bytes:
    """Set a composed and worded brief as a PDF on A4.

    A brief for an audience takes two pages where it can: letters and figures shrink within
    limits, the first size that fits and leaves no large gap is taken, and a figure that
    still does not fit where it stands moves behind the text that follows it. The technical
    version takes six pages where it can. Where nothing fits, parties' replies are left to the
    web page, which a line says; where nothing fits then, the fewest pages are taken.

    Raises
    ------
    BriefError
        Where typst refuses or warns: a character without a font, a picture without a text.
    """
    most = _MOST_PAGES["technical" if model["audience"] == "technical" else "brief"]
    for answered in (True, False):
        nodes = lay_out(model, answered=answered)
        pages, payload = _fit({**_about(model), "nodes": nodes}, most)
        if pages <= most or "answered" not in model["words"]:
            break
    return _finish(payload, model, nodes)


def typeset_slides(model: Mapping[str, Any]) -> bytes:
    """Set slides (16:9) of a composed and worded brief: its messages one by one, its figure.

    Raises
    ------
    BriefError
        As ``typeset`` does.
    """
    language, slides = model["language"], lay_out_slides(model)
    data = {**_about(model), **_SLIDES, "leading": _LEADING.get(language, (0.65, 0.58))[1]}
    scales = [1.0] * len(slides)
    for _ in range(_SHRINKINGS):
        told = [{"scale": scale, "nodes": nodes}
                for scale, nodes in zip(scales, slides, strict=True)]  # fmt: skip
        document, marks = _lay("slides", {**data, "slides": told})
        pages = [{mark["page"] for mark in marks if mark["n"] == n} for n in range(len(slides))]
        if all(len(own) == 1 for own in pages):
            break
        scales = [round(scale * (0.87 if len(own) > 1 else 1), 3)
                  for scale, own in zip(scales, pages, strict=True)]  # fmt: skip
    return _finish(_export(document, data), model, [node for slide in slides for node in slide])


def _about(model: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "title": model["title"],
        "language": model["language"],
        "date": _day(model),
        "mark": model["imprint"]["mark"] if model["state"] == "draft" else "",
        "foot": model["kicker"],
        "foreign": model["foreign"],
    }


def _fit(data: dict[str, Any], most: int) -> tuple[int, bytes]:
    """Set at the first size at which the pages are few enough and well filled; count them.

    Smaller letters take fewer pages and leave larger gaps: an order is left behind once its
    largest size that fits leaves a gap. Where none will do, the fewest pages are taken.
    """
    own = data["nodes"]
    orders = [own, *(float_figures(own, headed=headed) for headed in (True, False))]
    orders.append(float_figures(own, headed=True, tables=True))
    sizes = _SIZES
    if most > _MOST_PAGES["brief"]:
        orders, sizes = [own], (_SIZES[0], _SIZES[-1])
    set_at = functools.cache(lambda order, size: _set(data, orders[order], sizes[size]))
    numbers = range(len(sizes))
    for order in range(len(orders)):
        fits = functools.partial(_fits, set_at, order, most)
        first = 0 if fits(0) else bisect.bisect_left(numbers, 1, lo=1, key=fits)
        for size in numbers[first:]:
            setting = set_at(order, size)
            if fits(size) and not setting.bad:
                return setting.pages, _export(setting.document, data)
            if setting.gap > _GAP:
                break
    every = [set_at(*place) for place in itertools.product(range(len(orders)), numbers)]
    chosen = min(every, key=lambda setting: (max(setting.pages - most, 0), setting.bad))
    return chosen.pages, _export(chosen.document, data)


def _fits(set_at: Callable[[int, int], _Setting], order: int, most: int, size: int) -> bool:
    return set_at(order, size).pages <= most


def _set(data: dict[str, Any], nodes: list[Node], scale: tuple[float, float]) -> _Setting:
    """Set nodes at a size of letters and figures."""
    size, figure = scale
    sized = {**data, **_scale(data["language"], size), "figure": figure, "nodes": nodes}
    document, marks = _lay("brief", sized)
    pages, gap = measure(marks)
    return _Setting(document, pages, gap, gap > _GAP or not keep_order(nodes, marks))


def _scale(language: str, size: float) -> dict[str, float]:
    loose, tight = _LEADING.get(language, (0.65, 0.58))
    share = (size - _SIZES[-1][0]) / (_SIZES[0][0] - _SIZES[-1][0])
    leading = round(tight + share * (loose - tight), 3)
    return {"size": size, "small": round(size - 1.3, 2), "annex": _ANNEX, "leading": leading}


def _finish(payload: bytes, model: Mapping[str, Any], nodes: list[Node]) -> bytes:
    shown = {model["language"], *list_languages(nodes)}
    leaves = list_leaves(nodes) if shown & _REPLACED else None
    return finish(payload, leaves, model["foreign"])


def _lay(template: str, data: Mapping[str, Any]) -> tuple[typst.Compiler, list[dict[str, Any]]]:
    """Lay a template out; give the document and the marks of where each node begins and ends."""
    folders, families = typst_fonts(gather_text(data) + _OWN, data["language"])
    told = json.dumps({**data, "fonts": families}, ensure_ascii=False, sort_keys=True)
    document = typst.Compiler(
        _TEMPLATES / f"{template}.typ",
        root=_TEMPLATES,
        font_paths=_load_fonts(tuple(folders)),
        sys_inputs={"model": told},
    )
    try:
        return document, json.loads(document.query("<mark>", field="value"))
    except typst.TypstError as error:
        raise _refused(data, str(error)) from error


def _export(document: typst.Compiler, data: Mapping[str, Any]) -> bytes:
    try:
        payload, warnings = document.compile_with_warnings(format="pdf", pdf_standards=_STANDARDS)
    except typst.TypstError as error:
        raise _refused(data, str(error)) from error
    if warnings or not isinstance(payload, bytes):
        raise _refused(data, "; ".join(str(warning) for warning in warnings))
    return payload


@functools.lru_cache(maxsize=8)
def _load_fonts(folders: tuple[Path, ...]) -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False, font_paths=list(folders))


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
