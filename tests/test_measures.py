"""Answers become shares of questions with a finding; names say which transform is meant."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evidence.errors import MeasureError
from evidence.measures import Measures, score_compliance, score_measures, score_productivity
from evidence.measures.coding import cross, encode, is_unique, mark
from evidence.measures.joining import check_spelling
from evidence.sources import Snapshot, read_sources
from evidence.study import Study, load_study
from samples import (
    ROOT,
    Section,
    declare,
    edit,
    make_project,
    specify,
    study_file,
    write_source,
    write_study,
)

KEYS = ["factory", "year"]
INSTITUTIONS = (
    "bipartite_committees",
    "collective_bargaining",
    "dialogue_and_disputes",
    "union_operations",
)
DECLARED = (
    declare("factory", "entity", "factory"),
    declare("year", "time", "factory"),
    declare("y", "outcome", "factory-cycle"),
    declare("x", "exposure", "factory-cycle"),
)
TABLE = "factory,year,y,x\na,2000,1,0\na,2001,0,1\na,2003,4,1\nb,2000,-1,1\nb,2001,,0\n"
NAN = math.nan


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Snapshot]:
    root = make_project(tmp_path_factory.mktemp("drawn"))
    study = load_study(study_file(root, "value_chains"))
    (snapshot,) = read_sources(study, study.cases[2], 0)
    return study, snapshot


def _answers(*rows: tuple[str, int, str, str, int]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=[*KEYS, "question", "kind", "finding"])


def _measure(root: Path, csv: str, *derived: Section) -> pd.DataFrame:
    study = write_study(root, [*DECLARED, *derived], [specify("s", "pooled_ols", "x")])
    columns = {"factory": "text", "year": "integer", "y": "number", "x": "number"}
    write_source(root, csv, columns, key=KEYS)
    return score_measures(study, read_sources(study, study.cases[0], 0)).data


def _derived(root: Path, name: str) -> pd.Series:
    return _measure(root, TABLE, declare(name, "control", "factory-cycle"))[name]


def _flip(snapshot: Snapshot, points: tuple[str, ...]) -> Snapshot:
    answers = snapshot.tables["answers"].copy()
    chosen = answers["point"].isin(points)
    answers.loc[chosen, "finding"] = 1 - answers.loc[chosen, "finding"]
    return replace(snapshot, tables={**snapshot.tables, "answers": answers})


def _score(study: Study, snapshot: Snapshot) -> Measures:
    return score_measures(study, (snapshot,))


def test_noncompliance_is_the_share_of_a_units_questions_with_a_finding() -> None:
    answers = _answers(
        ("a", 2000, "q1", "LAW", 1),
        ("a", 2000, "q2", "LAW", 0),
        ("a", 2000, "q3", "LAW", 0),
        ("a", 2000, "q4", "LAW", 0),
        ("a", 2001, "q1", "LAW", 1),
        ("a", 2001, "q2", "LAW", 1),
        ("b", 2000, "q1", "LAW", 0),
    )
    scored = score_compliance(answers, KEYS, leave_out=[])
    assert scored.columns.tolist() == [*KEYS, "noncompliance", "questions"]
    assert scored.to_numpy().tolist() == [
        ["a", 2000, 0.25, 4],
        ["a", 2001, 1.0, 2],
        ["b", 2000, 0.0, 1],
    ]


def test_findings_from_good_practice_questions_do_not_count() -> None:
    law = _answers(("a", 2000, "q1", "LAW", 1), ("a", 2000, "q2", "LAW", 0))
    with_fgw = pd.concat([law, _answers(("a", 2000, "q3", "FGW", 1))])
    pd.testing.assert_frame_equal(
        score_compliance(with_fgw, KEYS, leave_out=[]), score_compliance(law, KEYS, leave_out=[])
    )


def test_a_question_left_out_counts_neither_above_nor_below_the_line() -> None:
    answers = _answers(
        ("a", 2000, "q1", "LAW", 1), ("a", 2000, "q2", "LAW", 0), ("a", 2000, "q3", "LAW", 1)
    )
    scored = score_compliance(answers, KEYS, leave_out=["q3"])
    assert scored[["noncompliance", "questions"]].to_numpy().tolist() == [[0.5, 2]]


def test_nothing_left_to_score_is_refused() -> None:
    answers = _answers(("a", 2000, "q1", "LAW", 1), ("a", 2000, "q2", "FGW", 0))
    with pytest.raises(
        MeasureError, match="no question with an answer that is not part of an exposure"
    ):
        score_compliance(answers, KEYS, leave_out=["q1"])


def test_an_unanswered_question_is_not_counted() -> None:
    answers = _answers(("a", 2000, "q1", "LAW", 1), ("a", 2000, "q2", "LAW", 0))
    answers["finding"] = [1.0, NAN]
    scored = score_compliance(answers, KEYS, leave_out=[])
    assert scored[["noncompliance", "questions"]].to_numpy().tolist() == [[1.0, 1]]


def test_exactly_the_questions_on_the_studys_exposures_are_left_out(
    drawn: tuple[Study, Snapshot],
) -> None:
    measured = _score(*drawn)
    expected = [f"{point}.{number}" for point in INSTITUTIONS for number in (1, 2, 3)]
    assert list(measured.items_left_out) == sorted(expected)


def test_the_score_stays_where_answers_on_an_exposure_flip(drawn: tuple[Study, Snapshot]) -> None:
    study, snapshot = drawn
    flipped = _score(study, _flip(snapshot, INSTITUTIONS)).data
    pd.testing.assert_frame_equal(flipped, _score(study, snapshot).data)


def test_the_score_moves_where_any_other_answers_flip(drawn: tuple[Study, Snapshot]) -> None:
    study, snapshot = drawn
    flipped = _score(study, _flip(snapshot, ("minimum_wages",))).data["noncompliance"]
    assert (flipped != _score(study, snapshot).data["noncompliance"]).any()


def test_an_institution_that_is_no_exposure_keeps_its_questions(
    drawn: tuple[Study, Snapshot], tmp_path: Path
) -> None:
    root = make_project(tmp_path)
    path = study_file(root, "value_chains")
    path = edit(path, 'name = "union"\nrole = "exposure"', 'name = "union"\nrole = "control"')
    for spec in load_study(path).specifications:
        if "union" in spec.exposures:
            path = edit(path, 'exposure = ["committee", "union", ', 'exposure = ["committee", ')
    measured = _score(load_study(path), drawn[1])
    assert not [item for item in measured.items_left_out if item.startswith("union_operations")]
    assert len(measured.items_left_out) == 9


def test_every_step_from_file_to_record_is_counted(drawn: tuple[Study, Snapshot]) -> None:
    study, snapshot = drawn
    measured = _score(study, snapshot)
    units, answers = len(snapshot.tables["factories"]), len(snapshot.tables["answers"])
    assert list(dict.fromkeys(measured.steps["step"])) == [
        "read value_chains.answers",
        "read value_chains.factories",
        "answers",
        "findings",
        "exposures",
        "answered",
        "score compliance",
        "join value_chains.factories",
    ]
    kept = answers - units * len(measured.items_left_out)
    assert measured.steps.groupby("step", sort=False)["rows"].last().tolist() == [
        answers, units, answers, answers, kept, kept, units, units
    ]  # fmt: skip
    assert len(measured.data) == units


def test_only_declared_variables_are_measured(drawn: tuple[Study, Snapshot]) -> None:
    study, snapshot = drawn
    assert _score(study, snapshot).data.columns.tolist() == [v.name for v in study.variables]


def test_productivity_is_output_an_hour_and_sales_an_employee() -> None:
    records = pd.DataFrame(
        {"output": [10.0, 3.0], "hours": [4.0, 0.0], "sales": [90.0, 8.0], "employ": [3.0, 2.0]}
    )
    scored = score_productivity(records)
    assert scored["output_per_hour"].tolist()[0] == 2.5
    assert scored["output_per_hour"].isna().tolist() == [False, True]
    assert scored["sales_per_employee"].tolist() == [30.0, 4.0]


def test_productivity_is_not_scored_without_its_parts() -> None:
    records = pd.DataFrame({"output": [10.0], "sales": [90.0]})
    assert score_productivity(records).columns.tolist() == ["output", "sales"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("log_y", [0.0, NAN, math.log(4), NAN, NAN]),
        ("lag1_x", [NAN, 0.0, NAN, NAN, 1.0]),
        ("lead1_x", [1.0, NAN, NAN, 0.0, NAN]),
        ("d_x", [NAN, 1.0, NAN, NAN, -1.0]),
        ("d_y", [NAN, -1.0, NAN, NAN, NAN]),
    ],
    ids=[
        "log is missing at and below zero",
        "lag is missing after a gap",
        "lead is missing before a gap and at the end",
        "change is missing after a gap",
        "change is missing to nothing",
    ],
)
def test_a_transform_follows_from_the_variables_name(
    project: Path, name: str, expected: list[float]
) -> None:
    assert _derived(project, name).tolist() == pytest.approx(expected, nan_ok=True, rel=1e-15)


def test_a_lag_does_not_reach_into_another_entity(project: Path) -> None:
    csv = "factory,year,y,x\na,2000,1,5\nb,2001,1,6\n"
    lagged = _measure(project, csv, declare("lag1_x", "exposure", "factory-cycle"))["lag1_x"]
    assert lagged.isna().all()


def test_a_lag_does_not_depend_on_the_order_of_the_file(project: Path) -> None:
    head, *rows = TABLE.splitlines()
    csv = "\n".join([head, *reversed(rows)])
    lagged = _measure(project, csv, declare("lag1_x", "exposure", "factory-cycle"))["lag1_x"]
    assert lagged.tolist() == pytest.approx([NAN, 0.0, NAN, NAN, 1.0], nan_ok=True, abs=0)


def test_a_transform_may_build_on_one_declared_before_it(project: Path) -> None:
    csv = "factory,year,y,x\na,2000,1,0\na,2001,4,1\n"
    names = ("log_y", "d_log_y")
    more = [declare(name, "control", "factory-cycle") for name in names]
    change = _measure(project, csv, *more)["d_log_y"]
    assert change.tolist() == pytest.approx([NAN, math.log(4)], nan_ok=True, rel=1e-15)


@pytest.mark.parametrize("name", ["wages", "log_wages", "sqrt_y", "d_log_wages"])
def test_a_variable_that_is_no_column_and_no_transform_is_refused(project: Path, name: str) -> None:
    with pytest.raises(MeasureError, match=rf"sample\.toml: variable '{name}': columns factory"):
        _derived(project, name)


def test_a_transform_of_text_is_refused(project: Path) -> None:
    with pytest.raises(MeasureError, match="log_factory"):
        _derived(project, "log_factory")


def test_a_source_without_the_studys_keys_is_refused(project: Path) -> None:
    edit(study_file(project, "plants"), 'name = "plant"', 'name = "works"')
    study = load_study(study_file(project, "plants"))
    with pytest.raises(
        MeasureError, match=r"\[data\] sources, table .*the study's keys works, year"
    ):
        score_measures(study, read_sources(study, study.cases[0], 0))


def test_an_entity_written_in_two_ways_in_two_sources_is_refused() -> None:
    study = load_study(study_file(ROOT, "plants"))
    entity = study.entity.name
    one = pd.DataFrame({entity: ["0001", "0002"], "year": [2000, 2000]})
    other = pd.DataFrame({entity: ["1", "2"], "year": [2000, 2000], "more": [1.0, 2.0]})
    with pytest.raises(MeasureError, match=r"'0001' and '1', in the tables one, other"):
        check_spelling(study, [("one", one), ("other", other)])
    check_spelling(study, [("one", one), ("same", one)])


def test_question_types_are_read_without_regard_to_case() -> None:
    rows = _answers(("a", 2000, "q1", "LAW", 1), ("a", 2000, "q2", " fgw", 1))
    assert score_compliance(rows, KEYS, leave_out=[])["questions"].tolist() == [1]


def _grid(units: int, items: int, *, shuffled: bool) -> pd.DataFrame:
    """Make a row a unit and item; a unit's rows stand together unless they are shuffled."""
    unit = np.repeat(np.arange(units), items)
    frame = pd.DataFrame(
        {
            "unit": 7 * unit - 100,
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(unit % 5, unit="D"),
            "item": pd.Categorical([f"q{n}" for n in np.tile(np.arange(items), units)]),
        }
    )
    return frame.sample(frac=1, random_state=1, ignore_index=True) if shuffled else frame


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("by", [["day"], ["unit"], ["unit", "day"], ["unit", "day", "item"]])
@pytest.mark.parametrize(("units", "items"), [(3, 2), (40, 30), (9000, 1), (900, 30)])
def test_codes_give_back_the_values_in_any_order_of_rows(
    units: int, items: int, by: list[str], *, shuffled: bool
) -> None:
    frame = _grid(units, items, shuffled=shuffled)
    parts = [encode(frame[name]) for name in by]
    rows, combinations = cross(parts)
    for place, (name, part) in enumerate(zip(by, parts, strict=True)):
        found = [part.levels[code] for code in combinations[rows, place]]
        assert found == frame[name].tolist()
    assert len(np.unique(combinations, axis=0)) == len(combinations) == rows.max() + 1


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("units", [40, 9000])
def test_a_combination_that_comes_twice_is_seen(units: int, *, shuffled: bool) -> None:
    frame = _grid(units, 30, shuffled=shuffled)
    twice = pd.concat([frame, frame.iloc[[17]]], ignore_index=True)
    for by in (["unit", "item"], ["unit", "day", "item"]):
        assert is_unique([encode(frame[name]) for name in by])
        assert not is_unique([encode(twice[name]) for name in by])


def test_rows_are_marked_by_their_value() -> None:
    column = encode(pd.Series(["a", None, "b", "a"], dtype="str"))
    assert mark(column, lambda value: value != "a").tolist() == [False, True, True, False]


def test_no_rows_have_no_combination() -> None:
    parts = [encode(pd.Series([], dtype="int64")), encode(pd.Series([], dtype="str"))]
    assert len(cross(parts)[1]) == 0
    assert is_unique(parts)
