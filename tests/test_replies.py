"""The parties' own words on a finding: read, searched for units, printed as quotations."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from datetime import date
from pathlib import Path

import pypdfium2
import pytest
from click.testing import CliRunner

from evidence.brief import hash_signed, tell_replies
from evidence.brief.blocks import blocks_of, list_items
from evidence.brief.exporter import BriefExporter, word_model, write_document
from evidence.brief.imprint import DRAFT
from evidence.brief.model import compose
from evidence.brief.pdf import typeset
from evidence.cli import main
from evidence.disclosure import REPLIES, Cleared, clear, hash_file, write_replies
from evidence.errors import DisclosureError, StudyError
from evidence.neck import Neck
from evidence.study import Study, list_slugs, load_study, read_replies, replies_path

ROOT = Path(__file__).parents[1]
TODAY = date(2026, 11, 23)
FILE = """
schema_version = 1

[[replies]]
claim = "main"
who = "A ministry that does not exist"
party = "government"
date = "2026-11-20"
text.km = "យើងយល់ព្រម។"
text.en = "Inspections causes fewer accidents, we think."
"""


def _study(root: Path, text: str) -> Study:
    study = load_study(root / "notebooks/studies/plants.toml")
    claim = study.claims[0].id
    replies_path(study).write_text(text.replace('"main"', f'"{claim}"'), "utf-8")
    return study


def test_a_study_without_the_file_has_no_replies(plants: Study) -> None:
    assert read_replies(plants) == ()


def test_replies_are_read_and_are_no_study(fresh_project: Path) -> None:
    study = _study(fresh_project, FILE)
    [reply] = read_replies(study, TODAY)
    assert reply.who == "A ministry that does not exist"
    assert list(reply.text) == ["km", "en"]
    assert "plants.replies" not in list_slugs(fresh_project)
    assert "%.replies.toml" in (ROOT / "Makefile").read_text("utf-8")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            'claim = "main"',
            'claim = "nothing"',
            r"replies\[1\]\.claim: 'nothing'; expected a claim",
        ),
        ("2026-11-20", "2026-11-24", r"replies\[1\]\.date: 2026-11-24, which is still to come"),
        ("2026-11-20", "2026-02-30", r"replies\[1\]\.date"),
        ('"government"', '"press"', r"replies\[1\]\.party"),
        ("យើងយល់ព្រម។", "", r"replies\[1\]\.text\.km"),
        ("យើងយល់ព្រម។", "  ", r"replies\[1\]\.text\.km: an empty text"),
        ("A ministry that does not exist", " ", r"replies\[1\]\.who: an empty text"),
        ("who =", "whom =", r"replies\[1\]\.whom: an unknown key.*did you mean 'who'"),
        ("text.km", "text.Khmer", r"replies\[1\]\.text"),
    ],
)
def test_what_is_wrong_is_told_plainly(fresh_project: Path, old: str, new: str, told: str) -> None:
    study = _study(fresh_project, FILE.replace(old, new))
    with pytest.raises(StudyError, match=rf"plants\.replies\.toml: {told}"):
        read_replies(study, TODAY)


def test_check_tells_what_is_wrong_with_replies(fresh_project: Path) -> None:
    study = _study(fresh_project, FILE.replace("party", "side"))
    result = CliRunner().invoke(main, ["check", str(study.path)])
    assert result.exit_code == 1
    assert "plants.replies.toml: replies[1].side" in result.output


def test_a_reply_is_told_in_the_readers_language_or_in_the_partys_own(
    fresh_project: Path,
) -> None:
    study = _study(fresh_project, FILE)
    claim = study.claims[0].id
    [told] = tell_replies(study, claim, "en")
    assert told == {
        "text": "Inspections causes fewer accidents, we think.",
        "language": "en",
        "by": "A ministry that does not exist (Government), 20 November 2026",
    }
    _study(fresh_project, FILE.replace("text.en", "text.ja"))
    [told] = tell_replies(study, claim, "en")
    assert (told["text"], told["language"]) == ("យើងយល់ព្រម។", "km")
    assert tell_replies(study, "another", "en") == []


def test_replies_leave_through_the_gate_and_their_file_goes_with_them(
    fresh_project: Path, plants_neck: Neck
) -> None:
    study = _study(fresh_project, FILE)
    cleared = clear(plants_neck, study)
    path = write_replies(cleared)
    assert path == study.public / REPLIES
    [reply] = json.loads(path.read_text("utf-8"))["replies"]
    assert reply["text"]["km"] == "យើងយល់ព្រម។"
    before = hash_file(path.read_bytes())
    assert hash_file((write_replies(cleared) or path).read_bytes()) == before
    replies_path(study).unlink()
    assert write_replies(cleared) is None
    assert not path.exists()


@pytest.mark.parametrize("place", ["A ministry that does not exist", "we think"])
def test_a_reply_that_names_a_unit_is_not_published(
    fresh_project: Path, plants_neck: Neck, place: str
) -> None:
    study = _study(fresh_project, FILE)
    protected = {**plants_neck.protected, "identifiers": ["Padma Stitch Ltd"]}
    cleared = clear(replace(plants_neck, protected=protected), study)
    kept = write_replies(cleared)
    assert kept is not None
    _study(fresh_project, FILE.replace(place, f"{place} of PADMA-Stitch Ltd."))
    with pytest.raises(DisclosureError, match=r"plants\.replies\.toml: an identifier"):
        write_replies(cleared)
    assert "PADMA" not in kept.read_text("utf-8")


def test_a_reply_that_holds_a_path_of_a_machine_is_not_published(
    fresh_project: Path, plants_neck: Neck
) -> None:
    study = _study(fresh_project, FILE.replace("we think", "see /home/someone/notes"))
    with pytest.raises(DisclosureError, match=r"plants\.replies\.toml.*machine"):
        write_replies(clear(plants_neck, study))


def _answered(root: Path, neck: Neck, claim: str, text: str) -> Cleared:
    """Clear a study with a reply to a claim; the party's own language is Khmer."""
    study = load_study(root / "notebooks/studies/plants.toml")
    told = FILE.replace('"main"', f'"{claim}"').replace("text.en", "text.vi")
    replies_path(study).write_text(told.replace("យើងយល់ព្រម។", text), "utf-8")
    return clear(neck, study)


def _read(payload: bytes) -> list[str]:
    with pypdfium2.PdfDocument(payload) as pdf:
        pages = [pdf[n].get_textpage().get_text_range() for n in range(len(pdf))]
    return ["".join(page.split()) for page in pages]


def test_a_study_without_replies_says_no_more_than_before(plants: Study, plants_neck: Neck) -> None:
    cleared = clear(plants_neck, plants)
    made, composed = word_model(cleared, "en", "", DRAFT), compose(cleared, "en")
    assert made["sections"] == composed["sections"]
    assert made["words"] == composed["words"]


def test_a_reply_stands_beside_its_finding_in_every_format(
    fresh_project: Path, plants_neck: Neck
) -> None:
    cleared = _answered(fresh_project, plants_neck, "grant_same_year", "យើងយល់ព្រម។")
    page, made = BriefExporter().from_cleared(cleared, "en")
    model = made["brief"]
    kinds = [block["kind"] for block in blocks_of(model, "messages")]
    assert kinds == ["list", "quote", "list"]
    messages = [item["text"] for item in list_items(model, "messages")]
    assert messages == [item["text"] for item in list_items(compose(cleared, "en"), "messages")]
    spoken = '<blockquote lang="km">យើងយល់ព្រម។</blockquote>'
    assert page.index(messages[1]) < page.index(spoken) < page.index(messages[2])
    assert "Reply to this finding: A ministry that does not exist (Government)" in page
    text = "".join(_read(typeset(model)))
    first, second = ("".join(message.split()) for message in messages[1:3])
    assert text.index(first) < text.index("យើងយល់ព្រម។") < text.index(second)
    with zipfile.ZipFile(io.BytesIO(write_document(cleared, model))) as packed:
        body = packed.read("word/document.xml").decode("utf-8")
    assert body.index(messages[1]) < body.index("យើងយល់ព្រម។") < body.index(messages[2])
    assert '<w:lang w:val="km" />' in body or '<w:lang w:val="km"/>' in body
    signed = hash_signed(cleared)
    replies_path(cleared.study).unlink()
    assert hash_signed(cleared) == signed


def test_a_reply_to_a_finding_that_is_no_key_message_has_its_sentence(
    fresh_project: Path, plants_neck: Neck
) -> None:
    cleared = _answered(fresh_project, plants_neck, "union_sales", "យើងយល់ព្រម។")
    page, made = BriefExporter().from_cleared(cleared, "en")
    [said, told] = blocks_of(made["brief"], "replies")
    assert (told["text"], told["language"]) == ("យើងយល់ព្រម។", "km")
    sentence = said["items"][0]["text"]
    assert page.index("Replies to further findings") < page.index(sentence)
    assert page.index(sentence) < page.index("យើងយល់ព្រម។")


def test_replies_that_do_not_fit_two_pages_stand_on_the_web_page(
    fresh_project: Path, plants_neck: Neck
) -> None:
    cleared = _answered(fresh_project, plants_neck, "grant_same_year", "យើងយល់ព្រម។ " * 400)
    model = word_model(cleared, "en", "government", DRAFT)
    pages = _read(typeset(model))
    assert len(pages) == 2
    assert "Parties replied to these findings." in model["words"]["answered"]
    assert "".join(model["words"]["answered"].split()) in pages[0]
    assert "យើងយល់ព្រម" not in "".join(pages)
    technical = word_model(cleared, "en", "technical", DRAFT)
    assert "".join(_read(typeset(technical))).count("យើងយល់ព្រម។") == 400
