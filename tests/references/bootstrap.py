"""Bootstrap the simulated panel with wildboottest 0.3.2: 8 regions, all 256 sign vectors.

python bootstrap.py > bootstrap.json

wildboottest is no dependency of this project; run the script in an environment of its own.
Its own p-value leaves out draws as extreme as the observed one, up to rounding: the observed
sign vector and its mirror image count or do not count as rounding will have it (0.0859375 and
0.09375 in two calls with the same data). So the p-value kept is that of its draws with ties
counted, as the definition of an exact test asks.
"""

from __future__ import annotations

import importlib
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

DATA = Path(__file__).parent / "least_squares_simulated.csv"
TERMS = ["x", "count", "treated"]
NULLS = {"x": [0.0, 0.4], "count": [0.0, 0.1], "treated": [0.0, 0.55]}
TIE = 1e-9


def bootstrap(term: str, null: float) -> dict[str, Any]:
    """Bootstrap a term under a null, which is taken off the outcome."""
    data = pd.read_csv(DATA).astype({"treated": float})
    columns = data[TERMS].assign(constant=1.0).to_numpy(dtype=float)
    outcome = (data["y"] - null * data[term]).to_numpy()
    package = importlib.import_module("wildboottest.wildboottest")
    chosen = np.eye(columns.shape[1])[TERMS.index(term)]
    clusters = pd.Series(pd.factorize(data["region"])[0])
    boot = package.WildboottestCL(
        X=columns, Y=outcome, cluster=clusters, R=chosen, B=9999, seed=1, parallel=False
    )
    boot.get_scores(bootstrap_type="11", impose_null=True, adj=True, cluster_adj=True)
    boot.get_weights(weights_type="rademacher")
    for step in ("numer", "denom", "tboot", "vcov", "tstat"):
        getattr(boot, f"get_{step}")()
    draws, observed = np.abs(boot.t_boot), abs(float(np.squeeze(boot.t_stat)))
    return {
        "term": term,
        "null": null,
        "statistic": float(np.squeeze(boot.t_stat)),
        "draws": len(draws),
        "p_value": float(np.mean(draws >= observed * (1 - TIE))),
    }


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = [bootstrap(term, null) for term in TERMS for null in NULLS[term]]
    print(json.dumps({"made_with": "wildboottest 0.3.2", "cases": cases}, indent=1))
