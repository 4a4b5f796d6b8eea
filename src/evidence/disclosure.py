"""The gate: only what is ``Cleared`` may be published.

Contributor rules bind restricted data; the byte scan binds everything. Rules and
vocabulary follow ACRO's defaults (threshold 10).
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from evidence.errors import DisclosureError
from evidence.findings import in_natural_unit
from evidence.neck import Neck
from evidence.study import Study

_SEAL = object()
_DATA_URI = re.compile(rb"data:[a-z0-9.+/-]+;base64,([A-Za-z0-9+/=]+)")
_TRACES = (b"Traceback (most recent call last)", b"/site-packages/", b"/home/", b"/Users/")


@dataclass(frozen=True, slots=True)
class Cleared:
    """A neck that has passed the gate; ``clear`` is its only maker.

    ``sha256`` binds what was cleared, ``rules`` what it was cleared by.
    """

    study: Study
    neck: Neck
    rules: dict[str, int]
    sha256: str
    _seal: object

    def __post_init__(self) -> None:
        if self._seal is not _SEAL:
            raise DisclosureError(
                "Cleared",
                seen="an object made outside the gate",
                expected="disclosure.clear",
                do="Pass the neck through disclosure.clear.",
            )


def clear(neck: Neck, study: Study) -> Cleared:
    """Clear a neck for publication.

    Raises
    ------
    DisclosureError
        Where a table cell of restricted data has too few contributors, or a finding
        does not agree with the estimate that it stands on.
    """
    _check_agreement(neck, study)
    threshold = study.disclosure.threshold
    if neck.protected["confidentiality"] == "restricted":
        _check_contributors(neck, study, threshold)
    return Cleared(study, neck, {"threshold": threshold}, fingerprint(neck, study), _SEAL)


def fingerprint(neck: Neck, study: Study) -> str:
    """Hash what a clearance binds: findings, estimates, exhibits and the study."""
    digest = hashlib.sha256(study.sha256.encode())
    digest.update(json.dumps(neck.findings, sort_keys=True).encode())
    for frame in (neck.estimates, *(exhibit.data for exhibit in neck.exhibits)):
        digest.update(frame.to_csv(index=False, float_format="%.17g").encode())
    return digest.hexdigest()


def scan_bytes(payload: bytes, cleared: Cleared, name: str) -> None:
    """Scan the bytes of a public file, data URIs decoded.

    Raises
    ------
    DisclosureError
        Where an identifier, a path of this machine or a traceback stands in them.
    """
    for part in (payload, *_decoded(payload)):
        text = part.decode("utf-8", errors="replace")
        for identifier in cleared.neck.protected["identifiers"]:
            if identifier in text and re.search(
                rf"(?<![\w.]){re.escape(identifier)}(?![\w.]\w|\w)", text
            ):
                raise _leak(name, f"an identifier of a {cleared.neck.protected['protected_unit']}")
        traces = (*_TRACES, str(cleared.study.root).encode(), str(Path.home()).encode() + b"/")
        for trace in traces:
            if len(trace) > 2 and trace in part:
                raise _leak(name, "a path of this machine or a traceback")


def _leak(name: str, what: str) -> DisclosureError:
    return DisclosureError(
        name,
        seen=what,
        expected="nothing that points at a unit or a machine",
        do="Take it out of the study's words or labels; nothing was published.",
    )


def _decoded(payload: bytes) -> list[bytes]:
    return [base64.b64decode(match) for match in _DATA_URI.findall(payload)]


def _check_contributors(neck: Neck, study: Study, threshold: int) -> None:
    unit = neck.protected["protected_unit"]
    for exhibit in neck.exhibits:
        few = exhibit.data[exhibit.data["contributors"] < threshold]
        if not few.empty:
            name = few["finding"].iloc[0]
            raise _too_few(f"exhibit '{exhibit.id}', row {name}", unit, threshold)
    for entry in neck.findings:
        if entry["n_entities"] < threshold:
            raise _too_few(f"finding '{entry['id']}'", unit, threshold)
    counted = neck.estimates.dropna(subset=["estimate"])
    few_rows = counted[
        (counted["n_entities"] < threshold)
        | (counted["n_treated_clusters"].fillna(threshold) < threshold)
    ]
    published = {
        (row["case"], row["specification"], row["term"])
        for entry in neck.findings
        for row in entry.get("rows", [])
    }
    for row in few_rows.to_dict("records"):
        if (row["case"], row["specification"], row["term"]) in published:
            where = f"case {row['case']}, specification '{row['specification']}', {row['term']}"
            raise _too_few(where, unit, threshold)


def _too_few(where: str, unit: str, threshold: int) -> DisclosureError:
    return DisclosureError(
        where,
        seen=f"fewer than {threshold} contributing units ({unit})",
        expected=f"{threshold} or more, the data agreement's threshold",
        do="Merge the case with another, or take the claim out; nothing was published.",
    )


def _check_agreement(neck: Neck, study: Study) -> None:
    keys = ["case", "specification", "term"]
    estimates = neck.estimates.set_index(keys)
    findings = {entry["id"]: entry for entry in neck.findings if entry["kind"] == "finding"}
    for entry in findings.values():
        place = tuple(entry["rows"][0][key] for key in keys)
        rows = estimates.loc[[place]] if place in estimates.index else estimates.iloc[:0]
        if len(rows) != 1 or not _agrees(entry, rows.iloc[0]):
            raise _disagreement(f"finding '{entry['id']}'", "estimates.csv", study)
    for exhibit in neck.exhibits:
        for row in exhibit.rows:
            finding = findings.get(row["finding"])
            if finding is None or not all(
                _equal(row[name], finding[name]) for name in ("estimate", "conf_low", "conf_high")
            ):
                raise _disagreement(f"exhibit '{exhibit.id}'", "findings.json", study)


def _agrees(entry: dict[str, Any], row: pd.Series) -> bool:
    if entry["nobs"] != row["nobs"] or entry["n_entities"] != row["n_entities"]:
        return False
    for name in ("estimate", "conf_low", "conf_high"):
        value = row[name]
        natural = None if pd.isna(value) else in_natural_unit(float(value), row["unit"])[0]
        if not _equal(entry[name], natural):
            return False
    return True


def _equal(one: Any, other: Any) -> bool:
    if pd.isna(one) or pd.isna(other):
        return bool(pd.isna(one) and pd.isna(other))
    return math.isclose(one, other, rel_tol=1e-12, abs_tol=1e-15)


def _disagreement(where: str, file: str, study: Study) -> DisclosureError:
    return DisclosureError(
        f"{study.slug}: {where}",
        seen=f"numbers that {file} does not hold",
        expected="the numbers of the run",
        do=f"Run the study again; somebody or something has changed {file}.",
    )
