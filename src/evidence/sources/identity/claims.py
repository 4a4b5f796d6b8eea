"""A key stands for one factory: what happens where several source ids want it."""

from __future__ import annotations

from dataclasses import replace

from evidence.sources.identity.judge import Match, ask
from evidence.sources.identity.keys import is_provisional, provisional_key


def part_claims(found: list[Match]) -> list[Match]:
    """Ask where two ids of a source were taken for one factory in the same year."""
    taken = [n for n, m in enumerate(found) if m.verdict in {"accept", "decided"}]
    for claims in _claims(found, taken):
        for claim, numbers in claims.items():
            years = {found[n].entry.year for n in numbers}
            others = {found[n].entry.year for c in claims if c != claim for n in claims[c]}
            if years & others:
                for n in numbers:
                    if found[n].verdict == "accept":
                        found[n] = ask(found[n], "two ids of the source would be one factory")
    return found


def share_out(found: list[Match]) -> list[Match]:
    """Give each key to one id of a source a year; the others get provisional keys."""
    taken = [n for n, m in enumerate(found) if m.verdict != "new"]
    for claims in _claims(found, taken):
        sure = {c: [n for n in claims[c] if found[n].verdict != "ask"] for c in claims}
        asked = {c: [n for n in claims[c] if found[n].verdict == "ask"] for c in claims}
        owner = {found[n].entry.year: c for c in sorted(sure) for n in sure[c]}
        by_score = sorted((-max(found[n].score for n in asked[c]), c) for c in asked if asked[c])
        for _, claim in by_score:
            years = {found[n].entry.year for n in asked[claim]}
            if all(owner.get(year, claim) == claim for year in years):
                owner |= dict.fromkeys(years, claim)
                continue
            for n in asked[claim]:
                found[n] = _set_apart(found[n])
    return found


def _set_apart(match: Match) -> Match:
    entry = match.entry
    key = provisional_key(entry.country, entry.source, entry.claim)
    return replace(match, found=key, key=key)


def _claims(found: list[Match], numbers: list[int]) -> list[dict[str, list[int]]]:
    """Group matches by source and key, then by the id that wants the key."""
    grouped: dict[tuple[str, str], dict[str, list[int]]] = {}
    for n in numbers:
        match = found[n]
        if not is_provisional(match.key):
            claims = grouped.setdefault((match.entry.source, match.key), {})
            claims.setdefault(match.entry.claim, []).append(n)
    return [claims for claims in grouped.values() if len(claims) > 1]
