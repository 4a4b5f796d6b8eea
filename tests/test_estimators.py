"""A study file's words reach the estimator they name, with their options."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evidence.errors import EvidenceError
from evidence.models import Diagnostic, Fit, fit, list_diagnostics
from samples import Section, declare, make_panel, specify

VARIABLES = (
    declare("factory", "entity", "factory"),
    declare("year", "time", "factory"),
    declare("buyer", "cluster", "buyer"),
    declare("y", "outcome", "factory-cycle"),
    declare("share", "outcome", "factory-cycle"),
    declare("count", "outcome", "factory-cycle"),
    declare("x", "exposure", "factory-cycle"),
    declare("adopted", "exposure", "factory-cycle", "indicator"),
    declare("z", "control", "factory-cycle"),
    declare("w", "control", "factory-cycle"),
)
SURE = 4.5
"""Standard errors between a simulated truth and its estimate; reason: 1 in 100,000 beyond."""


def _simulate(factories: int = 240, years: int = 7) -> pd.DataFrame:
    """Simulate factories whose exposure moves with what is not seen, and an instrument w."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        [(n, t) for n in range(factories) for t in range(years)], columns=["n", "t"]
    )
    rows = len(frame)
    own, hidden = rng.normal(size=factories)[frame["n"]], rng.normal(size=rows)
    frame["factory"] = [f"f{number:03}" for number in frame["n"]]
    frame["year"] = 2010 + frame["t"]
    frame["buyer"] = [f"b{number % 40:02}" for number in frame["n"]]
    frame["z"], frame["w"] = rng.normal(size=(2, rows))
    frame["x"] = frame["w"] + 0.8 * hidden + own + rng.normal(size=rows)
    frame["y"] = 0.5 * frame["x"] + 0.3 * frame["z"] + hidden + own + rng.normal(size=rows)
    start = rng.choice([3, 5, 99], size=factories)[frame["n"]]
    frame["adopted"] = (frame["t"] >= start).astype(int)
    index = 0.4 * frame["z"] + 0.3 * own
    frame["share"] = rng.binomial(20, 1 / (1 + np.exp(-index))) / 20
    frame["count"] = rng.poisson(np.exp(0.5 + index))
    return frame.drop(columns=["n", "t"])


def _fit(folder: Path, spec: Section, frame: pd.DataFrame | None = None) -> Fit:
    asked = _simulate() if frame is None else frame
    return fit(make_panel(folder, asked, VARIABLES, [PLAIN, spec]), "s")


EXPOSED = declare("z", "exposure", "factory-cycle")
PLAIN = specify("plain", "fixed_effects", "x", effects=["entity"])


def _row(told: Fit, term: str) -> pd.Series:
    rows = told.estimates[told.estimates["term"] == term]
    assert len(rows) == 1
    return rows.iloc[0]


def _check(told: Fit, name: str) -> Diagnostic:
    return next(check for check in told.diagnostics if check.name == name)


def _holds(row: pd.Series, truth: float) -> None:
    assert row["reason"] == ""
    assert abs(row["estimate"] - truth) < SURE * row["std_error"]
    assert row["conf_low"] < row["estimate"] < row["conf_high"]


@pytest.mark.parametrize(
    ("estimator", "effects"),
    [("iv_2sls", ["entity", "time"]), ("iv_gmm", ["entity"]), ("iv_liml", ["entity", "time"])],
)
def test_an_instrument_finds_what_least_squares_cannot(
    tmp_path: Path, estimator: str, effects: list[str]
) -> None:
    spec = specify("s", estimator, "x", controls=["z"], effects=effects, instruments=["w"])
    told = _fit(tmp_path, spec)
    _holds(_row(told, "x"), 0.5)
    plain = fit(make_panel(tmp_path / "p", _simulate(), VARIABLES, [PLAIN]), "plain")
    assert _row(plain, "x")["estimate"] > 0.6
    assert _check(told, "first_stage").value > 100


@pytest.mark.parametrize("estimator", ["callaway_santanna", "sun_abraham", "imputation"])
def test_adoption_gives_an_average_a_path_and_a_test_of_trends(
    tmp_path: Path, estimator: str
) -> None:
    frame = _simulate()
    frame["y"] += 2 * frame["adopted"]
    told = _fit(tmp_path, specify("s", estimator, "adopted"), frame)
    _holds(_row(told, "adopted"), 2)
    assert _row(told, "adopted event 0")["estimate"] > 1
    assert _check(told, "pretrend").p_value > 0.001


def test_a_count_is_read_in_log_points(tmp_path: Path) -> None:
    spec = specify("s", "poisson", "z", effects=["entity", "time"])
    declared = [*VARIABLES[:-2], EXPOSED, VARIABLES[-1]]
    frame = _simulate()
    told = fit(make_panel(tmp_path, frame, declared, [PLAIN, {**spec, "outcome": "count"}]), "s")
    _holds(_row(told, "z"), 0.4)
    assert set(told.estimates["unit"]) == {"log points"}


def test_a_share_has_partial_effects(tmp_path: Path) -> None:
    spec = specify("s", "fractional", "z", effects=["time"])
    declared = [*VARIABLES[:-2], EXPOSED, VARIABLES[-1]]
    frame = _simulate()
    told = fit(make_panel(tmp_path, frame, declared, [PLAIN, {**spec, "outcome": "share"}]), "s")
    row = _row(told, "z")
    slope = np.polyfit(frame["z"], frame["share"], 1)[0]
    assert row["estimate"] == pytest.approx(slope, rel=0.05)


def test_the_past_of_the_outcome_is_a_term(tmp_path: Path) -> None:
    spec = specify("s", "difference_gmm", "z", effects=["time"])
    declared = [*VARIABLES[:-2], EXPOSED, VARIABLES[-1]]
    told = fit(make_panel(tmp_path, _simulate(), declared, [PLAIN, spec]), "s")
    _holds(_row(told, "z"), 0.3)
    _holds(_row(told, "lag1_y"), 0.0)
    listed = list_diagnostics((told,)).reset_index()
    assert {"hansen", "ar1", "ar2"} <= set(listed["check"])


@pytest.mark.parametrize("estimator", ["first_differences", "mundlak", "random_effects", "between"])
def test_other_estimators_find_a_control_that_nothing_disturbs(
    tmp_path: Path, estimator: str
) -> None:
    told = _fit(tmp_path, specify("s", estimator, "x", controls=["z"]))
    if estimator != "between":
        _holds(_row(told, "z"), 0.3)


def test_buyer_years_are_absorbed_beside_factories(tmp_path: Path) -> None:
    effects = ["entity", "buyer:time"]
    told = _fit(tmp_path, specify("s", "fixed_effects", "x", controls=["z"], effects=effects))
    _holds(_row(told, "z"), 0.3)
    assert told.estimates["cov_type"].unique().tolist() == ["CR1"]


@pytest.mark.parametrize("convention", ["fixest", "stata", "linearmodels"])
def test_the_convention_is_named_in_the_row(tmp_path: Path, convention: str) -> None:
    spec = specify("s", "fixed_effects", "x", effects=["entity", "time"], convention=convention)
    assert _fit(tmp_path, spec).estimates["small_sample"].tolist() == [convention]


@pytest.mark.parametrize(
    ("spec", "match"),
    [
        (specify("s", "iv_2sls", "x", effects=["entity"]), "instruments: none"),
        (specify("s", "iv_2sls", "x", instruments=["y"]), "more than once"),
        (specify("s", "iv_2sls", "x", instruments=["buyer"]), "whose role is 'cluster'"),
        (specify("s", "difference_gmm", "x", predetermined=["w"]), "predetermined: 'w'"),
        (specify("s", "fixed_effects", "x", effects=["entity:time"]), "effects"),
        (specify("s", "pooled_ols", "x", instruments=["w"]), "'instruments' with pooled_ols"),
        (specify("s", "fixed_effects", "x", effects=["entity"], steps="1"), "steps"),
        (specify("s", "callaway_santanna", "x"), "unit is 'indicator'"),
        (specify("s", "callaway_santanna", "adopted", effects=["time"]), "effects"),
        (specify("s", "fixed_effects", "x", effects=["entity", "z"]), "effects"),
        (specify("s", "poisson", "x", effects=["entity"], convention="stata"), "convention"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path: Path, spec: Section, match: str) -> None:
    with pytest.raises(EvidenceError, match=match):
        _fit(tmp_path, spec)


def test_an_adoption_that_is_undone_is_refused(tmp_path: Path) -> None:
    frame = _simulate()
    frame.loc[frame["year"] == 2016, "adopted"] = 0
    with pytest.raises(EvidenceError, match="adopted"):
        _fit(tmp_path, specify("s", "callaway_santanna", "adopted"), frame)


def test_an_instrument_that_varies_by_buyer_asks_for_inference_by_buyer(tmp_path: Path) -> None:
    frame = _simulate()
    shock = np.random.default_rng(0).normal(size=(40, 7))
    frame["w"] = shock[frame["buyer"].str[1:].astype(int), frame["year"] - 2010]
    frame["x"] += frame["w"]
    spec = specify("s", "iv_2sls", "x", effects=["entity"], instruments=["w"])
    with pytest.raises(EvidenceError, match="variable 'w': one and the same value"):
        _fit(tmp_path / "false", spec, frame)
    declared = [*VARIABLES[:-1], declare("w", "control", "buyer")]
    told = fit(make_panel(tmp_path / "true", frame, declared, [PLAIN, spec]), "s")
    assert told.estimates["level"].tolist() == ["buyer"]
    assert told.estimates["n_clusters"].tolist() == [40]
