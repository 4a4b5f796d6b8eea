"""Cells laid out along an axis: time, or an indicator's two sides."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from evidence.exhibits.measures import part_measures
from evidence.exhibits.noun import Exhibit
from evidence.exhibits.words import amount_of_cell, is_share, name_case, place_label
from evidence.language import capitalise, join, say
from evidence.study import Study, label_of


@dataclass(frozen=True, slots=True)
class Series:
    """One group's shown values along the axis, each of length k.

    ``steps`` names what stands on the axis, ``places`` says where; ``values`` are in the
    unit that a reader sees, nan where nothing is shown, and ``texts`` say them; ``counts``
    are the entities behind them, nan where untold.
    """

    label: str
    steps: tuple[str, ...]
    places: tuple[float, ...]
    values: tuple[float, ...]
    texts: tuple[str, ...]
    counts: tuple[float, ...]

    @property
    def shown(self) -> tuple[int, ...]:
        """Positions that have a value."""
        return tuple(n for n, value in enumerate(self.values) if not math.isnan(value))

    @property
    def change(self) -> float:
        """Last shown value less the first; nan where there are not two."""
        if len(self.shown) < 2:
            return math.nan
        return self.values[self.shown[-1]] - self.values[self.shown[0]]


def find_axis(study: Study, asked: Mapping[str, Any]) -> str:
    """Name the variable on the axis: time, else the first indicator; empty for a map."""
    if study.time.name in asked["by"]:
        return study.time.name
    return next((k for k in asked["by"] if study.variable(k).unit == "indicator"), "")


def is_over_time(study: Study, exhibit: Exhibit) -> bool:
    """Tell whether the axis of a figure of cells is time."""
    return find_axis(study, exhibit.specification) == study.time.name


def list_series(study: Study, language: str, exhibit: Exhibit) -> list[Series]:
    """Lay a figure of cells out as series, in the order of its rows.

    ``pairs`` have two steps: the first and the last period in which the group has a row,
    or without and with the indicator.
    """
    several = exhibit.data["case"].nunique() > 1
    found = []
    for part in part_measures(exhibit):
        asked = part.specification
        axis = find_axis(study, asked)
        others = [name for name in asked["by"] if name != axis]
        data, told = part.data.reset_index(drop=True), part.rows
        for key, group in data.groupby(["case", *others], sort=False):
            rows = [told[n] for n in group.index]
            place = dict(zip(["case", *others], key, strict=True))
            labels = [name_case(study, language, place["case"])] if several else []
            if "members" in exhibit.specification:
                labels.append(label_of(study, language, asked["value"]))
            labels += [_name_group(study, language, part, name, place[name]) for name in others]
            named = join(language, labels, "comma") or name_case(study, language, place["case"])
            found.append(_lay_series(study, language, part, rows, named))
    return found


def _name_group(study: Study, language: str, part: Exhibit, name: str, label: str) -> str:
    told = place_label(study, language, part, name, label)
    if study.variable(name).role == "cluster":
        return told
    return say(language, "figure.group", name=label_of(study, language, name), label=told)


def _name_step(
    study: Study, language: str, part: Exhibit, axis: str, row: Mapping[Any, Any]
) -> str:
    if not axis:
        return ""
    if axis == study.time.name or row[axis] not in _SIDES:
        return place_label(study, language, part, axis, row[axis])
    name = label_of(study, language, axis)
    return say(language, f"figure.{_SIDES[row[axis]]}", name=name)


_SIDES = {"0": "without", "1": "with"}


def _lay_series(
    study: Study, language: str, part: Exhibit, rows: list[dict[str, Any]], label: str
) -> Series:
    asked, axis = part.specification, find_axis(study, part.specification)
    laid = [
        (
            _place(asked, axis, row),
            _name_step(study, language, part, axis, row),
            _value(asked, row),
            amount_of_cell(language, asked, row),
            math.nan if pd.isna(row["contributors"]) else float(row["contributors"]),
        )
        for row in rows
    ]
    laid.sort(key=lambda item: item[0])
    if part.form == "pairs" and len(laid) > 2:
        laid = [laid[0], laid[-1]]
    return Series(
        capitalise(label),
        tuple(item[1] for item in laid),
        tuple(item[0] for item in laid),
        tuple(item[2] for item in laid),
        tuple(item[3] for item in laid),
        tuple(item[4] for item in laid),
    )


def _place(asked: Mapping[str, Any], axis: str, row: Mapping[Any, Any]) -> float:
    """Say where a cell stands on the axis: in the middle of periods that were merged."""
    if not axis:
        return 0.0
    label = row[axis]
    bases = asked.get("merged", {}).get(axis, {}).get(label, [label])
    return sum(map(float, bases)) / len(bases)


def _value(asked: Mapping[str, Any], row: Mapping[Any, Any]) -> float:
    if row["status"] == "suppressed" or pd.isna(row["value"]):
        return math.nan
    scale = 100 if is_share(asked) and asked["statistic"] not in {"sum", "count"} else 1
    return scale * float(row["value"])
