"""Editions: numbered, immutable, remembered.

Everything is rendered and checked before anything is written. Then, in this order: the
numbered folder (beside, renamed), the public pages, the register, the states; a failure
takes back what was written before it. The register decides what was published.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Literal

from evidence.brief.imprint import Imprint
from evidence.brief.page import check_formats, hash_signed, render_all, render_notices
from evidence.disclosure import (
    FOLDER,
    Cleared,
    Edition,
    Entry,
    Output,
    Register,
    Signoff,
    add_edition,
    add_entries,
    add_withdrawal,
    check_differencing,
    check_signoff,
    check_value,
    hash_file,
    hash_units,
    list_checks,
    list_outputs,
    make_key,
    read_history,
    read_register,
    read_registers,
    read_signoff,
    register_path,
    scan_words,
    state_path,
    tell_state,
)
from evidence.errors import BriefError, DisclosureError
from evidence.files import replace_file
from evidence.study import Study

EDITIONS = "editions"
Reason = Literal["error", "data", "confidentiality"]
_GATE = "evidence publish"


@dataclass(frozen=True, slots=True)
class Published:
    """What ``publish`` did: the edition, whether it is new, its folder."""

    edition: Edition
    new: bool
    folder: Path


def publish(cleared: Cleared, *, today: date) -> Published:
    """Publish what is cleared and signed as the next edition.

    What is to the byte the latest edition makes none; its folder and pages are put back
    where they are missing.

    Raises
    ------
    DisclosureError
        Where a sign-off, a reply or the register's key is missing, a sign-off is of
        something else, or a handful of units could be told from an earlier release.
    BriefError
        Where the bytes of an earlier edition have changed.
    """
    study = cleared.study
    with _lock(study):
        register = read_register(study.root, study.slug)
        history = read_history(study.root, study.slug)
        _check_remembered(register, history)
        _check_kept(study, register)
        replies = read_signoff(study).reply
        latest = register.latest
        if latest is not None and not latest.withdrawn:
            check_formats(study, latest)
            files = render_all(cleared, Imprint(latest, replies))
            if {name: hash_file(data) for name, data in files.items()} == latest.files:
                return _put_back(study, latest, files, history)
        return _publish_new(cleared, register, today)


def withdraw(study: Study, reason: Reason, *, by: str, today: date, note: str = "") -> Edition:
    """Withdraw the latest edition: a notice takes the place of its pages, under its number.

    The register goes on to remember what it showed. ``by`` is a role; it and ``note``
    stand in the state file alone.

    Raises
    ------
    BriefError
        Where no edition stands.
    """
    root, slug = study.root, study.slug
    with _lock(study):
        register = read_register(root, slug)
        latest = register.latest
        if latest is None or latest.withdrawn:
            raise BriefError(
                slug,
                seen="no edition that stands",
                expected="a published edition",
                do="Nothing has to be withdrawn; drafts are not published.",
            )
        day = today.isoformat()
        gone = replace(latest, withdrawn=day, reason=reason)
        notices = render_notices(study, gone)
        folder = study.public / EDITIONS / str(gone.number)
        step = Entry(day, "withdrawn", gone.number, gone.signed, by, f"{reason}. {note}".strip())
        line = add_withdrawal(register, gone.number, date=day, by=by, reason=reason)
        _replace_all(
            _everywhere(study, folder, notices, gone.files)
            | {
                register_path(root, slug): line,
                state_path(root, slug): add_entries(root, slug, (step,)),
            }
        )
    return gone


def _publish_new(cleared: Cleared, register: Register, today: date) -> Published:
    study = cleared.study
    signed, signoffs = hash_signed(cleared), read_signoff(study)
    for earlier in register.editions:
        if earlier.withdrawn and earlier.signed == signed:
            raise _still_withdrawn(study, earlier)
    valid = check_signoff(study, signoffs, signed, today=today)
    check_differencing(cleared.neck, study)
    outputs, key = _seal_outputs(cleared)
    edition = Edition(
        number=len(register.editions) + 1,
        date=today.isoformat(),
        cleared=cleared.sha256,
        signed=signed,
        checked=tuple(
            {"role": s.role, "organisation": s.organisation, "date": s.date} for s in valid
        ),
        key=key,
        files={},
    )
    files = render_all(cleared, Imprint(edition, signoffs.reply))
    edition = replace(edition, files={name: hash_file(data) for name, data in files.items()})
    about = {
        "confidentiality": cleared.neck.protected["confidentiality"],
        "threshold": study.disclosure.threshold,
    }
    steps = _steps(edition, valid, register, read_history(study.root, study.slug))
    records = {
        register_path(study.root, study.slug): add_edition(register, edition, outputs, about),
        state_path(study.root, study.slug): add_entries(study.root, study.slug, steps),
    }
    words = {word for o in outputs for word in (o.id, o.group, o.outcome, o.statistic)}
    words |= {word for step in steps for word in (step.by, step.note)}
    scan_words(words, cleared, f"{FOLDER.as_posix()}/{study.slug}")
    return Published(edition, new=True, folder=_commit(study, edition, files, records))


def _seal_outputs(cleared: Cleared) -> tuple[tuple[Output, ...], str]:
    """List what is released, with keyed hashes where the data are restricted."""
    outputs = list_outputs(cleared.neck, cleared.study)
    if cleared.neck.protected["confidentiality"] != "restricted":
        return tuple(replace(output, units=frozenset(), rows=frozenset()) for output in outputs), ""
    root = cleared.study.root
    key = make_key(root, list_checks(read_registers(root)))
    return tuple(hash_units(output, key) for output in outputs), check_value(key)


def _everywhere(
    study: Study, folder: Path, notices: Mapping[str, bytes], published: Iterable[str]
) -> dict[Path, bytes | None]:
    """Put notices in the place of pages; what else the edition held goes."""
    files = {**dict.fromkeys(published), **notices}
    return {place / name: data for place in (folder, study.public) for name, data in files.items()}


def _steps(
    edition: Edition, signoffs: tuple[Signoff, ...], register: Register, history: tuple[Entry, ...]
) -> tuple[Entry, ...]:
    """List the steps of an edition's way, and the end of the one before it."""
    number, signed = edition.number, edition.signed
    steps = [
        Entry(s.date, "checked", number, signed, f"{s.role}, {s.organisation}", s.note)
        for s in signoffs
    ]
    steps += [
        Entry(edition.date, state, number, signed, _GATE) for state in ("cleared", "published")
    ]
    before = register.latest
    if before is not None and tell_state(history, before.number) == "published":
        note = f"edition {number} takes its place"
        steps.append(Entry(edition.date, "superseded", before.number, before.signed, _GATE, note))
    return tuple(steps)


def _put_back(
    study: Study, edition: Edition, files: dict[str, bytes], history: tuple[Entry, ...]
) -> Published:
    """Put back what is missing of the latest edition, its state included."""
    records = {}
    if tell_state(history, edition.number) == "draft":
        step = Entry(edition.date, "published", edition.number, edition.signed, _GATE)
        records[state_path(study.root, study.slug)] = add_entries(study.root, study.slug, (step,))
    return Published(edition, new=False, folder=_commit(study, edition, files, records))


def _check_remembered(register: Register, history: tuple[Entry, ...]) -> None:
    """Check that the register knows every edition that the states know."""
    known = {entry.edition for entry in history} - {e.number for e in register.editions}
    if known:
        raise DisclosureError(
            f"data/releases/{register.study}.jsonl",
            seen=f"no edition {min(known)}",
            expected=f"every edition that {register.study}.state.toml names",
            do="Restore both files from version control.",
        )


def _check_kept(study: Study, register: Register) -> None:
    """Check that the editions which lie here are what was published."""
    for edition in register.editions:
        folder = study.public / EDITIONS / str(edition.number)
        if folder.is_dir() and not edition.withdrawn and _hashes(folder) != edition.files:
            raise _changed(study, edition.number)


def _commit(
    study: Study, edition: Edition, files: Mapping[str, bytes], records: Mapping[Path, bytes]
) -> Path:
    folder = study.public / EDITIONS / str(edition.number)
    made = _keep_edition(study, folder, files, edition)
    pages = {study.public / name: payload for name, payload in files.items()}
    try:
        _replace_all({**pages, **records})
    except BaseException:
        if made:
            shutil.rmtree(folder)
        raise
    return folder


def _keep_edition(study: Study, folder: Path, files: Mapping[str, bytes], edition: Edition) -> bool:
    """Keep an edition's files under its number; tell whether the folder is new."""
    if folder.exists():
        if _hashes(folder) != edition.files:
            raise _changed(study, edition.number)
        return False
    staged = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(staged, ignore_errors=True)
    try:
        for name, payload in files.items():
            replace_file(staged / name, payload)
        os.replace(staged, folder)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise
    return True


def _replace_all(payloads: Mapping[Path, bytes | None]) -> None:
    """Replace or remove files in their order; where one fails, put all back as they were."""
    before = {path: path.read_bytes() if path.is_file() else None for path in payloads}
    try:
        for path, payload in payloads.items():
            if payload is None:
                path.unlink(missing_ok=True)
            elif before[path] != payload:
                replace_file(path, payload)
    except BaseException:
        for path, earlier in before.items():
            if earlier is None:
                path.unlink(missing_ok=True)
            elif not path.is_file() or path.read_bytes() != earlier:
                replace_file(path, earlier)
        raise


def _hashes(folder: Path) -> dict[str, str]:
    return {path.name: hash_file(path.read_bytes()) for path in folder.iterdir()}


def _still_withdrawn(study: Study, edition: Edition) -> BriefError:
    return BriefError(
        study.slug,
        seen=f"just what was withdrawn as edition {edition.number}",
        expected="something else",
        do="Mend what the withdrawal was for, then sign what the brief says now.",
    )


def _changed(study: Study, number: int) -> BriefError:
    return BriefError(
        f"reports/public/{study.slug}/{EDITIONS}/{number}",
        seen="other files than those of the register",
        expected="an edition that nobody has changed",
        do="Put back the published files, or remove the folder: a published edition is then made "
        "again where its inputs are the same.",
    )


@contextmanager
def _lock(study: Study) -> Iterator[None]:
    """Let one publish at a time into the project's registers."""
    folder = study.root / "reports" / "internal"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".publish.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BriefError(
                study.slug,
                seen="another evidence publish, still going on",
                expected="one at a time",
                do="Wait until it has ended.",
            ) from error
        yield
