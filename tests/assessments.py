"""Simulated assessments: written as a source with several tables, and measured."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from evidence.measures import Measures, score_measures
from evidence.sources import read_sources
from evidence.study import Study
from samples import Section, declare, specify, write_study

KEYS = ["factory", "year"]
FACTORY = (declare("factory", "entity", "factory"), declare("year", "time", "factory"))
OUTCOME = declare("noncompliance", "outcome", "factory-cycle", "share")
EXPOSED = declare("x", "exposure", "factory-cycle")

Rows = Iterable[tuple[object, ...]]


def ask(names: str, *rows: tuple[object, ...]) -> pd.DataFrame:
    """Make a table of answers from its columns' names and rows."""
    frame = pd.DataFrame(list(rows), columns=names.split())
    if "date" in frame:
        frame["date"] = pd.to_datetime(frame["date"])
    return frame


def write_tables(
    root: Path,
    tables: Mapping[str, tuple[pd.DataFrame, list[str]]],
    *,
    source: str = "sample",
    questionnaire: str = "",
) -> None:
    """Write a source of several tables: name → frame and key."""
    heading = dict.fromkeys(
        ("id", "title", "producer", "citation", "url", "licence", "version"), source
    )
    heading |= {"kind": "file", "confidentiality": "public", "protected_unit": "factory"}
    heading |= {"questionnaire": questionnaire} if questionnaire else {}
    parts = ["\n".join(f"{key} = {json.dumps(value)}" for key, value in heading.items())]
    folder = root / "data" / "raw" / source
    folder.mkdir(parents=True, exist_ok=True)
    for name, (frame, key) in tables.items():
        parts.append(
            f'[[tables]]\nname = "{name}"\nfile = "{name}.csv"\nkey = {json.dumps(key)}\n'
            f'missing = [""]'
        )
        parts += [
            f'[[tables.columns]]\nname = "{column}"\ntype = "{_kind(frame[column])}"\n'
            f'unit = "points"'
            for column in frame.columns
        ]
        frame.to_csv(folder / f"{name}.csv", index=False, float_format="%.17g")
    (root / "data" / "sources" / f"{source}.toml").write_text("\n\n".join(parts) + "\n", "utf-8")


def study_of(root: Path, *variables: Section, exposure: str = "x", **more: str) -> Study:
    """Write a study of ``noncompliance`` on one exposure, and load it."""
    told = {"outcome": "noncompliance", **more}
    spec = specify("s", "pooled_ols", exposure, **told)
    return write_study(root, [*FACTORY, *variables], [spec])


def measure(study: Study) -> Measures:
    """Read a study's sources and score them."""
    return score_measures(study, read_sources(study, study.cases[0], 0))


def append(path: Path, text: str) -> None:
    """Add lines to the end of a pack, which may be new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.read_text("utf-8") if path.is_file() else ""
    path.write_text(f"{before}\n{text}\n", "utf-8")


def _kind(column: pd.Series) -> str:
    if pd.api.types.is_datetime64_any_dtype(column):
        return "date"
    if pd.api.types.is_integer_dtype(column):
        return "integer"
    return "number" if pd.api.types.is_numeric_dtype(column) else "text"
