"""Staggered adoption: effects on those who adopt, against those who have not (yet).

Callaway and Sant'Anna's effects are own sums over influence functions (event_study.py);
Sun and Abraham's and Borusyak, Jaravel and Spiess's estimators are diff-diff's.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from diff_diff import ImputationDiD, SunAbraham

from evidence.errors import ModelError
from evidence.models.design import (
    Design,
    Diagnostic,
    Estimates,
    Floats,
    tabulate_estimates,
)
from evidence.models.designs.event_study import (
    FEWEST,
    Adjust,
    Adopters,
    Aggregate,
    Average,
    Base,
    Cell,
    Control,
    average_cells,
    check_trends,
    count_carriers,
    cover_averages,
    estimate_cells,
)

Method = Literal["callaway_santanna", "sun_abraham", "imputation"]

_OFFERED: dict[str, tuple[str, ...]] = {
    "callaway_santanna": ("simple", "group", "dynamic", "calendar"),
    "sun_abraham": ("simple", "dynamic"),
    "imputation": ("simple", "group", "dynamic"),
}
_INFLUENCE = "influence function, clustered"
_FAILURES = (ValueError, KeyError, IndexError, ArithmeticError, RuntimeError)


@dataclass(frozen=True, slots=True)
class _Sample:
    """Rows that are left (n), sorted, with what was left out.

    ``rows`` holds entity, time, outcome (mean 0, deviation 1), cohort (0 for never),
    cluster and the covariates; ``scale`` is the outcome's deviation.
    """

    rows: pd.DataFrame
    covariates: tuple[str, ...]
    scale: float
    where: str
    notes: tuple[Diagnostic, ...]


def find_cohorts(exposure: pd.Series) -> pd.Series:
    """Find the period in which each entity adopts: the first with exposure 1.

    ``exposure`` (n,) is 0 or 1 on an index (entity, time). The result has an entity a
    row and nan for those that never adopt. An entity exposed in its first row has that
    period, though it may have adopted before: ``estimate_adoption`` leaves it out.

    Raises
    ------
    ModelError
        Where a value is neither 0 nor 1, a key repeats, or an exposure ends.
    """
    where = f"exposure '{exposure.name}'"
    _check_index(exposure.index, where)
    values = exposure.astype("float64").sort_index()
    strange = ~values.isin((0.0, 1.0))
    if strange.any():
        raise ModelError(
            where,
            seen=f"{int(strange.sum())} rows with neither 0 nor 1",
            expected="0 before adoption and 1 from then on, in every row",
            do="Code adoption as 0 and 1, or drop the rows where it is not known.",
        )
    ended = values.groupby(level=0).diff() < 0
    if ended.any():
        ending = ended[ended].index.get_level_values(0).nunique()
        raise ModelError(
            where,
            seen=f"{ending} entities whose exposure goes back from 1 to 0",
            expected="an adoption that lasts",
            do="Take 'ever exposed so far' as the exposure, or a fixed-effects model, "
            "which allows exposures to end.",
        )
    times = values.index.get_level_values(1).to_series(index=values.index)
    adopted: pd.Series = times[values == 1].groupby(level=0).min()
    everyone = values.index.get_level_values(0).unique()
    return adopted.astype("float64").reindex(everyone).rename("cohort")


def estimate_adoption(
    design: Design,
    *,
    cohort: pd.Series,
    method: Method,
    control: Control = "never",
    aggregate: Aggregate = "simple",
    adjust: Adjust = "dr",
    base: Base = "varying",
) -> Estimates:
    """Estimate effects of a staggered adoption on those that adopt.

    ``design.regressors`` are covariates (none: an empty frame); entity and period come
    from the index, so ``design.effects`` may only name what is constant within one of
    them. ``cohort`` (an entity a row) is the first treated period, nan or 0 for never.
    Terms are ``att``, then ``cohort g``, ``event e`` or ``period t`` by ``aggregate``.

    ``callaway_santanna`` (2021): ``adjust`` for covariates by regression ("reg"),
    weighting ("ipw") or both ("dr"); ``base="universal"`` compares every period with
    the last before adoption (event -1, which is not a term). Entities that miss a
    period are left out, the default of R's did.
    ``sun_abraham`` (2021): cohort × event terms beside entity and period effects, never
    adopters as controls, shares of cohorts taken as known; all rows are used.
    ``imputation`` (Borusyak, Jaravel and Spiess 2024, Theorem 3): outcomes without
    adoption are predicted from every untreated row, whatever ``control`` says;
    covariances between its terms are not known (nan).

    Errors are clustered at ``design.clusters``, or at entities where that is None, with
    t(G−1). ``diagnostics`` tell what was left out, why errors are missing, and whether
    trends before adoption differ (``pretrend``).

    Raises
    ------
    ModelError
        Where no comparison is left, a key or a cohort is missing, clusters cut through
        entities, an effect is not offered by the method, or covariates are collinear.
    """
    _check_options(design.where, method, control, aggregate, adjust, base)
    sample = _prepare(design, cohort)
    if method == "callaway_santanna":
        return _estimate_moments(sample, control, aggregate, adjust, base)
    if method == "sun_abraham":
        return _estimate_interactions(sample, control, aggregate)
    return _estimate_imputation(sample, aggregate)


def list_effects(
    design: Design,
    *,
    cohort: pd.Series,
    control: Control = "never",
    adjust: Adjust = "dr",
    base: Base = "varying",
) -> pd.DataFrame:
    """List ATT(g,t) of Callaway and Sant'Anna (2021), a row a cohort and period.

    Columns ``cohort, period, event, estimate, std_error, statistic, p_value, conf_low,
    conf_high, conf_level, n_treated, n_controls`` (entities). Base periods are 0 by
    construction and have no error.

    Raises
    ------
    ModelError
        As ``estimate_adoption``.
    """
    _check_options(design.where, "callaway_santanna", control, "simple", adjust, base)
    panel, cells, sample = _find_cells(_prepare(design, cohort), control, adjust, base)
    alone = tuple(_take(cell) for cell in cells)
    estimates = _report_averages(alone, panel, sample)
    keys = [(cell.cohort, cell.period, cell.period - cell.cohort) for cell in cells]
    table = pd.DataFrame(keys, columns=["cohort", "period", "event"])
    table = table.join(tabulate_estimates(estimates).drop(columns="term"))
    return table.assign(
        n_treated=[int(cell.treated.sum()) for cell in cells],
        n_controls=[int(cell.controls.sum()) for cell in cells],
    )


def _check_options(
    where: str, method: str, control: str, aggregate: str, adjust: str, base: str
) -> None:
    allowed: dict[str, tuple[str, tuple[str, ...]]] = {
        "method": (method, tuple(_OFFERED)),
        "control": (control, ("never", "not_yet")),
        "adjust": (adjust, ("dr", "reg", "ipw")),
        "base": (base, ("varying", "universal")),
    }
    if method in _OFFERED:
        allowed["aggregate"] = (aggregate, _OFFERED[method])
    for name, (value, values) in allowed.items():
        if value not in values:
            raise ModelError(
                f"{where}, {name}",
                seen=f"'{value}'" + (f" with method '{method}'" if name == "aggregate" else ""),
                expected=" or ".join(f"'{choice}'" for choice in values),
                do="Choose one of these.",
            )
    if method == "sun_abraham" and control == "not_yet":
        raise ModelError(
            f"{where}, control",
            seen="'not_yet' with method 'sun_abraham'",
            expected="'never': this estimator compares with those that never adopt",
            do="Take method 'callaway_santanna' for controls that adopt later.",
        )


def _check_index(index: pd.Index[Any], where: str) -> None:
    if index.nlevels != 2 or index.has_duplicates:
        raise ModelError(
            where,
            seen="an index that is not unique or not (entity, time)",
            expected="one row for each entity and time",
            do="Set the index to (entity, time) and drop repeated rows.",
        )
    if not pd.api.types.is_numeric_dtype(index.get_level_values(1)):
        raise ModelError(
            where,
            seen="periods that are not numbers",
            expected="a period as a number, such as a year",
            do="Number the periods in their order.",
        )


def _prepare(design: Design, cohort: pd.Series) -> _Sample:
    """Bring rows, cohorts and clusters together; leave out what cannot be used."""
    _check_index(design.outcome.index, design.where)
    _check_effects(design)
    names = tuple(str(name) for name in design.regressors.columns)
    entity = design.outcome.index.get_level_values(0)
    clusters = entity.to_numpy() if design.clusters is None else design.clusters.to_numpy()
    frame = pd.DataFrame(
        {
            "entity": entity.to_numpy(),
            "time": design.outcome.index.get_level_values(1).to_numpy(dtype="float64"),
            "outcome": design.outcome.to_numpy(dtype="float64"),
            "cohort": match_cohorts(cohort, entity, design.where),
            "cluster": clusters,
            **{
                f"x{i}": design.regressors.iloc[:, i].to_numpy(dtype="float64")
                for i in range(len(names))
            },
        }
    )
    covariates = tuple(f"x{i}" for i in range(len(names)))
    frame, missing = _drop_missing(frame, covariates, design.where)
    _check_clusters(frame, design.where)
    frame, treated = _drop_treated(frame)
    frame = frame.sort_values(["entity", "time"]).reset_index(drop=True)
    frame["entity"], frame["cluster"] = (
        pd.factorize(frame[column], sort=False)[0] for column in ("entity", "cluster")
    )
    scale = _measure_scale(frame, design.where)
    frame["outcome"] = (frame["outcome"] - frame["outcome"].mean()) / scale
    sample = _Sample(frame, covariates, scale, design.where, (*missing, *treated))
    return _forget_later(sample)


def match_cohorts(cohort: pd.Series, entity: pd.Index[Any], where: str) -> Floats:
    """Give the cohort (n,) of each row's entity, 0 for those that never adopt.

    Raises
    ------
    ModelError
        Where an entity has no cohort, or more than one.
    """
    if cohort.index.has_duplicates:
        raise ModelError(
            f"{where}, cohort",
            seen="entities that appear twice",
            expected="one cohort for each entity",
            do="Take find_cohorts, which gives an entity a row.",
        )
    unknown = ~entity.unique().isin(cohort.index)
    if unknown.any():
        raise ModelError(
            f"{where}, cohort",
            seen=f"{int(unknown.sum())} entities of the sample without a cohort",
            expected="the period of adoption of every entity, nan for those that never adopt",
            do="Take find_cohorts on the exposure of the same panel.",
        )
    values = cohort.astype("float64").replace([np.inf], np.nan).fillna(0.0).reindex(entity)
    return np.asarray(values, dtype=np.float64)


def _check_effects(design: Design) -> None:
    keys = [design.outcome.index.get_level_values(level) for level in (0, 1)]
    for name in design.effects.columns:
        labels = design.effects[name]
        if all((labels.groupby(key).nunique() > 1).any() for key in keys):
            raise ModelError(
                f"{design.where}, effects",
                seen=f"'{name}', which differs within entities as well as within periods",
                expected="effects of entities and periods, which adoption always takes out",
                do="Leave it out, or estimate within one value of it at a time.",
            )


def _drop_missing(
    frame: pd.DataFrame, covariates: tuple[str, ...], where: str
) -> tuple[pd.DataFrame, tuple[Diagnostic, ...]]:
    used = frame[["outcome", *covariates]]
    if np.isinf(used.to_numpy()).any():
        raise ModelError(
            where,
            seen=f"{int(np.isinf(used.to_numpy()).any(axis=1).sum())} rows with infinite values",
            expected="finite numbers",
            do="Look at logarithms of 0 and at divisions by 0.",
        )
    missing = used.isna().any(axis=1)
    if not missing.any():
        return frame, ()
    count = int(missing.sum())
    reason = f"{count} rows with a missing outcome or covariate are left out"
    return frame[~missing], (Diagnostic("missing_rows", float(count), reason=reason),)


def _drop_treated(frame: pd.DataFrame) -> tuple[pd.DataFrame, tuple[Diagnostic, ...]]:
    first = frame.groupby("entity")["time"].transform("min")
    already = (frame["cohort"] > 0) & (frame["cohort"] <= first)
    if not already.any():
        return frame, ()
    count = frame.loc[already, "entity"].nunique()
    reason = f"{count} entities have adopted by their first row, are left out"
    return frame[~already], (Diagnostic("always_treated", float(count), reason=reason),)


def _check_clusters(frame: pd.DataFrame, where: str) -> None:
    counts = frame.groupby("entity")["cluster"].nunique(dropna=False)
    if frame["cluster"].isna().any() or (counts > 1).any():
        raise ModelError(
            f"{where}, clusters",
            seen="entities without a cluster or in more than one",
            expected="each entity in one cluster throughout",
            do="Cluster at the entity, or at a level that never changes.",
        )


def _measure_scale(frame: pd.DataFrame, where: str) -> float:
    if frame["outcome"].nunique() < 2:
        raise ModelError(
            f"{where}, outcome",
            seen=f"{frame['outcome'].nunique()} different values in {len(frame)} rows",
            expected="an outcome that varies, with rows before adoption",
            do="Look at how the outcome was measured and which rows were selected.",
        )
    return float(frame["outcome"].std())


def _forget_later(sample: _Sample) -> _Sample:
    """Count adoption after the last period as never, and see that sides are left."""
    rows = sample.rows
    rows = rows.assign(cohort=rows["cohort"].where(rows["cohort"] <= rows["time"].max(), 0.0))
    if not (rows["cohort"] > 0).any():
        raise ModelError(
            sample.where,
            seen="no entity that adopts after its first period",
            expected="entities seen before and after they adopt",
            do="Add earlier periods, or compare levels in another model.",
        )
    return replace(sample, rows=rows)


def _require_never(sample: _Sample) -> None:
    if (sample.rows["cohort"] == 0).any():
        return
    raise ModelError(
        f"{sample.where}, control",
        seen="no entity that never adopts",
        expected="entities that never adopt in the periods at hand",
        do="Take method 'callaway_santanna' with control='not_yet', or method 'imputation'.",
    )


def _require_several(sample: _Sample) -> None:
    cohorts = sample.rows["cohort"]
    if cohorts.min() == 0 or cohorts.nunique() > 1:
        return
    raise ModelError(
        sample.where,
        seen=f"every entity adopts in {cohorts.iloc[0]:g}",
        expected="entities that adopt later or never",
        do="Add entities that have not adopted: without them an effect cannot be told "
        "from what happened to everyone.",
    )


def _balance(sample: _Sample) -> _Sample:
    """Keep the entities seen in every period, as R's did does by default."""
    rows = sample.rows
    counts = rows.groupby("entity")["time"].transform("size")
    whole = counts == rows["time"].nunique()
    left_out = rows.loc[~whole, "entity"].nunique()
    if not left_out:
        return sample
    if not whole.any():
        raise ModelError(
            sample.where,
            seen="no entity that is seen in every period",
            expected="entities seen in every period",
            do="Choose fewer periods, or take method 'imputation', which uses every row.",
        )
    reason = f"{left_out} entities that miss a period are left out: a balanced sample"
    note = Diagnostic("balanced_sample", float(left_out), reason=reason)
    return _forget_later(replace(sample, rows=rows[whole], notes=(*sample.notes, note)))


def _cut_last(sample: _Sample) -> _Sample:
    """Where everyone adopts, keep the periods before the last cohort does."""
    rows = sample.rows
    if (rows["cohort"] == 0).any():
        return sample
    last = rows["cohort"].max()
    reason = f"everyone adopts: the cohort of {last:g} is the control, periods from then on go"
    note = Diagnostic("last_cohort", float(last), reason=reason)
    kept = rows[rows["time"] < last]
    return _forget_later(replace(sample, rows=kept, notes=(*sample.notes, note)))


def _find_cells(
    sample: _Sample, control: Control, adjust: Adjust, base: Base
) -> tuple[Adopters, tuple[Cell, ...], _Sample]:
    _require_several(sample)
    if control == "never":
        _require_never(sample)
        sample = _balance(sample)
        _require_never(sample)
    else:
        sample = _cut_last(_balance(sample))
    panel = _widen(sample)
    cells = estimate_cells(panel, control=control, adjust=adjust, base=base)
    if not any(cell.period >= cell.cohort for cell in cells):
        raise ModelError(
            sample.where,
            seen="no cohort with a comparison after it adopts",
            expected="entities that adopt later or never, in the same periods",
            do="Add entities that have not adopted, or earlier periods.",
        )
    return panel, cells, sample


def _widen(sample: _Sample) -> Adopters:
    rows = sample.rows
    periods = np.sort(rows["time"].unique())
    n = len(rows) // len(periods)
    heads = rows.iloc[:: len(periods)]
    return Adopters(
        rows["outcome"].to_numpy().reshape(n, -1),
        rows[list(sample.covariates)].to_numpy().reshape(n, len(periods), -1),
        heads["cohort"].to_numpy(),
        pd.factorize(heads["cluster"])[0].astype(np.int64),
        periods,
        sample.where,
    )


def _estimate_moments(
    sample: _Sample, control: Control, aggregate: Aggregate, adjust: Adjust, base: Base
) -> Estimates:
    panel, cells, sample = _find_cells(sample, control, adjust, base)
    averages = average_cells(cells, panel.cohorts, aggregate)
    estimates = _report_averages(averages, panel, sample)
    early = [cell for cell in cells if cell.period < cell.cohort and not cell.reference]
    covariance, groups = cover_averages(tuple(_take(cell) for cell in early), panel.clusters)
    test = check_trends(np.array([cell.effect for cell in early]), covariance, groups)
    return replace(estimates, diagnostics=(test, *estimates.diagnostics))


def _take(cell: Cell) -> Average:
    term = f"cohort {cell.cohort:g} period {cell.period:g}"
    return Average(term, cell.effect, cell.influence, (cell,))


def _report_averages(averages: tuple[Average, ...], panel: Adopters, sample: _Sample) -> Estimates:
    covariance, groups = cover_averages(averages, panel.clusters)
    carriers = {average.term: count_carriers(average, panel.clusters) for average in averages}
    return _report(
        sample,
        {average.term: average.effect for average in averages},
        covariance,
        carriers,
        _INFLUENCE,
        "none" if groups == len(panel.clusters) else "G/(G−1)",
    )


def _report(
    sample: _Sample,
    effects: dict[str, float],
    covariance: Floats,
    carriers: dict[str, int],
    cov_type: str,
    small_sample: str,
) -> Estimates:
    """Put estimates back on the outcome's scale; without carriers there is no error."""
    groups = int(sample.rows["cluster"].nunique())
    covariance = covariance * sample.scale**2
    thin = [carriers.get(term, FEWEST) < FEWEST for term in effects]
    covariance[thin, :] = np.nan
    covariance[:, thin] = np.nan
    return Estimates(
        tuple(effects),
        np.array(list(effects.values())) * sample.scale,
        covariance,
        float(groups - 1),
        len(sample.rows),
        groups,
        cov_type,
        small_sample,
        (*_explain_errors(effects, covariance, carriers), *sample.notes),
    )


def _explain_errors(
    effects: dict[str, float], covariance: Floats, carriers: dict[str, int]
) -> tuple[Diagnostic, ...]:
    thin = [term for term in effects if 0 < carriers[term] < FEWEST]
    bare = np.isnan(np.diag(covariance))
    still = [
        term for term, no in zip(effects, bare, strict=True) if no and carriers[term] >= FEWEST
    ]
    notes = []
    if thin:
        reason = f"{', '.join(thin)}: fewer than two clusters adopt, or fewer than two do not: "
        least = float(min(carriers[term] for term in thin))
        notes.append(Diagnostic("few_clusters", least, reason=reason + "no error and no p-value"))
    if still:
        reason = f"{', '.join(still)}: changes do not vary between entities: no error"
        notes.append(Diagnostic("no_variation", reason=reason))
    return tuple(notes)


def _estimate_interactions(sample: _Sample, control: Control, aggregate: Aggregate) -> Estimates:
    """Sun and Abraham (2021), from diff-diff; ``att`` weighs events by treated rows."""
    _require_several(sample)
    _require_never(sample)
    _require_moving(sample)
    _require_base(sample)
    rows = sample.rows
    estimator = SunAbraham(
        control_group="never_treated", cluster=_name_clusters(sample),
        df_convention="cluster", rank_deficient_action="silent",
    )  # fmt: skip
    found = _run(sample, lambda: estimator.fit(**_arguments(sample)))
    events = np.array([float(event) for event in found.event_study_vcov_index])
    effects = np.array([found.event_study_effects[event]["effect"] for event in events])
    counts = (rows["time"] - rows["cohort"])[rows["cohort"] > 0].value_counts()
    weights = np.where(events >= 0, counts.reindex(events).to_numpy(dtype="float64"), 0.0)
    mix = np.vstack([weights / weights.sum(), np.eye(len(events))])
    terms = ("att", *(f"event {event:g}" for event in events))
    kept = slice(None) if aggregate == "dynamic" else slice(0, 1)
    covariance = mix @ found.event_study_vcov @ mix.T
    estimates = _report(
        sample,
        dict(zip(terms[kept], (mix @ effects)[kept], strict=True)),
        covariance[kept, kept],
        _count_sides(sample, terms[kept], rows["cohort"] == 0),
        "clustered",
        "G/(G−1)·(n−1)/(n−k)",
    )
    early = events < 0
    inner = found.event_study_vcov[np.ix_(early, early)]
    test = check_trends(effects[early], inner, int(estimates.df) + 1)
    return replace(estimates, diagnostics=(test, *estimates.diagnostics))


def _estimate_imputation(sample: _Sample, aggregate: Aggregate) -> Estimates:
    """Borusyak, Jaravel and Spiess (2024), from diff-diff."""
    _require_several(sample)
    _require_moving(sample)
    sample = _cut_unseen(sample)
    estimator = ImputationDiD(cluster=_name_clusters(sample), rank_deficient_action="silent")
    found = _run(sample, lambda: estimator.fit(**_arguments(sample)))
    effects, errors = {"att": float(found.att)}, [float(found.se)]
    if aggregate != "simple":
        name, level = {"group": ("cohort", "group"), "dynamic": ("event", "event_study")}[aggregate]
        table = _run(sample, lambda: found.aggregate(level).to_dataframe())
        if aggregate == "dynamic":
            table = table[~table["is_reference"]].rename(columns={"event_time": "label"})
        effects |= {
            f"{name} {float(label):g}": float(effect)
            for label, effect in zip(table["label"], table["att"], strict=True)
        }
        errors.extend(table["se"])
    covariance = np.full((len(errors), len(errors)), np.nan)
    np.fill_diagonal(covariance, np.square(errors))
    later = sample.rows["cohort"].where(sample.rows["cohort"] > 0, np.inf)
    estimates = _report(
        sample,
        effects,
        covariance,
        _count_sides(sample, tuple(effects), later > later.min()),
        "conservative, clustered (Borusyak, Jaravel and Spiess 2024, Theorem 3)",
        "none",
    )
    test = _test_imputation(sample, found)
    return replace(estimates, diagnostics=(test, *estimates.diagnostics))


def _test_imputation(sample: _Sample, found: Any) -> Diagnostic:
    """Borusyak, Jaravel and Spiess (2024), equation 9: leads among untreated rows."""
    tested = _run(sample, found.pretrend_test)
    if tested["df"] == 0:
        return check_trends(np.empty(0), np.empty((0, 0)), 0)
    if not np.isfinite(tested["p_value"]) or sample.rows["cluster"].nunique() < FEWEST:
        reason = f"{tested['df']} effects before adoption cannot be told apart from the effects"
        return Diagnostic("pretrend", reason=f"{reason} of entities and periods, or lack clusters")
    count = float(tested["df"])
    return Diagnostic("pretrend", float(tested["f_stat"]) * count, float(tested["p_value"]), count)


def _cut_unseen(sample: _Sample) -> _Sample:
    """Leave out periods in which everyone is treated: nothing says what would have been."""
    rows = sample.rows
    untreated = (rows["cohort"] == 0) | (rows["time"] < rows["cohort"])
    seen = rows["time"].isin(rows.loc[untreated, "time"])
    if seen.all():
        return sample
    count = rows.loc[~seen, "time"].nunique()
    reason = f"{count} periods in which everyone has adopted are left out"
    note = Diagnostic("treated_periods", float(count), reason=reason)
    return _forget_later(replace(sample, rows=rows[seen], notes=(*sample.notes, note)))


def _require_moving(sample: _Sample) -> None:
    for position, name in enumerate(sample.covariates, start=1):
        if sample.rows.groupby("entity")[name].nunique().max() < 2:
            raise ModelError(
                sample.where,
                seen=f"covariate {position} never changes within an entity",
                expected="covariates that change: entity effects take out the others",
                do="Leave it out, or take method 'callaway_santanna', which lets trends "
                "differ by it.",
            )


def _require_base(sample: _Sample) -> None:
    rows = sample.rows[sample.rows["cohort"] > 0]
    event = rows["time"] - rows["cohort"]
    bare = set(rows["cohort"]) - set(rows.loc[event == -1, "cohort"])
    if bare:
        raise ModelError(
            sample.where,
            seen="no row one period before adoption for the cohort of "
            + ", ".join(f"{cohort:g}" for cohort in sorted(bare)),
            expected="event -1, with which every other event is compared",
            do="Number periods without gaps, or take method 'callaway_santanna'.",
        )


def _name_clusters(sample: _Sample) -> str:
    return "cluster" if sample.rows["cluster"].nunique() >= FEWEST else "entity"


def _arguments(sample: _Sample) -> dict[str, Any]:
    return {
        "data": sample.rows,
        "outcome": "outcome",
        "unit": "entity",
        "time": "time",
        "first_treat": "cohort",
        "covariates": list(sample.covariates) or None,
    }


def _run(sample: _Sample, step: Callable[[], Any]) -> Any:
    """Run a step of diff-diff; what stops it becomes an error in our words."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return step()
    except _FAILURES as error:
        raise ModelError(
            sample.where,
            seen=f"an estimate that stopped: {error}",
            expected="rows before and after adoption, in entities that adopt and that do not",
            do="Look at list_effects for the comparisons that the data hold.",
        ) from error


def _count_sides(sample: _Sample, terms: tuple[str, ...], controls: pd.Series) -> dict[str, int]:
    """Count, a term, the clusters on its thinner side: treated or untreated."""
    rows = sample.rows
    treated = rows[rows["cohort"] > 0]
    keys = {"cohort": treated["cohort"], "event": treated["time"] - treated["cohort"]}
    untreated = rows.loc[controls, "cluster"].nunique()
    counts = {}
    for term in terms:
        kind, _, value = term.partition(" ")
        mine = treated[keys[kind] == float(value)] if value else treated
        counts[term] = min(mine["cluster"].nunique(), untreated)
    return counts
