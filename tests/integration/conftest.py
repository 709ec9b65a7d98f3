"""Redis for the tests of this folder: open, or guarded by the rights of an installation."""

from collections.abc import Iterator

import pytest
from redis import Redis

from maskgate.gate import Gate
from maskgate.operations.secrets import acl
from maskgate.redis_functions import library
from maskgate.runtime.store import connect
from tests.servers.redis_server import RedisServer, redis_server

#: The password of each role of ``guarded``.
PASSWORDS = {"admin": "a", "worker": "w", "gate": "g", "deployer": "d", "desk": "k"}


@pytest.fixture
def client(redis: RedisServer) -> Iterator[Redis]:
    """A client of the session's Redis, as processes make theirs."""
    with connect(redis.url, None, name="test", timeout_s=2) as client:
        yield client


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis with the roles of :data:`PASSWORDS`."""
    users = tmp_path_factory.mktemp("acl") / "users.acl"
    users.write_text(acl(PASSWORDS))
    with redis_server(users, admin_password=PASSWORDS["admin"]) as server:
        yield server


@pytest.fixture
def admin(guarded: RedisServer) -> Iterator[Redis]:
    """The administrator of ``guarded``, which is empty and has its functions."""
    with Redis(port=guarded.port, username="admin", password="a", decode_responses=True) as client:
        client.flushall()
        library().load(client)
        yield client


@pytest.fixture
def gate(guarded: RedisServer, admin: Redis) -> Iterator[Gate]:
    """A door with the rights of the gate's user."""
    with Gate(f"redis://gate@127.0.0.1:{guarded.port}/0", "g", timeout_s=2) as gate:
        yield gate
