"""Words: messages, numbers and the linter of prose, one language at a time.

Logic stays here, words lie in ``locales/<language>.po`` (a message a class of
finding) and ``locales/<language>.verbs.toml`` (the verbs that designs earn). Nothing
here knows a study: callers pass labels and numbers.
"""

from __future__ import annotations

from evidence.language.catalogue import LOCALES, capitalise, messages, say
from evidence.language.linter import (
    STRENGTHS,
    Flaw,
    Strength,
    list_flaws,
    list_numbers,
    refuse,
    strength_of,
    weakest,
)
from evidence.language.numbers import (
    format_amount,
    format_interval,
    format_number,
    name_unit,
    shown_decimals,
)
from evidence.language.prose import check_prose, fill
from evidence.language.territories import find_region, find_territory, suggest_territory
from evidence.language.wording import (
    FIELDS,
    finding_fields,
    format_day,
    word_definition,
    word_finding,
)

__all__ = [
    "FIELDS",
    "LOCALES",
    "STRENGTHS",
    "Flaw",
    "Strength",
    "capitalise",
    "check_prose",
    "fill",
    "find_region",
    "find_territory",
    "finding_fields",
    "format_amount",
    "format_day",
    "format_interval",
    "format_number",
    "list_flaws",
    "list_numbers",
    "messages",
    "name_unit",
    "refuse",
    "say",
    "shown_decimals",
    "strength_of",
    "suggest_territory",
    "weakest",
    "word_definition",
    "word_finding",
]
