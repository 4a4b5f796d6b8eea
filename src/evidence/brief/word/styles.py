"""How a Word document looks: styles for each language, as WordprocessingML.

Sizes are points, spaces points, colours those of the page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from evidence.brief.office import tag_of

INK, BLUE, MUTED, GREY = "1B2530", "00558C", "4F5A64", "C3CAD1"
_TINT, _AMBER, _RED = "EEF4F8", "FFF4D6", "FDECEC"
_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
LATIN, JAPANESE = "Noto Sans", "Noto Sans CJK JP"
_COMPLEX = {"km": "Noto Sans Khmer", "bn": "Noto Sans Bengali"}
_LEADING = {"km": 1.1, "bn": 1.05}
"""Lines apart, in line heights of the font; Noto's are high already."""
_OTHERS = {
    LATIN: "Segoe UI,Arial",
    JAPANESE: "Yu Gothic,Meiryo,MS Gothic",
    "Noto Sans Khmer": "Khmer UI,Leelawadee UI",
    "Noto Sans Bengali": "Nirmala UI,Vrinda",
}
"""What Word takes where a font is not installed."""


@dataclass(frozen=True, slots=True)
class Look:
    """A style of paragraphs or letters: sizes and spaces in points.

    ``shade`` is the colour behind, ``bar`` that of a line on the left; ``keep`` keeps a
    paragraph on the page of the next one; ``level`` is that of a heading.
    """

    name: str
    size: float = 10
    bold: bool = False
    color: str = INK
    before: float = 0
    after: float = 4
    shade: str = ""
    bar: str = ""
    indent: float = 0
    keep: bool = False
    level: int = 0
    kind: Literal["paragraph", "character"] = "paragraph"


LOOKS = (
    Look("BodyText"),
    Look("FirstParagraph"),
    Look("Compact", after=3),
    Look("ListText", after=3),
    Look("Heading1", 20, bold=True, before=6, after=8, keep=True, level=1),
    Look("Heading2", 13, bold=True, color=BLUE, before=14, after=4, keep=True, level=2),
    Look("Heading3", 11, bold=True, before=8, after=3, keep=True, level=3),
    Look("Kicker", 9, bold=True, color=BLUE, after=6),
    Look("Band", 9.5, bold=True, color="4A3000", after=6, shade=_AMBER, bar="8A5A00", indent=6),
    Look("Draft", 9.5, bold=True, color="7D1212", after=6, shade=_RED, bar="A11D1D", indent=6),
    Look("Edition", 9.5, bold=True, color="3C4751", after=6),
    Look("Question", color="3C4751", after=6),
    Look("KeyBox", 10.5, after=4, shade=_TINT, bar=BLUE, indent=6),
    Look("Note", 8.5, color=MUTED),
    Look("FigureTitle", 10.5, bold=True, before=8, after=0, keep=True),
    Look("FigureSub", 9, color=MUTED, after=2, keep=True),
    Look("Figure", after=2, keep=True),
    Look("Source", 8.5, color=MUTED, after=8),
    Look("TableCaption", 10, bold=True, before=8, after=3, keep=True),
    Look("TableText", 8.5, after=0),
    Look("Quotation", color="3C4751", after=4, bar=GREY, indent=12),
    Look("Header", 9, bold=True, color="A11D1D", after=0),
    Look("Footer", 8.5, color=MUTED, after=0),
    Look("Untold", 8.5, color=MUTED, kind="character"),
)
_NAMES = {
    "BodyText": "Body Text", "FirstParagraph": "First Paragraph", "Heading1": "heading 1",
    "Heading2": "heading 2", "Heading3": "heading 3", "TableCaption": "Table Caption",
    "Header": "header", "Footer": "footer",
}  # fmt: skip


def write_defaults(language: str) -> str:
    """Write the defaults of a document: fonts by script, language, size."""
    letters = _fonts(language) + _size(10) + _languages(language)
    return (
        f"<w:docDefaults {_W}><w:rPrDefault><w:rPr>{letters}</w:rPr></w:rPrDefault>"
        f"<w:pPrDefault><w:pPr>{_spacing(0, 4, language)}</w:pPr></w:pPrDefault></w:docDefaults>"
    )


def write_look(look: Look, language: str) -> str:
    """Write a style."""
    head = (
        f'<w:style {_W} w:type="{look.kind}" w:customStyle="{int(look.name not in _NAMES)}"'
        f' w:styleId="{look.name}"><w:name w:val="{_NAMES.get(look.name, look.name)}"/>'
    )
    letters = f"<w:rPr>{_letters(look)}</w:rPr>"
    if look.kind == "character":
        return f"{head}{letters}</w:style>"
    keep = "<w:keepNext/><w:keepLines/>" if look.keep else ""
    level = f'<w:outlineLvl w:val="{look.level - 1}"/>' if look.level else ""
    laid = keep + _bar(look) + _spacing(look.before, look.after, language) + _indent(look) + level
    based = '<w:basedOn w:val="Normal"/><w:qFormat/>'
    return f"{head}{based}<w:pPr>{laid}</w:pPr>{letters}</w:style>"


def write_table_style() -> str:
    """Write the style of tables: thin lines, a bold head, a bold first column."""
    bold = "<w:rPr><w:b/><w:bCs/></w:rPr>"
    head = f'<w:tcBorders><w:bottom w:val="single" w:sz="12" w:color="{INK}"/></w:tcBorders>'
    line = f'w:val="single" w:sz="4" w:space="0" w:color="{GREY}"'
    return (
        f'<w:style {_W} w:type="table" w:customStyle="1" w:styleId="Table"><w:name w:val="Table"/>'
        f"<w:tblPr><w:tblBorders><w:bottom {line}/><w:insideH {line}/></w:tblBorders>"
        '<w:tblCellMar><w:top w:w="40" w:type="dxa"/><w:left w:w="60" w:type="dxa"/>'
        '<w:bottom w:w="40" w:type="dxa"/><w:right w:w="60" w:type="dxa"/></w:tblCellMar></w:tblPr>'
        f'<w:tblStylePr w:type="firstRow">{bold}<w:tcPr>{head}</w:tcPr></w:tblStylePr>'
        f'<w:tblStylePr w:type="firstCol">{bold}</w:tblStylePr></w:style>'
    )


def write_fonts() -> str:
    """Write the table of fonts, with what stands in for one that is not installed."""
    fonts = "".join(
        f'<w:font w:name="{name}"><w:altName w:val="{others}"/><w:family w:val="swiss"/></w:font>'
        for name, others in _OTHERS.items()
    )
    return f"<w:fonts {_W}>{fonts}</w:fonts>"


def _fonts(language: str) -> str:
    script = _COMPLEX.get(language, _COMPLEX["km"])
    return (
        f'<w:rFonts w:ascii="{LATIN}" w:hAnsi="{LATIN}" w:eastAsia="{JAPANESE}" w:cs="{script}"/>'
    )


def _languages(language: str) -> str:
    tag = tag_of(language)
    return f'<w:lang w:val="{tag}" w:eastAsia="{tag_of("ja")}" w:bidi="{tag}"/>'


def _letters(look: Look) -> str:
    weight = "<w:b/><w:bCs/>" if look.bold else ""
    return f'{weight}<w:color w:val="{look.color}"/>{_size(look.size)}'


def _size(points: float) -> str:
    halves = round(2 * points)
    return f'<w:sz w:val="{halves}"/><w:szCs w:val="{halves}"/>'


def _spacing(before: float, after: float, language: str) -> str:
    line = round(240 * _LEADING.get(language, 1.0))
    return (
        f'<w:spacing w:before="{round(20 * before)}" w:after="{round(20 * after)}"'
        f' w:line="{line}" w:lineRule="auto"/>'
    )


def _indent(look: Look) -> str:
    return f'<w:ind w:left="{round(20 * look.indent)}"/>' if look.indent else ""


def _bar(look: Look) -> str:
    bar = f'<w:left w:val="single" w:sz="36" w:space="4" w:color="{look.bar}"/>'
    shade = f'<w:shd w:val="clear" w:color="auto" w:fill="{look.shade}"/>'
    return (f"<w:pBdr>{bar}</w:pBdr>" if look.bar else "") + (shade if look.shade else "")
