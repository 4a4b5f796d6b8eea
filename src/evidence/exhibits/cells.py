"""Tables of cells: counts, shares, means, sums and percentiles of a panel, cell by cell.

A table cell keeps what the gate must know to judge it, and the names of the protected
units behind it. Both stay inside: a page shows labels, the statistic and its contributors.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from evidence.errors import ExhibitError, PanelError
from evidence.exhibits.measures import MEASURE, join_measures
from evidence.exhibits.noun import Exhibit
from evidence.panel import Panel, cluster_column
from evidence.study import Study

_NAMED = ("count", "share", "mean", "sum", "median")
STATISTICS = ("count", "share", "mean", "sum", "median", "percentile")
"""What a table cell may show; the smallest and largest value belong to somebody."""

CELL_COLUMNS = (
    "value", "contributors", "rows", "largest", "second", "total", "equal", "below", "above",
    "n_factories", "n_workers", "status",
)  # fmt: skip
"""Columns of a table of cells behind ``case`` and its ``by``."""

_DIGITS = 2

Bands = Mapping[str, Sequence[float]]
DrawnAs = Literal["cells", "panels", "pairs", "map"]


def table_cells(
    panel: Panel,
    value: str | Sequence[str],
    by: Sequence[str],
    statistic: str | float,
    *,
    name: str = "",
    case: str = "all",
    bands: Bands | None = None,
    drawn_as: DrawnAs = "cells",
) -> Exhibit:
    """Show a statistic of a variable in cells of a panel.

    Parameters
    ----------
    value : str or sequence of str
        A variable of the study. ``count`` counts the protected units that have a value
        of it; the entity's own name counts all. Several (clusters of questions, say) of
        one unit are drawn together, and judged apart.
    by : sequence of str
        What the cells are cut by: the time variable, indicators, cluster variables, or
        a numeric variable with ``bands``. The case stands before them.
    statistic : str or float
        One of ``STATISTICS``, or a percentile, above 0 and below 100. ``share`` (0 to 1)
        is of a 0/1 variable; ``mean`` and ``sum`` are over rows; a percentile (50 for
        ``median``) is over the units' means, rounded to two significant digits.
    name : str
        The exhibit's id; ``drawn_as`` if left out.
    bands : mapping, optional
        Variable → ascending edges; a band holds its lower edge.
    drawn_as : {"cells", "panels", "pairs", "map"}
        A table; small multiples over time; first and last period, or without and with an
        indicator, beside each other; tiles of countries. The gate judges all as tables.

    Returns
    -------
    Exhibit
        Columns ``case``, ``by`` as text, ``CELL_COLUMNS``: ``contributors`` counts
        distinct protected units; ``largest``, ``second`` and ``total`` are sums of
        absolute values, of a unit and of all; ``equal`` says that all units agree;
        ``below`` and ``above`` count units on either side of a percentile, or with 0 and
        with 1; ``n_factories`` and ``n_workers`` are counted for worker variables.

    Raises
    ------
    ExhibitError
        For a statistic that is not allowed (callables, smallest, largest), an unknown
        variable, numbers without bands, or cells that are single units.
    """
    _check_statistic(statistic)
    values = (value,) if isinstance(value, str) else tuple(value)
    for one in values:
        _check_value(panel, one, statistic)
    edges = {key: tuple(map(float, cuts)) for key, cuts in (bands or {}).items()}
    _check_by(panel, by, edges)
    _check_drawn_as(panel.study, by, drawn_as)
    cut = _Cut(tuple(by), statistic, case, edges, drawn_as)
    parts = [_cut_cells(panel, one, cut, name or drawn_as) for one in values]
    return parts[0] if isinstance(value, str) else join_measures(parts, name or drawn_as)


@dataclass(frozen=True, slots=True)
class _Cut:
    """How a panel is cut into cells."""

    by: tuple[str, ...]
    statistic: str | float
    case: str
    edges: dict[str, tuple[float, ...]]
    drawn_as: DrawnAs


def _cut_cells(panel: Panel, value: str, cut: _Cut, name: str) -> Exhibit:
    by, edges, case = cut.by, cut.edges, cut.case
    statistic, share = _resolve(cut.statistic)
    rows = _lay_rows(panel, value, by, edges)
    levels = [_levels(panel.study, key, rows, place, edges) for place, key in enumerate(by)]
    groups: dict[Any, pd.DataFrame] = dict(iter(rows.groupby("cell"))) if len(rows) else {}
    worker = _level(panel.study, value) == "worker"
    data, units = [], {}
    for labels in itertools.product(*levels):
        inside = groups.get(labels, rows.iloc[:0])
        measured = _measure(inside, statistic, share, worker=worker)
        place = {"case": case, **dict(zip(by, labels, strict=True))}
        data.append({**place, **measured})
        units[label_cell(place)] = tuple(sorted(inside["unit"].dropna().unique()))
    specification = {
        "kind": "cells",
        "value": value,
        "by": list(by),
        "statistic": statistic,
        "percent": None if share is None else 100 * share,
        "unit": panel.study.variable(value).unit,
        "level": _level(panel.study, value),
        "bands": {key: list(cuts) for key, cuts in edges.items() if key in by},
        "simulated": panel.provenance.simulated,
    }
    if cut.drawn_as != "cells":
        specification["drawn_as"] = cut.drawn_as
    return Exhibit(name, specification, _frame(data, by), units)


def label_cell(place: Mapping[str, Any]) -> str:
    """Label a table cell by where it stands: ``case=all|committee=1|year=2020``."""
    return "|".join(f"{key}={label}" for key, label in place.items())


def list_places(exhibit: Exhibit) -> list[dict[str, str]]:
    """List where each row of a table of cells stands: case and ``by``, in order."""
    columns = ["case", *exhibit.specification["by"]]
    return [
        {str(k): str(v) for k, v in row.items()} for row in exhibit.data[columns].to_dict("records")
    ]


def _frame(data: list[dict[str, Any]], by: Sequence[str]) -> pd.DataFrame:
    frame = pd.DataFrame(data, columns=["case", *by, *CELL_COLUMNS])
    return type_cells(frame)


def type_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """Give the columns of a table of cells their types."""
    counts = ("contributors", "rows", "below", "above", "n_factories", "n_workers")
    numbers = ("value", "largest", "second", "total")
    types = dict.fromkeys(counts, "Int64") | dict.fromkeys(numbers, "float64")
    return frame.astype({**types, "equal": "boolean", "status": "str"})


def _check_statistic(statistic: object) -> None:
    if isinstance(statistic, int | float) and not isinstance(statistic, bool):
        if 0 < statistic < 100:
            return
        raise ExhibitError(
            "table_cells, statistic",
            seen=f"percentile {statistic:g}",
            expected="a percentile above 0 and below 100",
            do="Say which percentile, such as 90; the smallest and the largest value belong to "
            "somebody.",
        )
    if not isinstance(statistic, str) or statistic not in _NAMED:
        raise ExhibitError(
            "table_cells, statistic",
            seen=f"'{getattr(statistic, '__name__', statistic)}'",
            expected=f"one of {', '.join(_NAMED)}, or a percentile such as 90",
            do="Choose one by its name: a function of your own cannot be checked, and the "
            "smallest and the largest value belong to somebody.",
        )


def _resolve(statistic: str | float) -> tuple[str, float | None]:
    """Name a statistic, and give its percentile as a share."""
    if isinstance(statistic, str):
        return statistic, 0.5 if statistic == "median" else None
    return "percentile", statistic / 100


def _check_drawn_as(study: Study, by: Sequence[str], drawn_as: str) -> None:
    """Check that a figure has the axis that it needs."""
    wanted = {
        "panels": (study.time.name in by, f"'{study.time.name}' among what it is cut by"),
        "pairs": (
            study.time.name in by or any(study.variable(k).unit == "indicator" for k in by),
            f"'{study.time.name}' or an indicator among what it is cut by",
        ),
        "map": (not by, "cells of whole cases: nothing that they are cut by"),
        "cells": (True, ""),
    }
    fits, expected = wanted.get(drawn_as, (False, f"one of {', '.join(wanted)}"))
    if not fits:
        raise ExhibitError(
            f"table_cells, drawn_as '{drawn_as}'",
            seen=f"by {', '.join(by) or 'nothing'}",
            expected=expected,
            do="Change 'by', or draw it in another way.",
        )


def _check_value(panel: Panel, value: str, statistic: str | float) -> None:
    _check_known(panel.study, value, "value")
    if statistic == "count":
        return
    if not pd.api.types.is_numeric_dtype(panel.data[value]):
        raise ExhibitError(
            f"table_cells, value '{value}'",
            seen="text",
            expected=f"numbers, for '{statistic}'",
            do="Choose a numeric variable, or the statistic 'count'.",
        )
    if statistic == "share" and not set(panel.data[value].dropna().unique()) <= {0, 1}:
        raise ExhibitError(
            f"table_cells, value '{value}'",
            seen="values other than 0 and 1",
            expected="a 0/1 variable, for 'share'",
            do="Choose 'mean', or an indicator.",
        )


def _check_known(study: Study, name: str, part: str) -> None:
    names = [variable.name for variable in study.variables]
    if name not in names:
        raise ExhibitError(
            f"table_cells, {part}",
            seen=f"'{name}'",
            expected=f"a variable of the study: {', '.join(names)}",
            do="Declare it in the study file.",
        )


def _check_by(panel: Panel, by: Sequence[str], bands: Mapping[str, tuple[float, ...]]) -> None:
    study = panel.study
    units = {study.entity.name, _unit_column(panel)}
    for name in by:
        _check_known(study, name, "by")
        where = f"table_cells, by '{name}'"
        if name in units:
            raise ExhibitError(
                where,
                seen="a table with a cell for each unit",
                expected=f"groups of units ({panel.provenance.protected_unit})",
                do="Cut by something that units share.",
            )
        if name in CELL_COLUMNS or name in {"case", MEASURE} or list(by).count(name) > 1:
            raise ExhibitError(
                where,
                seen="a name that the table already has",
                expected="each name once, other than " + ", ".join(("case", *CELL_COLUMNS)),
                do="Rename the variable in the study file.",
            )
        if name in bands:
            _check_bands(bands[name], where)
        elif not _is_class(study, name):
            raise ExhibitError(
                where,
                seen="a variable with many values, and no bands",
                expected="the time variable, an indicator, a cluster, or edges in 'bands'",
                do=f"Give edges, such as bands={{'{name}': (100, 500)}}.",
            )


def _check_bands(edges: tuple[float, ...], where: str) -> None:
    if not edges or list(edges) != sorted(set(edges)) or not all(map(math.isfinite, edges)):
        raise ExhibitError(
            where,
            seen=f"edges {', '.join(f'{edge:g}' for edge in edges) or 'none'}",
            expected="at least one, ascending",
            do="Say where a band ends and the next begins; the outer bands are open.",
        )


def _is_class(study: Study, name: str) -> bool:
    variable = study.variable(name)
    return variable.role in {"time", "cluster"} or variable.unit == "indicator"


def _level(study: Study, value: str) -> str:
    return study.variable(value).level


def _unit_column(panel: Panel) -> str:
    """Name the column of the protected units; empty where the study has none."""
    return _column_of(panel, panel.provenance.protected_unit)


def _column_of(panel: Panel, level: str) -> str:
    try:
        return cluster_column(panel.study, level)
    except PanelError:
        return ""


def _lay_rows(
    panel: Panel, value: str, by: Sequence[str], bands: Mapping[str, tuple[float, ...]]
) -> pd.DataFrame:
    """Lay out the rows that have a value and a place, with their cell and their unit."""
    data = panel.data.reset_index(drop=True)
    held = data[value]
    number = held.astype("float64") if pd.api.types.is_numeric_dtype(held) else held.notna()
    labels = [_label(panel.study, data[name], name, bands) for name in by]
    frame = pd.DataFrame({"number": number.astype("float64")})
    named = (
        ("unit", panel.provenance.protected_unit),
        ("factory", "factory"),
        ("worker", "worker"),
    )
    for key, level in named:
        column = _column_of(panel, level)
        frame[key] = data[column].astype("string") if column else pd.NA
    kept = held.notna().to_numpy()
    for label in labels:
        kept = kept & label.notna().to_numpy()
    cells = list(zip(*(label[kept] for label in labels), strict=True))
    frame = frame[kept].reset_index(drop=True)
    return frame.assign(cell=pd.Series(cells or [()] * len(frame), dtype="object"))


def _label(
    study: Study, column: pd.Series, name: str, bands: Mapping[str, tuple[float, ...]]
) -> pd.Series:
    if name in bands:
        edges = (-math.inf, *bands[name], math.inf)
        place = np.digitize(column.astype("float64"), bands[name])
        texts = pd.Series([_band(edges, k) for k in place], index=column.index, dtype="object")
        return texts.where(column.notna())
    if study.variable(name).role == "cluster":
        return column.astype("object")
    return column.map(lambda number: f"{number:g}", na_action="ignore").astype("object")


def _band(edges: tuple[float, ...], place: int) -> str:
    return f"{edges[place]:g}..{edges[place + 1]:g}"


def _levels(
    study: Study,
    name: str,
    rows: pd.DataFrame,
    place: int,
    bands: Mapping[str, tuple[float, ...]],
) -> list[str]:
    """List the labels of a ``by``: all bands, both values of an indicator, else what occurs."""
    if name in bands:
        edges = (-math.inf, *bands[name], math.inf)
        return [_band(edges, k) for k in range(len(edges) - 1)]
    seen = {cell[place] for cell in rows["cell"]}
    if study.variable(name).unit == "indicator":
        return sorted(seen | {"0", "1"}, key=float)
    return sorted(seen, key=float) if study.variable(name).role == "time" else sorted(seen)


def _measure(
    rows: pd.DataFrame, statistic: str, share: float | None, *, worker: bool
) -> dict[str, Any]:
    by_unit = rows.groupby("unit")["number"]
    sizes = rows["number"].abs().groupby(rows["unit"]).sum().nlargest(2).to_list()
    means = by_unit.mean()
    named = bool(rows["unit"].notna().all())
    number = _summarise(rows, means, statistic, share)
    sides = _count_sides(rows, means, statistic, share)
    return {
        "value": number,
        "contributors": rows["unit"].nunique() if named else None,
        "rows": len(rows),
        "largest": sizes[0] if sizes else None,
        "second": sizes[1] if len(sizes) > 1 else None,
        "total": float(rows["number"].abs().sum()),
        "equal": bool(len(means) and statistic != "count" and means.nunique() == 1),
        "below": sides[0],
        "above": sides[1],
        "n_factories": rows["factory"].nunique() if worker else None,
        "n_workers": rows["worker"].nunique() if worker else None,
        "status": "",
    }


def _summarise(
    rows: pd.DataFrame, means: pd.Series, statistic: str, share: float | None
) -> float | None:
    if statistic == "count":
        return float(rows["unit"].nunique())
    if rows.empty:
        return None
    if share is not None:
        return round_quantile(float(means.quantile(share))) if len(means) else None
    return float(rows["number"].sum() if statistic == "sum" else rows["number"].mean())


def round_quantile(number: float) -> float:
    """Round to two significant digits, so that a quantile is nobody's own value."""
    if number == 0:
        return 0.0
    return round(number, _DIGITS - 1 - math.floor(math.log10(abs(number))))


def _count_sides(
    rows: pd.DataFrame, means: pd.Series, statistic: str, share: float | None
) -> tuple[int | None, int | None]:
    if statistic == "share":
        units = rows["unit"]
        return (
            int(units[rows["number"] == 0].nunique()),
            int(units[rows["number"] == 1].nunique()),
        )
    if share is None or means.empty:
        return None, None
    middle = means.quantile(share)
    return int((means < middle).sum()), int((means > middle).sum())
