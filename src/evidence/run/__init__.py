"""Execute a study's notebooks, prove that they ran to the end, keep what they give."""

from __future__ import annotations

from evidence.run.notebook import check_notebook, check_parameters
from evidence.run.runner import Failure, Job, Run, check_fresh, plan_runs, run_study

__all__ = [
    "Failure",
    "Job",
    "Run",
    "check_fresh",
    "check_notebook",
    "check_parameters",
    "plan_runs",
    "run_study",
]
