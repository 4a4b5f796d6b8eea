"""Judge an executed notebook by what its cells hold, whatever its metadata claim."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import nbformat

FATAL_WARNINGS = (
    "AbsorbingEffectWarning",
    "ConvergenceWarning",
    "HessianInversionWarning",
    "LinAlgWarning",
    "MissingValueWarning",
    "RankWarning",
    "SingularMatrixWarning",
)
"""Categories after which an estimate is not what it seems; a cell may accept one by its tag."""

_FATAL_TEXT = re.compile(
    r"not (\w+ )?full rank|rank.deficient|singular matrix|failed to converge", re.I
)
_ACCEPTS = "accepts-"


def judge_cell(cell: Any, reply: Any, told: Sequence[dict[str, Any]]) -> tuple[str, str] | None:
    """Judge a cell that has just run without an error.

    Parameters
    ----------
    reply : mapping or None
        The kernel's answer to the request to run the cell.
    told : sequence of dict
        Warnings raised in the cell, each with its ``kinds`` and its ``message``.

    Returns
    -------
    tuple of str, or None
        Name and description of what is wrong; None where the cell is sound.
    """
    for payload in (reply or {}).get("content", {}).get("payload", []):
        if payload.get("source") == "ask_exit":
            return "EarlyExit", "the cell asks the kernel to exit"
    for warning in told:
        if is_fatal(warning, cell.metadata.get("tags", [])):
            return warning["kinds"][0], warning["message"]
    return None


def is_fatal(warning: dict[str, Any], tags: Sequence[str]) -> bool:
    """Tell whether a warning fails a run whose cell has these tags."""
    if any(_ACCEPTS + kind in tags for kind in warning["kinds"]):
        return False
    named = any(kind in FATAL_WARNINGS for kind in warning["kinds"])
    return named or bool(_FATAL_TEXT.search(warning["message"]))


def judge_notebook(notebook: Any) -> tuple[int, str, str] | None:
    """Find the first cell that did not run as it should.

    Returns
    -------
    tuple, or None
        Position of the cell, name and description of what is wrong.
    """
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type != "code" or "skip-execution" in cell.metadata.get("tags", []):
            continue
        for output in cell.outputs:
            if output.output_type == "error" and output.ename == "SystemExit":
                return index, "EarlyExit", "the notebook ends itself here; later cells never ran"
            if output.output_type == "error":
                return index, output.ename, output.evalue
        if cell.execution_count is None and cell.source.strip():
            return index, "CellNeverRan", "the kernel ended before this cell"
    return None


def mark_cell(cell: Any, name: str, description: str) -> None:
    """Write below a cell what is wrong, as an error of its own."""
    text = f"{name}: {description}"
    error = nbformat.v4.new_output("error", ename=name, evalue=description, traceback=[text])
    cell.outputs = [*cell.get("outputs", []), error]
