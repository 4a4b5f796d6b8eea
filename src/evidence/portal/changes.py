"""What changed between the last two editions of a study, told from their cards."""

from __future__ import annotations

from dataclasses import dataclass

from evidence.language import format_day, format_plain, say
from evidence.portal.cards import Card, Entry, choose


@dataclass(frozen=True, slots=True)
class Line:
    """One change, in the visitor's language; ``quoted`` is the brief's own text, if any."""

    text: str
    quoted: str = ""
    language: str = ""


def tell_changes(language: str, entry: Entry) -> list[Line]:
    """Tell what changed between the last two editions; nothing where there is one only.

    Of a withdrawn edition nothing is told but that and when it was: what it said may be
    what it was withdrawn for.
    """
    if not entry.editions:
        return []
    now = choose(entry.editions[0], language)
    if now.state == "withdrawn":
        return [_tell_withdrawal(language, now)]
    if len(entry.editions) == 1:
        return []
    before = next((c for c in entry.editions[1] if c.version == now.version), None)
    if before is None:
        return [Line(say(language, "changed.new_version"))]
    if before.state == "withdrawn":
        return [_tell_withdrawal(language, before)]
    lines = _tell_differences(language, before, now)
    return lines or [Line(say(language, "changed.nothing"))]


def _tell_withdrawal(language: str, card: Card) -> Line:
    number = format_plain(language, card.edition or "")
    if not card.withdrawn:
        return Line(say(language, "changed.withdrawn", number=number))
    day = format_day(language, card.withdrawn)
    return Line(say(language, "changed.withdrawn_on", number=number, date=day))


def _tell_differences(language: str, before: Card, now: Card) -> list[Line]:
    lines = []
    if before.grade and now.grade and before.grade != now.grade:
        old, new = (say(language, f"grade.{card.grade}") for card in (before, now))
        lines.append(Line(say(language, "changed.grade", before=old, after=new)))
    if before.title != now.title:
        lines.append(Line(say(language, "changed.title"), before.title, before.language))
    lines += [
        Line(say(language, "changed.added"), text, now.language)
        for text in now.messages
        if text not in before.messages
    ]
    lines += [
        Line(say(language, "changed.dropped"), text, before.language)
        for text in before.messages
        if text not in now.messages
    ]
    return lines
