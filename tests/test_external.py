"""Real country data, read in place: an own file becomes a study without code."""

from __future__ import annotations

import hashlib
import shutil

import pytest

from conftest import ROOT, copy_project
from evidence.measures import score_measures
from evidence.models import Fit, fit
from evidence.panel import build_panel
from evidence.sources import read_sources
from evidence.study import load_study

SHARED = ROOT.parent / "shared" / "data" / "ilo_country_panel_core"
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
    {{ name = "iso", role = "entity", level = "country", unit = "code" }},
    {{ name = "year", role = "time", level = "country", unit = "year" }},
    {{ name = "sdg882_noncompliance", role = "outcome", level = "country", unit = "index" }},
    {{ name = "union_density_ilo", role = "exposure", level = "country", unit = "percent" }},
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
