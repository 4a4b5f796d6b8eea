"""The linter of prose: a word that no design has earned, a number that no finding carries.

The policy, tested sentence by sentence in ``tests/test_linter.py``:

1. Each sentence has a strength: that of the claims whose placeholders it holds, the
   weakest of them; without one, the strength that the caller gives, the weakest of the
   study's claims.
2. Each word of the language's list has the least strength that earns it; ``never`` is
   earned by nothing. Questions and headings are read like any sentence.
3. Code, addresses, names of methods ("fixed effects") and simulations' true effects are
   passed over, and so is a clause that a disclaimer opens ("cannot show that …"), up to
   its end.

The words are in ``locales/<language>.verbs.toml``.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from evidence.errors import LanguageError
from evidence.language.lists import TRIED, Strength, compile_numbers, compile_words, load_lists
from evidence.language.prose import PLACEHOLDER

STRENGTHS: tuple[Strength, ...] = ("nothing", "association", "within", "adoption", "cause")
"""What a design may be worded as, weakest first; nothing is an interval across zero."""

_OF_DESIGNS: dict[str, Strength] = {
    "pooled": "association",
    "between": "association",
    "random": "association",
    "instrument": "association",
    "moderated": "association",
    "within": "within",
    "dynamic": "within",
    "adoption": "adoption",
    "cutoff": "cause",
    "randomised": "cause",
}
_FENCE = re.compile(r"^(```|~~~).*?^\1[^\n]*$", re.DOTALL | re.MULTILINE)
_SPAN = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
_ADDRESS = re.compile(
    r"(?<=\])\([^)\s]*\)|<?https?://[^\s>)]+>?|[\w./-]+\.(?:toml|ipynb|csv|json)\b"
)
_LINKED = re.compile(r"\[[^\]]*\]\((?:https?://|doi:)[^)\s]*\)")
_ENDS = re.compile(
    r"(?<=[.!?;:])\s+|(?<=[\u3002\u17d4\u17d5\u0964])\s*|\n\s*\n|\n(?=\s*(?:[-*+>|#]|\d+[.)])\s)|(?<=\n)(?=#)"
)


@dataclass(frozen=True, slots=True)
class Flaw:
    """A word or number that stands where nothing carries it.

    ``place`` is file and key or cell, ``around`` the words beside it, ``needs`` the least
    strength that earns it (empty for numbers, ``never`` for what nothing earns).
    """

    place: str
    word: str
    around: str
    needs: str
    earned: str
    remedy: str


def strength_of(design: str) -> Strength:
    """Tell how strongly a design may be worded at best; an unknown one only as association."""
    return _OF_DESIGNS.get(design, "association")


def weakest(strengths: Iterable[Strength]) -> Strength:
    """Choose the weakest of some strengths; association where there is none."""
    return min(strengths, key=STRENGTHS.index, default="association")


def list_flaws(
    language: str,
    text: str,
    place: str,
    earned: Strength,
    claims: Mapping[str, Strength] | None = None,
) -> tuple[Flaw, ...]:
    """List the words of a text that its design has not earned.

    Parameters
    ----------
    place : str
        File and key, or file and cell.
    earned : str
        One of ``STRENGTHS``: for sentences without a placeholder.
    claims : mapping
        Claim → strength, for sentences that hold its placeholder.

    Raises
    ------
    LanguageError
        Where the language has no list of verbs.
    """
    patterns = compile_words(language)
    found = []
    for sentence in _sentences(text):
        named = [claim for claim, _ in PLACEHOLDER.findall(sentence) if claim in (claims or {})]
        strength = weakest((claims or {})[claim] for claim in named) if named else earned
        plain = PLACEHOLDER.sub(" ", sentence)
        bare = _blank_disclaimed(_blank(plain, patterns["permitted"]), patterns)
        found += _flaws_of(language, (plain, bare), place, strength)
    return tuple(found)


def list_numbers(language: str, text: str, place: str) -> tuple[Flaw, ...]:
    """List decimals and percentages that are typed into the prose of a notebook.

    Passed over are code, placeholders, addresses, the text of links to published works,
    and the number behind a citation ("Table 14.2"). Whole numbers may stand.
    """
    words = load_lists(language).numbers
    plain = _LINKED.sub(" ", _strip_code(text))
    plain = PLACEHOLDER.sub(" ", _ADDRESS.sub(" ", plain))
    plain = _normalise(plain)
    cited = "|".join(words.citations)
    plain = re.sub(rf"(?i)(?<!\w)(?:{cited})\s+\d+(?:\.\d+)*(?:(?:\s*(?:,|and|to|-)\s*)\d+(?:\.\d+)*)*",
                   " ", plain)  # fmt: skip
    plain = re.sub(r"(?m)^(#+ )[1-9]\d*(?:\.\d+)*\.?(?=\s)", r"\1", plain)
    plain = re.sub(
        r"(?<![\d.])\d+(?:\.\d+){2,}(?![\d.])|\b\d{1,3}(?:,\d{3})+\b(?!\.\d)", " ", plain
    )
    percent = "|".join(sorted(words.percent, key=len, reverse=True))
    typed = re.compile(
        rf"[%‰‱٪]|\d*[.,٫·]\d+|\d+(?:e[-+]?\d+)|[^\W\d_]?\u2044\d|"
        rf"(?:\d|{compile_numbers(language).pattern})[\s-]*(?:{percent})(?!\w)",
        re.IGNORECASE,
    )
    return tuple(
        Flaw(place, match.group().strip(), _around(plain, match), "", "",
             "Say it without the number, or let a finding's sentence carry it.")
        for match in typed.finditer(plain)
    )  # fmt: skip


def refuse(flaws: Iterable[Flaw]) -> None:
    """Refuse a text for its first flaw, telling how many come after it.

    Raises
    ------
    LanguageError
        Naming file, key or cell, the word, and what the design earns.
    """
    found = list(flaws)
    if not found:
        return
    first = found[0]
    more = f" ({len(found) - 1} more after this one.)" if len(found) > 1 else ""
    allowed = (
        "numbers from findings only" if not first.needs else "words that the design has earned"
    )
    raise LanguageError(
        first.place,
        seen=f"'{first.around}', where '{first.word}' stands",
        expected=allowed,
        do=first.remedy + more,
    )


def _flaws_of(language: str, texts: tuple[str, str], place: str, strength: Strength) -> list[Flaw]:
    """Find the unearned words of a sentence, each place once, strictest list first."""
    plain, bare = texts
    verbs, patterns = load_lists(language), compile_words(language)
    found = []
    for needs in TRIED:
        matches = list(patterns[needs].finditer(bare))
        for match in matches:
            if needs == "never" or STRENGTHS.index(needs) > STRENGTHS.index(strength):
                remedy = f"Write instead, for this design: {' | '.join(verbs.earned[strength])}."
                word = " ".join(match.group().split())
                found.append((match.start(), Flaw(place, word, _around(plain, match), needs,
                                                  strength, remedy)))  # fmt: skip
        bare = _blank(bare, patterns[needs]) if matches else bare
    return [flaw for _, flaw in sorted(found, key=lambda item: item[0])]


def _blank(text: str, pattern: re.Pattern[str]) -> str:
    """Overwrite what matches by bars, so that places stay and words do not join."""
    return pattern.sub(lambda match: "|" * len(match.group()), text)


def _blank_disclaimed(text: str, patterns: Mapping[str, re.Pattern[str]]) -> str:
    start = 0
    while match := patterns["disclaimers"].search(text, start):
        end = patterns["clause_ends"].search(text, match.end())
        start = end.start() if end else len(text)
        text = text[: match.start()] + "|" * (start - match.start()) + text[start:]
    return text


def _sentences(text: str) -> list[str]:
    """Split Markdown or plain text into sentences, without code, addresses and emphasis."""
    plain = _normalise(_ADDRESS.sub(" ", _strip_code(text)))
    held = PLACEHOLDER.sub(lambda match: match.group().replace("_", "\0"), plain)
    bare = re.sub(r"[*_~]+", lambda match: " " if "_" in match.group() else "", held)
    pieces = _ENDS.split(bare.replace("\0", "_"))
    return [" ".join(piece.split()) for piece in pieces if piece.strip()]


def _strip_code(text: str) -> str:
    return _SPAN.sub(" ", _FENCE.sub("\n\n", text))


def _normalise(text: str) -> str:
    plain = unicodedata.normalize("NFKC", html.unescape(text)).replace("\u2019", "'")
    return "".join(c for c in plain if unicodedata.category(c) != "Cf")


def _around(text: str, match: re.Match[str]) -> str:
    start = max(0, match.start() - 30)
    return " ".join(text[start : match.end() + 30].split())
