"""Files come in over the one door to the network: whole, readable, or not at all."""

from __future__ import annotations

import ast
import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from evidence.cli import main
from evidence.errors import SourceError
from evidence.sources import Archived, read_snapshot
from evidence.sources.fetch import _check_scheme, _Visit, fetch_snapshot
from samples import ROOT, edit, make_project, write_source

COLUMNS = {"plant": "text", "year": "integer", "output": "number"}
FIRST = b"plant,year,output\na,2001,1\n"
SECOND = b"plant,year,output\na,2001,5\n"
MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)
HARMLESS = {"urllib.parse"}
"""Splits addresses and percent signs; opens nothing."""

NETWORK = {
    *("aiohttp", "asyncio", "ftplib", "http", "httpx", "imaplib", "poplib", "requests"),
    *("smtplib", "socket", "ssl", "telnetlib", "urllib", "urllib3", "websockets", "xmlrpc"),
}


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0


class Server(ThreadingHTTPServer):
    """Answers each path with what a test has put there; the last answer stays."""

    daemon_threads = True
    answers: dict[str, list[Answer]]
    asked: list[tuple[str, str]]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def take(self, path: str) -> Answer:
        queue = self.answers.get(path, [Answer(404)])
        return queue.pop(0) if len(queue) > 1 else queue[0]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("User-Agent", "")))
        answer = self.server.take(self.path)
        time.sleep(answer.delay)
        self.send_response(answer.status)
        headers = {"Content-Length": str(len(answer.body)), "Content-Type": "text/csv"}
        for name, value in {**headers, **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(ConnectionError):
            self.wfile.write(answer.body)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Keep the tests' output quiet."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server(("127.0.0.1", 0), Handler) as running:
        running.answers, running.asked = {}, []
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def project(tmp_path: Path, server: Server) -> Path:
    root = make_project(tmp_path)
    write_source(root, b"", COLUMNS, key=["plant", "year"]).unlink()
    edit(_record(root), 'name = "records"', f'name = "records"\nurl = "{server.address}/data.csv"')
    return root


def _record(root: Path) -> Path:
    return root / "data/sources/sample.toml"


def _fetch(root: Path, timeout: float = 5) -> Archived:
    waits: list[float] = []
    (kept,) = fetch_snapshot(root, "sample", today=MONDAY, timeout=timeout, sleep=waits.append)
    return kept


def _refused(root: Path, match: str, timeout: float = 5) -> None:
    with pytest.raises(SourceError, match=match):
        _fetch(root, timeout)
    assert not (root / "data/raw/sample/archive").exists()


def test_a_file_is_fetched_into_the_archive_with_its_address(project: Path, server: Server) -> None:
    server.answers["/data.csv"] = [Answer(body=FIRST)]
    kept = _fetch(project)
    assert kept.path.read_bytes() == FIRST
    papers = json.loads(kept.path.with_name(kept.path.name + ".origin.json").read_text("utf-8"))
    assert (papers["url"], papers["mirror"]) == (f"{server.address}/data.csv", "")
    assert server.asked[0][1].startswith("evidence/")


def test_a_changed_file_is_a_new_copy_and_the_same_file_is_not(
    project: Path, server: Server
) -> None:
    server.answers["/data.csv"] = [Answer(body=b) for b in (FIRST, FIRST, SECOND)]
    kept = [fetch_snapshot(project, "sample", today=day)[0] for day in (MONDAY, MONDAY, TUESDAY)]
    assert [k.new for k in kept] == [True, False, True]
    assert [kept[0].path.read_bytes(), kept[2].path.read_bytes()] == [FIRST, SECOND]
    table = read_snapshot(project, "sample", seed=0, case={}).tables["records"]
    assert table["output"].tolist() == [5]


def test_redirects_are_followed(project: Path, server: Server) -> None:
    for number in range(5):
        server.answers[f"/{number}"] = [Answer(302, headers={"Location": f"/{number + 1}"})]
    server.answers["/data.csv"] = [Answer(301, headers={"Location": "/1"})]
    server.answers["/5"] = [Answer(body=FIRST)]
    assert _fetch(project).path.read_bytes() == FIRST


def test_a_loop_of_redirects_is_refused(project: Path, server: Server) -> None:
    server.answers["/data.csv"] = [Answer(302, headers={"Location": "/data.csv"})]
    _refused(project, "more than 5 redirects")
    assert len(server.asked) == 6


@pytest.mark.parametrize("target", ["file:///etc/hostname", "ftp://127.0.0.1/x"])
def test_a_redirect_to_another_kind_of_address_is_refused(
    project: Path, server: Server, target: str
) -> None:
    server.answers["/data.csv"] = [Answer(302, headers={"Location": target})]
    _refused(project, f"of the kind '{target.split(':', maxsplit=1)[0]}'; expected http or https")


def test_a_redirect_from_https_to_http_is_refused() -> None:
    visit = _Visit(httpx.Client(), "here", "https://a.example", _nap, 0)
    secure, plain = (httpx.URL(f"{kind}://a.example/x") for kind in ("https", "http"))
    with pytest.raises(SourceError, match=r"a redirect from https to http \(a\.example\)"):
        _check_scheme(visit, secure, plain)


def test_a_password_in_an_address_is_refused_and_not_repeated(
    project: Path, server: Server
) -> None:
    edit(_record(project), 'url = "http://', 'url = "http://me:secret@')
    _refused(project, "an address with a user's name or password")
    with pytest.raises(SourceError) as caught:
        _fetch(project)
    assert "secret" not in str(caught.value)


def _nap(seconds: float) -> None:
    raise AssertionError(f"waited {seconds} seconds")


@pytest.mark.parametrize("url", ["file:///etc/hostname", "records.csv", "http://", "http://[::x/"])
def test_an_address_that_is_none_of_the_web_is_refused(project: Path, url: str) -> None:
    record = _record(project)
    text = record.read_text("utf-8")
    head = text.split('\nurl = "http', maxsplit=1)
    rest = head[1].split("\n", maxsplit=1)[1]
    record.write_text(f'{head[0]}\nurl = "{url}"\n{rest}', "utf-8")
    _refused(project, r"source 'sample', ")


def test_a_file_that_is_cut_off_is_refused(project: Path, server: Server) -> None:
    headers = {"Content-Length": str(len(FIRST) + 10)}
    server.answers["/data.csv"] = [Answer(body=FIRST, headers=headers)]
    _refused(project, "cut off")


def test_a_packed_file_that_is_cut_off_is_refused(project: Path, server: Server) -> None:
    body = gzip.compress(FIRST)
    headers = {"Content-Encoding": "gzip", "Content-Length": str(len(body))}
    server.answers["/data.csv"] = [Answer(body=body[:-9], headers=headers)]
    _refused(project, "cut off")


def test_a_file_packed_for_the_transfer_is_unpacked(project: Path, server: Server) -> None:
    headers = {"Content-Encoding": "gzip"}
    server.answers["/data.csv"] = [Answer(body=gzip.compress(FIRST), headers=headers)]
    assert _fetch(project).path.read_bytes() == FIRST


def test_a_transfer_that_only_says_it_is_packed_is_refused(project: Path, server: Server) -> None:
    headers = {"Content-Encoding": "gzip"}
    server.answers["/data.csv"] = [Answer(body=FIRST, headers=headers)]
    _refused(project, "DecodingError")


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("asked", ["7", "date", "0"])
def test_a_busy_server_is_waited_for(
    project: Path, server: Server, status: int, asked: str
) -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=8), usegmt=True)
    after = {"Retry-After": moment if asked == "date" else asked}
    server.answers["/data.csv"] = [Answer(status, headers=after), Answer(body=FIRST)]
    waits: list[float] = []
    fetch_snapshot(project, "sample", sleep=waits.append)
    assert len(waits) == 1
    assert waits[0] == float(asked) if asked != "date" else 5 < waits[0] <= 8


def test_a_server_that_stays_busy_is_asked_three_times(project: Path, server: Server) -> None:
    server.answers["/data.csv"] = [Answer(429, headers={"Retry-After": "1"})]
    _refused(project, "asked to wait 3 times")
    assert len(server.asked) == 3


@pytest.mark.parametrize("asked", ["3600", "soon", ""])
def test_a_server_that_asks_for_too_long_or_for_nothing_is_not_waited_for(
    project: Path, server: Server, asked: str
) -> None:
    server.answers["/data.csv"] = [Answer(503, headers={"Retry-After": asked})]
    _refused(project, f"status 503.*{asked}")
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("status", "do"),
    [(404, "the file has moved"), (410, "has moved"), (403, "by hand"), (500, "Try again later")],
)
def test_an_error_of_the_server_is_told_with_its_status(
    project: Path, server: Server, status: int, do: str
) -> None:
    server.answers["/data.csv"] = [Answer(status)]
    _refused(project, rf"source 'sample', http://127\..*: status {status} .*{do}")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"\xef\xbb\xbf\n <!DOCTYPE html><p>Log in", "text/csv"),
        (b"<HTML><body>moved</body></HTML>", "application/octet-stream"),
        (FIRST, "text/html; charset=utf-8"),
    ],
)
def test_a_web_page_instead_of_data_is_refused(
    project: Path, server: Server, body: bytes, kind: str
) -> None:
    server.answers["/data.csv"] = [Answer(body=body, headers={"Content-Type": kind})]
    _refused(project, "a web page instead of a file of data")


@pytest.mark.parametrize("body", [b"", b"\n \n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(project: Path, server: Server, body: bytes) -> None:
    server.answers["/data.csv"] = [Answer(body=body)]
    _refused(project, "an empty file")


def test_a_file_that_is_not_as_the_record_says_is_not_stored(project: Path, server: Server) -> None:
    server.answers["/data.csv"] = [Answer(body=FIRST), Answer(body=b"plant,year\na,2001\n")]
    _fetch(project)
    with pytest.raises(SourceError, match="expected also output"):
        _fetch(project)
    assert len(list((project / "data/raw/sample/archive/records.csv").iterdir())) == 2


def test_a_file_without_end_is_refused(
    project: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evidence.sources.fetch.LARGEST", 20)
    body = gzip.compress(FIRST * 1000)
    server.answers["/data.csv"] = [Answer(body=body, headers={"Content-Encoding": "gzip"})]
    _refused(project, "more than 20 bytes")


def test_a_server_that_does_not_answer_in_time_is_given_up(project: Path, server: Server) -> None:
    server.answers["/data.csv"] = [Answer(body=FIRST, delay=2)]
    _refused(project, "no answer in time", timeout=0.2)


def test_a_transfer_that_takes_too_long_is_given_up(
    project: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evidence.sources.fetch._PATIENCE", -1)
    server.answers["/data.csv"] = [Answer(body=FIRST)]
    _refused(project, "a transfer without end")


def test_a_port_that_nobody_answers_is_told_plainly(project: Path, server: Server) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    edit(_record(project), f"{server.address}/", f"http://127.0.0.1:{port}/")
    _refused(project, "no connection to the server.*say --mirror DIR")


def _add_second_table(root: Path, line: str) -> None:
    record = _record(root)
    text = record.read_text("utf-8")
    table = text[text.index("[[tables]]") :].replace("records", "others")
    start = table.index("url = ")
    table = table[:start] + line + table[table.index("\n", start) :]
    record.write_text(f"{text}\n{table}", "utf-8")


def test_a_source_is_fetched_whole_or_not_at_all(project: Path, server: Server) -> None:
    _add_second_table(project, f'url = "{server.address}/others.csv"')
    server.answers["/data.csv"] = [Answer(body=FIRST)]
    _refused(project, r"others\.csv: status 404")
    server.answers["/others.csv"] = [Answer(body=b"plant\na\n")]
    _refused(project, r"others\.csv: .*expected also year, output")
    server.answers["/others.csv"] = [Answer(body=SECOND)]
    assert [k.file for k in fetch_snapshot(project, "sample")] == ["records.csv", "others.csv"]


def test_tables_of_one_file_are_fetched_once(project: Path, server: Server) -> None:
    _add_second_table(project, f'url = "{server.address}/data.csv"')
    edit(_record(project), 'file = "others.csv"', 'file = "records.csv"')
    server.answers["/data.csv"] = [Answer(body=FIRST)]
    _fetch(project)
    assert len(server.asked) == 1


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("source", ["wage_panel", "value_chains"])
def test_sources_without_files_of_their_own_are_not_fetched(
    project: Path, source: str, *, mirrored: bool
) -> None:
    with pytest.raises(SourceError, match="expected kind 'file'"):
        fetch_snapshot(project, source, mirror=project if mirrored else None)


def test_a_source_without_an_address_is_not_fetched(project: Path) -> None:
    edit(_record(project), 'url = "http', 'sheet = "http')
    with pytest.raises(SourceError, match=r"no table with 'url'.*say evidence archive"):
        fetch_snapshot(project, "sample")


@pytest.fixture
def mirror(project: Path, server: Server) -> Path:
    server.shutdown()
    edit(_record(project), 'url = "http', 'mirrors = ["plants.csv"]\nurl = "http')
    folder = project.parent / "mirror"
    (folder / "deep").mkdir(parents=True)
    return folder


@pytest.mark.parametrize("name", ["sample/records.csv", "deep/records.csv", "deep/plants.csv"])
def test_a_mirror_takes_the_place_of_the_network(
    project: Path, mirror: Path, server: Server, name: str
) -> None:
    (mirror / name).parent.mkdir(exist_ok=True)
    (mirror / name).write_bytes(FIRST)
    (kept,) = fetch_snapshot(project, "sample", mirror=mirror, today=MONDAY)
    assert kept.path.read_bytes() == FIRST
    papers = json.loads(kept.path.with_name(kept.path.name + ".origin.json").read_text("utf-8"))
    assert (papers["file"], papers["url"]) == ("records.csv", "")
    assert papers["mirror"] == Path(name).name
    assert not server.asked


def test_a_mirrored_file_keeps_its_own_format(project: Path, mirror: Path) -> None:
    edit(_record(project), 'file = "records.csv"', 'file = "records.xlsx"')
    (mirror / "deep/plants.csv").write_bytes(FIRST)
    (kept,) = fetch_snapshot(project, "sample", mirror=mirror)
    assert (kept.file, kept.path.suffix) == ("records.xlsx", ".csv")
    assert len(read_snapshot(project, "sample", seed=0, case={}).tables["records"]) == 1


def test_files_of_other_content_in_a_mirror_are_refused_by_name(
    project: Path, mirror: Path
) -> None:
    (mirror / "plants.csv").write_bytes(FIRST)
    (mirror / "deep/records.csv").write_bytes(FIRST)
    assert fetch_snapshot(project, "sample", mirror=mirror)[0].new
    (mirror / "deep/records.csv").write_bytes(SECOND)
    with pytest.raises(
        SourceError, match=r"different content: deep/records\.csv, plants\.csv; expected sample/rec"
    ):
        fetch_snapshot(project, "sample", mirror=mirror)


def test_a_mirror_without_the_file_or_without_a_folder_is_refused(
    project: Path, mirror: Path
) -> None:
    with pytest.raises(SourceError, match=r"no such file; .* plants\.csv or records\.csv"):
        fetch_snapshot(project, "sample", mirror=mirror)
    with pytest.raises(SourceError, match="mirror nowhere: no such folder"):
        fetch_snapshot(project, "sample", mirror=mirror / "nowhere")


def test_an_unreadable_file_of_a_mirror_is_not_stored(project: Path, mirror: Path) -> None:
    (mirror / "records.csv").write_bytes(b"plant,year\na,2001\n")
    with pytest.raises(SourceError, match="expected also output"):
        fetch_snapshot(project, "sample", mirror=mirror)
    assert not (project / "data/raw/sample/archive").exists()


def test_a_file_that_would_be_written_elsewhere_is_refused(project: Path, mirror: Path) -> None:
    edit(_record(project), 'file = "records.csv"', 'file = "../../records.csv"')
    (mirror / "records.csv").write_bytes(FIRST)
    with pytest.raises(SourceError, match="leads out of the source's folder"):
        fetch_snapshot(project, "sample", mirror=mirror)


def _call(root: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    monkeypatch.chdir(root)

    def call(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["fetch", *arguments])
        return result.exit_code, result.output

    return call


def test_the_command_says_what_was_stored_and_what_is_unchanged(
    project: Path, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (mirror / "records.csv").write_bytes(FIRST)
    call = _call(project, monkeypatch)
    code, text = call("sample", "--mirror", str(mirror))
    assert code == 0
    assert text.startswith("sample, records: stored data/raw/sample/archive/records.csv/20")
    code, text = call("sample", "--mirror", str(mirror))
    assert code == 0
    assert text.startswith("sample, records: unchanged since 20")


def test_the_command_tells_errors_plainly(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, text = _call(project, monkeypatch)("nowhere")
    assert code == 1
    assert text.startswith("error: data/sources/nowhere.toml: no such record")


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = {name.name for name in node.names} - HARMLESS
            found |= {name.split(".")[0] for name in names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "import_module":
            found |= {str(a.value) for a in node.args if isinstance(a, ast.Constant)}
    return found


def test_no_other_module_can_reach_the_network() -> None:
    doors = {
        path.relative_to(ROOT).as_posix(): sorted(_imports(path) & NETWORK)
        for path in (ROOT / "src/evidence").rglob("*.py")
        if _imports(path) & NETWORK
    }
    assert doors == {
        "src/evidence/sources/fetch.py": ["httpx"],
        # Sockets that are files, to kernels on this machine.
        "src/evidence/run/kernels/client.py": ["socket"],
        "src/evidence/run/kernels/provisioner.py": ["asyncio"],
        "src/evidence/run/kernels/warm.py": ["socket"],
    }
    for name in doors:
        assert "AF_INET" not in (ROOT / name).read_text("utf-8")


def test_what_a_notebook_imports_does_not_load_the_door() -> None:
    text = (ROOT / "src/evidence/sources/__init__.py").read_text("utf-8")
    assert "import fetch" not in text
