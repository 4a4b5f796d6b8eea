from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from conftest import copy_project
from evidence.brief import edition as edition_room
from evidence.brief import hash_signed, publish, withdraw, write_brief
from evidence.brief.imprint import Imprint
from evidence.brief.page import render_all
from evidence.cli import main
from evidence.disclosure import (
    Cleared,
    clear,
    read_history,
    read_register,
    register_path,
    signoff_path,
    state_path,
    tell_state,
)
from evidence.disclosure.key import FILE, VARIABLE
from evidence.errors import BriefError, DisclosureError
from evidence.files import replace_file
from evidence.neck import Neck
from evidence.portal import write_portal
from evidence.study import Study, load_study

TODAY = date(2026, 11, 22)
DRAFT = "Draft, not for citation"
PAGE, CARD = "brief.en.html", "brief.en.json"
SIGNOFF = """schema_version = 1

[[signoff]]
role = "head of the research unit"
organisation = "the ministry"
date = "2026-11-20"
sha256 = "{sha256}"
"""
REPLY = """
[[reply]]
party = "the employers' association"
asked = "2026-10-01"
until = "{until}"
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return copy_project(tmp_path / "p")


@pytest.fixture
def cleared(root: Path, plants_neck: Neck) -> Cleared:
    return clear(plants_neck, load_study(root / "notebooks/studies/plants.toml"))


def _sign(cleared: Cleared, more: str = "") -> None:
    text = SIGNOFF.format(sha256=hash_signed(cleared)[:12]) + more
    signoff_path(cleared.study).write_text(text, "utf-8")


def _reworded(cleared: Cleared) -> Cleared:
    """Change a word of the study and clear it again."""
    path = cleared.study.path
    path.write_text(path.read_text("utf-8").replace("Ministries ask", "Governments ask"), "utf-8")
    return clear(cleared.neck, load_study(path))


def _bytes(root: Path) -> dict[str, bytes]:
    places = (root / "reports/public", root / "data/releases", root / "notebooks/studies")
    files = [path for place in places for path in place.rglob("*") if path.is_file()]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def test_a_draft_says_so_to_eyes_ears_and_machines(cleared: Cleared) -> None:
    page = write_brief(cleared, "en")
    text = page.read_text("utf-8")
    assert re.search(rf'<p class="draft" role="note">{DRAFT}', text)
    assert '<div class="watermark" aria-hidden="true" data-mark="Draft"></div>' in text
    assert re.search(rf"<title>.*{DRAFT}</title>", text)
    card = json.loads(page.with_suffix(".json").read_text("utf-8"))
    assert (card["state"], card["edition"], card["date"]) == ("draft", None, "")


def test_an_edition_carries_its_number_and_no_watermark(cleared: Cleared) -> None:
    _sign(cleared)
    made = publish(cleared, today=TODAY)
    assert made.new
    assert made.edition.number == 1
    text = (made.folder / PAGE).read_text("utf-8")
    assert "Edition 1, 22 November 2026" in text
    assert "head of the research unit, the ministry, 20 November 2026" in text
    assert "No party was asked to reply" in text
    assert "Draft" not in text
    assert 'class="watermark"' not in text
    card = json.loads((made.folder / CARD).read_text("utf-8"))
    assert (card["state"], card["edition"], card["date"]) == ("published", 1, "2026-11-22")
    public = cleared.study.public
    assert {PAGE, CARD} <= {p.name for p in made.folder.iterdir()} == set(made.edition.files)
    for name in made.edition.files:
        assert (public / name).read_bytes() == (made.folder / name).read_bytes()


def test_a_rebuild_from_unchanged_inputs_makes_no_new_edition(cleared: Cleared, root: Path) -> None:
    _sign(cleared)
    publish(cleared, today=TODAY)
    before = _bytes(root)
    write_brief(cleared, "en")
    assert _bytes(root) == before
    again = publish(cleared, today=date(2027, 3, 1))
    assert not again.new
    assert again.edition.number == 1
    assert _bytes(root) == before


def test_a_fresh_clone_makes_the_published_bytes_again(cleared: Cleared, root: Path) -> None:
    _sign(cleared)
    publish(cleared, today=TODAY)
    before = _bytes(root)
    shutil.rmtree(root / "reports/public")
    assert not publish(cleared, today=date(2027, 3, 1)).new
    assert _bytes(root) == before


def test_a_changed_word_is_a_draft_again_and_then_the_next_edition(
    cleared: Cleared, root: Path
) -> None:
    _sign(cleared)
    first = publish(cleared, today=TODAY)
    kept = (first.folder / PAGE).read_bytes()
    changed = _reworded(cleared)
    assert DRAFT in write_brief(changed, "en").read_text("utf-8")
    _sign(changed)
    second = publish(changed, today=date(2026, 12, 1))
    assert second.edition.number == 2
    assert (first.folder / PAGE).read_bytes() == kept
    history = read_history(root, "plants")
    assert [e.state for e in history if e.edition == 1] == [
        "checked", "cleared", "published", "superseded",
    ]  # fmt: skip
    assert tell_state(history, 2) == "published"
    assert tell_state(history, 3) == "draft"
    assert [e.number for e in read_register(root, "plants").editions] == [1, 2]


def test_history_and_register_only_get_longer(cleared: Cleared, root: Path) -> None:
    _sign(cleared)
    publish(cleared, today=TODAY)
    paths = (register_path(root, "plants"), state_path(root, "plants"))
    before = [path.read_bytes() for path in paths]
    changed = _reworded(cleared)
    _sign(changed)
    publish(changed, today=TODAY)
    for path, earlier in zip(paths, before, strict=True):
        assert path.read_bytes().startswith(earlier)
        assert len(path.read_bytes()) > len(earlier)


def test_nobody_s_sign_off_is_refused_with_an_example(cleared: Cleared, root: Path) -> None:
    with pytest.raises(DisclosureError, match=r"nobody's sign-off") as refused:
        publish(cleared, today=TODAY)
    example = refused.value.do.split("file:\n")[1].rpartition("\n")[0]
    signoff_path(cleared.study).write_text(example, "utf-8")
    assert not (root / "data/releases").exists()
    assert publish(cleared, today=TODAY).new


def test_a_sign_off_of_something_else_is_refused(cleared: Cleared, root: Path) -> None:
    _sign(cleared)
    changed = _reworded(cleared)
    with pytest.raises(DisclosureError, match="signed what has changed since"):
        publish(changed, today=TODAY)
    assert not (root / "data/releases").exists()


@pytest.mark.parametrize(
    ("old", "new", "seen"),
    [
        ('date = "2026-11-20"', 'date = "2026-12-24"', "still to come"),
        ('date = "2026-11-20"', 'date = "2026-02-30"', r"signoff\[1\]\.date: '2026-02-30'"),
        ('role = "', 'rol = "', r"signoff\[1\]\.rol: an unknown key.*did you mean 'role'"),
        ('sha256 = "', 'sha256 = "x', r"signoff\[1\]\.sha256"),
        ('asked = "2026-10-01"', 'asked = "2026-10-09"', "a time to reply from 2026-10-09"),
    ],
)
def test_a_wrong_sign_off_file_is_told(cleared: Cleared, old: str, new: str, seen: str) -> None:
    _sign(cleared, REPLY.format(until="2026-10-08"))
    path = signoff_path(cleared.study)
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    with pytest.raises(DisclosureError, match=seen):
        publish(cleared, today=TODAY)


def test_a_party_has_its_time_to_reply(cleared: Cleared) -> None:
    _sign(cleared, REPLY.format(until="2026-11-22"))
    assert "may answer until 22 November 2026" in write_brief(cleared, "en").read_text("utf-8")
    with pytest.raises(DisclosureError, match=r"employers' association.*no answer yet"):
        publish(cleared, today=TODAY)
    made = publish(cleared, today=date(2026, 11, 23))
    text = (made.folder / PAGE).read_text("utf-8")
    assert "had until 22 November 2026. No answer came." in text


def test_an_answer_is_printed_as_given_and_as_text(cleared: Cleared) -> None:
    answer = 'answer.en = "We count 9 of 10 members <b>differently</b>."\n'
    _sign(cleared, REPLY.format(until="2026-11-30") + answer)
    text = (publish(cleared, today=TODAY).folder / PAGE).read_text("utf-8")
    assert "The employers&#39; association, asked on 1 October 2026, answered:" in text
    assert "We count 9 of 10 members &lt;b&gt;differently&lt;/b&gt;." in text


def test_an_answer_in_another_language_is_marked_as_such(cleared: Cleared) -> None:
    _sign(cleared, REPLY.format(until="2026-11-30") + 'answer.vi = "Chúng tôi đồng ý."\n')
    text = (publish(cleared, today=TODAY).folder / PAGE).read_text("utf-8")
    assert '<blockquote lang="vi">Chúng tôi đồng ý.</blockquote>' in text


def test_a_late_answer_makes_the_next_edition(cleared: Cleared) -> None:
    _sign(cleared, REPLY.format(until="2026-11-01"))
    publish(cleared, today=TODAY)
    _sign(cleared, REPLY.format(until="2026-11-01") + 'answer.en = "We agree."\n')
    assert publish(cleared, today=TODAY).edition.number == 2


def test_an_edition_whose_bytes_were_changed_stops_everything(cleared: Cleared) -> None:
    _sign(cleared)
    made = publish(cleared, today=TODAY)
    (made.folder / PAGE).write_bytes(b"another page")
    with pytest.raises(BriefError, match="other files than those of the register"):
        publish(cleared, today=TODAY)
    changed = _reworded(cleared)
    _sign(changed)
    with pytest.raises(BriefError, match="editions/1"):
        publish(changed, today=TODAY)
    assert (made.folder / PAGE).read_bytes() == b"another page"


def test_a_folder_that_no_register_knows_is_not_overwritten(cleared: Cleared) -> None:
    _sign(cleared)
    folder = cleared.study.public / "editions/1"
    folder.mkdir(parents=True)
    (folder / PAGE).write_bytes(b"a stranger")
    with pytest.raises(BriefError, match="remove the folder"):
        publish(cleared, today=TODAY)
    assert (folder / PAGE).read_bytes() == b"a stranger"


def test_a_failure_in_the_middle_leaves_everything_as_it_was(
    cleared: Cleared, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _sign(cleared)
    count = len(publish(cleared, today=TODAY).edition.files)
    changed = _reworded(cleared)
    _sign(changed)
    before = _bytes(root)
    write, render, kept = replace_file, render_all, dict[int, dict[str, bytes]]()

    def render_once(cleared: Cleared, imprint: Imprint) -> dict[str, bytes]:
        assert imprint.edition is not None
        number = imprint.edition.number
        if number not in kept:
            kept[number] = render(cleared, imprint)
        return kept[number]

    monkeypatch.setattr(edition_room, "render_all", render_once)
    for number in (0, count - 1, count, 2 * count - 1, 2 * count, 2 * count + 1):
        calls = iter(range(99))

        def fail(path: Path, payload: bytes, n: int = number, calls: Iterator[int] = calls) -> None:
            if next(calls) == n:
                raise OSError("disk full")
            write(path, payload)

        monkeypatch.setattr(edition_room, "replace_file", fail)
        with pytest.raises(OSError, match="disk full"):
            publish(changed, today=TODAY)
        assert _bytes(root) == before, number
    monkeypatch.undo()
    assert publish(changed, today=TODAY).edition.number == 2


def test_files_are_written_twice_and_then_the_records(
    cleared: Cleared, monkeypatch: pytest.MonkeyPatch
) -> None:
    _sign(cleared)
    write, written = replace_file, list[str]()

    def record(path: Path, payload: bytes) -> None:
        written.append(path.name)
        write(path, payload)

    monkeypatch.setattr(edition_room, "replace_file", record)
    files = list(publish(cleared, today=TODAY).edition.files)
    assert sorted(written[: len(files)]) == sorted(written[len(files) : -2]) == sorted(files)
    assert written[-2:] == ["plants.jsonl", "plants.state.toml"]


def test_a_lost_state_is_written_again_and_a_lost_register_is_told(
    cleared: Cleared, root: Path
) -> None:
    _sign(cleared)
    publish(cleared, today=TODAY)
    state_path(root, "plants").unlink()
    publish(cleared, today=TODAY)
    assert tell_state(read_history(root, "plants"), 1) == "published"
    register_path(root, "plants").unlink()
    with pytest.raises(DisclosureError, match=r"no edition 1.*Restore both files"):
        publish(cleared, today=TODAY)


def _restricted(cleared: Cleared, names: Callable[[list[str]], list[str]]) -> Cleared:
    protected = cleared.neck.protected
    units = {key: names(known) for key, known in protected["units"].items()}
    changed = {**protected, "confidentiality": "restricted", "units": units}
    return clear(replace(cleared.neck, protected=changed), cleared.study)


def test_restricted_data_leave_hashes_and_the_next_newcomer_is_held_back(
    cleared: Cleared, root: Path, plants: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    shutil.copytree(plants.internal, cleared.study.internal)
    held = _restricted(cleared, lambda names: names)
    _sign(held)
    publish(held, today=TODAY)
    assert (root / FILE).is_file()
    outputs = read_register(root, "plants").outputs
    assert {o.n_units for o in outputs if o.id == "finding/grant_after"} == {54}
    assert all(len(o.units) == o.n_units for o in outputs)
    with pytest.raises(DisclosureError, match="Hold newcomers, late rows"):
        _restricted(cleared, lambda names: [*names, "a new plant"])
    (root / FILE).unlink()
    with pytest.raises(DisclosureError, match="no new key is made"):
        _restricted(cleared, lambda names: names)


def test_the_register_holds_no_name_of_a_unit(cleared: Cleared, root: Path) -> None:
    secret = {**cleared.neck.protected, "identifiers": ["Grant after", "Mill 7 Ltd"]}
    named = clear(replace(cleared.neck, protected=secret), cleared.study)
    _sign(named)
    before = _bytes(root)
    with pytest.raises(DisclosureError, match=r"brief\.en\.html: an identifier"):
        publish(named, today=TODAY)
    assert _bytes(root) == before
    secret["identifiers"] = ["Mill 7 Ltd"]
    named = clear(replace(cleared.neck, protected=secret), cleared.study)
    _sign(named)
    file = signoff_path(named.study)
    file.write_text(file.read_text("utf-8") + 'note = "asked mill-7 ltd"\n', "utf-8")
    with pytest.raises(DisclosureError, match="data/releases/plants: an identifier"):
        publish(named, today=TODAY)


def test_public_data_need_no_key_and_leave_no_hash(cleared: Cleared, root: Path) -> None:
    _sign(cleared)
    publish(cleared, today=TODAY)
    assert not (root / FILE).exists()
    register = read_register(root, "plants")
    assert register.editions[0].key == ""
    assert all(o.n_units and not o.units for o in register.outputs)


def test_the_portal_lists_editions_and_marks_drafts(cleared: Cleared, root: Path) -> None:
    public = root / "reports/public"
    write_brief(cleared, "en")
    text = write_portal(public, ["plants"]).read_text("utf-8")
    assert DRAFT in text
    assert "Published editions" not in text
    _sign(cleared)
    publish(cleared, today=TODAY)
    text = write_portal(public, ["plants"]).read_text("utf-8")
    assert DRAFT not in text
    assert "plants/editions/1/brief.en.html" in text
    assert "Edition 1, 22 November 2026" in text
    write_brief(_reworded(cleared), "en")
    text = write_portal(public, ["plants"]).read_text("utf-8")
    assert DRAFT in text
    assert "plants/editions/1/brief.en.html" in text


def test_a_withdrawn_edition_keeps_its_number_and_loses_its_words(
    cleared: Cleared, root: Path
) -> None:
    _sign(cleared)
    folder = publish(cleared, today=TODAY).folder
    withdraw(cleared.study, "error", by="head", today=date(2026, 12, 1), note="a wrong unit")
    for page in (folder / PAGE, cleared.study.public / PAGE, write_brief(cleared, "en")):
        text = page.read_text("utf-8")
        assert "Edition 1 of 22 November 2026 was withdrawn on 1 December 2026" in text
        assert "An error was found" in text
        assert "a wrong unit" not in text
        assert "scrap rate" not in text
        assert cleared.study.heading.title not in text
        assert cleared.study.heading.question not in text
    assert json.loads((folder / CARD).read_text("utf-8"))["state"] == "withdrawn"
    assert tell_state(read_history(root, "plants"), 1) == "withdrawn"
    assert len(read_register(root, "plants").outputs) == 6
    portal = write_portal(root / "reports/public", ["plants"]).read_text("utf-8")
    assert "Withdrawn: edition 1" in portal
    with pytest.raises(BriefError, match="just what was withdrawn as edition 1"):
        publish(cleared, today=date(2026, 12, 2))
    with pytest.raises(BriefError, match="no edition that stands"):
        withdraw(cleared.study, "error", by="head", today=date(2026, 12, 2))


def test_after_a_withdrawal_comes_the_next_number(cleared: Cleared, root: Path) -> None:
    _sign(cleared)
    publish(cleared, today=TODAY)
    withdraw(cleared.study, "error", by="head", today=TODAY)
    changed = _reworded(cleared)
    assert DRAFT in write_brief(changed, "en").read_text("utf-8")
    _sign(changed)
    assert publish(changed, today=TODAY).edition.number == 2
    history = read_history(root, "plants")
    assert (tell_state(history, 1), tell_state(history, 2)) == ("withdrawn", "published")


@pytest.mark.slow
def test_the_command_line_goes_from_draft_to_edition(root: Path) -> None:
    study = str(root / "notebooks/studies/plants.toml")
    runner = CliRunner()
    for verb in ("run", "brief"):
        done = runner.invoke(main, [verb, study])
        assert done.exit_code == 0, done.output
    found = re.search(r"plants: to sign in plants\.signoff\.toml: sha256 (\w{12})\n", done.output)
    assert found is not None
    refused = runner.invoke(main, ["publish", study])
    assert refused.exit_code == 1
    assert "nobody's sign-off" in refused.output
    file = root / "notebooks/studies/plants.signoff.toml"
    signed = SIGNOFF.format(sha256=found[1]).replace("2026-11-20", "2020-01-31")
    file.write_text(signed, "utf-8")
    done = runner.invoke(main, ["publish", study])
    assert done.exit_code == 0, done.output
    assert re.search(r"plants: edition 1 of \d{4}-\d\d-\d\d, reports/public/plants/", done.output)
    done = runner.invoke(main, ["brief", study])
    assert "plants: signed by head of the research unit" in done.output
    assert "Edition 1" in (root / "reports/public/plants" / PAGE).read_text("utf-8")
    done = runner.invoke(main, ["publish", study])
    assert "no new edition" in done.output
    done = runner.invoke(main, ["withdraw", study, "--reason", "data", "--by", "head"])
    assert "plants: edition 1 withdrawn" in done.output
