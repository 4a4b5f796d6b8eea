"""Words: messages, numbers and the linter of prose, one language at a time.

Logic stays here, words lie in ``locales/<language>.po`` (a message a class of
finding) and ``locales/<language>.verbs.toml`` (the verbs that designs earn). Nothing
here knows a study: callers pass labels and numbers.
"""

from __future__ import annotations

from evidence.language.advice import check_advice
from evidence.language.catalogue import LANGUAGES, LOCALES, capitalise, join, messages, say
from evidence.language.glossary import Term, read_glossary
from evidence.language.linter import (
    STRENGTHS,
    Flaw,
    list_flaws,
    list_numbers,
    refuse,
    strength_of,
    weakest,
)
from evidence.language.lists import Strength
from evidence.language.numbers import (
    format_amount,
    format_interval,
    format_number,
    format_period,
    format_plain,
    name_step,
    name_unit,
    shown_decimals,
    tell_scale,
)
from evidence.language.prose import check_prose, fill
from evidence.language.review import INTERNAL, hash_messages, is_reviewed, list_unreviewed
from evidence.language.territories import (
    find_region,
    find_territory,
    name_territory,
    suggest_territory,
)
from evidence.language.wording import (
    FIELDS,
    finding_fields,
    format_day,
    word_definition,
    word_finding,
)

__all__ = [
    "FIELDS",
    "INTERNAL",
    "LANGUAGES",
    "LOCALES",
    "STRENGTHS",
    "Flaw",
    "Strength",
    "Term",
    "capitalise",
    "check_advice",
    "check_prose",
    "fill",
    "find_region",
    "find_territory",
    "finding_fields",
    "format_amount",
    "format_day",
    "format_interval",
    "format_number",
    "format_period",
    "format_plain",
    "hash_messages",
    "is_reviewed",
    "join",
    "list_flaws",
    "list_numbers",
    "list_unreviewed",
    "messages",
    "name_step",
    "name_territory",
    "name_unit",
    "read_glossary",
    "refuse",
    "say",
    "shown_decimals",
    "strength_of",
    "suggest_territory",
    "tell_scale",
    "weakest",
    "word_definition",
    "word_finding",
]
