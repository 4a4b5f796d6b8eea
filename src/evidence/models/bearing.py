"""Who bears a coefficient, what it is without them, and what it is in each cell."""

from __future__ import annotations

import numpy as np
import pandas as pd

from evidence.models.designs.pooling import tabulate_cells
from evidence.models.estimators import redesign
from evidence.models.fit import take_out
from evidence.models.kernel.curve import leave_out
from evidence.panel import Panel, cluster_column


def list_cells(panel: Panel, specification: str) -> pd.DataFrame:
    """List the estimate of the first exposure in each cell that ``pooled_cells`` pools.

    Returns
    -------
    DataFrame
        As ``tabulate_cells``.

    Raises
    ------
    ModelError
        Where the specification's estimator is another one.
    """
    _, design = redesign(panel, specification, ("pooled_cells",))
    return tabulate_cells(design, panel.study.specification(specification).exposures[0])


def list_bearing(panel: Panel, specification: str, level: str = "") -> pd.DataFrame:
    """List who bears the first exposure's coefficient, and what it is without each of them.

    A unit bears it by the squares of the exposure that are left once effects and the other
    regressors are taken out (Frisch and Waugh 1933).

    Parameters
    ----------
    level : str
        Whose units are left out one by one, as in a study's ``level``; empty: entities.

    Returns
    -------
    DataFrame
        Index: the unit, the one that bears most first. Columns ``rows``, ``share`` and
        ``up_to_here`` (of the whole, 0 to 1), ``estimate`` and ``std_error`` without it.

    Raises
    ------
    ModelError
        Where the estimator is not least squares, or nothing is left of the exposure.
    PanelError
        Where the study declares no units of the level.
    """
    unit = cluster_column(panel.study, level or panel.study.entity.level)
    sample, design = redesign(panel, specification, ("pooled_ols", "fixed_effects"))
    spec = panel.study.specification(specification)
    names, term = list(spec.regressors), spec.exposures[0]
    left = take_out(sample, spec, names)
    alone, others = left[term].to_numpy(), left.drop(columns=term).to_numpy()
    rest = alone - others @ np.linalg.lstsq(others, alone, rcond=None)[0]
    groups = sample.data[unit]
    borne = pd.Series(np.square(rest)).groupby(groups.to_numpy()).sum()
    without = leave_out(design, groups, term).set_index("left_out")
    table = pd.DataFrame(
        {
            "rows": groups.value_counts(),
            "share": borne / borne.sum(),
            "estimate": without["estimate"],
            "std_error": without["std_error"],
        }
    ).sort_values("share", ascending=False, kind="stable")
    table.insert(2, "up_to_here", table["share"].cumsum())
    return table.rename_axis(unit)
