"""Facets of a brief in the visitor's language."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from evidence.errors import BriefError
from evidence.language import (
    LANGUAGES,
    LOCALES,
    format_day,
    format_plain,
    messages,
    name_territory,
    say,
)
from evidence.portal.cards import AUDIENCES, Card, Entry
from evidence.portal.site import Site

GRADES = ("high", "moderate", "low", "very low", "cannot tell")
STATES = ("published", "draft", "withdrawn")
_GOALS = 17


@dataclass(frozen=True, slots=True)
class Word:
    """A facet's value: the word for it, and the language of that word."""

    value: str
    text: str
    language: str


@functools.cache
def list_languages() -> tuple[str, ...]:
    """List the languages that have a catalogue, in the order of the programme."""
    found = {path.stem for path in LOCALES.glob("*.po")}
    return (*(code for code in LANGUAGES if code in found), *sorted(found - set(LANGUAGES)))


def name_language(code: str) -> str:
    """Name a language in itself; by its code where it has no catalogue."""
    return say(code, "language.name") if code in list_languages() else code


def name_goal(language: str, goal: str) -> str:
    """Name a goal or target of sustainable development: number and words.

    A target without words of its own gets those of its goal.

    Raises
    ------
    BriefError
        Where there is no such goal.
    """
    number = goal.partition(".")[0]
    if not number.isdigit() or not 1 <= int(number) <= _GOALS:
        raise BriefError(
            "portal",
            seen=f"the goal '{goal}' on a card",
            expected="a goal of sustainable development (5) or a target (8.8)",
            do="Mend 'sdg' of the claim in the study file.",
        )
    own = f"sdg.{goal}"
    return f"{goal} {say(language, own if own in _known_messages(language) else f'sdg.{number}')}"


@functools.cache
def _known_messages(language: str) -> frozenset[str]:
    return frozenset(messages(language))


def word_state(language: str, card: Card) -> str:
    """Word the state of a card: draft, edition with its day, withdrawn."""
    if card.state == "draft":
        return say(language, "portal.draft")
    kind = "edition" if card.state == "published" else "withdrawn"
    day = format_day(language, card.date)
    return say(
        language, f"portal.{kind}", number=format_plain(language, card.edition or ""), date=day
    )


def word_grade(language: str, grade: str) -> str:
    """Word how sure a finding is; empty where nothing is told."""
    return say(language, "portal.certainty", grade=say(language, f"grade.{grade}")) if grade else ""


def word_countries(language: str, card: Card) -> list[Word]:
    """Word a card's countries."""
    return [Word(c, name_territory(language, c), language) for c in card.countries]


def word_sectors(language: str, card: Card, site: Site) -> list[Word]:
    """Word a card's sectors: by their pack, in English (and marked so) where it lacks the language."""
    return [_word_sector(language, sector, site) for sector in card.sectors]


def _word_sector(language: str, sector: str, site: Site) -> Word:
    names = site.sectors.get(sector, {})
    if language in names:
        return Word(sector, names[language], language)
    return Word(sector, names.get("en", sector.replace("_", " ")), "en")


def word_goals(language: str, card: Card) -> list[Word]:
    """Word a card's goals, in the order of their numbers."""
    goals = sorted(set(card.sdg), key=_by_number)
    return [Word(goal, name_goal(language, goal), language) for goal in goals]


def _by_number(goal: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in goal.split("."))


def word_audience(language: str, card: Card) -> str:
    """Word for whom a version is; empty where its card does not say."""
    return say(language, f"party.{card.audience}") if card.audience else ""


def list_facets(language: str, entries: tuple[Entry, ...], site: Site) -> list[dict[str, object]]:
    """List the filters: for each its name, label and the values that are there."""
    cards = [card for entry in entries for card in entry.cards]

    def spread(word: Callable[[Card], list[Word]]) -> list[Word]:
        found = {w.value: w for card in cards for w in word(card)}
        return sorted(found.values(), key=lambda w: w.text)

    goals = {w.value: w for card in cards for w in word_goals(language, card)}
    values = {
        "country": spread(lambda card: word_countries(language, card)),
        "sector": spread(lambda card: word_sectors(language, card, site)),
        "audience": _known(language, AUDIENCES, "party", (c.audience for c in cards)),
        "language": [
            Word(code, name_language(code), code)
            for code in dict.fromkeys([*list_languages(), *(c.language for c in cards)])
            if any(card.language == code for card in cards)
        ],
        "grade": _known(language, GRADES, "grade", (c.grade for c in cards)),
        "sdg": sorted(goals.values(), key=lambda w: _by_number(w.value)),
        "state": _known(language, STATES, "state", (c.state for c in cards)),
    }
    return [
        {"name": name, "label": say(language, f"portal.{name}"), "values": found}
        for name, found in values.items()
        if found
    ]


def _known(language: str, order: Iterable[str], family: str, there: Iterable[str]) -> list[Word]:
    found = set(there)
    return [Word(v, say(language, f"{family}.{v}"), language) for v in order if v in found]
