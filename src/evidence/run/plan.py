"""Plan: what has to run, and why, from the hashes of everything a result depends on."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evidence.packs import hash_packs
from evidence.run.notebook import check_notebook, check_parameters
from evidence.sources import fingerprint
from evidence.study import Case, Study


@dataclass(frozen=True, slots=True)
class Job:
    """One notebook in one case; ``parts`` are the hashes that make up its ``key``.

    ``why`` says why it must run; it is empty where an earlier result still stands.
    """

    study: Study
    notebook: str
    case: Case
    parameters: dict[str, Any]
    parts: dict[str, str]
    why: str

    @property
    def name(self) -> str:
        """What a person calls it."""
        return self.notebook if self.case.id == "all" else f"{self.notebook} · {self.case.id}"

    @property
    def folder(self) -> Path:
        """Where its result lies."""
        return self.study.internal / "cases" / self.case.id / self.notebook

    @property
    def key(self) -> str:
        """Hash of everything that the result depends on."""
        return sha256(json.dumps(self.parts, sort_keys=True).encode())


def plan_runs(study: Study, *, seed: int = 1) -> tuple[Job, ...]:
    """Plan every notebook run of a study, with the reason for each.

    Raises
    ------
    RunError, SourceError
        Where a notebook or a source is not what it must be; nothing has run then.
    """
    shared = {
        "study": study.sha256,
        "packs": hash_packs(study.root),
        "code": hash_code(),
        "environment": hash_environment(),
        "data": sha256(json.dumps(hash_data(study, seed), sort_keys=True).encode()),
    }
    return tuple(
        _plan(study, notebook, case, seed, shared)
        for case in study.cases
        for notebook in study.notebooks
    )


def _plan(study: Study, notebook: str, case: Case, seed: int, shared: dict[str, str]) -> Job:
    path = study.root / "notebooks" / f"{notebook}.ipynb"
    standard = study.path == study.root / "notebooks" / "studies" / f"{study.slug}.toml"
    parameters = {
        "study": study.slug if standard else str(study.path),
        "output": f"reports/internal/{study.slug}/running/{case.id}/{notebook}",
        "seed": seed,
        **case.values,
    }
    check_parameters(parameters, check_notebook(path, tuple(parameters)), f"{notebook}.ipynb")
    parts = {
        **shared,
        "notebook": sha256(path.read_bytes()),
        "parameters": sha256(json.dumps(parameters, sort_keys=True).encode()),
    }
    job = Job(study, notebook, case, parameters, parts, "")
    return replace(job, why=_reason(job))


def _reason(job: Job) -> str:
    try:
        before = json.loads((job.folder / "run.json").read_text(encoding="utf-8"))
        changed = [name for name, value in job.parts.items() if before["parts"].get(name) != value]
        if changed:
            return "changed: " + ", ".join(sorted(changed))
        for name, digest in before["files"].items():
            if sha256((job.folder / name).read_bytes()) != digest:
                return f"damaged: {name}"
    except FileNotFoundError:
        return "no earlier result"
    except (OSError, ValueError, KeyError):
        return "damaged: run.json"
    return ""


def hash_data(study: Study, seed: int) -> dict[str, str]:
    """Hash what each source of a study would give, source → SHA-256."""
    return {source: fingerprint(study.root, source, seed=seed) for source in study.data.sources}


def hash_code() -> str:
    """Hash the package: code, words, schemas."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*")):
        if path.suffix in {".py", ".po", ".json"} and "__pycache__" not in path.parts:
            digest.update(path.relative_to(package).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def hash_environment() -> str:
    """Hash Python and every installed distribution with its version."""
    found = {
        f"{d.metadata['Name']}=={d.version}".lower() for d in importlib.metadata.distributions()
    }
    return sha256("\n".join([platform.python_version(), *sorted(found)]).encode())


def sha256(payload: bytes) -> str:
    """Hash bytes."""
    return hashlib.sha256(payload).hexdigest()
