"""What stands on the pages of a PDF, in order: nodes that the template sets one by one.

The same nodes tell every text that the tag tree holds, in the tree's order.
"""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from evidence.brief.blocks import bullets, text
from evidence.brief.columns import share_width
from evidence.errors import BriefError

Node = dict[str, Any]

_SMALL = {"source", "imprint"}
_ON_SLIDES = ("advice", "certainty", "source")
_SHORT = 12
_AT_THE_END = ("replies", "source", "trail", "imprint")


def lay_out(model: Mapping[str, Any], *, answered: bool = True) -> list[Node]:
    """Lay out a worded model: head, sections, replies, source, imprint.

    Parameters
    ----------
    answered : bool, optional
        Whether parties' replies to findings are printed; else a line says where they stand.

    Raises
    ------
    BriefError
        Where a block is of a kind that a PDF cannot set, or a picture is no SVG.
    """
    parts = [_cut(part, model["audience"]) for part in model["sections"]]
    if not answered:
        parts = [_unanswer(part, model["words"]["answered"]) for part in parts]
    parts = [part for part in parts if part["blocks"]]
    body = [part for part in parts if part["id"] not in _AT_THE_END]
    end = [part for part in parts if part["id"] in _AT_THE_END]
    nodes = [*_head(model), *(node for part in body for node in _section(part))]
    nodes += _replies(model)
    nodes += [node for part in end for node in _section(part)]
    nodes += [_paragraph("note", text) for text in model["checked"]]
    return [*nodes, *_code(model)]


def lay_out_slides(model: Mapping[str, Any]) -> list[list[Node]]:
    """Lay out slides: title; key messages, one a slide; figures; advice, certainty, source.

    Raises
    ------
    BriefError
        As ``lay_out`` does.
    """
    parts = {part["id"]: part for part in model["sections"]}
    slides = [_head(model), *_messages(parts["messages"])] if parts else [_head(model)]
    slides += [_figure_slide(block) for part in model["sections"] for block in part["blocks"]
               if block["kind"] == "figure"]  # fmt: skip
    slides += [_section(parts[name]) for name in _ON_SLIDES if name in parts]
    return [*slides[:-1], [*slides[-1], *_code(model)]]


def _messages(part: Mapping[str, Any]) -> list[list[Node]]:
    items = [item for block in part["blocks"] if block["kind"] == "list" for item in block["items"]]
    return [[_heading(2, part["title"]), _paragraph("message", item["text"])] for item in items]


def _figure_slide(block: Mapping[str, Any]) -> list[Node]:
    figure = _figure(block)[0]
    return [_heading(2, figure["title"]), {**figure, "title": ""}]


def list_leaves(nodes: list[Node]) -> list[str]:
    """List the texts of paragraphs, headings, items and cells in the order of the tag tree."""
    return [text for node in nodes for text in _leaves(node)]


def list_languages(nodes: list[Node]) -> set[str]:
    """List the languages of quotations."""
    own = {node["language"] for node in nodes if "language" in node}
    return own.union(*(list_languages(node.get("children", [])) for node in nodes))


def float_figures(nodes: list[Node], *, headed: bool, tables: bool = False) -> list[Node]:
    """Let figures move to the next head or foot of a page, so that text fills the gap.

    The heading of a section that holds nothing but its figure moves with it; that of another
    section where ``headed``. Where ``tables``, tables move as figures do.
    """
    moved = {"figure", "table"} if tables else {"figure"}
    floated: list[Node] = []
    for n, node in enumerate(nodes):
        if node["kind"] not in moved:
            floated.append(node)
            continue
        alone = n + 1 == len(nodes) or nodes[n + 1]["kind"] in {"heading", "box"}
        head = (alone or headed) and floated[-1]["kind"] == "heading"
        floated.append(_group("float", [floated.pop(), node] if head else [node]))
    return floated


def keep_order(nodes: list[Node], marks: list[dict[str, Any]]) -> bool:
    """Tell whether no heading that moved with its figure comes after what it heads."""
    begins: dict[int, tuple[int, float]] = {}
    for mark in marks:
        begins.setdefault(mark["n"], (mark["page"], mark["depth"]))
    return all(
        begins[n] < begins[n + 1]
        for n, node in enumerate(nodes[:-1])
        if node["kind"] == "float"
        and len(node["children"]) > 1
        and nodes[n + 1]["kind"] not in {"heading", "box"}
    )


def measure(marks: list[dict[str, Any]]) -> tuple[int, float]:
    """Count the pages and measure the largest gap at the foot of any but the last.

    Parameters
    ----------
    marks : list of dict
        In reading order where each node begins and ends: ``n, page, depth`` (share of the
        page's height) and ``whole``, true for a node that no page end may split.

    Returns
    -------
    tuple
        Pages, gap as a share of the page's height.
    """
    pages = max(mark["page"] for mark in marks)
    depth = {
        page: max((m["depth"] for m in marks if m["page"] == page), default=0.0)
        for page in range(1, pages)
    }
    marks = [mark for mark in marks if not mark["whole"]]
    for begin, end in itertools.pairwise(marks):
        if begin["n"] == end["n"] and begin["page"] < end["page"]:
            depth |= dict.fromkeys(range(begin["page"], end["page"]), 1.0)
    return pages, max((1.0 - d for d in depth.values()), default=0.0)


def read_svg(address: str) -> str:
    """Read the SVG of a data address.

    Raises
    ------
    BriefError
        Where it is another address: nothing is fetched or read from a file.
    """
    start = "data:image/svg+xml;base64,"
    if not address.startswith(start):
        raise BriefError(
            "a picture of the brief",
            seen="an address that is no SVG inside the brief",
            expected="a drawing of evidence.exhibits",
            do="Draw the figure again in the notebook.",
        )
    return base64.b64decode(address.removeprefix(start)).decode("utf-8")


def _cut(part: Mapping[str, Any], audience: str) -> Mapping[str, Any]:
    """Leave the trail and what is further to the technical reader: two pages hold no annex."""
    if audience == "technical":
        return part
    kept = [] if part["id"] == "trail" else part["blocks"]
    return {**part, "blocks": [block for block in kept if not block.get("further")]}


def _unanswer(part: Mapping[str, Any], line: str) -> Mapping[str, Any]:
    """Leave out replies to findings, and say below the key messages where they stand."""
    if part["id"] == "replies":
        return {**part, "blocks": []}
    if part["id"] != "messages":
        return part
    items = [item for block in part["blocks"] for item in block.get("items", ())]
    return {**part, "blocks": [bullets(items), text(line, "note")]}


def _head(model: Mapping[str, Any]) -> list[Node]:
    state = "edition" if model["state"] == "published" else "draft"
    bands = model["bands"]
    question = model["question"]
    return [
        _paragraph("kicker", model["kicker"]),
        _paragraph(state, model["imprint"]["line"]),
        *(_paragraph("band", text) for text in bands),
        _heading(1, model["title"]),
        *([_paragraph("question", question, f"{model['words']['question']}.")] if question else []),
    ]


def _section(part: Mapping[str, Any]) -> list[Node]:
    title = [_heading(2, part["title"])] if part["title"] else []
    nodes = [*title, *(node for block in part["blocks"] for node in _block(block))]
    if part["id"] in _SMALL:
        nodes = _set_small(nodes)
    return [_group("box", nodes)] if part["id"] == "messages" else nodes


def _set_small(nodes: list[Node]) -> list[Node]:
    """Set paragraphs as small print, those that follow each other as one."""
    small: list[Node] = []
    for node in nodes:
        if node.get("style") not in {"text", "note"}:
            small.append(node)
        elif small and small[-1].get("style") == "note":
            small[-1] = {**small[-1], "text": _join(small[-1]["text"], node["text"])}
        else:
            small.append({**node, "style": "note"})
    return small


def _replies(model: Mapping[str, Any]) -> list[Node]:
    if not model["replies"]:
        return []
    nodes = [_heading(2, model["imprint"]["replies"])]
    for reply in model["replies"]:
        nodes.append(_paragraph("text", reply["asked"]))
        if reply["answer"]:
            nodes.append(_paragraph("quote", reply["answer"], language=reply["language"]))
    return nodes


def _code(model: Mapping[str, Any]) -> list[Node]:
    code = model.get("code")
    if not code:
        return []
    svg = read_svg(code["svg"])
    return [{"kind": "code", "svg": svg, "alt": code["alt"], "caption": code["caption"]}]


def _block(block: Mapping[str, Any]) -> list[Node]:
    setter = _SETTERS.get(block["kind"])
    if setter is None:
        raise BriefError(
            "a block of the brief",
            seen=f"the kind '{block['kind']}'",
            expected=", ".join(_SETTERS),
            do="Describe the block in one of these kinds.",
        )
    return setter(block)


def _text(block: Mapping[str, Any]) -> list[Node]:
    if block["tone"] == "heading":
        return [_heading(3, block["text"])]
    return [_paragraph(block["tone"] or "text", block["text"])] if block["text"] else []


def _list(block: Mapping[str, Any]) -> list[Node]:
    items = [
        {"text": entry["text"], "notes": entry["notes"], "warning": entry.get("warning", "")}
        for entry in block["items"]
    ]
    return [{"kind": "list", "items": items}] if items else []


def _figure(block: Mapping[str, Any]) -> list[Node]:
    told = {key: block[key] for key in ("title", "subtitle", "alt", "source", "cautions")}
    return [{"kind": "figure", **told, "svg": read_svg(block["wide"])}]


def _table(block: Mapping[str, Any]) -> list[Node]:
    body = [[{key: cell[key] for key in ("text", "direction")} for cell in row]
            for row in block["body"]]  # fmt: skip
    told = {key: block[key] for key in ("caption", "head", "note", "cautions")}
    return [{"kind": "table", **told, "body": body, "shares": _share(told["head"], body)}]


def _share(head: list[str], body: list[list[dict[str, str]]]) -> list[float]:
    """Share the width; nought for columns of nothing long, which take only what they need."""
    columns = [[title, *(row[n]["text"] for row in body)] for n, title in enumerate(head)]
    return [0.0 if n and max(map(len, texts)) <= _SHORT else share
            for n, (texts, share) in enumerate(zip(columns, share_width(head, body), strict=True))]  # fmt: skip


def _quote(block: Mapping[str, Any]) -> list[Node]:
    by = [_paragraph("note", block["by"])] if block["by"] else []
    return [*by, _paragraph("quote", block["text"], language=block["language"])]


def _trail(block: Mapping[str, Any]) -> list[Node]:
    return [{"kind": "trail", "title": block["title"], "steps": [list(s) for s in block["steps"]]}]


_SETTERS = {
    "text": _text,
    "list": _list,
    "figure": _figure,
    "table": _table,
    "quote": _quote,
    "trail": _trail,
}


def _paragraph(style: str, text: str, lead: str = "", *, language: str = "") -> Node:
    own = {"language": language} if language else {}
    return {"kind": "paragraph", "style": style, "lead": lead, "text": text, **own}


def _heading(level: int, text: str) -> Node:
    return {"kind": "heading", "level": level, "text": text}


def _group(kind: str, children: list[Node]) -> Node:
    return {"kind": kind, "children": children}


def _leaves(node: Node) -> Iterator[str]:
    kind = node["kind"]
    if "children" in node:
        yield from list_leaves(node["children"])
    elif kind == "paragraph":
        yield _join(node["lead"], node["text"])
    elif kind == "list":
        yield from (_join(i["text"], *i["notes"], i["warning"]) for i in node["items"])
    else:
        yield from _OWN_LEAVES[kind](node)


def _figure_leaves(node: Node) -> list[str]:
    told = [_join(node["title"], node["subtitle"]), node["source"]]
    return [*filter(None, told), *_caution_leaves(node)]


def _table_leaves(node: Node) -> list[str]:
    cells = [_shown(cell) for row in node["body"] for cell in row]
    notes = [*filter(None, [node["note"]]), *_caution_leaves(node)]
    return [node["caption"], *node["head"], *cells, *notes]


def _caution_leaves(node: Node) -> list[str]:
    return [_join(told["said"], told["text"]) for told in node["cautions"]]


def _shown(cell: Mapping[str, str]) -> str:
    hollow = cell["direction"] in {"unclear", "unproven"}
    return f"○\u00a0{cell['text']}" if hollow else cell["text"]


_OWN_LEAVES: dict[str, Callable[[Node], list[str]]] = {
    "heading": lambda node: [node["text"]],
    "figure": _figure_leaves,
    "table": _table_leaves,
    "trail": lambda node: [node["title"], " · ".join(f"{t}: {text}" for t, text in node["steps"])],
    "code": lambda node: [node["caption"]],
}


def _join(*texts: str) -> str:
    return " ".join(filter(None, texts))
