"""Raw answers become answers to questions that stay the same thing.

Codes, clusters and points are mapped through the questionnaire's crosswalk; each answer
gets the version and mode in which it was asked, and a finding against a fixed yardstick
beside the one against the law of the day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from evidence.errors import MeasureError
from evidence.measures.coding import Coded, CodedFrame, Marks, cross, is_unique, mark, relabel
from evidence.measures.yardstick import code_days, judge_again, mark_common
from evidence.packs import Law, Question, Questionnaire

PUBLIC_TAG = "Public Disclosure"
"""Tag of publicly reported issues in Better Work's export (Better Work R manual)."""

NOT_A_FINDING = "FGW"
"""Question type whose rows are no findings (Better Work R manual)."""

Step = tuple[str, int, str]


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers through the crosswalk.

    ``data`` has a row an answer: the key columns, ``item`` (the question that stays),
    ``point``, ``cluster``, ``critical`` (flag), ``version``, ``mode``, ``finding`` (law
    of the day; missing: unanswered), ``finding_fixed`` (yardstick; missing also where
    the recorded answer cannot be judged again), ``common`` (flag: the item was asked
    in every version and mode). ``unknown`` lists codes that the crosswalk does not
    know, ``contradicted`` those that a file puts under another point than the crosswalk,
    ``rejudged`` the items judged again and ``unjudged`` those that cannot be;
    ``yardstick`` is the day whose law is the fixed one, empty where no law changed.
    ``steps`` counts rows on the way.
    """

    data: pd.DataFrame
    unknown: tuple[str, ...]
    contradicted: tuple[str, ...]
    rejudged: tuple[str, ...]
    unjudged: tuple[str, ...]
    yardstick: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class _Doubts:
    """Codes met on the way that the crosswalk does not know, or knows otherwise."""

    unknown: set[str]
    contradicted: set[str]


def map_answers(
    answers: pd.DataFrame,
    questionnaire: Questionnaire | None,
    laws: dict[str, Law],
    keys: list[str],
) -> Answers:
    """Map raw answers through the crosswalk.

    Parameters
    ----------
    answers : DataFrame
        A row a question: the keys, ``question``, ``finding`` (0/1) and, where the
        source has them, ``kind, country, date, year, version, mode, answer, point,
        cluster, tags, assessment``.
    questionnaire : Questionnaire or None
        None takes every code as an item of its own.
    laws : dict
        Country → its law.
    keys : list of str
        Entity and time column.

    Returns
    -------
    Answers
        A code that the crosswalk does not know stays an item of its own, named
        ``<point>.<code>`` where the pack knows its point: the same code may be
        something else in another country.

    Raises
    ------
    MeasureError
        Where a key is absent or missing, a finding is neither 0 nor 1, a day is text,
        the latest of several assessments cannot be told, or two answers of one unit
        and period are to the same item.
    """
    return map_tables([(answers, questionnaire)], laws, keys)


def map_tables(
    tables: list[tuple[pd.DataFrame, Questionnaire | None]], laws: dict[str, Law], keys: list[str]
) -> Answers:
    """Map several tables of answers, each through its own crosswalk, as one.

    Items are common, and the yardstick is fixed, through all of them.

    Raises
    ------
    MeasureError
        As ``map_answers``.
    """
    steps = [("answers", sum(len(table) for table, _ in tables), "rows of answers")]
    doubts = _Doubts(set(), set())
    parts = [_map_table(table, pack, keys, doubts) for table, pack in tables]
    frame = parts[0]
    if len(parts) > 1:
        frame = CodedFrame(pd.concat([part.data for part in parts], ignore_index=True))
    if any("kind" in table for table, _ in tables):
        left = steps[0][1] - len(frame.data)
        mark = f"{NOT_A_FINDING}, Better Work's mark of what is no finding"
        reason = f"{left} rows left out that the file marks {mark}"
        steps.append(("findings", len(frame.data), reason))
    if "assessment" in frame.data:
        frame = _keep_latest(frame, keys)
        reason = "earlier assessments of the same unit and period left out"
        steps.append(("latest assessment", len(frame.data), reason))
    _check_once(frame, keys)
    frame.put("common", mark_common(frame, keys[1]), "bool")
    fixed, rejudged, unjudged, day = judge_again(frame, laws)
    data = frame.data.assign(finding_fixed=pd.Series(fixed, frame.data.index, copy=False))
    return Answers(
        data,
        unknown=tuple(sorted(doubts.unknown)),
        contradicted=tuple(sorted(doubts.contradicted)),
        rejudged=rejudged,
        unjudged=unjudged,
        yardstick=day,
        steps=tuple(steps),
    )


def is_finding(kind: object) -> bool:
    """Tell whether rows of a question type are findings."""
    return str(kind).strip().upper() != NOT_A_FINDING


def check_findings(finding: pd.Series, where: str) -> None:
    """Check that findings are 0, 1 or missing.

    Raises
    ------
    MeasureError
        Where another value is among them.
    """
    whole = isinstance(finding.dtype, np.dtype) and finding.dtype.kind in "iu"
    flags = finding.min() >= 0 and finding.max() <= 1 if whole else False
    if not (flags or pd.api.types.is_bool_dtype(finding)):
        wrong = finding[(finding.notna() & (finding != 0) & (finding != 1)).to_numpy(dtype=bool)]
        if not wrong.empty:
            raise MeasureError(
                where,
                seen=f"finding '{wrong.iloc[0]}'",
                expected="1 for a finding, 0 for none, or no answer",
                do="Recode the column in the raw file: every rate is made of zeros and ones.",
            )


def check_keys(data: pd.DataFrame, keys: list[str], where: str) -> None:
    """Check that a table has the study's keys in every row.

    Raises
    ------
    MeasureError
        Where a key is absent or missing.
    """
    absent = [key for key in keys if key not in data]
    if absent:
        raise MeasureError(
            where,
            seen=f"columns {', '.join(map(str, data.columns))}",
            expected=f"also {', '.join(absent)}, of the study's keys {', '.join(keys)}",
            do="Name the columns so in the source record.",
        )
    if any(data[key].hasnans for key in keys):
        missing = int(data[keys].isna().any(axis=1).sum())
        raise MeasureError(
            where,
            seen=f"{missing} rows without {' or '.join(keys)}",
            expected="both in every row",
            do="Complete the keys in the raw file.",
        )


def _map_table(
    answers: pd.DataFrame, pack: Questionnaire | None, keys: list[str], doubts: _Doubts
) -> CodedFrame:
    data = answers.copy(deep=False)
    if "date" in data and not pd.api.types.is_datetime64_any_dtype(data["date"]):
        raise MeasureError(
            "answers",
            seen="text in the column 'date'",
            expected="days",
            do="Give the column the type 'date' and its format in the source record.",
        )
    if "date" in data and "year" not in data:
        data["year"] = data["date"].dt.year
    check_keys(data, keys, "answers")
    check_findings(data["finding"], "answers")
    frame = CodedFrame(data.reset_index(drop=True))
    if "kind" in data:
        counts = mark(frame.column("kind"), is_finding)
        if not counts.all():
            frame = frame.keep(counts)
    rows, few = frame.distinct(*_ASKED)
    rows = rows.astype(np.intp)
    _map_questions(few, pack, doubts)
    for name in _MAPPED:
        column = few.column(name)
        told = "bool" if name == "critical" else "str"
        frame.put(name, Coded(column.codes[rows], column.levels), told)
    return frame


_ASKED = (
    "question", "point", "cluster", "tags", "country", "version", "mode", "date", "year",
)  # fmt: skip
_MAPPED = ("question", "version", "mode", "item", "point", "cluster", "critical")


def _map_questions(few: CodedFrame, pack: Questionnaire | None, doubts: _Doubts) -> None:
    """Map each distinct way in which a question was asked."""
    few.put("question", relabel(_spell_code, few.column("question")))
    _put_versions(few, pack)
    known = {q.id: q for q in pack.questions} if pack else {}
    point = _spelled_points(few, pack)
    few.put("item", _items(few, pack, point, doubts))
    _find_contradictions(few, point, known, pack, doubts)
    few.put(
        "point",
        relabel(lambda i, p: known[i].point if i in known else p, few.column("item"), point),
    )
    few.put("cluster", _clusters(few, pack))
    few.put("critical", _critical(few, known), "bool")


def _find_contradictions(
    few: CodedFrame,
    point: Coded,
    known: dict[str, Question],
    pack: Questionnaire | None,
    doubts: _Doubts,
) -> None:
    """Find questions that a file puts under another of the pack's points."""
    points = {p.id for p in pack.points} if pack else set()

    def differ(code: str, item: str, told: str) -> bool:
        if item in known and told in points and known[item].point != told:
            doubts.contradicted.add(code)
        return True

    relabel(differ, few.column("question"), few.column("item"), point)


def _spell_code(code: Any) -> str:
    """Spell a code that a file holds as a number: 12.0 is 12."""
    whole = isinstance(code, int | float) and float(code).is_integer()
    return str(int(code)) if whole else str(code)


def _keep_latest(frame: CodedFrame, keys: list[str]) -> CodedFrame:
    """Keep the latest assessment of each unit and period: the largest identifier."""
    rows, few = frame.distinct(*keys, "assessment")
    units, pairs = cross(few.columns(*keys))
    number, told = number_assessments(few.column("assessment"))
    latest = np.full(len(pairs), -np.inf)
    np.maximum.at(latest, units, np.where(told, number, -np.inf))
    doubtful = (np.bincount(units)[units] > 1) & ~told
    if doubtful.any():
        raise MeasureError(
            "answers: assessment",
            seen=f"several assessments of one {keys[0]} in one {keys[1]}, and "
            f"{int(doubtful[rows].sum())} answers whose identifier is missing or no number",
            expected="numbers, of which the largest is the latest assessment",
            do="Number the assessments in the order of their days.",
        )
    kept = ~(told & (number < latest[units]))
    return frame if kept.all() else frame.keep(kept[rows])


def number_assessments(assessment: Coded) -> tuple[npt.NDArray[np.float64], Marks]:
    """Read identifiers of assessments as numbers, and say which are numbers."""
    levels = pd.to_numeric(pd.Series(list(assessment.levels), dtype=object), errors="coerce")
    numbers = levels.to_numpy(dtype="float64")[assessment.codes]
    return numbers, ~np.isnan(numbers)


def _put_versions(frame: CodedFrame, pack: Questionnaire | None) -> None:
    modes = {v.id: v.mode for v in pack.versions} if pack else {}

    def find(told: Any, country: str, day: str) -> str:
        return str(told) if told != "" else _version_of(pack, country, day)

    version, country = frame.columns("version", "country")
    frame.put("version", relabel(find, version, country, code_days(frame)))
    mode = frame.column("mode")
    frame.put(
        "mode", relabel(lambda m, v: str(m) or modes.get(v, ""), mode, frame.column("version"))
    )


def _version_of(pack: Questionnaire | None, country: str, day: str) -> str:
    begun = [
        version
        for version in (pack.versions if pack and day else ())
        if version.first_day
        and version.first_day <= day
        and (not version.countries or country in version.countries)
    ]
    return max(begun, key=lambda v: (v.first_day, bool(v.countries))).id if begun else ""


def _items(frame: CodedFrame, pack: Questionnaire | None, point: Coded, doubts: _Doubts) -> Coded:
    codes = _codes(pack) if pack else {}
    points = {p.id for p in pack.points} if pack else set()
    listed = bool(pack and pack.questions)

    def find(code: str, country: str, version: str, mode: str, point: str) -> str:
        for item, fits in codes.get(code, []):
            if fits(country, version, mode):
                return item
        if listed:
            doubts.unknown.add(code)
        apart = point in points and not code.startswith(f"{point}.")
        return f"{point}.{code}" if apart else code

    return relabel(find, *frame.columns("question", "country", "version", "mode"), point)


def _codes(
    pack: Questionnaire,
) -> dict[str, list[tuple[str, Callable[[str, str, str], bool]]]]:
    """List, for each code, the items that it may stand for, the most specific first."""
    found: dict[str, list[tuple[int, str, Callable[[str, str, str], bool]]]] = {}
    for question in pack.questions:
        for asked in question.asked or (None,):
            if asked is None:
                found.setdefault(question.id, []).append((0, question.id, _fits(((), (), ()))))
                continue
            limits = (asked.countries, asked.versions, asked.modes)
            entry = (-sum(map(bool, limits)), question.id, _fits(limits))
            found.setdefault(asked.code or question.id, []).append(entry)
    return {
        code: [(item, fits) for _, item, fits in sorted(entries, key=lambda e: e[:2])]
        for code, entries in found.items()
    }


def _fits(limits: Iterable[tuple[str, ...]]) -> Callable[[str, str, str], bool]:
    fixed = tuple(limits)
    return lambda *values: all(
        not allowed or value in allowed for allowed, value in zip(fixed, values, strict=True)
    )


def _check_once(frame: CodedFrame, keys: list[str]) -> None:
    parts = frame.columns(*keys, "item")
    if is_unique(parts):
        return
    codes, _ = cross(parts)
    place = int(pd.Series(codes).duplicated().to_numpy().argmax())
    row = frame.data.iloc[place]
    raise MeasureError(
        "answers",
        seen=f"question '{row['question']}' (item '{row['item']}') answered more than once for "
        f"one {keys[0]} at {keys[1]} {row[keys[1]]}",
        expected="each item once an assessment",
        do="Remove the repetition, or tell the two questions apart in the crosswalk; where a "
        "unit is assessed several times in a period, give the source a column 'assessment'.",
    )


def _spelled_points(frame: CodedFrame, pack: Questionnaire | None) -> Coded:
    spelled = _spellings(pack.points if pack else ())
    return relabel(lambda text: spelled.get(_fold(text), text), frame.column("point"))


def _clusters(frame: CodedFrame, pack: Questionnaire | None) -> Coded:
    owner = {p.id: p.cluster for p in pack.points} if pack else {}
    spelled = _spellings(pack.clusters if pack else ())

    def find(point: str, cluster: str) -> str:
        return owner.get(point) or spelled.get(_fold(cluster), cluster)

    return relabel(find, *frame.columns("point", "cluster"))


def _spellings(parts: Iterable[Any]) -> dict[str, str]:
    return {
        _fold(text): part.id
        for part in parts
        for text in (part.id, *part.spelled, *part.name.values())
    }


def _fold(text: str) -> str:
    return " ".join(text.casefold().replace("_", " ").replace("&", " and ").split())


def _critical(frame: CodedFrame, known: dict[str, Question]) -> Coded:
    tag = PUBLIC_TAG.casefold()

    def is_critical(item: str, country: str, tags: str) -> bool:
        listed = known[item].critical if item in known else ()
        return country in listed or tag in tags.casefold()

    return relabel(is_critical, *frame.columns("item", "country", "tags"))
