"""The last look: every byte of a public file, searched for what must not leave.

A file is taken apart until only texts are left: ZIP containers (DOCX, XLSX, ODT, EPUB),
tar, gzip, bz2, xz, zlib, brotli by its name; PDF streams, strings and attachments;
texts in PNG and JPEG; data addresses, base64 and hexadecimal runs; UTF-8, UTF-16, UTF-32;
entities, percent signs, backslashes, quoted-printable; tags. What cannot be read is
refused. Looked for are: identifiers and exact values (see ``secrets``); paths, tracebacks,
stderr, papermill; authors; comments, scripts, addresses outside, hidden cells (see
``traces``); drawings with a mark for every second unit.

Identifiers bind every source; values and marks bind restricted and simulated ones;
traces bind everything. Not read: points of pictures, fonts (their tables are packed), letters
drawn as outlines, other alphabets' look-alikes, other codings (base32, ciphers).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from evidence.disclosure.gate import Cleared
from evidence.disclosure.reading import Part, unpack
from evidence.disclosure.secrets import (
    Secrets,
    collect,
    find_name,
    find_numbers,
    find_values,
    read_array,
    read_numbers,
)
from evidence.disclosure.traces import count_marks, find_active, find_traces
from evidence.errors import DisclosureError

_LEAST_MARKS = 30
_LARGEST = 256 * 1024**2


def scan_bytes(payload: bytes, cleared: Cleared, name: str) -> None:
    """Scan the bytes of a public file, and of all that is packed or coded in them.

    Raises
    ------
    DisclosureError
        Naming the file, the part inside it and the kind of thing, never the thing.
    """
    secrets = collect(cleared)
    read, drawn = dict[float, int](), dict[float, int]()
    for part in unpack(payload, name):
        _check_part(part, cleared, secrets)
        whole = part.texts if part.kind == "pdf" else part.texts[:1]
        prose = set(part.prose)
        told = {text: read_numbers(text, grouped=text in prose or part.kind != "pdf")
                for text in {*prose, *whole}}  # fmt: skip
        for text in part.prose:
            read |= told[text]
        if part.kind == "pdf" or part.texts[:1] != part.prose[:1]:
            for text in whole:
                drawn |= told[text]
        arrays = read_array(part.payload) if part.coded else []
        if any(find_values(secrets, array) for array in arrays):
            raise _leak(part.place, f"exact values of a {_unit(cleared)}", _ROUND)
    if find_values(secrets, read) or find_values(secrets, drawn):
        raise _leak(name, f"exact values of a {_unit(cleared)}", _ROUND)


def scan_words(words: Iterable[str], cleared: Cleared, name: str) -> None:
    """Scan words for names and codes of units: those of files that hold no page.

    Raises
    ------
    DisclosureError
        Naming the file, never the word.
    """
    secrets = collect(cleared)
    if any(find_name(secrets, word, sure=True) for word in words):
        told = "Take it out of the study's ids, labels of cells and notes"
        raise _leak(name, f"an identifier of a {_unit(cleared)}", told)


def scan_folder(
    folder: Path, cleared: Cleared, scanned: Mapping[str, str] = MappingProxyType({})
) -> int:
    """Scan every file below a public folder, of whatever format, names included.

    Parameters
    ----------
    scanned : mapping
        File name → SHA-256 of the bytes that were scanned when they were made: these are not
        read through a second time.

    Returns
    -------
    int
        Count of files.

    Raises
    ------
    DisclosureError
        Where a file holds what must not leave, cannot be read, or is a link.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_symlink() or path.is_file())
    secrets = collect(cleared)
    for number, path in enumerate(files, 1):
        name = path.relative_to(folder).as_posix()
        place = f"{folder.name}: name of file {number} of {len(files)}"
        _check_part(Part(place, "text", b"", (name,), (name,)), cleared, secrets)
        if path.is_symlink() or path.stat().st_size > _LARGEST:
            raise _leak(f"{folder.name}/{name}", "a link to elsewhere, or a file beyond reading",
                        "Publish the file itself, in parts of moderate size.")  # fmt: skip
        payload = path.read_bytes()
        if scanned.get(name) != hashlib.sha256(payload).hexdigest():
            scan_bytes(payload, cleared, f"{folder.name}/{name}")
    return len(files)


_WORDS = "Take it out of the study's words or labels"
_ROUND = "Publish rounded or aggregated numbers instead"
_CLEAN = "Write the file again without it"


def _check_part(part: Part, cleared: Cleared, secrets: Secrets) -> None:
    if any(find_name(secrets, text, sure=part.sure) for text in part.texts) or find_numbers(
        secrets, part.prose
    ):
        raise _leak(part.place, f"an identifier of a {_unit(cleared)}", _WORDS)
    trace = find_traces(part, cleared.study.root) or find_active(
        part, cleared.study.brief.imprint.address
    )
    if trace:
        raise _leak(part.place, trace, _CLEAN)
    if secrets.least_units and count_marks(part) > _most_marks(cleared, secrets):
        raise _leak(
            part.place,
            f"a drawing with about as many marks as there are units ({_unit(cleared)})",
            "Draw from an exhibit's table, or publish the picture as PNG",
        )


def _most_marks(cleared: Cleared, secrets: Secrets) -> float:
    """Allow half as many marks as units, or as the tables that were cleared can have."""
    rows = max((2 * len(exhibit.data) for exhibit in cleared.neck.exhibits), default=0)
    return max(_LEAST_MARKS, rows, secrets.least_units / 2)


def _unit(cleared: Cleared) -> str:
    return str(cleared.neck.protected["protected_unit"])


def _leak(place: str, what: str, do: str) -> DisclosureError:
    return DisclosureError(
        place,
        seen=what,
        expected="nothing that points at a unit, a person or a machine",
        do=f"{do}; nothing was published.",
    )
