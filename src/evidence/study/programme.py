"""The programme's lines of evidence, and which of them a study belongs to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from evidence.errors import StudyError
from evidence.packs import Slug, Words
from evidence.study.noun import Study
from evidence.study.sections import LANGUAGES
from evidence.toml import check_sections, nearest, read_toml, strict

PROGRAMME = Path("data/programme.toml")


@strict
class Line:
    """A line of evidence: its id, and its name and question in the five languages."""

    id: Slug
    name: Words
    question: Words


@strict
class _ProgrammeFile:
    """The file ``data/programme.toml``."""

    schema_version: Literal[1]
    lines: Annotated[tuple[Line, ...], Field(min_length=1)]


def read_programme(root: Path) -> tuple[Line, ...]:
    """Read the registry of lines, in its order; empty where a project has none.

    Raises
    ------
    StudyError
        Where a key is wrong, a line stands twice, or words of a language are missing.
    """
    path, where = root / PROGRAMME, PROGRAMME.as_posix()
    if not path.is_file():
        return ()
    raw = read_toml(path, StudyError, where=where)
    lines = check_sections(_ProgrammeFile, raw, StudyError, where=where).lines
    ids = [line.id for line in lines]
    for line in lines:
        if ids.count(line.id) > 1:
            raise StudyError(
                f"{where}: lines '{line.id}'",
                seen="a line that stands twice",
                expected="each line once",
                do="Remove the second one.",
            )
        for key in ("name", "question"):
            for language in LANGUAGES:
                if not getattr(line, key).get(language):
                    raise StudyError(
                        f"{where}: lines '{line.id}'",
                        seen=f"no {key}.{language}",
                        expected=f"words in {', '.join(LANGUAGES)}",
                        do=f"Add {key}.{language} = … there.",
                    )
    return lines


def check_lines(study: Study) -> None:
    """Check that the registry, where there is one, has every line that a study names.

    Raises
    ------
    StudyError
        Naming the line that comes nearest.
    """
    known = [line.id for line in read_programme(study.root)]
    for name in study.heading.lines:
        if known and name not in known:
            raise StudyError(
                f"{study.path.name}: study.lines",
                seen=f"'{name}'",
                expected=f"lines of {PROGRAMME.as_posix()}: {', '.join(known)}",
                do=f"Check the name{nearest(name, known)}.",
            )
