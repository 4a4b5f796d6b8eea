"""The compendium: what the studies of each of the programme's lines found, on one page."""

from __future__ import annotations

from typing import Any

from evidence.language import format_number, is_reviewed, join, say
from evidence.portal.cards import Card, Entry, Told
from evidence.portal.feeds import COMPENDIUM, localise
from evidence.portal.site import Site, Unfetched
from evidence.portal.wording import Word, list_languages, name_language, word_grade, word_state
from evidence.study import Line

_WORDS = (
    "simulated", "footer", "languages", "unfetched", "compendium", "compendium_lead",
    "lines", "no_result", "all_briefs",
)  # fmt: skip


def lay_out_compendium(language: str, entries: tuple[Entry, ...], site: Site) -> dict[str, Any]:
    """Lay out the compendium's page: every word and address that its template prints."""
    return {
        "language": language,
        "languages": [(c, name_language(c), localise(COMPENDIUM, c)) for c in list_languages()],
        "words": {key: say(language, f"portal.{key}") for key in _WORDS},
        "band": "" if is_reviewed(language) else say(language, "brief.unreviewed"),
        "lines": [_show_line(language, line, entries, site) for line in site.lines],
        "list": localise("index.html", language),
    }


def _show_line(language: str, line: Line, entries: tuple[Entry, ...], site: Site) -> dict[str, Any]:
    leads = [entry.lead(language) for entry in entries]
    shown = {card.slug for card in leads}
    lacking = [s for s in site.unfetched if line.id in s.lines and s.slug not in shown]
    return {
        "id": line.id,
        "name": line.name[language],
        "question": line.question[language],
        "studies": [_show_study(language, card) for card in leads if line.id in card.lines],
        "unfetched": [_show_unfetched(language, study) for study in lacking],
    }


def _show_study(language: str, card: Card) -> dict[str, Any]:
    """Lay out a study: its headline findings, and what its placebos say."""
    told = {role: [f for f in card.findings if f.role == role] for role in ("headline", "placebo")}
    return {
        "title": card.title,
        "language": card.language,
        "page": card.formats["html"],
        "state": card.state,
        "imprint": word_state(language, card),
        "simulated": card.simulated,
        "findings": [(f.sentence, _tell_facts(language, f)) for f in told["headline"]],
        "placebos": [(_introduce(language, f), f.sentence) for f in told["placebo"]],
    }


def _introduce(language: str, placebo: Told) -> str:
    return say(language, "portal.placebo_found" if placebo.found else "portal.placebo")


def _tell_facts(language: str, told: Told) -> list[str]:
    """Tell on how many rows and cases a finding stands, and how sure it is."""
    counts = {"rows": told.nobs, "cases": told.n_cases}
    facts = [
        say(language, f"portal.{name}", count=format_number(language, count, decimals=0))
        for name, count in counts.items()
    ]
    return [*facts, word_grade(language, told.grade)]


def _show_unfetched(language: str, study: Unfetched) -> dict[str, Any]:
    title = Word(study.slug, study.title, study.language)
    return {"title": title, "sources": join(language, study.sources, "comma")}
