"""The lists of words of a language, ``locales/<language>.verbs.toml``, read and compiled."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Literal

from pydantic import Field

from evidence.errors import LanguageError
from evidence.language.catalogue import LOCALES
from evidence.toml import check_sections, read_toml, strict

Strength = Literal["nothing", "association", "within", "adoption", "cause"]

TRIED = ("never", "adoption", "within", "cause", "association")
"""Lists of words in the order in which they are tried."""

Patterns = Annotated[tuple[str, ...], Field(min_length=1)]


@strict
class _Words:
    never: Patterns
    adoption: Patterns
    within: Patterns
    cause: Patterns
    association: Patterns
    permitted: Patterns
    disclaimers: Patterns
    clause_ends: Patterns


@strict
class _Numbers:
    """How prose writes numbers.

    ``words`` are number words; with ``ideographs`` a sign such as 一 counts only where
    ``words`` says so, as it also stands in words that count nothing.
    """

    percent: Patterns
    citations: Patterns
    words: Patterns
    ideographs: bool = False


@strict
class _Advice:
    """How a recommendation is worded: it tells somebody what to do.

    ``openers`` are words that never are a verb and so cannot open one; ``endings``, in a
    language that puts its verb last, are the ends of its sentences that do ask for something.
    """

    openers: tuple[str, ...] = ()
    endings: tuple[str, ...] = ()


@strict
class _Verbs:
    words: _Words
    numbers: _Numbers
    advice: _Advice
    earned: dict[Strength, Patterns]
    groups: dict[str, Patterns] = field(default_factory=dict)
    spaced: bool = True


@functools.cache
def load_lists(language: str) -> _Verbs:
    """Load the lists of a language.

    Raises
    ------
    LanguageError
        Where the language has none; nothing falls back to another language.
    """
    path = LOCALES / f"{language}.verbs.toml"
    if not path.is_file():
        raise LanguageError(
            f"locales/{path.name}",
            seen="no list of verbs",
            expected="one for every language of a brief",
            do="Translate locales/en.verbs.toml; nothing falls back to another language.",
        )
    raw = read_toml(path, LanguageError)
    return check_sections(_Verbs, raw, LanguageError, where=path.name, guide="en.verbs.toml")


@functools.cache
def compile_words(language: str) -> dict[str, re.Pattern[str]]:
    """Join each list into a pattern, bounded by words where the language has spaces."""
    lists = load_lists(language)
    names = (*TRIED, "permitted", "disclaimers", "clause_ends")
    return {name: _join(getattr(lists.words, name), lists) for name in names}


@functools.cache
def compile_numbers(language: str) -> re.Pattern[str]:
    """Join the number words of a language into a pattern."""
    lists = load_lists(language)
    return _join(lists.numbers.words, lists)


def _join(patterns: Patterns, lists: _Verbs) -> re.Pattern[str]:
    parts = [_normalise(_fill_groups(part, lists.groups)) for part in patterns]
    bounded = [rf"(?<!\w)(?:{part})(?!\w)" if lists.spaced and part[:1] != "[" else part
               for part in parts]  # fmt: skip
    return re.compile("|".join(f"(?:{part})" for part in bounded), re.IGNORECASE)


def _normalise(pattern: str) -> str:
    """Bring letters to the form in which texts are read: composed as Unicode says, none hidden."""
    plain = unicodedata.normalize("NFC", pattern)
    return "".join(c for c in plain if unicodedata.category(c) != "Cf")


def _fill_groups(pattern: str, groups: Mapping[str, Patterns]) -> str:
    """Put the words of each group where a pattern names it, as in ``<outcome> depends on``."""
    for name, words in groups.items():
        pattern = pattern.replace(f"<{name}>", f"(?:{'|'.join(words)})")
    return pattern
