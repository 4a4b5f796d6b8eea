"""Instrumental variables repeat R, printed examples and plain algebra; weak ones say so."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from linearmodels.datasets import card, mroz
from scipy import optimize, stats

from evidence.errors import ModelError
from evidence.models.design import Design, Diagnostic, Estimates, Floats
from evidence.models.designs.instruments import Method, estimate_iv
from evidence.models.kernel.absorb import absorb, code_effects

REFERENCE = Path(__file__).parent / "references" / "instruments.json"
"""Written by references/instruments.R: R 4.2.2, AER 1.2.10, estimatr 1.0.0, sandwich 3.0.2."""

SAME = 1e-9
"""Relative; reason: two orders of the same sums in double precision differ by about 1e-13,
projections stop at 1e-12, R's numbers are stored with 15 digits, and a wrong count in a
factor moves 1e-3 or more."""

METHODS: tuple[Method, ...] = ("2sls", "liml", "gmm")
BOTH = ["z1", "z2"]
REGIONS = [f"reg{number}" for number in range(662, 670)]


@cache
def _reference() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(REFERENCE.read_text(encoding="utf-8"))
    return found


def _panel() -> pd.DataFrame:
    frame = pd.DataFrame(_reference()["simulated"])
    return frame.set_index(["firm", "year"], drop=False).rename_axis(["entity", "time"])


def _design(
    frame: pd.DataFrame, *regressors: str, effects: str = "firm year", clusters: str = "buyer"
) -> Design:
    return Design(
        outcome=frame["y"],
        regressors=frame[list(regressors)],
        effects=frame[effects.split()],
        clusters=frame[clusters] if clusters else None,
        where="study.toml: specification 's'",
    )


def _load(source: Any, outcome: str) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame: pd.DataFrame = source.load()
    frame = frame.dropna(subset=[outcome]).astype(float).rename(columns={outcome: "y"})
    frame.index = pd.MultiIndex.from_arrays([range(len(frame)), [0] * len(frame)])
    return frame


def _find(estimates: Estimates, name: str) -> Diagnostic:
    return next(d for d in estimates.diagnostics if d.name == name)


def _dummies(frame: pd.DataFrame, *names: str) -> Floats:
    """Lay out a constant, named columns and dummies of firms and years."""
    effects = pd.get_dummies(frame[["firm", "year"]].astype(str), drop_first=True, dtype=float)
    return np.column_stack([np.ones(len(frame)), effects.to_numpy(), frame[list(names)].to_numpy()])


def _sandwich(frame: pd.DataFrame, right: Floats, errors: Floats) -> tuple[Floats, Floats]:
    """Compute the bread and the CR0 meat of buyers for scores of ``right``."""
    scores = pd.DataFrame(right * errors[:, None]).groupby(frame["buyer"].to_numpy()).sum()
    sums: Floats = scores.to_numpy(dtype="float64")
    bread: Floats = np.linalg.inv(right.T @ right).astype("float64")
    return bread, sums.T @ sums


def _factor(frame: pd.DataFrame, columns: int) -> float:
    """Compute G/(G−1)·(n−1)/(n−k): firms are nested in buyers, years and a constant count."""
    n, g = len(frame), frame["buyer"].nunique()
    return float(g / (g - 1) * (n - 1) / (n - (columns + 1 + 5)))


@pytest.mark.parametrize(
    ("kind", "regressors", "options"),
    [
        ("plain", ["w", "x"], {"effects": "", "clusters": ""}),
        ("clustered", ["w", "x"], {"effects": "", "clusters": "buyer"}),
        ("within_unadjusted", ["w", "x"], {"clusters": ""}),
        ("within_none", ["w", "x"], {}),
        ("two_none", ["w", "x", "x2"], {}),
    ],
)
def test_two_stage_least_squares_is_that_of_r(
    kind: str, regressors: list[str], options: dict[str, str]
) -> None:
    frame = _panel()
    found = estimate_iv(
        _design(frame, *regressors, **options),
        endogenous=tuple(regressors[1:]),
        instruments=frame[BOTH],
        small_sample="none" if kind.endswith("none") else "fixest",
    )
    expected = _reference()[kind]
    assert found.coefficients == pytest.approx(list(expected["estimate"].values()), rel=SAME)
    assert found.std_errors == pytest.approx(list(expected["std_error"].values()), rel=SAME)


def test_effects_nested_in_clusters_are_not_counted_and_years_are() -> None:
    frame = _panel()
    design = _design(frame, "w", "x")
    found = estimate_iv(design, endogenous=("x",), instruments=frame[BOTH])
    expected = np.array(list(_reference()["within_none"]["std_error"].values()))
    assert found.std_errors == pytest.approx(expected * _factor(frame, 2) ** 0.5, rel=SAME)
    assert (found.cov_type, found.small_sample, found.df) == ("CR1", "fixest", 11)


def test_effects_that_cross_clusters_are_counted() -> None:
    frame = _panel()
    frame["half"] = "h" + (frame["year"] % 7).astype(str)
    found = estimate_iv(
        _design(frame, "w", "x", clusters="half"), endogenous=("x",), instruments=frame[BOTH]
    )
    plain = estimate_iv(
        _design(frame, "w", "x", clusters="half"),
        endogenous=("x",),
        instruments=frame[BOTH],
        small_sample="none",
    )
    n, g = len(frame), 6
    factor = g / (g - 1) * (n - 1) / (n - (2 + 1 + 39))
    assert found.std_errors == pytest.approx(plain.std_errors * factor**0.5, rel=SAME)


def test_the_tests_without_clusters_are_those_of_r() -> None:
    frame = _panel()
    design = _design(frame, "w", "x", effects="", clusters="")
    found = estimate_iv(design, endogenous=("x",), instruments=frame[BOTH])
    expected = _reference()
    assert _find(found, "first_stage").value == pytest.approx(expected["weak"], rel=SAME)
    for name, there in (("durbin_wu_hausman", "wu_hausman"), ("overidentification", "sargan")):
        assert _find(found, name).value == pytest.approx(expected[there]["value"], rel=SAME)
        assert _find(found, name).p_value == pytest.approx(expected[there]["p_value"], rel=1e-7)


def test_the_first_stage_of_one_instrument_is_its_clustered_f_of_r() -> None:
    frame = _panel()
    found = estimate_iv(
        _design(frame, "w", "x", effects=""), endogenous=("x",), instruments=frame[["z1"]]
    )
    tested = _find(found, "first_stage")
    assert tested.value == pytest.approx(_reference()["one_instrument_f"], rel=SAME)
    assert tested.p_value == pytest.approx(stats.f.sf(tested.value, 1, 11), rel=SAME)
    assert tested.reason == ""
    assert _find(found, "overidentification").reason.startswith("exactly identified")


def test_the_effective_f_is_that_of_plain_algebra_with_dummies() -> None:
    """Montiel Olea and Pflueger (2013): π̂'Z'Zπ̂ over the trace of W₂, instruments orthonormal."""
    frame = _panel()
    found = estimate_iv(_design(frame, "w", "x"), endogenous=("x",), instruments=frame[BOTH])
    rest = _dummies(frame, "w")
    project = np.eye(len(frame)) - rest @ np.linalg.pinv(rest)
    z, x = project @ frame[BOTH].to_numpy(), project @ frame["x"].to_numpy()
    values, vectors = np.linalg.eigh(z.T @ z)
    z = z @ vectors / np.sqrt(values)
    slopes = z.T @ x
    _, meat = _sandwich(frame, z, x - z @ slopes)
    expected = slopes @ slopes / (np.trace(meat) * _factor(frame, 3))
    assert _find(found, "first_stage").value == pytest.approx(expected, rel=SAME)


def test_the_anderson_rubin_test_is_a_wald_test_of_the_instruments_in_the_reduced_form() -> None:
    frame = _panel()
    found = estimate_iv(_design(frame, "w", "x"), endogenous=("x",), instruments=frame[BOTH])
    tested = _find(found, "anderson_rubin")
    value = _anderson_rubin(frame, 0.0)
    assert tested.value == pytest.approx(value, rel=SAME)
    assert tested.p_value == pytest.approx(stats.f.sf(value, 2, 11), rel=1e-7)


def _anderson_rubin(frame: pd.DataFrame, effect: float) -> float:
    left, right = (frame["y"] - effect * frame["x"]).to_numpy(), _dummies(frame, "w", *BOTH)
    slopes = np.linalg.lstsq(right, left)[0]
    bread, meat = _sandwich(frame, right, left - right @ slopes)
    spread = _factor(frame, 3) * (bread @ meat @ bread)[-2:, -2:]
    return float(slopes[-2:] @ np.linalg.solve(spread, slopes[-2:])) / 2


def test_the_ends_of_the_anderson_rubin_set_are_effects_that_the_test_just_keeps() -> None:
    frame = _panel()
    found = estimate_iv(_design(frame, "w", "x"), endogenous=("x",), instruments=frame[BOTH])
    ends = [_find(found, f"anderson_rubin_{end}").value for end in ("low", "high")]
    limit = stats.f.ppf(0.95, 2, 11)
    assert ends[0] < found.coefficients[1] < ends[1]
    for end in ends:
        # Reason: brentq stops at 2e-12 of an angle; the statistic's slope is a few units.
        assert _anderson_rubin(frame, end) == pytest.approx(limit, rel=1e-8)


def test_the_residuals_of_the_first_stage_are_tested_in_the_equation() -> None:
    frame = _panel()
    found = estimate_iv(_design(frame, "w", "x"), endogenous=("x",), instruments=frame[BOTH])
    first = _dummies(frame, "w", *BOTH)
    residual = frame["x"] - first @ np.linalg.lstsq(first, frame["x"].to_numpy())[0]
    right = _dummies(frame.assign(left=residual), "w", "x", "left")
    slopes = np.linalg.lstsq(right, frame["y"].to_numpy())[0]
    bread, meat = _sandwich(frame, right, frame["y"].to_numpy() - right @ slopes)
    expected = slopes[-1] ** 2 / (_factor(frame, 3) * (bread @ meat @ bread)[-1, -1])
    assert _find(found, "durbin_wu_hausman").value == pytest.approx(expected, rel=SAME)


def test_limited_information_maximum_likelihood_is_that_of_plain_algebra() -> None:
    frame = _panel()
    design = _design(frame, "w", "x", clusters="")
    found = estimate_iv(design, endogenous=("x",), instruments=frame[BOTH], method="liml")
    right, z = _dummies(frame, "w", "x"), _dummies(frame, "w", *BOTH)
    left = np.eye(len(frame)) - z @ np.linalg.pinv(z)
    rest = _dummies(frame, "w")
    both = frame[["y", "x"]].to_numpy()
    before = both.T @ (both - rest @ np.linalg.lstsq(rest, both)[0])
    kappa = np.linalg.eigvals(np.linalg.solve(both.T @ left @ both, before)).min()
    weighted = right - kappa * (left @ right)
    expected = np.linalg.solve(weighted.T @ right, weighted.T @ frame["y"].to_numpy())
    # Reason for 1e-8: kappa is an eigenvalue of nearly equal matrices, and loses a digit.
    assert found.coefficients == pytest.approx(expected[-2:], rel=1e-8)


def test_two_step_gmm_and_its_j_are_those_of_plain_algebra() -> None:
    frame = _panel()
    design = _design(frame, "x")
    found = estimate_iv(
        design, endogenous=("x",), instruments=frame[BOTH], method="gmm", small_sample="none"
    )
    rest = _dummies(frame)
    project = np.eye(len(frame)) - rest @ np.linalg.pinv(rest)
    y, x, z = (project @ frame[names].to_numpy() for names in ("y", "x", BOTH))
    zx, weight = z.T @ x, np.linalg.inv(z.T @ z)
    first = (zx @ weight @ (z.T @ y)) / (zx @ weight @ zx)
    meat = _sandwich(frame, z, y - x * first)[1]
    weight = np.linalg.inv(meat)
    second = (zx @ weight @ (z.T @ y)) / (zx @ weight @ zx)
    moments = z.T @ (y - x * second)
    assert found.coefficients == pytest.approx([second], rel=SAME)
    tested = _find(found, "overidentification")
    assert tested.value == pytest.approx(float(moments @ weight @ moments), rel=1e-8)
    assert tested.p_value == pytest.approx(stats.chi2.sf(tested.value, 1), rel=SAME)
    final = _sandwich(frame, z, y - x * second)[1]
    pull = weight @ zx / (zx @ weight @ zx)
    assert found.std_errors == pytest.approx([np.sqrt(pull @ final @ pull)], rel=SAME)


def test_womens_wages_are_repeated_to_their_printed_digits() -> None:
    """Wooldridge, Introductory Econometrics, Examples 15.5, 15.7 and 15.8 (R² cut to .0009)."""
    frame = _load(mroz, "lwage")
    design = _design(frame, "educ", "exper", "expersq", effects="", clusters="")
    found = estimate_iv(design, endogenous=("educ",), instruments=frame[["motheduc", "fatheduc"]])
    errors = found.std_errors
    assert [f"{b:.3f}" for b in found.coefficients[:2]] == ["0.061", "0.044"]
    assert [f"{se:.4f}" for se in errors] == ["0.0314", "0.0134", "0.0004"]
    assert f"{_find(found, 'first_stage').value:.2f}" == "55.40"
    assert f"{_find(found, 'durbin_wu_hausman').value ** 0.5:.2f}" == "1.67"
    assert f"{_find(found, 'overidentification').value / 428:.4f}" == "0.0009"
    assert found.nobs == 428


def _college(frame: pd.DataFrame) -> Design:
    names = ["educ", "exper", "expersq", "black", "smsa", "south", "smsa66", *REGIONS]
    return _design(frame, *names, effects="", clusters="")


def test_returns_to_college_are_repeated_to_their_printed_digits() -> None:
    """Wooldridge, Example 15.4; the set as ivmodel (Kang et al. 2021) prints it for Card's data."""
    frame = _load(card, "lwage")
    found = estimate_iv(_college(frame), endogenous=("educ",), instruments=frame[["nearc4"]])
    assert (f"{found.coefficients[0]:.3f}", f"{found.std_errors[0]:.3f}") == ("0.132", "0.055")
    assert f"{_find(found, 'first_stage').value ** 0.5:.2f}" == "3.64"
    tested = _find(found, "anderson_rubin")
    assert (f"{tested.value:.3f}", f"{tested.p_value:.4f}") == ("5.415", "0.0200")
    assert f"{_find(found, 'anderson_rubin_low').value:.4f}" == "0.0248"
    assert f"{_find(found, 'anderson_rubin_high').value:.4f}" == "0.2848"
    assert found.nobs == 3010


def test_the_returns_move_when_one_row_does() -> None:
    frame = _load(card, "lwage")
    frame["y"] += np.where(np.arange(len(frame)) == 5, 100.0, 0.0)
    found = estimate_iv(_college(frame), endogenous=("educ",), instruments=frame[["nearc4"]])
    assert f"{found.coefficients[0]:.3f}" != "0.132"


@pytest.mark.parametrize("method", METHODS)
def test_an_irrelevant_instrument_says_so_and_its_set_has_no_end(method: Method) -> None:
    frame = _panel()
    frame["z1"] = np.random.default_rng(5).normal(size=len(frame))
    design = _design(frame, "w", "x")
    found = estimate_iv(design, endogenous=("x",), instruments=frame[["z1"]], method=method)
    first = _find(found, "first_stage")
    assert first.value < 10
    assert first.reason.startswith(f"weak instruments: effective F {first.value:.1f}, below 10")
    low, high = (_find(found, f"anderson_rubin_{end}") for end in ("low", "high"))
    assert (low.value, high.value) == (-np.inf, np.inf)
    assert low.reason == high.reason != ""


def test_a_set_without_end_names_what_is_excluded() -> None:
    """With one instrument the set is a quadratic's: both its roots stand in the reason."""
    frame = _panel()
    draw = np.random.default_rng(11)
    frame["z1"] = draw.normal(size=len(frame))
    frame["y"] = 2 * frame["z1"] + draw.normal(size=len(frame))
    found = estimate_iv(_design(frame, "x"), endogenous=("x",), instruments=frame[["z1"]])
    low = _find(found, "anderson_rubin_low")
    assert low.value == -np.inf
    assert low.reason.startswith("without end: only ")
    between = [
        float(word) for word in low.reason.split("only ")[1].split(" excluded")[0].split(" to ")
    ]
    rest = _dummies(frame)
    project = np.eye(len(frame)) - rest @ np.linalg.pinv(rest)
    z = project @ frame["z1"].to_numpy()
    y, x = project @ frame["y"].to_numpy(), project @ frame["x"].to_numpy()

    def over(effect: float) -> float:
        left = y - effect * x
        slope = (z @ left) / (z @ z)
        meat = _sandwich(frame, z[:, None], left - slope * z)[1][0, 0] / (z @ z) ** 2
        return float(slope**2 / (meat * _factor(frame, 1)) - stats.f.ppf(0.95, 1, 11))

    for end in between:
        exact = optimize.brentq(over, end - 0.01 * abs(end), end + 0.01 * abs(end))
        # Four digits are printed in the reason.
        assert end == pytest.approx(exact, rel=1e-3)


@pytest.mark.slow
def test_the_set_keeps_the_truth_as_often_as_it_says_where_instruments_are_weak() -> None:
    """Simulated: 400 draws, 60 clusters, first-stage F about 2, true effect 0.5."""
    draw, kept, draws = np.random.default_rng(1), 0, 400
    index = pd.MultiIndex.from_product([range(60), range(3)], names=["entity", "time"])
    clusters = pd.Series(index.get_level_values(0), index=index)
    for _ in range(draws):
        z, hidden, noise = draw.normal(size=(3, 180))
        x = 0.12 * z + hidden + 0.5 * noise
        y = 0.5 * x + 2 * hidden
        design = Design(
            outcome=pd.Series(y, index),
            regressors=pd.DataFrame({"x": x}, index),
            effects=pd.DataFrame(index=index),
            clusters=clusters,
        )
        found = estimate_iv(design, endogenous=("x",), instruments=pd.DataFrame({"z": z}, index))
        low, high = (_find(found, f"anderson_rubin_{end}") for end in ("low", "high"))
        gap = [float(n) for part in low.reason.split("only ")[1:] for n in part.split()[0:3:2]]
        excluded = bool(gap) and gap[0] < 0.5 < gap[1]
        kept += low.value <= 0.5 <= high.value and not excluded
    # Reason: three standard errors of 400 draws at 95 % are 3.3 points.
    assert kept / draws == pytest.approx(0.95, abs=0.033)


def test_instruments_that_contradict_each_other_leave_an_empty_set() -> None:
    frame = _panel()
    draw = np.random.default_rng(2)
    frame["x"] = frame["z1"] + frame["z2"] + 0.1 * draw.normal(size=len(frame))
    frame["y"] = frame["z1"] - frame["z2"] + 0.1 * draw.normal(size=len(frame))
    found = estimate_iv(_design(frame, "x"), endogenous=("x",), instruments=frame[BOTH])
    low = _find(found, "anderson_rubin_low")
    assert np.isnan(low.value)
    assert low.reason == "empty: the instruments contradict each other"
    assert _find(found, "overidentification").p_value < 0.05


def test_several_endogenous_regressors_have_the_first_stage_of_kleibergen_and_paap() -> None:
    frame = _panel()
    design = _design(frame, "w", "x", "x2")
    found = estimate_iv(design, endogenous=("x", "x2"), instruments=frame[BOTH])
    names = [d.name for d in found.diagnostics]
    assert "anderson_rubin_low" not in names
    assert np.isfinite(_find(found, "first_stage").value)
    weak = frame.assign(x2=frame["x"] + np.random.default_rng(0).normal(size=len(frame)))
    found = estimate_iv(
        _design(weak, "w", "x", "x2"), endogenous=("x", "x2"), instruments=weak[BOTH]
    )
    assert _find(found, "first_stage").reason.startswith("weak instruments: Kleibergen-Paap F")


def test_fewer_clusters_than_instruments_leave_reasons_in_place_of_tests() -> None:
    frame = _panel()
    frame["half"] = "h" + (frame["firm"] % 2).astype(str)
    found = estimate_iv(
        _design(frame, "x", clusters="half"), endogenous=("x",), instruments=frame[BOTH]
    )
    assert _find(found, "anderson_rubin").reason == "2 instruments, but only 1 degrees of freedom"
    assert _find(found, "overidentification").reason == "2 instruments, but only 2 clusters"
    assert np.isfinite(found.std_errors).all()


def test_rows_alone_in_an_effect_fall_out_and_are_counted() -> None:
    frame = _panel()
    lonely = frame.iloc[[0]].assign(firm=99, y=50.0)
    lonely.index = pd.MultiIndex.from_tuples([(99, 2001)], names=["entity", "time"])
    more = pd.concat([frame, lonely])
    plain = estimate_iv(_design(frame, "w", "x"), endogenous=("x",), instruments=frame[BOTH])
    found = estimate_iv(_design(more, "w", "x"), endogenous=("x",), instruments=more[BOTH])
    assert _find(found, "singletons").value == 1
    assert found.nobs == plain.nobs
    assert found.covariance == pytest.approx(plain.covariance, rel=SAME)


@pytest.mark.parametrize("mean", [1e5, 1e8])
def test_large_means_and_odd_units_cost_no_digits(mean: float) -> None:
    frame = _panel()
    plain = estimate_iv(_design(frame, "w", "x"), endogenous=("x",), instruments=frame[BOTH])
    moved = frame.assign(x=frame["x"] + mean, z1=1e9 * frame["z1"], y=1e-6 * frame["y"])
    found = estimate_iv(_design(moved, "w", "x"), endogenous=("x",), instruments=moved[BOTH])
    # A double at 1e8 keeps 8 digits behind the point: that much is lost before any fit.
    assert 1e6 * found.coefficients == pytest.approx(plain.coefficients, rel=1e-6)
    for one, other in zip(found.diagnostics, plain.diagnostics, strict=True):
        unit = 1e6 if one.name.startswith("anderson_rubin_") else 1.0
        assert unit * one.value == pytest.approx(other.value, rel=1e-5)


def test_effects_are_absorbed_as_dummies_are() -> None:
    frame = _panel()
    left = absorb(frame[["x", "z1"]].to_numpy(), code_effects(frame[["firm", "year"]]))
    dummies = _dummies(frame)
    columns = frame[["x", "z1"]].to_numpy()
    expected = columns - dummies @ np.linalg.lstsq(dummies, columns)[0]
    assert left == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize(
    ("endogenous", "instruments", "message"),
    [
        (("x", "x2"), ["z1"], "1 instruments of 2 endogenous .*under-identified"),
        (("x",), [], "0 instruments of 1 endogenous"),
        ((), ["z1"], "endogenous nothing"),
        (("q",), ["z1"], "endogenous q; expected regressors, of w, x, x2"),
        (("x",), ["w", "z1"], "w twice"),
        (("x",), ["z1", "z1"], "z1 twice"),
        (("x",), ["same"], "repeat one of x"),
        (("x",), ["fixed"], "nothing of fixed is left once the effects are taken out"),
        (("x",), ["flat"], "flat with one and the same value"),
        (("x",), ["text"], "columns that are no numbers"),
        (("x",), ["holes"], "missing or infinite values"),
        (("x",), ["z1", "double"], "without variation of its own"),
        (("x",), ["unrelated"], "no relation of the instruments with x: under-identified"),
    ],
)
def test_instruments_that_cannot_work_are_refused_in_words(
    endogenous: tuple[str, ...], instruments: list[str], message: str
) -> None:
    frame = _panel()
    rest = _dummies(frame, "w", "x", "x2")
    noise = np.random.default_rng(0).normal(size=len(frame))
    added = frame.assign(
        same=2 * frame["x"] + 3,
        fixed=frame["firm"] ** 0.5,
        flat=1.0,
        text=frame["z1"].astype(str),
        holes=frame["z1"].where(frame["z1"] > 0),
        double=frame["z1"] - frame["w"],
        unrelated=noise - rest @ np.linalg.lstsq(rest, noise)[0],
    )
    with pytest.raises(ModelError, match=rf"specification 's'.*{message}"):
        estimate_iv(
            _design(frame, "w", "x", "x2"), endogenous=endogenous, instruments=added[instruments]
        )


def test_other_methods_and_conventions_are_refused() -> None:
    frame = _panel()
    design = _design(frame, "w", "x")
    with pytest.raises(ModelError, match="method 'ols'; expected 2sls, liml or gmm"):
        estimate_iv(design, endogenous=("x",), instruments=frame[BOTH], method="ols")  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="small sample: 'stata'"):
        estimate_iv(design, endogenous=("x",), instruments=frame[BOTH], small_sample="stata")  # type: ignore[arg-type]


def test_instruments_of_other_rows_are_refused() -> None:
    frame = _panel()
    with pytest.raises(ModelError, match="instruments: parts with other rows"):
        estimate_iv(_design(frame, "w", "x"), endogenous=("x",), instruments=frame[BOTH].iloc[::-1])


def test_rows_without_a_label_of_an_effect_are_refused() -> None:
    frame = _panel()
    design = _design(frame, "w", "x")
    effects = design.effects.astype(float).where(design.effects["year"] != 2003)
    with pytest.raises(ModelError, match="effects without a label"):
        estimate_iv(replace(design, effects=effects), endogenous=("x",), instruments=frame[BOTH])
