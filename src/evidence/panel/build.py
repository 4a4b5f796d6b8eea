"""Measured records become one entity × time panel with a ledger of every row dropped."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from evidence.errors import PanelError
from evidence.measures import Measures
from evidence.sources import Provenance
from evidence.study import LEVELS, Specification, Study, Variable

_YEARS = (1900, 2100)

UPPER = "upper bound"
"""Column of a sample of spells: the latest end in days; its outcome is the earliest."""


@dataclass(frozen=True, slots=True)
class Panel:
    """Data of a study: MultiIndex (entity, time), a column a variable.

    Where the sources hold days, both clocks (``months_since_enrolment``,
    ``calendar_month``) stand beside the declared variables. ``ledger`` has columns
    ``step, rows, entities, reason``: what each step left. ``definitions`` says what
    each compliance outcome counts; ``spells`` has, by the name of a rate of remedy, the
    findings that it follows.
    """

    study: Study
    data: pd.DataFrame
    items_left_out: tuple[str, ...]
    ledger: pd.DataFrame
    provenance: Provenance
    definitions: dict[str, dict[str, str]] = field(default_factory=dict)
    spells: dict[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def n_entities(self) -> int:
        """Count of entities in the panel."""
        return int(self.data.index.get_level_values("entity").nunique())

    @property
    def n_periods(self) -> int:
        """Count of periods in the panel."""
        return int(self.data.index.get_level_values("time").nunique())


def build_panel(study: Study, measures: Measures) -> Panel:
    """Build the panel of a study.

    Raises
    ------
    PanelError
        For missing or repeated keys, time that is no time, infinite values, a single
        period, a variable that varies below its declared level, or an entry rule that
        nobody meets.
    """
    data = _index(study, measures.data)
    _check_values(study, data)
    _check_levels(study, data)
    _check_common(study, data)
    steps = [measures.steps.assign(entities=np.nan)]
    steps.append(_step(data, "panel", "one row an entity and period, keys checked"))
    data, entered = _enter(study, data)
    ledger = pd.concat([*steps, *entered], ignore_index=True)
    ordered = ledger[["step", "rows", "entities", "reason"]].astype({"entities": "Int64"})
    return Panel(
        study,
        data,
        measures.items_left_out,
        ordered,
        measures.provenance,
        measures.definitions,
        {name: _index_spells(study, spells) for name, spells in measures.spells.items()},
    )


def select_sample(panel: Panel, specification: Specification) -> Panel:
    """Select the rows that a specification can use, each loss in the ledger.

    Of an estimator of durations a row is a finding: its index is (entity, time, item), time
    the period in which it was first seen, whose values the other columns have.

    Rows with a missing outcome, exposure or control fall out. Where entity
    or time effects are absorbed, entities and periods seen once fall out as well, by
    turns until none is left (they carry no information), but not in a replication,
    which keeps what the published table kept, nor by the conventions of Stata and
    linearmodels, which keep them.

    Raises
    ------
    PanelError
        Where no row is left.
    """
    columns = [specification.outcome, *specification.regressors, *specification.instruments]
    more = (*specification.moderators, *specification.shares)
    columns += [name for name in more if name not in columns]
    data = panel.data
    steps: list[pd.DataFrame] = []
    if specification.estimator == "interval_censored":
        data, steps = _take_spells(panel, specification)
    for column in columns:
        kept = data[data[column].notna()]
        if len(kept) < len(data):
            steps.append(_step(kept, f"{specification.id}: {column}", "value missing"))
        data = kept
    if specification.role != "replication" and specification.convention in {"", "fixest"}:
        data, dropped = _drop_singletons(data, specification)
        steps += dropped
    if data.empty:
        raise PanelError(
            f"{panel.study.path.name}: specification '{specification.id}'",
            seen="no row with all of " + ", ".join(columns),
            expected="at least one",
            do="Look at the ledger for the variable that empties it.",
        )
    ledger = pd.concat([panel.ledger, *steps], ignore_index=True)
    return replace(panel, data=data, ledger=ledger)


def _take_spells(
    panel: Panel, specification: Specification
) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    """Take the findings that an outcome follows in the place of the panel's rows."""
    name = specification.outcome
    if name not in panel.spells:
        raise PanelError(
            f"{panel.study.path.name}: specification '{specification.id}', outcome",
            seen=f"'{name}', behind which no findings are followed",
            expected=f"a rate of remedy{': ' if panel.spells else ''}{', '.join(panel.spells)}",
            do="Name the outcome remedy_rate, or choose another estimator.",
        )
    spells = panel.spells[name]
    assert isinstance(spells.index, pd.MultiIndex)
    places = panel.data.index.get_indexer(spells.index.droplevel(["item"]))
    spells = spells[places >= 0]
    data = panel.data.iloc[places[places >= 0]].set_axis(spells.index)
    data = data.assign(**{name: spells["lower"], UPPER: spells["upper"]})
    followed = data[(data[name] > 0) | np.isfinite(data[UPPER])]
    step = f"{specification.id}: findings"
    return followed, [
        _step(data, step, "one row a finding, in the period in which it was first seen"),
        _step(followed, step, "findings of a last assessment are not followed further"),
    ]


def _index_spells(study: Study, spells: pd.DataFrame) -> pd.DataFrame:
    """Index spells as the panel is, with the item behind."""
    arrays = [
        spells[study.entity.name].astype(str).array,
        spells[study.time.name].astype(int).array,
        spells["item"].astype(str).array,
    ]
    index = pd.MultiIndex.from_arrays(arrays, names=["entity", "time", "item"])
    return spells[["lower", "upper"]].set_axis(index).sort_index()


def _drop_singletons(
    data: pd.DataFrame, specification: Specification
) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    steps: list[pd.DataFrame] = []
    if specification.estimator != "fixed_effects":
        return data, steps
    while True:
        before = len(data)
        for effect in specification.effects:
            seen = data.groupby(_label_effect(data, effect)).transform("size")
            kept = data[(seen > 1).to_numpy()]
            if len(kept) < len(data):
                step = f"{specification.id}: {effect} seen once"
                steps.append(_step(kept, step, "nothing to compare with"))
            data = kept
        if len(data) == before:
            return data, steps


def cross_effects(panel: Panel, specification: Specification) -> pd.DataFrame:
    """Lay out the labels of a specification's effects, a column each (rows of the panel).

    ``entity`` and ``time`` are the panel's index, other names its cluster variables;
    ``a:b`` has a level for every pair that occurs.

    Raises
    ------
    PanelError
        Where a row has no label.
    """
    data = panel.data
    labels = {name: _label_effect(data, name) for name in specification.effects}
    for name, column in labels.items():
        missing = int((column.to_numpy() == -1).sum())
        if missing:
            raise PanelError(
                f"{panel.study.path.name}: specification '{specification.id}', effects",
                seen=f"{missing} rows without {name}",
                expected="a value in every row",
                do="Complete the column in the raw file, or do not absorb it.",
            )
    return pd.DataFrame(labels, index=data.index)


def _label_effect(data: pd.DataFrame, effect: str) -> pd.Series:
    """Code the levels of an effect, −1 where a part of it is missing."""
    index = data.index
    assert isinstance(index, pd.MultiIndex)
    names = list(index.names)
    codes = np.zeros(len(data), dtype=np.int64)
    missing = np.zeros(len(data), dtype=bool)
    for part in effect.split(":"):
        own = index.codes[names.index(part)] if part in names else pd.factorize(data[part])[0]
        missing |= own < 0
        codes = codes * (int(own.max(initial=0)) + 1) + own
    return pd.Series(np.where(missing, -1, pd.factorize(codes)[0]), index=index)


def within_share(data: pd.DataFrame, column: str) -> float:
    """Compute the share of a variable's variance that is within entities (0 to 1)."""
    values = data[column].astype("float64")
    total = float(((values - values.mean()) ** 2).sum())
    means = values.groupby(level="entity").transform("mean")
    return float(((values - means) ** 2).sum()) / total if total > 0 else 0.0


def cluster_column(study: Study, level: str) -> str:
    """Name the variable whose values are the units of a level.

    Raises
    ------
    PanelError
        Where the study declares no entity or cluster variable of that level.
    """
    wanted = _unit_level(level)
    if wanted == study.entity.level:
        return study.entity.name
    for variable in study.variables:
        if variable.role == "cluster" and variable.level == wanted:
            return variable.name
    raise PanelError(
        f"{study.path.name}: variables",
        seen=f"no variable with role 'cluster' and level '{level}'",
        expected=f"one, because inference is asked for at the level '{level}'",
        do="Declare the column that names the units of that level.",
    )


def _index(study: Study, records: pd.DataFrame) -> pd.DataFrame:
    entity, time = study.entity.name, study.time.name
    where = f"{study.path.name}: panel"
    missing = int(records[[entity, time]].isna().any(axis=1).sum())
    if missing:
        raise PanelError(
            where,
            seen=f"{missing} rows without {entity} or {time}",
            expected="both in every row",
            do="Complete the keys in the raw file.",
        )
    if not pd.api.types.is_numeric_dtype(records[time]) or (records[time] % 1 != 0).any():
        raise PanelError(
            where,
            seen=f"values of {time} such as '{records[time].iloc[0]}'",
            expected="whole numbers, such as years",
            do="Give the column type 'integer' in the source record.",
        )
    if study.time.unit == "year" and not records[time].between(*_YEARS).all():
        strange = records[time][~records[time].between(*_YEARS)].iloc[0]
        raise PanelError(
            where,
            seen=f"{time} {strange:.0f}",
            expected=f"years from {_YEARS[0]} to {_YEARS[1]}",
            do=f"{_guess_year(strange)}Mend the raw file, or give the variable its true unit in the "
            "study file.",
        )
    twice = records.duplicated([entity, time])
    if twice.any():
        first = records[time][twice].iloc[0]
        raise PanelError(
            where,
            seen=f"{int(twice.sum())} repeated keys, first at {time} {first}",
            expected=f"each {entity} once a {time}",
            do="Remove the repetition in the raw file, or add what tells the rows apart.",
        )
    index = [records[entity].astype(str).array, records[time].astype(int).array]
    data = records.set_axis(pd.MultiIndex.from_arrays(index, names=["entity", "time"]))
    data = data.sort_index()
    if data.index.get_level_values("time").nunique() < 2:
        raise PanelError(
            where,
            seen="a single period",
            expected="two or more",
            do="Add earlier or later data: nothing can be followed over time here.",
        )
    return data


def _guess_year(number: float) -> str:
    """Say what a number outside the years of the common era may be."""
    guesses = (
        (range(2400, 2700), "It looks like a Buddhist year (543 more). "),
        (range(1300, 1500), "It looks like a year of the Bengali or Islamic calendar. "),
        (range(1, 100), "It looks like a year of two digits, or of an era. "),
        (range(20_000, 60_000), "It looks like Excel's number of a day. "),
        (range(190_001, 210_013), "It looks like a year with its month. "),
    )
    return next((words for span, words in guesses if number in span), "")


def _enter(study: Study, data: pd.DataFrame) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    """Keep the entities that the study's entry rule lets in."""
    least = study.panel.least_periods
    if least == 1:
        return data, []
    seen = data.groupby(level="entity")[data.columns[0]].transform("size")
    kept = data[seen >= least]
    if kept.empty:
        raise PanelError(
            f"{study.path.name}: [panel] least_periods",
            seen=f"no entity with {least} periods; the most has {int(seen.max())}",
            expected="at least one",
            do="Lower the entry rule, or wait for more assessments.",
        )
    return kept, [_step(kept, "entry rule", f"entities with at least {least} periods")]


def _check_values(study: Study, data: pd.DataFrame) -> None:
    for variable in study.variables:
        if variable.role in {"entity", "time", "cluster"}:
            continue
        column = data[variable.name]
        if not pd.api.types.is_numeric_dtype(column):
            raise PanelError(
                f"{study.path.name}: variable '{variable.name}'",
                seen="text",
                expected="numbers",
                do="Give the column a numeric type in the source record.",
            )
        if np.isinf(column.astype("float64")).any():
            raise PanelError(
                f"{study.path.name}: variable '{variable.name}'",
                seen="infinite values",
                expected="finite numbers",
                do="Look for a division by zero in the raw file.",
            )


def _check_levels(study: Study, data: pd.DataFrame) -> None:
    rank = {v.name: LEVELS.index(_unit_level(v.level)) for v in study.variables}
    time = data.index.get_level_values("time")
    moving = {name for spec in study.specifications for name in spec.instruments}
    for unit in study.variables:
        if unit.role != "cluster" or rank[unit.name] <= rank[study.entity.name]:
            continue
        groups = [data[unit.name], time]
        repeated = bool((data.groupby(groups).size() > 1).any())
        for variable in study.variables:
            if variable.role in {"entity", "time", "cluster"}:
                continue
            varies = bool((data.groupby(groups)[variable.name].nunique() > 1).any())
            coarse = rank[variable.name] >= rank[unit.name]
            if varies and coarse:
                raise _level_error(study, variable, unit, "different values")
            same = repeated and not varies and data[variable.name].nunique() > 1
            if (variable.role == "exposure" or variable.name in moving) and same and not coarse:
                raise _level_error(study, variable, unit, "one and the same value")


def _check_common(study: Study, data: pd.DataFrame) -> None:
    """Refuse an exposure that is the same for everybody in a period as an own choice."""
    periods = data.groupby(level="time")
    if not (periods.size() > 1).any():
        return
    for variable in study.variables:
        if variable.role != "exposure" or variable.level == "country":
            continue
        column = data[variable.name]
        if column.nunique() > 1 and not (periods[variable.name].nunique() > 1).any():
            raise PanelError(
                f"{study.path.name}: variable '{variable.name}'",
                seen=f"one and the same value for everybody in each {study.time.name}",
                expected=f"what its declared level of variation '{variable.level}' says",
                do="Declare the level 'country': with one unit of that level nothing can be "
                "told from everything else that happened at the time.",
            )


def _level_error(study: Study, variable: Variable, unit: Variable, seen: str) -> PanelError:
    return PanelError(
        f"{study.path.name}: variable '{variable.name}'",
        seen=f"{seen} within each {unit.level} and period",
        expected=f"what its declared level of variation '{variable.level}' says",
        do="Declare the level at which it really varies: inference follows from it.",
    )


def _unit_level(level: str) -> str:
    return "factory" if level == "factory-cycle" else level


def _step(data: pd.DataFrame, step: str, reason: str) -> pd.DataFrame:
    entities = data.index.get_level_values("entity").nunique()
    row = {"step": step, "rows": len(data), "entities": entities, "reason": reason}
    return pd.DataFrame([row])
