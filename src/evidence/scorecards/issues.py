"""Issues that are open, and how long they take, where a study's sources hold answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evidence.measures import list_spells, score_measures
from evidence.packs import load_questionnaire
from evidence.scorecards.group import share_of
from evidence.sources import read_sources
from evidence.study import Case, Study


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster of questions: its names, and the share of issues gone at the next visit.

    ``gone`` is of all factories of the group (0 to 1), None where too few carry it.
    """

    id: str
    name: dict[str, str]
    gone: float | None


@dataclass(frozen=True, slots=True)
class Issues:
    """Spells of non-compliance of a group, a row a spell.

    Columns ``entity, guard, cluster``; ``first``, the period that first saw it;
    ``periods``, the count of assessments from then to the last that saw it; ``closed``,
    whether a later one found it gone; ``open``, whether the last assessment of the
    factory saw it (one that it did not ask for is neither); ``followed`` and ``next``,
    whether a later one asked again, and whether the first of them found it gone.
    """

    spells: pd.DataFrame
    clusters: tuple[Cluster, ...]


def read_issues(study: Study, case: Case, seed: int, guards: Mapping[str, str]) -> Issues | None:
    """Read the issues of a case from its answers; None where its sources hold none.

    Raises
    ------
    MeasureError, SourceError
        As where the panel was built.
    """
    snapshots = read_sources(study, case, seed)
    answers = score_measures(study, snapshots).answers
    if answers is None:
        return None
    packs = [snapshot.record.questionnaire for snapshot in snapshots]
    names = {
        cluster.id: dict(cluster.name)
        for pack in dict.fromkeys(filter(None, packs))
        for cluster in load_questionnaire(study.root, pack, where="questionnaire").clusters
    }
    return lay_issues(study, answers.data, names, guards)


def lay_issues(
    study: Study,
    answers: pd.DataFrame,
    names: dict[str, dict[str, str]],
    guards: Mapping[str, str],
) -> Issues:
    """Lay out the spells of answers, counted in assessments.

    ``list_spells`` wants days: an assessment stands on the day of its number, so that a
    length of it counts assessments.

    Parameters
    ----------
    answers : DataFrame
        A row an answer: entity and time column, ``item``, ``cluster``, ``finding``.
    names : dict
        Cluster → its names by language, in the tool's order.
    guards : mapping
        Entity → its protected unit.
    """
    entity, time = study.entity.name, study.time.name
    kept = answers.loc[answers["finding"].notna(), [entity, time, "item", "cluster", "finding"]]
    kept = kept.astype({entity: object, "item": object, "cluster": object})
    worst = kept.groupby([entity, time, "item"], as_index=False).agg(
        finding=("finding", "max"), cluster=("cluster", "first")
    )
    visits = worst.groupby(entity)[time].rank(method="dense").astype(int)
    worst = worst.assign(
        visit=visits,
        critical=False,
        date=pd.Timestamp(0) + pd.to_timedelta(visits, unit="D"),
    )
    spells = list_spells(worst, entity)
    spells["visit"] = (spells["opened"] - pd.Timestamp(0)).dt.days
    when = worst[[entity, "item", "visit", "cluster", time]]
    spells = spells.merge(when, on=[entity, "item", "visit"], how="left")
    last = worst.groupby(entity)["visit"].max().rename("latest")
    spells = spells.join(last, on=entity)
    seen_last = spells["visit"] + spells["lower"]
    frame = pd.DataFrame(
        {
            "entity": spells[entity],
            "cluster": spells["cluster"].fillna(""),
            "first": spells[time],
            "periods": spells["lower"].astype(int) + 1,
            "closed": np.isfinite(spells["upper"]),
            "open": ~np.isfinite(spells["upper"]) & (seen_last == spells["latest"]),
            "followed": (spells["lower"] > 0) | np.isfinite(spells["upper"]),
            "next": (spells["lower"] == 0) & np.isfinite(spells["upper"]),
        }
    )
    frame["guard"] = [guards.get(str(unit), str(unit)) for unit in frame["entity"]]
    return Issues(frame, tuple(_tell(frame, name, names, study) for name in _order(frame, names)))


def _order(frame: pd.DataFrame, names: dict[str, dict[str, str]]) -> list[str]:
    found = set(frame["cluster"])
    return [*(n for n in names if n in found), *sorted(found - set(names))]


def _tell(
    frame: pd.DataFrame, name: str, names: dict[str, dict[str, str]], study: Study
) -> Cluster:
    part = frame[(frame["cluster"] == name) & frame["followed"]]
    gone = share_of(part["next"], part["guard"], study.disclosure) if len(part) else None
    return Cluster(name, names.get(name, {}), gone)
