"""Join what a study's jobs gave into one neck, with its manifest."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import shutil
from datetime import UTC, datetime
from typing import Any

from evidence.files import replace_files
from evidence.neck import STALE, check_schema, join_necks, lay_out_neck, make_private
from evidence.run.execute import as_json
from evidence.run.inputs import sha256
from evidence.run.plan import Job, hash_data
from evidence.run.processor import describe_processor
from evidence.study import Study

_SHOWN_VERSIONS = ("evidence", "linearmodels", "numpy", "pandas", "papermill", "statsmodels")
_IN_A_RUN = {"files", "pieces", "processor"}
"""What only the case's own ``run.json`` holds."""


def join_results(study: Study, jobs: tuple[Job, ...], seed: int) -> None:
    """Join and save the necks of a study's jobs; its manifest gets its place last.

    The plan has just held each job's files to their hashes.

    Raises
    ------
    NeckError
        Where a result is absent or breaks its schema; nothing is joined then.
    """
    neck = join_necks([job.folder for job in jobs])
    files = lay_out_neck(neck, study.slug)
    shutil.rmtree(study.internal / "running", ignore_errors=True)
    shutil.rmtree(study.internal / "failed", ignore_errors=True)
    runs = [json.loads((job.folder / "run.json").read_text(encoding="utf-8")) for job in jobs]
    shown = [{key: value for key, value in run.items() if key not in _IN_A_RUN} for run in runs]
    document = {
        "schema_version": 1,
        "study": study.slug,
        "case_count": len(study.cases),
        "left_out": list(study.left_out),
        "runs": shown,
        "data": hash_data(study, seed),
        "code": jobs[0].parts["code"],
        "lock": jobs[0].parts["environment"],
        "versions": {name: importlib.metadata.version(name) for name in _SHOWN_VERSIONS}
        | {"python": platform.python_version()},
        "processor": _name_processors(runs),
        "seed": seed,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "verdict": "complete",
        "files": {name: sha256(payload) for name, payload in files.items()},
    }
    check_schema(document, "manifest", f"{study.slug}/manifest.json")
    make_private(study.internal)
    replace_files(study.internal, {**files, "manifest.json": as_json(document)}, STALE)


def _name_processors(runs: list[dict[str, Any]]) -> dict[str, str]:
    """Name the processor that runs were computed on, or each that took part."""
    here = describe_processor()
    told = [run.get("processor", here) for run in runs]
    return {key: "; ".join(sorted({one[key] for one in told})) for key in here}
