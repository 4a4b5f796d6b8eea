"""Countries as tiles in their rough geographic places.

No frontier is drawn, and none is implied by where a tile stands or ends: the designations
used and the presentation of material must not express an opinion on the legal status of
any country, area or territory, or on the delimitation of its frontiers (the ILO's
disclaimer). A tile has the same size for every country.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from evidence.errors import ExhibitError
from evidence.exhibits.coefficients import is_told
from evidence.exhibits.forest_words import find_place, list_places_of
from evidence.exhibits.labels import PLAIN, wrap
from evidence.exhibits.noun import Exhibit
from evidence.exhibits.style import BLUE, GRID, INCHES, INK, MUTED, Width, blank
from evidence.exhibits.words import amount_of_cell, is_clear_of_zero
from evidence.language import capitalise, format_number, join, shown_decimals
from evidence.packs import load_country
from evidence.study import Study, names_of_case

TINT = "#eef4f8"
_MOST = {"wide": 5, "narrow": 2}
_GAP = 0.08
_LINE = 0.19
Spot = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Line:
    """One case of a country: its name within the country, what is said, whether it is told."""

    label: str
    text: str
    told: bool | None


def arrange(places: Mapping[str, tuple[float, float] | None], most: int) -> dict[str, Spot]:
    """Arrange countries on a grid that keeps west left and north up.

    Parameters
    ----------
    places : mapping
        Country → rough longitude and latitude in degrees, or None where not known: these
        follow below, in the order of the mapping.
    most : int
        Columns at most.

    Returns
    -------
    dict
        Country → (column, row), counted from the left and from the top. Columns and rows
        are parted at the widest gaps; where no such grid of at most ``most`` columns and as
        many rows holds a country a cell, columns of equal length take its place.
    """
    known = {name: place for name, place in places.items() if place is not None}
    unknown = [name for name in places if name not in known]
    spots = _part(known, most) or _fill(known, most)
    columns = max(
        [most if len(unknown) >= most else len(unknown), *(c + 1 for c, _ in spots.values())]
    )
    below = max((row + 1 for _, row in spots.values()), default=0)
    for n, name in enumerate(unknown):
        spots[name] = (n % columns, below + n // columns)
    return spots


def _part(known: Mapping[str, tuple[float, float]], most: int) -> dict[str, Spot]:
    """Part longitudes and latitudes at their widest gaps until no cell holds two."""
    if most < 3 or len(known) > most * (most - 1):
        return {}
    for columns in range(1, most + 1):
        for rows in range(min(2, len(known)), max(columns, 2)):
            east = _bands({name: place[0] for name, place in known.items()}, columns)
            south = _bands({name: -place[1] for name, place in known.items()}, rows)
            spots = {name: (east[name], south[name]) for name in known}
            if len(set(spots.values())) == len(spots):
                return spots
    return {}


def _bands(values: Mapping[str, float], count: int) -> dict[str, int]:
    order = sorted(values, key=lambda name: (values[name], name))
    gaps = [(values[b] - values[a], n) for n, (a, b) in enumerate(itertools.pairwise(order))]
    cuts = sorted(n for _, n in sorted(gaps, key=lambda gap: (-gap[0], gap[1]))[: count - 1])
    return {name: sum(cut < n for cut in cuts) for n, name in enumerate(order)}


def _fill(known: Mapping[str, tuple[float, float]], most: int) -> dict[str, Spot]:
    """Fill columns of equal length from the west, each from the north."""
    columns = min(most, math.ceil(math.sqrt(len(known)))) if known else 1
    order = sorted(known, key=lambda name: (known[name][0], name))
    spots: dict[str, Spot] = {}
    start = 0
    for column in range(columns):
        size = (len(order) - start) // (columns - column)
        size += (len(order) - start) % (columns - column) > 0
        group = sorted(order[start : start + size], key=lambda name: (-known[name][1], name))
        spots |= {name: (column, row) for row, name in enumerate(group)}
        start += size
    return spots


def list_tiles(study: Study, language: str, exhibit: Exhibit) -> dict[str, list[Line]]:
    """List the lines of each country's tile.

    Raises
    ------
    ExhibitError
        Where a case names no country.
    """
    if exhibit.specification["kind"] == "forest":
        return _list_places(study, language, exhibit)
    cases = {case.id: case for case in study.cases}
    tiles: dict[str, list[Line]] = {}
    for row in exhibit.rows:
        values = cases[row["case"]].values if row["case"] in cases else {}
        if "country" not in values:
            raise ExhibitError(
                f"exhibit '{exhibit.id}'",
                seen=f"case '{row['case']}', which names no country",
                expected="cases by country",
                do="Draw it as rows, or add country to [cases] in the study file.",
            )
        tiles.setdefault(values["country"], []).append(_lay_line(study, language, exhibit, row))
    return tiles


def _list_places(study: Study, language: str, exhibit: Exhibit) -> dict[str, list[Line]]:
    """List a line a sector of each country, of the places that a forest holds."""
    tiles: dict[str, list[Line]] = {}
    for row in sorted(list_places_of(exhibit), key=lambda row: str(row["place"])):
        named = find_place(study, row["place"])
        if named is None:
            raise ExhibitError(
                f"exhibit '{exhibit.id}'",
                seen=f"the place '{row['place']}'",
                expected="a country pack and a sector pack, such as BGD-garment",
                do="Draw it as rows, or name the places by their packs.",
            )
        country, sector = named
        value = format_number(language, row["estimate"], decimals=shown_decimals(row), signed=True)
        line = Line(capitalise(sector.name[language]), value, is_clear_of_zero(row))
        tiles.setdefault(country.iso3, []).append(line)
    return tiles


def _lay_line(study: Study, language: str, exhibit: Exhibit, row: Mapping[str, Any]) -> Line:
    label = _name_inside(study, language, str(row["case"]))
    if exhibit.specification["kind"] == "cells":
        return Line(label, amount_of_cell(language, exhibit.specification, row), None)
    value = format_number(language, row["estimate"], decimals=shown_decimals(row), signed=True)
    return Line(label, value, is_told(row))


def _name_inside(study: Study, language: str, case: str) -> str:
    """Name a case within its country: by what else it combines, such as a sector."""
    values = next(c.values for c in study.cases if c.id == case)
    names = zip(values, names_of_case(study, language, case), strict=True)
    told = [name for key, name in names if key != "country"]
    return capitalise(join(language, told, "comma"))


def _name_country(study: Study, language: str, iso3: str) -> str:
    case = next((c for c in study.cases if c.values.get("country") == iso3), None)
    if case is None:
        return load_country(study.root, iso3).name[language]
    names = names_of_case(study, language, case.id)
    return dict(zip(case.values, names, strict=True))["country"]


def _draw_map(exhibit: Exhibit, study: Study, language: str, width: Width) -> Figure:
    tiles = list_tiles(study, language, exhibit)
    named = {iso3: _name_country(study, language, iso3) for iso3 in tiles}
    ordered = sorted(tiles, key=lambda iso3: named[iso3])
    spots = arrange({iso3: load_country(study.root, iso3).place for iso3 in ordered}, _MOST[width])
    columns = 1 + max(column for column, _ in spots.values())
    rows = 1 + max(row for _, row in spots.values())
    figure = blank(width)
    across = min((INCHES[width] - _GAP * (columns - 1)) / columns, INCHES[width] / 2)
    titles = {iso3: wrap(name, across - 0.16, weight="bold") for iso3, name in named.items()}
    lines = max(len(held) for held in tiles.values())
    high = 0.34 + 0.15 * max(title.count("\n") for title in titles.values()) + _LINE * lines
    height = high * rows + _GAP * (rows - 1)
    figure.set_size_inches(INCHES[width], height)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, INCHES[width])
    axes.set_ylim(height, 0)
    axes.set_axis_off()
    for iso3, (column, row) in spots.items():
        corner = (column * (across + _GAP), row * (high + _GAP))
        _draw_tile(axes, corner, (across, high), titles[iso3], tiles[iso3])
    return figure


def _draw_tile(
    axes: Axes, corner: tuple[float, float], size: tuple[float, float], title: str,
    lines: Sequence[Line],
) -> None:  # fmt: skip
    left, top = corner
    axes.add_patch(Rectangle(corner, *size, facecolor=TINT, edgecolor=GRID, linewidth=0.6))
    axes.text(
        left + 0.08, top + 0.07, title, fontsize=PLAIN, fontweight="bold", color=INK, va="top"
    )
    start = top + 0.26 + 0.15 * title.count("\n")
    for n, line in enumerate(lines):
        middle = start + _LINE * (n + 0.5)
        color = MUTED if line.told is False else BLUE
        if line.told is not None:
            axes.plot(
                [left + 0.13], [middle], "o", color=color, markersize=5.5, markeredgewidth=1.3,
                markerfacecolor=color if line.told else "white",
            )  # fmt: skip
        indent = 0.08 if line.told is None else 0.22
        axes.text(left + indent, middle, line.label, fontsize=PLAIN, va="center", color=INK)
        axes.text(
            left + size[0] - 0.08, middle, line.text, fontsize=PLAIN, va="center", ha="right",
            color=color, fontweight="normal" if line.told is False else "bold",
        )  # fmt: skip


DRAWN: dict[str, Callable[[Exhibit, Study, str, Width], Figure]] = {"map": _draw_map}
"""Drawings by form of exhibit."""
