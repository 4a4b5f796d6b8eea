"""PDF without a library: streams, object streams, strings, and the fonts' maps to letters.

Filters read: Flate, ASCII85, ASCIIHex; DCT as JPEG. Everything else is refused. A glyph
that no ToUnicode map names cannot be read: text drawn as outlines, or set in a font
without a map.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterator

from evidence.disclosure.reading.parts import Part, Raw, inflate, unreadable
from evidence.disclosure.reading.texts import resolve

_STREAM = re.compile(rb"(?<!end)stream\r?\n")
_BODY = re.compile(rb"(?<!end)stream\r?\n.*?endstream", re.DOTALL)
_FILTERS = re.compile(
    rb"/(FlateDecode|Fl|ASCII85Decode|A85|ASCIIHexDecode|AHx|DCTDecode|DCT|LZWDecode|LZW"
    rb"|RunLengthDecode|RL|CCITTFaxDecode|CCF|JBIG2Decode|JPXDecode|Crypt)\b"
)
_NAME_ESCAPE = re.compile(rb"#([0-9A-Fa-f]{2})")
_TOKEN = re.compile(
    r"\((?:\\.|[^\\()]|\((?:\\.|[^\\()])*\))*\)|<[0-9A-Fa-f\s]*>|[\[\]]|[-+]?\d*\.?\d+|[A-Za-z'\"*]+",
    re.DOTALL,
)
_BFRANGE = re.compile(r"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>\s*(<[0-9A-Fa-f]+>|\[[^\]]*\])")
_ESCAPE = re.compile(r"\\([0-7]{1,3}|\r\n|.)", re.DOTALL)
_LETTERS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "\n": "", "\r\n": ""}
_SPACE = -150.0
_WIDEST_RANGE = 65536


def open_pdf(raw: Raw) -> tuple[Part, list[Raw]]:
    """Take a PDF apart: its texts, pictures and attachments.

    Raises
    ------
    DisclosureError
        Where it is locked, or a stream has a coding that cannot be searched.
    """
    if re.search(rb"/Encrypt\b", raw.payload):
        raise unreadable(raw.place, "a PDF with a password or with rights")
    outside, contents, inner = [_BODY.sub(b"", raw.payload)], list[bytes](), list[Raw]()
    for heading, body in _streams(raw):
        kind = _kind(heading, body)
        if kind == "content":
            contents.append(body)
        elif kind:
            inner.append(raw.inner(kind, body))
    maps = [found for body in contents if b"beginbf" in body for found in [_read_map(body)]]
    outside += contents
    flat = [_NAME_ESCAPE.sub(_byte, body).decode("latin-1") for body in outside]
    shown = list(dict.fromkeys(text for body in flat for text in _shown(body, maps)))
    texts = (*flat, *(found for text in shown for found in resolve(text)))
    inner += [
        raw.inner("metadata", body, kind="text") for body in outside[1:] if b"<x:xmpmeta" in body
    ]
    prose = tuple(text for text in shown if text.strip())
    return Part(raw.place, "pdf", raw.payload, texts, prose), inner


def _streams(raw: Raw) -> Iterator[tuple[bytes, bytes]]:
    payload, at = raw.payload, 0
    while found := _STREAM.search(payload, at):
        start = found.end()
        heading = payload[max(payload.rfind(b"obj", 0, found.start()), at) : found.start()]
        heading = _NAME_ESCAPE.sub(_byte, heading)
        length = re.search(rb"/Length\s+(\d+)(?!\s+\d+\s+R)", heading)
        end = start + int(length[1]) if length else -1
        if not length or payload[end : end + 12].lstrip()[:9] != b"endstream":
            end = payload.find(b"endstream", start)
        end = len(payload) if end < 0 else end
        yield heading, _undo_filters(heading, payload[start:end], raw.place)
        at = end


def _undo_filters(heading: bytes, body: bytes, place: str) -> bytes:
    for name in _FILTERS.findall(heading):
        try:
            if name in {b"FlateDecode", b"Fl"}:
                body = inflate(body.lstrip(b"\r\n") if body[:1] in b"\r\n" else body, place)
            elif name in {b"ASCII85Decode", b"A85"}:
                body = base64.a85decode(body.strip().removeprefix(b"<~").partition(b"~>")[0])
            elif name in {b"ASCIIHexDecode", b"AHx"}:
                body = _unhex(body.partition(b">")[0].decode("latin-1"))
            elif name not in {b"DCTDecode", b"DCT"}:
                raise unreadable(place, "a stream in a coding that cannot be searched")
        except (zlib.error, ValueError) as error:
            raise unreadable(place, "a broken stream") from error
    return body


def _kind(heading: bytes, body: bytes) -> str:
    """Say what a stream is: content, or the name of a file inside; empty for silent data."""
    if re.search(rb"/DCT", heading):
        return "picture"
    if re.search(rb"/EmbeddedFile\b", heading):
        return "attachment"
    points = re.search(rb"/Subtype\s*/Image\b", heading)
    font = re.search(rb"/Length1\b|/(Type1C|CIDFontType0C|OpenType)\b", heading)
    return "" if points or font or body.startswith((b"\0\1\0\0", b"OTTO", b"true")) else "content"


def _shown(body: str, maps: list[dict[str, str]]) -> Iterator[str]:
    """Put the strings of a stream together, as bytes and through each font's map."""
    strings = _strings(body)
    for letters in ({}, *maps):
        width = max(map(len, letters), default=0)
        told = {piece: _through(piece, letters, width) for piece in set(strings)} | {" ": " "}
        read = [told[piece] for piece in strings]
        yield "".join(read)
        yield "".join(piece for piece in read if piece != " ")


def _strings(body: str) -> list[str]:
    """List strings in order, with a space between operators and at wide kerns."""
    found, inside = list[str](), False
    for piece in _TOKEN.findall(body):
        if piece[0] in "(<":
            found.append(_literal(piece[1:-1]) if piece[0] == "(" else _hex_string(piece[1:-1]))
        elif piece[0] in "[]":
            inside = piece[0] == "["
        elif _parts_words(piece, inside=inside) and found and found[-1] != " ":
            found.append(" ")
    return found


def _parts_words(piece: str, *, inside: bool) -> bool:
    """Tell whether an operator, or a wide kern inside an array, stands for a space."""
    return not inside or (piece[-1].isdigit() and float(piece) < _SPACE)


def _through(piece: str, letters: dict[str, str], width: int) -> str:
    if not letters:
        return _wide(piece)
    codes = [piece[n : n + width] for n in range(0, len(piece), width)]
    return "".join(letters.get(code, "") for code in codes)


def _wide(piece: str) -> str:
    if piece.startswith(("\xfe\xff", "\xff\xfe")):
        return piece.encode("latin-1").decode("utf-16", errors="replace")
    if piece.startswith("\xef\xbb\xbf"):
        return piece.encode("latin-1").decode("utf-8", errors="replace")
    return piece


def _literal(text: str) -> str:
    def plain(match: re.Match[str]) -> str:
        code = match[1]
        if code[0] in "01234567":
            return chr(int(code, 8) & 255)
        return _LETTERS.get(code, code)

    return _ESCAPE.sub(plain, text) if "\\" in text else text


def _hex_string(text: str) -> str:
    return _unhex(text).decode("latin-1")


def _unhex(text: str) -> bytes:
    digits = re.sub(r"[^0-9A-Fa-f]", "", text)
    return bytes.fromhex(digits + "0" * (len(digits) % 2))


def _read_map(body: bytes) -> dict[str, str]:
    """Read a ToUnicode map: code of a glyph → letters (PDF 32000-1:2008, 9.10.3)."""
    text, letters = body.decode("latin-1"), dict[str, str]()
    for block in re.findall(r"beginbfchar(.*?)endbfchar", text, re.DOTALL):
        pairs = re.findall(r"<([0-9A-Fa-f\s]*)>", block)
        for code, target in zip(pairs[::2], pairs[1::2], strict=False):
            letters[_hex_string(code)] = _letters(target)
    for block in re.findall(r"beginbfrange(.*?)endbfrange", text, re.DOTALL):
        for first, last, target in _BFRANGE.findall(block):
            letters |= _range(first, last, target)
    return letters


def _range(first: str, last: str, target: str) -> dict[str, str]:
    low, size = int(first, 16), len(first)
    codes = range(low, min(int(last, 16), low + _WIDEST_RANGE) + 1)
    if target.startswith("["):
        each = [_letters(t) for t in re.findall(r"<([0-9A-Fa-f]+)>", target)]
    else:
        start = _letters(target)
        each = [start[:-1] + chr(ord(start[-1:] or " ") + n) for n in range(len(codes))]
    return {_hex_string(f"{c:0{size}x}"): t for c, t in zip(codes, each, strict=False)}


def _letters(digits: str) -> str:
    return _unhex(digits).decode("utf-16-be", errors="replace")


def _byte(match: re.Match[bytes]) -> bytes:
    return bytes([int(match[1], 16)])
