"""Tell which processes belong to a kernel, how much memory they hold, and end them.

A kernel leads a session. What it starts may leave that session (``!command`` gets a
terminal of its own, a daemon detaches), but inherits the environment: so processes are
known by their session or by the mark in their environment. Linux only (``/proc``).
"""

from __future__ import annotations

import contextlib
import os
import signal

MARK = "EVIDENCE_KERNEL"
"""Environment variable that holds a word of each kernel's own."""

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def list_processes(leader: int, mark: str) -> list[int]:
    """List the processes of a kernel: its session, and whoever carries its mark."""
    return [
        process
        for process, session, carried in survey()
        if session == leader or carried == mark.encode()
    ]


def survey() -> list[tuple[int, int, bytes]]:
    """Survey this machine's living processes: number, session, mark."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                state, _, _, session, *_ = _read(name, "stat").rpartition(b")")[2].split(None, 4)
                if state != b"Z":
                    found.append((int(name), int(session), _read_mark(name)))
    return found


def measure_memory(processes: list[int]) -> int:
    """Measure the memory that processes hold for themselves, in bytes.

    Resident pages without those of files and those shared by name.
    """
    return sum(map(_measure, processes))


def end_processes(leader: int, mark: str) -> None:
    """Kill every process of a kernel, until none is left."""
    with contextlib.suppress(OSError):
        os.killpg(leader, signal.SIGKILL)
    for _ in range(20):
        found = list_processes(leader, mark)
        if not found:
            return
        for process in found:
            with contextlib.suppress(OSError):
                os.kill(process, signal.SIGKILL)


def count_threads() -> int:
    """Count the threads of this process."""
    return len(os.listdir("/proc/self/task"))


def _read_mark(name: str) -> bytes:
    try:
        after = (b"\0" + _read(name, "environ")).partition(f"\0{MARK}=".encode())[2]
    except PermissionError:
        return b""
    return after.partition(b"\0")[0]


def _read(name: str, file: str) -> bytes:
    with open(f"/proc/{name}/{file}", "rb", buffering=0) as opened:
        return opened.read()


def _measure(process: int) -> int:
    try:
        _, resident, shared, *_ = _read(str(process), "statm").split()
    except OSError:
        return 0
    return (int(resident) - int(shared)) * _PAGE_BYTES
