"""The partners' replies, ready to be printed beside the finding that they answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evidence.language import format_day, say
from evidence.study import Study, read_replies


def tell_replies(study: Study, claim: str, language: str) -> list[dict[str, str]]:
    """Tell what parties replied to a claim, for a reader of a language.

    Returns
    -------
    list of dict
        ``text`` as the party gave it, ``language`` of that text (the reader's where the
        party wrote in it, else the party's first), and ``by``: who, for which side, when.

    Raises
    ------
    StudyError
        Where the file of replies is wrong.
    """
    replies = [reply for reply in read_replies(study) if reply.claim == claim]
    return [
        word_reply({"who": r.who, "party": r.party, "date": r.date, "text": r.text}, language)
        for r in replies
    ]


def word_reply(reply: Mapping[str, Any], language: str) -> dict[str, str]:
    """Word who replied and when; the text stays the party's own."""
    texts: dict[str, str] = reply["text"]
    given = language if language in texts else next(iter(texts))
    party, day = say(language, f"party.{reply['party']}"), format_day(language, reply["date"])
    return {
        "text": texts[given],
        "language": given,
        "by": say(language, "reply.by", who=reply["who"], party=party, date=day),
    }
