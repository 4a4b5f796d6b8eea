"""How far a finding carries, computed from its design and its diagnostics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from evidence.findings.noun import Direction, Grade
from evidence.models import FEW_CARRIERS, FEW_CLUSTERS

VERY_FEW_CLUSTERS = 6
_FEWER_CLUSTERS = 10
_LEAST_AGREEMENT = 0.8
_MOST_ATTRITION = 0.2
_SIGNIFICANT = 0.05
_LABELS = {5: "high", 4: "high", 3: "moderate", 2: "low", 1: "very low"}
_OVER_TIME = frozenset({"within", "dynamic", "adoption"})
_UNTOLD = frozenset({
    "interval_spans_zero", "no_test", "very_few_clusters", "few_carriers", "weak_instrument",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Standing:
    """What a grade is computed from.

    ``two_way`` says that a common calendar is taken out, ``controlled`` that anything is
    held constant, ``agreement`` is the share of the study's other estimates with the same
    sign, ``attrition`` the share of entities gone before the end, ``failed_checks`` that a
    test of the design itself fails, ``weak_instrument`` that the first stage is weak.
    """

    design: str
    direction: Direction
    two_way: bool
    controlled: bool = True
    n_clusters: int | None = None
    n_carrying: int | None = None
    pretrends: Literal["parallel", "apart", "unknown"] = "unknown"
    agreement: float | None = None
    p_adjusted: float | None = None
    attrition: float = 0.0
    failed_checks: bool = False
    weak_instrument: bool = False


def grade(standing: Standing) -> Grade:
    """Grade a finding; more problems never raise it, and each is listed.

    The Maryland level of the design: 3 for change over time against a common calendar,
    2 without one or for a comparison of unlike units that holds something constant, 1 for
    a raw one. Each problem takes a level away, and those that leave no direction to tell
    leave level 1. An attrition of a fifth is where reviews
    begin to doubt (What Works Clearinghouse 2022, boundary for overall attrition).
    """
    over_time = standing.design in _OVER_TIME
    problems = _list_problems(standing)
    untold = bool(_UNTOLD & set(problems))
    level = 1 if untold else max(1, _start(standing) - len(problems))
    label = "cannot tell" if untold else _LABELS[level]
    notes = ["pretrends"] if over_time and standing.pretrends == "parallel" else []
    return Grade(label, level, (f"design_{standing.design}", *notes, *problems))


def word(design: str, graded: Grade) -> str:
    """Name the words that a design has earned: those of the weakest class that it is.

    Words of change ("appears to have lowered") need staggered adoption and level 3
    (docs/architecture.md, table of verbs); everything else over time "goes together".
    """
    if design == "adoption":
        return "adoption" if graded.level >= 3 else "within"
    return "within" if design == "dynamic" else design


def _start(standing: Standing) -> int:
    if standing.design in _OVER_TIME | {"instrument"}:
        return 3 if standing.two_way else 2
    return 2 if standing.controlled else 1


def _list_problems(standing: Standing) -> list[str]:
    over_time = standing.design in _OVER_TIME
    told = standing.direction in {"decrease", "increase", "unproven"}
    few = _compare(standing.n_clusters)
    carrying = None if standing.direction == "refused" else standing.n_carrying
    agreement, p_adjusted = standing.agreement, standing.p_adjusted
    problems = {
        "no_pretrends": over_time and standing.two_way and standing.pretrends == "unknown",
        "pretrends_apart": over_time and standing.pretrends == "apart",
        "no_calendar": over_time and not standing.two_way,
        "unlike_units": standing.design in {"pooled", "between", "random"},
        "no_controls": not over_time and not standing.controlled,
        "instrument_untested": standing.design == "instrument",
        "weak_instrument": standing.weak_instrument,
        "failed_checks": standing.failed_checks,
        "interval_spans_zero": standing.direction == "unclear",
        "no_test": standing.direction in {"untested", "refused"},
        **few,
        "few_carrying": carrying is not None and carrying < FEW_CARRIERS,
        "few_carriers": carrying is not None and carrying < VERY_FEW_CLUSTERS,
        "attrition": standing.attrition > _MOST_ATTRITION,
        "specifications_differ": told and agreement is not None and agreement < _LEAST_AGREEMENT,
        "multiplicity": told and p_adjusted is not None and p_adjusted > _SIGNIFICANT,
    }
    return [name for name, holds in problems.items() if holds]


def _compare(n_clusters: int | None) -> dict[str, bool]:
    bounds = {
        "few_clusters": FEW_CLUSTERS,
        "fewer_clusters": _FEWER_CLUSTERS,
        "very_few_clusters": VERY_FEW_CLUSTERS,
    }
    return {name: n_clusters is not None and n_clusters < bound for name, bound in bounds.items()}
