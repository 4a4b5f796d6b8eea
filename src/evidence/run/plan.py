"""Plan: what has to run, and why, from the hashes of everything a result depends on."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evidence.run.inputs import (
    Pieces,
    hash_json,
    list_case,
    list_code,
    list_environment,
    list_events_of,
    list_languages,
    list_packs_of,
    list_study,
    sha256,
)
from evidence.run.reasons import explain
from evidence.run.rows import list_data
from evidence.sources import fingerprint
from evidence.study import Case, Study


@dataclass(frozen=True, slots=True)
class Job:
    """One notebook in one case; ``pieces`` are what its result depends on, by part.

    ``why`` says why it must run; it is empty where an earlier result still stands.
    ``expected`` is how long it took when it last ran, in seconds, if it did.
    """

    study: Study
    notebook: str
    case: Case
    parameters: dict[str, Any]
    pieces: dict[str, Pieces]
    why: str = ""
    expected: float | None = None

    @property
    def name(self) -> str:
        """What a person calls it."""
        return self.notebook if self.case.id == "all" else f"{self.notebook} · {self.case.id}"

    @property
    def folder(self) -> Path:
        """Where its result lies."""
        return self.study.internal / "cases" / self.case.id / self.notebook

    @property
    def parts(self) -> dict[str, str]:
        """Hash of the pieces of each part."""
        return {part: hash_json(pieces) for part, pieces in self.pieces.items()}

    @property
    def key(self) -> str:
        """Hash of everything that the result depends on."""
        return hash_json(self.parts)


def plan_runs(study: Study, *, seed: int = 1, keep: bool = False) -> tuple[Job, ...]:
    """Plan every notebook run of a study, with the reason for each.

    Parameters
    ----------
    keep : bool
        Keep the hashes of rows that had to be read, for the next plan; off, nothing is
        written.

    Raises
    ------
    RunError, SourceError
        Where a notebook that must run or a source is not what it must be; nothing has run
        then.
    """
    texts = {name: _read_notebook(study, name) for name in study.notebooks}
    spoken = {name: list_languages(text) for name, text in texts.items()}
    codes = {languages: list_code(languages) for languages in set(spoken.values())}
    studies = {languages: list_study(study, languages) for languages in codes}
    environment = list_environment()
    data = list_data(study, seed, hash_json([list_code(()), environment]), keep=keep)
    jobs = []
    for case in study.cases:
        packs = list_packs_of(study, case)
        for notebook, text in texts.items():
            languages = spoken[notebook]
            pieces = {
                "notebook": {f"{notebook}.ipynb": sha256(text.encode())},
                "study": studies[languages] | list_case(case, languages),
                "packs": packs | list_events_of(study, text),
                "code": codes[languages],
                "environment": environment,
                "data": data[case.id],
            }
            jobs.append(_plan(study, notebook, case, seed, pieces))
    return tuple(jobs)


def _read_notebook(study: Study, notebook: str) -> str:
    path = study.root / "notebooks" / f"{notebook}.ipynb"
    try:
        return path.read_bytes().decode()
    except (OSError, ValueError):
        from evidence.run.notebook import load_notebook

        load_notebook(path)
        raise


def _plan(study: Study, notebook: str, case: Case, seed: int, pieces: dict[str, Pieces]) -> Job:
    standard = study.path == study.root / "notebooks" / "studies" / f"{study.slug}.toml"
    parameters = {
        "study": study.slug if standard else str(study.path),
        "output": f"reports/internal/{study.slug}/running/{case.id}/{notebook}",
        "seed": seed,
        **case.values,
    }
    job = _judge(Job(study, notebook, case, parameters, pieces | {"parameters": parameters}))
    if job.why:
        from evidence.run.notebook import check_notebook, check_parameters

        path = study.root / "notebooks" / f"{notebook}.ipynb"
        defaults = check_notebook(path, tuple(parameters))
        check_parameters(parameters, defaults, f"{notebook}.ipynb")
    return job


def _judge(job: Job) -> Job:
    """Say why a job is due, if it is, from what its last run wrote."""
    try:
        before = json.loads((job.folder / "run.json").read_text(encoding="utf-8"))
        expected = float(before["seconds"])
        if "pieces" not in before:
            return replace(job, why="earlier result of another version", expected=expected)
        why = explain(before["pieces"], job.pieces) or _find_damage(job, before["files"])
        return replace(job, why=why, expected=expected)
    except FileNotFoundError:
        return replace(job, why="no earlier result")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return replace(job, why="damaged: run.json")


def _find_damage(job: Job, files: dict[str, str]) -> str:
    for name, digest in files.items():
        path = job.folder / name
        if not path.is_file() or sha256(path.read_bytes()) != digest:
            return f"damaged: {name}"
    return ""


def hash_data(study: Study, seed: int) -> dict[str, str]:
    """Hash what each source of a study would give, source → SHA-256."""
    return {source: fingerprint(study.root, source, seed=seed) for source in study.data.sources}
