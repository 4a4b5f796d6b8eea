"""Every error tells a person where, what was seen, what was expected and what to do."""

from __future__ import annotations

import inspect
import pickle
import re

import pytest

from evidence import errors
from evidence.errors import EvidenceError

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, Exception) and kind.__module__ == errors.__name__
]
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def _raised(kind: type[EvidenceError]) -> EvidenceError:
    return kind("plants.toml: study.slug", seen="'Plants'", expected="'plants'", do="Rename it.")


@each_kind
def test_each_error_can_be_caught_as_an_evidence_error(kind: type[EvidenceError]) -> None:
    with pytest.raises(EvidenceError, match=r"^plants\.toml: study\.slug: 'Plants'; "):
        raise _raised(kind)


@each_kind
def test_each_error_reads_where_seen_expected_do(kind: type[EvidenceError]) -> None:
    text = "plants.toml: study.slug: 'Plants'; expected 'plants'. Rename it."
    assert str(_raised(kind)) == text


@each_kind
def test_each_error_comes_back_whole_from_another_process(kind: type[EvidenceError]) -> None:
    error = _raised(kind)
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is kind
    assert str(back) == str(error)
    assert (back.where, back.seen, back.expected, back.do) == error.args


def test_each_room_has_an_error_right_below_the_first_one() -> None:
    assert {kind.__base__ for kind in KINDS if kind is not EvidenceError} == {EvidenceError}


def test_the_tree_in_the_docstring_names_every_class_once() -> None:
    drawn = re.findall(r"\w+Error", errors.__doc__ or "")
    assert sorted(drawn) == sorted(kind.__name__ for kind in KINDS)


def test_an_error_without_what_to_do_cannot_be_raised() -> None:
    with pytest.raises(TypeError, match="'do'"):
        EvidenceError("plants.toml", seen="x", expected="y")  # type: ignore[call-arg]
