"""TLS to real servers: who is trusted, who is refused, and which setting an error names."""

import socket
import ssl
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pika
import pytest
from structlog.testing import capture_logs

from maskgate.gate import Action, Gate
from maskgate.protocol.crop import Crop, Message, new_crop_id, to_message
from maskgate.protocol.errors import BrokerError, StoreError
from maskgate.protocol.verdict import Outcome
from maskgate.runtime.broker import parameters
from maskgate.runtime.stop import Stop
from maskgate.runtime.store import connect
from maskgate.runtime.tls import NO_FILES, TlsFiles
from producer.rabbit import RabbitPublisher
from tests.crop_results import live_result, write
from tests.servers.certificates import Authority, Certificate, ServerTls
from tests.servers.ports import eventually
from tests.servers.rabbit_server import RabbitServer, rabbit_server
from tests.servers.redis_server import RedisServer, redis_server
from worker.broker.rabbit import RabbitConsumer
from worker.store.history_budget import HistoryBudget
from worker.store.redis_store import RedisVerdictStore


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that nobody trusts."""
    return Authority(tmp_path_factory.mktemp("stranger"))


@pytest.fixture
def files(authority: Authority) -> TlsFiles:
    """The files of a worker for servers that require a client certificate."""
    own = authority.issue("worker")
    return TlsFiles(authority.ca, own.cert, own.key)


@pytest.fixture
def strangers_files(authority: Authority, stranger: Authority) -> TlsFiles:
    theirs = stranger.issue("worker")
    return TlsFiles(authority.ca, theirs.cert, theirs.key)


@pytest.fixture
def old_files(authority: Authority) -> TlsFiles:
    old = authority.issue("worker", expired=True)
    return TlsFiles(authority.ca, old.cert, old.key)


@pytest.fixture(scope="module")
def open_rabbit(authority: Authority) -> Iterator[RabbitServer]:
    """A broker that accepts TLS clients without a certificate."""
    with rabbit_server(
        ServerTls(authority.ca, authority.issue("localhost"), demands_client_certificate=False)
    ) as server:
        yield server


@pytest.fixture(scope="module")
def mutual_redis(authority: Authority) -> Iterator[RedisServer]:
    with redis_server(
        tls=ServerTls(authority.ca, authority.issue("localhost"), demands_client_certificate=True)
    ) as server:
        yield server


@pytest.fixture(scope="module")
def open_redis(authority: Authority) -> Iterator[RedisServer]:
    with redis_server(
        tls=ServerTls(authority.ca, authority.issue("localhost"), demands_client_certificate=False)
    ) as server:
        yield server


def message() -> Message:
    return to_message(
        Crop(
            new_crop_id(),
            "lobby",
            "t",
            1_790_000_000_000,
            "image/x-portable-graymap",
            b"P5 1 1 255\n\0",
        )
    )


def passes_crops(wanted: pika.URLParameters) -> bool:
    """Whether a crop published over such a connection is received over a second one."""
    outlet = RabbitPublisher(wanted, stop=Stop(), patient=True)
    sent = message()
    outlet.publish(sent)
    outlet.flush(10)
    outlet.close()
    intake = RabbitConsumer(wanted, prefetch=1)
    intake.connect()
    got = eventually(lambda: intake.receive(1, 0.1), what="the crop")
    intake.ack(got, {})
    intake.close()
    return [delivery.message.message_id for delivery in got] == [sent.message_id]


def intake_trouble(wanted: pika.URLParameters) -> str:
    """The error of a worker that cannot connect."""
    with pytest.raises(BrokerError) as caught:
        RabbitConsumer(wanted, prefetch=1).connect()
    return str(caught.value)


def outlet_trouble(wanted: pika.URLParameters) -> str:
    """The error that a producer logs once if it cannot connect; it counts its crop as refused."""
    outlet = RabbitPublisher(wanted, stop=Stop())

    def lost() -> list[str]:
        outlet.rest(0.1)
        return [entry["error"] for entry in reported if entry["event"] == "broker.lost"]

    with capture_logs() as reported:
        trouble = eventually(lost, what="the refusal")
        outlet.publish(message())
    outlet.close()
    assert outlet.live.refusals == {"no_broker": 1}
    assert len(trouble) == 1
    return trouble[0]


Trouble = Callable[[pika.URLParameters], str]
worker_and_producer = pytest.mark.parametrize(
    "trouble", [intake_trouble, outlet_trouble], ids=["worker", "producer"]
)


def test_crops_pass_over_tls_to_a_broker_that_is_verified(
    open_rabbit: RabbitServer, authority: Authority
) -> None:
    assert passes_crops(
        parameters(open_rabbit.tls_url, None, name="test", tls=TlsFiles(authority.ca))
    )


def test_crops_pass_over_mutual_tls(mutual_rabbit: RabbitServer, files: TlsFiles) -> None:
    assert passes_crops(parameters(mutual_rabbit.tls_url, None, name="test", tls=files))


@worker_and_producer
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_missing_client_certificate_for_the_broker_is_named(
    mutual_rabbit: RabbitServer, authority: Authority, trouble: Trouble, version: ssl.TLSVersion
) -> None:
    wanted = parameters(mutual_rabbit.tls_url, None, name="test", tls=TlsFiles(authority.ca))
    wanted.ssl_options.context.maximum_version = version
    reported = trouble(wanted)
    assert "demands a client certificate" in reported
    assert "look at MASKGATE_BROKER_CERT_FILE" in reported


@worker_and_producer
@pytest.mark.parametrize("whose", ["strangers_files", "old_files"])
def test_a_client_certificate_that_the_broker_refuses_is_named(
    mutual_rabbit: RabbitServer, trouble: Trouble, whose: str, request: pytest.FixtureRequest
) -> None:
    reported = trouble(
        parameters(mutual_rabbit.tls_url, None, name="test", tls=request.getfixturevalue(whose))
    )
    assert "MASKGATE_BROKER_CERT_FILE" in reported


@worker_and_producer
def test_a_broker_of_another_authority_is_refused(
    mutual_rabbit: RabbitServer, stranger: Authority, trouble: Trouble
) -> None:
    reported = trouble(
        parameters(mutual_rabbit.tls_url, None, name="test", tls=TlsFiles(stranger.ca))
    )
    assert "CERTIFICATE_VERIFY_FAILED" in reported
    assert "MASKGATE_BROKER_CA_FILE" in reported


@worker_and_producer
def test_a_broker_of_another_name_is_refused(
    mutual_rabbit: RabbitServer, files: TlsFiles, trouble: Trouble
) -> None:
    reported = trouble(
        parameters(
            mutual_rabbit.tls_url.replace("localhost", "127.0.0.1"), None, name="test", tls=files
        )
    )
    assert "certificate is not valid for '127.0.0.1'" in reported


@worker_and_producer
def test_a_broker_with_an_expired_certificate_is_refused(
    mutual_rabbit: RabbitServer,
    rabbit_certificate: Certificate,
    authority: Authority,
    files: TlsFiles,
    trouble: Trouble,
) -> None:
    authority.issue("localhost", expired=True).copy_over(rabbit_certificate)
    mutual_rabbit.forget_certificates()
    try:
        assert "certificate has expired" in trouble(
            parameters(mutual_rabbit.tls_url, None, name="test", tls=files)
        )
    finally:
        authority.issue("localhost").copy_over(rabbit_certificate)
        mutual_rabbit.forget_certificates()


@worker_and_producer
def test_plain_amqp_to_a_tls_port_fails_within_8_s_and_names_amqps(
    mutual_rabbit: RabbitServer, trouble: Trouble
) -> None:
    begun_s = time.monotonic()
    assert "amqps://" in trouble(
        parameters(mutual_rabbit.tls_url.replace("amqps", "amqp"), None, name="test")
    )
    assert time.monotonic() - begun_s < 8


@worker_and_producer
def test_tls_to_a_plain_port_fails_within_8_s_and_says_so(
    mutual_rabbit: RabbitServer, files: TlsFiles, trouble: Trouble
) -> None:
    url = mutual_rabbit.url.replace("amqp:", "amqps:")
    begun_s = time.monotonic()
    assert "speaks no TLS" in trouble(parameters(url, None, name="test", tls=files))
    assert time.monotonic() - begun_s < 8


@worker_and_producer
def test_a_broker_that_never_answers_the_handshake_fails_within_8_s(
    files: TlsFiles, trouble: Trouble
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        begun_s = time.monotonic()
        trouble(
            parameters(f"amqps://127.0.0.1:{silent.getsockname()[1]}", None, name="test", tls=files)
        )
    assert time.monotonic() - begun_s < 8


@dataclass(frozen=True)
class Door:
    """Both users of Redis, worker and gate, with the same URL and files."""

    url: str
    files: TlsFiles

    def write(self) -> None:
        with connect(self.url, None, name="test", timeout_s=2, tls=self.files) as client:
            now_ms = time.time_ns() // 1_000_000
            store = RedisVerdictStore(
                client, model="m", ttl_ms=60_000, max_skew_ms=250, history=HistoryBudget(100)
            )
            write(store, [live_result(uuid.uuid4().hex, now_ms, Outcome.NO_MASK, p_mask=0.01)])

    def decides(self) -> tuple[Action, str]:
        with Gate(self.url, timeout_s=2, tls=self.files) as gate:
            decision = gate.decision("lobby", timeout_s=0.2)
            return decision.action, decision.reason

    def says(self, text: str) -> bool:
        """Whether the worker's error and the reason of the gate's MANUAL both contain ``text``."""
        with pytest.raises(StoreError) as caught:
            self.write()
        action, reason = self.decides()
        assert action is Action.MANUAL
        assert text in reason
        return text in str(caught.value)


def test_a_verdict_passes_over_tls_to_a_redis_that_is_verified(
    open_redis: RedisServer, authority: Authority
) -> None:
    door = Door(open_redis.tls_url, TlsFiles(authority.ca))
    door.write()
    assert door.decides()[0] is Action.RECOGNISE


def test_a_verdict_and_the_history_pass_over_mutual_tls(
    mutual_redis: RedisServer, files: TlsFiles
) -> None:
    door = Door(mutual_redis.tls_url, files)
    door.write()
    assert door.decides()[0] is Action.RECOGNISE
    with Gate(door.url, timeout_s=2, tls=files) as gate:
        assert next(gate.follow("lobby", since="0")) is not None


def test_a_missing_client_certificate_for_redis_is_named(
    mutual_redis: RedisServer, authority: Authority
) -> None:
    assert Door(mutual_redis.tls_url, TlsFiles(authority.ca)).says(
        "demands a client certificate: look at MASKGATE_REDIS_CERT_FILE"
    )


@pytest.mark.parametrize("whose", ["strangers_files", "old_files"])
def test_a_client_certificate_that_redis_refuses_is_named(
    mutual_redis: RedisServer, whose: str, request: pytest.FixtureRequest
) -> None:
    assert Door(mutual_redis.tls_url, request.getfixturevalue(whose)).says(
        "MASKGATE_REDIS_CERT_FILE"
    )


def test_a_redis_of_another_authority_is_refused(
    open_redis: RedisServer, stranger: Authority
) -> None:
    assert Door(open_redis.tls_url, TlsFiles(stranger.ca)).says("MASKGATE_REDIS_CA_FILE")


def test_a_redis_of_another_name_is_refused(open_redis: RedisServer, authority: Authority) -> None:
    door = Door(open_redis.tls_url.replace("localhost", "127.0.0.1"), TlsFiles(authority.ca))
    assert door.says("certificate is not valid for '127.0.0.1'")


def test_a_redis_with_an_expired_certificate_is_refused(authority: Authority) -> None:
    old = ServerTls(
        authority.ca, authority.issue("localhost", expired=True), demands_client_certificate=False
    )
    with redis_server(tls=old) as server:
        assert Door(server.tls_url, TlsFiles(authority.ca)).says("certificate has expired")


def test_redis_urls_to_the_wrong_kind_of_port_fail_within_8_s(
    open_redis: RedisServer, authority: Authority
) -> None:
    begun_s = time.monotonic()
    assert Door(open_redis.tls_url.replace("rediss", "redis"), NO_FILES).says("Connection")
    assert Door(open_redis.url.replace("redis:", "rediss:"), TlsFiles(authority.ca)).says("Timeout")
    assert time.monotonic() - begun_s < 8


def test_a_redis_that_never_answers_the_handshake_is_manual_within_2_s() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        begun_s = time.monotonic()
        with Gate(f"rediss://127.0.0.1:{silent.getsockname()[1]}/0") as gate:
            assert gate.decision("lobby", timeout_s=60).action is Action.MANUAL
        assert time.monotonic() - begun_s < 2


def test_system_authorities_are_trusted_only_if_no_ca_file_is_set(
    open_rabbit: RabbitServer,
    open_redis: RedisServer,
    authority: Authority,
    stranger: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
    assert passes_crops(parameters(open_rabbit.tls_url, None, name="test"))
    Door(open_redis.tls_url, NO_FILES).write()
    assert "CERTIFICATE_VERIFY_FAILED" in intake_trouble(
        parameters(open_rabbit.tls_url, None, name="test", tls=TlsFiles(stranger.ca))
    )
    assert Door(open_redis.tls_url, TlsFiles(stranger.ca)).says("CERTIFICATE_VERIFY_FAILED")


def test_deleting_certificate_files_after_the_start_breaks_no_connection(
    mutual_redis: RedisServer, files: TlsFiles, tmp_path: Path
) -> None:
    copied = TlsFiles(tmp_path / "ca", tmp_path / "cert", tmp_path / "key")
    for there, copy in ((files.ca, copied.ca), (files.cert, copied.cert), (files.key, copied.key)):
        assert there is not None
        assert copy is not None
        copy.write_bytes(there.read_bytes())
    with Gate(mutual_redis.tls_url, timeout_s=2, tls=copied) as gate:
        for copy in tmp_path.iterdir():
            copy.unlink()
        Door(mutual_redis.tls_url, files).write()
        assert gate.decision("lobby").action is Action.RECOGNISE
