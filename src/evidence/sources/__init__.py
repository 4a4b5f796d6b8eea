"""Where data come from: a record (TOML) becomes a hashed, typed ``Snapshot``.

Three kinds of source: ``packaged`` (ships inside an installed package), ``file``
(lies under ``data/raw/<id>/``) and ``simulated`` (drawn from declared parameters).
``evidence.sources.fetch`` is not loaded from here: no notebook's kernel opens the network.
What reads rows is loaded when it is first asked for: to plan a run, hashes of files do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evidence.later import load_later

if TYPE_CHECKING:
    from evidence.sources.archive import archive_file, list_versions, read_version
    from evidence.sources.catalogue import describe_records
    from evidence.sources.copies import Archived
    from evidence.sources.files import describe_case, fingerprint, list_raw, list_unfetched
    from evidence.sources.identity import ACCEPT_ABOVE, ASK_FROM
    from evidence.sources.reading.alike import find_alike
    from evidence.sources.record import Column, Record, Table, load_record
    from evidence.sources.simulated.equations import simulate_equations
    from evidence.sources.simulated.factories import simulate_factories
    from evidence.sources.snapshot import (
        Provenance,
        Snapshot,
        combine_origins,
        hash_cases,
        list_sources,
        read_snapshot,
        read_sources,
    )

_MODULE = {
    "archive": ("archive_file", "list_versions", "read_version"),
    "catalogue": ("describe_records",),
    "copies": ("Archived",),
    "files": ("describe_case", "fingerprint", "list_raw", "list_unfetched"),
    "identity": ("ACCEPT_ABOVE", "ASK_FROM"),
    "reading.alike": ("find_alike",),
    "record": ("Column", "Record", "Table", "load_record"),
    "simulated.equations": ("simulate_equations",),
    "simulated.factories": ("simulate_factories",),
    "snapshot": ("Provenance", "Snapshot", "combine_origins", "hash_cases", "list_sources",
                 "read_snapshot", "read_sources"),
}  # fmt: skip

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
    "describe_case",
    "describe_records",
    "find_alike",
    "fingerprint",
    "hash_cases",
    "list_raw",
    "list_sources",
    "list_unfetched",
    "list_versions",
    "load_record",
    "read_snapshot",
    "read_sources",
    "read_version",
    "simulate_equations",
    "simulate_factories",
]

__getattr__ = load_later(__name__, _MODULE)
