"""A source's papers: who made it, under which licence, what each column holds."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from evidence.errors import SourceError
from evidence.sources.simulated.sections import Equations, Simulation
from evidence.toml import check_sections, read_toml, strict


def _one_or_many(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return ((value,) if value else ()) if isinstance(value, str) else value


@strict
class Column:
    """One column: its name in the house, its names in files, type and unit.

    ``raw`` lists the names that files give it; the first that a file has is read.
    ``format`` is that of a date column, as for ``strptime``. ``range`` holds the least
    and the greatest value that can be; values outside are refused. ``missing`` lists
    marks of no answer of this column, beside those of the table. ``note`` says what a
    reader of the data must know. A ``country`` column takes any ISO 3166 code, M49
    number or English name and becomes the alpha-3 code.
    """

    name: str
    type: Literal["text", "integer", "number", "flag", "date", "country"]
    unit: str
    raw: Annotated[str | tuple[str, ...], AfterValidator(_one_or_many)] = ()
    format: str = "%Y-%m-%d"
    range: tuple[float, float] | None = None
    missing: tuple[str, ...] = ()
    note: str = ""

    @property
    def raw_names(self) -> tuple[str, ...]:
        """The column's names in raw files, the preferred one first."""
        return _one_or_many(self.raw) or (self.name,)


@strict
class Table:
    """One table of a source, with its key and columns.

    ``file`` is relative to the package (``packaged``) or to ``data/raw/<id>/``; there
    it may be a pattern such as ``*.csv``, and the files' rows are put below each other.
    ``missing`` lists the marks that stand for no answer. ``encoding``, ``delimiter``,
    ``decimal`` and ``thousands`` settle what a file itself leaves open. ``where`` keeps
    the rows that hold one of these values in a column. ``stack`` names the column that
    takes the date of each archived snapshot: all of them are put below each other.
    ``url`` is where ``evidence fetch`` finds it; ``mirrors`` are further file names
    under which an offline mirror may keep it.
    """

    name: str
    file: str
    key: tuple[str, ...]
    columns: Annotated[tuple[Column, ...], Field(min_length=1)]
    sha256: str = ""
    missing: tuple[str, ...] = ("",)
    sheet: str = ""
    encoding: str = ""
    delimiter: Literal["", ",", ";", "\t", "|"] = ""
    decimal: Literal["", ".", ","] = ""
    thousands: Literal["", ",", ".", " ", "'"] = ""
    where: dict[str, tuple[str, ...]] = field(default_factory=dict)
    stack: str = ""
    url: str = ""
    mirrors: tuple[str, ...] = ()

    @property
    def holds_answers(self) -> bool:
        """Whether a row is an answer to a question of an assessment."""
        return {"question", "finding"} <= {column.name for column in self.columns}


@strict
class Caution:
    """What the producer says against a use of the data, in its own words.

    ``against`` is the use: it is said in the reader's language beside the quotation.
    """

    against: Literal["ranking"]
    quote: Annotated[str, Field(min_length=1)]
    language: str = "en"


@strict
class Record:
    """One source: origin, confidentiality, tables.

    ``identifiers`` are columns whose values must never stand in a public file.
    ``questionnaire`` names the pack whose crosswalk its answers follow; ``register``
    the factory register through which its factories are told apart. ``caution`` is
    printed beside every exhibit of a study that reads the source.
    """

    id: str
    kind: Literal["packaged", "file", "simulated"]
    title: str
    producer: str
    citation: str
    url: str
    licence: str
    version: str
    confidentiality: Literal["public", "restricted", "simulated"]
    protected_unit: str
    tables: Annotated[tuple[Table, ...], Field(min_length=1)]
    package: str = ""
    agreement: str = ""
    identifiers: tuple[str, ...] = ()
    questionnaire: str = ""
    register: str = ""
    simulation: Simulation | None = None
    equations: Equations | None = None
    caution: Caution | None = None


def load_record(root: Path, source: str) -> Record:
    """Load ``data/sources/<source>.toml``.

    Raises
    ------
    SourceError
        Naming file, key, what was seen, what was expected and what to do.
    """
    path = root / "data" / "sources" / f"{source}.toml"
    if not path.is_file():
        known = sorted(p.stem for p in path.parent.glob("*.toml"))
        raise SourceError(
            f"data/sources/{source}.toml",
            seen="no such record",
            expected=f"one of {', '.join(known)}",
            do="Write the record, or name another source in the study file.",
        )
    where = f"data/sources/{path.name}"
    raw = read_toml(path, SourceError, where=where)
    record = check_sections(Record, raw, SourceError, where=where, guide="docs/data.md")
    _check_record(record, source, path)
    return record


def _check_record(record: Record, source: str, path: Path) -> None:
    drawn = (record.simulation is not None) + (record.equations is not None)
    if record.id != source or drawn != (record.kind == "simulated"):
        raise SourceError(
            f"data/sources/{path.name}",
            seen=f"id '{record.id}', kind '{record.kind}' and {drawn} ways to draw it",
            expected=f"id '{source}', and for kind 'simulated' only [simulation] or [equations]",
            do="Mend the record.",
        )
    for table in record.tables:
        names = [column.name for column in table.columns]
        unknown = [name for name in table.key if name not in names]
        unknown += [name for name in (*table.where, table.stack) if name and name not in names]
        if unknown or len(set(names)) < len(names):
            raise SourceError(
                f"data/sources/{path.name}: table '{table.name}'",
                seen=f"key {', '.join(table.key)} and columns {', '.join(names)}",
                expected="a key made of the columns, and each column once"
                + (f"; not a column: {', '.join(unknown)}" if unknown else ""),
                do="Mend 'key', 'where' or 'stack', or the columns.",
            )
        for column in table.columns:
            _check_range(column, f"data/sources/{path.name}: table '{table.name}'")
    held = {column.name for table in record.tables for column in table.columns}
    lost = [name for name in record.identifiers if name not in held]
    if lost:
        raise SourceError(
            f"data/sources/{path.name}: identifiers",
            seen=f"'{lost[0]}'",
            expected=f"columns of the record: {', '.join(sorted(held))}",
            do="Name the column as the record does: its values must never become public.",
        )


def _check_range(column: Column, where: str) -> None:
    if column.range is None:
        return
    numbers = column.type in {"integer", "number", "flag"}
    if not numbers or not column.range[0] <= column.range[1]:
        raise SourceError(
            f"{where}, column '{column.name}'",
            seen=f"range {column.range[0]:g} to {column.range[1]:g} of type '{column.type}'",
            expected="the least value, then the greatest, of a column of numbers",
            do="Mend 'range', or take it out.",
        )
