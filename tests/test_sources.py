"""Raw files become typed tables; what is not as declared is refused by file, column and line."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
from pathlib import Path

import pandas as pd
import pytest
from pydantic import TypeAdapter

from evidence.errors import SourceError
from evidence.sources import (
    Snapshot,
    fingerprint,
    list_sources,
    load_record,
    read_snapshot,
    read_sources,
    simulate_factories,
)
from evidence.sources.simulated.sections import Simulation
from evidence.study import load_study
from samples import ROOT, edit, make_project, study_file, write_source

COLUMNS = {"plant": "text", "year": "integer", "output": "number", "union": "flag"}
HEADER = "plant,year,output,union\n"
GOOD = HEADER + "007,2001,1.5,0\nNA,2001,,1\n"

BETTER_WORK = [
    "Country",
    "Cycle",
    "Year",
    "Factory.Assessed.ID",
    "Factory.Assessed.Name",
    "Quest.ID",
    "Assesment.Start.Date",
    "Cluster",
    "CP",
    "Question.ID",
    "Q.Label",
    "Question.type",
    "Finding",
    "Tags",
]
"""Column names of Better Work's export, with its own spelling of assessment."""

RATE_SEEDS = range(6)
RATE_TOLERANCE = 0.06
"""Reason: about 1,300 factories of six seeds are in the first year, so twice the sampling
error of a rate of one half is 0.03; up to 0.03 more is design, because few factories have
adopted an institution by the first year and have more findings than at its prevalence."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path)


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    found = load_record(ROOT, "value_chains").simulation
    assert found is not None
    return found


def _read(root: Path, csv: str | bytes, **record: str) -> pd.DataFrame:
    write_source(root, csv, COLUMNS, key=["plant", "year"], **record)
    return read_snapshot(root, "sample", seed=0, case={}).tables["records"]


def _draw(root: Path, seed: int, country: str = "JPN", sector: str = "garment") -> Snapshot:
    case = {"country": country, "sector": sector}
    return read_snapshot(root, "value_chains", seed=seed, case=case)


@pytest.mark.parametrize(("source", "rows"), [("jobtraining", 471), ("wage_panel", 4360)])
def test_a_packaged_source_gives_all_its_rows(source: str, rows: int) -> None:
    snapshot = read_snapshot(ROOT, source, seed=0, case={})
    assert len(snapshot.tables["records"]) == rows


def test_each_source_is_listed_with_its_licence_and_hash() -> None:
    study = load_study(study_file(ROOT, "plants"))
    snapshots = read_sources(study, study.cases[0], 0)
    row = list_sources(snapshots).reset_index().iloc[0]
    assert row[["source", "table", "rows"]].tolist() == ["jobtraining", "records", 471]
    assert row["licence"].startswith("NCSA")
    assert row["sha256"] == snapshots[0].sha256[:12]


def test_a_file_becomes_a_table_of_the_declared_types(project: Path) -> None:
    table = _read(project, GOOD)
    types = table.dtypes.astype(str)
    assert types[["year", "output", "union"]].tolist() == ["int64", "float64", "int64"]
    assert table["union"].tolist() == [0, 1]
    assert table["output"].isna().tolist() == [False, True]


def test_text_keeps_leading_zeros_and_the_two_letters_na(project: Path) -> None:
    assert _read(project, GOOD)["plant"].tolist() == ["007", "NA"]


def test_a_declared_mark_stands_for_no_answer(project: Path) -> None:
    csv = HEADER + "a,2001,-9,0\n"
    write_source(project, csv, COLUMNS, key=["plant", "year"], missing=["", "-9"])
    table = read_snapshot(project, "sample", seed=0, case={}).tables["records"]
    assert table["output"].isna().tolist() == [True]


def test_a_column_gets_its_house_name_from_the_raw_one(project: Path) -> None:
    write_source(project, GOOD.replace("output", "OUT"), COLUMNS, key=["plant", "year"])
    record = project / "data/sources/sample.toml"
    edit(record, 'name = "output"', 'name = "output"\nraw = "OUT"')
    table = read_snapshot(project, "sample", seed=0, case={}).tables["records"]
    assert list(table.columns) == list(COLUMNS)


def test_a_mark_of_byte_order_at_the_head_is_no_part_of_the_header(project: Path) -> None:
    assert list(_read(project, b"\xef\xbb\xbf" + GOOD.encode()).columns) == list(COLUMNS)


def test_a_changed_raw_file_is_refused(project: Path) -> None:
    digest = hashlib.sha256(GOOD.encode()).hexdigest()
    assert len(_read(project, GOOD, sha256=digest)) == 2
    (project / "data/raw/sample/records.csv").write_text(GOOD.replace("1.5", "1.6"))
    with pytest.raises(SourceError, match=rf"file records\.csv: .*SHA-256.* expected {digest}"):
        read_snapshot(project, "sample", seed=0, case={})


def test_a_changed_file_of_a_package_is_refused(project: Path) -> None:
    record = project / "data/sources/jobtraining.toml"
    edit(record, 'sha256 = "60b1f8', 'sha256 = "70b1f8')
    with pytest.raises(SourceError, match=r"jobtraining\.csv\.bz2: a file with SHA-256 60b1f8"):
        read_snapshot(project, "jobtraining", seed=0, case={})


def test_a_missing_raw_file_is_refused_with_where_to_put_it(project: Path) -> None:
    write_source(project, GOOD, COLUMNS, key=["plant", "year"]).unlink()
    with pytest.raises(SourceError, match=r"records\.csv: no such file.*Put it under data/raw/"):
        read_snapshot(project, "sample", seed=0, case={})


@pytest.mark.parametrize(
    ("csv", "message"),
    [
        (
            "plant,year,output\na,2001,1\n",
            r"records\.csv: columns plant, year, output; expected also union",
        ),
        (HEADER + "a,2001,1,0\nb,2001,much,0\n", r"column output, line 3: 'much'; .* number"),
        (HEADER + "a,2001,NaN,0\n", r"column output, line 2: 'NaN'; expected a number"),
        (HEADER + "a,2001.5,1,0\n", r"column year, line 2: '2001\.5'.*whole number"),
        (HEADER + "a,2001,1,0\na,2002,1,2\n", r"column union, line 3: '2\.0'.*0 or 1"),
        (HEADER + "a,2001,inf,0\n", r"column output, line 2: 'inf'.*finite"),
        (HEADER + "a,2001,1e999,0\n", r"column output, line 2: 'inf'.*finite"),
        (HEADER + "a,2001,1,0\n,2001,1,0\n", r"column plant, line 3: .*part of the key"),
        (HEADER + "a,,1,0\n", r"column year, line 2: .*part of the key"),
        (
            HEADER + "b,2001,1,0\na,2001,1,0\na,2001,2,0\n",
            r"line 3: .*each combination of plant, year once",
        ),
        (HEADER + "a,2001,1,0\n a ,2001,2,0\n", r"each combination of plant, year once"),
        (
            HEADER + "a,2001,1,0\nb,2001,1,0,9\n",
            r"records\.csv: a file that cannot be read.*line 3",
        ),
        (HEADER.encode() + b"caf\xe9,2001,1,0\n", r"records\.csv: .*expected .*UTF-8"),
        ("", r"records\.csv: a file that cannot be read.*header line"),
    ],
    ids=[
        "missing column",
        "text for a number",
        "an undeclared mark for no answer",
        "a fraction for a whole number",
        "two in a flag",
        "infinity by name",
        "infinity by size",
        "empty text key",
        "empty number key",
        "a repeated key",
        "a repeated key with blanks around it",
        "a row with a field too many",
        "another encoding",
        "an empty file",
    ],
)
def test_a_file_that_is_not_as_declared_is_refused_by_file_column_and_line(
    project: Path, csv: str | bytes, message: str
) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        _read(project, csv)
    assert caught.value.where.startswith("source 'sample', file records.csv")


def test_a_field_too_many_in_every_row_never_shifts_the_columns(project: Path) -> None:
    with pytest.raises(SourceError, match=r"file records\.csv"):
        _read(project, HEADER + "1,2,2001,1,0\n2,3,2001,1,0\n")


def test_a_header_with_a_repeated_name_is_refused(project: Path) -> None:
    with pytest.raises(SourceError, match=r"file records\.csv.*output"):
        _read(project, "plant,year,output,output,union\na,2001,1,2,0\n")


def test_the_line_named_counts_blank_lines(project: Path) -> None:
    with pytest.raises(SourceError, match="line 4: 'much'"):
        _read(project, HEADER + "a,2001,1,0\n\nb,2001,much,0\n")


def test_a_whole_number_too_large_to_hold_is_refused(project: Path) -> None:
    with pytest.raises(SourceError, match="column year, line 2"):
        _read(project, HEADER + "a,1e30,1,0\n")


def test_a_misspelt_key_column_is_refused(project: Path) -> None:
    write_source(project, GOOD, COLUMNS, key=["plant", "yaer"])
    with pytest.raises(SourceError, match="yaer"):
        read_snapshot(project, "sample", seed=0, case={})


def test_a_record_with_a_date_is_refused(project: Path) -> None:
    record = project / "data/sources/wage_panel.toml"
    edit(record, 'version = "linearmodels 7.1"', "version = 2026-11-22")
    with pytest.raises(SourceError, match=r"wage_panel\.toml"):
        load_record(project, "wage_panel")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('kind = "packaged"', 'kind = "packed"', r"wage_panel\.toml: kind: 'packed'"),
        ('kind = "packaged"', 'kind = "simulated"', r"wage_panel\.toml: id 'wage_panel', kind"),
        ('id = "wage_panel"', 'id = "wages"', r"wage_panel\.toml: id 'wages'.*id 'wage_panel'"),
        ('url = "', 'link = "x"\nurl = "', r"wage_panel\.toml: link"),
        ('id = "wage_panel"', "id = ", r"wage_panel\.toml: text that is not TOML"),
        ('package = "linearmodels"', 'package = "linearmodel"', r"package: 'linearmodel', .*not i"),
    ],
)
def test_a_broken_record_is_refused_by_file_and_key(
    project: Path, old: str, new: str, message: str
) -> None:
    edit(project / "data/sources/wage_panel.toml", old, new)
    with pytest.raises(SourceError, match=message):
        read_snapshot(project, "wage_panel", seed=0, case={})


def test_an_unknown_source_is_refused_with_those_there_are(project: Path) -> None:
    with pytest.raises(SourceError, match=r"no such record; .*jobtraining, .*value_chains"):
        load_record(project, "nowhere")


def test_the_values_of_identifier_columns_are_kept_for_the_disclosure_check(project: Path) -> None:
    write_source(project, GOOD, COLUMNS, key=["plant"], extra='identifiers = ["plant"]')
    assert read_snapshot(project, "sample", seed=0, case={}).identifiers == ("007", "NA")


def test_an_identifier_that_is_no_column_is_refused(project: Path) -> None:
    write_source(project, GOOD, COLUMNS, key=["plant"], extra='identifiers = ["plnat"]')
    with pytest.raises(SourceError, match="identifiers: 'plnat'; expected columns of the record"):
        read_snapshot(project, "sample", seed=0, case={})


@pytest.mark.parametrize(
    ("kind", "ends"), [("number", "[1, 0]"), ("number", "[0, nan]"), ("text", "[0, 1]")]
)
def test_a_range_that_cannot_be_is_refused(project: Path, kind: str, ends: str) -> None:
    column = f'name = "more"\ntype = "{kind}"\nunit = "sample"\nrange = {ends}'
    write_source(project, GOOD, COLUMNS, key=["plant"])
    path = project / "data" / "sources" / "sample.toml"
    path.write_text(f"{path.read_text('utf-8')}\n[[tables.columns]]\n{column}\n", "utf-8")
    with pytest.raises(SourceError, match=f"column 'more': range .* of type '{kind}'"):
        load_record(project, "sample")


def test_rows_of_other_cases_are_left_out(project: Path) -> None:
    columns = {**COLUMNS, "country": "text"}
    csv = "plant,year,output,union,country\na,2001,1,0,JPN\nb,2001,1,0,VNM\n"
    write_source(project, csv, columns, key=["plant"])
    table = read_snapshot(project, "sample", seed=0, case={"country": "VNM"}).tables["records"]
    assert table["plant"].tolist() == ["b"]


def test_the_fingerprint_changes_with_the_raw_file_and_with_the_record(project: Path) -> None:
    raw = write_source(project, GOOD, COLUMNS, key=["plant"])
    first = fingerprint(project, "sample", seed=0)
    edit(raw, "1.5", "1.6")
    second = fingerprint(project, "sample", seed=0)
    edit(project / "data/sources/sample.toml", 'version = "sample"', 'version = "2"')
    assert len({first, second, fingerprint(project, "sample", seed=0)}) == 3


def test_the_same_seed_draws_the_same_factories(project: Path) -> None:
    first, second = _draw(project, 3), _draw(project, 3)
    assert first.sha256 == second.sha256
    for name, table in first.tables.items():
        pd.testing.assert_frame_equal(table, second.tables[name])


def test_another_seed_or_case_has_a_random_stream_of_its_own(simulation: Simulation) -> None:
    chosen = [("garment", 3), ("garment", 4), ("electronics", 3), ("automotive", 3)]
    drawn = [simulate_factories(simulation, "JPN", sector, seed)[0] for sector, seed in chosen]
    hours = [set(tables["factories"]["hours"]) for tables in drawn]
    assert all(len(one & other) < len(one) / 10 for one, other in itertools.combinations(hours, 2))


def test_what_is_read_back_is_what_was_drawn(project: Path, simulation: Simulation) -> None:
    raw, truth = simulate_factories(simulation, "JPN", "garment", 3)
    snapshot = _draw(project, 3)
    assert snapshot.truth == truth
    pd.testing.assert_series_equal(
        snapshot.tables["factories"]["output"], raw["factories"]["output"]
    )


def test_a_case_without_declared_effects_is_refused(project: Path) -> None:
    with pytest.raises(SourceError, match="BGD-automotive; expected BGD-garment"):
        _draw(project, 0, "BGD", "automotive")


def test_a_simulated_source_needs_country_and_sector(project: Path) -> None:
    with pytest.raises(SourceError, match=r"case with no values; expected country and sector"):
        read_snapshot(project, "value_chains", seed=0, case={})


def test_the_true_effect_on_findings_is_the_relative_one_times_the_mean_rate() -> None:
    point = {"cluster": "c", "basis": "by hand"}
    # Two items at 0.51 fail with probability 0.3 each, one at 0.2 with 0.2: 0.8 / 3 on average.
    points = [
        {"id": "two_items", "rate": 0.51, "items": 2, **point},
        {"id": "one_item", "rate": 0.2, "items": 1, **point},
        {"id": "is_the_exposure", "rate": 0.9, "items": 3, "institution": "committee", **point},
    ]
    case = {"country": "JPN", "sector": "garment", "factories": 10}
    effects = {"noncompliance": {"committee": -0.3}, "productivity": {"committee": 0.04}}
    raw = {
        "seed": 1,
        "first_year": 2000,
        "years": 5,
        "prevalence": {"committee": 0.5},
        "points": points,
        "cases": [{**case, **effects}],
    }
    declared = TypeAdapter(Simulation).validate_json(json.dumps(raw))
    _, truth = simulate_factories(declared, "JPN", "garment", 0)
    assert truth["noncompliance"]["committee"] == pytest.approx(-0.08, rel=1e-12)
    assert truth["log_output_per_hour"] == {"committee": 0.04}


def test_the_true_effects_of_every_shipped_case_follow_from_its_parameters(
    simulation: Simulation,
) -> None:
    for case in simulation.cases:
        chances = [
            1 - (1 - point.rates.get(case.country, point.rate)) ** (1 / point.items)
            for point in simulation.points
            if not point.institution
            for _ in range(point.items)
        ]
        _, truth = simulate_factories(simulation, case.country, case.sector, 0)
        for name, effect in case.noncompliance.items():
            without = sum(chances) / len(chances)
            with_it = sum(chance * (1 + effect) for chance in chances) / len(chances)
            # Absolute, because a difference of two shares below one rounds at 1e-16.
            assert truth["noncompliance"][name] == pytest.approx(with_it - without, abs=1e-15)
        assert truth["log_output_per_hour"] == case.productivity


def test_first_year_rates_are_the_published_ones(simulation: Simulation) -> None:
    published = {
        (case.country, point.id): point.rates.get(case.country, point.rate)
        for case in simulation.cases
        for point in simulation.points
        if not point.institution
    }
    keys = ["Country", "Factory.Assessed.ID", "CP"]
    drawn = []
    for seed in RATE_SEEDS:
        for case in simulation.cases:
            tables, _ = simulate_factories(simulation, case.country, case.sector, seed)
            answers = tables["answers"]
            first = answers[answers["Year"] == simulation.first_year]
            drawn.append(first.groupby(keys)["Finding"].max().reset_index())
    found = pd.concat(drawn)
    found["published"] = [
        published.get(key) for key in zip(found["Country"], found["CP"], strict=True)
    ]
    rates = found.dropna().groupby("CP")[["Finding", "published"]].mean()
    assert len(rates) == sum(not point.institution for point in simulation.points)
    off = (rates["Finding"] - rates["published"]).abs()
    assert off.max() <= RATE_TOLERANCE, off.sort_values().tail().to_string()


def test_a_point_that_describes_an_institution_follows_it(simulation: Simulation) -> None:
    tables, _ = simulate_factories(simulation, "JPN", "garment", 0)
    visits = tables["factories"].set_index(["factory", "year"])["committee"]
    answers = tables["answers"][tables["answers"]["CP"] == "bipartite_committees"]
    units = pd.MultiIndex.from_frame(answers[["Factory.Assessed.ID", "Year"]])
    with_it = visits.loc[units].to_numpy() == 1
    # A record of 0.02 and 0.95 a question: far apart in any sample of a hundred answers.
    assert answers["Finding"][with_it].mean() < 0.1
    assert answers["Finding"][~with_it].mean() > 0.9


def test_the_simulated_answers_look_like_better_works_export(project: Path) -> None:
    _draw(project, 1)
    folder = project / "data/raw/value_chains/seed-1/simulated-JPN-garment"
    assert pd.read_csv(folder / "answers.csv", nrows=1).columns.tolist() == BETTER_WORK


def test_the_truth_lies_beside_the_simulated_answers(project: Path) -> None:
    snapshot = _draw(project, 1)
    folder = project / "data/raw/value_chains/seed-1/simulated-JPN-garment"
    assert sorted(path.name for path in folder.iterdir()) == [
        "answers.csv",
        "factories.csv",
        "truth.json",
    ]
    assert json.loads((folder / "truth.json").read_text(encoding="utf-8")) == snapshot.truth


def test_every_sort_of_institution_is_gained_by_some_factories(simulation: Simulation) -> None:
    tables, _ = simulate_factories(simulation, "JPN", "garment", 0)
    spread = tables["factories"].groupby("factory")[list(simulation.prevalence)].nunique()
    assert (spread == 2).any().all()


def test_a_stronger_declared_effect_is_a_stronger_true_effect(simulation: Simulation) -> None:
    case = simulation.cases[0]
    doubled = {name: 2 * effect for name, effect in case.noncompliance.items()}
    other = dataclasses.replace(
        simulation, cases=(dataclasses.replace(case, noncompliance=doubled),)
    )
    _, single = simulate_factories(simulation, case.country, case.sector, 0)
    _, twice = simulate_factories(other, case.country, case.sector, 0)
    assert twice["noncompliance"] == {k: 2 * v for k, v in single["noncompliance"].items()}


def test_a_factory_in_two_countries_is_refused_before_cases_part_its_rows(project: Path) -> None:
    csv = "factory,country,year,y\na,BGD,2020,1\na,KHM,2021,2\nb,BGD,2020,3\n"
    kinds = {"factory": "text", "country": "text", "year": "integer", "y": "number"}
    write_source(project, csv, kinds, key=["factory", "year"])
    with pytest.raises(
        SourceError, match=r"column factory: 1 of them in two countries, .*BGD and KHM"
    ):
        read_snapshot(project, "sample", seed=0, case={"country": "BGD"})
