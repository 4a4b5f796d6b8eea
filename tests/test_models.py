"""Estimates repeat printed tables; their inference repeats plain matrix algebra."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy import stats

from evidence.errors import ModelError
from evidence.models import (
    COLUMNS,
    fit,
    fit_specifications,
    list_bearing,
    list_estimates,
)
from evidence.models.estimators import make_design
from evidence.models.kernel.bootstrap import bootstrap_wild
from evidence.models.kernel.clusters import collect_moments
from evidence.panel import Panel
from evidence.study import load_study
from samples import ROOT, Section, declare, make_panel, read_panel, specify, study_file

Floats = npt.NDArray[np.float64]

JOBTRAINING = {
    "d88": ("-0.080", "0.109"),
    "d89": ("-0.247", "0.133"),
    "grant": ("-0.252", "0.151"),
    "lag1_grant": ("-0.422", "0.210"),
}
"""Wooldridge, Introductory Econometrics, Table 14.1: coefficient and standard error."""

WAGES = {
    "published_pooled": {"union": ("0.182", "0.017"), "married": ("0.108", "0.016")},
    "published_random": {"union": ("0.106", "0.018"), "married": ("0.064", "0.017")},
    "published_within": {"union": ("0.080", "0.019"), "married": ("0.047", "0.018")},
}
"""Wooldridge, Introductory Econometrics, Table 14.2."""

SAME = 1e-9
"""Relative; reason: two orders of the same sums in double precision differ by about 1e-13,
and a wrong count in the small-sample factor by 1e-3 or more."""

FACTORIES = (
    declare("factory", "entity", "factory"),
    declare("year", "time", "factory"),
    declare("buyer", "cluster", "buyer"),
    declare("y", "outcome", "factory-cycle"),
    declare("x", "exposure", "factory-cycle"),
    declare("z", "control", "factory-cycle"),
)
WORKERS = (
    declare("worker", "entity", "worker"),
    declare("year", "time", "worker"),
    declare("factory", "cluster", "factory"),
    declare("y", "outcome", "factory-cycle"),
    declare("x", "exposure", "factory-cycle"),
)
TWO_WAY = specify("s", "fixed_effects", "x", controls=["z"], effects=["entity", "time"])
WITHIN = specify("s", "fixed_effects", "x", controls=["z"], effects=["entity"])
POOLED = specify("s", "pooled_ols", "x", controls=["z"], effects=["time"])
BETWEEN = specify("s", "between", "x", controls=["z"])


@pytest.fixture(scope="module")
def plants() -> Panel:
    return read_panel(load_study(study_file(ROOT, "plants")))


@pytest.fixture(scope="module")
def workers() -> Panel:
    return read_panel(load_study(study_file(ROOT, "bargaining")))


def _draw(factories: int, years: int = 5, *, buyers: int = 8) -> pd.DataFrame:
    """Draw an unbalanced panel: every third factory misses the first year."""
    rng = np.random.default_rng(factories)
    index = [(n, t) for n in range(factories) for t in range(years) if t or n % 3]
    frame = pd.DataFrame(index, columns=["number", "t"])
    own = rng.normal(size=factories)[frame["number"]]
    frame["factory"] = [f"f{number:03d}" for number in frame["number"]]
    frame["year"] = 2000 + frame["t"]
    frame["buyer"] = [f"b{number % buyers:02d}" for number in frame["number"]]
    frame["x"] = own + rng.normal(size=len(frame))
    frame["z"] = rng.normal(size=len(frame))
    frame["y"] = 0.5 * frame["x"] + own + 0.1 * frame["t"] + rng.normal(size=len(frame))
    return frame.drop(columns=["number", "t"])


def _treat(frame: pd.DataFrame, *factories: str) -> pd.DataFrame:
    on = frame["factory"].isin(factories) & (frame["year"] > 2002)
    return frame.assign(x=on.astype(float))


def _estimates(panel: Panel, name: str = "s") -> pd.DataFrame:
    return fit(panel, name).estimates.set_index("term")


def _fit_frame(
    folder: Path, frame: pd.DataFrame, spec: Section, variables: tuple[Section, ...] = FACTORIES
) -> pd.DataFrame:
    return _estimates(make_panel(folder, frame, variables, [spec]))


def _printed(table: pd.DataFrame, terms: list[str]) -> dict[str, tuple[str, str]]:
    return {
        term: (f"{table['estimate'][term]:.3f}", f"{table['std_error'][term]:.3f}")
        for term in terms
    }


def _dummies(values: pd.Series, *, drop_first: bool) -> Floats:
    return pd.get_dummies(values, drop_first=drop_first).to_numpy(dtype=float)


def _columns(frame: pd.DataFrame, effects: str) -> Floats:
    """Lay out x, z and the dummies of entities (or a constant) and of periods."""
    parts = [frame[["x", "z"]].to_numpy()]
    if "entity" in effects:
        parts.append(_dummies(frame["factory"], drop_first=False))
    else:
        parts.append(np.ones((len(frame), 1)))
    if "time" in effects:
        parts.append(_dummies(frame["year"], drop_first=True))
    return np.hstack(parts)


def _solve(frame: pd.DataFrame, effects: str) -> Floats:
    solution: Floats = np.linalg.lstsq(_columns(frame, effects), frame["y"].to_numpy())[0]
    return solution


def _sandwich(frame: pd.DataFrame, effects: str, cluster: str, k: int) -> Floats:
    """Compute CR1 errors of x and z with the factor G/(G−1)·(n−1)/(n−k)."""
    columns = _columns(frame, effects)
    left = frame["y"].to_numpy() - columns @ _solve(frame, effects)
    scores = pd.DataFrame(columns * left[:, None]).groupby(frame[cluster].to_numpy()).sum()
    bread = np.linalg.inv(columns.T @ columns)
    groups, n = len(scores), len(frame)
    factor = groups / (groups - 1) * (n - 1) / (n - k)
    meat = scores.to_numpy().T @ scores.to_numpy()
    errors: Floats = np.sqrt(factor * np.diag(bread @ meat @ bread))[:2]
    return errors


def _delete_one(frame: pd.DataFrame, effects: str, cluster: str) -> Floats:
    """Compute the jackknife errors of x and z that leave out a cluster at a time."""
    names = frame[cluster].unique()
    whole = _solve(frame, effects)[:2]
    parts = [_solve(frame[frame[cluster] != name], effects)[:2] for name in names]
    squares = (np.array(parts) - whole) ** 2
    errors: Floats = np.sqrt((len(names) - 1) / len(names) * squares.sum(axis=0))
    return errors


def test_the_scrap_table_is_repeated_to_its_printed_digits(plants: Panel) -> None:
    table = _estimates(plants, "published")
    assert _printed(table, list(JOBTRAINING)) == JOBTRAINING
    assert table["nobs"].unique().tolist() == [162]


@pytest.mark.parametrize("name", list(WAGES))
def test_the_wage_table_is_repeated_to_its_printed_digits(workers: Panel, name: str) -> None:
    table = _estimates(workers, name)
    assert _printed(table, ["union", "married"]) == WAGES[name]
    assert table["nobs"].unique().tolist() == [4360]


def test_the_scrap_table_moves_when_one_row_does(plants: Panel) -> None:
    data = plants.data.copy()
    row = data.index[data["log_scrap"].notna()][1]
    data.loc[row, "log_scrap"] += 5
    table = _estimates(replace(plants, data=data), "published")
    assert set(_printed(table, list(JOBTRAINING)).items()).isdisjoint(JOBTRAINING.items())


@pytest.mark.parametrize("name", list(WAGES))
def test_the_wage_table_moves_when_one_row_does(workers: Panel, name: str) -> None:
    data = workers.data.copy()
    row = data.index[(data["union"] == 1) & (data["married"] == 1)][0]
    data.loc[row, "log_wage"] += 100
    table = _estimates(replace(workers, data=data), name)
    assert table["estimate"]["union"] != pytest.approx(float(WAGES[name]["union"][0]), abs=0.001)


def test_a_replication_keeps_unadjusted_errors_and_their_degrees_of_freedom(plants: Panel) -> None:
    table = _estimates(plants, "published")
    reach = (table["conf_high"] - table["estimate"]) / table["std_error"]
    # n − k: 162 rows, 54 plants and four regressors.
    assert reach.to_numpy() == pytest.approx(stats.t.ppf(0.975, 162 - 54 - 4), rel=SAME)
    assert table["cov_type"].unique().tolist() == ["unadjusted"]


def test_a_union_that_never_changes_is_refused_in_words(plants: Panel) -> None:
    fitted = fit(plants, "within")
    union = fitted.estimates.set_index("term").loc["union"]
    assert union["reason"] == "union never changes within an entity: its within share is 0"
    assert union[["estimate", "std_error", "p_value", "conf_low", "conf_high"]].isna().all()
    assert fitted.within_share["union"] == 0
    assert fitted.within_share["grant"] > 0


def test_a_term_that_is_refused_does_not_move_the_others(plants: Panel) -> None:
    within, published = _estimates(plants, "within"), _estimates(plants, "published")
    for term in ("grant", "lag1_grant"):
        assert within["estimate"][term] == pytest.approx(published["estimate"][term], rel=SAME)


def test_every_specification_of_a_notebook_is_fitted_in_file_order(plants: Panel) -> None:
    fits = fit_specifications(plants, "plants", case="here")
    assert [f.specification.id for f in fits] == [s.id for s in plants.study.specifications]
    assert {f.case for f in fits} == {"here"}
    assert {f.periods for f in fits[:-1]} == {(1987, 1989)}
    assert fits[-1].periods == (1987, 1988)


def test_estimates_have_the_declared_columns_in_order(plants: Panel) -> None:
    table = fit(plants, "within").estimates
    assert tuple(table.columns) == COLUMNS
    assert table["term"].tolist() == ["grant", "lag1_grant", "union"]


def test_a_notebooks_lists_name_specification_and_term(plants: Panel) -> None:
    fits = (fit(plants, "within"), fit(plants, "between"))
    listed = list_estimates(fits)
    shares = listed["within_share"].to_dict()
    assert (shares["within", "union"], shares["between", "union"]) == (0, 0)
    assert shares["within", "grant"] > 0
    assert np.isnan(shares["between", "log_employ"])


@pytest.mark.parametrize(
    ("spec", "effects", "k"),
    [(TWO_WAY, "entity time", 2 + 5), (WITHIN, "entity", 2 + 1), (POOLED, "time", 2 + 5)],
    ids=["two-way", "entity effects", "pooled with dummies of the years"],
)
def test_cr1_errors_are_those_of_plain_algebra_with_nested_effects_not_counted(
    tmp_path: Path, spec: Section, effects: str, k: int
) -> None:
    frame = _draw(40)
    table = _fit_frame(tmp_path, frame, spec)
    assert table["estimate"].to_numpy() == pytest.approx(_solve(frame, effects)[:2], rel=SAME)
    errors = _sandwich(frame, effects, "factory", k)
    assert table["std_error"].to_numpy() == pytest.approx(errors, rel=SAME)
    assert table["cov_type"].unique().tolist() == ["CR1"]
    assert table["n_clusters"].unique().tolist() == [40]


def test_entities_nested_in_coarser_clusters_are_not_counted_either(tmp_path: Path) -> None:
    frame = _draw(80, buyers=32)
    table = _fit_frame(tmp_path, frame, {**TWO_WAY, "clusters": "buyer"})
    errors = _sandwich(frame, "entity time", "buyer", 2 + 5)
    assert table["std_error"].to_numpy() == pytest.approx(errors, rel=SAME)
    assert table["level"].unique().tolist() == ["buyer"]


def test_clusters_that_tear_factories_apart_are_refused(tmp_path: Path) -> None:
    """Coarser by name only: a factory's rows would count as independent."""
    frame = _draw(60, buyers=32)
    frame.loc[frame["year"] > 2002, "buyer"] = "b00"
    with pytest.raises(ModelError, match="units of the level factory that belong to several"):
        _fit_frame(tmp_path, frame, {**TWO_WAY, "clusters": "buyer"})


@pytest.mark.parametrize("estimator", ["mundlak", "first_differences", "fixed_effects"])
def test_a_single_factory_that_changes_carries_nothing_in_any_design(
    tmp_path: Path, estimator: str
) -> None:
    frame = _draw(40)
    always = frame["factory"].str[1:].astype(int) % 2 == 0
    changed = (frame["factory"] == "f001") & (frame["year"] > 2002)
    frame["x"] = (always | changed).astype(float)
    effects = ["entity", "time"] if estimator == "fixed_effects" else ["time"]
    spec = specify("s", estimator, "x", controls=["z"], effects=effects)
    table = _fit_frame(tmp_path, frame, spec)
    own = [term for term in table.index if term.endswith("x")]
    assert table.loc[own, ["p_value", "conf_low", "conf_high"]].isna().all(axis=None)
    assert table["reason"]["x"].startswith("fewer than two units of the level factory")


def test_between_errors_are_robust_ones_of_the_means(tmp_path: Path) -> None:
    frame = _draw(40)
    table = _fit_frame(tmp_path, frame, BETWEEN)
    means = frame.groupby("factory")[["x", "z", "y"]].mean().reset_index()
    assert table["estimate"].to_numpy() == pytest.approx(_solve(means, "")[:2], rel=SAME)
    errors = _sandwich(means, "", "factory", 3)
    assert table["std_error"].to_numpy() == pytest.approx(errors, rel=SAME)


def test_thirty_clusters_have_the_plain_sandwich(tmp_path: Path) -> None:
    table = _fit_frame(tmp_path, _draw(30), TWO_WAY)
    assert table["cov_type"].unique().tolist() == ["CR1"]


@pytest.mark.parametrize("factories", [6, 9, 14, 29])
def test_from_six_to_twenty_nine_clusters_the_larger_p_speaks(
    tmp_path: Path, factories: int
) -> None:
    panel = make_panel(tmp_path, _draw(factories), FACTORIES, [TWO_WAY])
    table = _estimates(panel)
    spec = panel.study.specification("s")
    clusters = panel.data.index.get_level_values("entity").to_series(index=panel.data.index)
    moments = collect_moments(make_design(panel, spec, ["x", "z"], clusters))
    for term, row in table.iterrows():
        drawn = bootstrap_wild(moments, str(term))
        tail = 2 * stats.t.sf(abs(row["estimate"] / row["std_error"]), factories - 1)
        assert row["p_value"] == pytest.approx(max(tail, drawn.p_value), rel=SAME)
        assert row["cov_type"] == ("wild" if drawn.p_value > tail else "CR3")
        if row["cov_type"] == "wild":
            assert (row["conf_low"], row["conf_high"]) == (drawn.conf_low, drawn.conf_high)


def test_below_six_clusters_the_jackknife_speaks_alone(tmp_path: Path) -> None:
    table = _fit_frame(tmp_path, _draw(5), TWO_WAY)
    assert table["cov_type"].unique().tolist() == ["CR3"]


@pytest.mark.parametrize(
    ("spec", "effects"),
    [(TWO_WAY, "entity time"), (WITHIN, "entity"), (POOLED, "time")],
    ids=["two-way", "entity effects", "pooled with dummies of the years"],
)
def test_cr3_errors_are_those_of_leaving_out_a_factory_at_a_time(
    tmp_path: Path, spec: Section, effects: str
) -> None:
    frame = _draw(12)
    table = _fit_frame(tmp_path, frame, spec)
    errors = _delete_one(frame, effects, "factory")
    assert table["std_error"].to_numpy() == pytest.approx(errors, rel=SAME)


@pytest.mark.parametrize("factories", [12, 40])
def test_intervals_and_p_values_use_one_degree_of_freedom_a_cluster(
    tmp_path: Path, factories: int
) -> None:
    table = _fit_frame(tmp_path, _draw(factories), TWO_WAY)
    reach = stats.t.ppf(0.975, factories - 1) * table["std_error"]
    assert (table["conf_high"] - table["estimate"]).to_numpy() == pytest.approx(reach, rel=SAME)
    assert (table["estimate"] - table["conf_low"]).to_numpy() == pytest.approx(reach, rel=SAME)
    tail = stats.t.cdf(-(table["estimate"] / table["std_error"]).abs(), factories - 1)
    assert table["p_value"].to_numpy() == pytest.approx(2 * tail, rel=SAME)


def test_a_factory_value_copied_to_17_workers_keeps_its_standard_error(tmp_path: Path) -> None:
    spec = specify("s", "fixed_effects", "x", effects=["entity", "time"])
    frame = _draw(12)
    single = _fit_frame(tmp_path / "factories", frame, spec)
    copies = [frame.assign(worker=frame["factory"] + f"-{n}") for n in range(17)]
    copied = pd.concat(copies)[["worker", "year", "factory", "y", "x"]]
    table = _fit_frame(tmp_path / "workers", copied, spec, WORKERS)
    assert table["nobs"]["x"] == 17 * len(frame)
    assert (table["level"]["x"], table["n_clusters"]["x"]) == ("factory", 12)
    for number in ("estimate", "std_error", "conf_low", "conf_high", "p_value"):
        assert table[number]["x"] == pytest.approx(single[number]["x"], rel=SAME)


def test_inference_on_a_factory_value_at_the_level_of_workers_is_refused(tmp_path: Path) -> None:
    frame = _draw(12).assign(worker=lambda f: f["factory"] + "-1")
    spec = specify("s", "fixed_effects", "x", effects=["entity"], clusters="worker")
    with pytest.raises(ModelError, match=r"'worker', finer than .* x varies; expected 'factory'"):
        _fit_frame(tmp_path, frame[["worker", "year", "factory", "y", "x"]], spec, WORKERS)


def test_inference_follows_an_exposure_up_to_its_buyer(tmp_path: Path) -> None:
    at_buyer = [{**v, "level": "buyer"} if v["name"] == "x" else v for v in FACTORIES]
    frame = _draw(40)
    frame["x"] = frame.groupby(["buyer", "year"])["x"].transform("mean")
    table = _fit_frame(tmp_path, frame, TWO_WAY, tuple(at_buyer))
    assert (table["level"]["x"], table["n_clusters"]["x"]) == ("buyer", 8)


def test_inference_is_never_finer_than_the_entity(tmp_path: Path) -> None:
    by_worker = [{**v, "level": "worker"} if v["name"] == "x" else v for v in FACTORIES]
    table = _fit_frame(tmp_path, _draw(40), TWO_WAY, tuple(by_worker))
    assert (table["level"]["x"], table["n_clusters"]["x"]) == ("factory", 40)


@pytest.mark.parametrize("treated", [("f001",), tuple(f"f{n:03d}" for n in range(40))[1:]])
def test_fewer_than_two_treated_or_untreated_clusters_give_no_p_value_but_a_reason(
    tmp_path: Path, treated: tuple[str, ...]
) -> None:
    frame = _draw(40)
    frame["x"] = frame["factory"].isin(treated).astype(float)
    spec = specify("s", "pooled_ols", "x", controls=["z"])
    table = _fit_frame(tmp_path, frame, spec)
    assert table["reason"]["x"].startswith("fewer than two units of the level factory are treated")
    assert table.loc["x", ["std_error", "p_value", "conf_low", "conf_high"]].isna().all()
    assert table["n_treated_clusters"]["x"] == len(treated)
    assert np.isfinite(table["estimate"]["x"])
    assert table["p_value"].notna()["z"]


@pytest.mark.parametrize("factories", [12, 40])
def test_two_treated_clusters_rule_nothing_out(tmp_path: Path, factories: int) -> None:
    """However many are untreated: CR1 rejects a true null in 30 per cent of draws here."""
    table = _fit_frame(tmp_path, _treat(_draw(factories), "f001", "f002"), TWO_WAY)
    assert table["reason"]["x"].endswith("rules out no value on one side: no interval")
    assert 0 < table["p_value"]["x"] < 1
    assert table.loc["x", ["conf_low", "conf_high"]].isna().all()


@pytest.mark.parametrize(("treated", "spoken"), [(9, {"wild", "CR3"}), (10, {"CR1"})])
def test_fewer_than_ten_treated_are_few_clusters(
    tmp_path: Path, treated: int, spoken: set[str]
) -> None:
    names = [f"f{number:03}" for number in range(1, treated + 1)]
    table = _fit_frame(tmp_path, _treat(_draw(60), *names), TWO_WAY)
    assert table["cov_type"]["x"] in spoken
    assert table["cov_type"]["z"] == "CR1"


def test_an_exposure_that_a_single_cluster_carries_has_no_interval(tmp_path: Path) -> None:
    frame = _treat(_draw(12), "f001")
    table = _fit_frame(tmp_path, frame.assign(x=5 * frame["x"]), TWO_WAY)
    assert table["reason"]["x"].startswith("fewer than two units of the level factory")
    assert table.loc["x", ["std_error", "p_value", "conf_low", "conf_high"]].isna().all()


def test_a_dose_that_a_single_of_many_clusters_carries_has_no_interval(tmp_path: Path) -> None:
    frame = _treat(_draw(40), "f001")
    table = _fit_frame(tmp_path, frame.assign(x=5 * frame["x"]), TWO_WAY)
    assert np.isnan(table["p_value"]["x"])


@pytest.mark.parametrize("spec", [TWO_WAY, POOLED, BETWEEN])
def test_collinear_regressors_are_refused_by_name(tmp_path: Path, spec: Section) -> None:
    frame = _draw(40)
    frame["z"] = 2 * frame["x"]
    with pytest.raises(ModelError, match=r"x, z.*a combination"):
        _fit_frame(tmp_path, frame, spec)


@pytest.mark.parametrize("kind", ["a trend", "x and what stays the same"])
def test_regressors_that_the_effects_absorb_are_refused_by_name(tmp_path: Path, kind: str) -> None:
    frame = _draw(40)
    fixed = frame["factory"].str[1:].astype(float)
    frame["z"] = frame["year"] - 2000.0 if kind == "a trend" else frame["x"] + fixed
    with pytest.raises(ModelError, match=r"specification 's'.*(x, z|nothing of z is left)"):
        _fit_frame(tmp_path, frame, TWO_WAY)


def test_an_exposure_that_the_effects_absorb_is_refused_in_words(tmp_path: Path) -> None:
    frame = _draw(40)
    fixed = frame["factory"].str[1:].astype(float)
    frame["x"] = frame["year"] * 2.0 + fixed
    table = _fit_frame(tmp_path, frame, TWO_WAY)
    assert table["reason"]["x"] == "nothing of x is left once the effects are taken out"
    assert np.isnan(table["estimate"]["x"])


def test_a_single_factory_that_changes_carries_no_test_however_many_are_treated(
    tmp_path: Path,
) -> None:
    frame = _draw(40)
    always = frame["factory"].isin([f"f{n:03d}" for n in range(20)])
    switcher = (frame["factory"] == "f030") & (frame["year"] > frame["year"].median())
    table = _fit_frame(tmp_path, frame.assign(x=(always | switcher).astype(float)), TWO_WAY)
    assert table["n_treated_clusters"]["x"] == 21
    assert np.isnan(table["p_value"]["x"])
    assert table["reason"]["x"].endswith("no p-value and no interval")


def test_a_period_seen_once_falls_out_like_an_entity_seen_once(tmp_path: Path) -> None:
    frame = _draw(40)
    lonely = frame.iloc[[0]].assign(year=1990)
    table = _fit_frame(tmp_path / "with", pd.concat([frame, lonely]), TWO_WAY)
    plain = _fit_frame(tmp_path / "without", frame, TWO_WAY)
    pd.testing.assert_frame_equal(table, plain)


def test_a_control_that_never_changes_within_entities_is_refused(tmp_path: Path) -> None:
    frame = _draw(40)
    frame["z"] = frame["factory"].str[1:].astype(float)
    with pytest.raises(ModelError, match=r"controls: z never changes within .*Take z out"):
        _fit_frame(tmp_path, frame, TWO_WAY)


def test_an_exposure_with_one_value_is_refused_in_words(tmp_path: Path) -> None:
    no_buyers = tuple(v for v in FACTORIES if v["role"] != "cluster")
    table = _fit_frame(tmp_path, _draw(40).assign(x=1.0), POOLED, no_buyers)
    assert table["reason"]["x"] == "x has one and the same value in every row of the sample"
    assert np.isnan(table["estimate"]["x"])


def test_a_single_cluster_is_refused(tmp_path: Path) -> None:
    frame = _draw(40, buyers=1)
    with pytest.raises(ModelError, match=r"a single buyer to cluster on; expected two or more"):
        _fit_frame(tmp_path, frame, {**TWO_WAY, "clusters": "buyer"})


def test_a_row_without_its_cluster_is_refused(tmp_path: Path) -> None:
    frame = _draw(80, buyers=32)
    frame.loc[frame["factory"] == "f003", "buyer"] = None
    with pytest.raises(ModelError, match="buyer"):
        _fit_frame(tmp_path, frame, {**TWO_WAY, "clusters": "buyer"})


def test_a_variable_called_const_is_estimated_as_any_other(tmp_path: Path) -> None:
    frame = _draw(40)
    expected = _fit_frame(tmp_path / "x", frame, specify("s", "pooled_ols", "x"))
    renamed = [{**v, "name": "const"} if v["name"] == "x" else v for v in FACTORIES]
    table = _fit_frame(
        tmp_path / "const",
        frame.rename(columns={"x": "const"}),
        specify("s", "pooled_ols", "const"),
        tuple(renamed),
    )
    assert table["estimate"]["const"] == pytest.approx(expected["estimate"]["x"], rel=SAME)


def test_the_order_of_the_raw_rows_does_not_matter(tmp_path: Path) -> None:
    frame = _draw(12)
    first = _fit_frame(tmp_path / "first", frame, TWO_WAY)
    second = _fit_frame(tmp_path / "second", frame.sample(frac=1, random_state=0), TWO_WAY)
    pd.testing.assert_frame_equal(first, second)


@pytest.mark.parametrize("mean", [1e5, 1e7, 1e8])
@pytest.mark.parametrize("spec", [TWO_WAY, POOLED, BETWEEN])
def test_a_large_mean_of_a_regressor_costs_no_digits(
    tmp_path: Path, spec: Section, mean: float
) -> None:
    frame = _draw(40)
    plain = _fit_frame(tmp_path / "plain", frame, spec)
    shifted = _fit_frame(tmp_path / "shifted", frame.assign(x=frame["x"] + mean), spec)
    # A double at 1e8 keeps 8 digits behind the point: that much is lost before any fit.
    for name in ("estimate", "std_error"):
        assert shifted[name]["x"] == pytest.approx(plain[name]["x"], rel=1e-7)


def test_a_constant_outcome_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="one and the same value in every row"):
        _fit_frame(tmp_path, _draw(40).assign(y=1.0), TWO_WAY)


def test_the_hash_of_a_units_rows_changes_with_them_and_with_nothing_else(plants: Panel) -> None:
    before = fit(plants, "within").units
    assert len(before) == 54
    again = replace(plants, data=plants.data.sample(frac=1, random_state=1))
    assert fit(again, "within").units == before
    data = plants.data.copy()
    row = data[data["log_scrap"].notna()].index[0]
    data.loc[row, "log_scrap"] += 1e-9
    after = fit(replace(plants, data=data), "within").units
    assert {name for name in before if before[name] != after[name]} == {row[0]}


def test_who_bears_a_coefficient_and_what_it_is_without_them(tmp_path: Path) -> None:
    frame = _draw(24)
    panel = make_panel(tmp_path / "p", frame, FACTORIES, [TWO_WAY])
    table = list_bearing(panel, "s")
    assert table["share"].sum() == pytest.approx(1)
    assert table["up_to_here"].iloc[-1] == pytest.approx(1)
    assert table["share"].is_monotonic_decreasing
    first = str(table.index[0])
    rest = _fit_frame(tmp_path / "q", frame[frame["factory"] != first], TWO_WAY)
    assert table.loc[first, "estimate"] == pytest.approx(rest.loc["x", "estimate"], rel=SAME)
    buyers = list_bearing(panel, "s", level="buyer")
    assert (buyers.index.name, len(buyers)) == ("buyer", 8)
    most = buyers.index[0]
    rest = _fit_frame(tmp_path / "b", frame[frame["buyer"] != most], TWO_WAY)
    assert buyers.loc[most, "estimate"] == pytest.approx(rest.loc["x", "estimate"], rel=SAME)
    one = _treat(frame, "f003")
    alone = list_bearing(make_panel(tmp_path / "r", one, FACTORIES, [WITHIN]), "s")
    assert alone.index[0] == "f003"
    assert alone["share"].iloc[0] > 0.9


def test_who_bears_a_comparison_of_means_is_not_asked(tmp_path: Path) -> None:
    panel = make_panel(tmp_path, _draw(24), FACTORIES, [BETWEEN])
    with pytest.raises(ModelError, match="between"):
        list_bearing(panel, "s")
