"""What a page says about itself: draft or edition, who signed, what parties answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evidence.disclosure import Edition, Reply
from evidence.language import capitalise, format_day, format_plain, say


@dataclass(frozen=True, slots=True)
class Imprint:
    """The state of a page; without an edition it is a draft."""

    edition: Edition | None = None
    replies: tuple[Reply, ...] = ()


DRAFT = Imprint()


def word_imprint(imprint: Imprint, language: str) -> dict[str, Any]:
    """Word an imprint in a language.

    Returns
    -------
    dict
        ``state, edition, date, withdrawn`` for machines; ``imprint, replies, checked`` for readers.
    """
    edition = imprint.edition
    words = {"replies": say(language, "brief.replies")}
    replies = [_word_reply(reply, language, final=edition is not None) for reply in imprint.replies]
    if edition is None:
        words |= {
            "line": say(language, "brief.draft"),
            "title": say(language, "brief.draft_title"),
            "mark": say(language, "brief.draft_mark"),
        }
        return _shape("draft", None, "", words, replies, [])
    day = format_day(language, edition.date)
    words["line"] = say(
        language, "brief.edition", number=format_plain(language, edition.number), date=day
    )
    checked = [
        say(language, "brief.checked", role=entry["role"], organisation=entry["organisation"],
            date=format_day(language, entry["date"]))
        for entry in edition.checked
    ]  # fmt: skip
    asked = replies or [
        {"asked": say(language, "brief.reply_nobody"), "answer": "", "language": language}
    ]
    return _shape("published", edition.number, edition.date, words, asked, checked)


def word_withdrawal(edition: Edition, language: str) -> dict[str, Any]:
    """Word the notice that stands in the place of a withdrawn edition."""
    line = say(
        language,
        "brief.withdrawn",
        number=format_plain(language, edition.number),
        date=format_day(language, edition.date),
        withdrawn=format_day(language, edition.withdrawn),
    )
    words = {
        "line": line,
        "title": say(language, "brief.withdrawn_title"),
        "reason": say(language, f"brief.withdrawn_{edition.reason}"),
    }
    shape = _shape("withdrawn", edition.number, edition.date, words, [], [])
    return {**shape, "withdrawn": edition.withdrawn}


def _shape(
    state: str, number: int | None, date: str, words: dict[str, str],
    replies: list[dict[str, str]], checked: list[str],
) -> dict[str, Any]:  # fmt: skip
    return {
        "state": state,
        "edition": number,
        "date": date,
        "withdrawn": "",
        "imprint": words,
        "replies": replies,
        "checked": checked,
    }


def _word_reply(reply: Reply, language: str, *, final: bool) -> dict[str, str]:
    """Word a reply: the answer as the party gave it, in the reader's language if there is one."""
    given = language if language in reply.answer else next(iter(sorted(reply.answer)), language)
    answer = reply.answer.get(given, "")
    kind = "answered" if answer else "silent" if final else "open"
    days = {name: format_day(language, getattr(reply, name)) for name in ("asked", "until")}
    asked = say(language, f"brief.reply_{kind}", party=capitalise(reply.party), **days)
    return {"asked": asked, "answer": answer, "language": given}
