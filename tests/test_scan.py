"""Planted secrets are found in every container and coding; what is safe passes."""

from __future__ import annotations

import base64
import binascii
import bz2
import csv
import gzip
import html
import io
import json
import lzma
import re
import struct
import tarfile
import urllib.parse
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pypdfium2
import pytest
from matplotlib.figure import Figure

from conftest import write_joined
from evidence.brief import write_brief
from evidence.brief.exporter import BriefExporter
from evidence.disclosure import Cleared, clear, scan_bytes, scan_folder
from evidence.disclosure.secrets import Secrets, find_numbers, find_values, fold, read_numbers
from evidence.errors import DisclosureError
from evidence.exhibits import draw
from evidence.neck import Neck
from evidence.portal import write_portal
from evidence.study import Study
from samples import Section, declare, edit, make_project, specify, write_source, write_study

N = 200


@pytest.fixture(scope="module")
def factories() -> pd.DataFrame:
    """Return 200 marked factories × 5 years: names, addresses, ids, answers, exact values."""
    draw_from = np.random.default_rng(3)
    rows = []
    for i in range(N):
        level, start = draw_from.normal(), draw_from.integers(2016, 2022)
        for year in range(2016, 2021):
            x = int(year >= start)
            y = 120 + 20 * level + 0.5 * x + draw_from.normal()
            own = (f"MRK-{i:04d}", f"Marked Würks {i:03d} & Sons", f"{i} Rupsha Road, Khulna",
                   f"The guard of line {i} shouted at us", str(610_007 + 131 * i))  # fmt: skip
            rows.append((*own, year, x, y))
    columns = ["factory", "name", "address", "answer", "tax", "year", "x", "y"]
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory, factories: pd.DataFrame) -> Study:
    """Return a study over the marked factories, called restricted by their record."""
    root = make_project(tmp_path_factory.mktemp("marked"))
    columns = dict.fromkeys(factories.columns, "text") | {"year": "integer", "x": "number"}
    identifiers = ["factory", "name", "address", "answer", "tax"]
    text = factories.to_csv(index=False, float_format="%.17g", lineterminator="\n")
    extra = f"identifiers = {json.dumps(identifiers)}"
    write_source(root, text, columns | {"y": "number"}, key=["factory", "year"], extra=extra)
    edit(root / "data/sources/sample.toml", 'lity = "public"', 'lity = "restricted"')
    variables = [
        {**declare("factory", "entity", "factory"), "noun": {"en": ["factory", "factories"]}},
        declare("year", "time", "factory", "year"),
        {**declare("y", "outcome", "factory-cycle"), "label": {"en": "output"}},
        {**declare("x", "exposure", "factory-cycle", "indicator"), "label": {"en": "a committee"}},
    ]
    specs: list[Section] = [specify("within", "fixed_effects", "x", effects=["entity", "time"])]
    return write_study(root, variables, specs)


@pytest.fixture(scope="module")
def cleared(sample: Study) -> Cleared:
    """Return the cleared neck of the marked factories."""
    return clear(write_joined(sample, "reports/internal/sample/cases/all/plants"), sample)


@pytest.fixture(scope="module")
def secrets(factories: pd.DataFrame) -> dict[str, str]:
    """Return one secret of each kind, as text; values as a chart or a table holds them."""
    row = factories.iloc[437]
    kinds = {kind: str(row[kind]) for kind in ("factory", "name", "address", "answer", "tax")}
    return {**kinds, "value": repr(float(row["y"])), "rounded": f"{row['y']:.7f}"}


KINDS = ("factory", "name", "address", "answer", "tax", "value", "rounded")


def _zipped(files: dict[str, bytes], **how: Any) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, **how) as archive:
        for name, payload in files.items():
            archive.writestr(name, payload)
    return buffer.getvalue()


def _docx(text: str, *, core: str = "") -> bytes:
    runs = f"<w:p><w:r><w:t>{html.escape(text, quote=False)}</w:t></w:r></w:p>"
    return _zipped(
        {
            "[Content_Types].xml": b'<?xml version="1.0"?><Types/>',
            "docProps/core.xml": f'<?xml version="1.0"?><cp:coreProperties>{core}</cp:coreProperties>'.encode(),
            "word/document.xml": f'<?xml version="1.0"?><w:document><w:body>{runs}</w:body></w:document>'.encode(),
        }
    )


def _docx_runs(text: str) -> bytes:
    pieces = "".join(
        f'<w:r w:rsidR="00A1"><w:t xml:space="preserve">{html.escape(text[n : n + 3])}</w:t></w:r>'
        for n in range(0, len(text), 3)
    )
    page = f'<?xml version="1.0"?><w:document><w:p><w:r><w:t>On</w:t></w:r></w:p><w:p>{pieces}</w:p></w:document>'
    return _zipped({"word/document.xml": page.encode()})


def _xlsx(text: str) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet["B2"] = float(text) if re.fullmatch(r"\d+\.\d+", text) else text
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _stream(body: bytes, heading: str = "") -> bytes:
    return (
        f"4 0 obj\n<< /Length {len(body)} {heading} >>\nstream\n".encode()
        + body
        + b"\nendstream\nendobj\n"
    )


def _pdf(*objects: bytes) -> bytes:
    return b"%PDF-1.7\n" + b"".join(objects) + b"trailer\n<< /Root 1 0 R >>\n%%EOF\n"


def _escaped(text: str) -> bytes:
    return re.sub(r"([()\\])", r"\\\1", text).encode("cp1252")


def _pdf_flate(text: str) -> bytes:
    body = zlib.compress(b"BT /F1 12 Tf (Output of ) Tj (" + _escaped(text) + b") Tj ET")
    return _pdf(_stream(body, "/Filter /FlateDecode"))


def _pdf_coded(text: str) -> bytes:
    body = base64.a85encode(zlib.compress(b"(" + _escaped(text) + b") Tj")) + b"~>"
    return _pdf(_stream(body, "/Filter [/ASCII85Decode /FlateDecode]"))


def _pdf_wide(text: str) -> bytes:
    return _pdf(
        b"2 0 obj << /Title <FEFF" + text.encode("utf-16-be").hex().encode() + b"> >> endobj\n"
    )


def _pdf_glyphs(text: str) -> bytes:
    """Set a text as a subset font does: own glyph numbers, kerned, with a map to letters."""
    letters = sorted(set(text))
    pairs = "\n".join(
        f"<{n:04X}> <{c.encode('utf-16-be').hex()}>" for n, c in enumerate(letters, 3)
    )
    cmap = f"begincmap 1 beginbfchar\n{pairs}\nendbfchar endcmap".encode()
    codes = [f"<{letters.index(c) + 3:04X}>" for c in text]
    body = ("BT [" + " -12.5 ".join(codes) + "] TJ ET").encode()
    return _pdf(*(_stream(zlib.compress(b), "/Filter /FlateDecode") for b in (cmap, body)))


def _pdf_objects(text: str) -> bytes:
    body = zlib.compress(b"7 0 << /Subject (" + _escaped(text) + b") >>")
    return _pdf(_stream(body, "/Type /ObjStm /N 1 /First 4 /Filter /FlateDecode"))


def _png(*chunks: tuple[bytes, bytes]) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(b"\0\0"))
    return (
        b"\x89PNG\r\n\x1a\n"
        + head
        + b"".join(chunk(*c) for c in chunks)
        + data
        + chunk(b"IEND", b"")
    )


def _jpeg(*segments: tuple[int, bytes]) -> bytes:
    middle = b"".join(b"\xff" + bytes([m]) + struct.pack(">H", len(b) + 2) + b for m, b in segments)
    return b"\xff\xd8" + middle + b"\xff\xda\x00\x02\x00\xff\xd9"


def _tar(text: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        payload = text.encode()
        member = tarfile.TarInfo("a.txt")
        member.size = len(payload)
        archive.addfile(member, io.BytesIO(payload))
    return buffer.getvalue()


def _notebook(*, metadata: dict[str, Any] | None = None, **cell: Any) -> bytes:
    base = {"cell_type": "code", "metadata": {}, "source": [], "outputs": []}
    document = {"cells": [{**base, **cell}], "metadata": metadata or {}, "nbformat": 4}
    return json.dumps(document).encode()


def _quoted_printable(text: str) -> bytes:
    page = "Content-Transfer-Encoding: quoted-printable\n\n<p>" + text + "</p>"
    return binascii.b2a_qp(page.encode(), quotetabs=True)


def _table(text: str) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerows([["unit", "effect"], [text, "1.2"]])
    return buffer.getvalue().encode()


def _b64(payload: bytes) -> str:
    return base64.b64encode(payload).decode()


def _page(inside: str) -> bytes:
    return f"<!DOCTYPE html><html><body>{inside}</body></html>".encode()


def _svg(inside: str) -> bytes:
    return f'<svg xmlns="http://www.w3.org/2000/svg">{inside}</svg>'.encode()


def _image(payload: bytes) -> str:
    return f'<img src="data:image/png;base64,{_b64(payload)}">'


_E = html.escape
CONTAINERS: dict[str, Callable[[str], bytes]] = {
    "text": lambda s: f"Of {s}, nothing.".encode(),
    "markdown": lambda s: f"# Results\n\n**{s}** is first.\n".encode(),
    "csv": _table,
    "html": lambda s: _page(f"<td>{_E(s)}</td>"),
    "html attribute": lambda s: _page(f'<img alt="{_E(s)}" src="data:,x">'),
    "html numeric entities": lambda s: _page("".join(f"&#{ord(c)};" for c in s)),
    "html hex entities": lambda s: _page("".join(f"&#x{ord(c):x};" for c in s)),
    "entities of entities": lambda s: _page(_E("".join(f"&#{ord(c)};" for c in s))),
    "split by tags": lambda s: _page("x <b>" + "</b><b>".join(map(_E, s)) + "</b> y"),
    "zero width": lambda s: _page(_E("\u200b".join(s))),
    "soft hyphens": lambda s: _page(_E("\u00ad".join(s))),
    "full width": lambda s: "".join(
        chr(ord(c) + 0xFEE0) if c.isascii() and c.isalnum() else c for c in s
    ).encode(),
    "utf-8 with mark": lambda s: ("\ufeff" + s).encode(),
    "utf-16": lambda s: f"the name: {s}".encode("utf-16"),
    "utf-16 without mark": lambda s: f"the name: {s}".encode("utf-16-be"),
    "utf-32": lambda s: f"the name: {s}".encode("utf-32"),
    "latin-1": lambda s: f"the name: {s}".encode("latin-1"),
    "json": lambda s: json.dumps({"label": [s]}).encode(),
    "json escapes": lambda s: ('{"a":"' + "".join(f"\\u{ord(c):04x}" for c in s) + '"}').encode(),
    "javascript escapes": lambda s: ("var a = '" + "".join(f"\\x{ord(c):02x}" for c in s) + "'").encode(),
    "json inside json": lambda s: json.dumps({"a": json.dumps({"b": s})}).encode(),
    "css escapes": lambda s: ("p::after{content:'" + "".join(f"\\{ord(c):06x}" for c in s) + "'}").encode(),
    "percent signs": lambda s: _page(f'<a href="x?q={urllib.parse.quote(s)}">x</a>'),
    "every character a percent sign": lambda s: "".join(f"%{b:02X}" for b in s.encode()).encode(),
    "quoted-printable": _quoted_printable,
    "base64": lambda s: f'{{"a": "{_b64(("of " + s).encode())}"}}'.encode(),
    "base64 for addresses": lambda s: base64.urlsafe_b64encode(f"??>{s}??".encode()),
    "base64 in lines": lambda s: base64.encodebytes(("x" * 200 + " " + s + " " + "y" * 99).encode()),
    "base64 behind a path": lambda s: f"/media/x/{_b64(('of ' + s).encode())}".replace("media", "m").encode(),
    "base64 twice": lambda s: _b64(_b64(("of " + s).encode()).encode()).encode(),
    "hexadecimal": lambda s: ("the name " + s).encode().hex().encode(),
    "data address": lambda s: _page(f'<img src="data:image/svg+xml;base64,{_b64(_svg("<text>" + _E(s) + "</text>"))}">'),
    "data address in percent": lambda s: _page(f'<img src="data:image/svg+xml,{urllib.parse.quote(_svg("<text>" + _E(s) + "</text>").decode())}">'),
    "svg text": lambda s: _svg(f"<text>{_E(s)}</text>"),
    "svg title": lambda s: _svg(f"<g><title>{_E(s)}</title></g>"),
    "svg comment": lambda s: _svg(f"<!-- {s} -->"),
    "zip": lambda s: _zipped({"a.txt": s.encode()}),
    "zip in zip": lambda s: _zipped({"a.zip": _zipped({"b.txt": s.encode()})}),
    "gzip": lambda s: gzip.compress(s.encode()),
    "bz2": lambda s: bz2.compress(s.encode()),
    "xz": lambda s: lzma.compress(s.encode()),
    "zlib": lambda s: zlib.compress(s.encode()),
    "tar": _tar,
    "tar.gz": lambda s: gzip.compress(_tar(s)),
    "docx": _docx,
    "docx in runs": _docx_runs,
    "xlsx": _xlsx,
    "odt": lambda s: _zipped({"mimetype": b"application/vnd.oasis.opendocument.text",
                              "content.xml": f"<?xml version='1.0'?><text:p>{_E(s)}</text:p>".encode()}),
    "epub": lambda s: _zipped({"mimetype": b"application/epub+zip", "a.xhtml": _page(_E(s))}),
    "pdf": _pdf_flate,
    "pdf in two codings": _pdf_coded,
    "pdf title in utf-16": _pdf_wide,
    "pdf glyphs": _pdf_glyphs,
    "pdf object stream": _pdf_objects,
    "png tEXt": lambda s: _png((b"tEXt", b"Title\0" + s.encode("latin-1"))),
    "png zTXt": lambda s: _png((b"zTXt", b"Title\0\0" + zlib.compress(s.encode("latin-1")))),
    "png iTXt": lambda s: _png((b"iTXt", b"Title\0\1\0\0\0" + zlib.compress(s.encode()))),
    "png in html": lambda s: _page(_image(_png((b"tEXt", b"T\0" + s.encode("latin-1"))))),
    "jpeg exif": lambda s: _jpeg((0xE1, b"Exif\0\0" + s.encode())),
    "jpeg comment": lambda s: _jpeg((0xFE, s.encode())),
    "notebook source": lambda s: _notebook(source=["# see ", s]),
    "notebook metadata": lambda s: _notebook(metadata={"title": s}),
    "notebook output": lambda s: _notebook(outputs=[{"output_type": "display_data", "data": {"text/html": [f"<td>{_E(s)}</td>"]}}]),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("container", CONTAINERS)
def test_a_planted_secret_is_found(
    cleared: Cleared, secrets: dict[str, str], kind: str, container: str
) -> None:
    payload = CONTAINERS[container](secrets[kind])
    with pytest.raises(DisclosureError) as caught:
        scan_bytes(payload, cleared, "brief.bin")
    if not container.startswith("jpeg"):
        assert "of a factory" in caught.value.seen, str(caught.value)
    told = fold(str(caught.value)).split()
    assert "".join(fold(secrets[kind]).split()) not in "".join(told)


# A JPEG's metadata are refused whatever they say.
@pytest.mark.parametrize("container", [c for c in CONTAINERS if not c.startswith("jpeg")])
def test_the_same_containers_with_harmless_words_pass(cleared: Cleared, container: str) -> None:
    scan_bytes(CONTAINERS[container]("Output per worker in garments"), cleared, "brief.bin")


@pytest.mark.parametrize(
    "separator", ["", " ", "-", "_", ".", "\u00a0", "\u2011", " / ", "\u200b-"]
)
@pytest.mark.parametrize("kind", ["factory", "name", "answer"])
def test_separators_and_case_do_not_hide_a_name(
    cleared: Cleared, secrets: dict[str, str], kind: str, separator: str
) -> None:
    hidden = separator.join(fold(secrets[kind]).upper().split())
    with pytest.raises(DisclosureError, match="an identifier of a factory"):
        scan_bytes(f"Of {hidden}, nothing.".encode(), cleared, "brief.md")


def test_a_secret_in_the_name_of_a_part_is_found_and_not_repeated(
    cleared: Cleared, secrets: dict[str, str]
) -> None:
    payload = _zipped({f"{secrets['factory']}.csv": b"a"})
    with pytest.raises(DisclosureError, match="an identifier of a factory") as caught:
        scan_bytes(payload, cleared, "kit.zip")
    assert secrets["factory"] not in str(caught.value)


def _naming(plants: Study, neck: Neck, *identifiers: str) -> Cleared:
    protected = {**neck.protected, "identifiers": list(identifiers)}
    return clear(replace(neck, protected=protected), plants)


@pytest.mark.parametrize(
    "payload",
    [
        "<p>Padma Stitch Ltd</p>",
        "data:image/svg+xml;base64," + base64.b64encode(b"<!-- Padma Stitch Ltd -->").decode(),
        "BGD-GAR-0014",
        "<td>410032</td>",
        "padma&nbsp;<b>STITCH</b>  Ltd",
        "Smith &amp; Sons",
        "cafe\u0301 lumie\u0300re",
    ],
)
def test_an_identifier_in_the_bytes_is_found(
    plants: Study, plants_neck: Neck, payload: str
) -> None:
    names = ("Padma Stitch Ltd", "BGD-GAR-0014", "410032", "Smith & Sons", "café lumière")
    cleared = _naming(plants, plants_neck, *names)
    with pytest.raises(
        DisclosureError, match=r"brief\.html: (data address 1: )?an identifier of a factory"
    ):
        scan_bytes(payload.encode(), cleared, "brief.html")


@pytest.mark.parametrize(
    "payload", ["1410032", "410032.5", "0.410032", "a410032f", "Padma", "BGD-GAR-00145"]
)
def test_what_merely_contains_an_identifier_is_no_alarm(
    plants: Study, plants_neck: Neck, payload: str
) -> None:
    cleared = _naming(plants, plants_neck, "Padma Stitch Ltd", "BGD-GAR-0014", "410032")
    scan_bytes(payload.encode(), cleared, "brief.html")


# --- values in charts -----------------------------------------------------------------


@pytest.mark.parametrize("width", ["f8", "f4"])
def test_values_coded_in_a_chart_are_found(
    cleared: Cleared, factories: pd.DataFrame, width: str
) -> None:
    coded = _b64(factories["y"].to_numpy(width).tobytes())
    chart = {"data": [{"type": "histogram", "x": {"dtype": width, "bdata": coded}}]}
    with pytest.raises(DisclosureError, match="exact values of a factory"):
        scan_bytes(json.dumps(chart).encode(), cleared, "chart.json")


def test_values_of_a_chart_coded_whole_are_no_alarm(cleared: Cleared) -> None:
    coded = _b64(np.linspace(-0.3, 0.9, 60).tobytes())
    scan_bytes(json.dumps({"x": {"dtype": "f8", "bdata": coded}}).encode(), cleared, "c.json")


def test_few_digits_need_several_values(cleared: Cleared, factories: pd.DataFrame) -> None:
    shown = [f"{v:.3f}" for v in factories["y"].iloc[:3]]
    scan_bytes(f"About {shown[0]}".encode(), cleared, "a.md")
    with pytest.raises(DisclosureError, match="exact values"):
        scan_bytes(", ".join(shown).encode(), cleared, "a.md")


@pytest.mark.parametrize("form", ["{:,.9f}", "{:.12e}", "{:.14f} %"])
def test_the_form_of_a_number_does_not_hide_it(cleared: Cleared, form: str) -> None:
    exact = replace(
        cleared.neck, protected={**cleared.neck.protected, "identifiers": ["71234.5678901"]}
    )
    told = form.format(71234.5678901 * (100 if "%" in form else 1))
    with pytest.raises(DisclosureError, match="exact values"):
        scan_bytes(told.encode(), clear(exact, cleared.study), "a.md")


def test_values_of_public_sources_are_not_bound(plants: Study, plants_neck: Neck) -> None:
    panel = pd.read_parquet(plants.internal / "cases/all/plants/panel.parquet")
    values = panel.select_dtypes("float").to_numpy().ravel()[:50].tolist()
    scan_bytes(" ".join(map(repr, values)).encode(), clear(plants_neck, plants), "a.md")


def test_a_run_without_its_panel_is_refused(cleared: Cleared, tmp_path: Path) -> None:
    elsewhere = replace(cleared.study, root=tmp_path)
    moved = replace(cleared, study=elsewhere)
    with pytest.raises(DisclosureError, match=r"no panel\.parquet beside the run"):
        scan_bytes(b"text", moved, "a.md")


# --- identifiers that are numbers -----------------------------------------------------


def _numbered(*identifiers: int) -> Secrets:
    numbers = frozenset(map(str, identifiers))
    return Secrets({}, (), frozenset(), numbers, frozenset({"factory"}), np.empty(0), 0)


@pytest.mark.parametrize(
    "text",
    ["from 2016 to 2020", "12 factories, 340 lines", "1,234 answers", "0.1234", "1234.5"],
)
def test_numbers_that_say_nothing_are_no_alarm(text: str) -> None:
    assert not find_numbers(_numbered(12, 340, 1234, 2016, 2019, 2020), [text])


def test_identifiers_that_fill_all_numbers_are_told_behind_the_units_word_only() -> None:
    dense = _numbered(*range(1000, 10_000))
    assert not find_numbers(dense, ["3120 answers of 4711 in 2019 and 1718 in 2020"])
    assert find_numbers(dense, ["mainly in factory 4711"])
    assert find_numbers(dense, ["mainly in factory no. 2019".replace("no. ", "")])


def test_a_list_of_identifiers_is_more_than_chance_explains() -> None:
    ids = _numbered(*range(1000, 3000))
    assert not find_numbers(ids, ["of 1500 answers and 4500 others"])
    assert find_numbers(ids, [", ".join(map(str, range(1100, 1110)))])


# --- F1 to F12 ------------------------------------------------------------------------


def _picture(paint: Callable[[Any], None], kind: str, **how: Any) -> bytes:
    figure = Figure(figsize=(4, 3))
    paint(figure.subplots())
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, **how)
    return buffer.getvalue()


def _drawn(points: int, mark: str) -> bytes:
    return _svg("".join(mark.format(x=n / 7, y=n * n % 31) for n in range(points)))


FILES = ["F1", "F2", "F3", "F5", "F6", "F8", "F9", "F10", "F12"]


@pytest.fixture(scope="module")
def unsafe(factories: pd.DataFrame) -> dict[str, bytes]:
    first = factories.groupby("factory").first().reset_index()
    bdata = _b64(first["y"].to_numpy("f8").tobytes())
    plotly = f'<div></div><script>Plotly.newPlot({{"x": {{"dtype": "f8", "bdata": "{bdata}"}}}})</script>'
    records = first[["factory", "y"]].to_json(orient="records")
    altair = f'<script src="https://cdn.example/vega.js"></script><script>embed({{"mark":"bar","data":{records}}})</script>'
    book = io.BytesIO()
    first[["y"]].to_excel(book, index=False)
    return {
        "F1": _page(plotly),
        "F2": _page(altair),
        "F3": _picture(lambda axes: axes.scatter(first["y"], first.index), "svg"),
        "F5": book.getvalue(),
        "F6": _page(factories[["year", "y"]].head(10).to_html()),
        "F8": _page("<td><script>alert(1)</script></td>"),
        "F9": _notebook(metadata={"papermill": {"input_path": "/home/user/a.ipynb"}}),
        "F10": _jpeg((0xE1, b"Exif\0\0MM\0*")),
        "F12": _docx("A table.", core="<dc:creator>A person</dc:creator>"),
    }


@pytest.mark.parametrize("name", FILES)
def test_the_planted_files_of_the_reference_are_refused(
    cleared: Cleared, unsafe: dict[str, bytes], name: str
) -> None:
    with pytest.raises(DisclosureError):
        scan_bytes(unsafe[name], cleared, name)


@pytest.mark.parametrize(
    "mark",
    [
        '<circle cx="{x}" cy="{y}" r="2"/>',
        '<use xlink:href="#m1" x="{x}" y="{y}"/>',
        '<path class="point" transform="translate({x},{y})" d="M3,0A3,3 0 1,1 0,-3Z"/>',
        '<rect x="{x}" y="{y}" width="2" height="2"/>',
    ],
)
def test_a_mark_for_every_unit_is_refused(cleared: Cleared, mark: str) -> None:
    scan_bytes(_drawn(90, mark), cleared, "figure.svg")
    with pytest.raises(DisclosureError, match="about as many marks as there are units"):
        scan_bytes(_drawn(120, mark), cleared, "figure.svg")


def test_a_line_through_every_unit_is_refused(cleared: Cleared) -> None:
    steps = " ".join(f"L {n / 3:.4f} {n * n % 17}" for n in range(150))
    with pytest.raises(DisclosureError, match="as many marks"):
        scan_bytes(_svg(f'<path d="M 0 0 {steps}"/>'), cleared, "figure.svg")


def test_a_vector_scatter_in_a_pdf_is_refused(cleared: Cleared, factories: pd.DataFrame) -> None:
    first = factories.groupby("factory").first().reset_index()
    payload = _picture(lambda axes: axes.plot(first["y"], "o"), "pdf")
    with pytest.raises(DisclosureError, match="as many marks"):
        scan_bytes(payload, cleared, "figure.pdf")


# --- machines, people, scripts --------------------------------------------------------


REFUSED: dict[str, tuple[bytes, str]] = {
    "home": (b"see /home/analyst/x.csv", "a path of this machine"),
    "temporary": (b"read /tmp/job-7/x.csv", "a path of this machine"),
    "windows": (rb"read C:\Users\analyst\x.csv", "a path of this machine"),
    "share": (rb"read \\server\share\x.csv", "a path of this machine"),
    "traceback": (b"Traceback (most recent call last)", "a traceback"),
    "coded path": (_page(f'<img src="data:text/plain;base64,{_b64(b"/site-packages/x")}">'), "a path"),
    "warning": (b"x.py:3: UserWarning: empty slice", "stderr"),
    "papermill": (b'{"papermill": {}}', "papermill"),
    "comment": (_page("<!-- draft -->"), "a comment"),
    "script": (_page("<SCRIPT>1</SCRIPT>"), "a script"),
    "handler": (_page("<img src=x onerror=alert(1)>"), "a script in a tag"),
    "slashed handler": (_page("<svg/onload=alert(1)>"), "a script in a tag"),
    "address of a script": (_page('<a href="java&#115;cript:x">x</a>'), "a script in a tag"),
    "frame": (_page("<iframe src=x></iframe>"), "a script or a frame"),
    "picture elsewhere": (_page('<img src="https://example.org/x.png">'), "outside the file"),
    "picture of the same kind": (_page("<img src=//example.org/x.png>"), "outside the file"),
    "style elsewhere": (_page("<style>@import 'x.css'</style>"), "outside the file"),
    "svg elsewhere": (_svg('<image href="http://example.org/x.png"/>'), "outside the file"),
    "css elsewhere": (b"p{background:url(https://example.org/x.png)}", "outside the file"),
    "author of a page": (_page('<meta name="author" content="A person">'), "an author"),
    "author of a pdf": (_pdf(b"2 0 obj << /Author (A person) >> endobj\n"), "an author"),
    "author in utf-16": (_pdf(b"2 0 obj << /Author <FEFF0041> >> endobj\n"), "an author"),
    "author in xmp": (_pdf(_stream(b"<x:xmpmeta><dc:creator><rdf:Seq><rdf:li>A person</rdf:li></rdf:Seq></dc:creator></x:xmpmeta>")), "an author"),
    "editor": (_docx("a", core="<cp:lastModifiedBy>A person</cp:lastModifiedBy>"), "an author"),
    "change": (_zipped({"word/document.xml": b'<?xml version="1.0"?><w:ins w:author="A person"/>'}), "an author"),
    "hidden sheet": (_zipped({"xl/workbook.xml": b'<?xml version="1.0"?><sheet state="hidden"/>'}), "hidden"),
    "author of a picture": (_png((b"tEXt", b"Author\0A person")), "an author"),
    "exif in a png": (_png((b"eXIf", b"MM\0*")), "EXIF"),
    "bytes after a picture": (_png() + b"more", "bytes after its end"),
    "traceback in a notebook": (_notebook(outputs=[{"output_type": "error"}]), "a traceback"),
    "stderr in a notebook": (_notebook(outputs=[{"output_type": "stream", "name": "stderr"}]), "stderr"),
    "notebook in utf-16": (_notebook(outputs=[{"output_type": "error"}]).decode().encode("utf-16"), "a traceback"),
    "hidden cell": (_notebook(metadata={}).replace(b'"metadata": {}, "source"', b'"metadata": {"tags": ["remove_cell"]}, "source"'), "a hidden cell"),
    "locked archive": (_zipped({"a.txt": b"a"}).replace(b"PK\x01\x02\x14\x03\x14\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01\x00"), "password"),
    "locked pdf": (_pdf(b"<< /Encrypt 3 0 R >>"), "a password"),
    "unknown format": (b"PAR1" + bytes(range(256)), "cannot be searched"),
    "broken archive": (b"PK\x03\x04 broken", "broken"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_traces_of_machines_people_and_scripts_are_refused(cleared: Cleared, name: str) -> None:
    payload, told = REFUSED[name]
    with pytest.raises(DisclosureError, match=told):
        scan_bytes(payload, cleared, "file.css" if name.startswith("css") else "file")


def test_a_path_of_this_project_is_found(cleared: Cleared) -> None:
    with pytest.raises(DisclosureError, match="a path of this machine or a traceback"):
        scan_bytes(f"{cleared.study.root}/data".encode(), cleared, "brief.html")


@pytest.mark.parametrize(
    "bomb",
    [
        _zipped({"a": bytes(64 * 1024**2)}),
        gzip.compress(bytes(64 * 1024**2)),
        _zipped({f"{n}": _zipped({"a": bytes(8 * 1024**2)}) for n in range(99)}),
    ],
    ids=["zip", "gzip", "nested"],
)
def test_a_bomb_is_refused(cleared: Cleared, bomb: bytes) -> None:
    with pytest.raises(DisclosureError, match=r"more than can be searched|cannot be searched"):
        scan_bytes(bomb, cleared, "a.zip")


def test_a_matryoshka_is_refused(cleared: Cleared) -> None:
    payload = b"text"
    for _ in range(20):
        payload = gzip.compress(payload)
    with pytest.raises(DisclosureError, match="more than can be searched"):
        scan_bytes(payload, cleared, "a.gz")


# --- what is safe ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def safe(
    cleared: Cleared, plants: Study, plants_neck: Neck, chains: Study, chains_neck: Neck
) -> list[tuple[str, bytes, Cleared]]:
    """Return what is fit to publish, with the clearance that it is published under."""
    own, many = clear(plants_neck, plants), clear(chains_neck, chains)
    made = [(f"brief {c.study.slug}", BriefExporter().from_cleared(c, "en")[0].encode(), c)
            for c in (cleared, own, many)]  # fmt: skip
    for c in (cleared, own, many):
        write_brief(c, "en")
        card = (c.study.public / "brief.en.json").read_bytes()
        page = write_portal(c.study.root / "reports/public", [c.study.slug])
        portal = page.with_name("briefs.json").read_bytes()
        made += [("card", card, c), ("portal", portal, c)]
        figure = next(e for e in c.neck.exhibits if e.specification["kind"] == "coefficients")
        made += [(f"figure {w}", draw(figure, c.study, "en", w), c) for w in ("wide", "narrow")]
    counts, edges = [3, 14, 41, 60, 52, 21, 9], list(range(8))
    table = "<table><tr><th>x</th><td>0.52 (0.31 to 0.73)</td><td>1,000</td></tr></table>"
    estimates = cleared.neck.estimates.to_csv(index=False, float_format="%.17g").encode()
    rest = {
        "histogram": _picture(lambda axes: axes.stairs(counts, edges, fill=True), "svg"),
        "bars": _picture(lambda axes: axes.bar(edges[:-1], counts), "svg"),
        "bars in pdf": _picture(lambda axes: axes.bar(edges[:-1], counts), "pdf"),
        "picture": _picture(lambda axes: axes.bar(edges[:-1], counts), "png"),
        "bare picture": _png(),
        "jpeg": _jpeg((0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")),
        "table of coefficients": _page(table),
        "estimates": estimates,
        "docx": _docx("Committees go with higher output: 0.52 (0.31 to 0.73)."),
        "pdf": _pdf_flate("Committees go with higher output: 0.52 (0.31 to 0.73)."),
        "workbook": _xlsx("0.52"),
        "archive": _zipped({"brief.html": _page(table), "figure.png": _png()}),
        "escaped script": _page("<td>&lt;script&gt;alert(1)&lt;/script&gt;</td>"),
        "stripped notebook": _notebook(source=["import evidence as ev"]),
    }
    return made + [(name, payload, cleared) for name, payload in rest.items()]


def test_what_is_safe_passes(safe: list[tuple[str, bytes, Cleared]]) -> None:
    alarms = []
    for name, payload, clearance in safe:
        try:
            scan_bytes(payload, clearance, name)
        except DisclosureError as error:
            alarms.append(str(error))
    assert len(safe) >= 20
    assert alarms == []


# --- folders, and the whole way -------------------------------------------------------


def test_a_folder_is_scanned_in_every_format(
    cleared: Cleared, secrets: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.html").write_bytes(_page("fine"))
    (tmp_path / "deep" / "b.docx").write_bytes(_docx("fine"))
    assert scan_folder(tmp_path, cleared) == 2
    (tmp_path / "deep" / "c.docx").write_bytes(_docx(secrets["address"]))
    with pytest.raises(DisclosureError, match=r"deep/c\.docx: word/document\.xml: an identifier"):
        scan_folder(tmp_path, cleared)


def test_names_and_links_of_a_folder_are_looked_at(
    cleared: Cleared, secrets: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "a.html").symlink_to("/etc/hostname")
    with pytest.raises(DisclosureError, match="a link to elsewhere"):
        scan_folder(tmp_path, cleared)
    (tmp_path / "a.html").unlink()
    (tmp_path / f"{secrets['factory']}.txt").write_bytes(b"fine")
    with pytest.raises(DisclosureError, match="name of file 1 of 1: an identifier") as caught:
        scan_folder(tmp_path, cleared)
    assert secrets["factory"] not in str(caught.value)


def _everything(payload: bytes) -> list[bytes]:
    """Unpack naively, without the gate's code: data addresses, and what a PDF shows."""
    if payload.startswith(b"%PDF"):
        with pypdfium2.PdfDocument(payload) as pdf:
            return [payload, *(p.get_textpage().get_text_range().encode() for p in pdf)]
    inside = [base64.b64decode(m) for m in re.findall(rb"base64,([A-Za-z0-9+/=]+)", payload)]
    return [payload, html.unescape(payload.decode("utf-8", "replace")).encode(), *inside]


def test_a_published_study_of_marked_factories_holds_none_of_them(
    cleared: Cleared, factories: pd.DataFrame
) -> None:
    write_brief(cleared, "en")
    write_portal(cleared.study.root / "reports/public", ["sample"])
    public = cleared.study.root / "reports/public"
    files = [path for path in public.rglob("*") if path.is_file()]
    assert {".html", ".json", ".pdf"} <= {path.suffix for path in files}
    told = [
        str(v)
        for c in ("factory", "name", "address", "answer", "tax")
        for v in factories[c].unique()
    ]
    told += [f"{value:.6f}" for value in factories["y"]]
    assert len(told) == 5 * N + 5 * N
    everything = b"\n".join(part for path in files for part in _everything(path.read_bytes()))
    assert len(everything) > 50_000
    assert [text for text in told if text.encode() in everything] == []


def test_a_brief_with_a_planted_name_is_not_written(sample: Study, cleared: Cleared) -> None:
    before = {p: p.read_bytes() for p in sample.public.glob("*")}
    named = {**cleared.neck.protected, "identifiers": ["Padma Stitch Ltd"]}
    asked = replace(sample, heading=replace(sample.heading, question="Is PADMA-STITCH Ltd first?"))
    with pytest.raises(DisclosureError, match=r"brief\.en\.html: an identifier of a factory"):
        write_brief(clear(replace(cleared.neck, protected=named), asked), "en")
    assert {p: p.read_bytes() for p in sample.public.glob("*")} == before


# --- what the reading rests on --------------------------------------------------------


def test_numbers_are_read_as_they_are_shown() -> None:
    text = "1,234.5678 and 0.000123456, 1 234,5678; 12.34567e3, 17"
    read = {value: digits for value, digits in read_numbers(text).items() if value != 234.5678}
    assert read[1234.5678] == 8
    assert read[0.000123456] == 6
    assert read[12345.67] == 7
    assert 17.0 not in read


def test_chance_explains_hits_among_many_numbers() -> None:
    draw_from = np.random.default_rng(1)
    values = np.unique(draw_from.uniform(10_000, 99_999, 20_000).round())
    dense = Secrets({}, (), frozenset(), frozenset(), frozenset(), values, 100)
    others = {float(v): 5 for v in draw_from.integers(10_000, 99_999, 400)}
    assert len(set(others) & set(values.tolist())) > 20
    assert not find_values(dense, others)
    assert find_values(dense, {float(v): 5 for v in values[:40]})


def test_a_space_between_operands_of_a_drawing_parts_no_thousands() -> None:
    drawn = "q 1 0 0 -1 263.32736 96.60339 cm"
    assert 1263.32736 in read_numbers(drawn)
    assert set(read_numbers(drawn, grouped=False)) == {263.32736, 96.60339}
