"""Simulate the panel that R and pyfixest estimate as well.

python least_squares_simulate.py > least_squares_simulated.csv
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

FIRMS, YEARS, BUYERS, MARKETS = 70, range(2012, 2018), 14, 9


def simulate() -> pd.DataFrame:
    """Draw an unbalanced panel in no order, with three firms seen once.

    Each firm has one buyer, each buyer one region; markets and lines cut across firms.
    """
    rng = np.random.default_rng(2024)
    grid = [(firm, year) for firm in range(FIRMS) for year in YEARS]
    frame = pd.DataFrame(grid, columns=["number", "year"])
    own = rng.normal(size=FIRMS)[frame["number"]]
    region = rng.normal(size=8)[frame["number"] % BUYERS % 8]
    frame["firm"] = [f"f{number:02d}" for number in frame["number"]]
    frame["buyer"] = [f"b{number % BUYERS:02d}" for number in frame["number"]]
    frame["region"] = [f"r{number % BUYERS % 8}" for number in frame["number"]]
    frame["market"] = [f"m{number}" for number in rng.integers(0, MARKETS, len(frame))]
    frame["line"] = [f"l{number}" for number in rng.integers(0, 5, len(frame))]
    frame["x"] = 0.4 * own + rng.normal(size=len(frame))
    frame["count"] = rng.poisson(3 + 2 * (own > 0))
    frame["treated"] = (frame["number"] % 3 == 0) & (frame["year"] >= 2015)
    noise = rng.normal(size=len(frame)) * (1 + 0.5 * frame["treated"])
    moved = 0.5 * frame["x"] - 0.1 * frame["count"] + 0.3 * frame["treated"]
    shift = 0.2 * region * (frame["year"] - 2012)
    frame["y"] = moved + own + 0.1 * (frame["year"] - 2012) + shift + noise
    numbers = ["x", "y"]
    frame[numbers] = frame[numbers].round(6)
    seen_once = (frame["number"] >= FIRMS - 3) & (frame["year"] != 2014)
    gone = (rng.random(len(frame)) < 0.12) | seen_once
    return frame[~gone].sample(frac=1, random_state=1).drop(columns="number")


if __name__ == "__main__":
    simulate().to_csv(sys.stdout, index=False, lineterminator="\n")
