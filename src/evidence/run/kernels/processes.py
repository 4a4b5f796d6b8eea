"""Tell which processes belong to a kernel, how much memory they hold, and end them.

A kernel leads a session. What it starts may leave that session (``!command`` gets a
terminal of its own, a daemon detaches), but inherits the environment: so processes are
known by their session or by the mark in their environment. Linux only (``/proc``).
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

MARK = "EVIDENCE_KERNEL"
"""Environment variable that holds a word of each kernel's own."""

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def list_processes(leader: int, mark: str) -> list[int]:
    """List the processes of a kernel: its session, and whoever carries its mark."""
    word = f"{MARK}={mark}".encode()
    return [
        int(folder.name)
        for folder in Path("/proc").iterdir()
        if folder.name.isdigit() and _belongs(folder, leader, word)
    ]


def measure_memory(processes: list[int]) -> int:
    """Measure the memory that processes hold for themselves, in bytes.

    Resident pages without shared ones, so that what a forked kernel has from its parent
    does not count.
    """
    return sum(map(_measure, processes))


def end_processes(leader: int, mark: str) -> None:
    """Kill every process of a kernel, until none is left."""
    for _ in range(20):
        found = list_processes(leader, mark)
        if not found:
            return
        for process in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)


def count_threads() -> int:
    """Count the threads of this process."""
    return len(list(Path("/proc/self/task").iterdir()))


def _belongs(folder: Path, leader: int, word: bytes) -> bool:
    try:
        state, _, _, session = _read_stat(folder)[:4]
        if state == "Z":
            return False
        return session == str(leader) or word in (folder / "environ").read_bytes().split(b"\0")
    except OSError:
        return False


def _read_stat(folder: Path) -> list[str]:
    """Read state, parent, group, session … of a process; its name may hold anything."""
    return (
        (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    )


def _measure(process: int) -> int:
    try:
        _, resident, shared, *_ = Path(f"/proc/{process}/statm").read_text("ascii").split()
    except OSError:
        return 0
    return (int(resident) - int(shared)) * _PAGE_BYTES
