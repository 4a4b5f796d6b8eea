"""The versions of a brief: their names, their addresses, and how they lead to each other."""

from __future__ import annotations

import base64
import io
from collections.abc import Collection
from typing import Any, Literal

import segno

from evidence.language import say
from evidence.study import Study

_INK = "#1b2530"
_QUIET = 4
"""Modules of white around a code (ISO/IEC 18004)."""

_FORMATS = {"pdf": "PDF", "docx": "DOCX"}
_BEHIND = {
    "technical": "technical.{language}.pdf",
    "slides": "slides.{language}.pdf",
    "sheet": "tables.{language}.xlsx",
    "tables": "tables.csv",
    "latex": "tables.tex",
}


def name_version(study: Study, language: str, audience: str = "") -> str:
    """Name the files of a version, without their ending.

    A reader for whom the study has no page of his own (``technical``) is led to the first's.
    """
    others = study.brief.audiences[1:]
    return f"brief.{audience}.{language}" if audience in others else f"brief.{language}"


def link_versions(
    study: Study, language: str, audience: str, written: Collection[str] = ()
) -> dict[str, Any]:
    """Link a version to the others and to its files.

    Parameters
    ----------
    written : collection of str
        Names of the files that the build writes beside the pages.

    Returns
    -------
    dict
        ``languages``: ``language, text, href, current``; ``readers``: ``text, href, current``;
        ``formats`` and ``behind``: ``text, href``, of written files only. Addresses are
        relative to the page.
    """
    brief = study.brief
    stem = name_version(study, language, audience)
    own = audience or brief.audiences[0]
    return {
        "languages": [
            {"language": code, "text": say(code, "language.name"), "current": code == language,
             "href": f"{name_version(study, code, audience)}.html"}
            for code in brief.languages
        ],
        "readers": [
            {"text": say(language, f"reader.{name}"), "current": name == own,
             "href": f"{name_version(study, language, name)}.html"}
            for name in brief.audiences
        ],
        "formats": [
            {"text": text, "href": f"{stem}.{ending}"}
            for ending, text in _FORMATS.items() if f"{stem}.{ending}" in written
        ],
        "behind": [
            {"text": say(language, f"behind.{name}"), "href": file}
            for name, pattern in _BEHIND.items()
            if (file := pattern.format(language=language)) in written
        ],
    }  # fmt: skip


NO_LINKS: dict[str, Any] = {"languages": [], "readers": [], "formats": [], "behind": []}
"""Links of a page that stands alone."""


def code_version(study: Study, language: str, audience: str) -> dict[str, str]:
    """Make the QR code that leads to a version's page; empty without a declared address.

    Returns
    -------
    dict
        ``svg`` (data address), ``alt``, ``caption``, ``address``.
    """
    base = study.brief.imprint.address
    if not base:
        return {}
    address = f"{base}/{study.slug}/{name_version(study, language, audience)}.html"
    return {
        "svg": "data:image/svg+xml;base64," + base64.b64encode(draw_code(address)).decode("ascii"),
        "alt": say(language, "code.alt", address=address),
        "caption": say(language, "code.caption"),
        "address": address,
    }


def draw_code(address: str, kind: Literal["svg", "png"] = "svg") -> bytes:
    """Draw the QR code of an address, dark on white."""
    shape = (
        {"xmldecl": False, "nl": False, "svgclass": None, "lineclass": None, "omitsize": True}
        if kind == "svg"
        else {"scale": 8}
    )
    buffer = io.BytesIO()
    segno.make(address, error="m", micro=False).save(
        buffer, kind=kind, border=_QUIET, dark=_INK, light="#ffffff", **shape
    )
    return buffer.getvalue()
