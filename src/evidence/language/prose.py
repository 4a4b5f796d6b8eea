"""The prose of authors: placeholders filled, typed numbers refused."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from evidence.errors import LanguageError
from evidence.language.lists import compile_numbers, load_lists

PLACEHOLDER = re.compile(r"\{\{\s*([a-z][a-z0-9_]*)\.([a-z_]+)\s*\}\}")
_ROMAN = re.compile(
    r"\b(?=[IVXLCDM]{2,}\b)M*(?:C[MD]|D?C{0,3})(?:X[CL]|L?X{0,3})(?:I[XV]|V?I{0,3})\b"
)
_SPACED = re.compile(r"\b(?:\w ){2,}\w\b")
_SIGNS = "%‰‱٪⁒"


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

    return PLACEHOLDER.sub(value, text)


def check_prose(language: str, text: str, where: str, *, placeholders: bool = True) -> None:
    """Check that prose types no number: every number comes from a placeholder.

    Digits and numerals of every script, fractions, per cent signs, the number words of the
    language (joined, hyphenated, spaced or with invisible characters), Roman numerals and
    words of mixed scripts are refused; so are braces that are no placeholder, and every
    placeholder where ``placeholders`` is false.

    Raises
    ------
    LanguageError
        Naming the place and the number, or where the language has no list of number words.
    """
    bare = PLACEHOLDER.sub(" ", text) if placeholders else text
    seen = _typed_number(language, bare)
    if seen is not None:
        raise LanguageError(
            where,
            seen=f"'{_around(bare, seen)}', where '{seen}' is typed",
            expected="numbers as {{ claim.field }} only, such as {{ main.estimate }}"
            if placeholders
            else "words only: this text is used as it stands",
            do="Replace the number with a placeholder, or say it without one."
            if placeholders
            else "Say it without a number and without braces.",
        )


def _typed_number(language: str, text: str) -> str | None:
    """Find what a reader would take for a number, however it is spelt."""
    ideographs = load_lists(language).numbers.ideographs
    sign = next((c for c in text if _counts(c, ideographs=ideographs)), None)
    if sign is not None:
        return sign
    plain = unicodedata.normalize("NFKC", text)
    plain = "".join(c for c in plain if unicodedata.category(c) != "Cf").replace("_", " ")
    if "%" in plain:
        return "%"
    joined = _SPACED.sub(lambda match: match.group().replace(" ", ""), plain)
    for candidate in (plain, joined):
        for pattern in (compile_numbers(language), _ROMAN):
            match = pattern.search(candidate)
            if match is not None:
                return match.group()
    mixed = next((word for word in plain.split() if _mixes_scripts(word)), None)
    return mixed or ("{" if "{" in plain or "}" in plain else None)


def _counts(character: str, *, ideographs: bool) -> bool:
    """Tell a sign that counts; ideographs are left to the language's words where it writes them."""
    kind = unicodedata.category(character)
    if kind == "Lo" and ideographs:
        return False
    return kind[0] == "N" or character in _SIGNS or unicodedata.numeric(character, None) is not None


def _mixes_scripts(word: str) -> bool:
    """Tell a Latin word with look-alike letters of Cyrillic or Greek in it."""
    scripts = {unicodedata.name(c, "").split(" ")[0] for c in word if c.isalpha()}
    return "LATIN" in scripts and bool({"CYRILLIC", "GREEK"} & scripts)


def _around(text: str, word: str) -> str:
    place = unicodedata.normalize("NFKC", text).find(word)
    start = max(0, place - 25)
    return " ".join(text[start : place + 25].split())
