"""A provisioner for jupyter_client: Python kernels of this interpreter are forked.

``JUPYTER_DEFAULT_PROVISIONER_NAME=evidence-warm`` gives it to whatever starts kernels with
jupyter_client: nbclient, nbval, JupyterLab. Kernels of other interpreters and languages
are started as always.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import sys
import tempfile
import weakref
from pathlib import Path
from typing import Any

from jupyter_client.provisioning import LocalProvisioner
from traitlets import Float, Int

from evidence.run.kernels.client import (
    FIXED,
    ForkedProcess,
    Limits,
    find_folder,
    fork_kernel,
    is_possible,
)
from evidence.run.kernels.processes import MARK, end_processes, list_processes, measure_memory

_LAUNCHER = ["-m", "ipykernel_launcher"]
_RUNNING: weakref.WeakSet[WarmProvisioner] = weakref.WeakSet()
_HARMLESS = {"-Xfrozen_modules=off"}


class WarmProvisioner(LocalProvisioner):
    """Fork a kernel from the warm process, or start it where that cannot be."""

    memory = Int(sys.maxsize, help="Bytes that the kernel and what it starts may hold").tag(
        config=True
    )
    seconds = Float(float("inf"), help="Seconds that the kernel may live").tag(config=True)
    process: Any = None
    mark = ""
    sockets = ""
    why = ""

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Choose sockets in a folder of this user's own, in place of ports."""
        if not self.sockets and self.parent and is_possible() and _is_ours(self.kernel_spec.argv):
            # Without such a folder there is no warm process either, and the client says why.
            with contextlib.suppress(OSError):
                self.sockets = tempfile.mkdtemp(dir=find_folder(), prefix="k")
                self.parent.transport = "ipc"
                self.parent.ip = f"{self.sockets}/k"
        return dict(await super().pre_launch(**kwargs))

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Launch a kernel with a command, or fork what the command would become."""
        self.mark = secrets.token_hex(8)
        _RUNNING.add(self)
        fixed = FIXED if _is_ours(cmd) else {}
        kwargs["env"] = {**kwargs["env"], **fixed, MARK: self.mark}
        forked = await asyncio.to_thread(self._fork, cmd, kwargs) if _is_ours(cmd) else None
        if forked is None:
            return await super().launch_kernel(cmd, **kwargs)
        self.process = forked
        self.pid = self.pgid = forked.pid
        self.cwd = kwargs.get("cwd") or Path.cwd()
        return self.connection_info

    async def poll(self) -> int | None:
        """Poll the kernel; one that was started, not forked, is held to its memory here."""
        code: int | None = await super().poll()
        if isinstance(self.process, ForkedProcess):
            self.why = self.why or self.process.why
        if code is None and self.why:
            self._end()
        elif code is None and self._holds_too_much():
            self.end("memory")
        return code

    def end(self, why: str) -> None:
        """End the kernel and all that it started; the first reason counts."""
        if not self.why:
            self.why = why
            self._end()

    def _end(self) -> None:
        if self.pid and sys.platform == "linux":
            end_processes(self.pid, self.mark)
        elif self.process:
            self.process.kill()

    def _holds_too_much(self) -> bool:
        if not self.process or isinstance(self.process, ForkedProcess) or sys.platform != "linux":
            return False
        return measure_memory(list_processes(self.pid, self.mark)) > int(self.memory)

    async def kill(self, restart: bool = False) -> None:
        """Kill the kernel and everything that it started."""
        await super().kill(restart)
        if isinstance(self.process, ForkedProcess):
            self.process.wait(1.0)
        elif self.pid and sys.platform == "linux":
            end_processes(self.pid, self.mark)

    async def cleanup(self, restart: bool = False) -> None:
        """Leave nothing behind: no process, no socket."""
        if isinstance(self.process, ForkedProcess):
            self.process.release()
        elif self.pid and sys.platform == "linux":
            end_processes(self.pid, self.mark)
        if self.sockets and not restart:
            shutil.rmtree(self.sockets, ignore_errors=True)
        await super().cleanup(restart)

    def _fork(self, cmd: list[str], kwargs: dict[str, Any]) -> ForkedProcess | None:
        return fork_kernel(
            cmd[cmd.index("ipykernel_launcher") + 1 :],
            kwargs["env"],
            str(kwargs.get("cwd") or Path.cwd()),
            self.mark,
            Limits(self.memory, self.seconds),
        )


def end_kernels() -> None:
    """End every kernel of this process, because somebody interrupted it."""
    for provisioner in list(_RUNNING):
        provisioner.end("interrupt")


def _is_ours(cmd: list[str]) -> bool:
    """Tell whether a command starts an IPython kernel with this interpreter."""
    names = {"python", "python3", f"python3.{sys.version_info[1]}"}
    if not cmd or (cmd[0] not in names and not _is_this(cmd[0])):
        return False
    rest = [word for word in cmd[1:] if word not in _HARMLESS]
    return rest[:2] == _LAUNCHER


def _is_this(executable: str) -> bool:
    return os.path.abspath(executable) == os.path.abspath(sys.executable)
