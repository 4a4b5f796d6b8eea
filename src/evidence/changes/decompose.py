"""Why a finding moved: parts that add up to the whole, and depend on no order.

The way from the old rows to the new ones has three stages: rows that left go, values of
the rows that both runs have change, rows that came in are added. So no panel ever holds
values of both runs side by side: scores of two vintages are never spliced. Within the
first and last stage, rows of known factories and whole factories may go in either order;
their parts are the average over both (Shapley value, Shorrocks 2013, on the orders that
this precedence allows: Faigle and Kern 1992). Specification comes before, code and
environment are what today's code does not reproduce of the printed numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from evidence.changes.noun import Cause, Component
from evidence.changes.side import Side, estimate, translate

_ADDS_UP = 1e-12


@dataclass(frozen=True, slots=True)
class Rows:
    """Usable rows of both runs, by what became of them (a mask over each run's rows).

    ``known`` marks rows of entities that both runs have, ``common`` rows that both have.
    """

    old: pd.DataFrame
    new: pd.DataFrame
    old_common: pd.Series
    new_common: pd.Series
    old_known: pd.Series
    new_known: pd.Series


def split_rows(old: Side, new: Side) -> Rows:
    """Split the usable rows of two sides that speak with the same names."""
    before, after = old.select_usable(), new.select_usable()
    return Rows(
        before,
        after,
        _mark(before, before.index.isin(after.index)),
        _mark(after, after.index.isin(before.index)),
        _mark(before, _entities(before).isin(_entities(after))),
        _mark(after, _entities(after).isin(_entities(before))),
    )


def decompose(
    old: Side, new: Side, *, printed: tuple[float, float], values: tuple[Cause, tuple[str, ...]]
) -> tuple[tuple[Component, ...], str]:
    """Decompose the move of a printed estimate.

    Parameters
    ----------
    printed : tuple of float
        The estimates as both runs printed them, in their natural unit.
    values : tuple
        The cause that a change of values has, and what it cannot be told apart from.

    Returns
    -------
    tuple of Component
        They add up to the move, to 1e-12 of the larger estimate.
    str
        What could not be estimated; empty where everything could.
    """
    same_names = translate(old, new)
    told = (estimate(old), estimate(same_names), estimate(new))
    first, second, last = told
    if last is None:
        parts, open_ = [Component("together", printed[1] - printed[0], _ALL)], "new_rows"
    elif second is None:
        start = printed[0] if first is None else first
        of = (*_ALL[:-1], "code") if first is None else _ALL[:-1]
        rest = printed[1] - last + start - printed[0]
        parts, open_ = [Component("together", last - start, of)], "old_rows"
        parts += [Component("code", rest)]
    else:
        parts, open_ = _walk(same_names, new, second, last, values)
        parts += _before(printed, (first, second, last), old, same_names)
        open_ = open_ or ("old_specification" if first is None else "")
    _check_sum(parts, printed)
    return _merge(parts), open_


_ALL = ("rows", "entities", "values", "specification", "code")


def _merge(parts: list[Component]) -> tuple[Component, ...]:
    """Put parts of the same cause into one: code may change values and estimates."""
    sums: dict[tuple[Cause, tuple[str, ...]], float] = {}
    for part in parts:
        key = (part.cause, part.of)
        sums[key] = sums.get(key, 0.0) + part.change
    return tuple(Component(cause, change, of) for (cause, of), change in sums.items())


def _before(
    printed: tuple[float, float],
    told: tuple[float | None, float, float],
    old: Side,
    same_names: Side,
) -> list[Component]:
    """Give the parts of specification and code."""
    first, second, last = told
    after = printed[1] - last
    if first is None:
        return [Component("together", second - printed[0] + after, ("specification", "code"))]
    specification = [Component("specification", second - first)]
    same = old.specification == same_names.specification and second == first
    return [*([] if same else specification), Component("code", first - printed[0] + after)]


def _walk(
    old: Side, new: Side, start: float, end: float, values: tuple[Cause, tuple[str, ...]]
) -> tuple[list[Component], str]:
    rows = split_rows(old, new)
    left = _stage(old, rows.old, (rows.old_common, rows.old_known), start)
    came = _stage(new, rows.new, (rows.new_common, rows.new_known), end)
    if left.bare is None or came.bare is None:
        return [Component("together", end - start, _ALL[:3])], "common_rows"
    changed = Component(values[0], came.bare - left.bare, values[1])
    losses = _average(start, left.bare, left.without_rows, left.without_entities)
    gains = _average(came.bare, end, came.without_entities, came.without_rows)
    if losses is None or gains is None:
        rest = left.bare - start + end - came.bare
        return [Component("together", rest, _ALL[:2]), changed], "rows_or_entities"
    parts = [
        Component("rows", losses[0] + gains[0]),
        Component("entities", losses[1] + gains[1]),
        changed,
    ]
    return parts, ""


@dataclass(frozen=True, slots=True)
class _Stage:
    """Estimates on the common rows (``bare``), and on all but one kind of other rows."""

    bare: float | None
    without_rows: float | None
    without_entities: float | None


def _stage(
    side: Side, data: pd.DataFrame, masks: tuple[pd.Series, pd.Series], whole: float
) -> _Stage:
    """Estimate on parts of a run's rows, each distinct part once."""
    common, known = masks
    everything = pd.Series(data=True, index=data.index, dtype=bool)
    found: dict[bytes, float | None] = {everything.to_numpy().tobytes(): whole}

    def on(mask: pd.Series) -> float | None:
        key = mask.to_numpy().tobytes()
        if key not in found:
            found[key] = estimate(side, data[mask.to_numpy()]) if mask.any() else None
        return found[key]

    return _Stage(on(common), on(common | ~known), on(known))


def _average(
    start: float, end: float, after_rows: float | None, after_entities: float | None
) -> tuple[float, float] | None:
    """Average the parts of rows and entities over the orders that can be estimated."""
    orders = []
    if after_rows is not None:
        orders.append((after_rows - start, end - after_rows))
    if after_entities is not None:
        orders.append((end - after_entities, after_entities - start))
    if not orders:
        return None
    rows = sum(order[0] for order in orders) / len(orders)
    return rows, sum(order[1] for order in orders) / len(orders)


def _check_sum(parts: list[Component], printed: tuple[float, float]) -> None:
    """Hold the room to its promise; rounding of large estimates is all that may be lost."""
    size = max(map(abs, (*printed, *(part.change for part in parts))))
    whole = math.fsum(part.change for part in parts)
    assert abs(whole - (printed[1] - printed[0])) <= _ADDS_UP * max(size, 1e-300), parts


def _mark(rows: pd.DataFrame, mask: object) -> pd.Series:
    return pd.Series(mask, index=rows.index, dtype=bool)


def _entities(rows: pd.DataFrame) -> pd.Index:
    return rows.index.get_level_values("entity")
