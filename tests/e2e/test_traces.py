"""One trace from a camera to the verdict, over real processes, and none where it is off."""

import signal
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from maskgate.protocol.verdict import history_key
from producer.scenes.record import film, record
from tests.servers.otlp_receiver import OtlpReceiver, Received, otlp_receiver
from tests.servers.ports import eventually, free_port
from tests.servers.processes import done, running, said
from tests.servers.redis_server import RedisServer

STAGES = ["decode", "infer", "write", "ack"]


@pytest.fixture
def collector() -> Iterator[OtlpReceiver]:
    with otlp_receiver() as server:
        yield server


def traced(environment: dict[str, str], url: str) -> dict[str, str]:
    return {**environment, "MASKGATE_TRACES_URL": url, "MASKGATE_TRACES_RATIO": "1"}


def send(environment: dict[str, str], count: int = 20) -> None:
    produced = done(
        "producer",
        *("synthetic", "--camera", "lobby", "--limit", str(count), "--faces", "4"),
        environment=environment,
    )
    assert produced.returncode == 0, produced.stderr


def written(redis: RedisServer, crop_id: str) -> dict[str, str] | None:
    """The history entry of a crop."""
    with redis.client() as client:
        entries = [fields for _, fields in client.xrange(history_key("lobby"))]
    return next((fields for fields in entries if fields["crop_id"] == crop_id), None)


def children(spans: list[Received], parent: Received) -> list[Received]:
    return [each for each in spans if each.span.parent_span_id == parent.span.span_id]


def in_order(spans: list[Received]) -> bool:
    """Whether each begins when the one before is over."""
    return all(a.span.end_time_unix_nano <= b.span.start_time_unix_nano for a, b in pairwise(spans))


@pytest.mark.usefixtures("installed_detector")
def test_the_spans_of_a_crop_from_camera_to_verdict_are_one_trace_in_order(
    environment: dict[str, str], redis: RedisServer, collector: OtlpReceiver, tmp_path: Path
) -> None:
    environment, log = traced(environment, collector.url), tmp_path / "worker.log"
    video = tmp_path / "door.mp4"
    record(film("takes_mask_off", 4), video, fps=10, seconds=3)
    with running("worker", environment=environment, log=log):
        said(log, "broker.connected")
        filmed = done("producer", "video", str(video), "--camera=lobby", environment=environment)
        assert filmed.returncode == 0, filmed.stderr
        processed = eventually(lambda: collector.spans("process"), what="a crop's last span")[0]
    spans = [each for each in collector.spans() if each.trace == processed.trace]
    [crop] = [each for each in spans if not each.span.parent_span_id]
    capture, detect, publish = children(spans, crop)
    assert [crop.name, capture.name, detect.name, publish.name] == [
        *("crop", "capture", "detect", "publish")
    ]
    assert in_order([capture, detect, publish])
    assert children(spans, publish) == [processed]
    stages = children(spans, processed)
    assert [each.name for each in stages] == STAGES
    assert in_order([detect, stages[0]])
    assert in_order(stages)
    assert len(spans) == 4 + 1 + len(STAGES)
    assert {each.name for each in spans if each.service == "maskgate-camera"} == {
        *("crop", "capture", "detect", "publish")
    }
    of_verdict = written(redis, str(crop.attributes["maskgate.crop_id"]))
    assert of_verdict is not None
    assert processed.attributes["maskgate.outcome"] == of_verdict["outcome"]
    assert processed.attributes["maskgate.track_id"] == of_verdict["track_id"]
    batches = [
        each
        for each in collector.spans("batch")
        if any(link.span_id == publish.span.span_id for link in each.span.links)
    ]
    assert len(batches) == 1, "one batch says that this crop was in it"
    assert not any(b"PNG" in body or b"P6 64" in body for body in collector.requests)


def test_without_the_setting_nothing_is_sent_even_if_opentelemetry_is_configured(
    environment: dict[str, str], redis: RedisServer, collector: OtlpReceiver, tmp_path: Path
) -> None:
    environment |= {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "MASKGATE_TRACES_RATIO": "1"}
    log = tmp_path / "worker.log"
    with running("worker", environment=environment, log=log) as worker:
        said(log, "broker.connected")
        send(environment)
        with redis.client() as client:
            eventually(lambda: client.xlen(history_key("lobby")) == 20, what="20 outcomes")
        stop(worker)
    assert not collector.requests


def test_verdicts_go_on_without_the_collector_and_the_log_says_so_once(
    environment: dict[str, str], redis: RedisServer, tmp_path: Path
) -> None:
    environment = traced(environment, f"http://127.0.0.1:{free_port()}")
    log = tmp_path / "worker.log"
    with running("worker", environment=environment, log=log) as worker:
        said(log, "broker.connected")
        send(environment, 50)
        said(log, "traces.lost")
        send(environment, 50)
        with redis.client() as client:
            eventually(lambda: client.xlen(history_key("lobby")) == 100, what="100 outcomes")
        stop(worker)
    lines = log.read_text().splitlines()
    assert all(line.startswith("{") for line in lines), "the library's own lines are silenced"
    assert sum('"traces.lost"' in line for line in lines) == 1


def stop(worker: "subprocess.Popen[bytes]") -> None:
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(10) == 0
