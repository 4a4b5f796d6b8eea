"""The evidence of a brief: figures with their numbers, tables."""

from __future__ import annotations

import base64
import functools
from collections.abc import Mapping
from typing import Any

from evidence.brief.blocks import Block, Body, as_rows, table
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
    list_cautions,
    note_cells,
    present,
    tabulate,
    words_of,
)
from evidence.language import capitalise, format_number, join, name_unit, say
from evidence.study import Study, is_planned


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
        "table": _laid_out(study, language, exhibit),
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
        say(language, "table.caption_cases" if several else "table.caption"),
        _laid_out(cleared.study, language, exhibit),
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


def _laid_out(study: Study, language: str, exhibit: Exhibit) -> dict[str, Any]:
    head, body = tabulate(study, language, exhibit)
    head, body = _mark_unplanned(study, language, exhibit, head, body)
    return as_rows(head, body, _rest_cells(exhibit, body))


def _rest_cells(exhibit: Exhibit, body: Body) -> list[list[list[str]]]:
    """Say which finding each cell shows: its row's, or its row's of its column.

    Where rows are places, the leading columns show what all findings of a place share.
    """
    data = exhibit.data
    if data["case"].nunique() == 1:
        return [[[], *[[name]] * (len(row) - 1)]
                for name, row in zip(data["finding"], body, strict=True)]  # fmt: skip
    claims = list(dict.fromkeys(data["claim"]))
    rows: list[list[list[str]]] = []
    for _, group in data.groupby("case", sort=False):
        own = dict(zip(group["claim"], group["finding"], strict=True))
        shared: list[list[str]] = [[]] * (len(body[0]) - len(claims))
        rows.append([*shared, *([own[claim]] for claim in claims)])
    return rows


def _mark_unplanned(
    study: Study, language: str, exhibit: Exhibit, head: list[str], body: Body
) -> tuple[list[str], Body]:
    """Label what was not planned: its row, or its column where rows are places."""
    claims = list(exhibit.data["claim"])
    unplanned = {claim for claim in claims if not is_planned(study, claim)}

    def mark(text: str, claim: str) -> str:
        return say(language, "table.unplanned", text=text) if claim in unplanned else text

    if exhibit.data["case"].nunique() > 1:
        columns = list(dict.fromkeys(claims))
        fixed = len(head) - len(columns)
        marked = [mark(text, c) for text, c in zip(head[fixed:], columns, strict=True)]
        return [*head[:fixed], *marked], body
    rows = [[(mark(row[0][0], claim), row[0][1]), *row[1:]]
            for row, claim in zip(body, claims, strict=True)]  # fmt: skip
    return head, rows


def _svg_address(svg: bytes) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode("ascii")
