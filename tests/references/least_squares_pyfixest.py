"""Estimate the simulated panel with pyfixest 0.60.0, in fresh processes.

python least_squares_pyfixest.py > least_squares_pyfixest.json

pyfixest is no dependency of this project; run the script in an environment of its own.
Which effects it counts as nested in clusters depends on the process: it keeps the effects of a
formula in a set, whose order follows Python's hash seed, and where the formula has no spaces
around "+" it finds an effect that clusters by its place in the formula, not in the set. In half of
the processes "firm+year" clustered by firm then counts the years as nested too, without
a word; "firm + year", which it looks up another way, never does. So every case runs here with
spaces and with each hash seed of ``SEEDS``; all seeds give one and the same count. What the
formula without spaces counts is kept as ``without_spaces``: parameters → processes.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

SEEDS = range(12)
DATA = Path(__file__).parent / "least_squares_simulated.csv"
TERMS = ["x", "count", "treated"]
CASES = {
    "one_way_by_firm": ("firm", "firm"),
    "two_way_by_firm": ("firm + year", "firm"),
    "two_way_by_buyer": ("firm + year", "buyer"),
    "two_way_by_market": ("firm + year", "market"),
    "three_way_by_buyer": ("firm + year + line", "buyer"),
    "two_way_by_firm_and_year": ("firm + year", "firm + year"),
    "two_way_by_buyer_and_market": ("firm + year", "buyer + market"),
    "two_way_unadjusted": ("firm + year", ""),
    "pooled_by_buyer": ("", "buyer"),
}


def estimate(effects: str, clusters: str) -> dict[str, Any]:
    """Estimate one case; the tolerance leaves nothing of the effects."""
    data = pd.read_csv(DATA).astype({"treated": int})
    model = _load().feols(
        f"y ~ {' + '.join(TERMS)}" + (f" | {effects}" if effects else ""),
        data,
        vcov={"CRV1": clusters} if clusters else "iid",
        fixef_tol=1e-13,
        fixef_maxiter=100_000,
    )
    return {
        "effects": effects,
        "clusters": clusters,
        "nobs": int(model._N),
        "df": float(model._df_t),
        "parameters": int(model._df_k),
        "estimate": {term: float(model.coef()[term]) for term in TERMS},
        "std_error": {term: float(model.se()[term]) for term in TERMS},
        "p_value": {term: float(model.pvalue()[term]) for term in TERMS},
    }


def count_without_spaces() -> int:
    """Count the parameters of "firm+year" clustered by firm, written without spaces."""
    data = pd.read_csv(DATA).astype({"treated": int})
    formula = f"y~{'+'.join(TERMS)}|firm+year"
    return int(_load().feols(formula, data, vcov={"CRV1": "firm"})._df_k)


def run_once() -> dict[str, Any]:
    """Run every case in this process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = {name: estimate(*case) for name, case in CASES.items()}
        return {"cases": cases, "without_spaces": count_without_spaces()}


def run_seeds() -> dict[str, Any]:
    """Run every case in a process for each hash seed; refuse where a kept count varies."""
    runs = [_start(seed) for seed in SEEDS]
    cases = runs[0]["cases"]
    for name, case in cases.items():
        counts = {run["cases"][name]["parameters"] for run in runs}
        assert counts == {case["parameters"]}, (name, counts)
    without = Counter(str(run["without_spaces"]) for run in runs)
    made = "pyfixest 0.60.0, fixef_tol 1e-13, PYTHONHASHSEED 0 to 11"
    return {"made_with": made, "without_spaces": dict(without), "cases": cases}


def _start(seed: int) -> Any:
    command = [sys.executable, __file__, "once"]
    environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
    run = subprocess.run(command, check=True, capture_output=True, env=environment)
    return json.loads(run.stdout)


def _load() -> Any:
    return importlib.import_module("pyfixest")


if __name__ == "__main__":
    told = run_once() if sys.argv[1:] == ["once"] else run_seeds()
    print(json.dumps(told, indent=1, sort_keys=True))
