"""Cleared findings and exhibits become a page that a person reads in two minutes."""

from __future__ import annotations

from evidence.brief.edition import Published, Reason, publish, withdraw
from evidence.brief.page import check_text, hash_signed, write_brief

__all__ = ["Published", "Reason", "check_text", "hash_signed", "publish", "withdraw", "write_brief"]
