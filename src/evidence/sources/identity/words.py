"""Names and addresses, put into a form in which the same things look the same."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Legal forms tell nothing about which factory it is. Longest first where one holds another.
_LEGAL = (
    "joint stock company, one member limited liability company, limited liability company, "
    "public limited company, private limited company, limited company, company limited, "
    "private limited, cong ty trach nhiem huu han mot thanh vien, cong ty trach nhiem huu han, "
    "cong ty tnhh mot thanh vien, cong ty tnhh mtv, cong ty tnhh, cong ty co phan, cong ty cp, "
    "cong ty, doanh nghiep tu nhan, tnhh mtv, tnhh, ctcp, kabushiki kaisha, yugen kaisha, "
    "sdn bhd, s a de c v, sa de cv, pvt ltd, pte ltd, co ltd, co limited, company, corp, corporation, "
    "inc, incorporated, ltd, limited, limted, llc, plc, pte, pvt, private, jsc, bhd, sdn, "
    "pt, tbk, kk, gmbh, srl, sae, bv, mtv"
)
# Scripts without spaces: cut out wherever they stand.
_LEGAL_INSIDE = unicodedata.normalize(
    "NFKC",
    "股份有限公司 有限责任公司 有限公司 株式会社 有限会社 合同会社 合資会社 合名会社 (株) (有) "
    "ក្រុមហ៊ុន លីមីតធីត ឯ.ក লিমিটেড প্রাইভেট লিঃ",
).split()
_GLUE = _set("and the of & de la at")
# Words of the trade and of places as large as a country: many factories share them.
_TRADE = _set(
    "garment apparel textile fashion knit knitwear knitting sweater shirt jean denim woven wear "
    "weaving dyeing washing printing embroidery sewing stitch tailoring clothing cloth lingerie "
    "intimate underwear sock hosiery spinning composite shoe footwear leather bag glove hat toy "
    "electronic electric plastic packaging label button thread yarn fabric accessory "
    "industry industrial manufacturing manufacturer enterprise international "
    "trading export import group holding global asia product production factory mill plant work "
    "may det giay vietnam vina bangladesh cambodia japan china indonesia india"
)
_PHRASES = (
    (r"\bviet nam\b|\bvn\b", "vietnam"),
    (r"\bbd\b", "bangladesh"),
    (r"\bint l\b|\bintl\b", "international"),
    (r"\bmfg\b|\bmanuf\b|\bmanufacture\b", "manufacturing"),
    (r"\bind\b", "industry"),
    (r"\bxi nghiep\b|\bnha may\b|\bxn\b", "factory"),
    (r"\bho chi minh city\b|\bho chi minh\b|\bhcmc\b|\bhcm\b|\bsaigon\b", "hochiminh"),
    (r"\bbinh duong\b", "binhduong"),
    (r"\bhai duong\b", "haiduong"),
    (r"\bindustrial (zone|park|estate|area)\b|\bkhu cong nghiep\b|\bkcn\b|\bip\b|\biz\b", "zone"),
    (r"\bexport processing zone\b|\bepz\b", "epz"),
    (r"\bst\b|\bstr\b", "street"),
    (r"\brd\b", "road"),
    (r"\bblk\b|\bblok\b", "block"),
    (r"\bbldg\b", "building"),
    (r"\blo\b(?= [0-9a-z]{1,3}\b)", "lot"),
    (r"\bso\b(?= [0-9])", "no"),
)
_AREA_WORDS = _set(
    "street road avenue district province city ward commune village town zone epz park sangkat "
    "khan khum phum srok phuong xa thon quan huyen tinh duong tp thanh pho km highway national "
    "upazila thana ps po dist prov sub sector section phase ken shi machi cho ku gun near "
    "vietnam bangladesh cambodia japan kingdom"
)
_NUMBERED_AREAS = _set(
    "street road avenue district ward highway km national sector section phase zone epz rt rw "
    "quan phuong st group to village"
)
_SITE_LABELS = _set("unit building block floor room shed factory plant workshop house")
_NAME_LABELS = _SITE_LABELS | _set("no number branch phase division mill line mk")
_ROMAN = {
    "i": 1,
    "ii": 2,
    "iii": 3,
    "iv": 4,
    "v": 5,
    "vi": 6,
    "vii": 7,
    "viii": 8,
    "ix": 9,
    "x": 10,
}
_SPELT = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8}
_KANJI = {character: value for value, character in enumerate("一二三四五六七八九十", start=1)}
# Letters that transliterations into Latin choose between: Neel or Nil, Shapla or Sapla.
_SOUNDS = (("ee", "i"), ("oo", "u"), ("ou", "u"), ("sh", "s"), ("z", "j"), ("y", "i"))
_AMBIGUOUS = frozenset({"i", "v", "x"})
_LEGAL_PATTERN = re.compile(
    r"\b(?:" + "|".join(phrase.strip() for phrase in _LEGAL.split(",")) + r")\b|\bco$"
)


@dataclass(frozen=True, slots=True)
class Name:
    """A factory's name: its words, what they weigh, and the numbers of units in it.

    ``plain`` is the whole name, spelt plainly, with its legal form; ``sorted`` holds
    the words that count, in alphabetical order.
    """

    plain: str
    words: tuple[str, ...]
    units: frozenset[str]

    @property
    def sorted(self) -> str:
        """The words and unit numbers in alphabetical order."""
        return " ".join(sorted((*self.words, *self.units)))

    @property
    def is_generic(self) -> bool:
        """Whether the name holds words of the trade only."""
        return not any(word not in _TRADE for word in self.words)


@dataclass(frozen=True, slots=True)
class Address:
    """An address: its words, plot or house numbers, and units or buildings."""

    plain: str
    words: tuple[str, ...]
    plots: frozenset[str]
    units: frozenset[str]


def name_weight(word: str) -> float:
    """Weigh a word of a name: one of the trade tells factories apart less."""
    return 0.4 if word in _TRADE else 1.0


def address_weight(word: str) -> float:
    """Weigh a word of an address: street, district and number tell less than a name."""
    if word in _AREA_WORDS:
        return 0.2
    return 0.5 if _has_digit(word) else 1.0


@lru_cache(maxsize=1 << 17)
def spell_plainly(text: str) -> str:
    """Spell a text plainly: one width, one case, no accents, no punctuation.

    Accents are taken off Latin letters only: a vowel sign of Khmer or Bangla, or the
    marks of Japanese kana, are not accents.
    """
    text = unicodedata.normalize("NFKC", text).casefold().replace("đ", "d").replace("ł", "l")
    parts = unicodedata.normalize("NFD", text)
    text = unicodedata.normalize("NFC", re.sub("[\u0300-\u036f]", "", parts))
    text = _without_marks(text)
    text = re.sub(r"['’`]", "", text).replace("&", " and ")
    text = re.sub(r"(?<=\b[a-z])\.(?=[a-z]\b)", "", text)
    text = re.sub(r"(?<=[0-9])\s*[-–/]\s*(?=[0-9])", "_", text)
    text = re.sub(r"\b([a-z])-(?=[0-9])", r"\1", text)
    kept = (c if c == "_" or unicodedata.category(c)[0] in "LMN" else " " for c in text)
    return " ".join("".join(kept).split())


@lru_cache(maxsize=1 << 17)
def spell_by_sound(word: str) -> str:
    """Spell a Latin word so that usual transliterations of one word are equal."""
    for letters, sound in _SOUNDS:
        word = word.replace(letters, sound)
    return re.sub(r"(.)\1", r"\1", word)


@lru_cache(maxsize=1 << 17)
def read_name(text: str) -> Name:
    """Read a factory's name."""
    plain = spell_plainly(text)
    body = _without_marks(unicodedata.normalize("NFKC", text))
    for form in _LEGAL_INSIDE:
        body = body.replace(form, " ")
    body = re.sub("第?([一二三四五六七八九十0-9]+)(号)?(工場|事業所)", _japanese_unit, body)
    body = _rewrite(spell_plainly(body))
    stripped = _LEGAL_PATTERN.sub(" ", body)
    tokens = (stripped.split() or body.split() or plain.split())[:40]
    words, units = _part(tokens, _NAME_LABELS)
    return Name(plain, tuple(_singular(word) for word in words if word not in _GLUE), units)


@lru_cache(maxsize=1 << 17)
def read_address(text: str) -> Address:
    """Read an address."""
    plain = spell_plainly(text)
    words: list[str] = []
    plots: set[str] = set()
    units: set[str] = set()
    tokens = [token for token in _rewrite(plain).split() if token not in _GLUE][:60]
    for before, token in zip(["", *tokens], tokens, strict=False):
        labelled = before in _SITE_LABELS
        value = _value(token, labelled=labelled) if labelled or _has_digit(token) else ""
        if labelled and value:
            units.add(value)
        elif value and before not in _NUMBERED_AREAS and not _is_postcode(value):
            plots.add(value)
        words.append(value or token)
    return Address(plain, tuple(words), frozenset(plots), frozenset(units))


def _without_marks(text: str) -> str:
    """Take out what cannot be seen, such as the zero-width space between Khmer words."""
    return "".join(c for c in text if unicodedata.category(c) != "Cf")


def _japanese_unit(found: re.Match[str]) -> str:
    number = "".join(str(_KANJI.get(c, c)) for c in found[1])
    return f" {number} {found[3]} "


def _rewrite(text: str) -> str:
    for pattern, word in _PHRASES:
        text = re.sub(pattern, word, text)
    return text


def _part(tokens: list[str], labels: frozenset[str]) -> tuple[list[str], frozenset[str]]:
    """Part the words of a name from the numbers of its units."""
    words: list[str] = []
    units: set[str] = set()
    for place, token in enumerate(tokens):
        labelled = place > 0 and tokens[place - 1] in labels
        value = _value(token, labelled=labelled)
        if value:
            units.add(value)
        else:
            words.append(token)
    if units:
        words = [word for word in words if word not in labels - _TRADE] or words
    return words, frozenset(units)


def _value(token: str, *, labelled: bool) -> str:
    """Read a unit's number: 02, II, B, two (the last two and I, V, X behind a label only)."""
    if _has_digit(token):
        return re.sub(r"(?<![0-9])0+(?=[0-9])", "", token)
    if token in _ROMAN and (labelled or token not in _AMBIGUOUS):
        return str(_ROMAN[token])
    if labelled and token in _SPELT:
        return str(_SPELT[token])
    return token if labelled and len(token) == 1 and token.isascii() else ""


def _has_digit(token: str) -> bool:
    return any(character.isdigit() for character in token)


def _is_postcode(value: str) -> bool:
    return value.isdigit() and len(value) >= 4


def _singular(word: str) -> str:
    if len(word) < 5 or not word.isascii() or not word.endswith("s") or word.endswith("ss"):
        return word
    return word[:-3] + "y" if word.endswith("ies") else word[:-1]
