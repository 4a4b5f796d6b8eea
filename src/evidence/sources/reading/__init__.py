"""Raw bytes become a typed table: nothing is guessed silently, nothing is half-read.

``parse`` is the door. A format gives a grid of distinct texts (``delimited`` with
``encoding``, ``workbook``, ``statistical`` with ``labels``); ``values`` gives them types,
``numerals`` reads numbers, ``alike`` finds names that are written in two ways.
"""

from __future__ import annotations

from evidence.sources.reading.alike import find_alike
from evidence.sources.reading.parse import Parsed, parse

__all__ = ["Parsed", "find_alike", "parse"]
