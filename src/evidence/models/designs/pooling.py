"""Effects of many cells, such as countries with sectors, pooled by random effects."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects

from evidence.errors import ModelError
from evidence.models.design import CONF_LEVEL, Design, Diagnostic, Estimates, tabulate_estimates
from evidence.models.kernel.least_squares import estimate_least_squares

Method = Literal["paule_mandel", "dersimonian_laird"]
_LEAST_CELLS = 3

CELL, FURTHER = " cell ", " further cell"
"""What follows a regressor's name in the terms of its cells, and of the range of further ones."""

Known = dict[str, Estimates | str]
"""Cell → its estimates, or why it has none."""


@dataclass(frozen=True, slots=True)
class Pooled:
    """The mean of a distribution of effects, and how wide that distribution is.

    ``std_error`` goes with the normal distribution, ``std_error_hk`` (Hartung and Knapp, never
    below the other) with t(k − 1). ``tau2`` is the variance of effects between cells, ``i2`` the
    share (0 to 1) of all variance that it is, ``q`` Cochran's test with ``q_p``.
    ``prediction_low`` and ``prediction_high`` bound the effect in a further cell (95 per cent),
    ``prediction_error`` is its standard error √(τ² + error²).
    """

    estimate: float
    std_error: float
    std_error_hk: float
    tau2: float
    i2: float
    q: float
    q_p: float
    prediction_low: float
    prediction_high: float
    prediction_error: float


def pool_effects(
    effects: pd.Series, variances: pd.Series, method: Method = "paule_mandel"
) -> Pooled:
    """Pool effects (k,) with their variances (k,) by random effects.

    Weights are 1/(v + τ²), τ² by Paule and Mandel (1982) or DerSimonian and Laird (1986), none
    below 0. The error of Hartung and Knapp (2001) is kept from falling below the plain one
    (Röver, Knapp and Friede 2015). The prediction interval is estimate ± t(k − 2)·√(τ² + error²)
    (Higgins, Thompson and Spiegelhalter 2009) with the error of Hartung and Knapp (IntHout
    et al. 2016).

    Raises
    ------
    ModelError
        Where there are fewer than three cells, or a variance is not positive.
    """
    count = len(effects)
    if count < _LEAST_CELLS or not (variances > 0).all():
        raise ModelError(
            "pooled_cells",
            seen=f"{count} cells, {int((variances > 0).sum())} with an error",
            expected=f"{_LEAST_CELLS} or more, each with an error",
            do="Add cells, or estimate all rows together with fixed_effects.",
        )
    eff, var = effects.to_numpy(dtype="float64"), variances.to_numpy(dtype="float64")
    if method == "paule_mandel":
        combined = combine_effects(eff, var, method_re="pm", atol=1e-10)
    else:
        combined = combine_effects(eff, var, method_re="dl")
    tau2 = max(0.0, float(combined.tau2))
    weights = 1 / (var + tau2)
    mean = float(weights @ eff / weights.sum())
    plain = 1 / weights.sum()
    scale = float(weights @ (eff - mean) ** 2) / (count - 1)
    careful = plain * max(1.0, scale)
    q, df = float(combined.q), count - 1
    error = float(np.sqrt(tau2 + careful))
    reach = float(stats.t.ppf((1 + CONF_LEVEL) / 2, count - 2)) * error
    return Pooled(
        estimate=mean,
        std_error=float(np.sqrt(plain)),
        std_error_hk=float(np.sqrt(careful)),
        tau2=tau2,
        i2=max(0.0, 1 - df / q) if q > 0 else 0.0,
        q=q,
        q_p=float(stats.chi2.sf(q, df)),
        prediction_low=mean - reach,
        prediction_high=mean + reach,
        prediction_error=error,
    )


def estimate_pooled_cells(design: Design, known: Known | None = None) -> Estimates:
    """Estimate least squares with absorbed effects in each cell, and pool what they give.

    The cells are ``design.clusters``, the unit of inference: in a cell errors are clustered by
    entity, and the pooled coefficients have the error of Hartung and Knapp, t(k − 1). A cell in
    which the regressors do not all vary is left out, and a diagnostic names it. Each term is
    pooled by itself: covariances between terms are not known (nan).

    Parameters
    ----------
    known : dict, optional
        Cells that were estimated before from the same rows; filled as they are estimated. The
        jackknife leaves out whole cells, and the others need not be estimated again.

    Raises
    ------
    ModelError
        Where fewer than three cells are left.
    """
    found, lost = estimate_cells(design, known)
    terms = tuple(design.regressors.columns)
    pooled = [pool_effects(*_gather(found, term)) for term in terms]
    covariance = np.full((len(terms), len(terms)), np.nan)
    np.fill_diagonal(covariance, [part.std_error_hk**2 for part in pooled])
    checks = [c for term, part in zip(terms, pooled, strict=True) for c in _check(term, part)]
    left_out = [Diagnostic(f"cell {cell}", reason=reason) for cell, reason in lost.items()]
    return Estimates(
        terms=terms,
        coefficients=np.array([part.estimate for part in pooled]),
        covariance=covariance,
        df=float(len(found) - 1),
        nobs=sum(estimates.nobs for estimates in found.values()),
        n_clusters=len(found),
        cov_type="HK",
        small_sample="hartung_knapp",
        diagnostics=(*checks, *left_out),
    )


def estimate_cells(
    design: Design, known: Known | None = None
) -> tuple[dict[str, Estimates], dict[str, str]]:
    """Estimate each cell by itself: cell → estimates, and the cells left out → why."""
    assert design.clusters is not None
    known = {} if known is None else known
    cells = sorted(map(str, design.clusters.unique()))
    for cell in cells:
        if cell not in known:
            known[cell] = _estimate_cell(design, cell)
    told = {cell: known[cell] for cell in cells}
    found = {cell: one for cell, one in told.items() if isinstance(one, Estimates)}
    return found, {cell: one for cell, one in told.items() if isinstance(one, str)}


def _estimate_cell(design: Design, cell: str) -> Estimates | str:
    """Estimate a cell, or say why it cannot be."""
    assert design.clusters is not None
    rows = (design.clusters.astype(str) == cell).to_numpy()
    try:
        told = estimate_least_squares(_select(design, rows), small_sample="fixest")
    except ModelError as error:
        return f"left out: {error.seen}"
    whole = np.isfinite(told.std_errors).all() and (told.std_errors > 0).all()
    return told if whole else "left out: it has no standard error"


def tabulate_cells(design: Design, term: str) -> pd.DataFrame:
    """Tabulate a term's estimate in each cell, and its distribution over cells.

    Returns
    -------
    DataFrame
        Index: the cell; columns ``rows, entities, estimate, std_error, conf_low, conf_high`` and
        ``weight`` (share of the pooled estimate, 0 to 1). The last row, ``a further cell``, has the
        pooled estimate and the bounds of the prediction interval.
    """
    found, _ = estimate_cells(design)
    effects, variances = _gather(found, term)
    pooled = pool_effects(effects, variances)
    weights = 1 / (variances + pooled.tau2)
    rows = {
        cell: {
            "rows": told.nobs,
            "entities": told.n_clusters,
            **tabulate_estimates(told).set_index("term").loc[term],
        }
        for cell, told in found.items()
    }
    shown = ["rows", "entities", "estimate", "std_error", "conf_low", "conf_high"]
    table = pd.DataFrame(rows).T[shown].assign(weight=weights / weights.sum())
    table.loc["a further cell"] = {
        "rows": table["rows"].sum(),
        "entities": table["entities"].sum(),
        "estimate": pooled.estimate,
        "conf_low": pooled.prediction_low,
        "conf_high": pooled.prediction_high,
        "weight": 1.0,
    }
    return table.astype("float64").astype({"rows": int, "entities": int}).rename_axis("cell")


def list_cell_terms(design: Design, names: tuple[str, ...]) -> pd.DataFrame:
    """List what was pooled, a row a cell, and the range in which a further cell may lie.

    Returns
    -------
    DataFrame
        Columns of ``tabulate_estimates`` and ``nobs, n_entities, n_clusters, cov_type,
        small_sample, reason``. Terms are ``<name> cell <cell>``, of which errors are clustered by entity, and
        ``<name> further cell``: the mean with the prediction interval of ``pool_effects`` in the
        place of a confidence interval, and no p-value.
    """
    found, _ = estimate_cells(design)
    parts = [_lay_terms(found, name) for name in names]
    return pd.concat(parts, ignore_index=True)


def _lay_terms(found: dict[str, Estimates], name: str) -> pd.DataFrame:
    rows = [
        {
            **tabulate_estimates(told).set_index("term").loc[name],
            "term": f"{name}{CELL}{cell}",
            "nobs": told.nobs,
            "n_entities": told.n_clusters,
            "n_clusters": told.n_clusters,
            "cov_type": told.cov_type,
            "small_sample": told.small_sample,
            "reason": "",
        }
        for cell, told in found.items()
    ]
    pooled = pool_effects(*_gather(found, name))
    further = {
        "term": f"{name}{FURTHER}",
        "estimate": pooled.estimate,
        "std_error": pooled.prediction_error,
        "conf_low": pooled.prediction_low,
        "conf_high": pooled.prediction_high,
        "conf_level": CONF_LEVEL,
        "nobs": sum(told.nobs for told in found.values()),
        "n_clusters": len(found),
        "cov_type": "HK",
        "small_sample": "prediction",
        "reason": "",
    }
    return pd.DataFrame([*rows, further])


def _select(design: Design, rows: np.ndarray) -> Design:
    entity = design.outcome.index.get_level_values("entity")
    clusters = pd.Series(entity, index=design.outcome.index, name="clusters")
    return replace(
        design,
        outcome=design.outcome[rows],
        regressors=design.regressors[rows],
        effects=design.effects[rows],
        clusters=clusters[rows],
    )


def _gather(found: dict[str, Estimates], term: str) -> tuple[pd.Series, pd.Series]:
    """Gather a term's coefficients and variances over cells."""
    places = {cell: told.terms.index(term) for cell, told in found.items()}
    effects = {cell: told.coefficients[places[cell]] for cell, told in found.items()}
    variances = {cell: told.covariance[places[cell], places[cell]] for cell, told in found.items()}
    return pd.Series(effects, dtype="float64"), pd.Series(variances, dtype="float64")


def _check(term: str, pooled: Pooled) -> list[Diagnostic]:
    return [
        Diagnostic(f"heterogeneity {term}", value=pooled.q, p_value=pooled.q_p),
        Diagnostic(f"tau2 {term}", value=pooled.tau2),
        Diagnostic(f"i2 {term}", value=pooled.i2),
        Diagnostic(f"prediction_low {term}", value=pooled.prediction_low),
        Diagnostic(f"prediction_high {term}", value=pooled.prediction_high),
    ]
