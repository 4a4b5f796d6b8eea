from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import nbformat
import pytest

from conftest import ROOT, copy_project, execute_in_process
from evidence.errors import EvidenceError, RunError
from evidence.run import (
    Event,
    Job,
    Run,
    Tell,
    check_fresh,
    check_notebook,
    check_parameters,
    list_sections,
    plan_runs,
    run_studies,
    run_study,
)
from evidence.run.joining import join_results
from evidence.run.notebook import SENTINEL, add_sentinel, check_complete, clean_record
from evidence.run.processor import describe_processor
from evidence.run.verify.replay import is_same_place
from evidence.study import Study, load_study

DEFAULTS = {"study": "plants", "output": "", "seed": 1}


def _replace_last_cells(root: Path, *sources: str) -> None:
    """Leave a notebook with its parameters and these cells only."""
    path = root / "notebooks/plants.ipynb"
    notebook = nbformat.read(path, as_version=4)
    kept = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    new = [nbformat.v4.new_code_cell(text, id=f"cell-{n}") for n, text in enumerate(sources)]
    notebook.cells = [*kept, *new]
    nbformat.write(notebook, path)


def _study(root: Path) -> Study:
    return load_study(root / "notebooks/studies/plants.toml")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Return ``plants`` after a real run with papermill."""
    study = _study(copy_project(tmp_path_factory.mktemp("run") / 'a "quoted" {folder}'))
    result = run_study(study)
    assert [job.name for job in result.done] == ["plants"], result.failures
    return study


def test_a_run_leaves_the_whole_neck_and_its_manifest(ran: Study) -> None:
    names = {p.name for p in ran.internal.iterdir()}
    wanted = {"estimates.csv", "findings.json", "manifest.json", "exhibits", "protected.json"}
    assert wanted <= names
    assert not {"running", "failed"} & names
    assert ran.internal.stat().st_mode & 0o777 == 0o700
    manifest = json.loads((ran.internal / "manifest.json").read_text("utf-8"))
    assert manifest["verdict"] == "complete"
    assert manifest["runs"][0]["why"] == "no earlier result"
    assert manifest["runs"][0]["cells"] >= 10


def test_the_record_has_fixed_ids_and_no_path_or_time(ran: Study) -> None:
    path = ran.internal / "cases/all/plants/plants.ipynb"
    text = path.read_text("utf-8")
    assert str(ran.root) not in text
    assert "papermill" not in json.loads(text)["metadata"]
    notebook = nbformat.read(path, as_version=4)
    assert "injected-parameters" in [cell.id for cell in notebook.cells]
    assert SENTINEL not in [cell.id for cell in notebook.cells]
    assert notebook.metadata["evidence"]["study"] == "plants"


def test_nothing_runs_again_while_the_inputs_stay(ran: Study) -> None:
    before = (ran.internal / "manifest.json").read_bytes()
    events: list[str] = []
    result = run_study(ran, tell=lambda event: events.append(event.kind))
    assert events == ["unchanged"]
    assert not result.done
    assert (ran.internal / "manifest.json").read_bytes() == before
    check_fresh(ran)


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


@pytest.mark.parametrize(
    ("file", "old", "new", "reason"),
    [
        (
            "notebooks/studies/plants.toml",
            "a union",
            "a trade union",
            "study file changed: variables",
        ),
        ("notebooks/plants.ipynb", "What was read", "What is read", "notebook changed"),
        (
            "data/sources/jobtraining.toml",
            "scrapped items",
            "waste",
            "new data in source 'jobtraining'",
        ),
    ],
)
def test_the_plan_says_why_a_run_is_due(
    ran: Study, file: str, old: str, new: str, reason: str
) -> None:
    _edit(ran.root / file, old, new)
    try:
        study = _study(ran.root)
        assert [job.why for job in plan_runs(study)] == [reason]
        with pytest.raises(RunError, match=f"{reason}.*Run it again"):
            check_fresh(study)
    finally:
        _edit(ran.root / file, new, old)
    assert [job.why for job in plan_runs(_study(ran.root))] == [""]


def test_a_rerun_that_fails_leaves_the_earlier_result(ran: Study) -> None:
    (job,) = plan_runs(ran)
    before = {path: path.read_bytes() for path in job.folder.rglob("*") if path.is_file()}
    path = ran.root / "notebooks/plants.ipynb"
    _edit(path, "ev.load_study(study)", "1 / 0")
    try:
        events: list[Event] = []
        result = run_study(_study(ran.root), tell=events.append)
        assert len(result.failures) == 1
        assert [event.kind for event in events] == ["start", "cell", "cell", "cell", "failed"]
        told = [(event.cell, event.of, event.section) for event in events[1:-1]]
        count = sum(cell.cell_type == "code" for cell in nbformat.read(path, 4).cells)
        assert told == [(1, count, "Parameters"), (2, count, "Study"), (3, count, "Study")]
    finally:
        _edit(path, "1 / 0", "ev.load_study(study)")
    assert {path: path.read_bytes() for path in before} == before
    check_fresh(ran)


def test_the_manifest_names_each_processor_that_took_part(ran: Study) -> None:
    (job,) = plan_runs(ran)
    path, manifest = job.folder / "run.json", ran.internal / "manifest.json"
    before, kept = path.read_bytes(), manifest.read_bytes()
    run = json.loads(before)
    run["processor"]["model"] = "another"
    path.write_text(json.dumps(run), "utf-8")
    try:
        join_results(ran, (job,), 1)
        assert json.loads(manifest.read_text("utf-8"))["processor"]["model"] == "another"
        assert not is_same_place(ran, ran.internal)
    finally:
        path.write_bytes(before)
        manifest.write_bytes(kept)


def test_a_run_explains_itself_in_its_manifest(ran: Study) -> None:
    manifest = json.loads((ran.internal / "manifest.json").read_text("utf-8"))
    assert manifest["processor"] == describe_processor()
    parts = {"notebook", "parameters", "data", "study", "packs", "code", "environment"}
    assert set(manifest["runs"][0]["parts"]) == parts
    assert "pieces" not in manifest["runs"][0]


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
from conftest import execute_in_process
from evidence.run import run_study
from evidence.run import execute
from evidence.study import load_study
study = load_study(sys.argv[1])
def dying(job, tell):
    if job.case.id == study.cases[1].id:
        os.kill(os.getpid(), signal.SIGKILL)
    return execute_in_process(job, tell)
execute.execute = dying
run_study(study)
"""


def test_what_had_run_before_a_kill_does_not_run_again(
    fresh_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fresh_project / "notebooks/studies/value_chains.toml"
    _edit(path, 'country = ["BGD", "KHM", "JPN", "VNM"]', 'country = ["BGD", "KHM"]')
    _edit(path, 'sector = ["garment", "electronics", "automotive"]', 'sector = ["garment"]')
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(path), str(ROOT / "tests")],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    study = load_study(path)
    assert not (study.internal / "manifest.json").exists()
    monkeypatch.setattr("evidence.run.execute.execute", execute_in_process)
    result = run_study(study)
    assert [job.case.id for job in result.unchanged] == ["BGD-garment"]
    assert [job.case.id for job in result.done] == ["KHM-garment"]
    check_fresh(study)


def test_a_finished_run_is_kept_for_comparison(ran: Study) -> None:
    (kept,) = (ran.internal / "history").iterdir()
    assert (kept / "cases/all/plants/panel.parquet").is_file()
    assert load_study(kept / "notebooks/studies/plants.toml").sha256 == ran.sha256
    assert (kept / "manifest.json").read_bytes() == (ran.internal / "manifest.json").read_bytes()


def test_another_seed_is_another_run(ran: Study) -> None:
    assert [job.why for job in plan_runs(ran, seed=2)] == ["parameter seed 2, earlier 1"]


def test_a_damaged_result_is_found(ran: Study) -> None:
    path = ran.internal / "cases/all/plants/estimates.csv"
    before = path.read_bytes()
    path.write_bytes(before.replace(b"5", b"6", 1))
    try:
        assert [job.why for job in plan_runs(ran)] == ["damaged: estimates.csv"]
    finally:
        path.write_bytes(before)


def test_joined_files_that_somebody_changed_are_not_published(ran: Study) -> None:
    path = ran.internal / "findings.json"
    before = path.read_bytes()
    path.write_bytes(before.replace(b"decrease", b"increase").replace(b"unclear", b"decrease"))
    try:
        with pytest.raises(RunError, match="files that this run did not write"):
            check_fresh(ran)
    finally:
        path.write_bytes(before)


def test_a_study_that_never_ran_is_not_fresh(fresh_project: Path) -> None:
    with pytest.raises(RunError, match=r"no finished run.*evidence run plants\.toml"):
        check_fresh(_study(fresh_project))


FAULTS = {
    "error": (("x = 1", "x / 0", "y = 2"), r"cell 'cell-1': ZeroDivisionError"),
    "early exit": (("import sys", "sys.exit(0)", "y = 2"), r"cell 'cell-1': SystemExit"),
    "dead kernel": (("import os", "os._exit(1)", "y = 2"), r"DeadKernelError"),
    "dead in the last cell": (("import os", "os._exit(0)"), r"DeadKernelError|no sign of life"),
    "no neck": (("x = 1",), r"no estimates\.csv, findings\.json"),
    "input": (("input()",), r"StdinNotImplementedError"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_run_that_does_not_finish_is_a_failure_and_costs_nothing_earlier(
    fresh_project: Path, fault: str
) -> None:
    sources, message = FAULTS[fault]
    study = _study(fresh_project)
    earlier = study.internal / "findings.json"
    earlier.parent.mkdir(parents=True)
    earlier.write_text("an earlier good result", "utf-8")
    _replace_last_cells(fresh_project, *sources)
    result = run_study(study)
    assert not result.done
    (failure,) = result.failures
    with (
        pytest.raises(RunError, match=message)
        if fault != "no neck"
        else pytest.raises(Exception, match=message)
    ):
        raise failure.error
    assert earlier.read_text("utf-8") == "an earlier good result"
    assert not (study.internal / "cases/all").exists()
    assert failure.notebook is not None
    assert failure.notebook.is_file()


def test_the_environment_of_the_caller_is_restored(fresh_project: Path) -> None:
    before = dict(os.environ)
    _replace_last_cells(fresh_project, "1 / 0")
    run_study(_study(fresh_project))
    assert dict(os.environ) == before


GOOD = {"study": "a; import os", "output": "x\n'\"\\", "seed": -3}
ODD: list[tuple[Any, Any]] = [
    ("z=1; open('pwned','w')\nq", "x"),
    ("class", "x"),
    ("open", "x"),
    ("min-n", "x"),
    ("", "x"),
    ("countri", "x"),
    ("seed", "1"),
    ("seed", 1.0),
    ("seed", True),
    ("seed", None),
    ("study", b"a'b"),
    ("study", Path("a")),
    ("study", 7),
    ("study", "\ud800"),
    ("study", ["plants"]),
    ("study", ("a",)),
    ("study", {"a": 1}),
]


def test_texts_stay_texts_whatever_they_hold() -> None:
    check_parameters(GOOD, DEFAULTS, "plants.ipynb")


@pytest.mark.parametrize(("name", "value"), ODD)
def test_a_parameter_that_papermill_would_twist_is_refused(name: str, value: Any) -> None:
    with pytest.raises(RunError, match=r"plants\.ipynb: parameter"):
        check_parameters({name: value}, DEFAULTS, "plants.ipynb")


def test_a_float_that_is_no_number_is_refused() -> None:
    with pytest.raises(RunError, match="nan"):
        check_parameters({"rate": float("nan")}, {"rate": 0.5}, "n.ipynb")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ('study: str = "a"\noutput: str = ""', "parameters study, output"),
        ('study: str = "a"\noutput: str = ""\nseed: int = "1"', "seed is declared int"),
        ('study: str = "a"\noutput: str = study\nseed: int = 1', "other than names set to lit"),
        ("import os", "other than names set to literals"),
        ("study = (", "other than names set to literals"),
        ("study: str", "study has no default"),
    ],
)
def test_a_parameters_cell_holds_the_declared_literals_only(
    fresh_project: Path, source: str, message: str
) -> None:
    path = fresh_project / "notebooks/plants.ipynb"
    notebook = nbformat.read(path, as_version=4)
    cell = next(c for c in notebook.cells if c.id == "parameters")
    cell.source = source
    nbformat.write(notebook, path)
    with pytest.raises(RunError, match=message):
        check_notebook(path, tuple(DEFAULTS))


@pytest.mark.parametrize("count", [0, 2])
def test_exactly_one_cell_is_tagged_parameters(fresh_project: Path, count: int) -> None:
    path = fresh_project / "notebooks/plants.ipynb"
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.metadata = {}
    for cell in [c for c in notebook.cells if c.cell_type == "code"][:count]:
        cell.metadata = {"tags": ["parameters"]}
    nbformat.write(notebook, path)
    with pytest.raises(RunError, match=f"{count} cells tagged 'parameters'"):
        check_notebook(path, tuple(DEFAULTS))


def test_a_tag_that_hides_failures_is_refused(fresh_project: Path) -> None:
    path = fresh_project / "notebooks/plants.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[-1].metadata = {"tags": ["raises-exception"]}
    nbformat.write(notebook, path)
    with pytest.raises(RunError, match="which hides a failure"):
        check_notebook(path, tuple(DEFAULTS))


def test_a_record_is_not_run_again(ran: Study) -> None:
    record = ran.internal / "cases/all/plants/plants.ipynb"
    with pytest.raises(RunError, match="the record of an earlier run"):
        check_notebook(record, tuple(DEFAULTS))


@pytest.mark.parametrize("text", ["", "{", '{"cells": []}'])
def test_what_is_no_notebook_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "n.ipynb"
    path.write_text(text, "utf-8")
    with pytest.raises(RunError, match=r"no valid notebook|0 cells tagged"):
        check_notebook(path, tuple(DEFAULTS))


def _executed(*counts: int | None, token: str = "t") -> Any:
    cells = [
        nbformat.v4.new_code_cell("x", id=f"cell-{n}", execution_count=count)
        for n, count in enumerate(counts)
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    add_sentinel(notebook, token)
    notebook.cells[-1].execution_count = 9
    notebook.cells[-1].outputs = [nbformat.v4.new_output("stream", text=f"{token}\n")]
    return notebook


def test_a_cell_is_in_the_section_of_the_last_heading_above_it() -> None:
    texts = ("# Title\n\nwords", "x", "no heading", "y", "## Data\n### Rows", "z")
    kinds = (nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell)
    cells = [kinds[n % 2](text) for n, text in enumerate(texts)]
    sections = list_sections(nbformat.v4.new_notebook(cells=cells))
    assert sections == ["Title", "Title", "Title", "Title", "Rows", "Rows"]


def test_completeness_needs_every_count_and_the_token() -> None:
    assert check_complete(_executed(1, 2), "t", "n") == 2
    with pytest.raises(RunError, match="cell 'cell-1': a cell that never ran"):
        check_complete(_executed(1, None), "t", "n")
    with pytest.raises(RunError, match="no sign of life"):
        check_complete(_executed(1, 2), "another", "n")


def test_cleaning_takes_the_sentinel_out() -> None:
    notebook = _executed(1)
    clean_record(notebook, {"study": "s"})
    assert [cell.id for cell in notebook.cells] == ["cell-0"]


def test_a_second_run_of_a_study_is_kept_out_while_one_goes_on(fresh_project: Path) -> None:
    study = _study(fresh_project)
    study.internal.mkdir(parents=True)
    with (study.internal / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(RunError, match="another run of this study"):
            run_study(study)


def test_a_folder_that_cannot_be_written_is_told_plainly(fresh_project: Path) -> None:
    (fresh_project / "reports").write_text("a file where a folder should be", "utf-8")
    with pytest.raises(RunError, match=r"cannot be read or written.*Make room"):
        run_study(_study(fresh_project))


def test_a_full_disk_while_joining_costs_no_job(
    fresh_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = _study(fresh_project)
    monkeypatch.setattr("evidence.run.execute.execute", execute_in_process)

    def fill(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "estimates.csv")

    with monkeypatch.context() as patch:
        patch.setattr("evidence.run.joining.join_results", fill)
        with pytest.raises(RunError, match=r"estimates\.csv: .*No space left on device"):
            run_study(study)
    result = run_study(study)
    assert [job.name for job in result.unchanged] == ["plants"]
    check_fresh(study)


def test_studies_run_side_by_side_and_one_that_cannot_run_stops_no_other(
    fresh_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plants = _study(fresh_project)
    other = load_study(fresh_project / "notebooks/studies/bargaining.toml")
    together = threading.Barrier(2, timeout=30)

    def meet(job: Job, tell: Tell) -> None:
        together.wait()
        execute_in_process(job, tell)

    monkeypatch.setattr("evidence.run.execute.execute", meet)
    first, second = run_studies([plants, other], workers=2)
    assert isinstance(first, Run)
    assert isinstance(second, Run)
    assert [run.study.slug for run in (first, second)] == ["plants", "bargaining"]
    check_fresh(plants)
    check_fresh(other)
    (fresh_project / "notebooks/plants.ipynb").unlink()
    stopped, kept = run_studies([plants, other], workers=1)
    assert isinstance(stopped, EvidenceError)
    assert isinstance(kept, Run)
    assert len(kept.unchanged) == 1
