"""A variable that is no column: a measure of a pack, an index, an event, or a transform.

Transforms follow from a variable's name: ``log_x`` is the natural logarithm of ``x``,
``lag1_x`` the value of ``x`` one period earlier, ``lead1_x`` one period later, ``d_x`` its change
since the period before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evidence.errors import MeasureError
from evidence.measures.crosswalk import Answers
from evidence.measures.dialogue import columns_of, score_index, score_pair
from evidence.measures.events import expose
from evidence.measures.joining import IN_FIRST
from evidence.measures.peers import flag_peers
from evidence.measures.productivity import (
    chain_growth,
    compute_ratio,
    find_measure,
    score_ratio,
)
from evidence.packs import PolicyEvent, Questionnaire, Ratio, Sector
from evidence.study import Study


@dataclass(frozen=True, slots=True)
class Tables:
    """A study's tables by their kind, with the packs that tell how to read them.

    ``frames`` are the tables a unit and period, by name; ``workers`` has a row a
    worker, ``plans`` a row a remedy that a unit reports.
    """

    frames: list[tuple[str, pd.DataFrame]]
    answers: Answers | None
    workers: pd.DataFrame | None
    questionnaires: tuple[Questionnaire, ...]
    sectors: tuple[Sector, ...]
    case: dict[str, str]
    keys: list[str]
    events: tuple[PolicyEvent, ...] = ()
    plans: pd.DataFrame | None = None


_CHAINED = {
    "output_per_worker_chained": (
        Ratio("output_per_worker_na", "currency of rgdpna a worker", ("rgdpna",), ("employment",)),
        "output_per_worker_growth",
    )
}
"""Levels carried forward by growth: constant-price output a worker after the last year of
the Penn World Table, by ILOSTAT's growth of it (SDG 8.2.1)."""


def derive(name: str, data: pd.DataFrame, tables: Tables, study: Study) -> pd.Series:
    """Derive a variable from the joined tables.

    Parameters
    ----------
    data : DataFrame
        A row an entity and period, sorted.

    Returns
    -------
    Series
        Aligned with ``data``.

    Raises
    ------
    MeasureError
        Where it cannot be derived, or is a measure of another sector.
    """
    found = _find(name, data, tables)
    found = flag_peers(name, data, study) if found is None else found
    if found is not None:
        return found
    raise MeasureError(
        f"{study.path.name}: variable '{name}'",
        seen=f"columns {', '.join(c for c in data.columns if c != IN_FIRST)}",
        expected=f"one of that name, or numbers of which {', '.join(_TRANSFORMS)} can be taken",
        do="Add the column to the source record, or rename the variable.",
    )


def _find(name: str, data: pd.DataFrame, tables: Tables) -> pd.Series | None:
    if name in data:
        return data[name]
    for source in (_chained, _of_questionnaire, _of_sector, _of_event, _transformed):
        found = source(name, data, tables)
        if found is not None:
            return found
    return None


def strip_transforms(name: str) -> str:
    """Strip a name of its transforms: ``d_log_x`` becomes ``x``."""
    return list_bases(name)[-1]


def list_bases(name: str) -> list[str]:
    """List what a name builds on: ``d_log_x, log_x, x``."""
    for prefix in _TRANSFORMS:
        if name.startswith(prefix):
            return [name, *list_bases(name.removeprefix(prefix))]
    return [name]


def _chained(name: str, data: pd.DataFrame, tables: Tables) -> pd.Series | None:
    if name not in _CHAINED:
        return None
    ratio, growth = _CHAINED[name]
    if not {*ratio.over, *ratio.under, growth} <= set(data.columns):
        return None
    entity, time = (data[key] for key in tables.keys)
    return chain_growth(compute_ratio(ratio, data), data[growth], entity, time)


def _of_questionnaire(name: str, data: pd.DataFrame, tables: Tables) -> pd.Series | None:
    keys = tables.keys
    for pack in tables.questionnaires:
        answers = tables.answers.data if tables.answers else None
        for index in pack.indices:
            if index.id == name:
                return _align(score_index(index, answers, data, keys), name, data, keys)
        for measure in pack.measures:
            if measure.id == name:
                return score_ratio(measure, data, keys[0], f"questionnaire '{pack.id}'")
        scored = _of_pairs(name, data, tables, pack)
        if scored is not None:
            return scored
    return None


def _of_pairs(
    name: str, data: pd.DataFrame, tables: Tables, pack: Questionnaire
) -> pd.Series | None:
    for pair in pack.pairs:
        if name not in columns_of(pair):
            continue
        if tables.workers is None:
            raise MeasureError(
                f"variable '{name}'",
                seen="no table a worker in the sources",
                expected=f"one with the column '{pair.worker}' and 'worker' in its key",
                do="Add the table to a source record, or leave the variable out.",
            )
        return _align(score_pair(pair, data, tables.workers, tables.keys), name, data, tables.keys)
    return None


def _align(scored: pd.DataFrame, name: str, data: pd.DataFrame, keys: list[str]) -> pd.Series:
    placed = data[keys].merge(scored, on=keys, how="left", validate="many_to_one")
    return placed[name].set_axis(data.index)


def _of_sector(name: str, data: pd.DataFrame, tables: Tables) -> pd.Series | None:
    told = tables.case.get("sector", "")
    if not told and "sector" in data and data["sector"].nunique() == 1:
        told = str(data["sector"].dropna().iloc[0])
    own = next((sector for sector in tables.sectors if sector.id == told), None)
    measure = find_measure(name, own, tables.sectors)
    if measure is None or own is None:
        return None
    return score_ratio(measure, data, tables.keys[0], f"sector '{own.id}'")


def _of_event(name: str, data: pd.DataFrame, tables: Tables) -> pd.Series | None:
    place = {key: value for key, value in tables.case.items() if key not in data}
    return expose(name, data.assign(**place), tables.events)


def _transformed(name: str, data: pd.DataFrame, tables: Tables) -> pd.Series | None:
    for prefix, transform in _TRANSFORMS.items():
        base = name.removeprefix(prefix)
        if base == name:
            continue
        values = _find(base, data, tables)
        if values is not None and pd.api.types.is_numeric_dtype(values):
            return transform(values.astype("float64"), [data[key] for key in tables.keys])
    return None


def _logarithm(values: pd.Series, groups: list[pd.Series]) -> pd.Series:
    logarithm: pd.Series = np.log(values.where(values > 0))
    return logarithm


def _lag(values: pd.Series, groups: list[pd.Series]) -> pd.Series:
    entity, time = groups
    earlier = values.groupby(entity).shift(1)
    follows = time.groupby(entity).diff() == 1
    return earlier.where(follows)


def _lead(values: pd.Series, groups: list[pd.Series]) -> pd.Series:
    entity, time = groups
    later = values.groupby(entity).shift(-1)
    follows = -time.groupby(entity).diff(-1) == 1
    return later.where(follows)


def _change(values: pd.Series, groups: list[pd.Series]) -> pd.Series:
    return values - _lag(values, groups)


_TRANSFORMS: dict[str, Callable[[pd.Series, list[pd.Series]], pd.Series]] = {
    "log_": _logarithm,
    "lag1_": _lag,
    "lead1_": _lead,
    "d_": _change,
}
