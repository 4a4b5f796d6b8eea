"""Commands that write for readers: brief, publish, withdraw, scorecard."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from evidence.cli.common import STUDIES, keep_fetched, load, told_plainly
from evidence.study import Study, list_slugs, load_study

if TYPE_CHECKING:
    from evidence.brief import Reason
    from evidence.disclosure import Cleared

REASONS = ("error", "data", "confidentiality")
"""Why an edition may be withdrawn, as the brief has it; named here so that help is at hand."""


@click.command()
@STUDIES
@click.option(
    "--jobs",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="Languages at the same time.",
)
def brief(studies: tuple[Path, ...], jobs: int) -> None:
    """Clear what studies found and write their briefs and the portal."""
    with told_plainly():
        from evidence.brief import write_briefs
        from evidence.disclosure import write_replies

        fetched = keep_fetched(load(studies))
        for study in fetched:
            cleared = _clear(study)
            write_replies(cleared)
            for page in write_briefs(cleared, jobs=jobs):
                click.echo(f"{study.slug}: {page.relative_to(study.root)}")
            _tell_signing(cleared, jobs)
        if fetched:
            _tell_formats()
            _write_portal(fetched[0].root)


@click.command(name="publish")
@STUDIES
def publish_studies(studies: tuple[Path, ...]) -> None:
    """Publish what is cleared and signed as the next edition, and write the portal."""
    with told_plainly():
        from evidence.brief import publish
        from evidence.disclosure import scan_folder, write_replies
        from evidence.run import mark_published

        for study in load(studies):
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


@click.command(name="withdraw")
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--reason", required=True, type=click.Choice(REASONS))
@click.option("--by", required=True, help="The role of whoever decides.")
@click.option("--note", default="", help="For the state file; not published.")
def withdraw_study(study: Path, reason: str, by: str, note: str) -> None:
    """Withdraw the latest edition of a study: a notice takes its place."""
    with told_plainly():
        from evidence.brief import withdraw
        from evidence.disclosure import drop_replies

        loaded = load_study(study)
        today = datetime.now(UTC).date()
        gone = withdraw(loaded, cast("Reason", reason), by=by, today=today, note=note)
        drop_replies(loaded)
        click.echo(f"{loaded.slug}: edition {gone.number} withdrawn")
        _write_portal(loaded.root)


@click.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--factory", "factories", multiple=True, metavar="ID", help="Only this one's card.")
def scorecard(study: Path, factories: tuple[str, ...]) -> None:
    """Write confidential scorecards, one a factory, inside the house."""
    with told_plainly():
        from evidence.scorecards import write_scorecards

        (loaded,) = load((study,))
        pages = write_scorecards(_clear(loaded), factories)
        place = pages[0].parent.relative_to(loaded.root)
        click.echo(f"{loaded.slug}: {len(pages)} scorecards, confidential: {place}")


def _tell_formats() -> None:
    """Say once which format is left out."""
    from evidence.brief import can_write_word

    if not can_write_word():
        click.echo("no Word documents: pandoc and python-docx are the extra evidence[docx]")


def _clear(study: Study) -> Cleared:
    from evidence.disclosure import assess, clear, write_results
    from evidence.neck import read_neck
    from evidence.run import check_fresh

    check_fresh(study)
    neck = read_neck(study.internal)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    write_results(assess(neck, study), study.internal, timestamp=now)
    return clear(neck, study)


def _tell_signing(cleared: Cleared, jobs: int) -> None:
    from evidence.brief import hash_signed
    from evidence.disclosure import read_signoff, signoff_path

    study, signed = cleared.study, hash_signed(cleared, jobs=jobs)
    valid = [s for s in read_signoff(study).signoff if signed.startswith(s.sha256)]
    told = f"signed by {valid[0].role}" if valid else f"to sign in {signoff_path(study).name}"
    click.echo(f"{study.slug}: {told}: sha256 {signed[:12]}")


def _write_portal(root: Path) -> None:
    from evidence.portal import read_site, write_portal

    portal = write_portal(root / "reports" / "public", list_slugs(root), read_site(root))
    click.echo(f"portal: {portal}")
