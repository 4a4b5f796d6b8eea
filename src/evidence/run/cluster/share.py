"""A folder or object store in which each file lies under the SHA-256 of its bytes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec


@dataclass(frozen=True, slots=True)
class Share:
    """Where files lie: a file system of fsspec's, and a folder in it."""

    files: Any
    folder: str


def find_share(address: str) -> Share:
    """Find a share by its path or URL (``s3://…``, ``memory://…``)."""
    if "://" in address:
        return Share(*fsspec.url_to_fs(address))
    return Share(fsspec.filesystem("file"), address)


@contextlib.contextmanager
def open_share(address: str) -> Iterator[Share]:
    """Make an empty share, for its owner alone where it is a folder; remove it at the end."""
    share = find_share(address)
    _remove(share)
    share.files.makedirs(share.folder, exist_ok=True)
    if share.files.protocol == fsspec.filesystem("file").protocol:
        Path(share.folder).chmod(0o700)
    try:
        yield share
    finally:
        _remove(share)


def put_file(share: Share, path: Path) -> str:
    """Put a file there, whole or not at all; return its hash."""
    digest = _hash(path)
    beside = f"{share.folder}/{digest}.{secrets.token_hex(4)}"
    share.files.put_file(str(path), beside)
    share.files.mv(beside, f"{share.folder}/{digest}")
    return digest


def get_file(share: Share, digest: str, path: Path) -> None:
    """Get a file from there, whole or not at all.

    Raises
    ------
    OSError
        Where it is absent, or is not what its name says.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{digest}")
    share.files.get_file(f"{share.folder}/{digest}", str(beside))
    if _hash(beside) != digest:
        beside.unlink()
        raise OSError(f"{path.name} is not what was put on the share")
    os.replace(beside, path)


def _remove(share: Share) -> None:
    if share.files.exists(share.folder):
        share.files.rm(share.folder, recursive=True)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
