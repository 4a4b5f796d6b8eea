"""The only door to the network: a source's files come in whole, or not at all."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from pathlib import Path, PurePath

import httpx

from evidence.errors import SourceError
from evidence.sources.archive import check_incoming, refuse_kind
from evidence.sources.copies import (
    Archived,
    Incoming,
    check_inside,
    is_pattern,
    store,
)
from evidence.sources.record import Record, Table, load_record

LARGEST = 2**30
"""Bytes of a file, unpacked from its transfer encoding."""

_REDIRECTS = 5
_TRIES = 3
_LONGEST_WAIT = 120.0
_PATIENCE = 60
"""A transfer may take this many times the timeout of one read."""


@dataclass(frozen=True, slots=True)
class _Visit:
    """How one address is visited: for whom, with which patience."""

    client: httpx.Client
    where: str
    address: str
    sleep: Callable[[float], None]
    until: float


def fetch_snapshot(
    root: Path,
    source: str,
    *,
    mirror: Path | None = None,
    today: date | None = None,
    timeout: float = 30.0,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[Archived, ...]:
    """Fetch a source's files into its archive.

    Every file is fetched and parsed before any is stored. A file that has not changed
    is not stored again.

    Parameters
    ----------
    mirror : Path
        A folder to take the files from; then nothing touches the network.
    today : date
        The day of the copies; today's in UTC if left out.
    timeout : float
        Seconds to wait for a connection, or for the next bytes.
    sleep : callable
        Waits for the seconds that a server asks for.

    Raises
    ------
    SourceError
        Where the record has no address, a file cannot be had whole, or cannot be read.
    """
    record = load_record(root, source)
    refuse_kind(record)
    incoming = _download(record, timeout, sleep) if mirror is None else _look_up(record, mirror)
    for file in incoming:
        check_incoming(file)
    return tuple(store(root, file, today) for file in incoming)


def _tables(record: Record, *, addressed: bool) -> list[Table]:
    """Choose the tables to fetch, one for each file."""
    chosen = {t.file: t for t in record.tables if not is_pattern(t) and (t.url or not addressed)}
    if not chosen:
        raise SourceError(
            f"data/sources/{record.id}.toml",
            seen="no table with " + ("'url'" if addressed else "a file of one name"),
            expected="the address of each file" if addressed else "'file' without a pattern",
            do=f"Put the file under data/raw/{record.id}/ and say evidence archive"
            + (", or say --mirror DIR." if addressed else "."),
        )
    for table in chosen.values():
        check_inside(record, table)
    return list(chosen.values())


def _download(record: Record, timeout: float, sleep: Callable[[float], None]) -> list[Incoming]:
    tables = _tables(record, addressed=True)
    agent = f"evidence/{version('evidence')} (policy-evidence workbench)"
    incoming = []
    with httpx.Client(timeout=timeout, headers={"User-Agent": agent}) as client:
        for table in tables:
            where = f"source '{record.id}', {table.url}"
            until = time.monotonic() + _PATIENCE * timeout
            payload = _get(_Visit(client, where, table.url, sleep, until))
            name = PurePath(table.file).name
            incoming.append(Incoming(record, table, name, payload, url=table.url))
    return incoming


def _get(visit: _Visit) -> bytes:
    try:
        for _ in range(_TRIES - 1):
            found = _try_once(visit)
            if isinstance(found, bytes):
                return found
            visit.sleep(found)
        found = _try_once(visit)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _broken(visit, error) from error
    if isinstance(found, bytes):
        return found
    raise SourceError(
        visit.where,
        seen=f"a server that asked to wait {_TRIES} times",
        expected="the file",
        do="Try again later.",
    )


def _try_once(visit: _Visit) -> bytes | float:
    """Follow an address to its file; return the bytes, or the seconds to wait."""
    address = httpx.URL(visit.address)
    for _ in range(_REDIRECTS + 1):
        _check_scheme(visit, address, address)
        with visit.client.stream("GET", address) as response:
            if not response.has_redirect_location:
                wait = _read_wait(visit, response)
                return _read_body(visit, response) if wait is None else wait
            target = address.join(response.headers["Location"])
            _check_scheme(visit, address, target)
            address = target
    raise SourceError(
        visit.where,
        seen=f"more than {_REDIRECTS} redirects",
        expected="the file",
        do="Open the address in a browser; renew 'url' in the record if the file has moved.",
    )


def _check_scheme(visit: _Visit, address: httpx.URL, target: httpx.URL) -> None:
    if target.scheme not in {"http", "https"} or not target.host:
        raise SourceError(
            visit.where,
            seen=f"an address of the kind '{target.scheme or 'none'}'",
            expected="http or https",
            do="Mend 'url' in the record.",
        )
    if target.userinfo:
        raise SourceError(
            visit.where.replace(target.userinfo.decode(), "…"),
            seen="an address with a user's name or password in it",
            expected="one that may stand in the papers of a copy",
            do="Take it out of 'url'; download the file by hand and say evidence archive FILE.",
        )
    if address.scheme == "https" and target.scheme == "http":
        raise SourceError(
            visit.where,
            seen=f"a redirect from https to http ({target.host})",
            expected="https all the way",
            do="Renew 'url' in the record; or download the file by hand and archive it.",
        )


def _read_wait(visit: _Visit, response: httpx.Response) -> float | None:
    """Read how long a busy server asks to wait; None where it gives the file."""
    if response.is_success:
        return None
    asked = response.headers.get("Retry-After", "")
    if response.status_code in {429, 503} and asked:
        wait = _count_seconds(asked)
        if wait <= _LONGEST_WAIT:
            return wait
    busy = f", which asks to wait: {asked}" if asked else ""
    gone = response.status_code in {404, 410}
    raise SourceError(
        visit.where,
        seen=f"status {response.status_code} {response.reason_phrase}{busy}",
        expected="status 200 and the file",
        do="Renew 'url' in the record: the file has moved."
        if gone
        else "Try again later; or download the file by hand and say evidence archive FILE.",
    )


def _count_seconds(asked: str) -> float:
    """Read ``Retry-After``: seconds, or the date to wait for."""
    if asked.strip().isdecimal():
        return float(asked)
    try:
        moment = parsedate_to_datetime(asked)
    except ValueError:
        return float("inf")
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _read_body(visit: _Visit, response: httpx.Response) -> bytes:
    parts, size = [], 0
    for part in response.iter_bytes():
        parts.append(part)
        size += len(part)
        if size > LARGEST or time.monotonic() > visit.until:
            raise SourceError(
                visit.where,
                seen=f"more than {LARGEST} bytes" if size > LARGEST else "a transfer without end",
                expected="a file of at most one gibibyte, in reasonable time",
                do="Download the file by hand and say evidence archive FILE.",
            )
    payload = b"".join(parts)
    promised = response.headers.get("Content-Length", "")
    if promised.isdecimal() and int(promised) != response.num_bytes_downloaded:
        raise _incomplete(visit, f"{response.num_bytes_downloaded} of {promised} bytes")
    _check_body(visit, payload, response.headers.get("Content-Type", ""))
    return payload


def _check_body(visit: _Visit, payload: bytes, kind: str) -> None:
    head = payload[:1024].removeprefix(b"\xef\xbb\xbf").strip().lower()
    is_page = kind.lower().startswith(("text/html", "application/xhtml"))
    if not head:
        raise _incomplete(visit, "an empty file")
    if is_page or head.startswith((b"<!doctype html", b"<html")):
        raise SourceError(
            visit.where,
            seen="a web page instead of a file of data",
            expected="the file",
            do="Open the address in a browser: the file has moved, or asks for a log-in."
            " Renew 'url', or download the file by hand and say evidence archive FILE.",
        )


def _incomplete(visit: _Visit, seen: str) -> SourceError:
    return SourceError(
        visit.where,
        seen=seen,
        expected="the whole file",
        do="Try again; nothing was stored.",
    )


def _broken(visit: _Visit, error: Exception) -> SourceError:
    if isinstance(error, httpx.TimeoutException):
        return _incomplete(visit, "no answer in time")
    if isinstance(error, httpx.RemoteProtocolError):
        return _incomplete(visit, "a transfer that was cut off")
    if isinstance(error, httpx.ConnectError):
        return SourceError(
            visit.where,
            seen="no connection to the server",
            expected="the file",
            do="Check the network and 'url' in the record; without a network, say --mirror DIR.",
        )
    return SourceError(
        visit.where,
        seen=f"{type(error).__name__} ({error})",
        expected="the file",
        do="Check 'url' in the record; or download the file by hand and say evidence archive FILE.",
    )


def _look_up(record: Record, mirror: Path) -> list[Incoming]:
    """Find the files of a record in a mirror."""
    tables = _tables(record, addressed=False)
    if not mirror.is_dir():
        raise SourceError(
            f"mirror {mirror.name}",
            seen="no such folder",
            expected="a folder with the files",
            do="Check the name after --mirror.",
        )
    files = sorted(Path(folder) / name for folder, _, names in os.walk(mirror) for name in names)
    return [_take(record, table, mirror, files) for table in tables]


def _take(record: Record, table: Table, mirror: Path, files: list[Path]) -> Incoming:
    exact = mirror / record.id / table.file
    names = {PurePath(table.file).name, *table.mirrors}
    found = [p for p in files if p.name in names and p.is_file()]
    chosen = [exact] if exact.is_file() else found
    hashes = {hashlib.sha256(path.read_bytes()).hexdigest() for path in chosen}
    if len(hashes) == 1:
        path = chosen[0]
        return Incoming(record, table, path.name, path.read_bytes(), mirror=path.name)
    spelt = ", ".join(path.relative_to(mirror).as_posix() for path in chosen)
    raise SourceError(
        f"source '{record.id}', mirror {mirror.name}",
        seen=f"several files with different content: {spelt}" if chosen else "no such file",
        expected=f"{record.id}/{table.file}, or one file named {' or '.join(sorted(names))}",
        do="Remove all but one, or put the right one there under the first name.",
    )
