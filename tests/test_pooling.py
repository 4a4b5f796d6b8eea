"""Effects pooled over cells: against a published table, by hand, and through a study."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from evidence.errors import ModelError, StudyError
from evidence.findings import state
from evidence.measures import score_measures
from evidence.models import (
    Design,
    estimate_least_squares,
    estimate_pooled_cells,
    fit,
    list_cells,
    pool_effects,
)
from evidence.panel import Panel, build_panel
from evidence.sources import read_sources
from evidence.study import load_study
from samples import edit, make_project, study_file

BCG = """
4 119 11 128
6 300 29 274
3 228 11 209
62 13536 248 12619
33 5036 47 5761
180 1361 372 1079
8 2537 10 619
505 87886 499 87892
29 7470 45 7232
17 1699 65 1600
186 50448 141 27197
5 2493 3 2338
27 16886 29 17825
"""
"""Tuberculosis yes and no among vaccinated and not, thirteen trials (Colditz et al. 1994)."""


def _bcg() -> tuple[pd.Series, pd.Series]:
    a, b, c, d = np.array([list(map(float, line.split())) for line in BCG.split("\n") if line]).T
    ratio = np.log(a / (a + b)) - np.log(c / (c + d))
    variance = 1 / a - 1 / (a + b) + 1 / c - 1 / (c + d)
    return pd.Series(ratio), pd.Series(variance)


def test_the_published_meta_analysis_of_vaccine_trials_is_reproduced() -> None:
    """Log risk ratio, interval and Q as in the tests of metafor 4 (rma, DL) and Stata's metan."""
    pooled = pool_effects(*_bcg(), method="dersimonian_laird")
    reach = stats.norm.ppf(0.975) * pooled.std_error
    assert pooled.estimate == pytest.approx(-0.7141, abs=5e-5)
    assert pooled.estimate - reach == pytest.approx(-1.0644, abs=5e-5)
    assert pooled.estimate + reach == pytest.approx(-0.3638, abs=5e-5)
    assert pooled.q == pytest.approx(152.2330, abs=5e-5)


def test_every_part_follows_from_its_formula() -> None:
    effects, variances = _bcg()
    pooled = pool_effects(effects, variances)
    count = len(effects)
    weights = 1 / (variances + pooled.tau2)
    mean = (weights * effects).sum() / weights.sum()
    scale = (weights * (effects - mean) ** 2).sum() / (count - 1)
    assert scale == pytest.approx(1.0)  # what Paule and Mandel ask of their variance
    assert pooled.estimate == pytest.approx(mean)
    error = np.sqrt(1 / weights.sum())
    assert pooled.std_error_hk == pytest.approx(error)
    reach = stats.t.ppf(0.975, count - 2) * np.sqrt(pooled.tau2 + pooled.std_error_hk**2)
    bounds = (pooled.prediction_low, pooled.prediction_high)
    assert bounds == pytest.approx((mean - reach, mean + reach))
    assert pooled.i2 == pytest.approx(1 - (count - 1) / pooled.q)


def test_alike_cells_have_no_spread_and_no_error_below_the_plain_one() -> None:
    pooled = pool_effects(pd.Series([0.1, 0.101, 0.099, 0.1]), pd.Series([0.01] * 4))
    assert (pooled.tau2, pooled.i2) == (0.0, 0.0)
    assert pooled.std_error_hk == pooled.std_error == pytest.approx(0.05)


@pytest.mark.parametrize("variances", [[0.1, 0.1], [0.1, 0.0, 0.1]])
def test_too_few_cells_or_one_without_error_are_refused(variances: list[float]) -> None:
    with pytest.raises(ModelError, match="pooled_cells"):
        pool_effects(pd.Series([0.0] * len(variances)), pd.Series(variances))


def _draw(cells: int = 8, seed: int = 3) -> tuple[Design, list[Design]]:
    rng = np.random.default_rng(seed)
    parts = []
    for cell in range(cells):
        index = pd.MultiIndex.from_product(
            [[f"{cell}-{n}" for n in range(25)], range(5)], names=["entity", "time"]
        )
        start = np.repeat(rng.integers(0, 8, 25), 5)
        x = (index.get_level_values("time") >= start).astype(float)
        y = (0.3 + 0.1 * cell) * x + rng.normal(0, 0.5, len(index))
        frame = pd.DataFrame({"y": y, "x": x, "cell": str(cell)}, index=index)
        parts.append(frame)
    return _lay(pd.concat(parts)), [_lay(part, own=True) for part in parts]


def _lay(frame: pd.DataFrame, *, own: bool = False) -> Design:
    levels = {name: frame.index.get_level_values(name) for name in ("entity", "time")}
    entity = pd.Series(levels["entity"], index=frame.index)
    return Design(
        outcome=frame["y"],
        regressors=frame[["x"]],
        effects=pd.DataFrame(levels, index=frame.index),
        clusters=entity if own else frame["cell"],
    )


def test_cells_are_estimated_apart_and_pooled() -> None:
    whole, parts = _draw()
    told = [estimate_least_squares(part, small_sample="fixest") for part in parts]
    effects = pd.Series([estimates.coefficients[0] for estimates in told])
    pooled = pool_effects(effects, pd.Series([e.covariance[0, 0] for e in told]))
    estimates = estimate_pooled_cells(whole)
    assert estimates.coefficients[0] == pytest.approx(pooled.estimate)
    assert estimates.std_errors[0] == pytest.approx(pooled.std_error_hk)
    assert (estimates.n_clusters, estimates.df) == (8, 7.0)
    assert estimates.nobs == sum(e.nobs for e in told)
    checks = {check.name: check.value for check in estimates.diagnostics}
    assert checks["tau2 x"] == pytest.approx(pooled.tau2)


def test_a_cell_in_which_nothing_varies_is_left_out_and_named() -> None:
    whole, _ = _draw()
    assert whole.clusters is not None
    regressors = whole.regressors.copy()
    regressors.loc[(whole.clusters == "3").to_numpy(), "x"] = 1.0
    estimates = estimate_pooled_cells(
        Design(whole.outcome, regressors, whole.effects, whole.clusters)
    )
    assert estimates.n_clusters == 7
    assert [c.name for c in estimates.diagnostics if c.reason] == ["cell 3"]


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Panel:
    study = load_study(study_file(make_project(tmp_path_factory.mktemp("p")), "synthesis"))
    return build_panel(study, score_measures(study, read_sources(study, study.cases[0], 1)))


def test_the_study_recovers_the_declared_mean_effect_and_the_placebo_finds_nothing(
    panel: Panel,
) -> None:
    fits = tuple(fit(panel, name) for name in ("compiled", "canteen_compiled"))
    committee, canteen = state(panel, fits)
    assert committee.true_effect is not None
    assert committee.conf_low is not None
    assert committee.conf_high is not None
    assert committee.conf_low <= committee.true_effect <= committee.conf_high < 0
    assert (committee.n_clusters, committee.design, committee.wording) == (12, "within", "within")
    assert (committee.cov_type, "few_clusters" in committee.grade.reasons) == ("CR3", True)
    assert (canteen.direction, canteen.true_effect) == ("unclear", None)
    checks = {check.name: check for check in fits[0].diagnostics}
    assert checks["heterogeneity committee"].p_value < 0.01
    assert 0.01 < np.sqrt(checks["tau2 committee"].value) < 0.04  # declared: 0.02


def test_the_map_of_cells_adds_up_to_the_estimate(panel: Panel) -> None:
    cells = list_cells(panel, "compiled")
    places, further = cells.iloc[:-1], cells.iloc[-1]
    estimate = fit(panel, "compiled").estimates["estimate"].iloc[0]
    assert (places["estimate"] * places["weight"]).sum() == pytest.approx(estimate)
    assert further["estimate"] == pytest.approx(estimate)
    assert further["conf_low"] < places["estimate"].median() < further["conf_high"]
    assert len(places) == 12
    with pytest.raises(ModelError, match="pooled_cells"):
        list_cells(panel, "together")


@pytest.mark.parametrize(
    ("old", "new"),
    [('clusters = "sector"', 'clusters = ""'), ('["entity", "time"]', '["time"]')],
)
def test_cells_need_a_name_and_entities_that_are_followed(
    tmp_path: Path, old: str, new: str
) -> None:
    root = make_project(tmp_path)
    path = edit(study_file(root, "synthesis"), old, new)
    with pytest.raises(StudyError, match="the cells"):
        load_study(path)
