"""Exhibits in words: labels, alternative text, laid-out tables of cells."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from evidence.exhibits.noun import Exhibit
from evidence.findings import Finding, as_entry
from evidence.language import (
    capitalise,
    format_interval,
    format_number,
    format_period,
    format_plain,
    join,
    name_step,
    name_unit,
    say,
    shown_decimals,
    tell_scale,
    word_finding,
)
from evidence.sources import load_record
from evidence.study import Specification, Study, label_of, names_of_case, nouns_of

_ALT = {"unclear": "untold", "unproven": "thin"}


def is_simulated(study: Study) -> bool:
    """Tell whether any source of a study is simulated."""
    records = [load_record(study.root, source) for source in study.data.sources]
    return any(record.confidentiality == "simulated" for record in records)


def words_of(study: Study, language: str, row: Mapping[str, Any]) -> dict[str, str]:
    """Collect a row's labels in a language: outcome, exposure, moderator, noun, nouns.

    ``step`` is what a further unit of the exposure (or moderator) is, ``scale`` a sentence on
    the ends of the outcome's score, empty for other units.

    Raises
    ------
    StudyError
        Where the study lacks one in the language.
    """
    one, many = nouns_of(study, language)
    labels = {
        key: label_of(study, language, row[key]) if row[key] else ""
        for key in ("outcome", "exposure", "moderator")
    }
    moved = study.variable(row["moderator"] or row["exposure"])
    step = name_step(language, moved.unit)
    return {**labels, "noun": one, "nouns": many, "step": step,
            "scale": scale_of(study, language, row["outcome"])}  # fmt: skip


def scale_of(study: Study, language: str, outcome: str) -> str:
    """Say what the ends of an outcome's score are; empty for an outcome in another unit."""
    scale = study.variable(outcome).scale
    return "" if scale is None else tell_scale(language, best=scale.best, worst=scale.worst)


def name_case(study: Study, language: str, case: str) -> str:
    """Name a case in a language: its country and sector."""
    return join(language, names_of_case(study, language, case), "comma")


def label_row(study: Study, language: str, exhibit: Exhibit, row: Mapping[str, Any]) -> str:
    """Label a row by what tells it from its neighbours: place, exposure, design, controls.

    A table names the exposure in any case, a figure has it in its title.
    """
    words = words_of(study, language, row)
    differs = {name: exhibit.data[name].nunique() > 1 for name in ("case", "exposure", "design")}
    parts = []
    if differs["case"]:
        parts.append(name_case(study, language, row["case"]))
    if differs["exposure"] or exhibit.specification["kind"] == "findings":
        parts.append(words["exposure"])
    if words["moderator"]:
        parts.append(say(language, "table.moderator", **words))
    if differs["design"]:
        parts.append(say(language, f"design.{row['design']}", **words))
    held = _list_held(study, language, exhibit, row)
    if held:
        parts.append(say(language, "table.controls", controls=join(language, held, "comma")))
    return capitalise(join(language, parts or [words["exposure"]], "comma"))


def _list_held(study: Study, language: str, exhibit: Exhibit, row: Mapping[str, Any]) -> list[str]:
    """List the controls of a row that nothing else tells from another."""
    data = exhibit.data
    alike = ["case", "exposure", "outcome", "moderator", "design"]
    if int((data[alike] == [row[name] for name in alike]).all(axis=1).sum()) < 2:
        return []
    return _label_controls(study, language, row["claim"])


def _label_controls(study: Study, language: str, claim: str) -> list[str]:
    return [label_of(study, language, name) for name in _tested(study, claim).controls]


def _tested(study: Study, claim: str) -> Specification:
    return study.specification(next(c.specification for c in study.claims if c.id == claim))


def is_clear_of_zero(row: Mapping[str, Any]) -> bool:
    """Tell whether an estimate has an interval that leaves zero out."""
    if pd.isna(row["conf_low"]):
        return False
    return bool(row["conf_low"] > 0 or row["conf_high"] < 0)


def describe_findings(study: Study, language: str, exhibit: Exhibit, intro: str) -> str:
    """Tell the estimates that a figure shows, and which intervals include no difference."""
    told = [intro]
    for row in exhibit.rows:
        decimals = shown_decimals(row)
        estimate = format_number(language, row["estimate"], decimals=decimals)
        if pd.isna(row["conf_low"]):
            continue
        interval = format_interval(language, row["conf_low"], row["conf_high"], decimals=decimals)
        kind = _ALT.get(row["direction"], "told")
        label = label_row(study, language, exhibit, row)
        told.append(say(language, f"alt.{kind}", label=label, estimate=estimate, interval=interval))
    return join(language, told, "sentence")


def entitle_cells(study: Study, language: str, exhibit: Exhibit) -> str:
    """Say in a caption what a table of cells shows, and what it is cut by."""
    what = head_of_cells(study, language, exhibit)
    by = [label_of(study, language, name) for name in exhibit.specification["by"]]
    if not by:
        return what
    return say(language, "cells.caption", what=what, by=join(language, by, "comma"))


def note_cells(language: str, exhibit: Exhibit) -> str:
    """Say under a table of cells what was withheld or rounded."""
    told = [s for s in ("suppressed", "rounded") if (exhibit.data["status"] == s).any()]
    return join(language, [say(language, f"cells.note_{s}") for s in told], "sentence")


def say_findings(findings: tuple[Finding, ...], study: Study, language: str = "en") -> pd.DataFrame:
    """Say each finding in a sentence, for the reader of a notebook.

    Returns
    -------
    DataFrame
        Index ``claim``; columns ``sentence``, ``accounted_for`` (the labels of what else the
        comparison takes into account, other exposures and effects but the entity's
        included; empty for none), ``certainty``, and the ``reasons`` for it.
    """
    rows = []
    for finding in findings:
        entry = as_entry(finding)
        words = words_of(study, language, entry)
        sentence = word_finding(language, "sentence", entry, words)
        certainty = say(language, f"grade.{finding.grade.label}")
        reasons = [say(language, f"reason.{name}", **words) for name in finding.grade.reasons]
        told = join(language, reasons, "semicolon")
        held = join(language, _label_rest(study, language, finding), "comma")
        rows.append((finding.claim, sentence, held, certainty, told))
    columns = ["claim", "sentence", "accounted_for", "certainty", "reasons"]
    return pd.DataFrame(rows, columns=columns).set_index("claim")


def _label_rest(study: Study, language: str, finding: Finding) -> list[str]:
    """Label what a finding's regression holds beside its exposure and its entities."""
    spec = _tested(study, finding.claim)
    own = {finding.exposure, finding.moderator}
    named = {"entity": study.entity.name, "time": study.time.name}
    effects = [e.split(":") for e in spec.effects if e != "entity"]
    crossed = [[label_of(study, language, named.get(x, x)) for x in parts] for parts in effects]
    rest = [label_of(study, language, name) for name in spec.regressors if name not in own]
    return [*rest, *(" × ".join(labels) for labels in crossed)]


def tabulate_cells(
    study: Study, language: str, exhibit: Exhibit
) -> tuple[list[str], list[list[tuple[str, str]]]]:
    """Lay a table of cells out: a row a cell."""
    asked = exhibit.specification
    several = exhibit.data["case"].nunique() > 1
    counted = asked["statistic"] == "count"
    places = [say(language, "table.place")] if several or not asked["by"] else []
    heads = [capitalise(label_of(study, language, name)) for name in asked["by"]]
    nouns = capitalise(nouns_of(study, language)[1])
    amounts = [head_of_cells(study, language, exhibit)]
    amounts += [] if counted else [say(language, "table.entities", nouns=nouns)]
    body = []
    for row in exhibit.rows:
        labels = [name_case(study, language, row["case"])] if places else []
        labels += [place_label(study, language, exhibit, name, row[name]) for name in asked["by"]]
        numbers = [amount_of_cell(language, asked, row)]
        numbers += [] if counted else [_count_of_cell(language, row)]
        empty = "refused" if pd.isna(row["value"]) else ""
        body.append([*((text, "") for text in labels), *((text, empty) for text in numbers)])
    return [*places, *heads, *amounts], body


def head_of_cells(study: Study, language: str, exhibit: Exhibit) -> str:
    """Say what the cells of a table are: statistic, variable, unit."""
    asked = exhibit.specification
    percent = asked["percent"]
    told = {
        "value": label_of(study, language, asked["value"]),
        "nouns": nouns_of(study, language)[1],
        "percent": "" if percent is None else format_number(language, percent, decimals=0),
        "unit": name_unit(language, "percent" if is_share(asked) else asked["unit"]),
    }
    return capitalise(say(language, f"cells.{asked['statistic']}", **told))


def is_share(asked: Mapping[str, Any]) -> bool:
    """Tell whether a statistic is shown in per cent."""
    return asked["statistic"] == "share" or asked["unit"] in {"share", "indicator"}


def amount_of_cell(language: str, asked: Mapping[str, Any], row: Mapping[Any, Any]) -> str:
    """Say the number of a cell as a page shows it."""
    if row["status"] == "suppressed":
        return say(language, "cells.suppressed")
    if pd.isna(row["value"]):
        return say(language, "cells.empty")
    if asked["statistic"] == "count":
        return format_number(language, row["value"], decimals=0)
    scale = 100 if is_share(asked) and asked["statistic"] != "sum" else 1
    return format_number(language, scale * row["value"], decimals=1 if scale == 100 else 2)


def _count_of_cell(language: str, row: Mapping[str, Any]) -> str:
    if pd.isna(row["contributors"]):
        return ""
    return format_number(language, row["contributors"], decimals=0)


def place_label(study: Study, language: str, exhibit: Exhibit, name: str, label: str) -> str:
    """Say a label by which cells are cut, in a language."""
    asked = exhibit.specification
    bases = asked.get("merged", {}).get(name, {}).get(label, [label])
    if len(bases) > 1 and study.variable(name).role == "time":
        return format_period(language, bases[0], bases[-1])
    if len(bases) > 1 and name in asked["bands"]:
        return place_label(
            study, language, exhibit, name,
            f"{bases[0].partition('..')[0]}..{bases[-1].partition('..')[2]}",
        )  # fmt: skip
    if study.variable(name).unit == "indicator" and name not in asked["bands"]:
        return " / ".join(say(language, f"cells.{_YES[base]}") for base in bases)
    if name in asked["bands"]:
        return _band_label(language, label)
    if study.variable(name).role == "time":
        return " / ".join(format_plain(language, base) for base in bases)
    return " / ".join(bases)


_YES = {"0": "no", "1": "yes"}


def _band_label(language: str, label: str) -> str:
    low, high = (float(end) for end in label.split(".."))
    ends = {
        key: format_number(language, end, decimals=0 if end.is_integer() else 2)
        for key, end in (("low", low), ("high", high))
        if math.isfinite(end)
    }
    kind = {("low",): "above", ("high",): "below", (): "all"}.get(tuple(ends), "between")
    return say(language, f"cells.{kind}", **ends)
