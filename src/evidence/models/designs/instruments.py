"""Instrumental variables within absorbed effects, with tests that bear weak instruments.

linearmodels estimates on columns that are free of the effects and of unit spread. It is
silent about irrelevant instruments; here every estimate carries its first stage.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from linearmodels.iv import IV2SLS, IVGMM, IVLIML
from scipy import linalg, optimize, stats

from evidence.errors import ModelError
from evidence.models.design import CONF_LEVEL, Codes, Design, Diagnostic, Estimates, Floats
from evidence.models.designs.linear import (
    SmallSample,
    call_library,
    check_convention,
    check_design,
    check_rank,
)
from evidence.models.kernel.absorb import absorb, code_effects, find_singletons
from evidence.models.kernel.conventions import count_parameters
from evidence.models.kernel.solve import NO_CHANGE

Method = Literal["2sls", "liml", "gmm"]

WEAK = 10.0
_NO_RELATION = 1e-8
_DIRECTIONS = 4001
_STEEPEST = 1e-9


@dataclass(frozen=True, slots=True)
class _Columns:
    """Columns free of the effects, of unit spread, and what inference counts.

    ``outcome`` (n × 1), ``exogenous`` (n × k), ``endogenous`` (n × m), ``instruments``
    (n × q). ``spreads`` are the outcome's and then the regressors', exogenous first.
    ``absorbed`` counts coefficients of effects, a constant among them.
    """

    outcome: pd.DataFrame
    exogenous: pd.DataFrame
    endogenous: pd.DataFrame
    instruments: pd.DataFrame
    spreads: Floats
    clusters: Codes | None
    absorbed: int
    lonely: int

    @property
    def groups(self) -> int:
        """Count clusters, 0 without."""
        return 0 if self.clusters is None else int(self.clusters.max()) + 1

    def count_df(self, regressors: int) -> int:
        """Count degrees of freedom: G − 1, or n − k without clusters."""
        return self.groups - 1 if self.groups else len(self.outcome) - regressors - self.absorbed


@dataclass(frozen=True, slots=True)
class _Stages:
    """Columns free of the exogenous regressors too, with orthonormal instruments.

    ``outcome`` (n × 1), ``endogenous`` (n × m), ``instruments`` (n × q).
    """

    outcome: Floats
    endogenous: Floats
    instruments: Floats


def estimate_iv(
    design: Design,
    *,
    endogenous: tuple[str, ...],
    instruments: pd.DataFrame,
    method: Method = "2sls",
    small_sample: SmallSample = "fixest",
) -> Estimates:
    """Estimate a regression whose ``endogenous`` regressors are instrumented.

    The design's effects are taken out of all columns first; rows alone in an effect fall
    out (counted by the diagnostic ``singletons``). Coefficients come in the order of the
    design's regressors. Diagnostics, with the convention of the estimates:

    - ``first_stage``: effective F of one endogenous regressor (Montiel Olea and Pflueger
      2013, eq. 4), with one instrument the robust F, with its p-value; of several the
      Kleibergen-Paap (2006) rk Wald F. Below 10 a reason says that t tests and intervals
      mislead; above, they may still: with one instrument t tests keep 5 % only from about
      105 (Lee, McCrary, Moreira and Porter 2022).
    - ``anderson_rubin``: F test that no endogenous regressor has an effect, valid with
      weak instruments (Anderson and Rubin 1949), ``df`` the instruments; of one endogenous
      regressor also ``anderson_rubin_low`` and ``anderson_rubin_high``, ends of the set of
      effects that the test keeps at 95 %: ±infinity where it has no end, with a reason.
    - ``overidentification``: Sargan's (1958) test, with clusters Hansen's (1982) J of
      two-step GMM, chi-squared; a reason where exactly identified.
    - ``durbin_wu_hausman``: F test that the residuals of the first stage do not belong in
      the equation (Hausman 1978; Wooldridge 1995): small p, least squares is biased.

    Parameters
    ----------
    design : Design
        Exogenous and endogenous regressors together.
    instruments : DataFrame
        n × q, excluded instruments, with the index of the design.
    method : {"2sls", "liml", "gmm"}
        Two-stage least squares, limited-information maximum likelihood, or two-step GMM
        with weights robust to clusters.
    small_sample : {"fixest", "none"}
        Clustered errors times G/(G−1)·(n−1)/(n−k) (CR1), k with the effects that are not
        nested in clusters, or as they are (CR0); t(G−1) in both. Without clusters n/(n−k)
        with all effects, or no factor; t(n−k).

    Raises
    ------
    ModelError
        Where fewer instruments than endogenous regressors are there, or the instruments
        are collinear, absorbed, unrelated to or the same as a regressor, or the design is
        damaged.
    """
    check_design(design)
    adjusted = check_convention(design, small_sample)
    _check_instruments(design, endogenous, instruments, method)
    columns = _prepare(design, endogenous, instruments)
    stages = _partial_out(columns)
    _check_identified(design, columns, stages)
    result = call_library(design, lambda: _run(columns, method, adjusted=adjusted))
    found = [*columns.exogenous.columns, *columns.endogenous.columns]
    order = [found.index(name) for name in design.regressors.columns]
    back = (columns.spreads[0] / columns.spreads[1:])[order]
    n, k = len(columns.outcome), len(found)
    factor = (n - k) / (n - k - columns.absorbed) if adjusted else 1.0
    covariance = result.cov.to_numpy()[np.ix_(order, order)] * np.outer(back, back) * factor
    robust, plain = ("CR1", "n/(n-k)") if adjusted else ("CR0", "none")
    return Estimates(
        terms=tuple(map(str, design.regressors.columns)),
        coefficients=result.params.to_numpy()[order] * back,
        covariance=covariance,
        df=float(columns.count_df(k)),
        nobs=n,
        n_clusters=columns.groups or None,
        cov_type=robust if columns.groups else "unadjusted",
        small_sample=small_sample if columns.groups else plain,
        diagnostics=_diagnose(design, columns, stages, adjusted=adjusted),
    )


def _check_instruments(
    design: Design, endogenous: tuple[str, ...], instruments: pd.DataFrame, method: str
) -> None:
    regressors = list(design.regressors.columns)
    names = list(instruments.columns)
    unknown = [name for name in endogenous if name not in regressors]
    double = sorted(set(names) & set(regressors)) + [n for n in names if names.count(n) > 1]
    damages = (
        (not endogenous or bool(unknown), f"endogenous {', '.join(unknown) or 'nothing'}",
         f"regressors, of {', '.join(map(str, regressors))}"),
        (len(names) < len(set(endogenous)),
         f"{len(names)} instruments of {len(set(endogenous))} endogenous regressors",
         "at least as many instruments: the effect is under-identified"),
        (bool(double), f"{', '.join(double)} twice", "instruments that are no regressors"),
        (method not in ("2sls", "liml", "gmm"), f"method '{method}'", "2sls, liml or gmm"),
    )  # fmt: skip
    for found, seen, expected in damages:
        if found:
            raise ModelError(
                f"{design.where}, instruments",
                seen=seen,
                expected=expected,
                do="Name other instruments, or estimate without them.",
            )
    # The instruments have to be what regressors have to be.
    check_design(
        Design(design.outcome, instruments, design.effects, where=f"{design.where}, instruments")
    )


def _prepare(design: Design, endogenous: tuple[str, ...], instruments: pd.DataFrame) -> _Columns:
    coded = code_effects(design.effects)
    kept = find_singletons(coded)[0] if coded.codes else np.ones(len(design.outcome), dtype=bool)
    effects = code_effects(design.effects[kept])
    frame = pd.concat(
        [
            design.outcome.rename("(outcome)"),
            design.regressors.drop(columns=list(endogenous)),
            design.regressors[list(dict.fromkeys(endogenous))],
            instruments,
        ],
        axis=1,
    )[kept].astype("float64")
    clusters = None if design.clusters is None else pd.factorize(design.clusters[kept])[0]
    if len(frame) < 2 or (clusters is not None and clusters.max() < 1):
        raise ModelError(
            design.where,
            seen=f"{len(frame)} rows in a single cluster once rows alone in an effect are out",
            expected="two clusters or more",
            do="Widen the sample, or take an effect out.",
        )
    whole = frame.to_numpy()
    whole = whole - whole.mean(axis=0)
    spread = np.sqrt((whole**2).mean(axis=0))
    left = absorb(whole / np.where(spread > 0, spread, 1.0), effects, where=design.where)
    share = np.sqrt((left**2).mean(axis=0))
    lost = [str(name) for name, part in zip(frame, share, strict=True) if part**2 < NO_CHANGE]
    if lost:
        raise ModelError(
            design.where,
            seen=f"nothing of {', '.join(lost)} is left once the effects are taken out",
            expected="columns that vary beyond the effects",
            do="Take out the column or the effects.",
        )
    scaled = pd.DataFrame(left / share, columns=frame.columns)
    m, q = len(set(endogenous)), instruments.shape[1]
    k = frame.shape[1] - 1 - m - q
    return _Columns(
        outcome=scaled.iloc[:, :1],
        exogenous=scaled.iloc[:, 1 : 1 + k],
        endogenous=scaled.iloc[:, 1 + k : 1 + k + m],
        instruments=scaled.iloc[:, 1 + k + m :],
        spreads=(spread * share)[: 1 + k + m],
        clusters=clusters,
        absorbed=max(
            1, count_parameters(0, effects, [] if clusters is None else [clusters], "fixest")
        ),
        lonely=int((~kept).sum()),
    )


def _partial_out(columns: _Columns) -> _Stages:
    """Take the exogenous regressors out of the rest (Frisch and Waugh 1933)."""
    parts = [part.to_numpy() for part in (columns.outcome, columns.endogenous, columns.instruments)]
    exogenous = columns.exogenous.to_numpy()
    if exogenous.size:
        basis = linalg.qr(exogenous, mode="economic")[0]
        parts = [part - basis @ (basis.T @ part) for part in parts]
    return _Stages(parts[0], parts[1], linalg.qr(parts[2], mode="economic")[0])


def _check_identified(design: Design, columns: _Columns, stages: _Stages) -> None:
    for part in (columns.instruments, columns.endogenous):
        together = pd.concat([columns.exogenous, part], axis=1)
        check_rank(design, together.to_numpy(), [str(name) for name in together.columns])
    lengths = np.sqrt((stages.endogenous**2).sum(axis=0))
    related = linalg.svdvals(stages.instruments.T @ (stages.endogenous / lengths))
    names = ", ".join(map(str, columns.endogenous.columns))
    missed = stages.endogenous - stages.instruments @ (stages.instruments.T @ stages.endogenous)
    exact = bool(((missed**2).sum(axis=0) < NO_CHANGE * lengths**2).any())
    if related[-1] < _NO_RELATION or exact:
        raise ModelError(
            f"{design.where}, instruments",
            seen=f"instruments that repeat one of {names}"
            if exact
            else f"no relation of the instruments with {names}: under-identified",
            expected="instruments that move the endogenous regressors in part",
            do="Name other instruments, or estimate without them.",
        )


def _run(columns: _Columns, method: str, *, adjusted: bool) -> Any:
    exogenous = columns.exogenous if columns.exogenous.shape[1] else None
    parts = (columns.outcome, exogenous, columns.endogenous, columns.instruments)
    options: dict[str, Any] = {"cov_type": "unadjusted", "debiased": adjusted}
    weights: dict[str, Any] = {"weight_type": "unadjusted"}
    if columns.clusters is not None:
        options |= {"cov_type": "clustered", "clusters": columns.clusters}
        weights = {"weight_type": "clustered", "clusters": columns.clusters}
    if method == "gmm":
        return IVGMM(*parts, **weights).fit(**options)
    model: Callable[..., Any] = IVLIML if method == "liml" else IV2SLS
    return model(*parts).fit(**options)


def _diagnose(
    design: Design, columns: _Columns, stages: _Stages, *, adjusted: bool
) -> tuple[Diagnostic, ...]:
    return (
        _test_first_stage(design, columns, stages, adjusted=adjusted),
        *_test_anderson_rubin(columns, stages, adjusted=adjusted),
        _test_overidentification(design, columns, stages),
        _test_endogeneity(columns, stages, adjusted=adjusted),
        Diagnostic("singletons", float(columns.lonely)),
    )


def _regress(
    columns: _Columns, left: Floats, right: Floats, *, adjusted: bool
) -> tuple[Floats, Floats]:
    """Regress columns (n × p) on others (n × q), both free of the exogenous ones.

    Returns coefficients (p·q,), a column of ``left`` after the other, with covariance.
    """
    coefficients = linalg.lstsq(right, left)[0]
    residuals = left - right @ coefficients
    bread = linalg.inv(right.T @ right)
    n, k = len(right), right.shape[1] + columns.exogenous.shape[1] + columns.absorbed
    if columns.clusters is None:
        spread = residuals.T @ residuals / (n - k if adjusted else n)
        return coefficients.T.ravel(), np.kron(spread, bread)
    scores = (residuals[:, :, None] * (right @ bread)[:, None, :]).reshape(n, -1)
    sums = np.zeros((columns.groups, scores.shape[1]))
    np.add.at(sums, columns.clusters, scores)
    g = columns.groups
    factor = g / (g - 1) * (n - 1) / (n - k) if adjusted else 1.0
    return coefficients.T.ravel(), factor * (sums.T @ sums)


def _test_first_stage(
    design: Design, columns: _Columns, stages: _Stages, *, adjusted: bool
) -> Diagnostic:
    m, q = stages.endogenous.shape[1], stages.instruments.shape[1]
    p_value = np.nan
    if m == 1:
        slopes, spread = _regress(columns, stages.endogenous, stages.instruments, adjusted=adjusted)
        value, name = float(slopes @ slopes / np.trace(spread)), "effective F"
        if q == 1:
            df = columns.count_df(columns.exogenous.shape[1] + 1)
            p_value = float(stats.f.sf(value, 1, df))
    else:
        name = "Kleibergen-Paap F"
        try:
            value = float(
                call_library(
                    design,
                    lambda: _run(columns, "2sls", adjusted=adjusted).first_stage.kleibergen_paap_f,
                )
            )
        except ModelError as error:
            return Diagnostic("first_stage", df=float(q), reason=f"not estimable: {error.seen}")
    reason = ""
    if not value >= WEAK:
        reason = f"weak instruments: {name} {value:.1f}, below {WEAK:.0f}; read anderson_rubin"
    return Diagnostic("first_stage", value, p_value, float(q), reason)


def _test_anderson_rubin(
    columns: _Columns, stages: _Stages, *, adjusted: bool
) -> tuple[Diagnostic, ...]:
    names = ("anderson_rubin", "anderson_rubin_low", "anderson_rubin_high")
    m, q = stages.endogenous.shape[1], stages.instruments.shape[1]
    df = columns.count_df(columns.exogenous.shape[1] + q)
    if df < q:
        reason = f"{q} instruments, but only {df} degrees of freedom"
        return tuple(Diagnostic(name, reason=reason) for name in names[: 1 if m > 1 else 3])
    both = np.hstack([stages.outcome, stages.endogenous[:, :1]])
    slopes, spread = _regress(columns, both, stages.instruments, adjusted=adjusted)

    def measure(effects: Floats) -> Floats:
        """Compute the F statistic of each effect (e,) of the endogenous regressor."""
        gap = slopes[:q] - effects[:, None] * slopes[q:]
        cross = spread[:q, q:] + spread[q:, :q]
        square = effects[:, None, None] ** 2 * spread[q:, q:]
        matrix = spread[:q, :q] - effects[:, None, None] * cross + square
        solved = np.linalg.solve(matrix, gap[:, :, None])[:, :, 0]
        value: Floats = (gap * solved).sum(axis=1) / q
        return value

    none = float(measure(np.zeros(1))[0])
    test = Diagnostic("anderson_rubin", none, float(stats.f.sf(none, q, df)), float(q))
    if m > 1:
        return (test,)
    limit = float(stats.f.ppf(CONF_LEVEL, q, df))
    centre = float((slopes[:q] @ slopes[q:]) / (slopes[q:] @ slopes[q:]))
    endless = float(slopes[q:] @ np.linalg.solve(spread[q:, q:], slopes[q:])) / q <= limit
    weights = np.diag(spread)
    reach = np.sqrt((weights[:q] + centre**2 * weights[q:]).sum() / (slopes[q:] @ slopes[q:]))
    ends = _find_ends(measure, (centre, float(reach)), limit)
    back = columns.spreads[0] / columns.spreads[-1]
    low, high, reason = _describe_set(ends * back, endless=endless)
    return (
        test,
        Diagnostic(names[1], low, reason=reason),
        Diagnostic(names[2], high, reason=reason),
    )


def _find_ends(
    measure: Callable[[Floats], Floats], around: tuple[float, float], limit: float
) -> Floats:
    """Find where a statistic crosses its limit on the whole line, densest near ``around``."""
    centre, reach = around

    def place(angle: float | Floats) -> Floats:
        placed: Floats = centre + reach * np.tan(np.atleast_1d(angle))
        return placed

    inner = np.linspace(-np.pi / 2, np.pi / 2, _DIRECTIONS + 2)[1:-1]
    outer = np.pi / 2 - _STEEPEST
    angles = np.concatenate([[-outer], inner, [outer]])
    over = measure(place(angles)) > limit
    ends = [
        optimize.brentq(lambda a: measure(place(a))[0] - limit, angles[at], angles[at + 1])
        for at in np.flatnonzero(over[1:] != over[:-1])
    ]
    return place(np.array(ends)) if ends else np.empty(0)


def _describe_set(ends: Floats, *, endless: bool) -> tuple[float, float, str]:
    """Say where a set begins, where it ends, and what is special about it."""
    if not len(ends) and not endless:
        return np.nan, np.nan, "empty: the instruments contradict each other"
    if not len(ends):
        return -np.inf, np.inf, "no effect is excluded: the instruments tell nothing"
    if endless or len(ends) % 2:
        pairs = ends[: len(ends) // 2 * 2].reshape(-1, 2)
        gaps = "; ".join(f"{low:.4g} to {high:.4g}" for low, high in pairs)
        return -np.inf, np.inf, f"without end: only {gaps} excluded, the instruments are weak"
    reason = "" if len(ends) == 2 else f"in {len(ends) // 2} pieces"
    return float(ends[0]), float(ends[-1]), reason


def _test_overidentification(design: Design, columns: _Columns, stages: _Stages) -> Diagnostic:
    name = "overidentification"
    more = stages.instruments.shape[1] - stages.endogenous.shape[1]
    if not more:
        return Diagnostic(name, reason="exactly identified: as many instruments as endogenous")
    if 0 < columns.groups <= stages.instruments.shape[1]:
        reason = f"{stages.instruments.shape[1]} instruments, but only {columns.groups} clusters"
        return Diagnostic(name, reason=reason)
    parts = (
        stages.outcome,
        None,
        stages.endogenous,
        stages.instruments * len(stages.outcome) ** 0.5,
    )
    try:
        if columns.clusters is None:
            test = call_library(design, lambda: IV2SLS(*parts).fit(cov_type="unadjusted").sargan)
        else:
            weights = {"weight_type": "clustered", "clusters": columns.clusters}
            test = call_library(design, lambda: IVGMM(*parts, **weights).fit().j_stat)
    except ModelError as error:
        return Diagnostic(name, reason=f"not estimable: {error.seen}")
    return Diagnostic(name, float(test.stat), float(test.pval), float(more))


def _test_endogeneity(columns: _Columns, stages: _Stages, *, adjusted: bool) -> Diagnostic:
    name = "durbin_wu_hausman"
    m = stages.endogenous.shape[1]
    fitted = stages.instruments @ (stages.instruments.T @ stages.endogenous)
    right = np.hstack([stages.endogenous, stages.endogenous - fitted])
    df = columns.count_df(columns.exogenous.shape[1] + 2 * m)
    if df < m:
        return Diagnostic(name, reason=f"{m} regressors to test, but {df} degrees of freedom")
    slopes, spread = _regress(columns, stages.outcome, right, adjusted=adjusted)
    value = float(slopes[m:] @ np.linalg.solve(spread[m:, m:], slopes[m:])) / m
    return Diagnostic(name, value, float(stats.f.sf(value, m, df)), float(m))
