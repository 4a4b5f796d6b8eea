"""What a project says of its portal: address, publisher, names of its sectors."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from evidence.errors import BriefError, SourceError, StudyError
from evidence.packs import Words, load_sector
from evidence.sources import list_unfetched
from evidence.study import Line, list_slugs, load_study, read_programme
from evidence.toml import check_sections, read_toml, strict

SITE = Path("data/portal.toml")


@strict
class _SiteFile:
    """The file ``data/portal.toml``; it may be missing, and every key of it as well."""

    schema_version: Literal[1]
    address: Annotated[str, Field(pattern=r"^(https?://[^\s?#<>\"']+/)?$")] = ""
    publisher: str = ""


@dataclass(frozen=True, slots=True)
class Unfetched:
    """A study whose data nobody has fetched yet: its title, and which sources."""

    slug: str
    title: str
    language: str
    sources: tuple[str, ...]
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Site:
    """A portal's address (ends in a slash; empty where unknown), publisher, sector names.

    ``unfetched`` lists the studies that have no results because their data are not there;
    ``lines`` are the programme's, for the compendium.
    """

    address: str = ""
    publisher: str = ""
    sectors: dict[str, Words] = field(default_factory=dict)
    unfetched: tuple[Unfetched, ...] = ()
    lines: tuple[Line, ...] = ()


def read_site(root: Path) -> Site:
    """Read ``data/portal.toml`` where there is one, names of sectors, what was not fetched.

    Raises
    ------
    BriefError
        Naming the wrong key.
    StudyError
        Where a sector pack or the registry of lines is wrong.
    """
    packs = sorted(path.stem for path in (root / "data" / "sectors").glob("*.toml"))
    sectors = {name: load_sector(root, name).name for name in packs}
    path = root / SITE
    if not path.is_file():
        return Site(sectors=sectors, unfetched=_list_unfetched(root), lines=read_programme(root))
    raw = read_toml(path, BriefError, where=SITE.as_posix())
    file = check_sections(
        _SiteFile, raw, BriefError, where=SITE.as_posix(), guide="docs/publishing.md"
    )
    unfetched, lines = _list_unfetched(root), read_programme(root)
    return Site(file.address, file.publisher, sectors, unfetched, lines)


def _list_unfetched(root: Path) -> tuple[Unfetched, ...]:
    """List studies without data; one that cannot be read is told of by ``evidence check``."""
    found = []
    for slug in list_slugs(root):
        with contextlib.suppress(StudyError, SourceError):
            study = load_study(root / "notebooks" / "studies" / f"{slug}.toml")
            lacking = list_unfetched(root, study.data.sources)
            if lacking:
                language = study.brief.languages[0]
                heading = study.heading
                found.append(Unfetched(slug, heading.title, language, lacking, heading.lines))
    return tuple(found)
