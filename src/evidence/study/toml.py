"""Read TOML, check it against its sections, and say plainly what is wrong."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from evidence.errors import StudyError
from evidence.study.sections import (
    Brief,
    Claim,
    Data,
    Disclosure,
    Heading,
    Prose,
    Specification,
    Variable,
)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file in UTF-8.

    Raises
    ------
    StudyError
        Where it is something else.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StudyError(
            path.name,
            seen=f"text that is not TOML ({error})",
            expected="TOML in UTF-8",
            do="Mend the line that the message names.",
        ) from error


def check_sections(kind: type[Any], raw: dict[str, Any], path: Path) -> Any:
    """Check TOML against a section type; return the frozen section.

    Raises
    ------
    StudyError
        Naming the first wrong key, unknown ones first.
    """
    try:
        return TypeAdapter(kind).validate_json(json.dumps(raw), strict=True)
    except ValidationError as error:
        raise _study_error(error, kind, path) from error
    except TypeError as error:
        raise StudyError(
            path.name,
            seen=f"a value that is neither text, number nor list ({error})",
            expected="texts, whole numbers and lists; dates in quotes",
            do="Put the date in quotes.",
        ) from error


def _study_error(error: ValidationError, kind: type[Any], path: Path) -> StudyError:
    unknown = {"unexpected_keyword_argument", "extra_forbidden"}
    first = min(error.errors(), key=lambda found: found["type"] not in unknown)
    where = [part for part in first["loc"] if not str(part).startswith("function-")]
    while where and where[-1] in {"str", "tuple[str, ...]"}:
        where.pop()
    key = _spell_key(where)
    more = error.error_count() - 1
    rest = f" ({more} more after this one.)" if more else ""
    if first["type"] in unknown:
        known = _keys_at(kind, where[:-1])
        return StudyError(
            f"{path.name}: {key}",
            seen="an unknown key",
            expected=f"one of {', '.join(known)}",
            do=f"Remove or rename it{nearest(str(where[-1]), known)}.{rest}",
        )
    if first["type"] in {"missing", "missing_argument"}:
        return StudyError(
            f"{path.name}: {key}",
            seen="nothing",
            expected="this key",
            do=f"Add it; docs/studies.md shows a whole study file.{rest}",
        )
    return StudyError(
        f"{path.name}: {key}",
        seen=f"{first['input']!r}",
        expected=_expectation(first),
        do=f"Change the value.{rest}",
    )


def _expectation(error: Any) -> str:
    context = error.get("ctx", {})
    if "expected" in context:
        return f"{context['expected']}"
    if "pattern" in context:
        return f"text of the form {context['pattern']}"
    message: str = error["msg"]
    return message.removeprefix("Input should be ").removeprefix("Value error, ")


def _spell_key(where: list[Any]) -> str:
    spelt = ""
    for part in where:
        spelt += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if spelt else str(part)
    return spelt or "file"


_SECTIONS: dict[str, type[Any]] = {
    "study": Heading,
    "data": Data,
    "variables": Variable,
    "specifications": Specification,
    "claims": Claim,
    "disclosure": Disclosure,
    "brief": Brief,
}


def _keys_at(kind: type[Any], where: list[Any]) -> list[str]:
    if where:
        kind = _SECTIONS.get(str(where[0]), kind)
    if len(where) > 1 and where[1] == "text":
        kind = Prose
    return sorted(kind.__dataclass_fields__)


def nearest(word: str, known: Iterable[str]) -> str:
    """Suggest the known word that a misspelt one may mean, as the end of a sentence."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean '{close[0]}'?)" if close else ""
