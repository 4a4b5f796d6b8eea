"""Put whole files and folders in their place; an interrupted write leaves the earlier one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path


def replace_folder(new: Path, target: Path) -> None:
    """Put a finished folder in the place of an earlier one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        os.replace(target, old)
    os.replace(new, target)
    shutil.rmtree(old, ignore_errors=True)


def replace_file(path: Path, payload: bytes, *, mode: int = 0o644) -> None:
    """Write a file beside its place, flush it to disk, rename it; ``mode`` says who may read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def replace_files(
    folder: Path, files: Mapping[str, bytes], stale: Iterable[str] = (), *, mode: int = 0o644
) -> None:
    """Write files into a folder, then take away what matches ``stale`` and is none of them.

    Parameters
    ----------
    stale : iterable of str
        Patterns of file names, as ``Path.glob`` reads them.
    """
    for name, payload in files.items():
        replace_file(folder / name, payload, mode=mode)
    for path in [path for pattern in stale for path in folder.glob(pattern)]:
        if path.name not in files:
            path.unlink(missing_ok=True)
