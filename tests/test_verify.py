from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import pytest

from conftest import copy_project, finish
from evidence.brief import write_briefs
from evidence.disclosure import clear
from evidence.errors import RunError
from evidence.kit import Proof, list_lines, verify_study
from evidence.kit.verify import TOLERANCE
from evidence.neck import read_neck
from evidence.run import Comparison, compare_bytes, is_good, run_study
from evidence.run.verify import compare_texts
from evidence.run.verify.replay import _compare_cells
from evidence.study import Study, load_study

PLACE = Comparison("a.ipynb", "cell", "Models")
CELL = "estimates-within"


def _study(root: Path) -> Study:
    return load_study(root / "notebooks/studies/plants.toml")


def _alter_number(text: str, pattern: str) -> str:
    """Change the last digit of the first number that a pattern finds."""
    found = re.search(pattern, text)
    assert found is not None
    last = found.end(1) - 1
    return f"{text[:last]}{(int(text[last]) + 1) % 10}{text[last + 1 :]}"


@pytest.fixture(scope="module")
def proof(tmp_path_factory: pytest.TempPathFactory) -> Proof:
    """Verify a run of which one number in a cell, a table and a public file were altered."""
    study = _study(copy_project(tmp_path_factory.mktemp("verify") / "a project"))
    assert not run_study(study).failures
    write_briefs(clear(read_neck(study.internal), study))
    record = study.internal / "cases/all/plants/plants.ipynb"
    notebook = nbformat.read(record, as_version=4)
    cell = next(cell for cell in notebook.cells if cell.id == CELL)
    shown = cell.outputs[0].data["text/html"]
    cell.outputs[0].data["text/html"] = _alter_number(shown, r">(-?0\.\d+)<")
    nbformat.write(notebook, record)
    for path in (study.internal / "exhibits/findings.csv", study.public / "tables.csv"):
        path.write_text(_alter_number(path.read_text("utf-8"), r",(-?\d+\.\d+),"), "utf-8")
    return verify_study(study)


def test_what_was_altered_is_named_and_everything_else_is_reproduced(proof: Proof) -> None:
    bad = [(c.file, c.cell, c.section) for c in proof.comparisons if c.verdict != "reproduced"]
    assert bad == [
        ("all/plants.ipynb", CELL, "Models"),
        ("exhibits/findings.csv", "", ""),
        ("reports/public/plants/tables.csv", "", ""),
    ]
    assert not proof.good
    assert proof.same_place
    names = {c.file for c in proof.comparisons}
    assert {"estimates.csv", "cases/all/plants/panel.parquet"} <= names
    assert {"brief.en.html", "brief.en.pdf"} <= {Path(name).name for name in names}
    assert sum(c.file == "all/plants.ipynb" for c in proof.comparisons) >= 15


def test_the_report_says_where_what_and_by_how_much(proof: Proof) -> None:
    first, *_, last = list_lines(proof)
    assert re.match(
        rf"different: all/plants\.ipynb, cell '{CELL}' \(Models\): was -?0\.\d+, came -?0\.\d+, "
        r"relative difference \d",
        first,
    )
    assert last.startswith("NOT reproduced: 3 differ; ")
    document = json.loads((proof.study.internal / "verify.json").read_text("utf-8"))
    assert document["verdict"] == "different"
    assert [c["cell"] for c in document["comparisons"]] == [CELL, "", ""]
    assert 0 < document["comparisons"][0]["relative"] < 1


def test_verifying_leaves_results_alone_and_nothing_behind(proof: Proof) -> None:
    internal = proof.study.internal
    assert not (internal / "verifying").exists()
    assert not (internal / "running").exists()
    before = json.loads((internal / "manifest.json").read_text("utf-8"))
    assert before["processor"]["machine"]
    assert (internal / "verify.json").stat().st_mode & 0o777 == 0o600


def test_a_study_without_a_run_is_told_to_run(fresh_project: Path) -> None:
    with pytest.raises(RunError, match=r"no finished run.*evidence run plants\.toml"):
        verify_study(_study(fresh_project))


def test_a_study_without_briefs_is_told_to_write_them(fresh_project: Path) -> None:
    study = _study(fresh_project)
    finish(study)
    with pytest.raises(RunError, match=r"no public files.*evidence brief plants\.toml"):
        verify_study(study)


@pytest.mark.parametrize(
    ("came", "tolerance", "verdict", "relative"),
    [
        ("b = 0.5, p = 2", None, "reproduced", None),
        ("b = 0.50000000001, p = 2", 1e-9, "close", 2e-11),
        ("b = 0.50000000001, p = 2", None, "different", 2e-11),
        ("b = 0.6, p = 2", 1e-9, "different", 1 / 6),
        ("b = −0.5, p = 2", 1e-9, "different", 2.0),
        ("c = 0.5, p = 2", 1e-9, "different", None),
        ("b = 0.5, p = 2, q = 1", 1e-9, "different", None),
    ],
)
def test_texts_are_compared_by_their_numbers(
    came: str, tolerance: float | None, verdict: str, relative: float | None
) -> None:
    found = compare_texts(PLACE, "b = 0.5, p = 2", came, tolerance)
    assert found.verdict == verdict
    assert found.relative == (None if relative is None else pytest.approx(relative, rel=1e-3))


def test_hashes_and_pictures_follow_the_numbers() -> None:
    was, came = ('{"sha256": "0a1b2c3d4e5f", "b": 1.0}', '{"sha256": "5f4e3d2c1b0a", "b": 1.0}')
    assert compare_texts(PLACE, was, came, TOLERANCE).verdict == "close"
    assert compare_texts(PLACE, was, came, None).verdict == "different"


@pytest.mark.parametrize(
    ("was", "came", "tolerance", "verdict"),
    [
        (b"%PDF \xff 1", b"%PDF \xff 1", None, "reproduced"),
        (b"%PDF \xff 1", b"%PDF \xff 2", None, "different"),
        (b"%PDF \xff 1", b"%PDF \xff 2", 1e-9, "close"),
        (None, b"1", 1e-9, "different"),
        (b"1", None, 1e-9, "different"),
    ],
)
def test_files_are_compared_as_bytes(
    was: bytes | None, came: bytes | None, tolerance: float | None, verdict: str
) -> None:
    found = compare_bytes(PLACE, was, came, tolerance)
    assert found.verdict == verdict
    assert is_good([found]) == (verdict != "different")


def test_a_cell_whose_source_is_not_the_notebooks_is_named(fresh_project: Path) -> None:
    study = _study(fresh_project)
    stored = nbformat.read(study.root / "notebooks/plants.ipynb", as_version=4)
    injected = nbformat.v4.new_code_cell("seed = 1", id="injected-parameters")
    at = next(n for n, cell in enumerate(stored.cells) if cell.id == "parameters")
    stored.cells.insert(at + 1, injected)
    stored.cells[-1].source += "\n# and more"
    seen = {c.id: {"outputs": [], "error": ""} for c in stored.cells}
    seen["load-study"]["error"] = "ValueError: no"
    found = list(_compare_cells(study, "plants", "all/plants.ipynb", stored, seen, None))
    bad = [(c.cell, c.came) for c in found if c.verdict == "different"]
    assert bad[0] == ("load-study", "ValueError: no")
    assert [cell for cell, _ in bad] == ["load-study", stored.cells[-1].id]
