"""The page before it has a format: every text of a change, in one language."""

from __future__ import annotations

import base64
from collections import Counter
from typing import Any

from evidence.changes.noun import Caution, Change, Counts, Move
from evidence.exhibits import draw, figure_change, name_case, name_cause, words_of
from evidence.language import (
    capitalise,
    format_amount,
    format_day,
    format_interval,
    format_number,
    format_plain,
    name_unit,
    say,
    shown_decimals,
)
from evidence.study import Study, nouns_of

_KINDS = ("flipped", "moved", "noise_unknown", "within_noise", "lost", "new", "other_question",
          "same")  # fmt: skip
_TURNED = frozenset({"firmed", "weakened"})
_ALARMS = frozenset({"scoring_changed", "cannot_compare_scoring", "values_revised",
                     "definition_changed", "not_reproduced"})  # fmt: skip


def compose_change(change: Change, study: Study, language: str) -> dict[str, Any]:
    """Compose the page of a change: plain texts and SVG data addresses."""
    ordered = sorted(change.moves, key=lambda move: _KINDS.index(move.kind))
    cautions = [(c.kind in _ALARMS, say_caution(change, study, language, c))
                for c in change.cautions]  # fmt: skip
    nouns = nouns_of(study, language)[1]
    words = ("internal", "simulated", "warnings", "notes", "summary", "findings", "parts",
             "head_finding", "head_before", "head_now", "head_change", "head_class",
             "head_part", "part", "reopen", "how", "how_noise", "how_parts", "how_counts",
             "table_region", "skip")  # fmt: skip
    return {
        "language": language,
        "kicker": say(language, "change.kicker"),
        "title": say(language, "change.title", title=study.heading.title),
        "runs": _say_runs(change, language),
        "simulated": change.simulated,
        "warnings": [text for alarm, text in cautions if alarm],
        "notes": [text for alarm, text in cautions if not alarm],
        "summary": say_summary(change, language),
        "rows": [_row(move, study, language) for move in ordered],
        "moves": [_detail(move, study, language) for move in ordered if move.components
                  and move.kind != "same"],
        "reopen": [say(language, "change.reopened", name=name.replace("_", " "), reason=reason)
                   for name, reason in change.reopen],
        "inputs": _say_inputs(change, language),
        "words": {key: say(language, f"change.{key}", nouns=nouns) for key in words},
    }  # fmt: skip


def tell_change(change: Change, study: Study, language: str) -> list[str]:
    """Tell a change in lines of text: summary, warnings, a line a finding."""
    lines = [_say_runs(change, language), say_summary(change, language)]
    for caution in change.cautions:
        sign = "!" if caution.kind in _ALARMS else "-"
        lines.append(f"{sign} {say_caution(change, study, language, caution)}")
    for move in sorted(change.moves, key=lambda move: _KINDS.index(move.kind)):
        row = _row(move, study, language)
        told = [row["class"], row["standing"], row["change"], row["part"]]
        lines.append(f"  {move.id}: " + " · ".join(filter(None, told)))
    return lines


def say_summary(change: Change, language: str) -> str:
    """Say how many findings are the same, moved, flipped and so on."""
    counts: Counter[str] = Counter(move.kind for move in change.moves)
    told = [
        say(language, f"change.count.{kind}", count=_whole(language, counts[kind]))
        for kind in _KINDS
        if counts[kind]
    ]
    return say(
        language, "change.counted", count=_whole(language, len(change.moves)), told="; ".join(told)
    )


def say_caution(change: Change, study: Study, language: str, caution: Caution) -> str:
    """Say a warning."""
    values = caution.values
    moves = {move.id: move for move in change.moves}
    move = moves[caution.findings[0]]
    words = _words(study, language, move)
    told = {
        **words,
        "count": _whole(language, len(caution.findings)),
        "reasons": _say_reasons(language, values.get("reasons", [])),
        "places": _say_places(change, study, language, caution),
        "periods": ", ".join(format_plain(language, period) for period in values.get("periods", [])),
        "threshold": format_plain(language, values.get("threshold", "")),
        "share": _hidden(language) if values.get("share") is None
        else format_number(language, 100 * values["share"], decimals=0),
        "rows": _count(language, values.get("rows")),
        "mean": _say_mean(language, values),
    }  # fmt: skip
    return " ".join(say(language, f"change.caution.{caution.kind}", **told).split())


def say_kind(move: Move, language: str) -> str:
    """Say in a few words what became of a finding."""
    return say(language, f"change.class.{move.kind}")


def say_standing(move: Move, language: str) -> str:
    """Say that a direction can be told now, or no longer; empty where that stays."""
    if move.standing not in _TURNED:
        return ""
    return say(language, f"change.standing.{move.standing}")


def name_finding(move: Move, study: Study, language: str) -> str:
    """Name a finding by exposure, outcome, design and place."""
    words = _words(study, language, move)
    design = say(language, f"design.{(move.new or move.old or {})['design']}", **words)
    kind = "change.finding_moderated" if words["moderator"] else "change.finding"
    parts = [say(language, kind, **words), design, _place(move, study, language)]
    return capitalise(", ".join(filter(None, parts)))


def say_largest(move: Move, study: Study, language: str) -> str:
    """Name the largest part of a move with its size; empty where nothing moved."""
    parts = [part for part in move.components if part.change]
    if not parts or move.kind == "same":
        return ""
    part = max(parts, key=lambda item: abs(item.change))
    amount = format_number(language, part.change, decimals=_decimals(move), signed=True)
    return f"{name_cause(study, language, part.cause, part.of)}: {amount}"


def _say_places(change: Change, study: Study, language: str, caution: Caution) -> str:
    """Name the places that a warning is about, where it is not about all."""
    about = [move for move in change.moves if move.id in caution.findings]
    names = dict.fromkeys(_place(move, study, language) for move in about)
    if len(names) == len(dict.fromkeys(_place(m, study, language) for m in change.moves)):
        return ""
    return say(language, "change.places", places="; ".join(names))


def _say_runs(change: Change, language: str) -> str:
    days = [format_day(language, run.finished[:10])
            for run in (change.old, change.new)]  # fmt: skip
    names = [f"{run.slug}@{run.id}" for run in (change.old, change.new)]
    return say(language, "change.runs", old=names[0], old_day=days[0], new=names[1],
               new_day=days[1])  # fmt: skip


def _say_inputs(change: Change, language: str) -> str:
    told = [say(language, f"change.input.{name}") for name in change.inputs_changed]
    if not told:
        return say(language, "change.no_input")
    return say(language, "change.inputs", inputs=", ".join(told))


def _say_reasons(language: str, reasons: list[str]) -> str:
    told = [say(language, f"change.reason.{name}") for name in reasons]
    return say(language, "change.reasons", reasons=", ".join(told)) if told else ""


def _say_mean(language: str, values: dict[str, Any]) -> str:
    if values.get("mean_change") is None:
        return _hidden(language)
    decimals = max(2, shown_decimals({"estimate": values["mean_change"]}))
    number = format_number(language, values["mean_change"], decimals=decimals, signed=True)
    return f"{number} {name_unit(language, values['unit'])}"


def _row(move: Move, study: Study, language: str) -> dict[str, str]:
    return {
        "finding": name_finding(move, study, language),
        "id": move.id,
        "unit": name_unit(language, move.unit),
        "before": _say_estimate(move, move.old, language, unit=False),
        "now": _say_estimate(move, move.new, language, unit=False),
        "change": _say_change(move, language),
        "class": say_kind(move, language),
        "kind": move.kind,
        "standing": say_standing(move, language),
        "part": say_largest(move, study, language),
    }


def _say_estimate(
    move: Move, entry: dict[str, Any] | None, language: str, *, unit: bool = True
) -> str:
    if entry is None or entry["estimate"] is None:
        return say(language, "change.none")
    decimals = shown_decimals(entry) if move.change is None else _decimals(move)
    told = format_number(language, entry["estimate"], decimals=decimals)
    if unit:
        told = format_amount(language, entry["estimate"], entry["unit"], decimals=decimals)
    if entry["conf_low"] is None:
        return told
    interval = format_interval(language, entry["conf_low"], entry["conf_high"], decimals=decimals)
    return f"{told} ({interval})"


def _say_change(move: Move, language: str) -> str:
    if move.change is None or move.kind == "same":
        return ""
    decimals = _decimals(move)
    told = format_number(language, move.change, decimals=decimals, signed=True)
    told = f"{told} {name_unit(language, _unit_of_change(move))}"
    if move.conf_low is None or move.conf_high is None or not move.std_error:
        return told
    interval = format_interval(language, move.conf_low, move.conf_high, decimals=decimals)
    return f"{told} ({interval})"


def _unit_of_change(move: Move) -> str:
    """Name the unit of a difference: two percentages differ by percentage points."""
    return "percentage points" if move.unit == "percent" else move.unit


def _decimals(move: Move) -> int:
    """Choose decimals that show a move: a digit more than its estimates and its noise have."""
    told = [shown_decimals(entry) for entry in (move.old, move.new) if entry is not None]
    if move.std_error:
        told.append(shown_decimals({"conf_low": -move.std_error, "conf_high": move.std_error}))
    return max(told) + 1


def _detail(move: Move, study: Study, language: str) -> dict[str, Any]:
    decimals = _decimals(move)
    exhibit = figure_change(
        [(part.cause, part.of, part.change) for part in move.components],
        unit=_unit_of_change(move),
        decimals=decimals,
    )
    rows = [
        {
            "part": capitalise(name_cause(study, language, row["cause"], row["of"].split())),
            "change": format_number(language, row["change"], decimals=decimals, signed=True),
        }
        for row in exhibit.rows
    ]
    alt = "; ".join(f"{row['part']}: {row['change']}" for row in rows)
    return {
        "id": move.id,
        "title": name_finding(move, study, language),
        "sentence": _say_move(move, language),
        "unit": capitalise(name_unit(language, _unit_of_change(move))),
        "rows": rows,
        "open": _say_open(move, study, language) if move.left_open else "",
        "counts": [] if move.counts is None else _say_counts(move, move.counts, study, language),
        "wide": _svg_address(draw(exhibit, study, language, "wide")),
        "narrow": _svg_address(draw(exhibit, study, language, "narrow")),
        "alt": alt,
    }


def _say_move(move: Move, language: str) -> str:
    entry = move.new or move.old or {}
    text = say(
        language,
        f"change.sentence.{move.kind}",
        before=_say_estimate(move, move.old, language),
        after=_say_estimate(move, move.new, language),
        change=_say_change(move, language),
        conf_level=format_number(language, 100 * entry["conf_level"], decimals=0),
    )
    if move.standing not in _TURNED:
        return text
    return f"{text} {say(language, f'change.told.{move.standing}')}"


def _say_open(move: Move, study: Study, language: str) -> str:
    return say(language, f"change.open.{move.left_open}", **_words(study, language, move))


def _say_counts(move: Move, counts: Counts, study: Study, language: str) -> list[str]:
    values = {name: _count(language, getattr(counts, name))
              for name in Counts.__dataclass_fields__
              if name not in {"mean_change", "masked"}}  # fmt: skip
    words = _words(study, language, move)
    words["nouns_capital"] = capitalise(words["nouns"])
    lines = [say(language, "change.counts.rows", **values, **words)]
    mean = _say_mean(language, {"mean_change": counts.mean_change, "unit": move.unit})
    kind = "no_values" if counts.values_changed == 0 else "values"
    lines.append(say(language, f"change.counts.{kind}", **values, **words, mean=mean))
    if counts.exposures_changed != 0:
        lines.append(say(language, "change.counts.exposures", **values, **words))
    return lines


def _words(study: Study, language: str, move: Move) -> dict[str, str]:
    """Collect labels; a lost finding may speak of what the study has no longer."""
    entry = move.new or move.old or {}
    declared = {variable.name for variable in study.variables}
    named = [entry[key] for key in ("outcome", "exposure", "moderator") if entry.get(key)]
    if declared.issuperset(named):
        return words_of(study, language, {"moderator": "", **entry})
    own = nouns_of(study, language)
    names = {
        key: str(entry.get(key, "")).replace("_", " ")
        for key in ("outcome", "exposure", "moderator")
    }
    return {**names, "noun": own[0], "nouns": own[1]}


def _place(move: Move, study: Study, language: str) -> str:
    case = (move.new or move.old or {})["case"]
    return "" if case == "all" else name_case(study, language, case)


def _count(language: str, value: int | None) -> str:
    return _hidden(language) if value is None else _whole(language, value)


def _whole(language: str, value: float) -> str:
    return format_number(language, value, decimals=0)


def _hidden(language: str) -> str:
    return say(language, "change.hidden")


def _svg_address(svg: bytes) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode("ascii")
