"""The gate: only what is ``Cleared`` may be published.

Contributor rules bind restricted data; the byte scan binds everything. The threshold of
10 is ACRO's default; its other rules (dominance, degrees of freedom) are not here yet.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import pandas as pd

from evidence.disclosure.agreement import check_agreement
from evidence.disclosure.differencing import check_differencing
from evidence.errors import DisclosureError
from evidence.neck import Neck
from evidence.study import Study

_SEAL = object()


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
        Where a table cell of restricted data has too few contributors, differs by too few
        from what was released before, or a finding does not agree with its estimate.
    """
    check_agreement(neck, study)
    threshold = study.disclosure.threshold
    if neck.protected["confidentiality"] == "restricted":
        _check_contributors(neck, study, threshold)
        check_differencing(neck, study)
    return Cleared(study, neck, {"threshold": threshold}, fingerprint(neck, study), _SEAL)


def fingerprint(neck: Neck, study: Study) -> str:
    """Hash what a clearance binds: findings, estimates, exhibits and the study."""
    digest = hashlib.sha256(study.sha256.encode())
    digest.update(json.dumps(neck.findings, sort_keys=True).encode())
    for frame in (neck.estimates, *(exhibit.data for exhibit in neck.exhibits)):
        digest.update(frame.to_csv(index=False, float_format="%.17g").encode())
    return digest.hexdigest()


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
