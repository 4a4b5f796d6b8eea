"""Linear panel estimators repeat R's plm, printed tables and plain algebra."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from linearmodels.datasets import jobtraining, wage_panel
from linearmodels.panel import RandomEffects

from evidence.errors import ModelError
from evidence.models.design import Design, Diagnostic, Estimates
from evidence.models.designs.linear import (
    check_design,
    estimate_between,
    estimate_first_differences,
    estimate_mundlak,
    estimate_pooled,
    estimate_random_effects,
)

Estimator = Callable[..., Estimates]

REFERENCE = Path(__file__).parent / "references" / "linear.json"
"""Written by references/linear.R: R 4.2.2, plm 2.6.2, sandwich 3.0.2, simulated panels."""

SAME = 1e-9
"""Relative; reason: two orders of the same sums in double precision differ by about 1e-13,
R's numbers are stored with 15 digits, and a wrong count in a factor moves 1e-3 or more."""

ESTIMATORS = {
    "pooled": estimate_pooled,
    "between": estimate_between,
    "random": estimate_random_effects,
    "differences": estimate_first_differences,
    "mundlak": estimate_mundlak,
}
CASES = (
    ("pooled", "unbalanced", estimate_pooled),
    ("pooled_time", "unbalanced", estimate_pooled),
    ("between", "unbalanced", estimate_between),
    ("random", "balanced", estimate_random_effects),
    ("random_time", "balanced", estimate_random_effects),
    ("differences", "balanced", estimate_first_differences),
    ("differences_time", "unbalanced", estimate_first_differences),
    ("mundlak", "balanced", estimate_mundlak),
)

WAGES_POOLED = {
    "educ": ("0.091", "0.005"), "black": ("-0.139", "0.024"), "hisp": ("0.016", "0.021"),
    "exper": ("0.067", "0.014"), "expersq": ("-0.0024", "0.0008"),
    "married": ("0.108", "0.016"), "union": ("0.182", "0.017"),
}  # fmt: skip
WAGES_RANDOM = {
    "educ": ("0.092", "0.011"), "black": ("-0.139", "0.048"), "hisp": ("0.022", "0.043"),
    "exper": ("0.106", "0.015"), "expersq": ("-0.0047", "0.0007"),
    "married": ("0.064", "0.017"), "union": ("0.106", "0.018"),
}  # fmt: skip
WAGES_WITHIN = {"expersq": "-0.0052", "married": "0.047", "union": "0.080"}
"""Wooldridge, Introductory Econometrics, Table 14.2: coefficient and standard error."""


@cache
def _reference() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(REFERENCE.read_text(encoding="utf-8"))
    return found


def _design(
    frame: pd.DataFrame,
    regressors: list[str],
    *,
    entity: str = "firm",
    outcome: str = "y",
    time: bool = False,
    clusters: str = "",
) -> Design:
    indexed = frame.set_index([entity, "year"], drop=False).rename_axis(["entity", "time"])
    return Design(
        outcome=indexed[outcome],
        regressors=indexed[regressors],
        effects=indexed[["year"]].rename(columns={"year": "time"}) if time else indexed[[]],
        clusters=indexed[clusters] if clusters else None,
        where="study.toml: specification 's'",
    )


def _simulated(name: str = "unbalanced", **options: Any) -> Design:
    regressors = options.pop("regressors", ["x", "z", "w"])
    return _design(pd.DataFrame(_reference()[name]), regressors, **options)


def _changing(kind: str) -> list[str]:
    """List regressors of a kind of estimator: w never changes within a firm."""
    return ["x", "z"] if kind.startswith("differences") else ["x", "z", "w"]


def _find(estimates: Estimates, name: str) -> Diagnostic:
    return next(d for d in estimates.diagnostics if d.name == name)


def _printed(value: float, like: str) -> str:
    return f"{value:.{len(like.split('.')[1])}f}"


@pytest.mark.parametrize("convention", ["unadjusted", "none", "fixest"])
@pytest.mark.parametrize(("kind", "panel", "estimate"), CASES, ids=[c[0] for c in CASES])
def test_coefficients_and_errors_are_those_of_r(
    kind: str, panel: str, estimate: Estimator, convention: str
) -> None:
    clusters = "" if convention == "unadjusted" else "firm"
    design = _simulated(panel, regressors=_changing(kind), time="time" in kind, clusters=clusters)
    found = estimate(design, small_sample="none" if convention == "none" else "fixest")
    expected = _reference()[kind][convention]
    assert found.terms == tuple(expected["estimate"])
    assert found.coefficients == pytest.approx(list(expected["estimate"].values()), rel=SAME)
    assert found.std_errors == pytest.approx(list(expected["std_error"].values()), rel=SAME)


def test_conventions_are_named_and_clusters_decide_the_degrees_of_freedom() -> None:
    found = estimate_pooled(_simulated(clusters="buyer"))
    assert (found.cov_type, found.small_sample, found.n_clusters) == ("CR1", "fixest", 12)
    assert found.df == 11
    plain = estimate_pooled(_simulated())
    assert (plain.cov_type, plain.small_sample, plain.n_clusters) == ("unadjusted", "n/(n-k)", None)
    assert plain.df == plain.nobs - 4


@pytest.mark.parametrize("panel", ["balanced", "unbalanced"])
def test_mundlak_repeats_the_within_estimates_of_r_with_periods_too(panel: str) -> None:
    found = estimate_mundlak(_simulated(panel, time=True))
    assert found.terms == ("x", "z", "w", "mean_x", "mean_z")
    expected = _reference()["within_time"][panel]
    assert found.coefficients[:2] == pytest.approx([expected["x"], expected["z"]], rel=SAME)


@pytest.mark.parametrize(("clusters", "name"), [("", "unadjusted"), ("firm", "fixest")])
@pytest.mark.parametrize("estimate", [estimate_mundlak, estimate_random_effects])
def test_the_mundlak_test_is_that_of_r(estimate: Estimator, clusters: str, name: str) -> None:
    tested = _find(estimate(_simulated("balanced", clusters=clusters)), "mundlak")
    assert tested.value == pytest.approx(_reference()["mundlak"]["wald"][name], rel=SAME)
    assert (tested.df, tested.reason) == (2, "")
    assert 0 < tested.p_value < 1


def test_the_classical_hausman_test_is_that_of_r() -> None:
    tested = _find(estimate_random_effects(_simulated("balanced", outcome="v")), "hausman")
    expected = _reference()["hausman"]
    # Reason for 1e-7: a difference of nearly equal covariances loses two digits or three.
    assert tested.value == pytest.approx(expected["value"], rel=1e-7)
    assert tested.p_value == pytest.approx(expected["p_value"], rel=1e-6)
    assert tested.df == expected["df"]


def test_the_classical_hausman_test_is_not_given_for_clusters() -> None:
    tested = _find(estimate_random_effects(_simulated(clusters="firm")), "hausman")
    assert np.isnan(tested.value)
    assert tested.reason == "needs independent errors; see mundlak"


def test_the_classical_hausman_test_gives_a_reason_where_its_matrix_is_not_positive() -> None:
    """plm's phtest prints 42.0 here, of a matrix with a negative eigenvalue."""
    tested = _find(estimate_random_effects(_simulated("balanced")), "hausman")
    assert tested.reason == "difference of covariances not positive; see mundlak"
    assert np.isnan(tested.value)
    assert np.isnan(tested.p_value)


def test_random_effects_of_an_unbalanced_panel_are_those_of_generalised_least_squares() -> None:
    design = _simulated("unbalanced")
    found = estimate_random_effects(design)
    exog = design.regressors.assign(one=1.0)
    model = RandomEffects(design.outcome, exog).fit()
    variances = model.variance_decomposition
    firms = pd.get_dummies(design.outcome.index.get_level_values(0), dtype=float).to_numpy()
    omega = variances["Effects"] * firms @ firms.T + variances["Residual"] * np.eye(len(exog))
    weighted = np.linalg.solve(omega, exog.to_numpy())
    expected = np.linalg.solve(weighted.T @ exog.to_numpy(), weighted.T @ design.outcome.to_numpy())
    assert found.coefficients == pytest.approx(expected[:3], rel=SAME)


@pytest.fixture(scope="module")
def wages() -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded: pd.DataFrame = wage_panel.load()
    return loaded.astype(float).astype({"nr": int, "year": int})


@pytest.mark.parametrize(
    ("estimate", "table"),
    [(estimate_pooled, WAGES_POOLED), (estimate_random_effects, WAGES_RANDOM)],
    ids=["pooled", "random"],
)
def test_the_wage_table_is_repeated_to_its_printed_digits(
    wages: pd.DataFrame, estimate: Estimator, table: dict[str, tuple[str, str]]
) -> None:
    found = estimate(_design(wages, list(table), entity="nr", outcome="lwage", time=True))
    rows = zip(found.terms, found.coefficients, found.std_errors, strict=True)
    printed = {
        term: (_printed(value, table[term][0]), _printed(error, table[term][1]))
        for term, value, error in rows
    }
    assert printed == table
    assert found.nobs == 4360


def test_mundlak_repeats_the_within_column_of_the_wage_table(wages: pd.DataFrame) -> None:
    names = [*WAGES_WITHIN, "educ", "black", "hisp"]
    found = estimate_mundlak(_design(wages, names, entity="nr", outcome="lwage", time=True))
    assert found.terms == (*names, "mean_expersq", "mean_married", "mean_union")
    values = dict(zip(found.terms, found.coefficients, strict=True))
    assert {n: _printed(values[n], like) for n, like in WAGES_WITHIN.items()} == WAGES_WITHIN


def test_experience_that_runs_with_the_years_is_left_out_of_the_mundlak_test(
    wages: pd.DataFrame,
) -> None:
    design = _design(wages, list(WAGES_RANDOM), entity="nr", outcome="lwage", time=True)
    tested = _find(estimate_random_effects(design), "mundlak")
    assert tested.df == 3


def test_first_differences_repeat_the_printed_equation_of_scrap_rates() -> None:
    """Wooldridge, Introductory Econometrics, 13.4: −.057 (.097) − .317 (.164) Δgrant, n = 54."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plants = jobtraining.load()
    plants = plants[plants["year"].isin([1987, 1988]) & plants["lscrap"].notna()]
    plants = plants.astype({"fcode": int, "year": int, "grant": float})
    design = _design(plants, ["grant"], entity="fcode", outcome="lscrap", time=True)
    found = estimate_first_differences(design)
    assert (f"{found.coefficients[0]:.3f}", f"{found.std_errors[0]:.3f}") == ("-0.317", "0.164")
    assert found.nobs == 54


def test_changes_over_missing_years_are_left_out_and_counted() -> None:
    design = _simulated("unbalanced", regressors=["x", "z"])
    found = estimate_first_differences(design)
    index = design.outcome.index.to_frame(index=False)
    steps = index.groupby("entity")["time"].diff()
    assert _find(found, "gaps").value == (steps > 1).sum() == 7
    assert _find(found, "gaps").reason == "changes over missing periods are left out"
    assert found.nobs == (steps == 1).sum()


def test_a_year_that_nobody_has_is_a_gap_too() -> None:
    frame = pd.DataFrame(_reference()["balanced"])
    frame = frame[frame["year"] != 2003]
    found = estimate_first_differences(_design(frame, ["x", "z"], time=True, clusters="firm"))
    assert _find(found, "gaps").value == 40
    assert found.nobs == 40 * 3
    changes = frame.sort_values(["firm", "year"]).groupby("firm")[["y", "x", "z", "year"]].diff()
    kept = changes["year"] == 1
    dummies = pd.get_dummies(frame["year"][kept], dtype=float).to_numpy()
    exog = np.column_stack([changes.loc[kept, ["x", "z"]].to_numpy(), dummies])
    expected = np.linalg.lstsq(exog, changes.loc[kept, "y"].to_numpy())[0]
    assert found.coefficients == pytest.approx(expected[:2], rel=SAME)


@pytest.mark.parametrize("mean", [1e5, 1e7, 1e8])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_a_large_mean_of_a_regressor_costs_no_digits(kind: str, mean: float) -> None:
    design = _simulated("balanced", regressors=_changing(kind), clusters="firm")
    shifted = replace(design, regressors=design.regressors.assign(x=design.regressors["x"] + mean))
    plain, found = ESTIMATORS[kind](design), ESTIMATORS[kind](shifted)
    # A double at 1e8 keeps 8 digits behind the point: that much is lost before any fit.
    assert found.coefficients == pytest.approx(plain.coefficients, rel=1e-6)
    assert found.std_errors == pytest.approx(plain.std_errors, rel=1e-6)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_units_and_the_order_of_rows_do_not_matter(kind: str) -> None:
    design = _simulated("unbalanced", regressors=_changing(kind), clusters="buyer")
    plain = ESTIMATORS[kind](design)
    order = np.random.default_rng(0).permutation(len(design.outcome))
    assert design.clusters is not None
    turned = Design(
        outcome=1e-9 * design.outcome.iloc[order],
        regressors=1e12 * design.regressors.iloc[order],
        effects=design.effects.iloc[order],
        clusters=design.clusters.iloc[order],
        where=design.where,
    )
    found = ESTIMATORS[kind](turned)
    assert 1e21 * found.coefficients == pytest.approx(plain.coefficients, rel=SAME)
    assert 1e21 * found.std_errors == pytest.approx(plain.std_errors, rel=SAME)


def _spoil(design: Design, kind: str) -> Design:
    x, outcome = design.regressors, design.outcome
    gap = pd.Series(0.0, index=x.index)
    gap.iloc[3] = np.nan
    parts: dict[str, Any] = {
        "a missing value": {"regressors": x.add(gap, axis=0)},
        "an infinite outcome": {"outcome": outcome.mask(gap.isna(), np.inf)},
        "a column that is a multiple": {"regressors": x.assign(z=2 * x["x"] + 1e-10 * x["z"])},
        "a constant column": {"regressors": x.assign(z=5.0)},
        "a constant outcome": {"outcome": outcome * 0 + 1},
        "text": {"regressors": x.assign(z=x["z"].astype(str))},
        "two columns of one name": {"regressors": pd.concat([x, x[["x"]]], axis=1)},
        "other rows": {"regressors": x.iloc[::-1]},
    }
    return replace(design, **parts[kind])


@pytest.mark.parametrize("estimate", ESTIMATORS.values(), ids=ESTIMATORS)
@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("a missing value", "missing or infinite values; expected finite numbers"),
        ("an infinite outcome", "missing or infinite values; expected finite numbers"),
        ("a column that is a multiple", "without variation of its own"),
        ("a constant column", "z with one and the same value"),
        ("a constant outcome", r"\(outcome\) with one and the same value"),
        ("text", "columns that are no numbers"),
        ("two columns of one name", "columns of one name"),
        ("other rows", "parts with other rows"),
    ],
)
def test_a_damaged_design_is_refused_in_words(estimate: Estimator, kind: str, message: str) -> None:
    design = _simulated("balanced", regressors=["x", "z"], clusters="firm")
    with pytest.raises(ModelError, match=rf"specification 's': .*{message}"):
        estimate(_spoil(design, kind))


def test_repeated_rows_and_empty_designs_are_refused() -> None:
    design = _simulated()
    rows = [0, *range(len(design.outcome))]
    twice = Design(
        outcome=design.outcome.iloc[rows],
        regressors=design.regressors.iloc[rows],
        effects=design.effects.iloc[rows],
        where="w",
    )
    with pytest.raises(ModelError, match="rows that repeat; expected an entity and time once"):
        check_design(twice)
    none = Design(design.outcome[:0], design.regressors[:0], design.effects[:0], where="w")
    with pytest.raises(ModelError, match="no rows or no regressors"):
        check_design(none)


@pytest.mark.parametrize("estimate", ESTIMATORS.values(), ids=ESTIMATORS)
def test_other_effects_than_time_are_refused(estimate: Estimator) -> None:
    design = _simulated(regressors=["x", "z"])
    effects = design.effects.assign(entity=design.outcome.index.get_level_values(0))
    with pytest.raises(ModelError, match="effects: entity; expected"):
        estimate(replace(design, effects=effects))


def test_effects_called_time_that_are_no_periods_are_refused() -> None:
    design = _simulated(time=True)
    with pytest.raises(ModelError, match="effects: time; expected 'time', the periods"):
        estimate_pooled(replace(design, effects=design.effects // 2))


@pytest.mark.parametrize("estimate", ESTIMATORS.values(), ids=ESTIMATORS)
def test_a_single_cluster_or_a_missing_one_is_refused(estimate: Estimator) -> None:
    design = _simulated(regressors=["x", "z"])
    one = pd.Series("b", index=design.outcome.index)
    with pytest.raises(ModelError, match="a single cluster; expected two or more"):
        estimate(replace(design, clusters=one))
    one.iloc[0] = None
    with pytest.raises(ModelError, match="rows without their cluster"):
        estimate(replace(design, clusters=one))


@pytest.mark.parametrize(
    ("estimate", "message"),
    [(estimate_between, "an entity in several"), (estimate_first_differences, "two periods of an")],
)
def test_an_entity_that_changes_its_cluster_is_refused_where_rows_join_its_periods(
    estimate: Estimator, message: str
) -> None:
    design = _simulated("balanced", regressors=["x", "z"], clusters="buyer")
    assert design.clusters is not None
    clusters = design.clusters.copy()
    clusters.iloc[2] = "b0"
    with pytest.raises(ModelError, match=f"clusters: {message}"):
        estimate(replace(design, clusters=clusters))


def test_what_never_changes_has_no_first_difference() -> None:
    with pytest.raises(ModelError, match="w without variation of its own"):
        estimate_first_differences(_simulated("balanced"))


def test_a_panel_seen_every_second_year_has_no_first_difference() -> None:
    frame = pd.DataFrame(_reference()["balanced"])
    frame = frame[frame["year"] % 2 == 0]
    with pytest.raises(ModelError, match="no entity in two periods that follow each other"):
        estimate_first_differences(_design(frame, ["x", "z"]))


def test_times_that_are_no_whole_numbers_have_no_first_difference() -> None:
    frame = pd.DataFrame(_reference()["balanced"])
    frame["year"] = frame["year"].astype(str)
    with pytest.raises(ModelError, match="time: values like 2001; expected whole numbers"):
        estimate_first_differences(_design(frame, ["x", "z"]))


def test_a_single_period_has_no_random_effects_but_pooled_estimates() -> None:
    frame = pd.DataFrame(_reference()["balanced"])
    design = _design(frame[frame["year"] == 2001], ["x", "z", "w"])
    with pytest.raises(ModelError, match="cannot be estimated"):
        estimate_random_effects(design)
    assert estimate_pooled(design).nobs == 40


def test_regressors_that_never_change_leave_nothing_to_test() -> None:
    found = estimate_random_effects(_simulated("balanced", regressors=["w"]))
    assert {d.reason for d in found.diagnostics} == {"no regressor varies within entities"}
    assert np.isfinite(found.std_errors).all()


def test_too_few_clusters_give_the_mundlak_test_a_reason() -> None:
    frame = pd.DataFrame(_reference()["balanced"])
    frame["half"] = (frame["firm"] > 20).astype(int)
    tested = _find(estimate_mundlak(_design(frame, ["x", "z", "w"], clusters="half")), "mundlak")
    assert tested.reason == "too few clusters to test 2 means together"
    assert np.isnan(tested.p_value)


def test_a_regressor_called_as_a_mean_is_refused() -> None:
    frame = pd.DataFrame(_reference()["balanced"]).rename(columns={"w": "mean_x"})
    with pytest.raises(ModelError, match="regressors: mean_x; expected no names of means"):
        estimate_mundlak(_design(frame, ["x", "z", "mean_x"]))


def test_an_unknown_convention_is_refused() -> None:
    with pytest.raises(ModelError, match="small sample: 'stata'; expected 'fixest' or 'none'"):
        estimate_pooled(_simulated(), small_sample="stata")  # type: ignore[arg-type]
