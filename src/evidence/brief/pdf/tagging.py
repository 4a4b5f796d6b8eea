"""What typst leaves undone in a PDF's tags: row headers, and texts that can be read.

Typst splits Khmer and Bangla syllables into pieces and repeats their letters on each. A block's
text is therefore given once, as the replacement text (ActualText, PDF 32000-1:2008, 14.9.4)
of the block's first piece; the other pieces get a space of no width, as an empty
replacement is ignored by some readers.
"""

from __future__ import annotations

import codecs
import io
import itertools
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pikepdf

from evidence.brief.tongues import split_runs
from evidence.errors import BriefError

_BLOCKS = {"/P", "/H1", "/H2", "/H3", "/LBody", "/TH", "/TD", "/Caption"}
_BEGIN = {"BDC", "BMC"}
_SILENT = "\u200b"
_KEPT = {"/MCID", "/Lang"}


def finish(
    payload: bytes, leaves: Sequence[str] | None = None, foreign: Mapping[str, str] | None = None
) -> bytes:
    """Set row headers and, where ``leaves`` are given, the text of each block.

    Parameters
    ----------
    leaves : sequence of str, optional
        The text of every block in the order of the tag tree.
    foreign : mapping, optional
        Phrases in another language, each with that language: they keep pieces of their own.

    Raises
    ------
    BriefError
        Where the tag tree has more or fewer blocks than texts.
    """
    with pikepdf.open(io.BytesIO(payload)) as pdf:
        _set_row_headers(pdf)
        if leaves is not None:
            contents = [pikepdf.parse_content_stream(page) for page in pdf.pages]
            for page, texts in _place(pdf, contents, leaves, foreign or {}).items():
                content = _pack(pikepdf.unparse_content_stream(_rewrite(contents[page], texts)))
                pdf.pages[page].Contents = pdf.make_stream(content, Filter=pikepdf.Name.FlateDecode)
        return _save(pdf)


def _save(pdf: pikepdf.Pdf) -> bytes:
    """Save with no stream whose data end in a carriage return.

    Before ``endstream`` stands a line feed: both together may be read as one end of line,
    which makes the stream's length wrong (ISO 19005-2, 6.1.7.1).
    """
    for item in pdf.objects:
        if isinstance(item, pikepdf.Stream) and item.read_raw_bytes().endswith(b"\r"):
            item.write(item.read_bytes())
    for mode in (pikepdf.ObjectStreamMode.preserve, pikepdf.ObjectStreamMode.disable):
        buffer = io.BytesIO()
        pdf.save(
            buffer,
            object_stream_mode=mode,
            stream_decode_level=pikepdf.StreamDecodeLevel.none,
            compress_streams=False,
            deterministic_id=True,
        )
        if b"\r\nendstream" not in buffer.getvalue():
            break
    return buffer.getvalue()


def _pack(content: bytes) -> bytes:
    """Compress page content; a further space changes the last byte where it is a return."""
    while (packed := zlib.compress(content, 9)).endswith(b"\r"):
        content += b" "
    return packed


def _kids(element: Any) -> list[Any]:
    found = element.get("/K")
    if found is None:
        return []
    return list(found) if isinstance(found, pikepdf.Array) else [found]


def _is_element(kid: Any) -> bool:
    return isinstance(kid, pikepdf.Dictionary) and "/S" in kid


def _walk(element: Any) -> Iterator[Any]:
    """Yield the elements below one, depth first, in reading order."""
    for kid in _kids(element):
        if _is_element(kid):
            yield kid
            yield from _walk(kid)


def _set_row_headers(pdf: pikepdf.Pdf) -> None:
    for element in _walk(pdf.Root.StructTreeRoot):
        cells = [kid for kid in _kids(element) if _is_element(kid)]
        if element.S == "/TR" and cells and cells[0].S == "/TD":
            cells[0].S = pikepdf.Name.TH
            scope = pikepdf.Dictionary(O=pikepdf.Name.Table, Scope=pikepdf.Name.Row)
            cells[0].A = pikepdf.Array([scope])


def _place(
    pdf: pikepdf.Pdf,
    contents: Sequence[Sequence[Any]],
    leaves: Sequence[str],
    foreign: Mapping[str, str],
) -> dict[int, dict[int, str]]:
    """Find the pieces of every block: page → id of the piece → text that replaces it."""
    numbers = {page.obj.objgen: n for n, page in enumerate(pdf.pages)}
    blocks = [element for element in _walk(pdf.Root.StructTreeRoot) if str(element.S) in _BLOCKS]
    if len(blocks) != len(leaves):
        raise BriefError(
            "the tags of a PDF",
            seen=f"{len(blocks)} blocks",
            expected=f"{len(leaves)}, one a text of the brief",
            do="Report this: the template and brief/pdf/layout.py no longer agree.",
        )
    found: dict[int, dict[int, str]] = {n: {} for n in numbers.values()}
    spoken = [_read_languages(content) if foreign else {} for content in contents]
    for block, text in zip(blocks, leaves, strict=True):
        pieces = [(numbers[page.objgen], n) for page, n in _pieces(block, block.get("/Pg"))]
        for page, piece, run in _share(text, pieces, spoken, foreign):
            found[page][piece] = run
    return found


def _share(
    text: str,
    pieces: Sequence[tuple[int, int]],
    spoken: Sequence[Mapping[int, str]],
    foreign: Mapping[str, str],
) -> Iterator[tuple[int, int, str]]:
    """Share a block's text among its pieces: to the first, or to the first of each language."""
    changes = itertools.groupby(pieces, key=lambda place: spoken[place[0]].get(place[1], ""))
    groups = [list(group) for _, group in changes]
    runs = [run for run, _ in split_runs(text, foreign)]
    if len(runs) != len(groups):
        groups, runs = [list(pieces)], [text]
    for group, run in zip(groups, runs, strict=True):
        for n, (page, piece) in enumerate(group):
            yield page, piece, _SILENT if n else run


def _read_languages(content: Sequence[Any]) -> dict[int, str]:
    """Read which pieces of a page are in another language than what they stand in."""
    found = [_properties(one) for one in content if str(one.operator) == "BDC"]
    return {int(told.MCID): str(told.Lang) for told in found if "/MCID" in told and "/Lang" in told}


def _pieces(element: Any, page: Any) -> Iterator[tuple[Any, int]]:
    """Yield page and id of the marked contents of an element and of its inline elements."""
    for kid in _kids(element):
        if isinstance(kid, int):
            yield page, kid
        elif "/MCID" in kid:
            yield kid.get("/Pg", page), int(kid.MCID)
        elif _is_element(kid) and str(kid.S) not in _BLOCKS:
            yield from _pieces(kid, kid.get("/Pg", page))


def _rewrite(content: Sequence[Any], texts: Mapping[int, str]) -> list[Any]:
    """Give the marked contents of a page their texts; texts inside them are dropped."""
    kept: list[Any] = []
    stack: list[str] = []
    for instruction in content:
        operator = str(instruction.operator)
        if operator in _BEGIN:
            piece = _piece_of(instruction)
            inside = "block" in stack
            if piece in texts:
                stack.append("block")
                kept.append(_replace(instruction, texts[piece]))
                continue
            drop = inside and operator == "BDC" and "/ActualText" in _properties(instruction)
            stack.append("dropped" if drop else "kept")
            if drop:
                continue
        elif operator == "EMC" and stack.pop() == "dropped":
            continue
        kept.append(instruction)
    return kept


def _piece_of(instruction: Any) -> int:
    return int(_properties(instruction).get("/MCID", -1))


def _properties(instruction: Any) -> Any:
    operands = instruction.operands
    named = len(operands) == 2 and isinstance(operands[1], pikepdf.Dictionary)
    return operands[1] if named else {}


def _replace(instruction: Any, text: str) -> pikepdf.ContentStreamInstruction:
    coded = codecs.BOM_UTF16_BE + text.encode("utf-16-be")
    kept = {key: value for key, value in _properties(instruction).items() if key in _KEPT}
    properties = pikepdf.Dictionary({**kept, "/ActualText": pikepdf.String(coded)})
    operands = [pikepdf.Name.Span, properties]
    return pikepdf.ContentStreamInstruction(operands, pikepdf.Operator("BDC"))
