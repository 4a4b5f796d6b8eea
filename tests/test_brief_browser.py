"""Briefs in a real browser: no barrier in any language, no request, no value that runs."""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from browser import WIDTHS, list_violations, needs_browser, open_browser, sideways, visit
from evidence.brief.exporter import BriefExporter
from evidence.disclosure import Cleared, clear
from evidence.language import LANGUAGES
from evidence.neck import Neck
from evidence.study import Study

pytestmark = [pytest.mark.browser, needs_browser]

HIT = "document.documentElement.setAttribute('data-hit','%d')"
_IMAGE = '<img src="x" onerror="RUN">'
VECTORS = (
    "<script>RUN</script>", _IMAGE, "</title><script>RUN</script>", "</style><script>RUN</script>",
    '"><script>RUN</script>', "'><script>RUN</script>", '" onmouseover="RUN" autofocus onfocus="RUN',
    "<svg onload=RUN>", "<svg><script>RUN</script></svg>", "<body onload=RUN>",
    "<iframe srcdoc='<script>parent.RUN</script>'></iframe>", "<object data='javascript:RUN'></object>",
    "<a href='javascript:RUN'>x</a>", "[x](javascript:RUN)", f"**b** {_IMAGE}", f"# h\n\n{_IMAGE}",
    f"```mermaid\ngraph TD; A[\"{_IMAGE}\"]\n```", f"$x$ {_IMAGE}", "$</script><script>RUN</script>$",
    "</script><script>RUN</script>", "{{ ''.__class__ }}<script>RUN</script>", "{% raw %}<script>RUN</script>",
    "<details open ontoggle=RUN>", "<input autofocus onfocus=RUN>", "<video><source onerror=RUN></video>",
    "<math><mtext></mtext><script>RUN</script></math>", "<style>@import 'javascript:RUN'</style>",
    "<link rel=stylesheet href='javascript:RUN'>", "<meta http-equiv=refresh content='0;url=javascript:RUN'>",
    "<base href='javascript:RUN//'>", "<form action='javascript:RUN'><button autofocus>x</button></form>",
    "&lt;script&gt;RUN&lt;/script&gt;", "\\u003cscript\\u003eRUN\\u003c/script\\u003e",
    "<template><script>RUN</script></template><!-- --><script>RUN</script>",
)  # fmt: skip
_TEXTS = {"title", "question", "kicker", "text", "subtitle", "alt", "source", "caption", "note"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as started:
        yield started


@pytest.fixture(scope="module")
def cleared(chains: Study, chains_neck: Neck) -> Cleared:
    return clear(chains_neck, chains)


@pytest.fixture(scope="module")
def published(cleared: Cleared, plants: Study, plants_neck: Neck) -> dict[str, Cleared]:
    return {"value_chains": cleared, "plants": clear(plants_neck, plants)}


def _open_all(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    page.evaluate("document.fonts.ready")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("study", ["value_chains", "plants"])
def test_no_language_has_a_barrier_at_any_width(
    browser: Browser, published: dict[str, Cleared], study: str, language: str, tmp_path: Path
) -> None:
    path = tmp_path / f"brief.{language}.html"
    path.write_text(BriefExporter().from_cleared(published[study], language)[0], "utf-8")
    for width in WIDTHS:
        with visit(browser, width=width) as visited:
            page = visited.open(path)
            assert page.evaluate("document.documentElement.lang") == language
            _open_all(page)
            assert sideways(page) <= 0, width
            assert list_violations(page) == [], width


def test_34_values_that_would_run_stand_as_texts(
    browser: Browser, cleared: Cleared, tmp_path: Path
) -> None:
    assert len(VECTORS) == 34
    exporter = BriefExporter()
    model = exporter.from_cleared(cleared, "en")[1]["brief"]
    for number, vector in enumerate(VECTORS):
        value = vector.replace("RUN", HIT % number)
        path = tmp_path / "brief.html"
        path.write_text(exporter._render(_put_in(model, value), None)[0], "utf-8")
        with visit(browser) as visited:
            page = visited.open(path)
            page.wait_for_timeout(60)
            assert page.evaluate("document.documentElement.getAttribute('data-hit')") is None, value
            assert page.evaluate("document.querySelectorAll('script,iframe,object').length") == 0
            shown = page.evaluate("document.querySelector('h1').textContent")
            assert shown == value
    assert html.escape("<") in path.read_text("utf-8")


def _put_in(content: Any, value: str) -> Any:
    """Put a value into every text of a model."""
    if isinstance(content, dict):
        return {key: value if key in _TEXTS and isinstance(one, str) and one else
                _put_in(one, value) for key, one in content.items()}  # fmt: skip
    if isinstance(content, list):
        return [_put_in(one, value) for one in content]
    return content
