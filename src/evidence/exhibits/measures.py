"""Tables of cells that are drawn together and judged apart: one a variable.

A figure of several variables is a table a variable in the neck, so that the gate sees
nothing new; after the gate they are put together again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from evidence.exhibits.noun import Exhibit

MEASURE = "measure"
"""Column that says of which variable a cell of a joined table is."""

DRAWN_CELLS = frozenset({"panels", "pairs", "map"})
"""Ways in which tables of cells are drawn."""


def join_measures(parts: Sequence[Exhibit], name: str) -> Exhibit:
    """Join tables of several variables, cut alike, into one figure.

    ``specification`` holds ``members``, that of each variable; the units stay with the
    parts that ``part_measures`` gives back.
    """
    members = {part.specification["value"]: part.specification for part in parts}
    frames = []
    for part in parts:
        frame = part.data.copy()
        frame.insert(1, MEASURE, part.specification["value"])
        frames.append(frame)
    units = {
        f"{value}|{cell}": names
        for value, part in zip(members, parts, strict=True)
        for cell, names in part.units.items()
    }
    specification: dict[str, Any] = {**parts[0].specification, "members": members}
    return Exhibit(name, specification, pd.concat(frames, ignore_index=True), units)


def part_measures(exhibit: Exhibit) -> tuple[Exhibit, ...]:
    """Part a figure of several variables into a table a variable; any other stays as it is."""
    members = exhibit.specification.get("members")
    if members is None:
        return (exhibit,)
    parts = []
    for value, asked in members.items():
        own = exhibit.data[exhibit.data[MEASURE] == value].drop(columns=MEASURE)
        units = {
            key.removeprefix(f"{value}|"): names
            for key, names in exhibit.units.items()
            if key.startswith(f"{value}|")
        }
        specification = {**asked, "together": exhibit.id}
        parts.append(
            Exhibit(f"{exhibit.id}_{value}", specification, own.reset_index(drop=True), units)
        )
    return tuple(parts)


def list_figures(exhibits: Iterable[Exhibit]) -> tuple[Exhibit, ...]:
    """List what can be drawn for a page, tables of one figure put together, in order."""
    groups: dict[str, list[Exhibit]] = {}
    for exhibit in exhibits:
        kind = exhibit.specification["kind"]
        if exhibit.form in DRAWN_CELLS or kind in {"coefficients", "forest", "path"}:
            groups.setdefault(exhibit.specification.get("together", exhibit.id), []).append(exhibit)
    return tuple(
        group[0] if "together" not in group[0].specification else join_measures(group, name)
        for name, group in groups.items()
    )
