"""A pytest plugin beside nbval: keep what each cell of a notebook gave when it ran again.

nbval executes the cells and raises where one fails. Its own comparison leaves pictures out and
knows no tolerance, so ``replay`` compares what is kept here.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evidence.run.kernels.client import FIXED
from evidence.run.kernels.engine import clean_environment

RECORD = "record.ipynb"
KEPT = "cells.json"
_TIMEOUT_SECONDS = 1800
_CELLS = pytest.StashKey[dict[str, Any]]()
_DIFFERS = "Cell outputs differ"


def execute_cells(folder: Path, root: Path) -> int:
    """Execute ``record.ipynb`` of a folder with nbval; ``cells.json`` has what came of it.

    For a process of its own: this changes into the folder, and takes the environment that a
    run's kernels get, for the project at ``root``.

    Returns
    -------
    int
        pytest's exit code.
    """
    package = Path(__file__).parents[3]
    others = [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
    paths = [str(package), *(str(Path(p).absolute()) for p in others)]
    own = clean_environment({"EVIDENCE_ROOT": str(root), "MPLBACKEND": "agg", **FIXED})
    os.environ.clear()
    os.environ.update(own, PYTHONPATH=os.pathsep.join(paths), PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    os.chdir(folder)
    Path("pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    plugins = ("nbval.plugin", __name__, "no:cacheprovider")
    named = [word for plugin in plugins for word in ("-p", plugin)]
    limit = f"--nbval-cell-timeout={_TIMEOUT_SECONDS}"
    flags = ["-q", "-c", "pytest.ini", "--rootdir", ".", "--nbval", "--nbval-current-env", limit]
    with contextlib.redirect_stdout(io.StringIO()):
        return int(pytest.main([*flags, *named, RECORD]))


def pytest_configure(config: pytest.Config) -> None:
    """Make room for what the cells give."""
    config.stash[_CELLS] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: Any, call: pytest.CallInfo[None]) -> Iterator[Any]:
    """Keep outputs and error of a cell of which setup or call has ended."""
    report = yield
    seen = item.config.stash[_CELLS].setdefault(item.cell.id, {"outputs": [], "error": ""})
    if call.when == "call":
        seen["outputs"] = item.test_outputs or []
    if call.excinfo is not None and str(call.excinfo.value) != _DIFFERS:
        seen["error"] = _tell(call.excinfo.value, seen["outputs"])
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write what was kept beside the notebook."""
    text = json.dumps(session.config.stash[_CELLS], ensure_ascii=False)
    Path(session.config.rootpath, KEPT).write_text(text, encoding="utf-8")


def _tell(error: BaseException, outputs: list[Any]) -> str:
    raised = [f"{o['ename']}: {o['evalue']}" for o in outputs if o["output_type"] == "error"]
    return (raised or [str(error) or type(error).__name__])[0]
