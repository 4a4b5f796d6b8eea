"""Run what is stale of a study, then join and keep what it gave."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.metadata
import json
import platform
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from evidence.errors import EvidenceError, RunError
from evidence.neck import Neck, check_schema, join_necks, read_neck, replace_file, save_neck
from evidence.run.execute import Failure, as_json, execute
from evidence.run.history import keep_run
from evidence.run.plan import Job, hash_data, plan_runs, sha256
from evidence.study import Study

_SHOWN_VERSIONS = ("evidence", "linearmodels", "numpy", "pandas", "papermill", "statsmodels")


@dataclass(frozen=True, slots=True)
class Run:
    """What a call of ``run_study`` did."""

    study: Study
    done: tuple[Job, ...]
    unchanged: tuple[Job, ...]
    failures: tuple[Failure, ...]


def run_study(
    study: Study,
    *,
    seed: int = 1,
    workers: int = 1,
    tell: Callable[[Job, str], None] = lambda job, event: None,
) -> Run:
    """Run what is stale of a study, then join and keep the neck.

    Parameters
    ----------
    workers : int
        Notebooks that run at the same time.
    tell : callable
        Called with a job and ``unchanged``, ``start``, ``done`` or ``failed``.

    Raises
    ------
    RunError, SourceError, NeckError
        Where the plan or the joined result is not what it must be. A notebook that
        fails is no exception: it is a ``Failure`` of the returned run, the others go
        on, and the study's earlier results stay as they were.
    """
    study.internal.mkdir(parents=True, exist_ok=True)
    study.internal.chmod(0o700)
    with _lock(study):
        jobs = plan_runs(study, seed=seed)
        stale = [job for job in jobs if job.why]
        unchanged = tuple(job for job in jobs if not job.why)
        for job in unchanged:
            tell(job, "unchanged")
        failures = _execute_all(stale, workers, tell)
        if not failures and not _is_kept(study, jobs):
            _keep(study, jobs, seed)
        if not failures:
            keep_run(study)
    failed = [failure.job for failure in failures]
    done = tuple(job for job in stale if job not in failed)
    return Run(study, done, unchanged, failures)


def _execute_all(
    stale: list[Job], workers: int, tell: Callable[[Job, str], None]
) -> tuple[Failure, ...]:
    failures = []
    with ThreadPoolExecutor(max(1, workers)) as pool:
        futures = {pool.submit(execute, job, tell): job for job in stale}
        for future in as_completed(futures):
            failure = future.result()
            if failure is not None:
                failures.append(failure)
            tell(futures[future], "failed" if failure else "done")
    return tuple(failures)


def check_fresh(study: Study) -> None:
    """Check that a study's results are whole and made from its inputs of today.

    Raises
    ------
    RunError
        Where it was never run, or an input or a result has changed since.
    """
    manifest = _read_manifest(study)
    if manifest is None:
        raise RunError(
            study.slug,
            seen="no finished run",
            expected="one, with its manifest.json",
            do=f"Run it first: evidence run {study.path.name}.",
        )
    jobs = plan_runs(study, seed=manifest["seed"])
    due = [job for job in jobs if job.why]
    if due or not _is_kept(study, jobs):
        raise RunError(
            study.slug,
            seen=f"{due[0].name} {due[0].why}" if due else "files that this run did not write",
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
    seed = (_read_manifest(study) or {"seed": 1})["seed"]
    found = [j for j in plan_runs(study, seed=seed) if (j.case.id, j.notebook) == (case, notebook)]
    if not found or found[0].why:
        raise RunError(
            f"{study.slug}: {notebook}, case '{case}'",
            seen=found[0].why if found else "no such notebook and case in the study",
            expected="a result made from the inputs of today",
            do=f"Run it again: evidence run {study.path.name}.",
        )
    return found[0]


def _read_manifest(study: Study) -> dict[str, Any] | None:
    try:
        text = (study.internal / "manifest.json").read_text(encoding="utf-8")
        manifest: dict[str, Any] = json.loads(text)
        check_schema(manifest, "manifest", f"{study.slug}/manifest.json")
    except (OSError, ValueError, EvidenceError):
        return None
    return manifest


def _is_kept(study: Study, jobs: tuple[Job, ...]) -> bool:
    """Tell whether the joined files are there, untouched, and made by these jobs."""
    manifest = _read_manifest(study)
    if manifest is None or [run["key"] for run in manifest["runs"]] != [j.key for j in jobs]:
        return False
    paths = {study.internal / name: digest for name, digest in manifest["files"].items()}
    return all(p.is_file() and sha256(p.read_bytes()) == digest for p, digest in paths.items())


def _keep(study: Study, jobs: tuple[Job, ...], seed: int) -> None:
    neck = join_necks(read_neck(job.folder) for job in jobs)
    _check_whole(study, neck)
    save_neck(neck, study.internal)
    shutil.rmtree(study.internal / "running", ignore_errors=True)
    shutil.rmtree(study.internal / "failed", ignore_errors=True)
    runs = [json.loads((job.folder / "run.json").read_text(encoding="utf-8")) for job in jobs]
    shown = [{key: value for key, value in run.items() if key != "files"} for run in runs]
    files = [study.internal / name for name in ("estimates.csv", "findings.json", "protected.json")]
    files += sorted((study.internal / "exhibits").iterdir())
    document = {
        "schema_version": 1,
        "study": study.slug,
        "case_count": len(study.cases),
        "left_out": list(study.left_out),
        "runs": shown,
        "data": hash_data(study, seed),
        "code": jobs[0].parts["code"],
        "lock": jobs[0].parts["environment"],
        "versions": {name: importlib.metadata.version(name) for name in _SHOWN_VERSIONS}
        | {"python": platform.python_version()},
        "seed": seed,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "verdict": "complete",
        "files": {
            path.relative_to(study.internal).as_posix(): sha256(path.read_bytes()) for path in files
        },
    }
    check_schema(document, "manifest", f"{study.slug}/manifest.json")
    replace_file(study.internal / "manifest.json", as_json(document))


def _check_whole(study: Study, neck: Neck) -> None:
    estimated = set(zip(neck.estimates["case"], neck.estimates["specification"], strict=True))
    stated = {(e["case"], e["claim"]) for e in neck.findings if e["kind"] == "finding"}
    wanted = {(c.id, s.id) for c in study.cases for s in study.specifications}
    claimed = {(c.id, claim.id) for c in study.cases for claim in study.claims}
    absent = sorted(wanted - estimated) + sorted(claimed - stated)
    if absent:
        raise RunError(
            f"{study.path.name}",
            seen="no result for " + "; ".join(" · ".join(pair) for pair in absent[:5]),
            expected="every specification and claim in every case",
            do="See that the notebook fits all its specifications and states all claims.",
        )


@contextlib.contextmanager
def _lock(study: Study) -> Iterator[None]:
    """Keep a second run of the study out; the lock dies with its process."""
    with (study.internal / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunError(
                study.slug,
                seen="another run of this study, still going on",
                expected="one at a time",
                do="Wait until it has ended.",
            ) from error
        yield
