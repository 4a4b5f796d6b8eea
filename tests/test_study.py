"""A study file is loaded whole, or refused by file, key, what was seen and what to do."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import NamedTuple

import pytest

from evidence.errors import StudyError
from evidence.study import find_root, load_study, select_case
from samples import ROOT, STUDIES, edit, make_project, speak, study_file

CASES = 'country = ["BGD", "KHM", "JPN", "VNM"]\nsector = ["garment", "electronics", "automotive"]'
HELD = (
    "BGD-garment",
    "KHM-garment",
    "JPN-garment",
    "JPN-electronics",
    "JPN-automotive",
    "VNM-garment",
    "VNM-electronics",
)
LACKING = (
    "BGD-electronics",
    "BGD-automotive",
    "KHM-electronics",
    "KHM-automotive",
    "VNM-automotive",
)


class Broken(NamedTuple):
    """One edit of a shipped study file and what the refusal has to say."""

    study: str
    old: str
    new: str
    key: str
    seen: str
    do: str


UNKNOWN = "an unknown key"
BROKEN = {
    "score without its ends": Broken(
        "countries",
        "scale = { best = 0, worst = 10 }",
        "",
        "variables[3].scale",
        "no scale of an outcome in 'score'",
        "a reader cannot tell whether a rise is good",
    ),
    "score whose ends are the same": Broken(
        "countries",
        "best = 0",
        "best = 10",
        "variables[3].scale",
        "a best score that is the worst one",
        "Say which end is which",
    ),
    "scale of something else": Broken(
        "countries",
        'unit = "percent"',
        'unit = "percent"\nscale = { best = 0, worst = 10 }',
        "variables[4].scale",
        "a scale of an exposure in 'percent'",
        "Say which end is which",
    ),
    "unknown key at the top": Broken(
        "plants",
        "schema_version = 1",
        'schema_version = 1\nclaim = "x"',
        "claim",
        UNKNOWN,
        "did you mean 'claims'?",
    ),
    "unknown key in study": Broken(
        "plants",
        'slug = "plants"',
        'slug = "plants"\nquestions = "x"',
        "study.questions",
        UNKNOWN,
        "did you mean 'question'?",
    ),
    "unknown key in data": Broken(
        "plants",
        "[data]",
        '[data]\nsource = "jobtraining"',
        "data.source",
        UNKNOWN,
        "did you mean 'sources'?",
    ),
    "unknown key in variables": Broken(
        "plants",
        'noun.en = ["plant", "plants"]',
        'nuon.en = ["plant", "plants"]',
        "variables[1].nuon",
        UNKNOWN,
        "did you mean 'noun'?",
    ),
    "unknown key in specifications": Broken(
        "plants",
        'controls = ["d88", "d89"]',
        'control = ["d88", "d89"]',
        "specifications[1].control",
        UNKNOWN,
        "did you mean 'controls'?",
    ),
    "unknown key in claims": Broken(
        "plants",
        'sdg = ["8.2"]',
        'sdgs = ["8.2"]',
        "claims[1].sdgs",
        UNKNOWN,
        "did you mean 'sdg'?",
    ),
    "unknown key in disclosure": Broken(
        "plants",
        "threshold = 10",
        "treshold = 10",
        "disclosure.treshold",
        UNKNOWN,
        "did you mean 'threshold'?",
    ),
    "unknown key in brief": Broken(
        "plants",
        'languages = ["en"',
        'language = ["en"',
        "brief.language",
        UNKNOWN,
        "did you mean 'languages'?",
    ),
    "unknown key in the prose of a language": Broken(
        "plants",
        "background =",
        "backgruond =",
        "brief.text.en.backgruond",
        UNKNOWN,
        "did you mean 'background'?",
    ),
    "unknown key in cases": Broken(
        "value_chains",
        "country =",
        "contry =",
        "cases.contry",
        UNKNOWN,
        "did you mean 'country'?",
    ),
    "missing question": Broken(
        "plants", "question = ", "# question = ", "study.question", "nothing", "Add it"
    ),
    "missing section": Broken(
        "plants",
        '[data]\nsources = ["jobtraining"]',
        "",
        "data",
        "nothing",
        "Add it",
    ),
    "missing unit of the second variable": Broken(
        "plants",
        'level = "factory"\nunit = "year"',
        'level = "factory"',
        "variables[2].unit",
        "nothing",
        "Add it",
    ),
    "number for text": Broken(
        "plants",
        'title = "Unions, training and scrap in manufacturing plants"',
        "title = 5",
        "study.title",
        "5; expected a valid string",
        "Change the value.",
    ),
    "bool for text": Broken(
        "plants",
        'title = "Unions, training and scrap in manufacturing plants"',
        "title = true",
        "study.title",
        "True; expected a valid string",
        "Change the value.",
    ),
    "text for a whole number": Broken(
        "plants",
        "threshold = 10",
        'threshold = "10"',
        "disclosure.threshold",
        "'10'; expected a valid integer",
        "Change the value.",
    ),
    "bool for a whole number": Broken(
        "plants",
        "threshold = 10",
        "threshold = true",
        "disclosure.threshold",
        "True; expected a valid integer",
        "Change the value.",
    ),
    "fraction for a whole number": Broken(
        "plants",
        "threshold = 10",
        "threshold = 10.5",
        "disclosure.threshold",
        "10.5",
        "Change the value.",
    ),
    "threshold below three": Broken(
        "plants",
        "threshold = 10",
        "threshold = 2",
        "disclosure.threshold",
        "2; expected greater than or equal to 3",
        "Change the value.",
    ),
    "text for a list": Broken(
        "plants",
        'sources = ["jobtraining"]',
        'sources = "jobtraining"',
        "data.sources",
        "'jobtraining'",
        "Change the value.",
    ),
    "empty list": Broken(
        "plants",
        'sources = ["jobtraining"]',
        "sources = []",
        "data.sources",
        "[]; expected",
        "Change the value.",
    ),
    "empty text": Broken(
        "plants",
        'unit = "year"',
        'unit = ""',
        "variables[2].unit",
        "''",
        "Change the value.",
    ),
    "slug with a capital": Broken(
        "plants",
        'slug = "plants"',
        'slug = "Plants"',
        "study.slug",
        "'Plants'; expected text of the form",
        "Change the value.",
    ),
    "unknown schema version": Broken(
        "plants",
        "schema_version = 1",
        "schema_version = 2",
        "schema_version",
        "2; expected 1",
        "Change the value.",
    ),
    "unknown estimator": Broken(
        "plants",
        'estimator = "between"',
        'estimator = "betwixt"',
        "specifications[3].estimator",
        "'betwixt'; expected 'pooled_ols', 'between'",
        "Change the value.",
    ),
    "unknown role of a variable": Broken(
        "plants",
        'role = "outcome"',
        'role = "result"',
        "variables[3].role",
        "'result'; expected 'entity', 'time', 'outcome'",
        "Change the value.",
    ),
    "unknown role of a specification": Broken(
        "plants",
        'role = "replication"',
        'role = "copy"',
        "specifications[1].role",
        "'copy'; expected 'headline'",
        "Change the value.",
    ),
    "unknown level": Broken(
        "plants",
        'level = "factory-cycle"',
        'level = "plant"',
        "variables[3].level",
        "'plant'; expected 'worker', 'line'",
        "Change the value.",
    ),
    "unknown level of clusters": Broken(
        "plants",
        'estimator = "between"',
        'estimator = "between"\nclusters = "village"',
        "specifications[3].clusters",
        "'village'",
        "Change the value.",
    ),
    "unknown language": Broken(
        "plants",
        'languages = ["en"',
        'languages = ["xx"',
        "brief.languages[1]",
        "'xx'; expected 'en'",
        "Change the value.",
    ),
    "a variable declared twice": Broken(
        "plants",
        'name = "d89"',
        'name = "d88"',
        "variables",
        "'d88' stands more than once",
        "Rename or remove",
    ),
    "a specification declared twice": Broken(
        "plants",
        'id = "sales_between"',
        'id = "between"',
        "specifications",
        "'between' stands more than once",
        "Rename or remove",
    ),
    "a claim declared twice": Broken(
        "plants",
        'id = "grant_same_year"',
        'id = "grant_after"',
        "claims",
        "'grant_after' stands more than once",
        "Rename or remove",
    ),
    "an undeclared outcome": Broken(
        "plants",
        'outcome = "log_scrap"',
        'outcome = "log_scrip"',
        "specifications[1].outcome",
        "'log_scrip'; expected a declared variable",
        "did you mean 'log_scrap'?",
    ),
    "an undeclared exposure": Broken(
        "plants",
        'exposure = ["union", "grant", "lag1_grant"]',
        'exposure = ["onion", "grant", "lag1_grant"]',
        "specifications[2].exposure",
        "'onion'; expected a declared variable",
        "did you mean 'union'?",
    ),
    "an undeclared control": Broken(
        "plants",
        'controls = ["d88", "d89"]',
        'controls = ["d88", "d90"]',
        "specifications[1].controls",
        "'d90'; expected a declared variable",
        "Declare it in [[variables]]",
    ),
    "a claim on a replication": Broken(
        "plants",
        'specification = "within"',
        'specification = "published"',
        "claims[1].specification",
        "'published', a replication",
        "Claim from a headline or robustness specification.",
    ),
    "a claim on an unknown specification": Broken(
        "plants",
        'specification = "within"',
        'specification = "witin"',
        "claims[1].specification",
        "'witin'; expected one of published, within",
        "did you mean 'within'?",
    ),
    "a claim that leaves open which exposure": Broken(
        "plants",
        'exposure = "lag1_grant"\n',
        "",
        "claims[1].exposure",
        "''; expected one of union, grant, lag1_grant",
        "Say whose coefficient",
    ),
    "a claim about another specification's exposure": Broken(
        "plants",
        'specification = "between"',
        'specification = "between"\nexposure = "grant"',
        "claims[4].exposure",
        "'grant'; expected one of union",
        "Say whose coefficient",
    ),
    "a missing notebook": Broken(
        "plants",
        'notebook = "plants"',
        'notebook = "plant"',
        "specifications[1].notebook",
        "'plant'; expected a notebook of notebooks/",
        "did you mean 'plants'?",
    ),
    "a slug that is not the file's name": Broken(
        "plants",
        'slug = "plants"',
        'slug = "factories"',
        "study.slug",
        "'factories'; expected 'plants'",
        "Rename the file or the slug.",
    ),
    "no entity": Broken(
        "plants",
        'role = "entity"',
        'role = "cluster"',
        "variables",
        "0 variables with role 'entity'",
        "Give the role 'entity'",
    ),
    "two times": Broken(
        "plants",
        'name = "d88"\nrole = "control"',
        'name = "d88"\nrole = "time"',
        "variables",
        "2 variables with role 'time'",
        "Give the role 'time'",
    ),
    "an unknown country": Broken(
        "value_chains",
        '"BGD"',
        '"BDG"',
        "cases.country",
        "'BDG'; expected one of BGD, JPN, KHM, VNM",
        "did you mean 'BGD'?",
    ),
    "an unknown sector": Broken(
        "value_chains",
        '"garment"',
        '"garments"',
        "cases.sector",
        "'garments'; expected one of automotive, electronics, garment",
        "add data/sectors/garments.toml",
    ),
    "a country that would leave its folder": Broken(
        "value_chains", '"BGD"', '"../sectors/garment"', "cases.country", "'../", "Choose one"
    ),
    "a country named twice": Broken(
        "value_chains",
        '"KHM"',
        '"BGD"',
        "cases.country",
        "a value that stands twice",
        "Remove the second one.",
    ),
    "cases that are empty": Broken(
        "value_chains",
        'sector = ["garment", "electronics", "automotive"]',
        "sector = []",
        "cases.sector",
        "[]; expected",
        "Change the value.",
    ),
    "no case left": Broken(
        "value_chains",
        CASES,
        'country = ["BGD"]\nsector = ["automotive"]',
        "[cases]",
        "no combination that a country pack holds",
        "Add the sector to data/countries/",
    ),
    "not TOML": Broken(
        "plants", "[study]", "[study", "plants.toml", "text that is not TOML", "Mend the line"
    ),
    "a date": Broken(
        "plants",
        'title = "Unions, training and scrap in manufacturing plants"',
        "title = 2026-11-22",
        "plants.toml",
        "a value that is neither text, number nor list",
        "Put the date in quotes.",
    ),
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path)


@pytest.mark.parametrize("slug", STUDIES)
def test_each_shipped_study_loads_with_the_notebooks_it_names(slug: str) -> None:
    study = load_study(study_file(ROOT, slug))
    assert (study.slug, study.root) == (slug, ROOT)
    assert study.notebooks == (slug,)
    assert {claim.specification for claim in study.claims} <= {s.id for s in study.specifications}


@pytest.mark.parametrize("broken", list(BROKEN.values()), ids=list(BROKEN))
def test_a_broken_study_is_refused_by_file_key_what_was_seen_and_what_to_do(
    project: Path, broken: Broken
) -> None:
    path = edit(study_file(project, broken.study), broken.old, broken.new)
    with pytest.raises(StudyError, match=rf"^{broken.study}\.toml") as caught:
        load_study(path)
    error = caught.value
    assert error.where.removeprefix(f"{path.name}: ") == broken.key
    assert broken.seen in str(error)
    assert broken.do in error.do


def test_a_study_in_another_encoding_is_refused(project: Path) -> None:
    path = study_file(project, "plants")
    path.write_bytes(path.read_bytes().replace(b"Unions", b"Uni\xf3ns"))
    with pytest.raises(StudyError, match=r"plants\.toml: text that is not TOML .*UTF-8"):
        load_study(path)


def test_a_study_saved_by_notepad_with_a_mark_of_byte_order_is_read(project: Path) -> None:
    path = study_file(project, "plants")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_study(path).slug == "plants"


def test_more_than_one_mistake_is_counted(project: Path) -> None:
    path = edit(study_file(project, "plants"), "threshold = 10", "threshold = 2\nfloor = 1")
    with pytest.raises(StudyError, match=r"\(1 more after this one\.\)$"):
        load_study(path)


def test_a_misspelt_slug_is_refused_with_its_nearest_neighbour(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVIDENCE_ROOT", str(project))
    with pytest.raises(StudyError, match=r"no such study file.*did you mean 'plants'\?"):
        load_study("plant")


def test_a_folder_outside_any_project_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EVIDENCE_ROOT", raising=False)
    with pytest.raises(StudyError, match="Change to the project's folder"):
        find_root(tmp_path)


@pytest.mark.parametrize("slug", STUDIES)
def test_a_slug_and_a_path_load_the_same_study(
    project: Path, monkeypatch: pytest.MonkeyPatch, slug: str
) -> None:
    monkeypatch.delenv("EVIDENCE_ROOT", raising=False)
    monkeypatch.chdir(project / "data" / "sources")
    assert load_study(slug) == load_study(study_file(project, slug))


def test_a_study_cannot_be_changed_after_it_was_loaded(project: Path) -> None:
    study = load_study(study_file(project, "plants"))
    with pytest.raises(dataclasses.FrozenInstanceError, match="'sha256'"):
        study.sha256 = ""  # type: ignore[misc]


def test_a_study_without_cases_has_the_single_case_all() -> None:
    study = load_study(study_file(ROOT, "plants"))
    assert [case.id for case in study.cases] == ["all"]
    assert study.left_out == ()


def test_the_product_of_the_cases_is_what_the_country_packs_hold() -> None:
    study = load_study(study_file(ROOT, "value_chains"))
    assert tuple(case.id for case in study.cases) == HELD
    assert study.left_out == LACKING
    assert [name["en"] for name in study.cases[0].names] == ["Bangladesh", "garment"]


def test_a_new_country_pack_and_sector_make_a_new_case_without_code(project: Path) -> None:
    country = 'iso3 = "IDN"\nname.en = "Indonesia"\nsectors = ["footwear"]\n'
    (project / "data/countries/IDN.toml").write_text(country, encoding="utf-8")
    sector = 'id = "footwear"\nname.en = "footwear"\n'
    (project / "data/sectors/footwear.toml").write_text(sector, encoding="utf-8")
    path = speak(study_file(project, "value_chains"), "en")
    path = edit(path, '"VNM"]', '"VNM", "IDN"]')
    study = load_study(edit(path, '"automotive"]', '"automotive", "footwear"]'))
    new = select_case(study, country="IDN", sector="footwear")
    assert {case.id for case in study.cases} == {*HELD, "IDN-footwear"}
    assert new.id == "IDN-footwear"
    assert new.names == ({"en": "Indonesia"}, {"en": "footwear"})


def test_a_pack_with_a_missing_key_is_refused_by_its_own_name(project: Path) -> None:
    edit(project / "data/countries/BGD.toml", 'iso3 = "BGD"', "")
    with pytest.raises(StudyError, match=r"^BGD\.toml: iso3: nothing"):
        load_study(study_file(project, "value_chains"))


def test_a_case_that_the_study_does_not_have_is_refused() -> None:
    study = load_study(study_file(ROOT, "value_chains"))
    with pytest.raises(StudyError, match=r"no case country=BGD, sector=automotive; .*BGD-garment"):
        select_case(study, country="BGD", sector="automotive")


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("notebooks/studies/value_chains.toml", "threshold = 10", "threshold = 11"),
        ("data/countries/KHM.toml", "Cambodia", "Kampuchea"),
        ("data/sectors/garment.toml", '"garment"\nname.en = "garment"', '"garment"\nname.en = "g"'),
    ],
)
def test_the_hash_changes_with_the_file_and_with_every_pack_it_names(
    project: Path, file: str, old: str, new: str
) -> None:
    path = study_file(project, "value_chains")
    before = load_study(path).sha256
    edit(project / file, old, new)
    assert load_study(path).sha256 != before


def test_the_hash_stays_where_a_pack_changes_that_the_study_does_not_name(project: Path) -> None:
    path = study_file(project, "plants")
    before = load_study(path).sha256
    edit(project / "data/countries/KHM.toml", "Cambodia", "Kampuchea")
    assert load_study(path).sha256 == before


def test_an_unknown_specification_is_refused_by_the_study() -> None:
    study = load_study(study_file(ROOT, "plants"))
    with pytest.raises(StudyError, match=r"no specification 'withn'.*did you mean 'within'\?"):
        study.specification("withn")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('effects = ["entity"]', "effects = []", r"effects: none with fixed_effects"),
        ('effects = ["entity"]', 'effects = ["entity", "entity"]', r"effects: entity, entity"),
        (
            'estimator = "between"',
            'estimator = "between"\neffects = ["time"]',
            r"time with between",
        ),
        ('controls = ["d88", "d89"]', 'controls = ["d88", "grant"]', r"'grant' more than once"),
        ('exposure = ["grant", "lag1_grant"]', "exposure = []", r"exposure: none"),
        ('exposure = "union"', 'exposure = "year"', r"'year', whose role is 'time'"),
        ('audiences = ["government"', 'audiences = ["kings"', r"brief\.audiences"),
        ("[brief.text.en]", "[brief.text.fr]", r"brief\.text\.fr: text in 'fr'"),
        ("title = ", "titel = ", r"study\.titel: an unknown key.*did you mean 'title'"),
    ],
)
def test_a_specification_that_cannot_be_meant_is_refused(
    project: Path, old: str, new: str, message: str
) -> None:
    path = edit(study_file(project, "plants"), old, new)
    with pytest.raises(StudyError, match=message):
        load_study(path)


def test_a_pack_under_another_name_is_refused(project: Path) -> None:
    edit(project / "data/countries/KHM.toml", 'iso3 = "KHM"', 'iso3 = "LAO"')
    with pytest.raises(StudyError, match=r"KHM\.toml: 'LAO'; expected 'KHM'"):
        load_study(study_file(project, "value_chains"))


def test_an_unknown_key_of_a_pack_is_told_with_the_packs_own_keys(project: Path) -> None:
    edit(project / "data/countries/KHM.toml", "sectors", "sector")
    with pytest.raises(
        StudyError, match=r"KHM\.toml: sector: an unknown key; expected one of iso3"
    ):
        load_study(study_file(project, "value_chains"))
