"""Keep finished runs, so that a later one can be compared with them.

``reports/internal/<slug>/history/<run id>/`` is a small project of its own: the joined
neck, the manifest, each case's panel, and as they were on that day the study file, its
notebooks, the source records and the packs. So ``load_study`` reads it as any other.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from evidence.files import replace_file, replace_folder
from evidence.run.inputs import sha256
from evidence.study import Study

MOST_KEPT = 10
"""Runs kept beside those that were published; the oldest goes first."""

_KEPT = "history/[!.]*/manifest.json"
_MARK = "published"
_WORK = ".keeping-"
_JOINED = ("manifest.json", "estimates.csv", "findings.json", "protected.json")
_OF_A_CASE = ("panel.parquet", "ledger.csv", "run.json")
_PAPERS = ("data/countries", "data/sectors", "data/questionnaires", "data/laws", "data/events")


def name_run(manifest: dict[str, Any]) -> str:
    """Name a run by the day it finished and its inputs: ``2026-07-29-1a2b3c4d``."""
    keys = "\n".join(run["key"] for run in manifest["runs"])
    return f"{manifest['finished'][:10]}-{sha256(keys.encode())[:8]}"


def list_history(internal: Path) -> list[Path]:
    """List the kept runs of a study's internal folder, the earliest first."""
    found = {path.parent: _read_finished(path) for path in internal.glob(_KEPT)}
    return sorted(filter(found.get, found), key=lambda folder: (found[folder], folder.name))


def _read_finished(manifest: Path) -> str:
    """Read when a kept run finished; nothing where its manifest is damaged."""
    try:
        return str(json.loads(manifest.read_text(encoding="utf-8"))["finished"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a run's folder as it stands."""
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return manifest


def keep_run(study: Study) -> Path:
    """Keep a study's current run, and drop the oldest beyond ``MOST_KEPT``.

    A run from the same inputs as a kept one takes its place (and its mark), so a rebuild
    adds none. Panels are hard links where the disk has them: nothing in this house is
    written in place.

    Returns
    -------
    Path
        The folder of the kept run.
    """
    manifest = read_manifest(study.internal)
    name = name_run(manifest)
    home = study.internal / "history"
    if _is_kept(study.internal, home / name):
        return home / name
    home.mkdir(mode=0o700, exist_ok=True)
    for left in home.glob(f"{_WORK}*"):
        shutil.rmtree(left)
    earlier = [path for path in home.iterdir() if path.name.endswith(name[-9:])]
    work = Path(tempfile.mkdtemp(dir=home, prefix=_WORK))
    try:
        _copy_results(study, manifest, work)
        _copy_papers(study, work)
        if any((path / _MARK).exists() for path in earlier):
            replace_file(work / _MARK, b"")
        replace_folder(work, home / name)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    for path in earlier:
        if path.name != name:
            shutil.rmtree(path)
    _drop_oldest(study.internal, home / name)
    return home / name


def mark_published(study: Study) -> None:
    """Mark the kept copy of the current run as published: it is never dropped."""
    target = study.internal / "history" / name_run(read_manifest(study.internal))
    if target.is_dir():
        replace_file(target / _MARK, b"")


def list_papers(study: Study) -> list[Path]:
    """List what says what a study does: its files, notebooks, records, packs; below the root."""
    own = sorted(study.path.parent.glob(f"{study.slug}.*"))
    files = [path.relative_to(study.root) for path in own if path.is_file()]
    files += [Path("notebooks") / f"{notebook}.ipynb" for notebook in study.notebooks]
    files += [Path("data/sources") / f"{source}.toml" for source in study.data.sources]
    for folder in _PAPERS:
        files += [p.relative_to(study.root) for p in sorted((study.root / folder).glob("*.toml"))]
    return files


def _is_kept(internal: Path, folder: Path) -> bool:
    kept = folder / "manifest.json"
    return kept.is_file() and kept.read_bytes() == (internal / "manifest.json").read_bytes()


def _copy_results(study: Study, manifest: dict[str, Any], work: Path) -> None:
    for name in _JOINED:
        shutil.copyfile(study.internal / name, work / name)
    shutil.copytree(study.internal / "exhibits", work / "exhibits")
    for run in manifest["runs"]:
        folder = Path("cases") / run["case"] / run["notebook"]
        (work / folder).mkdir(parents=True)
        for name in _OF_A_CASE:
            _link(study.internal / folder / name, work / folder / name)


def _copy_papers(study: Study, work: Path) -> None:
    for file in list_papers(study):
        (work / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(study.root / file, work / file)


def _link(source: Path, target: Path) -> None:
    if not source.is_file():
        return
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _drop_oldest(internal: Path, current: Path) -> None:
    for folder in _beyond(list_history(internal), current):
        shutil.rmtree(folder)


def _beyond(folders: Iterable[Path], current: Path) -> list[Path]:
    free = [f for f in folders if f != current and not (f / _MARK).exists()]
    return free[: max(0, len(free) + 1 - MOST_KEPT)]
