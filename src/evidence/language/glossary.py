"""The field's terms in a language, each with where it is attested."""

from __future__ import annotations

import functools
from typing import Annotated

from pydantic import Field

from evidence.errors import LanguageError
from evidence.language.catalogue import LOCALES
from evidence.toml import check_sections, read_toml, strict

_Text = Annotated[str, Field(min_length=1)]


@strict
class Term:
    """A term: English, the language's own, and its provenance.

    ``source`` names a law, a convention's or an office's usual translation, or says
    "proposal, not attested".
    """

    en: _Text
    term: _Text
    source: _Text


@strict
class _Glossary:
    terms: Annotated[dict[str, Term], Field(min_length=1)]


@functools.cache
def read_glossary(language: str) -> dict[str, Term]:
    """Read a language's glossary: key → term.

    Raises
    ------
    LanguageError
        Where the language has none, or a term lacks its provenance.
    """
    path = LOCALES / f"{language}.glossary.toml"
    if not path.is_file():
        raise LanguageError(
            f"locales/{path.name}",
            seen="no glossary",
            expected="one for every language but English",
            do="Translate the terms of another language's glossary.",
        )
    raw = read_toml(path, LanguageError)
    return check_sections(
        _Glossary, raw, LanguageError, where=path.name, guide="docs/languages.md"
    ).terms
