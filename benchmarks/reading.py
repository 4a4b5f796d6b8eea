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

from evidence.measures import map_answers, score_compliance
from evidence.packs import load_law, load_questionnaire
from evidence.sources import read_snapshot

ROOT = Path(__file__).parents[1]
KEYS = ["factory", "year"]


def make_project(folder: Path, assessments: int, questions: int) -> Path:
    """Make a project with one raw file and return that file."""
    for part in ("sources", "countries", "sectors", "questionnaires", "laws"):
        shutil.copytree(ROOT / "data" / part, folder / "data" / part)
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
        pack, laws = load_questionnaire(root, "better_work"), {"VNM": load_law(root, "VNM")}

        def ours() -> None:
            snapshot = read_snapshot(root, "better_work", seed=0, case={})
            answers = map_answers(snapshot.tables["answers"], pack, laws, KEYS)
            score_compliance(answers.data, KEYS, leave_out=[])

        times = [(seconds(lambda: pd.read_csv(raw)), seconds(ours)) for _ in range(chosen.turns)]
        bare, whole = (statistics.median(column) for column in zip(*times, strict=True))
        rows = chosen.assessments * chosen.questions
        print(f"{rows:,} rows, {raw.stat().st_size / 1e6:.0f} MB, median of {chosen.turns} turns")
        print(f"pandas.read_csv          {bare:6.2f} s")
        print(f"read, validate and score {whole:6.2f} s")
        print(f"ratio                    {whole / bare:6.2f}")


if __name__ == "__main__":
    main()
