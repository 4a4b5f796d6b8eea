"""The way back from every number: sentence, finding, estimate, specification, cell, data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from evidence.brief.blocks import Block, text, trail
from evidence.brief.sources import count_source
from evidence.brief.told import figures_of
from evidence.disclosure import Cleared
from evidence.exhibits import name_case, words_of
from evidence.language import (
    capitalise,
    finding_fields,
    format_number,
    join,
    name_unit,
    say,
    word_finding,
)
from evidence.neck import hash_table
from evidence.run import find_cells
from evidence.study import Specification, Study, label_of

_VERB = "fit_specifications"
"""The verb of the face that estimates: the cell that calls it made the numbers."""

_ESTIMATES = "estimates.csv"
_SHOWN = 12
_SUBJECT = ("kind", "case", "exposure", "outcome", "moderator")
_EXHIBIT = "exhibit-"
_SPECIFICATION = "specification-"


def tell_trail(cleared: Cleared, language: str, shown: Iterable[Block]) -> list[Block]:
    """Lay a trail for each finding, comparison and specification, and for what is shown.

    Only what is the same for the same inputs is told: no times, no places of a machine.

    Parameters
    ----------
    shown : iterable of blocks
        The figures and tables of the page.
    """
    claims = [claim.id for claim in cleared.study.claims]
    entries = sorted(cleared.neck.findings, key=lambda entry: claims.index(entry["claim"]))
    specs = dict.fromkeys(map(_specification_of, _findings(cleared)))
    return [
        text(say(language, "trail.lead")),
        *(_trail_entry(cleared, language, entry) for entry in entries),
        *(_trail_specification(cleared, language, name) for name in specs),
        *(_trail_exhibit(cleared, language, block) for block in shown if block.get("name")),
    ]


def name_exhibit(exhibit: str) -> str:
    """Name the trail of an exhibit, apart from those of findings."""
    return f"{_EXHIBIT}{exhibit}"


def label_entry(cleared: Cleared, language: str, entry: Mapping[str, Any]) -> str:
    """Label a finding or comparison in short: place, exposure, outcome.

    The design is named where another design has looked at the same.
    """
    study = cleared.study
    words = words_of(study, language, entry)
    place = name_case(study, language, entry["case"]) if _is_placed(study, entry) else ""
    kind = "trail.label_place" if place else "trail.label"
    label = say(language, kind, place=place, **words)
    moderated = say(language, "table.moderator", **words) if entry["moderator"] else ""
    alike = [e for e in cleared.neck.findings if all(e.get(k) == entry.get(k) for k in _SUBJECT)]
    several = len({e["design"] for e in alike}) > 1
    design = say(language, f"design.{entry['design']}", **words) if several else ""
    return capitalise(join(language, [label, moderated, design], "comma"))


def _is_placed(study: Study, entry: Mapping[str, Any]) -> bool:
    """Tell whether an entry speaks of one place of several."""
    return any(case.id == entry.get("case") and case.values for case in study.cases)


def _trail_entry(cleared: Cleared, language: str, entry: dict[str, Any]) -> Block:
    compared = entry["kind"] == "comparison"
    words = words_of(cleared.study, language, entry)
    steps = [
        ("sentence", word_finding(language, "sentence", entry, words)),
        ("finding", _word_entry(language, entry)),
        *(_compared_steps if compared else _estimated_steps)(cleared, language, entry),
        ("reproduce", _command(cleared.study)),
    ]
    title = label_entry(cleared, language, entry)
    rests = entry["findings"] if compared else [f"{_SPECIFICATION}{_specification_of(entry)}"]
    return trail(entry["id"], title, _name_steps(language, steps), rests)


def _word_entry(language: str, entry: Mapping[str, Any]) -> str:
    direction = say(language, f"trail.direction.{entry['direction']}")
    if entry["kind"] == "comparison":
        return say(language, "trail.compared_text", finding=entry["id"], direction=direction)
    grade = say(language, f"grade.{entry['grade']['label']}")
    return say(
        language, "trail.finding_text", finding=entry["id"], direction=direction, grade=grade
    )


def _compared_steps(
    cleared: Cleared, language: str, entry: Mapping[str, Any]
) -> list[tuple[str, str]]:
    findings = {e["id"]: e for e in cleared.neck.findings}
    told = [_word_compared(cleared.study, language, findings[name]) for name in entry["findings"]]
    return [("compared", join(language, told, "semicolon"))]


def _word_compared(study: Study, language: str, entry: Mapping[str, Any]) -> str:
    fields = finding_fields(language, entry)
    amount = fields.get("estimate") or say(language, "table.not_estimated")
    place = name_case(study, language, entry["case"])
    interval = fields.get("interval")
    if interval is None:
        return say(language, "trail.of_place", place=place, amount=amount)
    return say(language, "trail.of_place_interval", place=place, amount=amount, interval=interval)


def _estimated_steps(
    cleared: Cleared, language: str, entry: Mapping[str, Any]
) -> list[tuple[str, str]]:
    nouns = words_of(cleared.study, language, entry)["nouns"]
    hashes = [f"{name} {digest[:_SHOWN]}" for name, digest in sorted(entry["data"].items())]
    return [
        ("estimate", _word_estimate(language, entry, entry["rows"][0])),
        ("specification", _word_sample(language, entry, nouns, _specification_of(entry))),
        ("data", ", ".join(hashes)),
    ]


def _word_estimate(language: str, entry: Mapping[str, Any], row: Mapping[str, str]) -> str:
    fields = finding_fields(language, entry)
    where = f"{row['specification']} / {row['term']}"
    kind = "none" if "estimate" not in fields else "alone" if "interval" not in fields else "text"
    values = {**fields, "row": where, "file": _ESTIMATES, "hash": row["sha256"][:_SHOWN]}
    return say(language, f"trail.estimate_{kind}", **values)


def _word_sample(language: str, entry: Mapping[str, Any], nouns: str, spec: str) -> str:
    """Word which specification a finding is from, in which sample, by which inference."""
    inferred = "clusters" if entry["n_clusters"] is not None else "unclustered"
    values = {
        **finding_fields(language, entry),
        "nouns": nouns,
        "level": say(language, f"trail.level.{entry['level']}"),
        "cov_type": entry["cov_type"],
    }
    parts = [*([inferred] if entry["cov_type"] else []), "counts"]
    said = [say(language, f"trail.of.{part}", **values) for part in parts]
    return join(language, [spec, *said], "semicolon")


def _trail_specification(cleared: Cleared, language: str, name: str) -> Block:
    """Lay the trail of a specification, which its findings share."""
    study = cleared.study
    spec = study.specification(name)
    entry = next(e for e in _findings(cleared) if _specification_of(e) == name)
    steps = [
        ("specification", _word_specification(study, language, entry, spec)),
        ("notebook", _word_cell(study, language, spec)),
        ("reproduce", _command(study)),
    ]
    title = say(language, "trail.title_specification", name=name)
    return trail(f"{_SPECIFICATION}{name}", title, _name_steps(language, steps))


def _findings(cleared: Cleared) -> list[dict[str, Any]]:
    return [entry for entry in cleared.neck.findings if entry["kind"] == "finding"]


def _specification_of(entry: Mapping[str, Any]) -> str:
    return str(entry["rows"][0]["specification"])


def _word_specification(
    study: Study, language: str, entry: Mapping[str, Any], spec: Specification
) -> str:
    words = words_of(study, language, entry)
    labels = {
        "exposures": [
            _label(study, language, name) for name in (*spec.exposures, *spec.moderators)
        ],
        "controls": [_label(study, language, name) for name in spec.controls],
        "instruments": [_label(study, language, name) for name in spec.instruments],
        "effects": [_word_effect(study, language, words, effect) for effect in spec.effects],
    }
    told = {key: join(language, names, "comma") for key, names in labels.items() if names}
    values = {
        **words,
        **told,
        "unit": name_unit(language, entry["unit"]),
        "estimator": say(language, f"trail.estimator.{spec.estimator}"),
    }
    parts = ["outcome", *told, "estimator"]
    said = [say(language, f"trail.of.{part}", **values) for part in parts]
    return capitalise(join(language, said, "semicolon"))


def _word_effect(study: Study, language: str, words: Mapping[str, str], effect: str) -> str:
    known = {
        "entity": say(language, "trail.each", what=words["noun"]),
        "time": say(language, "trail.each_period"),
    }
    return " × ".join(
        known.get(name) or _label(study, language, name) for name in effect.split(":")
    )


def _word_cell(study: Study, language: str, spec: Specification) -> str:
    path = study.root / "notebooks" / f"{spec.notebook}.ipynb"
    file = path.relative_to(study.root).as_posix()
    cells = find_cells(path, _VERB)
    if not cells:
        return say(language, "trail.no_cell", file=file, verb=_VERB)
    return say(language, "trail.cell", file=file, cell=", ".join(cells))


def _trail_exhibit(cleared: Cleared, language: str, block: Mapping[str, Any]) -> Block:
    known = (*figures_of(cleared), *cleared.neck.exhibits)
    exhibit = next(e for e in known if e.id == block["name"])
    claims = list(dict.fromkeys(exhibit.data["claim"])) if "claim" in exhibit.data else []
    threshold = format_number(language, cleared.rules["threshold"], decimals=0)
    bound = cleared.neck.protected["confidentiality"] == "restricted"
    rule = "trail.rule_bound" if bound else "trail.rule_free"
    digest = hash_table(exhibit.data)[:_SHOWN]
    steps = [
        *([("rows", ", ".join(claims))] if claims else []),
        ("counts", _word_counts(cleared, language, exhibit.data, claims)),
        ("rule", say(language, rule, threshold=threshold)),
        ("file", f"exhibits/{exhibit.id}.csv {digest}"),
        ("reproduce", _command(cleared.study)),
    ]
    title = block["title"] if block["kind"] == "figure" else block["caption"]
    ids = {entry["id"] for entry in cleared.neck.findings}
    rests = [claim for claim in claims if claim in ids]
    return trail(name_exhibit(exhibit.id), title, _name_steps(language, steps), rests)


def _word_counts(cleared: Cleared, language: str, data: Any, claims: list[str]) -> str:
    if claims:
        counts = count_source(cleared, language, list(data["finding"]))
        return say(language, "trail.of.counts", **counts)
    return say(language, "trail.cells", count=format_number(language, len(data), decimals=0))


def _name_steps(language: str, steps: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(say(language, f"trail.{name}"), told) for name, told in steps]


def _command(study: Study) -> str:
    file = study.path.relative_to(study.root).as_posix()
    return f"evidence run {file} && evidence brief {file}"


def _label(study: Study, language: str, name: str) -> str:
    return label_of(study, language, name)
