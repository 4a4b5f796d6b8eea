"""What pandoc leaves open in a Word document: page, styles, languages, tables, imprint."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import docx
from docx.document import Document
from docx.oxml import parse_xml
from docx.oxml.ns import qn
from docx.shared import Cm
from docx.table import Table

from evidence.brief.office import XML, pack_again, tag_of
from evidence.brief.plain import plain
from evidence.brief.word.styles import (
    LOOKS,
    write_defaults,
    write_fonts,
    write_look,
    write_table_style,
)

Model = Mapping[str, Any]

_MARGIN = Cm(2)
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_BOTH_HEADS = "00A0"
"""What Word calls a table with a head and with a first column that names the rows."""


def finish(payload: bytes, model: Model) -> bytes:
    """Finish a document of pandoc; the same bytes each time, and no person's name."""
    document = docx.Document(io.BytesIO(payload))
    language = model["language"]
    _set_page(document, model)
    _set_styles(document, language)
    for table in document.tables:
        _finish_table(table)
    _set_bullets(document)
    for picture in document.element.iter(qn("pic:cNvPr")):
        picture.attrib.pop("descr", None)
    buffer = io.BytesIO()
    document.save(buffer)
    return pack_again(
        buffer.getvalue(), model["title"], language, model["date"],
        word__fontTable_xml=XML + write_fonts(),
    )  # fmt: skip


def _set_page(document: Document, model: Model) -> None:
    """Set A4 with margins, a running head while it is a draft, and a foot with page numbers."""
    page = document.sections[0]
    page.page_width, page.page_height = Cm(21), Cm(29.7)
    page.left_margin = page.right_margin = page.top_margin = page.bottom_margin = _MARGIN
    page.header_distance = page.footer_distance = Cm(1)
    mark = model["imprint"].get("mark", "")
    if mark:
        page.header.paragraphs[0].text = plain(mark)
    foot = page.footer.paragraphs[0]
    foot.text = plain(f"{model['kicker']} · ")
    for name in ("begin", "PAGE", "end"):
        foot.add_run()._r.append(_field(name))


def _field(name: str) -> Any:
    if name in {"begin", "end"}:
        return parse_xml(f'<w:fldChar xmlns:w="{_WORD}" w:fldCharType="{name}"/>')
    return parse_xml(f'<w:instrText xmlns:w="{_WORD}" xml:space="preserve"> {name} </w:instrText>')


def _set_styles(document: Document, language: str) -> None:
    """Put own styles in the place of pandoc's; every other style loses its font."""
    styles = document.styles.element
    made = [parse_xml(write_look(look, language)) for look in LOOKS]
    made.append(parse_xml(write_table_style()))
    own = {style.get(qn("w:styleId")) for style in made}
    for style in styles.findall(qn("w:style")):
        if style.get(qn("w:styleId")) in own:
            styles.remove(style)
    for fonts in list(styles.iter(qn("w:rFonts"))):
        fonts.getparent().remove(fonts)
    styles.remove(styles.find(qn("w:docDefaults")))
    styles.insert(0, parse_xml(write_defaults(language)))
    styles.extend(made)
    theme = document.settings.element.find(qn("w:themeFontLang"))
    theme.set(qn("w:val"), tag_of(language))


def _set_bullets(document: Document) -> None:
    """Put a bullet of every font in the place of the one that only Symbol has."""
    for level in document.part.numbering_part.element.iter(qn("w:lvl")):
        if level.find(qn("w:numFmt")).get(qn("w:val")) == "bullet":
            level.find(qn("w:lvlText")).set(qn("w:val"), "\N{BULLET}")
        for fonts in list(level.iter(qn("w:rFonts"))):
            fonts.getparent().remove(fonts)


def _finish_table(table: Table) -> None:
    """Let no row break or stand alone, keep the note below, declare the first column as head."""
    look = table._tbl.tblPr.find(qn("w:tblLook"))
    look.set(qn("w:firstColumn"), "1")
    look.set(qn("w:val"), _BOTH_HEADS)
    rows = list(table.rows)
    for row in rows:
        row._tr.get_or_add_trPr().insert(0, parse_xml(_element("cantSplit")))
    for style in table._tbl.iter(qn("w:pStyle")):
        style.set(qn("w:val"), "TableText")
    for row in {*rows[:2], *rows[-3:]}:
        for style in row._tr.iter(qn("w:pStyle")):
            style.addnext(parse_xml(_element("keepNext")))


def _element(name: str) -> str:
    return f'<w:{name} xmlns:w="{_WORD}"/>'
