"""What changed between two runs, finding by finding, and why."""

from __future__ import annotations

from evidence.changes.compare import compare_runs
from evidence.changes.kept import Kept, find_run
from evidence.changes.noun import Caution, Change, Component, Counts, Move, RunName
from evidence.changes.report import as_document, list_lines, write_change

__all__ = [
    "Caution",
    "Change",
    "Component",
    "Counts",
    "Kept",
    "Move",
    "RunName",
    "as_document",
    "compare_runs",
    "find_run",
    "list_lines",
    "write_change",
]
