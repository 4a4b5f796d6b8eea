"""The evidence of a brief: figures with their numbers, tables."""

from __future__ import annotations

import base64
import functools
from collections.abc import Mapping
from typing import Any

from evidence.brief.blocks import Block, as_rows, table
from evidence.brief.sources import tell_scales, word_source
from evidence.brief.told import figures_of
from evidence.brief.versions import draw_code
from evidence.disclosure import Cleared
from evidence.errors import BriefError
from evidence.exhibits import (
    Exhibit,
    describe,
    draw,
    entitle_cells,
    entitle_findings,
    lay_findings,
    list_cautions,
    note_cells,
    present,
    tabulate,
    words_of,
)
from evidence.language import capitalise, format_number, join, name_unit, say


def tell_evidence(cleared: Cleared, language: str, *, whole: bool) -> list[Block]:
    """Lay out the figures and, where the whole is asked for, every table.

    Raises
    ------
    BriefError
        Where the notebook has written no figure of coefficients or no table of findings.
    """
    lead = _figure(cleared, language)
    names = [figure.id for figure in figures_of(cleared) if figure.id != lead["name"]]
    further = [_further(cleared, language, name) for name in names]
    if not whole:
        return [lead, *further]
    return [lead, _table(cleared, language), *further, *_cells(cleared, language)]


def draw_pictures(cleared: Cleared, model: Mapping[str, Any]) -> dict[str, bytes]:
    """Draw the pictures of a brief as PNG: figure's name → picture; ``code`` is the QR code."""
    names = [
        block["name"]
        for part in model["sections"]
        for block in part["blocks"]
        if block["kind"] == "figure"
    ]
    code = {"code": draw_code(model["code"]["address"], "png")} if model["code"] else {}
    return code | {name: _draw_png(cleared, model["language"], name) for name in names}


@functools.lru_cache(maxsize=16)
def _draw_png(cleared: Cleared, language: str, name: str) -> bytes:
    exhibit = next(e for e in figures_of(cleared) if e.id == name)
    return draw(exhibit, cleared.study, language, "wide", format="png")


def _exhibit(cleared: Cleared, kind: str) -> Exhibit:
    for exhibit in cleared.neck.exhibits:
        if exhibit.specification["kind"] == kind:
            return exhibit
    raise BriefError(
        cleared.study.slug,
        seen=f"no exhibit of kind '{kind}'",
        expected="one, written by the notebook",
        do="Give it to ev.write_neck in the notebook.",
    )


@functools.lru_cache(maxsize=16)
def _figure(cleared: Cleared, language: str) -> dict[str, Any]:
    study, exhibit = cleared.study, _exhibit(cleared, "coefficients")
    first = exhibit.rows[0]
    words = words_of(study, language, first)
    several = exhibit.data["exposure"].nunique() > 1
    kind = "figure.subtitle" if exhibit.data["reference"].isna().all() else "figure.subtitle_truth"
    level = format_number(language, 100 * exhibit.specification["conf_level"], decimals=0)
    unit = capitalise(name_unit(language, first["unit"]))
    return {
        "kind": "figure",
        "name": exhibit.id,
        "title": say(language, "figure.title_several" if several else "figure.title", **words),
        "subtitle": say(language, kind, unit_capital=unit, conf_level=level),
        "alt": describe(study, language, exhibit),
        "wide": _svg_address(draw(exhibit, study, language, "wide")),
        "narrow": _svg_address(draw(exhibit, study, language, "narrow")),
        "table": as_rows(*lay_findings(study, language, exhibit)),
        "source": word_source(cleared, language, list(exhibit.data["finding"])),
        "cautions": list_cautions(study, language),
    }


@functools.lru_cache(maxsize=64)
def _further(cleared: Cleared, language: str, name: str) -> dict[str, Any]:
    """Lay out a figure beside the first: aggregates, places, the path of an adoption."""
    exhibit = next(e for e in figures_of(cleared) if e.id == name)
    shown = present(cleared.study, language, exhibit)
    findings = [e["id"] for e in cleared.neck.findings if e["kind"] == "finding"]
    source = word_source(cleared, language, findings)
    return {
        **{key: shown[key] for key in ("title", "subtitle", "alt", "wide", "narrow", "table")},
        "kind": "figure",
        "name": exhibit.id,
        "source": join(language, filter(None, (shown["note"], source)), "sentence"),
        "cautions": list_cautions(cleared.study, language),
        "further": exhibit.form != "forest",
    }


def _table(cleared: Cleared, language: str) -> Block:
    exhibit = _exhibit(cleared, "findings")
    several = exhibit.data["case"].nunique() > 1
    level = format_number(language, 100 * exhibit.specification["conf_level"], decimals=0)
    note = say(language, "table.note", conf_level=level) if several else ""
    scales = tell_scales(cleared.study, language, list(exhibit.data["outcome"]))
    return table(
        exhibit.id,
        entitle_findings(language, exhibit),
        as_rows(*lay_findings(cleared.study, language, exhibit)),
        join(language, [note, *scales], "sentence"),
        list_cautions(cleared.study, language),
    )


def _cells(cleared: Cleared, language: str) -> list[Block]:
    """Lay out the tables of cells, in the order of the notebook."""
    return [
        table(
            exhibit.id,
            entitle_cells(cleared.study, language, exhibit),
            as_rows(*tabulate(cleared.study, language, exhibit)),
            note_cells(language, exhibit),
            list_cautions(cleared.study, language),
        )
        | {"further": True}
        for exhibit in cleared.neck.exhibits
        if exhibit.form == "cells"
    ]


def _svg_address(svg: bytes) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode("ascii")
