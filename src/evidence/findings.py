"""A fit and a claim become a ``Finding``: a graded statement without words.

A finding says what is compared with what, in a unit that a reader knows, and how far
the design carries. Words are made later, in the reader's language.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import pandas as pd

from evidence.errors import FindingError
from evidence.measures import strip_transforms
from evidence.models import CONF_LEVEL, FEW_CLUSTERS, Fit
from evidence.panel import Panel
from evidence.study import Claim, Specification, Study

Direction = Literal["decrease", "increase", "unclear", "untested", "refused"]

_DESIGNS = {
    "pooled_ols": "pooled",
    "between": "between",
    "random_effects": "random",
    "fixed_effects": "within",
    "first_differences": "within",
    "mundlak": "random",
}
LOG_POINTS = "log points"
_VERY_FEW_CLUSTERS = 6
_LABELS = {5: "high", 4: "high", 3: "moderate", 2: "low", 1: "very low"}


@dataclass(frozen=True, slots=True)
class Grade:
    """How far a finding carries: label, Maryland level, and every reason.

    Levels follow the Maryland scientific methods scale (Farrington et al. 2002): 2 for
    a comparison with controls, 3 for change within units over a common calendar.
    """

    label: str
    level: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """One claim in one case.

    ``estimate``, ``conf_low`` and ``conf_high`` are in ``unit``: ``percent`` (relative
    change of the outcome), ``percentage points`` or the outcome's own unit. They are
    ``None`` where ``reason`` says that the design cannot speak. ``n_carrying`` counts the
    clusters, ``contributors`` the protected units on the thinnest side of the comparison.
    """

    id: str
    claim: str
    case: str
    design: str
    direction: Direction
    outcome: str
    exposure: str
    contrast: Literal["indicator", "unit"]
    estimate: float | None
    conf_low: float | None
    conf_high: float | None
    conf_level: float
    unit: str
    nobs: int
    n_entities: int
    n_periods: int
    n_clusters: int | None
    n_carrying: int | None
    contributors: int | None
    level: str
    effects: tuple[str, ...]
    cov_type: str
    first_period: int
    last_period: int
    within_share: float
    grade: Grade
    rows: tuple[dict[str, str], ...]
    items_left_out: tuple[str, ...]
    definition: dict[str, str]
    sdg: tuple[str, ...]
    data: dict[str, str]
    simulated: bool
    true_effect: float | None
    reason: str


def state(panel: Panel, fits: tuple[Fit, ...]) -> tuple[Finding, ...]:
    """State every claim of the study that stands on one of these fits.

    Raises
    ------
    FindingError
        Where a claim's coefficient is missing from its fit.
    """
    fitted = {fit.specification.id: fit for fit in fits}
    claims = [claim for claim in panel.study.claims if claim.specification in fitted]
    return tuple(_state(panel, claim, fitted[claim.specification]) for claim in claims)


def compare_cases(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Count, for each claim that stands in several cases, what the cases say.

    Parameters
    ----------
    findings : list of dict
        Entries of ``findings.json``.

    Returns
    -------
    list of dict
        One entry a claim, of kind ``comparison``, sorted by claim. ``direction`` is the
        one that more cases show; ``least`` and ``most`` are its smallest and largest
        estimate without sign, in ``unit``.
    """
    compared = []
    for claim in sorted({entry["claim"] for entry in findings}):
        group = [entry for entry in findings if entry["claim"] == claim]
        if len(group) < 2:
            continue
        counts = {
            f"n_{name}": sum(entry["direction"] == name for entry in group)
            for name in ("decrease", "increase")
        }
        told = sum(counts.values())
        way = _dominant(counts)
        told_by = [e for e in group if way != "unclear" and e["direction"] == way]
        sizes = [abs(e["estimate"]) for e in told_by]
        entry = {
            "id": claim,
            "kind": "comparison",
            "claim": claim,
            **{key: group[0][key] for key in _SHARED},
            "n_cases": len(group),
            **counts,
            "n_unclear": len(group) - told,
            "direction": way,
            "least": min(sizes, default=None),
            "most": max(sizes, default=None),
            "nobs": sum(entry["nobs"] for entry in group),
            "n_entities": sum(entry["n_entities"] for entry in group),
            "first_period": min(entry["first_period"] for entry in group),
            "last_period": max(entry["last_period"] for entry in group),
            "findings": [entry["id"] for entry in group],
        }
        compared.append(entry)
    return compared


def _dominant(counts: dict[str, int]) -> Direction:
    if counts["n_decrease"] == counts["n_increase"]:
        return "unclear"
    return "decrease" if counts["n_decrease"] > counts["n_increase"] else "increase"


_SHARED = (
    "design",
    "effects",
    "level",
    "outcome",
    "exposure",
    "contrast",
    "conf_level",
    "unit",
    "sdg",
    "simulated",
)


def as_entry(finding: Finding) -> dict[str, Any]:
    """Turn a finding into its entry of ``findings.json``."""
    return {"kind": "finding", **asdict(finding)}


def in_natural_unit(value: float, unit: str) -> tuple[float, str]:
    """Turn a coefficient into a unit that a reader knows.

    ``log points`` → percent change, 100·(exp(b) − 1); ``share`` and ``indicator`` →
    percentage points;
    ``percent`` (a variable measured from 0 to 100) → percentage points; all others stay.
    """
    if unit == LOG_POINTS:
        return 100 * math.expm1(value), "percent"
    if unit in {"share", "proportion", "fraction", "indicator"}:
        return 100 * value, "percentage points"
    if unit in {"percent", "per cent", "%", "percentage points"}:
        return value, "percentage points"
    return value, unit


def grade(
    *,
    design: str,
    two_way: bool,
    direction: Direction,
    n_clusters: int | None,
    n_carrying: int | None = None,
) -> Grade:
    """Grade a finding from its design and diagnostics; more problems never raise it.

    Change within units over a common calendar starts at Maryland level 3, every other
    design here at 2; each problem takes a level away.
    """
    within = design == "within"
    level = 3 if within and two_way else 2
    problems = {
        "no_pretrends": within and two_way,
        "no_calendar": within and not two_way,
        "unlike_units": not within,
        "interval_spans_zero": direction == "unclear",
        "no_test": direction in {"untested", "refused"},
        "few_clusters": n_clusters is not None and n_clusters < FEW_CLUSTERS,
        "very_few_clusters": n_clusters is not None and n_clusters < _VERY_FEW_CLUSTERS,
        "few_carriers": n_carrying is not None and n_carrying < _VERY_FEW_CLUSTERS,
    }
    found = [name for name, holds in problems.items() if holds]
    level = max(1, level - len(found))
    untold = {"interval_spans_zero", "no_test", "very_few_clusters", "few_carriers"} & set(found)
    label = "cannot tell" if untold else _LABELS[level]
    return Grade(label, level, (f"design_{design}", *found))


def _state(panel: Panel, claim: Claim, fit: Fit) -> Finding:
    spec = fit.specification
    exposure = claim.exposure or spec.exposures[0]
    rows = fit.estimates[fit.estimates["term"] == exposure]
    if len(rows) != 1:
        raise FindingError(
            f"{panel.study.path.name}: claim '{claim.id}'",
            seen=f"{len(rows)} rows for {exposure} in specification '{spec.id}'",
            expected="exactly one",
            do="Check the claim's exposure.",
        )
    row = rows.iloc[0]
    carrying = fit.carriers.get(exposure)
    facts = _facts(row, spec, carrying)
    case = fit.case.lower().replace("-", "_")
    return Finding(
        id=claim.id if fit.case == "all" else f"{claim.id}__{case}",
        claim=claim.id,
        case=fit.case,
        outcome=spec.outcome,
        exposure=exposure,
        contrast=_contrast(panel.study, exposure),
        **facts,
        n_carrying=carrying,
        contributors=fit.contributors.get(exposure),
        first_period=fit.periods[0],
        last_period=fit.periods[1],
        within_share=fit.within_share[exposure],
        rows=({"case": fit.case, "specification": spec.id, "term": exposure},),
        items_left_out=panel.items_left_out,
        definition=panel.definitions.get(strip_transforms(spec.outcome), {}),
        sdg=claim.sdg,
        data=panel.provenance.sources,
        simulated=panel.provenance.simulated,
        true_effect=_true_effect(panel, spec, exposure),
    )


def agrees(entry: dict[str, Any], row: pd.Series, spec: Specification) -> bool:
    """Tell whether an entry of ``findings.json`` says what its row of estimates says."""
    facts = _facts(row, spec, entry["n_carrying"])
    facts["grade"] = {**asdict(facts["grade"]), "reasons": list(facts["grade"].reasons)}
    facts["effects"] = list(facts["effects"])
    return all(_same(entry[name], value) for name, value in facts.items())


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-12, abs_tol=1e-15)
    return bool(one == other)


def _facts(row: pd.Series, spec: Specification, carrying: int | None) -> dict[str, Any]:
    """Derive from a row of estimates everything of a finding that depends on it alone."""
    design = _DESIGNS[spec.estimator]
    changes = spec.estimator == "first_differences"
    if design == "within" and not changes and "entity" not in spec.effects:
        design = "pooled"
    clusters = None if pd.isna(row["n_clusters"]) else int(row["n_clusters"])
    direction = _direction(row)
    return {
        **_numbers(row),
        "design": design,
        "direction": direction,
        "effects": tuple(sorted(spec.effects)),
        "nobs": int(row["nobs"]),
        "n_entities": int(row["n_entities"]),
        "n_periods": int(row["n_periods"]),
        "n_clusters": clusters,
        "level": str(row["level"]),
        "cov_type": "" if pd.isna(row["cov_type"]) else str(row["cov_type"]),
        "reason": "" if pd.isna(row["reason"]) else str(row["reason"]),
        "grade": grade(
            design=design,
            two_way=(changes or "entity" in spec.effects)
            and any("time" in effect.split(":") for effect in spec.effects),
            direction=direction,
            n_clusters=clusters,
            n_carrying=carrying,
        ),
    }


def _numbers(row: pd.Series) -> dict[str, Any]:
    numbers: dict[str, Any] = {"unit": in_natural_unit(0.0, str(row["unit"]))[1]}
    for name in ("estimate", "conf_low", "conf_high"):
        value = row[name]
        numbers[name] = None if pd.isna(value) else in_natural_unit(value, row["unit"])[0]
    numbers["conf_level"] = CONF_LEVEL if pd.isna(row["conf_level"]) else float(row["conf_level"])
    return numbers


def _direction(row: pd.Series) -> Direction:
    if pd.isna(row["estimate"]):
        return "refused"
    if pd.isna(row["conf_low"]):
        return "untested"
    if row["conf_low"] > 0:
        return "increase"
    return "decrease" if row["conf_high"] < 0 else "unclear"


def _contrast(study: Study, exposure: str) -> Literal["indicator", "unit"]:
    return "indicator" if study.variable(exposure).unit == "indicator" else "unit"


def _true_effect(panel: Panel, spec: Specification, exposure: str) -> float | None:
    effect = panel.provenance.truth.get(spec.outcome, {}).get(exposure)
    if effect is None:
        return None
    return in_natural_unit(effect, panel.study.variable(spec.outcome).unit)[0]
