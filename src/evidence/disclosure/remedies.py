"""What the gate may do about a table that breaks a rule: merge, round, suppress.

Only what the study allows, in this order, and every step is told in a check.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from evidence.disclosure.rules import REMEDIES, Check, judge_cell
from evidence.disclosure.suppression import (
    find_differences,
    find_exposed,
    hide_cells,
    list_keys,
    withhold,
)
from evidence.exhibits import CELL_COLUMNS, Exhibit, label_cell, list_places, type_cells
from evidence.neck import Neck
from evidence.study import Disclosure, Study

_MERGED = frozenset({"count", "share", "mean", "sum"})
_ROUNDED = frozenset({"threshold", "zeros"})
_FILLED = ("largest", "second")

Row = dict[str, Any]
Units = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Treated:
    """Tables with true numbers, the units of their cells, what is hidden, what was done."""

    tables: tuple[Exhibit, ...]
    units: Units
    hidden: frozenset[str] = frozenset()
    checks: tuple[Check, ...] = ()


def treat(neck: Neck, study: Study) -> tuple[Neck, list[Check]]:
    """Apply the remedies that a study allows to the tables that need them.

    Returns
    -------
    Neck
        With tables merged, rounded or suppressed; the units of its cells follow.
    list of Check
        One a step of rule ``merge``, ``round`` or ``suppress``, verdict ``review``; and of
        rule ``differencing`` or ``suppression`` where tables still give cells away.
    """
    settings = study.disclosure
    tables = tuple(e for e in neck.exhibits if e.specification["kind"] == "cells")
    done = Treated(tables, neck.protected["units"])
    for remedy in ("merge", "round", "suppress"):
        if remedy in settings.remedies:
            done = _APPLY[remedy](done, study)
    shown = {t.id: withhold(_show_rounded(t, settings.round_to), done.hidden) for t in done.tables}
    exhibits = tuple(shown.get(e.id, e) for e in neck.exhibits)
    units = {key: names for key, names in done.units.items() if key not in done.hidden}
    protected = {**neck.protected, "units": units}
    return replace(neck, exhibits=exhibits, protected=protected), list(done.checks)


def check_differences(neck: Neck, settings: Disclosure) -> list[Check]:
    """Check that no two tables of one variable differ by a few units."""
    tables = [e for e in neck.exhibits if e.specification["kind"] == "cells"]
    found = find_differences(tables, neck.protected["units"], settings.threshold)
    told = "two tables of one variable whose units differ by a few"
    return [
        Check(output, "differencing", "fail", f"{told} (the other is '{other}')",
              REMEDIES["differencing"], "table cell", waivable=few >= 3)
        for (output, other), few in found.items()
    ] or [Check(t.id, "differencing", "pass") for t in tables]  # fmt: skip


def _merge(done: Treated, study: Study) -> Treated:
    tables, units, checks = [], done.units, list(done.checks)
    for table in done.tables:
        merged, units, steps = _merge_table(table, units, study)
        tables.append(merged)
        checks += [Check(table.id, "merge", "review", step) for step in steps]
    return replace(done, tables=tuple(tables), units=units, checks=tuple(checks))


def _merge_table(table: Exhibit, units: Units, study: Study) -> tuple[Exhibit, Units, list[str]]:
    """Merge labels of a table until its cells pass, or nothing is left to merge."""
    steps: list[str] = []
    while table.specification["statistic"] in _MERGED:
        failing = _list_failing(table, study.disclosure)
        choice = _choose_labels(table, failing[0], study) if failing else None
        if choice is None:
            break
        name, one, other = choice
        table, units = _join_labels(table, units, name, (one, other))
        steps.append(f"{name}: '{one}' merged with '{other}'")
    return table, units, steps


def _list_failing(table: Exhibit, settings: Disclosure) -> list[int]:
    asked = table.specification
    return [n for n, row in enumerate(table.rows) if judge_cell(row, asked, settings)]


def _choose_labels(table: Exhibit, failing: int, study: Study) -> tuple[str, str, str] | None:
    """Choose what to merge: an ordered ``by`` first, then the one with most labels."""
    asked = table.specification
    ordered = {study.time.name, *asked["bands"]}
    labels = {name: list(dict.fromkeys(table.data[name])) for name in asked["by"]}
    choices = [name for name, held in labels.items() if len(held) > 1]
    if not choices:
        return None
    name = max(choices, key=lambda name: (name in ordered, len(labels[name])))
    mine = str(table.data[name].iloc[failing])
    counts = table.data.groupby(name)["contributors"].sum()
    others = [label for label in labels[name] if label != mine]
    if name in ordered:
        place = labels[name].index(mine)
        others = [labels[name][n] for n in (place - 1, place + 1) if 0 <= n < len(labels[name])]
    other = min(others, key=lambda label: (counts[label], label))
    first, second = sorted((mine, other), key=labels[name].index)
    return name, first, second


def _join_labels(
    table: Exhibit, units: Units, name: str, pair: tuple[str, str]
) -> tuple[Exhibit, Units]:
    asked = table.specification
    merged = {key: dict(held) for key, held in asked.get("merged", {}).items()}
    own = merged.setdefault(name, {})
    bases = [base for label in pair for base in own.pop(label, [label])]
    label = " + ".join(bases)
    own[label] = bases
    groups: dict[str, list[tuple[str, Row]]] = {}
    places: dict[str, dict[str, str]] = {}
    for key, place, row in zip(list_keys(table), list_places(table), table.rows, strict=True):
        moved = {**place, name: label} if place[name] in pair else place
        groups.setdefault(label_cell(moved), []).append((key, row))
        places[label_cell(moved)] = moved
    kept = {key: names for key, names in units.items() if not key.startswith(f"{table.id}/")}
    data = []
    for cell, members in groups.items():
        sets = [set(units.get(key, ())) for key, _ in members]
        kept[f"{table.id}/{cell}"] = sorted(set().union(*sets))
        rows = [row for _, row in members]
        joined = rows[0] if len(rows) == 1 else _pool(rows, sets, asked["statistic"])
        data.append({**joined, **places[cell]})
    frame = pd.DataFrame(data, columns=["case", *asked["by"], *CELL_COLUMNS])
    held = {cell: tuple(kept[f"{table.id}/{cell}"]) for cell in groups}
    specification = {**asked, "merged": merged}
    return Exhibit(table.id, specification, type_cells(frame), held), kept


def _pool(rows: list[Row], sets: list[set[str]], statistic: str) -> Row:
    """Pool cells; where they share units, bound their totals so that a rule errs to fail."""
    union = set().union(*sets)
    apart = sum(map(len, sets)) == len(union)
    told = not any(pd.isna(row["contributors"]) for row in rows)
    numbers = {name: [_number(row[name]) for row in rows] for name in ("rows", "total", "value")}
    sizes = sorted((_number(row[k]) for row in rows for k in _FILLED), reverse=True)
    if not apart:
        sizes = [sum(_number(row[k]) for row in rows) for k in _FILLED]
    alike = {row["value"] for row in rows if row["rows"]}
    return {
        "value": _pool_value(numbers, len(union), statistic),
        "contributors": len(union) if told else None,
        "rows": int(sum(numbers["rows"])),
        "total": sum(numbers["total"]),
        "largest": sizes[0],
        "second": sizes[1],
        "equal": len(alike) == 1 and all(row["equal"] for row in rows if row["rows"]),
        "status": "",
        **{
            name: _pool_counts([row[name] for row in rows], apart=apart and bool(union))
            for name in ("below", "above", "n_factories", "n_workers")
        },
    }


def _pool_value(numbers: dict[str, list[float]], count: int, statistic: str) -> float | None:
    if statistic == "count":
        return float(count)
    if statistic == "sum":
        return sum(numbers["value"])
    rows = sum(numbers["rows"])
    weighted = (v * n for v, n in zip(numbers["value"], numbers["rows"], strict=True))
    return sum(weighted) / rows if rows else None


def _pool_counts(counts: list[Any], *, apart: bool) -> int | None:
    told = [int(count) for count in counts if not pd.isna(count)]
    if not told:
        return None
    return sum(told) if apart else max(told)


def _number(value: Any) -> float:
    return 0.0 if pd.isna(value) else float(value)


def _round(done: Treated, study: Study) -> Treated:
    """Round the counts of tables that show few; a table that adds up to them tells them."""
    settings = study.disclosure
    failing = {
        key
        for table in done.tables
        if table.specification["statistic"] == "count"
        for key, row in zip(list_keys(table), table.rows, strict=True)
        if {p.rule for p in judge_cell(row, table.specification, settings)} & _ROUNDED
    }
    told = f"counts rounded to multiples of {settings.round_to}"
    chosen = [table.id for table in done.tables if failing & set(list_keys(table))]
    tables = tuple(
        replace(t, data=t.data.assign(status="rounded")) if t.id in chosen else t
        for t in done.tables
    )
    exposed = find_exposed(tables, done.hidden, settings, frozenset(failing))
    steps = (Check(name, "round", "review", told) for name in chosen)
    checks = (*done.checks, *steps, *_tell_exposed(exposed))
    return replace(done, tables=tables, checks=checks)


def _show_rounded(table: Exhibit, base: int) -> Exhibit:
    """Round a table's counts; what the rules have seen goes, it would tell the true ones."""
    if not (table.data["status"] == "rounded").any():
        return table
    nearest = (np.floor(table.data["value"] / base + 0.5) * base).astype("float64")
    data = table.data.assign(value=nearest, contributors=nearest.astype("Int64"))
    for name in ("rows", "total", "largest", "second"):
        data[name] = np.nan
    return replace(table, data=type_cells(data))


def _suppress(done: Treated, study: Study) -> Treated:
    settings = study.disclosure
    primary = frozenset(
        key
        for table in done.tables
        for key, row in zip(list_keys(table), table.rows, strict=True)
        if judge_cell(row, table.specification, settings)
    )
    if not primary:
        return done
    hidden = hide_cells(done.tables, primary, settings)
    exposed = find_exposed(done.tables, hidden, settings)
    steps = [_tell_suppressed(table, primary, hidden) for table in done.tables]
    checks = (*(step for step in steps if step is not None), *_tell_exposed(exposed))
    return replace(done, hidden=hidden, checks=(*done.checks, *checks))


def _tell_suppressed(
    table: Exhibit, primary: frozenset[str], hidden: frozenset[str]
) -> Check | None:
    own = frozenset(list_keys(table))
    if not own & hidden:
        return None
    first, further = len(own & primary), len((own & hidden) - primary)
    told = f"{first} table cells suppressed, and {further} more that would give them away"
    return Check(table.id, "suppress", "review", told)


def _tell_exposed(exposed: frozenset[str]) -> list[Check]:
    told = "a suppressed or rounded cell that other published cells give away"
    return [
        Check(key, "suppression", "fail", told, REMEDIES["suppression"], "table cell",
              waivable=False)
        for key in sorted(exposed)
    ]  # fmt: skip


_APPLY = {"merge": _merge, "round": _round, "suppress": _suppress}
