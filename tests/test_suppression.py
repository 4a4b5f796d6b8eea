from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from evidence.disclosure import assess, clear, fingerprint, write_results
from evidence.disclosure.suppression import find_differences, find_exposed, hide_cells, list_keys
from evidence.errors import DisclosureError
from evidence.exhibits import CELL_COLUMNS, Exhibit, table_cells, type_cells
from evidence.neck import Neck
from evidence.panel import Panel
from evidence.study import Disclosure, Study
from tables import make_frame, make_neck, make_study, with_rules

RULES = Disclosure()


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return make_study(tmp_path_factory.mktemp("suppression"))


def _table(name: str, by: list[str], cells: Mapping[Any, float], **more: Any) -> Exhibit:
    """Make a table of counts from its labels and numbers, by hand."""
    usual: dict[str, Any] = dict.fromkeys(CELL_COLUMNS)
    rows = [
        {**usual, "case": "all", **dict(zip(by, labels, strict=True)), "value": float(count),
         "contributors": int(count), "rows": int(count), "equal": False, "status": ""}
        for labels, count in cells.items()
    ]  # fmt: skip
    frame = type_cells(pd.DataFrame(rows, columns=["case", *by, *CELL_COLUMNS]))
    asked: dict[str, Any] = {"kind": "cells", "value": "v", "by": by, "statistic": "count", "percent": None,
             "unit": "identifier", "level": "factory", "bands": {}, "simulated": False}  # fmt: skip
    return Exhibit(name, {**asked, **more}, frame)


TWO_WAY = {("a", "x"): 3, ("a", "y"): 20, ("b", "x"): 30, ("b", "y"): 40}


def _margins(cells: Mapping[Any, float]) -> list[Exhibit]:
    rows: dict[tuple[str, ...], float] = {}
    columns: dict[tuple[str, ...], float] = {}
    for (r, c), count in cells.items():
        rows[r,] = rows.get((r,), 0) + count
        columns[c,] = columns.get((c,), 0) + count
    return [_table("rows", ["r"], rows), _table("columns", ["c"], columns)]


def _key(table: str, **place: str) -> str:
    return f"{table}/" + "|".join(f"{k}={v}" for k, v in {"case": "all", **place}.items())


def test_l1_a_single_suppressed_cell_beside_its_margins_is_exposed() -> None:
    tables = [_table("both", ["r", "c"], TWO_WAY), *_margins(TWO_WAY)]
    hidden = frozenset({_key("both", r="a", c="x")})
    assert find_exposed(tables, hidden, RULES) == hidden


def test_a_suppressed_cell_without_margins_is_not_exposed() -> None:
    tables = [_table("both", ["r", "c"], TWO_WAY)]
    hidden = frozenset({_key("both", r="a", c="x")})
    assert find_exposed(tables, hidden, RULES) == frozenset()


def test_l0_four_suppressed_cells_beside_their_margins_are_not_exposed() -> None:
    cells = {(r, c): 20.0 for r in "abc" for c in "xyz"}
    cells |= {("a", "x"): 7.0, ("a", "y"): 8.0, ("b", "x"): 6.0, ("b", "y"): 9.0}
    tables = [_table("both", ["r", "c"], cells), *_margins(cells)]
    hidden = frozenset(_key("both", r=r, c=c) for r in "ab" for c in "xy")
    assert find_exposed(tables, hidden, RULES) == frozenset()
    three = hidden - {_key("both", r="b", c="y")}
    assert find_exposed(tables, three, RULES) == three


def test_an_interval_that_is_too_narrow_exposes_what_rank_does_not() -> None:
    cells = {("a", "x"): 1.0, ("a", "y"): 1.0, ("b", "x"): 1.0, ("b", "y"): 30.0}
    tables = [_table("both", ["r", "c"], cells), *_margins(cells)]
    hidden = frozenset(_key("both", r=r, c=c) for r, c in cells)
    assert find_exposed(tables, hidden, RULES) == hidden - {_key("both", r="b", c="y")}


def test_three_tables_together_expose_what_two_do_not() -> None:
    atoms = {(r, c, d): 11.0 for r in "ab" for c in "xy" for d in "mn"}
    atoms["a", "x", "m"] = 4.0

    def over(*dims: int) -> dict[tuple[str, ...], float]:
        sums: dict[tuple[str, ...], float] = {}
        for place, count in atoms.items():
            key = tuple(place[d] for d in dims)
            sums[key] = sums.get(key, 0.0) + count
        return sums

    whole = _table("whole", ["r", "c", "d"], atoms)
    pairs = [_table("rc", ["r", "c"], over(0, 1)), _table("rd", ["r", "d"], over(0, 2))]
    hidden = frozenset({_key("whole", r="a", c=c, d=d) for c in "xy" for d in "mn"})
    assert find_exposed([whole, *pairs], hidden, RULES) == frozenset()
    wide = [whole, *pairs, _table("cd", ["c", "d"], over(1, 2))]
    assert find_exposed(wide, hidden, RULES) == {_key("whole", r="a", c="x", d="m")}


def test_a_hidden_sum_must_stay_uncertain_by_the_p_ratio(study: Study) -> None:
    def tables(panel: Panel, case: str) -> tuple[Exhibit, ...]:
        cut = table_cells(panel, "employment", ["buyer"], "sum", name="parts", case=case)
        return cut, table_cells(panel, "employment", [], "sum", name="whole", case=case)

    neck = make_neck(study, {"VNM": make_frame(60)}, tables)
    one = frozenset({"parts/case=VNM|buyer=red"})
    assert find_exposed(neck.exhibits, one, RULES) == one
    two = one | {"parts/case=VNM|buyer=blue"}
    assert find_exposed(neck.exhibits, two, RULES) == frozenset()


def test_a_hidden_sum_of_nothing_is_told_exactly(study: Study) -> None:
    def tables(panel: Panel, case: str) -> tuple[Exhibit, ...]:
        cut = table_cells(panel, "employment", ["buyer"], "sum", name="parts", case=case)
        return cut, table_cells(panel, "employment", [], "sum", name="whole", case=case)

    frame = make_frame(60)
    frame.loc[frame["buyer"] == "red", "employment"] = 0.0
    neck = make_neck(study, {"VNM": frame}, tables)
    one = frozenset({"parts/case=VNM|buyer=red"})
    assert find_exposed(neck.exhibits, one, RULES) == one


def test_a_mean_with_its_count_is_as_good_as_a_sum(study: Study) -> None:
    def tables(panel: Panel, case: str) -> tuple[Exhibit, ...]:
        cut = table_cells(panel, "wage", ["buyer"], "mean", name="parts", case=case)
        return cut, table_cells(panel, "wage", [], "mean", name="whole", case=case)

    neck = make_neck(study, {"VNM": make_frame(60)}, tables)
    one = frozenset({"parts/case=VNM|buyer=red"})
    assert find_exposed(neck.exhibits, one, RULES) == one


def test_further_cells_are_hidden_until_the_audit_finds_nothing() -> None:
    cells = {(r, c): 20.0 + ord(r) + ord(c) for r in "abc" for c in "xyz"}
    cells["b", "y"] = 4.0
    tables = (_table("both", ["r", "c"], cells), *_margins(cells))
    primary = frozenset({_key("both", r="b", c="y")})
    hidden = hide_cells(tables, primary, RULES)
    assert find_exposed(tables, hidden, RULES) == frozenset()
    assert primary < hidden
    assert len(hidden) <= 4


def test_tables_too_many_to_judge_are_refused() -> None:
    labels = [(str(k),) for k in range(200)]
    tables = [_table(name, [name], dict.fromkeys(labels, 20.0)) for name in ("a", "b", "c")]
    with pytest.raises(DisclosureError, match=r"3 variables that cut them.*fewer tables"):
        find_exposed(tables, frozenset({_key("a", a="1")}), RULES)


def test_tables_are_compared_by_the_units_behind_them() -> None:
    one = _table("one", ["r"], {("a",): 30, ("b",): 30})
    other = _table("other", ["c"], {("x",): 59})
    units = {
        _key("one", r="a"): [str(k) for k in range(30)],
        _key("one", r="b"): [str(k) for k in range(30, 60)],
        _key("other", c="x"): [str(k) for k in range(59)],
    }
    assert find_differences([one, other], units, 10) == {("one/case=all", "other"): 1}
    assert find_differences([one, other], {**units, _key("other", c="x"): []}, 10) == {}
    without = {key: names for key, names in units.items() if key != _key("one", r="b")}
    assert find_differences([one, other], without, 10) == {}


def _small(panel: Panel, case: str) -> tuple[Exhibit, ...]:
    both = table_cells(panel, "factory", ["year", "buyer"], "count", name="both", case=case)
    return both, table_cells(panel, "factory", ["year"], "count", name="years", case=case)


def _few_red(years: int = 4) -> dict[str, pd.DataFrame]:
    frame = make_frame(60, years=years)
    frame["buyer"] = np.repeat(["red"] * 4 + ["green"] * 26 + ["blue"] * 30, years)
    return {"VNM": frame}


def _blocked(neck: Neck, study: Study) -> str:
    with pytest.raises(DisclosureError) as refused:
        clear(neck, study)
    return str(refused.value)


def test_without_a_remedy_the_gate_stays_shut_and_names_one(study: Study) -> None:
    told = _blocked(make_neck(study, _few_red(), _small), study)
    assert "table cell 'both/case=VNM|year=2018|buyer=red'" in told
    assert 'remedies = ["merge"]' in told


def test_merging_joins_the_smallest_groups_and_says_so(study: Study) -> None:
    def tables(panel: Panel, case: str) -> tuple[Exhibit, ...]:
        return (table_cells(panel, "wage", ["buyer"], "mean", case=case),)

    frames = _few_red()
    cleared = clear(make_neck(study, frames, tables), with_rules(study, remedies=("merge",)))
    (table,) = cleared.neck.exhibits
    assert sorted(table.data["buyer"]) == ["blue", "green + red"]
    row = table.data[table.data["buyer"] == "green + red"].iloc[0]
    own = frames["VNM"][frames["VNM"]["buyer"] != "blue"]
    assert row["value"] == pytest.approx(own["wage"].mean(), rel=1e-12)
    assert row["contributors"] == 30
    assert len(cleared.neck.protected["units"]["cells/case=VNM|buyer=green + red"]) == 30
    steps = [check.summary for check in cleared.checks if check.rule == "merge"]
    assert steps == ["buyer: 'green' merged with 'red'"]
    assert cleared.sha256 == fingerprint(cleared.neck, cleared.study)


def test_years_and_bands_are_merged_with_their_neighbours(study: Study) -> None:
    def tables(panel: Panel, case: str) -> tuple[Exhibit, ...]:
        by = ["year", "committee"]
        return (table_cells(panel, "employment", by, "sum", case=case),)

    frame = make_frame(30, years=3)
    late = frame["year"] == 2020
    few = frame["factory"] < "VNM-0015"
    neck = make_neck(study, {"VNM": frame[~late | few]}, tables)
    cleared = clear(neck, with_rules(study, remedies=("merge",)))
    (table,) = cleared.neck.exhibits
    assert list(dict.fromkeys(table.data["year"])) == ["2018", "2019 + 2020"]
    assert table.data["value"].sum() == pytest.approx(frame[~late | few]["employment"].sum())
    assert table.specification["merged"] == {"year": {"2019 + 2020": ["2019", "2020"]}}


def test_what_cannot_be_merged_stays_refused(study: Study) -> None:
    neck = make_neck(study, {"VNM": make_frame(4)}, _small)
    assert "fewer than 10" in _blocked(neck, with_rules(study, remedies=("merge",)))

    def middles(panel: Panel, case: str) -> tuple[Exhibit, ...]:
        return (table_cells(panel, "wage", ["buyer"], "median", case=case),)

    neck = make_neck(study, _few_red(), middles)
    assert "median" not in _blocked(neck, with_rules(study, remedies=("merge",)))


def test_merged_cells_that_share_units_are_bounded_on_the_safe_side(study: Study) -> None:
    def tables(panel: Panel, case: str) -> tuple[Exhibit, ...]:
        return (table_cells(panel, "employment", ["year"], "sum", case=case),)

    frame = make_frame(30, years=3)
    frame["employment"] = np.repeat([9000.0, *[20.0] * 29], 3)
    neck = make_neck(study, {"VNM": frame}, tables)
    assert "dominance" in _blocked(neck, with_rules(study, remedies=("merge",)))


def test_suppression_hides_further_cells_and_their_numbers(study: Study, tmp_path: Path) -> None:
    neck = make_neck(study, _few_red(), _small)
    cleared = clear(neck, with_rules(study, remedies=("suppress",)))
    both = next(e for e in cleared.neck.exhibits if e.id == "both")
    gone = both.data[both.data["status"] == "suppressed"]
    assert set(gone["year"]) == {"2018", "2019", "2020", "2021"}
    assert len(gone) == 8
    assert (gone.groupby("year").size() == 2).all()
    numbers = [name for name in CELL_COLUMNS if name != "status"]
    assert gone[numbers].isna().to_numpy().all()
    hidden = frozenset(
        key for key, s in zip(list_keys(both), both.data["status"], strict=True) if s
    )
    assert find_exposed(neck.exhibits, hidden, RULES) == frozenset()
    assert not hidden & set(cleared.neck.protected["units"])
    (told,) = [c.summary for c in cleared.checks if c.rule == "suppress"]
    assert told == "4 table cells suppressed, and 4 more that would give them away"
    assert '"suppressed": true' in write_results(cleared, tmp_path).read_text("utf-8")


def test_rounded_counts_are_multiples_and_not_taken_apart(study: Study) -> None:
    def tables(panel: Panel, case: str) -> tuple[Exhibit, ...]:
        return (table_cells(panel, "factory", ["buyer"], "count", name="both", case=case),)

    cleared = clear(make_neck(study, _few_red(), tables), with_rules(study, remedies=("round",)))
    (table,) = cleared.neck.exhibits
    assert list(table.data["value"]) == [30.0, 25.0, 5.0]
    assert list(table.data["contributors"]) == [30, 25, 5]
    assert table.data[["rows", "largest", "total"]].isna().to_numpy().all()


def test_rounding_is_no_remedy_beside_exact_margins(study: Study) -> None:
    def tables(panel: Panel, case: str) -> tuple[Exhibit, ...]:
        cut = table_cells(panel, "factory", ["buyer"], "count", name="both", case=case)
        rest = table_cells(panel, "factory", ["committee"], "count", name="rest", case=case)
        return cut, rest

    frame = make_frame(61, years=2)
    frame["buyer"] = np.repeat(["red"] * 1 + ["green"] * 60, 2)
    told = _blocked(
        make_neck(study, {"VNM": frame}, tables), with_rules(study, remedies=("round",))
    )
    assert "other published cells give away" in told


def test_remedies_touch_nothing_where_the_rules_do_not_bind(study: Study) -> None:
    neck = make_neck(study, _few_red(), _small)
    public = replace(neck, protected={**neck.protected, "confidentiality": "simulated"})
    allowed = with_rules(study, remedies=("merge", "round", "suppress"))
    cleared = clear(public, allowed)
    for one, other in zip(cleared.neck.exhibits, public.exhibits, strict=True):
        pd.testing.assert_frame_equal(one.data, other.data)
    assert any(check.verdict == "fail" for check in cleared.checks)


def test_the_same_neck_is_treated_the_same(study: Study) -> None:
    neck = make_neck(study, _few_red(), _small)
    allowed = with_rules(study, remedies=("suppress",))
    assert clear(neck, allowed).sha256 == clear(neck, allowed).sha256
    assert assess(neck, allowed).checks == assess(neck, allowed).checks
