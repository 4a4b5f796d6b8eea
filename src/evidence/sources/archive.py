"""Which files a table is made of: loose ones, and dated copies that are never edited."""

from __future__ import annotations

import hashlib
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
    Copy,
    File,
    Incoming,
    check_incoming,
    check_inside,
    hash_in_name,
    is_aside,
    is_pattern,
    leads_out,
    list_copies,
    store,
)
from evidence.sources.reading.parse import Parsed, parse
from evidence.sources.record import Record, Table, load_record

_PART = 1 << 24


def find_files(folder: Path, record: Record, table: Table) -> tuple[File, ...]:
    """Find the files that a table is made of today, sorted by name.

    Of each name it is the latest archived copy, or the loose file where there is none;
    all copies, the oldest first, where the table has ``stack``; the one copy with that
    hash where it has ``sha256``.

    Parameters
    ----------
    folder : Path
        The source's folder: ``data/raw/<id>/``, or the package's.

    Raises
    ------
    SourceError
        Where there is none, a loose file differs from its latest archived copy, or a
        name leads out of the folder.
    """
    loose = _find_loose(folder, record, table)
    copies = _find_copies(folder, record, table)
    if table.sha256 and copies:
        return (_find_pinned(loose, copies, record, table),)
    files: list[File] = []
    for name in sorted({*loose, *copies}):
        of_name = copies.get(name, [])
        if name in loose and (of_name or table.stack):
            _check_loose(name, loose[name], of_name, record)
        chosen = of_name if table.stack else of_name[-1:]
        files += [copy.file for copy in chosen] or [File(loose[name].name, loose[name])]
    if not files:
        fetched = f", say evidence fetch {record.id}" if table.url or table.mirrors else ""
        raise SourceError(
            f"source '{record.id}', file {table.file}",
            seen="no such file",
            expected=f"the raw file that data/sources/{record.id}.toml describes",
            do=f"Put it under data/raw/{record.id}/{fetched}, or mend 'file' in the record.",
        )
    return tuple(files)


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
        hashing = pool.submit(_digest, file.path)
        payload = _read(file.path)
        try:
            parsed = parse(payload, file.name, table, where)
        finally:
            digest = _check_digest(hashing.result(), file, record, table)
    return parsed, digest


def hash_file(file: File, record: Record, table: Table) -> str:
    """Hash a file and check it against the hashes that are known of it.

    Raises
    ------
    SourceError
        Where an archived copy was edited, or the file is not the one that the record
        describes.
    """
    return _check_digest(_digest(file.path), file, record, table)


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
    found = _find_copies(root / "data" / "raw" / record.id, record, table)
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
    found = _find_copies(root / "data" / "raw" / record.id, record, table)
    for copy in (copy for copies in found.values() for copy in copies):
        if copy.origin.sha256 == sha256:
            return parse_file(copy.file, record, replace(table, sha256=""))[0].frame
    raise _no_copy(record, table, found, sha256)


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


def _digest(path: Path) -> str:
    """Hash a file; once a process, as long as its disk says that it is the same."""
    told = path.stat()
    state = (told.st_dev, told.st_ino, told.st_size, told.st_mtime_ns, told.st_ctime_ns)
    if state not in _HASHED:
        with path.open("rb") as file:
            _HASHED[state] = hashlib.file_digest(file, "sha256").hexdigest()
    return _HASHED[state]


_HASHED: dict[tuple[int, ...], str] = {}


def _check_digest(found: str, file: File, record: Record, table: Table) -> str:
    named = hash_in_name(file.path)
    if file.archived is not None and not found.startswith(named):
        raise SourceError(
            f"source '{record.id}', file {file.label}",
            seen=f"an archived copy that was edited (SHA-256 {found[:12]})",
            expected=f"the bytes that were archived (SHA-256 {named})",
            do="Restore the copy; or remove it with its .origin.json and archive the file again.",
        )
    if table.sha256 and found != table.sha256:
        raise SourceError(
            f"source '{record.id}', file {table.file}",
            seen=f"a file with SHA-256 {found}",
            expected=table.sha256,
            do="Restore the file; if the change is meant, archive it and renew the record.",
        )
    return found


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


def _find_loose(folder: Path, record: Record, table: Table) -> dict[str, Path]:
    """Find the regular files of the folder that the table names, by their name in it."""
    check_inside(record, table)
    if is_pattern(table):
        paths = [path for path in sorted(folder.glob(table.file)) if _is_own(path, folder)]
    else:
        paths = [folder / table.file] if (folder / table.file).exists() else []
    for path in paths:
        if not path.is_file():
            raise SourceError(
                f"source '{record.id}', file {path.name}",
                seen="a folder or a device of that name",
                expected="a regular file",
                do="Put the file there, or mend 'file' in the record.",
            )
        if record.kind == "file" and not path.resolve().is_relative_to(folder.resolve()):
            raise leads_out(record, path.name)
    return {path.relative_to(folder).as_posix(): path for path in paths}


def _is_own(path: Path, folder: Path) -> bool:
    """Tell whether a path that a pattern matches is a raw file, not the archive or a folder."""
    inside = path.relative_to(folder).parts
    return inside[0] != FOLDER and not path.is_dir() and not is_aside(path.name)


def _find_copies(folder: Path, record: Record, table: Table) -> dict[str, list[Copy]]:
    """Find the archived copies of each file that the table names, the oldest first."""
    archive = folder / FOLDER
    paths = sorted(archive.glob(table.file)) if is_pattern(table) else [archive / table.file]
    names = [path.relative_to(archive).as_posix() for path in paths if path.is_dir()]
    found = {name: list_copies(folder, name, record) for name in names}
    return {name: copies for name, copies in found.items() if copies}


def _check_loose(name: str, path: Path, copies: list[Copy], record: Record) -> None:
    latest = copies[-1].origin if copies else None
    if latest is not None and hashlib.sha256(path.read_bytes()).hexdigest() == latest.sha256:
        return
    raise SourceError(
        f"source '{record.id}', file {name}",
        seen="a loose file that is not archived"
        + (f", beside a copy of {latest.archived} with other content" if latest else ""),
        expected="the content of the latest archived copy, or no loose file",
        do=f"Say evidence archive data/raw/{record.id}/{name}, or remove the file.",
    )


def _find_pinned(
    loose: dict[str, Path], copies: dict[str, list[Copy]], record: Record, table: Table
) -> File:
    for copy in (copy for of_name in copies.values() for copy in of_name):
        if copy.origin.sha256 == table.sha256:
            return copy.file
    for path in loose.values():
        if hashlib.sha256(path.read_bytes()).hexdigest() == table.sha256:
            return File(path.name, path)
    raise _no_copy(record, table, copies, table.sha256)


def _no_copy(
    record: Record, table: Table, copies: dict[str, list[Copy]], sha256: str
) -> SourceError:
    there = [copy.origin.sha256[:12] for of_name in copies.values() for copy in of_name]
    return SourceError(
        f"source '{record.id}', file {table.file}",
        seen=f"archived copies {', '.join(there) or 'none'}",
        expected=f"one with SHA-256 {sha256}",
        do="Restore that copy, or pin one that is there.",
    )
