"""What machines read of the portal: Atom feed, sitemap, list of briefs, schema.org."""

from __future__ import annotations

import json
import re
import uuid
import xml.etree.ElementTree as ET
from dataclasses import asdict
from typing import Any

from evidence.language import say
from evidence.portal.cards import Card, Entry, choose
from evidence.portal.site import Site
from evidence.portal.wording import name_goal, word_state

FEED = "feed.xml"
COMPENDIUM = "compendium.html"
DATA = "briefs.json"
ATOM = "http://www.w3.org/2005/Atom"
SITEMAP = "http://www.sitemaps.org/schemas/sitemap/0.9"
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_TYPES = {
    "html": "text/html",
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def localise(name: str, language: str) -> str:
    """Name a file's version in a language: ``index.html`` is English, ``index.km.html`` Khmer."""
    stem, _, ending = name.partition(".")
    return name if language == "en" else f"{stem}.{language}.{ending}"


def write_feed(language: str, entries: tuple[Entry, ...], site: Site) -> bytes | None:
    """Write the Atom feed of editions (RFC 4287), latest first; nothing where there is none.

    Links are relative to the feed unless the site has an address; ids are names (UUIDs)
    and stay the same wherever the feed lies. A withdrawn edition keeps its id, and its entry
    says that it was withdrawn.
    """
    shown = [choose(cards, language) for entry in entries for cards in entry.editions]
    shown = sorted((card for card in shown if card.date), key=lambda c: (c.slug, -(c.edition or 0)))
    shown.sort(key=_updated, reverse=True)
    if not shown:
        return None
    feed = ET.Element(f"{{{ATOM}}}feed", {_LANG: language})
    title = say(language, "portal.title")
    _add(feed, "id", _name("feed", site.publisher or site.address, language))
    _add(feed, "title", title)
    _add(feed, "subtitle", say(language, "portal.lead"))
    _add(feed, "updated", _updated(shown[0]))
    _add(_add(feed, "author"), "name", site.publisher or title)
    for rel, name, kind in (
        ("self", localise(FEED, language), "application/atom+xml"),
        ("alternate", localise("index.html", language), "text/html"),
    ):
        _add(feed, "link", rel=rel, type=kind, href=site.address + name)
    for card in shown:
        _add_edition(feed, language, card, site)
    return _xml(feed)


def write_sitemap(
    entries: tuple[Entry, ...], site: Site, languages: tuple[str, ...]
) -> bytes | None:
    """Write the sitemap (sitemaps.org 0.9); nothing where the site has no address."""
    if not site.address:
        return None
    urlset = ET.Element(f"{{{SITEMAP}}}urlset")
    whole = ["index.html", *([COMPENDIUM] if site.lines else [])]
    pages = {localise(name, language): "" for name in whole for language in languages}
    for entry in entries:
        for card in (*entry.cards, *(card for cards in entry.editions for card in cards)):
            pages |= {card.formats[k]: card.withdrawn or card.date for k in ("html", "pdf")
                      if k in card.formats}  # fmt: skip
    for page, day in pages.items():
        url = ET.SubElement(urlset, f"{{{SITEMAP}}}url")
        ET.SubElement(url, f"{{{SITEMAP}}}loc").text = site.address + page
        if day:
            ET.SubElement(url, f"{{{SITEMAP}}}lastmod").text = day
    return _xml(urlset)


def list_briefs(entries: tuple[Entry, ...]) -> bytes:
    """List every brief with the addresses of its formats, and every edition, as JSON."""
    studies = [
        {
            "slug": entry.slug,
            "briefs": [asdict(card) for card in entry.cards],
            "editions": [asdict(card) for cards in entry.editions for card in cards],
            "replies": [] if entry.cards[0].state == "withdrawn" else list(entry.replies),
        }
        for entry in entries
    ]
    document = {"schema_version": 1, "studies": studies}
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode("utf-8")


def describe_site(language: str, entries: tuple[Entry, ...], site: Site) -> str:
    """Describe the portal and its reports in schema.org's words, as JSON-LD.

    No character of it can end the element that it stands in.
    """
    title = say(language, "portal.title")
    about = {
        "@type": "DataCatalog",
        "name": title,
        "description": say(language, "portal.lead"),
        "inLanguage": language,
        "dataset": {
            "@type": "Dataset",
            "name": say(language, "portal.data"),
            "description": say(language, "portal.lead"),
            "distribution": {
                "@type": "DataDownload",
                "encodingFormat": "application/json",
                "contentUrl": site.address + DATA,
            },
        },
    }
    if site.publisher:
        about["publisher"] = {"@type": "Organization", "name": site.publisher}
    reports = [_describe(language, entry, site) for entry in entries]
    graph = {"@context": "https://schema.org", "@graph": [about, *reports]}
    text = json.dumps(graph, ensure_ascii=False, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _describe(language: str, entry: Entry, site: Site) -> dict[str, Any]:
    lead = entry.lead(language)
    own = [card for card in entry.cards if card.language == lead.language]
    others = {c.language: c for c in reversed(entry.cards) if c.language != lead.language}
    found = {
        "@type": "Report",
        "name": lead.title,
        "inLanguage": lead.language,
        "url": site.address + lead.formats["html"],
        "abstract": " ".join(lead.messages),
        "creativeWorkStatus": word_state(language, lead),
        "datePublished": lead.date,
        "keywords": [name_goal(language, goal) for goal in lead.sdg],
        "spatialCoverage": [{"@type": "Country", "identifier": c} for c in lead.countries],
        "encoding": [
            {
                "@type": "MediaObject",
                "encodingFormat": _TYPES[kind],
                "contentUrl": site.address + file,
            }
            for card in own
            for kind, file in card.formats.items()
        ],
        "workTranslation": [
            {"@type": "Report", "name": c.title, "inLanguage": code,
             "url": site.address + c.formats["html"]}
            for code, c in sorted(others.items())
        ],
    }  # fmt: skip
    return {key: value for key, value in found.items() if value}


def _add_edition(feed: ET.Element, language: str, card: Card, site: Site) -> None:
    entry = _add(feed, "entry")
    entry.set(_LANG, card.language)
    _add(entry, "id", _name("edition", card.slug, str(card.edition), card.date))
    state = word_state(language, card) if card.language == language else ""
    _add(entry, "title", f"{state}: {card.title}" if card.state == "withdrawn" else card.title)
    _add(entry, "updated", _updated(card))
    _add(entry, "published", f"{card.date}T00:00:00Z")
    _add(entry, "summary", card.messages[0] if card.messages else state)
    for kind, file in card.formats.items():
        rel = "alternate" if kind == "html" else "enclosure"
        place = site.address + file
        _add(entry, "link", rel=rel, type=_TYPES[kind], hreflang=card.language, href=place)
    for goal in card.sdg:
        _add(entry, "category", term=f"SDG {goal}", label=name_goal(language, goal))


def _updated(card: Card) -> str:
    return f"{card.withdrawn or card.date}T00:00:00Z"


def _name(*parts: str) -> str:
    """Name something once and for all, without a host."""
    return uuid.uuid5(uuid.NAMESPACE_URL, "/".join(("evidence", *parts))).urn


def _add(parent: ET.Element, tag: str, text: str = "", **attributes: str) -> ET.Element:
    found = ET.SubElement(parent, f"{{{ATOM}}}{tag}", attributes)
    found.text = _NO_XML.sub("", text) or None
    return found


def _xml(root: ET.Element) -> bytes:
    ET.register_namespace("", root.tag[1:].partition("}")[0])
    ET.indent(root, " ")
    found: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return found + b"\n"
