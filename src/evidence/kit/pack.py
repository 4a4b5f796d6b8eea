"""Write a study's replication kit: one ZIP file, the same bytes for the same run."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

from evidence.disclosure import Cleared, scan_bytes
from evidence.files import replace_file
from evidence.kit.collect import collect, scan_hashed
from evidence.kit.crate import METADATA, describe_crate, open_crate
from evidence.kit.exhibits import as_csv, map_exhibits
from evidence.kit.readme import write_readme
from evidence.run import read_manifest

_FIRST_DAY = (1980, 1, 1, 0, 0, 0)
_MODE = 0o100644 << 16


@dataclass(frozen=True, slots=True)
class Kit:
    """A kit that was written: its file, the names in it, what was left out and why."""

    path: Path
    names: tuple[str, ...]
    left_out: tuple[str, ...]


def write_kit(cleared: Cleared) -> Kit:
    """Write ``kit-<slug>.zip`` into the study's internal folder.

    It lies there until a person hands it on; every file in it has passed the byte scan as
    public files do.

    Raises
    ------
    DisclosureError, RunError
        Nothing is written then; an earlier kit stays.
    """
    study, crate = cleared.study, open_crate()
    manifest = read_manifest(study.internal)
    contents = collect(cleared)
    lines = map_exhibits(cleared)
    readme = write_readme(cleared, contents, lines, manifest)
    own = {"README.md": readme.encode("utf-8"), "exhibits.csv": as_csv(lines)}
    for name, payload in own.items():
        scan_bytes(payload, cleared, name)
    own[METADATA] = describe_crate(crate, cleared, contents, own, manifest)
    scan_hashed(own[METADATA], cleared, METADATA)
    files = dict(sorted({**contents.files, **own}.items()))
    path = study.internal / f"kit-{study.slug}.zip"
    replace_file(path, _pack(files))
    return Kit(path, tuple(files), contents.left_out)


def _pack(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, payload in files.items():
            entry = zipfile.ZipInfo(name, _FIRST_DAY)
            entry.external_attr = _MODE
            entry.create_system = 3
            archive.writestr(entry, payload, zipfile.ZIP_DEFLATED)
    return packed.getvalue()
