import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from maskgate.protocol.errors import BrokerError, StoreError
from worker.connections import ConnectionState, Service
from worker.operations.health import Health


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def connections(registry: CollectorRegistry) -> ConnectionState:
    return ConnectionState(registry)


def fail() -> None:
    msg = "gone"
    raise StoreError(msg)


def test_an_outage_is_one_log_line_however_many_attempts_fail(connections: ConnectionState) -> None:
    with capture_logs() as lines:
        for action in (fail, fail, lambda: None, lambda: None, fail):
            connections.attempt_redis(action)
    assert [line["event"] for line in lines] == ["redis.lost", "redis.connected", "redis.lost"]


def test_health_metric_and_error_follow_the_state(
    connections: ConnectionState, registry: CollectorRegistry
) -> None:
    health = Health(connections, stalled_after_s=30)

    def seen() -> tuple[bool, float | None, str | None]:
        complains = "not connected to the broker" in health.complaints()
        metric = registry.get_sample_value("maskgate_connected", {"to": "broker"})
        return complains, metric, connections.error(Service.BROKER)

    assert seen() == (True, 0, None)
    connections.connected(Service.BROKER)
    assert seen() == (False, 1, None)
    connections.lost(Service.BROKER, BrokerError("reset"))
    assert seen() == (True, 0, "reset")
    connections.connected(Service.BROKER)
    connections.closed(Service.BROKER)
    assert seen() == (True, 0, None)


def test_every_failed_attempt_counts_as_a_retry(
    connections: ConnectionState, registry: CollectorRegistry
) -> None:
    for _ in range(3):
        connections.attempt_redis(fail)
    assert registry.get_sample_value("maskgate_retries_total", {"to": "redis"}) == 3
