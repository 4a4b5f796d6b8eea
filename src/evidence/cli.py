"""The command line: check, lock, run, brief, publish, withdraw, diff, wording; fetch, archive, register."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

import click
from tqdm import tqdm

from evidence.brief import (
    Reason,
    can_write_word,
    check_text,
    hash_signed,
    lint_notebooks,
    list_due,
    publish,
    tell_plan,
    withdraw,
    write_briefs,
)
from evidence.changes import compare_runs, find_run, list_lines, write_change
from evidence.disclosure import (
    Cleared,
    assess,
    clear,
    drop_replies,
    read_signoff,
    scan_folder,
    signoff_path,
    write_replies,
    write_results,
)
from evidence.errors import EvidenceError
from evidence.language import LANGUAGES, list_unreviewed, refuse
from evidence.neck import read_neck
from evidence.panel import DataReport, report_data
from evidence.portal import read_site, write_portal
from evidence.run import Job, Run, check_fresh, lock_study, mark_published, plan_runs, run_study
from evidence.scorecards import write_scorecards
from evidence.sources import Archived, archive_file
from evidence.sources.fetch import fetch_snapshot
from evidence.sources.identity import review_register
from evidence.study import Study, find_root, list_slugs, load_study, read_lock, read_replies

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
    """Check study files, notebooks and data: fit to rerun, or not, and why."""
    with _told_plainly():
        reports = [(plan_runs(s, seed=seed), report_data(s, seed)) for s in _load(studies)]
        for jobs, report in reports:
            _tell_report(jobs, report)
        if not all(report.fit for _, report in reports):
            sys.exit(1)


def _tell_report(jobs: tuple[Job, ...], report: DataReport) -> None:
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
@click.option("--amend", default="", metavar="REASON", help="Change a lock openly, and say why.")
def lock(studies: tuple[Path, ...], amend: str) -> None:
    """Fix the plan of studies, before their outcomes are read."""
    with _told_plainly():
        for study in _load(studies):
            path = lock_study(study, amend=amend)
            kept = read_lock(study)
            last = kept.amendments[-1] if kept and kept.amendments else kept
            when = "after" if last and last.after_outcomes else "before"
            what = "amended" if amend else "fixed"
            place = path.relative_to(study.root)
            click.echo(f"{study.slug}: {place}, {what} {when} results existed")


@main.command()
@_studies
@click.option(
    "--jobs",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="Languages at the same time.",
)
def brief(studies: tuple[Path, ...], jobs: int) -> None:
    """Clear what studies found and write their briefs and the portal."""
    with _told_plainly():
        for study in _load(studies):
            cleared = _clear(study)
            write_replies(cleared)
            for page in write_briefs(cleared, jobs=jobs):
                click.echo(f"{study.slug}: {page.relative_to(study.root)}")
            scan_folder(study.public, cleared)
            _tell_signing(cleared)
        _tell_formats()
        _write_portal(study.root)


@main.command(name="publish")
@_studies
def publish_studies(studies: tuple[Path, ...]) -> None:
    """Publish what is cleared and signed as the next edition, and write the portal."""
    with _told_plainly():
        for study in _load(studies):
            cleared = _clear(study)
            write_replies(cleared)
            made = publish(cleared, today=datetime.now(UTC).date())
            mark_published(study)
            scan_folder(study.public, cleared)
            place = made.folder.relative_to(study.root)
            told = f"edition {made.edition.number} of {made.edition.date}"
            click.echo(
                f"{study.slug}: {told}, {place}"
                if made.new
                else f"{study.slug}: unchanged since {told}; no new edition"
            )
        _tell_formats()
        _write_portal(study.root)


@main.command(name="withdraw")
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--reason", required=True, type=click.Choice(get_args(Reason)))
@click.option("--by", required=True, help="The role of whoever decides.")
@click.option("--note", default="", help="For the state file; not published.")
def withdraw_study(study: Path, reason: Reason, by: str, note: str) -> None:
    """Withdraw the latest edition of a study: a notice takes its place."""
    with _told_plainly():
        loaded = load_study(study)
        today = datetime.now(UTC).date()
        gone = withdraw(loaded, reason, by=by, today=today, note=note)
        drop_replies(loaded)
        click.echo(f"{loaded.slug}: edition {gone.number} withdrawn")
        _write_portal(loaded.root)


@main.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--factory", "factories", multiple=True, metavar="ID", help="Only this one's card.")
def scorecard(study: Path, factories: tuple[str, ...]) -> None:
    """Write confidential scorecards, one a factory, inside the house."""
    with _told_plainly():
        (loaded,) = _load((study,))
        pages = write_scorecards(_clear(loaded), factories)
        place = pages[0].parent.relative_to(loaded.root)
        click.echo(f"{loaded.slug}: {len(pages)} scorecards, confidential: {place}")


def _tell_formats() -> None:
    """Say once which format is left out."""
    if not can_write_word():
        click.echo("no Word documents: pandoc and python-docx are the extra evidence[docx]")


def _clear(study: Study) -> Cleared:
    check_fresh(study)
    neck = read_neck(study.internal)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    write_results(assess(neck, study), study.internal, timestamp=now)
    return clear(neck, study)


def _tell_signing(cleared: Cleared) -> None:
    study, signed = cleared.study, hash_signed(cleared)
    valid = [s for s in read_signoff(study).signoff if signed.startswith(s.sha256)]
    told = f"signed by {valid[0].role}" if valid else f"to sign in {signoff_path(study).name}"
    click.echo(f"{study.slug}: {told}: sha256 {signed[:12]}")


def _write_portal(root: Path) -> None:
    portal = write_portal(root / "reports" / "public", list_slugs(root), read_site(root))
    click.echo(f"portal: {portal}")


@main.command()
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.option("--json", "as_json", is_flag=True, help="Print the document instead of the table.")
def diff(old: str, new: str, *, as_json: bool) -> None:
    """Tell what became of each finding between two runs, and why.

    OLD and NEW: a folder with manifest.json, SLUG (its current run), SLUG@previous or
    SLUG@RUN, where RUN begins the id of a kept run.
    """
    with _told_plainly():
        root = find_root(Path.cwd())
        before, after = find_run(root, old), find_run(root, new)
        change = compare_runs(before, after)
        page, document = write_change(change, after, root)
        if as_json:
            click.echo(document.read_text(encoding="utf-8"), nl=False)
            return
        for line in list_lines(change, after):
            click.echo(line)
        click.echo(f"page: {page.relative_to(root)}")
        click.echo(f"JSON: {document.relative_to(root)}")


@main.command()
@click.argument("languages", metavar="LANGUAGE...", nargs=-1, type=click.Choice(LANGUAGES))
def wording(languages: tuple[str, ...]) -> None:
    """Tell what is missing until a person has reviewed the words of a language."""
    with _told_plainly():
        for language in languages or LANGUAGES:
            missing = list_unreviewed(language)
            click.echo(f"{language}: {'not yet reviewed' if missing else 'reviewed and signed'}")
            for line in missing:
                click.echo(f"  {line}")


@main.command()
@click.argument("sources", metavar="ID...", nargs=-1, required=True)
@click.option(
    "--mirror",
    type=click.Path(path_type=Path),
    help="A folder to take the files from, instead of the network.",
)
def fetch(sources: tuple[str, ...], mirror: Path | None) -> None:
    """Fetch the files of sources into their archive."""
    with _told_plainly():
        root = find_root(Path.cwd())
        for source in sources:
            _tell_archived(root, fetch_snapshot(root, source, mirror=mirror))


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--source", default="", metavar="ID", help="The record that the files belong to.")
def archive(files: tuple[Path, ...], source: str) -> None:
    """Keep dated copies of raw files, with their origin."""
    with _told_plainly():
        root = find_root(Path.cwd())
        for file in files:
            _tell_archived(root, (archive_file(root, file, source=source),))


@main.command()
@click.argument("source", metavar="ID")
@click.option(
    "--uncertain",
    type=click.Choice(["in", "out"]),
    default="out",
    show_default=True,
    help="Whether matches that a person should look at are taken.",
)
@click.option("--enrol", "enrolling", is_flag=True, help="Add aliases and new factories first.")
def register(source: str, uncertain: Literal["in", "out"], *, enrolling: bool) -> None:
    """Match a source's factories to its register; write what a person should decide."""
    with _told_plainly():
        root = find_root(Path.cwd())
        review = review_register(root, source, uncertain=uncertain, enrolling=enrolling)
        counts = ", ".join(f"{count} {word}" for word, count in review.counts.items())
        click.echo(f"{source}, register '{review.register}': {counts}")
        click.echo(
            f"  with uncertain matches {uncertain}: {review.factories} factories, "
            f"{review.left_out} entries left out"
        )
        click.echo(f"  to decide: {review.questions.relative_to(root)}")
        click.echo(f"  write decisions to {review.decisions.relative_to(root)}")


def _tell_archived(root: Path, kept: tuple[Archived, ...]) -> None:
    for copy in kept:
        place = copy.path.relative_to(root)
        told = f"stored {place}" if copy.new else f"unchanged since {copy.archived}"
        click.echo(f"{copy.source}, {copy.table}: {told}")


def _load(paths: tuple[Path, ...]) -> list[Study]:
    studies = [load_study(path) for path in paths]
    for study in studies:
        check_text(study)
        read_replies(study)
        refuse(lint_notebooks(study))
        read_lock(study)
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
