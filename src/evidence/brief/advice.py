"""What readers can do: recommendations that people wrote, the reader's own first."""

from __future__ import annotations

from typing import Any, get_args

from evidence.brief.audience import shows_whole
from evidence.brief.blocks import Block, bullets, item, text
from evidence.brief.plan import tell_advice
from evidence.brief.told import entries_of
from evidence.brief.trail import label_entry
from evidence.disclosure import Cleared
from evidence.language import fill, finding_fields, say
from evidence.study import Audience, read_advice

_READERS = get_args(Audience)


def advise(cleared: Cleared, language: str, audience: str) -> list[Block]:
    """Lay out the recommendations for a reader.

    The reader's own come first; who gets the whole gets those of the others as well, under
    their names. Where there are recommendations and none is the reader's, a note says so.
    """
    told = tell_advice(cleared.study, cleared.neck.findings, language)
    others = [name for name in _READERS if name != audience] if shows_whole(audience) else []
    own = [_word(cleared, language, entry) for entry in told if entry["audience"] == audience]
    blocks = [bullets(own)] if own else []
    for name in others:
        group = [_word(cleared, language, entry) for entry in told if entry["audience"] == name]
        if group:
            blocks += [text(say(language, f"reader.{name}"), "heading"), bullets(group)]
    return _notes(cleared, language, audience, {audience, *others}) + blocks


def _word(cleared: Cleared, language: str, told: dict[str, Any]) -> Block:
    """Word a recommendation with its numbers, its triggers and the finding that it rests on."""
    study = cleared.study
    fields = {entry["id"]: finding_fields(language, entry) for entry in cleared.neck.findings}
    entry = next(e for e in entries_of(cleared) if e["claim"] == told["claim"])
    rests = say(language, "advice.rests", finding=label_entry(cleared, language, entry))
    said = fill(told["text"], fields, f"{study.path.name}: advice, text.{language}")
    notes = (told["reopen"], told["reviewed"], rests)
    return {**item(said, notes, [entry["id"]]), "warning": told["due"]}


def _notes(cleared: Cleared, language: str, audience: str, shown: set[str]) -> list[Block]:
    """Say which recommendations a reader misses: none is his, or not in this language."""
    advice = read_advice(cleared.study)
    readers = {entry.audience for entry in advice}
    notes = []
    if advice and audience in _READERS and audience not in readers:
        notes.append("advice.not_here")
    if any(e.audience in shown and language not in e.text for e in advice):
        notes.append("advice.absent")
    return [text(say(language, name), "note") for name in notes]
