"""The blocks that every format sets: texts, lists, figures, tables, quotations.

A section is ``id, title, blocks``. A block is a mapping with its ``kind``:

- ``text``: ``text, tone`` ("", note, warning, or heading: the name of what follows)
- ``list``: ``items``, each ``text``, ``notes`` (small print), ``rests`` (ids of findings),
  a key message also ``claim``
- ``figure``: ``name, title, subtitle, alt, wide, narrow`` (SVG as data addresses), ``source``,
  ``cautions`` (each ``said``, and ``text`` in its ``language``), ``table`` (``head, body``: the
  numbers of the figure)
- ``table``: ``name, caption, head, body, note, cautions``; a cell of ``body`` is ``text, direction``
  and ``rests``: the ids of the findings that it shows
- ``quote``: ``text, by, language``
- ``trail``: ``name`` (of a finding, or of an exhibit), ``title, steps`` (pairs
  ``term, text``), ``rests`` (names of further trails that it leads to)

A block with ``further`` is left out where two pages are all there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

Block = dict[str, Any]
Section = dict[str, Any]
Body = Sequence[Sequence[tuple[str, ...]]]
Tone = Literal["", "note", "warning", "heading"]


def section(name: str, title: str, blocks: Iterable[Block]) -> Section:
    """Make a section; the title may be empty."""
    return {"id": name, "title": title, "blocks": list(blocks)}


def text(content: str, tone: Tone = "") -> Block:
    """Make a paragraph."""
    return {"kind": "text", "text": content, "tone": tone}


def bullets(items: Iterable[Block]) -> Block:
    """Make a list of items."""
    return {"kind": "list", "items": list(items)}


def item(content: str, notes: Sequence[str] = (), rests: Sequence[str] = ()) -> Block:
    """Make an item of a list: a text, its small print, the findings that it rests on."""
    return {"text": content, "notes": list(notes), "rests": list(rests)}


def table(
    name: str,
    caption: str,
    laid_out: Mapping[str, Any],
    note: str = "",
    cautions: Sequence[Mapping[str, str]] = (),
) -> Block:
    """Make a table of laid-out rows; ``name`` is the exhibit's."""
    told = {"note": note, "cautions": list(cautions)}
    return {"kind": "table", "name": name, "caption": caption, **laid_out, **told}


def trail(
    name: str, title: str, steps: Iterable[tuple[str, str]], rests: Sequence[str] = ()
) -> Block:
    """Make the trail of a finding or an exhibit: its steps, and the trails behind it."""
    pairs = [list(pair) for pair in steps]
    return {"kind": "trail", "name": name, "title": title, "steps": pairs, "rests": list(rests)}


def quote(content: str, by: str, language: str) -> Block:
    """Make a quotation of somebody else, in the language in which it was given."""
    return {"kind": "quote", "text": content, "by": by, "language": language}


def as_rows(head: list[str], body: Body) -> dict[str, Any]:
    """Lay out rows: ``head`` texts, ``body`` cells of text, direction and finding shown, if any."""
    rows = [
        [
            {"text": said, "direction": direction, "rests": [name for name in shown if name]}
            for said, direction, *shown in row
        ]
        for row in body
    ]
    return {"head": head, "body": rows}


def list_items(model: Mapping[str, Any], name: str) -> list[Block]:
    """List the items of a section's lists."""
    found = blocks_of(model, name)
    return [entry for block in found if block["kind"] == "list" for entry in block["items"]]


def list_texts(model: Mapping[str, Any], name: str) -> list[str]:
    """List the texts of a section: paragraphs, items, quotations."""
    return [said for block in blocks_of(model, name) for said in _said(block)]


def blocks_of(model: Mapping[str, Any], name: str) -> list[Block]:
    """List the blocks of a section; none where the model has no such section."""
    return [block for part in model["sections"] if part["id"] == name for block in part["blocks"]]


def _said(block: Block) -> Iterator[str]:
    if block["kind"] == "list":
        yield from (entry["text"] for entry in block["items"])
    elif "text" in block:
        yield block["text"]
