"""The annex as LaTeX, for the annex of a paper."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from evidence.brief.annex.words import name_place, name_role, name_scale, name_variable
from evidence.brief.imprint import Imprint, word_imprint
from evidence.brief.plain import plain
from evidence.disclosure import Cleared, list_estimates
from evidence.language import capitalise, format_number, say, shown_decimals
from evidence.study import Study

_LANGUAGE = "en"
_ESCAPES = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "_": r"\_", "%": r"\%", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\char34{}",
    "'": r"\char39{}", "`": r"\char96{}", "[": "{[}", "]": "{]}", "*": "{*}", "-": "{-}",
    "\N{MINUS SIGN}": "$-$", "\N{NO-BREAK SPACE}": "~", "\N{WORD JOINER}": "",
}  # fmt: skip
_END = r" \\"


def escape(text: str) -> str:
    """Write a text so that LaTeX sets it as it stands and runs none of it."""
    return "".join(_ESCAPES.get(letter, letter) for letter in plain(text))


def write_latex(cleared: Cleared, imprint: Imprint) -> bytes:
    """Write the annex as LaTeX in English: a float a specification, intervals below estimates.

    It is a part to be read into a document that loads ``booktabs``.
    """
    study, rows = cleared.study, list_estimates(cleared)
    line = word_imprint(imprint, _LANGUAGE)["imprint"]["line"]
    told = [line]
    if cleared.neck.protected["confidentiality"] == "simulated":
        told.append(say(_LANGUAGE, "brief.simulated"))
    groups = rows.groupby("specification", sort=False)
    parts = [_float(study, str(name), group, told) for name, group in groups]
    return "\n\n".join([r"% \usepackage{booktabs}", *parts, ""]).encode("utf-8")


def _float(study: Study, specification: str, rows: pd.DataFrame, told: list[str]) -> str:
    first = rows.iloc[0]
    caption = say(
        _LANGUAGE, "annex.caption",
        outcome=capitalise(name_variable(study, _LANGUAGE, first["outcome"])),
        unit=name_scale(_LANGUAGE, _text(first["unit"])), specification=specification,
        role=name_role(_LANGUAGE, first["role"]),
    )  # fmt: skip
    heads = ["table.place", "annex.term", "table.estimate", "annex.std_error", "annex.nobs",
             "annex.n_entities", "annex.n_clusters"]  # fmt: skip
    body = [line for row in rows.to_dict("records") for line in _rows(study, row)]
    return "\n".join([
        r"\begin{table}[htbp]", r"\centering", rf"\caption{{{escape(' '.join([caption, *told]))}}}",
        r"\footnotesize", r"\begin{tabular}{llrrrrr}", r"\toprule",
        " & ".join(escape(say(_LANGUAGE, key)) for key in heads) + _END, r"\midrule", *body,
        r"\bottomrule", r"\end{tabular}", rf"\par {escape(_note(rows))}", r"\end{table}",
    ])  # fmt: skip


def _rows(study: Study, row: dict[Any, Any]) -> Iterator[str]:
    """Write an estimate with its counts, and its interval below."""
    decimals = shown_decimals(row) + 1
    place = name_place(study, _LANGUAGE, row["case"])
    term = name_variable(study, _LANGUAGE, row["term"])
    numbers = [_number(row[name], decimals) for name in ("estimate", "std_error")]
    counts = [_number(row[name], 0) for name in ("nobs", "n_entities", "n_clusters")]
    missing = say(_LANGUAGE, "annex.withheld" if pd.isna(row["nobs"]) else "table.not_estimated")
    cells = [place, term, numbers[0] or missing, numbers[1], *counts]
    yield " & ".join(map(escape, cells)) + _END
    if not pd.isna(row["conf_low"]):
        ends = [_number(row[name], decimals) for name in ("conf_low", "conf_high")]
        below = say(_LANGUAGE, "interval", low=ends[0], high=ends[1])
        yield f" & & {escape(f'[{below}]')} & & & &{_END}"


def _note(rows: pd.DataFrame) -> str:
    levels = rows["conf_level"].dropna()
    errors = ", ".join(sorted({_text(kind) for kind in rows["cov_type"]} - {""}))
    if levels.empty:
        return ""
    level = format_number(_LANGUAGE, 100 * levels.iloc[0], decimals=0)
    return say(_LANGUAGE, "annex.below", conf_level=level, cov_type=errors)


def _number(value: Any, decimals: int) -> str:
    if pd.isna(value):
        return ""
    return format_number(_LANGUAGE, value, decimals=decimals)


def _text(value: Any) -> str:
    return "" if pd.isna(value) else str(value)
