"""The alert rules: they fire when they should, and ask for metrics that workers export."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from producer.video.metrics import CameraCollector, CameraFigures
from worker.connections import ConnectionState
from worker.operations.health import Health
from worker.reporting.audit_log import AuditLog
from worker.reporting.stats import Stats
from worker.store.history_budget import HistoryBudget

FOLDER = Path(__file__).parent.parent.parent / "deploy" / "observe"
GROUPS: list[dict[str, Any]] = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
TESTS: str = (FOLDER / "alerts_test.yml").read_text()
RULES: dict[str, Any] = {rule["alert"]: rule for group in GROUPS for rule in group["rules"]}


def exported() -> dict[str, set[str]]:
    """The labels of each metric of a worker and of a camera, by the metric's family name."""
    stats, other = Stats(), CollectorRegistry()
    Health(ConnectionState(other), 30, other)
    figures = CameraFigures(up=True, state="up", held_back={"small": 1}, refused={"no_broker": 1})
    other.register(CameraCollector(lambda: {"lobby": figures}))
    HistoryBudget(1, other)
    AuditLog(None, "model", other)  # type: ignore[arg-type]  # it reads the store when it reports
    return {
        family.name: {*getattr(collector, "_labelnames", ())}.union(
            *(sample.labels for sample in family.samples)
        )
        for registry in (stats.registry, other)
        for collector in registry._collector_to_names
        for family in collector.collect()
    }


def test_the_rules_fire_when_they_should_and_only_then() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        assert os.geteuid() != 0, "promtool is missing: tests/servers/install installs it"
        pytest.skip("promtool is not installed: Debian's package prometheus has it")
    for command in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]):
        done = subprocess.run(
            [promtool, *command], cwd=FOLDER, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", RULES)
def test_a_rule_asks_only_for_our_metrics_and_labels_that_are_exported(name: str) -> None:
    expression, known = RULES[name]["expr"], exported()
    found = re.findall(r"(maskgate_\w+?)(?:_total|_bucket)?(?:\{([^}]*)\}|(?!\w))", expression)
    # tests/integration/test_observe.py looks up those of Prometheus and RabbitMQ.
    assert found or re.search(r"\bup\b|rabbitmq_", expression)
    for metric, selector in found:
        assert metric in known
        assert set(re.findall(r'(\w+)="', selector)) <= known[metric]


@pytest.mark.parametrize("name", RULES)
def test_a_rule_says_how_bad_it_is_and_what_to_do_and_is_tested(name: str) -> None:
    rule = RULES[name]
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"].keys() == {"summary", "action"}
    assert TESTS.count(name) > 1, "a test that it fires, and one that it does not"
