"""Load a part of a room when it is first asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def load_later(room: str, parts: Mapping[str, tuple[str, ...]]) -> Callable[[str], Any]:
    """Make the ``__getattr__`` of a room whose parts take long to import.

    Parameters
    ----------
    room : str
        Name of the package.
    parts : mapping
        Module in it → the names that it gives.

    Returns
    -------
    callable
        Name → what it names; AttributeError where the room has no such name.
    """
    module_of = {name: module for module, names in parts.items() for name in names}

    def find(name: str) -> Any:
        if name not in module_of:
            raise AttributeError(f"module '{room}' has no attribute '{name}'")
        return getattr(importlib.import_module(f"{room}.{module_of[name]}"), name)

    return find
