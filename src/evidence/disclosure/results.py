"""The gate's checks as a file that output checkers know: SACRO's ``results.json``.

SACRO Viewer reads it from the folder in which the checked files lie.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from evidence.disclosure.gate import Assessment, Cleared
from evidence.disclosure.rules import Check, Verdict, is_named
from evidence.files import replace_file

FORMAT = "1.0.2"
"""Version of ACRO whose format this is."""

_ORDER: tuple[Verdict, ...] = ("pass", "review", "fail")
_TYPES = {"cells": "table", "coefficients": "regression", "findings": "regression",
          "forest": "regression", "path": "regression"}  # fmt: skip
_SUMMED = {"threshold": "threshold", "p-ratio": "p-ratio", "dominance": "nk-rule",
           "zeros": "all-values-are-same"}  # fmt: skip


def write_results(checked: Cleared | Assessment, folder: Path, *, timestamp: str = "") -> Path:
    """Write what the rules saw, a result an output, with the checksums of its files.

    Parameters
    ----------
    folder : Path
        The study's internal folder, which holds the files of the neck.
    timestamp : str
        When it was checked, in ISO form. Empty keeps the bytes the same every time.

    Returns
    -------
    Path
        ``results.json``; ``checksums/<file>.txt`` lie beside it.
    """
    files = _list_files(checked)
    results = {uid: _lay_result(uid, kind, file, checked, timestamp) for uid, kind, file in files}
    for name in dict.fromkeys(file for _, _, file in files):
        if (folder / name).is_file():
            digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
            replace_file(folder / "checksums" / f"{name}.txt", digest.encode())
    text = json.dumps({"version": FORMAT, "results": results}, indent=1, ensure_ascii=False)
    target = folder / "results.json"
    replace_file(target, f"{text}\n".encode())
    return target


def _list_files(checked: Cleared | Assessment) -> list[tuple[str, str, str]]:
    """List uid, type and file of each output."""
    listed = [
        ("estimates", "regression", "estimates.csv"),
        ("statements", "custom", "findings.json"),
    ]
    listed += [
        (
            exhibit.id,
            _TYPES.get(exhibit.specification["kind"], "custom"),
            f"exhibits/{exhibit.id}.csv",
        )
        for exhibit in checked.neck.exhibits
    ]
    return listed


def _lay_result(
    uid: str, kind: str, file: str, checked: Cleared | Assessment, timestamp: str
) -> dict[str, Any]:
    own = [check for check in checked.checks if _owner(check) == uid]
    told = [check for check in own if check.verdict != "pass"]
    status = max((check.verdict for check in own), key=_ORDER.index, default="pass")
    sdc = _count(own)
    return {
        "uid": uid,
        "status": status,
        "type": kind,
        "properties": {"method": _method(uid, checked), "rules": sorted({c.rule for c in own})},
        "sdc": sdc,
        "files": [{"name": file, "sdc": sdc}],
        "output": [file],
        "outcome": {check.output: f"{check.verdict}: {check.summary}" for check in told},
        "command": f"evidence brief {checked.study.slug}",
        "summary": "; ".join([status, *dict.fromkeys(f"{c.rule}: {c.summary}" for c in told)]),
        "timestamp": timestamp,
        "comments": list(dict.fromkeys(check.remedy for check in told if check.remedy)),
        "exception": _tell_exceptions(told, checked),
    }


def _owner(check: Check) -> str:
    """Say to which result a check belongs."""
    if check.kind == "finding":
        return "statements"
    if check.kind in {"specification", "coefficient"}:
        return "estimates"
    return check.output.partition("/")[0]


def _method(uid: str, checked: Cleared | Assessment) -> str:
    kinds = {exhibit.id: exhibit.specification for exhibit in checked.neck.exhibits}
    asked = kinds.get(uid, {"kind": uid})
    return str(asked.get("statistic", asked["kind"]))


def _count(checks: Iterable[Check]) -> dict[str, Any]:
    """Count broken cells as ACRO does."""
    summary: dict[str, Any] = {"suppressed": False, "negative": 0, "missing": 0}
    summary |= dict.fromkeys(_SUMMED.values(), 0)
    for check in checks:
        summary["suppressed"] = summary["suppressed"] or check.rule == "suppress"
        if check.rule in _SUMMED and check.verdict != "pass":
            summary[_SUMMED[check.rule]] += 1
    return {"summary": summary, "cells": {}}


def _tell_exceptions(told: list[Check], checked: Cleared | Assessment) -> str:
    asked = [
        f"{waiver.output}, {waiver.rule}: {waiver.reason} ({waiver.requested_by})"
        for waiver in checked.study.disclosure.exceptions
        if any(check.rule == waiver.rule and is_named(check, waiver) for check in told)
    ]
    return "; ".join(asked)
