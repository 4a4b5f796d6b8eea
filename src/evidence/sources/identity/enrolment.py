"""Take what was matched into the register: aliases of known factories, and new ones."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from evidence.sources.identity.entries import read_frame, spell
from evidence.sources.identity.judge import Match
from evidence.sources.identity.keys import is_provisional, next_key, split_key
from evidence.sources.identity.match import check_countries, match_entries
from evidence.sources.identity.register import (
    Alias,
    Factory,
    Register,
    load_register,
    write_register,
)
from evidence.sources.identity.words import spell_plainly


@dataclass(frozen=True, slots=True)
class _Seen:
    """A match with the sector that the source gives."""

    match: Match
    sector: str


def enrol(root: Path, register: str, entries: pd.DataFrame) -> Register:
    """Add accepted entries as aliases, and new ones as factories, to a register's files.

    Entries that a person should look at are left out until there is a decision. New
    factories get the next free numbers of their country, in the order of their content,
    so that the order of the rows is of no effect; a second call changes nothing.

    Parameters
    ----------
    entries : DataFrame
        As in ``match_factories``, and ``sector`` if there is such a column.

    Returns
    -------
    Register
        As it is now in the files.

    Raises
    ------
    SourceError
        Where the register or an entry is wrong, or a key would stand in two countries;
        nothing is written then.
    """
    before = load_register(root, register)
    now = _enrol_once(before, entries)
    last = before
    while now != last:
        last, now = now, _enrol_once(now, entries)
    if now != before:
        write_register(root, now)
    return load_register(root, register)


def _enrol_once(register: Register, entries: pd.DataFrame) -> Register:
    found = match_entries(read_frame(entries), register)
    check_countries(m for m in found if m.verdict != "ask")
    sectors = spell(entries["sector"]) if "sector" in entries else [""] * len(found)
    seen = [_Seen(m, s) for m, s in zip(found, sectors, strict=True) if m.verdict != "ask"]
    seen.sort(key=lambda each: (each.match.entry.order, each.sector))
    fresh: dict[str, list[_Seen]] = defaultdict(list)
    for each in seen:
        if is_provisional(each.match.found):
            fresh[each.match.found].append(each)
    factories, keys = _number(register, fresh)
    spellings = {_spelling(row) for row in factories} | {_spelling(a) for a in register.aliases}
    aliases = list(register.aliases)
    for each in seen:
        alias = _alias(each.match, keys.get(each.match.found, each.match.found))
        if _spelling(alias) not in spellings:
            spellings.add(_spelling(alias))
            aliases.append(alias)
    return replace(register, factories=factories, aliases=tuple(aliases))


def _number(
    register: Register, fresh: dict[str, list[_Seen]]
) -> tuple[tuple[Factory, ...], dict[str, str]]:
    """Give new factories the next free numbers, in the order of their content."""
    last: dict[str, int] = defaultdict(int)
    for factory in register.factories:
        parts = split_key(factory.key)
        if parts:
            last[parts[0]] = max(last[parts[0]], parts[1])
    factories = list(register.factories)
    keys = {}
    order = sorted(fresh, key=lambda key: (_content(fresh[key][0].match), key))
    for provisional in order:
        first = fresh[provisional][0].match.entry
        key, last[first.country] = next_key(first.country, last[first.country])
        sector = next((each.sector for each in fresh[provisional] if each.sector), "")
        factory = Factory(key, first.country, first.name, first.address, sector)
        factories.append(replace(factory, source=first.source, source_id=first.source_id))
        keys[provisional] = key
    return tuple(factories), keys


def _content(match: Match) -> tuple[str, ...]:
    entry = match.entry
    return (spell_plainly(entry.name), spell_plainly(entry.address), entry.source, entry.source_id)


def _alias(match: Match, key: str) -> Alias:
    entry = match.entry
    return Alias(key, entry.name, entry.address, entry.source, entry.source_id, entry.date)


def _spelling(row: Factory | Alias) -> tuple[str, ...]:
    """Spell what makes an alias; other spellings of the same words are no new alias."""
    name, address = spell_plainly(row.name), spell_plainly(row.address)
    return (row.key, name, address, row.source, row.source_id)
