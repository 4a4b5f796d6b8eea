"""Exhibits in pictures: SVG with text as paths, the same bytes each time."""

from __future__ import annotations

import base64
import html
import io
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, cast

import matplotlib as mpl
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from pandas.api.types import is_float_dtype, is_numeric_dtype

from evidence.errors import ExhibitError
from evidence.exhibits.benchmark import DRAWN as BENCHMARKS
from evidence.exhibits.captions import CAPTIONED, entitle, subtitle
from evidence.exhibits.cautions import list_cautions
from evidence.exhibits.change import DRAWN as CHANGED
from evidence.exhibits.coefficients import DRAWN as COEFFICIENTS
from evidence.exhibits.columns import explain_columns
from evidence.exhibits.curve import DRAWN as CURVES
from evidence.exhibits.event_study import DRAWN as PATHS
from evidence.exhibits.forest_plot import DRAWN as FORESTS
from evidence.exhibits.noun import Exhibit
from evidence.exhibits.pairs import DRAWN as PAIRS
from evidence.exhibits.panels import DRAWN as PANELS
from evidence.exhibits.report import DRAWN as REPORTED
from evidence.exhibits.spoken import describe
from evidence.exhibits.style import Width, refuse_missing_glyphs, style
from evidence.exhibits.tables import tabulate
from evidence.exhibits.tiles import DRAWN as TILES
from evidence.study import Study

_DRAWN: dict[str, Callable[[Exhibit, Study, str, Width], Figure]] = {
    **COEFFICIENTS,
    **PANELS,
    **PAIRS,
    **PATHS,
    **FORESTS,
    **TILES,
    **BENCHMARKS,
    **REPORTED,
    **CURVES,
    **CHANGED,
}
_DPI = 220
_DECIMALS, _MOST_DECIMALS = 4, 8
_DATE = re.compile(r"\d{4}-\d{2}(-\d{2})?")
"""Dots an inch of a PNG, for documents that do not take SVG."""


def draw(
    exhibit: Exhibit,
    study: Study,
    language: str,
    width: Width,
    *,
    format: Literal["svg", "png"] = "svg",
) -> bytes:
    """Draw a figure: as SVG with its text as paths, or as PNG at 220 dots an inch.

    Title, subtitle and source are no part of the picture: the page sets them.

    Parameters
    ----------
    width : {"wide", "narrow"}
        7 inches for pages, 3.55 inches for phones (labels above the lines).

    Raises
    ------
    ExhibitError
        Where the exhibit is no figure, or a label holds a character that no font draws.
    """
    form = exhibit.form
    if form not in _DRAWN:
        raise ExhibitError(
            f"exhibit '{exhibit.id}'",
            seen=f"kind '{form}'",
            expected=" or ".join(_DRAWN),
            do="Tables are laid out, not drawn.",
        )
    told = {"Date": None, "Creator": None} if format == "svg" else {"Software": None}
    settings = style(language)
    with (
        refuse_missing_glyphs(f"exhibit '{exhibit.id}' in language '{language}'"),
        sns.axes_style("white", settings),
        mpl.rc_context(cast("Any", settings)),
    ):
        figure = _DRAWN[form](exhibit, study, language, width)
        buffer = io.BytesIO()
        figure.savefig(buffer, format=format, metadata=told, dpi=_DPI if format == "png" else None)
    return buffer.getvalue()


def show(
    item: Exhibit | pd.DataFrame | str, study: Study | None = None, language: str = "en"
) -> Any:
    """Show an exhibit, a frame or a sentence in a notebook: a picture with its words, a table.

    Columns of a frame that hold nothing are left out; what the others say stands folded away
    below it.

    Raises
    ------
    ExhibitError
        Where an exhibit is to be shown without its study, which holds the labels.
    """
    from IPython.display import HTML

    if isinstance(item, str):
        return HTML(f"<p>{html.escape(item)}</p>")
    if isinstance(item, pd.DataFrame):
        held = item.loc[:, (item.notna() & (item != "")).any().to_numpy()]
        if held.empty:
            return HTML("<p>No rows.</p>")
        return HTML(_as_table(held) + _as_legend(explain_columns(held)))
    if study is None:
        raise ExhibitError(
            f"exhibit '{item.id}'",
            seen="no study",
            expected="the study whose labels the exhibit is shown with",
            do="Say ev.show(exhibit, plan).",
        )
    told = "".join(
        f"<p><small>{html.escape(one['said'])} "
        f'<span lang="{one["language"]}">{html.escape(one["text"])}</span></small></p>'
        for one in list_cautions(study, language)
    )
    if item.form in _DRAWN:
        return HTML(_as_figure(item, study, language) + told)
    head, body = tabulate(study, language, item)
    texts = [[text for text, _ in row] for row in body]
    return HTML(_as_table(pd.DataFrame(texts, columns=head).set_index(head[0])) + told)


def _as_table(frame: pd.DataFrame) -> str:
    """Set a frame as a table: texts to the left, whole numbers whole, no running numbers."""
    floats = {name: frame[name].dropna() for name in frame.select_dtypes("float")}
    whole = [name for name, v in floats.items() if (v % 1 == 0).all() and v.abs().max() > 1]
    told = frame.astype(dict.fromkeys(whole, "Int64"))
    texts = [not is_numeric_dtype(kind) for kind in told.dtypes]
    for n, kind in enumerate(told.dtypes):
        if is_float_dtype(kind) and _is_tiny(told.iloc[:, n]).any():
            told.isetitem(n, told.iloc[:, n].map(_write_small, na_action="ignore").to_numpy())
    for n in (n for n, text in enumerate(texts) if text):
        told.isetitem(n, told.iloc[:, n].map(_lean, na_action="ignore").to_numpy())
    if told.columns.nlevels > 1:
        told.columns = pd.Index([", ".join(map(str, head)) for head in told.columns])
    heads = [
        (_lean if text else html.escape)(str(head))
        for head, text in zip(told.columns, texts, strict=True)
    ]
    told.columns = pd.Index(heads, name=told.columns.name)
    numbered = isinstance(told.index, pd.RangeIndex)
    if not numbered:
        told = told.rename(index=_lean).rename_axis(index=lambda name: name and _lean(name))
    with pd.option_context("display.max_colwidth", None):
        table = told.to_html(na_rep="", border=0, index=not numbered, escape=False)
    return table.replace("<NA>", "")


def _is_tiny(values: pd.Series) -> pd.Series:
    """Tell which values would show as zero."""
    size = values.abs()
    shown: pd.Series = (size >= 10.0**-_MOST_DECIMALS) & (size < 10.0**-_DECIMALS / 2)
    return shown


def _write_small(value: float) -> str:
    """Write a number with four decimals, a small one with as many as it needs for two digits."""
    size, decimals = abs(value), _DECIMALS
    if 10.0**-_MOST_DECIMALS <= size < 10.0**-_DECIMALS:
        decimals = 1 - math.floor(math.log10(size))
    return f"{value:.{decimals}f}"


def _lean(text: object) -> str:
    """Set a text to the left, a date on one line; JupyterLab sets all cells to the right."""
    unbroken = "; white-space: nowrap" if _DATE.fullmatch(str(text)) else ""
    return f'<div style="text-align: left{unbroken}">{html.escape(str(text))}</div>'


def _as_legend(said: Mapping[str, str]) -> str:
    """Fold away what the columns of a table say."""
    if not said:
        return ""
    lines = "".join(
        f"<dt><code>{html.escape(name)}</code></dt><dd>{html.escape(text)}</dd>"
        for name, text in said.items()
    )
    return f"<details><summary>What the columns say</summary><dl>{lines}</dl></details>"


def _as_figure(item: Exhibit, study: Study, language: str) -> str:
    """Set a picture as a figure of HTML, under its title and subtitle."""
    address = as_address(draw(item, study, language, "wide"))
    if item.form not in CAPTIONED:
        return f'<img alt="" src="{address}">'
    title, below, alt = (
        html.escape(said(study, language, item)) for said in (entitle, subtitle, describe)
    )
    return (
        f"<figure><figcaption><strong>{title}</strong><br>{below}</figcaption>"
        f'<img alt="{alt}" src="{address}"></figure>'
    )


def as_address(svg: bytes) -> str:
    """Write an SVG as a data address."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode("ascii")
