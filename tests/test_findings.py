"""A finding says in a known unit what an estimate says, and never more."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any, get_args

import pandas as pd
import pytest

from evidence.errors import FindingError
from evidence.findings import (
    Direction,
    Finding,
    Grade,
    as_entry,
    compare_cases,
    grade,
    in_natural_unit,
    state,
)
from evidence.models import Fit, fit, fit_specifications
from evidence.panel import Panel
from evidence.study import load_study
from samples import ROOT, make_project, read_panel, study_file

DESIGNS = ("pooled", "between", "random", "within")
CLUSTERS = (None, 2, 5, 6, 29, 30, 500)
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


def _grades() -> dict[tuple[str, bool, Direction, int | None], Grade]:
    grid = itertools.product(DESIGNS, (False, True), get_args(Direction), CLUSTERS)
    return {
        (design, two_way, way, n): grade(
            design=design, two_way=two_way, direction=way, n_clusters=n
        )
        for design, two_way, way, n in grid
    }


def _worse(way: Direction, clusters: int | None) -> list[tuple[Direction, int | None]]:
    """List what the same finding would be with one problem more."""
    told = way in {"increase", "decrease"}
    ways: list[Direction] = ["unclear", "untested", "refused"] if told else []
    fewer = [n for n in CLUSTERS if n is not None and (clusters is None or n < clusters)]
    return [(other, clusters) for other in ways] + [(way, n) for n in fewer]


def test_a_grade_is_a_function_of_its_arguments_alone() -> None:
    assert _grades() == _grades()


def test_one_problem_more_never_raises_a_grade() -> None:
    grades = _grades()
    compared = 0
    for (design, two_way, way, clusters), before in grades.items():
        for other_way, fewer in _worse(way, clusters):
            after = grades[design, two_way, other_way, fewer]
            assert after.level <= before.level, (design, two_way, way, clusters, other_way, fewer)
            assert LABELS.index(after.label) <= LABELS.index(before.label)
            compared += 1
    assert compared > len(grades)


def test_a_weaker_design_never_raises_a_grade() -> None:
    grades = _grades()
    for (design, two_way, way, clusters), weaker in grades.items():
        stronger = grades["within", True, way, clusters]
        assert weaker.level <= stronger.level, (design, two_way)
        assert LABELS.index(weaker.label) <= LABELS.index(stronger.label), (design, two_way)


def test_more_reasons_within_a_design_never_go_with_a_higher_level() -> None:
    grades = _grades()
    for design, two_way in itertools.product(DESIGNS, (False, True)):
        group = [g for key, g in grades.items() if key[:2] == (design, two_way)]
        for one, other in itertools.permutations(group, 2):
            if set(one.reasons) < set(other.reasons):
                assert other.level <= one.level, (one, other)


@pytest.mark.parametrize(
    ("design", "two_way", "direction", "clusters", "label", "level"),
    [
        ("within", True, "decrease", 30, "low", 2),
        ("within", False, "decrease", 30, "very low", 1),
        ("within", True, "decrease", 29, "very low", 1),
        ("within", True, "decrease", 5, "cannot tell", 1),
        ("within", True, "unclear", 30, "cannot tell", 1),
        ("pooled", True, "increase", 500, "very low", 1),
        ("random", False, "increase", 500, "very low", 1),
        ("between", False, "increase", 500, "very low", 1),
    ],
)
def test_a_grade_takes_a_level_away_for_each_problem(
    design: str, *, two_way: bool, direction: Direction, clusters: int, label: str, level: int
) -> None:
    found = grade(design=design, two_way=two_way, direction=direction, n_clusters=clusters)
    assert (found.label, found.level) == (label, level)


@pytest.mark.parametrize("direction", ["unclear", "untested", "refused"])
@pytest.mark.parametrize("design", DESIGNS)
def test_a_finding_without_a_direction_cannot_tell(design: str, direction: Direction) -> None:
    found = grade(design=design, two_way=True, direction=direction, n_clusters=500)
    assert found.label == "cannot tell"


def test_the_reasons_of_a_grade_name_design_and_every_problem() -> None:
    found = grade(design="between", two_way=False, direction="unclear", n_clusters=5)
    assert found.reasons == (
        "design_between",
        "unlike_units",
        "interval_spans_zero",
        "few_clusters",
        "very_few_clusters",
    )
    assert found.level == 1


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
    assert finding.rows == (row,)
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
    ids = [
        finding.id
        for case in study.cases
        for finding in state(chains, tuple(replace(each, case=case.id) for each in one))
    ]
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
