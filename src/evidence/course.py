"""Exercises that check themselves, for courses on reading evidence.

A learner reads a number off the notebook and writes it down; the right answer is computed from the
panel that the notebook was given, so that it is right for other data too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath

from evidence.errors import FindingError
from evidence.findings import Finding, state
from evidence.models import fit_specifications
from evidence.panel import Panel, list_variation
from evidence.toml import nearest


@dataclass(frozen=True, slots=True)
class Exercise:
    """An exercise: what helps who is not there yet, and what the panel answers.

    The answer is a count, a number in the finding's unit, a word, or whether something holds;
    ``kind`` says how to write it.
    """

    kind: str
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
    right = found.solve(panel)
    if not _is_alike(answer, right):
        return f"Not yet: this is another kind of answer. {found.kind}"
    if _agrees(answer, right):
        return "Right."
    return f"Not yet. {found.hint}"


def _is_alike(answer: object, right: object) -> bool:
    """Tell whether an answer is of the kind that is asked for: a word, a number, True or False."""
    if isinstance(right, bool) or isinstance(answer, bool):
        return isinstance(right, bool) and isinstance(answer, bool)
    return isinstance(answer, str if isinstance(right, str) else int | float)


def _agrees(answer: object, right: object) -> bool:
    if isinstance(answer, str) and isinstance(right, str):
        return _spell(answer) == _spell(right)
    if isinstance(answer, int | float) and isinstance(right, float):
        return math.isclose(answer, right, rel_tol=0.02, abs_tol=0.05)
    return answer == right


def _spell(answer: str) -> list[str]:
    """Part an answer into words; a study file may stand for its slug."""
    return [PurePath(word).stem for word in answer.casefold().split()]


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


_NUMBER = (
    "Write a number, without quotation marks or a unit, and with a point rather than a comma "
    "before decimals."
)
_WORD = "Write a word in quotation marks."

EXERCISES = {
    "entities": Exercise(
        _NUMBER,
        "A factory stands in the data once a year: rows are not factories. Read the column "
        "'entities' of the table above.",
        _count_entities,
    ),
    "unchanged": Exercise(
        _NUMBER,
        "Look for the line of the exposure and the column 'never_change'. These factories say "
        "nothing about a change within factories.",
        _count_unchanged,
    ),
    "estimate": Exercise(
        _NUMBER,
        "Read it off the first line of the findings, with a minus where the outcome is lower; the "
        "unit is the one in the sentence.",
        _solve_estimate,
    ),
    "certainty": Exercise(
        _WORD,
        "It stands under 'certainty' in the first line: high, moderate, low, very low or cannot tell.",
        lambda panel: _find(panel, 0).grade.label,
    ),
    "placebo": Exercise(
        "Write True or False, without quotation marks.",
        "Write True where its interval leaves zero out, and False where zero is inside. An exposure "
        "on which nothing depends should find nothing.",
        lambda panel: _find(panel, -1).direction in {"decrease", "increase"},
    ),
    "rerun": Exercise(
        "Write the command in quotation marks.",
        "Three words: the name of the workbench, what it is to do (run), and the name of the study as "
        "the parameters have it.",
        lambda panel: f"evidence run {panel.study.slug}",
    ),
}
