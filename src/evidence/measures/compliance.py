"""Compliance by its three published definitions, always named.

1. The share of factories non-compliant on a point: a factory is non-compliant on a point
   when any of its questions is (Better Work R manual, §1.6).
2. The share of a factory's questions that are non-compliant.
3. The share of factories that meet all critical, publicly reported issues.

A finding is also told by its history: ``noncompliance_new`` (never found before),
``noncompliance_repeated`` (found at the last assessment as well), ``noncompliance_returning``
(found earlier, clean at the last). The three shares of questions sum to ``noncompliance``.

Each against the law of the day or a fixed yardstick (``_fixed``), on all items or on
those asked in every version and mode (``_common``). Only questions with an answer count:
an issue that was not asked, or that does not apply, is not broken.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from evidence.errors import MeasureError
from evidence.measures.coding import Numbers, cross, encode, mark, spell
from evidence.measures.crosswalk import (
    check_findings,
    check_keys,
    is_finding,
    number_assessments,
)

_SHARE = "noncompliance"
_POINTS = "points_noncompliant"
_CRITICAL = "critical_met"
_ON_POINT = "noncompliant_on_"
_IN_CLUSTER = "noncompliance_in_"

_HISTORIES = ("new", "repeated", "returning")

_NAME = re.compile(
    rf"^(?P<base>{_SHARE}|{_SHARE}_(?:{'|'.join(_HISTORIES)})|{_POINTS}|{_CRITICAL}|{_ON_POINT}\w+?|{_IN_CLUSTER}\w+?)"
    r"(?P<fixed>_fixed)?(?P<common>_common)?$"
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A compliance outcome, told by its name."""

    name: str
    base: str
    fixed: bool
    common: bool

    @property
    def definition(self) -> dict[str, str]:
        """What is counted, of which part of the tool, against which law, on which items."""
        counted, part = _COUNTED.get(self.base, ""), ""
        for prefix, code in ((_ON_POINT, "on_point"), (_IN_CLUSTER, "in_cluster")):
            if self.base.startswith(prefix):
                counted, part = code, self.base.removeprefix(prefix)
        counted = self.history or counted
        law = "fixed" if self.fixed else "day"
        items = "common" if self.common else "all"
        return {"counted": counted, "part": part, "law": law, "items": items, "day": ""}

    @property
    def history(self) -> str:
        """Which findings count by what was found before, or none in particular."""
        last = self.base.removeprefix(f"{_SHARE}_")
        return last if last in _HISTORIES else ""

    @property
    def counts_all(self) -> bool:
        """Whether it is the share of all questions with an answer."""
        return self.base == _SHARE and not self.fixed and not self.common


_COUNTED = {_SHARE: "questions", _POINTS: "points", _CRITICAL: "critical"}


def name_outcome(name: str) -> Outcome | None:
    """Read a compliance outcome from a variable's name; None for any other name."""
    match = _NAME.match(name)
    if match is None:
        return None
    return Outcome(name, match["base"], bool(match["fixed"]), bool(match["common"]))


def score_compliance(
    answers: pd.DataFrame,
    keys: list[str],
    *,
    leave_out: list[str],
    outcomes: tuple[str, ...] = (_SHARE,),
) -> pd.DataFrame:
    """Score compliance outcomes of each unit and period.

    Rows of kind ``FGW`` are no findings and do not count, nor do questions without an
    answer, nor the items left out.

    Parameters
    ----------
    answers : DataFrame
        A row a question: the key columns, ``question`` (or ``item``), ``finding`` (0/1)
        and what an outcome needs: ``point``, ``cluster``, ``critical``,
        ``finding_fixed``, ``common``; see ``map_answers``.
    keys : list of str
        Entity and time column.
    leave_out : list of str
        Items that describe an exposure.
    outcomes : tuple of str
        Names of outcomes: ``noncompliance``, ``points_noncompliant``, ``critical_met``,
        ``noncompliant_on_<point>``, ``noncompliance_in_<cluster>``,
        ``noncompliance_<history>``, each also with ``_fixed``, ``_common`` or ``_fixed_common`` behind it.

    Returns
    -------
    DataFrame
        Key columns, a column an outcome (shares 0 to 1, flags 0 or 1), and
        ``questions``: the count behind ``noncompliance``. A unit and period in which
        no question counts has no row; an outcome for which none does is missing.

    Raises
    ------
    MeasureError
        Where nothing is left to score, a key is missing, a finding is neither 0 nor 1,
        a name is no outcome, an outcome needs a column that is not there, or a point,
        cluster or critical issue that it names is not among the questions that count.
    """
    named = [_named(name) for name in outcomes]
    counted = _count(answers, keys, leave_out, [c for o in named for c in _needs(o)])
    parts = [encode(counted[key]) for key in keys]
    units, pairs = cross(parts)
    units = units.astype(np.intp)
    data = {
        key: pd.Series(pd.Series(list(part.levels)).array.take(pairs[:, n]))
        for n, (key, part) in enumerate(zip(keys, parts, strict=True))
    }
    scored = pd.DataFrame(data).astype(spell(counted[keys].iloc[:0]).dtypes.to_dict())
    for outcome in named:
        rows = counted
        if outcome.history:
            judged = "finding_fixed" if outcome.fixed else "finding"
            rows = counted.assign(**{judged: _keep_history(counted, keys, judged, outcome.history)})
        scored[outcome.name] = _score(rows, units, len(pairs), outcome)
    asked = counted["finding"].notna().to_numpy()
    scored["questions"] = np.bincount(units[asked], minlength=len(pairs))
    return scored[scored["questions"] > 0].sort_values(keys, kind="stable").reset_index(drop=True)


def trace_findings(answers: pd.DataFrame, keys: list[str], judged: str = "finding") -> pd.Series:
    """Trace what was found before on each question of a unit.

    Parameters
    ----------
    answers : DataFrame
        A row a question: the key columns, ``item`` (or ``question``) and ``judged`` (0/1).
    keys : list of str
        Entity and time column.

    Returns
    -------
    Series
        Aligned with ``answers``: ``new`` (not found at any earlier assessment), ``repeated``
        (found at the last one at which it was asked), ``returning`` (found earlier, clean at
        the last one), of a clean question what a finding would be; empty at a unit's first
        assessment and where there is no answer.
    """
    item = "item" if "item" in answers else "question"
    rows = spell(answers[[*keys, item, judged]].reset_index(drop=True))
    known = rows[rows[judged].notna()].sort_values([*keys, item], kind="stable")
    found = known[judged].astype("float64").groupby([known[keys[0]], known[item]])
    before = found.shift().fillna(0.0)
    ever = found.cummax().groupby([known[keys[0]], known[item]]).shift().fillna(0.0)
    told = np.select([before == 1, ever == 1], ["repeated", "returning"], default="new")
    first = known[keys[1]] == known.groupby(keys[0])[keys[1]].transform("min")
    history = pd.Series("", index=rows.index, dtype="str")
    history.loc[known.index] = np.where(first, "", told)
    return history.set_axis(answers.index)


def _keep_history(counted: pd.DataFrame, keys: list[str], judged: str, kind: str) -> pd.Series:
    """Keep findings of one history: others count as clean, a first assessment not at all."""
    history = trace_findings(counted, keys, judged)
    finding = counted[judged].astype("float64")
    kept: pd.Series = (finding * (history == kind)).where(history != "")
    return kept


def rate_compliance(
    answers: pd.DataFrame, keys: list[str], *, fixed: bool = False, common: bool = False
) -> pd.DataFrame:
    """Rate compliance as public reports do, at each unit's latest assessment.

    The latest assessment is the one with the largest ``assessment`` (Better Work R
    manual: the largest Quest.ID); without that column it is the latest period.

    Parameters
    ----------
    answers : DataFrame
        As for ``score_compliance``, with ``point``, ``cluster`` and ``critical``.
    keys : list of str
        Entity and time column.
    fixed, common : bool
        Rate against the fixed yardstick; on common items only.

    Returns
    -------
    DataFrame
        Columns ``definition, cluster, point, units, noncompliant, rate``: a row a point
        (definition 1), one for all questions (2: mean share) and one for the critical
        issues (3: share that meets all of them), which counts those that do not.
        ``units`` are those with an answer.

    Raises
    ------
    MeasureError
        Where nothing is left to rate, or as ``score_compliance``.
    """
    judged = "finding_fixed" if fixed else "finding"
    needed = ["point", "cluster", "critical", judged, *(["common"] if common else [])]
    latest = _latest(_count(answers, keys, [], needed), keys)
    rows = latest[judged].notna()
    if common:
        rows &= latest["common"].astype(bool)
    if not rows.any():
        raise _nothing("rate_compliance")
    entity = keys[0]
    latest = latest[rows].assign(finding=latest.loc[rows, judged].astype("float64"))
    found = latest.groupby(["cluster", "point", entity], dropna=False)["finding"].max()
    points = found.groupby(["cluster", "point"], dropna=False).agg(["size", "sum"]).reset_index()
    points.columns = pd.Index(["cluster", "point", "units", "noncompliant"])
    points["rate"] = points["noncompliant"] / points["units"]
    points.insert(0, "definition", "units non-compliant on the point")
    share = latest.groupby(entity)["finding"].mean()
    whole = {"definition": "mean share of questions", "cluster": "", "point": ""}
    more = [{**whole, "units": len(share), "noncompliant": np.nan, "rate": float(share.mean())}]
    critical = latest[latest["critical"].to_numpy(dtype=bool)]
    if not critical.empty:
        broken = critical.groupby(entity)["finding"].max()
        whole = {"definition": "units that meet all critical issues", "cluster": "", "point": ""}
        met = float((broken == 0).mean())
        more.append({**whole, "units": len(broken), "noncompliant": broken.sum(), "rate": met})
    return pd.concat([points, pd.DataFrame(more)], ignore_index=True)


def list_items(answers: pd.DataFrame, outcome: Outcome) -> set[str]:
    """List the items that an outcome counts.

    Raises
    ------
    MeasureError
        Where it counts none.
    """
    chosen = _selected(answers, outcome)
    if outcome.common:
        chosen &= answers["common"].to_numpy(dtype=bool)
    return set(answers["item"][chosen].unique())


def _count(
    answers: pd.DataFrame, keys: list[str], leave_out: list[str], needed: list[str]
) -> pd.DataFrame:
    """Keep the rows that count, and the columns that are needed."""
    item = "item" if "item" in answers else "question"
    wanted = [*keys, item, "finding", *dict.fromkeys(needed)]
    absent = [column for column in wanted if column not in answers]
    if absent:
        raise MeasureError(
            "score_compliance",
            seen=f"columns {', '.join(map(str, answers.columns))}",
            expected=f"also {', '.join(absent)}",
            do="Take the answers through map_answers first.",
        )
    check_keys(answers, keys, "score_compliance")
    check_findings(answers["finding"], "score_compliance")
    dropped = set(leave_out)
    counts = mark(encode(answers[item]), lambda name: name not in dropped)
    if "kind" in answers and item == "question":
        counts &= mark(encode(answers["kind"]), is_finding)
    extra = ["assessment"] if "assessment" in answers else []
    narrow = answers[list(dict.fromkeys(wanted + extra))]
    counted = narrow if counts.all() else narrow[counts]
    if not counted["finding"].notna().any():
        raise _nothing("score_compliance")
    return counted


def _nothing(where: str) -> MeasureError:
    return MeasureError(
        where,
        seen="no question with an answer that is not part of an exposure",
        expected="at least one",
        do="Fill the column 'finding' in the file; or take an exposure out of the study.",
    )


def _latest(data: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Keep each unit's latest assessment that has an answer."""
    answered = data[data["finding"].notna()]
    order = answered[keys[1]]
    if "assessment" in answered:
        numbers, told = number_assessments(encode(answered["assessment"]))
        if not told.all():
            raise MeasureError(
                "rate_compliance: assessment",
                seen=f"{int((~told).sum())} answers whose identifier is missing or no number",
                expected="numbers, of which the largest is the latest assessment",
                do="Number the assessments in the order of their days.",
            )
        order = pd.Series(numbers, index=answered.index)
    newest = order.groupby(answered[keys[0]]).transform("max")
    return answered[(order == newest).to_numpy()]


def _needs(outcome: Outcome) -> list[str]:
    columns = ["finding_fixed"] if outcome.fixed else []
    columns += ["common"] if outcome.common else []
    if outcome.base == _CRITICAL:
        columns.append("critical")
    if outcome.base.startswith(_IN_CLUSTER):
        columns.append("cluster")
    if outcome.base == _POINTS or outcome.base.startswith(_ON_POINT):
        columns.append("point")
    return columns


def _named(name: str) -> Outcome:
    outcome = name_outcome(name)
    if outcome is None:
        raise MeasureError(
            "score_compliance",
            seen=f"'{name}'",
            expected=f"{_SHARE}, {_POINTS}, {_CRITICAL}, {_ON_POINT}<point>, "
            f"{_IN_CLUSTER}<cluster> or {_SHARE}_ and {', '.join(_HISTORIES)}, with _fixed or _common behind it or without",
            do="Rename the variable.",
        )
    return outcome


def _score(
    data: pd.DataFrame, units: Numbers, count: int, outcome: Outcome
) -> npt.NDArray[np.float64]:
    column = data["finding_fixed" if outcome.fixed else "finding"]
    finding = column.to_numpy(dtype="float64", na_value=np.nan)
    rows = ~np.isnan(finding) & _selected(data, outcome)
    if outcome.common:
        rows &= data["common"].to_numpy(dtype=bool)
    if outcome.base == _POINTS:
        return _share_of_points(data, units, count, finding, rows)
    if not rows.all():
        units, finding = units[rows], finding[rows]
    total = np.bincount(units, minlength=count)
    found = np.bincount(units, weights=finding, minlength=count)
    with np.errstate(invalid="ignore"):
        share = found / np.where(total > 0, total, np.nan)
    if outcome.base == _CRITICAL:
        return np.where(np.isnan(share), np.nan, (found == 0).astype("float64"))
    if outcome.base.startswith(_ON_POINT):
        return np.where(np.isnan(share), np.nan, (found > 0).astype("float64"))
    return share


def _selected(data: pd.DataFrame, outcome: Outcome) -> npt.NDArray[np.bool_]:
    """Mark the rows that an outcome is about."""
    if outcome.base == _CRITICAL:
        chosen = data["critical"].to_numpy(dtype=bool)
    elif outcome.base.startswith(_ON_POINT):
        chosen = (data["point"] == outcome.base.removeprefix(_ON_POINT)).to_numpy(dtype=bool)
    elif outcome.base.startswith(_IN_CLUSTER):
        chosen = (data["cluster"] == outcome.base.removeprefix(_IN_CLUSTER)).to_numpy(dtype=bool)
    else:
        return np.ones(len(data), dtype=bool)
    if not chosen.any():
        column = "cluster" if outcome.base.startswith(_IN_CLUSTER) else "point"
        known = sorted(data[column].unique()) if column in data else []
        raise MeasureError(
            f"variable '{outcome.name}'",
            seen="no question of that kind among those that count",
            expected="critical issues, marked by the questionnaire or by their tag"
            if outcome.base == _CRITICAL
            else f"one of {', '.join(map(str, known))}",
            do="Rename the variable, complete the questionnaire's pack, or take out the exposure "
            "that these questions describe.",
        )
    return chosen


def _share_of_points(
    data: pd.DataFrame,
    units: Numbers,
    count: int,
    finding: npt.NDArray[np.float64],
    rows: npt.NDArray[np.bool_],
) -> npt.NDArray[np.float64]:
    point = encode(data["point"])
    names = point.levels
    cell = units[rows] * len(names) + point.codes[rows]
    asked = np.bincount(cell, minlength=count * len(names)).reshape(count, len(names)) > 0
    broken = np.bincount(cell, weights=finding[rows], minlength=count * len(names))
    with np.errstate(invalid="ignore"):
        share: npt.NDArray[np.float64] = (broken.reshape(count, -1) > 0).sum(axis=1) / np.where(
            asked.any(axis=1), asked.sum(axis=1), np.nan
        )
    return share
