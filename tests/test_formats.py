"""What is written in any format is read back to the last digit, letter and day."""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import io
import math
import random
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from evidence.errors import SourceError
from evidence.sources.reading.numerals import read_numbers
from evidence.sources.record import Column, Table
from rawfiles import BETTER_WORK, Columns, excel, parquet, read_raw, spss, stata

COLUMNS: Columns = {
    "plant": "text",
    "year": "integer",
    "output": "number",
    "union": "flag",
    "visited": "date",
    "country": "country",
}
FRAME = pd.DataFrame(
    {
        "plant": ["007", "工場", "Thắng Lợi"],
        "year": [2001, 2002, 2003],
        "output": [0.1, np.nan, -1.5],
        "union": [0, 1, 1],
        "visited": pd.to_datetime(["2001-02-03", "2002-12-31", "2003-01-01"]),
        "country": ["BGD", "JPN", "VNM"],
    }
)
SIGNS = ["a", "é", "工", "ট", "ក", " ", ",", ";", "|", '"', "'", "\n", "\t", "0", "-", "½", "😀"]


def _csv(frame: pd.DataFrame, delimiter: str = ",") -> bytes:
    return frame.to_csv(index=False, sep=delimiter, date_format="%Y-%m-%d").encode()


def _xlsx(frame: pd.DataFrame) -> bytes:
    rows = [[None if pd.isna(v) else v for v in row] for row in frame.itertuples(index=False)]
    return excel([list(frame.columns), *rows])


def _stata(frame: pd.DataFrame) -> bytes:
    return stata(frame, version=118, convert_dates={"visited": "td"})


def _parquet(frame: pd.DataFrame) -> bytes:
    return parquet(pa.Table.from_pandas(frame, preserve_index=False))


@pytest.mark.parametrize(
    ("file", "write"),
    [
        ("records.csv", _csv),
        ("records.tsv", lambda frame: _csv(frame, "\t")),
        ("records.txt", lambda frame: _csv(frame, "|")),
        ("records.xlsx", _xlsx),
        ("records.dta", _stata),
        ("records.sav", spss),
        ("records.parquet", _parquet),
    ],
)
def test_a_table_is_read_alike_from_every_format(
    file: str, write: Callable[[pd.DataFrame], bytes], tmp_path: Path
) -> None:
    snapshot = read_raw(tmp_path, write(FRAME), COLUMNS, file=file, key=["plant", "year"])
    pd.testing.assert_frame_equal(
        snapshot.tables["records"], FRAME.astype({"visited": "datetime64[us]"}), rtol=0, atol=0
    )


def test_types_are_those_of_the_house_whether_or_not_values_are_missing(tmp_path: Path) -> None:
    payload = b"year,union,output,plant,visited\n2001,1,2,a,2001-01-01\n,,,,\n2003,,,b,\n"
    columns: Columns = {name: COLUMNS[name] for name in payload.decode().split("\n")[0].split(",")}
    table = read_raw(tmp_path, payload, columns).tables["records"]
    types = [str(dtype) for dtype in table.dtypes]
    assert types == ["int64", "float64", "float64", "str", "datetime64[us]"]
    assert table["union"].isna().tolist() == [False, True]


def test_columns_that_are_not_declared_are_not_read(tmp_path: Path) -> None:
    payload = b"plant,note,year\na,\x07,2001\n"
    table = read_raw(tmp_path, payload, {"year": "integer", "plant": "text"}).tables["records"]
    assert table.to_dict("list") == {"year": [2001], "plant": ["a"]}


@pytest.mark.parametrize("seed", range(8))
def test_any_text_survives_quoting_and_delimiters(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    texts = ["".join(draw.choices(SIGNS, k=draw.randint(1, 9))).strip() for _ in range(60)]
    texts = [text for text in texts if text]
    delimiter = draw.choice([",", ";", "\t", "|"])
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter, lineterminator=draw.choice(["\n", "\r\n"]))
    writer.writerows([("number", "text"), *enumerate(texts)])
    columns: Columns = {"number": "integer", "text": "text"}
    table = read_raw(tmp_path, stream.getvalue().encode(), columns, key=["number"])
    assert table.tables["records"]["text"].tolist() == texts


LONG = [f'p{row},"{"x" * 60}, y"' for row in range(60_000)]


def _read_long(folder: Path, lines: list[str]) -> pd.DataFrame:
    payload = "\n".join(["plant,note", *lines]).encode()
    return read_raw(folder, payload, {"plant": "text", "note": "text"}).tables["records"]


def test_quotes_of_many_blocks_are_paired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evidence.sources.reading.delimited._AT_ONCE", 2)
    notes = _read_long(tmp_path, [*LONG, 'last,"a\nb"'])["note"]
    assert notes.tolist() == ["x" * 60 + ", y"] * len(LONG) + ["a\nb"]


@pytest.mark.parametrize("stray", ['"say "yes" now"', '"yes" now'])
def test_stray_quotes_in_a_pair_are_not_taken_for_quoting(stray: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"a quotation mark in line 59001 that does not close"):
        _read_long(tmp_path, [*LONG[:58_999], f"bad,{stray}", *LONG[59_000:]])


def test_quotes_within_a_bare_field_are_letters_of_it(tmp_path: Path) -> None:
    notes = _read_long(tmp_path, [*LONG, 'bad,say "yes"'])["note"]
    assert notes.iloc[-1] == 'say "yes"'


def test_a_quote_left_open_in_a_late_block_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"a quotation mark in line 59001 that does not close"):
        _read_long(tmp_path, [*LONG[:58_999], 'bad,"yes', *LONG[59_000:]])


def test_a_letter_beyond_ascii_in_a_late_block_is_read(tmp_path: Path) -> None:
    notes = _read_long(tmp_path, [*LONG, "last,Thắng Lợi"])["note"]
    assert notes.iloc[-1] == "Thắng Lợi"
    assert len(notes) == len(LONG) + 1


@pytest.mark.parametrize(
    ("lost", "seen"), [("a\0b", "NUL bytes"), ("a\ufffdb", "line 59001: the sign '\ufffd'")]
)
def test_a_damaged_cell_in_a_late_block_is_seen(lost: str, seen: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=seen):
        _read_long(tmp_path, [*LONG[:58_999], f"bad,{lost}", *LONG[59_000:]])


@pytest.mark.parametrize("seed", range(6))
def test_a_repeated_key_of_three_columns_is_found(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    keys = draw.sample([(a, b, c) for a in range(8) for b in range(9) for c in range(4)], k=60)
    columns: Columns = {"a": "integer", "b": "integer", "c": "integer"}

    def read(rows: list[tuple[int, int, int]]) -> int:
        payload = "\n".join(["a,b,c", *(",".join(map(str, row)) for row in rows)]).encode()
        return len(read_raw(tmp_path, payload, columns, key=["a", "b", "c"]).tables["records"])

    assert read(keys) == len(keys)
    place = draw.randrange(len(keys))
    with pytest.raises(SourceError, match=rf"line {place + 2}: .* again in line {len(keys) + 2}"):
        read([*keys, keys[place]])


@pytest.mark.parametrize("seed", range(4))
def test_a_bad_value_is_named_by_its_line_whatever_stands_above(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    lines = ["plant,output"]
    for number in range(40):
        lines += [""] * draw.randint(0, 2)
        lines.append(f'"{"x" * draw.randint(0, 3)}{chr(10) * draw.randint(0, 2)}{number}",1')
    lines.append("bad,much")
    text = "\n".join(lines) + "\nlast,1\n"
    expected = text[: text.index("bad,much")].count("\n") + 1
    with pytest.raises(SourceError, match=rf"column output, line {expected}: 'much'"):
        read_raw(tmp_path, text.encode(), {"plant": "text", "output": "number"})


def test_numbers_keep_their_last_digit(tmp_path: Path) -> None:
    draw = random.Random(0)
    numbers = [math.ldexp(draw.random() - 0.5, draw.randint(-300, 300)) for _ in range(3000)]
    payload = "x\n" + "".join(f"{number!r}\n" for number in numbers)
    table = read_raw(
        tmp_path, payload.encode(), {"x": {"type": "number", "range": [-1e300, 1e300]}}
    )
    assert table.tables["records"]["x"].tolist() == numbers


@pytest.mark.parametrize(
    ("decimal", "thousands"),
    [(d, t) for d in ".," for t in ("", ",", ".", " ", "'", "\u00a0", "\u202f") if d != t],
)
def test_marks_are_settled_by_a_column_that_allows_one_reading(
    decimal: str, thousands: str
) -> None:
    numbers = [1234567.25, -9876.5, 12.75, 0.5, 1000.0]
    plain = [f"{number:,}" for number in numbers]
    swapped = str.maketrans({",": thousands, ".": decimal})
    texts = pa.array([text.translate(swapped) for text in plain])
    read = read_numbers(texts, np.arange(len(numbers)), _table())
    assert read.values.tolist() == numbers
    assert (read.bad, read.unsettled) == ({}, ())


def _table() -> Table:
    columns = (Column(name="x", type="number", unit="sample"),)
    return Table(name="t", file="t.csv", key=(), columns=columns)


@pytest.mark.parametrize("zero", ["٠", "۰", "०", "০", "၀", "០", "๐", "０"])
def test_digits_of_any_script_are_digits(zero: str) -> None:
    numbers = [0, 7, 1234567890]
    texts = pa.array(["".join(chr(ord(zero) + int(d)) for d in str(n)) for n in numbers])
    assert read_numbers(texts, np.arange(3), _table()).values.tolist() == numbers


@pytest.mark.parametrize("pattern", ["%d/%m/%Y", "%Y-%m-%d", "%d.%m.%Y", "%d %b %Y", "%Y%m%d"])
def test_days_are_read_as_they_were_written(pattern: str, tmp_path: Path) -> None:
    draw = random.Random(1)
    start = dt.date(1900, 1, 1)
    days = [start + dt.timedelta(days=draw.randint(0, 73_000)) for _ in range(300)]
    payload = "day\n" + "".join(f"{day.strftime(pattern)}\n" for day in days)
    column = {"type": "date", "format": pattern}
    table = read_raw(tmp_path, payload.encode(), {"day": column}).tables["records"]
    assert table["day"].dt.date.tolist() == days


def test_better_works_export_is_read_as_it_is(tmp_path: Path) -> None:
    draw = random.Random(2)
    rows = [
        {
            "Country": draw.choice(["Bangladesh", "Cambodia", "Vietnam"]),
            "Cycle": 1 + visit % 5,
            "Year": 2015 + visit % 5,
            "Factory.Assessed.ID": f"{visit // 5:05d}",
            "Factory.Assessed.Name": f"Sample {visit // 5}, Ltd.",
            "Quest.ID": 1000 + visit,
            "Assesment.Start.Date": f"{1 + visit % 28:02d}/{1 + visit % 12:02d}/{2015 + visit % 5}",
            "Cluster": "Freedom of Association and Collective Bargaining",
            "CP": "Union operations",
            "Question.ID": question,
            "Q.Label": 'Does the employer "freely" bargain,\nas the law says?',
            "Question.type": draw.choice(["Core", "FGW"]),
            "Finding": draw.randint(0, 1),
            "Tags": draw.choice(["", "Public Disclosure"]),
        }
        for visit in range(40)
        for question in range(5)
    ]
    frame = pd.DataFrame(rows)
    key = ["Quest.ID", "Question.ID"]
    table = read_raw(tmp_path, _csv(frame), BETTER_WORK, key=key).tables["records"]
    assert list(table.columns) == list(BETTER_WORK)
    codes = {"Bangladesh": "BGD", "Cambodia": "KHM", "Vietnam": "VNM"}
    assert table["Country"].tolist() == [codes[name] for name in frame["Country"]]
    days = pd.to_datetime(frame["Assesment.Start.Date"], format="%d/%m/%Y")
    assert table["Assesment.Start.Date"].tolist() == days.tolist()
    assert table["Q.Label"].unique().tolist() == frame["Q.Label"].unique().tolist()
    assert table["Finding"].tolist() == frame["Finding"].tolist()
    assert table["Tags"].isna().sum() == (frame["Tags"] == "").sum()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("file", "write"),
    [("records.csv", _csv), ("records.xlsx", _xlsx), ("records.dta", _stata),
     ("records.sav", spss), ("records.parquet", _parquet)],
)  # fmt: skip
def test_a_file_that_was_damaged_is_read_or_refused_but_never_breaks(
    seed: int, file: str, write: Callable[[pd.DataFrame], bytes], tmp_path: Path
) -> None:
    draw = random.Random(seed)
    whole = write(FRAME)
    for _ in range(25):
        damaged = bytearray(whole)
        for _ in range(draw.randint(1, 6)):
            damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        cut = bytes(damaged[: draw.choice([len(damaged), draw.randrange(len(damaged))])])
        with contextlib.suppress(SourceError):
            read_raw(tmp_path, cut, COLUMNS, file=file)


def test_a_file_that_is_read_twice_gives_the_same_readings(tmp_path: Path) -> None:
    payload = "plant;output\nA;1,5\nB;2,5\n".encode("cp932")
    columns: Columns = {"plant": "text", "output": "number"}
    first, second = (read_raw(tmp_path, payload, columns).readings for _ in range(2))
    pd.testing.assert_frame_equal(first, second)
    assert first[["kind", "found"]].to_numpy().tolist() == [
        ["delimiter", "semicolon"],
        ["decimal mark", "comma, column output"],
    ]


def test_a_message_says_where_what_was_seen_expected_and_to_do(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=re.escape("say missing")) as caught:
        read_raw(tmp_path, b"output\n1\nNA\n", {"output": "number"})
    error = caught.value
    assert error.where == "source 'sample', file records.csv, column output, line 3"
    assert (error.seen, error.expected) == ("'NA'", "a number")
    assert error.do.endswith('say missing = ["", "NA"] in the record.')
