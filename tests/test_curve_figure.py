"""A specification curve as a picture: every specification, every choice, simulated data told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evidence.exhibits import draw, figure_curve
from evidence.models import Curve, Design, draw_curve
from evidence.study import Study, load_study
from samples import ROOT, study_file


@pytest.fixture(scope="module")
def study() -> Study:
    return load_study(study_file(ROOT, "plants"))


def _curve(*blocks: str) -> Curve:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(200, 3)), columns=["grant", "sales", "d88"])
    frame["firm"] = np.repeat(np.arange(40), 5)
    frame["y"] = 0.2 * frame["grant"] + rng.normal(size=200)
    names = ["grant", "sales", "d88"]
    design = Design(frame["y"], frame[names], frame[["firm"]], frame["firm"])
    return draw_curve(dict.fromkeys(blocks or ("all",), design), "grant", draws=99)


def test_the_exhibit_holds_every_specification_and_the_joint_tests() -> None:
    exhibit = figure_curve(_curve())
    assert len(exhibit.data) == 4
    assert exhibit.specification["choices"] == ["sales", "d88"]
    assert set(exhibit.specification["joint"]) == {
        "median_estimate", "share_significant", "mean_statistic",
    }  # fmt: skip


@pytest.mark.parametrize("width", ["wide", "narrow"])
def test_it_is_drawn_the_same_each_time(study: Study, width: str, tmp_path: Path) -> None:
    exhibit = figure_curve(_curve("first", "second"), simulated=True)
    picture = draw(exhibit, study, "en", width)  # type: ignore[arg-type]
    assert picture == draw(exhibit, study, "en", width)  # type: ignore[arg-type]
    assert exhibit.specification["blocks"] == ["first", "second"]
    assert len(exhibit.data) == 8
    assert picture.startswith(b"<?xml")
    assert b"<text" not in picture
