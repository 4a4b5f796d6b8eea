"""Units beside their peers; and what is declared of buyers, practice and reporting is found."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evidence.errors import MeasureError
from evidence.findings import Finding, state
from evidence.measures import Measures, compare_peers, flag_peers, match_peers, score_measures
from evidence.models import fit_specifications
from evidence.panel import build_panel
from evidence.sources import read_sources
from evidence.study import Study, load_study
from samples import declare, make_project, specify, study_file, write_study

FLAG = "below_peers_y"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("peers"))


def small_study(root: Path, *traits: str) -> Study:
    return write_study(
        root,
        [
            declare("factory", "entity", "factory"),
            declare("year", "time", "factory"),
            declare("sector", "cluster", "sector"),
            declare("y", "outcome", "factory-cycle"),
            *(declare(trait, "control", "factory") for trait in traits),
            declare(FLAG, "exposure", "factory", "indicator"),
        ],
        [specify("later", "pooled_ols", FLAG)],
    )


def draw(units: int, seed: int, *, lead: float = 0.0) -> pd.DataFrame:
    """Draw four years of units in two sectors; ``lead`` is kept by a unit through all of them."""
    rng = np.random.default_rng(seed)
    names = np.repeat([f"f{n:03d}" for n in range(units)], 4)
    size, own = (np.repeat(rng.normal(size=units), 4) for _ in range(2))
    chance = rng.normal(size=4 * units)
    return pd.DataFrame(
        {
            "factory": names,
            "year": np.tile(range(2016, 2020), units),
            "sector": np.where(np.arange(4 * units) // 4 % 2, "garment", "electronics"),
            "size": size,
            "y": 0.5 * size + lead * own + chance,
            "plan": chance,
        }
    )


def test_peers_are_the_nearest_of_the_same_place() -> None:
    rng = np.random.default_rng(3)
    names = [f"f{n:02d}" for n in range(40)]
    traits = pd.DataFrame(rng.normal(size=(40, 3)) * [1, 100, 0.01], index=names)
    places = pd.Series(np.repeat(["a", "b"], 20), index=names)
    found = match_peers(traits, places, peers=4)
    for name in names:
        scaled = (traits - traits.loc[name]) / traits.std(ddof=0)
        far = np.sqrt((scaled**2).sum(axis=1))[(places == places[name]) & (places.index != name)]
        assert list(found.loc[name]) == list(far.sort_values().index[:4])


def test_nobody_is_its_own_peer_and_small_places_have_none() -> None:
    names = [f"f{n}" for n in range(12)]
    traits = pd.DataFrame({"size": 1.0}, index=names)
    places = pd.Series(["a"] * 9 + ["b"] * 3, index=names)
    found = match_peers(traits, places, peers=3)
    assert list(found.index) == names[:9]
    assert not any(name in set(found.loc[name]) for name in found.index)


def test_who_was_ahead_is_told_of_later_years_only(root: Path) -> None:
    study, data = small_study(root, "size"), draw(60, 1)
    below = flag_peers(FLAG, data, study)
    above = flag_peers("above_peers_y", data, study)
    assert below is not None
    assert above is not None
    early = data["year"] < 2018
    assert below[early].isna().all()
    assert set(below[~early]) == {0.0, 1.0}
    assert not (below + above == 2).any()
    first = data[early].groupby("factory")["y"].mean()
    size = data.groupby("factory")["size"].first()
    gaps = {}
    for name in first.index:
        sector = data.groupby("factory")["sector"].first()
        alike = sector.index[(sector == sector[name]) & (sector.index != name)]
        near = (size[alike] - size[name]).abs().nsmallest(5).index
        gaps[name] = first[name] - first[near].mean()
    gap = pd.Series(gaps)
    told = below[~early].groupby(data["factory"]).first()
    assert set(told.index[told == 1]) == set(gap.index[gap < -gap.std()])
    assert flag_peers("y", data, study) is None


def test_chance_is_no_practice_once_the_years_are_split(root: Path) -> None:
    study = small_study(root, "size")
    apart = []
    for seed in range(8):
        table = compare_peers(study, draw(200, seed), FLAG, ("y", "plan"))
        apart.append(table.xs("ahead", axis=1, level=1) - table.xs("peers", axis=1, level=1))
    plan = pd.DataFrame([difference.loc["plan"] for difference in apart]).mean()
    assert plan["first"] < -0.8
    assert abs(plan["second"]) < 0.2
    kept = compare_peers(study, draw(200, 1, lead=1.0), FLAG, ("y",))["second"].loc["y"]
    assert kept["ahead"] < kept["peers"] - 0.8


def test_without_traits_there_are_no_peers(root: Path) -> None:
    with pytest.raises(MeasureError, match="above it"):
        flag_peers(FLAG, draw(20, 1), small_study(root))
    with pytest.raises(MeasureError, match="above_peers_"):
        compare_peers(small_study(root, "size"), draw(20, 1), "y", ("y",))


@functools.cache
def drawn(root: Path, slug: str) -> tuple[Study, Measures, tuple[Finding, ...]]:
    study = load_study(study_file(root, slug))
    measures = score_measures(study, read_sources(study, study.cases[0], 1))
    panel = build_panel(study, measures)
    return study, measures, state(panel, fit_specifications(panel, slug))


@pytest.mark.parametrize("slug", ["buyers", "good_practice", "reporting"])
def test_what_is_declared_is_found_and_placebos_find_nothing(root: Path, slug: str) -> None:
    _, _, findings = drawn(root, slug)
    known = [f for f in findings if f.design == "within" and f.true_effect is not None]
    assert known
    for found in known:
        assert found.conf_low is not None
        assert found.conf_high is not None
        assert found.conf_low <= float(found.true_effect or 0) <= found.conf_high, found.id
        assert found.direction in {"decrease", "increase"}, found.id
    assert findings[-1].id.startswith("placebo")
    assert {f.direction for f in findings if f.id.startswith("placebo")} == {"unclear"}


def test_a_lead_time_is_inferred_by_buyers(root: Path) -> None:
    _, _, findings = drawn(root, "buyers")
    assert {(found.level, found.n_clusters) for found in findings} == {("buyer", 40)}
    home = next(found for found in findings if found.id == "lead_time_japanese")
    assert home.moderator == "japanese"
    assert home.conf_low is not None
    assert home.conf_high is not None
    assert home.conf_low < -1.0 < home.conf_high < 0


def test_what_a_practice_of_the_assessor_alone_looks_like(root: Path) -> None:
    study, measures, _ = drawn(root, "good_practice")
    wanted = ("violations", "safety_plan", "meetings")
    table = compare_peers(study, measures.data, "below_peers_violations", wanted)
    apart = pd.DataFrame(table.xs("ahead", axis=1, level=1) - table.xs("peers", axis=1, level=1))
    gap = apart.to_dict("index")
    assert gap["safety_plan"]["first"] > 2 * abs(gap["safety_plan"]["second"])
    assert gap["violations"]["first"] < gap["violations"]["second"] < 0
    assert gap["meetings"]["second"] > 5
    assert all(abs(value) < 0.15 for value in gap["log_workers"].values())
