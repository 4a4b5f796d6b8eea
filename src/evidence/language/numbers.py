"""Numbers in a language: digits, groups, units, and how many decimals are shown.

How a language writes numbers is in ``locales/numbers.toml``. Babel is not asked: it never
emits Khmer or Bangla digits, and CLDR would swap the separators of Khmer.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from evidence.errors import LanguageError
from evidence.language.catalogue import LOCALES, say
from evidence.toml import check_sections, read_toml, strict

_MOST_DECIMALS = 6
_ASCII = "0123456789"
_NAMED = {"percent", "percentage points", "score"}
"""Units of findings that each language has words for."""

_IN_POINTS = {"percent", "per cent", "%", "percentage points"}
"""Units of which a further one is a percentage point."""


@strict
class Numerals:
    """How a language writes numbers.

    ``groups`` are lengths of groups of digits from the right; the last one repeats.
    """

    digits: Annotated[str, Field(min_length=10, max_length=10)]
    decimal: Annotated[str, Field(min_length=1, max_length=1)]
    group: Annotated[str, Field(min_length=1, max_length=1)]
    groups: Annotated[tuple[Annotated[int, Field(ge=2)], ...], Field(min_length=1)]


def numerals_of(language: str) -> Numerals:
    """Tell how a language writes numbers.

    Raises
    ------
    LanguageError
        Where ``locales/numbers.toml`` does not say.
    """
    known = _load()
    if language not in known:
        raise LanguageError(
            "locales/numbers.toml",
            seen=f"nothing on '{language}'",
            expected=f"one of {', '.join(known)}",
            do=f"Add [{language}] with digits, decimal, group and groups.",
        )
    return known[language]


def format_number(language: str, value: float, *, decimals: int = 1, signed: bool = False) -> str:
    """Format a number with the language's digits, groups and a true minus sign."""
    style = numerals_of(language)
    rounded = round(float(value), decimals)
    whole, _, part = f"{abs(rounded):.{decimals}f}".partition(".")
    text = style.group.join(_group(whole, style.groups)) + (style.decimal + part if part else "")
    sign = "\N{MINUS SIGN}" if rounded < 0 else "+" if signed and rounded > 0 else ""
    return sign + text.translate(_digits(style))


def format_plain(language: str, number: int | str) -> str:
    """Write what is numbered and not counted, without groups: a year, an edition, a day."""
    return str(number).translate(_digits(numerals_of(language)))


def format_period(language: str, first: int | str, last: int | str) -> str:
    """Write a span of years, or a single one, kept on one line."""
    ends = [format_plain(language, end) for end in (first, last)]
    return ends[0] if ends[0] == ends[1] else "\u2060\u2013\u2060".join(ends)


def format_amount(language: str, value: float, unit: str, *, decimals: int = 1) -> str:
    """Format a number with its unit, never breaking between the two."""
    number = format_number(language, value, decimals=decimals)
    return say(language, f"amount.{unit_key(unit)}", number=number, unit=unit).replace(
        " ", "\N{NO-BREAK SPACE}"
    )


def format_interval(language: str, low: float, high: float, *, decimals: int = 1) -> str:
    """Format an interval as its two ends, kept on one line."""
    ends = [format_number(language, end, decimals=decimals) for end in (low, high)]
    return say(language, "interval", low=ends[0], high=ends[1]).replace(" ", "\N{NO-BREAK SPACE}")


def name_unit(language: str, unit: str) -> str:
    """Name a unit without a number, for axes and column heads."""
    return say(language, f"unit.{unit_key(unit)}", unit=unit)


def name_step(language: str, unit: str) -> str:
    """Name what a further unit of a variable is: a percentage point, or its unit."""
    return say(language, f"step.{'percentage_points' if unit in _IN_POINTS else 'unit'}")


def tell_scale(language: str, *, best: float, worst: float) -> str:
    """Tell the ends of a score, and whether higher or lower is better."""
    ends = {
        name: format_number(language, end, decimals=0 if end == round(end) else decimals_of(1))
        for name, end in (("best", best), ("worst", worst))
    }
    return say(language, f"natural.{'lower' if best < worst else 'higher'}_better", **ends)


def shown_decimals(entry: Mapping[str, Any]) -> int:
    """Choose decimals: one digit of half the interval, and no end rounded to nothing."""
    low, high = entry.get("conf_low"), entry.get("conf_high")
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        estimate = entry.get("estimate")
        return decimals_of(abs(estimate)) if estimate else 1
    decimals = decimals_of((high - low) / 2)
    ends = [abs(end) for end in (low, high) if end]
    return max([decimals, *(min(decimals_of(end), decimals + 2) for end in ends)])


def decimals_of(size: float) -> int:
    """Count the decimals that show the first digit of a size, at least one."""
    if not math.isfinite(size) or size <= 0:
        return 1
    return min(_MOST_DECIMALS, max(1, -math.floor(math.log10(size) + math.log10(2))))


def unit_key(unit: str) -> str:
    """Name the messages of a unit."""
    return unit.replace(" ", "_") if unit in _NAMED else "other"


def _group(digits: str, groups: tuple[int, ...]) -> list[str]:
    """Cut digits into groups from the right."""
    found, sizes = [], list(groups)
    while digits:
        size = sizes.pop(0) if len(sizes) > 1 else sizes[0]
        found.append(digits[-size:])
        digits = digits[:-size]
    return found[::-1]


def _digits(style: Numerals) -> dict[int, str]:
    return {ord(plain): own for plain, own in zip(_ASCII, style.digits, strict=True)}


@functools.cache
def _load() -> dict[str, Numerals]:
    path = LOCALES / "numbers.toml"
    raw = read_toml(path, LanguageError)
    return {
        language: check_sections(Numerals, section, LanguageError, where=f"{path.name}: {language}")
        for language, section in raw.items()
    }
