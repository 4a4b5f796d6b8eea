"""Every published number stands in the run's own tables, or the gate stays shut."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from evidence.errors import DisclosureError
from evidence.exhibits import Exhibit, label_cell, list_places
from evidence.findings import agrees, compare_cases
from evidence.neck import Neck
from evidence.study import Study


def check_agreement(neck: Neck, study: Study) -> None:
    """Check that findings say what estimates say, and exhibits what findings say.

    Raises
    ------
    DisclosureError
        Naming the finding or exhibit that says something else.
    """
    stated = [entry for entry in neck.findings if entry["kind"] == "finding"]
    for entry in stated:
        if not agrees(entry, neck.estimates, study):
            raise _disagreement(f"finding '{entry['id']}'", "estimates.csv", study)
    compared = [entry for entry in neck.findings if entry["kind"] == "comparison"]
    if compared and compared != compare_cases(stated):
        raise _disagreement("comparison of cases", "findings.json", study)
    findings = {entry["id"]: entry for entry in stated}
    for exhibit in neck.exhibits:
        if exhibit.specification["kind"] == "cells":
            _check_cells(exhibit, neck, study)
            continue
        for row in exhibit.rows:
            finding = findings.get(row["finding"])
            if finding is None or not _shows(row, finding):
                raise _disagreement(f"exhibit '{exhibit.id}'", "findings.json", study)


def _check_cells(exhibit: Exhibit, neck: Neck, study: Study) -> None:
    """Check that a table's counts are those of the units that the run wrote down."""
    units = neck.protected["units"]
    statistic = exhibit.specification["statistic"]
    for place, row in zip(list_places(exhibit), exhibit.rows, strict=True):
        names = units.get(f"{exhibit.id}/{label_cell(place)}")
        told = row["contributors"]
        same = names is not None and (len(names) == told if not pd.isna(told) else not names)
        if not same or (statistic == "count" and not _equal(row["value"], float(len(names or ())))):
            raise _disagreement(f"exhibit '{exhibit.id}'", "protected.json", study)


def _shows(row: dict[str, Any], finding: dict[str, Any]) -> bool:
    same = {"finding": "id", "reference": "true_effect"}
    return all(_equal(value, finding[same.get(name, name)]) for name, value in row.items())


def _equal(one: Any, other: Any) -> bool:
    if pd.isna(one) or pd.isna(other):
        return bool(pd.isna(one) and pd.isna(other))
    if isinstance(one, float):
        return math.isclose(one, other, rel_tol=1e-12, abs_tol=1e-15)
    return bool(one == other)


def _disagreement(where: str, file: str, study: Study) -> DisclosureError:
    return DisclosureError(
        f"{study.slug}: {where}",
        seen=f"numbers that {file} does not hold",
        expected="the numbers of the run",
        do=f"Run the study again; somebody or something has changed {file}.",
    )
