"""Execute a study's notebooks, prove that they ran to the end, keep what they give."""

from __future__ import annotations

from evidence.run.execute import Failure
from evidence.run.history import MOST_KEPT, list_history, mark_published, name_run, read_manifest
from evidence.run.lock import NOT_THERE, PACKS, fingerprint_source, lock_study
from evidence.run.notebook import check_notebook, check_parameters, find_cells, load_notebook
from evidence.run.plan import Job, plan_runs
from evidence.run.runner import Run, check_fresh, find_fresh, run_study

__all__ = [
    "MOST_KEPT",
    "NOT_THERE",
    "PACKS",
    "Failure",
    "Job",
    "Run",
    "check_fresh",
    "check_notebook",
    "check_parameters",
    "find_cells",
    "find_fresh",
    "fingerprint_source",
    "list_history",
    "load_notebook",
    "lock_study",
    "mark_published",
    "name_run",
    "plan_runs",
    "read_manifest",
    "run_study",
]
