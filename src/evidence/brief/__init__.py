"""Cleared findings and exhibits become a page that a person reads in two minutes.

What composes and draws is loaded when it is first asked for: before a run, only words are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evidence.later import load_later

if TYPE_CHECKING:
    from evidence.brief.checks import check_text
    from evidence.brief.edition import Published, Reason, publish, withdraw
    from evidence.brief.page import hash_signed, render_latest, write_brief, write_briefs
    from evidence.brief.plan import list_due, tell_plan
    from evidence.brief.prose import lint_notebooks
    from evidence.brief.replies import tell_replies, word_reply
    from evidence.brief.word import can_write_word

_MODULE = {
    "checks": ("check_text",),
    "edition": ("Published", "Reason", "publish", "withdraw"),
    "page": ("hash_signed", "render_latest", "write_brief", "write_briefs"),
    "plan": ("list_due", "tell_plan"),
    "prose": ("lint_notebooks",),
    "replies": ("tell_replies", "word_reply"),
    "word": ("can_write_word",),
}

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

__getattr__ = load_later(__name__, _MODULE)
