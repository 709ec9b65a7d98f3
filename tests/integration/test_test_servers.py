"""The test servers themselves.

In CI, another process once took a broker's port before the broker listened on it.
"""

import socket

import pytest

import tests.servers.rabbit_server
from tests.servers.ports import free_port
from tests.servers.rabbit_server import rabbit_server


def test_a_broker_whose_port_was_taken_starts_on_another(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = iter([taken.getsockname()[1]])
        monkeypatch.setattr(
            tests.servers.rabbit_server, "free_port", lambda: next(ports, None) or free_port()
        )
        with rabbit_server() as server:
            assert server.port != taken.getsockname()[1]
            assert server.ready()
