"""Scorecards: what one factory may read of the others, and what no card gives away."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from conftest import finish
from evidence.cli import main
from evidence.disclosure import clear
from evidence.errors import BriefError, DisclosureError
from evidence.neck import read_neck
from evidence.scorecards import list_factories, write_scorecards
from evidence.scorecards.group import (
    MARKS,
    benchmark,
    least_units,
    place_among,
    share_of,
    tell_uptake,
)
from evidence.scorecards.issues import lay_issues
from evidence.scorecards.report import name_card
from evidence.study import Disclosure, Study, load_study
from samples import Section, declare, make_project, specify, study_file, write_source, write_study

RULES = Disclosure(threshold=10)
HOSTILE = ("../../x", "<script>alert(1)</script>", "a/b\\c", "{{ c.unit }}", "\u00e9toile")
VARIABLES = [
    {**declare("id", "entity", "factory")},
    declare("year", "time", "factory", "year"),
    declare("y", "outcome", "factory-cycle"),
    declare("x", "exposure", "factory-cycle", "indicator"),
]
WITHIN = specify("within", "fixed_effects", "x", effects=["entity", "time"])


def _simulate(factories: int = 48, years: int = 4, seed: int = 5) -> pd.DataFrame:
    """Draw simulated factories of which half take x up on the way."""
    draw = np.random.default_rng(seed)
    names = [*HOSTILE, *(f"plant-{n:03d}" for n in range(factories - len(HOSTILE)))]
    frame = pd.DataFrame([(i, 2010 + t) for i in names for t in range(years)])
    frame.columns = pd.Index(["id", "year"])
    start = np.repeat(draw.integers(1, 2 * years, size=factories), years)
    frame["x"] = (np.tile(np.arange(years), factories) >= start).astype(int)
    frame["y"] = draw.normal(size=len(frame)) + np.repeat(draw.normal(size=factories), years)
    return frame


def _make(
    folder: Path,
    frame: pd.DataFrame,
    variables: Iterable[Section] = VARIABLES,
    specifications: Iterable[Section] = (WITHIN,),
) -> Study:
    root = make_project(folder)
    study = write_study(root, variables, specifications)
    columns = {"id": "text", "year": "integer", "y": "number", "x": "integer"}
    csv = frame.to_csv(index=False, float_format="%.17g", lineterminator="\n")
    write_source(root, csv, columns, key=["id", "year"], extra='identifiers = ["id"]')
    finish(study)
    return study


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return _make(tmp_path_factory.mktemp("cards"), _simulate())


@pytest.fixture(scope="module")
def pages(sample: Study) -> dict[str, str]:
    """Return every factory's page."""
    cleared = clear(read_neck(sample.internal), sample)
    write_scorecards(cleared)
    folder = sample.root / "reports/internal/scorecards/sample"
    return {
        unit: (folder / name_card("all", unit, "en")).read_text(encoding="utf-8")
        for unit in list_factories(cleared)
    }


def _text(page: str) -> str:
    body = page.partition("<main")[2].partition("</main>")[0]
    return html.unescape(re.sub(r"<[^>]+>", " ", body))


def _rows(values: list[float], time: int = 2020) -> pd.DataFrame:
    names = [f"f{n}" for n in range(len(values))]
    return pd.DataFrame({"entity": names, "guard": names, "time": time, "y": values})


def test_cards_lie_inside_for_their_owner_alone_and_public_is_untouched(sample: Study) -> None:
    cleared = clear(read_neck(sample.internal), sample)
    reports = sample.root / "reports"
    public = {p: p.read_bytes() for p in (reports / "public").rglob("*") if p.is_file()}
    written = write_scorecards(cleared)
    before = {path: path.read_bytes() for path in written}
    folder = reports / "internal/scorecards/sample"
    assert {path.parent for path in written} == {folder}
    assert len(written) == len(set(written)) == 48
    assert {path.stat().st_mode & 0o777 for path in written} == {0o600}
    assert [p.stat().st_mode & 0o777 for p in (folder, folder.parent)] == [0o700, 0o700]
    stale = folder / "gone-0000.en.html"
    stale.write_text("a factory that left", encoding="utf-8")
    write_scorecards(cleared)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert {p: p.read_bytes() for p in (reports / "public").rglob("*") if p.is_file()} == public


def test_no_card_names_another_factory(pages: dict[str, str]) -> None:
    for unit, page in pages.items():
        shown = _text(page)
        assert unit in shown
        assert [other for other in pages if other != unit and other in shown] == []


def test_a_page_that_would_name_another_factory_is_not_written(
    sample: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    cleared = clear(read_neck(sample.internal), sample)
    monkeypatch.setattr("evidence.scorecards.page.name_unit", lambda *_: "plant-030")
    with pytest.raises(DisclosureError, match="an identifier of a factory"):
        write_scorecards(cleared, ["plant-031"])


@pytest.mark.parametrize("unit", HOSTILE)
def test_a_hostile_name_is_text_and_stays_in_the_folder(pages: dict[str, str], unit: str) -> None:
    name = name_card("all", unit, "en")
    assert re.fullmatch(r"[a-z0-9-]+-[0-9a-f]{16}\.en\.html", name)
    assert "<script" not in pages[unit]
    assert "default-src 'none'" in pages[unit]
    assert unit in html.unescape(pages[unit])


def test_names_that_look_alike_have_files_of_their_own() -> None:
    names = ["A b", "a-b", "a/b", "工場", "្រោង", "", "a" * 400, "a" * 401]
    assert len({name_card("all", name, "en") for name in names}) == len(names)
    assert max(len(name_card("all", name, "en")) for name in names) < 100


def test_the_group_has_the_same_numbers_on_every_card(pages: dict[str, str]) -> None:
    def marks(page: str) -> list[str]:
        rows = re.findall(r'<tr><th scope="row">(\d{4})</th>(.*?)</tr>', page)
        cells = [re.findall(r"<td[^>]*>(.*?)</td>", row) for _, row in rows]
        return ["|".join(row[1:4] + row[5:]) for row in cells if len(row) > 4]

    told = {tuple(marks(page)) for page in pages.values()}
    assert len(told) == 1
    assert len(told.pop()) == 4


def test_two_that_collude_learn_no_other_value() -> None:
    """Whatever the others are inside their quarter, two cards together show the same."""
    draw = np.random.default_rng(1)
    values = np.sort(draw.normal(size=48))
    shown = benchmark(_rows(list(values)), "y", RULES).periods[2020].marks
    for third in range(2, 48):
        moved = values.copy()
        quarter = values[12 * (third // 12) : 12 * (third // 12) + 12]
        moved[third] = draw.uniform(quarter[1], quarter[-2])
        again = benchmark(_rows(list(moved)), "y", RULES).periods[2020].marks
        if 12 * (third // 12) < third < 12 * (third // 12) + 11:
            assert again == shown
    assert all(mark is not None for mark in shown)
    extreme = values.copy()
    extreme[-1], extreme[0] = 1e6, -1e6
    assert benchmark(_rows(list(extreme)), "y", RULES).periods[2020].marks == shown
    assert not {round(float(v), 12) for v in values[[0, -1]]} & set(shown)


def test_a_mark_needs_more_units_on_each_side_than_the_threshold() -> None:
    for count, known in ((41, False), (42, True)):
        marks = benchmark(_rows(list(np.arange(count) / 7.0)), "y", RULES).periods[2020].marks
        assert (marks[0] is not None, marks[2] is not None) == (known, known)
        assert marks[1] is not None
    few = benchmark(_rows([1.0, 2.0, 3.0, 4.0]), "y", RULES).periods[2020]
    assert few.marks == (None, None, None)
    assert few.count is None
    alike = benchmark(_rows([3.0] * 60), "y", RULES).periods[2020]
    assert alike.marks == (None, None, None)


def test_units_are_protected_ones_and_not_rows() -> None:
    rows = _rows(list(np.arange(60) / 7.0)).assign(guard=[f"g{n % 9}" for n in range(60)])
    assert benchmark(rows, "y", RULES).periods[2020].marks == (None, None, None)


def test_a_place_follows_from_the_marks_as_they_are_shown() -> None:
    marks = (1.0, 2.0, 3.0)
    own = (0.96, 1.04, 1.06, 2.0, 2.5, 3.04, 3.1)
    assert [place_among(value, marks, 0.1) for value in own] == [0, 0, 1, 1, 2, 2, 3]
    assert place_among(5.0, (None, 2.0, 3.0), 0.1) is None
    assert len(MARKS) == 3


def test_a_share_needs_enough_units_with_and_without() -> None:
    names = [f"f{n}" for n in range(30)]
    least = least_units(RULES)
    assert least == 11
    assert share_of([1.0] * 11 + [0.0] * 19, names, RULES) == 0.37
    assert share_of([1.0] * 10 + [0.0] * 20, names, RULES) is None
    assert share_of([1.0] * 30, names, RULES) is None


def _moves(takers: int, others: int, change: dict[int, float] | None = None) -> pd.DataFrame:
    count = takers + others
    names = [f"f{n:03d}" for n in range(count)]
    start = np.random.default_rng(2).permutation(count) / 10.0
    step = [(change or {}).get(n, 1.0 + n % 3 if n < takers else 0.5 + n % 2) for n in range(count)]
    has = [1.0] * takers + [0.0] * others
    first = pd.DataFrame({"entity": names, "guard": names, "time": 1, "y": start, "x": 0.0})
    last = first.assign(time=2, y=start + step, x=has)
    return pd.concat([first, last])


def test_what_similar_ones_did_is_told_in_groups_that_all_carry() -> None:
    wide = tell_uptake(_moves(30, 30), "y", "x", RULES)
    assert len(wide.groups) in {1, 2}
    assert wide.edges == () or len(wide.edges) == 1
    whole = tell_uptake(_moves(15, 15), "y", "x", RULES)
    (only,) = whole.groups
    assert only.share == 0.5
    assert only.taken == pytest.approx(2.0)
    assert only.left == pytest.approx(np.mean([0.5 + n % 2 for n in range(15, 30)]))
    assert tell_uptake(_moves(10, 60), "y", "x", RULES).groups == ()
    assert tell_uptake(_moves(60, 10), "y", "x", RULES).groups == ()


def test_a_change_that_few_hold_is_withheld() -> None:
    assert tell_uptake(_moves(15, 15, {0: 1000.0}), "y", "x", RULES).groups == ()


def test_thin_groups_are_refused_in_words(tmp_path: Path) -> None:
    frame = _simulate(factories=14)
    study = _make(tmp_path, frame)
    neck = read_neck(study.internal)
    (study_file(study.root, "sample")).write_text(
        study.path.read_text("utf-8") + "\n[disclosure]\nthreshold = 6\n", "utf-8"
    )
    lenient = load_study(study.path)
    cleared = clear(neck, lenient)
    (page,) = write_scorecards(cleared, ["plant-002"])
    shown = _text(page.read_text("utf-8"))
    assert "withheld" in shown
    assert "too few ids took it up" in shown
    assert "about 15" in shown


def _cleared(study: Study) -> Any:
    return clear(read_neck(study.internal), study)


def test_an_unknown_factory_is_refused_and_none_is_named(sample: Study) -> None:
    with pytest.raises(BriefError, match="1 names that no factory of the run has") as caught:
        write_scorecards(_cleared(sample), ["plant-001", "plant-999"])
    assert "plant-0" not in str(caught.value)


def test_a_study_of_persons_gets_no_cards(sample: Study) -> None:
    persons = tuple(replace(v, level="worker") for v in sample.variables)
    cleared: Any = SimpleNamespace(study=replace(sample, variables=persons))
    with pytest.raises(BriefError, match="expected a study that observes factories"):
        write_scorecards(cleared)


def test_the_command_writes_one_card_and_refuses_a_stale_run(
    sample: Study, pages: dict[str, str]
) -> None:
    assert pages
    told = CliRunner().invoke(main, ["scorecard", str(sample.path), "--factory", "plant-003"])
    assert told.exit_code == 0, told.output
    assert "1 scorecards, confidential: reports/internal/scorecards/sample" in told.output
    record = sample.root / "data/sources/sample.toml"
    kept = record.read_text("utf-8")
    record.write_text(kept.replace('version = "sample"', 'version = "2"', 1), "utf-8")
    told = CliRunner().invoke(main, ["scorecard", str(sample.path)])
    record.write_text(kept, "utf-8")
    assert told.exit_code == 1
    assert "expected results made from the inputs of today" in told.output


def test_data_without_answers_say_so(pages: dict[str, str]) -> None:
    assert "Single issues of this id are not in these data." in _text(pages["plant-001"])


def test_issues_are_counted_in_assessments(sample: Study) -> None:
    rows = [
        ("a", 2018, "q1", 1), ("a", 2020, "q1", 1), ("a", 2021, "q1", 1),
        ("a", 2018, "q2", 1), ("a", 2020, "q2", 0), ("a", 2021, "q2", 1),
        ("a", 2018, "q3", 1), ("a", 2020, "q3", 1),
        ("b", 2020, "q1", 0), ("b", 2021, "q1", 0),
    ]  # fmt: skip
    answers = pd.DataFrame(rows, columns=["id", "year", "item", "finding"]).assign(cluster="pay")
    issues = lay_issues(sample, answers, {"pay": {"en": "Pay"}}, {})
    told = {
        (row.first, row.periods, row.closed, row.open, row.followed, row.next)
        for row in issues.spells.itertuples()
    }
    assert told == {
        (2018, 3, False, True, True, False),
        (2018, 1, True, False, True, True),
        (2021, 1, False, True, False, False),
        (2018, 2, False, False, True, False),
    }
    assert [(cluster.id, cluster.gone) for cluster in issues.clusters] == [("pay", None)]


def test_a_logarithm_is_told_in_its_own_unit_and_a_placebo_is_left_out(tmp_path: Path) -> None:
    frame = _simulate()
    frame["y"] = np.exp(frame["y"])
    days = declare("log_y", "outcome", "factory-cycle", "log points")
    later = declare("lead1_x", "exposure", "factory-cycle", "indicator")
    variables = [*VARIABLES[:2], days, VARIABLES[3], later]
    within = specify("within", "fixed_effects", "x", effects=["entity", "time"], outcome="log_y")
    placebo = {**within, "id": "next", "exposure": "lead1_x", "role": "placebo"}
    study = _make(tmp_path, frame, variables, [within, placebo])
    (path,) = write_scorecards(clear(read_neck(study.internal), study), ["plant-003"])
    shown = _text(path.read_text("utf-8"))
    own = frame.loc[frame["id"] == "plant-003", "y"].to_numpy()
    rows = dict(re.findall(r"(201[0-3])\s+([\d.,]+)\s", shown))
    told = [float(rows[str(2010 + n)].replace(",", "")) for n in range(4)]
    assert np.allclose(told, own, rtol=0.06)
    assert "log points" not in shown
    assert re.search(r"\d per\s+cent\s+(higher|lower)", shown.replace("\u00a0", " "))
    assert "lead1" not in shown
