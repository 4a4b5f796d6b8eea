"""Sixty notebooks, three ways: papermill called each time, its API in a pool, and ours.

    python benchmarks/run.py                 # all of it, half an hour on two cores
    python benchmarks/run.py --calls 6       # six calls of papermill stand for sixty

Each notebook imports the stack and fits a panel regression to simulated data. Reported are
seconds (of calls left out, in proportion), ratios to ours, and the peak memory of the tree
of processes. The warm process is not there when ours begins; its start counts.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import psutil

CELLS = (
    """import numpy as np
import pandas as pd
import seaborn as sns
import statsmodels.formula.api as smf
from linearmodels import PanelOLS""",
    """generator = np.random.default_rng(seed)
index = pd.MultiIndex.from_product([range(200), range(8)], names=["factory", "year"])
panel = pd.DataFrame({"x": generator.normal(size=1600)}, index=index)
panel["y"] = 0.5 * panel["x"] + generator.normal(size=1600)""",
    """fit = PanelOLS.from_formula("y ~ x + EntityEffects + TimeEffects", panel)
result = fit.fit(cov_type="clustered", cluster_entity=True)
result.params.round(6)""",
    'smf.ols("y ~ x", panel.reset_index()).fit(cov_type="HC1").params.round(6)',
)


def write_notebooks(folder: Path, count: int) -> list[Path]:
    """Write the notebooks that are run."""
    import nbformat

    v4 = nbformat.v4
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    paths = [folder / f"n{number:02d}.ipynb" for number in range(count)]
    for number, path in enumerate(paths):
        cells = [v4.new_code_cell(f"seed = {number}"), *map(v4.new_code_cell, CELLS)]
        nbformat.write(v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return paths


def run_one(path: str, folder: str, engine: str | None) -> None:
    """Run a notebook with papermill's API."""
    import papermill

    output = str(Path(folder) / Path(path).name)
    papermill.execute_notebook(path, output, engine_name=engine, progress_bar=False)


def call(path: str, folder: str) -> None:
    """Call papermill as a command."""
    output = str(Path(folder) / Path(path).name)
    command = [sys.executable, "-m", "papermill", "--no-progress-bar", path, output]
    subprocess.run(command, check=True, capture_output=True)


def act(way: str, paths: list[str], folder: str, workers: int) -> None:
    """Run all notebooks one way, in this process or from it."""
    if way == "calls":
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(call, paths, [folder] * len(paths)))
    elif way == "pool":
        with ProcessPoolExecutor(workers) as pool:
            list(pool.map(run_one, paths, [folder] * len(paths), [None] * len(paths)))
    else:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(run_one, paths, [folder] * len(paths), ["evidence"] * len(paths)))


class Memory(threading.Thread):
    """Watches the memory of everything that carries a mark, until it is told to stop.

    Proportional set size: pages that several processes share count once.
    """

    def __init__(self, mark: str) -> None:
        super().__init__(daemon=True)
        self.mark, self.peak, self.stopped = mark, 0, threading.Event()

    def run(self) -> None:
        while not self.stopped.wait(1.0):
            self.peak = max(self.peak, sum(map(self.measure, psutil.process_iter())))

    def measure(self, process: psutil.Process) -> int:
        try:
            words = [*process.cmdline(), *process.environ().values()]
            named = any(self.mark in word for word in words)
            return int(process.memory_full_info().pss) if named else 0
        except (psutil.Error, OSError):
            return 0


def measure(way: str, paths: list[Path], workers: int) -> tuple[float, int]:
    """Measure seconds and peak memory of one way."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        # Everything started below carries this folder's name in its environment or, as the
        # warm process whose socket lies in it, on its command line.
        environment = {**os.environ, "TMPDIR": folder, "XDG_RUNTIME_DIR": folder}
        watch = Memory(folder)
        watch.start()
        began = time.perf_counter()
        command = [sys.executable, __file__, "--way", way, "--workers", str(workers), folder]
        subprocess.run([*command, *map(str, paths)], check=True, env=environment)
        seconds = time.perf_counter() - began
        watch.stopped.set()
        watch.join()
        done = list(Path(folder).glob("n*.ipynb"))
        if len(done) != len(paths):
            sys.exit(f"{way}: {len(done)} of {len(paths)} notebooks came out")
    return seconds, watch.peak


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--notebooks", type=int, default=60)
    parser.add_argument("--calls", type=int, default=0, help="of papermill; all by default")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--ways", default="calls,pool,ours")
    parser.add_argument("--way", choices=["calls", "pool", "ours"])
    parser.add_argument("rest", nargs="*")
    asked = parser.parse_args()
    if asked.way:
        act(asked.way, asked.rest[1:], asked.rest[0], asked.workers)
        return
    with tempfile.TemporaryDirectory() as folder:
        paths = write_notebooks(Path(folder), asked.notebooks)
        found = {}
        for way in asked.ways.split(","):
            sample = paths if way == "ours" else paths[: asked.calls or len(paths)]
            seconds, peak = measure(way, sample, asked.workers)
            found[way] = seconds * len(paths) / len(sample)
            ran = f"{len(sample)} of {len(paths)} run"
            print(
                f"{way:6s} {found[way]:8.1f} s   peak {peak / 2**20:6.0f} MiB   {ran}", flush=True
            )
        for way in found.keys() - {"ours"} if "ours" in found else ():
            print(f"ours is {found[way] / found['ours']:.1f} times as fast as {way}")


if __name__ == "__main__":
    main()
