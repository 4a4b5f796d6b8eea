"""What is asked: a study file becomes a frozen ``Study``.

A study file is TOML under ``notebooks/studies/``. It is hashed with the
packs that it names, so a result can name the question it answers.
"""

from __future__ import annotations

from evidence.study.advice import (
    Advice,
    Condition,
    advice_path,
    must_reopen,
    parse_condition,
    read_advice,
)
from evidence.study.load import PARAMETERS, find_root, list_slugs, load_study, select_case
from evidence.study.lock import (
    Amendment,
    Deviation,
    Lock,
    amend_lock,
    current_plan,
    hash_words,
    is_planned,
    list_deviations,
    lock_path,
    make_lock,
    plan_of,
    read_lock,
    write_lock,
)
from evidence.study.noun import Case, Study
from evidence.study.programme import Line, read_programme
from evidence.study.replies import PartyReply, read_replies, replies_path
from evidence.study.sections import (
    LANGUAGES,
    LEVELS,
    Audience,
    Brief,
    Claim,
    Data,
    Disclosure,
    Entry,
    FrontMatter,
    Heading,
    Prose,
    Scale,
    Specification,
    Variable,
    Waiver,
    takes_out_calendar,
)
from evidence.study.words import label_of, names_of_case, nouns_of, question_of

__all__ = [
    "LANGUAGES",
    "LEVELS",
    "PARAMETERS",
    "Advice",
    "Amendment",
    "Audience",
    "Brief",
    "Case",
    "Claim",
    "Condition",
    "Data",
    "Deviation",
    "Disclosure",
    "Entry",
    "FrontMatter",
    "Heading",
    "Line",
    "Lock",
    "PartyReply",
    "Prose",
    "Scale",
    "Specification",
    "Study",
    "Variable",
    "Waiver",
    "advice_path",
    "amend_lock",
    "current_plan",
    "find_root",
    "hash_words",
    "is_planned",
    "label_of",
    "list_deviations",
    "list_slugs",
    "load_study",
    "lock_path",
    "make_lock",
    "must_reopen",
    "names_of_case",
    "nouns_of",
    "parse_condition",
    "plan_of",
    "question_of",
    "read_advice",
    "read_lock",
    "read_programme",
    "read_replies",
    "replies_path",
    "select_case",
    "takes_out_calendar",
    "write_lock",
]
