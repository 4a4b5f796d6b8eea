"""The pages over all studies in each language, complete without JavaScript."""

from __future__ import annotations

import base64
import hashlib
import json
import unicodedata
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from evidence.brief import word_reply
from evidence.brief.fonts import embed_fonts
from evidence.exhibits import missing_characters
from evidence.files import replace_file
from evidence.language import format_number, format_plain, is_reviewed, join, say
from evidence.portal.cards import FORMATS, Card, Entry, choose, read_entries
from evidence.portal.changes import tell_changes
from evidence.portal.compendium import lay_out_compendium
from evidence.portal.feeds import (
    COMPENDIUM,
    DATA,
    FEED,
    describe_site,
    list_briefs,
    localise,
    write_feed,
    write_sitemap,
)
from evidence.portal.site import Site
from evidence.portal.wording import (
    Word,
    list_facets,
    list_languages,
    name_language,
    word_audience,
    word_countries,
    word_goals,
    word_grade,
    word_sectors,
    word_state,
)

TEXTS = "data.js"
_TEMPLATES = Path(__file__).parents[1] / "templates" / "portal"
_MOST_INLINE = 1000
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))
_WORDS = (
    "title", "lead", "briefs", "skip", "simulated", "published", "footer", "search", "hint",
    "filters", "all", "reset", "none", "languages", "countries", "sectors", "goals",
    "versions", "changed", "replies", "reply_to", "unreviewed", "feed", "data",
    "unfetched", "compendium",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Portal:
    """What all pages of the portal share."""

    entries: tuple[Entry, ...]
    site: Site
    inline: bool
    """Whether the texts that are searched lie in the page; else in ``data.js``."""


def write_portal(public: Path, slugs: list[str], site: Site | None = None) -> Path:
    """Write the portal over the briefs of these studies that lie in ``public``.

    ``index.html`` is English, ``index.<language>.html`` the others; ``compendium*.html`` lists
    findings by the programme's lines where the site has any, ``feed*.xml`` is written
    where an edition was published, ``sitemap.xml`` where the site has an address,
    ``briefs.json`` always, ``data.js`` above a thousand briefs. What no longer belongs is
    taken away.

    Returns
    -------
    Path
        The English page.

    Raises
    ------
    BriefError
        Where no brief lies there, or a card is none.
    """
    site = site or Site()
    entries = read_entries(public, slugs)
    inline = sum(len(entry.cards) for entry in entries) <= _MOST_INLINE
    portal = _Portal(entries, site, inline)
    files: dict[str, bytes | None] = {
        DATA: list_briefs(entries),
        TEXTS: None if inline else _pack_texts(entries),
        "sitemap.xml": write_sitemap(entries, site, list_languages()),
    }
    for language in list_languages():
        files[localise(FEED, language)] = write_feed(language, entries, site)
        files[localise(COMPENDIUM, language)] = None
    files |= _render(portal)
    for name, payload in files.items():
        if payload is None:
            (public / name).unlink(missing_ok=True)
        else:
            replace_file(public / name, payload)
    return public / "index.html"


def fold(text: str) -> str:
    """Bring a text to the form that is searched: NFKC, lower case, nothing invisible.

    ``portal.js`` does the same with what a visitor types.
    """
    return unicodedata.normalize("NFKC", text).lower().translate(_INVISIBLE)


def _render(portal: _Portal) -> dict[str, bytes]:
    """Render the pages of every language: file name → bytes. One font serves them all."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    languages = list_languages()
    pages = {"index.html": {language: _lay_out(portal, language) for language in languages}}
    if portal.site.lines:
        pages[COMPENDIUM] = {
            language: lay_out_compendium(language, portal.entries, portal.site)
            for language in languages
        }
    style = (_TEMPLATES / "portal.css").read_text(encoding="utf-8")
    css = _font_rules(pages) + style
    script = (_TEMPLATES / "portal.js").read_text(encoding="utf-8")
    code = {
        "css": css,
        "css_hash": _hash(css),
        "script": script,
        "script_hash": _hash(script),
    }
    return {
        localise(name, language): environment.get_template(f"{name}.j2")
        .render(**laid_out, **code)
        .encode("utf-8")
        for name, shown in pages.items()
        for language, laid_out in shown.items()
    }


def _font_rules(shown: dict[str, Any]) -> str:
    """Carry the fonts of all pages; a sign that they lack is left to the visitor's own."""
    text = json.dumps(shown, ensure_ascii=False, default=asdict)
    lacking = dict.fromkeys(map(ord, missing_characters(text, "en")))
    return embed_fonts(text.translate(lacking), "en")


def _lay_out(portal: _Portal, language: str) -> dict[str, Any]:
    """Lay out a page: every word and address that its template prints."""
    entries = portal.entries
    return {
        "language": language,
        "languages": [(c, name_language(c), localise("index.html", c)) for c in list_languages()],
        "words": {key: say(language, f"portal.{key}") for key in _WORDS},
        "band": "" if is_reviewed(language) else say(language, "brief.unreviewed"),
        "studies": [_show(portal, language, entry) for entry in entries],
        "facets": list_facets(language, entries, portal.site),
        "digits": "".join(format_plain(language, digit) for digit in range(10)),
        "count": _count(language, len(entries)),
        "counting": say(language, "portal.shown", shown="{shown}", total="{total}"),
        "feed": localise(FEED, language) if any(e.editions for e in entries) else "",
        "data": DATA,
        "unfetched": _show_unfetched(portal, language),
        "compendium": localise(COMPENDIUM, language) if portal.site.lines else "",
        "texts": "" if portal.inline else TEXTS,
        "described": describe_site(language, entries, portal.site),
    }


def _show_unfetched(portal: _Portal, language: str) -> list[dict[str, Any]]:
    """Lay out the studies without data that have no brief of earlier either."""
    shown = {entry.slug for entry in portal.entries}
    return [
        {
            "title": Word(study.slug, study.title, study.language),
            "sources": join(language, study.sources, "comma"),
        }
        for study in portal.site.unfetched
        if study.slug not in shown
    ]


def _count(language: str, number: int) -> str:
    told = format_number(language, number, decimals=0)
    return say(language, "portal.shown", shown=told, total=told)


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode()


def _show(portal: _Portal, language: str, entry: Entry) -> dict[str, Any]:
    """Lay out a study: the version to show first, all versions, changes, replies."""
    lead = entry.lead(language)
    gone = lead.state == "withdrawn"
    facets = {
        "countries": word_countries(language, lead),
        "sectors": word_sectors(language, lead, portal.site),
        "goals": word_goals(language, lead),
    }
    return {
        "lead": _show_version(language, lead),
        "state": lead.state,
        "imprint": word_state(language, lead),
        "simulated": any(card.simulated for card in entry.cards),
        "grade": word_grade(language, lead.grade),
        "tokens": _tokens(entry),
        **facets,
        "versions": _show_versions(portal, language, entry, lead),
        "changes": tell_changes(language, entry),
        "replies": [] if gone else _show_replies(language, entry, lead),
        "names": "" if gone else ", ".join(dict.fromkeys(r["who"] for r in entry.replies)),
        "editions": [
            (card.formats["html"], word_state(language, card), card.language)
            for card in (choose(cards, language) for cards in entry.editions)
        ],
    }


def _tokens(entry: Entry) -> str:
    """List what the filters compare, but for language and audience, as ``name=value``."""
    found = {
        f"{name}={value}".replace(" ", "_")
        for card in entry.cards
        for name, values in (
            ("country", card.countries),
            ("sector", card.sectors),
            ("sdg", card.sdg),
            ("grade", (card.grade,)),
            ("state", (card.state,)),
        )
        for value in values
        if value
    }
    return " ".join(sorted(found))


def _show_version(language: str, card: Card) -> dict[str, Any]:
    return {
        "language": card.language,
        "name": name_language(card.language),
        "title": card.title,
        "message": card.messages[0] if card.messages else "",
        "audience": word_audience(language, card),
        "value": card.audience,
        "links": [(kind.upper(), card.formats[kind]) for kind in FORMATS if kind in card.formats],
        "unreviewed": card.reviewed is False,
    }


def _show_versions(
    portal: _Portal, language: str, entry: Entry, lead: Card
) -> list[dict[str, Any]]:
    """Lay out a study's versions by language, the one that is shown first in front."""
    codes = dict.fromkeys([lead.language, *list_languages(), *(c.language for c in entry.cards)])
    groups = [(code, [c for c in entry.cards if c.language == code]) for code in codes]
    return [
        {
            **_show_version(language, cards[0]),
            "unreviewed": any(card.reviewed is False for card in cards),
            "key": _key(entry.slug, code),
            "searched": _searched(cards) if portal.inline else "",
            "inline": portal.inline,
            "cards": [_show_version(language, card) for card in cards],
        }
        for code, cards in groups
        if cards
    ]


def _key(slug: str, language: str) -> str:
    return f"{slug}/{language}"


def _searched(cards: list[Card]) -> str:
    texts = [text for c in cards for text in (c.title, *c.messages, c.question)]
    return fold(" ".join(dict.fromkeys(texts)))


def _pack_texts(entries: tuple[Entry, ...]) -> bytes:
    """Pack what is searched, and the first messages, as a script that sets one value."""
    texts = {}
    for entry in entries:
        for code in dict.fromkeys(card.language for card in entry.cards):
            cards = [card for card in entry.cards if card.language == code]
            first = cards[0].messages[0] if cards[0].messages else ""
            texts[_key(entry.slug, code)] = [_searched(cards), first]
    packed = json.dumps(texts, ensure_ascii=True, separators=(",", ":"))
    return f"window.evidenceTexts={packed};\n".encode()


def _show_replies(language: str, entry: Entry, lead: Card) -> list[dict[str, Any]]:
    """Lay out replies by the finding that they answer, with its sentence where it is known."""
    said = dict(zip(lead.claims, lead.messages, strict=False))
    claims = dict.fromkeys(reply["claim"] for reply in entry.replies)
    return [
        {
            "finding": Word(claim, said.get(claim, ""), lead.language),
            "quotes": [word_reply(r, language) for r in entry.replies if r["claim"] == claim],
        }
        for claim in claims
    ]
