"""What makes a run due: keys of what a kernel reads, named piece by piece."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from conftest import ROOT, copy_project, finish
from evidence.files import replace_file
from evidence.run import inputs as inputs_room
from evidence.run import plan_runs
from evidence.run.execute import as_json
from evidence.run.inputs import list_code, list_environment, list_languages
from evidence.sources import hash_cases, list_unfetched, read_snapshot, read_sources
from evidence.study import Study, list_slugs, load_study

RECORD = """
id = "visits"
kind = "file"
title = "Visits"
producer = "p"
citation = "c"
url = ""
licence = "l"
version = "1"
confidentiality = "public"
protected_unit = "factory"

[[tables]]
name = "visits"
file = "visits.csv"
key = ["factory", "year"]
columns = [
    { name = "factory", type = "text", unit = "identifier" },
    { name = "country", type = "text", unit = "identifier" },
    { name = "year", type = "integer", unit = "year" },
    { name = "output", type = "number", unit = "pieces" },
    { name = "union", type = "integer", unit = "indicator" },
]
"""
STUDY = """
schema_version = 1

[study]
slug = "two"
title = "Two countries"
question = "Does output differ with a union?"

[cases]
country = ["BGD", "KHM"]

[data]
sources = ["visits"]

[[variables]]
name = "factory"
role = "entity"
level = "factory"
unit = "identifier"

[[variables]]
name = "year"
role = "time"
level = "factory"
unit = "year"

[[variables]]
name = "output"
role = "outcome"
level = "factory-cycle"
unit = "pieces"

[[variables]]
name = "union"
role = "exposure"
level = "factory-cycle"
unit = "indicator"
label.en = "a union"

[[specifications]]
id = "within"
notebook = "two"
estimator = "fixed_effects"
outcome = "output"
exposure = "union"
effects = ["entity"]

[[claims]]
id = "union"
specification = "within"

[brief]
audiences = ["government"]
text.en.background = "Before."
"""
ROWS = ["factory,country,year,output,union"] + [
    f"{country}-{unit},{country},{year},{10 + unit + year % 3},{(unit + year) % 2}"
    for country in ("BGD", "KHM")
    for unit in range(3)
    for year in (2020, 2021, 2022)
]


def _settle(study: Study) -> None:
    """Write what a finished run of every job leaves, as far as a plan reads it."""
    for job in plan_runs(study, keep=True):
        told = {"parts": job.parts, "pieces": job.pieces, "seconds": 2.5, "files": {}}
        replace_file(job.folder / "run.json", as_json(told))


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def _due(study: Study) -> dict[str, str]:
    return {job.case.id: job.why for job in plan_runs(load_study(study.path)) if job.why}


@pytest.fixture
def two(tmp_path: Path) -> Study:
    """Return a study of two countries whose rows lie in one file, as if it had run."""
    root = copy_project(tmp_path / "p")
    (root / "data/sources/visits.toml").write_text(RECORD, "utf-8")
    raw = root / "data/raw/visits/visits.csv"
    raw.parent.mkdir(parents=True)
    raw.write_text("\n".join(ROWS), "utf-8")
    path = root / "notebooks/studies/two.toml"
    path.write_text(STUDY, "utf-8")
    notebook = nbformat.read(root / "notebooks/plants.ipynb", as_version=4)
    cell = next(c for c in notebook.cells if c.id == "parameters")
    cell.source = 'study: str = "two"\noutput: str = ""\nseed: int = 1\ncountry: str = "BGD"'
    nbformat.write(notebook, root / "notebooks/two.ipynb")
    study = load_study(path)
    _settle(study)
    assert _due(study) == {}
    return study


def _add_row(study: Study) -> None:
    raw = study.root / "data/raw/visits/visits.csv"
    raw.write_text("\n".join([*ROWS, "BGD-9,BGD,2022,11.5,1"]), "utf-8")


def test_new_rows_of_one_country_rerun_that_country_only(two: Study) -> None:
    _add_row(two)
    wanted = "new data in source 'visits' for this case: 10 rows, earlier 9"
    assert _due(two) == {"BGD": wanted}


def test_a_kernel_sees_nothing_of_other_cases(two: Study) -> None:
    before = read_sources(two, two.cases[1], 1)[0]
    _add_row(two)
    after = read_sources(two, two.cases[1], 1)[0]
    pd.testing.assert_frame_equal(before.tables["visits"], after.tables["visits"])
    assert before.sha256 == after.sha256
    assert before.steps.equals(after.steps)
    assert before.readings.equals(after.readings)
    other = [read_snapshot(two.root, "visits", seed=1, case=c.values).sha256 for c in two.cases]
    assert after.sha256 not in other


def test_the_plan_hashes_the_rows_that_the_kernel_names(two: Study) -> None:
    planned = hash_cases(two.root, "visits", two.cases, seed=1)
    for case in two.cases:
        (snapshot,) = read_sources(two, case, 1)
        assert planned[case.id] == (snapshot.sha256, 9)


@pytest.mark.parametrize(
    ("old", "new"), [("KHM-1,KHM,2021,", "KHM-1,KHM,2021,1"), ("KHM-1,KHM", "KHM-7,KHM")]
)
def test_a_changed_value_is_seen(two: Study, old: str, new: str) -> None:
    _edit(two.root / "data/raw/visits/visits.csv", old, new)
    assert list(_due(two)) == ["KHM"]


def test_rows_are_read_once_for_the_same_files(two: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("rows were read again")

    monkeypatch.setattr("evidence.sources.snapshot.hash_cases", refuse)
    assert _due(two) == {}


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"sources": {}}', "other hash"])
def test_a_damaged_cache_of_rows_is_found_and_rebuilt(two: Study, damage: str) -> None:
    path = two.internal / "rows.json"
    whole = path.read_bytes()
    kept = json.loads(whole)
    kept["sources"]["visits"]["cases"]["KHM"][0] = "0" * 64
    path.write_text(json.dumps(kept) if damage == "other hash" else damage, "utf-8")
    assert _due(two) == {}
    plan_runs(two, keep=True)
    assert path.read_bytes() == whole


def test_a_plan_writes_nothing_unless_it_is_asked(two: Study) -> None:
    shutil.rmtree(two.root / "reports")
    plan_runs(two)
    assert not (two.root / "reports").exists()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('background = "Before."', 'background = "After."'),
        ('audiences = ["government"]', 'audiences = ["workers"]'),
        ('label.en = "a union"', 'label.en = "a union"\nlabel.ja = "組合"'),
        ("[brief]", '[disclosure]\nexceptions = []\n\n[brief.imprint]\npublisher = "P"\n\n[brief]'),
    ],
)
def test_words_for_the_brief_alone_rerun_nothing(two: Study, old: str, new: str) -> None:
    before = two.sha256
    _edit(two.path, old, new)
    assert load_study(two.path).sha256 != before
    assert _due(two) == {}


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("Does output differ", "How does output differ", "study file changed: study"),
        ('label.en = "a union"', 'label.en = "unions"', "study file changed: variables"),
        ('effects = ["entity"]', 'effects = ["time"]', "study file changed: specifications"),
        ("[brief]", "[disclosure]\nthreshold = 5\n\n[brief]", "study file changed: disclosure"),
        ("[brief]", "[panel]\nleast_periods = 2\n\n[brief]", "study file changed: panel"),
    ],
)
def test_what_a_kernel_reads_of_a_study_reruns_it(two: Study, old: str, new: str, why: str) -> None:
    _edit(two.path, old, new)
    assert _due(two) == {"BGD": why, "KHM": why}


def test_a_new_case_runs_alone(two: Study) -> None:
    _edit(two.path, '"KHM"]', '"KHM", "VNM"]')
    assert _due(two) == {"VNM": "no earlier result"}


def test_a_pack_reruns_the_cases_that_use_it(two: Study) -> None:
    pack = two.root / "data/countries/KHM.toml"
    pack.write_text(pack.read_text("utf-8") + "\n# a remark\n", "utf-8")
    assert _due(two) == {"KHM": "pack changed: data/countries/KHM.toml"}


def test_a_law_reruns_its_country_and_a_simulated_case_stands_alone(tmp_path: Path) -> None:
    root = copy_project(tmp_path / "p")
    study = load_study(root / "notebooks/studies/value_chains.toml")
    _settle(study)
    law = root / "data/laws/VNM.toml"
    law.write_text(law.read_text("utf-8") + "\n# a remark\n", "utf-8")
    vietnam = [case.id for case in study.cases if case.values["country"] == "VNM"]
    assert set(_due(study)) == set(vietnam)
    _settle(study)
    record = root / "data/sources/value_chains.toml"
    text = record.read_text("utf-8")
    start = text.index("factories", text.index('country = "KHM"'))
    line = text[start : text.index("\n", start)]
    record.write_text(text[:start] + "factories = 77" + text[start + len(line) :], "utf-8")
    assert list(_due(study).values()) == ["new data in source 'value_chains'"]
    assert next(iter(_due(study))).startswith("KHM")


def test_code_of_the_kernel_counts_and_that_of_the_brief_does_not(
    two: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "evidence"
    shutil.copytree(ROOT / "src/evidence", package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(inputs_room, "_PACKAGE", package)
    assert _due(two) == {}
    for name in ("brief/page.py", "portal/site.py", "run/plan.py", "cli/data.py", "locales/ja.po"):
        _append(package / name)
    assert _due(two) == {}
    _append(package / "models/fit.py")
    _append(package / "locales/en.po")
    assert set(_due(two).values()) == {"code changed: locales/en.po, models/fit.py"}


def _append(path: Path) -> None:
    path.write_text(path.read_text("utf-8") + "\n# a remark\n", "utf-8")


def test_other_versions_are_named(two: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = list_environment()
    assert {"python", "pandas", "evidence"} <= set(versions)
    newer = versions | {"pandas": "9.9"}
    monkeypatch.setattr("evidence.run.plan.list_environment", lambda: newer)
    why = f"environment pandas 9.9, earlier {versions['pandas']}"
    assert _due(two) == {"BGD": why, "KHM": why}


def test_several_reasons_stand_beside_each_other(two: Study) -> None:
    _edit(two.root / "notebooks/two.ipynb", "What was read", "What is read")
    _add_row(two)
    due = _due(two)
    assert due["KHM"] == "notebook changed"
    assert due["BGD"].startswith("notebook changed; new data in source 'visits'")


def test_an_earlier_result_says_how_long_it_took(two: Study) -> None:
    assert {job.expected for job in plan_runs(two)} == {2.5}
    (two.internal / "cases/KHM/two/run.json").write_text("{}", "utf-8")
    assert _due(two) == {"KHM": "damaged: run.json"}


@pytest.mark.parametrize(
    ("text", "languages"),
    [
        ("ev.show(figure, plan)", {"en"}),
        ('ev.show(figure, plan, \\"ja\\")', {"en", "ja"}),
        ("language = 'km'", {"en", "km"}),
        ("for code in plan.brief.languages:", {"en", "ja", "vi", "km", "bn"}),
    ],
)
def test_a_notebook_tells_which_languages_it_reads(text: str, languages: set[str]) -> None:
    assert set(list_languages(text)) == languages


KERNEL = """
import json, os, sys
opened = set()
def hook(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, os.PathLike)):
        opened.add(os.path.abspath(os.fspath(arguments[0])))
sys.addaudithook(hook)
import nbformat
for path in sys.argv[1:]:
    scope = {"__name__": "__main__"}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, cell.id, "exec"), scope)
modules = [m.__file__ for n, m in sys.modules.items() if n.partition(".")[0] == "evidence"]
print(json.dumps({"modules": modules, "opened": sorted(opened)}))
"""


@pytest.mark.parametrize(
    "slugs", [["plants", "policy_events"], pytest.param([], marks=pytest.mark.slow)], ids=len
)
def test_all_that_a_kernel_loads_is_hashed(fresh_project: Path, slugs: list[str]) -> None:
    studies = fresh_project / "notebooks/studies"
    loaded = [load_study(studies / f"{slug}.toml") for slug in slugs or list_slugs(fresh_project)]
    there = [one for one in loaded if not list_unfetched(fresh_project, one.data.sources)]
    notebooks = [
        fresh_project / f"notebooks/{name}.ipynb" for one in there for name in one.notebooks
    ]
    assert len(notebooks) > 1
    done = subprocess.run(
        [sys.executable, "-c", KERNEL, *map(str, notebooks)],
        cwd=fresh_project,
        env={"PYTHONPATH": str(ROOT / "src"), "MPLBACKEND": "agg", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout.splitlines()[-1])
    package = ROOT / "src/evidence"
    read = {Path(name) for name in [*told["modules"], *told["opened"]]}
    names = {p.relative_to(package).as_posix() for p in read if p.is_relative_to(package)}
    names = {name for name in names if "__pycache__" not in name and (package / name).is_file()}
    assert {"models/fit.py", "locales/en.po", "schemas/findings.schema.json"} <= names
    assert names - set(list_code(("en",))) == set()


QUIET = """
import sys
from evidence.cli import main
try:
    main(["run", sys.argv[1]])
except SystemExit as end:
    assert not end.code, end.code
slow = {"pandas", "numpy", "scipy", "matplotlib", "nbformat", "papermill", "jsonschema"}
print(sorted(slow & set(sys.modules)))
"""


def _ask(program: str, *arguments: object) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_a_run_with_nothing_to_do_loads_no_slow_package(tmp_path: Path) -> None:
    study = load_study(copy_project(tmp_path / "p") / "notebooks/studies/plants.toml")
    finish(study)
    assert _ask(QUIET, study.path) == ["plants: 0 run, 1 unchanged, 0 failed", "[]"]


def test_words_are_checked_and_results_joined_without_what_draws() -> None:
    rooms = "evidence.brief.checks, evidence.brief.prose, evidence.run.joining"
    drawing = {"matplotlib", "seaborn", "typst", "nbconvert", "fontTools"}
    loaded = f"import sys, {rooms}; print(sorted({drawing} & set(sys.modules)))"
    assert _ask(loaded) == ["[]"]
