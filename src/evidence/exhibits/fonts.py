"""Which file draws a family in a weight: fonts of packages, each the very file we checked."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import io
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import fontTools
from fontTools.ttLib import TTFont
from fontTools.varLib.instancer import instantiateVariableFont
from matplotlib.ft2font import FT2Font

from evidence.errors import ExhibitError
from evidence.exhibits.font_cache import remember

LATIN, KHMER, BENGALI = "Noto Sans", "Noto Sans Khmer", "Noto Sans Bengali"
JAPANESE, SIGNS = "Noto Sans CJK JP", "DejaVu Sans"
FAMILIES = (LATIN, KHMER, BENGALI, SIGNS, JAPANESE)
WEIGHTS = (400, 700)

_SCRIPT = {"en": LATIN, "ja": JAPANESE, "vi": LATIN, "km": KHMER, "bn": BENGALI}
LANGUAGES = tuple(_SCRIPT)


@dataclass(frozen=True, slots=True)
class _Source:
    package: str
    module: str
    name: str
    sha256: str
    variable: bool


def _noto(name: str, sha256: str) -> _Source:
    return _Source("manimgx-fonts", "manimgx_fonts", name, sha256, variable=True)


def _japanese(weight: str, sha256: str) -> _Source:
    package = f"noto-cjk-sans-jp-{weight.lower()}"
    name = f"NotoSansCJKjp-{weight}.otf"
    return _Source(package, package.replace("-", "_"), name, sha256, variable=False)


def _dejavu(name: str, sha256: str) -> _Source:
    return _Source("matplotlib", "matplotlib", f"mpl-data/fonts/ttf/{name}", sha256, variable=False)


_FILES = {
    (LATIN, None): _noto(
        "NotoSans[wght].ttf",
        "fb53504de62e767a54695416123d68d67f71c9b69722175184ad56e7dd13547b",
    ),
    (KHMER, None): _noto(
        "NotoSansKhmer[wght].ttf",
        "56f89948a84cc0b01962ed6af573ac4ac885bd7bb6e7e40f9afc72a435728b70",
    ),
    (BENGALI, None): _noto(
        "NotoSansBengali[wght].ttf",
        "dc9defe97bb041876b6609e9029d9e1e228a686259acde2fe2a9f99d793ee17d",
    ),
    (JAPANESE, 400): _japanese(
        "Regular", "68a3fc98800b2a27b371f2fb79991daf3633bd89309d4ffaa6946fd587f375b5"
    ),
    (JAPANESE, 700): _japanese(
        "Bold", "e53dcb0dcb2922e45d01aae1ebd2f382bb81d4229b18b6b883bd170678af1f76"
    ),
    (SIGNS, 400): _dejavu(
        "DejaVuSans.ttf", "3fdf69cabf06049ea70a00b5919340e2ce1e6d02b0cc3c4b44fb6801bd1e0d22"
    ),
    (SIGNS, 700): _dejavu(
        "DejaVuSans-Bold.ttf", "b184b89e3c1075f22f6b71575b6fc20d4972b3cfd3b23322ca6fd596dcaef167"
    ),
}


def list_families(language: str) -> list[str]:
    """List the families of a language: its script, Latin, the other scripts and signs.

    Raises
    ------
    ExhibitError
        Where no font is known for the language.
    """
    if language not in _SCRIPT:
        raise ExhibitError(
            f"language '{language}'",
            seen="no font for it",
            expected=f"one of {', '.join(sorted(_SCRIPT))}",
            do="Choose one of these languages.",
        )
    first = [_SCRIPT[language], LATIN]
    return list(dict.fromkeys([*first, *FAMILIES]))


def is_variable(family: str) -> bool:
    """Tell whether one file holds all weights of the family from 400 to 700."""
    return (family, None) in _FILES


@functools.cache
def find_font(family: str, weight: int) -> Path:
    """Find the package's file that holds a family in a weight.

    Parameters
    ----------
    weight : {400, 700}
        Regular or bold. Both are in the same file where the font is variable.

    Raises
    ------
    ExhibitError
        Where the package is missing, or ships another file than the one that was checked.
    """
    source = _find_source(family, weight)
    found = importlib.util.find_spec(source.module)
    if found is None or found.origin is None:
        raise ExhibitError(
            "fonts",
            seen=f"no package {source.package}",
            expected=f"the package of the lock file that ships {family}",
            do="Install the lock file's packages (make setup).",
        )
    path = Path(found.origin).parent / source.name
    if not path.is_file() or _hash(path) != source.sha256:
        raise ExhibitError(
            f"fonts: {path.name}",
            seen="another file" if path.is_file() else "no such file",
            expected=f"the file of {source.package} that was checked for {family}",
            do="Install the lock file's version of the package (make setup).",
        )
    return path


def hash_font(family: str, weight: int) -> str:
    """Give the SHA-256 of the file that ``find_font`` finds."""
    find_font(family, weight)
    return _find_source(family, weight).sha256


@functools.cache
def fix_weight(family: str, weight: int) -> Path:
    """Give a file that draws the weight in programs that know no variable fonts.

    Bold of a variable font is made once and kept in the user's cache.

    Raises
    ------
    ExhibitError
        As in ``find_font``.
    """
    path = find_font(family, weight)
    if not is_variable(family) or weight == 400:
        return path
    name = f"{path.stem.split('[')[0]}-{weight}.ttf"
    key = f"{hash_font(family, weight)[:16]}-{fontTools.version}-{_hash(Path(__file__))[:8]}"
    return remember(f"static/{key}/{name}", lambda: _instance(path, weight))


def missing_characters(text: str, language: str) -> str:
    """List the characters of a text that no font of the language can draw, in both weights.

    Returns
    -------
    str
        In code order, each once; empty where all is well. Line ends and characters that
        format and are never drawn do not count.
    """
    drawn = frozenset[int]().union(*(covered(family) for family in list_families(language)))
    return "".join(c for c in sorted(set(text)) if ord(c) not in drawn and not _is_silent(c))


@functools.cache
def covered(family: str) -> frozenset[int]:
    """Give the code points that a family draws in regular and in bold."""
    maps = [frozenset(FT2Font(find_font(family, w)).get_charmap()) for w in WEIGHTS]
    return maps[0] & maps[1]


def _is_silent(character: str) -> bool:
    return (
        unicodedata.category(character) in {"Cc", "Cf", "Zl", "Zp"}
        or "\N{VARIATION SELECTOR-1}" <= character <= "\N{VARIATION SELECTOR-16}"
    )


def _find_source(family: str, weight: int) -> _Source:
    source = _FILES.get((family, None)) or _FILES.get((family, weight))
    if source is None or weight not in WEIGHTS:
        raise ExhibitError(
            f"font '{family}' in weight {weight}",
            seen="no file for it",
            expected=f"one of {', '.join(FAMILIES)} in 400 or 700",
            do="Choose a family and weight of this list.",
        )
    return source


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _instance(path: Path, weight: int) -> bytes:
    font = TTFont(path, recalcTimestamp=False)
    made = instantiateVariableFont(font, {"wght": weight}, updateFontNames=True)
    buffer = io.BytesIO()
    made.save(buffer)
    return buffer.getvalue()
