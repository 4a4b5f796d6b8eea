"""Which factory a row is about: a register of stable keys, and matching to it.

A source whose record has ``register = "…"`` gets register keys in the place of its own
factory ids; see docs/identity.md.
"""

from __future__ import annotations

from evidence.sources.identity.apply import apply_register
from evidence.sources.identity.enrol import enrol
from evidence.sources.identity.match import match_factories, resolve_factories
from evidence.sources.identity.register import (
    Alias,
    Decision,
    Factory,
    Register,
    fingerprint_register,
    load_register,
)
from evidence.sources.identity.review import Review, find_twins, review_register
from evidence.sources.identity.score import ACCEPT_ABOVE, ASK_FROM

__all__ = [
    "ACCEPT_ABOVE",
    "ASK_FROM",
    "Alias",
    "Decision",
    "Factory",
    "Register",
    "Review",
    "apply_register",
    "enrol",
    "find_twins",
    "fingerprint_register",
    "load_register",
    "match_factories",
    "resolve_factories",
    "review_register",
]
