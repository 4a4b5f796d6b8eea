"""Which encoding a text file has: found where the bytes allow one only, else refused."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import numpy.typing as npt
from charset_normalizer import from_bytes

from evidence.errors import SourceError
from evidence.sources.reading.cells import Bytes, Pairs
from evidence.sources.record import Table

_MARKS = (
    (codecs.BOM_UTF8, "utf-8", "UTF-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le", "UTF-32 little-endian"),
    (codecs.BOM_UTF32_BE, "utf-32-be", "UTF-32 big-endian"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16 little-endian"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16 big-endian"),
)
BLOCK = 1 << 20
_SAMPLE = 65_536
_CJK = r"[\u3005-\u3007\u3041-\u30ff\u3400-\u9fff\uf900-\ufaff]"
_GLUED = re.compile(rf"[A-Za-z]{_CJK}(?!{_CJK})|(?<!{_CJK}){_CJK}[A-Za-z]")
_JAPANESE_WORD = re.compile(rf"{_CJK}{{2}}")
_FEWEST_WORDS = 2
_COMMON_JAPANESE = range(0x81, 0x99)
_TONES = "\u0300\u0301\u0303\u0309\u0323"
_VIETNAMESE_VOWELS = "aăâeêioôơuưy"
_PUNCTUATION = (
    "\u2013\u2014\u2018\u2019\u201c\u201d\u2026\u20ab\u20ac\u00ab\u00bb\u00a0\u00b0\u00b7"
)
_WORD = re.compile(rf"[^\W\d_](?:[^\W\d_]|[{_TONES}])*|[{_TONES}]")
_SYLLABLE = re.compile(
    r"(?:ngh|ch|gh|gi|kh|ng|nh|ph|qu|th|tr|[bcdđghklmnrstvx])?"
    r"[aăâeêioôơuưy]{1,3}(?:ch|ng|nh|[cmnpt])?"
)


def to_utf8(payload: Bytes, table: Table, where: str) -> tuple[Bytes, Pairs]:
    """Turn a text file's bytes into UTF-8, and say which encoding was found.

    A mark of byte order decides; else strict UTF-8; else the record's ``encoding``;
    else the one of CP932 and Windows-1258 that gives plausible text.

    Raises
    ------
    SourceError
        Where the bytes allow no encoding or more than one; naming line and byte.
    """
    if not table.encoding and _is_plain(payload):
        return payload, ()
    whole = bytes(payload)
    marked = next((m for m in _MARKS if whole.startswith(m[0])), None)
    if marked is not None:
        text, readings = _read_marked(whole, marked, table, where)
    else:
        text, readings = _read_unmarked(whole, table, where)
    _check_characters(text, where)
    return text, readings


def cut_blocks(text: Bytes) -> list[npt.NDArray[np.uint8]]:
    """Cut a text into blocks small enough to be looked at quickly, without a copy."""
    whole = np.frombuffer(text, dtype=np.uint8)
    return [whole[start : start + BLOCK] for start in range(0, len(whole), BLOCK)]


def _is_plain(text: Bytes) -> bool:
    """Tell whether all is ASCII, without NUL."""
    with ThreadPoolExecutor() as threads:
        return all(threads.map(lambda block: block.view(np.int8).min() > 0, cut_blocks(text)))


def _read_marked(
    payload: bytes, marked: tuple[bytes, str, str], table: Table, where: str
) -> tuple[bytes, Pairs]:
    mark, codec, name = marked
    declared = _lookup(table, where) if table.encoding else codec
    if not declared.startswith(codec[:6]):
        raise SourceError(
            where,
            seen=f"a mark of byte order that says {name}",
            expected=f"'{table.encoding}', as the record says",
            do="Mend 'encoding' in the record, or save the file again.",
        )
    body = payload[len(mark) :]
    try:
        text = body.decode(codec)
    except UnicodeDecodeError as error:
        raise _refusal(body, error, name, where) from error
    found = () if codec == "utf-8" else (("encoding", f"{name}, by its mark of byte order"),)
    return text.encode("utf-8"), found


def _read_unmarked(payload: bytes, table: Table, where: str) -> tuple[bytes, Pairs]:
    failure: UnicodeDecodeError | None = None
    try:
        payload.decode("utf-8")
    except UnicodeDecodeError as error:
        failure = error
    if table.encoding:
        return _read_declared(payload, table, where, is_utf8=failure is None), ()
    if failure is None:
        return payload, ()
    _check_characters(payload, where)
    found = [(n, text) for n, text in (_as_japanese(payload), _as_vietnamese(payload)) if text]
    if len(found) == 1:
        name, text = found[0]
        return text.encode("utf-8"), (("encoding", name),)
    raise _refusal(payload, failure, "UTF-8", where) from failure


def _read_declared(payload: bytes, table: Table, where: str, *, is_utf8: bool) -> bytes:
    codec = _lookup(table, where)
    if is_utf8 and not payload.isascii() and codec != "utf-8":
        raise SourceError(
            where,
            seen="text that is UTF-8 throughout",
            expected=f"'{table.encoding}', as the record says",
            do="Take 'encoding' out of the record: read otherwise, the letters would be wrong.",
        )
    try:
        return payload.decode(codec).encode("utf-8")
    except UnicodeDecodeError as error:
        raise _refusal(payload, error, table.encoding, where) from error
    except UnicodeEncodeError as error:
        raise SourceError(
            where,
            seen="halves of characters (surrogates)",
            expected=f"text in '{table.encoding}'",
            do="Save the file as UTF-8.",
        ) from error


def _lookup(table: Table, where: str) -> str:
    try:
        name = codecs.lookup(table.encoding).name
        with suppress(UnicodeDecodeError):
            b"text".decode(name)
    except (LookupError, ValueError) as error:
        raise SourceError(
            where,
            seen=f"encoding '{table.encoding}' in the record",
            expected="one that Python knows, such as 'utf-8', 'cp932' or 'cp1258'",
            do="Mend 'encoding' of the table.",
        ) from error
    return name


def _refusal(payload: bytes, error: UnicodeDecodeError, name: str, where: str) -> SourceError:
    """Word the first byte that does not belong, with what the encoding might be."""
    start = payload.rfind(b"\n", 0, error.start) + 1
    line = payload.count(b"\n", 0, error.start) + 1
    byte = f"byte 0x{payload[error.start]:02X}" if error.start < len(payload) else "the end"
    proposals = _propose(payload[start : start + _SAMPLE])
    return SourceError(
        where,
        seen=f"{byte} at place {error.start - start + 1} of line {line}, which is not {name}",
        expected=f"{name}, or an encoding that the record declares",
        do="Save the file as CSV in UTF-8, or ask its maker and say 'encoding' in the record"
        + (f" (perhaps {', '.join(proposals)}: look at the letters)." if proposals else "."),
    )


def _propose(sample: bytes) -> list[str]:
    names = [match.encoding for match in from_bytes(sample)]
    return list(dict.fromkeys(name for name in names if name not in {"ascii", "utf_8"}))[:3]


def _as_japanese(payload: bytes) -> tuple[str, str]:
    """Read CP932 where it gives Japanese text and nothing else could."""
    name = "CP932 (Japanese Windows), the only one that gives plausible text"
    text = _decode(payload, "cp932")
    if not _JAPANESE_WORD.search(text) or _decode(payload, "euc_jp") or _GLUED.search(text):
        return name, ""
    strange = {c: times for c, times in Counter(text).items() if not c.isascii()}
    if any(unicodedata.category(c) in {"Co", "Cc", "Cn"} for c in strange):
        return name, ""
    common = sum(n for c, n in strange.items() if c.encode("cp932")[0] in _COMMON_JAPANESE)
    return name, text if 2 * common > sum(strange.values()) else ""


def _as_vietnamese(payload: bytes) -> tuple[str, str]:
    """Read Windows-1258 where every word with an accent is a Vietnamese syllable."""
    name = "Windows-1258 (Vietnamese), the only one that gives plausible text"
    text = _decode(payload, "cp1258")
    words = {word for word in set(_WORD.findall(text)) if not word.isascii()}
    toned = [word for word in words if any(tone in word for tone in _TONES)]
    others = {c for c in set(text) if not c.isascii() and not c.isalpha() and c not in _TONES}
    if len(toned) < _FEWEST_WORDS or not others <= set(_PUNCTUATION):
        return name, ""
    return name, unicodedata.normalize("NFC", text) if all(map(_is_syllable, words)) else ""


def _is_syllable(word: str) -> bool:
    """Tell a Vietnamese syllable: one tone, on a vowel, between consonants of the language."""
    plain: list[str] = []
    tones = 0
    for c in unicodedata.normalize("NFD", word.casefold()):
        if c in _TONES:
            base = unicodedata.normalize("NFC", "".join(plain[-2:]))[-1:]
            if not plain or base not in _VIETNAMESE_VOWELS:
                return False
            tones += 1
        else:
            plain.append(c)
    bare = unicodedata.normalize("NFC", "".join(plain))
    return tones <= 1 and _SYLLABLE.fullmatch(bare) is not None


def _decode(payload: bytes, codec: str) -> str:
    try:
        return payload.decode(codec)
    except UnicodeDecodeError:
        return ""


def _check_characters(text: bytes, where: str) -> None:
    if b"\0" in text:
        wide = text.count(b"\0") > len(text) // 4
        raise SourceError(
            where,
            seen="NUL bytes" + (", as of UTF-16 without a mark of byte order" if wide else ""),
            expected="text",
            do="Say 'encoding' in the record ('utf-16-le', say), or save it as CSV in UTF-8."
            if wide
            else "Export the file again: it is damaged, or no text.",
        )
    place = -1 if text.isascii() else text.find("\N{REPLACEMENT CHARACTER}".encode())
    if place >= 0:
        line = text.count(b"\n", 0, place) + 1
        raise SourceError(
            f"{where}, line {line}",
            seen="the sign '\N{REPLACEMENT CHARACTER}', which stands where a letter was lost",
            expected="every letter",
            do="Export the file again from where it comes from, in UTF-8.",
        )
