"""Two-way effects from Parquet files: seconds and peak memory by rows, a fresh process each.

Simulated files of about a million rows, whole factories each (80 MB a file).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import pyarrow as pa
import pyarrow.parquet as pq
from models import REGRESSORS, read_status, simulate

FILE_ROWS = 1_000_000


def write_files(folder: Path, files: int) -> None:
    """Write files of whole factories; entities of each file have names of their own."""
    for number in range(files):
        frame = simulate(FILE_ROWS, seed=number)
        frame["factory"] += number * FILE_ROWS
        table = pa.Table.from_pandas(frame, preserve_index=False)
        pq.write_table(table, folder / f"part-{number:03}.parquet", row_group_size=250_000)


def measure(folder: str, files: int, workers: int) -> dict[str, float]:
    """Time an estimation from the first ``files`` files and its peak memory."""
    from evidence.models import estimate_streamed

    paths = sorted(Path(folder).glob("*.parquet"))[:files]
    before = read_status("VmRSS")
    start = time.perf_counter()
    told = estimate_streamed(paths, "y", REGRESSORS, entity="factory", time="year", workers=workers)
    seconds = time.perf_counter() - start
    peak = read_status("VmHWM")
    return {"seconds": seconds, "rows": told.nobs, "before_mb": before / 1024,
            "peak_mb": peak / 1024}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--child", nargs=3, metavar=("FOLDER", "FILES", "WORKERS"))
    parser.add_argument("--files", nargs="*", type=int, default=[1, 5, 10, 50])
    parser.add_argument("--turns", type=int, default=3)
    asked = parser.parse_args()
    if asked.child:
        folder, files, workers = asked.child
        print(json.dumps(measure(folder, int(files), int(workers))))
        return
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder), max(asked.files))
        for files in asked.files:
            turns = []
            for _ in range(asked.turns if files < 20 else 1):
                command = [sys.executable, __file__, "--child", folder, str(files), "1"]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                turns.append(json.loads(done.stdout.splitlines()[-1]))
            seconds = median(turn["seconds"] for turn in turns)
            rows, peak = turns[0]["rows"], max(turn["peak_mb"] for turn in turns)
            print(f"{rows:12,} rows {seconds:8.2f} s  {1e6 * seconds / rows:6.2f} s a million  "
                  f"peak {peak:6.0f} MB, {turns[0]['before_mb']:.0f} MB before", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
