from __future__ import annotations

import builtins
import csv
import hashlib
import io
import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest

import evidence.kit.collect as collecting
from conftest import copy_project, finish
from evidence.brief import write_briefs
from evidence.disclosure import Cleared, clear
from evidence.errors import DisclosureError, RunError
from evidence.kit import Kit, write_kit
from evidence.kit.collect import may_go_along
from evidence.neck import read_neck
from evidence.run import find_records
from evidence.run.execute import as_json
from evidence.run.inputs import sha256
from evidence.sources import load_record
from evidence.study import Study, load_study


def _record(study: Study, *printed: str) -> None:
    """Put an executed notebook beside a run made in process, as papermill leaves it."""
    folder = study.internal / "cases/all/plants"
    notebook = nbformat.read(study.root / "notebooks/plants.ipynb", as_version=4)
    tags = {"tags": ["injected-parameters"]}
    cell = nbformat.v4.new_code_cell("seed = 1", id="injected-parameters", metadata=tags)
    cell.outputs = [nbformat.v4.new_output("stream", text=text) for text in printed]
    notebook.cells.insert(3, cell)
    nbformat.write(notebook, folder / "plants.ipynb")
    document = json.loads((folder / "run.json").read_text("utf-8"))
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.name != "run.json"]
    document["files"] = {p.relative_to(folder).as_posix(): sha256(p.read_bytes()) for p in files}
    (folder / "run.json").write_bytes(as_json(document))


@pytest.fixture(scope="module")
def cleared(tmp_path_factory: pytest.TempPathFactory) -> Cleared:
    """Return ``plants``, run in process, with its briefs written."""
    root = copy_project(tmp_path_factory.mktemp("kit") / "a project")
    study = load_study(root / "notebooks/studies/plants.toml")
    finish(study)
    _record(study)
    made = clear(read_neck(study.internal), study)
    write_briefs(made)
    return made


@pytest.fixture(scope="module")
def kit(cleared: Cleared) -> Kit:
    return write_kit(cleared)


def _read(kit: Kit, name: str) -> bytes:
    with zipfile.ZipFile(kit.path) as archive:
        return archive.read(name)


def test_a_kit_holds_what_a_reviewer_needs_and_nothing_of_the_gate(kit: Kit) -> None:
    wanted = {
        "README.md",
        "ro-crate-metadata.json",
        "exhibits.csv",
        "LICENSE",
        "requirements.lock",
        "environment.yml",
        "pyproject.toml",
        "src/evidence/cli/__init__.py",
        "notebooks/plants.ipynb",
        "notebooks/studies/plants.toml",
        "data/sources/jobtraining.toml",
        "data/countries/KHM.toml",
        "reports/public/plants/brief.en.html",
        "records/manifest.json",
        "records/estimates.csv",
        "records/cases/all/plants/plants.ipynb",
    }
    assert wanted <= set(kit.names)
    assert not [n for n in kit.names if n.endswith(("protected.json", ".parquet", ".pyc"))]
    assert kit.path.name == "kit-plants.zip"
    assert kit.path.parent.name == "plants"
    assert "reports/internal" in kit.path.as_posix()
    assert kit.left_out == ()


def test_the_same_run_gives_the_same_bytes(cleared: Cleared, kit: Kit) -> None:
    before = kit.path.read_bytes()
    assert write_kit(cleared).path.read_bytes() == before
    with zipfile.ZipFile(kit.path) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert archive.namelist() == sorted(archive.namelist())


def test_records_list_only_what_went_along(kit: Kit) -> None:
    manifest = json.loads(_read(kit, "records/manifest.json"))
    assert {f"records/{name}" for name in manifest["files"]} <= set(kit.names)
    run = json.loads(_read(kit, "records/cases/all/plants/run.json"))
    assert "plants.ipynb" in run["files"]
    assert "protected.json" not in run["files"]
    assert b"injected-parameters" not in _read(kit, "records/cases/all/plants/plants.ipynb")


def test_the_readme_says_what_data_editors_ask_for(kit: Kit) -> None:
    text = _read(kit, "README.md").decode("utf-8")
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings == [
        "## Data availability and provenance",
        "## Data sets",
        "## Computational requirements",
        "## How to verify, and how to run again",
        "## Programs, and what each of them makes",
        "## References",
    ]
    assert "`linearmodels`, which the lock file installs" in text
    assert "evidence verify notebooks/studies/plants.toml" in text
    assert "seed 1" in text
    assert (
        "| finding `union_between` | `notebooks/plants.ipynb` | fit-models, state-findings |"
        in text
    )


def test_the_map_leads_from_each_exhibit_and_finding_to_its_cells(
    cleared: Cleared, kit: Kit
) -> None:
    rows = list(csv.DictReader(io.StringIO(_read(kit, "exhibits.csv").decode("utf-8"))))
    cells = {row["id"]: row["cells"] for row in rows if row["kind"] == "exhibit"}
    assert cells == {"coefficients": "figure-coefficients", "findings": "table-findings"}
    page = (cleared.study.public / "brief.en.html").read_text("utf-8")
    found = [row for row in rows if row["kind"] == "finding"]
    assert [row["id"] for row in found] == [e["id"] for e in cleared.neck.findings]
    for row in found:
        assert f'id="{row["shown"].partition("#")[2]}"' in page


def test_the_crate_describes_each_run_of_a_notebook(kit: Kit) -> None:
    graph = {e["@id"]: e for e in json.loads(_read(kit, "ro-crate-metadata.json"))["@graph"]}
    root = graph["./"]
    assert root["conformsTo"] == {"@id": "https://w3id.org/ro/wfrun/process/0.5"}
    action = graph["#run-all-plants"]
    assert action["@type"] == "CreateAction"
    assert action["instrument"] == {"@id": "notebooks/plants.ipynb"}
    assert {"@id": "records/cases/all/plants/plants.ipynb"} in action["result"]
    assert {"@id": "data/sources/jobtraining.toml"} in action["object"]
    assert "SoftwareSourceCode" in graph["notebooks/plants.ipynb"]["@type"]
    held = {part["@id"] for part in root["hasPart"]}
    assert {n for n in kit.names if not n.startswith("src/")} - held == {"ro-crate-metadata.json"}
    digest = graph["records/estimates.csv"]["sha256"]
    assert digest == sha256(_read(kit, "records/estimates.csv"))


def test_an_unpacked_kit_is_a_project_with_its_own_records(kit: Kit, tmp_path: Path) -> None:
    shutil.unpack_archive(kit.path, tmp_path / "elsewhere")
    study = load_study(tmp_path / "elsewhere/notebooks/studies/plants.toml")
    assert find_records(study) == study.root / "records"


def test_a_record_that_names_a_unit_stays_behind(cleared: Cleared) -> None:
    study = cleared.study
    unit = next(u for u in cleared.neck.protected["identifiers"] if len(u) > 5)
    _record(study, f"plant {unit}\n")
    try:
        made = write_kit(cleared)
        assert [n for n in made.names if n.startswith("records/")] == ["records/manifest.json"]
        assert "records/cases/all/plants/plants.ipynb: an identifier" in made.left_out[0]
        assert "## Left out" in _read(made, "README.md").decode("utf-8")
    finally:
        _record(study)


def test_a_public_file_that_names_a_unit_stops_the_kit(cleared: Cleared, kit: Kit) -> None:
    unit = next(u for u in cleared.neck.protected["identifiers"] if len(u) > 5)
    before, bad = kit.path.read_bytes(), cleared.study.public / "note.txt"
    bad.write_text(f"plant {unit}", "utf-8")
    try:
        with pytest.raises(DisclosureError, match=r"note\.txt: an identifier of a factory"):
            write_kit(cleared)
    finally:
        bad.unlink()
    assert kit.path.read_bytes() == before


def test_of_restricted_data_no_record_goes_along(cleared: Cleared) -> None:
    protected = {**cleared.neck.protected, "confidentiality": "restricted"}
    bound = replace(cleared, neck=replace(cleared.neck, protected=protected))
    records, left_out = collecting._read_records(bound)
    assert list(records) == ["records/manifest.json"]
    assert json.loads(records["records/manifest.json"])["files"] == {}
    assert "restricted" in left_out[0]


def _bind(cleared: Cleared, *identifiers: str) -> Cleared:
    """Bind the run as that of the simulated buyers, whose record names them."""
    data = replace(cleared.study.data, sources=("buyers",))
    told = {"confidentiality": "simulated", "identifiers": list(identifiers)}
    neck = replace(cleared.neck, protected={**cleared.neck.protected, **told})
    return replace(cleared, study=replace(cleared.study, data=data), neck=neck)


def test_equations_may_name_the_groups_that_they_draw(cleared: Cleared) -> None:
    bound, place = _bind(cleared, "JPN-01"), "data/sources/buyers.toml"
    payload = (cleared.study.root / place).read_bytes()
    assert b"JPN-01" in payload
    collecting._scan_papers(bound, {place: payload})
    named = payload.replace(b"buyers from", b"buyers such as JPN-01 from")
    with pytest.raises(DisclosureError, match=r"buyers\.toml: an identifier of a factory"):
        collecting._scan_papers(bound, {place: named})
    with pytest.raises(DisclosureError, match="an identifier of a factory"):
        collecting._scan_papers(bound, {"data/sources/other.toml": payload})


def test_hashes_of_the_lock_are_no_values_of_a_unit(cleared: Cleared) -> None:
    panel = pd.read_parquet(next(cleared.study.internal.glob("cases/*/*/panel.parquet")))
    values = panel["log_scrap"].dropna().unique()[:4].astype("float64")
    lock = b"pandas==3.0 --hash=other-" + values.tobytes().hex().encode()
    assert len(values.tobytes()) == len(hashlib.sha256().digest())
    bound = _bind(cleared, "anvil-works")
    collecting._scan_papers(bound, {"requirements.lock": lock})
    with pytest.raises(DisclosureError, match=r"other\.lock.*exact values of a factory"):
        collecting._scan_papers(bound, {"other.lock": lock})
    with pytest.raises(DisclosureError, match=r"requirements\.lock: an identifier"):
        collecting._scan_papers(bound, {"requirements.lock": lock + b"  # anvil works"})
    plain = b"".join(b"# %.12f\n" % value for value in abs(values))
    with pytest.raises(DisclosureError, match=r"requirements\.lock: exact values"):
        collecting._scan_papers(bound, {"requirements.lock": lock + b"\n" + plain})


@pytest.mark.parametrize(
    ("changes", "goes"),
    [
        ({"licence": "CC BY 4.0"}, True),
        ({"licence": "CC BY 4.0", "confidentiality": "restricted"}, False),
        ({"licence": "CC BY 4.0", "register": "factories"}, False),
        ({"licence": "CC BY 4.0 (the page was not read)"}, False),
        ({"licence": "CC BY-NC 4.0"}, False),
        ({"licence": "CC BY 4.0", "kind": "packaged"}, False),
    ],
)
def test_raw_files_go_along_only_where_their_licence_lets_them(
    cleared: Cleared, changes: dict[str, Any], *, goes: bool
) -> None:
    record = load_record(cleared.study.root, "pwt")
    assert may_go_along(replace(record, **changes)) == goes


def test_without_rocrate_a_kit_says_what_to_install(
    cleared: Cleared, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = builtins.__import__

    def absent(name: str, *rest: Any, **named: Any) -> Any:
        if name.startswith("rocrate"):
            raise ModuleNotFoundError(name)
        return load(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(RunError, match=r"pip install 'evidence\[kit\]'"):
        write_kit(cleared)


def test_a_study_without_briefs_has_no_kit(fresh_project: Path) -> None:
    study = load_study(fresh_project / "notebooks/studies/plants.toml")
    finish(study)
    with pytest.raises(RunError, match=r"evidence brief plants\.toml"):
        write_kit(clear(read_neck(study.internal), study))
