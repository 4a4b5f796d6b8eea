"""What a card may say about the peers: the same numbers on every card of a run.

Numbers that leave the reader's factory out would let two cards give away what each of
them holds: so they hold every factory of the group. As each reader knows one of them, one more than the study's
threshold of protected units must stand on every side of a number; dominance is judged
by the gate's own rules. Marks are rounded, and neither the lowest nor the highest value
is ever shown.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from evidence.disclosure import judge_cell
from evidence.study import Disclosure

MARKS = (0.25, 0.5, 0.75)
"""Quantiles between which a card places its factory."""

SIZES = (4, 2, 1)
"""Count of groups by value at the start, finest first: quarters, halves, all."""

_PARTS_OF_SPREAD = 10.0


@dataclass(frozen=True, slots=True)
class Peers:
    """A variable in one period: marks, or of an indicator the share with it.

    What too few protected units carry is None. ``count`` is rounded.
    """

    count: int | None
    marks: tuple[float | None, ...] = ()
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A variable of the group by period; ``step`` is what its marks are rounded to."""

    name: str
    indicator: bool
    step: float
    periods: dict[int, Peers]


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of those that began alike and without an institution.

    ``share`` of them had it at the end; ``taken`` and ``left`` are the average changes of
    the outcome of those with and without it then.
    """

    count: int | None
    share: float
    taken: float
    left: float


@dataclass(frozen=True, slots=True)
class Uptake:
    """An institution and an outcome: one ``Taken`` a group by the outcome at the start.

    ``groups`` holds one, two or four of them, ``edges`` lie between; none where too few
    factories carry even the whole.
    """

    outcome: str
    institution: str
    edges: tuple[float, ...]
    groups: tuple[Taken, ...]


def is_indicator(values: pd.Series) -> bool:
    """Tell whether a variable only says yes or no."""
    return bool(values.dropna().isin([0, 1]).all())


def benchmark(rows: pd.DataFrame, name: str, settings: Disclosure) -> Benchmark:
    """Lay out a variable of all factories of a group by period.

    Parameters
    ----------
    rows : DataFrame
        A row a factory and period: ``entity``, ``time``, ``guard`` (the protected unit)
        and the variable.
    """
    known = rows.dropna(subset=[name])
    indicator = is_indicator(known[name])
    step = 0.01 if indicator else _step(known[name])
    periods = {}
    for period, part in known.groupby("time", sort=True):
        values, guards = part[name].to_numpy(dtype=float), part["guard"].to_numpy()
        count = _round_count(guards, settings)
        if indicator:
            periods[int(str(period))] = Peers(count, share=share_of(values, guards, settings))
        else:
            marks = tuple(_find_mark(values, guards, at, step, settings) for at in MARKS)
            periods[int(str(period))] = Peers(count, marks)
    return Benchmark(name, indicator, step, periods)


def share_of(
    holds: Iterable[float] | np.ndarray, guards: Iterable[str] | np.ndarray, settings: Disclosure
) -> float | None:
    """Give a share (0 to 1, whole per cent) where enough units are with and without."""
    held, units = np.asarray(holds, dtype=bool), np.asarray(guards)
    sides = len(set(units[held])), len(set(units[~held]))
    return round(float(held.mean()), 2) if min(sides) >= least_units(settings) else None


def least_units(settings: Disclosure) -> int:
    """Count the protected units that a number needs: its reader knows one of them."""
    return settings.threshold + 1


def place_among(own: float, marks: tuple[float | None, ...], step: float) -> int | None:
    """Say between which marks a value lies, from 0 to their count; None where one is hidden.

    Value and marks are compared as they are shown; a value on a mark lies below it.
    """
    if any(mark is None for mark in marks):
        return None
    shown = round_to(own, step)
    return sum(shown > mark + step / 1000 for mark in marks if mark is not None)


def round_to(value: float, step: float) -> float:
    """Round to a multiple of a step."""
    return round(value / step) * step if step > 0 else value


def tell_uptake(rows: pd.DataFrame, outcome: str, institution: str, settings: Disclosure) -> Uptake:
    """Tell what factories did that began alike and without an institution.

    Groups are as fine as every one of them allows, on all cards the same: a finer group
    on one card and a coarser on another could be subtracted from each other.
    """
    moved = _lay_moves(rows, outcome, institution)
    for size in SIZES:
        edges = tuple(
            float(np.quantile(moved["start"], n / size)) for n in range(1, size) if len(moved)
        )
        group = np.searchsorted(edges, moved["start"].to_numpy(), side="left")
        parts = [moved[group == n] for n in range(size)]
        told = [_tell_group(part[part["had"] == 0], settings) for part in parts]
        if len(moved) and all(one is not None for one in told):
            return Uptake(outcome, institution, edges, tuple(t for t in told if t is not None))
    return Uptake(outcome, institution, (), ())


def find_start(rows: pd.DataFrame, outcome: str, institution: str) -> tuple[float, bool] | None:
    """Find a factory's outcome at its start, and whether it had the institution then."""
    moved = _lay_moves(rows, outcome, institution)
    if moved.empty:
        return None
    return float(moved["start"].iloc[0]), bool(moved["had"].iloc[0])


def _lay_moves(rows: pd.DataFrame, outcome: str, institution: str) -> pd.DataFrame:
    """Lay out each factory's first and last period: ``guard, start, change, had, has``."""
    known = rows.dropna(subset=[outcome, institution]).sort_values(["entity", "time"])
    ends = known.groupby("entity", sort=True)
    first, last = ends.first(), ends.last()
    moved = pd.DataFrame(
        {
            "guard": first["guard"],
            "start": first[outcome],
            "change": last[outcome] - first[outcome],
            "had": first[institution],
            "has": last[institution],
        }
    )
    return moved[last["time"] > first["time"]]


def _tell_group(without: pd.DataFrame, settings: Disclosure) -> Taken | None:
    guards = without["guard"].to_numpy()
    share = share_of(without["has"], guards, settings)
    means = [_mean(without[without["has"] == state], settings) for state in (1, 0)]
    if share is None or means[0] is None or means[1] is None:
        return None
    return Taken(_round_count(guards, settings), share, means[0], means[1])


def _mean(part: pd.DataFrame, settings: Disclosure) -> float | None:
    """Average a change over rows where the gate would let the table cell out."""
    by_unit = part.groupby("guard")["change"].sum().abs().sort_values(ascending=False)
    if len(by_unit) < least_units(settings):
        return None
    row = {
        "value": float(part["change"].mean()),
        "contributors": len(by_unit),
        "largest": float(by_unit.iloc[0]),
        "second": float(by_unit.iloc[1]),
        "total": float(by_unit.sum()),
        "equal": bool(by_unit.iloc[0] == by_unit.iloc[-1]),
        "status": "",
    }
    asked = {"statistic": "mean", "level": "factory"}
    stricter = replace(settings, threshold=least_units(settings))
    return None if judge_cell(row, asked, stricter) else float(part["change"].mean())


def _find_mark(
    values: np.ndarray, guards: np.ndarray, at: float, step: float, settings: Disclosure
) -> float | None:
    """Find a quantile with enough units below and above it, rounded."""
    mark = float(np.quantile(values, at))
    sides = len(set(guards[values < mark])), len(set(guards[values > mark]))
    if step <= 0 or min(sides) < least_units(settings):
        return None
    return round_to(mark, step)


def _step(values: pd.Series) -> float:
    """Choose what marks are rounded to: a power of ten, at most a tenth of the spread."""
    if values.empty:
        return 0.0
    spread = float(values.quantile(MARKS[-1]) - values.quantile(MARKS[0]))
    return 10.0 ** math.floor(math.log10(spread / _PARTS_OF_SPREAD)) if spread > 0 else 0.0


def _round_count(guards: np.ndarray, settings: Disclosure) -> int | None:
    """Round a count of protected units; None where there are too few to count."""
    count = len(set(guards))
    if count < least_units(settings):
        return None
    return settings.round_to * round(count / settings.round_to)
