"""Tables of a study become one: rows of the first decide, others bring columns."""

from __future__ import annotations

from collections.abc import Hashable

import pandas as pd

from evidence.errors import MeasureError
from evidence.measures.coding import list_distinct
from evidence.measures.crosswalk import Step, check_keys
from evidence.sources import Snapshot, find_alike
from evidence.study import Study

ANSWERS = "answers"
"""Name of the table that answers are scored to."""

CLOCKS = ("months_since_enrolment", "calendar_month")
"""Clocks beside the study's own time: the unit's, and everybody's."""

DAY = "day_number"
"""Clock of studies by day: days since the first day in the study's tables, from 1."""

PLACES = ("country", "sector")
"""Columns that several tables may have."""

IN_FIRST = "row of the first table"
_IN_BOTH = "row of both tables"


def follow(snapshots: tuple[Snapshot, ...], entity: str, column: str) -> dict[Hashable, object]:
    """Find an entity's value in whichever table has it; the smallest of several."""
    found = [
        list_distinct(frame, [entity, column]).dropna()
        for snapshot in snapshots
        for frame in snapshot.tables.values()
        if entity in frame and column in frame and entity != column
    ]
    if not found:
        return {}
    pairs = pd.concat(found, ignore_index=True)
    return pairs.groupby(entity)[column].min().to_dict()


def check_countries(study: Study, snapshots: tuple[Snapshot, ...]) -> None:
    """Check that no entity stands in two countries: it would be two under one key.

    Raises
    ------
    MeasureError
        Naming the key and the countries, not the entity: its name may be confidential.
    """
    entity = study.entity.name
    seen = [
        list_distinct(frame, [entity, "country"]).dropna()
        for snapshot in snapshots
        for frame in snapshot.tables.values()
        if entity in frame and "country" in frame and entity != "country"
    ]
    pairs = pd.concat(seen).drop_duplicates() if seen else pd.DataFrame(columns=[entity])
    twice = pairs[pairs[entity].duplicated(keep=False)]
    if twice.empty:
        return
    first = twice[twice[entity] == twice[entity].iloc[0]]
    raise MeasureError(
        f"{study.path.name}: [data] sources, key '{entity}'",
        seen=f"{twice[entity].nunique()} of {entity} in two countries, such as "
        f"{' and '.join(sorted(first['country']))}",
        expected=f"each {entity} in one country",
        do="Put the country into the key in the raw files, or mend the country.",
    )


def check_spelling(study: Study, frames: list[tuple[str, pd.DataFrame]]) -> None:
    """Check that no entity is written in two ways: its rows would not find each other.

    Raises
    ------
    MeasureError
        Naming the tables and both spellings.
    """
    entity = study.entity.name
    named = [(name, frame[entity].dropna()) for name, frame in frames if entity in frame]
    texts = [str(t) for _, column in named if is_text(column) for t in column.unique()]
    pair = find_alike(texts) if len(named) > 1 else None
    if pair is not None:
        raise MeasureError(
            f"{study.path.name}: [data] sources, key '{entity}'",
            seen=f"'{pair[0]}' and '{pair[1]}', in the tables {', '.join(n for n, _ in named)}",
            expected=f"each {entity} written in one way",
            do="Write it in the same way in all raw files: its rows would not find each other.",
        )


def is_text(column: pd.Series) -> bool:
    """Tell whether a column holds text, categories included."""
    return not pd.api.types.is_numeric_dtype(column)


def join_tables(
    study: Study,
    frames: list[tuple[str, pd.DataFrame]],
    case: dict[str, str],
    steps: list[Step],
) -> pd.DataFrame:
    """Join all tables on entity and time, sorted by them.

    The flag column ``IN_FIRST`` marks the rows of the first table. Country, the keys of
    the case and clocks are taken from the first table that has them; any other column
    stands in one table.

    Raises
    ------
    MeasureError
        Where keys are absent, missing, repeated or of another type, or a column stands
        in two tables.
    """
    keys = [study.entity.name, study.time.name]
    where = f"{study.path.name}: [data] sources"
    check_spelling(study, frames)
    first_name, first = frames[0]
    check_keys(first.iloc[:0], keys, f"{where}, table '{first_name}'")
    joined = first.assign(**{IN_FIRST: 1.0})
    for name, frame in frames[1:]:
        place = f"{where}, table '{name}'"
        check_keys(frame, keys, place)
        shared = {*CLOCKS, DAY, "country", *case, *(["year"] if "date" in frame else [])} - set(
            keys
        )
        brought = frame.drop(columns=[c for c in frame if c in shared and c in joined])
        _check_fit(joined, brought, keys, place)
        joined = joined.merge(brought.assign(**{_IN_BOTH: 1.0}), on=keys, how="outer")
        joined = joined.fillna({IN_FIRST: 0.0, _IN_BOTH: 0.0})
        found = int((joined[_IN_BOTH] * joined[IN_FIRST]).sum())
        reason = f"{found} of {len(frame)} rows found their {keys[0]} and {keys[1]}"
        steps.append((f"join {name}", int(joined[IN_FIRST].sum()), reason))
        joined = joined.drop(columns=_IN_BOTH)
    return joined.sort_values(keys, kind="stable").reset_index(drop=True)


def _check_fit(joined: pd.DataFrame, frame: pd.DataFrame, keys: list[str], where: str) -> None:
    twice = [c for c in frame.columns if c in joined and c not in keys]
    repeated = joined.duplicated(keys).any() or frame.duplicated(keys).any()
    if twice or repeated:
        raise MeasureError(
            where,
            seen=f"column '{twice[0]}' in two tables" if twice else "repeated keys",
            expected=f"each {', '.join(keys)} once a table, each other column in one table",
            do="Leave the column out of one of the records, or mend the key.",
        )
    for key in keys:
        kinds = [pd.api.types.is_numeric_dtype(data[key]) for data in (joined, frame)]
        if kinds[0] != kinds[1]:
            raise MeasureError(
                where,
                seen=f"{key} as {'numbers' if kinds[1] else 'text'}, and as "
                f"{'numbers' if kinds[0] else 'text'} in a table before",
                expected="one type: 7 and '007' are not known to be the same",
                do="Give the column the same type in all records.",
            )
