"""Simulated factories by country, their tables of cells, and necks that hold them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from evidence.exhibits import Exhibit
from evidence.models import COLUMNS
from evidence.neck import Neck
from evidence.panel import Panel, build_panel
from evidence.study import Disclosure, Study
from samples import declare, make_project, measures_of, specify, write_source, write_study

Tables = Callable[[Panel, str], tuple[Exhibit, ...]]

_INDICATORS = ("x", "committee", "union", "violation")
_NUMBERS = ("y", "wage", "employment", "workers")
VARIABLES = (
    declare("factory", "entity", "factory", "identifier"),
    declare("year", "time", "factory", "year"),
    declare("buyer", "cluster", "buyer", "identifier"),
    declare("y", "outcome", "factory-cycle"),
    *(declare(name, "control", "factory-cycle") for name in _NUMBERS[1:]),
    declare("x", "exposure", "factory-cycle", "indicator"),
    *(declare(name, "control", "factory-cycle", "indicator") for name in _INDICATORS[1:]),
    *(declare(f"finding{k}", "control", "factory-cycle", "indicator") for k in range(21)),
)


def make_study(folder: Path) -> Study:
    """Write and load the study whose panels these tests cut."""
    specs = [specify("within", "fixed_effects", "x", effects=["entity", "time"])]
    specs += [specify("pooled", "pooled_ols", "x")]
    specs += [specify("path", "sun_abraham", "x"), specify("cells", "fixed_effects", "x",
              effects=["entity", "buyer:time"])]  # fmt: skip
    root = make_project(folder)
    write_source(root, "factory,year\n", {"factory": "text", "year": "number"}, key=["factory"])
    return write_study(root, VARIABLES, specs)


def make_frame(count: int, *, country: str = "VNM", years: int = 2, seed: int = 0) -> pd.DataFrame:
    """Draw factories of a country: a row a factory and year, half of them with ``x``."""
    draw = np.random.default_rng([seed, count, *country.encode()])
    entity = np.repeat(np.arange(count), years)
    frame = pd.DataFrame({
        "factory": [f"{country}-{k:04d}" for k in entity],
        "year": np.tile(np.arange(2018, 2018 + years), count),
        "buyer": np.array(["red", "green", "blue"])[entity % 3],
    })  # fmt: skip
    rows = len(frame)
    for name in _INDICATORS:
        frame[name] = ((entity + _INDICATORS.index(name)) % 2).astype(float)
    frame["y"] = draw.normal(10, 2, rows)
    frame["wage"] = draw.normal(100, 10, rows)
    frame["employment"] = np.round(draw.lognormal(6, 0.5, count))[entity]
    frame["workers"] = frame["employment"]
    for k in range(21):
        frame[f"finding{k}"] = (draw.random(count) < 0.3)[entity].astype(float)
    return frame


def make_panel_of(study: Study, frame: pd.DataFrame) -> Panel:
    """Take a frame as a panel of restricted data."""
    panel = build_panel(study, measures_of(frame))
    return replace(panel, provenance=replace(panel.provenance, confidentiality="restricted"))


def make_neck(study: Study, frames: Mapping[str, pd.DataFrame], tables: Tables) -> Neck:
    """Do what the notebooks of several cases do, and put their tables below each other."""
    made: dict[str, list[Exhibit]] = {}
    units: dict[str, list[str]] = {}
    for case, frame in frames.items():
        for exhibit in tables(make_panel_of(study, frame), case):
            made.setdefault(exhibit.id, []).append(exhibit)
            units |= {f"{exhibit.id}/{cell}": list(of) for cell, of in exhibit.units.items()}
    below = {name: pd.concat([e.data for e in of], ignore_index=True) for name, of in made.items()}
    exhibits = [Exhibit(name, made[name][0].specification, data) for name, data in below.items()]
    return Neck(list_rows([]), [], tuple(exhibits), protect(units))


def protect(units: Mapping[str, list[str]]) -> dict[str, Any]:
    """Fill in ``protected.json`` for restricted data."""
    return {
        "confidentiality": "restricted",
        "protected_unit": "factory",
        "identifiers": [],
        "citations": {},
        "items_left_out": [],
        "units": dict(units),
        "rows": {},
    }


def list_rows(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Lay out rows of ``estimates.csv``; what is not said is that of a large study."""
    usual: dict[str, Any] = dict.fromkeys(COLUMNS, "")
    usual |= dict.fromkeys(("std_error", "statistic", "p_value", "conf_low", "conf_high"), 0.1)
    usual |= {"case": "all", "specification": "pooled", "estimator": "pooled_ols", "term": "x"}
    usual |= {"estimate": 1.0, "conf_level": 0.95, "nobs": 1200, "n_entities": 240, "n_periods": 5}
    usual |= {"n_clusters": 240, "n_treated_clusters": np.nan, "level": "factory"}
    return pd.DataFrame([{**usual, **row} for row in rows], columns=list(COLUMNS))


def with_rules(study: Study, **settings: Any) -> Study:
    """Give a study other rules of disclosure."""
    return replace(study, disclosure=Disclosure(**settings))
