"""Solve least squares: from cross products where that is safe, from the rows where not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from evidence.errors import ModelError
from evidence.models.design import Codes, Floats

NO_CHANGE = 1e-10
"""Share of a column's variance that has to be left once the effects are out."""

COLLINEAR = 1e-8
"""Share of a column's length that the columns before it must leave."""

_SAFE = 1e-6
_TURNS = 10
_STILL = 1e-17


@dataclass(frozen=True, slots=True)
class Solution:
    """``coefficients`` (K,) and ``bread`` (K × K), the inverse of the cross products."""

    coefficients: Floats
    bread: Floats


def find_absorbed(cross: Floats, spread: Floats, names: Sequence[str]) -> list[str]:
    """Find columns of which the effects leave nothing: (K × K) and (K,) → names."""
    left = np.diag(cross)
    return [
        name
        for name, inside, whole in zip(names, left, spread, strict=True)
        if not whole > 0 or inside / whole < NO_CHANGE
    ]


def solve_cross(cross: Floats) -> Solution | None:
    """Solve from cross products of [y, X] (p × p); None where digits would be lost.

    The columns are scaled to unit length; a smallest eigenvalue below 1e-6 means that
    squaring has cost more than six digits.
    """
    scale = np.sqrt(np.diag(cross)[1:])
    if not np.isfinite(scale).all() or (scale == 0).any():
        return None
    correlation = cross[1:, 1:] / np.outer(scale, scale)
    if float(np.linalg.eigvalsh(correlation)[0]) < _SAFE:
        return None
    factor = linalg.cho_factor(correlation)
    bread = linalg.cho_solve(factor, np.eye(len(scale))) / np.outer(scale, scale)
    coefficients = linalg.cho_solve(factor, cross[1:, 0] / scale) / scale
    return Solution(coefficients, bread)


def solve_rows(
    outcome: Floats,
    columns: Floats,
    names: Sequence[str],
    *,
    where: str,
    collinear: float = COLLINEAR,
) -> Solution:
    """Solve from the rows by QR of scaled columns, refined in extended precision.

    The refinement is of the augmented system (Björck 1967), so that residuals and
    coefficients improve together; the scale is a power of two, so that no digit of the columns
    is rounded away before. Where the platform's long double is a double, the
    refinement gains less.

    Raises
    ------
    ModelError
        Where a column is a combination of others, up to ``collinear``.
    """
    scale = np.sqrt((columns**2).sum(axis=0))
    scale = np.exp2(np.round(np.log2(np.where(scale > 0, scale, 1.0))))
    scaled = columns / scale
    basis, factor, order = linalg.qr(scaled, mode="economic", pivoting=True)
    sizes = np.abs(np.diag(factor))
    rank = int((sizes > collinear).sum())
    if rank < columns.shape[1]:
        raise refuse_collinear(scaled, names, where=where)
    wide, target = scaled.astype(np.longdouble), outcome.astype(np.longdouble)
    beta, left = np.zeros(len(names), np.longdouble), np.zeros(len(outcome), np.longdouble)
    before = np.inf
    for _ in range(_TURNS):
        gap, slope = target - left - wide @ beta, -(wide.T @ left)
        change, shift = _correct(
            basis, factor, order, gap.astype(np.float64), slope.astype(np.float64)
        )
        size = float(np.abs(change).max()) if len(change) else 0.0
        if not size < before / 2:
            break
        beta, left, before = beta + change, left + shift, size
        if size <= _STILL * float(np.abs(beta).max()):
            break
    inverse = np.empty_like(factor)
    inverse[np.ix_(order, order)] = linalg.cho_solve((factor, False), np.eye(len(order)))
    coefficients = np.asarray(beta / scale, dtype=np.float64)
    return Solution(coefficients, inverse / np.outer(scale, scale))


def _correct(
    basis: Floats, factor: Floats, order: Codes, gap: Floats, slope: Floats
) -> tuple[Floats, Floats]:
    """Solve the augmented system r + X b = gap, X'r = slope for b and r."""
    inside = linalg.solve_triangular(factor, slope[order], trans="T")
    along = basis.T @ gap
    change = np.empty(len(order))
    change[order] = linalg.solve_triangular(factor, along - inside)
    shift = gap - basis @ along + basis @ inside
    return change, shift


def refuse_collinear(scaled: Floats, names: Sequence[str], *, where: str) -> ModelError:
    """Make the refusal of collinear columns, with the names of those involved."""
    directions = linalg.svd(scaled, full_matrices=False)[2]
    loading = np.abs(directions[-1])
    involved = [name for name, load in zip(names, loading, strict=True) if load > 1e-3]
    return ModelError(
        where,
        seen=f"{', '.join(involved or names)}, of which one is a combination of the others",
        expected="regressors of which none is a combination of others and effects",
        do="Take one of the regressors out, or widen the sample.",
    )
