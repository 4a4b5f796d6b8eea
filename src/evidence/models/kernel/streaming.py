"""Two-way effects from Parquet files that do not fit in memory: two scans, exact.

Each file holds whole entities, sorted by entity. A scan reads some ten thousand rows at a
time and keeps only sums, so memory does not grow with rows; the sums of files add, so the
files may be scanned by several processes or by a Dask cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial, reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evidence.errors import ModelError
from evidence.models.design import Codes, Diagnostic, Estimates, Floats
from evidence.models.kernel.absorb import MOST_DIRECT
from evidence.models.kernel.conventions import SmallSample, count_df, scale_covariance
from evidence.models.kernel.moments import (
    Block,
    Moments,
    cut_blocks,
    reduce_moments,
    sum_moments,
    sum_scores,
)
from evidence.models.kernel.solve import Solution, find_absorbed, solve_cross

BATCH_ROWS = 65_536

Runner = Callable[[Callable[[Path], Any], Sequence[Path]], Iterable[Any]]


@dataclass(frozen=True, slots=True)
class _Plan:
    """What to read: names of columns, and the range of periods (low, count)."""

    outcome: str
    regressors: tuple[str, ...]
    entity: str
    time: str
    low: int
    n_periods: int
    centre: Floats

    @property
    def columns(self) -> list[str]:
        return [self.outcome, *self.regressors]


@dataclass(frozen=True, slots=True)
class _Sums:
    """First scan: moments, rows alone in their entity, and informative rows a period (T,)."""

    moments: Moments
    alone: int
    by_period: Floats

    def __add__(self, other: _Sums) -> _Sums:
        return _Sums(
            self.moments + other.moments,
            self.alone + other.alone,
            self.by_period + other.by_period,
        )


def estimate_streamed(
    files: Sequence[Path],
    outcome: str,
    regressors: Sequence[str],
    *,
    entity: str,
    time: str,
    small_sample: SmallSample = "fixest",
    workers: int = 1,
    scheduler: str = "",
) -> Estimates:
    """Estimate a model with entity and time effects from Parquet files, clustered by entity.

    ``files`` hold whole entities, sorted by entity; ``time`` is whole numbers. ``workers``
    above 1 scans files in as many processes; ``scheduler`` is the address of a Dask
    scheduler, whose workers must see the files under the same paths. The numbers are the
    same in each way, and those of ``estimate_least_squares``.

    Raises
    ------
    ModelError
        For files that are not sorted or share an entity at their ends, missing or infinite values,
        absorbed or collinear regressors, or a period seen once.
    """
    ordered = sorted(Path(file) for file in files)
    plan = _plan(ordered, outcome, tuple(regressors), entity, time)
    ordered = [file for file in ordered if pq.read_metadata(file).num_rows]
    if scheduler:
        return _run_on_dask(ordered, plan, small_sample, scheduler)
    if workers > 1:
        with ProcessPoolExecutor(workers) as pool:
            return _estimate(ordered, plan, small_sample, pool.map)
    return _estimate(ordered, plan, small_sample, map)


def _run_on_dask(
    files: list[Path], plan: _Plan, small_sample: SmallSample, scheduler: str
) -> Estimates:
    try:
        from dask.distributed import Client
    except ImportError:
        raise ModelError(
            "estimate_streamed, scheduler",
            seen=f"'{scheduler}', and Dask is not installed",
            expected="the package dask with distributed",
            do="Install the extra 'cluster' of this package, or leave the scheduler out.",
        ) from None
    with Client(scheduler) as client:
        return _estimate(
            files, plan, small_sample, lambda work, parts: client.gather(client.map(work, parts))
        )


def _estimate(files: list[Path], plan: _Plan, small_sample: SmallSample, run: Runner) -> Estimates:
    sums: _Sums = reduce(add, run(partial(_scan_moments, plan=plan), files))
    moments = sums.moments
    drop = small_sample == "fixest"
    if drop:
        _check_periods(plan, sums)
    reduced = reduce_moments(moments)
    gone = find_absorbed(reduced.cross, moments.spread, ("the outcome", *plan.regressors))
    solution = None if gone else solve_cross(reduced.cross)
    if solution is None:
        raise _refuse(plan, gone)
    direction = np.append(1.0, -solution.coefficients)
    work = partial(_scan_scores, plan=plan, paths=reduced.paths, direction=direction)
    meat: Floats = reduce(add, run(work, files))
    alone = sums.alone if drop else 0
    nobs, groups = moments.nobs - alone, moments.n_entities - alone
    shares = np.diag(reduced.cross)[1:] / moments.spread[1:]
    periods = int((sums.by_period > 0).sum())
    return _infer(plan, solution, meat, (nobs, groups, periods), shares, small_sample)


def _infer(
    plan: _Plan,
    solution: Solution,
    meat: Floats,
    counts: tuple[int, int, int],
    shares: Floats,
    small_sample: SmallSample,
) -> Estimates:
    nobs, groups, periods = counts
    charged = 0 if small_sample == "fixest" else groups - 1
    parameters = len(plan.regressors) + 1 + (periods - 1) + charged
    factor = scale_covariance(nobs, parameters, groups, small_sample)
    return Estimates(
        terms=plan.regressors,
        coefficients=solution.coefficients,
        covariance=factor * solution.bread @ meat @ solution.bread,
        df=count_df(nobs, parameters, groups, small_sample),
        nobs=nobs,
        n_clusters=groups,
        cov_type="CR1",
        small_sample=small_sample,
        diagnostics=tuple(
            Diagnostic(f"within_share {name}", float(share))
            for name, share in zip(plan.regressors, shares, strict=True)
        ),
    )


def _scan_moments(file: Path, *, plan: _Plan) -> _Sums:
    width = 1 + len(plan.regressors)
    square, wide = np.zeros((plan.n_periods,) * 2), np.zeros((plan.n_periods, width))
    empty = Moments(0, 0, np.zeros((width, width)), wide, square, np.zeros(width), np.zeros(width))
    total = _Sums(empty, 0, np.zeros(plan.n_periods))
    for block in _read_blocks(file, plan):
        counts = np.diff(block.bounds)
        assert block.periods is not None
        told = block.periods[np.repeat(counts > 1, counts)]
        by_period = np.bincount(told, minlength=plan.n_periods).astype(np.float64)
        moments = sum_moments(block, plan.n_periods)
        if not np.isfinite(moments.cross).all():
            raise ModelError(
                file.name,
                seen="missing or infinite values among the outcome and the regressors",
                expected="finite numbers in every row",
                do="Filter these rows out when you write the files.",
            )
        total = total + _Sums(moments, int((counts == 1).sum()), by_period)
    return total


def _scan_scores(file: Path, *, plan: _Plan, paths: Floats, direction: Floats) -> Floats:
    meat = np.zeros((len(plan.regressors),) * 2)
    for block in _read_blocks(file, plan):
        scores = sum_scores(block, paths, direction)[:, 1:]
        meat += scores.T @ scores
    return meat


def _read_blocks(file: Path, plan: _Plan) -> Iterator[Block]:
    """Read a file as blocks of whole entities; the last entity waits for the next batch."""
    rest: pa.RecordBatch | None = None
    names = [plan.entity, plan.time, *plan.columns]
    with pq.ParquetFile(file) as parquet:
        for batch in parquet.iter_batches(BATCH_ROWS, columns=names, use_threads=False):
            table = pa.Table.from_batches([batch] if rest is None else [rest, batch])
            whole = table.combine_chunks().to_batches()[0] if table.num_rows else batch
            starts = _find_starts(file, whole, plan)
            last = int(starts[-1])
            rest = whole.slice(last)
            if last:
                yield from _cut_batch(whole.slice(0, last), starts[:-1], plan)
        if rest is not None and rest.num_rows:
            yield from _cut_batch(rest, np.array([0]), plan)


def _find_starts(file: Path, whole: pa.RecordBatch, plan: _Plan) -> Codes:
    entities = whole.column(plan.entity)
    before, after = entities.slice(0, len(entities) - 1), entities.slice(1)
    if entities.null_count or whole.column(plan.time).null_count:
        raise ModelError(
            file.name,
            seen=f"rows without {plan.entity} or {plan.time}",
            expected="both in every row",
            do="Filter these rows out when you write the files.",
        )
    if pc.any(pc.less(after, before)).as_py():
        raise ModelError(
            file.name,
            seen=f"rows that are not sorted by {plan.entity}",
            expected=f"whole entities, one after the other, sorted by {plan.entity}",
            do=f"Sort the file by {plan.entity} and write it again.",
        )
    changes = np.flatnonzero(pc.not_equal(after, before).to_numpy(zero_copy_only=False)) + 1
    return np.concatenate([[0], changes])


def _cut_batch(batch: pa.RecordBatch, starts: Codes, plan: _Plan) -> Iterator[Block]:
    columns = [
        pc.cast(batch.column(name), pa.float64()).to_numpy(zero_copy_only=False)
        for name in plan.columns
    ]
    periods = batch.column(plan.time).to_numpy(zero_copy_only=False).astype(np.int64)
    sizes = np.diff(np.append(starts, batch.num_rows))
    codes = np.repeat(np.arange(len(starts)), sizes)
    return cut_blocks(columns, codes, starts, (periods - plan.low).astype(np.int32), plan.centre)


def _plan(
    files: list[Path], outcome: str, regressors: tuple[str, ...], entity: str, time: str
) -> _Plan:
    if not files:
        raise ModelError(
            "estimate_streamed, files",
            seen="none",
            expected="Parquet files of whole entities",
            do="Name the files, or write them first.",
        )
    names = [entity, time, outcome, *regressors]
    if not regressors:
        raise ModelError(
            "estimate_streamed, regressors",
            seen="none",
            expected="at least one",
            do="Name the columns that explain the outcome.",
        )
    for file in files:
        _check_columns(file, names, time)
    files = [file for file in files if pq.read_metadata(file).num_rows]
    if not files:
        raise ModelError(
            "estimate_streamed, files",
            seen="no row in any file",
            expected="rows to estimate from",
            do="Look at how the files were written.",
        )
    low, high = _find_periods(files, time)
    if high - low >= MOST_DIRECT:
        raise ModelError(
            "estimate_streamed, time",
            seen=f"{time} from {low} to {high}",
            expected=f"at most {MOST_DIRECT} periods",
            do="Use a coarser clock, such as years.",
        )
    _check_ends(files, entity)
    head = next(pq.ParquetFile(files[0]).iter_batches(1_000, columns=[outcome, *regressors]))
    centre = np.array(
        [pc.mean(head.column(name)).as_py() or 0.0 for name in (outcome, *regressors)]
    )
    finite = np.where(np.isfinite(centre), centre, 0.0)
    return _Plan(outcome, regressors, entity, time, low, high - low + 1, finite)


def _check_columns(file: Path, names: list[str], time: str) -> None:
    try:
        schema = pq.read_schema(file)
    except (OSError, pa.ArrowInvalid) as error:
        raise ModelError(
            str(file.name),
            seen="no file that can be read as Parquet",
            expected="a Parquet file",
            do="Look at the path, or write the file again.",
        ) from error
    missing = [name for name in names if name not in schema.names]
    odd = [
        name
        for name in names[1:]
        if name in schema.names
        and not (pa.types.is_integer(schema.field(name).type))
        and (name == time or not _is_number(schema.field(name).type))
    ]
    if missing or odd:
        raise ModelError(
            file.name,
            seen=f"{', '.join(missing)} missing"
            if missing
            else f"{odd[0]} as {schema.field(odd[0]).type}",
            expected="every column, as numbers, and the time as whole numbers",
            do="Write the file with these columns.",
        )


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _find_periods(files: list[Path], time: str) -> tuple[int, int]:
    """Find the first and last period, from the statistics of the files where they have them."""
    ends = []
    for file in files:
        parquet = pq.ParquetFile(file)
        position = parquet.schema_arrow.get_field_index(time)
        for group in range(parquet.num_row_groups):
            told = parquet.metadata.row_group(group).column(position).statistics
            if not parquet.metadata.row_group(group).num_rows:
                continue
            if told is not None and told.has_min_max:
                ends += [told.min, told.max]
            else:
                found = pc.min_max(parquet.read_row_group(group, columns=[time]).column(0))
                ends += [found["min"].as_py(), found["max"].as_py()]
    return min(ends), max(ends)


def _check_ends(files: list[Path], entity: str) -> None:
    """Refuse an entity at the end of one file that goes on in another."""
    seen: dict[object, str] = {}
    for file in files:
        parquet = pq.ParquetFile(file)
        groups = [
            n for n in range(parquet.num_row_groups) if parquet.metadata.row_group(n).num_rows
        ]
        first = parquet.read_row_group(groups[0], columns=[entity]).column(0)
        last = parquet.read_row_group(groups[-1], columns=[entity]).column(0)
        for name in {first[0].as_py(), last[-1].as_py()}:
            if name in seen:
                raise ModelError(
                    file.name,
                    seen=f"an {entity} that is in {seen[name]} as well",
                    expected=f"all rows of an {entity} in one file",
                    do=f"Partition the files by {entity}.",
                )
            seen[name] = file.name


def _check_periods(plan: _Plan, sums: _Sums) -> None:
    single = np.flatnonzero(sums.by_period == 1)
    if len(single):
        raise ModelError(
            f"estimate_streamed, {plan.time}",
            seen=f"a single row in {plan.low + int(single[0])}",
            expected="periods with more than one row, because a lone one carries nothing",
            do="Leave this period out when you write the files.",
        )


def _refuse(plan: _Plan, gone: list[str]) -> ModelError:
    seen = (
        f"nothing left of {', '.join(gone)} once the effects are taken out"
        if gone
        else f"regressors of which one is nearly a combination of others ({', '.join(plan.regressors)})"
    )
    return ModelError(
        "estimate_streamed",
        seen=seen,
        expected="an outcome and regressors that vary within the effects",
        do="Take the regressor out.",
    )
