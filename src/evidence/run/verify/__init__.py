"""Execute a study's records again, elsewhere, and compare every output and every table."""

from __future__ import annotations

from evidence.run.verify.compare import Comparison, compare_bytes, compare_texts, is_good
from evidence.run.verify.replay import RECORDS, Replay, find_records, is_same_place, replay

__all__ = [
    "RECORDS",
    "Comparison",
    "Replay",
    "compare_bytes",
    "compare_texts",
    "find_records",
    "is_good",
    "is_same_place",
    "replay",
]
