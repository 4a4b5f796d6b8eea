"""The data report says first whether new data are fit to rerun, and why not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Literal

import pandas as pd
import pytest

from evidence.errors import ExhibitError
from evidence.exhibits import draw, figure_report
from evidence.panel import DataReport, list_attrition, list_gaps, report_data
from evidence.sources import archive_file
from evidence.sources.identity.keys import make_key
from evidence.study import Study, load_study
from samples import (
    declare,
    edit,
    make_panel,
    make_project,
    specify,
    study_file,
    write_source,
    write_study,
)

COLUMNS = {"factory": "text", "year": "integer", "y": "number", "x": "number"}
VARIABLES = (
    declare("factory", "entity", "factory"),
    declare("year", "time", "factory", "year"),
    declare("y", "outcome", "factory-cycle"),
    declare("x", "exposure", "factory-cycle"),
)
FIGURES: tuple[Literal["coverage", "factories"], ...] = ("coverage", "factories")
HEAD = "factory,year,y,x\n"


def _rows(years: tuple[int, ...] = (2020, 2021), count: int = 30, plus: float = 0.0) -> str:
    lines = [
        f"f{n:02d},{year},{(n * 7 + year) % 11 + plus},{(n + year) % 2}"
        for n in range(count)
        for year in years
    ]
    return HEAD + "\n".join(lines) + "\n"


def _study(root: Path, csv: str) -> Study:
    study = write_study(root, VARIABLES, [specify("s", "pooled_ols", "x")])
    write_source(root, csv, COLUMNS, key=["factory", "year"])
    return study


def _archive(root: Path, csv: str, day: date) -> None:
    raw = root / "data/raw/sample/records.csv"
    raw.write_text(csv, encoding="utf-8")
    archive_file(root, raw, today=day)


def _states(report: DataReport) -> dict[str, str]:
    return dict(zip(report.verdict["question"], report.verdict["state"], strict=True))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path)


def test_whole_data_are_fit_to_rerun(project: Path) -> None:
    report = report_data(_study(project, _rows()))
    assert report.fit
    assert set(report.verdict["state"]) == {"good"}
    assert report.errors == ()


def test_data_that_cannot_be_read_are_not_fit_and_the_report_says_why(project: Path) -> None:
    report = report_data(_study(project, _rows().replace("f03,2020,", "f03,2020,much")))
    assert not report.fit
    stopped = report.verdict[report.verdict["state"] == "stop"]
    assert stopped["seen"].str.contains("'much").all()
    assert len(report.errors) == 1
    for frame in (report.coverage, report.factories, report.gaps, report.items, report.ledger):
        assert frame.empty
        assert frame.columns[0] == "case"


def test_a_specification_without_a_sample_makes_data_unfit(project: Path) -> None:
    csv = HEAD + "".join(f"f{n},{year},,{n % 2}\n" for n in range(5) for year in (2020, 2021))
    report = report_data(_study(project, csv))
    assert not report.fit
    assert "no row with all of y, x" in str(report.errors[0])


def test_a_last_period_that_is_half_there_wants_a_look(project: Path) -> None:
    csv = _rows((2020, 2021)) + "".join(f"f{n:02d},2022,1,{n % 2}\n" for n in range(14))
    report = report_data(_study(project, csv))
    assert report.fit
    assert _states(report)["Is the last period whole?"] == "look"


def test_revisions_count_rows_and_values_against_the_snapshot_before(project: Path) -> None:
    study = _study(project, _rows())
    _archive(project, _rows(), date(2026, 1, 5))
    newer = _rows((2020, 2021, 2022)).replace("f00,2020,", "f00,2020,1")
    _archive(project, newer, date(2026, 4, 7))
    report = report_data(study)
    (row,) = report.revisions.to_dict("records")
    assert (row["rows_before"], row["added"], row["lost"]) == (60, 30, 0)
    assert (row["compared"], row["changed"]) == (120, 1)
    assert report.fit


def test_rows_that_vanish_stop_a_rerun(project: Path) -> None:
    study = _study(project, _rows())
    _archive(project, _rows(), date(2026, 1, 5))
    _archive(project, _rows(count=28), date(2026, 4, 7))
    report = report_data(study)
    assert not report.fit
    assert report.revisions["lost"].tolist() == [4]
    assert _states(report)["What changed since the snapshot before?"] == "stop"


def test_values_revised_throughout_want_a_look(project: Path) -> None:
    study = _study(project, _rows())
    _archive(project, _rows(), date(2026, 1, 5))
    _archive(project, _rows(plus=0.5), date(2026, 4, 7))
    report = report_data(study)
    assert report.fit
    assert report.revisions["changed"].tolist() == [60]
    assert _states(report)["What changed since the snapshot before?"] == "look"


def test_a_value_that_stays_missing_is_no_revision(project: Path) -> None:
    gappy = _rows().replace(f"f00,2020,{2020 % 11 + 0.0},", "f00,2020,,")
    study = _study(project, gappy)
    _archive(project, gappy, date(2026, 1, 5))
    _archive(project, gappy + "f99,2020,1,0\nf99,2021,1,1\n", date(2026, 4, 7))
    assert report_data(study).revisions["changed"].tolist() == [0]


def test_coverage_is_the_share_with_a_value_by_period(project: Path) -> None:
    csv = HEAD + "a,2020,1,0\na,2021,2,1\nb,2020,,1\nb,2021,1,0\nc,2021,3,1\nc,2020,1,0\n"
    coverage = report_data(_study(project, csv)).coverage.set_index(["variable", "time"])["share"]
    assert coverage["y", 2020] == pytest.approx(2 / 3, rel=1e-15)
    assert coverage["y", 2021] == 1
    assert coverage["x", 2020] == 1


def _panel_of(
    tmp_path: Path, seen: dict[str, tuple[int, ...]]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = [(f, year, 1.0 + n, n % 2) for f, years in seen.items() for n, year in enumerate(years)]
    frame = pd.DataFrame(rows, columns=["factory", "year", "y", "x"])
    panel = make_panel(tmp_path, frame, VARIABLES, [specify("s", "pooled_ols", "x")])
    return list_attrition(panel), list_gaps(panel)


def test_attrition_counts_who_came_went_and_returned(tmp_path: Path) -> None:
    attrition, gaps = _panel_of(
        tmp_path,
        {"a": (2020, 2021, 2022), "b": (2020, 2022), "c": (2021,), "d": (2020, 2021)},
    )
    assert attrition["present"].tolist() == [3, 3, 2]
    assert attrition["entered"].tolist() == [3, 1, 0]
    assert attrition["returned"].tolist() == [0, 0, 1]
    assert attrition["left"].tolist()[:2] == [0, 2]
    assert pd.isna(attrition["left"].iloc[-1])
    assert gaps["entities"].tolist() == [2, 1, 1]


def test_who_is_present_follows_from_who_came_and_went(tmp_path: Path) -> None:
    seen = {f"f{n}": tuple(range(2015 + n % 4, 2017 + n % 4 + n % 3 + 1)) for n in range(40)}
    attrition, _ = _panel_of(tmp_path, seen)
    flow = attrition["entered"] + attrition["returned"] - attrition["left"].shift(1).fillna(0)
    assert flow.cumsum().tolist() == attrition["present"].tolist()


def test_the_entry_rule_lets_in_who_was_assessed_often_enough(project: Path) -> None:
    study = _study(project, _rows() + "once,2020,1,0\n")
    assert report_data(study).factories["present"].tolist() == [31, 30]
    path = study_file(project, "sample")
    edit(path, "[data]", "[panel]\nleast_periods = 2\n\n[data]")
    report = report_data(load_study(path))
    assert report.factories["present"].tolist() == [30, 30]
    assert report.ledger["step"].tolist()[-1] == "entry rule"


def test_an_entry_rule_that_nobody_meets_is_an_error_of_the_report(project: Path) -> None:
    study = _study(project, _rows())
    path = study_file(project, study.slug)
    edit(path, "[data]", "[panel]\nleast_periods = 3\n\n[data]")
    report = report_data(load_study(path))
    assert "no entity with 3 periods; the most has 2" in str(report.errors[0])


def test_its_figures_say_that_data_are_simulated(project: Path) -> None:
    plain = report_data(_study(project, _rows()))
    simulated = replace(plain, simulated=True)
    for kind in FIGURES:
        pictures = [draw(figure_report(r, kind), r.study, "en", "wide") for r in (plain, simulated)]
        assert pictures[0] != pictures[1]
        assert all(picture.startswith(b"<?xml") for picture in pictures)


def test_a_report_without_a_panel_has_no_figure(project: Path) -> None:
    report = report_data(_study(project, HEAD + "a,2020,1,0\n"))
    with pytest.raises(ExhibitError, match="whose cases cannot be read"):
        figure_report(report, "coverage")


REGISTERED = {
    "factory": "text",
    "name": "text",
    "country": "text",
    "year": "integer",
    "y": "number",
    "x": "number",
}
REGISTER = "key,country,name,address,sector,opened,closed,merged_into,source,source_id\n{rows}"


def _registered(root: Path, matches: str) -> Study:
    """Make a study of 12 registered factories, and one whose second year is spelled oddly."""
    names = [f"Blue Heron Knit {word} Co., Ltd" for word in WORDS]
    keys = [make_key("VNM", n) for n in range(1, 40) if make_key("VNM", n)][: len(names)]
    rows = "".join(
        f'{key},VNM,"{n}",,garment,,,,sample,s{i}\n'
        for i, (key, n) in enumerate(zip(keys, names, strict=True))
    )
    folder = root / "data/raw/registers/asia"
    folder.mkdir(parents=True)
    (folder / "factories.csv").write_text(REGISTER.format(rows=rows), encoding="utf-8")
    lines = [f'f{i},"{n}",VNM,2020,{i},{i % 2}' for i, n in enumerate(names)]
    lines += [f'f{i},"{n}",VNM,2021,{i + 1},{(i + 1) % 2}' for i, n in enumerate(names[:-1])]
    lines.append('x9,"Blue Heron Knit Osprey Dyeing Works",VNM,2021,3,1')
    csv = "factory,name,country,year,y,x\n" + "\n".join(lines) + "\n"
    study = write_study(root, VARIABLES, [specify("s", "pooled_ols", "x")])
    write_source(root, csv, REGISTERED, key=["factory", "year"], extra='register = "asia"')
    edit(
        study_file(root, "sample"), "[data]", f'[panel]\nuncertain_matches = "{matches}"\n\n[data]'
    )
    return load_study(study.path)


WORDS = ("Kingfisher", "Lapwing", "Mallard", "Nightjar", "Osprey")


def test_the_analysis_runs_with_uncertain_matches_in_and_out(tmp_path: Path) -> None:
    out = report_data(_registered(make_project(tmp_path / "out"), "out"))
    taken = report_data(_registered(make_project(tmp_path / "in"), "in"))
    assert out.factories["present"].tolist() == [5, 4]
    assert taken.factories["present"].tolist() == [5, 5]
    question = "Are the factories those of the register?"
    assert _states(out)[question] == _states(taken)[question] == "look"
    assert out.ledger["reason"].str.contains("1 rows of factories whose match is uncertain").any()
