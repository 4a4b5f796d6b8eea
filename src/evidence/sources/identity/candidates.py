"""Find the factories that an entry may be, without comparing it with every one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz import fuzz
from rapidfuzz.process import cdist

from evidence.sources.identity.register import Alias, Factory, Register
from evidence.sources.identity.score import Score, compare
from evidence.sources.identity.words import read_address, read_name

_KEPT = 8
_BLOCK = 512


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A name and an address under which a factory is known."""

    key: str
    name: str
    address: str


def places_of(register: Register) -> tuple[Place, ...]:
    """List all names and addresses of a register, sorted; the key tells the country."""
    rows: list[Factory | Alias] = [*register.factories, *register.aliases]
    return tuple(sorted({Place(row.key, row.name, row.address) for row in rows}))


def find_candidates(
    asked: Iterable[tuple[str, str, str]], places: Sequence[Place]
) -> dict[tuple[str, str, str], list[tuple[str, Score]]]:
    """Score each country, name and address against the likeliest factories.

    Returns
    -------
    dict
        For each asked triple, pairs of key and score, the best first, each key once.

    Notes
    -----
    Only factories of the same country are compared. Those whose name (in its own or in
    alphabetical order of words) or address is nearest by letters are then scored in full.
    """
    found: dict[tuple[str, str, str], list[tuple[str, Score]]] = {}
    unique = sorted(set(asked))
    for country in sorted({triple[0] for triple in unique}):
        here = [place for place in places if place.key[:3] == country]
        entries = [triple for triple in unique if triple[0] == country]
        near = _nearest([(name, address) for _, name, address in entries], here)
        for triple, numbers in zip(entries, near, strict=True):
            found[triple] = rank([here[n] for n in sorted(numbers)], triple[1], triple[2])
    return found


def rank(places: Sequence[Place], name: str, address: str) -> list[tuple[str, Score]]:
    """Score a name and an address against places; each key once, the best first."""
    best: dict[str, Score] = {}
    for place in places:
        score = compare(name, address, place.name, place.address)
        if place.key not in best or score.value > best[place.key].value:
            best[place.key] = score
    return sorted(best.items(), key=lambda pair: (-pair[1].value, pair[0]))


def _nearest(entries: list[tuple[str, str]], places: Sequence[Place]) -> list[set[int]]:
    near: list[set[int]] = [set() for _ in entries]
    if not entries or not places:
        return near
    spellings: tuple[Callable[[str, str], str], ...] = (
        lambda name, _: read_name(name).sorted,
        lambda name, _: "".join(read_name(name).words),
        lambda _, address: " ".join(sorted(read_address(address).words)),
    )
    for spell in spellings:
        left = [spell(name, address) for name, address in entries]
        right = [spell(place.name, place.address) for place in places]
        if any(left) and any(right):
            for start in range(0, len(left), _BLOCK):
                likeness = cdist(
                    left[start : start + _BLOCK],
                    right,
                    scorer=fuzz.ratio,
                    dtype=np.float32,
                    workers=-1,
                )
                for row, numbers in enumerate(_top(likeness), start):
                    near[row].update(numbers if left[row] else ())
    return near


def _top(likeness: np.ndarray) -> list[list[int]]:
    kept = min(_KEPT, likeness.shape[1])
    order: np.ndarray = np.argpartition(-likeness, kept - 1, axis=1)[:, :kept]
    rows: list[list[int]] = order.tolist()
    return rows
