"""Who comes, stays, goes and returns: a panel is rarely whole."""

from __future__ import annotations

import numpy as np
import pandas as pd

from evidence.panel.build import Panel


def list_attrition(panel: Panel) -> pd.DataFrame:
    """List, for each period, who is in the panel and who came or went.

    Returns
    -------
    DataFrame
        Index ``time``; columns ``present``, ``entered`` (seen for the first time),
        ``returned`` (seen before, not in the period before), ``left`` (never seen
        again; unknown and missing in the last period).
    """
    index = panel.data.index
    times = np.sort(index.get_level_values("time").unique().to_numpy())
    place = pd.Series(
        np.searchsorted(times, index.get_level_values("time")),
        index=index.get_level_values("entity"),
    ).sort_values(kind="stable")
    order = place.groupby(level=0)
    first, last = order.min(), order.max()
    before = order.shift(1)
    counts = pd.DataFrame({"present": place.value_counts()}, index=range(len(times)))
    counts["entered"] = first.value_counts()
    counts["returned"] = place[(place - before) > 1].value_counts()
    counts["left"] = last.value_counts()
    counts = counts.fillna(0).astype("Int64")
    counts.loc[len(times) - 1, "left"] = pd.NA
    return counts.set_axis(pd.Index(times, name="time"))


def measure_attrition(panel: Panel) -> float:
    """Measure the share of entities that are gone before the last period.

    Gone is who is absent at the end for longer than ever between two visits before, and
    for more than one period: where visits come every other year, a missing one is no exit.
    """
    index = panel.data.index
    time = index.get_level_values("time").to_series(index=index).sort_index()
    seen = time.groupby(level="entity")
    absent = time.max() - seen.max()
    usual = seen.diff().groupby(level="entity").max().fillna(1)
    return float((absent > usual).mean())


def list_gaps(panel: Panel) -> pd.DataFrame:
    """List how entities are seen: whole, with gaps, or once.

    Returns
    -------
    DataFrame
        Columns ``seen, entities, share``: ``in every period between first and last``,
        ``with gaps``, ``once``.
    """
    times = np.sort(panel.data.index.get_level_values("time").unique().to_numpy())
    place = pd.Series(
        np.searchsorted(times, panel.data.index.get_level_values("time")),
        index=panel.data.index.get_level_values("entity"),
    )
    spans = place.groupby(level=0).agg(["min", "max", "size"])
    once = spans["size"] == 1
    gap = ~once & (spans["max"] - spans["min"] + 1 > spans["size"])
    counts = [int((~once & ~gap).sum()), int(gap.sum()), int(once.sum())]
    names = ["in every period between first and last", "with gaps", "once"]
    frame = pd.DataFrame({"seen": names, "entities": counts})
    return frame.assign(share=frame["entities"] / max(1, len(spans)))
