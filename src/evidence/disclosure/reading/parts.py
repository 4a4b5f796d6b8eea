"""The nouns of taking a file apart, and the refusals of what cannot be taken apart."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from evidence.errors import DisclosureError

MOST_BYTES = 512 * 1024**2
MOST_RATIO = 1000
MOST_PARTS = 20_000
DEEPEST = 12
_FREE = 8 * 1024**2


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes that wait to be read.

    ``guess`` says that they are a decoding on suspicion: if they are nothing, they are
    no refusal.
    """

    place: str
    payload: bytes
    depth: int = 0
    guess: bool = False
    kind: str = ""

    def inner(self, name: str, payload: bytes, *, guess: bool = False, kind: str = "") -> Raw:
        """Name what was found inside."""
        place = f"{self.place}: {name}" if name else self.place
        return Raw(place, payload, self.depth + 1, guess or self.guess, kind)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a file as it is read.

    ``kind`` is html, svg, xml, css, json, notebook, text, pdf, picture, archive, font
    or bytes. ``texts`` are its readings (as it stands, escapes resolved, tags taken
    out); ``prose`` is what a person or a machine reads as words and numbers, without
    the coordinates of drawings. ``sure`` is false for bytes taken for text on a guess;
    ``coded`` is true for what was decoded on suspicion, which may be numbers as well.
    """

    place: str
    kind: str
    payload: bytes
    texts: tuple[str, ...] = ()
    prose: tuple[str, ...] = ()
    sure: bool = True
    coded: bool = False


def inflate(payload: bytes, place: str, wbits: int = zlib.MAX_WBITS) -> bytes:
    """Undo deflate within the limits.

    Raises
    ------
    zlib.error
        Where these are other bytes.
    DisclosureError
        Where they unpack to too much.
    """
    machine = zlib.decompressobj(wbits)
    unpacked = machine.decompress(payload, room(len(payload)))
    if machine.unconsumed_tail and not machine.eof:
        raise too_large(place)
    return unpacked


def room(packed: int) -> int:
    """Count the bytes that so many packed bytes may unpack to."""
    return min(MOST_BYTES, max(_FREE, MOST_RATIO * packed // 4))


def too_large(place: str) -> DisclosureError:
    """Refuse what unpacks to more than can be searched."""
    return DisclosureError(
        place,
        seen="packed data that unpack to more than can be searched",
        expected=f"at most {MOST_BYTES // 1024**2} MB, a moderate ratio and few levels",
        do="Publish the file unpacked; nothing was published.",
    )


def unreadable(place: str, what: str) -> DisclosureError:
    """Refuse what cannot be searched."""
    return DisclosureError(
        place,
        seen=what,
        expected="a format that can be searched: HTML, SVG, PNG, JPEG, PDF, DOCX, XLSX, ODT, "
        "EPUB, ZIP, CSV, JSON or text",
        do="Save it in one of these, without a password; nothing was published.",
    )
