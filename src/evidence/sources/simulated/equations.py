"""Panels drawn from declared equations, with the true effects that follow from them."""

from __future__ import annotations

import itertools
import math
import zlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from evidence.errors import SourceError
from evidence.sources.simulated.sections import Equation, EquationCase, Equations

Floats = npt.NDArray[np.float64]
_LINEAR = frozenset({"number", "positive", "share", "flag"})
_ROW = "entity:time"


@dataclass(frozen=True, slots=True)
class _Grid:
    """Who there is: a row an entity, with the members of the groups that it belongs to."""

    system: Equations
    case: EquationCase
    entities: pd.DataFrame
    seed: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """Entities and periods."""
        return len(self.entities), self.system.periods

    def stream(self, *words: str) -> np.random.Generator:
        """Open a random stream of its own for these words: columns do not shift each other's."""
        return np.random.default_rng([*self.seed, *(zlib.crc32(word.encode()) for word in words)])

    def codes(self, level: str) -> tuple[Any, int]:
        """Code what varies with ``level``: (entities, periods), and how many there are."""
        codes, count = np.zeros(self.shape, dtype=int), 1
        for part in level.split(":"):
            if part == "time":
                own, many = np.arange(self.system.periods)[None, :], self.system.periods
            elif part == "entity":
                own, many = np.arange(len(self.entities))[:, None], len(self.entities)
            else:
                labels, found = pd.factorize(self.entities[part])
                own, many = labels[:, None], len(found)
            codes, count = codes * many + own, count * many
        return codes, count


def simulate_equations(
    system: Equations, case: dict[str, str], seed: int
) -> tuple[pd.DataFrame, dict[str, dict[str, float]]]:
    """Simulate a panel from its equations, period by period and column by column.

    The linear index of a column is ``mean + trend · t + Σ effect · x + Σ normal parts``. A
    ``number`` is the index; ``positive`` its exponential; a ``share`` the part of ``of``
    questions that hold, each with the index as its chance; a ``flag`` holds with the index
    as its chance; a ``count`` is Poisson with the exponential of the index as its mean. An
    ``adoption`` is had by ``always`` from the start and by ``mean`` more from a random
    period on, sooner by those with a high index of ``effects``; an ``event`` from the
    period that ``starts`` gives the member; a ``threshold`` where ``column`` reaches
    ``at``. The first value of a column that depends on its own lag is its long-run mean.

    Parameters
    ----------
    system : Equations
        Declared in the source record.
    case : dict
        ``country`` and ``sector``, or empty where the record declares no cases.
    seed : int
        Added to the record's own.

    Returns
    -------
    rows : DataFrame
        A row an entity and period that is in the data: entity, time, groups, all columns.
    truth : dict
        Outcome → exposure → true effect of the same period, what passes through other
        columns included; ``log_<name>`` where the column is ``positive``. A product
        ``a:b`` is how much the effect of ``a`` differs with ``b``.

    Raises
    ------
    SourceError
        Where the case is not declared, or an equation names what is not there.
    """
    drawn = _find_case(system, case)
    system = replace(system, columns=tuple(_adapt(e, drawn) for e in system.columns))
    _check(system)
    stream = zlib.crc32(f"{drawn.country}-{drawn.sector}".encode())
    grid = _Grid(system, drawn, _list_entities(system, drawn), (system.seed, seed, stream))
    values = _draw_columns(grid)
    present = _draw_presence(grid, values)
    return _tabulate(grid, values, present), _list_truth(system)


def _find_case(system: Equations, case: dict[str, str]) -> EquationCase:
    if not system.cases and not case:
        return EquationCase(country="", sector="", entities=system.entities)
    for drawn in system.cases:
        if {"country": drawn.country, "sector": drawn.sector} == case:
            return drawn
    declared = ", ".join(f"{c.country}-{c.sector}" for c in system.cases) or "no cases"
    raise SourceError(
        "[equations] cases",
        seen="-".join(case.values()) or "a study without cases",
        expected=declared,
        do="Give the study's [cases] what the source record declares.",
    )


def _adapt(equation: Equation, case: EquationCase) -> Equation:
    own = case.effects.get(equation.name, {})
    return replace(equation, effects=equation.effects | own) if own else equation


def _check(system: Equations) -> None:
    """Refuse an equation that names what is not there yet."""
    groups = {group.name for group in system.groups}
    known: set[str] = set()
    every = {equation.name for equation in system.columns}
    for equation in system.columns:
        named = {part for name in equation.effects for part in name.split(":")}
        late = {name.removeprefix("lag1_") for name in named if name.startswith("lag1_")}
        lost = (named - {f"lag1_{name}" for name in late} - known) | (late - every)
        lost |= {equation.column} - known - {""}
        levels = {part for level in (*equation.spread, equation.by) for part in level.split(":")}
        lost |= levels - groups - {"entity", "time", ""}
        if lost:
            raise SourceError(
                f"[equations] column '{equation.name}'",
                seen=f"'{min(lost)}'",
                expected="columns declared before it, lag1_ of any, entity, time or a group",
                do="Mend the name, or move the column up.",
            )
        known.add(equation.name)


def _list_entities(system: Equations, case: EquationCase) -> pd.DataFrame:
    crossed = [group for group in system.groups if group.crossed]
    names = [group.name for group in crossed]
    blocks = pd.MultiIndex.from_product([group.names for group in crossed]) if crossed else None
    count = case.entities * (len(blocks) if blocks is not None else 1)
    table = pd.DataFrame(index=pd.RangeIndex(count))
    if blocks is not None:
        table = blocks.to_frame(index=False, name=names).loc[
            np.repeat(range(len(blocks)), case.entities)
        ]
        table = table.reset_index(drop=True)
    rng = np.random.default_rng([system.seed, zlib.crc32(b"groups")])
    for group in system.groups:
        if not group.crossed:
            places = rng.permutation(np.arange(count) % len(group.names))
            table[group.name] = np.array(group.names)[places]
    code = "-".join(word for word in (case.country, case.sector[:3].upper()) if word)
    stem = f"{code}-" if code else f"{system.entity}-"
    numbered = [f"{stem}{n:04d}" for n in range(1, count + 1)]
    alone = names and case.entities == 1
    table[system.entity] = table[names].agg("-".join, axis=1) if alone else numbered
    return table


def _draw_columns(grid: _Grid) -> dict[str, Floats]:
    columns = grid.system.columns
    values = {equation.name: np.zeros(grid.shape) for equation in columns}
    parts = {equation.name: _draw_parts(grid, equation) for equation in columns}
    chance = {equation.name: _draw_chance(grid, equation) for equation in columns}
    for period in range(grid.system.periods):
        for equation in columns:
            name = equation.name
            if equation.kind in {"adoption", "event"}:
                if period == 0:
                    values[name] = _schedule(grid, equation, values)
                continue
            index = equation.mean + equation.trend * period + parts[name][:, period]
            index += _sum_effects(equation, values, period)
            values[name][:, period] = _realise(
                equation, index, chance[name][:, period], values, period
            )
    return values


def _draw_parts(grid: _Grid, equation: Equation) -> Floats:
    """Draw the normal parts of an index: (entities, periods)."""
    total = np.zeros(grid.shape)
    for level, spread in equation.spread.items():
        codes, count = grid.codes(level)
        drawn = grid.stream(equation.name, level).normal(0, spread, count)[codes]
        if level == _ROW and equation.memory:
            for period in range(1, grid.system.periods):
                drawn[:, period] += equation.memory * drawn[:, period - 1]
        total += drawn
    return total


def _draw_chance(grid: _Grid, equation: Equation) -> Floats:
    codes, count = grid.codes(equation.by or _ROW)
    drawn: Floats = grid.stream(equation.name, "chance").uniform(size=count)[codes]
    return drawn


def _sum_effects(equation: Equation, values: dict[str, Floats], period: int) -> Floats:
    own = f"lag1_{equation.name}"
    total = np.zeros(len(next(iter(values.values()))))
    for name, effect in equation.effects.items():
        if name == own and period == 0:
            continue
        total += effect * np.prod(
            [_value(part, values, period) for part in name.split(":")], axis=0
        )
    return total


def _value(name: str, values: dict[str, Floats], period: int) -> Floats:
    if name.startswith("lag1_"):
        return values[name.removeprefix("lag1_")][:, max(period - 1, 0)]
    return values[name][:, period]


def _realise(
    equation: Equation, index: Floats, chance: Floats, values: dict[str, Floats], period: int
) -> Floats:
    if period == 0:
        index = index / (1 - equation.effects.get(f"lag1_{equation.name}", 0.0))
    kind = equation.kind
    if kind == "positive":
        return np.exp(index)
    if kind == "share":
        drawn = stats.binom.ppf(chance, equation.of, np.clip(index, 0, 1)) / equation.of
        return np.asarray(drawn, dtype=float)
    if kind == "flag":
        return (chance < index).astype(float)
    if kind == "count":
        return np.asarray(stats.poisson.ppf(chance, np.exp(index)), dtype=float)
    if kind == "threshold":
        return (values[equation.column][:, period] >= equation.at).astype(float)
    return index


def _schedule(grid: _Grid, equation: Equation, values: dict[str, Floats]) -> Floats:
    """Say from which period on each has it: (entities, periods) of 0 and 1."""
    calendar = np.arange(grid.system.periods)
    codes, count = grid.codes(equation.by or "entity")
    first = np.full(count, grid.system.periods)
    rng = grid.stream(equation.name, "adoption")
    if equation.kind == "event":
        who = grid.entities[equation.by].to_numpy()
        never = grid.system.first_period + grid.system.periods
        starts = np.array([equation.starts.get(member, never) for member in who])
        return (calendar >= (starts - grid.system.first_period)[:, None]).astype(float)
    leaning = np.zeros(count)
    np.add.at(leaning, codes[:, 0], _sum_effects(equation, values, 0))
    leaning /= np.bincount(codes[:, 0], minlength=count)
    rank = (rng.uniform(size=count) + leaning).argsort().argsort() / count
    early = rank >= 1 - equation.always
    late = ~early & (rank >= 1 - equation.always - equation.mean)
    first[early] = 0
    first[late] = rng.integers(1, grid.system.periods, int(late.sum()))
    return np.asarray(calendar >= first[codes], dtype=float)


def _draw_presence(grid: _Grid, values: dict[str, Floats]) -> Any:
    system, (entities, periods) = grid.system, grid.shape
    calendar = np.arange(periods)
    present = np.ones(grid.shape, dtype=bool)
    if system.shortest:
        rng = grid.stream("presence")
        first = rng.integers(0, max(periods - system.shortest, 0) // 2 + 1, entities)
        length = rng.integers(system.shortest, periods + 1, entities)
        present = (calendar >= first[:, None]) & (calendar < (first + length)[:, None])
    if system.exit:
        gone = np.cumsum(values[system.exit] * present, axis=1) - values[system.exit]
        present &= gone <= 0
    return present


def _tabulate(grid: _Grid, values: dict[str, Floats], present: Any) -> pd.DataFrame:
    system = grid.system
    entity, period = np.nonzero(present)
    rows = grid.entities.iloc[entity].reset_index(drop=True)
    case = {"country": grid.case.country, "sector": grid.case.sector}
    rows = rows.assign(**{key: value for key, value in case.items() if value})
    rows[system.time] = system.first_period + period
    whole = {"flag", "count", "adoption", "event", "threshold"}
    for equation in system.columns:
        drawn = values[equation.name][entity, period]
        rows[equation.name] = drawn.astype(int) if equation.kind in whole else drawn
    return rows


def _list_truth(system: Equations) -> dict[str, dict[str, float]]:
    """Follow effects of the same period along the columns, what passes through others included.

    The effect of a product ``a:b`` says how much that of ``a`` differs with ``b``.
    """
    truth: dict[str, dict[str, float]] = {}
    through: dict[str, dict[str, float]] = {}
    for equation in system.columns:
        if equation.kind not in _LINEAR:
            continue
        total: dict[str, float] = {}
        for name, effect in equation.effects.items():
            for term, weight in _follow(name, through).items():
                total[term] = total.get(term, 0.0) + effect * weight
        through[equation.name] = {} if equation.kind == "positive" else total
        if total:
            truth["log_" * (equation.kind == "positive") + equation.name] = total
    return truth


def _follow(name: str, through: dict[str, dict[str, float]]) -> dict[str, float]:
    """Weigh what a cause stands for: itself and what it follows from; nothing for a lag."""
    factors = name.split(":")
    if any(factor.startswith("lag1_") for factor in factors):
        return {}
    if len(factors) == 1:
        return {name: 1.0, **through.get(name, {})}
    behind = [
        {factor: 1.0, **{k: v for k, v in through.get(factor, {}).items() if ":" not in k}}
        for factor in factors
    ]
    return {
        ":".join(terms): math.prod(b[t] for b, t in zip(behind, terms, strict=True))
        for terms in itertools.product(*behind)
        if len(set(terms)) == len(terms)
    }
