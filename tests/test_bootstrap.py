"""Leaving clusters out and the wild bootstrap repeat what refitting every time gives."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from evidence.errors import ModelError
from evidence.models.design import Design
from evidence.models.kernel.bootstrap import Weights, bootstrap_wild, draw_statistics
from evidence.models.kernel.clusters import (
    MOST_INDICATORS,
    ClusterMoments,
    collect_moments,
    count_effective,
    jackknife,
)

Floats = npt.NDArray[np.float64]

REFERENCES = Path(__file__).parent / "references"

SAME = 1e-8
"""Relative; reason: refits solve dense dummies, the kernel cross products: 1e-10 in these data."""

TIE = 1e-9
"""Relative; draws this close to the observed statistic are it, up to rounding."""

SIGNS = (-1.0, 1.0)
WEBB = tuple(side * np.sqrt(size) for side in (-1.0, 1.0) for size in (0.5, 1.0, 1.5))
"""Webb (2014): six points with mean 0 and variance 1."""

EFFECTS = {
    "pooled": [],
    "firms": ["firm"],
    "firms and years": ["firm", "year"],
    "years": ["year"],
    "lines": ["firm", "year", "line"],
}


def _draw(clusters: int, *, firms: int = 3, years: int = 5, seed: int = 1) -> pd.DataFrame:
    """Draw an unbalanced panel, three firms a cluster, with shocks that clusters share."""
    rng = np.random.default_rng(seed)
    grid = [(firm, year) for firm in range(clusters * firms) for year in range(years)]
    frame = pd.DataFrame(grid, columns=["firm", "year"])
    frame["cluster"] = frame["firm"] % clusters
    frame["line"] = rng.integers(0, 3, len(frame))
    frame["other"] = rng.integers(0, 4, len(frame))
    frame["constant"] = 1.0
    shared = rng.normal(size=(clusters, years))[frame["cluster"], frame["year"]]
    frame["x"] = rng.normal(size=len(frame)) + 0.5 * shared
    frame["z"] = rng.normal(size=len(frame)) + 0.3 * frame["x"]
    noise = rng.normal(size=len(frame)) + rng.normal(size=clusters)[frame["cluster"]]
    frame["y"] = 0.2 * frame["x"] + 0.3 * frame["z"] + 0.1 * frame["year"] + shared + noise
    return frame[rng.random(len(frame)) > 0.1].sample(frac=1, random_state=3)


def _terms(effects: list[str]) -> list[str]:
    return ["x", "z"] if effects else ["x", "z", "constant"]


def _design(frame: pd.DataFrame, effects: list[str], terms: list[str] | None = None) -> Design:
    return Design(
        outcome=frame["y"],
        regressors=frame[terms or _terms(effects)],
        effects=frame[effects],
        clusters=frame["cluster"],
        where="sample",
    )


def _collect(frame: pd.DataFrame, effects: list[str], *, crossed: bool = False) -> ClusterMoments:
    other = frame["other"] if crossed else None
    return collect_moments(_design(frame, effects), crossed=other)


def _lay_out(frame: pd.DataFrame, effects: list[str]) -> Floats:
    """Lay out the regressors and a dummy for each level of each effect."""
    parts = [frame[_terms(effects)].to_numpy(dtype=float)]
    parts += [pd.get_dummies(frame[name]).to_numpy(dtype=float) for name in effects]
    return np.hstack(parts)


def _refit(frame: pd.DataFrame, effects: list[str]) -> Floats:
    outcome = frame["y"].to_numpy(dtype=float)
    beta: Floats = np.linalg.pinv(_lay_out(frame, effects), rcond=1e-12) @ outcome
    return beta[: len(_terms(effects))]


def _leave_out(frame: pd.DataFrame, effects: list[str]) -> Floats:
    """Give (G−1)/G Σ (β₍₋g₎ − β)(β₍₋g₎ − β)′ by refitting without each cluster."""
    clusters = frame["cluster"].unique()
    rests = [_refit(frame[frame["cluster"] != cluster], effects) for cluster in clusters]
    deviations = np.array(rests) - _refit(frame, effects)
    covariance: Floats = (len(clusters) - 1) / len(clusters) * deviations.T @ deviations
    return covariance


def _vectors(points: tuple[float, ...], clusters: int) -> Floats:
    return np.array(list(itertools.product(points, repeat=clusters)))


def _sum_squares(scores: Floats, frame: pd.DataFrame, *, crossed: bool) -> Floats:
    """Sum squares of clusters' scores (n × B) → (B,): V₁ + V₂ − V₁₂ where two cross."""

    def square(by: list[str]) -> Floats:
        sums = pd.DataFrame(scores).groupby([frame[name].to_numpy() for name in by]).sum()
        total: Floats = (sums.to_numpy() ** 2).sum(axis=0)
        return total

    first = square(["cluster"])
    if not crossed:
        return first
    return first + square(["other"]) - square(["cluster", "other"])


def _refit_draws(
    frame: pd.DataFrame, effects: list[str], null: float, vectors: Floats, *, crossed: bool = False
) -> tuple[float, float]:
    """Give the t value of x and its p, refitting y* = restricted fit + sign · residual."""
    columns, outcome = _lay_out(frame, effects), frame["y"].to_numpy(dtype=float)
    others = np.delete(columns, 0, axis=1)
    reduced = outcome - null * columns[:, 0]
    restricted = reduced - others @ (np.linalg.pinv(others, rcond=1e-12) @ reduced)
    signs = vectors[:, pd.factorize(frame["cluster"], sort=True)[0]].T
    drawn = (outcome - restricted)[:, None] + signs * restricted[:, None]
    drawn = np.column_stack([outcome, drawn])
    inverse = np.linalg.pinv(columns, rcond=1e-12)
    beta = inverse @ drawn
    scores = inverse[0][:, None] * (drawn - columns @ beta)
    squares = np.maximum(_sum_squares(scores, frame, crossed=crossed), 0.0)
    over = beta[0] - null
    observed = over[0] / np.sqrt(squares[0])
    extreme = over[1:] ** 2 >= (observed * (1 - TIE)) ** 2 * squares[1:]
    return float(observed), float(extreme.mean())


@pytest.mark.parametrize("effects", EFFECTS)
def test_the_jackknife_is_what_refits_without_each_cluster_give(effects: str) -> None:
    frame = _draw(9)
    covariance = jackknife(_collect(frame, EFFECTS[effects]))
    assert covariance == pytest.approx(_leave_out(frame, EFFECTS[effects]), rel=SAME)


def test_the_jackknife_leaves_out_countries_that_hold_whole_firms() -> None:
    frame = _draw(4, firms=12)
    covariance = jackknife(_collect(frame, EFFECTS["firms and years"]))
    expected = _leave_out(frame, EFFECTS["firms and years"])
    assert covariance == pytest.approx(expected, rel=SAME)


def test_a_term_that_one_cluster_carries_has_no_jackknife_error() -> None:
    frame = _draw(6)
    treated = (frame["cluster"] == 2) & (frame["year"] > 2)
    frame = frame.assign(x=treated.astype(float))
    covariance = jackknife(_collect(frame, ["firm", "year"]))
    assert np.isnan(covariance[0]).all()
    assert np.isnan(covariance[:, 0]).all()
    frame_without = frame[frame["cluster"] != 2]
    assert frame_without["x"].nunique() == 1
    assert np.isfinite(covariance[1, 1])


def test_the_error_of_the_other_term_stands_where_one_cluster_carries_x() -> None:
    """Where the cluster is left out the refit has z alone."""
    frame = _draw(6)
    frame = frame.assign(x=((frame["cluster"] == 2) & (frame["year"] > 2)).astype(float))
    effects = ["firm", "year"]
    expected = _leave_out(frame, effects)[1, 1]
    assert jackknife(_collect(frame, effects))[1, 1] == pytest.approx(expected, rel=SAME)


def test_the_jackknife_does_not_feel_units() -> None:
    frame = _draw(9)
    plain = jackknife(_collect(frame, ["firm", "year"]))
    scaled = frame.assign(x=frame["x"] * 1e-7 + 40, z=frame["z"] * 1e6, y=frame["y"] * 1e3)
    units = np.diag([1e10, 1e-3])
    covariance = jackknife(_collect(scaled, ["firm", "year"]))
    assert covariance == pytest.approx(units @ plain @ units, rel=1e-6)


@pytest.mark.parametrize("effects", EFFECTS)
def test_effective_clusters_are_those_of_the_partial_leverages(effects: str) -> None:
    frame = _draw(9)
    columns = _lay_out(frame, EFFECTS[effects])
    others = columns[:, 1:]
    left = columns[:, 0] - others @ (np.linalg.pinv(others, rcond=1e-12) @ columns[:, 0])
    leverage = pd.Series(left**2).groupby(frame["cluster"].to_numpy()).sum()
    expected = 9 / (1 + leverage.var(ddof=0) / leverage.mean() ** 2)
    assert count_effective(_collect(frame, EFFECTS[effects]), "x") == pytest.approx(expected)


def test_clusters_that_are_alike_all_count() -> None:
    one = _draw(1, firms=4).assign(cluster=0)
    alike = [one.assign(firm=one["firm"] + 10 * n, cluster=n) for n in range(7)]
    moments = _collect(pd.concat(alike), ["firm"])
    assert count_effective(moments, "x") == pytest.approx(7)


def test_one_cluster_with_all_the_leverage_counts_as_one() -> None:
    frame = _draw(7)
    frame = frame.assign(x=np.where(frame["cluster"] == 3, frame["x"], 1e-6 * frame["x"]))
    assert count_effective(_collect(frame, ["firm"]), "x") == pytest.approx(1, rel=1e-4)


def test_moments_add_up_to_those_of_all_rows() -> None:
    frame = _draw(5)
    moments = _collect(frame, [])
    values = frame[["y", "x", "z", "constant"]].to_numpy()
    assert moments.cross.sum(axis=0) == pytest.approx(values.T @ values)
    assert (moments.n_clusters, moments.nobs) == (5, len(frame))


def test_cells_add_up_to_their_clusters() -> None:
    moments = _collect(_draw(5), ["firm", "year"], crossed=True)
    for cluster in range(5):
        cells = moments.cells[moments.owners == cluster].sum(axis=0)
        assert cells == pytest.approx(moments.cross[cluster], abs=1e-9)


def test_firms_seen_once_are_dropped_or_kept_as_asked() -> None:
    frame = _draw(5)
    once = frame.tail(3).assign(firm=[901, 902, 903])
    frame = pd.concat([frame.head(-3), once])
    design = _design(frame, ["firm"])
    dropped = collect_moments(design)
    kept = collect_moments(design, drop=False)
    assert (dropped.nobs, kept.nobs) == (len(frame) - 3, len(frame))
    assert jackknife(dropped) == pytest.approx(jackknife(kept), rel=SAME)


def test_moments_without_clusters_are_refused() -> None:
    design = replace(_design(_draw(5), ["firm"]), clusters=None)
    with pytest.raises(ModelError, match=r"no clusters.*level at which the exposure varies"):
        collect_moments(design)


@pytest.mark.parametrize("column", ["cluster", "other"])
def test_rows_without_a_cluster_are_refused(column: str) -> None:
    frame = _draw(5)
    frame[column] = frame[column].mask(np.arange(len(frame)) < 4)
    with pytest.raises(ModelError, match="4 rows without"):
        _collect(frame, ["firm"], crossed=True)


def test_too_many_effects_across_clusters_are_refused() -> None:
    frame = _draw(200)
    frame = frame.assign(cluster=frame["year"] % 3)
    assert frame["firm"].nunique() > MOST_INDICATORS
    with pytest.raises(ModelError, match=r"levels of firm, which cut across clusters"):
        _collect(frame, ["firm"])


@pytest.mark.parametrize("null", [0.0, 0.35])
@pytest.mark.parametrize("effects", EFFECTS)
def test_all_sign_vectors_give_the_p_value_of_refits(effects: str, null: float) -> None:
    frame = _draw(7)
    moments = _collect(frame, EFFECTS[effects])
    ours = bootstrap_wild(moments, "x", null=null, weights="rademacher")
    statistic, p_value = _refit_draws(frame, EFFECTS[effects], null, _vectors(SIGNS, 7))
    assert ours.statistic == pytest.approx(statistic, rel=SAME)
    assert ours.p_value == p_value
    assert (ours.enumerated, ours.draws, ours.weights) == (True, 2**7, "rademacher")


@pytest.mark.parametrize(
    ("clusters", "effects"), [(4, "firms and years"), (4, "years"), (5, "firms")]
)
def test_all_of_webbs_vectors_give_the_p_value_of_refits(clusters: int, effects: str) -> None:
    frame = _draw(clusters)
    ours = bootstrap_wild(_collect(frame, EFFECTS[effects]), "x")
    statistic, p_value = _refit_draws(frame, EFFECTS[effects], 0.0, _vectors(WEBB, clusters))
    assert ours.statistic == pytest.approx(statistic, rel=SAME)
    assert ours.p_value == p_value
    assert (ours.enumerated, ours.draws, ours.weights) == (True, 6**clusters, "webb")


@pytest.mark.parametrize("effects", ["pooled", "firms", "firms and years"])
def test_crossed_clusters_give_the_p_value_of_refits(effects: str) -> None:
    frame = _draw(7)
    moments = _collect(frame, EFFECTS[effects], crossed=True)
    ours = bootstrap_wild(moments, "x", weights="rademacher")
    vectors = _vectors(SIGNS, 7)
    statistic, p_value = _refit_draws(frame, EFFECTS[effects], 0.0, vectors, crossed=True)
    assert ours.statistic == pytest.approx(statistic, rel=SAME)
    assert ours.p_value == p_value


def test_another_term_is_bootstrapped_as_if_it_were_first() -> None:
    frame = _draw(7)
    turned = frame.rename(columns={"x": "z", "z": "x"})
    ours = bootstrap_wild(_collect(frame, ["firm"]), "z", weights="rademacher")
    _, p_value = _refit_draws(turned, ["firm"], 0.0, _vectors(SIGNS, 7))
    assert ours.p_value == p_value


@cache
def _stored() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((REFERENCES / "bootstrap.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("number", range(6))
def test_stored_wildboottest_is_repeated(number: int) -> None:
    """Eight regions, all 256 vectors: the shares of draws are the same to the last digit."""
    stored = _stored()["cases"][number]
    frame = pd.read_csv(REFERENCES / "least_squares_simulated.csv").assign(constant=1.0)
    terms = ["x", "count", "treated", "constant"]
    design = _design(frame.assign(cluster=frame["region"]), [], terms)
    ours = bootstrap_wild(
        collect_moments(design), stored["term"], null=stored["null"], weights="rademacher"
    )
    assert ours.p_value == stored["p_value"]
    assert ours.draws == stored["draws"] == 256
    # wildboottest's statistic carries G/(G−1)·(n−1)/(n−k).
    factor = 8 / 7 * (len(frame) - 1) / (len(frame) - 4)
    assert ours.statistic / np.sqrt(factor) == pytest.approx(stored["statistic"], rel=SAME)


@pytest.mark.parametrize("kind", ["rademacher", "webb"])
@pytest.mark.parametrize("side", [-1, 1])
def test_rejection_begins_at_the_ends_of_the_interval(side: int, kind: Weights) -> None:
    clusters = 8 if kind == "rademacher" else 5
    moments = _collect(_draw(clusters, firms=6), ["firm", "year"])
    found = bootstrap_wild(moments, "x", weights=kind)
    end = found.conf_high if side > 0 else found.conf_low
    assert np.isfinite(end)
    step = 1e-6 * (found.conf_high - found.conf_low)
    inside = bootstrap_wild(moments, "x", null=end - side * step, weights=kind)
    outside = bootstrap_wild(moments, "x", null=end + side * step, weights=kind)
    assert inside.p_value > 0.05 >= outside.p_value


def test_the_interval_holds_the_null_that_is_not_rejected() -> None:
    moments = _collect(_draw(8), ["firm"])
    found = bootstrap_wild(moments, "x", weights="rademacher")
    again = bootstrap_wild(moments, "x", null=0.3, weights="rademacher")
    assert (found.conf_low, found.conf_high) == (again.conf_low, again.conf_high)
    assert (found.conf_low <= 0 <= found.conf_high) == (found.p_value > 0.05)


@pytest.mark.parametrize("null", [-60.0, -6.6, -6.3, 0.0, 5.0, 60.0])
def test_one_treated_cluster_gives_the_p_value_of_refits(null: float) -> None:
    frame = _draw(10)
    frame = frame.assign(x=((frame["cluster"] == 4) & (frame["year"] > 2)).astype(float))
    effects = ["firm", "year"]
    found = bootstrap_wild(_collect(frame, effects), "x", null=null, weights="rademacher")
    assert found.p_value == _refit_draws(frame, effects, null, _vectors(SIGNS, 10))[1]


def test_one_treated_cluster_has_a_wide_interval() -> None:
    """CR1 would give an error of 0.35 here: the treated cluster has no residual of its own."""
    frame = _draw(10)
    frame = frame.assign(x=((frame["cluster"] == 4) & (frame["year"] > 2)).astype(float))
    found = bootstrap_wild(_collect(frame, ["firm", "year"]), "x", weights="rademacher")
    error = (found.conf_high - found.conf_low) / 2 / 1.96
    assert error > 1
    assert found.p_value > 0.05


def test_four_clusters_with_two_signs_cannot_reject() -> None:
    """Of 16 vectors the observed one and its mirror image always count, so p is 1/8 or more."""
    frame = _draw(4)
    frame["y"] += 50 * frame["x"]
    found = bootstrap_wild(_collect(frame, ["firm"]), "x", weights="rademacher")
    assert found.p_value == 2 / 16
    assert (found.conf_low, found.conf_high) == (-np.inf, np.inf)


def _same_interval(first: tuple[float, float], second: tuple[float, float]) -> None:
    assert first == pytest.approx(second, rel=1e-6)


def test_the_order_of_rows_and_the_names_of_clusters_do_not_matter() -> None:
    frame = _draw(8)
    found = bootstrap_wild(_collect(frame, ["firm", "year"]), "x", weights="rademacher")
    moved = frame.sample(frac=1, random_state=9)
    moved["cluster"] = [f"country {(5 * number) % 8}" for number in moved["cluster"]]
    again = bootstrap_wild(_collect(moved, ["firm", "year"]), "x", weights="rademacher")
    assert again.p_value == found.p_value
    _same_interval((again.conf_low, again.conf_high), (found.conf_low, found.conf_high))


@pytest.mark.parametrize(
    ("x", "z", "y"), [(1e3, 1.0, 1.0), (1e-7, 1.0, 1.0), (1.0, 1e7, 1.0), (1.0, 1.0, 1e9)]
)
@pytest.mark.parametrize("effects", ["pooled", "firms and years"])
def test_units_do_not_matter(effects: str, x: float, z: float, y: float) -> None:
    frame = _draw(8)
    found = bootstrap_wild(_collect(frame, EFFECTS[effects]), "x", weights="rademacher")
    scaled = frame.assign(x=frame["x"] * x, z=frame["z"] * z, y=frame["y"] * y)
    moments = _collect(scaled, EFFECTS[effects])
    again = bootstrap_wild(moments, "x", weights="rademacher")
    assert again.p_value == found.p_value
    ends = (again.conf_low * x / y, again.conf_high * x / y)
    _same_interval(ends, (found.conf_low, found.conf_high))
    plain = count_effective(_collect(frame, EFFECTS[effects]), "x")
    assert count_effective(moments, "x") == pytest.approx(plain, rel=1e-6)


@pytest.mark.parametrize("effects", ["firms", "firms and years"])
def test_offsets_do_not_matter_where_effects_are_absorbed(effects: str) -> None:
    frame = _draw(8)
    found = bootstrap_wild(_collect(frame, EFFECTS[effects]), "x", weights="rademacher")
    moved = frame.assign(x=frame["x"] + 1e7, z=frame["z"] - 1e5, y=frame["y"] + 1e6)
    again = bootstrap_wild(_collect(moved, EFFECTS[effects]), "x", weights="rademacher")
    assert again.p_value == found.p_value
    _same_interval((again.conf_low, again.conf_high), (found.conf_low, found.conf_high))


@pytest.mark.parametrize("offset", [10.0, 1e3])
def test_an_offset_beside_a_constant_does_not_matter(offset: float) -> None:
    frame = _draw(8)
    found = bootstrap_wild(_collect(frame, []), "x", weights="rademacher")
    moved = _collect(frame.assign(x=frame["x"] + offset), [])
    again = bootstrap_wild(moved, "x", weights="rademacher")
    assert again.p_value == found.p_value
    # 1e3 beside a constant leaves 1e-6 of x's cross product, so ten of sixteen digits.
    assert again.statistic == pytest.approx(found.statistic, rel=1e-7)


def test_an_offset_beside_a_constant_that_drowns_x_is_refused() -> None:
    frame = _draw(8)
    moved = _collect(frame.assign(x=frame["x"] + 1e7), [])
    with pytest.raises(ModelError, match="of x"):
        bootstrap_wild(moved, "x", weights="rademacher")


def test_absorbed_effects_are_dummies() -> None:
    frame = _draw(7)
    absorbed = bootstrap_wild(_collect(frame, ["firm", "year"]), "x", weights="rademacher")
    firms = pd.get_dummies(frame["firm"], prefix="firm", dtype=float)
    years = pd.get_dummies(frame["year"], prefix="year", dtype=float, drop_first=True)
    regressors = pd.concat([frame[["x", "z"]], firms, years], axis=1)
    design = Design(frame["y"], regressors, frame[[]], frame["cluster"])
    plain = bootstrap_wild(collect_moments(design), "x", weights="rademacher")
    assert absorbed.p_value == plain.p_value
    _same_interval((absorbed.conf_low, absorbed.conf_high), (plain.conf_low, plain.conf_high))


def test_random_draws_come_near_the_share_of_all_vectors() -> None:
    moments = _collect(_draw(12), ["firm", "year"])
    exact = bootstrap_wild(moments, "x", weights="rademacher")
    random = bootstrap_wild(moments, "x", weights="rademacher", draws=1_999, seed=4)
    assert (exact.enumerated, exact.draws) == (True, 4_096)
    assert (random.enumerated, random.draws) == (False, 1_999)
    # (1 + count) / (1 + draws): the observed one is counted.
    assert (random.p_value * 2_000) % 1 == pytest.approx(0, abs=1e-9)
    # Five standard deviations of a share in 1,999 draws: wrong once in a million seeds.
    spread = np.sqrt(exact.p_value * (1 - exact.p_value) / 1_999)
    assert abs(random.p_value - exact.p_value) < 5 * spread + 1 / 2_000


def test_the_seed_decides_the_draws() -> None:
    moments = _collect(_draw(20), ["firm"])
    first, same, other = (bootstrap_wild(moments, "x", draws=499, seed=n) for n in (1, 1, 2))
    assert first == same
    assert first.p_value != other.p_value or first.conf_low != other.conf_low
    assert first.weights == "rademacher"


def test_weights_are_webbs_below_twelve_clusters() -> None:
    kinds = [
        bootstrap_wild(_collect(_draw(clusters), ["firm"]), "x", draws=49).weights
        for clusters in (11, 12)
    ]
    assert kinds == ["webb", "rademacher"]


def test_one_cluster_is_refused() -> None:
    frame = _draw(4).assign(cluster=1)
    with pytest.raises(ModelError, match="a single cluster"):
        bootstrap_wild(_collect(frame, ["firm"]), "x")


@pytest.mark.parametrize("terms", [["x"], ["x", "z"]])
def test_a_term_that_effects_absorb_is_refused(terms: list[str]) -> None:
    frame = _draw(6)
    frame = frame.assign(x=np.sqrt(2.0 + frame["firm"]))
    with pytest.raises(ModelError, match="x"):
        bootstrap_wild(collect_moments(_design(frame, ["firm"], terms)), "x")


def test_a_control_that_effects_absorb_is_refused_or_changes_nothing() -> None:
    frame = _draw(6)
    absorbed = frame.assign(z=np.sqrt(2.0 + frame["firm"]))
    alone = bootstrap_wild(collect_moments(_design(frame, ["firm"], ["x"])), "x")
    moments = collect_moments(_design(absorbed, ["firm"], ["x", "z"]))
    try:
        found = bootstrap_wild(moments, "x")
    except ModelError:
        return
    assert found.p_value == alone.p_value
    assert found.statistic == pytest.approx(alone.statistic, rel=SAME)


def test_a_perfect_fit_is_refused() -> None:
    frame = _draw(6)
    with pytest.raises(ModelError, match="no error left of x"):
        bootstrap_wild(_collect(frame.assign(y=0.0), ["firm"]), "x")


def test_statistics_of_one_seed_come_from_the_same_signs() -> None:
    frame = _draw(14)
    statistic, draws = draw_statistics(_collect(frame, ["firm"]), "x", draws=300, seed=5)
    turned = _collect(frame.assign(y=-3 * frame["y"]), ["firm"])
    opposite, mirrored = draw_statistics(turned, "x", draws=300, seed=5)
    assert opposite == pytest.approx(-statistic, rel=SAME)
    assert mirrored == pytest.approx(-draws, rel=1e-6)
    _, others = draw_statistics(_collect(frame, ["firm"]), "x", draws=300, seed=6)
    assert not np.allclose(draws, others)


@pytest.mark.parametrize("clusters", [5, 13])
def test_signs_do_not_depend_on_how_many_regressors_there_are(clusters: int) -> None:
    """Outcomes with other controls are drawn together (Romano and Wolf 2005).

    The added regressors stand in rows of their own, so nothing of x or y changes.
    """
    rng = np.random.default_rng(2)
    frame = _draw(clusters)[["y", "x", "cluster"]]
    aside = pd.DataFrame(rng.normal(size=(70 * clusters, 60))).add_prefix("w")
    aside["cluster"] = np.arange(len(aside)) % clusters
    wide = pd.concat([frame, aside]).fillna(0.0).reset_index(drop=True)
    names = ["x", *(f"w{number}" for number in range(60))]
    few = collect_moments(_design(wide, [], ["x"]))
    many = collect_moments(_design(wide, [], names))
    first = draw_statistics(few, "x", draws=2_000, seed=5)
    second = draw_statistics(many, "x", draws=2_000, seed=5)
    assert second[0] == pytest.approx(first[0], rel=SAME)
    assert second[1] == pytest.approx(first[1], rel=1e-6)


def test_drawn_statistics_give_the_p_value_of_the_bootstrap() -> None:
    moments = _collect(_draw(14), ["firm", "year"])
    statistic, draws = draw_statistics(moments, "x", draws=999, seed=3)
    found = bootstrap_wild(moments, "x", draws=999, seed=3)
    assert found.statistic == pytest.approx(statistic, rel=SAME)
    count = int((np.abs(draws) >= abs(statistic) * (1 - TIE)).sum())
    assert found.p_value == (1 + count) / 1_000
