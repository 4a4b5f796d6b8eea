"""The warm process: imports the stack once, then forks a kernel for each request.

``python -m evidence.run.kernels.warm SOCKET`` ends at once, with status 0 where a process of
its own now listens at SOCKET. That process serves whoever owns the folder, and ends when
nobody has asked for some minutes, or when its socket is gone.

One connection is one kernel: a line of JSON asks for it (with the descriptors of standard
output and error), a line answers with its process id, a last line tells how it ended.
A connection that closes earlier, because its client is gone, ends the kernel with
everything that it started.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evidence.run.kernels.processes import (
    count_threads,
    end_processes,
    measure_memory,
    survey,
)

STACK = (
    "numpy",
    "pandas",
    "pyarrow.parquet",
    "scipy.optimize",
    "scipy.stats",
    "statsmodels.api",
    "statsmodels.formula.api",
    "linearmodels",
    "matplotlib.pyplot",
    "seaborn",
    "IPython.core.debugger",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "sqlite3",
    "tornado.platform.asyncio",
    "ipykernel.kernelapp",
    "ipykernel.debugger",
    "ipykernel.ipkernel",
    "ipykernel.zmqshell",
    "evidence.exhibits",
    "evidence.findings",
    "evidence.measures",
    "evidence.models",
    "evidence.neck",
    "evidence.panel",
    "evidence.sources",
    "evidence.study",
)
IDLE_SECONDS = 600
_LOOK_SECONDS = 0.5
_REQUEST_BYTES = 1 << 16


@dataclass(slots=True)
class _Client:
    """A connection, with what was read of its request, and its kernel once there is one."""

    connection: socket.socket
    text: bytes = b""
    descriptors: list[int] = field(default_factory=list)
    request: dict[str, Any] = field(default_factory=dict)
    process: int = 0
    deadline: float = float("inf")
    why: str = ""


def main(address: str) -> dict[str, Any] | None:
    """Import the stack, leave a listening process behind, return what its children must do."""
    sys.path.pop(0)
    for name in STACK:
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(name)
    threads = count_threads()
    if threads > 1:
        sys.exit(f"{threads} threads after the imports: a fork would lose all but one")
    listener = _listen(Path(address))
    gc.collect()
    gc.freeze()
    if os.fork():
        os._exit(0)
    os.setsid()
    return _Server(listener, Path(address)).serve()


def _listen(path: Path) -> socket.socket:
    """Listen at a path: whoever finds it can connect."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(new))
    listener.listen(128)
    new.rename(path)
    return listener


class _Server:
    """The loop of the warm process."""

    def __init__(self, listener: socket.socket, path: Path) -> None:
        self.listener = listener
        self.path = path
        self.inode = path.stat().st_ino
        self.clients: list[_Client] = []
        self.selector = selectors.DefaultSelector()
        self.selector.register(listener, selectors.EVENT_READ)
        self.last_used = self.next_look = time.monotonic()
        self.awake, child_ended = socket.socketpair()
        self.child_ended = child_ended
        child_ended.settimeout(0)
        signal.set_wakeup_fd(child_ended.fileno())
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        self.selector.register(self.awake, selectors.EVENT_READ)

    def serve(self) -> dict[str, Any] | None:
        """Serve until nobody needs it; in a forked child return its request."""
        while self._is_needed():
            for key, _ in self.selector.select(_LOOK_SECONDS if self.clients else 1.0):
                if key.fileobj is self.listener:
                    self._accept()
                elif key.fileobj is self.awake:
                    self.awake.recv(4096)
                elif self._read(key.data):
                    return self._leave(key.data)
            self._reap()
            self._watch()
        with contextlib.suppress(FileNotFoundError):
            if self.path.stat().st_ino == self.inode:
                self.path.unlink()
        return None

    def _is_needed(self) -> bool:
        if self.clients:
            self.last_used = time.monotonic()
            return True
        try:
            there = self.path.stat().st_ino == self.inode
        except FileNotFoundError:
            return False
        return there and time.monotonic() - self.last_used < IDLE_SECONDS

    def _accept(self) -> None:
        client = _Client(self.listener.accept()[0])
        self.clients.append(client)
        self.selector.register(client.connection, selectors.EVENT_READ, client)

    def _read(self, client: _Client) -> bool:
        """Read from a client; return whether this is now its forked child."""
        try:
            text, descriptors, _, _ = socket.recv_fds(client.connection, _REQUEST_BYTES, 4)
        except OSError:
            text, descriptors = b"", []
        client.descriptors += descriptors
        client.text += text
        if not text:
            self._drop(client)
        elif client.text.endswith(b"\n") and not client.process:
            return self._fork(client)
        return False

    def _fork(self, client: _Client) -> bool:
        client.request = json.loads(client.text)
        client.process = os.fork()
        if not client.process:
            return True
        client.deadline = time.monotonic() + client.request["seconds"]
        for descriptor in client.descriptors:
            os.close(descriptor)
        self._tell(client, {"process": client.process})
        return False

    def _leave(self, client: _Client) -> dict[str, Any]:
        """Shed, in a child, everything that is the server's."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self.selector.close()
        for other in [self.listener, self.awake, self.child_ended]:
            other.close()
        for open_client in self.clients:
            open_client.connection.close()
        return {**client.request, "descriptors": client.descriptors}

    def _reap(self) -> None:
        while True:
            try:
                process, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not process:
                return
            for client in [c for c in self.clients if c.process == process]:
                end_processes(client.process, client.request["mark"])
                client.process = 0
                code = os.waitstatus_to_exitcode(status)
                self._tell(client, {"exit": code, "why": client.why})
                self._drop(client)

    def _watch(self) -> None:
        """End kernels that hold too much memory, or take too long."""
        if time.monotonic() < self.next_look:
            return
        self.next_look = time.monotonic() + _LOOK_SECONDS
        running = [client for client in self.clients if client.process and not client.why]
        there = survey() if running else []
        for client in running:
            mark = client.request["mark"].encode()
            own = [process for process, *of in there if client.process in of or mark in of]
            if measure_memory(own) > client.request["memory"]:
                client.why = "memory"
            elif time.monotonic() > client.deadline:
                client.why = "time"
            if client.why:
                end_processes(client.process, client.request["mark"])

    def _drop(self, client: _Client) -> None:
        """Forget a client, and leave nothing of its kernel."""
        self.selector.unregister(client.connection)
        client.connection.close()
        self.clients.remove(client)
        if client.process:
            end_processes(client.process, client.request["mark"])

    def _tell(self, client: _Client, answer: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):
            client.connection.sendall(json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    asked = main(sys.argv[1])
    if asked is not None:
        from evidence.run.kernels.forked import become_kernel

        become_kernel(asked)
