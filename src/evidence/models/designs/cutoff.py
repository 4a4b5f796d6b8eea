"""Sharp regression discontinuity: what changes where a rule begins to hold, at a size.

Local regressions on both sides of the cut-off, the bandwidth that the mean squared error
asks for, and an interval that allows for the bias this bandwidth leaves (Calonico,
Cattaneo and Titiunik 2014, CCT below).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from evidence.errors import ModelError
from evidence.models.design import Codes, Diagnostic, Estimates, Floats, tabulate_estimates

Kernel = Literal["triangular", "epanechnikov", "uniform"]

FEWEST = 10
_FEWEST_BINS = 10
_FEWEST_IN_DENSITY = 20
_REPEATED = 0.2
_KERNELS: dict[str, Callable[[Floats], Floats]] = {
    "triangular": lambda u: 1 - u,
    "epanechnikov": lambda u: 0.75 * (1 - u**2),
    "uniform": lambda u: np.full_like(u, 0.5),
}
_PILOT = {"triangular": 2.576, "epanechnikov": 2.34, "uniform": 1.843}
_BEYOND = float(np.sqrt(np.finfo(float).eps))
_MCCRARY = 3.348
_MOST_BINS = 10_000


@dataclass(frozen=True, slots=True)
class _Sample:
    """Rows around a cut-off at 0: ``gap`` (n,) of the running variable, codes of units."""

    outcome: Floats
    gap: Floats
    units: Codes
    kernel: Kernel
    where: str


@dataclass(frozen=True, slots=True)
class _Local:
    """A weighted polynomial: coefficients (k,), their covariance, and one constant.

    ``bias`` (k,) is what a term of the next order, of coefficient 1, adds to each.
    """

    coefficients: Floats
    covariance: Floats
    bias: Floats


def estimate_cutoff(
    outcome: pd.Series,
    running: pd.Series,
    *,
    cutoff: float,
    clusters: pd.Series | None,
    bandwidth: float | None = None,
    kernel: Kernel = "triangular",
    donut: float = 0.0,
    where: str = "cut-off",
) -> Estimates:
    """Estimate the jump of an outcome where a running variable reaches a cut-off.

    Rows with ``running`` ≥ ``cutoff`` are treated. Terms: ``cutoff``, the jump with its
    bias taken out (local quadratic within the bandwidth of the local linear, which is
    CCT's robust correction with one bandwidth, their remark 7), with inference;
    ``cutoff_conventional``, the local linear jump, without, because its interval ignores
    that bias. Errors are clustered, times G/(G−1)·(n−1)/(n−6) over the rows within the
    bandwidth, t(G−1); without clusters each row is one (HC1), t(n−6).

    Diagnostics: ``bandwidth``; ``units_left`` and ``units_right`` within it;
    ``mass_points``, the fewer distinct values of the two sides, with a reason where
    values repeat (Kolesár and Rothe 2018); ``density``, McCrary's (2008) test that units
    do not bunch on a side of the cut-off, from all rows, clustered.

    Parameters
    ----------
    outcome, running : Series
        n rows of one index, finite numbers.
    clusters : Series or None
        Unit of inference of each row.
    bandwidth : float, optional
        In units of ``running``; by default the one that minimises the mean squared error
        of the local linear jump (CCT sec. 4.1 and Calonico, Cattaneo, Farrell and
        Titiunik 2019: three pilot steps, regularised, one bandwidth for both sides).
    donut : float
        Rows nearer to the cut-off than this are left out of the estimate.

    Raises
    ------
    ModelError
        Where fewer than 10 units or 4 distinct values are on a side within the
        bandwidth, or the data are damaged.
    """
    sample = _take(outcome, running, clusters, cutoff, kernel, where)
    _check_widths(bandwidth, donut, where)
    near = _keep(sample, np.abs(sample.gap) >= donut) if donut else sample
    width = float(bandwidth) if bandwidth is not None else _choose_bandwidth(near)
    counts = _count_sides(near, width)
    inside = _keep(near, np.abs(near.gap) < width)
    linear, quadratic = _jump(inside, width, 1), _jump(inside, width, 2)
    groups = len(np.unique(inside.units))
    n = len(inside.gap)
    factor = groups / (groups - 1) * (n - 1) / (n - 6)
    covariance = np.full((2, 2), np.nan)
    covariance[0, 0] = factor * quadratic[1]
    clustered = clusters is not None
    return Estimates(
        terms=("cutoff", "cutoff_conventional"),
        coefficients=np.array([quadratic[0], linear[0]]),
        covariance=covariance,
        df=float(groups - 1 if clustered else n - 6),
        nobs=n,
        n_clusters=groups if clustered else None,
        cov_type="CR1" if clustered else "HC1",
        small_sample="fixest",
        diagnostics=(
            Diagnostic("bandwidth", width),
            Diagnostic("units_left", float(counts[0])),
            Diagnostic("units_right", float(counts[1])),
            _count_mass_points(inside),
            _test_density(sample),
        ),
    )


def balance_at_cutoff(
    covariates: pd.DataFrame,
    running: pd.Series,
    *,
    cutoff: float,
    clusters: pd.Series | None,
    bandwidth: float | None = None,
    kernel: Kernel = "triangular",
    donut: float = 0.0,
    where: str = "cut-off",
) -> pd.DataFrame:
    """Tabulate the jumps of covariates that no rule should move, a row each.

    Columns of ``tabulate_estimates`` of each covariate (n × k) as an outcome of
    ``estimate_cutoff``, with its ``bandwidth`` and, where it cannot be estimated, a
    ``reason``. A small p-value says that units on both sides differed before the rule.
    """
    rows = []
    for name in covariates.columns:
        try:
            found = estimate_cutoff(
                covariates[name],
                running,
                cutoff=cutoff,
                clusters=clusters,
                bandwidth=bandwidth,
                kernel=kernel,
                donut=donut,
                where=f"{where}, covariate '{name}'",
            )
        except ModelError as error:
            rows.append(pd.DataFrame({"term": [name], "reason": [str(error)]}))
            continue
        row = tabulate_estimates(found).iloc[[0]]
        rows.append(row.assign(term=name, bandwidth=found.diagnostics[0].value, reason=""))
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=["term"])


def _take(
    outcome: pd.Series,
    running: pd.Series,
    clusters: pd.Series | None,
    cutoff: float,
    kernel: Kernel,
    where: str,
) -> _Sample:
    parts = [running] if clusters is None else [running, clusters]
    numbers = (outcome, running)
    typed = all(pd.api.types.is_numeric_dtype(part.dtype) for part in numbers)
    values = [part.to_numpy(dtype="float64", na_value=np.nan) for part in numbers] if typed else []
    damages = (
        (any(not part.index.equals(outcome.index) for part in parts), "parts with other rows",
         "one index"),
        (not typed or not len(outcome), "no numbers", "numbers"),
        (not all(np.isfinite(part).all() for part in values), "missing or infinite values",
         "finite numbers"),
        (typed and outcome.nunique() < 2, "an outcome with one and the same value",
         "one that varies"),
        (clusters is not None and bool(clusters.isna().any()), "rows without their cluster",
         "a cluster for every row"),
        (kernel not in _KERNELS, f"kernel '{kernel}'", ", ".join(_KERNELS)),
    )  # fmt: skip
    for found, seen, expected in damages:
        if found:
            raise ModelError(
                where, seen=seen, expected=expected, do="Correct what goes into this estimate."
            )
    codes = np.arange(len(outcome)) if clusters is None else pd.factorize(clusters)[0]
    return _Sample(values[0], values[1] - cutoff, codes, kernel, where)


def _check_widths(bandwidth: float | None, donut: float, where: str) -> None:
    positive = bandwidth is None or 0 < bandwidth < np.inf
    if not positive or not 0 <= donut < np.inf:
        raise ModelError(
            where,
            seen=f"donut {donut:g}" if positive else f"bandwidth {bandwidth:g}",
            expected="zero or a positive number" if positive else "a positive number",
            do="Give it in units of the running variable.",
        )


def _keep(sample: _Sample, kept: Floats | np.ndarray[tuple[int], np.dtype[np.bool_]]) -> _Sample:
    return _Sample(
        sample.outcome[kept], sample.gap[kept], sample.units[kept], sample.kernel, sample.where
    )


def _count_sides(sample: _Sample, width: float) -> tuple[int, int]:
    """Count units within a bandwidth, left and right."""
    counts, values = [], []
    for side in (sample.gap < 0, sample.gap >= 0):
        inside = side & (np.abs(sample.gap) < width)
        counts.append(len(np.unique(sample.units[inside])))
        values.append(len(np.unique(sample.gap[inside])))
    if min(counts) < FEWEST or min(values) < 4:
        raise ModelError(
            sample.where,
            seen=f"{counts[0]} units below and {counts[1]} above within {width:.4g} of the "
            f"cut-off, of {values[0]} and {values[1]} distinct values",
            expected=f"{FEWEST} units or more and 4 values on each side",
            do="Widen the bandwidth, or do not estimate a jump here.",
        )
    return counts[0], counts[1]


def _jump(sample: _Sample, width: float, order: int) -> tuple[float, float]:
    """Estimate a jump by one weighted regression, with its CR0 variance."""
    powers = (sample.gap / width)[:, None] ** np.arange(order + 1)
    treated = (sample.gap >= 0)[:, None]
    columns = np.hstack([powers * treated, powers * ~treated])
    weights = _KERNELS[sample.kernel](np.abs(sample.gap) / width)
    bread = np.linalg.inv(columns.T @ (weights[:, None] * columns))
    pulls = (weights[:, None] * columns) @ (bread[:, 0] - bread[:, order + 1])
    fitted = columns @ (bread @ (columns.T @ (weights * sample.outcome)))
    sums = np.bincount(sample.units, pulls * (sample.outcome - fitted))
    return float(pulls @ sample.outcome), float(sums @ sums)


def _choose_bandwidth(sample: _Sample) -> float:
    """Choose the bandwidth of the local linear jump (CCT, sec. 4.1 and supplement S.2.6).

    First a rule of thumb for the variances; then bandwidths for the fourth and third
    derivatives, which tell the bias of the next step; last the one for the jump.
    """
    spread = np.std(sample.gap, ddof=1)
    quarters = np.subtract(*np.quantile(sample.gap, [0.75, 0.25])) / 1.349
    sides = [_keep(sample, sample.gap < 0), _keep(sample, sample.gap >= 0)]
    reach = [float(np.abs(side.gap).max(initial=0.0)) for side in sides]
    narrow = min(spread, quarters) if quarters > 0 else spread
    pilot = min(_PILOT[sample.kernel] * narrow * len(sample.gap) ** -0.2, max(reach))
    if any(len(np.unique(side.gap[np.abs(side.gap) < pilot])) < 6 for side in sides):
        raise ModelError(
            sample.where,
            seen=f"fewer than 6 distinct values on a side within {pilot:.4g} of the cut-off",
            expected="enough of them to choose a bandwidth by",
            do="Give a bandwidth.",
        )
    whole = [distance * (1 + _BEYOND) for distance in reach]
    third = _step(sides, pilot, whole, order=3, regularised=False)
    second = _step(sides, pilot, [third] * 2, order=2, regularised=True)
    return _step(sides, pilot, [second] * 2, order=1, regularised=True)


def _step(
    sides: list[_Sample],
    pilot: float,
    widths: list[float],
    *,
    order: int,
    regularised: bool,
) -> float:
    """Choose a bandwidth for a derivative of order 3 or 2, or for the jump (order 1).

    ``widths`` are those of the bias, left and right, by a polynomial one order higher.
    """
    derivative = 0 if order == 1 else order
    variance, biases, noise = 0.0, [], 0.0
    for side, width in zip(sides, widths, strict=True):
        local = _fit_side(side, pilot, order)
        above = _fit_side(side, width, order + 1)
        constant = local.bias[derivative] / pilot ** (order + 1 - derivative)
        variance += pilot ** (2 * derivative + 1) * local.covariance[derivative, derivative]
        biases.append(constant * above.coefficients[order + 1])
        noise += 3 * constant**2 * above.covariance[order + 1, order + 1]
    bias = (biases[1] - biases[0]) ** 2 + (noise if regularised else 0.0)
    orders = 2 * (order + 1 - derivative)
    rate = 1 / (2 * order + 3)
    chosen = ((2 * derivative + 1) * variance / (orders * bias)) ** rate
    return float(min(chosen, max(float(np.abs(side.gap).max()) for side in sides)))


def _fit_side(sample: _Sample, width: float, order: int) -> _Local:
    """Fit a weighted polynomial to the rows of one side within a bandwidth."""
    inside = _keep(sample, np.abs(sample.gap) < width)
    scaled = inside.gap / width
    powers = scaled[:, None] ** np.arange(order + 1)
    weights = _KERNELS[sample.kernel](np.abs(scaled))
    bread = np.linalg.inv(powers.T @ (weights[:, None] * powers))
    pulls = bread @ (weights[:, None] * powers).T
    coefficients = pulls @ inside.outcome
    scores = pd.DataFrame((pulls * (inside.outcome - powers @ coefficients)).T)
    sums = scores.groupby(inside.units).sum().to_numpy()
    n, g = len(inside.gap), len(sums)
    factor = g / (g - 1) * (n - 1) / (n - order - 1)
    scale = width ** -np.arange(order + 1, dtype=float)
    return _Local(
        coefficients * scale,
        factor * (sums.T @ sums) * np.outer(scale, scale),
        pulls @ scaled ** (order + 1) * scale * width ** (order + 1),
    )


def _count_mass_points(inside: _Sample) -> Diagnostic:
    values = [len(np.unique(inside.gap[side])) for side in (inside.gap < 0, inside.gap >= 0)]
    repeated = _share_repeated(_list_values(inside))
    reason = ""
    if repeated >= _REPEATED:
        reason = (
            f"values of the running variable repeat ({values[0]} distinct ones below, {values[1]} "
            "above): the interval may be too short"
        )
    return Diagnostic("mass_points", float(min(values)), reason=reason)


def _test_density(sample: _Sample) -> Diagnostic:
    """Compare the density's limits on both sides (McCrary 2008, eqs. 3 to 6).

    Counts in bins, a bin a value where values repeat, as far as both sides reach (a long
    tail of large factories would choose the bandwidth for the rest); local linear with
    triangular weights; both limits are sums over rows, so that their errors cluster.
    """
    reach = min(-sample.gap.min(), sample.gap.max())
    common = _keep(sample, np.abs(sample.gap) <= reach) if reach > 0 else sample
    bin_width, edge = _choose_bins(common)
    place = np.floor((sample.gap - edge) / bin_width).astype(int)
    bins = min(-place.min(), place.max() + 1)
    if bins < _FEWEST_BINS:
        return Diagnostic("density", reason=f"fewer than {_FEWEST_BINS} bins on a side")
    inside = (place >= -bins) & (place < bins)
    return _compare_limits(place[inside], sample.units[inside], bins, bin_width)


def _compare_limits(place: Codes, units: Codes, bins: int, bin_width: float) -> Diagnostic:
    """Compare densities at 0 from bins (n,) numbered from there, −1 the first below."""
    above = place >= 0
    distance = np.where(above, place, -place - 1)
    each = 1 / (len(place) * bin_width)
    heights: list[Floats] = [
        (each * np.bincount(distance[above == side], minlength=bins)).astype("float64")
        for side in (False, True)
    ]
    width = float(np.mean([_choose_smoothing(side, bin_width) for side in heights]))
    weights = _weigh_bins(bins, bin_width, width)
    limits = [float(weights @ side) for side in heights]
    near = distance * bin_width < width
    fewest = min(len(np.unique(units[near & (above == side)])) for side in (False, True))
    if min(limits) <= 0 or fewest < _FEWEST_IN_DENSITY:
        return Diagnostic("density", reason="too few units near the cut-off")
    pulls = each * weights[distance] * np.where(above, 1 / limits[1], -1 / limits[0])
    sums = np.bincount(np.unique(units, return_inverse=True)[1], pulls)
    groups = len(sums)
    variance = groups / (groups - 1) * float(((sums - sums.mean()) ** 2).sum())
    value = float(np.log(limits[1] / limits[0]) / variance**0.5)
    p_value = float(2 * stats.t.sf(abs(value), groups - 1))
    reason = ""
    if p_value < 0.05:
        crowded = "above" if value > 0 else "below"
        reason = f"units bunch {crowded} the cut-off: they may choose their side"
    return Diagnostic("density", value, p_value, float(groups - 1), reason)


def _list_values(sample: _Sample) -> Floats:
    """List values of the running variable, each once a unit."""
    values = pd.DataFrame({"gap": sample.gap, "unit": sample.units}).drop_duplicates()
    return values["gap"].to_numpy(dtype="float64")


def _share_repeated(values: Floats) -> float:
    return 1 - len(np.unique(values)) / len(values)


def _choose_bins(sample: _Sample) -> tuple[float, float]:
    """Choose a width of bins and the edge between the sides, relative to the cut-off."""
    values = _list_values(sample)
    distinct = np.unique(values)
    step = float(np.diff(distinct).min()) if len(distinct) > 1 else 1.0
    if _share_repeated(values) >= _REPEATED and np.ptp(distinct) < _MOST_BINS * step:
        above = distinct[distinct >= 0]
        return step, float(above[0] if len(above) else 0.0) - step / 2
    return float(2 * np.std(values, ddof=1) / len(values) ** 0.5), 0.0


def _choose_smoothing(heights: Floats, bin_width: float) -> float:
    """Choose a bandwidth for one side by a global quartic (McCrary 2008, sec. 3.2)."""
    middle = (np.arange(len(heights)) + 0.5) * bin_width
    length = len(heights) * bin_width
    fitted = np.polynomial.Polynomial.fit(middle, heights, 4)
    spread = float(((heights - fitted(middle)) ** 2).sum()) / (len(heights) - 5)
    bend = float((fitted.deriv(2)(middle) ** 2).sum())
    chosen = _MCCRARY * (spread * length / bend) ** 0.2 if bend > 0 else length
    return float(np.clip(chosen, 4 * bin_width, length))


def _weigh_bins(count: int, bin_width: float, width: float) -> Floats:
    """Weigh bins so that their weighted sum is the local linear limit at the edge."""
    middle = (np.arange(count) + 0.5) * bin_width
    weights = np.clip(1 - middle / width, 0, None)
    columns = np.column_stack([np.ones(count), middle / width])
    solved: Floats = np.linalg.solve(columns.T @ (weights[:, None] * columns), np.array([1.0, 0.0]))
    pulls: Floats = weights * (columns @ solved)
    return pulls
