"""Every language is drawn by the fonts that were checked, in pictures and on pages."""

from __future__ import annotations

import base64
import importlib.util
import io
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import matplotlib as mpl
import page
import pytest
import typst
import uharfbuzz as hb
from fontTools.ttLib import TTFont
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont
from matplotlib.ft2font import FT2Font, LoadFlags

from evidence.brief import fonts as pages
from evidence.brief.fonts import embed_fonts, gather_text, typst_fonts
from evidence.errors import BriefError, ExhibitError
from evidence.exhibits import (
    coefficients,
    covered,
    draw,
    find_font,
    fix_weight,
    font_cache,
    fonts,
    list_families,
    missing_characters,
)
from evidence.exhibits.style import refuse_missing_glyphs, style
from evidence.language import LOCALES, messages
from evidence.neck import Neck
from evidence.study import Study

LATIN, KHMER, BENGALI, JAPANESE, SIGNS = (
    "Noto Sans", "Noto Sans Khmer", "Noto Sans Bengali", "Noto Sans CJK JP", "DejaVu Sans",
)  # fmt: skip
TEXTS = {
    "en": "Overtime fell by 1.8 hours \N{RIGHTWARDS ARROW} “lower” ≤ 5 per cent ៛ ৳",
    "vi": "Niêm yết quy định tiền lương, ngữ ậ ở ỡ ỹ ẵ Ợ: 1,8 giờ",
    "km": "ស្ត្រី ខ្ញុំ ប្រាក់ឈ្នួលអប្បបរមា ក្រុមហ៊ុន ១២៣",
    "bn": "ন্যূনতম মজুরি ক্ষুদ্র স্বাস্থ্য যৌথ শ্রমিক ১২৩",
    "ja": "最低賃金 2021\N{WAVE DASH}2026年 リードタイム「責任」",
}
SHAPED = [
    *((KHMER, word) for word in ("ស្ត្រី", "ខ្ញុំ", "ក្រុមហ៊ុន")),
    *((BENGALI, word) for word in ("ক্ষুদ্র", "স্বাস্থ্য", "যৌথ")),
    (LATIN, "Niêm yết quy định tiền lương ẵ Ợ"),
    (JAPANESE, "最低賃金リードタイム「責任」"),
]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return an empty cache that nothing of this process remembers."""
    monkeypatch.setattr(font_cache, "_cache_folder", lambda: tmp_path / "cache")
    _forget()
    yield tmp_path / "cache"
    _forget()


def _forget() -> None:
    for remembering in (pages._embed_fonts, pages._typst_fonts, pages._cut_kept, fix_weight,
                        find_font):  # fmt: skip
        remembering.cache_clear()


def _shape(file: bytes, text: str) -> list[int]:
    font = hb.Font(hb.Face(file))
    buffer = hb.Buffer()
    buffer.add_str(text)
    buffer.guess_segment_properties()
    hb.shape(font, buffer)
    return [info.codepoint for info in buffer.glyph_infos]


def _outlines(file: bytes, glyphs: list[int]) -> list[Any]:
    font = TTFont(io.BytesIO(file))
    glyf, order = font["glyf"], font.getGlyphOrder()
    return [list(glyf[order[g]].getCoordinates(glyf)[0]) for g in glyphs]


def _embedded(css: str, family: str) -> list[bytes]:
    """Decode the embedded files of a family, as fonts without compression."""
    found = re.findall(rf'font-family:"{family}";[^}}]*?base64,([^)]+)\)', css)
    files = []
    for address in found:
        font = TTFont(io.BytesIO(base64.b64decode(address)))
        font.flavor = None
        buffer = io.BytesIO()
        font.save(buffer)
        files.append(buffer.getvalue())
    return files


@pytest.mark.parametrize("family", fonts.FAMILIES)
def test_each_family_and_weight_is_the_file_that_was_checked(family: str) -> None:
    style("en")
    for weight in fonts.WEIGHTS:
        assert "site-packages" in find_font(family, weight).parts
        found = findfont(FontProperties(family=[family], weight=weight), fallback_to_default=False)
        assert Path(found).samefile(fix_weight(family, weight))
        assert FT2Font(found).family_name == family
        assert ("Bold" in FT2Font(found).style_name) == (weight == 700)


def test_a_missing_package_is_told_by_name(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ExhibitError, match="no package noto-cjk-sans-jp-bold"):
        find_font(JAPANESE, 700)
    assert not cache.exists()


def test_another_file_under_the_name_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache: Path
) -> None:
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda _: SimpleNamespace(origin=str(tmp_path / "__init__.py")),
    )
    with pytest.raises(ExhibitError, match="no such file"):
        find_font(KHMER, 400)
    (tmp_path / "NotoSansKhmer[wght].ttf").write_bytes(b"another font")
    with pytest.raises(ExhibitError, match="another file; expected the file of manimgx-fonts"):
        find_font(KHMER, 400)
    assert not cache.exists()


def test_a_family_or_weight_that_is_not_ours_is_refused() -> None:
    for family, weight in (("Comic Sans", 400), (LATIN, 900), (JAPANESE, 500)):
        with pytest.raises(ExhibitError, match="no file for it"):
            find_font(family, weight)
    with pytest.raises(ExhibitError, match="no font for it; expected one of bn, en, ja, km, vi"):
        style("th")


def test_the_script_comes_first_and_signs_do_not_take_the_width_of_kanji() -> None:
    assert list_families("en") == [LATIN, KHMER, BENGALI, SIGNS, JAPANESE]
    assert list_families("vi") == list_families("en")
    assert list_families("km")[:2] == [KHMER, LATIN]
    assert list_families("bn")[:2] == [BENGALI, LATIN]
    assert list_families("ja") == [JAPANESE, LATIN, KHMER, BENGALI, SIGNS]


@pytest.mark.parametrize("weight", fonts.WEIGHTS)
@pytest.mark.parametrize(("family", "text"), SHAPED)
def test_pictures_are_shaped_as_harfbuzz_shapes(family: str, text: str, weight: int) -> None:
    path = fix_weight(family, weight)
    laid = [item.glyph_index for item in FT2Font(path)._layout(text, LoadFlags.NO_HINTING)]
    expected = _shape(path.read_bytes(), text)
    assert laid == expected
    assert 0 not in expected
    # Shaped, not only looked up: complex scripts have other glyphs than characters.
    if family in {KHMER, BENGALI}:
        single = [glyph for c in text for glyph in _shape(path.read_bytes(), c)]
        assert laid != single


@pytest.mark.parametrize("language", TEXTS)
def test_every_language_is_drawn_in_both_weights_without_a_missing_glyph(language: str) -> None:
    outlines = []
    for weight in ("normal", "bold"):
        with mpl.rc_context(cast("Any", style(language))), refuse_missing_glyphs("a test"):
            figure = Figure(figsize=(4, 1))
            figure.text(0, 0.5, TEXTS[language], weight=weight)
            buffer = io.BytesIO()
            figure.savefig(buffer, format="svg", metadata={"Date": None})
        outlines.append(buffer.getvalue())
    assert outlines[0] != outlines[1]


def test_a_character_without_a_font_stops_the_figure(
    plants: Study, plants_neck: Neck, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = next(e for e in plants_neck.exhibits if e.specification["kind"] == "coefficients")
    monkeypatch.setattr(coefficients, "label_row", lambda *_: "โรงงาน")
    with pytest.raises(ExhibitError, match=r"the character 'โ' \(U\+0E42\) in a text"):
        draw(figure, plants, "en", "wide")


def test_other_warnings_stay_warnings() -> None:
    with pytest.raises(UserWarning, match="something else"), refuse_missing_glyphs("a test"):
        raise UserWarning("something else")


@pytest.mark.parametrize("language", sorted(path.stem for path in LOCALES.glob("*.po")))
def test_every_message_of_every_catalogue_can_be_drawn(language: str) -> None:
    assert missing_characters("".join(messages(language).values()), language) == ""


def test_what_no_font_draws_is_listed_once_in_order() -> None:
    assert missing_characters("รรก ok\n\t\u200b\u2060\u00ad日 ៛", "en") == "กร"


@pytest.mark.parametrize("language", TEXTS)
def test_a_page_carries_every_character_it_shows(language: str) -> None:
    css = embed_fonts(TEXTS[language], language)
    carried: set[int] = set()
    for family in list_families(language):
        for file in _embedded(css, family):
            carried |= set(TTFont(io.BytesIO(file)).getBestCmap())
    assert carried >= set(map(ord, TEXTS[language] + pages._NAVIGATION))
    assert carried >= set(map(ord, "\u200b\u200c\u200d\u25cc\u2060"))
    assert f'[lang|="{language}"]{{font-family:"{list_families(language)[0]}",' in css
    assert len(css) < 600_000


@pytest.mark.parametrize(
    ("language", "family", "text"),
    [
        ("bn", BENGALI, "যৌথ ক্ষুদ্র স্বাস্থ্য ন্যূনতম"),
        ("en", BENGALI, "যৌথ বাংলা"),
        ("km", KHMER, "ស្ត្រី ខ្ញុំ ក្រុមហ៊ុន កោះ កើត"),
        ("en", KHMER, "ភាសាខ្មែរ កោះ កើត សៀវភៅ"),
    ],
)
def test_letters_that_shaping_splits_have_no_dotted_circle(
    language: str, family: str, text: str
) -> None:
    (file,) = _embedded(embed_fonts(text, language), family)
    whole = find_font(family, 400).read_bytes()
    circle = hb.Font(hb.Face(file)).get_nominal_glyph(0x25CC)
    for word in text.split():
        shaped = _shape(file, word)
        assert not {0, circle} & set(shaped)
        assert _outlines(file, shaped) == _outlines(whole, _shape(whole, word))


def test_a_page_with_a_character_that_no_font_draws_is_refused() -> None:
    for refused in (embed_fonts, typst_fonts):
        with pytest.raises(BriefError, match=r"'ก' \(U\+0E01\)"):
            refused("โรงงาน ก", "en")


def test_equal_characters_give_equal_bytes_with_and_without_the_cache(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(text: str) -> list[bytes]:
        wanted = frozenset(map(ord, text))
        latin = pages._cut_kept(LATIN, 400, wanted & covered(LATIN), "woff2")
        kanji = pages._cut_kept(JAPANESE, 700, wanted, "woff2")
        return [path.read_bytes() for path in (latin, kanji, fix_weight(BENGALI, 700))]

    first = make("ab最低")
    assert make("低最ba") == first
    kept = {path.relative_to(cache) for path in cache.rglob("*.sha256")}
    _forget()
    monkeypatch.setattr(font_cache, "_cache_folder", lambda: cache / "second")
    assert make("最b低a") == first
    second = cache / "second"
    assert {path.relative_to(second) for path in second.rglob("*.sha256")} == kept


def test_a_second_process_cuts_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = embed_fonts("abc", "en")
    _forget()

    def cut(*_: Any) -> bytes:
        raise AssertionError("cut again")

    monkeypatch.setattr(pages, "_cut", cut)
    assert embed_fonts("cab", "en") == first


def test_a_damaged_file_of_the_cache_is_made_anew(cache: Path) -> None:
    whole = fix_weight(KHMER, 700)
    payload = whole.read_bytes()
    assert whole.is_relative_to(cache)
    for damage in (b"", payload[:-1]):
        whole.write_bytes(damage)
        _forget()
        assert fix_weight(KHMER, 700).read_bytes() == payload
    whole.with_name(f"{whole.name}.sha256").unlink()
    _forget()
    assert fix_weight(KHMER, 700).read_bytes() == payload
    assert not [path for path in cache.rglob(".*") if path.is_file()]


def test_a_cache_that_cannot_be_written_costs_time_only(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.write_text("a file where the folder should be")
    path = fix_weight(KHMER, 700)
    assert path.is_file()
    assert not path.is_relative_to(cache)
    made = path.stat().st_mtime_ns
    _forget()
    assert fix_weight(KHMER, 700).stat().st_mtime_ns == made


@pytest.mark.parametrize("language", TEXTS)
def test_typst_sets_every_language_in_a_file_that_validates(language: str, tmp_path: Path) -> None:
    folders, families = typst_fonts(TEXTS[language], language)
    listed = ", ".join(f'"{family}"' for family in families)
    source = tmp_path / "page.typ"
    source.write_text(
        f'#set document(title: "A", date: datetime(year: 2026, month: 1, day: 1))\n'
        f'#set text(lang: "{language}", font: ({listed},), fallback: false)\n'
        f"= {TEXTS[language]}\n{TEXTS[language]}\n",
        encoding="utf-8",
    )
    pdf, warned = typst.compile_with_warnings(
        str(source),
        font_paths=[str(folder) for folder in folders],
        ignore_system_fonts=True,
        pdf_standards=["ua-1", "a-2a"],
    )
    assert not warned
    path = tmp_path / "page.pdf"
    path.write_bytes(pdf)
    for profile in ("ua-1", "pdfa-2a"):
        report = page.validate_pdf(str(path), profile=profile)
        assert report.is_compliant, report.failures


def test_all_pages_of_a_catalogue_share_one_japanese_font() -> None:
    one, two = (typst_fonts(text, "ja")[0] for text in ("カタカナ 2026", "ひらがな、English"))
    assert one == two


def test_texts_of_a_model_are_gathered_without_pictures() -> None:
    model = {"a": ["x", ("y", {"b": "z"})], "picture": "data:image/svg+xml;base64,Q", "n": 1}
    assert gather_text(model) == "xyz"


def test_a_cache_that_can_be_written_leaves_no_folder_elsewhere(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(font_cache, "_passing_folder", lambda: pytest.fail("a folder elsewhere"))
    assert font_cache.remember("a/b", lambda: b"font") == cache / "a/b"
    assert font_cache.remember("a/b", lambda: pytest.fail("made again")) == cache / "a/b"


def test_a_cache_that_cannot_be_written_is_kept_for_the_process(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.write_text("a file where a folder should be", "utf-8")
    monkeypatch.setattr(font_cache, "_PASSING", {})
    kept = font_cache.remember("a/b", lambda: b"font")
    assert kept.read_bytes() == b"font"
    assert not kept.is_relative_to(cache)
    assert font_cache.remember("a/b", lambda: pytest.fail("made again")) == kept
