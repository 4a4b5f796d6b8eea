"""Phrases in another language than their page's: named once, marked by every format.

What authors write once, whatever the language of the reader (citations of sources, reasons of
amendments, roles), is spoken wrongly by a screen reader unless it is marked (WCAG 2.2, 3.1.2).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from evidence.brief.imprint import Imprint
from evidence.disclosure import Cleared
from evidence.language import capitalise
from evidence.study import list_deviations, read_advice

_CITED = "en"
"""The language of citations: records of sources are written in English."""


def add_foreign(model: Mapping[str, Any], cleared: Cleared, imprint: Imprint) -> dict[str, Any]:
    """Add ``foreign``: each phrase of a page in another language, with that language.

    Reasons and roles are taken for the study's first language, in which its authors write.
    """
    study = cleared.study
    own = study.brief.languages[0]
    written = {
        *(deviation.reason for deviation in list_deviations(study)),
        *(advice.reviewed_by for advice in read_advice(study)),
        *(capitalise(reply.party) for reply in imprint.replies),
        *(entry["role"] for entry in (imprint.edition.checked if imprint.edition else ())),
    }
    phrases = dict.fromkeys(cleared.neck.protected["citations"].values(), _CITED)
    phrases |= dict.fromkeys(sorted(written), own)
    told = {text: given for text, given in phrases.items() if text and given != model["language"]}
    return {**model, "foreign": told}


def split_runs(text: str, foreign: Mapping[str, str]) -> list[tuple[str, str]]:
    """Split a text where its language changes: pieces, with a language where it is foreign."""
    return list(_split(text, foreign)) or [(text, "")]


def _split(text: str, foreign: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    phrases = sorted(foreign, key=len, reverse=True)
    pieces = re.split(f"({'|'.join(map(re.escape, phrases))})", text) if phrases else [text]
    return ((piece, foreign.get(piece, "")) for piece in pieces if piece)
