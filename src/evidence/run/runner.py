"""Plan, run and keep: one notebook run a case, only where an input has changed."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.metadata
import json
import os
import platform
import secrets
import shutil
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat

from evidence.errors import EvidenceError, RunError
from evidence.neck import (
    Neck,
    check_schema,
    join_necks,
    read_neck,
    replace_file,
    replace_folder,
    save_neck,
)
from evidence.run.notebook import (
    add_sentinel,
    check_complete,
    check_notebook,
    check_parameters,
    clean_record,
    load_notebook,
)
from evidence.sources import fingerprint
from evidence.study import Case, Study

_TIMEOUT_SECONDS = 1800
_SHOWN_VERSIONS = ("evidence", "linearmodels", "numpy", "pandas", "papermill", "statsmodels")
_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MPLBACKEND": "agg",
}


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
        return _sha256(json.dumps(self.parts, sort_keys=True).encode())


@dataclass(frozen=True, slots=True)
class Failure:
    """A job that did not finish, with the reason and the notebook to look at."""

    job: Job
    error: EvidenceError
    notebook: Path | None


@dataclass(frozen=True, slots=True)
class Run:
    """What a call of ``run_study`` did."""

    study: Study
    done: tuple[Job, ...]
    unchanged: tuple[Job, ...]
    failures: tuple[Failure, ...]


def plan_runs(study: Study, *, seed: int = 1) -> tuple[Job, ...]:
    """Plan every notebook run of a study, with the reason for each.

    Raises
    ------
    RunError, SourceError
        Where a notebook or a source is not what it must be; nothing has run then.
    """
    shared = {
        "study": study.sha256,
        "code": _hash_code(),
        "environment": _hash_environment(),
        "data": _sha256(json.dumps(_hash_data(study, seed), sort_keys=True).encode()),
    }
    return tuple(
        _plan(study, notebook, case, seed, shared)
        for case in study.cases
        for notebook in study.notebooks
    )


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
        failures = _execute_all(study, stale, workers, tell)
        if not failures and (stale or _is_damaged(study)):
            _keep(study, jobs, seed)
    failed = [failure.job for failure in failures]
    done = tuple(job for job in stale if job not in failed)
    return Run(study, done, unchanged, failures)


def _execute_all(
    study: Study, stale: list[Job], workers: int, tell: Callable[[Job, str], None]
) -> tuple[Failure, ...]:
    failures = []
    with _kernel_environment(study), ThreadPoolExecutor(max(1, workers)) as pool:
        futures = {pool.submit(_execute, job, tell): job for job in stale}
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
    manifest = study.internal / "manifest.json"
    if not manifest.is_file():
        raise RunError(
            study.slug,
            seen="no finished run",
            expected="one, with its manifest.json",
            do=f"Run it first: evidence run {study.path.name}.",
        )
    seed = json.loads(manifest.read_text(encoding="utf-8"))["seed"]
    due = [job for job in plan_runs(study, seed=seed) if job.why]
    if due or _is_damaged(study):
        raise RunError(
            study.slug,
            seen=f"{due[0].name} {due[0].why}" if due else "files that the run did not write",
            expected="results made from the inputs of today",
            do=f"Run it again: evidence run {study.path.name}.",
        )


def _is_damaged(study: Study) -> bool:
    """Tell whether the joined files differ from what the manifest says of them."""
    try:
        manifest = json.loads((study.internal / "manifest.json").read_text(encoding="utf-8"))
        check_schema(manifest, "manifest", f"{study.slug}/manifest.json")
        return any(
            _sha256((study.internal / name).read_bytes()) != digest
            for name, digest in manifest["files"].items()
        )
    except (OSError, ValueError, EvidenceError):
        return True


def _plan(study: Study, notebook: str, case: Case, seed: int, shared: dict[str, str]) -> Job:
    path = study.root / "notebooks" / f"{notebook}.ipynb"
    standard = study.path == study.root / "notebooks" / "studies" / f"{study.slug}.toml"
    parameters = {
        "study": study.slug if standard else str(study.path),
        "output": f"reports/internal/{study.slug}/work/{case.id}/{notebook}",
        "seed": seed,
        **case.values,
    }
    check_parameters(parameters, check_notebook(path, tuple(parameters)), f"{notebook}.ipynb")
    parts = {
        **shared,
        "notebook": _sha256(path.read_bytes()),
        "parameters": _sha256(json.dumps(parameters, sort_keys=True).encode()),
    }
    job = Job(study, notebook, case, parameters, parts, "")
    return Job(study, notebook, case, parameters, parts, _reason(job))


def _reason(job: Job) -> str:
    try:
        before = json.loads((job.folder / "run.json").read_text(encoding="utf-8"))
        changed = [name for name, value in job.parts.items() if before["parts"][name] != value]
        if changed:
            return "changed: " + ", ".join(sorted(changed))
        for name, digest in before["files"].items():
            if _sha256((job.folder / name).read_bytes()) != digest:
                return f"damaged: {name}"
    except FileNotFoundError:
        return "no earlier result"
    except (OSError, ValueError, KeyError):
        return "damaged: run.json"
    return ""


def _execute(job: Job, tell: Callable[[Job, str], None]) -> Failure | None:
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    tell(job, "start")
    began = time.monotonic()
    work = job.study.root / job.parameters["output"]
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    token = secrets.token_hex(16)
    record = work / f"{job.notebook}.ipynb"
    try:
        source = load_notebook(job.study.root / "notebooks" / f"{job.notebook}.ipynb")
        add_sentinel(source, token)
        prepared = work / "prepared.ipynb"
        nbformat.write(source, prepared)
        _run_papermill(prepared, record, job.parameters)
        prepared.unlink()
        _finish(job, record, token, time.monotonic() - began)
    except (PapermillExecutionError, CellTimeoutError, DeadKernelError) as error:
        return _fail(job, record, _explain(job, record, error))
    except EvidenceError as error:
        return _fail(job, record, error)
    return None


def _run_papermill(source: Path, record: Path, parameters: dict[str, Any]) -> None:
    """Run papermill in this thread, closing the event loop that jupyter opens for it."""
    import papermill
    from jupyter_core.utils import ensure_event_loop

    with contextlib.closing(ensure_event_loop()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        papermill.execute_notebook(
            _escape(source),
            _escape(record),
            parameters,
            kernel_name="python3",
            progress_bar=False,
            execution_timeout=_TIMEOUT_SECONDS,
            extra_arguments=["--IPKernelApp.log_level=50"],
        )


def _escape(path: Path) -> str:
    """Keep papermill from reading braces in a path as placeholders."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _finish(job: Job, record: Path, token: str, seconds: float) -> None:
    notebook = nbformat.read(record, as_version=4)
    cells = check_complete(notebook, token, record.name)
    identity = {"study": job.study.slug, "case": job.case.id, "notebook": job.notebook}
    clean_record(notebook, identity)
    nbformat.write(notebook, record)
    read_neck(record.parent)
    files = sorted(path for path in record.parent.rglob("*") if path.is_file())
    document = {
        "notebook": job.notebook,
        "case": job.case.id,
        "parameters": job.parameters,
        "key": job.key,
        "parts": job.parts,
        "why": job.why,
        "seconds": round(seconds, 3),
        "verdict": "complete",
        "cells": cells,
        "files": {
            path.relative_to(record.parent).as_posix(): _sha256(path.read_bytes()) for path in files
        },
    }
    replace_file(record.parent / "run.json", _json(document))
    replace_folder(record.parent, job.folder)


def _explain(job: Job, record: Path, error: Exception) -> EvidenceError:
    where = f"{job.notebook}.ipynb ({job.case.id})"
    if record.is_file():
        try:
            check_complete(nbformat.read(record, as_version=4), "", where)
        except RunError as found:
            if "never ran" not in found.seen and "sentinel" not in found.expected:
                return found
    first = str(error).strip().splitlines()[0][:300]
    return RunError(
        where,
        seen=f"{type(error).__name__}: {first}",
        expected="a kernel that runs every cell",
        do=f"Give it more memory, or split the study; the limit is {_TIMEOUT_SECONDS} s a cell.",
    )


def _fail(job: Job, record: Path, error: EvidenceError) -> Failure:
    if not record.is_file():
        return Failure(job, error, None)
    kept = job.study.internal / "failed" / f"{job.case.id}-{job.notebook}.ipynb"
    kept.parent.mkdir(parents=True, exist_ok=True)
    os.replace(record, kept)
    shutil.rmtree(record.parent, ignore_errors=True)
    return Failure(job, error, kept)


def _keep(study: Study, jobs: tuple[Job, ...], seed: int) -> None:
    neck = join_necks(read_neck(job.folder) for job in jobs)
    _check_whole(study, neck)
    save_neck(neck, study.internal)
    shutil.rmtree(study.internal / "work", ignore_errors=True)
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
        "data": _hash_data(study, seed),
        "code": _hash_code(),
        "lock": _hash_environment(),
        "versions": {name: importlib.metadata.version(name) for name in _SHOWN_VERSIONS}
        | {"python": platform.python_version()},
        "seed": seed,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "verdict": "complete",
        "files": {
            path.relative_to(study.internal).as_posix(): _sha256(path.read_bytes())
            for path in files
        },
    }
    check_schema(document, "manifest", f"{study.slug}/manifest.json")
    replace_file(study.internal / "manifest.json", _json(document))


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


@contextlib.contextmanager
def _kernel_environment(study: Study) -> Iterator[None]:
    """Give kernels a fixed environment; it is restored afterwards."""
    before = dict(os.environ)
    os.environ.update(_ENVIRONMENT, EVIDENCE_ROOT=str(study.root))
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _hash_data(study: Study, seed: int) -> dict[str, str]:
    return {source: fingerprint(study.root, source, seed=seed) for source in study.data.sources}


def _hash_code() -> str:
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*")):
        if path.suffix in {".py", ".po", ".json"} and "__pycache__" not in path.parts:
            digest.update(path.relative_to(package).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _hash_environment() -> str:
    found = {
        f"{d.metadata['Name']}=={d.version}".lower() for d in importlib.metadata.distributions()
    }
    return _sha256("\n".join([platform.python_version(), *sorted(found)]).encode())


def _sha256(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()


def _json(document: Any) -> bytes:
    return (json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
