"""Findings that stay: what is declared is found again, by spells, by shares and by pairs."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from evidence.errors import MeasureError, PanelError, SourceError
from evidence.measures import (
    follow_remedies,
    list_spells,
    name_outcome,
    name_remedy_rate,
    score_compliance,
    score_measures,
    trace_findings,
)
from evidence.models import (
    estimate_interval_censored,
    fit,
    link_findings,
    list_lasting,
    make_spells,
)
from evidence.packs import load_questionnaire
from evidence.panel import Panel, build_panel
from evidence.sources import load_record, read_sources, simulate_factories
from evidence.study import load_study, select_case

ROOT = Path(__file__).parents[1]
KEYS = ["factory", "year"]


def _panel(slug: str) -> Panel:
    study = load_study(ROOT / "notebooks/studies" / f"{slug}.toml")
    snapshots = read_sources(study, select_case(study), 1)
    return build_panel(study, score_measures(study, snapshots))


@pytest.fixture(scope="module")
def remediation() -> Panel:
    return _panel("remediation")


@pytest.fixture(scope="module")
def recurrence() -> Panel:
    return _panel("root_causes")


def _number(table: pd.DataFrame, row: Hashable, column: str) -> float:
    return float(table[column].to_dict()[row])


def _miss(panel: Panel, specification: str) -> dict[str, float]:
    """Say how many standard errors each exposure's estimate lies from its truth."""
    fitted = fit(panel, specification)
    truth = panel.provenance.truth[fitted.specification.outcome]
    rows = fitted.estimates.set_index("term")
    return {
        term: abs(_number(rows, term, "estimate") - truth[term]) / _number(rows, term, "std_error")
        for term in fitted.specification.exposures
    }


def test_verified_remedies_recover_the_declared_ratios(remediation: Panel) -> None:
    # A single draw: tests/test_coverage.py counts over a hundred of them.
    assert max(_miss(remediation, "verified").values()) < 4
    assert max(_miss(remediation, "gate").values()) < 4


def test_claims_that_nobody_checked_draw_reported_remedies_towards_zero(remediation: Panel) -> None:
    terms = {s: fit(remediation, s).estimates.set_index("term") for s in ("verified", "reported")}
    committee = {name: _number(rows, "committee", "estimate") for name, rows in terms.items()}
    assert 0 < committee["reported"] < committee["verified"]
    assert terms["verified"]["unit"].unique() == ["log points"]


def test_the_management_system_is_found_where_it_was_declared(recurrence: Panel) -> None:
    assert max(_miss(recurrence, "remedies").values()) < 4
    repeated = fit(recurrence, "repeated").estimates.iloc[0]
    placebo = fit(recurrence, "next").estimates.iloc[0]
    assert repeated["conf_low"] > 0
    assert placebo["conf_low"] < 0 < placebo["conf_high"]


def test_a_specification_is_the_estimator_on_the_spells(remediation: Panel) -> None:
    spells = remediation.spells["remedy_rate"].reset_index()
    columns = ["committee", "union", "grievance"]
    joined = spells.merge(
        remediation.data[columns].reset_index(), on=["entity", "time"], validate="many_to_one"
    )
    direct = estimate_interval_censored(make_spells(joined, columns, clusters="entity"))
    told = fit(remediation, "verified_plain").estimates
    np.testing.assert_allclose(told["estimate"], direct.coefficients, rtol=1e-9)
    np.testing.assert_allclose(told["std_error"], direct.std_errors, rtol=1e-9)
    assert int(told["nobs"].iloc[0]) == direct.nobs
    assert int(told["n_entities"].iloc[0]) <= remediation.n_entities


def test_findings_that_describe_an_exposure_are_not_followed(remediation: Panel) -> None:
    items = set(remediation.spells["remedy_rate"].index.get_level_values("item"))
    assert remediation.items_left_out
    assert not items & set(remediation.items_left_out)


def test_lasting_shares_fall_and_start_from_all(remediation: Panel) -> None:
    table = list_lasting(remediation, "verified", "committee", days=(0, 90, 365, 730))
    assert (table.iloc[0] == 1).all()
    assert (table.diff().dropna() <= 0).all().all()
    assert _number(table, 365, "1") < _number(table, 365, "0")


def test_pairs_behind_the_declared_root_come_first(recurrence: Panel) -> None:
    links = link_findings(recurrence)
    own = {p.id for p in load_questionnaire(ROOT, "simulated").points
           if p.cluster == "safety_and_health"} - {"osh_management"}  # fmt: skip
    first = links[links["after"].str.removeprefix("noncompliant_on_").isin(own)].head(6)
    assert first.index.tolist() == list(range(6))
    assert set(first["before"]) == {"noncompliant_on_osh_management"}
    assert first["after"].is_unique
    assert (first["p_adjusted"] < 0.001).all()


def test_a_pair_is_least_squares_among_the_clean(recurrence: Panel) -> None:
    names = [f"noncompliant_on_{p}" for p in ("osh_management", "chemicals", "overtime")]
    links = link_findings(recurrence, names).set_index(["before", "after"])
    data = recurrence.data[names].reset_index()
    after = names[1]
    later = data.assign(time=data["time"] - 1)[["entity", "time", after]]
    rows = data.merge(later, on=["entity", "time"], suffixes=("", "_later"))
    rows = rows[rows[after] == 0]
    years = pd.get_dummies(rows["time"], dtype=float)
    columns = np.column_stack([rows[[names[0], names[2]]], years])
    slopes = np.linalg.lstsq(columns, rows[f"{after}_later"].to_numpy(), rcond=None)[0]
    for name, slope in zip((names[0], names[2]), slopes, strict=False):
        assert _number(links, (name, after), "excess") == pytest.approx(slope, abs=1e-9)
        assert _number(links, (name, after), "nobs") == len(rows)


def _history(findings: str, item: str = "q") -> pd.DataFrame:
    """Make a history: a sign a year, found (1), clean (0), not answered (-)."""
    told = [np.nan if sign == "-" else float(sign) for sign in findings]
    return pd.DataFrame(
        {"factory": "a", "year": range(2000, 2000 + len(told)), "item": item, "finding": told}
    )


@pytest.mark.parametrize(
    ("findings", "history"),
    [
        ("110011", ["", "repeated", "repeated", "returning", "returning", "repeated"]),
        ("0101", ["", "new", "repeated", "returning"]),
        ("1-1", ["", "", "repeated"]),
        ("001", ["", "new", "new"]),
    ],
)
def test_a_finding_has_the_history_that_came_before(findings: str, history: list[str]) -> None:
    assert trace_findings(_history(findings), KEYS).tolist() == history


def test_a_question_asked_later_is_new_and_not_without_a_past() -> None:
    answers = pd.concat([_history("00"), _history("-1", "r")], ignore_index=True)
    assert trace_findings(answers, KEYS).tolist() == ["", "new", "", "new"]


def test_the_parts_sum_to_the_rate(recurrence: Panel) -> None:
    rng = np.random.default_rng(1)
    answers = pd.concat(
        [
            _history("".join(rng.choice(list("01-"), 6, p=[0.5, 0.4, 0.1])), f"q{n}").assign(
                factory=unit
            )
            for unit in "abc"
            for n in range(20)
        ],
        ignore_index=True,
    )
    parts = tuple(f"noncompliance_{kind}" for kind in ("new", "repeated", "returning"))
    scored = score_compliance(answers, KEYS, leave_out=[], outcomes=("noncompliance", *parts))
    later = scored[scored["year"] > 2000]
    np.testing.assert_allclose(later[list(parts)].sum(axis=1), later["noncompliance"])
    assert scored.loc[scored["year"] == 2000, list(parts)].isna().all().all()
    outcome = name_outcome("noncompliance_repeated_fixed")
    assert outcome is not None
    assert (outcome.history, outcome.fixed) == ("repeated", True)


def test_spells_of_a_rate_stand_in_the_period_that_saw_them_first() -> None:
    answers = _history("0110").assign(
        date=pd.to_datetime(["2000-06-01", "2001-05-01", "2002-07-01", "2003-06-01"]),
        question="q",
        cluster="hours",
        critical=False,
    )
    rate = name_remedy_rate("remedy_rate_in_hours")
    assert rate is not None
    spells = follow_remedies(answers, KEYS, rate)
    direct = list_spells(answers, "factory")
    assert spells["year"].tolist() == [2001]
    assert spells[["lower", "upper"]].equals(direct[["lower", "upper"]])
    reported = name_remedy_rate("remedy_rate_reported")
    assert reported is not None
    with pytest.raises(MeasureError, match="remediated"):
        follow_remedies(answers, KEYS, reported)
    plans = pd.DataFrame(
        {"factory": ["a"], "question": ["q"], "remediated": pd.to_datetime(["2002-08-01"])}
    )
    exact = follow_remedies(answers, KEYS, reported, plans=plans)
    assert (exact["lower"] == exact["upper"]).all()


def test_an_outcome_behind_which_nothing_is_followed_is_refused(remediation: Panel) -> None:
    with pytest.raises(PanelError, match="no findings are followed"):
        fit(replace(remediation, spells={}), "verified")


def _simulate(**remedy: Any) -> dict[str, pd.DataFrame]:
    simulation = load_record(ROOT, "remedies").simulation
    assert simulation is not None
    assert simulation.remedy is not None
    own = replace(simulation.remedy, **remedy)
    return simulate_factories(replace(simulation, remedy=own), "KHM", "garment", 1)[0]


def test_a_standing_finding_ends_at_the_declared_hazard() -> None:
    tables = _simulate(daily=0.003, effects={}, pathways=(), onset=0.0)
    answers = tables["answers"].assign(
        date=lambda t: pd.to_datetime(t["Assesment.Start.Date"], format="%d/%m/%Y")
    )
    answers = answers[~answers["CP"].isin(["union_operations", "bipartite_committees",
                                           "dialogue_and_disputes"])]  # fmt: skip
    answers = answers.sort_values(["Factory.Assessed.ID", "Question.ID", "date"])
    groups = answers.groupby(["Factory.Assessed.ID", "Question.ID"])
    gap = groups["date"].diff().dt.days
    stood = (groups["Finding"].shift() == 1) & gap.notna()
    expected = np.exp(-0.003 * gap[stood])
    stays = answers.loc[stood, "Finding"]
    error = np.sqrt((expected * (1 - expected)).sum())
    assert abs(stays.sum() - expected.sum()) < 3 * error
    assert not ((groups["Finding"].shift() == 0) & (answers["Finding"] == 1)).any()


def test_true_reports_lie_between_the_assessments_that_bracket_the_remedy() -> None:
    plans = _simulate(reported=0.9, claimed=0.0)["plans"]
    assert len(plans) > 100
    assert not plans.duplicated().any()


def test_without_remedies_nothing_is_drawn_otherwise() -> None:
    simulation = load_record(ROOT, "remedies").simulation
    assert simulation is not None
    plain, _ = simulate_factories(replace(simulation, remedy=None), "KHM", "garment", 1)
    assert set(plain) == {"answers", "factories"}
    followed = _simulate()
    pd.testing.assert_frame_equal(plain["factories"], followed["factories"])
    first = followed["answers"]["Cycle"] == 1
    assert (plain["answers"]["Finding"][first] == followed["answers"]["Finding"][first]).all()
    assert plain["answers"]["Assesment.Start.Date"].str.startswith("01/06/").all()


def test_an_effect_of_what_nobody_has_is_refused() -> None:
    with pytest.raises(SourceError, match="canteen"):
        _simulate(effects={"canteen": 0.1})
