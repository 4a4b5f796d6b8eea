"""Texts as formats of others take them: no character that a format cannot hold."""

from __future__ import annotations

import re
import unicodedata

_NOT_HELD = re.compile("[\ufffe\uffff\U0001fffe\U0001ffff]")
_BREAKS = ("Cc", "Cs", "Zl", "Zp")


def plain(text: str) -> str:
    """Put spaces in the place of control characters, line breaks and lone surrogates."""
    held = _NOT_HELD.sub(" ", text)
    return "".join(" " if unicodedata.category(c) in _BREAKS else c for c in held)
