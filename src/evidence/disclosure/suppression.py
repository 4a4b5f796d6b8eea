"""What was taken out of tables must not come back: not from margins, not from other tables.

Each table's cells are sums over the finest cross-classification of all tables that count
the same. A suppressed cell is exposed if it is a combination of published ones (rank), or
if they leave it too narrow an interval (linear programme, SciPy's HiGHS). Hundepool et al.
(2024), Handbook on Statistical Disclosure Control, chapter 4.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import linprog

from evidence.errors import DisclosureError
from evidence.exhibits import Exhibit, label_cell, list_places
from evidence.study import Disclosure

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_MOST_ATOMS = 20_000
_CLOSE = 1e-9
_UNBOUNDED = 3
_ADDING = frozenset({"count", "share", "mean", "sum"})


@dataclass(frozen=True, slots=True)
class Quantity:
    """One additive quantity of a table in one case: counts of units, or sums of a variable.

    ``bases`` has a cell a row: the set of unmerged labels it holds of each of ``dims``.
    ``rounded`` marks numbers that are published to the nearest multiple of a base.
    """

    dims: tuple[str, ...]
    keys: tuple[str, ...]
    bases: tuple[tuple[frozenset[str], ...], ...]
    values: Floats
    rounded: Flags
    counts: bool


def find_exposed(
    tables: Iterable[Exhibit],
    hidden: frozenset[str],
    settings: Disclosure,
    watched: frozenset[str] | None = None,
) -> frozenset[str]:
    """Find suppressed cells that the published ones give away.

    Parameters
    ----------
    tables : iterable of Exhibit
        Tables of cells with their true numbers; those whose ``status`` is ``rounded`` are
        known to the base of rounding.
    hidden : frozenset of str
        Suppressed cells, as ``<exhibit>/<cell>``.
    watched : frozenset of str, optional
        Cells that must not be told; the hidden ones if left out.

    Returns
    -------
    frozenset of str
        Those whose count, below the threshold, can be told to less than the base of
        rounding, or whose amount to less than the p-ratio allows.

    Raises
    ------
    DisclosureError
        Where the tables are too many to judge together.
    """
    asked = hidden if watched is None else watched
    exposed: set[str] = set()
    for family in _find_families(list(tables)) if asked else []:
        exposed |= _expose(family, hidden, asked, settings)
    return frozenset(exposed)


def hide_cells(
    tables: tuple[Exhibit, ...], primary: frozenset[str], settings: Disclosure
) -> frozenset[str]:
    """Choose further cells to suppress until none of the first can be told.

    Greedy: the cell with fewest contributors, among those published beside an exposed
    one, that leaves fewer exposed; if none does, the smallest. Empty cells protect
    nothing and stay. The result holds ``primary``; the caller audits it.
    """
    hidden = primary
    counts = {
        key: float(row["contributors"])
        for table in tables
        for key, row in zip(list_keys(table), table.rows, strict=True)
        if not pd.isna(row["contributors"]) and row["contributors"] > 0
    }
    while exposed := find_exposed(tables, hidden, settings):
        beside = _list_beside(tables, exposed) - hidden
        candidates = sorted((counts[key], key) for key in beside if key in counts)
        if not candidates:
            return hidden
        better = (
            key
            for _, key in candidates
            if len(find_exposed(tables, hidden | {key}, settings)) < len(exposed)
        )
        hidden |= {next(better, candidates[0][1])}
    return hidden


def list_keys(table: Exhibit) -> list[str]:
    """List the cells of a table as ``<exhibit>/<cell>``, in order."""
    return [f"{table.id}/{label_cell(place)}" for place in list_places(table)]


def find_differences(
    tables: Iterable[Exhibit], units: Mapping[str, list[str]], threshold: int
) -> dict[tuple[str, str], int]:
    """Find pairs of tables of one variable whose units differ by a few.

    Whoever takes one from the other learns of those few. Tables are compared over each
    combination of the labels that both have.

    Returns
    -------
    dict
        (one table's id with the shared labels, the other's id) → count of units, above 0
        and below the threshold.
    """
    found = {}
    told = [table for table in tables if table.specification["statistic"] in _ADDING]
    for one, other in itertools.combinations(told, 2):
        if one.specification["value"] != other.specification["value"]:
            continue
        both = [k for k in one.specification["by"] if k in other.specification["by"]]
        for shared in ([], both) if both else ([],):
            places = ["case", *shared]
            left, right = _pool_units(one, places, units), _pool_units(other, places, units)
            for place in left.keys() & right.keys():
                few = len(left[place] ^ right[place])
                if 0 < few < threshold:
                    where = label_cell(dict(zip(places, place, strict=True)))
                    found[f"{one.id}/{where}", other.id] = few
    return dict(sorted(found.items()))


def _pool_units(
    table: Exhibit, shared: list[str], units: Mapping[str, list[str]]
) -> dict[tuple[str, ...], set[str]]:
    """Pool the units of a table's cells; places with a suppressed cell fall out."""
    pooled: dict[tuple[str, ...], set[str]] = {}
    broken = set()
    for key, place in zip(list_keys(table), list_places(table), strict=True):
        where = tuple(place[k] for k in shared)
        pooled.setdefault(where, set()).update(units.get(key, ()))
        broken |= {where} - ({where} if key in units else set())
    return {where: names for where, names in pooled.items() if where not in broken}


def _list_beside(tables: Iterable[Exhibit], exposed: frozenset[str]) -> frozenset[str]:
    """List the cells of the cases in which a cell is exposed."""
    keys = [
        (key, place["case"])
        for table in tables
        for key, place in zip(list_keys(table), list_places(table), strict=True)
    ]
    cases = {case for key, case in keys if key in exposed}
    return frozenset(key for key, case in keys if case in cases)


def _find_families(tables: list[Exhibit]) -> list[list[Quantity]]:
    """Gather the tables that add up to the same, case by case and quantity by quantity."""
    families: list[list[Quantity]] = []
    cases = list(dict.fromkeys(case for table in tables for case in table.data["case"]))
    values = list(dict.fromkeys(table.specification["value"] for table in tables))
    for case in cases:
        counted = [_lay(table, str(case), counts=True) for table in tables]
        families += _group(counted)
        for value in values:
            own = [t for t in tables if t.specification["value"] == value]
            summed = [t for t in own if t.specification["statistic"] in _ADDING - {"count"}]
            families += _group([_lay(table, str(case), counts=False) for table in summed])
    return families


def _group(laid: list[Quantity]) -> list[list[Quantity]]:
    groups: list[list[Quantity]] = []
    for quantity in (item for item in laid if item.keys):
        for group in groups:
            if all(_agree(quantity, member) for member in group):
                group.append(quantity)
                break
        else:
            groups.append([quantity])
    return groups


def _lay(table: Exhibit, case: str, *, counts: bool) -> Quantity:
    asked = table.specification
    merged: Mapping[str, Mapping[str, list[str]]] = asked.get("merged", {})
    dims = tuple(asked["by"])
    rows = [
        (key, place, row)
        for key, place, row in zip(list_keys(table), list_places(table), table.rows, strict=True)
        if place["case"] == case
    ]
    bases = tuple(
        tuple(frozenset(merged.get(d, {}).get(place[d], [place[d]])) for d in dims)
        for _, place, _ in rows
    )
    weights = [row["rows"] if asked["statistic"] in {"mean", "share"} else 1 for *_, row in rows]
    name = "contributors" if counts else "value"
    numbers = np.array([0.0 if pd.isna(row[name]) else float(row[name]) for *_, row in rows])
    rounded = np.array([row["status"] == "rounded" for *_, row in rows], dtype=bool)
    return Quantity(
        dims,
        tuple(key for key, *_ in rows),
        bases,
        numbers if counts else numbers * np.array(weights, dtype="float64"),
        rounded,
        counts,
    )


def _agree(one: Quantity, other: Quantity) -> bool:
    """Tell whether two tables add up to the same, over all labels that both cut by."""
    whole = np.isclose(one.values.sum(), other.values.sum(), rtol=_CLOSE, atol=_CLOSE)
    shared = [name for name in one.dims if name in other.dims]
    left, right = _sum_over(one, shared), _sum_over(other, shared)
    if left.keys() != right.keys():
        return bool(whole)
    return bool(whole) and all(
        np.isclose(left[key], right[key], rtol=_CLOSE, atol=_CLOSE) for key in left
    )


def _sum_over(quantity: Quantity, shared: list[str]) -> dict[tuple[frozenset[str], ...], float]:
    sums: dict[tuple[frozenset[str], ...], float] = {}
    places = [quantity.dims.index(name) for name in shared]
    for base, value in zip(quantity.bases, quantity.values, strict=True):
        key = tuple(base[place] for place in places)
        sums[key] = sums.get(key, 0.0) + float(value)
    return sums


def _expose(
    family: list[Quantity], hidden: frozenset[str], asked: frozenset[str], settings: Disclosure
) -> set[str]:
    keys = [key for quantity in family for key in quantity.keys]
    watched = [n for n, key in enumerate(keys) if key in asked]
    if not watched:
        return set()
    seen = np.array([key not in hidden for key in keys], dtype=bool)
    known = _lay_known(family, seen, settings.round_to)
    exposed = set()
    for n in watched:
        value = float(known.values[n])
        needed = _width_needed(family[0], value, settings)
        if needed is None:
            continue
        row = known.matrix[n]
        if _is_combination(known.matrix[known.exact], row) or (
            _width(known, row) < needed - _CLOSE * max(1.0, abs(value))
        ):
            exposed.add(keys[n])
    return exposed


@dataclass(frozen=True, slots=True)
class Known:
    """What a reader knows: cells as sums of the finest, exact or between two ends."""

    matrix: Floats
    values: Floats
    exact: Flags
    loose: Flags
    low: Floats
    high: Floats


def _lay_known(family: list[Quantity], seen: Flags, base: int) -> Known:
    values = np.concatenate([quantity.values for quantity in family])
    rounded = np.concatenate([quantity.rounded for quantity in family])
    shown = np.floor(values / base + 0.5) * base
    return Known(
        _cross(family),
        values,
        seen & ~rounded,
        seen & rounded,
        shown - base // 2,
        shown + (base - 1) // 2,
    )


def _width_needed(kind: Quantity, value: float, settings: Disclosure) -> float | None:
    """Say how uncertain a hidden number has to stay; None where it may be known."""
    if not kind.counts:
        return max(settings.p_ratio * abs(value), _CLOSE)
    return None if value >= settings.threshold else float(settings.round_to - 1)


def _cross(family: list[Quantity]) -> Floats:
    """Lay out which of the finest cells each cell of each table sums over."""
    dims = list(dict.fromkeys(name for quantity in family for name in quantity.dims))
    labels: dict[str, list[str]] = {name: [] for name in dims}
    for quantity in family:
        for base in quantity.bases:
            for name, held in zip(quantity.dims, base, strict=True):
                labels[name] += sorted(held - set(labels[name]))
    size = int(np.prod([len(labels[name]) for name in dims])) if dims else 1
    if size > _MOST_ATOMS:
        raise DisclosureError(
            "tables of cells",
            seen=f"{len(dims)} variables that cut them, {size} combinations",
            expected=f"at most {_MOST_ATOMS} in one case",
            do="Show fewer tables, or cut them by fewer variables.",
        )
    atoms = list(itertools.product(*(labels[name] for name in dims)))
    rows = []
    for quantity in family:
        places = [dims.index(name) for name in quantity.dims]
        for base in quantity.bases:
            inside = [
                all(atom[place] in held for place, held in zip(places, base, strict=True))
                for atom in atoms
            ]
            rows.append(inside)
    return np.array(rows, dtype="float64")


def _is_combination(known: Floats, row: Floats) -> bool:
    if not len(known):
        return False
    rank = np.linalg.matrix_rank(known)
    return bool(np.linalg.matrix_rank(np.vstack([known, row])) == rank)


def _width(known: Known, row: Floats) -> float:
    """Measure the interval that what is known leaves to a cell."""
    scale = float(np.abs(known.values).max(initial=0.0)) or 1.0
    loose = known.matrix[known.loose]
    ends = []
    for sign in (1.0, -1.0):
        found = linprog(
            sign * row,
            A_eq=known.matrix[known.exact],
            b_eq=known.values[known.exact] / scale,
            A_ub=np.vstack([loose, -loose]),
            b_ub=np.concatenate([known.high[known.loose], -known.low[known.loose]]) / scale,
            bounds=(0 if (known.values >= 0).all() else None, None),
            method="highs",
        )
        if found.status == _UNBOUNDED:
            return math.inf
        if found.status != 0:
            return 0.0
        ends.append(sign * found.fun * scale)
    return float(ends[1] - ends[0])


def withhold(table: Exhibit, hidden: frozenset[str]) -> Exhibit:
    """Take the numbers of suppressed cells out of a table."""
    gone = np.array([key in hidden for key in list_keys(table)], dtype=bool)
    data = table.data.copy()
    for name in data.columns.difference(["case", "status", *table.specification["by"]]):
        data[name] = data[name].mask(gone)
    data["status"] = data["status"].mask(gone, "suppressed")
    return replace(table, data=data)
