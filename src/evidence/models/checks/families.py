"""Several outcomes tested together: adjusted p-values and one index of many outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from statsmodels.stats.multitest import multipletests

from evidence.errors import ModelError
from evidence.models.design import Floats

_STATSMODELS = {"holm": "holm", "benjamini_hochberg": "fdr_bh"}
_TIE = 1e-9
_SINGULAR = 1e-10
_LOADING = 0.1


def adjust_p_values(
    p_values: pd.Series, method: Literal["holm", "benjamini_hochberg", "sharpened"]
) -> pd.Series:
    """Adjust the p-values of one family of tests.

    ``p_values`` (m,) is the whole family, a test each; the result has its index.
    ``holm`` (Holm 1979) bounds the chance of any false rejection under any dependence.
    ``benjamini_hochberg`` (1995) bounds the expected share of false among the rejected
    for independent or positively dependent tests. ``sharpened`` is the least q at which
    the two-stage procedure of Benjamini, Krieger and Yekutieli (2006, Definition 6)
    rejects, as in Anderson (2008): exact here, where his grid rounds up to the next
    thousandth. It spends what the first stage learns, so a sharpened q may lie below its
    p-value when most of a family is rejected; the other two never do.

    Raises
    ------
    ModelError
        Where the method is unknown, the family is empty, or a value is no p-value.
    """
    if method != "sharpened" and method not in _STATSMODELS:
        raise ModelError(
            "adjusted p-values, method",
            seen=f"'{method}'",
            expected="'holm', 'benjamini_hochberg' or 'sharpened'",
            do="Name one of the three.",
        )
    values = p_values.to_numpy(dtype=float, na_value=np.nan)
    odd = ~((values >= 0) & (values <= 1))
    if not values.size or odd.any():
        raise ModelError(
            "adjusted p-values",
            seen=_name(p_values, odd) if values.size else "no test at all",
            expected="a number from 0 to 1 for every test of the family",
            do="Say in the study which tests make the family; one without a p-value has to "
            "be left out there, by name, before any of them is adjusted.",
        )
    if method == "sharpened":
        return pd.Series(_sharpen(values), index=p_values.index, name=p_values.name)
    adjusted = multipletests(values, method=_STATSMODELS[method])[1]
    return pd.Series(adjusted, index=p_values.index, name=p_values.name)


def step_down(statistics: pd.Series, draws: Floats | pd.DataFrame) -> pd.Series:
    """Adjust for all outcomes together by the Romano-Wolf step-down.

    ``statistics`` (m,) are studentized estimates, an outcome each. ``draws`` (B × m) are
    bootstrap draws of the same statistics under the null: centred, studentized draw by
    draw, and made jointly, so that a row uses the same cluster weights for every outcome
    (that is how the dependence enters). A frame is matched by its column names, an array
    by position. Tests are two-sided, by absolute values.

    With the statistics in falling order, p_(j) = (1 + #{b: max over l ≥ j of |t*_bl| ≥
    |t_(j)|}) / (1 + B), then made monotone (Romano and Wolf 2005; the p-values 2016). Draws that tie with the observed value (relative 1e-9, the rounding of
    sums in another order) count against it; no p-value is below 1 / (1 + B).

    Raises
    ------
    ModelError
        Where the draws do not belong to the outcomes, or a statistic is not finite.
    """
    drawn = np.abs(_align_draws(statistics, draws))
    observed = np.abs(statistics.to_numpy(dtype=float, na_value=np.nan))
    if not np.isfinite(observed).all():
        raise ModelError(
            "step-down over outcomes",
            seen=_name(statistics, ~np.isfinite(observed)),
            expected="a finite studentized statistic for every outcome",
            do="Leave an outcome without a standard error out of the family, by name.",
        )
    order = np.argsort(-observed, kind="stable")
    rivals = np.maximum.accumulate(drawn[:, order[::-1]], axis=1)[:, ::-1]
    reached = (rivals >= observed[order] * (1 - _TIE)).sum(axis=0)
    adjusted = np.empty(len(observed))
    adjusted[order] = np.maximum.accumulate((1 + reached) / (1 + len(drawn)))
    return pd.Series(adjusted, index=statistics.index, name="p_value")


def weigh_outcomes(
    outcomes: pd.DataFrame, *, direction: Mapping[str, int], reference: pd.Series
) -> pd.Series:
    """Give the weights of the outcomes in their index: they sum to one.

    w = Σ⁻¹1 / (1'Σ⁻¹1), Σ the covariance of the outcomes turned by ``direction`` and
    scaled by the reference group, from all rows in which both of a pair are seen
    (Anderson 2008, p. 1485). An outcome that repeats the others has a small
    weight, and a negative one where it repeats them more than it adds.

    Raises
    ------
    ModelError
        As ``index_outcomes``, but negative weights are returned.
    """
    return _weigh(_scale(outcomes, direction, reference))


def index_outcomes(
    outcomes: pd.DataFrame,
    *,
    direction: Mapping[str, int],
    reference: pd.Series,
    allow_negative: bool = False,
) -> pd.Series:
    """Summarise many outcomes in one index, in standard deviations of the reference.

    ``outcomes`` (n × m, nan where missing), ``direction`` maps each outcome to 1 (more
    is better) or −1, ``reference`` (n,) is True for the rows of the control group. Each
    outcome loses the reference's mean, is divided by its standard deviation, and enters
    with the weight of ``weigh_outcomes`` (Anderson 2008, p. 1485); the index is then centred and scaled by the reference as well (Schwab,
    Janzen, Magnan and Thompson 2020, step 6).

    A row with missing outcomes takes the weighted mean of those it has; a row with none
    has nan. With a negative weight better in that outcome means a worse index: refused
    unless ``allow_negative``, and then only rows with all outcomes have an index, since
    weights of both signs have no mean over some of them.

    Raises
    ------
    ModelError
        Where an outcome has no direction, does not vary in the reference, is a
        combination of the others, is never seen beside another, or has a negative weight.
    """
    scaled = _scale(outcomes, direction, reference)
    weights = _weigh(scaled)
    negative = weights[weights < 0]
    if len(negative) and not allow_negative:
        raise ModelError(
            "index of outcomes, weights",
            seen=", ".join(f"{name} {weight:.2f}" for name, weight in negative.items()),
            expected="no negative weight: better in an outcome would lower the index",
            do="Merge or leave out outcomes that measure the same thing, check the "
            "directions, or ask for negative weights and report them.",
        )
    carried = scaled.notna().mul(weights).sum(axis=1)
    whole = scaled.notna().all(axis=1) if len(negative) else carried > 0
    index = (scaled.fillna(0.0).mul(weights).sum(axis=1) / carried.where(whole)).rename("index")
    control = index[reference]
    spread = control.std()
    if not spread > 0:
        raise ModelError(
            "index of outcomes",
            seen=f"{int(control.notna().sum())} rows of the reference with an index",
            expected="two or more, with different values",
            do="Take a larger reference group or outcomes that it was asked about.",
        )
    return (index - control.mean()) / spread


def _sharpen(p_values: Floats) -> Floats:
    """Find the least q of the two-stage procedure, in closed form.

    Stage one at q' = q/(1+q) rejects at least r tests once q' reaches the r-th smallest
    Benjamini-Hochberg value h_(r); stage two then rejects test i once q' reaches
    h_i·(m−r)/m. So q'_i is the least over r of the larger of the two.
    """
    count = len(p_values)
    steps = multipletests(p_values, method=_STATSMODELS["benjamini_hochberg"])[1]
    first = np.concatenate([[0.0], np.sort(steps)])
    left = (count - np.arange(count + 1)) / count
    least = np.maximum(first, np.outer(steps, left)).min(axis=1)
    sharpened: Floats = np.where(least < 0.5, least / (1 - np.minimum(least, 0.5)), 1.0)
    return sharpened


def _align_draws(statistics: pd.Series, draws: Floats | pd.DataFrame) -> Floats:
    names = list(statistics.index)
    known = not isinstance(draws, pd.DataFrame) or sorted(map(str, draws.columns)) == sorted(
        map(str, names)
    )
    if not known or not statistics.index.is_unique:
        raise ModelError(
            "step-down over outcomes, draws",
            seen=f"outcomes {', '.join(map(str, names))}",
            expected="each outcome once, with a column of draws of the same name",
            do="Draw all outcomes of the family together, under their names.",
        )
    chosen = draws[names] if isinstance(draws, pd.DataFrame) else draws
    drawn: Floats = np.asarray(chosen, dtype=float)
    if drawn.ndim != 2 or drawn.shape[1] != len(names) or not drawn.size:
        raise ModelError(
            "step-down over outcomes, draws",
            seen=f"an array of shape {drawn.shape}",
            expected=f"a row a draw and {len(names)} columns, an outcome each",
            do="Draw all outcomes of the family together.",
        )
    if not np.isfinite(drawn).all():
        raise ModelError(
            "step-down over outcomes, draws",
            seen=f"{int((~np.isfinite(drawn)).any(axis=1).sum())} draws with a missing value",
            expected="finite numbers",
            do="Repeat those draws, or use weights that keep every cluster (wild bootstrap).",
        )
    return drawn


def _scale(
    outcomes: pd.DataFrame, direction: Mapping[str, int], reference: pd.Series
) -> pd.DataFrame:
    """Turn, centre and scale each outcome by the reference group."""
    _check_outcomes(outcomes, direction, reference)
    signs = pd.Series({name: float(direction[name]) for name in outcomes.columns})
    turned = outcomes.astype("float64").mul(signs)
    control = turned[reference]
    largest = control.abs().max()
    spread = control.std()
    still = spread.index[~(spread > _TIE * largest)]
    if len(still):
        raise ModelError(
            "index of outcomes, reference",
            seen=f"{', '.join(map(str, still))}: one value, or fewer than two rows",
            expected="outcomes that vary in the reference group",
            do="Leave the outcome out, or take a reference group in which it varies.",
        )
    return (turned - control.mean()) / spread


def _weigh(scaled: pd.DataFrame) -> pd.Series:
    covariance = scaled.cov(min_periods=2)
    _check_covariance(covariance)
    inverse = np.linalg.solve(covariance.to_numpy(), np.ones(len(covariance)))
    return pd.Series(inverse / inverse.sum(), index=scaled.columns, name="weight")


def _check_outcomes(
    outcomes: pd.DataFrame, direction: Mapping[str, int], reference: pd.Series
) -> None:
    names = [str(name) for name in outcomes.columns]
    wrong = [name for name in names if direction.get(name) not in (1, -1)]
    if not names or len(set(names)) < len(names) or wrong or len(direction) != len(names):
        raise ModelError(
            "index of outcomes, direction",
            seen=f"outcomes {', '.join(names) or 'none'}; directions {dict(direction)}",
            expected="1 (more is better) or −1 (less is better) for each outcome, once",
            do="Decide the direction of each outcome before the index is made.",
        )
    if not (reference.dtype == bool and reference.index.equals(outcomes.index)):
        raise ModelError(
            "index of outcomes, reference",
            seen=f"values of type {reference.dtype}, {len(reference)} rows",
            expected=f"True or False for each of the {len(outcomes)} rows of the outcomes",
            do="Mark the rows of the control group.",
        )
    if np.isinf(outcomes.to_numpy(dtype=float, na_value=np.nan)).any():
        raise ModelError(
            "index of outcomes",
            seen="an infinite value",
            expected="finite numbers, or nothing where an outcome is missing",
            do="Look for a division by zero or a logarithm of zero.",
        )


def _check_covariance(covariance: pd.DataFrame) -> None:
    apart = covariance.columns[covariance.isna().any()]
    if len(apart):
        raise ModelError(
            "index of outcomes",
            seen=f"{', '.join(map(str, apart))}: pairs never seen in the same rows",
            expected="two or more rows with both outcomes, for every pair",
            do="Make one index of each set of outcomes that were asked together.",
        )
    values, vectors = np.linalg.eigh(covariance.to_numpy())
    if values[0] <= _SINGULAR * values[-1]:
        named = covariance.columns[np.abs(vectors[:, 0]) > _LOADING]
        raise ModelError(
            "index of outcomes",
            seen=f"{', '.join(map(str, named))}: one follows from the others, or their "
            "pairs are seen in too different rows",
            expected="outcomes whose covariance can be inverted",
            do="Leave one of them out.",
        )


def _name(values: pd.Series, odd: npt.NDArray[np.bool_]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in values[odd].items())
