"""Cleared findings and exhibits become a page that a person reads in two minutes."""

from __future__ import annotations

from evidence.brief.page import check_text, write_brief

__all__ = ["check_text", "write_brief"]
