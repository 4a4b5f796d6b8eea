"""Regression discontinuity by rdrobust, on simulated data stored beside.

Run in an environment of its own (rdrobust is GPL): python cutoff.py > cutoff.json
"""

from __future__ import annotations

import importlib
import json
import sys
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

CUTOFF = 100.0


def simulate() -> pd.DataFrame:
    """Draw 500 firms in 60 regions, 30 a side of the cut-off, with a jump of 2 at 100."""
    draw = np.random.default_rng(8)
    size = CUTOFF + 40 * (draw.beta(2, 3, size=500) - 0.45) * 2
    region = np.where(size < CUTOFF, 0, 30) + draw.integers(0, 30, size=500)
    shock = draw.normal(size=60)[region]
    gap = (size - CUTOFF) / 20
    level = 1 + 0.8 * gap - 0.6 * gap**2 + 0.9 * gap**3 * (gap > 0) + 2.0 * (gap >= 0)
    outcome = level + 0.5 * shock + draw.normal(scale=0.8, size=500)
    return pd.DataFrame({"size": size.round(6), "region": region, "y": outcome.round(6)})


def take(found: Any) -> dict[str, float]:
    """Take estimates, variances a side and bandwidths."""
    table = found.coef.to_numpy().ravel()
    return {
        "conventional": float(table[0]),
        "bias_corrected": float(table[1]),
        "variance_left": float(np.asarray(found.V_rb_l)[0, 0]),
        "variance_right": float(np.asarray(found.V_rb_r)[0, 0]),
        "h": float(found.bws.to_numpy()[0, 0]),
        "b": float(found.bws.to_numpy()[1, 0]),
    }


def main() -> None:
    """Print the simulated data with the results."""
    rdrobust = importlib.import_module("rdrobust").rdrobust
    data = simulate()
    y, x, region = data["y"].to_numpy(), data["size"].to_numpy(), data["region"].to_numpy()
    common = {"c": CUTOFF, "masspoints": "off"}
    result: dict[str, Any] = {
        "made_with": f"rdrobust {version('rdrobust')}",
        "cutoff": CUTOFF,
        "simulated": data.to_dict("list"),
        "fixed": {
            kernel: {
                "rows": take(rdrobust(y, x, h=12, kernel=kernel, vce="hc1", **common)),
                "regions": take(
                    rdrobust(y, x, h=12, kernel=kernel, vce="cr1", cluster=region, **common)
                ),
            }
            for kernel in ("triangular", "epanechnikov", "uniform")
        },
        "chosen": {
            kernel: {
                "rows": take(rdrobust(y, x, kernel=kernel, vce="hc1", **common)),
                "regions": take(rdrobust(y, x, kernel=kernel, vce="cr1", cluster=region, **common)),
            }
            for kernel in ("triangular", "epanechnikov", "uniform")
        },
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
