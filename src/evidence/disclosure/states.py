"""The states of a study's editions: draft, checked, cleared, published, and after.

``data/releases/<slug>.state.toml`` is their history, under version control, for a person
to read; entries are only ever added. What has no entry is a draft.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from evidence.disclosure.releases import FOLDER
from evidence.errors import DisclosureError
from evidence.toml import check_sections, read_toml, strict

State = Literal["draft", "checked", "cleared", "published", "superseded", "withdrawn"]

_HEADING = (
    "# Written by evidence publish and evidence withdraw; entries are only added.\n"
    "schema_version = 1\n"
)


@strict
class Entry:
    """One step: on which day, into which state, which edition, what exactly, by whom."""

    date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    state: State
    edition: Annotated[int, Field(ge=1)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    by: str
    note: str = ""


@strict
class History:
    """A whole state file, oldest entry first."""

    schema_version: Literal[1]
    history: tuple[Entry, ...] = ()


def state_path(root: Path, slug: str) -> Path:
    """Say where the states of a study's editions lie."""
    return root / FOLDER / f"{slug}.state.toml"


def read_history(root: Path, slug: str) -> tuple[Entry, ...]:
    """Read the history of a study's editions; empty where there is no file.

    Raises
    ------
    DisclosureError
        Naming the wrong key.
    """
    path = state_path(root, slug)
    if not path.is_file():
        return ()
    raw = read_toml(path, DisclosureError)
    where = f"{FOLDER.as_posix()}/{path.name}"
    file = check_sections(History, raw, DisclosureError, where=where, guide="docs/publishing.md")
    return file.history


def tell_state(history: tuple[Entry, ...], edition: int) -> State:
    """Tell the state of an edition: that of its last entry, else a draft."""
    found = [entry.state for entry in history if entry.edition == edition]
    return found[-1] if found else "draft"


def add_entries(root: Path, slug: str, entries: tuple[Entry, ...]) -> bytes:
    """Add entries to a history; return the bytes of the file, earlier ones unchanged."""
    path = state_path(root, slug)
    before = path.read_text(encoding="utf-8") if path.is_file() else _HEADING
    return (before + "".join(map(_as_toml, entries))).encode("utf-8")


def _as_toml(entry: Entry) -> str:
    lines = [f"{key} = {_value(value)}" for key, value in asdict(entry).items()]
    return "\n[[history]]\n" + "\n".join(lines) + "\n"


def _value(value: str | int) -> str:
    """Write a TOML value; a JSON text is a TOML one but for the character DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
