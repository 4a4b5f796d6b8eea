"""A table is made of one file or of several, their rows below each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from evidence.errors import SourceError
from evidence.sources.archive import parse_file
from evidence.sources.copies import File
from evidence.sources.files import find_files
from evidence.sources.reading.alike import find_alike
from evidence.sources.reading.cells import show_odd
from evidence.sources.record import Record, Table


@dataclass(frozen=True, slots=True)
class Whole:
    """A table from all its files.

    ``readings`` are rows of file, kind and what was found; ``steps`` of file, rows left
    and reason; ``digests`` the SHA-256 of each file.
    """

    frame: pd.DataFrame
    readings: list[tuple[str, str, str]]
    steps: list[tuple[str, int, str]]
    digests: list[str]


def read_table(folder: Path, record: Record, table: Table) -> Whole:
    """Read every file of a table.

    Parameters
    ----------
    folder : Path
        The source's folder: ``data/raw/<id>/``, or the package's.

    Raises
    ------
    SourceError
        Where a file is missing, changed or holds what it should not, or a key stands
        in more than one.
    """
    parts, readings, steps, digests = [], [], [], []
    for file in find_files(folder, record, table):
        parsed, digest = parse_file(file, record, table)
        digests.append(digest)
        readings += [(file.name, *reading) for reading in parsed.readings]
        steps += [(file.name, *step) for step in parsed.steps]
        parts.append(_stamp(parsed.frame, table, file))
    frame = _stack(parts, record, table)
    steps.append((table.file, len(frame), "rows read"))
    return Whole(frame, readings, steps, digests)


def _stamp(frame: pd.DataFrame, table: Table, file: File) -> pd.DataFrame:
    """Put the day of the archived copy into the column that ``stack`` names."""
    if not table.stack or file.archived is None:
        return frame
    column = next(c for c in table.columns if c.name == table.stack)
    day = pd.Timestamp(file.archived)
    return frame.assign(**{table.stack: day if column.type == "date" else day.year})


def _stack(parts: list[pd.DataFrame], record: Record, table: Table) -> pd.DataFrame:
    """Put the rows of several files below each other; a key may stand in one only."""
    if len(parts) == 1:
        return parts[0]
    frame = pd.concat([_spelt(part) for part in parts], ignore_index=True)
    twice = (
        frame.duplicated(list(table.key)) if table.key else pd.Series(data=False, index=frame.index)
    )
    if twice.any():
        raise SourceError(
            f"source '{record.id}', table '{table.name}'",
            seen=f"{int(twice.sum())} keys in more than one file",
            expected=f"each combination of {', '.join(table.key)} in one file",
            do=f"Put '{table.stack}', as a date, into the key: it tells the snapshots apart."
            if table.stack
            else "Remove the rows from one of the files, or the file.",
        )
    _check_one_way(frame, record, table)
    return frame


def _check_one_way(frame: pd.DataFrame, record: Record, table: Table) -> None:
    """Refuse a name that two files write in two ways: it would be two under two keys."""
    for column in table.columns:
        if column.name not in table.key or column.type != "text":
            continue
        pair = find_alike([str(text) for text in frame[column.name].unique()])
        if pair is not None:
            raise SourceError(
                f"source '{record.id}', table '{table.name}', column {column.name}",
                seen=f"'{show_odd(pair[0])}' in one file and '{show_odd(pair[1])}' in another",
                expected=f"one way to write each {column.name}",
                do="Write it alike in all files; if they are two, give one of them another name.",
            )


def _spelt(frame: pd.DataFrame) -> pd.DataFrame:
    """Spell categories out: those of two files differ."""
    return frame.astype({c: "str" for c in frame if frame[c].dtype == "category"})
