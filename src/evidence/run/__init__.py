"""Execute a study's notebooks, prove that they ran to the end, keep what they give.

What runs and joins is loaded when it is first asked for: where nothing is stale, the plan is
all that is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evidence.later import load_later

if TYPE_CHECKING:
    from evidence.run.event import Event, Tell
    from evidence.run.execute import Failure
    from evidence.run.fresh import check_fresh, find_fresh
    from evidence.run.history import (
        MOST_KEPT,
        list_history,
        list_papers,
        mark_published,
        name_run,
        read_manifest,
    )
    from evidence.run.lock import NOT_THERE, PACKS, fingerprint_source, lock_study
    from evidence.run.notebook import (
        check_notebook,
        check_parameters,
        find_cells,
        list_sections,
        load_notebook,
    )
    from evidence.run.plan import Job, plan_runs
    from evidence.run.runner import Run, run_studies, run_study
    from evidence.run.verify import (
        RECORDS,
        Comparison,
        compare_bytes,
        find_records,
        is_good,
        is_same_place,
        replay,
    )

_MODULE = {
    "event": ("Event", "Tell"),
    "execute": ("Failure",),
    "fresh": ("check_fresh", "find_fresh"),
    "history": ("MOST_KEPT", "list_history", "list_papers", "mark_published", "name_run",
                "read_manifest"),
    "lock": ("NOT_THERE", "PACKS", "fingerprint_source", "lock_study"),
    "notebook": ("check_notebook", "check_parameters", "find_cells", "list_sections",
                 "load_notebook"),
    "plan": ("Job", "plan_runs"),
    "runner": ("Run", "run_studies", "run_study"),
    "verify": ("RECORDS", "Comparison", "compare_bytes", "find_records", "is_good",
               "is_same_place", "replay"),
}  # fmt: skip

__all__ = [
    "MOST_KEPT",
    "NOT_THERE",
    "PACKS",
    "RECORDS",
    "Comparison",
    "Event",
    "Failure",
    "Job",
    "Run",
    "Tell",
    "check_fresh",
    "check_notebook",
    "check_parameters",
    "compare_bytes",
    "find_cells",
    "find_fresh",
    "find_records",
    "fingerprint_source",
    "is_good",
    "is_same_place",
    "list_history",
    "list_papers",
    "list_sections",
    "load_notebook",
    "lock_study",
    "mark_published",
    "name_run",
    "plan_runs",
    "read_manifest",
    "replay",
    "run_studies",
    "run_study",
]

__getattr__ = load_later(__name__, _MODULE)
