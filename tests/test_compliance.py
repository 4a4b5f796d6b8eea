"""Compliance by its three definitions, by hand; what is left out; the yardstick."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from assessments import (
    EXPOSED,
    FACTORY,
    KEYS,
    OUTCOME,
    append,
    ask,
    measure,
    study_of,
    write_tables,
)
from evidence.errors import MeasureError
from evidence.findings import state
from evidence.measures import (
    map_answers,
    name_outcome,
    rate_compliance,
    score_compliance,
    score_measures,
)
from evidence.models import fit
from evidence.packs import load_law, load_questionnaire
from evidence.panel import build_panel
from evidence.sources import read_sources
from evidence.study import Study, load_study
from samples import ROOT, Section, declare, make_project, specify, study_file, write_study

NAN = float("nan")
BETTER_WORK = load_questionnaire(ROOT, "better_work")
COLUMNS = "factory year assessment cluster point question kind finding tags country"
ASSOCIATION = "Freedom of Association and Collective Bargaining"
# Two factories of Viet Nam; a has an earlier assessment in 2020, both one good-practice row.
HAND = ask(
    COLUMNS,
    ("a", 2020, 7, "Compensation", "Paid Leave", "q1", "LAW", 1, "", "VNM"),
    ("a", 2020, 9, "Compensation", "Paid Leave", "q1", "LAW", 0, "", "VNM"),
    ("a", 2020, 9, "Compensation", "Paid Leave", "q2", "LAW", 1, "Public Disclosure", "VNM"),
    ("a", 2020, 9, ASSOCIATION, "Collective Bargaining", "q3", "LAW", 0, "", "VNM"),
    ("a", 2020, 9, ASSOCIATION, "Collective Bargaining", "q4", "LAW", NAN, "", "VNM"),
    ("a", 2020, 9, ASSOCIATION, "Strikes", "q5", "FGW", 1, "", "VNM"),
    ("b", 2021, 8, "Compensation", "Paid Leave", "q1", "LAW", 0, "", "VNM"),
    ("b", 2021, 8, "Compensation", "Paid Leave", "q2", "LAW", 0, "x; Public Disclosure", "VNM"),
    ("b", 2021, 8, ASSOCIATION, "Collective Bargaining", "q3", "LAW", 1, "", "VNM"),
    ("b", 2021, 8, ASSOCIATION, "Collective Bargaining", "q4", "LAW", 1, "", "VNM"),
)
FIXED = ("", "_fixed", "_common", "_fixed_common")
ITEMS = 5


def _map(frame: pd.DataFrame) -> pd.DataFrame:
    return map_answers(frame, BETTER_WORK, {}, KEYS).data


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("noncompliance", [1 / 3, 2 / 4]),
        ("points_noncompliant", [1 / 2, 1 / 2]),
        ("critical_met", [0.0, 1.0]),
        ("noncompliant_on_paid_leave", [1.0, 0.0]),
        ("noncompliant_on_collective_bargaining", [0.0, 1.0]),
        ("noncompliance_in_compensation", [1 / 2, 0.0]),
        ("noncompliance_in_association_and_bargaining", [0.0, 1.0]),
    ],
)
def test_each_outcome_is_what_a_hand_counts(name: str, expected: list[float]) -> None:
    scored = score_compliance(_map(HAND), KEYS, leave_out=[], outcomes=(name,))
    assert scored[name].tolist() == expected
    assert scored["questions"].tolist() == [3, 4]


def test_public_rates_are_those_of_the_latest_assessments() -> None:
    rates = rate_compliance(_map(HAND), KEYS).set_index("point")
    counted = rates[["units", "noncompliant", "rate"]].T
    assert counted["paid_leave"].tolist() == [2, 1, 0.5]
    assert counted["collective_bargaining"].tolist() == [2, 1, 0.5]
    overall = rates[rates.index == ""].set_index("definition")["rate"]
    assert overall["mean share of questions"] == (1 / 3 + 2 / 4) / 2
    assert overall["units that meet all critical issues"] == 0.5
    assert "strikes" not in rates.index


def test_the_largest_identifier_is_the_latest_assessment_whatever_its_year() -> None:
    rows = ask(
        COLUMNS,
        ("a", 2021, 3, "", "Strikes", "q1", "LAW", 1, "", "VNM"),
        ("a", 2020, 10, "", "Strikes", "q1", "LAW", 0, "", "VNM"),
    )
    by_number = rate_compliance(_map(rows), KEYS).set_index("point")["rate"]
    by_year = rate_compliance(_map(rows.drop(columns="assessment")), KEYS).set_index("point")
    assert by_number["strikes"] == 0
    assert by_year.loc["strikes", "rate"] == 1


def test_a_unit_without_an_answer_on_a_point_is_not_rated_on_it() -> None:
    rows = ask(
        COLUMNS,
        ("a", 2021, 1, "", "Strikes", "q1", "LAW", NAN, "Public Disclosure", "VNM"),
        ("a", 2021, 1, "", "Leave", "q2", "LAW", 1, "", "VNM"),
        ("b", 2021, 2, "", "Strikes", "q1", "LAW", 1, "Public Disclosure", "VNM"),
    )
    rates = rate_compliance(_map(rows), KEYS)
    strikes = rates[rates["point"] == "strikes"].iloc[0]
    assert (strikes["units"], strikes["rate"]) == (1, 1.0)
    critical = rates[rates["definition"] == "units that meet all critical issues"].iloc[0]
    assert (critical["units"], critical["rate"]) == (1, 0.0)


def _break(frame: pd.DataFrame) -> pd.DataFrame:
    """Set a yardstick and common items of our own: q2 is judged again, q3 cannot be."""
    data = _map(frame)
    data["finding_fixed"] = data["finding"]
    data.loc[data["item"].str.endswith(".q2"), "finding_fixed"] = 0.0
    data.loc[data["item"].str.endswith(".q3"), "finding_fixed"] = NAN
    data["common"] = ~data["item"].str.endswith(".q1")
    return data


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("noncompliance", [(1 / 3, 2 / 4), (0.0, 1 / 3), (1 / 2, 2 / 3), (0.0, 1 / 2)]),
        ("points_noncompliant", [(1 / 2, 1 / 2), (0.0, 1 / 2), (1 / 2, 1 / 2), (0.0, 1 / 2)]),
        ("critical_met", [(0.0, 1.0), (1.0, 1.0), (0.0, 1.0), (1.0, 1.0)]),
        ("noncompliant_on_paid_leave", [(1.0, 0.0), (0.0, 0.0), (1.0, 0.0), (0.0, 0.0)]),
        (
            "noncompliance_in_association_and_bargaining",
            [(0.0, 1.0), (NAN, 1.0), (0.0, 1.0), (NAN, 1.0)],
        ),
    ],
)
def test_yardstick_and_common_items_change_what_is_counted(
    base: str, expected: list[tuple[float, float]]
) -> None:
    data = _break(HAND)
    for suffix, values in zip(FIXED, expected, strict=True):
        name = f"{base}{suffix}"
        scored = score_compliance(data, KEYS, leave_out=[], outcomes=(name,))[name]
        np.testing.assert_array_equal(scored.to_numpy(), np.array(values), err_msg=name)


def test_public_rates_follow_the_yardstick_and_the_common_items() -> None:
    rates = rate_compliance(_break(HAND), KEYS, fixed=True, common=True).set_index("point")
    counted = rates[["units", "noncompliant"]].T
    assert counted["paid_leave"].tolist() == [2, 0]
    assert counted["collective_bargaining"].tolist() == [1, 1]


def test_a_name_says_definition_law_and_items() -> None:
    outcome = name_outcome("noncompliant_on_paid_leave_fixed_common")
    assert outcome is not None
    assert outcome.definition == {
        "counted": "on_point",
        "part": "paid_leave",
        "law": "fixed",
        "items": "common",
        "day": "",
    }
    assert name_outcome("noncompliance_of_all") is None


def test_the_order_of_rows_changes_nothing() -> None:
    names = ("noncompliance", "points_noncompliant_common", "critical_met_fixed")
    one = score_compliance(_map(HAND), KEYS, leave_out=[], outcomes=names)
    for seed in range(5):
        shuffled = HAND.sample(frac=1, random_state=seed)
        other = score_compliance(_map(shuffled), KEYS, leave_out=[], outcomes=names)
        pd.testing.assert_frame_equal(one, other)


def test_new_names_for_factories_change_nothing_but_the_names() -> None:
    renamed = HAND.assign(factory=HAND["factory"].map({"a": "9", "b": "1"}))
    one = score_compliance(_map(HAND), KEYS, leave_out=[])
    other = score_compliance(_map(renamed), KEYS, leave_out=[]).iloc[::-1].reset_index(drop=True)
    pd.testing.assert_frame_equal(one.drop(columns="factory"), other.drop(columns="factory"))
    assert rate_compliance(_map(HAND), KEYS).equals(rate_compliance(_map(renamed), KEYS))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"finding": 2.0}, r"finding '2\.0'; expected 1 for a finding, 0 for none"),
        ({"factory": None}, "10 rows without factory or year"),
        ({"assessment": 7}, "question 'q1' .* answered more than once for one factory at year"),
    ],
)
def test_answers_that_cannot_be_counted_are_refused(
    change: dict[str, float | None], message: str
) -> None:
    frame = HAND.copy()
    for column, value in change.items():
        frame[column] = value
    with pytest.raises(MeasureError, match=message):
        _map(frame)


@pytest.mark.parametrize("missing", [NAN, "nine"])
def test_the_latest_of_assessments_that_are_no_numbers_is_not_guessed(missing: object) -> None:
    frame = HAND.assign(assessment=HAND["assessment"].astype(object).where(HAND.index > 0, missing))
    with pytest.raises(MeasureError, match="several assessments of one factory in one year"):
        _map(frame)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("noncompliant", "'noncompliant'; expected noncompliance"),
        ("noncompliant_on_leaves", "expected one of collective_bargaining, paid_leave"),
        ("noncompliance_in_osh", "expected one of association_and_bargaining, compensation"),
    ],
)
def test_an_outcome_that_counts_nothing_is_refused(name: str, message: str) -> None:
    with pytest.raises(MeasureError, match=message):
        score_compliance(_map(HAND), KEYS, leave_out=[], outcomes=(name,))


def test_an_outcome_without_its_column_is_refused() -> None:
    with pytest.raises(MeasureError, match="expected also finding_fixed, common"):
        score_compliance(HAND, KEYS, leave_out=[], outcomes=("noncompliance_fixed_common",))


# Viet Nam 2021: a factory with two dialogues a year broke the law until 2020 and has kept
# it since, without doing anything.


def _simulate(country: str, count: int, start: int, *, exposed: int) -> pd.DataFrame:
    """Simulate factories: the exposed hold two dialogues a year, others five, in all years."""
    rng = np.random.default_rng(start)
    rows = []
    for factory in range(start, start + count):
        held = 2 if factory - start < exposed else 5
        others = rng.integers(0, 2, ITEMS)
        for year in range(2019, 2023):
            due = 4 if year < 2021 or country != "VNM" else 1
            told = [("workplace_dialogue_held", int(held < due), float(held))]
            told += [(f"q{n}", int(others[n]), NAN) for n in range(ITEMS)]
            rows += [(f"f{factory:03d}", year, country, *answer) for answer in told]
    return pd.DataFrame(rows, columns=[*KEYS, "country", "question", "finding", "answer"])


def _effect(
    root: Path, answers: pd.DataFrame, exposure: pd.DataFrame, outcome: str, level: str
) -> float:
    """Go the public way: study, record, measures, panel, estimate."""
    write_tables(
        root,
        {"answers": (answers, [*KEYS, "question"]), "units": (exposure, KEYS)},
        questionnaire="better_work",
    )
    variables: list[Section] = [
        *FACTORY,
        declare("country", "cluster", "country"),
        declare("x", "exposure", level),
        declare(outcome, "outcome", "factory-cycle", "share"),
    ]
    common = not exposure.groupby("year")["x"].nunique().gt(1).any()
    effects = ["entity"] if common else ["entity", "time"]
    role = "replication" if common else "headline"
    specs = [
        specify("s", "fixed_effects", "x", outcome=outcome, effects=effects, role=role),
        specify("claimed", "fixed_effects", "x", outcome=outcome, effects=effects),
    ]
    study = write_study(root, variables, specs)
    panel = build_panel(study, measure(study))
    table = fit(panel, "s", case="all").estimates.set_index("term")
    return float(table["estimate"]["x"])


def _units(answers: pd.DataFrame, x: pd.Series) -> pd.DataFrame:
    return answers.assign(x=x.astype("int64"))[[*KEYS, "x"]].drop_duplicates()


COMPARISONS = ("before and after", "exposed and unexposed", "one of two countries")


def _compare(name: str) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    if name == "before and after":
        answers = _simulate("VNM", 20, 0, exposed=20)
        return answers, _units(answers, answers["year"] >= 2021), "country"
    answers = _simulate("VNM", 20, 0, exposed=10)
    treated = answers["factory"] < "f010"
    if name == "one of two countries":
        others = _simulate("KHM", 20, 100, exposed=10)
        answers = pd.concat([_simulate("VNM", 20, 0, exposed=20), others], ignore_index=True)
        treated = answers["country"] == "VNM"
        return answers, _units(answers, treated & (answers["year"] >= 2021)), "country"
    return answers, _units(answers, treated & (answers["year"] >= 2021)), "factory-cycle"


@pytest.mark.parametrize("name", COMPARISONS)
@pytest.mark.parametrize("recorded", [True, False], ids=["number recorded", "finding only"])
def test_a_changed_law_looks_like_an_effect_and_on_a_fixed_yardstick_it_is_none(
    tmp_path: Path, name: str, *, recorded: bool
) -> None:
    answers, units, level = _compare(name)
    if not recorded:
        answers = answers.drop(columns="answer")
    root = make_project(tmp_path)
    moved = _effect(root, answers, units, "noncompliance", level)
    fixed = _effect(root, answers, units, "noncompliance_fixed", level)
    # One question of six changes from broken to kept; sums of sixths round in binary.
    assert moved == pytest.approx(-1 / (ITEMS + 1), abs=1e-12)
    assert abs(fixed) <= 1e-12


def test_an_item_without_its_number_is_out_of_the_fixed_index_and_listed() -> None:
    answers = _simulate("VNM", 3, 0, exposed=3)
    laws = {"VNM": load_law(ROOT, "VNM")}
    told = map_answers(answers, BETTER_WORK, laws, KEYS)
    assert (told.rejudged, told.unjudged) == (("workplace_dialogue_held",), ())
    bare = map_answers(answers.drop(columns="answer"), BETTER_WORK, laws, KEYS)
    assert (bare.rejudged, bare.unjudged) == ((), ("workplace_dialogue_held",))
    assert told.yardstick == bare.yardstick == "2019-07-01"
    held = bare.data["item"] == "workplace_dialogue_held"
    assert bare.data.loc[held, "finding_fixed"].isna().all()
    assert (bare.data["finding_fixed"] == bare.data["finding"])[~held].all()


# Leave-out.


def _committee_answers(flip: tuple[str, ...] = ()) -> pd.DataFrame:
    """Ask six factories in two years about everything dialogue is made of, and the rest."""
    rng = np.random.default_rng(3)
    asked = [
        ("Dialogue, Discipline and Disputes", "workplace_dialogue_mechanisms"),
        ("Dialogue, Discipline and Disputes", "k1"),
        ("OSH Management Systems", "k2"),
        ("Collective Bargaining", "k3"),
        ("Union Operations", "k4"),
        ("Freedom to Associate", "k5"),
        ("Paid Leave", "k6"),
        ("Paid Leave", "k7"),
        ("Overtime", "k8"),
    ]
    rows = [
        (f"f{unit}", year, point, question, int(rng.integers(0, 2)))
        for unit in range(6)
        for year in (2019, 2020)
        for point, question in asked
    ]
    frame = pd.DataFrame(rows, columns=[*KEYS, "point", "question", "finding"])
    frame["country"] = "BGD"
    flipped = frame["question"].isin(flip)
    return frame.assign(finding=frame["finding"].where(~flipped, 1 - frame["finding"]))


def _committee_units() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    units = _committee_answers()[KEYS].drop_duplicates().reset_index(drop=True)
    flags = ["committee", "y", "agreement_exists", "freely_elected", "union_seated", "equal_sides",
             "minutes_kept", "issues_closed"]  # fmt: skip
    for flag in flags:
        units[flag] = rng.integers(0, 2, len(units))
    return units.assign(workers=100, workers_covered=range(len(units)), grievances=5)


def _measure_exposed(
    root: Path, exposure: str, *more: Section, flip: tuple[str, ...] = ()
) -> Study:
    workers = _committee_units()[KEYS].assign(worker="w1", agreement_known=1)
    write_tables(
        root,
        {
            "answers": (_committee_answers(flip), [*KEYS, "question"]),
            "units": (_committee_units(), KEYS),
            "workers": (workers, [*KEYS, "worker"]),
        },
        questionnaire="better_work",
    )
    given = [section for section in more if section["name"] == exposure]
    exposed = given or [declare(exposure, "exposure", "factory-cycle")]
    rest = [section for section in more if section["name"] != exposure]
    return study_of(root, OUTCOME, *exposed, *rest, exposure=exposure)


COMMITTEE = {"workplace_dialogue_mechanisms", "dialogue_and_disputes.k1", "osh_management.k2"}
UNION = {"collective_bargaining.k3", "union_operations.k4", "freedom_to_associate.k5"}


@pytest.mark.parametrize(
    ("exposure", "expected"),
    [
        ("committee", COMMITTEE),
        ("lag1_committee", COMMITTEE),
        ("d_committee", COMMITTEE),
        ("committee_functioning", COMMITTEE),
        ("d_committee_functioning", COMMITTEE),
        ("freely_elected", COMMITTEE),
        ("union_formation", UNION),
        ("union_bargaining", UNION),
        ("agreement_awareness_known", {"collective_bargaining.k3"}),
        ("agreement_awareness_gap", {"collective_bargaining.k3"}),
        ("agreement_exists", {"collective_bargaining.k3"}),
        ("agreement_coverage", {"collective_bargaining.k3"}),
        ("log_agreement_coverage", {"collective_bargaining.k3"}),
        ("grievance_use", {"workplace_dialogue_mechanisms", "dialogue_and_disputes.k1"}),
        ("noncompliant_on_overtime", {"overtime.k8"}),
        ("lag1_noncompliance_in_compensation", {"paid_leave.k6", "paid_leave.k7"}),
        ("workers", set()),
    ],
)
def test_items_on_an_exposure_are_left_out_however_it_is_named(
    tmp_path: Path, exposure: str, expected: set[str]
) -> None:
    root = make_project(tmp_path)
    measured = measure(_measure_exposed(root, exposure))
    assert set(measured.items_left_out) == expected
    codes = tuple(item.rpartition(".")[2] for item in measured.items_left_out)
    flipped = measure(_measure_exposed(root, exposure, flip=codes))
    pd.testing.assert_series_equal(
        measured.data["noncompliance"], flipped.data["noncompliance"], check_exact=True
    )


def test_an_exposure_made_of_findings_keeps_its_own_items(tmp_path: Path) -> None:
    study = _measure_exposed(make_project(tmp_path), "noncompliance_in_compensation")
    answers = _committee_answers()
    paid = answers[answers["point"] == "Paid Leave"].groupby(KEYS)["finding"].mean()
    rest = answers[answers["point"] != "Paid Leave"].groupby(KEYS)["finding"].mean()
    data = measure(study).data.set_index(KEYS)
    # Means of seven and of two flags: the same sums in the same order.
    assert data["noncompliance_in_compensation"].tolist() == paid.tolist()
    assert data["noncompliance"].tolist() == rest.tolist()


def test_noncompliance_may_be_an_exposure_itself(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    _measure_exposed(root, "committee")
    outcome = declare("y", "outcome", "factory-cycle")
    exposed = declare("noncompliance", "exposure", "factory-cycle")
    study = study_of(root, outcome, exposed, exposure="noncompliance", outcome="y")
    measured = measure(study)
    assert measured.items_left_out == ()
    expected = _committee_answers().groupby(KEYS)["finding"].mean().tolist()
    assert measured.data["noncompliance"].tolist() == expected


def test_the_whole_as_an_exposure_of_a_part_leaves_nothing_and_is_refused(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    _measure_exposed(root, "committee")
    part = declare("noncompliance_in_compensation", "outcome", "factory-cycle", "share")
    exposed = declare("noncompliance", "exposure", "factory-cycle")
    study = study_of(root, part, exposed, exposure="noncompliance", outcome=str(part["name"]))
    with pytest.raises(
        MeasureError, match="no question with an answer that is not part of an exposure"
    ):
        measure(study)


def test_a_variable_may_tell_its_institution(tmp_path: Path) -> None:
    told = {**declare("y", "exposure", "factory-cycle"), "institution": ["committee"]}
    measured = measure(_measure_exposed(make_project(tmp_path), "y", told))
    assert set(measured.items_left_out) == COMMITTEE


def test_an_institution_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    told = {**declare("y", "exposure", "factory-cycle"), "institution": ["comittee"]}
    study = _measure_exposed(make_project(tmp_path), "y", told)
    with pytest.raises(MeasureError, match="'comittee'; expected one of agreement, committee"):
        measure(study)


def test_a_control_is_no_exposure(tmp_path: Path) -> None:
    control = declare("committee", "control", "factory-cycle")
    measured = measure(_measure_exposed(make_project(tmp_path), "workers", control))
    assert measured.items_left_out == ()


def test_a_pairs_column_is_not_taken_for_any_gap(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    write_tables(
        root,
        {
            "answers": (_committee_answers(), [*KEYS, "question"]),
            "units": (_committee_units()[[*KEYS, "y"]].rename(columns={"y": "gap"}), KEYS),
        },
        questionnaire="better_work",
    )
    exposed = declare("gap", "exposure", "factory-cycle")
    assert measure(study_of(root, OUTCOME, exposed, exposure="gap")).items_left_out == ()


def test_the_items_left_out_reach_the_finding(tmp_path: Path) -> None:
    study = _measure_exposed(make_project(tmp_path), "committee")
    panel = build_panel(study, measure(study))
    (finding,) = state(panel, (fit(panel, "s", case="all"),))
    assert set(finding.items_left_out) == COMMITTEE


def test_one_country_s_code_is_left_out_and_not_its_namesake(tmp_path: Path) -> None:
    rows = [
        (unit, year, country, point, "12", finding)
        for unit, country, point, finding in (
            ("a", "KHM", "Collective Bargaining", 1),
            ("b", "BGD", "Paid Leave", 0),
        )
        for year in (2019, 2020)
    ]
    rows += [("a", year, "KHM", "Leave", "13", 1) for year in (2019, 2020)]
    answers = pd.DataFrame(rows, columns=[*KEYS, "country", "point", "question", "finding"])
    units = answers[KEYS].drop_duplicates().assign(agreement=[1, 0, 0, 1])
    root = make_project(tmp_path)
    write_tables(
        root,
        {"answers": (answers, [*KEYS, "question"]), "units": (units, KEYS)},
        questionnaire="better_work",
    )
    exposed = declare("agreement", "exposure", "factory-cycle")
    measured = measure(study_of(root, OUTCOME, exposed, exposure="agreement"))
    assert measured.items_left_out == ("collective_bargaining.12",)
    assert measured.data["noncompliance"].tolist() == [1.0, 1.0, 0.0, 0.0]


# Ledger.


def test_every_row_of_answers_is_accounted_for(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    units = pd.DataFrame({"factory": ["a", "b"], "year": [2020, 2021], "agreement": [1, 0]})
    write_tables(
        root,
        {"answers": (HAND, [*KEYS, "assessment", "question"]), "units": (units, KEYS)},
        questionnaire="better_work",
    )
    more = declare("noncompliance_fixed_common", "outcome", "factory-cycle", "share")
    exposed = declare("agreement", "exposure", "factory-cycle")
    measured = measure(study_of(root, OUTCOME, more, exposed, exposure="agreement"))
    steps = measured.steps.set_index("step")["rows"]
    chain = ["answers", "findings", "latest assessment", "exposures", "answered"]
    assert steps["read sample.answers"] == len(HAND)
    assert steps[chain].tolist() == [10, 9, 8, 4, 4]
    lost = [before - after for before, after in pairwise(steps[chain])]
    assert lost == [1, 1, 4, 0]
    assert steps["answers"] - sum(lost) == steps["answered"]
    scored = score_compliance(
        _map(HAND), KEYS, leave_out=list(measured.items_left_out), outcomes=("noncompliance",)
    )
    assert scored["questions"].sum() == steps["answered"]
    assert steps["score compliance"] == len(scored) == len(measured.data)


def test_rows_lost_in_the_shipped_study_add_up() -> None:
    study = load_study(study_file(ROOT, "value_chains"))
    measured = score_measures(study, read_sources(study, study.cases[0], 0))
    steps = measured.steps.drop_duplicates("step", keep="last").set_index("step")["rows"]
    assert measured.answers is not None
    data = measured.answers.data
    out = data["item"].isin(measured.items_left_out)
    assert steps["answers"] == steps["read value_chains.answers"]
    assert steps["findings"] - steps["exposures"] == out.sum()
    assert steps["exposures"] - steps["answered"] == data.loc[~out, "finding"].isna().sum()


# Joins.


def _two(root: Path, first: pd.DataFrame, second: pd.DataFrame) -> None:
    write_tables(root, {"first": (first, KEYS), "second": (second, KEYS)})


FIRST = pd.DataFrame({"factory": ["a", "a", "b"], "year": [2001, 2002, 2001], "y": [1, 2, 3]})
SECOND = pd.DataFrame({"factory": ["a", "a", "c"], "year": [2000, 2001, 2001], "x": [5, 6, 7]})
Y = declare("y", "outcome", "factory-cycle")


def test_the_first_tables_rows_decide_and_lags_may_reach_beyond_them(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    _two(root, FIRST, SECOND)
    lag = declare("lag1_x", "control", "factory-cycle")
    measured = measure(study_of(root, Y, EXPOSED, lag, outcome="y"))
    assert measured.data[KEYS].to_numpy().tolist() == [["a", 2001], ["a", 2002], ["b", 2001]]
    np.testing.assert_array_equal(measured.data["x"], [6, NAN, NAN])
    np.testing.assert_array_equal(measured.data["lag1_x"], [5, 6, NAN])
    assert measured.data["year"].dtype == "int64"
    told = measured.steps.set_index("step").loc["join sample.second"]
    assert told["rows"] == 3
    assert told["reason"] == "1 of 3 rows found their factory and year"


def test_the_order_of_a_files_rows_does_not_matter_to_a_join(tmp_path: Path) -> None:
    frames = []
    for number, (one, two) in enumerate([(FIRST, SECOND), (FIRST[::-1], SECOND[::-1])]):
        root = make_project(tmp_path / str(number))
        _two(root, one, two)
        frames.append(measure(study_of(root, Y, EXPOSED, outcome="y")).data)
    pd.testing.assert_frame_equal(frames[0], frames[1])


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (SECOND.assign(y=1), "table 'sample.second': column 'y' in two tables"),
        (SECOND.assign(factory=[1, 2, 3]), "factory as numbers, and as text in a table before"),
        (SECOND.rename(columns={"year": "season"}), "expected also year, of the study's keys"),
    ],
)
def test_tables_that_do_not_fit_are_refused(
    tmp_path: Path, second: pd.DataFrame, message: str
) -> None:
    root = make_project(tmp_path)
    key = [name for name in ("factory", "year", "season") if name in second]
    write_tables(root, {"first": (FIRST, KEYS), "second": (second, key)})
    with pytest.raises(MeasureError, match=message):
        measure(study_of(root, Y, EXPOSED, outcome="y"))


def test_a_unit_twice_in_a_table_is_refused(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    second = pd.concat([SECOND.assign(line=1), SECOND.assign(line=2)])
    write_tables(root, {"first": (FIRST, KEYS), "second": (second, [*KEYS, "line"])})
    with pytest.raises(MeasureError, match="repeated keys; expected each factory, year once"):
        measure(study_of(root, Y, EXPOSED, outcome="y"))


def test_a_factory_in_two_countries_is_refused_without_its_name(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    one = FIRST.assign(country=["KHM", "KHM", "VNM"])
    two = SECOND.assign(country=["VNM", "VNM", "BGD"])
    _two(root, one, two)
    with pytest.raises(MeasureError, match=r"key 'factory': 1 of factory in two countries, "
                       "such as KHM and VNM") as caught:  # fmt: skip
        measure(study_of(root, Y, EXPOSED, outcome="y"))
    assert "'a'" not in str(caught.value)


def test_a_country_may_stand_in_several_tables(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    one, two = (frame.assign(country="KHM") for frame in (FIRST, SECOND))
    _two(root, one, two)
    country = declare("country", "cluster", "country")
    data = measure(study_of(root, Y, EXPOSED, country, outcome="y")).data
    assert data["country"].tolist() == ["KHM"] * 3


def test_a_country_is_no_factory_in_two_countries(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    frame = pd.DataFrame({"country": ["KHM", "VNM"], "year": [2000, 2000], "y": 1, "x": [0, 1]})
    write_tables(root, {"records": (frame, ["country", "year"])})
    variables = [
        declare("country", "entity", "country"),
        declare("year", "time", "country"),
        declare("y", "outcome", "country"),
        declare("x", "exposure", "country"),
    ]
    study = write_study(root, variables, [specify("s", "pooled_ols", "x")])
    assert len(measure(study).data) == 2


def test_both_clocks_stand_beside_the_year_where_there_are_days(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    answers = ask(
        "factory date question finding",
        ("a", "2019-12-31", "q", 1),
        ("a", "2020-02-01", "q", 0),
        ("b", "1970-01-15", "q", 0),
    )
    units = ask("factory year x", ("a", 2019, 0), ("a", 2020, 1), ("b", 1970, 0))
    units["enrolled"] = pd.to_datetime(["2019-11-30", "2019-11-30", "1970-01-01"])
    write_tables(
        root,
        {"answers": (answers, ["factory", "date", "question"]), "units": (units, KEYS)},
    )
    data = measure(study_of(root, OUTCOME, EXPOSED)).data
    assert data["year"].tolist() == [2019, 2020, 1970]
    assert data["months_since_enrolment"].tolist() == [1, 3, 0]
    assert data["calendar_month"].tolist() == [599, 601, 0]


def test_answers_find_their_country_in_another_table(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    append(
        root / "data" / "questionnaires" / "tiny.toml",
        'id = "tiny"\ntitle = "t"\nsource = "s"\n'
        'clusters = [{ id = "c", name.en = "C", group = "working conditions" }]\n'
        'points = [{ id = "p", cluster = "c", name.en = "P", provenance = "assumed" }]\n'
        'questions = [{ id = "q", point = "p", critical = ["KHM"] }]',
    )
    answers = ask("factory year question finding", ("a", 2019, "q", 1), ("b", 2019, "q", 1))
    units = ask("factory year x country", ("a", 2019, 0, "KHM"), ("b", 2019, 1, "VNM"))
    write_tables(
        root,
        {"answers": (answers, [*KEYS, "question"]), "units": (units, KEYS)},
        questionnaire="tiny",
    )
    outcome = declare("critical_met", "outcome", "factory-cycle", "share")
    data = measure(study_of(root, outcome, EXPOSED, outcome="critical_met")).data
    np.testing.assert_array_equal(data["critical_met"], [0.0, NAN])


def test_a_day_far_from_the_year_beside_it_is_refused(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    answers = ask(
        "factory year date question finding",
        ("a", 2020, "2020-12-31", "q", 1),
        ("a", 2021, "2020-12-31", "q", 0),
        ("b", 2020, "2012-06-01", "q", 0),
    )
    units = ask("factory year x", ("a", 2020, 0), ("a", 2021, 1), ("b", 2020, 0))
    parts = {"answers": (answers, [*KEYS, "question"]), "units": (units, KEYS)}
    write_tables(root, parts)
    with pytest.raises(MeasureError, match="2012-06-01 in a row of the year 2020; expected a day"):
        measure(study_of(root, OUTCOME, EXPOSED))
