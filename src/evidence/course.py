"""Exercises that check themselves, for courses on reading evidence.

A learner reads a number off the notebook and writes it down; the right answer is computed from the
panel that the notebook was given, so that it is right for other data too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from evidence.errors import FindingError
from evidence.findings import Finding, state
from evidence.models import fit_specifications
from evidence.panel import Panel, list_variation
from evidence.toml import nearest


@dataclass(frozen=True, slots=True)
class Exercise:
    """An exercise: what helps who is not there yet, and what the panel answers.

    The answer is a count, a number in the finding's unit, a word, or whether something holds.
    """

    hint: str
    solve: Callable[[Panel], float | str | bool]


def check_answer(panel: Panel, exercise: str, answer: object) -> str:
    """Check a learner's answer against what follows from the panel, and say so in plain words.

    Parameters
    ----------
    exercise : str
        One of ``EXERCISES``.
    answer : object
        A number, a word or True and False; None or ``...`` while it is open. A number counts as
        right within two hundredths of its size, or as rounded to one decimal.

    Raises
    ------
    FindingError
        Where there is no such exercise.
    """
    if exercise not in EXERCISES:
        raise FindingError(
            f"check_answer: '{exercise}'",
            seen="no such exercise",
            expected=f"one of {', '.join(EXERCISES)}",
            do=f"Check the name{nearest(exercise, EXERCISES)}.",
        )
    if answer is None or answer is ...:
        return "Not answered yet: write your answer in the place of the three dots."
    found = EXERCISES[exercise]
    if _agrees(answer, found.solve(panel)):
        return "Right."
    return f"Not yet. {found.hint}"


def _agrees(answer: object, right: object) -> bool:
    if isinstance(right, bool) or isinstance(answer, bool):
        return answer is right
    if isinstance(right, str):
        return isinstance(answer, str) and answer.casefold().split() == right.casefold().split()
    if isinstance(right, int):
        return answer == right
    if not (isinstance(answer, int | float) and isinstance(right, float)):
        return False
    return math.isclose(answer, right, rel_tol=0.02, abs_tol=0.05)


def _find(panel: Panel, place: int) -> Finding:
    """State the finding of the study's first claim (0), or of its last one (-1)."""
    claim = panel.study.claims[place]
    notebook = panel.study.specification(claim.specification).notebook
    findings = state(panel, fit_specifications(panel, notebook))
    return next(finding for finding in findings if finding.claim == claim.id)


def _count_entities(panel: Panel) -> int:
    return int(panel.data.index.get_level_values("entity").nunique())


def _count_unchanged(panel: Panel) -> int:
    spec = panel.study.specification(panel.study.claims[0].specification)
    return int(list_variation(panel)["never_change"][spec.exposures[0]])


def _solve_estimate(panel: Panel) -> float:
    estimate = _find(panel, 0).estimate
    return math.nan if estimate is None else float(estimate)


EXERCISES = {
    "entities": Exercise(
        "A factory stands in the data once a year: rows are not factories. Read the column "
        "'entities' of the table above.",
        _count_entities,
    ),
    "unchanged": Exercise(
        "Look for the line of the exposure and the column 'never_change'. These factories say "
        "nothing about a change within factories.",
        _count_unchanged,
    ),
    "estimate": Exercise(
        "Read it off the first line of the findings, with a minus where less goes along; the unit "
        "is the one in the sentence.",
        _solve_estimate,
    ),
    "certainty": Exercise(
        "It is the word of the grade in the first line: high, moderate, low, very low or cannot "
        "tell.",
        lambda panel: _find(panel, 0).grade.label,
    ),
    "placebo": Exercise(
        "Write True where its interval leaves zero out, and False where zero is inside. An exposure "
        "on which nothing depends should find nothing.",
        lambda panel: _find(panel, -1).direction in {"decrease", "increase"},
    ),
    "rerun": Exercise(
        "Three words: the name of the workbench, what it is to do, and the slug of the study as "
        "the parameters have it.",
        lambda panel: f"evidence run {panel.study.slug}",
    ),
}
