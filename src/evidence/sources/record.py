"""A source's papers: who made it, under which licence, what each column holds."""

from __future__ import annotations

import json
import tomllib
from dataclasses import field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from evidence.errors import SourceError
from evidence.study import strict

_Share = Annotated[float, Field(ge=0, lt=1)]


@strict
class Column:
    """One column: its name in the house, its name in the file, type and unit.

    ``note`` says what a reader of the data must know.
    """

    name: str
    type: Literal["text", "integer", "number", "flag"]
    unit: str
    raw: str = ""
    note: str = ""

    @property
    def raw_name(self) -> str:
        """The column's name in the raw file."""
        return self.raw or self.name


@strict
class Table:
    """One raw file of a source, with its key and columns.

    ``file`` is relative to the package (``packaged``) or to ``data/raw/<id>/``.
    ``missing`` lists the marks that stand for no answer.
    """

    name: str
    file: str
    key: tuple[str, ...]
    columns: Annotated[tuple[Column, ...], Field(min_length=1)]
    sha256: str = ""
    missing: tuple[str, ...] = ("",)


@strict
class Point:
    """A compliance point of the simulated questionnaire.

    ``rate`` is the share of factories with at least one finding on the point;
    ``basis`` says where the rate comes from; ``institution`` names the exposure that
    the point itself describes, if any.
    """

    id: str
    cluster: str
    rate: _Share
    basis: str
    items: Annotated[int, Field(ge=1)] = 3
    institution: str = ""
    rates: dict[str, _Share] = field(default_factory=dict)


@strict
class SimulatedCase:
    """True effects of one country × sector.

    ``noncompliance`` holds relative effects on every item's probability;
    ``productivity`` holds effects on log output per hour, in log points.
    """

    country: str
    sector: str
    factories: Annotated[int, Field(ge=10)]
    noncompliance: dict[str, float]
    productivity: dict[str, float]


@strict
class Simulation:
    """Parameters of the simulated factories; see ``simulate_factories``."""

    seed: int
    first_year: int
    years: Annotated[int, Field(ge=3)]
    prevalence: dict[str, Annotated[float, Field(gt=0, le=0.65)]]
    points: tuple[Point, ...]
    cases: tuple[SimulatedCase, ...]


@strict
class Record:
    """One source: origin, confidentiality, tables.

    ``identifiers`` are columns whose values must never stand in a public file.
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
    simulation: Simulation | None = None


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
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        record: Record = TypeAdapter(Record).validate_json(json.dumps(raw), strict=True)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SourceError(
            f"data/sources/{path.name}",
            seen=f"text that is not TOML ({error})",
            expected="TOML in UTF-8",
            do="Mend the line that the message names.",
        ) from error
    except TypeError as error:
        raise SourceError(
            f"data/sources/{path.name}",
            seen=f"a value that is neither text, number nor list ({error})",
            expected="texts, numbers and lists; dates in quotes",
            do="Put the date in quotes.",
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        raise SourceError(
            f"data/sources/{path.name}: {'.'.join(str(part) for part in first['loc'])}",
            seen=f"{first['input']!r}"[:200],
            expected=first["msg"].lower(),
            do="Mend the record; docs/studies.md shows a whole one.",
        ) from error
    _check_record(record, source, path)
    return record


def _check_record(record: Record, source: str, path: Path) -> None:
    if record.id != source or (record.kind == "simulated") != (record.simulation is not None):
        raise SourceError(
            f"data/sources/{path.name}",
            seen=f"id '{record.id}' and kind '{record.kind}'",
            expected=f"id '{source}', and [simulation] for kind 'simulated' only",
            do="Mend the record.",
        )
    for table in record.tables:
        names = [column.name for column in table.columns]
        unknown = [name for name in table.key if name not in names]
        if unknown or len(set(names)) < len(names):
            raise SourceError(
                f"data/sources/{path.name}: table '{table.name}'",
                seen=f"key {', '.join(table.key)} and columns {', '.join(names)}",
                expected="a key made of the columns, and each column once",
                do="Mend 'key' or the columns.",
            )
