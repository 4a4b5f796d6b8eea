"""Say in plain words that the disk is full, or closed to reading or writing."""

from __future__ import annotations

from pathlib import Path

from evidence.errors import RunError
from evidence.study import Study


def explain_disk(study: Study, error: OSError) -> RunError:
    """Explain what the system refused while a study ran."""
    return RunError(
        f"{study.slug}: {Path(error.filename).name if error.filename else 'results'}",
        seen=f"what cannot be read or written ({error.strerror or error})",
        expected=f"room and rights under reports/internal/{study.slug}/",
        do="Make room, or mend the folder's rights, and run again: what is done is kept.",
    )
