from __future__ import annotations

import re
from pathlib import Path

import evidence as ev

ROOT = Path(__file__).parents[1]


def test_the_face_is_small_sorted_and_complete() -> None:
    assert list(ev.__all__) == sorted(ev.__all__)
    assert len(ev.__all__) <= 26
    assert all(hasattr(ev, name) for name in ev.__all__)
    assert dir(ev) == ev.__all__


def test_the_face_refuses_other_names() -> None:
    assert not hasattr(ev, "pandas")


def test_every_name_of_the_face_is_typed_for_checkers() -> None:
    text = (ROOT / "src/evidence/__init__.py").read_text("utf-8")
    typed = re.findall(r"^    from evidence\.\w+ import (\w+) as \w+$", text, re.MULTILINE)
    assert sorted(typed) == list(ev.__all__)


def test_every_name_of_the_face_is_used_in_a_notebook_or_explained() -> None:
    texts = [p.read_text("utf-8") for p in (ROOT / "notebooks").glob("*.ipynb")]
    texts.append((ROOT / "docs/architecture.md").read_text("utf-8"))
    for name in ev.__all__:
        assert any(name in text for text in texts), name


def test_every_room_stands_in_the_map_of_the_house() -> None:
    text = (ROOT / "docs/architecture.md").read_text("utf-8")
    rooms = {p.stem for p in (ROOT / "src/evidence").glob("*.py")} - {"__init__"}
    rooms |= {p.parent.name for p in (ROOT / "src/evidence").glob("*/__init__.py")}
    for room in rooms:
        assert f"`{room}`" in text, room


def test_the_documents_name_only_files_that_exist() -> None:
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")):
        for target in re.findall(r"\]\(([^)#]+)", page.read_text("utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
