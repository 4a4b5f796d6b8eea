"""Commands that read what is there: diff, wording."""

from __future__ import annotations

from pathlib import Path

import click

from evidence.cli.common import told_plainly
from evidence.study import LANGUAGES, find_root


@click.command()
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.option("--json", "as_json", is_flag=True, help="Print the document instead of the table.")
def diff(old: str, new: str, *, as_json: bool) -> None:
    """Tell what became of each finding between two runs, and why.

    OLD and NEW: a folder with manifest.json, SLUG (its current run), SLUG@previous or
    SLUG@RUN, where RUN begins the id of a kept run.
    """
    with told_plainly():
        from evidence.changes import compare_runs, find_run, list_lines, write_change

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


@click.command()
@click.argument("languages", metavar="LANGUAGE...", nargs=-1, type=click.Choice(LANGUAGES))
def wording(languages: tuple[str, ...]) -> None:
    """Tell what is missing until a person has reviewed the words of a language."""
    with told_plainly():
        from evidence.language import list_unreviewed

        for language in languages or LANGUAGES:
            missing = list_unreviewed(language)
            click.echo(f"{language}: {'not yet reviewed' if missing else 'reviewed and signed'}")
            for line in missing:
                click.echo(f"  {line}")
