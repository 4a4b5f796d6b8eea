"""The gate: only what is ``Cleared`` may be published.

Contributor rules bind restricted data; the byte scan binds everything. The threshold of
10 is ACRO's default; its other rules (dominance, degrees of freedom) are not here yet.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from evidence.errors import DisclosureError
from evidence.findings import agrees, compare_cases
from evidence.neck import Neck
from evidence.study import Study

_SEAL = object()
_SHORT_NUMBER = 3
_DATA_URI = re.compile(rb"data:[a-z0-9.+/-]+;base64,([A-Za-z0-9+/=]+)")
_TAG = re.compile(r"<[^>]*>")
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
    """Scan the bytes of a public file: as they are, data URIs decoded, and as read.

    As read means without tags, with entities resolved, and with case, spaces and
    compatible characters made equal on both sides. A bare number of up to three digits
    cannot be told from any other number and is not looked for.

    Raises
    ------
    DisclosureError
        Where an identifier, a path of this machine or a traceback stands in them.
    """
    protected = cleared.neck.protected
    traces = (*_TRACES, str(cleared.study.root).encode(), str(Path.home()).encode() + b"/")
    for part in (payload, *_decoded(payload)):
        if any(len(trace) > 2 and trace in part for trace in traces):
            raise _leak(name, "a path of this machine or a traceback")
        text = part.decode("utf-8", errors="replace")
        read = [_plain(text), _plain(html.unescape(_TAG.sub(" ", text)))]
        for identifier in map(_plain, protected["identifiers"]):
            if identifier.isdigit() and len(identifier) <= _SHORT_NUMBER:
                continue
            pattern = rf"(?<![\w.]){re.escape(identifier)}(?!\.?\w)"
            if any(identifier in t and re.search(pattern, t) for t in read):
                raise _leak(name, f"an identifier of a {protected['protected_unit']}")


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    shown = "".join(c for c in folded if unicodedata.category(c) != "Cf")
    return " ".join(shown.split())


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
    counts = [
        (f"finding '{entry['id']}'", entry["contributors"], entry["direction"])
        for entry in neck.findings
        if entry["kind"] == "finding"
    ]
    counts += [
        (f"exhibit '{exhibit.id}', row {row['finding']}", row["contributors"], row["direction"])
        for exhibit in neck.exhibits
        for row in exhibit.rows
    ]
    for where, count, direction in counts:
        if pd.isna(count):
            raise DisclosureError(
                where,
                seen=f"no count of contributing units ({unit})",
                expected=f"a variable of the study that names each {unit}",
                do=f"Declare the column that names the {unit} with role 'entity' or 'cluster'.",
            )
        if count < threshold and direction != "refused":
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
    stated = [entry for entry in neck.findings if entry["kind"] == "finding"]
    for entry in stated:
        place = tuple(entry["rows"][0][key] for key in keys)
        rows = estimates.loc[[place]] if place in estimates.index else estimates.iloc[:0]
        spec = study.specification(entry["rows"][0]["specification"])
        if len(rows) != 1 or not agrees(entry, rows.iloc[0], spec):
            raise _disagreement(f"finding '{entry['id']}'", "estimates.csv", study)
    compared = [entry for entry in neck.findings if entry["kind"] == "comparison"]
    if compared and compared != compare_cases(stated):
        raise _disagreement("comparison of cases", "findings.json", study)
    findings = {entry["id"]: entry for entry in stated}
    for exhibit in neck.exhibits:
        for row in exhibit.rows:
            finding = findings.get(row["finding"])
            if finding is None or not _shows(row, finding):
                raise _disagreement(f"exhibit '{exhibit.id}'", "findings.json", study)


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
