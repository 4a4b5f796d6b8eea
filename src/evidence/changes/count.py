"""Whose rows came and went, and whose values changed."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd

from evidence.changes.decompose import Rows, split_rows
from evidence.changes.noun import Counts
from evidence.changes.side import Side, translate
from evidence.findings import in_natural_unit

_SAME = 1e-9
_OF_ENTITIES = {"rows_entered": "entities_entered", "rows_left": "entities_left",
                "values_changed": "entities_changed"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Values:
    """A variable's values in the rows of both runs, and their change (new less old)."""

    changes: pd.Series

    @property
    def changed(self) -> pd.Series:
        """The changes that are none of rounding."""
        return self.changes[self.changes != 0]


def compare_values(old: Side, new: Side, name: str) -> Values:
    """Compare a variable (by its new name) over all rows in which both runs have it."""
    before = translate(old, new).panel.data
    if name not in before:
        return Values(pd.Series(dtype="float64"))
    return _compare(before[name], new.panel.data[name])


def count_rows(old: Side, new: Side) -> Counts:
    """Count rows, entities and clusters of two sides."""
    same = translate(old, new)
    rows = split_rows(same, new)
    before, after = rows.old, rows.new
    outcome = _compare(before[new.outcome], after[new.outcome])
    exposure = _compare(before[new.exposure], after[new.exposure])
    unit = new.panel.study.variable(new.outcome).unit
    mean = float(outcome.changed.mean()) if len(outcome.changed) else None
    entered, left = after[~rows.new_common], before[~rows.old_common]
    return Counts(
        rows_old=len(before),
        rows_new=len(after),
        rows_entered=len(entered),
        rows_left=len(left),
        entities_old=_entities(before),
        entities_new=_entities(after),
        entities_entered=_entities(after[~rows.new_known]),
        entities_left=_entities(before[~rows.old_known]),
        clusters_old=_clusters(rows, old, new)[0],
        clusters_new=_clusters(rows, old, new)[1],
        rows_common=int(rows.old_common.sum()),
        values_changed=len(outcome.changed),
        entities_changed=_entities(outcome.changed),
        mean_change=None if mean is None else in_natural_unit(mean, unit)[0],
        exposures_changed=len(exposure.changed),
    )


def mask_counts(counts: Counts, threshold: int) -> Counts:
    """Take out of restricted data's counts what fewer units than the threshold stand behind.

    Totals whose difference would give a count back go with it.
    """
    pairs = [("rows_entered", "rows_left"), ("entities_entered", "entities_left")]
    small = {
        field.name
        for field in fields(counts)
        if field.name not in {"mean_change", "masked"}
        and 0 < (getattr(counts, field.name) or 0) < threshold
    }
    for rows, entities in _OF_ENTITIES.items():
        if entities in small:
            small.add(rows)
    if "values_changed" in small:
        small.add("mean_change")
    if small & {name for pair in pairs for name in pair}:
        small |= {"rows_new", "entities_new", "clusters_new", "rows_common"}
        small |= {name for pair in pairs if small & set(pair) for name in pair}
    return replace(counts, **dict.fromkeys(small), masked=bool(small))


def _compare(before: pd.Series, after: pd.Series) -> Values:
    both = pd.concat([before.rename("old"), after.rename("new")], axis=1, join="inner").dropna()
    both = both.astype("float64")
    size = both.abs().max(axis=1).to_numpy()
    changes = both["new"] - both["old"]
    still = changes.abs().to_numpy() <= _SAME * np.maximum(size, _SAME)
    return Values(changes.mask(still, 0.0))


def _clusters(rows: Rows, old: Side, new: Side) -> tuple[int | None, int]:
    own = old.cluster if old.cluster in rows.old else new.cluster
    before = rows.old[own].nunique() if own in rows.old else None
    return before, rows.new[new.cluster].nunique()


def _entities(rows: pd.DataFrame | pd.Series) -> int:
    return int(rows.index.get_level_values("entity").nunique())
