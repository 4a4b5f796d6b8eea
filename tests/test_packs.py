"""Packs load whole, say how sure they are, and take a new country without code."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from evidence.errors import StudyError
from evidence.packs import (
    Country,
    Law,
    Questionnaire,
    hash_packs,
    load_country,
    load_law,
    load_questionnaire,
    load_sector,
    sections,
)
from evidence.study import load_study
from samples import ROOT, edit, make_project, speak, study_file

COUNTRIES = ("BGD", "JPN", "KHM", "VNM")
SECTORS = ("automotive", "electronics", "garment")
INSTITUTIONS = {"union", "committee", "agreement", "grievance"}
PAGE = ROOT / "docs" / "packs.md"

SMALL = """
id = "small"
title = "A small tool"
source = "a test"

[[clusters]]
id = "hours"
name.en = "Hours"
group = "working conditions"

[[points]]
id = "overtime"
cluster = "hours"
name.en = "Overtime"
provenance = "assumed"

[[versions]]
id = "paper"
first_day = "2020-01-01"

[[versions]]
id = "video"
first_day = "2021-01-01"
mode = "virtual"

[[questions]]
id = "daily"
point = "overtime"

[[questions.asked]]
code = "D1"
versions = ["paper"]

[[questions]]
id = "weekly"
point = "overtime"

[[questions.asked]]
code = "W1"
versions = ["video"]

[[indices]]
id = "rest"
institution = ["union"]
questions = ["daily"]
points = ["overtime"]

[[pairs]]
id = "heard"
institution = ["union"]
manager = "says"
worker = "knows"

[[measures]]
id = "pace"
unit = "units an hour"
over = ["units"]
under = ["hours"]
"""

LAW = """
country = "LAO"

[[rules]]
id = "daily_overtime"
questions = ["daily"]
unit = "hours a day"

[[rules.versions]]
in_force = "2007-01-01"
at_most = 3

[[rules.versions]]
in_force = "2014-01-01"
at_most = 3.5
"""


def _write(root: Path, file: str, text: str) -> Path:
    path = root / "data" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _better_work() -> Questionnaire:
    return load_questionnaire(ROOT, "better_work")


# What the project ships


def test_each_pack_that_is_shipped_loads() -> None:
    data = ROOT / "data"
    assert {p.stem for p in (data / "countries").glob("*.toml")} >= set(COUNTRIES)
    for path in (data / "countries").glob("*.toml"):
        assert load_country(ROOT, path.stem).iso3 == path.stem
    for path in (data / "sectors").glob("*.toml"):
        assert load_sector(ROOT, path.stem).id == path.stem
    for path in (data / "questionnaires").glob("*.toml"):
        assert load_questionnaire(ROOT, path.stem).id == path.stem
    for path in (data / "laws").glob("*.toml"):
        assert load_law(ROOT, path.stem).rules


@pytest.mark.parametrize("iso3", COUNTRIES)
def test_a_country_has_its_name_in_the_languages_of_the_programme(iso3: str) -> None:
    country = load_country(ROOT, iso3)
    assert set(country.name) == {"en", "ja", "bn", "km", "vi"}
    own = {"BGD": "bn", "JPN": "ja", "KHM": "km", "VNM": "vi"}[iso3]
    assert {country.name["en"], country.name[own]} <= set(country.spelled)


def test_no_spelling_stands_for_two_countries() -> None:
    packs = [load_country(ROOT, iso3) for iso3 in COUNTRIES]
    spelt = [text.casefold() for c in packs for text in {c.iso3, *c.name.values(), *c.spelled}]
    assert [text for text, count in Counter(spelt).items() if count > 1] == []


def test_better_work_has_eight_clusters_and_thirty_eight_points() -> None:
    pack = _better_work()
    assert Counter(c.group for c in pack.clusters) == {
        "core labour standards": 4,
        "working conditions": 4,
    }
    assert Counter(p.cluster for p in pack.points) == {
        "child_labour": 4,
        "discrimination": 4,
        "forced_labour": 4,
        "association_and_bargaining": 5,
        "compensation": 6,
        "contracts": 4,
        "safety_and_health": 8,
        "working_time": 3,
    }


def test_a_point_is_sourced_where_its_name_was_read_and_says_where() -> None:
    points = _better_work().points
    assert {p.id for p in points if p.provenance == "source"} == {
        "child_labourers",
        "young_workers",
        "gender",
        "union_operations",
        "interference_and_discrimination",
        "collective_bargaining",
        "wage_information",
        "paid_leave",
        "social_security",
        "contracting_procedures",
        "osh_management",
        "worker_protection",
        "emergency_preparedness",
        "overtime",
    }
    for point in points:
        assert point.provenance in {"source", "background"}
        assert bool(point.source) == (point.provenance == "source"), point.id


def test_whatever_is_called_sourced_names_its_source() -> None:
    pack = _better_work()
    named: list[Any] = [*pack.clusters, *pack.points, *pack.questions]
    assert [part.id for part in named if part.provenance == "source" and not part.source] == []
    rest: list[Any] = [*pack.versions, *pack.indices, *pack.measures, *pack.pairs]
    assert [part.id for part in rest if not part.source] == []
    rules = [rule for iso3 in COUNTRIES for rule in load_law(ROOT, iso3).rules]
    assert [version for rule in rules for version in rule.versions if not version.source] == []


def test_no_spelling_stands_for_two_points_or_two_clusters() -> None:
    pack = _better_work()
    kinds: list[tuple[Any, ...]] = [pack.points, pack.clusters]
    for parts in kinds:
        spelt = [
            text for part in parts for text in {t.casefold() for t in (part.id, *part.spelled)}
        ]
        assert len(set(spelt)) == len(spelt)


def test_files_spelling_of_the_clusters_is_known() -> None:
    spelt = {text for cluster in _better_work().clusters for text in cluster.spelled}
    assert spelt >= {
        "Child Labor",
        "Forced Labor",
        "Freedom of Association and Collective Bargaining",
        "Compensation",
        "Contracts and Human Resources",
        "Occupational Safety and Health",
        "Working Time",
    }


def test_cambodia_has_twenty_one_critical_issues_in_their_published_groups() -> None:
    # betterfactories.org/transparency: 13 fundamental rights, 5 OSH and emergency,
    # 2 wages, 1 contracts.
    pack = _better_work()
    critical = [q for q in pack.questions if "KHM" in q.critical]
    owner = {point.id: point.cluster for point in pack.points}
    group = {cluster.id: cluster.group for cluster in pack.clusters}
    assert [q.id[:15] for q in critical] == [f"critical_khm_{n:02d}" for n in range(1, 22)]
    assert all(q.public and q.asked[0].countries == ("KHM",) for q in critical)
    clusters = Counter(owner[q.point] for q in critical)
    assert sum(n for c, n in clusters.items() if group[c] == "core labour standards") == 13
    assert clusters["safety_and_health"] == 5
    assert clusters["compensation"] == 2
    assert clusters["contracts"] == 1
    assert [q.id for q in critical if q.institution] == [q.id for q in critical[7:13]]


def test_dialogue_stands_where_exposures_are_left_out() -> None:
    pack = _better_work()
    described = {p.id: set(p.institution) for p in pack.points if p.institution}
    assert described == {
        "freedom_to_associate": {"union"},
        "union_operations": {"union"},
        "interference_and_discrimination": {"union"},
        "collective_bargaining": {"agreement", "union"},
        "strikes": {"union"},
        "dialogue_and_disputes": {"committee", "grievance"},
        "osh_management": {"committee"},
    }
    parts: list[Any] = [*pack.questions, *pack.indices, *pack.pairs, *pack.measures]
    assert {name for part in parts for name in part.institution} == INSTITUTIONS


def test_an_index_is_left_out_with_the_points_that_it_is_made_of() -> None:
    pack = _better_work()
    described = {p.id: set(p.institution) for p in pack.points}
    for index in pack.indices:
        for point in index.points:
            assert described[point] & set(index.institution), (index.id, point)


def test_no_first_day_of_a_version_was_invented() -> None:
    versions = _better_work().versions
    assert {v.id: v.mode for v in versions} == {
        "cat": "on_site",
        "virtual_check": "virtual",
        "slcp": "on_site",
    }
    assert {v.first_day for v in versions} == {""}


def test_viet_nam_asked_for_four_dialogues_a_year_and_then_for_one() -> None:
    # Labour Code 2012 in force 1 May 2013, Labour Code 2019 in force 1 January 2021.
    (rule,) = load_law(ROOT, "VNM").rules
    assert [(v.in_force, v.at_least, v.at_most) for v in rule.versions] == [
        ("2013-05-01", 4, None),
        ("2021-01-01", 1, None),
    ]
    assert [v.provenance for v in rule.versions] == ["background", "source"]


def test_each_law_decides_questions_that_the_questionnaire_asks_in_the_country() -> None:
    asked = {q.id: {c for a in q.asked for c in a.countries} for q in _better_work().questions}
    for iso3 in COUNTRIES:
        for rule in load_law(ROOT, iso3).rules:
            assert all(iso3 in asked[question] for question in rule.questions)


def test_a_country_without_a_law_file_has_a_law_without_rules() -> None:
    assert load_law(ROOT, "JPN") == Law("JPN")


def test_measures_of_sectors_have_units_sources_and_ids_of_their_own() -> None:
    measures = {m.id: m for sector in SECTORS for m in load_sector(ROOT, sector).measures}
    assert {key: (m.over, m.under, m.times, m.better) for key, m in measures.items()} == {
        "oee": (("availability", "performance", "quality"), (), 100, "higher"),
        "takt_time": (("available_minutes",), ("demand",), 1, "lower"),
        "first_pass_yield": (("good_first_time",), ("started",), 100, "higher"),
        "defects_ppm": (("defective",), ("inspected",), 1e6, "lower"),
        "efficiency": (("output", "sam"), ("operators", "minutes"), 100, "higher"),
        "dhu": (("defects",), ("inspected",), 100, "lower"),
    }
    assert measures["efficiency"].basis == "sam_basis"
    assert all(m.unit and m.source for m in measures.values())
    named = [m.id for sector in SECTORS for m in load_sector(ROOT, sector).measures]
    named += [m.id for m in _better_work().measures]
    assert len(set(named)) == len(named)


# The simulated questionnaire and its record


def test_the_simulated_questionnaire_is_what_the_record_draws() -> None:
    text = (ROOT / "data/sources/value_chains.toml").read_text(encoding="utf-8")
    points: list[dict[str, Any]] = tomllib.loads(text)["simulation"]["points"]
    pack = load_questionnaire(ROOT, "simulated")
    assert [(p.id, p.cluster) for p in pack.points] == [(p["id"], p["cluster"]) for p in points]
    assert [q.id for q in pack.questions] == [
        f"{p['id']}.{n + 1}" for p in points for n in range(p.get("items", 3))
    ]
    assert all(q.id.rpartition(".")[0] == q.point for q in pack.questions)
    institutions = {p["id"]: tuple(filter(None, [p.get("institution", "")])) for p in points}
    assert {p.id: p.institution for p in pack.points} == institutions
    assert not any(q.institution for q in pack.questions)
    for point, drawn in zip(pack.points, points, strict=True):
        assumed = drawn["basis"].startswith("assumed")
        assert point.provenance == ("assumed" if assumed else "source"), point.id


def test_a_point_of_both_questionnaires_has_the_same_name_and_cluster() -> None:
    real = {p.id: (p.cluster, p.name) for p in _better_work().points}
    drawn = {p.id: (p.cluster, p.name) for p in load_questionnaire(ROOT, "simulated").points}
    assert set(drawn) - set(real) == {"bipartite_committees", "exceptional_overtime"}
    assert all(real[key] == drawn[key] for key in set(drawn) & set(real))


# What is refused


def _small(folder: Path, old: str, new: str) -> Path:
    edit(_write(folder, "questionnaires/small.toml", SMALL), old, new)
    return folder


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'cluster = "hours"',
            'cluster = "hour"',
            r"points 'overtime'\.cluster: 'hour'; expected one of hours.*did you mean 'hours'",
        ),
        (
            'point = "overtime"',
            'point = "overtme"',
            r"questions 'daily'\.point: 'overtme'; .*did you mean 'overtime'",
        ),
        (
            'points = ["overtime"]',
            'points = ["leave"]',
            r"indices 'rest'\.points: 'leave'; expected one of overtime\. Rename it or add it\.",
        ),
        (
            'questions = ["daily"]',
            'questions = ["dayly"]',
            r"indices 'rest'\.questions: 'dayly'; .*did you mean 'daily'",
        ),
        (
            'questions = ["daily"]\npoints = ["overtime"]',
            "",
            r"indices 'rest': no parts; expected questions, points or columns",
        ),
        (
            'versions = ["paper"]',
            'versions = ["papers"]',
            r"questions 'daily'\.version: 'papers'; expected one of paper, video.*'paper'",
        ),
        ('id = "weekly"', 'id = "daily"', r"questions: 'daily' more than once; .*join them"),
        (
            'id = "video"\nfirst_day = "2021-01-01"',
            'id = "paper"\nfirst_day = "2020-01-01"',
            r"versions: 'paper 2020-01-01' more than once",
        ),
        (
            'id = "video"',
            'id = "video"\n[[versions]]\nid = "video"',
            r"versions 'video': mode 'virtual' in one place and 'on_site' in another",
        ),
        (
            'first_day = "2021-01-01"',
            'first_day = "2020-01-01"',
            r"versions 'video': first_day 2020-01-01, that of 'paper' too",
        ),
        (
            'first_day = "2021-01-01"',
            'first_day = "2021-02-30"',
            r"versions 'video': '2021-02-30'; expected a day of the calendar",
        ),
        (
            'first_day = "2021-01-01"',
            'first_day = "1 May 2021"',
            r"small\.toml: versions\[2\]\.first_day: '1 May 2021'; expected text of the form",
        ),
        (
            'first_day = "2021-01-01"',
            "first_day = 2021-01-01",
            r"small\.toml: a value that is neither .*dates in quotes",
        ),
        (
            'code = "W1"\nversions = ["video"]',
            'code = "D1"\nversions = ["paper"]',
            r"questions 'weekly'\.asked: code 'D1', which may stand for 'daily' as well",
        ),
        (
            'code = "W1"\nversions = ["video"]',
            'code = "D1"\nmodes = ["virtual"]',
            r"questions 'weekly'\.asked: code 'D1', which may stand for 'daily' as well",
        ),
        (
            'provenance = "assumed"',
            'provenance = "rumour"',
            r"small\.toml: points\[1\]\.provenance: 'rumour'; expected 'source', 'background'",
        ),
        (
            'provenance = "assumed"',
            'provenence = "assumed"',
            r"small\.toml: points\[1\]\.provenence: an unknown key; .*did you mean 'provenance'",
        ),
        (
            'manager = "says"',
            'manger = "says"',
            r"small\.toml: pairs\[1\]\.manger: an unknown key; .*did you mean 'manager'",
        ),
        ('code = "D1"', 'cod = "D1"', r"questions\[1\]\.asked\[1\]\.cod: .*did you mean 'code'"),
        ('title = "A small tool"', "", r"title: nothing; .*docs/packs\.md shows a whole file"),
        ('id = "small"', 'id = "tiny"', r"small\.toml: 'tiny'; expected 'small', the file's own"),
        ('group = "working conditions"', 'group = "pay"', r"clusters\[1\]\.group: 'pay'"),
        (
            'id = "overtime"',
            'id = "Over time"',
            r"points\[1\]\.id: 'Over time'; .*text of the form",
        ),
        ('title = "A small tool"', "title = ", r"small\.toml: text that is not TOML"),
    ],
)
def test_a_wrong_questionnaire_is_refused_by_its_part(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(StudyError, match=message):
        load_questionnaire(_small(tmp_path, old, new), "small")


def test_an_institution_that_is_none_is_refused(tmp_path: Path) -> None:
    table = '[[indices]]\nid = "other"\ninstitution = ["comittee"]\ncolumns = ["flag"]'
    _write(tmp_path, "questionnaires/small.toml", f"{SMALL}\n{table}\n")
    with pytest.raises(StudyError, match="'comittee'; expected 'union', 'committee'"):
        load_questionnaire(tmp_path, "small")


@pytest.mark.parametrize("bounds", ["at_least = 5\nat_most = 2", "at_least = nan"])
def test_bounds_of_a_law_that_no_answer_meets_are_refused(tmp_path: Path, bounds: str) -> None:
    rule = '[[rules]]\nid = "a"\nquestions = ["q"]\nunit = "members"\n[[rules.versions]]\n'
    law = f'country = "VNM"\n{rule}in_force = "2020-01-01"\n{bounds}\n'
    _write(tmp_path, "laws/VNM.toml", law)
    with pytest.raises(
        StudyError, match=r"laws/VNM\.toml: rules 'a'.*the least not above the most"
    ):
        load_law(tmp_path, "VNM")


@pytest.mark.parametrize(
    ("part", "table"),
    [
        ("clusters", 'id = "hours"\nname.en = "H"\ngroup = "working conditions"'),
        ("points", 'id = "overtime"\ncluster = "hours"\nname.en = "O"\nprovenance = "assumed"'),
        ("indices", 'id = "rest"\ninstitution = ["union"]\ncolumns = ["flag"]'),
        ("pairs", 'id = "heard"\ninstitution = ["union"]\nmanager = "a"\nworker = "b"'),
        ("measures", 'id = "pace"\nunit = "units"\nover = ["units"]'),
    ],
)
def test_an_id_that_stands_twice_is_refused_by_its_part(
    tmp_path: Path, part: str, table: str
) -> None:
    _write(tmp_path, "questionnaires/small.toml", f"{SMALL}\n[[{part}]]\n{table}\n")
    with pytest.raises(StudyError, match=rf"small\.toml: {part}: '\w+' more than once"):
        load_questionnaire(tmp_path, "small")


def test_a_version_may_return_after_another(tmp_path: Path) -> None:
    again = '\n[[versions]]\nid = "paper"\nfirst_day = "2022-01-01"\n'
    _write(tmp_path, "questionnaires/small.toml", SMALL + again)
    versions = load_questionnaire(tmp_path, "small").versions
    assert [v.id for v in versions] == ["paper", "video", "paper"]


def test_a_code_may_stand_for_another_question_in_another_version(tmp_path: Path) -> None:
    pack = load_questionnaire(_small(tmp_path, 'code = "W1"', 'code = "D1"'), "small")
    assert [q.asked[0].code for q in pack.questions] == ["D1", "D1"]


def test_a_code_with_more_limits_goes_before_a_general_one(tmp_path: Path) -> None:
    root = _small(tmp_path, 'code = "W1"\nversions = ["video"]', 'code = "daily"')
    edit(root / "data/questionnaires/small.toml", 'code = "D1"', 'code = "daily"\nmodes = ["self"]')
    assert load_questionnaire(root, "small").questions[1].asked[0].code == "daily"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'in_force = "2014-01-01"',
            'in_force = "2006-01-01"',
            r"LAO\.toml: rules 'daily_overtime'\.versions: in_force 2007-01-01, 2006-01-01; .*order",
        ),
        (
            'in_force = "2014-01-01"',
            'in_force = "2007-01-01"',
            r"in_force 2007-01-01, 2007-01-01; expected days that follow each other, each once",
        ),
        (
            'in_force = "2014-01-01"',
            'in_force = "2014-13-01"',
            r"rules 'daily_overtime': '2014-13-01'; expected a day of the calendar",
        ),
        (
            'in_force = "2014-01-01"',
            'in_force = ""',
            r"LAO\.toml: rules\[1\]\.versions\[2\]\.in_force: ''",
        ),
        ("at_most = 3.5", "at_mots = 3.5", r"versions\[2\]\.at_mots: .*did you mean 'at_most'"),
        ('country = "LAO"', 'country = "KHM"', r"LAO\.toml: 'KHM'; expected 'LAO'"),
        ("at_most = 3.5", 'at_most = "3.5"', r"versions\[2\]\.at_most: '3\.5'; expected a"),
    ],
)
def test_a_wrong_law_is_refused_by_its_rule(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    edit(_write(tmp_path, "laws/LAO.toml", LAW), old, new)
    with pytest.raises(StudyError, match=message):
        load_law(tmp_path, "LAO")


def test_a_rule_that_stands_twice_is_refused(tmp_path: Path) -> None:
    again = LAW.split("\n", 2)[2]
    _write(tmp_path, "laws/LAO.toml", LAW + again)
    with pytest.raises(StudyError, match=r"laws/LAO\.toml: rules: 'daily_overtime' more than once"):
        load_law(tmp_path, "LAO")


def test_a_measure_that_stands_twice_in_a_sector_is_refused(tmp_path: Path) -> None:
    measure = '\n[[measures]]\nid = "pace"\nunit = "units"\nover = ["units"]\n'
    text = 'id = "shoes"\nname.en = "shoes"\n' + 2 * measure
    _write(tmp_path, "sectors/shoes.toml", text)
    with pytest.raises(StudyError, match=r"sectors/shoes\.toml: measures: 'pace' more than once"):
        load_sector(tmp_path, "shoes")


def test_a_pack_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"^country: 'KHN'; expected one of BGD, .*mean 'KHM'"):
        load_country(ROOT, "KHN")
    with pytest.raises(StudyError, match=r"^sector: 'garments'; .*did you mean 'garment'"):
        load_sector(ROOT, "garments")
    with pytest.raises(StudyError, match=r"^asked: 'better'; expected one of better_work"):
        load_questionnaire(ROOT, "better", where="asked")
    with pytest.raises(StudyError, match=r"expected a pack in data/questionnaires/\. Choose one"):
        load_questionnaire(tmp_path, "better_work")


def test_a_pack_outside_its_folder_is_not_read() -> None:
    with pytest.raises(StudyError, match=r"'\.\./laws/VNM'; expected one of BGD"):
        load_country(ROOT, "../laws/VNM")


def test_the_hash_of_the_packs_changes_with_each_of_them(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    seen = {hash_packs(root)}
    assert seen == {hash_packs(ROOT)}
    for path in sorted((root / "data").glob("*/*.toml")):
        if path.parent.name == "sources":
            continue
        path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
        seen.add(hash_packs(root))
    shipped = [p for p in (ROOT / "data").glob("*/*.toml") if p.parent.name != "sources"]
    assert len(seen) == len(shipped) + 1


# Another country without code


def _follow_page(root: Path) -> None:
    """Do what the example of docs/packs.md says, by the first line of each block."""
    blocks = re.findall(r"```toml\n# (.*?)\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(blocks) == 5
    for where, text in blocks:
        name = where.split()[-1]
        path = root / name.replace("<slug>", "value_chains")
        if where.startswith("at the end of"):
            path.write_text(f"{path.read_text('utf-8')}\n{text}", "utf-8")
        elif where.startswith("below"):
            head, tail = path.read_text("utf-8").split(f'id = "{where.split()[1]}"')
            own, rest = re.split(r"\n(?=# [^\n]*\n|\[\[questions\]\])", tail, maxsplit=1)
            path.write_text(f'{head}id = "{where.split()[1]}"{own}\n{text}\n{rest}', "utf-8")
        elif "<slug>" in where:
            cases = re.compile(r"\[cases\]\n.*?\n\n", re.DOTALL)
            path.write_text(cases.sub(f"{text}\n", path.read_text("utf-8")), "utf-8")
        else:
            path.write_text(text, "utf-8")


def test_the_example_of_the_page_adds_india(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    _follow_page(root)
    assert load_country(root, "IND").name["en"] == "India"
    (rule,) = load_law(root, "IND").rules
    assert [(v.in_force, v.at_most) for v in rule.versions] == [
        ("2010-09-15", 6),
        ("2025-11-21", 10),
    ]
    before, after = _better_work(), load_questionnaire(root, "better_work")
    questions = {q.id: q for q in after.questions}
    assert set(questions) - {q.id for q in before.questions} == set(rule.questions)
    codes = [(a.code, a.versions) for a in questions["grievance_committee_members"].asked]
    assert codes == [
        ("GRC_2", ("cat",)),
        ("V_GRC", ("virtual_check",)),
        ("wrk-gri-3", ("slcp",)),
    ]
    assert [a.code for a in questions["workplace_dialogue_mechanisms"].asked] == ["", "DIA_1"]
    added = [(v.id, v.mode) for v in after.versions if v.countries == ("IND",)]
    assert [mode for _, mode in added] == ["on_site", "virtual", "on_site", "on_site"]
    assert [name for name, _ in added] == ["cat", "virtual_check", "cat", "slcp"]
    study = load_study(speak(study_file(root, "value_chains"), "en"))
    assert [case.id for case in study.cases] == ["IND-garment"]
    assert [name["en"] for name in study.cases[0].names] == ["India", "garment"]


def test_a_country_needs_no_law_and_no_questions_of_its_own(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    text = 'iso3 = "LAO"\nname.en = "Lao PDR"\nsectors = ["garment"]\n'
    _write(root, "countries/LAO.toml", text)
    path = speak(study_file(root, "value_chains"), "en")
    edit(path, '"VNM"]', '"VNM", "LAO"]')
    study = load_study(study_file(root, "value_chains"))
    assert "LAO-garment" in [case.id for case in study.cases]
    assert load_law(root, "LAO") == Law("LAO")
    assert load_country(root, "LAO") == Country("LAO", {"en": "Lao PDR"}, ("garment",))


def test_the_page_names_each_key_of_each_pack() -> None:
    page = PAGE.read_text("utf-8")
    from_page = set(re.findall(r"`(?:\[\[)?([a-z0-9_.]+)(?:\]\])?`", page))
    from_page = {word.rpartition(".")[2] for word in from_page}
    kinds = _sections()
    missing = {f"{k.__name__}.{f}" for k in kinds for f in _fields(k) if f not in from_page}
    assert missing == set()


def test_the_page_names_each_measure_index_and_pair_that_is_shipped() -> None:
    page = PAGE.read_text("utf-8")
    pack = _better_work()
    shipped: list[Any] = [*pack.versions, *pack.indices, *pack.measures, *pack.pairs]
    shipped += [m for sector in SECTORS for m in load_sector(ROOT, sector).measures]
    assert [part.id for part in shipped if f"`{part.id}`" not in page] == []
    named = [p for p in pack.points if p.provenance == "source"]
    assert f"Of the {len(pack.points)} compliance points {len(named)} are `source`" in page


def _sections() -> list[type]:
    found = [v for v in vars(sections).values() if isinstance(v, type)]
    return [kind for kind in found if kind.__module__ == sections.__name__]


def _fields(kind: type) -> list[str]:
    return list(getattr(kind, "__dataclass_fields__", {}))


def test_a_law_on_a_question_that_no_questionnaire_has_is_refused(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    law = root / "data/laws/VNM.toml"
    edit(law, '"workplace_dialogue_held"', '"workplace_dialogue_hold"')
    with pytest.raises(StudyError, match=r"questions: 'workplace_dialogue_hold'.*did you mean"):
        load_law(root, "VNM")
