"""The workbench's door: who passes, what is passed on, and the life of the desks behind it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

pytest.importorskip("aiohttp", reason="needs aiohttp, which the workbench brings")

import aiohttp

from activeseg.cli import main
from activeseg.cli.parser import build_parser
from activeseg.errors import ActiveSegError
from activeseg_web.__main__ import main as serve_project
from activeseg_web.address import Address, host_of, is_loopback
from activeseg_web.door import Door
from activeseg_web.doorway import SECRET_HEADER, SECRET_VARIABLE, take_secret
from activeseg_web.pages import problem_page, waiting_page
from activeseg_web.people import IDLE_S, UNSEEN_S, People, is_name
from activeseg_web.proxy import is_plain
from desk_stand_in import BIG
from killing import alive
from tiny_cohort import write_tiny_cohort

STAND_IN = Path(__file__).with_name("desk_stand_in.py")


class Hall:
    """A door that stays open for some tests, on a loop of its own.

    Args:
        folder: Where the desks note what becomes of them.
        modes: How the desk of each name behaves; others as usual.
    """

    def __init__(self, folder: Path, modes: dict[str, str], **options) -> None:
        self.folder = folder
        self.modes = modes
        self.door = Door(self.command, options.pop("author", "anna"), **options)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def command(self, name: str) -> list[str]:
        mode = self.modes.get(name, "usual")
        if mode == "absent":
            return [str(self.folder / "no such program")]
        return [sys.executable, str(STAND_IN), name, mode, str(self.folder)]

    def open(self, host: str = "127.0.0.1", port: int | None = 0) -> Hall:
        self.thread.start()
        self.address = self.run(self.door.open(host, port))
        self.base = f"http://127.0.0.1:{self.address.port}"
        return self

    def close(self) -> None:
        self.run(self.door.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """One request as it is written, without cookies or redirects."""
        return self.run(self._get(path, method, headers))

    async def _get(self, path: str, method: str, headers: dict[str, str]) -> Answer:
        url = aiohttp.client.URL(f"{self.base}{path}", encoded=True)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(method, url, headers=names, allow_redirects=False) as found,
        ):
            return Answer(found.status, found.headers, await found.read())

    def page(self, name: str) -> Answer:
        """A person's page once their desk is there, reloading as a browser would."""
        for _ in range(60):
            answer = self.get(f"/desk/{name}/")
            if b'http-equiv="refresh"' not in answer.body:
                return answer
            time.sleep(0.05)
        pytest.fail("the desk was never there")

    @asynccontextmanager
    async def socket(self, path: str, origin: str | None = None, **options):
        async with aiohttp.ClientSession() as session:
            headers = {"Origin": self.base if origin is None else origin}
            if options.pop("bare", False):
                headers = {}
            headers |= options.pop("headers", {})
            async with session.ws_connect(f"{self.base}{path}", headers=headers, **options) as ws:
                yield ws

    def notes(self, name: str) -> list[str]:
        file = self.folder / name
        return file.read_text().splitlines() if file.exists() else []

    def pids(self, name: str) -> list[int]:
        (line,) = (line for line in self.notes(name) if line.startswith("pids"))
        return [int(word) for word in line.split()[1:]]


class Answer:
    def __init__(self, status, headers, body) -> None:
        self.status, self.headers, self.body = status, headers, body


def until(reached, what: str) -> None:
    """A generous bound, so that a fault fails instead of hanging."""
    for _ in range(1500):
        if reached():
            return
        time.sleep(0.02)
    pytest.fail(f"never: {what}")


@pytest.fixture(scope="module")
def hall(tmp_path_factory):
    folder = tmp_path_factory.mktemp("desks")
    report = folder / "report.html"
    report.write_text("<title>the report: Größe</title>", "utf-8")
    hall = Hall(folder, {"refuser": "refuses", "dying": "dies"}, report=report).open()
    try:
        assert hall.page("anna").status == 302
        yield hall
    finally:
        hall.close()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A door on all of the machine's addresses."""
    hall = Hall(tmp_path_factory.mktemp("guarded"), {}).open("0.0.0.0")
    yield hall
    hall.close()


class TestWhatIsPassedOn:
    def test_the_page_its_redirects_and_nothing_of_the_desks_cookies(self, hall):
        assert hall.get("/desk/anna/").headers["Location"] == "index.html"
        assert hall.get("/desk/anna/absolute").headers["Location"] == "/desk/anna/index.html"
        page = hall.get("/desk/anna/index.html")
        assert page.body == b"<title>desk of anna</title>"
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "Set-Cookie" not in page.headers
        assert "Access-Control-Allow-Origin" not in page.headers

    def test_a_missing_slash_is_added(self, hall):
        answer = hall.get("/desk/anna")
        assert (answer.status, answer.headers["Location"]) == (302, "/desk/anna/")

    def test_large_files_caching_and_packing_are_kept(self, hall):
        big = hall.get("/desk/anna/big")
        assert big.body == BIG
        assert (big.headers["ETag"], big.headers["Cache-Control"]) == ('"1"', "max-age=60")
        packed = hall.get("/desk/anna/packed")
        assert packed.headers["Content-Encoding"] == "gzip"
        assert packed.body[:2] == b"\x1f\x8b"

    def test_the_desk_sees_the_secret_and_nothing_that_is_the_doors(self, hall):
        answer = hall.get(
            "/desk/anna/echo/a%20b?v=%2F1",
            **{"Cookie": "activeseg-1=x", "X-Forwarded-For": "1.2.3.4", SECRET_HEADER: "forged"},
        )
        told = json.loads(answer.body)
        assert told["path"] == "/echo/a%20b?v=%2F1"
        assert len(told["headers"][SECRET_HEADER]) > 30
        assert not {"Cookie", "X-Forwarded-For", "Origin"} & set(told["headers"])

    def test_the_desk_itself_refuses_whoever_passes_by_the_door(self, hall):
        (port,) = (line.split()[1] for line in hall.notes("anna") if line.startswith("port"))

        async def ask(path: str) -> int:
            address = f"http://127.0.0.1:{port}{path}"
            async with aiohttp.ClientSession() as session, session.get(address) as answer:
                return answer.status

        assert hall.run(ask("/index.html")) == 403
        assert hall.run(ask("/ws")) == 403

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
    def test_only_reading_is_passed_on(self, hall, method):
        assert hall.get("/desk/anna/echo", method).status == 405

    def test_trames_client_is_told_its_websocket(self, hall):
        answer = hall.get("/desk/anna/paraview/", "POST")
        assert (answer.status, answer.body) == (
            200,
            b'{"sessionURL": "ws://USE_HOST/desk/anna/ws"}',
        )

    @pytest.mark.parametrize(
        "path",
        [
            *("/etc/passwd", "/desk/anna/../../etc/passwd", "/desk/anna/%2e%2e/x"),
            *("/desk/anna/a/..%2fx", "/desk/anna/..%5cx", "/desk/anna//etc/passwd", "/desk//x"),
            *("/desk/.anna/", "/desk/-a/", "/desk/a%2Fb/", "/desk/%0aa/", "/desk/anna/%00"),
            f"/desk/{'a' * 65}/",
        ],
    )
    def test_other_paths_lead_nowhere(self, hall, path):
        assert hall.get(path).status == 404

    def test_the_page_takes_no_orders_from_its_address(self, hall):
        """trame's client would connect to any ``sessionURL``, and run what comes from there."""
        for page in ("", "index.html"):
            answer = hall.get(f"/desk/anna/{page}?sessionURL=ws://192.0.2.1/")
            assert (answer.status, answer.headers["Location"]) == (302, f"/desk/anna/{page}")

    def test_the_report_and_the_icon(self, hall):
        assert hall.get("/report").body.decode() == "<title>the report: Größe</title>"
        assert hall.get("/favicon.ico").headers["Content-Type"].startswith("image/svg+xml")

    def test_every_answer_keeps_the_page_to_itself(self, hall):
        for path in ("/", "/desk/anna/index.html", "/report", "/nothing"):
            headers = hall.get(path).headers
            assert "connect-src 'self'" in headers["Content-Security-Policy"]
            assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
            assert headers["X-Content-Type-Options"] == "nosniff"


class TestTheWebsocket:
    def test_messages_go_both_ways_whole_and_in_order(self, hall):
        async def talk() -> None:
            async with hall.socket(
                "/desk/anna/ws", protocols=["other", "slices"], max_msg_size=0
            ) as ws:
                assert ws.protocol == "slices"
                for number in range(200):
                    await ws.send_bytes(number.to_bytes(2, "big"))
                await ws.send_bytes(BIG * 3)
                await ws.send_str("Größe")
                for number in range(200):
                    assert await ws.receive_bytes(timeout=30) == number.to_bytes(2, "big")
                assert await ws.receive_bytes(timeout=30) == BIG * 3
                assert await ws.receive_str(timeout=30) == "Größe"
                await ws.send_str("headers")
                headers = await ws.receive_json(timeout=30)
                assert SECRET_HEADER in headers
                assert "Origin" not in headers

        hall.run(talk())

    def test_a_close_of_the_desk_arrives(self, hall):
        async def talk() -> int | None:
            async with hall.socket("/desk/anna/ws") as ws:
                await ws.send_str("close")
                assert (await ws.receive(timeout=30)).type is aiohttp.WSMsgType.CLOSE
                return ws.close_code

        assert hall.run(talk()) == 3999

    @pytest.mark.parametrize(
        "origin",
        [
            "http://evil.example",
            "null",
            "http://127.0.0.1:1",
            "http://localhost:{port}",
            "https://",
        ],
    )
    def test_no_page_of_another_address_connects(self, hall, origin):
        async def talk() -> None:
            here = origin.format(port=hall.address.port)
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                async with hall.socket("/desk/anna/ws", origin=here):
                    pass
            assert refused.value.status == 403

        hall.run(talk())

    def test_nobody_connects_without_an_origin(self, hall):
        async def talk() -> None:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                async with hall.socket("/desk/anna/ws", bare=True):
                    pass
            assert refused.value.status == 403

        hall.run(talk())

    def test_a_connection_starts_no_desk(self, hall):
        async def talk() -> None:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                async with hall.socket("/desk/nobody/ws"):
                    pass
            assert refused.value.status == 503

        hall.run(talk())
        hall.page("dora")  # a desk takes no longer than hers
        assert hall.notes("nobody") == []


class TestWhoPasses:
    @pytest.mark.parametrize(
        "host",
        ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "192.0.2.7", "", "a@b"],
    )
    def test_another_name_is_refused(self, hall, host):
        assert hall.get("/desk/anna/echo", Host=host).status == 403

    @pytest.mark.parametrize("host", ["127.0.0.1:9", "localhost", "LOCALHOST:80", "[::1]:8"])
    def test_this_machines_names_pass_whatever_a_tunnel_makes_of_the_port(self, hall, host):
        assert hall.get("/desk/anna/echo", Host=host).status == 200

    @pytest.mark.parametrize("site", ["cross-site", "same-site"])
    def test_other_sites_may_link_here_and_nothing_else(self, hall, site):
        asked = {"Sec-Fetch-Site": site, "Sec-Fetch-Dest": "document"}
        assert hall.get("/desk/anna/echo", **asked, **{"Sec-Fetch-Mode": "navigate"}).status == 200
        assert hall.get("/desk/anna/echo", **asked, **{"Sec-Fetch-Mode": "no-cors"}).status == 403
        framed = {**asked, "Sec-Fetch-Dest": "iframe", "Sec-Fetch-Mode": "navigate"}
        assert hall.get("/desk/anna/echo", **framed).status == 403
        asked["Sec-Fetch-Mode"] = "navigate"
        assert hall.get("/desk/anna/paraview/", "POST", **asked).status == 403

    def test_a_foreign_origin_is_refused_for_a_page_too(self, hall):
        assert hall.get("/desk/anna/echo", Origin="http://evil.example").status == 403
        assert hall.get("/desk/anna/echo", Origin=hall.base).status == 200

    def test_the_machines_own_address_needs_no_token(self, hall):
        assert hall.address.token is None
        assert hall.address.url == f"{hall.base}/"


class TestTheToken:
    def test_nothing_is_had_without_it(self, guarded):
        token = guarded.address.token
        assert token is not None
        for path in ("/", "/desk/anna/", "/favicon.ico", "/report", f"/desk/anna/?token={token}"):
            assert guarded.get(path).status == 401
        for wrong in ("", "x", token[:-1], f"{token}x", "%00", "%C3%A9"):
            assert guarded.get(f"/?token={wrong}").status == 403
            assert guarded.get("/", Cookie=f"{guarded.address.cookie}={wrong}").status == 401

    def test_it_becomes_a_cookie_that_opens(self, guarded):
        answer = guarded.get(f"/?token={guarded.address.token}")
        assert answer.status == 200
        assert b"0;url=/" in answer.body
        assert guarded.address.token.encode() not in answer.body
        cookie, *flags = answer.headers["Set-Cookie"].split("; ")
        assert cookie == f"{guarded.address.cookie}={guarded.address.token}"
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(flags)
        assert guarded.get("/", Cookie=cookie).headers["Location"] == "/desk/anna/"

    def test_the_websocket_needs_it(self, guarded):
        cookie = f"{guarded.address.cookie}={guarded.address.token}"
        until(lambda: any("port" in line for line in guarded.notes("anna")), "a desk")

        async def talk(**headers: str) -> str:
            async with guarded.socket("/desk/anna/ws", headers=headers) as ws:
                await ws.send_str("hello")
                return await ws.receive_str(timeout=30)

        assert guarded.run(talk(Cookie=cookie)) == "hello"
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            guarded.run(talk())
        assert refused.value.status == 401

    def test_numbers_and_own_names_pass_others_do_not(self, guarded):
        cookie = f"{guarded.address.cookie}={guarded.address.token}"
        for host in ("192.0.2.7:8", "localhost", socket.gethostname()):
            assert guarded.get("/favicon.ico", Host=host, Cookie=cookie).status == 200
        assert guarded.get("/favicon.ico", Host="evil.example", Cookie=cookie).status == 403

    def test_the_address_that_is_printed_can_be_opened(self, guarded):
        url = guarded.address.url
        assert url.endswith(f":{guarded.address.port}/?token={guarded.address.token}")
        assert "0.0.0.0" not in url


def test_two_doors_have_two_tokens():
    tokens = {Address.of("0.0.0.0", 1).token for _ in range(10)}
    assert len(tokens) == 10
    assert all(len(token) >= 43 for token in tokens)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("LocalHost", True),
    ]
    + [(name, False) for name in ("0.0.0.0", "::", "10.0.0.1", "", "localhost.evil.example")],
)
def test_what_only_this_machine_reaches(host, expected):
    assert is_loopback(host) is expected
    assert (Address.of(host, 1).token is None) is expected


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        *(("A.b:80", "a.b"), ("[::1]:80", "::1"), ("x", "x"), ("", ""), ("u@h", "")),
        *(("a/b", ""), ("[::1", ""), ("127.0.0.1:", "127.0.0.1")),
    ],
)
def test_the_host_of_a_header(authority, host):
    assert host_of(authority) == host


def test_an_address_of_version_6_is_bracketed():
    assert Address("::1", 80, None).url == "http://[::1]:80/"


def test_names_of_people():
    good = ("anna", "Anna-2", "Jörg B.", "a@b.c", "李", "x" * 64)
    bad = ("", " a", "a ", ".a", "-a", "a/b", "a\\b", "a\nb", "a\n", "a?b", "<a>", "x" * 65)
    assert all(is_name(name) for name in good)
    assert not any(is_name(name) for name in bad)


def test_plain_paths():
    assert all(is_plain(path) for path in ("", "a", "a/b.js", "a%20b", "a..b", "%C3%A9"))
    bad = ("..", "a/../b", "%2e%2E/a", "a%2Fb", "a%5Cb", "/a", "%00", "%0d%0a", ".", "a/.")
    assert not any(is_plain(path) for path in bad)


def test_what_is_shown_on_a_page_stays_text():
    for page in (waiting_page("<b>&"), problem_page("<b>&")):
        assert "&lt;b&gt;&amp;" in page
        assert "<b>" not in page


def test_a_desk_without_a_door_says_how_to_start(monkeypatch):
    monkeypatch.delenv(SECRET_VARIABLE, raising=False)
    with pytest.raises(ActiveSegError, match="activeseg workbench"):
        take_secret()
    monkeypatch.setenv(SECRET_VARIABLE, "s")
    assert take_secret() == "s"
    assert SECRET_VARIABLE not in os.environ


class TestTheDesks:
    def test_a_desk_of_ones_own_while_the_first_is_taken(self, hall):
        async def talk() -> list[str]:
            found = []
            async with hall.socket("/desk/anna/ws"):
                # Two at once: the second name is promised to the first who asks.
                for _ in range(2):
                    answer = await hall._get("/", "GET", {})
                    found.append(answer.headers["Location"])
            return found

        assert hall.run(talk()) == ["/desk/anna-2/", "/desk/anna-3/"]
        assert hall.get("/desk/nobody/echo").status == 503
        assert hall.page("anna-2").status == 302
        assert hall.get("/desk/anna-2/index.html").body == b"<title>desk of anna-2</title>"

    def test_why_a_desk_could_not_start_is_told_and_tried_again(self, hall):
        refused = hall.page("refuser")
        assert refused.status == 503
        assert b"activeseg: &lt;the project&gt; is gone" in refused.body
        assert b'href="."' in refused.body
        died = hall.page("dying")
        assert b"ended with code 3" in died.body
        assert b"ended with code 3" in hall.page("dying").body  # the second try

    def test_a_crash_closes_the_page_and_the_next_finds_a_new_desk(self, hall):
        hall.page("berta")

        async def talk() -> int | None:
            async with hall.socket("/desk/berta/ws") as ws:
                await ws.send_str("there")
                assert await ws.receive_str(timeout=30) == "there"
                answer = await hall._get("/desk/berta/crash", "GET", {})
                assert answer.status == 502
                await ws.receive(timeout=30)
                return ws.close_code

        assert hall.run(talk()) == aiohttp.WSCloseCode.INTERNAL_ERROR
        assert hall.page("berta").status == 302
        assert len([line for line in hall.notes("berta") if line.startswith("port")]) == 2

    def test_a_command_that_cannot_be_run(self, tmp_path):
        hall = Hall(tmp_path, {"anna": "absent"}).open()
        try:
            assert b"could not be started" in hall.page("anna").body
        finally:
            hall.close()

    def test_the_waiting_page_is_there_at_once_and_ends_when_the_desk_is_ready(self, tmp_path):
        hall = Hall(tmp_path, {"anna": "slow"}).open()

        async def wait() -> tuple[bytes, bytes]:
            address = f"{hall.base}/desk/anna/"
            async with aiohttp.ClientSession() as session, session.get(address) as answer:
                assert answer.status == 200
                first = await answer.content.readany()
                assert hall.notes("anna") == []  # shown before the desk has begun
                return first, await answer.content.read()

        try:
            first, rest = hall.run(wait())
            assert b"</html>" in first
            assert rest == b""
            assert any(line.startswith("port") for line in hall.notes("anna"))
            assert hall.get("/desk/anna/").status == 302
        finally:
            hall.close()

    def test_idle_desks_are_put_away_but_not_busy_or_connected_ones(self, tmp_path):
        hall = Hall(tmp_path, {}, idle_s=2.0).open()
        for name in ("busy", "anna", "connected"):
            hall.page(name)
            if name == "busy":
                hall.get("/desk/busy/busy/yes")  # at once: the machine may be slow

        async def stay() -> None:
            async with hall.socket("/desk/connected/ws"):
                while hall.notes("anna")[-1] != "left":
                    await asyncio.sleep(0.05)

        try:
            hall.run(stay())
            assert hall.notes("busy")[-1] != "left"
            assert hall.notes("connected")[-1] != "left"
            until(lambda: hall.notes("connected")[-1] == "left", "its page has gone")
            assert hall.notes("busy")[-1] != "left"
            hall.get("/desk/busy/busy/no")
            until(lambda: hall.notes("busy")[-1] == "left", "its work is done")
            assert hall.page("anna").status == 302  # back, with a new process
        finally:
            hall.close()

    def test_a_desk_that_no_page_connects_to_is_ended_after_a_minute(self, tmp_path):
        """By a clock that is set; the first desk, which is laid out ahead, waits as long as any."""
        seconds = [0.0]

        def command(name: str) -> list[str]:
            return [sys.executable, str(STAND_IN), name, "usual", str(tmp_path)]

        async def live() -> None:
            people = People(command, now=lambda: seconds[0])
            ahead = people.seat("ahead", awaited=True)
            bare, used = people.seat("bare"), people.seat("used")
            for desk in (ahead, bare, used):
                assert await desk.settled(60)
            with used.connected():
                pass

            def kept(after: float) -> list[str]:
                seconds[0] = after
                people.sweep()
                return [name for name in ("ahead", "bare", "used") if people.find(name)]

            assert kept(UNSEEN_S) == ["ahead", "bare", "used"]
            people.seat("bare")  # asked once more
            assert kept(2 * UNSEEN_S) == ["ahead", "bare", "used"]
            assert kept(2 * UNSEEN_S + 1) == ["ahead", "used"]
            assert kept(IDLE_S) == ["ahead", "used"]
            assert kept(IDLE_S + 1) == []
            await people.close()

        asyncio.run(live())
        for name in ("ahead", "bare", "used"):  # in good order, not killed
            assert (tmp_path / name).read_text().splitlines()[-1] == "left"

    def test_no_more_desks_than_there_is_room_for(self, tmp_path):
        hall = Hall(tmp_path, {}, most=2).open()
        hall.page("anna")
        hall.page("berta")

        async def full() -> None:
            async with hall.socket("/desk/anna/ws"), hall.socket("/desk/berta/ws"):
                for path in ("/desk/clara/", "/"):
                    answer = await hall._get(path, "GET", {})
                    assert answer.status == 503
                    assert b"in use" in answer.body

        try:
            hall.run(full())
            # Nobody looks at them any more: the one unused for longer makes room.
            hall.get("/desk/berta/echo")
            assert hall.page("clara").status == 302
            until(lambda: hall.notes("anna")[-1] == "left", "anna's desk makes room")
            assert hall.notes("berta")[-1] != "left"
        finally:
            hall.close()

    def test_a_new_desk_waits_until_the_same_persons_last_one_has_left(self, tmp_path):
        hall = Hall(tmp_path, {"anna": "tidy"}, most=1).open()
        try:
            for name in ("anna", "berta", "anna"):  # each takes the other's room
                assert hall.page(name).status == 302
            noted = [line.split()[0] for line in hall.notes("anna")]
            assert noted == ["pids", "port", "left", "pids", "port"]
        finally:
            hall.close()

    def test_a_name_that_fits_no_address(self, tmp_path):
        with pytest.raises(ActiveSegError, match="--author"):
            Hall(tmp_path, {}, author="a/b").loop.close()


@pytest.mark.skipif(os.name != "posix", reason="looks at POSIX process ids")
class TestTheEnd:
    def test_closing_ends_desks_in_good_order_and_tells_the_pages(self, tmp_path):
        hall = Hall(tmp_path, {}).open()
        hall.page("anna")

        async def watch() -> int | None:
            async with hall.socket("/desk/anna/ws") as ws:
                closing = asyncio.ensure_future(hall.door.close())
                await ws.receive(timeout=30)
                await ws.close()
                await closing
                return ws.close_code

        code = hall.run(watch())
        (pid,) = hall.pids("anna")
        assert hall.notes("anna")[-1] == "left"
        assert not alive(pid)
        assert code == aiohttp.WSCloseCode.GOING_AWAY
        hall.close()

    def test_a_stubborn_desk_is_killed_with_what_it_started(self, tmp_path, monkeypatch):
        monkeypatch.setattr("activeseg_web.people.GRACE_S", 0.3)
        hall = Hall(tmp_path, {"anna": "stubborn"}).open()
        hall.page("anna")
        desk, worker = hall.pids("anna")
        assert alive(desk)
        assert alive(worker)
        hall.close()
        assert not alive(desk)
        until(lambda: not alive(worker), "the worker is gone")

    def test_desks_go_when_the_door_is_killed(self, tmp_path):
        code = (
            "import asyncio, sys; from activeseg_web.door import Door\n"
            f"desk = lambda name: [sys.executable, {str(STAND_IN)!r}, name, 'usual', "
            f"{str(tmp_path)!r}]\n"
            "async def run():\n"
            "    await Door(desk, 'anna').open('127.0.0.1', 0)\n"
            "    await asyncio.sleep(600)\n"
            "asyncio.run(run())\n"
        )
        door = subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        notes = tmp_path / "anna"
        until(lambda: notes.exists() and "port" in notes.read_text(), "a desk")
        door.send_signal(signal.SIGKILL)
        door.wait()
        until(lambda: "left" in notes.read_text(), "the desk has left")


class TestPorts:
    def test_a_used_port_is_refused_and_leaves_nothing(self, tmp_path):
        with socket.socket() as used:
            used.bind(("127.0.0.1", 0))
            used.listen()
            hall = Hall(tmp_path, {})
            with pytest.raises(ActiveSegError, match=r"cannot listen on 127\.0\.0\.1 port"):
                hall.open(port=used.getsockname()[1])
            hall.close()
        assert hall.notes("anna") == []

    def test_the_usual_port_gives_way_to_any_free_one(self, tmp_path, monkeypatch):
        with socket.socket() as used:
            used.bind(("127.0.0.1", 0))
            used.listen()
            monkeypatch.setattr("activeseg_web.door.PORT", used.getsockname()[1])
            hall = Hall(tmp_path, {}).open(port=None)
            assert hall.address.port not in (0, used.getsockname()[1])
            hall.close()


class TestTheCommand:
    @pytest.mark.parametrize(
        "line",
        ["PROJECT", "PROJECT --port 8080", "PROJECT --host 0.0.0.0 --no-browser --author ada"],
    )
    def test_the_contracts_words_are_understood(self, line):
        arguments = build_parser().parse_args(["workbench", *line.split()])
        assert callable(arguments.run)

    def test_words_become_values(self):
        arguments = build_parser().parse_args(["workbench", "P"])
        assert (arguments.host, arguments.port, arguments.no_browser) == ("127.0.0.1", None, False)
        assert build_parser().parse_args(["workbench", "P", "--port", "0"]).port == 0

    @pytest.mark.parametrize("port", ["-1", "65536", "http"])
    def test_a_port_that_is_none(self, port, capsys):
        with pytest.raises(SystemExit) as ended:
            build_parser().parse_args(["workbench", "P", f"--port={port}"])
        assert ended.value.code == 2
        assert capsys.readouterr().err.count("\n") == 1

    def test_what_is_missing_is_said_in_one_line(self, monkeypatch, capsys):
        monkeypatch.setattr("activeseg_web.__main__.find_spec", lambda name: None)
        assert serve_project(["P", "--author=anna"]) == 2
        assert capsys.readouterr().err == (
            "activeseg: the workbench needs trame-slicer, which is not installed; "
            'run: pip install "activeseg[workbench]"\n'
        )

    def test_an_author_that_fits_no_address_is_said_in_one_line(self, monkeypatch, capsys):
        monkeypatch.setattr("activeseg_web.__main__.find_spec", lambda name: name)
        assert serve_project(["P", "--author=a/b"]) == 2
        told = capsys.readouterr().err
        assert told.startswith("activeseg: 'a/b' cannot be part of an address")
        assert told.count("\n") == 1

    def test_a_folder_that_is_no_project_is_said_in_one_line(self, tmp_path, capsys, as_before):
        assert main(["workbench", str(tmp_path)]) == 2
        assert "not a project folder" in capsys.readouterr().err

    def test_the_package_itself_loads_nothing(self):
        code = (
            "import sys, activeseg_web; "
            "print(*{'aiohttp', 'trame', 'slicer', 'numpy', 'asyncio'} & set(sys.modules))"
        )
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == []

    @pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
    @pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
    def test_it_serves_until_it_is_asked_to_end(self, tmp_path, host, as_before):
        pytest.importorskip("trame_slicer", reason="needs the workbench extra")
        cohort, project = write_tiny_cohort(tmp_path / "cohort"), tmp_path / "project"
        assert main(["init", str(project), "--cohort", str(cohort), "--progress", "none"]) == 0
        words = ("workbench", project, "--author", "anna", "--port", 0, "--host", host)
        face = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "activeseg", *map(str, words), "--no-browser"],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            text=True,
        )
        with face:
            url = face.stdout.readline().split()[1]
            with urllib.request.urlopen(url) as page:
                body = page.read().decode()
            if host == "127.0.0.1":
                assert page.url.endswith("/desk/anna/")
                assert "ActiveSeg" in body
            else:
                assert "?token=" in url
                assert "not encrypted" in face.stdout.readline()
                with pytest.raises(urllib.error.HTTPError, match="401"):
                    urllib.request.urlopen(url.partition("?")[0])
            face.send_signal(signal.SIGTERM)
            assert face.wait(60) == 0


@pytest.fixture
def as_before():
    """`main` sets a signal handler of its own."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)
