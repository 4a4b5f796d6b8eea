"""Read a source's raw files as typed tables, with the hash of what was read."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from evidence.errors import SourceError
from evidence.sources.files import package_folder
from evidence.sources.identity import apply_register
from evidence.sources.record import Record, Table, load_record
from evidence.sources.tables import read_table
from evidence.study import Case, Study


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Typed tables of one source, as they were on one day.

    ``truth`` holds the true effects of a simulated source (outcome → exposure →
    effect in the outcome's unit); it is empty for every other kind. ``sha256`` is that of
    the file, or of the files' hashes where there are several; of the rows where a case shares
    them (``keep_own``). ``readings`` says
    what was found in the files rather than declared (columns ``table, file, kind,
    found``); ``steps`` counts rows from file to table (``table, file, rows, reason``).
    """

    record: Record
    tables: dict[str, pd.DataFrame]
    sha256: str
    truth: dict[str, dict[str, float]]
    case: dict[str, str] = field(default_factory=dict)
    readings: pd.DataFrame = field(default_factory=pd.DataFrame)
    steps: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def identifiers(self) -> tuple[str, ...]:
        """Values that must never stand in a public file, sorted."""
        found: set[str] = set()
        for frame in self.tables.values():
            for column in self.record.identifiers:
                if column in frame:
                    values = pd.Series(frame[column].unique()).dropna()
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


_STEPS = ["table", "file", "rows", "reason"]
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


def read_snapshot(
    root: Path,
    source: str,
    *,
    seed: int,
    case: dict[str, str],
    uncertain: Literal["in", "out"] = "out",
) -> Snapshot:
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
    uncertain : {"in", "out"}
        Whether factories whose match with the register waits for a decision are taken.

    Raises
    ------
    SourceError
        Where the record or a file is missing, changed or holds what it should not.
    """
    whole = _read_whole(root, source, seed, case, uncertain)
    if "country" in case:
        _check_countries(whole)
    return _select(whole, case)


def _read_whole(
    root: Path, source: str, seed: int, case: dict[str, str], uncertain: Literal["in", "out"]
) -> Snapshot:
    """Read a source's files, the rows of all cases in them; a simulated one draws its case."""
    record = load_record(root, source)
    folder, truth = _place(root, record, seed, case)
    tables, digests, readings, steps = {}, [], [], []
    for table in record.tables:
        whole = read_table(folder, record, table)
        digests += whole.digests
        readings += [(table.name, *reading) for reading in whole.readings]
        steps += [(table.name, *step) for step in whole.steps]
        rows = len(whole.frame)
        tables[table.name], lost = apply_register(whole.frame, record, root, uncertain)
        for count, reason in lost:
            rows -= count
            steps.append((table.name, table.file, rows, f"{count} {reason} left out"))
    return Snapshot(
        record,
        tables,
        digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest(),
        truth,
        readings=pd.DataFrame(readings, columns=["table", "file", "kind", "found"]),
        steps=pd.DataFrame(steps, columns=_STEPS),
    )


def _select(whole: Snapshot, case: dict[str, str]) -> Snapshot:
    """Select the rows of a case, where a table tells them from those of others."""
    tables, steps = {}, [whole.steps]
    for table in whole.record.tables:
        frame = whole.tables[table.name]
        for key, value in case.items():
            if key in frame:
                frame = frame[frame[key] == value].reset_index(drop=True)
                told = (table.name, table.file, len(frame), f"rows of {key} {value}")
                steps.append(pd.DataFrame([told], columns=_STEPS))
        tables[table.name] = frame
    ledger = pd.concat(steps).sort_values("table", key=_order(whole), kind="stable")
    return replace(whole, tables=tables, case=dict(case), steps=ledger.reset_index(drop=True))


def _order(whole: Snapshot) -> Callable[[pd.Series], pd.Series]:
    """Order steps by table, as the record lists the tables."""
    places = {table.name: place for place, table in enumerate(whole.record.tables)}
    return lambda names: names.map(places)


def keep_own(snapshot: Snapshot) -> Snapshot:
    """Keep what the rows of a case tell, and nothing of the files that others share.

    A result then depends on these rows alone: ``sha256`` is that of the rows, categories
    are those that occur, ``readings`` and ``steps`` are left out. Where there is nothing to
    share (no case, or a simulated one with files of its own) the snapshot stays as it is.
    """
    if not snapshot.case or snapshot.record.kind == "simulated":
        return snapshot
    tables = {name: _drop_categories(frame) for name, frame in snapshot.tables.items()}
    return replace(
        snapshot,
        tables=tables,
        sha256=_hash_rows(tables),
        readings=pd.DataFrame(),
        steps=pd.DataFrame(),
    )


def _drop_categories(frame: pd.DataFrame) -> pd.DataFrame:
    """Drop the categories that no row has."""
    for name in frame.select_dtypes("category").columns:
        frame = frame.assign(**{str(name): frame[name].cat.remove_unused_categories()})
    return frame


def _hash_rows(tables: dict[str, pd.DataFrame]) -> str:
    """Hash typed rows in their order: names, types, and pandas' hash of each row."""
    digest = hashlib.sha256()
    for name, frame in tables.items():
        types = [(column, str(kind)) for column, kind in frame.dtypes.items()]
        digest.update(json.dumps([name, len(frame), types]).encode())
        rows = pd.util.hash_pandas_object(frame, index=False)
        digest.update(rows.to_numpy(dtype="<u8").tobytes())
    return digest.hexdigest()


def hash_cases(
    root: Path,
    source: str,
    cases: Sequence[Case],
    *,
    seed: int,
    uncertain: Literal["in", "out"] = "out",
) -> dict[str, tuple[str, int]]:
    """Hash the rows that each case reads of a source; its files are read once.

    Returns
    -------
    dict
        Case id → SHA-256, as a kernel's snapshot of the case has it, and count of rows.

    Raises
    ------
    SourceError
        As ``read_snapshot``.
    """
    whole = _read_whole(root, source, seed, {}, uncertain)
    if any("country" in case.values for case in cases):
        _check_countries(whole)
    told = {}
    for case in cases:
        own = keep_own(_select(whole, case.values))
        told[case.id] = (own.sha256, sum(map(len, own.tables.values())))
    return told


def _check_countries(whole: Snapshot) -> None:
    """Refuse a key that stands in two countries before their rows are told apart."""
    for table in whole.record.tables:
        frame = whole.tables[table.name]
        entity = next((name for name in table.key if name not in {"country", "year"}), "country")
        if "country" in table.key or not {entity, "country"} <= set(frame.columns):
            continue
        pairs = frame[[entity, "country"]].dropna().drop_duplicates()
        twice = pairs[entity][pairs[entity].duplicated()]
        if not twice.empty:
            first = sorted(pairs["country"][pairs[entity] == twice.iloc[0]].astype(str))
            raise SourceError(
                f"source '{whole.record.id}', table '{table.name}', column {entity}",
                seen=f"{twice.nunique()} of them in two countries, such as {' and '.join(first)}",
                expected=f"each {entity} in one country",
                do="Put the country into the key in the raw file, or mend the country.",
            )


def read_sources(
    study: Study, case: Case, seed: int, *, whole: bool = False
) -> tuple[Snapshot, ...]:
    """Read every source of a study for one case.

    Parameters
    ----------
    whole : bool
        Also tell of files that other cases share: how they were read, the rows lost before
        the case's own were told apart. Off, a snapshot holds what ``keep_own`` leaves, so
        that a result depends on no other case's rows.

    Raises
    ------
    SourceError
        As ``read_snapshot``.
    """
    snapshots = tuple(
        read_snapshot(
            study.root,
            source,
            seed=seed,
            case=case.values,
            uncertain=study.panel.uncertain_matches,
        )
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
    return snapshots if whole else tuple(keep_own(snapshot) for snapshot in snapshots)


def list_sources(snapshots: tuple[Snapshot, ...]) -> pd.DataFrame:
    """List where the data come from: a row a table, with producer, licence, hash."""
    rows = [
        {
            "source": snapshot.record.id,
            "table": name,
            "rows": len(frame),
            "title": snapshot.record.title,
            "producer": snapshot.record.producer,
            "licence": snapshot.record.licence,
            "confidentiality": snapshot.record.confidentiality,
            "sha256": snapshot.sha256[:12],
        }
        for snapshot in snapshots
        for name, frame in snapshot.tables.items()
    ]
    return pd.DataFrame(rows).set_index(["source", "table"])


def _place(
    root: Path, record: Record, seed: int, case: dict[str, str]
) -> tuple[Path, dict[str, dict[str, float]]]:
    if record.kind == "packaged":
        return package_folder(record), {}
    folder = root / "data" / "raw" / record.id
    if record.kind != "simulated":
        return folder, {}
    tables, truth = _simulate(record, seed, case)
    named = (case[key] for key in ("country", "sector") if key in case)
    folder = folder / f"seed-{seed}" / "-".join(("simulated", *named))
    _emit(folder, record, tables, truth)
    return folder, truth


def _simulate(
    record: Record, seed: int, case: dict[str, str]
) -> tuple[dict[str, pd.DataFrame], dict[str, dict[str, float]]]:
    if record.equations is not None:
        rows, truth = _load("equations").simulate_equations(record.equations, case, seed)
        return {table.name: _lay_out(record, table, rows) for table in record.tables}, truth
    own = record.simulation.cases if record.simulation else ()
    if not case and len(own) == 1:
        case = {"country": own[0].country, "sector": own[0].sector}
    if record.simulation is None or set(case) != {"country", "sector"}:
        raise SourceError(
            f"data/sources/{record.id}.toml",
            seen=f"case with {', '.join(case) or 'no values'}",
            expected="country and sector, which this simulated source draws by",
            do="Give the study [cases] with country and sector, or the record a single case.",
        )
    tables, truth = _load("factories").simulate_factories(
        record.simulation, case["country"], case["sector"], seed
    )
    return tables, truth


def _load(name: str) -> Any:
    """Load what draws: reading files does without it, and it takes its time."""
    return importlib.import_module(f"evidence.sources.simulated.{name}")


def _lay_out(record: Record, table: Table, rows: pd.DataFrame) -> pd.DataFrame:
    """Take a table's columns from the drawn rows, one row a key."""
    names = [column.name for column in table.columns]
    lost = [name for name in names if name not in rows]
    if lost:
        raise SourceError(
            f"data/sources/{record.id}.toml: table '{table.name}'",
            seen=f"column '{lost[0]}'",
            expected=f"one of {', '.join(rows.columns)}",
            do="Name the column as [equations] does, or add an equation for it.",
        )
    return rows[names].drop_duplicates(list(table.key), ignore_index=True)


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
