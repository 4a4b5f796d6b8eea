"""The factory register: three CSV files that a person can open, checked as they are read."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path
from typing import TypeVar

from evidence.errors import SourceError
from evidence.sources.identity.keys import is_country, split_key

_DATE = re.compile(r"[0-9]{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?)?")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Factory:
    """One factory under its stable key.

    ``opened`` and ``closed`` are ISO dates of any length (``2019``, ``2019-05``,
    ``2019-05-31``), empty where unknown. ``merged_into`` is the key that lives on:
    from ``closed`` on, or, where that is empty, from the beginning (one factory that
    stood in the register twice).
    """

    key: str
    country: str
    name: str
    address: str = ""
    sector: str = ""
    opened: str = ""
    closed: str = ""
    merged_into: str = ""
    source: str = ""
    source_id: str = ""


@dataclass(frozen=True, slots=True)
class Alias:
    """Another name, address or source id of a factory."""

    key: str
    name: str
    address: str = ""
    source: str = ""
    source_id: str = ""
    since: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided on one entry; an empty ``key`` says: a new factory.

    ``decided_by`` holds a role, not a person's name.
    """

    source: str
    source_id: str
    name: str
    address: str
    key: str
    decided_on: str
    decided_by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Register:
    """All that is known of the factories of one or more sources."""

    name: str
    factories: tuple[Factory, ...] = ()
    aliases: tuple[Alias, ...] = ()
    decisions: tuple[Decision, ...] = ()


_Row = TypeVar("_Row", Factory, Alias, Decision)
_FILES = ("factories.csv", "aliases.csv", "decisions.csv")


def register_folder(root: Path, register: str) -> Path:
    """Say where a register lies.

    Raises
    ------
    SourceError
        Where the name is not letters, digits, ``-`` and ``_``.
    """
    if not _NAME.fullmatch(register):
        raise SourceError(
            "register",
            seen=f"the name '{register}'",
            expected="letters, digits, '-' and '_'",
            do="Mend 'register' in the source record.",
        )
    return root / "data" / "raw" / "registers" / register


def load_register(root: Path, register: str) -> Register:
    """Load a register; it is empty where its files are absent.

    Parameters
    ----------
    root : Path
        The project's root.
    register : str
        Name of the folder under ``data/raw/registers/``.

    Raises
    ------
    SourceError
        Where a file cannot be read, or its rows do not go together.
    """
    folder = register_folder(root, register)
    found = Register(
        register,
        _read(folder / "factories.csv", Factory),
        _read(folder / "aliases.csv", Alias),
        _read(folder / "decisions.csv", Decision),
    )
    check_register(found)
    return found


def write_register(root: Path, register: Register) -> None:
    """Write factories and aliases, sorted; decisions belong to people and stay as they are.

    Raises
    ------
    SourceError
        Where the rows do not go together; nothing is written then.
    """
    check_register(register)
    folder = register_folder(root, register.name)
    write_rows(folder / "factories.csv", columns(Factory), map(asdict, _by_row(register.factories)))
    write_rows(folder / "aliases.csv", columns(Alias), map(asdict, _by_row(register.aliases)))


def fingerprint_register(root: Path, register: str) -> str:
    """Hash a register's files, so that a changed decision makes a result stale.

    Raises
    ------
    SourceError
        As ``register_folder``.
    """
    digest = hashlib.sha256()
    for name in _FILES:
        path = register_folder(root, register) / name
        digest.update(hashlib.sha256(path.read_bytes() if path.is_file() else b"").digest())
    return digest.hexdigest()


def list_register(root: Path, register: str) -> list[Path]:
    """List the files of a register that are there.

    Raises
    ------
    SourceError
        As ``register_folder``.
    """
    paths = [register_folder(root, register) / name for name in _FILES]
    return [path for path in paths if path.is_file()]


def columns(kind: type[Factory | Alias | Decision]) -> tuple[str, ...]:
    """List the columns of a register file."""
    return tuple(field.name for field in fields(kind))


def write_rows(path: Path, names: tuple[str, ...], rows: Iterable[Mapping[str, object]]) -> None:
    """Write a CSV file beside its place, then rename it."""
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    payload = text.getvalue().encode("utf-8")
    if path.is_file() and path.read_bytes() == payload:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(payload)
    os.replace(file.name, path)


def is_date(text: str) -> bool:
    """Tell whether a text is an ISO date, to the day, the month or the year."""
    return _DATE.fullmatch(text) is not None


def first_day(date: str) -> str:
    """Spell the first day of a date; an empty date comes before all others."""
    return date + "-01-01"[len(date) - 4 :] if len(date) in {4, 7} else date


def last_day(date: str) -> str:
    """Spell the last day of a date, to be compared as text."""
    return date + "-12-31"[len(date) - 4 :] if len(date) in {4, 7} else date


def check_register(register: Register) -> None:
    """Check that a register's rows go together.

    Raises
    ------
    SourceError
        Where a key is wrong, unknown or there twice, a date is wrong, a factory closed
        before it opened, or mergers go in a circle.
    """
    where = f"register '{register.name}', factories.csv"
    seen: set[str] = set()
    for factory in register.factories:
        _check_key(factory, where)
        if factory.key in seen:
            raise _wrong(where, f"the key {factory.key} twice", "each key once", "Remove one.")
        seen.add(factory.key)
        _check_dates(factory, where)
    _check_mergers(register, where)
    for file, rows in (("aliases.csv", register.aliases), ("decisions.csv", register.decisions)):
        for row in rows:
            if row.key not in seen and (row.key or file == "aliases.csv"):
                raise _wrong(
                    f"register '{register.name}', {file}",
                    f"the key '{row.key}' of '{row.name}'",
                    "a key of factories.csv",
                    "Mend the key, or add the factory.",
                )
    _check_decisions(register)


def _check_key(factory: Factory, where: str) -> None:
    parts = split_key(factory.key)
    if parts is None:
        raise _wrong(
            where,
            f"the key '{factory.key}'",
            "a country, a number and the right check character, such as VNM-00042-E",
            "Look for a wrong or swapped character.",
        )
    if not is_country(factory.country):
        raise _wrong(
            where,
            f"the country '{factory.country}' of {factory.key}",
            "an ISO 3166-1 alpha-3 code",
            "Give the factory the key of its country.",
        )
    if parts[0] != factory.country:
        raise _wrong(
            where,
            f"the country '{factory.country}' of {factory.key}",
            f"{parts[0]}, the ISO 3166 alpha-3 code that its key begins with",
            "Mend the country; a key never changes.",
        )


def _check_dates(factory: Factory, where: str) -> None:
    for name in ("opened", "closed"):
        date = getattr(factory, name)
        if date and not is_date(date):
            raise _wrong(
                where,
                f"'{date}' as '{name}' of {factory.key}",
                "a year, YYYY-MM or YYYY-MM-DD",
                "Mend the date; a spreadsheet may have changed it.",
            )
    if factory.opened and factory.closed and last_day(factory.closed) < first_day(factory.opened):
        raise _wrong(
            where,
            f"{factory.key} closed {factory.closed}, opened {factory.opened}",
            "a factory that opens before it closes",
            "Mend one of the dates.",
        )


def _check_mergers(register: Register, where: str) -> None:
    targets = {f.key: f.merged_into for f in register.factories}
    for key, target in targets.items():
        if target and target not in targets:
            raise _wrong(
                where,
                f"{key} merged into '{target}'",
                "a key of factories.csv",
                "Mend 'merged_into'.",
            )
        trail = [key]
        while targets[trail[-1]]:
            trail.append(targets[trail[-1]])
            if trail[-1] in trail[:-1]:
                raise _wrong(
                    where,
                    f"a circle of mergers: {' > '.join(trail)}",
                    "mergers that end at a factory that lives on",
                    "Empty 'merged_into' of the one that lives on.",
                )


def _check_decisions(register: Register) -> None:
    for number, row in enumerate(register.decisions, start=2):
        if not (is_date(row.decided_on) and row.decided_by and row.reason):
            raise _wrong(
                f"register '{register.name}', decisions.csv, row {number}",
                f"decided_on '{row.decided_on}', by '{row.decided_by}', reason '{row.reason}'",
                "a date (YYYY-MM-DD), a role and a reason",
                "Complete the row.",
            )


def _wrong(where: str, seen: str, expected: str, do: str) -> SourceError:
    return SourceError(where, seen=seen, expected=expected, do=do)


def _by_row(rows: tuple[_Row, ...]) -> list[_Row]:
    return sorted(rows, key=astuple)


def _read(path: Path, kind: type[_Row]) -> tuple[_Row, ...]:
    if not path.is_file():
        return ()
    where = f"register '{path.parent.name}', {path.name}"
    try:
        lines = list(csv.reader(io.StringIO(path.read_text("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise _wrong(
            where,
            f"a file that cannot be read ({' '.join(str(error).split())})",
            "comma-separated UTF-8",
            "Save it as CSV in UTF-8.",
        ) from error
    names = columns(kind)
    if not lines or tuple(lines[0]) != names:
        raise _wrong(
            where,
            f"the columns {', '.join(lines[0]) if lines else '(none)'}",
            ", ".join(names),
            "Restore the first line.",
        )
    short = next((n for n, line in enumerate(lines, 1) if line and len(line) != len(names)), 0)
    if short:
        raise _wrong(
            f"{where}, row {short}",
            f"{len(lines[short - 1])} fields",
            f"{len(names)}, one for each column",
            "Complete the row.",
        )
    return tuple(kind(*(field.strip() for field in line)) for line in lines[1:] if any(line))
