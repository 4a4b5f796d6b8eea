"""Estimators side by side: ours, linearmodels, pyfixest, a fused loop and a plain copy.

Every measurement is a fresh process that loads the same simulated panel, warms up on a
small one, and then fits; engines take turns. Prints medians and ratios. Needs the
packages of benchmarks/requirements.txt beside those of the project (``make bench-models``).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]

REGRESSORS = [f"x{k}" for k in range(1, 9)]
BETA = np.array([1, -0.5, 0.25, 0, 0.1, 0.05, -0.2, 0.3])
PERIODS = 12
ENGINES = ("copy", "fused", "own", "pyfixest", "linearmodels")
CONTROLS = [f"z{k}" for k in range(10)]


def simulate(rows: int, seed: int = 0) -> pd.DataFrame:
    """Simulate an unbalanced panel of factories: about eight of twelve years each."""
    rng = np.random.default_rng(seed)
    factories = int(rows / 7.95)
    first = rng.integers(0, PERIODS - 4, factories)
    lengths = np.minimum(rng.integers(5, 14, factories), PERIODS - first)
    factory = np.repeat(np.arange(factories), lengths)
    year = np.concatenate([np.arange(a, a + n) for a, n in zip(first, lengths, strict=True)])
    kept = rng.random(len(factory)) > 0.06
    factory, year = factory[kept], year[kept]
    own, shock = rng.normal(size=factories), rng.normal(size=PERIODS)
    columns = rng.normal(size=(len(factory), 8)) + 0.4 * own[factory][:, None]
    columns += 0.3 * shock[year][:, None]
    outcome = columns @ BETA + own[factory] + shock[year] + rng.normal(size=len(factory))
    frame = pd.DataFrame(columns, columns=REGRESSORS)
    return frame.assign(y=outcome, factory=factory, year=year + 2000)


def fit_own(frame: pd.DataFrame) -> Callable[[], Any]:
    from evidence.models import Design, estimate_least_squares

    design = Design(frame["y"], frame[REGRESSORS], frame[["factory", "year"]], frame["factory"])
    return lambda: estimate_least_squares(design).std_errors


def fit_linearmodels(frame: pd.DataFrame) -> Callable[[], Any]:
    from linearmodels.panel import PanelOLS

    panel = frame.set_index(["factory", "year"])
    outcome, columns = panel["y"], panel[REGRESSORS]
    return lambda: PanelOLS(outcome, columns, entity_effects=True, time_effects=True).fit(
        cov_type="clustered", cluster_entity=True
    )


def fit_pyfixest(frame: pd.DataFrame) -> Callable[[], Any]:
    import pyfixest

    formula = f"y ~ {' + '.join(REGRESSORS)} | factory + year"
    return lambda: pyfixest.feols(formula, frame, vcov={"CRV1": "factory"})


def fit_copy(frame: pd.DataFrame) -> Callable[[], Any]:
    columns = np.ascontiguousarray(frame[["y", *REGRESSORS]].to_numpy())
    return columns.copy


def fit_fused(frame: pd.DataFrame) -> Callable[[], Any]:
    from fused import fit

    columns = np.ascontiguousarray(frame[["y", *REGRESSORS]].to_numpy())
    factory = frame["factory"].to_numpy()
    starts = np.append(np.flatnonzero(np.diff(factory, prepend=-1)), len(factory))
    periods = frame["year"].to_numpy() - 2000
    return lambda: fit(columns, starts, periods, PERIODS)


def fit_curve(frame: pd.DataFrame) -> Callable[[], Any]:
    from evidence.models import Design, draw_curve

    rng = np.random.default_rng(1)
    columns = frame[["x1"]].join(pd.DataFrame(rng.normal(size=(len(frame), 10)), columns=CONTROLS))
    design = Design(frame["y"], columns, frame[["factory", "year"]], frame["factory"])
    return lambda: draw_curve({"all": design}, "x1")


def _make_clustered(frame: pd.DataFrame) -> pd.DataFrame:
    country = np.random.default_rng(2).integers(0, 60, int(frame["factory"].max()) + 1)
    years = pd.get_dummies(frame["year"], prefix="year", drop_first=True, dtype=float)
    return frame.assign(country=country[frame["factory"]], constant=1.0).join(years)


def fit_wild_own(frame: pd.DataFrame) -> Callable[[], Any]:
    from evidence.models import Design, bootstrap_wild, collect_moments

    frame = _make_clustered(frame)
    years = [name for name in frame.columns if str(name).startswith("year_")]
    columns = frame[[*REGRESSORS, *years, "constant"]]
    design = Design(frame["y"], columns, frame[[]], frame["country"])
    return lambda: bootstrap_wild(collect_moments(design), "x1", draws=9_999)


def fit_wild_pyfixest(frame: pd.DataFrame) -> Callable[[], Any]:
    import pyfixest

    frame = _make_clustered(frame)
    years = [name for name in frame.columns if str(name).startswith("year_")]
    formula = f"y ~ {' + '.join([*REGRESSORS, *years])}"
    fit = pyfixest.feols(formula, frame, vcov={"CRV1": "country"})
    return lambda: fit.wildboottest(param="x1", reps=9_999, seed=1)


PREPARE: dict[str, Callable[[pd.DataFrame], Callable[[], Any]]] = {
    "copy": fit_copy,
    "fused": fit_fused,
    "own": fit_own,
    "linearmodels": fit_linearmodels,
    "pyfixest": fit_pyfixest,
    "curve": fit_curve,
    "wild_own": fit_wild_own,
    "wild_pyfixest": fit_wild_pyfixest,
}


def measure(engine: str, file: str) -> dict[str, float]:
    """Time one fit in this process, and its peak memory above the loaded data."""
    warnings.simplefilter("ignore")
    PREPARE[engine](simulate(2_000))()
    run = PREPARE[engine](pd.read_parquet(file))
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = read_status("VmRSS")
    start = time.perf_counter()
    run()
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "peak_mb": (read_status("VmHWM") - before) / 1024}


def read_status(key: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(key + ":"))


def take_turns(engines: list[str], rows: int, turns: int) -> dict[str, tuple[float, float]]:
    """Let engines take turns, a fresh process each; medians of seconds and peak MB."""
    found: dict[str, list[dict[str, float]]] = {engine: [] for engine in engines}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "panel.parquet"
        simulate(rows).to_parquet(file)
        for _ in range(turns):
            for engine in list(engines):
                command = [sys.executable, __file__, "--child", engine, str(file)]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode:
                    last = (done.stderr.strip().splitlines() or ["no word"])[-1]
                    print(f"  {engine} at {rows:,} rows: did not end ({done.returncode}): {last}")
                    engines.remove(engine)
                    found.pop(engine, None)
                    continue
                found[engine].append(json.loads(done.stdout.splitlines()[-1]))
    return {
        engine: (
            median(turn["seconds"] for turn in told),
            median(turn["peak_mb"] for turn in told),
        )
        for engine, told in found.items()
    }


def compare(title: str, engines: list[str], rows: int, turns: int, base: str) -> None:
    """Print one table: seconds, times ``base``, and peak memory above the data."""
    print(f"\n{title}, {rows:,} rows asked for, median of {turns}")
    result = take_turns(engines, rows, turns)
    for engine, (seconds, peak) in result.items():
        ratio = seconds / result[base][0]
        print(f"  {engine:14} {seconds:9.4f} s   {ratio:9.3f} x {base}   {peak:8.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--child", nargs=2, metavar=("ENGINE", "FILE"))
    parser.add_argument("--rows", nargs="*", type=int, default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--largest", action="store_true", help="also 10,000,000 rows, one turn")
    asked = parser.parse_args()
    if asked.child:
        print(json.dumps(measure(*asked.child)))
        return
    title = "Two-way effects, 8 regressors, clustered by entity"
    for rows in asked.rows:
        compare(title, list(ENGINES), rows, asked.turns, "own")
    if asked.largest:
        compare(title, list(ENGINES), 10_000_000, 1, "own")
    compare("1,024 specifications with joint tests", ["curve", "linearmodels"], 100_000,
            asked.turns, "linearmodels")  # fmt: skip
    compare("Wild bootstrap, 9,999 draws, 60 clusters (ours with interval)",
            ["wild_own", "wild_pyfixest"], 10_000, asked.turns, "wild_own")  # fmt: skip


if __name__ == "__main__":
    main()
