"""What a committed notebook must be (CONTRIBUTING, "Notebooks")."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

from evidence.run import check_notebook
from evidence.study import PARAMETERS, load_study

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
STUDIES = sorted(p for p in (ROOT / "notebooks/studies").glob("*.toml") if "." not in p.stem)
SECTIONS = ("Parameters", "Study", "Data and where it comes from", "Panel", "Models", "Findings",
            "Robustness", "Limits", "Record")  # fmt: skip
REPORT = "data_report"
CALM = (ast.Expr, ast.Assign, ast.AnnAssign, ast.Import)


def _read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def _code(path: Path) -> list[Any]:
    return [cell for cell in _read(path).cells if cell.cell_type == "code"]


def test_there_is_a_notebook_for_every_study() -> None:
    assert {p.stem for p in NOTEBOOKS} == {p.stem for p in STUDIES} | {REPORT}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_it_is_stripped_with_fixed_ids_and_plain_metadata(path: Path) -> None:
    notebook = _read(path)
    ids = [cell.id for cell in notebook.cells]
    assert len(ids) == len(set(ids))
    for cell in notebook.cells:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", cell.id), cell.id
        assert set(cell.metadata) <= {"tags"}
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
    assert set(notebook.metadata) == {"kernelspec"}
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.metadata.kernelspec.language == "python"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_it_is_short_and_holds_no_logic(path: Path) -> None:
    cells = _code(path)
    assert len(cells) <= 20
    for cell in cells:
        assert len(cell.source.splitlines()) <= 12
        assert not re.search(r"^\s*[%!]", cell.source, re.MULTILINE)
        body = ast.parse(cell.source).body
        for node in body:
            assert isinstance(node, CALM), ast.unparse(node)
        for node in body[:-1]:
            assert not isinstance(node, ast.Expr), f"not shown: {ast.unparse(node)}"
    imports = re.findall(r"^(?:import|from) .*", "\n".join(c.source for c in cells), re.MULTILINE)
    assert imports == ["import evidence as ev"]


@pytest.mark.parametrize("path", [p for p in NOTEBOOKS if p.stem != REPORT], ids=lambda p: p.stem)
def test_its_sections_are_the_rooms_in_order(path: Path) -> None:
    text = "\n".join(c.source for c in _read(path).cells if c.cell_type == "markdown")
    assert tuple(re.findall(r"^## (.+)$", text, re.MULTILINE)) == SECTIONS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_its_prose_types_no_figure(path: Path) -> None:
    for cell in _read(path).cells:
        if cell.cell_type == "markdown":
            assert not re.search(r"\d|%", cell.source), cell.id


@pytest.mark.parametrize("path", STUDIES, ids=lambda p: p.stem)
def test_its_parameters_are_those_of_its_study(path: Path) -> None:
    study = load_study(path)
    names = (*PARAMETERS, *study.cases[0].values)
    for notebook in study.notebooks:
        defaults = check_notebook(ROOT / "notebooks" / f"{notebook}.ipynb", names)
        assert defaults["study"] == study.slug
        assert defaults["output"] == ""
