"""Bytes become texts, texts their readings: escapes resolved, tags taken out."""

from __future__ import annotations

import html
import quopri
import re
import urllib.parse
from collections.abc import Callable

_MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_WIDE = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
_CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\ufffe\uffff]")
TAG = re.compile(r"""<!--.*?-->|</?[A-Za-z!?](?:"[^"]*"|'[^']*'|[^'">])*>""", re.DOTALL)
_LOOSE_TAG = re.compile(r"<!--.*?-->|<[^>]*>", re.DOTALL)
_STYLE = re.compile(r"<(style|script)\b.*?</\1\s*>", re.DOTALL | re.IGNORECASE)
_DRAWN = re.compile(
    r"""\s(?:d|points|transform|x|y|x1|x2|y1|y2|cx|cy|r|rx|ry|width|height|viewBox|style|fill"""
    r"""|stroke|offset|stop-color|gradientTransform|w:\w*[iI]d\w*|w:val|w:w)"""
    r"""\s*=\s*(?:"[^"]*"|'[^']*')"""
)
_UNICODE = re.compile(
    r"\\u\{([0-9a-fA-F]{1,6})\}|\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})|\\x([0-9a-fA-F]{2})"
    r"|\\([nrtbf/\"'\\])"
)
_CSS = re.compile(r"\\([0-9a-fA-F]{1,6})(?:\r\n|[ \t\r\n\f])?")
_QUOTED = re.compile(r"=[0-9A-Fa-f]{2}|=\r?\n")
_PLAIN = {"n": "\n", "r": "\r", "t": "\t", "b": " ", "f": " "}
_ROUNDS = 3
_LAST = 0x10FFFF


def decode(payload: bytes, *, guess: bool = False) -> str | None:
    """Read bytes as text: UTF-8, UTF-16, UTF-32 or, unless on a guess, Latin letters."""
    for mark, encoding in _MARKS:
        if payload.startswith(mark):
            return _try(payload[len(mark) :], encoding)
    text = _try(payload, "utf-8")
    if text is not None:
        return text
    if b"\0" in payload:
        wide = [text for encoding in _WIDE if (text := _try(payload, encoding))]
        return max(wide, key=_latin, default=None)
    latin = None if guess else _try(payload, "cp1252")
    return latin if latin is not None or guess else _try(payload, "latin-1")


def _try(payload: bytes, encoding: str) -> str | None:
    try:
        text = payload.decode(encoding)
    except UnicodeDecodeError:
        return None
    return None if _CONTROL.search(text) else text


def decode_any(payload: bytes) -> tuple[str, ...]:
    """Read bytes that are no text as if they held some, in every width."""
    texts = [payload.decode("utf-8", errors="replace")]
    if b"\0" in payload:
        texts += [payload[n:].decode("utf-16-le", errors="replace") for n in (0, 1)]
        texts += [payload[n:].decode("utf-16-be", errors="replace") for n in (0, 1)]
        texts.append(payload.replace(b"\0", b"").decode("utf-8", errors="replace"))
    return tuple(texts)


def resolve(text: str) -> list[str]:
    """List the readings of a text: as it stands, and with each layer of escapes resolved."""
    found, current = [text], text
    for _ in range(_ROUNDS):
        before = current
        for undo in _ESCAPES:
            changed = undo(current)
            if changed != current:
                found.append(changed)
                current = changed
        if current == before:
            break
    if "\\" in text:
        found += [changed for changed in [_undo_css(text)] if changed != text]
    return found


def strip_tags(text: str) -> list[str]:
    """Take tags out of a text, once leaving a space and once leaving nothing."""
    if "<" not in text:
        return []
    spaced, joined = _LOOSE_TAG.sub(" ", text), _LOOSE_TAG.sub("", text)
    return [html.unescape(html.unescape(t)) for t in (spaced, joined)]


def leave_out_drawing(text: str) -> str:
    """Leave out coordinates, colours and styles: numbers that nobody reads."""
    if "<" not in text:
        return text
    return _DRAWN.sub(" ", _STYLE.sub(" ", text))


def _latin(text: str) -> float:
    """Measure how much of a text is ASCII: bytes read in the wrong order hold none."""
    return sum(map(str.isascii, text)) / len(text)


def _undo_entities(text: str) -> str:
    return html.unescape(text) if "&" in text else text


def _undo_unicode(text: str) -> str:
    if "\\" not in text:
        return text
    changed = _UNICODE.sub(_character, text)
    return changed.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _character(match: re.Match[str]) -> str:
    if match[5]:
        return _PLAIN.get(match[5], match[5])
    code = int(match[1] or match[2] or match[3] or match[4], 16)
    return chr(code) if code <= _LAST else " "


def _undo_percent(text: str) -> str:
    if not re.search("%[0-9A-Fa-f]{2}", text):
        return text
    found = urllib.parse.unquote(text)
    return urllib.parse.unquote(text, "cp1252") if "\ufffd" in found else found


def _undo_quoted(text: str) -> str:
    if not _QUOTED.search(text):
        return text
    found = quopri.decodestring(text.encode("utf-8"))
    try:
        return found.decode("utf-8")
    except UnicodeDecodeError:
        return found.decode("latin-1")


def _undo_css(text: str) -> str:
    def shown(match: re.Match[str]) -> str:
        code = int(match[1], 16)
        return chr(code) if 0 < code <= _LAST and not 0xD800 <= code < 0xE000 else " "

    return _CSS.sub(shown, text)


_ESCAPES: tuple[Callable[[str], str], ...] = (
    _undo_entities,
    _undo_unicode,
    _undo_percent,
    _undo_quoted,
)
