"""Every fault ends alike: earlier good results stay, a clear word is said, a rerun completes."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, tzinfo
from pathlib import Path

import nbformat
import papermill
import pytest
from click.testing import Result
from jupyter_core.utils import ensure_event_loop
from papermill.engines import papermill_engines

from conftest import ROOT
from evidence.errors import RunError
from evidence.run import check_fresh, execute, joining, load_notebook, plan_runs
from evidence.run.kernels import engine
from evidence.run.kernels.processes import list_processes
from faults import FAULTS, KERNEL, Fault, Scene, fault, run_struck, stay_here, write_project

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only"),
]
heeds_interrupts = pytest.mark.skipif(
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN, reason="started with interrupts ignored"
)

FAILED = "that notebook counts as failed and lies in `failed/`, the others go on"
FIX = "correct the cell that is named, run again"
ENDED = "the kernel's end is noticed; the notebook counts as failed"
LOOK = "look for too little memory or a crash in compiled code, run again"
BEFORE = "nothing runs; file, what was seen and what is expected are told"


# In the notebook.


@fault(FAILED, FIX, said="cell 'new-0': ZeroDivisionError: division by zero", kernel=True)
def cell_raises(scene: Scene) -> None:
    """A cell raises an error."""
    scene.put("1 / 0")


@fault(FAILED, "take the exit out, run again", said="SystemExit: 0", kernel=True)
def exits_with_zero(scene: Scene) -> None:
    """`sys.exit(0)` in the middle."""
    scene.put("import sys; sys.exit(0)")


@fault(FAILED, "take the exit out, run again", said="EarlyExit: the cell asks", kernel=True)
def calls_exit(scene: Scene) -> None:
    """`exit()`, after which the kernel would go on."""
    scene.put("exit()")


@fault(ENDED, LOOK, said="DeadKernelError: the kernel died", kernel=True)
def process_exits_with_zero(scene: Scene) -> None:
    """`os._exit(0)`."""
    scene.put("import os; os._exit(0)")


@fault(ENDED, LOOK, said="DeadKernelError: the kernel died", kernel=True)
def process_exits_with_one(scene: Scene) -> None:
    """`os._exit(1)`."""
    scene.put("import os; os._exit(1)")


@fault(ENDED, LOOK, said="DeadKernelError: the kernel died", kernel=True)
def aborts(scene: Scene) -> None:
    """Compiled code aborts."""
    scene.put("import os; os.abort()")


@fault(ENDED, LOOK, said="DeadKernelError: the kernel died", kernel=True)
def segfaults(scene: Scene) -> None:
    """Compiled code reads where it must not."""
    scene.put("import ctypes; ctypes.string_at(0)")


@fault(ENDED, LOOK, said="DeadKernelError: the kernel died", kernel=True)
def kernel_is_killed(scene: Scene) -> None:
    """The system kills the kernel (`kill -9`)."""
    scene.put("import os; os.kill(os.getpid(), 9)")


@fault(
    "the sentinel behind the last cell is not reached; the notebook counts as failed",
    LOOK,
    said="DeadKernelError|no sign of life",
    kernel=True,
)
def dies_in_the_last_cell(scene: Scene) -> None:
    """The kernel ends in the last cell, when everything is written."""
    scene.edit(scene.notebook, "findings, shown)", "findings, shown); import os; os._exit(0)")


@fault(
    "the kernel is ended at its limit, with all that it started",
    "set EVIDENCE_MEMORY_LIMIT higher, or split the study",
    said="it held more memory than its limit",
    kernel=True,
)
def takes_too_much_memory(scene: Scene) -> None:
    """The notebook takes more memory than it may."""
    scene.patch.setenv("EVIDENCE_MEMORY_LIMIT", "500000000")
    scene.put("x = bytearray(600_000_000)\nimport time; time.sleep(30)")


@fault(
    "the cell is stopped after its half hour",
    "make it faster, or split it",
    said="CellTimeoutError: the cell ran for longer than 1 s",
    kernel=True,
)
def cell_hangs(scene: Scene) -> None:
    """A cell does not come to its end."""
    scene.patch.setattr(engine, "CELL_SECONDS", 1)
    scene.put("import time; time.sleep(60)")


@fault(
    "the kernel is ended at its limit",
    "set EVIDENCE_TIME_LIMIT higher, or split the study",
    said="it took longer than its limit",
    kernel=True,
)
def notebook_takes_too_long(scene: Scene) -> None:
    """A notebook takes longer than it may, and holds off interrupts."""
    scene.patch.setenv("EVIDENCE_TIME_LIMIT", "1.5")
    scene.put(
        "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "until = time.time() + 60\nwhile time.time() < until: pass"
    )


@fault(
    "the kernel is ended when it has put out 50 MB",
    "print less, run again",
    said="it put out more than its limit",
    kernel=True,
)
def output_floods(scene: Scene) -> None:
    """A cell prints without end."""
    scene.patch.setattr(engine, "OUTPUT_BYTES", 300_000)
    scene.put("while True: print('x' * 1000)")


@fault(FAILED, FIX, said="returned non-zero exit status 1", kernel=True)
def shell_fails(scene: Scene) -> None:
    """`!false`: a shell command fails."""
    scene.put("!false")


@fault(FAILED, FIX, said="returned non-zero exit status 1", kernel=True)
def script_fails(scene: Scene) -> None:
    """`%%bash` fails."""
    scene.put("%%bash\nfalse")


@fault(
    "an estimate after such a warning is not what it seems: the notebook counts as failed",
    "mend the model, or accept the warning by a tag",
    said="ConvergenceWarning: no optimum",
    kernel=True,
)
def does_not_converge(scene: Scene) -> None:
    """A cell warns that an estimate did not converge."""
    scene.put(
        "import warnings\nclass ConvergenceWarning(UserWarning): ...\n"
        "warnings.warn('no optimum', ConvergenceWarning)"
    )


@fault(FAILED, "take parameters in place of questions", said="StdinNotImplemented", kernel=True)
def asks_a_question(scene: Scene) -> None:
    """`input()`: a cell waits for somebody to answer."""
    scene.put("input()")


@fault(FAILED, FIX, said="cell 'new-0'", kernel=True)
def hides_its_error(scene: Scene) -> None:
    """An error that shows nothing of itself."""
    scene.put(
        "class Quiet(Exception):\n    def _render_traceback_(self): raise SystemExit(0)\n"
        "raise Quiet()"
    )


@fault(
    "the kernel ends with its last cell, and the thread with it",
    "nothing",
    ending="unharmed",
    kernel=True,
)
def thread_goes_on(scene: Scene) -> None:
    """A thread still runs and prints when the last cell is done."""
    scene.put(
        "import threading, time\ndef go():\n    while True:\n        print('.'); time.sleep(0.01)\n"
        "threading.Thread(target=go).start()"
    )


@fault("all that a kernel started ends with it", "nothing", ending="unharmed", kernel=True)
def leaves_a_process(scene: Scene) -> None:
    """A process that the notebook started still runs when it is done."""
    scene.put("import subprocess; subprocess.Popen(['sleep', '300'], start_new_session=True)")


HERE = "import os, pathlib\nroot = pathlib.Path(os.environ['EVIDENCE_ROOT'])\n"
AGAIN = "take that out of the notebook, run again"


@fault(
    "nothing is joined: what changed while the study ran is named",
    AGAIN,
    said="notebook changed, while the study ran|saved after this run began",
    kernel=True,
    deep=False,
)
def edits_itself(scene: Scene) -> None:
    """A notebook writes into its own file."""
    scene.put(HERE + "own = root / 'notebooks/two.ipynb'\nown.write_text(own.read_text() + ' ')")


@fault(
    "nothing is joined: what changed while the study ran is named",
    AGAIN,
    said="new data in source 'visits' for this case: .*, while the study ran",
    deep=False,
)
def edits_its_data(scene: Scene) -> None:
    """A notebook, or somebody beside it, writes into the data during the run."""
    scene.put(
        HERE + "raw = root / 'data/raw/visits/visits.csv'\n"
        "raw.write_text(raw.read_text() + f'\\n{country}-8,{country},2022,9,0')"
    )


@fault(
    "the notebook that would run is not the one that was planned: it is not run",
    "run again",
    said="a notebook that was saved after this run began",
)
def notebook_is_saved_after_the_plan(scene: Scene) -> None:
    """Somebody saves the notebook between plan and run."""

    def load_other(path: Path) -> object:
        path.write_text(path.read_text("utf-8") + " ", "utf-8")
        return load_notebook(path)

    scene.patch.setattr(execute, "load_notebook", load_other)


@fault(
    "nothing is joined: the damaged result is named",
    "mend the notebook; the damaged result is made again",
    said=r"two · BGD: damaged: estimates\.csv, while the study ran",
    deep=False,
)
def writes_where_another_case_lies(scene: Scene) -> None:
    """A notebook writes into the result of another case."""
    scene.put(
        HERE + "other = root / 'reports/internal/two/cases/BGD/two/estimates.csv'\n"
        "if country == 'KHM': other.write_text('mine')"
    )


@fault("half a result stays beside its place, and goes", LOOK, said="DeadKernelError", kernel=True)
def dies_while_writing(scene: Scene) -> None:
    """The kernel dies while it writes its results."""
    scene.put(
        "import os, signal\nreal, calls = os.replace, []\ndef replace(*names):\n"
        "    calls.append(names)\n    if len(calls) == 3: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    real(*names)\nos.replace = replace"
    )


@fault("the second takes the place of the first", "nothing", ending="unharmed", kernel=True)
def writes_twice(scene: Scene) -> None:
    """A notebook writes its results twice."""
    scene.put("ev.write_neck(output, panel, fits, findings, shown)", before="write-neck")


DISK_FULL = (
    "import errno, os\ndef full(*_): raise OSError(errno.ENOSPC, 'No space left on device')\n"
)


@fault(FAILED, "make room, run again", said="No space left on device", kernel=True)
def disk_is_full_for_the_kernel(scene: Scene) -> None:
    """The disk is full when the notebook writes its results."""
    scene.put(DISK_FULL + "os.fsync = full")


SCHEMA = "the result breaks its schema: the notebook counts as failed"


@fault(SCHEMA, FIX, said=r"estimates\.csv: columns .*extra; expected")
def writes_unknown_columns(scene: Scene) -> None:
    """A notebook writes a column that no schema knows."""
    line = "\\nimport pandas as pd; table = pd.read_csv(ev.load_study(study).root / output / "
    line += "'estimates.csv'); table['extra'] = 1; table.to_csv(plan.root / output / "
    line += "'estimates.csv', index=False)"
    scene.edit(scene.notebook, "findings, shown)", "findings, shown)" + line)


@fault(SCHEMA, FIX, said="NaN; expected numbers")
def writes_no_number(scene: Scene) -> None:
    """A notebook states an estimate that is no number."""
    line = "\\npath = plan.root / output / 'findings.json'; import re; "
    line += "path.write_text(re.sub(r'(.estimate.: )[-0-9.e]+', r'\\\\1NaN', path.read_text()))"
    scene.edit(scene.notebook, "findings, shown)", "findings, shown)" + line)


@fault("a result without its claims counts as failed", FIX, said="no result for BGD · other")
def states_no_claim(scene: Scene) -> None:
    """A notebook does not state what the study claims."""
    more = '[[claims]]\nid = "other"\nspecification = "within"\n\n[brief]'
    scene.edit(scene.path, "[brief]", more)
    scene.edit(scene.notebook, "ev.state(panel, fits)", "ev.state(panel, fits)[:1]")


@fault("a run without a result counts as failed", FIX, said=r"no estimates\.csv, findings\.json")
def writes_nothing(scene: Scene) -> None:
    """A notebook comes to its end and writes no result."""
    scene.edit(scene.notebook, "ev.write_neck(output, panel, fits, findings, shown)", "1")


# Before a run.


@fault(BEFORE, "declare the parameter", said="parameters study, output, seed, land; expected")
def parameter_is_not_declared(scene: Scene) -> None:
    """A notebook does not declare a key of the study's cases."""
    scene.edit(scene.notebook, "country: str", "land: str")


@fault(BEFORE, "give the value in that type", said="seed is declared int")
def parameter_has_another_type(scene: Scene) -> None:
    """A parameter's default is of another type than it says."""
    scene.edit(scene.notebook, "seed: int = 1", "seed: int = 1.5")


@fault(BEFORE, "tag one cell", said="2 cells tagged 'parameters'; expected exactly one")
def two_cells_hold_parameters(scene: Scene) -> None:
    """Two cells are tagged `parameters`."""
    scene.put("x = 1", tags=["parameters"])


@fault(BEFORE, "remove the tag", said="the tag 'raises-exception', which hides a failure")
def a_tag_hides_failures(scene: Scene) -> None:
    """A cell is tagged `raises-exception`."""
    scene.put("1 / 0", tags=["raises-exception"])


@fault(BEFORE, "restore it from version control", said="a file that is no valid notebook")
def notebook_is_cut_off(scene: Scene) -> None:
    """The notebook's file is cut off in the middle."""
    text = scene.notebook.read_text("utf-8")
    scene.notebook.write_text(text[: len(text) // 2], "utf-8")


@fault(BEFORE, "run the source notebook", said="the record of an earlier run")
def notebook_is_a_record(scene: Scene) -> None:
    """An executed notebook lies in the place of its source."""
    notebook = nbformat.read(scene.notebook, as_version=4)
    notebook.metadata["papermill"] = {}
    nbformat.write(notebook, scene.notebook)


@fault(BEFORE, "restore it from version control", said="expected a notebook of notebooks/")
def notebook_is_gone(scene: Scene) -> None:
    """The notebook is not there."""
    scene.notebook.unlink()


@fault(BEFORE, "mend that line", said=r"two\.toml: .*TOML")
def study_file_is_broken(scene: Scene) -> None:
    """The study file is no TOML."""
    scene.edit(scene.path, "[data]", "[data")


@fault(BEFORE, "check the spelling", said=r"two\.toml: .*sorces")
def study_file_has_an_unknown_key(scene: Scene) -> None:
    """The study file has a key that nobody knows."""
    scene.edit(scene.path, "sources =", "sorces =")


@fault(BEFORE, "restore it from version control", said=r"two\.toml")
def study_file_is_gone(scene: Scene) -> None:
    """The study file is not there."""
    scene.path.unlink()


@fault(BEFORE, "put the file back", said=r"visits\.csv")
def source_is_gone(scene: Scene) -> None:
    """A file of a source is not there."""
    scene.raw.unlink()


@fault(BEFORE, "restore it from version control", said=r"visits")
def record_is_gone(scene: Scene) -> None:
    """The record of a source is not there."""
    (scene.root / "data/sources/visits.toml").unlink()


@fault(BEFORE, "put the right file back", said=r"visits\.csv: .*expected")
def source_is_damaged(scene: Scene) -> None:
    """A bit of a file flipped whose hash its record tells."""
    digest = hashlib.sha256(scene.raw.read_bytes()).hexdigest()
    record = scene.root / "data/sources/visits.toml"
    scene.edit(record, 'file = "visits.csv"', f'file = "visits.csv"\nsha256 = "{digest}"')
    content = bytearray(scene.raw.read_bytes())
    content[-1] ^= 1
    scene.raw.write_bytes(content)


@fault(BEFORE, "put the whole file back", said=r"visits")
def source_is_cut_off(scene: Scene) -> None:
    """A file of a source ends in the middle of a row."""
    scene.raw.write_bytes(scene.raw.read_bytes()[:-9])


@fault(BEFORE, "restore it from version control", said="KHM")
def pack_is_gone(scene: Scene) -> None:
    """The pack of a country is not there."""
    (scene.root / "data/countries/KHM.toml").unlink()


# Earlier results.


@fault("the plan finds it by its form, that case runs", "run again", ending="heals",
       said=r"KHM start \(damaged: run\.json\)")  # fmt: skip
def record_of_a_run_is_damaged(scene: Scene) -> None:
    """`run.json` of a case is cut off."""
    (scene.case("KHM") / "run.json").write_text("{", "utf-8")


@fault("the plan finds it by its hash, that case runs", "run again", ending="heals",
       said=r"KHM start \(damaged: estimates\.csv\)")  # fmt: skip
def bit_of_a_result_flips(scene: Scene) -> None:
    """A bit of a case's result flips."""
    path = scene.case("KHM") / "estimates.csv"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


@fault("the plan finds it by its hash, that case runs", "run again", ending="heals",
       said=r"KHM start \(damaged: two\.ipynb\)")  # fmt: skip
def executed_notebook_is_gone(scene: Scene) -> None:
    """The executed notebook of a case is deleted."""
    (scene.case("KHM") / "two.ipynb").unlink()


@fault("that case runs", "run again", ending="heals", said=r"KHM start \(no earlier result\)")
def folder_of_a_case_is_gone(scene: Scene) -> None:
    """The folder of a case is deleted."""
    shutil.rmtree(scene.case("KHM").parent)


JOINED = "no notebook runs; the results are joined again"


@fault(JOINED, "run again", ending="heals", said="0 run, 2 unchanged")
def manifest_is_cut_off(scene: Scene) -> None:
    """`manifest.json` is half written."""
    path = scene.internal / "manifest.json"
    path.write_bytes(path.read_bytes()[:200])


@fault(JOINED, "run again", ending="heals", said="0 run, 2 unchanged")
def joined_results_are_damaged(scene: Scene) -> None:
    """A bit of the joined results flips."""
    path = scene.internal / "estimates.csv"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


@fault(JOINED, "run again", ending="heals", said="0 run, 2 unchanged")
def joined_results_are_gone(scene: Scene) -> None:
    """A file of the joined results is deleted."""
    (scene.internal / "findings.json").unlink()


@fault("rows are read again", "nothing", ending="unharmed", said="1 run, 1 unchanged")
def kept_hashes_of_rows_are_damaged(scene: Scene) -> None:
    """The kept hashes of rows (`rows.json`) are damaged."""
    path = scene.internal / "rows.json"
    path.write_text(path.read_text("utf-8").replace("KHM", "KHN"), "utf-8")


@fault("it is left out of comparisons", "nothing", ending="unharmed", said="1 run, 1 unchanged")
def manifest_of_a_kept_run_is_damaged(scene: Scene) -> None:
    """The manifest of an older kept run is damaged."""
    other = scene.internal / "history/2020-01-01-00000000"
    other.mkdir()
    (other / "manifest.json").write_text("{", "utf-8")


@fault("they are cleared away", "nothing", ending="unharmed", said="1 run, 1 unchanged")
def leftovers_of_a_run(scene: Scene) -> None:
    """A killed run left half a result, files that never got their place, half a kept run."""
    left = scene.internal / "running/KHM/two"
    left.mkdir(parents=True)
    (left / "estimates.csv").write_text("half", "utf-8")
    (scene.internal / ".findings.json.x.new").write_text("half", "utf-8")
    (scene.internal / "history/.keeping-x").mkdir()
    (scene.internal / "history/.keeping-x/manifest.json").write_text("{", "utf-8")


@fault("the earlier result is put back", "nothing", ending="heals", said="0 run, 2 unchanged")
def killed_between_two_names(scene: Scene) -> None:
    """Killed where a system cannot exchange folders: the earlier one lies beside its place."""
    folder = scene.case("KHM")
    folder.rename(folder.with_name(".two.old"))


# Around a run.


@fault("the second is refused at once", "wait until the first has ended", said="another run of")
def study_runs_already(scene: Scene) -> None:
    """The same study runs already."""
    fcntl.flock(scene.held.enter_context((scene.internal / ".lock").open("w")), fcntl.LOCK_EX)


@fault("nothing", "nothing", ending="unharmed", kernel=True, root="a 'b' \"c\" {d} %(e)s $F #g")
def path_has_odd_signs(scene: Scene) -> None:
    """The project's path has spaces, quotes, braces, percent and dollar signs."""


@fault("nothing", "nothing", ending="unharmed", kernel=True, root="ការងារ é é 労働 কাজ")
def path_is_in_other_scripts(scene: Scene) -> None:
    """The project's path is in Khmer, Japanese and Bangla, with combining marks."""


@fault("nothing", "nothing", ending="unharmed", kernel=True, root="a\nb\tc")
def path_has_a_line_break(scene: Scene) -> None:
    """The project's path has a line break."""


@fault("nothing", "nothing", ending="unharmed", kernel=True, root="/".join(["n" * 100] * 5))
def path_is_very_long(scene: Scene) -> None:
    """The project's path is longer than a socket's may be."""


@fault("nothing", "nothing", ending="unharmed", kernel=True, root="-n/--jobs")
def path_begins_with_dashes(scene: Scene) -> None:
    """Folders of the project's path begin with a dash, as options do."""


@fault("nothing", "nothing", ending="unharmed", kernel=True,
       root="p")  # fmt: skip
def environment_is_hostile(scene: Scene) -> None:
    """`PYTHONSTARTUP`, `MPLBACKEND` and thread counts are set to what would spoil a run."""
    bad = scene.root / "startup.py"
    bad.write_text("raise RuntimeError('started')", "utf-8")
    scene.patch.setenv("PYTHONSTARTUP", str(bad))
    scene.patch.setenv("MPLBACKEND", "no_such_backend")
    scene.patch.setenv("OMP_NUM_THREADS", "many")


@fault("the notebook runs once more", "nothing", ending="unharmed", kernel=True)
def warm_process_dies(scene: Scene) -> None:
    """The process that kernels are forked from is killed while a notebook runs."""
    note = scene.root / "killed"
    scene.put(
        f"import os, pathlib\nnote = pathlib.Path({str(note)!r})\n"
        "if not note.exists():\n    note.touch()\n    os.kill(os.getppid(), 9)\n"
        "    import time; time.sleep(30)"
    )


PLAIN = "kernels are started, not forked, with a word about it"


@fault(PLAIN, "nothing, or mend the folder", ending="unharmed", kernel=True)
def folder_for_sockets_is_open_to_others(scene: Scene) -> None:
    """The folder for sockets can be entered by others, or is somebody else's."""
    folder = scene.root / f"evidence-{os.getuid()}"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    scene.patch.setenv("XDG_RUNTIME_DIR", str(scene.root))


@fault(PLAIN, "nothing", ending="unharmed", kernel=True)
def folder_for_sockets_is_too_deep(scene: Scene) -> None:
    """The folder for sockets has too long a name."""
    deep = scene.root / ("n" * 100)
    deep.mkdir()
    scene.patch.setenv("XDG_RUNTIME_DIR", str(deep))


@fault("the system's folder is taken", "nothing", ending="unharmed", kernel=True)
def temporary_folder_is_gone(scene: Scene) -> None:
    """`TMPDIR` and `XDG_RUNTIME_DIR` name folders that are not there."""
    scene.patch.setattr(tempfile, "tempdir", os.environ["XDG_RUNTIME_DIR"])
    scene.patch.setenv("TMPDIR", str(scene.root / "none"))
    scene.patch.setenv("XDG_RUNTIME_DIR", str(scene.root / "none"))


@fault("nothing: hashes are compared, not times", "nothing", ending="unharmed")
def clock_went_back(scene: Scene) -> None:
    """The clock went back by years: files are from the future, a run ends before its forerunner."""

    class Earlier(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime(2001, 1, 1, tzinfo=tz)

    scene.patch.setattr(joining, "datetime", Earlier)
    for path in scene.root.rglob("*"):
        os.utime(path, (4e9, 4e9))


# How each ends.


@pytest.fixture(scope="module", autouse=True)
def _runtime() -> Iterator[None]:
    """Serve this module by a warm process of its own, which ends with it."""
    with tempfile.TemporaryDirectory(prefix="ev-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", folder)
        patch.delenv("EVIDENCE_WARM", raising=False)
        yield


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project with an earlier good run."""
    root = tmp_path_factory.mktemp("base") / "p"
    write_project(root)
    done = Scene(root, root, pytest.MonkeyPatch()).run()
    assert "2 run, 0 unchanged, 0 failed" in done.output
    return root


@pytest.fixture(scope="module")
def wanted(base: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return what a run gives after the change of inputs, where nothing goes wrong."""
    root = tmp_path_factory.mktemp("wanted") / "p"
    shutil.copytree(base, root)
    scene = Scene(root, base, pytest.MonkeyPatch())
    scene.change()
    assert "1 run, 1 unchanged, 0 failed" in scene.run().output
    return scene.joined()


Make = Callable[[Fault], Scene]


@pytest.fixture
def make(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Return a function that copies the project for a fault."""

    def copy(found: Fault) -> Scene:
        root = tmp_path / found.root
        shutil.copytree(base, root)
        if not found.kernel:
            stay_here(monkeypatch, root)
        return Scene(root, base, monkeypatch)

    return copy


def _select(results: dict[str, bytes], *, deep: bool) -> dict[str, bytes]:
    return results if deep else {n: b for n, b in results.items() if "/two/cases/" not in n}


def _list(ending: str) -> list[str]:
    return [name for name, found in FAULTS.items() if found.ending == ending]


def _strike(scene: Scene, found: Fault) -> Result:
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as held:
        struck = Scene(scene.root, scene.base, patch, held)
        found.inject(struck)
        return struck.run(*([] if found.deep else ["--jobs", "1"]))


@pytest.mark.parametrize("name", _list("stops"))
def test_a_run_stops_and_costs_nothing(make: Make, wanted: dict[str, bytes], name: str) -> None:
    found = FAULTS[name]
    scene = make(found)
    before = scene.results()
    scene.change()
    done = _strike(scene, found)
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    assert re.search(found.said, done.output, re.DOTALL), done.output
    (told, *_) = [line for line in done.output.splitlines() if line.startswith("error: ")]
    assert "; expected " in told
    assert "Traceback" not in done.output
    assert _select(scene.results(), deep=found.deep) == _select(before, deep=found.deep)
    scene.mend()
    if found.deep:
        check_fresh(scene.study)
    scene.change()
    done = scene.run()
    assert done.exit_code == 0, done.output
    if found.deep:
        assert "two: 1 run, 1 unchanged, 0 failed" in done.output
    check_fresh(scene.study)
    assert scene.joined() == wanted


@pytest.mark.parametrize("name", _list("heals"))
def test_damage_is_found_and_made_good(make: Make, name: str) -> None:
    found = FAULTS[name]
    scene = make(found)
    before, joined = scene.results(), scene.joined()
    found.inject(scene)
    with pytest.raises(RunError, match="Run it"):
        check_fresh(scene.study)
    done = scene.run()
    assert done.exit_code == 0, done.output
    assert re.search(found.said, done.output), done.output
    check_fresh(scene.study)
    assert scene.joined() == joined
    untouched = [n for n in before if "/cases/BGD/" in n or n.startswith("public/")]
    assert {n: scene.results()[n] for n in untouched} == {n: before[n] for n in untouched}


@pytest.mark.parametrize("name", _list("unharmed"))
def test_a_run_is_not_harmed(make: Make, wanted: dict[str, bytes], name: str) -> None:
    found = FAULTS[name]
    scene = make(found)
    scene.change()
    done = _strike(scene, found)
    assert done.exit_code == 0, done.output
    assert re.search(found.said, done.output), done.output
    assert scene.joined() == wanted
    check_fresh(scene.study)
    scene.mend()
    scene.change()
    assert scene.run().exit_code == 0
    assert scene.joined() == wanted


# Struck from outside.


def wait_until(true: Callable[[], bool], seconds: float = 15.0) -> bool:
    """Wait until something is true; tell whether it was, in time."""
    until = time.monotonic() + seconds
    while not true() and time.monotonic() < until:
        time.sleep(0.05)
    return true()


def _check_struck(scene: Scene, wanted: dict[str, bytes]) -> None:
    """Check that nothing is half, then that a run completes what is due."""
    before = Scene(scene.base, scene.base, scene.patch)
    kept = {n: b for n, b in before.results().items() if "/history/" in n or n.startswith("pub")}
    now = scene.results()
    assert {n: now[n] for n in kept} == kept
    (one, other) = plan_runs(scene.study)
    assert one.why == ""
    assert other.why.startswith("new data") or other.why == ""
    old = before.joined()
    for name, content in scene.joined().items():
        assert content in {old.get(name), wanted.get(name)}
    done = scene.run()
    assert done.exit_code == 0, done.output
    assert f"{int(bool(other.why))} run" in done.output
    assert scene.joined() == wanted
    check_fresh(scene.study)
    left = [p for p in scene.internal.rglob(".*") if p.name != ".lock"]
    assert not left


PLACES = [0.01, 0.3, 0.5, 0.6, 0.65, 0.7, 0.8, 0.95]
"""Where in a run it is struck, as parts of all its changes of files."""


@pytest.fixture(scope="module")
def changes(base: Path, tmp_path_factory: pytest.TempPathFactory) -> int:
    """Return how often a run after the change of inputs changes files."""
    root = tmp_path_factory.mktemp("count") / "p"
    shutil.copytree(base, root)
    Scene(root, base, pytest.MonkeyPatch()).change()
    code, said, count = run_struck(root, 10**9)
    assert code == 0, said
    assert count > 50
    return count


def _strike_at(scene: Scene, wanted: dict[str, bytes], number: int, error: int = 0) -> None:
    scene.change()
    code, said, _ = run_struck(scene.root, number, error)
    if error:
        assert code == 1
        assert os.strerror(error) in said
        assert "Traceback" not in said
    else:
        assert code == -signal.SIGKILL
    _check_struck(scene, wanted)


@pytest.mark.parametrize("part", PLACES)
@fault("every file is as before or as after", "run again: what is done is kept", ending="alone")
def test_command_is_killed(make: Make, wanted: dict[str, bytes], changes: int, part: float) -> None:
    """The command is killed (`kill -9`, a power cut) before any of its changes of files."""
    scene = make(FAULTS["test_command_is_killed"])
    _strike_at(scene, wanted, max(1, round(part * changes)))


@pytest.mark.parametrize("part", PLACES)
@fault("every file is as before or as after", "make room, run again", ending="alone")
def test_disk_is_full(make: Make, wanted: dict[str, bytes], changes: int, part: float) -> None:
    """The disk is full from any change of files on."""
    scene = make(FAULTS["test_disk_is_full"])
    _strike_at(scene, wanted, max(1, round(part * changes)), errno.ENOSPC)


@pytest.mark.slow
def test_struck_at_every_change_of_files(
    make: Make, base: Path, wanted: dict[str, bytes], changes: int
) -> None:
    scene = make(FAULTS["test_command_is_killed"])
    for number in range(1, 2 * changes):
        shutil.rmtree(scene.root)
        shutil.copytree(base, scene.root)
        scene.change()
        code, _, _ = run_struck(scene.root, number)
        if code == 0:
            break
        _check_struck(scene, wanted)
    assert 0.9 * changes < number < 1.1 * changes


@pytest.mark.parametrize("error", [errno.EROFS, errno.EACCES, errno.EDQUOT, errno.EIO])
@fault("nothing runs", "mend the folder or its rights, run again", ending="alone")
def test_folder_is_closed(make: Make, wanted: dict[str, bytes], error: int) -> None:
    """The folder of results is read-only, closed, over its quota, or its disk is broken."""
    _strike_at(make(FAULTS["test_folder_is_closed"]), wanted, 1, error)


@heeds_interrupts
@fault("kernels end, the notebooks that ran count as failed", "run again", ending="alone")
def test_command_is_interrupted(make: Make, wanted: dict[str, bytes]) -> None:
    """Ctrl-C while a notebook runs."""
    _end_from_outside(make, wanted, signal.SIGINT)


@fault("the kernel ends with it", "run again", ending="alone")
def test_command_is_killed_while_a_cell_runs(make: Make, wanted: dict[str, bytes]) -> None:
    """The command is killed while a cell runs in its kernel."""
    _end_from_outside(make, wanted, signal.SIGKILL)


@fault("the kernel ends with it", "run again", ending="alone")
def test_command_is_told_to_end(make: Make, wanted: dict[str, bytes]) -> None:
    """The command is told to end (`kill`, a queue's time limit) while a cell runs."""
    _end_from_outside(make, wanted, signal.SIGTERM)


def _end_from_outside(make: Make, wanted: dict[str, bytes], number: int) -> None:
    scene = make(FAULTS["cell_raises"])
    before = scene.results()
    note = scene.root / "kernel"
    scene.put(
        f"import os, pathlib, time; pathlib.Path({str(note)!r}).write_text(str(os.getpid()))",
        "time.sleep(300)",
    )
    # Who is started in the background ignores Ctrl-C, and so would all that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    program = "import sys; from evidence.cli import main; main(['run', sys.argv[1]])"
    command = subprocess.Popen(
        [sys.executable, "-c", program, str(scene.path)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert wait_until(lambda: note.exists() and note.read_text("ascii") != "", 60)
    command.send_signal(number)
    _, said = command.communicate(timeout=30)
    if number == signal.SIGINT:
        assert command.returncode == 130
        assert "error: interrupted. Run again to go on" in said
        assert "Traceback" not in said
    else:
        assert command.returncode == -number
    kernel = int(note.read_text("ascii"))
    assert wait_until(lambda: kernel not in list_processes(kernel, "no mark"))
    assert scene.results() == before
    scene.mend()
    check_fresh(scene.study)
    scene.change()
    assert "1 run, 1 unchanged, 0 failed" in scene.run().output
    assert scene.joined() == wanted


@fault("the second is refused at once", "wait, or name another output", ending="alone")
def test_two_run_onto_one_notebook(tmp_path: Path) -> None:
    """Two runs write to one notebook."""
    papermill_engines.register("evidence", engine)
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("import time; time.sleep(2); x")],
        metadata={"kernelspec": KERNEL},
    )
    notebook.cells.insert(0, nbformat.v4.new_code_cell("x = 0", metadata={"tags": ["parameters"]}))
    nbformat.write(notebook, tmp_path / "in.ipynb")

    def run(x: int) -> str:
        with contextlib.closing(ensure_event_loop()):
            try:
                papermill.execute_notebook(
                    str(tmp_path / "in.ipynb"),
                    str(tmp_path / "out.ipynb"),
                    {"x": x},
                    engine_name="evidence",
                    progress_bar=False,
                )
            except RunError as error:
                return error.seen
        return str(x)

    with ThreadPoolExecutor(2) as pool:
        told = sorted(pool.map(run, [1, 2]))
    assert told[1].startswith("another run onto this notebook")
    done = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert done.cells[-1].outputs[0].data["text/plain"] == told[0]


def test_the_list_tells_every_fault() -> None:
    lines = [
        f"| {found.what} | {found.then} | {found.do} |".replace("`|`", "")
        for found in FAULTS.values()
    ]
    assert len(lines) == len(set(lines)) >= 40
    text = (ROOT / "docs/faults.md").read_text("utf-8")
    told = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert told == lines
