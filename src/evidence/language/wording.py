"""Findings and definitions become sentences; findings become fields of placeholders."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from babel.dates import format_date

from evidence.language.catalogue import capitalise, join, say
from evidence.language.numbers import (
    decimals_of,
    format_amount,
    format_interval,
    format_number,
    format_plain,
    name_step,
    shown_decimals,
    unit_key,
)

_WHOLE = 3
_DATED = {"en": "en_001"}
"""Locale of dates where it is not the language's own: the ILO writes 1 June 2018."""


def word_finding(
    language: str, part: str, entry: Mapping[str, Any], words: Mapping[str, str]
) -> str:
    """Word a finding or a comparison of findings.

    Parameters
    ----------
    part : {"sentence", "title"}
        The message family.
    entry : mapping
        An entry of ``findings.json``.
    words : mapping
        ``outcome, exposure, noun, nouns`` in the language; ``step``, what a further unit of
        the exposure is, and ``scale``, a sentence on the ends of the outcome's score.
    """
    values = {"step": name_step(language, ""), **words, **finding_fields(language, entry)}
    scale = words.get("scale", "") if part == "sentence" and "size" in values else ""
    if entry["kind"] == "comparison":
        message = f"{part}.comparison.{entry['wording']}.{entry['direction']}"
        return join(language, [capitalise(say(language, message, **values)), scale], "sentence")
    message = f"{part}.{entry['wording']}.{entry['direction']}.{entry['contrast']}"
    told = capitalise(say(language, message, **values))
    items = _word_items(language, entry, words) if part == "sentence" else ""
    return join(language, [told, items, scale], "sentence")


def _word_items(language: str, entry: Mapping[str, Any], words: Mapping[str, str]) -> str:
    """Say a difference of a share of questions in questions of an assessment."""
    asked = entry["definition"].get("asked", "")
    told = entry["direction"] in {"decrease", "increase"} and not entry["moderator"]
    if not asked or not told or entry["unit"] != "percentage points":
        return ""
    count = abs(entry["estimate"]) / 100 * float(asked)
    decimals = 0 if count >= _WHOLE else 1
    number = format_number(language, count, decimals=decimals)
    whole = format_number(language, float(asked), decimals=0)
    return say(language, "natural.questions", number=number, asked=whole, **words)


def word_definition(language: str, definition: Mapping[str, str], words: Mapping[str, str]) -> str:
    """Word how a compliance outcome is counted.

    Parameters
    ----------
    definition : mapping
        ``counted, part, law, items, day``, as in ``findings.json``.
    words : mapping
        ``outcome``, ``noun`` and, where a part is counted, ``part`` in the language.
    """
    counted = say(language, f"definition.{definition['counted']}", **words)
    law = "fixed_on" if definition["day"] else definition["law"]
    return say(
        language,
        "definition",
        outcome=capitalise(words["outcome"]),
        counted=counted,
        law=say(language, f"definition.law.{law}", day=format_day(language, definition["day"])),
        items=say(language, f"definition.items.{definition['items']}"),
    )


def format_day(language: str, day: str) -> str:
    """Format a day (ISO 8601) as the language writes dates in full; empty stays empty."""
    if not day:
        return ""
    style = _DATED.get(language, language)
    return format_plain(language, format_date(date.fromisoformat(day), "long", locale=style))


def finding_fields(language: str, entry: Mapping[str, Any]) -> dict[str, str]:
    """Format every number of a finding: what a placeholder may ask for."""
    fields = {
        "conf_level": format_number(language, 100 * entry["conf_level"], decimals=0),
        "first_period": format_plain(language, entry["first_period"]),
        "last_period": format_plain(language, entry["last_period"]),
    }
    for name in ("nobs", "n_entities", "n_clusters", "n_periods", "n_cases", "n_decrease",
                 "n_increase", "n_unclear"):  # fmt: skip
        if entry.get(name) is not None:
            fields[name] = format_number(language, entry[name], decimals=0)
    if entry.get("family"):
        fields["n_tests"] = format_number(language, entry["family"]["n_tests"], decimals=0)
    if entry.get("within_share") is not None:
        fields["within_share"] = format_number(language, entry["within_share"], decimals=2)
    if entry.get("estimate") is not None:
        unit, decimals = entry["unit"], shown_decimals(entry)
        fields["estimate"] = format_amount(language, entry["estimate"], unit, decimals=decimals)
        fields["size"] = format_amount(language, abs(entry["estimate"]), unit, decimals=decimals)
    if entry.get("least") is not None:
        fields["sizes"] = _format_sizes(language, entry)
    if entry.get("conf_low") is not None:
        low, high = entry["conf_low"], entry["conf_high"]
        fields["interval"] = format_interval(language, low, high, decimals=decimals)
        fields["conf_low"] = format_amount(language, low, unit, decimals=decimals)
        fields["conf_high"] = format_amount(language, high, unit, decimals=decimals)
    return fields


FIELDS = (
    "estimate", "size", "sizes", "interval", "conf_low", "conf_high", "conf_level", "nobs",
    "n_entities", "n_clusters", "n_periods", "n_cases", "n_decrease", "n_increase",
    "n_unclear", "first_period", "last_period", "within_share", "n_tests",
)  # fmt: skip
"""What a placeholder may ask of a claim; a claim may lack some of them."""


def _format_sizes(language: str, entry: Mapping[str, Any]) -> str:
    decimals = decimals_of(entry["least"])
    least, most = (
        format_number(language, entry[end], decimals=decimals) for end in ("least", "most")
    )
    if least == most:
        return format_amount(language, entry["least"], entry["unit"], decimals=decimals)
    number = say(language, "interval", low=least, high=most)
    amount = say(language, f"amount.{unit_key(entry['unit'])}", number=number, unit=entry["unit"])
    return amount.replace(" ", "\N{NO-BREAK SPACE}")
