from __future__ import annotations

import csv
import io
import re
import zipfile
from dataclasses import replace

import openpyxl
import pandas as pd
import pytest

from evidence.brief.annex import write_csv, write_latex, write_sheet
from evidence.brief.annex.commas import defuse
from evidence.brief.annex.latex import escape
from evidence.brief.exporter import word_model
from evidence.brief.imprint import DRAFT, Imprint
from evidence.disclosure import WITHHELD, Cleared, Edition, clear, list_estimates, scan_bytes
from evidence.neck import Neck
from evidence.study import Study

NUMBERS = ("estimate", "std_error", "conf_low", "conf_high", "nobs", "n_entities", "n_clusters")
EDITION = Imprint(Edition(3, "2026-11-22", "", "", (), "", {}))
FORMULAS = (
    "=HYPERLINK(\"http://x.example\",\"y\")", "=cmd|'/C calc'!A0", "+1+1", "-2+3", "@SUM(1)",
    " =1", "\t=1", "\uff1d1", "a;=1", "a\n=1",
)  # fmt: skip


@pytest.fixture(scope="module")
def cleared(plants: Study, plants_neck: Neck) -> Cleared:
    return clear(plants_neck, plants)


@pytest.fixture(scope="module")
def simulated(chains: Study, chains_neck: Neck) -> Cleared:
    return clear(chains_neck, chains)


@pytest.fixture(scope="module")
def book(cleared: Cleared) -> bytes:
    return write_sheet(cleared, "en", word_model(cleared, "en", "government", DRAFT))


def _restricted(cleared: Cleared) -> Cleared:
    """Show the neck as if its data were restricted; clearing is not what is tested."""
    protected = {**cleared.neck.protected, "confidentiality": "restricted"}
    return replace(cleared, neck=replace(cleared.neck, protected=protected))


def _read(payload: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(payload.decode("utf-8"))))


def test_the_csv_holds_every_digit_of_what_was_cleared(cleared: Cleared) -> None:
    payload = write_csv(cleared, DRAFT)
    rows, own = _read(payload), cleared.neck.estimates
    assert [row["term"] for row in rows] == list(own["term"])
    for name in NUMBERS:
        shown = [float(row[name]) if row[name] else None for row in rows]
        assert shown == [None if pd.isna(value) else float(value) for value in own[name]]
    assert "union never changes" in next(r["reason"] for r in rows if not r["estimate"])
    assert {row["edition"] for row in rows} == {"draft"}
    assert not {"p_value", "statistic", "n_treated_clusters"} & set(rows[0])
    assert b"\r" not in payload
    assert payload == write_csv(cleared, DRAFT)
    assert {row["edition"] for row in _read(write_csv(cleared, EDITION))} == {"3"}


def test_simulated_data_are_called_so_in_each_file(simulated: Cleared) -> None:
    assert {row["confidentiality"] for row in _read(write_csv(simulated, DRAFT))} == {"simulated"}
    text = write_latex(simulated, DRAFT).decode()
    assert text.count("Simulated data") == text.count(r"\begin{table}") == 4
    model = word_model(simulated, "en", "government", DRAFT)
    sheet = openpyxl.load_workbook(io.BytesIO(write_sheet(simulated, "en", model))).active
    assert any(
        "Simulated data" in str(row[0]) for row in sheet.iter_rows(max_row=4, values_only=True)
    )


def test_of_restricted_data_only_findings_leave(cleared: Cleared) -> None:
    rows = list_estimates(_restricted(cleared))
    stated = {
        (e["rows"][0]["specification"], e["rows"][0]["term"])
        for e in cleared.neck.findings if e["kind"] == "finding"
    }  # fmt: skip
    shown = {(r.specification, r.term) for r in rows.itertuples() if r.reason != WITHHELD}
    assert shown == stated
    held = rows[rows["reason"] == WITHHELD]
    assert {"d88", "log_employ"} <= set(held["term"])
    assert held[list(NUMBERS)].isna().all(axis=None)
    open_rows = list_estimates(cleared)
    assert len(open_rows) == len(rows)
    assert not (open_rows["reason"] == WITHHELD).any()
    own = cleared.neck.estimates
    secret = repr(float(own.loc[own["term"] == "d88", "estimate"].iloc[0]))
    bound = _restricted(cleared)
    model = word_model(cleared, "en", "government", DRAFT)
    sheet = zipfile.ZipFile(io.BytesIO(write_sheet(bound, "en", model)))
    files = [write_csv(bound, DRAFT), write_latex(bound, DRAFT), *map(sheet.read, sheet.namelist())]
    assert all(secret.encode() not in payload for payload in files)
    assert secret.encode() in write_csv(cleared, DRAFT)
    assert b"$-$0.08" not in files[1]


def test_the_sheet_is_one_declared_table(book: bytes, cleared: Cleared) -> None:
    loaded = openpyxl.load_workbook(io.BytesIO(book))
    (sheet,) = loaded.worksheets
    (table,) = sheet.tables.values()
    first, last = (int(n) for n in re.findall(r"\d+", table.ref))
    assert sheet["A1"].value == "Regression tables of the study plants"
    assert sheet["A2"].value.startswith("Draft")
    assert sheet.freeze_panes == f"B{first + 1}"
    assert sheet.print_title_rows == f"${first}:${first}"
    assert not sheet.merged_cells.ranges
    assert last - first == len(cleared.neck.estimates)
    head = [cell.value for cell in sheet[first]]
    assert [column.name for column in table.tableColumns] == head
    assert len(set(head)) == len(head)
    column = head.index("Estimate") + 1
    shown = [sheet.cell(row, column).value for row in range(first + 1, last + 1)]
    own = [None if pd.isna(value) else value for value in cleared.neck.estimates["estimate"]]
    assert shown == [value and pytest.approx(value, rel=1e-14) for value in own]
    assert loaded.properties.language == "en-GB"
    assert not loaded.properties.creator


def test_the_sheet_is_the_same_each_time_and_of_no_day(book: bytes, cleared: Cleared) -> None:
    again = write_sheet(cleared, "en", word_model(cleared, "en", "government", DRAFT))
    assert book == again
    with zipfile.ZipFile(io.BytesIO(book)) as packed:
        assert b"created" not in packed.read("docProps/core.xml")
        assert {entry.date_time[0] for entry in packed.infolist()} == {1980}


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_text_becomes_a_formula(formula: str, cleared: Cleared, plants: Study) -> None:
    estimates = cleared.neck.estimates.copy()
    estimates.loc[0, "term"] = formula
    hostile = replace(cleared, neck=replace(cleared.neck, estimates=estimates))
    for row in _read(write_csv(hostile, DRAFT)):
        for name, cell in row.items():
            pieces = re.split(r"[;,\t\n|]", cell) if name not in NUMBERS else []
            assert all(p.lstrip()[:1] not in set("=+-@\uff1d") for p in pieces if p.strip())
    model = word_model(cleared, "en", "government", DRAFT)
    payload = write_sheet(hostile, "en", model)
    sheet = zipfile.ZipFile(io.BytesIO(payload)).read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert "<hyperlink" not in sheet
    cells = [c for row in openpyxl.load_workbook(io.BytesIO(payload)).active for c in row]
    told = formula.replace("\n", " ").replace("\t", " ")
    assert [c.data_type for c in cells if str(c.value) == told] == ["s"]


def test_defusing_leaves_other_texts_alone() -> None:
    assert defuse("its within share is 0, - 3 of 4") == "its within share is 0, '- 3 of 4"
    assert defuse("Viet Nam, garment (a=b)") == "Viet Nam, garment (a=b)"


@pytest.mark.parametrize(
    "hostile",
    [
        r"\input{/etc/passwd}",
        "^^5cinput",
        "$x_{",
        "a & b \\\\ c",
        "%",
        "#1",
        "~",
        "{",
        "`x'",
        "[x]",
    ],
)
def test_latex_is_only_set(hostile: str) -> None:
    allowed = r"\\(?:textbackslash|textasciicircum|textasciitilde|textless|textgreater|textbar)\{\}"
    told = re.sub(
        rf"{allowed}|\\char(?:34|39|96)\{{\}}|\\[{{}}$&#_%]|\{{[\[\]*-]\}}", "", escape(hostile)
    )
    assert not set(told) & set("\\{}$&#_%^~[]`'")


def test_latex_has_a_float_for_each_specification(cleared: Cleared) -> None:
    text = write_latex(cleared, DRAFT).decode("utf-8")
    names = list(dict.fromkeys(cleared.neck.estimates["specification"]))
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == len(names)
    assert len(re.findall(r"\\caption\{[^}]+", text)) == len(names)
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == len(names)
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {line.count("&") for line in rows} == {6}
    assert "\n[" not in text


def test_no_alarm_for_what_the_annex_shows(cleared: Cleared, simulated: Cleared) -> None:
    for own in (cleared, simulated):
        model = word_model(own, "en", "government", DRAFT)
        files = {"t.csv": write_csv(own, DRAFT), "t.tex": write_latex(own, DRAFT),
                 "t.xlsx": write_sheet(own, "en", model)}  # fmt: skip
        for name, payload in files.items():
            scan_bytes(payload, own, name)
