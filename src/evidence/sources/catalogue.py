"""Tell in Markdown what data there are, from the records alone."""

from __future__ import annotations

from pathlib import Path

from evidence.sources.record import Record, load_record

_HEAD = """# Data

Made from the records in `sources/` by `make data-readme`; edit the records, not this page.
Raw files lie in `raw/<id>/` and are never edited nor committed. Packs of countries and
sectors lie in `countries/` and `sectors/`: adding a country is adding a file.
"""


def describe_records(root: Path) -> str:
    """Describe every source record of a project as a Markdown page.

    Raises
    ------
    SourceError
        Where a record is wrong.
    """
    names = sorted(path.stem for path in (root / "data" / "sources").glob("*.toml"))
    return "\n".join([_HEAD, *(_describe(load_record(root, name)) for name in names)])


def _describe(record: Record) -> str:
    facts = {
        "Producer": record.producer,
        "Kind": record.kind,
        "Confidentiality": f"{record.confidentiality}; protected unit: {record.protected_unit}",
        "Licence": record.licence,
        "Version": record.version,
        "Citation": record.citation,
        "Address": record.url or "none",
    }
    lines = [f"## {record.id}: {record.title}", ""]
    lines += [f"- **{name}**: {value}" for name, value in facts.items()]
    for table in record.tables:
        lines += ["", f"Table `{table.name}`, key {', '.join(table.key)}:", ""]
        lines += ["| column | type | unit | note |", "|---|---|---|---|"]
        lines += [f"| `{c.name}` | {c.type} | {c.unit} | {c.note} |" for c in table.columns]
    return "\n".join([*lines, ""])
