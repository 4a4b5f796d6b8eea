"""Which factory a row is about: a register of stable keys, and matching to it.

A source whose record has ``register = "…"`` gets register keys in the place of its own
factory ids; see docs/identity.md.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evidence.sources.identity.apply import apply_register
    from evidence.sources.identity.enrolment import enrol
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

_MODULE = {
    "apply": ("apply_register",),
    "enrolment": ("enrol",),
    "match": ("match_factories", "resolve_factories"),
    "register": ("Alias", "Decision", "Factory", "Register", "fingerprint_register",
                 "load_register"),
    "review": ("Review", "find_twins", "review_register"),
    "score": ("ACCEPT_ABOVE", "ASK_FROM"),
}  # fmt: skip

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


def __getattr__(name: str) -> Any:
    for module, names in _MODULE.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
