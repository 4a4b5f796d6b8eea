"""Countries and groups of countries, found by code, number or English name."""

from __future__ import annotations

import difflib
import functools
import re
import unicodedata

from babel import Locale
from babel.core import get_global


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


def name_territory(language: str, code: str) -> str:
    """Name a country in a language; in English as the United Nations do.

    Parameters
    ----------
    code : str
        ISO 3166 alpha-3. A code that names no country is returned as it is.
    """
    if language == "en" and code in _SPELT and code not in _FORMER_NAMES:
        return _SPELT[code]
    two = get_global("territory_aliases").get(code, [code])[0]
    return str(Locale(language).territories.get(two, code))


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
_FORMER_NAMES = frozenset({"CZE", "MKD", "TUR", "XKX"})
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
