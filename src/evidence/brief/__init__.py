"""Cleared findings and exhibits become a page that a person reads in two minutes."""

from __future__ import annotations

from evidence.brief.edition import Published, Reason, publish, withdraw
from evidence.brief.page import check_text, hash_signed, render_latest, write_brief, write_briefs
from evidence.brief.plan import list_due, tell_plan
from evidence.brief.prose import lint_notebooks
from evidence.brief.replies import tell_replies, word_reply
from evidence.brief.word import can_write_word

__all__ = [
    "Published",
    "Reason",
    "can_write_word",
    "check_text",
    "hash_signed",
    "lint_notebooks",
    "list_due",
    "publish",
    "render_latest",
    "tell_plan",
    "tell_replies",
    "withdraw",
    "word_reply",
    "write_brief",
    "write_briefs",
]
