"""The examples of docs/data.md and docs/studies.md, followed to the letter, end in a brief."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path

from click.testing import CliRunner

from conftest import ROOT
from evidence.cli import main


def _table() -> str:
    draw = random.Random(7)
    lines = ["Factory ID,Factory name,country,sector,year,violations,committee"]
    for number in range(80):
        country = ("BGD", "KHM")[number % 2]
        start = draw.randint(2016, 2021)
        for year in range(2016, 2021):
            value = draw.gauss(0.3, 0.05) - 0.05 * (year >= start)
            row = (f"{number:05d}", f"Works {number}", country, "garment", year)
            lines.append(",".join(map(str, (*row, f"{value:.4f}", int(year >= start)))))
    return "\n".join(lines) + "\n"


def test_the_example_runs_from_raw_file_to_brief(fresh_project: Path) -> None:
    record, study = (
        re.findall(r"```toml\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)[0]
        for page in ("docs/data.md", "docs/studies.md")
    )
    record = re.sub(r'sha256 = "…".*\n', "", record)
    raw = fresh_project / "data/raw/inspections"
    raw.mkdir(parents=True)
    (raw / "inspections.csv").write_text(_table(), "utf-8")
    (fresh_project / "data/sources/inspections.toml").write_text(record, "utf-8")
    path = fresh_project / "notebooks/studies/inspections.toml"
    path.write_text(study, "utf-8")
    notebook = fresh_project / "notebooks/inspections.ipynb"
    shutil.copy(fresh_project / "notebooks/value_chains.ipynb", notebook)
    notebook.write_text(notebook.read_text("utf-8").replace("value_chains", "inspections"), "utf-8")
    runner = CliRunner()
    for verb in ("check", "run", "brief"):
        done = runner.invoke(main, [verb, str(path)])
        assert done.exit_code == 0, done.output
    page = (fresh_project / "reports/public/inspections/brief.en.html").read_text("utf-8")
    assert "the share of violations" in page
    assert "Works 1" not in page
