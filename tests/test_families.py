"""Families of tests repeat printed examples, plain searches and what theory promises."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from evidence.errors import ModelError
from evidence.models.checks.families import (
    adjust_p_values,
    index_outcomes,
    step_down,
    weigh_outcomes,
)

Floats = npt.NDArray[np.float64]

THROMBOLYSIS = pd.Series(
    [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240,
     0.4262, 0.5719, 0.6528, 0.7590, 1.0000]
)  # fmt: skip
"""Benjamini and Hochberg (1995), Section 4.1: 15 comparisons of two treatments."""

SAME = 1e-12
"""Relative; reason: the same sums in another order differ by about 1e-15, a wrong
formula by more than 1e-3."""


def _p_values(seed: int, count: int = 9) -> pd.Series:
    """Draw simulated p-values, some small, some tied."""
    rng = np.random.default_rng(seed)
    values = np.where(rng.random(count) < 0.5, rng.random(count) ** 4, rng.random(count))
    values[: count // 3] = np.round(values[: count // 3], 2)
    return pd.Series(values, index=[f"outcome {n}" for n in range(count)])


def _descend(p_values: Floats) -> Floats:
    """Run the two-stage procedure at q = 1.000, 0.999, … 0.001, as Anderson (2008) does."""
    count = len(p_values)
    ranked = np.sort(p_values)
    ranks = np.arange(1, count + 1)
    least = np.ones(count)

    def rejected(level: float) -> int:
        below = ranked <= level * ranks / count
        return int(ranks[below].max()) if below.any() else 0

    for thousandths in range(1000, 0, -1):
        q = thousandths / 1000
        first = rejected(q / (1 + q))
        share = count / (count - first) if first < count else np.inf
        second = rejected(q / (1 + q) * share) if first < count else count
        least[np.argsort(p_values, kind="stable")[:second]] = q
    return least


def test_the_printed_example_rejects_four_by_benjamini_hochberg_and_three_by_holm() -> None:
    assert (adjust_p_values(THROMBOLYSIS, "benjamini_hochberg") <= 0.05).sum() == 4
    assert (adjust_p_values(THROMBOLYSIS, "holm") <= 0.05).sum() == 3


def test_the_second_stage_rejects_eight_of_the_printed_example() -> None:
    # By hand: stage one at 0.05/1.05 rejects 4, so stage two runs at 0.05/1.05·15/11, where
    # 0.0344 ≤ 8/15·0.0649 = 0.0346 and 0.0459 > 9/15·0.0649 = 0.0390.
    sharpened = adjust_p_values(THROMBOLYSIS, "sharpened")
    assert (sharpened <= 0.05).sum() == 8


@pytest.mark.parametrize("seed", range(20))
def test_sharpened_values_round_up_to_those_of_the_descending_search(seed: int) -> None:
    p_values = _p_values(seed)
    exact = adjust_p_values(p_values, "sharpened").to_numpy()
    rounded = np.maximum(np.ceil(exact * 1000 - 1e-9) / 1000, 0.001)
    np.testing.assert_array_equal(rounded, _descend(p_values.to_numpy()))


@pytest.mark.parametrize("level", [0.01, 0.05, 0.1, 0.25])
@pytest.mark.parametrize("seed", range(10))
def test_sharpened_values_reject_what_statsmodels_rejects(seed: int, level: float) -> None:
    p_values = _p_values(seed)
    rejected = multipletests(p_values, alpha=level, method="fdr_tsbky")[0]
    assert list(adjust_p_values(p_values, "sharpened") <= level) == list(rejected)


@pytest.mark.parametrize("seed", range(10))
def test_holm_is_the_running_largest_of_rank_times_p(seed: int) -> None:
    p_values = _p_values(seed).sort_values()
    steps = p_values.to_numpy() * np.arange(len(p_values), 0, -1)
    expected = np.minimum(np.maximum.accumulate(steps), 1)
    np.testing.assert_allclose(adjust_p_values(p_values, "holm"), expected, rtol=SAME)


@pytest.mark.parametrize("method", ["holm", "benjamini_hochberg"])
@pytest.mark.parametrize("seed", range(10))
def test_an_adjusted_p_value_is_never_below_the_raw_one(method: str, seed: int) -> None:
    p_values = _p_values(seed)
    assert (adjust_p_values(p_values, method) >= p_values).all()  # type: ignore[arg-type]


def test_a_sharpened_value_may_be_below_its_p_value_when_most_are_rejected() -> None:
    p_values = pd.Series([0.0001] * 9 + [0.04])
    assert adjust_p_values(p_values, "sharpened").iloc[-1] < 0.04


@pytest.mark.parametrize("method", ["holm", "benjamini_hochberg", "sharpened"])
@pytest.mark.parametrize("seed", range(10))
def test_adjusting_keeps_the_order_and_does_not_depend_on_it(method: str, seed: int) -> None:
    p_values = _p_values(seed)
    adjusted = adjust_p_values(p_values, method)  # type: ignore[arg-type]
    assert adjusted[p_values.sort_values().index].is_monotonic_increasing
    shuffled = p_values.sample(frac=1, random_state=seed)
    again = adjust_p_values(shuffled, method)  # type: ignore[arg-type]
    pd.testing.assert_series_equal(again[p_values.index], adjusted, rtol=SAME)


@pytest.mark.parametrize("method", ["holm", "benjamini_hochberg"])
def test_a_single_test_is_not_adjusted(method: str) -> None:
    adjusted = adjust_p_values(pd.Series([0.03], ["wage"]), method)  # type: ignore[arg-type]
    assert adjusted.tolist() == [0.03]


@pytest.mark.parametrize(
    ("values", "seen"),
    [([0.1, np.nan], "wage: nan"), ([0.1, 1.2], "wage: 1.2"), ([0.1, -0.1], r"wage: -0\.1")],
)
def test_a_value_that_is_no_p_value_is_named(values: list[float], seen: str) -> None:
    with pytest.raises(ModelError, match=seen):
        adjust_p_values(pd.Series(values, index=["hours", "wage"]), "holm")


def test_an_empty_family_and_an_unknown_method_are_refused() -> None:
    with pytest.raises(ModelError, match="no test at all"):
        adjust_p_values(pd.Series([], dtype=float), "holm")
    with pytest.raises(ModelError, match="'sidak'; expected 'holm'"):
        adjust_p_values(THROMBOLYSIS, "sidak")  # type: ignore[arg-type]


def _joint(
    seed: int, correlation: float, count: int = 5, number: int = 499
) -> tuple[pd.Series, Floats]:
    """Draw simulated statistics of equally correlated outcomes with their null draws."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(number + 1, 1))
    own = rng.normal(size=(number + 1, count))
    draws = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own
    shifted = draws[0] + np.linspace(0, 2.5, count)
    return pd.Series(shifted, index=[f"outcome {n}" for n in range(count)]), draws[1:]


def _raw(statistics: pd.Series, draws: Floats) -> Floats:
    reached: Floats = (np.abs(draws) >= np.abs(statistics.to_numpy())).sum(axis=0)
    return (1 + reached) / (1 + len(draws))


def _step_by_hand(statistics: pd.Series, draws: Floats) -> dict[str, float]:
    """Take outcomes away one by one, the largest statistic first."""
    left, adjusted, last = list(statistics.index), {}, 0.0
    while left:
        largest = max(left, key=lambda name: abs(statistics[name]))
        at = [statistics.index.get_loc(name) for name in left]
        count = sum(max(abs(draw[at])) >= abs(statistics[largest]) for draw in draws)
        last = max(last, (count + 1) / (len(draws) + 1))
        adjusted[largest] = last
        left.remove(largest)
    return adjusted


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.95])
@pytest.mark.parametrize("seed", range(4))
def test_stepping_down_repeats_the_procedure_taken_one_by_one(
    seed: int, correlation: float
) -> None:
    statistics, draws = _joint(seed, correlation)
    adjusted = step_down(statistics, draws)
    assert adjusted.to_dict() == _step_by_hand(statistics, draws)


@pytest.mark.parametrize("correlation", [0.0, 0.95])
@pytest.mark.parametrize("seed", range(6))
def test_stepping_down_is_above_raw_monotone_and_free_of_order(
    seed: int, correlation: float
) -> None:
    statistics, draws = _joint(seed, correlation)
    adjusted = step_down(statistics, draws)
    assert (adjusted >= _raw(statistics, draws)).all()
    falling = statistics.abs().sort_values(ascending=False).index
    assert adjusted[falling].is_monotonic_increasing
    frame = pd.DataFrame(draws, columns=statistics.index)
    shuffled = statistics.sample(frac=1, random_state=seed)
    pd.testing.assert_series_equal(step_down(shuffled, frame)[statistics.index], adjusted)


@pytest.mark.parametrize("seed", range(6))
def test_under_strong_dependence_stepping_down_is_not_above_holm(seed: int) -> None:
    statistics, draws = _joint(seed, 0.95)
    raw = pd.Series(_raw(statistics, draws), index=statistics.index)
    adjusted = step_down(statistics, draws)
    assert (adjusted <= adjust_p_values(raw, "holm")).all()
    assert adjusted.sum() < adjust_p_values(raw, "holm").sum()


def test_outcomes_that_are_one_outcome_need_no_adjustment() -> None:
    statistics, draws = _joint(3, 0.0, count=1)
    copies = pd.Series(np.repeat(statistics.to_numpy(), 4), index=list("abcd"))
    adjusted = step_down(copies, np.repeat(draws, 4, axis=1))
    assert adjusted.to_numpy() == pytest.approx(np.repeat(_raw(statistics, draws), 4), rel=SAME)


def test_stepping_down_counts_ties_and_the_observed_draw() -> None:
    draws = np.array([[2.0, 0.0], [-2.0, 1.0], [0.5, 0.0]])
    adjusted = step_down(pd.Series([2.0, 9.0], index=["hours", "wage"]), draws)
    assert adjusted.to_dict() == {"hours": 3 / 4, "wage": 1 / 4}


def test_stepping_down_keeps_the_family_error_under_the_null() -> None:
    # Exchangeable draws: the observed one is any of B + 1, so the family-wise error at
    # 0.1 is at most 0.1; 400 repetitions have a standard error of 0.015, hence 0.145.
    errors = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        draws = rng.normal(size=(100, 4)) + rng.normal(size=(100, 1))
        errors += bool((step_down(pd.Series(draws[0]), draws[1:]) <= 0.1).any())
    assert errors / 400 <= 0.145


def test_draws_that_do_not_fit_the_outcomes_are_refused() -> None:
    statistics = pd.Series([2.0, 1.0], index=["hours", "wage"])
    with pytest.raises(ModelError, match="shape \\(5, 3\\); expected a row a draw and 2 columns"):
        step_down(statistics, np.zeros((5, 3)))
    with pytest.raises(ModelError, match="a column of draws of the same name"):
        step_down(statistics, pd.DataFrame(np.zeros((5, 2)), columns=["hours", "safety"]))
    with pytest.raises(ModelError, match="1 draws with a missing value"):
        step_down(statistics, np.array([[1.0, np.nan], [1.0, 1.0]]))
    with pytest.raises(ModelError, match="wage: nan; expected a finite studentized"):
        step_down(pd.Series([2.0, np.nan], index=["hours", "wage"]), np.zeros((5, 2)))


def _outcomes(rows: int = 200, seed: int = 1) -> tuple[pd.DataFrame, pd.Series]:
    """Draw simulated outcomes: two alike, one apart, in units of their own."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=rows)
    frame = pd.DataFrame(
        {
            "wage": 100 + 10 * (common + 0.8 * rng.normal(size=rows)),
            "hours": 48 - 3 * (common + 0.8 * rng.normal(size=rows)),
            "safety": 0.5 + 0.1 * rng.normal(size=rows),
        }
    )
    return frame, pd.Series(np.arange(rows) % 2 == 0)


DIRECTION = {"wage": 1, "hours": -1, "safety": 1}


def test_the_index_repeats_the_formula_written_out() -> None:
    frame, control = _outcomes()
    turned = frame.to_numpy() * np.array([1, -1, 1])
    mask = control.to_numpy()
    scaled = (turned - turned[mask].mean(axis=0)) / turned[mask].std(axis=0, ddof=1)
    inverse = np.linalg.inv(np.cov(scaled, rowvar=False))
    ones = np.ones(3)
    plain = scaled @ inverse @ ones / (ones @ inverse @ ones)
    expected = (plain - plain[mask].mean()) / plain[mask].std(ddof=1)
    index = index_outcomes(frame, direction=DIRECTION, reference=control)
    np.testing.assert_allclose(index, expected, rtol=1e-9, atol=1e-9)


def test_the_index_has_mean_zero_and_deviation_one_in_the_reference() -> None:
    frame, control = _outcomes()
    index = index_outcomes(frame, direction=DIRECTION, reference=control)
    assert index[control].mean() == pytest.approx(0, abs=SAME)
    assert index[control].std() == pytest.approx(1, rel=SAME)


def test_units_and_order_do_not_change_the_index() -> None:
    frame, control = _outcomes()
    index = index_outcomes(frame, direction=DIRECTION, reference=control)
    other = (frame * [0.01, 60, 100] + [0, 7, 0])[["safety", "wage", "hours"]]
    again = index_outcomes(other, direction=DIRECTION, reference=control)
    np.testing.assert_allclose(again, index, rtol=1e-9, atol=1e-9)


def test_two_equally_scaled_outcomes_weigh_the_same_and_copies_weigh_less() -> None:
    frame, control = _outcomes()
    two = frame[["wage", "hours"]]
    everyone = pd.Series(frame.index >= 0)
    equal = weigh_outcomes(two, direction={"wage": 1, "hours": -1}, reference=everyone)
    np.testing.assert_allclose(equal, [0.5, 0.5], rtol=SAME)
    weights = weigh_outcomes(frame, direction=DIRECTION, reference=control)
    assert weights.sum() == pytest.approx(1, rel=SAME)
    assert weights["safety"] > weights["wage"]
    assert weights["safety"] > weights["hours"]


def test_a_missing_outcome_leaves_the_weighted_mean_of_the_others() -> None:
    frame, control = _outcomes()
    frame.loc[1, "wage"] = np.nan
    frame.loc[3, :] = np.nan
    index = index_outcomes(frame, direction=DIRECTION, reference=control)
    assert np.isnan(index[3])
    assert index.drop(3).notna().all()
    weights = weigh_outcomes(frame, direction=DIRECTION, reference=control)
    turned = frame * pd.Series(DIRECTION)
    scaled = (turned - turned[control].mean()) / turned[control].std()
    parts = scaled.loc[1, ["hours", "safety"]] * weights[["hours", "safety"]]
    raw = (scaled * weights).sum(axis=1)[control]
    expected = parts.sum() / weights[["hours", "safety"]].sum()
    assert index[1] == pytest.approx((expected - raw.mean()) / raw.std(), rel=1e-9)


def _overlapping() -> tuple[pd.DataFrame, pd.Series]:
    """Draw simulated outcomes of which one is nearly the sum of two others."""
    rng = np.random.default_rng(4)
    parts = rng.normal(size=(300, 2))
    total = 3 * parts.sum(axis=1) + 0.5 * rng.normal(size=300)
    frame = pd.DataFrame({"pay": parts[:, 0], "bonus": parts[:, 1], "total": total})
    return frame, pd.Series(np.arange(300) % 2 == 0)


def test_a_negative_weight_is_named_and_refused_unless_asked_for() -> None:
    frame, control = _overlapping()
    direction = dict.fromkeys(frame.columns, 1)
    with pytest.raises(ModelError, match=r"total -\d.*better in an outcome would lower the index"):
        index_outcomes(frame, direction=direction, reference=control)
    frame.loc[5, "pay"] = np.nan
    index = index_outcomes(frame, direction=direction, reference=control, allow_negative=True)
    assert np.isnan(index[5])
    assert index.drop(5).notna().all()


def test_an_outcome_that_follows_from_others_is_named() -> None:
    frame, control = _outcomes()
    frame["pay"] = 2 * frame["wage"] + 1
    with pytest.raises(ModelError, match="wage, pay: one follows from the others"):
        index_outcomes(frame, direction={**DIRECTION, "pay": 1}, reference=control)


def test_outcomes_without_direction_variation_or_company_are_refused() -> None:
    frame, control = _outcomes()
    with pytest.raises(ModelError, match="1 \\(more is better\\) or −1"):
        index_outcomes(frame, direction={"wage": 1, "hours": 0, "safety": 1}, reference=control)
    still = frame.assign(safety=frame["safety"].where(~control, 0.1))
    with pytest.raises(ModelError, match="safety: one value, or fewer than two rows"):
        index_outcomes(still, direction=DIRECTION, reference=control)
    apart = frame.assign(
        wage=frame["wage"].where(frame.index < 100), safety=frame["safety"].where(frame.index > 99)
    )
    with pytest.raises(ModelError, match="wage, safety: pairs never seen in the same rows"):
        index_outcomes(apart, direction=DIRECTION, reference=control)


def test_a_reference_that_is_no_mask_and_infinite_outcomes_are_refused() -> None:
    frame, control = _outcomes()
    with pytest.raises(ModelError, match="True or False for each of the 200 rows"):
        index_outcomes(frame, direction=DIRECTION, reference=control.astype(int))
    frame.loc[0, "wage"] = np.inf
    with pytest.raises(ModelError, match="an infinite value"):
        index_outcomes(frame, direction=DIRECTION, reference=control)
