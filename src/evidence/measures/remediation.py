"""How long a finding stays: spells between assessments, known only up to an interval."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evidence.errors import MeasureError
from evidence.measures.coding import spell
from evidence.measures.crosswalk import check_findings

_RATE = re.compile(r"^remedy_rate(?P<reported>_reported)?(_in_(?P<cluster>\w+))?$")


@dataclass(frozen=True, slots=True)
class RemedyRate:
    """A rate of remedy, told by its name.

    ``reported``: an improvement plan's own days count as ends, too; ``cluster``: only
    findings of this cluster, of all where empty.
    """

    name: str
    reported: bool
    cluster: str


def name_remedy_rate(name: str) -> RemedyRate | None:
    """Read a rate of remedy from a variable's name; None for any other name."""
    match = _RATE.match(name)
    if match is None:
        return None
    return RemedyRate(name, bool(match["reported"]), match["cluster"] or "")


def follow_remedies(
    answers: pd.DataFrame,
    keys: list[str],
    rate: RemedyRate,
    *,
    plans: pd.DataFrame | None = None,
    leave_out: tuple[str, ...] = (),
) -> pd.DataFrame:
    """Follow the findings that a rate of remedy counts, a row a spell.

    Parameters
    ----------
    answers : DataFrame
        As ``map_answers`` gives it, with the day in ``date``.
    keys : list of str
        Entity and time column.
    plans : DataFrame, optional
        A row a remedy that the unit reports: entity, ``question``, ``remediated``.
    leave_out : tuple of str
        Items that describe an exposure.

    Returns
    -------
    DataFrame
        Key columns (the period in which the finding was first seen), ``item``, ``lower``
        and ``upper`` in days since then, as of ``list_spells``; sorted. Findings first seen
        at a unit's last assessment stay in, from 0 to infinity where no plan ends them.

    Raises
    ------
    MeasureError
        Where there is no such cluster, no plan for a rate of reported remedies, or as
        ``list_spells``.
    """
    entity, time = keys
    counted = ~answers["item"].isin(leave_out)
    if rate.cluster:
        counted &= answers["cluster"] == rate.cluster
    if not counted.any() or (rate.reported and plans is None):
        raise MeasureError(
            f"variable '{rate.name}'",
            seen="no table with the column 'remediated'"
            if counted.any()
            else f"no question in '{rate.cluster}' that counts",
            expected="improvement plans with their days, and questions that no exposure describes",
            do="Add the table to the source record, or rename the variable.",
        )
    rows = spell(answers[counted])
    spells = list_spells(rows, entity, _name_items(rows, plans) if rate.reported else None)
    days = rows[[entity, "date", time]].drop_duplicates([entity, "date"])
    placed = spells.merge(days, left_on=[entity, "opened"], right_on=[entity, "date"])
    listed = placed[[entity, time, "item", "lower", "upper"]]
    return listed.sort_values([entity, time, "item"], kind="stable", ignore_index=True)


def rate_remedies(spells: pd.DataFrame, keys: list[str], name: str) -> pd.DataFrame:
    """Rate remedies per finding and day, by the period in which findings were first seen.

    Ends over the days on which findings were followed; an end that is known up to an interval
    is put in its middle. Only to look at: compare with ``estimate_interval_censored``.
    """
    ended = np.isfinite(spells["upper"])
    days = ((spells["lower"] + spells["upper"]) / 2).where(ended, spells["lower"])
    sums = spells[keys].assign(ended=ended, days=days).groupby(keys, as_index=False).sum()
    rate = (sums["ended"] / sums["days"]).where(sums["days"] > 0)
    return sums[keys].assign(**{name: rate})


def _name_items(answers: pd.DataFrame, plans: pd.DataFrame | None) -> pd.DataFrame | None:
    """Name the items of plans, which know the questions' codes."""
    if plans is None or "item" in plans:
        return plans
    items = answers[["question", "item"]].drop_duplicates("question")
    return spell(plans).merge(items, on="question")


def list_spells(
    answers: pd.DataFrame, entity: str, plans: pd.DataFrame | None = None
) -> pd.DataFrame:
    """List the spells of non-compliance of each unit and item.

    A spell opens at the assessment that first has the finding and is over at some day
    between the last assessment that has it and the first later one that has not; so its
    length is known only up to an interval (right-censored where no later one has not).
    It is counted from the day on which the finding was first seen: when it began is not
    known, and where not even a clean answer came before (``onset`` unknown) it may have
    begun long ago.

    An improvement plan's own date narrows the interval to a day, if it lies in it: the
    first date on or after the last assessment with the finding. Earlier dates are
    contradicted by that assessment, or belong to an earlier spell; later ones than the
    clean assessment say nothing. Only publicly reported issues are verified there
    (Better Work, instructions of Progress Report 1); an end seen by an assessor is
    verified.

    Parameters
    ----------
    answers : DataFrame
        A row an answer: ``entity``, ``item``, ``date``, ``finding`` (0/1), ``critical``.
    plans : DataFrame, optional
        A row a remediation that the unit reports: ``entity``, ``item``, ``remediated``.

    Returns
    -------
    DataFrame
        Columns ``<entity>, item, opened, lower, upper, censoring, source, verified,
        onset``: ``lower`` and ``upper`` in days since ``opened`` (``inf`` where the
        finding was still there at the end), ``censoring`` exact, interval or right;
        ``source`` assessment or plan; ``onset`` after_clean or unknown; sorted by
        entity, item, opened.

    Raises
    ------
    MeasureError
        Where a column is absent, an answer has no day, a finding is neither 0 nor 1, or
        an item is answered twice on a day.
    """
    rows = _order(answers, entity)
    part = [entity, "item"]
    same = (rows[part] == rows[part].shift()).all(axis=1)
    begins = ~same | (rows["finding"] != rows["finding"].shift())
    runs = rows.assign(run=begins.cumsum(), clean=same & (rows["finding"].shift() == 0))
    spells = runs.groupby("run", sort=True).agg(
        **{
            entity: (entity, "first"),
            "item": ("item", "first"),
            "finding": ("finding", "first"),
            "opened": ("date", "first"),
            "last": ("date", "last"),
            "critical": ("critical", "max"),
            "clean": ("clean", "first"),
        }
    )
    follows = (spells[part] == spells[part].shift(-1)).all(axis=1)
    spells["cleared"] = spells["opened"].shift(-1).where(follows)
    spells = spells[spells["finding"] == 1].reset_index(drop=True)
    return _measure_spells(_with_plans(spells, plans, entity), entity)


def _order(answers: pd.DataFrame, entity: str) -> pd.DataFrame:
    """Put the answers of each unit to each item in the order of their days."""
    wanted = [entity, "item", "date", "finding", "critical"]
    absent = [column for column in wanted if column not in answers]
    if absent:
        raise MeasureError(
            "list_spells",
            seen=f"columns {', '.join(answers.columns)}",
            expected=f"also {', '.join(absent)}",
            do="Add the assessment's day to the source record.",
        )
    check_findings(answers["finding"], "list_spells")
    rows = answers.loc[answers["finding"].notna(), wanted].sort_values([entity, "item", "date"])
    undated = int(rows["date"].isna().sum())
    twice = int(rows.duplicated([entity, "item", "date"]).sum())
    if undated or twice:
        raise MeasureError(
            "list_spells",
            seen=f"{undated} answers without a day, {twice} to the same item on the same day",
            expected="each item of a unit once a day",
            do="Complete the days, or remove the repetition, in the raw file.",
        )
    return rows


def _with_plans(spells: pd.DataFrame, plans: pd.DataFrame | None, entity: str) -> pd.DataFrame:
    """Find the first day that a plan reports from the last finding on, until it is gone."""
    if plans is None:
        return spells.assign(remediated=pd.Series(pd.NaT, spells.index, dtype="datetime64[ns]"))
    absent = [c for c in (entity, "item", "remediated") if c not in plans]
    if absent:
        raise MeasureError(
            "list_spells: plans",
            seen=f"columns {', '.join(plans.columns)}",
            expected=f"also {', '.join(absent)}",
            do="Name the columns so in the source record.",
        )
    plan = plans.loc[plans["remediated"].notna(), [entity, "item", "remediated"]]
    joined = pd.merge_asof(
        spells.sort_values("last"),
        plan.assign(day=plan["remediated"].astype(spells["last"].dtype)).sort_values("day"),
        left_on="last",
        right_on="day",
        by=[entity, "item"],
        direction="forward",
    )
    beyond = joined["remediated"] > joined["cleared"]
    return joined.assign(remediated=joined["remediated"].mask(beyond))


def _measure_spells(spells: pd.DataFrame, entity: str) -> pd.DataFrame:
    opened = spells["opened"]
    reported, last, cleared = (
        (spells[moment] - opened).dt.days.astype("float64")
        for moment in ("remediated", "last", "cleared")
    )
    planned = reported.notna()
    ended = cleared.notna()
    listed = pd.DataFrame(
        {
            entity: spells[entity],
            "item": spells["item"],
            "opened": opened,
            "lower": reported.where(planned, last),
            "upper": reported.where(planned, cleared.fillna(np.inf)),
            "censoring": np.select([planned, ~ended], ["exact", "right"], default="interval"),
            "source": np.where(planned, "plan", "assessment"),
            "verified": np.where(planned, spells["critical"].astype(bool), ended),
            "onset": np.where(spells["clean"].astype(bool), "after_clean", "unknown"),
        }
    )
    order = [entity, "item", "opened"]
    return listed.sort_values(order, kind="stable").reset_index(drop=True)
