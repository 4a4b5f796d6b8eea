"""How much there is to compare: within and between entities, complete rows, sudden jumps."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from evidence.errors import PanelError
from evidence.panel.build import Panel
from evidence.sources import Snapshot


def list_variation(panel: Panel) -> pd.DataFrame:
    """List how much each variable varies within entities and between them.

    Returns
    -------
    DataFrame
        Index: the variable; columns ``rows``, ``entities``, ``within`` (root mean square of
        the deviations from the entity's mean), ``between`` (standard deviation of the
        entities' means, both in the variable's unit), ``never_change`` (entities with one
        value only).
    """
    names = [v.name for v in panel.study.variables if v.role not in {"entity", "time", "cluster"}]
    rows = {}
    for name in names:
        values = panel.data[name].dropna().astype("float64")
        groups = values.groupby(level="entity")
        means = groups.mean()
        inside = values - groups.transform("mean")
        rows[name] = {
            "rows": len(values),
            "entities": len(means),
            "within": float(np.sqrt((inside**2).mean())),
            "between": float(means.std()),
            "never_change": int((groups.nunique() == 1).sum()),
        }
    return pd.DataFrame(rows).T.astype({"rows": int, "entities": int, "never_change": int})


def list_truth(panel: Panel) -> pd.DataFrame:
    """List the true effects that a simulated source declares, of what the study names.

    Returns
    -------
    DataFrame
        A row an exposure or control, or the interaction ``a:b`` of a specification, a
        column an outcome: coefficients in the outcome's unit, what passes through other
        columns included; empty for data that were observed.
    """
    declared = pd.DataFrame(panel.provenance.truth)
    named = {v.name: v.role for v in panel.study.variables}
    crossed = dict.fromkeys(x for spec in panel.study.specifications for x in spec.interactions)
    causes = [*(name for name in named if named[name] != "outcome"), *crossed]
    return declared.loc[
        [name for name in causes if name in declared.index],
        [name for name in named if name in declared and named[name] == "outcome"],
    ].dropna(how="all")


def list_complete(panel: Panel, entities: Iterable[str]) -> pd.DataFrame:
    """List the periods in which entities have all that a specification asks for.

    Returns
    -------
    DataFrame
        A row a specification, a column an entity: ``2015, 2016``; ``none`` where it has no
        complete row.
    """
    table = {}
    for spec in panel.study.specifications:
        columns = dict.fromkeys([spec.outcome, *spec.regressors, *spec.instruments])
        whole = panel.data[list(columns)].dropna().index
        table[spec.id] = {
            entity: ", ".join(
                str(time)
                for time in whole[whole.get_level_values("entity") == entity].get_level_values(
                    "time"
                )
            )
            or "none"
            for entity in entities
        }
    return pd.DataFrame(table).T.rename_axis("specification")


def list_jumps(snapshots: Iterable[Snapshot], column: str, *, least: float) -> pd.DataFrame:
    """List where a series moves by ``least`` or more from one reported value to the next.

    A change of that size between two reports is more often another source or definition than
    another country.

    Returns
    -------
    DataFrame
        The key's columns as in the file (entity, then time); ``before``, ``value``,
        ``since`` (the period of the value before) and ``change``, the largest first.

    Raises
    ------
    PanelError
        Where no table of two keys, the second of them a period, has the column.
    """
    found = [
        (frame, list(table.key))
        for snapshot in snapshots
        for table, frame in zip(snapshot.record.tables, snapshot.tables.values(), strict=True)
        if column in frame and len(table.key) == len(("entity", "time"))
    ]
    if not found:
        raise PanelError(
            f"list_jumps: column '{column}'",
            seen="no table of entities and periods that has it",
            expected="a column of a source whose key is entity and time",
            do="Name a column of a source record.",
        )
    frame, (entity, time) = found[0]
    told = frame[[entity, time, column]].dropna().sort_values([entity, time])
    groups = told.groupby(entity)
    told = told.assign(
        since=groups[time].shift().astype("Int64"),
        before=groups[column].shift(),
        change=groups[column].diff(),
    ).rename(columns={column: "value"})
    jumps = told[told["change"].abs() >= least]
    order = jumps["change"].abs().sort_values(ascending=False, kind="stable").index
    return jumps.loc[order].set_index(entity)[["since", time, "before", "value", "change"]]
