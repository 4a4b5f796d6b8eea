"""PNG and JPEG: the texts that stand beside the points; the points are not read."""

from __future__ import annotations

import struct
import zlib

from evidence.disclosure.reading.parts import Part, Raw, inflate, unreadable

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"
_SILENT = {0xE0, 0xE2, 0xEE}


def open_png(raw: Raw) -> tuple[Part, list[Raw]]:
    """Take the texts out of a PNG.

    Raises
    ------
    DisclosureError
        Where it is broken, or has bytes after its end.
    """
    at, texts, inner = len(PNG), [], []
    while at + 12 <= len(raw.payload):
        size, name = struct.unpack(">I4s", raw.payload[at : at + 8])
        body = raw.payload[at + 8 : at + 8 + size]
        at += 12 + size
        if name in {b"tEXt", b"zTXt", b"iTXt"}:
            key, value = _png_text(name, body, raw.place)
            texts.append(f"{key}: {value}")
            inner.append(raw.inner(f"text '{name.decode()}'", value.encode(), kind="text"))
        elif name == b"eXIf":
            texts.append("EXIF")
        elif name not in _DRAWING:
            inner.append(raw.inner("further data", body, guess=True))
        if name == b"IEND":
            break
    _check_end(raw, at)
    return Part(raw.place, "picture", raw.payload, tuple(texts)), inner


def open_jpeg(raw: Raw) -> tuple[Part, list[Raw]]:
    """Take the texts out of a JPEG.

    Raises
    ------
    DisclosureError
        Where it is broken, or has bytes after its end.
    """
    at, texts, inner = 2, [], []
    while at + 4 <= len(raw.payload) and raw.payload[at] == 0xFF:
        mark, size = raw.payload[at + 1], int.from_bytes(raw.payload[at + 2 : at + 4], "big")
        body = raw.payload[at + 4 : at + 2 + size]
        if mark == 0xDA:
            break
        if (0xE0 <= mark <= 0xEF and mark not in _SILENT) or mark == 0xFE:
            texts.append("EXIF" if mark != 0xFE else "Comment: " + body.decode("latin-1"))
            inner.append(raw.inner("metadata", body, guess=True))
        at += 2 + size
    _check_end(raw, raw.payload.rfind(b"\xff\xd9") + 2)
    return Part(raw.place, "picture", raw.payload, tuple(texts)), inner


_DRAWING = {
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB",
    b"bKGD", b"hIST", b"pHYs", b"sPLT", b"tIME",
}  # fmt: skip


def _png_text(name: bytes, body: bytes, place: str) -> tuple[str, str]:
    key, _, rest = body.partition(b"\0")
    try:
        if name == b"zTXt":
            rest = inflate(rest[1:], place)
        if name == b"iTXt":
            packed, rest = rest[:1] == b"\1", rest[2:]
            rest = rest.split(b"\0", 2)[2]
            rest = inflate(rest, place) if packed else rest
    except (zlib.error, IndexError) as error:
        raise unreadable(place, "a broken text in a picture") from error
    encoding = "utf-8" if name == b"iTXt" else "latin-1"
    return key.decode("latin-1"), rest.decode(encoding, errors="replace")


def _check_end(raw: Raw, at: int) -> None:
    if at != len(raw.payload):
        raise unreadable(raw.place, "a picture that is broken or has bytes after its end")
