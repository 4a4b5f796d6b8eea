"""Who read the words of a language: each message names a reviewer, the whole a signer.

No machine reviews or signs. A signature holds for the texts that it was given for: its
hash is that of all ids and texts, so that a text changed later takes it away.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import date

from babel.messages.catalog import Message

from evidence.language.catalogue import LOCALES, load_catalogue

INTERNAL = "change."
"""Messages of pages that stay in the house; they are in English only, and not reviewed."""

_COMMENT = re.compile(r"(reviewed_by|reviewed_on):\s*(.*)")
_HEADER = re.compile(r'^"(X-Signed-(?:By|On|Sha256)):[ \t]*(.*?)\\n"$', re.MULTILINE)
_MOST_NAMED = 3


def is_reviewed(language: str) -> bool:
    """Tell whether a named person has read every message and signed for the whole."""
    return not list_unreviewed(language)


def list_unreviewed(language: str) -> tuple[str, ...]:
    """List, in plain words, what is missing until the words of a language are reviewed.

    Empty where every message names its reviewer and the day, and the head of the file
    names who signed, when, and the hash of what was signed.
    """
    return (*_unread(language), *_unsigned(language))


def hash_messages(language: str) -> str:
    """Hash what a reviewer signs: ids and texts of all messages but those of internal pages."""
    texts = sorted((str(m.id), str(m.string)) for m in _reviewable(language))
    canonical = json.dumps(texts, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()


def _unread(language: str) -> list[str]:
    names = [str(m.id) for m in _reviewable(language) if not _is_read(m)]
    if not names:
        return []
    more = ", …" if len(names) > _MOST_NAMED else ""
    told = (
        f"locales/{language}.po: {len(names)} messages name no reviewer and day, such as "
        f"{', '.join(names[:_MOST_NAMED])}{more}. Who has read a message writes name and day "
        "(such as 2026-11-22) into the comments reviewed_by and reviewed_on above it."
    )
    return [told]


def _unsigned(language: str) -> list[str]:
    text = (LOCALES / f"{language}.po").read_text(encoding="utf-8").partition("\n\n")[0]
    signed = dict(_HEADER.findall(text))
    told, own = [], hash_messages(language)
    if not signed.get("X-Signed-By", "") or not _is_day(signed.get("X-Signed-On", "")):
        told.append(
            f"locales/{language}.po: nobody has signed for the whole. Who has read all messages "
            "writes name and day into X-Signed-By and X-Signed-On at the head of the file."
        )
    given = signed.get("X-Signed-Sha256", "")
    if given != own:
        seen = "is not that of these texts: one was changed after signing" if given else "is empty"
        told.append(
            f"locales/{language}.po: X-Signed-Sha256 {seen}. For the texts as they are now it "
            f"is {own}; only the person who has read them as they are now writes it there."
        )
    return told


def _reviewable(language: str) -> list[Message]:
    found = [m for m in load_catalogue(language) if m.id]
    return [m for m in found if not str(m.id).startswith(INTERNAL)]


def _is_read(message: Message) -> bool:
    lines = [_COMMENT.fullmatch(line.strip()) for line in message.user_comments]
    told = {match[1]: match[2].strip() for match in lines if match is not None}
    named = bool(told.get("reviewed_by")) and not message.fuzzy
    return named and _is_day(told.get("reviewed_on", ""))


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
