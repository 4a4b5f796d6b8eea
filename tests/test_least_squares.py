"""Absorbed least squares repeats linearmodels, R, pyfixest and plain matrix algebra."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from linearmodels.iv.absorbing import AbsorbingLS
from linearmodels.panel import PanelOLS

from evidence.errors import ModelError
from evidence.models.design import Design, Estimates, tabulate_estimates
from evidence.models.kernel.conventions import SmallSample
from evidence.models.kernel.least_squares import estimate_least_squares

Floats = npt.NDArray[np.float64]

REFERENCES = Path(__file__).parent / "references"

SAME = 1e-9
"""Relative, of coefficients; reason: the order of sums costs about 1e-13, R's and pyfixest's
numbers are stored with 15 digits or more, linearmodels' dummies cost up to 1e-11."""

SAME_ERROR = 1e-8
"""Relative, of standard errors; reason: as above once more through the inverse; one wrong
count in a factor moves 1e-4 or more in these panels."""

TERMS = ["x", "count", "treated"]

PYFIXEST = (
    "one_way_by_firm", "two_way_by_firm", "two_way_by_buyer", "two_way_by_market",
    "three_way_by_buyer", "two_way_by_firm_and_year", "two_way_by_buyer_and_market",
    "two_way_unadjusted", "pooled_by_buyer",
)  # fmt: skip
ESTIMATR = (
    "one_way_by_firm", "two_way_by_firm", "two_way_by_buyer", "two_way_by_market",
    "three_way_by_buyer", "pooled_by_buyer",
)  # fmt: skip
EFFECTS = {"one": ["firm"], "two": ["firm", "year"], "three": ["firm", "year", "line"]}


@cache
def _stored(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((REFERENCES / name).read_text(encoding="utf-8"))
    return found


@cache
def _simulated() -> pd.DataFrame:
    """Read the panel that references/least_squares_simulate.py has drawn."""
    return pd.read_csv(REFERENCES / "least_squares_simulated.csv")


def _draw(firms: int = 80, years: int = 7, *, seed: int = 3) -> pd.DataFrame:
    """Draw an unbalanced panel with gaps, five firms seen once and a market that moves."""
    rng = np.random.default_rng(seed)
    grid = [(firm, 2000 + year) for firm in range(firms) for year in range(years)]
    frame = pd.DataFrame(grid, columns=["firm", "year"])
    own = rng.normal(size=firms)[frame["firm"]]
    frame["buyer"] = frame["firm"] % 11
    frame["market"] = rng.integers(0, 9, len(frame))
    frame["line"] = rng.integers(0, 6, len(frame))
    frame["x"] = own + rng.normal(size=len(frame))
    frame["count"] = rng.poisson(4, len(frame))
    frame["treated"] = rng.random(len(frame)) + 0.1 * frame["year"] > 200.8
    frame["y"] = 0.5 * frame["x"] + own + 0.1 * frame["year"] + rng.normal(size=len(frame))
    keep = rng.random(len(frame)) > 0.2
    once = frame["firm"] < 5
    return frame[(keep & ~once) | (once & (frame["year"] == 2003))].reset_index(drop=True)


def _shuffle(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sample(frac=1, random_state=5)


def _label(frame: pd.DataFrame) -> pd.DataFrame:
    """Give firms names whose order is not that of their numbers."""
    return frame.assign(firm=[f"firm {-number % 97}" for number in frame["firm"]])


ARRANGED = {"sorted": lambda frame: frame, "shuffled": _shuffle, "labelled": _label}


def _design(
    frame: pd.DataFrame,
    effects: Iterable[str],
    clusters: str | None,
    terms: Iterable[str] = TERMS,
) -> Design:
    return Design(
        outcome=frame["y"],
        regressors=frame[list(terms)],
        effects=frame[list(effects)],
        clusters=None if clusters is None else frame[clusters],
    )


def _pooled(frame: pd.DataFrame, clusters: str | None) -> Design:
    return _design(frame.assign(constant=1.0), [], clusters, [*TERMS, "constant"])


def _panel_ols(frame: pd.DataFrame, way: str, clusters: str | None, **options: bool) -> Any:
    """Fit linearmodels' PanelOLS; its index wants numbers."""
    data = frame.assign(firm=pd.factorize(frame["firm"])[0]).set_index(["firm", "year"])
    model = PanelOLS(
        data["y"],
        data[TERMS].astype("float64"),
        entity_effects=True,
        time_effects=way == "two",
    )
    if clusters is None:
        return model.fit(cov_type="unadjusted")
    codes = pd.factorize(frame[clusters])[0]
    groups = pd.DataFrame({"clusters": codes}, index=data.index)
    return model.fit(cov_type="clustered", clusters=groups, **options)


def _drop_once(frame: pd.DataFrame, effects: list[str]) -> pd.DataFrame:
    """Drop rows alone in a level until there are none, a level at a time."""
    while True:
        alone = [frame.groupby(name)["y"].transform("size") == 1 for name in effects]
        gone = pd.concat(alone, axis=1).any(axis=1)
        if not gone.any():
            return frame
        frame = frame[~gone]


def _lay_out(frame: pd.DataFrame, effects: list[str], terms: list[str] = TERMS) -> Floats:
    """Lay out centred regressors and a dummy for each level of each effect."""
    regressors = frame[terms].to_numpy(dtype=float)
    parts = [regressors - regressors.mean(axis=0)]
    parts += [pd.get_dummies(frame[name]).to_numpy(dtype=float) for name in effects]
    return np.hstack(parts)


def _scores(
    frame: pd.DataFrame, effects: list[str], terms: list[str] = TERMS
) -> tuple[Floats, Floats, Floats]:
    """Give coefficients (K,), their bread (K × K) and scores (n × K) with dense dummies."""
    columns = _lay_out(frame, effects, terms)
    outcome = frame["y"].to_numpy(dtype=float)
    inverse = np.linalg.pinv(columns, rcond=1e-12)
    beta = inverse @ outcome
    left = outcome - columns @ beta
    wanted = len(terms)
    bread = inverse[:wanted] @ inverse[:wanted].T
    within = np.linalg.solve(bread, inverse[:wanted]).T
    return beta[:wanted], bread, within * left[:, None]


def _is_inside(frame: pd.DataFrame, effect: str, clusters: str) -> bool:
    return bool((frame.groupby(effect)[clusters].nunique() == 1).all())


def _count_fixest(frame: pd.DataFrame, effects: list[str], clusters: list[str]) -> int:
    """Count regressors and effects, those inside any dimension of clusters once together."""
    counted = [
        frame[name].nunique() - 1
        for name in effects
        if not any(_is_inside(frame, name, cluster) for cluster in clusters)
    ]
    return len(TERMS) + 1 + sum(counted)


def _dense(
    frame: pd.DataFrame, effects: list[str], clusters: list[str], *, convention: str = "fixest"
) -> tuple[Floats, Floats, int]:
    """Give coefficients, clustered errors and the count of clusters by matrix algebra."""
    data = _drop_once(frame, effects) if convention == "fixest" else frame
    beta, bread, scores = _scores(data, effects)
    k = _count_fixest(data, effects, clusters)
    if convention == "stata":
        k = len(TERMS) + 1 + sum(data[name].nunique() - 1 for name in effects)
    table = pd.DataFrame(scores, index=data.index)
    by = [[name] for name in clusters] + ([clusters] if len(clusters) > 1 else [])
    sums = [table.groupby([data[name] for name in names]).sum().to_numpy() for names in by]
    squares = [part.T @ part for part in sums]
    meat = squares[0] if len(by) == 1 else squares[0] + squares[1] - squares[2]
    groups, n = min(len(part) for part in sums[: len(clusters)]), len(data)
    factor = groups / (groups - 1) * (n - 1) / (n - k)
    return beta, np.sqrt(np.diag(factor * bread @ meat @ bread)), groups


def _agree(ours: Estimates, estimate: npt.ArrayLike, std_error: npt.ArrayLike) -> None:
    assert ours.coefficients[:3] == pytest.approx(np.asarray(estimate), rel=SAME)
    assert ours.std_errors[:3] == pytest.approx(np.asarray(std_error), rel=SAME_ERROR)


def _numbers(stored: dict[str, dict[str, float]], name: str) -> list[float]:
    return [stored[name][term] for term in TERMS]


@pytest.mark.parametrize("arranged", ARRANGED)
@pytest.mark.parametrize("clusters", ["firm", "buyer", "market"])
@pytest.mark.parametrize("way", ["one", "two"])
def test_default_panel_ols_is_repeated(way: str, clusters: str, arranged: str) -> None:
    frame = ARRANGED[arranged](_draw())
    theirs = _panel_ols(frame, way, clusters)
    ours = estimate_least_squares(
        _design(frame, EFFECTS[way], clusters), small_sample="linearmodels"
    )
    _agree(ours, theirs.params, theirs.std_errors)
    assert ours.df == theirs.df_resid
    assert ours.nobs == theirs.nobs
    assert tabulate_estimates(ours)["p_value"].to_numpy() == pytest.approx(
        theirs.pvalues.to_numpy(), rel=1e-6
    )


@pytest.mark.parametrize("arranged", ARRANGED)
@pytest.mark.parametrize("clusters", ["firm", "buyer", "market"])
@pytest.mark.parametrize("way", ["one", "two"])
def test_panel_ols_with_group_debias_is_repeated(way: str, clusters: str, arranged: str) -> None:
    frame = ARRANGED[arranged](_draw())
    counted = {"group_debias": True, "auto_df": False, "count_effects": True}
    theirs = _panel_ols(frame, way, clusters, **counted)
    ours = estimate_least_squares(_design(frame, EFFECTS[way], clusters), small_sample="stata")
    _agree(ours, theirs.params, theirs.std_errors)
    assert ours.df == frame[clusters].nunique() - 1


@pytest.mark.parametrize("way", ["one", "two"])
def test_unadjusted_panel_ols_is_repeated(way: str) -> None:
    frame = _shuffle(_draw())
    theirs = _panel_ols(frame, way, None)
    ours = estimate_least_squares(_design(frame, EFFECTS[way], None), small_sample="linearmodels")
    _agree(ours, theirs.params, theirs.std_errors)
    assert ours.df == theirs.df_resid
    assert (ours.cov_type, ours.n_clusters) == ("unadjusted", None)


def test_rows_of_more_than_one_block_give_what_panel_ols_gives() -> None:
    frame = _draw(6_000, 7, seed=8)
    assert len(frame) > 2 * 16_384
    theirs = _panel_ols(frame, "two", "firm")
    ours = estimate_least_squares(
        _design(frame, EFFECTS["two"], "firm"), small_sample="linearmodels"
    )
    _agree(ours, theirs.params, theirs.std_errors)


def test_absorbing_ls_with_three_effects_is_repeated() -> None:
    frame = _draw()
    absorbed = frame[EFFECTS["three"]].astype("category")
    model = AbsorbingLS(
        frame["y"], frame[TERMS].astype(float).assign(constant=1.0), absorb=absorbed
    )
    theirs = model.fit(cov_type="clustered", clusters=frame["buyer"], debiased=False)
    ours = estimate_least_squares(_design(frame, EFFECTS["three"], "buyer"), small_sample="stata")
    k = 3 + 1 + sum(frame[name].nunique() - 1 for name in EFFECTS["three"])
    n, groups = len(frame), frame["buyer"].nunique()
    factor = groups / (groups - 1) * (n - 1) / (n - k)
    _agree(ours, theirs.params[TERMS], theirs.std_errors[TERMS] * np.sqrt(factor))


@pytest.mark.parametrize("convention", ["fixest", "stata"])
@pytest.mark.parametrize("clusters", ["firm", "buyer", "market"])
@pytest.mark.parametrize("way", EFFECTS)
def test_clustered_errors_are_those_of_dense_dummies(
    way: str, clusters: str, convention: str
) -> None:
    frame = _label(_shuffle(_draw()))
    ours = estimate_least_squares(
        _design(frame, EFFECTS[way], clusters), small_sample=cast("SmallSample", convention)
    )
    beta, errors, groups = _dense(frame, EFFECTS[way], [clusters], convention=convention)
    _agree(ours, beta, errors)
    assert (ours.n_clusters, ours.df) == (groups, groups - 1)


@pytest.mark.parametrize(
    "pair", [("buyer", "market"), ("market", "buyer"), ("firm", "year"), ("year", "market")]
)
@pytest.mark.parametrize("way", EFFECTS)
def test_two_crossed_clusters_are_those_of_dense_dummies(way: str, pair: tuple[str, str]) -> None:
    frame = _shuffle(_draw())
    ours = estimate_least_squares(_design(frame, EFFECTS[way], pair[0]), crossed=frame[pair[1]])
    beta, errors, groups = _dense(frame, EFFECTS[way], list(pair))
    _agree(ours, beta, errors)
    assert ours.df == groups - 1


def test_the_order_of_crossed_clusters_does_not_matter() -> None:
    frame = _draw()
    design = _design(frame, EFFECTS["two"], "buyer")
    turned = _design(frame, EFFECTS["two"], "market")
    first = estimate_least_squares(design, crossed=frame["market"])
    second = estimate_least_squares(turned, crossed=frame["buyer"])
    assert first.std_errors == pytest.approx(second.std_errors, rel=SAME_ERROR)


def test_crossed_clusters_without_clusters_are_refused() -> None:
    frame = _draw()
    with pytest.raises(ModelError, match="cluster"):
        estimate_least_squares(_design(frame, ["firm"], None), crossed=frame["market"])


@pytest.mark.parametrize("clusters", ["firm", "buyer"])
def test_a_year_that_only_firms_seen_once_have_is_not_counted(clusters: str) -> None:
    frame = _draw()
    late = frame[frame["firm"] < 5].assign(year=2050)
    frame = pd.concat([frame[frame["firm"] >= 5], late], ignore_index=True)
    ours = estimate_least_squares(_design(frame, EFFECTS["two"], clusters))
    beta, errors, groups = _dense(frame, EFFECTS["two"], [clusters])
    _agree(ours, beta, errors)
    assert (ours.nobs, ours.n_clusters) == (int((frame["firm"] >= 5).sum()), groups)


def test_rows_alone_in_a_level_fall_out_by_turns() -> None:
    frame = _draw()
    chain = frame.tail(2).assign(firm=[900, 900], year=[1990, 2003])
    frame = pd.concat([frame, chain], ignore_index=True)
    kept = _drop_once(frame, EFFECTS["two"])
    ours = estimate_least_squares(_design(frame, EFFECTS["two"], "firm"))
    again = estimate_least_squares(_design(kept, EFFECTS["two"], "firm"))
    beta, errors, groups = _dense(frame, EFFECTS["two"], ["firm"])
    assert (ours.nobs, ours.n_clusters) == (len(kept), groups)
    assert set(frame["firm"]) - set(kept["firm"]) == {0, 1, 2, 3, 4, 900}
    _agree(ours, beta, errors)
    _agree(again, beta, errors)


def test_a_cluster_of_firms_seen_once_is_not_counted() -> None:
    frame = _draw()
    frame["buyer"] = np.where(frame["firm"] < 5, 77, frame["buyer"])
    ours = estimate_least_squares(_design(frame, EFFECTS["two"], "buyer"))
    beta, errors, groups = _dense(frame, EFFECTS["two"], ["buyer"])
    _agree(ours, beta, errors)
    assert (ours.n_clusters, groups) == (11, 11)


@pytest.mark.parametrize("nearly", [0.0, 1e-4])
@pytest.mark.parametrize("way", EFFECTS)
def test_unadjusted_errors_count_what_dense_dummies_count(way: str, nearly: float) -> None:
    """Also where two regressors are so near that rows have to be solved in place of sums."""
    frame = _draw()
    if nearly:
        near = frame["count"] + nearly * np.random.default_rng(1).normal(size=len(frame))
        frame["x"] = near
    kept = _drop_once(frame, EFFECTS[way])
    ours = estimate_least_squares(_design(frame, EFFECTS[way], None))
    beta, bread, _ = _scores(kept, EFFECTS[way])
    columns = _lay_out(kept, EFFECTS[way])
    left = kept["y"] - columns @ np.linalg.lstsq(columns, kept["y"].to_numpy())[0]
    df = len(kept) - np.linalg.matrix_rank(columns)
    assert (ours.df, ours.nobs) == (df, len(kept))
    errors = np.sqrt(float(left @ left) / df * np.diag(bread))
    # The distance 1e-4 between two regressors costs the dense solution four digits.
    assert ours.coefficients == pytest.approx(beta, rel=1e-7 if nearly else SAME)
    assert ours.std_errors == pytest.approx(errors, rel=1e-7 if nearly else SAME_ERROR)


def test_groups_that_hang_apart_are_counted_as_the_rank_counts_them() -> None:
    frame = _draw()
    frame["year"] += np.where(frame["firm"] % 2, 100, 0)
    kept = _drop_once(frame, EFFECTS["two"])
    ours = estimate_least_squares(_design(frame, EFFECTS["two"], None))
    assert ours.df == len(kept) - np.linalg.matrix_rank(_lay_out(kept, EFFECTS["two"]))
    assert ours.coefficients == pytest.approx(_scores(kept, EFFECTS["two"])[0], rel=SAME)


@pytest.mark.parametrize("clusters", ["firm", "market"])
def test_two_large_dimensions_are_solved_as_dense_dummies_solve_them(clusters: str) -> None:
    """More than 300 levels in both dimensions: conjugate gradients in place of the inverse."""
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"firm": rng.integers(0, 400, 2400), "year": rng.integers(0, 350, 2400)})
    frame["market"] = rng.integers(0, 12, 2400)
    frame["x"] = rng.normal(size=2400) + rng.normal(size=400)[frame["firm"]]
    frame["count"] = rng.poisson(3, 2400)
    frame["treated"] = rng.random(2400) > 0.5
    frame["y"] = frame["x"] + rng.normal(size=350)[frame["year"]] + rng.normal(size=2400)
    ours = estimate_least_squares(_design(frame, EFFECTS["two"], clusters))
    beta, errors, _ = _dense(frame, EFFECTS["two"], [clusters])
    _agree(ours, beta, errors)


@pytest.mark.parametrize("case", PYFIXEST)
def test_stored_pyfixest_is_repeated(case: str) -> None:
    """The count of parameters is the same for all of pyfixest's stored hash seeds."""
    stored = _stored("least_squares_pyfixest.json")["cases"][case]
    frame = _simulated()
    effects = [name for name in stored["effects"].split(" + ") if name]
    first, _, second = stored["clusters"].partition(" + ")
    design = _design(frame, effects, first or None) if effects else _pooled(frame, first)
    ours = estimate_least_squares(design, crossed=frame[second] if second else None)
    _agree(ours, _numbers(stored, "estimate"), _numbers(stored, "std_error"))
    table = tabulate_estimates(ours).set_index("term")["p_value"][TERMS]
    assert table.to_numpy() == pytest.approx(_numbers(stored, "p_value"), rel=1e-6)
    assert (ours.nobs, ours.df) == (stored["nobs"], stored["df"])


def test_pyfixest_counts_otherwise_in_some_processes() -> None:
    stored = _stored("least_squares_pyfixest.json")["without_spaces"]
    # 3 regressors, 1 for the nested firms and 5 of 6 years; 4 if years count as nested.
    assert set(stored) == {"4", "9"}


@pytest.mark.parametrize("case", ESTIMATR)
def test_stored_estimatr_is_repeated(case: str) -> None:
    stored = _stored("least_squares_r.json")["estimatr"][case]
    frame, clusters = _simulated(), stored["clusters"]
    effects = {"one": ["firm"], "two": EFFECTS["two"], "thr": EFFECTS["three"]}.get(case[:3])
    design = _design(frame, effects, clusters) if effects else _pooled(frame, clusters)
    ours = estimate_least_squares(design, small_sample="stata")
    _agree(ours, _numbers(stored, "estimate"), _numbers(stored, "std_error"))
    assert (ours.nobs, ours.df) == (stored["nobs"], stored["df"])


@pytest.mark.parametrize("clusters", ["firm", "market"])
def test_stored_estimatr_without_a_factor_is_repeated(clusters: str) -> None:
    stored = _stored("least_squares_r.json")["estimatr"][f"two_way_by_{clusters}_plain"]
    frame = _simulated()
    ours = estimate_least_squares(_design(frame, EFFECTS["two"], clusters), small_sample="stata")
    k = 3 + 1 + sum(frame[name].nunique() - 1 for name in EFFECTS["two"])
    n, groups = len(frame), frame[clusters].nunique()
    factor = groups / (groups - 1) * (n - 1) / (n - k)
    plain = ours.std_errors / np.sqrt(factor)
    assert plain == pytest.approx(_numbers(stored, "std_error"), rel=SAME_ERROR)


@pytest.mark.parametrize("way", ["one", "two"])
def test_stored_plm_is_repeated(way: str) -> None:
    """plm's "sss" charges G/(G−1)·(n−1)/(n−K) with K the regressors alone."""
    stored = _stored("least_squares_r.json")["plm"][f"{way}_way"]
    frame = _simulated()
    ours = estimate_least_squares(_design(frame, EFFECTS[way], "firm"), small_sample="stata")
    k = 3 + 1 + sum(frame[name].nunique() - 1 for name in EFFECTS[way])
    ratio = np.sqrt((len(frame) - k) / (len(frame) - 3))
    assert ours.coefficients == pytest.approx(_numbers(stored, "estimate"), rel=SAME)
    errors = ours.std_errors * ratio
    assert errors == pytest.approx(_numbers(stored, "std_error"), rel=SAME_ERROR)
    unadjusted = estimate_least_squares(_design(frame, EFFECTS[way], None), small_sample="stata")
    assert unadjusted.std_errors == pytest.approx(_numbers(stored, "unadjusted"), rel=SAME_ERROR)


@pytest.mark.parametrize("kind", ["int8", "uint16", "float32", "bool"])
def test_a_column_of_another_type_counts_as_its_numbers(kind: str) -> None:
    frame = _draw()
    plain = estimate_least_squares(_design(frame.astype({"treated": float}), ["firm"], "firm"))
    typed = frame.astype({"treated": kind, "count": "int32"})
    ours = estimate_least_squares(_design(typed, ["firm"], "firm"))
    _agree(ours, plain.coefficients, plain.std_errors)


@pytest.mark.parametrize(
    "label",
    [
        lambda number: -number,
        np.uint8,
        lambda number: number * 10**12,
        lambda number: number / 8,
        lambda number: f"{number}",
        lambda number: pd.Timestamp(2000, 1, 1) + pd.Timedelta(days=int(number)),
    ],
    ids=["negative", "uint8", "huge", "float", "text", "date"],
)
def test_labels_of_any_type_name_the_same_effects(label: Any) -> None:
    frame = _draw()
    plain = estimate_least_squares(_design(frame, EFFECTS["two"], "firm"))
    labelled = _shuffle(frame).assign(firm=lambda data: data["firm"].map(label))
    ours = estimate_least_squares(_design(labelled, EFFECTS["two"], "firm"))
    _agree(ours, plain.coefficients, plain.std_errors)


def test_the_inputs_are_left_as_they_were() -> None:
    frame = _shuffle(_draw())
    before = frame.copy(deep=True)
    estimate_least_squares(_design(frame, EFFECTS["two"], "firm"))
    estimate_least_squares(_design(frame, EFFECTS["three"], "firm"))
    pd.testing.assert_frame_equal(frame, before)


def test_within_shares_are_what_effects_leave_of_each_variance() -> None:
    frame = _draw()
    ours = estimate_least_squares(_design(frame, ["firm"], "firm"))
    shares = {entry.name: entry.value for entry in ours.diagnostics}
    for term in TERMS:
        column = frame[term].astype(float)
        inside = column - column.groupby(frame["firm"]).transform("mean")
        whole = column - column.mean()
        expected = float((inside**2).sum() / (whole**2).sum())
        assert shares[f"within_share {term}"] == pytest.approx(expected, rel=SAME)


def test_estimates_name_their_convention() -> None:
    ours = estimate_least_squares(_design(_draw(), EFFECTS["two"], "buyer"))
    assert (ours.terms, ours.cov_type, ours.small_sample) == (tuple(TERMS), "CR1", "fixest")
    assert (ours.covariance == ours.covariance.T).all() or ours.covariance == pytest.approx(
        ours.covariance.T, rel=1e-12
    )
