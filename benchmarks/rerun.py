"""Sixty cases: all of them, none that changed, one that changed.

    python benchmarks/rerun.py               # ten minutes on two cores
    python benchmarks/rerun.py --calls 6     # six calls of papermill stand for sixty

A study of ten countries and six sectors on simulated rows in one file; each case's notebook goes
from data to neck. ``papermill`` is called for each case, then ``evidence run`` as a command for
all, for none that changed, and for one. Reported are seconds (medians of the reruns), and the
shares of both full runs that a rerun takes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd

COUNTRIES = ("BGD", "KHM", "JPN", "VNM", "IND", "LAO", "MYS", "IDN", "LKA", "PAK")
SECTORS = tuple(f"sector_{letter}" for letter in "abcdef")
ROUNDS = 5
RECORD = """
id = "visits"
kind = "file"
title = "Simulated visits of a benchmark"
producer = "evidence"
citation = "Simulated"
url = ""
licence = "CC0-1.0"
version = "1"
confidentiality = "simulated"
protected_unit = "factory"
[[tables]]
name = "visits"
file = "visits.csv"
key = ["factory", "year"]
columns = [
    { name = "factory", type = "text", unit = "identifier" },
    { name = "country", type = "text", unit = "code" },
    { name = "sector", type = "text", unit = "code" },
    { name = "year", type = "integer", unit = "year" },
    { name = "committee", type = "flag", unit = "indicator" },
    { name = "violations", type = "number", unit = "share" },
]
"""
STUDY = """
schema_version = 1
[study]
slug = "many"
title = "Committees and violations"
question = "Do committees go together with fewer violations?"
[cases]
country = [{countries}]
sector = [{sectors}]
[data]
sources = ["visits"]
{variables}
[[specifications]]
id = "within"
notebook = "many"
estimator = "fixed_effects"
outcome = "violations"
exposure = "committee"
effects = ["entity", "time"]
[[claims]]
id = "committee_within"
specification = "within"
[brief.text.en]
background = "Why it matters."
"""
VARIABLES = (
    ("factory", "entity", "factory", "identifier", 'noun.en = ["factory", "factories"]'),
    ("year", "time", "factory", "year", ""),
    ("violations", "outcome", "factory-cycle", "share", 'label.en = "the share of violations"'),
    ("committee", "exposure", "factory-cycle", "indicator", 'label.en = "a committee"'),
)
CELLS = (
    "import evidence as ev",
    "plan = ev.load_study(study)\ncase = ev.select_case(plan, country=country, sector=sector)",
    "measures = ev.score_measures(plan, ev.read_sources(plan, case, seed))",
    "panel = ev.build_panel(plan, measures)",
    'fits = ev.fit_specifications(panel, "many", case=case.id)\nfindings = ev.state(panel, fits)',
    "shown = (ev.figure_coefficients(findings), ev.table_findings(findings))",
    "ev.show(shown[0], plan)",
    "ev.write_neck(output, panel, fits, findings, shown)",
)
PARAMETERS = (
    'study: str = "many"\noutput: str = ""\nseed: int = 1\n'
    'country: str = "BGD"\nsector: str = "sector_a"'
)


def write_project(root: Path) -> None:
    """Write packs, record, rows, study and notebook."""
    for folder in ("countries", "sectors", "sources", "raw/visits"):
        (root / "data" / folder).mkdir(parents=True)
    (root / "notebooks/studies").mkdir(parents=True)
    for place, code in enumerate(COUNTRIES):
        named = (
            f'iso3 = "{code}"\nname.en = "{code}"\nsectors = {list(SECTORS)}\nspelled = ["{code}"]'
        )
        (root / f"data/countries/{code}.toml").write_text(f"{named}\nplace = [{place}, 0]\n")
    for sector in SECTORS:
        (root / f"data/sectors/{sector}.toml").write_text(
            f'id = "{sector}"\nname.en = "{sector}"\n'
        )
    (root / "data/sources/visits.toml").write_text(RECORD)
    draw_rows().to_csv(root / "data/raw/visits/visits.csv", index=False)
    told = "\n".join(
        f'[[variables]]\nname = "{name}"\nrole = "{role}"\nlevel = "{level}"\nunit = "{unit}"\n{words}'
        for name, role, level, unit, words in VARIABLES
    )
    quoted = [", ".join(f'"{name}"' for name in names) for names in (COUNTRIES, SECTORS)]
    study = STUDY.format(countries=quoted[0], sectors=quoted[1], variables=told)
    (root / "notebooks/studies/many.toml").write_text(study)
    v4 = nbformat.v4
    cells = [v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})]
    cells += map(v4.new_code_cell, CELLS)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, root / "notebooks/many.ipynb")


def draw_rows() -> pd.DataFrame:
    """Draw eighty factories of each case over six years."""
    generator = np.random.default_rng(1)
    parts = []
    for country, sector in product(COUNTRIES, SECTORS):
        factory, year = np.divmod(np.arange(480), 6)
        committee = (year >= generator.integers(0, 9, 80)[factory]).astype(int)
        rate = 0.3 - 0.05 * committee + generator.normal(0, 0.05, 480)
        parts.append(
            pd.DataFrame(
                {
                    "factory": [f"{country}-{sector}-{n:03d}" for n in factory],
                    "country": country,
                    "sector": sector,
                    "year": 2018 + year,
                    "committee": committee,
                    "violations": rate.round(4),
                }
            )
        )
    return pd.concat(parts)


def change_one(root: Path, number: int) -> None:
    """Change one value of one case."""
    path = root / "data/raw/visits/visits.csv"
    rows = pd.read_csv(path)
    rows.loc[number * 480, "violations"] += 0.01
    rows.to_csv(path, index=False)


def run(root: Path, said: str) -> float:
    """Call ``evidence run``; give the seconds."""
    command = [str(Path(sys.executable).with_name("evidence")), "run", "--jobs", "2"]
    began = time.perf_counter()
    done = subprocess.run(
        [*command, "notebooks/studies/many.toml"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - began
    if said not in done.stdout:
        sys.exit(done.stdout[-2000:] + done.stderr[-2000:])
    return seconds


def call_papermill(root: Path, calls: int) -> float:
    """Call ``papermill`` for the first cases; give the seconds that all would take."""
    began = time.perf_counter()
    cases = list(product(COUNTRIES, SECTORS))
    for country, sector in cases[:calls]:
        given = {"output": f"papermill/{country}-{sector}", "country": country, "sector": sector}
        named = [part for pair in given.items() for part in ("-p", *pair)]
        command = [str(Path(sys.executable).with_name("papermill")), "notebooks/many.ipynb"]
        subprocess.run(
            [*command, f"{country}-{sector}.ipynb", *named],
            cwd=root,
            env=os.environ | {"EVIDENCE_ROOT": str(root)},
            capture_output=True,
            check=True,
        )
    return (time.perf_counter() - began) * len(cases) / calls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=60)
    calls = parser.parse_args().calls
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_project(root)
        papermill = call_papermill(root, calls)
        full = run(root, "60 run, 0 unchanged, 0 failed")
        same = [run(root, "0 run, 60 unchanged, 0 failed") for _ in range(ROUNDS)]
        one = []
        for number in range(ROUNDS):
            change_one(root, number)
            one.append(run(root, "1 run, 59 unchanged, 0 failed"))
    print(f"papermill called {papermill:6.1f} s ({calls} calls), evidence run {full:6.1f} s")
    for name, seconds in (("nothing changed", same), ("one changed", one)):
        middle = statistics.median(seconds)
        shares = [f"1/{whole / middle:.0f}" for whole in (papermill, full)]
        print(f"{name:16s} {middle:5.2f} s, {shares[0]} of papermill's, {shares[1]} of ours")


if __name__ == "__main__":
    main()
