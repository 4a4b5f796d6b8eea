"""Least squares has the digits that NIST certifies (StRD, linear regression)."""

from __future__ import annotations

import csv
import math
import tomllib
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from evidence.errors import ModelError
from evidence.models.design import Design
from evidence.models.kernel.least_squares import estimate_least_squares

FOLDER = Path(__file__).parent / "references" / "nist"
"""Data and certified values of https://www.itl.nist.gov/div898/strd/lls/lls.shtml."""

MOST = 15.0
"""NIST certifies 15 significant digits; more cannot be told."""

CERTIFIED = 14.3
"""Digits to which exact arithmetic on the stored data gives the certified values; reason:
certified values with a small first digit are rounded at a relative 5e-15."""

LEAST = 7.5
LEAST_FILIP = 7.0
"""The digits that this project asks for. Of Filip a double holds x to the tenth power to 16
digits, with which exact arithmetic reaches 7.6 digits of the certified coefficients."""

FILIP_COLLINEAR = 1e-13
"""A power of Filip leaves 1.2e-9 of its length beside the others: the default of 1e-8 refuses."""

SETS = (
    "Norris", "Pontius", "NoInt1", "NoInt2", "Longley",
    "Wampler1", "Wampler2", "Wampler3", "Wampler4", "Wampler5",
)  # fmt: skip

Matrix = list[list[Fraction]]


@cache
def _certified() -> dict[str, Any]:
    return tomllib.loads((FOLDER / "certified.toml").read_text(encoding="utf-8"))


def _read(name: str) -> tuple[list[Fraction], Matrix]:
    """Read a set as NIST prints it: the outcome and the columns of its model, exactly."""
    with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        rows = [{key: Fraction(text) for key, text in row.items()} for row in csv.DictReader(file)]
    model = _certified()[name]
    outcome = [row.pop("y") for row in rows]
    if model["model"] == "polynomial":
        powers = range(model["degree"] + 1)
        return outcome, [[row["x"] ** power for power in powers] for row in rows]
    start = [Fraction(1)] if model["model"] == "linear" else []
    return outcome, [[*start, *row.values()] for row in rows]


def _solve_exactly(outcome: list[Fraction], columns: Matrix) -> tuple[list[float], list[float]]:
    """Solve the normal equations in fractions: coefficients and standard errors."""
    size = len(columns[0])
    system = [
        [
            *(sum((row[i] * row[j] for row in columns), Fraction(0)) for j in range(size)),
            sum((row[i] * y for row, y in zip(columns, outcome, strict=True)), Fraction(0)),
            *(Fraction(i == j) for j in range(size)),
        ]
        for i in range(size)
    ]
    for i in range(size):
        system[i] = [value / system[i][i] for value in system[i]]
        for j in set(range(size)) - {i}:
            factor = system[j][i]
            pairs = zip(system[j], system[i], strict=True)
            system[j] = [value - factor * own for value, own in pairs]
    beta = [line[size] for line in system]
    fitted = [sum(b * x for b, x in zip(beta, row, strict=True)) for row in columns]
    squares = sum((y - f) ** 2 for y, f in zip(outcome, fitted, strict=True))
    variance = Fraction(squares) / (len(outcome) - size)
    errors = [math.sqrt(variance * system[i][size + 1 + i]) for i in range(size)]
    return [float(value) for value in beta], errors


def _count_digits(values: Sequence[float], certified: Sequence[float]) -> float:
    """Give the least −log10 of the relative error; of the error itself where 0 is certified."""
    errors = [
        abs(value - truth) / (abs(truth) or 1.0)
        for value, truth in zip(values, certified, strict=True)
    ]
    return min(MOST, *(-math.log10(error) if error else MOST for error in errors), MOST)


def _design(name: str, *, moved: float = 0.0) -> Design:
    outcome, columns = _read(name)
    names = ["constant", *(f"x{n}" for n in range(1, len(columns[0])))]
    if _certified()[name]["model"] == "origin":
        names = ["x"]
    floats = np.array([[float(value) for value in row] for row in columns])
    explained = pd.Series([float(value) for value in outcome], name="y")
    explained.iloc[0] += moved
    return Design(
        outcome=explained,
        regressors=pd.DataFrame(floats, columns=names),
        effects=pd.DataFrame(index=explained.index),
        where=name,
    )


@pytest.mark.parametrize("name", [*SETS, "Filip"])
def test_the_stored_data_have_the_certified_values(name: str) -> None:
    """Exact arithmetic: a digit that is wrong in the stored data cannot hide."""
    certified = _certified()[name]
    estimate, errors = _solve_exactly(*_read(name))
    assert _count_digits(estimate, certified["estimate"]) > CERTIFIED
    assert _count_digits(errors, certified["std_error"]) > CERTIFIED


@pytest.mark.parametrize("name", SETS)
def test_coefficients_and_errors_have_the_certified_digits(name: str) -> None:
    certified = _certified()[name]
    estimates = estimate_least_squares(_design(name))
    assert _count_digits(estimates.coefficients.tolist(), certified["estimate"]) >= LEAST
    assert _count_digits(estimates.std_errors.tolist(), certified["std_error"]) >= LEAST
    assert estimates.df == estimates.nobs - len(certified["estimate"])
    assert estimates.cov_type == "unadjusted"


def test_filip_has_the_digits_that_a_double_can_hold() -> None:
    certified = _certified()["Filip"]
    estimates = estimate_least_squares(_design("Filip"), collinear=FILIP_COLLINEAR)
    assert _count_digits(estimates.coefficients.tolist(), certified["estimate"]) >= LEAST_FILIP
    assert _count_digits(estimates.std_errors.tolist(), certified["std_error"]) >= LEAST_FILIP


def test_filip_is_refused_by_default_with_its_columns_named() -> None:
    with pytest.raises(ModelError, match=r"Filip: .*x10, of which one is a combination"):
        estimate_least_squares(_design("Filip"))


@pytest.mark.parametrize("name", SETS)
def test_the_digits_are_lost_when_one_row_moves(name: str) -> None:
    certified = _certified()[name]
    spread = _design(name).outcome.std()
    estimates = estimate_least_squares(_design(name, moved=1e-3 * spread))
    assert _count_digits(estimates.coefficients.tolist(), certified["estimate"]) < LEAST
