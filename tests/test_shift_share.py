"""Shift-share exposures: the coefficient by rows and by shocks, and errors that know the shocks."""

from __future__ import annotations

import json
import tomllib

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from pydantic import TypeAdapter

from evidence.errors import ModelError
from evidence.models import Design, estimate_least_squares, estimate_shift_share
from evidence.sources import simulate_equations
from evidence.sources.simulated.sections import Equations
from samples import ROOT

UNITS, HOMES, PERIODS = 90, 20, 5
Floats = npt.NDArray[np.float64]


def _draw(seed: int, *, effect: float = 0.5, common: float = 1.0) -> tuple[Design, pd.DataFrame]:
    """Draw units with fixed shares of homes, whose shocks reach the outcome twice."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(HOMES, 0.6), UNITS)
    shocks, hidden = rng.normal(size=(2, HOMES, PERIODS))
    exposure = shares @ shocks
    noise = rng.normal(0, 0.2, (UNITS, PERIODS)) + rng.normal(size=(UNITS, 1))
    outcome = effect * exposure + common * shares @ hidden + noise
    index = pd.MultiIndex.from_product([range(UNITS), range(PERIODS)], names=["entity", "time"])
    effects = pd.DataFrame(
        {"entity": index.get_level_values(0), "time": index.get_level_values(1)}, index=index
    )
    columns = pd.DataFrame({"exposure": exposure.ravel()}, index=index)
    long = pd.DataFrame(np.repeat(shares, PERIODS, axis=0), index=index)
    units = pd.Series(index.get_level_values(0), index=index)
    design = Design(pd.Series(outcome.ravel(), index=index), columns, effects, units)
    return design, long.add_prefix("share_")


def _estimate(design: Design, shares: pd.DataFrame) -> tuple[float, float]:
    ones = pd.Series(1.0, index=shares.index)
    found = estimate_shift_share(design, shares, scaled_by={"exposure": ones})
    return float(found.coefficients[0]), float(found.std_errors[0])


def _demean(values: Floats) -> Floats:
    """Take entity and period means out of (units, periods)."""
    rows, columns = values.mean(axis=1, keepdims=True), values.mean(axis=0, keepdims=True)
    inside: Floats = values - rows - columns + values.mean()
    return inside


def _stack(shares: pd.DataFrame) -> Floats:
    """Lay shares (rows × homes) out as rows × (homes · periods), zero in other periods."""
    own = shares.to_numpy().reshape(UNITS, PERIODS, HOMES)
    laid = np.zeros((UNITS, PERIODS, HOMES, PERIODS))
    for period in range(PERIODS):
        laid[:, period, :, period] = own[:, period]
    stacked: Floats = laid.reshape(UNITS * PERIODS, HOMES * PERIODS)
    return stacked


def test_it_is_the_regression_by_shocks() -> None:
    """Borusyak, Hull and Jaravel (2022), proposition 1: weighted 2SLS over the shocks."""
    design, shares = _draw(1)
    exposure = design.regressors["exposure"].to_numpy().reshape(UNITS, PERIODS)
    outcome = design.outcome.to_numpy().reshape(UNITS, PERIODS)
    stacked = _stack(shares)
    weights = stacked.sum(axis=0)
    by_shock = [stacked.T @ _demean(part).ravel() / weights for part in (exposure, outcome)]
    period = exposure.reshape(UNITS, PERIODS)
    shocks = np.column_stack(
        [np.linalg.lstsq(shares.to_numpy()[::PERIODS], period[:, t], rcond=None)[0]
         for t in range(PERIODS)]
    ).ravel()  # fmt: skip
    instrumented = (weights * shocks) @ by_shock[1] / ((weights * shocks) @ by_shock[0])
    assert _estimate(design, shares)[0] == pytest.approx(instrumented, rel=1e-9)


def test_its_error_is_the_formula_written_out() -> None:
    """AKM's variance with shocks clustered by home, one stacked projection at a time."""
    design, shares = _draw(2)
    exposure = _demean(design.regressors["exposure"].to_numpy().reshape(UNITS, PERIODS)).ravel()
    outcome = _demean(design.outcome.to_numpy().reshape(UNITS, PERIODS)).ravel()
    effect = exposure @ outcome / (exposure @ exposure)
    residual = outcome - effect * exposure
    stacked = _stack(shares)
    stacked = np.column_stack([_demean(c.reshape(UNITS, PERIODS)).ravel() for c in stacked.T])
    shocks = np.linalg.pinv(stacked, rcond=1e-9) @ exposure
    pulls = (shocks * (stacked.T @ residual)).reshape(HOMES, PERIODS).sum(axis=1)
    variance = HOMES / (HOMES - 1) * (pulls @ pulls) / (exposure @ exposure) ** 2
    assert _estimate(design, shares) == pytest.approx((effect, variance**0.5), rel=1e-9)


@pytest.mark.slow
def test_it_covers_where_errors_by_rows_do_not() -> None:
    reach = 2.09
    hits, naive = [], []
    for seed in range(40):
        design, shares = _draw(seed)
        estimate, error = _estimate(design, shares)
        rows = estimate_least_squares(design, small_sample="fixest")
        hits.append(abs(estimate - 0.5) <= reach * error)
        naive.append(abs(estimate - 0.5) <= reach * rows.std_errors[0])
    assert np.mean(hits) >= 0.85
    assert np.mean(naive) <= np.mean(hits) - 0.15


def test_without_common_shocks_both_errors_are_alike() -> None:
    ratios = []
    for seed in range(10):
        design, shares = _draw(seed, common=0.0)
        rows = estimate_least_squares(design, small_sample="fixest")
        ratios.append(_estimate(design, shares)[1] / rows.std_errors[0])
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.15)


def test_an_interaction_has_shares_scaled_by_the_moderator() -> None:
    design, shares = _draw(3)
    moderator = pd.Series(np.where(np.arange(UNITS) % 2, 0.5, -0.5).repeat(PERIODS), shares.index)
    crossed = design.regressors.assign(**{"exposure:m": design.regressors["exposure"] * moderator})
    outcome = design.outcome + 0.3 * crossed["exposure:m"]
    both = Design(outcome, crossed, design.effects, design.clusters)
    ones = pd.Series(1.0, index=shares.index)
    scaled = {"exposure": ones, "exposure:m": moderator}
    found = estimate_shift_share(both, shares, scaled_by=scaled)
    assert np.isfinite(found.covariance).all()
    assert abs(found.coefficients[1] - 0.3) < 3 * found.std_errors[1]
    assert found.n_clusters == HOMES
    assert 1 < found.diagnostics[0].value <= HOMES


def test_shares_that_move_or_do_not_make_the_exposure_are_refused() -> None:
    design, shares = _draw(4)
    moving = shares + 0.1 * np.eye(len(shares), HOMES)
    with pytest.raises(ModelError, match="changes over time"):
        _estimate(design, moving)
    with pytest.raises(ModelError, match="differ from shares times shocks"):
        _estimate(design, shares.drop(columns="share_0"))
    with pytest.raises(ModelError, match="a single share"):
        _estimate(design, shares[["share_0"]])


def test_the_study_finds_its_declared_effect() -> None:
    raw = tomllib.loads((ROOT / "data/sources/home_host.toml").read_text("utf-8"))
    system = TypeAdapter(Equations).validate_json(json.dumps(raw["equations"]))
    rows, truth = simulate_equations(system, {}, 1)
    rows = rows.assign(cell=rows["host"] + rows["year"].astype(str))
    rows = rows.set_index(["factory", "year"], drop=False)
    effects = rows[["factory", "cell"]]
    design = Design(rows["violations"], rows[["home_rules"]], effects, rows["factory"])
    shares = rows.filter(like="share_")
    found = estimate_shift_share(
        design, shares, scaled_by={"home_rules": pd.Series(1.0, index=rows.index)}
    )
    estimate, error = float(found.coefficients[0]), float(found.std_errors[0])
    assert abs(estimate - truth["violations"]["home_rules"]) < 2 * error
    assert abs(estimate) > 3 * error
    by_rows = estimate_least_squares(design, small_sample="fixest")
    assert by_rows.std_errors[0] < error
