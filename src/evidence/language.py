"""Words: messages, numbers and the linter of prose, one language at a time.

Logic stays here, words lie in ``locales/<language>.po`` (a message a class of
finding). Nothing here knows a study: callers pass labels and numbers.
"""

from __future__ import annotations

import difflib
import functools
import math
import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from babel import Locale
from babel.core import get_global
from babel.dates import format_date
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

from evidence.errors import LanguageError

LOCALES = Path(__file__).parent / "locales"

_MOST_DECIMALS = 6
_WHOLE = 3
_DATED = {"en": "en_001"}
"""Locale of dates where it is not the language's own: the ILO writes 1 June 2018."""
_PLACEHOLDER = re.compile(r"\{\{\s*([a-z][a-z0-9_]*)\.([a-z_]+)\s*\}\}")
_UNITS = "one|two|three|four|five|six|seven|eight|nine"
_TEENS = "ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen"
_TENS = "(?:twen|thir|for|fif|six|seven|eigh|nine)ty"
_LARGE = "hundred|thousand|lakh|crore|dozen|(?:[mbtr]|quadr)illion"
_PARTS = "third|quarter|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|teenth"
_COUNT = f"(?:{_UNITS}|{_TEENS}|{_TENS}|{_LARGE})"
_NUMBER_WORDS = re.compile(
    rf"\b(?:(?:{_COUNT})(?:[- ]?(?:{_COUNT}|{_PARTS}))*(?:s|th|ths|fold|some)?|"
    rf"(?:{_PARTS})s?|(?:twen|thir|for|fif|six|seven|eigh|nine)tieths?|"
    r"zero|nil|half|halves|halved?|halving|halfway|once|twice|thrice|manyfold|threescore|"
    r"couples?|pairs?|(?:doub|trip|treb|quadrup|quintup|sextup|septup|octup)"
    r"l(?:e[ds]?|ing|y))\b",
    re.IGNORECASE,
)
_ROMAN = re.compile(
    r"\b(?=[IVXLCDM]{2,}\b)M*(?:C[MD]|D?C{0,3})(?:X[CL]|L?X{0,3})(?:I[XV]|V?I{0,3})\b"
)
_SPACED = re.compile(r"\b(?:\w ){2,}\w\b")
_SIGNS = "%‰‱٪⁒"


def say(language: str, message: str, **values: str) -> str:
    """Say a message of the catalogue with its values filled in.

    Raises
    ------
    LanguageError
        Where the catalogue lacks the message, or a value is missing.
    """
    found = _catalogue(language).get(message)
    if found is None or not found.string:
        raise LanguageError(
            f"locales/{language}.po",
            seen=f"no message '{message}'",
            expected="one for every class of finding",
            do="Translate the message; nothing falls back to another language.",
        )
    try:
        return str(found.string).format_map(values)
    except KeyError as error:
        raise LanguageError(
            f"locales/{language}.po: message '{message}'",
            seen=f"placeholder {error}",
            expected=f"one of {', '.join(sorted(values))}",
            do="Mend the message.",
        ) from error


def format_number(language: str, value: float, *, decimals: int = 1, signed: bool = False) -> str:
    """Format a number with the language's digits, groups and a true minus sign."""
    pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
    text: str = format_decimal(abs(round(value, decimals)), format=pattern, locale=language)
    if round(value, decimals) < 0:
        return "\N{MINUS SIGN}" + text
    return "+" + text if signed and round(value, decimals) > 0 else text


def format_amount(language: str, value: float, unit: str, *, decimals: int = 1) -> str:
    """Format a number with its unit, never breaking between the two."""
    number = format_number(language, value, decimals=decimals)
    return say(language, f"amount.{_unit_key(unit)}", number=number, unit=unit).replace(
        " ", "\N{NO-BREAK SPACE}"
    )


def format_interval(language: str, low: float, high: float, *, decimals: int = 1) -> str:
    """Format an interval as its two ends, kept on one line."""
    ends = [format_number(language, end, decimals=decimals) for end in (low, high)]
    return say(language, "interval", low=ends[0], high=ends[1]).replace(" ", "\N{NO-BREAK SPACE}")


def name_unit(language: str, unit: str) -> str:
    """Name a unit without a number, for axes and column heads."""
    return say(language, f"unit.{_unit_key(unit)}", unit=unit)


def word_finding(
    language: str, part: str, entry: Mapping[str, Any], words: Mapping[str, str]
) -> str:
    """Word a finding or a comparison of findings.

    Parameters
    ----------
    part : {"sentence", "title"}
        The message family.
    entry : mapping
        An entry of ``findings.json``.
    words : mapping
        ``outcome, exposure, noun, nouns`` in the language.
    """
    values = {**words, **finding_fields(language, entry)}
    if entry["kind"] == "comparison":
        message = f"{part}.comparison.{entry['wording']}.{entry['direction']}"
        return capitalise(say(language, message, **values))
    message = f"{part}.{entry['wording']}.{entry['direction']}.{entry['contrast']}"
    told = capitalise(say(language, message, **values))
    items = _word_items(language, entry, words) if part == "sentence" else ""
    return f"{told} {items}".rstrip()


def _word_items(language: str, entry: Mapping[str, Any], words: Mapping[str, str]) -> str:
    """Say a difference of a share of questions in questions of an assessment."""
    asked = entry["definition"].get("asked", "")
    told = entry["direction"] in {"decrease", "increase"} and not entry["moderator"]
    if not asked or not told or entry["unit"] != "percentage points":
        return ""
    count = abs(entry["estimate"]) / 100 * float(asked)
    decimals = 0 if count >= _WHOLE else 1
    number = format_number(language, count, decimals=decimals)
    whole = format_number(language, float(asked), decimals=0)
    return say(language, "natural.questions", number=number, asked=whole, **words)


def word_definition(language: str, definition: Mapping[str, str], words: Mapping[str, str]) -> str:
    """Word how a compliance outcome is counted.

    Parameters
    ----------
    definition : mapping
        ``counted, part, law, items, day``, as in ``findings.json``.
    words : mapping
        ``outcome`` and ``noun`` in the language.
    """
    part = definition["part"].replace("_", " ")
    counted = say(language, f"definition.{definition['counted']}", part=part, **words)
    law = "fixed_on" if definition["day"] else definition["law"]
    return say(
        language,
        "definition",
        outcome=capitalise(words["outcome"]),
        counted=counted,
        law=say(language, f"definition.law.{law}", day=format_day(language, definition["day"])),
        items=say(language, f"definition.items.{definition['items']}"),
    )


def format_day(language: str, day: str) -> str:
    """Format a day (ISO 8601) as the language writes dates in full; empty stays empty."""
    if not day:
        return ""
    return format_date(date.fromisoformat(day), "long", locale=_DATED.get(language, language))


def finding_fields(language: str, entry: Mapping[str, Any]) -> dict[str, str]:
    """Format every number of a finding: what a placeholder may ask for."""
    fields = {
        "conf_level": format_number(language, 100 * entry["conf_level"], decimals=0),
        "first_period": str(entry["first_period"]),
        "last_period": str(entry["last_period"]),
    }
    for name in ("nobs", "n_entities", "n_clusters", "n_periods", "n_cases", "n_decrease",
                 "n_increase", "n_unclear"):  # fmt: skip
        if entry.get(name) is not None:
            fields[name] = format_number(language, entry[name], decimals=0)
    if entry.get("within_share") is not None:
        fields["within_share"] = format_number(language, entry["within_share"], decimals=2)
    if entry.get("estimate") is not None:
        unit, decimals = entry["unit"], shown_decimals(entry)
        fields["estimate"] = format_amount(language, entry["estimate"], unit, decimals=decimals)
        fields["size"] = format_amount(language, abs(entry["estimate"]), unit, decimals=decimals)
    if entry.get("least") is not None:
        fields["sizes"] = _format_sizes(language, entry)
    if entry.get("conf_low") is not None:
        low, high = entry["conf_low"], entry["conf_high"]
        fields["interval"] = format_interval(language, low, high, decimals=decimals)
        fields["conf_low"] = format_amount(language, low, unit, decimals=decimals)
        fields["conf_high"] = format_amount(language, high, unit, decimals=decimals)
    return fields


def shown_decimals(entry: Mapping[str, Any]) -> int:
    """Choose decimals: one digit of half the interval, and no end rounded to nothing."""
    low, high = entry.get("conf_low"), entry.get("conf_high")
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        estimate = entry.get("estimate")
        return _decimals_of(abs(estimate)) if estimate else 1
    decimals = _decimals_of((high - low) / 2)
    ends = [abs(end) for end in (low, high) if end]
    return max([decimals, *(min(_decimals_of(end), decimals + 2) for end in ends)])


def _decimals_of(size: float) -> int:
    """Count the decimals that show the first digit of a size, at least one."""
    if not math.isfinite(size) or size <= 0:
        return 1
    return min(_MOST_DECIMALS, max(1, -math.floor(math.log10(size) + math.log10(2))))


def capitalise(text: str) -> str:
    """Make the first letter a capital, leaving the rest."""
    return text[:1].upper() + text[1:]


FIELDS = (
    "estimate", "size", "sizes", "interval", "conf_low", "conf_high", "conf_level", "nobs",
    "n_entities", "n_clusters", "n_periods", "n_cases", "n_decrease", "n_increase",
    "n_unclear", "first_period", "last_period", "within_share",
)  # fmt: skip
"""What a placeholder may ask of a claim; a claim may lack some of them."""


def fill(text: str, fields: Mapping[str, Mapping[str, str]], where: str) -> str:
    """Fill ``{{ claim.field }}`` placeholders of the author's prose.

    Raises
    ------
    LanguageError
        Where no finding has that claim or field.
    """

    def value(match: re.Match[str]) -> str:
        claim, field = match.groups()
        known = fields.get(claim)
        if known is None or field not in known:
            options = list(known) if known is not None else list(fields)
            raise LanguageError(
                where,
                seen="{{ " + f"{claim}.{field}" + " }}",
                expected=f"one of {', '.join(sorted(options))}",
                do="Name a claim of the study and one of its fields.",
            )
        return known[field]

    return _PLACEHOLDER.sub(value, text)


def check_prose(text: str, where: str, *, placeholders: bool = True) -> None:
    """Check that prose types no number: every number comes from a placeholder.

    Digits and numerals of every script, fractions, per cent signs, English number words
    (joined, hyphenated, spaced or with invisible characters), Roman numerals and words of
    mixed scripts are refused; so are braces that are no placeholder, and every placeholder
    where ``placeholders`` is false.

    Raises
    ------
    LanguageError
        Naming the place and the number.
    """
    bare = _PLACEHOLDER.sub(" ", text) if placeholders else text
    seen = _typed_number(bare)
    if seen is not None:
        raise LanguageError(
            where,
            seen=f"'{_around(bare, seen)}', where '{seen}' is typed",
            expected="numbers as {{ claim.field }} only, such as {{ main.estimate }}"
            if placeholders
            else "words only: this text is used as it stands",
            do="Replace the number with a placeholder, or say it without one."
            if placeholders
            else "Say it without a number and without braces.",
        )


def _typed_number(text: str) -> str | None:
    """Find what a reader would take for a number, however it is spelt."""
    for character in text:
        numeric = unicodedata.numeric(character, None) is not None
        if numeric or character in _SIGNS or unicodedata.category(character)[0] == "N":
            return character
    plain = unicodedata.normalize("NFKC", text)
    plain = "".join(c for c in plain if unicodedata.category(c) != "Cf").replace("_", " ")
    if "%" in plain:
        return "%"
    joined = _SPACED.sub(lambda match: match.group().replace(" ", ""), plain)
    for candidate in (plain, joined):
        for pattern in (_NUMBER_WORDS, _ROMAN):
            match = pattern.search(candidate)
            if match is not None:
                return match.group()
    mixed = next((word for word in plain.split() if _mixes_scripts(word)), None)
    return mixed or ("{" if "{" in plain or "}" in plain else None)


def _mixes_scripts(word: str) -> bool:
    """Tell a Latin word with look-alike letters of Cyrillic or Greek in it."""
    scripts = {unicodedata.name(c, "").split(" ")[0] for c in word if c.isalpha()}
    return "LATIN" in scripts and bool({"CYRILLIC", "GREEK"} & scripts)


def _around(text: str, word: str) -> str:
    place = unicodedata.normalize("NFKC", text).find(word)
    start = max(0, place - 25)
    return " ".join(text[start : place + 25].split())


def _format_sizes(language: str, entry: Mapping[str, Any]) -> str:
    decimals = _decimals_of(entry["least"])
    least, most = (
        format_number(language, entry[end], decimals=decimals) for end in ("least", "most")
    )
    if least == most:
        return format_amount(language, entry["least"], entry["unit"], decimals=decimals)
    number = say(language, "interval", low=least, high=most)
    amount = say(language, f"amount.{_unit_key(entry['unit'])}", number=number, unit=entry["unit"])
    return amount.replace(" ", "\N{NO-BREAK SPACE}")


def _unit_key(unit: str) -> str:
    return unit.replace(" ", "_") if unit in {"percent", "percentage points"} else "other"


@functools.cache
def _catalogue(language: str) -> Catalog:
    path = LOCALES / f"{language}.po"
    if not path.is_file():
        raise LanguageError(
            f"locales/{path.name}",
            seen="no catalogue",
            expected=f"one of {', '.join(sorted(p.stem for p in LOCALES.glob('*.po')))}",
            do="Translate locales/en.po, or choose another language.",
        )
    with path.open("rb") as file:
        return read_po(file, locale=language)


def messages(language: str) -> dict[str, str]:
    """List the catalogue: message → text."""
    return {str(m.id): str(m.string) for m in _catalogue(language) if m.id}


def find_territory(text: str) -> str:
    """Find the ISO 3166 alpha-3 code of a country; empty if the text names none.

    Taken are alpha-2 and alpha-3 codes in any case, M49 numbers with or without leading
    zeros, and English names: those of CLDR and those that UN, ILO and World Bank write.
    Codes that ISO has withdrawn name no country.
    """
    folded = _fold_name(text)
    return _territories().get(folded.zfill(3) if folded.isdigit() else folded, "")


def find_region(text: str) -> str:
    """Find the name of what a code stands for that is no country today; else empty.

    Taken are M49 macro regions, ILOSTAT's ``X01`` to ``X99``, the groups of the World
    Bank, parts of countries that V-Dem tells apart, and states that are no more.
    """
    folded = _fold_name(text)
    if _ILO_GROUP.fullmatch(folded):
        return f"ILO group {folded.upper()}"
    return _regions().get(folded.zfill(3) if folded.isdigit() else folded, "")


def suggest_territory(text: str) -> str:
    """Suggest the known code or name that is nearest to a text; empty if none is near."""
    near = difflib.get_close_matches(_fold_name(text), list(_territories()), 1)
    return f"{near[0]} ({_territories()[near[0]]})" if near else ""


_ILO_GROUP = re.compile(r"x\d\d")
# Groups, codes for testing, and places that ISO reserves a code for but lists as no country.
_NO_COUNTRY = frozenset({"EU", "EZ", "QO", "UN", "XA", "XB", "XK", "ZZ", "AC", "CP", "DG", "TA"})
# Withdrawn codes that CLDR still maps: to use them for the successor would move borders.
_WITHDRAWN = frozenset({"BUR", "DDR", "FXX", "TMP", "YMD", "ZAR"})
_WITHDRAWN_NUMBERS = frozenset({"230", "249", "278", "280", "720", "736", "886"})
_SPELT = {
    # United Nations M49, as UNSD and ILOSTAT print it.
    "BOL": "Bolivia (Plurinational State of)", "BRN": "Brunei Darussalam", "CPV": "Cabo Verde",
    "COG": "Congo", "COD": "Democratic Republic of the Congo", "SWZ": "Swaziland",
    "FLK": "Falkland Islands (Malvinas)", "FSM": "Micronesia (Federated States of)",
    "HKG": "China, Hong Kong Special Administrative Region", "IRN": "Iran (Islamic Republic of)",
    "KOR": "Republic of Korea", "PRK": "Democratic People's Republic of Korea",
    "LAO": "Lao People's Democratic Republic", "MAC": "China, Macao Special Administrative Region",
    "MDA": "Republic of Moldova", "MMR": "Myanmar", "PSE": "State of Palestine",
    "RUS": "Russian Federation", "SYR": "Syrian Arab Republic", "TZA": "United Republic of Tanzania",
    "GBR": "United Kingdom of Great Britain and Northern Ireland", "VAT": "Holy See",
    "USA": "United States of America", "VEN": "Venezuela (Bolivarian Republic of)",
    "VIR": "United States Virgin Islands", "VNM": "Viet Nam", "WLF": "Wallis and Futuna Islands",
    "MKD": "Macedonia", "TUR": "Turkey", "CZE": "Czech Republic", "NLD": "Netherlands (Kingdom of the)",
}  # fmt: skip
_SPELT_OTHERWISE = (
    # World Bank, World Development Indicators.
    ("COD", "Congo, Dem. Rep."), ("COG", "Congo, Rep."), ("EGY", "Egypt, Arab Rep."),
    ("FSM", "Micronesia, Fed. Sts."), ("HKG", "Hong Kong SAR, China"), ("IRN", "Iran, Islamic Rep."),
    ("KGZ", "Kyrgyz Republic"), ("KOR", "Korea, Rep."), ("LAO", "Lao PDR"),
    ("MAC", "Macao SAR, China"), ("MAF", "St. Martin (French part)"), ("PRK", "Korea, Dem. People's Rep."),
    ("PSE", "West Bank and Gaza"), ("SVK", "Slovak Republic"), ("SXM", "Sint Maarten (Dutch part)"),
    ("VEN", "Venezuela, RB"), ("VIR", "Virgin Islands (U.S.)"), ("YEM", "Yemen, Rep."),
    # ISO 3166 and the OECD/AIAS database of institutions (ICTWSS).
    ("KOR", "Korea, Republic of"), ("HKG", "Hong Kong, China"), ("TWN", "Taiwan, China"),
    ("KOR", "Korea (Republic of)"), ("PRK", "Korea, Democratic People's Republic of"),
    ("KHM", "Kingdom of Cambodia"), ("BGD", "People's Republic of Bangladesh"),
    ("VNM", "Socialist Republic of Viet Nam"), ("VNM", "Socialist Republic of Vietnam"),
    # In daily use, where CLDR gives the longer or the other name.
    ("COD", "DR Congo"), ("COD", "Congo, Democratic Republic of the"), ("COG", "Congo Republic"),
    ("COG", "Republic of the Congo"), ("HKG", "Hong Kong"), ("MAC", "Macao"), ("MAC", "Macau"),
    ("MMR", "Burma"), ("PSE", "Palestine"), ("GBR", "Great Britain"), ("CIV", "Ivory Coast"),
    ("TLS", "East Timor"), ("MKD", "The former Yugoslav Republic of Macedonia"), ("XKX", "XKX"),
)  # fmt: skip
_SPELT_REGIONS = {
    # M49 and SDG groups that CLDR lacks, with UNSD's names; two of them with their codes elsewhere.
    "062": "Central and Southern Asia", "127": "Latin America", "135": "Northern America",
    "199": "Least Developed Countries", "432": "Landlocked Developing Countries",
    "485": "Land Locked Developing Countries", "513": "Europe and Northern America",
    "514": "Developed regions", "515": "Developing regions",
    "543": "Oceania (excluding Australia and New Zealand)",
    "722": "Small Island Developing States", "747": "Western Asia and Northern Africa",
    "753": "Eastern and South-Eastern Asia", "830": "Channel Islands", "CHA": "Channel Islands",
    "CHI": "Channel Islands", "EU": "European Union", "EZ": "Euro area",
    # Parts of countries that V-Dem tells apart, and states that are no more.
    "PSG": "Gaza", "SML": "Somaliland", "ZZB": "Zanzibar", "DDR": "German Democratic Republic",
    "YMD": "Democratic Yemen", "SUN": "Soviet Union", "YUG": "Yugoslavia",
    "SCG": "Serbia and Montenegro", "CSK": "Czechoslovakia", "ANT": "Netherlands Antilles",
}  # fmt: skip
_WORLD_BANK_GROUPS = (
    "AFE AFW ARB CEB CSS EAP EAR EAS ECA ECS EMU EUU FCS HIC HPC IBD IBT IDA IDB IDX INX LAC LCN "
    "LDC LIC LMC LMY LTE MEA MIC MNA NAC OED OSS PRE PSS PST SAS SSA SSF SST TEA TEC TLA TMN TSA "
    "TSS UMC WLD"
)


@functools.cache
def _territories() -> dict[str, str]:
    """Map folded codes, numbers and names to alpha-3 codes."""
    aliases = {k: v[0] for k, v in get_global("territory_aliases").items() if len(v) == 1}
    names = Locale("en").territories
    alpha3 = {two: three for three, two in aliases.items() if len(three) == 3 and three.isalpha()
              and two in names and two not in _NO_COUNTRY and three not in _WITHDRAWN}  # fmt: skip
    alpha3["XK"] = "XKX"
    found = {_fold_name(names[two]): three for two, three in alpha3.items()}
    found |= {_fold_name(name): three for three, name in (*_SPELT.items(), *_SPELT_OTHERWISE)}
    found |= {n: alpha3[two] for n, two in aliases.items() if n.isdigit() and two in alpha3
              and n not in _WITHDRAWN_NUMBERS}  # fmt: skip
    found |= {code.lower(): three for two, three in alpha3.items() for code in (two, three)}
    return found | {"uk": "GBR", "xkk": "XKX"}


@functools.cache
def _regions() -> dict[str, str]:
    """Map folded codes and names of groups of countries to their names."""
    groups = {k: str(v) for k, v in Locale("en").territories.items() if k.isdigit()}
    groups |= _SPELT_REGIONS | dict.fromkeys(_WORLD_BANK_GROUPS.split(), "World Bank group")
    names = {_fold_name(name): name for name in groups.values()}
    return names | {code.lower(): name for code, name in groups.items()}


def _fold_name(text: str) -> str:
    """Bring a name to lower case without accents, marks and articles."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    plain = plain.casefold().replace("&", " and ").replace("\u2019", "'").replace("'", "")
    words = re.sub(r"[^\w]+", " ", plain).split()
    return " ".join("st" if word == "saint" else word for word in words if word != "the")
