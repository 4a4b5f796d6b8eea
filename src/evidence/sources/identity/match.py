"""Match the factories in a source's rows to the register."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Literal

import pandas as pd

from evidence.errors import SourceError
from evidence.sources.identity.agree import agree
from evidence.sources.identity.candidates import find_candidates
from evidence.sources.identity.claims import part_claims, share_out
from evidence.sources.identity.entries import Entry, read_frame
from evidence.sources.identity.judge import Match, follow, index_register, judge, settled
from evidence.sources.identity.register import Register

MATCHED = ("source", "source_id", "name", "key", "score", "verdict", "reason")
RESOLVED = ("source", "source_id", "key", "verdict", "score", "reason")


def match_factories(entries: pd.DataFrame, register: Register) -> pd.DataFrame:
    """Match entries to the factories of a register, country by country.

    Parameters
    ----------
    entries : DataFrame
        Columns ``source, source_id, name, country`` (ISO 3166 alpha-3) and, if there
        are, ``address`` and ``date`` (day, month or year), a row an entry.

    Returns
    -------
    DataFrame
        The index of ``entries`` and columns ``source, source_id, name, key, score,
        verdict, reason``. ``score`` is the likeness to the best candidate, from 0 to
        1; ``verdict`` is accept (above 0.8), ask (0.5 to 0.8, or a reason for doubt),
        new (below 0.5; ``key`` is provisional) or decided (by a person).

    Raises
    ------
    SourceError
        Where a column is missing, or a country or a date is not written as it should be.
    """
    found = match_entries(read_frame(entries), register)
    rows = [
        (m.entry.source, m.entry.source_id, m.entry.name, m.key, m.score, m.verdict, m.reason)
        for m in found
    ]
    return pd.DataFrame(rows, columns=list(MATCHED), index=entries.index)


def resolve_factories(
    entries: pd.DataFrame, register: Register, *, uncertain: Literal["in", "out"]
) -> pd.DataFrame:
    """Give each entry the key of its factory.

    Parameters
    ----------
    entries : DataFrame
        As in ``match_factories``.
    uncertain : str
        ``in`` takes the best candidate of each entry that a person should look at,
        ``out`` leaves such entries out. With ``in``, too, a key stands for one factory:
        where several source ids of a year want it, the surest has it (decided, then
        accepted, then the best score), and the others keep provisional keys.

    Returns
    -------
    DataFrame
        Columns ``source, source_id, key, verdict, score, reason``; the index is that of
        ``entries``, less the entries left out.

    Raises
    ------
    SourceError
        As ``match_factories``, or where one key would stand in two countries.
    """
    found = match_entries(read_frame(entries), register)
    if uncertain == "in":
        found = share_out(found)
    kept = [n for n, m in enumerate(found) if uncertain == "in" or m.verdict != "ask"]
    check_countries(found[n] for n in kept)
    rows = [
        (m.entry.source, m.entry.source_id, m.key, m.verdict, m.score, m.reason)
        for m in (found[n] for n in kept)
    ]
    return pd.DataFrame(rows, columns=list(RESOLVED), index=entries.index[kept])


def match_entries(entries: list[Entry], register: Register) -> list[Match]:
    """Match entries; the order of the result is that of the entries, and of no effect."""
    index = index_register(register)
    open_entries = [e for e in entries if not settled(e, index)]
    asked = {(e.country, e.name, e.address) for e in open_entries}
    candidates = find_candidates(asked, index.places)
    found = [
        judge(entry, index, candidates.get((entry.country, entry.name, entry.address), []))
        for entry in entries
    ]
    together: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, entry in enumerate(entries):
        together[entry.source, entry.claim].append(number)
    for numbers in together.values():
        for number, match in zip(numbers, agree([found[n] for n in numbers]), strict=True):
            found[number] = match
    return part_claims([follow(match, index) for match in found])


def check_countries(matches: Iterable[Match]) -> None:
    """Check that each key stands in one country.

    Raises
    ------
    SourceError
        Naming the key.
    """
    seen: dict[str, str] = {}
    for match in matches:
        country = match.entry.country
        home = seen.setdefault(match.key, match.key[:3])
        if home != country:
            raise SourceError(
                f"source '{match.entry.source}', factory {match.entry.source_id}",
                seen=f"key {match.key} in {home} and in {country}",
                expected="a factory in one country",
                do="Mend the country in the source, or decide on the entry in decisions.csv.",
            )
