"""Ask the warm process for a kernel, and start one where there is none."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import json
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evidence.run.kernels.processes import end_processes

START_SECONDS = 90.0
ANSWER_SECONDS = 15.0
_LOG = logging.getLogger("evidence")
FIXED = {
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
}
# Arrow's allocator would start a thread of its own.
_ONE_THREAD = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}
_READ_AT_START = ("PYTHON", "LD_", "LC_", "LANG", "MALLOC_", "MPLCONFIG", "ARROW_", "HOME", "TZ")
_MOST_BYTES = 70
"""A socket's path has at most 103 bytes on some systems; a name in the folder takes 33."""
_HARMLESS = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")


class ForkedProcess:
    """A forked kernel, with the part of ``subprocess.Popen`` that jupyter_client uses."""

    stdin = stdout = stderr = None

    def __init__(self, connection: socket.socket, process: int, mark: str) -> None:
        self.connection = connection
        self.pid = process
        self.mark = mark
        self.returncode: int | None = None
        self.why = ""

    def poll(self) -> int | None:
        """Return the exit code of the kernel, or none while it lives."""
        return self._look(0.0)

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for the end of the kernel; return its exit code."""
        return self._look(timeout)

    def send_signal(self, number: int) -> None:
        """Send a signal to the kernel alone."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill the kernel."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask the kernel to end."""
        self.send_signal(signal.SIGTERM)

    def release(self) -> None:
        """Let go: what is left of the kernel and of what it started, ends."""
        if self.returncode is None:
            end_processes(self.pid, self.mark)
        self.connection.close()

    def _look(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self.connection], [], [], timeout)[0]:
            text = b""
            with contextlib.suppress(OSError):
                text = self.connection.recv(4096)
            # Nothing means that the warm process itself died; its kernel may live on, but
            # nobody would tell when it ends.
            told: dict[str, Any] = (
                json.loads(text) if text else {"exit": -signal.SIGKILL, "why": "warm"}
            )
            self.returncode, self.why = told["exit"], told["why"]
            self.connection.close()
            if not text:
                end_processes(self.pid, self.mark)
        return self.returncode


@dataclass(frozen=True, slots=True)
class Limits:
    """What a kernel with all that it starts may take: bytes of memory, seconds of time."""

    memory: int
    seconds: float


def fork_kernel(
    arguments: list[str], environment: Mapping[str, str], folder: str, mark: str, limits: Limits
) -> ForkedProcess | None:
    """Fork a kernel from the warm process.

    Parameters
    ----------
    arguments : list of str
        Arguments of ``ipykernel_launcher``.

    Returns
    -------
    ForkedProcess or None
        None where there can be no warm process; a line of warning says why, once.
    """
    if not is_possible():
        return None
    hidden = ("JPY_PARENT_PID", "JPY_INTERRUPT_EVENT")
    request = {
        "arguments": arguments,
        "environment": {k: v for k, v in environment.items() if k not in hidden},
        "folder": folder,
        "mark": mark,
        "memory": limits.memory,
        "seconds": limits.seconds,
    }
    try:
        connection = _connect(environment)
        return _ask(connection, request, mark)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        warn_once(f"no warm kernel ({error}); each notebook imports its packages itself")
        return None


def is_possible() -> bool:
    """Tell whether kernels can be forked here and now."""
    if os.environ.get("EVIDENCE_WARM") == "0":
        return False
    if not (sys.platform == "linux" and hasattr(os, "fork")):
        warn_once("kernels are not forked on this system: each notebook imports its packages")
        return False
    return True


@functools.cache
def warn_once(text: str) -> None:
    """Log a warning, the first time it is needed."""
    _LOG.warning(text)


def find_folder() -> Path:
    """Find, or make, this user's folder for sockets, which nobody else can enter.

    Raises
    ------
    OSError
        Where somebody else holds that name, or it is too long.
    """
    named = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    home = named if named.is_dir() else Path(tempfile.gettempdir())
    folder = home / f"evidence-{os.getuid()}"
    if len(os.fsencode(folder)) > _MOST_BYTES:
        raise FileNotFoundError(f"the name of {folder} is too long for a socket")
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.getuid() or found.st_mode & 0o077 or folder.is_symlink():
        raise PermissionError(f"{folder} is not this user's alone")
    return folder


def _ask(connection: socket.socket, request: dict[str, Any], mark: str) -> ForkedProcess:
    text = json.dumps(request).encode() + b"\n"
    try:
        sent = socket.send_fds(connection, [text], [1, 2])
        connection.sendall(text[sent:])
        answer = connection.recv(4096)
        if not answer:
            raise ConnectionError("the warm process hung up")
    except OSError:
        connection.close()
        raise
    connection.settimeout(None)
    return ForkedProcess(connection, json.loads(answer)["process"], mark)


def _connect(environment: Mapping[str, str]) -> socket.socket:
    """Connect to the warm process; start it where there is none. One starts, others wait."""
    started = {k: v for k, v in environment.items() if _matters(k)} | FIXED
    # The warm process starts elsewhere, where a path from here would lead nowhere.
    places = started.get("PYTHONPATH", "").split(os.pathsep)
    started["PYTHONPATH"] = os.pathsep.join(os.path.abspath(place) for place in places if place)
    whose, what = _name_socket(started)
    path = find_folder() / f"{whose}-{what}.socket"
    connection = _try(path)
    if connection is not None:
        return connection
    with _lock(path.with_name(f"{whose}.lock")):
        connection = _try(path)
        if connection is None:
            # One without its socket ends when it has nothing left to do.
            for old in path.parent.glob(f"{whose}-*"):
                if old.suffix != ".lock":
                    old.unlink(missing_ok=True)
            _start(path, started)
            connection = _try(path)
    if connection is None:
        raise ConnectionError("the warm process ended as soon as it had started")
    return connection


def _matters(name: str) -> bool:
    """Tell whether Python or a package reads this variable once, when it starts."""
    return name.startswith(_READ_AT_START) and name not in _HARMLESS


def _try(path: Path) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(ANSWER_SECONDS)
    try:
        connection.connect(str(path))
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        return None
    return connection


def _start(path: Path, started: Mapping[str, str]) -> None:
    log = path.with_suffix(".log")
    with log.open("wb") as file:
        done = subprocess.run(
            [sys.executable, "-m", __name__.replace("client", "warm"), str(path)],
            env={"PATH": os.defpath, **started, **_ONE_THREAD},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
            timeout=START_SECONDS,
            check=False,
        )
    if done.returncode:
        last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise ChildProcessError(last[-1] if last else f"status {done.returncode}")


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    until = time.monotonic() + START_SECONDS
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise TimeoutError("another start takes too long") from None
                time.sleep(0.05)
        yield


def _name_socket(started: Mapping[str, str]) -> tuple[str, str]:
    """Name whose warm process it is, and what it has imported.

    The first stands for interpreter, place of the package and environment, the second for
    what lies in the package and the folders of packages.
    """
    package = Path(__file__).parents[2]
    whose = [os.path.abspath(sys.executable), sys.version, str(package), *sorted(started.items())]
    files = [path for path in sorted(package.rglob("*")) if path.suffix in {".py", ".po", ".json"}]
    folders = [Path(name) for name in sys.path if name.endswith("-packages")]
    looked = [folder for folder in folders if folder.is_dir()] + files
    found = [(str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in looked]
    first, second = (hashlib.sha256(repr(part).encode()).hexdigest() for part in (whose, found))
    return first[:12], second[:12]
