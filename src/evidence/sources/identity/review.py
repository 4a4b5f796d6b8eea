"""Tell what a source's factories were matched to, and ask a person where it is uncertain."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from evidence.errors import SourceError
from evidence.sources.identity.apply import list_entries
from evidence.sources.identity.candidates import find_candidates, places_of
from evidence.sources.identity.enrolment import enrol
from evidence.sources.identity.entries import Entry, read_frame
from evidence.sources.identity.judge import Match
from evidence.sources.identity.match import match_entries, resolve_factories
from evidence.sources.identity.register import (
    Decision,
    Register,
    columns,
    load_register,
    register_folder,
    write_rows,
)
from evidence.sources.identity.score import ASK_FROM
from evidence.sources.record import Record, load_record
from evidence.sources.tables import read_table

_SHOWN = 3
_ASKED = (
    *columns(Decision),
    "country",
    "first_seen",
    "last_seen",
    "candidate",
    "candidate_name",
    "candidate_address",
    "score",
    "why",
)
_VERDICTS = {"accepted": "accept", "to be asked": "ask", "new": "new", "decided": "decided"}
_TWINS = ("key", "twin", "score", "reason")


@dataclass(frozen=True, slots=True)
class Review:
    """How many entries (a source id, name and address) a register told apart, and how.

    ``counts`` maps accepted, to be asked, new and decided to entries, and further closed
    (seen after their factory closed; they are asked) and merged (they go to a surviving
    factory). ``factories`` and ``left_out`` count keys, and entries left out, with
    uncertain matches ``uncertain``.
    """

    register: str
    uncertain: Literal["in", "out"]
    counts: dict[str, int]
    factories: int
    left_out: int
    questions: Path
    decisions: Path


def review_register(
    root: Path, source: str, *, uncertain: Literal["in", "out"] = "out", enrolling: bool = False
) -> Review:
    """Match a source's factories to its register and write what a person should decide.

    Writes ``to_decide.csv``, beside which ``decisions.csv`` is made if there is none.

    Parameters
    ----------
    root : Path
        The project's root.
    source : str
        Id of the record, which names a register.
    enrolling : bool
        Whether to add aliases and new factories to the register first.

    Raises
    ------
    SourceError
        Where the record names no register, or anything in it or the files is wrong.
    """
    record = load_record(root, source)
    entries = read_entries(root, record)
    register = (
        enrol(root, record.register, entries) if enrolling else load_register(root, record.register)
    )
    found = match_entries(read_frame(entries), register)
    folder = register_folder(root, record.register)
    rows = _questions(found, register)
    write_rows(folder / "to_decide.csv", _ASKED, rows)
    if not (folder / "decisions.csv").is_file():
        write_rows(folder / "decisions.csv", columns(Decision), ())
    kept = resolve_factories(entries, register, uncertain=uncertain)
    counts = {word: _count(m for m in found if m.verdict == v) for word, v in _VERDICTS.items()}
    counts["closed"] = _count(m for m in found if m.reason.startswith("seen after"))
    counts["merged"] = _count(m for m in found if m.key != m.found)
    return Review(
        record.register,
        uncertain,
        counts,
        kept["key"].nunique(),
        counts["to be asked"] if uncertain == "out" else 0,
        folder / "to_decide.csv",
        folder / "decisions.csv",
    )


def read_entries(root: Path, record: Record) -> pd.DataFrame:
    """Read the different entries of factories in a source's files, as yet without keys.

    Raises
    ------
    SourceError
        Where the record names no register, no table has factories, or a file is wrong.
    """
    if not record.register or record.kind != "file":
        raise SourceError(
            f"data/sources/{record.id}.toml",
            seen=f"kind '{record.kind}' and register '{record.register}'",
            expected="a source of kind 'file' that names its factory register",
            do='Add register = "…" to the record; docs/identity.md shows how.',
        )
    folder = root / "data" / "raw" / record.id
    parts = [
        list_entries(read_table(folder, record, table).frame, record.id)[0]
        for table in record.tables
        if {"factory", "name", "country"} <= {column.name for column in table.columns}
    ]
    if not parts:
        raise SourceError(
            f"data/sources/{record.id}.toml",
            seen="no table with factory, name and country",
            expected="one, so that its factories can be matched",
            do="Declare the columns; 'raw' holds the names that the file gives them.",
        )
    return pd.concat(parts, ignore_index=True)


def find_twins(register: Register) -> pd.DataFrame:
    """List pairs of factories in a register that look alike: perhaps one, there twice.

    Returns
    -------
    DataFrame
        Columns ``key, twin, score, reason``; a row a pair with a score of 0.5 or more.
        Enter ``merged_into`` without ``closed`` where a person finds that two are one.
    """
    merged = {factory.key for factory in register.factories if factory.merged_into}
    places = [place for place in places_of(register) if place.key not in merged]
    found = find_candidates(((p.key[:3], p.name, p.address) for p in places), places)
    pairs: dict[tuple[str, str], tuple[float, str]] = {}
    for place in places:
        for key, score in found[place.key[:3], place.name, place.address]:
            if key != place.key and score.value >= ASK_FROM:
                pair = (min(key, place.key), max(key, place.key))
                pairs[pair] = max(pairs.get(pair, (0.0, "")), (score.value, score.reason))
    rows = [(*pair, *pairs[pair]) for pair in sorted(pairs)]
    return pd.DataFrame(rows, columns=list(_TWINS))


def _count(matches: Iterable[Match]) -> int:
    return len({m.entry.spelt for m in matches})


def _questions(found: list[Match], register: Register) -> list[dict[str, str]]:
    """Put each uncertain entry with its likeliest factories into rows of a decision."""
    factories = {factory.key: factory for factory in register.factories}
    dates: dict[tuple[str, ...], list[str]] = {}
    asked: dict[tuple[str, ...], Match] = {}
    for match in sorted(found, key=lambda m: m.entry.order):
        if match.verdict == "ask":
            asked.setdefault(match.entry.spelt, match)
            dates.setdefault(match.entry.spelt, []).append(match.entry.date)
    rows = []
    for spelt, match in sorted(asked.items()):
        for key, score in _shown(match):
            factory = factories.get(key)
            known = asdict(factory) if factory else {"name": "(not yet in the register)"}
            rows.append(
                _entry_of(match.entry)
                | {"first_seen": dates[spelt][0], "last_seen": dates[spelt][-1], "candidate": key}
                | {"candidate_name": known["name"], "candidate_address": known.get("address", "")}
                | {"score": f"{score:.2f}", "why": match.reason}
            )
    return rows


def _entry_of(entry: Entry) -> dict[str, str]:
    row = dict.fromkeys(_ASKED, "")
    row |= {"source": entry.source, "source_id": entry.source_id, "name": entry.name}
    return row | {"address": entry.address, "country": entry.country}


def _shown(match: Match) -> list[tuple[str, float]]:
    """List the candidate that would be taken, then others that a person may prefer."""
    scores = {key: score.value for key, score in match.candidates if score.value >= ASK_FROM}
    first = match.key
    return [(first, match.score), *((k, s) for k, s in scores.items() if k != first)][:_SHOWN]
