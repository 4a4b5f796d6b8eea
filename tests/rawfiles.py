"""Raw files of every format, made small, and a project of one source to read them in."""

from __future__ import annotations

import io
import json
import tempfile
import unicodedata
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyreadstat

from evidence.sources import Snapshot, read_snapshot

Columns = Mapping[str, str | Mapping[str, Any]]

BETTER_WORK: Columns = {
    "Country": "country",
    "Cycle": "integer",
    "Year": "integer",
    "Factory.Assessed.ID": "text",
    "Factory.Assessed.Name": "text",
    "Quest.ID": "integer",
    "Assesment.Start.Date": {"type": "date", "format": "%d/%m/%Y"},
    "Cluster": "text",
    "CP": "text",
    "Question.ID": "text",
    "Q.Label": "text",
    "Question.type": "text",
    "Finding": "flag",
    "Tags": "text",
}
"""Better Work's export: its column names with their own spelling, and dd/mm/yyyy."""


def read_raw(
    root: Path,
    payload: bytes,
    columns: Columns,
    *,
    file: str = "records.csv",
    key: Sequence[str] = (),
    **table: Any,
) -> Snapshot:
    """Write a source of one table with its raw file, and read it as a study would."""
    texts = ("title", "producer", "citation", "url", "licence", "version", "protected_unit")
    record = [f'{name} = "sample"' for name in ("id", *texts)]
    record += ['kind = "file"', 'confidentiality = "public"', "[[tables]]", 'name = "records"']
    record += [f"file = {json.dumps(file)}", f"key = {json.dumps(list(key))}"]
    record += [f"{name} = {_toml(value)}" for name, value in table.items()]
    for name, kind in columns.items():
        keys = {"unit": "sample", **({"type": kind} if isinstance(kind, str) else kind)}
        record += ["[[tables.columns]]", f"name = {json.dumps(name)}"]
        record += [f"{key} = {_toml(value)}" for key, value in keys.items()]
    path = root / "data" / "sources" / "sample.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(record) + "\n", encoding="utf-8")
    raw = root / "data" / "raw" / "sample" / file
    raw.parent.mkdir(parents=True, exist_ok=True)
    raw.write_bytes(payload)
    return read_snapshot(root, "sample", seed=0, case={})


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} = {json.dumps(v)}" for k, v in value.items()) + "}"
    return json.dumps(value)


def excel(
    *sheets: Sequence[Sequence[object]], mend: Callable[[Any], object] | None = None
) -> bytes:
    """Make a workbook with a sheet of rows each; ``mend`` changes it before it is saved."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for number, rows in enumerate(sheets, 1):
        sheet = book.create_sheet(f"Sheet{number}")
        for row in rows:
            sheet.append(list(row))
    if mend is not None:
        mend(book)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def change_part(payload: bytes, part: str, old: bytes, new: bytes) -> bytes:
    """Replace bytes, which have to be there, in one part of a workbook."""
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(payload)) as source,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            content = source.read(name)
            if name == part:
                assert old in content, content[:2000]
                content = content.replace(old, new, 1)
            target.writestr(name, content)
    return stream.getvalue()


def archive(members: Mapping[str, bytes]) -> bytes:
    """Make a zip archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in members.items():
            target.writestr(name, content)
    return stream.getvalue()


def stata(frame: pd.DataFrame, **options: Any) -> bytes:
    """Make a Stata file as pandas writes it."""
    stream = io.BytesIO()
    frame.to_stata(stream, write_index=False, **options)
    return stream.getvalue()


def spss(frame: pd.DataFrame, **options: Any) -> bytes:
    """Make an SPSS file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.sav"
        pyreadstat.write_sav(frame, str(path), **options)
        return path.read_bytes()


def parquet(columns: Mapping[str, Any] | pa.Table) -> bytes:
    """Make a Parquet file."""
    stream = io.BytesIO()
    pq.write_table(columns if isinstance(columns, pa.Table) else pa.table(dict(columns)), stream)
    return stream.getvalue()


def windows_1258(text: str) -> bytes:
    """Write Vietnamese as Windows does: letters whole, tones behind them."""
    written = ""
    for sign in text:
        try:
            sign.encode("cp1258")
            written += sign
        except UnicodeEncodeError:
            written += _split_tone(sign)
    return written.encode("cp1258")


def _split_tone(letter: str) -> str:
    parts = unicodedata.normalize("NFD", letter)
    tones = "".join(part for part in parts if part in "\u0300\u0301\u0303\u0309\u0323")
    rest = "".join(part for part in parts if part not in tones)
    return unicodedata.normalize("NFC", rest) + tones
