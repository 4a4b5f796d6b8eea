"""Which files a table is made of: loose ones, and dated copies that are never edited."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from evidence.errors import SourceError
from evidence.sources.record import Record, Table


@dataclass(frozen=True, slots=True)
class File:
    """One file of a table: its own name, where it lies, and since when it is archived.

    ``archived`` is None for a file that lies loose and was never archived.
    """

    name: str
    path: Path
    archived: date | None = None


def find_files(folder: Path, record: Record, table: Table) -> tuple[File, ...]:
    """Find the files that a table is made of today, sorted by name.

    Parameters
    ----------
    folder : Path
        The source's folder: ``data/raw/<id>/``, or the package's.

    Raises
    ------
    SourceError
        Where there is none, or a loose file differs from its latest archived copy.
    """
    paths = sorted(folder.glob(table.file)) if "*" in table.file else [folder / table.file]
    if not paths or not all(path.is_file() for path in paths):
        raise SourceError(
            f"source '{record.id}', file {table.file}",
            seen="no such file",
            expected=f"the raw file that data/sources/{record.id}.toml describes",
            do=f"Put it under data/raw/{record.id}/, or mend 'file' in the record.",
        )
    return tuple(File(path.name, path) for path in paths)


def read_file(file: File, record: Record, table: Table) -> bytes:
    """Read a file's bytes and check them against the record's hash, if it has one.

    Raises
    ------
    SourceError
        Where the file is not the one that the record describes.
    """
    payload = file.path.read_bytes()
    found = hashlib.sha256(payload).hexdigest()
    if table.sha256 and found != table.sha256:
        raise SourceError(
            f"source '{record.id}', file {table.file}",
            seen=f"a file with SHA-256 {found}",
            expected=table.sha256,
            do="Restore the file; if the change is meant, archive it and renew the record.",
        )
    return payload
