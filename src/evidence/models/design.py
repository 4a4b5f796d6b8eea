"""What goes into an estimator, and what comes out: the nouns that all of them share."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

CONF_LEVEL = 0.95

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Design:
    """Rows of one regression, aligned: what is explained, by what, within what.

    ``outcome`` (n,) and ``regressors`` (n × K, a column a term) are finite numbers with
    one index (entity, time). ``effects`` (n × m, any labels) are absorbed, a column a
    dimension. ``clusters`` (n,) names the unit of inference of each row; None asks for
    unadjusted errors. ``where`` opens every error message.
    """

    outcome: pd.Series
    regressors: pd.DataFrame
    effects: pd.DataFrame
    clusters: pd.Series | None = None
    where: str = "model"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A check as a value with its reason.

    ``value`` is the statistic; ``p_value`` where it is a test. A check that does not
    apply has no numbers (nan) and a ``reason`` that says why.
    """

    name: str
    value: float = np.nan
    p_value: float = np.nan
    df: float = np.nan
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Estimates:
    """Coefficients with their inference, a term each.

    ``coefficients`` (K,), ``covariance`` (K × K), ``df`` of the t distribution
    (infinite for the normal). ``cov_type`` and ``small_sample`` name the conventions.
    A term that cannot be inferred has nan in its row and column of the covariance.
    """

    terms: tuple[str, ...]
    coefficients: Floats
    covariance: Floats
    df: float
    nobs: int
    n_clusters: int | None
    cov_type: str
    small_sample: str
    diagnostics: tuple[Diagnostic, ...] = field(default=())

    @property
    def std_errors(self) -> Floats:
        """Standard errors (K,), nan where there are none."""
        variance = np.diag(self.covariance)
        errors: Floats = np.sqrt(np.where(variance < 0, np.nan, variance))
        return errors


def tabulate_estimates(estimates: Estimates) -> pd.DataFrame:
    """Tabulate estimates, a row a term: estimate, error, t statistic, p and interval.

    Columns ``term, estimate, std_error, statistic, p_value, conf_low, conf_high,
    conf_level``; two-sided, from the t distribution with ``df`` degrees of freedom.
    """
    table = pd.DataFrame({"term": estimates.terms, "estimate": estimates.coefficients})
    table["std_error"] = estimates.std_errors
    table["statistic"] = table["estimate"] / table["std_error"]
    table["p_value"] = 2 * stats.t.sf(table["statistic"].abs(), estimates.df)
    reach = stats.t.ppf((1 + CONF_LEVEL) / 2, estimates.df) * table["std_error"]
    table["conf_low"] = table["estimate"] - reach
    table["conf_high"] = table["estimate"] + reach
    return table.assign(conf_level=CONF_LEVEL)
