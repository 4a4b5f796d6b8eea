"""What several cases say together."""

from __future__ import annotations

from typing import Any

from evidence.findings.noun import Direction


def compare_cases(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Count, for each claim that stands in several cases, what the cases say.

    Parameters
    ----------
    findings : list of dict
        Entries of ``findings.json``.

    Returns
    -------
    list of dict
        One entry a claim, of kind ``comparison``, sorted by claim. ``direction`` is the
        one that more cases show; ``least`` and ``most`` are its smallest and largest
        estimate without sign, in ``unit``.
    """
    compared = []
    for claim in sorted({entry["claim"] for entry in findings}):
        group = [entry for entry in findings if entry["claim"] == claim]
        if len(group) < 2:
            continue
        counts = {
            f"n_{name}": sum(entry["direction"] == name for entry in group)
            for name in ("decrease", "increase")
        }
        told = sum(counts.values())
        way = _dominant(counts)
        told_by = [e for e in group if way != "unclear" and e["direction"] == way]
        sizes = [abs(e["estimate"]) for e in told_by]
        entry = {
            "id": claim,
            "kind": "comparison",
            "claim": claim,
            **{key: group[0][key] for key in _SHARED},
            "wording": _agree_on_words(group),
            "n_cases": len(group),
            **counts,
            "n_unclear": len(group) - told,
            "direction": way,
            "least": min(sizes, default=None),
            "most": max(sizes, default=None),
            "nobs": sum(entry["nobs"] for entry in group),
            "n_entities": sum(entry["n_entities"] for entry in group),
            "first_period": min(entry["first_period"] for entry in group),
            "last_period": max(entry["last_period"] for entry in group),
            "findings": [entry["id"] for entry in group],
        }
        compared.append(entry)
    return compared


def _dominant(counts: dict[str, int]) -> Direction:
    if counts["n_decrease"] == counts["n_increase"]:
        return "unclear"
    return "decrease" if counts["n_decrease"] > counts["n_increase"] else "increase"


def _agree_on_words(group: list[dict[str, Any]]) -> str:
    """Take the words that every case has earned; where they differ, those of the weaker."""
    words = {entry["wording"] for entry in group}
    return str(words.pop()) if len(words) == 1 else "within"


_SHARED = (
    "design",
    "effects",
    "level",
    "outcome",
    "exposure",
    "moderator",
    "contrast",
    "conf_level",
    "unit",
    "sdg",
    "simulated",
)
