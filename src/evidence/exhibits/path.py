"""The path of a staggered adoption: an estimate for each period since it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from evidence.errors import ExhibitError
from evidence.findings import in_natural_unit
from evidence.models import CONF_LEVEL, Fit

PATH_COLUMNS = (
    "case", "specification", "term", "outcome", "exposure", "event", "estimate", "conf_low",
    "conf_high", "unit", "contributors",
)  # fmt: skip
"""Columns of the path of an adoption: a row a period since adoption, in natural units."""

REFERENCE = -1.0
"""The period that others are compared with, where it is no term of the path itself."""

_EVENT = re.compile(r"(?P<exposure>.+) event (?P<event>-?[\d.]+)")


def follow_path(fit: Fit) -> tuple[dict[str, Any], pd.DataFrame]:
    """Lay out the path of an adoption from its fit: specification and rows.

    ``contributors`` counts the protected units that are observed in that period since
    adoption.

    Raises
    ------
    ExhibitError
        Where the fit has no estimates by period since adoption.
    """
    rows = [
        _lay_step(row, match, fit.contributors)
        for row in fit.estimates.to_dict("records")
        if (match := _EVENT.fullmatch(str(row["term"]))) and not pd.isna(row["estimate"])
    ]
    if not rows:
        raise ExhibitError(
            f"figure_coefficients: specification '{fit.specification.id}'",
            seen=f"the estimator '{fit.specification.estimator}', without periods since adoption",
            expected="callaway_santanna, sun_abraham or imputation with adopters in the data",
            do="Give the fit of such a specification, or the findings.",
        )
    frame = pd.DataFrame(rows, columns=list(PATH_COLUMNS)).sort_values("event", ignore_index=True)
    events = set(frame["event"])
    before = any(event < 0 for event in events)
    level = fit.estimates["conf_level"].dropna()
    specification = {
        "kind": "path",
        "conf_level": float(level.iloc[0]) if len(level) else CONF_LEVEL,
        "reference": REFERENCE if before and REFERENCE not in events else None,
    }
    numbers = dict.fromkeys(("event", "estimate", "conf_low", "conf_high"), "float64")
    return specification, frame.astype({**numbers, "contributors": "Int64"})


def lay_numbers(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Turn an estimate and its interval into the unit that a reader knows."""
    numbers: dict[str, Any] = {"unit": in_natural_unit(0.0, str(row["unit"]))[1]}
    for name in ("estimate", "conf_low", "conf_high"):
        told = not pd.isna(row[name])
        numbers[name] = in_natural_unit(float(row[name]), str(row["unit"]))[0] if told else None
    return numbers


def _lay_step(
    row: Mapping[Any, Any], match: re.Match[str], counts: dict[str, int | None]
) -> dict[str, Any]:
    return {
        **{name: row[name] for name in ("case", "specification", "term", "outcome")},
        "exposure": match["exposure"],
        "event": float(match["event"]),
        **lay_numbers(row),
        "contributors": counts.get(str(row["term"])),
    }
