from __future__ import annotations

import csv
import itertools
import re
import string
from pathlib import Path
from typing import get_args

import pytest
from babel import Locale

from evidence.errors import LanguageError
from evidence.findings import Direction
from evidence.language import (
    check_prose,
    fill,
    find_region,
    find_territory,
    finding_fields,
    format_amount,
    format_number,
    messages,
    name_step,
    name_territory,
    say,
    suggest_territory,
    tell_scale,
    word_definition,
    word_finding,
)

WORDS = {
    "outcome": "the scrap rate",
    "exposure": "a union",
    "moderator": "a hotline",
    "noun": "plant",
    "nouns": "plants",
}
ENTRY = {
    "kind": "finding",
    "design": "within",
    "wording": "within",
    "moderator": "",
    "definition": {},
    "direction": "decrease",
    "contrast": "indicator",
    "estimate": -22.3,
    "conf_low": -41.7,
    "conf_high": -3.6,
    "conf_level": 0.95,
    "unit": "percent",
    "nobs": 1620,
    "n_entities": 54,
    "n_clusters": 54,
    "n_periods": 3,
    "first_period": 1987,
    "last_period": 1989,
    "within_share": 0.8,
}
TYPED = [
    "It fell by 0.3 points",
    "It fell by 12 per cent",
    "A share of 12%",
    "a half of the plants",
    "two thirds",
    "It doubled",
    "Twenty-five factories",
    "a dozen",
    "ONE factory in TEN",
    "½ of them",
    "x² grows",
    "Ⅷ plants",
    "১২ কারখানা",
    "រោងចក្រ ១២",
    "工場１２",
    "三つの工場",
    "٣ factories",
    "per‰",
    "tenfold",
    "a third of plants",
    "&#53; plants",
    "stray {{ brace",
    "{{ main.estimate } }",
    "①",
    "twice as many",
    "thousands of workers",
    "twelvefold",
    "sixtyfold",
    "a twentieth part",
    "f\u200bifty factories",
    "fi\u00adfty factories",
    "thr\u0435e regions",
    "twothirds",
    "two_thirds",
    "twentyone",
    "XII zones",
    "a couple of lakh",
    "t w o plants",
    "five\ufe6a",
    "\u066a of all",
    "quintupled",
    "doubly so",
    "fifteenth",
]
CHANGES = ("lowered", "raised", "appears")
ASSOCIATIONS = ("impact", "leads to", "reduces", "increases", "causes", "effect of", "raises")


@pytest.mark.parametrize("text", TYPED)
def test_a_typed_number_is_refused(text: str) -> None:
    with pytest.raises(LanguageError, match=r"plants\.toml: brief.*is typed.*placeholder"):
        check_prose("en", text, "plants.toml: brief")


@pytest.mark.parametrize(
    "text",
    [
        "Where {{ main.n_entities }} plants were seen, {{main.estimate}}.",
        "A union often weighs something; nobody atones. Phone lines, stones, alone, everyone.",
        "Per cent is a unit.",
        "",
    ],
)
def test_prose_without_a_typed_number_passes(text: str) -> None:
    check_prose("en", text, "anywhere")


def test_no_message_of_the_catalogue_types_a_number() -> None:
    found = messages("en")
    assert len(found) > 150
    for name, text in found.items():
        check_prose("en", re.sub(r"\{[a-z_]+\}", "", text), f"message {name}")


def test_every_class_of_finding_has_its_sentence_and_title() -> None:
    wordings = ("pooled", "between", "random", "within", "instrument", "moderated")
    classes = [
        *itertools.product(wordings, get_args(Direction), ("indicator", "unit")),
        ("adoption", "decrease", "indicator"),
        ("adoption", "increase", "indicator"),
    ]
    for (wording, direction, contrast), part in itertools.product(classes, ("sentence", "title")):
        entry = {**ENTRY, "wording": wording, "direction": direction, "contrast": contrast}
        text = word_finding("en", part, entry, WORDS)
        assert text[0].isupper()
        assert "{" not in text


def test_messages_ask_only_for_fields_that_exist() -> None:
    known = {*finding_fields("en", ENTRY), *WORDS, "n_cases", "n_decrease", "n_increase"}
    known |= {"n_unclear", "sizes", "step"}
    for name, text in messages("en").items():
        if name.startswith(("sentence.", "title.")):
            asked = {field for _, field, _, _ in string.Formatter().parse(text) if field}
            assert asked <= known, name


@pytest.mark.parametrize(
    ("best", "worst", "told"),
    [
        (0, 10, "The scale runs from 0 (best) to 10 (worst): lower is better."),
        (7, 1.5, "The scale runs from 1.5 (worst) to 7 (best): higher is better."),
    ],
)
def test_a_score_is_told_with_its_ends_and_which_of_them_is_better(
    best: float, worst: float, told: str
) -> None:
    entry = {**ENTRY, "contrast": "unit", "unit": "score", "estimate": -0.0276}
    entry |= {"conf_low": -0.0491, "conf_high": -0.0061}
    words = {"step": name_step("en", "percent"), "scale": tell_scale("en", best=best, worst=worst)}
    text = word_finding("en", "sentence", entry, {**WORDS, **words}).replace("\u00a0", " ")
    assert "a further percentage point of a union" in text
    assert "0.03 points lower" in text
    assert text.endswith(told)
    assert told not in word_finding("en", "title", entry, {**WORDS, **words})
    assert name_step("en", "years") == "unit"


def test_no_association_is_worded_as_a_cause() -> None:
    for name, text in messages("en").items():
        for verb in (*ASSOCIATIONS, *(() if ".adoption." in name else CHANGES)):
            if name.startswith(("sentence.", "title.")):
                assert verb not in text.lower(), name


def test_a_share_of_questions_is_told_in_questions_of_an_assessment() -> None:
    told = {"definition": {"asked": "250"}, "unit": "percentage points", "estimate": -3.1}
    entry = {**ENTRY, **told, "conf_low": -4.2, "conf_high": -2.0}
    sentence = word_finding("en", "sentence", entry, WORDS)
    assert sentence.endswith("That is about 8 of the 250 questions that count in an assessment.")
    small = word_finding("en", "sentence", {**entry, "estimate": -0.4}, WORDS)
    assert "about 1.0 of the 250 questions" in small
    for other in ({"direction": "unclear"}, {"unit": "percent"}, {"moderator": "size"}):
        assert "questions" not in word_finding("en", "sentence", {**entry, **other}, WORDS)


def test_a_difference_of_differences_says_which_way_it_lies() -> None:
    entry = {**ENTRY, "wording": "moderated", "moderator": "buyer"}
    text = word_finding("en", "sentence", entry, {**WORDS, "moderator": "a foreign buyer"})
    assert "further towards lower values than elsewhere" in text


@pytest.mark.parametrize("name", sorted(n for n in messages("en") if n.endswith(".unit")))
def test_what_has_amounts_takes_any_label(name: str) -> None:
    text = messages("en")[name]
    assert "with more {" not in text
    assert "gains or loses" not in text


def test_an_interval_of_too_few_says_that_we_cannot_tell() -> None:
    text = word_finding("en", "sentence", {**ENTRY, "direction": "unproven"}, WORDS)
    assert text.startswith("We cannot tell whether")
    assert text.endswith("but the data behind it are too thin to judge chance.")


def test_an_interval_across_zero_says_that_we_cannot_tell_and_what_is_ruled_out() -> None:
    entry = {**ENTRY, "direction": "unclear", "conf_high": 15.6}
    text = word_finding("en", "sentence", entry, WORDS)
    assert text.startswith("We cannot tell whether")
    ends = "from \u221241.7\u00a0per\u00a0cent to 15.6\u00a0per\u00a0cent"
    assert f"{ends}, and differences beyond it are unlikely" in text


def test_numbers_have_a_true_minus_groups_and_the_decimals_asked_for() -> None:
    assert format_number("en", -1234.56) == "\u22121,234.6"
    assert format_number("en", 1234, decimals=0) == "1,234"
    assert format_number("en", 0.04) == "0.0"
    assert format_number("en", -0.04) == "0.0"
    assert format_number("en", 2, signed=True) == "+2.0"


def test_percent_is_never_confused_with_percentage_points() -> None:
    assert format_amount("en", 3.1, "percent").replace("\u00a0", " ") == "3.1 per cent"
    points = format_amount("en", 3.1, "percentage points").replace("\u00a0", " ")
    assert points == "3.1 percentage points"
    assert format_amount("en", 3.1, "weeks").replace("\u00a0", " ") == "3.1 weeks"


def test_small_estimates_keep_a_digit_that_is_not_zero() -> None:
    small = {**ENTRY, "estimate": 0.00004, "conf_low": 0.00002, "conf_high": 0.00006}
    fields = finding_fields("en", small)
    assert fields["estimate"] == "0.00004\u00a0per\u00a0cent"
    assert fields["interval"] == "0.00002\u00a0to\u00a00.00006"


def test_an_interval_never_collapses_nor_ends_in_a_false_zero() -> None:
    tight = {**ENTRY, "estimate": 0.07, "conf_low": 0.06, "conf_high": 0.09}
    assert finding_fields("en", tight)["interval"] == "0.06\u00a0to\u00a00.09"
    near = {**ENTRY, "estimate": -1.5, "conf_low": -2.97, "conf_high": -0.03}
    assert finding_fields("en", near)["interval"] == "\u22122.97\u00a0to\u00a0\u22120.03"


def test_placeholders_are_filled_from_findings_and_unknown_ones_fail() -> None:
    fields = {"main": finding_fields("en", ENTRY)}
    text = fill("{{ main.n_entities }} plants, {{main.estimate}}", fields, "here")
    assert text == "54 plants, \u221222.3\u00a0per\u00a0cent"
    with pytest.raises(LanguageError, match=r"here: \{\{ main\.size_of \}\}.*estimate"):
        fill("{{ main.size_of }}", fields, "here")
    with pytest.raises(LanguageError, match=r"expected one of main"):
        fill("{{ other.estimate }}", fields, "here")


def test_a_missing_message_or_catalogue_never_falls_back() -> None:
    with pytest.raises(LanguageError, match=r"no message 'nothing\.here'"):
        say("en", "nothing.here")
    with pytest.raises(LanguageError, match="no catalogue; expected one of bn, en"):
        say("xx", "interval")
    with pytest.raises(LanguageError, match="placeholder 'high'"):
        say("en", "interval", low="a")


SHARED = Path(__file__).parents[2] / "shared" / "data"
AREAS = ("ref_area", "iso3c", "country", "geo_area", "country_raw")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("BD", "BGD"),
        ("bgd", "BGD"),
        ("50", "BGD"),
        ("050", "BGD"),
        ("4", "AFG"),
        ("bangladesh", "BGD"),
        ("Viet Nam", "VNM"),
        ("Vietnam", "VNM"),
        ("Kingdom of Cambodia", "KHM"),
        ("Korea, Rep.", "KOR"),
        ("Republic of Korea", "KOR"),
        ("Cote d'Ivoire", "CIV"),
        ("Côte d\u2019Ivoire", "CIV"),
        ("The Gambia", "GMB"),
        ("Bahamas, The", "BHS"),
        ("Trinidad and Tobago", "TTO"),
        ("Saint Lucia", "LCA"),
        ("Congo, Dem. Rep.", "COD"),
        ("Guinea", "GIN"),
        ("Niger", "NER"),
        ("NA", "NAM"),
        ("UK", "GBR"),
        ("XKX", "XKX"),
        ("XK", "XKX"),
        ("Kosovo", "XKX"),
        ("ROU", "ROU"),
        ("Korea", ""),
        ("BUR", ""),
        ("DD", ""),
        ("280", ""),
        ("World", ""),
        ("ZZ", ""),
        ("", ""),
    ],
)
def test_a_country_is_found_by_code_number_or_english_name(text: str, code: str) -> None:
    assert find_territory(text) == code


def test_every_country_of_iso_has_one_code_by_which_all_its_names_lead_to_it() -> None:
    names = {str(code): str(name) for code, name in Locale("en").territories.items()}
    found = {two: find_territory(two) for two in names if len(two) == 2}
    codes = {two: three for two, three in found.items() if three}
    assert len(codes) == len(set(codes.values())) == 250
    for two, three in codes.items():
        assert find_territory(three.lower()) == find_territory(names[two]) == three
        assert not find_region(three)


def test_groups_and_parts_of_countries_are_told_from_countries() -> None:
    assert find_region("1") == find_region("001") == find_region("World") == "world"
    assert find_region("X01") == "ILO group X01"
    assert find_region("chi") == find_region("830") == "Channel Islands"
    assert find_region("WLD") == "World Bank group"
    assert find_region("DDR") == "German Democratic Republic"
    assert not any(map(find_region, ("BGD", "X1", "QQQ", "", "999")))


def test_the_nearest_country_is_suggested() -> None:
    assert suggest_territory("Bangladehs") == "bangladesh (BGD)"
    assert not suggest_territory("%%%")


@pytest.mark.external
@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared is not there")
def test_every_area_of_the_shared_data_is_a_country_or_a_known_group() -> None:
    unknown = set()
    for path in SHARED.glob("*/*.csv"):
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            areas = [name for name in AREAS if name in (reader.fieldnames or ())]
            texts = {str(row[name]) for row in reader for name in areas}
        unknown |= {t for t in texts if not find_territory(t) and not find_region(t)}
    assert unknown == set()


def test_an_outcome_is_told_by_what_it_counts_against_which_law_on_which_items() -> None:
    words = {"outcome": "the non-compliance rate", "noun": "factory"}
    told = {"counted": "questions", "part": "", "law": "day", "items": "all", "day": ""}
    assert word_definition("en", told, words) == (
        "The non-compliance rate counts the share of a factory's questions that have a finding, "
        "by the law of the day, on all questions."
    )
    told_by = {"items": "common", "day": "2018-06-01"}
    fixed = told | {"counted": "on_point", "part": "paid_leave", "law": "fixed"}
    assert word_definition("en", fixed | told_by, words | {"part": "paid leave"}) == (
        "The non-compliance rate counts whether a factory has a finding on paid leave, by the law "
        "in force on 1 June 2018 throughout, on the questions asked in every version and mode."
    )


def test_countries_are_named_in_every_language() -> None:
    assert [name_territory("en", code) for code in ("VNM", "KHM", "TUR")] == [
        "Viet Nam", "Cambodia", "Türkiye",
    ]  # fmt: skip
    assert [name_territory(code, "VNM") for code in ("ja", "vi", "km", "bn")] == [
        "ベトナム", "Việt Nam", "វៀតណាម", "ভিয়েতনাম",
    ]  # fmt: skip
    assert name_territory("en", "QQQ") == "QQQ"
