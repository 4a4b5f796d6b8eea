"""Social dialogue as measured: functioning, rights, and what workers know of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from evidence.errors import MeasureError
from evidence.measures.coding import spell
from evidence.measures.crosswalk import check_keys
from evidence.packs import Index, Pair, Questionnaire

_OF_PAIR = ("known", "known_low", "known_high", "workers", "paper", "gap")
"""Columns that ``score_pair`` gives, behind the pair's id."""


def score_index(
    index: Index, answers: pd.DataFrame | None, records: pd.DataFrame | None, keys: list[str]
) -> pd.DataFrame:
    """Score a dialogue index: the share of its parts that hold.

    A question, also each one of a point, holds where it has no finding by the law of the
    day; a flag column where it is 1. The parts that might have had an answer are the
    index's columns and as many questions as the unit with most answers in the country
    has: what is asked differs between countries.

    Parameters
    ----------
    answers : DataFrame or None
        Answers through the crosswalk (``map_answers``).
    records : DataFrame or None
        A row a unit and period.
    keys : list of str
        Entity and time column.

    Returns
    -------
    DataFrame
        Key columns and a column of the index's id: 0 to 1, missing where fewer than
        ``least_answered`` of the parts have an answer.

    Raises
    ------
    MeasureError
        Where the data hold none of the parts, or a flag is neither 0 nor 1.
    """
    asked = _answered_questions(index, answers, keys)
    flags = _answered_flags(index, records, keys)
    parts = pd.concat([part for part in (asked, flags) if part is not None] or [pd.DataFrame()])
    if parts.empty:
        wanted = (*index.questions, *index.points, *index.columns)
        raise MeasureError(
            f"index '{index.id}'",
            seen="none of its parts in the data",
            expected=f"some of {', '.join(wanted)}",
            do="Add the columns or questions to the source, or leave the index out.",
        )
    scored = parts.groupby(keys, sort=True)[["held", "count", "most"]].sum().reset_index()
    most = scored["most"].where(scored["most"] > 0, 0 if asked is None else asked["most"].max())
    enough = scored["count"] >= index.least_answered * (most + len(index.columns))
    share = scored["held"] / scored["count"].where(scored["count"] > 0)
    scored[index.id] = share.where(enough)
    return scored[[*keys, index.id]]


def _answered_questions(
    index: Index, answers: pd.DataFrame | None, keys: list[str]
) -> pd.DataFrame | None:
    """Count a unit's questions that hold, those answered, and the most of its country."""
    if answers is None:
        return None
    chosen = answers["item"].isin(index.questions) | answers["point"].isin(index.points)
    wanted = [c for c in dict.fromkeys((*keys, "country", "finding")) if c in answers]
    rows = spell(answers.loc[(chosen & answers["finding"].notna()).to_numpy(), wanted])
    if rows.empty:
        return None
    country = rows["country"].fillna("") if "country" in rows else ""
    told = rows[keys].assign(where=country, held=1 - rows["finding"].astype("float64"), count=1)
    units = told.groupby([*keys, "where"])[["held", "count"]].sum().reset_index()
    units["most"] = units.groupby("where")["count"].transform("max")
    return units.drop(columns="where")


def _answered_flags(
    index: Index, records: pd.DataFrame | None, keys: list[str]
) -> pd.DataFrame | None:
    present = [column for column in index.columns if records is not None and column in records]
    if records is None or not present:
        return None
    for column in present:
        _check_flag(records[column], index, column)
    flags = records[present].astype("float64")
    count = flags.notna().sum(axis=1)
    if not count.any():
        return None
    return records[keys].assign(held=flags.sum(axis=1), count=count, most=0)


def score_pair(
    pair: Pair, records: pd.DataFrame, workers: pd.DataFrame, keys: list[str], level: float = 0.95
) -> pd.DataFrame:
    """Compare what exists on paper with what workers know of it.

    The interval is Wilson's (E. B. Wilson 1927, JASA 22, 209–212), which holds its level
    for the ten to thirty workers that are asked in a factory.

    Parameters
    ----------
    records : DataFrame
        A row a unit and period, with the flag column ``pair.manager``.
    workers : DataFrame
        A row a worker, with the flag column ``pair.worker``.
    keys : list of str
        Entity and time column, in both.
    level : float
        Coverage of the interval.

    Returns
    -------
    DataFrame
        Key columns, ``<id>_known`` (share of the workers asked), ``<id>_known_low``,
        ``<id>_known_high``, ``<id>_workers`` (count asked), ``<id>_paper`` (flag) and
        ``<id>_gap``: the share that does not know what exists on paper; missing where
        nothing exists on paper.

    Raises
    ------
    MeasureError
        Where a column is absent, a key is missing or a flag is neither 0 nor 1.
    """
    for frame, column, who in ((records, pair.manager, "unit"), (workers, pair.worker, "worker")):
        if column not in frame:
            raise MeasureError(
                f"pair '{pair.id}'",
                seen=f"columns {', '.join(frame.columns)}",
                expected=f"'{column}' in the table a {who}",
                do="Add the column to the source record, or leave the pair out.",
            )
        check_keys(frame, keys, f"pair '{pair.id}'")
        _check_flag(frame[column], pair, column)
    asked = workers[workers[pair.worker].notna()]
    known = asked.groupby(keys)[pair.worker].agg(["sum", "size"]).reset_index()
    low, high = wilson(known["sum"], known["size"], level)
    name = pair.id
    known = known.assign(
        **{
            f"{name}_known": known["sum"] / known["size"],
            f"{name}_known_low": low,
            f"{name}_known_high": high,
            f"{name}_workers": known["size"],
        }
    ).drop(columns=["sum", "size"])
    paper = records[[*keys, pair.manager]].rename(columns={pair.manager: f"{name}_paper"})
    joined = paper.merge(known, on=keys, how="left", validate="many_to_one")
    joined[f"{name}_workers"] = joined[f"{name}_workers"].fillna(0).astype("int64")
    joined[f"{name}_gap"] = (1 - joined[f"{name}_known"]).where(joined[f"{name}_paper"] == 1)
    return joined


def wilson(found: pd.Series, asked: pd.Series, level: float) -> tuple[pd.Series, pd.Series]:
    """Compute Wilson's interval of a share: lower and upper ends (0 to 1)."""
    z = float(stats.norm.ppf(0.5 + level / 2))
    share = found / asked
    centre = (share + z**2 / (2 * asked)) / (1 + z**2 / asked)
    half = z * np.sqrt(share * (1 - share) / asked + z**2 / (4 * asked**2)) / (1 + z**2 / asked)
    return (centre - half).clip(lower=0), (centre + half).clip(upper=1)


def columns_of(pair: Pair) -> tuple[str, ...]:
    """Name the columns that a pair gives."""
    return tuple(f"{pair.id}_{name}" for name in _OF_PAIR)


def list_institutions(questionnaire: Questionnaire) -> set[str]:
    """List the dialogue institutions that parts of a questionnaire describe."""
    return {i for _, institutions in _describing(questionnaire) for i in institutions}


def institutions_of(name: str, questionnaire: Questionnaire) -> set[str]:
    """Find the dialogue institutions that a variable of this name describes.

    The name may be an institution's own, that of a question, a point, an index, a flag
    of an index, a ratio, what a ratio counts, or a column of a pair.
    """
    own = {name} & list_institutions(questionnaire)
    return own | {i for names, told in _describing(questionnaire) if name in names for i in told}


def _describing(questionnaire: Questionnaire) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """List names that a variable may have, with the institutions that they describe."""
    return [
        *(((p.id,), p.institution) for p in questionnaire.points),
        *(((q.id,), q.institution) for q in questionnaire.questions),
        *(((i.id, *i.columns), i.institution) for i in questionnaire.indices),
        *(((m.id, *m.over), m.institution) for m in questionnaire.measures),
        *(((p.manager, p.worker, *columns_of(p)), p.institution) for p in questionnaire.pairs),
    ]


def items_of(
    institutions: set[str], names: set[str], questionnaire: Questionnaire
) -> tuple[set[str], set[str]]:
    """Find the items, and the points, to leave out.

    Those of the institutions, those that indices of these names are made of, and those
    of these names.
    """
    points = {p.id for p in questionnaire.points if institutions & set(p.institution)}
    points |= {p.id for p in questionnaire.points if p.id in names}
    items = {
        q.id
        for q in questionnaire.questions
        if institutions & set(q.institution) or q.point in points or q.id in names
    }
    for index in questionnaire.indices:
        if index.id in names:
            items |= set(index.questions)
            points |= set(index.points)
    return items, points


def _check_flag(values: pd.Series, part: Index | Pair, column: str) -> None:
    wrong = values[values.notna() & ~values.isin([0, 1])]
    if not wrong.empty:
        raise MeasureError(
            f"'{part.id}', column '{column}'",
            seen=f"'{wrong.iloc[0]}'",
            expected="0, 1 or no answer",
            do="Give the column the type 'flag' in the source record.",
        )
