"""Who issues a brief, what it does not imply, where its versions and its evidence lie."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evidence.brief.blocks import blocks_of, list_texts
from evidence.brief.exporter import BriefExporter, word_model
from evidence.brief.front_matter import shows_rights
from evidence.brief.imprint import DRAFT, Imprint
from evidence.brief.model import compose
from evidence.brief.versions import link_versions, name_version
from evidence.disclosure import Edition, clear, scan_bytes
from evidence.errors import DisclosureError, StudyError
from evidence.neck import Neck
from evidence.study import FrontMatter, Study, load_study

ADDRESS = "https://briefs.example.org/evidence"
GIVEN = FrontMatter(
    publisher="the labour institute",
    series="Working papers",
    number="7",
    isbn="978-0-306-40615-7",
    licence="CC BY 4.0",
    contact="the institute's publications office",
    address=ADDRESS,
)
SOURCE = "unsd_sdg_882"
EDITION = Edition(number=2, date="2026-05-01", cleared="", signed="", checked=(), key="", files={})


def _issued(study: Study, **changes: Any) -> Study:
    return replace(study, brief=replace(study.brief, imprint=replace(GIVEN, **changes)))


def test_a_brief_without_a_publisher_says_so_and_disclaims(
    plants: Study, plants_neck: Neck
) -> None:
    told = list_texts(compose(clear(plants_neck, plants), "en"), "imprint")
    assert told[0] == "This brief is not issued by any organization."
    for word in ("legal status", "endorsement", "theirs alone"):
        assert sum(word in text for text in told) == 1
    assert not any("8.8.2" in text for text in told)


def test_what_the_author_gives_is_printed(plants: Study, plants_neck: Neck) -> None:
    model = compose(clear(plants_neck, _issued(plants)), "en")
    told = list_texts(model, "imprint")
    assert told[:5] == [
        "Published by the labour institute.",
        "Series: Working papers, 7.",
        "ISBN 978-0-306-40615-7",
        "Licence: CC BY 4.0.",
        "Contact: the institute's publications office",
    ]
    assert model["sections"][-1]["id"] == "imprint"


def test_only_an_edition_is_to_be_cited(plants: Study, plants_neck: Neck) -> None:
    cleared = clear(plants_neck, _issued(plants))
    draft = list_texts(word_model(cleared, "en", "", DRAFT), "imprint")
    final = word_model(cleared, "en", "", Imprint(EDITION))
    assert not any("Suggested citation" in text for text in draft)
    assert list_texts(final, "imprint")[0] == (
        f"Suggested citation: the labour institute. {final['title']}. Edition 2, 1 May 2026. "
        "Study 'plants'."
    )


def test_sdg_indicator_882_carries_its_note(plants: Study, plants_neck: Neck) -> None:
    claims = (replace(plants.claims[0], sdg=("8.8.2",)), *plants.claims[1:])
    named = plants.data.sources
    assert not shows_rights(plants)
    assert shows_rights(replace(plants, claims=claims))
    assert shows_rights(replace(plants, data=replace(plants.data, sources=(*named, SOURCE))))
    own = replace(plants_neck, findings=[
        {**e, "sdg": ["8.8.2"]} if e["claim"] == claims[0].id else e for e in plants_neck.findings
    ])  # fmt: skip
    told = list_texts(compose(clear(own, replace(plants, claims=claims)), "en"), "imprint")
    assert told[-1].startswith("SDG indicator 8.8.2 is not meant as a tool for comparing")


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('isbn = "978-0-306-40615-8"', "isbn"),
        ('issn = "1234-5678"', "issn"),
        ('address = "http://briefs.example.org"', "address"),
        ('address = "https://briefs.example.org/a b"', "address"),
        ('address = "https://briefs.example.org/x?y=1"', "address"),
        ('address = "https://user@briefs.example.org"', "address"),
        ('editor = "someone"', "editor: an unknown key"),
    ],
)
def test_a_wrong_key_of_the_imprint_is_named(fresh_project: Path, line: str, key: str) -> None:
    path = fresh_project / "notebooks/studies/plants.toml"
    path.write_text(f"{path.read_text('utf-8')}\n[brief.imprint]\n{line}\n", "utf-8")
    with pytest.raises(StudyError, match=rf"plants\.toml: brief\.imprint\.{key}"):
        load_study(path)


def test_an_imprint_is_read(fresh_project: Path) -> None:
    path = fresh_project / "notebooks/studies/plants.toml"
    lines = '[brief.imprint]\nisbn = "0-306-40615-2"\nissn = "2434-561X"\n'
    path.write_text(f"{path.read_text('utf-8')}\n{lines}", "utf-8")
    assert load_study(path).brief.imprint == FrontMatter(isbn="0-306-40615-2", issn="2434-561X")


def test_a_code_leads_to_the_page_where_it_is_hosted(plants: Study, plants_neck: Neck) -> None:
    assert compose(clear(plants_neck, plants), "en")["code"] == {}
    cleared = clear(plants_neck, _issued(plants))
    page, made = BriefExporter().from_cleared(cleared, "en")
    code = made["brief"]["code"]
    assert code["address"] == f"{ADDRESS}/plants/brief.en.html"
    assert code["address"] in code["alt"]
    assert code["svg"] == compose(cleared, "en")["code"]["svg"]
    assert page.count(ADDRESS) == 2
    assert f'<a href="{ADDRESS}/plants/brief.en.html">' in page


@pytest.mark.parametrize(
    "markup",
    [
        f'<img src="{ADDRESS}/plants/a.html" alt="">',
        f'<a href="{ADDRESS}.evil.org/plants/brief.en.html">x</a>',
        f'<a href="{ADDRESS}/../brief.en.html">x</a>',
        f'<a href="{ADDRESS}/plants/brief.en.html" ping="//evil.org">x</a>',
        '<a href="https://elsewhere.example.org/plants/brief.en.html">x</a>',
        f'<link href="{ADDRESS}/plants/brief.en.html">',
    ],
)
def test_nothing_but_a_link_to_the_declared_address_passes(
    plants: Study, plants_neck: Neck, markup: str
) -> None:
    cleared = clear(plants_neck, _issued(plants))
    own = f'<a href="{ADDRESS}/plants/brief.en.html">x</a>'.encode()
    scan_bytes(own, cleared, "a.html")
    with pytest.raises(DisclosureError, match="outside the file"):
        scan_bytes(markup.encode(), cleared, "a.html")
    with pytest.raises(DisclosureError, match="outside the file"):
        scan_bytes(own, clear(plants_neck, plants), "a.html")


def test_versions_link_each_other_and_only_what_is_written(
    plants: Study, plants_neck: Neck
) -> None:
    brief = replace(plants.brief, languages=("en", "vi"), audiences=("government", "workers"))
    study = replace(plants, brief=brief)
    links = link_versions(study, "en", "workers", ["brief.workers.en.pdf", "tables.csv"])
    assert [(x["href"], x["text"], x["current"]) for x in links["languages"]] == [
        ("brief.workers.en.html", "English", True),
        ("brief.workers.vi.html", "Ti\u1ebfng Vi\u1ec7t", False),
    ]
    assert [(x["href"], x["current"]) for x in links["readers"]] == [
        ("brief.en.html", False),
        ("brief.workers.en.html", True),
    ]
    assert [x["href"] for x in links["formats"]] == ["brief.workers.en.pdf"]
    assert [x["href"] for x in links["behind"]] == ["tables.csv"]
    assert name_version(study, "vi", "technical") == "brief.vi"
    page, _ = BriefExporter().from_cleared(clear(plants_neck, plants), "en", links=links)
    assert 'lang="vi" hreflang="vi">' in page
    assert page.count('aria-current="page"') == 2


def test_bands_stand_above_all_else(plants: Study, plants_neck: Neck) -> None:
    page, made = BriefExporter().from_cleared(clear(plants_neck, plants), "en")
    (band,) = made["brief"]["bands"]
    assert "not yet been reviewed by a person" in band
    assert page.index(band) < page.index("<h1>")
    assert len(re.findall(re.escape(f'<p class="band">{band}</p>'), page)) == 2
    assert blocks_of(made["brief"], "imprint")
