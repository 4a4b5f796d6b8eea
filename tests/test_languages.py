"""Five languages say the same numbers, with the same strength, and hide none of it."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from babel.messages.pofile import read_po
from click.testing import CliRunner

from evidence.brief import check_text
from evidence.cli import main
from evidence.errors import LanguageError, StudyError
from evidence.exhibits import name_case
from evidence.language import (
    INTERNAL,
    LANGUAGES,
    LOCALES,
    check_prose,
    format_amount,
    format_day,
    format_interval,
    format_number,
    format_period,
    format_plain,
    hash_messages,
    is_reviewed,
    join,
    list_flaws,
    list_unreviewed,
    messages,
    read_glossary,
    strength_of,
)
from evidence.language import catalogue as catalogue_room
from evidence.language import review as review_room
from evidence.language.numbers import numerals_of
from evidence.study import load_study, names_of_case, question_of
from evidence.study.sections import Language
from samples import edit, speak, study_file
from sentences import GOLDEN, sentences, strip_joiners

OTHERS = LANGUAGES[1:]
NUMBER = r"[-+]?\d+(?:{group}\d{{2,3}})*(?:{decimal}\d+)?"


def _public(language: str) -> dict[str, str]:
    return {k: v for k, v in messages(language).items() if not k.startswith(INTERNAL)}


def _placeholders(text: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(text) if field}


def read_numbers(language: str, text: str) -> list[float]:
    """Read the numbers of a text back, by the language's own digits and separators."""
    style = numerals_of(language)
    table = {ord(own): plain for plain, own in zip("0123456789", style.digits, strict=True)}
    plain = strip_joiners(text).translate(table).replace("\N{MINUS SIGN}", "-")
    group, decimal = re.escape(style.group), re.escape(style.decimal)
    found = re.findall(NUMBER.format(group=group, decimal=decimal), plain)
    return sorted(
        float(number.replace(style.group, "").replace(style.decimal, ".")) for number in found
    )


def test_the_languages_of_studies_have_catalogues_and_numbers() -> None:
    assert get_args(Language) == LANGUAGES
    assert {path.stem for path in LOCALES.glob("*.po")} == set(LANGUAGES)
    for language in LANGUAGES:
        assert len(set(numerals_of(language).digits)) == 10


def test_a_language_without_a_policy_of_numbers_is_refused() -> None:
    with pytest.raises(LanguageError, match=r"nothing on 'fr'; expected one of en, ja"):
        format_number("fr", 1)


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        ("en", "\N{MINUS SIGN}12,345,678.26"),
        ("ja", "\N{MINUS SIGN}12,345,678.26"),
        ("vi", "\N{MINUS SIGN}12.345.678,26"),
        ("km", "\N{MINUS SIGN}១២,៣៤៥,៦៧៨.២៦"),
        ("bn", "\N{MINUS SIGN}১,২৩,৪৫,৬৭৮.২৬"),
    ],
)
def test_a_number_has_the_digits_signs_and_groups_of_its_language(
    language: str, shown: str
) -> None:
    assert format_number(language, -12345678.256, decimals=2) == shown
    assert read_numbers(language, shown) == [-12345678.26]


@pytest.mark.parametrize(
    ("language", "day", "year"),
    [
        ("en", "1 June 2018", "2018"),
        ("ja", "2018年6月1日", "2018"),
        ("vi", "1 tháng 6, 2018", "2018"),
        ("km", "១ មិថុនា ២០១៨", "២០១៨"),
        ("bn", "১ জুন, ২০১৮", "২০১৮"),
    ],
)
def test_days_and_years_have_the_digits_of_their_language(
    language: str, day: str, year: str
) -> None:
    assert format_day(language, "2018-06-01") == day
    assert format_plain(language, 2018) == year
    assert strip_joiners(format_period(language, 2018, 2018)) == year
    assert strip_joiners(format_period(language, "2018", 2018)) == year


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_interval_and_no_amount_can_break_over_lines(language: str) -> None:
    for text in (
        format_interval(language, -1234.5, 2.5),
        format_amount(language, -1234.5, "percent"),
        format_amount(language, 1.5, "percentage points"),
        format_amount(language, 1.5, "weeks"),
    ):
        assert " " not in text
        assert "〜" not in text.replace("\u2060〜\u2060", "")


@pytest.mark.parametrize("language", OTHERS)
def test_every_message_is_translated_with_the_same_placeholders(language: str) -> None:
    own, english = messages(language), _public("en")
    assert {name for name in english if not own.get(name)} == set()
    assert {name for name in own if not name.startswith(INTERNAL)} == set(english)
    for name, text in english.items():
        assert _placeholders(own[name]) == _placeholders(text), name


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_message_types_a_number(language: str) -> None:
    for name, text in _public(language).items():
        plain = re.sub(r"\{[a-z_]+\}", "", text).replace("%", "")
        check_prose(language, plain, f"message {name}")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_head_of_a_catalogue_names_its_language(language: str) -> None:
    with (LOCALES / f"{language}.po").open("rb") as file:
        assert str(read_po(file).locale) == language


@pytest.mark.parametrize("language", OTHERS)
def test_every_language_says_the_same_numbers(language: str) -> None:
    english, own = sentences("en"), sentences(language)
    checked = 0
    for name, text in english.items():
        expected = read_numbers("en", text)
        assert read_numbers(language, own[name]) == expected, (name, own[name])
        checked += len(expected)
    assert checked > 200


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_are_as_they_were_read(language: str) -> None:
    golden = json.loads((GOLDEN / f"sentences.{language}.json").read_text("utf-8"))
    assert sentences(language) == golden


@pytest.mark.parametrize("language", OTHERS)
def test_the_terms_of_the_glossary_are_used(language: str) -> None:
    """Passed over: findings of an assessment, which are none of an estimate, and this program."""
    english, own = _public("en"), _public(language)
    terms, used = read_glossary(language), 0
    for key, term in terms.items():
        pattern = re.compile(rf"\b{re.escape(term.en)}s?\b", re.IGNORECASE)
        longer = [t.en for t in terms.values() if term.en in t.en and t.en != term.en]
        for name, text in english.items():
            if key == "finding" and name.startswith("definition."):
                continue
            plain = re.sub(r"\{[a-z_]+\}|(?:by|with) evidence\b", "", text)
            for other in longer:
                plain = re.sub(rf"(?i){re.escape(other)}", "", plain)
            if pattern.search(plain):
                assert term.term.casefold() in own[name].casefold(), (key, name, own[name])
                used += 1
    assert used > 10


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_is_earned_by_its_own_design(language: str) -> None:
    designed = ("instrument", "dynamic", "pooled", "between", "random", "within", "adoption")
    golden = sentences(language)
    for name, text in {**_public(language), **golden}.items():
        parts = name.split(".")
        design = next((part for part in parts if part in designed), "pooled")
        untold = {"unclear", "unproven", "untested", "refused"} & set(parts)
        strength = "nothing" if untold else strength_of(design)
        plain = re.sub(r"\{[a-z_]+\}", " ", text)
        assert list_flaws(language, plain, name, strength) == (), name


CLAIMS = {
    "ja": (
        "労使委員会は違反を減らす。",
        "労働組合のおかげで生産性が上がった。",
        "労使委員会には効果がない。",
        "労働組合は生産性に影響を与える。",
        "労働協約が原因で賃金が上昇した。",
    ),
    "vi": (
        "Ủy ban làm giảm vi phạm.",
        "Nhờ có công đoàn, năng suất tăng lên.",
        "Ủy ban không có tác động.",
        "Công đoàn ảnh hưởng đến năng suất.",
        "Thỏa ước dẫn đến tiền lương cao hơn.",
    ),
    "km": (
        "គណៈកម្មាធិការកាត់បន្ថយការរំលោភ។",
        "ដោយសារសហជីព ផលិតភាពបានកើនឡើង។",
        "គណៈកម្មាធិការគ្មានឥទ្ធិពលទេ។",
        "សហជីពជះឥទ្ធិពលលើផលិតភាព។",
        "កិច្ចព្រមព្រៀងនាំឱ្យប្រាក់ឈ្នួលកើនឡើង។",
    ),
    "bn": (
        "কমিটি লঙ্ঘন কমায়।",
        "ইউনিয়নের কারণে উৎপাদনশীলতা বেড়েছে।",
        "কমিটির কোনো প্রভাব নেই।",
        "ইউনিয়ন উৎপাদনশীলতাকে প্রভাবিত করে।",
        "চুক্তির ফলে মজুরি বেড়েছে।",
    ),
}


@pytest.mark.parametrize(
    ("language", "text"), [(code, text) for code, texts in CLAIMS.items() for text in texts]
)
def test_a_claim_that_no_design_has_earned_is_refused(language: str, text: str) -> None:
    assert list_flaws(language, text, "here", "association")


def test_a_sentence_ends_where_its_language_ends_it() -> None:
    text = "この比較では効果を示すことはできない。労働組合は生産性に影響を与える。"
    assert [flaw.place for flaw in list_flaws("ja", text, "here", "association")]


TYPED = {
    "ja": ("三つの工場", "工場の二割", "１２工場", "半分の工場", "二十の工場"),
    "vi": ("ba nhà máy", "hơn nửa số nhà máy", "tăng gấp đôi"),
    "km": ("រោងចក្រ ១២", "រោងចក្រ 12", "រោងចក្រពីរ"),
    "bn": ("১২ কারখানা", "তিনটি কারখানা", "দ্বিগুণ হয়েছে", "12 কারখানা"),
}


@pytest.mark.parametrize(
    ("language", "text"), [(code, text) for code, texts in TYPED.items() for text in texts]
)
def test_a_typed_number_is_refused_in_every_language(language: str, text: str) -> None:
    with pytest.raises(LanguageError, match="is typed"):
        check_prose(language, text, "here")


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("ja", "一方で、十分な情報がある。一般に、第三者の確認はない。"),
        ("ja", "統一した基準と万一の備え。"),
        ("vi", "Ủy ban là một phần của đối thoại."),
        ("bn", "এক কথায়, এটি একটি তুলনা।"),
    ],
)
def test_a_word_that_only_looks_like_a_number_passes(language: str, text: str) -> None:
    check_prose(language, text, "here")


def test_ideographs_count_where_the_language_does_not_write_them() -> None:
    with pytest.raises(LanguageError, match="'一' is typed"):
        check_prose("en", "一方", "here")


def test_lists_are_joined_as_the_language_does() -> None:
    assert join("en", ["a", "b", "c"], "comma") == "a, b, c"
    assert join("en", ["a", "", "b"], "semicolon") == "a; b"
    assert join("ja", ["甲。", "乙。"], "sentence") == "甲。乙。"
    assert join("ja", [], "comma") == ""


@pytest.fixture
def signed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Copy the Japanese catalogue and let a named person read and sign all of it."""
    text = (LOCALES / "ja.po").read_text("utf-8")
    text = text.replace("# reviewed_by:\n", "# reviewed_by: head of translation\n")
    text = text.replace("# reviewed_on:\n", "# reviewed_on: 2026-11-22\n")
    for key, value in (("By", "head of translation"), ("On", "2026-11-23"),
                       ("Sha256", hash_messages("ja"))):  # fmt: skip
        text = text.replace(f'"X-Signed-{key}: \\n"', f'"X-Signed-{key}: {value}\\n"')
    path = tmp_path / "ja.po"
    path.write_text(text, "utf-8")
    for room in (catalogue_room, review_room):
        monkeypatch.setattr(room, "LOCALES", tmp_path)
    catalogue_room.load_catalogue.cache_clear()
    yield path
    catalogue_room.load_catalogue.cache_clear()


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_catalogue_is_reviewed_or_signed_by_a_machine(language: str) -> None:
    assert not is_reviewed(language)
    told = list_unreviewed(language)
    assert f"{len(_public(language))} messages name no reviewer" in told[0]
    assert "nobody has signed" in told[1]
    assert hash_messages(language) in told[2]


def test_a_catalogue_that_a_person_has_read_and_signed_is_reviewed(signed: Path) -> None:
    assert list_unreviewed(signed.stem) == ()
    assert is_reviewed(signed.stem)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("草案、引用不可", "草案", r"one was changed after signing.* it is [0-9a-f]{64};"),
        ("X-Signed-By: head of translation", "X-Signed-By: ", "nobody has signed for the whole"),
        ("X-Signed-On: 2026-11-23", "X-Signed-On: soon", "nobody has signed for the whole"),
        ("# reviewed_by: head of translation", "# reviewed_by:", "1 messages name no reviewer"),
        ("# reviewed_on: 2026-11-22", "# reviewed_on: yes", "1 messages name no reviewer"),
        ("# reviewed_on: 2026-11-22\n", "# reviewed_on: 2026-11-22\n#, fuzzy\n", "1 messages"),
    ],
)
def test_what_is_changed_after_signing_takes_the_signature_away(
    signed: Path, old: str, new: str, told: str
) -> None:
    edit(signed, old, new)
    catalogue_room.load_catalogue.cache_clear()
    assert not is_reviewed("ja")
    assert re.search(told, "\n".join(list_unreviewed("ja")))


def test_a_broken_catalogue_is_refused_with_its_line(signed: Path) -> None:
    edit(signed, 'msgid "amount.percent"\nmsgstr', 'msgid "amount.percent"\nmsgtext')
    catalogue_room.load_catalogue.cache_clear()
    with pytest.raises(LanguageError, match=r"ja\.po: line \d+: no catalogue of messages"):
        messages("ja")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('label.ja = "廃棄率"\n', "", r"variables 'log_scrap': no label\.ja.*Add label\.ja"),
        ('label.ja = "従業員数（対数）"\n', "", r"variables 'log_employ': no label\.ja"),
        ('noun.ja = ["工場", "工場"]\n', "", r"variables 'plant': no noun\.ja"),
        ('unit = "log points"\nlabel.en = "sales', 'unit = "weeks"\nlabel.en = "sales',
         r"unit: 'weeks', which has no words in 'ja'"),
    ],
)  # fmt: skip
def test_a_study_in_a_language_lacks_no_word_of_it(
    fresh_project: Path, old: str, new: str, told: str
) -> None:
    path = _in_japanese(fresh_project, "plants")
    text = path.read_text("utf-8").replace("log_sales_per_employee", "sales_per_employee")
    path.write_text(text, "utf-8")
    load_study(path)
    with pytest.raises(StudyError, match=rf"plants\.toml: .*{told}"):
        load_study(edit(path, old, new))


def test_a_place_has_a_name_in_every_language_of_a_brief(fresh_project: Path) -> None:
    path = _in_japanese(fresh_project, "value_chains")
    study = load_study(path)
    assert names_of_case(study, "ja", "BGD-garment") == ("バングラデシュ", "縫製")
    assert name_case(study, "ja", "BGD-garment") == "バングラデシュ、縫製"
    edit(fresh_project / "data/sectors/garment.toml", 'name.ja = "縫製"\n', "")
    with pytest.raises(StudyError, match=r"data/sectors/garment\.toml: no name\.ja"):
        load_study(path)


def test_a_question_in_a_language_is_asked_for_in_it(fresh_project: Path) -> None:
    path = _in_japanese(fresh_project, "plants")
    study = load_study(path)
    assert question_of(study, "en").startswith("How do union presence")
    assert question_of(study, "ja") == "問い。"
    none = load_study(edit(path, 'question = "問い。"\n', ""))
    assert question_of(none, "ja") == ""


def test_a_typed_number_in_a_further_language_names_its_key(fresh_project: Path) -> None:
    path = edit(_in_japanese(fresh_project, "plants"), "問い。", "工場の二割か。")
    with pytest.raises(LanguageError, match=r"brief\.text\.ja\.question.*'二割' is typed"):
        check_text(load_study(path))


def _in_japanese(root: Path, slug: str) -> Path:
    """Let a study's brief be in English and Japanese only, with a question in Japanese."""
    path = speak(study_file(root, slug), "en")
    text = path.read_text("utf-8").replace('languages = ["en"]', 'languages = ["en", "ja"]')
    path.write_text(text + '\n[brief.text.ja]\nquestion = "問い。"\n', "utf-8")
    return path


def test_the_command_tells_what_is_missing_to_a_signature() -> None:
    told = CliRunner().invoke(main, ["wording", "km"])
    assert told.exit_code == 0
    assert told.output.startswith("km: not yet reviewed\n")
    assert hash_messages("km") in told.output
    assert CliRunner().invoke(main, ["wording"]).output.count("not yet reviewed") == 5
