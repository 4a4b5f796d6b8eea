"""Tell in Markdown what data there are, from the records alone."""

from __future__ import annotations

from pathlib import Path

from evidence.sources.record import Column, Record, Table, load_record

_HEAD = """# Data

Made from the records in `sources/` by `make data-readme`; edit the records, not this page.
Raw files lie in `raw/<id>/`, archived copies in `raw/<id>/archive/`; they are never edited nor
committed. [docs/data.md](../docs/data.md) says how to fetch them and how to add a source.
Packs of countries and sectors lie in `countries/` and `sectors/`: adding a country is adding
a file.
"""


def describe_records(root: Path) -> str:
    """Describe every source record of a project as a Markdown page.

    Raises
    ------
    SourceError
        Where a record is wrong.
    """
    names = sorted(path.stem for path in (root / "data" / "sources").glob("*.toml"))
    records = [load_record(root, name) for name in names]
    return "\n".join([_HEAD, *_list(records), *(_describe(record) for record in records)])


def _list(records: list[Record]) -> list[str]:
    lines = ["| source | holds | kind | confidentiality |", "|---|---|---|---|"]
    lines += [f"| `{r.id}` | {r.title} | {r.kind} | {r.confidentiality} |" for r in records]
    return [*lines, ""]


def _describe(record: Record) -> str:
    facts = {
        "Producer": record.producer,
        "Kind": record.kind,
        "Confidentiality": f"{record.confidentiality}; protected unit: {record.protected_unit}",
        "Licence": record.licence,
        "Version": record.version,
        "Citation": record.citation,
        "Address": record.url or "none",
        "Agreement": record.agreement,
        "Questionnaire": record.questionnaire,
        "Caution": f'"{record.caution.quote}"' if record.caution else "",
    }
    lines = [f"## {record.id}: {record.title}", ""]
    lines += [f"- **{name}**: {value}" for name, value in facts.items() if value]
    for table in record.tables:
        lines += ["", f"Table `{table.name}`, key {', '.join(table.key)}:", ""]
        lines += [*_describe_files(table), ""] if record.kind == "file" else []
        lines += ["| column | type | unit | note |", "|---|---|---|---|"]
        lines += [f"| `{c.name}` | {c.type} | {c.unit} | {_remark(c)} |" for c in table.columns]
    return "\n".join([*lines, ""])


def _describe_files(table: Table) -> list[str]:
    facts = {
        "File": f"`{table.file}`" + (f", sheet `{table.sheet}`" if table.sheet else ""),
        "Fetched from": table.url,
        "In a mirror also": ", ".join(f"`{name}`" for name in table.mirrors),
        "Pinned to SHA-256": table.sha256,
        "Archived copies are stacked by": f"`{table.stack}`" if table.stack else "",
        "Only rows with": "; ".join(
            f"`{name}` {_shorten(values)}" for name, values in table.where.items()
        ),
    }
    return [f"- {name}: {value}" for name, value in facts.items() if value]


def _shorten(values: tuple[str, ...]) -> str:
    return ", ".join(values) if len(values) < 6 else f"{values[0]} … {values[-1]}"


def _remark(column: Column) -> str:
    bounds = f"From {column.range[0]:g} to {column.range[1]:g}." if column.range else ""
    return " ".join(filter(None, (bounds, column.note)))
