"""The gate: only what is ``Cleared`` may be published.

Contributor rules bind restricted data; the byte scan binds everything. For simulated and
public data the rules are looked at and recorded, and stop nothing.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from evidence.disclosure.agreement import check_agreement
from evidence.disclosure.differencing import check_differencing
from evidence.disclosure.remedies import check_differences, treat
from evidence.disclosure.rules import (
    Check,
    check_estimates,
    check_findings,
    check_tables,
    waive,
)
from evidence.errors import DisclosureError
from evidence.neck import Neck
from evidence.study import Study, hash_words

_SEAL = object()


@dataclass(frozen=True, slots=True, eq=False)
class Cleared:
    """A neck that has passed the gate; ``clear`` is its only maker.

    ``neck`` is what may be shown: remedies have been applied to its tables. ``sha256``
    binds it, ``rules`` says what it was cleared by, ``checks`` what each rule saw.
    """

    study: Study
    neck: Neck
    rules: dict[str, int]
    sha256: str
    _seal: object
    checks: tuple[Check, ...] = ()

    def __post_init__(self) -> None:
        if self._seal is not _SEAL:
            raise DisclosureError(
                "Cleared",
                seen="an object made outside the gate",
                expected="disclosure.clear",
                do="Pass the neck through disclosure.clear.",
            )


@dataclass(frozen=True, slots=True)
class Assessment:
    """A neck as the rules see it: ``neck`` after remedies, ``checks`` of every rule."""

    study: Study
    neck: Neck
    checks: tuple[Check, ...]


def assess(neck: Neck, study: Study) -> Assessment:
    """Apply the remedies that a study allows, then every rule; stop at none.

    Raises
    ------
    DisclosureError
        Where a finding, an exhibit or a table does not agree with the run.
    """
    check_agreement(neck, study)
    settings = study.disclosure
    treated, steps = treat(neck, study) if _is_bound(neck) else (neck, [])
    checks = [
        *check_findings(treated, settings),
        *check_estimates(treated, study),
        *check_tables(treated, settings),
        *check_differences(treated, settings),
        *steps,
    ]
    return Assessment(study, treated, tuple(waive(checks, settings)))


def clear(neck: Neck, study: Study) -> Cleared:
    """Clear a neck for publication.

    Raises
    ------
    DisclosureError
        Where a rule fails on restricted data, naming output, rule and remedy; an
        output differs by too few units from what was released before; or a finding,
        exhibit or table does not agree with the run.
    """
    assessed = assess(neck, study)
    if _is_bound(neck):
        for check in assessed.checks:
            if check.verdict == "fail":
                raise _refuse(check)
        check_differencing(assessed.neck, study)
    rules = {"threshold": study.disclosure.threshold}
    told = assessed.neck
    return Cleared(study, told, rules, fingerprint(told, study), _SEAL, assessed.checks)


def _is_bound(neck: Neck) -> bool:
    """Tell whether contributor rules bind: for restricted data only."""
    return bool(neck.protected["confidentiality"] == "restricted")


def _refuse(check: Check) -> DisclosureError:
    return DisclosureError(
        f"{check.kind} '{check.output}'",
        seen=check.summary,
        expected=f"what the rule '{check.rule}' of the data agreement asks for",
        do=check.remedy,
    )


def fingerprint(neck: Neck, study: Study) -> str:
    """Hash what a clearance binds: findings, estimates, exhibits, study, lock and advice."""
    digest = hashlib.sha256(study.sha256.encode())
    digest.update(hash_words(study).encode())
    digest.update(json.dumps(neck.findings, sort_keys=True).encode())
    for frame in (neck.estimates, *(exhibit.data for exhibit in neck.exhibits)):
        digest.update(frame.to_csv(index=False, float_format="%.17g").encode())
    return digest.hexdigest()
