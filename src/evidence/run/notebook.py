"""What a notebook must be before it runs, and how to tell that it ran."""

from __future__ import annotations

import ast
import builtins
import functools
import keyword
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat

from evidence.errors import RunError

_HEADING = re.compile(r"(?m)^#{1,6} (.+)$")
SENTINEL = "evidence-sentinel"
_INJECTED = "injected-parameters"
_HIDING = {"raises-exception", "skip-execution"}
_ANNOTATIONS: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool}


def load_notebook(path: Path) -> Any:
    """Load a notebook that is a source, not a record of a run.

    Raises
    ------
    RunError
        Where it is no notebook, or was executed before.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except Exception as error:
        raise RunError(
            path.name,
            seen=f"a file that is no valid notebook ({type(error).__name__})",
            expected="a notebook of format 4",
            do="Restore the notebook from version control.",
        ) from error
    if any("id" not in cell for cell in notebook.cells):
        raise RunError(
            path.name,
            seen="cells without an id",
            expected="notebook format 4.5, in which each cell has one",
            do="Open the notebook in JupyterLab and save it again.",
        )
    if "papermill" in notebook.metadata or _tagged(notebook, _INJECTED):
        raise RunError(
            path.name,
            seen="the record of an earlier run",
            expected="a source notebook",
            do="Run the notebook under notebooks/, not its executed copy.",
        )
    return notebook


def find_cells(path: Path, verb: str) -> list[str]:
    """Find the code cells of a notebook that call a verb, by their ids.

    Raises
    ------
    RunError
        Where it is no notebook, or was executed before.
    """
    state = path.stat() if path.is_file() else None
    return list(_find_cells(path, verb, state and (state.st_mtime_ns, state.st_size)))


@functools.lru_cache(maxsize=64)
def _find_cells(path: Path, verb: str, _: tuple[int, int] | None) -> tuple[str, ...]:
    """Find cells, once for each state of the file."""
    called = re.compile(rf"(?m)^[^#\n]*\b{re.escape(verb)}\s*\(")
    cells = load_notebook(path).cells
    return tuple(c.id for c in cells if c.cell_type == "code" and called.search(c.source))


def list_sections(notebook: Any) -> list[str]:
    """List the section that each cell of a notebook is in: the last heading above it."""
    sections, section = [], ""
    for cell in notebook.cells:
        headings = _HEADING.findall(cell.source) if cell.cell_type == "markdown" else []
        section = headings[-1].strip() if headings else section
        sections.append(section)
    return sections


def check_notebook(path: Path, names: tuple[str, ...]) -> dict[str, Any]:
    """Check that a notebook takes exactly these parameters, as literals.

    Returns
    -------
    dict
        Parameter → default value.

    Raises
    ------
    RunError
        Naming the notebook, the cell and the parameter.
    """
    notebook = load_notebook(path)
    cells = _tagged(notebook, "parameters")
    if len(cells) != 1:
        raise RunError(
            path.name,
            seen=f"{len(cells)} cells tagged 'parameters'",
            expected="exactly one",
            do="Tag the first code cell 'parameters'.",
        )
    defaults = _read_parameters(cells[0], path)
    if set(defaults) != set(names):
        raise RunError(
            f"{path.name}: cell '{cells[0].id}'",
            seen=f"parameters {', '.join(defaults)}",
            expected=", ".join(names),
            do="Parameters are study, output, seed and the keys of the study's [cases]; "
            "everything else belongs in the study file.",
        )
    for cell in notebook.cells:
        hiding = _HIDING & set(cell.metadata.get("tags", []))
        if cell.cell_type == "code" and hiding:
            raise RunError(
                f"{path.name}: cell '{cell.id}'",
                seen=f"the tag '{min(hiding)}', which hides a failure",
                expected="no such tag",
                do="Remove the tag.",
            )
    return defaults


def check_parameters(values: Mapping[str, Any], defaults: Mapping[str, Any], where: str) -> None:
    """Check names and types of parameters before papermill sees them.

    papermill pastes names into code, only warns of unknown ones and turns what is
    not JSON into text.

    Raises
    ------
    RunError
        Naming the parameter, what was seen and what was expected.
    """
    for name, value in values.items():
        if not name.isidentifier() or keyword.iskeyword(name) or hasattr(builtins, name):
            raise RunError(
                f"{where}: parameter {name!r}"[:120],
                seen="a name that Python cannot take",
                expected="a plain identifier",
                do="Rename the parameter.",
            )
        if name not in defaults:
            raise RunError(
                f"{where}: parameter '{name}'",
                seen="a name that the notebook does not declare",
                expected=", ".join(defaults),
                do="Check the spelling.",
            )
        if type(value) is not type(defaults[name]) or _is_odd(value):
            raise RunError(
                f"{where}: parameter '{name}'",
                seen=f"{value!r} ({type(value).__name__})",
                expected=f"{type(defaults[name]).__name__}",
                do="Give the value in that type; texts stay texts.",
            )


def check_complete(notebook: Any, token: str, where: str) -> int:
    """Prove that a run came to its end; return the count of code cells.

    Every cell is sound, and the sentinel behind the last one printed its token.
    papermill's own status proves none of it.

    Raises
    ------
    RunError
        Naming the cell where the proof fails.
    """
    check_cells(notebook, where)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    printed = "".join(output.get("text", "") for output in code[-1].outputs)
    if code[-1].id != SENTINEL or token not in printed:
        raise RunError(
            where,
            seen="no sign of life from the kernel after the last cell",
            expected="the sentinel's token",
            do="The kernel ended in the last cell: look for too little memory.",
        )
    return len(code) - 1


def check_cells(notebook: Any, where: str) -> None:
    """Check that every code cell was counted by the kernel, and none holds an error.

    Raises
    ------
    RunError
        Naming the first cell that did not run as it should.
    """
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        for output in cell.outputs:
            if output.output_type == "error":
                raise RunError(
                    f"{where}: cell '{cell.id}'",
                    seen=f"{output.ename}: {output.evalue}"[:600],
                    expected="a cell without an error",
                    do="Open the failed notebook; the error stands below that cell.",
                )
        if cell.execution_count is None and cell.source.strip():
            raise RunError(
                f"{where}: cell '{cell.id}'",
                seen="a cell that never ran",
                expected="every cell run",
                do="The kernel ended before it: look for too little memory or an early exit.",
            )


def add_sentinel(notebook: Any, token: str) -> None:
    """Append a cell that shows, once run, that the kernel lived to the end."""
    notebook.cells.append(nbformat.v4.new_code_cell(f'print("{token}")', id=SENTINEL))


def clean_record(notebook: Any, evidence: dict[str, Any]) -> None:
    """Take sentinel, times and paths out of an executed notebook, for equal bytes."""
    notebook.cells = [cell for cell in notebook.cells if cell.id != SENTINEL]
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        cell.metadata = {"tags": tags} if tags else {}
        if _INJECTED in tags:
            cell.id = _INJECTED
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    kernelspec = notebook.metadata.get("kernelspec", {})
    notebook.metadata = nbformat.from_dict({"kernelspec": kernelspec, "evidence": evidence})


def _tagged(notebook: Any, tag: str) -> list[Any]:
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


def _read_parameters(cell: Any, path: Path) -> dict[str, Any]:
    defaults: dict[str, Any] = {}
    try:
        statements = ast.parse(cell.source).body
        for statement in statements:
            name, value = _read_assignment(statement)
            defaults[name] = value
    except (SyntaxError, ValueError) as error:
        raise RunError(
            f"{path.name}: cell '{cell.id}'",
            seen=f"something other than names set to literals ({error})",
            expected='lines such as seed: int = 1 or study: str = "plants"',
            do="Keep literals only; derive everything else in later cells.",
        ) from error
    return defaults


def _read_assignment(statement: ast.stmt) -> tuple[str, Any]:
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        if statement.value is None:
            raise ValueError(f"{statement.target.id} has no default")
        value = ast.literal_eval(statement.value)
        declared = _ANNOTATIONS.get(ast.unparse(statement.annotation))
        if declared is not None and type(value) is not declared:
            raise ValueError(f"{statement.target.id} is declared {declared.__name__}")
        return statement.target.id, value
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id, ast.literal_eval(statement.value)
    raise ValueError(ast.unparse(statement))


def _is_odd(value: Any) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    return isinstance(value, str) and any(0xD800 <= ord(c) <= 0xDFFF for c in value)
