"""Where papermill's output goes: the file itself when it is good, beside it when it failed."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from evidence.errors import RunError
from evidence.run.kernels.client import find_folder


def is_local(output: str) -> bool:
    """Tell whether papermill would write to a file of this machine."""
    return output != "-" and "://" not in output


def name_failed(output: str | Path) -> Path:
    """Name the file for a notebook that failed: ``out.failed.ipynb``."""
    path = Path(output)
    return path.with_name(f"{path.stem}.failed{path.suffix}")


@contextlib.contextmanager
def lock_output(path: Path) -> Iterator[None]:
    """Keep a second run onto one output out; the lock dies with its process.

    Raises
    ------
    RunError
        Where another run holds it.
    """
    name = hashlib.sha256(os.fsencode(os.path.realpath(path))).hexdigest()[:24]
    with contextlib.ExitStack() as held:
        with contextlib.suppress(PermissionError, FileNotFoundError, NotADirectoryError):
            file = held.enter_context((find_folder() / f"{name}.lock").open("w"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RunError(
                    path.name.replace(".failed", ""),
                    seen="another run onto this notebook, still going on",
                    expected="one at a time",
                    do="Wait until it has ended, or name another output.",
                ) from error
        yield
