"""What a project says of its portal: address, publisher, names of its sectors."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from evidence.errors import BriefError
from evidence.packs import Words, load_sector
from evidence.toml import check_sections, read_toml, strict

SITE = Path("data/portal.toml")


@strict
class _SiteFile:
    """The file ``data/portal.toml``; it may be missing, and every key of it as well."""

    schema_version: Literal[1]
    address: Annotated[str, Field(pattern=r"^(https?://[^\s?#<>\"']+/)?$")] = ""
    publisher: str = ""


@dataclass(frozen=True, slots=True)
class Site:
    """A portal's address (ends in a slash; empty where unknown), publisher, sector names."""

    address: str = ""
    publisher: str = ""
    sectors: dict[str, Words] = field(default_factory=dict)


def read_site(root: Path) -> Site:
    """Read ``data/portal.toml`` where there is one, and the names of the sector packs.

    Raises
    ------
    BriefError
        Naming the wrong key.
    StudyError
        Where a sector pack is wrong.
    """
    packs = sorted(path.stem for path in (root / "data" / "sectors").glob("*.toml"))
    sectors = {name: load_sector(root, name).name for name in packs}
    path = root / SITE
    if not path.is_file():
        return Site(sectors=sectors)
    raw = read_toml(path, BriefError, where=SITE.as_posix())
    file = check_sections(
        _SiteFile, raw, BriefError, where=SITE.as_posix(), guide="docs/publishing.md"
    )
    return Site(file.address, file.publisher, sectors)
