"""The neck: the only files that pass from a notebook's kernel to the outside.

``estimates.csv``, ``findings.json``, ``exhibits/<id>.json`` with ``<id>.csv``, and
``protected.json`` (what the gate must know: confidentiality, identifiers, units). A JSON
Schema for each lies in ``schemas/``. Beside them, for comparing runs and never to leave,
``panel.parquet`` (the rows) and ``ledger.csv`` of each case. Everything is written beside
and renamed.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pandas as pd

from evidence.errors import NeckError
from evidence.exhibits import (
    CELL_COLUMNS,
    FOREST_COLUMNS,
    PATH_COLUMNS,
    Exhibit,
    part_measures,
    type_cells,
)
from evidence.exhibits import COLUMNS as EXHIBIT_COLUMNS
from evidence.files import replace_file, replace_files
from evidence.findings import Finding, as_entry, compare_cases
from evidence.models import COLUMNS as ESTIMATE_COLUMNS
from evidence.models import Fit, list_behind
from evidence.panel import Panel, select_sample

SCHEMAS = Path(__file__).parent / "schemas"
STALE = ("exhibits/*",)
"""What of an earlier neck goes, where a new one does not hold it."""
_COUNTS = ("nobs", "n_entities", "n_periods", "n_clusters", "n_treated_clusters")
_TEXTS = ("analysis", "case", "specification", "estimator", "outcome", "term", "unit", "level",
          "cov_type", "small_sample", "role", "reason", "moderator")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Neck:
    """What a run hands over.

    ``estimates`` has a row a coefficient; ``findings`` are the entries of
    ``findings.json``; ``protected`` holds ``confidentiality, protected_unit,
    identifiers, citations, items_left_out, units``: the protected units whose rows were
    used, by case/specification, case/specification/term of an adoption path, and
    exhibit/table cell; and ``rows``: case/specification → unit → hash of its rows.
    """

    estimates: pd.DataFrame
    findings: list[dict[str, Any]]
    exhibits: tuple[Exhibit, ...]
    protected: dict[str, Any]


def write_neck(
    output: str,
    panel: Panel,
    fits: tuple[Fit, ...],
    findings: tuple[Finding, ...],
    exhibits: tuple[Exhibit, ...],
) -> pd.DataFrame:
    """Write one case's neck.

    Parameters
    ----------
    output : str
        Folder to write to. Empty (a notebook opened by hand) means a draft folder of
        the study under ``reports/internal/``.

    Returns
    -------
    DataFrame
        What was written: columns ``file, rows``.

    Raises
    ------
    NeckError
        Where something breaks its schema.
    """
    study = panel.study
    folder = study.root / output if output else study.internal / "draft" / fits[0].case
    study.internal.mkdir(parents=True, exist_ok=True)
    study.internal.chmod(0o700)
    estimates = pd.concat([fit.estimates for fit in fits], ignore_index=True)
    shown = tuple(part for exhibit in exhibits for part in part_measures(exhibit))
    protected = {
        "confidentiality": panel.provenance.confidentiality,
        "protected_unit": panel.provenance.protected_unit,
        "identifiers": list(panel.provenance.identifiers),
        "citations": panel.provenance.citations,
        "items_left_out": list(panel.items_left_out),
        "units": _list_units(panel, fits, shown),
        "rows": {f"{fit.case}/{fit.specification.id}": fit.units for fit in fits},
    }
    neck = Neck(estimates, [as_entry(f) for f in findings], shown, protected)
    save_neck(neck, folder)
    steps = pd.concat([fit.ledger for fit in fits]).drop_duplicates()
    _replace_text(folder / "ledger.csv", _csv(steps))
    replace_file(folder / "panel.parquet", _as_parquet(panel.data))
    written = [("estimates.csv", len(estimates)), ("findings.json", len(findings))]
    written += [(f"exhibits/{e.id}.csv", len(e.data)) for e in shown]
    return pd.DataFrame(written, columns=["file", "rows"])


def _list_units(
    panel: Panel, fits: tuple[Fit, ...], exhibits: tuple[Exhibit, ...]
) -> dict[str, list[str]]:
    units = {}
    for fit in fits:
        key = f"{fit.case}/{fit.specification.id}"
        units[key] = list(fit.units)
        behind = list_behind(select_sample(panel, fit.specification), fit.specification)
        units |= {f"{key}/{term}": list(names) for term, names in behind.items()}
    for exhibit in exhibits:
        units |= {f"{exhibit.id}/{cell}": list(names) for cell, names in exhibit.units.items()}
    return units


def _as_parquet(data: pd.DataFrame) -> bytes:
    """Lay out a panel's rows with their keys; a variable may have a key's own name."""
    own = [name for name in data.index.names if name in data]
    rows: bytes = data.drop(columns=own).reset_index().to_parquet(index=False)
    return rows


def save_neck(neck: Neck, folder: Path) -> None:
    """Save a neck into a folder: every file is written beside its place, then renamed.

    Raises
    ------
    NeckError
        Where something breaks its schema; nothing is written then.
    """
    files = lay_out_neck(neck, folder.name)
    make_private(folder)
    replace_files(folder, files, STALE)


def lay_out_neck(neck: Neck, where: str) -> dict[str, bytes]:
    """Lay out the files of a neck: path in its folder → content.

    Raises
    ------
    NeckError
        Where something breaks its schema.
    """
    texts = _serialise(neck)
    _check_neck(texts, where)
    return {name: text.encode("utf-8") for name, text in texts.items()}


def make_private(folder: Path) -> None:
    """Make a neck's folder of exhibits, which nobody else can enter."""
    (folder / "exhibits").mkdir(parents=True, exist_ok=True, mode=0o700)


def read_neck(folder: Path) -> Neck:
    """Read a neck, checked against its schemas.

    Raises
    ------
    NeckError
        Where a file is missing or breaks its schema.
    """
    texts = _read_texts(folder)
    _check_neck(texts, folder.name)
    with _told_as_neck(folder):
        return Neck(
            estimates=_parse_csv(texts["estimates.csv"]),
            findings=json.loads(texts["findings.json"])["findings"],
            exhibits=tuple(_parse_exhibit(name, [texts]) for name in _list_exhibits(texts)),
            protected=json.loads(texts["protected.json"]),
        )


def join_necks(folders: Sequence[Path]) -> Neck:
    """Read the necks of a study's cases and notebooks as one.

    Claims that stand in several cases get a comparison entry; exhibits of one id are put below
    each other.

    Parameters
    ----------
    folders : sequence of Path
        In the study's order. Their files are known, by their hashes, to be what was checked
        when they were written: no schema is looked at.

    Raises
    ------
    NeckError
        Where a file is missing or cannot be read.
    """
    parts = [_read_texts(folder) for folder in folders]
    names = dict.fromkeys(name for texts in parts for name in _list_exhibits(texts))
    with _told_as_neck(folders[0]):
        findings = [e for texts in parts for e in json.loads(texts["findings.json"])["findings"]]
        groups = [(name, [texts for texts in parts if name in texts]) for name in names]
        return Neck(
            estimates=_parse_below([texts["estimates.csv"] for texts in parts]),
            findings=_compare(findings),
            exhibits=tuple(_shorten(_parse_exhibit(name, group)) for name, group in groups),
            protected=_join_protected([json.loads(texts["protected.json"]) for texts in parts]),
        )


def check_schema(document: Any, schema: str, where: str) -> None:
    """Check a document against a schema of the package.

    Raises
    ------
    NeckError
        Naming the first place that breaks it.
    """
    error = jsonschema.exceptions.best_match(_validator(schema).iter_errors(document))
    if error is not None:
        raise NeckError(
            f"{where}: {error.json_path}",
            seen=f"{error.instance!r}"[:120],
            expected=error.message[:200],
            do=f"See schemas/{schema}.schema.json.",
        )


def _replace_text(path: Path, text: str) -> None:
    replace_file(path, text.encode("utf-8"))


def _serialise(neck: Neck) -> dict[str, str]:
    estimates = neck.estimates.reindex(columns=list(ESTIMATE_COLUMNS))
    estimates = estimates.astype(dict.fromkeys(_COUNTS, "Int64"))
    texts = {
        "estimates.csv": _csv(estimates),
        "findings.json": _json({"schema_version": 1, "findings": neck.findings}),
        "protected.json": _json(neck.protected),
    }
    for exhibit in neck.exhibits:
        document = {"schema_version": 1, "id": exhibit.id, **exhibit.specification}
        texts[f"exhibits/{exhibit.id}.json"] = _json(document)
        texts[f"exhibits/{exhibit.id}.csv"] = _csv(exhibit.data)
    return texts


def _check_neck(texts: dict[str, str], where: str) -> None:
    for name, text in texts.items():
        place = f"{where}/{name}"
        if name.startswith("exhibits/"):
            _check_exhibit(name, text, texts[name.removesuffix(".csv") + ".json"
                           if name.endswith(".csv") else name], place)  # fmt: skip
        elif name.endswith(".json"):
            check_schema(_parse_json(text, place), Path(name).stem, place)
        else:
            check_schema(_records(text, ESTIMATE_COLUMNS, place), "estimates", place)


def _check_exhibit(name: str, text: str, document: str, place: str) -> None:
    told = _parse_json(document, place)
    kind = told.get("kind")
    own = {"cells", "forest", "path"}
    schema = f"exhibit_{kind}" if kind in own else "exhibit"
    if name.endswith(".json"):
        check_schema(told, schema, place)
        return
    by = tuple(told.get("by", ()))
    known = {
        "cells": ("case", *by, *CELL_COLUMNS),
        "forest": FOREST_COLUMNS,
        "path": PATH_COLUMNS,
    }
    columns = known.get(kind, EXHIBIT_COLUMNS)
    check_schema(_records(text, columns, place, by), f"{schema}_rows", place)


def _parse_json(text: str, where: str) -> Any:
    """Parse JSON, whose numbers are numbers: Python would take NaN for one."""

    def refuse(word: str) -> None:
        raise NeckError(where, seen=word, expected="numbers", do="Run the study again.")

    return json.loads(text, parse_constant=refuse)


def _records(
    text: str, columns: tuple[str, ...], where: str, by: tuple[str, ...] = ()
) -> list[dict[str, Any]]:
    frame = _parse_csv(text, by)
    if tuple(frame.columns) != columns:
        raise NeckError(
            where,
            seen=f"columns {', '.join(frame.columns)}",
            expected=", ".join(columns),
            do="Run the study again.",
        )
    plain = frame.astype(object).where(frame.notna(), None)
    return [{str(k): v for k, v in row.items()} for row in plain.to_dict("records")]


def _read_texts(folder: Path) -> dict[str, str]:
    """Read the files of a neck: path in its folder → text, exhibits in the order of their names."""
    names = ["estimates.csv", "findings.json", "protected.json"]
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise NeckError(
            folder.name,
            seen=f"no {', '.join(missing)}",
            expected="the files of a finished run",
            do="Run the study first: evidence run <study file>.",
        )
    for path in sorted((folder / "exhibits").glob("*.json")):
        names += [f"exhibits/{path.name}", f"exhibits/{path.stem}.csv"]
    with _told_as_neck(folder):
        return {name: (folder / name).read_text(encoding="utf-8") for name in names}


@contextlib.contextmanager
def _told_as_neck(folder: Path) -> Iterator[None]:
    """Say in plain words that a file of a neck cannot be read."""
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        raise NeckError(
            folder.name,
            seen=f"a file that cannot be read ({error})",
            expected="the files as the run wrote them",
            do="Run the study again.",
        ) from error


def _list_exhibits(texts: dict[str, str]) -> list[str]:
    return [name for name in texts if name.startswith("exhibits/") and name.endswith(".json")]


def _parse_csv(text: str, by: tuple[str, ...] = ()) -> pd.DataFrame:
    texts = {*_TEXTS, "finding", "claim", "design", "direction", "exposure", "status", "place", *by}
    held = {*ESTIMATE_COLUMNS, *EXHIBIT_COLUMNS, *PATH_COLUMNS, *CELL_COLUMNS}
    numbers = held - {*_TEXTS, "status", *by}
    frame = pd.read_csv(
        io.StringIO(text),
        dtype=dict.fromkeys(texts, str),
        keep_default_na=False,
        na_values={name: [""] for name in sorted(numbers)},
    )
    counts = (*_COUNTS, "contributors")
    types = {**dict.fromkeys(counts, "Int64"), "event": "float64"}
    return frame.astype({name: kind for name, kind in types.items() if name in frame})


def _parse_below(texts: list[str], by: tuple[str, ...] = ()) -> pd.DataFrame:
    """Parse tables as one, below each other."""
    heads = [text.partition("\n")[0] for text in texts]
    if len(set(heads)) > 1:
        return pd.concat([_parse_csv(text, by) for text in texts], ignore_index=True)
    rows = [text.partition("\n")[2] for text in texts]
    return _parse_csv(f"{heads[0]}\n{''.join(rows)}", by)


def _parse_exhibit(name: str, parts: list[dict[str, str]]) -> Exhibit:
    """Parse an exhibit from the texts of the necks that hold it; its specification is the first's."""
    document = json.loads(parts[0][name])
    specification = {k: v for k, v in document.items() if k not in {"schema_version", "id"}}
    by = tuple(specification.get("by", ()))
    data = _parse_below([texts[name.removesuffix(".json") + ".csv"] for texts in parts], by)
    cells = specification["kind"] == "cells"
    return Exhibit(document["id"], specification, type_cells(data) if cells else data)


def _compare(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put findings in the order of claims, behind the comparisons of what cases say."""
    order = {claim: n for n, claim in enumerate(dict.fromkeys(e["claim"] for e in findings))}
    ordered = sorted(findings, key=lambda entry: order[entry["claim"]])
    return [*compare_cases(ordered), *ordered]


def _shorten(exhibit: Exhibit) -> Exhibit:
    """Keep one claim of a figure of coefficients that compares cases."""
    data = exhibit.data
    if exhibit.specification["kind"] != "coefficients" or data["case"].nunique() <= 1:
        return exhibit
    first = data[data["claim"] == data["claim"].iloc[0]].reset_index(drop=True)
    return Exhibit(exhibit.id, exhibit.specification, first)


def _join_protected(parts: list[dict[str, Any]]) -> dict[str, Any]:
    order = ("restricted", "simulated", "public")
    strictest = min(parts, key=lambda part: order.index(part["confidentiality"]))
    citations: dict[str, str] = {}
    for part in parts:
        citations |= part["citations"]
    lists = {
        key: sorted({item for part in parts for item in part[key]})
        for key in ("identifiers", "items_left_out")
    }
    joined = {
        key: {name: of for part in parts for name, of in part[key].items()}
        for key in ("units", "rows")
    }
    return {**strictest, **lists, "citations": citations, **joined}


def hash_table(frame: pd.DataFrame) -> str:
    """Hash a table as the neck writes it: SHA-256 of its CSV."""
    return hashlib.sha256(_csv(frame).encode("utf-8")).hexdigest()


def _csv(frame: pd.DataFrame) -> str:
    text: str = frame.to_csv(index=False, lineterminator="\n", float_format="%.17g")
    return text


def _json(document: Any) -> str:
    text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return text + "\n"


@functools.cache
def _validator(schema: str) -> jsonschema.Draft202012Validator:
    text = (SCHEMAS / f"{schema}.schema.json").read_text(encoding="utf-8")
    return jsonschema.Draft202012Validator(json.loads(text))
