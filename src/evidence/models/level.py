"""The level of inference: never finer than the exposure's, and how many carry it."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from evidence.errors import ModelError, PanelError
from evidence.models.designs.adoption import find_cohorts
from evidence.models.designs.pooling import CELL, FURTHER
from evidence.models.designs.shift_share import count_shocks
from evidence.panel import UPPER, Panel, cluster_column
from evidence.study import LEVELS, Specification, Study

_STILL = 1e-12
_WITHIN = frozenset({
    "first_differences", "mundlak", "difference_gmm", "system_gmm", "callaway_santanna",
    "sun_abraham", "imputation",
})  # fmt: skip
_ADOPTION = frozenset({"callaway_santanna", "sun_abraham", "imputation"})


def compares_within(spec: Specification) -> bool:
    """Tell whether a specification's estimate rests on changes within entities."""
    crossed = any("entity" in effect.split(":") for effect in spec.effects)
    return crossed or spec.estimator in _WITHIN


def guard_level(study: Study, spec: Specification) -> str:
    """Decide the level of inference: the exposure's own, or a coarser one.

    That of a shift-share exposure is the countries whose shocks it is made of, never the rows'.

    Raises
    ------
    ModelError
        Where the specification asks for a level finer than an exposure's.
    """
    if spec.role == "replication":
        return ""
    if spec.shares:
        return "country"
    needed = _needed_level(study, spec)
    asked = spec.clusters or needed
    if LEVELS.index(asked) < LEVELS.index(needed):
        raise ModelError(
            f"{study.path.name}: specification '{spec.id}', clusters",
            seen=f"'{asked}', finer than the level at which "
            f"{', '.join((*spec.exposures, *spec.instruments))} varies",
            expected=f"'{needed}' or coarser",
            do="Remove 'clusters' or name a coarser level: a value copied to many rows "
            "is still one value, and its standard error must not shrink.",
        )
    return asked


def _needed_level(study: Study, spec: Specification) -> str:
    """Give the coarsest level of the entity, the exposures and the instruments."""
    declared = [study.variable(name).level for name in (*spec.exposures, *spec.instruments)]
    needed = max([study.entity.level, *declared], key=LEVELS.index)
    return "factory" if needed == "factory-cycle" else needed


def find_clusters(sample: Panel, spec: Specification, level: str) -> pd.Series:
    """Find the unit of inference of each row.

    Raises
    ------
    ModelError
        Where a row has none, all have the same, or a unit of the exposure's level belongs
        to several: its rows would count as independent.
    """
    name = cluster_column(sample.study, level)
    clusters = sample.data[name]
    if clusters.isna().any():
        raise ModelError(
            f"{sample.study.path.name}: specification '{spec.id}'",
            seen=f"{int(clusters.isna().sum())} rows without {name}",
            expected=f"a {level} for every row, because inference is clustered there",
            do="Complete the column in the raw file, or cluster at another level.",
        )
    if clusters.nunique() < 2:
        raise ModelError(
            f"{sample.study.path.name}: specification '{spec.id}'",
            seen=f"a single {level} to cluster on",
            expected="two or more",
            do="Add data of other units; from a single one nothing can be inferred.",
        )
    needed = _needed_level(sample.study, spec)
    if level != needed:
        units = sample.data[cluster_column(sample.study, needed)]
        torn = int((clusters.groupby(units.to_numpy()).nunique() > 1).sum())
        if torn:
            raise ModelError(
                f"{sample.study.path.name}: specification '{spec.id}', clusters",
                seen=f"{torn} units of the level {needed} that belong to several of the "
                f"level {level}",
                expected=f"a {level} that holds all rows of a {needed}",
                do=f"Cluster by {needed}, or name the {level} of the first period for all rows.",
            )
    return clusters.rename("clusters")


def select_used(sample: Panel, spec: Specification) -> Panel:
    """Select the rows that an estimator uses: of first differences those beside a neighbour."""
    if spec.estimator != "first_differences":
        return sample
    time = sample.data.index.get_level_values("time").to_series(index=sample.data.index)
    step = time.groupby(level="entity").diff() == 1
    after = step.groupby(level="entity").shift(-1, fill_value=False)
    return replace(sample, data=sample.data[(step | after).to_numpy()])


def count_treated(sample: Panel, spec: Specification, level: str) -> dict[str, int]:
    """Count clusters that are ever treated, for 0/1 exposures."""
    if not level or spec.shares:
        return {}
    clusters = sample.data[cluster_column(sample.study, level)]
    values = {name: sample.data[name] for name in spec.exposures}
    return {
        name: int(clusters[value == 1].nunique())
        for name, value in values.items()
        if set(value.unique()) <= {0, 1}
    }


def count_carriers(sample: Panel, spec: Specification, level: str) -> dict[str, int]:
    """Count clusters on the thinnest side of each exposure's comparison.

    Of shift-share exposures, the units of shocks that matter.
    """
    if not level:
        return {}
    if spec.shares:
        effective = int(count_shocks(sample.data[list(spec.shares)]))
        return dict.fromkeys((*spec.exposures, *spec.interactions), effective)
    return _count_sides(sample, spec, sample.data[cluster_column(sample.study, level)])


def count_contributors(sample: Panel, spec: Specification) -> dict[str, int | None]:
    """Count protected units on the thinnest side; None where no variable names them."""
    try:
        units = sample.data[cluster_column(sample.study, sample.provenance.protected_unit)]
    except PanelError:
        return dict.fromkeys((*spec.exposures, *spec.interactions))
    return dict(_count_sides(sample, spec, units))


def list_units(sample: Panel, spec: Specification) -> dict[str, str]:
    """List the protected units whose rows are used, each with a hash of these rows.

    Sorted; empty where no variable names them. The hash is of times and values, in any order.
    """
    data = sample.data
    try:
        units = data[cluster_column(sample.study, sample.provenance.protected_unit)]
    except PanelError:
        return {}
    names = [spec.outcome, *spec.regressors, *spec.moderators, *spec.instruments, *spec.shares]
    names += [UPPER] if UPPER in data else []
    values = data[list(dict.fromkeys(names))].astype("float64").reset_index("time")
    told = pd.util.hash_pandas_object(values, index=False).groupby(units.astype(str).to_numpy())
    return {str(name): f"{int(total):016x}" for name, total in told.sum().sort_index().items()}


def list_adopters(sample: Panel, spec: Specification) -> dict[str, list[str]]:
    """List the protected units behind each step of an adoption path, and those never on it.

    Counted in the sample's rows; an estimator that drops more has fewer, never more. Empty
    for other estimators, and where no variable names the units.
    """
    if spec.estimator not in _ADOPTION:
        return {}
    try:
        column = cluster_column(sample.study, sample.provenance.protected_unit)
    except PanelError:
        return {}
    data = sample.data
    units, exposure = data[column].astype("string"), spec.exposures[0]
    cohorts = find_cohorts(data[exposure]).reindex(data.index.get_level_values("entity"))
    since = data.index.get_level_values("time") - cohorts.to_numpy()
    listed = {
        f"{exposure} event {event:g}": sorted(units[since == event].unique())
        for event in sorted(since.dropna().unique())
    }
    return {**listed, f"{exposure} never": sorted(units[since.isna()].unique())}


def list_behind(sample: Panel, spec: Specification) -> dict[str, list[str]]:
    """List the protected units behind each term beside the exposures themselves.

    Of an adoption path those of ``list_adopters``; of cells that are pooled those on the
    thinnest side of the comparison in each, and of a further cell all of these together.
    Empty for other estimators, and where no variable names the units.
    """
    if spec.estimator != "pooled_cells":
        return list_adopters(sample, spec)
    try:
        column = cluster_column(sample.study, sample.provenance.protected_unit)
    except PanelError:
        return {}
    cells = sample.data[cluster_column(sample.study, guard_level(sample.study, spec))].astype(str)
    listed: dict[str, list[str]] = {}
    for name in spec.exposures:
        own = {cell: _list_least(part, name, column, spec)
               for cell, part in sample.data.groupby(cells.to_numpy())}  # fmt: skip
        listed |= {f"{name}{CELL}{cell}": units for cell, units in own.items()}
        listed[f"{name}{FURTHER}"] = sorted({unit for units in own.values() for unit in units})
    return listed


def _list_least(data: pd.DataFrame, name: str, column: str, spec: Specification) -> list[str]:
    """List the units on the thinnest side of an exposure's comparison."""
    sides = _part_units(data[name], data[column].astype("string"), spec)
    least = min(sides, key=lambda units: units.nunique())
    return sorted(str(unit) for unit in least.dropna().unique())


def _count_sides(sample: Panel, spec: Specification, units: pd.Series) -> dict[str, int]:
    """Count units on the thinnest side of each exposure, and of it on each side of a moderator."""
    data = sample.data
    counts = {name: _least_side(data[name], units, spec) for name in spec.exposures}
    for moderator in spec.moderators:
        split = data[moderator].nunique() == 2
        sides = data[moderator] if split else pd.Series(0, index=data.index)
        for name in spec.exposures:
            counts[f"{name}:{moderator}"] = min(
                _least_side(data.loc[side, name], units[side], spec)
                for side in (sides == value for value in sides.unique())
            )
    return counts


def _least_side(values: pd.Series, units: pd.Series, spec: Specification) -> int:
    return min(int(side.nunique()) for side in _part_units(values, units, spec))


def _part_units(values: pd.Series, units: pd.Series, spec: Specification) -> list[pd.Series]:
    """Part units by the sides of a comparison on which they stand, those that move among them."""
    values = values.astype("float64")
    commonest = values.mode()[0]
    sides = [units[values != commonest]]
    if values.nunique() == 2:
        sides.append(units[values == commonest])
    if compares_within(spec):
        within = values - values.groupby(level="entity").transform("mean")
        sides.append(units[within.abs() > _STILL * max(1.0, float(values.abs().max()))])
    return sides
