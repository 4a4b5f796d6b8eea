"""The annex as CSV: the same in every language."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pandas as pd

from evidence.brief.imprint import Imprint
from evidence.brief.plain import plain
from evidence.disclosure import Cleared, list_estimates

_FORMULA = re.compile(r"(^|[;,\t|])(\s*)([=+\-@\uff1d\uff0b\uff0d\uff20])")


def write_csv(cleared: Cleared, imprint: Imprint) -> bytes:
    """Write the annex as CSV: UTF-8, LF, numbers with every digit that they have.

    The first columns say how open the data are (``simulated`` data are called so) and of
    which edition the file is. A text that a spreadsheet would take for a formula gets an
    apostrophe before it.
    """
    buffer = io.StringIO()
    rows = list_estimates(cleared)
    state = "draft" if imprint.edition is None else str(imprint.edition.number)
    first = {"confidentiality": cleared.neck.protected["confidentiality"], "edition": state}
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([*first, *rows.columns])
    for row in rows.itertuples(index=False):
        writer.writerow([*first.values(), *map(_write_cell, row)])
    return buffer.getvalue().encode("utf-8")


def defuse(text: str) -> str:
    """Write a text so that no spreadsheet takes it, or a part of it, for a formula."""
    return _FORMULA.sub(r"\1\2'\3", plain(text))


def _write_cell(value: Any) -> str:
    if pd.isna(value):
        return ""
    if isinstance(value, str):
        return defuse(value)
    return repr(float(value)) if isinstance(value, float) else str(int(value))
