"""The rules of the gate: pure functions from what a neck holds to checks.

Vocabulary and defaults are ACRO's (Green, Ritchie and Smith 2021). The unit counted is the
protected one (the factory), never the row. A message never says the parameters of the
dominance rules: who knows them comes closer to the largest unit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import pandas as pd

from evidence.exhibits import STATISTICS, Exhibit, label_cell, list_places
from evidence.models import CELL, FURTHER
from evidence.neck import Neck
from evidence.study import Disclosure, Specification, Study, Waiver

Verdict = Literal["pass", "review", "fail"]

FEWEST = 3
"""Below this many units nobody can grant an exception."""

WORKERS, FACTORIES = 10, 5
"""Least workers and factories behind a statistic of workers (docs/decisions)."""

TREATED = frozenset({"suppressed", "rounded"})
"""Status of cells that the gate has taken care of."""


@dataclass(frozen=True, slots=True)
class Check:
    """One rule applied to one output.

    ``output`` is a finding's id, a table's id with a cell's label behind a slash, or
    ``<case>/<specification>``, with the term; ``kind`` says which of these. ``summary``
    says what was seen, ``remedy`` what to do. ``waivable`` is false where no exception is
    possible.
    """

    output: str
    rule: str
    verdict: Verdict
    summary: str = ""
    remedy: str = ""
    kind: str = "table"
    waivable: bool = True


@dataclass(frozen=True, slots=True)
class Problem:
    """What a rule sees in a table cell; ``waivable`` as in ``Check``."""

    rule: str
    summary: str
    waivable: bool = True


def judge_cell(
    row: Mapping[str, Any], asked: Mapping[str, Any], settings: Disclosure
) -> list[Problem]:
    """Judge one table cell by every rule.

    Parameters
    ----------
    row : mapping
        A row of a table of cells.
    asked : mapping
        The specification of its exhibit: ``statistic``, ``level``.
    """
    found = [rule(row, asked, settings) for rule in CELL_RULES.values()]
    return [problem for problem in found if problem is not None]


def check_tables(neck: Neck, settings: Disclosure) -> list[Check]:
    """Check every cell of every table of cells; a rule that no cell breaks passes once."""
    tables = [exhibit for exhibit in neck.exhibits if exhibit.specification["kind"] == "cells"]
    return [check for exhibit in tables for check in _check_table(exhibit, settings)]


def check_findings(neck: Neck, settings: Disclosure) -> list[Check]:
    """Check that enough protected units carry each finding and each exhibit's row.

    One without an estimate still says that none of its entities changes: it needs as many.
    """
    unit = neck.protected["protected_unit"]
    rows = [
        (entry["id"], "finding", entry) for entry in neck.findings if entry["kind"] == "finding"
    ]
    rows += [
        (f"{exhibit.id}/{row['finding']}", "exhibit row", row)
        for exhibit in neck.exhibits
        if exhibit.specification["kind"] in {"coefficients", "findings"}
        for row in exhibit.rows
    ]
    checks = _check_rows(neck, settings)
    for output, kind, row in rows:
        refused = row["direction"] == "refused" and not pd.isna(row["contributors"])
        count = row["n_entities"] if refused else row["contributors"]
        problem = _few(count, settings.threshold, unit)
        checks.append(_check(output, kind, "contributors", problem))
    return checks


_NAMED = {"path": ("case", "term"), "forest": ("case", "specification", "term")}
"""Kinds of exhibit whose rows are estimates, and what names a row of them."""


def _check_rows(neck: Neck, settings: Disclosure) -> list[Check]:
    """Check that enough protected units stand behind each estimate of a path or a forest."""
    unit = neck.protected["protected_unit"]
    return [
        _check(
            "/".join([exhibit.id, *(row[name] for name in _NAMED[exhibit.specification["kind"]])]),
            "exhibit row",
            "contributors",
            _few(row["contributors"], settings.threshold, unit),
        )
        for exhibit in neck.exhibits
        if exhibit.specification["kind"] in _NAMED
        for row in exhibit.rows
    ]


def check_estimates(neck: Neck, study: Study) -> list[Check]:
    """Check each specification: degrees of freedom, and units behind indicators and events."""
    checks = []
    for (case, name), rows in neck.estimates.groupby(["case", "specification"], sort=False):
        told = rows[rows["estimate"].notna()]
        if told.empty:
            continue
        spec = study.specification(str(name))
        place = f"{case}/{name}"
        inside = told["term"].str.contains(CELL, regex=False)
        further = told["term"].str.endswith(FURTHER)
        checks.append(_check_freedom(place, spec, told[~inside & ~further], study))
        checks += [_check_freedom(f"{place}/{row['term'].iloc[0]}", spec, row, study)
                   for _, row in told[inside].groupby("term")]  # fmt: skip
        checks += _check_carriers(place, told, neck, study)
        checks += _check_events(place, spec, told, neck, study.disclosure)
    return checks


def waive(checks: list[Check], settings: Disclosure) -> list[Check]:
    """Turn a fail for which an exception is asked into a review that says who asks, and why."""
    return [_waive(check, settings) for check in checks]


def _waive(check: Check, settings: Disclosure) -> Check:
    if check.verdict != "fail" or not check.waivable:
        return check
    for asked in settings.exceptions:
        if is_named(check, asked) and check.rule == asked.rule:
            told = f"{check.summary}; exception asked by {asked.requested_by}: {asked.reason}"
            return replace(check, verdict="review", summary=told)
    return check


def is_named(check: Check, asked: Waiver) -> bool:
    """Tell whether a request for an exception names a check's output, or what holds it."""
    return check.output == asked.output or check.output.startswith(f"{asked.output}/")


def _check_table(exhibit: Exhibit, settings: Disclosure) -> list[Check]:
    checks, broken = [], set()
    for place, row in zip(list_places(exhibit), exhibit.rows, strict=True):
        for problem in judge_cell(row, exhibit.specification, settings):
            broken.add(problem.rule)
            output = f"{exhibit.id}/{label_cell(place)}"
            checks.append(_check(output, "table cell", problem.rule, problem))
    passed = [Check(exhibit.id, rule, "pass") for rule in CELL_RULES if rule not in broken]
    return checks + passed


def _check(output: str, kind: str, rule: str, problem: Problem | None) -> Check:
    if problem is None:
        return Check(output, rule, "pass", kind=kind)
    remedy = REMEDIES[rule]
    return Check(output, rule, "fail", problem.summary, remedy, kind, problem.waivable)


def _few(count: Any, threshold: int, unit: str = "", rule: str = "contributors") -> Problem | None:
    named = f" ({unit})" if unit else ""
    if pd.isna(count):
        return Problem(rule, f"no count of contributing units{named}", waivable=False)
    if count < threshold:
        told = f"fewer than {threshold} contributing units{named}"
        return Problem(rule, told, waivable=count >= FEWEST)
    return None


CellRule = Callable[[Mapping[str, Any], Mapping[str, Any], Disclosure], Problem | None]


def _threshold(
    row: Mapping[str, Any], asked: Mapping[str, Any], settings: Disclosure
) -> Problem | None:
    """Count distinct units in the cell, and of a share those with and without."""
    if row["status"] in TREATED:
        return None
    sides = ("below", "above") if asked["statistic"] == "share" else ()
    counts = [row[name] for name in ("contributors", *sides)]
    if asked["level"] == "worker":
        counts[0] = row["n_workers"]
    found = [_few(n, settings.threshold, rule="threshold") for n in counts if not _zero(n)]
    problems = [problem for problem in found if problem is not None]
    return min(problems, key=lambda problem: problem.waivable, default=None)


def _zeros(
    row: Mapping[str, Any], asked: Mapping[str, Any], settings: Disclosure
) -> Problem | None:
    """Refuse empty cells, 0 and 100 per cent, and cells in which all units agree."""
    if row["status"] in TREATED or not settings.zeros_are_disclosive:
        return None
    if _zero(row["contributors"]):
        return Problem("zeros", "an empty table cell: it tells that no unit is so")
    full = asked["statistic"] == "share" and (_zero(row["below"]) or _zero(row["above"]))
    if full or (not pd.isna(row["equal"]) and row["equal"]):
        return Problem("zeros", "all units of the table cell are alike: it tells of each of them")
    return None


def _dominance(
    row: Mapping[str, Any], asked: Mapping[str, Any], settings: Disclosure
) -> Problem | None:
    """Refuse sums and means of which the n largest units hold more than a share k."""
    if not _adds_up(row, asked):
        return None
    top = row["largest"] + (_number(row["second"]) if settings.nk_n == 2 else 0.0)
    if top > settings.nk_k * row["total"]:
        return Problem("dominance", "few units hold most of it")
    return None


def _p_ratio(
    row: Mapping[str, Any], asked: Mapping[str, Any], settings: Disclosure
) -> Problem | None:
    """Refuse what lets the second largest unit come within p per cent of the largest."""
    if not _adds_up(row, asked):
        return None
    rest = row["total"] - row["largest"] - _number(row["second"])
    if rest < settings.p_ratio * row["largest"]:
        return Problem("p-ratio", "one unit could reckon another's value from it")
    return None


def _endpoints(row: Mapping[str, Any], asked: Mapping[str, Any], _: Disclosure) -> Problem | None:
    if row["status"] == "suppressed" or asked["statistic"] in STATISTICS:
        return None
    return Problem("endpoints", f"the statistic '{asked['statistic']}', which belongs to somebody")


def _percentiles(
    row: Mapping[str, Any], asked: Mapping[str, Any], settings: Disclosure
) -> Problem | None:
    if row["status"] == "suppressed" or asked["statistic"] not in {"median", "percentile"}:
        return None
    sides = [row["below"], row["above"]]
    if any(pd.isna(side) or side < settings.threshold for side in sides):
        return Problem("percentiles", "too few units on a side of the percentile")
    if not math.isclose(float(f"{row['value']:.2g}"), row["value"], rel_tol=1e-12):
        return Problem("percentiles", "a percentile that is not rounded")
    return None


def _workers(row: Mapping[str, Any], asked: Mapping[str, Any], _: Disclosure) -> Problem | None:
    """Refuse a statistic of workers from few factories or few workers (docs/decisions)."""
    if row["status"] in TREATED or asked["level"] != "worker" or _zero(row["contributors"]):
        return None
    if pd.isna(row["n_workers"]) or pd.isna(row["n_factories"]):
        return Problem("workers", "a statistic of workers without counts of them and of factories")
    if row["n_factories"] < FACTORIES or row["n_workers"] < WORKERS:
        told = "a statistic of workers from too few factories or too few workers"
        return Problem("workers", told, waivable=row["n_factories"] >= FEWEST)
    return None


CELL_RULES: dict[str, CellRule] = {
    "threshold": _threshold,
    "zeros": _zeros,
    "dominance": _dominance,
    "p-ratio": _p_ratio,
    "endpoints": _endpoints,
    "percentiles": _percentiles,
    "workers": _workers,
}
"""The rules of a table cell, by name."""

REMEDIES = {
    "threshold": "Merge the cell with a neighbour: remedies = [\"merge\"], or coarser groups.",
    "zeros": "Merge the cell with a neighbour, or leave the table out; if the data owner agrees, "
    "say zeros_are_disclosive = false.",
    "dominance": "Merge the cell with a neighbour, or show a count or a share instead of it.",
    "p-ratio": "Merge the cell with a neighbour, or show a count or a share instead of it.",
    "endpoints": "Show a median or a percentile instead.",
    "percentiles": "Take larger groups or a percentile nearer the middle; table_cells rounds it.",
    "workers": "Merge factories into larger groups: never show the workers of a few.",
    "contributors": "Merge the case with another, or take the claim out; nothing was published.",
    "dof": "Take regressors or effects out, or add data.",
    "events": "Pool the far ends of the path, or take the specification out.",
    "differencing": "Cut both tables from the same units: give missing values a group of their "
    "own, or leave one of the tables out.",
    "suppression": "Suppress more cells, merge them, or leave out the table that gives them away.",
}  # fmt: skip
"""What to do about a rule that is broken."""


def _zero(count: Any) -> bool:
    return bool(not pd.isna(count) and count == 0)


def _number(value: Any) -> float:
    return 0.0 if pd.isna(value) else float(value)


def _adds_up(row: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    """Tell whether a cell shows an amount that units share in."""
    if row["status"] == "suppressed" or asked["statistic"] not in {"sum", "mean"}:
        return False
    return bool(_number(row["largest"]) > 0)


def _check_freedom(place: str, spec: Specification, rows: pd.DataFrame, study: Study) -> Check:
    absorbed = _count_absorbed(spec, rows.iloc[0], study)
    if absorbed is None:
        told = "levels of absorbed effects that the estimates do not count"
        return Check(place, "dof", "review", told, "Look at the ledger.", "specification")
    units = rows["n_entities"] if spec.estimator == "between" else rows["nobs"]
    left = int(units.min()) - len(rows) - absorbed
    problem = None
    if left < study.disclosure.dof:
        problem = Problem("dof", "too few residual degrees of freedom", waivable=left >= 1)
    return _check(place, "specification", "dof", problem)


_ADOPTION = frozenset({"callaway_santanna", "sun_abraham", "imputation"})


def _count_absorbed(spec: Specification, row: pd.Series, study: Study) -> int | None:
    """Count what the effects absorb, a constant included; None where a count is not known."""
    if spec.estimator in _ADOPTION:
        return int(row["n_entities"]) + int(row["n_periods"]) - 1
    counts = {"entity": row["n_entities"], "time": row["n_periods"]}
    clusters = [v.name for v in study.variables if v.role == "cluster" and v.level == row["level"]]
    counts |= dict.fromkeys(clusters, row["n_clusters"])
    levels = [counts.get(effect) for effect in spec.effects]
    if any(level is None or pd.isna(level) for level in levels):
        return None
    return 1 + sum(int(level) - 1 for level in levels if level is not None)


def _check_carriers(place: str, rows: pd.DataFrame, neck: Neck, study: Study) -> list[Check]:
    """Check indicators that few protected units are ever treated by."""
    unit = neck.protected["protected_unit"]
    counted = rows[(rows["level"] == unit) & rows["n_treated_clusters"].notna()]
    threshold = study.disclosure.threshold
    return [
        _check(f"{place}/{term}", "coefficient", "contributors", _few(count, threshold, unit))
        for term, count in zip(counted["term"], counted["n_treated_clusters"], strict=True)
    ]


_EVENT = re.compile(r"(?P<exposure>.+) event -?[\d.]+")


def _check_events(
    place: str, spec: Specification, rows: pd.DataFrame, neck: Neck, settings: Disclosure
) -> list[Check]:
    """Check each step of an adoption path: units on it, and those never on it."""
    terms = [term for term in rows["term"] if _EVENT.fullmatch(term)]
    never = spec.estimator == "sun_abraham" or spec.compared_with == "never"
    if terms and never and spec.estimator != "imputation":
        terms.append(f"{spec.exposures[0]} never")
    units, unit = neck.protected["units"], neck.protected["protected_unit"]
    checks = []
    for term in terms:
        key = f"{place}/{term}"
        count = len(units[key]) if key in units else None
        problem = _few(count, settings.threshold, unit, "events")
        checks.append(_check(key, "coefficient", "events", problem))
    return checks
