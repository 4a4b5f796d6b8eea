"""Commands for who checks the work: verify, kit."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click

from evidence.cli.common import STUDIES, keep_fetched, load, told_plainly
from evidence.study import Study


@click.command()
@STUDIES
@click.option(
    "--tolerance",
    default=1e-9,
    show_default=True,
    type=click.FloatRange(0),
    help="Largest relative difference of a number on another lock or processor.",
)
@click.option(
    "--jobs",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="Notebooks, then languages, at the same time.",
)
def verify(studies: tuple[Path, ...], tolerance: float, jobs: int) -> None:
    """Run notebooks again, recompute public files, and say what differs."""
    with told_plainly():
        from evidence.kit import list_lines, verify_study

        proofs = []
        for study in keep_fetched(load(studies)):
            proof = verify_study(study, tolerance=tolerance, jobs=jobs, tell=_teller(study))
            for line in list_lines(proof):
                click.echo(f"{study.slug}: {line}")
            proofs.append(proof)
        if not (proofs and all(proof.good for proof in proofs)):
            sys.exit(1)


@click.command()
@STUDIES
def kit(studies: tuple[Path, ...]) -> None:
    """Write replication kits of studies: what a reviewer needs, as one file."""
    with told_plainly():
        from evidence.disclosure import clear
        from evidence.kit import write_kit
        from evidence.neck import read_neck
        from evidence.run import check_fresh

        for study in keep_fetched(load(studies)):
            check_fresh(study)
            made = write_kit(clear(read_neck(study.internal), study))
            place = made.path.relative_to(study.root)
            click.echo(f"{study.slug}: {place}, {len(made.names)} files")
            for told in made.left_out:
                click.echo(f"{study.slug}: left out: {told}")


def _teller(study: Study) -> Callable[[str], None]:
    return lambda line: click.echo(f"{study.slug}: {line}")
