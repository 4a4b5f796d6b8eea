"""A new country, a new version of the questionnaire and a new data file: data, no code."""

from __future__ import annotations

import json
import random
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from conftest import ROOT
from evidence.cli import main
from evidence.language import name_territory
from evidence.study import LANGUAGES, label_of, load_study, names_of_case

RECORD = """
id = "india"
kind = "file"
title = "Made-up factory assessments"
producer = "a test"
citation = "Made up by a test"
url = ""
licence = "none"
version = "1"
confidentiality = "restricted"
protected_unit = "factory"
identifiers = ["factory"]
questionnaire = "better_work"

[[tables]]
name = "answers"
file = "answers*.csv"
key = ["factory", "year", "question"]
missing = [""]
columns = [
    { name = "factory", type = "text", unit = "identifier" },
    { name = "country", type = "country", unit = "ISO 3166 alpha-3" },
    { name = "sector", type = "text", unit = "code" },
    { name = "year", type = "integer", unit = "year" },
    { name = "date", type = "date", unit = "day" },
    { name = "point", type = "text", unit = "code" },
    { name = "question", type = "text", unit = "code" },
    { name = "finding", type = "flag", unit = "indicator" },
    { name = "answer", type = "number", unit = "members" },
]

[[tables]]
name = "committees"
file = "committees*.csv"
key = ["factory", "year"]
columns = [
    { name = "factory", type = "text", unit = "identifier" },
    { name = "year", type = "integer", unit = "year" },
    { name = "committee", type = "flag", unit = "indicator" },
]
"""
STUDY = """
schema_version = 1

[study]
slug = "india"
title = "Committees in India"
question = "Do committees go together with fewer findings?"

[cases]
country = ["IND"]
sector = ["garment"]

[data]
sources = ["india"]

[[variables]]
name = "factory"
role = "entity"
level = "factory"
unit = "identifier"
noun = { en = ["factory", "factories"], bn = ["কারখানা", "কারখানা"] }

[[variables]]
name = "year"
role = "time"
level = "factory"
unit = "year"
label = { en = "year", bn = "বছর" }

[[variables]]
name = "noncompliance"
role = "outcome"
level = "factory-cycle"
unit = "share"
label = { en = "the non-compliance rate", bn = "শ্রম আইন না মানার হার" }

[[variables]]
name = "committee"
role = "exposure"
level = "factory-cycle"
unit = "indicator"
label = { en = "a committee", bn = "কমিটি" }

[[specifications]]
id = "within"
notebook = "india"
estimator = "fixed_effects"
outcome = "noncompliance"
exposure = "committee"
effects = ["entity", "time"]

[[claims]]
id = "committee_within"
specification = "within"

[brief]
languages = ["en"]
"""
POINTS = ("paid_leave", "overtime", "minimum_wages", "chemicals")
QUESTIONS = "".join(
    f"""
[[questions]]
id = "india_{point}"
point = "{point}"
provenance = "assumed"

[[questions.asked]]
code = "IN-{point}"
countries = ["IND"]
"""
    for point in POINTS
)
DAYS = {2024: "2024-11-05", 2025: "2025-03-05", 2026: "2026-02-05"}
SIZE = {2024: "V_GRC", 2025: "GRC_2", 2026: "wrk-gri-3"}
"""The code of one and the same question by version: by video, on site, in the shared tool."""


def _add_pack(root: Path) -> None:
    """Follow the example of docs/packs.md to the letter."""
    blocks = re.findall(r"```toml\n(.*?)```", (ROOT / "docs/packs.md").read_text("utf-8"), re.S)
    own = [block for block in blocks if block.startswith("# ") and "data/" in block]
    for place, block in enumerate(own[:3]):
        path = root / re.findall(r"data/\S+\.toml", block)[0]
        old = path.read_text("utf-8") if place == 2 else ""
        path.write_text(f"{old}\n{block}{QUESTIONS * (place == 2)}", "utf-8")


def _add_files(root: Path, years: tuple[int, ...]) -> None:
    draw = random.Random(f"India {years}")
    answers = ["factory,country,sector,year,date,point,question,finding,answer"]
    committees = ["factory,year,committee"]
    for number in range(60):
        start = 2024 + number % 4
        for year in years:
            has = int(year >= start)
            committees.append(f"IN-{number:03},{year},{has}")
            told = [(p, f"IN-{p}", int(draw.random() < 0.5 - 0.2 * has), "") for p in POINTS]
            told.append(("", SIZE[year], 0, "8"))
            answers += [
                f"IN-{number:03},India,garment,{year},{DAYS[year]},{point},{code},{finding},{answer}"
                for point, code, finding, answer in told
            ]
    raw = root / "data/raw/india"
    raw.mkdir(parents=True, exist_ok=True)
    for name, lines in (("answers", answers), ("committees", committees)):
        (raw / f"{name}-{years[0]}.csv").write_text("\n".join(lines) + "\n", "utf-8")


def _follow(path: Path, *verbs: str) -> dict[str, Any]:
    for verb in verbs:
        done = CliRunner().invoke(main, [verb, str(path)])
        assert done.exit_code == 0, done.output
    neck = path.parents[2] / "reports/internal/india/findings.json"
    entries = json.loads(neck.read_text("utf-8"))["findings"]
    found: dict[str, Any] = next(entry for entry in entries if entry["kind"] == "finding")
    return found


def test_a_country_a_version_and_a_file_flow_through_run_gate_and_brief(
    fresh_project: Path,
) -> None:
    _add_pack(fresh_project)
    _add_files(fresh_project, (2024, 2025))
    (fresh_project / "data/sources/india.toml").write_text(RECORD, "utf-8")
    path = fresh_project / "notebooks/studies/india.toml"
    path.write_text(STUDY, "utf-8")
    notebook = fresh_project / "notebooks/india.ipynb"
    shutil.copy(fresh_project / "notebooks/value_chains.ipynb", notebook)
    text = notebook.read_text("utf-8").replace("value_chains", "india")
    notebook.write_text(text.replace('\\"BGD\\"', '\\"IND\\"'), "utf-8")
    first = _follow(path, "check", "run")
    assert first["nobs"] == 120
    assert first["items_left_out"] == ["grievance_committee_members"]
    _add_files(fresh_project, (2026,))
    second = _follow(path, "run", "brief")
    assert (second["nobs"], second["last_period"]) == (180, 2026)
    assert second["items_left_out"] == first["items_left_out"]
    public = fresh_project / "reports/public/india"
    page = (public / "brief.en.html").read_text("utf-8")
    assert "India" in page
    assert "IN-00" not in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_india_lacks_no_words(fresh_project: Path, language: str) -> None:
    _add_pack(fresh_project)
    path = fresh_project / "notebooks/studies/value_chains.toml"
    text = path.read_text("utf-8").replace('country = ["BGD"', 'country = ["IND", "BGD"')
    path.write_text(text, "utf-8")
    study = load_study(path)
    assert study.cases[0].id == "IND-garment"
    assert all(names_of_case(study, language, "IND-garment"))
    assert label_of(study, language, "committee")
    assert name_territory(language, "IND") not in {"", "IND"}
