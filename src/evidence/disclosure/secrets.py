"""What must not stand in a public file, laid out so that a page is searched in one pass.

Identifiers bind whatever the source's confidentiality; the units of the fits and the exact
values of the panels bind restricted and simulated data (the values of a public source
can be had from its producer).

A name is compared without case, accents, separators and invisible characters, from word
to word. Identifiers that are bare numbers cannot be told from other numbers for sure:
of up to three digits they are not looked for; longer ones are told by a count. Of the
numbers of so many digits on a page, ``hits`` are identifiers, and ``expected`` would be if
the page's numbers had nothing to do with them (their share among all numbers of so many
digits); what chance explains in more than one page of twenty is no alarm. Years
from 1900 to 2100 are left out; behind the unit's word (factory 2019) every one counts,
and so does one that starts with zero.

Values are compared at the digits that the page shows, five or more, likewise against
chance: one of nine digits and more, or three of five and more. A value that
``threshold`` units or more share points at nobody.
"""

from __future__ import annotations

import bisect
import functools
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.special

from evidence.disclosure.gate import Cleared
from evidence.errors import DisclosureError

_LONGEST_PLAIN = 3
_SHORTEST_LOOSE = 6
_SAFE_LENGTH, _MOST_PIECES, _BEFORE = 8, 6, 40
_SHORTEST_SPLIT, _HEAD = 5, 3
_YEARS = range(1900, 2101)
_ID_CHANCE, _VALUE_CHANCE = 0.05, 0.01
_FEW_DIGITS, _MANY_DIGITS, _MOST_DIGITS = 5, 9, 15
_FEW_VALUES, _LARGEST = 3, 1e100
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]"
)
_FOLDED = {ord("đ"): "d", ord("ø"): "o", ord("ł"): "l", ord("ı"): "i"}
_BARE = re.compile(r"(?<![\w.])\d{4,}(?!\w|\.\d)")
_GROUPED = re.compile(r"(?<![\w.,])\+?\(?\d[\d\-_/ ().\u00a0\u2010-\u2015]{4,}\d(?![\w]|[.,]\d)")
# Each begins with a digit and looks behind it: the engine then leaps from digit to digit.
_NUMBER = re.compile(r"[\d.](?<![\d.].)(?:(?<=\d)\d*\.?\d*|(?<=\.)\d+)(?:[eE][-+]?\d{1,3})?")
_THOUSANDS = re.compile(
    r"\d(?<![\w.,].)\d{0,2}(?:[,'\u2019\u00a0\u202f ]\d{3})+(?:\.\d+)?(?![\d,])"
)
_COMMA = re.compile(r"\d(?<![\w.,].)(?:\d{0,2}(?:[.\u00a0\u202f ]\d{3})+|\d*),\d+(?![\d.,])")
_WHOLE = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Secrets:
    """Identifiers and values in the order in which they are looked up.

    ``names`` maps folded identifiers that hold a letter to their count of words,
    ``order`` holds them sorted, ``heads`` how they begin, up to three letters; ``numbers``
    holds bare numbers; ``words`` name the unit; ``values`` are magnitudes, sorted; ``least_units``
    is the least count of units in a panel (0: values are not bound).
    """

    names: dict[str, int]
    order: tuple[str, ...]
    heads: frozenset[str]
    numbers: frozenset[str]
    words: frozenset[str]
    values: np.ndarray
    least_units: int


def collect(cleared: Cleared) -> Secrets:
    """Collect what a study's public files must not hold, once for each state of its panels.

    Raises
    ------
    DisclosureError
        Where the run of restricted or simulated data has no panel beside it.
    """
    protected, study = cleared.neck.protected, cleared.study
    found = set(protected["identifiers"])
    panels: tuple[tuple[str, int, int], ...] = ()
    if protected["confidentiality"] != "public":
        found |= {unit for units in protected["units"].values() for unit in units}
        panels = _find_panels(study.internal, study.slug)
    nouns = {pair[0] for pair in study.entity.noun.values()}
    words = frozenset({fold(w).strip() for w in (*nouns, protected["protected_unit"], "id", "nr")})
    return _collect(frozenset(found), panels, study.disclosure.threshold, words)


def fold(text: str) -> str:
    """Fold a text: no case, accents, invisible characters; separators become spaces.

    Characters of scripts without spaces become words of their own.
    """
    plain = unicodedata.normalize("NFKD", text).casefold()
    return plain.translate({ord(c): _fold_character(c) for c in set(plain)})


def find_name(secrets: Secrets, text: str, *, sure: bool) -> bool:
    """Tell whether a name or code stands in a text, from word to word.

    In bytes that are text on a guess, only names of six characters and more are told
    from chance.
    """
    words, known = fold(text).split(), dict[str, tuple[bool, int]]()
    likely = {word for word in set(words) if word[:_HEAD] in secrets.heads}
    starts = {word for word in likely if _look_up(secrets, word, known)[0]}
    least = 1 if sure else _SHORTEST_LOOSE
    places = [first for first, word in enumerate(words) if word in starts]
    return any(_spells_name(secrets, words, first, known, least) for first in places)


def find_numbers(secrets: Secrets, texts: Iterable[str]) -> bool:
    """Tell whether texts hold more numbers that are identifiers than chance explains."""
    if not secrets.numbers:
        return False
    seen, certain = set[str](), set[str]()
    for text in texts:
        plain = _plain_digits(text)
        for match in (*_BARE.finditer(plain), *_GROUPED.finditer(plain)):
            digits = _join_digits(match[0], secrets.numbers)
            seen |= digits
            known = digits & secrets.numbers
            if known and _stands_behind(secrets.words, plain[: match.start()]):
                certain |= known
    certain |= {n for n in seen & secrets.numbers if n.startswith("0")}
    return bool(certain) or _exceeds_chance(secrets, seen)


def read_numbers(text: str, *, grouped: bool = True) -> dict[float, int]:
    """Read the numbers of a text: magnitude → count of digits shown, five or more.

    ``grouped`` tells whether a space may part thousands; between operands of a drawing it
    parts numbers.
    """
    plain = _plain_digits(text)
    shown = {t for t in _NUMBER.findall(plain) if len(t) >= _FEW_DIGITS}
    spaced = plain if grouped else plain.replace(" ", "\n")
    shown |= {re.sub(r"[^\d.]", "", t) for t in _THOUSANDS.findall(spaced) if len(t) > _FEW_DIGITS}
    shown |= {
        re.sub(r"[^\d,]", "", t).replace(",", ".")
        for t in _COMMA.findall(spaced)
        if len(t) > _FEW_DIGITS
    }
    counted = {t: _count_digits(t) for t in shown}
    found: dict[float, int] = {}
    for text_shown, digits in counted.items():
        value = float(text_shown)
        if digits >= _FEW_DIGITS and 0 < value < _LARGEST:
            found[value] = max(digits, found.get(value, 0))
    return found


def read_array(payload: bytes) -> list[dict[float, int]]:
    """Read bytes as an array of numbers, in each width that charts use."""
    found = []
    for kind, digits in _WIDTHS:
        size = np.dtype(kind).itemsize
        if len(payload) >= 2 * size and len(payload) % size == 0:
            with np.errstate(all="ignore"):
                values = np.abs(np.frombuffer(payload, kind).astype("float64"))
                kept = np.unique(values[(values > 1e-9) & (values < 1e15)])
            if digits:
                found.append(dict.fromkeys(kept.tolist(), digits))
            else:
                found.append({v: len(str(int(v))) for v in kept.tolist() if v >= 1e4})
    return found


def find_values(secrets: Secrets, numbers: dict[float, int]) -> bool:
    """Tell whether numbers are exact values, more of them than chance explains."""
    if not len(secrets.values) or not numbers:
        return False
    shown = np.array(list(numbers))
    digits = np.minimum(list(numbers.values()), _MOST_DIGITS)
    hits, expected = np.zeros(len(shown), bool), np.zeros(len(shown))
    half = 0.5000001 * 10.0 ** (np.floor(np.log10(shown)) - digits + 1)
    for scale in (1.0, 100.0):
        at, wide = shown / scale, shown / scale * 0.05
        near = half / scale + 1e-14 * at
        hits |= _count_between(secrets.values, at - near, at + near) > 0
        expected += _count_between(secrets.values, at - wide, at + wide) * near / wide
    many = digits >= _MANY_DIGITS
    return _is_no_chance(hits[many].sum(), expected[many].sum(), 1, _VALUE_CHANCE) or (
        _is_no_chance(hits.sum(), expected.sum(), _FEW_VALUES, _VALUE_CHANCE)
    )


_WIDTHS = (("<f8", 15), ("<f4", 7), ("<i4", 0), ("<i8", 0), ("<u2", 0), (">f8", 15))


def _spells_name(
    secrets: Secrets,
    words: list[str],
    first: int,
    known: dict[str, tuple[bool, int]],
    least: int,
) -> bool:
    """Tell whether words from ``first`` on, put together, are a name."""
    spelt, last, begins = "", first, True
    while begins and last < len(words):
        spelt += words[last]
        last += 1
        begins, count = known.get(spelt) or _look_up(secrets, spelt, known)
        alike = len(spelt) >= _SHORTEST_SPLIT or last - first in {1, count}
        if count and alike and len(spelt) >= least:
            return True
    return False


def _look_up(secrets: Secrets, spelt: str, known: dict[str, tuple[bool, int]]) -> tuple[bool, int]:
    """Say whether a name begins like this, and of how many words the one like this is."""
    at = bisect.bisect_left(secrets.order, spelt)
    begins = at < len(secrets.order) and secrets.order[at].startswith(spelt)
    known[spelt] = (begins, secrets.names.get(spelt, 0))
    return known[spelt]


def _join_digits(shown: str, numbers: frozenset[str]) -> set[str]:
    """Put the digits of a number together, whatever separates them, and of its longer parts."""
    pieces = _WHOLE.findall(shown)
    if shown.count(".") == 1:
        return set()
    runs = {
        "".join(pieces[first:last])
        for first in range(len(pieces))
        for last in range(first + 2, min(len(pieces), first + _MOST_PIECES) + 1)
    }
    found = {run for run in runs if len(run) >= _SAFE_LENGTH and run in numbers}
    return {n for n in {*found, "".join(pieces)} if len(n) > _LONGEST_PLAIN}


def _stands_behind(words: frozenset[str], before: str) -> bool:
    last = fold(before[-_BEFORE:]).split()[-1:]
    return bool(last and last[0] in words)


@functools.lru_cache(maxsize=65536)
def _fold_character(character: str) -> str | None:
    kind = unicodedata.category(character)
    if kind in {"Cf", "Mn"}:
        return None
    if kind == "Nd":
        return str(unicodedata.digit(character))
    if _UNSPACED.match(character):
        return f" {character} "
    letter = kind[0] in "LN" or kind == "Mc"
    return _FOLDED.get(ord(character), character) if letter else " "


def _plain_digits(text: str) -> str:
    """Write digits of any script as 0 to 9, without invisible characters."""
    if text.isascii():
        return text
    for c in set(text):
        kind = unicodedata.category(c)
        if kind == "Nd" and not c.isascii():
            text = text.replace(c, str(unicodedata.digit(c)))
        elif kind == "Cf":
            text = text.replace(c, "")
    return text


def _count_digits(shown: str) -> int:
    mantissa = shown.lower().partition("e")[0]
    return len(mantissa.replace(".", "").lstrip("0"))


def _exceeds_chance(secrets: Secrets, seen: set[str]) -> bool:
    by_length = defaultdict[int, set[str]](set)
    for number in seen:
        if not (len(number) == len("1900") and int(number) in _YEARS):
            by_length[len(number)].add(number)
    for length, numbers in by_length.items():
        known = sum(len(n) == length for n in secrets.numbers)
        share = min(1.0, known / (9 * 10 ** (length - 1)))
        hits = len(numbers & secrets.numbers)
        if _is_no_chance(hits, len(numbers) * share, 1, _ID_CHANCE):
            return True
    return False


def _is_no_chance(hits: int, expected: float, least: int, chance: float) -> bool:
    """Tell whether so many hits would come by chance (Poisson) in less than ``chance``."""
    if hits < least:
        return False
    return bool(expected <= 0 or scipy.special.gammainc(hits, expected) < chance)


def _count_between(values: np.ndarray, low: Any, high: Any) -> np.ndarray:
    first = np.searchsorted(values, low, "left")
    counted: np.ndarray = np.searchsorted(values, high, "right") - first
    return counted


def _find_panels(internal: Path, slug: str) -> tuple[tuple[str, int, int], ...]:
    paths = sorted(internal.glob("cases/*/*/panel.parquet"))
    if not paths:
        raise DisclosureError(
            slug,
            seen="no panel.parquet beside the run",
            expected="the rows that the run used, for comparing public files with them",
            do="Run the study again; nothing was published.",
        )
    return tuple((str(p), p.stat().st_mtime_ns, p.stat().st_size) for p in paths)


@functools.lru_cache(maxsize=8)
def _collect(
    identifiers: frozenset[str],
    panels: tuple[tuple[str, int, int], ...],
    threshold: int,
    words: frozenset[str],
) -> Secrets:
    names, numbers, exact = dict[str, int](), set[str](), list[float]()
    for identifier in identifiers:
        digits = re.sub(r"[\W_]", "", _plain_digits(identifier))
        if re.fullmatch(r"\s*[-+]?\d+\.\d+\s*", identifier):
            exact.append(abs(float(identifier)))
        elif _WHOLE.fullmatch(digits):
            numbers |= {digits} if len(digits) > _LONGEST_PLAIN else set()
        else:
            spelt = fold(identifier).split()
            names["".join(spelt)] = len(spelt)
    names = {key: count for key, count in names.items() if _can_be_told(key)}
    loaded = [_read_panel(panel, threshold) for panel in panels]
    values = np.unique(np.concatenate([np.array(exact), *(v for v, _ in loaded)]))
    least = min((units for _, units in loaded), default=0)
    heads = frozenset(name[:end] for name in names for end in range(1, _HEAD + 1))
    return Secrets(names, tuple(sorted(names)), heads, frozenset(numbers), words, values, least)


def _can_be_told(key: str) -> bool:
    """Leave out codes of one or two letters, but not names of two characters without spaces."""
    return len(key) > 2 or bool(len(key) == 2 and _UNSPACED.match(key))


@functools.lru_cache(maxsize=64)
def _read_panel(panel: tuple[str, int, int], threshold: int) -> tuple[np.ndarray, int]:
    """Read a panel's exact values that fewer than ``threshold`` entities share."""
    frame = pd.read_parquet(panel[0])
    entities, names = pd.factorize(frame["entity"])
    numeric = frame.drop(columns=["entity", "time"]).select_dtypes("number")
    found = [_rare(numeric[name], entities, threshold) for name in numeric]
    return np.unique(np.concatenate([np.empty(0), *found])), len(names)


def _rare(column: pd.Series, entities: np.ndarray, threshold: int) -> np.ndarray:
    values = np.abs(column.to_numpy("float64", na_value=np.nan))
    told = np.isfinite(values) & (values > 0)
    values, entities = values[told], entities[told]
    with np.errstate(all="ignore"):
        scale = 10.0 ** (np.floor(np.log10(values)) - _FEW_DIGITS + 2)
        exact = ~np.isclose(values / scale, np.rint(values / scale), rtol=1e-11, atol=0)
    pairs = pd.DataFrame({"value": values[exact], "entity": entities[exact]}).drop_duplicates()
    counts = pairs["value"].value_counts()
    rare: np.ndarray = counts.index[counts < threshold].to_numpy("float64")
    return rare
