"""Wild cluster bootstrap with the null imposed, and its interval by inversion.

Cameron, Gelbach and Miller (2008); Roodman, MacKinnon, Nielsen and Webb (2019). With the
score algebra a draw costs a product of the clusters' scores with new signs; restricted
residuals are linear in the hypothesised value, so one set of draws serves every value and
the interval costs no further draw.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from evidence.errors import ModelError
from evidence.models.design import CONF_LEVEL, Codes, Floats
from evidence.models.kernel.clusters import ClusterMoments, invert, scale_cross

FEW_FOR_WEBB = 12
"""Below this count of clusters two signs give too few distinct draws (Webb 2014)."""

_SMALL_PRODUCT = 240_000
_DRAWN = 1_000
_NO_ERROR = 1e-26
_SAME = 1e-10
_RANK = 1e-10
_FARTHEST = 60
_HALVINGS = 20
_WEBB = np.sqrt([0.5, 1.0, 1.5])

Weights = Literal["rademacher", "webb"]


@dataclass(frozen=True, slots=True)
class Bootstrapped:
    """What the bootstrap says of a term against ``null``.

    ``statistic`` is the t value with the plain sandwich; ``conf_low`` and ``conf_high``
    are infinite where no value on that side is rejected. ``enumerated`` tells that all
    sign vectors were used, so that nothing is random.
    """

    p_value: float
    conf_low: float
    conf_high: float
    statistic: float
    n_clusters: int
    draws: int
    weights: Weights
    enumerated: bool


@dataclass(frozen=True, slots=True)
class _Scores:
    """Scores of the cells (C) of clusters as a linear map of the signs (b × G).

    A cell's score is its own sign times ``direct`` (C,), less ``left`` (C × P) times the
    coefficients that the draw moves, ``right`` (P × G) times the signs. ``whole`` (G × C)
    is the same map in one piece, where its product costs less.
    """

    direct: Floats
    left: Floats
    right: Floats
    owners: Codes | None
    whole: Floats | None

    def draw(self, signs: Floats) -> Floats:
        if self.whole is not None:
            return signs @ self.whole
        own = signs if self.owners is None else signs[:, self.owners]
        scores: Floats = own * self.direct - (signs @ self.right.T) @ self.left.T
        return scores


@dataclass(frozen=True, slots=True)
class _Draws:
    """Of each draw (B,): the numerator n₀ − βn₁ and the square q₀ − 2βq₁ + β²q₂ under β.

    All in units of columns of unit length; ``unit`` turns a coefficient into the data's.
    """

    numerator: Floats
    squares: Floats
    estimate: float
    error: float
    unit: float

    def p_value(self, null: float, *, enumerated: bool) -> float:
        over = np.array([1, -null]) @ self.numerator
        under = np.array([1, -2 * null, null**2]) @ self.squares
        observed = abs(self.estimate - null) / self.error
        return _share(over, under, observed, enumerated=enumerated)

    def p_far(self, *, enumerated: bool) -> float:
        """Give the p-value that hypotheses far away on either side approach."""
        over, under = self.numerator[1], self.squares[2]
        return _share(over, under, 1 / self.error, enumerated=enumerated)


def _share(over: Floats, under: Floats, observed: float, *, enumerated: bool) -> float:
    """Give the share of draws as extreme as the observed one; ties count."""
    bound = (observed * (1 - _SAME)) ** 2 * np.maximum(under, 0.0)
    count = int(np.count_nonzero(over**2 >= bound))
    return count / len(over) if enumerated else (1 + count) / (1 + len(over))


def bootstrap_wild(
    moments: ClusterMoments,
    term: str,
    *,
    null: float = 0.0,
    draws: int = 9_999,
    seed: int = 0,
    weights: Weights | None = None,
) -> Bootstrapped:
    """Bootstrap the t statistic of a term under ``null``, with its 95 % interval.

    Weights are Webb's six points below 12 clusters, Rademacher signs otherwise; all sign
    vectors are enumerated where they are at most ``draws`` + 1. The variance is the
    sandwich of the clusters, of two crossed dimensions where the moments have them
    (MacKinnon, Nielsen and Webb 2021; signs by the first dimension). p is the share of draws as
    extreme (ties count), with the observed one where draws are random.

    Raises
    ------
    ModelError
        Below two clusters, or where nothing of the term is left.
    """
    groups = moments.n_clusters
    kind: Weights = weights or ("webb" if groups < FEW_FOR_WEBB else "rademacher")
    if groups < 2:
        raise ModelError(
            moments.where,
            seen="a single cluster",
            expected="two or more",
            do="Add data of other units; from a single one nothing can be inferred.",
        )
    every = _count_vectors(groups, kind) <= draws + 1
    size = _size_chunks(moments)
    chunks = _enumerate(groups, kind, size) if every else _draw(groups, kind, draws, seed, size)
    drawn = _collect(moments, term, chunks)
    low, high = (drawn.unit * _invert(drawn, side, enumerated=every) for side in (-1, 1))
    scaled = null / drawn.unit
    return Bootstrapped(
        p_value=drawn.p_value(scaled, enumerated=every),
        conf_low=low,
        conf_high=high,
        statistic=(drawn.estimate - scaled) / drawn.error,
        n_clusters=groups,
        draws=len(drawn.numerator[0]),
        weights=kind,
        enumerated=every,
    )


def draw_statistics(
    moments: ClusterMoments, term: str, *, draws: int = 9_999, seed: int = 0
) -> tuple[float, Floats]:
    """Give the t statistic of a term and its draws (B,) under no effect.

    The same seed and count of clusters give the same signs, so that several outcomes are
    drawn together (Romano and Wolf 2005).
    """
    groups = moments.n_clusters
    kind: Weights = "webb" if groups < FEW_FOR_WEBB else "rademacher"
    drawn = _collect(moments, term, _draw(groups, kind, draws, seed, _size_chunks(moments)))
    under = np.sqrt(np.maximum(drawn.squares[0], np.finfo(float).tiny))
    return drawn.estimate / drawn.error, drawn.numerator[0] / under


def _collect(moments: ClusterMoments, term: str, chunks: Iterator[Floats]) -> _Draws:
    """Draw numerators and squares for the outcome's and the term's restricted residuals."""
    position = _find(moments, term)
    moments, lengths = scale_cross(moments)
    total = moments.cross.sum(axis=0)
    inverse = invert(total[1:, 1:], moments.names, where=moments.where)
    focal = inverse[position]
    paths = _restrict(total, position)
    starts = np.array([moments.cross[:, 1:, :] @ path @ focal for path in paths])
    scores = tuple(_prepare(moments, path, focal, inverse) for path in paths)
    groupings = _group_cells(moments)
    numerators, squares = [], []
    for signs in chunks:
        numerators.append(starts @ signs.T)
        outcome, regressor = (score.draw(signs) for score in scores)
        squares.append(_square(outcome, regressor, groupings))
    beta = inverse @ total[1:, 0]
    cells = moments.cells if len(moments.cells) else moments.cross
    left = ((cells[:, 1:, 0] - cells[:, 1:, 1:] @ beta) @ focal)[None, :]
    variance = float(_square(left, left, groupings)[0, 0])
    if not variance > _NO_ERROR:
        raise ModelError(
            moments.where,
            seen=f"no error left of {term}",
            expected="clusters that differ",
            do="Look at the specification: it fits every cluster exactly.",
        )
    return _Draws(
        np.concatenate(numerators, axis=1),
        np.concatenate(squares, axis=1),
        float(beta[position]),
        float(np.sqrt(variance)),
        float(lengths[0] / lengths[1 + position]),
    )


def _find(moments: ClusterMoments, term: str) -> int:
    if term not in moments.names:
        raise ModelError(
            moments.where,
            seen=f"no regressor '{term}'",
            expected=f"one of {', '.join(moments.names)}",
            do="Name one of the design's regressors.",
        )
    return moments.names.index(term)


def _restrict(total: Floats, position: int) -> tuple[Floats, Floats]:
    """Give the weights (q,) on [y, X] that make the residuals of y and of the term.

    Both are taken on all other columns, as the null asks.
    """
    columns = np.delete(np.arange(1, len(total)), position)
    inverse = np.linalg.pinv(total[np.ix_(columns, columns)], rcond=_RANK, hermitian=True)
    weights = []
    for own in (0, 1 + position):
        path = np.zeros(len(total))
        path[own] = 1.0
        path[columns] = -inverse @ total[columns, own]
        weights.append(path)
    return weights[0], weights[1]


def _prepare(moments: ClusterMoments, path: Floats, focal: Floats, inverse: Floats) -> _Scores:
    right = inverse @ (moments.cross[:, 1:, :] @ path).T
    crossed = len(moments.cells) > 0
    cells = moments.cells if crossed else moments.cross
    direct, left = cells[:, 1:, :] @ path @ focal, cells[:, 1:, 1:] @ focal
    owners = moments.owners if crossed else None
    return _Scores(direct, left, right, owners, _join(direct, left, right, owners))


def _join(direct: Floats, left: Floats, right: Floats, owners: Codes | None) -> Floats | None:
    (columns, groups), cells = right.shape, len(direct)
    if groups * cells > 2 * columns * (groups + cells):
        return None
    whole: Floats = -right.T @ left.T
    whole[np.arange(cells) if owners is None else owners, np.arange(cells)] += direct
    return whole


def _group_cells(moments: ClusterMoments) -> list[tuple[float, Floats | None]]:
    """Give sign and summing matrix of each dimension: V₁ + V₂ − V₁₂ where two cross."""
    if not len(moments.cells):
        return [(1.0, None)]
    sums = [np.eye(int(codes.max()) + 1)[codes] for codes in (moments.owners, moments.others)]
    return [(1.0, sums[0]), (1.0, sums[1]), (-1.0, None)]


def _square(
    outcome: Floats, regressor: Floats, groupings: list[tuple[float, Floats | None]]
) -> Floats:
    """Sum squares and products of scores over clusters: (3 × b)."""
    total = np.zeros((3, len(outcome)))
    for sign, sums in groupings:
        own = outcome if sums is None else outcome @ sums
        other = regressor if sums is None else regressor @ sums
        pairs = ((own, own), (own, other), (other, other))
        total += sign * np.array([np.einsum("ij,ij->i", *pair) for pair in pairs])
    return total


def _invert(drawn: _Draws, side: int, *, enumerated: bool) -> float:
    """Find where rejection begins on one side of the estimate; infinite where it never does."""
    level = 1 - CONF_LEVEL
    if drawn.p_far(enumerated=enumerated) > level:
        return side * np.inf
    inside, step = drawn.estimate, drawn.error
    for _ in range(_FARTHEST):
        outside = drawn.estimate + side * step
        if drawn.p_value(outside, enumerated=enumerated) <= level:
            break
        inside, step = outside, step * 1.5
    else:
        return side * np.inf
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        if drawn.p_value(middle, enumerated=enumerated) <= level:
            outside = middle
        else:
            inside = middle
    return inside


def _count_vectors(groups: int, kind: Weights) -> int:
    points = 2 if kind == "rademacher" else 6
    return int(points**groups)


def _size_chunks(moments: ClusterMoments) -> int:
    """Size chunks of draws so that BLAS keeps their products on one core: waiting costs more."""
    groups, columns, _ = moments.cross.shape
    return int(np.clip(_SMALL_PRODUCT // (groups * columns), 32, 1_000))


def _draw(groups: int, kind: Weights, draws: int, seed: int, size: int) -> Iterator[Floats]:
    """Draw signs by the thousand, whatever the chunks: the same seed gives the same signs."""
    generator = np.random.default_rng(seed)
    points = _points(kind)
    for begin in range(0, draws, _DRAWN):
        shape = (min(_DRAWN, draws - begin), groups)
        if kind == "rademacher":
            octets = np.frombuffer(generator.bytes(-(-shape[0] * groups // 8)), dtype=np.uint8)
            chosen = np.unpackbits(octets, count=shape[0] * groups).reshape(shape)
        else:
            chosen = generator.integers(0, len(points), shape, dtype=np.uint8)
        for first in range(0, len(chosen), size):
            yield points.take(chosen[first : first + size])


def _enumerate(groups: int, kind: Weights, size: int) -> Iterator[Floats]:
    every = np.array(list(itertools.product(_points(kind), repeat=groups)))
    for begin in range(0, len(every), size):
        yield every[begin : begin + size]


def _points(kind: Weights) -> Floats:
    return np.array([-1.0, 1.0]) if kind == "rademacher" else np.append(-_WEBB, _WEBB)
