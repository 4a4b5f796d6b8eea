"""Run what is stale of a study, then join and keep what it gave."""

from __future__ import annotations

import contextlib
import fcntl
import importlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evidence.errors import EvidenceError, RunError
from evidence.files import sweep
from evidence.run.disk import explain_disk
from evidence.run.event import Event, Tell
from evidence.run.fresh import is_kept
from evidence.run.history import keep_run
from evidence.run.plan import Job, plan_runs
from evidence.study import Study, load_study

if TYPE_CHECKING:
    from evidence.run.execute import Failure


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
    tell: Tell = lambda event: None,
    scheduler: str = "",
    share: str = "",
) -> Run:
    """Run what is stale of a study, then join and keep the neck; see ``run_studies``.

    Raises
    ------
    RunError, SourceError, NeckError
        Where the plan or the joined result is not what it must be.
    """
    (outcome,) = run_studies(
        [study], seed=seed, workers=workers, tell=tell, scheduler=scheduler, share=share
    )
    if isinstance(outcome, EvidenceError):
        raise outcome
    return outcome


def run_studies(
    studies: Sequence[Study],
    *,
    seed: int = 1,
    workers: int = 1,
    tell: Tell = lambda event: None,
    scheduler: str = "",
    share: str = "",
) -> tuple[Run | EvidenceError, ...]:
    """Run what is stale of studies side by side, then join and keep the neck of each.

    Parameters
    ----------
    workers : int
        Notebooks that run at the same time, of whichever study.
    tell : callable
        Called with each ``Event``.
    scheduler, share : str
        Address of a Dask scheduler whose workers execute the notebooks instead, and the
        folder or URL that they see as well; see ``execute_on_cluster``.

    Returns
    -------
    tuple
        For each study what was done, or the error that stopped it: its plan or its joined
        result is not what it must be. A notebook that fails is no such error: it is a
        ``Failure`` of the run, the others go on, and the study's earlier results stay.
    """
    abreast = 1 if scheduler else max(1, workers)
    with ThreadPoolExecutor(abreast) as leaders, ThreadPoolExecutor(abreast) as kernels:

        def execute_all(stale: list[Job]) -> tuple[Failure, ...]:
            if scheduler:
                return _send_all(stale, scheduler, share, tell)
            return _execute_all(stale, kernels, tell)

        futures = [leaders.submit(_run, study, seed, tell, execute_all) for study in studies]
        try:
            return tuple(future.result() for future in futures)
        except BaseException:
            for pool in (leaders, kernels):
                pool.shutdown(wait=False, cancel_futures=True)
            _end_kernels()
            raise


def _run(
    study: Study, seed: int, tell: Tell, execute_all: Callable[[list[Job]], tuple[Failure, ...]]
) -> Run | EvidenceError:
    try:
        with _on_disk(study), _lock(study):
            sweep(study.internal, apart="draft")
            jobs = plan_runs(study, seed=seed, keep=True)
            stale = [job for job in jobs if job.why]
            unchanged = tuple(job for job in jobs if not job.why)
            for job in unchanged:
                tell(Event(job, "unchanged"))
            failures = execute_all(stale) if stale else ()
            if stale and not failures:
                _check_still(study, seed)
            if not failures and not is_kept(study, jobs):
                _join(study, jobs, seed)
            if not failures:
                keep_run(study)
    except EvidenceError as error:
        return error
    failed = [failure.job for failure in failures]
    done = tuple(job for job in stale if job not in failed)
    return Run(study, done, unchanged, failures)


def _execute_all(stale: list[Job], kernels: ThreadPoolExecutor, tell: Tell) -> tuple[Failure, ...]:
    from evidence.run.execute import execute

    def execute_one(job: Job) -> Failure | None:
        failure = execute(job, tell)
        tell(Event(job, "failed" if failure else "done"))
        return failure

    futures = [kernels.submit(execute_one, job) for job in stale]
    # Takes about as long as a short notebook, and is needed when that has ended.
    importlib.import_module("evidence.run.joining")
    return tuple(failure for future in futures if (failure := future.result()) is not None)


def _end_kernels() -> None:
    from evidence.run.kernels.provisioner import end_kernels

    end_kernels()


def _send_all(stale: list[Job], scheduler: str, share: str, tell: Tell) -> tuple[Failure, ...]:
    try:
        from evidence.run.cluster.send import execute_on_cluster
    except ImportError:
        raise RunError(
            f"scheduler {scheduler}",
            seen="no Dask on this machine",
            expected="the packages dask and distributed",
            do="Install the extra: pip install 'evidence[cluster]'.",
        ) from None
    return execute_on_cluster(stale, scheduler, share, tell)


def _check_still(study: Study, seed: int) -> None:
    """Check that inputs and results stayed as they were while the notebooks ran."""
    moved = [job for job in plan_runs(load_study(study.path), seed=seed) if job.why]
    if moved:
        raise RunError(
            f"{study.slug}: {moved[0].name}",
            seen=f"{moved[0].why}, while the study ran",
            expected="inputs and results that nobody changes until the run has ended",
            do="See that no notebook writes there, and run again: what is still good is kept.",
        )


def _join(study: Study, jobs: tuple[Job, ...], seed: int) -> None:
    from evidence.run.joining import join_results

    join_results(study, jobs, seed)


@contextlib.contextmanager
def _on_disk(study: Study) -> Iterator[None]:
    """Say in plain words that the disk is full, or closed to writing."""
    try:
        yield
    except OSError as error:
        raise explain_disk(study, error) from error


@contextlib.contextmanager
def _lock(study: Study) -> Iterator[None]:
    """Keep a second run of the study out; the lock dies with its process."""
    study.internal.mkdir(parents=True, exist_ok=True)
    study.internal.chmod(0o700)
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
