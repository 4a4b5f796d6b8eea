"""The card beside a brief: what the portal tells of it, and the names of its files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from evidence.brief.blocks import list_items
from evidence.brief.told import carrying_finding, entries_of, is_found, say_entry
from evidence.disclosure import Cleared
from evidence.language import is_reviewed

_KEYS = ("slug", "language", "audience", "title", "question", "simulated", "grade",
         "state", "edition", "date", "withdrawn")  # fmt: skip


def write_card(
    stem: str,
    model: Mapping[str, Any],
    files: Iterable[str],
    lines: Iterable[str],
    findings: Iterable[Mapping[str, Any]] = (),
) -> dict[str, bytes]:
    """Write a version's card: file name → bytes.

    Parameters
    ----------
    lines : iterable of str
        The programme's lines that the study belongs to.
    findings : iterable of mapping
        As ``list_claims`` gives them; none of a withdrawn edition.
    """
    items = list_items(model, "messages")
    card = {key: model[key] for key in _KEYS} | model["topics"]
    card |= {
        "messages": [item["text"] for item in items],
        "claims": [item["claim"] for item in items],
        "reviewed": is_reviewed(model["language"]),
        "lines": list(lines),
        "findings": list(findings),
        "formats": {_name_format(name): name for name in files},
    }
    told = json.dumps(card, indent=1, ensure_ascii=False) + "\n"
    return {f"{stem}.json": told.encode("utf-8")}


def list_claims(cleared: Cleared, language: str) -> list[dict[str, Any]]:
    """List every claim of a study.

    Role, whether it finds anything, sentence, grade, count of cases, rows (``nobs``).
    """
    study = cleared.study
    specifications = {claim.id: claim.specification for claim in study.claims}
    return [
        {
            "claim": entry["claim"],
            "role": study.specification(specifications[entry["claim"]]).role,
            "found": is_found(entry),
            "sentence": say_entry(cleared, language, entry),
            "grade": carrying_finding(cleared, entry)["grade"]["label"],
            "n_cases": entry.get("n_cases", 1),
            "nobs": entry["nobs"],
        }
        for entry in entries_of(cleared)
    ]


def _name_format(name: str) -> str:
    """Name what a file is: by its ending, or by its kind where several end alike."""
    kind = name.partition(".")[0]
    return kind if kind in {"slides", "technical"} else Path(name).suffix.removeprefix(".")
