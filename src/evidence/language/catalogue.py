"""The catalogue of a language: messages, filled in."""

from __future__ import annotations

import functools
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from evidence.errors import LanguageError

LOCALES = Path(__file__).parents[1] / "locales"


def say(language: str, message: str, **values: str) -> str:
    """Say a message of the catalogue with its values filled in.

    Raises
    ------
    LanguageError
        Where the catalogue lacks the message, or a value is missing.
    """
    found = _catalogue(language).get(message)
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
    return {str(m.id): str(m.string) for m in _catalogue(language) if m.id}


def capitalise(text: str) -> str:
    """Make the first letter a capital, leaving the rest."""
    return text[:1].upper() + text[1:]


@functools.cache
def _catalogue(language: str) -> Catalog:
    path = LOCALES / f"{language}.po"
    if not path.is_file():
        raise LanguageError(
            f"locales/{path.name}",
            seen="no catalogue",
            expected=f"one of {', '.join(sorted(p.stem for p in LOCALES.glob('*.po')))}",
            do="Translate locales/en.po, or choose another language.",
        )
    with path.open("rb") as file:
        return read_po(file, locale=language)
