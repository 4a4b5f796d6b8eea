"""Execute one job with papermill, beside its place, and put it there when it is whole."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from evidence.errors import EvidenceError, RunError
from evidence.neck import read_neck, replace_file, replace_folder
from evidence.run.event import Event, Tell
from evidence.run.inputs import sha256
from evidence.run.notebook import (
    SENTINEL,
    add_sentinel,
    check_complete,
    clean_record,
    list_sections,
    load_notebook,
)
from evidence.run.plan import Job

_TIMEOUT_SECONDS = 1800


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
        source = load_notebook(job.study.root / "notebooks" / f"{job.notebook}.ipynb")
        add_sentinel(source, token)
        prepared = work / "prepared.ipynb"
        nbformat.write(source, prepared)
        _run_papermill(prepared, record, job.parameters, _tell_cells(job, source, tell))
        prepared.unlink()
        _finish(job, record, token, time.monotonic() - began)
    except EvidenceError as error:
        return _fail(job, record, error)
    except Exception as error:
        return _fail(job, record, _explain(job, record, error))
    return None


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


def _run_papermill(
    source: Path, record: Path, parameters: dict[str, Any], begin: Callable[..., None]
) -> None:
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
            language="python",
            progress_bar=False,
            execution_timeout=_TIMEOUT_SECONDS,
            on_cell_start=begin,
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
        "pieces": job.pieces,
        "why": job.why,
        "seconds": round(seconds, 3),
        "verdict": "complete",
        "cells": cells,
        "files": {
            path.relative_to(record.parent).as_posix(): sha256(path.read_bytes()) for path in files
        },
    }
    replace_file(record.parent / "run.json", as_json(document))
    replace_folder(record.parent, job.folder)


def _explain(job: Job, record: Path, error: Exception) -> EvidenceError:
    where = f"{job.notebook}.ipynb ({job.case.id})"
    if record.is_file():
        try:
            check_complete(nbformat.read(record, as_version=4), "", where)
        except RunError as found:
            if "never ran" not in found.seen and "sentinel" not in found.expected:
                return found
    first = (str(error).strip() or "no message").splitlines()[0][:300]
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


def as_json(document: Any) -> bytes:
    """Write a document as JSON, the same bytes each time."""
    return (json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
