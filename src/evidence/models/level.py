"""The level of inference: never finer than the exposure's, and how many carry it."""

from __future__ import annotations

import pandas as pd

from evidence.errors import ModelError, PanelError
from evidence.panel import Panel, cluster_column
from evidence.study import LEVELS, Specification, Study

_STILL = 1e-12


def guard_level(study: Study, spec: Specification) -> str:
    """Decide the level of inference: the exposure's own, or a coarser one.

    Raises
    ------
    ModelError
        Where the specification asks for a level finer than an exposure's.
    """
    if spec.role == "replication":
        return ""
    rank = {name: LEVELS.index(name) for name in LEVELS}
    declared = [study.variable(name).level for name in spec.exposures]
    needed = max([study.entity.level, *declared], key=lambda name: rank[name])
    if needed == "factory-cycle":
        needed = "factory"
    asked = spec.clusters or needed
    if rank[asked] < rank[needed]:
        raise ModelError(
            f"{study.path.name}: specification '{spec.id}', clusters",
            seen=f"'{asked}', finer than the level at which {', '.join(spec.exposures)} varies",
            expected=f"'{needed}' or coarser",
            do="Remove 'clusters' or name a coarser level: a value copied to many rows "
            "is still one value, and its standard error must not shrink.",
        )
    return asked


def find_clusters(sample: Panel, spec: Specification, level: str) -> pd.Series:
    """Find the unit of inference of each row.

    Raises
    ------
    ModelError
        Where a row has none, or all have the same.
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
    return clusters.rename("clusters")


def count_treated(sample: Panel, spec: Specification, level: str) -> dict[str, int]:
    """Count clusters that are ever treated, for 0/1 exposures."""
    if not level:
        return {}
    clusters = sample.data[cluster_column(sample.study, level)]
    values = {name: sample.data[name] for name in spec.exposures}
    return {
        name: int(clusters[value == 1].nunique())
        for name, value in values.items()
        if set(value.unique()) <= {0, 1}
    }


def count_carriers(sample: Panel, spec: Specification, level: str) -> dict[str, int]:
    """Count clusters on the thinnest side of each exposure's comparison."""
    if not level:
        return {}
    units = sample.data[cluster_column(sample.study, level)]
    return {name: _least_side(sample.data[name], units, spec) for name in spec.exposures}


def count_contributors(sample: Panel, spec: Specification) -> dict[str, int | None]:
    """Count protected units on the thinnest side; None where no variable names them."""
    try:
        units = sample.data[cluster_column(sample.study, sample.provenance.protected_unit)]
    except PanelError:
        return dict.fromkeys(spec.exposures)
    return {name: _least_side(sample.data[name], units, spec) for name in spec.exposures}


def _least_side(values: pd.Series, units: pd.Series, spec: Specification) -> int:
    values = values.astype("float64")
    commonest = values.mode()[0]
    sides = [units[values != commonest].nunique()]
    if values.nunique() == 2:
        sides.append(units[values == commonest].nunique())
    if "entity" in spec.effects:
        within = values - values.groupby(level="entity").transform("mean")
        sides.append(units[within.abs() > _STILL * max(1.0, float(values.abs().max()))].nunique())
    return int(min(sides))
