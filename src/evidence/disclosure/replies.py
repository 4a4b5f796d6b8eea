"""The partners' replies on their way out: searched for units, written for the portal."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from evidence.disclosure.gate import Cleared
from evidence.disclosure.scan import scan_bytes, scan_words
from evidence.files import replace_file
from evidence.study import PartyReply, Study, read_replies, replies_path

REPLIES = "replies.json"
"""Name of the file of replies in a study's public folder."""


def check_replies(cleared: Cleared) -> tuple[PartyReply, ...]:
    """Read the replies to a study's findings and search them for what must not leave.

    Raises
    ------
    DisclosureError
        Where a reply names a unit, or holds what points at a person or a machine.
    StudyError
        Where the file is wrong.
    """
    replies = read_replies(cleared.study)
    name = replies_path(cleared.study).name
    for reply in replies:
        texts = [reply.who, *reply.text.values()]
        scan_words(texts, cleared, name)
        scan_bytes("\n".join(texts).encode("utf-8"), cleared, name)
    return replies


def write_replies(cleared: Cleared) -> Path | None:
    """Write ``replies.json`` for the portal; take an earlier one away where there are none.

    Raises
    ------
    DisclosureError, StudyError
        As ``check_replies``; nothing is written then.
    """
    replies = check_replies(cleared)
    if not replies:
        drop_replies(cleared.study)
        return None
    path = cleared.study.public / REPLIES
    document = {"schema_version": 1, "replies": [asdict(reply) for reply in replies]}
    payload = (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode("utf-8")
    scan_bytes(payload, cleared, REPLIES)
    replace_file(path, payload)
    return path


def drop_replies(study: Study) -> None:
    """Take the replies of a study from its public folder."""
    (study.public / REPLIES).unlink(missing_ok=True)
