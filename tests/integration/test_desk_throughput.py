"""The throughput readers on a real worker's page and real queues."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from desk.throughput.collector import Collector
from desk.throughput.depths import QueueDepths
from desk.throughput.figures import Figures
from desk.throughput.ring import Point, Ring
from desk.throughput.scrape import scrape
from maskgate.protocol.crop import Crop, Label, new_crop_id, to_message
from maskgate.protocol.errors import BrokerError
from maskgate.protocol.queue import QueueKind
from maskgate.protocol.topology import AUDIT_QUEUE, DEAD_QUEUE, LIVE_QUEUE, REVIEW_QUEUE
from maskgate.runtime.broker import parameters
from maskgate.runtime.clock import now_ms
from maskgate.runtime.stop import Stop
from producer.rabbit import RabbitPublisher
from tests.integration.queues import publish
from tests.servers.ports import eventually, free_port
from tests.servers.processes import running, said
from tests.servers.rabbit_server import RabbitServer
from tests.servers.rabbit_users import NOTHING, add_user
from worker.connections import ConnectionState
from worker.operations.health import Health
from worker.operations.metrics import serving
from worker.reporting.stats import Stats

GREY = b"P5 64 64 255\n" + bytes(64 * 64)


class NoBroker:
    def read(self) -> Mapping[str, int | None]:
        msg = "no broker here"
        raise BrokerError(msg)

    def close(self) -> None:
        pass


def newest(ring: Ring) -> Point:
    assert ring.newest is not None
    return ring.newest


def figures(ring: Ring) -> Figures:
    found = ring.since(3600)
    assert found is not None
    return found


def crop(body: bytes = GREY, *, age_ms: int = 0, label: Label | None = None) -> Crop:
    captured_at_ms = now_ms() - age_ms
    kind = "image/x-portable-graymap"
    return Crop(new_crop_id(), "lobby", "t", captured_at_ms, kind, body, label=label)


@pytest.fixture
def publisher(rabbit: RabbitServer) -> Iterator[RabbitPublisher]:
    wanted = parameters(rabbit.url, None, name="test")
    with closing(RabbitPublisher(wanted, stop=Stop(), patient=True)) as publisher:
        yield publisher


def test_what_a_real_worker_did_is_what_the_page_says(
    environment: dict[str, str], publisher: RabbitPublisher, rabbit: RabbitServer, tmp_path: Path
) -> None:
    port, log, ring = free_port(), tmp_path / "worker.log", Ring(5)
    with running(
        "worker", environment={**environment, "MASKGATE_METRICS_PORT": str(port)}, log=log
    ):
        said(log, "broker.connected")
        depths = QueueDepths(parameters(rabbit.url, None, name="desk"))
        collector = Collector(ring, depths, workers=[f"http://127.0.0.1:{port}"])

        def ready() -> bool:
            collector.look()
            return newest(ring).workers[0].ready

        eventually(ready, what="a worker that is ready")
        for sent in [crop() for _ in range(5)] + [crop(b"P5 1"), crop(b"GIF89a")]:
            publisher.publish(to_message(sent))
        for _ in range(3):
            publisher.publish(to_message(crop(age_ms=3_000_000)))
        publisher.publish(to_message(crop(label=Label.MASK)), QueueKind.AUDIT)
        publisher.flush(10)

        def counted() -> bool:
            collector.look()
            found = figures(ring)
            audit = (found.audit_per_s or 0) * found.seconds
            return sum(found.outcomes.values()) == 10 and round(audit) == 1

        eventually(counted, 20, "all crops in the figures")
        depths.close()
    found = figures(ring)
    assert (found.outcomes["expired"], found.outcomes["unreadable"]) == (3, 2)
    assert found.unreadable == {"bad_image": 1, "content_mismatch": 1}
    assert sum(found.outcomes[each] for each in ("mask", "no_mask", "uncertain")) == 5
    assert found.latency.p50_s is not None
    assert found.stages["infer"].p99_s is not None
    last = newest(ring)
    assert last.depths == {LIVE_QUEUE: 0, AUDIT_QUEUE: 0, REVIEW_QUEUE: 0, DEAD_QUEUE: 2}
    assert any(value > 0 for value in last.levels.values()), "the memory of Redis"


def test_workers_that_do_not_answer_are_named_and_the_others_count() -> None:
    stats = Stats()
    connections = ConnectionState(stats.registry)
    with (
        serving("127.0.0.1", 0, Health(connections, 30), stats.registry) as port,
        socket.create_server(("127.0.0.1", 0)) as silent,
    ):
        silent_port, unused = silent.getsockname()[1], free_port()
        urls = [f"http://127.0.0.1:{each}" for each in (port, silent_port, unused)]
        ring = Ring(5)
        collector = Collector(ring, NoBroker(), workers=[*urls, "http://no-such-host.invalid:9100"])
        with capture_logs() as logged:
            collector.look()
            collector.look()
    found = {each.target.port: each for each in newest(ring).workers}
    assert found[port].page is not None
    assert found[port].trouble == "not ready: not connected to the broker; not connected to Redis"
    assert "timed out" in found[silent_port].trouble
    assert "refused" in found[unused].trouble
    assert "no-such-host.invalid" in str(found[9100].target)
    assert "has no address" in found[9100].trouble
    events = [line["event"] for line in logged]
    assert events == ["desk.no_figures"] * 4, "each is logged once, also the broker"
    assert newest(ring).broker_trouble == "no broker here"


def test_every_address_of_a_name_is_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two replicas behind one name, as in a compose project."""
    port = free_port()
    hosts = ("127.0.0.1", "127.0.0.2")
    answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in hosts]
    registry = CollectorRegistry()
    health = Health(ConnectionState(registry), 30)
    with serving(hosts[0], port, health, registry), serving(hosts[1], port, health, registry):
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)
        found = scrape([f"http://worker:{port}"], "/readyz")
        monkeypatch.undo()
    assert [str(each.target) for each in found] == [f"worker ({host}:{port})" for host in hosts]
    assert all(each.page for each in found)


def test_depths_need_no_right_and_survive_a_lost_connection(
    rabbit: RabbitServer, publisher: RabbitPublisher
) -> None:
    url = add_user(rabbit, "onlooker", (NOTHING, NOTHING, NOTHING))
    publish(publisher, 3)
    depths = QueueDepths(parameters(url, None, name="desk"), (LIVE_QUEUE, "nowhere", DEAD_QUEUE))
    expected = {LIVE_QUEUE: 3, "nowhere": None, DEAD_QUEUE: 0}
    with closing(depths):
        eventually(lambda: depths.read() == expected, what="three crops that wait")
        rabbit.ctl("close_all_connections", "a test's")
        with pytest.raises(BrokerError):
            depths.read()
        assert depths.read() == expected


def test_without_a_broker_the_depths_say_so() -> None:
    wanted = parameters(f"amqp://desk:x@127.0.0.1:{free_port()}/%2F", None, name="desk")
    with pytest.raises(BrokerError, match="refused"):
        QueueDepths(wanted).read()
