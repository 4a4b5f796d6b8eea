"""Sentences of every class of finding with sample numbers, in each language.

Renew the golden files after a deliberate change of words, and read the difference:
``PYTHONPATH=src:tests python tests/sentences.py``.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evidence.language import (
    LANGUAGES,
    finding_fields,
    format_interval,
    format_number,
    messages,
    name_step,
    say,
    tell_scale,
    word_finding,
)
from evidence.study import load_study

ROOT = Path(__file__).parents[1]
GOLDEN = Path(__file__).parent / "references"
WORDINGS = ("pooled", "between", "random", "within", "instrument", "moderated")
DIRECTIONS = ("decrease", "increase", "unclear", "unproven", "untested", "refused")
CONTRASTS = ("indicator", "unit")
PARTS = ("sentence", "title")
ENTRY: dict[str, Any] = {
    "kind": "finding",
    "design": "within",
    "moderator": "",
    "definition": {},
    "estimate": -22.3,
    "conf_low": -1041.75,
    "conf_high": 1203456.25,
    "conf_level": 0.95,
    "unit": "percent",
    "nobs": 123456,
    "n_entities": 5400,
    "n_clusters": 54,
    "n_periods": 3,
    "first_period": 1987,
    "last_period": 1989,
    "within_share": 0.8,
}
COMPARISON: dict[str, Any] = {
    **{key: ENTRY[key] for key in ("moderator", "definition", "conf_level", "unit")},
    "kind": "comparison",
    "contrast": "indicator",
    "n_cases": 7,
    "n_decrease": 4,
    "n_increase": 1,
    "n_unclear": 2,
    "least": 1.25,
    "most": 12345.5,
    "nobs": 123456,
    "n_entities": 5400,
    "first_period": 1987,
    "last_period": 1989,
}


def sample_words(language: str) -> dict[str, str]:
    """Take the words of the study of value chains, as its brief does."""
    study = load_study(ROOT / "notebooks/studies/value_chains.toml")
    noun, nouns = study.entity.noun[language]
    labels = {
        "outcome": "noncompliance",
        "exposure": "committee",
        "moderator": "grievance",
    }
    told = {key: study.variable(name).label[language] for key, name in labels.items()}
    return {**told, "noun": noun, "nouns": nouns}


def entries() -> Iterator[tuple[str, dict[str, Any]]]:
    """Go through a sample entry of every class that has a message: name, entry."""
    known = messages("en")
    wordings = (*WORDINGS, "adoption")
    for wording, direction, contrast in itertools.product(wordings, DIRECTIONS, CONTRASTS):
        name = f"{wording}.{direction}.{contrast}"
        if f"sentence.{name}" in known:
            yield name, _shaped(wording, direction, contrast)
    for wording, direction in itertools.product(wordings, DIRECTIONS[:3]):
        if f"sentence.comparison.{wording}.{direction}" in known:
            kind = {"wording": wording, "direction": direction}
            yield f"comparison.{wording}.{direction}", {**COMPARISON, **kind}


def _shaped(wording: str, direction: str, contrast: str) -> dict[str, Any]:
    entry = {**ENTRY, "wording": wording, "direction": direction, "contrast": contrast}
    entry["estimate"] = abs(ENTRY["estimate"]) * (-1 if direction == "decrease" else 1)
    if direction in {"untested", "refused"}:
        entry |= {"conf_low": None, "conf_high": None}
    return entry | ({"estimate": None} if direction == "refused" else {})


def sentences(language: str) -> dict[str, str]:
    """Word every class in a language, with the texts under figures and tables."""
    words = sample_words(language)
    told = {
        f"{part}.{name}": word_finding(language, part, entry, words)
        for name, entry in entries()
        for part in PARTS
    }
    asked = _shaped("within", "decrease", "indicator") | {
        "estimate": -3.1, "conf_low": -4.2, "conf_high": -2.0, "unit": "percentage points",
        "definition": {"asked": "250"},
    }  # fmt: skip
    told["sentence.within.decrease.questions"] = word_finding(language, "sentence", asked, words)
    told |= _scored(language, words)
    level = format_number(language, 95, decimals=0)
    values = {
        **words,
        **finding_fields(language, ENTRY | {"wording": "within", "direction": "decrease"}),
        "label": words["exposure"],
        "estimate": format_number(language, -22.3),
        "interval": format_interval(language, -1041.75, -3.5, decimals=2),
        "conf_level": level,
        "unit": say(language, "unit.percent"),
        "unit_capital": say(language, "unit.percent"),
        "citation": "…",
        "low": format_number(language, 1234.5),
        "high": format_number(language, 123456.5),
    }
    for name in ("alt.intro", "alt.told", "alt.untold", "alt.thin", "table.interval",
                 "table.note", "figure.subtitle", "brief.source_line", "cells.between"):  # fmt: skip
        told[name] = say(language, name, **values)
    return told


def _scored(language: str, words: dict[str, str]) -> dict[str, str]:
    """Word differences of a score a percentage point, on scales of both directions."""
    numbers = {"estimate": -0.0276, "conf_low": -0.0491, "conf_high": -0.0061, "unit": "score"}
    told = {}
    for direction, best, worst in (("decrease", 0, 10), ("unclear", 0, 10), ("increase", 7, 1)):
        scale = tell_scale(language, best=best, worst=worst)
        own = {**words, "step": name_step(language, "percent"), "scale": scale}
        for wording in ("pooled", "within"):
            entry = {**_shaped(wording, direction, "unit"), **numbers}
            name = f"sentence.{wording}.{direction}.score"
            told[name] = word_finding(language, "sentence", entry, own)
    told["caution.ranking"] = say(language, "caution.ranking", **words)
    return told


def strip_joiners(text: str) -> str:
    """Take out what keeps a text on one line."""
    return re.sub("[\u2060\u200b]", "", text).replace("\u00a0", " ").replace("\u202f", " ")


if __name__ == "__main__":
    for code in LANGUAGES:
        text = json.dumps(sentences(code), indent=1, ensure_ascii=False) + "\n"
        (GOLDEN / f"sentences.{code}.json").write_text(text, encoding="utf-8")
