"""Forests: estimates of several specifications, or of the places that one of them pools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import pandas as pd

from evidence.errors import ExhibitError
from evidence.exhibits.noun import Exhibit
from evidence.exhibits.path import lay_numbers
from evidence.models import CELL, CONF_LEVEL, FURTHER, Fit
from evidence.study import Specification

FOREST_COLUMNS = (
    "case", "specification", "estimator", "term", "outcome", "exposure", "place", "estimate",
    "conf_low", "conf_high", "unit", "n_entities", "contributors",
)  # fmt: skip
"""Columns of a forest: a row an estimate, in natural units. ``place`` is the cell of a place,
``FURTHER_PLACE`` where the interval is the range of a further one, empty for all others."""

FURTHER_PLACE = FURTHER.strip()


def figure_forest(*fits: Fit, drawn_as: Literal["rows", "map"] = "rows") -> Exhibit:
    """Show the first exposure's estimate of each fit, with that of every place it pools.

    A fit of ``pooled_cells`` gives its places, their average, and the range in which a further
    place may lie; any other gives one row. Fits without an estimate are left out.

    Parameters
    ----------
    drawn_as : {"rows", "map"}
        Dots and intervals, or tiles of the countries of which the places are sectors.

    Raises
    ------
    ExhibitError
        Where no fit has an estimate, their units differ, or a map has no places.
    """
    parts = [_lay_fit(fit) for fit in fits]
    rows = pd.DataFrame([row for part in parts for row in part], columns=list(FOREST_COLUMNS))
    places = rows["place"].isin(["", FURTHER_PLACE])
    if rows.empty or rows["unit"].nunique() > 1 or (drawn_as == "map" and places.all()):
        seen = f"{len(rows)} estimates in {rows['unit'].nunique()} units, "
        raise ExhibitError(
            "figure_forest",
            seen=seen + f"{int((~places).sum())} of them of a place",
            expected="estimates in one unit, and for a map those of pooled_cells",
            do="Give it other fits.",
        )
    levels = pd.concat([fit.estimates["conf_level"] for fit in fits]).dropna()
    specification = {
        "kind": "forest",
        "conf_level": float(levels.iloc[0]) if len(levels) else CONF_LEVEL,
    }
    if drawn_as == "map":
        specification["drawn_as"] = "map"
    numbers = dict.fromkeys(("estimate", "conf_low", "conf_high"), "float64")
    data = rows.astype({**numbers, "n_entities": "Int64", "contributors": "Int64"})
    return Exhibit("map" if drawn_as == "map" else "forest", specification, data)


def lay_forest(estimates: pd.DataFrame, spec: Specification) -> list[dict[str, Any]]:
    """Lay out the rows of one specification: ``FOREST_COLUMNS`` without ``contributors``.

    Parameters
    ----------
    estimates : DataFrame
        Its rows of ``estimates.csv`` in one case. Places come first, sorted by their estimate;
        those without an estimate are left out.
    """
    exposure = spec.exposures[0]
    told = estimates[estimates["estimate"].notna()].sort_values("estimate", kind="stable")
    rows = {str(row["term"]): row for row in told.to_dict("records")}
    cells = [term for term in rows if term.startswith(f"{exposure}{CELL}")]
    shown = [*cells, exposure, f"{exposure}{FURTHER}"]
    return [
        _lay_row(rows[term], exposure, term.removeprefix(exposure).removeprefix(CELL).strip())
        for term in shown
        if term in rows
    ]


def _lay_row(row: Mapping[Any, Any], exposure: str, place: str) -> dict[str, Any]:
    return {
        **{name: row[name] for name in ("case", "specification", "estimator", "term", "outcome")},
        "exposure": exposure,
        "place": place,
        **lay_numbers(row),
        "n_entities": int(row["n_entities"]),
    }


def _lay_fit(fit: Fit) -> list[dict[str, Any]]:
    rows = lay_forest(fit.estimates, fit.specification)
    return [{**row, "contributors": fit.contributors.get(row["term"])} for row in rows]
