"""Traces: nothing without a collector, bounded with one, and no more than the senders' share."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from maskgate.protocol.crop import Crop, Message, new_crop_id, sampled_trace, to_message
from maskgate.protocol.errors import ConfigurationError, Reason
from maskgate.protocol.queue import Delivery, QueueKind, Refusal
from maskgate.protocol.verdict import Outcome
from maskgate.runtime.clock import now_ms
from maskgate.runtime.settings import TracesSettings
from maskgate.runtime.spans import MAX_WAITING, Spans
from maskgate.runtime.tracing import check, spans_of
from producer.traces import MAX_OPEN, CropTraces
from tests.servers.otlp_receiver import OtlpReceiver, otlp_receiver
from worker.reporting.traces import BatchTraces
from worker.result import CropResult

ROOT = Path(__file__).parent.parent.parent
LAPS_S = {"decode": 0.001, "infer": 0.002, "write": 0.003, "ack": 0.001}
SECRET = b"P5 1 1 255\nSECRET"


@pytest.fixture
def collector() -> Iterator[OtlpReceiver]:
    with otlp_receiver() as server:
        yield server


def settings(url: str | None, ratio: float = 1.0) -> TracesSettings:
    return TracesSettings.model_validate({"traces_url": url, "traces_ratio": ratio})


def crop(camera: str = "lobby") -> Crop:
    return Crop(new_crop_id(), camera, "t", now_ms(), "image/x-portable-graymap", SECRET)


def delivered(*messages: Message) -> list[Delivery]:
    return [Delivery(tag, message, QueueKind.LIVE) for tag, message in enumerate(messages, 1)]


def results(batch: list[Delivery]) -> list[CropResult]:
    return [
        CropResult(
            tag=each.tag,
            queue=each.queue,
            outcome=Outcome.MASK,
            camera_id="lobby",
            crop_id=str(each.message.message_id),
        )
        for each in batch
    ]


def test_a_process_without_a_collector_imports_nothing_of_opentelemetry() -> None:
    program = (
        "import sys\n"
        "from maskgate.runtime.tracing import spans_of\n"
        "from producer.traces import CropTraces\n"
        "from worker.reporting.traces import BatchTraces\n"
        "from worker.settings import WorkerSettings\n"
        "with spans_of(WorkerSettings(), 'maskgate-worker', 'w') as spans:\n"
        "    BatchTraces(spans).acknowledged([], [], {})\n"
        "    CropTraces(spans)\n"
        "    print(spans, *sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"PATH": "", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert loaded[0] == "None"
    assert "worker.reporting.traces" in loaded
    packages = {name.partition(".")[0] for name in loaded}
    assert not packages & {"opentelemetry", "requests", "google"}


@pytest.mark.parametrize(
    "url",
    ["collector:4318", "ftp://c", "http://", "http://user:secret@c:4318", "http://c/?a=secret"],
)
def test_a_wrong_address_is_refused_without_its_text(url: str) -> None:
    with pytest.raises(ValueError, match="traces_url") as refused:
        settings(url)
    assert "secret" not in str(refused.value)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "maskgate.runtime.spans")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with (
        pytest.raises(ConfigurationError, match=r"pip install 'maskgate\[tracing\]'"),
        spans_of(settings("http://127.0.0.1:9"), "s", "i"),
    ):
        pass
    with pytest.raises(ConfigurationError, match="no package"):
        check(settings("http://127.0.0.1:9"))


def test_a_check_says_where_traces_go() -> None:
    assert check(settings(None)) == []
    assert check(settings("https://c:4318/otlp", 0.015)) == [
        "traces: https://c:4318/otlp, 1.5% of what begins here"
    ]


def test_a_share_of_the_crops_is_traced(collector: OtlpReceiver) -> None:
    with spans_of(settings(collector.url, 0.25), "s", "i") as spans:
        traces = CropTraces(spans)
        sent = [to_message(traces.begin(crop())) for _ in range(2000)]
    asked = [sampled_trace(message) for message in sent]
    # 500 expected; 6 standard deviations of a binomial distribution are 116.
    assert 384 < sum(trace is not None for trace in asked) < 616
    assert len(set(asked)) == len([trace for trace in asked if trace]) + 1


def test_a_refused_crop_says_why_and_pixels_never_leave(collector: OtlpReceiver) -> None:
    with spans_of(settings(collector.url), "s", "i") as spans:
        traces = CropTraces(spans)
        message = to_message(traces.begin(crop()))
        traces.settled(message, Refusal.QUEUE_FULL)
        traces.settled(message, Refusal.QUEUE_FULL)  # once is enough
    publish, whole = (collector.spans(name)[0] for name in ("publish", "crop"))
    assert len(collector.spans()) == 2
    for each in (publish, whole):
        assert each.attributes["error.type"] == "queue_full"
        assert each.span.status.code == 2
    assert whole.attributes.keys() == {
        *("maskgate.camera_id", "maskgate.crop_id", "maskgate.track_id", "error.type")
    }
    assert not any(b"SECRET" in body for body in collector.requests)


def test_crops_that_are_never_sent_take_bounded_memory(collector: OtlpReceiver) -> None:
    with spans_of(settings(collector.url), "s", "i") as spans:
        traces = CropTraces(spans)
        for _ in range(MAX_OPEN + 10):
            traces.begin(crop())
        assert len(traces._open) == MAX_OPEN


def test_an_unreadable_crop_ends_its_trace_with_the_reason(collector: OtlpReceiver) -> None:
    with spans_of(settings(collector.url), "s", "i") as spans:
        message = to_message(CropTraces(spans).begin(crop()))
        batch = delivered(message)
        result = CropResult(
            tag=1, queue=QueueKind.LIVE, outcome=Outcome.UNREADABLE, reason=Reason.BAD_IMAGE
        )
        BatchTraces(spans).acknowledged(batch, [result], LAPS_S)
    [process] = collector.spans("process")
    assert process.attributes["maskgate.outcome"] == "unreadable"
    assert process.attributes["error.type"] == "bad_image"
    assert process.trace == str(message.headers["traceparent"])[3:35]


def test_a_sender_that_has_everything_traced_takes_a_bounded_share(
    collector: OtlpReceiver,
) -> None:
    header = f"00-{'a' * 32}-{'b' * 16}-01"
    hostile = [Message(b"", headers={"traceparent": header}) for _ in range(64)]
    with spans_of(settings(collector.url, 0), "s", "i") as spans:
        traces = BatchTraces(spans, most_per_s=5)
        for _ in range(10):
            batch = delivered(*hostile)
            traces.acknowledged(batch, results(batch), LAPS_S)
    # The loop may see two seconds begin.
    assert len(collector.spans("process")) in (5, 10)
    assert len(collector.spans("batch")) in (1, 2)


def test_a_batch_without_traced_crops_is_traced_by_chance(collector: OtlpReceiver) -> None:
    batch = delivered(*(to_message(crop()) for _ in range(3)))
    with spans_of(settings(collector.url, 1), "s", "i") as spans:
        BatchTraces(spans).acknowledged(batch, results(batch), LAPS_S)
    [whole] = collector.spans("batch")
    assert whole.attributes == {"messaging.batch.message_count": 3}
    stages = [each.span for each in collector.spans() if each.span.parent_span_id]
    assert [each.name for each in stages] == list(LAPS_S)
    assert stages[0].start_time_unix_nano == whole.span.start_time_unix_nano
    assert stages[-1].end_time_unix_nano == whole.span.end_time_unix_nano


def test_spans_that_a_slow_collector_does_not_take_are_dropped(collector: OtlpReceiver) -> None:
    collector.answers.clear()
    with spans_of(settings(collector.url), "s", "i") as spans:
        assert spans is not None
        emit(spans, 3 * MAX_WAITING)  # returns while no request is answered
        collector.answers.set()
    assert 0 < len(collector.spans()) < 3 * MAX_WAITING


def test_a_process_ends_although_the_collector_does_not_answer(collector: OtlpReceiver) -> None:
    collector.answers.clear()
    with spans_of(settings(collector.url), "s", "i") as spans:
        assert spans is not None
        emit(spans, 3 * MAX_WAITING)
    assert not collector.requests


def emit(spans: Spans, count: int) -> None:
    for _ in range(count):
        spans.begin("one", 1).end(2)
