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

BLOCK_ROWS = 32_768
_RANK = 1e-10


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of whole entities, valid until the next block is asked for.

    ``values`` (m × p), ``bounds`` (g + 1) where entities begin and end, ``owners`` (m,) the
    entity of each row, ``periods`` (m,) or None.
    """

    values: Floats
    bounds: npt.NDArray[np.int32]
    owners: Codes
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
        return Moments(
            self.nobs + other.nobs,
            self.n_entities + other.n_entities,
            self.cross + other.cross,
            self.by_period + other.by_period,
            self.periods + other.periods,
            self.totals + other.totals,
            self.squares + other.squares,
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
    codes: Codes,
    starts: Codes,
    periods: Codes | None,
    centre: Floats,
) -> Iterator[Block]:
    """Cut columns in memory (sorted by entity) into blocks of whole entities.

    ``codes`` (n,) are the entities 0 … G−1 of the rows, ``starts`` (G,) their first rows,
    ``periods`` (n,) their periods; ``centre`` (p,) is taken off.
    """
    rows, width = len(columns[0]), len(columns)
    bounds = np.append(starts, rows)
    cuts = np.unique(np.searchsorted(starts, np.arange(0, rows, BLOCK_ROWS)))
    ends = np.append(cuts[1:], len(starts))
    widest = int((bounds[ends] - bounds[cuts]).max())
    staged, values = np.empty((width, widest)), np.empty((widest, width))
    for first, last in zip(cuts, ends, strict=True):
        begin, end = bounds[first], bounds[last]
        size = end - begin
        for number, column in enumerate(columns):
            np.subtract(column[begin:end], centre[number], out=staged[number, :size])
        np.copyto(values[:size], staged[:, :size].T)
        inside = (bounds[first : last + 1] - begin).astype(np.int32)
        owners = codes[begin:end] - first
        own = None if periods is None else periods[begin:end].astype(np.int32)
        yield Block(values[:size], inside, owners, own)


@np.errstate(invalid="ignore", over="ignore")
def sum_moments(block: Block, n_periods: int) -> Moments:
    """Sum a block's cross products net of entity means (first scan).

    ``n_periods`` is 0 where periods are not absorbed. The block's values are overwritten.
    Values that are not finite show in the sums, without a warning.
    """
    values = block.values
    counts = np.diff(block.bounds)
    means = _take_means_out(block, counts)
    cross = values.T @ values
    totals, squares = counts @ means, np.diag(cross) + counts @ means**2
    rows, width = values.shape
    by_period, periods = np.zeros((n_periods, width)), np.zeros((n_periods, n_periods))
    if block.periods is not None:
        places = np.arange(rows + 1, dtype=np.int32)
        content = (np.ones(rows), block.periods, places)
        by_period = sparse.csc_array(content, shape=(n_periods, rows)) @ values
        present = _count_cells(block, len(counts), n_periods)
        periods = np.diag(present.sum(axis=0)) - present.T @ (present / counts[:, None])
    return Moments(rows, len(counts), cross, by_period, periods, totals, squares)


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
    regressors. Residuals net of effects sum to zero within an entity, so that columns
    need not be demeaned: Σ x̃ẽ = Σ (x − γ_t)ẽ.
    """
    values, bounds = block.values, block.bounds
    residual = values @ direction
    if block.periods is not None and len(paths):
        residual -= (paths @ direction)[block.periods]
    means = np.add.reduceat(residual, bounds[:-1]) / np.diff(bounds)
    residual -= means[block.owners]
    rows = np.arange(len(values), dtype=np.int32)
    scores: Floats = _spread(residual, rows, bounds, len(values)) @ values
    if block.periods is not None and len(paths):
        scores -= _spread(residual, block.periods, bounds, len(paths)) @ paths
    return scores


def _spread(
    weights: Floats, places: npt.NDArray[np.int32], bounds: npt.NDArray[np.int32], width: int
) -> sparse.csr_array:
    """Lay out the weights of each entity's rows over ``width`` places: (g × width)."""
    return sparse.csr_array((weights, places, bounds), shape=(len(bounds) - 1, width))


def _take_means_out(block: Block, counts: npt.NDArray[np.int32]) -> Floats:
    """Take entity means out of the block's values; the means (g × p)."""
    values = block.values
    rows = np.arange(len(values), dtype=np.int32)
    owners = _spread(np.ones(len(values)), rows, block.bounds, len(values))
    means: Floats = (owners @ values) / counts[:, None]
    # Into an array of our own and without bounds checks: np.repeat takes nine times as long.
    values -= np.take(means, block.owners, axis=0, out=np.empty_like(values), mode="clip")
    return means


def _count_cells(block: Block, entities: int, n_periods: int) -> Floats:
    """Count rows of each entity (g) and period (T)."""
    assert block.periods is not None
    cells = block.owners * n_periods + block.periods
    counts = np.bincount(cells, minlength=entities * n_periods)
    return counts.reshape(entities, n_periods).astype(np.float64)
