"""Who reads: the order and the length of a brief for each kind of reader.

Findings and numbers are the same for all.
"""

from __future__ import annotations

from typing import Any

_ORDER = {
    "government": (
        "messages", "advice", "background", "evidence", "certainty", "how", "limits", "plan",
    ),
    "workers": (
        "messages", "background", "advice", "evidence", "certainty", "limits", "how", "plan",
    ),
    "employers": (
        "messages", "evidence", "advice", "certainty", "how", "limits", "background", "plan",
    ),
    "buyers": (
        "messages", "advice", "evidence", "certainty", "limits", "how", "background", "plan",
    ),
    "public": (
        "background", "messages", "evidence", "certainty", "limits", "advice", "how", "plan",
    ),
    "technical": (
        "messages", "background", "evidence", "certainty", "how", "limits", "plan", "advice",
    ),
}  # fmt: skip
AT_THE_END = ("replies", "source", "trail", "imprint")
_WHOLE = {"government", "technical"}
"""Readers who get every table and everybody's advice; the others get the figures with
their numbers, and their own."""


def arrange(sections: dict[str, dict[str, Any]], audience: str) -> list[dict[str, Any]]:
    """Choose and order the sections for a reader; empty ones are left out."""
    order = (*_ORDER[audience], *AT_THE_END)
    chosen = [sections[name] for name in order if name in sections]
    return [part for part in chosen if part["blocks"]]


def shows_whole(audience: str) -> bool:
    """Tell whether a reader gets every table and the advice to everybody."""
    return audience in _WHOLE
