"""The brief before it has a format: every text of the page, in one language."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from importlib.metadata import version
from typing import Any

from evidence.brief.plan import tell_advice, tell_plan
from evidence.brief.prose import Earned, foresee, judge, lint_page, lint_study
from evidence.disclosure import Cleared, fingerprint
from evidence.errors import BriefError
from evidence.exhibits import (
    Exhibit,
    describe,
    draw,
    entitle_cells,
    note_cells,
    tabulate,
    words_of,
)
from evidence.language import (
    FIELDS,
    Strength,
    capitalise,
    check_prose,
    fill,
    finding_fields,
    format_number,
    name_unit,
    refuse,
    say,
    word_definition,
    word_finding,
)
from evidence.packs import load_questionnaire
from evidence.sources import load_record
from evidence.study import Prose, Study, is_planned, read_advice, read_lock

_MOST_MESSAGES = 4
_MOST_HASHES = 3
_Body = list[list[tuple[str, str]]]


def compose(cleared: Cleared, language: str) -> dict[str, Any]:
    """Compose the brief of a cleared neck.

    Returns
    -------
    dict
        Plain texts and SVG data addresses, ready for any template.

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
    model = _compose(cleared, language)
    refuse(lint_page(language, model, earned, _own_words(cleared, earned)))
    return model


def _compose(cleared: Cleared, language: str) -> dict[str, Any]:
    study = cleared.study
    lead = _entries(cleared)[0]
    words = words_of(study, language, lead)
    prose = _fill_prose(cleared, language)
    title = prose.title or word_finding(language, "title", lead, words)
    simulated = lead["simulated"]
    if not is_planned(study, lead["claim"]):
        title = say(language, "brief.unplanned_title", title=title)
    heading = say(language, "brief.simulated_title", title=title) if simulated else title
    return {
        "slug": study.slug,
        "language": language,
        "simulated": simulated,
        "kicker": _kicker(cleared, language, simulated=simulated),
        "title": heading,
        "question": _fill(cleared, language, study.heading.question, "study.question"),
        "messages": _messages(cleared, language),
        "background": prose.background,
        "figure": _figure(cleared, language),
        "table": _table(cleared, language),
        "cells": _cells(cleared, language),
        "how": _how(cleared, language),
        "certainty": _certainty(cleared, language),
        "grade": _lead_finding(cleared)["grade"]["label"],
        "limits": list(prose.limits),
        "plan": tell_plan(study, language),
        "advice": _fill_advice(cleared, language),
        "source": _source(cleared, language),
        "words": {
            key: say(language, f"brief.{key}")
            for key in ("skip", "question", "key_messages", "background", "evidence", "how",
                        "certainty", "limits", "plan", "advice", "source", "simulated", "data_table",
                        "table_region")
        },
    }  # fmt: skip


def check_text(study: Study) -> None:
    """Check every text that an author wrote into a study and its advice.

    No number may be typed, and no word may say more than the designs of the claims can
    earn at best; what they have earned is checked when the brief is composed.

    Raises
    ------
    LanguageError
        Naming file, key, and number or word.
    """
    file = study.path.name
    known = {entry: dict.fromkeys(FIELDS, "") for entry in _ids(study)}
    filled = {"study.question": study.heading.question}
    for language, prose in study.brief.text.items():
        place = f"brief.text.{language}"
        filled |= {f"{place}.title": prose.title, f"{place}.background": prose.background}
        filled |= {f"{place}.limits[{n}]": text for n, text in enumerate(prose.limits, 1)}
    places = {f"{file}: {key}": text for key, text in filled.items()} | _advice_texts(study)
    for place, text in places.items():
        check_prose(text, place)
        fill(text, known, place)
    for key, text in _fixed_texts(study).items():
        check_prose(text, f"{file}: {key}", placeholders=False)
    refuse(lint_study(study, foresee(study)))


def _advice_texts(study: Study) -> dict[str, str]:
    """Collect what people recommend and who reviewed it: place → text."""
    texts: dict[str, str] = {}
    for advice in read_advice(study):
        place = f"{study.path.stem}.advice.toml: {advice.id}"
        texts |= {f"{place}, text.{k}": text for k, text in advice.text.items()}
        texts[f"{place}, reviewed_by"] = advice.reviewed_by
    return texts


def _ids(study: Study) -> list[str]:
    """List the ids that placeholders may name: claims, and claims in a case."""
    claims = [claim.id for claim in study.claims]
    cases = [case.id.lower().replace("-", "_") for case in study.cases if case.values]
    return [*claims, *(f"{claim}__{case}" for claim in claims for case in cases)]


def _fixed_texts(study: Study) -> dict[str, str]:
    """Collect the texts that are used as they stand, without placeholders."""
    texts = {"study.title": study.heading.title}
    for number, variable in enumerate(study.variables, 1):
        place = f"variables[{number}]"
        texts |= {f"{place}.label.{k}": text for k, text in variable.label.items()}
        texts |= {f"{place}.noun.{k}": " ".join(pair) for k, pair in variable.noun.items()}
        if variable.role == "outcome":
            texts[f"{place}.unit"] = variable.unit
    for case in study.cases:
        texts |= {f"cases: {case.id}, name.{k}": text for k, text in case.label.items()}
    return texts


def _kicker(cleared: Cleared, language: str, *, simulated: bool) -> str:
    """Say what the page is, with the place where it speaks of a single one of several."""
    kicker = say(language, "brief.kicker_simulated" if simulated else "brief.kicker")
    cases = {e["case"] for e in cleared.neck.findings if e["kind"] == "finding"}
    if len(cases) == len(cleared.study.cases):
        return kicker
    shown = [case for case in cleared.study.cases if case.id in cases]
    return " · ".join([kicker, *(case.label.get(language, case.id) for case in shown)])


def _entries(cleared: Cleared) -> list[dict[str, Any]]:
    """Find one entry a claim, in the study's order: its comparison, else its finding."""
    found = []
    for claim in cleared.study.claims:
        group = [e for e in cleared.neck.findings if e["claim"] == claim.id]
        comparisons = [e for e in group if e["kind"] == "comparison"]
        found += (comparisons or group)[:1]
    return found


def _lead_finding(cleared: Cleared) -> dict[str, Any]:
    """Find what the first message rests on: of the findings that say it, the weakest."""
    lead = _entries(cleared)[0]
    findings = [e for e in cleared.neck.findings if e["kind"] == "finding"]
    group = [e for e in findings if e["claim"] == lead["claim"]]
    saying = [e for e in group if e["direction"] == lead["direction"]]
    return min(saying or group, key=lambda e: e["grade"]["level"])


def _messages(cleared: Cleared, language: str) -> list[str]:
    told = []
    for entry in _entries(cleared)[:_MOST_MESSAGES]:
        text = word_finding(language, "sentence", entry, words_of(cleared.study, language, entry))
        planned = is_planned(cleared.study, entry["claim"])
        told.append(text if planned else say(language, "brief.unplanned", text=text))
    return told


def _own_words(cleared: Cleared, earned: Earned) -> dict[str, Strength]:
    """Say which places of the model are about one claim, and what that claim has earned."""
    entries = _entries(cleared)[:_MOST_MESSAGES]
    own = {f"messages[{n}]": earned.claims[entry["id"]] for n, entry in enumerate(entries, 1)}
    return own | {"title": own["messages[1]"]}


def _fill_advice(cleared: Cleared, language: str) -> dict[str, Any]:
    advice = tell_advice(cleared.study, cleared.neck.findings, language)
    key = f"advice, text.{language}"
    items = [{**item, "text": _fill(cleared, language, item["text"], key)}
             for item in advice["items"]]  # fmt: skip
    return {**advice, "items": items}


def _fill(cleared: Cleared, language: str, text: str, key: str) -> str:
    fields = {entry["id"]: finding_fields(language, entry) for entry in cleared.neck.findings}
    return fill(text, fields, f"{cleared.study.path.name}: {key}")


def _fill_prose(cleared: Cleared, language: str) -> Prose:
    prose = cleared.study.brief.text.get(language, Prose())
    key = f"brief.text.{language}"
    return replace(
        prose,
        title=_fill(cleared, language, prose.title, key),
        background=_fill(cleared, language, prose.background, key),
        limits=tuple(_fill(cleared, language, text, key) for text in prose.limits),
    )


def _exhibit(cleared: Cleared, kind: str) -> Exhibit:
    for exhibit in cleared.neck.exhibits:
        if exhibit.specification["kind"] == kind:
            return exhibit
    raise BriefError(
        cleared.study.slug,
        seen=f"no exhibit of kind '{kind}'",
        expected="one, written by the notebook",
        do="Give it to ev.write_neck in the notebook.",
    )


def _figure(cleared: Cleared, language: str) -> dict[str, Any]:
    study, exhibit = cleared.study, _exhibit(cleared, "coefficients")
    first = exhibit.rows[0]
    words = words_of(study, language, first)
    several = exhibit.data["exposure"].nunique() > 1
    kind = "figure.subtitle" if exhibit.data["reference"].isna().all() else "figure.subtitle_truth"
    level = format_number(language, 100 * exhibit.specification["conf_level"], decimals=0)
    unit = capitalise(name_unit(language, first["unit"]))
    return {
        "title": say(language, "figure.title_several" if several else "figure.title", **words),
        "subtitle": say(language, kind, unit_capital=unit, conf_level=level),
        "alt": describe(study, language, exhibit),
        "wide": _svg_address(draw(exhibit, study, language, "wide")),
        "narrow": _svg_address(draw(exhibit, study, language, "narrow")),
        "table": _laid_out(study, language, exhibit),
        "source": _source_line(cleared, language, list(exhibit.data["finding"])),
    }


def _table(cleared: Cleared, language: str) -> dict[str, Any]:
    exhibit = _exhibit(cleared, "findings")
    several = exhibit.data["case"].nunique() > 1
    level = format_number(language, 100 * exhibit.specification["conf_level"], decimals=0)
    return {
        "caption": say(language, "table.caption_cases" if several else "table.caption"),
        **_laid_out(cleared.study, language, exhibit),
        "note": say(language, "table.note", conf_level=level) if several else "",
    }


def _cells(cleared: Cleared, language: str) -> list[dict[str, Any]]:
    """Lay out the tables of cells, in the order of the notebook."""
    return [
        {
            "caption": entitle_cells(cleared.study, language, exhibit),
            **_as_rows(*tabulate(cleared.study, language, exhibit)),
            "note": note_cells(language, exhibit),
        }
        for exhibit in cleared.neck.exhibits
        if exhibit.specification["kind"] == "cells"
    ]


def _laid_out(study: Study, language: str, exhibit: Exhibit) -> dict[str, Any]:
    head, body = tabulate(study, language, exhibit)
    return _as_rows(*_mark_unplanned(study, language, exhibit, head, body))


def _as_rows(head: list[str], body: _Body) -> dict[str, Any]:
    rows = [[{"text": text, "direction": direction} for text, direction in row] for row in body]
    return {"head": head, "body": rows}


def _mark_unplanned(
    study: Study, language: str, exhibit: Exhibit, head: list[str], body: _Body
) -> tuple[list[str], _Body]:
    """Label what was not planned: its row, or its column where rows are places."""
    claims = list(exhibit.data["claim"])
    unplanned = {claim for claim in claims if not is_planned(study, claim)}

    def mark(text: str, claim: str) -> str:
        return say(language, "table.unplanned", text=text) if claim in unplanned else text

    if exhibit.data["case"].nunique() > 1:
        columns = list(dict.fromkeys(claims))
        fixed = len(head) - len(columns)
        marked = [mark(text, c) for text, c in zip(head[fixed:], columns, strict=True)]
        return [*head[:fixed], *marked], body
    rows = [[(mark(row[0][0], claim), row[0][1]), *row[1:]]
            for row, claim in zip(body, claims, strict=True)]  # fmt: skip
    return head, rows


def _how(cleared: Cleared, language: str) -> list[str]:
    words = words_of(cleared.study, language, _entries(cleared)[0])
    findings = [e for e in cleared.neck.findings if e["kind"] == "finding"]
    shown = [e for e in findings if e["direction"] != "refused"]
    told = [
        capitalise(say(language, f"how.{name}", **words))
        for name in dict.fromkeys(map(_how_key, shown))
    ]
    coarser = any(e["level"] != cleared.study.entity.level for e in shown)
    told.append(say(language, "how.clusters_coarser" if coarser else "how.clusters", **words))
    if any(e["direction"] == "refused" for e in findings):
        told.append(say(language, "how.refused"))
    return told


def _how_key(entry: dict[str, Any]) -> str:
    one_way = entry["design"] == "within" and "time" not in entry["effects"]
    return "within_entity" if one_way else str(entry["design"])


def _certainty(cleared: Cleared, language: str) -> str:
    finding = _lead_finding(cleared)
    words = words_of(cleared.study, language, finding)
    reasons = [say(language, f"reason.{name}", **words) for name in finding["grade"]["reasons"]]
    label = say(language, f"grade.{finding['grade']['label']}")
    told = finding["direction"] in {"decrease", "increase"}
    cases = _entries(cleared)[0]["kind"] == "comparison" and told
    untold = finding["grade"]["label"] == "cannot tell"
    alone = "brief.certainty_untold" if untold else "brief.certainty_line"
    message = "brief.certainty_cases" if cases else alone
    return say(language, message, grade=label, reasons="; ".join(reasons))


def _source_line(cleared: Cleared, language: str, ids: list[str]) -> str:
    findings = [e for e in cleared.neck.findings if e["id"] in ids]
    largest = {(e["case"]): e for e in sorted(findings, key=lambda e: e["nobs"])}
    words = words_of(cleared.study, language, findings[0])
    return say(
        language,
        "brief.source_line",
        citation="; ".join(cleared.neck.protected["citations"].values()),
        nobs=format_number(language, sum(e["nobs"] for e in largest.values()), decimals=0),
        n_entities=format_number(
            language, sum(e["n_entities"] for e in largest.values()), decimals=0
        ),
        nouns=words["nouns"],
        first_period=str(min(e["first_period"] for e in findings)),
        last_period=str(max(e["last_period"] for e in findings)),
    )


def _definitions(cleared: Cleared, language: str) -> list[str]:
    """Say once of each compliance outcome how it is counted."""
    told = [e for e in cleared.neck.findings if e["kind"] == "finding" and e["definition"]]
    words = [words_of(cleared.study, language, entry) for entry in told]
    lines = [
        word_definition(language, e["definition"], w) for e, w in zip(told, words, strict=True)
    ]
    return list(dict.fromkeys(lines))


def _source(cleared: Cleared, language: str) -> list[str]:
    neck, study = cleared.neck, cleared.study
    everything = [e["id"] for e in neck.findings if e["kind"] == "finding"]
    hashes = {
        f"{name} {digest[:12]}" for e in neck.findings for name, digest in e.get("data", {}).items()
    }
    lines = [_source_line(cleared, language, everything), *_definitions(cleared, language)]
    left_out = neck.protected["items_left_out"]
    if left_out:
        points = ", ".join(_name_points(study, left_out))
        lines.append(say(language, "brief.left_out", items=points))
    digest = hashlib.sha256("\n".join(sorted(hashes)).encode()).hexdigest()[:12]
    shown = ", ".join(sorted(hashes)) if len(hashes) <= _MOST_HASHES else digest
    lines.append(
        say(language, "brief.fingerprint", hashes=shown, study=f"{study.path.name} "
            f"{study.sha256[:12]}")
    )  # fmt: skip
    lock = read_lock(study)
    if lock is not None:
        lines.append(say(language, "brief.lock", lock=f"{lock.study} {lock.sha256[:12]}"))
    lines.append(say(language, "brief.reproduce", slug=study.slug, version=version("evidence")))
    return lines


def _name_points(study: Study, items: list[str]) -> list[str]:
    """Name the points that items belong to: told by the crosswalk, else by their name."""
    packs = {load_record(study.root, source).questionnaire for source in study.data.sources}
    owner = {
        question.id: question.point
        for pack in sorted(packs - {""})
        for question in load_questionnaire(study.root, pack).questions
    }
    points = (owner.get(item, item.partition(".")[0]) for item in items)
    return [point.replace("_", " ") for point in dict.fromkeys(points)]


def _svg_address(svg: bytes) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode("ascii")
