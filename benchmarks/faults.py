"""The faults of tests/test_faults.py, done to stock papermill and to ``evidence run``.

    python benchmarks/faults.py              # all of them, some ten minutes on two cores
    python benchmarks/faults.py cell_raises  # some, by name

A small project has an earlier good run: an executed notebook and a folder of results. Its data
change, a fault is injected, and it runs again onto the same output. Told are the exit status (none
where it did not end within a minute) and whether what was there before is still there, byte for
byte. Papermill is called as a command, with parameters only. Left out are faults of what it does
not have: a plan, kept results, a warm process.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SECONDS = 60.0
ENDED = {
    "test_command_is_interrupted": signal.SIGINT,
    "test_command_is_killed_while_a_cell_runs": signal.SIGKILL,
    "test_command_is_told_to_end": signal.SIGTERM,
}
OURS_ALONE = {
    "notebook_is_saved_after_the_plan", "study_runs_already", "study_file_has_an_unknown_key",
    "kept_hashes_of_rows_are_damaged", "manifest_of_a_kept_run_is_damaged", "warm_process_dies",
    "leftovers_of_a_run", "folder_for_sockets_is_open_to_others", "clock_went_back",
    "folder_for_sockets_is_too_deep", "writes_where_another_case_lies",
}  # fmt: skip
OURS = "import sys; from evidence.cli import main; main(['run', sys.argv[1]])"


@dataclass(frozen=True)
class Side:
    """One way to run the notebook of a project: its command, and what it must not cost."""

    command: Callable[[Path], list[str]]
    kept: Callable[[Path], dict[str, bytes]]


def call_papermill(root: Path) -> list[str]:
    """Return the command that runs the notebook of one case with papermill."""
    given = {"study": "two", "output": "reports/stock", "seed": "1", "country": "KHM"}
    parameters = [word for name, value in given.items() for word in ("-p", name, value)]
    paths = [str(root / "notebooks/two.ipynb"), str(root / "reports/out.ipynb")]
    return [sys.executable, "-m", "papermill", "--no-progress-bar", *paths, *parameters]


def call_ours(root: Path) -> list[str]:
    """Return the command that runs the study."""
    return [sys.executable, "-c", OURS, str(root / "notebooks/studies/two.toml")]


def read_stock(root: Path) -> dict[str, bytes]:
    """Read papermill's executed notebook and what its cells wrote."""
    paths = [root / "reports/out.ipynb", *sorted((root / "reports/stock").rglob("*"))]
    return {str(path.relative_to(root)): path.read_bytes() for path in paths if path.is_file()}


def read_ours(root: Path) -> dict[str, bytes]:
    """Read our results: those that are joined, kept and published, and those of single cases."""
    faults = importlib.import_module("faults")
    results = faults.Scene(root, root, pytest.MonkeyPatch()).results()
    return {n: b for n, b in results.items() if not n.startswith(("stock", "out"))}


SIDES = {"papermill": Side(call_papermill, read_stock), "ours": Side(call_ours, read_ours)}


def start(command: list[str], root: Path) -> subprocess.Popen[bytes]:
    """Start a command in a project."""
    paths = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths, "EVIDENCE_ROOT": str(root)}
    none = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=root, env=environment, stdout=none, stderr=none)


def wait(process: subprocess.Popen[bytes]) -> int | None:
    """Wait for a command; return its status, or none where it does not end."""
    try:
        return process.wait(SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


def run(command: list[str], root: Path, number: int = 0) -> int | None:
    """Run a command; send it a signal once its notebook runs; return its status."""
    process = start(command, root)
    note, until = root / "kernel", time.monotonic() + SECONDS
    while number and not note.exists() and time.monotonic() < until:
        time.sleep(0.1)
    if number:
        process.send_signal(number)
    return wait(process)


@contextlib.contextmanager
def full_disk(root: Path) -> Iterator[None]:
    """Put the reports of a project on a disk without room."""
    reports, held = root / "reports", root / "held"
    reports.rename(held)
    reports.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(reports)], check=True)
    try:
        shutil.copytree(held, reports, dirs_exist_ok=True)
        with contextlib.suppress(OSError), (reports / "filler").open("wb", 0) as file:
            while True:
                file.write(b"x" * 4096)
        yield
    finally:
        subprocess.run(["umount", str(reports)], check=True)


def strike(name: str, found: Any, side: Side, base: Path, place: Path) -> tuple[int | None, bool]:
    """Strike one side with a fault; return its status, and whether earlier results stayed."""
    faults = importlib.import_module("faults")
    root = place / found.root
    shutil.copytree(base, root)
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as held:
        scene = faults.Scene(root, base, patch, held)
        scene.change()
        if name == "test_disk_is_full":
            held.enter_context(full_disk(root))
        elif name in ENDED:
            note = root / "kernel"
            scene.put(f"open({str(note)!r}, 'w').close()", "import time; time.sleep(50)")
        elif found.ending != "alone":
            found.inject(scene)
        before = _keep(side.kept(root), found)
        if name == "test_two_run_onto_one_notebook":
            scene.put("import time; time.sleep(5)")
            both = [start(side.command(root), root) for _ in range(2)]
            codes = [wait(process) for process in both]
            code = max(codes, key=bool)
            # Where both count as success, the result of one is gone without a word.
            return code, bool(code)
        code = run(side.command(root), root, ENDED.get(name, 0))
        return code, _keep(side.kept(root), found) == before


def _keep(results: dict[str, bytes], found: Any) -> dict[str, bytes]:
    """Leave out results of cases that the fault itself lets change."""
    return {n: b for n, b in results.items() if found.deep or "/cases/" not in n}


def tell(code: int | None, *, stayed: bool, harmless: bool) -> str:
    """Tell how it ended in a few words."""
    if harmless:
        return "completes" if code == 0 else "stops"
    noticed = {0: "**taken for success**", None: "no end within a minute"}.get(code, "noticed")
    return f"{noticed}, earlier results {'kept' if stayed else '**lost**'}"


def main() -> None:
    # Who is started in the background ignores Ctrl-C, and so would all that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.path.insert(0, str(ROOT / "tests"))
    faults = importlib.import_module("faults")
    importlib.import_module("test_faults")
    done = {n: f for n, f in faults.FAULTS.items() if f.ending in {"stops", "unharmed"}}
    alone = [*ENDED, "test_disk_is_full", "test_two_run_onto_one_notebook"]
    done |= {name: faults.FAULTS[name] for name in alone}
    asked = sys.argv[1:] or [name for name in done if name not in OURS_ALONE]
    counts = {side: dict.fromkeys(("success", "lost", "struck"), 0) for side in SIDES}
    with tempfile.TemporaryDirectory(prefix="ev-") as folder:
        os.environ |= {"XDG_RUNTIME_DIR": folder}
        base = Path(folder) / "base"
        faults.write_project(base)
        for side in SIDES.values():
            if run(side.command(base), base):
                sys.exit("the project does not run")
        print("| fault | papermill | ours |\n|---|---|---|")
        for place, name in enumerate(asked):
            found, cells = done[name], []
            for title, side in SIDES.items():
                with tempfile.TemporaryDirectory(dir=folder, prefix=f"{place}-") as own:
                    code, stayed = strike(name, found, side, base, Path(own))
                harmless = found.ending == "unharmed"
                cells.append(tell(code, stayed=stayed, harmless=harmless))
                count = counts[title]
                count["struck"] += not harmless
                count["success"] += not harmless and code == 0
                count["lost"] += not harmless and not stayed
            print(f"| {found.what} | {' | '.join(cells)} |", flush=True)
    for title, count in counts.items():
        print(
            f"{title}: of {count['struck']} faults {count['success']} were taken for success, "
            f"{count['lost']} cost earlier results"
        )


if __name__ == "__main__":
    main()
