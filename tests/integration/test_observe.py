"""The files of deploy/observe in real servers, on a real worker's and a real broker's metrics."""

import http.server
import json
import math
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import pytest
import yaml
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from maskgate.inference.card import InputShape
from maskgate.protocol.crop import CROP_TYPE, Message, new_crop_id
from maskgate.protocol.topology import live_key
from maskgate.runtime.broker import parameters
from maskgate.runtime.clock import now_ms
from maskgate.runtime.http_server import Answer, listening
from maskgate.runtime.stop import Stop
from producer.camera import Plan, play
from producer.images import drawn_images, repeated
from producer.rabbit import RabbitPublisher
from producer.video.metrics import CameraCollector, CameraFigures
from tests.promql import family_of, metrics_of
from tests.servers.ports import eventually, free_port, require
from tests.servers.processes import running, said
from tests.servers.prometheus_server import SHIPPED, Prometheus, alertmanager, prometheus
from tests.servers.rabbit_server import RabbitServer
from tests.servers.redis_server import RedisServer

DASHBOARD = json.loads((SHIPPED / "grafana" / "dashboards" / "maskgate.json").read_text())
PANELS = {p["title"]: p["targets"] for p in DASHBOARD["panels"] if "targets" in p}
RULES = {
    rule["alert"]: rule["expr"]
    for group in yaml.safe_load((SHIPPED / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
}


class Webhook(http.server.ThreadingHTTPServer):
    """Keeps the path and the alarms of each call."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Call)
        self.calls: list[tuple[str, str]] = []


class _Call(http.server.BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.calls += [(self.path, each["labels"]["alertname"]) for each in told["alerts"]]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def webhook() -> Iterator[Webhook]:
    with Webhook() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()


@contextmanager
def cameras() -> Iterator[int]:
    """The metrics page of a camera process with two cameras."""
    figures = {
        "lobby": CameraFigures(up=True, state="up", held_back={"small": 3}, clock_difference_ms=9),
        "yard": CameraFigures(up=False, state="dark", refused={"queue_full": 2}),
    }
    registry = CollectorRegistry()
    registry.register(CameraCollector(lambda: figures))
    answer = lambda _path: Answer(200, CONTENT_TYPE_LATEST, generate_latest(registry))
    with listening("127.0.0.1", 0, answer) as port:
        yield port


@pytest.fixture(scope="module")
def site(
    shared_rabbit: RabbitServer, shared_redis: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Prometheus, Webhook, set[str]]]:
    """Prometheus and Alertmanager beside a worker that had crops of every outcome."""
    folder, port = tmp_path_factory.mktemp("observe"), free_port()
    shared_rabbit.purge()
    environment = {
        "MASKGATE_BROKER_URL": shared_rabbit.url,
        "MASKGATE_REDIS_URL": shared_redis.url,
        "MASKGATE_REPORT_INTERVAL_S": "0.5",
        "MASKGATE_LOG_JSON": "true",
        "MASKGATE_METRICS_PORT": str(port),
    }
    with ExitStack() as running_here:
        enter = running_here.enter_context
        hook, of_cameras = enter(webhook()), enter(cameras())
        enter(running("worker", environment=environment, log=folder / "worker.log"))
        said(folder / "worker.log", "broker.connected")
        send(shared_rabbit)
        targets = {
            "maskgate-worker": port,
            "maskgate-camera": of_cameras,
            "rabbitmq": shared_rabbit.metrics_port,
            "rabbitmq-queues": shared_rabbit.metrics_port,
        }
        manager = enter(alertmanager(folder, f"http://127.0.0.1:{hook.server_port}"))
        server = enter(prometheus(folder, targets, manager))
        eventually(lambda: len(server.query("up == 1")) == len(targets), 30, "all targets")
        send(shared_rabbit)  # and again: a counter's first value is no increase
        yield server, hook, families(port) | families(of_cameras)


def send(rabbit: RabbitServer) -> None:
    """Live crops and audit samples, a crop that is too old, and a message that is none."""
    stale = {"camera_id": "lobby", "captured_at": 1}
    key = live_key("lobby")
    outlet = RabbitPublisher(parameters(rabbit.url, None, name="test"), stop=Stop())
    outlet.wait_for_broker(10)
    outlet.publish(Message(b"x", "image/png", CROP_TYPE, new_crop_id(), stale, key))
    outlet.publish(Message(b"", routing_key=key))
    faces = repeated(drawn_images(1, 8, InputShape(64, 64, 3)), loop=True)
    plan = Plan("lobby", limit=40, audit_every=2)
    play(faces, faces, outlet, plan, stop=Stop(), clock=now_ms)
    outlet.flush(10)
    assert (outlet.live.accepted, outlet.audit.accepted) == (42, 20)
    outlet.close()


def families(port: int) -> set[str]:
    """The metrics that a process describes on its page, with or without a value."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
        lines = page.read().decode().splitlines()
    return {family_of(line.split()[2]) for line in lines if line.startswith("# TYPE ")}


Site = tuple[Prometheus, Webhook, set[str]]


@pytest.mark.parametrize("title", PANELS)
def test_a_panels_queries_have_data(site: Site, title: str) -> None:
    server, _, own = site
    for target in PANELS[title]:
        expression = target["expr"].replace("$__rate_interval", "30s")
        for name in metrics_of(expression) - {"ALERTS"}:
            assert family_of(name) in own if name.startswith("maskgate_") else server.query(name)
        eventually(partial(numbers, server, expression), 30, expression)


def numbers(server: Prometheus, expression: str) -> list[float]:
    """The values of an expression now, without what is divided by nothing."""
    values = (float(sample["value"][1]) for sample in server.query(expression))
    return [value for value in values if math.isfinite(value)]


@pytest.mark.parametrize("name", RULES)
def test_a_rule_names_metrics_that_exist(site: Site, name: str) -> None:
    server, _, own = site
    for metric in metrics_of(RULES[name]):
        if metric.startswith("maskgate_"):
            assert family_of(metric) in own
        else:
            eventually(partial(server.query, metric), 30, metric)


def test_every_rule_is_evaluated(site: Site) -> None:
    server, _, _ = site

    def evaluated() -> bool:
        rules = [rule for group in server.get("rules")["groups"] for rule in group["rules"]]
        assert not [rule["lastError"] for rule in rules if "lastError" in rule]
        return {rule["name"] for rule in rules if rule["health"] == "ok"} == RULES.keys()

    eventually(evaluated, 30, "all rules")


def test_an_alarm_reaches_the_receiver(site: Site) -> None:
    _, hook, _ = site
    eventually(lambda: ("/day", "MaskgateDeadLetters") in hook.calls, 30, "the dead letters' alarm")
    eventually(lambda: ("/day", "MaskgateCropsRefused") in hook.calls, 30, "the refused crops'")
    assert not [path for path, name in hook.calls if path == "/on-call"]


@pytest.mark.parametrize(("severity", "receiver"), [("critical", "on-call"), ("warning", "day")])
def test_whoever_is_on_call_gets_the_critical_alarms(severity: str, receiver: str) -> None:
    file = f"--config.file={SHIPPED / 'alertmanager.yml'}"
    routed = ran("amtool", "config", "routes", "test", file, f"severity={severity}", "alertname=X")
    assert routed.strip() == receiver


def test_the_files_are_valid() -> None:
    ran("amtool", "check-config", str(SHIPPED / "alertmanager.yml"))
    ran("promtool", "check", "config", str(SHIPPED / "prometheus.yml"))


def ran(program: str, *arguments: str) -> str:
    command = [require(program), *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout
