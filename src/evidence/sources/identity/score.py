"""How alike an entry and a factory are, from 0 to 1, with the reason for any doubt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz import fuzz
from rapidfuzz.distance import OSA

from evidence.sources.identity.words import (
    Address,
    Name,
    address_weight,
    name_weight,
    read_address,
    read_name,
    spell_by_sound,
)

# The bands of Open Supply Hub (info.opensupplyhub.org/os-hub-id, read 2026): above 80 %
# matched by itself, 50 to 80 % a person looks, below 50 % a new facility.
ACCEPT_ABOVE = 0.8
ASK_FROM = 0.5
# The rest are choices of this house, not fitted to data; SAME_SOUND was added after a first
# measurement, the others come from before it (docs/identity.md has the rates).
NAME_SHARE = 0.6
SAME_WORD = 0.7
SAME_JOINED = 0.94
SAME_SOUND = 0.9
SURE_NAME = 0.85
SURE_NAME_ALONE = 0.95
SURE_ADDRESS = 0.9
NAME_ALONE = 0.95
DISAGREE = 0.5


@dataclass(frozen=True, slots=True)
class Score:
    """A likeness from 0 to 1; ``reason`` says what keeps it from being accepted, if anything."""

    value: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Overlap:
    """Two lists of words: how much is shared, and whether each has what the other lacks."""

    share: float
    contained: float
    both_differ: bool


def compare(name: str, address: str, other_name: str, other_address: str) -> Score:
    """Score how alike two entries of the same country are.

    Where both have an address: 0.6 × names + 0.4 × addresses. What tells two factories
    apart, such as different unit numbers, caps the score at ``ACCEPT_ABOVE``, so that a
    person is asked.
    """
    one, two = read_name(name), read_name(other_name)
    here, there = read_address(address), read_address(other_address)
    names = _compare_names(one, two)
    if here.words and there.words:
        addresses = _compare_addresses(here, there)
        value = NAME_SHARE * names.share + (1 - NAME_SHARE) * addresses
        reason = _doubt(names, one, two) or _doubt_place(names, addresses, one, here, there)
        value = max(value, ASK_FROM) if _is_same_plot(addresses, here, there) else value
    else:
        value = NAME_ALONE * names.share
        reason = _doubt(names, one, two) or _doubt_name_alone(names, one)
    value = round(min(value, ACCEPT_ABOVE) if reason else value, 4)
    return Score(value, reason or ("" if value > ACCEPT_ABOVE else "not alike enough"))


def names_agree(name: str, other: str) -> bool:
    """Tell whether two names under one source id may be one factory's.

    They may not where less than half is shared, or where both have unit numbers and
    none in common. An empty name disagrees with nothing.
    """
    if not name or not other:
        return True
    one, two = read_name(name), read_name(other)
    apart = bool(one.units and two.units and not one.units & two.units)
    return not apart and _compare_names(one, two).share >= DISAGREE


def _doubt(names: _Overlap, one: Name, two: Name) -> str:
    if one.units != two.units:
        return "different unit number"
    if names.both_differ:
        return "each name has a word that the other lacks"
    return "names differ" if names.share < SURE_NAME else ""


def _doubt_place(
    names: _Overlap, addresses: float, one: Name, here: Address, there: Address
) -> str:
    if _apart(here.units, there.units) or _apart(here.plots, there.plots):
        return "different plot, building or unit in the address"
    if one.is_generic and addresses < SURE_ADDRESS:
        return "a name that many factories may have"
    if addresses < ASK_FROM and names.share >= SURE_NAME:
        return "same name at another address"
    return ""


def _doubt_name_alone(names: _Overlap, one: Name) -> str:
    if one.is_generic:
        return "a name that many factories may have"
    return "no address to compare" if names.share < SURE_NAME_ALONE else ""


def _apart(one: frozenset[str], two: frozenset[str]) -> bool:
    return bool(one and two and not one & two)


def _is_same_plot(addresses: float, here: Address, there: Address) -> bool:
    """Tell whether two entries lie on one plot: perhaps one factory under a new name."""
    return (
        addresses >= SURE_ADDRESS
        and bool(here.plots & there.plots)
        and not _apart(here.units, there.units)
    )


def _compare_names(one: Name, two: Name) -> _Overlap:
    if not one.words or not two.words:
        same = fuzz.ratio(one.plain, two.plain) / 100
        return _Overlap(same, same, both_differ=False)
    found = _overlap(one.words, two.words, name_weight)
    joined = fuzz.ratio("".join(sorted(one.words)), "".join(sorted(two.words))) / 100
    in_order = fuzz.ratio("".join(one.words), "".join(two.words)) / 100
    if len(one.words) != len(two.words) and max(joined, in_order) >= SAME_JOINED:
        return _Overlap(max(joined, in_order, found.share), 1.0, both_differ=False)
    return found


def _compare_addresses(one: Address, two: Address) -> float:
    """Score two addresses; one that only names the district agrees with its full form."""
    found = _overlap(one.words, two.words, address_weight)
    return (found.share + found.contained) / 2


def _overlap(one: tuple[str, ...], two: tuple[str, ...], weigh: Callable[[str], float]) -> _Overlap:
    """Pair the words of two texts, most alike first, in any order."""
    left, right = list(one), list(two)
    shared = shorter = 0.0
    total_left, total_right = sum(map(weigh, left)), sum(map(weigh, right))
    for likeness, a, b in _pairs(left, right):
        if a not in left or b not in right:
            continue
        left.remove(a)
        right.remove(b)
        weight = min(weigh(a), weigh(b))
        shared += 2 * weight * likeness
        shorter += weight * likeness
        total_left += weight - weigh(a)
        total_right += weight - weigh(b)
    least = min(total_left, total_right)
    return _Overlap(
        shared / (total_left + total_right) if total_left + total_right else 0.0,
        shorter / least if least else 0.0,
        both_differ=bool(left and right),
    )


def _pairs(one: list[str], two: list[str]) -> list[tuple[float, str, str]]:
    """List the pairs of words that may be one word; those with digits have to be equal."""
    found = [(1.0, word, word) for word in one if word in two]
    right = [word for word in set(two) if not _has_digit(word)]
    for a in set(one):
        if not _has_digit(a):
            for b in right:
                likeness = _like(a, b) if a != b else 0.0
                found += [(likeness, a, b)] * (likeness >= SAME_WORD)
    return sorted(found, key=lambda pair: (-pair[0], pair[1], pair[2]))


def _like(a: str, b: str) -> float:
    """Score two words: by letters changed, or as one sound in two transliterations."""
    sound = SAME_SOUND if spell_by_sound(a) == spell_by_sound(b) else 0.0
    if min(len(a), len(b)) < SAME_WORD * max(len(a), len(b)):
        return sound
    return max(sound, OSA.normalized_similarity(a, b, score_cutoff=SAME_WORD))


@lru_cache(maxsize=1 << 17)
def _has_digit(word: str) -> bool:
    return any(character.isdigit() for character in word)
