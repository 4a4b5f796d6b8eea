"""Productivity by sector, by hand; what cannot be compared is refused."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from assessments import KEYS, measure, study_of, write_tables
from evidence.errors import MeasureError
from evidence.measures import chain_growth, score_productivity, score_ratio
from evidence.packs import Ratio, load_sector
from samples import ROOT, declare, make_project

NAN = float("nan")
MEASURES = {
    measure.id: measure
    for sector in ("garment", "electronics", "automotive")
    for measure in load_sector(ROOT, sector).measures
}


def _ratio(name: str, **columns: Sequence[object]) -> list[float]:
    size = len(next(iter(columns.values())))
    records = pd.DataFrame({"factory": [f"f{n}" for n in range(size)], **columns})
    return score_ratio(MEASURES[name], records, "factory", "a sector").to_list()


@pytest.mark.parametrize(
    ("name", "columns", "expected"),
    [
        # 480 garments of 15 minutes by 30 operators in 480 minutes: half of all minutes.
        (
            "efficiency",
            {"output": [480], "sam": [15], "operators": [30], "minutes": [480], "sam_basis": ["g"]},
            50.0,
        ),
        ("dhu", {"defects": [9], "inspected": [150]}, 6.0),
        ("first_pass_yield", {"good_first_time": [188], "started": [200]}, 94.0),
        ("defects_ppm", {"defective": [3], "inspected": [8000]}, 375.0),
        ("oee", {"availability": [0.5], "performance": [0.75], "quality": [1.0]}, 37.5),
        ("takt_time", {"available_minutes": [450], "demand": [300]}, 1.5),
    ],
)
def test_each_measure_is_what_a_hand_computes(
    name: str, columns: dict[str, Sequence[object]], expected: float
) -> None:
    # All parts are small dyadic or whole numbers: no rounding.
    assert _ratio(name, **columns) == [expected]


@pytest.mark.parametrize(
    ("defects", "inspected", "known"),
    [(1, 0, False), (0, 5, True), (1, -5, False), (-1, 5, False), (-1, -5, False), (NAN, 5, False),
     (1, NAN, False)],
)  # fmt: skip
def test_a_part_that_cannot_be_gives_no_value(
    defects: float, inspected: float, *, known: bool
) -> None:
    (value,) = _ratio("dhu", defects=[defects], inspected=[inspected])
    assert bool(np.isfinite(value)) is known
    assert known or np.isnan(value)


def test_two_negative_parts_do_not_make_a_positive_one() -> None:
    parts = {"output": [1], "sam": [1], "operators": [-3], "minutes": [-4]}
    (value,) = _ratio("efficiency", sam_basis=["g"], **parts)
    assert np.isnan(value)


def test_a_measure_without_a_divisor_is_a_product() -> None:
    ratio = Ratio("oee", "share", ("a", "b"))
    records = pd.DataFrame({"factory": ["f"], "a": [0.5], "b": [0.5]})
    assert score_ratio(ratio, records, "factory", "x").tolist() == [0.25]


def _garment(*basis: str | None) -> pd.DataFrame:
    size = len(basis)
    parts = {"output": 10.0, "sam": 4.0, "operators": 2.0, "minutes": 40.0}
    return pd.DataFrame({"factory": ["a"] * size, "sam_basis": list(basis), **parts})


@pytest.mark.parametrize(
    ("records", "message"),
    [
        (_garment("gsd", "actual"), "1 of factory whose 'sam_basis' changes; expected one basis"),
        (_garment("gsd", None), "1 records without 'sam_basis'; expected the basis of every"),
        (_garment("gsd").drop(columns="sam"), "no column sam; expected all of output, sam, oper"),
    ],
    ids=["a basis that changes", "no basis", "no SAM"],
)
def test_efficiency_without_one_basis_is_refused(records: pd.DataFrame, message: str) -> None:
    with pytest.raises(MeasureError, match=rf"measure 'efficiency' of sector 'garment': {message}"):
        score_ratio(MEASURES["efficiency"], records, "factory", "sector 'garment'")


def test_a_basis_may_differ_between_factories_and_where_no_value_is() -> None:
    records = pd.concat([_garment("gsd", "gsd"), _garment("actual", None)], ignore_index=True)
    records["factory"] = ["a", "a", "b", "b"]
    records.loc[3, "output"] = NAN
    values = score_ratio(MEASURES["efficiency"], records, "factory", "x")
    np.testing.assert_array_equal(values, [50.0, 50.0, 50.0, NAN])


def test_general_measures_need_positive_hours_and_heads() -> None:
    records = pd.DataFrame({"sales": [10.0, 10.0, -1.0], "employ": [4.0, -4.0, 4.0]})
    np.testing.assert_array_equal(
        score_productivity(records)["sales_per_employee"], [2.5, NAN, NAN]
    )


# Through a study.


def _write(root: Path, sectors: list[str]) -> None:
    frame = pd.DataFrame(
        {
            "factory": ["a", "b"],
            "year": [2020, 2020],
            "sector": sectors,
            "x": [0, 1],
            "defects": [1, 2],
            "inspected": [100, 100],
        }
    )
    write_tables(root, {"units": (frame, KEYS)})


def _study(root: Path, name: str) -> pd.Series:
    outcome = declare(name, "outcome", "factory-cycle")
    exposed = declare("x", "exposure", "factory-cycle")
    return measure(study_of(root, outcome, exposed, outcome=name)).data[name]


def test_a_measure_of_the_sector_is_scored_by_its_name(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    _write(root, ["garment", "garment"])
    assert _study(root, "dhu").tolist() == [1.0, 2.0]


def test_a_measure_of_another_sector_is_refused_and_both_are_named(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    _write(root, ["electronics", "electronics"])
    message = "'dhu': a measure of the sector 'garment'; expected one of the sector 'electronics'"
    with pytest.raises(MeasureError, match=message):
        _study(root, "dhu")


def test_a_measure_of_a_sector_is_refused_where_sectors_are_mixed(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    _write(root, ["garment", "electronics"])
    with pytest.raises(MeasureError, match="expected data of one sector"):
        _study(root, "dhu")


# Growth.

LEVELS = [
    # entity, time, level, growth, expected
    ("a", 2017, 100.0, NAN, 100.0),
    ("a", 2018, NAN, 50.0, NAN),
    ("a", 2019, 200.0, 7.0, 200.0),
    ("a", 2020, NAN, 10.0, 220.0),
    ("a", 2021, NAN, -50.0, 110.0),
    ("a", 2023, NAN, 10.0, NAN),
    ("a", 2024, NAN, 10.0, NAN),
    ("b", 2020, NAN, 10.0, NAN),
    ("b", 2021, 80.0, 10.0, 80.0),
    ("b", 2022, NAN, 25.0, 100.0),
    ("b", 2023, NAN, NAN, NAN),
    ("b", 2024, NAN, 25.0, NAN),
    ("c", 2025, NAN, 25.0, NAN),
]


def _chain(rows: list[tuple[str, int, float, float, float]]) -> tuple[pd.Series, list[float]]:
    frame = pd.DataFrame(rows, columns=["entity", "time", "level", "growth", "expected"])
    chained = chain_growth(frame["level"], frame["growth"], frame["entity"], frame["time"])
    return chained, frame["expected"].to_list()


def test_growth_carries_the_last_level_as_far_as_it_is_known() -> None:
    chained, expected = _chain(LEVELS)
    # Three multiplications by factors such as 1.1: a few units in the last place.
    np.testing.assert_allclose(chained, expected, rtol=1e-15)


def test_growth_is_chained_in_the_order_of_time_whatever_the_order_of_rows() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        rows = [LEVELS[place] for place in rng.permutation(len(LEVELS))]
        chained, expected = _chain(rows)
        np.testing.assert_allclose(chained, expected, rtol=1e-15)
    for order in permutations(LEVELS[2:5]):
        chained, expected = _chain(list(order))
        np.testing.assert_allclose(chained, expected, rtol=1e-15)


def test_growth_keeps_the_index_it_was_given() -> None:
    frame = pd.DataFrame(LEVELS, columns=["entity", "time", "level", "growth", "expected"])
    frame.index = pd.Index(range(100, 100 + len(frame)))
    chained = chain_growth(frame["level"], frame["growth"], frame["entity"], frame["time"])
    assert chained.index.equals(frame.index)


def test_a_period_twice_cannot_be_chained() -> None:
    with pytest.raises(MeasureError, match="a entity twice in one time"):
        _chain([LEVELS[2], LEVELS[3], LEVELS[3]])


def test_a_level_is_carried_beyond_its_table_where_growth_comes_first(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    years = [2018, 2019, 2020]
    growth = pd.DataFrame({"factory": "KHM", "year": years, "output_per_worker_growth": 25.0})
    levels = pd.DataFrame({"factory": "KHM", "year": [2018], "rgdpna": 80.0, "employment": 2.0})
    tables = {"growth": (growth.assign(x=[0, 1, 0]), KEYS), "levels": (levels, KEYS)}
    write_tables(root, tables)
    chained = _study(root, "output_per_worker_chained")
    assert chained.tolist() == [40.0, 50.0, 62.5]
