"""What is asked: a study file becomes a frozen ``Study``.

A study file is TOML under ``notebooks/studies/``. It is hashed with the
packs that it names, so a result can name the question it answers.
"""

from __future__ import annotations

from evidence.study.load import PARAMETERS, find_root, list_slugs, load_study, select_case
from evidence.study.noun import Case, Study
from evidence.study.sections import (
    LEVELS,
    Brief,
    Claim,
    Data,
    Disclosure,
    Entry,
    Heading,
    Prose,
    Specification,
    Variable,
    Waiver,
)

__all__ = [
    "LEVELS",
    "PARAMETERS",
    "Brief",
    "Case",
    "Claim",
    "Data",
    "Disclosure",
    "Entry",
    "Heading",
    "Prose",
    "Specification",
    "Study",
    "Variable",
    "Waiver",
    "find_root",
    "list_slugs",
    "load_study",
    "select_case",
]
