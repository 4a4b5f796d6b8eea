from __future__ import annotations

import io
import shutil
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import docx
import nbformat
import pytest

from evidence.brief import exporter, word
from evidence.brief.evidence import draw_pictures
from evidence.brief.exporter import word_model
from evidence.brief.imprint import DRAFT, Imprint
from evidence.brief.page import check_formats, render_page
from evidence.brief.plain import plain
from evidence.brief.word import can_write_word, write_word
from evidence.disclosure import Cleared, Edition, Reply, clear
from evidence.errors import BriefError
from evidence.neck import Neck
from evidence.study import Study

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
WP = "{http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing}"
REPLIES = (Reply("the employers' association", "2026-10-01", "2026-11-01",
                 answer={"en": "The numbers are\nold.", "vi": "Không đúng."}),)  # fmt: skip


@pytest.fixture(scope="module")
def cleared(chains: Study, chains_neck: Neck) -> Cleared:
    return clear(chains_neck, chains)


def _model(cleared: Cleared, language: str = "en", imprint: Imprint = DRAFT) -> dict[str, Any]:
    return word_model(cleared, language, "government", imprint)


def _shown(model: dict[str, Any]) -> list[dict[str, Any]]:
    return [part for part in model["sections"] if part["id"] != "trail"]


def _write(cleared: Cleared, model: dict[str, Any]) -> bytes:
    return write_word(model, draw_pictures(cleared, model))


@pytest.fixture(scope="module")
def model(cleared: Cleared) -> dict[str, Any]:
    return _model(cleared)


@pytest.fixture(scope="module")
def payload(cleared: Cleared, model: dict[str, Any]) -> bytes:
    return _write(cleared, model)


def _part(payload: bytes, name: str) -> str:
    with zipfile.ZipFile(io.BytesIO(payload)) as packed:
        return packed.read(name).decode("utf-8")


def _parts(payload: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(payload)) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def _texts(payload: bytes) -> list[str]:
    body = ET.fromstring(_part(payload, "word/document.xml"))
    return ["".join(t.text or "" for t in p.iter(f"{W}t")) for p in body.iter(f"{W}p")]


def test_the_document_says_what_the_model_says(payload: bytes, model: dict[str, Any]) -> None:
    texts = _texts(payload)
    assert model["title"] in texts
    assert texts.count(model["imprint"]["line"]) == 2
    for band in model["bands"]:
        assert texts.count(band) == 2
    for part in _shown(model):
        assert part["title"] in texts
        for block in part["blocks"]:
            if block["kind"] == "list":
                assert {item["text"] for item in block["items"]} <= set(texts)


def test_headings_styles_and_tables_are_real_ones(payload: bytes, model: dict[str, Any]) -> None:
    document = docx.Document(io.BytesIO(payload))
    named = [(p.style.name if p.style else "", p.text) for p in document.paragraphs]
    assert [text for style, text in named if style == "Heading 1"] == [model["title"]]
    heads = [text for style, text in named if style == "Heading 2"]
    assert heads == [part["title"] for part in _shown(model)]
    styles = {style for style, _ in named}
    assert {"KeyBox", "FigureTitle", "FigureSub", "Source", "Kicker", "Draft", "Band"} <= styles
    for table in document.tables:
        xml = table._tbl.xml
        assert xml.count("<w:tblHeader") == 1
        assert 'w:firstColumn="1"' in xml
        assert "<w:tblCaption" in xml
        assert xml.count("<w:cantSplit") == len(table.rows)
    assert len(document.tables) == 2
    assert (document.sections[0].page_width or 0) < (document.sections[0].page_height or 0)


def test_language_fonts_and_weights_are_named_for_every_script(payload: bytes) -> None:
    styles = ET.fromstring(_part(payload, "word/styles.xml"))
    defaults = styles.find(f"{W}docDefaults/{W}rPrDefault/{W}rPr")
    assert defaults is not None
    told = {el.tag.removeprefix(W): el.attrib for el in defaults}
    assert told["lang"] == {f"{W}val": "en-GB", f"{W}eastAsia": "ja-JP", f"{W}bidi": "en-GB"}
    assert set(told["rFonts"]) == {f"{W}{n}" for n in ("ascii", "hAnsi", "eastAsia", "cs")}
    for name in ("Heading1", "Heading2"):
        letters = styles.find(f"{W}style[@{W}styleId='{name}']/{W}rPr")
        assert letters is not None
        assert {"b", "bCs", "sz", "szCs"} <= {el.tag.removeprefix(W) for el in letters}


def test_figures_carry_their_words_once(payload: bytes, model: dict[str, Any]) -> None:
    figures = [b for part in model["sections"] for b in part["blocks"] if b["kind"] == "figure"]
    document = _part(payload, "word/document.xml")
    drawn = [el.attrib for el in ET.fromstring(document).iter(f"{WP}docPr")]
    assert [el["descr"] for el in drawn] == [figure["alt"] for figure in figures]
    assert "base64" not in document


def test_the_same_bytes_each_time_and_no_person_or_day(
    payload: bytes, cleared: Cleared, model: dict[str, Any]
) -> None:
    assert payload == _write(cleared, model)
    properties = docx.Document(io.BytesIO(payload)).core_properties
    assert (properties.title, properties.language) == (model["title"], "en-GB")
    assert (properties.author, properties.last_modified_by) == ("", "")
    core = _part(payload, "docProps/core.xml")
    assert "created" not in core
    with zipfile.ZipFile(io.BytesIO(payload)) as packed:
        assert {entry.date_time[0] for entry in packed.infolist()} == {1980}


def test_an_edition_carries_its_day_who_checked_and_the_replies(cleared: Cleared) -> None:
    checked = ({"role": "head", "organisation": "the ministry", "date": "2026-11-20"},)
    edition = Edition(2, "2026-11-22", "", "", checked, "", {})
    model = _model(cleared, imprint=Imprint(edition, REPLIES))
    payload = _write(cleared, model)
    texts, core = _texts(payload), _part(payload, "docProps/core.xml")
    assert texts.count(model["imprint"]["line"]) == 2
    assert model["checked"][0] in texts
    assert model["replies"][0]["asked"] in texts
    assert "The numbers areold." in texts
    assert core.count("2026-11-22T00:00:00Z") == 2
    assert "Draft" not in "".join(texts)


def test_every_version_has_its_document_where_pandoc_is_here(
    cleared: Cleared, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "brief.en.docx" in render_page(cleared, "en", "government", DRAFT)
    monkeypatch.setattr(word, "_NEEDED", ("no_such_module",))
    assert not can_write_word()
    assert "brief.en.html" in render_page(cleared, "en", "government", DRAFT)
    with pytest.raises(BriefError, match=r"evidence\[docx\]"):
        write_word({}, {})


def test_an_edition_with_word_documents_is_not_taken_for_another_without_pandoc(
    cleared: Cleared, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = Edition(1, "2026-11-22", "", "", (), "", {"brief.en.docx": "0"})
    check_formats(cleared.study, published)
    monkeypatch.setattr(word, "_NEEDED", ("no_such_module",))
    check_formats(cleared.study, replace(published, files={"brief.en.html": "0"}))
    with pytest.raises(BriefError, match=r"edition 1.*evidence\[docx\]"):
        check_formats(cleared.study, published)


def test_nbconvert_s_door_gives_the_document(
    cleared: Cleared, payload: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = exporter.BriefDocxExporter(config={"BriefDocxExporter": {"audience": "government"}})
    with pytest.raises(BriefError, match="no metadata 'evidence'"):
        made.from_notebook_node(nbformat.v4.new_notebook())
    monkeypatch.setattr(exporter, "_clear_notebook", lambda *_: cleared)
    document, told = made.from_notebook_node(nbformat.v4.new_notebook())
    assert (document, told["output_extension"]) == (payload, ".docx")


VECTORS = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "**b** `x` # h",
    "![](SECRET)", "![x](file://SECRET)", "[x](javascript:alert(1))", "<iframe src=SECRET>",
    "```mermaid\ngraph TD; A[<b>x</b>]\n```", "`<w:p/>`{=openxml}", "::: {custom-style=x}",
    r"\input{SECRET}", r"$\input{SECRET}$", '#read("SECRET")', "{{ 7*7 }}", "a\x00\x1b\ufffe",
    '=HYPERLINK("http://x.example","y")', "=cmd|'/C calc'!A0", "{ DDEAUTO c:\\\\x }", "&amp; <!-- x -->",
    "]]><x>", "\u202eabc", "@SUM(1)",
)  # fmt: skip


@pytest.mark.parametrize("vector", VECTORS)
def test_values_are_texts_and_nothing_else(
    vector: str, cleared: Cleared, model: dict[str, Any], tmp_path: Path
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("PLANTED-SECRET", "utf-8")
    value = vector.replace("SECRET", str(secret))
    shown = plain(value)
    hostile = {**model, "title": value, "sections": [_put_in(p, value) for p in model["sections"]]}
    payload = _write(cleared, hostile)
    parts, clean = _parts(payload), _parts(_write(cleared, model))
    assert not any(b"PLANTED-SECRET" in data for data in parts.values())
    assert set(parts) == set(clean)
    rels = {name for name in parts if name.endswith(".rels")}
    assert all(parts[name].count(b"<Relationship ") == clean[name].count(b"<Relationship ")
               for name in rels)  # fmt: skip
    body, before = parts["word/document.xml"].decode(), clean["word/document.xml"].decode()
    for name in ("<w:hyperlink", "<w:fldSimple", "<w:instrText", "<w:altChunk", "<w:p>",
                 "<w:object", "<w:drawing", "<pic:pic"):  # fmt: skip
        assert body.count(name) == before.count(name)
    texts = _texts(payload)
    assert texts.count(shown) >= 6
    drawn = [el.get("descr") for el in ET.fromstring(body).iter(f"{WP}docPr")]
    assert drawn == [shown]
    assert docx.Document(io.BytesIO(payload)).core_properties.title == shown


def _put_in(part: dict[str, Any], value: str) -> dict[str, Any]:
    """Put a value into every kind of place: heading, text, item, caption, cell, picture."""
    return {**part, "title": value, "blocks": [_replace(block, value) for block in part["blocks"]]}


def _replace(block: dict[str, Any], value: str) -> dict[str, Any]:
    names = ("text", "title", "subtitle", "alt", "source", "caption", "note", "items", "head",
             "body", "table", "notes")  # fmt: skip
    return {key: _swap(one, value) if key in names else one for key, one in block.items()}


def _swap(content: Any, value: str) -> Any:
    if isinstance(content, str):
        return value if content else content
    if isinstance(content, dict):
        return _replace(content, value)
    return [_swap(one, value) for one in content]


@pytest.mark.skipif(shutil.which("soffice") is None, reason="needs LibreOffice")
def test_libreoffice_opens_it(payload: bytes, model: dict[str, Any], tmp_path: Path) -> None:
    source = tmp_path / "brief.docx"
    source.write_bytes(payload)
    home = f"-env:UserInstallation={(tmp_path / 'office').as_uri()}"
    subprocess.run(
        ["soffice", home, "--headless", "--convert-to", "fodt", "--outdir", tmp_path, source],
        check=True, capture_output=True, timeout=180,
    )  # fmt: skip
    text = (tmp_path / "brief.fodt").read_text("utf-8")
    assert text.count("<text:h ") == 1 + len(_shown(model))
    assert text.count("<table:table-header-rows>") == 2
    assert "<svg:desc>" in text
    assert 'fo:language="en" fo:country="GB"' in text
