"""A formula names columns and nothing else: what could run is refused with its place."""

from __future__ import annotations

import builtins
import random
from pathlib import Path

import pytest

from evidence.errors import ModelError
from evidence.models.checks.formula import MOST_CHARACTERS, Formula, parse_formula

COLUMNS = ("y", "x", "z", "wage", "log_wage", "factory", "year", "sector", "d", "lag")

INJECTIONS = {
    "an import": "y ~ __import__('os').system('touch {marker}')",
    "an import inside I()": "y ~ I(__import__('os').system('touch {marker}'))",
    "an import inside log()": "y ~ log(__import__('os').system('touch {marker}'))",
    "identity": "y ~ I(x)",
    "categories": "y ~ C(x)",
    "backticks": "y ~ `x`",
    "quoted name": 'y ~ Q("x")',
    "semicolon": "y ~ x; import os",
    "newline": "y ~ x\nimport os",
    "a Cyrillic letter that looks like x": "y ~ \u0445",
    "a fullwidth letter": "y ~ \uff58",
    "a mathematical letter": "y ~ \U0001d431",
    "a fullwidth bracket": "y ~ log\uff08x\uff09",
    "a right-to-left mark": "y ~ x\u202e + z",
    "a no-break space": "y ~\u00a0x",
    "a zero byte": "y ~ x\x00",
    "matrix product": "y ~ x @ z",
    "lambda": "y ~ (lambda: x)()",
    "attribute": "y ~ x.values",
    "subscript": "y ~ x[0]",
    "dunder": "y ~ __class__",
    "dunder that is a column": "y ~ __x__",
    "walrus": "y ~ (x := 1)",
    "f-string": "y ~ f'{x}'",
    "keyword argument": "y ~ log(x, base=2)",
    "numpy": "y ~ np.log(x)",
    "eval": "y ~ eval(x)",
    "bare brackets": "y ~ (x + z)",
    "division": "y ~ x / z",
    "minus": "y ~ x - 1",
    "number": "y ~ 1 + x",
    "power": "y ~ x ** 2",
    "brace": "y ~ {x}",
    "format": "y ~ {0.__class__}",
    "percent": "y ~ x %in% z",
    "comment": "y ~ x # z",
    "backslash": "y ~ x \\ z",
    "four functions in each other": "y ~ log(log(log(log(x))))",
    "a thousand functions in each other": "y ~ " + "d(" * 600 + "x" + ")" * 600,
    "function of a sum": "y ~ log(x + z)",
    "function of nothing": "y ~ log()",
    "a call of a column": "y ~ x(z)",
    "a call of a result": "y ~ log(x)(z)",
}

DAMAGED = {
    "nothing": "",
    "blanks": " \t ",
    "no tilde": "y x",
    "no outcome": "~ x",
    "no regressor": "y ~",
    "two tildes": "y ~ x ~ z",
    "an interaction to be explained": "y:x ~ z",
    "sum to be explained": "y + x ~ z",
    "an empty term": "y ~ x + + z",
    "a trailing plus": "y ~ x +",
    "no effects after the bar": "y ~ x |",
    "two bars": "y ~ x | factory | year",
    "effects only": "y ~ | factory",
    "a function of an effect": "y ~ x | log(year)",
    "a star between effects": "y ~ x | factory*year",
    "a hat between regressors": "y ~ x^z",
    "lag without its count": "y ~ lag(x)",
    "lag of zero": "y ~ lag(x, 0)",
    "lag of ten": "y ~ lag(x, 10)",
    "lag of a fraction": "y ~ lag(x, 1.5)",
    "lag forward": "y ~ lag(x, -1)",
    "log with a count": "y ~ log(x, 1)",
    "an open bracket": "y ~ log(x",
    "outcome on the right": "y ~ x + y",
    "outcome in log on the right": "log(x) ~ log(x) + z",
    "interaction with itself": "y ~ x:x",
    "three around stars": "y ~ x*z*wage",
    "a number stuck to a name": "y ~ lag(x, 1z)",
}


def _parse(text: str) -> Formula:
    return parse_formula(text, COLUMNS, where="study.toml: specification 's'")


@pytest.mark.parametrize(
    ("text", "regressors", "effects"),
    [
        ("y ~ x", ("x",), ()),
        ("  y~x+z\t", ("x", "z"), ()),
        ("y ~ x + z | factory + year", ("x", "z"), ("factory", "year")),
        ("y ~ x | factory + sector^year", ("x",), ("factory", "sector^year")),
        ("y ~ x | sector:year", ("x",), ("sector^year",)),
        ("y ~ x:z", ("x:z",), ()),
        ("y ~ x*z", ("x", "z", "x:z"), ()),
        ("y ~ x + x*z + z", ("x", "z", "x:z"), ()),
        ("y ~ x:z:wage", ("x:z:wage",), ()),
        ("y ~ log(x)", ("log_x",), ()),
        ("y ~ log(wage)", ("log_wage",), ()),
        ("y ~ lag(x, 1)", ("lag1_x",), ()),
        ("y ~ lag(x,2)", ("lag1_lag1_x",), ()),
        ("y ~ d(log(x)) + lag(d(x), 1)", ("d_log_x", "lag1_d_x"), ()),
        ("y ~ log(x):z", ("log_x:z",), ()),
        ("y ~ d + lag + d(d)", ("d", "lag", "d_d"), ()),
    ],
)
def test_what_is_allowed_becomes_names(
    text: str, regressors: tuple[str, ...], effects: tuple[str, ...]
) -> None:
    assert _parse(text) == Formula("y", regressors, effects)


def test_an_outcome_may_be_a_logarithm() -> None:
    assert _parse("log(x) ~ z").outcome == "log_x"


def test_a_derived_column_may_stand_without_its_base() -> None:
    assert parse_formula("y ~ log(v)", ["y", "log_v"], where="w").regressors == ("log_v",)
    assert parse_formula("y ~ d(log(v))", ["y", "log_v"], where="w").regressors == ("d_log_v",)


@pytest.mark.parametrize("text", INJECTIONS.values(), ids=INJECTIONS)
def test_what_could_run_is_refused_and_does_not_run(text: str, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    with pytest.raises(ModelError, match=r"specification 's', formula, character \d+: .*expected"):
        _parse(text.replace("{marker}", str(marker)))
    assert not marker.exists()


def test_a_dunder_is_refused_even_where_it_is_a_column() -> None:
    with pytest.raises(ModelError, match="character 5: '__class__'"):
        parse_formula("y ~ __class__", ["y", "__class__"], where="w")


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED)
def test_what_is_no_formula_is_refused(text: str) -> None:
    with pytest.raises(ModelError, match=r"specification 's', formula"):
        _parse(text)


def test_the_place_of_what_is_refused_is_counted_from_one() -> None:
    with pytest.raises(ModelError, match=r"formula, character 7: '; z'; expected column names, ~"):
        _parse("y ~ x ; z")
    with pytest.raises(ModelError, match=r"formula, character 9: 'C'; expected log, lag, d"):
        _parse("y ~ x + C(z)")


def test_a_mistyped_column_is_answered_with_the_nearest() -> None:
    with pytest.raises(
        ModelError, match=r"character 5: 'wgae', which is no column; expected 'wage'"
    ):
        _parse("y ~ wgae")
    with pytest.raises(ModelError, match=r"'secor', which is no column; expected 'sector'"):
        _parse("y ~ x | secor^year")


def test_a_column_like_none_is_answered_with_the_list() -> None:
    with pytest.raises(ModelError, match=r"expected one of d, factory, lag, log_wage"):
        _parse("y ~ qqqqqq")


def test_a_look_alike_is_shown_by_its_code_point() -> None:
    with pytest.raises(ModelError, match=r"'\\u0445'"):
        _parse("y ~ \u0445")


def test_a_formula_of_a_million_characters_is_refused_at_once() -> None:
    with pytest.raises(ModelError, match=rf"1000003 characters; .*at most {MOST_CHARACTERS}"):
        _parse("y ~" + "x" * 1_000_000)


def test_a_name_of_the_greatest_length_is_cut_in_the_message() -> None:
    with pytest.raises(ModelError, match="which is no column") as caught:
        _parse("y ~ " + "q" * (MOST_CHARACTERS - 4))
    assert len(str(caught.value)) < 400


PIECES = (
    *COLUMNS, "q", "log", "C", "I", "__import__", "os", "~", "~", "+", "+", "|", ":", "*", "^",
    "(", ")", ",", "1", "2", "99", "1.5", "-", "@", ";", "'", '"', "`", ".", "[", "\n", "\t", " ",
    "\u0445", "\u00a0", "\x00", "lambda", "eval(", "exec(", "log(", "lag(", "d(",
)  # fmt: skip


WHOLE = (
    "y ~ x + log( wage ) : z | factory + sector ^ year",
    "log( x ) ~ lag( z , 2 ) + d( log( wage ) ) * d",
    "x y ~ + z | ( factory year )",
)


def _bases(name: str) -> set[str]:
    found = {name}
    for prefix in ("log_", "lag1_", "d_"):
        if name.startswith(prefix):
            found |= _bases(name.removeprefix(prefix))
    return found


def _try(text: str) -> Formula | None:
    try:
        return _parse(text)
    except ModelError:
        return None


@pytest.mark.parametrize("seed", range(4))
def test_random_tokens_give_known_names_or_an_error_and_never_run(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ran(*_: object, **__: object) -> None:
        raise AssertionError("a formula was executed")

    draw = random.Random(seed)
    texts = []
    for _ in range(3000):
        pieces = list(draw.choice(WHOLE).split(" "))
        for _ in range(draw.randint(0, 4)):
            pieces[draw.randrange(len(pieces))] = draw.choice(PIECES)
        texts.append(draw.choice(["", " "]).join(pieces))
    with monkeypatch.context() as patched:
        for name in ("eval", "exec", "compile", "__import__"):
            patched.setattr(builtins, name, ran)
        formulas = [_try(text) for text in texts]
    parsed = [formula for formula in formulas if formula is not None]
    for formula in parsed:
        names = [formula.outcome, *":".join(formula.regressors).split(":")]
        assert all(_bases(name) & set(COLUMNS) for name in names), formula
        assert all(set(effect.split("^")) <= set(COLUMNS) for effect in formula.effects), formula
    # Reason: without a hundred that are formulas the assertions above are hollow.
    assert len(parsed) > 100
