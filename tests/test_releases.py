from __future__ import annotations

import json
import stat
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from conftest import copy_project
from evidence.disclosure import (
    Edition,
    Register,
    add_edition,
    check_differencing,
    check_value,
    clear,
    hash_units,
    list_checks,
    list_outputs,
    make_key,
    read_register,
    read_registers,
    register_path,
)
from evidence.disclosure.key import FILE, VARIABLE, hash_unit
from evidence.errors import DisclosureError, EvidenceError
from evidence.exhibits import Exhibit
from evidence.neck import Neck
from evidence.study import Study, load_study

KEY = "ab" * 32
ABOUT = {"confidentiality": "restricted", "threshold": 10}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, KEY)
    return copy_project(tmp_path / "p")


@pytest.fixture
def study(root: Path) -> Study:
    return load_study(root / "notebooks/studies/plants.toml")


def _factories(*numbers: int) -> list[str]:
    return [f"factory {number}" for number in numbers]


def _over(neck: Neck, units: Mapping[str, Iterable[int]]) -> Neck:
    """Call a neck's data restricted and its units these, by specification or cell."""
    known = {key: _factories(*numbers) for key, numbers in units.items()}
    rows = {key: dict.fromkeys(names, "0" * 16) for key, names in known.items()}
    shared = {"confidentiality": "restricted", "units": known, "rows": rows}
    protected = {**neck.protected, **shared}
    return replace(neck, protected=protected)


def _plants(neck: Neck, numbers: Iterable[int]) -> Neck:
    names = ("within", "published", "between", "random", "sales_between", "next_year")
    return _over(neck, dict.fromkeys((f"all/{name}" for name in names), tuple(numbers)))


def _release(neck: Neck, study: Study) -> None:
    """Enter a neck into the register, as ``publish`` does."""
    key = make_key(study.root, list_checks(read_registers(study.root)))
    outputs = tuple(hash_units(o, key) for o in list_outputs(neck, study))
    register = read_register(study.root, study.slug)
    edition = Edition(
        number=len(register.editions) + 1,
        date="2026-11-01",
        cleared="0" * 64,
        signed="1" * 64,
        checked=({"role": "head of research", "organisation": "ministry", "date": "2026-11-01"},),
        key=check_value(key),
        files={},
    )
    path = register_path(study.root, study.slug)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(add_edition(register, edition, outputs, ABOUT))


ATTACKS = {
    "a newly arrived factory": range(51),
    "nine newly arrived factories": range(59),
    "a lost factory": range(49),
    "a swap of one for one": [*range(1, 50), 50],
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_handful_of_factories_between_two_releases_is_caught(
    study: Study, plants_neck: Neck, attack: str
) -> None:
    _release(_plants(plants_neck, range(50)), study)
    told = r"plants: finding/.*fewer than 10 units \(factory\).*edition 1 of 'plants'.*newcomers"
    with pytest.raises(DisclosureError, match=told):
        check_differencing(_plants(plants_neck, ATTACKS[attack]), study)


SAFE = {
    "the same factories": range(50),
    "ten newcomers": range(60),
    "ten lost ones": range(40),
    "a swap of five for five": [*range(5, 50), *range(50, 55)],
    "other factories": range(100, 150),
}


@pytest.mark.parametrize("control", SAFE)
def test_a_safe_second_release_passes(study: Study, plants_neck: Neck, control: str) -> None:
    _release(_plants(plants_neck, range(50)), study)
    check_differencing(_plants(plants_neck, SAFE[control]), study)


@pytest.mark.parametrize(("changed", "caught"), [(1, True), (9, True), (10, False), (0, False)])
def test_the_same_factories_with_a_few_other_rows_are_caught(
    study: Study, plants_neck: Neck, changed: int, *, caught: bool
) -> None:
    first = _plants(plants_neck, range(50))
    _release(first, study)
    late = dict.fromkeys(_factories(*range(changed)), "f" * 16)
    rows = {key: {**of, **late} for key, of in first.protected["rows"].items()}
    second = replace(first, protected={**first.protected, "rows": rows})
    if not caught:
        check_differencing(second, study)
        return
    with pytest.raises(DisclosureError, match=r"fewer than 10 units.*the same rows.*late rows"):
        check_differencing(second, study)


def test_every_earlier_edition_is_remembered_and_not_the_last_alone(
    study: Study, plants_neck: Neck
) -> None:
    _release(_plants(plants_neck, range(50)), study)
    _release(_plants(plants_neck, range(70)), study)
    with pytest.raises(DisclosureError, match="edition 1 of 'plants'"):
        check_differencing(_plants(plants_neck, range(51)), study)
    check_differencing(_plants(plants_neck, range(85)), study)


def test_a_release_of_another_study_is_remembered(
    root: Path, study: Study, plants_neck: Neck
) -> None:
    _release(_plants(plants_neck, range(50)), study)
    path = root / "notebooks/studies/works.toml"
    path.write_text(study.path.read_text("utf-8").replace('slug = "plants"', 'slug = "works"'))
    other = load_study(path)
    with pytest.raises(DisclosureError, match=r"works: finding/.*edition 1 of 'plants'"):
        check_differencing(_plants(plants_neck, range(51)), other)


def test_another_outcome_or_another_kind_of_unit_is_no_alarm(
    study: Study, plants_neck: Neck
) -> None:
    _release(_plants(plants_neck, range(50)), study)
    findings = [{**e, "outcome": f"other_{e['outcome']}"} for e in plants_neck.findings]
    check_differencing(replace(_plants(plants_neck, range(51)), findings=findings), study)
    workers = _plants(plants_neck, range(51))
    protected = {**workers.protected, "protected_unit": "worker"}
    check_differencing(replace(workers, protected=protected), study)


def test_the_gate_itself_refuses_a_newcomer(study: Study, plants_neck: Neck) -> None:
    _release(_plants(plants_neck, range(50)), study)
    with pytest.raises(DisclosureError, match="Hold newcomers, late rows"):
        clear(_plants(plants_neck, range(51)), study)


def test_rules_of_contributors_do_not_bind_public_data(study: Study, plants_neck: Neck) -> None:
    _release(_plants(plants_neck, range(50)), study)
    newer = _plants(plants_neck, range(51))
    public = replace(newer, protected={**newer.protected, "confidentiality": "public"})
    check_differencing(public, study)


def test_models_of_one_release_may_lack_a_few_and_repeat_it_later(
    study: Study, plants_neck: Neck
) -> None:
    def samples(last: int) -> Neck:
        whole = ("all/within", "all/published", "all/random", "all/next_year")
        units = dict.fromkeys(whole, range(last))
        return _over(
            plants_neck, {**units, "all/between": range(1, last), "all/sales_between": range(last)}
        )

    check_differencing(samples(50), study)
    _release(samples(50), study)
    check_differencing(samples(50), study)
    check_differencing(samples(62), study)


def _tables(neck: Neck, cells: Mapping[str, Iterable[int]]) -> Neck:
    """Put the findings away and a table of cells ``wages`` in their place."""
    table = Exhibit("wages", {"kind": "cells", "outcome": "wage"}, neck.exhibits[0].data)
    bare = replace(neck, findings=[], exhibits=(table,))
    return _over(bare, {f"wages/{cell}": numbers for cell, numbers in cells.items()})


PARTS = {"garment": range(20), "electronics": range(20, 40), "automotive": range(40, 60)}


def test_a_total_less_its_parts_is_caught_within_a_release(study: Study, plants_neck: Neck) -> None:
    check_differencing(_tables(plants_neck, {**PARTS, "all": range(60)}), study)
    with pytest.raises(DisclosureError, match=r"wages/all.*wages/.* \+ wages/.*of this release"):
        check_differencing(_tables(plants_neck, {**PARTS, "all": range(61)}), study)


@pytest.mark.parametrize("first", ["total", "parts"])
def test_a_total_less_its_parts_is_caught_between_releases(
    study: Study, plants_neck: Neck, first: str
) -> None:
    total, parts = _tables(plants_neck, {"all": range(61)}), _tables(plants_neck, PARTS)
    _release(total if first == "total" else parts, study)
    sides = ["wages/all", r"wages/\w+ \+ wages/\w+ \+ wages/\w+"]
    new, old = sides[::-1] if first == "total" else sides
    with pytest.raises(DisclosureError, match=f"between {new} and {old} of edition 1 of 'plants'"):
        check_differencing(parts if first == "total" else total, study)


def test_a_total_of_just_its_parts_passes_between_releases(study: Study, plants_neck: Neck) -> None:
    _release(_tables(plants_neck, PARTS), study)
    check_differencing(_tables(plants_neck, {"all": range(60)}), study)
    check_differencing(_tables(plants_neck, {"all": range(75)}), study)


def test_a_table_with_margins_is_no_alarm_and_a_margin_with_a_stranger_is_one(
    study: Study, plants_neck: Neck
) -> None:
    cells = {
        f"{place} {sector}": range(30 * i + 15 * j, 30 * i + 15 * j + 15)
        for i, place in enumerate("ab")
        for j, sector in enumerate("xy")
    }
    rows = {"a": range(30), "b": range(30, 60)}
    check_differencing(_tables(plants_neck, {**cells, **rows, "all": range(60)}), study)
    with pytest.raises(DisclosureError, match="wages/b"):
        check_differencing(_tables(plants_neck, {**cells, **rows, "b": range(30, 61)}), study)


def test_a_comparison_rests_on_the_union_of_its_findings(chains: Study, chains_neck: Neck) -> None:
    outputs = {o.id: o for o in list_outputs(chains_neck, chains)}
    together = outputs["comparison/committee_compliance"]
    parts = [o for o in outputs.values() if o.group == "committee_compliance"]
    assert len(parts) == 7
    assert together.units == frozenset().union(*(o.units for o in parts))
    assert together.n_units == 680


def test_a_refused_finding_releases_no_statistic(plants: Study, plants_neck: Neck) -> None:
    names = {o.id for o in list_outputs(plants_neck, plants)}
    assert "finding/union_between" in names
    assert "finding/union_within" not in names


def test_restricted_data_without_a_list_of_units_are_refused(
    study: Study, plants_neck: Neck
) -> None:
    with pytest.raises(DisclosureError, match="no list of the units"):
        check_differencing(_over(plants_neck, {}), study)


def test_the_register_holds_keyed_hashes_and_no_name(study: Study, plants_neck: Neck) -> None:
    _release(_plants(plants_neck, range(50)), study)
    text = register_path(study.root, "plants").read_text("utf-8")
    assert "factory 1" not in text
    assert KEY not in text
    line = json.loads(text.splitlines()[1])
    assert line["output"] == "finding/grant_after"
    assert line["n_units"] == len(line["units"]) == 50
    assert all(len(unit) == 16 for unit in line["units"])


def test_a_clone_without_the_key_refuses_and_makes_no_new_one(
    study: Study, plants_neck: Neck, monkeypatch: pytest.MonkeyPatch
) -> None:
    _release(_plants(plants_neck, range(50)), study)
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(DisclosureError, match=r"no key.*Ask who published last"):
        clear(_plants(plants_neck, range(50)), study)
    with pytest.raises(DisclosureError, match="no new key is made"):
        make_key(study.root, list_checks(read_registers(study.root)))
    assert not (study.root / FILE).exists()


def test_a_wrong_key_is_recognised(
    study: Study, plants_neck: Neck, monkeypatch: pytest.MonkeyPatch
) -> None:
    _release(_plants(plants_neck, range(50)), study)
    monkeypatch.setenv(VARIABLE, "cd" * 32)
    with pytest.raises(DisclosureError, match="another key than the one"):
        check_differencing(_plants(plants_neck, range(51)), study)
    monkeypatch.setenv(VARIABLE, "abcd")
    with pytest.raises(DisclosureError, match=r"something that is no key.*64 hexadecimal"):
        check_differencing(_plants(plants_neck, range(51)), study)


def test_the_first_key_is_made_for_the_owner_alone(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE)
    key = make_key(root, set())
    assert len(key) == 32
    assert stat.S_IMODE((root / FILE).stat().st_mode) == 0o600
    assert make_key(root, set()) == key
    assert make_key(root, {check_value(key)}) == key


@pytest.mark.parametrize(
    ("damage", "seen"),
    [
        (lambda lines: lines[1:], "do not count up|not all lines"),
        (lambda lines: lines[:-1], "not all lines of edition 1"),
        (lambda lines: [*lines, *lines], "do not count up"),
        (lambda lines: [*lines, "{"], "not JSON"),
        (lambda lines: [line.replace('"plants"', '"works"') for line in lines], "another study"),
        (lambda lines: [*lines, "{}"], r"line \d+"),
    ],
)
def test_a_damaged_register_is_refused(
    study: Study, plants_neck: Neck, damage: object, seen: str
) -> None:
    _release(_plants(plants_neck, range(50)), study)
    path = register_path(study.root, "plants")
    assert callable(damage)
    path.write_text("\n".join(damage(path.read_text("utf-8").splitlines())) + "\n", "utf-8")
    with pytest.raises(EvidenceError, match=seen):
        check_differencing(_plants(plants_neck, range(50)), study)


def test_a_study_without_a_register_has_no_edition(study: Study) -> None:
    assert read_register(study.root, "plants") == Register("plants", (), (), b"")
    assert read_register(study.root, "plants").latest is None


def test_units_spelt_otherwise_are_known_again() -> None:
    key = bytes.fromhex(KEY)
    same = [("F-0007", "f0007"), ("0042", "42"), ("Mill 7 Ltd", "MILL-7 LTD"), ("กข", "กข ")]
    for one, other in same:
        assert hash_unit(key, "factory", one) == hash_unit(key, "factory", other)
    apart = ["F0007", "F007", "7", "0", "F0070", "--", "-"]
    assert len({hash_unit(key, "factory", name) for name in apart}) == len(apart)
