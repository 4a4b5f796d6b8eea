from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
from jupyter_client import KernelManager
from jupyter_core.utils import ensure_event_loop
from nbclient import NotebookClient
from papermill.engines import papermill_engines
from papermill.exceptions import PapermillExecutionError

import evidence
from evidence.run.kernels import client, engine, hooks, provisioner
from evidence.run.kernels.processes import list_processes
from evidence.run.kernels.verdict import is_fatal, judge_notebook

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
Runner = Callable[..., Any]


@pytest.fixture(scope="module")
def runtime() -> Iterator[Path]:
    """Return a folder for sockets: one warm process serves this module, and ends with it."""
    with tempfile.TemporaryDirectory(prefix="ev-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", folder)
        patch.delenv("EVIDENCE_WARM", raising=False)
        yield Path(folder)


def _write(folder: Path, *cells: str, tags: tuple[str, ...] = ()) -> Path:
    code = [nbformat.v4.new_code_cell(text, metadata={"tags": list(tags)}) for text in cells]
    path = folder / "in.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=code, metadata={"kernelspec": KERNEL}), path)
    return path


@pytest.fixture
def run(runtime: Path, tmp_path: Path) -> Runner:
    """Return a function that runs cells with papermill through the engine."""

    def run_cells(*cells: str, tags: tuple[str, ...] = (), **options: Any) -> list[str]:
        papermill_engines.register("evidence", engine)
        with contextlib.closing(ensure_event_loop()):
            done = papermill.execute_notebook(
                str(_write(tmp_path, *cells, tags=tags)),
                str(tmp_path / "out.ipynb"),
                engine_name="evidence",
                progress_bar=False,
                **options,
            )
        return [
            "".join(o.get("text", "") or o.get("data", {}).get("text/plain", "") for o in c.outputs)
            for c in done.cells
        ]

    return run_cells


def _is_gone(process: int) -> bool:
    return process not in list_processes(process, "no mark")


def _wait_until(true: Callable[[], bool], seconds: float = 30.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if true():
            return True
        time.sleep(0.05)
    return False


def test_a_forked_kernel_has_the_stack_and_the_same_seeds_each_time(run: Runner) -> None:
    cells = (
        "import sys; print('linearmodels' in sys.modules, 'evidence.models' in sys.modules)",
        "import random, numpy as np; print(random.random(), np.random.rand(), hash('a'))",
        "import os; print(os.getsid(0) == os.getpid(), os.environ['PYTHONHASHSEED'])",
        "import matplotlib.pyplot as plt; plt.plot([1]); plt.gcf()",
    )
    first, second = run(*cells), run(*cells)
    assert first[0] == "True True\n"
    assert first[1] == second[1]
    assert first[2] == "True 0\n"
    assert "Figure" in first[3]


def test_the_environment_is_clean_but_for_what_is_asked(
    run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "s")
    monkeypatch.setenv("DATABASE", "d")
    monkeypatch.setenv("EVIDENCE_KEEP", "DATABASE,OTHER")
    (printed,) = run(
        "import os; print([os.environ.get(k) for k in ('SECRET_KEY', 'DATABASE', 'ASKED')])",
        environment={"ASKED": "a"},
    )
    assert printed == "[None, 'd', 'a']\n"


def test_a_forked_kernel_imports_this_package_and_no_other(run: Runner) -> None:
    (printed,) = run("import evidence; print(evidence.__file__)")
    assert printed.strip() == evidence.__file__


def test_two_kernels_at_once_know_nothing_of_each_other(runtime: Path) -> None:
    def execute(number: int) -> str:
        cells = [nbformat.v4.new_code_cell(s) for s in (f"x = {number}", "print(x)")]
        notebook = nbformat.v4.new_notebook(cells=cells, metadata={"papermill": {}})
        with contextlib.closing(ensure_event_loop()):
            engine.execute_notebook(notebook, "python3", progress_bar=False)
        return str(notebook.cells[-1].outputs[0].text)

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(execute, [1, 2, 3])) == ["1\n", "2\n", "3\n"]


FAULTS = {
    "early exit": (("import sys; sys.exit(0)", "1"), "EarlyExit: the notebook ends itself here"),
    "exit()": (("exit()", "1"), "EarlyExit: the cell asks the kernel to exit"),
    "shell": (("!false", "1"), "returned non-zero exit status 1"),
    "shell into a variable": (("x = !false", "1"), "returned non-zero exit status 1"),
    "bash": (("%%bash\nfalse", "1"), "returned non-zero exit status 1"),
    "dead": (("import os; os._exit(0)", "1"), "DeadKernelError: the kernel died"),
    "dead in the last cell": (("1", "import os; os.abort()"), "DeadKernelError: the kernel died"),
    "warning": (
        ("import warnings\nclass ConvergenceWarning(UserWarning): ...",
         "warnings.warn('no optimum', ConvergenceWarning)"),
        "ConvergenceWarning: no optimum",
    ),
    "rank": (
        ("import warnings; warnings.warn('covariance of constraints does not have full rank')",),
        "UserWarning: covariance of constraints does not have full rank",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_what_papermill_would_let_pass_fails_and_leaves_the_earlier_output(
    run: Runner, tmp_path: Path, fault: str
) -> None:
    cells, message = FAULTS[fault]
    (tmp_path / "out.ipynb").write_text("an earlier good result", "utf-8")
    with pytest.raises(PapermillExecutionError, match=message):
        run(*cells)
    assert (tmp_path / "out.ipynb").read_text("utf-8") == "an earlier good result"
    failed = nbformat.read(tmp_path / "out.failed.ipynb", as_version=4)
    assert judge_notebook(failed) is not None
    run("1")
    assert not (tmp_path / "out.failed.ipynb").exists()
    assert nbformat.read(tmp_path / "out.ipynb", as_version=4).cells[0].execution_count == 1


def test_a_warning_is_collected_with_its_cell_and_may_be_accepted(
    run: Runner, tmp_path: Path
) -> None:
    text = "import warnings\nclass ConvergenceWarning(UserWarning): ...\n"
    run(text + "warnings.warn('slow', ConvergenceWarning)", tags=("accepts-ConvergenceWarning",))
    done = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    (told,) = done.metadata.papermill.warnings
    assert (told.cell, told.message) == (done.cells[0].id, "slow")
    assert told.kinds == ["ConvergenceWarning", "UserWarning", "Warning"]
    assert all(hooks.WARNING_TYPE not in o.get("data", {}) for o in done.cells[0].outputs)


def test_only_what_spoils_an_estimate_is_fatal() -> None:
    assert not is_fatal({"kinds": ["FutureWarning", "Warning"], "message": "soon"}, [])
    assert is_fatal({"kinds": ["UserWarning"], "message": "Singular matrix"}, [])


def test_a_kernel_that_takes_too_much_memory_is_ended_with_a_word(run: Runner) -> None:
    with pytest.raises(Exception, match="it held more memory than its limit"):
        run("x = bytearray(900_000_000)\nimport time; time.sleep(20)", memory_limit=700_000_000)


def test_a_cell_and_a_kernel_have_their_time(run: Runner) -> None:
    with pytest.raises(Exception, match="CellTimeoutError: the cell ran for longer than 1 s"):
        run("import time; time.sleep(20)", execution_timeout=1)
    with pytest.raises(Exception, match="it took longer than its limit"):
        run("import time; time.sleep(20)", time_limit=1)


def test_what_a_notebook_started_ends_with_it(run: Runner, tmp_path: Path) -> None:
    note = tmp_path / "processes"
    start = (
        "import subprocess, pathlib\n"
        "a = subprocess.Popen(['sleep', '300'])\n"
        "b = subprocess.Popen(['sleep', '300'], start_new_session=True)\n"
        f"pathlib.Path({str(note)!r}).write_text(f'{{a.pid}} {{b.pid}}')"
    )
    run(start)
    assert all(_is_gone(int(word)) for word in note.read_text("ascii").split())
    with pytest.raises(Exception, match="division by zero"):
        run(start, "1 / 0")
    assert all(_is_gone(int(word)) for word in note.read_text("ascii").split())


def test_a_kernel_ends_when_its_client_is_killed(runtime: Path, tmp_path: Path) -> None:
    note = tmp_path / "process"
    text = f"import os, pathlib, time; pathlib.Path({str(note)!r}).write_text(str(os.getpid()))"
    path = _write(tmp_path, text, "time.sleep(300)")
    program = (
        "import sys, papermill\n"
        "from papermill.engines import papermill_engines\n"
        "from evidence.run.kernels import engine\n"
        "papermill_engines.register('evidence', engine)\n"
        "papermill.execute_notebook(*sys.argv[1:], engine_name='evidence', progress_bar=False)"
    )
    command = [sys.executable, "-c", program, str(path), str(tmp_path / "out.ipynb")]
    driver = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    assert _wait_until(lambda: note.exists() and note.read_text("ascii") != "", 60)
    kernel = int(note.read_text("ascii"))
    assert not _is_gone(kernel)
    driver.kill()
    driver.wait()
    assert _wait_until(lambda: _is_gone(kernel))
    assert not (tmp_path / "out.ipynb").exists()


def test_nbclient_takes_kernels_through_the_provisioner(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = provisioner.WarmProvisioner
    monkeypatch.setattr(
        "jupyter_client.provisioning.factory.KernelProvisionerFactory.create_provisioner_instance",
        lambda self, kernel_id, kernel_spec, parent: create(
            kernel_id=kernel_id, kernel_spec=kernel_spec, parent=parent
        ),
    )
    cells = [nbformat.v4.new_code_cell("import sys; print('seaborn' in sys.modules)")]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": KERNEL})
    with contextlib.closing(ensure_event_loop()):
        NotebookClient(notebook, timeout=60).execute()
    assert notebook.cells[0].outputs[0].text == "True\n"


def test_a_kernel_can_be_interrupted_and_restarted(runtime: Path) -> None:
    manager = KernelManager(kernel_name="python3")
    manager.provisioner = provisioner.WarmProvisioner(
        kernel_spec=manager.kernel_spec, parent=manager
    )
    manager.start_kernel()
    kernel = manager.client()
    kernel.start_channels()
    kernel.wait_for_ready(timeout=30)
    first = manager.provisioner.pid
    assert isinstance(manager.provisioner.process, client.ForkedProcess)
    kernel.execute("import time; time.sleep(60)")
    assert kernel.get_iopub_msg(timeout=10)
    time.sleep(0.3)
    manager.interrupt_kernel()
    assert kernel.get_shell_msg(timeout=10)["content"]["ename"] == "KeyboardInterrupt"
    manager.restart_kernel(now=True)
    kernel.wait_for_ready(timeout=30)
    assert manager.provisioner.pid != first
    assert _is_gone(first)
    sockets = Path(manager.provisioner.sockets)
    kernel.stop_channels()
    manager.shutdown_kernel()
    assert not sockets.exists()


@pytest.mark.parametrize("reason", ["told not to", "no fork", "dead"])
def test_plain_kernels_serve_where_none_can_be_forked(
    run: Runner,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    reason: str,
) -> None:
    client.warn_once.cache_clear()
    if reason == "told not to":
        monkeypatch.setenv("EVIDENCE_WARM", "0")
    elif reason == "no fork":
        monkeypatch.delattr(os, "fork")
    else:
        monkeypatch.setattr(client, "_start", _fail_to_start)
        monkeypatch.setenv("HOME", str(tmp_path))
    printed = run("import sys; print('linearmodels' in sys.modules)")
    assert printed == ["False\n"]
    assert len([r for r in caplog.records if r.name == "evidence"]) == (reason != "told not to")


def _fail_to_start(*_: Any) -> None:
    raise subprocess.TimeoutExpired("warm", 1)


def test_a_warm_process_that_hangs_is_left_alone(
    runtime: Path, run: Runner, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run("1")
    client.warn_once.cache_clear()
    monkeypatch.setattr(client, "ANSWER_SECONDS", 0.5)
    found = _find_warm(runtime)
    for warm in found:
        os.kill(warm, signal.SIGSTOP)
    try:
        assert run("import sys; print('linearmodels' in sys.modules)") == ["False\n"]
        assert "no warm kernel" in caplog.text
    finally:
        for warm in found:
            os.kill(warm, signal.SIGCONT)


def test_the_warm_process_ends_with_its_socket(
    run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory(prefix="ev-") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        run("1")
        found = _find_warm(Path(folder))
        for socket in Path(folder).glob("*/*.socket"):
            assert socket.parent.stat().st_mode & 0o777 == 0o700
            socket.unlink()
        assert _wait_until(lambda: all(map(_is_gone, found)))


def _find_warm(runtime: Path) -> list[int]:
    found = [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if str(runtime).encode() in path.read_bytes()
    ]
    assert found
    return found
