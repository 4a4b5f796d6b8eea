"""Let the entries of one source id be one factory, as far as their names agree."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from evidence.sources.identity.judge import Match, ask
from evidence.sources.identity.keys import is_provisional, provisional_key
from evidence.sources.identity.score import compare, names_agree
from evidence.sources.identity.words import spell_plainly


def agree(matches: list[Match]) -> list[Match]:
    """Let the entries of one source id be one factory, as far as their names agree."""
    found = list(matches)
    turns = sorted(range(len(found)), key=lambda n: found[n].entry.order)
    decided: list[Match] = []
    for n in turns:
        if found[n].verdict == "decided" and not found[n].found:
            found[n] = _anchor_decided(found[n], decided)
    leaders = _order(m for m in found if m.verdict in {"accept", "decided"})
    asked = _order(m for m in found if m.verdict == "ask")
    found = [_join(match, leaders, asked) for match in found]
    anchors: list[Match] = []
    for n in turns:
        if not found[n].found:
            found[n] = _anchor(found[n], anchors)
    return found


def _order(matches: Iterable[Match]) -> list[Match]:
    return sorted(matches, key=lambda m: (m.verdict != "decided", -m.score, m.found, m.entry.order))


def _join(match: Match, leaders: list[Match], asked: list[Match]) -> Match:
    if match.verdict in {"accept", "decided"}:
        return match
    for leader in leaders:
        if _may_be_one(match, leader):
            reason = "as other entries of its source id"
            joined = replace(match, found=leader.found, score=leader.score, reason=reason)
            return replace(joined, verdict="accept")
    other = next((m for m in leaders if _is_known(m, match.entry.country)), None)
    if other is not None and match.verdict == "new":
        return ask(replace(match, found=other.found), "the source id stood for another name")
    for other in asked:
        if _may_be_one(match, other):
            return ask(replace(match, found=other.found), match.reason or other.reason)
    return match


def _may_be_one(one: Match, two: Match) -> bool:
    return names_agree(one.entry.name, two.entry.name) and one.entry.country == two.entry.country


def _is_known(match: Match, country: str) -> bool:
    return match.entry.country == country and not is_provisional(match.found)


def _anchor_decided(match: Match, anchors: list[Match]) -> Match:
    """Give an entry that a person called new a key of its own name."""
    for anchor in anchors:
        if _may_be_one(match, anchor):
            return replace(match, found=anchor.found)
    entry = match.entry
    key = provisional_key(entry.country, entry.source, entry.claim, spell_plainly(entry.name))
    anchors.append(replace(match, found=key))
    return anchors[-1]


def _anchor(match: Match, anchors: list[Match]) -> Match:
    """Give an entry outside the register the key of the first entry of its source id."""
    entry = match.entry
    for anchor in anchors:
        if names_agree(entry.name, anchor.entry.name):
            return replace(match, found=anchor.found)
    home = next((a for a in anchors if a.entry.country == entry.country), None)
    if home is not None:
        alike = compare(entry.name, entry.address, home.entry.name, home.entry.address)
        doubted = replace(match, found=home.found, score=alike.value)
        return ask(doubted, "the source id stood for another name")
    key = provisional_key(entry.country, entry.source, entry.claim)
    anchors.append(replace(match, found=key))
    return anchors[-1]
