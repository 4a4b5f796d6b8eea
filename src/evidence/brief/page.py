"""Write a study's brief under ``reports/public/``: cleared, scanned, renamed."""

from __future__ import annotations

import json
from pathlib import Path

from evidence.brief.exporter import BriefExporter
from evidence.brief.model import check_text
from evidence.disclosure import Cleared, scan_bytes
from evidence.neck import replace_file

__all__ = ["check_text", "write_brief"]

_CARD = ("slug", "language", "title", "question", "simulated", "messages", "grade")


def write_brief(cleared: Cleared, language: str) -> Path:
    """Write ``brief.<language>.html`` and its card ``brief.<language>.json``.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    DisclosureError, LanguageError, BriefError
        Nothing is written then; an earlier brief stays as it was.
    """
    page, made = BriefExporter().from_cleared(cleared, language)
    card = (
        json.dumps({key: made["brief"][key] for key in _CARD}, indent=1, ensure_ascii=False) + "\n"
    )
    scan_bytes(card.encode("utf-8"), cleared, f"brief.{language}.json")
    target = cleared.study.public / f"brief.{language}.html"
    replace_file(target, page.encode("utf-8"))
    replace_file(target.with_suffix(".json"), card.encode("utf-8"))
    return target
