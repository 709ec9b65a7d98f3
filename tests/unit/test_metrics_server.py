"""The metrics port is open to whoever reaches it: it must bear silent, slow and rude clients."""

import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Gauge

from maskgate.protocol.errors import ConfigurationError
from tests.servers.ports import eventually
from tests.servers.processes import done
from worker.connections import ConnectionState, Service
from worker.operations.health import Health
from worker.operations.metrics import serving

ROOT = Path(__file__).parent.parent.parent
LARGE = 4_000_000


@pytest.fixture
def connections() -> ConnectionState:
    state = ConnectionState(CollectorRegistry())
    for service in Service:
        state.connected(service)
    return state


@pytest.fixture
def port(connections: ConnectionState) -> Iterator[int]:
    registry = CollectorRegistry()
    Gauge("large", "x" * LARGE, registry=registry).set(1)
    with serving("127.0.0.1", 0, Health(connections, 30), registry) as port:
        yield port


def ask(port: int, request: bytes = b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n") -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(request)
        with client.makefile("rb") as answer:
            return answer.read()


def health_check(port: int) -> tuple[int, str]:
    asked = done("worker.health_check", environment={"MASKGATE_METRICS_PORT": str(port)})
    return asked.returncode, asked.stdout


def test_the_paths_answer(port: int, connections: ConnectionState) -> None:
    assert ask(port).startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\nlarge 1.0\n" in ask(port, b"GET /metrics?name[]=large HTTP/1.1\r\n\r\n")
    assert ask(port, b"GET /healthz HTTP/1.1\r\n\r\n").endswith(b"\r\n\r\nok\n")
    assert ask(port, b"GET / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 404 ")
    assert ask(port, b"POST /metrics HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 405 ")
    assert health_check(port) == (0, "ready\n")
    connections.closed(Service.BROKER)
    assert ask(port).startswith(b"HTTP/1.1 503 ")
    assert health_check(port) == (69, "not connected to the broker\n")


def test_400_unfinished_requests_hold_no_threads_and_do_not_stop_the_health_check(
    port: int,
) -> None:
    threads = threading.active_count()
    with ExitStack() as held:
        for _ in range(400):
            client = held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
            client.sendall(b"GET /metrics HTTP/1.1\r\n")
        assert ask(port).startswith(b"HTTP/1.1 200 ")
        assert health_check(port) == (0, "ready\n")
        assert threading.active_count() == threads


def test_an_unfinished_request_is_cut_off(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(b"GET /readyz")
        with suppress(ConnectionResetError):
            assert client.recv(1) == b""


def test_a_head_without_an_end_is_cut_off_and_not_kept(port: int) -> None:
    with (
        socket.create_connection(("127.0.0.1", port), timeout=30) as client,
        pytest.raises(OSError, match=r"reset|Broken pipe"),
    ):
        client.sendall(b"x" * 80_000_000)
    assert ask(port).startswith(b"HTTP/1.1 200 ")


def test_clients_that_go_away_or_do_not_read_leave_no_traceback(
    port: int, capfd: pytest.CaptureFixture[str]
) -> None:
    for sent in (b"", b"GET /met", b"GET /metrics HTTP/1.1\r\n\r\n", b"\xff\r\n\r\n"):
        for _ in range(10):
            with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
                # Closing then resets the connection.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                client.sendall(sent)
    assert ask(port).startswith(b"HTTP/1.1 200 ")
    eventually(lambda: health_check(port)[0] == 0, 30, "readiness")
    assert capfd.readouterr() == ("", "")


def test_a_port_that_is_taken_is_named(port: int, connections: ConnectionState) -> None:
    health = Health(connections, 30)
    with (
        pytest.raises(ConfigurationError, match=f"MASKGATE_METRICS_PORT: .*:{port}: Address"),
        serving("127.0.0.1", port, health, CollectorRegistry()),
    ):
        pass


@pytest.mark.parametrize("wrong", ["", "0", "x", "65536"])
def test_the_health_check_needs_a_port(wrong: str) -> None:
    asked = done("worker.health_check", environment={"MASKGATE_METRICS_PORT": wrong})
    assert (asked.returncode, asked.stderr) == (78, "")
    assert "MASKGATE_METRICS_PORT" in asked.stdout


def test_the_health_check_says_that_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        unused = server.getsockname()[1]
    code, said = health_check(unused)
    assert (code, said.startswith(f"no answer on port {unused}: ")) == (69, True)


def test_the_health_check_imports_little_but_the_standard_library() -> None:
    program = (
        "import sys; before = set(sys.modules); import worker.health_check; "
        "print(*sorted(set(sys.modules) - before))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    imported = {name.partition(".")[0] for name in ran.stdout.split()}
    assert "socket" in imported
    assert imported - {"worker"} <= sys.stdlib_module_names
    assert not imported & {"http", "email", "ssl", "urllib", "asyncio", "logging"}


def test_the_health_check_takes_a_fraction_of_a_second_of_processor_time(port: int) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert health_check(port)[0] == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Measured: 0.02 s. The former check took 0.4 to 0.9 s.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.3
