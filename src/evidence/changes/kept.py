"""Find a run that is to be compared, and read what it left."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from evidence.errors import EvidenceError, RunError
from evidence.neck import Neck
from evidence.panel import Panel
from evidence.run import list_history, name_run, read_manifest
from evidence.sources import Provenance
from evidence.study import Study, load_study

_NO_STEPS = {"step": "string", "rows": "int64", "entities": "Int64", "reason": "string"}


@dataclass(frozen=True, slots=True)
class Kept:
    """A finished run on disk.

    ``study`` is its study file of that day, or None where today's code cannot read it;
    ``unread`` then says why.
    """

    folder: Path
    slug: str
    id: str
    manifest: dict[str, Any]
    neck: Neck
    study: Study | None
    unread: str

    @property
    def findings(self) -> dict[str, dict[str, Any]]:
        """Entries of kind ``finding`` by id."""
        return {e["id"]: e for e in self.neck.findings if e["kind"] == "finding"}

    @property
    def parts(self) -> dict[str, str]:
        """Hashes of what all its notebooks were made from; several are joined."""
        runs = self.manifest["runs"]
        names = {name for run in runs for name in run["parts"]}
        return {
            name: "+".join(sorted({run["parts"].get(name, "") for run in runs}))
            for name in sorted(names)
        }


def find_run(root: Path, name: str) -> Kept:
    """Find a run by its folder, ``<slug>``, ``<slug>@previous`` or ``<slug>@<run id>``.

    Raises
    ------
    RunError
        Where there is none, several begin so, or its files are not whole.
    """
    folder = Path(name)
    if folder.is_dir() and (folder / "manifest.json").is_file():
        return _read(_find_papers(folder.resolve(), name))
    slug, at, which = name.partition("@")
    internal = root / "reports" / "internal" / slug
    if not slug or folder.name != name or not (internal / "manifest.json").is_file():
        raise _no_run(root, name)
    current = _find_papers(internal, name)
    return _read(_choose(internal, current, which, name) if at else current)


def require_study(kept: Kept) -> Study:
    """Return the study file of a run's day.

    Raises
    ------
    RunError
        Where today's code cannot read it.
    """
    if kept.study is None:
        raise _lacking(kept, kept.unread)
    return kept.study


def read_panel(kept: Kept, finding: dict[str, Any]) -> Panel:
    """Read the rows that a finding was estimated from, as a panel of its study.

    Raises
    ------
    RunError
        Where the run kept none, or its study file cannot be read.
    """
    study = require_study(kept)
    spec = study.specification(finding["rows"][0]["specification"])
    path = kept.folder / "cases" / finding["case"] / spec.notebook / "panel.parquet"
    if not path.is_file():
        raise _lacking(kept, f"no rows of case '{finding['case']}'")
    try:
        frame = pd.read_parquet(path)
        data = frame.set_index(["entity", "time"], drop=False).sort_index()
    except (OSError, ValueError, KeyError) as error:
        raise _lacking(kept, f"rows that cannot be read ({type(error).__name__})") from error
    declared = {variable.name for variable in study.variables}
    data = data.drop(columns=[name for name in data.index.names if name not in declared])
    protected = kept.neck.protected
    provenance = Provenance(
        sources=finding["data"],
        citations=protected["citations"],
        confidentiality=protected["confidentiality"],
        simulated=finding["simulated"],
        protected_unit=protected["protected_unit"],
        identifiers=tuple(protected["identifiers"]),
        truth={},
    )
    ledger = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in _NO_STEPS.items()})
    return Panel(study, data, tuple(finding["items_left_out"]), ledger, provenance)


def replace_names(panel: Panel, names: dict[str, str]) -> Panel:
    """Give columns of a panel other names; a column that is in the way goes."""
    moved = {old: new for old, new in names.items() if old != new and old in panel.data}
    data = panel.data.drop(columns=[new for new in moved.values() if new in panel.data])
    return replace(panel, data=data.rename(columns=moved)) if moved else panel


def _read(folder: Path) -> Kept:
    """Read a kept run; it need not meet today's schemas, only hold what is compared."""
    try:
        manifest = read_manifest(folder)
        neck = _read_neck(folder)
        identity = (str(manifest["study"]), name_run(manifest))
        lacking = [
            name
            for entry in neck.findings
            for name in (*_OF_FINDING, *(() if entry["kind"] == "comparison" else _OF_SINGLE))
            if name not in entry
        ]
        lacking += [name for name in ("data", "finished") if name not in manifest]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(folder, f"a file that cannot be read ({type(error).__name__})") from error
    if lacking:
        raise _damaged(folder, f"results without {', '.join(sorted(set(lacking)))}")
    study, unread = None, ""
    try:
        study = load_study(folder / "notebooks" / "studies" / f"{identity[0]}.toml")
    except EvidenceError as problem:
        unread = str(problem)
    return Kept(folder, *identity, manifest, neck, study, unread)


_OF_FINDING = ("id", "claim", "kind", "design", "direction", "outcome", "exposure", "contrast",
               "unit", "conf_level", "first_period", "last_period", "simulated")  # fmt: skip
_OF_SINGLE = ("case", "estimate", "conf_low", "conf_high", "rows", "data", "definition", "grade",
              "items_left_out")  # fmt: skip


def _read_neck(folder: Path) -> Neck:
    texts = {
        name: (folder / f"{name}.json").read_text(encoding="utf-8")
        for name in ("findings", "protected")
    }
    estimates = pd.read_csv(folder / "estimates.csv", keep_default_na=False, na_values=_MISSING)
    protected: dict[str, Any] = json.loads(texts["protected"])
    return Neck(estimates, list(json.loads(texts["findings"])["findings"]), (), protected)


_MISSING = {"estimate": [""]}


def _damaged(folder: Path, seen: str) -> RunError:
    return RunError(
        folder.name,
        seen=seen,
        expected="the files of a finished run",
        do="Compare with another run; this one is damaged, or of another age of the workbench.",
    )


def _find_papers(folder: Path, name: str) -> Path:
    """Find the kept copy of a current run, which has the study file of its day."""
    if (folder / "notebooks").is_dir():
        return folder
    try:
        wanted = name_run(read_manifest(folder))
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(
            name,
            seen="a manifest.json that cannot be read",
            expected="the folder of a finished run",
            do="Run the study again, or name another run.",
        ) from error
    kept = folder / "history" / wanted
    if kept.is_dir():
        return kept
    raise RunError(
        name,
        seen="a run of which no copy was kept",
        expected=f"history/{wanted} beside its results",
        do="Run the study again: evidence run keeps every run from now on.",
    )


def _choose(internal: Path, current: Path, which: str, name: str) -> Path:
    history = list_history(internal)
    if which == "previous":
        before = [folder for folder in history if folder != current]
        if before:
            return before[-1]
        raise RunError(
            name,
            seen="no run before the current one",
            expected="at least two runs from different inputs",
            do="Compare after the next run on new data, or name another study's run.",
        )
    found = [folder for folder in history if which and folder.name.startswith(which)]
    found = found or [folder for folder in history if which and folder.name.endswith(f"-{which}")]
    if len(found) == 1:
        return found[0]
    known = ", ".join(folder.name for folder in history)
    raise RunError(
        name,
        seen=f"{len(found)} kept runs that begin with '{which}'",
        expected=f"exactly one of {known}" if known else "a kept run",
        do="Write more of its id, or 'previous'.",
    )


def _no_run(root: Path, name: str) -> RunError:
    ran = sorted(p.parent.name for p in (root / "reports" / "internal").glob("*/manifest.json"))
    return RunError(
        f"'{name}'",
        seen="no finished run of that name",
        expected="a folder with manifest.json, <slug>, <slug>@previous or <slug>@<run id>; "
        f"studies that have run: {', '.join(ran) or 'none'}",
        do="Run the study first: evidence run <study file>.",
    )


def _lacking(kept: Kept, why: str) -> RunError:
    return RunError(
        f"{kept.slug}@{kept.id}",
        seen=why,
        expected="the rows and the study file that the run was made from",
        do="Run the study again; its next run keeps them.",
    )
