"""Effects of adoption repeat R's did, plain least squares and published intervals."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from diff_diff import CallawaySantAnna, HonestDiD, MultiPeriodDiDResults, PeriodEffect
from scipy import stats
from statsmodels.genmod import families
from statsmodels.genmod.generalized_linear_model import GLM

from evidence.errors import ModelError
from evidence.models.design import Design, Diagnostic, Estimates, tabulate_estimates
from evidence.models.designs.adoption import (
    Method,
    estimate_adoption,
    find_cohorts,
    list_effects,
)
from evidence.models.designs.event_study import Adjust, Aggregate, Base, Control
from evidence.models.designs.sensitivity import Restriction, bound_violations, decompose_twfe
from samples import ROOT

Floats = npt.NDArray[np.float64]

SHARED = ROOT.parent / "shared" / "data" / "did_reference"
external = pytest.mark.skipif(not SHARED.is_dir(), reason="../shared is not there")

SAME = 1e-10
"""Reason: two orders of the same sums of at most 3,000 numbers of size 1 differ by 1e-13
or less; a wrong divisor or comparison changes the first three digits."""

SCENARIOS: dict[str, tuple[Control, Adjust, tuple[str, ...]]] = {
    "mpdta_nev_dr": ("never", "dr", ()),
    "mpdta_nyt_dr": ("not_yet", "dr", ()),
    "mpdta_nev_reg_cov": ("never", "reg", ("lpop",)),
    "mpdta_nev_ipw": ("never", "ipw", ()),
}
ADJUSTMENTS: tuple[Adjust, ...] = ("dr", "reg", "ipw")
AGGREGATES: tuple[Aggregate, ...] = ("simple", "group", "dynamic", "calendar")


def make_design(
    frame: pd.DataFrame,
    outcome: str = "y",
    covariates: tuple[str, ...] = (),
    clusters: str | None = None,
) -> Design:
    """Put the columns of a panel with an index (entity, time) into a design."""
    return Design(
        frame[outcome],
        frame[list(covariates)],
        pd.DataFrame(index=frame.index),
        None if clusters is None else frame[clusters],
        "test",
    )


def draw_panel(*, n: int = 90, never: bool = True, seed: int = 3) -> pd.DataFrame:
    """Simulate 7 periods, three cohorts (and never adopters), effects growing by 0.5."""
    rng = np.random.default_rng(seed)
    periods = np.arange(2001.0, 2008.0)
    choices = [2003.0, 2005.0, 2006.0] + ([0.0] if never else [])
    cohorts = np.array(choices)[np.arange(n) % len(choices)]
    frame = pd.DataFrame({"entity": np.repeat(np.arange(n), 7), "time": np.tile(periods, n)})
    frame["cohort"] = cohorts[frame["entity"]]
    frame["region"] = frame["entity"] // 6
    frame["size"] = rng.normal(size=n)[frame["entity"]]
    frame["moving"] = rng.normal(size=len(frame)) + 0.1 * frame["time"] - 200
    since = (frame["time"] - frame["cohort"]).where(frame["cohort"] > 0, -1.0)
    shocks = rng.normal(size=(n // 6 + 1, 7))[frame["region"], (frame["time"] - 2001).astype(int)]
    frame["y"] = (
        0.3 * frame["entity"] / n
        + 0.2 * frame["time"]
        + 0.1 * frame["size"] * frame["time"]
        + 0.5 * (since + 1).clip(lower=0)
        + rng.normal(size=len(frame))
        + 0.3 * shocks
    )
    return frame.set_index(["entity", "time"])


def take_cohorts(frame: pd.DataFrame) -> pd.Series:
    """Take the cohort of each entity."""
    return frame.groupby(level=0)["cohort"].first()


def see(estimates: Estimates, name: str) -> Diagnostic:
    """Take a diagnostic by its name."""
    return next(note for note in estimates.diagnostics if note.name == name)


def widen(frame: pd.DataFrame) -> tuple[Floats, Floats, Floats]:
    """Give outcomes (n × T), periods (T,) and cohorts (n,) of a balanced panel."""
    ordered = frame.sort_index()
    periods = ordered.index.get_level_values(1).unique().to_numpy(dtype="float64")
    outcomes = ordered["y"].to_numpy().reshape(-1, len(periods))
    return outcomes, periods, take_cohorts(ordered).to_numpy()


def flatten(frame: pd.DataFrame) -> pd.DataFrame:
    """Give the columns that diff-diff asks for."""
    return frame.reset_index()


def dummies(labels: pd.Series) -> Floats:
    """Give a 0/1 column for each label."""
    return pd.get_dummies(labels).to_numpy(dtype="float64")


# Callaway and Sant'Anna ------------------------------------------------------------------


@pytest.fixture(scope="module")
def counties() -> pd.DataFrame:
    frame = pd.read_csv(SHARED / "mpdta.csv").rename(columns={"first.treat": "cohort"})
    return frame.set_index(["countyreal", "year"])


@pytest.mark.external
@external
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_effect_and_its_error_repeat_the_r_package_did(
    counties: pd.DataFrame, scenario: str
) -> None:
    """The reference errors are analytic: they repeat to 1e-14, which no bootstrap does."""
    control, adjust, covariates = SCENARIOS[scenario]
    reference = pd.read_csv(SHARED / "ref_attgt.csv").query("scenario == @scenario")
    found = list_effects(
        make_design(counties, "lemp", covariates),
        cohort=take_cohorts(counties),
        control=control,
        adjust=adjust,
    )
    both = reference.merge(found, left_on=["group", "t"], right_on=["cohort", "period"])
    assert len(both) == len(reference) == len(found) == 12
    np.testing.assert_allclose(both["estimate"], both["att"], atol=SAME, rtol=0)
    np.testing.assert_allclose(both["std_error"], both["se"], rtol=SAME)


@pytest.mark.external
@external
@pytest.mark.parametrize("aggregate", AGGREGATES)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_average_and_its_error_repeat_the_r_package_did(
    counties: pd.DataFrame, scenario: str, aggregate: Aggregate
) -> None:
    control, adjust, covariates = SCENARIOS[scenario]
    reference = pd.read_csv(SHARED / "ref_aggte.csv").query(
        "scenario == @scenario and type == @aggregate"
    )
    found = estimate_adoption(
        make_design(counties, "lemp", covariates),
        cohort=take_cohorts(counties),
        method="callaway_santanna",
        control=control,
        adjust=adjust,
        aggregate=aggregate,
    )
    parts = [] if aggregate == "simple" else [*reference["egt"]]
    kind = {"group": "cohort", "dynamic": "event", "calendar": "period"}.get(aggregate)
    assert found.terms == ("att", *(f"{kind} {value:g}" for value in parts))
    overall = reference.iloc[0]
    effects, errors = [overall["overall_att"]], [overall["overall_se"]]
    if parts:
        effects, errors = [*effects, *reference["att_egt"]], [*errors, *reference["se_egt"]]
    np.testing.assert_allclose(found.coefficients, effects, atol=SAME, rtol=0)
    np.testing.assert_allclose(found.std_errors, errors, rtol=SAME)


@pytest.mark.external
@external
@pytest.mark.parametrize(("covariates", "printed"), [((), "0.16812"), (("lpop",), "0.23267")])
def test_the_joint_test_repeats_the_printed_p_values(
    counties: pd.DataFrame, covariates: tuple[str, ...], printed: str
) -> None:
    """Callaway and Sant'Anna, vignette 'Getting started with the did package': χ² of W."""
    found = estimate_adoption(
        make_design(counties, "lemp", covariates),
        cohort=take_cohorts(counties),
        method="callaway_santanna",
    )
    test = see(found, "pretrend")
    assert f"{stats.chi2.sf(test.value, test.df):.5f}" == printed
    assert test.p_value == pytest.approx(stats.f.sf(test.value / 5, 5, 499), rel=SAME)


def moments(frame: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Give event effects and errors from means and covariances of cohorts alone.

    θ = Σ w L'(μ_g − μ_0), Var = Σ w² L'Σ_g L/n_g + l0'Σ_0 l0/n_0 + Σ p_g (ATT_g − θ)²/(n P²).
    """
    outcomes, periods, cohorts = widen(frame)
    mean = {g: outcomes[cohorts == g].mean(axis=0) for g in np.unique(cohorts)}
    cover = {g: np.cov(outcomes[cohorts == g].T, ddof=0) for g in np.unique(cohorts)}
    size = {g: float((cohorts == g).sum()) for g in np.unique(cohorts)}
    cells: dict[float, list[tuple[float, Floats]]] = {}
    for g in np.unique(cohorts)[1:]:
        for t in range(1, len(periods)):
            base = int(np.searchsorted(periods, g)) - 1 if periods[t] >= g else t - 1
            contrast = np.eye(len(periods))[t] - np.eye(len(periods))[base]
            cells.setdefault(periods[t] - g, []).append((g, contrast))
    result = {}
    for event, members in cells.items():
        total = sum(size[g] for g, _ in members)
        effects = [float(contrast @ (mean[g] - mean[0.0])) for g, contrast in members]
        theta = sum(
            size[g] / total * effect for (g, _), effect in zip(members, effects, strict=True)
        )
        pooled = sum(
            (size[g] / total * contrast for g, contrast in members), np.zeros(len(periods))
        )
        variance = pooled @ cover[0.0] @ pooled / size[0.0]
        for (g, contrast), effect in zip(members, effects, strict=True):
            weight = size[g] / total
            variance += weight**2 * contrast @ cover[g] @ contrast / size[g]
            variance += size[g] * (effect - theta) ** 2 / total**2
        result[f"event {event:g}"] = (theta, float(np.sqrt(variance)))
    return result


def test_events_repeat_the_algebra_of_cohort_moments() -> None:
    frame = draw_panel()
    found = estimate_adoption(
        make_design(frame),
        cohort=take_cohorts(frame),
        method="callaway_santanna",
        aggregate="dynamic",
    )
    oracle = moments(frame)
    assert set(found.terms) == {"att", *oracle}
    for term, effect, error in zip(
        found.terms[1:], found.coefficients[1:], found.std_errors[1:], strict=True
    ):
        assert (effect, error) == pytest.approx(oracle[term], rel=SAME, abs=SAME)
    after = [oracle[f"event {event}"][0] for event in range(5)]
    assert found.coefficients[0] == pytest.approx(np.mean(after), rel=SAME)


@pytest.mark.parametrize(("adjust", "near"), [("reg", SAME), ("ipw", 1e-6), ("dr", 5e-3)])
@pytest.mark.parametrize("control", ["never", "not_yet"])
@pytest.mark.parametrize("clusters", [None, "region"])
def test_covariates_controls_and_clusters_repeat_diff_diff(
    adjust: Adjust, near: float, control: Control, clusters: str | None
) -> None:
    """Logits stop at steps of about 1e-8 here and there, hence 1e-6 for weights; diff-diff's
    doubly robust weights add up to the treated only roughly (R's and ours to 1), hence
    thousandths: the next test is exact on the effects, the printed p-values on errors."""
    frame = draw_panel(n=180)
    found = list_effects(
        make_design(frame, covariates=("size", "moving"), clusters=clusters),
        cohort=take_cohorts(frame),
        control=control,
        adjust=adjust,
    )
    other = CallawaySantAnna(
        control_group={"never": "never_treated", "not_yet": "not_yet_treated"}[control],
        estimation_method=adjust,
        cluster=clusters,
        pscore_trim=1e-9,
        epv_threshold=1e-9,
    ).fit(flatten(frame), "y", "entity", "time", "cohort", covariates=["size", "moving"])
    both = other.to_dataframe("group_time").merge(
        found, left_on=["group", "time"], right_on=["cohort", "period"]
    )
    assert len(both) == len(found) == 18
    counts = [(cell["n_treated"], cell["n_control"]) for cell in other.group_time_effects.values()]
    assert counts == [*zip(both["n_treated"], both["n_controls"], strict=True)]
    np.testing.assert_allclose(both["estimate"], both["effect"], atol=near)
    np.testing.assert_allclose(both["std_error"], both["se"], rtol=near)


def test_doubly_robust_effects_weigh_residuals_by_odds_that_add_up_to_one() -> None:
    """Sant'Anna and Zhao (2020), the doubly robust estimator for one cohort and period, written out."""
    frame = draw_panel(n=180).query("cohort in (0, 2005) and time in (2004, 2005)")
    found = list_effects(
        make_design(frame, covariates=("size",)), cohort=take_cohorts(frame), adjust="dr"
    )
    outcomes, _, cohorts = widen(frame)
    change, treated = outcomes[:, 1] - outcomes[:, 0], cohorts > 0
    given = np.column_stack([np.ones(len(change)), frame["size"].to_numpy()[::2]])
    slopes = np.linalg.lstsq(given[~treated], change[~treated], rcond=None)[0]
    left = change - given @ slopes
    logit = GLM(treated.astype("float64"), given, family=families.Binomial()).fit(tol=1e-14)
    odds = np.exp(given @ logit.params)
    expected = left[treated].mean() - np.average(left[~treated], weights=odds[~treated])
    assert found["estimate"].tolist() == pytest.approx([expected], rel=1e-8)


def test_influence_functions_give_the_errors_of_a_jackknife() -> None:
    """Reason for 5 %: the jackknife's higher-order terms are of order 1/n, n = 60."""
    frame = draw_panel(n=120).query("cohort in (0, 2005) and time > 2003")
    cohort = take_cohorts(frame)

    def effect(data: pd.DataFrame, adjust: Adjust) -> tuple[float, float]:
        design = make_design(data, covariates=("size",))
        found = estimate_adoption(design, cohort=cohort, method="callaway_santanna", adjust=adjust)
        return float(found.coefficients[0]), float(found.std_errors[0])

    entities = frame.index.get_level_values(0).unique()
    for adjust in ADJUSTMENTS:
        without = [effect(frame.drop(index=one, level=0), adjust)[0] for one in entities]
        spread = np.sqrt((len(entities) - 1) * np.var(without))
        assert effect(frame, adjust)[1] == pytest.approx(spread, rel=0.05)


@pytest.mark.parametrize("never", [True, False])
@pytest.mark.parametrize("base", ["varying", "universal"])
def test_events_and_their_covariance_repeat_diff_diff(*, never: bool, base: Base) -> None:
    frame = draw_panel(never=never)
    found = estimate_adoption(
        make_design(frame),
        cohort=take_cohorts(frame),
        method="callaway_santanna",
        control="never" if never else "not_yet",
        aggregate="dynamic",
        base=base,
    )
    kept = frame if never else frame[frame.index.get_level_values(1) < 2006]
    other = (
        CallawaySantAnna(
            control_group="never_treated" if never else "not_yet_treated", base_period=base
        )
        .fit(flatten(kept).replace({"cohort": {2006.0: 2006.0 if never else 0.0}}),
             "y", "entity", "time", "cohort")
        .aggregate("event_study")
    )  # fmt: skip
    assert found.terms[1:] == tuple(f"event {event:g}" for event in other.vcov_index)
    table = other.to_dataframe().set_index("event_time").loc[[*other.vcov_index]]
    np.testing.assert_allclose(found.coefficients[1:], table["att"], atol=SAME)
    np.testing.assert_allclose(found.covariance[1:, 1:], other.vcov, atol=SAME)


def test_entities_that_miss_a_period_are_left_out() -> None:
    frame = draw_panel()
    holes = frame.drop(index=[(4, 2003), (7, 2007)])
    whole = frame.drop(index=[4, 7], level=0)
    cohort = take_cohorts(frame)
    found = estimate_adoption(make_design(holes), cohort=cohort, method="callaway_santanna")
    same = estimate_adoption(make_design(whole), cohort=cohort, method="callaway_santanna")
    np.testing.assert_allclose(found.coefficients, same.coefficients, rtol=SAME)
    np.testing.assert_allclose(found.std_errors, same.std_errors, rtol=SAME)
    assert see(found, "balanced_sample").value == 2
    blank = frame.copy()
    blank.loc[[(4, 2003), (7, 2007)], "y"] = np.nan
    again = estimate_adoption(make_design(blank), cohort=cohort, method="callaway_santanna")
    np.testing.assert_allclose(again.coefficients, same.coefficients, rtol=SAME)
    assert see(again, "missing_rows").value == 2


def test_always_treated_entities_are_left_out_and_late_adopters_are_controls() -> None:
    frame = draw_panel()
    changed = frame.assign(
        cohort=frame["cohort"].where(frame.index.get_level_values(0) > 3, 2001.0)
    )
    found = estimate_adoption(
        make_design(changed), cohort=take_cohorts(changed), method="callaway_santanna"
    )
    same = estimate_adoption(
        make_design(frame.drop(index=[0, 1, 2, 3], level=0)),
        cohort=take_cohorts(frame),
        method="callaway_santanna",
    )
    assert found.coefficients == pytest.approx(same.coefficients, rel=SAME)
    assert see(found, "always_treated").value == 4
    late = take_cohorts(frame).replace({0.0: 2010.0})
    later = estimate_adoption(make_design(frame), cohort=late, method="callaway_santanna")
    plain = estimate_adoption(
        make_design(frame), cohort=take_cohorts(frame), method="callaway_santanna"
    )
    assert later.coefficients == pytest.approx(plain.coefficients, rel=SAME)


def test_an_offset_and_a_scale_change_no_more_than_the_scale() -> None:
    frame = draw_panel()
    moved = frame.assign(y=1e-6 * frame["y"] + 1e3)
    one, other = (
        estimate_adoption(make_design(data), cohort=take_cohorts(frame), method="callaway_santanna")
        for data in (frame, moved)
    )
    assert other.coefficients == pytest.approx(1e-6 * one.coefficients, rel=1e-6)
    assert other.std_errors == pytest.approx(1e-6 * one.std_errors, rel=1e-6)


# Sun and Abraham, imputation -------------------------------------------------------------


def saturate(frame: pd.DataFrame) -> tuple[dict[str, float], dict[str, float]]:
    """Regress on cohort × event columns and all dummies; CR1 by region, t(G−1)."""
    rows = flatten(frame)
    event = rows["time"] - rows["cohort"]
    pairs = sorted(
        {(g, e) for g, e in zip(rows["cohort"], event, strict=True) if g > 0 and e != -1}
    )
    columns = [((rows["cohort"] == g) & (event == e)).to_numpy(dtype="float64") for g, e in pairs]
    effects = np.hstack([dummies(rows["entity"]), dummies(rows["time"])[:, 1:]])
    design = np.column_stack([*columns, effects])
    coefficients, _, rank, _ = np.linalg.lstsq(design, rows["y"].to_numpy(), rcond=None)
    left = rows["y"].to_numpy() - design @ coefficients
    inverse = np.linalg.pinv(design.T @ design)
    groups = rows["region"].to_numpy()
    scores = np.vstack([design[groups == c].T @ left[groups == c] for c in np.unique(groups)])
    count, n = len(scores), len(rows)
    charged = rank - rows["entity"].nunique() + 1
    factor = count / (count - 1) * (n - 1) / (n - charged)
    covariance = factor * inverse @ scores.T @ scores @ inverse
    weights = {}
    sizes = {pair: column.sum() for pair, column in zip(pairs, columns, strict=True)}
    for value in sorted({e for _, e in pairs}):
        weights[f"event {value:g}"] = np.array([sizes[p] * (p[1] == value) for p in pairs])
    weights["att"] = np.array([sizes[p] * (p[1] >= 0) for p in pairs])
    found, errors = {}, {}
    for term, raw in weights.items():
        share = np.zeros(len(coefficients))
        share[: len(pairs)] = raw / raw.sum()
        found[term] = float(share @ coefficients)
        errors[term] = float(np.sqrt(share @ covariance @ share))
    return found, errors


@pytest.mark.parametrize("holes", [0.0, 0.15])
def test_sun_abraham_repeats_a_saturated_regression(holes: float) -> None:
    """Entity effects are nested in regions, and count once together (fixest's rule)."""
    frame = draw_panel().sample(frac=1 - holes, random_state=5).sort_index()
    found = estimate_adoption(
        make_design(frame, clusters="region"),
        cohort=take_cohorts(frame),
        method="sun_abraham",
        aggregate="dynamic",
    )
    effects, errors = saturate(frame)
    assert set(found.terms) == set(effects)
    assert found.n_clusters == 15
    assert found.df == 14
    for term, effect, error in zip(found.terms, found.coefficients, found.std_errors, strict=True):
        assert effect == pytest.approx(effects[term], abs=1e-8), (
            "alternating projections stop at 1e-8"
        )
        assert error == pytest.approx(errors[term], rel=1e-6)


def impute(frame: pd.DataFrame) -> tuple[float, float]:
    """Predict from a dense regression on untreated rows; error after Theorem 3."""
    rows = flatten(frame)
    treated = ((rows["cohort"] > 0) & (rows["time"] >= rows["cohort"])).to_numpy()
    outcome = rows["y"].to_numpy()
    effects = np.hstack([dummies(rows["entity"]), dummies(rows["time"])[:, 1:]])
    inverse = np.linalg.pinv(effects[~treated])
    gap = outcome - effects @ inverse @ outcome[~treated]
    share = treated / treated.sum()
    weights = share.copy()
    weights[~treated] = -(share[treated] @ effects[treated]) @ inverse
    cells = rows.groupby([rows["cohort"], rows["time"]]).ngroup().to_numpy()
    left = gap.copy()
    for cell in np.unique(cells[treated]):
        members = treated & (cells == cell)
        left[members] -= np.average(gap[members], weights=weights[members] ** 2)
    sums = pd.Series(weights * left).groupby(rows["entity"]).sum()
    return float(share @ gap), float(np.sqrt((sums**2).sum()))


@pytest.mark.parametrize("holes", [0.0, 0.15])
def test_imputation_repeats_dense_least_squares(holes: float) -> None:
    frame = draw_panel().sample(frac=1 - holes, random_state=5).sort_index()
    found = estimate_adoption(make_design(frame), cohort=take_cohorts(frame), method="imputation")
    effect, error = impute(frame)
    assert found.coefficients[0] == pytest.approx(effect, abs=1e-7), "its projections stop at 1e-8"
    assert found.std_errors[0] == pytest.approx(error, rel=1e-6)


def test_imputation_leaves_out_periods_in_which_everyone_is_treated() -> None:
    frame = draw_panel(never=False)
    found = estimate_adoption(
        make_design(frame),
        cohort=take_cohorts(frame),
        method="imputation",
        aggregate="dynamic",
    )
    assert see(found, "treated_periods").value == 2
    assert np.isfinite(found.coefficients).all()
    cut = frame[frame.index.get_level_values(1) < 2006]
    assert found.coefficients[0] == pytest.approx(impute(cut)[0], abs=1e-7)


@pytest.mark.parametrize("method", ["callaway_santanna", "sun_abraham", "imputation"])
def test_methods_agree_where_there_is_one_comparison(method: Method) -> None:
    """Two groups, two periods: all three are the difference of mean changes."""
    frame = draw_panel().query("cohort in (0, 2003) and time in (2002, 2003)")
    found = estimate_adoption(make_design(frame), cohort=take_cohorts(frame), method=method)
    outcomes, _, cohorts = widen(frame)
    change = outcomes[:, 1] - outcomes[:, 0]
    expected = change[cohorts > 0].mean() - change[cohorts == 0].mean()
    assert found.coefficients[0] == pytest.approx(expected, abs=1e-7), "see above"
    test = see(found, "pretrend")
    assert np.isnan(test.p_value)
    assert test.reason == "no cohort has two periods before adoption"


# Goodman-Bacon ---------------------------------------------------------------------------


@pytest.mark.parametrize("never", [True, False])
@pytest.mark.parametrize("always", [True, False])
def test_weights_times_comparisons_are_the_two_way_estimate(*, never: bool, always: bool) -> None:
    frame = draw_panel(never=never)
    if always:
        first = frame.index.get_level_values(0) < 9
        frame = frame.assign(cohort=frame["cohort"].where(~first, 2000.0))
    table = decompose_twfe(make_design(frame), cohort=take_cohorts(frame))
    rows = flatten(frame)
    exposure = ((rows["cohort"] > 0) & (rows["time"] >= rows["cohort"])).to_numpy(dtype="float64")
    design = np.hstack([exposure[:, None], dummies(rows["entity"]), dummies(rows["time"])[:, 1:]])
    coefficient = np.linalg.lstsq(design, rows["y"].to_numpy(), rcond=None)[0][0]
    assert table["weight"].sum() == pytest.approx(1, rel=SAME)
    assert (table["weight"] > 0).all()
    assert table["weight"] @ table["estimate"] == pytest.approx(coefficient, rel=SAME)
    kinds = {"earlier v later", "later v earlier"}
    kinds |= {"treated v never"} if never else set()
    kinds |= {"later v always"} if always else set()
    assert set(table["kind"]) == kinds


def test_a_decomposition_refuses_holes_and_covariates() -> None:
    frame = draw_panel()
    cohort = take_cohorts(frame)
    with pytest.raises(ModelError, match="expected a balanced panel"):
        decompose_twfe(make_design(frame.iloc[1:]), cohort=cohort)
    with pytest.raises(ModelError, match="1 covariates; expected none"):
        decompose_twfe(make_design(frame, covariates=("size",)), cohort=cohort)
    with pytest.raises(ModelError, match="no two groups"):
        decompose_twfe(make_design(frame), cohort=cohort * 0)
    with pytest.raises(ModelError, match="missing or infinite"):
        decompose_twfe(make_design(frame.assign(y=np.nan)), cohort=cohort)


# Rambachan and Roth ----------------------------------------------------------------------

EVENTS = (-5, -4, -3, -2, 0, 1, 2, 3)
EFFECTS = (0.006696351804, 0.02934503369, -0.006472972222, 0.0730149895,
           0.1959611177, 0.3120639026, 0.2395415455, 0.1260425001)  # fmt: skip
COVARIANCE = """
8.428358124e-4
4.768686777e-4 6.425420288e-4
2.618051076e-4 3.987425007e-4 5.229949602e-4
2.354220342e-4 2.435515198e-4 2.11768609e-4 3.089595411e-4
1.676371467e-4 2.201960306e-4 1.840722252e-4 1.197866077e-4 3.59970436e-4
1.128707663e-4 1.804591157e-4 1.45852784e-4 1.334081317e-4 2.478818642e-4 4.263949813e-4
1.992816215e-5 3.84376508e-5 7.005197403e-5 1.016335009e-4 1.749579242e-4 2.171437809e-4 \
4.886697861e-4
-1.368265366e-4 -2.960421989e-5 5.952994979e-5 1.079051726e-4 1.654256921e-4 2.892747871e-4 \
3.805322049e-4 7.61739444e-4
"""
"""The event study of Benzarti and Carloni (2019) as Rambachan and Roth (2023) use it:
``BCdata_EventStudy`` of R's HonestDiD, from the repository eohne/HonestDiD.jl
(test/reference.jl), to ten digits."""

SMOOTH = {
    0.0: (0.131411316, 0.2161696482),
    0.01: (0.15496526708, 0.27038453033),
    0.02: (0.17730108790, 0.31595646819),
    0.03: (0.18940446443, 0.34854775004),
    0.1: (0.1194440001, 0.4185082143),
    0.2: (0.01944400015, 0.5185082143),
}
"""R's HonestDiD, ``createSensitivityResults`` for event 0 (same source; 0.01 to 0.03 from
anzonyquispe/honestdid, tests/r_test_results.json)."""

RELATIVE = {
    0.5: (0.11812948578, 0.27158386603),
    1.0: (0.06723125075, 0.31868372531),
    1.5: (0.01329431512, 0.36958196034),
}
"""R's HonestDiD, ``createSensitivityResults_relativeMagnitudes`` for event 0, method C-LF
(anzonyquispe/honestdid, tests/r_test_results.json); at 2 its grid ends."""


def study_event() -> Estimates:
    lines = [line.split() for line in COVARIANCE.replace("\\\n", "").strip().splitlines()]
    lower = np.zeros((8, 8))
    for row, line in enumerate(lines):
        lower[row, : len(line)] = [float(number) for number in line]
    covariance = lower + np.tril(lower, -1).T
    terms = tuple(f"event {event}" for event in EVENTS)
    return Estimates(terms, np.array(EFFECTS), covariance, np.inf, 0, None, "", "")


@pytest.mark.parametrize("magnitude", SMOOTH)
def test_smooth_violations_repeat_the_intervals_of_r_honestdid(magnitude: float) -> None:
    """R simulates the quantile, which moves half a length by up to 0.2 %; the length is flat
    around the best centre, and R's solver stops within 1e-5 of it (for 0: within 1e-6)."""
    found = bound_violations(
        study_event(), restriction="smoothness", event=0, magnitudes=[magnitude]
    )
    low, high = found.table[["conf_low", "conf_high"]].iloc[0]
    expected = SMOOTH[magnitude]
    assert high - low == pytest.approx(expected[1] - expected[0], rel=2e-3)
    centre = (expected[0] + expected[1]) / 2
    assert (low + high) / 2 == pytest.approx(centre, abs=1e-3 if 0 < magnitude < 0.1 else 1e-6)


def test_straight_violations_are_taken_off_by_generalised_least_squares() -> None:
    """With magnitude 0 the differences before adoption are a line through event -1: the
    target less its slope, estimated with the covariance of all events."""
    estimates = study_event()
    found = bound_violations(estimates, restriction="smoothness", event=0, magnitudes=[0])
    low, high = found.table[["conf_low", "conf_high"]].iloc[0]
    steps = np.array(EVENTS[:5]) + 1.0
    design = np.column_stack([steps, np.arange(5) == 4])
    inner = estimates.covariance[:5, :5]
    inverse = np.linalg.inv(design.T @ np.linalg.solve(inner, design))
    best = inverse @ design.T @ np.linalg.solve(inner, estimates.coefficients[:5])
    assert (low + high) / 2 == pytest.approx(best[1], rel=1e-9)
    reach = stats.norm.ppf(0.975) * np.sqrt(inverse[1, 1])
    assert (high - low) / 2 == pytest.approx(reach, rel=1e-9)


def ask_diff_diff(estimates: Estimates, magnitude: float) -> tuple[float, float]:
    """Ask HonestDiD for the mean of all events, in units of 1/100."""
    errors = estimates.std_errors
    effects = {
        event: PeriodEffect(event, 100 * effect, 100 * error, 0.0, 0.0, (0.0, 0.0))
        for event, effect, error in zip(EVENTS, estimates.coefficients, errors, strict=True)
    }
    results = MultiPeriodDiDResults(
        effects, 0.0, 1.0, 0.0, 0.0, (0.0, 0.0), 1, 1, 1, [*EVENTS[:4]], [*EVENTS[4:]],
        vcov=1e4 * estimates.covariance,
        interaction_indices={event: position for position, event in enumerate(EVENTS)},
    )  # fmt: skip
    found = HonestDiD(method="smoothness", M=100 * magnitude).fit(results)
    return found.ci_lb / 100, found.ci_ub / 100


@pytest.mark.parametrize("magnitude", [0.0, 0.01, 0.05])
def test_smooth_violations_of_the_mean_repeat_diff_diff(magnitude: float) -> None:
    estimates = study_event()
    found = bound_violations(estimates, restriction="smoothness", magnitudes=[magnitude])
    low, high = found.table[["conf_low", "conf_high"]].iloc[0]
    other = ask_diff_diff(estimates, magnitude)
    assert high - low == pytest.approx(other[1] - other[0], rel=1e-4), "it searches a grid"
    assert high - low <= (other[1] - other[0]) * (1 + 1e-6)


def test_relative_violations_hold_the_sharper_intervals_of_r_honestdid() -> None:
    found = bound_violations(study_event(), event=0, magnitudes=[0, *RELATIVE])
    printed = (0.158774943, 0.233147293)
    plain = found.table[["conf_low", "conf_high"]].iloc[0].tolist()
    assert plain == pytest.approx(printed, abs=1e-9)
    for magnitude, (low, high) in RELATIVE.items():
        ours = found.table[found.table["magnitude"] == magnitude].iloc[0]
        assert low - 0.013 < ours["conf_low"] < low
        assert high < ours["conf_high"] < high + 0.013
    assert 1.5 < found.breakdown.value < 1.62


def test_relative_violations_cover_the_whole_range() -> None:
    """Simulated, 1,000 draws at the worst trend: at least 95 % less 3 standard errors."""
    truth = np.array([0.0, -1.0, 0.0, 1.0])
    covariance = 0.3 * (np.eye(4) + 0.3)
    draws = np.random.default_rng(1).multivariate_normal(truth, covariance, size=1000)
    terms = ("event -3", "event -2", "event 0", "event 1")
    start = Estimates(terms, truth, covariance, np.inf, 0, None, "", "")
    ends = []
    for draw in draws:
        found = bound_violations(replace(start, coefficients=draw), event=0, magnitudes=[1])
        ends.append(found.table[["conf_low", "conf_high"]].iloc[0].to_numpy())
    low, high = np.array(ends).T
    assert ((low <= -1) & (high >= 1)).mean() > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 1000)


@pytest.mark.parametrize("restriction", ["relative_magnitudes", "smoothness"])
@pytest.mark.parametrize("df", [np.inf, 14.0])
def test_the_breakdown_value_is_where_the_interval_reaches_zero(
    restriction: Restriction, df: float
) -> None:
    estimates = replace(study_event(), df=df)
    found = bound_violations(estimates, restriction=restriction)
    at = bound_violations(
        estimates, restriction=restriction, magnitudes=[0, found.breakdown.value]
    ).table
    assert at["conf_low"].tolist()[1] == pytest.approx(0, abs=1e-7)
    assert at["conf_low"].tolist()[0] > 0
    mirrored = replace(estimates, coefficients=-estimates.coefficients)
    other = bound_violations(mirrored, restriction=restriction)
    assert other.breakdown.value == pytest.approx(found.breakdown.value, rel=1e-6)


def test_an_effect_that_is_not_there_breaks_down_at_zero() -> None:
    estimates = study_event()
    nothing = replace(estimates, coefficients=0 * estimates.coefficients)
    assert bound_violations(nothing).breakdown.value == 0


@pytest.mark.parametrize("method", ["callaway_santanna", "sun_abraham"])
def test_estimates_of_adoption_can_be_bounded(method: Method) -> None:
    frame = draw_panel()
    estimates = estimate_adoption(
        make_design(frame),
        cohort=take_cohorts(frame),
        method=method,
        aggregate="dynamic",
        base="universal",
    )
    found = bound_violations(estimates)
    later = [term.startswith("event") and "-" not in term for term in estimates.terms]
    mean = estimates.coefficients[later].mean()
    assert found.table["conf_low"].iloc[0] < mean < found.table["conf_high"].iloc[0]
    assert found.table["conf_low"].is_monotonic_decreasing
    assert found.breakdown.value > 0


def test_bounds_refuse_what_they_cannot_use() -> None:
    frame = draw_panel()
    cohort = take_cohorts(frame)
    varying = estimate_adoption(
        make_design(frame), cohort=cohort, method="callaway_santanna", aggregate="dynamic"
    )
    with pytest.raises(ModelError, match=r"no event -1\. Estimate with aggregate='dynamic'"):
        bound_violations(varying)
    imputed = estimate_adoption(
        make_design(frame), cohort=cohort, method="imputation", aggregate="dynamic"
    )
    with pytest.raises(ModelError, match="from -2 or earlier to 0 or later"):
        bound_violations(imputed)
    estimates = study_event()
    with pytest.raises(ModelError, match="event: 7; expected 0 to 3"):
        bound_violations(estimates, event=7)
    with pytest.raises(ModelError, match="finite magnitudes of 0 or more"):
        bound_violations(estimates, magnitudes=[-1, 2])
    thin = replace(estimates, covariance=np.full((8, 8), np.nan))
    with pytest.raises(ModelError, match="covariance is not known or is singular"):
        bound_violations(thin)
    flat = replace(estimates, covariance=np.ones((8, 8)))
    with pytest.raises(ModelError, match="covariance is not known or is singular"):
        bound_violations(flat)


# Cohorts and ill-posed cases -------------------------------------------------------------


def expose(rows: dict[str, tuple[float, ...]]) -> pd.Series:
    """Give 0/1 exposures from 2001 on."""
    values = {(name, 2001 + i): x for name, row in rows.items() for i, x in enumerate(row)}
    series = pd.Series(values, name="union")
    series.index.names = ["entity", "time"]
    return series


def test_cohorts_are_the_first_exposed_periods() -> None:
    found = find_cohorts(expose({"b": (0, 0, 1), "a": (1, 1, 1), "c": (0, 0, 0)}).sample(frac=1))
    assert found["b"] == 2003
    assert found["a"] == 2001
    assert np.isnan(found["c"])
    assert found.name == "cohort"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"a": (0, 1, 0), "b": (1, 0, 0), "c": (0, 1, 1)}, "2 entities whose exposure goes back"),
        ({"a": (0, 0.5, 1)}, "1 rows with neither 0 nor 1"),
        ({"a": (0, np.nan, 1)}, "1 rows with neither 0 nor 1"),
    ],
)
def test_cohorts_refuse_exposures_that_end_or_are_not_known(
    rows: dict[str, tuple[float, ...]], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        find_cohorts(expose(rows))


def test_cohorts_refuse_repeated_rows_and_periods_that_are_text() -> None:
    twice = pd.concat([expose({"a": (0, 1)})] * 2)
    with pytest.raises(ModelError, match="one row for each entity and time"):
        find_cohorts(twice)
    text = expose({"a": (0, 1)}).rename(index={2001: "first", 2002: "second"}, level=1)
    with pytest.raises(ModelError, match="periods that are not numbers"):
        find_cohorts(text)


def test_without_never_adopters_the_control_has_to_be_not_yet() -> None:
    frame = draw_panel(never=False)
    cohort = take_cohorts(frame)
    methods: tuple[Method, ...] = ("callaway_santanna", "sun_abraham")
    for method in methods:
        with pytest.raises(ModelError, match="no entity that never adopts"):
            estimate_adoption(make_design(frame), cohort=cohort, method=method)
    found = estimate_adoption(
        make_design(frame), cohort=cohort, method="callaway_santanna", control="not_yet"
    )
    assert see(found, "last_cohort").value == 2006
    assert found.nobs == 5 * 90


METHODS: tuple[Method, ...] = ("callaway_santanna", "sun_abraham", "imputation")


@pytest.mark.parametrize("method", METHODS)
def test_ill_posed_designs_are_refused_in_words(method: Method) -> None:
    frame = draw_panel()
    cohort = take_cohorts(frame)

    def refuse(data: pd.DataFrame, cohorts: pd.Series, message: str) -> None:
        with pytest.raises(ModelError, match=message):
            estimate_adoption(make_design(data), cohort=cohorts, method=method)

    refuse(frame, cohort * 0 + 2004, "every entity adopts in 2004")
    refuse(frame, cohort * 0, "no entity that adopts after its first period")
    refuse(frame, cohort * 0 + 1990, "expected an outcome that varies, with rows before adoption")
    refuse(frame, cohort.iloc[5:], "5 entities of the sample without a cohort")
    refuse(frame, pd.concat([cohort, cohort]), "entities that appear twice")
    refuse(frame.assign(y=2.0), cohort, "1 different values in 630 rows")
    refuse(frame.assign(y=np.nan), cohort, "0 different values in 0 rows")
    refuse(frame.assign(y=frame["y"].where(frame["y"] < 4, np.inf)), cohort, "infinite values")
    refuse(frame.query("time == 2004"), cohort, "no entity that|no row one period")
    refuse(pd.concat([frame, frame.head(1)]), cohort, "one row for each entity and time")


def test_clusters_have_to_hold_whole_entities() -> None:
    frame = draw_panel()
    frame["period"] = frame.index.get_level_values(1)
    with pytest.raises(ModelError, match="in more than one"):
        estimate_adoption(
            make_design(frame, clusters="period"),
            cohort=take_cohorts(frame),
            method="callaway_santanna",
        )


def test_effects_beyond_entities_and_periods_are_refused() -> None:
    frame = draw_panel()
    frame["mixed"] = np.arange(len(frame)) % 5
    frame["period"] = frame.index.get_level_values(1)
    design = make_design(frame)
    cohort = take_cohorts(frame)
    with pytest.raises(ModelError, match="'mixed', which differs within entities"):
        estimate_adoption(
            replace(design, effects=frame[["mixed"]]), cohort=cohort, method="callaway_santanna"
        )
    estimate_adoption(
        replace(design, effects=frame[["region", "period"]]),
        cohort=cohort,
        method="callaway_santanna",
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "twfe"}, "method: 'twfe'; expected 'callaway_santanna' or"),
        ({"control": "all"}, "control: 'all'; expected 'never' or 'not_yet'"),
        ({"aggregate": "weekly"}, "aggregate: 'weekly' with method 'callaway_santanna'"),
        ({"method": "sun_abraham", "aggregate": "group"}, "expected 'simple' or 'dynamic'"),
        ({"method": "imputation", "aggregate": "calendar"}, "'simple' or 'group' or 'dynamic'"),
        ({"method": "sun_abraham", "control": "not_yet"}, "compares with those that never adopt"),
        ({"adjust": "ml"}, "adjust: 'ml'; expected 'dr' or 'reg' or 'ipw'"),
        ({"base": "first"}, "base: 'first'; expected 'varying' or 'universal'"),
    ],
)
def test_options_that_are_not_offered_are_refused(options: dict[str, str], message: str) -> None:
    frame = draw_panel()
    chosen: Any = {"method": "callaway_santanna", **options}
    with pytest.raises(ModelError, match=re.escape(message)):
        estimate_adoption(make_design(frame), cohort=take_cohorts(frame), **chosen)


@pytest.mark.parametrize("method", METHODS)
def test_one_treated_cluster_has_an_effect_and_no_error(method: Method) -> None:
    frame = draw_panel().query("cohort in (0, 2005)")
    lone = frame.query("cohort == 0 or entity == 1")
    found = estimate_adoption(make_design(lone), cohort=take_cohorts(lone), method=method)
    assert np.isfinite(found.coefficients).all()
    assert np.isnan(found.covariance).all()
    note = see(found, "few_clusters")
    assert note.value == 1
    assert "fewer than two clusters adopt" in note.reason
    assert tabulate_estimates(found)["p_value"].isna().all()
    many = frame.assign(one=(frame["cohort"] == 0).astype(int))
    coarse = estimate_adoption(
        make_design(many, clusters="one"), cohort=take_cohorts(many), method=method
    )
    assert coarse.n_clusters == 2
    assert np.isnan(coarse.std_errors).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_single_cluster_has_no_error(method: Method) -> None:
    frame = draw_panel().assign(country=1)
    found = estimate_adoption(
        make_design(frame, clusters="country"), cohort=take_cohorts(frame), method=method
    )
    assert found.df == 0
    assert np.isnan(found.std_errors).all()
    assert np.isnan(see(found, "pretrend").p_value)


def test_a_thin_cohort_loses_its_own_error_alone() -> None:
    frame = draw_panel()
    thin = frame.query("cohort != 2003 or entity == 0")
    found = estimate_adoption(
        make_design(thin),
        cohort=take_cohorts(thin),
        method="callaway_santanna",
        aggregate="group",
    )
    bare = dict(zip(found.terms, np.isnan(found.std_errors), strict=True))
    assert bare == {
        "att": False, "cohort 2003": True, "cohort 2005": False, "cohort 2006": False,
    }  # fmt: skip
    assert see(found, "few_clusters").reason.startswith("cohort 2003:")


def test_degrees_of_freedom_are_clusters_less_one_and_errors_their_sums() -> None:
    frame = draw_panel()
    found = estimate_adoption(
        make_design(frame, clusters="region"),
        cohort=take_cohorts(frame),
        method="callaway_santanna",
    )
    assert found.df == 14
    assert found.n_clusters == 15
    assert found.small_sample == "G/(G−1)"
    entities = estimate_adoption(
        make_design(frame), cohort=take_cohorts(frame), method="callaway_santanna"
    )
    assert entities.df == 89
    assert entities.small_sample == "none"
    other = CallawaySantAnna(cluster="region").fit(flatten(frame), "y", "entity", "time", "cohort")
    assert found.std_errors[0] == pytest.approx(other.se, rel=SAME)


def test_changes_that_do_not_vary_have_no_error() -> None:
    frame = draw_panel()
    since = frame.index.get_level_values(1) >= frame["cohort"].where(frame["cohort"] > 0, np.inf)
    exact = frame.assign(y=frame.index.get_level_values(1) * 1.0 + since)
    found = estimate_adoption(
        make_design(exact), cohort=take_cohorts(exact), method="callaway_santanna"
    )
    assert found.coefficients[0] == pytest.approx(1, rel=SAME)
    assert np.isnan(found.std_errors[0])
    assert "changes do not vary" in see(found, "no_variation").reason


def test_covariates_that_separate_or_repeat_are_refused() -> None:
    frame = draw_panel()
    frame["marker"] = (frame["cohort"] > 0) * 1.0 + 0.01 * frame["size"]
    frame["double"] = 2 * frame["size"] + 3
    with pytest.raises(ModelError, match="tell treated from untreated entities almost surely"):
        estimate_adoption(
            make_design(frame, covariates=("marker",)),
            cohort=take_cohorts(frame),
            method="callaway_santanna",
        )
    with pytest.raises(ModelError, match="collinear among the entities not treated"):
        estimate_adoption(
            make_design(frame, covariates=("size", "double")),
            cohort=take_cohorts(frame),
            method="callaway_santanna",
            adjust="reg",
        )
    methods: tuple[Method, ...] = ("sun_abraham", "imputation")
    for method in methods:
        with pytest.raises(ModelError, match="never changes within an entity"):
            estimate_adoption(
                make_design(frame, covariates=("size",)),
                cohort=take_cohorts(frame),
                method=method,
            )


def test_a_gap_before_adoption_is_bridged_or_refused() -> None:
    frame = draw_panel().query("time != 2004")
    cohort = take_cohorts(frame)
    table = list_effects(make_design(frame), cohort=cohort)
    late, early = (frame["y"].xs(year, level="time") for year in (2005, 2003))
    change = late - early
    expected = change[cohort == 2005].mean() - change[cohort == 0].mean()
    cell = table.query("cohort == 2005 and period == 2005")
    assert cell["estimate"].item() == pytest.approx(expected, rel=SAME)
    with pytest.raises(
        ModelError, match="no row one period before adoption for the cohort of 2005"
    ):
        estimate_adoption(make_design(frame), cohort=cohort, method="sun_abraham")


@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_printed_or_warned(
    method: Method, capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    frame = draw_panel(n=24)
    estimate_adoption(
        make_design(frame), cohort=take_cohorts(frame), method=method, aggregate="dynamic"
    )
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


def test_more_restrictions_than_clusters_have_no_joint_test() -> None:
    frame = draw_panel().assign(
        block=lambda data: data.index.get_level_values(0) // 4 % 4 + 4 * (data["cohort"] == 0)
    )
    found = estimate_adoption(
        make_design(frame, clusters="block"),
        cohort=take_cohorts(frame),
        method="callaway_santanna",
    )
    test = see(found, "pretrend")
    assert np.isnan(test.p_value)
    assert "clusters: the errors are singular" in test.reason
