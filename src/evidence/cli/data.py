"""Commands on raw data: fetch, archive, register."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from evidence.cli.common import told_plainly
from evidence.study import find_root

if TYPE_CHECKING:
    from evidence.sources import Archived


@click.command()
@click.argument("sources", metavar="ID...", nargs=-1, required=True)
@click.option(
    "--mirror",
    type=click.Path(path_type=Path),
    help="A folder to take the files from, instead of the network.",
)
def fetch(sources: tuple[str, ...], mirror: Path | None) -> None:
    """Fetch the files of sources into their archive."""
    with told_plainly():
        from evidence.sources.fetch import fetch_snapshot

        root = find_root(Path.cwd())
        for source in sources:
            _tell_archived(root, fetch_snapshot(root, source, mirror=mirror))


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--source", default="", metavar="ID", help="The record that the files belong to.")
def archive(files: tuple[Path, ...], source: str) -> None:
    """Keep dated copies of raw files, with their origin."""
    with told_plainly():
        from evidence.sources import archive_file

        root = find_root(Path.cwd())
        for file in files:
            _tell_archived(root, (archive_file(root, file, source=source),))


@click.command()
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
    with told_plainly():
        from evidence.sources.identity import review_register

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
