"""A curve's specifications are the regressions that one would run one by one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from evidence.errors import ModelError
from evidence.models import Curve, Design, draw_curve, estimate_least_squares, leave_out

SAME = 1e-9
"""Relative; reason: the same sums in another order, in double precision."""

CONTROLS = ["a", "b", "c"]


def _simulate(factories: int = 50, *, effect: float = 0.5, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        [(n, t) for n in range(factories) for t in range(5) if rng.random() < 0.8],
        columns=["factory", "year"],
    )
    own = rng.normal(size=factories)[frame["factory"]]
    for name in CONTROLS:
        frame[name] = rng.normal(size=len(frame))
    frame["x"] = own + 0.5 * frame["a"] + rng.normal(size=len(frame))
    frame["y"] = effect * frame["x"] + frame["a"] + own + rng.normal(size=len(frame))
    frame["country"] = frame["factory"] % 4
    return frame


def _design(frame: pd.DataFrame, names: list[str], effects: list[str]) -> Design:
    return Design(frame["y"], frame[names], frame[effects], frame["factory"])


def _curve(frame: pd.DataFrame, **options: object) -> Curve:
    design = _design(frame, ["x", *CONTROLS], ["factory", "year"])
    return draw_curve({"all": design}, "x", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("effects", [["factory", "year"], ["factory"], []])
def test_every_subset_is_the_regression_run_alone(effects: list[str]) -> None:
    frame = _simulate().assign(constant=1.0)
    curve = draw_curve({"all": _design(frame, ["x", *CONTROLS], effects)}, "x")
    assert len(curve.table) == 8
    assert curve.table["estimate"].is_monotonic_increasing
    for _, row in curve.table.iterrows():
        names = ["x", *(name for name in CONTROLS if row[name])]
        alone = estimate_least_squares(
            _design(frame, names + ([] if effects else ["constant"]), effects)
        )
        assert row["estimate"] == pytest.approx(alone.coefficients[0], rel=SAME)
        assert row["std_error"] == pytest.approx(alone.std_errors[0], rel=SAME)
        assert row["n_clusters"] == alone.n_clusters
        assert row["nobs"] == alone.nobs


def test_fixed_controls_stay_in() -> None:
    curve = _curve(_simulate(), fixed=("a",))
    assert len(curve.table) == 4
    assert "a" not in curve.table


def test_blocks_are_put_together_and_compared() -> None:
    frame = _simulate()
    designs = {
        "within": _design(frame, ["x", *CONTROLS], ["factory", "year"]),
        "pooled": _design(frame, ["x", *CONTROLS], ["year"]),
    }
    curve = draw_curve(designs, "x")
    assert len(curve.table) == 16
    shares = curve.influence.set_index("choice")
    means = curve.table.groupby("block")["estimate"].mean()
    assert shares["difference"]["within"] == pytest.approx(means["within"] - means["pooled"])


def test_the_influential_choice_is_found() -> None:
    influence = _curve(_simulate()).influence.set_index("choice")
    assert influence["share"].idxmax() == "a"
    assert influence["difference"]["a"] < -0.1
    assert influence["share"].sum() == pytest.approx(1, abs=0.05)


def test_an_effect_is_found_jointly_and_none_is_not() -> None:
    found = {check.name: check.p_value for check in _curve(_simulate()).joint}
    assert set(found) == {"median_estimate", "share_significant", "mean_statistic"}
    assert max(found.values()) < 0.05
    frame = _simulate(effect=0.0, seed=3).assign(a=0.0)
    frame["a"] = np.random.default_rng(5).normal(size=len(frame))
    frame["y"] = np.random.default_rng(6).normal(size=len(frame))
    none = {check.name: check.p_value for check in _curve(frame).joint}
    assert min(none.values()) > 0.05


def test_joint_tests_are_right_in_size() -> None:
    """Over 200 simulated panels without effect, 5 % tests reject as often as they should.

    Accepted up to 10.5 %: above the 99.9 % bound of a binomial with 200 draws and 5 %.
    """
    rejected = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        frame = _simulate(30, seed=seed)
        frame["y"] = rng.normal(size=len(frame)) + rng.normal(size=30)[frame["factory"]]
        joint = {check.name: check.p_value for check in _curve(frame, draws=199, seed=seed).joint}
        rejected += joint["median_estimate"] <= 0.05
    assert rejected <= 21


def test_the_same_seed_gives_the_same_curve() -> None:
    one, other = _curve(_simulate(), seed=4), _curve(_simulate(), seed=4)
    pd.testing.assert_frame_equal(one.table, other.table)
    assert one.joint == other.joint


def test_each_group_is_left_out_in_turn() -> None:
    frame = _simulate()
    table = leave_out(_design(frame, ["x", "a"], ["factory", "year"]), frame["country"], "x")
    assert sorted(table["left_out"]) == [0, 1, 2, 3]
    rest = frame[frame["country"] != 2]
    alone = estimate_least_squares(_design(rest, ["x", "a"], ["factory", "year"]))
    row = table.set_index("left_out").loc[2]
    assert row["estimate"] == pytest.approx(alone.coefficients[0], rel=SAME)
    assert row["std_error"] == pytest.approx(alone.std_errors[0], rel=SAME)


def test_a_group_that_carries_all_has_a_reason() -> None:
    frame = _simulate()
    frame["x"] = frame["x"].where(frame["country"] == 1, 0.0)
    table = leave_out(_design(frame, ["x", "a"], ["factory", "year"]), frame["country"], "x")
    row = table.set_index("left_out").loc[1]
    assert np.isnan(row["estimate"])
    assert "nothing is left of x" in row["reason"]


@pytest.mark.parametrize("kind", ["absorbed", "collinear", "single cluster", "no clusters"])
def test_curves_that_cannot_be_drawn_are_refused(kind: str) -> None:
    frame = _simulate()
    if kind == "absorbed":
        frame["b"] = frame["factory"] * 1.0
    if kind == "collinear":
        frame["b"] = 2 * frame["a"]
    design = _design(frame, ["x", *CONTROLS], ["factory", "year"])
    if kind == "single cluster":
        design = Design(design.outcome, design.regressors, design.effects, frame["year"] * 0)
    if kind == "no clusters":
        design = Design(design.outcome, design.regressors, design.effects)
    words = {"absorbed": "nothing left of b", "collinear": "a, b", "single cluster": "single"}
    with pytest.raises(ModelError, match=words.get(kind, "clusters")):
        draw_curve({"all": design}, "x")


def test_a_cluster_has_one_sign_in_all_blocks() -> None:
    """Two blocks that differ by one cluster are not taken for independent evidence."""
    frame = _simulate(effect=0.0, seed=8)
    rest = frame[frame["factory"] > 0].sample(frac=1, random_state=0)
    names, effects = ["x", *CONTROLS], ["factory", "year"]
    one = draw_curve({"all": _design(frame, names, effects)}, "x")
    two = draw_curve(
        {"all": _design(frame, names, effects), "rest": _design(rest, names, effects)}, "x"
    )
    for alone, both in zip(one.joint, two.joint, strict=True):
        assert both.p_value == pytest.approx(alone.p_value, abs=0.1)


def test_a_control_of_one_block_only_has_its_influence() -> None:
    frame = _simulate()
    designs = {
        "short": _design(frame, ["x", "b"], ["factory"]),
        "long": _design(frame, ["x", "b", "a"], ["factory"]),
    }
    influence = draw_curve(designs, "x").influence.set_index("choice")
    assert influence["difference"]["a"] < -0.1


@pytest.mark.parametrize("column", ["x", "year", "factory", "y"])
def test_missing_values_are_refused_by_name(column: str) -> None:
    frame = _simulate().astype({"year": "Float64", "factory": "Float64"})
    frame[column] = frame[column].astype("float64").mask(frame.index == 3)
    with pytest.raises(ModelError, match=r"missing|without"):
        draw_curve({"all": _design(frame, ["x", "a"], ["year"])}, "x")


def test_a_control_with_a_name_of_the_table_is_refused() -> None:
    frame = _simulate().assign(estimate=1.0)
    with pytest.raises(ModelError, match="a control named estimate"):
        draw_curve({"all": _design(frame, ["x", "estimate"], ["factory"])}, "x")


def test_rows_without_a_group_are_not_left_out_silently() -> None:
    frame = _simulate()
    groups = frame["country"].astype("float64").mask(frame.index == 3)
    with pytest.raises(ModelError, match="1 rows without a group"):
        leave_out(_design(frame, ["x"], ["factory"]), groups, "x")
