"""Two-way effects as plain compiled loops: what one core can do without temporaries."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np


@numba.njit(fastmath=True)
def _scan(w: Any, starts: Any, t: Any, periods: int) -> Any:
    p = w.shape[1]
    cross, by_period = np.zeros((p, p)), np.zeros((periods, p))
    cells, mean, own = np.zeros((periods, periods)), np.empty(p), np.empty(p)
    for g in range(len(starts) - 1):
        a, b = starts[g], starts[g + 1]
        mean[:] = 0
        for i in range(a, b):
            for c in range(p):
                mean[c] += w[i, c]
        mean /= b - a
        for i in range(a, b):
            for c in range(p):
                own[c] = w[i, c] - mean[c]
                by_period[t[i], c] += own[c]
            for c in range(p):
                for d in range(c + 1):
                    cross[c, d] += own[c] * own[d]
            cells[t[i], t[i]] += 1
            for k in range(a, b):
                cells[t[i], t[k]] -= 1 / (b - a)
    return cross, by_period, cells


@numba.njit(fastmath=True)
def _score(w: Any, starts: Any, t: Any, paths: Any, beta: Any) -> Any:
    k = len(beta)
    meat, total, own = np.zeros((k, k)), np.empty(k), np.empty(k)
    for g in range(len(starts) - 1):
        a, b = starts[g], starts[g + 1]
        total[:] = 0
        own[:] = 0
        residuals = 0.0
        for i in range(a, b):
            r = w[i, 0] - paths[t[i], 0]
            for c in range(k):
                r -= (w[i, c + 1] - paths[t[i], c + 1]) * beta[c]
            residuals += r
            for c in range(k):
                v = w[i, c + 1] - paths[t[i], c + 1]
                total[c] += v
                own[c] += v * r
        for c in range(k):
            own[c] -= total[c] * residuals / (b - a)
        for c in range(k):
            for d in range(c + 1):
                meat[c, d] += own[c] * own[d]
    return meat


def fit(w: Any, starts: Any, t: Any, periods: int) -> tuple[Any, Any]:
    """Fit and give coefficients and the meat of their clustered covariance."""
    cross, by_period, cells = _scan(w, starts, t, periods)
    cross = cross + np.tril(cross, -1).T
    paths = np.linalg.pinv(cells, hermitian=True) @ by_period
    cross -= by_period.T @ paths
    beta = np.linalg.solve(cross[1:, 1:], cross[1:, 0])
    return beta, _score(w, starts, t, paths, beta)
