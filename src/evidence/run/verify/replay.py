"""Execute a study's records again with nbval, in a project of its own beside the good results.

The project is ``reports/internal/<slug>/verifying``: the study's files copied, its data
linked. So every record runs as it stands, and what it writes lands there.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import nbformat

from evidence.errors import RunError
from evidence.neck import Neck, join_necks, save_neck
from evidence.run.history import read_manifest
from evidence.run.inputs import hash_json, list_environment
from evidence.run.notebook import load_notebook
from evidence.run.processor import describe_processor
from evidence.run.runner import _lock
from evidence.run.verify.cells import KEPT, RECORD, execute_cells
from evidence.run.verify.compare import Comparison, compare_bytes, compare_texts
from evidence.study import Study, load_study

RECORDS = "records"
"""Where a replication kit keeps the records of the run that it proves."""

_HEADING = ("# ", "## ", "### ")
_PARAMETERS = "parameters"


@dataclass(frozen=True, slots=True)
class Replay:
    """A run done again: the study in its own project, its neck, what differs from before."""

    study: Study
    neck: Neck
    comparisons: tuple[Comparison, ...]


def find_records(study: Study) -> Path:
    """Find the records to compare with: a kit's where there are, else those of the last run.

    Raises
    ------
    RunError
        Where the study was never run.
    """
    for folder in (study.root / RECORDS, study.internal):
        with contextlib.suppress(OSError, ValueError, KeyError):
            if read_manifest(folder)["study"] == study.slug and (folder / "cases").is_dir():
                return folder
    raise RunError(
        study.slug,
        seen="no finished run",
        expected="one, with its manifest.json and executed notebooks",
        do=f"Run it first: evidence run {study.path.name}.",
    )


def is_same_place(study: Study, records: Path) -> bool:
    """Tell whether the records, and a kit's, were made with this lock, on such a processor."""
    folders = {records, study.root / RECORDS}
    found = [read_manifest(f) for f in folders if (f / "manifest.json").is_file()]
    here = hash_json(list_environment()), describe_processor()
    return all((told["lock"], told.get("processor")) == here for told in found)


@contextlib.contextmanager
def replay(
    study: Study,
    records: Path,
    tolerance: float | None,
    *,
    workers: int = 1,
    tell: Callable[[str], None] = lambda line: None,
) -> Iterator[Replay]:
    """Execute every record of a study again; what it wrote is gone when the context ends.

    Parameters
    ----------
    records : Path
        The folder that ``find_records`` gave.
    tolerance : float or None
        As for ``compare_texts``.
    workers : int
        Notebooks at the same time.
    tell : callable
        Called with the name of each record that has been compared.

    Raises
    ------
    RunError
        Where a record is missing, or its notebook did not come to its end: the comparison
        would not be one. The cell is named.
    """
    study.internal.mkdir(parents=True, exist_ok=True)
    study.internal.chmod(0o700)
    place = study.internal / "verifying"
    with _lock(study):
        try:
            shutil.rmtree(place, ignore_errors=True)
            again = _build_project(study, place)
            runs = read_manifest(records)["runs"]
            with ThreadPoolExecutor(max(1, workers)) as pool:
                found = pool.map(lambda run: _replay_record(again, records, run, tolerance), runs)
                comparisons = []
                for run, cells in zip(runs, found, strict=True):
                    comparisons += cells
                    tell(f"{run['notebook']} · {run['case']}")
            _refuse_unfinished(again, runs, comparisons)
            neck, tables = _compare_necks(again, records, runs, tolerance)
            yield Replay(again, neck, (*comparisons, *tables))
        finally:
            shutil.rmtree(place, ignore_errors=True)


def _build_project(study: Study, place: Path) -> Study:
    place.mkdir(mode=0o700)
    ignored = shutil.ignore_patterns(".ipynb_checkpoints")
    shutil.copytree(study.root / "notebooks", place / "notebooks", ignore=ignored)
    (place / "data").symlink_to(study.root / "data", target_is_directory=True)
    return load_study(place / study.path.relative_to(study.root))


def _replay_record(
    study: Study, records: Path, run: dict[str, Any], tolerance: float | None
) -> list[Comparison]:
    """Execute one record again and compare its cells with it."""
    stored = _read_record(study, records, run)
    folder = study.root / "replayed" / run["case"] / run["notebook"]
    folder.mkdir(parents=True)
    (study.root / run["parameters"]["output"]).mkdir(parents=True, exist_ok=True)
    nbformat.write(stored, folder / RECORD)
    # A process of its own: pytest is run once a process, and its kernel inherits its environment.
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        code = pool.submit(execute_cells, folder, study.root).result()
    try:
        seen = json.loads((folder / KEPT).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(
            f"{run['notebook']}.ipynb ({run['case']})",
            seen=f"nbval ended with code {code}, before the first cell",
            expected="a record that runs",
            do="Run the study again, and look at its notebook.",
        ) from error
    name = f"{run['case']}/{run['notebook']}.ipynb"
    return list(_compare_cells(study, run["notebook"], name, stored, seen, tolerance))


def _read_record(study: Study, records: Path, run: dict[str, Any]) -> Any:
    path = records / "cases" / run["case"] / run["notebook"] / f"{run['notebook']}.ipynb"
    try:
        return nbformat.read(path, as_version=4)
    except Exception as error:
        raise RunError(
            f"{run['case']}/{path.name}",
            seen="no record, or one that is no notebook",
            expected="the executed notebook of a finished run",
            do=f"Run it again: evidence run {study.path.name}.",
        ) from error


def _compare_cells(
    study: Study,
    notebook: str,
    name: str,
    stored: Any,
    seen: dict[str, Any],
    tolerance: float | None,
) -> Iterator[Comparison]:
    """Compare a record cell by cell: with the notebook's source, then with what came."""
    sources = load_notebook(study.root / "notebooks" / f"{notebook}.ipynb").cells
    own = {cell.id: cell.source for cell in sources}
    injected = _find_injected(stored)
    section = ""
    for cell in stored.cells:
        if cell.cell_type == "markdown":
            headings = [x for x in cell.source.splitlines() if x.startswith(_HEADING)]
            section = headings[-1].lstrip("# ") if headings else section
        place = Comparison(name, cell.id, section)
        source = own.get(cell.id, "no such cell in the notebook")
        if cell.id != injected and source != cell.source:
            yield compare_texts(place, cell.source, source, None)
        elif cell.cell_type == "code":
            yield _compare_outputs(place, cell, seen.get(cell.id), tolerance)
    lost = [cell.id for cell in sources if cell.id not in {c.id for c in stored.cells}]
    for cell_id in lost:
        yield Comparison(name, cell_id, verdict="different", was="no such cell in the record")


def _find_injected(stored: Any) -> str:
    """Find the cell that holds the run's parameters: it stands behind the declared ones."""
    ids = [cell.id for cell in stored.cells]
    declared = [c.id for c in stored.cells if _PARAMETERS in c.metadata.get("tags", [])]
    return str(ids[ids.index(declared[0]) + 1]) if declared else ""


def _compare_outputs(
    place: Comparison, cell: Any, seen: dict[str, Any] | None, tolerance: float | None
) -> Comparison:
    if seen is None or seen["error"]:
        error = seen["error"] if seen else "a cell that never ran"
        return Comparison(
            place.file, place.cell, place.section, "different", "a cell without an error", error
        )
    was, came = _list_outputs(cell.outputs), _list_outputs(seen["outputs"])
    found = [
        compare_texts(place, was.get(key, "no output"), came.get(key, "no output"), tolerance)
        for key in dict.fromkeys((*was, *came))
    ]
    return max(found, key=_rank, default=place)


def _rank(comparison: Comparison) -> tuple[int, float]:
    order = ("reproduced", "close", "different").index(comparison.verdict)
    return order, float("inf") if comparison.relative is None else comparison.relative


def _list_outputs(outputs: list[Any]) -> dict[str, str]:
    """List the texts of a cell's outputs; what was said on stderr is no result."""
    texts: dict[str, str] = {}
    shown = [output for output in outputs if output.get("name") != "stderr"]
    printed = "".join(_join(o["text"]) for o in shown if o["output_type"] == "stream")
    if printed:
        texts["printed"] = printed
    for number, output in enumerate(o for o in shown if "data" in o):
        texts |= {f"{number} {kind}": _join(data) for kind, data in output["data"].items()}
    return texts


def _join(data: Any) -> str:
    if isinstance(data, list):
        data = "".join(data)
    return data if isinstance(data, str) else json.dumps(data, sort_keys=True)


def _refuse_unfinished(
    study: Study, runs: list[dict[str, Any]], comparisons: list[Comparison]
) -> None:
    """Refuse to go on where a notebook left no neck: there is nothing to compare."""
    for run in runs:
        folder = study.root / run["parameters"]["output"]
        if (folder / "protected.json").is_file():
            continue
        bad = [c for c in comparisons if c.verdict == "different"]
        bad = [c for c in bad if c.file == f"{run['case']}/{run['notebook']}.ipynb"] or bad
        where = f"{bad[0].file}: cell '{bad[0].cell}'" if bad else run["notebook"]
        raise RunError(
            where,
            seen=bad[0].came if bad else "no results",
            expected="a notebook that comes to its end",
            do="Not reproduced. Compare data, notebook and lock with those of the record.",
        )


def _compare_necks(
    study: Study, records: Path, runs: list[dict[str, Any]], tolerance: float | None
) -> tuple[Neck, list[Comparison]]:
    """Put what came where results lie, join it, and compare the files of both."""
    found = []
    for run in runs:
        case = Path("cases") / run["case"] / run["notebook"]
        (study.internal / case).parent.mkdir(parents=True, exist_ok=True)
        os.replace(study.root / run["parameters"]["output"], study.internal / case)
        told = json.loads((records / case / "run.json").read_text(encoding="utf-8"))["files"]
        names = [name for name in told if not name.endswith(".ipynb")]
        found += [_compare_file(study, records, case / name, tolerance) for name in names]
    home = study.internal / "cases"
    neck = join_necks([home / run["case"] / run["notebook"] for run in runs])
    save_neck(neck, study.internal)
    joined = read_manifest(records)["files"]
    found += [_compare_file(study, records, Path(name), tolerance) for name in joined]
    return neck, found


def _compare_file(study: Study, records: Path, name: Path, tolerance: float | None) -> Comparison:
    was, came = (
        path.read_bytes() if path.is_file() else None
        for path in (records / name, study.internal / name)
    )
    return compare_bytes(Comparison(name.as_posix()), was, came, tolerance)
