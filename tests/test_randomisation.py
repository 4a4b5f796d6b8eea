"""Randomisation inference is exact: p-values are counted by hand or over every assignment."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, permutations
from math import comb

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from evidence.errors import ModelError
from evidence.models.checks.randomisation import Statistic, invert_test, randomise

Floats = npt.NDArray[np.float64]


def _compare(outcome: Floats) -> Statistic:
    """Make the difference in means, treated less untreated."""

    def difference(assignment: pd.Series) -> float:
        on = assignment.to_numpy(dtype=float) == 1
        return float(outcome[on].mean() - outcome[~on].mean())

    return difference


def _assign(*values: float) -> pd.Series:
    names = [f"country {n}" for n in range(len(values))]
    return pd.Series(values, index=names, name="treated")


def test_the_lady_tasting_tea_has_one_chance_in_seventy() -> None:
    # Fisher (1935), The Design of Experiments, ch. II: 8 cups, 4 with milk first, all right.
    milk_first = np.array([1, 0, 0, 1, 1, 0, 1, 0])
    said = _assign(*milk_first)
    result = randomise(
        lambda guess: float((guess.to_numpy() * milk_first).sum()),
        said,
        seed=1,
        alternative="greater",
    )
    assert (result.n_assignments, result.enumerated) == (70, True)
    assert result.p_value == pytest.approx(1 / 70, rel=1e-15)
    assert result.smallest_p == pytest.approx(1 / 70, rel=1e-15)


def test_three_cups_right_have_seventeen_chances_in_seventy() -> None:
    # Fisher (1935): 16 ways to be right on three cups of each kind and one on all.
    milk_first = np.array([1, 1, 1, 1, 0, 0, 0, 0])
    said = _assign(1, 1, 1, 0, 1, 0, 0, 0)
    result = randomise(
        lambda guess: float((guess.to_numpy() * milk_first).sum()),
        said,
        seed=1,
        alternative="greater",
    )
    assert result.p_value == pytest.approx(17 / 70, rel=1e-15)


def test_with_four_countries_and_one_treated_no_p_value_is_below_a_quarter() -> None:
    result = randomise(_compare(np.array([9.0, 1.0, 2.0, 2.5])), _assign(1, 0, 0, 0), seed=1)
    assert result.p_value == result.smallest_p == 0.25
    assert result.diagnostic.p_value == 0.25
    assert "all 4 possible assignments" in result.diagnostic.reason
    assert "no p-value can be below 0.25" in result.diagnostic.reason


def test_two_against_two_two_sided_cannot_be_below_a_third() -> None:
    # The mirror assignment has the same absolute difference: 2 of 6.
    result = randomise(_compare(np.array([9.0, 8.0, 2.0, 2.5])), _assign(1, 1, 0, 0), seed=1)
    assert result.n_assignments == 6
    assert result.p_value == result.smallest_p == pytest.approx(1 / 3, rel=1e-15)


def test_random_draws_count_the_observed_assignment() -> None:
    outcome = np.arange(40.0)
    assignment = _assign(*(outcome >= 20).astype(int))
    result = randomise(_compare(outcome), assignment, seed=3, draws=99)
    assert not result.enumerated
    assert (result.n_compared, result.n_assignments) == (100, comb(40, 20))
    assert result.p_value == result.smallest_p == 0.01
    assert "99 assignments were drawn at random" in result.diagnostic.reason


def test_the_seed_decides_the_draws() -> None:
    outcome = np.random.default_rng(1).normal(size=30)
    assignment = _assign(*np.arange(30) % 2)
    first, again, other = (
        randomise(_compare(outcome), assignment, seed=seed, draws=199).p_value for seed in (5, 5, 6)
    )
    assert first == again
    assert first != other


def test_random_draws_are_near_the_enumerated_p_value() -> None:
    outcome = np.random.default_rng(2).normal(size=12) + np.arange(12) % 2
    assignment = _assign(*np.arange(12) % 2)
    exact = randomise(_compare(outcome), assignment, seed=1, draws=comb(12, 6)).p_value
    drawn = randomise(_compare(outcome), assignment, seed=1, draws=900).p_value
    # Four standard errors of a share of 900 draws.
    assert drawn == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 900))


def _every_p(outcome: Floats, assignment: pd.Series, **options: object) -> list[float]:
    """Give the p-value that each possible assignment would have had, were it observed."""
    orders = sorted(set(permutations(assignment.tolist())))
    return [
        randomise(
            _compare(outcome),
            pd.Series(order, index=assignment.index),
            seed=1,
            **options,  # type: ignore[arg-type]
        ).p_value
        for order in orders
    ]


def test_under_the_sharp_null_one_sided_p_values_are_uniform_on_their_grid() -> None:
    # Outcomes without ties: powers of two have different sums for different countries.
    outcome = np.array([1.0, 2, 4, 8, 16, 32, 64])
    p_values = _every_p(outcome, _assign(1, 1, 1, 0, 0, 0, 0), alternative="greater")
    np.testing.assert_allclose(np.sort(p_values), np.arange(1, 36) / 35, rtol=1e-14)


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@pytest.mark.parametrize("treated", [1, 2, 3])
def test_under_the_sharp_null_a_p_value_is_never_too_often_small(
    treated: int, alternative: str
) -> None:
    outcome = np.round(np.random.default_rng(treated).normal(size=6), 1)
    outcome[1] = outcome[0]
    assignment = _assign(*(np.arange(6) < treated).astype(int))
    p_values = np.array(_every_p(outcome, assignment, alternative=alternative))
    for bound in np.unique(p_values):
        assert (p_values <= bound).mean() <= bound + 1e-12


def test_ties_count_even_when_sums_round_differently() -> None:
    outcome = np.array([0.1, 0.2, 0.3, 0.1, 0.2, 0.3])
    result = randomise(_compare(outcome), _assign(1, 1, 1, 0, 0, 0), seed=1, alternative="greater")
    by_hand = [
        sum(round(10 * outcome[at]) for at in chosen) >= 6 for chosen in combinations(range(6), 3)
    ]
    assert result.p_value == pytest.approx(np.mean(by_hand), rel=1e-15)


def test_strata_keep_the_event_where_it_could_have_been() -> None:
    assignment = _assign(1, 0, 0, 1, 0)
    strata = pd.Series(["asia", "asia", "asia", "africa", "africa"], index=assignment.index)
    seen: list[pd.Series] = []

    def watch(other: pd.Series) -> float:
        seen.append(other)
        return _compare(np.array([5.0, 1, 2, 7, 3]))(other)

    result = randomise(watch, assignment, seed=1, strata=strata.sample(frac=1, random_state=1))
    assert result.n_assignments == 6
    assert result.p_value == pytest.approx(1 / 6, rel=1e-15)
    assert {tuple(other.groupby(strata).sum()) for other in seen} == {(1, 1)}


def test_random_draws_stay_within_strata() -> None:
    assignment = _assign(*np.arange(20) % 2)
    strata = pd.Series(np.arange(20) // 4, index=assignment.index)
    seen: list[pd.Series] = []

    def watch(other: pd.Series) -> float:
        seen.append(other)
        return _compare(np.arange(20.0))(other)

    result = randomise(watch, assignment, seed=1, draws=50, strata=strata)
    assert (result.enumerated, result.n_assignments) == (False, 6**5)
    assert {tuple(other.groupby(strata).sum()) for other in seen} == {(2, 2, 2, 2, 2)}
    assert len({tuple(other) for other in seen}) > 40


def test_dates_of_adoption_are_permuted_within_strata_with_those_who_never_adopt() -> None:
    dates = pd.Series(
        pd.to_datetime(["2015-01-01", "2017-01-01", "NaT", "2016-01-01", "NaT"]),
        index=["a", "b", "c", "d", "e"],
    )
    strata = pd.Series([1, 1, 1, 2, 2], index=dates.index)
    seen: list[pd.Series] = []

    def watch(other: pd.Series) -> float:
        seen.append(other)
        return float(other.dt.year.fillna(0).mul([1.0, 2, 4, 8, 16]).sum())

    result = randomise(watch, dates, seed=1, strata=strata, alternative="less")
    assert result.n_assignments == 12
    listed = seen[-12:]
    assert len({tuple(other.astype(str)) for other in listed}) == 12
    assert all(str(other.dtype) == str(dates.dtype) for other in listed)
    assert all(other[["a", "b", "c"]].isna().sum() == 1 for other in listed)


@pytest.mark.parametrize("values", [(1, 0, 0, 0), (1, 2, 3, 4), (0.5, 0.5, 1, 1, 2), (0, 1, 1, 1)])
def test_every_distinct_assignment_is_looked_at_once(values: tuple[float, ...]) -> None:
    seen: list[tuple[float, ...]] = []

    def watch(other: pd.Series) -> float:
        seen.append(tuple(other))
        return float(other.iloc[0])

    result = randomise(watch, _assign(*values), seed=1)
    assert sorted(seen[1:]) == sorted(set(permutations(values)))
    assert result.n_assignments == len(seen) - 1


def test_a_hundred_countries_and_one_event_are_enumerated() -> None:
    outcome = np.arange(100.0)
    assignment = _assign(*(np.arange(100) == 99).astype(int))
    result = randomise(_compare(outcome), assignment, seed=1, draws=99, alternative="greater")
    assert (result.enumerated, result.p_value) == (True, 0.01)


def test_an_assignment_without_a_statistic_counts_as_further_out() -> None:
    outcome = np.array([9.0, np.nan, 2.0, 2.5])

    def difference(assignment: pd.Series) -> float:
        on = assignment.to_numpy() == 1
        return float(outcome[on].mean() - np.nanmean(outcome[~on]))

    result = randomise(difference, _assign(1, 0, 0, 0), seed=1)
    assert result.p_value == result.smallest_p == 0.5
    assert "1 without a statistic count as further out" in result.diagnostic.reason


def test_where_all_got_the_same_there_is_nothing_to_compare() -> None:
    result = randomise(lambda other: float(other.sum()), _assign(1, 1, 1), seed=1)
    assert np.isnan(result.p_value)
    assert "one assignment was possible" in result.diagnostic.reason


def test_malformed_assignments_are_refused() -> None:
    statistic = _compare(np.arange(4.0))
    twice = _assign(1, 0, 0, 0).rename(index={"country 1": "country 0"})
    with pytest.raises(ModelError, match="4 clusters, 3 of them distinct"):
        randomise(statistic, twice, seed=1)
    with pytest.raises(ModelError, match="0 draws"):
        randomise(statistic, _assign(1, 0, 0, 0), seed=1, draws=0)
    with pytest.raises(ModelError, match="3 clusters with a stratum"):
        randomise(statistic, _assign(1, 0, 0, 0), seed=1, strata=_assign(1, 1, 1))
    with pytest.raises(ModelError, match="nan for the observed assignment"):
        randomise(lambda _: float("nan"), _assign(1, 0, 0, 0), seed=1)
    with pytest.raises(ModelError, match="'both'; expected 'two-sided'"):
        randomise(statistic, _assign(1, 0), seed=1, alternative="both")  # type: ignore[arg-type]


def _shift(outcome: Floats, given: pd.Series) -> Callable[[float], Statistic]:
    return lambda effect: _compare(outcome - effect * given.to_numpy(dtype=float))


def _eight(effect: float = 2.0) -> tuple[Floats, pd.Series]:
    """Draw simulated outcomes of eight clusters, four treated."""
    given = _assign(1, 0, 1, 0, 1, 0, 1, 0)
    noise = np.random.default_rng(8).normal(size=8)
    return noise + effect * given.to_numpy(dtype=float), given


def test_the_interval_holds_the_effects_that_are_not_rejected() -> None:
    outcome, given = _eight()
    shift = _shift(outcome, given)
    estimate = shift(0)(given)
    interval = invert_test(
        shift, given, estimate=estimate, step=0.5, seed=1, draws=69, conf_level=0.9
    )
    assert interval.conf_low < estimate < interval.conf_high
    near = 0.5e-4

    def p_value(effect: float) -> float:
        return randomise(shift(effect), given, seed=1).p_value

    for effect in np.linspace(interval.conf_low + 2 * near, interval.conf_high - 2 * near, 25):
        assert p_value(float(effect)) > 0.1
    assert p_value(interval.conf_low) <= 0.1
    assert p_value(interval.conf_high) <= 0.1


def test_the_interval_ends_where_two_assignments_swap() -> None:
    # Under the effect b an assignment z has |a_z − b·c_z|, a_z the difference of the raw
    # outcomes and c_z that of the given treatment: ends are roots of |a_z − b·c_z| = |a − b|.
    outcome, given = _eight()
    estimate = _compare(outcome)(given)
    interval = invert_test(
        _shift(outcome, given), given, estimate=estimate, step=0.5, seed=1, draws=69
    )
    roots = []
    treated = given.to_numpy(dtype=float)
    for chosen in combinations(range(8), 4):
        other = pd.Series(np.isin(np.arange(8), chosen).astype(int), index=given.index)
        a, c = _compare(outcome)(other), _compare(treated)(other)
        roots += [(a - estimate) / (c - 1)] if c != 1 else []
        roots += [(a + estimate) / (c + 1)] if c != -1 else []
    for end in (interval.conf_low, interval.conf_high):
        # Half of step/10,000 and what the search leaves: the printed reach of the search.
        assert min(abs(end - root) for root in roots) <= 0.5e-4


def test_an_exact_interval_covers_the_effect_as_often_as_it_says() -> None:
    # All 70 assignments of eight clusters with a constant effect of 2, 90 % asked for.
    noise = np.random.default_rng(8).normal(size=8)
    covered = []
    for chosen in combinations(range(8), 4):
        given = pd.Series(np.isin(np.arange(8), chosen).astype(int), index=_eight()[1].index)
        outcome = noise + 2 * given.to_numpy(dtype=float)
        p_value = randomise(_shift(outcome, given)(2.0), given, seed=1).p_value
        covered.append(p_value > 0.1)
    assert np.mean(covered) >= 0.9


def test_the_interval_is_infinite_where_nothing_can_be_rejected() -> None:
    given = _assign(1, 0, 0, 0)
    shift = _shift(np.array([9.0, 1.0, 2.0, 2.5]), given)
    interval = invert_test(shift, given, estimate=7.2, step=1.0, seed=1)
    assert (interval.conf_low, interval.conf_high) == (-np.inf, np.inf)
    assert "no p-value can be below 0.25" in interval.diagnostic.reason
    assert "no effect is rejected" in interval.diagnostic.reason


def test_a_p_value_at_the_level_rejects() -> None:
    # One of twenty countries treated: the smallest p is 0.05, which a 95 % interval rejects.
    given = _assign(*(np.arange(20) == 0).astype(int))
    outcome = np.random.default_rng(4).normal(size=20)
    shift = _shift(outcome, given)
    interval = invert_test(shift, given, estimate=shift(0)(given), step=1.0, seed=1)
    assert np.isfinite([interval.conf_low, interval.conf_high]).all()


def test_a_search_that_starts_wrong_is_refused() -> None:
    outcome, given = _eight()
    shift = _shift(outcome, given)
    with pytest.raises(ModelError, match="which is itself rejected"):
        invert_test(shift, given, estimate=50.0, step=0.5, seed=1)
    with pytest.raises(ModelError, match="a step above 0 in units of the outcome"):
        invert_test(shift, given, estimate=2.0, step=0.0, seed=1)
