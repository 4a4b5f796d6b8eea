"""Recommendations of people, and the conditions under which they must be reopened.

``notebooks/studies/<slug>.advice.toml`` is written by people; the workbench words none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from evidence.errors import StudyError
from evidence.packs import Slug
from evidence.study.noun import Study
from evidence.study.sections import Audience, Names, Text
from evidence.toml import check_sections, nearest, read_toml, strict

GRADES = ("cannot tell", "very low", "low", "moderate", "high")
"""Labels of certainty, lowest first."""

_AMOUNTS = ("estimate", "conf_low", "conf_high")
_COUNTS = ("nobs", "n_entities", "n_periods", "n_clusters", "n_carrying")
_NUMBER = r"[-+]?\d+(?:\.\d+)?"
_FORMS = {
    "direction": re.compile("direction changes"),
    "grade": re.compile(rf"grade falls below (?P<label>{'|'.join(GRADES[1:])})"),
    "leaves": re.compile(
        rf"(?P<field>{'|'.join(_AMOUNTS)}) leaves (?P<low>{_NUMBER}) to (?P<high>{_NUMBER})"
    ),
    "below": re.compile(
        rf"(?P<field>{'|'.join(_AMOUNTS + _COUNTS)}) (?:falls )?below (?P<low>{_NUMBER})"
    ),
    "above": re.compile(
        rf"(?P<field>{'|'.join(_AMOUNTS + _COUNTS)}) (?:rises )?above (?P<high>{_NUMBER})"
    ),
    "date": re.compile(r"date (?P<day>\d{4}-\d{2}-\d{2})"),
}


@strict
class _Recommendation:
    id: Slug
    claim: Slug
    audience: Audience
    text: Annotated[dict[str, Text], Field(min_length=1)]
    reviewed_by: Text
    reopen_when: Names


@strict
class _AdviceFile:
    schema_version: Literal[1]
    recommendations: Annotated[tuple[_Recommendation, ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition on a claim, as declared (``text``) and parsed.

    ``kind`` is ``direction``, ``grade``, ``leaves``, ``below``, ``above`` or ``date``;
    ``field`` is the finding's field in its natural unit.
    """

    text: str
    kind: str
    field: str = ""
    low: float | None = None
    high: float | None = None
    label: str = ""
    day: date | None = None


@dataclass(frozen=True, slots=True)
class Advice:
    """One recommendation: for whom, on which claim, in whose review, until when."""

    id: str
    claim: str
    audience: str
    text: dict[str, str]
    reviewed_by: str
    reopen_when: tuple[Condition, ...]


def advice_path(study: Study) -> Path:
    """Say where a study's recommendations lie."""
    return study.path.with_name(f"{study.path.stem}.advice.toml")


def read_advice(study: Study) -> tuple[Advice, ...]:
    """Read a study's recommendations; none where there is no file.

    Raises
    ------
    StudyError
        Naming the key: an unknown one, a claim that the study lacks, a condition that
        is none of the known forms.
    """
    path = advice_path(study)
    if not path.is_file():
        return ()
    raw = read_toml(path, StudyError)
    file = check_sections(_AdviceFile, raw, StudyError, where=path.name)
    return tuple(
        _check(study, entry, f"{path.name}: recommendations[{number}]", file.recommendations)
        for number, entry in enumerate(file.recommendations, 1)
    )


def must_reopen(
    advice: Advice,
    entry: Mapping[str, Any] | None,
    previous: Mapping[str, Any] | None = None,
    today: date | None = None,
) -> str:
    """Tell why a recommendation must be reopened; empty where it stands.

    Parameters
    ----------
    entry, previous : mapping, optional
        The claim's entry of ``findings.json`` now and in the earlier run; ``None`` where
        the run has none. Fields that an entry does not have (a comparison has no grade)
        are not judged; a field that is empty now counts as a reason.
    today : date, optional
        Without it dates are not judged.

    Returns
    -------
    str
        The condition as declared, and what was seen; ``lost`` where the finding is gone.
    """
    if entry is None:
        return "" if previous is None else "lost"
    for condition in advice.reopen_when:
        seen = _seen(condition, entry, previous, today)
        if seen:
            return f"{condition.text} ({seen})"
    return ""


def _seen(
    condition: Condition,
    entry: Mapping[str, Any],
    previous: Mapping[str, Any] | None,
    today: date | None,
) -> str:
    """Tell what meets a condition; empty where nothing does."""
    if condition.kind == "date":
        return today.isoformat() if today and condition.day and today >= condition.day else ""
    if condition.kind == "direction":
        before = previous["direction"] if previous else entry["direction"]
        return f"{before} → {entry['direction']}" if before != entry["direction"] else ""
    if condition.kind == "grade":
        label = entry["grade"]["label"] if "grade" in entry else GRADES[-1]
        return label if GRADES.index(label) < GRADES.index(condition.label) else ""
    if condition.field not in entry:
        return ""
    value = entry[condition.field]
    return str(entry["direction"]) if value is None else _outside(condition, value)


def _outside(condition: Condition, value: float) -> str:
    low = condition.low is not None and value < condition.low
    high = condition.high is not None and value > condition.high
    return f"{value:g}" if low or high else ""


def _check(
    study: Study, entry: _Recommendation, where: str, others: tuple[_Recommendation, ...]
) -> Advice:
    claims = [claim.id for claim in study.claims]
    if entry.claim not in claims:
        raise StudyError(
            f"{where}.claim",
            seen=f"'{entry.claim}'",
            expected=f"a claim of the study: {', '.join(claims)}",
            do=f"Name the claim that the recommendation rests on{nearest(entry.claim, claims)}.",
        )
    if sum(other.id == entry.id for other in others) > 1:
        raise StudyError(
            f"{where}.id",
            seen=f"'{entry.id}' more than once",
            expected="each name once",
            do="Rename one of them.",
        )
    conditions = entry.reopen_when
    texts = (conditions,) if isinstance(conditions, str) else conditions
    if not texts:
        raise _no_form(where, "nothing")
    return Advice(
        entry.id,
        entry.claim,
        entry.audience,
        entry.text,
        entry.reviewed_by,
        tuple(parse_condition(text, where) for text in texts),
    )


def parse_condition(text: str, where: str) -> Condition:
    """Parse one condition of ``reopen_when``.

    Raises
    ------
    StudyError
        Where it has none of the known forms, or its ends are the wrong way round.
    """
    plain = " ".join(text.split())
    for kind, form in _FORMS.items():
        match = form.fullmatch(plain)
        if match is None:
            continue
        found = match.groupdict()
        low, high = (float(found[end]) if found.get(end) else None for end in ("low", "high"))
        if low is not None and high is not None and low >= high:
            break
        return Condition(
            plain,
            kind,
            found.get("field", ""),
            low,
            high,
            found.get("label", ""),
            _parse_day(found.get("day", ""), where),
        )
    raise _no_form(where, f"'{text}'")


def _parse_day(text: str, where: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise _no_form(where, f"'{text}', which is no day of the calendar") from error


def _no_form(where: str, seen: str) -> StudyError:
    return StudyError(
        f"{where}.reopen_when",
        seen=seen,
        expected="'direction changes', 'grade falls below low', 'estimate leaves 1 to 5', "
        "'conf_low below 0', 'n_entities falls below 30', 'nobs above 100' or 'date 2028-01-01'",
        do=f"Write one of these, or a list of them. Fields: {', '.join(_AMOUNTS + _COUNTS)}; "
        f"grades: {', '.join(GRADES[1:])}.",
    )
