"""Files made from fonts, kept in the user's cache: each is made once and may be deleted."""

from __future__ import annotations

import atexit
import functools
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import platformdirs

_PASSING: dict[str, Path] = {}
"""Files of this process, where the cache could not be written."""


def remember(name: str, make: Callable[[], bytes]) -> Path:
    """Give the kept file of a name; make it where it is absent or damaged.

    Parameters
    ----------
    name : str
        Path below the cache. It must tell everything that the bytes depend on.
    make : callable
        Makes the bytes.

    Returns
    -------
    Path
        A whole file. Where the cache cannot be written it lies in a folder that goes with
        the process.
    """
    kept = _cache_folder() / name
    if _is_whole(kept):
        return kept
    if name not in _PASSING:
        payload = make()
        try:
            _keep(kept, payload)
        except OSError:
            _PASSING[name] = _passing_folder() / name
            _keep(_PASSING[name], payload)
        else:
            return kept
    return _PASSING[name]


def _cache_folder() -> Path:
    return platformdirs.user_cache_path("evidence", appauthor=False) / "fonts"


@functools.cache
def _passing_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="evidence-fonts-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _is_whole(path: Path) -> bool:
    try:
        expected = _beside(path).read_text(encoding="ascii")
        return hashlib.sha256(path.read_bytes()).hexdigest() == expected
    except (OSError, UnicodeDecodeError):
        return False


def _keep(path: Path, payload: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _replace(path, payload)
    _replace(_beside(path), hashlib.sha256(payload).hexdigest().encode("ascii"))


def _replace(path: Path, payload: bytes) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
