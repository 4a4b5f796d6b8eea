from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from evidence.disclosure import Cleared, assess, clear, list_outputs, write_results
from evidence.disclosure.rules import CELL_RULES, REMEDIES, check_estimates, judge_cell
from evidence.errors import DisclosureError, ExhibitError, StudyError
from evidence.exhibits import Exhibit, table_cells
from evidence.models import fit, list_adopters
from evidence.neck import Neck
from evidence.panel import Panel
from evidence.study import Disclosure, Study, Waiver, load_study
from samples import edit, make_project, specify, study_file, write_study
from tables import (
    VARIABLES,
    list_rows,
    make_frame,
    make_neck,
    make_panel_of,
    make_study,
    protect,
    with_rules,
)

Frames = Mapping[str, pd.DataFrame]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return make_study(tmp_path_factory.mktemp("rules"))


def _cut(value: str, by: list[str], statistic: str | float, **more: Any) -> Callable[..., Any]:
    def tables(panel: Panel, case: str) -> tuple[Exhibit, ...]:
        return (table_cells(panel, value, by, statistic, case=case, **more),)

    return tables


def _both(*makers: Callable[..., Any]) -> Callable[..., Any]:
    def tables(panel: Panel, case: str) -> tuple[Exhibit, ...]:
        made = [exhibit for maker in makers for exhibit in maker(panel, case)]
        return tuple(replace(exhibit, id=f"cells{n}") for n, exhibit in enumerate(made))

    return tables


def _places(**sizes: int) -> dict[str, pd.DataFrame]:
    return {country: make_frame(size, country=country) for country, size in sizes.items()}


def _large(share: float = 0.97, sign: float = 1.0, rest_sign: float = 1.0) -> Frames:
    """One factory with most of the employment beside 29 of 20 workers each."""
    frame = make_frame(30)
    rest = 29 * 20.0
    first = rest * share / (1 - share)
    frame["employment"] = np.repeat([sign * first, *[rest_sign * 20.0] * 29], 2)
    return {"VNM": frame}


def _two_of_forty_rows() -> Frames:
    few = make_frame(2, country="KHM", years=20)
    many = make_frame(60, country="VNM")
    return {"KHM": few, "VNM": many}


def _all_violate() -> Frames:
    return {"KHM": make_frame(40, country="KHM").assign(violation=1.0), "VNM": make_frame(40)}


def _without_one(name: str) -> Frames:
    frame = make_frame(60)
    frame.loc[frame["factory"] == "VNM-0007", name] = np.nan
    return {"VNM": frame}


PLANTED: dict[str, tuple[str, Callable[..., Any], Frames]] = {
    "T1 a small country": (
        "threshold",
        _cut("factory", ["buyer"], "count"),
        _places(KHM=60, IDN=12),
    ),
    "T2 forty rows of two factories": (
        "threshold",
        _cut("factory", [], "count"),
        _two_of_forty_rows(),
    ),
    "T3 a sum that one factory holds": ("dominance", _cut("employment", [], "sum"), _large()),
    "T3b a mean that one factory holds": ("dominance", _cut("employment", [], "mean"), _large()),
    "T3c the same with negative values": (
        "dominance",
        _cut("employment", [], "sum"),
        _large(rest_sign=-1),
    ),
    "T3d a large negative factory": ("dominance", _cut("employment", [], "sum"), _large(sign=-1)),
    "T4 an empty cell": ("zeros", _cut("factory", ["violation"], "count"), _all_violate()),
    "T4b a share of 100 per cent": ("zeros", _cut("violation", [], "share"), _all_violate()),
    "T4c a mean of units that are alike": (
        "zeros",
        _cut("violation", [], "mean"),
        _all_violate(),
    ),
    "T5d a percentile at the end": (
        "percentiles",
        _cut("wage", [], 99),
        _places(VNM=200),
    ),
    "T6 margins with a small cell": (
        "threshold",
        _both(_cut("factory", ["buyer"], "count"), _cut("factory", [], "count")),
        _places(IDN=24),
    ),
    "T8 shares of small cells": ("threshold", _cut("x", ["buyer"], "share"), _places(IDN=24)),
    "T8b a share with few on a side": (
        "threshold",
        _cut("violation", [], "share"),
        {"VNM": make_frame(60).assign(violation=np.repeat([1.0] * 4 + [0.0] * 56, 2))},
    ),
    "T7 the same without one factory": (
        "differencing",
        _both(_cut("wage", [], "mean"), _cut("wage", ["committee"], "mean")),
        _without_one("committee"),
    ),
    "T7c two cuts that miss one factory": (
        "differencing",
        _both(_cut("employment", ["union"], "sum"), _cut("employment", ["committee"], "sum")),
        _without_one("union"),
    ),
    "one of many by public findings": (
        "threshold",
        _cut("wage", ["finding0", "finding1", "finding2", "finding3"], "mean"),
        _places(VNM=120),
    ),
    "one by size band and place": (
        "threshold",
        _cut("wage", ["workers"], "mean", bands={"workers": (900,)}),
        _places(VNM=120),
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_disclosure_is_stopped(study: Study, name: str) -> None:
    rule, tables, frames = PLANTED[name]
    neck = make_neck(study, frames, tables)
    broken = {check.rule for check in assess(neck, study).checks if check.verdict == "fail"}
    assert rule in broken
    with pytest.raises(DisclosureError, match=r"the rule '.*' of the data agreement") as told:
        clear(neck, study)
    first = re.search(r"the rule '(.*)' of", str(told.value))
    assert first is not None
    assert REMEDIES[first[1]].partition(" ")[0] in str(told.value)


SAFE: dict[str, tuple[Callable[..., Any], Frames]] = {
    "T0 counts": (_cut("factory", ["buyer"], "count"), _places(KHM=60, VNM=90)),
    "T0b means": (_cut("wage", ["buyer"], "mean"), _places(KHM=60, VNM=90)),
    "T5b medians": (_cut("wage", ["buyer"], "median"), _places(KHM=90, VNM=90)),
    "T7b twice the same": (
        _both(_cut("wage", ["buyer"], "mean"), _cut("wage", ["buyer"], "mean")),
        _places(VNM=90),
    ),
    "counts by year": (_cut("factory", ["year"], "count"), _places(VNM=40)),
    "means by year": (_cut("wage", ["year"], "mean"), _places(VNM=40)),
    "sums by year": (_cut("employment", ["year"], "sum"), _places(VNM=40)),
    "sums by buyer and year": (_cut("employment", ["buyer", "year"], "sum"), _places(VNM=120)),
    "shares": (_cut("violation", ["year"], "share"), _places(VNM=40)),
    "shares by buyer": (_cut("union", ["buyer"], "share"), _places(VNM=90)),
    "a quarter": (_cut("wage", [], 25), _places(VNM=60)),
    "three quarters": (_cut("wage", [], 75), _places(VNM=60)),
    "a tenth of many": (_cut("wage", [], 10), _places(VNM=150)),
    "four countries": (_cut("wage", [], "mean"), _places(BGD=50, KHM=30, JPN=20, VNM=60)),
    "a table and its margin": (
        _both(_cut("wage", ["committee"], "mean"), _cut("wage", [], "mean")),
        _places(VNM=60),
    ),
    "a count and its margin": (
        _both(_cut("factory", ["committee"], "count"), _cut("factory", [], "count")),
        _places(VNM=60),
    ),
    "two variables with different gaps": (
        _both(_cut("wage", [], "mean"), _cut("employment", [], "mean")),
        _without_one("wage"),
    ),
    "bands of workers": (
        _cut("wage", ["workers"], "mean", bands={"workers": (400,)}),
        _places(VNM=120),
    ),
    "one public finding": (_cut("wage", ["finding0"], "mean"), _places(VNM=120)),
    "one finding by buyer": (_cut("wage", ["finding1", "buyer"], "mean"), _places(VNM=240)),
    "a large factory of several": (_cut("employment", [], "sum"), _large(share=0.5)),
    "many years": (_cut("factory", ["year"], "count"), {"VNM": make_frame(30, years=8)}),
}


def test_safe_tables_pass_with_at_most_one_false_alarm(study: Study) -> None:
    alarms = []
    for name, (tables, frames) in SAFE.items():
        try:
            clear(make_neck(study, frames, tables), study)
        except DisclosureError as error:
            alarms.append(f"{name}: {error}")
    assert len(SAFE) >= 20
    assert len(alarms) <= 1, alarms


USUAL: dict[str, Any] = {
    "value": 5.0, "contributors": 40, "rows": 80, "largest": 30.0, "second": 20.0,
    "total": 400.0, "equal": False, "below": 20, "above": 20, "n_factories": None,
    "n_workers": None, "status": "",
}  # fmt: skip
ALONE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "threshold": ({"contributors": 9}, {}),
    "zeros": ({"equal": True}, {}),
    "dominance": ({"largest": 50.0, "second": 44.0, "total": 100.0}, {}),
    "p-ratio": ({"largest": 71.0, "second": 17.0, "total": 100.0}, {}),
    "endpoints": ({}, {"statistic": "max"}),
    "percentiles": ({"below": 9}, {"statistic": "median"}),
    "workers": ({"n_factories": 4, "n_workers": 200}, {"level": "worker"}),
}


@pytest.mark.parametrize("rule", ALONE)
def test_each_rule_alone_finds_what_no_other_finds(rule: str) -> None:
    assert set(ALONE) == set(CELL_RULES)
    row, asked = ALONE[rule]
    settings = Disclosure(p_ratio=0.2 if rule == "p-ratio" else 0.1)
    usual = {"statistic": "mean", "level": "factory"}
    assert judge_cell(USUAL, usual, settings) == []
    found = judge_cell({**USUAL, **row}, {**usual, **asked}, settings)
    assert [problem.rule for problem in found] == [rule]


@pytest.mark.parametrize(
    ("row", "asked", "settings", "broken"),
    [
        ({"contributors": 4}, {}, {"threshold": 5}, {"threshold"}),
        ({"contributors": 5}, {}, {"threshold": 5}, set()),
        ({"contributors": 3}, {}, {"threshold": 3}, set()),
        ({"contributors": None}, {}, {}, {"threshold"}),
        ({"contributors": 0}, {}, {"zeros_are_disclosive": False}, set()),
        ({"contributors": 0}, {}, {}, {"zeros"}),
        ({"equal": True}, {}, {"zeros_are_disclosive": False}, set()),
        ({"above": 0}, {"statistic": "share"}, {}, {"zeros"}),
        ({"below": 9}, {"statistic": "share"}, {}, {"threshold"}),
        ({"largest": 95.0, "second": 0.0, "total": 100.0}, {}, {"nk_n": 1, "p_ratio": 0.01}, {"dominance"}),
        ({"largest": 50.0, "second": 44.0, "total": 100.0}, {}, {"nk_n": 1}, set()),
        ({"largest": 50.0, "second": 44.0, "total": 100.0}, {}, {"nk_k": 0.95}, set()),
        ({"largest": 50.0, "second": 44.0, "total": 100.0}, {"statistic": "count"}, {}, set()),
        ({"value": 5.123}, {"statistic": "median"}, {}, {"percentiles"}),
        ({"above": None}, {"statistic": "percentile"}, {}, {"percentiles"}),
        ({"n_factories": 5, "n_workers": 10}, {"level": "worker"}, {}, set()),
        ({"n_factories": 5, "n_workers": 9}, {"level": "worker"}, {}, {"threshold", "workers"}),
        ({"n_factories": None}, {"level": "worker"}, {}, {"threshold", "workers"}),
        ({"status": "suppressed", "contributors": None, "value": None}, {}, {}, set()),
    ],
)  # fmt: skip
def test_rules_follow_their_settings(
    row: dict[str, Any], asked: dict[str, Any], settings: dict[str, Any], broken: set[str]
) -> None:
    usual = {"statistic": "mean", "level": "factory"}
    found = judge_cell({**USUAL, **row}, {**usual, **asked}, Disclosure(**settings))
    assert {problem.rule for problem in found} == broken


def _neck(rows: list[dict[str, Any]], units: dict[str, list[str]] | None = None) -> Neck:
    return Neck(list_rows(rows), [], (), protect(units or {}))


def _names(count: int) -> list[str]:
    return [f"f{k}" for k in range(count)]


REGRESSIONS: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "R1 six rows": ("dof", [{"nobs": 6, "term": f"x{k}"} for k in range(2)]),
    "R2 a dummy for one factory": ("contributors", [{"n_treated_clusters": 1}]),
    "R3 a dummy for every factory": (
        "contributors",
        [{"term": f"f{k}", "n_treated_clusters": 1} for k in range(240)],
    ),
    "R8 six factories within": (
        "dof",
        [
            {"specification": "within", "estimator": "fixed_effects", "term": f"x{k}",
             "nobs": 12, "n_entities": 6, "n_periods": 2}
            for k in range(5)
        ],
    ),
    "R9 sixteen factories within": (
        "dof",
        [
            {"specification": "within", "estimator": "fixed_effects", "term": f"x{k}",
             "nobs": 32, "n_entities": 16, "n_periods": 2}
            for k in range(14)
        ],
    ),
    "R4 an event of two factories": (
        "events",
        [
            {"specification": "path", "estimator": "sun_abraham", "term": "x event 0"},
            {"specification": "path", "estimator": "sun_abraham", "term": "x event 1"},
        ],
    ),
    "R4c an event of nobody knows whom": (
        "events",
        [{"specification": "path", "estimator": "sun_abraham", "term": "x event 7"}],
    ),
}  # fmt: skip
EVENTS = {
    "all/path/x event 0": _names(60),
    "all/path/x event 1": _names(2),
    "all/path/x never": _names(60),
}


@pytest.mark.parametrize("name", REGRESSIONS)
def test_a_regression_that_tells_of_few_is_stopped(study: Study, name: str) -> None:
    rule, rows = REGRESSIONS[name]
    neck = _neck(rows, EVENTS)
    broken = {c.rule for c in check_estimates(neck, study) if c.verdict == "fail"}
    assert broken == {rule}
    with pytest.raises(DisclosureError, match=f"'{rule}'"):
        clear(neck, study)


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"specification": "within", "estimator": "fixed_effects"},
        {"estimator": "fractional"},
        {"estimator": "poisson", "specification": "within"},
        {"estimator": "iv_2sls", "specification": "within"},
        {"n_treated_clusters": 60},
        {"n_treated_clusters": 2, "level": "country"},
        {"estimator": "sun_abraham", "specification": "path", "term": "x event 0"},
    ],
)
def test_a_large_regression_passes(study: Study, row: dict[str, Any]) -> None:
    assert isinstance(clear(_neck([row], EVENTS), study), Cleared)


def test_few_that_never_adopt_are_stopped(study: Study) -> None:
    row = {"estimator": "sun_abraham", "specification": "path", "term": "x event 0"}
    few = _neck([row], {**EVENTS, "all/path/x never": _names(9)})
    with pytest.raises(DisclosureError, match=r"'all/path/x never'.*fewer than 10"):
        clear(few, study)


def test_effects_whose_levels_are_not_counted_are_for_review(study: Study) -> None:
    row = {"specification": "cells", "estimator": "fixed_effects"}
    (told,) = [c for c in check_estimates(_neck([row]), study) if c.rule == "dof"]
    assert told.verdict == "review"


def test_the_units_of_an_adoption_path_are_those_of_its_steps(study: Study) -> None:
    frame = make_frame(40, years=5)
    start = np.repeat([2020.0] * 12 + [2021.0] * 3 + [np.inf] * 25, 5)
    frame["x"] = (frame["year"] >= start).astype(float)
    panel = make_panel_of(study, frame)
    listed = list_adopters(panel, study.specification("path"))
    counts = {term: len(names) for term, names in listed.items()}
    assert counts == {
        "x event -3": 3, "x event -2": 15, "x event -1": 15, "x event 0": 15, "x event 1": 15,
        "x event 2": 12, "x never": 25,
    }  # fmt: skip
    assert list_adopters(panel, study.specification("pooled")) == {}


def _factory_of_workers(panel: Panel) -> Panel:
    """Read the panel's factories as workers of a few factories, and the wage as theirs."""
    levels: dict[str, Any] = {"factory": "worker", "buyer": "factory", "wage": "worker"}
    changed = tuple(replace(v, level=levels.get(v.name, v.level)) for v in panel.study.variables)
    return replace(panel, study=replace(panel.study, variables=changed))


def test_worker_statistics_count_workers_and_factories(study: Study) -> None:
    panel = _factory_of_workers(make_panel_of(study, make_frame(60)))
    exhibit = table_cells(panel, "wage", ["year"], "mean")
    assert set(exhibit.data["n_workers"]) == {60}
    assert set(exhibit.data["n_factories"]) == {3}
    units = {f"cells/{cell}": list(names) for cell, names in exhibit.units.items()}
    neck = Neck(list_rows([]), [], (exhibit,), protect(units))
    with pytest.raises(DisclosureError, match=r"rule 'workers'.*never show the workers of a few"):
        clear(neck, study)
    with pytest.raises(ExhibitError, match="a cell for each unit"):
        table_cells(panel, "wage", ["buyer"], "mean")


def test_an_exception_becomes_a_review_that_tells_who_asks_and_why(
    study: Study, tmp_path: Path
) -> None:
    neck = make_neck(study, _places(VNM=24), _cut("factory", ["buyer"], "count"))
    asked = Waiver("cells", "threshold", "head of unit", "The buyers publish these counts.")
    excepted = with_rules(study, exceptions=(asked,))
    cleared = clear(neck, excepted)
    (told, *_) = [check for check in cleared.checks if check.rule == "threshold"]
    assert told.verdict == "review"
    assert "asked by head of unit: The buyers publish" in told.summary
    result = json.loads(write_results(cleared, tmp_path).read_text("utf-8"))["results"]["cells"]
    assert result["status"] == "review"
    assert "The buyers publish these counts. (head of unit)" in result["exception"]
    other = Waiver("cells", "zeros", "head of unit", "Another rule.")
    with pytest.raises(DisclosureError, match="threshold"):
        clear(neck, with_rules(study, exceptions=(other,)))


def test_nobody_can_except_fewer_than_three(study: Study) -> None:
    neck = make_neck(study, _two_of_forty_rows(), _cut("factory", [], "count"))
    asked = Waiver("cells", "threshold", "head of unit", "Both agreed.")
    with pytest.raises(DisclosureError, match="threshold"):
        clear(neck, with_rules(study, exceptions=(asked,)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("threshold = 2", r"disclosure\.threshold: 2; expected greater than or equal to 3"),
        ("nk_n = 3", r"disclosure\.nk_n: 3; expected 1 or 2"),
        ("nk_k = 1.5", r"disclosure\.nk_k: 1\.5; expected less than 1"),
        ("p_ratio = 0.0", r"disclosure\.p_ratio: 0\.0; expected greater than 0"),
        ("dof = 0", r"disclosure\.dof"),
        ('remedies = ["blur"]', r"disclosure\.remedies\[1\].*'merge', 'round' or 'suppress'"),
        ("p_percent = 10", r"p_percent: an unknown key; expected one of .*p_ratio"),
        (
            '[[disclosure.exceptions]]\noutput = "c"\nrule = "bytes"\nrequested_by = "x"\nreason = "y"',
            r"exceptions\[1\]\.rule: 'bytes'",
        ),
        (
            '[[disclosure.exceptions]]\noutput = "c"\nrule = "dof"\nreason = "y"',
            r"exceptions\[1\]\.requested_by: nothing",
        ),
    ],
)
def test_settings_are_checked_in_plain_words(tmp_path: Path, text: str, message: str) -> None:
    made = make_study(tmp_path)
    path = study_file(made.root, "sample")
    edit(path, "[[variables]]", f"[disclosure]\n{text}\n\n[[variables]]")
    with pytest.raises(StudyError, match=message):
        load_study(path)


def test_no_message_tells_the_parameters_of_dominance(study: Study, tmp_path: Path) -> None:
    secret = with_rules(study, nk_k=0.8713, p_ratio=0.1379)
    neck = make_neck(study, _large(), _cut("employment", [], "sum"))
    told = str([vars_of(check) for check in assess(neck, secret).checks])
    told += write_results(assess(neck, secret), tmp_path).read_text("utf-8")
    with pytest.raises(DisclosureError) as refused:
        clear(neck, secret)
    public = clear(replace(neck, protected={**neck.protected, "confidentiality": "public"}), secret)
    for text in (told, str(refused.value), str(public.rules)):
        assert not re.search(r"8713|87\.13|1379|13\.79", text)


def vars_of(check: Any) -> tuple[str, ...]:
    return check.output, check.rule, check.summary, check.remedy


def test_joined_tables_and_public_findings_single_nobody_out(study: Study) -> None:
    """Link what is released with 21 public findings, size band and place of each factory."""
    bands = {"workers": (400,)}
    cuts = [["workers"], ["committee"], *([f"finding{k}"] for k in range(21))]
    makers = [_cut("wage", by, "mean", bands=bands) for by in cuts]
    frames = _places(KHM=110, VNM=160)
    cleared = clear(make_neck(study, frames, _both(*makers)), study)
    sets = [set(names) for names in cleared.neck.protected["units"].values()]
    assert len(sets) == 2 * 2 * len(cuts)
    assert min(map(len, sets)) >= 10
    for one, other in itertools.combinations(sets, 2):
        if one < other:
            assert len(other - one) >= 10
    pattern = [f"finding{k}" for k in range(21)]
    finest = _cut("wage", ["workers", *pattern[:4]], "mean", bands=bands)
    with pytest.raises(DisclosureError, match=r"threshold|zeros"):
        clear(make_neck(study, frames, finest), study)


def test_the_register_learns_of_each_table_cell_and_what_it_is_of(study: Study) -> None:
    frames = {"VNM": make_frame(60).assign(violation=1.0)}
    neck = make_neck(study, frames, _cut("wage", ["violation"], "mean"))
    allowed = with_rules(study, zeros_are_disclosive=False)
    (output,) = list_outputs(clear(neck, allowed).neck, allowed)
    assert (output.id, output.outcome) == ("cells/case=VNM|violation=1", "wage")
    assert (output.statistic, output.n_units) == ("mean", 60)


def _hinges_on_one(frame: pd.DataFrame) -> pd.DataFrame:
    """Let a second exposure differ from the first in one factory alone."""
    since = frame["year"] > frame["year"].min()
    first = (frame["union"] == 1) & since
    other = first & (frame["factory"] != frame.loc[first, "factory"].iloc[0])
    return frame.assign(committee=first.astype(float), x=other.astype(float))


def _leans_on_one(frame: pd.DataFrame) -> pd.DataFrame:
    """Let one factory change a thousand times as much as all others."""
    small = np.random.default_rng(0).normal(0, 0.1, len(frame))
    first = frame["factory"] == frame["factory"].iloc[0]
    return frame.assign(x=np.where(first, 100.0 * (frame["year"] - 2018), small))


@pytest.mark.parametrize(
    ("change", "least"), [(_hinges_on_one, 1), (_leans_on_one, 1), (lambda frame: frame, 10)]
)
def test_a_coefficient_that_one_factory_bears_has_one_contributor(
    tmp_path: Path, change: Callable[[pd.DataFrame], pd.DataFrame], least: int
) -> None:
    frame = make_frame(60, years=3).assign(committee=0.0)
    late = frame["factory"].str[-2:].astype(int) // 3 % 3
    frame["x"] = (frame["year"] - 2018 > late).astype(float)
    frame["committee"] = (frame["year"] - 2018 > (late + frame["union"]) % 3).astype(float)
    variables = [
        {**v, "unit": "points"} if v["name"] in {"x", "committee"} else v for v in VARIABLES
    ]
    specs = [specify("beside", "fixed_effects", "x", controls=["committee"],
                     effects=["entity", "time"])]  # fmt: skip
    study = write_study(make_project(tmp_path), variables, specs)
    told = fit(make_panel_of(study, change(frame)), "beside")
    count = told.contributors["x"]
    assert count is not None
    assert count == 1 if least == 1 else count >= least
