"""What does not fit in memory is estimated as what does: the same numbers from files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dask.distributed import LocalCluster

from evidence.errors import ModelError
from evidence.models import Design, Estimates, estimate_least_squares, estimate_streamed
from evidence.models.kernel import streaming

SAME = 1e-9
"""Relative; reason: the same sums in another order, in double precision."""

NAMES = ["x", "z"]


def _simulate(factories: int = 60, *, seed: int = 0) -> pd.DataFrame:
    """Simulate an unbalanced panel with gaps and factories seen once."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        [(n, 2000 + t) for n in range(factories) for t in range(6) if rng.random() < 0.6],
        columns=["factory", "year"],
    )
    own = rng.normal(size=factories)[frame["factory"]]
    frame["x"] = own + rng.normal(size=len(frame))
    frame["z"] = rng.normal(size=len(frame)) + 0.1 * frame["year"]
    frame["y"] = 0.5 * frame["x"] - frame["z"] + own + rng.normal(size=len(frame))
    return frame


def _write(folder: Path, frame: pd.DataFrame, parts: int = 3, *, group: int = 1_000) -> list[Path]:
    """Write whole factories into each of ``parts`` files."""
    files = []
    for part in range(parts):
        own = frame[frame["factory"] % parts == part]
        files.append(folder / f"part-{part}.parquet")
        pq.write_table(pa.Table.from_pandas(own), files[-1], row_group_size=group)
    return files


def _stream(files: list[Path], **options: object) -> Estimates:
    asked: dict[str, object] = {"entity": "factory", "time": "year", **options}
    return estimate_streamed(files, "y", NAMES, **asked)  # type: ignore[arg-type]


def _in_memory(frame: pd.DataFrame, **options: object) -> Estimates:
    design = Design(frame["y"], frame[NAMES], frame[["factory", "year"]], frame["factory"])
    return estimate_least_squares(design, **options)  # type: ignore[arg-type]


def _same(one: Estimates, other: Estimates) -> None:
    assert one.coefficients == pytest.approx(other.coefficients, rel=SAME)
    assert one.std_errors == pytest.approx(other.std_errors, rel=SAME)
    assert (one.nobs, one.n_clusters, one.df) == (other.nobs, other.n_clusters, other.df)
    shares = [check.value for check in one.diagnostics]
    assert shares == pytest.approx([check.value for check in other.diagnostics], rel=SAME)


@pytest.mark.parametrize("convention", ["fixest", "stata", "linearmodels"])
def test_files_give_the_numbers_of_memory(tmp_path: Path, convention: str) -> None:
    frame = _simulate()
    _same(
        _stream(_write(tmp_path, frame), small_sample=convention),
        _in_memory(frame, small_sample=convention),
    )


@pytest.mark.parametrize("rows", [1, 2, 7, 64])
def test_an_entity_may_be_cut_by_the_reader_anywhere(
    tmp_path: Path, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = _simulate(20)
    monkeypatch.setattr(streaming, "BATCH_ROWS", rows)
    _same(_stream(_write(tmp_path, frame, 1, group=5)), _in_memory(frame))


def test_names_and_offsets_change_nothing(tmp_path: Path) -> None:
    frame = _simulate()
    named = frame.assign(factory=[f"f{number:03}" for number in frame["factory"]])
    moved = named.assign(x=named["x"] + 1e6)
    files = [tmp_path / "a.parquet"]
    moved.to_parquet(files[0])
    told, plain = _stream(files), _in_memory(frame)
    assert told.coefficients == pytest.approx(plain.coefficients, rel=1e-7)


def test_processes_and_a_dask_cluster_give_the_same_bits(tmp_path: Path) -> None:
    files = _write(tmp_path, _simulate())
    alone = _stream(files)
    with LocalCluster(
        n_workers=1, processes=False, protocol="tcp://", host="127.0.0.1", dashboard_address=None
    ) as cluster:
        on_dask = _stream(files, scheduler=cluster.scheduler_address)
    several = _stream(files, workers=2)
    for other in (on_dask, several):
        assert (other.coefficients == alone.coefficients).all()
        assert (other.covariance == alone.covariance).all()


def _refused(files: list[Path], match: str) -> None:
    with pytest.raises(ModelError, match=match):
        _stream(files)


def test_files_that_are_not_sorted_are_refused(tmp_path: Path) -> None:
    frame = _simulate().sample(frac=1, random_state=0)
    _refused(_write(tmp_path, frame), "not sorted")


def test_an_entity_in_two_files_is_refused(tmp_path: Path) -> None:
    frame = _simulate()
    own = frame["factory"].diff() == 0
    middle = int(own.to_numpy()[100:].argmax()) + 100
    assert frame["factory"].iloc[middle - 1] == frame["factory"].iloc[middle]
    files = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    frame[:middle].to_parquet(files[0])
    frame[middle:].to_parquet(files[1])
    _refused(files, "in a.parquet as well")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(tmp_path: Path, value: float) -> None:
    frame = _simulate()
    frame.loc[7, "x"] = value
    _refused(_write(tmp_path, frame), "missing or infinite")


def test_columns_that_are_missing_or_text_are_refused(tmp_path: Path) -> None:
    frame = _simulate()
    _refused(_write(tmp_path, frame.drop(columns="z")), "z missing")
    _refused(_write(tmp_path, frame.assign(z="1.0")), "z as large_string")
    _refused(_write(tmp_path, frame.assign(year=frame["year"] + 0.5)), "year as double")


def test_what_the_effects_absorb_is_refused_by_name(tmp_path: Path) -> None:
    frame = _simulate()
    _refused(_write(tmp_path, frame.assign(z=frame["factory"] * 1.0)), "nothing left of z")
    _refused(_write(tmp_path, frame.assign(z=2 * frame["x"])), "combination")


def test_a_period_of_one_row_is_refused(tmp_path: Path) -> None:
    frame = _simulate()
    frame = frame[(frame["year"] < 2005) | (frame["factory"] == frame["factory"].iloc[-1])]
    lone = pd.DataFrame({"factory": [59], "year": [2009], "x": [1.0], "z": [0.0], "y": [1.0]})
    _refused(_write(tmp_path, pd.concat([frame, lone])), "a single row in 20")


def test_no_file_is_refused(tmp_path: Path) -> None:
    _refused([], "none")
    _refused([tmp_path / "nowhere.parquet"], "no file that can be read as Parquet")
    text = tmp_path / "text.parquet"
    text.write_text("factory,year\n", encoding="utf-8")
    _refused([text], "no file that can be read as Parquet")


def test_files_without_rows_are_passed_over(tmp_path: Path) -> None:
    frame = _simulate()
    files = [*_write(tmp_path, frame), tmp_path / "a-none.parquet"]
    frame[:0].to_parquet(files[-1])
    _same(_stream(files), _in_memory(frame))
    _refused(files[-1:], "no row in any file")


def test_rows_without_a_period_are_refused(tmp_path: Path) -> None:
    frame = _simulate().astype({"year": "Int64"})
    frame.loc[5, "year"] = pd.NA
    _refused(_write(tmp_path, frame), "rows without factory or year")


def test_yes_and_no_are_numbers(tmp_path: Path) -> None:
    frame = _simulate()
    frame["z"] = frame["z"] > frame["z"].mean()
    _same(_stream(_write(tmp_path, frame.astype({"z": "boolean"}))), _in_memory(frame))
