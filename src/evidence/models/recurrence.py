"""What comes before what: how long findings last, and which findings come before others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from evidence.errors import ModelError
from evidence.models.checks.families import adjust_p_values
from evidence.models.design import Design, tabulate_estimates
from evidence.models.designs.durations import Spells, estimate_survival
from evidence.models.kernel.least_squares import estimate_least_squares
from evidence.panel import UPPER, Panel, select_sample

_POINT = "noncompliant_on_"


def list_lasting(
    panel: Panel, specification: str, by: str, *, days: Sequence[int] = (90, 180, 365, 730)
) -> pd.DataFrame:
    """List the share of findings that last longer than so many days, without a model.

    Nonparametric maximum likelihood (``estimate_survival``), by the values of ``by`` in the
    period in which a finding was first seen. Between two innermost intervals the
    share is known, within one only at its ends: given is that at its last end.

    Returns
    -------
    DataFrame
        Index: the days; a column a value of ``by``; shares from 0 to 1.
    """
    spec = panel.study.specification(specification)
    data = select_sample(panel, replace(spec, exposure=(by,), controls=())).data
    where = f"{panel.study.path.name}: specification '{spec.id}'"
    spells = Spells(data[spec.outcome], data[UPPER], data[[]], strata=data[by], where=where)
    table = estimate_survival(spells)
    return pd.DataFrame(
        {
            value: [_survival(part, day) for day in days]
            for value, part in table.groupby("stratum", sort=True)
        },
        index=pd.Index(days, name="days"),
    ).rename_axis(columns=by)


def link_findings(panel: Panel, points: Sequence[str] = ()) -> pd.DataFrame:
    """Link findings over time: which points come before new findings on which others.

    For each point, among units that are clean on it in a period: how much commoner a finding
    on it is one period later where there is one on ``before`` now, beside all other points
    and in the same period (least squares with period effects, clustered by unit: CR1). Units
    have no effects of their own: where findings feed back on each other, and periods are
    few, these would turn links round (Nickell 1981). Adjusted for all pairs
    by Benjamini and Hochberg (1995).

    Parameters
    ----------
    points : sequence of str
        Columns of the panel, 0 or 1; all ``noncompliant_on_…`` where empty.

    Returns
    -------
    DataFrame
        Columns ``before, after, nobs, n_entities, excess`` (of the chance, −1 to 1),
        ``std_error, p_value, p_adjusted``; the least p-value first. A point that is the same
        everywhere is left out.

    Raises
    ------
    ModelError
        Where there are fewer than two points, or two of them are always alike.
    """
    names = list(points) or [n for n in map(str, panel.data.columns) if n.startswith(_POINT)]
    if len(names) < 2:
        raise ModelError(
            f"{panel.study.path.name}: link_findings",
            seen=f"{len(names)} points",
            expected="two or more",
            do=f"Declare variables named {_POINT}<point>.",
        )
    flags = panel.data[names].astype("float64")
    time = flags.index.get_level_values("time").to_series(index=flags.index)
    follows = time.groupby(level="entity").diff(-1) == -1
    later = flags.groupby(level="entity").shift(-1).where(follows)
    table = pd.concat([_link(flags, later[after], after) for after in names], ignore_index=True)
    adjusted = adjust_p_values(table["p_value"], "benjamini_hochberg")
    table = table.assign(p_adjusted=adjusted.to_numpy())
    return table.sort_values("p_value", kind="stable", ignore_index=True)


def _survival(table: pd.DataFrame, day: int) -> float:
    gone = table["survival"][table["end"] <= day]
    return float(gone.iloc[-1]) if len(gone) else 1.0


def _link(flags: pd.DataFrame, later: pd.Series, after: str) -> pd.DataFrame:
    """Compare the next period's finding on a point with this period's on all others."""
    rows = (flags[after] == 0) & later.notna() & flags.notna().all(axis=1)
    others = flags.loc[rows].drop(columns=after)
    others = others.loc[:, others.nunique() > 1]
    index = others.index
    entity = index.get_level_values("entity").to_series(index=index)
    effects = index.get_level_values("time").to_series(index=index).to_frame("time")
    design = Design(later[rows], others, effects, entity, where=f"link_findings: {after}")
    told = tabulate_estimates(estimate_least_squares(design))
    return pd.DataFrame(
        {
            "before": told["term"],
            "after": after,
            "nobs": len(index),
            "n_entities": entity.nunique(),
            "excess": told["estimate"],
            "std_error": told["std_error"],
            "p_value": told["p_value"],
        }
    )
