"""Exhibits in words: labels, alternative text, laid-out tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from evidence.exhibits.noun import Exhibit
from evidence.findings import Finding, as_entry
from evidence.language import (
    capitalise,
    format_amount,
    format_interval,
    format_number,
    name_unit,
    say,
    shown_decimals,
    word_finding,
)
from evidence.study import Study

_ALT = {"unclear": "untold", "unproven": "thin"}


def words_of(study: Study, language: str, row: Mapping[str, Any]) -> dict[str, str]:
    """Collect a row's labels in a language: outcome, exposure, moderator, noun, nouns."""
    one, many = study.entity.noun.get(language, (study.entity.name, study.entity.name))
    return {
        "outcome": _label(study, language, row["outcome"]),
        "exposure": _label(study, language, row["exposure"]),
        "moderator": _label(study, language, row["moderator"]) if row["moderator"] else "",
        "noun": one,
        "nouns": many,
    }


def label_row(study: Study, language: str, exhibit: Exhibit, row: Mapping[str, Any]) -> str:
    """Label a row by what tells it from its neighbours: place, exposure, design.

    A table names the exposure in any case, a figure has it in its title.
    """
    words = words_of(study, language, row)
    differs = {name: exhibit.data[name].nunique() > 1 for name in ("case", "exposure", "design")}
    parts = []
    if differs["case"]:
        parts.append(_case_label(study, language, row["case"]))
    if differs["exposure"] or exhibit.specification["kind"] == "findings":
        parts.append(words["exposure"])
    if words["moderator"]:
        parts.append(say(language, "table.moderator", **words))
    if differs["design"]:
        parts.append(say(language, f"design.{row['design']}", **words))
    return capitalise(", ".join(parts or [words["exposure"]]))


def describe(study: Study, language: str, exhibit: Exhibit) -> str:
    """Write the alternative text of a figure from the numbers that it shows."""
    first = exhibit.rows[0]
    unit = name_unit(language, first["unit"])
    words = words_of(study, language, first)
    told = [say(language, "alt.intro", outcome=words["outcome"], unit=unit)]
    for row in exhibit.rows:
        decimals = shown_decimals(row)
        estimate = format_number(language, row["estimate"], decimals=decimals)
        if pd.isna(row["conf_low"]):
            continue
        interval = format_interval(language, row["conf_low"], row["conf_high"], decimals=decimals)
        kind = _ALT.get(row["direction"], "told")
        label = label_row(study, language, exhibit, row)
        told.append(say(language, f"alt.{kind}", label=label, estimate=estimate, interval=interval))
    return " ".join(told)


def tabulate(
    study: Study, language: str, exhibit: Exhibit
) -> tuple[list[str], list[list[tuple[str, str]]]]:
    """Lay a table out in a language.

    Returns
    -------
    head : list of str
        Column heads, the first one for the row heads.
    body : list of list of (text, direction)
        Row by row; ``direction`` is empty for cells that are no estimate.
    """
    several = exhibit.data["case"].nunique() > 1
    return (_tabulate_cases if several else _tabulate_claims)(study, language, exhibit)


def say_findings(findings: tuple[Finding, ...], study: Study, language: str = "en") -> pd.DataFrame:
    """Say each finding in a sentence, for the reader of a notebook.

    Returns
    -------
    DataFrame
        Index ``claim``; columns ``sentence``, ``certainty``.
    """
    rows = []
    for finding in findings:
        entry = as_entry(finding)
        sentence = word_finding(language, "sentence", entry, words_of(study, language, entry))
        certainty = say(language, f"grade.{finding.grade.label}")
        rows.append((finding.claim, sentence, certainty))
    return pd.DataFrame(rows, columns=["claim", "sentence", "certainty"]).set_index("claim")


def _label(study: Study, language: str, name: str) -> str:
    return study.variable(name).label.get(language, name.replace("_", " "))


def _case_label(study: Study, language: str, case: str) -> str:
    found = next((c for c in study.cases if c.id == case), None)
    return found.label.get(language, case) if found else case


def _tabulate_claims(
    study: Study, language: str, exhibit: Exhibit
) -> tuple[list[str], list[list[tuple[str, str]]]]:
    level = format_number(language, 100 * exhibit.specification["conf_level"], decimals=0)
    nouns = capitalise(words_of(study, language, exhibit.rows[0])["nouns"])
    head = [
        say(language, "table.comparison"),
        say(language, "table.outcome"),
        say(language, "table.estimate"),
        say(language, "table.interval", conf_level=level),
        say(language, "table.entities", nouns=nouns),
    ]
    body = []
    for row in exhibit.rows:
        words = words_of(study, language, row)
        interval = ""
        amount = say(language, "table.not_estimated")
        if not pd.isna(row["estimate"]):
            decimals = shown_decimals(row)
            amount = format_amount(language, row["estimate"], row["unit"], decimals=decimals)
        if not pd.isna(row["conf_low"]):
            ends = row["conf_low"], row["conf_high"]
            interval = format_interval(language, *ends, decimals=decimals)
        count = format_number(language, row["n_entities"], decimals=0)
        body.append(
            [
                (label_row(study, language, exhibit, row), ""),
                (capitalise(words["outcome"]), ""),
                (amount, row["direction"]),
                (interval, row["direction"]),
                (count, ""),
            ]
        )
    return head, body


def _tabulate_cases(
    study: Study, language: str, exhibit: Exhibit
) -> tuple[list[str], list[list[tuple[str, str]]]]:
    data = exhibit.data
    claims = list(dict.fromkeys(data["claim"]))
    heads = []
    for claim in claims:
        first = next(row for row in exhibit.rows if row["claim"] == claim)
        words = {k: capitalise(v) for k, v in words_of(study, language, first).items()}
        words["outcome"] = words_of(study, language, first)["outcome"]
        unit = name_unit(language, first["unit"])
        heads.append(f"{say(language, 'table.claim', **words)} ({unit})")
    nouns = capitalise(words_of(study, language, exhibit.rows[0])["nouns"])
    head = [say(language, "table.place"), say(language, "table.entities", nouns=nouns), *heads]
    body = []
    for case in dict.fromkeys(data["case"]):
        told = {row["claim"]: row for row in exhibit.rows if row["case"] == case}
        cells = [_cell(language, told[claim]) for claim in claims]
        least = min(row["n_entities"] for row in told.values())
        count = format_number(language, least, decimals=0)
        body.append([(_case_label(study, language, case), ""), (count, ""), *cells])
    return head, body


def _cell(language: str, row: Mapping[str, Any]) -> tuple[str, str]:
    if pd.isna(row["conf_low"]):
        return say(language, "table.not_estimated"), row["direction"]
    decimals = shown_decimals(row)
    estimate = format_number(language, row["estimate"], decimals=decimals)
    interval = format_interval(language, row["conf_low"], row["conf_high"], decimals=decimals)
    return f"{estimate} ({interval})", row["direction"]
