"""Dialogue as measured: rights, functioning, and what workers know of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from assessments import KEYS, ask, measure, study_of, write_tables
from evidence.errors import MeasureError
from evidence.measures import Answers, map_answers, score_index, score_pair
from evidence.measures.dialogue import columns_of, wilson
from evidence.packs import Index, Pair, load_questionnaire
from samples import ROOT, declare, make_project

NAN = float("nan")
BETTER_WORK = load_questionnaire(ROOT, "better_work")
INDICES = {index.id: index for index in BETTER_WORK.indices}
FUNCTIONING = INDICES["committee_functioning"]
PAIR = next(pair for pair in BETTER_WORK.pairs if pair.id == "committee_awareness")
# Factory a answers everything, b only some of it; c is in another country, which asks less.
ASKED = ask(
    "factory year country point question finding",
    ("a", 2020, "VNM", "Freedom to Associate", "f1", 0),
    ("a", 2020, "VNM", "Freedom to Associate", "f2", 1),
    ("a", 2020, "VNM", "Freedom to Associate", "f3", 0),
    ("a", 2020, "VNM", "Freedom to Associate", "f4", 0),
    ("a", 2020, "VNM", "Union Operations", "u1", 1),
    ("a", 2020, "VNM", "Interference and Discrimination", "i1", 0),
    ("a", 2020, "VNM", "Strikes", "s1", 0),
    ("a", 2020, "VNM", "Collective Bargaining", "b1", 1),
    ("b", 2020, "VNM", "Freedom to Associate", "f1", 0),
    ("b", 2020, "VNM", "Freedom to Associate", "f2", NAN),
    ("b", 2020, "VNM", "Union Operations", "u1", 0),
    ("b", 2020, "VNM", "Strikes", "s1", 1),
    ("b", 2020, "VNM", "Collective Bargaining", "b1", 0),
    ("c", 2020, "KHM", "Freedom to Associate", "f1", 1),
)


def _answers() -> Answers:
    return map_answers(ASKED, BETTER_WORK, {}, KEYS)


def _score(index: Index, answers: pd.DataFrame | None, records: pd.DataFrame | None) -> list[float]:
    return score_index(index, answers, records, KEYS).set_index("factory")[index.id].to_list()


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        ("union_formation", [3 / 4, NAN, 0.0]),
        ("union_operation", [2 / 3, 1 / 2]),
        ("union_bargaining", [0.0, 1.0]),
    ],
)
def test_a_right_is_the_share_of_its_questions_without_a_finding(
    index: str, expected: list[float]
) -> None:
    np.testing.assert_array_equal(_score(INDICES[index], _answers().data, None), expected)


@pytest.mark.parametrize(("least", "known"), [(0.25, True), (0.26, False)])
def test_an_index_with_too_few_answers_is_missing(least: float, *, known: bool) -> None:
    """Factory b answers one of the four questions that its country asks."""
    index = replace(INDICES["union_formation"], least_answered=least)
    scored = score_index(index, _answers().data, None, KEYS).set_index("factory")[index.id]
    assert bool(pd.notna(scored["b"])) is known


def _flags(*rows: tuple[float, ...]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(FUNCTIONING.columns)[: len(rows[0])])
    return frame.assign(factory=[f"f{n}" for n in range(len(rows))], year=2020)


def test_functioning_is_the_share_of_the_checklist_that_holds() -> None:
    five = _flags((1, 1, 0, 1, 0, NAN, NAN, NAN, NAN, NAN), (1, 1, 1, 1, NAN, *[NAN] * 5))
    np.testing.assert_array_equal(_score(FUNCTIONING, None, five), [3 / 5, NAN])


def test_columns_that_a_source_lacks_count_as_unanswered() -> None:
    four, five = _flags((1, 0, 1, 1)), _flags((1, 0, 1, 1, 1))
    np.testing.assert_array_equal(_score(FUNCTIONING, None, four), [NAN])
    assert _score(FUNCTIONING, None, five) == [4 / 5]


def test_questions_and_flags_count_alike_in_one_index() -> None:
    index = Index("both", ("union",), points=("freedom_to_associate",), columns=("seat", "room"))
    records = pd.DataFrame({"factory": ["a", "b"], "year": 2020, "seat": [1, 1], "room": [0, NAN]})
    scored = score_index(index, _answers().data, records, KEYS).set_index("factory")["both"]
    assert scored["a"] == (3 + 1) / (4 + 2)
    # b answers two of six parts, which is fewer than half.
    assert pd.isna(scored["b"])


@pytest.mark.parametrize(
    ("records", "message"),
    [
        (None, "index 'committee_functioning': none of its parts in the data; expected some of"),
        (_flags((NAN, NAN)), "index 'committee_functioning': none of its parts in the data"),
        (_flags((1, 2)), "'committee_functioning', column 'union_seated': '2'; expected 0, 1"),
    ],
    ids=["no column", "no answer", "no flag"],
)
def test_an_index_without_its_parts_is_refused(records: pd.DataFrame | None, message: str) -> None:
    with pytest.raises(MeasureError, match=message):
        score_index(FUNCTIONING, None, records, KEYS)


def test_an_index_does_not_depend_on_order_or_names_of_factories() -> None:
    index = INDICES["union_operation"]
    one = _score(index, _answers().data, None)
    shuffled = ASKED.sample(frac=1, random_state=2)
    assert _score(index, map_answers(shuffled, BETTER_WORK, {}, KEYS).data, None) == one
    renamed = ASKED.assign(factory=ASKED["factory"].map({"a": "z", "b": "y", "c": "x"}))
    assert _score(index, map_answers(renamed, BETTER_WORK, {}, KEYS).data, None) == one[::-1]


# Pairs.

UNITS = pd.DataFrame(
    {"factory": list("abcd"), "year": 2020, "committee_exists": [1.0, 0.0, 1.0, NAN]}
)
WORKERS = pd.DataFrame(
    [("a", flag) for flag in (1, 1, 1, 0, 0, NAN)] + [("b", 1), ("b", 0), ("d", 0)],
    columns=["factory", "committee_known"],
).assign(year=2020)


def test_a_pair_compares_paper_with_what_workers_know() -> None:
    scored = score_pair(PAIR, UNITS, WORKERS, KEYS).set_index("factory")
    name = "committee_awareness"
    np.testing.assert_array_equal(scored[f"{name}_known"], [3 / 5, 1 / 2, NAN, 0.0])
    np.testing.assert_array_equal(scored[f"{name}_paper"], [1, 0, 1, NAN])
    np.testing.assert_array_equal(scored[f"{name}_gap"], [1 - 3 / 5, NAN, NAN, NAN])
    assert scored[f"{name}_workers"].tolist() == [5, 2, 0, 1]


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_the_interval_is_the_librarys_wilson_interval(level: float) -> None:
    pairs = [(found, asked) for asked in (1, 2, 10, 17, 30) for found in range(asked + 1)]
    found, asked = (pd.Series(list(part)) for part in zip(*pairs, strict=True))
    low, high = wilson(found, asked, level)
    library = [
        stats.binomtest(k, n).proportion_ci(confidence_level=level, method="wilson")
        for k, n in pairs
    ]
    # The same formula in another order of operations: a few units in the last place.
    assert low.tolist() == pytest.approx([ci.low for ci in library], abs=1e-14)
    assert high.tolist() == pytest.approx([ci.high for ci in library], abs=1e-14)


def test_the_interval_has_its_published_value() -> None:
    # R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3: 15 of 148.
    low, high = wilson(pd.Series([15]), pd.Series([148]), 0.95)
    assert (round(low[0], 4), round(high[0], 4)) == (0.0624, 0.1605)


@pytest.mark.parametrize(
    ("units", "workers", "message"),
    [
        (UNITS.drop(columns="committee_exists"), WORKERS, "'committee_exists' in the table a unit"),
        (UNITS, WORKERS.drop(columns="committee_known"), "'committee_known' in the table a worker"),
        (UNITS, WORKERS.drop(columns="year"), "expected also year, of the study's keys"),
        (UNITS, WORKERS.assign(committee_known=4), "column 'committee_known': '4'; expected 0, 1"),
    ],
    ids=["no paper", "no knowledge", "no period", "a four-point scale"],
)
def test_a_pair_without_its_flags_is_refused(
    units: pd.DataFrame, workers: pd.DataFrame, message: str
) -> None:
    with pytest.raises(MeasureError, match=message):
        score_pair(PAIR, units, workers, KEYS)


# Through a study.


def _write(root: Path, *, workers: bool = True) -> None:
    units = pd.DataFrame(
        {
            "factory": ["a", "b", "a"],
            "year": [2020, 2020, 2021],
            "committee_exists": [1, 1, 1],
            "workers": [200, 50, 0],
            "workers_covered": [150, 0, 10],
            "grievances": [6, 0, 1],
            "y": [1.0, 2.0, 4.0],
        }
    )
    tables = {"units": (units, KEYS), "answers": (ASKED, [*KEYS, "question"])}
    if workers:
        told = WORKERS[WORKERS["factory"].isin(["a", "b"])].assign(worker=range(8))
        tables["workers"] = (told, [*KEYS, "worker"])
    write_tables(root, tables, questionnaire="better_work")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("agreement_coverage", [3 / 4, NAN, 0.0]),
        ("grievance_use", [3.0, NAN, 0.0]),
        ("committee_awareness_known", [3 / 5, NAN, 1 / 2]),
        ("committee_awareness_workers", [5, NAN, 2]),
        ("union_operation", [2 / 3, NAN, 1 / 2]),
        ("lag1_union_operation", [NAN, 2 / 3, NAN]),
        ("d_log_y", [NAN, np.log(4.0), NAN]),
    ],
)
def test_a_study_asks_for_a_measure_of_dialogue_by_its_name(
    tmp_path: Path, name: str, expected: list[float]
) -> None:
    root = make_project(tmp_path)
    _write(root)
    outcome = declare("y", "outcome", "factory-cycle")
    exposed = declare(name, "exposure", "factory-cycle")
    data = measure(study_of(root, outcome, exposed, exposure=name, outcome="y")).data
    values = data[name].to_numpy(dtype="float64")
    if name.endswith("workers"):
        expected = [5, 0, 2]
    np.testing.assert_array_equal(values, expected)


def test_a_pair_without_a_table_of_workers_is_refused(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    _write(root, workers=False)
    name = "committee_awareness_gap"
    outcome = declare("y", "outcome", "factory-cycle")
    exposed = declare(name, "exposure", "factory-cycle")
    study = study_of(root, outcome, exposed, exposure=name, outcome="y")
    with pytest.raises(MeasureError, match="no table a worker in the sources"):
        measure(study)


def test_pairs_of_one_name_in_front_of_another_are_told_apart() -> None:
    short = Pair("aware", ("union",), "m", "w")
    longer = Pair("aware_known", ("union",), "m", "w")
    assert not set(columns_of(short)) & set(columns_of(longer))
