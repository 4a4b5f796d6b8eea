"""The partners' replies, printed beside the finding that they answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evidence.brief.audience import AT_THE_END
from evidence.brief.blocks import Block, Section, bullets, item, list_items, quote, section
from evidence.brief.told import entries_of, say_entry
from evidence.disclosure import Cleared, check_replies
from evidence.language import format_day, say
from evidence.study import Study, read_replies


def add_replies(model: Mapping[str, Any], cleared: Cleared) -> dict[str, Any]:
    """Put replies behind the key messages that they answer, others into a section of their own.

    They come after a brief is composed, as they are the parties' and not part of what is
    signed. Without replies the model stays as it is.

    Raises
    ------
    DisclosureError, StudyError
        As ``check_replies``.
    """
    answered = dict.fromkeys(reply.claim for reply in check_replies(cleared))
    if not answered:
        return dict(model)
    study, language = cleared.study, model["language"]
    quotes = {claim: _quote(study, claim, language) for claim in answered}
    shown = {message["claim"] for message in list_items(model, "messages")}
    further = [
        block
        for entry in entries_of(cleared)
        if entry["claim"] in answered and entry["claim"] not in shown
        for block in (_bullet(cleared, language, entry), *quotes[entry["claim"]])
    ]
    parts = [_answer(part, quotes) for part in model["sections"]]
    if further:
        told = section("replies", say(language, "reply.further"), further)
        at = next(n for n, part in enumerate(parts) if part["id"] in AT_THE_END)
        parts.insert(at, told)
    words = {**model["words"], "answered": say(language, "reply.elsewhere")}
    return {**model, "sections": parts, "words": words}


def _answer(part: Section, quotes: Mapping[str, list[Block]]) -> Section:
    """Put the replies to key messages behind them, breaking their list there."""
    if part["id"] != "messages":
        return part
    blocks: list[Block] = []
    for block in part["blocks"]:
        items: list[Block] = []
        for entry in block["items"]:
            items.append(entry)
            if entry["claim"] in quotes:
                blocks += [bullets(items), *quotes[entry["claim"]]]
                items = []
        blocks += [bullets(items)] if items else []
    return {**part, "blocks": blocks}


def _quote(study: Study, claim: str, language: str) -> list[Block]:
    return [
        quote(told["text"], say(language, "reply.from", by=told["by"]), told["language"])
        for told in tell_replies(study, claim, language)
    ]


def _bullet(cleared: Cleared, language: str, entry: dict[str, Any]) -> Block:
    return bullets([item(say_entry(cleared, language, entry), rests=[entry["id"]])])


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
