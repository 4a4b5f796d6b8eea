"""Words: messages, numbers and the linter of prose, one language at a time.

Logic stays here, words lie in ``locales/<language>.po`` (a message a class of
finding). Nothing here knows a study: callers pass labels and numbers.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

from evidence.errors import LanguageError

LOCALES = Path(__file__).parent / "locales"

_PLACEHOLDER = re.compile(r"\{\{\s*([a-z][a-z0-9_]*)\.([a-z_]+)\s*\}\}")
_NUMBER_WORDS = re.compile(
    r"\b(zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|"
    r"(?:thir|four|fif|six|seven|eigh|nine)teen|"
    r"(?:twen|thir|for|fif|six|seven|eigh|nine)ty|"
    r"hundreds?|thousands?|[mbtr]+illions?|dozens?|"
    r"hal(?:f|ves|ved?|ving)|thirds?|quarters?|fourths?|fifths?|sixths?|sevenths?|eighths?|"
    r"ninths?|tenths?|hundredths?|thousandths?|"
    r"once|twice|thrice|(?:doubl|tripl|quadrupl)(?:e[ds]?|ing)|"
    r"(?:two|three|four|five|six|seven|eight|nine|ten|hundred|many)fold)\b",
    re.IGNORECASE,
)
_SIGNS = "%‰‱"


def say(language: str, message: str, **values: str) -> str:
    """Say a message of the catalogue with its values filled in.

    Raises
    ------
    LanguageError
        Where the catalogue lacks the message, or a value is missing.
    """
    found = _catalogue(language).get(message)
    if found is None or not found.string:
        raise LanguageError(
            f"locales/{language}.po",
            seen=f"no message '{message}'",
            expected="one for every class of finding",
            do="Translate the message; nothing falls back to another language.",
        )
    try:
        return str(found.string).format_map(values)
    except KeyError as error:
        raise LanguageError(
            f"locales/{language}.po: message '{message}'",
            seen=f"placeholder {error}",
            expected=f"one of {', '.join(sorted(values))}",
            do="Mend the message.",
        ) from error


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
    return say(language, f"amount.{_unit_key(unit)}", number=number, unit=unit).replace(
        " ", "\N{NO-BREAK SPACE}"
    )


def format_interval(language: str, low: float, high: float, *, decimals: int = 1) -> str:
    """Format an interval as its two ends, kept on one line."""
    ends = [format_number(language, end, decimals=decimals) for end in (low, high)]
    return say(language, "interval", low=ends[0], high=ends[1]).replace(" ", "\N{NO-BREAK SPACE}")


def name_unit(language: str, unit: str) -> str:
    """Name a unit without a number, for axes and column heads."""
    return say(language, f"unit.{_unit_key(unit)}", unit=unit)


def word_finding(
    language: str, part: str, entry: Mapping[str, Any], words: Mapping[str, str]
) -> str:
    """Word a finding or a comparison of findings.

    Parameters
    ----------
    part : {"sentence", "title"}
        The message family.
    entry : mapping
        An entry of ``findings.json``.
    words : mapping
        ``outcome, exposure, noun, nouns`` in the language.
    """
    values = {**words, **finding_fields(language, entry)}
    if entry["kind"] == "comparison":
        message = f"{part}.comparison.{entry['design']}.{entry['direction']}"
    else:
        message = f"{part}.{entry['design']}.{entry['direction']}.{entry['contrast']}"
    return capitalise(say(language, message, **values))


def finding_fields(language: str, entry: Mapping[str, Any]) -> dict[str, str]:
    """Format every number of a finding: what a placeholder may ask for."""
    fields = {
        "conf_level": format_number(language, 100 * entry["conf_level"], decimals=0),
        "first_period": str(entry["first_period"]),
        "last_period": str(entry["last_period"]),
    }
    for name in ("nobs", "n_entities", "n_clusters", "n_periods", "n_cases", "n_decrease",
                 "n_increase", "n_unclear"):  # fmt: skip
        if entry.get(name) is not None:
            fields[name] = format_number(language, entry[name], decimals=0)
    if entry.get("within_share") is not None:
        fields["within_share"] = format_number(language, entry["within_share"], decimals=2)
    if entry.get("estimate") is not None:
        unit, decimals = entry["unit"], shown_decimals(entry)
        fields["estimate"] = format_amount(language, entry["estimate"], unit, decimals=decimals)
        fields["size"] = format_amount(language, abs(entry["estimate"]), unit, decimals=decimals)
    if entry.get("least") is not None:
        fields["sizes"] = _format_sizes(language, entry)
    if entry.get("conf_low") is not None:
        low, high = entry["conf_low"], entry["conf_high"]
        fields["interval"] = format_interval(language, low, high, decimals=decimals)
        fields["conf_low"] = format_amount(language, low, unit, decimals=decimals)
        fields["conf_high"] = format_amount(language, high, unit, decimals=decimals)
    return fields


def shown_decimals(entry: Mapping[str, Any]) -> int:
    """Choose decimals so that neither estimate nor interval end rounds to nothing."""
    ends = [entry.get(name) for name in ("estimate", "conf_low", "conf_high")]
    least = min((abs(end) for end in ends if end), default=1.0)
    return 1 if least >= 0.05 else 2


def capitalise(text: str) -> str:
    """Make the first letter a capital, leaving the rest."""
    return text[:1].upper() + text[1:]


def fill(text: str, fields: Mapping[str, Mapping[str, str]], where: str) -> str:
    """Fill ``{{ claim.field }}`` placeholders of the author's prose.

    Raises
    ------
    LanguageError
        Where no finding has that claim or field.
    """

    def value(match: re.Match[str]) -> str:
        claim, field = match.groups()
        known = fields.get(claim)
        if known is None or field not in known:
            options = list(known) if known is not None else list(fields)
            raise LanguageError(
                where,
                seen="{{ " + f"{claim}.{field}" + " }}",
                expected=f"one of {', '.join(sorted(options))}",
                do="Name a claim of the study and one of its fields.",
            )
        return known[field]

    return _PLACEHOLDER.sub(value, text)


def check_prose(text: str, where: str) -> None:
    """Check that prose types no number: every number comes from a placeholder.

    Digits and numerals of every script, fractions, per cent signs and English number
    words are refused; so are braces that are no placeholder.

    Raises
    ------
    LanguageError
        Naming the place and the number.
    """
    bare = _PLACEHOLDER.sub(" ", text)
    found = next((c for c in bare if c in _SIGNS or unicodedata.category(c)[0] == "N"), None)
    word = _NUMBER_WORDS.search(unicodedata.normalize("NFKC", bare))
    numeral = next((c for c in bare if unicodedata.numeric(c, None) is not None), None)
    seen = found or (word.group() if word else None) or numeral
    if seen is None and ("{" in bare or "}" in bare):
        seen = "{"
    if seen is not None:
        raise LanguageError(
            where,
            seen=f"'{_around(bare, seen)}', where '{seen}' is typed",
            expected="numbers as {{ claim.field }} only, such as {{ main.estimate }}",
            do="Replace the number with a placeholder, or say it without one.",
        )


def _around(text: str, word: str) -> str:
    place = unicodedata.normalize("NFKC", text).find(word)
    start = max(0, place - 25)
    return " ".join(text[start : place + 25].split())


def _format_sizes(language: str, entry: Mapping[str, Any]) -> str:
    least, most = (format_number(language, entry[end]) for end in ("least", "most"))
    if least == most:
        return format_amount(language, entry["least"], entry["unit"])
    amount = say(
        language,
        f"amount.{_unit_key(entry['unit'])}",
        number=say(language, "interval", low=least, high=most),
        unit=entry["unit"],
    )
    return amount.replace(" ", "\N{NO-BREAK SPACE}")


def _unit_key(unit: str) -> str:
    return unit.replace(" ", "_") if unit in {"percent", "percentage points"} else "other"


@functools.cache
def _catalogue(language: str) -> Catalog:
    path = LOCALES / f"{language}.po"
    if not path.is_file():
        raise LanguageError(
            f"locales/{path.name}",
            seen="no catalogue",
            expected=f"one of {', '.join(sorted(p.stem for p in LOCALES.glob('*.po')))}",
            do="Translate locales/en.po, or choose another language.",
        )
    with path.open("rb") as file:
        return read_po(file, locale=language)


def messages(language: str) -> dict[str, str]:
    """List the catalogue: message → text."""
    return {str(m.id): str(m.string) for m in _catalogue(language) if m.id}
