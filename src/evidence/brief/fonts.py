"""The fonts of a page: cut to its characters, carried inside it, cut once and kept.

Latin is cut to a set that nearly every page shares; Khmer and Bangla pages carry their
font whole, as shaping takes letters that the text does not hold; Japanese is cut to the
catalogue's and the page's characters and set in TrueType outlines, for HTML and PDF alike.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import string
import unicodedata
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont, newTable

from evidence.errors import BriefError
from evidence.exhibits import (
    covered,
    find_font,
    hash_font,
    is_variable,
    list_families,
    missing_characters,
    remember,
)
from evidence.exhibits.fonts import BENGALI, JAPANESE, KHMER, LANGUAGES, LATIN, SIGNS, WEIGHTS
from evidence.language import LOCALES, messages

_WHOLE = {KHMER, BENGALI}
# What the bytes depend on besides file and characters: this module and the tools it uses.
_RECIPE = "-".join(
    [
        hashlib.sha256(Path(__file__).read_bytes()).hexdigest(),
        *(f"{name}-{version(name)}" for name in ("fonttools", "brotli")),
    ]
)

_NAVIGATION = "Tiếng Việt日本語ភាសាខ្មែរবাংলা"
# Shaping asks for these without their standing in the text: U+17C1 is the left part that
# HarfBuzz splits from Khmer vowels of two parts, U+17D2 joins Khmer letters.
_SHAPING = "\u200b\u200c\u200d\u25cc\u2060"
_KHMER_PARTS = "\u17c1\u17d2"


def _span(first: int, last: int) -> str:
    return "".join(map(chr, range(first, last + 1)))


_ASCII = string.printable.strip() + " "
_LATIN_BASE = (
    _ASCII + _span(0xA0, 0x17F) + "ƠơƯư" + _span(0x1EA0, 0x1EF9) + _span(0x300, 0x304)
    + "\u0306\u0309\u031b\u0323" + _span(0x2010, 0x2026) + "\u202f‰′″‹›⁰⁴₂€₫™−≈≠"
)  # fmt: skip
_JAPANESE_BASE = (
    _ASCII + _span(0x3000, 0x3003) + _span(0x3005, 0x3015) + _span(0x3041, 0x30FF)
    + "—‘’“”…−※〜←→（）％＋，－．／：；＝？～"
)  # fmt: skip
_SIGNS_BASE = "←↑→↓↔−≈≠≤≥●○■□▲△▼▽★☆✓✗"


def gather_text(model: Any) -> str:
    """Gather the texts of a page's model, data addresses left out."""
    if isinstance(model, dict):
        return "".join(gather_text(item) for item in model.values())
    if isinstance(model, list | tuple):
        return "".join(gather_text(item) for item in model)
    return model if isinstance(model, str) and not model.startswith("data:") else ""


def embed_fonts(text: str, language: str) -> str:
    """Write the style rules that carry a page's fonts inside it.

    Parameters
    ----------
    text : str
        Everything that the page shows; order and repetition do not matter.

    Returns
    -------
    str
        ``@font-face`` rules (WOFF2 in data addresses) and, for each language, a rule that
        gives elements with its ``lang`` their families. ``body`` must not name a family of
        its own, or inherit. Equal characters give equal bytes.

    Raises
    ------
    BriefError
        Where no font draws a character of the text.
    """
    _check_coverage(text, language)
    return _embed_fonts("".join(sorted(set(text))), language)


def typst_fonts(text: str, language: str) -> tuple[list[Path], list[str]]:
    """Find the folders and families with which Typst sets a text.

    Parameters
    ----------
    text : str
        Everything that the document shows.

    Returns
    -------
    tuple
        Folders for ``font_paths`` (system fonts are to be ignored), then families in their
        order for ``set text(font: …)``; each of them is in a folder.

    Raises
    ------
    BriefError
        Where no font draws a character of the text.
    """
    _check_coverage(text, language)
    return _typst_fonts("".join(sorted(set(text))), language)


def list_fallbacks(language: str) -> str:
    """Write the families of a language as the value of ``font-family`` in CSS."""
    return ",".join([*(f'"{family}"' for family in list_families(language)), "sans-serif"])


def _check_coverage(text: str, language: str) -> None:
    missing = missing_characters(text, language)
    if missing:
        named = ", ".join(f"'{c}' (U+{ord(c):04X})" for c in missing[:5])
        raise BriefError(
            f"a page in language '{language}'",
            seen=f"characters that no font of the page draws: {named}",
            expected="characters of the five languages and common signs",
            do="Write the label or the text with other characters.",
        )


@functools.lru_cache(maxsize=64)
def _embed_fonts(characters: str, language: str) -> str:
    rules = []
    for family, wanted in _share(characters + _NAVIGATION, language):
        weights = (400,) if is_variable(family) else WEIGHTS
        for weight in weights:
            shown = "400 700" if is_variable(family) else str(weight)
            address = _as_address(_cut_kept(family, weight, wanted, "woff2"))
            rules.append(
                f'@font-face{{font-family:"{family}";font-weight:{shown};'
                f'src:url({address}) format("woff2")}}'
            )
    rules += [f'[lang|="{lang}"]{{font-family:{list_fallbacks(lang)}}}' for lang in LANGUAGES]
    return "\n".join(rules)


@functools.lru_cache(maxsize=64)
def _typst_fonts(characters: str, language: str) -> tuple[list[Path], list[str]]:
    folders: dict[Path, None] = {}
    families = []
    for family, wanted in _share(characters, language):
        families.append(family)
        for weight in WEIGHTS:
            path = (
                _cut_kept(family, weight, wanted, "ttf")
                if family == JAPANESE
                else find_font(family, weight)
            )
            folders[path.parent] = None
    return list(folders), families


def _share(characters: str, language: str) -> list[tuple[str, frozenset[int]]]:
    """Share a page's characters among the families: each takes what those before it lack."""
    left = _close(characters)
    shares = []
    families = list_families(language)
    for family in families:
        own = _base(family, language) & covered(family)
        wanted = (left & covered(family)) - _codes(_SHAPING)
        left -= wanted
        if family == SIGNS and wanted:
            own = _codes(_SIGNS_BASE)
        if wanted | own:
            extra = _codes(_SHAPING + (_KHMER_PARTS if family == KHMER else ""))
            shares.append((family, (wanted | own | extra) & covered(family)))
    return shares


def _base(family: str, language: str) -> frozenset[int]:
    if family == LATIN:
        return _codes(_LATIN_BASE)
    if family != list_families(language)[0]:
        return frozenset()
    if family in _WHOLE:
        return covered(family)
    return _codes(_JAPANESE_BASE + _catalogue()) | _close(_NAVIGATION)


def _catalogue() -> str:
    """Gather the Japanese catalogue: its characters make pages of all studies alike."""
    return "".join(messages("ja").values()) if (LOCALES / "ja.po").is_file() else ""


def _close(text: str) -> frozenset[int]:
    forms = (text, unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text))
    silent = {c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp"}}
    return _codes("".join(forms) + string.digits + _SHAPING) - _codes("".join(silent))


def _codes(characters: Iterable[str]) -> frozenset[int]:
    return frozenset(map(ord, characters))


def _as_address(path: Path) -> str:
    return "data:font/woff2;base64," + base64.b64encode(path.read_bytes()).decode("ascii")


@functools.lru_cache(maxsize=256)
def _cut_kept(family: str, weight: int, wanted: frozenset[int], form: str) -> Path:
    key = f"{hash_font(family, weight)} {_RECIPE} {sorted(wanted)}"
    name = f"cut/{hashlib.sha256(key.encode('ascii')).hexdigest()[:24]}/{weight}.{form}"
    return remember(name, lambda: _cut(family, weight, wanted, form))


def _cut(family: str, weight: int, wanted: frozenset[int], form: str) -> bytes:
    if family == JAPANESE and form == "woff2":
        font = TTFont(_cut_kept(family, weight, wanted, "ttf"), recalcTimestamp=False)
    else:
        font = TTFont(find_font(family, weight), recalcTimestamp=False)
        if family not in _WHOLE or wanted < covered(family):
            _subset(font, family, wanted)
        if family == JAPANESE:
            _outline_in_truetype(font)
    font.flavor = form if form == "woff2" else None
    buffer = io.BytesIO()
    font.save(buffer)
    return buffer.getvalue()


def _subset(font: Any, family: str, wanted: frozenset[int]) -> None:
    options = Options()
    # Hints of the Japanese font go with its cubic outlines; taking them out first is slow.
    options.hinting = family == JAPANESE
    options.drop_tables += ["DSIG", "FFTM", "VORG", "vhea", "vmtx"]
    if family in _WHOLE:
        options.layout_features = ["*"]
    elif family == JAPANESE:
        options.layout_features = ["ccmp", "locl", "kern", "palt", "mark", "mkmk"]
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=wanted)
    subsetter.subset(font)


def _outline_in_truetype(font: Any) -> None:
    """Replace cubic outlines by quadratic ones within one unit of a thousand.

    Validators of PDF read the widths of TrueType fonts right, those of CFF fonts wrong.
    """
    shapes, order = font.getGlyphSet(), font.getGlyphOrder()
    glyf = newTable("glyf")
    glyf.glyphOrder, glyf.glyphs = order, {}
    for name in order:
        pen = TTGlyphPen(None)
        shapes[name].draw(Cu2QuPen(pen, 1.0, reverse_direction=True))
        glyf.glyphs[name] = pen.glyph()
    font["glyf"], font["loca"] = glyf, newTable("loca")
    for name in order:
        glyph = glyf.glyphs[name]
        glyph.recalcBounds(glyf)
        font["hmtx"][name] = (font["hmtx"][name][0], getattr(glyph, "xMin", 0))
    profile = font["maxp"] = newTable("maxp")
    profile.tableVersion = 0x00010000
    profile.maxZones = 1
    for name in _PROFILE:
        setattr(profile, name, 0)
    profile.numGlyphs = len(order)
    font["post"].formatType = 3.0
    for name in ("CFF ", "VORG", "vhea", "vmtx"):
        if name in font:
            del font[name]
    font.sfntVersion = "\x00\x01\x00\x00"


_PROFILE = (
    "maxTwilightPoints", "maxStorage", "maxFunctionDefs", "maxInstructionDefs",
    "maxStackElements", "maxSizeOfInstructions", "maxComponentElements", "maxComponentDepth",
    "maxPoints", "maxContours", "maxCompositePoints", "maxCompositeContours",
)  # fmt: skip
