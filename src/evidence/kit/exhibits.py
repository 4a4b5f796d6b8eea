"""Which program makes what a reader sees: exhibit and finding → notebook and cell."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from evidence.disclosure import Cleared
from evidence.run import find_cells, load_notebook

_FITS, _STATES = "fit_specifications", "state"
_MAKES = re.compile(r"(?m)^[^#\n]*\b(?:figure|table)_(\w+)\s*\(")
_DRAWN = re.compile(r"drawn_as\s*=\s*[\"'](\w+)[\"']")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the map: what is shown, where, and the cells that make it.

    ``shown`` is a public file with the anchor of its trail, ``file`` and ``row`` say where its
    numbers stand in the run's tables; ``cells`` are ids, in the order of the notebook.
    """

    kind: str
    id: str
    shown: str
    file: str
    row: str
    notebook: str
    cells: str


def map_exhibits(cleared: Cleared) -> tuple[Line, ...]:
    """Map each finding and exhibit of a study to the notebook cells that make it."""
    study = cleared.study
    page = f"reports/public/{study.slug}/brief.{study.brief.languages[0]}.html"
    lines = []
    for entry in cleared.neck.findings:
        if entry["kind"] != "finding":
            continue
        row = entry["rows"][0]
        notebook = study.specification(row["specification"]).notebook
        shown = f"{page}#trail-{entry['id']}"
        told = f"{entry['case']} / {row['specification']} / {row['term']}"
        cells = _find(study.root, notebook, _FITS) + _find(study.root, notebook, _STATES)
        lines.append(_line("finding", entry["id"], shown, "estimates.csv", told, notebook, cells))
    for exhibit in cleared.neck.exhibits:
        for notebook in study.notebooks:
            cells = _find_maker(study.root, notebook, exhibit.id)
            file = f"exhibits/{exhibit.id}.csv"
            if cells:
                lines.append(_line("exhibit", exhibit.id, page, file, "", notebook, cells))
    return tuple(lines)


def as_csv(lines: Iterable[Line]) -> bytes:
    """Write the map as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [f.name for f in fields(Line)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(line) for line in lines)
    return text.getvalue().encode("utf-8")


def _line(
    kind: str, name: str, shown: str, file: str, row: str, notebook: str, cells: list[str]
) -> Line:
    return Line(kind, name, shown, file, row, f"notebooks/{notebook}.ipynb", " ".join(cells))


def _find(root: Path, notebook: str, verb: str) -> list[str]:
    return find_cells(root / "notebooks" / f"{notebook}.ipynb", verb)


def _find_maker(root: Path, notebook: str, exhibit: str) -> list[str]:
    """Find the cells whose ``figure_*`` or ``table_*`` call makes an exhibit of this id."""
    made = [
        cell_id
        for cell_id, source in _code(root, notebook)
        if exhibit in {*_MAKES.findall(source), *_DRAWN.findall(source)}
    ]
    return made or [i for i, source in _code(root, notebook) if _names(source, exhibit)]


def _names(source: str, exhibit: str) -> bool:
    return bool(_MAKES.search(source)) and f'"{exhibit}"' in source


def _code(root: Path, notebook: str) -> list[tuple[str, str]]:
    cells = load_notebook(root / "notebooks" / f"{notebook}.ipynb").cells
    return [(cell.id, cell.source) for cell in cells if cell.cell_type == "code"]
