"""Which format a file has: its ending says it, its first bytes have to agree."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import re
import zipfile
import zlib
from dataclasses import replace
from pathlib import PurePosixPath
from typing import IO

from evidence.errors import SourceError
from evidence.sources.reading.cells import Bytes, Grid, Pairs
from evidence.sources.reading.delimited import read_text
from evidence.sources.reading.statistical import read_parquet, read_spss, read_stata
from evidence.sources.reading.workbook import read_workbook
from evidence.sources.record import Table

_TEXTS = (".csv", ".tsv", ".txt")
_BINARIES = (".xlsx", ".dta", ".sav", ".parquet")
_PACKED = (".gz", ".bz2")
_MOST_BYTES = 2 << 30
_STEP = 1 << 24
_HEAD = 4096
_SAFE = 1 << 26
_MOST_RATIO = 500
_FILLED = re.compile(rb"[^\s]")
_OLD_STATA = (b"l", b"n", b"o", b"q", b"r", b"s")
_MAGIC = (
    (b"version https://git-lfs", "a pointer of Git LFS", "Fetch the file itself: git lfs pull."),
    (
        b"\xd0\xcf\x11\xe0",
        "an old or encrypted workbook of Excel",
        "Save it as .xlsx without a password.",
    ),
    (b"%PDF", "a PDF", "Get the data as CSV or Excel: tables of a PDF cannot be read safely."),
    (b"\x1f\x8b", ".gz", ""),
    (b"BZh", ".bz2", ""),
    (b"PK\x03\x04", ".zip", ""),
    (b"PK\x05\x06", "an empty zip archive", "Get the file again."),
    (b"<stata_dta>", ".dta", ""),
    (b"$FL2", ".sav", ""),
    (b"$FL3", ".sav", ""),
    (b"PAR1", ".parquet", ""),
    (b"\xfd7zXZ", "a file packed with xz", "Unpack it."),
    (b"\x28\xb5\x2f\xfd", "a file packed with zstd", "Unpack it."),
    (b"7z\xbc\xaf", "a file packed with 7-Zip", "Unpack it."),
    (b"Rar!", "a file packed with RAR", "Unpack it."),
    (b"SQLite format 3", "a database of SQLite", "Export the table as CSV."),
    (b"RDX", "a file of R", "Save it as CSV or Parquet."),
)


def read_file(payload: Bytes, name: str, table: Table, where: str) -> Grid:
    """Read a file's declared columns, whatever its format.

    Raises
    ------
    SourceError
        Where the ending is unknown, the content disagrees with it, or cannot be read.
    """
    payload, name, readings = _unpack(payload, name.lower(), where)
    ending = PurePosixPath(name).suffix
    if ending not in (*_TEXTS, *_BINARIES):
        raise SourceError(
            where,
            seen=f"a file that ends in '{ending}'",
            expected=f"one of {', '.join((*_TEXTS, *_BINARIES, '.zip'))}, text also with .gz or .bz2",
            do="Save it as CSV in UTF-8, or name it by what it is.",
        )
    _check_content(payload, ending, where)
    if ending in _TEXTS:
        grid = read_text(payload, ending, table, where)
    else:
        grid = _READERS[ending](bytes(payload), table, where)
    return replace(grid, readings=(*readings, *grid.readings))


_READERS = {
    ".xlsx": read_workbook,
    ".dta": read_stata,
    ".sav": read_spss,
    ".parquet": read_parquet,
}


def _unpack(payload: Bytes, name: str, where: str) -> tuple[Bytes, str, Pairs]:
    """Unpack .gz, .bz2 and .zip, no further than a bound."""
    path = PurePosixPath(name)
    if path.suffix == ".zip":
        return _unpack_archive(bytes(payload), where)
    if path.suffix not in _PACKED:
        return payload, name, ()
    if PurePosixPath(path.stem).suffix in _BINARIES:
        raise SourceError(
            where,
            seen=f"a packed '{PurePosixPath(path.stem).suffix}'",
            expected="text, where a file is packed",
            do="Unpack it: the format is packed in itself.",
        )
    found = _recognise(payload)
    if payload and found != path.suffix:
        raise _disagree(found or "something else", path.suffix, "", where)
    opened = gzip.open if path.suffix == ".gz" else bz2.open
    return _read_bounded(opened(io.BytesIO(payload)), len(payload), where), path.stem, ()


def _read_bounded(stream: io.BufferedIOBase | IO[bytes], packed: int, where: str) -> bytes:
    parts, total = [], 0
    try:
        while part := stream.read(_STEP):
            parts.append(part)
            total += len(part)
            if total > _MOST_BYTES or total > max(_SAFE, _MOST_RATIO * packed):
                raise SourceError(
                    where,
                    seen=f"{packed:,} packed bytes that unpack to more than {total:,}",
                    expected=f"at most {_MOST_RATIO} times as many, and at most {_MOST_BYTES:,}",
                    do="Get the file again; if it is right, unpack it or split it.",
                )
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError) as error:
        raise SourceError(
            where,
            seen=f"a packed file that is damaged ({' '.join(str(error).split())})",
            expected="a whole one",
            do="Get the file again.",
        ) from error
    return b"".join(parts)


def _unpack_archive(payload: bytes, where: str) -> tuple[bytes, str, Pairs]:
    if payload and _recognise(payload) != ".zip":
        raise _disagree(_recognise(payload) or "something else", ".zip", "", where)
    try:
        archive = zipfile.ZipFile(io.BytesIO(payload))
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise SourceError(
            where,
            seen=f"a zip archive that cannot be opened ({error})",
            expected="a whole one",
            do="Get the file again.",
        ) from error
    names = [member.filename for member in archive.infolist() if not member.is_dir()]
    data = [n for n in names if _is_data(n)]
    if len(data) != 1:
        raise SourceError(
            where,
            seen=f"a zip archive of {', '.join(sorted(data or names)[:5]) or 'nothing'}",
            expected="one data file in it",
            do="Unpack it, and keep the file that the record means.",
        )
    try:
        stream = archive.open(data[0])
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise SourceError(
            where,
            seen=f"a zip archive that cannot be unpacked ({error})",
            expected="one without a password",
            do="Unpack it.",
        ) from error
    content = _read_bounded(stream, len(payload), where)
    return content, PurePosixPath(data[0]).name.lower(), (("member", data[0]),)


def _is_data(name: str) -> bool:
    path = PurePosixPath(name.lower())
    hidden = path.name.startswith(".") or "__macosx" in path.parts
    return path.suffix in (*_TEXTS, *_BINARIES, ".xls", ".zip") and not hidden


def _recognise(payload: Bytes) -> str:
    """Tell what a file is by its first bytes; empty if they say nothing."""
    head = bytes(payload[:_HEAD])
    kind = next((kind for magic, kind, _ in _MAGIC if head.startswith(magic)), "")
    is_book = kind == ".zip" and b"xl/workbook" in bytes(payload)
    return ".xlsx" if is_book else kind


def _check_content(payload: Bytes, ending: str, where: str) -> None:
    found = _recognise(payload)
    if found == ending:
        return
    head = bytes(payload[:_HEAD])
    if ending == ".dta" and head[:1] in _OLD_STATA and head[2:4] in {b"\x01\x00", b"\x01\x01"}:
        return
    if not _FILLED.search(payload):
        raise SourceError(
            where,
            seen="a file that cannot be read (it is empty)",
            expected="a header line, then rows" if ending in _TEXTS else "a file with data",
            do="Get the file again: nothing arrived.",
        )
    if found:
        do = next((do for _, kind, do in _MAGIC if kind == found), "")
        raise _disagree(found, ending, do, where)
    head = head.lstrip(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"<"):
        what = "a web page" if b"<html" in head.lower() or b"<!doctype" in head.lower() else "XML"
        raise _disagree(what, ending, "Save the data as CSV: a login or error page came.", where)
    if head.startswith((b"{", b"[")) and _is_json(bytes(payload)):
        raise _disagree("a JSON answer", ending, f"It says {head[:80]!r}: ask for CSV.", where)
    if ending in _BINARIES:
        raise _disagree("something else", ending, "", where)


def _is_json(payload: bytes) -> bool:
    try:
        json.loads(payload)
    except (ValueError, RecursionError):
        return payload.lstrip().startswith(b'{"')
    return True


def _disagree(found: str, ending: str, do: str, where: str) -> SourceError:
    known = found.startswith(".")
    return SourceError(
        where,
        seen=f"content of a '{found}' in a file that ends in '{ending}'" if known else found,
        expected=f"what '{ending}' says",
        do=do or ("Name the file by what it is." if known else "Get the file again."),
    )
