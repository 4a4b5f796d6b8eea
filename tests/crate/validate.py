"""Hold replication kits to the Process Run Crate profile, without the network.

Runs in ``.venv-crate`` (``make crates``). The validator asks for the JSON-LD context of RO-Crate
1.1; rocrate 0.13 ships it, and its bytes are put into the validator's cache.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
import time
from importlib.metadata import distribution
from pathlib import Path

import requests
from requests_cache import CachedSession
from urllib3 import HTTPResponse

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
PROFILE = "process-run-crate"
_HELD = "rocrate/data/ro-crate.jsonld"


def warm(cache: Path) -> None:
    """Put the context into a cache that never expires."""
    payload = Path(str(distribution("rocrate").locate_file(_HELD))).read_bytes()
    response = requests.Response()
    response.status_code = 200
    response.url = CONTEXT
    response.request = requests.Request("GET", CONTEXT).prepare()
    response.headers["Content-Type"] = "application/ld+json"
    response.raw = HTTPResponse(io.BytesIO(payload), response.headers, preload_content=False)
    with CachedSession(str(cache), backend="sqlite", expire_after=-1) as session:
        session.cache.save_response(response)


def validate(kit: Path, cache: Path) -> bool:
    began = time.monotonic()
    program = Path(sys.executable).with_name("rocrate-validator")
    flags = [
        "--offline",
        "--cache-path",
        str(cache),
        "--profile-identifier",
        PROFILE,
        "--no-paging",
    ]
    ended = subprocess.run(
        [str(program), "-y", "--disable-color", "validate", *flags, "--verbose", str(kit)],
        capture_output=True,
        text=True,
        check=False,
    )
    good = ended.returncode == 0
    print(f"{kit}: {'valid' if good else 'NOT valid'} ({time.monotonic() - began:.0f} s)")
    if not good:
        print(ended.stdout, ended.stderr)
    return good


def main() -> None:
    kits = [Path(name) for name in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"
        warm(cache)
        verdicts = [validate(kit, cache) for kit in kits]
    sys.exit(not (verdicts and all(verdicts)))


if __name__ == "__main__":
    main()
