"""A papermill engine: ``papermill --engine evidence in.ipynb out.ipynb``, for any notebook.

The kernel is forked where that can be, starts in a clean environment, and is held to limits
of memory and time. The verdict is our own. A notebook that fails is written beside the output,
as ``out.failed.ipynb``; the output itself is only ever replaced, whole, by a good one.

The module is the engine: papermill asks it for these functions. A class of papermill's could
not be derived here, for papermill looks for engines while it loads itself.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from queue import Empty
from typing import Any

import zmq
from jupyter_client import AsyncKernelClient, AsyncKernelManager
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NotebookExecutionManager
from papermill.iorw import LocalHandler, papermill_io
from papermill.log import logger
from papermill.utils import nb_kernel_name as nb_kernel_name
from papermill.utils import nb_language as nb_language

from evidence.files import replace_file
from evidence.run.kernels import hooks
from evidence.run.kernels.output import is_local, lock_output, name_failed
from evidence.run.kernels.provisioner import WarmProvisioner
from evidence.run.kernels.verdict import judge_cell, judge_notebook, mark_cell

CELL_SECONDS = 1800
OUTPUT_BYTES = 50_000_000
"""What a notebook may put out; the process that runs it holds all of it in memory."""
_KEPT = {
    "HOME", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "LOGNAME", "PATH", "PYTHONPATH", "SHELL",
    "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "TZ", "USER", "USERPROFILE", "APPDATA", "VIRTUAL_ENV",
}  # fmt: skip
_KEPT_FAMILIES = ("CONDA_", "IPYTHON", "JULIA_", "JUPYTER_", "LC_", "R_", "XDG_")
_EXIT = {
    "interrupt": "the run was interrupted",
    "memory": "it held more memory than its limit",
    "output": "it put out more than its limit",
    "time": "it took longer than its limit",
    "warm": "the warm process died",
}


def execute_notebook(
    nb: Any,
    kernel_name: str,
    output_path: str | None = None,
    *,
    memory_limit: int = 0,
    time_limit: float = 0,
    environment: Mapping[str, str] | None = None,
    **options: Any,
) -> Any:
    """Execute a notebook; raise where it does not come to its end as it should.

    Parameters
    ----------
    memory_limit : int
        Bytes that the kernel and all that it starts may hold; by default the number in
        EVIDENCE_MEMORY_LIMIT, else three quarters of the machine's memory.
    time_limit : float
        Seconds that the kernel may live; by default the number in EVIDENCE_TIME_LIMIT, else
        without end. A cell has half an hour, or papermill's ``execution_timeout``.
    environment : mapping
        Variables for the kernel beside those of ``clean_environment``.
    options : dict
        papermill's own.

    Returns
    -------
    NotebookNode
        The executed notebook; ``metadata.papermill.warnings`` lists what was warned of.

    Raises
    ------
    PapermillExecutionError
        Where a cell failed, never ran, exited, or raised a warning that counts; where
        the kernel died or took too long.
    RunError
        Where another run onto the same output goes on.
    """
    from papermill.execute import raise_for_execution_errors

    kinds = ("progress_bar", "log_output")
    shown: dict[str, Any] = {name: options.pop(name) for name in kinds if name in options}
    options.pop("input_path", None)
    options.pop("autosave_cell_every", None)
    provision = {
        "memory": memory_limit or int(_read_number("EVIDENCE_MEMORY_LIMIT", _most_memory())),
        "seconds": time_limit or _read_number("EVIDENCE_TIME_LIMIT", float("inf")),
    }
    options |= {
        "timeout": options.pop("execution_timeout", None) or CELL_SECONDS,
        "startup_timeout": options.pop("start_timeout", 60),
        "kernel_name": kernel_name,
    }
    failed = name_failed(output_path) if output_path and is_local(output_path) else None
    with lock_output(failed) if failed else contextlib.nullcontext():
        again = copy.deepcopy(nb)
        done, why = _run(nb, shown, provision, environment or {}, options)
        if why == "warm":
            logger.warning("the warm process died; the notebook runs once more")
            done, _ = _run(again, shown, provision, environment or {}, options)
        if judge_notebook(done) is not None:
            raise_for_execution_errors(done, str(failed) if failed else None)
        if failed and output_path:
            failed.unlink(missing_ok=True)
            papermill_io.register(output_path, _WholeFile(Path.cwd()))
    return done


def _run(
    nb: Any,
    shown: Mapping[str, Any],
    provision: Mapping[str, Any],
    environment: Mapping[str, str],
    options: Mapping[str, Any],
) -> tuple[Any, str]:
    """Run a notebook; return it, and why its kernel was ended, if it was."""
    manager = NotebookExecutionManager(nb, **shown)
    client = _Client(
        manager, provision=provision, log=logger, shutdown_kernel="immediate", **options
    )
    manager.notebook_start()
    try:
        client.run(clean_environment(environment))
    except RuntimeError:
        if client.provisioner.why != "warm":
            raise
    finally:
        manager.cleanup_pbar()
        manager.notebook_complete()
    return manager.nb, client.provisioner.why


class _KernelClient(AsyncKernelClient):
    """A client that is ready as soon as its kernel is, where the kernel says so."""

    def _context_default(self) -> Any:
        context = super()._context_default()
        context.setsockopt(zmq.RECONNECT_IVL, 10)
        return context

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait for the kernel's welcome to its listeners, then for its first answer."""
        if self.transport != "ipc":
            await super().wait_for_ready(timeout)
            return
        self.kernel_info()
        until = time.monotonic() + (timeout or float("inf"))
        await self._wait_for(self.iopub_channel, "iopub_welcome", until)
        self._handle_kernel_info_reply(
            await self._wait_for(self.shell_channel, "kernel_info_reply", until)
        )

    async def _wait_for(self, channel: Any, kind: str, until: float) -> Any:
        while time.monotonic() < until:
            with contextlib.suppress(Empty):
                message = await channel.get_msg(timeout=1)
                if message["msg_type"] == kind:
                    return message
            if not await self._async_is_alive():
                raise RuntimeError("Kernel died before it was ready")
        raise RuntimeError("Kernel was not ready in time")


class _Client(PapermillNotebookClient):
    """papermill's client of a kernel that is forked and watched."""

    def __init__(self, nb_man: Any, provision: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(nb_man, **kwargs)
        self.provision = provision
        self.told: dict[int, list[dict[str, Any]]] = {}
        self.reply: Any = None
        self.current = 0
        self.put_out = 0
        self.on_cell_executed = self._keep_reply

    def run(self, environment: Mapping[str, str]) -> None:
        """Execute all cells; whatever ends the run is marked in the cell where it happened."""
        try:
            self.execute(env=environment)
        except (CellTimeoutError, DeadKernelError) as error:
            self._mark(type(error).__name__, self._explain(error))
        found = judge_notebook(self.nb)
        if found is not None:
            index, name, description = found
            self.current = index
            if not any(o.get("ename") == name for o in self.nb.cells[index].outputs):
                self._mark(name, description)
        self.nb.metadata.papermill["warnings"] = [
            {"cell": self.nb.cells[index].get("id", str(index)), **warning}
            for index, found_there in sorted(self.told.items())
            for warning in found_there
        ]

    def create_kernel_manager(self) -> Any:
        """Create a manager whose kernel comes from our provisioner."""
        manager: AsyncKernelManager = super().create_kernel_manager()
        spec = manager.kernel_spec
        self.provisioner = WarmProvisioner(kernel_spec=spec, parent=manager, **self.provision)
        manager.provisioner = self.provisioner
        manager.client_factory = _KernelClient
        return manager

    def start_new_kernel_client(self) -> Any:
        """Start a client, and tell a Python kernel how it is watched."""
        client = super().start_new_kernel_client()
        if self.km.kernel_spec.language.lower() == "python":
            text = inspect.getsource(hooks)
            client.execute(
                f"exec({text!r}, space := {{}})\nspace['watch'](get_ipython())\ndel space",
                silent=True,
            )
        return client

    def execute_cell(self, cell: Any, cell_index: int, *args: Any, **kwargs: Any) -> Any:
        """Execute a cell, and judge it."""
        self.current = cell_index
        self.reply = None
        done = super().execute_cell(cell, cell_index, *args, **kwargs)
        wrong = judge_cell(cell, self.reply, self.told.get(cell_index, []))
        if wrong is not None:
            mark_cell(cell, *wrong)
            raise CellExecutionError("", *wrong)
        return done

    def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
        """Keep warnings apart from what a cell puts out, and the latter within its limit."""
        self.put_out += sum(map(len, msg.get("buffers", []))) + len(str(msg["content"]))
        if self.put_out > OUTPUT_BYTES:
            self.provisioner.end("output")
            return None
        data = msg["content"].get("data", {}) if msg["msg_type"] == "display_data" else {}
        if hooks.WARNING_TYPE in data:
            self.told.setdefault(cell_index, []).append(data[hooks.WARNING_TYPE])
            return None
        return super().process_message(msg, cell, cell_index)

    def _keep_reply(self, cell: Any, cell_index: int, execute_reply: Any) -> None:
        self.reply = execute_reply

    def _mark(self, name: str, description: str) -> None:
        cell = self.nb.cells[self.current]
        mark_cell(cell, name, description)
        self.nb_man.cell_exception(cell, cell_index=self.current)

    def _explain(self, error: Exception) -> str:
        if self.provisioner.why:
            return f"the kernel was ended: {_EXIT[self.provisioner.why]}"
        if isinstance(error, CellTimeoutError):
            return f"the cell ran for longer than {self.timeout} s"
        return "the kernel died; look for too little memory or a crash in compiled code"


class _WholeFile(LocalHandler):
    """Writes beside the place and renames; papermill finds it by how the path begins."""

    def __init__(self, base: Path) -> None:
        super().__init__()
        self.base = base

    def write(self, buf: str, path: str) -> None:
        """Write a whole file."""
        replace_file(self.base / path, buf.encode("utf-8"))


def clean_environment(added: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a kernel gets.

    A few of this process's own, those named in EVIDENCE_KEEP (commas between), those added.
    """
    wanted = _KEPT | set(os.environ.get("EVIDENCE_KEEP", "").split(","))
    kept = {k: v for k, v in os.environ.items() if k in wanted or k.startswith(_KEPT_FAMILIES)}
    return {**kept, **added}


def _read_number(name: str, otherwise: float) -> float:
    return float(os.environ.get(name) or otherwise)


def _most_memory() -> float:
    """Return three quarters of the machine's memory, in bytes."""
    if sys.platform != "linux":
        return float(sys.maxsize)
    return 0.75 * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
