"""Findings that stay from assessment to assessment until they are remedied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from evidence.errors import SourceError
from evidence.sources.simulated.sections import Point, Remedy, Simulation

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_SPREAD_OF_DAYS = 100
_AFTER_THE_LAST = 180


@dataclass(frozen=True, slots=True)
class Course:
    """What became of each question (rows × questions), on which day, and what plans say.

    ``plans`` has a row a day that a factory reports: ``row`` of the assessment before,
    ``question`` (number), ``remediated`` (day).
    """

    finding: Flags
    day: pd.Series
    plans: pd.DataFrame


def follow_findings(
    rng: np.random.Generator,
    simulation: Simulation,
    factories: pd.DataFrame,
    chance: Floats,
    drawn: Flags,
) -> Course:
    """Follow findings from each factory's first assessment on.

    The first assessment finds what was ``drawn``. A finding is remedied on any later day
    with the hazard ``daily · exp(Σ effect)``, by the institutions and pathways of the day
    on which it was first seen, the same until it ends: the log hazard ratio of an
    institution is exactly its effect. A clean question has a finding at the next
    assessment with ``onset`` of its ``chance``, more behind a pathway. Questions that
    describe an institution follow it alone.

    Parameters
    ----------
    factories : DataFrame
        A row an assessment, sorted by factory and year; a flag an institution.
    chance, drawn : array (rows × questions)
        Probability of a finding on a question seen for the first time, and its draw.

    Raises
    ------
    SourceError
        Where an effect is of no institution, or a pathway of no point or cluster.
    """
    remedy = simulation.remedy
    assert remedy is not None
    _check(remedy, simulation)
    which = np.repeat(np.arange(len(simulation.points)), [p.items for p in simulation.points])
    asked = [simulation.points[place] for place in which]
    day = _draw_days(rng, factories)
    shape = drawn.shape
    waits = rng.exponential(1 / remedy.daily, shape)
    onset, told, said, moment = (rng.uniform(size=shape) for _ in range(4))
    own = sum((v * factories[k].to_numpy() for k, v in remedy.effects.items()), np.zeros(shape[0]))
    first = ~factories["factory"].duplicated().to_numpy()
    last = np.append(first[1:], True)
    tied = np.array([bool(point.institution) for point in asked])
    finding, pull, plans = drawn.copy(), np.zeros(shape[1]), []
    for row in range(shape[0]):
        before = np.zeros(shape[1], dtype=bool)
        if not first[row]:
            before = finding[row - 1]
            stays = before & (waits[row - 1] / np.exp(pull) > (day[row] - day[row - 1]).days)
            more = _pull(asked, remedy, before, "onset")
            fresh = ~before & (onset[row] < remedy.onset * chance[row] * (1 + more))
            finding[row] = np.where(tied, drawn[row], stays | fresh)
        opened = finding[row] & ~before
        pull = np.where(opened, own[row] + _pull(asked, remedy, finding[row], "remedy"), pull)
        gap = _AFTER_THE_LAST if last[row] else (day[row + 1] - day[row]).days
        length = np.ceil(waits[row] / np.exp(pull))
        true = finding[row] & ~tied & (length <= gap)
        false = finding[row] & ~tied & ~true & (said[row] < remedy.claimed)
        days = np.where(false, 1 + moment[row] * (gap - 1), length)
        plans += [
            (row, question, day[row] + pd.Timedelta(days=int(days[question])))
            for question in np.flatnonzero((true & (told[row] < remedy.reported)) | false)
        ]
    return Course(finding, day, pd.DataFrame(plans, columns=["row", "question", "remediated"]))


def list_true_ratios(simulation: Simulation) -> dict[str, dict[str, float]]:
    """List true log hazard ratios: rate of remedy → what a factory has → ratio.

    Of the points of a cluster alone also what stands in the way of remedies there. Where
    something does, findings of all clusters together have no single ratio, and none is listed:
    hazards that differ by what a comparison leaves out draw its ratios towards zero.
    """
    remedy = simulation.remedy
    assert remedy is not None
    own = {name: remedy.effects.get(name, 0.0) for name in simulation.prevalence}
    truth = {} if any(path.remedy for path in remedy.pathways) else {"": own}
    for path in remedy.pathways:
        part = truth.setdefault(f"_in_{path.cluster}", dict(own))
        part[f"noncompliant_on_{path.point}"] = path.remedy
    return {f"remedy_rate{told}{part}": ratios for part, ratios in truth.items()
            for told in ("", "_reported")}  # fmt: skip


def _check(remedy: Remedy, simulation: Simulation) -> None:
    points = {point.id for point in simulation.points}
    clusters = {point.cluster for point in simulation.points}
    lost = [name for name in remedy.effects if name not in simulation.prevalence]
    lost += [path.point for path in remedy.pathways if path.point not in points]
    lost += [path.cluster for path in remedy.pathways if path.cluster not in clusters]
    if lost:
        raise SourceError(
            "[simulation.remedy]",
            seen=f"'{lost[0]}'",
            expected="effects of what 'prevalence' names, pathways of the points' ids and clusters",
            do="Mend the name.",
        )


def _draw_days(rng: np.random.Generator, factories: pd.DataFrame) -> pd.Series:
    middle = pd.to_datetime(factories["year"].astype(str) + "-06-01")
    shift = rng.integers(-_SPREAD_OF_DAYS, _SPREAD_OF_DAYS + 1, len(factories))
    return middle + pd.to_timedelta(shift, unit="D")


def _pull(asked: list[Point], remedy: Remedy, standing: Any, key: str) -> Floats:
    """Sum what standing findings do to each question, by the pathways: (questions,)."""
    total = np.zeros(len(asked))
    for path in remedy.pathways:
        at = np.array([point.id == path.point for point in asked])
        behind = np.array([point.cluster == path.cluster for point in asked]) & ~at
        total += getattr(path, key) * behind * bool((standing & at).any())
    return total
