"""Put register keys in the place of a source's own factory ids."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pandas as pd

from evidence.errors import SourceError
from evidence.sources.identity.entries import spell
from evidence.sources.identity.match import resolve_factories
from evidence.sources.identity.register import load_register
from evidence.sources.record import Record

_WHO = ("factory", "name", "country", "address")


def apply_register(
    frame: pd.DataFrame, record: Record, root: Path, uncertain: Literal["in", "out"]
) -> tuple[pd.DataFrame, list[tuple[int, str]]]:
    """Replace a source's factory ids by the keys of its register.

    Parameters
    ----------
    frame : DataFrame
        A table of the source with ``factory`` (the source's id), ``name``, ``country``
        and, if there are, ``address`` and ``date`` or ``year``. A table without
        ``factory`` is given back as it is, and so is one of a source without register.
    root : Path
        The project's root.
    uncertain : str
        ``in`` or ``out``, as in ``resolve_factories``.

    Returns
    -------
    tuple
        The table with keys in ``factory`` and with ``match_score``, how sure the key is
        (0 to 1: the score of an accepted or uncertain match, 1 of a decided one, 1 less
        the score of the best candidate for a new factory); and the numbers of rows left
        out, each with its reason.

    Raises
    ------
    SourceError
        Where a column is missing, the register is wrong, or a key stands in two
        countries.
    """
    if not record.register or "factory" not in frame:
        return frame, []
    _check_columns(frame, record)
    named = pd.Series(spell(frame["factory"]), index=frame.index, dtype="str")
    named_or_not = (named != "") | (frame["name"].notna() & (frame["name"] != ""))
    steps = []
    if not named_or_not.all():
        steps.append((int((~named_or_not).sum()), "rows with neither factory id nor name"))
        frame = frame[named_or_not]
    entries, codes = list_entries(frame, record.id)
    found = resolve_factories(entries, load_register(root, record.register), uncertain=uncertain)
    kept = codes.isin(found.index)
    if not kept.all():
        steps.append((int((~kept).sum()), "rows of factories whose match is uncertain"))
        frame, codes = frame[kept], codes[kept]
    other = found["verdict"].eq("new") | found["key"].str.contains("-NEW-", regex=False)
    sure = found["score"].mask(other & found["verdict"].ne("decided"), 1 - found["score"])
    keyed = frame.assign(
        factory=codes.map(found["key"]).astype("str"), match_score=codes.map(sure).astype("float64")
    )
    return keyed.reset_index(drop=True), steps


def list_entries(frame: pd.DataFrame, source: str) -> tuple[pd.DataFrame, pd.Series]:
    """List the different entries of a table, and number the rows by entry."""
    columns = [name for name in _WHO if name in frame]
    when = next((name for name in ("date", "year") if name in frame), None)
    columns += [when] if when else []
    codes = frame.groupby(columns, sort=False, dropna=False).ngroup()
    first = frame.loc[~codes.duplicated(), columns + ["sector"] * ("sector" in frame)]
    entries = first.set_axis(codes[first.index], axis=0).assign(source=source)
    names = {"factory": "source_id"} | ({when: "date"} if when else {})
    return entries.rename(columns=names), codes


def _check_columns(frame: pd.DataFrame, record: Record) -> None:
    missing = [name for name in ("name", "country") if name not in frame]
    if missing:
        raise SourceError(
            f"data/sources/{record.id}.toml: register",
            seen=f"a table with 'factory' and without {', '.join(missing)}",
            expected="the columns factory, name and country, by which factories are matched",
            do="Declare the columns in every table that has 'factory'.",
        )
