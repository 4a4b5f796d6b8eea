"""Productivity by sector: every measure is a product over a product, told by a pack."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from evidence.errors import MeasureError
from evidence.packs import Ratio, Sector

_GENERAL = (
    Ratio("output_per_hour", "output units an hour", ("output",), ("hours",)),
    Ratio("sales_per_employee", "currency of sales an employee", ("sales",), ("employ",)),
    Ratio("output_per_worker", "currency of rgdpo a worker", ("rgdpo",), ("employment",)),
)
"""Measures that no sector owns: a plant's, and a country's of the Penn World Table."""


def score_productivity(records: pd.DataFrame) -> pd.DataFrame:
    """Add the measures that no sector owns, where only their parts are there.

    Units: output units an hour; the currency of ``sales`` an employee and period; that
    of ``rgdpo`` a worker and year.
    """
    scored = records.copy()
    for measure in _GENERAL:
        if measure.id not in scored and {*measure.over, *measure.under} <= set(scored.columns):
            scored[measure.id] = compute_ratio(measure, scored)
    return scored


def score_ratio(measure: Ratio, records: pd.DataFrame, entity: str, owner: str) -> pd.Series:
    """Compute a pack's measure for every record.

    Parameters
    ----------
    owner : str
        Sector or questionnaire that the measure belongs to, for messages.

    Raises
    ------
    MeasureError
        Where a column is absent, or the basis is missing or changes within an entity.
    """
    wanted = [*measure.over, *measure.under, *([measure.basis] if measure.basis else [])]
    absent = [column for column in wanted if column not in records]
    if absent:
        raise MeasureError(
            f"measure '{measure.id}' of {owner}",
            seen=f"no column {', '.join(absent)}",
            expected=f"all of {', '.join(wanted)}",
            do="Add the columns to the source record.",
        )
    values = compute_ratio(measure, records)
    if measure.basis:
        _check_basis(measure, records[values.notna()], entity, owner)
    return values


def compute_ratio(measure: Ratio, records: pd.DataFrame) -> pd.Series:
    """Compute ``times`` × product over product.

    Missing where a part is, where one above the line is negative, or where one below it
    is not positive: two wrong signs do not make a right one.
    """
    over = _multiply(records, measure.over, zero=True)
    if not measure.under:
        return measure.times * over
    return measure.times * over / _multiply(records, measure.under, zero=False)


def _multiply(records: pd.DataFrame, columns: tuple[str, ...], *, zero: bool) -> pd.Series:
    """Multiply columns; missing where one is negative, or zero unless zero may be."""
    parts = records[list(columns)].astype("float64")
    possible = (parts >= 0) if zero else (parts > 0)
    return parts.where(possible).prod(axis=1, skipna=False)


def chain_growth(
    level: pd.Series, growth: pd.Series, entity: pd.Series, time: pd.Series
) -> pd.Series:
    """Carry a level forward by growth after its last value.

    Parameters
    ----------
    level, growth : Series
        A level, and its growth since the period before, in percent.
    entity, time : Series
        Keys, in any order of rows.

    Returns
    -------
    Series
        In the order of the rows given: the level; after an entity's last one, the value
        before × (1 + growth / 100), as long as the periods follow each other and the
        growth is known. A gap in the level before its last value stays a gap.

    Raises
    ------
    MeasureError
        Where an entity stands twice in a period.
    """
    rows = pd.DataFrame(
        {
            "level": level.to_numpy(dtype="float64", na_value=np.nan),
            "growth": growth.to_numpy(dtype="float64", na_value=np.nan),
            "entity": entity.to_numpy(),
            "time": time.to_numpy(),
            "place": np.arange(len(level)),
        }
    ).sort_values(["entity", "time"], kind="stable")
    if rows.duplicated(["entity", "time"]).any():
        raise MeasureError(
            "chain_growth",
            seen=f"a {entity.name} twice in one {time.name}",
            expected="each once: growth leads from one period to the next",
            do="Remove the repetition in the raw file.",
        )
    last = rows["time"].where(rows["level"].notna()).groupby(rows["entity"]).transform("max")
    follows = (rows["time"].groupby(rows["entity"]).diff() == 1) & (rows["time"] > last)
    factor = (1 + rows["growth"] / 100).to_numpy()
    chained = rows["level"].to_numpy(copy=True)
    for row in np.flatnonzero(follows.to_numpy()):
        chained[row] = chained[row - 1] * factor[row]
    ordered = np.empty(len(chained))
    ordered[rows["place"].to_numpy()] = chained
    return pd.Series(ordered, index=level.index)


def find_measure(name: str, own: Sector | None, others: Iterable[Sector]) -> Ratio | None:
    """Find a measure of the case's own sector.

    Raises
    ------
    MeasureError
        Where the name is a measure of another sector only: it is refused here.
    """
    for measure in own.measures if own else ():
        if measure.id == name:
            return measure
    for sector in others:
        if any(measure.id == name for measure in sector.measures):
            known = ", ".join(measure.id for measure in own.measures) if own else ""
            raise MeasureError(
                f"variable '{name}'",
                seen=f"a measure of the sector '{sector.id}'",
                expected=f"one of the sector '{own.id}': {known or 'it has none yet'}"
                if own
                else "data of one sector, told by [cases] or by a column 'sector'",
                do="Choose a measure of the sector, or add one to its pack.",
            )
    return None


def _check_basis(measure: Ratio, records: pd.DataFrame, entity: str, owner: str) -> None:
    basis = records[measure.basis]
    if basis.isna().any():
        raise MeasureError(
            f"measure '{measure.id}' of {owner}",
            seen=f"{int(basis.isna().sum())} records without '{measure.basis}'",
            expected="the basis of every value",
            do="Complete the column: values on different bases cannot be compared.",
        )
    changed = records.groupby(entity)[measure.basis].nunique()
    if (changed > 1).any():
        raise MeasureError(
            f"measure '{measure.id}' of {owner}",
            seen=f"{int((changed > 1).sum())} of {entity} whose '{measure.basis}' changes",
            expected="one basis an entity",
            do="Convert the values to one basis, or leave those records out.",
        )
