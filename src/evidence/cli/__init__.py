"""The command line: check, lock, run, brief, verify, kit, publish, withdraw, and others.

A command imports its rooms when it is called: help and a run with nothing to do load none.
"""

from __future__ import annotations

import sys
from typing import Any, cast

import click

from evidence.cli.comparing import diff, wording
from evidence.cli.data import archive, fetch, register
from evidence.cli.proving import kit, verify
from evidence.cli.publishing import brief, publish_studies, scorecard, withdraw_study
from evidence.cli.running import check, lock, run

# nbformat imports jsonschema, and that a grammar of addresses, which takes longer than all the
# rest: no command checks addresses by it, and jsonschema does without.
cast("dict[str, Any]", sys.modules).setdefault("rfc3987_syntax", None)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="evidence")
def main() -> None:
    """Notebooks in, policy briefs out: every sentence tied to an estimate."""


for _command in (
    check,
    run,
    lock,
    brief,
    verify,
    kit,
    publish_studies,
    withdraw_study,
    scorecard,
    diff,
    wording,
    fetch,
    archive,
    register,
):
    main.add_command(_command)
