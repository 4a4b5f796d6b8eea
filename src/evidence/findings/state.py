"""A fit and a claim become a ``Finding``; a finding is checked against its estimates.

A finding says what is compared with what, in a unit that a reader knows, and how far
the design carries. Words are made later, in the reader's language.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict
from typing import Any, Literal

import pandas as pd

from evidence.errors import FindingError
from evidence.findings.grade import VERY_FEW_CLUSTERS, Standing, grade, word
from evidence.findings.noun import Direction, Finding
from evidence.measures import strip_transforms
from evidence.models import COLUMNS, CONF_LEVEL, Fit, adjust_p_values
from evidence.panel import Panel, measure_attrition
from evidence.study import Claim, Specification, Study, takes_out_calendar

LOG_POINTS = "log points"
_ADOPTION = frozenset({"callaway_santanna", "sun_abraham", "imputation"})
_DESIGNS = {
    "pooled_ols": "pooled",
    "between": "between",
    "random_effects": "random",
    "mundlak": "random",
    "fractional": "random",
    "fixed_effects": "within",
    "first_differences": "within",
    "pooled_cells": "within",
    "poisson": "within",
    "interval_censored": "pooled",
    "difference_gmm": "dynamic",
    "system_gmm": "dynamic",
    "iv_2sls": "instrument",
    "iv_liml": "instrument",
    "iv_gmm": "instrument",
    "shift_share": "within",
    **dict.fromkeys(_ADOPTION, "adoption"),
}
_NEED_ENTITY = frozenset({"fixed_effects", "poisson", "fractional", "pooled_cells", "shift_share"})
_OWN_ENTITY = frozenset({"first_differences", "difference_gmm", "system_gmm"}) | _ADOPTION
_CHECKS = frozenset({"pretrend", "ar2", "hansen", "first_stage", "overidentification"})
_WEAK = 10.0
"""First-stage F below which an instrument is weak (Staiger and Stock 1997)."""

_SIGNIFICANT = 0.05


def state(panel: Panel, fits: tuple[Fit, ...]) -> tuple[Finding, ...]:
    """State every claim of the study that stands on one of these fits.

    Raises
    ------
    FindingError
        Where a claim's coefficient is missing from its fit.
    """
    fitted = {fit.specification.id: fit for fit in fits}
    claims = [claim for claim in panel.study.claims if claim.specification in fitted]
    if not claims:
        return ()
    table = pd.concat([fit.estimates for fit in fits], ignore_index=True)
    attrition = measure_attrition(panel)
    return tuple(_state(panel, claim, fits, table, attrition) for claim in claims)


def list_family(findings: tuple[Finding, ...]) -> pd.DataFrame:
    """List the claims that were tested together, the least p-value first.

    Returns
    -------
    DataFrame
        Index ``claim``; columns ``outcome, exposure, design, estimate, unit, p_value, p_adjusted,
        n_tests`` (Benjamini and Hochberg 1995).
    """
    names = ("claim", "outcome", "exposure", "design", "estimate", "unit", "p_value")
    rows = [{**{name: getattr(f, name) for name in names}, **f.family} for f in findings]
    columns = [*names, "p_adjusted", "n_tests"]
    frame = pd.DataFrame(rows, columns=columns).set_index("claim")
    return frame.sort_values("p_value", kind="stable").round(4)


def agrees(entry: dict[str, Any], estimates: pd.DataFrame, study: Study) -> bool:
    """Tell whether an entry of ``findings.json`` says what the run's estimates say.

    Everything that follows from ``estimates`` is computed again: numbers, direction, grade
    with its reasons, wording, the other specifications, the family of tests; and what
    follows from the study: what is compared with what, and where.
    """
    claim = next((c for c in study.claims if c.id == entry["claim"]), None)
    if claim is None or _find_row(estimates, study, claim, entry["case"]) is None:
        return False
    carried = {name: entry[name] for name in ("n_carrying", "attrition", "pretrends", "checks")}
    facts = _facts(estimates, study, claim, entry["case"], carried)
    facts |= _identify(study, claim, entry["case"])
    facts["grade"] = {**asdict(facts["grade"]), "reasons": list(facts["grade"].reasons)}
    lists = {name: list(value) for name, value in facts.items() if isinstance(value, tuple)}
    return all(_same(entry[name], value) for name, value in (facts | lists).items())


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


def _state(
    panel: Panel, claim: Claim, fits: tuple[Fit, ...], table: pd.DataFrame, attrition: float
) -> Finding:
    study = panel.study
    fit = next(fit for fit in fits if fit.specification.id == claim.specification)
    spec, exposure = fit.specification, _exposure(study, claim)
    term = _term(study, claim)
    if _find_row(table, study, claim, fit.case) is None:
        raise FindingError(
            f"{study.path.name}: claim '{claim.id}'",
            seen=f"{int((fit.estimates['term'] == term).sum())} rows for {term} in "
            f"specification '{spec.id}'",
            expected="exactly one",
            do="Check the claim's exposure and moderator.",
        )
    carried: dict[str, Any] = {
        "n_carrying": fit.carriers.get(term, fit.carriers.get(exposure)),
        "attrition": attrition,
        "pretrends": _find_pretrends(fits, spec, exposure),
        "checks": _list_checks(fit),
    }
    return Finding(
        **_identify(study, claim, fit.case),
        **_facts(table, study, claim, fit.case, carried),
        **carried,
        contributors=fit.contributors.get(term, fit.contributors.get(exposure)),
        first_period=fit.periods[0],
        last_period=fit.periods[1],
        within_share=fit.within_share[exposure],
        items_left_out=panel.items_left_out,
        definition=panel.definitions.get(strip_transforms(spec.outcome), {}),
        data=panel.provenance.sources,
        simulated=panel.provenance.simulated,
        true_effect=_true_effect(panel, fit, term),
    )


def _identify(study: Study, claim: Claim, case: str) -> dict[str, Any]:
    """Derive everything of a finding that follows from the study alone."""
    exposure, told = _exposure(study, claim), case.lower().replace("-", "_")
    return {
        "id": claim.id if case == "all" else f"{claim.id}__{told}",
        "claim": claim.id,
        "case": case,
        "place": next((dict(c.values) for c in study.cases if c.id == case), {}),
        "outcome": study.specification(claim.specification).outcome,
        "exposure": exposure,
        "moderator": claim.moderator,
        "contrast": _contrast(study, claim.moderator or exposure),
        "sdg": claim.sdg,
    }


def _facts(
    estimates: pd.DataFrame, study: Study, claim: Claim, case: str, carried: dict[str, Any]
) -> dict[str, Any]:
    """Derive everything of a finding that follows from the table of estimates."""
    row = _find_row(estimates, study, claim, case)
    assert row is not None
    spec = study.specification(claim.specification)
    design, two_way = _classify(spec)
    clusters = None if pd.isna(row["n_clusters"]) else int(row["n_clusters"])
    failed = {check["name"] for check in carried["checks"] if check["failed"]}
    weak = "first_stage" in failed
    direction = _direction(row, (clusters, carried["n_carrying"]), weak=weak)
    others = _find_others(estimates, study, spec, row)
    same_sign = (
        0 if pd.isna(row["estimate"]) else int((others["estimate"] * row["estimate"] > 0).sum())
    )
    p_adjusted, n_tests = _adjust(estimates, study, claim, case)
    graded = grade(
        Standing(
            design=design,
            direction=direction,
            two_way=two_way,
            controlled=bool(spec.controls or spec.effects),
            n_clusters=clusters,
            n_carrying=carried["n_carrying"],
            pretrends=carried["pretrends"],
            agreement=same_sign / len(others) if len(others) else None,
            p_adjusted=p_adjusted,
            attrition=carried["attrition"],
            failed_checks=bool(failed - {"first_stage", "pretrend"}),
            weak_instrument=weak,
        )
    )
    return {
        **_numbers(row),
        "design": design,
        "wording": "moderated" if claim.moderator else word(design, graded),
        "direction": direction,
        "effects": tuple(sorted(spec.effects)),
        "controls": spec.controls,
        "nobs": int(row["nobs"]),
        "n_entities": int(row["n_entities"]),
        "n_periods": int(row["n_periods"]),
        "n_clusters": clusters,
        "level": str(row["level"]),
        "cov_type": "" if pd.isna(row["cov_type"]) else str(row["cov_type"]),
        "reason": "" if pd.isna(row["reason"]) else str(row["reason"]),
        "rows": (_cite(row), *(_cite(other) for _, other in others.iterrows())),
        "robustness": {"n_specifications": len(others), "n_same_sign": same_sign},
        "family": {"n_tests": n_tests, "p_adjusted": p_adjusted},
        "grade": graded,
    }


def _exposure(study: Study, claim: Claim) -> str:
    return claim.exposure or study.specification(claim.specification).exposures[0]


def _term(study: Study, claim: Claim) -> str:
    return ":".join([_exposure(study, claim), *([claim.moderator] if claim.moderator else [])])


def _find_row(estimates: pd.DataFrame, study: Study, claim: Claim, case: str) -> pd.Series | None:
    rows = estimates[
        (estimates["case"] == case)
        & (estimates["specification"] == claim.specification)
        & (estimates["term"] == _term(study, claim))
    ]
    return rows.iloc[0] if len(rows) == 1 else None


def _classify(spec: Specification) -> tuple[str, bool]:
    """Name a specification's design, and whether a common calendar is taken out."""
    design = _DESIGNS[spec.estimator]
    if spec.estimator in _NEED_ENTITY and "entity" not in spec.effects:
        design = "pooled"
    followed = spec.estimator in _OWN_ENTITY or "entity" in spec.effects
    calendar = takes_out_calendar(spec.effects)
    return design, spec.estimator in _ADOPTION or (followed and calendar)


def _find_others(
    estimates: pd.DataFrame, study: Study, spec: Specification, row: pd.Series
) -> pd.DataFrame:
    """Find the notebook's other estimates of the same term and outcome in the same case."""
    others = [
        other.id
        for other in study.specifications
        if other.id != spec.id
        and other.notebook == spec.notebook
        and other.outcome == spec.outcome
        and other.role in {"headline", "robustness"}
    ]
    found: pd.DataFrame = estimates[
        estimates["specification"].isin(others)
        & (estimates["case"] == row["case"])
        & (estimates["term"] == row["term"])
        & estimates["estimate"].notna()
    ]
    return found


def _cite(row: pd.Series) -> dict[str, str]:
    """Name a row of ``estimates.csv``, with the hash of everything that it says."""
    told = [_spell(row[name]) for name in COLUMNS]
    digest = hashlib.sha256("\x1f".join(told).encode()).hexdigest()
    return {
        **{name: str(row[name]) for name in ("case", "specification", "term")},
        "sha256": digest,
    }


def _spell(value: Any) -> str:
    if pd.isna(value):
        return ""
    return value if isinstance(value, str) else f"{float(value):.17g}"


def _adjust(
    estimates: pd.DataFrame, study: Study, claim: Claim, case: str
) -> tuple[float | None, int]:
    """Adjust the claim's p-value for the notebook's other claims in the same case."""
    notebook = study.specification(claim.specification).notebook
    p_values = {}
    for other in study.claims:
        if study.specification(other.specification).notebook != notebook:
            continue
        row = _find_row(estimates, study, other, case)
        if row is not None and 0 <= row["p_value"] <= 1:
            p_values[other.id] = float(row["p_value"])
    if claim.id not in p_values:
        return None, len(p_values)
    adjusted = adjust_p_values(pd.Series(p_values), "benjamini_hochberg")
    return float(adjusted[claim.id]), len(p_values)


def _find_pretrends(
    fits: tuple[Fit, ...], spec: Specification, exposure: str
) -> Literal["parallel", "apart", "unknown"]:
    """Read the test of trends before adoption: this fit's, or one of the same question."""
    alike = [
        fit
        for fit in fits
        if fit.specification.outcome == spec.outcome
        and fit.specification.exposures == (exposure,)
        and fit.specification.estimator in _ADOPTION
    ]
    tests = [
        check.p_value
        for fit in alike
        for check in fit.diagnostics
        if check.name == "pretrend" and not math.isnan(check.p_value)
    ]
    if not tests or spec.estimator in {"between", "random_effects", "mundlak"}:
        return "unknown"
    return "parallel" if min(tests) >= _SIGNIFICANT else "apart"


def _list_checks(fit: Fit) -> tuple[dict[str, Any], ...]:
    """List the design's own tests, and which of them fail."""
    return tuple(
        {
            "name": check.name,
            "value": None if math.isnan(check.value) else float(check.value),
            "p_value": None if math.isnan(check.p_value) else float(check.p_value),
            "reason": check.reason,
            "failed": check.value < _WEAK
            if check.name == "first_stage"
            else check.p_value < _SIGNIFICANT,
        }
        for check in fit.diagnostics
        if check.name.split(" ")[0] in _CHECKS
    )


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[k], other[k]) for k in one)
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-12, abs_tol=1e-15)
    return bool(one == other)


def _numbers(row: pd.Series) -> dict[str, Any]:
    numbers: dict[str, Any] = {"unit": in_natural_unit(0.0, str(row["unit"]))[1]}
    for name in ("estimate", "conf_low", "conf_high"):
        value = row[name]
        numbers[name] = None if pd.isna(value) else in_natural_unit(value, row["unit"])[0]
    numbers["conf_level"] = CONF_LEVEL if pd.isna(row["conf_level"]) else float(row["conf_level"])
    numbers["p_value"] = None if pd.isna(row["p_value"]) else float(row["p_value"])
    return numbers


def _direction(row: pd.Series, counts: tuple[int | None, ...], *, weak: bool) -> Direction:
    if pd.isna(row["estimate"]):
        return "refused"
    if pd.isna(row["conf_low"]):
        return "untested"
    if row["conf_low"] <= 0 <= row["conf_high"]:
        return "unclear"
    if weak or any(count is not None and count < VERY_FEW_CLUSTERS for count in counts):
        return "unproven"
    return "increase" if row["conf_low"] > 0 else "decrease"


def _contrast(study: Study, name: str) -> Literal["indicator", "unit"]:
    return "indicator" if study.variable(name).unit == "indicator" else "unit"


def _true_effect(panel: Panel, fit: Fit, term: str) -> float | None:
    """Give the declared effect of a simulation; none beside a control that it passes through."""
    truth, spec = panel.provenance.truth, fit.specification
    effect = truth.get(spec.outcome, {}).get(term)
    if effect is None or any(term in truth.get(name, {}) for name in spec.regressors):
        return None
    return in_natural_unit(effect, str(fit.estimates["unit"].iloc[0]))[0]
