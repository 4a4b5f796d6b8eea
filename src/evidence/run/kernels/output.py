"""Where papermill's output goes: the file itself when it is good, beside it when it failed."""

from __future__ import annotations

from pathlib import Path


def is_local(output: str) -> bool:
    """Tell whether papermill would write to a file of this machine."""
    return output != "-" and "://" not in output


def name_failed(output: str | Path) -> Path:
    """Name the file for a notebook that failed: ``out.failed.ipynb``."""
    path = Path(output)
    return path.with_name(f"{path.stem}.failed{path.suffix}")
