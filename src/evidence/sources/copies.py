"""Dated copies of raw files, as they lie on the disk; each has its papers beside it.

A copy lies at ``data/raw/<id>/archive/<file>/<date>-<hash><ending>``, read-only, with
its papers in ``….origin.json``. Neither is ever edited.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path, PurePath
from typing import Literal

from pydantic import TypeAdapter

from evidence.errors import SourceError
from evidence.sources.record import Record, Table
from evidence.toml import check_sections, strict

FOLDER = "archive"
PAPERS = ".origin.json"
_COPY = re.compile(r"\d{4}-\d{2}-\d{2}-([0-9a-f]{12})(\..+)?")
_PACKED = (".bz2", ".gz", ".xz", ".zip")
_PACKABLE = (".csv", ".tsv", ".txt", ".tab")


@dataclass(frozen=True, slots=True)
class File:
    """One file of a table: its own name, where it lies, and since when it is archived.

    ``name`` has the ending that tells the format. ``archived`` is None for a file that
    lies loose and was never archived.
    """

    name: str
    path: Path
    archived: date | None = None

    @property
    def label(self) -> str:
        """The file's name in a message; a copy's has its day."""
        return self.name if self.archived is None else f"{self.name} of {self.archived}"


@dataclass(frozen=True, slots=True)
class Incoming:
    """A file on its way into the archive.

    ``name`` is the name it came with; ``url`` where it was fetched, ``mirror`` its name
    in the mirror, both empty where it was archived by hand.
    """

    record: Record
    table: Table
    name: str
    payload: bytes
    url: str = ""
    mirror: str = ""

    @property
    def file(self) -> str:
        """The name under which it is archived: the table's own, or its own of a pattern."""
        return self.name if is_pattern(self.table) else self.table.file

    @property
    def tables(self) -> tuple[Table, ...]:
        """The tables that are read from this file: several where it has several sheets."""
        return tuple(t for t in self.record.tables if t.file == self.table.file)


@dataclass(frozen=True, slots=True)
class Archived:
    """What the archive holds of a file: where, since when, and whether it is ``new``."""

    source: str
    table: str
    file: str
    path: Path
    sha256: str
    archived: date
    new: bool


@strict
class Origin:
    """The papers of one copy, complete without the record; ``order`` counts the copies."""

    schema_version: Literal[1]
    source: str
    table: str
    file: str
    sha256: str
    bytes: int
    archived: str
    order: int
    url: str
    mirror: str
    producer: str
    title: str
    licence: str
    citation: str
    version: str
    units: dict[str, str]


@dataclass(frozen=True, slots=True)
class Copy:
    """One archived copy with its papers."""

    path: Path
    origin: Origin

    @property
    def day(self) -> date:
        """The day it was archived, in UTC."""
        return date.fromisoformat(self.origin.archived)

    @property
    def file(self) -> File:
        """The copy as a file of its table, with the ending that tells its format."""
        name = PurePath(self.origin.file).name
        return File(name.removesuffix(_ending(name)) + _ending(self.path.name), self.path, self.day)


def is_pattern(table: Table) -> bool:
    """Tell whether a table's ``file`` is a pattern rather than one name."""
    return "*" in table.file


def is_aside(name: str) -> bool:
    """Tell whether a name is that of a hidden file, an office lock or a copy's papers."""
    return name.startswith((".", "~$")) or name.endswith(PAPERS)


def check_inside(record: Record, table: Table) -> None:
    """Refuse a table whose file would lie outside the source's folder.

    Raises
    ------
    SourceError
        Where ``file`` is empty, absolute or has ``..`` or ``**`` in it.
    """
    name = PurePath(table.file)
    if "**" in table.file:
        raise SourceError(
            f"source '{record.id}', file {table.file}",
            seen="'**' in a pattern",
            expected="'*', which stands for any part of a name",
            do="Mend 'file' in the record; name the folders between with a '*' each.",
        )
    if not name.parts or name.is_absolute() or ".." in name.parts:
        raise leads_out(record, table.file)


def leads_out(record: Record, name: str) -> SourceError:
    """Spell the refusal of a file outside the source's folder."""
    return SourceError(
        f"source '{record.id}', file {name}",
        seen="a name that leads out of the source's folder",
        expected=f"a file inside data/raw/{record.id}/",
        do="Copy the file there, or mend 'file' in the record.",
    )


def store(root: Path, incoming: Incoming, today: date | None = None) -> Archived:
    """Put a file into the archive, unless the latest copy has the same content.

    Content that an older copy has, but not the latest, is stored again: the source went
    back to it.

    Raises
    ------
    SourceError
        Where the archive holds a copy of a later day, or cannot be written.
    """
    today = today or datetime.now(UTC).date()
    record, file = incoming.record, incoming.file
    digest = hashlib.sha256(incoming.payload).hexdigest()
    copies = list_copies(root / "data" / "raw" / record.id, file, record)
    if copies and copies[-1].origin.sha256 == digest:
        return _tell(copies[-1], new=False)
    folder = root / "data" / "raw" / record.id / FOLDER / file
    path = folder / f"{today}-{digest[:12]}{_ending(incoming.name)}"
    if copies and (copies[-1].day > today or path.exists()):
        raise SourceError(
            f"source '{record.id}', file {file}",
            seen=f"a newer copy, of {copies[-1].day}, while today is {today}",
            expected="copies in the order of their days, the same content once a day",
            do="Set the clock right; or archive the file again tomorrow.",
        )
    copy = Copy(path, _fill_in(incoming, digest, today, order=len(copies) + 1))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        papers = TypeAdapter(Origin).dump_json(copy.origin, indent=1) + b"\n"
        _write_once(path.with_name(path.name + PAPERS), papers)
        _write_once(path, incoming.payload)
    except OSError as error:
        raise SourceError(
            f"source '{record.id}', file {file}",
            seen=f"an archive that cannot be written ({error.strerror})",
            expected=f"data/raw/{record.id}/ to be writable",
            do="Mend the folder's rights, or make room on the disk.",
        ) from error
    return _tell(copy, new=True)


def list_copies(folder: Path, file: str, record: Record) -> list[Copy]:
    """List the archived copies of one file, the oldest first.

    Parameters
    ----------
    folder : Path
        The source's folder, ``data/raw/<id>/``.

    Raises
    ------
    SourceError
        Where a copy has no papers, or papers that cannot be read.
    """
    place = folder / FOLDER / file
    paths = [p for p in place.glob("*") if _COPY.fullmatch(p.name) and not is_aside(p.name)]
    copies = [Copy(path, _read_papers(path, record)) for path in paths]
    return sorted(copies, key=lambda copy: (copy.day, copy.origin.order))


def hash_in_name(path: Path) -> str:
    """Take the first digits of the hash out of a copy's name; empty for other files."""
    named = _COPY.fullmatch(path.name)
    return named[1] if named else ""


def _read_papers(path: Path, record: Record) -> Origin:
    where = f"source '{record.id}', {path.name}{PAPERS}"
    try:
        raw = json.loads(path.with_name(path.name + PAPERS).read_text(encoding="utf-8"))
        date.fromisoformat(raw["archived"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceError(
            where,
            seen="no papers that can be read",
            expected="the .origin.json that was written with the copy",
            do="Restore it; or remove the copy and archive the file again.",
        ) from error
    origin = check_sections(Origin, raw, SourceError, where=where, guide="docs/data.md")
    if not origin.sha256.startswith(hash_in_name(path)):
        raise SourceError(
            where,
            seen=f"papers of a file with SHA-256 {origin.sha256[:12]}",
            expected=f"those of the copy beside them ({hash_in_name(path)})",
            do="Restore the copy and its papers; or remove both and archive the file again.",
        )
    return origin


def _fill_in(incoming: Incoming, digest: str, today: date, *, order: int) -> Origin:
    record = incoming.record
    return Origin(
        schema_version=1,
        source=record.id,
        table=incoming.table.name,
        file=incoming.file,
        sha256=digest,
        bytes=len(incoming.payload),
        archived=today.isoformat(),
        order=order,
        url=incoming.url,
        mirror=incoming.mirror,
        producer=record.producer,
        title=record.title,
        licence=record.licence,
        citation=record.citation,
        version=record.version,
        units={column.name: column.unit for t in incoming.tables for column in t.columns},
    )


def _write_once(path: Path, payload: bytes) -> None:
    """Write a file beside its place, make it read-only, rename it."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        beside = Path(file.name)
        try:
            file.write(payload)
            file.flush()
            beside.chmod(0o444)
            os.replace(beside, path)
        except OSError:
            beside.unlink(missing_ok=True)
            raise


def _ending(name: str) -> str:
    """Take the ending that tells the format: ``.xlsx``, ``.csv.bz2``."""
    endings = PurePath(name).suffixes[-2:]
    if len(endings) == 2 and endings[0].lower() in _PACKABLE and endings[1].lower() in _PACKED:
        return "".join(endings)
    return endings[-1] if endings else ""


def _tell(copy: Copy, *, new: bool) -> Archived:
    origin = copy.origin
    return Archived(
        origin.source, origin.table, origin.file, copy.path, origin.sha256, copy.day, new
    )
