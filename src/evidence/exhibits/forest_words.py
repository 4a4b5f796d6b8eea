"""Forests in words: labels of their rows, title, subtitle, alternative text, table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from evidence.errors import StudyError
from evidence.exhibits.forest import FURTHER_PLACE
from evidence.exhibits.noun import Exhibit
from evidence.exhibits.words import is_clear_of_zero, is_simulated, words_of
from evidence.language import (
    capitalise,
    format_interval,
    format_number,
    join,
    name_unit,
    say,
    shown_decimals,
)
from evidence.packs import Country, Sector, load_country, load_sector
from evidence.study import Study, label_of, names_of_case


def list_marked(exhibit: Exhibit) -> list[dict[str, Any]]:
    """List the rows with how they are drawn: ``direction`` and ``mark`` (dot, mean, range)."""
    pools = {row["specification"] for row in exhibit.rows if row["place"]}
    return [_mark(row, pooled=row["specification"] in pools) for row in exhibit.rows]


def _mark(row: dict[str, Any], *, pooled: bool) -> dict[str, Any]:
    way = "decrease" if row["estimate"] < 0 else "increase"
    kinds = {"": "mean" if pooled else "dot", FURTHER_PLACE: "range"}
    return {
        **row,
        "direction": way if is_clear_of_zero(row) else "unclear",
        "mark": kinds.get(row["place"], "dot"),
        "reference": None,
    }


def list_places_of(exhibit: Exhibit) -> list[dict[str, Any]]:
    """List the rows of places."""
    return [row for row in list_marked(exhibit) if row["place"] not in {"", FURTHER_PLACE}]


def find_place(study: Study, place: str) -> tuple[Country, Sector] | None:
    """Find the packs that a place is named by, such as ``BGD-garment``; None for other names."""
    iso3, _, sector = place.partition("-")
    try:
        return load_country(study.root, iso3), load_sector(study.root, sector)
    except StudyError:
        return None


def label_forest(study: Study, language: str, exhibit: Exhibit, row: Mapping[str, Any]) -> str:
    """Label a row by its place, or by what tells its specification from the others."""
    several = exhibit.data["case"].nunique() > 1
    parts = list(names_of_case(study, language, row["case"])) if several else []
    if row["mark"] == "range":
        parts.append(say(language, "forest.further"))
    elif row["mark"] == "mean":
        parts.append(say(language, "forest.average"))
    elif row["place"]:
        packs = find_place(study, row["place"])
        named = [row["place"]] if packs is None else [pack.name[language] for pack in packs]
        parts.append(join(language, named, "comma"))
    else:
        parts.append(label_of(study, language, row["exposure"]))
        if row["estimator"] != _find_usual(exhibit):
            parts.append(say(language, f"trail.estimator.{row['estimator']}"))
    return capitalise(join(language, parts, "comma"))


def _find_usual(exhibit: Exhibit) -> str:
    """Find the estimator of the first row, which the subtitle names."""
    return str(exhibit.data["estimator"].iloc[0])


def say_amount(language: str, row: Mapping[str, Any]) -> str:
    """Say the number of a row: its estimate, or the ends of a range."""
    decimals = shown_decimals(row)
    if row["mark"] == "range":
        return format_interval(language, row["conf_low"], row["conf_high"], decimals=decimals)
    return format_number(language, row["estimate"], decimals=decimals, signed=True)


def entitle_forest(study: Study, language: str, exhibit: Exhibit) -> str:
    """Say in how many places, or specifications, a difference can be told, and which way.

    A map stands beside the rows of its places, whose title has said it.
    """
    rows = list_places_of(exhibit) or list_marked(exhibit)
    ways = [row["direction"] for row in rows]
    lower, higher = ways.count("decrease"), ways.count("increase")
    words = words_of(study, language, {"moderator": "", **rows[0]})
    words |= {"outcome_capital": capitalise(words["outcome"])}
    counts = {"lower": lower, "higher": higher, "all": len(rows), "count": lower + higher}
    told = {key: format_number(language, n, decimals=0) for key, n in counts.items()}
    if not list_places_of(exhibit):
        message = "figure.told.several" if lower + higher else "figure.title_several"
        return say(language, message, **words, **told)
    way = "mixed" if lower and higher else "lower" if lower else "higher"
    neutral = exhibit.form == "map" or not lower + higher
    return say(language, f"forest.places.{'none' if neutral else way}", **words, **told)


def subtitle_forest(study: Study, language: str, exhibit: Exhibit) -> str:
    """Say unit, entities, marks, what the range is and what the average, and the usual method."""
    rows = list_marked(exhibit)
    level = format_number(language, 100 * exhibit.specification["conf_level"], decimals=0)
    count = format_number(language, int(exhibit.data["n_entities"].max()), decimals=0)
    nouns = words_of(study, language, {"moderator": "", **rows[0]})["nouns"]
    marks = "map" if exhibit.form == "map" else "rows"
    parts = [
        capitalise(name_unit(language, rows[0]["unit"])),
        say(language, "figure.entities", count=count, nouns=nouns),
        say(language, f"figure.marks.{marks}", conf_level=level),
    ]
    parts += [
        say(language, f"forest.marks.{row['mark']}.{marks}", conf_level=level,
            value=say_amount(language, row))
        for row in rows
        if row["mark"] != "dot"
    ]  # fmt: skip
    if exhibit.data["estimator"].nunique() > 1:
        method = say(language, f"trail.estimator.{_find_usual(exhibit)}")
        parts.append(say(language, "forest.usual", method=method))
    if is_simulated(study):
        parts.append(say(language, "figure.simulated"))
    return join(language, parts, "semicolon")


def describe_forest(study: Study, language: str, exhibit: Exhibit) -> str:
    """Tell every estimate, which intervals include no difference, and the range."""
    rows = list_marked(exhibit)
    words = words_of(study, language, {"moderator": "", **rows[0]})
    message = "alt.map_findings" if exhibit.form == "map" else "alt.intro"
    unit = name_unit(language, rows[0]["unit"])
    told = [say(language, message, outcome=words["outcome"], unit=unit)]
    told += [_describe_row(study, language, exhibit, row) for row in rows]
    return join(language, told, "sentence")


def _describe_row(study: Study, language: str, exhibit: Exhibit, row: Mapping[str, Any]) -> str:
    label = label_forest(study, language, exhibit, row)
    if row["mark"] == "range":
        return say(language, "alt.value", label=label, value=say_amount(language, row))
    decimals = shown_decimals(row)
    estimate = format_number(language, row["estimate"], decimals=decimals)
    low, high = row["conf_low"], row["conf_high"]
    if pd.isna(low):
        return say(language, "alt.alone", label=label, estimate=estimate)
    interval = format_interval(language, low, high, decimals=decimals)
    kind = "untold" if row["direction"] == "unclear" else "told"
    return say(language, f"alt.{kind}", label=label, estimate=estimate, interval=interval)


def tabulate_forest(
    study: Study, language: str, exhibit: Exhibit
) -> tuple[list[str], list[list[tuple[str, str]]]]:
    """Lay a forest out: a row an estimate; that of a range has no estimate of its own."""
    rows = list_marked(exhibit)
    first = {"moderator": "", **rows[0]}
    level = format_number(language, 100 * exhibit.specification["conf_level"], decimals=0)
    places = any(row["place"] for row in rows)
    unit = name_unit(language, first["unit"])
    nouns = capitalise(words_of(study, language, first)["nouns"])
    head = [
        say(language, "table.place" if places else "table.comparison"),
        say(language, "table.with_unit", text=say(language, "table.estimate"), unit=unit),
        say(language, "table.interval", conf_level=level),
        say(language, "table.entities", nouns=nouns),
    ]
    return head, [_lay_row(study, language, exhibit, row) for row in rows]


def _lay_row(
    study: Study, language: str, exhibit: Exhibit, row: Mapping[str, Any]
) -> list[tuple[str, str]]:
    decimals, way = shown_decimals(row), row["direction"]
    ranged, interval = row["mark"] == "range", ""
    if not pd.isna(row["conf_low"]):
        interval = format_interval(language, row["conf_low"], row["conf_high"], decimals=decimals)
    estimate = "" if ranged else format_number(language, row["estimate"], decimals=decimals)
    return [
        (label_forest(study, language, exhibit, row), ""),
        (estimate, "" if ranged else way),
        (interval, "" if ranged else way),
        (format_number(language, row["n_entities"], decimals=0), ""),
    ]
