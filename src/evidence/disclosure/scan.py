"""The last look: the bytes of a public file, searched for what points at a unit or a machine."""

from __future__ import annotations

import base64
import html
import re
import unicodedata
from pathlib import Path

from evidence.disclosure.gate import Cleared
from evidence.errors import DisclosureError

_SHORT_NUMBER = 3
_DATA_URI = re.compile(rb"data:[a-z0-9.+/-]+;base64,([A-Za-z0-9+/=]+)")
_TAG = re.compile(r"<[^>]*>")
_TRACES = (b"Traceback (most recent call last)", b"/site-packages/", b"/home/", b"/Users/")


def scan_bytes(payload: bytes, cleared: Cleared, name: str) -> None:
    """Scan the bytes of a public file: as they are, data URIs decoded, and as read.

    As read means without tags, with entities resolved, and with case, spaces and
    compatible characters made equal on both sides. A bare number of up to three digits
    cannot be told from any other number and is not looked for.

    Raises
    ------
    DisclosureError
        Where an identifier, a path of this machine or a traceback stands in them.
    """
    protected = cleared.neck.protected
    traces = (*_TRACES, str(cleared.study.root).encode(), str(Path.home()).encode() + b"/")
    for part in (payload, *_decoded(payload)):
        if any(len(trace) > 2 and trace in part for trace in traces):
            raise _leak(name, "a path of this machine or a traceback")
        text = part.decode("utf-8", errors="replace")
        read = [_plain(text), _plain(html.unescape(_TAG.sub(" ", text)))]
        for identifier in map(_plain, protected["identifiers"]):
            if identifier.isdigit() and len(identifier) <= _SHORT_NUMBER:
                continue
            pattern = rf"(?<![\w.]){re.escape(identifier)}(?!\.?\w)"
            if any(identifier in t and re.search(pattern, t) for t in read):
                raise _leak(name, f"an identifier of a {protected['protected_unit']}")


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    shown = "".join(c for c in folded if unicodedata.category(c) != "Cf")
    return " ".join(shown.split())


def _leak(name: str, what: str) -> DisclosureError:
    return DisclosureError(
        name,
        seen=what,
        expected="nothing that points at a unit or a machine",
        do="Take it out of the study's words or labels; nothing was published.",
    )


def _decoded(payload: bytes) -> list[bytes]:
    return [base64.b64decode(match) for match in _DATA_URI.findall(payload)]
