"""What a worker does with a job: the same as this machine would, in a project of its own.

Scheduler and workers load this module in the loop that keeps them in touch with each other:
what executes notebooks takes seconds to import, and is loaded in a worker's own thread.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dask.distributed import Worker, get_worker

from evidence.errors import EvidenceError, RunError
from evidence.run.cluster.share import Share, find_share, get_file, put_file

if TYPE_CHECKING:
    from evidence.run.event import Event, Tell
    from evidence.run.inputs import Pieces
    from evidence.run.plan import Job

_MOST = 3


@dataclass(frozen=True, slots=True)
class Parcel:
    """A job on its way to a worker: what it is, what it needs, by path, and where that lies.

    ``here`` are the files of the package and the distributions that the sender has.
    """

    number: int
    study: str
    notebook: str
    case: str
    seed: int
    why: str
    key: str
    parts: Mapping[str, str]
    here: Mapping[str, Pieces]
    files: Mapping[str, str]
    share: str
    topic: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a job left: its files by path, or the notebook as far as it came, and the error."""

    worker: str
    files: Mapping[str, str]
    error: EvidenceError | None = None


def list_here() -> dict[str, Pieces]:
    """List what must be the same wherever jobs of one run are executed."""
    from evidence.run.inputs import list_environment, list_package

    return {"code": list_package(), "environment": list_environment()}


def work(parcel: Parcel) -> Answer:
    """Execute a job; a failure of its own is an answer, an exception is the worker's trouble."""
    from evidence.run.execute import execute

    worker = get_worker()
    name, share = str(worker.name), find_share(parcel.share)
    with tempfile.TemporaryDirectory(dir=worker.local_directory, prefix="evidence-") as folder:
        root = Path(folder).resolve()
        try:
            _check_same(parcel, name)
            job = _unpack(parcel, share, root, name)
        except EvidenceError as error:
            return Answer(name, {}, error)
        failure = execute(job, _tell_from(worker, parcel))
        if failure is None:
            paths = sorted(path for path in job.folder.rglob("*") if path.is_file())
            found = {path.relative_to(job.folder).as_posix(): path for path in paths}
        else:
            found = {path.name: path for path in (failure.notebook,) if path is not None}
        files = {relative: put_file(share, path) for relative, path in found.items()}
    return Answer(name, files, failure.error if failure else None)


def _check_same(parcel: Parcel, name: str) -> None:
    there = list_here()
    differing = []
    for what, ours in parcel.here.items():
        theirs = there[what]
        found = [key for key in sorted({*ours, *theirs}) if ours.get(key) != theirs.get(key)]
        if found:
            more = f" and {len(found) - _MOST} more" if len(found) > _MOST else ""
            differing.append(f"{what} ({', '.join(found[:_MOST])}{more})")
    if differing:
        raise RunError(
            f"worker {name}",
            seen=f"other {' and '.join(differing)} than on the machine that sent the job",
            expected="the same files of evidence and the same packages in the same versions",
            do="Install there what is installed here, from requirements.lock, and run again.",
        )


def _unpack(parcel: Parcel, share: Share, root: Path, name: str) -> Job:
    """Unpack a job's project, and plan it there: it must come out as the same job."""
    from evidence.run.plan import plan_runs
    from evidence.study import load_study

    for relative, digest in parcel.files.items():
        get_file(share, digest, root / relative)
    whole = load_study(root / "notebooks" / "studies" / f"{parcel.study}.toml")
    study = replace(whole, cases=tuple(case for case in whole.cases if case.id == parcel.case))
    (job,) = (j for j in plan_runs(study, seed=parcel.seed) if j.notebook == parcel.notebook)
    if job.key != parcel.key:
        parts = [part for part, digest in parcel.parts.items() if job.parts[part] != digest]
        raise RunError(
            f"worker {name}",
            seen=f"a job that depends on other inputs there: {', '.join(parts)}",
            expected="the job that was planned here",
            do="See that no input was changed since the run began, and run again.",
        )
    return replace(job, why=parcel.why)


def _tell_from(worker: Worker, parcel: Parcel) -> Tell:
    """Make what tells the sender what happens here; it ends a job that was taken back."""
    key = worker.get_current_task()

    def tell(event: Event) -> None:
        task = worker.state.tasks.get(key)
        if task is None or task.state == "cancelled":
            raise InterruptedError("the job was taken back")
        told = (event.kind, event.cell, event.of, event.section, str(worker.name))
        worker.log_event(parcel.topic, (parcel.number, *told))

    return tell
