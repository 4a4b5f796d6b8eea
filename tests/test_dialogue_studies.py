"""Studies of dialogue beside compliance and productivity find again what was declared."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest

import evidence as ev
from evidence.findings import Finding
from evidence.models import Fit
from evidence.panel import Panel
from evidence.sources import load_record, read_snapshot
from samples import ROOT, make_project

CLUSTERS = ("safety_and_health", "compensation", "working_time", "contracts")
PARTS = ("committee_safety", "committee_compensation", "committee_working_time",
         "committee_contracts")  # fmt: skip


@cache
def _run(
    slug: str, root: str, number: int = 0
) -> tuple[Panel, tuple[Fit, ...], tuple[Finding, ...]]:
    """Do what the study's notebook does, for one of its cases."""
    plan = ev.load_study(f"{root}/notebooks/studies/{slug}.toml")
    case = plan.cases[number]
    panel = ev.build_panel(plan, ev.score_measures(plan, ev.read_sources(plan, case, 1)))
    fits = ev.fit_specifications(panel, slug, case=case.id)
    return panel, fits, ev.state(panel, fits)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make_project(tmp_path_factory.mktemp("dialogue")))


def _by_claim(found: tuple[Finding, ...]) -> dict[str, Finding]:
    return {finding.claim: finding for finding in found}


def _covers(finding: Finding, truth: float) -> bool:
    assert finding.conf_low is not None
    assert finding.conf_high is not None
    return finding.conf_low <= truth <= finding.conf_high


def _lies_off(finding: Finding, truth: float) -> float:
    """Say how many standard errors an estimate lies off."""
    assert finding.estimate is not None
    assert finding.conf_low is not None
    return abs(finding.estimate - truth) / ((finding.estimate - finding.conf_low) / 1.96)


def _list_truths() -> dict[str, float]:
    """Declare what a committee goes with in each cluster: relative difference × mean rate."""
    record = load_record(ROOT, "value_chains")
    assert record.simulation is not None
    (case,) = (c for c in record.simulation.cases if (c.country, c.sector) == ("BGD", "garment"))
    truths = {}
    for cluster in CLUSTERS:
        rates = [
            1 - (1 - point.rate) ** (1 / point.items)
            for point in record.simulation.points
            if point.cluster == cluster and not point.institution
            for _ in range(point.items)
        ]
        truths[cluster] = 100 * case.noncompliance["committee"] * float(np.mean(rates))
    return truths


def test_compliance_finds_again_what_was_declared(root: str) -> None:
    found = _by_claim(_run("dialogue_and_compliance", root)[2])
    for claim in ("committee_within", "agreement_within", "union_within"):
        truth = found[claim].true_effect
        assert truth is not None
        assert _covers(found[claim], truth), claim
    assert found["committee_within"].direction == "decrease"
    truths = _list_truths()
    for claim, cluster in zip(PARTS, CLUSTERS, strict=True):
        assert _lies_off(found[claim], truths[cluster]) < 3.3, claim
    assert list(found)[-1] == "placebo_next_year"
    assert found["placebo_next_year"].direction == "unclear"


@pytest.mark.parametrize("number", [0, 1, 2])
def test_every_claim_and_the_placebo_stand_in_every_country(root: str, number: int) -> None:
    panel, _, found = _run("dialogue_and_compliance", root, number)
    assert [finding.claim for finding in found] == [claim.id for claim in panel.study.claims]
    assert all(finding.estimate is not None for finding in found)
    assert found[-1].direction == "unclear"
    assert found[0].true_effect is not None
    assert _covers(found[0], found[0].true_effect)


def test_within_and_pooled_stand_beside_each_other_in_words_of_their_own(root: str) -> None:
    found = _by_claim(_run("dialogue_and_compliance", root)[2])
    pooled, within = found["committee_pooled"], found["committee_within"]
    assert (pooled.wording, within.wording) == ("pooled", "within")
    assert (pooled.outcome, pooled.exposure) == (within.outcome, within.exposure)
    assert pooled.controls == within.controls


def test_functioning_is_the_share_of_its_questions_without_a_finding(root: str) -> None:
    panel = _run("dialogue_and_compliance", root)[0]
    case = {"country": "BGD", "sector": "garment"}
    snapshot = read_snapshot(panel.study.root, "value_chains", seed=1, case=case)
    answers = snapshot.tables["answers"]
    asked = answers[answers["point"] == "bipartite_committees"]
    expected = 1 - asked.groupby(["factory", "year"])["finding"].mean()
    found = panel.data["committee_functioning"].to_numpy(dtype=float)
    assert found == pytest.approx(expected.to_numpy(dtype=float))
    assert {"bipartite_committees.1", "dialogue_and_disputes.1"} <= set(panel.items_left_out)


def test_a_family_is_adjusted_by_benjamini_and_hochberg(root: str) -> None:
    family = ev.list_family(_run("dialogue_and_compliance", root)[2])
    found = _run("dialogue_and_compliance", root)[2]
    p_values = np.sort([f.p_value for f in found if f.p_value is not None])
    scaled = p_values * len(p_values) / np.arange(1, len(p_values) + 1)
    expected = np.minimum.accumulate(scaled[::-1])[::-1].clip(max=1)
    assert family["p_adjusted"].to_numpy() == pytest.approx(expected, abs=1e-4)
    assert set(family["n_tests"]) == {9}
    assert family["p_value"].is_monotonic_increasing


def test_the_business_case_finds_again_what_was_declared(root: str) -> None:
    found = _by_claim(_run("dialogue_and_productivity", root)[2])
    told = ("productivity", "compliance", "turnover", "orders", "absenteeism", "closing")
    for claim in told:
        truth = found[claim].true_effect
        assert truth is not None
        assert _covers(found[claim], truth), claim
    assert found["productivity"].true_effect == pytest.approx(100 * math.expm1(0.05 + 0.4 * 0.1))
    assert found["placebo_next_year"].direction == "unclear"
    assert list(found)[-1] == "placebo_next_year"


def test_what_goes_along_with_compliance_is_the_product_of_its_two_steps(root: str) -> None:
    _, fits, findings = _run("dialogue_and_productivity", root)
    found = {
        (row["specification"], row["term"]): row
        for fit in fits
        for row in fit.estimates.to_dict("records")
    }
    beside = found["beside_compliance", "functioning"]
    along = found["within", "functioning"]["estimate"] - beside["estimate"]
    last = found["beside_compliance", "noncompliance"]["estimate"]
    assert along == pytest.approx(found["compliance", "functioning"]["estimate"] * last, rel=1e-6)
    assert _by_claim(findings)["beside_compliance"].true_effect is None
    assert beside["conf_low"] < 0.05 < beside["conf_high"]


def test_the_dynamic_panel_agrees_and_its_own_tests_hold(root: str) -> None:
    _, fits, _ = _run("dialogue_and_productivity", root)
    (dynamic,) = (fit for fit in fits if fit.specification.id == "dynamic")
    (row,) = dynamic.estimates.query("term == 'functioning'").to_dict("records")
    assert row["conf_low"] < 0.05 + 0.4 * 0.1 < row["conf_high"]
    checks = {check.name: check.p_value for check in dynamic.diagnostics}
    assert checks["ar2"] > 0.05
    assert checks["hansen"] > 0.05
