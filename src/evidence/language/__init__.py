"""Words: messages, numbers and the linter of prose, one language at a time.

Logic stays here, words lie in ``locales/<language>.po`` (a message a class of
finding) and ``locales/<language>.verbs.toml`` (the verbs that designs earn). Nothing
here knows a study: callers pass labels and numbers.
"""

from __future__ import annotations

from evidence.language.catalogue import LOCALES, capitalise, messages, say
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
    "messages",
    "name_unit",
    "say",
    "shown_decimals",
    "suggest_territory",
    "word_definition",
    "word_finding",
]
