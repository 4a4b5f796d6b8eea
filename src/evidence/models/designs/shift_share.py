"""Shift-share exposures: fixed shares times shocks that many rows have in common.

Rows with similar shares share the same shocks, so that errors clustered at the rows' own
units are too small. The unit of inference is the shock (Adão, Kolesár and Morales 2019, AKM;
Borusyak, Hull and Jaravel 2022).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from evidence.errors import ModelError
from evidence.models.design import Codes, Design, Diagnostic, Estimates, Floats
from evidence.models.kernel.absorb import absorb, code_effects

_EXACT = 1e-6
_STILL = 1e-9
_NOTHING = 1e-7


def estimate_shift_share(
    design: Design, shares: pd.DataFrame, *, scaled_by: dict[str, pd.Series]
) -> Estimates:
    """Estimate the effect of exposures Σ share · shock, with errors by the shocks' units.

    Coefficients are those of least squares with absorbed effects. With ẍ the exposure once all
    other regressors and effects are taken out, e the residuals and g̈ the coefficients of ẍ on
    the shares of each period, of which the same is taken out (the shortest of them, where
    several fit), the variance is Σ_h (Σ_t g̈_ht Σ_i s_ih e_it)² / (ẍ'ẍ)², times H/(H−1): AKM's
    equation for clustered shocks, the unit h (a home of buyers, an industry) with all its
    periods as one cluster. It is read with t(H*−1), H* = 1 / Σ_h v_h² of the shares v_h that the
    units have in ẍ'ẍ, of the term with the fewest (Carter, Schnepel and Steigerwald 2017). On
    the shares as they are, effects that cut across them would hide a part of ẍ, and the error
    would be too small: as in the shock-level regression of Borusyak, Hull and Jaravel, the
    scores add up to all of ẍ'e. It allows for any dependence between rows that passes through
    the same shares. Shares need not add up to 1, but then shocks of a common mean have to be
    taken out by effects or controls.

    Parameters
    ----------
    design : Design
        n rows; ``clusters`` is not used.
    shares : DataFrame
        n × H, fixed for an entity; a column a unit of the shocks.
    scaled_by : dict
        The exposures: term → factor of its shares in each row (n,), 1 for the exposure itself,
        the moderator for its interaction. Other terms are controls; those that are made of the
        shares as well have errors too.

    Returns
    -------
    Estimates
        ``n_clusters`` is H. The diagnostic ``effective_shocks`` is 1 / Σ w² of the mean shares
        scaled to 1 (Borusyak, Hull and Jaravel 2022, section 3.2).

    Raises
    ------
    ModelError
        Where shares change over time or cannot be told apart in a period, or an exposure is
        not made of them.
    """
    weights = shares.to_numpy(dtype="float64")
    _check_shares(design, shares)
    columns = np.column_stack([design.regressors.to_numpy(), design.outcome.to_numpy()])
    effects = code_effects(design.effects)
    inside = absorb(columns.astype("float64"), effects, where=design.where)
    regressors, outcome = inside[:, :-1], inside[:, -1]
    coefficients = np.linalg.lstsq(regressors, outcome, rcond=None)[0].astype("float64")
    residuals = outcome - regressors @ coefficients
    terms = tuple(map(str, design.regressors.columns))
    periods = pd.factorize(design.outcome.index.get_level_values(1))[0].astype(np.int64)
    units, scores = weights.shape[1], {}
    carried: list[float] = []
    for number, term in enumerate(terms):
        factor = scaled_by.get(term)
        own = weights if factor is None else weights * factor.to_numpy(dtype="float64")[:, None]
        amiss = _find_amiss(design.regressors[term], own, periods)
        if amiss and factor is None:
            continue
        if amiss:
            raise _refuse(design, amiss)
        others = np.delete(regressors, number, axis=1)
        laid = absorb(_lay_out(own, periods), effects, where=design.where)
        left = np.column_stack([regressors[:, number], laid])
        left -= others @ np.linalg.lstsq(others, left, rcond=None)[0]
        pulls, parts = _score(left[:, 1:], np.column_stack([left[:, 0], residuals]), units)
        scores[number] = pulls / parts.sum()
        carried.append(parts.sum() ** 2 / (parts @ parts))
    covariance = np.full((len(terms), len(terms)), np.nan)
    told = list(scores)
    untold = (
        Diagnostic(f"std_error {term}", reason="a control that is not made of the shares")
        for number, term in enumerate(terms)
        if number not in scores
    )
    stacked = np.column_stack([scores[number] for number in told])
    covariance[np.ix_(told, told)] = units / (units - 1) * stacked.T @ stacked
    return Estimates(
        terms=terms,
        coefficients=coefficients,
        covariance=covariance,
        df=float(max(min(carried) - 1, 1.0)),
        nobs=len(outcome),
        n_clusters=units,
        cov_type="AKM",
        small_sample="H/(H-1)",
        diagnostics=(Diagnostic("effective_shocks", count_shocks(shares)), *untold),
    )


def count_shocks(shares: pd.DataFrame) -> float:
    """Count the units of shocks that matter: 1 / Σ w² of the mean shares, scaled to 1."""
    means = shares.to_numpy(dtype="float64").mean(axis=0)
    return float(means.sum() ** 2 / (means**2).sum())


def _lay_out(shares: Floats, periods: Codes) -> Floats:
    """Lay shares (n × H) out as n × (T · H), zero in other periods."""
    there = periods[:, None] == np.arange(int(periods.max()) + 1)
    laid: Floats = (there[:, :, None] * shares[:, None, :]).reshape(len(shares), -1)
    return laid


def _score(shares: Floats, columns: Floats, units: int) -> tuple[Floats, Floats]:
    """Sum over periods, a unit of the shocks (H,): g̈ s'e, and g̈ s'ẍ, which add up to ẍ'ẍ.

    ``columns`` (n × 2) are the exposure and the residuals, ``shares`` (n × T · H) laid out.
    """
    shocks = np.linalg.lstsq(shares, columns[:, 0], rcond=_NOTHING)[0]
    parts = (shocks[:, None] * (shares.T @ columns)).reshape(-1, units, 2).sum(axis=0)
    return parts[:, 1], parts[:, 0]


def _check_shares(design: Design, shares: pd.DataFrame) -> None:
    moving = shares.groupby(level=0).transform(lambda values: values - values.iloc[0]).abs()
    changed = [str(name) for name in shares if moving[name].max() > _STILL]
    if changed or shares.shape[1] < 2:
        raise ModelError(
            f"{design.where}, shares",
            seen=f"'{changed[0]}', which changes over time" if changed else "a single share",
            expected="two shares or more, fixed before the shocks",
            do="Take each unit's shares of a period before the first shock for all its rows.",
        )


def _find_amiss(values: pd.Series, shares: Floats, periods: Codes) -> str:
    """Say how values are no sum of these shares times something of each period; empty if they are."""
    told = values.to_numpy(dtype="float64")
    least = _EXACT * max(1.0, float(np.abs(told).max()))
    for period in range(int(periods.max()) + 1):
        rows = periods == period
        shocks, _, rank, _ = np.linalg.lstsq(shares[rows], told[rows], rcond=None)
        if rank < shares.shape[1]:
            return f"{int(rows.sum())} rows in a period for {shares.shape[1]} shares"
        left = float(np.abs(told[rows] - shares[rows] @ shocks).max())
        if left > least:
            return (
                f"values of {values.name} that differ from shares times shocks by up to {left:.3g}"
            )
    return ""


def _refuse(design: Design, seen: str) -> ModelError:
    return ModelError(
        f"{design.where}, shares",
        seen=seen,
        expected="an exposure that is the sum of the shares times the shocks of the period",
        do="Name the shares that the exposure was made with; leave out those of nobody.",
    )
