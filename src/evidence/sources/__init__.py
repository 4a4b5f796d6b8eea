"""Where data come from: a record (TOML) becomes a hashed, typed ``Snapshot``.

Three kinds of source: ``packaged`` (ships inside an installed package), ``file``
(lies under ``data/raw/<id>/``) and ``simulated`` (drawn from declared parameters).
``evidence.sources.fetch`` is not loaded from here: no notebook's kernel opens the network.
"""

from __future__ import annotations

from evidence.sources.archive import archive_file, list_versions, read_version
from evidence.sources.catalogue import describe_records
from evidence.sources.copies import Archived
from evidence.sources.identity import ACCEPT_ABOVE, ASK_FROM
from evidence.sources.reading.alike import find_alike
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
    "ACCEPT_ABOVE",
    "ASK_FROM",
    "Archived",
    "Column",
    "Provenance",
    "Record",
    "Snapshot",
    "Table",
    "archive_file",
    "combine_origins",
    "describe_records",
    "find_alike",
    "fingerprint",
    "list_sources",
    "list_versions",
    "load_record",
    "read_snapshot",
    "read_sources",
    "read_version",
    "simulate_factories",
]
