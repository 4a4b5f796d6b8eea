"""A small project with an earlier good run, and what can be done to it."""

from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any, TypeVar

import nbformat
import pytest
from click.testing import CliRunner, Result
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from conftest import ROOT
from evidence.cli import main
from evidence.run import execute
from evidence.run.notebook import SENTINEL
from evidence.study import Study, load_study
from test_plan import RECORD, ROWS, STUDY

CELLS = {
    "load": "import evidence as ev\nplan = ev.load_study(study)\ncase = ev.select_case(plan, country=country)",
    "panel": "measures = ev.score_measures(plan, ev.read_sources(plan, case, seed))\n"
    "panel = ev.build_panel(plan, measures)",
    "fit": 'fits = ev.fit_specifications(panel, "two", case=case.id)\n'
    "findings = ev.state(panel, fits)",
    "exhibits": "shown = (ev.figure_coefficients(findings), ev.table_findings(findings))",
    "write-neck": "ev.write_neck(output, panel, fits, findings, shown)",
}
PARAMETERS = 'study: str = "two"\noutput: str = ""\nseed: int = 1\ncountry: str = "BGD"'
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
NEW_ROW = "KHM-9,KHM,2022,12.5,1"
WROTE = ("estimates.csv", "findings.json", "protected.json")
_PASSING = ("running", "failed", ".lock", "rows.json")
"""What lies in a study's folder and is no result."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A project whose study ``two`` has an earlier good run and a published page."""

    root: Path
    base: Path
    patch: pytest.MonkeyPatch
    held: ExitStack = field(default_factory=ExitStack)

    @property
    def path(self) -> Path:
        """The study file."""
        return self.root / "notebooks/studies/two.toml"

    @property
    def notebook(self) -> Path:
        """The notebook of the study."""
        return self.root / "notebooks/two.ipynb"

    @property
    def raw(self) -> Path:
        """The file that the rows are in."""
        return self.root / "data/raw/visits/visits.csv"

    @property
    def internal(self) -> Path:
        """Where results lie."""
        return self.root / "reports/internal/two"

    @property
    def study(self) -> Study:
        """The study as it stands."""
        return load_study(self.path)

    def case(self, country: str) -> Path:
        """Where the result of one case lies."""
        return self.internal / "cases" / country / "two"

    def change(self) -> None:
        """Add a row of Cambodia: that case, and no other, is due."""
        self.raw.write_text("\n".join([*ROWS, NEW_ROW]), "utf-8")

    def mend(self) -> None:
        """Put back every input as it was for the earlier run."""
        for name in ("notebooks", "data"):
            shutil.rmtree(self.root / name)
            shutil.copytree(self.base / name, self.root / name)

    def put(self, *sources: str, before: str = "load", **metadata: Any) -> None:
        """Put code cells before a cell of the notebook."""
        notebook = nbformat.read(self.notebook, as_version=4)
        place = [cell.id for cell in notebook.cells].index(before)
        new = [
            nbformat.v4.new_code_cell(text, id=f"new-{n}", metadata=metadata)
            for n, text in enumerate(sources)
        ]
        notebook.cells[place:place] = new
        nbformat.write(notebook, self.notebook)

    def edit(self, path: Path, old: str, new: str) -> None:
        """Replace what must stand once in a file."""
        text = path.read_text("utf-8")
        assert text.count(old) == 1, (path, text.count(old))
        path.write_text(text.replace(old, new), "utf-8")

    def results(self) -> dict[str, bytes]:
        """Read every result, kept run and published page."""
        files = [path for path in (self.root / "reports").rglob("*") if path.is_file()]
        names = {path.relative_to(self.root / "reports").as_posix(): path for path in files}
        passing = tuple(f"internal/two/{name}" for name in _PASSING)
        return {n: p.read_bytes() for n, p in names.items() if not n.startswith(passing)}

    def joined(self) -> dict[str, bytes]:
        """Read the joined neck."""
        paths = [self.internal / name for name in WROTE]
        paths += sorted((self.internal / "exhibits").glob("[!.]*"))
        return {path.name: path.read_bytes() for path in paths}

    def run(self, *options: str) -> Result:
        """Call ``evidence run``, with its words in one text."""
        return CliRunner().invoke(main, ["run", "--jobs", "2", *options, str(self.path)])


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong with a run, and how that ends.

    Attributes
    ----------
    what, then, do : str
        The line in ``docs/faults.md``: the fault, what happens, what to do.
    ending : str
        ``stops``: the command says why, with status 1. ``heals``: what was damaged is told
        and made again. ``unharmed``: the run gives what it would have given. ``alone``: a test of its own tells.
    said : str
        Pattern of what the command says.
    kernel : bool
        Whether notebooks run in kernels; otherwise in this process.
    root : str
        Name of the project's folder.
    deep : bool
        Whether results of single cases stay as well, not only what is joined, kept and published.
    """

    inject: Callable[..., None]
    what: str
    then: str
    do: str
    ending: str
    said: str
    kernel: bool
    root: str
    deep: bool


FAULTS: dict[str, Fault] = {}
Inject = TypeVar("Inject", bound=Callable[..., None])


def fault(
    then: str,
    do: str,
    *,
    said: str = "",
    ending: str = "stops",
    kernel: bool = False,
    root: str = "p",
    deep: bool = True,
) -> Callable[[Inject], Inject]:
    """Add a function to the table of faults; its docstring says what it does."""

    def add(inject: Inject) -> Inject:
        what = (inject.__doc__ or "").strip().removesuffix(".")
        FAULTS[inject.__name__] = Fault(inject, what, then, do, ending, said, kernel, root, deep)
        return inject

    return add


def write_project(root: Path) -> None:
    """Write the small project: two countries, one notebook, rows in one file."""
    for name in ("countries", "sectors", "questionnaires", "laws", "events"):
        shutil.copytree(ROOT / "data" / name, root / "data" / name)
    raw = root / "data/raw/visits/visits.csv"
    for path in (raw, root / "data/sources/x", root / "notebooks/studies/x"):
        path.parent.mkdir(parents=True)
    raw.write_text("\n".join(ROWS), "utf-8")
    (root / "data/sources/visits.toml").write_text(RECORD, "utf-8")
    text = STUDY.replace("Two countries", "Output and unions")
    (root / "notebooks/studies/two.toml").write_text(text, "utf-8")
    cells = [nbformat.v4.new_code_cell(text, id=name) for name, text in CELLS.items()]
    first = nbformat.v4.new_code_cell(
        PARAMETERS, id="parameters", metadata={"tags": ["parameters"]}
    )
    notebook = nbformat.v4.new_notebook(cells=[first, *cells], metadata={"kernelspec": KERNEL})
    nbformat.write(notebook, root / "notebooks/two.ipynb")
    page = root / "reports/public/two/index.html"
    page.parent.mkdir(parents=True)
    page.write_text("an earlier page", "utf-8")


def run_cells_here(job: Any, source: Path, record: Path, begin: Callable[..., None]) -> Any:
    """Do what papermill and a kernel do, in this process."""
    notebook = parameterize_notebook(load_notebook_node(str(source)), job.parameters)
    notebook.metadata["papermill"] = {"warnings": []}
    space: dict[str, Any] = {"__name__": "__main__"}
    for place, cell in enumerate(notebook.cells):
        begin(cell, place)
        printed = StringIO()
        with redirect_stdout(printed) if cell.id == SENTINEL else redirect_stdout(sys.stderr):
            exec(compile(cell.source, cell.id, "exec"), space)
        cell.execution_count = place + 1
        if printed.getvalue():
            cell.outputs = [nbformat.v4.new_output("stream", text=printed.getvalue())]
    nbformat.write(notebook, record)
    return notebook


def stay_here(patch: pytest.MonkeyPatch, root: Path) -> None:
    """Run notebooks in this process from now on."""
    patch.setenv("EVIDENCE_ROOT", str(root))
    patch.setattr(execute, "_run_papermill", run_cells_here)


_WRITING = ("open", "os.chmod", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir")
_WRITE = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@dataclass(slots=True)
class Strike:
    """Strikes when a process is about to change files for the n-th time.

    Without an ``error`` the process is killed; with one, every change from then on fails
    with it (a full disk still lets files go).
    """

    number: int
    error: int = 0
    count: int = 0

    def watch(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Look at what Python is about to do, as ``sys.addaudithook`` tells it."""
        reading = event == "open" and not (arguments[2] or 0) & _WRITE
        if event in _WRITING and not reading and "/reports/" in str(arguments[0]):
            self.hit(event)

    def hit(self, event: str) -> None:
        """Count a change; strike if it is time."""
        self.count += 1
        if self.count >= self.number and not self.error:
            os.kill(os.getpid(), signal.SIGKILL)
        frees = self.error == errno.ENOSPC and event in {"os.remove", "os.rmdir", "os.chmod"}
        if self.count >= self.number and not frees:
            raise OSError(self.error, os.strerror(self.error), "a file")


def _run_struck(root: Path, number: int, error: int, told: Any) -> None:
    strike, sync = Strike(number, error), os.fsync

    def count_sync(descriptor: int) -> None:
        strike.hit("os.fsync")
        sync(descriptor)

    patch = pytest.MonkeyPatch()
    stay_here(patch, root)
    patch.setattr(os, "fsync", count_sync)
    sys.addaudithook(strike.watch)
    done = Scene(root, root, patch).run("--jobs", "1")
    told.send((done.exit_code, done.output, strike.count))


def run_struck(root: Path, number: int, error: int = 0) -> tuple[int, str, int]:
    """Run the study in a process of its own that a fault strikes.

    Returns
    -------
    tuple
        Exit code, what was said, and how often files were changed.
    """
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["faults", "evidence.models", "evidence.exhibits"])
    ours, theirs = server.Pipe(duplex=False)
    process = server.Process(target=_run_struck, args=(root, number, error, theirs))
    with pytest.MonkeyPatch.context() as patch:
        # What the server loads beforehand is found by its environment alone.
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        process.start()
    theirs.close()
    process.join()
    if process.exitcode:
        return int(process.exitcode), "", number
    return ours.recv()  # type: ignore[no-any-return]
