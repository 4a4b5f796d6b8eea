from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from conftest import write_case
from evidence.brief.blocks import blocks_of
from evidence.brief.model import compose
from evidence.disclosure import assess, clear, fingerprint, write_results
from evidence.errors import DisclosureError, ExhibitError, NeckError
from evidence.exhibits import (
    CELL_COLUMNS,
    Exhibit,
    entitle_cells,
    label_cell,
    note_cells,
    table_cells,
    tabulate,
)
from evidence.measures import score_measures
from evidence.neck import Neck, read_neck, save_neck
from evidence.panel import Panel, build_panel
from evidence.sources import read_sources
from evidence.study import Study
from tables import make_frame, make_neck, make_panel_of, make_study, with_rules


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return make_study(tmp_path_factory.mktemp("cells"))


@pytest.fixture(scope="module")
def panel(study: Study) -> Panel:
    return make_panel_of(study, make_frame(60))


def _cell(exhibit: Exhibit, **place: str) -> dict[str, Any]:
    (row,) = [r for r in exhibit.rows if all(r[k] == v for k, v in place.items())]
    return row


def test_contributors_are_factories_and_never_rows(panel: Panel) -> None:
    row = _cell(table_cells(panel, "wage", [], "mean"), case="all")
    assert (row["contributors"], row["rows"]) == (60, 120)
    counted = table_cells(panel, "factory", ["committee"], "count")
    assert list(counted.data["value"]) == [30.0, 30.0]


@pytest.mark.parametrize(
    ("statistic", "value", "expected"),
    [
        ("mean", "wage", lambda rows: rows["wage"].mean()),
        ("sum", "employment", lambda rows: rows["employment"].sum()),
        ("share", "violation", lambda rows: rows["violation"].mean()),
        ("count", "wage", lambda rows: rows["factory"].nunique()),
        (
            "median",
            "wage",
            lambda rows: float(f"{rows.groupby('factory')['wage'].mean().median():.2g}"),
        ),
    ],
)
def test_a_cell_holds_the_statistic_of_its_rows(
    panel: Panel, statistic: str, value: str, expected: Callable[[pd.DataFrame], float]
) -> None:
    exhibit = table_cells(panel, value, ["year", "buyer"], statistic)
    data = panel.data.reset_index(drop=True)
    for row in exhibit.rows:
        inside = data[(data["year"] == int(row["year"])) & (data["buyer"] == row["buyer"])]
        assert row["value"] == pytest.approx(expected(inside), rel=1e-12)
        assert row["rows"] == len(inside)


def test_a_percentile_is_of_units_rounded_with_both_sides_counted(panel: Panel) -> None:
    row = _cell(table_cells(panel, "wage", [], 80), case="all")
    means = panel.data.groupby(level="entity")["wage"].mean()
    assert row["value"] == float(f"{means.quantile(0.8):.2g}")
    assert (row["below"], row["above"]) == (48, 12)


def test_a_cell_keeps_its_largest_units_and_the_total_without_signs(study: Study) -> None:
    frame = make_frame(12)
    frame["employment"] = np.repeat([-500.0, 300, *[10.0] * 10], 2)
    row = table_cells(make_panel_of(study, frame), "employment", [], "sum").rows[0]
    assert (row["largest"], row["second"], row["total"]) == (1000.0, 600.0, 1800.0)
    assert row["value"] == -200.0


def test_empty_cells_of_an_indicator_and_of_bands_stand_in_the_table(study: Study) -> None:
    frame = make_frame(20).assign(violation=1.0)
    flat = make_panel_of(study, frame)
    counted = table_cells(flat, "factory", ["violation"], "count")
    assert dict(zip(counted.data["violation"], counted.data["value"], strict=True)) == {
        "0": 0.0,
        "1": 20.0,
    }
    banded = table_cells(flat, "wage", ["employment"], "mean", bands={"employment": (1.0, 1e6)})
    assert list(banded.data["contributors"]) == [0, 20, 0]
    assert list(banded.data["employment"]) == ["-inf..1", "1..1e+06", "1e+06..inf"]


def test_a_band_holds_its_lower_edge(study: Study) -> None:
    frame = make_frame(12)
    frame["workers"] = np.repeat([100.0] * 6 + [99.0] * 6, 2)
    banded = table_cells(
        make_panel_of(study, frame), "factory", ["workers"], "count", bands={"workers": (100,)}
    )
    assert list(banded.data["value"]) == [6.0, 6.0]


def test_rows_without_a_value_or_a_place_fall_out(study: Study) -> None:
    frame = make_frame(20)
    frame.loc[frame["factory"] == "VNM-0000", "wage"] = np.nan
    frame.loc[frame["factory"] == "VNM-0001", "committee"] = np.nan
    exhibit = table_cells(make_panel_of(study, frame), "wage", ["committee"], "mean")
    assert exhibit.data["contributors"].sum() == 18
    assert "VNM-0000" not in {name for names in exhibit.units.values() for name in names}


def test_units_are_named_for_the_gate_and_not_in_the_rows(panel: Panel) -> None:
    exhibit = table_cells(panel, "wage", ["committee"], "mean", case="VNM")
    names = exhibit.units["case=VNM|committee=1"]
    assert len(names) == 30
    assert "VNM-0001" not in exhibit.data.to_csv()
    assert list(exhibit.data.columns) == ["case", "committee", *CELL_COLUMNS]


@pytest.mark.parametrize("statistic", ["max", "min", "describe", "mode", "std", max, np.mean])
def test_smallest_largest_and_functions_are_refused(panel: Panel, statistic: Any) -> None:
    with pytest.raises(ExhibitError, match=r"statistic.*one of count, share.*by its name"):
        table_cells(panel, "wage", ["committee"], cast("str", statistic))


@pytest.mark.parametrize("name", ["factory"])
def test_a_table_with_a_cell_for_each_factory_is_refused(panel: Panel, name: str) -> None:
    with pytest.raises(ExhibitError, match=r"by 'factory'.*a cell for each unit"):
        table_cells(panel, "wage", [name], "mean")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"value": "pay"}, r"value: 'pay'.*a variable of the study"),
        ({"by": ["province"]}, r"by: 'province'"),
        ({"by": ["employment"]}, r"many values, and no bands.*bands=\{'employment'"),
        ({"by": ["committee", "committee"]}, "already has"),
        ({"value": "buyer"}, "text; expected numbers"),
        ({"value": "wage", "statistic": "share"}, "values other than 0 and 1"),
        ({"statistic": "percentile"}, r"a percentile such as 90"),
        ({"statistic": 0}, "percentile 0"),
        ({"statistic": 100.0}, "above 0 and below 100"),
        ({"drawn_as": "panels"}, "drawn_as 'panels'.*'year' among"),
        ({"by": ["buyer"], "drawn_as": "pairs"}, "'year' or an indicator"),
        ({"drawn_as": "map"}, "cells of whole cases"),
        ({"drawn_as": "pie"}, "one of panels"),
        ({"by": ["employment"], "bands": {"employment": (5, 3)}}, "edges 5, 3; expected"),
    ],
)
def test_what_cannot_be_cut_is_refused_in_plain_words(
    panel: Panel, asked: dict[str, Any], message: str
) -> None:
    usual = {"value": "wage", "by": ["committee"], "statistic": "mean"}
    with pytest.raises(ExhibitError, match=message):
        table_cells(panel, **{**usual, **asked})


def _tables(panel: Panel, case: str) -> tuple[Exhibit, ...]:
    mean = table_cells(panel, "wage", ["year", "committee"], "mean", name="wages", case=case)
    return mean, table_cells(panel, "factory", ["committee"], "count", name="numbers", case=case)


def test_cases_are_put_below_each_other(study: Study) -> None:
    frames = {"KHM": make_frame(40, country="KHM"), "VNM": make_frame(60)}
    neck = make_neck(study, frames, _tables)
    wages, numbers = neck.exhibits
    assert list(dict.fromkeys(wages.data["case"])) == ["KHM", "VNM"]
    assert len(wages.data) == 8
    assert _cell(numbers, case="KHM", committee="1")["contributors"] == 20
    assert len(neck.protected["units"]["numbers/case=KHM|committee=1"]) == 20


def test_a_forged_count_is_refused(study: Study) -> None:
    neck = make_neck(study, {"VNM": make_frame(6)}, _tables)
    first = neck.exhibits[0]
    forged = replace(first, data=first.data.assign(contributors=50))
    with pytest.raises(DisclosureError, match=r"exhibit 'wages'.*protected\.json"):
        clear(replace(neck, exhibits=(forged, neck.exhibits[1])), study)
    counts = neck.exhibits[1]
    forged = replace(counts, data=counts.data.assign(value=50.0))
    with pytest.raises(DisclosureError, match="exhibit 'numbers'"):
        clear(replace(neck, exhibits=(first, forged)), study)


@pytest.fixture(scope="module")
def written(plants: Study) -> Neck:
    """A study of real, public data whose notebook writes tables as well."""
    output = "reports/internal/plants/cases/all/tables"
    neck = write_case(plants, 0, output)
    panel = build_panel(plants, score_measures(plants, read_sources(plants, plants.cases[0], 1)))
    tables = (
        table_cells(panel, "grant", ["year"], "share", name="grants"),
        table_cells(panel, "plant", ["year", "union"], "count", name="numbers"),
        table_cells(panel, "log_scrap", ["union"], "median", name="middle"),
    )
    units = {f"{t.id}/{cell}": list(names) for t in tables for cell, names in t.units.items()}
    protected = {**neck.protected, "units": {**neck.protected["units"], **units}}
    whole = replace(neck, exhibits=(*neck.exhibits, *tables), protected=protected)
    save_neck(whole, plants.root / output)
    return whole


def test_tables_survive_the_way_through_files_to_the_last_digit(
    plants: Study, written: Neck
) -> None:
    again = read_neck(plants.root / "reports/internal/plants/cases/all/tables")
    before = {e.id: e for e in written.exhibits}
    for exhibit in again.exhibits:
        pd.testing.assert_frame_equal(exhibit.data, before[exhibit.id].data, check_exact=True)
        assert exhibit.specification == before[exhibit.id].specification
    assert again.protected == written.protected


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("grants.json", '"share"', '"max"'),
        ("grants.json", '"bands"', '"cuts"'),
        ("grants.csv", "contributors", "rows"),
        ("grants.csv", "all,1987,", "all,1987,x"),
    ],
)
def test_a_table_that_breaks_its_schema_is_refused(
    written: Neck, tmp_path: Path, name: str, old: str, new: str
) -> None:
    save_neck(written, tmp_path)
    path = tmp_path / "exhibits" / name
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    with pytest.raises(NeckError):
        read_neck(tmp_path)


def test_the_brief_lays_tables_out(plants: Study, written: Neck) -> None:
    made = compose(clear(written, plants), "en")
    tables = blocks_of(made, "evidence")[2:]
    captions = [table["caption"] for table in tables]
    assert captions == [
        "Share with a training grant (per cent), by year",
        "Number of plants with plant, by year, a union",
        "Median of the scrap rate (log points), by a union",
    ]
    shares, numbers, _ = tables
    assert shares["head"] == ["Year", "Share with a training grant (per cent)", "Plants"]
    assert [cell["text"] for cell in shares["body"][1]] == ["1988", "22.9", "157"]
    assert [cell["text"] for cell in numbers["body"][0]][:2] == ["1987", "no"]


def test_bands_merged_years_and_withheld_cells_are_worded(study: Study) -> None:
    frame = make_frame(60, years=4)
    bands = {"workers": (300.0, 500.0)}
    exhibit = table_cells(
        make_panel_of(study, frame), "wage", ["year", "workers"], "mean", bands=bands
    )
    data = exhibit.data.copy()
    data.loc[0, ["value", "contributors"]] = np.nan
    data["status"] = ["suppressed", *[""] * (len(data) - 1)]
    merged = {"year": {"2018": ["2018", "2019"]}}
    shown = Exhibit("cells", {**exhibit.specification, "merged": merged}, data)
    body = [[text for text, _ in row] for row in tabulate(study, "en", shown)[1]]
    assert body[0] == ["2018\u2060–\u20602019", "less than 300", "withheld", ""]
    assert [row[1] for row in body[1:3]] == ["300 to less than 500", "500 or more"]
    assert note_cells("en", shown).startswith("Withheld: ")
    assert entitle_cells(study, "en", shown) == "Average of wage (points), by year, workers"


def test_checks_are_kept_and_written_for_output_checkers(
    plants: Study, written: Neck, tmp_path: Path
) -> None:
    save_neck(written, tmp_path)
    cleared = clear(written, plants)
    assert cleared.sha256 == fingerprint(written, plants)
    assert {check.rule for check in cleared.checks} >= {"threshold", "dof", "contributors", "zeros"}
    target = write_results(cleared, tmp_path)
    first = target.read_bytes()
    assert write_results(assess(written, plants), tmp_path).read_bytes() == first
    told = pd.read_json(target, typ="series")
    assert set(told["results"]) == {
        "estimates", "statements", *(exhibit.id for exhibit in written.exhibits)
    }  # fmt: skip
    for uid, result in told["results"].items():
        assert result["uid"] == uid
        assert result["status"] in {"pass", "review", "fail"}
        for file in result["files"]:
            assert (tmp_path / file["name"]).is_file()
            assert len((tmp_path / f"checksums/{file['name']}.txt").read_text("utf-8")) == 64


def test_rules_are_recorded_and_stop_nothing_where_data_are_public(
    plants: Study, written: Neck
) -> None:
    strict = with_rules(plants, threshold=100)
    assert any(check.verdict == "fail" for check in clear(written, strict).checks)
    bound = {**written.protected, "confidentiality": "restricted"}
    with pytest.raises(DisclosureError, match="fewer than 100 contributing units"):
        clear(replace(written, protected=bound), strict)


def test_a_label_says_where_a_cell_stands() -> None:
    assert label_cell({"case": "all", "year": "2019"}) == "case=all|year=2019"
