"""Simulated panels: what is declared is what is drawn."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter

from evidence.errors import SourceError
from evidence.models import Design, estimate_least_squares, tabulate_estimates
from evidence.sources import simulate_equations
from evidence.sources.simulated.sections import Equations

ASSUMED = {"basis": "assumed"}
SYSTEM: dict[str, Any] = {
    "seed": 7,
    "entity": "factory",
    "time": "year",
    "first_period": 2018,
    "periods": 6,
    "entities": 400,
    "groups": [{"name": "buyer", "count": 8}],
    "columns": [
        {"name": "quality", "kind": "number", "spread": {"entity": 1.0}},
        {
            "name": "committee",
            "kind": "adoption",
            "mean": 0.4,
            "always": 0.2,
            "effects": {"quality": 0.2},
        },
        {
            "name": "violations",
            "kind": "share",
            "of": 90,
            "mean": 0.4,
            "effects": {"quality": -0.05, "committee": -0.08},
            "spread": {"buyer:time": 0.02},
        },
        {
            "name": "output",
            "kind": "positive",
            "mean": 1.0,
            "effects": {"committee": 0.1, "violations": -0.5},
            "spread": {"entity": 0.3, "entity:time": 0.05},
            "memory": 0.5,
        },
    ],
}


def declare(**changes: Any) -> Equations:
    raw = {**SYSTEM, **changes}
    raw["columns"] = [{**ASSUMED, **column} for column in raw["columns"]]
    return TypeAdapter(Equations).validate_json(json.dumps(raw), strict=True)


def estimate(rows: pd.DataFrame, outcome: pd.Series, names: list[str]) -> pd.DataFrame:
    effects = rows[["factory", "year"]]
    design = Design(outcome, rows[names].astype(float), effects, rows["factory"])
    return tabulate_estimates(estimate_least_squares(design)).set_index("term")


def test_the_true_effect_is_found_again_with_what_passes_through_others() -> None:
    rows, truth = simulate_equations(declare(), {}, 1)
    assert truth["violations"]["committee"] == pytest.approx(-0.08)
    assert truth["log_output"]["committee"] == pytest.approx(0.1 + 0.5 * 0.08)
    for outcome, values in (
        ("violations", rows["violations"]),
        ("log_output", np.log(rows["output"])),
    ):
        found = estimate(rows, values, ["committee"]).loc["committee"]
        off = abs(found["estimate"] - truth[outcome]["committee"]) / found["std_error"]
        assert off < 3.3, (outcome, off)


def test_the_truth_of_a_product_is_how_much_an_effect_differs() -> None:
    gap = {"name": "gap", "kind": "number", "mean": -0.5, "effects": {"union": 1.0}}
    union = {"name": "union", "kind": "flag", "by": "entity", "mean": 0.5}
    violations = {
        "name": "violations", "kind": "share", "mean": 0.4, "spread": {"entity:time": 0.02},
        "effects": {"hours": 0.01, "hours:gap": -0.02, "lag1_hours:union": 1.0},
    }  # fmt: skip
    hours = {"name": "hours", "kind": "number", "spread": {"entity:time": 1.0}}
    columns = [union, gap, hours, violations]
    output = {"name": "output", "kind": "number", "effects": {"violations": -2.0}}
    _, truth = simulate_equations(declare(columns=[*columns, output]), {}, 1)
    assert truth["violations"] == {"hours": 0.01, "hours:gap": -0.02, "hours:union": -0.02}
    assert truth["output"]["hours:union"] == pytest.approx(0.04)


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    held = []
    for seed in range(60):
        rows, truth = simulate_equations(declare(entities=60), {}, seed)
        found = estimate(rows, rows["violations"], ["committee"]).loc["committee"]
        held.append(found["conf_low"] <= truth["violations"]["committee"] <= found["conf_high"])
    assert 51 <= sum(held) <= 60


def test_another_column_leaves_the_earlier_ones_as_they_were() -> None:
    more = {"name": "noise", "kind": "count", "mean": 1.0}
    before, _ = simulate_equations(declare(), {}, 1)
    after, _ = simulate_equations(declare(columns=[more, *SYSTEM["columns"]]), {}, 1)
    pd.testing.assert_frame_equal(before, after[before.columns])


def test_crossed_groups_are_entities_and_events_start_where_they_are_declared() -> None:
    dyads = declare(
        entity="dyad",
        entities=1,
        groups=[
            {"name": "home", "members": ["JPN", "EUU"], "crossed": True},
            {"name": "host", "members": ["BGD", "KHM", "VNM"], "crossed": True},
        ],
        columns=[
            {"name": "law", "kind": "event", "by": "home", "starts": {"JPN": 2020}},
            {"name": "size", "kind": "number", "spread": {"home:time": 1.0}},
            {"name": "large", "kind": "threshold", "column": "size", "at": 0.0},
        ],
    )
    rows, _ = simulate_equations(dyads, {}, 1)
    assert sorted(rows["dyad"].unique())[0] == "EUU-BGD"
    assert len(rows) == 6 * 6
    assert (rows["law"] == ((rows["home"] == "JPN") & (rows["year"] >= 2020))).all()
    assert (rows.groupby(["home", "year"])["size"].nunique() == 1).all()
    assert (rows["large"] == (rows["size"] >= 0)).all()


def test_who_closes_is_gone_from_the_next_period() -> None:
    closes = {"name": "closes", "kind": "flag", "mean": 0.2}
    rows, _ = simulate_equations(
        declare(columns=[*SYSTEM["columns"], closes], exit="closes", shortest=3), {}, 1
    )
    last = rows.groupby("factory")["year"].transform("max")
    assert rows["closes"].sum() > 0
    assert (rows.loc[rows["closes"] == 1, "year"] == last[rows["closes"] == 1]).all()


def test_a_lag_of_its_own_carries_on() -> None:
    lagged = {
        "name": "rate",
        "kind": "number",
        "mean": 1.0,
        "effects": {"lag1_rate": 0.5},
        "spread": {"entity:time": 0.1},
    }
    rows, _ = simulate_equations(declare(columns=[lagged], entities=3000, periods=4), {}, 1)
    wide = rows.pivot_table(index="factory", columns="year", values="rate")
    assert wide.mean().to_numpy() == pytest.approx(2.0, abs=0.02)
    assert np.polyfit(wide[2020], wide[2021], 1)[0] == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize(
    ("column", "named"),
    [
        ({"name": "a", "kind": "number", "effects": {"later": 1.0}}, "later"),
        ({"name": "a", "kind": "number", "spread": {"region": 1.0}}, "region"),
        ({"name": "a", "kind": "threshold", "column": "size"}, "size"),
    ],
)
def test_a_name_that_is_not_there_is_refused(column: dict[str, Any], named: str) -> None:
    with pytest.raises(SourceError, match=named):
        simulate_equations(declare(columns=[column]), {}, 1)


def test_a_case_that_is_not_declared_is_refused() -> None:
    with pytest.raises(SourceError, match="BGD-garment"):
        simulate_equations(declare(), {"country": "BGD", "sector": "garment"}, 1)


def test_effects_of_a_case_replace_those_of_all() -> None:
    case = {"country": "KHM", "sector": "garment", "entities": 20}
    own = {**case, "effects": {"violations": {"committee": -0.2}}}
    rows, truth = simulate_equations(
        declare(cases=[own]), {"country": "KHM", "sector": "garment"}, 1
    )
    assert truth["violations"]["committee"] == -0.2
    assert rows["factory"].iloc[0] == "KHM-GAR-0001"
    assert set(rows["country"]) == {"KHM"}
