"""Execute a study's notebooks, prove that they ran to the end, keep what they give.

Loaded when first asked for: papermill looks in here for its engine at each start.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evidence.run.execute import Failure as Failure
    from evidence.run.history import MOST_KEPT as MOST_KEPT
    from evidence.run.history import list_history as list_history
    from evidence.run.history import mark_published as mark_published
    from evidence.run.history import name_run as name_run
    from evidence.run.history import read_manifest as read_manifest
    from evidence.run.lock import NOT_THERE as NOT_THERE
    from evidence.run.lock import PACKS as PACKS
    from evidence.run.lock import fingerprint_source as fingerprint_source
    from evidence.run.lock import lock_study as lock_study
    from evidence.run.notebook import check_notebook as check_notebook
    from evidence.run.notebook import check_parameters as check_parameters
    from evidence.run.notebook import find_cells as find_cells
    from evidence.run.notebook import load_notebook as load_notebook
    from evidence.run.plan import Job as Job
    from evidence.run.plan import plan_runs as plan_runs
    from evidence.run.runner import Run as Run
    from evidence.run.runner import check_fresh as check_fresh
    from evidence.run.runner import find_fresh as find_fresh
    from evidence.run.runner import run_study as run_study

_MODULE = {
    "Failure": "execute",
    "Job": "plan",
    "MOST_KEPT": "history",
    "NOT_THERE": "lock",
    "PACKS": "lock",
    "Run": "runner",
    "check_fresh": "runner",
    "check_notebook": "notebook",
    "check_parameters": "notebook",
    "find_cells": "notebook",
    "find_fresh": "runner",
    "fingerprint_source": "lock",
    "list_history": "history",
    "load_notebook": "notebook",
    "lock_study": "lock",
    "mark_published": "history",
    "name_run": "history",
    "plan_runs": "plan",
    "read_manifest": "history",
    "run_study": "runner",
}

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


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module 'evidence.run' has no attribute '{name}'")
    return getattr(importlib.import_module(f"evidence.run.{_MODULE[name]}"), name)
