"""Write a study's brief under ``reports/public/``: cleared, scanned, renamed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from evidence.brief.blocks import list_texts
from evidence.brief.checks import check_text
from evidence.brief.exporter import BriefExporter
from evidence.brief.imprint import Imprint
from evidence.brief.model import compose
from evidence.disclosure import (
    Cleared,
    Edition,
    Reply,
    hash_file,
    read_register,
    read_signoff,
    scan_bytes,
)
from evidence.neck import replace_file
from evidence.study import Study

__all__ = ["check_text", "hash_signed", "render_notice", "render_page", "write_brief"]

_CARD = ("slug", "language", "title", "question", "simulated", "messages", "grade", "state",
         "edition", "date")  # fmt: skip


def write_brief(cleared: Cleared, language: str) -> Path:
    """Write ``brief.<language>.html`` and its card ``brief.<language>.json``.

    The page is a draft and says so, unless it is to the byte what was published as the
    latest edition. Where that edition is withdrawn, its notice stays.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    DisclosureError, LanguageError, BriefError
        Nothing is written then; an earlier brief stays as it was.
    """
    study = cleared.study
    replies = read_signoff(study).reply
    latest = read_register(study.root, study.slug).latest
    target = study.public / f"brief.{language}.html"
    files = _published(cleared, language, latest, replies) if latest is not None else {}
    for name, payload in (files or render_page(cleared, language, Imprint(None, replies))).items():
        replace_file(target.with_name(name), payload)
    return target


def render_page(cleared: Cleared, language: str, imprint: Imprint) -> dict[str, bytes]:
    """Render a page and its card, both scanned: file name → bytes.

    Raises
    ------
    DisclosureError, LanguageError, BriefError
    """
    files = _as_files(language, *BriefExporter().from_cleared(cleared, language, imprint=imprint))
    for name, payload in files.items():
        scan_bytes(payload, cleared, name)
    return files


def render_notice(study: Study, edition: Edition, language: str) -> dict[str, bytes]:
    """Render the notice of a withdrawn edition and its card: file name → bytes."""
    return _as_files(language, *BriefExporter().from_withdrawal(study, edition, language))


def hash_signed(cleared: Cleared) -> str:
    """Hash what a person signs: what was cleared and every word and picture of its pages.

    The replies of parties are theirs and not part of it.
    """
    digest = hashlib.sha256(cleared.sha256.encode())
    for language in cleared.study.brief.languages:
        model = compose(cleared, language)
        digest.update(json.dumps(model, sort_keys=True, ensure_ascii=False).encode("utf-8"))
    return digest.hexdigest()


def _as_files(language: str, page: str, made: dict[str, Any]) -> dict[str, bytes]:
    model = made["brief"]
    told = {**model, "messages": list_texts(model, "messages")}
    shown = {key: told[key] for key in _CARD}
    card = json.dumps(shown, indent=1, ensure_ascii=False) + "\n"
    return {
        f"brief.{language}.html": page.encode("utf-8"),
        f"brief.{language}.json": card.encode("utf-8"),
    }


def _published(
    cleared: Cleared, language: str, latest: Edition, replies: tuple[Reply, ...]
) -> dict[str, bytes]:
    """Render the latest edition's page or notice; nothing where it would be another page."""
    if cleared.sha256 != latest.cleared:
        return {}
    if latest.withdrawn:
        same = hash_signed(cleared) == latest.signed
        return render_notice(cleared.study, latest, language) if same else {}
    files = render_page(cleared, language, Imprint(latest, replies))
    same = all(latest.files.get(name) == hash_file(data) for name, data in files.items())
    return files if same else {}
