"""Write a change: JSON for a machine, a page for a person, both inside the house."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from evidence.brief.fonts import embed_fonts, gather_text
from evidence.changes.kept import Kept, require_study
from evidence.changes.noun import Change, Move
from evidence.changes.page import compose_change, tell_change
from evidence.files import replace_file
from evidence.neck import check_schema

_TEMPLATES = Path(__file__).parents[1] / "templates" / "changes"
_OF_ENTRY = ("estimate", "conf_low", "conf_high", "conf_level", "direction", "design", "outcome",
             "exposure", "first_period", "last_period")  # fmt: skip


def as_document(change: Change) -> dict[str, Any]:
    """Lay a change out as ``schemas/change.schema.json`` says."""
    return {
        "schema_version": 1,
        "publishable": False,
        "old": asdict(change.old),
        "new": asdict(change.new),
        "inputs_changed": list(change.inputs_changed),
        "restricted": change.restricted,
        "simulated": change.simulated,
        "findings": [_lay_out(move) for move in change.moves],
        "cautions": [
            {"kind": c.kind, "findings": list(c.findings), "values": c.values}
            for c in change.cautions
        ],
        "reopen": [{"recommendation": name, "reason": why} for name, why in change.reopen],
    }


def write_change(change: Change, new: Kept, root: Path, language: str = "en") -> tuple[Path, Path]:
    """Write page and JSON under ``reports/internal/<slug of the new run>/changes/``.

    Parameters
    ----------
    new : Kept
        The new run, whose study names things.

    Returns
    -------
    tuple of Path
        The page, then the JSON. They are never published: the difference of two releases
        gives away who came in between.

    Raises
    ------
    NeckError
        Where the document breaks its schema; nothing is written then.
    RunError
        Where the new run's study file cannot be read, so that nothing has a name.
    """
    document = as_document(change)
    name = _name(change)
    check_schema(document, "change", f"{name}.json")
    internal = root / "reports" / "internal" / change.new.slug
    folder = internal / "changes"
    folder.mkdir(parents=True, exist_ok=True)
    internal.chmod(0o700)
    page = _render(compose_change(change, require_study(new), language))
    text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    replace_file(folder / f"{name}.json", f"{text}\n".encode())
    replace_file(folder / f"{name}.html", page.encode())
    return folder / f"{name}.html", folder / f"{name}.json"


def list_lines(change: Change, new: Kept, language: str = "en") -> list[str]:
    """List a change for a terminal: warnings, then a line a finding.

    Raises
    ------
    RunError
        Where the new run's study file cannot be read.
    """
    return tell_change(change, require_study(new), language)


def _name(change: Change) -> str:
    old, new = change.old, change.new
    before = old.id if old.slug == new.slug else f"{old.slug}-{old.id}"
    return f"{before}-{new.id}"


def _lay_out(move: Move) -> dict[str, Any]:
    return {
        "id": move.id,
        "class": move.kind,
        "standing": move.standing,
        "unit": move.unit,
        "old": _take(move.old),
        "new": _take(move.new),
        "change": move.change,
        "std_error": move.std_error,
        "conf_low": move.conf_low,
        "conf_high": move.conf_high,
        "groups_left_out": move.clusters,
        "components": [
            {"cause": part.cause, "change": part.change, "of": list(part.of)}
            for part in move.components
        ],
        "left_open": move.left_open,
        "counts": None if move.counts is None else asdict(move.counts),
    }


def _take(entry: dict[str, Any] | None) -> dict[str, Any] | None:
    if entry is None:
        return None
    return {**{name: entry[name] for name in _OF_ENTRY}, "grade": entry["grade"]["label"]}


def _render(model: dict[str, Any]) -> str:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined
    )
    rules = embed_fonts(gather_text(model), model["language"])
    css = f"{rules}\n{(_TEMPLATES / 'changes.css').read_text(encoding='utf-8')}"
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return environment.get_template("index.html.j2").render(c=model, css=css, css_hash=digest)
