"""Attacks on the desk, against the real process over HTTP with a real Redis.

The page believes the X-Forwarded-For of 127.0.0.1, so that each test has an address of its own.
"""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from redis import Redis

from maskgate.protocol.camera_state import camera_key
from maskgate.protocol.known_cameras import CAMERAS_KEY
from maskgate.protocol.verdict import history_key, track_key, verdict_key, visits_key
from maskgate.runtime.clock import now_ms
from tests.desk_site import PASSWORD, Browser, Desk, desk
from tests.servers.ports import eventually
from tests.servers.redis_server import RedisServer

MARKUP = "<xss onload=alert(1)>'\"&"


@pytest.fixture(scope="module")
def site(shared_redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    settings = {"MASKGATE_DESK_PROXY": "127.0.0.1", "MASKGATE_DESK_CLIENT_TIMEOUT_S": "1"}
    with desk(shared_redis.url, tmp_path_factory.mktemp("desk"), settings) as running:
        yield running


@pytest.fixture(scope="module")
def proxied(shared_redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    settings = {
        "MASKGATE_DESK_PROXY": "127.0.0.1",
        "MASKGATE_DESK_TRUSTED_HEADER": "X-Bank-User",
        "MASKGATE_DESK_HTTPS": "true",
    }
    with desk(shared_redis.url, tmp_path_factory.mktemp("proxied"), settings) as running:
        yield running


@contextmanager
def connection(site: Desk) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", site.port), timeout=10) as made:
        yield made


def raw(site: Desk, request: bytes) -> bytes:
    """The whole answer to bytes that no client library would send."""
    with connection(site) as made:
        made.sendall(request)
        return read_all(made)


def read_all(made: socket.socket) -> bytes:
    answer = b""
    try:
        while part := made.recv(65536):
            answer += part
    except ConnectionError:
        pass
    return answer


def is_signed_in(browser: Browser) -> bool:
    return browser.get("/doors").status_code == 200


# Cross-site requests


@pytest.mark.parametrize("token", ["", "0" * 64, "é"], ids=["missing", "wrong", "not ASCII"])
def test_a_form_without_the_sessions_token_changes_nothing(site: Desk, token: str) -> None:
    with site.browser("viewer") as browser:
        answer = browser.post("/sign-out", data={"csrf": token} if token else {})
        assert answer.status_code == 403
        assert is_signed_in(browser)


def test_the_token_of_another_session_is_refused(site: Desk) -> None:
    with site.browser("viewer") as attacker, site.browser("viewer") as victim:
        answer = victim.post("/sign-out", data={"csrf": attacker.token()})
        assert answer.status_code == 403
        assert is_signed_in(victim)


def test_another_site_can_not_sign_a_browser_in(site: Desk) -> None:
    with site.browser() as attacker, site.browser() as victim:
        token = attacker.token("/sign-in")
        fields = {"csrf": token, "name": "viewer", "password": PASSWORD}
        assert victim.post("/sign-in", data=fields).status_code == 403
        assert not is_signed_in(victim)


def test_a_form_of_another_type_is_refused(site: Desk) -> None:
    with site.browser("viewer") as browser:
        kind = {"Content-Type": "text/plain"}
        body = f"csrf={browser.token()}"
        assert browser.post("/sign-out", content=body, headers=kind).status_code == 415
        assert is_signed_in(browser)


# Sessions


def test_a_session_id_that_somebody_else_chose_is_never_used(site: Desk) -> None:
    with site.browser() as victim, site.browser() as attacker:
        for browser in (victim, attacker):
            browser.headers["Cookie"] = "desk=chosen-by-the-attacker"
        form = victim.get("/sign-in")
        cookie = form.headers["set-cookie"].partition(";")[0]
        victim.headers["Cookie"] = f"desk=chosen-by-the-attacker; {cookie}"
        answer = victim.sign_in_with(form, "viewer")
        assert answer.status_code == 303
        assert answer.headers["set-cookie"].startswith("desk=")
        assert "chosen-by-the-attacker" not in answer.headers["set-cookie"]
        assert not is_signed_in(attacker)


def test_a_new_sign_in_has_a_new_id_and_ends_the_old_session(site: Desk) -> None:
    with site.browser("viewer") as browser, site.browser() as copy:
        old = browser.cookies["desk"]
        fields = {"csrf": browser.token(), "name": "viewer", "password": PASSWORD}
        assert browser.post("/sign-in", data=fields).status_code == 303
        assert browser.cookies["desk"] != old
        copy.cookies.set("desk", old)
        assert not is_signed_in(copy)


def test_after_the_sign_out_the_cookie_is_worth_nothing(site: Desk) -> None:
    with site.browser("viewer") as browser, site.browser() as copy:
        copy.cookies.set("desk", browser.cookies["desk"])
        assert is_signed_in(copy)
        assert browser.submit("/sign-out").status_code == 303
        assert not is_signed_in(browser)
        assert not is_signed_in(copy)


def test_a_user_who_is_removed_is_out_at_once(site: Desk) -> None:
    site.users("guest operator " + users_hash(site))
    with site.browser("guest") as browser:
        assert browser.get("/journal").status_code == 200
        site.users("guest viewer " + users_hash(site))
        assert browser.get("/journal").status_code == 403, "the role is that of the file"
        site.users()
        assert not is_signed_in(browser)


def users_hash(site: Desk) -> str:
    return (site.folder / "users").read_text().split()[2]


def test_the_cookies_are_for_this_server_and_no_script(site: Desk, proxied: Desk) -> None:
    with site.browser() as browser:
        form = browser.get("/sign-in").headers["set-cookie"]
        session = browser.sign_in("viewer").headers["set-cookie"]
    for cookie in (form, session):
        assert cookie.split("; ")[1:] == ["Path=/", "HttpOnly", "SameSite=Strict"]
    with proxied.browser() as browser:
        behind_tls = browser.get("/doors", headers={"X-Bank-User": "viewer"}).headers["set-cookie"]
    assert behind_tls.startswith("__Host-desk=")
    assert behind_tls.split("; ")[1:] == ["Path=/", "HttpOnly", "SameSite=Strict", "Secure"]


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "/\\evil", "/a?b=//c"])
def test_a_sign_in_leads_to_no_other_site(site: Desk, to: str) -> None:
    with site.browser() as browser:
        answer = browser.sign_in_with(browser.get("/sign-in"), "viewer", to=to)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")


# Guessing


def test_guessing_a_password_is_stopped_and_written_down(site: Desk) -> None:
    from_there = {"X-Forwarded-For": "192.0.2.1"}
    with site.browser() as browser:
        browser.headers.update(from_there)
        for _ in range(10):
            assert browser.sign_in("labeller", "a wrong guess").status_code == 403
        refused = browser.sign_in("labeller", PASSWORD)
        assert refused.status_code == 429, "even with the right password"
        assert int(refused.headers["retry-after"]) > 0
        for _ in range(5):
            assert browser.sign_in("labeller").status_code == 429
        assert browser.sign_in("viewer").status_code == 303, "others can still sign in"
    assert site.journal.count('"who": "labeller", "action": "sign_in_failed"') == 10
    refusal = '"action": "sign_in_refused", "address": "192.0.2.1"'
    assert site.journal.count(refusal) == 1, "who tries on does not fill the disk"
    assert "a wrong guess" not in site.journal + site.log.read_text()


def test_an_address_that_tries_many_names_is_stopped(site: Desk) -> None:
    with site.browser() as browser:
        browser.headers["X-Forwarded-For"] = "192.0.2.2"
        for number in range(30):
            assert browser.sign_in(f"s3cret-name-{number}", "x").status_code == 403
        assert browser.sign_in("operator").status_code == 429
        # Only the entry that the proxy adds counts: the others are what the client likes.
        browser.headers["X-Forwarded-For"] = "192.0.2.77, 192.0.2.2"
        assert browser.sign_in("operator").status_code == 429
        browser.headers["X-Forwarded-For"] = "192.0.2.3"
        assert browser.sign_in("operator").status_code == 303
    assert "s3cret-name" not in site.journal, "it may be a password in the wrong field"


def test_a_wrong_name_and_a_wrong_password_look_the_same(site: Desk) -> None:
    with site.browser() as browser:
        browser.headers["X-Forwarded-For"] = "192.0.2.4"
        name, password = browser.sign_in("nobody"), browser.sign_in("viewer", "wrong")
        texts = [hide_token(answer.text) for answer in (name, password)]
        assert texts[0] == texts[1]
        assert name.status_code == password.status_code


def hide_token(text: str) -> str:
    return "".join(line for line in text.splitlines() if 'name="csrf"' not in line)


# Markup and injection


@pytest.fixture
def hostile(site: Desk, redis: RedisServer) -> Iterator[Redis]:
    """A Redis in which somebody with a worker's rights wrote markup wherever there is text."""
    with redis.client() as client:
        now = now_ms()
        verdict = {
            "crop_id": MARKUP,
            "track_id": MARKUP,
            "outcome": "mask",
            "p_mask": "0.99",
            "captured_at": str(now),
            "decided_at": str(now),
            "model": MARKUP,
            "crops": "4",
            "agreeing": "4",
            "ttl_ms": "600000",
        }
        client.zadd(CAMERAS_KEY, {"lobby": now, MARKUP: now, "..": now, "a:b": now})
        client.hset(verdict_key("lobby"), mapping=verdict)
        client.hset(track_key("lobby", MARKUP), mapping=verdict)
        client.zadd(visits_key("lobby"), {MARKUP: now})
        state = {"state": "dark", "since": str(now), "sent_at": str(now), "detail": MARKUP}
        client.hset(camera_key("lobby"), mapping=state)
        entry = {name: verdict[name] for name in ("crop_id", "track_id", "outcome", "model")}
        client.xadd(history_key("lobby"), {**entry, "decided_at": now, "reason": MARKUP})
        client.xadd(history_key("lobby"), {"outcome": MARKUP})
        yield client


def test_markup_in_ids_and_texts_stays_text(site: Desk, hostile: Redis) -> None:
    with site.browser("viewer") as browser:

        def shown() -> str:
            text = browser.get("/doors").text
            return text if "&lt;xss" in text else ""

        pages = [eventually(shown, 10, "the hostile door"), browser.get("/doors/lobby").text]
        with browser.stream("GET", "/doors/events") as events:
            pages.append(next(line for line in events.iter_lines() if line.startswith("data:")))
    for text in pages:
        assert "<xss" not in text
        assert "&lt;xss" in text
    assert 'id="door-lobby"' in pages[0]
    assert pages[0].count("<tr id=") == 1, "what is no camera id is no door"
    assert "1 entries can't be read" in pages[1]


@pytest.mark.parametrize(
    "camera",
    [
        "%3Cxss%3E",
        "lobby%0d%0aSet-Cookie:%20desk=x",
        "lobby}:t",
        "*",
        "%00",
        "..%2fjournal",
        "a" * 65,
        "é",
        "lobby%20FLUSHALL",
    ],
)
def test_a_camera_in_a_path_is_an_id_or_nothing(site: Desk, camera: str) -> None:
    with site.browser("viewer") as browser:
        answer = browser.get(f"/doors/{camera}")
        assert answer.status_code == 404
        assert "set-cookie" not in answer.headers
        assert "<xss" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/static/../templates/base.html",
        "/static/../../access/roles.py",
        "/static/..%2f..%2faccess%2froles.py",
        "/static/%2e%2e/%2e%2e/access/roles.py",
        "/static//etc/passwd",
        "/static/....//....//access/roles.py",
        "/assets/..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/static/",
    ],
)
def test_no_path_leads_out_of_the_static_files(site: Desk, path: str) -> None:
    answer = raw(site, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 404 "), answer[:200]


# Too much, too slow, too many


def test_an_oversized_form_is_refused_unread(site: Desk) -> None:
    head = b"POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n"
    assert raw(site, head).startswith(b"HTTP/1.1 413 ")


def test_a_body_without_a_length_is_refused_at_the_limit(site: Desk) -> None:
    with connection(site) as made:
        made.sendall(b"POST /sign-in HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"4000\r\n" + b"a" * 0x4000 + b"\r\n"
        try:
            for _ in range(200):
                made.sendall(chunk)
        except ConnectionError:
            pass
        answer = read_all(made)
    assert answer.startswith(b"HTTP/1.1 413 ") or answer == b"", answer[:200]
    with site.browser("viewer") as browser:
        assert is_signed_in(browser)


def test_endless_headers_are_refused(site: Desk) -> None:
    answer = raw(site, b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 200_000 + b"\r\n\r\n")
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 431 ")) or answer == b""


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"GET / HT",
        b"GET / HTTP/1.1\r\nHost: x\r\n",
        b"POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nname=",
    ],
    ids=["nothing", "half a line", "half a head", "half a body"],
)
def test_a_client_that_does_not_finish_is_dropped(site: Desk, begun: bytes) -> None:
    with connection(site) as made:
        made.sendall(begun)
        began_s = time.monotonic()
        answer = read_all(made)  # ends when the server closes; the socket waits 10 s
        assert time.monotonic() - began_s < 9
        assert answer == b"" or answer.startswith(b"HTTP/1.1 408 ")


def test_a_client_that_sends_a_byte_now_and_then_is_dropped_too(site: Desk) -> None:
    with connection(site) as made, suppress(ConnectionError):
        for _ in range(180):
            made.sendall(b"X")
            time.sleep(0.05)
        pytest.fail("9 s, and the limit is 1 s")


def test_of_500_event_streams_100_are_open_and_the_rest_are_told(site: Desk) -> None:
    with ExitStack() as stack:
        browsers = [stack.enter_context(site.browser(name)) for name in ("viewer",) * 12]
        made = []
        for number in range(500):
            cookie = browsers[number % 12].cookies["desk"]
            each = stack.enter_context(connection(site))
            each.sendall(
                b"GET /doors/events HTTP/1.1\r\nHost: x\r\nCookie: desk="
                + cookie.encode()
                + b"\r\n\r\n"
            )
            made.append(each)
        heads = [each.recv(4096) for each in made]
        assert sum(head.startswith(b"HTTP/1.1 200 ") for head in heads) == 100
        refused = [head for head in heads if head.startswith(b"HTTP/1.1 503 ")]
        assert len(refused) == 400
        with browsers[0].stream("GET", "/doors/events") as one_more:
            assert one_more.read() == b"too many open event streams: close a tab\n"
        assert is_signed_in(browsers[0]), "pages are still served"
    with site.browser("viewer") as browser:
        eventually(lambda: opens(browser), 10, "room for a stream")


def test_one_session_has_10_event_streams_at_most(site: Desk) -> None:
    with site.browser("viewer") as browser, ExitStack() as stack:
        eventually(lambda: opens(browser), 10, "room for a stream")
        streams = [stack.enter_context(browser.stream("GET", "/doors/events")) for _ in range(11)]
        assert [each.status_code for each in streams] == [200] * 10 + [503]


def opens(browser: Browser) -> bool:
    with browser.stream("GET", "/doors/events") as answer:
        return answer.status_code == 200


def test_a_stream_ends_with_its_session(site: Desk) -> None:
    with site.browser("viewer") as browser:
        eventually(lambda: opens(browser), 10, "room for a stream")
        with browser.stream("GET", "/doors/events", timeout=15) as events:
            lines = events.iter_lines()
            assert next(lines) == "event: rows"
            browser.submit("/sign-out")
            for _ in lines:
                pass  # until the end, or the timeout raises


# A proxy's header


def from_address(site: Desk, address: str) -> httpx.Client:
    transport = httpx.HTTPTransport(local_address=address)
    return httpx.Client(base_url=site.url, transport=transport, headers={"Accept": "text/html"})


def test_the_trusted_header_counts_from_the_proxy_alone(proxied: Desk) -> None:
    header = {"X-Bank-User": "operator"}
    with from_address(proxied, "127.0.0.1") as proxy:
        assert proxy.get("/journal", headers=header).status_code == 200
        assert proxy.get("/journal", headers={"X-Bank-User": "viewer"}).status_code == 403
        assert proxy.get("/doors", headers={"X-Bank-User": "stranger"}).status_code != 200
        assert proxy.get("/doors").status_code != 200
        twice = [("X-Bank-User", "viewer"), ("X-Bank-User", "operator")]
        assert proxy.get("/journal", headers=twice).status_code == 400
    with from_address(proxied, "127.0.0.2") as stranger:
        spoofed = {**header, "X-Forwarded-For": "127.0.0.1", "Forwarded": "for=127.0.0.1"}
        assert stranger.get("/journal", headers=spoofed).status_code != 200


def test_a_cookie_of_the_header_is_worth_nothing_without_it(proxied: Desk) -> None:
    with from_address(proxied, "127.0.0.1") as proxy:
        answer = proxy.get("/doors", headers={"X-Bank-User": "operator"})
        cookie = answer.headers["set-cookie"].partition(";")[0]
    for address in ("127.0.0.1", "127.0.0.2"):
        with from_address(proxied, address) as stranger:
            assert stranger.get("/doors", headers={"Cookie": cookie}).status_code != 200


def test_the_header_of_one_user_with_the_cookie_of_another_is_the_header_s_user(
    proxied: Desk,
) -> None:
    with from_address(proxied, "127.0.0.1") as proxy:
        answer = proxy.get("/doors", headers={"X-Bank-User": "operator"})
        cookie = answer.headers["set-cookie"].partition(";")[0]
        headers = {"X-Bank-User": "viewer", "Cookie": cookie}
        assert proxy.get("/journal", headers=headers).status_code == 403


def test_a_form_behind_the_proxy_needs_its_token_too(proxied: Desk) -> None:
    with from_address(proxied, "127.0.0.1") as proxy:
        page = proxy.get("/doors", headers={"X-Bank-User": "viewer"})
        token = page.text.partition('data-csrf="')[2][:64]
        cookie = page.headers["set-cookie"].partition(";")[0]
        headers = {"X-Bank-User": "viewer", "Cookie": cookie}
        assert proxy.post("/sign-out", headers=headers).status_code == 403
        with_token = {**headers, "X-CSRF-Token": token}
        assert proxy.post("/sign-out", headers=with_token).status_code == 303


def test_with_a_header_nobody_signs_in_by_password(proxied: Desk) -> None:
    with from_address(proxied, "127.0.0.1") as proxy:
        assert proxy.get("/sign-in").status_code == 403


def test_without_the_setting_no_header_counts(site: Desk) -> None:
    with from_address(site, "127.0.0.1") as client:
        for name in ("X-Bank-User", "X-Remote-User", "Remote-User", "X-Forwarded-User"):
            assert client.get("/doors", headers={name: "operator"}).status_code == 303


def test_an_address_that_is_not_the_proxy_can_not_choose_its_own(site: Desk) -> None:
    with from_address(site, "127.0.0.3") as client:
        client.headers["X-Forwarded-For"] = "192.0.2.99"
        page = client.get("/sign-in").text
        token = page.partition('name="csrf" value="')[2][:64]
        client.post("/sign-in", data={"csrf": token, "name": "viewer", "password": "wrong"})
    assert "192.0.2.99" not in site.journal
    assert '"address": "127.0.0.3"' in site.journal


def test_the_folder_of_the_journal_is_private(site: Desk) -> None:
    journal = Path(site.folder / "journal.jsonl")
    assert journal.stat().st_mode & 0o077 == 0
