"""What stays comparable: items asked throughout, findings under one law throughout."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from evidence.measures.coding import Coded, CodedFrame, cross, relabel
from evidence.packs import Law, LawVersion, Rule

Judged = tuple[npt.NDArray[np.float64], tuple[str, ...], tuple[str, ...], str]


def as_day(moment: Any) -> str:
    """Spell a day as in 2021-01-01; a year stands for the middle of it."""
    if isinstance(moment, pd.Timestamp | np.datetime64):
        return str(pd.Timestamp(moment).date())
    return f"{int(moment)}-07-01" if moment != "" else ""


def code_days(frame: CodedFrame) -> Coded:
    """Code the day of each answer; where it is missing, the middle of its year."""
    return relabel(lambda d, y: as_day(d) or as_day(y), *frame.columns("date", "year"))


def mark_common(frame: CodedFrame, time: str) -> Coded:
    """Mark items that a country answered in every version and mode.

    Where neither version nor mode is told: in every period.
    """
    answered = frame.data["finding"].notna().to_numpy()
    group = ["version", "mode"]
    if all(level == "" for name in group for level in frame.column(name).levels):
        group = [time]
    rows, combinations = cross(frame.columns("country", "item", *group))
    met = combinations
    if not answered.all():
        met = combinations[np.flatnonzero(np.bincount(rows[answered]))]
    asked: dict[int, set[tuple[int, ...]]] = {}
    seen: dict[tuple[int, int], set[tuple[int, ...]]] = {}
    for country, item, *when in met.tolist():
        asked.setdefault(country, set()).add(tuple(when))
        seen.setdefault((country, item), set()).add(tuple(when))
    common = [
        seen.get((country, item)) == asked.get(country, set())
        for country, item, *_ in combinations.tolist()
    ]
    return Coded(np.array(common, dtype=np.int32)[rows], (False, True))


def judge_again(frame: CodedFrame, laws: dict[str, Law]) -> Judged:
    """Judge the answers under one law throughout: that of the first day in the data.

    Returns
    -------
    fixed : ndarray
        Findings; missing where unanswered, or where the law changed and an answer was
        not recorded as a number.
    rejudged, unjudged : tuple of str
        Items judged again, and items that cannot be.
    day : str
        The first day in the data; empty where no law changed.
    """
    fixed = frame.data["finding"].to_numpy(dtype="float64", na_value=np.nan, copy=True)
    rules = _rules_by_question(laws)
    asked = set(frame.column("item").levels)
    if not any(question in asked for _, question in rules):
        return fixed, (), (), ""
    day = code_days(frame)
    first = min(_days(day, slice(None)) - {""}, default="")
    codes, combinations = cross(frame.columns("country", "item"))
    countries, items = (part.levels for part in frame.columns("country", "item"))
    done: dict[bool, set[str]] = {True: set(), False: set()}
    for number, (country, item) in enumerate(combinations.tolist()):
        deciding = rules.get((countries[country], items[item]), [])
        rows = np.flatnonzero(codes == number) if deciding else np.array([], dtype=np.intp)
        if not any(_changes(rule, first, _days(day, rows)) for rule in deciding):
            continue
        judged = _judge_item(frame.data, rows, deciding, first)
        fixed[rows] = np.where(np.isnan(fixed[rows]), np.nan, judged)
        done[bool(np.isnan(judged).all())].add(items[item])
    told = first if done[True] or done[False] else ""
    return fixed, tuple(sorted(done[False])), tuple(sorted(done[True])), told


def version_in_force(rule: Rule, day: str) -> LawVersion:
    """Find the version of a rule that was in force on a day; the first, before it."""
    begun = [version for version in rule.versions if version.in_force <= day]
    return begun[-1] if begun else rule.versions[0]


def _rules_by_question(laws: dict[str, Law]) -> dict[tuple[str, str], list[Rule]]:
    found: dict[tuple[str, str], list[Rule]] = {}
    for country, law in laws.items():
        for rule in law.rules:
            for question in rule.questions:
                found.setdefault((country, question), []).append(rule)
    return found


def _days(day: Coded, rows: npt.NDArray[np.intp] | slice) -> set[str]:
    return {day.levels[code] for code in np.flatnonzero(np.bincount(day.codes[rows])).tolist()}


def _changes(rule: Rule, first: str, days: set[str]) -> bool:
    """Tell whether what a rule asks differs between the first day and these days.

    Before a rule's first version its law is not known; where a day is not known, it
    may be any.
    """
    limits = [(version.at_least, version.at_most) for version in rule.versions]
    if "" in days:
        return len(set(limits)) > 1
    begun = [version.in_force for version in rule.versions]
    asked = {
        limits[stage - 1] if (stage := sum(start <= day for start in begun)) else None
        for day in days | {first}
    }
    return len(asked) > 1


def _judge_item(
    data: pd.DataFrame, rows: npt.NDArray[np.intp], rules: list[Rule], first: str
) -> npt.NDArray[np.float64]:
    """Judge the answers to an item: all of them, or, if one was not recorded, none."""
    none = np.full(len(rows), np.nan)
    if "answer" not in data or not first:
        return none
    answer = pd.to_numeric(data["answer"].iloc[rows], errors="coerce").to_numpy(dtype="float64")
    asked = data["finding"].iloc[rows].notna().to_numpy()
    if np.isnan(answer[asked]).any():
        return none
    broken = np.zeros(len(rows), dtype=bool)
    for rule in rules:
        version = version_in_force(rule, first)
        broken |= answer < (-np.inf if version.at_least is None else version.at_least)
        broken |= answer > (np.inf if version.at_most is None else version.at_most)
    return broken.astype("float64")
