"""Tell whether a study's results are whole and made from its inputs of today."""

from __future__ import annotations

import json
from typing import Any

from evidence.errors import RunError
from evidence.run.inputs import sha256
from evidence.run.plan import Job, plan_runs
from evidence.study import Study


def check_fresh(study: Study) -> None:
    """Check that a study's results are whole and made from its inputs of today.

    Raises
    ------
    RunError
        Where it was never run, or an input or a result has changed since.
    """
    manifest = read_manifest(study)
    if manifest is None:
        raise RunError(
            study.slug,
            seen="no finished run",
            expected="one, with its manifest.json",
            do=f"Run it first: evidence run {study.path.name}.",
        )
    jobs = plan_runs(study, seed=manifest["seed"])
    due = [job for job in jobs if job.why]
    if due or not is_kept(study, jobs):
        raise RunError(
            study.slug,
            seen=f"{due[0].name}: {due[0].why}" if due else "files that this run did not write",
            expected="results made from the inputs of today",
            do=f"Run it again: evidence run {study.path.name}.",
        )


def find_fresh(study: Study, case: str, notebook: str) -> Job:
    """Find one job of a study whose result is whole and made from the inputs of today.

    Raises
    ------
    RunError
        Where there is no such job, or an input or its result has changed since.
    """
    seed = (read_manifest(study) or {"seed": 1})["seed"]
    found = [j for j in plan_runs(study, seed=seed) if (j.case.id, j.notebook) == (case, notebook)]
    if not found or found[0].why:
        raise RunError(
            f"{study.slug}: {notebook}, case '{case}'",
            seen=found[0].why if found else "no such notebook and case in the study",
            expected="a result made from the inputs of today",
            do=f"Run it again: evidence run {study.path.name}.",
        )
    return found[0]


def read_manifest(study: Study) -> dict[str, Any] | None:
    """Read a study's manifest as far as freshness asks; nothing where it is damaged."""
    try:
        text = (study.internal / "manifest.json").read_text(encoding="utf-8")
        manifest: dict[str, Any] = json.loads(text)
        [run["key"] for run in manifest["runs"]]
        whole = isinstance(manifest["files"], dict) and isinstance(manifest["seed"], int)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return manifest if whole else None


def is_kept(study: Study, jobs: tuple[Job, ...]) -> bool:
    """Tell whether the joined files are there, untouched, and made by these jobs."""
    manifest = read_manifest(study)
    if manifest is None or [run["key"] for run in manifest["runs"]] != [j.key for j in jobs]:
        return False
    paths = {study.internal / name: digest for name, digest in manifest["files"].items()}
    whole = all(p.is_file() and sha256(p.read_bytes()) == digest for p, digest in paths.items())
    return whole and manifest.get("left_out") == list(study.left_out)
