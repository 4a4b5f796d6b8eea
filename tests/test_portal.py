from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from evidence.errors import BriefError
from evidence.portal import write_portal

CARD = {
    "slug": "plants",
    "language": "en",
    "title": "A <b>title</b>",
    "question": "A question?",
    "simulated": False,
    "messages": ["A message."],
    "grade": "low",
}


def _card(public: Path, slug: str, **changes: object) -> None:
    folder = public / slug
    folder.mkdir(parents=True)
    (folder / "brief.en.json").write_text(json.dumps({**CARD, "slug": slug, **changes}), "utf-8")
    (folder / "brief.en.html").write_text("<p>page</p>", "utf-8")


def test_the_portal_lists_every_brief_with_links_that_exist(tmp_path: Path) -> None:
    _card(tmp_path, "plants")
    _card(tmp_path, "chains", simulated=True)
    page = write_portal(tmp_path, ["chains", "plants"]).read_text("utf-8")
    links = re.findall(r'href="([^"]+)"', page)
    assert links == ["chains/brief.en.html", "plants/brief.en.html"]
    assert all((tmp_path / link).is_file() for link in links)
    assert page.count("Simulated data") == 1


def test_the_portal_escapes_what_it_lists_and_asks_for_nothing(tmp_path: Path) -> None:
    _card(tmp_path, "plants")
    page = write_portal(tmp_path, ["chains", "plants"]).read_text("utf-8")
    assert "A &lt;b&gt;title" in page
    assert "http://" not in page
    assert "https://" not in page
    assert "default-src 'none'" in page


def test_a_portal_without_briefs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BriefError, match=r"no brief.*evidence brief"):
        write_portal(tmp_path, ["chains", "plants"])
