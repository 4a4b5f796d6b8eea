"""Collect what a replication kit holds, and leave out what may not be handed on.

The program is the same for every study: in it only names of units are looked for, since
its gate spells out what it searches. A simulated source's equations say from what its rows
are drawn: they are no secret of the rows, though they name the groups. Hashes in the files
that programs write are passed over: they read like numbers. Everything else passes the
whole byte scan. Records of runs go with public and simulated data only; of those, a file
that the scan refuses stays behind, and the kit says so: a run makes it again.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import evidence
from evidence.disclosure import Cleared, scan_bytes, scan_folder, scan_words
from evidence.errors import DisclosureError, RunError
from evidence.run import RECORDS, list_papers, read_manifest
from evidence.sources import Record, load_record
from evidence.study import Study

_LOCK = "requirements.lock"
_AROUND = ("LICENSE", "CITATION.cff", "Makefile", "environment.yml", "pyproject.toml", _LOCK)
_EQUATIONS, _HASH = b"\n[equations]\n", re.compile(rb"\b[0-9a-f]{64}\b")
_ASIDE = ("data/portal.toml",)
_TABLES = ("estimates.csv", "findings.json", "exhibits/")
_OPEN = ("CC0-1.0", "CC BY 4.0", "CC-BY-4.0", "ODC-By-1.0", "PDDL-1.0")
"""Licences that let anyone hand files on; one with a reservation beside its name does not count."""

_TOLD = ("manifest.json", "run.json")
_INJECTED, _PARAMETERS = "injected-parameters", "run-parameters"


@dataclass(frozen=True, slots=True)
class Contents:
    """Files of a kit: path in the kit → bytes; ``left_out`` says what stayed behind, and why."""

    program: dict[str, bytes]
    papers: dict[str, bytes]
    data: dict[str, bytes]
    public: dict[str, bytes]
    records: dict[str, bytes]
    left_out: tuple[str, ...]

    @property
    def proves(self) -> bool:
        """Whether executed notebooks go along, to compare with."""
        return any(name.endswith(".ipynb") for name in self.records)

    @property
    def files(self) -> dict[str, bytes]:
        """All of them, sorted by their paths."""
        parts = (self.program, self.papers, self.data, self.public, self.records)
        return dict(sorted((name, data) for part in parts for name, data in part.items()))


def load_records(study: Study) -> tuple[Record, ...]:
    """Load the records of a study's sources, in its order."""
    return tuple(load_record(study.root, source) for source in study.data.sources)


def may_go_along(record: Record) -> bool:
    """Tell whether the raw files of a source may be handed on: public, and openly licensed."""
    return (
        record.kind == "file"
        and record.confidentiality == "public"
        and not record.register
        and record.licence in _OPEN
    )


def collect(cleared: Cleared) -> Contents:
    """Collect a study's kit.

    Raises
    ------
    DisclosureError
        Where a file that must go along holds what must not leave.
    RunError
        Where the study has no public files yet.
    """
    study = cleared.study
    if not any(study.public.glob("brief.*")):
        raise RunError(
            study.slug,
            seen="no public files",
            expected="the study's briefs, which the kit proves",
            do=f"Write them first: evidence brief {study.path.name}.",
        )
    scan_folder(study.public, cleared)
    program = _read_program(cleared)
    papers = _read_papers(study)
    _scan_papers(cleared, papers)
    records, left_out = _read_records(cleared)
    for name, payload in {n: p for n, p in records.items() if n.endswith(_TOLD)}.items():
        scan_hashed(payload, cleared, name)
    return Contents(
        program=program,
        papers=papers,
        data=_read_data(study),
        public=_read_folder(study.root, study.public),
        records=records,
        left_out=left_out,
    )


def _read_folder(root: Path, folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def _read_program(cleared: Cleared) -> dict[str, bytes]:
    package = Path(evidence.__file__).parent
    files = {
        f"src/{name}": payload
        for name, payload in _read_folder(package.parent, package).items()
        if "__pycache__" not in name
    }
    for name, payload in files.items():
        scan_words([payload.decode("utf-8", errors="replace")], cleared, name)
    return files


def _read_papers(study: Study) -> dict[str, bytes]:
    home = Path(evidence.__file__).parents[2]
    releases = sorted((study.root / "data" / "releases").glob(f"{study.slug}.*"))
    names = [*list_papers(study), *(p.relative_to(study.root) for p in releases)]
    names += [Path(name) for name in _ASIDE if (study.root / name).is_file()]
    papers = {name.as_posix(): (study.root / name).read_bytes() for name in names}
    for name in _AROUND:
        found = [folder / name for folder in (study.root, home) if (folder / name).is_file()]
        if found:
            papers[name] = found[0].read_bytes()
    return papers


def _scan_papers(cleared: Cleared, papers: dict[str, bytes]) -> None:
    drawn = [r for r in load_records(cleared.study) if r.kind == "simulated"]
    spelt = {f"data/sources/{record.id}.toml" for record in drawn}
    for name, payload in papers.items():
        if name == _LOCK:
            scan_hashed(payload, cleared, name)
        else:
            told = payload.partition(_EQUATIONS)[0] if name in spelt else payload
            scan_bytes(told, cleared, name)


def scan_hashed(payload: bytes, cleared: Cleared, name: str) -> None:
    """Scan a file that a program wrote, but for its SHA-256 hashes.

    Raises
    ------
    DisclosureError
        As ``scan_bytes``.
    """
    scan_bytes(_HASH.sub(b"", payload), cleared, name)


def _read_data(study: Study) -> dict[str, bytes]:
    """Read raw files that their own licence lets anyone have; no scan binds what is public."""
    folders = [study.root / "data" / "raw" / r.id for r in load_records(study) if may_go_along(r)]
    parts = [_read_folder(study.root, folder) for folder in folders]
    return {name: payload for part in parts for name, payload in part.items()}


def _read_records(cleared: Cleared) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Read executed notebooks and tables of the last run, with lists of what is there.

    The manifest goes along in any case: it says on which lock and processor that run was made.
    """
    study = cleared.study
    manifest = read_manifest(study.internal)
    manifest["versions"].pop("papermill", None)  # the scan takes this key for papermill's own
    alone = {f"{RECORDS}/manifest.json": _as_json({**manifest, "files": {}})}
    if cleared.neck.protected["confidentiality"] == "restricted":
        return alone, ("executed notebooks and tables of the run: the data are restricted",)
    left_out: list[str] = []
    kept = _keep(cleared, study.internal, list(manifest["files"]), left_out)
    for run in manifest["runs"]:
        case = study.internal / "cases" / run["case"] / run["notebook"]
        told = json.loads((case / "run.json").read_text(encoding="utf-8"))
        found = _keep(cleared, case, list(told["files"]), left_out)
        if f"{run['notebook']}.ipynb" not in found:
            return alone, (*left_out, "records of the run: one of them names what must not leave")
        told.pop("pieces", None)  # the parts' hashes say the same, without a word of the rows
        told["files"] = _relist(told["files"], found)
        found["run.json"] = _as_json(told)
        place = case.relative_to(study.internal).as_posix()
        kept |= {f"{place}/{name}": payload for name, payload in found.items()}
    manifest["files"] = _relist(manifest["files"], kept)
    kept["manifest.json"] = _as_json(manifest)
    return {f"{RECORDS}/{name}": payload for name, payload in kept.items()}, tuple(left_out)


def _keep(
    cleared: Cleared, folder: Path, names: list[str], left_out: list[str]
) -> dict[str, bytes]:
    kept = {}
    for name in names:
        if not name.startswith(_TABLES) and not name.endswith(".ipynb"):
            continue
        payload = (folder / name).read_bytes()
        if name.endswith(".ipynb"):
            payload = payload.replace(_INJECTED.encode(), _PARAMETERS.encode())
        place = (folder / name).relative_to(cleared.study.internal).as_posix()
        try:
            scan_bytes(payload, cleared, place)
        except DisclosureError as error:
            left_out.append(f"{RECORDS}/{place}: {error.seen}")
            continue
        kept[name] = payload
    return kept


def _relist(told: dict[str, str], kept: dict[str, bytes]) -> dict[str, str]:
    return {name: digest for name, digest in told.items() if name in kept}


def _as_json(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
