"""Where data come from: a record (TOML) becomes a hashed, typed ``Snapshot``.

Three kinds of source: ``packaged`` (ships inside an installed package), ``file``
(lies under ``data/raw/<id>/``) and ``simulated`` (drawn from declared parameters).
"""

from __future__ import annotations

from evidence.sources.catalogue import describe_records
from evidence.sources.record import Column, Record, Table, load_record
from evidence.sources.simulated import simulate_factories
from evidence.sources.snapshot import (
    Provenance,
    Snapshot,
    combine_origins,
    fingerprint,
    list_sources,
    read_snapshot,
    read_sources,
)

__all__ = [
    "Column",
    "Provenance",
    "Record",
    "Snapshot",
    "Table",
    "combine_origins",
    "describe_records",
    "fingerprint",
    "list_sources",
    "load_record",
    "read_snapshot",
    "read_sources",
    "simulate_factories",
]
