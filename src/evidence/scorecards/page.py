"""The page before it has a format: every text of a card, in one language."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from evidence.errors import LanguageError
from evidence.exhibits import name_case, words_of
from evidence.language import (
    capitalise,
    format_amount,
    format_number,
    format_period,
    format_plain,
    join,
    name_unit,
    say,
    word_finding,
)
from evidence.scorecards.group import Benchmark, Peers, Taken, Uptake, find_start, place_among
from evidence.scorecards.issues import Cluster
from evidence.scorecards.noun import Card
from evidence.study import Study, is_planned, label_of, nouns_of

_WORDS = (
    "confidential",
    "own",
    "institutions",
    "issues",
    "similar",
    "similar_note",
    "found",
    "how",
)
_SHARED = ("skip", "table_region")
_HOW = ("how_same", "how_rounded", "how_withheld", "how_place", "how_similar")
_PLACES = ("lowest", "lower", "higher", "highest")


def compose_card(card: Card, language: str) -> dict[str, Any]:
    """Compose the page of a card: plain texts.

    ``unit`` is the only place that names the factory.

    Raises
    ------
    StudyError, LanguageError
        Where a word is missing in the language.
    """
    study = card.group.cleared.study
    words = _nouns(study, language)
    simulated = any(entry["simulated"] for entry in card.group.cleared.neck.findings)
    place = name_case(study, language, card.group.case.id) if card.group.case.values else ""
    first, last = int(card.own["time"].min()), int(card.own["time"].max())
    return {
        "language": language,
        "kicker": say(language, "scorecard.kicker"),
        "title": say(language, "scorecard.title", **words),
        "unit": card.unit,
        "place": join(language, [place, format_period(language, first, last)], "comma"),
        "simulated": say(language, "scorecard.simulated", **words) if simulated else "",
        "measures": [
            _tell_amount(card, language, known)
            for known in card.group.benchmarks
            if not known.indicator
        ],
        "institutions": _tell_indicators(card, language),
        "issues": _tell_issues(card, language),
        "similar": _tell_similar(card, language),
        "found": _tell_found(card, language),
        "how": [say(language, f"scorecard.{name}", **words) for name in _HOW],
        "words": {name: say(language, f"brief.{name}") for name in _SHARED}
        | {name: say(language, f"scorecard.{name}", **words) for name in _WORDS},
    }


def _nouns(study: Study, language: str) -> dict[str, str]:
    noun, nouns = nouns_of(study, language)
    return {"noun": noun, "nouns": nouns}


def _label(study: Study, language: str, name: str) -> str:
    return label_of(study, language, name)


def _scale(study: Study, language: str, name: str) -> tuple[float, str]:
    """Say by what values are multiplied to be shown, and their unit then; none for logarithms."""
    unit = study.variable(name).unit
    if _is_log(name):
        return 1.0, ""
    if unit in {"share", "indicator"} or _is_chance(study, name):
        return 100.0, "percent"
    return 1.0, say(language, "scorecard.log_points") if unit == "log points" else unit


def _is_log(name: str) -> bool:
    """Tell whether a variable is a logarithm, which is shown as what it is one of."""
    return name.startswith("log_")


def _is_chance(study: Study, name: str) -> bool:
    """Tell whether an outcome is the daily chance that a spell ends."""
    spells = (s.outcome for s in study.specifications if s.estimator == "interval_censored")
    return name in spells


def _decimals(known: Benchmark, scale: float) -> int:
    step = known.step * scale
    return max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 1


def _withheld(language: str) -> str:
    return say(language, "cells.suppressed")


def _tell_amount(card: Card, language: str, known: Benchmark) -> dict[str, Any]:
    """Tell of a variable: a row a period with own value, marks of the group, place."""
    study = card.group.cleared.study
    scale, unit = _scale(study, language, known.name)
    words = _nouns(study, language)

    def show(value: float | None) -> str:
        if value is None:
            return _withheld(language)
        told = math.exp(value) if _is_log(known.name) else scale * value
        decimals = _decimals(known, told if _is_log(known.name) else scale)
        return format_number(language, told, decimals=decimals)

    body = []
    own = card.own.dropna(subset=[known.name])
    for period, value in zip(own["time"], own[known.name], strict=True):
        peers = known.periods[int(period)]
        place = place_among(float(value), peers.marks, known.step)
        told = _withheld(language)
        if place is not None:
            told = say(language, f"scorecard.place_{_PLACES[place]}")
        head = format_plain(language, int(period))
        body.append(
            [head, show(float(value)), *map(show, peers.marks), told, _count(peers.count, language)]
        )
    heads = ("period", "this", "mark_low", "mark_middle", "mark_high", "place", "count")
    return {
        "title": capitalise(_label(study, language, known.name)),
        "unit": name_unit(language, unit) if unit else "",
        "head": [say(language, f"scorecard.head_{name}", **words) for name in heads],
        "body": body,
        "empty": "" if body else say(language, "scorecard.no_value", **words),
    }


def _count(count: int | None, language: str) -> str:
    if count is None:
        return _withheld(language)
    return say(language, "scorecard.about", number=format_number(language, count, decimals=0))


def _tell_indicators(card: Card, language: str) -> dict[str, Any]:
    """Tell of institutions: a row a period, a column each."""
    study = card.group.cleared.study
    shown = [known for known in card.group.benchmarks if known.indicator]
    body = []
    for _, row in card.own.iterrows():
        cells = [_tell_indicator(row[known.name], known.periods.get(int(row["time"])), language)
                 for known in shown]  # fmt: skip
        body.append([format_plain(language, int(row["time"])), *cells])
    labels = [capitalise(_label(study, language, known.name)) for known in shown]
    period = say(language, "scorecard.head_period")
    return {"head": [period, *labels], "body": body if shown else []}


def _tell_indicator(own: float, peers: Peers | None, language: str) -> str:
    if math.isnan(own) or peers is None:
        return say(language, "cells.empty")
    said = say(language, "cells.yes" if own else "cells.no")
    share = _withheld(language)
    if peers.share is not None:
        share = format_amount(language, 100 * peers.share, "percent", decimals=0)
    return say(language, "scorecard.has", own=said, share=share)


def _tell_issues(card: Card, language: str) -> dict[str, Any]:
    """Tell of open issues by cluster, how long they are open, and how fast the group's go."""
    study, issues = card.group.cleared.study, card.group.issues
    words = _nouns(study, language)
    if issues is None:
        return {"note": say(language, "scorecard.no_issues", **words), "head": [], "body": []}
    own = issues.spells[issues.spells["entity"] == card.unit]
    body = []
    for cluster in issues.clusters:
        part = own[own["cluster"] == cluster.id]
        unfinished = part[part["open"]]
        gone = _withheld(language)
        if cluster.gone is not None:
            gone = format_amount(language, 100 * cluster.gone, "percent", decimals=0)
        since = longest = "\N{EN DASH}"
        if len(unfinished):
            since = format_plain(language, int(unfinished["first"].min()))
            longest = format_number(language, int(unfinished["periods"].max()), decimals=0)
        counts = [
            format_number(language, n, decimals=0)
            for n in (len(unfinished), int(part["closed"].sum()))
        ]
        body.append([_name_cluster(cluster, language), counts[0], since, longest, counts[1],
                     _remedy(part, language), gone])  # fmt: skip
    heads = ("cluster", "open", "since", "longest", "closed", "remedy", "gone")
    return {
        "note": say(language, "scorecard.issues_note", **words),
        "head": [say(language, f"scorecard.head_{name}", **words) for name in heads],
        "body": body,
    }


def _remedy(part: pd.DataFrame, language: str) -> str:
    """Say after how many assessments closed issues were gone: the median of this factory's."""
    closed = part.loc[part["closed"], "periods"]
    if closed.empty:
        return "\N{EN DASH}"
    median = float(closed.median())
    return format_number(language, median, decimals=0 if median.is_integer() else 1)


def _name_cluster(cluster: Cluster, language: str) -> str:
    """Name a cluster as the questionnaire does, or as the file where none names it."""
    if cluster.name and language not in cluster.name:
        raise LanguageError(
            f"data/questionnaires: cluster '{cluster.id}'",
            seen=f"no name.{language}",
            expected="a name in every language of the brief",
            do=f"Add name.{language} = … there; no other language stands in for it.",
        )
    return cluster.name.get(language, cluster.id.replace("_", " "))


def _tell_similar(card: Card, language: str) -> list[dict[str, Any]]:
    """Tell, outcome by outcome, what factories did that began like this one."""
    told = []
    for outcome in dict.fromkeys(uptake.outcome for uptake in card.group.uptakes):
        known = next(b for b in card.group.benchmarks if b.name == outcome)
        items = [_tell_uptake(card, language, uptake, known)
                 for uptake in card.group.uptakes if uptake.outcome == outcome]  # fmt: skip
        label = _label(card.group.cleared.study, language, outcome)
        told.append({"title": capitalise(label), "items": items})
    return told


def _tell_uptake(card: Card, language: str, uptake: Uptake, known: Benchmark) -> str:
    study = card.group.cleared.study
    words = {
        **_nouns(study, language),
        "outcome": _label(study, language, uptake.outcome),
        "exposure": _label(study, language, uptake.institution),
    }
    start = find_start(card.own, uptake.outcome, uptake.institution)
    if not uptake.groups:
        return say(language, "scorecard.similar_few", **words)
    if start is None:
        return say(language, "scorecard.similar_short", **words)
    group = sum(start[0] > edge for edge in uptake.edges)
    size = {1: "all", 2: "side", 4: "range"}[len(uptake.groups)]
    text = say(language, f"scorecard.similar_{size}",
               **words, **_numbers(study, language, uptake, known, uptake.groups[group]))  # fmt: skip
    own = say(
        language, "scorecard.similar_had" if start[1] else "scorecard.similar_had_not", **words
    )
    return join(language, [text, own], "sentence")


def _numbers(
    study: Study, language: str, uptake: Uptake, known: Benchmark, taken: Taken
) -> dict[str, str]:
    scale, unit = _scale(study, language, uptake.outcome)
    unit = {"percent": "percentage points", "": "percent"}.get(unit, unit)
    decimals = _decimals(known, 100.0 if _is_log(known.name) else scale)

    def change(value: float) -> str:
        told = 100.0 * math.expm1(value) if _is_log(known.name) else scale * value
        amount = format_amount(language, abs(told), unit, decimals=decimals)
        size = round(told, decimals)
        sign = "up" if size > 0 else "down" if size < 0 else "same"
        return say(language, f"scorecard.change_{sign}", amount=amount)

    return {
        "count": _count(taken.count, language),
        "share": format_amount(language, 100 * taken.share, "percent", decimals=0),
        "taken": change(taken.taken),
        "left": change(taken.left),
    }


def _tell_found(card: Card, language: str) -> list[dict[str, str]]:
    """Tell what the study found for the group, as the brief says it, with its grade."""
    cleared = card.group.cleared
    told = []
    for entry in cleared.neck.findings:
        if entry["kind"] != "finding" or entry["case"] != card.group.case.id:
            continue
        said = word_finding(language, "sentence", entry, words_of(cleared.study, language, entry))
        if not is_planned(cleared.study, entry["claim"]):
            said = say(language, "brief.unplanned", text=said)
        grade = say(language, f"grade.{entry['grade']['label']}")
        told.append({"text": said, "grade": say(language, "scorecard.grade", grade=grade)})
    return told
