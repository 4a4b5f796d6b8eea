"""Does a 95 % interval hold the declared true effect in about 95 of 100 samples?"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

from evidence.measures import score_measures
from evidence.models import fit
from evidence.panel import build_panel
from evidence.sources import Snapshot, load_record, simulate_factories
from evidence.study import load_study

ROOT = Path(__file__).parents[1]
SEEDS = 200
ACCEPTED = range(179, 199)
SPECIFICATIONS = ("compliance_within", "productivity_within")


def _covered(seed: int) -> pd.DataFrame:
    study = load_study(ROOT / "notebooks/studies/value_chains.toml")
    record = load_record(ROOT, "value_chains")
    assert record.simulation is not None
    rows = []
    for case in study.cases:
        raw, truth = simulate_factories(
            record.simulation, case.values["country"], case.values["sector"], seed
        )
        tables = {
            t.name: raw[t.name].rename(columns={c.raw_names[0]: c.name for c in t.columns})
            for t in record.tables
        }
        snapshot = Snapshot(record, tables, "", truth)
        panel = build_panel(study, score_measures(study, (snapshot,)))
        for name in SPECIFICATIONS:
            fitted = fit(panel, name, case=case.id)
            table = fitted.estimates.set_index("term")
            for term, effect in truth[fitted.specification.outcome].items():
                low, high = (float(table[end][term]) for end in ("conf_low", "conf_high"))
                rows.append((case.id, name, term, low <= effect <= high))
    return pd.DataFrame(rows, columns=["case", "specification", "term", "covered"])


@pytest.mark.slow
def test_each_true_effect_lies_in_its_interval_179_to_198_times_of_200() -> None:
    with ProcessPoolExecutor(2) as pool:
        draws = pd.concat(pool.map(_covered, range(SEEDS), chunksize=5))
    counts = draws.groupby(["case", "specification", "term"])["covered"].sum()
    print(counts.to_string())
    assert len(counts) == 7 * 2 * 4
    outside = counts[~counts.isin(ACCEPTED)]
    assert outside.empty, outside.to_string()
