"""Sums over whole entities: all that two-way effects and clustered errors need.

Rows come in blocks of whole entities, sorted by entity; from memory or from files.
Two scans: the first gives cross products net of entity effects, the second the score of
each entity. Frisch-Waugh-Lovell does the rest on matrices of the size of periods and
regressors, so memory does not grow with rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from evidence.models.design import Codes, Floats

BLOCK_ROWS = 16_384
_RANK = 1e-10


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of whole entities: ``values`` (m × p), ``bounds`` (g + 1), ``periods`` (m,) or None."""

    values: Floats
    bounds: npt.NDArray[np.int32]
    periods: npt.NDArray[np.int32] | None


@dataclass(frozen=True, slots=True)
class Moments:
    """Cross products net of entity means, summed over entities; they add.

    ``cross`` (p × p) of the values, ``by_period`` (T × p) of periods with values,
    ``periods`` (T × T) of the period indicators; ``totals`` and ``squares`` (p,) are sums
    before entities are taken out.
    """

    nobs: int
    n_entities: int
    cross: Floats
    by_period: Floats
    periods: Floats
    totals: Floats
    squares: Floats

    @property
    def spread(self) -> Floats:
        """Sums of squares around the mean (p,), before any effect is taken out."""
        spread: Floats = self.squares - self.totals**2 / self.nobs
        return spread

    def __add__(self, other: Moments) -> Moments:
        """Put the entities of two sets together."""
        return self._combine(other, 1)

    def __sub__(self, other: Moments) -> Moments:
        """Take the entities of a subset out again."""
        return self._combine(other, -1)

    def _combine(self, other: Moments, sign: int) -> Moments:
        return Moments(
            self.nobs + sign * other.nobs,
            self.n_entities + sign * other.n_entities,
            self.cross + sign * other.cross,
            self.by_period + sign * other.by_period,
            self.periods + sign * other.periods,
            self.totals + sign * other.totals,
            self.squares + sign * other.squares,
        )


@dataclass(frozen=True, slots=True)
class Reduced:
    """Cross products net of all effects, and the period paths that were taken out.

    ``cross`` (p × p), ``paths`` (T × p) coefficients of the period indicators, ``rank``
    of the period indicators within entities.
    """

    cross: Floats
    paths: Floats
    rank: int


def cut_blocks(
    columns: Sequence[npt.NDArray[np.generic]],
    starts: Codes,
    periods: npt.NDArray[np.int32] | None,
    centre: Floats,
) -> Iterator[Block]:
    """Cut columns in memory (sorted by entity) into blocks of whole entities.

    ``starts`` (G,) holds the first row of each entity; ``centre`` (p,) is taken off.
    """
    rows = len(columns[0])
    bounds = np.append(starts, rows)
    cuts = np.unique(np.searchsorted(starts, np.arange(0, rows, BLOCK_ROWS)))
    for first, last in zip(cuts, [*cuts[1:], len(starts)], strict=True):
        begin, end = bounds[first], bounds[last]
        values = np.empty((end - begin, len(columns)))
        for number, column in enumerate(columns):
            np.subtract(column[begin:end], centre[number], out=values[:, number])
        inside = (bounds[first : last + 1] - begin).astype(np.int32)
        yield Block(values, inside, None if periods is None else periods[begin:end])


@np.errstate(invalid="ignore", over="ignore")
def sum_moments(block: Block, n_periods: int) -> Moments:
    """Sum a block's cross products net of entity means (first scan).

    ``n_periods`` is 0 where periods are not absorbed. The block's values are overwritten.
    Values that are not finite show in the sums, without a warning.
    """
    values = block.values
    counts = np.diff(block.bounds)
    _, means = _take_means_out(block, counts)
    cross = values.T @ values
    totals, squares = counts @ means, np.diag(cross) + counts @ means**2
    width = values.shape[1]
    by_period, periods = np.zeros((n_periods, width)), np.zeros((n_periods, n_periods))
    if block.periods is not None:
        rows = np.arange(len(values) + 1, dtype=np.int32)
        ones = np.ones(len(values))
        indicators = sparse.csc_array((ones, block.periods, rows), shape=(n_periods, len(values)))
        by_period = indicators @ values
        present = _count_cells(block, counts, n_periods)
        periods = np.diag(present.sum(axis=0)) - present.T @ (present / counts[:, None])
    return Moments(len(values), len(counts), cross, by_period, periods, totals, squares)


def reduce_moments(moments: Moments) -> Reduced:
    """Take the period effects out of cross products (Frisch-Waugh-Lovell)."""
    if not len(moments.periods):
        return Reduced(moments.cross, np.zeros((0, len(moments.cross))), 0)
    roots, vectors = np.linalg.eigh(moments.periods)
    kept = roots > _RANK * max(float(roots[-1]), 1.0)
    halves = (vectors[:, kept] / np.sqrt(roots[kept])).T @ moments.by_period
    paths = (vectors[:, kept] / np.sqrt(roots[kept])) @ halves
    return Reduced(moments.cross - halves.T @ halves, paths, int(kept.sum()))


def sum_scores(block: Block, paths: Floats, direction: Floats) -> Floats:
    """Sum the scores x̃'ẽ of each entity of a block (second scan), (g × p).

    ``direction`` (p,) turns a row into its residual: 1 for the outcome, −β for the
    regressors. The block's values are overwritten.
    """
    values = block.values
    if block.periods is not None and len(paths):
        values -= np.take(paths, block.periods, axis=0)
    counts = np.diff(block.bounds)
    entities, _ = _take_means_out(block, counts)
    values *= (values @ direction)[:, None]
    scores: Floats = entities @ values
    return scores


def _take_means_out(block: Block, counts: npt.NDArray[np.int32]) -> tuple[sparse.csr_array, Floats]:
    rows = len(block.values)
    content = (np.ones(rows), np.arange(rows, dtype=np.int32), block.bounds)
    entities = sparse.csr_array(content, shape=(len(counts), rows))
    values = block.values
    means = (entities @ values) / counts[:, None]
    values -= np.repeat(means, counts, axis=0)
    return entities, means


def _count_cells(block: Block, counts: npt.NDArray[np.int32], n_periods: int) -> Floats:
    """Count rows of each entity (g) and period (T)."""
    assert block.periods is not None
    own = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    cells = np.bincount(own * n_periods + block.periods, minlength=len(counts) * n_periods)
    return cells.reshape(len(counts), n_periods).astype(np.float64)
