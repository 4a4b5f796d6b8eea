"""A real scheduler and two workers, each a process of its own, on the loopback."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import nbformat
import pytest
from click.testing import CliRunner
from dask.distributed import CancelledError, Client, KilledWorker

import evidence
from evidence.cli import main
from evidence.errors import RunError
from evidence.run import Event, plan_runs, run_study
from evidence.run.cluster import send
from evidence.run.cluster.share import get_file, open_share, put_file
from evidence.run.cluster.work import list_here
from evidence.study import Study, load_study
from samples import edit, make_project, study_file

pytestmark = pytest.mark.slow

CELLS = (
    "import time\nfrom pathlib import Path\n\nimport evidence as ev",
    "time.sleep(0.5)",
    """study_of = ev.load_study(study)
case = ev.select_case(study_of, country=country, sector=sector)
measures = ev.score_measures(study_of, ev.read_sources(study_of, case, seed))
panel = ev.build_panel(study_of, measures)
fits = tuple(ev.fit_specifications(panel, "value_chains", case=case.id))
findings = ev.state(panel, fits)
ev.write_neck(output, panel, fits, findings, (ev.table_findings(findings),))""",
)


def _make(folder: Path, *cells: str) -> Study:
    """Make a project with a study of three cases and a notebook of a few cells."""
    root = make_project(folder)
    path = study_file(root, "value_chains")
    edit(path, 'country = ["BGD", "KHM", "JPN", "VNM"]', 'country = ["BGD", "KHM", "VNM"]')
    edit(path, 'sector = ["garment", "electronics", "automotive"]', 'sector = ["garment"]')
    record = root / "data/sources/value_chains.toml"
    text = re.sub(r"(?m)^factories = .*$", "factories = 20", record.read_text("utf-8"))
    record.write_text(text, "utf-8")
    _write_cells(root, cells or CELLS)
    return load_study(path)


def _write_cells(root: Path, cells: tuple[str, ...]) -> None:
    path = root / "notebooks/value_chains.ipynb"
    notebook = nbformat.read(path, as_version=4)
    kept = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    new = [nbformat.v4.new_code_cell(text, id=f"cell-{n}") for n, text in enumerate(cells)]
    notebook.cells = [*kept, *new]
    nbformat.write(notebook, path)


def _cells(path: Path) -> list[Any]:
    return list(nbformat.read(path, as_version=4).cells)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Study:
    study = _make(tmp_path_factory.mktemp("local"))
    result = run_study(study, workers=2)
    assert not result.failures, result.failures
    return study


@contextmanager
def _start(*words: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a command of Dask's in a folder, in an environment that knows no project."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("EVIDENCE")}
    environment["PYTHONPATH"] = str(Path(evidence.__file__).parents[1])
    with (folder / f"{words[0]}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *words],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


Cluster = tuple[str, dict[str, subprocess.Popen[bytes]]]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Return the address of a scheduler, and its two workers by name."""
    folder = tmp_path_factory.mktemp("cluster")
    file = folder / "scheduler.json"
    where = ["--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0"]
    where += ["--scheduler-file", str(file)]
    with ExitStack() as stack:
        stack.enter_context(_start("scheduler", "--port", "0", *where, folder=folder))
        words = ("worker", "--no-nanny", "--nthreads", "1", "--death-timeout", "30", *where)
        workers = {
            name: stack.enter_context(_start(*words, "--name", name, folder=folder))
            for name in ("one", "two")
        }
        until = time.monotonic() + 30
        while not file.is_file() and time.monotonic() < until:
            time.sleep(0.1)
        yield json.loads(file.read_text("utf-8"))["address"], workers


def _list_results(study: Study) -> dict[str, bytes]:
    """List what a run left, without the times that differ from run to run."""
    found = {}
    for job in plan_runs(study):
        for path in sorted(path for path in job.folder.rglob("*") if path.is_file()):
            payload = path.read_bytes()
            if path.name == "run.json":
                document = json.loads(payload)
                assert document.pop("seconds") > 0
                assert document.pop("finished")
                payload = json.dumps(document).encode()
            found[path.relative_to(study.root).as_posix()] = payload
    for name in ("estimates.csv", "findings.json", "protected.json"):
        found[name] = (study.internal / name).read_bytes()
    return found


def test_a_failure_of_its_own_is_told_and_not_tried_again(cluster: Cluster, tmp_path: Path) -> None:
    study = _make(tmp_path, "1 / 0")
    done = CliRunner().invoke(main, ["run", str(study.path), "--scheduler", cluster[0]])
    assert done.exit_code == 1, done.output
    assert done.output.count("start on") == len(study.cases)
    assert done.output.count("failed on") == len(study.cases)
    assert "ZeroDivisionError" in done.output
    (kept, *_) = sorted((study.internal / "failed").iterdir())
    assert kept.name == "BGD-garment-value_chains.ipynb"
    assert any("ZeroDivisionError" in str(c.get("outputs")) for c in _cells(kept))
    assert not (study.internal / "share").exists()
    assert not list((study.internal / "running").rglob("*.ipynb"))


def test_other_code_or_packages_are_refused_by_name(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, here = _make(tmp_path), list_here()
    here["code"] = here["code"] | {"panel/build.py": "other", "panel/new.py": "other"}
    here["environment"] = here["environment"] | {"numpy": "0.1"}
    monkeypatch.setattr(send, "list_here", lambda: here)
    events: list[str] = []
    result = run_study(study, scheduler=cluster[0], tell=lambda event: events.append(event.kind))
    assert events == ["failed"] * len(study.cases)
    told = str(result.failures[0].error)
    assert "other code (panel/build.py, panel/new.py) and environment (numpy)" in told


def test_what_was_changed_since_the_plan_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    study = _make(tmp_path)
    jobs = list(plan_runs(study))[:1]
    _write_cells(study.root, ("changed = 1",))
    (failure,) = send.execute_on_cluster(jobs, cluster[0], "", lambda event: None)
    assert "depends on other inputs there: notebook" in str(failure.error)


@pytest.mark.skipif(
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN, reason="started with interrupts ignored"
)
def test_an_interrupted_run_takes_its_jobs_back(cluster: Cluster, tmp_path: Path) -> None:
    study = _make(tmp_path, *["import time\ntime.sleep(0.2)"] * 200)
    share = tmp_path / "share"

    def tell(event: Event) -> None:
        if event.kind == "cell" and event.cell == 3:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run_study(study, scheduler=cluster[0], share=str(share), tell=tell)
    assert not list(share.iterdir())
    with Client(cluster[0]) as client:
        until = time.monotonic() + 15
        while any(_count_executing(client)) and time.monotonic() < until:
            time.sleep(0.1)
        assert _count_executing(client) == [0, 0]


def _count_executing(client: Client) -> list[int]:
    return list(client.run(lambda dask_worker: len(dask_worker.state.executing)).values())


def test_a_worker_that_is_killed_costs_nothing_but_time(
    local: Study, cluster: Cluster, tmp_path: Path
) -> None:
    address, workers = cluster
    study = _make(tmp_path / "client")
    share = tmp_path / "share"
    events: list[Event] = []
    killed: list[str] = []

    def tell(event: Event) -> None:
        events.append(event)
        if event.kind == "cell" and event.cell == 3 and not killed:
            killed.append(event.job.case.id)
            workers[event.worker].send_signal(signal.SIGKILL)

    result = run_study(study, tell=tell, scheduler=address, share=str(share))
    assert not result.failures, result.failures
    assert len(result.done) == 3
    starts = [e.worker for e in events if e.kind == "start" and e.job.case.id == killed[0]]
    assert len(starts) == 2
    assert set(starts) == {"one", "two"}
    assert {e.job.case.id for e in events if e.kind == "done"} == {c.id for c in study.cases}
    assert _list_results(study) == _list_results(local)
    assert not list(share.iterdir())
    assert not [path for path in study.internal.rglob("*") if path.name == "running"]
    told = b"".join(_list_results(study).values())
    assert str(tmp_path).encode() not in told
    assert address.encode() not in told
    again = run_study(study, scheduler=address, share=str(share))
    assert not again.done


def test_a_scheduler_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send, "CONNECT_SECONDS", 0.5)
    with pytest.raises(RunError, match=r"tcp://127\.0\.0\.1:9: no Dask scheduler"):
        run_study(_make(tmp_path), scheduler="tcp://127.0.0.1:9")


def test_without_dask_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("evidence.run.cluster.send", "evidence.run.cluster.work"):
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "dask.distributed", None)
    with pytest.raises(RunError, match=r"pip install 'evidence\[cluster\]'"):
        run_study(_make(tmp_path), scheduler="tcp://127.0.0.1:9")


def test_a_share_without_a_scheduler_is_a_mistake(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["run", str(tmp_path), "--share", str(tmp_path)])
    assert done.exit_code == 2
    assert "--share is for --scheduler" in done.output


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (KilledWorker("a task", None, 3), "4 workers that were lost"),
        (CancelledError("a task"), "a scheduler that was lost"),
        (FileNotFoundError("no such share"), "FileNotFoundError: no such share"),
    ],
)
def test_trouble_of_the_cluster_is_told_in_plain_words(
    tmp_path: Path, error: Exception, told: str
) -> None:
    class Lost:
        def result(self) -> None:
            raise error

    (job, *_) = plan_runs(_make(tmp_path))
    assert told in str(send._ask(Lost(), job).error)


@pytest.mark.parametrize("address", ["memory://a/b", "{folder}/a {b} [c]"])
def test_a_share_gives_back_whole_files_or_none(tmp_path: Path, address: str) -> None:
    (tmp_path / "new").write_bytes(b"rows")
    with open_share(address.format(folder=tmp_path, b="{b}")) as share:
        digest = put_file(share, tmp_path / "new")
        get_file(share, digest, tmp_path / "deep" / "back")
        assert (tmp_path / "deep" / "back").read_bytes() == b"rows"
        share.files.pipe_file(f"{share.folder}/{digest}", b"row")
        with pytest.raises(OSError, match="not what was put"):
            get_file(share, digest, tmp_path / "deep" / "again")
        assert [path.name for path in (tmp_path / "deep").iterdir()] == ["back"]
    assert not share.files.exists(share.folder)
