"""Findings laid out as a table: claims, or claims and places, the more numerous as rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from evidence.exhibits.noun import Exhibit
from evidence.exhibits.words import label_row, name_case, words_of
from evidence.language import (
    capitalise,
    format_amount,
    format_interval,
    format_number,
    join,
    name_unit,
    say,
    shown_decimals,
)
from evidence.study import Study, is_planned

Row = list[tuple[str, str, str]]


def lay_findings(study: Study, language: str, exhibit: Exhibit) -> tuple[list[str], list[Row]]:
    """Lay findings out: a row a claim; of several places, claims or places run down.

    Claims run down where they outnumber places, else they are columns, which a page holds
    few of. Claims that were not planned are labelled.

    Returns
    -------
    head : list of str
        Column heads, the first one for the row heads.
    body : list of list of (text, direction, finding)
        Row by row; ``finding`` is the id of the finding that a cell shows, else empty.
    """
    cases, claims = (exhibit.data[name].nunique() for name in ("case", "claim"))
    if cases == 1:
        return _list_claims(study, language, exhibit)
    return _cross_claims(study, language, exhibit, down=claims > cases)


def entitle_findings(language: str, exhibit: Exhibit) -> str:
    """Say in a caption what a table of findings shows; of several places, the unit of all."""
    if exhibit.data["case"].nunique() == 1:
        return say(language, "table.caption")
    caption, unit = say(language, "table.caption_cases"), _shared_unit(exhibit)
    if not unit:
        return caption
    return say(language, "table.with_unit", text=caption, unit=name_unit(language, unit))


def tabulate_findings(
    study: Study, language: str, exhibit: Exhibit
) -> tuple[list[str], list[list[tuple[str, str]]]]:
    """Lay findings out, without the finding behind each cell."""
    head, body = lay_findings(study, language, exhibit)
    return head, [[(text, direction) for text, direction, _ in row] for row in body]


def _list_claims(study: Study, language: str, exhibit: Exhibit) -> tuple[list[str], list[Row]]:
    """List claims; an outcome that they share is told once, in the head."""
    level = format_number(language, 100 * exhibit.specification["conf_level"], decimals=0)
    comparison, outcomes = say(language, "table.comparison"), [say(language, "table.outcome")]
    if exhibit.data["outcome"].nunique() == 1:
        outcome = words_of(study, language, exhibit.rows[0])["outcome"]
        comparison = say(language, "table.claim", exposure=comparison, outcome=outcome)
        outcomes = []
    head = [
        comparison,
        *outcomes,
        say(language, "table.estimate"),
        say(language, "table.interval", conf_level=level),
        _name_entities(study, language, exhibit),
    ]
    rows = [_list_claim(study, language, exhibit, row) for row in exhibit.rows]
    return head, [[row[0], *row[-len(head) + 1 :]] for row in rows]


def _list_claim(study: Study, language: str, exhibit: Exhibit, row: Mapping[str, Any]) -> Row:
    interval = ""
    amount = say(language, "table.not_estimated")
    decimals = shown_decimals(row)
    if not pd.isna(row["estimate"]):
        amount = format_amount(language, row["estimate"], row["unit"], decimals=decimals)
    if not pd.isna(row["conf_low"]):
        interval = format_interval(language, row["conf_low"], row["conf_high"], decimals=decimals)
    label = _mark_unplanned(study, language, row, label_row(study, language, exhibit, row))
    told = [
        (capitalise(words_of(study, language, row)["outcome"]), ""),
        (amount, row["direction"]),
        (interval, row["direction"]),
        (format_number(language, row["n_entities"], decimals=0), ""),
    ]
    return [(label, "", ""), *((*cell, row["finding"]) for cell in told)]


def _cross_claims(
    study: Study, language: str, exhibit: Exhibit, *, down: bool
) -> tuple[list[str], list[Row]]:
    """Lay places by claims; how many entities a place has at least stands with the place."""
    told = {(row["case"], row["claim"]): row for row in exhibit.rows}
    cases = list(dict.fromkeys(exhibit.data["case"]))
    claims = [claim.id for claim in study.claims if (exhibit.data["claim"] == claim.id).any()]
    places = [name_case(study, language, case) for case in cases]
    least = exhibit.data.groupby("case")["n_entities"].min()
    counts = [(format_number(language, least[case], decimals=0), "", "") for case in cases]
    cells = {
        claim: [_cell(language, told.get((case, claim))) for case in cases] for claim in claims
    }
    first = {claim: next(row for row in exhibit.rows if row["claim"] == claim) for claim in claims}
    labels = {claim: _label_claim(study, language, exhibit, first[claim]) for claim in claims}
    entities = _name_entities(study, language, exhibit)
    if down:
        rows = [[(labels[claim], "", ""), *cells[claim]] for claim in claims]
        return [say(language, "table.comparison"), *places], [*rows, [(entities, "", ""), *counts]]
    columns = zip(*(cells[claim] for claim in claims), strict=True)
    rows = [[(place, "", ""), count, *shown]
            for place, count, shown in zip(places, counts, columns, strict=True)]  # fmt: skip
    return [say(language, "table.place"), entities, *labels.values()], rows


def _label_claim(study: Study, language: str, exhibit: Exhibit, row: Mapping[str, Any]) -> str:
    words = words_of(study, language, row)
    label = say(language, "table.claim", **words | {"exposure": capitalise(words["exposure"])})
    if exhibit.data["design"].nunique() > 1:
        label = join(language, [label, say(language, f"design.{row['design']}", **words)], "comma")
    if not _shared_unit(exhibit):
        unit = name_unit(language, row["unit"])
        label = say(language, "table.with_unit", text=label, unit=unit)
    return _mark_unplanned(study, language, row, label)


def _shared_unit(exhibit: Exhibit) -> str:
    units = set(exhibit.data["unit"])
    return str(units.pop()) if len(units) == 1 else ""


def _mark_unplanned(study: Study, language: str, row: Mapping[str, Any], label: str) -> str:
    if is_planned(study, row["claim"]):
        return label
    return say(language, "table.unplanned", text=label)


def _name_entities(study: Study, language: str, exhibit: Exhibit) -> str:
    nouns = words_of(study, language, exhibit.rows[0])["nouns"]
    return say(language, "table.entities", nouns=capitalise(nouns))


def _cell(language: str, row: Mapping[str, Any] | None) -> tuple[str, str, str]:
    if row is None:
        return say(language, "table.not_estimated"), "untested", ""
    if pd.isna(row["conf_low"]):
        return say(language, "table.not_estimated"), row["direction"], row["finding"]
    decimals = shown_decimals(row)
    estimate = format_number(language, row["estimate"], decimals=decimals)
    interval = format_interval(language, row["conf_low"], row["conf_high"], decimals=decimals)
    said = say(language, "table.cell", estimate=estimate, interval=interval)
    return said, row["direction"], row["finding"]
