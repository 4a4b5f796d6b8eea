"""The page's font: Noto Sans from a package, cut to the characters of the page."""

from __future__ import annotations

import base64
import functools
import io
import string

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

from evidence.exhibits import font_path


def embed_font(text: str) -> str:
    """Cut the variable font to a page's characters; return it as a data address.

    Equal characters give equal bytes.
    """
    return _embed("".join(sorted(set(text) | set(string.printable.strip()))))


@functools.cache
def _embed(characters: str) -> str:
    font = TTFont(font_path(), recalcTimestamp=False)
    options = Options()
    options.flavor = "woff2"
    options.hinting = False
    subsetter = Subsetter(options)
    subsetter.populate(text=characters)
    subsetter.subset(font)
    font.flavor = "woff2"
    buffer = io.BytesIO()
    font.save(buffer)
    return "data:font/woff2;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
