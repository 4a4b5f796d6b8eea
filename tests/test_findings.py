"""A finding says in a known unit what an estimate says, and never more."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest

from evidence.errors import FindingError
from evidence.findings import (
    Direction,
    Finding,
    Standing,
    as_entry,
    compare_cases,
    grade,
    in_natural_unit,
    state,
    word,
)
from evidence.models import Fit, fit, fit_specifications
from evidence.panel import Panel
from evidence.study import load_study
from samples import ROOT, make_project, read_panel, study_file

DESIGNS = ("pooled", "between", "random", "within", "dynamic", "instrument", "adoption")
LABELS = ("cannot tell", "very low", "low", "moderate", "high")
"""From what carries least to what carries most."""


@pytest.fixture(scope="module")
def plants() -> Panel:
    return read_panel(load_study(study_file(ROOT, "plants")))


@pytest.fixture(scope="module")
def chains(tmp_path_factory: pytest.TempPathFactory) -> Panel:
    root = make_project(tmp_path_factory.mktemp("chains"))
    return read_panel(load_study(study_file(root, "value_chains")))


@pytest.fixture(scope="module")
def fitted(plants: Panel) -> Fit:
    return fit(plants, "within")


def _with(fitted: Fit, **numbers: Any) -> Fit:
    """Write numbers over those of last year's grant."""
    table = fitted.estimates.copy()
    for column, value in numbers.items():
        table.loc[table["term"] == "lag1_grant", column] = value
    return replace(fitted, estimates=table)


def _stated(panel: Panel, fitted: Fit, claim: str = "grant_after") -> Finding:
    return next(f for f in state(panel, (fitted,)) if f.claim == claim)


def _entry(case: str, direction: str, estimate: float | None, **more: Any) -> dict[str, Any]:
    base = {
        "id": f"c_{case}",
        "claim": "c",
        "direction": direction,
        "estimate": estimate,
        "design": "within",
        "wording": "within",
        "moderator": "",
        "effects": ["entity", "time"],
        "level": "factory",
        "outcome": "y",
        "exposure": "x",
        "contrast": "indicator",
        "conf_level": 0.95,
        "unit": "percent",
        "sdg": ("8.8",),
        "simulated": False,
        "nobs": 100,
        "n_entities": 20,
        "first_period": 2000,
        "last_period": 2004,
    }
    return base | more


@pytest.mark.parametrize("value", [-0.4216, -0.0001, 0.0, 0.182461, 1.0])
def test_log_points_become_percent_by_the_exponential(value: float) -> None:
    percent, unit = in_natural_unit(value, "log points")
    assert unit == "percent"
    # Absolute, because exp(b) − 1 written out loses digits near zero; expm1 does not.
    assert percent == pytest.approx(100 * (math.exp(value) - 1), rel=0, abs=1e-12)


def test_minus_one_log_point_is_not_minus_a_hundred_percent() -> None:
    # 1 − 1/e from a printed table of exponentials.
    assert in_natural_unit(-1.0, "log points")[0] == pytest.approx(-63.212055883, abs=5e-10)


@pytest.mark.parametrize("unit", ["share", "proportion", "fraction"])
def test_shares_become_percentage_points(unit: str) -> None:
    assert in_natural_unit(-0.25, unit) == (-25.0, "percentage points")


@pytest.mark.parametrize("unit", ["percent", "per cent", "%", "percentage points"])
def test_a_variable_in_percent_moves_by_percentage_points(unit: str) -> None:
    assert in_natural_unit(-2.5, unit) == (-2.5, "percentage points")


def test_any_other_unit_stays() -> None:
    assert in_natural_unit(1.5, "weeks") == (1.5, "weeks")


def _standings() -> list[Standing]:
    """Draw what grades are computed from, every value of every part against the others."""
    rng = np.random.default_rng(7)
    drawn = [
        {name: values[int(rng.integers(len(values)))] for name, values in PARTS.items()}
        for _ in range(4_000)
    ]
    return [Standing(**parts) for parts in drawn]


PARTS: dict[str, tuple[Any, ...]] = {
    "design": DESIGNS,
    "direction": get_args(Direction),
    "two_way": (True, False),
    "controlled": (True, False),
    "n_clusters": (None, 500, 30, 29, 10, 9, 6, 5, 2),
    "n_carrying": (None, 500, 6, 5, 0),
    "pretrends": ("parallel", "unknown", "apart"),
    "agreement": (None, 1.0, 0.8, 0.79, 0.0),
    "p_adjusted": (None, 0.001, 0.05, 0.051, 1.0),
    "attrition": (0.0, 0.2, 0.21, 1.0),
    "failed_checks": (False, True),
    "weak_instrument": (False, True),
}
"""Every part of a standing, from what troubles a reader least to what troubles most."""

GOOD = Standing(design="within", direction="decrease", two_way=True, pretrends="parallel")
"""Nothing to hold against it: level 3."""


def _worsened(standing: Standing) -> list[Standing]:
    """List what the same finding would be with one thing worse."""
    ordered = {name: values for name, values in PARTS.items() if name != "design"}
    ordered["direction"] = ("decrease", "unclear")
    worse = []
    for name, values in ordered.items():
        value = getattr(standing, name)
        if value in values:
            later = values[values.index(value) + 1 :]
            worse += [replace(standing, **{name: other}) for other in later]
    return worse


def test_a_grade_is_a_function_of_its_arguments_alone() -> None:
    assert [grade(s) for s in _standings()] == [grade(s) for s in _standings()]


def test_one_problem_more_never_raises_a_grade() -> None:
    compared = 0
    for standing in _standings():
        before = grade(standing)
        for other in _worsened(standing):
            after = grade(other)
            assert after.level <= before.level, (standing, other)
            assert LABELS.index(after.label) <= LABELS.index(before.label), (standing, other)
            compared += 1
    assert compared > 50_000


def test_a_design_that_compares_unlike_units_never_has_the_higher_grade() -> None:
    for standing in _standings():
        weaker = grade(replace(standing, design="pooled"))
        stronger = grade(replace(standing, design="within", two_way=True, pretrends="parallel"))
        assert weaker.level <= stronger.level, standing
        assert LABELS.index(weaker.label) <= LABELS.index(stronger.label), standing


@pytest.mark.parametrize(
    ("reason", "change", "level"),
    [
        ("no_pretrends", {"pretrends": "unknown"}, 2),
        ("pretrends_apart", {"pretrends": "apart"}, 2),
        ("no_calendar", {"two_way": False}, 1),
        ("few_clusters", {"n_clusters": 29}, 2),
        ("fewer_clusters", {"n_clusters": 9}, 1),
        ("very_few_clusters", {"n_clusters": 5}, 1),
        ("few_carrying", {"n_carrying": 9}, 2),
        ("few_carriers", {"n_carrying": 5}, 1),
        ("interval_spans_zero", {"direction": "unclear"}, 1),
        ("no_test", {"direction": "untested"}, 1),
        ("no_test", {"direction": "refused"}, 1),
        ("attrition", {"attrition": 0.21}, 2),
        ("specifications_differ", {"agreement": 0.79}, 2),
        ("multiplicity", {"p_adjusted": 0.051}, 2),
        ("failed_checks", {"failed_checks": True}, 2),
        ("weak_instrument", {"weak_instrument": True}, 1),
        ("unlike_units", {"design": "pooled"}, 1),
        ("no_controls", {"design": "instrument", "controlled": False}, 1),
        ("instrument_untested", {"design": "instrument"}, 2),
    ],
)
def test_each_reason_alone_changes_a_grade_and_is_listed(
    reason: str, change: dict[str, Any], level: int
) -> None:
    assert (grade(GOOD).label, grade(GOOD).level) == ("moderate", 3)
    assert grade(GOOD).reasons == ("design_within", "pretrends")
    found = grade(replace(GOOD, **change))
    assert reason in found.reasons
    assert found.level == level
    assert LABELS.index(found.label) < LABELS.index("moderate")


@pytest.mark.parametrize("direction", ["unclear", "untested", "refused"])
@pytest.mark.parametrize("design", DESIGNS)
def test_a_finding_without_a_direction_cannot_tell(design: str, direction: Direction) -> None:
    found = grade(replace(GOOD, design=design, direction=direction))
    assert found.label == "cannot tell"


def test_the_reasons_of_a_grade_name_design_and_every_problem() -> None:
    found = grade(Standing("between", "unclear", two_way=False, controlled=False, n_clusters=5))
    assert found.reasons == (
        "design_between",
        "unlike_units",
        "no_controls",
        "interval_spans_zero",
        "few_clusters",
        "fewer_clusters",
        "very_few_clusters",
    )
    assert found.level == 1


def test_only_adoption_of_level_three_earns_words_of_change() -> None:
    parallel = replace(GOOD, design="adoption")
    assert word("adoption", grade(parallel)) == "adoption"
    for change in _worsened(parallel):
        if grade(change).reasons != grade(parallel).reasons:
            assert word("adoption", grade(change)) == "within", change
    for design in set(DESIGNS) - {"adoption"}:
        assert word(design, grade(replace(GOOD, design=design))) in {design, "within"}


@pytest.mark.parametrize(
    ("low", "high", "direction"),
    [
        (0.1, 0.3, "increase"),
        (-0.3, -0.1, "decrease"),
        (-0.1, 0.3, "unclear"),
        (0.0, 0.3, "unclear"),
        (-0.3, 0.0, "unclear"),
        (math.nan, math.nan, "untested"),
    ],
)
def test_the_direction_is_that_of_the_whole_interval(
    plants: Panel, fitted: Fit, low: float, high: float, direction: Direction
) -> None:
    changed = _with(fitted, estimate=0.1, conf_low=low, conf_high=high)
    assert _stated(plants, changed).direction == direction


def test_a_term_that_was_refused_has_no_numbers_but_a_reason(plants: Panel, fitted: Fit) -> None:
    finding = _stated(plants, fitted, "union_within")
    assert finding.direction == "refused"
    assert (finding.estimate, finding.conf_low, finding.conf_high) == (None, None, None)
    assert finding.within_share == 0
    assert "never changes" in finding.reason
    assert finding.grade.label == "cannot tell"


def test_a_finding_turns_estimate_and_interval_into_percent(plants: Panel, fitted: Fit) -> None:
    table = fitted.estimates.set_index("term")
    finding = _stated(plants, fitted)
    for name in ("estimate", "conf_low", "conf_high"):
        assert getattr(finding, name) == 100 * math.expm1(table[name]["lag1_grant"])
    assert (finding.unit, finding.outcome, finding.exposure) == (
        "percent",
        "log_scrap",
        "lag1_grant",
    )


def test_a_finding_names_its_sample_and_its_row(plants: Panel, fitted: Fit) -> None:
    finding = _stated(plants, fitted)
    assert (finding.nobs, finding.n_entities, finding.n_clusters) == (162, 54, 54)
    assert (finding.first_period, finding.last_period) == (1987, 1989)
    row = {"case": "all", "specification": "within", "term": "lag1_grant"}
    assert len(finding.rows) == 1
    assert finding.rows[0].items() > row.items()
    assert list(finding.data) == ["jobtraining"]
    assert (finding.simulated, finding.true_effect) == (False, None)


def test_every_claim_of_the_fits_is_stated_once(plants: Panel) -> None:
    findings = state(plants, fit_specifications(plants, "plants"))
    assert [f.claim for f in findings] == [c.id for c in plants.study.claims]
    designs = {f.claim: f.design for f in findings}
    assert designs["union_between"] == "between"
    assert designs["union_random"] == "random"


def test_a_claim_without_its_fit_is_not_stated(plants: Panel, fitted: Fit) -> None:
    claims = {f.claim for f in state(plants, (fitted,))}
    assert claims == {"grant_after", "grant_same_year", "union_within"}


@pytest.mark.parametrize("copies", [0, 2])
def test_a_claim_without_exactly_one_row_is_refused(
    plants: Panel, fitted: Fit, copies: int
) -> None:
    table = fitted.estimates
    others, row = table[table["term"] != "grant"], table[table["term"] == "grant"]
    broken = replace(fitted, estimates=pd.concat([others, *[row] * copies]))
    with pytest.raises(FindingError, match=rf"'grant_same_year': {copies} rows for grant"):
        state(plants, (broken,))


def test_each_claim_and_case_has_an_id_of_its_own(chains: Panel) -> None:
    one = fit_specifications(chains, "value_chains")
    study = chains.study
    ids = []
    for case in study.cases:
        fits = tuple(
            replace(each, case=case.id, estimates=each.estimates.assign(case=case.id))
            for each in one
        )
        ids += [finding.id for finding in state(chains, fits)]
    assert len(ids) == len(study.cases) * len(study.claims)
    assert len(set(ids)) == len(ids)
    assert "committee_compliance__bgd_garment" in ids


def test_a_study_without_cases_keeps_the_claims_own_id(plants: Panel, fitted: Fit) -> None:
    assert _stated(plants, fitted).id == "grant_after"


def test_a_simulated_finding_knows_its_true_effect_in_its_own_unit(chains: Panel) -> None:
    found = {f.claim: f for f in state(chains, fit_specifications(chains, "value_chains"))}
    assert all(finding.simulated for finding in found.values())
    share = chains.provenance.truth["noncompliance"]["committee"]
    assert found["committee_compliance"].true_effect == 100 * share
    assert found["committee_compliance"].unit == "percentage points"
    # 0.04 log points are declared for Bangladesh's garment factories.
    assert found["committee_productivity"].true_effect == 100 * math.expm1(0.04)


def test_questions_left_out_go_along_with_the_finding(chains: Panel) -> None:
    finding = state(chains, (fit(chains, "compliance_within"),))[0]
    assert len(finding.items_left_out) == 12
    assert finding.items_left_out == chains.items_left_out


def test_an_entry_of_the_findings_file_says_that_it_is_a_finding(
    plants: Panel, fitted: Fit
) -> None:
    finding = _stated(plants, fitted)
    entry = as_entry(finding)
    assert (entry["kind"], entry["id"]) == ("finding", "grant_after")
    assert entry["grade"] == {
        "label": finding.grade.label,
        "level": finding.grade.level,
        "reasons": finding.grade.reasons,
    }


def test_cases_are_counted_by_what_they_say() -> None:
    entries = [
        _entry("a", "decrease", -4.0, nobs=50, first_period=1998),
        _entry("b", "decrease", -9.0),
        _entry("c", "increase", 2.0, last_period=2010),
        _entry("d", "unclear", 30.0),
        _entry("e", "refused", None),
    ]
    (compared,) = compare_cases(entries)
    counts = {key: compared[key] for key in compared if key.startswith("n_")}
    assert counts == {
        "n_cases": 5,
        "n_decrease": 2,
        "n_increase": 1,
        "n_unclear": 2,
        "n_entities": 100,
    }
    assert compared["direction"] == "decrease"
    assert (compared["least"], compared["most"]) == (4.0, 9.0)
    assert (compared["nobs"], compared["first_period"], compared["last_period"]) == (
        450,
        1998,
        2010,
    )
    assert compared["findings"] == ["c_a", "c_b", "c_c", "c_d", "c_e"]
    assert (compared["id"], compared["kind"]) == ("c", "comparison")


def test_cases_that_balance_are_unclear_and_have_no_size() -> None:
    (compared,) = compare_cases([_entry("a", "decrease", -4.0), _entry("b", "increase", 3.0)])
    assert (compared["direction"], compared["least"], compared["most"]) == ("unclear", None, None)


def test_cases_that_say_nothing_are_unclear() -> None:
    (compared,) = compare_cases([_entry("a", "unclear", -4.0), _entry("b", "untested", 3.0)])
    assert (compared["direction"], compared["n_unclear"]) == ("unclear", 2)


def test_a_claim_that_stands_in_one_case_is_not_compared() -> None:
    assert compare_cases([_entry("a", "decrease", -4.0)]) == []


def test_claims_are_compared_apart_and_in_order() -> None:
    entries = [
        _entry(case, way, size, claim=claim)
        for claim, way, size in (("z", "decrease", -1.0), ("b", "increase", 2.0))
        for case in ("a", "b")
    ]
    compared = [(entry["id"], entry["direction"]) for entry in compare_cases(entries)]
    assert compared == [("b", "increase"), ("z", "decrease")]
