"""The sign-off file of a study: who signed what, and what the parties answered.

``notebooks/studies/<slug>.signoff.toml`` is written by people. No study is published
without it, simulated data included: publishing is always a person's decision.
"""

from __future__ import annotations

from dataclasses import field
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from evidence.errors import DisclosureError
from evidence.packs import Words
from evidence.study import Study
from evidence.toml import check_sections, read_toml, strict

_SHOWN = 12
_GUIDE = "docs/publishing.md"


def _real_day(text: str) -> str:
    if date.fromisoformat(text).isoformat() != text:
        raise ValueError("a day as YYYY-MM-DD")
    return text


_Text = Annotated[str, Field(min_length=1)]
_Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$"), AfterValidator(_real_day)]


@strict
class Signoff:
    """A person's yes: role, organisation, day, and the hash of what was signed."""

    role: _Text
    organisation: _Text
    date: _Day
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{12,64}$")]
    note: str = ""


@strict
class Reply:
    """A party that was asked to reply: since when, until when, and its answer, if any.

    ``answer`` is printed as it stands, a text a language.
    """

    party: _Text
    asked: _Day
    until: _Day
    answer: Words = field(default_factory=dict)


@strict
class SignoffFile:
    """A whole sign-off file."""

    schema_version: Literal[1]
    signoff: tuple[Signoff, ...] = ()
    reply: tuple[Reply, ...] = ()


def signoff_path(study: Study) -> Path:
    """Say where a study's sign-off file lies."""
    return study.path.with_name(f"{study.slug}.signoff.toml")


def read_signoff(study: Study) -> SignoffFile:
    """Read a study's sign-off file; an empty one where there is none.

    Raises
    ------
    DisclosureError
        Naming the wrong key.
    """
    path = signoff_path(study)
    if not path.is_file():
        return SignoffFile(schema_version=1)
    raw = read_toml(path, DisclosureError)
    return check_sections(SignoffFile, raw, DisclosureError, where=path.name, guide=_GUIDE)


def check_signoff(
    study: Study, file: SignoffFile, signed: str, *, today: date
) -> tuple[Signoff, ...]:
    """Check that a person has signed exactly this, and that the parties had their time.

    Parameters
    ----------
    signed : str
        The hash of what would be published.

    Returns
    -------
    tuple of Signoff
        Those that signed it.

    Raises
    ------
    DisclosureError
        Where nobody has, where it has changed since, or a party may still answer.
    """
    where = signoff_path(study).name
    if not file.signoff:
        raise _unsigned(where, signed, today)
    valid = tuple(s for s in file.signoff if signed.startswith(s.sha256))
    if not valid:
        raise DisclosureError(
            where,
            seen="a sign-off of something else: signed what has changed since",
            expected=f'a sign-off with sha256 = "{signed[:_SHOWN]}"',
            do="Read the brief again; whoever answers for it signs what it says now.",
        )
    for entry in valid:
        if date.fromisoformat(entry.date) > today:
            raise _wrong_day(where, f"a sign-off of {entry.date}, which is still to come")
    for reply in file.reply:
        _check_reply(where, reply, today)
    return valid


def _check_reply(where: str, reply: Reply, today: date) -> None:
    if not reply.asked <= reply.until:
        raise _wrong_day(where, f"a time to reply from {reply.asked} to {reply.until}")
    if date.fromisoformat(reply.asked) > today:
        raise _wrong_day(where, f"a question of {reply.asked}, which is still to come")
    if not reply.answer and today <= date.fromisoformat(reply.until):
        raise DisclosureError(
            f"{where}: {reply.party}",
            seen=f"no answer yet, and time until {reply.until}",
            expected="an answer, or a day after that",
            do="Wait until the day has passed, or enter the answer under 'answer.en'.",
        )


def _wrong_day(where: str, seen: str) -> DisclosureError:
    return DisclosureError(
        where, seen=seen, expected="days in their order", do="Mend the date in the file."
    )


def _unsigned(where: str, signed: str, today: date) -> DisclosureError:
    return DisclosureError(
        f"notebooks/studies/{where}",
        seen="nobody's sign-off",
        expected="that of whoever answers for the brief",
        do="Read the draft, then write into this file:\n"
        "schema_version = 1\n\n"
        "[[signoff]]\n"
        'role = "head of the research unit"\n'
        'organisation = "the ministry"\n'
        f'date = "{today.isoformat()}"\n'
        f'sha256 = "{signed[:_SHOWN]}"\n'
        f"{_GUIDE} tells how parties are asked to reply.",
    )
