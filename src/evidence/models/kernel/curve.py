"""Specification curves: every subset of controls from one pass over the rows.

With the effects absorbed, a coefficient and its clustered error are functions of the
cross products of each cluster; a further specification costs a small solve, not a scan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, combinations

import numpy as np
import pandas as pd
from scipy import stats

from evidence.errors import ModelError
from evidence.models.design import CONF_LEVEL, Codes, Design, Diagnostic, Floats
from evidence.models.kernel.absorb import absorb, code_clusters, code_effects, find_singletons
from evidence.models.kernel.check import check_design, lay_out
from evidence.models.kernel.clusters import sum_products
from evidence.models.kernel.conventions import count_parameters, scale_covariance
from evidence.models.kernel.least_squares import estimate_least_squares
from evidence.models.kernel.solve import find_absorbed

MOST_CONTROLS = 14
_CHUNK = 128
_SAFE = 1e-10
_RESERVED = {"block", "estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high",
             "nobs", "n_clusters"}  # fmt: skip

_Subsets = Iterator[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Curve:
    """Estimates of one term over many specifications.

    ``table`` has a row a specification: ``block``, a flag a control, ``estimate, std_error,
    statistic, p_value, conf_low, conf_high, nobs, n_clusters``, sorted by estimate.
    ``influence`` has a row a choice: ``difference``, the mean estimate with it less
    without it, and ``share`` of the variance of estimates. ``joint`` tests that no
    specification has an effect: the median estimate, the share that is significant in
    the direction of the median, and the mean t value.
    """

    term: str
    table: pd.DataFrame
    influence: pd.DataFrame
    joint: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class _Block:
    """One sample, outcome and set of effects.

    ``moved`` (B × S) are the estimates that draws give under no effect, with their
    ``errors`` and ``critical`` values (S,).
    """

    table: pd.DataFrame
    moved: Floats
    errors: Floats
    critical: Floats


def draw_curve(
    designs: Mapping[str, Design],
    term: str,
    *,
    fixed: tuple[str, ...] = (),
    draws: int = 999,
    seed: int = 0,
) -> Curve:
    """Estimate a term with every subset of the other regressors, in each block.

    ``designs`` maps a label to one sample, outcome and set of effects; ``fixed``
    regressors stay in every specification. Errors are CR1 with the ``fixest`` factor and
    t(G−1). Joint tests draw signs of the clusters' restricted scores, the same for a
    cluster's label in all specifications and blocks (Simonsohn, Simmons and Nelson 2020; Kline and Santos 2012).

    Raises
    ------
    ModelError
        Without clusters, for a term or control of which the effects leave nothing, for
        collinear regressors, or above ``MOST_CONTROLS`` controls.
    """
    flags = _list_controls(designs, term, fixed)
    coded, groups = _code_jointly(designs)
    drawn = np.random.default_rng(seed).integers(0, 2, (draws, groups))
    signs = np.asarray(2 * drawn - 1, dtype=np.float64)
    blocks = [_estimate_block(design, label, term, fixed, signs) for label, design in coded.items()]
    table = pd.concat([block.table for block in blocks], ignore_index=True)
    table[flags] = table[flags].fillna(value=False).astype(bool)
    ordered = table.sort_values("estimate", kind="stable", ignore_index=True)
    return Curve(term, ordered, _measure_influence(ordered, flags), _test_jointly(blocks))


def _code_jointly(designs: Mapping[str, Design]) -> tuple[dict[str, Design], int]:
    """Code clusters once for all blocks, so that a label has one sign in all of them."""
    without = [design.where for design in designs.values() if design.clusters is None]
    if without or not designs:
        raise ModelError(
            without[0] if without else "draw_curve",
            seen="no clusters" if without else "no design",
            expected="designs, each with a cluster for each row",
            do="Name the level at which the exposure varies.",
        )
    labels = [design.clusters for design in designs.values() if design.clusters is not None]
    codes = code_clusters(pd.concat(labels, ignore_index=True), "draw_curve")
    parts = np.split(codes, np.cumsum([len(own) for own in labels])[:-1])
    coded = {
        name: replace(design, clusters=pd.Series(part, index=own.index))
        for (name, design), own, part in zip(designs.items(), labels, parts, strict=True)
    }
    return coded, int(codes.max()) + 1


def _list_controls(designs: Mapping[str, Design], term: str, fixed: tuple[str, ...]) -> list[str]:
    names = [str(name) for design in designs.values() for name in design.regressors.columns]
    controls = [name for name in dict.fromkeys(names) if name != term and name not in fixed]
    taken = [name for name in controls if name in _RESERVED]
    if taken:
        raise ModelError(
            "draw_curve",
            seen=f"a control named {taken[0]}",
            expected=f"other names than the table's: {', '.join(sorted(_RESERVED))}",
            do="Rename the control.",
        )
    return controls


def leave_out(design: Design, groups: pd.Series, term: str) -> pd.DataFrame:
    """Estimate a term without each group (country, cluster or year) in turn.

    ``groups`` (n,) are labels; a row a group: ``left_out, estimate, std_error, nobs,
    reason``, where a group without which nothing can be estimated has a reason instead
    of numbers.
    """
    rows = []
    if groups.isna().any() or len(groups) != len(design.outcome):
        raise ModelError(
            design.where,
            seen=f"{int(groups.isna().sum())} rows without a group, {len(groups)} in all",
            expected=f"a group for each of the {len(design.outcome)} rows",
            do="Complete the column.",
        )
    for label in pd.unique(groups):
        kept = (groups != label).to_numpy()
        rest = replace(
            design,
            outcome=design.outcome[kept],
            regressors=design.regressors[kept],
            effects=design.effects[kept],
            clusters=None if design.clusters is None else design.clusters[kept],
        )
        rows.append({"left_out": label, **_estimate_term(rest, term)})
    return pd.DataFrame(rows)


def _estimate_term(design: Design, term: str) -> dict[str, float | str]:
    try:
        estimates = estimate_least_squares(design)
    except ModelError as error:
        return {"estimate": np.nan, "std_error": np.nan, "nobs": np.nan, "reason": error.seen}
    position = estimates.terms.index(term)
    return {
        "estimate": float(estimates.coefficients[position]),
        "std_error": float(estimates.std_errors[position]),
        "nobs": float(estimates.nobs),
        "reason": "",
    }


def _estimate_block(
    design: Design, label: str, term: str, fixed: tuple[str, ...], signs: Floats
) -> _Block:
    names = tuple(map(str, design.regressors.columns))
    controls = [name for name in names if name != term and name not in fixed]
    if design.clusters is None or term not in names or len(controls) > MOST_CONTROLS:
        raise ModelError(
            design.where,
            seen=f"{len(controls)} controls of '{term}'",
            expected=f"clusters, the term among the regressors, at most {MOST_CONTROLS} controls",
            do="Keep some controls fixed in every specification.",
        )
    products, present, (nobs, parameters) = _sum_cross(design, names)
    total = products.sum(axis=0)
    groups = len(products)
    factor = scale_covariance(nobs, parameters, groups, "fixest") * (nobs - parameters)
    always = [names.index(name) for name in (term, *fixed)]
    subsets = [always + list(map(names.index, chosen)) for chosen in _subsets(controls)]
    flat = products.reshape(groups, -1)
    estimates, squares, scores = _solve_subsets(total, flat, subsets, design)
    sizes = np.array([len(subset) for subset in subsets])
    errors = np.sqrt(squares * factor / (nobs - parameters + len(names) - sizes))
    table = pd.DataFrame({"block": label}, index=range(len(subsets)))
    for name in controls:
        table[name] = [names.index(name) in subset for subset in subsets]
    table["estimate"], table["std_error"] = estimates, errors
    critical = np.full(len(subsets), stats.t.ppf((1 + CONF_LEVEL) / 2, groups - 1))
    under = np.sqrt((scores**2).sum(axis=0))
    return _Block(_infer(table, groups, nobs), signs[:, present] @ scores, under, critical)


def _infer(table: pd.DataFrame, groups: int, nobs: int) -> pd.DataFrame:
    table["statistic"] = table["estimate"] / table["std_error"]
    table["p_value"] = 2 * stats.t.sf(table["statistic"].abs(), groups - 1)
    reach = stats.t.ppf((1 + CONF_LEVEL) / 2, groups - 1) * table["std_error"]
    table["conf_low"], table["conf_high"] = table["estimate"] - reach, table["estimate"] + reach
    return table.assign(nobs=nobs, n_clusters=groups)


def _sum_cross(design: Design, names: tuple[str, ...]) -> tuple[Floats, Codes, tuple[int, int]]:
    """Sum cross products of [outcome, regressors] net of effects by cluster (G × p × p).

    Also which clusters (G,) these are, and the counts of rows and parameters.
    """
    assert design.clusters is not None
    effects = check_design(design)
    columns = lay_out(design)
    clusters = design.clusters.to_numpy()
    if effects.codes:
        kept, _ = find_singletons(effects)
        effects = code_effects(design.effects[kept])
        columns, clusters = columns[kept], clusters[kept]
    else:
        columns = columns - columns.mean(axis=0)
    left = absorb(columns, effects, where=design.where)
    spread = ((columns - columns.mean(axis=0)) ** 2).sum(axis=0)
    gone = find_absorbed(left.T @ left, spread, ("the outcome", *names))
    present, clusters = np.unique(clusters, return_inverse=True)
    if gone or len(present) < 2:
        raise ModelError(
            design.where,
            seen=f"nothing left of {', '.join(gone)}" if gone else "a single cluster",
            expected="clusters, and variation within the effects",
            do="Take the control out, or absorb fewer effects.",
        )
    parameters = count_parameters(len(names), effects, [clusters], "fixest")
    if not effects.codes:
        parameters += 1
    return sum_products(left, clusters), present, (len(columns), parameters)


def _solve_subsets(
    total: Floats, flat: Floats, subsets: list[list[int]], design: Design
) -> tuple[Floats, Floats, Floats]:
    """Give estimates (S,), squared scores (S,) and restricted scores (G × S) of the term."""
    width = len(total)
    direct, restricted = np.zeros((2, len(subsets), width * width))
    estimates = np.empty(len(subsets))
    scale = np.sqrt(np.diag(total))
    unit = total / np.outer(scale, scale)
    for number, subset in enumerate(subsets):
        places = 1 + np.array(subset)
        inside = unit[np.ix_(places, places)]
        if float(np.linalg.eigvalsh(inside)[0]) < _SAFE:
            raise ModelError(
                design.where,
                seen=f"{', '.join(map(str, design.regressors.columns[subset]))}, nearly collinear",
                expected="regressors of which none is a combination of others",
                do="Take one of them out.",
            )
        inverse = np.linalg.inv(inside)
        beta = inverse @ unit[places, 0] * scale[0] / scale[places]
        focal, full, null = np.zeros((3, width))
        focal[places] = inverse[0] / scale[places[0]] / scale[places]
        full[0] = null[0] = 1.0
        full[places] = -beta
        null[places[1:]] = -_restrict(unit, scale, places[1:])
        estimates[number] = beta[0]
        direct[number] = np.outer(focal, full).ravel()
        restricted[number] = np.outer(focal, null).ravel()
    squares = np.concatenate(
        [
            ((flat @ direct[begin : begin + _CHUNK].T) ** 2).sum(axis=0)
            for begin in range(0, len(subsets), _CHUNK)
        ]
    )
    return estimates, squares, flat @ restricted.T


def _restrict(unit: Floats, scale: Floats, places: Floats) -> Floats:
    """Solve without the term, as the null asks."""
    if not len(places):
        return np.zeros(0)
    inside = unit[np.ix_(places, places)]
    solved: Floats = np.linalg.solve(inside, unit[places, 0]) * scale[0] / scale[places]
    return solved


def _test_jointly(blocks: list[_Block]) -> tuple[Diagnostic, ...]:
    observed = np.concatenate([block.table["estimate"] for block in blocks])[None, :]
    errors = np.concatenate([block.errors for block in blocks])
    critical = np.concatenate([block.critical for block in blocks])
    moved = np.concatenate([block.moved for block in blocks], axis=1)
    names = ("median_estimate", "share_significant", "mean_statistic")
    pairs = zip(
        names,
        _summarise(observed, errors, critical)[:, 0],
        _summarise(moved, errors, critical),
        strict=True,
    )
    return tuple(
        Diagnostic(
            name, float(value), float((1 + (abs(drawn) >= abs(value)).sum()) / (1 + len(drawn)))
        )
        for name, value, drawn in pairs
    )


def _summarise(estimates: Floats, errors: Floats, critical: Floats) -> Floats:
    """Give median, share significant in its direction, and mean t of each draw: (3 × b)."""
    statistic = estimates / errors
    median = np.median(estimates, axis=1)
    share = (np.sign(median)[:, None] * statistic > critical).mean(axis=1)
    return np.array([median, share, statistic.mean(axis=1)])


def _measure_influence(table: pd.DataFrame, controls: list[str]) -> pd.DataFrame:
    """Compare the mean estimate with and without each choice."""
    whole = float(table["estimate"].var(ddof=0))
    flags = table[controls].astype("float64")
    if table["block"].nunique() > 1:
        flags = flags.join(pd.get_dummies(table["block"], dtype=float))
    rows = []
    for name, flag in flags.items():
        own = table["estimate"].groupby(flag).mean()
        difference = float(own[1.0] - own[0.0])
        spread = float(flag.var(ddof=0)) * difference**2
        rows.append(
            {"choice": name, "difference": difference, "share": spread / whole if whole else 0.0}
        )
    return pd.DataFrame(rows, columns=["choice", "difference", "share"])


def _subsets(controls: list[str]) -> _Subsets:
    return chain.from_iterable(combinations(controls, size) for size in range(len(controls) + 1))
