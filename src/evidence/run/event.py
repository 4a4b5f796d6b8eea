"""What a run tells while it goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from evidence.run.plan import Job

Kind = Literal["unchanged", "start", "cell", "done", "failed"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a job.

    Of a ``cell`` that begins, ``cell`` is its place among the ``of`` code cells, from 1, and
    ``section`` the heading above it. ``worker`` names who executes the job, on a cluster.
    """

    job: Job
    kind: Kind
    cell: int = 0
    of: int = 0
    section: str = ""
    worker: str = ""


Tell = Callable[[Event], None]
"""What a run calls with each event, from any of its threads."""
