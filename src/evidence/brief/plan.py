"""What a brief says of the plan that was fixed beforehand, and of recommendations."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from evidence.language import (
    capitalise,
    format_amount,
    format_day,
    format_number,
    join,
    messages,
    say,
)
from evidence.packs import hash_packs
from evidence.run import NOT_THERE, PACKS, fingerprint_source
from evidence.study import (
    Advice,
    Condition,
    Deviation,
    Lock,
    Study,
    current_plan,
    label_of,
    list_deviations,
    must_reopen,
    read_advice,
    read_lock,
)

_COUNTED = ("estimate", "conf_low", "conf_high")
_ITEMS = ("specifications", "claims", "variables")


def tell_plan(study: Study, language: str) -> list[str]:
    """Tell when the plan was fixed and, place by place, what deviates from it."""
    lock = read_lock(study)
    if lock is None:
        return [say(language, "plan.none")]
    key = "plan.fixed_after" if lock.after_outcomes else "plan.fixed"
    lines = [say(language, key, date=format_day(language, lock.date))]
    deviations, sources = list_deviations(study), _tell_sources(study, lock, language)
    if not deviations:
        return [*lines, *(sources or [say(language, "plan.kept")])]
    told: list[str] = []
    for deviation in deviations:
        head = _tell_amendment(deviation, language)
        if head not in told:
            told.append(head)
        told.append(_tell_deviation(deviation, study, language))
    return [*lines, *(line for line in told if line), *sources]


def tell_advice(study: Study, entries: list[dict[str, Any]], language: str) -> list[dict[str, str]]:
    """Tell the recommendations that people wrote in this language.

    Returns
    -------
    list of dict
        ``claim, audience, text, reviewed, reopen, due``.
    """
    worded = [item for item in read_advice(study) if language in item.text]
    return [_tell_item(item, entries, language) for item in worded]


def list_due(study: Study, entries: list[dict[str, Any]], today: date) -> list[str]:
    """List the recommendations that must be reopened today, each with its condition."""
    due = []
    for advice in read_advice(study):
        own = [entry for entry in entries if entry["claim"] == advice.claim]
        reasons = [reason for entry in own if (reason := must_reopen(advice, entry, None, today))]
        due += [f"{advice.id}: {reason}" for reason in reasons[:1]]
    return due


def _tell_sources(study: Study, lock: Lock, language: str) -> list[str]:
    """Tell which planned sources, or packs, came or changed after the plan was fixed."""
    packs = lock.sources.get(PACKS, "")
    told = (
        [say(language, "plan.packs_changed")] if packs not in {"", hash_packs(study.root)} else []
    )
    for source, planned in lock.sources.items():
        now = fingerprint_source(study, source)
        if source in study.data.sources and now not in {planned, NOT_THERE}:
            key = "plan.source_came" if planned == NOT_THERE else "plan.source_changed"
            told.append(say(language, key, source=source))
    return told


def _tell_amendment(deviation: Deviation, language: str) -> str:
    if not deviation.date:
        return ""
    key = "plan.amended_after" if deviation.after_outcomes else "plan.amended"
    day = format_day(language, deviation.date)
    return say(language, key, date=day, reason=deviation.reason)


def _tell_deviation(deviation: Deviation, study: Study, language: str) -> str:
    section, *rest = deviation.place.split(".")
    if section in _ITEMS and len(rest) == 1:
        whole = deviation.locked or deviation.now
        subject = _subject(section, rest[0], whole, study, language)
        key = "plan.removed" if deviation.now is None else "plan.added"
        return say(language, key, subject=subject)
    key = rest[-1] if rest else section
    values = {
        "key": _name_key(key, language),
        "locked": _show(deviation.locked, study, language),
        "now": _show(deviation.now, study, language),
    }
    if section not in _ITEMS:
        return capitalise(say(language, "plan.changed_rule", **values))
    subject = _subject(section, rest[0], None, study, language)
    return capitalise(say(language, "plan.changed", subject=subject, **values))


def _subject(
    section: str, name: str, whole: Mapping[str, Any] | None, study: Study, language: str
) -> str:
    """Name what a deviation is about by its variables' labels."""
    if section == "variables":
        return _show(name, study, language)
    keys = whole or _keys(study, f"{section}.{name}")
    spec = keys if section == "specifications" else _spec_keys(study, keys)
    exposure = keys.get("exposure") or spec.get("exposure")
    return say(
        language,
        f"plan.of_{section}",
        outcome=_show(spec.get("outcome", name), study, language),
        exposure=_show(exposure, study, language),
    )


def _keys(study: Study, item: str) -> dict[str, Any]:
    """Collect an item's keys as they were planned."""
    lock = read_lock(study)
    plan = {} if lock is None else {**lock.plan, **current_plan(lock)}
    return {p.removeprefix(f"{item}."): v for p, v in plan.items() if p.startswith(f"{item}.")}


def _spec_keys(study: Study, claim: Mapping[str, Any]) -> dict[str, Any]:
    name = claim.get("specification", "")
    found = next((spec for spec in study.specifications if spec.id == name), None)
    if found is None:
        return _keys(study, f"specifications.{name}")
    return {"outcome": found.outcome, "exposure": list(found.exposures)}


def _name_key(key: str, language: str) -> str:
    known = f"plan.key.{key}" in messages(language)
    return say(language, f"plan.key.{key if known else 'other'}", key=_show_code(key, language))


def _show(value: Any, study: Study, language: str) -> str:
    """Show a value of the study file: variables by their labels, numbers in the language."""
    if isinstance(value, bool):
        return say(language, "plan.yes" if value else "plan.no")
    if not value and not isinstance(value, int | float):
        return say(language, "plan.nothing")
    if isinstance(value, Mapping):
        pairs = [f"{_show(k, study, language)}: {_show(v, study, language)}"
                 for k, v in value.items()]  # fmt: skip
        return join(language, pairs, "comma")
    if isinstance(value, list | tuple):
        return join(language, [_show(item, study, language) for item in value], "comma")
    return _show_item(value, study, language)


def _show_item(value: Any, study: Study, language: str) -> str:
    if isinstance(value, int | float):
        return _number(language, value)
    if value in {variable.name for variable in study.variables}:
        return label_of(study, language, value)
    return _show_code(str(value), language)


def _show_code(code: str, language: str) -> str:
    """Show a value that is no variable: a code of study files, as it is written in them.

    In English codes read as words.
    """
    return code.replace("_", " ") if language == "en" else code


def _tell_item(advice: Advice, entries: list[dict[str, Any]], language: str) -> dict[str, str]:
    own = [entry for entry in entries if entry["claim"] == advice.claim]
    conditions = [_tell_condition(item, own[0], language) for item in advice.reopen_when]
    due = any(must_reopen(advice, entry) for entry in own)
    return {
        "claim": advice.claim,
        "audience": advice.audience,
        "text": advice.text[language],
        "reviewed": say(language, "advice.reviewed", role=advice.reviewed_by),
        "reopen": say(
            language, "advice.reopen", conditions=join(language, conditions, "semicolon")
        ),
        "due": say(language, "advice.due") if due else "",
    }


def _tell_condition(condition: Condition, entry: Mapping[str, Any], language: str) -> str:
    ends = {"low": condition.low, "high": condition.high}
    values = {name: _amount(language, condition, end, entry["unit"])
              for name, end in ends.items() if end is not None}  # fmt: skip
    if condition.kind == "leaves":
        values["low"] = _number(language, condition.low or 0.0)
    if condition.label:
        values["label"] = say(language, f"grade.{condition.label}")
    if condition.day is not None:
        values["date"] = format_day(language, condition.day.isoformat())
    if condition.field:
        values["field"] = say(language, f"reopen.field.{condition.field}")
    return say(language, f"reopen.{condition.kind}", **values)


def _amount(language: str, condition: Condition, value: float, unit: str) -> str:
    if condition.field not in _COUNTED:
        return _number(language, value)
    return format_amount(language, value, unit, decimals=_decimals(value))


def _number(language: str, value: float) -> str:
    return format_number(language, value, decimals=_decimals(value))


def _decimals(value: float) -> int:
    """Count the decimals that a declared number is written with."""
    return len(f"{value:.6f}".rstrip("0").partition(".")[2])
