"""Read a source's raw files as typed tables, with the hash of what was read."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd
import pandera.pandas as pa
from pydantic import TypeAdapter

from evidence.errors import SourceError
from evidence.sources.record import Column, Record, Table, load_record
from evidence.sources.simulated import simulate_factories
from evidence.study import Case, Study

_LARGEST_INTEGER = 2**53
_DTYPES = {"text": "str", "integer": "int64", "number": "float64", "flag": "int64"}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Typed tables of one source, as they were on one day.

    ``truth`` holds the true effects of a simulated source (outcome → exposure →
    effect in the outcome's unit); it is empty for every other kind.
    """

    record: Record
    tables: dict[str, pd.DataFrame]
    sha256: str
    truth: dict[str, dict[str, float]]

    @property
    def identifiers(self) -> tuple[str, ...]:
        """Values that must never stand in a public file, sorted."""
        found: set[str] = set()
        for frame in self.tables.values():
            for column in self.record.identifiers:
                if column in frame:
                    values = frame[column].dropna()
                    whole = values.dtype == "float64" and bool((values % 1 == 0).all())
                    found.update((values.astype("int64") if whole else values).astype(str))
        return tuple(sorted(found))


@dataclass(frozen=True, slots=True)
class Provenance:
    """What derived data inherit from their sources, the strictest of each.

    ``sources`` maps source id → SHA-256 of what was read; ``identifiers`` are the
    values that must never stand in a public file.
    """

    sources: dict[str, str]
    citations: dict[str, str]
    confidentiality: str
    simulated: bool
    protected_unit: str
    identifiers: tuple[str, ...]
    truth: dict[str, dict[str, float]]


_STRICTEST_FIRST = ("restricted", "simulated", "public")


def combine_origins(snapshots: tuple[Snapshot, ...]) -> Provenance:
    """Combine the origins of several snapshots."""
    records = sorted(
        (s.record for s in snapshots), key=lambda r: _STRICTEST_FIRST.index(r.confidentiality)
    )
    truth: dict[str, dict[str, float]] = {}
    for snapshot in snapshots:
        truth |= snapshot.truth
    return Provenance(
        sources={s.record.id: s.sha256 for s in snapshots},
        citations={s.record.id: s.record.citation for s in snapshots},
        confidentiality=records[0].confidentiality,
        simulated=any(r.confidentiality == "simulated" for r in records),
        protected_unit=records[0].protected_unit,
        identifiers=tuple(sorted({i for s in snapshots for i in s.identifiers})),
        truth=truth,
    )


def read_snapshot(root: Path, source: str, *, seed: int, case: dict[str, str]) -> Snapshot:
    """Read a source.

    Parameters
    ----------
    root : Path
        The project's root.
    source : str
        Id of the record in ``data/sources/``.
    seed : int
        Seed of a simulated source; of no effect on others.
    case : dict
        Values of the study's ``[cases]``, such as ``{"country": "BGD"}``. A simulated
        source draws this case; in others, rows of other cases are left out where the
        table has a column of that name.

    Raises
    ------
    SourceError
        Where the record or a file is missing, changed or holds what it should not.
    """
    record = load_record(root, source)
    folder, truth = _place(root, record, seed, case)
    digest = hashlib.sha256()
    tables = {}
    for table in record.tables:
        payload = _read_bytes(folder / table.file, record, table)
        digest.update(payload)
        frame = _parse(payload, record, table)
        for key, value in case.items():
            if key in frame:
                frame = frame[frame[key] == value].reset_index(drop=True)
        tables[table.name] = frame
    return Snapshot(record, tables, digest.hexdigest(), truth)


def read_sources(study: Study, case: Case, seed: int) -> tuple[Snapshot, ...]:
    """Read every source of a study for one case.

    Raises
    ------
    SourceError
        As ``read_snapshot``.
    """
    snapshots = tuple(
        read_snapshot(study.root, source, seed=seed, case=case.values)
        for source in study.data.sources
    )
    columns = {name for s in snapshots for frame in s.tables.values() for name in frame.columns}
    for key in case.values:
        if key not in columns:
            raise SourceError(
                f"{study.path.name}: [cases] {key}",
                seen=f"no column '{key}' in {', '.join(study.data.sources)}",
                expected="one that tells the rows of a case from those of others",
                do="Declare the column in the source record, or take the key out of [cases].",
            )
    return snapshots


def list_sources(snapshots: tuple[Snapshot, ...]) -> pd.DataFrame:
    """List where the data come from: a row a table, with licence and hash."""
    rows = [
        {
            "source": snapshot.record.id,
            "table": name,
            "rows": len(frame),
            "title": snapshot.record.title,
            "licence": snapshot.record.licence,
            "confidentiality": snapshot.record.confidentiality,
            "sha256": snapshot.sha256[:12],
        }
        for snapshot in snapshots
        for name, frame in snapshot.tables.items()
    ]
    return pd.DataFrame(rows).set_index(["source", "table"])


def fingerprint(root: Path, source: str, *, seed: int) -> str:
    """Hash what a source would give, without parsing it.

    Raises
    ------
    SourceError
        Where the record or a file is missing.
    """
    record = load_record(root, source)
    digest = hashlib.sha256(TypeAdapter(Record).dump_json(record))
    if record.kind == "simulated":
        digest.update(str(seed).encode())
        return digest.hexdigest()
    folder, _ = _place(root, record, seed, {})
    for table in record.tables:
        digest.update(_read_bytes(folder / table.file, record, table))
    return digest.hexdigest()


def _place(
    root: Path, record: Record, seed: int, case: dict[str, str]
) -> tuple[Path, dict[str, dict[str, float]]]:
    if record.kind == "packaged":
        return _package_folder(record), {}
    folder = root / "data" / "raw" / record.id
    if record.simulation is None:
        return folder, {}
    if set(case) != {"country", "sector"}:
        raise SourceError(
            f"data/sources/{record.id}.toml",
            seen=f"case with {', '.join(case) or 'no values'}",
            expected="country and sector, which this simulated source draws by",
            do="Give the study [cases] with country and sector.",
        )
    tables, truth = simulate_factories(record.simulation, case["country"], case["sector"], seed)
    folder = folder / f"seed-{seed}" / f"simulated-{case['country']}-{case['sector']}"
    _emit(folder, record, tables, truth)
    return folder, truth


def _package_folder(record: Record) -> Path:
    try:
        found = importlib.util.find_spec(record.package)
    except (ModuleNotFoundError, ValueError):
        found = None
    if found is None or found.origin is None:
        raise SourceError(
            f"data/sources/{record.id}.toml: package",
            seen=f"'{record.package}', which is not installed",
            expected="an installed package that ships the file",
            do="Install the lock file's packages (make setup).",
        )
    return Path(found.origin).parent


def _emit(
    folder: Path,
    record: Record,
    tables: dict[str, pd.DataFrame],
    truth: dict[str, dict[str, float]],
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for table in record.tables:
        text = tables[table.name].to_csv(index=False, lineterminator="\n", float_format="%.17g")
        _write(folder / table.file, text)
    _write(folder / "truth.json", json.dumps(truth, indent=1, sort_keys=True) + "\n")


def _write(path: Path, text: str) -> None:
    payload = text.encode("utf-8")
    if path.is_file() and path.read_bytes() == payload:
        return
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(payload)
    os.replace(file.name, path)


def _read_bytes(path: Path, record: Record, table: Table) -> bytes:
    where = f"source '{record.id}', file {table.file}"
    if not path.is_file():
        raise SourceError(
            where,
            seen="no such file",
            expected=f"the raw file that data/sources/{record.id}.toml describes",
            do=f"Put it under data/raw/{record.id}/, or mend 'file' in the record.",
        )
    payload = path.read_bytes()
    found = hashlib.sha256(payload).hexdigest()
    if table.sha256 and found != table.sha256:
        raise SourceError(
            where,
            seen=f"a file with SHA-256 {found}",
            expected=table.sha256,
            do="Restore the file; if the change is meant, archive it and renew the record.",
        )
    return payload


def _parse(payload: bytes, record: Record, table: Table) -> pd.DataFrame:
    where = f"source '{record.id}', file {table.file}"
    raw = _read_lines(payload, table, where)
    wanted = {column.raw_name: column for column in table.columns}
    absent = [name for name in wanted if name not in raw.columns]
    if absent:
        raise SourceError(
            where,
            seen=f"columns {', '.join(map(str, raw.columns))}",
            expected=f"also {', '.join(absent)}",
            do="Mend the file's header, or 'raw' of the column in the record.",
        )
    frame = pd.DataFrame(
        {c.name: _typed(raw[raw_name], c, table, where) for raw_name, c in wanted.items()}
    )
    return _validate(frame, table, where)


def _read_lines(payload: bytes, table: Table, where: str) -> pd.DataFrame:
    """Read every field as text; the index is the line less one."""
    compression: Literal["bz2"] | None = "bz2" if table.file.endswith(".bz2") else None
    try:
        raw = pd.read_csv(
            io.BytesIO(payload),
            header=None,
            dtype=str,
            keep_default_na=False,
            na_values=[],
            skip_blank_lines=False,
            compression=compression,
            encoding="utf-8-sig",
        )
    except (OSError, EOFError, ValueError, pd.errors.ParserError) as error:
        raise SourceError(
            where,
            seen=f"a file that cannot be read ({' '.join(str(error).split())})",
            expected="comma-separated UTF-8 with a header line, each line with its fields",
            do="Save it as CSV in UTF-8.",
        ) from error
    header = raw.iloc[0].astype(str)
    twice = header[header.duplicated()]
    if not twice.empty:
        raise SourceError(
            where,
            seen=f"more than one column '{twice.iloc[0]}'",
            expected="each name once",
            do="Rename one of the columns in the file.",
        )
    body = raw.iloc[1:].set_axis(header, axis=1)
    body = body[body.notna().any(axis=1)]
    if body.empty:
        raise SourceError(
            where,
            seen="a header without rows",
            expected="at least one row",
            do="Put the data into the file.",
        )
    short = body.isna().any(axis=1)
    if short.any():
        first = _first(short)
        raise SourceError(
            f"{where}, line {first + 1}",
            seen="fewer fields than columns",
            expected=f"{len(header)}, one for each column",
            do="Complete the line: a half-read row would shift or lose values.",
        )
    return body


def _typed(raw: pd.Series, column: Column, table: Table, where: str) -> pd.Series:
    text = raw.str.strip()
    empty = text.isin(table.missing)
    if column.type == "text":
        return text.mask(empty)
    numbers = pd.to_numeric(text.mask(empty), errors="coerce").astype("float64")
    bad = numbers.isna() & ~empty
    if bad.any():
        first = _first(bad)
        raise SourceError(
            f"{where}, column {column.raw_name}, line {first + 1}",
            seen=f"'{raw.loc[first]}'",
            expected=f"a {column.type}" + (f" or {table.missing}" if table.missing else ""),
            do="Mend the value, or list the mark under 'missing' in the record.",
        )
    return numbers


def _first(marks: pd.Series) -> int:
    """Find the index of the first mark, which is its line less one."""
    return int(marks.index.to_list()[int(marks.to_numpy().argmax())])


def _is_whole(values: pd.Series) -> pd.Series:
    return (values % 1 == 0) & (values.abs() <= _LARGEST_INTEGER)


def _validate(frame: pd.DataFrame, table: Table, where: str) -> pd.DataFrame:
    checks = {
        "flag": [pa.Check.isin([0, 1])],
        "integer": [pa.Check(_is_whole, name="whole number that a computer holds exactly")],
        "number": [pa.Check(lambda values: values.abs() < float("inf"), name="finite")],
        "text": [],
    }
    schema = pa.DataFrameSchema(
        {
            c.name: pa.Column(None, checks[c.type], nullable=c.name not in table.key)
            for c in table.columns
        },
        unique=list(table.key) or None,
    )
    try:
        checked: pd.DataFrame = schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        first = error.failure_cases.iloc[0]
        line = "" if pd.isna(first["index"]) else f", line {int(first['index']) + 1}"
        raise SourceError(
            f"{where}, column {first['column']}{line}",
            seen=f"'{first['failure_case']}' ({len(error.failure_cases)} such values)",
            expected=_spell_check(str(first["check"]), table),
            do="Mend the file, or the column's type or the table's key in the record.",
        ) from error
    types = {
        c.name: _DTYPES[c.type]
        for c in table.columns
        if c.type in {"integer", "flag"} and not checked[c.name].isna().any()
    }
    return checked.astype(types).reset_index(drop=True)


def _spell_check(check: str, table: Table) -> str:
    if check == "multiple_fields_uniqueness":
        return f"each combination of {', '.join(table.key)} once"
    if check == "not_nullable":
        return "a value in every row, because it is part of the key"
    return check.replace("isin([0, 1])", "0 or 1")
