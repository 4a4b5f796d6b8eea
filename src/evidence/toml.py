"""A TOML file becomes a frozen section, or an error that names the key.

Study files, source records and packs are all read here: exact types, no unknown keys.
"""

from __future__ import annotations

import difflib
import json
import tomllib
import types
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast, dataclass_transform

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from evidence.errors import EvidenceError

_T = TypeVar("_T")


@dataclass_transform(frozen_default=True)
def strict(kind: type[_T]) -> type[_T]:
    """Make a frozen section of a TOML file: exact types, no unknown keys."""
    config = ConfigDict(extra="forbid", strict=True)
    return cast("type[_T]", checked(frozen=True, slots=True, config=config)(kind))


def read_toml(path: Path, error: type[EvidenceError], *, where: str = "") -> dict[str, Any]:
    """Read a TOML file in UTF-8.

    Parameters
    ----------
    error : type
        The exception class of the room that reads.
    where : str
        How the file is named in a message; its own name if empty.

    Raises
    ------
    EvidenceError
        Of class ``error``, where it is something else.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as problem:
        line = problem.object.count(b"\n", 0, problem.start) + 1
        raise error(
            where or path.name,
            seen=f"text that is not TOML (a letter in line {line} is not UTF-8)",
            expected="TOML in UTF-8",
            do="Save the file again with the encoding UTF-8.",
        ) from problem
    except tomllib.TOMLDecodeError as problem:
        raise error(
            where or path.name,
            seen=f"text that is not TOML ({problem})",
            expected="TOML in UTF-8",
            do="Mend the line that the message names.",
        ) from problem


def check_sections(
    kind: type[_T],
    raw: dict[str, Any],
    error: type[EvidenceError],
    *,
    where: str,
    guide: str = "docs/studies.md",
) -> _T:
    """Check TOML against a section type; return the frozen section.

    Parameters
    ----------
    guide : str
        The page that shows a whole file of this kind.

    Raises
    ------
    EvidenceError
        Of class ``error``, naming the first wrong key, unknown ones first.
    """
    try:
        return TypeAdapter(kind).validate_json(json.dumps(raw), strict=True)
    except ValidationError as problem:
        raise _spell(problem, kind, error, where, guide) from problem
    except TypeError as problem:
        raise error(
            where,
            seen=f"a value that is neither text, number nor list ({problem})",
            expected="texts, numbers and lists; dates in quotes",
            do="Put the date in quotes.",
        ) from problem


def nearest(word: str, known: Iterable[str]) -> str:
    """Suggest the known word that a misspelt one may mean, as the end of a sentence."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean '{close[0]}'?)" if close else ""


def _spell(
    problem: ValidationError, kind: type[Any], error: type[EvidenceError], where: str, guide: str
) -> EvidenceError:
    unknown = {"unexpected_keyword_argument", "extra_forbidden"}
    first = min(problem.errors(), key=lambda found: found["type"] not in unknown)
    path = [part for part in first["loc"] if not str(part).startswith("function-")]
    while path and path[-1] in {"str", "tuple[str, ...]"}:
        path.pop()
    place = f"{where}: {_spell_key(path)}"
    more = problem.error_count() - 1
    rest = f" ({more} more after this one.)" if more else ""
    if first["type"] in unknown:
        known = _keys_at(kind, path[:-1])
        return error(
            place,
            seen="an unknown key",
            expected=f"one of {', '.join(known)}",
            do=f"Remove or rename it{nearest(str(path[-1]), known)}.{rest}",
        )
    if first["type"] in {"missing", "missing_argument"}:
        return error(
            place,
            seen="nothing",
            expected="this key",
            do=f"Add it; {guide} shows a whole file.{rest}",
        )
    return error(
        place,
        seen=f"{first['input']!r}"[:200],
        expected=_expectation(first),
        do=f"Change the value.{rest}",
    )


def _expectation(found: Any) -> str:
    context = found.get("ctx", {})
    if "expected" in context:
        return f"{context['expected']}"
    if "pattern" in context:
        return f"text of the form {context['pattern']}"
    message: str = found["msg"]
    return message.removeprefix("Input should be ").removeprefix("Value error, ")


def _spell_key(path: list[Any]) -> str:
    spelt = ""
    for part in path:
        spelt += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if spelt else str(part)
    return spelt or "file"


def _keys_at(kind: type[Any], path: list[Any]) -> list[str]:
    """List the keys of the section that a path leads to."""
    for part in path:
        if isinstance(part, str) and part in getattr(kind, "__dataclass_fields__", {}):
            inner = typing.get_type_hints(kind, include_extras=True)[part]
            kind = next(iter(_sections_in(inner)), kind)
    return sorted(kind.__dataclass_fields__)


def _sections_in(hint: Any) -> list[type[Any]]:
    """Find the section types inside an annotation."""
    if hasattr(hint, "__dataclass_fields__"):
        return [hint]
    origin = typing.get_origin(hint)
    if origin is None:
        return []
    inner = typing.get_args(hint)
    if origin is Annotated:
        inner = inner[:1]
    elif origin not in {tuple, dict, list, typing.Union, types.UnionType}:
        return []
    return [section for part in inner for section in _sections_in(part)]
