"""Take a file apart until only texts are left: containers, data addresses, codings."""

from __future__ import annotations

import base64
import binascii
import bz2
import gzip
import hashlib
import io
import json
import lzma
import re
import tarfile
import urllib.parse
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import brotli

from evidence.disclosure.reading.parts import (
    DEEPEST,
    MOST_BYTES,
    MOST_PARTS,
    Part,
    Raw,
    inflate,
    room,
    too_large,
    unreadable,
)
from evidence.disclosure.reading.pdf import open_pdf
from evidence.disclosure.reading.pictures import JPEG, PNG, open_jpeg, open_png
from evidence.disclosure.reading.texts import (
    decode,
    decode_any,
    leave_out_drawing,
    resolve,
    strip_tags,
)

_DATA = re.compile(r"data:([\w.+-]+/[\w.+-]+|)((?:;[\w.+=-]+)*),([^\"'\s<>)\\]+)", re.IGNORECASE)
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{60,}\r?\n)*[A-Za-z0-9+/_-]{10,}={0,2}")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}[ :]?){12,}")
_PRINTED = re.compile(rb"[\t\n\r\x20-\x7e]{8,}")
_ARRAY = 24
_LONGEST_SHIFTED = 65_536
_FONTS = (b"wOFF", b"wOF2", b"\0\1\0\0\0", b"OTTO", b"true\0", b"ttcf")
_ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_HTML = re.compile(
    r"<!doctype html|<(?:html|head|body|script|style|div|span|p|table|td|tr|img|a|iframe|svg"
    r"|object|embed|form|link|meta|b|i|li|ul|h[1-6]|!--)\b|<!--",
    re.IGNORECASE,
)

_Opened = tuple[Part, list[Raw]]


def unpack(payload: bytes, place: str) -> Iterator[Part]:
    """Take a file apart, each part once, a container before what it holds.

    Yields
    ------
    Part
        With its readings.

    Raises
    ------
    DisclosureError
        Where a part cannot be read, or unpacks to more than can be searched.
    """
    waiting, seen, spent = deque([Raw(place, payload)]), set[bytes](), 0
    while waiting:
        raw = waiting.popleft()
        digest = hashlib.sha256(raw.payload).digest() + raw.kind.encode() + bytes([raw.guess])
        if digest in seen:
            continue
        seen.add(digest)
        spent += len(raw.payload)
        if raw.depth > DEEPEST or len(seen) > MOST_PARTS or spent > MOST_BYTES:
            raise too_large(raw.place)
        part, inner = _open(raw)
        yield part
        waiting.extend(inner)


def _open(raw: Raw) -> _Opened:
    opened = _open_known(raw)
    if opened is not None:
        return opened
    text = decode(raw.payload, guess=raw.guess)
    if text is not None:
        return _open_text(raw, text)
    if raw.guess:
        texts = decode_any(raw.payload)
        inner = [found for text in texts for found in _embedded(text, raw)[1]]
        told = (_printed(raw.payload).decode("ascii"),)
        part = Part(raw.place, "bytes", raw.payload, texts, told, sure=False, coded=True)
        return part, inner
    raise unreadable(raw.place, "a file format that cannot be searched")


def _open_known(raw: Raw) -> _Opened | None:
    """Open a format that says what it is."""
    for magics, opener in _OPENERS:
        if raw.payload.startswith(magics):
            try:
                return opener(raw)
            except _BROKEN as error:
                if not raw.guess and magics is not _ZLIB:
                    raise unreadable(raw.place, "a broken or locked file") from error
    if raw.payload[257:262] == b"ustar":
        return _open_tar(raw)
    packed = raw.place.endswith(".br") and not raw.guess
    return _open_brotli(raw) if packed else None


def _open_text(raw: Raw, text: str) -> _Opened:
    kind = raw.kind or _kind(raw.place, text)
    left, inner = _embedded(text, raw)
    readings = resolve(left)
    for reading in readings[1:]:
        found = _embedded(reading, raw)
        readings = [*readings, found[0]] if found[0] != reading else readings
        inner += found[1]
    stripped = strip_tags(left)
    texts = (*readings, *stripped)
    prose: tuple[str, ...] = ()
    if kind != "css":
        words = [leave_out_drawing(t) for t in dict.fromkeys((left, readings[-1]))]
        prose = (*words, *strip_tags(words[0]))
    if kind == "notebook":
        inner += _outputs(raw, text)
    return Part(raw.place, kind, raw.payload, texts, prose, coded=raw.guess), inner


def _kind(place: str, text: str) -> str:
    name, start = place.lower(), text[:4096].lstrip().lower()
    if name.endswith(".ipynb") or (start.startswith("{") and '"nbformat"' in text):
        return "notebook"
    if start.startswith(("{", "[")) or name.endswith(".json"):
        return "json"
    if name.endswith(".css"):
        return "css"
    if "<svg" in start and "<html" not in start and "<!doctype html" not in start:
        return "svg"
    xml = start.startswith("<?xml") and "<html" not in start
    if xml or name.endswith((".xml", ".rels", ".opf", ".ncx")):
        return "xml"
    return "html" if name.endswith((".html", ".htm", ".xhtml")) or _HTML.search(text) else "text"


def _embedded(text: str, raw: Raw) -> tuple[str, list[Raw]]:
    """Find files inside a text; return the text without data addresses, and the files."""
    inner: list[Raw] = []
    for number, match in enumerate(_DATA.finditer(text), 1):
        name = f"data address {number}"
        if ";base64" in match[2].lower():
            inner.append(raw.inner(name, _unbase(urllib.parse.unquote(match[3]))))
        else:
            inner.append(raw.inner(name, urllib.parse.unquote_to_bytes(match[3]), kind=""))
    left = _DATA.sub("data:", text) if inner else text
    return left, inner + _coded(left, raw)


def _coded(text: str, raw: Raw) -> list[Raw]:
    """Decode what looks like base64 or hexadecimal; short runs are put together."""
    runs = [m[0] for m in _BASE64.finditer(text)]
    decoded = [_unbase(run[n:]) for run in runs if not run.islower() for n in _shifts(run)]
    decoded += [_unhex(m[0]) for m in _HEX.finditer(text)]
    found = [
        raw.inner(f"coded run {number}", payload, guess=True)
        for number, payload in enumerate(decoded, 1)
        if len(payload) >= _ARRAY
    ]
    short = b"\n".join(_printed(payload) for payload in decoded if len(payload) < _ARRAY).strip()
    return [*found, raw.inner("short coded runs", short, guess=True)] if short else found


def _printed(payload: bytes) -> bytes:
    """Take the text out of bytes: all of them, or the runs of eight letters and more."""
    text = decode(payload, guess=True)
    return payload if text is not None else b"\n".join(_PRINTED.findall(payload))


def _shifts(run: str) -> range:
    return range(4 if len(run) < _LONGEST_SHIFTED else 1)


def _unbase(text: str) -> bytes:
    letters = re.sub(r"[^A-Za-z0-9+/]", "", text.replace("-", "+").replace("_", "/"))
    letters = letters[: len(letters) - (len(letters) % 4 == 1)]
    return base64.b64decode(letters + "=" * (-len(letters) % 4))


def _unhex(text: str) -> bytes:
    try:
        return binascii.unhexlify(re.sub("[ :]", "", text))
    except binascii.Error:
        return b""


def _outputs(raw: Raw, text: str) -> list[Raw]:
    """Take the outputs of a notebook, each as the file that it would be."""
    try:
        cells = json.loads(text)["cells"]
        return [
            raw.inner(f"cell {number}, output '{mime}'", _flat(data))
            for number, cell in enumerate(cells, 1)
            for output in cell.get("outputs") or ()
            for mime, data in (output.get("data") or {}).items()
            if mime in {"text/html", "image/svg+xml", "text/markdown"}
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise unreadable(raw.place, "a broken notebook") from error


def _flat(data: Any) -> bytes:
    return ("".join(data) if isinstance(data, list) else str(data)).encode("utf-8")


def _open_zip(raw: Raw) -> _Opened:
    inner, names, total = [], [], 0
    with zipfile.ZipFile(io.BytesIO(raw.payload)) as archive:
        names.append(archive.comment.decode("latin-1"))
        for number, member in enumerate(archive.infolist(), 1):
            if member.flag_bits & 1:
                raise unreadable(raw.place, f"part {number}, which has a password")
            total += member.file_size
            if max(total, member.file_size) > room(len(raw.payload)):
                raise too_large(raw.place)
            names += [member.filename, member.comment.decode("latin-1")]
            if not member.is_dir():
                with archive.open(member) as file:
                    inner.append(raw.inner(member.filename, file.read(member.file_size + 1)))
    start = raw.payload.find(b"PK\x03\x04")
    if start > 0:
        inner.append(raw.inner("before the archive", raw.payload[:start], guess=True))
    return Part(raw.place, "archive", raw.payload, ("\n".join(names),), ("\n".join(names),)), inner


def _open_tar(raw: Raw) -> _Opened:
    inner, names = [], []
    try:
        with tarfile.open(fileobj=io.BytesIO(raw.payload), mode="r:") as archive:
            for member in archive:
                names += [member.name, member.linkname, member.uname, member.gname]
                file = archive.extractfile(member) if member.isfile() else None
                if file is not None:
                    inner.append(raw.inner(member.name, file.read()))
    except tarfile.TarError as error:
        raise unreadable(raw.place, "a broken archive") from error
    return Part(raw.place, "archive", raw.payload, ("\n".join(names),), ("\n".join(names),)), inner


def _open_gzip(raw: Raw) -> _Opened:
    with gzip.GzipFile(fileobj=io.BytesIO(raw.payload)) as file:
        return _packed(raw, file.read(room(len(raw.payload)) + 1))


def _open_bz2(raw: Raw) -> _Opened:
    return _packed(raw, bz2.BZ2Decompressor().decompress(raw.payload, room(len(raw.payload)) + 1))


def _open_xz(raw: Raw) -> _Opened:
    return _packed(raw, lzma.LZMADecompressor().decompress(raw.payload, room(len(raw.payload)) + 1))


def _open_zlib(raw: Raw) -> _Opened:
    return _packed(raw, inflate(raw.payload, raw.place))


def _open_brotli(raw: Raw) -> _Opened:
    try:
        return _packed(raw, brotli.decompress(raw.payload))
    except brotli.error as error:
        raise unreadable(raw.place, "a broken file") from error


def _packed(raw: Raw, unpacked: bytes) -> _Opened:
    if len(unpacked) > room(len(raw.payload)):
        raise too_large(raw.place)
    heading = raw.payload[:256].decode("latin-1")
    part = Part(raw.place, "archive", raw.payload, (heading,), sure=False)
    return part, [raw.inner("unpacked", unpacked)]


def _open_font(raw: Raw) -> _Opened:
    return Part(raw.place, "font", raw.payload), []


_BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError,
           RuntimeError, NotImplementedError)  # fmt: skip

_OPENERS: tuple[tuple[bytes | tuple[bytes, ...], Callable[[Raw], _Opened]], ...] = (
    (b"PK\x03\x04", _open_zip),
    (b"PK\x05\x06", _open_zip),
    (b"\x1f\x8b", _open_gzip),
    (b"BZh", _open_bz2),
    (b"\xfd7zXZ\0", _open_xz),
    (_ZLIB, _open_zlib),
    (b"%PDF-", open_pdf),
    (PNG, open_png),
    (JPEG, open_jpeg),
    (_FONTS, _open_font),
)
