"""Read, validate and score 1,000,000 simulated answers, against a bare pandas.read_csv."""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from evidence.measures import score_measures
from evidence.packs import load_questionnaire
from evidence.sources import read_sources
from evidence.study import load_study

ROOT = Path(__file__).parents[1]
STUDY = """
schema_version = 1
[study]
slug = "reading"
title = "Reading"
question = "How long does it take?"
[data]
sources = ["better_work"]
[[variables]]
name = "factory"
role = "entity"
level = "factory"
unit = "code"
[[variables]]
name = "year"
role = "time"
level = "factory"
unit = "year"
[[variables]]
name = "noncompliance"
role = "outcome"
level = "factory-cycle"
unit = "share"
[[variables]]
name = "noncompliance_fixed_common"
role = "outcome"
level = "factory-cycle"
unit = "share"
[[variables]]
name = "months_since_enrolment"
role = "exposure"
level = "factory-cycle"
unit = "months"
[[specifications]]
id = "s"
notebook = "plants"
estimator = "pooled_ols"
outcome = "noncompliance"
exposure = "months_since_enrolment"
[[claims]]
id = "c"
specification = "s"
"""


def make_project(folder: Path, assessments: int, questions: int) -> Path:
    """Make a project with one raw file and return that file."""
    for part in ("sources", "countries", "sectors", "questionnaires", "laws"):
        shutil.copytree(ROOT / "data" / part, folder / "data" / part)
    (folder / "notebooks" / "studies").mkdir(parents=True)
    shutil.copy(ROOT / "notebooks" / "plants.ipynb", folder / "notebooks")
    (folder / "notebooks" / "studies" / "reading.toml").write_text(STUDY, encoding="utf-8")
    raw = folder / "data" / "raw" / "better_work" / "assessments.csv"
    raw.parent.mkdir(parents=True)
    simulate(assessments, questions).to_csv(raw, index=False)
    return raw


def simulate(assessments: int, questions: int) -> pd.DataFrame:
    """Simulate answers in Better Work's export layout."""
    rng = np.random.default_rng(20261122)
    pack = load_questionnaire(ROOT, "better_work")
    clusters = {c.id: c.name["en"] for c in pack.clusters}
    points = [pack.points[n % len(pack.points)] for n in range(questions)]
    visit = np.repeat(np.arange(assessments), questions)
    asked = np.tile(np.arange(questions), assessments)
    year = 2017 + visit % 4
    columns = {
        "Country": "Viet Nam",
        "Cycle": visit % 4 + 1,
        "Year": year,
        "Factory.Assessed.ID": pd.Series(visit // 4).map("VN-{:05d}".format),
        "Factory.Assessed.Name": pd.Series(visit // 4).map("Simulated works {:05d}".format),
        "Quest.ID": visit + 1,
        "Assesment.Start.Date": pd.Series(year).map("15/06/{}".format),
        "Cluster": np.array([clusters[p.cluster] for p in points])[asked],
        "CP": np.array([p.name["en"] for p in points])[asked],
        "Question.ID": pd.Series(asked).map("Q{:03d}".format),
        "Q.Label": pd.Series(asked).map("Does the employer keep simulated rule {}?".format),
        "Question.type": "LAW",
        "Finding": (rng.uniform(size=visit.size) < 0.25).astype(int),
        "Tags": np.where(asked % 10 == 0, "Public Disclosure", ""),
    }
    return pd.DataFrame(columns, index=pd.RangeIndex(visit.size))


def seconds(work: Callable[[], object]) -> float:
    """Time one call."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main() -> None:
    """Take turns and print both medians with their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assessments", type=int, default=4000)
    parser.add_argument("--questions", type=int, default=250)
    parser.add_argument("--turns", type=int, default=5)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        raw = make_project(root, chosen.assessments, chosen.questions)
        study = load_study(root / "notebooks" / "studies" / "reading.toml")

        def ours() -> None:
            score_measures(study, read_sources(study, study.cases[0], 1))

        times = [(seconds(lambda: pd.read_csv(raw)), seconds(ours)) for _ in range(chosen.turns)]
        bare, whole = (statistics.median(column) for column in zip(*times, strict=True))
        rows = chosen.assessments * chosen.questions
        print(f"{rows:,} rows, {raw.stat().st_size / 1e6:.0f} MB, median of {chosen.turns} turns")
        print(f"pandas.read_csv          {bare:6.2f} s")
        print(f"read, validate and score {whole:6.2f} s")
        print(f"ratio                    {whole / bare:6.2f}")


if __name__ == "__main__":
    main()
