"""Hazards of exact and interval-censored spells repeat R's survival, or say why they cannot."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from statsmodels.duration.hazard_regression import PHReg

from evidence.errors import ModelError
from evidence.measures import list_spells
from evidence.models.design import Diagnostic, Estimates, tabulate_estimates
from evidence.models.designs.durations import (
    Spells,
    estimate_cox,
    estimate_interval_censored,
    estimate_survival,
    make_spells,
)

Floats = npt.NDArray[np.float64]

REFERENCES = Path(__file__).parent / "references"
STORED: dict[str, Any] = json.loads((REFERENCES / "durations.json").read_text("utf-8"))
"""Output of R's survival; tests/references/durations.R made it."""

SAME = 1e-9
"""Relative; reason: both stand at the one maximum of a concave function, reached by Newton's
method; what is left is the printed digits of the stored output (13)."""

TERMS = ["dialogue", "critical"]
INF = np.inf


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return pd.read_csv(REFERENCES / "durations_simulated.csv")


def _followed(table: pd.DataFrame, *, clusters: bool = True, strata: bool = False) -> Spells:
    """Take the simulated spells whose ends are exact or right-censored."""
    return Spells(
        lower=table["days"],
        upper=table["days"].where(table["ended"] == 1, INF),
        regressors=table[TERMS],
        clusters=table["factory"] if clusters else None,
        strata=table["country"] if strata else None,
        where="tests",
    )


def _assessed(table: pd.DataFrame, *, clusters: bool = True, strata: bool = False) -> Spells:
    """Take the simulated spells whose ends lie between assessments."""
    followed = _followed(table, clusters=clusters, strata=strata)
    return replace(followed, lower=table["lower"], upper=table["upper"])


def _spells(bounds: list[tuple[float, float]], **columns: list[float]) -> Spells:
    frame = pd.DataFrame(bounds, columns=["lower", "upper"])
    return Spells(frame["lower"], frame["upper"], pd.DataFrame(columns), where="tests")


def _found(estimates: Estimates, name: str) -> Diagnostic:
    return next(check for check in estimates.diagnostics if check.name == name)


@pytest.mark.parametrize(("stored", "strata"), [("cox", False), ("cox_stratified", True)])
def test_cox_repeats_coxph_with_ties_and_clusters(
    table: pd.DataFrame, stored: str, *, strata: bool
) -> None:
    expected = STORED[stored]
    plain = estimate_cox(_followed(table, clusters=False, strata=strata))
    np.testing.assert_allclose(plain.coefficients, expected["coefficients"], rtol=SAME)
    np.testing.assert_allclose(plain.covariance, expected["covariance"], rtol=SAME)
    trend = _found(plain, "proportional_hazards")
    stored_trend = [trend.value, trend.df, trend.p_value]
    np.testing.assert_allclose(stored_trend, expected["trend"], rtol=1e-8)
    clustered = estimate_cox(_followed(table, strata=strata))
    robust = np.array(expected["clustered"]) * 40 / 39
    np.testing.assert_allclose(clustered.covariance, robust, rtol=SAME)
    assert (clustered.n_clusters, clustered.df) == (40, 39)
    assert (clustered.cov_type, clustered.small_sample) == ("CR1", "G/(G-1)")
    assert (plain.n_clusters, plain.df, plain.cov_type) == (None, INF, "unadjusted")


def test_clusters_of_phreg_are_not_those_of_efrons_likelihood(table: pd.DataFrame) -> None:
    """Why its sandwich is not used: with ties it differs, and early censoring makes it nan."""
    model = PHReg(table["days"], table[TERMS], status=table["ended"], ties="efron")
    ours = estimate_cox(_followed(table))
    theirs = model.fit(groups=table["factory"].to_numpy())
    np.testing.assert_allclose(ours.coefficients, theirs.params, rtol=1e-7)
    assert np.abs(theirs.bse / (ours.std_errors * np.sqrt(39 / 40)) - 1).max() > 0.01
    early = table.assign(ended=table["ended"].where(table["days"] > 10, 0))
    broken = PHReg(early["days"], early[TERMS], status=early["ended"], ties="efron")
    assert np.isnan(broken.fit(groups=early["factory"].to_numpy()).bse).all()
    assert np.isfinite(estimate_cox(_followed(early)).std_errors).all()


def test_clustered_errors_of_cox_are_near_the_spread_over_redrawn_clusters() -> None:
    """Simulated: a regressor of the factory, a frailty of the factory, no effect."""
    rng = np.random.default_rng(11)
    estimates, errors = [], []
    for _ in range(50):
        factory = np.repeat(np.arange(60), 5)
        x, frailty = rng.normal(size=(2, 60))[:, factory]
        days = np.ceil(rng.exponential(100 * np.exp(-1.2 * frailty)))
        frame = pd.DataFrame({"x": x})
        upper = pd.Series(np.where(days < 200, days, INF))
        spells = Spells(pd.Series(np.minimum(days, 200)), upper, frame, pd.Series(factory))
        result = estimate_cox(spells)
        estimates.append(result.coefficients[0])
        errors.append(result.std_errors[0])
    # 50 draws tell a standard deviation to about 10 %; unadjusted errors are half of it.
    assert np.mean(errors) == pytest.approx(np.std(estimates), rel=0.3)


def test_a_trend_of_the_hazard_ratio_is_found() -> None:
    """Simulated: the hazard ratio is 2.2 before day 50, and 1 / 2.2 from then on."""
    rng = np.random.default_rng(5)
    x = rng.integers(0, 2, 800).astype(float)
    first = rng.exponential(100 * np.exp(-0.8 * x))
    days = np.where(first < 50, first, 50 + rng.exponential(60 * np.exp(0.8 * x))).round(2) + 0.01
    clusters = pd.Series(np.arange(800) // 10)
    spells = Spells(pd.Series(days), pd.Series(days), pd.DataFrame({"x": x}), clusters)
    assert _found(estimate_cox(spells), "proportional_hazards").p_value < 1e-4
    assert _found(estimate_interval_censored(spells), "proportional_hazards").p_value < 1e-4


def test_the_clustered_trend_repeats_sums_over_risk_sets() -> None:
    """The slow way, an event after the other, of spells without ties and without strata."""
    rng = np.random.default_rng(8)
    n, clusters = 60, np.arange(60) // 4
    days, x = rng.permutation(n) + 1.0, rng.normal(size=(n, 2))
    ended = rng.uniform(size=n) < 0.7
    spells = Spells(
        pd.Series(days),
        pd.Series(np.where(ended, days, INF)),
        pd.DataFrame(x, columns=["a", "b"]),
        pd.Series(clusters),
    )
    estimates = estimate_cox(spells)
    weight = np.exp(x @ estimates.coefficients)
    scores, information, surviving = np.zeros((n, 4)), np.zeros((4, 4)), 1.0
    for event in np.flatnonzero(ended)[np.argsort(days[ended])]:
        risk = days >= days[event]
        timed = np.hstack([x, (1 - surviving) * x])
        share = risk * weight / weight[risk].sum()
        centred = timed - share @ timed
        scores += ((np.arange(n) == event) - share)[:, None] * centred
        information += (centred * share[:, None]).T @ centred
        surviving *= 1 - 1 / risk.sum()
    sums = pd.DataFrame(scores).groupby(clusters).sum().to_numpy()
    bread = np.linalg.inv(information[:2, :2])
    net = sums[:, 2:] - sums[:, :2] @ bread @ information[:2, 2:]
    total = net.sum(axis=0)
    expected = total @ np.linalg.solve(15 / 14 * net.T @ net, total)
    assert _found(estimates, "proportional_hazards").value == pytest.approx(expected, rel=1e-8)
    covariance = 15 / 14 * bread @ sums[:, :2].T @ sums[:, :2] @ bread
    np.testing.assert_allclose(estimates.covariance, covariance, rtol=1e-8)


def test_few_clusters_leave_the_trend_untested(table: pd.DataFrame) -> None:
    spells = replace(_followed(table), clusters=table["factory"] % 2)
    check = _found(estimate_cox(spells), "proportional_hazards")
    assert np.isnan(check.value)
    assert check.reason == "2 regressors cannot be tested with 2 clusters"


def test_a_single_moment_of_ends_leaves_the_trend_untested() -> None:
    spells = _spells([(5, 5), (5, 5), (5, 5), (9, INF), (9, INF)], x=[1, 2, 3, 1.5, 2.5])
    check = _found(estimate_cox(spells), "proportional_hazards")
    assert check.reason == "too few different times of ends to see a trend"


def test_weibull_repeats_survreg_of_interval_censored_spells(table: pd.DataFrame) -> None:
    expected = STORED["weibull"]
    estimates = estimate_interval_censored(_assessed(table, clusters=False))
    np.testing.assert_allclose(estimates.coefficients, expected["coefficients"], rtol=SAME)
    covariance = np.array(expected["covariance"])
    np.testing.assert_allclose(estimates.covariance, covariance[:2, :2], rtol=SAME)
    shape = _found(estimates, "shape")
    assert shape.value == pytest.approx(expected["shape"], rel=SAME)
    error = np.sqrt(covariance[2, 2])
    assert shape.p_value == pytest.approx(_two_sided((shape.value - 1) / error), rel=1e-6)


def _two_sided(statistic: float) -> float:
    return 2 * NormalDist().cdf(-abs(statistic))


def test_weibull_repeats_survreg_of_right_censored_spells_with_clusters(
    table: pd.DataFrame,
) -> None:
    expected = STORED["weibull_right"]
    estimates = estimate_interval_censored(_followed(table))
    np.testing.assert_allclose(estimates.coefficients, expected["coefficients"], rtol=SAME)
    assert _found(estimates, "shape").value == pytest.approx(expected["shape"], rel=SAME)
    clustered = np.array(expected["clustered"])[:2, :2] * 40 / 39
    np.testing.assert_allclose(estimates.covariance, clustered, rtol=SAME)


def _log_likelihood(theta: Floats, table: pd.DataFrame) -> Floats:
    """Write the Weibull likelihood out, a row each: slopes, log scale and shape."""
    lower, upper = table["lower"].to_numpy(), table["upper"].to_numpy()
    ratio = np.exp(table[TERMS].to_numpy() @ theta[:2] + theta[2])
    exact = lower == upper
    known = np.where(exact, lower, 1.0)
    density = np.log(theta[3] * known ** (theta[3] - 1) * ratio) - ratio * known ** theta[3]
    # A spell of known length has no probability: a wider interval keeps the logarithm finite.
    wide = np.where(exact, upper + 1, upper)
    last = np.where(
        np.isinf(wide), 0.0, np.exp(-ratio * np.where(np.isinf(wide), 1, wide) ** theta[3])
    )
    probability = np.exp(-ratio * lower ** theta[3]) - last
    return np.asarray(np.where(exact, density, np.log(probability)))


def test_weibull_repeats_a_numerical_sandwich(table: pd.DataFrame) -> None:
    """Of interval-censored spells R's clustered covariance is no reference: see durations.R."""
    estimates = estimate_interval_censored(_assessed(table))
    start = np.array([*STORED["weibull"]["coefficients"], -7.0, STORED["weibull"]["shape"]])
    step = 1e-4 * np.eye(4)

    def scores(theta: Floats) -> Floats:
        parts = [
            (_log_likelihood(theta + h, table) - _log_likelihood(theta - h, table)) / 2e-4
            for h in step
        ]
        return np.column_stack(parts)

    theta = start
    for _ in range(8):
        totals = [scores(theta + h).sum(axis=0) - scores(theta - h).sum(axis=0) for h in step]
        hessian = np.array(totals) / 2e-4
        theta = theta - np.linalg.solve(hessian, scores(theta).sum(axis=0))
    bread = np.linalg.inv(-hessian)
    sums = pd.DataFrame(scores(theta)).groupby(table["factory"].to_numpy()).sum().to_numpy()
    covariance = (40 / 39 * bread @ sums.T @ sums @ bread)[:2, :2]
    # Second differences of step 1e-4 leave about 1e-6.
    np.testing.assert_allclose(estimates.coefficients, theta[:2], rtol=1e-5)
    np.testing.assert_allclose(estimates.covariance, covariance, rtol=1e-4)


def test_strata_of_their_own_are_as_separate_models(table: pd.DataFrame) -> None:
    """With each regressor crossed with the stratum, nothing is shared between strata."""
    crossed = pd.DataFrame(
        {
            f"{term} {country}": table[term] * (table["country"] == country)
            for term in TERMS
            for country in ("KHM", "VNM", "BGD")
        }
    )
    spells = replace(_assessed(table, strata=True), regressors=crossed)
    joint = tabulate_estimates(estimate_interval_censored(spells)).set_index("term")
    part = table[table["country"] == "VNM"]
    alone = tabulate_estimates(estimate_interval_censored(_assessed(part))).set_index("term")
    shape = _found(estimate_interval_censored(spells), "shape (VNM)").value
    assert shape == pytest.approx(
        _found(estimate_interval_censored(_assessed(part)), "shape").value, rel=SAME
    )
    for term in TERMS:
        assert joint["estimate"][f"{term} VNM"] == pytest.approx(alone["estimate"][term], rel=SAME)


def test_the_truth_of_a_simulation_is_within_the_intervals() -> None:
    """Simulated: hazard ratio exp(0.5), shape 0.8, assessed about once a year."""
    rng = np.random.default_rng(2)
    n = 4000
    x = rng.normal(size=n)
    days = 300 * (rng.exponential(size=n) * np.exp(-0.5 * x)) ** (1 / 0.8)
    visits = np.cumsum(rng.uniform(200, 500, (n, 4)), axis=1)
    later = np.column_stack([visits, np.full(n, INF)])
    earlier = np.column_stack([np.zeros(n), visits])
    place = (days[:, None] > visits).sum(axis=1)
    spells = Spells(
        pd.Series(earlier[np.arange(n), place]),
        pd.Series(later[np.arange(n), place]),
        pd.DataFrame({"x": x}),
        pd.Series(np.arange(n) // 8),
    )
    estimates = estimate_interval_censored(spells)
    row = tabulate_estimates(estimates).iloc[0]
    assert row["conf_low"] < 0.5 < row["conf_high"]
    assert row["std_error"] < 0.04
    assert _found(estimates, "shape").value == pytest.approx(0.8, abs=0.05)
    assert _found(estimates, "shape").p_value < 0.001
    assert _found(estimates, "proportional_hazards").p_value > 0.01


def test_spells_are_counted_by_what_is_known_of_their_end(table: pd.DataFrame) -> None:
    nothing = pd.DataFrame({"lower": [0.0] * 3, "upper": [INF] * 3, "factory": [90, 91, 92]})
    longer = pd.concat([table, nothing.assign(dialogue=9.0, critical=1)], ignore_index=True)
    estimates = estimate_interval_censored(_assessed(longer))
    counts = {name: _found(estimates, name).value for name in ("exact", "interval", "censored")}
    exact = int((table["lower"] == table["upper"]).sum())
    censored = int(np.isinf(table["upper"]).sum())
    assert counts == {"exact": exact, "interval": 320 - exact - censored, "censored": censored}
    assert _found(estimates, "uninformative").value == 3
    assert (estimates.nobs, estimates.n_clusters) == (320, 40)
    expected = estimate_interval_censored(_assessed(table))
    np.testing.assert_allclose(estimates.coefficients, expected.coefficients, rtol=SAME)
    np.testing.assert_allclose(estimates.covariance, expected.covariance, rtol=SAME)


@pytest.mark.parametrize("estimate", [estimate_cox, estimate_interval_censored])
def test_units_and_offsets_do_not_matter(table: pd.DataFrame, estimate: Any) -> None:
    spells = _followed(table)
    plain = estimate(spells)
    moved = replace(
        spells,
        lower=spells.lower / 365.25,
        upper=spells.upper / 365.25,
        regressors=spells.regressors * [1e-6, 1e3] + [1.0, 1e6],
    )
    scaled = estimate(moved)
    # An offset of 1 against a spread of 1e-6 leaves ten digits of the regressor.
    np.testing.assert_allclose(scaled.coefficients * [1e-6, 1e3], plain.coefficients, rtol=1e-8)
    np.testing.assert_allclose(scaled.std_errors * [1e-6, 1e3], plain.std_errors, rtol=1e-8)


@pytest.mark.parametrize("estimate", [estimate_cox, estimate_interval_censored])
@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"days": -1.0}, "320 spells with a negative bound"),
        ({"days": np.nan}, "without a finite lower or any upper bound"),
        ({"ended": 0}, "none was seen to end"),
        ({"dialogue": 1.0}, "missing, text or constant values in dialogue"),
        ({"dialogue": np.nan}, "missing, text or constant values in dialogue"),
        ({"critical": "yes"}, "missing, text or constant values in critical"),
        ({"factory": 1}, "1 cluster; expected at least two clusters"),
        ({"factory": None}, "without a cluster or stratum"),
    ],
)
def test_spells_that_cannot_be_read_are_refused(
    table: pd.DataFrame, estimate: Any, changes: dict[str, Any], match: str
) -> None:
    with pytest.raises(ModelError, match=match):
        estimate(_followed(table.assign(**changes)))


@pytest.mark.parametrize("estimate", [estimate_cox, estimate_interval_censored])
def test_collinear_regressors_are_named(table: pd.DataFrame, estimate: Any) -> None:
    spells = _followed(table)
    third = spells.regressors.assign(both=table["dialogue"] + 2 * table["critical"])
    with pytest.raises(ModelError, match="dialogue, critical, both, which repeat each other"):
        estimate(replace(spells, regressors=third))
    with pytest.raises(ModelError, match="no regressor"):
        estimate(replace(spells, regressors=third.iloc[:, :0]))


def test_a_regressor_of_the_stratum_is_refused_by_cox(table: pd.DataFrame) -> None:
    spells = _followed(table, strata=True)
    khm = spells.regressors.assign(khm=(table["country"] == "KHM") * 1.0)
    with pytest.raises(ModelError, match="khm, which does not vary by itself"):
        estimate_cox(replace(spells, regressors=khm))


def test_contradictions_between_bounds_are_refused(table: pd.DataFrame) -> None:
    turned = table.assign(lower=table["upper"].where(table.index == 0, table["lower"]) + 5)
    turned.loc[0, ["lower", "upper"]] = [90.0, 30.0]
    with pytest.raises(ModelError, match=r"\d+ spells that end before they are last seen"):
        estimate_interval_censored(_assessed(turned))
    with pytest.raises(ModelError, match="different rows"):
        estimate_interval_censored(replace(_assessed(table), upper=table["upper"].iloc[::-1]))


def test_lengths_of_zero_are_an_interval_of_the_first_day(table: pd.DataFrame) -> None:
    first = table.assign(days=table["days"].where(table.index > 4, 0).astype(float))
    first["ended"] = first["ended"].where(first.index > 4, 1)
    spells = _followed(first)
    with pytest.raises(ModelError, match=r"5 spells of length 0.*interval from 0 to 1"):
        estimate_interval_censored(spells)
    within = replace(spells, upper=spells.upper.where(spells.upper > 0, 1))
    assert np.isfinite(estimate_interval_censored(within).std_errors).all()
    assert np.isfinite(estimate_cox(spells).std_errors).all()


def test_cox_refuses_ends_that_are_known_up_to_an_interval(table: pd.DataFrame) -> None:
    with pytest.raises(ModelError, match="235 spells whose end is known only up to an interval"):
        estimate_cox(_assessed(table))


def test_a_monotone_partial_likelihood_is_refused_with_its_regressor(table: pd.DataFrame) -> None:
    """No end among the treated, and ends in the order of a regressor: both have no maximum."""
    never = table.assign(q=(table["ended"] == 0) * (table["days"] > 200) * 1.0)
    spells = _followed(never)
    with pytest.raises(ModelError, match=r"in the order of q without fail"):
        estimate_cox(replace(spells, regressors=never[["dialogue", "q"]]))
    days = [10.0, 20, 30, 40, 50, 60]
    ordered = _spells([(d, d) for d in days], x=[6, 5, 4, 3, 2, 1], z=[1, 0, 1, 1, 0, 0])
    with pytest.raises(ModelError, match=r"in the order of x without fail"):
        estimate_cox(ordered)
    mixed = _spells([(d, d) for d in days], x=[6, 4, 5, 2, 3, 1], z=[1, 1, 1, 0, 0, 0])
    with pytest.raises(ModelError, match=r"in the order of .*z.* without fail"):
        estimate_cox(mixed)


@pytest.mark.parametrize("seed", range(10))
def test_monotone_likelihoods_are_told_from_others(seed: int) -> None:
    """Against every direction of one regressor, pair by pair: ends before all others at risk."""
    rng = np.random.default_rng(seed)
    days = rng.integers(1, 6, 8).astype(float)
    ended = rng.uniform(size=8) < 0.4
    ended[0] = True
    x = rng.integers(0, 3, 8).astype(float)
    at_risk = [(i, j) for i in np.flatnonzero(ended) for j in range(8) if days[j] >= days[i]]
    gaps = np.array([x[i] - x[j] for i, j in at_risk])
    spells = _spells([(d, d if e else INF) for d, e in zip(days, ended, strict=True)], x=list(x))
    if (gaps == 0).all():
        with pytest.raises(ModelError, match=r"does not vary by itself|constant"):
            estimate_cox(spells)
    elif (gaps >= 0).all() or (gaps <= 0).all():
        with pytest.raises(ModelError, match="without fail"):
            estimate_cox(spells)
    else:
        assert np.isfinite(estimate_cox(spells).coefficients).all()


def test_intervals_that_a_regressor_tells_apart_are_refused(table: pd.DataFrame) -> None:
    never = table.assign(q=np.isinf(table["upper"]) * (table.index % 2) * 1.0)
    with pytest.raises(ModelError, match="that q sets apart"):
        estimate_interval_censored(replace(_assessed(never), regressors=never[["dialogue", "q"]]))


def test_a_stratum_without_ends_is_named(table: pd.DataFrame) -> None:
    lasting = table.assign(
        lower=table["lower"].where(table["country"] != "VNM", 50.0 + table.index),
        upper=table["upper"].where(table["country"] != "VNM", INF),
    )
    with pytest.raises(ModelError, match=r"\(baseline of VNM\)"):
        estimate_interval_censored(_assessed(lasting, strata=True))


def test_a_single_moment_of_assessment_leaves_the_shape_open() -> None:
    spells = _spells([(0, 90), (0, 90), (90, INF), (90, INF)] * 5, x=[1, 2, 3, 1.5] * 5)
    with pytest.raises(ModelError, match=r"\(shape\), which does not vary by itself"):
        estimate_interval_censored(spells)


def test_more_ends_at_the_earlier_assessment_have_no_shape_above_zero() -> None:
    early = [(0.0, 30.0)] * 9 + [(30.0, INF)]
    late = [(0.0, 300.0)] * 2 + [(300.0, INF)] * 8
    x = list(np.tile([0.0, 1.0, 0.5, 2.0], 5))
    with pytest.raises(ModelError, match="still rises at a shape of"):
        estimate_interval_censored(_spells(early + late, x=x))


def test_kaplan_meier_is_the_special_case_without_intervals(table: pd.DataFrame) -> None:
    survival = estimate_survival(_followed(table))
    seen = survival[np.isfinite(survival["end"])]
    assert list(seen["end"]) == STORED["kaplan"]["time"]
    np.testing.assert_allclose(seen["survival"], STORED["kaplan"]["survival"], rtol=1e-9)
    assert survival["mass"].sum() == pytest.approx(1)


def test_survival_by_strata_is_that_of_each_stratum(table: pd.DataFrame) -> None:
    survival = estimate_survival(_assessed(table, strata=True))
    alone = estimate_survival(_assessed(table[table["country"] == "VNM"]))
    part = survival[survival["stratum"] == "VNM"].reset_index(drop=True)
    pd.testing.assert_frame_equal(part.iloc[:, 1:], alone.iloc[:, 1:])


def test_turnbull_by_hand() -> None:
    """Two spells share the first interval, one is known to last: Turnbull (1976)."""
    survival = estimate_survival(_spells([(0, 2), (1, 3), (3, INF)], x=[1, 2, 3]))
    assert survival[["begin", "end"]].to_numpy().tolist() == [[1, 2], [3, INF]]
    np.testing.assert_allclose(survival["mass"], [2 / 3, 1 / 3], rtol=1e-6)


def test_turnbull_repeats_the_self_consistent_estimate() -> None:
    """The slow way: share each spell among its support until nothing moves."""
    rng = np.random.default_rng(4)
    first, second = np.cumsum(rng.integers(1, 8, (2, 60)), axis=0).astype(float)
    days = rng.exponential(6, 60)
    lower = np.select([days < first, days < second], [0, first], second)
    upper = np.select([days < first, days < second], [first, second], INF)
    survival = estimate_survival(_spells(list(zip(lower, upper, strict=True)), x=[1.0] * 60))
    edges = np.unique(np.concatenate([lower, upper]))
    inside = (lower[:, None] <= edges[:-1]) & (edges[1:] <= upper[:, None])
    mass = np.full(len(edges) - 1, 1 / (len(edges) - 1))
    for _ in range(20_000):
        mass = (inside * mass / (inside @ mass)[:, None]).mean(axis=0)
    lasting = 1 - np.cumsum(mass)
    for _, row in survival.iterrows():
        place = np.searchsorted(edges[1:], row["end"])
        # 20 000 turns leave about 1e-5 where a share goes to zero.
        assert row["survival"] == pytest.approx(lasting[place], abs=1e-4)


def test_spells_of_assessments_go_into_a_model() -> None:
    """Simulated: histories of three assessments, from answers to hazard ratios."""
    rng = np.random.default_rng(9)
    rows = []
    for factory in range(60):
        ratio = np.exp(0.8 * (factory % 2))
        for item in ("a", "b", "c"):
            days = rng.exponential(300 / ratio)
            visits = np.cumsum([0, *rng.integers(100, 300, 3)])
            rows += [(factory, item, visit, float(visit < days)) for visit in visits]
    answers = pd.DataFrame(rows, columns=["factory", "item", "day", "finding"])
    answers["date"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(answers["day"], unit="D")
    listed = list_spells(answers.assign(critical=False), "factory")
    listed["dialogue"] = listed["factory"] % 2
    spells = make_spells(listed, ["dialogue"], clusters="factory", strata="item")
    estimates = estimate_interval_censored(spells)
    row = tabulate_estimates(estimates).iloc[0]
    assert row["conf_low"] < 0.8 < row["conf_high"]
    assert row["p_value"] < 0.01
    with pytest.raises(ModelError, match="expected also buyer"):
        make_spells(listed, ["dialogue"], clusters="buyer")
