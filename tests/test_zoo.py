"""A zoo of bad and odd files: each is read right, or refused in one clear sentence.

``docs/inputs.md`` shows the zoo; ``python tests/test_zoo.py`` writes that table again.
"""

from __future__ import annotations

import bz2
import datetime as dt
import gzip
import io
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evidence.errors import SourceError
from evidence.sources import Snapshot
from rawfiles import (
    BETTER_WORK,
    Columns,
    archive,
    change_part,
    excel,
    parquet,
    read_raw,
    spss,
    stata,
    windows_1258,
)

PAGE = Path(__file__).parents[1] / "docs" / "inputs.md"
START, END = "<!-- zoo -->", "<!-- end of zoo -->"
PLAIN: Columns = {"plant": "text", "year": "integer", "output": "number"}


@dataclass(frozen=True)
class Animal:
    """One input and what must come of it.

    Either ``refused`` matches the message, or ``gives`` holds the exact values of some
    columns; ``reading`` and ``step`` then match what has to be recorded.
    """

    family: str
    name: str
    payload: bytes | Callable[[], bytes]
    refused: str = ""
    gives: Mapping[str, list[Any]] = field(default_factory=dict)
    reading: str = ""
    step: str = ""
    file: str = "records.csv"
    columns: Columns = field(default_factory=lambda: PLAIN)
    key: tuple[str, ...] = ("plant", "year")
    table: Mapping[str, Any] = field(default_factory=dict)
    shown: str = ""


ZOO: list[Animal] = []


def _add(family: str, name: str, payload: str | bytes | Callable[[], bytes], **more: Any) -> None:
    content = payload.encode() if isinstance(payload, str) else payload
    ZOO.append(Animal(family, name, content, **more))


def _rows(*rows: str) -> str:
    return "plant,year,output\n" + "".join(f"{row}\n" for row in rows)


def _numbers(*values: str) -> str:
    quoted = [f'"{value}"' for value in values]
    return _rows(*(f"p{i},2001,{value}" for i, value in enumerate(quoted)))


def _named(name: str) -> str:
    return _rows(f"{name},2001,1.5")


def _one(**columns: Any) -> Columns:
    return columns


# One animal a line where it fits.
# fmt: off
def _add_encodings() -> None:
    family = "Encodings"
    name = "第一縫製工場"
    factory = "Công ty may Thắng Lợi"
    read = {"plant": [name]}
    _add(family, "UTF-8 with a mark of byte order", b"\xef\xbb\xbf" + _named(name).encode(), gives=read)
    for codec, mark, said in (
        ("utf-16-le", b"\xff\xfe", "UTF-16 little-endian"),
        ("utf-16-be", b"\xfe\xff", "UTF-16 big-endian"),
        ("utf-32-le", b"\xff\xfe\x00\x00", "UTF-32 little-endian"),
    ):
        _add(family, f"{said} with its mark", mark + _named(name).encode(codec), gives=read, reading=f"encoding: {said}")
    wide = _named(name).encode("utf-16-le")
    _add(family, "UTF-16 without a mark", wide, refused="UTF-16 without a mark of byte order")
    _add(family, "UTF-16 without a mark, declared", wide, gives=read, table={"encoding": "utf-16-le"})
    _add(family, "Japanese CP932", _named(name).encode("cp932"), gives=read, reading="encoding: CP932")
    _add(family, "CP932 with ㈱, 髙 and half-width kana", _named("㈱髙﨑縫製ｶﾅ工場").encode("cp932"), gives={"plant": ["㈱髙﨑縫製ｶﾅ工場"]}, reading="CP932")
    _add(family, "Japanese EUC-JP", _named(name).encode("euc_jp"), refused=r"place 1 of line 2, which is not UTF-8.*'encoding' in the record")
    _add(family, "a declared encoding that is none of text", _named("a"), refused="encoding 'base64' in the record", table={"encoding": "base64"})
    _add(family, "EUC-JP, declared", _named(name).encode("euc_jp"), gives=read, table={"encoding": "euc_jp"})
    _add(family, "Latin-1 (café)", _named("café").encode("latin-1"), refused="byte 0xE9 at place 4 of line 2")
    _add(family, "Windows-1252 (worker’s)", _named("worker’s hall").encode("cp1252"), refused="byte 0x92")
    _add(family, "Latin-1 Italian (può)", _named("può").encode("latin-1"), refused="byte 0xF2")
    _add(family, "Latin-1, declared", _named("café").encode("latin-1"), gives={"plant": ["café"]}, table={"encoding": "latin-1"})
    _add(family, "Vietnamese Windows-1258", windows_1258(_named(factory)), gives={"plant": [factory]}, reading="encoding: Windows-1258")
    _add(family, "Windows-1252 (“” alone), which CP932 reads as 灯", _named("p “”").encode("cp1252"), refused="byte 0x93")
    _add(family, "Latin-1 Italian (ciaò), which Windows-1258 reads as ciạ", _named("ciaò").encode("latin-1"), refused="byte 0xF2")
    _add(family, "Chinese GBK", _named("中国工厂").encode("gbk"), refused="which is not UTF-8")
    _add(family, "Russian Windows-1251", _named("фабрика завод").encode("cp1251"), refused="which is not UTF-8")
    _add(family, "UTF-8 with one line of Latin-1", _named("工場").encode() + b"caf\xe9,2002,1\n", refused="byte 0xE9 at place 4 of line 3")
    _add(family, "UTF-8 cut within a letter", (_rows() + "工場").encode()[:-1], refused="line 2, which is not UTF-8")
    _add(family, "the sign � for lost letters", _named("caf\ufffd"), refused="line 2: .*where a letter was lost")
    _add(family, "a NUL byte", _named("a\0b"), refused="NUL bytes")
    _add(family, "UTF-8, declared as Latin-1", _named("café"), refused="text that is UTF-8 throughout", table={"encoding": "latin-1"})
    _add(family, "UTF-16 with its mark, declared as CP932", b"\xff\xfe" + wide, refused="mark of byte order that says UTF-16", table={"encoding": "cp932"})
    _add(family, "an encoding that does not exist, declared", _named("a"), refused="encoding 'utf-9' in the record", table={"encoding": "utf-9"})
    _add(family, "UTF-8 encoded twice (cafÃ©)", _named("cafÃ©"), refused="'cafÃ©', letters that were read in a wrong encoding")
    _add(family, "letters and accents apart (NFD)", _named("cafe\u0301"), gives={"plant": ["café"]})
    _add(family, "an invisible space at the end of a code", _named("a\u200b"), gives={"plant": ["a"]}, reading="invisible characters: .*column plant")


def _add_numbers() -> None:
    family = "Digits and marks"
    for name, values, gives, reading in (
        ("Bangla digits", ["১২৩", "৪.৫"], [123.0, 4.5], "digits: Bengali, column output"),
        ("Khmer digits", ["១២៣"], [123.0], "digits: Khmer"),
        ("full-width digits", ["１２３"], [123.0], "digits: Fullwidth"),
        ("a true minus sign", ["−5", "2"], [-5.0, 2.0], "minus sign: U\\+2212"),
        ("1,234.5", ["1,234.5", "7"], [1234.5, 7.0], "thousands mark: comma"),
        ("1.234,5", ["1.234,5"], [1234.5], "decimal mark: comma"),
        ("1 234,5 with a thin no-break space", ["1\u202f234,5"], [1234.5], "thousands mark: space"),
        ("1’234.5", ["1’234.5"], [1234.5], "thousands mark: apostrophe"),
        ("12,34,567 (lakh)", ["12,34,567"], [1234567.0], "thousands mark: comma"),
        ("12,5", ["12,5", "7"], [12.5, 7.0], "decimal mark: comma"),
        ("1,234 beside 12.5", ["1,234", "12.5"], [1234.0, 12.5], "thousands mark: comma"),
        ("0.1 to its last digit", ["0.1", "1e-7", "123456789.123456789"], [0.1, 1e-7, 123456789.123456789], ""),
    ):
        _add(family, name, _numbers(*values), gives={"output": gives}, reading=reading)
    for name, values, refused in (
        ("1,234 alone", ["1,234"], r"'1,234', whose mark may be .*Say decimal or thousands in the record"),
        ("1,234 and 1.234", ["1,234", "1.234"], "whose mark may be"),
        ("12,5 and 12.5", ["12,5", "12.5"], "'12,5', written with other marks"),
        ("1,23,45.6", ["1,23,45.6"], "uneven groups"),
        ("12 %", ["12 %"], "'12 %', a percentage"),
        ("(123)", ["(123)"], r"'\(123\)', a number in brackets"),
        ("1/2", ["1/2"], "'1/2', a fraction"),
        ("৳500", ["৳500"], "an amount of money"),
        ("5 kg", ["5 kg"], "a number with a unit"),
        ("0x1F", ["0x1F"], "hexadecimal"),
        ("1_000", ["1_000"], "with underscores"),
        ("01/02/2003", ["01/02/2003"], "'01/02/2003', a date"),
        ("1২", ["1২"], "column output, line 2: '1২'"),
        ("inf", ["inf"], "'inf'; expected a finite number"),
        ("1e400", ["1e400"], "'inf', written '1e400'; expected a finite number"),
    ):
        _add(family, name, _numbers(*values), refused=refused)
    _add(family, "1,234, decimal declared", _numbers("1,234"), reading="decimal mark: comma", gives={"output": [1.234]}, table={"decimal": ","})
    _add(family, "1,234, thousands declared", _numbers("1,234"), reading="thousands mark: comma", gives={"output": [1234.0]}, table={"thousands": ","})
    _add(family, "1.234, decimal comma declared", _numbers("1.234"), reading="thousands mark: dot", gives={"output": [1234.0]}, table={"decimal": ","})
    _add(family, "1,5, one mark declared for both", _numbers("1,5"), refused="as the mark of decimals and of thousands", table={"decimal": ",", "thousands": ","})
    _add(family, "a whole number beyond 2**53", _rows("a,9007199254740993,1"), refused="whole number that a computer holds exactly")
    _add(family, "a fraction for a whole number", _rows("a,2001.5,1"), refused=r"column year, line 2: '2001\.5'")


def _add_delimiters() -> None:
    family = "Delimiters"
    plain = _rows("a,2001,1.5")
    read = {"plant": ["a"], "output": [1.5]}
    for name, sign, file in (("semicolon", ";", "records.csv"), ("tab", "\t", "records.txt"), ("bar", "|", "records.csv")):
        _add(family, f"a {name}", plain.replace(",", sign), gives=read, reading=f"delimiter: {name}", file=file)
    _add(family, "a tab in a .tsv", plain.replace(",", "\t"), gives=read, file="records.tsv")
    _add(family, "Excel's line sep=;", "sep=;\n" + plain.replace(",", ";"), gives=read, reading="semicolon")
    _add(family, "semicolons and decimal commas", _rows("a;2001;1,5").replace("plant,year,output", "plant;year;output"), gives=read, reading="decimal mark: comma")
    _add(family, "one line with another delimiter", plain + "b;2001;2\n", refused=r"line 3 has 1 fields.*split by semicolon, the header by comma")
    _add(family, "a header with two delimiters", "plant;year,output\na,2001,1\n", refused="The header line mixes delimiters")
    _add(family, "another delimiter than declared", plain, refused="Say delimiter = ','", table={"delimiter": ";"})


def _add_lines() -> None:
    family = "Line structure"
    two = {"plant": ["a", "b"], "output": [1.0, 2.0]}
    _add(family, "blank lines", _rows("a,2001,1", "", "", "b,2001,2", ""), gives=two)
    _add(family, "line ends of Windows", _rows("a,2001,1", "b,2001,2").replace("\n", "\r\n"), gives=two)
    _add(family, "line ends of old Macs", _rows("a,2001,1", "b,2001,2").replace("\n", "\r"), gives=two)
    _add(family, "no line end at the end", _rows("a,2001,1", "b,2001,2").rstrip(), gives=two)
    _add(family, "a line break within quotes", _rows('"a\nb",2001,1', "c,2001,2"), gives={"plant": ["a\nb", "c"]})
    _add(family, "a bad value below a quoted line break", _rows('"a\nb",2001,1', "c,2001,much"), refused="line 4: 'much'")
    _add(family, 'a sign for inches (5" pipe)', _rows('5" pipe,2001,1'), gives={"plant": ['5" pipe']})
    _add(family, "a doubled quote", _rows('"a ""b""",2001,1'), gives={"plant": ['a "b"']})
    _add(
        family,
        "a quote that is never closed",
        _rows("a,2001,1", 'b,2001,"2', "c,2001,3"),
        refused="quotation mark in line 3",
        shown="refused: a quotation mark in line 3 that does not close its field",
    )
    _add(
        family,
        "two open quotes that hide a row",
        _rows('a,2001,"1', 'b,2001,"2', "c,2001,3"),
        refused="quotation mark in line 2",
        shown="refused: a quotation mark in line 2 that does not close its field",
    )
    _add(
        family,
        "text behind a closing quote",
        _rows('"a"b,2001,1'),
        refused="quotation mark in line 2",
        shown="refused: a quotation mark in line 2 that does not close its field",
    )
    _add(family, "a blank before a quote", _rows('a, "2001",1'), refused="a blank before a quotation mark in line 2")
    _add(family, "a row that is empty but for a column not declared", "plant,note,year,output\na,,2001,1\n,a note,,\n", refused="column plant, line 3: .*part of the key")
    _add(family, "a field too many", _rows("a,2001,1", "b,2001,2,3"), refused="line 3 has 4 fields, the header 3")
    _add(family, "a field too few", _rows("a,2001,1", "b,2001"), refused="line 3 has 2 fields, the header 3")
    _add(family, "a field too many in every row", _rows("1,a,2001,1", "2,b,2001,2"), refused="line 2 has 4 fields")
    _add(family, "a note below the rows", _rows("a,2001,1", "Source: the ministry"), refused="line 3 has 1 fields")
    _add(family, "rows of commas, as Excel leaves them", _rows("a,2001,1", ",,", ",,"), gives={"plant": ["a"]}, step="1: without 2 rows that hold nothing")
    _add(family, "two files put together with both headers", "plant\na\nplant\nb\n", refused="line 3: the header again", columns=_one(plant="text"), key=())


def _add_headers() -> None:
    family = "Headers"
    _add(family, "blanks around the names", " plant , year,output \na,2001,1\n", gives={"plant": ["a"]})
    _add(family, "a name twice", "plant,year,output,output\na,2001,1,2\n", refused="more than one column 'output'")
    _add(family, "a misspelt name", "plant,yaer,output\na,2001,1\n", refused=r"also year \(the nearest to 'year' is 'yaer'\)")
    _add(family, "titles above the header", "Report of the ministry\n\n" + _rows("a,2001,1"), refused="the declared columns in line 3, below other lines")
    _add(family, "a header alone", _rows(), refused="a header without rows")
    _add(family, "a name with its accent apart", "cafe\u0301\n1\n", gives={"café": [1.0]}, columns=_one(café="number"), key=())
    _add(family, "a name with a Cyrillic letter", "plant,y\u0435ar,output\na,2001,1\n", refused=r"the nearest to 'year' is 'y<U\+0435>ar'")
    _add(family, "a header that is not divided", "plant year output\na 2001 1\n", refused="also plant, year, output")
    _add(family, "columns without a name", "plant,year,output,,\na,2001,1,,\n", refused="several columns without a name")
    _add(
        family,
        "the second of a column's names",
        "firm,year,output\na,2001,1\n",
        gives={"plant": ["a"]},
        columns={**PLAIN, "plant": {"type": "text", "raw": ["factory", "firm"]}},
    )


def _add_formats() -> None:
    family = "Formats"
    plain = _rows("a,2001,1.5").encode()
    book = excel([["plant", "year", "output"], ["a", 2001, 1.5]])
    read = {"plant": ["a"], "output": [1.5]}
    for name, payload, file, refused in (
        ("a workbook named .csv", book, "records.csv", r"content of a '\.xlsx' in a file that ends in '\.csv'"),
        ("CSV named .xlsx", plain, "records.xlsx", r"something else; expected what '\.xlsx' says"),
        ("CSV named .dta", plain, "records.dta", r"something else; expected what '\.dta' says"),
        ("a web page named .csv", b"<!DOCTYPE html><html><body>Log in</body></html>", "records.csv", "a web page"),
        ("a web page named .xlsx", b"<html><table></table></html>", "records.xlsx", "a web page"),
        ("a web page named .xls", b"<html><table></table></html>", "records.xls", r"ends in '\.xls'"),
        ("XML named .csv", b"<?xml version='1.0'?><data/>", "records.csv", "XML"),
        ("a JSON error named .csv", b'{"error": "quota exceeded"}', "records.csv", "a JSON answer.*quota exceeded"),
        ("a pointer of Git LFS", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "records.csv", "a pointer of Git LFS.*git lfs pull"),
        ("an old or encrypted workbook", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "records.xlsx", "an old or encrypted workbook"),
        ("a PDF", b"%PDF-1.7\n", "records.csv", "a PDF"),
        ("an empty file", b"", "records.csv", "cannot be read .it is empty"),
        ("an empty workbook file", b"", "records.xlsx", "cannot be read .it is empty"),
        ("blank lines alone", b"\n \n\n", "records.csv", "it is empty"),
        ("Parquet named .csv", parquet({"plant": ["a"]}), "records.csv", r"content of a '\.parquet'"),
        ("an unknown ending", plain, "records.json", r"ends in '\.json'"),
        ("a zip archive of two tables", archive({"a.csv": plain, "b.csv": plain}), "records.zip", r"archive of a\.csv, b\.csv"),
        ("a zip archive without a table", archive({"a.pdf": b"%PDF"}), "records.zip", "one data file in it"),
    ):
        _add(family, name, payload, file=file, refused=refused)
    _add(family, "a zip archive of one table and a PDF", archive({"in/a.csv": plain, "about.pdf": b"%PDF"}), file="records.zip", gives=read, reading=r"member: in/a\.csv")
    _add(family, "an ending in capitals", plain, file="RECORDS.CSV", gives=read)


def _add_packed() -> None:
    family = "Packed files and bombs"
    plain = _rows("a,2001,1.5").encode()
    read = {"output": [1.5]}
    _add(family, ".csv.gz", gzip.compress(plain), file="records.csv.gz", gives=read)
    _add(family, ".csv.bz2", bz2.compress(plain), file="records.csv.bz2", gives=read)
    _add(family, "gzip named .csv", gzip.compress(plain), refused=r"content of a '\.gz'")
    _add(family, "CSV named .csv.gz", plain, file="records.csv.gz", refused=r"something else; expected what '\.gz' says")
    _add(family, "gzip cut off", gzip.compress(plain)[:-9], file="records.csv.gz", refused="packed file that is damaged", shown="refused: a packed file that is damaged")
    _add(family, "a packed workbook", gzip.compress(excel([["plant"]])), file="records.xlsx.gz", refused=r"a packed '\.xlsx'")
    _add(
        family,
        "gzip of 70 MB of blank lines",
        lambda: gzip.compress(plain + b"\n" * 70_000_000, 9),
        file="records.csv.gz",
        refused="packed bytes that unpack to more than",
        shown="refused: packed bytes that unpack to more than 500 times as many",
    )
    _add(
        family,
        "bzip2 of 70 MB of blank lines",
        lambda: bz2.compress(plain + b"\n" * 70_000_000),
        file="records.csv.bz2",
        refused="packed bytes that unpack to more than",
        shown="refused: packed bytes that unpack to more than 500 times as many",
    )
    _add(
        family,
        "zip of 70 MB of blank lines",
        lambda: archive({"a.csv": plain + b"\n" * 70_000_000}),
        file="records.zip",
        refused="packed bytes that unpack to more than",
        shown="refused: packed bytes that unpack to more than 500 times as many",
    )


HEAD: list[object] = ["plant", "year", "output"]
GOOD: list[list[object]] = [HEAD, ["007", 2001, 1.5]]
SHEET = "xl/worksheets/sheet1.xml"
EMPTY = b"<v></v>" if openpyxl.LXML else b"<v />"


def _add_excel() -> None:
    family = "Excel"

    def book(name: str, payload: bytes | Callable[[], bytes], **more: Any) -> None:
        _add(family, name, payload, file="records.xlsx", **more)

    read = {"plant": ["007"], "year": [2001], "output": [1.5]}
    book("a sheet", excel(GOOD), gives=read)
    book("a row with the number of one before it", change_part(excel(GOOD), SHEET, b'<row r="2"', b'<row r="1"'), refused="row 1 after row 1 in xl/worksheets/sheet1.xml")
    strict = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main", b"http://purl.oclc.org/ooxml/spreadsheetml/main"
    book("Strict Open XML", change_part(excel(GOOD), "xl/workbook.xml", *strict), refused="a workbook saved as 'Strict Open XML'")
    book("a sheet of which the file claims one cell", change_part(excel(GOOD), SHEET, b'<dimension ref="A1:C2"', b'<dimension ref="A1:A1"'), gives=read)
    book("an empty second sheet", excel(GOOD, []), gives=read)
    book("two sheets with data", excel(GOOD, GOOD), refused="several sheets with data: Sheet1, Sheet2")
    book("two sheets with data, one declared", excel([["notes"]], GOOD), gives=read, table={"sheet": "Sheet2"})
    book("a sheet that is not there, declared", excel(GOOD), refused="also 'Data', which the record names", table={"sheet": "Data"})
    book("a workbook without a filled cell", excel([]), refused="without a filled cell")
    book("a title above the header", excel([["Report"], [], *GOOD]), refused="declared columns in row 3, below other lines")
    book("merged cells", excel(GOOD, mend=lambda b: b.worksheets[0].merge_cells("A2:A3")), refused="merged cells A2:A3")
    book("a formula without a result", excel([HEAD, ["a", 2001, "=1+1"]]), refused=r"cell C2: the formula '=1\+1' without a result")
    book(
        "a formula with its result",
        change_part(excel([HEAD, ["a", 2001, "=1+1"]]), SHEET, EMPTY, b"<v>2</v>"),
        gives={"output": [2.0]},
        reading="formulas: the results",
    )
    book("an error in a cell", excel([HEAD, ["a", 2001, "#N/A"]]), refused="column output, row 2: '#N/A', which the file holds as an error")
    book("a code that became a day", excel([HEAD, [pd.Timestamp("2021-02-01"), 2001, 1]]), refused="column plant, row 2: .*which the file holds as a date.*1-2 into days")
    book("codes stored as numbers", excel([HEAD, [7, 2001, 1]]), gives={"plant": ["7"]}, reading="codes: stored as numbers: leading zeros may be lost, column plant")
    book("a code 1.10 stored as a number", excel([HEAD, [1.1, 2001, 1]]), refused=r"'1\.1', which the file holds as a number")
    book("numbers stored as text", excel([HEAD, ["a", "2001", "1.5"]]), gives={"year": [2001], "output": [1.5]})
    book("TRUE in a flag", excel([["union"], [True], [False]]), gives={"union": [1, 0]}, columns=_one(union="flag"), key=())
    book(
        "days",
        excel([["day"], [pd.Timestamp("2021-02-01")]]),
        gives={"day": [pd.Timestamp("2021-02-01")]},
        columns=_one(day={"type": "date", "format": "%d/%m/%Y"}),
        key=(),
    )
    book(
        "days beside text that looks like a day",
        excel([["day"], [pd.Timestamp("2021-02-01")], ["13/02/2021"]]),
        refused="'13/02/2021', text beside cells that the file holds as dates",
        columns=_one(day={"type": "date", "format": "%d/%m/%Y"}),
        key=(),
    )
    book("days as Excel's numbers", excel([["day"], [44228]]), refused="may be Excel's numbers of days", columns=_one(day="date"), key=())
    book("a time of the day", excel([["output"], [dt.time(8, 30)]]), refused="holds as a time of the day", columns=_one(output="number"), key=())
    book("a workbook cut off", excel(GOOD)[:-200], refused="workbook that cannot be opened|something else")
    book(
        "an entity bomb",
        change_part(excel(GOOD), SHEET, b"<worksheet", b'<!DOCTYPE x [<!ENTITY a "aaaa">]><worksheet'),
        refused="a document type or entity in xl/worksheets/sheet1.xml",
    )
    book(
        "a bomb of 30 MB of blanks",
        lambda: change_part(excel(GOOD), SHEET, b"<sheetData>", b" " * 30_000_000 + b"<sheetData>"),
        refused="bytes that unpack to",
        shown="refused: bytes that unpack to more than 200 times as many",
    )


def _frame(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame(columns)


def _add_statistical() -> None:
    family = "Stata and SPSS"
    survey = _frame(plant=["007", "b"], year=[2001, 2002], output=[1.5, np.nan])
    read = {"plant": ["007", "b"], "year": [2001, 2002], "output": [1.5, np.nan]}

    def both(name: str, payload: bytes, file: str, **more: Any) -> None:
        _add(family, name, payload, file=file, **more)

    both("a Stata file", stata(survey), "records.dta", gives=read)
    both("an old Stata file", stata(survey, version=114), "records.dta", gives=read)
    both("an SPSS file", spss(survey), "records.sav", gives=read)
    answers = _frame(plant=["a", "b", "c"], year=[1, 1, 1], output=[1.0, 2.0, 9.0])
    labels = {"output": {1.0: "yes", 2.0: "no"}}
    both("answers with labels: codes are read", spss(answers, variable_value_labels=labels), "records.sav", gives={"output": [1.0, 2.0, 9.0]})
    lands = _frame(land=[1.0, 2.0], output=[1.0, 2.0])
    named = {"land": {1.0: "Bangladesh", 2.0: "Cambodia"}}
    landed: Columns = {"land": "country", "output": "number"}
    both("countries as own codes with labels", stata(lands, value_labels=named), "records.dta", refused="column land: the code 1, which the file labels 'Bangladesh'", columns=landed, key=())
    numbered = {"land": {116.0: "Cambodia"}}
    both("countries as M49 numbers with labels", stata(_frame(land=[116.0], output=[1.0]), value_labels=numbered), "records.dta", gives={"land": ["KHM"]}, columns=landed, key=())
    flagged: Columns = {"union": "flag"}
    swapped = {"union": {0.0: "Yes", 1.0: "No"}}
    both("a flag whose 1 is labelled No", spss(_frame(union=[0.0, 1.0]), variable_value_labels=swapped), "records.sav", refused="column union: the code 0, which the file labels 'Yes'", columns=flagged, key=())
    unsure = {"output": {9.0: "Don't know"}}
    both("a number labelled Don't know", spss(answers, variable_value_labels=unsure), "records.sav", refused="column output: the code 9, which the file labels 'Don't know'")
    coded = {"plant": {7.0: "Sample Ltd"}}
    both("names as codes with labels", stata(_frame(plant=[7.0], year=[2001], output=[1.0]), value_labels=coded), "records.dta", gives={"plant": ["7"]}, reading="codes: read without their labels .7 = Sample Ltd.")
    both("a code of twelve digits as a number", stata(_frame(plant=[123456789012.0], year=[2001], output=[1.0])), "records.dta", gives={"plant": ["123456789012"]}, reading="leading zeros may be lost")
    both(
        "a value that SPSS declares missing",
        spss(answers, missing_ranges={"output": [9]}),
        "records.sav",
        gives={"output": [1.0, 2.0, np.nan]},
        reading="missing: 9, as the file declares, column output",
    )
    both("codes stored as numbers", stata(_frame(plant=[7.0], year=[2001], output=[1.0])), "records.dta", gives={"plant": ["7"]}, reading="leading zeros may be lost")
    days = _frame(day=pd.to_datetime(["2021-02-01"]))
    both("days of Stata", stata(days, convert_dates={"day": "td"}), "records.dta", gives={"day": [pd.Timestamp("2021-02-01")]}, columns=_one(day="date"), key=())
    both("months of Stata", stata(days, convert_dates={"day": "tm"}), "records.dta", refused="column day, row 1: '733'", columns=_one(day="date"), key=())
    both("a Stata file cut off in the data", stata(survey, version=118)[:-150], "records.dta", refused="Stata that cannot be read .its end is cut off")
    both("an SPSS file cut off", spss(survey)[:-10], "records.sav", refused="SPSS that cannot be read", shown="refused: a file of SPSS that cannot be read")
    lying = stata(survey, version=118)
    place = lying.index(b"<N>") + 3
    lying = lying[:place] + (2**36).to_bytes(8, "little") + lying[place + 8 :]
    both("a Stata file that claims 2**36 rows", lying, "records.dta", refused="cannot be read", shown="refused: a file of Stata that cannot be read")


def _big_parquet() -> bytes:
    stream = io.BytesIO()
    part = pa.table({"output": pa.array(np.zeros(21_000_000, dtype=np.int8))})
    with pq.ParquetWriter(stream, part.schema) as writer:
        for _ in range(10):
            writer.write_table(part)
    return stream.getvalue()


def _add_parquet() -> None:
    family = "Parquet"

    def file(name: str, payload: bytes | Callable[[], bytes], **more: Any) -> None:
        _add(family, name, payload, file="records.parquet", **more)

    good = {"plant": ["007", "b"], "year": [2001, 2002], "output": [1.5, None]}
    file("a table", parquet(good), gives={"plant": ["007", "b"], "year": [2001, 2002], "output": [1.5, np.nan]})
    file("categories", parquet({**good, "plant": pa.array(["a", "b"]).dictionary_encode()}), gives={"plant": ["a", "b"]})
    file("cut off", parquet(good)[:-30], refused="Parquet that cannot be read", shown="refused: a file of Parquet that cannot be read")
    file("a list in each cell", parquet({**good, "output": [[1.0], [2.0]]}), refused="column output: values of type list")
    file(
        "moments with a time zone",
        parquet({"day": pa.array([pd.Timestamp("2021-02-01")], pa.timestamp("us", "UTC"))}),
        refused="without a time zone",
        columns=_one(day="date"),
        key=(),
    )
    file("a missing value in the key", parquet({**good, "plant": ["a", None]}), refused="column plant, row 2: .*part of the key")
    file("210 million rows in 100 kB", _big_parquet, refused="210,000,000 rows", columns=_one(output="number"), key=())


def _add_codes() -> None:
    family = "Codes"
    _add(family, "leading zeros", _named("0111"), gives={"plant": ["0111"]})
    _add(family, "the letters NA", _named("NA"), gives={"plant": ["NA"]})
    _add(family, "1E5", _named("1E5"), gives={"plant": ["1E5"]})
    _add(family, "a code of 23 digits", _named("12345678901234567890123"), gives={"plant": ["12345678901234567890123"]})
    _add(family, "1.23457E+11, a code that Excel shortened", _named("1.23457E+11"), refused="a long code that Excel has shortened")
    _add(family, "#REF! in a code", _named("#REF!"), refused="an error of Excel")
    _add(family, "a bell character", _named("a\x07b"), refused=r"'a<U\+0007>b', which holds a character that does not print")
    _add(family, "2-Jan, a code 2-1 that Excel made a day", _named("2-Jan"), refused="a day, as Excel makes of a code")
    _add(family, "true in a flag", "union\ntrue\n", refused="column union, line 2: 'true'; expected 0 or 1", columns=_one(union="flag"), key=())
    _add(family, "2 in a flag", "union\n0\n2\n", refused="'2.0', written '2'; expected 0 or 1", columns=_one(union="flag"), key=())


def _add_sentinels() -> None:
    family = "Marks of no answer"
    for name, values, refused in (
        ("-99 among positive numbers", ["12", "-99", "30"], r"line 3: '-99', the only sort of negative value.*missing = ..-99"),
        ("-8 and -9 among positive numbers", ["12", "-8", "-9"], r"line 3: '-8', the only sort of negative value"),
        ("999 among small numbers", ["12", "999", "30"], "line 3: '999', more than twice as large"),
        ("98 and 99 among small numbers", ["12", "98", "99"], "'99', more than twice as large"),
        ("98 alone among shares", ["0.2", "0.9", "98"], "line 4: '98', far larger than any other value"),
        ("-999999 among positive numbers", ["12", "-999999"], "line 3: '-999999', the only sort of negative value"),
        ("Stata's missing value written as a number", ["12", "8.98846567431158e307"], "as large as what Stata and SPSS write"),
        ("NA", ["12", "NA"], r"line 3: 'NA'.*missing = ."),
        ("n/a", ["n/a"], "'n/a'"),
        ("a dot", ["."], r"line 2: '\.'.*missing = ."),
        ("two dots", [".."], r"line 2: '\.\.'"),
        ("NULL", ["NULL"], "'NULL'.*missing"),
        ("a dash", ["-"], "line 2: '-'"),
        ("nan", ["nan"], "line 2: 'nan'"),
    ):
        _add(family, name, _numbers(*values), refused=refused)
    _add(family, "-99, declared", _numbers("12", "-99"), gives={"output": [12.0, np.nan]}, table={"missing": ["", "-99"]})
    _add(family, "NA, declared", _numbers("12", "NA"), gives={"output": [12.0, np.nan]}, table={"missing": ["", "NA"]})
    ranged: Columns = {**PLAIN, "output": {"type": "number", "range": [0, 1000]}}
    _add(family, "999 within the range declared", _numbers("12", "999"), gives={"output": [12.0, 999.0]}, columns=ranged)
    _add(family, "-99 outside the range declared", _numbers("12", "-99"), refused="'-99.0', written '-99'; expected a value from 0 to 1000", columns=ranged)
    own: Columns = {**PLAIN, "output": {"type": "number", "missing": ["2001"]}}
    _add(family, "a mark of one column only", _numbers("12", "2001"), gives={"year": [2001, 2001], "output": [12.0, np.nan]}, columns=own)
    _add(family, "-9 among negative numbers", _numbers("-1.5", "-9"), gives={"output": [-1.5, -9.0]})


def _dated(*days: str) -> str:
    return "day\n" + "".join(f'"{day}"\n' for day in days)


def _add_dates() -> None:
    family = "Dates"
    iso, slashed = _one(day="date"), _one(day={"type": "date", "format": "%d/%m/%Y"})
    second = {"day": [pd.Timestamp("2021-02-01")]}
    _add(family, "2021-02-01", _dated("2021-02-01"), gives=second, columns=iso, key=())
    _add(family, "01/02/2021, format declared", _dated("01/02/2021"), gives=second, columns=slashed, key=())
    _add(family, "Bangla digits", _dated("২০২১-০২-০১"), gives=second, reading="digits: Bengali", columns=iso, key=())
    for name, days, refused, columns in (
        ("01/02/2021, no format declared", ["01/02/2021"], "Say format = '%d/%m/%Y' or '%m/%d/%Y'", iso),
        ("13/02/2021, no format declared", ["13/02/2021"], "Say format = '%d/%m/%Y' of the column", iso),
        ("02/13/2021 for day and month", ["01/02/2021", "02/13/2021"], "line 3: '02/13/2021'.*Say format = '%m/%d/%Y'", slashed),
        ("30 February", ["2021-02-30"], "'2021-02-30'; expected a day written as %Y-%m-%d", iso),
        ("the year 9999", ["9999-12-31"], "a day from 1900 to 2100", iso),
        ("the year 2564 of Thailand", ["2564-02-01"], "a day from 1900 to 2100", iso),
        ("a time behind the day", ["2021-02-01 00:00:00"], "Say format = '%Y-%m-%d %H:%M:%S'", iso),
        ("two formats in a column", ["2021-02-01", "13/02/2021"], "line 3: '13/02/2021'.*Mend the value", iso),
        ("00/00/0000", ["00/00/0000"], "'00/00/0000'", slashed),
    ):
        _add(family, name, _dated(*days), refused=refused, columns=columns, key=())
    _add(
        family, "a format that does not exist, declared", _dated("2021"), refused="format '%Q' in the record", columns=_one(day={"type": "date", "format": "%Q"}), key=()
    )


def _lands(*names: str) -> str:
    return "country\n" + "".join(f'"{name}"\n' for name in names)


def _add_countries() -> None:
    family = "Countries"
    columns = _one(country="country")
    for name, lands, gives, step in (
        ("codes and names in one column", ["bd", "BGD", "050", "50", "Bangladesh"], ["BGD"] * 5, ""),
        ("lower-case codes, as in Penn World Table", ["vnm", "khm"], ["VNM", "KHM"], ""),
        ("Viet Nam; Korea, Republic of; Côte d'Ivoire", ["Viet Nam", "Korea, Republic of", "Côte d'Ivoire"], ["VNM", "KOR", "CIV"], ""),
        ("Kosovo as XKX", ["XKX"], ["XKX"], ""),
        ("NA, which is Namibia", ["NA"], ["NAM"], ""),
        ("ILOSTAT's groups", ["JPN", "X01", "X21"], ["JPN"], r"1: without 2 rows of country that are no country \(X01, X21\)"),
        ("the world and regions of M49", ["116", "1", "World", "030"], ["KHM"], r"\(1, World, 030\)"),
    ):
        _add(family, name, _lands(*lands), gives={"country": gives}, step=step, columns=columns, key=())
    for name, land, refused in (
        ("a misspelt name", "Bangladehs", r"line 3: 'Bangladehs'.*nearest is bangladesh \(BGD\)"),
        ("a code that ISO has withdrawn", "BUR", "'BUR'"),
        ("a code that nobody has", "QQQ", "'QQQ'"),
    ):
        _add(family, name, _lands("JPN", land), refused=refused, columns=columns, key=())
    _add(family, "groups alone", _lands("X01"), refused="no row of a country", columns=columns, key=())


def _add_keys() -> None:
    family = "Keys"
    _add(family, "a repeated key", _rows("b,2001,1", "a,2001,1", "a,2001,2"), refused="line 3: 'a', '2001' again in line 4")
    _add(family, "a key repeated but for blanks", _rows("a,2001,1", " a ,2001,2"), refused="line 2: 'a', '2001' again in line 3")
    _add(family, "a key repeated but for Unicode's form", _rows("café,2001,1", "cafe\u0301,2001,2"), refused="again in line 3")
    _add(family, "a key repeated but for its digits", _rows("a,2001,1", "a,২০০১,2"), refused="again in line 3")
    for name, one, other, told in (
        ("a zero-width space inside", "0001", "00\u200b01", r"'00<U\+200B>01', and '0001' in line 2"),
        ("a no-break space", "A 1", "A\u00a01", r"'A<U\+00A0>1', and 'A 1' in line 2"),
        ("a Cyrillic letter", "A1", "\u04101", r"'<U\+0410>1', and 'A1' in line 2"),
        ("an en dash", "A-1", "A\u20131", r"'A<U\+2013>1', and 'A-1' in line 2"),
        ("zeros lost in front", "0001", "1", "'1', and '0001' in line 2"),
        ("a point and zero", "7", "7.0", "'7.0', and '7' in line 2"),
        ("capitals", "A1", "a1", "'a1', and 'A1' in line 2"),
        ("full-width digits", "0001", "０００１", "'０００１', and '0001' in line 2"),
        ("an apostrophe of Excel", "0001", "'0001", "''0001', and '0001' in line 2"),
    ):
        _add(family, f"one name written in two ways: {name}", _rows(f"{one},2001,1", f"{other},2002,2"), refused=f"column plant, line 3: {told}; expected one way")
    for total in ("Total", "Sub-total (BGD)", "Tổng cộng", "মোট", "សរុប", "合計", "Average"):
        _add(family, f"a row named {total}", _rows("a,2001,1", "b,2001,2", f"{total},2001,3"), refused="column plant, line 4: .*a total or mean of other rows")
    for mark in ("-", "N/A", "NULL", "unknown", "-99", "????"):
        _add(family, f"a key of {mark}", _rows("a,2001,1", f"{mark},2001,2"), refused="column plant, line 3: .*which names nothing")
    sexes: Columns = {"sex": "text", "output": "number"}
    _add(family, "a total among the codes of a classification", "sex,output\nTotal,1\nMale,2\n", gives={"sex": ["Total", "Male"]}, columns=sexes, key=("sex",))
    _add(family, "an empty key", _rows("a,2001,1", ",2001,2"), refused="column plant, line 3: .*part of the key")
    _add(
        family,
        "a key repeated among rows that 'where' leaves out",
        _rows("a,2001,1", "b,2001,2", "b,2001,3"),
        gives={"plant": ["a"]},
        step="1: where plant is a",
        table={"where": {"plant": ["a"]}},
    )
    _add(family, "a 'where' that keeps nothing", _rows("a,2001,1"), refused="no row left, of rows with plant a", table={"where": {"plant": ["b"]}})
    _add(family, "a 'where' on a whole number", _rows("a,2001,1", "a,2002,2"), gives={"output": [2.0]}, step="1: where year is 2002", table={"where": {"year": ["2002"]}})


WORK = {
    "Country": "Bangladesh", "Cycle": "3", "Year": "2019", "Factory.Assessed.ID": "00123",
    "Factory.Assessed.Name": '"Sample Garments, Ltd."', "Quest.ID": "4711",
    "Assesment.Start.Date": "09/02/2019", "Cluster": "Compensation", "CP": "Minimum wages",
    "Question.ID": "12", "Q.Label": '"Are workers paid, on time?"', "Question.type": "Core",
    "Finding": "1", "Tags": "Public Disclosure",
}  # fmt: skip


def _work(*changes: Mapping[str, str]) -> str:
    return "\n".join([",".join(WORK), *(",".join((WORK | dict(c)).values()) for c in changes)])


def _add_better_work() -> None:
    family = "Better Work's export"

    def export(name: str, payload: str | bytes, **more: Any) -> None:
        _add(family, name, payload, columns=BETTER_WORK, key=("Quest.ID", "Question.ID"), **more)

    day = [pd.Timestamp("2019-02-09")]
    export("as it comes, days dd/mm/yyyy", _work({}), gives={"Country": ["BGD"], "Factory.Assessed.ID": ["00123"], "Assesment.Start.Date": day, "Finding": [1]})
    export(
        "saved by a German Excel",
        _work({}).replace('"Sample Garments, Ltd."', "Sample Garments").replace('"Are workers paid, on time?"', "Paid?").replace(",", ";"),
        gives={"Finding": [1]},
        reading="delimiter: semicolon",
    )
    export("days mm/dd/yyyy", _work({"Assesment.Start.Date": "02/19/2019"}), refused=r"column Assesment\.Start\.Date, line 2: '02/19/2019'.*'%m/%d/%Y'")
    export("assessment spelt as others do", _work({}).replace("Assesment", "Assessment"), refused=r"the nearest to 'Assesment\.Start\.Date' is 'Assessment\.Start\.Date'")
    export("a question answered twice in an assessment", _work({}, {"Finding": "0"}), refused="line 2: '4711', '12' again in line 3")
    export("a finding of 9", _work({"Finding": "9"}), refused="column Finding, line 2: '9.0', written '9'; expected 0 or 1")
    export("a factory's name with a comma and no quotes", _work({"Factory.Assessed.Name": "Sample Garments, Ltd."}), refused="line 2 has 15 fields, the header 14")


for _fill in (
    _add_encodings, _add_numbers, _add_delimiters, _add_lines, _add_headers, _add_formats,
    _add_packed, _add_excel, _add_statistical, _add_parquet, _add_codes, _add_sentinels,
    _add_dates, _add_countries, _add_keys, _add_better_work,
):  # fmt: skip
    _fill()

# fmt: on


def _read(root: Path, animal: Animal) -> Snapshot:
    payload = animal.payload if isinstance(animal.payload, bytes) else animal.payload()
    return read_raw(
        root, payload, animal.columns, file=animal.file, key=animal.key, **dict(animal.table)
    )


def _pairs(frame: pd.DataFrame) -> list[str]:
    return [f"{first}: {second}" for first, second in frame.iloc[:, 2:].itertuples(index=False)]


@pytest.mark.parametrize("animal", ZOO, ids=[f"{a.family}: {a.name}" for a in ZOO])
def test_every_animal_is_read_right_or_refused(animal: Animal, tmp_path: Path) -> None:
    if animal.refused:
        with pytest.raises(SourceError, match=re.compile(animal.refused, re.DOTALL)) as caught:
            _read(tmp_path, animal)
        assert caught.value.where.startswith(f"source 'sample', file {animal.file}")
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 700
        return
    snapshot = _read(tmp_path, animal)
    table = snapshot.tables["records"]
    for column, values in animal.gives.items():
        expected = pd.Series(values, name=column, dtype=table[column].dtype)
        pd.testing.assert_series_equal(table[column], expected, rtol=0, atol=0)
    readings, steps = _pairs(snapshot.readings), _pairs(snapshot.steps)
    assert bool(animal.reading) == bool(readings), readings
    assert not animal.reading or any(re.search(animal.reading, r) for r in readings), readings
    assert not animal.step or any(re.search(animal.step, step) for step in steps), steps
    assert len(steps) == 1 + bool(animal.step), steps


def test_the_zoo_is_large_and_says_of_each_animal_what_must_come_of_it() -> None:
    assert len(ZOO) >= 75
    assert len({animal.family for animal in ZOO}) >= 14
    assert len({(animal.family, animal.name) for animal in ZOO}) == len(ZOO)
    assert all(bool(animal.refused) != bool(animal.gives) for animal in ZOO)


def describe_zoo(folder: Path) -> str:
    """Write the zoo as a Markdown table, from what comes of each animal."""
    lines = ["| Family | Input | What comes of it |", "|---|---|---|"]
    for number, animal in enumerate(ZOO):
        cells = (animal.family, animal.name, _outcome(folder / str(number), animal))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def _outcome(root: Path, animal: Animal) -> str:
    if animal.shown:
        return animal.shown
    try:
        snapshot = _read(root, animal)
    except SourceError as error:
        return f"refused: {error.seen}; expected {error.expected}"
    values = "; ".join(
        f"{column} {', '.join(_spell(value) for value in values)}"
        for column, values in animal.gives.items()
    )
    told = [
        *_pairs(snapshot.readings),
        *(s for s in _pairs(snapshot.steps) if "rows read" not in s),
    ]
    return f"read: {values}" + (f" (recorded: {'; '.join(told)})" if told else "")


def _spell(value: Any) -> str:
    if isinstance(value, pd.Timestamp):
        return value.date().isoformat()
    return "nothing" if pd.isna(value) else str(value).replace("\n", "↵")


def test_the_page_shows_the_zoo_as_it_is(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    shown = page.split(START)[1].split(END)[0].strip()
    assert shown == describe_zoo(tmp_path), "say: python tests/test_zoo.py"


def main() -> None:
    """Write the table of docs/inputs.md again."""
    page = PAGE.read_text(encoding="utf-8")
    before, after = page.split(START)[0], page.split(END)[1]
    with tempfile.TemporaryDirectory() as folder:
        table = describe_zoo(Path(folder))
    PAGE.write_text(f"{before}{START}\n{table}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
