"""The annex: every estimate that may be shown, for people who reckon further with it.

Three files of the same rows: ``tables.csv`` for machines (no language, full digits),
``tables.<language>.xlsx`` for people, ``tables.tex`` for papers (in English).
"""

from __future__ import annotations

from evidence.brief.annex.commas import write_csv
from evidence.brief.annex.latex import write_latex
from evidence.brief.annex.sheet import write_sheet

__all__ = ["write_csv", "write_latex", "write_sheet"]
