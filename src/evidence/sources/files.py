"""Which files a source is made of today, and the hash of what they would give."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from pydantic import TypeAdapter

from evidence.errors import SourceError
from evidence.sources.copies import (
    FOLDER,
    PAPERS,
    Copy,
    File,
    check_inside,
    hash_in_name,
    is_aside,
    is_pattern,
    leads_out,
    list_copies,
)
from evidence.sources.identity.register import fingerprint_register, list_register
from evidence.sources.record import Record, Table, load_record


def fingerprint(root: Path, source: str, *, seed: int) -> str:
    """Hash what a source would give, without parsing it.

    Raises
    ------
    SourceError
        Where the record or a file is missing.
    """
    record = load_record(root, source)
    digest = hashlib.sha256(TypeAdapter(Record).dump_json(record))
    if record.kind == "simulated":
        digest.update(str(seed).encode())
        return digest.hexdigest()
    folder = (
        package_folder(record) if record.kind == "packaged" else root / "data" / "raw" / record.id
    )
    for table in record.tables:
        for file in find_files(folder, record, table):
            digest.update(file.name.encode())
            if table.stack:
                digest.update(str(file.archived).encode())
            digest.update(hash_file(file, record, table).encode())
    if record.register:
        digest.update(fingerprint_register(root, record.register).encode())
    return digest.hexdigest()


def describe_case(root: Path, source: str, case: dict[str, str]) -> str:
    """Hash what a kernel may see of a source's record in one case.

    Of a simulated source that is what draws this case, and nothing of the others. The hash
    that pins a table's file is left out: it is held against the file, and says nothing of
    its rows.

    Raises
    ------
    SourceError
        Where the record is missing or wrong.
    """
    record = load_record(root, source)
    tables = tuple(replace(table, sha256="") for table in record.tables)
    record = replace(record, tables=tables)
    for name in ("simulation", "equations"):
        drawn = getattr(record, name)
        if drawn is not None:
            own = tuple(
                c for c in drawn.cases if {"country": c.country, "sector": c.sector} == case
            )
            record = replace(record, **{name: replace(drawn, cases=own)})
    return hashlib.sha256(TypeAdapter(Record).dump_json(record)).hexdigest()


def list_unfetched(root: Path, sources: Iterable[str]) -> tuple[str, ...]:
    """List the sources that ``evidence fetch`` can bring and of which nothing is there yet.

    A source of which any file is there is not among them, however little or damaged it is:
    reading it tells what is wrong. Nor is one that is not to be fetched.

    Raises
    ------
    SourceError
        Where a record is missing or wrong.
    """
    records = [load_record(root, source) for source in sources]
    return tuple(r.id for r in records if _is_fetched(r) and not _holds_files(root, r))


def _is_fetched(record: Record) -> bool:
    """Tell whether each of a source's tables has an address, or names in a mirror."""
    return record.kind == "file" and all(table.url or table.mirrors for table in record.tables)


def _holds_files(root: Path, record: Record) -> bool:
    folder = root / "data" / "raw" / record.id
    return any(path.is_file() for path in folder.rglob("*"))


def list_raw(root: Path, source: str) -> tuple[Path, ...]:
    """List the files below ``data/raw/`` that a source is read from today.

    Raw files, the papers of archived copies, the files of its register.

    Raises
    ------
    SourceError
        Where the record or a file is missing.
    """
    record = load_record(root, source)
    folder = root / "data" / "raw" / record.id
    tables = record.tables if record.kind == "file" else ()
    files = [file for table in tables for file in find_files(folder, record, table)]
    papers = [f.path.with_name(f.path.name + PAPERS) for f in files if f.archived is not None]
    register = list_register(root, record.register) if record.register else ()
    return tuple(dict.fromkeys([*(file.path for file in files), *papers, *register]))


def package_folder(record: Record) -> Path:
    """Find the folder of an installed package without importing it.

    Raises
    ------
    SourceError
        Where it is not installed.
    """
    top, *inner = record.package.split(".")
    found = importlib.util.find_spec(top) if top else None
    folder = Path(found.origin).parent.joinpath(*inner) if found and found.origin else None
    if folder is None or not folder.is_dir():
        raise SourceError(
            f"data/sources/{record.id}.toml: package",
            seen=f"'{record.package}', which is not installed",
            expected="an installed package that ships the file",
            do="Install the lock file's packages (make setup).",
        )
    return folder


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
    copies = find_copies(folder, record, table)
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


def hash_file(file: File, record: Record, table: Table) -> str:
    """Hash a file and check it against the hashes that are known of it.

    Raises
    ------
    SourceError
        Where an archived copy was edited, or the file is not the one that the record
        describes.
    """
    return check_digest(digest_file(file.path), file, record, table)


def digest_file(path: Path) -> str:
    """Hash a file; once a process, as long as its disk says that it is the same."""
    told = path.stat()
    state = (told.st_dev, told.st_ino, told.st_size, told.st_mtime_ns, told.st_ctime_ns)
    if state not in _HASHED:
        with path.open("rb") as file:
            _HASHED[state] = hashlib.file_digest(file, "sha256").hexdigest()
    return _HASHED[state]


_HASHED: dict[tuple[int, ...], str] = {}


def check_digest(found: str, file: File, record: Record, table: Table) -> str:
    """Check a file's hash against its copy's name and its record.

    Raises
    ------
    SourceError
        Where an archived copy was edited, or the file is not the one that the record
        describes.
    """
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


def find_copies(folder: Path, record: Record, table: Table) -> dict[str, list[Copy]]:
    """Find the archived copies of each file that the table names, the oldest first."""
    archive = folder / FOLDER
    paths = sorted(archive.glob(table.file)) if is_pattern(table) else [archive / table.file]
    names = [path.relative_to(archive).as_posix() for path in paths if path.is_dir()]
    found = {name: list_copies(folder, name, record) for name in names}
    return {name: copies for name, copies in found.items() if copies}


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
    raise no_copy(record, table, copies, table.sha256)


def no_copy(
    record: Record, table: Table, copies: dict[str, list[Copy]], sha256: str
) -> SourceError:
    """Spell the refusal of a copy that is not there."""
    there = [copy.origin.sha256[:12] for of_name in copies.values() for copy in of_name]
    return SourceError(
        f"source '{record.id}', file {table.file}",
        seen=f"archived copies {', '.join(there) or 'none'}",
        expected=f"one with SHA-256 {sha256}",
        do="Restore that copy, or pin one that is there.",
    )
