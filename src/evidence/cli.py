"""The command line: check, run, brief."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from tqdm import tqdm

from evidence.brief import check_text, write_brief
from evidence.disclosure import clear
from evidence.errors import EvidenceError
from evidence.neck import read_neck
from evidence.portal import write_portal
from evidence.run import Job, Run, check_fresh, plan_runs, run_study
from evidence.study import Study, list_slugs, load_study

_studies = click.argument("studies", nargs=-1, required=True, type=click.Path(path_type=Path))
_seed = click.option(
    "--seed",
    default=1,
    show_default=True,
    type=click.IntRange(0),
    help="Seed of simulated sources.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="evidence")
def main() -> None:
    """Notebooks in, policy briefs out: every sentence tied to an estimate."""


@main.command()
@_studies
@_seed
def check(studies: tuple[Path, ...], seed: int) -> None:
    """Check study files, notebooks and sources; run nothing."""
    with _told_plainly():
        for study in _load(studies):
            jobs = plan_runs(study, seed=seed)
            stale = sum(bool(job.why) for job in jobs)
            click.echo(f"{study.slug}: good. {len(jobs)} notebook runs, {stale} of them due.")
            if study.left_out:
                click.echo(f"  not in the country packs, left out: {', '.join(study.left_out)}")


@main.command()
@_studies
@_seed
@click.option(
    "--jobs",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="Notebooks at the same time.",
)
def run(studies: tuple[Path, ...], seed: int, jobs: int) -> None:
    """Run the notebooks of studies whose inputs have changed."""
    with _told_plainly():
        loaded = _load(studies)
        failed = False
        for study in loaded:
            with _progress(study) as tell:
                result = run_study(study, seed=seed, workers=jobs, tell=tell)
            _summarise(result)
            failed = failed or bool(result.failures)
        if failed:
            sys.exit(1)


@main.command()
@_studies
def brief(studies: tuple[Path, ...]) -> None:
    """Clear what studies found and write their briefs and the portal."""
    with _told_plainly():
        for study in _load(studies):
            check_fresh(study)
            cleared = clear(read_neck(study.internal), study)
            for language in study.brief.languages:
                page = write_brief(cleared, language)
                click.echo(f"{study.slug}: {page.relative_to(study.root)}")
        portal = write_portal(study.root / "reports" / "public", list_slugs(study.root))
        click.echo(f"portal: {portal}")


def _load(paths: tuple[Path, ...]) -> list[Study]:
    studies = [load_study(path) for path in paths]
    for study in studies:
        check_text(study)
    return studies


@contextmanager
def _told_plainly() -> Iterator[None]:
    try:
        yield
    except EvidenceError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)


@contextmanager
def _progress(study: Study) -> Iterator[Callable[[Job, str], None]]:
    if not sys.stderr.isatty():
        yield lambda job, event: click.echo(_line(job, event))
        return
    with tqdm(total=len(study.cases) * len(study.notebooks), desc=study.slug, unit="run") as bar:

        def tell(job: Job, event: str) -> None:
            bar.set_postfix_str(f"{job.name} {event}")
            if event != "start":
                bar.update()

        yield tell


def _line(job: Job, event: str) -> str:
    why = f" ({job.why})" if event == "start" else ""
    return f"{job.study.slug}: {job.name} {event}{why}"


def _summarise(result: Run) -> None:
    click.echo(
        f"{result.study.slug}: {len(result.done)} run, {len(result.unchanged)} unchanged, "
        f"{len(result.failures)} failed"
    )
    for failure in result.failures:
        click.echo(f"error: {failure.error}", err=True)
        if failure.notebook is not None:
            place = failure.notebook.relative_to(result.study.root)
            click.echo(f"  the notebook as far as it came: {place}", err=True)
