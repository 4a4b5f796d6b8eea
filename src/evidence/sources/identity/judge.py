"""Judge what one entry is: decided, known by its id, alike, or new."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Literal

from evidence.sources.identity.candidates import Place, places_of, rank
from evidence.sources.identity.entries import Entry
from evidence.sources.identity.register import (
    Alias,
    Decision,
    Factory,
    Register,
    first_day,
    last_day,
)
from evidence.sources.identity.score import ACCEPT_ABOVE, ASK_FROM, Score, names_agree
from evidence.sources.identity.words import spell_plainly

# A runner-up as near as this, and good enough to be accepted itself, is a reason to ask.
MARGIN = 0.05


@dataclass(frozen=True, slots=True)
class Match:
    """What an entry was found to be.

    ``found`` is the key before mergers are followed, ``key`` the one after;
    ``candidates`` are the factories it was compared with, the best first.
    """

    entry: Entry
    found: str
    score: float
    verdict: Literal["accept", "ask", "new", "decided"]
    reason: str = ""
    key: str = ""
    candidates: tuple[tuple[str, Score], ...] = ()


@dataclass(frozen=True, slots=True)
class Index:
    """A register, ready to be looked up."""

    factories: dict[str, Factory]
    places: tuple[Place, ...]
    known: dict[tuple[str, str], list[Place]]
    decisions: dict[tuple[str, ...], Decision]
    enrolled: dict[tuple[str, ...], str]


def index_register(register: Register) -> Index:
    """Index a register by factory, source id and decision."""
    known: dict[tuple[str, str], set[Place]] = defaultdict(set)
    enrolled: dict[tuple[str, ...], str] = {}
    rows: list[Factory | Alias] = [*register.factories, *register.aliases]
    for row in rows:
        if row.source_id:
            known[row.source, row.source_id].add(Place(row.key, row.name, row.address))
        spelt = (spell_plainly(row.name), spell_plainly(row.address))
        enrolled[row.source, row.source_id, *spelt] = row.key
    return Index(
        {factory.key: factory for factory in register.factories},
        places_of(register),
        {pair: sorted(places) for pair, places in known.items()},
        {
            (d.source, d.source_id, spell_plainly(d.name), spell_plainly(d.address)): d
            for d in register.decisions
        },
        enrolled,
    )


def settled(entry: Entry, index: Index) -> bool:
    """Tell whether an entry needs no scores: it was decided on, or its id is known."""
    return entry.spelt in index.decisions or bool(_known_as(entry, index))


def judge(entry: Entry, index: Index, candidates: list[tuple[str, Score]]) -> Match:
    """Judge one entry by itself: first what people decided, then its id, then likeness."""
    decision = index.decisions.get(entry.spelt)
    if decision is not None:
        key = decision.key or index.enrolled.get(entry.spelt, "")
        return Match(entry, key, 1.0, "decided", decision.reason)
    agreeing = _known_as(entry, index)
    if agreeing:
        return Match(entry, rank(agreeing, entry.name, entry.address)[0][0], 1.0, "accept")
    homes = index.known.get((entry.source, entry.source_id), [])
    homes = [place for place in homes if place.key[:3] == entry.country]
    if homes:
        return _doubt_id(entry, homes, candidates)
    return _judge_alike(entry, index, candidates)


def _judge_alike(entry: Entry, index: Index, candidates: list[tuple[str, Score]]) -> Match:
    if not candidates:
        return Match(entry, "", 0.0, "new", "nothing to compare with")
    key, score = candidates[0]
    match = Match(entry, key, score.value, "accept", score.reason, candidates=tuple(candidates))
    if score.value < ASK_FROM:
        return replace(match, found="", verdict="new")
    if score.value <= ACCEPT_ABOVE:
        return replace(match, verdict="ask")
    if _is_close(candidates, entry.date, index):
        return ask(match, "another factory is as like it")
    return match


def _doubt_id(entry: Entry, homes: list[Place], candidates: list[tuple[str, Score]]) -> Match:
    """Ask about an entry whose id the register knows under another name."""
    scores = dict(rank(homes, entry.name, entry.address)) | dict(candidates)
    ranked = sorted(scores.items(), key=lambda pair: (-pair[1].value, pair[0]))
    match = Match(entry, ranked[0][0], ranked[0][1].value, "ask", candidates=tuple(ranked))
    return ask(match, "the source id stood for another name")


def _is_close(candidates: list[tuple[str, Score]], date: str, index: Index) -> bool:
    """Tell whether two factories that both would be accepted are hard to tell apart."""
    best = candidates[0][1].value
    close = {
        _survivor(key, date, index)
        for key, score in candidates
        if score.value > ACCEPT_ABOVE and best - score.value < MARGIN
    }
    return len(close) > 1


def _known_as(entry: Entry, index: Index) -> list[Place]:
    """List the places that the register knows under an entry's id, where names agree.

    Those of the entry's own country come alone: ids may be numbered country by country.
    """
    places = index.known.get((entry.source, entry.source_id), [])
    agreeing = [place for place in places if names_agree(entry.name, place.name)]
    return [p for p in agreeing if p.key[:3] == entry.country] or agreeing


def ask(match: Match, reason: str) -> Match:
    """Leave a match to a person; its score is brought into the band of the uncertain."""
    score = min(max(match.score, ASK_FROM), ACCEPT_ABOVE)
    return replace(match, verdict="ask", score=score, reason=reason)


def _survivor(key: str, date: str, index: Index) -> str:
    """Follow mergers up to a date; an entry without a date is taken as of today."""
    while key in index.factories and index.factories[key].merged_into:
        closed = index.factories[key].closed
        if closed and date and first_day(date) < first_day(closed):
            break
        key = index.factories[key].merged_into
    return key


def follow(match: Match, index: Index) -> Match:
    """Follow mergers; ask where the factory was not open at the entry's date."""
    key, date = _survivor(match.found, match.entry.date, index), match.entry.date
    match = replace(match, key=key)
    factory = index.factories.get(key)
    if factory is None or not date or match.verdict == "decided":
        return match
    if factory.closed and first_day(date) > last_day(factory.closed):
        return ask(match, f"seen after the factory closed ({factory.closed})")
    if factory.opened and last_day(date) < first_day(factory.opened):
        return ask(match, f"seen before the factory opened ({factory.opened})")
    return match
