"""Which estimates may be shown row by row, as the annex of a brief does."""

from __future__ import annotations

from typing import Any

import pandas as pd

from evidence.disclosure.gate import Cleared

SHOWN = (
    "analysis", "case", "specification", "role", "estimator", "outcome", "term", "unit",
    "estimate", "std_error", "conf_low", "conf_high", "conf_level", "nobs", "n_entities",
    "n_periods", "n_clusters", "level", "cov_type", "small_sample", "reason",
)  # fmt: skip
"""Columns of the annex: no test statistics, and no counts of the treated."""

WITHHELD = "withheld: no finding that was cleared rests on it"
_NAMES = {"analysis", "case", "specification", "role", "estimator", "outcome", "term"}


def list_estimates(cleared: Cleared) -> pd.DataFrame:
    """List the estimates of a cleared neck as they may be shown, a row a coefficient.

    Of restricted data only those are shown on which a cleared finding rests first: their
    contributors were counted, and the register of releases remembers whom they rest on.
    Of all others (controls, steps of an adoption path, further specifications) nobody has
    counted them, so their row has names alone and ``WITHHELD`` for a reason.

    Returns
    -------
    DataFrame
        Columns ``SHOWN``; estimates, errors and interval ends in the unit of the row.
    """
    rows = cleared.neck.estimates[list(SHOWN)].reset_index(drop=True)
    if cleared.neck.protected["confidentiality"] != "restricted":
        return rows
    told = _list_told(cleared)
    keys = zip(rows["case"], rows["specification"], rows["term"], strict=True)
    withheld = ~pd.Series([key in told for key in keys], index=rows.index, dtype="bool")
    blank = [name for name in SHOWN if name not in _NAMES]
    rows[blank] = rows[blank].mask(withheld)
    rows.loc[withheld, "reason"] = WITHHELD
    return rows


def _list_told(cleared: Cleared) -> set[tuple[Any, ...]]:
    """List case, specification and term of the row that each finding states."""
    stated = [entry["rows"][0] for entry in cleared.neck.findings if entry["kind"] == "finding"]
    return {(row["case"], row["specification"], row["term"]) for row in stated}
