"""Take any number of effects out of columns: exact where the design allows, else iterated.

The dimension with the most levels is eliminated by demeaning; what the others leave is
solved from the reduced normal equations: directly where one small dimension remains, by
conjugate gradients with the diagonal as preconditioner otherwise. What is left is checked
against every dimension: the tolerance is proved, not hoped for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse
from scipy.sparse import csgraph

from evidence.errors import ModelError
from evidence.models.design import Codes, Floats

MOST_DIRECT = 300
"""Levels of a remaining dimension up to which the direct solution is taken."""

LEFT_OVER = 1e-11
"""Largest group mean that may remain, in units of the column's own standard deviation."""

_FEW_LABELS = 10_000
_SWEEPS = 8
_MOST_TURNS = 2_000
_STILL = 1e-13
_NOTHING = 1e-2

Operator = Callable[[Floats], Floats]


@dataclass(frozen=True, slots=True)
class Effects:
    """Dimensions to absorb: ``codes`` (n,) each with levels 0 … L−1, and ``levels``."""

    names: tuple[str, ...]
    codes: tuple[Codes, ...]
    levels: tuple[int, ...]

    @property
    def rank(self) -> int:
        """Count of independent indicators: exact for two dimensions, else an upper bound.

        Two dimensions lose one for each connected set (Abowd, Creecy and Kramarz 2002).
        """
        if not self.levels:
            return 0
        if len(self.levels) == 1:
            return self.levels[0]
        first, second, *others = np.argsort(self.levels)[::-1]
        links = _cross(self, int(first), int(second))
        pieces = csgraph.connected_components(sparse.block_array([[None, links], [links.T, None]]))
        exact = self.levels[first] + self.levels[second] - int(pieces[0])
        return int(exact + sum(self.levels[other] - 1 for other in others))


def code_effects(labels: pd.DataFrame) -> Effects:
    """Code the labels of each dimension, a column each."""
    coded = [code_labels(labels[name]) for name in labels.columns]
    levels = tuple(int(code.max(initial=-1)) + 1 for code in coded)
    return Effects(tuple(map(str, labels.columns)), tuple(coded), levels)


def code_labels(labels: pd.Series) -> Codes:
    """Code labels (n,) as 0 … L−1, sorted labels in their order; −1 where missing."""
    values = labels.to_numpy()
    if values.dtype.kind in "iu" and len(values):
        head = values[:_FEW_LABELS]
        ends = np.flatnonzero(values[1:] != values[:-1]) if (head[1:] >= head[:-1]).all() else None
        if ends is not None and (values[ends + 1] > values[ends]).all():
            sizes = np.diff(np.concatenate([[-1], ends, [len(values) - 1]]))
            return np.repeat(np.arange(len(sizes)), sizes)
        low, high = int(values.min()), int(values.max())
        if high - low < _FEW_LABELS:
            codes = values.astype(np.int64, copy=False) - low
            present = np.bincount(codes) > 0
            return codes if present.all() else (np.cumsum(present) - 1)[codes]
    return np.asarray(pd.factorize(values)[0], dtype=np.int64)


def code_clusters(labels: pd.Series, where: str) -> Codes:
    """Code the clusters of rows.

    Raises
    ------
    ModelError
        Where a row has none.
    """
    codes = code_labels(labels)
    missing = int((codes < 0).sum())
    if missing:
        raise ModelError(
            where,
            seen=f"{missing} rows without a cluster",
            expected="a cluster for every row, because inference is made there",
            do="Complete the column in the raw file, or cluster at another level.",
        )
    return codes


def find_singletons(effects: Effects) -> tuple[npt.NDArray[np.bool_], bool]:
    """Find rows that are not alone in a level of any dimension, by turns until all are so.

    A row alone in its level is fitted exactly by its own effect and carries no
    information (Correia 2015). Returns a mask (n,) of the rows to keep, and whether all
    levels but those of the first dimension still have some.
    """
    kept = np.ones(len(effects.codes[0]) if effects.codes else 0, dtype=bool)
    sizes = [
        np.bincount(code, minlength=levels)
        for code, levels in zip(effects.codes, effects.levels, strict=True)
    ]
    while any((size == 1).any() for size in sizes):
        alone = np.zeros_like(kept)
        for code, size in zip(effects.codes, sizes, strict=True):
            if (size == 1).any():
                alone |= (size == 1)[code]
        alone &= kept
        kept &= ~alone
        sizes = [
            size - np.bincount(code[alone], minlength=len(size))
            for code, size in zip(effects.codes, sizes, strict=True)
        ]
    return kept, all((size > 0).all() for size in sizes[1:])


def absorb(
    columns: Floats, effects: Effects, *, weights: Floats | None = None, where: str = "model"
) -> Floats:
    """Take all effects out of ``columns`` (n × p); (n × p) new.

    ``weights`` (n,), positive, weight the means. Columns are standardised meanwhile, so
    a large offset costs no digits.

    Raises
    ------
    ModelError
        Where a group mean above ``LEFT_OVER`` remains after all turns.
    """
    mass = np.ones(len(columns)) if weights is None else np.asarray(weights, dtype=np.float64)
    centre = mass @ columns / mass.sum()
    left = columns - centre
    scale = np.sqrt(mass @ left**2 / mass.sum())
    scale = np.where(scale > 0, scale, 1.0)
    left /= scale
    if effects.codes:
        solver = _Solver.prepare(effects, mass)
        for _ in range(_SWEEPS):
            left = solver.sweep(left)
            if _largest_mean(left, effects, mass) < LEFT_OVER:
                break
        else:
            raise ModelError(
                f"{where}: effects {', '.join(effects.names)}",
                seen=f"group means of {_largest_mean(left, effects, mass):.1e} standard "
                "deviations that remain",
                expected=f"none above {LEFT_OVER:g}",
                do="The groups hang together by few rows: take one of the effects out.",
            )
    result: Floats = left * scale
    return result


@dataclass(frozen=True, slots=True)
class _Solver:
    sweep: Operator

    @staticmethod
    def prepare(effects: Effects, mass: Floats) -> _Solver:
        """Choose the way by the count of dimensions and levels."""
        first, *others = (int(number) for number in np.argsort(effects.levels)[::-1])
        demean = _demeaner(effects.codes[first], effects.levels[first], mass)
        if not others:
            return _Solver(demean)
        indicators = sparse.hstack([_indicate(effects, other) for other in others], format="csr")
        owners = _indicate(effects, first)
        weighted = sparse.csr_array(indicators.multiply(mass[:, None]))
        cells = sparse.csr_array(owners.T @ weighted)
        sums = np.asarray(owners.T @ mass)
        diagonal = np.asarray(weighted.sum(axis=0)).ravel()
        inner = sparse.csr_array(weighted.T @ indicators)

        def reduced(levels: Floats) -> Floats:
            product: Floats = inner @ levels - cells.T @ ((cells @ levels) / sums[:, None])
            return product

        direct = len(others) == 1 and effects.levels[others[0]] <= MOST_DIRECT
        if direct:
            inverse = np.linalg.pinv(reduced(np.eye(len(diagonal))), rcond=1e-12, hermitian=True)
        noise = float(np.sqrt(mass.sum())) * _NOTHING
        own = np.asarray((cells.multiply(cells)).T @ (1 / sums)).ravel()
        jacobi = np.where(diagonal - own > 1e-8, diagonal - own, 1.0)

        def sweep(left: Floats) -> Floats:
            inside = demean(left)
            target = weighted.T @ inside
            paths = inverse @ target if direct else _descend(reduced, target, jacobi, noise)
            return demean(inside - indicators @ paths)

        return _Solver(sweep)


def _descend(operator: Operator, target: Floats, diagonal: Floats, noise: float) -> Floats:
    """Solve a semidefinite system for every column by preconditioned conjugate gradients.

    A target below ``noise`` counts as one of that size: there is nothing left to solve.
    """
    solution = np.zeros_like(target)
    residual = target.copy()
    goal = _STILL * np.maximum(np.linalg.norm(target, axis=0), noise)
    ahead = residual / diagonal[:, None]
    direction = ahead.copy()
    product = np.einsum("ij,ij->j", residual, ahead)
    for _ in range(_MOST_TURNS):
        if (np.linalg.norm(residual, axis=0) <= goal).all():
            break
        image = operator(direction)
        bend = np.einsum("ij,ij->j", direction, image)
        step = np.divide(product, bend, out=np.zeros_like(product), where=bend > 0)
        solution += step * direction
        residual -= step * image
        ahead = residual / diagonal[:, None]
        previous, product = product, np.einsum("ij,ij->j", residual, ahead)
        turn = np.divide(product, previous, out=np.zeros_like(product), where=previous > 0)
        direction = ahead + turn * direction
    return solution


def _demeaner(code: Codes, levels: int, mass: Floats) -> Operator:
    owners = _one_hot(code, levels)
    weighted = sparse.csr_array(owners.multiply(mass[:, None]))
    sums = np.asarray(owners.T @ mass)[:, None]

    def demean(left: Floats) -> Floats:
        means = (weighted.T @ left) / sums
        inside: Floats = left - means[code]
        return inside

    return demean


def _largest_mean(left: Floats, effects: Effects, mass: Floats) -> float:
    most = 0.0
    for number, code in enumerate(effects.codes):
        owners = _indicate(effects, number)
        sums = np.bincount(code, mass, minlength=effects.levels[number])
        means = np.abs(owners.T @ (left * mass[:, None])) / sums[:, None]
        most = max(most, float(means.max()))
    return most


def _indicate(effects: Effects, number: int) -> sparse.csr_array:
    return _one_hot(effects.codes[number], effects.levels[number])


def _one_hot(code: Codes, levels: int) -> sparse.csr_array:
    rows = np.arange(len(code) + 1)
    return sparse.csr_array((np.ones(len(code)), code, rows), shape=(len(code), levels))


def _cross(effects: Effects, first: int, second: int) -> sparse.csr_array:
    return sparse.csr_array(_indicate(effects, first).T @ _indicate(effects, second))
