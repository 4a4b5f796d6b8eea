"""Warnings that stop a wrong story: a change of the yardstick is not progress."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from evidence.changes.count import Values, compare_values
from evidence.changes.kept import Kept
from evidence.changes.noun import Caution, Move
from evidence.changes.side import Side
from evidence.errors import EvidenceError
from evidence.findings import in_natural_unit
from evidence.measures import strip_transforms
from evidence.sources import Column, Record, load_record

MANY = 0.25
"""Share of the same rows with another outcome from which on the scoring is said to have
changed, whatever the records say; typing errors that were mended are fewer."""

ONE_SIDED = 3.0
"""Size of the t statistic of the entities' mean changes from which on few changes count as
one-sided, hence as scoring."""

_LEAST_ENTITIES = 10


def find_cautions(kept: tuple[Kept, Kept], sides: tuple[Side, Side], move: Move) -> list[Caution]:
    """Find what a reader must know before reading a finding's move."""
    old, new = sides
    found = _judge_scoring(kept, sides, move)
    exposures = compare_values(old, new, new.exposure)
    if len(exposures.changed):
        values = {**_describe(exposures, new, new.exposure), "exposure": new.exposure}
        found.append(Caution("exposure_revised", (move.id,), values))
    periods = _find_new_periods(sides)
    if periods and not found:
        found.append(Caution("only_new_periods", (move.id,), {"periods": periods}))
    return found


_SAME_WARNING = ("outcome", "exposure", "reasons", "periods", "unit")


def join_cautions(cautions: list[Caution]) -> tuple[Caution, ...]:
    """Join the same warning of several findings into one, its counts over all places."""
    groups: dict[str, list[Caution]] = {}
    for caution in cautions:
        key = repr((caution.kind, [caution.values.get(name) for name in _SAME_WARNING]))
        groups.setdefault(key, []).append(caution)
    return tuple(_add_up(group) for group in groups.values())


def _add_up(group: list[Caution]) -> Caution:
    findings = tuple(name for caution in group for name in caution.findings)
    places = {caution.values.get("case"): caution.values for caution in group}
    values = {name: v for name, v in group[0].values.items() if name != "case"}
    if "changed" in values:
        counts = {
            name: sum(place[name] for place in places.values())
            for name in ("rows", "changed", "entities")
        }
        moved = sum(place["mean_change"] * place["changed"] for place in places.values())
        values |= counts
        values["share"] = counts["changed"] / counts["rows"] if counts["rows"] else 0.0
        values["mean_change"] = moved / counts["changed"] if counts["changed"] else 0.0
    return Caution(group[0].kind, findings, values)


def _judge_scoring(kept: tuple[Kept, Kept], sides: tuple[Side, Side], move: Move) -> list[Caution]:
    assert move.old is not None
    assert move.new is not None
    old, new = sides
    outcome = compare_values(old, new, new.outcome)
    sources = compare_sources(kept, (old.outcome, new.outcome))
    defined = move.old["definition"] != move.new["definition"]
    law = kept[0].parts.get("packs") != kept[1].parts.get("packs")
    reasons = [
        *(["definition"] if defined else []),
        *(["law"] if law and len(outcome.changed) else []),
        *sources,
    ]
    values = {**_describe(outcome, new, new.outcome), "outcome": new.outcome, "reasons": reasons}
    if not len(outcome.changes):
        kinds = ["cannot_compare_scoring"] if reasons else []
    elif not len(outcome.changed):
        kinds = ["definition_changed"] if defined else []
    elif reasons or values["share"] >= MANY or is_one_sided(outcome):
        kinds = ["scoring_changed"]
    else:
        kinds = ["values_revised"]
    return [Caution(kind, (move.id,), values) for kind in kinds]


def is_one_sided(values: Values) -> bool:
    """Tell whether values changed in one direction, by the entities' mean changes."""
    means = values.changed.groupby(level="entity").mean()
    if len(means) < _LEAST_ENTITIES:
        return False
    error = float(means.std(ddof=1)) / math.sqrt(len(means))
    return bool(abs(float(means.mean())) > ONE_SIDED * error)


def compare_sources(kept: tuple[Kept, Kept], names: tuple[str, str]) -> list[str]:
    """Compare the papers of the sources that an outcome comes from.

    Returns
    -------
    list of str
        What differs: ``source``, ``producer``, ``title``, ``version``, ``questionnaire``,
        ``unit``, ``range``, ``note``.
    """
    found = [_find_column(run, name) for run, name in zip(kept, names, strict=True)]
    if found[0] is None or found[1] is None:
        return []
    (old, before), (new, after) = found[0], found[1]
    pairs: dict[str, tuple[Any, Any]] = {
        "source": (old.id, new.id),
        **{name: (getattr(old, name), getattr(new, name)) for name in _OF_RECORD},
        **{name: (getattr(before, name), getattr(after, name)) for name in _OF_COLUMN},
    }
    return [name for name, (one, other) in pairs.items() if one != other]


_OF_RECORD = ("producer", "title", "version", "questionnaire")
_OF_COLUMN = ("unit", "range", "note")


def _find_column(kept: Kept, name: str) -> tuple[Record, Column] | None:
    """Find the record and the column that an outcome is read from; None where it is scored."""
    if kept.study is None:
        return None
    base = strip_transforms(name)
    for source in kept.study.data.sources:
        try:
            record = load_record(kept.study.root, source)
        except EvidenceError:
            continue
        for table in record.tables:
            for column in table.columns:
                if column.name == base:
                    return record, column
    return None


def _describe(values: Values, side: Side, name: str) -> dict[str, Any]:
    """Describe how values changed: share of rows, and mean change in a natural unit."""
    mean = float(values.changed.mean()) if len(values.changed) else 0.0
    told, unit = in_natural_unit(mean, side.panel.study.variable(name).unit)
    entities = values.changed.index
    return {
        "rows": len(values.changes),
        "changed": len(values.changed),
        "entities": 0 if values.changed.empty else _count(entities),
        "share": len(values.changed) / len(values.changes) if len(values.changes) else 0.0,
        "mean_change": told,
        "unit": unit,
        "case": side.case,
    }


def _count(index: pd.Index) -> int:
    return int(index.get_level_values("entity").nunique())


def _find_new_periods(sides: tuple[Side, Side]) -> list[int]:
    """Find the periods that were added, where that is all that happened to the rows."""
    before, after = (side.select_usable() for side in sides)
    if not before.index.isin(after.index).all():
        return []
    last = int(before.index.get_level_values("time").max())
    times = after.index[~after.index.isin(before.index)].get_level_values("time")
    return sorted({int(t) for t in times}) if len(times) and (times > last).all() else []
