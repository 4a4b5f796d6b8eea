"""The cards of briefs, grouped by study: versions, editions, replies."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evidence.disclosure import REPLIES
from evidence.errors import BriefError

FORMATS = ("html", "pdf", "docx")
AUDIENCES = ("government", "workers", "employers", "buyers", "public")
_STATES = ("draft", "published", "withdrawn")


@dataclass(frozen=True, slots=True)
class Told:
    """What a brief says of a claim: its sentence, grade, and the cases and rows behind it.

    ``found`` tells whether a difference was found; an old card does not say.
    """

    claim: str
    role: str
    sentence: str
    grade: str
    n_cases: int
    nobs: int
    found: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """One brief: a study in a language for an audience.

    ``formats`` maps ``html``, ``pdf``, ``docx`` to addresses relative to the public folder.
    What an old card does not say is empty, or ``None`` for ``reviewed``. ``claims`` names the
    claim behind each message; ``withdrawn`` is the day of a withdrawal. ``lines`` are those of
    the programme, ``findings`` what is said of every claim, placebos among them.
    """

    slug: str
    language: str
    audience: str
    title: str
    question: str
    simulated: bool
    messages: tuple[str, ...]
    grade: str
    state: str
    edition: int | None
    date: str
    withdrawn: str
    countries: tuple[str, ...]
    sectors: tuple[str, ...]
    sdg: tuple[str, ...]
    claims: tuple[str, ...]
    formats: dict[str, str]
    reviewed: bool | None
    lines: tuple[str, ...]
    findings: tuple[Told, ...]

    @property
    def version(self) -> tuple[str, str]:
        """What tells the versions of a study apart: language and audience."""
        return self.language, self.audience


@dataclass(frozen=True, slots=True)
class Entry:
    """A study on the portal: its versions, its editions (latest first), its replies."""

    slug: str
    cards: tuple[Card, ...]
    editions: tuple[tuple[Card, ...], ...]
    replies: tuple[dict[str, Any], ...]

    def lead(self, language: str) -> Card:
        """Choose the version to show first: of the reader's language where there is one."""
        return choose(self.cards, language)

    @property
    def date(self) -> str:
        """Day of the latest edition; empty for a draft that has none."""
        return max((card.date for cards in self.editions for card in cards), default="")


def choose(cards: tuple[Card, ...], language: str) -> Card:
    """Choose a card of the language, else English, else the first."""
    for wanted in (language, "en"):
        found = [card for card in cards if card.language == wanted]
        if found:
            return found[0]
    return cards[0]


def read_entries(public: Path, slugs: list[str]) -> tuple[Entry, ...]:
    """Read the cards of these studies: the latest edition first, then drafts by name.

    Raises
    ------
    BriefError
        Where a card is something else, or there is none at all.
    """
    entries = [_read_entry(public, slug) for slug in sorted(slugs)]
    found = [entry for entry in entries if entry.cards]
    if not found:
        raise BriefError(
            "portal",
            seen="no brief",
            expected="at least one under reports/public/",
            do="Write one first: evidence brief <study file>.",
        )
    return tuple(sorted(found, key=lambda entry: entry.date, reverse=True))


def _read_entry(public: Path, slug: str) -> Entry:
    folder = public / slug
    numbered = [path for path in folder.glob("editions/*") if path.name.isdigit()]
    latest_first = sorted(numbered, key=lambda path: -int(path.name))
    editions = [_read_folder(path, public, slug) for path in latest_first]
    return Entry(
        slug,
        _read_folder(folder, public, slug),
        tuple(cards for cards in editions if cards),
        _read_replies(folder / REPLIES),
    )


def _read_folder(folder: Path, public: Path, slug: str) -> tuple[Card, ...]:
    """Read a folder's cards, those of the first audience first."""
    paths = sorted(folder.glob("brief.*.json"), key=lambda path: (_order(path), path.name))
    return tuple(_read_card(path, public, slug) for path in paths)


def _order(path: Path) -> int:
    audience = _audience_of(path)
    return AUDIENCES.index(audience) + 1 if audience in AUDIENCES else 0


def _read_card(path: Path, public: Path, slug: str) -> Card:
    try:
        card = _check_shape(json.loads(path.read_text(encoding="utf-8")))
        return Card(
            slug=slug,
            language=str(card["language"]),
            audience=str(card.get("audience") or _audience_of(path)),
            title=str(card["title"]),
            question=str(card["question"]),
            simulated=bool(card["simulated"]),
            messages=_texts(card["messages"]),
            grade=_text(card, "grade"),
            state=card.get("state", "draft"),
            edition=card.get("edition"),
            date=_text(card, "date"),
            withdrawn=_text(card, "withdrawn"),
            countries=_texts(card.get("countries", [])),
            sectors=_texts(card.get("sectors", [])),
            sdg=_texts(card.get("sdg", [])),
            claims=_texts(card.get("claims", [])),
            formats=_find_formats(path, public, card),
            reviewed=card.get("reviewed"),
            lines=_texts(card.get("lines", [])),
            findings=tuple(Told(**told) for told in card.get("findings", [])),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BriefError(
            f"{path.parent.name}/{path.name}",
            seen="something else than the card of a brief",
            expected="the file as evidence brief wrote it",
            do="Write the brief again, or remove the file.",
        ) from error


def _check_shape(card: dict[str, Any]) -> dict[str, Any]:
    if card.get("state", "draft") not in _STATES:
        raise ValueError("a state")
    return card


def _text(card: dict[str, Any], key: str) -> str:
    return str(card.get(key) or "")


def _texts(found: Any) -> tuple[str, ...]:
    if not isinstance(found, list):
        raise TypeError("a list")
    return tuple(map(str, found))


def _audience_of(path: Path) -> str:
    """Read the audience from ``brief.<audience>.<language>.json``; empty for the first."""
    parts = path.name.split(".")
    return parts[1] if len(parts) == len(("brief", "audience", "language", "json")) else ""


def _find_formats(path: Path, public: Path, card: dict[str, Any]) -> dict[str, str]:
    """Find the page, and the files of other formats that the card names and that lie there."""
    named = {**card.get("formats", {}), "html": path.with_suffix(".html").name}
    found = {kind: path.with_name(Path(named[kind]).name) for kind in FORMATS if kind in named}
    return {
        kind: file.relative_to(public).as_posix()
        for kind, file in found.items()
        if kind == "html" or file.is_file()
    }


def _read_replies(path: Path) -> tuple[dict[str, Any], ...]:
    if not path.is_file():
        return ()
    try:
        replies = json.loads(path.read_text(encoding="utf-8"))["replies"]
        keys = ("claim", "who", "party", "date", "text")
        return tuple({key: reply[key] for key in keys} for reply in replies)
    except (ValueError, KeyError, TypeError) as error:
        raise BriefError(
            f"{path.parent.name}/{path.name}",
            seen="something else than replies",
            expected="the file as evidence brief wrote it",
            do="Write the brief again, or remove the file.",
        ) from error
