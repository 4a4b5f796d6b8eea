"""The catalogue of a language: messages, filled in."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from babel.messages.catalog import Catalog
from babel.messages.pofile import PoFileError, read_po

from evidence.errors import LanguageError

LOCALES = Path(__file__).parents[1] / "locales"
LANGUAGES = ("en", "ja", "vi", "km", "bn")
"""The languages of briefs, in the order in which they are listed."""


def say(language: str, message: str, **values: str) -> str:
    """Say a message of the catalogue with its values filled in.

    Raises
    ------
    LanguageError
        Where the catalogue lacks the message, or a value is missing.
    """
    found = load_catalogue(language).get(message)
    if found is None or not found.string:
        raise LanguageError(
            f"locales/{language}.po",
            seen=f"no message '{message}'",
            expected="one for every class of finding",
            do="Translate the message; nothing falls back to another language.",
        )
    try:
        return str(found.string).format_map(values)
    except KeyError as error:
        raise LanguageError(
            f"locales/{language}.po: message '{message}'",
            seen=f"placeholder {error}",
            expected=f"one of {', '.join(sorted(values))}",
            do="Mend the message.",
        ) from error


def messages(language: str) -> dict[str, str]:
    """List the catalogue: message → text."""
    return {str(m.id): str(m.string) for m in load_catalogue(language) if m.id}


def join(
    language: str, items: Iterable[str], kind: Literal["comma", "semicolon", "sentence"]
) -> str:
    """Join texts as the language does: with its comma, its semicolon, or sentence by sentence."""
    found = [item for item in items if item]
    text = found[0] if found else ""
    for item in found[1:]:
        text = say(language, f"list.{kind}", first=text, second=item)
    return text


def capitalise(text: str) -> str:
    """Make the first letter a capital, leaving the rest."""
    return text[:1].upper() + text[1:]


@functools.cache
def load_catalogue(language: str) -> Catalog:
    """Load the catalogue of a language with its comments.

    Raises
    ------
    LanguageError
        Where there is none, or the file is broken.
    """
    path = LOCALES / f"{language}.po"
    if not path.is_file():
        raise LanguageError(
            f"locales/{path.name}",
            seen="no catalogue",
            expected=f"one of {', '.join(sorted(p.stem for p in LOCALES.glob('*.po')))}",
            do="Translate locales/en.po, or choose another language.",
        )
    try:
        with path.open("rb") as file:
            return read_po(file, locale=language, abort_invalid=True)
    except PoFileError as error:
        raise LanguageError(
            f"locales/{path.name}: line {error.lineno}",
            seen=f"no catalogue of messages ({error})",
            expected="msgid and msgstr for each message",
            do="Mend the line; tools for translators, such as Poedit, show it.",
        ) from error
