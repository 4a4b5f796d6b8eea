"""Raw files are kept as dated copies with their papers; what changed is told, never edited."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from evidence.cli import main
from evidence.errors import SourceError
from evidence.sources import (
    Archived,
    archive_file,
    fingerprint,
    list_raw,
    list_unfetched,
    list_versions,
    load_record,
    read_snapshot,
    read_version,
)
from evidence.sources.identity import Register
from evidence.sources.identity.register import write_register
from samples import edit, make_project, write_source

COLUMNS = {"plant": "text", "year": "integer", "output": "number"}
FIRST = "plant,year,output\na,2001,1\nb,2001,2\n"
SECOND = FIRST.replace("a,2001,1", "a,2001,5")
MONDAY, TUESDAY, FRIDAY = date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 6)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = make_project(tmp_path)
    write_source(root, FIRST, COLUMNS, key=["plant", "year"])
    return root


@pytest.fixture
def loose(project: Path) -> Path:
    return project / "data/raw/sample/records.csv"


def _record(root: Path, old: str, new: str) -> None:
    edit(root / "data/sources/sample.toml", old, new)


def _keep(root: Path, loose: Path, csv: str, day: date) -> Archived:
    loose.write_text(csv, "utf-8")
    return archive_file(root, loose, today=day)


def _outputs(root: Path) -> list[float]:
    table = read_snapshot(root, "sample", seed=0, case={}).tables["records"]
    return [float(value) for value in table["output"]]


def _copies(root: Path) -> list[str]:
    folder = root / "data/raw/sample/archive/records.csv"
    return sorted(path.name for path in folder.iterdir())


def test_a_copy_is_named_by_day_and_hash_and_has_its_papers(project: Path, loose: Path) -> None:
    kept = archive_file(project, loose, today=MONDAY)
    digest = hashlib.sha256(FIRST.encode()).hexdigest()
    name = f"2026-03-02-{digest[:12]}.csv"
    assert (kept.new, kept.archived, kept.sha256) == (True, MONDAY, digest)
    assert kept.path == project / "data/raw/sample/archive/records.csv" / name
    assert kept.path.read_text("utf-8") == FIRST
    papers = json.loads(kept.path.with_name(f"{name}.origin.json").read_text("utf-8"))
    assert papers == {
        "schema_version": 1,
        "source": "sample",
        "table": "records",
        "file": "records.csv",
        "sha256": digest,
        "bytes": len(FIRST),
        "archived": "2026-03-02",
        "order": 1,
        "url": "",
        "mirror": "",
        **dict.fromkeys(("producer", "title", "licence", "citation", "version"), "sample"),
        "units": dict.fromkeys(COLUMNS, "points"),
    }


def test_a_name_that_two_files_write_in_two_ways_is_refused(project: Path, loose: Path) -> None:
    _record(project, 'file = "records.csv"', 'file = "*.csv"')
    loose.with_name("later.csv").write_text("plant,year,output\nA,2002,1\n", "utf-8")
    with pytest.raises(SourceError, match="'A' in one file and 'a' in another; expected one way"):
        read_snapshot(project, "sample", seed=0, case={})


def test_papers_of_another_file_are_refused(project: Path, loose: Path) -> None:
    kept = archive_file(project, loose, today=MONDAY)
    papers = kept.path.with_name(f"{kept.path.name}.origin.json")
    papers.chmod(0o644)
    papers.write_text(papers.read_text("utf-8").replace(kept.sha256, "0" * 64), "utf-8")
    with pytest.raises(SourceError, match="papers of a file with SHA-256 000000000000"):
        read_snapshot(project, "sample", seed=0, case={})


def test_a_copy_and_its_papers_are_read_only(project: Path, loose: Path) -> None:
    kept = archive_file(project, loose)
    assert [oct(p.stat().st_mode & 0o777) for p in sorted(kept.path.parent.iterdir())] == [
        "0o444",
        "0o444",
    ]


def test_the_same_content_is_not_stored_twice(project: Path, loose: Path) -> None:
    first = archive_file(project, loose, today=MONDAY)
    again = archive_file(project, loose, today=FRIDAY)
    assert (again.new, again.archived, again.path) == (False, MONDAY, first.path)
    assert len(_copies(project)) == 2


def test_the_latest_copy_is_read_and_both_are_kept(project: Path, loose: Path) -> None:
    _keep(project, loose, FIRST, MONDAY)
    _keep(project, loose, SECOND, TUESDAY)
    loose.unlink()
    assert _outputs(project) == [5, 2]
    assert len(_copies(project)) == 4


def test_of_two_copies_of_a_day_the_later_one_is_read(project: Path, loose: Path) -> None:
    for csv in (SECOND, FIRST):
        _keep(project, loose, csv, MONDAY)
    assert _outputs(project) == [1, 2]
    for csv in (SECOND, FIRST):
        kept = _keep(project, loose, csv, TUESDAY)
    assert kept.archived == TUESDAY
    assert _outputs(project) == [1, 2]


def test_a_source_that_goes_back_to_older_content_is_archived_again(
    project: Path, loose: Path
) -> None:
    for csv, day in ((FIRST, MONDAY), (SECOND, TUESDAY), (FIRST, FRIDAY)):
        assert _keep(project, loose, csv, day).new
    assert _outputs(project) == [1, 2]


def test_a_copy_older_than_the_latest_is_refused(project: Path, loose: Path) -> None:
    _keep(project, loose, FIRST, TUESDAY)
    with pytest.raises(SourceError, match=r"newer copy, of 2026-03-03, while today is 2026-03-02"):
        _keep(project, loose, SECOND, MONDAY)


def test_a_loose_file_that_differs_from_its_copy_is_refused(project: Path, loose: Path) -> None:
    _keep(project, loose, FIRST, MONDAY)
    loose.write_text(SECOND, "utf-8")
    with pytest.raises(
        SourceError,
        match=r"loose file that is not archived, beside a copy of 2026-03-02.*Say evidence archive "
        r"data/raw/sample/records\.csv, or remove",
    ):
        _outputs(project)


def test_an_edited_copy_is_refused(project: Path, loose: Path) -> None:
    kept = _keep(project, loose, FIRST, MONDAY)
    loose.unlink()
    kept.path.chmod(0o644)
    kept.path.write_text(SECOND, "utf-8")
    with pytest.raises(SourceError, match=r"records\.csv of 2026-03-02: an archived copy that was"):
        _outputs(project)


@pytest.mark.parametrize("text", [None, "{", "[]", '{"archived": "2026-03-02"}'])
def test_a_copy_without_papers_is_refused(project: Path, loose: Path, text: str | None) -> None:
    kept = _keep(project, loose, FIRST, MONDAY)
    papers = kept.path.with_name(f"{kept.path.name}.origin.json")
    papers.unlink()
    if text is not None:
        papers.write_text(text, "utf-8")
    with pytest.raises(SourceError, match=r"csv\.origin\.json"):
        _outputs(project)


def test_a_file_that_cannot_be_read_costs_nothing(project: Path, loose: Path) -> None:
    _keep(project, loose, FIRST, MONDAY)
    loose.write_text("plant,year\na,2001\n", "utf-8")
    with pytest.raises(SourceError, match=r"records\.csv.*expected also output"):
        archive_file(project, loose, today=TUESDAY)
    loose.unlink()
    assert _outputs(project) == [1, 2]


def test_archiving_a_loose_file_does_not_make_results_stale(project: Path, loose: Path) -> None:
    before = fingerprint(project, "sample", seed=0)
    archive_file(project, loose)
    assert fingerprint(project, "sample", seed=0) == before
    loose.unlink()
    assert fingerprint(project, "sample", seed=0) == before


def test_a_new_copy_makes_results_stale(project: Path, loose: Path) -> None:
    _keep(project, loose, FIRST, MONDAY)
    before = fingerprint(project, "sample", seed=0)
    _keep(project, loose, SECOND, TUESDAY)
    assert fingerprint(project, "sample", seed=0) != before


def test_a_pin_takes_the_copy_with_that_hash(project: Path, loose: Path) -> None:
    first = _keep(project, loose, FIRST, MONDAY)
    _keep(project, loose, SECOND, TUESDAY)
    _record(project, 'sha256 = ""', f'sha256 = "{first.sha256}"')
    assert _outputs(project) == [1, 2]


def test_a_pin_that_no_copy_has_is_refused(project: Path, loose: Path) -> None:
    _keep(project, loose, FIRST, MONDAY)
    _record(project, 'sha256 = ""', f'sha256 = "{"0" * 64}"')
    with pytest.raises(SourceError, match=r"archived copies [0-9a-f]{12}; expected one with SHA"):
        _outputs(project)


def test_several_files_become_one_table(project: Path, loose: Path) -> None:
    _record(project, 'file = "records.csv"', 'file = "*.csv"')
    archive_file(project, loose)
    other = loose.with_name("other.csv")
    other.write_text(FIRST.replace("2001", "2002"), "utf-8")
    assert _outputs(project) == [1, 2, 1, 2]
    archive_file(project, other)
    loose.unlink()
    assert _outputs(project) == [1, 2, 1, 2]


def test_a_pattern_reads_neither_the_archive_nor_hidden_files_nor_folders(
    project: Path, loose: Path
) -> None:
    _record(project, 'file = "records.csv"', 'file = "*"')
    archive_file(project, loose)
    for name in (".hidden", "~$records.xlsx", "x.origin.json"):
        loose.with_name(name).write_text("no data", "utf-8")
    loose.with_name("a folder").mkdir()
    assert _outputs(project) == [1, 2]


@pytest.mark.parametrize("name", ["../sample/records.csv", "/etc/hostname", ""])
def test_a_name_that_leads_out_of_the_folder_is_refused(project: Path, name: str) -> None:
    _record(project, 'file = "records.csv"', f'file = "{name}"')
    with pytest.raises(SourceError, match="leads out of the source's folder"):
        _outputs(project)


def test_a_pattern_over_folders_is_refused(project: Path) -> None:
    _record(project, 'file = "records.csv"', 'file = "**.csv"')
    with pytest.raises(SourceError, match=r"'\*\*' in a pattern; expected '\*'"):
        _outputs(project)


def test_a_link_that_leads_out_of_the_folder_is_refused(project: Path, loose: Path) -> None:
    loose.rename(project / "elsewhere.csv")
    loose.symlink_to(project / "elsewhere.csv")
    with pytest.raises(SourceError, match="leads out of the source's folder"):
        _outputs(project)


def test_a_folder_or_a_pipe_is_no_raw_file(project: Path, loose: Path) -> None:
    loose.unlink()
    loose.mkdir()
    with pytest.raises(SourceError, match="a folder or a device"):
        _outputs(project)
    loose.rmdir()
    os.mkfifo(loose)
    with pytest.raises(SourceError, match="a folder or a device"):
        _outputs(project)


def _stack(root: Path, kind: str = "date") -> None:
    record = root / "data/sources/sample.toml"
    edit(record, 'key = ["plant", "year"]', 'key = ["plant", "year", "seen"]\nstack = "seen"')
    column = f'\n[[tables.columns]]\nname = "seen"\ntype = "{kind}"\nunit = "date"\n'
    record.write_text(record.read_text("utf-8") + column, "utf-8")


def test_stacked_snapshots_of_a_portal_become_a_panel(project: Path, loose: Path) -> None:
    _stack(project)
    for csv, day in ((FIRST, MONDAY), (SECOND, TUESDAY)):
        _keep(project, loose, csv, day)
    loose.unlink()
    table = read_snapshot(project, "sample", seed=0, case={}).tables["records"]
    assert table["output"].tolist() == [1, 2, 5, 2]
    assert table["seen"].dt.date.tolist() == [MONDAY, MONDAY, TUESDAY, TUESDAY]


def test_the_days_of_stacked_snapshots_are_part_of_the_fingerprint(
    project: Path, loose: Path
) -> None:
    _stack(project)
    prints = set()
    for day in (MONDAY, TUESDAY):
        _keep(project, loose, FIRST, day)
        prints.add(fingerprint(project, "sample", seed=0))
        for path in (project / "data/raw/sample/archive/records.csv").iterdir():
            path.unlink()
    assert len(prints) == 2


def test_a_loose_file_beside_a_stack_has_to_be_archived(project: Path) -> None:
    _stack(project)
    with pytest.raises(SourceError, match="a loose file that is not archived; "):
        _outputs(project)


def test_versions_are_listed_and_read_to_count_revisions(project: Path, loose: Path) -> None:
    record = load_record(project, "sample")
    table = record.tables[0]
    assert list_versions(project, record, table).empty
    for csv, day in ((FIRST, MONDAY), (SECOND, TUESDAY)):
        _keep(project, loose, csv, day)
    found = list_versions(project, record, table)
    assert list(found.columns) == ["file", "archived", "sha256", "bytes", "path"]
    assert found["archived"].tolist() == ["2026-03-02", "2026-03-03"]
    assert all((project / path).is_file() for path in found["path"])
    older, newer = (read_version(project, record, table, sha) for sha in found["sha256"])
    assert (older["output"] != newer["output"]).sum() == 1
    with pytest.raises(SourceError, match="expected one with SHA-256 beef"):
        read_version(project, record, table, "beef")


@pytest.mark.slow
def test_an_export_in_better_works_layout_is_read_from_several_files(project: Path) -> None:
    case = {"country": "KHM", "sector": "garment"}
    drawn = read_snapshot(project, "value_chains", seed=1, case=case).tables["answers"]
    export = pd.read_csv(
        project / "data/raw/value_chains/seed-1/simulated-KHM-garment/answers.csv", dtype=str
    )
    folder = project / "data/raw/better_work"
    folder.mkdir(parents=True)
    late = export["Year"] > "2021"
    export[~late].to_csv(folder / "early.csv", index=False)
    export[late].to_excel(folder / "late.xlsx", index=False)
    archive_file(project, folder / "late.xlsx")
    read = read_snapshot(project, "better_work", seed=0, case={}).tables["answers"]
    assert len(read) == len(drawn)
    assert read["finding"].sum() == drawn["finding"].sum()
    assert read["country"].unique().tolist() == ["KHM"]
    assert read["date"].dt.strftime("%d/%m").unique().tolist() == ["01/06"]


ILOSTAT = """ref_area,source,indicator,time,obs_value,obs_status,note_indicator
BGD,XA:1,X,2018,7.5,,
BGD,XA:1,X,2019,8,B,
X01,XA:1,X,2019,5,,
"""
UNSD = """SeriesCode,GeoAreaCode,GeoAreaName,TimePeriod,Value,[Migratory status],[Sex]
X,50,Bangladesh,2018,7.5,_T,BOTHSEX
X,50,Bangladesh,2019,8,_T,BOTHSEX
X,1,World,2019,5,_T,BOTHSEX
"""
INVENTED = [
    ("ilostat_sdg_882", ILOSTAT),
    ("ilostat_union_density", ILOSTAT),
    ("ilostat_bargaining_coverage", ILOSTAT),
    ("ilostat_inspectors", ILOSTAT),
    ("ilostat_output_per_worker", ILOSTAT.replace("XA:1,X,2018", "XA:1,X,2017")),
    ("ilostat_output_growth", ILOSTAT),
    ("unsd_sdg_882", UNSD),
    ("unsd_sdg_881_fatal", UNSD + "X,50,Bangladesh,2019,9,_T,FEMALE\n"),
]
"""Invented values in the producers' own layouts."""


@pytest.mark.parametrize(("source", "csv"), INVENTED)
def test_a_shipped_record_reads_its_producers_layout(project: Path, source: str, csv: str) -> None:
    file = load_record(project, source).tables[0].file
    path = project.parent / file
    path.write_text("\ufeff" + csv, "utf-8")
    archive_file(project, path, source=source)
    table = read_snapshot(project, source, seed=0, case={}).tables["records"]
    assert table["country"].tolist() == ["BGD", "BGD"]
    assert table.iloc[:, -1].tolist() == [7.5, 8]


def test_projections_are_left_out(project: Path) -> None:
    path = project.parent / "GDP_211P_NOC_NB_A.csv"
    path.write_text(ILOSTAT.replace("2019", "2025"), "utf-8")
    archive_file(project, path)
    table = read_snapshot(project, "ilostat_output_per_worker", seed=0, case={}).tables["records"]
    assert table["year"].tolist() == [2018]


def test_the_penn_world_table_is_read_from_its_workbook(project: Path) -> None:
    names = ("rgdpo", "rgdpna", "emp", "pop", "hc", "avh", "rtfpna", "labsh", "csh_x", "pl_con")
    row = {"countrycode": "BGD", "country": "Bangladesh", "currency_unit": "Taka", "year": 2018}
    path = project.parent / "pwt1001.xlsx"
    with pd.ExcelWriter(path) as book:
        pd.DataFrame({"Penn World Table": ["Info"]}).to_excel(book, sheet_name="Info", index=False)
        frame = pd.DataFrame([{**row, **dict.fromkeys(names, 1.5)}, {**row, "year": 2019}])
        frame.to_excel(book, sheet_name="Data", index=False)
    archive_file(project, path)
    table = read_snapshot(project, "pwt", seed=0, case={}).tables["records"]
    assert table["country"].tolist() == ["BGD", "BGD"]
    assert table["employment"].dropna().tolist() == [1.5]


def test_the_garment_file_is_read_from_its_zip(project: Path) -> None:
    head = (
        "date,quarter,department,day,team,targeted_productivity,smv,wip,over_time,incentive,"
        "idle_time,idle_men,no_of_style_change,no_of_workers,actual_productivity\n"
    )
    path = project.parent / "productivity+prediction+of+garment+employees.zip"
    with zipfile.ZipFile(path, "w") as packed:
        rows = [
            f"1/31/2015,Quarter5,{d},Saturday,1,0.7,4,,0,0,0,0,0,8.5,1.1\n"
            for d in ("finishing ", "sweing ")
        ]
        packed.writestr("garments_worker_productivity.csv", head + "".join(rows))
    kept = archive_file(project, path, source="garment_productivity")
    assert kept.path.suffix == ".zip"
    table = read_snapshot(project, "garment_productivity", seed=0, case={}).tables["records"]
    assert table["department"].tolist() == ["sweing"]
    assert table["date"].dt.date.tolist() == [date(2015, 1, 31)]


def _write_second_record(root: Path, file: str) -> None:
    text = (root / "data/sources/sample.toml").read_text("utf-8")
    text = text.replace('id = "sample"', 'id = "other"').replace('"records.csv"', f'"{file}"')
    (root / "data/sources/other.toml").write_text(text, "utf-8")


def _elsewhere(root: Path, name: str) -> Path:
    path = root.parent / name
    path.write_text(FIRST, "utf-8")
    return path


def test_a_file_from_elsewhere_finds_its_record_by_name(project: Path) -> None:
    _write_second_record(project, "other.csv")
    assert archive_file(project, _elsewhere(project, "records.csv")).source == "sample"
    assert archive_file(project, _elsewhere(project, "other.csv")).source == "other"


def test_a_mirrored_name_finds_its_record_and_keeps_its_ending(project: Path, loose: Path) -> None:
    loose.unlink()
    _record(project, 'file = "records.csv"', 'file = "records.xlsx"\nmirrors = ["plants.csv"]')
    kept = archive_file(project, _elsewhere(project, "plants.csv"))
    assert (kept.file, kept.path.suffix) == ("records.xlsx", ".csv")
    assert kept.path.parent.name == "records.xlsx"
    assert _outputs(project) == [1, 2]


def test_a_file_that_several_records_name_asks_for_the_source(project: Path) -> None:
    _write_second_record(project, "records.csv")
    path = _elsewhere(project, "records.csv")
    with pytest.raises(SourceError, match=r"several records .*: other, sample; .*Say --source ID"):
        archive_file(project, path)
    assert archive_file(project, path, source="other").source == "other"


def test_a_file_that_no_record_names_is_refused_with_those_there_are(project: Path) -> None:
    with pytest.raises(
        SourceError, match=r"unknown\.csv: no record.* sample.*docs/data\.md has one to copy"
    ):
        archive_file(project, _elsewhere(project, "unknown.csv"))


def test_with_its_source_a_file_of_another_name_goes_to_the_only_table(project: Path) -> None:
    kept = archive_file(project, _elsewhere(project, "download (3).csv"), source="sample")
    assert kept.file == "records.csv"


def test_a_file_that_no_pattern_names_is_refused(project: Path) -> None:
    _record(project, 'file = "records.csv"', 'file = "*.csv"')
    with pytest.raises(SourceError, match=r"none of its tables names; expected one of \*\.csv"):
        archive_file(project, _elsewhere(project, "download.txt"), source="sample")


@pytest.mark.parametrize("source", ["wage_panel", "value_chains"])
def test_sources_without_files_of_their_own_are_refused(project: Path, source: str) -> None:
    with pytest.raises(SourceError, match="expected kind 'file'"):
        archive_file(project, _elsewhere(project, "x.csv"), source=source)


def test_neither_a_missing_file_nor_a_copy_is_archived(project: Path, loose: Path) -> None:
    kept = archive_file(project, loose)
    with pytest.raises(SourceError, match="a file of the archive of 'sample'"):
        archive_file(project, kept.path)
    with pytest.raises(SourceError, match=r"nothing\.csv: no such file"):
        archive_file(project, project / "nothing.csv")


def test_a_full_or_locked_disk_is_told_plainly(
    project: Path, loose: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("evidence.sources.copies.os.replace", refuse)
    with pytest.raises(SourceError, match=r"cannot be written \(No space left on device\)"):
        archive_file(project, loose)
    assert list((project / "data/raw/sample/archive").rglob("*.*")) == [
        project / "data/raw/sample/archive/records.csv"
    ]


def _call(root: Path, arguments: Iterable[str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    monkeypatch.chdir(root)
    result = CliRunner().invoke(main, ["archive", *arguments])
    return result.exit_code, result.output


def test_the_command_says_what_was_stored_and_what_is_unchanged(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, text = _call(project, ["data/raw/sample/records.csv"], monkeypatch)
    assert code == 0
    assert text.startswith("sample, records: stored data/raw/sample/archive/records.csv/20")
    code, text = _call(project, ["data/raw/sample/records.csv", "--source", "sample"], monkeypatch)
    assert code == 0
    assert text.startswith("sample, records: unchanged since 20")


def test_the_command_tells_errors_plainly(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, text = _call(project, ["nothing.csv"], monkeypatch)
    assert code == 1
    assert text.startswith("error: nothing.csv: no such file; expected ")


def test_a_source_is_unfetched_only_while_nothing_of_it_is_there(project: Path) -> None:
    named = ("sample", "jobtraining", "value_chains", "better_work", "pwt", "ilostat_sdg_882")
    assert list_unfetched(project, named) == ("pwt", "ilostat_sdg_882")
    damaged = project / "data/raw/pwt/archive/pwt1001.xlsx/half.part"
    damaged.parent.mkdir(parents=True)
    assert list_unfetched(project, named) == ("pwt", "ilostat_sdg_882")
    damaged.write_bytes(b"")
    assert list_unfetched(project, named) == ("ilostat_sdg_882",)
    with pytest.raises(SourceError):
        read_snapshot(project, "pwt", seed=0, case={})


def test_what_is_listed_of_a_source_is_all_that_it_is_read_from(
    project: Path, loose: Path, tmp_path: Path
) -> None:
    _keep(project, loose, FIRST, MONDAY)
    _keep(project, loose, SECOND, TUESDAY)
    write_register(project, Register("factories", (), (), ()))
    _record(project, 'kind = "file"', 'kind = "file"\nregister = "factories"')
    listed = list_raw(project, "sample")
    names = {path.relative_to(project / "data/raw").as_posix() for path in listed}
    assert {"registers/factories/factories.csv", "registers/factories/aliases.csv"} < names
    elsewhere = make_project(tmp_path / "elsewhere")
    for path in (project / "data/sources/sample.toml", *listed):
        target = elsewhere / path.relative_to(project)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    assert fingerprint(elsewhere, "sample", seed=0) == fingerprint(project, "sample", seed=0)
    (copy,) = (path for path in listed if path.suffix == ".csv" and "archive" in path.parts)
    assert copy.read_text("utf-8") == SECOND
    _stack(project)
    assert len(list_raw(project, "sample")) == len(listed) + 2
    assert list_raw(project, "value_chains") == list_raw(project, "jobtraining") == ()
