"""Poisson and fractional responses repeat glm and statsmodels; separation is never a number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import sparse, special

from evidence.errors import ModelError
from evidence.models.design import Design, Diagnostic, Estimates, tabulate_estimates
from evidence.models.designs.counts import estimate_fractional, estimate_poisson, find_separated

Floats = npt.NDArray[np.float64]

REFERENCES = Path(__file__).parent / "references"
STORED: dict[str, Any] = json.loads((REFERENCES / "counts.json").read_text("utf-8"))
"""Output of R's glm and sandwich::vcovCL; tests/references/counts.R made it."""

FIXEST = {
    ("year",): (0.03808858, 0.05178987),
    ("factory",): (0.04670373, 0.06362447),
    ("factory", "year"): (0.04961862, 0.05499673),
    ("factory", "year", "buyer"): (0.05085609, 0.05319428),
}
"""Standard errors of x and z from pyfixest 0.60.0, fepois of the simulated panel with
vcov={"CRV1": "region"}, to the digits at which its own convergence leaves them."""

SAME = 1e-8
"""Relative; reason: glm ends where the deviance changes by less than 1e-15 of itself, which
leaves about 1e-8 in coefficients; both stand at the same maximum, of a concave function."""


@pytest.fixture(scope="module")
def panel() -> pd.DataFrame:
    table = pd.read_csv(REFERENCES / "counts_simulated.csv")
    return table.set_index(["factory", "year"], drop=False)


def _design(
    panel: pd.DataFrame,
    outcome: str = "count",
    regressors: tuple[str, ...] = ("x", "z"),
    effects: tuple[str, ...] = (),
    clusters: str | None = "region",
) -> Design:
    return Design(
        outcome=panel[outcome],
        regressors=panel[list(regressors)],
        effects=panel[list(effects)],
        clusters=None if clusters is None else panel[clusters],
        where="tests",
    )


def _found(estimates: Estimates, name: str) -> Diagnostic:
    return next(check for check in estimates.diagnostics if check.name == name)


def _dummies(panel: pd.DataFrame, regressors: tuple[str, ...], effects: tuple[str, ...]) -> Floats:
    parts = [panel[list(regressors)].astype(float).reset_index(drop=True)]
    parts += [
        pd.get_dummies(panel[name].to_numpy(), drop_first=True, dtype=float).add_prefix(name)
        for name in effects
    ]
    columns: Floats = sm.add_constant(pd.concat(parts, axis=1)).to_numpy()
    return columns


@pytest.mark.parametrize(
    ("stored", "effects"),
    [
        ("pooled", ()),
        ("one", ("factory",)),
        ("two", ("factory", "year")),
        ("three", ("factory", "year", "buyer")),
    ],
)
def test_poisson_repeats_glm_with_dummies_in_r(
    panel: pd.DataFrame, stored: str, effects: tuple[str, ...]
) -> None:
    estimates = estimate_poisson(_design(panel, effects=effects), small_sample="none")
    np.testing.assert_allclose(estimates.coefficients, STORED[stored]["coefficients"], rtol=SAME)
    np.testing.assert_allclose(estimates.covariance, STORED[stored]["clustered"], rtol=10 * SAME)


def test_an_offset_is_the_log_of_what_the_count_is_exposed_to(panel: pd.DataFrame) -> None:
    design = _design(panel, effects=("factory", "year"))
    workers = np.log(panel["workers"])
    estimates = estimate_poisson(design, exposure_offset=workers, small_sample="none")
    np.testing.assert_allclose(estimates.coefficients, STORED["offset"]["coefficients"], rtol=SAME)
    np.testing.assert_allclose(estimates.covariance, STORED["offset"]["clustered"], rtol=10 * SAME)


@pytest.mark.parametrize("effects", [("factory", "year"), ("factory", "year", "buyer")])
def test_poisson_repeats_statsmodels_with_dummies(
    panel: pd.DataFrame, effects: tuple[str, ...]
) -> None:
    estimates = estimate_poisson(_design(panel, effects=effects, clusters=None))
    columns = _dummies(panel, ("x", "z"), effects)
    model = sm.GLM(panel["count"].to_numpy(), columns, family=sm.families.Poisson())
    expected = model.fit(tol=1e-10, tol_criterion="params", maxiter=50)
    np.testing.assert_allclose(estimates.coefficients, expected.params[1:3], atol=1e-8, rtol=0)
    np.testing.assert_allclose(estimates.std_errors, expected.bse[1:3], rtol=SAME)
    assert estimates.df == np.inf
    assert (estimates.cov_type, estimates.small_sample) == ("unadjusted", "none")


@pytest.mark.parametrize("effects", list(FIXEST))
def test_clustered_errors_count_effects_as_fixest_does(
    panel: pd.DataFrame, effects: tuple[str, ...]
) -> None:
    estimates = estimate_poisson(_design(panel, effects=effects))
    np.testing.assert_allclose(estimates.std_errors, FIXEST[effects], rtol=3e-7)
    assert estimates.n_clusters == 10
    assert (estimates.df, estimates.cov_type, estimates.small_sample) == (9, "CR1", "fixest")


def test_units_and_offsets_of_regressors_do_not_matter(panel: pd.DataFrame) -> None:
    plain = estimate_poisson(_design(panel, effects=("factory", "year")))
    moved = panel.assign(x=1e8 + 1e3 * panel["x"], count=1e6 * panel["count"])
    estimates = estimate_poisson(_design(moved, effects=("factory", "year")))
    # 1e8 against a spread of 1e3 leaves eleven digits of x.
    np.testing.assert_allclose(estimates.coefficients[0] * 1e3, plain.coefficients[0], rtol=1e-9)
    np.testing.assert_allclose(estimates.coefficients[1], plain.coefficients[1], rtol=1e-9)
    np.testing.assert_allclose(estimates.std_errors[1], plain.std_errors[1], rtol=1e-9)


def test_a_large_panel_with_weak_links_is_solved_to_the_first_order_conditions() -> None:
    rng = np.random.default_rng(7)
    n, firms = 3000, 500
    worker, firm = np.repeat(np.arange(n // 3), 3), rng.integers(0, firms, n)
    x = rng.normal(size=n)
    y = rng.poisson(np.exp(0.5 + 0.2 * x + rng.normal(size=firms)[firm])).astype(float)
    index = pd.RangeIndex(n)
    design = Design(
        pd.Series(y, index),
        pd.DataFrame({"x": x}, index),
        pd.DataFrame({"worker": worker, "firm": firm}, index),
        pd.Series(worker, index),
    )
    estimates = estimate_poisson(design)
    assert _found(estimates, "first_order").value < 1e-10
    assert abs(estimates.coefficients[0] - 0.2) < 4 * estimates.std_errors[0]


def test_groups_of_zeros_and_groups_of_one_row_are_dropped_and_counted(
    panel: pd.DataFrame,
) -> None:
    zero = panel["factory"].isin([3, 4])
    lone = (panel["factory"] == 5) & (
        panel["year"] > panel.loc[panel["factory"] == 5, "year"].min()
    )
    changed = panel.assign(count=panel["count"].where(~zero, 0))[~lone]
    estimates = estimate_poisson(_design(changed, effects=("factory", "year")))
    kept = changed[~changed["factory"].isin([3, 4, 5])]
    again = estimate_poisson(_design(kept, effects=("factory", "year")))
    assert _found(estimates, "separated").value == int(zero.sum())
    assert _found(estimates, "singletons").value == 1
    assert estimates.nobs == len(kept)
    np.testing.assert_allclose(estimates.coefficients, again.coefficients, rtol=1e-12)
    np.testing.assert_allclose(estimates.covariance, again.covariance, rtol=1e-12)


def test_regressors_that_separate_together_are_refused() -> None:
    """Along q − x positive outcomes stand still, and the edge goes to −infinity."""
    rng = np.random.default_rng(3)
    x, w = rng.normal(size=(2, 400))
    y = rng.poisson(np.exp(0.3 * x)).astype(float)
    edge = (y == 0) & (w > 0.5)
    frame = pd.DataFrame({"x": x, "w": w, "q": x + edge})
    design = Design(pd.Series(y), frame, pd.DataFrame(index=frame.index), pd.Series(np.arange(400)))
    with pytest.raises(ModelError, match="outcome of zero wherever x, q varies"):
        estimate_poisson(design)


def test_rows_separated_by_overlapping_effects_are_dropped() -> None:
    """Groups never zero as a whole: a cell of two effects is, and one cell alone is joined."""
    g, h, y = np.array(
        [
            (g, h, 0 if g != h else 1 + (7 * g + i) % 3)
            for g in (0, 1)
            for h in (0, 1)
            for i in range(6)
        ]
    ).T
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"x": rng.normal(size=len(y))})
    effects = pd.DataFrame({"g": g, "h": h})
    design = Design(
        pd.Series(y.astype(float)), frame, effects.iloc[:, :1], pd.Series(np.arange(24))
    )
    assert _found(estimate_poisson(design), "separated").value == 0
    # g = 0, h = 1 can go to −infinity while the opposite cell pays: nothing is separated
    # unless the opposite cell is empty.
    half = (g != 1) | (h != 0)
    trimmed = Design(
        pd.Series(y.astype(float))[half], frame[half], effects[half], pd.Series(np.arange(24))[half]
    )
    estimates = estimate_poisson(trimmed)
    assert _found(estimates, "separated").value == 6
    kept = pd.Series(y > 0)
    alone = estimate_poisson(
        Design(
            pd.Series(y.astype(float))[kept],
            frame[kept],
            effects[kept],
            pd.Series(np.arange(24))[kept],
        )
    )
    np.testing.assert_allclose(estimates.coefficients, alone.coefficients, rtol=1e-9)


def _rectify(columns: Floats, positive: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Find separated rows by the iterative rectifier (Correia, Guimarães, Zylkin 2019)."""
    weight = np.where(positive, 1e4, 1.0)
    target = np.where(positive, 0.0, 1.0)
    for _ in range(20_000):
        fitted = columns @ np.linalg.lstsq(columns * weight[:, None], target * weight)[0]
        if (fitted[~positive] > -1e-5).all():
            return np.asarray(~positive & (fitted > 1e-4))
        target = np.where(positive, 0.0, np.maximum(fitted, 0.0))
    raise AssertionError("the rectifier did not end")


@pytest.mark.parametrize("seed", range(12))
def test_the_programme_finds_the_rows_that_the_rectifier_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    columns = np.column_stack([np.ones(30), rng.integers(-1, 2, (30, 4))]).astype(float)
    positive = rng.uniform(size=30) < 0.2
    rows = sparse.csr_array(columns)
    separated, _ = find_separated(rows[positive], -rows[~positive], "tests")
    expected = _rectify(-columns, positive)
    assert list(separated) == list(expected[~positive])


@pytest.mark.parametrize(
    ("changes", "effects", "match"),
    [
        ({"count": -1.0}, (), "outcome from -1 to -1; expected values of zero or more"),
        ({"count": 0.0}, (), "outcome from 0 to 0; expected .* at least one above zero"),
        ({"count": np.inf}, (), "missing, infinite or text values in count"),
        ({"x": np.nan}, (), "missing, infinite or text values in x"),
        ({"z": "1,5"}, (), "missing, infinite or text values in z"),
        ({"z": 3.0}, (), "z with one and the same value"),
        ({"region": 1}, (), "1 cluster among"),
        ({"region": None}, (), "rows without a cluster"),
        ({"factory": None}, ("factory",), "rows without factory"),
    ],
)
def test_what_cannot_be_counted_is_refused(
    panel: pd.DataFrame, changes: dict[str, Any], effects: tuple[str, ...], match: str
) -> None:
    changed = panel.reset_index(drop=True).assign(**changes)
    with pytest.raises(ModelError, match=match):
        estimate_poisson(_design(changed, effects=effects))


def test_absorbed_and_collinear_regressors_are_named(panel: pd.DataFrame) -> None:
    fixed = panel.assign(q=panel["factory"] % 3, r=panel["x"] + panel["year"])
    with pytest.raises(ModelError, match="q, of which nothing is left"):
        estimate_poisson(_design(fixed, regressors=("x", "q"), effects=("factory", "year")))
    with pytest.raises(ModelError, match="x, r, which repeat each other"):
        estimate_poisson(_design(fixed, regressors=("x", "z", "r"), effects=("factory", "year")))


def test_a_treatment_without_any_positive_outcome_is_refused(panel: pd.DataFrame) -> None:
    treated = panel.assign(q=(panel["d"] * (panel["count"] == 0)).astype(float))
    with pytest.raises(ModelError, match="outcome of zero wherever q varies"):
        estimate_poisson(_design(treated, regressors=("x", "q"), effects=("factory",)))


def test_a_term_that_one_cluster_carries_has_no_error(panel: pd.DataFrame) -> None:
    carried = panel.assign(q=panel["z"] * (panel["region"] == 3))
    estimates = estimate_poisson(_design(carried, regressors=("x", "q"), effects=("factory",)))
    assert np.isnan(estimates.std_errors).tolist() == [False, True]
    assert _found(estimates, "single_cluster").reason == "q rests on a single cluster"
    assert tabulate_estimates(estimates)["p_value"].isna().tolist() == [False, True]


def test_rows_in_different_orders_are_refused(panel: pd.DataFrame) -> None:
    design = _design(panel)
    turned = Design(design.outcome, design.regressors.iloc[::-1], design.effects, None)
    with pytest.raises(ModelError, match="different rows"):
        estimate_poisson(turned)


def test_nothing_left_is_said(panel: pd.DataFrame) -> None:
    rows = panel.groupby(level=0).head(1)
    with pytest.raises(ModelError, match="no row left"):
        estimate_poisson(_design(rows, effects=("factory",)))


@pytest.mark.parametrize(("stored", "mundlak"), [("fractional", False), ("correlated", True)])
def test_fractional_logit_repeats_quasibinomial_in_r(
    panel: pd.DataFrame, stored: str, *, mundlak: bool
) -> None:
    design = _design(panel, "share", ("x", "z", "d"))
    estimates = estimate_fractional(design, mundlak=mundlak, small_sample="none")
    np.testing.assert_allclose(estimates.coefficients, STORED[stored]["coefficients"], rtol=SAME)
    np.testing.assert_allclose(estimates.covariance, STORED[stored]["clustered"], rtol=10 * SAME)


def test_partial_effects_repeat_statsmodels(panel: pd.DataFrame) -> None:
    """Derivatives for x and z, the difference for d; errors by the delta method."""
    design = _design(panel, "share", ("x", "z", "d"))
    estimates = estimate_fractional(design, scale="partial", small_sample="none")
    columns = sm.add_constant(panel[["x", "z", "d"]]).to_numpy()
    groups = {"groups": panel["region"].to_numpy(), "use_correction": False}
    fitted = sm.Logit(panel["share"].to_numpy(), columns).fit(
        disp=0, tol=1e-12, cov_type="cluster", cov_kwds=groups
    )
    expected = fitted.get_margeff(dummy=True)
    np.testing.assert_allclose(estimates.coefficients, expected.margeff, rtol=SAME)
    np.testing.assert_allclose(estimates.std_errors, expected.margeff_se, rtol=SAME)


def test_partial_effects_with_means_repeat_a_numerical_delta_method(panel: pd.DataFrame) -> None:
    design = _design(panel, "share", ("x", "d"), ("year",))
    estimates = estimate_fractional(design, mundlak=True, scale="partial", small_sample="none")
    means = panel.groupby(level=0)[["x", "d"]].transform("mean").to_numpy()
    years = pd.get_dummies(panel["year"].to_numpy(), drop_first=True, dtype=float)
    by_year = years.groupby(panel["factory"].to_numpy()).transform("mean").to_numpy()
    columns = np.column_stack(
        [np.ones(len(panel)), panel[["x", "d"]], years.to_numpy(), means, by_year]
    )
    groups = {"groups": panel["region"].to_numpy(), "use_correction": False}
    model = sm.GLM(panel["share"].to_numpy(), columns, family=sm.families.Binomial())
    fitted = model.fit(tol=1e-14, maxiter=100, cov_type="cluster", cov_kwds=groups)

    def effects(theta: Floats) -> Floats:
        high, low = columns.copy(), columns.copy()
        high[:, 2], low[:, 2] = 1, 0
        slope = special.expit(columns @ theta)
        own = float((slope * (1 - slope)).mean() * theta[1])
        gap = float((special.expit(high @ theta) - special.expit(low @ theta)).mean())
        return np.array([own, gap])

    steps = 1e-5 * np.eye(columns.shape[1])
    jacobian = np.array(
        [(effects(fitted.params + h) - effects(fitted.params - h)) / 2e-5 for h in steps]
    ).T
    covariance = jacobian @ fitted.cov_params() @ jacobian.T
    np.testing.assert_allclose(estimates.coefficients, effects(fitted.params), rtol=1e-7)
    # The differences of step 1e-5 leave about 1e-9; statsmodels' cov_params about 1e-8.
    np.testing.assert_allclose(estimates.covariance, covariance, rtol=1e-6)


def test_means_are_tested_jointly(panel: pd.DataFrame) -> None:
    design = _design(panel, "share", ("x", "z", "d"))
    check = _found(estimate_fractional(design, mundlak=True), "entity_means")
    columns = panel[["x", "z", "d"]].join(
        panel.groupby(level=0)[["x", "z", "d"]].transform("mean").add_prefix("mean of ")
    )
    model = sm.GLM(
        panel["share"].to_numpy(),
        sm.add_constant(columns).to_numpy(),
        family=sm.families.Binomial(),
    )
    groups = {"groups": panel["region"].to_numpy(), "use_correction": False}
    fitted = model.fit(tol=1e-14, maxiter=100, cov_type="cluster", cov_kwds=groups)
    part, covariance = fitted.params[4:], fitted.cov_params()[4:, 4:]
    n = len(panel)
    factor = 10 / 9 * (n - 1) / (n - 7)
    assert check.value == pytest.approx(part @ np.linalg.solve(factor * covariance, part) / 3)
    assert check.df == 3
    assert 0 < check.p_value < 1


def test_fractions_without_clusters_are_robust_row_by_row(panel: pd.DataFrame) -> None:
    estimates = estimate_fractional(_design(panel, "share", ("x", "z"), clusters=None))
    columns = sm.add_constant(panel[["x", "z"]]).to_numpy()
    model = sm.GLM(panel["share"].to_numpy(), columns, family=sm.families.Binomial())
    fitted = model.fit(tol=1e-14, maxiter=100, cov_type="HC0")
    n = len(panel)
    expected = fitted.bse[1:] * np.sqrt(n / (n - 3))
    np.testing.assert_allclose(estimates.std_errors, expected, rtol=SAME)
    assert (estimates.cov_type, estimates.df, estimates.n_clusters) == ("HC1", n - 3, None)


@pytest.mark.parametrize(
    ("changes", "regressors", "match"),
    [
        ({"share": lambda t: (t["x"] > 0.1) * 1.0}, ("x", "z"), "that x tells without fail"),
        (
            {"share": lambda t: t["share"].round(), "q": lambda t: t["share"].round() * t["d"]},
            ("x", "q"),
            "that q tells without fail",
        ),
        (
            {"share": lambda t: t["share"] * 100},
            ("x",),
            "outcome from 0 to 100; expected fractions",
        ),
        ({"share": lambda t: t["share"] - 1}, ("x",), "outcome from -1 to 0; expected fractions"),
        ({"share": lambda _: 1.0}, ("x",), "an outcome of 1 in every row"),
        ({"q": lambda t: t["x"] - t["z"]}, ("x", "z", "q"), "x, z, q, which repeat each other"),
        ({"region": lambda _: "a"}, ("x",), "1 cluster among"),
    ],
)
def test_fractions_that_have_no_answer_are_refused(
    panel: pd.DataFrame, changes: dict[str, Any], regressors: tuple[str, ...], match: str
) -> None:
    with pytest.raises(ModelError, match=match):
        estimate_fractional(_design(panel.assign(**changes), "share", regressors))


def test_a_period_of_zeros_separates_a_fraction(panel: pd.DataFrame) -> None:
    zeros = panel.assign(share=panel["share"].where(panel["year"] != 2004, 0.0))
    with pytest.raises(ModelError, match=r"that year=2004 tells without fail"):
        estimate_fractional(_design(zeros, "share", ("x",), ("year",)))


def test_effects_of_entities_ask_for_means_instead(panel: pd.DataFrame) -> None:
    design = _design(panel, "share", ("x", "z"), ("factory", "year"))
    with pytest.raises(ModelError, match=r"effects of entities \(factory\).*mundlak=True"):
        estimate_fractional(design)
    with_effect = estimate_fractional(design, mundlak=True)
    without = estimate_fractional(_design(panel, "share", ("x", "z"), ("year",)), mundlak=True)
    np.testing.assert_allclose(with_effect.coefficients, without.coefficients, rtol=1e-12)
    np.testing.assert_allclose(with_effect.covariance, without.covariance, rtol=1e-12)


def test_means_of_entities_seen_once_are_refused(panel: pd.DataFrame) -> None:
    rows = panel.groupby(level=0).head(1)
    with pytest.raises(ModelError, match="every entity in a single row"):
        estimate_fractional(_design(rows, "share", ("x",)), mundlak=True)
