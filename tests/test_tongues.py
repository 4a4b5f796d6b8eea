"""Phrases in another language than their page's carry it in every format (WCAG 3.1.2)."""

from __future__ import annotations

import io
import re
import zipfile

import pikepdf
import pytest

from evidence.brief.exporter import BriefExporter, word_model, write_document
from evidence.brief.imprint import DRAFT, Imprint
from evidence.brief.pdf import typeset
from evidence.brief.tongues import split_runs
from evidence.disclosure import Cleared, Edition, clear
from evidence.neck import Neck
from evidence.study import Study

CHECKED = ({"role": "head of research", "organisation": "the ministry", "date": "2026-11-20"},)
SIGNED = Imprint(Edition(2, "2026-11-22", "", "", CHECKED, "", {}))


@pytest.fixture(scope="module")
def cleared(chains: Study, chains_neck: Neck) -> Cleared:
    return clear(chains_neck, chains)


@pytest.fixture(scope="module")
def citation(cleared: Cleared) -> str:
    (found,) = set(cleared.neck.protected["citations"].values())
    return str(found)


def test_a_text_is_split_where_its_language_changes() -> None:
    foreign = {"a role": "en", "a role at work": "en"}
    told = "Ký bởi: a role at work, ngày mai."
    assert split_runs(told, foreign) == [
        ("Ký bởi: ", ""), ("a role at work", "en"), (", ngày mai.", ""),
    ]  # fmt: skip
    assert split_runs("[x] (y)", {"[x]": "en"}) == [("[x]", "en"), (" (y)", "")]
    assert split_runs(told, {}) == [(told, "")]
    assert split_runs("", foreign) == [("", "")]


def test_only_what_is_foreign_to_the_page_is_named(cleared: Cleared, citation: str) -> None:
    assert word_model(cleared, "en", "", SIGNED)["foreign"] == {}
    foreign = word_model(cleared, "vi", "", SIGNED)["foreign"]
    assert foreign == {citation: "en", "head of research": "en"}


def test_pages_and_word_documents_mark_foreign_phrases(cleared: Cleared, citation: str) -> None:
    page, made = BriefExporter().from_cleared(cleared, "vi", imprint=SIGNED)
    spans = re.findall(r'<span lang="en">([^<]*)</span>', page)
    assert spans.count("head of research") == 1
    assert spans.count(citation.replace("'", "&#39;")) == page.count("Simulated data: no factory")
    document = write_document(cleared, made["brief"])
    with zipfile.ZipFile(io.BytesIO(document)) as packed:
        body = packed.read("word/document.xml").decode("utf-8")
    runs = re.findall(r'<w:lang w:val="en" ?/></w:rPr><w:t[^>]*>([^<]*)</w:t>', body)
    assert {"head of research", citation} <= set(runs)
    assert len(re.findall(re.escape(citation), body)) == runs.count(citation)
    page, _ = BriefExporter().from_cleared(cleared, "en", imprint=SIGNED)
    assert '<span lang="' not in page


@pytest.mark.parametrize("language", ["vi", "km"])
def test_a_pdf_marks_foreign_phrases_and_their_replaced_texts(
    cleared: Cleared, citation: str, language: str
) -> None:
    spoken = []
    payload = typeset(word_model(cleared, language, "government", DRAFT))
    with pikepdf.open(io.BytesIO(payload)) as pdf:
        for page in pdf.pages:
            for one in pikepdf.parse_content_stream(page):
                if str(one.operator) == "BDC" and "/MCID" in one.operands[1]:
                    told = one.operands[1]
                    pair = (str(told.get("/ActualText", "")), str(told.get("/Lang", "")))
                    spoken.append(pair)
    assert any(given == "en" for _, given in spoken)
    if language == "km":
        assert {given for text, given in spoken if citation in text} == {"en"}
        assert {text for text, _ in spoken if citation in text} == {citation}
