"""A brief as pandoc's document tree.

Every value is a string of the tree (``Str``), which pandoc writes as it stands: no markup is
ever read, so no value can become one.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from evidence.brief.blocks import Block, Section
from evidence.brief.columns import share_width
from evidence.brief.plain import plain
from evidence.brief.tongues import split_runs
from evidence.errors import BriefError

Node = dict[str, Any]
Model = Mapping[str, Any]
Pictures = Mapping[str, bytes]

_VERSION = [1, 23, 1]
_WIDTH, _CODE_WIDTH = "17cm", "2.5cm"
_LAST = ("replies", "source", "trail", "imprint")
_HOLLOW = "\N{WHITE CIRCLE}\N{NO-BREAK SPACE}"


def lay_out(model: Model, pictures: Pictures) -> Node:
    """Lay a brief out as a document of pandoc.

    Parameters
    ----------
    pictures : mapping of str to bytes
        PNG by the name of its figure; ``code`` is that of the QR code.

    Raises
    ------
    BriefError
        Where a figure has no picture, or a block is of a kind that Word does not know here.
    """
    parts = [part for part in model["sections"] if _is_shown(part, model["audience"])]

    def lay(*names: str) -> Iterator[Node]:
        chosen = [part for part in parts if (part["id"] if part["id"] in _LAST else "") in names]
        return (node for part in chosen for node in _section(part, pictures))

    blocks = [
        *_front(model),
        *lay(""),
        *_answers(model),
        *lay("replies", "source", "trail"),
        *(_styled("Note", text) for text in model["checked"]),
        *lay("imprint"),
        *_code(model, pictures),
        *_bands(model),
        _line(model),
    ]
    told = _mark_foreign(blocks, model["foreign"]) if model["foreign"] else blocks
    return {"pandoc-api-version": _VERSION, "meta": {}, "blocks": told}


def _mark_foreign(node: Any, foreign: Mapping[str, str]) -> Any:
    """Name the language of phrases in another one than the document's, wherever they stand."""
    if isinstance(node, dict):
        return {key: _mark_foreign(value, foreign) for key, value in node.items()}
    if not isinstance(node, list):
        return node
    return [
        marked
        for child in node
        for marked in (
            _speak(child["c"], foreign)
            if isinstance(child, dict) and child.get("t") == "Str"
            else [_mark_foreign(child, foreign)]
        )
    ]


def _speak(text: str, foreign: Mapping[str, str]) -> Iterator[Node]:
    for run, language in split_runs(text, foreign):
        yield _span(run, language) if language else _string(run)


def _is_shown(part: Section, audience: str) -> bool:
    """Leave the trail of each number to the technical reader."""
    return part["id"] != "trail" or audience == "technical"


def _front(model: Model) -> Iterator[Node]:
    yield _styled("Kicker", model["kicker"])
    yield _line(model)
    yield from _bands(model)
    yield _heading(1, model["title"])
    if model["question"]:
        asked = {"t": "Strong", "c": [_string(f"{model['words']['question']}.")]}
        yield _div("Question", _para([asked, {"t": "Space"}, _string(model["question"])]))


def _bands(model: Model) -> list[Node]:
    return [_styled("Band", text) for text in model["bands"]]


def _line(model: Model) -> Node:
    style = "Edition" if model["state"] == "published" else "Draft"
    return _styled(style, model["imprint"]["line"])


def _code(model: Model, pictures: Pictures) -> list[Node]:
    """Set the QR code and, in letters, where it leads."""
    code = model["code"]
    if not code:
        return []
    image = _image(pictures["code"], code["alt"], _CODE_WIDTH)
    told = f"{code['caption']}: {code['address']}"
    return [_div("Figure", _para([image])), _styled("Source", told)]


def _answers(model: Model) -> Iterator[Node]:
    """Set the right of reply: who was asked, and the answer as it was given."""
    if model["replies"]:
        yield _heading(2, model["imprint"]["replies"])
    for reply in model["replies"]:
        yield _para([_string(reply["asked"])])
        if reply["answer"]:
            yield _quotation(reply["answer"], reply["language"])


def _section(part: Section, pictures: Pictures) -> Iterator[Node]:
    yield _heading(2, part["title"], part["id"])
    if part["id"] == "messages":
        yield from _boxed(part["blocks"])
        return
    for block in part["blocks"]:
        set_block = _SET.get(block["kind"])
        if set_block is None:
            raise BriefError(
                f"section '{part['id']}'",
                seen=f"a block of kind '{block['kind']}'",
                expected=", ".join(_SET),
                do="Say in brief/word/tree.py how Word sets it.",
            )
        yield from set_block(block, pictures)


def _boxed(blocks: Iterable[Block]) -> Iterator[Node]:
    """Set the key messages in their box, replies to them below each."""
    for block in blocks:
        if block["kind"] == "quote":
            yield from _quote(block, {})
        else:
            boxed = block["kind"] == "list"
            yield _items(block, "KeyBox") if boxed else _styled("KeyBox", block["text"])


def _text(block: Block, _: Pictures) -> list[Node]:
    if block["tone"] == "heading":
        return [_heading(3, block["text"])]
    style = {"note": "Note", "warning": "Band", "": "BodyText"}[block["tone"]]
    return [_styled(style, block["text"])]


def _list(block: Block, _: Pictures) -> list[Node]:
    return [_items(block, "ListText")]


def _items(block: Block, style: str) -> Node:
    return _div(style, {"t": "BulletList", "c": [list(_item(item)) for item in block["items"]]})


def _item(item: Block) -> Iterator[Node]:
    yield _para([_string(item["text"])])
    for note in item["notes"]:
        yield _styled("Note", note)
    if item.get("warning"):
        yield _div("Note", _para([{"t": "Strong", "c": [_string(item["warning"])]}]))


def _figure(block: Block, pictures: Pictures) -> list[Node]:
    picture = pictures.get(block["name"])
    if picture is None:
        raise BriefError(
            f"figure '{block['name']}'",
            seen="no picture as PNG",
            expected="one for each figure of the brief",
            do="Draw the figures before the document is written.",
        )
    return [
        _styled("FigureTitle", block["title"]),
        _styled("FigureSub", block["subtitle"]),
        _div("Figure", _para([_image(picture, block["alt"], _WIDTH)])),
        _styled("Source", block["source"]),
        *_cautions(block),
        _lay_table(block["title"], block["table"]),
    ]


def _image(picture: bytes, alt: str, width: str) -> Node:
    address = "data:image/png;base64," + base64.b64encode(picture).decode("ascii")
    return {"t": "Image", "c": [_named("", width=width), [_string(alt)], [address, ""]]}


def _table(block: Block, _: Pictures) -> list[Node]:
    note = [_styled("Source", block["note"])] if block["note"] else []
    return [_lay_table(block["caption"], block), *note, *_cautions(block)]


def _cautions(block: Block) -> list[Node]:
    """Set what producers say against a use of their data, each quotation in its language."""
    return [
        _div("Source", _para([
            _string(f"{told['said']} "),
            {"t": "Span", "c": [_named("", lang=told["language"]), [_string(told["text"])]]},
        ]))
        for told in block["cautions"]
    ]  # fmt: skip


def _quote(block: Block, _: Pictures) -> list[Node]:
    return [_styled("Note", block["by"]), _quotation(block["text"], block["language"])]


def _trail(block: Block, _: Pictures) -> list[Node]:
    steps = [
        _div("Note", _para([{"t": "Strong", "c": [_string(f"{term}: ")]}, _string(text)]))
        for term, text in block["steps"]
    ]
    return [_styled("FigureTitle", block["title"]), *steps]


_SET: dict[str, Callable[[Block, Pictures], list[Node]]] = {
    "text": _text,
    "list": _list,
    "figure": _figure,
    "table": _table,
    "quote": _quote,
    "trail": _trail,
}


def _lay_table(caption: str, laid_out: Mapping[str, Any]) -> Node:
    """Set a table: its caption, a head, and a first column that names the rows."""
    shares = share_width(laid_out["head"], laid_out["body"])
    columns = [
        [{"t": "AlignRight" if n else "AlignLeft"}, {"t": "ColWidth", "c": share}]
        for n, share in enumerate(shares)
    ]
    head = [_row([_string(text)] for text in laid_out["head"])]
    body = [_row(map(_mark, row)) for row in laid_out["body"]]
    told = [None, [_para([_string(caption)])]]
    bodies, foot = [[_named(""), 1, [], body]], [_named(""), []]
    return {"t": "Table", "c": [_named(""), told, columns, [_named(""), head], bodies, foot]}


def _mark(cell: Mapping[str, str]) -> list[Node]:
    """Mark what is not told: a hollow circle where zero is inside, muted letters."""
    if cell["direction"] not in {"unclear", "unproven", "refused", "untested"}:
        return [_string(cell["text"])]
    hollow = _HOLLOW if cell["direction"] in {"unclear", "unproven"} else ""
    style = _named("", **{"custom-style": "Untold"})
    return [{"t": "Span", "c": [style, [_string(hollow + cell["text"])]]}]


def _row(cells: Iterable[list[Node]]) -> list[Any]:
    laid = [
        [_named(""), {"t": "AlignDefault"}, 1, 1, [{"t": "Plain", "c": nodes}]] for nodes in cells
    ]
    return [_named(""), laid]


def _quotation(text: str, language: str) -> Node:
    lines = [_string(line) for line in text.splitlines() if line.strip()]
    broken = [node for line in lines for node in ({"t": "LineBreak"}, line)][1:]
    return _div("Quotation", _para([{"t": "Span", "c": [_named("", lang=language), broken]}]))


def _span(text: str, language: str) -> Node:
    return {"t": "Span", "c": [_named("", lang=language), [_string(text)]]}


def _heading(level: int, text: str, name: str = "") -> Node:
    return {"t": "Header", "c": [level, _named(name), [_string(text)]]}


def _styled(style: str, text: str) -> Node:
    return _div(style, _para([_string(text)]))


def _div(style: str, *blocks: Node) -> Node:
    return {"t": "Div", "c": [_named("", **{"custom-style": style}), list(blocks)]}


def _para(nodes: list[Node]) -> Node:
    return {"t": "Para", "c": nodes}


def _string(text: str) -> Node:
    return {"t": "Str", "c": plain(text)}


def _named(name: str, **attributes: str) -> list[Any]:
    return [name, [], [list(pair) for pair in attributes.items()]]
