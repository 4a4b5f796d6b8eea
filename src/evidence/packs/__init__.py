"""What differs between places, as data: countries, sectors, questionnaires, laws, events.

A pack is a TOML file under ``data/``; adding India or a new tool version adds a file
or a table in one, and no code.
"""

from __future__ import annotations

from evidence.packs.load import (
    hash_packs,
    list_packs,
    list_registry,
    load_country,
    load_events,
    load_law,
    load_questionnaire,
    load_sector,
    read_pack,
    start_of,
)
from evidence.packs.sections import (
    STEPS,
    Asked,
    Cluster,
    Country,
    Dating,
    Figure,
    Index,
    Law,
    LawVersion,
    Pair,
    Point,
    PolicyEvent,
    Question,
    Questionnaire,
    Ratio,
    Rule,
    Sector,
    Slug,
    Version,
    Words,
)

__all__ = [
    "STEPS",
    "Asked",
    "Cluster",
    "Country",
    "Dating",
    "Figure",
    "Index",
    "Law",
    "LawVersion",
    "Pair",
    "Point",
    "PolicyEvent",
    "Question",
    "Questionnaire",
    "Ratio",
    "Rule",
    "Sector",
    "Slug",
    "Version",
    "Words",
    "hash_packs",
    "list_packs",
    "list_registry",
    "load_country",
    "load_events",
    "load_law",
    "load_questionnaire",
    "load_sector",
    "read_pack",
    "start_of",
]
