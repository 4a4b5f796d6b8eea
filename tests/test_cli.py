from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from conftest import copy_project
from evidence.cli import main
from evidence.study import load_study


def _call(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    return result.exit_code, result.output


def test_check_says_what_is_due_and_runs_nothing(fresh_project: Path) -> None:
    code, text = _call("check", fresh_project / "notebooks/studies/value_chains.toml")
    assert code == 0
    assert "value_chains: good. 7 notebook runs, 7 of them due." in text
    assert "BGD-electronics" in text
    assert not (fresh_project / "reports").exists()


def test_a_wrong_study_file_is_told_before_anything_runs(fresh_project: Path) -> None:
    good = fresh_project / "notebooks/studies/plants.toml"
    bad = fresh_project / "notebooks/studies/bargaining.toml"
    bad.write_text(bad.read_text("utf-8").replace("outcome =", "outcom =", 1), "utf-8")
    code, text = _call("run", good, bad)
    assert code == 1
    assert text.startswith("error: bargaining.toml: specifications[1].outcom: an unknown key")
    assert "did you mean 'outcome'?" in text
    assert not (fresh_project / "reports").exists()


def test_a_brief_without_a_run_is_refused(fresh_project: Path) -> None:
    code, text = _call("brief", fresh_project / "notebooks/studies/plants.toml")
    assert code == 1
    assert "no finished run" in text


def test_an_unknown_study_names_its_neighbours(
    fresh_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(fresh_project)
    code, text = _call("check", "plant")
    assert code == 1
    assert "did you mean 'plants'?" in text


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Run ``plants`` to its brief in two separate copies of the project."""
    roots = tuple(copy_project(tmp_path_factory.mktemp(name) / "p") for name in ("one", "two"))
    for root in roots:
        study = root / "notebooks/studies/plants.toml"
        code, text = _call("run", study)
        assert code == 0, text
        assert "plants: plants start (no earlier result)" in text
        assert "plants: 1 run, 0 unchanged, 0 failed" in text
        code, text = _call("brief", study)
        assert code == 0, text
        assert text.rstrip().endswith("reports/public/index.html")
    return roots[0], roots[1]


def test_two_runs_give_the_same_public_bytes(twins: tuple[Path, Path]) -> None:
    one, two = (root / "reports/public" for root in twins)
    files = sorted(p.relative_to(one) for p in one.rglob("*") if p.is_file())
    spoken = load_study(twins[0] / "notebooks/studies/plants.toml").brief.languages
    kinds = ("html", "json", "pdf")
    pages = {f"plants/brief.{code}.{kind}" for code in spoken for kind in kinds}
    assert {"index.html", "briefs.json"} | pages <= {f.as_posix() for f in files}
    for file in files:
        assert (one / file).read_bytes() == (two / file).read_bytes(), file


def test_two_runs_give_the_same_neck(twins: tuple[Path, Path]) -> None:
    one, two = (root / "reports/internal/plants" for root in twins)
    names = ("estimates.csv", "findings.json", "exhibits/findings.csv", "protected.json",
             "cases/all/plants/plants.ipynb")  # fmt: skip
    for name in names:
        assert (one / name).read_bytes() == (two / name).read_bytes(), name


def test_a_second_call_says_that_nothing_changed(twins: tuple[Path, Path]) -> None:
    code, text = _call("run", twins[0] / "notebooks/studies/plants.toml")
    assert code == 0
    assert "plants: 0 run, 1 unchanged, 0 failed" in text


def test_a_failed_notebook_is_told_and_the_exit_code_says_so(fresh_project: Path) -> None:
    path = fresh_project / "notebooks/plants.ipynb"
    path.write_text(path.read_text("utf-8").replace("plan.heading.question", "1 / 0"), "utf-8")
    code, text = _call("run", fresh_project / "notebooks/studies/plants.toml")
    assert code == 1
    assert "cell 'load-study': ZeroDivisionError: division by zero" in text
    assert "reports/internal/plants/failed/all-plants.ipynb" in text
    assert "plants: 0 run, 0 unchanged, 1 failed" in text
