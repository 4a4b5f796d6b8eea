"""Send the jobs of a plan to a Dask cluster, and put what they leave in its place."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import platform
import secrets
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dask.distributed import CancelledError, Client, KilledWorker, as_completed

from evidence.errors import EvidenceError, RunError
from evidence.files import replace_folder
from evidence.run.cluster.share import Share, get_file, open_share, put_file
from evidence.run.cluster.work import Answer, Parcel, list_here, work
from evidence.run.event import Event, Tell
from evidence.run.execute import Failure
from evidence.run.inputs import hash_json
from evidence.run.plan import Job
from evidence.sources import list_raw
from evidence.study import Study

CONNECT_SECONDS = 20
RETRIES = 2
"""How often a job is tried again after trouble of a worker's; a lost worker is Dask's to count."""

_LOG = logging.getLogger("evidence")
_PACKS = ("countries", "sectors", "questionnaires", "laws", "events")


def execute_on_cluster(
    stale: list[Job], scheduler: str, share: str, tell: Tell
) -> tuple[Failure, ...]:
    """Execute jobs of one study on the workers of a Dask scheduler.

    Parameters
    ----------
    scheduler : str
        Its address, such as ``tcp://10.0.0.5:8786``.
    share : str
        Folder or URL that this machine and the workers see; by default a folder among the
        study's own results, which do for workers on the same disk.

    Raises
    ------
    RunError
        Where the scheduler or the share cannot be reached.
    """
    study = stale[0].study
    address = _name_share(study, share)
    topic = f"evidence-{secrets.token_hex(8)}"
    # The client goes first, and takes back its jobs, before what they need is removed.
    with _open(address, share) as place, _connect(scheduler) as client:
        files = {path.relative_to(study.root).as_posix(): path for path in _list_files(study)}
        sent = {relative: put_file(place, path) for relative, path in files.items()}
        told = _Told(tuple(stale), tell)
        client.subscribe_topic(topic, told.hear)
        futures = {
            client.submit(work, parcel, key=f"{job.name} {topic}", pure=False, retries=RETRIES): job
            for job, parcel in zip(stale, _pack(stale, sent, address, topic), strict=True)
        }
        return tuple(_collect(futures, place, told))


def _pack(stale: list[Job], sent: dict[str, str], address: str, topic: str) -> Iterator[Parcel]:
    here = list_here()
    for number, job in enumerate(stale):
        yield Parcel(
            number=number,
            study=job.study.slug,
            notebook=job.notebook,
            case=job.case.id,
            seed=job.parameters["seed"],
            why=job.why,
            key=job.key,
            parts=job.parts,
            here=here,
            files=sent,
            share=address,
            topic=topic,
        )


class _Told:
    """Passes on what workers tell of jobs, until each has ended."""

    def __init__(self, jobs: tuple[Job, ...], tell: Tell) -> None:
        self.jobs = jobs
        self.tell = tell
        self.ended: set[str] = set()
        self.lock = threading.Lock()

    def hear(self, told: tuple[float, Any]) -> None:
        """Hear an event from a worker; those of a job that has ended come too late."""
        number, kind, cell, of, section, worker = told[1]
        job = self.jobs[number]
        with self.lock:
            if job.name not in self.ended:
                self.tell(Event(job, kind, cell=cell, of=of, section=section, worker=worker))

    def end(self, job: Job, failure: Failure | None, worker: str) -> None:
        """Tell that a job has ended."""
        with self.lock:
            self.ended.add(job.name)
            self.tell(Event(job, "failed" if failure else "done", worker=worker))


def _collect(futures: dict[Any, Job], place: Share, told: _Told) -> Iterator[Failure]:
    """Put what each job leaves in its place, as soon as it has ended; yield failures."""
    for future in as_completed(futures):
        job = futures[future]
        answer = _ask(future, job)
        failure = _receive(job, answer, place)
        told.end(job, failure, answer.worker)
        if failure is not None:
            yield failure


def _ask(future: Any, job: Job) -> Answer:
    try:
        answer: Answer = future.result()
    except KilledWorker as error:
        times = error.allowed_failures + 1
        return _blame(job, f"{times} workers that were lost while they ran it", "workers that live")
    except CancelledError:
        return _blame(job, "a scheduler that was lost", "one that stays until the run has ended")
    except Exception as error:
        first = (str(error).strip() or "no message").splitlines()[0][:300]
        return _blame(job, f"{type(error).__name__}: {first}", "a worker that can run the job")
    return answer


def _blame(job: Job, seen: str, expected: str) -> Answer:
    do = "Look at the workers' logs and memory (docs/cluster.md), and run again."
    return Answer(
        "", {}, RunError(f"{job.name}, on the cluster", seen=seen, expected=expected, do=do)
    )


def _receive(job: Job, answer: Answer, place: Share) -> Failure | None:
    """Take a job's files from the share; put them in place where they are whole."""
    work = job.study.root / job.parameters["output"]
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        for relative, digest in answer.files.items():
            get_file(place, digest, work / relative)
        if answer.error is None:
            _check_result(job, answer, work)
            replace_folder(work, job.folder)
            return None
        return _fail(job, answer.error, work)
    except EvidenceError as error:
        return Failure(job, error, None)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _check_result(job: Job, answer: Answer, work: Path) -> None:
    run = json.loads((work / "run.json").read_text(encoding="utf-8"))
    files = {name: digest for name, digest in answer.files.items() if name != "run.json"}
    if run["key"] != job.key or run["files"] != files:
        raise RunError(
            f"{job.name}, from worker {answer.worker}",
            seen="a result that is not what its run.json says",
            expected="the files that the job wrote",
            do="Run again; if it comes back, look at the share's disk.",
        )


def _fail(job: Job, error: EvidenceError, work: Path) -> Failure:
    left = next(work.glob("*.ipynb"), None)
    if left is None:
        return Failure(job, error, None)
    kept = job.study.internal / "failed" / left.name
    kept.parent.mkdir(parents=True, exist_ok=True)
    os.replace(left, kept)
    return Failure(job, error, kept)


def _list_files(study: Study) -> list[Path]:
    """List what a kernel of the study may read, and what spares workers to count its rows."""
    root = study.root
    found = [study.path, *(root / "notebooks" / f"{name}.ipynb" for name in study.notebooks)]
    for name in study.data.sources:
        found += [root / "data" / "sources" / f"{name}.toml", *list_raw(root, name)]
    for name in _PACKS:
        found += sorted((root / "data" / name).glob("*.toml"))
    rows = study.internal / "rows.json"
    return [*dict.fromkeys(found), *([rows] if rows.is_file() else [])]


def _name_share(study: Study, share: str) -> str:
    """Name the folder on the share that is this study's alone, the same for each of its runs."""
    if not share:
        return str(study.internal / "share")
    whose = hash_json([platform.node(), str(study.root)])[:12]
    base = share.rstrip("/") if "://" in share else str(Path(share).resolve())
    return f"{base}/evidence-{study.slug}-{whose}"


@contextlib.contextmanager
def _connect(scheduler: str) -> Iterator[Client]:
    try:
        client = Client(scheduler, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise RunError(
            f"scheduler {scheduler}",
            seen=f"no Dask scheduler that answers there ({type(error).__name__})",
            expected="the address of a running one, such as tcp://10.0.0.5:8786",
            do="See docs/cluster.md on how to start one.",
        ) from error
    with client:
        if not client.scheduler_info()["workers"]:
            _LOG.warning("no worker has joined the scheduler yet; the run waits for one")
        yield client


@contextlib.contextmanager
def _open(address: str, share: str) -> Iterator[Share]:
    with contextlib.ExitStack() as stack:
        try:
            place = stack.enter_context(open_share(address))
        except (OSError, ValueError, ImportError) as error:
            raise RunError(
                f"share {share or address}",
                seen=f"what cannot be opened ({type(error).__name__}: {error})",
                expected="a folder or a URL that this machine and the workers can write to",
                do="Mend --share; a store such as s3:// needs its own package, here and there.",
            ) from error
        yield place
