"""Raw answers become measures: compliance rates, productivity, transforms.

Transforms follow from a variable's name: ``log_x`` is the natural logarithm of ``x``,
``lag1_x`` the value of ``x`` one period earlier, ``d_x`` its change since then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evidence.errors import MeasureError
from evidence.sources import Provenance, Snapshot, combine_origins
from evidence.study import Study


@dataclass(frozen=True, slots=True)
class Measures:
    """Measured records: a row an entity and period, all declared variables.

    ``items_left_out`` names the questions that describe an exposure and are
    therefore no part of a compliance outcome; ``steps`` counts rows from file to
    record (columns ``step, rows, reason``).
    """

    data: pd.DataFrame
    items_left_out: tuple[str, ...]
    steps: pd.DataFrame
    provenance: Provenance


def score_measures(study: Study, snapshots: tuple[Snapshot, ...]) -> Measures:
    """Score every declared variable of a study from its snapshots.

    Tables of several sources are joined on entity and time (left, from the first).

    Raises
    ------
    MeasureError
        Where a declared variable is neither a column nor can be derived.
    """
    keys = [study.entity.name, study.time.name]
    exposures = {v.name for v in study.variables if v.role == "exposure"}
    exposures.update(name for spec in study.specifications for name in spec.exposures)
    frames, left_out, steps = [], [], []
    for snapshot in snapshots:
        source = snapshot.record.id
        for name, table in snapshot.tables.items():
            steps.append((f"read {source}.{name}", len(table), "rows of the raw file"))
            if set(table.columns) >= {"question", "kind", "finding"}:
                dropped = _items_of(snapshot, exposures)
                scored = score_compliance(table, keys, leave_out=dropped)
                steps.append(("score compliance", len(scored), "one row a unit and period"))
                left_out += dropped
                frames.append(scored)
            else:
                frames.append(table)
    data = _join(frames, keys, study)
    data = score_productivity(data)
    for variable in study.variables:
        if variable.name not in data:
            data[variable.name] = _derive(variable.name, data, keys, study)
    ledger = pd.DataFrame(steps, columns=["step", "rows", "reason"])
    return Measures(
        data=data[[v.name for v in study.variables]],
        items_left_out=tuple(sorted(left_out)),
        steps=ledger,
        provenance=combine_origins(snapshots),
    )


def score_compliance(
    answers: pd.DataFrame, keys: list[str], *, leave_out: list[str]
) -> pd.DataFrame:
    """Score non-compliance as the share of a unit's questions with a finding.

    This is the second of the three published definitions (questions, not factories
    and not critical issues). Rows of kind ``FGW`` are no findings and do not count, nor
    do questions without an answer.

    Parameters
    ----------
    answers : DataFrame
        A row a question: the key columns, ``question``, ``kind``, ``finding`` (0/1).
    keys : list of str
        Entity and time column.
    leave_out : list of str
        Questions that describe an exposure.

    Returns
    -------
    DataFrame
        Key columns, ``noncompliance`` (share, 0 to 1) and ``questions`` (count).

    Raises
    ------
    MeasureError
        Where nothing is left to score.
    """
    counted = answers[~answers["question"].isin(leave_out) & (answers["kind"] != "FGW")]
    counted = counted[counted["finding"].notna()]
    if counted.empty:
        raise MeasureError(
            "score_compliance",
            seen="no question that is not part of an exposure",
            expected="at least one",
            do="Take an exposure out of the study, or add questions to the source.",
        )
    groups = counted.groupby(keys, sort=True)["finding"]
    scored = groups.agg(noncompliance="mean", questions="size")
    return scored.reset_index()


def score_productivity(records: pd.DataFrame) -> pd.DataFrame:
    """Add output per hour and sales per employee where only their parts are there.

    Units: output units an hour; the currency of ``sales`` an employee and period.
    """
    scored = records.copy()
    for name, over, under in (
        ("output_per_hour", "output", "hours"),
        ("sales_per_employee", "sales", "employ"),
    ):
        if name not in scored and {over, under} <= set(scored.columns):
            scored[name] = scored[over] / scored[under].where(scored[under] > 0)
    return scored


def _items_of(snapshot: Snapshot, exposures: set[str]) -> list[str]:
    simulation = snapshot.record.simulation
    if simulation is None:
        return []
    return [
        f"{point.id}.{number + 1}"
        for point in simulation.points
        if point.institution in exposures
        for number in range(point.items)
    ]


def _join(frames: list[pd.DataFrame], keys: list[str], study: Study) -> pd.DataFrame:
    for frame in frames:
        absent = [key for key in keys if key not in frame]
        if absent:
            raise MeasureError(
                f"{study.path.name}: [data] sources",
                seen=f"a table with columns {', '.join(frame.columns)}",
                expected=f"the study's keys {', '.join(keys)}",
                do="Name the columns so in the source record.",
            )
    joined = frames[0]
    for frame in frames[1:]:
        twice = [c for c in frame.columns if c in joined and c not in keys]
        if twice or joined.duplicated(keys).any() or frame.duplicated(keys).any():
            raise MeasureError(
                f"{study.path.name}: [data] sources",
                seen=f"column '{twice[0]}' in two tables" if twice else "repeated keys",
                expected=f"each {', '.join(keys)} once a table, each other column in one table",
                do="Leave the column out of one of the records, or mend the key.",
            )
        joined = joined.merge(frame, on=keys, how="left")
    return joined.sort_values(keys, kind="stable").reset_index(drop=True)


def _logarithm(values: pd.Series, groups: list[pd.Series]) -> pd.Series:
    logarithm: pd.Series = np.log(values.where(values > 0))
    return logarithm


def _lag(values: pd.Series, groups: list[pd.Series]) -> pd.Series:
    entity, time = groups
    earlier = values.groupby(entity).shift(1)
    follows = time.groupby(entity).diff() == 1
    return earlier.where(follows)


def _change(values: pd.Series, groups: list[pd.Series]) -> pd.Series:
    return values - _lag(values, groups)


_TRANSFORMS: dict[str, Callable[[pd.Series, list[pd.Series]], pd.Series]] = {
    "log_": _logarithm,
    "lag1_": _lag,
    "d_": _change,
}


def _derive(name: str, data: pd.DataFrame, keys: list[str], study: Study) -> pd.Series:
    for prefix, transform in _TRANSFORMS.items():
        base = name.removeprefix(prefix)
        if base == name:
            continue
        if base in data and pd.api.types.is_numeric_dtype(data[base]):
            return transform(data[base].astype("float64"), [data[key] for key in keys])
    raise MeasureError(
        f"{study.path.name}: variable '{name}'",
        seen=f"columns {', '.join(data.columns)}",
        expected=f"one of that name, or numbers of which {', '.join(_TRANSFORMS)} can be taken",
        do="Add the column to the source record, or rename the variable.",
    )
