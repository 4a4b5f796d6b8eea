"""Cross products of each cluster: they carry the jackknife, the bootstrap and the curve.

Effects nested in clusters are taken out first; the indicators of the others stay as
columns. Then leaving a cluster out is a subtraction, and a bootstrap draw is a sum of
scores with new signs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd

from evidence.errors import ModelError
from evidence.models.design import Codes, Design, Floats
from evidence.models.kernel.absorb import (
    Effects,
    absorb,
    code_clusters,
    code_effects,
    find_singletons,
)
from evidence.models.kernel.check import check_design, lay_out
from evidence.models.kernel.conventions import is_nested
from evidence.models.kernel.solve import NO_CHANGE

MOST_INDICATORS = 400
"""Indicators of effects that cut across clusters, up to which they are kept as columns."""

_RANK = 1e-10
_TOLD = 1e-6


@dataclass(frozen=True, slots=True)
class ClusterMoments:
    """Cross products (G × q × q) of [outcome, regressors, indicators], a cluster each.

    ``names`` (K,) are the regressors', ``spread`` (K,) their sums of squares before
    effects; the q − 1 − K indicators belong to effects that cut across clusters.
    ``cells`` (C × q × q), ``owners`` (C,) and ``others`` (C,) hold the same for cells of
    two crossed dimensions of clusters, empty where there is one.
    """

    cross: Floats
    names: tuple[str, ...]
    spread: Floats
    nobs: int
    where: str
    cells: Floats
    owners: Codes
    others: Codes

    @property
    def n_clusters(self) -> int:
        """Count of clusters (of the first dimension)."""
        return len(self.cross)


def collect_moments(
    design: Design, *, crossed: pd.Series | None = None, drop: bool = True
) -> ClusterMoments:
    """Collect the cross products of each cluster of a design.

    ``drop`` leaves out rows alone in a level of an effect. Memory: G × q² numbers.

    Raises
    ------
    ModelError
        Without clusters, as ``check_design``, for values that are not finite, or where effects with more than ``MOST_INDICATORS`` levels cut
        across clusters.
    """
    if design.clusters is None:
        raise ModelError(
            design.where,
            seen="no clusters",
            expected="a cluster for each row",
            do="Name the level at which the exposure varies.",
        )
    effects = check_design(design, crossed)
    columns = lay_out(design)
    clusters = code_clusters(design.clusters, design.where)
    second = None if crossed is None else code_clusters(crossed, design.where)
    if drop and effects.codes:
        kept, _ = find_singletons(effects)
        effects = code_effects(design.effects[kept])
        columns, clusters = columns[kept], _dense(clusters[kept])
        second = None if second is None else second[kept]
    spread = ((columns - columns.mean(axis=0)) ** 2).sum(axis=0)[1:]
    values = _take_nested_out(columns, effects, clusters, design.where)
    names = tuple(map(str, design.regressors.columns))
    moments = ClusterMoments(
        sum_products(values, clusters),
        names,
        np.where(spread > 0, spread, 1.0),
        len(values),
        design.where,
        np.empty((0, values.shape[1], values.shape[1])),
        clusters[:0],
        clusters[:0],
    )
    return moments if second is None else _cross(moments, values, clusters, second)


def _cross(moments: ClusterMoments, values: Floats, owner: Codes, second: Codes) -> ClusterMoments:
    """Keep the cells of two crossed dimensions beside the first one's sums."""
    cells = _dense(owner * (int(second.max()) + 1) + second)
    return replace(
        moments,
        cells=sum_products(values, cells),
        owners=_first(owner, cells),
        others=_dense(_first(second, cells)),
    )


def invert(cross: Floats, names: Sequence[str], *, where: str) -> Floats:
    """Invert cross products (q × q) of scaled columns; the first K belong to ``names``.

    Indicators may depend on each other, regressors may not.

    Raises
    ------
    ModelError
        Where a regressor is a combination of other columns, or nothing of it is left.
    """
    inverse = np.asarray(np.linalg.pinv(cross, rcond=_RANK, hermitian=True), dtype=np.float64)
    told = np.einsum("ij,ji->i", inverse, cross)[: len(names)]
    lost = [name for name, share in zip(names, told, strict=True) if abs(share - 1) > _TOLD]
    if lost:
        raise ModelError(
            where,
            seen=f"nothing that is left of {', '.join(lost)} beside the other columns",
            expected="regressors that vary beyond effects and each other",
            do="Take one of them out, or absorb fewer effects.",
        )
    return inverse


def scale_cross(moments: ClusterMoments) -> tuple[ClusterMoments, Floats]:
    """Scale all columns to unit length: moments and the lengths (q,)."""
    lengths = np.sqrt(np.diag(moments.cross.sum(axis=0)))
    spread = np.concatenate(
        [[0.0], moments.spread, np.zeros(len(lengths) - 1 - len(moments.names))]
    )
    lengths = np.where(lengths**2 > NO_CHANGE * spread, lengths, np.inf)
    both = np.outer(lengths, lengths)
    return replace(moments, cross=moments.cross / both, cells=moments.cells / both), lengths


def reduce_cross(cross: Floats, regressors: int) -> Floats:
    """Take the indicators out of cross products: (q × q) → (1 + K × 1 + K)."""
    width = 1 + regressors
    if cross.shape[0] == width:
        return cross
    roots, vectors = np.linalg.eigh(cross[width:, width:])
    kept = roots > _RANK * max(float(roots[-1]), 1.0)
    halves = (vectors[:, kept] / np.sqrt(roots[kept])).T @ cross[width:, :width]
    reduced: Floats = cross[:width, :width] - halves.T @ halves
    return reduced


def solve_reduced(cross: Floats, spread: Floats) -> Floats:
    """Solve for the coefficients (K,); nan for a regressor of which nothing is left."""
    beta = np.full(len(spread), np.nan)
    left = np.diag(cross)[1:]
    usable = left / spread >= NO_CHANGE
    inside = cross[1:, 1:][np.ix_(usable, usable)]
    scale = np.sqrt(left[usable])
    correlation = inside / np.outer(scale, scale)
    if usable.any() and float(np.linalg.eigvalsh(correlation)[0]) > NO_CHANGE:
        beta[usable] = np.linalg.solve(correlation, cross[1:, 0][usable] / scale) / scale
    return beta


def jackknife(moments: ClusterMoments) -> Floats:
    """Give the delete-one-cluster covariance CR3 (K × K).

    (G−1)/G Σ (β₍₋g₎ − β)(β₍₋g₎ − β)′ (Bell and McCaffrey 2002; MacKinnon, Nielsen and
    Webb 2023). A term that a single cluster carries has nan in its row and column.
    """
    regressors, groups = len(moments.names), moments.n_clusters
    total = moments.cross.sum(axis=0)
    beta = solve_reduced(reduce_cross(total, regressors), moments.spread)
    rests = [
        solve_reduced(reduce_cross(total - own, regressors), moments.spread)
        for own in moments.cross
    ]
    deviations = np.array(rests) - beta
    covariance: Floats = (groups - 1) / groups * deviations.T @ deviations
    return covariance


def count_effective(moments: ClusterMoments, term: str) -> float:
    """Count the effective clusters of a term: G/(1 + CV²) of the partial leverages.

    Carter, Schnepel and Steigerwald (2017), with uncorrelated errors as in MacKinnon,
    Nielsen and Webb (2023), because absorbed effects leave no common error.
    """
    moments, _ = scale_cross(moments)
    total = moments.cross.sum(axis=0)
    inverse = invert(total[1:, 1:], moments.names, where=moments.where)
    weights = inverse[moments.names.index(term)]
    leverage = np.einsum("i,gij,j->g", weights, moments.cross[:, 1:, 1:], weights)
    spread = float(((leverage - leverage.mean()) ** 2).mean() / leverage.mean() ** 2)
    return moments.n_clusters / (1 + spread)


def sum_products(values: Floats, cells: Codes) -> Floats:
    """Sum cross products of rows (n × q) within each cell: (C × q × q)."""
    order = np.argsort(cells, kind="stable")
    values, cells = values[order], cells[order]
    bounds = np.concatenate([[0], np.flatnonzero(np.diff(cells)) + 1, [len(cells)]])
    products = np.empty((len(bounds) - 1, values.shape[1], values.shape[1]))
    for number, (begin, end) in enumerate(pairwise(bounds)):
        rows = values[begin:end]
        np.matmul(rows.T, rows, out=products[number])
    return products


def _take_nested_out(columns: Floats, effects: Effects, owner: Codes, where: str) -> Floats:
    """Absorb what is nested in clusters; lay out the indicators of the rest."""
    nested = [
        is_nested(code, levels, owner)
        for code, levels in zip(effects.codes, effects.levels, strict=True)
    ]
    cutting = [number for number, inside in enumerate(nested) if not inside]
    indicators = sum(effects.levels[number] for number in cutting)
    if indicators > MOST_INDICATORS:
        names = ", ".join(effects.names[number] for number in cutting)
        raise ModelError(
            where,
            seen=f"{indicators} levels of {names}, which cut across clusters",
            expected=f"at most {MOST_INDICATORS}",
            do="Cluster at a level that holds these effects, or leave clusters out one by one.",
        )
    centred = columns - columns.mean(axis=0) if effects.codes else columns
    parts = [centred, *(np.eye(effects.levels[n])[effects.codes[n]] for n in cutting)]
    inner = [number for number, inside in enumerate(nested) if inside]
    taken = Effects(
        tuple(effects.names[number] for number in inner),
        tuple(effects.codes[number] for number in inner),
        tuple(effects.levels[number] for number in inner),
    )
    values = np.hstack(parts) if cutting else parts[0]
    return absorb(values, taken, where=where) if inner else values


def _dense(codes: Codes) -> Codes:
    return np.asarray(np.unique(codes, return_inverse=True)[1], dtype=np.int64)


def _first(codes: Codes, cells: Codes) -> Codes:
    return codes[np.unique(cells, return_index=True)[1]]
