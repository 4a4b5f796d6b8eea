"""Records become a panel with checked keys and levels and a ledger of every row."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from evidence.errors import PanelError
from evidence.panel import (
    Panel,
    build_panel,
    cluster_column,
    list_complete,
    list_jumps,
    list_truth,
    list_variation,
    select_sample,
    within_share,
)
from evidence.sources import read_snapshot
from evidence.study import Study, load_study
from samples import (
    ROOT,
    Section,
    declare,
    make_panel,
    make_project,
    measures_of,
    read_panel,
    specify,
    study_file,
    write_source,
    write_study,
)

FACTORIES = (
    declare("factory", "entity", "factory"),
    declare("year", "time", "factory"),
    declare("y", "outcome", "factory-cycle"),
    declare("x", "exposure", "factory-cycle"),
)
SPECIFICATIONS = (
    specify("published", "fixed_effects", "x", effects=["entity"], role="replication"),
    specify("within", "fixed_effects", "x", effects=["entity", "time"]),
    specify("pooled", "pooled_ols", "x", effects=["time"]),
)
ROWS: list[tuple[object, ...]] = [
    ("a", 2000, 1.0, 0.0),
    ("a", 2001, 2.0, 1.0),
    ("b", 2000, 3.0, 0.0),
    ("b", 2001, 5.0, 0.0),
]


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return write_study(make_project(tmp_path), FACTORIES, SPECIFICATIONS)


def _frame(rows: list[tuple[object, ...]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["factory", "year", "y", "x"])


def _panel(study: Study, rows: list[tuple[object, ...]]) -> Panel:
    return build_panel(study, measures_of(_frame(rows)))


def _workers(outcome_level: str = "worker", exposure_level: str = "factory") -> list[Section]:
    return [
        declare("worker", "entity", "worker"),
        declare("year", "time", "worker"),
        declare("factory", "cluster", "factory"),
        declare("y", "outcome", outcome_level),
        declare("x", "exposure", exposure_level),
    ]


def _two_factories(exposure: list[float]) -> pd.DataFrame:
    """Follow four workers of two factories through two years; ``exposure`` by worker."""
    rows = [
        (f"w{number}", year, f"f{number // 2}", number + year / 7, value * (year - 1999))
        for number, value in enumerate(exposure)
        for year in (2000, 2001)
    ]
    return pd.DataFrame(rows, columns=["worker", "year", "factory", "y", "x"])


def test_a_panel_has_a_row_an_entity_and_period_in_order(study: Study) -> None:
    panel = _panel(study, ROWS[::-1])
    assert panel.data.index.names == ["entity", "time"]
    assert panel.data.index.tolist() == [("a", 2000), ("a", 2001), ("b", 2000), ("b", 2001)]
    assert (panel.n_entities, panel.n_periods) == (2, 2)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([*ROWS, ("a", 2001, 9.0, 0.0)], r"1 repeated keys, first at year 2001; .*once a year"),
        ([*ROWS, (None, 2001, 9.0, 0.0)], "1 rows without factory or year"),
        ([*ROWS, ("c", None, 9.0, 0.0)], "1 rows without factory or year"),
        ([*ROWS, ("c", 2001.5, 9.0, 0.0)], "expected whole numbers, such as years"),
        ([*ROWS, ("c", math.inf, 9.0, 0.0)], "expected whole numbers, such as years"),
        ([*ROWS, ("c", "2001", 9.0, 0.0)], "expected whole numbers, such as years"),
        ([*ROWS, ("c", 2001, math.inf, 0.0)], "variable 'y': infinite values"),
        ([*ROWS, ("c", 2001, 9.0, -math.inf)], "variable 'x': infinite values"),
        ([*ROWS, ("c", 2001, "nine", 0.0)], "variable 'y': text; expected numbers"),
        ([ROWS[0], ROWS[2]], "a single period; expected two or more"),
    ],
    ids=[
        "a repeated key",
        "no entity",
        "no time",
        "half a year",
        "an infinite year",
        "a year as text",
        "an infinite outcome",
        "an infinite exposure",
        "text in the outcome",
        "one period",
    ],
)
def test_records_that_make_no_panel_are_refused(
    study: Study, rows: list[tuple[object, ...]], message: str
) -> None:
    with pytest.raises(PanelError, match=rf"^sample\.toml: .*{message}"):
        _panel(study, rows)


def test_a_refusal_of_keys_does_not_name_the_entity(study: Study) -> None:
    with pytest.raises(PanelError, match="repeated keys") as caught:
        _panel(study, [("secret works", *row[1:]) for row in ROWS])
    assert "secret" not in str(caught.value)


def test_the_ledger_accounts_for_every_row_from_file_to_sample(study: Study) -> None:
    rows: list[tuple[object, ...]] = [
        *ROWS,
        ("c", 2000, math.nan, 0.0),
        ("c", 2001, 2.0, math.nan),
        ("d", 2000, 2.0, 1.0),
    ]
    panel = _panel(study, rows)
    sample = select_sample(panel, study.specification("within"))
    assert sample.ledger["step"].tolist() == [
        "read",
        "panel",
        "within: y",
        "within: x",
        "within: entity seen once",
    ]
    assert sample.ledger["rows"].tolist() == [7, 7, 6, 5, 4]
    assert sample.ledger["entities"].tolist()[1:] == [4, 4, 3, 2]
    assert sample.ledger["rows"].iloc[-1] == len(sample.data)


def test_a_step_that_loses_nothing_is_not_in_the_ledger(study: Study) -> None:
    panel = _panel(study, ROWS)
    sample = select_sample(panel, study.specification("within"))
    assert sample.ledger["step"].tolist() == ["read", "panel"]


def test_the_ledger_of_the_shipped_plants_ends_at_the_published_sample() -> None:
    panel = read_panel(load_study(study_file(ROOT, "plants")))
    sample = select_sample(panel, panel.study.specification("published"))
    assert panel.ledger["rows"].tolist() == [471, 471]
    assert (len(sample.data), sample.n_entities) == (162, 54)


@pytest.mark.parametrize(("name", "rows"), [("within", 4), ("pooled", 5), ("published", 5)])
def test_an_entity_seen_once_falls_out_only_where_entity_effects_are_no_replication(
    study: Study, name: str, rows: int
) -> None:
    panel = _panel(study, [*ROWS, ("c", 2000, 4.0, 1.0)])
    assert len(select_sample(panel, study.specification(name)).data) == rows


def test_a_convention_that_keeps_entities_seen_once_keeps_them(tmp_path: Path) -> None:
    kept = [
        specify(name, "fixed_effects", "x", effects=["entity", "time"], convention=name)
        for name in ("fixest", "stata", "linearmodels")
    ]
    panel = _panel(write_study(make_project(tmp_path), FACTORIES, kept), [*ROWS, ("c", 2000, 4, 1)])
    rows = [len(select_sample(panel, spec).data) for spec in panel.study.specifications]
    assert rows == [4, 5, 5]


def test_variation_is_told_within_and_between(study: Study) -> None:
    table = list_variation(_panel(study, [*ROWS, ("c", 2000, math.nan, 1.0)]))
    assert list(table.loc["y", ["rows", "entities", "never_change"]]) == [4, 2, 0]
    assert table.loc["y", "within"] == pytest.approx(math.sqrt((0.25 + 0.25 + 1 + 1) / 4))
    assert table.loc["y", "between"] == pytest.approx(2.5 / math.sqrt(2))
    assert table.loc["x", "never_change"] == 2


def test_complete_rows_are_listed_by_period_for_each_specification(study: Study) -> None:
    panel = _panel(study, [*ROWS, ("c", 2000, math.nan, 1.0)])
    table = list_complete(panel, ("a", "c", "nobody"))
    assert list(table.loc["within"]) == ["2000, 2001", "none", "none"]


def test_a_jump_between_reports_is_listed_with_both_years(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    csv = "factory,year,x\na,2000,10\na,2001,\na,2006,45\nb,2000,90\nb,2001,71\nc,2001,5\n"
    columns = {"factory": "text", "year": "integer", "x": "number"}
    write_source(root, csv, columns, key=["factory", "year"])
    snapshot = read_snapshot(root, "sample", seed=0, case={})
    jumps = list_jumps([snapshot], "x", least=20)
    assert jumps.reset_index().to_numpy().tolist() == [["a", 2000, 2006, 10.0, 45.0, 35.0]]
    with pytest.raises(PanelError, match="no table of entities and periods"):
        list_jumps([snapshot], "y", least=20)


def test_an_entity_left_with_one_row_by_missing_values_falls_out(study: Study) -> None:
    panel = _panel(study, [*ROWS, ("c", 2000, 4.0, 1.0), ("c", 2001, math.nan, 0.0)])
    sample = select_sample(panel, study.specification("within"))
    assert sample.data.index.unique("entity").tolist() == ["a", "b"]


def test_a_sample_without_rows_is_refused(study: Study) -> None:
    panel = _panel(study, [(*row[:3], math.nan) for row in ROWS])
    with pytest.raises(PanelError, match="specification 'pooled': no row with all of y, x"):
        select_sample(panel, study.specification("pooled"))


@pytest.mark.parametrize(
    ("x", "share"),
    [
        ([0.0, 0.0, 1.0, 1.0], 0.0),
        ([0.0, 1.0, 1.0, 0.0], 1.0),
        ([0.0, 2.0, 1.0, 3.0], 0.8),
        ([7.0, 7.0, 7.0, 7.0], 0.0),
    ],
    ids=["between only", "within only", "four fifths within", "the same everywhere"],
)
def test_the_within_share_is_what_varies_within_entities(
    study: Study, x: list[float], share: float
) -> None:
    rows = [(*row[:3], value) for row, value in zip(ROWS, x, strict=True)]
    assert within_share(_panel(study, rows).data, "x") == share


def test_a_factory_value_that_varies_within_factories_is_refused(tmp_path: Path) -> None:
    frame = _two_factories([0.0, 1.0, 0.0, 0.0])
    with pytest.raises(PanelError, match=r"variable 'x': different values within each factory"):
        make_panel(tmp_path, frame, _workers(), [specify("s", "pooled_ols", "x")])


def test_a_worker_exposure_that_is_one_for_all_in_a_factory_is_refused(tmp_path: Path) -> None:
    frame = _two_factories([0.0, 0.0, 1.0, 1.0])
    variables = _workers(exposure_level="worker")
    with pytest.raises(PanelError, match=r"variable 'x': one and the same value within each fac"):
        make_panel(tmp_path, frame, variables, [specify("s", "pooled_ols", "x")])


@pytest.mark.parametrize(
    ("exposure", "level"),
    [([0.0, 0.0, 1.0, 1.0], "factory"), ([0.0, 1.0, 1.0, 0.0], "worker")],
)
def test_a_level_that_the_data_bear_out_is_accepted(
    tmp_path: Path, exposure: list[float], level: str
) -> None:
    variables = _workers(exposure_level=level)
    panel = make_panel(
        tmp_path, _two_factories(exposure), variables, [specify("s", "pooled_ols", "x")]
    )
    assert panel.n_entities == 4


def test_an_exposure_that_nobody_has_is_no_wrong_level(tmp_path: Path) -> None:
    frame = _two_factories([0.0, 0.0, 0.0, 0.0])
    variables = _workers(exposure_level="worker")
    panel = make_panel(tmp_path, frame, variables, [specify("s", "pooled_ols", "x")])
    assert panel.data["x"].eq(0).all()


def test_clusters_are_named_by_the_entity_or_a_cluster_variable(tmp_path: Path) -> None:
    study = write_study(make_project(tmp_path), _workers(), [specify("s", "pooled_ols", "x")])
    assert cluster_column(study, "worker") == "worker"
    assert cluster_column(study, "factory") == "factory"
    assert cluster_column(study, "factory-cycle") == "factory"
    with pytest.raises(PanelError, match="no variable with role 'cluster' and level 'country'"):
        cluster_column(study, "country")


def test_an_exposure_that_is_one_for_everybody_in_a_period_is_refused(study: Study) -> None:
    rows = [(*row[:3], value) for row, value in zip(ROWS, [0.0, 1.0, 0.0, 1.0], strict=True)]
    with pytest.raises(PanelError, match=r"one and the same value for everybody in each year"):
        _panel(study, rows)


@pytest.mark.parametrize("year", [3, 202, 20210, 20210601])
def test_a_year_that_is_no_year_is_refused(tmp_path: Path, year: int) -> None:
    variables = [*FACTORIES[:1], declare("year", "time", "factory", "year"), *FACTORIES[2:]]
    study = write_study(make_project(tmp_path), variables, SPECIFICATIONS)
    rows = [*ROWS, ("a", year, 1.0, 1.0)]
    with pytest.raises(PanelError, match=f"year {year}; expected years from 1900 to 2100"):
        build_panel(study, measures_of(_frame(rows)))


def test_a_period_that_is_no_year_may_be_any_whole_number(study: Study) -> None:
    assert _panel(study, [(f, t - 1999, y, x) for f, t, y, x in _typed(ROWS)]).n_periods == 2


def _typed(rows: list[tuple[object, ...]]) -> list[tuple[str, int, float, float]]:
    frame = _frame(rows)
    return list(frame.itertuples(index=False, name=None))


def test_both_clocks_stand_beside_the_declared_variables(study: Study) -> None:
    frame = _frame(ROWS).assign(
        calendar_month=[0, 12, 3, 15], months_since_enrolment=[0, 12, 0, 12]
    )
    last = build_panel(study, measures_of(frame)).data.iloc[-1]
    assert (last["calendar_month"], last["months_since_enrolment"]) == (15, 12)


def test_the_truth_is_told_of_what_the_study_names(study: Study) -> None:
    truth = {"y": {"x": -0.5, "hidden": 1.0}, "x": {"hidden": 2.0}, "hidden": {"x": 3.0}}
    panel = _panel(study, ROWS)
    told = replace(panel, provenance=replace(panel.provenance, truth=truth))
    assert list_truth(told).to_dict() == {"y": {"x": -0.5}}
    assert list_truth(panel).empty
