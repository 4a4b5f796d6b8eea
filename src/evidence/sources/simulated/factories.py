"""Factories drawn from declared parameters, with their true effects beside them."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from evidence.errors import SourceError
from evidence.sources.simulated.remedies import Course, follow_findings, list_true_ratios
from evidence.sources.simulated.sections import Point, SimulatedCase, Simulation

Floats = npt.NDArray[np.float64]

_FACTORY_SPREAD = 0.15
_SHOCK_SPREAD = 0.04
_SHOCK_MEMORY = 0.5
_YEARLY_CHANGE = -0.01
_NOISE = 0.08
_BUYERS = 8
_BUYER_HOMES = ("JPN", "EUU", "USA")


def simulate_factories(
    simulation: Simulation, country: str, sector: str, seed: int
) -> tuple[dict[str, pd.DataFrame], dict[str, dict[str, float]]]:
    """Simulate the assessments of one country × sector.

    A question's probability of a finding is its base rate times
    ``1 + a_i + g_t + u_it + Σ δ_k (D_kit − prevalence_k)``: linear in the dialogue
    institutions D_k, so that the true effect on the share of findings is exactly
    δ_k times the mean base rate. Log output per hour is linear in D_k as well.
    Institutions are adopted at random dates and are commoner in factories that have more
    findings and produce less anyway (high a_i), so a pooled comparison is off the truth
    while a two-way within comparison is not.

    With ``[simulation.remedy]`` findings stay until they are remedied
    (``follow_findings``), assessments are on days of their own, and the true effects on
    compliance are those on the rates of remedy.

    Parameters
    ----------
    simulation : Simulation
        Declared parameters of the source record.
    country, sector : str
        The case; each has a random stream of its own.
    seed : int
        Added to the record's own seed.

    Returns
    -------
    tables : dict of DataFrame
        ``answers`` (a row a question, Better Work's export columns),
        ``factories`` (a row a factory and year) and, where findings stay, ``plans`` (a row
        a day of a remedy that a factory reports).
    truth : dict
        Outcome → exposure → true effect: share of questions, log points.

    Raises
    ------
    SourceError
        Where the record declares no such case.
    """
    case = _find_case(simulation, country, sector)
    stream = zlib.crc32(f"{country}-{sector}".encode())
    rng = np.random.default_rng([simulation.seed, seed, stream])
    excess = rng.uniform(-_FACTORY_SPREAD, _FACTORY_SPREAD, case.factories)
    years = _draw_presence(rng, simulation, case)
    dialogue = _draw_adoption(rng, simulation, excess, years)
    base = _base_rates(simulation.points, country)
    factories = _factory_rows(rng, simulation, case, excess, years, dialogue)
    chance = _chances(rng, simulation, case, excess, factories, base)
    drawn = rng.uniform(size=chance.shape) < chance
    productivity = {"log_output_per_hour": dict(case.productivity)}
    if simulation.remedy is not None:
        course = follow_findings(rng, simulation, factories, chance, drawn)
        answers = _answer_rows(simulation, factories, course.finding, course.day)
        tables = {"answers": answers, "factories": factories}
        plans = _plan_rows(simulation, factories, course)
        return tables | {"plans": plans}, list_true_ratios(simulation) | productivity
    day = pd.to_datetime(factories["year"].astype(str) + "-06-01")
    answers = _answer_rows(simulation, factories, drawn, day)
    kept = np.array([not point.institution for point in simulation.points])
    items = np.array([point.items for point in simulation.points])
    mean_base = float(np.average(base[kept], weights=items[kept]))
    truth = {
        "noncompliance": {k: mean_base * v for k, v in case.noncompliance.items()},
    }
    return {"answers": answers, "factories": factories}, truth | productivity


def _find_case(simulation: Simulation, country: str, sector: str) -> SimulatedCase:
    for case in simulation.cases:
        if (case.country, case.sector) == (country, sector):
            return case
    raise SourceError(
        "[simulation] cases",
        seen=f"{country}-{sector}",
        expected=", ".join(f"{c.country}-{c.sector}" for c in simulation.cases),
        do="Declare the case's true effects in the source record.",
    )


def _base_rates(points: tuple[Point, ...], country: str) -> Floats:
    """Turn a point's rate (any of its items) into each item's probability."""
    return np.array([1 - (1 - p.rates.get(country, p.rate)) ** (1 / p.items) for p in points])


def _draw_presence(rng: np.random.Generator, simulation: Simulation, case: SimulatedCase) -> Any:
    """Draw first and last year of each factory: shape (factories, 2)."""
    first = rng.integers(0, 3, case.factories)
    length = rng.integers(4, simulation.years + 1, case.factories)
    return np.column_stack([first, np.minimum(first + length, simulation.years)])


def _draw_adoption(
    rng: np.random.Generator, simulation: Simulation, excess: Floats, years: Any
) -> dict[str, npt.NDArray[np.bool_]]:
    """Draw when each factory gets each institution: arrays (factories, years).

    With prevalence p, a share p/2 of the factories has it from the start and a share p
    adopts it at a random date, so that about p of all factory-years have it.
    """
    calendar = np.arange(simulation.years)
    adopted = {}
    for name, share in simulation.prevalence.items():
        leaning = rng.uniform(size=excess.size) + excess / _FACTORY_SPREAD * 0.2
        rank = leaning.argsort().argsort() / excess.size
        start = np.full(excess.size, simulation.years)
        early = rank >= 1 - share / 2
        late = ~early & (rank >= 1 - 1.5 * share)
        start[early] = 0
        start[late] = rng.integers(years[late, 0] + 1, years[late, 1])
        adopted[name] = calendar >= start[:, None]
    return adopted


def _factory_rows(
    rng: np.random.Generator,
    simulation: Simulation,
    case: SimulatedCase,
    excess: Floats,
    years: Any,
    dialogue: dict[str, npt.NDArray[np.bool_]],
) -> pd.DataFrame:
    factory, year = np.nonzero(_present(simulation, years))
    rows = factory.size
    log_hours = rng.normal(11.5, 0.5, case.factories)[factory]
    noise = _remembering(rng.normal(0, _NOISE, (case.factories, simulation.years)))
    log_output = -2 * excess[factory] + 0.02 * year + noise[factory, year] + log_hours
    for name, effect in case.productivity.items():
        log_output += effect * dialogue[name][factory, year]
    buyer = rng.integers(0, _BUYERS, case.factories)[factory]
    lead_time = rng.normal(12, 2, (_BUYERS, simulation.years))[buyer, year]
    code = f"{case.country}-{case.sector[:3].upper()}"
    flags = {name: flag[factory, year].astype(int) for name, flag in dialogue.items()}
    return pd.DataFrame(
        {
            "factory": [f"{code}-{n:04d}" for n in factory + 1],
            "name": [f"Simulated {case.sector} works {code} {n:04d}" for n in factory + 1],
            "country": case.country,
            "sector": case.sector,
            "year": simulation.first_year + year,
            **flags,
            "buyer": [f"{_BUYER_HOMES[b % len(_BUYER_HOMES)]}-{b + 1}" for b in buyer],
            "lead_time": np.round(lead_time, 1),
            "workers": rng.lognormal(6.3, 0.6, case.factories)[factory].astype(int) + 20,
            "hours": np.round(np.exp(log_hours), 0),
            "output": np.exp(log_output) * np.round(np.exp(log_hours), 0) / np.exp(log_hours),
        },
        index=pd.RangeIndex(rows),
    )


def _present(simulation: Simulation, years: Any) -> npt.NDArray[np.bool_]:
    calendar = np.arange(simulation.years)
    present: npt.NDArray[np.bool_] = (calendar >= years[:, :1]) & (calendar < years[:, 1:])
    return present


def _remembering(shocks: Floats) -> Floats:
    """Give shocks (units, years) a memory from year to year."""
    for year in range(1, shocks.shape[1]):
        shocks[:, year] += _SHOCK_MEMORY * shocks[:, year - 1]
    return shocks


def _chances(
    rng: np.random.Generator,
    simulation: Simulation,
    case: SimulatedCase,
    excess: Floats,
    factories: pd.DataFrame,
    base: Floats,
) -> Floats:
    """Compute the probability of a finding: (rows, questions)."""
    points = simulation.points
    unit = factories["factory"].str[-4:].astype(int).to_numpy() - 1
    year = factories["year"].to_numpy() - simulation.first_year
    spread = rng.uniform(-_SHOCK_SPREAD, _SHOCK_SPREAD, (case.factories, simulation.years))
    factor = 1 + excess[unit] + _YEARLY_CHANGE * year + _remembering(spread)[unit, year]
    for name, effect in case.noncompliance.items():
        factor += effect * (factories[name].to_numpy() - simulation.prevalence[name])
    which = np.repeat(np.arange(len(points)), [p.items for p in points])
    chance: Floats = factor[:, None] * base[which]
    for number, place in enumerate(which):
        if points[place].institution:
            chance[:, number] = np.where(factories[points[place].institution] == 1, 0.02, 0.95)
    return chance


def _list_questions(simulation: Simulation) -> npt.NDArray[np.str_]:
    return np.array([f"{p.id}.{n + 1}" for p in simulation.points for n in range(p.items)])


def _plan_rows(simulation: Simulation, factories: pd.DataFrame, course: Course) -> pd.DataFrame:
    """List the days that factories report, as their improvement plans would."""
    plans = course.plans
    return pd.DataFrame(
        {
            "factory": factories["factory"].to_numpy()[plans["row"]],
            "question": _list_questions(simulation)[plans["question"]],
            "remediated": plans["remediated"].dt.strftime("%d/%m/%Y"),
        }
    )


def _answer_rows(
    simulation: Simulation, factories: pd.DataFrame, finding: Any, day: pd.Series
) -> pd.DataFrame:
    points = simulation.points
    which = np.repeat(np.arange(len(points)), [p.items for p in points])
    question = _list_questions(simulation)
    row, column = np.nonzero(np.ones_like(finding))
    visits = factories.iloc[row].reset_index(drop=True)
    cycle = factories.groupby("factory").cumcount().to_numpy() + 1
    return pd.DataFrame(
        {
            "Country": visits["country"],
            "Cycle": cycle[row],
            "Year": visits["year"],
            "Factory.Assessed.ID": visits["factory"],
            "Factory.Assessed.Name": visits["name"],
            "Quest.ID": row + 1,
            "Assesment.Start.Date": day.dt.strftime("%d/%m/%Y").to_numpy()[row],
            "Cluster": np.array([p.cluster for p in points])[which][column],
            "CP": np.array([p.id for p in points])[which][column],
            "Question.ID": question[column],
            "Q.Label": "simulated question",
            "Question.type": "LAW",
            "Finding": finding[row, column].astype(int),
            "Tags": "",
        }
    )
