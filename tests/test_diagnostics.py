"""Diagnostics repeat printed values, estimates made again without rows, and hand counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy import optimize, stats
from statsmodels.datasets import longley
from statsmodels.stats.power import TTestIndPower

from evidence.errors import ModelError
from evidence.models.checks.diagnostics import (
    Bounds,
    assess_missingness,
    assess_power,
    bound_attrition,
    find_detectable,
    measure_collinearity,
    measure_influence,
    measure_overlap,
    plan_std_error,
    weigh_attrition,
)
from evidence.models.design import Diagnostic

Floats = npt.NDArray[np.float64]

SAME = 1e-9
"""Relative; reason: two orders of the same sums in double precision differ by about 1e-13,
a wrong formula by 1e-3 or more."""

LONGLEY = {
    "GNPDEFL": "135.532",
    "GNP": "1788.513",
    "UNEMP": "33.619",
    "ARMED": "3.589",
    "POP": "399.151",
    "YEAR": "758.981",
}
"""Variance inflation of Longley's (1967) regressors, as R's car::vif 3.1 prints it."""


def _values(found: tuple[Diagnostic, ...]) -> dict[str, float]:
    return {diagnostic.name: diagnostic.value for diagnostic in found}


def _reasons(found: tuple[Diagnostic, ...]) -> set[str]:
    return {diagnostic.reason for diagnostic in found}


def test_variance_inflation_of_longley_is_the_printed_one() -> None:
    data = longley.load_pandas().exog
    found = _values(measure_collinearity(data - data.mean()))
    printed = {name: f"{found[f'variance inflation: {name}']:.3f}" for name in LONGLEY}
    assert printed == LONGLEY


def test_the_condition_number_of_longley_is_the_printed_one() -> None:
    # 43,275: Longley's regressors with a constant, columns of unit length (Belsley 1984;
    # R's kappa(exact = TRUE) prints 43275.04).
    data = longley.load_pandas().exog.assign(constant=1.0)
    found = _values(measure_collinearity(data))
    assert f"{found['condition number']:.2f}" == "43275.04"


def _columns(rows: int = 300) -> pd.DataFrame:
    """Draw simulated independent columns."""
    values = np.random.default_rng(1).normal(size=(rows, 5))
    return pd.DataFrame(values, columns=["union", "size", "age", "export", "audit"])


def test_independent_columns_have_no_dependency() -> None:
    condition, *inflation = measure_collinearity(_columns())
    assert condition.value < 30
    assert condition.reason == ""
    assert all(diagnostic.value < 1.2 for diagnostic in inflation)


def test_each_near_dependency_is_named_by_its_columns() -> None:
    noise = np.random.default_rng(2).normal(size=(300, 2))
    design = _columns()
    design["workers"] = design["size"] + 1e-3 * noise[:, 0]
    design["sum"] = design["age"] - design["export"] + 1e-3 * noise[:, 1]
    told = measure_collinearity(design)[0].reason
    assert set(told.split("; ")) == {
        "size, workers nearly repeat one another",
        "age, export, sum nearly repeat one another",
    }


def test_an_exact_dependency_is_infinite_and_others_stay_as_they_are() -> None:
    design = _columns().assign(twice=lambda frame: 2e6 * frame["size"])
    found = measure_collinearity(design)
    assert found[0].value == np.inf
    assert found[0].reason == "size, twice nearly repeat one another"
    values = _values(found)
    assert values["variance inflation: size"] == np.inf
    assert values["variance inflation: twice"] == np.inf
    alone = _values(measure_collinearity(_columns()))
    kept = values["variance inflation: audit"]
    assert kept == pytest.approx(alone["variance inflation: audit"], rel=SAME)


def test_more_columns_than_rows_are_a_dependency() -> None:
    assert measure_collinearity(_columns(3))[0].value == np.inf


def test_a_column_that_the_effects_absorb_has_no_inflation() -> None:
    found = measure_collinearity(_columns().assign(founded=0.0))
    assert np.isnan(_values(found)["variance inflation: founded"])
    assert found[-1].reason == "nothing is left of the column"
    only = measure_collinearity(pd.DataFrame({"founded": np.zeros(4)}))
    assert only[0].reason == "nothing is left of any column"


def test_a_single_column_is_inflated_by_nothing() -> None:
    found = _values(measure_collinearity(_columns()[["union"]]))
    assert found == {"condition number": 1.0, "variance inflation: union": pytest.approx(1.0)}


def test_designs_with_gaps_or_text_are_refused() -> None:
    with pytest.raises(ModelError, match="missing or infinite values in age"):
        measure_collinearity(_columns().assign(age=np.nan))
    with pytest.raises(ModelError, match="text in age"):
        measure_collinearity(_columns().assign(age="old"))
    with pytest.raises(ModelError, match="no rows or columns"):
        measure_collinearity(_columns().iloc[:0])


def _regression(seed: int = 3) -> tuple[pd.Series, pd.DataFrame, pd.Series]:
    """Draw a simulated regression in twelve clusters of unequal size."""
    rng = np.random.default_rng(seed)
    clusters = pd.Series([f"factory {n}" for n in range(12) for _ in range(3 + n % 5)])
    rows = len(clusters)
    regressors = pd.DataFrame(rng.normal(size=(rows, 3)), columns=["x", "z", "w"])
    regressors["w"] = 1e6 * regressors["w"] + regressors["x"]
    outcome = pd.Series(regressors["x"] + rng.normal(size=rows))
    return outcome, regressors, clusters


def _solve(outcome: pd.Series, regressors: pd.DataFrame) -> Floats:
    solution: Floats = np.linalg.lstsq(regressors.to_numpy(), outcome.to_numpy(), rcond=None)[0]
    return solution


def test_changes_are_those_of_the_regression_made_again_without_the_cluster() -> None:
    outcome, regressors, clusters = _regression()
    influence = measure_influence(outcome, regressors, clusters)
    whole = _solve(outcome, regressors)
    for position, name in enumerate(clusters.unique()):
        rows = clusters != name
        change = _solve(outcome[rows], regressors[rows]) - whole
        np.testing.assert_allclose(influence.changes.iloc[position], change, rtol=1e-7)


def test_changes_are_exact_with_effects_within_clusters() -> None:
    outcome, regressors, clusters = _regression()
    shifted = outcome + clusters.str.len() * 7
    y = shifted - shifted.groupby(clusters).transform("mean")
    x = regressors - regressors.groupby(clusters).transform("mean")
    influence = measure_influence(y, x, clusters)
    rows = clusters != "factory 4"
    dummies = pd.get_dummies(clusters[rows], dtype=float)
    again = _solve(shifted[rows], regressors[rows].join(dummies))[:3]
    np.testing.assert_allclose(influence.changes.iloc[4], again - _solve(y, x), rtol=1e-6)


def test_leverage_is_the_diagonal_of_the_hat_matrix() -> None:
    outcome, regressors, clusters = _regression()
    influence = measure_influence(outcome, regressors, clusters)
    values = regressors.to_numpy()
    hat = np.diag(values @ np.linalg.solve(values.T @ values, values.T))
    np.testing.assert_allclose(influence.leverage, hat, rtol=SAME)
    expected = pd.Series(hat).groupby(clusters, sort=False).sum()
    np.testing.assert_allclose(influence.cluster_leverage, expected, rtol=SAME)
    assert influence.cluster_leverage.sum() == pytest.approx(3, rel=SAME)


def test_the_most_influential_cluster_is_a_position_and_never_a_name() -> None:
    outcome, regressors, clusters = _regression()
    outcome = outcome.where(clusters != "factory 7", outcome + 40 * regressors["x"])
    influence = measure_influence(outcome, regressors, clusters)
    told = {diagnostic.name: diagnostic for diagnostic in influence.diagnostics}
    change = told["change without one cluster: x"]
    assert change.reason == "cluster 8 of 12, in order of first appearance"
    assert change.value == influence.changes.loc[8, "x"]
    assert abs(change.value) == influence.changes["x"].abs().max()
    assert "factory" not in repr(influence)


def test_a_coefficient_that_rests_on_one_cluster_has_no_value_without_it() -> None:
    outcome, regressors, clusters = _regression()
    regressors["law"] = (clusters == "factory 2") * 1.0
    influence = measure_influence(outcome, regressors, clusters)
    assert influence.diagnostics[-1].reason == "the coefficient rests on cluster 3 of 12 alone"
    assert np.isnan(influence.diagnostics[-1].value)
    rows = clusters != "factory 2"
    others = regressors[["x", "z", "w"]]
    change = _solve(outcome[rows], others[rows]) - _solve(outcome, regressors)[:3]
    np.testing.assert_allclose(influence.changes.iloc[2, :3], change, rtol=1e-7)
    assert influence.changes.drop(index=3).notna().all(axis=None)


def test_influence_needs_independent_columns_and_two_clusters() -> None:
    outcome, regressors, clusters = _regression()
    with pytest.raises(ModelError, match="one follows from the others"):
        measure_influence(outcome, regressors.assign(v=2 * regressors["x"]), clusters)
    with pytest.raises(ModelError, match="1 clusters and 0 rows without one"):
        measure_influence(outcome, regressors, clusters.where(clusters == "", "all"))
    with pytest.raises(ModelError, match="one and the same index"):
        measure_influence(outcome.iloc[1:], regressors, clusters)


def _treatment(rows: int = 400) -> tuple[pd.Series, pd.DataFrame, pd.Series]:
    """Draw a simulated treatment that depends on one of two covariates."""
    rng = np.random.default_rng(5)
    covariates = pd.DataFrame({"size": rng.normal(size=rows), "age": rng.normal(size=rows)})
    chance = 1 / (1 + np.exp(-1.5 * covariates["size"]))
    treated = pd.Series((rng.random(rows) < chance).astype(int))
    return treated, covariates, pd.Series(np.arange(rows) // 8)


def _propensity(binary: pd.Series, covariates: pd.DataFrame) -> Floats:
    """Maximise the likelihood of a logit directly."""
    values = np.column_stack([np.ones(len(covariates)), covariates])
    on = binary.to_numpy(dtype=float)

    def loss(slopes: Floats) -> float:
        index = values @ slopes
        return float(np.logaddexp(0, index).sum() - on @ index)

    def gradient(slopes: Floats) -> Floats:
        score: Floats = values.T @ (1 / (1 + np.exp(-values @ slopes)) - on)
        return score

    found = optimize.minimize(loss, np.zeros(values.shape[1]), jac=gradient, tol=1e-12)
    propensity: Floats = 1 / (1 + np.exp(-values @ found.x))
    return propensity


def test_overlap_repeats_the_definitions_with_a_likelihood_maximised_directly() -> None:
    treated, covariates, clusters = _treatment()
    found = _values(measure_overlap(treated, covariates, clusters))
    chance = _propensity(treated, covariates)
    on = treated.to_numpy() == 1
    low = max(chance[on].min(), chance[~on].min())
    high = min(chance[on].max(), chance[~on].max())
    # Slack: the row at the border of the support may round to either side of itself.
    outside = ((chance < low - 1e-6) | (chance > high + 1e-6)).mean()
    assert found["share outside common support"] == outside > 0
    extreme = ((chance < 0.1) | (chance > 0.9)).mean()
    assert found["share with a propensity outside 0.1 to 0.9"] == extreme > 0
    sums = pd.Series(1 / chance[on]).groupby(clusters[on].to_numpy()).sum()
    effective = sums.sum() ** 2 / (sums**2).sum()
    # The direct search stops at a gradient of about 1e-6.
    assert found["effective number of treated clusters"] == pytest.approx(effective, rel=1e-5)


def test_units_and_repeated_covariates_do_not_change_overlap() -> None:
    treated, covariates, clusters = _treatment()
    found = _values(measure_overlap(treated, covariates, clusters))
    other = covariates.assign(size=1e9 + 1e3 * covariates["size"], again=covariates["age"], one=7.0)
    again = _values(measure_overlap(treated, other, clusters))
    # 1e9 + 1e3·x keeps ten digits of x.
    assert again == pytest.approx(found, rel=1e-6)


def test_a_treatment_that_nothing_predicts_overlaps_and_keeps_its_clusters() -> None:
    treated = pd.Series([1, 0] * 40)
    covariates = pd.DataFrame({"x": np.repeat([0.0, 1.0], 40)})
    clusters = pd.Series(np.arange(80) // 4)
    found = _values(measure_overlap(treated, covariates, clusters))
    assert found["share outside common support"] == 0
    assert found["effective number of treated clusters"] == pytest.approx(20, rel=SAME)
    assert found["effective number of untreated clusters"] == pytest.approx(20, rel=SAME)


def test_overlap_of_a_continuous_exposure_or_one_side_does_not_apply() -> None:
    treated, covariates, clusters = _treatment()
    for exposure in (treated + 0.5, treated * 0, treated.astype(float).where(treated == 1)):
        found = measure_overlap(exposure, covariates, clusters)
        assert all(np.isnan(diagnostic.value) for diagnostic in found)
        assert _reasons(found) == {
            "the exposure is not 0 or 1 with rows on both sides: overlap does not apply"
        }


@pytest.mark.parametrize("border", [0.0, 1.0])
def test_covariates_that_tell_the_treated_leave_no_propensity(border: float) -> None:
    # Border 0: complete separation. Border 1: all large rows are treated, the others mixed.
    treated, covariates, clusters = _treatment()
    large = (covariates["size"] > border).astype(float)
    told = large if border == 0 else np.maximum(treated, large)
    found = measure_overlap(pd.Series(told), pd.DataFrame({"large": large}), clusters)
    assert all(np.isnan(diagnostic.value) for diagnostic in found)
    assert "tell the treated rows for certain" in found[0].reason


def _attrition() -> tuple[pd.Series, pd.DataFrame, pd.Series]:
    """Lay out attrition that differs by one 0/1 covariate: 40 of 100 and 90 of 100 stay."""
    large = np.repeat([0.0, 1.0], 100)
    seen = pd.Series(np.r_[np.arange(100) < 40, np.arange(100) < 90].astype(int))
    return seen, pd.DataFrame({"large": large}), pd.Series(np.arange(200) % 50)


def test_weights_give_those_who_stayed_the_composition_of_all() -> None:
    seen, covariates, clusters = _attrition()
    found = weigh_attrition(seen, covariates, clusters, trim=1)
    weights = found.values
    # 0.65 stayed: weights 0.65/0.4 for the small and 0.65/0.9 for the large.
    assert weights[0] == pytest.approx(0.65 / 0.4, rel=SAME)
    assert weights[100] == pytest.approx(0.65 / 0.9, rel=SAME)
    assert weights[99] == 0
    assert np.average(covariates["large"], weights=weights) == pytest.approx(0.5, rel=SAME)
    assert weights[seen == 1].mean() == pytest.approx(1, rel=SAME)


def test_weights_above_the_quantile_are_set_to_it_and_counted() -> None:
    treated, covariates, clusters = _treatment()
    whole = weigh_attrition(treated, covariates, clusters, trim=1)
    cut = weigh_attrition(treated, covariates, clusters, trim=0.9)
    stayed = treated == 1
    top = whole.values[stayed].quantile(0.9)
    assert cut.values[stayed].max() == pytest.approx(top, rel=SAME)
    told = _values(cut.diagnostics)
    count = int((whole.values[stayed] > top).sum())
    assert told["share of weights trimmed"] == count / stayed.sum() > 0
    assert told["largest weight before trimming"] == whole.values.max()
    assert told["effective number of clusters"] < len(clusters[stayed].unique())


def test_weights_say_where_there_is_nothing_to_weigh() -> None:
    seen, covariates, clusters = _attrition()
    nobody = weigh_attrition(seen * 0 + 1, covariates, clusters)
    assert (nobody.values == 1).all()
    assert _reasons(nobody.diagnostics) == {"nobody left: every weight is 1"}
    all_left = weigh_attrition(seen * 0, covariates, clusters)
    assert all_left.values.isna().all()
    told = weigh_attrition(covariates["large"], covariates, clusters)
    assert told.values.isna().all()
    assert "tell who left for certain" in told.diagnostics[0].reason
    with pytest.raises(ModelError, match="a quantile above 0 and up to 1"):
        weigh_attrition(seen, covariates, clusters, trim=99)


def test_the_test_of_missingness_repeats_the_sandwich_written_out() -> None:
    seen, covariates, clusters = _treatment()
    found = assess_missingness(seen, covariates, clusters)
    chance = _propensity(seen, covariates)
    values = np.column_stack([np.ones(len(covariates)), covariates])
    bread = np.linalg.inv(values.T @ (values * (chance * (1 - chance))[:, None]))
    scores = values * (seen.to_numpy() - chance)[:, None]
    sums = pd.DataFrame(scores).groupby(clusters).sum().to_numpy()
    covariance = bread @ sums.T @ sums @ bread * 50 / 49
    logit = np.log(chance / (1 - chance))
    slopes = np.linalg.lstsq(values, logit, rcond=None)[0][1:]
    wald = slopes @ np.linalg.solve(covariance[1:, 1:], slopes)
    # The direct search stops at a gradient of about 1e-6.
    assert found.value == pytest.approx(wald * 48 / (2 * 49), rel=1e-5)
    assert found.p_value == pytest.approx(stats.f.sf(found.value, 2, 48), rel=SAME)
    assert found.p_value < 0.001


def test_missingness_that_nothing_predicts_is_rejected_as_rarely_as_it_should() -> None:
    rejected = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        covariates = pd.DataFrame(rng.normal(size=(200, 2)), columns=["x", "z"])
        covariates += np.repeat(rng.normal(size=(40, 2)), 5, axis=0)
        seen = pd.Series((rng.normal(size=200) + np.repeat(rng.normal(size=40), 5) > 0) * 1)
        found = assess_missingness(seen, covariates, pd.Series(np.arange(200) // 5))
        rejected += found.p_value < 0.1
    # A true size of 0.1 has a standard error of 0.021 in 200 repetitions; four of them.
    assert 0.1 - 0.085 < rejected / 200 < 0.1 + 0.085


def test_missingness_says_where_it_cannot_be_tested() -> None:
    seen, covariates, clusters = _attrition()
    assert "all rows are seen" in assess_missingness(seen * 0 + 1, covariates, clusters).reason
    one = pd.Series(np.zeros(200))
    assert "a test needs more clusters" in assess_missingness(seen, covariates, one).reason
    still = assess_missingness(seen, covariates * 0 + 3, clusters)
    assert still.reason == "no covariate varies"
    certain = assess_missingness(covariates["large"], covariates, clusters)
    assert "for certain" in certain.reason


def _answers(
    treated: Sequence[float], untreated: Sequence[float]
) -> tuple[pd.Series, pd.Series, pd.Series, pd.Series]:
    """Lay out answers of two sides, nan for who left, each row a cluster."""
    outcome = pd.Series([*treated, *untreated], dtype=float)
    on = pd.Series([1] * len(treated) + [0] * len(untreated))
    return outcome, on, outcome.notna().astype(int), pd.Series(range(len(outcome)))


LEFT = float("nan")


def test_half_of_the_answers_are_trimmed_by_hand() -> None:
    # Treated answer 1 … 10, of ten untreated five, with mean 4: best five of the treated
    # average 8, worst five 3.
    bounds = bound_attrition(*_answers(list(range(1, 11)), [2, 3, 4, 5, 6, *[LEFT] * 5]))
    assert (bounds.lower, bounds.upper) == pytest.approx((-1, 4), rel=SAME)
    assert (bounds.trimmed_share, bounds.trimmed_side) == (0.5, "treated")


def test_the_side_that_answered_more_is_trimmed() -> None:
    bounds = bound_attrition(*_answers([2, 3, 4, 5, 6, *[LEFT] * 5], list(range(1, 11))))
    assert (bounds.lower, bounds.upper) == pytest.approx((-4, 1), rel=SAME)
    assert bounds.trimmed_side == "untreated"


def test_the_answer_on_the_border_counts_in_part() -> None:
    # Three of four untreated answer: 7.5 of ten treated answers are kept.
    bounds = bound_attrition(*_answers(list(range(1, 11)), [0, 0, 0, LEFT]))
    best = (10 + 9 + 8 + 7 + 6 + 5 + 4 + 3 / 2) / 7.5
    worst = (1 + 2 + 3 + 4 + 5 + 6 + 7 + 8 / 2) / 7.5
    assert (bounds.lower, bounds.upper) == pytest.approx((worst, best), rel=SAME)


def test_ties_are_trimmed_exactly() -> None:
    # Treated: six 0 and four 1; half is kept: at worst all 0, at best four 1 of five.
    bounds = bound_attrition(*_answers([0] * 6 + [1] * 4, [0, 1, 1, 0, *[LEFT] * 4]))
    assert (bounds.lower, bounds.upper) == pytest.approx((-0.5, 0.3), rel=SAME)


def _lost(seed: int = 6, clusters: int = 200) -> tuple[pd.Series, pd.Series, pd.Series, pd.Series]:
    """Draw simulated outcomes in clusters, treated by cluster; 90 % and 70 % answer."""
    rng = np.random.default_rng(seed)
    code = np.repeat(np.arange(clusters), 5)
    on = (code % 2).astype(int)
    outcome = rng.normal(size=clusters)[code] + rng.normal(size=len(code)) + on
    seen = (rng.random(len(code)) < np.where(on == 1, 0.9, 0.7)).astype(int)
    values = pd.Series(np.where(seen == 1, outcome, np.nan))
    return values, pd.Series(on), pd.Series(seen), pd.Series(code)


def _print_variance(outcome: pd.Series, on: pd.Series, seen: pd.Series, *, upper: bool) -> float:
    """Compute the variance of Lee (2009), Proposition 3, treated trimmed, divided by n."""
    share = on.mean()
    control, rate = seen[on == 0].mean(), seen[on == 1].mean()
    cut = 1 - control / rate
    answers = np.sort(outcome[(on == 1) & (seen == 1)].to_numpy() * (1 if upper else -1))[::-1]
    mass = (1 - cut) * len(answers)
    weights = np.clip(mass - np.arange(len(answers)), 0, 1)
    border = answers[int(np.ceil(mass)) - 1]
    mean = np.average(answers, weights=weights)
    spread = np.average((answers - mean) ** 2, weights=weights)
    both = share * rate
    of_cut = (1 - cut) ** 2 * (
        (1 - control / (1 - cut)) / (share * control / (1 - cut))
        + (1 - control) / ((1 - share) * control)
    )
    trimmed = (
        spread / (both * (1 - cut))
        + (border - mean) ** 2 * cut / (both * (1 - cut))
        + ((border - mean) / (1 - cut)) ** 2 * of_cut
    )
    plain = outcome[(on == 0) & (seen == 1)].var(ddof=0) / ((1 - share) * control)
    return float((trimmed + plain) / len(outcome))


def test_errors_of_single_rows_are_those_of_the_published_formula() -> None:
    outcome, on, seen, _ = _lost()
    rows = pd.Series(range(len(outcome)))
    bounds = bound_attrition(outcome, on, seen, rows)
    factor = len(rows) / (len(rows) - 1)
    for error, upper in ((bounds.lower_std_error, False), (bounds.upper_std_error, True)):
        published = factor * _print_variance(outcome, on, seen, upper=upper)
        assert error**2 == pytest.approx(published, rel=SAME)


def _lost_within() -> tuple[pd.Series, pd.Series, pd.Series, pd.Series]:
    """Draw simulated outcomes of clusters with both sides, whose response moves together."""
    rng = np.random.default_rng(9)
    code = np.repeat(np.arange(200), 8)
    on = np.arange(1600) % 2
    common = rng.normal(size=200)[code]
    outcome = common + rng.normal(size=1600) + on
    seen = (common + rng.normal(size=1600) > np.where(on == 1, -1.8, -0.7)).astype(int)
    values = pd.Series(np.where(seen == 1, outcome, np.nan))
    return values, pd.Series(on), pd.Series(seen), pd.Series(code)


@pytest.mark.parametrize("draw", [_lost, _lost_within])
def test_errors_by_cluster_are_near_those_of_leaving_clusters_out(
    draw: Callable[[], tuple[pd.Series, pd.Series, pd.Series, pd.Series]],
) -> None:
    outcome, on, seen, clusters = draw()
    bounds = bound_attrition(outcome, on, seen, clusters)
    without = []
    for code in clusters.unique():
        rows = clusters != code
        again = bound_attrition(outcome[rows], on[rows], seen[rows], clusters[rows])
        without.append((again.lower, again.upper))
    spread = np.array(without) - np.mean(without, axis=0)
    count = clusters.nunique()
    jackknife = np.sqrt((count - 1) / count * (spread**2).sum(axis=0))
    # Jackknife and influence functions differ in the order 1/G, here 1/200, and quantiles
    # make the jackknife rough; a wrong sign or rows for clusters change errors by 20 % or more.
    found = (bounds.lower_std_error, bounds.upper_std_error)
    assert found == pytest.approx(tuple(jackknife), rel=0.05)


def test_errors_by_row_would_be_too_small() -> None:
    outcome, on, seen, clusters = _lost()
    by_row = bound_attrition(outcome, on, seen, pd.Series(range(len(outcome))))
    by_cluster = bound_attrition(outcome, on, seen, clusters)
    assert by_row.lower_std_error < 0.8 * by_cluster.lower_std_error


def test_the_interval_covers_the_effect_with_the_level_of_its_equation() -> None:
    bounds = bound_attrition(*_lost())
    reach = (bounds.lower - bounds.conf_low) / bounds.lower_std_error
    assert reach == pytest.approx(
        (bounds.conf_high - bounds.upper) / bounds.upper_std_error, rel=1e-8
    )
    width = (bounds.upper - bounds.lower) / max(bounds.lower_std_error, bounds.upper_std_error)
    covered = stats.t.cdf(reach + width, bounds.df) - stats.t.cdf(-reach, bounds.df)
    assert covered == pytest.approx(0.95, abs=1e-9)
    one, two = stats.t.ppf([0.95, 0.975], bounds.df)
    assert one - 1e-9 <= reach < two


def test_the_bounds_hold_the_effect_on_those_who_always_answer() -> None:
    # Simulated: who would answer untreated answers treated as well; the lost have low values.
    held = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        base, on = rng.normal(size=2000), np.arange(2000) % 2
        always, if_treated = base > -0.5, base > -1.2
        here = np.where(on == 1, if_treated, always)
        outcome = pd.Series(np.where(here, base + 0.3 * on + rng.normal(size=2000), np.nan))
        clusters = pd.Series(np.arange(2000))
        bounds = bound_attrition(outcome, pd.Series(on), pd.Series(here * 1), clusters)
        held.append(bounds.conf_low <= 0.3 <= bounds.conf_high)
    # At least 95 %; four standard errors of 100 repetitions below.
    assert np.mean(held) >= 0.95 - 4 * 0.022


def _is_empty(bounds: Bounds) -> bool:
    return bool(np.isnan([bounds.lower, bounds.upper, bounds.conf_low, bounds.conf_high]).all())


@pytest.mark.parametrize(
    ("treated", "untreated", "why"),
    [
        ([1, 2, 3, LEFT], [1, 2, 3, LEFT], "attrition is equal on both sides"),
        ([1, 2, 3], [1, 2, 3], "all rows are seen"),
        ([1, 2, 3], [LEFT, LEFT], "nobody of one side is seen"),
        ([1, 2, LEFT], [], "not 0 or 1 with rows on both sides"),
    ],
)
def test_bounds_that_do_not_apply_have_a_reason(
    treated: list[float], untreated: list[float], why: str
) -> None:
    bounds = bound_attrition(*_answers(treated, untreated))
    assert _is_empty(bounds)
    assert why in bounds.reason


def test_a_continuous_exposure_has_no_bounds() -> None:
    outcome, on, seen, clusters = _lost()
    bounds = bound_attrition(outcome, on + 0.5, seen, clusters)
    assert _is_empty(bounds)
    assert "the exposure is not 0 or 1" in bounds.reason


def test_attrition_in_both_directions_makes_monotonicity_impossible() -> None:
    outcome, on, seen, clusters = _lost()
    men = pd.Series(np.arange(len(on)) % 5 < 2)
    crossed = seen.where(~men, ((clusters % 10 < 3) | (on == 0)).astype(int))
    outcome = outcome.where(crossed == 0, outcome.fillna(0.0))
    bounds = bound_attrition(outcome, on, crossed, clusters, strata=men)
    assert _is_empty(bounds)
    assert "monotone attrition is impossible" in bounds.reason
    same = bound_attrition(*_lost(), strata=men)
    assert same.reason == ""
    assert same == bound_attrition(*_lost())


def test_a_stratum_that_differs_by_chance_does_not_refuse_bounds() -> None:
    # Four clusters a side: response 16 of 20 treated and 19 of 20 untreated: t is −1.7, p 0.13.
    outcome, on, seen, clusters = _lost()
    few = pd.Series(clusters < 8)
    here = seen.where(~few, 1)
    here.iloc[[0, 5, 15, 16, 25]] = 0
    outcome = outcome.fillna(0.0)
    rates = here[few].groupby(on[few]).mean()
    assert rates[1] < rates[0]
    bounds = bound_attrition(outcome, on, here, clusters, strata=few)
    assert bounds.reason == ""
    assert bounds.lower < bounds.upper


def test_bounds_with_one_cluster_on_a_side_have_no_interval() -> None:
    outcome, on, seen, clusters = _lost()
    bounds = bound_attrition(outcome, on, seen, clusters.where(on == 0, -1))
    assert bounds.lower < bounds.upper
    assert np.isnan([bounds.lower_std_error, bounds.conf_low, bounds.conf_high]).all()
    assert bounds.reason == "one cluster on a side: bounds without an interval"


def test_a_seen_row_without_an_outcome_is_refused() -> None:
    outcome, on, seen, clusters = _lost()
    missing = pd.Series(np.where(seen == 0, np.arange(len(seen)) % 2, seen))
    with pytest.raises(ModelError, match="seen rows without an outcome"):
        bound_attrition(outcome, on, missing, clusters)
    with pytest.raises(ModelError, match=r"a share from 0\.5 to below 1"):
        bound_attrition(outcome, on, seen, clusters, conf_level=95)


@pytest.mark.parametrize(("level", "printed"), [(0.10, "2.49"), (0.05, "2.80")])
def test_multipliers_of_the_detectable_effect_are_the_printed_ones(
    level: float, printed: str
) -> None:
    # Bloom (1995): 80 % power, one-tailed 0.05 (two-tailed 0.10) and two-tailed 0.05.
    found = find_detectable(1.0, np.inf, level=level)
    assert f"{found.value:.2f}" == printed


def test_the_detectable_effect_is_in_units_of_the_error() -> None:
    assert find_detectable(0.3, 10).value == pytest.approx(
        0.3 * (stats.t.ppf(0.975, 10) + stats.t.ppf(0.8, 10)), rel=SAME
    )


def test_sixty_four_a_side_find_half_a_deviation_with_power_080() -> None:
    # Cohen (1988), Table 2.3.5: n = 64, d = 0.50, two-tailed 0.05, power 0.80.
    found = assess_power(0.5, np.sqrt(2 / 64), 126)
    assert f"{found.value:.2f}" == "0.80"
    oracle = TTestIndPower().power(0.5, 64, 0.05)
    assert found.value == pytest.approx(oracle, rel=1e-8)


@pytest.mark.parametrize("df", [3, 10, 60, np.inf])
def test_power_rises_from_the_level_through_the_detectable_effect(df: float) -> None:
    assert assess_power(0.0, 1.0, df).value == pytest.approx(0.05, rel=SAME)
    assert assess_power(50.0, 1.0, df).value == pytest.approx(1, abs=1e-9)
    assert assess_power(-1.0, 1.0, df).value == assess_power(1.0, 1.0, df).value
    detectable = find_detectable(1.0, df).value
    # Bloom's sum of two central quantiles is near the noncentral t: 0.02 at 3 degrees.
    assert assess_power(detectable, 1.0, df).value == pytest.approx(0.8, abs=0.02)


def test_a_planned_error_has_the_design_effect_of_its_clusters() -> None:
    alone = plan_std_error(400, 1, icc=0.0, sigma=2.0)
    assert alone == pytest.approx(2 * 2 / np.sqrt(400), rel=SAME)
    clustered = plan_std_error(20, 20, icc=0.1, sigma=2.0)
    assert clustered == pytest.approx(alone * np.sqrt(1 + 19 * 0.1), rel=SAME)
    assert plan_std_error(20, 1000, icc=1.0) == pytest.approx(2 / np.sqrt(20), rel=SAME)


def test_without_an_error_there_is_nothing_to_plan_with() -> None:
    for found in (find_detectable(np.nan, 5), find_detectable(1.0, 0), assess_power(1, np.nan, 5)):
        assert np.isnan(found.value)
        assert found.reason == "there is no standard error to plan with"
    with pytest.raises(ModelError, match="Give a share, not a percentage"):
        find_detectable(1.0, 5, power=80)
    with pytest.raises(ModelError, match="icc from 0 to 1"):
        plan_std_error(20, 10, icc=5)
