"""Title and subtitle of a figure, set by the page: what is seen, and how to read it.

A title says what the numbers show, without a word of cause; where nothing is told it
names the comparison. The subtitle says measure, unit, period, who stands behind a value,
and the level of intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from evidence.exhibits.forest_words import entitle_forest, subtitle_forest
from evidence.exhibits.noun import Exhibit
from evidence.exhibits.series import find_axis, is_over_time, list_series
from evidence.exhibits.words import (
    entitle_cells,
    head_of_cells,
    is_clear_of_zero,
    is_simulated,
    words_of,
)
from evidence.language import (
    capitalise,
    format_interval,
    format_number,
    format_period,
    join,
    name_unit,
    say,
)
from evidence.models import CONF_LEVEL
from evidence.study import Study, label_of, nouns_of

CAPTIONED = frozenset({
    "panels", "pairs", "map", "coefficients", "path", "forest", "curve", "benchmark",
})  # fmt: skip
"""Forms of exhibit that have a title and a subtitle for their page."""

Said = Callable[[Study, str, Exhibit], str]


def entitle(study: Study, language: str, exhibit: Exhibit) -> str:
    """Say in a title what a figure shows."""
    return _find(_TITLES, exhibit, _entitle_findings)(study, language, exhibit)


def subtitle(study: Study, language: str, exhibit: Exhibit) -> str:
    """Say how a figure is read: unit, period, who stands behind it, marks, level."""
    return _find(_SUBTITLES, exhibit, _subtitle_findings)(study, language, exhibit)


def _find(said: Mapping[str, Said], exhibit: Exhibit, usual: Said) -> Said:
    kind = exhibit.specification["kind"]
    return said.get(f"{kind} {exhibit.form}", said.get(kind, usual))


def count_of(language: str, count: int) -> str:
    """Say a count."""
    return format_number(language, count, decimals=0)


def _entitle_series(study: Study, language: str, exhibit: Exhibit) -> str:
    series = list_series(study, language, exhibit)
    told = [one for one in series if len(one.shown) > 1]
    moved = [one for one in told if one.texts[one.shown[0]] != one.texts[one.shown[-1]]]
    ends = {(one.steps[one.shown[0]], one.steps[one.shown[-1]]) for one in told}
    what = _name_values(study, language, exhibit)
    if not moved or len(ends) > 1:
        return _entitle_neutrally(study, language, exhibit, what)
    axis = find_axis(study, exhibit.specification)
    lower = sum(one.change < 0 for one in moved)
    way = _way(lower, len(moved) - lower)
    groups = "places" if _is_by_case(exhibit) else "groups"
    over = "time" if is_over_time(study, exhibit) else "sides"
    first, last = ends.pop()
    words = {
        "what": what,
        "first": first,
        "last": last,
        "name": "" if over == "time" else label_of(study, language, axis),
        "lower": count_of(language, lower),
        "higher": count_of(language, len(moved) - lower),
    }
    if len(series) == 1:
        return say(language, f"figure.seen.{over}.single.{way}", **words)
    whole = say(language, f"figure.{groups}", count=count_of(language, len(series)))
    return say(language, f"figure.seen.{over}.{way}", **words, groups=whole)


def _way(lower: int, higher: int) -> str:
    return "mixed" if lower and higher else "lower" if lower else "higher"


def _name_values(study: Study, language: str, exhibit: Exhibit) -> str:
    """Name what a figure of cells is about; its statistic stands in the subtitle."""
    if "members" in exhibit.specification or exhibit.specification["statistic"] == "count":
        return say_measure(study, language, exhibit)
    return capitalise(label_of(study, language, exhibit.specification["value"]))


def say_measure(study: Study, language: str, exhibit: Exhibit) -> str:
    """Say what the cells of a figure are, or how the cells of several variables are made."""
    if "members" not in exhibit.specification:
        return head_of_cells(study, language, exhibit)
    return capitalise(say(language, f"figure.several.{exhibit.specification['statistic']}"))


def _is_by_case(exhibit: Exhibit) -> bool:
    return "members" not in exhibit.specification and len(exhibit.specification["by"]) < 2


def _entitle_neutrally(study: Study, language: str, exhibit: Exhibit, what: str) -> str:
    if is_over_time(study, exhibit):
        return say(language, "figure.over_time", what=what)
    axis = label_of(study, language, find_axis(study, exhibit.specification))
    return say(language, "figure.by", what=what, by=axis)


def _subtitle_cells(study: Study, language: str, exhibit: Exhibit) -> str:
    series = list_series(study, language, exhibit)
    counts = pd.Series([count for one in series for count in one.counts]).dropna()
    parts = [say_measure(study, language, exhibit)]
    if is_over_time(study, exhibit):
        parts.append(_say_span(study, language, exhibit))
    if len(counts):
        parts.append(_say_population(study, language, counts))
    if exhibit.form == "panels" and len(series) > 1:
        parts.append(say(language, "figure.grey"))
    if exhibit.form == "pairs" and series[0].steps:
        parts.append(
            say(language, "figure.dots", first=series[0].steps[0], last=series[0].steps[-1])
        )
    if exhibit.specification["simulated"]:
        parts.append(say(language, "figure.simulated"))
    return join(language, parts, "semicolon")


def _say_span(study: Study, language: str, exhibit: Exhibit) -> str:
    asked = exhibit.specification
    axis = find_axis(study, asked)
    merged = asked.get("merged", {}).get(axis, {})
    bases = [base for label in exhibit.data[axis] for base in merged.get(label, [label])]
    return format_period(language, min(bases, key=float), max(bases, key=float))


def _say_population(study: Study, language: str, counts: pd.Series) -> str:
    told = _say_counts(language, counts)
    return say(language, "figure.population", count=told, nouns=nouns_of(study, language)[1])


def _say_counts(language: str, counts: pd.Series) -> str:
    least, most = int(counts.min()), int(counts.max())
    if least == most:
        return count_of(language, most)
    return format_interval(language, least, most, decimals=0)


def _entitle_findings(study: Study, language: str, exhibit: Exhibit) -> str:
    rows = exhibit.rows
    words = words_of(study, language, {"moderator": "", **rows[0]})
    words |= {"outcome_capital": capitalise(words["outcome"])}
    told = [row for row in rows if row.get("direction") in {"decrease", "increase"}]
    several = exhibit.data["exposure"].nunique() > 1
    if not told:
        return say(language, "figure.title_several" if several else "figure.title", **words)
    lower = sum(row["direction"] == "decrease" for row in told)
    higher = len(told) - lower
    counts = {
        "lower": count_of(language, lower),
        "higher": count_of(language, higher),
        "count": count_of(language, len(told)),
        "all": count_of(language, len(rows)),
    }
    way = _way(lower, higher)
    if several:
        return say(language, "figure.told.several", **words, **counts)
    if len(rows) == 1:
        return say(language, f"figure.told.single.{way}", **words)
    return say(language, f"figure.told.{way}", **words, **counts)


def _subtitle_findings(study: Study, language: str, exhibit: Exhibit) -> str:
    rows = exhibit.rows
    level = count_of(language, round(100 * exhibit.specification["conf_level"]))
    unit = capitalise(name_unit(language, rows[0]["unit"]))
    marks = "map" if exhibit.form == "map" else "rows"
    parts = [
        unit,
        _say_periods(study, language, rows),
        _say_entities(study, language, rows),
        say(language, f"figure.marks.{marks}", conf_level=level),
    ]  # fmt: skip
    if marks == "rows" and not exhibit.data["reference"].isna().all():
        parts.append(say(language, "figure.truth"))
    if is_simulated(study):
        parts.append(say(language, "figure.simulated"))
    return join(language, parts, "semicolon")


def _say_entities(study: Study, language: str, rows: list[dict[str, Any]]) -> str:
    """Count the entities behind each estimate; over cases, those of each one's largest."""
    counts = pd.DataFrame(rows)[["case", "n_entities"]].astype({"n_entities": int})
    nouns = nouns_of(study, language)[1]
    if counts["case"].nunique() == 1 and counts["n_entities"].nunique() > 1:
        told = _say_counts(language, counts["n_entities"])
        return say(language, "figure.steps", count=told, nouns=nouns)
    largest = int(counts.groupby("case")["n_entities"].max().sum())
    return say(language, "figure.entities", count=count_of(language, largest), nouns=nouns)


def _say_periods(study: Study, language: str, rows: list[dict[str, Any]]) -> str:
    """Say from when to when rows were compared; what is counted, where it is not years."""
    first = min(int(row["first_period"]) for row in rows)
    last = max(int(row["last_period"]) for row in rows)
    told = format_period(language, first, last)
    label = study.time.label.get(language, "")
    if study.time.unit == "year" or not label:
        return told
    return say(language, "figure.time", label=capitalise(label), period=told)


def _entitle_path(study: Study, language: str, exhibit: Exhibit) -> str:
    after = [row for row in exhibit.rows if row["event"] >= 0]
    told = [row for row in after if is_clear_of_zero(row)]
    words = words_of(study, language, {"moderator": "", **exhibit.rows[0]})
    words |= {"outcome_capital": capitalise(words["outcome"])}
    if not told:
        return say(language, "figure.path.title", **words)
    lower = sum(row["estimate"] < 0 for row in told)
    counts = {
        "lower": count_of(language, lower),
        "higher": count_of(language, len(told) - lower),
        "all": count_of(language, len(after)),
    }
    return say(language, f"figure.path.{_way(lower, len(told) - lower)}", **words, **counts)


def _subtitle_path(study: Study, language: str, exhibit: Exhibit) -> str:
    level = count_of(language, round(100 * exhibit.specification["conf_level"]))
    counts = exhibit.data["contributors"].dropna()
    parts = [capitalise(name_unit(language, exhibit.rows[0]["unit"]))]
    if len(counts):
        told = _say_counts(language, counts)
        parts.append(say(language, "figure.steps", count=told, nouns=nouns_of(study, language)[1]))
    parts.append(say(language, "figure.marks.rows", conf_level=level))
    if exhibit.specification["reference"] is not None:
        parts.append(say(language, "figure.square"))
    if is_simulated(study):
        parts.append(say(language, "figure.simulated"))
    return join(language, parts, "semicolon")


def _entitle_curve(study: Study, language: str, exhibit: Exhibit) -> str:
    title = say(
        language,
        "curve.title",
        exposure=label_any(study, language, exhibit.specification["term"]),
        count=count_of(language, len(exhibit.data)),
    )
    simulated = exhibit.specification["simulated"]
    return say(language, "report.simulated", title=title) if simulated else capitalise(title)


def _subtitle_curve(study: Study, language: str, exhibit: Exhibit) -> str:
    return capitalise(
        say(
            language,
            "figure.curve.subtitle",
            conf_level=count_of(language, round(100 * CONF_LEVEL)),
        )
    )


def label_any(study: Study, language: str, name: str) -> str:
    """Label a variable, or what a notebook has named without declaring it."""
    declared = {variable.name for variable in study.variables}
    known = label_of(study, language, name) if name in declared else name
    return known.replace("_", " ")


def _entitle_benchmark(study: Study, language: str, exhibit: Exhibit) -> str:
    return say(language, "figure.benchmark.title")


def _subtitle_benchmark(study: Study, language: str, exhibit: Exhibit) -> str:
    data = exhibit.data
    periods = sorted(set(data["period"]))
    told = format_period(language, periods[0], periods[-1])
    parts = [
        say(language, "figure.benchmark.subtitle", count=_say_counts(language, data["contributors"]),
            nouns=nouns_of(study, language)[1], period=told),
        say(language, "figure.benchmark.confidential"),
    ]  # fmt: skip
    if exhibit.specification["simulated"]:
        parts.append(say(language, "figure.simulated"))
    return capitalise(join(language, parts, "semicolon"))


_TITLES: dict[str, Said] = {
    "cells panels": _entitle_series,
    "cells pairs": _entitle_series,
    "cells": entitle_cells,
    "path": _entitle_path,
    "forest": entitle_forest,
    "curve": _entitle_curve,
    "benchmark": _entitle_benchmark,
}
_SUBTITLES: dict[str, Said] = {
    "cells": _subtitle_cells,
    "path": _subtitle_path,
    "forest": subtitle_forest,
    "curve": _subtitle_curve,
    "benchmark": _subtitle_benchmark,
}
