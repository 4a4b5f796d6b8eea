"""The key of the register of releases: it turns protected units into keyed hashes.

It lies outside version control, in the environment or in ``data/raw/.release-key``. The
register keeps a keyed check value, so that a wrong key is recognised.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import unicodedata
from collections.abc import Collection
from pathlib import Path

from evidence.errors import DisclosureError

VARIABLE = "EVIDENCE_RELEASE_KEY"
FILE = Path("data") / "raw" / ".release-key"
_BYTES = 32
_SHOWN = 16
"""Hexadecimal digits of a keyed hash: 64 bits."""


def hash_unit(key: bytes, protected_unit: str, name: str) -> str:
    """Hash a protected unit's name: HMAC-SHA256 (RFC 2104), cut to 64 bits.

    A name is the same in another case, with other separators or leading zeros: vintages
    spell their codes differently, and every unit would count as new.
    """
    message = f"unit\0{protected_unit}\0{_fold(name)}".encode()
    return hmac.new(key, message, hashlib.sha256).hexdigest()[:_SHOWN]


def _fold(name: str) -> str:
    plain = unicodedata.normalize("NFKC", name).casefold()
    kept = "".join(c for c in plain if unicodedata.category(c)[0] in "LMN")
    return (kept.lstrip("0") or kept) if kept.isdigit() else kept or plain


def check_value(key: bytes) -> str:
    """Derive the value by which a register recognises its key."""
    return hmac.new(key, b"check", hashlib.sha256).hexdigest()[:_SHOWN]


def find_key(root: Path, checks: Collection[str]) -> bytes:
    """Find the key that made the registers with these check values.

    Raises
    ------
    DisclosureError
        Where there is none, or it is another key.
    """
    key = _read_key(root)
    if key is None:
        raise _refusal("no key")
    if any(check != check_value(key) for check in checks):
        raise _refusal("another key than the one that made the register")
    return key


def make_key(root: Path, checks: Collection[str]) -> bytes:
    """Find the key, or create one where no register was ever keyed.

    Raises
    ------
    DisclosureError
        Where a register was keyed and its key is not here: it is never replaced.
    """
    if checks or _read_key(root) is not None:
        return find_key(root, checks)
    path = root / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    key = secrets.token_hex(_BYTES)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(key + "\n")
        file.flush()
        os.fsync(file.fileno())
    return bytes.fromhex(key)


def _read_key(root: Path) -> bytes | None:
    text, place = os.environ.get(VARIABLE, ""), VARIABLE
    if not text and (root / FILE).is_file():
        text, place = (root / FILE).read_text(encoding="ascii", errors="replace"), FILE.as_posix()
    if not text:
        return None
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) < _BYTES:
        raise DisclosureError(
            place,
            seen="something that is no key",
            expected=f"{2 * _BYTES} hexadecimal digits",
            do="Put the key of this project's register there, from where it is kept safe.",
        )
    return key


def _refusal(seen: str) -> DisclosureError:
    return DisclosureError(
        "data/releases",
        seen=seen,
        expected="the key that made the register of releases",
        do=f"Ask who published last for the key; put it into {FILE.as_posix()} or into the "
        f"environment as {VARIABLE}. Without it nobody can tell a newcomer from those published "
        "before, so restricted data are not released; no new key is made.",
    )
