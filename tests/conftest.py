import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

from tests.servers.certificates import Authority, Certificate, ServerTls
from tests.servers.rabbit_server import RabbitServer, rabbit_server
from tests.servers.redis_server import RedisServer, redis_server

# pika logs a traceback for each failed connection attempt; they would hide why a test failed.
logging.getLogger("pika").setLevel(logging.CRITICAL)
# Shells start background jobs with SIGINT ignored, and children inherit that: tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Examples have no time limit: a busy machine is no failure, and speed is for the benchmarks.
settings.register_profile("maskgate", deadline=None)
settings.load_profile("maskgate")

YUNET = Path(
    os.environ.get(
        "MASKGATE_TEST_YUNET",
        Path(__file__).parents[2] / "shared" / "models" / "face_detection_yunet_2026may.onnx",
    )
)


@pytest.fixture(scope="session")
def shared_rabbit() -> Iterator[RabbitServer]:
    with rabbit_server() as server:
        yield server


@pytest.fixture
def rabbit(shared_rabbit: RabbitServer) -> RabbitServer:
    """The session's broker, with empty queues."""
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


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority that issues the servers' certificates, and those of clients they trust."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def rabbit_certificate(authority: Authority) -> Certificate:
    """The certificate of ``mutual_rabbit``, valid for ``localhost`` but not for ``127.0.0.1``."""
    return authority.issue("localhost")


@pytest.fixture(scope="session")
def mutual_rabbit(authority: Authority, rabbit_certificate: Certificate) -> Iterator[RabbitServer]:
    """A broker whose TLS port requires a client certificate."""
    with rabbit_server(
        ServerTls(authority.ca, rabbit_certificate, demands_client_certificate=True)
    ) as server:
        yield server


@pytest.fixture
def environment(rabbit: RabbitServer, redis: RedisServer) -> dict[str, str]:
    """Variables for maskgate's own processes.

    Verdicts live for 10 minutes, because a test under load can take more than the default 3 s on
    a busy machine. Expiry has its own tests.
    """
    return {
        "MASKGATE_BROKER_URL": rabbit.url,
        "MASKGATE_REDIS_URL": redis.url,
        "MASKGATE_REPORT_INTERVAL_S": "0.5",
        "MASKGATE_LOG_JSON": "true",
        "MASKGATE_VERDICT_TTL_MS": "600000",
        "MASKGATE_HISTORY_LENGTH": "1000000",
    }


@pytest.fixture(autouse=True)
def logs_as_at_the_start() -> Iterator[None]:
    """Reset structlog after each test.

    A command under test logs to the standard error that pytest captures, and pytest closes that
    stream after the test.
    """
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture(scope="session")
def blazeface_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default face detector, fetched once a session unless it is installed."""
    from producer.video.detection.fetch import FetchError, fetch
    from producer.video.detection.places import FILE_NAME, default_file

    out = default_file() or tmp_path_factory.mktemp("detector") / FILE_NAME
    try:
        return fetch(out)
    except FetchError as error:
        pytest.skip(f"the registry does not answer: {error}")


@pytest.fixture(scope="session")
def installed_detector() -> None:
    """The default face detector where every process finds it."""
    from producer.video.detection.fetch import FetchError, fetch
    from producer.video.detection.places import default_file, places

    try:
        fetch(default_file() or places()[-1])
    except FetchError as error:
        pytest.skip(f"the registry does not answer: {error}")


@pytest.fixture(scope="session")
def yunet_file() -> Path:
    """A YuNet that somebody put beside the checkout."""
    if not YUNET.is_file():
        pytest.skip(f"no YuNet at {YUNET}")
    return YUNET
