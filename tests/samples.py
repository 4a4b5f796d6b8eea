"""Temporary projects, edited study files and small panels, shared by the tests."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from evidence.measures import Measures, score_measures
from evidence.panel import Panel, build_panel
from evidence.sources import Provenance, read_sources
from evidence.study import Study, load_study

ROOT = Path(__file__).parents[1]
STUDIES = ("bargaining", "plants", "value_chains")
COPIED = (
    "notebooks/studies",
    "data/sources",
    "data/countries",
    "data/sectors",
    "data/questionnaires",
    "data/laws",
    "data/events",
)

Value = str | int | list[str] | Mapping[str, Any]
Section = Mapping[str, Value]


def make_project(folder: Path) -> Path:
    """Copy notebooks, studies, records and packs (no raw files) and return the root."""
    root = folder / "project"
    for part in COPIED:
        shutil.copytree(ROOT / part, root / part)
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        shutil.copy(notebook, root / "notebooks")
    return root


def study_file(root: Path, slug: str) -> Path:
    """Say where a project's study file is."""
    return root / "notebooks" / "studies" / f"{slug}.toml"


def edit(path: Path, old: str, new: str) -> Path:
    """Replace the first occurrence of ``old``, which has to be there."""
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{path.name} holds no {old!r}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def speak(path: Path, *languages: str) -> Path:
    """Let a study's brief be in these languages only, without texts in the others."""
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"(?m)^languages = .*$", f"languages = {json.dumps(languages)}", text)
    kept = "|".join(languages)
    text = re.sub(rf"(?ms)^\[brief\.text\.(?!(?:{kept})\]).*?(?=^\[|\Z)", "", text)
    path.write_text(text, encoding="utf-8")
    return path


def address(path: Path, *audiences: str) -> Path:
    """Let a study's brief be for these readers only."""
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"(?m)^audiences = .*$", f"audiences = {json.dumps(audiences)}", text)
    path.write_text(text, encoding="utf-8")
    return path


def declare(name: str, role: str, level: str, unit: str = "points") -> Section:
    """Declare a variable of a study file."""
    return {"name": name, "role": role, "level": level, "unit": unit}


def specify(name: str, estimator: str, exposure: str | list[str], **more: Value) -> Section:
    """Declare a specification of the outcome ``y`` that the notebook ``plants`` runs."""
    base = {"id": name, "notebook": "plants", "estimator": estimator, "outcome": "y"}
    return {**base, "exposure": exposure, **more}


def _worded(variable: Section) -> Section:
    """Give a variable the words that a brief in English needs, where it has none."""
    name = str(variable["name"])
    if variable["role"] == "entity":
        return {"noun": {"en": [name, f"{name}s"]}, **variable}
    return {"label": {"en": name}, **variable}


def write_study(
    root: Path, variables: Iterable[Section], specifications: Iterable[Section]
) -> Study:
    """Write a study ``sample`` on a source ``sample`` and load it.

    Its only claim is about the first exposure of a specification that may be claimed.
    """
    specs = list(specifications)
    claimed = next(s for s in specs if s.get("role") != "replication")
    exposures = claimed["exposure"]
    exposure = exposures[0] if isinstance(exposures, list) else exposures
    claim: Section = {"id": "c", "specification": claimed["id"], "exposure": exposure}
    parts = [
        "schema_version = 1",
        _table("[study]", {"slug": "sample", "title": "Sample", "question": "Does x move y?"}),
        _table("[data]", {"sources": ["sample"]}),
        *(_table("[[variables]]", _worded(variable)) for variable in variables),
        *(_table("[[specifications]]", spec) for spec in specs),
        _table("[[claims]]", claim),
    ]
    path = study_file(root, "sample")
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return load_study(path)


def write_source(
    root: Path,
    csv: str | bytes,
    columns: Mapping[str, str],
    *,
    key: Iterable[str],
    sha256: str = "",
    missing: Iterable[str] = ("",),
    extra: str = "",
) -> Path:
    """Write a source ``sample`` of kind ``file`` with its raw file, and return that file.

    ``columns`` maps name → type; ``extra`` is TOML at the head of the record.
    """
    named = ("id", "title", "producer", "citation", "url", "licence", "version")
    heading = dict.fromkeys(named, "sample")
    heading |= {"kind": "file", "confidentiality": "public", "protected_unit": "factory"}
    table: Section = {
        "name": "records",
        "file": "records.csv",
        "key": list(key),
        "sha256": sha256,
        "missing": list(missing),
    }
    parts = [_lines(heading), extra, _table("[[tables]]", table)]
    parts += [
        _table("[[tables.columns]]", {"name": name, "type": kind, "unit": "points"})
        for name, kind in columns.items()
    ]
    record = root / "data" / "sources" / "sample.toml"
    record.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    raw = root / "data" / "raw" / "sample" / "records.csv"
    raw.parent.mkdir(parents=True, exist_ok=True)
    raw.write_bytes(csv.encode("utf-8") if isinstance(csv, str) else csv)
    return raw


def read_panel(study: Study, case: int = 0) -> Panel:
    """Go from a study through all rooms to its panel."""
    return build_panel(study, score_measures(study, read_sources(study, study.cases[case], 0)))


def make_panel(
    folder: Path,
    frame: pd.DataFrame,
    variables: Iterable[Section],
    specifications: Iterable[Section],
) -> Panel:
    """Write a frame as a raw file with its record and study, and read it as a panel."""
    root = make_project(folder)
    study = write_study(root, variables, specifications)
    columns = {str(name): _kind(frame[name]) for name in frame.columns}
    csv = frame.to_csv(index=False, float_format="%.17g", lineterminator="\n")
    write_source(root, csv, columns, key=[study.entity.name, study.time.name])
    return read_panel(study)


def measures_of(frame: pd.DataFrame) -> Measures:
    """Take a frame as measured, as if no earlier room had looked at it."""
    origin = Provenance(
        sources={"sample": ""},
        citations={},
        confidentiality="public",
        simulated=False,
        protected_unit="factory",
        identifiers=(),
        truth={},
    )
    steps = pd.DataFrame([("read", len(frame), "by hand")], columns=["step", "rows", "reason"])
    return Measures(frame, (), steps, origin)


def _kind(column: pd.Series) -> str:
    return "number" if pd.api.types.is_numeric_dtype(column) else "text"


def _lines(section: Section) -> str:
    return "\n".join(f"{key} = {_value(value)}" for key, value in section.items())


def _value(value: Value) -> str:
    if isinstance(value, Mapping):
        inside = ", ".join(f"{key} = {json.dumps(item)}" for key, item in value.items())
        return f"{{ {inside} }}"
    return json.dumps(value)


def _table(heading: str, section: Section) -> str:
    return f"{heading}\n{_lines(section)}"
