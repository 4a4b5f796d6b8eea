"""Execute one job with papermill, beside its place, and put it there when it is whole."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat

from evidence.errors import EvidenceError, RunError
from evidence.files import replace_file, replace_folder
from evidence.run.disk import explain_disk
from evidence.run.event import Event, Tell
from evidence.run.inputs import sha256
from evidence.run.kernels.output import name_failed
from evidence.run.notebook import (
    SENTINEL,
    add_sentinel,
    check_cells,
    check_complete,
    clean_record,
    list_sections,
    load_notebook,
)
from evidence.run.plan import Job
from evidence.run.processor import describe_processor

if TYPE_CHECKING:
    from evidence.neck import Neck


@dataclass(frozen=True, slots=True)
class Failure:
    """A job that did not finish, with the reason and the notebook to look at."""

    job: Job
    error: EvidenceError
    notebook: Path | None


def execute(job: Job, tell: Tell) -> Failure | None:
    """Execute a job; return nothing where it came to its end, else the failure."""
    tell(Event(job, "start"))
    began = time.monotonic()
    work = job.study.root / job.parameters["output"]
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    token = secrets.token_hex(16)
    record = work / f"{job.notebook}.ipynb"
    try:
        source = _load_planned(job)
        add_sentinel(source, token)
        prepared = work / "prepared.ipynb"
        nbformat.write(source, prepared)
        notebook = _run_papermill(job, prepared, record, _tell_cells(job, source, tell))
        prepared.unlink()
        _finish(job, notebook, record, token, time.monotonic() - began)
    except EvidenceError as error:
        return _fail(job, record, error)
    except OSError as error:
        return _fail(job, record, explain_disk(job.study, error))
    except Exception as error:
        return _fail(job, record, _explain(job, record, error))
    return None


def _load_planned(job: Job) -> Any:
    """Load a job's notebook; refuse one that is no longer what was planned."""
    path = job.study.root / "notebooks" / f"{job.notebook}.ipynb"
    notebook = load_notebook(path)
    if sha256(path.read_bytes()) != job.pieces["notebook"][path.name]:
        raise RunError(
            path.name,
            seen="a notebook that was saved after this run began",
            expected="the one that was planned",
            do="Run again.",
        )
    return notebook


def _tell_cells(job: Job, notebook: Any, tell: Tell) -> Callable[..., None]:
    """Make what nbclient calls before each cell: it tells which one, and in which section."""
    sections = zip(notebook.cells, list_sections(notebook), strict=True)
    code = {cell.id: section for cell, section in sections if cell.cell_type == "code"}
    code.pop(SENTINEL, None)
    places = {name: place for place, name in enumerate(code, start=1)}

    def begin(cell: Any, cell_index: int) -> None:
        if cell.id in code:
            place, section = places[cell.id], code[cell.id]
            tell(Event(job, "cell", cell=place, of=len(code), section=section))

    return begin


def _run_papermill(job: Job, source: Path, record: Path, begin: Callable[..., None]) -> Any:
    """Run papermill in this thread, closing the event loop that jupyter opens for it."""
    import papermill
    from jupyter_core.utils import ensure_event_loop
    from papermill.engines import papermill_engines

    from evidence.run.kernels import engine

    papermill_engines.register("evidence", engine)
    with contextlib.closing(ensure_event_loop()):
        return papermill.execute_notebook(
            _escape(source),
            _escape(record),
            job.parameters,
            engine_name="evidence",
            kernel_name="python3",
            language="python",
            progress_bar=False,
            on_cell_start=begin,
            environment={"EVIDENCE_ROOT": str(job.study.root), "MPLBACKEND": "agg"},
        )


def _escape(path: Path) -> str:
    """Keep papermill from reading braces in a path as placeholders."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _finish(job: Job, notebook: Any, record: Path, token: str, seconds: float) -> None:
    from evidence.neck import read_neck

    told = notebook.metadata.papermill.warnings
    cells = check_complete(notebook, token, record.name)
    identity = {"study": job.study.slug, "case": job.case.id, "notebook": job.notebook}
    clean_record(notebook, identity)
    replace_file(record, (nbformat.writes(notebook) + "\n").encode())
    _check_whole(job, read_neck(record.parent))
    files = sorted(path for path in record.parent.rglob("*") if path.is_file())
    document = {
        "notebook": job.notebook,
        "case": job.case.id,
        "parameters": job.parameters,
        "key": job.key,
        "parts": job.parts,
        "pieces": job.pieces,
        "why": job.why,
        "seconds": round(seconds, 3),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": describe_processor(),
        "verdict": "complete",
        "cells": cells,
        "warnings": told,
        "files": {
            path.relative_to(record.parent).as_posix(): sha256(path.read_bytes()) for path in files
        },
    }
    replace_file(record.parent / "run.json", as_json(document))
    replace_folder(record.parent, job.folder)


def _check_whole(job: Job, neck: Neck) -> None:
    """Check that a notebook fitted all its specifications and stated all their claims."""
    study, case = job.study, job.case.id
    estimated = set(zip(neck.estimates["case"], neck.estimates["specification"], strict=True))
    stated = {(e["case"], e["claim"]) for e in neck.findings if e["kind"] == "finding"}
    own = [spec.id for spec in study.specifications if spec.notebook == job.notebook]
    wanted = {(case, name) for name in own}
    claimed = {(case, claim.id) for claim in study.claims if claim.specification in own}
    absent = sorted(wanted - estimated) + sorted(claimed - stated)
    if absent:
        raise RunError(
            f"{job.notebook}.ipynb ({case})",
            seen="no result for " + "; ".join(" · ".join(pair) for pair in absent[:5]),
            expected="every specification and claim in every case",
            do="See that the notebook fits all its specifications and states all claims.",
        )


def _explain(job: Job, record: Path, error: Exception) -> EvidenceError:
    where = f"{job.notebook}.ipynb ({job.case.id})"
    with contextlib.suppress(OSError):
        try:
            check_cells(nbformat.read(name_failed(record), as_version=4), where)
        except RunError as found:
            return found
    first = (str(error).strip() or "no message").splitlines()[0][:300]
    return RunError(
        where,
        seen=f"{type(error).__name__}: {first}",
        expected="a kernel that runs every cell",
        do="Give it more memory, or split the study.",
    )


def _fail(job: Job, record: Path, error: EvidenceError) -> Failure:
    left = next((path for path in (name_failed(record), record) if path.is_file()), None)
    kept = job.study.internal / "failed" / f"{job.case.id}-{job.notebook}.ipynb"
    if left is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        os.replace(left, kept)
    shutil.rmtree(record.parent, ignore_errors=True)
    return Failure(job, error, kept if left else None)


def as_json(document: Any) -> bytes:
    """Write a document as JSON, the same bytes each time."""
    return (json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
