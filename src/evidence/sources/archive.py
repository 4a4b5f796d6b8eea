"""Read raw files, and keep dated copies of them that are never edited."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

import numpy as np
import pandas as pd

from evidence.errors import SourceError
from evidence.sources.copies import (
    FOLDER,
    Archived,
    File,
    Incoming,
    check_inside,
    is_pattern,
    store,
)
from evidence.sources.files import check_digest, digest_file, find_copies, no_copy
from evidence.sources.reading.parse import Parsed, parse
from evidence.sources.record import Record, Table, load_record

_PART = 1 << 24


def parse_file(file: File, record: Record, table: Table) -> tuple[Parsed, str]:
    """Parse a file and check its bytes against the hashes that are known of it.

    The bytes are hashed while they are parsed: on a large file that is half the time.

    Returns
    -------
    tuple
        What was parsed, and the SHA-256 of the bytes.

    Raises
    ------
    SourceError
        Where an archived copy was edited, the file is not the one that the record
        describes, or it cannot be read as the table.
    """
    where = f"source '{record.id}', file {file.label}"
    with ThreadPoolExecutor(1) as pool:
        hashing = pool.submit(digest_file, file.path)
        payload = _read(file.path)
        try:
            parsed = parse(payload, file.name, table, where)
        finally:
            digest = check_digest(hashing.result(), file, record, table)
    return parsed, digest


def archive_file(
    root: Path, path: Path, *, source: str = "", today: date | None = None
) -> Archived:
    """Copy a file into the archive of the source that it belongs to.

    It is parsed first: what cannot be read is not archived.

    Parameters
    ----------
    source : str
        Id of the record; inferred from the file's place or name if empty.
    today : date
        The day of the copy; today's in UTC if left out.

    Raises
    ------
    SourceError
        Where no record, or more than one, names the file, or the file cannot be read.
    """
    if not path.is_file():
        raise SourceError(
            path.name,
            seen="no such file",
            expected="a regular file to archive",
            do="Check the name and the folder.",
        )
    record = load_record(root, source or _infer_source(root, path))
    refuse_kind(record)
    if path.resolve().is_relative_to((root / "data" / "raw" / record.id / FOLDER).resolve()):
        raise SourceError(
            path.name,
            seen=f"a file of the archive of '{record.id}'",
            expected="one that is not archived yet",
            do="Nothing is to be done.",
        )
    incoming = Incoming(record, _match_table(record, path.name), path.name, path.read_bytes())
    check_incoming(incoming)
    return store(root, incoming, today)


def check_incoming(incoming: Incoming) -> None:
    """Read a file as the tables that are made of it, to see that it can be.

    Raises
    ------
    SourceError
        As ``parse`` and ``check_inside``.
    """
    check_inside(incoming.record, incoming.table)
    where = f"source '{incoming.record.id}', file {incoming.name}"
    for table in incoming.tables:
        parse(incoming.payload, incoming.name, table, where)


def refuse_kind(record: Record) -> None:
    """Refuse sources that have no files of their own.

    Raises
    ------
    SourceError
        Where the record's kind is not ``file``.
    """
    if record.kind != "file":
        come = "come with a package" if record.kind == "packaged" else "are drawn from the record"
        raise SourceError(
            f"source '{record.id}'",
            seen=f"kind '{record.kind}'",
            expected="kind 'file', the one that has raw files of its own",
            do=f"Nothing is to be fetched or archived: its data {come}.",
        )


def list_versions(root: Path, record: Record, table: Table) -> pd.DataFrame:
    """List the archived copies of a table, the oldest of each file first.

    Returns
    -------
    DataFrame
        ``file, archived, sha256, bytes, path`` (relative to the root).

    Raises
    ------
    SourceError
        Where a copy's papers are missing or wrong.
    """
    found = find_copies(root / "data" / "raw" / record.id, record, table)
    rows = [
        {
            "file": name,
            "archived": copy.origin.archived,
            "sha256": copy.origin.sha256,
            "bytes": copy.origin.bytes,
            "path": copy.path.relative_to(root).as_posix(),
        }
        for name, copies in sorted(found.items())
        for copy in copies
    ]
    return pd.DataFrame(rows, columns=["file", "archived", "sha256", "bytes", "path"])


def read_version(root: Path, record: Record, table: Table, sha256: str) -> pd.DataFrame:
    """Read one archived copy as its table, to count revisions against it.

    Parameters
    ----------
    sha256 : str
        As ``list_versions`` gives it.

    Raises
    ------
    SourceError
        Where there is no such copy, it was edited, or cannot be read as the table.
    """
    found = find_copies(root / "data" / "raw" / record.id, record, table)
    for copy in (copy for copies in found.values() for copy in copies):
        if copy.origin.sha256 == sha256:
            return parse_file(copy.file, record, replace(table, sha256=""))[0].frame
    raise no_copy(record, table, found, sha256)


def _read(path: Path) -> memoryview:
    """Read a file, by several threads, into memory that numpy lays out: bytes take far longer."""
    with path.open("rb") as file, ThreadPoolExecutor() as threads:
        room = np.empty(os.fstat(file.fileno()).st_size, dtype=np.uint8)
        starts = range(0, len(room), _PART)
        parts = [room[start : start + _PART] for start in starts]
        read = threads.map(
            lambda part, start: os.preadv(file.fileno(), [part], start), parts, starts
        )
        whole = sum(read) == len(room)
    return room.data if whole else memoryview(path.read_bytes())


def _infer_source(root: Path, path: Path) -> str:
    """Tell a file's record by its place under ``data/raw/``, or else by its name."""
    raw, place = (root / "data" / "raw").resolve(), path.resolve()
    if place.is_relative_to(raw) and place.parent != raw:
        return place.relative_to(raw).parts[0]
    records = [load_record(root, p.stem) for p in sorted((root / "data/sources").glob("*.toml"))]
    files = [record for record in records if record.kind == "file"]
    named = [r.id for r in files if any(_names(table, path.name) for table in r.tables)]
    if len(named) == 1:
        return named[0]
    if named:
        raise SourceError(
            path.name,
            seen=f"several records whose table names this file: {', '.join(named)}",
            expected="one of them",
            do="Say --source ID; the file may be archived for each.",
        )
    raise SourceError(
        path.name,
        seen="no record whose table names this file",
        expected=f"one of {', '.join(r.id for r in files) or 'kind file; there is none'}",
        do="Say --source ID, or write a record: docs/data.md has one to copy.",
    )


def _match_table(record: Record, name: str) -> Table:
    """Choose the table that names a file, else the one that takes any, else the only one."""
    named = [table for table in record.tables if _names(table, name)]
    named = named or [table for table in record.tables if table.file == "*"]
    if not named and len(record.tables) == 1 and not is_pattern(record.tables[0]):
        named = list(record.tables)
    if named:
        return named[0]
    raise SourceError(
        f"source '{record.id}': {name}",
        seen="a file that none of its tables names",
        expected=f"one of {', '.join(table.file for table in record.tables)}",
        do=f"Rename the file, or list its name under 'mirrors' in data/sources/{record.id}.toml.",
    )


def _names(table: Table, name: str) -> bool:
    """Tell whether a table names a file; the pattern ``*`` names none in particular."""
    own = PurePath(table.file).name
    if name == own or name in table.mirrors:
        return True
    return is_pattern(table) and own != "*" and fnmatchcase(name, own)
