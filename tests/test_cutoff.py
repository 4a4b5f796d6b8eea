"""A jump at a cut-off repeats rdrobust; what weakens it is said beside it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from evidence.errors import ModelError
from evidence.models.design import Diagnostic, Estimates, tabulate_estimates
from evidence.models.designs.cutoff import (
    Kernel,
    _weigh_bins,
    balance_at_cutoff,
    estimate_cutoff,
)

REFERENCE = Path(__file__).parent / "references" / "cutoff.json"
"""Written by references/cutoff.py: rdrobust 2.1.1, simulated firms."""

SAME = 1e-9
"""Relative; reason: the same sums in two orders in double precision; a wrong factor or
kernel moves 1e-3 or more."""

KERNELS: tuple[Kernel, ...] = get_args(Kernel)


@cache
def _reference() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(REFERENCE.read_text(encoding="utf-8"))
    return found


def _firms() -> pd.DataFrame:
    return pd.DataFrame(_reference()["simulated"])


def _estimate(frame: pd.DataFrame, **options: Any) -> Estimates:
    options = {"cutoff": 100.0, "clusters": None, "where": "study.toml: cut-off"} | options
    return estimate_cutoff(frame["y"], frame["size"], **options)


def _find(estimates: Estimates, name: str) -> Diagnostic:
    return next(d for d in estimates.diagnostics if d.name == name)


def _workers(seed: int, *, moved: float = 0.0, rows: int = 2000) -> pd.DataFrame:
    """Simulate factories by their count of workers, some of which hire to reach 100."""
    draw = np.random.default_rng(seed)
    size = draw.lognormal(np.log(90), 0.6, size=rows)
    hires = (size > 90) & (size < 100) & (draw.random(rows) < moved)
    size = np.floor(np.where(hires, size + 10, size))
    outcome = 0.01 * size + 0.5 * (size >= 100) + draw.normal(size=rows)
    return pd.DataFrame({"size": size, "y": outcome})


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("clusters", ["rows", "regions"])
def test_jumps_and_variances_at_a_given_bandwidth_are_those_of_rdrobust(
    kernel: Kernel, clusters: str
) -> None:
    frame = _firms()
    by = frame["region"] if clusters == "regions" else None
    found = _estimate(frame, bandwidth=12, kernel=kernel, clusters=by)
    expected = _reference()["fixed"][kernel][clusters]
    jumps = [expected["bias_corrected"], expected["conventional"]]
    assert found.coefficients == pytest.approx(jumps, rel=SAME)
    # rdrobust takes a small-sample factor a side, here is one of both sides together.
    inside = frame[(frame["size"] - 100).abs() < 12]
    parts = [inside[inside["size"] < 100], inside[inside["size"] >= 100]]
    bare = [
        expected[name] / _factor(part, clusters, 3)
        for name, part in zip(("variance_left", "variance_right"), parts, strict=True)
    ]
    variance = sum(bare) * _factor(inside, clusters, 6)
    assert found.covariance[0, 0] == pytest.approx(variance, rel=SAME)


def _factor(part: pd.DataFrame, clusters: str, columns: int) -> float:
    n = len(part)
    g = part["region"].nunique() if clusters == "regions" else n
    return g / (g - 1) * (n - 1) / (n - columns)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("clusters", ["rows", "regions"])
def test_the_chosen_bandwidth_is_that_of_rdrobust(kernel: Kernel, clusters: str) -> None:
    frame = _firms()
    by = frame["region"] if clusters == "regions" else None
    found = _estimate(frame, kernel=kernel, clusters=by)
    expected = _reference()["chosen"][kernel][clusters]
    # Reason for 1e-7: rdrobust widens the range of the first step by 1.5e-8.
    assert _find(found, "bandwidth").value == pytest.approx(expected["h"], rel=1e-7)
    assert found.coefficients[1] == pytest.approx(expected["conventional"], rel=1e-7)


def test_the_interval_is_that_of_the_corrected_jump_and_the_conventional_has_none() -> None:
    found = _estimate(_firms(), clusters=_firms()["region"])
    table = tabulate_estimates(found).set_index("term")
    assert table.loc["cutoff", ["std_error", "conf_low", "p_value"]].notna().all()
    assert table.loc["cutoff_conventional", ["std_error", "conf_low", "p_value"]].isna().all()
    assert table["estimate"].notna().all()
    assert table["conf_low"]["cutoff"] < 2 < table["conf_high"]["cutoff"]


def test_conventions_are_named() -> None:
    frame = _firms()
    found = _estimate(frame, bandwidth=12, clusters=frame["region"])
    inside = frame[(frame["size"] - 100).abs() < 12]
    assert (found.cov_type, found.small_sample) == ("CR1", "fixest")
    assert (found.nobs, found.n_clusters) == (len(inside), inside["region"].nunique())
    assert found.df == inside["region"].nunique() - 1
    rows = _estimate(frame, bandwidth=12)
    assert (rows.cov_type, rows.n_clusters, rows.df) == ("HC1", None, len(inside) - 6)


def test_rows_copied_within_their_unit_keep_the_jump_and_nearly_its_error() -> None:
    frame = _firms().assign(unit=range(500))
    single = _estimate(frame, bandwidth=12, clusters=frame["unit"])
    copied = pd.concat([frame] * 7, ignore_index=True)
    found = _estimate(copied, bandwidth=12, clusters=copied["unit"])
    assert found.coefficients == pytest.approx(single.coefficients, rel=SAME)
    n, m = single.nobs, found.nobs
    factor = ((m - 1) / (m - 6) / ((n - 1) / (n - 6))) ** 0.5
    assert found.std_errors[0] == pytest.approx(single.std_errors[0] * factor, rel=SAME)
    assert _find(found, "units_left").value == _find(single, "units_left").value


def test_units_and_origin_of_the_numbers_do_not_matter() -> None:
    frame = _firms()
    plain = _estimate(frame, clusters=frame["region"])
    moved = frame.assign(size=1e3 * frame["size"] + 1e6, y=1e-6 * frame["y"] + 1e3)
    found = _estimate(moved, cutoff=1.1e6, clusters=frame["region"])
    # Reason: 1e3 beside 1e-6 leaves seven digits of the outcome.
    assert 1e6 * found.coefficients == pytest.approx(plain.coefficients, rel=1e-5)
    assert 1e6 * found.std_errors[0] == pytest.approx(plain.std_errors[0], rel=1e-5)
    assert _find(found, "bandwidth").value == pytest.approx(
        1e3 * _find(plain, "bandwidth").value, rel=1e-5
    )


def test_a_donut_leaves_rows_near_the_cutoff_out() -> None:
    frame = _firms()
    found = _estimate(frame, bandwidth=12, donut=2)
    expected = _estimate(frame[(frame["size"] - 100).abs() >= 2], bandwidth=12)
    assert found.coefficients == pytest.approx(expected.coefficients, rel=SAME)
    assert found.nobs == expected.nobs < _estimate(frame, bandwidth=12).nobs


@pytest.mark.slow
def test_the_interval_covers_the_jump_as_often_as_it_says() -> None:
    """Simulated: 400 draws of 500 units, a jump of 1 on a cubic."""
    draw, covered, draws = np.random.default_rng(4), 0, 400
    for _ in range(draws):
        size = draw.normal(100, 20, size=500)
        gap = (size - 100) / 20
        outcome = 1 + gap - 0.8 * gap**2 + 0.5 * gap**3 + (gap >= 0) + draw.normal(size=500)
        found = _estimate(pd.DataFrame({"size": size, "y": outcome}))
        row = tabulate_estimates(found).iloc[0]
        covered += row["conf_low"] <= 1 <= row["conf_high"]
    # Reason: three standard errors of 400 draws at 95 % are 3.3 points.
    assert covered / draws == pytest.approx(0.95, abs=0.033)


def test_counts_of_workers_are_flagged_as_values_that_repeat() -> None:
    found = _estimate(_workers(0), bandwidth=30)
    tested = _find(found, "mass_points")
    assert tested.value == 29
    assert tested.reason.startswith("values of the running variable repeat (29 distinct ones below")
    assert _find(_estimate(_firms()), "mass_points").reason == ""


def test_bunching_is_found_with_its_side_and_none_where_there_is_none() -> None:
    tested = _find(_estimate(_workers(1, moved=0.4)), "density")
    assert tested.value > 0
    assert tested.p_value < 0.001
    assert tested.reason == "units bunch above the cut-off: they may choose their side"
    mirrored = _workers(1, moved=0.4).assign(size=lambda frame: 199 - frame["size"])
    assert _find(_estimate(mirrored), "density").value == pytest.approx(-tested.value, rel=SAME)
    smooth = _find(_estimate(_workers(1)), "density")
    assert smooth.p_value > 0.05
    assert smooth.reason == ""


def test_the_density_test_is_not_sharpened_by_copies() -> None:
    frame = _firms().assign(unit=range(500))
    single = _find(_estimate(frame, clusters=frame["unit"]), "density")
    copied = pd.concat([frame] * 7, ignore_index=True)
    found = _find(_estimate(copied, clusters=copied["unit"]), "density")
    assert found.value == pytest.approx(single.value, rel=SAME)


@pytest.mark.parametrize("digits", [0, 9], ids=["counts", "sizes"])
def test_the_density_test_errs_as_often_as_it_says_where_a_tail_is_long(digits: int) -> None:
    """Simulated: 100 draws of 1,000 factories with a long tail of large ones."""
    draw, rejected, draws = np.random.default_rng(6), 0, 100
    for _ in range(draws):
        size = draw.lognormal(np.log(90), 1.2, size=1000).round(digits)
        frame = pd.DataFrame({"size": size, "y": draw.normal(size=1000)})
        tested = _find(_estimate(frame, bandwidth=40), "density")
        assert np.isfinite(tested.value)
        rejected += tested.p_value < 0.05
    # Reason: three standard errors of 100 draws at 5 % are 6.5 points.
    assert rejected / draws == pytest.approx(0.05, abs=0.065)


def test_limits_of_the_density_are_local_linear_ones() -> None:
    heights = np.random.default_rng(0).random(30)
    middle = (np.arange(30) + 0.5) * 0.2
    weights = np.clip(1 - middle / 3, 0, None)
    inside = weights > 0
    line = np.polyfit(middle[inside], heights[inside], 1, w=weights[inside] ** 0.5)
    assert _weigh_bins(30, 0.2, 3.0) @ heights == pytest.approx(line[1], rel=SAME)


def test_the_error_of_the_density_is_near_the_asymptotic_one() -> None:
    """McCrary (2008), eq. 5, a uniform density: log jump over √(24/5 (1/f₊ + 1/f₋) / nh)."""
    draw = np.random.default_rng(2)
    values = [
        _find(_estimate(pd.DataFrame({"size": s, "y": s}), bandwidth=50), "density").value
        for s in draw.uniform(0, 200, size=(60, 2000))
    ]
    # Reason: three standard errors of a standard deviation from 60 draws are 0.27.
    assert np.std(values) == pytest.approx(1, abs=0.27)
    assert abs(np.mean(values)) < 3 / 60**0.5
    assert stats.kstest(values, "norm").pvalue > 0.001


def test_few_bins_or_units_leave_a_reason_in_place_of_the_density_test() -> None:
    draw = np.random.default_rng(0)
    size = pd.Series(draw.integers(94, 106, size=400).astype(float))
    frame = pd.DataFrame({"size": size, "y": draw.normal(size=400)})
    tested = _find(_estimate(frame, bandwidth=6), "density")
    assert tested.reason == "fewer than 10 bins on a side"
    assert np.isnan(tested.value)
    assert np.isnan(tested.p_value)


def test_covariates_that_jump_are_seen_in_the_balance_and_others_are_not() -> None:
    frame = _firms()
    draw = np.random.default_rng(3)
    covariates = pd.DataFrame(
        {
            "age": draw.normal(size=500),
            "exporter": 3.0 * (frame["size"] >= 100) + draw.normal(size=500),
            "flat": 1.0,
        }
    )
    table = balance_at_cutoff(
        covariates, frame["size"], cutoff=100, clusters=frame["region"], bandwidth=15
    ).set_index("term")
    assert table["p_value"]["age"] > 0.05
    assert table["p_value"]["exporter"] < 0.001
    assert "'flat': an outcome with one and the same value" in table["reason"]["flat"]
    assert np.isnan(table["estimate"]["flat"])


def test_fewer_than_ten_units_on_a_side_are_refused() -> None:
    frame = _firms()
    with pytest.raises(ModelError, match=r"cut-off: \d+ units below and \d+ above within 0\.5"):
        _estimate(frame, bandwidth=0.5)
    nine = frame["region"].where(frame["size"] < 100, 30 + frame["region"] % 9)
    with pytest.raises(ModelError, match=r"units below and 9 above .* expected 10 units or more"):
        _estimate(frame, bandwidth=20, clusters=nine)


def test_a_side_without_rows_is_refused() -> None:
    with pytest.raises(ModelError, match="fewer than 6 distinct values on a side"):
        _estimate(_firms(), cutoff=1000)
    with pytest.raises(ModelError, match="and 0 above"):
        _estimate(_firms(), cutoff=1000, bandwidth=900)


def test_few_distinct_values_are_refused() -> None:
    draw = np.random.default_rng(0)
    frame = pd.DataFrame({"size": draw.integers(97, 103, 300) * 1.0, "y": draw.normal(size=300)})
    with pytest.raises(
        ModelError, match=r"of 3 and 3 distinct values; expected 10 units or more and 4"
    ):
        _estimate(frame, bandwidth=5)
    with pytest.raises(ModelError, match="Give a bandwidth"):
        _estimate(frame)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel": "normal"}, "kernel 'normal'; expected triangular, epanechnikov, uniform"),
        ({"clusters": pd.Series([1.0, None] * 250)}, "rows without their cluster"),
        ({"clusters": pd.Series(range(499))}, "parts with other rows"),
        ({"bandwidth": -3.0}, "bandwidth -3; expected a positive number"),
        ({"bandwidth": np.nan}, "bandwidth nan; expected a positive number"),
        ({"donut": -1.0}, "donut -1; expected"),
    ],
)
def test_what_cannot_be_asked_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        _estimate(_firms(), **options)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("y", np.nan, "missing or infinite values"),
        ("size", np.inf, "missing or infinite values"),
        ("y", 1.0, "an outcome with one and the same value"),
        ("size", "large", "no numbers"),
    ],
)
def test_damaged_numbers_are_refused(column: str, value: Any, message: str) -> None:
    with pytest.raises(ModelError, match=f"cut-off: {message}"):
        _estimate(_firms().assign(**{column: value}))
