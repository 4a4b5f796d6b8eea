"""Every published number stands in the run's own tables, or the gate stays shut."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from evidence.errors import DisclosureError
from evidence.exhibits import Exhibit, label_cell, lay_forest, lay_numbers, list_places
from evidence.findings import agrees, compare_cases
from evidence.neck import Neck
from evidence.sources import Record, load_record
from evidence.study import Study

_OPENNESS = ("restricted", "simulated", "public")

PUBLIC = frozenset({"cells", "coefficients", "findings", "forest", "path"})
"""Kinds of exhibit that may be cleared; all others stay in the house."""


def check_agreement(neck: Neck, study: Study) -> None:
    """Check that findings say what estimates say, and exhibits what findings say.

    A neck may be kept closer than its sources' records ask, never more open; a table of
    findings shows all of them, each once.

    Raises
    ------
    DisclosureError
        Naming the finding, the exhibit or the file that says something else.
    """
    stated = [entry for entry in neck.findings if entry["kind"] == "finding"]
    _check_records(neck, stated, study)
    _check_findings(neck, stated, study)
    findings = {entry["id"]: entry for entry in stated}
    for exhibit in neck.exhibits:
        kind = exhibit.specification["kind"]
        if kind not in PUBLIC:
            raise _confidential(exhibit)
        if kind == "cells":
            _check_cells(exhibit, neck, study)
        elif kind == "path":
            _check_path(exhibit, neck, study)
        elif kind == "forest":
            _check_forest(exhibit, neck, study)
        elif not _agrees(exhibit, findings):
            raise _disagreement(f"exhibit '{exhibit.id}'", "findings.json", study)


def _check_findings(neck: Neck, stated: list[dict[str, Any]], study: Study) -> None:
    for entry in stated:
        if not agrees(entry, neck.estimates, study):
            raise _disagreement(f"finding '{entry['id']}'", "estimates.csv", study)
    compared = [entry for entry in neck.findings if entry["kind"] == "comparison"]
    if compared != compare_cases(stated):
        raise _disagreement("comparison of cases", "findings.json", study)
    if len({entry["id"] for entry in stated}) < len(stated):
        raise _disagreement("a finding that stands twice", "estimates.csv", study)


def _check_records(neck: Neck, stated: list[dict[str, Any]], study: Study) -> None:
    """Check that data are called what their records say: no more open, and no more real."""
    records = [load_record(study.root, source) for source in study.data.sources]
    strictest = min(records, key=lambda record: _OPENNESS.index(record.confidentiality))
    told = str(neck.protected["confidentiality"])
    if _OPENNESS.index(told) > _OPENNESS.index(strictest.confidentiality):
        raise _mistaken(study, f"data called '{told}'", strictest)
    if neck.protected["protected_unit"] != strictest.protected_unit:
        raise _mistaken(study, "another protected unit", strictest)
    cited = {record.id: record.citation for record in records}
    if not neck.protected["citations"].items() <= cited.items():
        raise _mistaken(study, "another citation", strictest)
    simulated = next((r for r in records if r.confidentiality == "simulated"), None)
    if simulated is not None and not all(entry["simulated"] for entry in stated):
        raise _mistaken(study, "a finding on simulated data that does not say so", simulated)


def _agrees(exhibit: Exhibit, findings: dict[str, dict[str, Any]]) -> bool:
    """Tell whether an exhibit shows what its findings say, and a table leaves none out."""
    asked, shown = exhibit.specification, list(exhibit.data["finding"])
    if not set(shown) <= findings.keys():
        return False
    levels = {findings[name]["conf_level"] for name in shown}
    alike = all(_equal(asked["conf_level"], level) for level in levels)
    told = all(_shows(row, findings[row["finding"]]) for row in exhibit.rows)
    return alike and told and (asked["kind"] != "findings" or sorted(shown) == sorted(findings))


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


def _check_path(exhibit: Exhibit, neck: Neck, study: Study) -> None:
    """Check that a path shows what its estimates say, all of it, in natural units."""
    units, table = neck.protected["units"], neck.estimates
    where = f"exhibit '{exhibit.id}'"
    for (case, name), steps in exhibit.data.groupby(["case", "specification"]):
        own = table[(table["case"] == case) & (table["specification"] == name)]
        told = own[own["term"].str.contains(" event ", regex=False) & own["estimate"].notna()]
        if sorted(steps["term"]) != sorted(told["term"]):
            raise _disagreement(where, "estimates.csv", study)
    for row in exhibit.rows:
        same = table[(table[_PLACE] == [row[name] for name in _PLACE]).all(axis=1)]
        expected = [lay_numbers(step) for step in same.to_dict("records")]
        shown = {name: row[name] for name in ("unit", "estimate", "conf_low", "conf_high")}
        if len(expected) != 1 or not all(_equal(v, expected[0][k]) for k, v in shown.items()):
            raise _disagreement(where, "estimates.csv", study)
        names = units.get("/".join(row[name] for name in _PLACE))
        told_count = None if pd.isna(row["contributors"]) else row["contributors"]
        if told_count != (None if names is None else len(names)):
            raise _disagreement(where, "protected.json", study)


def _check_forest(exhibit: Exhibit, neck: Neck, study: Study) -> None:
    """Check that a forest is what its estimates give, of each specification all of it."""
    units, table = neck.protected["units"], neck.estimates
    where = f"exhibit '{exhibit.id}'"
    for (case, name), shown in exhibit.data.groupby(["case", "specification"]):
        own = table[(table["case"] == case) & (table["specification"] == name)]
        expected = lay_forest(own, study.specification(str(name)))
        rows = shown.to_dict("records")
        if len(rows) != len(expected) or not all(map(_holds, rows, expected)):
            raise _disagreement(where, "estimates.csv", study)
        for row in rows:
            names = units.get("/".join(row[key] for key in _PLACE))
            most = units.get(f"{case}/{name}", ())
            told = 0 if pd.isna(row["contributors"]) else row["contributors"]
            if told > len(most) or (names is not None and told != len(names)):
                raise _disagreement(where, "protected.json", study)


def _holds(row: Mapping[Any, Any], expected: Mapping[str, Any]) -> bool:
    return all(_equal(row[name], value) for name, value in expected.items())


_PLACE = ["case", "specification", "term"]


def _shows(row: dict[str, Any], finding: dict[str, Any]) -> bool:
    same = {"finding": "id", "reference": "true_effect"}
    return all(_equal(value, finding[same.get(name, name)]) for name, value in row.items())


def _equal(one: Any, other: Any) -> bool:
    if pd.isna(one) or pd.isna(other):
        return bool(pd.isna(one) and pd.isna(other))
    if isinstance(one, float):
        return math.isclose(one, other, rel_tol=1e-12, abs_tol=1e-15)
    return bool(one == other)


def _confidential(exhibit: Exhibit) -> DisclosureError:
    kind = exhibit.specification["kind"]
    return DisclosureError(
        f"exhibit '{exhibit.id}'",
        seen=f"kind '{kind}', which stays in the house",
        expected=f"one of {', '.join(sorted(PUBLIC))}",
        do="Leave it out; what one factory may see of itself is written to internal/scorecards.",
    )


def _mistaken(study: Study, seen: str, record: Record) -> DisclosureError:
    return DisclosureError(
        f"{study.slug}: what the run wrote down of its data",
        seen=seen,
        expected=f"{record.confidentiality} data on a {record.protected_unit}, and the rest as "
        f"data/sources/{record.id}.toml says",
        do="Run the study again; somebody or something has changed its files.",
    )


def _disagreement(where: str, file: str, study: Study) -> DisclosureError:
    return DisclosureError(
        f"{study.slug}: {where}",
        seen=f"numbers that {file} does not hold",
        expected="the numbers of the run",
        do=f"Run the study again; somebody or something has changed {file}.",
    )
