"""What commands share: arguments, errors in plain words, studies checked before anything else."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from evidence.errors import EvidenceError
from evidence.sources import list_unfetched
from evidence.study import Study, load_study, read_lock, read_replies

STUDIES = click.argument("studies", nargs=-1, required=True, type=click.Path(path_type=Path))
SEED = click.option(
    "--seed",
    default=1,
    show_default=True,
    type=click.IntRange(0),
    help="Seed of simulated sources.",
)


@contextmanager
def told_plainly() -> Iterator[None]:
    """End with one line and exit code 1 where the house refuses."""
    try:
        yield
    except EvidenceError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        click.echo("error: interrupted. Run again to go on: what is done is kept.", err=True)
        sys.exit(130)
    except OSError as error:
        name = Path(error.filename).name if error.filename else "disk"
        why = error.strerror or error
        click.echo(f"error: {name}: cannot be read or written ({why}). Mend that.", err=True)
        sys.exit(1)


def load(paths: Iterable[Path]) -> list[Study]:
    """Load studies and check what people wrote into them and into their notebooks."""
    studies = [load_study(path) for path in paths]
    check_words(studies)
    return studies


def keep_fetched(studies: Iterable[Study], *, as_json: bool = False) -> list[Study]:
    """Keep the studies whose data are there; tell of each other one what to fetch."""
    kept = []
    for study in studies:
        lacking = list_unfetched(study.root, study.data.sources)
        if not lacking:
            kept.append(study)
        elif as_json:
            told = {"event": "not fetched", "study": study.slug, "sources": lacking}
            click.echo(json.dumps(told))
        else:
            do = f"say: evidence fetch {' '.join(lacking)}"
            click.echo(f"{study.slug}: not fetched: {', '.join(lacking)}; {do}")
    return kept


def check_words(studies: Iterable[Study]) -> None:
    """Check what people wrote into studies and their notebooks."""
    from evidence.brief import check_text, lint_notebooks
    from evidence.language import refuse

    for study in studies:
        check_text(study)
        read_replies(study)
        refuse(lint_notebooks(study))
        read_lock(study)
