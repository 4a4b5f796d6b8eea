"""Dynamic panels repeat printed tables, R's plm and a slow estimate written out by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from conftest import ROOT
from evidence.errors import ModelError
from evidence.models.design import Design, Diagnostic, Estimates, tabulate_estimates
from evidence.models.designs.dynamic import estimate_dynamic

Floats = npt.NDArray[np.float64]
Options = dict[str, Any]

STEPS: tuple[Literal[1, 2], ...] = (1, 2)

FIRMS = ROOT.parent / "shared" / "data" / "did_reference" / "empluk_arellano_bond.csv"
REFERENCES = ROOT / "tests" / "references"
STORED = json.loads((REFERENCES / "dynamic.json").read_text(encoding="utf-8"))

SAME = 1e-8
"""Relative; reason: plm solves normal equations of up to 113 instruments, which costs half
of 16 digits; a wrong instrument, row or weight moves the third digit."""

EXACT = 1e-7
"""Relative; reason: the estimate by hand inverts the same ill-conditioned matrices."""

external = [
    pytest.mark.external,
    pytest.mark.skipif(not FIRMS.is_file(), reason="../shared is not there"),
]

INPUTS = ["wage", "capital", "output"]
TABLE_4B: Options = {"lags": 2, "regressor_lags": {"wage": 1, "output": 1}}
TABLE_4A: Options = {"lags": 2, "regressor_lags": {"wage": 1, "capital": 2, "output": 2}}
BLUNDELL_BOND: Options = {
    "regressor_lags": {"wage": 1, "capital": 1},
    "gmm": {"wage": (2, None), "capital": (2, None)},
    "transformation": "system",
}
IN_LEVELS: Options = {"transformation": "system", "exogenous_levels": True}
LIMITED: Options = {"gmm": {"emp": (2, 4), "wage": (1, 3)}}
COLLAPSED: Options = {"collapse": True}

WITH_PLM: dict[str, tuple[list[str], Options]] = {
    "table4b": (INPUTS, TABLE_4B),
    "table4a": (INPUTS, TABLE_4A),
    "table4b_collapsed": (INPUTS, TABLE_4B | COLLAPSED),
    "table4b_individual": (INPUTS, TABLE_4B),
    "table4b_gaps": (INPUTS, TABLE_4B),
    "limited": (INPUTS[:2], LIMITED),
    "limited_collapsed": (INPUTS[:2], LIMITED | COLLAPSED),
    "blundell_bond": (INPUTS[:2], BLUNDELL_BOND),
    "blundell_bond_collapsed": (INPUTS[:2], BLUNDELL_BOND | COLLAPSED),
    "exogenous_system": (INPUTS[:2], IN_LEVELS),
    "exogenous_system_gaps": (INPUTS[:2], IN_LEVELS),
}
SIMULATED_WITH_PLM: dict[str, Options] = {
    "simulated": {"gmm": {"z": (1, None)}},
    "simulated_collapsed": {"gmm": {"z": (1, None)}, "collapse": True},
    "simulated_system": {"gmm": {"z": (2, None)}} | IN_LEVELS | COLLAPSED,
}


def _design(
    frame: pd.DataFrame, outcome: str, regressors: list[str], *, periods: bool = True
) -> Design:
    effects = pd.DataFrame(index=frame.index)
    effects["entity"] = frame.index.get_level_values(0)
    if periods:
        effects["time"] = frame.index.get_level_values(1)
    return Design(frame[outcome], frame[regressors], effects, effects["entity"], "dynamic")


def _firms() -> pd.DataFrame:
    """Read 140 British firms, 1976 to 1984, in logarithms."""
    frame = pd.read_csv(FIRMS).set_index(["firm", "year"])
    names = ["emp", *INPUTS]
    return pd.DataFrame(np.log(frame[names].to_numpy()), frame.index, names)


def _leave_gaps(frame: pd.DataFrame) -> pd.DataFrame:
    """Leave out the rows that dynamic.R leaves out."""
    index = frame.index
    return frame[(7 * index.get_level_values(0) + index.get_level_values(1)) % 11 != 0]


def _simulated() -> pd.DataFrame:
    """Read the simulated panel that dynamic.R drew: 60 entities, 8 periods, with gaps."""
    return pd.read_csv(REFERENCES / "dynamic_simulated.csv").set_index(["entity", "time"])


def _simulate(entities: int, periods: int, *, seed: int = 0) -> pd.DataFrame:
    """Simulate y = 0.5·lag1_y + 0.3·x − 0.2·z with effects; past errors move z."""
    rng = np.random.default_rng(seed)
    effect = rng.normal(size=entities)
    y, z, error = np.zeros(entities), np.zeros(entities), np.zeros(entities)
    rows = []
    for t in range(-20, periods):
        x = 0.5 * effect + rng.normal(size=entities)
        z = 0.5 * z + 0.4 * error + 0.3 * effect + rng.normal(size=entities)
        error = rng.normal(size=entities)
        y = 0.5 * y + 0.3 * x - 0.2 * z + effect + error + 0.1 * t
        rows += [(i, 2000 + t, y[i], x[i], z[i]) for i in range(entities) if t >= 0]
    frame = pd.DataFrame(rows, columns=["entity", "time", "y", "x", "z"])
    return frame.set_index(["entity", "time"]).sort_index()


def _diagnostic(estimates: Estimates, name: str) -> Diagnostic:
    return next(item for item in estimates.diagnostics if item.name == name)


def _check_stored(estimates: Estimates, stored: Mapping[str, Any]) -> None:
    assert estimates.coefficients == pytest.approx(stored["coefficients"], rel=SAME)
    assert estimates.std_errors == pytest.approx(stored["std_errors"], rel=SAME)
    assert _diagnostic(estimates, "hansen").df == stored["df"]
    assert _diagnostic(estimates, "n_instruments").value == stored["instruments"]
    for name in ("ar1", "ar2", "hansen"):
        if stored[name] is not None:
            assert _diagnostic(estimates, name).value == pytest.approx(stored[name], rel=SAME)


def _printed(values: Floats, digits: int) -> list[str]:
    return [f"{value:.{digits}f}" for value in values]


class TestPublished:
    """Firms of Arellano and Bond (1991), read in place."""

    pytestmark = external

    def test_two_steps_repeat_table_4b(self) -> None:
        # Arellano and Bond (1991), Table 4, column (b): 611 observations, 140 firms.
        estimates = estimate_dynamic(_design(_firms(), "emp", INPUTS), **TABLE_4B)
        assert estimates.terms == (
            "lag1_emp", "lag2_emp", "wage", "lag1_wage", "capital", "output", "lag1_output",
        )  # fmt: skip
        assert _printed(estimates.coefficients, 3) == [
            "0.474", "-0.053", "-0.513", "0.225", "0.293", "0.610", "-0.446",
        ]  # fmt: skip
        assert (estimates.nobs, estimates.n_clusters) == (611, 140)
        hansen = _diagnostic(estimates, "hansen")
        assert (f"{hansen.value:.2f}", hansen.df) == ("30.11", 25)

    def test_one_step_repeats_table_4a1(self) -> None:
        # Arellano and Bond (1991), Table 4, column (a1), to its three digits; tests as in
        # Stata's manual [XT] xtabond, estat abond and estat sargan, which repeats it.
        estimates = estimate_dynamic(_design(_firms(), "emp", INPUTS), **TABLE_4A, steps=1)
        assert _printed(estimates.coefficients, 3) == [
            "0.686", "-0.085", "-0.608", "0.393", "0.357", "-0.058", "-0.020",
            "0.609", "-0.711", "0.106",
        ]  # fmt: skip
        assert _printed(estimates.std_errors, 3) == [
            "0.145", "0.056", "0.178", "0.168", "0.059", "0.073", "0.033",
            "0.173", "0.232", "0.141",
        ]  # fmt: skip
        sargan = _diagnostic(estimates, "sargan")
        assert (f"{sargan.value:.4f}", sargan.df) == ("65.8181", 25)
        assert _diagnostic(estimates, "n_instruments").value == 41

    def test_windmeijers_errors_repeat_statas_manual(self) -> None:
        # [XT] xtabond, two steps with vce(robust): lag 1 of employment.
        estimates = estimate_dynamic(_design(_firms(), "emp", INPUTS), **TABLE_4A)
        assert _printed(estimates.coefficients, 6)[0] == "0.628709"
        assert _printed(estimates.std_errors, 6)[0] == "0.193413"

    def test_a_system_repeats_roodman(self) -> None:
        # Roodman (2009), "How to do xtabond2", one-step system of the same firms.
        design = _design(_firms(), "emp", INPUTS[:2])
        estimates = estimate_dynamic(design, **BLUNDELL_BOND, steps=1)
        assert _printed(estimates.coefficients, 6) == [
            "0.935605", "-0.630976", "0.482620", "0.483930", "-0.424393",
        ]  # fmt: skip
        tests = {item.name: item for item in estimates.diagnostics}
        assert estimates.nobs == 891
        assert tests["n_instruments"].value == 113
        assert f"{tests['hansen'].value:.2f} {tests['hansen'].p_value:.3f}" == "110.70 0.218"
        assert f"{tests['ar1'].value:.2f} {tests['ar1'].p_value:.3f}" == "-5.46 0.000"
        assert f"{tests['ar2'].value:.2f} {tests['ar2'].p_value:.3f}" == "-0.25 0.804"

    @pytest.mark.parametrize("name", list(WITH_PLM))
    def test_estimates_equal_plm(self, name: str) -> None:
        regressors, options = WITH_PLM[name]
        frame = _leave_gaps(_firms()) if name.endswith("gaps") else _firms()
        design = _design(frame, "emp", regressors, periods=not name.endswith("individual"))
        _check_stored(estimate_dynamic(design, **options, steps=1), STORED[name]["onestep"])
        _check_stored(estimate_dynamic(design, **options), STORED[name]["twosteps"])


@pytest.mark.parametrize("name", list(SIMULATED_WITH_PLM))
def test_a_simulated_panel_with_gaps_equals_plm(name: str) -> None:
    design, options = _design(_simulated(), "y", ["x", "z"]), SIMULATED_WITH_PLM[name]
    _check_stored(estimate_dynamic(design, **options, steps=1), STORED[name]["onestep"])
    _check_stored(estimate_dynamic(design, **options), STORED[name]["twosteps"])


@dataclass(frozen=True, slots=True)
class _Hand:
    """Rows written out one by one: outcome, regressors, instruments, M and clusters."""

    y: Floats
    x: Floats
    z: Floats
    maker: Floats
    parts: list[npt.NDArray[np.bool_]]
    changes: dict[tuple[int, int], int]


Cells = dict[tuple[int, int], dict[str, float]]
Row = tuple[int, int, bool]


def _lag_instruments(cells: Cells, row: Row, options: Options) -> dict[tuple[Any, ...], float]:
    i, t, in_levels = row
    period = "all" if options.get("collapse") else t
    found: dict[tuple[Any, ...], float] = {}
    for name, (first, last) in options["reaches"].items():
        ago = t - first + 1
        if in_levels and (i, ago) in cells and (i, ago - 1) in cells:
            change = cells[i, ago][name] - cells[i, ago - 1][name]
            found["level", name, period] = change
        deepest = 0 if in_levels else last or 50
        for k in range(first, deepest + 1):
            if (i, t - k) in cells:
                found["change", name, period, k] = cells[i, t - k][name]
    return found


def _own_instruments(cells: Cells, row: Row, options: Options) -> dict[tuple[Any, ...], float]:
    i, t, in_levels = row
    if in_levels and not options.get("exogenous_levels"):
        return {}
    return {
        ("own", name, in_levels): cells[i, t][name]
        - (0 if in_levels else cells[i, t - 1][name])
        for name in options["exogenous"]
    }  # fmt: skip


def _period_columns(row: Row, absorbed: list[Any], *, system: bool) -> list[float]:
    _, t, in_levels = row
    now = [float(label in {t, "all"}) for label in absorbed]
    if in_levels or not system:
        return now
    before = [float(label in {t - 1, "all"}) for label in absorbed]
    return [a - b for a, b in zip(now, before, strict=True)]


def _make(rows: list[Row], cells: Cells) -> Floats:
    """Write out M: what a row takes of the independent error of each cell."""
    where = {cell: n for n, cell in enumerate(cells)}
    maker = np.zeros((len(rows), len(cells)))
    for n, (i, t, in_levels) in enumerate(rows):
        maker[n, where[i, t]] = 1
        if not in_levels:
            maker[n, where[i, t - 1]] = -1
    return maker


def _write_out(frame: pd.DataFrame, options: Options, groups: list[int]) -> _Hand:
    """Write out the equations of y on its lag, x and z, cell by cell."""
    cells: Cells = {
        (int(i), int(t)): {"y": y, "x": x, "z": z}
        for (i, t), y, x, z in zip(frame.index, frame["y"], frame["x"], frame["z"], strict=True)
    }
    system = options.get("transformation") == "system"
    levels = {
        (i, t): np.array([cell["y"], cells[i, t - 1]["y"], cell["x"], cell["z"]])
        for (i, t), cell in cells.items()
        if (i, t - 1) in cells
    }
    changes = {(i, t): levels[i, t] - levels[i, t - 1] for i, t in levels if (i, t - 1) in levels}
    rows: list[Row] = [(i, t, False) for i, t in changes]
    rows += [(i, t, True) for i, t in levels] if system else []
    absorbed: list[Any] = sorted({t for _, t in (levels if system else changes)})
    if not options.get("periods", True):
        absorbed = ["all"] * system
    found = [
        _lag_instruments(cells, row, options) | _own_instruments(cells, row, options)
        for row in rows
    ]  # fmt: skip
    keys = sorted({key for each in found for key, value in each.items() if value}, key=str)
    periods = np.array([_period_columns(row, absorbed, system=system) for row in rows])
    periods = periods.reshape(len(rows), len(absorbed))
    own = np.array([row[2] or not system for row in rows])[:, None] * periods
    body = np.array([(levels if row[2] else changes)[row[:2]] for row in rows])
    member = dict(zip(frame.index.get_level_values(0), groups, strict=True))
    group = np.array([member[row[0]] for row in rows])
    return _Hand(
        y=body[:, 0],
        x=np.hstack([body[:, 1:], periods]),
        z=np.hstack([[[each.get(key, 0.0) for key in keys] for each in found], own]),
        maker=_make(rows, cells),
        parts=[group == g for g in sorted(set(groups))],
        changes={row[:2]: n for n, row in enumerate(rows) if not row[2]},
    )


def _meat(hand: _Hand, left: Floats, right: Floats) -> Floats:
    total = np.zeros((hand.z.shape[1], hand.z.shape[1]))
    for part in hand.parts:
        total += np.outer(hand.z[part].T @ left[part], hand.z[part].T @ right[part])
    return total


def _autocorrelation(hand: _Hand, order: int, e: Floats, pull: Floats, covariance: Floats) -> float:
    before = np.zeros(len(e))
    for (i, t), n in hand.changes.items():
        if (i, t - order) in hand.changes:
            before[n] = e[hand.changes[i, t - order]]
    products = [before[part] @ e[part] for part in hand.parts]
    cross = np.zeros(hand.z.shape[1])
    for part, product in zip(hand.parts, products, strict=True):
        cross += hand.z[part].T @ e[part] * product
    slope = before @ hand.x
    variance = np.square(products).sum() - 2 * slope @ pull @ cross + slope @ covariance @ slope
    return float(sum(products) / np.sqrt(variance))


def _solve_by_hand(hand: _Hand) -> dict[str, Any]:
    """Estimate in one and two steps with plain inverses of plain matrices."""
    y, x, z = hand.y, hand.x, hand.z
    zx = z.T @ x
    first = np.linalg.inv(z.T @ hand.maker @ hand.maker.T @ z)
    pull = np.linalg.inv(zx.T @ first @ zx) @ zx.T @ first
    one = pull @ z.T @ y
    e1 = y - x @ one
    scatter = _meat(hand, e1, e1)
    v1 = pull @ scatter @ pull.T
    second = np.linalg.inv(scatter)
    bread = np.linalg.inv(zx.T @ second @ zx)
    pull2 = bread @ zx.T @ second
    two = pull2 @ z.T @ y
    e2 = y - x @ two
    turns = [_meat(hand, column, e1) + _meat(hand, e1, column) for column in x.T]
    slope = np.column_stack([pull2 @ turn @ second @ z.T @ e2 for turn in turns])
    v2 = bread + slope @ bread + bread @ slope.T + slope @ v1 @ slope.T
    variance = e1 @ e1 / (len(y) - x.shape[1]) / 2
    return {
        "hansen": e2 @ z @ second @ z.T @ e2,
        "sargan": e1 @ z @ first @ z.T @ e1 / variance,
        "step 1": (one[:3], np.sqrt(np.diag(v1))[:3]),
        "step 2": (two[:3], np.sqrt(np.diag(v2))[:3]),
        "tests 1": [_autocorrelation(hand, order, e1, pull, v1) for order in (1, 2)],
        "tests 2": [_autocorrelation(hand, order, e2, pull2, v2) for order in (1, 2)],
    }


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"periods": False},
        {"gmm": {"y": (2, 3), "z": (1, 2)}},
        {"gmm": {"z": None}},
        {"gmm": {"z": (1, None)}, "collapse": True},
        {"transformation": "system", "collapse": True},
        {"transformation": "system", "collapse": True, "periods": False},
        {"transformation": "system", "gmm": {"y": (2, 2), "z": (1, 1)}},
        {"transformation": "system", "exogenous_levels": True, "collapse": True},
        {"collapse": True, "pairs": True},
    ],
    ids=str,
)
def test_estimates_equal_those_written_out_by_hand(options: Options) -> None:
    frame = _simulated()
    size = 2 if options.get("pairs") else 1
    groups = [int(i) // size for i in frame.index.get_level_values(0)]
    named = {"y": (2, None), **options.get("gmm", {})}
    reaches = {name: reach for name, reach in named.items() if reach is not None}
    exogenous = [name for name in ("x", "z") if name not in named]
    known = {**options, "reaches": reaches, "exogenous": exogenous}
    slow = _solve_by_hand(_write_out(frame, known, groups))
    kept = {key: value for key, value in options.items() if key not in {"periods", "pairs"}}
    design = _design(frame, "y", ["x", "z"], periods=options.get("periods", True))
    design = replace(design, clusters=pd.Series(groups, frame.index))
    for steps in STEPS:
        fast = estimate_dynamic(design, **kept, steps=steps)
        assert fast.coefficients == pytest.approx(slow[f"step {steps}"][0], rel=EXACT)
        assert fast.std_errors == pytest.approx(slow[f"step {steps}"][1], rel=EXACT)
        assert fast.n_clusters == len(set(groups))
        tests = [_diagnostic(fast, test).value for test in ("ar1", "ar2")]
        assert tests == pytest.approx(slow[f"tests {steps}"], rel=EXACT)
        assert _diagnostic(fast, "hansen").value == pytest.approx(slow["hansen"], rel=EXACT)
        if options.get("transformation") != "system":
            assert _diagnostic(fast, "sargan").value == pytest.approx(slow["sargan"], rel=EXACT)


@pytest.mark.parametrize("transformation", ["difference", "system"])
def test_a_simulated_truth_is_recovered(transformation: Any) -> None:
    design = _design(_simulate(600, 7), "y", ["x", "z"])
    estimates = estimate_dynamic(design, gmm={"z": (1, None)}, transformation=transformation)
    # Three standard errors leave out 1 draw in 370, and errors below 0.06 exclude the within
    # estimate of lag1_y, whose bias with 7 periods is about −0.2 (Nickell 1981).
    assert np.all(np.abs(estimates.coefficients - [0.5, 0.3, -0.2]) < 3 * estimates.std_errors)
    assert np.all(estimates.std_errors < 0.06)
    assert _diagnostic(estimates, "ar1").p_value < 0.01
    assert _diagnostic(estimates, "ar2").p_value > 0.01
    assert _diagnostic(estimates, "hansen").p_value > 0.01


def test_neither_units_nor_order_nor_labels_matter() -> None:
    frame = _simulated()
    plain = estimate_dynamic(_design(frame, "y", ["x", "z"]))
    changed = frame.sample(frac=1, random_state=0).assign(
        x=lambda f: f["x"] * 1e12, z=lambda f: f["z"] * 1e-12
    )
    labels = [(f"f{i}", t) for i, t in changed.index]
    changed.index = pd.MultiIndex.from_tuples(labels, names=["entity", "time"])
    other = estimate_dynamic(_design(changed, "y", ["x", "z"]))
    units = [1, 1e12, 1e-12]
    assert other.coefficients * units == pytest.approx(plain.coefficients, rel=EXACT)
    assert other.std_errors * units == pytest.approx(plain.std_errors, rel=EXACT)


def test_a_far_origin_of_a_regressor_does_not_matter_in_differences() -> None:
    frame = _simulated()
    plain = estimate_dynamic(_design(frame, "y", ["x", "z"]))
    moved = estimate_dynamic(_design(frame.assign(x=frame["x"] + 1e9), "y", ["x", "z"]))
    # 1e9 leaves 7 digits of x behind the comma.
    assert moved.coefficients == pytest.approx(plain.coefficients, rel=1e-5)


def test_the_origin_of_the_outcome_does_not_matter_in_a_balanced_panel_with_periods() -> None:
    frame = _simulate(80, 6)
    plain = estimate_dynamic(_design(frame, "y", ["x", "z"]))
    moved = estimate_dynamic(_design(frame.assign(y=frame["y"] + 1e5), "y", ["x", "z"]))
    # 1e5 takes 5 of 16 digits from the instruments, and their differences again.
    assert moved.coefficients == pytest.approx(plain.coefficients, rel=1e-6)
    assert moved.std_errors == pytest.approx(plain.std_errors, rel=1e-6)


def test_entities_without_enough_periods_do_not_count() -> None:
    frame = _simulate(60, 6)
    short = frame.loc[50:]
    short = short[short.index.get_level_values(1) < 2002]
    mixed = estimate_dynamic(_design(pd.concat([short, frame.loc[:49]]), "y", ["x", "z"]))
    alone = estimate_dynamic(_design(frame.loc[:49], "y", ["x", "z"]))
    assert (mixed.n_clusters, mixed.nobs) == (50, 200)
    assert _diagnostic(mixed, "n_entities").value == 50
    assert mixed.std_errors == pytest.approx(alone.std_errors, rel=EXACT)


def test_inference_is_normal_and_named() -> None:
    estimates = estimate_dynamic(_design(_simulated(), "y", ["x", "z"]))
    assert (estimates.df, estimates.cov_type) == (np.inf, "windmeijer")
    assert estimates.small_sample == "normal, Windmeijer (2005)"
    table = tabulate_estimates(estimates)
    reach = table["conf_high"] - table["estimate"]
    assert (reach / table["std_error"]).tolist() == pytest.approx([1.959963984540054] * 3)


def test_more_instruments_than_entities_are_told() -> None:
    frame = _simulated().loc[:25]
    estimates = estimate_dynamic(_design(frame, "y", ["x", "z"]))
    count = _diagnostic(estimates, "n_instruments")
    assert count.value > 25
    assert "instruments for 25 entities" in count.reason
    assert "pseudo-inverse" in _diagnostic(estimates, "weight_matrix").reason
    hansen = _diagnostic(estimates, "hansen")
    assert np.isnan(hansen.value)
    assert "has rank 25" in hansen.reason
    assert "fewer than 30" in _diagnostic(estimates, "n_entities").reason
    assert np.isfinite(estimates.std_errors).all()


def test_instruments_given_twice_change_nothing_but_the_count() -> None:
    # A copy of z that differs in the last period only: its lags are those of z.
    frame = _simulate(60, 6)
    last = frame.index.get_level_values(1) == 2005
    frame["copy"] = frame["z"] + last * np.random.default_rng(1).normal(size=len(frame))
    design = _design(frame, "y", ["x", "z", "copy"])
    once = estimate_dynamic(design, gmm={"z": (2, 3), "copy": None})
    twice = estimate_dynamic(design, gmm={"z": (2, 3), "copy": (2, 3)})
    assert twice.coefficients == pytest.approx(once.coefficients, rel=EXACT)
    assert twice.std_errors == pytest.approx(once.std_errors, rel=EXACT)
    assert _diagnostic(twice, "hansen").df == _diagnostic(once, "hansen").df
    counts = [_diagnostic(item, "n_instruments").value for item in (once, twice)]
    assert counts[1] - counts[0] == 7
    reason = _diagnostic(twice, "weight_matrix").reason
    assert reason == "7 of 29 instruments repeat others and were left out"


def test_what_cannot_be_tested_says_why() -> None:
    frame = _simulate(40, 3)
    exact = estimate_dynamic(_design(frame, "y", ["x"]))
    assert "as many instruments as coefficients" in _diagnostic(exact, "hansen").reason
    assert "as many instruments as coefficients" in _diagnostic(exact, "sargan").reason
    assert _diagnostic(exact, "ar1").reason == "too few periods in a row"
    assert _diagnostic(exact, "ar2").reason == "too few periods in a row"
    system = estimate_dynamic(_design(frame, "y", ["x"]), transformation="system")
    assert "read hansen" in _diagnostic(system, "sargan").reason
    untested = [item for item in exact.diagnostics if item.name in {"hansen", "sargan", "ar2"}]
    assert all(np.isnan(item.value) and np.isnan(item.p_value) for item in untested)


def test_a_regressor_that_never_changes_is_estimated_in_a_system_only() -> None:
    frame = _simulate(80, 6)
    even = frame.index.get_level_values(1) % 2 == 0
    frame["kind"] = np.where(even, 0.1 + 0.2, 0.3) * (frame.index.get_level_values(0) % 2)
    with pytest.raises(ModelError, match="nothing left of kind beside the effects"):
        estimate_dynamic(_design(frame, "y", ["x", "kind"]))
    estimates = estimate_dynamic(_design(frame, "y", ["x", "kind"]), **IN_LEVELS, collapse=True)
    assert np.isfinite(estimates.std_errors).all()


def _constant(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(y=frame.groupby(level=0)["y"].transform("first"))


def _determined(frame: pd.DataFrame) -> pd.DataFrame:
    """Let y be 0.5·lag1_y + x without an error."""
    wide = frame["x"].to_numpy().reshape(40, 6)
    y = wide.copy()
    for t in range(1, 6):
        y[:, t] = 0.5 * y[:, t - 1] + wide[:, t]
    return frame.assign(y=y.ravel(), z=frame["z"])


BAD: dict[str, tuple[Any, Options, str]] = {
    "two periods": (lambda f: f[f.index.get_level_values(1) < 2002], {}, "enough periods in a row"),
    "every other year": (
        lambda f: f[f.index.get_level_values(1) % 2 == 0],
        {},
        "no change from a period to the next",
    ),
    "one entity": (lambda f: f.loc[[3]], {}, "1 entities"),
    "few entities": (lambda f: f.loc[:6], {}, "7 entities .or clusters. for 7 coefficients"),
    "constant outcome": (_constant, {}, "no change from a period to the next"),
    "exact outcome": (_determined, {}, "determine exactly"),
    "collinear": (lambda f: f.assign(z=2 * f["x"]), {}, "nothing left of z"),
    "period only": (
        lambda f: f.assign(z=f.index.get_level_values(1) / 7),
        {},
        "nothing left of z",
    ),
    "missing": (lambda f: f.assign(x=f["x"].where(f["x"] > -2)), {}, "'x': values that are miss"),
    "missing whole number": (
        lambda f: f.assign(x=f["x"].round().astype("Int64").where(f["x"] > -2)),
        {},
        "'x': values that are missing",
    ),
    "infinite": (lambda f: f.assign(y=f["y"].where(f["y"] > 0, np.inf)), {}, "'y': values that"),
    "text": (lambda f: f.assign(x=f["x"].astype(str)), {}, "'x': values that are missing"),
    "offset": (lambda f: f.assign(y=f["y"] + 1e9), {}, "times the standard deviation"),
    "repeated": (lambda f: pd.concat([f, f.loc[[3]]]), {}, "an entity twice in a period"),
    "nobody": (lambda f: f.iloc[:0], {}, "no row"),
    "no instrument": (lambda f: f, {"gmm": {"y": None}}, "do not tell 7 coefficients apart"),
    "too deep": (
        lambda f: f,
        {"gmm": {"y": (9, None), "x": None, "z": None}},
        "do not tell 7 coefficients apart",
    ),
    "early lag": (lambda f: f, {"gmm": {"y": (1, None)}}, "correlated with the differenced"),
    "no reach": (lambda f: f, {"gmm": {"z": (3, 2)}}, "the first not after the last"),
    "unknown": (lambda f: f, {"gmm": {"w": (1, 2)}}, "'gmm' names the outcome and regressors"),
    "unknown lag": (lambda f: f, {"regressor_lags": {"w": 1}}, "'regressor_lags' names regr"),
    "negative lag": (lambda f: f, {"regressor_lags": {"x": -1}}, "counts from 0"),
    "no lag": (lambda f: f, {"lags": 0}, "'lags' is a whole number from 1"),
    "three steps": (lambda f: f, {"steps": 3}, "'steps' is 1 or 2"),
    "levels": (lambda f: f, {"transformation": "levels"}, "'difference' or 'system'"),
    "long lags": (lambda f: f, {"lags": 5}, "enough periods in a row"),
    "named twice": (
        lambda f: f.rename(columns={"z": "lag1_x"}),
        {"regressor_lags": {"x": 1}},
        "two terms named lag1_x",
    ),
}


@pytest.mark.parametrize("name", list(BAD))
def test_what_cannot_be_estimated_is_refused(name: str) -> None:
    spoil, options, message = BAD[name]
    frame = spoil(_simulate(40, 6))
    regressors = [column for column in frame.columns if column != "y"]
    with pytest.raises(ModelError, match=message):
        estimate_dynamic(_design(frame, "y", regressors), **options)


def test_designs_that_do_not_fit_are_refused() -> None:
    design = _design(_simulate(40, 6), "y", ["x", "z"])
    index = design.outcome.index
    finer = pd.Series(np.arange(len(index)), index)
    with pytest.raises(ModelError, match="changes within an entity"):
        estimate_dynamic(replace(design, clusters=finer))
    sectors = design.effects.assign(sector_year=finer % 5)
    with pytest.raises(ModelError, match="effect 'sector_year'"):
        estimate_dynamic(replace(design, effects=sectors))
    halves = design.effects.assign(time=index.get_level_values(1) // 2)
    with pytest.raises(ModelError, match="effect 'time'"):
        estimate_dynamic(replace(design, effects=halves))
    shorter = design.regressors.iloc[1:]
    with pytest.raises(ModelError, match="columns of other rows"):
        estimate_dynamic(replace(design, regressors=shorter))
    dates = pd.MultiIndex.from_arrays([index.get_level_values(0), finer.astype(str)])
    with pytest.raises(ModelError, match="whole numbers as time"):
        estimate_dynamic(replace(design, outcome=design.outcome.set_axis(dates)))


def test_long_panels_are_asked_to_collapse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evidence.models.designs.dynamic.MOST_CELLS", 3000)
    design = _design(_simulate(40, 6), "y", ["x", "z"])
    with pytest.raises(ModelError, match="Collapse the instruments"):
        estimate_dynamic(design)
    assert estimate_dynamic(design, collapse=True, gmm={"y": (2, 3)}).nobs == 160


def test_no_clusters_mean_entities() -> None:
    design = _design(_simulate(40, 6), "y", ["x", "z"])
    without = estimate_dynamic(replace(design, clusters=None))
    assert without.n_clusters == 40
    assert without.std_errors.tolist() == estimate_dynamic(design).std_errors.tolist()
