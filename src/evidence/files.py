"""Put whole files and folders in their place; an interrupted write leaves the earlier one.

What an interrupted write leaves beside its place begins with a dot and ends with ``.new`` (a
file that never got its place) or ``.old`` (a folder that lost it): ``sweep`` clears it away.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

_EXCHANGE = 2
"""RENAME_EXCHANGE of Linux, RENAME_SWAP of macOS."""


def replace_folder(new: Path, target: Path) -> None:
    """Put a finished folder in the place of an earlier one.

    Linux and macOS exchange the two in one step. Elsewhere the earlier one lies beside its
    place for a moment; where the process dies in that moment, ``sweep`` puts it back.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for folder in [new, *(path for path in new.rglob("*") if path.is_dir())]:
        _settle(folder)
    old = target.with_name(f".{target.name}.old")
    if target.exists() and _exchange(new, target):
        old = new
    elif target.exists():
        shutil.rmtree(old, ignore_errors=True)
        os.replace(target, old)
        os.replace(new, target)
    else:
        os.replace(new, target)
    _settle(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def replace_file(path: Path, payload: bytes, *, mode: int = 0o644) -> None:
    """Write a file beside its place, flush it to disk, rename it; ``mode`` says who may read."""
    replace_files(path.parent, {path.name: payload}, mode=mode)


def replace_files(
    folder: Path, files: Mapping[str, bytes], stale: Iterable[str] = (), *, mode: int = 0o644
) -> None:
    """Write files into a folder, then take away what matches ``stale`` and is none of them.

    All are written beside their places before the first is renamed: a full disk costs none.

    Parameters
    ----------
    files : mapping
        Path below the folder, with ``/`` between its parts, to content.
    stale : iterable of str
        Patterns of such paths, as ``Path.glob`` reads them.
    """
    written: dict[Path, Path] = {}
    try:
        for name, payload in files.items():
            written[folder / name] = _write_beside(folder / name, payload, mode)
        for path, beside in written.items():
            os.replace(beside, path)
    except BaseException:
        for beside in written.values():
            beside.unlink(missing_ok=True)
        raise
    for path in [path for pattern in stale for path in folder.glob(pattern)]:
        if path.relative_to(folder).as_posix() not in files:
            path.unlink(missing_ok=True)


def sweep(folder: Path, *, apart: str = "") -> None:
    """Clear away what interrupted writes left in a folder, but for one part of it.

    Nobody else may be writing there.
    """
    left = [path for path in folder.rglob(".*") if path.relative_to(folder).parts[0] != apart]
    for old in sorted(path for path in left if path.suffix == ".old"):
        target = old.with_name(old.name[1:-4])
        if target.exists():
            shutil.rmtree(old)
        else:
            os.replace(old, target)
    for new in [path for path in left if path.suffix == ".new"]:
        new.unlink(missing_ok=True)


def _write_beside(path: Path, payload: bytes, mode: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".new")
    beside = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(mode)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    return beside


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two names in one step; tell whether the system did it."""
    if sys.platform == "win32":
        return False
    library = ctypes.CDLL(None)
    call = getattr(library, "renameat2", None) or getattr(library, "renameatx_np", None)
    names = [os.fsencode(path.resolve()) for path in (one, other)]
    # Descriptors of folders say nothing where names are absolute.
    return call is not None and call(-1, names[0], -1, names[1], _EXCHANGE) == 0


def _settle(folder: Path) -> None:
    """Flush the names in a folder to disk, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
