"""Checks of a design before it is believed: each a ``Diagnostic`` with its reason."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import linalg, optimize, stats
from statsmodels.discrete.discrete_model import Logit
from statsmodels.tools.sm_exceptions import (
    ConvergenceWarning,
    HessianInversionWarning,
    PerfectSeparationWarning,
)

from evidence.errors import ModelError
from evidence.models.design import CONF_LEVEL, Codes, Diagnostic, Floats

NEAR_DEPENDENCY = 30.0
"""Condition index from which Belsley, Kuh and Welsch (1980, ch. 3) speak of harm."""

_MEMBER = 0.1
_SAME = 1e-9
_MOST_STEPS = 35
_EXTREMES = (0.1, 0.9)

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Influence:
    """How much single rows and clusters carry a regression.

    ``leverage`` (n,) is the diagonal of the hat matrix, ``cluster_leverage`` (G,) its
    sum by cluster, ``changes`` (G × K) how much each coefficient moves when a cluster
    is left out. Clusters are positions 1 … G in order of first appearance, never names.
    """

    leverage: Floats
    cluster_leverage: Floats
    changes: pd.DataFrame
    diagnostics: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class AttritionWeights:
    """Weights (n,) that make those who stayed stand for all: 0 for those who left."""

    values: pd.Series
    diagnostics: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds of an effect under selective attrition, with an interval for the effect.

    ``trimmed_share`` of the answers of the side that answered more (``trimmed_side``,
    'treated' or 'untreated') is cut. Where bounds do not apply all numbers are nan and
    ``reason`` says why.
    """

    lower: float = np.nan
    upper: float = np.nan
    lower_std_error: float = np.nan
    upper_std_error: float = np.nan
    conf_low: float = np.nan
    conf_high: float = np.nan
    conf_level: float = CONF_LEVEL
    df: float = np.nan
    trimmed_share: float = np.nan
    trimmed_side: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Side:
    """One side of a comparison: answers where seen, and which rows those are."""

    rows: Mask
    seen: Mask
    outcome: Floats

    @property
    def rate(self) -> float:
        return float(self.seen.sum() / self.rows.sum())


def measure_collinearity(design: pd.DataFrame) -> tuple[Diagnostic, ...]:
    """Measure how far the columns of a design repeat one another.

    ``design`` (n × K) holds the regressors as the estimator sees them: effects absorbed,
    or centred, or with a column of ones; a column that the effects absorb whole has to
    be zero, not rounding error. Columns are scaled to unit length. The first value is the
    condition number, the largest over the least singular value; its reason names the
    columns of each near-dependency, as many as there are condition indexes of 30 or
    more (Belsley, Kuh and Welsch 1980, ch. 3). Then the variance inflation 1/(1−R²) of
    each column on the others, infinite for an exact dependency; R² is about the mean
    when columns are centred.

    Raises
    ------
    ModelError
        Where the design has no rows or columns, or a value is not finite.
    """
    values = _require_finite(design, "collinearity")
    lengths = linalg.norm(values, axis=0)
    empty = [
        Diagnostic(f"variance inflation: {name}", reason="nothing is left of the column")
        for name in design.columns[lengths == 0]
    ]
    names = [str(name) for name in design.columns[lengths > 0]]
    if not names:
        return (Diagnostic("condition number", reason="nothing is left of any column"), *empty)
    geometry = np.linalg.qr(values[:, lengths > 0] / lengths[lengths > 0]).R
    singular = np.zeros(len(names))
    found = linalg.svdvals(geometry)
    singular[: len(found)] = found
    least = singular[-1]
    number = singular[0] / least if least > _rounding(geometry) else np.inf
    dependencies = _name_dependencies(geometry, names, singular)
    told = "; ".join(f"{', '.join(members)} nearly repeat one another" for members in dependencies)
    return (
        Diagnostic("condition number", value=float(number), reason=told),
        *(
            Diagnostic(f"variance inflation: {name}", value=_inflate(geometry, column))
            for column, name in enumerate(names)
        ),
        *empty,
    )


def measure_influence(
    outcome: pd.Series, regressors: pd.DataFrame, clusters: pd.Series
) -> Influence:
    """Measure the leverage of rows and clusters, with what each cluster's absence changes.

    ``outcome`` (n,), ``regressors`` (n × K) and ``clusters`` (n,) have one index and the
    effects absorbed. The change is exact, b(−g) − b = −(I − M_g)⁻¹ Q_g'e_g with X = QR
    and M_g = Q_g'Q_g (MacKinnon, Nielsen and Webb 2023), where effects lie
    within clusters; effects that cut across clusters (periods) are held as absorbed from
    all rows. A coefficient that rests on one cluster has no value without it: nan.

    Raises
    ------
    ModelError
        Where rows do not match, a value is not finite, columns are collinear, or there
        are fewer than two clusters.
    """
    _require_aligned("influence", outcome, regressors, clusters)
    values = _require_finite(regressors, "influence")
    explained = _require_finite(outcome.to_frame(), "influence")[:, 0]
    codes, count = _code_clusters(clusters, "influence")
    lengths = linalg.norm(values, axis=0)
    basis, geometry = np.linalg.qr(values / np.where(lengths > 0, lengths, 1.0))
    if len(values) < values.shape[1] or linalg.svdvals(geometry)[-1] <= _rounding(geometry):
        raise ModelError(
            "influence",
            seen="regressors of which one follows from the others",
            expected="linearly independent columns",
            do="Measure the collinearity, then leave out a column of the dependency.",
        )
    back = np.linalg.inv(geometry) / lengths[:, None]
    residual = explained - basis @ (basis.T @ explained)
    changes = np.array(
        [
            _leave_out(basis[rows], residual[rows], back)
            for rows in _split_rows(codes, count)
        ]
    )  # fmt: skip
    leverage = np.square(basis).sum(axis=1)
    by_cluster: Floats = np.bincount(codes, weights=leverage, minlength=count).astype(float)
    frame = pd.DataFrame(changes, columns=regressors.columns, index=np.arange(1, count + 1))
    return Influence(
        leverage=leverage,
        cluster_leverage=by_cluster,
        changes=frame,
        diagnostics=(
            Diagnostic(
                "largest leverage of a row",
                value=float(leverage.max()),
                reason=f"the mean is {leverage.mean():.3g}",
            ),
            Diagnostic(
                "largest leverage of a cluster",
                value=float(by_cluster.max()),
                reason=f"cluster {by_cluster.argmax() + 1} of {count}; "
                f"the mean is {by_cluster.mean():.3g}",
            ),
            *(_tell_change(frame[name]) for name in frame.columns),
        ),
    )


def measure_overlap(
    treated: pd.Series, covariates: pd.DataFrame, clusters: pd.Series
) -> tuple[Diagnostic, ...]:
    """Measure how far treated and untreated rows can be compared at all.

    ``treated`` (n,) is 0 or 1, ``covariates`` (n × K) and ``clusters`` (n,) have its
    index. The propensity p is a logit with a constant. Common support runs from the
    larger of the two sides' least p to the smaller of their largest (Dehejia and Wahba
    1999); beside it stands the share outside 0.1 to 0.9 (Crump, Hotz, Imbens and Mitnik
    2009). The effective number of clusters of a side is (ΣW)²/ΣW² (Kish 1965), W the sum
    by cluster of the weights 1/p or 1/(1−p).

    Raises
    ------
    ModelError
        Where rows do not match, or a covariate is missing or not finite.
    """
    _require_aligned("overlap", treated, covariates, clusters)
    names = (
        "share outside common support",
        "share with a propensity outside 0.1 to 0.9",
        "effective number of treated clusters",
        "effective number of untreated clusters",
    )
    side = _read_binary(treated)
    if side is None:
        why = "the exposure is not 0 or 1 with rows on both sides: overlap does not apply"
        return tuple(Diagnostic(name, reason=why) for name in names)
    propensity = _fit_propensity(side, _require_finite(covariates, "overlap"))
    if propensity is None:
        why = "the covariates tell the treated rows for certain: the propensity has no estimate"
        return tuple(Diagnostic(name, reason=why) for name in names)
    on, off = propensity[side], propensity[~side]
    low, high = max(on.min(), off.min()), min(on.max(), off.max())
    outside = (propensity < low - _SAME) | (propensity > high + _SAME)
    extreme = (propensity < _EXTREMES[0]) | (propensity > _EXTREMES[1])
    codes, _ = _code_clusters(clusters, "overlap", least=1)
    effective = (
        _count_effective(1 / on, codes[side]),
        _count_effective(1 / (1 - off), codes[~side]),
    )
    numbers = (float(outside.mean()), float(extreme.mean()), *effective)
    reasons = (
        f"common support is {low:.3f} to {high:.3f}",
        "",
        f"of {len(np.unique(codes[side]))} clusters with treated rows",
        f"of {len(np.unique(codes[~side]))} clusters with untreated rows",
    )
    return tuple(
        Diagnostic(name, value=number, reason=reason)
        for name, number, reason in zip(names, numbers, reasons, strict=True)
    )


def weigh_attrition(
    seen: pd.Series, covariates: pd.DataFrame, clusters: pd.Series, *, trim: float = 0.99
) -> AttritionWeights:
    """Weigh those who stayed so that they stand for all who began.

    ``seen`` (n,) is 1 for who stayed, ``covariates`` (n × K) are of the beginning. The
    weight is P(seen)/P(seen | covariates), a logit with a constant, for the seen and 0
    for the others (Wooldridge 2007); those above the ``trim`` quantile of the seen are
    set to it (Cole and Hernán 2008). This repairs attrition that the covariates explain,
    no other; errors that take the weights as known are on the safe side.

    Raises
    ------
    ModelError
        Where rows do not match, a covariate is missing, or ``trim`` is not in (0, 1].
    """
    _require_aligned("attrition", seen, covariates, clusters)
    if not 0 < trim <= 1:
        raise ModelError(
            "attrition, trim",
            seen=f"{trim}",
            expected="a quantile above 0 and up to 1",
            do="Take 0.99, or 1 for no trimming.",
        )
    side = _read_binary(seen)
    propensity = None
    if side is not None:
        propensity = _fit_propensity(side, _require_finite(covariates, "attrition"))
    if side is None or propensity is None:
        return _refuse_weights(seen, side)
    raw = side.mean() / propensity[side]
    top = float(np.quantile(raw, trim))
    weights = np.zeros(len(side))
    weights[side] = np.minimum(raw, top)
    codes, _ = _code_clusters(clusters, "attrition", least=1)
    effective = _count_effective(weights[side], codes[side])
    return AttritionWeights(
        values=pd.Series(weights, index=seen.index, name="weight"),
        diagnostics=(
            Diagnostic("share seen", value=float(side.mean())),
            Diagnostic("share of weights trimmed", value=float((raw > top).mean())),
            Diagnostic("largest weight before trimming", value=float(raw.max())),
            Diagnostic(
                "effective number of clusters",
                value=effective,
                reason=f"of {len(np.unique(codes[side]))} clusters with seen rows",
            ),
        ),
    )


def assess_missingness(
    seen: pd.Series, covariates: pd.DataFrame, clusters: pd.Series
) -> Diagnostic:
    """Test whether the covariates predict who is seen.

    A logit of ``seen`` (n,) on ``covariates`` (n × K), errors by cluster with the factor
    G/(G−1), and the adjusted Wald test of all slopes: F = W·(G−q)/(q·(G−1)) on q and G−q
    degrees of freedom (Korn and Graubard 1990). A small p-value says that data are not
    missing completely at random; a large one does not say that they are.

    Raises
    ------
    ModelError
        Where rows do not match or a covariate is missing.
    """
    name = "missing completely at random"
    _require_aligned("missingness", seen, covariates, clusters)
    side = _read_binary(seen)
    if side is None:
        return Diagnostic(name, reason="all rows are seen, or none, or seen is not 0 or 1")
    basis = _orthogonalise(_require_finite(covariates, "missingness"))
    codes, count = _code_clusters(clusters, "missingness", least=1)
    tested = basis.shape[1] - 1
    if not 0 < tested < count:
        why = f"{tested} covariates that vary and {count} clusters: a test needs more clusters"
        return Diagnostic(name, reason=why if tested else "no covariate varies")
    slopes = _fit_slopes(side, basis)
    if slopes is None:
        return Diagnostic(name, reason="the covariates tell the seen rows for certain")
    chance = 1 / (1 + np.exp(-basis @ slopes))
    bread = np.linalg.inv(basis.T @ (basis * (chance * (1 - chance))[:, None]))
    scores = _sum_by_cluster(basis * (side - chance)[:, None], codes, count)
    covariance = bread @ (scores.T @ scores) @ bread * count / (count - 1)
    wald = float(slopes[1:] @ np.linalg.solve(covariance[1:, 1:], slopes[1:]))
    value = wald * (count - tested) / (tested * (count - 1))
    p_value = float(stats.f.sf(value, tested, count - tested))
    return Diagnostic(name, value=value, p_value=p_value, df=count - tested)


def bound_attrition(
    outcome: pd.Series,
    treated: pd.Series,
    seen: pd.Series,
    clusters: pd.Series,
    *,
    strata: pd.Series | None = None,
    conf_level: float = CONF_LEVEL,
) -> Bounds:
    """Bound an effect by trimming the side that lost fewer (Lee 2009).

    ``outcome`` (n,) is read where ``seen`` is 1, ``treated`` is 0 or 1. Assumes random
    treatment and monotone attrition: treatment moves nobody to stay and nobody else to
    leave. Of the side with the higher response a share 1 − (lower/higher rate) of the
    answers is cut from the top or the bottom; the answer on the border counts in part,
    so ties and small samples are trimmed exactly.

    Errors are analytic, the influence functions behind Lee's Proposition 3 summed by
    cluster, times G/(G−1); the interval covers the effect, not the bounds (Imbens and
    Manski 2004), from t(G−1) in place of the normal. ``strata`` (n,), known
    before treatment, show whether monotonicity fails: if response is significantly
    higher among the treated in one stratum and lower in another (5 %, Bonferroni over
    strata), there are no bounds.

    Raises
    ------
    ModelError
        Where rows do not match, or a seen outcome is missing or not finite.
    """
    others = [] if strata is None else [strata]
    if not 0.5 <= conf_level < 1:
        raise ModelError(
            "attrition bounds, conf_level",
            seen=f"{conf_level}",
            expected="a share from 0.5 to below 1",
            do="Take 0.95 or 0.9.",
        )
    _require_aligned("attrition bounds", outcome, treated, seen, clusters, *others)
    on, here = _read_binary(treated), _read_binary(seen)
    codes, count = _code_clusters(clusters, "attrition bounds", least=1)
    reason = _refuse_bounds(on, here, codes, strata)
    if reason or on is None or here is None:
        return Bounds(conf_level=conf_level, reason=reason)
    numbers = outcome.to_numpy(dtype=float, na_value=np.nan)
    if not np.isfinite(numbers[here]).all():
        raise ModelError(
            "attrition bounds, outcome",
            seen=f"{int((~np.isfinite(numbers[here])).sum())} seen rows without an outcome",
            expected="a finite number wherever seen is 1",
            do="Set seen to 0 where the outcome is missing.",
        )
    numbers = np.where(here, numbers, 0.0)
    sides = (_Side(on, on & here, numbers), _Side(~on, ~on & here, numbers))
    ends, parts = _trim_sides(*sides)
    few = _few(codes, on)
    errors = [np.nan if few else _cluster_error(part, codes, count) for part in parts]
    reach = _reach(ends[1] - ends[0], errors, count - 1, conf_level)
    rates = sides[0].rate, sides[1].rate
    return Bounds(
        lower=ends[0],
        upper=ends[1],
        lower_std_error=errors[0],
        upper_std_error=errors[1],
        conf_low=ends[0] - reach * errors[0],
        conf_high=ends[1] + reach * errors[1],
        conf_level=conf_level,
        df=count - 1,
        trimmed_share=1 - min(rates) / max(rates),
        trimmed_side="treated" if rates[0] > rates[1] else "untreated",
        reason=few,
    )


def find_detectable(
    std_error: float, df: float, *, power: float = 0.8, level: float = 0.05
) -> Diagnostic:
    """Find the least effect that a design detects with the given power.

    (t_{1−level/2} + t_power)·``std_error``, t with ``df`` degrees of freedom (Bloom 1995),
    in the units of ``std_error``; two-sided at ``level``. The standard error is that of
    the estimate, or one planned with ``plan_std_error``.

    Raises
    ------
    ModelError
        Where ``power`` or ``level`` is not between 0 and 1, or df is not positive.
    """
    _check_shares(power=power, level=level)
    name = f"minimum detectable effect, power {power:g}"
    if not std_error > 0 or not df > 0:
        return Diagnostic(name, df=df, reason="there is no standard error to plan with")
    reach = stats.t.ppf(1 - level / 2, df) + stats.t.ppf(power, df)
    return Diagnostic(name, value=float(reach * std_error), df=df)


def assess_power(effect: float, std_error: float, df: float, *, level: float = 0.05) -> Diagnostic:
    """Assess the chance that a two-sided test finds an effect of a given size.

    From the noncentral t with ``df`` degrees of freedom and noncentrality
    ``effect``/``std_error``, by its square, a noncentral F. The effect has to come from outside these data: with the
    estimate itself the answer is its p-value in other words (Hoenig and Heisey 2001).

    Raises
    ------
    ModelError
        Where ``level`` is not between 0 and 1.
    """
    _check_shares(level=level)
    name = f"power to find {effect:g}"
    if not std_error > 0 or not df > 0 or not np.isfinite(effect):
        return Diagnostic(name, df=df, reason="there is no standard error to plan with")
    shift = abs(effect) / std_error
    border = stats.t.ppf(1 - level / 2, df)
    if shift == 0:
        chance = level
    elif np.isinf(df):
        chance = stats.ncx2.sf(border**2, 1, shift**2)
    else:
        chance = stats.ncf.sf(border**2, 1, df, shift**2)
    return Diagnostic(name, value=float(chance), df=df)


def plan_std_error(
    n_clusters: int,
    cluster_size: float,
    *,
    icc: float,
    sigma: float = 1.0,
    share_treated: float = 0.5,
) -> float:
    """Plan the standard error of an effect that is assigned by cluster.

    sigma·√[(icc + (1−icc)/m) / (P(1−P)G)], G clusters of m rows, a share P of the clusters
    treated (Bloom 2005); ``sigma`` in units of the outcome.

    Raises
    ------
    ModelError
        Where a share is not between 0 and 1, or a count is too small.
    """
    _check_shares(share_treated=share_treated)
    if n_clusters < 2 or cluster_size < 1 or not 0 <= icc <= 1 or not sigma > 0:
        raise ModelError(
            "planned standard error",
            seen=f"{n_clusters} clusters of {cluster_size}, icc {icc}, sigma {sigma}",
            expected="two or more clusters of one or more rows, icc from 0 to 1, sigma above 0",
            do="Take the numbers from a pilot or an earlier round.",
        )
    variance = (icc + (1 - icc) / cluster_size) / (share_treated * (1 - share_treated))
    return float(sigma * np.sqrt(variance / n_clusters))


def _name_dependencies(
    geometry: Floats, names: Sequence[str], singular: Floats
) -> list[tuple[str, ...]]:
    """Name the columns of each near-dependency: a redundant one and what it repeats."""
    first = len(names) - int((singular[0] >= NEAR_DEPENDENCY * singular).sum())
    triangle, order = linalg.qr(geometry, mode="r", pivoting=True)
    shares = linalg.solve_triangular(triangle[:first, :first], triangle[:first, first:])
    members = [
        {int(order[first + column]), *order[:first][np.abs(shares[:, column]) > _MEMBER].tolist()}
        for column in range(shares.shape[1])
    ]
    return [tuple(names[position] for position in sorted(group)) for group in members]


def _inflate(geometry: Floats, column: int) -> float:
    others = np.delete(geometry, column, axis=1)
    target = geometry[:, column]
    fitted = others @ np.linalg.lstsq(others, target, rcond=None)[0]
    left = float(linalg.norm(target - fitted))
    return left**-2 if left > _rounding(geometry) else np.inf


def _rounding(geometry: Floats) -> float:
    return float(8 * np.finfo(float).eps * max(geometry.shape))


def _leave_out(basis: Floats, residual: Floats, back: Floats) -> Floats:
    """Compute the change of all coefficients without one cluster, nan where none is left."""
    values, vectors = np.linalg.eigh(np.eye(basis.shape[1]) - basis.T @ basis)
    gone = values <= _SAME
    inverse = np.where(gone, 0.0, 1 / np.where(gone, 1.0, values))
    change: Floats = -back @ (vectors * inverse) @ vectors.T @ (basis.T @ residual)
    lost = np.abs(back @ vectors[:, gone]) > _SAME * linalg.norm(back, axis=1)[:, None]
    change[lost.any(axis=1)] = np.nan
    return change


def _tell_change(changes: pd.Series) -> Diagnostic:
    name = f"change without one cluster: {changes.name}"
    alone = changes.index[changes.isna()]
    if len(alone):
        why = f"the coefficient rests on cluster {alone[0]} of {len(changes)} alone"
        return Diagnostic(name, reason=why)
    position = int(changes.abs().to_numpy().argmax())
    why = f"cluster {position + 1} of {len(changes)}, in order of first appearance"
    return Diagnostic(name, value=float(changes.iloc[position]), reason=why)


def _refuse_weights(seen: pd.Series, side: Mask | None) -> AttritionWeights:
    """Say why there is nothing to weigh, or no way to weigh it."""
    everyone = side is None and bool((seen == 1).all())
    if everyone:
        reason = "nobody left: every weight is 1"
    elif side is None:
        reason = "nobody is seen, or seen is not 0 or 1"
    else:
        reason = "the covariates tell who left for certain: no weight makes up for them"
    weights = pd.Series(1.0 if everyone else np.nan, index=seen.index, name="weight")
    return AttritionWeights(weights, (Diagnostic("share of weights trimmed", reason=reason),))


def _refuse_bounds(
    on: Mask | None, here: Mask | None, codes: Codes, strata: pd.Series | None
) -> str:
    """Say why bounds do not apply; empty where they do."""
    if on is None:
        return "the exposure is not 0 or 1 with rows on both sides: bounds do not apply"
    if here is None:
        return "all rows are seen, or none, or seen is not 0 or 1: there is nothing to bound"
    rates = here[on].mean(), here[~on].mean()
    if min(rates) == 0:
        return "nobody of one side is seen: nothing is known about its outcome"
    if abs(rates[0] - rates[1]) < _SAME:
        return (
            "attrition is equal on both sides: nothing to trim; if it is monotone the plain "
            "difference is not biased by it"
        )
    if strata is not None and _crosses(on, here, codes, strata):
        return (
            "monotone attrition is impossible: treatment raises response in one stratum and "
            "lowers it in another"
        )
    return ""


def _crosses(on: Mask, here: Mask, codes: Codes, strata: pd.Series) -> bool:
    """Tell whether response differs significantly in both directions between strata."""
    cells = [np.asarray(strata == value) for value in strata.dropna().unique()]
    statistics = [_compare_response(on[cell], here[cell], codes[cell]) for cell in cells]
    signs = [
        np.sign(value) * (abs(value) > stats.t.ppf(1 - 0.025 / len(cells), df))
        for value, df in statistics
    ]
    return 1 in signs and -1 in signs


def _compare_response(on: Mask, here: Mask, codes: Codes) -> tuple[float, float]:
    """Test the difference in response rates; nan where there is too little to test."""
    _, codes = np.unique(codes, return_inverse=True)
    if _few(codes, on):
        return np.nan, 1.0
    sides = [_Side(rows, rows & here, here.astype(float)) for rows in (on, ~on)]
    part = _vary_rate(sides[0]) - _vary_rate(sides[1])
    count = int(codes.max()) + 1
    error = _cluster_error(part, codes, count)
    difference = sides[0].rate - sides[1].rate
    return (difference / error if error > 0 else np.sign(difference) * np.inf), count - 1


def _few(codes: Codes, on: Mask) -> str:
    fewest = min(len(np.unique(codes[on])), len(np.unique(codes[~on])))
    return "" if fewest > 1 else "one cluster on a side: bounds without an interval"


def _trim_sides(
    treated: _Side, untreated: _Side
) -> tuple[tuple[float, float], tuple[Floats, Floats]]:
    """Compute lower and upper bound, with the influence of each row on either."""
    sign = 1.0 if treated.rate > untreated.rate else -1.0
    more, less = (treated, untreated) if sign > 0 else (untreated, treated)
    mean = float(less.outcome[less.seen].mean())
    own = np.where(less.seen, less.outcome - mean, 0.0) / less.seen.sum()
    bottom, top = _trim(more, less, -1.0), _trim(more, less, 1.0)
    low, high = (bottom, top) if sign > 0 else (top, bottom)
    return (
        (sign * (low[0] - mean), sign * (high[0] - mean)),
        (sign * (low[1] - own), sign * (high[1] - own)),
    )


def _trim(more: _Side, less: _Side, turn: float) -> tuple[float, Floats]:
    """Compute the mean of the largest answers (``turn`` 1) or the smallest (−1).

    What is kept has the mass ``less.rate``/``more.rate``. The influence has two parts:
    of the answers, given what is kept, and of the two response rates.
    """
    keep = less.rate / more.rate
    turned = turn * more.outcome
    answers = np.sort(turned[more.seen])[::-1]
    mass = keep * len(answers)
    border = answers[int(np.ceil(mass - _SAME)) - 1]
    mean = border + np.maximum(answers - border, 0).sum() / mass
    above = np.maximum(turned - border, 0) - keep * (mean - border)
    of_answers = np.where(more.seen, above, 0.0) / mass
    of_rates = (_vary_rate(less) - keep * _vary_rate(more)) / more.rate
    part: Floats = of_answers + (border - mean) / keep * of_rates
    return turn * float(mean), turn * part


def _vary_rate(side: _Side) -> Floats:
    influence: Floats = np.where(side.rows, side.seen - side.rate, 0.0) / side.rows.sum()
    return influence


def _reach(width: float, errors: Sequence[float], df: float, conf_level: float) -> float:
    """Solve F(c + width/max error) − F(−c) = conf_level for c."""
    largest = max(errors)
    if not largest > 0:
        return largest
    border = float(stats.t.ppf((1 + conf_level) / 2, df))

    def miss(c: float) -> float:
        return float(stats.t.cdf(c + width / largest, df) - stats.t.cdf(-c, df)) - conf_level

    return float(optimize.brentq(miss, 0.0, 2 * border, xtol=1e-12))


def _fit_propensity(side: Mask, covariates: Floats) -> Floats | None:
    basis = _orthogonalise(covariates)
    slopes = _fit_slopes(side, basis)
    if slopes is None:
        return None
    propensity: Floats = 1 / (1 + np.exp(-basis @ slopes))
    return propensity


def _fit_slopes(side: Mask, basis: Floats) -> Floats | None:
    """Fit a logit; None where its likelihood has no maximum (separation)."""
    signs = (PerfectSeparationWarning, ConvergenceWarning, HessianInversionWarning)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for kind in signs:
            warnings.simplefilter("error", kind)
        try:
            fitted = Logit(side.astype(float), basis).fit(disp=0, maxiter=_MOST_STEPS)
        except (*signs, np.linalg.LinAlgError):
            return None
    slopes: Floats = np.asarray(fitted.params, dtype=float)
    return slopes


def _orthogonalise(covariates: Floats) -> Floats:
    """Make a constant and orthogonal columns of length √n that span the covariates."""
    centred = covariates - covariates.mean(axis=0)
    spread = centred.std(axis=0)
    varies = spread > _SAME * np.abs(covariates).max(axis=0)
    count = len(covariates)
    left, singular, _ = np.linalg.svd(centred[:, varies] / spread[varies], full_matrices=False)
    kept = left[:, singular > _SAME * singular.max(initial=0.0)]
    return np.column_stack([np.ones(count), kept * np.sqrt(count)])


def _sum_by_cluster(values: Floats, codes: Codes, count: int) -> Floats:
    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, codes, values)
    return sums


def _cluster_error(part: Floats, codes: Codes, count: int) -> float:
    sums = np.bincount(codes, weights=part, minlength=count)
    return float(np.sqrt(count / (count - 1) * np.square(sums).sum()))


def _count_effective(weights: Floats, codes: Codes) -> float:
    sums = np.bincount(codes, weights=weights)
    return float(sums.sum() ** 2 / np.square(sums).sum())


def _split_rows(codes: Codes, count: int) -> list[Codes]:
    sizes = np.bincount(codes, minlength=count)
    return np.split(np.argsort(codes, kind="stable"), np.cumsum(sizes)[:-1])


def _read_binary(values: pd.Series) -> Mask | None:
    """Read 0 and 1 as False and True; None where there is anything else, or one side."""
    numbers = values.to_numpy(dtype=float, na_value=np.nan)
    on: Mask = numbers == 1
    return on if np.isin(numbers, (0, 1)).all() and 0 < on.sum() < len(on) else None


def _require_finite(frame: pd.DataFrame, where: str) -> Floats:
    words = [name for name in frame.columns if not pd.api.types.is_numeric_dtype(frame[name])]
    if frame.empty or words:
        raise ModelError(
            where,
            seen=f"text in {', '.join(map(str, words))}" if words else "no rows or columns",
            expected="one or more rows and columns of numbers",
            do="Turn words into numbers or indicators first.",
        )
    values: Floats = frame.to_numpy(dtype=float, na_value=np.nan)
    gaps = [
        name
        for position, name in enumerate(frame.columns)
        if not np.isfinite(values[:, position]).all()
    ]
    if gaps:
        raise ModelError(
            where,
            seen=f"missing or infinite values in {', '.join(map(str, gaps))}",
            expected="finite numbers in every row",
            do="Take the rows of the estimation sample, or impute before, on the record.",
        )
    return values


def _require_aligned(where: str, first: pd.Series, *others: pd.Series | pd.DataFrame) -> None:
    if not len(first) or not all(other.index.equals(first.index) for other in others):
        raise ModelError(
            where,
            seen=f"rows of {len(first)} and {', '.join(str(len(other)) for other in others)}",
            expected="one and the same index, of one or more rows",
            do="Take all of them from one sample.",
        )


def _code_clusters(clusters: pd.Series, where: str, *, least: int = 2) -> tuple[Codes, int]:
    """Give each cluster a number from 0, in order of first appearance."""
    codes, names = pd.factorize(clusters)
    if (codes < 0).any() or len(names) < least:
        raise ModelError(
            f"{where}, clusters",
            seen=f"{len(names)} clusters and {int((codes < 0).sum())} rows without one",
            expected=f"a cluster for every row, {least} or more of them",
            do="Name a coarser or complete variable of clusters.",
        )
    return codes.astype(np.int64), len(names)


def _check_shares(**shares: float) -> None:
    for name, value in shares.items():
        if not 0 < value < 1:
            raise ModelError(
                f"power, {name}",
                seen=f"{value}",
                expected="a number between 0 and 1",
                do="Give a share, not a percentage.",
            )
