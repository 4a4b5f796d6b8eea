"""Fits and claims become findings: graded statements without words."""

from evidence.findings.compare import compare_cases
from evidence.findings.grade import Standing, grade, word
from evidence.findings.noun import Direction, Finding, Grade, as_entry
from evidence.findings.state import LOG_POINTS, agrees, in_natural_unit, list_family, state

__all__ = [
    "LOG_POINTS",
    "Direction",
    "Finding",
    "Grade",
    "Standing",
    "agrees",
    "as_entry",
    "compare_cases",
    "grade",
    "in_natural_unit",
    "list_family",
    "state",
    "word",
]
