"""A formula becomes names: read against a whitelist, never executed.

statsmodels, linearmodels and pyfixest run whatever Python stands inside a formula. Here
a formula is split into tokens by hand; what is not a known column, an allowed operator
or an allowed function is refused, so that no library ever sees the text.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import NoReturn

from evidence.errors import ModelError

MOST_CHARACTERS = 2000
MOST_NESTED = 3
MOST_LAGS = 9
FUNCTIONS = ("log", "lag", "d")

_TOKEN = re.compile(
    r"[ \t]*(?:([A-Za-z][A-Za-z0-9_]*)|([0-9]{1,3}(?![0-9A-Za-z_.]))|([~+|:*^(),]))"
)
_ALLOWED = "column names, ~ + | : * ^ and log(x), lag(x, k), d(x)"


@dataclass(frozen=True, slots=True)
class Formula:
    """Names of an outcome, its regressors and the effects to absorb.

    ``regressors`` are columns or names derived from them (``log_x``, ``lag1_x``,
    ``d_x``); an interaction joins names by ``:``. ``effects`` are columns; a dimension
    made of several joins them by ``^``. A constant is implied and has no name.
    """

    outcome: str
    regressors: tuple[str, ...]
    effects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int


@dataclass(frozen=True, slots=True)
class _Reader:
    """Tokens of one formula, the last of them of kind ``end``, with what may stand there."""

    tokens: tuple[_Token, ...]
    columns: frozenset[str]
    where: str


def parse_formula(text: str, columns: Collection[str], *, where: str) -> Formula:
    """Parse ``y ~ x + log(z) + a:b | entity + time^sector`` into names.

    ``a*b`` stands for ``a + b + a:b``; ``lag(x, k)`` for ``lag1_`` before ``x``, k times
    (1 to 9); effects follow ``|`` and cross by ``^`` or ``:``. Functions nest up to three
    deep. A repeated term counts once.

    Parameters
    ----------
    columns : collection of str
        Names that a formula may use; a derived name needs itself or its base there.
    where : str
        File and key, or another place that opens the error message.

    Raises
    ------
    ModelError
        At the first character that is not allowed, with its position (from 1), or at
        the first name that is no column, with the nearest that is.
    """
    reader = _Reader(_split(text, where), frozenset(columns), where)
    outcome, at = _read_factor(reader, 0)
    at = _expect(reader, at, "~")
    regressors, at = _read_regressors(reader, at)
    effects: tuple[str, ...] = ()
    if reader.tokens[at].text == "|":
        effects, at = _read_effects(reader, at + 1)
    if reader.tokens[at].kind != "end":
        _refuse(reader, at, "+, | or the end of the formula")
    if outcome in regressors:
        raise ModelError(
            f"{where}, formula",
            seen=f"{outcome} on both sides of ~",
            expected="an outcome that is no regressor",
            do=f"Take {outcome} out of the right-hand side.",
        )
    return Formula(outcome, regressors, effects)


def _split(text: str, where: str) -> tuple[_Token, ...]:
    if not text.strip() or len(text) > MOST_CHARACTERS:
        raise ModelError(
            f"{where}, formula",
            seen=f"{len(text)} characters" if text.strip() else "nothing",
            expected=f"y ~ x, in at most {MOST_CHARACTERS} characters",
            do="Write outcome ~ regressor + regressor | effect + effect.",
        )
    text = text.rstrip(" \t")
    tokens, at = [], 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            begin = at + len(text[at:]) - len(text[at:].lstrip(" \t"))
            raise ModelError(
                f"{where}, formula, character {begin + 1}",
                seen=ascii(text[begin : begin + 20]),
                expected=_ALLOWED,
                do="Make other variables in the data, then name their columns here.",
            )
        kind = ("name", "number", "sign")[(found.lastindex or 1) - 1]
        tokens.append(
            _Token(kind, found[found.lastindex or 1], found.end() - len(found[0].strip()))
        )
        at = found.end()
    return (*tokens, _Token("end", "", len(text)))


def _refuse(reader: _Reader, at: int, expected: str) -> NoReturn:
    token = reader.tokens[at]
    raise ModelError(
        f"{reader.where}, formula, character {token.position + 1}",
        seen=f"'{token.text[:40]}'" if token.kind != "end" else "the end",
        expected=expected,
        do=f"Use {_ALLOWED}.",
    )


def _expect(reader: _Reader, at: int, sign: str) -> int:
    if reader.tokens[at].text != sign:
        _refuse(reader, at, f"'{sign}'")
    return at + 1


def _read_factor(reader: _Reader, at: int) -> tuple[str, int]:
    """Read a column or functions around one; return the name and the next place."""
    calls: list[str] = []
    while reader.tokens[at].kind == "name" and reader.tokens[at + 1].text == "(":
        if reader.tokens[at].text not in FUNCTIONS or len(calls) == MOST_NESTED:
            _refuse(reader, at, f"{', '.join(FUNCTIONS)}, at most {MOST_NESTED} of them nested")
        calls.append(reader.tokens[at].text)
        at += 2
    column = reader.tokens[at]
    if column.kind != "name":
        _refuse(reader, at, "a column name")
    name, known = column.text, column.text in reader.columns
    at += 1
    for call in reversed(calls):
        lags, at = _read_lags(reader, at) if call == "lag" else (1, at)
        name = ("lag1_" * lags if call == "lag" else f"{call}_") + name
        known = known or name in reader.columns
        at = _expect(reader, at, ")")
    if not known:
        _refuse_column(reader, column)
    return name, at


def _read_lags(reader: _Reader, at: int) -> tuple[int, int]:
    at = _expect(reader, at, ",")
    token = reader.tokens[at]
    if token.kind != "number" or not 1 <= int(token.text) <= MOST_LAGS:
        _refuse(reader, at, f"a number of periods, 1 to {MOST_LAGS}")
    return int(token.text), at + 1


def _refuse_column(reader: _Reader, token: _Token) -> NoReturn:
    near = difflib.get_close_matches(token.text, sorted(reader.columns), n=1)
    listed = ", ".join(sorted(reader.columns)[:20])
    raise ModelError(
        f"{reader.where}, formula, character {token.position + 1}",
        seen=f"'{token.text[:40]}', which is no column",
        expected=f"'{near[0]}'" if near else f"one of {listed}",
        do="Correct the name, or add the column to the data.",
    )


def _read_regressors(reader: _Reader, at: int) -> tuple[tuple[str, ...], int]:
    found: dict[str, None] = {}
    for terms, end in _read_sum(reader, at, ":*"):
        found |= dict.fromkeys(terms)
        at = end
    return tuple(found), at


def _read_effects(reader: _Reader, at: int) -> tuple[tuple[str, ...], int]:
    found: dict[str, None] = {}
    for terms, end in _read_sum(reader, at, "^:"):
        crossed = "^".join(terms[-1].split(":"))
        found[crossed] = None
        at = end
    return tuple(found), at


def _read_sum(reader: _Reader, at: int, signs: str) -> Iterator[tuple[tuple[str, ...], int]]:
    """Read terms joined by +, each as the names that it stands for."""
    while True:
        terms, at = _read_term(reader, at, signs)
        yield terms, at
        if reader.tokens[at].text != "+":
            return
        at += 1


def _read_term(reader: _Reader, at: int, signs: str) -> tuple[tuple[str, ...], int]:
    effects = "^" in signs
    factors, operators = [], []
    while True:
        if effects and reader.tokens[at].kind == "name" and reader.tokens[at + 1].text == "(":
            _refuse(reader, at + 1, "effects that are columns, without functions")
        name, at = _read_factor(reader, at)
        factors.append(name)
        if reader.tokens[at].kind != "sign" or reader.tokens[at].text not in signs:
            break
        operators.append(reader.tokens[at].text)
        at += 1
    if len(set(factors)) < len(factors):
        _refuse(reader, at - 1, "different columns on the two sides of an interaction")
    crossed = ":".join(factors)
    if "*" not in operators:
        return (crossed,), at
    if len(factors) > 2:
        _refuse(reader, at - 1, "two columns around *; write longer interactions with :")
    return (*factors, crossed), at
