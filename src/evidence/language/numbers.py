"""Numbers in a language: digits, units, and how many decimals are shown."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from babel.numbers import format_decimal

from evidence.language.catalogue import say

_MOST_DECIMALS = 6


def format_number(language: str, value: float, *, decimals: int = 1, signed: bool = False) -> str:
    """Format a number with the language's digits, groups and a true minus sign."""
    pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
    text: str = format_decimal(abs(round(value, decimals)), format=pattern, locale=language)
    if round(value, decimals) < 0:
        return "\N{MINUS SIGN}" + text
    return "+" + text if signed and round(value, decimals) > 0 else text


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
    return unit.replace(" ", "_") if unit in {"percent", "percentage points"} else "other"
