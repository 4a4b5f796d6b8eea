"""The words of the annex's rows."""

from __future__ import annotations

from typing import Any

import pandas as pd

from evidence.disclosure import WITHHELD
from evidence.exhibits import name_case
from evidence.language import messages, say
from evidence.study import Study

_UNITS = {"log points": "annex.unit.log_points", "share": "annex.unit.share"}


def name_place(study: Study, language: str, case: str) -> str:
    """Name a case by its country and sector; by its id where it is no place."""
    placed = any(known.id == case and known.values for known in study.cases)
    return name_case(study, language, case) if placed else case


def name_variable(study: Study, language: str, name: str) -> str:
    """Label a variable; a term that is none, or has no label, keeps its own name."""
    found = {variable.name: variable.label for variable in study.variables}
    return found.get(name, {}).get(language, name)


def name_role(language: str, role: str) -> str:
    """Say what a specification is for."""
    return say(language, f"annex.role.{role}")


def name_scale(language: str, unit: str) -> str:
    """Name the unit in which an estimate stands, before it is put into per cent."""
    key = _UNITS.get(unit, f"unit.{unit}")
    return say(language, key) if key in messages(language) else unit


def word_reason(language: str, reason: Any) -> str:
    """Say why a row has no number, or what is to be known of it.

    Reasons are the estimators' own, in English; other languages lead to the CSV.
    """
    if pd.isna(reason) or not reason:
        return ""
    if reason == WITHHELD:
        return say(language, "annex.withheld")
    return str(reason) if language == "en" else say(language, "annex.see")
