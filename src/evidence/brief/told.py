"""What a cleared neck says, in the order of the study."""

from __future__ import annotations

import functools
from typing import Any

from evidence.disclosure import Cleared
from evidence.exhibits import Exhibit, list_figures, words_of
from evidence.language import say, word_finding
from evidence.study import is_planned

MOST_MESSAGES = 4


def entries_of(cleared: Cleared) -> list[dict[str, Any]]:
    """Find one entry a claim, in the study's order: its comparison, else its finding."""
    found = []
    for claim in cleared.study.claims:
        group = [e for e in cleared.neck.findings if e["claim"] == claim.id]
        comparisons = [e for e in group if e["kind"] == "comparison"]
        found += (comparisons or group)[:1]
    return found


def say_entry(
    cleared: Cleared, language: str, entry: dict[str, Any], *, scaled: bool = True
) -> str:
    """Say an entry as a key message does: its sentence, marked where it was not planned.

    ``scaled`` adds which end of a score is the better one.
    """
    words = words_of(cleared.study, language, entry)
    told = words if scaled else {**words, "scale": ""}
    said = word_finding(language, "sentence", entry, told)
    if is_planned(cleared.study, entry["claim"]):
        return said
    return say(language, "brief.unplanned", text=said)


def is_found(entry: dict[str, Any]) -> bool:
    """Tell whether an entry finds a difference, of whatever size."""
    return entry["direction"] in {"decrease", "increase"}


def lead_finding(cleared: Cleared) -> dict[str, Any]:
    """Find what the first message rests on: of the findings that say it, the weakest."""
    return carrying_finding(cleared, entries_of(cleared)[0])


def carrying_finding(cleared: Cleared, entry: dict[str, Any]) -> dict[str, Any]:
    """Find what an entry rests on: of the findings that say it, the weakest."""
    findings = [e for e in cleared.neck.findings if e["kind"] == "finding"]
    group = [e for e in findings if e["claim"] == entry["claim"]]
    saying = [e for e in group if e["direction"] == entry["direction"]]
    return min(saying or group, key=lambda e: e["grade"]["level"])


@functools.lru_cache(maxsize=8)
def figures_of(cleared: Cleared) -> tuple[Exhibit, ...]:
    """List the figures of a neck, those of several tables put together."""
    return list_figures(cleared.neck.exhibits)
