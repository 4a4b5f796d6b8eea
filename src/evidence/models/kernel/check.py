"""What a design has to be before the kernel sees it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from evidence.errors import ModelError
from evidence.models.design import Design, Floats
from evidence.models.kernel.absorb import Effects, code_effects

_NUMBERS = "fiub"


def check_design(design: Design, crossed: pd.Series | None = None) -> Effects:
    """Check the parts of a design against each other, and code its effects.

    Raises
    ------
    ModelError
        For parts of unequal length, no row, no or repeated regressors, columns that are no
        numbers, rows without a level of an effect.
    """
    _check_types(design, crossed)
    effects = code_effects(design.effects)
    _check_labels(design, effects)
    return effects


def lay_out(design: Design) -> Floats:
    """Lay out [outcome, regressors] as one array (n × 1 + K).

    Raises
    ------
    ModelError
        Where a value is missing or infinite.
    """
    columns = np.empty((len(design.outcome), 1 + design.regressors.shape[1]))
    columns[:, 0] = design.outcome
    columns[:, 1:] = design.regressors.to_numpy(dtype=np.float64)
    finite = np.isfinite(columns)
    if not finite.all():
        number = int(np.flatnonzero(~finite.all(axis=0))[0])
        name = "the outcome" if not number else str(design.regressors.columns[number - 1])
        raise ModelError(
            design.where,
            seen=f"{int((~finite[:, number]).sum())} values of {name} that are missing or infinite",
            expected="finite numbers",
            do="Drop or mend these rows in the raw file before you estimate.",
        )
    return columns


def _check_types(design: Design, crossed: pd.Series | None) -> None:
    parts = (design.regressors, design.effects, design.clusters, crossed)
    lengths = {len(part) for part in (design.outcome, *parts) if part is not None}
    if len(lengths) > 1 or (crossed is not None and design.clusters is None):
        raise ModelError(
            design.where,
            seen=f"columns of {', '.join(map(str, sorted(lengths)))} rows"
            if len(lengths) > 1
            else "a second dimension of clusters without a first",
            expected="one length, and clusters before crossed ones",
            do="Take outcome, regressors, effects and clusters from the same rows.",
        )
    if not len(design.outcome):
        raise ModelError(
            design.where,
            seen="no row",
            expected="rows to estimate from",
            do="Widen the sample.",
        )
    if design.regressors.columns.has_duplicates or not len(design.regressors.columns):
        raise ModelError(
            design.where,
            seen=f"the regressors {', '.join(map(str, design.regressors.columns)) or '(none)'}",
            expected="at least one, and each name once",
            do="Name each regressor once.",
        )
    plain = all(
        isinstance(own, np.dtype) and own.kind in _NUMBERS for own in design.regressors.dtypes
    )
    regressors = () if plain else design.regressors.items()
    for name, column in [(design.outcome.name, design.outcome), *regressors]:
        if np.asarray(column).dtype.kind not in _NUMBERS:
            raise ModelError(
                design.where,
                seen=f"{name} of type {column.dtype}",
                expected="numbers without missing values",
                do="Give the column a numeric type in the source record.",
            )


def _check_labels(design: Design, effects: Effects) -> None:
    for name, code in zip(effects.names, effects.codes, strict=True):
        if code.min() < 0:
            raise ModelError(
                design.where,
                seen=f"{int((code < 0).sum())} rows without {name}",
                expected=f"a {name} for every row",
                do="Complete the column in the raw file, or do not absorb it.",
            )
