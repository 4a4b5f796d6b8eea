"""What prose may say: words earned by design, numbers carried by findings."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

import nbformat
import pytest

from evidence.brief.blocks import list_texts
from evidence.brief.checks import check_text
from evidence.brief.model import compose
from evidence.brief.prose import (
    design_of,
    foresee,
    judge,
    lint_notebook,
    lint_notebooks,
    lint_study,
)
from evidence.disclosure import clear
from evidence.errors import LanguageError
from evidence.findings import Standing, grade, word
from evidence.findings.state import _classify
from evidence.language import (
    STRENGTHS,
    Strength,
    list_flaws,
    list_numbers,
    messages,
    refuse,
    say,
    strength_of,
    weakest,
)
from evidence.language.lists import TRIED, load_lists
from evidence.neck import Neck
from evidence.study import Specification, Study, load_study
from samples import ROOT, STUDIES, edit

# (least strength that earns it, sentence)
CLASSES: list[tuple[Strength, str]] = [
    ("association", "A union is associated with a lower scrap rate."),
    ("association", "Scrap goes together with the absence of a union."),
    ("association", "Scrap tends to be lower where there is a union."),
    ("association", "Wages relate to agreements."),
    ("within", "Within the same factory, a committee goes together with fewer violations."),
    ("adoption", "The committee appears to have lowered violations."),
    ("adoption", "Grievance channels seem to have raised output per hour."),
    ("cause", "The committee lowered violations."),
    ("cause", "The draw of factories did not change wages."),
    ("cause", "The programme caused fewer violations."),
]
BAD = [
    "The impact of unions on scrap is large.",
    "Unions have a negative effect on scrap.",
    "Training leads to less scrap.",
    "Training led directly to less scrap.",
    "A committee reduces violations.",
    "A reduction of violations through dialogue.",
    "Reducing violations with committees.",
    "A committee lowers the non-compliance rate.",
    "Committees lower violations.",
    "Dialogue can lower scrap.",
    "They lower their scrap with a union.",
    "An agreement raises wages.",
    "Raising wages through agreements.",
    "Unions increase output per hour.",
    "An increase in output through unions.",
    "Unions decreased scrap.",
    "Committees cause better compliance.",
    "The causal path is clear.",
    "Compliance improved through dialogue.",
    "Dialogue is an improvement.",
    "Training boosts productivity.",
    "Committees drive compliance.",
    "Compliance is driven by committees.",
    "Bargaining results in higher wages.",
    "This resulted in fewer accidents.",
    "Scrap is lower thanks to training.",
    "Scrap is lower due to training.",
    "Scrap is lower because of the union.",
    "The study proves the value of dialogue.",
    "The data show that training works.",
    "Social dialogue works.",
    "Firms gained from training.",
    "Training cuts scrap.",
    "Training saves material.",
    "Dialogue pays off.",
    "Dialogue makes factories safer.",
    "As a result of the grant, scrap fell.",
    "Committees help workers, or so it seems, and they helped here.",
    "Agreements contribute to higher wages.",
    "Committees prevent accidents.",
    "**Impact** of a union",
    "An _impact_ on wages",
    "## Impact",
    "Does training reduce scrap?",
    "The im\u00adpact is plain.",
    "<b>impact</b> and more",
    "It cannot be told, but the union reduces scrap.",
    "We cannot tell why unions reduce scrap.",
    "It does not only show that unions reduce scrap.",
    "Fixed effects show the effect of a union.",
    "The true effect is known; the union reduces scrap.",
    "Committees help factories comply.",
    "Social dialogue yields higher output.",
    "Dialogue is why compliance is high.",
    "Stronger committees mean fewer violations.",
    "The more dialogue there is, the fewer the violations.",
    "Fewer violations follow when committees are elected.",
    "Violations fall after a committee is elected.",
    "Scrap dropped by a third once the union came.",
    "With a committee, violations become rarer.",
    "A committee brings fewer violations.",
    "Dialogue makes compliance easier.",
    "Dialogue makes for safer factories.",
    "Collective bargaining is essential for productivity.",
    "Committees are key to compliance.",
    "Social dialogue is good for business.",
    "Social dialogue matters for compliance.",
    "Dialogue pays dividends.",
    "The return on training is large.",
    "The benefits are clear.",
    "Factories benefit.",
    "Low scrap is a result of training.",
    "Compliance depends on dialogue.",
    "Productivity responds to dialogue.",
    "Higher productivity results from dialogue.",
    "Compliance is achieved through dialogue.",
    "Without a union scrap would be higher.",
    "If factories elect committees, violations will fall.",
    "Unions played a role in lower scrap.",
    "Scrap is low because plants are trained.",
    "Committees account for lower violations.",
    "Compliance owes much to dialogue.",
    "Enhanced compliance through committees.",
    "Unions hamper productivity.",
    "Dialogue lifts wages.",
    "Promote dialogue to spur output.",
]
NEVER = [
    "Unions have no effect on scrap.",
    "There is no significant impact on wages.",
    "A union does not matter.",
    "A committee makes no difference.",
    "Agreements do not affect wages.",
    "Wages have nothing to do with agreements.",
    "Scrap is unrelated to unions.",
    "Scrap is not associated with unions.",
    "There is no relationship between the two.",
    "Training didn't work.",
    "Training failed to reduce scrap.",
    "There is no evidence that training does anything.",
    "Wages are set without any effect of the agreement.",
    "There is no relation between unions and wages.",
    "Unions do not seem to matter.",
    "There was no change in scrap after the grant.",
    "Nothing changed with the grant.",
    "Scrap did not differ between plants with and without a union.",
    "Scrap is the same with and without a union.",
]
GOOD = [
    "A union is associated with less scrap.",
    "Wages tend to be higher where an agreement applies.",
    "Lower wages are seen where there is no agreement.",
    "The lower the wage, the more workers leave.",
    "The rate is lower than before, and wages are lower in small firms.",
    "These data cannot show an effect.",
    "This does not prove that unions reduce scrap.",
    "It does not by itself show that training raises output.",
    "Nothing here shows that a committee lowers violations.",
    "We cannot tell whether training improves productivity.",
    "Ministries ask whether training pays off.",
    "This must not be read as an effect of the union.",
    "Fixed effects take out what stays the same.",
    "Random effects lean on the same comparison.",
    "The year effects are shared by all plants.",
    "The true effects of the simulation are known.",
    "The figure marks the null effect of the simulation.",
    "The true effect is drawn beside the estimate.",
    "An effect of the union cannot be shown.",
    "The law took effect in that year.",
    "The next file is due to arrive in spring.",
    "Lead time is held equal.",
    "The results in the table are clustered.",
    "No plant gained or lost its union.",
    "Workers raised issues with their managers.",
    "A cut-off decides who is invited.",
    "The interval includes no difference.",
    "Save the notebook under `notebooks/`; it saves it as text.",
    "The column is named `impact_score`.",
    "```\nimpact = effect(training)\n```\nThe cell above is code.",
    "See [the record](https://example.org/impact-effects).",
    "No causal claim is made.",
    "Whatever else differs between plants may explain the result.",
    "Plants that asked may have been on a better path anyway.",
    "The outcome does not change over time for some plants.",
    "It reads as if training reduced scrap.",
    "Who moved may have moved for the wage itself.",
    "A committee meets every month and writes minutes.",
    "Intervals allow for each plant being alike from period to period.",
    "Wages are the same throughout; the file is not.",
    "The standard errors grow once the years of a worker are seen together.",
    "Factories enter at different dates and some leave.",
    "Works councils are followed as well.",
    "Answers are missing for some factories.",
    "The improvement committees are elected.",
    "Wage increases agreed in bargaining are recorded.",
    "The minimum wage increased in these years.",
    "A reform of the law raised the minimum wage.",
    "The ILO promotes decent work.",
    "To prevent disclosure, small counts are withheld.",
    "Data protection rules prevent us from naming factories.",
    "The sample was reduced to plants with both years.",
    "Firms should not cut wages.",
    "Ensure that committees are elected.",
    "Strengthen the collection of data.",
    "Because few plants changed, we cannot tell.",
    "Fewer factories means wider intervals.",
    "The results depend on the choice of controls.",
    "Committees produce minutes of each meeting.",
    "Unions support workers in disputes.",
    "That is why we cannot tell.",
]


def _words(text: str, strength: Strength = "association") -> list[str]:
    return [flaw.word.lower() for flaw in list_flaws("en", text, "here", strength)]


@pytest.mark.parametrize(("least", "text"), CLASSES)
@pytest.mark.parametrize("strength", STRENGTHS)
def test_a_word_is_for_the_designs_that_earn_it_and_stronger_ones(
    least: Strength, text: str, strength: Strength
) -> None:
    allowed = STRENGTHS.index(strength) >= STRENGTHS.index(least)
    assert bool(_words(text, strength)) is not allowed


@pytest.mark.parametrize("text", BAD)
def test_a_word_of_effect_is_refused_to_an_association(text: str) -> None:
    assert _words(text)
    assert _words(text, "within")


@pytest.mark.parametrize("text", BAD)
def test_a_design_that_decides_who_was_exposed_may_say_so(text: str) -> None:
    assert _words(text, "cause") == []


@pytest.mark.parametrize("text", NEVER)
@pytest.mark.parametrize("strength", STRENGTHS)
def test_no_design_earns_a_claim_of_nothing(text: str, strength: Strength) -> None:
    found = list_flaws("en", text, "here", strength)
    assert [flaw.needs for flaw in found][:1] == ["never"]


@pytest.mark.parametrize("text", GOOD)
def test_plain_prose_about_an_association_passes(text: str) -> None:
    assert _words(text) == []


def test_the_lists_are_long_enough_to_mean_something() -> None:
    assert len(BAD) + len(NEVER) >= 60
    assert len(GOOD) >= 40


@pytest.mark.parametrize(
    "stem",
    [
        ("reduce", "reduces", "reduced", "reducing", "reduction", "reductions"),
        ("increase", "increases", "increased", "increasing"),
        ("improve", "improves", "improved", "improving", "improvement", "improvements"),
        ("cause", "causes", "caused", "causing", "causal"),
        ("leads to", "led to", "leading to", "lead to"),
        ("raises", "raised", "raising", "raise"),
        ("lowers", "lowered", "lowering"),
        ("impact", "impacts", "impacted", "impacting"),
        ("prove", "proves", "proved", "proven", "proving"),
        ("results in", "resulted in", "resulting in"),
        ("Boost", "BOOSTS", "boosted"),
    ],
)
def test_every_inflection_is_found(stem: tuple[str, ...]) -> None:
    for form in stem:
        assert _words(f"Some training {form} output.") == [form.lower()]


def test_the_strictest_reading_of_a_turn_is_told_once() -> None:
    assert _words("Unions have no effect.") == ["no effect"]
    assert _words("It appears to have lowered scrap.") == ["appears to have lowered"]
    both = list_flaws("en", "Training raises output and has no effect on wages.", "x", "within")
    assert [(flaw.word, flaw.needs) for flaw in both] == [
        ("raises", "cause"),
        ("no effect", "never"),
    ]


def test_a_sentence_with_a_placeholder_is_held_to_its_claim() -> None:
    claims: dict[str, Strength] = {"weak": "association", "strong": "cause", "mute": "nothing"}
    text = "The draw lowered wages by {{ strong.size }}."
    assert list_flaws("en", text, "x", "association", claims) == ()
    assert list_flaws("en", text.replace("strong", "weak"), "x", "cause", claims)
    mixed = "It lowered wages by {{ strong.size }}, or {{ weak.size }}."
    assert list_flaws("en", mixed, "x", "cause", claims)
    mute = "Unions are associated with {{ mute.size }} less scrap."
    assert [flaw.needs for flaw in list_flaws("en", mute, "x", "cause", claims)] == ["association"]
    two = "Here {{ strong.n_entities }} plants were drawn. The union lowered scrap."
    assert [flaw.word for flaw in list_flaws("en", two, "x", "association", claims)] == ["lowered"]


def test_a_group_of_words_that_no_pattern_names_or_none_declares_is_seen() -> None:
    verbs = load_lists("en")
    patterns = [
        part
        for name in (*TRIED, "permitted", "disclaimers", "clause_ends")
        for part in getattr(verbs.words, name)
    ]
    patterns += verbs.numbers.words
    named = {name for part in patterns for name in re.findall(r"(?<!\?)(?<!\?P)<([a-z_]+)>", part)}
    assert named == set(verbs.groups)


def test_a_flaw_names_place_word_neighbours_and_remedy() -> None:
    flaws = list_flaws("en", "A union reduces the scrap rate.", "plants.toml: title", "within")
    with pytest.raises(
        LanguageError,
        match=r"plants\.toml: title: 'A union reduces the scrap rate\.', where 'reduces' stands.*"
        r"Write instead, for this design: within the same factory, goes together with",
    ):
        refuse(flaws)
    with pytest.raises(LanguageError, match=r"\(1 more after this one\.\)"):
        refuse(flaws * 2)
    refuse(())


def test_a_language_without_its_list_of_verbs_is_refused() -> None:
    with pytest.raises(LanguageError, match=r"xx\.verbs\.toml: no list of verbs"):
        list_flaws("xx", "anything", "here", "cause")


NUMBERS_BAD = [
    "It fell by 0.3 points.",
    "A p-value of .05 is used.",
    "Wages are 12% higher.",
    "Wages are 12 % higher.",
    "It is twelve per cent.",
    "Some 5 percent of plants left.",
    "About ten percentage points more.",
    "A share of 3,5 of them",
    "It was 1e-3 in all.",
    "½ of them left",
    "রেট ১২.৫ হল",
    "## 0.3 more",
    "Table 14.2 says 0.3",
    "1,234.5 hours",
]
NUMBERS_GOOD = [
    "In 2018 there were 54 plants and 1,234 workers.",
    "As Table 14.2 prints it, see Section 3.1 and Figure 2.",
    "Tables 14.1 and 14.2 are repeated.",
    "This is about SDG 8.8.2 and target 16.7.",
    "`alpha = 0.05` stands in the code.",
    "```\nx = 0.5\n```",
    "Figures are in per cent, the unit of the outcome.",
    "See [Wooldridge, 14.2](https://example.org/table-14.2).",
    "{{ main.estimate }} of {{ main.n_entities }}",
    "Python 3.11 runs it; version 0.1.0 of the package.",
    "## 2.1 Data",
    "The percentage of plants is told by the table.",
    "On 12.05.2018 the law changed.",
]


@pytest.mark.parametrize("text", NUMBERS_BAD)
def test_a_decimal_or_a_percentage_in_a_notebook_is_refused(text: str) -> None:
    assert list_numbers("en", text, "here")


@pytest.mark.parametrize("text", NUMBERS_GOOD)
def test_whole_numbers_citations_and_code_may_stand(text: str) -> None:
    assert list_numbers("en", text, "here") == ()


@pytest.mark.parametrize("slug", STUDIES)
def test_the_projects_own_studies_and_notebooks_pass(slug: str) -> None:
    study = load_study(ROOT / f"notebooks/studies/{slug}.toml")
    assert lint_study(study, foresee(study)) == ()
    assert lint_notebooks(study) == ()


def test_every_notebook_passes_even_one_that_no_study_names() -> None:
    study = load_study(ROOT / "notebooks/studies/plants.toml")
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert lint_notebook(study, path.stem, "within", {}) == ()


def test_every_message_of_the_catalogue_is_earned_by_its_own_design() -> None:
    checked = 0
    for name, text in messages("en").items():
        design = next((part for part in name.split(".") if part in _DESIGNED), "pooled")
        plain = re.sub(r"\{[a-z_]+\}", "unit", text)
        assert list_flaws("en", plain, name, strength_of(design)) == (), name
        checked += 1
    assert checked > 200


_DESIGNED = (
    "instrument",
    "dynamic",
    "pooled",
    "between",
    "random",
    "within",
    "adoption",
    "cutoff",
    "randomised",
)


def test_an_unknown_design_earns_an_association_only() -> None:
    assert strength_of("something new") == "association"
    assert weakest([]) == "association"
    assert weakest(["cause", "within"]) == "within"


def test_the_design_is_foreseen_as_the_run_states_it(
    plants: Study, plants_neck: Neck, chains: Study, chains_neck: Neck
) -> None:
    for study, neck in ((plants, plants_neck), (chains, chains_neck)):
        for entry in neck.findings:
            if entry["kind"] == "finding":
                spec = study.specification(entry["rows"][0]["specification"])
                assert design_of(spec) == entry["design"]


def test_every_estimator_is_foreseen_as_its_findings_are_worded() -> None:
    estimators = get_args(Specification.__annotations__["estimator"])
    estimators = estimators or get_args(get_type_hints(Specification)["estimator"])
    assert len(estimators) > 10
    for estimator, effects in itertools.product(estimators, ((), ("entity",), ("entity", "time"))):
        spec = Specification("s", "n", estimator, "y", "x", effects=effects)
        assert strength_of(design_of(spec)) == strength_of(_classify(spec)[0]), (estimator, effects)


def test_prose_is_held_to_the_weakest_claim(plants: Study, chains: Study) -> None:
    assert foresee(plants).prose == "association"
    assert foresee(plants).claims["grant_after"] == "within"
    assert foresee(chains).prose == "within"
    assert foresee(chains).claims["committee_compliance__bgd_garment"] == "within"


def test_a_finding_across_zero_earns_no_direction(plants: Study, plants_neck: Neck) -> None:
    entries = [dict(entry) for entry in plants_neck.findings]
    lead = next(entry for entry in entries if entry["claim"] == "grant_after")
    told = judge(plants, [{**lead, "direction": "decrease"}])
    assert told.claims["grant_after"] == "within"
    assert judge(plants, [{**lead, "direction": "unclear"}]).claims["grant_after"] == "nothing"


def test_a_staggered_adoption_must_have_shown_its_earlier_paths(
    plants: Study, plants_neck: Neck
) -> None:
    lead = dict(next(e for e in plants_neck.findings if e["claim"] == "grant_after"))
    lead |= {"design": "adoption", "direction": "decrease"}
    both: tuple[Literal["parallel", "apart"], ...] = ("parallel", "apart")
    for design, paths in itertools.product(("adoption", "dynamic"), both):
        graded = grade(Standing(design, "decrease", two_way=True, pretrends=paths))
        told = judge(plants, [{**lead, "wording": word(design, graded)}])
        earned = design == "adoption" and paths == "parallel"
        assert told.claims["grant_after"] == ("adoption" if earned else "within")
    moderated = {**lead, "wording": "moderated"}
    assert judge(plants, [moderated]).claims["grant_after"] == "within"
    drawn = {**lead, "wording": "randomised", "grade": {"level": 4}}
    assert judge(plants, [drawn]).claims["grant_after"] == "cause"
    assert judge(plants, [{**drawn, "grade": {"level": 3}}]).claims["grant_after"] == "within"


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('title = "Unions, training', 'title = "The impact of unions, training', "study.title"),
        ("How do union presence", "How does the effect of union presence", "study.question"),
        ("Ministries ask", "A union reduces scrap. Ministries ask", "background"),
        ("No plant gained", "A union has no effect. No plant gained", r"limits\[1\]"),
        ('label.en = "a union"', 'label.en = "the impact of a union"', "label.en"),
    ],
)
def test_an_unearned_word_in_a_study_fails_and_names_the_key(
    fresh_project: Path, old: str, new: str, place: str
) -> None:
    path = edit(fresh_project / "notebooks/studies/plants.toml", old, new)
    with pytest.raises(LanguageError, match=rf"plants\.toml: .*{place}: .* stands"):
        check_text(load_study(path))


def test_an_unearned_word_in_the_name_of_a_place_fails(fresh_project: Path) -> None:
    edit(fresh_project / "data/countries/VNM.toml", "Viet Nam", "Viet Nam of impact")
    with pytest.raises(LanguageError, match=r"VNM-garment, name\.en"):
        check_text(load_study(fresh_project / "notebooks/studies/value_chains.toml"))


def _write_cell(project: Path, text: str) -> Study:
    path = project / "notebooks/plants.ipynb"
    notebook: Any = nbformat.read(path, as_version=4)
    next(cell for cell in notebook.cells if cell.id == "limits-text").source += text
    nbformat.write(notebook, path)
    return load_study(project / "notebooks/studies/plants.toml")


def test_an_unearned_word_in_a_notebook_is_named_with_its_cell(fresh_project: Path) -> None:
    found = lint_notebooks(_write_cell(fresh_project, "\n- Unions reduce scrap by 0.3 points."))
    assert [(flaw.place, flaw.word) for flaw in found] == [
        ("plants.ipynb: cell 'limits-text'", "reduce"),
        ("plants.ipynb: cell 'limits-text'", "0.3"),
    ]


def test_a_notebook_that_no_study_names_is_read_as_well(fresh_project: Path) -> None:
    path = fresh_project / "notebooks/data_report.ipynb"
    notebook: Any = nbformat.read(path, as_version=4)
    notebook.cells[0].source += "\n\nThe impact is 12%."
    nbformat.write(notebook, path)
    other = fresh_project / "notebooks/studies/bargaining.toml"
    other.write_text("broken = ", "utf-8")
    found = lint_notebooks(load_study(fresh_project / "notebooks/studies/plants.toml"))
    assert [flaw.word for flaw in found] == ["impact", "%"]
    assert {flaw.place for flaw in found} == {"data_report.ipynb: cell 'question'"}


def test_a_claim_that_lost_its_direction_takes_the_verb_from_the_prose(
    fresh_project: Path, plants_neck: Neck
) -> None:
    sentence = "Unions are associated with {{ union_sales.size }} more sales. Ministries ask"
    path = edit(fresh_project / "notebooks/studies/plants.toml", "Ministries ask", sentence)
    study = load_study(path)
    check_text(study)
    told = next(e for e in plants_neck.findings if e["claim"] == "union_sales")
    assert told["direction"] == "increase"
    assert "more sales" in str(list_texts(compose(clear(plants_neck, study), "en"), "background"))
    other = sentence.replace("union_sales", "grant_same_year")
    same = next(e for e in plants_neck.findings if e["claim"] == "grant_same_year")
    assert same["direction"] == "unclear"
    edit(path, sentence, other)
    with pytest.raises(LanguageError, match=r"'associated with' stands.*we cannot tell whether"):
        compose(clear(plants_neck, load_study(path)), "en")


def test_the_whole_composed_brief_is_read(
    plants: Study, plants_neck: Neck, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = say

    def drifted(language: str, message: str, **values: str) -> str:
        text = said(language, message, **values)
        return text + " It shows the impact." if message == "alt.intro" else text

    monkeypatch.setattr("evidence.exhibits.spoken.say", drifted)
    with pytest.raises(
        LanguageError, match=r"brief\.en: sections\.evidence\.blocks\[1\]\.alt: .*'impact' stands"
    ):
        compose(clear(plants_neck, plants), "en")
