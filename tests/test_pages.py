"""The pages in a real browser: no request, no sideways scroll, pictures drawn."""

from __future__ import annotations

import functools
import http.server
import itertools
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evidence.brief import write_brief
from evidence.disclosure import clear
from evidence.neck import Neck
from evidence.portal import write_portal
from evidence.study import Study

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-default-apps", "--disable-extensions")  # fmt: skip
WIDTHS = (1000, 390, 320)
BROWSERS_OWN = re.compile(r"(google|googleapis|gstatic|gvt1)\.com(:\d+)?$")
PAGES = ("index.html", "plants/brief.en.html", "value_chains/brief.en.html")
HARNESS = """<!DOCTYPE html><title>harness</title><pre id="out"></pre><script>
const pages = %s, widths = %s, out = {};
const wait = frame => new Promise(done => frame.onload = done);
(async () => {
  for (const page of pages) for (const width of widths) {
    const frame = document.createElement("iframe");
    frame.style.cssText = `border:0;width:${width}px;height:900px`;
    const loaded = wait(frame);
    frame.src = page; document.body.append(frame); await loaded;
    const doc = frame.contentDocument;
    await doc.fonts.ready;
    await new Promise(done => setTimeout(done, 300));
    out[`${page} ${width}`] = {
      scroll: doc.documentElement.scrollWidth,
      images: [...doc.images].map(i => [i.naturalWidth, i.alt.length, i.currentSrc.length]),
      font: [...doc.fonts].some(f => f.status === "loaded")
        && [...doc.fonts].every(f => f.status !== "error"),
      headings: [...doc.querySelectorAll("h1,h2,h3")].map(h => h.tagName)};
    frame.remove();
  }
  document.getElementById("out").textContent = JSON.stringify(out);
})();
</script>"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]


@pytest.fixture(scope="module")
def public(plants: Study, plants_neck: Neck, chains: Study, chains_neck: Neck) -> Path:
    write_brief(clear(plants_neck, plants), "en")
    write_brief(clear(chains_neck, chains), "en")
    return write_portal(plants.root / "reports/public", ["plants", "value_chains"]).parent


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _Recorder(http.server.BaseHTTPRequestHandler):
    """A proxy that answers nothing and remembers who was asked for."""

    asked: set[str]

    def do_CONNECT(self) -> None:
        self.asked.add(self.path)
        self.send_error(403)

    def do_GET(self) -> None:
        self.asked.add(re.sub(r"^https?://([^/]+).*", r"\1", self.path))
        self.send_error(403)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def _serve(handler: Any) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def _browse(folder: Path, *arguments: str) -> str:
    assert CHROMIUM is not None
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={folder}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


@pytest.fixture(scope="module")
def site(public: Path) -> Iterator[str]:
    yield from _serve(functools.partial(_Quiet, directory=str(public)))


@pytest.fixture(scope="module")
def measured(public: Path, site: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    harness = public / "harness.html"
    harness.write_text(HARNESS % (json.dumps(PAGES), json.dumps(WIDTHS)), "utf-8")
    profile = tmp_path_factory.mktemp("profile")
    dom = _browse(
        profile, "--window-size=1200,1000", "--virtual-time-budget=20000", "--dump-dom",
        f"{site}/harness.html",
    )  # fmt: skip
    harness.unlink()
    found = re.search(r'<pre id="out">(\{.*?\})</pre>', dom, re.DOTALL)
    assert found is not None, dom[:2000]
    result: dict[str, Any] = json.loads(found[1])
    return result


def test_no_page_scrolls_sideways_at_any_width(measured: dict[str, Any]) -> None:
    for page in PAGES:
        for width in WIDTHS:
            assert measured[f"{page} {width}"]["scroll"] <= width, (page, width)


def test_figures_are_drawn_and_phones_get_their_own(measured: dict[str, Any]) -> None:
    for page in PAGES[1:]:
        wide, narrow = (measured[f"{page} {width}"]["images"] for width in (1000, 390))
        for (drawn, alt, _), (drawn_narrow, _, _) in zip(wide, narrow, strict=True):
            assert drawn > drawn_narrow > 0
            assert alt > 80
        assert wide[0][2] != narrow[0][2]


def test_the_font_inside_the_page_is_used(measured: dict[str, Any]) -> None:
    for page in PAGES[1:]:
        assert measured[f"{page} 390"]["font"] is True


def test_there_is_a_single_first_heading_and_no_level_is_skipped(
    measured: dict[str, Any],
) -> None:
    for page in PAGES:
        levels = [int(tag[1]) for tag in measured[f"{page} 1000"]["headings"]]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_a_page_asks_the_network_for_nothing(public: Path, tmp_path: Path) -> None:
    asked: dict[str, set[str]] = {}
    for name, address in (
        ("brief", f"file://{public}/value_chains/brief.en.html"),
        ("portal", f"file://{public}/index.html"),
    ):
        asked[name] = set()
        recorder = type("Recorder", (_Recorder,), {"asked": asked[name]})
        for proxy in _serve(recorder):
            _browse(
                tmp_path / name, f"--proxy-server={proxy}", "--virtual-time-budget=4000",
                "--dump-dom", address,
            )  # fmt: skip
    for name, hosts in asked.items():
        assert not {host for host in hosts if not BROWSERS_OWN.search(host)}, name


def test_the_recorder_would_see_a_request(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text('<img src="http://example.invalid/x.png">', "utf-8")
    asked: set[str] = set()
    for proxy in _serve(type("Recorder", (_Recorder,), {"asked": asked})):
        _browse(
            tmp_path / "profile", f"--proxy-server={proxy}", "--virtual-time-budget=4000",
            "--dump-dom", f"file://{page}",
        )  # fmt: skip
    assert "example.invalid" in asked
