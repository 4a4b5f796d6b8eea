from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from click.testing import CliRunner

from conftest import copy_project, execute_in_process, finish
from evidence.brief import Reason
from evidence.cli import main
from evidence.cli.progress import follow
from evidence.cli.publishing import REASONS
from evidence.run import Event, plan_runs
from evidence.study import load_study


def _call(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    return result.exit_code, result.output


def test_check_says_what_is_due_and_runs_nothing(fresh_project: Path) -> None:
    code, text = _call("check", fresh_project / "notebooks/studies/value_chains.toml")
    assert code == 0
    assert "value_chains: good. 7 notebook runs, 7 of them due." in text
    assert "BGD-electronics" in text
    assert not (fresh_project / "reports").exists()


def test_a_wrong_study_file_is_told_before_anything_runs(fresh_project: Path) -> None:
    good = fresh_project / "notebooks/studies/plants.toml"
    bad = fresh_project / "notebooks/studies/bargaining.toml"
    bad.write_text(bad.read_text("utf-8").replace("outcome =", "outcom =", 1), "utf-8")
    code, text = _call("run", good, bad)
    assert code == 1
    assert text.startswith("error: bargaining.toml: specifications[1].outcom: an unknown key")
    assert "did you mean 'outcome'?" in text
    assert not (fresh_project / "reports").exists()


def test_a_brief_without_a_run_is_refused(fresh_project: Path) -> None:
    code, text = _call("brief", fresh_project / "notebooks/studies/plants.toml")
    assert code == 1
    assert "no finished run" in text


def test_an_unknown_study_names_its_neighbours(
    fresh_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(fresh_project)
    code, text = _call("check", "plant")
    assert code == 1
    assert "did you mean 'plants'?" in text


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Run ``plants`` to its brief in two separate copies of the project."""
    roots = tuple(copy_project(tmp_path_factory.mktemp(name) / "p") for name in ("one", "two"))
    for root in roots:
        study = root / "notebooks/studies/plants.toml"
        code, text = _call("run", study)
        assert code == 0, text
        assert "plants: plants start (no earlier result)" in text
        assert "plants: 1 run, 0 unchanged, 0 failed" in text
        code, text = _call("brief", study)
        assert code == 0, text
        assert text.rstrip().endswith("reports/public/index.html")
    return roots[0], roots[1]


def test_two_runs_give_the_same_public_bytes(twins: tuple[Path, Path]) -> None:
    one, two = (root / "reports/public" for root in twins)
    files = sorted(p.relative_to(one) for p in one.rglob("*") if p.is_file())
    spoken = load_study(twins[0] / "notebooks/studies/plants.toml").brief.languages
    kinds = ("html", "json", "pdf")
    pages = {f"plants/brief.{code}.{kind}" for code in spoken for kind in kinds}
    assert {"index.html", "briefs.json"} | pages <= {f.as_posix() for f in files}
    for file in files:
        assert (one / file).read_bytes() == (two / file).read_bytes(), file


def test_two_runs_give_the_same_neck(twins: tuple[Path, Path]) -> None:
    one, two = (root / "reports/internal/plants" for root in twins)
    names = ("estimates.csv", "findings.json", "exhibits/findings.csv", "protected.json",
             "cases/all/plants/plants.ipynb")  # fmt: skip
    for name in names:
        assert (one / name).read_bytes() == (two / name).read_bytes(), name


def test_a_second_call_says_that_nothing_changed(twins: tuple[Path, Path]) -> None:
    code, text = _call("run", twins[0] / "notebooks/studies/plants.toml")
    assert code == 0
    assert "plants: 0 run, 1 unchanged, 0 failed" in text


def test_a_dry_run_says_what_would_run_and_why_and_writes_nothing(fresh_project: Path) -> None:
    studies = fresh_project / "notebooks/studies"
    before = sorted(fresh_project.rglob("*"))
    code, text = _call("run", "--dry-run", studies / "plants.toml", studies / "value_chains.toml")
    assert code == 0
    assert "plants: plants would run (no earlier result)" in text
    assert "value_chains: value_chains · BGD-garment would run (no earlier result)" in text
    assert text.endswith("value_chains: 7 would run, 0 unchanged\n")
    assert sorted(fresh_project.rglob("*")) == before


def test_a_dry_run_counts_what_stays(twins: tuple[Path, Path]) -> None:
    study = twins[0] / "notebooks/studies/plants.toml"
    assert _call("run", "--dry-run", study) == (0, "plants: 0 would run, 1 unchanged\n")
    code, text = _call("run", "--dry-run", "--seed", "2", study)
    assert code == 0
    assert "plants would run (parameter seed 2, earlier 1)" in text


@pytest.fixture
def quick(fresh_project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a study whose notebooks are done without a kernel."""
    monkeypatch.setattr("evidence.run.execute.execute", execute_in_process)
    return fresh_project / "notebooks/studies/plants.toml"


def test_events_are_json_a_line_for_machines(quick: Path) -> None:
    code, text = _call("run", "--json", quick)
    assert code == 0
    events = [json.loads(line) for line in text.splitlines()]
    assert [event["event"] for event in events] == ["start", "cell", "done", "end"]
    start, cell, done, end = events
    identity = {"study": "plants", "notebook": "plants", "case": "all"}
    assert all(identity.items() <= event.items() for event in (start, cell, done))
    assert (start["why"], start["expected"]) == ("no earlier result", None)
    assert (cell["cell"], cell["of"], cell["section"]) == (1, 1, "Data")
    assert done["seconds"] >= cell["seconds"] >= 0
    assert end == {"event": "end", "study": "plants", "run": 1, "unchanged": 0, "failed": 0}
    _, again = _call("run", "--json", quick)
    assert [json.loads(line)["event"] for line in again.splitlines()] == ["unchanged", "end"]


def test_a_table_of_what_ran_ends_a_run(quick: Path) -> None:
    _, text = _call("run", quick)
    lines = text.splitlines()
    assert lines[0] == "plants: plants start (no earlier result)"
    assert lines[1].startswith("plants: plants done after ")
    heads = ["study", "notebook", "case", "what", "happened", "seconds", "expected"]
    assert lines[2].split() == heads
    assert lines[3].split()[:4] == ["plants", "plants", "all", "done"]
    assert lines[4:] == ["plants: 1 run, 0 unchanged, 0 failed"]


def test_a_person_sees_a_line_for_each_running_notebook(
    quick: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr("evidence.cli.progress._TICK", 0.01)
    study = load_study(quick)
    job = plan_runs(study)[0]
    with follow([study], as_json=False) as tell:
        tell(Event(job, "start"))
        tell(Event(replace(job, expected=40.0), "cell", cell=3, of=9, section="Models"))
        time.sleep(0.1)
        tell(Event(job, "done"))
    shown = capsys.readouterr()
    assert "plants, cell 3 of 9: Models · 0 of about 40 s" in shown.err
    assert "1/1" in shown.err
    assert "plants  plants    all   done" in shown.out


def test_reasons_of_a_withdrawal_are_those_of_the_brief() -> None:
    assert get_args(Reason) == REASONS


def test_a_failed_notebook_is_told_and_the_exit_code_says_so(fresh_project: Path) -> None:
    path = fresh_project / "notebooks/plants.ipynb"
    path.write_text(path.read_text("utf-8").replace("plan.heading.question", "1 / 0"), "utf-8")
    code, text = _call("run", fresh_project / "notebooks/studies/plants.toml")
    assert code == 1
    assert "cell 'load-study': ZeroDivisionError: division by zero" in text
    assert "reports/internal/plants/failed/all-plants.ipynb" in text
    assert "plants: 0 run, 0 unchanged, 1 failed" in text


def test_a_study_whose_data_nobody_fetched_is_told_and_is_no_failure(fresh_project: Path) -> None:
    studies = [fresh_project / f"notebooks/studies/{name}.toml" for name in ("countries", "plants")]
    line = "countries: not fetched: ilostat_sdg_882, ilostat_union_density, "
    for command in ("run", "brief"):
        code, text = _call(command, studies[0])
        assert (code, text.splitlines()) == (0, [text.strip()])
        assert text.startswith(line)
        assert "; say: evidence fetch ilostat_sdg_882 ilostat_union_density " in text
    assert not (fresh_project / "reports").exists()
    finish(load_study(studies[1]))
    code, text = _call("brief", *studies)
    assert code == 0
    assert line in text
    assert "plants: reports/public/plants/brief.en.html" in text
    page = (fresh_project / "reports/public/index.html").read_text("utf-8")
    shown = page[page.index('<section class="unfetched"') :]
    assert "Union density, collective agreements and labour rights" in shown
    assert "ilostat_sdg_882, ilostat_union_density" in shown


def test_a_damaged_source_is_an_error_and_not_unfetched(fresh_project: Path) -> None:
    for source in load_study(fresh_project / "notebooks/studies/countries.toml").data.sources:
        lost = fresh_project / "data/raw" / source / "note.txt"
        lost.parent.mkdir(parents=True)
        lost.write_text("lost", "utf-8")
    code, text = _call("run", fresh_project / "notebooks/studies/countries.toml")
    assert code == 1
    assert "error: source 'ilostat_sdg_882'" in text
