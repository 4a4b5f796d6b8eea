"""What governments, workers, employers and buyers answer to a finding, in their own words.

``notebooks/studies/<slug>.replies.toml`` is written by people; the workbench words none.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from evidence.errors import StudyError
from evidence.packs import Slug
from evidence.study.noun import Study
from evidence.study.sections import Text
from evidence.toml import check_sections, nearest, read_toml, strict

Party = Literal["government", "workers", "employers", "buyers"]
_AHEAD = timedelta(hours=14)
"""The farthest that a place on Earth is ahead of UTC: there it may be tomorrow already."""


def _real_day(text: str) -> str:
    if date.fromisoformat(text).isoformat() != text:
        raise ValueError("a day as YYYY-MM-DD")
    return text


_Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$"), AfterValidator(_real_day)]
_Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]


@strict
class PartyReply:
    """A party's reply to a finding: on which claim, who, for which side, when, a text a language.

    ``text`` keeps the order of the file: the first is taken for the party's own.
    """

    claim: Slug
    who: Text
    party: Party
    date: _Day
    text: Annotated[dict[_Language, Text], Field(min_length=1)]


@strict
class _RepliesFile:
    schema_version: Literal[1]
    replies: Annotated[tuple[PartyReply, ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class _Place:
    file: str
    number: int

    def key(self, name: str) -> str:
        return f"{self.file}: replies[{self.number}].{name}"


def replies_path(study: Study) -> Path:
    """Say where the replies to a study's findings lie."""
    return study.path.with_name(f"{study.path.stem}.replies.toml")


def read_replies(study: Study, today: date | None = None) -> tuple[PartyReply, ...]:
    """Read the replies to a study's findings, by claim and day; none where there is no file.

    Parameters
    ----------
    today : date, optional
        A reply may not be of a later day; by default the day of the place on Earth that is
        farthest ahead.

    Raises
    ------
    StudyError
        Naming the key: an unknown one, a claim that the study lacks, an empty text, a day
        that is still to come.
    """
    path = replies_path(study)
    if not path.is_file():
        return ()
    file = check_sections(_RepliesFile, read_toml(path, StudyError), StudyError, where=path.name)
    last = today or (datetime.now(UTC) + _AHEAD).date()
    for number, reply in enumerate(file.replies, 1):
        _check(study, reply, _Place(path.name, number), last)
    order = {claim.id: number for number, claim in enumerate(study.claims)}
    return tuple(sorted(file.replies, key=lambda reply: (order[reply.claim], reply.date)))


def _check(study: Study, reply: PartyReply, place: _Place, today: date) -> None:
    claims = [claim.id for claim in study.claims]
    if reply.claim not in claims:
        raise StudyError(
            place.key("claim"),
            seen=f"'{reply.claim}'",
            expected=f"a claim of the study: {', '.join(claims)}",
            do=f"Name the claim that the reply is to{nearest(reply.claim, claims)}.",
        )
    if date.fromisoformat(reply.date) > today:
        raise StudyError(
            place.key("date"),
            seen=f"{reply.date}, which is still to come",
            expected="the day of the reply",
            do="Mend the date in the file.",
        )
    texts = {"who": reply.who} | {f"text.{k}": text for k, text in reply.text.items()}
    for key, text in texts.items():
        if not text.strip():
            raise StudyError(
                place.key(key),
                seen="an empty text",
                expected="the party's own words" if key != "who" else "the organisation's name",
                do="Write it, or take the reply out of the file.",
            )
