"""Figures as they are heard: alternative texts, generated from the numbers shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from evidence.exhibits.benchmark import list_compared, name_mark
from evidence.exhibits.captions import count_of, label_any, say_measure
from evidence.exhibits.curve import count_decimals
from evidence.exhibits.forest_words import describe_forest
from evidence.exhibits.noun import Exhibit
from evidence.exhibits.pairs import sort_pairs
from evidence.exhibits.series import Series, list_series
from evidence.exhibits.words import (
    amount_of_cell,
    describe_findings,
    is_clear_of_zero,
    name_case,
    words_of,
)
from evidence.language import (
    format_interval,
    format_number,
    join,
    name_unit,
    say,
    shown_decimals,
)
from evidence.study import Study, nouns_of


def describe(study: Study, language: str, exhibit: Exhibit) -> str:
    """Write the alternative text of a figure: kind of chart, what it compares, its values.

    Of a series the ends are told, for the figure shows these as numbers; ``tabulate`` has
    all. What is withheld, and which intervals include no difference, is said.
    """
    kind = exhibit.specification["kind"]
    known: dict[str, Callable[[Study, str, Exhibit], str]] = {
        "cells map": _describe_tiles,
        "cells": _describe_series,
        "path": _describe_path,
        "forest": describe_forest,
        "curve": _describe_curve,
        "benchmark": _describe_benchmark,
    }
    said = known.get(f"{kind} {exhibit.form}", known.get(kind, _describe_estimates))
    return said(study, language, exhibit)


def _describe_estimates(study: Study, language: str, exhibit: Exhibit) -> str:
    first = exhibit.rows[0]
    outcome = words_of(study, language, first)["outcome"]
    unit = name_unit(language, first["unit"])
    message = "alt.map_findings" if exhibit.form == "map" else "alt.intro"
    intro = say(language, message, outcome=outcome, unit=unit)
    return describe_findings(study, language, exhibit, intro)


def _describe_tiles(study: Study, language: str, exhibit: Exhibit) -> str:
    what = say_measure(study, language, exhibit)
    told = [say(language, "alt.map", what=what)]
    for row in exhibit.rows:
        label = name_case(study, language, row["case"])
        value = amount_of_cell(language, exhibit.specification, row)
        told.append(say(language, "alt.value", label=label, value=value))
    return join(language, told, "sentence")


def _describe_path(study: Study, language: str, exhibit: Exhibit) -> str:
    first = exhibit.rows[0]
    words = words_of(study, language, {"moderator": "", **first})
    told = [say(language, "alt.path", **words, unit=name_unit(language, first["unit"]))]
    start = exhibit.specification["reference"]
    steps = [(row["event"], _say_step(language, row)) for row in exhibit.rows]
    if start is not None:
        steps.append((start, say(language, "alt.start", label=name_step(language, start))))
    told += [text for _, text in sorted(steps)]
    return join(language, told, "sentence")


def name_step(language: str, event: float) -> str:
    """Name a period since adoption."""
    return say(language, "alt.step", event=format_number(language, event, decimals=0, signed=True))


def _say_step(language: str, row: Mapping[str, Any]) -> str:
    decimals = shown_decimals(row)
    estimate = format_number(language, row["estimate"], decimals=decimals)
    label = name_step(language, row["event"])
    if pd.isna(row["conf_low"]):
        return say(language, "alt.alone", label=label, estimate=estimate)
    interval = format_interval(language, row["conf_low"], row["conf_high"], decimals=decimals)
    kind = "told" if is_clear_of_zero(row) else "untold"
    return say(language, f"alt.{kind}", label=label, estimate=estimate, interval=interval)


def _describe_curve(study: Study, language: str, exhibit: Exhibit) -> str:
    data = exhibit.data
    untold = sum(not is_clear_of_zero(row) for row in exhibit.rows)
    ends = {"low": data["estimate"].min(), "high": data["estimate"].max(),
            "middle": data["estimate"].median()}  # fmt: skip
    decimals = count_decimals(data)
    told = {name: format_number(language, end, decimals=decimals) for name, end in ends.items()}
    return say(
        language, "alt.curve", exposure=label_any(study, language, exhibit.specification["term"]),
        count=count_of(language, len(data)), untold=count_of(language, untold), **told,
    )  # fmt: skip


def _describe_benchmark(study: Study, language: str, exhibit: Exhibit) -> str:
    told = [say(language, "alt.benchmark")]
    for one in list_compared(study, language, exhibit):
        marks = [name_mark(language, *mark) for mark in one.marks]
        told.append(
            say(language, "alt.compared", label=one.label, own=one.own_text, count=one.count,
                nouns=nouns_of(study, language)[1], marks=join(language, marks, "semicolon"))
        )  # fmt: skip
    return join(language, told, "sentence")


def _describe_series(study: Study, language: str, exhibit: Exhibit) -> str:
    series = list_series(study, language, exhibit)
    if exhibit.form == "pairs":
        series = sort_pairs(series)
    what = say_measure(study, language, exhibit)
    told = [say(language, f"alt.{exhibit.form}", what=what)]
    return join(language, [*told, *(_say_ends(language, one) for one in series)], "sentence")


def _say_ends(language: str, one: Series) -> str:
    if not one.shown:
        return say(language, "alt.withheld", label=one.label)
    first, last = one.shown[0], one.shown[-1]
    ends = {"first": one.steps[first], "last": one.steps[last]}
    values = {"before": one.texts[first], "after": one.texts[last]}
    message = "alt.single" if first == last else "alt.ends"
    return say(language, message, label=one.label, **ends, **values)
