"""The last section: who issues a brief, how to cite it, what it does not imply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evidence.brief.blocks import Block, text
from evidence.disclosure import Cleared
from evidence.exhibits import name_case
from evidence.language import join, say
from evidence.sources import load_record
from evidence.study import Study, label_of

_RIGHTS = "8.8.2"
"""SDG indicator with a note of its own: compliance with labour rights."""

_DISCLAIMERS = ("territories", "firms", "opinions")


def tell_front_matter(cleared: Cleared, language: str) -> list[Block]:
    """Tell publisher, series, numbers, licence, languages, catalogue entry and disclaimers."""
    study = cleared.study
    lines = [*_tell_publisher(study, language), *_tell_languages(study, language)]
    lines.append(say(language, "imprint.catalogue", items=_catalogue(cleared, language)))
    notes = [say(language, f"imprint.{name}") for name in _DISCLAIMERS]
    if shows_rights(study):
        notes.append(say(language, "imprint.rights", indicator=_RIGHTS))
    return [*map(text, lines), *(text(note, "note") for note in notes)]


def word_citation(study: Study, language: str, title: str, line: str) -> str:
    """Word how to cite an edition, of which ``line`` tells number and date."""
    publisher = study.brief.imprint.publisher
    key = "imprint.citation" if publisher else "imprint.citation_nobody"
    return say(language, key, publisher=publisher, title=title, edition=line, slug=study.slug)


def add_citation(model: Mapping[str, Any], study: Study) -> dict[str, Any]:
    """Put the suggested citation before an edition's imprint; a draft is not to be cited."""
    if model["state"] != "published":
        return dict(model)
    told = word_citation(study, model["language"], model["title"], model["imprint"]["line"])
    sections = [
        {**part, "blocks": [text(told), *part["blocks"]]} if part["id"] == "imprint" else part
        for part in model["sections"]
    ]
    return {**model, "sections": sections}


def shows_rights(study: Study) -> bool:
    """Tell whether a study shows SDG indicator 8.8.2: by a claim's tag or a source's title."""
    tagged = any(_RIGHTS in claim.sdg for claim in study.claims)
    return tagged or any(
        _RIGHTS in load_record(study.root, source).title for source in study.data.sources
    )


def _tell_publisher(study: Study, language: str) -> list[str]:
    given = study.brief.imprint
    first = (
        say(language, "imprint.publisher", publisher=given.publisher)
        if given.publisher
        else say(language, "imprint.nobody")
    )
    series = join(language, (given.series, given.number), "comma")
    told = {"series": series, "isbn": given.isbn, "issn": given.issn, "licence": given.licence,
            "contact": given.contact}  # fmt: skip
    return [first, *(say(language, f"imprint.{k}", **{k: v}) for k, v in told.items() if v)]


def _tell_languages(study: Study, language: str) -> list[str]:
    own = say(language, "imprint.language", name=say(language, "language.name"))
    others = [say(code, "language.name") for code in study.brief.languages if code != language]
    if not others:
        return [own]
    return [own, say(language, "imprint.languages", languages=join(language, others, "comma"))]


def _catalogue(cleared: Cleared, language: str) -> str:
    """List what a catalogue files a brief under: name, places, outcomes, SDG targets."""
    study = cleared.study
    shown = {entry["case"] for entry in cleared.neck.findings if entry["kind"] == "finding"}
    cases = [case.id for case in study.cases if case.values and case.id in shown]
    places = [name_case(study, language, case) for case in cases]
    outcomes = [study.specification(claim.specification).outcome for claim in study.claims]
    labels = [label_of(study, language, name) for name in dict.fromkeys(outcomes)]
    targets = dict.fromkeys(target for claim in study.claims for target in claim.sdg)
    goals = [say(language, "imprint.sdg", target=target) for target in targets]
    return join(language, [study.slug, *places, *labels, *goals], "semicolon")
