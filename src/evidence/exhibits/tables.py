"""Exhibits as tables: what stands beside a picture, and tables themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from evidence.exhibits.benchmark import list_compared
from evidence.exhibits.captions import count_of, label_any
from evidence.exhibits.comparisons import tabulate_findings
from evidence.exhibits.curve import count_decimals
from evidence.exhibits.forest_words import tabulate_forest
from evidence.exhibits.noun import Exhibit
from evidence.exhibits.pairs import sort_pairs
from evidence.exhibits.series import list_series
from evidence.exhibits.words import is_clear_of_zero, tabulate_cells, words_of
from evidence.language import (
    capitalise,
    format_interval,
    format_number,
    name_unit,
    say,
    shown_decimals,
)
from evidence.models import CONF_LEVEL
from evidence.study import Study

Table = tuple[list[str], list[list[tuple[str, str]]]]


def tabulate(study: Study, language: str, exhibit: Exhibit) -> Table:
    """Lay an exhibit out as a table in a language.

    Returns
    -------
    head : list of str
        Column heads, the first one for the row heads.
    body : list of list of (text, direction)
        Row by row; ``direction`` is empty for cells that are no estimate.
    """
    kind = exhibit.specification["kind"]
    known: dict[str, Callable[[Study, str, Exhibit], Table]] = {
        "cells panels": _tabulate_series,
        "cells pairs": _tabulate_series,
        "cells": tabulate_cells,
        "path": _tabulate_path,
        "forest": tabulate_forest,
        "curve": _tabulate_curve,
        "benchmark": _tabulate_benchmark,
    }
    laid = known.get(f"{kind} {exhibit.form}", known.get(kind, tabulate_findings))
    return laid(study, language, exhibit)


def _tabulate_path(study: Study, language: str, exhibit: Exhibit) -> Table:
    first, asked = exhibit.rows[0], exhibit.specification
    words = words_of(study, language, {"moderator": "", **first})
    unit = name_unit(language, first["unit"])
    estimate = say(language, "table.with_unit", text=say(language, "table.estimate"), unit=unit)
    level = count_of(language, round(100 * asked["conf_level"]))
    head = [
        say(language, "table.period", **words),
        estimate,
        say(language, "table.interval", conf_level=level),
        say(language, "table.entities", nouns=capitalise(words["nouns"])),
    ]
    steps = [(row["event"], _lay_step(language, row)) for row in exhibit.rows]
    start = asked["reference"]
    if start is not None:
        named = format_number(language, start, decimals=0, signed=True)
        steps.append((start, [(named, ""), (say(language, "figure.reference"), ""), ("", ""),
                              ("", "")]))  # fmt: skip
    return head, [row for _, row in sorted(steps, key=lambda step: step[0])]


def _lay_step(language: str, row: Mapping[str, Any]) -> list[tuple[str, str]]:
    decimals = shown_decimals(row)
    way = "unclear"
    if is_clear_of_zero(row):
        way = "decrease" if row["estimate"] < 0 else "increase"
    interval = ""
    if not pd.isna(row["conf_low"]):
        interval = format_interval(language, row["conf_low"], row["conf_high"], decimals=decimals)
    count = row["contributors"]
    return [
        (format_number(language, row["event"], decimals=0, signed=True), ""),
        (format_number(language, row["estimate"], decimals=decimals), way),
        (interval, way),
        ("" if pd.isna(count) else count_of(language, int(count)), ""),
    ]


def _tabulate_curve(study: Study, language: str, exhibit: Exhibit) -> Table:
    """Lay a curve out: a row a specification, with what each holds."""
    asked, decimals = exhibit.specification, count_decimals(exhibit.data)
    held = [*asked["blocks"], *asked["choices"]]
    level = count_of(language, round(100 * CONF_LEVEL))
    head = [
        say(language, "table.specification"),
        say(language, "table.estimate"),
        say(language, "table.interval", conf_level=level),
        *(capitalise(label_any(study, language, name)) for name in held),
    ]
    body = []
    for n, row in enumerate(exhibit.rows, 1):
        flags = [row["block"] == name for name in asked["blocks"]]
        flags += [bool(row[name]) for name in asked["choices"]]
        interval = format_interval(language, row["conf_low"], row["conf_high"], decimals=decimals)
        way = "" if is_clear_of_zero(row) else "unclear"
        estimate = format_number(language, row["estimate"], decimals=decimals)
        body.append([
            (count_of(language, n), ""), (estimate, way), (interval, way),
            *((say(language, "cells.yes" if flag else "cells.no"), "") for flag in flags),
        ])  # fmt: skip
    return head, body


def _tabulate_benchmark(study: Study, language: str, exhibit: Exhibit) -> Table:
    percentiles = sorted(set(exhibit.data["percentile"]))
    head = [
        say(language, "table.outcome"),
        say(language, "table.own"),
        *(say(language, "table.percentile", percent=format_number(language, p, decimals=0))
          for p in percentiles),
        say(language, "table.peers"),
    ]  # fmt: skip
    body = []
    for one in list_compared(study, language, exhibit):
        told = {percentile: text for percentile, _, text in one.marks}
        marks = [
            (told[p], "") if p in told else (say(language, "cells.suppressed"), "refused")
            for p in percentiles
        ]
        body.append([(one.label, ""), (one.own_text, ""), *marks, (one.count, "")])
    return head, body


def _tabulate_series(study: Study, language: str, exhibit: Exhibit) -> Table:
    """Lay series out: a row a group, a column a step; empty where a group has no such step."""
    series = list_series(study, language, exhibit)
    if exhibit.form == "pairs":
        series = sort_pairs(series)
    steps = dict(
        sorted(
            ((step, place) for one in series
             for step, place in zip(one.steps, one.places, strict=True)),
            key=lambda item: item[1],
        )
    )  # fmt: skip
    body = []
    for one in series:
        told = {step: n for n, step in enumerate(one.steps)}
        cells = [
            (one.texts[told[step]], "" if told[step] in one.shown else "refused")
            if step in told
            else ("", "")
            for step in steps
        ]
        body.append([(one.label, ""), *cells])
    return [say(language, "figure.group_head"), *steps], body
