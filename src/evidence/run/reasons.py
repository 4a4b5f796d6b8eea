"""Say in plain words why a notebook run is due."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from evidence.run.inputs import Pieces

_MOST = 3


def explain(before: dict[str, Pieces], now: dict[str, Pieces]) -> str:
    """Say which pieces of which inputs are not what they were; nothing where all are."""
    told: list[str] = []
    for part, say in _SAY.items():
        old, new = before.get(part, {}), now.get(part, {})
        changed = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
        if changed:
            told += say(changed, old, new)
    return "; ".join(told)


def _say_data(changed: list[str], old: Pieces, new: Pieces) -> Iterable[str]:
    for name in changed:
        rows, earlier = (pieces.get(name, {}).get("rows") for pieces in (new, old))
        counted = f" for this case: {rows} rows" if rows is not None else ""
        counted += f", earlier {earlier}" if counted and earlier is not None else ""
        yield f"new data in source '{name}'{counted}"


def _list(what: str) -> Callable[[list[str], Pieces, Pieces], Iterable[str]]:
    def say(changed: list[str], old: Pieces, new: Pieces) -> Iterable[str]:
        more = f" and {len(changed) - _MOST} more" if len(changed) > _MOST else ""
        return [f"{what} changed: {', '.join(changed[:_MOST])}{more}"]

    return say


def _compare(what: str) -> Callable[[list[str], Pieces, Pieces], Iterable[str]]:
    def say(changed: list[str], old: Pieces, new: Pieces) -> Iterable[str]:
        pairs = [f"{name} {_show(new, name)}, earlier {_show(old, name)}" for name in changed]
        more = f" and {len(pairs) - _MOST} more" if len(pairs) > _MOST else ""
        return [f"{what} {'; '.join(pairs[:_MOST])}{more}"]

    return say


def _show(pieces: Pieces, name: str) -> Any:
    return pieces.get(name, "none")


_SAY: dict[str, Callable[[list[str], Pieces, Pieces], Iterable[str]]] = {
    "notebook": lambda changed, old, new: ["notebook changed"],
    "parameters": _compare("parameter"),
    "data": _say_data,
    "study": _list("study file"),
    "packs": _list("pack"),
    "code": _list("code"),
    "environment": _compare("environment"),
}
