"""Show how a run goes: live lines for a person, plain lines elsewhere, JSON for machines."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from evidence.errors import EvidenceError
from evidence.run import Event, Job, Run, Tell
from evidence.study import Study

if TYPE_CHECKING:
    from tqdm import tqdm

_TICK = 1.0
_Key = tuple[str, str]
"""A job: its study and its name there."""

_Show = Callable[[Event, float], None]
"""What shows an event, given the seconds since its job began."""


@contextmanager
def follow(studies: Sequence[Study], *, as_json: bool) -> Iterator[Tell]:
    """Show events of a run of studies as they come, then a table of what ran."""
    began: dict[_Key, float] = {}
    took: list[tuple[Event, float]] = []

    def tell_to(show: _Show) -> Tell:
        def tell(event: Event) -> None:
            now = time.monotonic()
            seconds = now - began.setdefault(_key(event), now)
            if event.kind in {"done", "failed"}:
                took.append((event, seconds))
            show(event, seconds)

        return tell

    if as_json:
        yield tell_to(_print_json)
        return
    if sys.stderr.isatty():
        with _live(studies, began) as show:
            yield tell_to(show)
    else:
        yield tell_to(_print_line)
    if took:
        _print_table(took)


def _key(event: Event) -> _Key:
    return event.job.study.slug, event.job.name


def _print_line(event: Event, seconds: float) -> None:
    """Print what begins and what ends; cells and what stays as it is make no line."""
    if event.kind in {"cell", "unchanged"}:
        return
    after = f"({event.job.why})" if event.kind == "start" else f"after {seconds:.1f} s"
    where = f" on {event.worker}" if event.worker else ""
    click.echo(f"{event.job.study.slug}: {event.job.name} {event.kind}{where} {after}")


def _print_json(event: Event, seconds: float) -> None:
    document = {"event": event.kind, **_name(event.job)}
    if event.kind == "cell":
        document |= {"cell": event.cell, "of": event.of, "section": event.section}
    if event.kind == "start":
        document |= {"why": event.job.why, "expected": event.job.expected}
    if event.worker:
        document["worker"] = event.worker
    if event.kind != "unchanged":
        document["seconds"] = round(seconds, 3)
    _echo(document)


def _name(job: Job) -> dict[str, Any]:
    return {"study": job.study.slug, "notebook": job.notebook, "case": job.case.id}


def _echo(document: dict[str, Any]) -> None:
    click.echo(json.dumps(document, ensure_ascii=False))


@contextmanager
def _live(studies: Sequence[Study], began: dict[_Key, float]) -> Iterator[_Show]:
    """Keep a line for each running notebook, renewed each second, below one for all."""
    from tqdm import tqdm

    running: dict[_Key, tuple[Event, tqdm[Any]]] = {}
    lock, ended = threading.RLock(), threading.Event()
    count = sum(len(study.cases) * len(study.notebooks) for study in studies)
    what = studies[0].slug if len(studies) == 1 else f"{len(studies)} studies"
    total = tqdm(total=count, desc=what, unit="run")

    def show(event: Event, seconds: float) -> None:
        name = _key(event)
        with lock:
            if event.kind in {"start", "cell"}:
                line = running[name][1] if name in running else _open_line(running)
                running[name] = (event, line)
                line.set_description_str(_describe(event, seconds))
                return
            if name in running:
                running.pop(name)[1].close()
            total.update()

    def tick() -> None:
        while not ended.wait(_TICK):
            with lock:
                for name, (event, line) in running.items():
                    line.set_description_str(_describe(event, time.monotonic() - began[name]))

    ticking = threading.Thread(target=tick, daemon=True)
    ticking.start()
    try:
        yield show
    finally:
        ended.set()
        ticking.join()
        for _, line in running.values():
            line.close()
        total.close()


def _open_line(running: dict[_Key, tuple[Event, tqdm[Any]]]) -> tqdm[Any]:
    """Open a line at the first place that no running notebook has."""
    from tqdm import tqdm

    taken = {abs(line.pos) for _, line in running.values()}
    free = min(set(range(1, len(taken) + 2)) - taken)
    return tqdm(position=free, bar_format="{desc}", leave=False, dynamic_ncols=True)


def _describe(event: Event, seconds: float) -> str:
    cell = f", cell {event.cell} of {event.of}" if event.of else ""
    section = f": {event.section}" if event.section else ""
    expected = event.job.expected
    about = f" of about {expected:.0f}" if expected is not None else ""
    where = f" on {event.worker}" if event.worker else ""
    return f"  {event.job.name}{where}{cell}{section} · {seconds:.0f}{about} s"


def _print_table(took: list[tuple[Event, float]]) -> None:
    rows = [("study", "notebook", "case", "what happened", "seconds", "expected")]
    for event, seconds in took:
        job = event.job
        about = "" if job.expected is None else f"{job.expected:.1f}"
        rows.append(
            (job.study.slug, job.notebook, job.case.id, event.kind, f"{seconds:.1f}", about)
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = [
            cell.ljust(width) if place < 4 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        click.echo("  ".join(padded).rstrip())


def summarise(result: Run | EvidenceError, *, as_json: bool) -> bool:
    """Tell how many notebooks of a study ran, and what stopped those that failed, or it.

    Returns
    -------
    bool
        Whether all is well.
    """
    if isinstance(result, EvidenceError):
        click.echo(f"error: {result}", err=True)
        return False
    study = result.study
    counts = {
        "run": len(result.done),
        "unchanged": len(result.unchanged),
        "failed": len(result.failures),
    }
    if as_json:
        for failure in result.failures:
            _echo({"event": "error", **_name(failure.job), "error": str(failure.error)})
        _echo({"event": "end", "study": study.slug, **counts})
        return not result.failures
    click.echo(f"{study.slug}: {', '.join(f'{count} {what}' for what, count in counts.items())}")
    for failure in result.failures:
        click.echo(f"error: {failure.error}", err=True)
        if failure.notebook is not None:
            place = failure.notebook.relative_to(study.root)
            click.echo(f"  the notebook as far as it came: {place}", err=True)
    return not result.failures


def tell_dry(study: Study, jobs: tuple[Job, ...], *, as_json: bool) -> None:
    """Tell what would run and why, a line each, and how much would not."""
    due = [job for job in jobs if job.why]
    if as_json:
        for job in due:
            _echo({"event": "due", **_name(job), "why": job.why, "expected": job.expected})
        counts = {"due": len(due), "unchanged": len(jobs) - len(due)}
        _echo({"event": "end", "study": study.slug, **counts})
        return
    for job in due:
        click.echo(f"{study.slug}: {job.name} would run ({job.why})")
    click.echo(f"{study.slug}: {len(due)} would run, {len(jobs) - len(due)} unchanged")
