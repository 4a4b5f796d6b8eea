"""Whether a recommendation tells somebody what to do."""

from __future__ import annotations

import re
import unicodedata

from evidence.errors import LanguageError
from evidence.language.lists import load_lists

_BLANK = re.compile(r"^[^\w{]+", re.UNICODE)
_STOP = re.compile(r"[\u3002\uff0e\uff01!\u0964]")
"""Ends of a sentence: those of Japanese, the danda of Bangla."""

_CLOSING = " )\"'\uff09\u300d\u300f\u201d"


def check_advice(language: str, text: str, place: str) -> None:
    """Check that a recommendation starts with a verb.

    Refused is an opening word that never is one (an article, a pronoun, the name of a
    party) and a number. In a language that puts its verb last, the first sentence must end
    as one that asks for something.

    Parameters
    ----------
    place : str
        File and id of the recommendation.

    Raises
    ------
    LanguageError
        Naming place, language and word.
    """
    lists = load_lists(language)
    plain = _BLANK.sub("", _normalise(text))
    opener = _find_opener(plain, lists.advice.openers, spaced=lists.spaced)
    if opener:
        raise LanguageError(
            f"{place}, text.{language}",
            seen=f"a recommendation that starts with '{opener}'",
            expected="a verb first: who reads it should know at once what to do",
            do="Start with what is to be done; the reader's name stands above it.",
        )
    first = _STOP.split(plain, maxsplit=1)[0].rstrip(_CLOSING)
    endings = tuple(map(_normalise, lists.advice.endings))
    if endings and not first.endswith(endings):
        raise LanguageError(
            f"{place}, text.{language}",
            seen=f"a first sentence that ends with '{first[-8:]}'",
            expected=f"one of the endings {', '.join(lists.advice.endings)}",
            do="End the sentence with what is to be done.",
        )


def _find_opener(text: str, openers: tuple[str, ...], *, spaced: bool) -> str:
    """Find the longest word that opens a text and never is a verb; a placeholder is none."""
    if text.startswith("{{"):
        return text.partition("}}")[0] + "}}"
    found = [word for word in map(_normalise, openers) if text.startswith(word)]
    ends = [word for word in found if not spaced or not _goes_on(text[len(word) :])]
    return max(ends, key=len, default="")


def _normalise(text: str) -> str:
    """Bring a text to small letters, composed as Unicode says, none of them hidden."""
    plain = unicodedata.normalize("NFC", text).casefold()
    return "".join(sign for sign in plain if unicodedata.category(sign) != "Cf")


def _goes_on(rest: str) -> bool:
    """Tell whether a word goes on: with a letter, a vowel sign or another mark of one."""
    return unicodedata.category(rest[:1] or " ")[0] in "LMN"
