import logging
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

from tests.servers.rabbit_server import RabbitServer, rabbit_server
from tests.servers.redis_server import RedisServer, redis_server

# Its tracebacks of connections that are not there yet would bury a failure.
logging.getLogger("pika").setLevel(logging.CRITICAL)
# How long an example takes is the machine's business: timings belong in benchmarks.
settings.register_profile("maskgate", deadline=None)
settings.load_profile("maskgate")


@pytest.fixture(scope="session")
def shared_rabbit() -> Iterator[RabbitServer]:
    with rabbit_server() as server:
        yield server


@pytest.fixture
def rabbit(shared_rabbit: RabbitServer) -> RabbitServer:
    """The session's broker, its queues empty."""
    shared_rabbit.purge()
    return shared_rabbit


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture
def redis(shared_redis: RedisServer) -> RedisServer:
    """The session's Redis, empty."""
    with shared_redis.client() as client:
        client.flushall()
    return shared_redis


@pytest.fixture(autouse=True)
def logs_as_at_the_start() -> Iterator[None]:
    """A command that a test runs sets up logs to the standard error it sees, which is gone after the test."""
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
