"""Cards as a build writes them, read by the portal: formats, review, claims, withdrawal."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from evidence.brief import write_brief
from evidence.brief.imprint import DRAFT
from evidence.brief.page import render_notices, render_page
from evidence.brief.word import can_write_word
from evidence.disclosure import Cleared, Edition, clear, write_replies
from evidence.files import replace_files
from evidence.language import is_reviewed, say
from evidence.neck import Neck
from evidence.portal import write_portal
from evidence.portal.cards import read_entries
from evidence.study import load_study, replies_path

REPLY = """
schema_version = 1

[[replies]]
claim = "grant_same_year"
who = "A union that does not exist"
party = "workers"
date = "2026-11-20"
text.en = "Our members see it otherwise."
"""


@pytest.fixture
def cleared(fresh_project: Path, plants_neck: Neck) -> Cleared:
    study = load_study(fresh_project / "notebooks/studies/plants.toml")
    replies_path(study).write_text(REPLY, "utf-8")
    return clear(plants_neck, study)


def test_a_written_card_tells_the_portal_files_review_and_claims(cleared: Cleared) -> None:
    study = cleared.study
    write_replies(cleared)
    write_brief(cleared, "en")
    [card] = (entry := read_entries(study.public.parent, ["plants"])[0]).cards
    files = {"html": "brief.en.html", "pdf": "brief.en.pdf"}
    files |= {"docx": "brief.en.docx"} if can_write_word() else {}
    assert card.formats == {kind: f"plants/{name}" for kind, name in files.items()}
    assert card.reviewed is is_reviewed("en")
    assert card.claims == tuple(claim.id for claim in study.claims)[:4]
    assert len(card.messages) == len(card.claims)
    assert (card.withdrawn, entry.replies[0]["claim"]) == ("", card.claims[1])
    page = write_portal(study.public.parent, ["plants"]).read_text("utf-8")
    for name in files.values():
        assert f'href="plants/{name}"' in page
    assert say("en", "portal.unreviewed") in page
    answered = page.index(card.messages[1], page.index('class="replies"'))
    assert answered < page.index("Our members see it otherwise.", answered)


def test_a_card_names_what_else_its_version_has(cleared: Cleared) -> None:
    files = render_page(cleared, "en", "government", DRAFT)
    formats = json.loads(files["brief.en.json"])["formats"]
    assert set(formats.values()) == set(files) - {"brief.en.json"}
    assert formats["slides"] == "slides.en.pdf"
    assert formats["xlsx"] == "tables.en.xlsx"
    page = files["brief.en.html"].decode()
    for name in ("technical.en.pdf", "slides.en.pdf", "tables.en.xlsx", "tables.tex"):
        assert f'<a href="{name}">' in page


def test_a_withdrawal_moves_the_feed_s_day(cleared: Cleared) -> None:
    edition = Edition(1, "2026-11-20", "", "", (), "", {})
    gone = replace(edition, withdrawn="2026-11-22", reason="error")
    study = cleared.study
    notices = render_notices(study, gone)
    card = json.loads(notices["brief.en.json"])
    assert (card["date"], card["withdrawn"]) == ("2026-11-20", "2026-11-22")
    assert (card["messages"], card["claims"]) == ([], [])
    assert card["formats"] == {"html": "brief.en.html"}
    replace_files(study.public / "editions" / "1", notices)
    replace_files(study.public, notices)
    write_portal(study.public.parent, ["plants"])
    feed = (study.public.parent / "feed.xml").read_text("utf-8")
    assert "<updated>2026-11-22T00:00:00Z</updated>" in feed
    assert "<published>2026-11-20T00:00:00Z</published>" in feed


def test_files_are_written_and_what_is_stale_is_taken_away(tmp_path: Path) -> None:
    for name in ("old.html", "kept.txt", "same.html"):
        (tmp_path / name).write_text(name, "utf-8")
    replace_files(tmp_path, {"same.html": b"new", "more.html": b"x"}, ["*.html"], mode=0o600)
    assert {path.name for path in tmp_path.iterdir()} == {"kept.txt", "same.html", "more.html"}
    assert (tmp_path / "same.html").read_bytes() == b"new"
    assert (tmp_path / "more.html").stat().st_mode & 0o777 == 0o600
