"""Entries: what a source says about a factory, once a name, an address and a date."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from evidence.errors import SourceError
from evidence.sources.identity.keys import is_country
from evidence.sources.identity.register import first_day, is_date
from evidence.sources.identity.words import spell_plainly

_NEEDED = ("source", "source_id", "name", "country")


@dataclass(frozen=True, slots=True)
class Entry:
    """What a source says about one factory at one time; empty texts where it says nothing."""

    source: str
    source_id: str
    name: str
    address: str
    country: str
    date: str

    @property
    def year(self) -> str:
        """The calendar year: within it, a key stands for one factory of a source."""
        return self.date[:4]

    @property
    def claim(self) -> str:
        """What the source tells factories apart by: its id, or else name and address."""
        return self.source_id or f"\x1f{spell_plainly(self.name)}\x1f{spell_plainly(self.address)}"

    @property
    def spelt(self) -> tuple[str, str, str, str]:
        """What a decision is about; the spelling of names and addresses is of no effect."""
        return (self.source, self.source_id, spell_plainly(self.name), spell_plainly(self.address))

    @property
    def order(self) -> tuple[str, ...]:
        """The earliest first, then by content."""
        return (first_day(self.date), *self.spelt, self.country, self.date)


def read_frame(frame: pd.DataFrame) -> list[Entry]:
    """Read entries from a table, in its order.

    Raises
    ------
    SourceError
        Where a column is missing, or a country or a date is not written as it should be.
    """
    missing = [name for name in _NEEDED if name not in frame]
    if missing:
        raise SourceError(
            "entries of factories",
            seen=f"no column {', '.join(missing)}",
            expected=", ".join(_NEEDED),
            do="Add the columns.",
        )
    parts = [spell(frame[name]) for name in ("source", "source_id", "name")]
    parts += [_optional(frame, "address"), spell(frame["country"]), _optional(frame, "date")]
    entries = [Entry(*row) for row in zip(*parts, strict=True)]
    _check(entries)
    return entries


def spell(column: pd.Series) -> list[str]:
    """Spell a column's values as texts: whole numbers without a point, dates as ISO."""
    if pd.api.types.is_datetime64_any_dtype(column):
        column = column.dt.strftime("%Y-%m-%d")
    elif pd.api.types.is_numeric_dtype(column) and bool((column.dropna() % 1 == 0).all()):
        column = column.astype("Int64")
    return ["" if pd.isna(value) else str(value).strip() for value in column.to_list()]


def _optional(frame: pd.DataFrame, name: str) -> list[str]:
    return spell(frame[name]) if name in frame else [""] * len(frame)


def _check(entries: list[Entry]) -> None:
    for number, entry in enumerate(entries, start=1):
        if not is_country(entry.country):
            raise SourceError(
                f"source '{entry.source}', factory {entry.source_id}, entry {number}",
                seen=f"country '{entry.country}'",
                expected="an ISO 3166 alpha-3 code, such as VNM",
                do="Declare the column with type 'country', or mend the value.",
            )
        if entry.date and not is_date(entry.date):
            raise SourceError(
                f"source '{entry.source}', factory {entry.source_id}, entry {number}",
                seen=f"date '{entry.date}'",
                expected="a year, YYYY-MM or YYYY-MM-DD",
                do="Declare the column with type 'date', or mend the value.",
            )
