"""Keys of factories: a country, a number, a check character, such as ``VNM-00042-E``.

The check character follows ISO/IEC 7064:2003, pure system MOD 37-2: it catches every
single wrong character and every swap of neighbours. (The hybrid MOD 37,36 always gives
a letter or digit, but lets about 3 swaps in 1,000 of such keys pass.) MOD 37-2 needs a
37th check character, ``*``; numbers that would need it, one in 37, are left out.
"""

from __future__ import annotations

import hashlib
import re

from evidence.language import find_territory

_CHARACTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ*"
_KEY = re.compile(r"([A-Z]{3})-([0-9]{5,})-([0-9A-Z])")
_PROVISIONAL = "NEW"


def check_character(text: str) -> str:
    """Compute the check character of letters and digits.

    Parameters
    ----------
    text : str
        Capital letters and digits only.

    Notes
    -----
    ISO/IEC 7064:2003, MOD 37-2: the characters' values, weighted by powers of two with
    the check character's weight one, add up to 1 modulo 37.
    """
    total = 0
    for character in text:
        total = (total + _CHARACTERS.index(character)) * 2 % 37
    return _CHARACTERS[(1 - total) % 37]


def make_key(country: str, number: int) -> str:
    """Spell a factory's key, or an empty text for a number that is left out."""
    body = f"{number:05d}"
    check = check_character(country + body)
    return "" if check == "*" else f"{country}-{body}-{check}"


def next_key(country: str, after: int) -> tuple[str, int]:
    """Find the first key with a number above one, with that number."""
    number = after + 1
    while not make_key(country, number):
        number += 1
    return make_key(country, number), number


def split_key(key: str) -> tuple[str, int] | None:
    """Split a key into country and number; None where it is not a right key."""
    found = _KEY.fullmatch(key)
    if found is None or check_character(found[1] + found[2]) != found[3]:
        return None
    return found[1], int(found[2])


def provisional_key(country: str, *content: str) -> str:
    """Derive the key of a factory outside the register from what is known of it.

    It does not depend on other rows nor on their order.
    """
    digest = hashlib.sha256("\x1f".join((country, *content)).encode()).hexdigest()
    return f"{country}-{_PROVISIONAL}-{digest[:12].upper()}"


def is_country(code: str) -> bool:
    """Tell whether a text is an ISO 3166-1 alpha-3 code."""
    return len(code) == 3 and find_territory(code) == code


def is_provisional(key: str) -> bool:
    """Tell whether a key is one of a factory outside the register."""
    return key[4:7] == _PROVISIONAL
