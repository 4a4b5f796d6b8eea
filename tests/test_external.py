"""Real country data, read in place: an own file becomes a study without code."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from conftest import ROOT, copy_project, finish
from evidence.brief import write_briefs
from evidence.changes import Change, Kept, compare_runs, find_run, list_lines, write_change
from evidence.disclosure import clear
from evidence.errors import MeasureError
from evidence.measures import score_measures
from evidence.models import Fit, fit, list_bearing
from evidence.neck import read_neck
from evidence.panel import Panel, build_panel, list_complete, list_jumps, list_variation
from evidence.run import run_study
from evidence.sources import Snapshot, list_unfetched, read_snapshot, read_sources
from evidence.sources.fetch import fetch_snapshot
from evidence.study import Study, load_study

MIRROR = ROOT.parent / "shared" / "data"
SHARED = MIRROR / "ilo_country_panel_core"
FILE = SHARED / "ilo_country_panel_core_1960_2024.csv"
NUMBERS = ("sdg882_noncompliance", "union_density_ilo", "output_per_worker_chained")

pytestmark = [
    pytest.mark.external,
    pytest.mark.skipif(not FILE.is_file(), reason="../shared is not there"),
]

RECORD = """
id = "countries"
kind = "file"
title = "ILO country panel"
producer = "ILO, UNSD, Penn World Table"
citation = "ILO country panel"
url = ""
licence = "mixed"
version = "core"
confidentiality = "public"
protected_unit = "country"
[[tables]]
name = "records"
file = "panel.csv"
sha256 = "{sha256}"
key = ["iso", "year"]
columns = [
    {{ name = "iso", raw = "iso3", type = "text", unit = "ISO 3166 alpha-3" }},
    {{ name = "year", type = "integer", unit = "year" }},
{columns}]
"""
STUDY = """
schema_version = 1
variables = [
    {{ name = "iso", role = "entity", level = "country", unit = "code", noun.en = ["country", "countries"] }},
    {{ name = "year", role = "time", level = "country", unit = "year" }},
    {{ name = "sdg882_noncompliance", role = "outcome", level = "country", unit = "index", label.en = "non-compliance" }},
    {{ name = "union_density_ilo", role = "exposure", level = "country", unit = "percent", label.en = "union density" }},
    {{ name = "log_output_per_worker_chained", role = "control", level = "country", unit = "log" }},
]
[study]
slug = "countries"
title = "Density and compliance"
question = "Does density go with compliance?"
[data]
sources = ["countries"]
{specifications}
[[claims]]
id = "density"
specification = "within"
"""
SPECIFICATION = """
[[specifications]]
id = "{id}"
notebook = "plants"
estimator = "{estimator}"
outcome = "sdg882_noncompliance"
exposure = "union_density_ilo"
controls = ["log_output_per_worker_chained"]
effects = {effects}
role = "{role}"
"""


@pytest.fixture(scope="module")
def fits(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Fit]:
    root = copy_project(tmp_path_factory.mktemp("countries") / "p")
    raw = root / "data/raw/countries"
    raw.mkdir(parents=True)
    shutil.copy(FILE, raw / "panel.csv")
    columns = "".join(
        f'    {{ name = "{name}", type = "number", unit = "index" }},\n' for name in NUMBERS
    )
    digest = hashlib.sha256(FILE.read_bytes()).hexdigest()
    record = RECORD.format(sha256=digest, columns=columns)
    (root / "data/sources/countries.toml").write_text(record, "utf-8")
    kinds = [
        ("pooled", "pooled_ols", '["time"]', "headline"),
        ("within", "fixed_effects", '["entity", "time"]', "headline"),
        ("whole", "fixed_effects", '["entity", "time"]', "replication"),
    ]
    blocks = "".join(
        SPECIFICATION.format(id=i, estimator=e, effects=f, role=r) for i, e, f, r in kinds
    )
    path = root / "notebooks/studies/countries.toml"
    path.write_text(STUDY.format(specifications=blocks), "utf-8")
    study = load_study(path)
    case = study.cases[0]
    panel = build_panel(study, score_measures(study, read_sources(study, case, 1)))
    return {name: fit(panel, name) for name, *_ in kinds}


def _row(fitted: Fit) -> dict[str, float]:
    table = fitted.estimates.set_index("term")
    return {str(k): v for k, v in table.loc["union_density_ilo"].to_dict().items()}


def test_complete_country_years_are_those_of_the_reference(fits: dict[str, Fit]) -> None:
    assert fits["pooled"].estimates["nobs"].unique().tolist() == [364]
    assert fits["pooled"].estimates["n_entities"].unique().tolist() == [102]
    assert fits["pooled"].periods == (2015, 2020)


def test_the_pooled_association_vanishes_within_countries(fits: dict[str, Fit]) -> None:
    assert round(_row(fits["pooled"])["estimate"], 4) == -0.0276
    assert round(_row(fits["pooled"])["std_error"], 3) == 0.011
    assert round(_row(fits["whole"])["estimate"], 4) == 0.0022
    assert _row(fits["whole"])["nobs"] == 364


def test_countries_seen_once_carry_nothing_within(fits: dict[str, Fit]) -> None:
    assert _row(fits["within"])["nobs"] == 364 - 23
    assert round(_row(fits["within"])["estimate"], 4) == 0.0022


RECORDS = {
    "ilostat_sdg_882": ("sdg882_noncompliance", 1862, 187),
    "ilostat_union_density": ("union_density", 1287, 139),
    "ilostat_bargaining_coverage": ("bargaining_coverage", 865, 99),
    "ilostat_inspectors": ("inspectors_per_10k", 743, 86),
    "ilostat_output_per_worker": ("output_per_worker_ilo", 136, 4),
    "ilostat_output_growth": ("output_per_worker_growth", 4318, 188),
    "unsd_sdg_882": ("sdg882_unsd2020", 407, 136),
    "unsd_sdg_881_fatal": ("fatal_injuries_per_100k", 913, 86),
    "pwt": ("rgdpo", 9734, 183),
}
"""Source → a column, its values and countries: ../shared/reference/data.md, section 4."""

JOINED = (
    "ilostat_sdg_882",
    "ilostat_union_density",
    "ilostat_bargaining_coverage",
    "ilostat_inspectors",
    "ilostat_output_growth",
    "pwt",
)
DENSITY, COVERAGE, INSPECTORS = "union_density", "bargaining_coverage", "inspectors_per_10k"
LEVEL, CHAINED = "output_per_worker", "output_per_worker_chained"
SCORE = "sdg882_noncompliance"

COMPLETE = [
    ((DENSITY, LEVEL), 355, 102),
    ((DENSITY, CHAINED), 364, 102),
    ((COVERAGE, CHAINED), 298, 81),
    ((DENSITY, COVERAGE, CHAINED), 243, 70),
    ((CHAINED,), 1318, 166),
    ((INSPECTORS,), 457, 75),
]
"""Complete cases with SDG 8.8.2: country-years and countries, same section."""

FOUR = {
    "BGD": [4.97, 5.57, 6.95, 7.87, 8.74, 8.75, 8.36, 9.46, 10, 9.06],
    "KHM": [3.96, 4.38, 4.93, 4.93, 4.77, 4.73, 5.49, 5.49, 6.81, 6.42],
    "JPN": [1.09, 1.28, 1.28, 1.11, 1.11, 1.11, 1.11, 1.11, 1.11, 1.11],
    "VNM": [8.28, 8.28, 8.28, 8.28, 8.28, 7.87, 8.23, 9.14, 9.14, 9.14],
}
"""SDG 8.8.2, 2015 to 2024, same section."""

COUNTRY_STUDY = """
schema_version = 1
variables = [
    {{ name = "country", role = "entity", level = "country", unit = "code", noun.en = ["country", "countries"] }},
    {{ name = "year", role = "time", level = "country", unit = "year" }},
    {{ name = "sdg882_noncompliance", role = "outcome", level = "country", unit = "score", scale = {{ best = 0, worst = 10 }}, label.en = "non-compliance" }},
    {{ name = "union_density", role = "exposure", level = "country", unit = "percent", label.en = "union density" }},
{controls}]
[study]
slug = "dialogue"
title = "Density and compliance"
question = "Does density go with compliance?"
[data]
sources = {sources}
[[specifications]]
id = "within"
notebook = "plants"
estimator = "fixed_effects"
outcome = "sdg882_noncompliance"
exposure = "union_density"
effects = ["entity", "time"]
[[claims]]
id = "density"
specification = "within"
"""


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = copy_project(tmp_path_factory.mktemp("mirrored") / "p")
    for source in (*RECORDS, "garment_productivity"):
        assert all(kept.new for kept in fetch_snapshot(root, source, mirror=MIRROR))
    return root


@pytest.fixture(scope="module")
def panel(mirrored: Path) -> Panel:
    controls = "".join(
        f'    {{ name = "{name}", role = "control", level = "country", unit = "number" }},\n'
        for name in (COVERAGE, INSPECTORS, LEVEL, CHAINED)
    )
    path = mirrored / "notebooks/studies/dialogue.toml"
    sources = str(list(JOINED)).replace("'", '"')
    path.write_text(COUNTRY_STUDY.format(controls=controls, sources=sources), "utf-8")
    study = load_study(path)
    return build_panel(study, score_measures(study, read_sources(study, study.cases[0], 0)))


def _read(root: Path, source: str) -> Snapshot:
    return read_snapshot(root, source, seed=0, case={})


@pytest.mark.parametrize("source", RECORDS)
def test_each_shipped_record_reads_its_copy(mirrored: Path, source: str) -> None:
    column, values, countries = RECORDS[source]
    table = _read(mirrored, source).tables["records"]
    found = table.dropna(subset=[column])
    assert (len(found), found["country"].nunique()) == (values, countries)
    assert table["country"].str.fullmatch("[A-Z]{3}").all()


def test_what_a_record_leaves_out_is_counted(mirrored: Path) -> None:
    steps = {
        source: _read(mirrored, source).steps.iloc[-2]
        for source in ("ilostat_output_per_worker", "ilostat_output_growth", "unsd_sdg_881_fatal")
    }
    assert {source: int(step["rows"]) for source, step in steps.items()} == {
        "ilostat_output_per_worker": 148 - 12,
        "ilostat_output_growth": 4571 - 253,
        "unsd_sdg_881_fatal": 913,
    }
    assert "without 253 rows of country" in steps["ilostat_output_growth"]["reason"]
    assert "CHA" in steps["ilostat_output_growth"]["reason"]


def test_the_garment_teams_are_read_as_they_are(mirrored: Path) -> None:
    table = _read(mirrored, "garment_productivity").tables["records"]
    assert len(table) == 1197 - 506
    assert table["department"].unique().tolist() == ["sweing"]
    assert table["wip"].notna().all()
    days = table["date"].dt.strftime("%Y-%m-%d")
    assert (days.min(), days.max()) == ("2015-01-01", "2015-03-11")


@pytest.mark.parametrize("country", FOUR)
def test_the_four_countries_have_the_scores_of_the_reference(panel: Panel, country: str) -> None:
    rows = panel.data.reset_index()
    scores = rows[(rows["country"] == country) & rows["year"].between(2015, 2024)][SCORE]
    assert scores.tolist() == FOUR[country]


@pytest.mark.parametrize(("names", "rows", "countries"), COMPLETE)
def test_complete_cases_are_those_of_the_reference(
    panel: Panel, names: tuple[str, ...], rows: int, countries: int
) -> None:
    found = panel.data.dropna(subset=[SCORE, *names])
    assert (len(found), found.index.get_level_values(0).nunique()) == (rows, countries)


def test_density_carries_no_panel_of_the_four_countries(panel: Panel) -> None:
    found = panel.data.dropna(subset=[SCORE, DENSITY, CHAINED])
    years = {c: found.loc[[c]].index.get_level_values(1).tolist() for c in FOUR if c in found.index}
    assert years == {"BGD": [2018], "JPN": [2015, 2016, 2017, 2018, 2019], "VNM": [2018]}


def test_the_vintages_of_the_score_are_two_scales(mirrored: Path) -> None:
    old = _read(mirrored, "unsd_sdg_882").tables["records"]
    new = _read(mirrored, "ilostat_sdg_882").tables["records"]
    both = old.merge(new, on=["country", "year"])
    row = both[(both["country"] == "BGD") & (both["year"] == 2015)].iloc[0]
    assert (row["sdg882_unsd2020"], row[SCORE]) == (6.3, 4.97)


def test_a_second_fetch_finds_nothing_new(mirrored: Path) -> None:
    assert not any(kept.new for kept in fetch_snapshot(mirrored, "pwt", mirror=MIRROR))


VINTAGE_STUDY = """
schema_version = 1
variables = [
    {{ name = "country", role = "entity", level = "country", unit = "code", noun.en = ["country", "countries"] }},
    {{ name = "year", role = "time", level = "country", unit = "year" }},
    {{ name = "sdg_882", role = "outcome", level = "country", unit = "score", scale = {{ best = 0, worst = 10 }}, label.en = "non-compliance with labour rights" }},
    {{ name = "{exposure}", role = "exposure", level = "country", unit = "percent", label.en = "a further percentage point of {noun}" }},
]
[study]
slug = "vintages"
title = "Dialogue and labour rights"
question = "Does dialogue go with compliance?"
[data]
sources = ["{source}", "{exposures}"]
[[specifications]]
id = "pooled"
notebook = "plants"
estimator = "pooled_ols"
outcome = "sdg_882"
exposure = "{exposure}"
effects = ["time"]
[[specifications]]
id = "within"
notebook = "plants"
estimator = "fixed_effects"
outcome = "sdg_882"
exposure = "{exposure}"
effects = ["entity", "time"]
[[claims]]
id = "across"
specification = "pooled"
[[claims]]
id = "inside"
specification = "within"
"""


@pytest.fixture(scope="module", params=["union_density", "bargaining_coverage"])
def vintages(
    request: pytest.FixtureRequest, mirrored: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Change, Kept]:
    """Compare one study on SDG 8.8.2 as of 2020 with the same on the ILO's vintage of today."""
    root = tmp_path_factory.mktemp("vintages") / "p"
    shutil.copytree(mirrored, root)
    for source in ("unsd_sdg_882", "ilostat_sdg_882"):
        record = root / f"data/sources/{source}.toml"
        text = record.read_text("utf-8")
        for column in ("sdg882_unsd2020", "sdg882_noncompliance"):
            text = text.replace(f'name = "{column}"', 'name = "sdg_882"')
        record.write_text(text, "utf-8")
    path = root / "notebooks/studies/vintages.toml"
    for source in ("unsd_sdg_882", "ilostat_sdg_882"):
        words = {"exposure": request.param, "exposures": f"ilostat_{request.param}"}
        noun = request.param.replace("_", " ")
        path.write_text(VINTAGE_STUDY.format(source=source, noun=noun, **words), "utf-8")
        finish(load_study(path))
    new = find_run(root, "vintages")
    change = compare_runs(find_run(root, "vintages@previous"), new)
    write_change(change, new, root)
    return change, new


def test_a_diff_of_two_vintages_says_that_the_scoring_changed(
    vintages: tuple[Change, Kept],
) -> None:
    change, new = vintages
    (warning,) = [c for c in change.cautions if c.kind == "scoring_changed"]
    assert set(warning.findings) == {"across", "inside"}
    assert warning.values["rows"] == 407
    assert warning.values["share"] > 0.9
    assert {"source", "producer", "version", "note"} <= set(warning.values["reasons"])
    lines = list_lines(change, new)
    assert any("! The scoring changed: this is not progress" in line for line in lines)
    text = " ".join(line for line in lines if not line.startswith("!")).lower()
    assert not any(word in text for word in ("progress", "improve", "better", "worse"))


def test_the_parts_of_two_vintages_add_up_and_hold_new_years(
    vintages: tuple[Change, Kept],
) -> None:
    for move in vintages[0].moves:
        assert move.change is not None
        parts = {part.cause: part.change for part in move.components}
        assert set(parts) == {"rows", "entities", "data", "code"}
        assert sum(parts.values()) == pytest.approx(move.change, abs=1e-12)
        assert abs(parts["code"]) < 1e-12
        assert move.counts is not None
        assert move.counts.rows_entered
        assert move.counts.values_changed


SHIPPED = (
    "ilostat_sdg_882",
    "ilostat_union_density",
    "ilostat_bargaining_coverage",
    "ilostat_output_growth",
    "pwt",
)
"""Sources of the shipped study ``countries``."""

PRINTED = {
    "pooled": ("union_density", "-0.028", "0.011", 364, 102),
    "within_all": ("union_density", "0.002", "0.014", 364, 102),
    "within": ("union_density", "0.002", "0.012", 341, 79),
    "coverage_pooled": ("bargaining_coverage", "-0.029", "0.006", 298, 81),
    "output_pooled": ("log_output_per_worker_chained", "-0.175", "0.167", 1318, 166),
}
"""Estimate, error, rows, countries. The first two, and the rows of the others: the table "What
estimates look like on it" and the complete cases of ../shared/reference/data.md, section 4. The
errors of ``within`` are those of another convention, without the 23 countries seen once."""

SENTENCE = (
    "We cannot tell whether, within the same country, the score of non-compliance with labour "
    "rights changes together with union density: the 95 per cent interval runs from "
    "\N{MINUS SIGN}0.02 points to 0.03 points, and differences beyond it are unlikely. "
    "The scale runs from 0 (best) to 10 (worst): lower is better."
)
CAUTION = "is not intended as a tool to compare compliance among ILO member States"


@pytest.fixture(scope="module")
def briefed(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Run the shipped study by papermill on what the mirror has, and write a brief of it."""
    root = copy_project(tmp_path_factory.mktemp("briefed") / "p")
    study = load_study(root / "notebooks/studies/countries.toml")
    assert study.data.sources == SHIPPED
    assert list_unfetched(root, SHIPPED) == SHIPPED
    for source in SHIPPED:
        fetch_snapshot(root, source, mirror=MIRROR)
    assert list_unfetched(root, SHIPPED) == ()
    assert not run_study(study).failures
    write_briefs(clear(read_neck(study.internal), study))
    return study


@pytest.mark.parametrize("name", PRINTED)
def test_the_shipped_study_gives_the_printed_numbers(briefed: Study, name: str) -> None:
    table = read_neck(briefed.internal).estimates
    term, *printed = PRINTED[name]
    (row,) = table[(table["specification"] == name) & (table["term"] == term)].to_dict("records")
    told = [f"{row['estimate']:.3f}", f"{row['std_error']:.3f}", row["nobs"], row["n_entities"]]
    assert told == printed
    assert row["level"] == "country"


def test_a_placebo_fails_within_countries_and_is_found_between_them(briefed: Study) -> None:
    table = read_neck(briefed.internal).estimates
    rows = table[table["term"] == "lead1_union_density"].set_index("specification")
    assert set(rows["role"]) == {"placebo"}
    inside, pooled = (rows.to_dict("index")[name] for name in ("next_within", "next_pooled"))
    assert inside["conf_low"] < 0 < inside["conf_high"]
    assert pooled["conf_high"] < 0


def test_the_brief_says_that_nothing_is_told_within_countries(briefed: Study) -> None:
    page = (briefed.public / "brief.en.html").read_text("utf-8").replace("\u00a0", " ")
    assert SENTENCE in re.sub("[\u2060\u200b]", "", page)
    exhibits = page.count("<figure>") + page.count("<table>") - page.count("</details>\n<details>")
    quoted = page.count(f'<span lang="en">\u201c{CAUTION}\u201d</span>')
    assert quoted == 2 <= exhibits
    assert page.count("The scale runs from 0 (best) to 10 (worst): lower is better.") >= 6


def test_who_bears_the_comparison_within_countries_is_the_reference_list(briefed: Study) -> None:
    snapshots = read_sources(briefed, briefed.cases[0], 1)
    panel = build_panel(briefed, score_measures(briefed, snapshots))
    bearing = list_bearing(panel, "within")
    eight = ["TUN", "PAN", "MLI", "FIN", "MNG", "SLV", "NPL", "MLT"]
    assert bearing.index[:8].tolist() == eight
    assert round(bearing["up_to_here"].iloc[7], 2) == 0.63
    assert bearing["estimate"].abs().max() < 0.01
    complete = list_complete(panel, ("BGD", "KHM", "JPN", "VNM")).loc["pooled"]
    assert list(complete) == ["2018", "none", "2015, 2016, 2017, 2018, 2019", "2018"]
    variation = list_variation(panel).round(2)
    assert list(variation.loc[SCORE, ["within", "between", "never_change"]]) == [0.47, 2.23, 33]
    jumps = [list_jumps(snapshots, name, least=20) for name in (DENSITY, COVERAGE)]
    found = [(jumps[0].loc["VNM"], 13.96, 49.61), (jumps[1].loc["KHM"], 26.3, 1.3)]
    for row, before, value in found:
        assert (row["before"], row["value"]) == (before, value)


def test_two_vintages_of_the_score_are_not_spliced(mirrored: Path) -> None:
    """Under their own names they are two columns; under one name they are refused."""
    root = mirrored
    path = root / "notebooks/studies/spliced.toml"
    study = (root / "notebooks/studies/countries.toml").read_text("utf-8")
    study = study.replace('slug = "countries"', 'slug = "spliced"')
    path.write_text(study.replace("sources = [", 'sources = [\n    "unsd_sdg_882",', 1), "utf-8")
    record = root / "data/sources/unsd_sdg_882.toml"
    before = record.read_text("utf-8")
    record.write_text(before.replace("sdg882_unsd2020", SCORE), "utf-8")
    try:
        loaded = load_study(path)
        with pytest.raises(MeasureError, match=f"'{SCORE}'"):
            score_measures(loaded, read_sources(loaded, loaded.cases[0], 0))
    finally:
        record.write_text(before, "utf-8")
        path.unlink()


@pytest.fixture(scope="module")
def teams(mirrored: Path) -> Panel:
    study = load_study(mirrored / "notebooks/studies/teams.toml")
    return build_panel(study, score_measures(study, read_sources(study, study.cases[0], 1)))


def test_the_teams_are_compared_with_themselves_on_other_days(teams: Panel) -> None:
    fitted = fit(teams, "within")
    rows = teams.data
    spec = teams.study.specification("within")
    dummies = [pd.get_dummies(rows.index.get_level_values(level)) for level in ("entity", "time")]
    design = np.column_stack([rows[list(spec.regressors)], *dummies]).astype(float)
    expected = np.linalg.lstsq(design, rows[spec.outcome].to_numpy(), rcond=None)[0]
    table = fitted.estimates.set_index("term")
    for place, name in enumerate(spec.regressors):
        assert table.loc[name, "estimate"] == pytest.approx(expected[place], rel=1e-6)
    assert (len(rows), teams.n_entities, teams.n_periods) == (691, 12, 59)
    assert set(table["n_clusters"]) == {12}


def test_a_day_before_the_weekly_rest_has_no_next_day(teams: Panel) -> None:
    days = teams.data.index.get_level_values("time")
    assert (days.min(), days.max()) == (1, 70)
    resting = set(range(1, 71)) - set(days)
    before = teams.data[[day + 1 in resting for day in days]]
    assert before["lead1_incentive"].isna().all()
