"""Commands that plan and run: check, lock, run."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evidence.cli.common import SEED, STUDIES, check_words, keep_fetched, load, told_plainly
from evidence.cli.progress import follow, summarise, tell_dry
from evidence.run import Job, plan_runs, run_studies
from evidence.study import load_study, read_lock

if TYPE_CHECKING:
    from evidence.panel import DataReport


@click.command()
@STUDIES
@SEED
def check(studies: tuple[Path, ...], seed: int) -> None:
    """Check study files, notebooks and data: fit to rerun, or not, and why."""
    from evidence.panel import report_data

    with told_plainly():
        reports = [(plan_runs(s, seed=seed), report_data(s, seed)) for s in load(studies)]
        for jobs, report in reports:
            _tell_report(jobs, report)
        if not all(report.fit for _, report in reports):
            sys.exit(1)


def _tell_report(jobs: tuple[Job, ...], report: DataReport) -> None:
    from evidence.brief import list_due, tell_plan
    from evidence.neck import read_neck

    study = report.study
    stale = sum(bool(job.why) for job in jobs)
    runs = f"{len(jobs)} notebook runs, {stale} of them due"
    click.echo(f"{study.slug}: {'good' if report.fit else 'not fit to rerun'}. {runs}.")
    if study.left_out:
        click.echo(f"  not in the country packs, left out: {', '.join(study.left_out)}")
    for line in tell_plan(study, study.brief.languages[0]):
        click.echo(f"  plan: {line}")
    if (study.internal / "findings.json").is_file():
        findings = read_neck(study.internal).findings
        for line in list_due(study, findings, datetime.now(UTC).date()):
            click.echo(f"  look: recommendation to be reopened: {line}")
    told = report.verdict.drop_duplicates(["state", "question", "seen"])
    for row in told[told["state"] != "good"].itertuples():
        if row.state == "look":
            click.echo(f"  look: {row.question} {row.case}: {row.seen}")
        else:
            click.echo(f"error: {row.seen}", err=True)


@click.command()
@STUDIES
@SEED
@click.option(
    "--jobs",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="Notebooks at the same time.",
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    default="",
    help="Run on the workers of this Dask scheduler (tcp://host:8786) instead.",
)
@click.option(
    "--share",
    metavar="FOLDER|URL",
    default="",
    help="What the workers see as well; by default a folder among the study's results.",
)
@click.option("--dry-run", is_flag=True, help="Say what would run and why; run nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one event a line, for machines.")
def run(
    studies: tuple[Path, ...],
    seed: int,
    jobs: int,
    scheduler: str,
    share: str,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Run the notebooks of studies whose inputs have changed."""
    if share and not scheduler:
        raise click.UsageError("--share is for --scheduler")
    with told_plainly():
        loaded = keep_fetched([load_study(path) for path in studies], as_json=as_json)
        plans = [plan_runs(study, seed=seed) for study in loaded]
        if any(job.why for plan in plans for job in plan):
            check_words(loaded)
        if dry_run:
            for study, plan in zip(loaded, plans, strict=True):
                tell_dry(study, plan, as_json=as_json)
            return
        with follow(loaded, as_json=as_json) as tell:
            outcomes = run_studies(
                loaded, seed=seed, workers=jobs, tell=tell, scheduler=scheduler, share=share
            )
        good = [summarise(outcome, as_json=as_json) for outcome in outcomes]
        if not all(good):
            sys.exit(1)


@click.command()
@STUDIES
@click.option("--amend", default="", metavar="REASON", help="Change a lock openly, and say why.")
def lock(studies: tuple[Path, ...], amend: str) -> None:
    """Fix the plan of studies, before their outcomes are read."""
    from evidence.run import lock_study

    with told_plainly():
        for study in load(studies):
            path = lock_study(study, amend=amend)
            kept = read_lock(study)
            last = kept.amendments[-1] if kept and kept.amendments else kept
            when = "after" if last and last.after_outcomes else "before"
            what = "amended" if amend else "fixed"
            place = path.relative_to(study.root)
            click.echo(f"{study.slug}: {place}, {what} {when} results existed")
