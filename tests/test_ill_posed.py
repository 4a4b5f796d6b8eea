"""Bad inputs end in the right number or in a refusal that names them and says what to do.

The cases are those of the survey of statsmodels, linearmodels and pyfixest: 60 factories
in six years, and what comes in from questionnaires. Each goes to the estimator itself;
those that a study can hold go through ``fit`` as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from evidence.errors import EvidenceError, ModelError, PanelError
from evidence.models import fit
from evidence.models.design import Design, Estimates, tabulate_estimates
from evidence.models.kernel.least_squares import estimate_least_squares
from evidence.panel import Panel
from samples import declare, make_panel, specify

Floats = npt.NDArray[np.float64]
Change = Callable[[pd.DataFrame], pd.DataFrame]

SAME = 1e-9
"""Relative; reason: both sides centre before they take effects out, 1e-13 is lost in sums."""

SEEN_EXPECTED_DO = re.compile(r".+: .+; expected .+\. [A-Z].+\.$", re.DOTALL)
"""Every refusal says where, what was seen, what was expected, and what to do."""


def _draw() -> pd.DataFrame:
    """Draw y = x + z/2 + factory + year + noise for 60 factories in 2018 to 2023."""
    rng = np.random.default_rng(0)
    grid = [(factory, year) for factory in range(60) for year in range(2018, 2024)]
    frame = pd.DataFrame(grid, columns=["factory", "year"])
    own, shift = rng.normal(size=60)[frame["factory"]], rng.normal(size=6)[frame["year"] - 2018]
    frame["x"] = rng.normal(size=360) + 0.5 * own
    frame["z"] = rng.normal(size=360)
    frame["y"] = frame["x"] + 0.5 * frame["z"] + own + shift + rng.normal(size=360)
    frame["cluster"] = frame["factory"]
    return frame


def _put(name: str, values: Callable[[pd.DataFrame], Any]) -> Change:
    return lambda frame: frame.assign(**{name: values(frame)})


def _spoil(name: str, value: object, share: int = 60) -> Change:
    """Put a value in every so manieth row."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        rows = np.arange(len(frame)) % share == 3
        column = frame[name].astype(object) if isinstance(value, str) else frame[name]
        return frame.assign(**{name: column.mask(rows, value)})

    return change


def _noise(size: int) -> Floats:
    return np.random.default_rng(9).normal(size=size)


def _once(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[(frame["factory"] >= 20) | (frame["year"] == 2018)]


def _thin(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sample(frac=0.6, random_state=2)


def _double_name(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame, frame["x"] ** 2], axis=1)


def _lone_country(frame: pd.DataFrame) -> pd.DataFrame:
    """Treat one of two countries from 2021 on: no score of a cluster is left."""
    country = frame["factory"] % 2
    return frame.assign(x=1.0 * (country * (frame["year"] > 2020)), cluster=country)


NUMBERS: dict[str, Change] = {
    "00 clean": lambda frame: frame,
    "09 z in millionths of a millionth": _put("z", lambda frame: frame["z"] * 1e12),
    "10 x in millions of millions": _put("x", lambda frame: frame["x"] * 1e-12),
    "10 all of x, z and y tiny": lambda frame: frame.assign(
        x=frame["x"] * 1e-60, z=frame["z"] * 1e-60, y=frame["y"] * 1e-60
    ),
    "11 x with an offset of 1e9": _put("x", lambda frame: frame["x"] + 1e9),
    "11 y with an offset of 1e9": _put("y", lambda frame: frame["y"] + 1e9),
    "12 twenty factories seen once": _once,
    "14 two clusters": _put("cluster", lambda frame: frame["factory"] % 2),
    "15 four clusters": _put("cluster", lambda frame: frame["factory"] % 4),
    "19 ten factories twice": lambda frame: pd.concat([frame, frame[frame["factory"] < 10]]),
    "26 nullable without a gap": _put("x", lambda frame: frame["x"].astype("Float64")),
    "27 a bool": _put("x", lambda frame: frame["x"] > 0),
    "28 text for factory and year": lambda frame: frame.astype(
        {"factory": str, "year": str, "cluster": str}
    ),
    "28 categories": lambda frame: frame.astype({"factory": "category", "year": "category"}),
    "30 float32 with an offset of 1e6": lambda frame: frame.assign(x=frame["x"] + 1e6).astype(
        {"x": "float32", "z": "float32", "y": "float32"}
    ),
    "31 int8, the square has overflowed": lambda frame: frame.assign(
        x=(frame["x"] * 20).astype("int8"), z=(frame["x"] * 20).astype("int8") ** 2
    ),
    "34 six rows of ten, in no order": _thin,
    "35 an outlier of 1e6": _put("y", lambda frame: frame["y"].mask(frame.index == 100, 1e6)),
    "36 clusters across factories": _put(
        "cluster", lambda frame: np.random.default_rng(1).integers(0, 8, len(frame))
    ),
    "37 a sentinel of -999": _spoil("x", -999.0, 20),
}
"""Cases that end in the number of the dense computation.

A package cannot know that 19, 31, 35 and 37 are wrong: keys and declared ranges are checked in
other rooms.
"""

REFUSED: dict[str, tuple[Change, str]] = {
    "01 z is 2x": (_put("z", lambda frame: 2 * frame["x"]), "x, z.*combination"),
    "02 z is x to 1e-9": (
        _put("z", lambda frame: frame["x"] + 1e-9 * _noise(len(frame))), "x, z.*combination",
    ),
    "03 z is 5": (_put("z", lambda frame: 5.0), r"nothing is left of z "),
    "04 z never changes in a factory": (
        _put("z", lambda frame: frame["factory"] % 7), r"nothing is left of z .*factory",
    ),
    "04 z is the year": (_put("z", lambda frame: frame["year"] ** 2), r"left of z .*year"),
    "05 z all missing": (_put("z", lambda frame: np.nan), "360 values of z that are missing"),
    "06 a third of x missing": (_spoil("x", np.nan, 3 + 1), "90 values of x that are missing"),
    "07 x infinite": (_spoil("x", np.inf, 360), "1 values of x that are missing or infinite"),
    "07 x minus infinite": (_spoil("x", -np.inf, 360), "1 values of x that are missing or inf"),
    "08 y infinite": (_spoil("y", np.inf, 360), "1 values of the outcome that are missing or"),
    "08 y missing": (_spoil("y", np.nan), "6 values of the outcome that are missing"),
    "09 x beyond doubles": (_put("x", lambda frame: frame["x"] * 1e200), "too large"),
    "13 one cluster": (_put("cluster", lambda frame: "all"), "a single cluster"),
    "16 a single year": (lambda frame: frame[frame["year"] == 2018], "no row left of 60"),
    "17 a single factory": (lambda frame: frame[frame["factory"] == 3], "no row left of 6"),
    "18 four rows": (
        lambda frame: frame[(frame["factory"] < 2) & (frame["year"] < 2020)],
        "4 rows for 5 param|x, z.*combination",
    ),
    "20 y constant": (_put("y", lambda frame: 3.0), "outcome"),
    "21 x zero": (_put("x", lambda frame: 0), r"nothing is left of x "),
    "22 cluster missing": (_spoil("cluster", np.nan, 36), "10 rows without a cluster"),
    "22 cluster missing in text": (
        lambda frame: frame.assign(
            cluster=frame["factory"].astype(str).mask(frame.index % 36 == 0)
        ),
        "10 rows without a cluster",
    ),
    "22 cluster missing in Int64": (
        lambda frame: frame.assign(
            cluster=frame["factory"].astype("Int64").mask(frame.index % 36 == 0)
        ),
        "10 rows without a cluster",
    ),
    "23 factory missing": (_spoil("factory", np.nan, 36), "10 rows without factory"),
    "24 y is text": (_put("y", lambda frame: frame["y"].astype(str)), "y of type .*numbers"),
    "25 x has thousands": (_spoil("x", "1,234"), "x of type .*numbers"),
    "26 Float64 with a gap": (
        lambda frame: frame.assign(x=frame["x"].astype("Float64").mask(frame.index % 60 == 3)),
        "x",
    ),
    "26 dates": (_put("x", lambda frame: pd.to_datetime(frame["year"].astype(str))), "x of type"),
    "26 complex": (_put("x", lambda frame: frame["x"] + 1j), "x of type complex"),
    "29 no row": (lambda frame: frame.head(0), "no row"),
    "33 x twice": (_double_name, "the regressors .*x.*each name once"),
}  # fmt: skip
"""Cases that end in a refusal, with words that it has to hold."""

POOLED_REFUSED: dict[str, tuple[Change, str]] = {
    "03 z is 5 beside a constant": (_put("z", lambda frame: 5.0), "z, constant.*combination"),
    "01 z is 2x": (_put("z", lambda frame: 2 * frame["x"]), "x, z.*combination"),
    "13 one cluster": (_put("cluster", lambda frame: 1), "a single cluster"),
    "18 two rows": (lambda frame: frame.head(2), "2 rows for 3 parameters|combination"),
    "20 y constant": (_put("y", lambda frame: 3.0), "outcome"),
    "21 x zero": (_put("x", lambda frame: 0.0), "x"),
    "05 z all missing": (_put("z", lambda frame: np.nan), "360 values of z that are missing"),
    "29 no row": (lambda frame: frame.head(0), "no row"),
}


def _design(frame: pd.DataFrame, effects: tuple[str, ...] = ("factory", "year")) -> Design:
    names = [name for name in frame.columns if name in {"x", "z", "constant"}]
    chosen = frame.loc[:, [name in names for name in frame.columns]]
    return Design(frame["y"], chosen, frame[list(effects)], frame["cluster"], "sample")


def _drop_once(frame: pd.DataFrame, effects: tuple[str, ...]) -> pd.DataFrame:
    while True:
        alone = [frame.groupby(name)["y"].transform("size") == 1 for name in effects]
        gone = pd.concat(alone, axis=1).any(axis=1)
        if not gone.any():
            return frame
        frame = frame[~gone]


def _to_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    names = ["x", "z", "y"]
    labels = {name: pd.factorize(frame[name])[0] for name in ("factory", "year", "cluster")}
    return frame.assign(**labels).astype(dict.fromkeys(names, "float64")).reset_index(drop=True)


def _dense(frame: pd.DataFrame, effects: tuple[str, ...]) -> tuple[Floats, Floats]:
    """Compute coefficients and fixest's errors with dummies, each column standardised first."""
    data = _drop_once(_to_numbers(frame), effects)
    values = data[["y", "x", "z"]].to_numpy()
    values = values - values.mean(axis=0)
    scale = values.std(axis=0)
    dummies = np.hstack([pd.get_dummies(data[name]).to_numpy(dtype=float) for name in effects])
    basis, roots, _ = np.linalg.svd(dummies, full_matrices=False)
    basis = basis[:, roots > 1e-10 * roots[0]]
    left = values / scale
    for _ in range(2):
        left = left - basis @ (basis.T @ left)
    q, r = np.linalg.qr(left[:, 1:])
    beta = np.linalg.solve(r, q.T @ left[:, 0])
    scores = q * (left[:, 0] - left[:, 1:] @ beta)[:, None]
    sums = pd.DataFrame(scores).groupby(data["cluster"].to_numpy()).sum().to_numpy()
    groups, n = len(sums), len(data)
    inside = [(data.groupby(name)["cluster"].nunique() == 1).all() for name in effects]
    counted = [
        data[name].nunique() - 1 for name, nested in zip(effects, inside, strict=True) if not nested
    ]
    factor = groups / (groups - 1) * (n - 1) / (n - 3 - sum(counted))
    influence = np.linalg.solve(r, sums.T)
    rescale = scale[0] / scale[1:]
    return beta * rescale, np.sqrt(factor * (influence**2).sum(axis=1)) * rescale


def _assert_right(ours: Estimates, frame: pd.DataFrame, effects: tuple[str, ...]) -> None:
    beta, errors = _dense(frame, effects)
    assert ours.coefficients == pytest.approx(beta, rel=SAME)
    assert ours.std_errors == pytest.approx(errors, rel=10 * SAME)
    clusters = _drop_once(frame, effects)["cluster"].nunique()
    assert (ours.n_clusters, ours.df) == (clusters, clusters - 1)


@pytest.mark.parametrize("case", NUMBERS)
@pytest.mark.parametrize("effects", [("factory",), ("factory", "year")], ids=["one", "two"])
def test_the_number_is_that_of_centred_dummies(case: str, effects: tuple[str, ...]) -> None:
    frame = NUMBERS[case](_draw())
    ours = estimate_least_squares(_design(frame, effects))
    if case == "32 one treated factory" and effects == ("factory",):
        # The one factory's score is zero by the normal equations: z's scores are no error of x.
        assert np.isnan(ours.std_errors[0])
        assert "a single cluster carries it" in ours.diagnostics[-1].reason
        return
    _assert_right(ours, frame, effects)


@pytest.mark.parametrize("size", [1e3, 1e5, 1e6, 1e7, 1e8, 1e9, 1e12])
@pytest.mark.parametrize("name", ["x", "z", "y"])
@pytest.mark.parametrize("effects", [("factory",), ("factory", "year")], ids=["one", "two"])
def test_an_offset_costs_only_the_digits_that_the_column_lost(
    effects: tuple[str, ...], name: str, size: float
) -> None:
    """The dense computation sees the same rounded column, centred."""
    frame = _draw()
    frame[name] += size
    _assert_right(estimate_least_squares(_design(frame, effects)), frame, effects)


@pytest.mark.parametrize("size", [0.0, 1e6, 1e9])
def test_offsets_cost_nothing_where_clusters_cut_across_factories(size: float) -> None:
    frame = _draw()
    frame["cluster"] = np.random.default_rng(1).integers(0, 8, len(frame))
    frame[["x", "y"]] += size
    effects = ("factory", "year")
    _assert_right(estimate_least_squares(_design(frame, effects)), frame, effects)


@pytest.mark.parametrize("effects", [("factory",), ("factory", "year")], ids=["one", "two"])
def test_two_regressors_that_are_close_cost_only_their_errors_digits(
    effects: tuple[str, ...],
) -> None:
    """02, to 1e-5: the sandwich of cross products squares the condition of 2e5."""
    frame = _draw()
    frame["z"] = frame["x"] + 1e-5 * _noise(len(frame))
    ours = estimate_least_squares(_design(frame, effects))
    beta, errors = _dense(frame, effects)
    assert ours.coefficients == pytest.approx(beta, rel=SAME)
    assert ours.std_errors == pytest.approx(errors, rel=1e-5)


@pytest.mark.parametrize("case", REFUSED)
def test_the_refusal_names_what_is_wrong(case: str) -> None:
    change, words = REFUSED[case]
    with pytest.raises(ModelError, match=words) as caught:
        estimate_least_squares(_design(change(_draw())))
    assert SEEN_EXPECTED_DO.match(str(caught.value))
    assert str(caught.value).startswith("sample")


@pytest.mark.parametrize("case", POOLED_REFUSED)
def test_the_refusal_without_effects_names_what_is_wrong(case: str) -> None:
    change, words = POOLED_REFUSED[case]
    frame = change(_draw().assign(constant=1.0))
    with pytest.raises(ModelError, match=words) as caught:
        estimate_least_squares(_design(frame, ()))
    assert SEEN_EXPECTED_DO.match(str(caught.value))


def test_no_regressor_is_refused() -> None:
    frame = _draw().drop(columns=["x", "z"])
    with pytest.raises(ModelError, match="at least one"):
        estimate_least_squares(_design(frame))


def test_columns_of_unequal_length_are_refused() -> None:
    frame = _draw()
    design = replace(_design(frame), outcome=frame["y"].head(300))
    with pytest.raises(ModelError, match="300"):
        estimate_least_squares(design)


def test_two_clusters_have_one_degree_of_freedom() -> None:
    frame = NUMBERS["14 two clusters"](_draw())
    table = tabulate_estimates(estimate_least_squares(_design(frame))).set_index("term")
    # 12.7 is the 97.5th percentile of t with one degree of freedom; 1.96 would be six times less.
    reach = (table["conf_high"] - table["estimate"]) / table["std_error"]
    assert reach.to_numpy() == pytest.approx(12.706, abs=0.001)


def _treat_one(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(x=1.0 * ((frame["factory"] == 7) & (frame["year"] > 2020)))


def test_one_treated_factory_is_estimated_beside_years() -> None:
    """32: the years spread x over all factories; ``fit`` counts the treated, and withholds p."""
    frame, effects = _treat_one(_draw()), ("factory", "year")
    _assert_right(estimate_least_squares(_design(frame, effects)), frame, effects)


def test_one_treated_factory_has_no_error_without_years() -> None:
    """32: x is zero within every other factory, and its own residuals sum to nothing."""
    frame, effects = _treat_one(_draw()), ("factory",)
    ours = estimate_least_squares(_design(frame, effects))
    beta, errors = _dense(frame, effects)
    assert ours.coefficients == pytest.approx(beta, rel=SAME)
    assert np.isnan(ours.std_errors[0])
    assert ours.std_errors[1] == pytest.approx(errors[1], rel=10 * SAME)
    assert any("x" in entry.name and entry.reason for entry in ours.diagnostics)


def test_clusters_whose_scores_are_all_zero_infer_nothing() -> None:
    """14, one of two countries treated: an error of 1e-17 would be rounding, not an error."""
    frame = _lone_country(_draw()).drop(columns="z")
    table = tabulate_estimates(estimate_least_squares(_design(frame))).set_index("term")
    inferred = table.loc["x", ["std_error", "p_value", "conf_low", "conf_high"]]
    assert inferred.isna().all(), inferred.to_dict()
    assert np.isfinite(table["estimate"]["x"])


def test_an_outcome_that_effects_explain_has_a_zero_and_no_error() -> None:
    """20, y is the factory: nothing is left, so the coefficient is zero and nothing is inferred."""
    frame = _draw()
    estimates = estimate_least_squares(_design(frame.assign(y=frame["factory"] * 1.0)))
    assert np.abs(estimates.coefficients).max() < 1e-12
    assert np.isnan(estimates.std_errors).all()
    assert "nothing is left of the outcome" in estimates.diagnostics[-1].reason


def test_an_exact_fit_has_no_error_to_speak_of() -> None:
    """What is left is rounding: a p-value from it would be a number without meaning."""
    frame = _draw()
    frame["y"] = 2 * frame["x"] - frame["z"] + frame["factory"] + frame["year"]
    estimates = estimate_least_squares(_design(frame))
    assert estimates.coefficients == pytest.approx([2, -1], rel=SAME)
    assert np.isnan(estimates.std_errors).all() or (estimates.std_errors < 1e-9).all()


VARIABLES = (
    declare("factory", "entity", "factory"),
    declare("year", "time", "factory"),
    declare("country", "cluster", "country"),
    declare("y", "outcome", "factory-cycle"),
    declare("x", "exposure", "factory-cycle"),
    declare("z", "control", "factory-cycle"),
)
SPECIFICATIONS = (
    specify("two", "fixed_effects", "x", controls=["z"], effects=["entity", "time"]),
    specify("one", "fixed_effects", "x", controls=["z"], effects=["entity"]),
    specify(
        "country", "fixed_effects", "x", controls=["z"], effects=["entity", "time"],
        clusters="country",
    ),
)  # fmt: skip


def _to_raw(frame: pd.DataFrame) -> pd.DataFrame:
    names = [f"f{number:02d}" for number in frame["factory"]]
    country = [f"c{number % 12:02d}" for number in frame["factory"]]
    return frame.drop(columns="cluster").assign(factory=names, country=country)


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Panel:
    """Return the clean panel, gone through all rooms."""
    folder = tmp_path_factory.mktemp("ill")
    return make_panel(folder, _to_raw(_draw()), VARIABLES, SPECIFICATIONS)


@dataclass(frozen=True)
class _Told:
    """What ``fit`` has to say of x: a number, or a reason without a number."""

    number: bool
    p_value: bool = True
    reason: str = ""


def _recluster(groups: int) -> Change:
    return lambda data: data.assign(
        country=[f"c{int(name[1:]) % groups}" for name in data.index.get_level_values("entity")]
    )


def _entity(data: pd.DataFrame) -> npt.NDArray[np.int64]:
    return np.array([int(name[1:]) for name in data.index.get_level_values("entity")])


def _year(data: pd.DataFrame) -> npt.NDArray[np.int64]:
    return data.index.get_level_values("time").to_numpy()


FITTED: dict[str, tuple[str, Change, _Told]] = {
    "00 clean": ("two", lambda data: data, _Told(number=True)),
    "06 a third of x missing": ("two", _spoil("x", np.nan, 4), _Told(number=True)),
    "09 z times 1e12": ("two", _put("z", lambda data: data["z"] * 1e12), _Told(number=True)),
    "10 x times 1e-12": ("two", _put("x", lambda data: data["x"] * 1e-12), _Told(number=True)),
    "11 x plus 1e9": ("two", _put("x", lambda data: data["x"] + 1e9), _Told(number=True)),
    "11 x plus 1e9, one way": (
        "one", _put("x", lambda data: data["x"] + 1e9), _Told(number=True),
    ),
    "12 twenty factories seen once": (
        "two", lambda data: data[(_entity(data) >= 20) | (_year(data) == 2018)],
        _Told(number=True),
    ),
    "14 two clusters": ("country", _recluster(2), _Told(number=True)),
    "15 four clusters": ("country", _recluster(4), _Told(number=True)),
    "14 one of two countries treated": (
        "country",
        lambda data: _recluster(2)(
            data.assign(x=1.0 * ((_entity(data) % 2 == 1) & (_year(data) > 2020)))
        ),
        _Told(number=True, p_value=False, reason="fewer than two units"),
    ),
    "21 x zero": (
        "two", _put("x", lambda data: 0.0),
        _Told(number=False, p_value=False, reason="one and the same value"),
    ),
    "04 x never changes in a factory": (
        "two", lambda data: data.assign(x=_entity(data) % 7),
        _Told(number=False, p_value=False, reason="x never changes within an entity"),
    ),
    "32 one treated factory": (
        "two",
        lambda data: data.assign(x=1.0 * ((_entity(data) == 7) & (_year(data) > 2020))),
        _Told(number=True, p_value=False, reason="fewer than two units"),
    ),
    "34 six rows of ten": ("two", _thin, _Told(number=True)),
}  # fmt: skip

UNFIT: dict[str, tuple[str, Change, str]] = {
    "01 z is 2x": ("two", _put("z", lambda data: 2 * data["x"]), "x, z"),
    "02 z is x to 1e-9": (
        "two", _put("z", lambda data: data["x"] + 1e-9 * _noise(len(data))), "x, z",
    ),
    "03 z is 5": ("two", _put("z", lambda data: 5.0), "z has one and the same value"),
    "04 z never changes in a factory": (
        "two", lambda data: data.assign(z=_entity(data) % 7), "z never changes within an entity",
    ),
    "05 z all missing": ("two", _put("z", lambda data: np.nan), "no row with all of y, x, z"),
    "13 one cluster": ("country", _recluster(1), "a single country"),
    "16 a single year": ("two", lambda data: data[_year(data) == 2018], "no row"),
    "17 a single factory": ("two", lambda data: data[_entity(data) == 3], "no row"),
    "18 four rows": (
        "two", lambda data: data[(_entity(data) < 2) & (_year(data) < 2020)],
        "4 rows|more rows than|x, z.*combination",
    ),
    "20 y constant": ("two", _put("y", lambda data: 3.0), "y|outcome"),
    "22 country missing": (
        "country",
        lambda data: data.assign(country=data["country"].mask(np.arange(len(data)) % 36 == 0)),
        "10 rows without country",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FITTED)
def test_fit_gives_the_number_or_the_reason(panel: Panel, case: str) -> None:
    name, change, told = FITTED[case]
    data = change(panel.data)
    x = fit(replace(panel, data=data), name).estimates.set_index("term").loc["x"]
    assert np.isfinite(x["p_value"]) == told.p_value
    assert told.reason in x["reason"]
    assert bool(x["reason"]) == bool(told.reason)
    if told.number:
        rows = data.dropna().reset_index()
        frame = rows.assign(factory=rows["entity"], year=rows["time"], cluster=rows["entity"])
        effects = ("factory",) if name == "one" else ("factory", "year")
        assert x["estimate"] == pytest.approx(_dense(frame, effects)[0][0], rel=SAME)
    else:
        assert np.isnan(x["estimate"])


@pytest.mark.parametrize("case", UNFIT)
def test_fit_refuses_with_names_and_a_remedy(panel: Panel, case: str) -> None:
    name, change, words = UNFIT[case]
    with pytest.raises(EvidenceError, match=words) as caught:
        fit(replace(panel, data=change(panel.data)), name)
    assert SEEN_EXPECTED_DO.match(str(caught.value))


RAW: dict[str, tuple[Change, str]] = {
    "19 ten factories twice": (
        lambda frame: pd.concat([frame, frame.head(60)]),
        "repeat",
    ),
    "23 factory missing": (
        lambda frame: frame.assign(factory=frame["factory"].mask(frame.index % 36 == 0)),
        "factory",
    ),
    "25 x has thousands": (_spoil("x", "1,234"), "x"),
    "16 a single year": (lambda frame: frame[frame["year"] == 2018], "a single period"),
    "29 no row": (lambda frame: frame.head(0), "row"),
}


@pytest.mark.parametrize("case", RAW)
def test_a_raw_file_is_refused_before_it_is_estimated(tmp_path: Path, case: str) -> None:
    change, words = RAW[case]
    with pytest.raises(EvidenceError, match=words) as caught:
        make_panel(tmp_path, change(_to_raw(_draw())), VARIABLES, SPECIFICATIONS)
    assert SEEN_EXPECTED_DO.match(str(caught.value))


def test_an_infinite_exposure_is_refused_by_the_panel(tmp_path: Path) -> None:
    frame = _to_raw(_spoil("x", np.inf, 360)(_draw()))
    with pytest.raises((PanelError, EvidenceError), match="x"):
        make_panel(tmp_path, frame, VARIABLES, SPECIFICATIONS)
