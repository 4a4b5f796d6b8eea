"""The brief before it has a format: every text of the page, in one language."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from evidence.brief import audience as readers
from evidence.brief.advice import advise
from evidence.brief.blocks import Section, blocks_of, bullets, item, section, text
from evidence.brief.checks import check_text
from evidence.brief.evidence import tell_evidence
from evidence.brief.front_matter import tell_front_matter
from evidence.brief.plan import tell_plan
from evidence.brief.prose import Earned, judge, lint_page, lint_study
from evidence.brief.sources import tell_source
from evidence.brief.told import MOST_MESSAGES, entries_of, is_found, lead_finding, say_entry
from evidence.brief.trail import tell_trail
from evidence.brief.versions import code_version
from evidence.disclosure import Cleared, fingerprint
from evidence.errors import BriefError
from evidence.exhibits import name_case, words_of
from evidence.language import (
    Strength,
    capitalise,
    fill,
    finding_fields,
    is_reviewed,
    join,
    refuse,
    say,
    word_finding,
)
from evidence.study import Prose, is_planned, question_of, takes_out_calendar

_HEADINGS = {"messages": "key_messages", "advice": "advice"}
_MESSAGE = "sections.messages.blocks[1].items"
_WORDS = (
    "skip", "question", "data_table", "table_region", "trail_link", "languages", "readers",
    "formats", "behind",
)  # fmt: skip


def compose(cleared: Cleared, language: str, audience: str = "") -> dict[str, Any]:
    """Compose the brief of a cleared neck for a reader; the study's first one unless told.

    Returns
    -------
    dict
        ``slug, language, audience, simulated, kicker, title, question, grade, topics,
        words``,
        ``bands`` (what must be said above all else, in this order), ``code`` (QR code: ``svg,
        alt, caption, address``; empty without a declared address) and ``sections``, whose
        blocks ``brief/blocks.py`` describes: plain texts and SVG data addresses, ready for
        any format.

    Raises
    ------
    BriefError
        Where what was cleared has changed since.
    LanguageError
        Where prose types a number, says what no finding has earned, or a message is missing.
    """
    study, neck = cleared.study, cleared.neck
    if fingerprint(neck, study) != cleared.sha256:
        raise BriefError(
            study.slug,
            seen="numbers that differ from those cleared",
            expected=cleared.sha256,
            do="Clear the run again.",
        )
    check_text(study)
    earned = judge(study, neck.findings)
    refuse(lint_study(study, earned))
    model = _compose(cleared, language, audience or study.brief.audiences[0])
    refuse(lint_page(language, model, earned, _own_words(cleared, earned, model)))
    return model


def _compose(cleared: Cleared, language: str, audience: str) -> dict[str, Any]:
    study = cleared.study
    lead = entries_of(cleared)[0]
    prose = _fill_prose(cleared, language)
    simulated = lead["simulated"]
    sections = {part["id"]: part for part in _sections(cleared, language, audience, prose)}
    return {
        "slug": study.slug,
        "language": language,
        "audience": audience,
        "simulated": simulated,
        "bands": _bands(language, simulated=simulated),
        "kicker": _kicker(cleared, language, simulated=simulated),
        "title": _title(cleared, language, prose),
        "question": _fill(cleared, language, question_of(study, language), "question"),
        "grade": lead_finding(cleared)["grade"]["label"],
        "topics": _topics(cleared),
        "sections": readers.arrange(sections, audience),
        "code": code_version(study, language, audience),
        "foreign": {},
        "words": {key: say(language, f"brief.{key}") for key in _WORDS},
    }


def _topics(cleared: Cleared) -> dict[str, list[str]]:
    """List what the brief is about, as codes: countries (ISO 3166), sectors, targets (SDG)."""
    shown = {entry["case"] for entry in cleared.neck.findings if entry["kind"] == "finding"}
    cases = [case.values for case in cleared.study.cases if case.id in shown]
    tags = [tag for claim in cleared.study.claims for tag in claim.sdg]
    return {
        "countries": list(dict.fromkeys(c["country"] for c in cases if "country" in c)),
        "sectors": list(dict.fromkeys(c["sector"] for c in cases if "sector" in c)),
        "sdg": list(dict.fromkeys(tags)),
    }


def _title(cleared: Cleared, language: str, prose: Prose) -> str:
    lead = entries_of(cleared)[0]
    words = words_of(cleared.study, language, lead)
    title = prose.title or word_finding(language, "title", lead, words)
    if not is_planned(cleared.study, lead["claim"]):
        title = say(language, "brief.unplanned_title", title=title)
    return say(language, "brief.simulated_title", title=title) if lead["simulated"] else title


def _sections(cleared: Cleared, language: str, audience: str, prose: Prose) -> list[Section]:
    study = cleared.study

    def headed(name: str, blocks: list[dict[str, Any]]) -> Section:
        return section(name, say(language, f"brief.{_HEADINGS.get(name, name)}"), blocks)

    limits = [bullets(item(limit) for limit in prose.limits)] if prose.limits else []
    shown = tell_evidence(cleared, language, whole=readers.shows_whole(audience))
    return [
        headed("messages", [bullets(_messages(cleared, language))]),
        headed("background", [text(prose.background)] if prose.background else []),
        headed("evidence", shown),
        headed("how", [text(told) for told in _how(cleared, language)]),
        headed("certainty", [text(_certainty(cleared, language))]),
        headed("limits", limits),
        headed("plan", [text(told) for told in tell_plan(study, language)]),
        headed("advice", advise(cleared, language, audience)),
        headed("source", [text(told) for told in tell_source(cleared, language)]),
        headed("trail", tell_trail(cleared, language, shown)),
        headed("imprint", tell_front_matter(cleared, language)),
    ]


def _bands(language: str, *, simulated: bool) -> list[str]:
    """List what must be said above all else."""
    told = {"brief.simulated": simulated, "brief.unreviewed": not is_reviewed(language)}
    return [say(language, name) for name, holds in told.items() if holds]


def _messages(cleared: Cleared, language: str) -> list[dict[str, Any]]:
    shown = entries_of(cleared)[:MOST_MESSAGES]
    outcomes = [entry["outcome"] for entry in shown]
    said = [
        say_entry(cleared, language, entry, scaled=entry["outcome"] not in outcomes[:place])
        for place, entry in enumerate(shown)
    ]
    return [
        {**item(sentence, rests=[entry["id"]]), "claim": entry["claim"]}
        for sentence, entry in zip(said, shown, strict=True)
    ]


def _kicker(cleared: Cleared, language: str, *, simulated: bool) -> str:
    """Say what the page is, with the place where it speaks of a single one of several."""
    kicker = say(language, "brief.kicker_simulated" if simulated else "brief.kicker")
    cases = {e["case"] for e in cleared.neck.findings if e["kind"] == "finding"}
    if len(cases) == len(cleared.study.cases):
        return kicker
    shown = [case for case in cleared.study.cases if case.id in cases]
    return " · ".join([kicker, *(name_case(cleared.study, language, case.id) for case in shown)])


def _own_words(cleared: Cleared, earned: Earned, model: Mapping[str, Any]) -> dict[str, Strength]:
    """Say which places of the model are about one claim, and what that claim has earned."""
    entries = entries_of(cleared)[:MOST_MESSAGES]
    own = {
        f"{_MESSAGE}[{n}].text": earned.claims[entry["id"]] for n, entry in enumerate(entries, 1)
    }
    for number, block in enumerate(blocks_of(model, "trail"), 1):
        if block["kind"] == "trail" and block["name"] in earned.claims:
            place = f"sections.trail.blocks[{number}].steps"
            steps = range(1, len(block["steps"]) + 1)
            own |= {f"{place}[{step}][2]": earned.claims[block["name"]] for step in steps}
    return own | {"title": own[f"{_MESSAGE}[1].text"]}


def _fill(cleared: Cleared, language: str, text: str, key: str) -> str:
    return fill(text, _fields(cleared, language), f"{cleared.study.path.name}: {key}")


@functools.lru_cache(maxsize=8)
def _fields(cleared: Cleared, language: str) -> dict[str, dict[str, str]]:
    """Format every number that a placeholder may ask for."""
    return {entry["id"]: finding_fields(language, entry) for entry in cleared.neck.findings}


def _fill_prose(cleared: Cleared, language: str) -> Prose:
    prose = cleared.study.brief.text.get(language, Prose())
    key = f"brief.text.{language}"
    return replace(
        prose,
        title=_fill(cleared, language, prose.title, key),
        background=_fill(cleared, language, prose.background, key),
        limits=tuple(_fill(cleared, language, text, key) for text in prose.limits),
    )


def _how(cleared: Cleared, language: str) -> list[str]:
    words = words_of(cleared.study, language, entries_of(cleared)[0])
    findings = [e for e in cleared.neck.findings if e["kind"] == "finding"]
    shown = [e for e in findings if e["direction"] != "refused"]
    told = [
        capitalise(say(language, f"how.{name}", **words))
        for name in dict.fromkeys(map(_how_key, shown))
    ]
    claims = {claim.id: claim.specification for claim in cleared.study.claims}
    specs = [cleared.study.specification(claims[e["claim"]]) for e in shown]
    if any(spec.estimator == "pooled_cells" for spec in specs):
        told.append(say(language, "how.pooled_cells"))
    coarser = any(e["level"] != cleared.study.entity.level for e in shown)
    told.append(say(language, "how.clusters_coarser" if coarser else "how.clusters", **words))
    if any(e["direction"] == "refused" for e in findings):
        told.append(say(language, "how.refused"))
    return told


def _how_key(entry: dict[str, Any]) -> str:
    one_way = entry["design"] == "within" and not takes_out_calendar(entry["effects"])
    return "within_entity" if one_way else str(entry["design"])


def _certainty(cleared: Cleared, language: str) -> str:
    finding = lead_finding(cleared)
    words = words_of(cleared.study, language, finding)
    reasons = [say(language, f"reason.{name}", **words) for name in finding["grade"]["reasons"]]
    label = say(language, f"grade.{finding['grade']['label']}")
    cases = entries_of(cleared)[0]["kind"] == "comparison" and is_found(finding)
    untold = finding["grade"]["label"] == "cannot tell"
    alone = "brief.certainty_untold" if untold else "brief.certainty_line"
    message = "brief.certainty_cases" if cases else alone
    return say(language, message, grade=label, reasons=join(language, reasons, "semicolon"))
