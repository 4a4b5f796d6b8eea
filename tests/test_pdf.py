"""The PDF of a brief: standards, text layer, pages, and nothing of the data as code."""

from __future__ import annotations

import copy
import io
import json
import tomllib
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import page
import pikepdf
import pypdfium2
import pytest
from icu4py.breakers import WordBreaker

from evidence.brief.columns import share_width
from evidence.brief.exporter import BriefPdfExporter
from evidence.brief.imprint import DRAFT, Imprint, word_imprint
from evidence.brief.model import compose
from evidence.brief.page import render_page
from evidence.brief.pdf import typeset, typeset_slides
from evidence.brief.pdf.layout import float_figures, lay_out, list_leaves, measure
from evidence.brief.pdf.tagging import finish
from evidence.disclosure import Cleared, Edition, clear, scan_bytes
from evidence.errors import BriefError, DisclosureError
from evidence.neck import Neck
from evidence.study import Study

STANDARDS = (page.ValidationProfile.PDF_UA_1, page.ValidationProfile.PDF_A_2A)
REFERENCES = Path(__file__).parent / "references"
STUDIES = Path(__file__).parents[1] / "notebooks" / "studies"
LANGUAGES = tomllib.loads((STUDIES / "plants.toml").read_text("utf-8"))["brief"]["languages"]
SPECIMENS = sorted(path.stem.split(".")[1] for path in REFERENCES.glob("sentences.*.json"))
AUDIENCES = ("government", "workers", "employers", "buyers", "public")
SECRETS = {
    "en": "Padma Łódź Stitch Ltd",
    "km": "ក្រុមហ៊ុន ស្ត្រីខ្ញុំ",
    "bn": "পদ্মা স্বাস্থ্য লিমিটেড",
}
UNPRINTED = "\u200b\u2060\u00ad"


@pytest.fixture(scope="module")
def cleared(plants: Study, plants_neck: Neck) -> Cleared:
    return clear(plants_neck, plants)


@pytest.fixture(scope="module")
def chained(chains: Study, chains_neck: Neck) -> Cleared:
    return clear(chains_neck, chains)


def worded(cleared: Cleared, language: str, audience: str = "") -> dict[str, Any]:
    """Compose a draft that a test may change: blocks are shared between composed models."""
    model = {**compose(cleared, language, audience), **word_imprint(DRAFT, language)}
    return copy.deepcopy(model)


def specimen(cleared: Cleared, language: str) -> dict[str, Any]:
    """Put golden sentences of a language into a brief, whatever languages its study has."""
    path = REFERENCES / f"sentences.{language}.json"
    said = [text for text in _strings(json.loads(path.read_text("utf-8"))) if len(text) > 12]
    texts = iter(said * 20)
    model = worded(cleared, "en")
    model |= {"language": language, "title": next(texts), "question": next(texts)}
    for block in (block for part in model["sections"] for block in part["blocks"]):
        for key in block.keys() & {"text", "title", "subtitle", "source", "caption", "note"}:
            block[key] = next(texts)
        for item in block.get("items", ()):
            item["text"] = next(texts)
        for cell in (cell for row in block.get("body", ()) for cell in row):
            cell["text"] = next(texts)[:12]
    return model


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)


def read_text(payload: bytes) -> str:
    with pypdfium2.PdfDocument(payload) as pdf:
        return "\n".join(pdf[n].get_textpage().get_text_range() for n in range(len(pdf)))


def squeeze(text: str) -> str:
    kept = (c for c in unicodedata.normalize("NFC", text) if c not in UNPRINTED)
    return "".join(c for c in kept if not c.isspace())


def score(payload: bytes, texts: list[str], language: str) -> float:
    """Measure the share of the words (ICU) of texts that the text layer holds, without spaces."""
    layer = squeeze(read_text(payload))
    words = {squeeze(word) for text in texts for word in WordBreaker(text, language)}
    words = {word for word in words if len(word) > 1}
    return sum(word in layer for word in words) / len(words)


def count_pages(payload: bytes) -> int:
    with pikepdf.open(io.BytesIO(payload)) as pdf:
        return len(pdf.pages)


def check(payload: bytes, model: dict[str, Any], leaves: list[str]) -> None:
    for standard in STANDARDS:
        report = page.validate_pdf_bytes(payload, profile=standard)
        assert [failure.rule_id for failure in report.failures] == []
    assert score(payload, leaves, model["language"]) >= 0.98
    layer = read_text(payload)
    assert "\0" not in layer
    assert "\ufffd" not in layer


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["plants", "value_chains"])
def test_each_audience_of_a_study_has_two_pages_that_meet_the_standards(
    request: pytest.FixtureRequest, name: str, language: str
) -> None:
    own: Cleared = request.getfixturevalue("cleared" if name == "plants" else "chained")
    for audience in AUDIENCES:
        model = worded(own, language, audience)
        made = typeset(model)
        assert count_pages(made) == 2, audience
        if audience in {"government", "public"}:
            check(made, model, list_leaves(lay_out(model)))
            scan_bytes(made, own, "brief.pdf")


@pytest.mark.parametrize("language", SPECIMENS)
def test_each_language_can_be_read_out(cleared: Cleared, language: str) -> None:
    model = specimen(cleared, language)
    made = typeset(model)
    leaves = list_leaves(lay_out(model))
    check(made, model, leaves)
    assert typeset(model) == made
    assert score(made, ["absentword", *leaves], "en") < 1
    slides = typeset_slides(model)
    check(slides, model, [model["title"]])
    scan_bytes(slides, cleared, "slides.pdf")


def test_the_technical_version_holds_the_annex_that_two_pages_leave_out(cleared: Cleared) -> None:
    trail = {"kind": "trail", "name": "f", "title": "One number", "steps": [("Cell", "where-made")]}
    for audience, held in (("technical", True), ("government", False)):
        model = worded(cleared, "en", audience)
        model["sections"].append({"id": "trail", "title": "Trail", "blocks": [trail] * 40})
        made = typeset(model)
        assert ("where-made" in read_text(made)) == held
        assert (count_pages(made) > 2) == held
        assert page.validate_pdf_bytes(made, profile="pdfua-1").is_compliant


def test_row_headers_title_language_and_date_stand_in_the_file(cleared: Cleared) -> None:
    edition = Edition(3, "2026-11-22", "c", "s", (), "", {})
    model = {**compose(cleared, "en"), **word_imprint(Imprint(edition), "en")}
    with pikepdf.open(io.BytesIO(typeset(model))) as pdf:
        assert pdf.Root.Lang == "en"
        assert pdf.docinfo.Title == model["title"]
        assert "/Author" not in pdf.docinfo
        assert str(pdf.docinfo.CreationDate).startswith("D:20261122")
        scopes = [str(item.A[0].Scope) for item in pdf.objects
                  if isinstance(item, pikepdf.Dictionary) and item.get("/S") == "/TH"
                  and "/A" in item and "/Scope" in item.A[0]]  # fmt: skip
    table = next(b for b in _blocks(model) if b["kind"] == "table")
    assert scopes.count("/Row") == len(table["body"])
    assert scopes.count("/Column") == len(table["head"])


def _blocks(model: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from (block for part in model["sections"] for block in part["blocks"])


VECTORS = (
    "<script>alert(1)</script>",
    "#let x = 1",
    "#image(\"/etc/hostname\")",
    "#read(\"/etc/hostname\")",
    "$ sum_(i) $",
    "\\input{/etc/hostname}",
    "![x](/etc/hostname)",
    "= A heading",
    "*strong* _emphasis_ `raw`",
    "[a]{b}(c) @label <label>",
    "#sys.inputs",
    "// no comment",
    "/* neither */ -- ---",
    "\\u{41} ~ \"quoted\" 'single'",
)  # fmt: skip


@pytest.mark.parametrize("language", ["en", "bn"])
def test_values_from_data_are_text_and_never_code(cleared: Cleared, language: str) -> None:
    model = worded(cleared, "en") | {"language": language}
    for block in _blocks(model):
        for cell, vector in zip([r[0] for r in block.get("body", ())], VECTORS, strict=False):
            cell["text"] = vector
        if block["kind"] == "list":
            block["items"] = [{"text": v, "notes": [v], "rests": []} for v in VECTORS]
    layer = squeeze(read_text(typeset(model | {"title": " ".join(VECTORS), "kicker": VECTORS[0]})))
    for vector in VECTORS:
        assert layer.count(squeeze(vector)) >= 3, vector


def test_a_picture_comes_from_the_brief_and_from_nowhere_else(cleared: Cleared) -> None:
    model = worded(cleared, "en")
    figure = next(block for block in _blocks(model) if block["kind"] == "figure")
    for address in ("/etc/hostname", "file:///etc/hostname", "data:image/png;base64,AAAA"):
        figure["wide"] = address
        with pytest.raises(BriefError, match="no SVG inside the brief"):
            typeset(model)


def test_what_cannot_be_set_is_refused_in_words(cleared: Cleared) -> None:
    with pytest.raises(BriefError, match="characters that no font"):
        typeset(worded(cleared, "en") | {"title": "Thai ก"})
    model = worded(cleared, "en")
    next(block for block in _blocks(model) if block["kind"] == "figure")["alt"] = ""
    with pytest.raises(BriefError, match="alt"):
        typeset(model)


def test_texts_that_do_not_match_the_tags_fail_the_build(cleared: Cleared) -> None:
    model = worded(cleared, "en") | {"language": "bn"}
    leaves, made = list_leaves(lay_out(model)), typeset(model)
    with pytest.raises(BriefError, match="no longer agree"):
        finish(made, leaves[:-1])
    with pytest.raises(BriefError, match="no longer agree"):
        finish(made, [*leaves, "one more"])


@pytest.mark.parametrize("language", list(SECRETS))
def test_an_identifier_in_a_label_is_found_in_the_text_layer(
    cleared: Cleared, language: str
) -> None:
    secret = SECRETS[language]
    protected = {**cleared.neck.protected, "identifiers": [secret]}
    own = clear(replace(cleared.neck, protected=protected), cleared.study)
    model = worded(cleared, "en") | {"language": language}
    scan_bytes(typeset(model), own, "brief.pdf")
    for kind, change in PLANTED.items():
        planted = copy.deepcopy(model)
        change(next(block for block in _blocks(planted) if block["kind"] == kind), secret)
        with pytest.raises(DisclosureError, match="an identifier of a"):
            scan_bytes(typeset(planted), own, "brief.pdf")
    with pytest.raises(DisclosureError, match="an identifier of a"):
        scan_bytes(typeset_slides(model | {"title": secret}), own, "slides.pdf")


def _name_row(table: dict[str, Any], secret: str) -> None:
    table["body"][1][0]["text"] = f"a ({secret}) b"


def _name_in_alt(figure: dict[str, Any], secret: str) -> None:
    figure["alt"] += f" {secret}."


PLANTED = {"table": _name_row, "figure": _name_in_alt}


def test_a_version_has_its_pdf_and_a_language_its_slides_and_technical_version(
    cleared: Cleared,
) -> None:
    files = render_page(cleared, "en", "government", DRAFT)
    made = {name for name in files if name.endswith(".pdf")}
    assert made == {"brief.en.pdf", "slides.en.pdf", "technical.en.pdf"}
    assert files["brief.en.pdf"].startswith(b"%PDF-1.7")


def test_nbconvert_writes_the_pdf_of_a_run(
    cleared: Cleared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evidence.brief.exporter._clear_notebook", lambda *_: cleared)
    exporter = BriefPdfExporter()
    made, resources = exporter.from_notebook_node(nbformat.v4.new_notebook())
    assert made == typeset(worded(cleared, "en"))
    assert resources["output_extension"] == exporter.file_extension == ".pdf"
    assert exporter.output_mimetype == "application/pdf"


def test_a_gap_is_measured_and_a_lone_figure_takes_its_heading_along() -> None:
    marks = [
        {"n": 0, "page": 1, "depth": 0.1, "whole": False},
        {"n": 0, "page": 1, "depth": 0.6, "whole": False},
        {"n": 1, "page": 1, "depth": 0.6, "whole": True},
        {"n": 1, "page": 2, "depth": 0.5, "whole": True},
    ]
    pages, gap = measure(marks)
    assert (pages, round(gap, 9)) == (2, 0.4)
    split = [*marks[:2], *({**mark, "whole": False} for mark in marks[2:])]
    assert measure(split) == (2, 0.0)
    head, figure, text = ({"kind": kind} for kind in ("heading", "figure", "paragraph"))
    assert float_figures([head, figure], headed=False)[0]["children"] == [head, figure]
    assert float_figures([head, figure, text], headed=False)[0] == head
    assert float_figures([head, figure, text], headed=True)[0]["children"] == [head, figure]
    table = {"kind": "table"}
    assert float_figures([head, figure, table], headed=True)[1] == table
    floated = float_figures([head, figure, table, text], headed=True, tables=True)
    assert [node.get("children") for node in floated] == [[head, figure], [table], None]


def test_columns_are_as_wide_as_their_texts_within_bounds() -> None:
    head = ["Place", "A long head that may break into several lines of a few letters"]
    body = [[{"text": text} for text in row] for row in (["Viet Nam", "−1.4"], ["Japan", "0.2"])]
    place, amount = share_width(head, body)
    assert place + amount == pytest.approx(1)
    assert place < amount
    longer = [[{"text": "x" * 400}, *body[0][1:]]]
    assert place < share_width(head, longer)[0] < 0.7
    assert share_width(["ア" * 8, "x" * 16], [])[1] == pytest.approx(1 / 2.15)
    assert sum(share_width(head, [])) == pytest.approx(1)
