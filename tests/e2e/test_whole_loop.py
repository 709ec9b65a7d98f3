"""The whole way at a site with a bad champion: labels, figures, alarm, challenger, promotion, back.

Real processes and servers; the labeller is a script that knows the truth. The load is small enough
for two cores: ``make promotion`` promotes under 1,000 crops/s.
"""

import json
import signal
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from maskgate.models.records import read
from maskgate.protocol.verdict import history_key
from tests.desk_site import Browser, Desk, desk
from tests.labelling import film, label_all, labelling, send_labels, stored
from tests.model_files import as_challenger, bad, sha256
from tests.servers.ports import eventually
from tests.servers.processes import running, said
from tests.servers.rabbit_server import RabbitServer
from tests.servers.redis_server import RedisServer
from worker.settings import SHIPPED_MODEL

WAIT_S = 60
WORKERS = 2
#: Crops that are filmed, and labelled ones without which nobody is alarmed (ALARM_MIN_N).
FACES, ENOUGH = 140, 115
CHALLENGER = json.loads(SHIPPED_MODEL.with_suffix(".json").read_text())["name"]
CHAMPION = f"twin{CHALLENGER[4:]}"
#: Crops per second, and the camera of the load.
RATE, DOOR = "60", "door"


@pytest.fixture
def settings(environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    return {
        **labelling(environment, tmp_path, "random = 0.9\nuncertain = 1.0\n"),
        **as_challenger(SHIPPED_MODEL),
        "MASKGATE_MODEL_PATH": str(bad(tmp_path)),
        "MASKGATE_REPORT_INTERVAL_S": "1",
    }


def test_a_bad_champion_is_found_by_labels_and_replaced_under_load(
    settings: dict[str, str], rabbit: RabbitServer, redis: RedisServer, tmp_path: Path
) -> None:
    state, log = tmp_path / "desk", tmp_path / "worker.log"
    state.mkdir()
    with ExitStack() as stack:
        for _ in range(WORKERS):
            stack.enter_context(running("worker", environment=settings, log=log))
        site = stack.enter_context(desk(redis.url, state, settings))
        operator = stack.enter_context(site.browser("operator"))
        client = stack.enter_context(redis.client())
        said(log, "broker.connected", WORKERS, timeout_s=WAIT_S)
        label(site, operator, rabbit)
        send_labels(settings, "one")
        said(log, "audit.below_target", timeout_s=WAIT_S)
        said_by_the_page(operator, "/precision", "below")
        said_by_the_page(operator, "/models", ">better<")
        crops = promoted_under_load(operator, settings, client, tmp_path)
    assert len(crops) == len({crop["crop_id"] for crop in crops}), "each crop has one verdict"
    assert {crop["model"] for crop in crops} == {CHAMPION, CHALLENGER}
    assert '"promote"' in site.journal
    assert '"rollback"' in site.journal


def label(site: Desk, operator: Browser, rabbit: RabbitServer) -> None:
    """Crops of the door, above all doubtful ones, answered with the truth."""
    truth = film(rabbit, FACES)
    eventually(lambda: stored(operator) >= ENOUGH, WAIT_S, "crops to label")
    with site.browser("labeller") as labeller:
        assert label_all(labeller, truth)


def said_by_the_page(browser: Browser, path: str, text: str) -> None:
    eventually(lambda: text in browser.get(path).text, WAIT_S, f"{text} on {path}")


def promoted_under_load(
    operator: Browser, settings: Mapping[str, str], client: Any, folder: Path
) -> list[dict[str, str]]:
    """Promotion and rollback while crops come; returns the history of their door."""
    log = folder / "producer.log"
    load = ["producer", "synthetic", "--camera", DOOR, "--loop", "--faces", "32", "--rate", RATE]
    with running(*load, environment=settings, log=log) as producer:
        decided_by(client, CHAMPION)
        for action, model in (("promote", CHALLENGER), ("rollback", CHAMPION)):
            fields = {"generation": str(read(client).generation), "why": "a test"}
            answer = operator.submit(f"/models/{action}", sha256=sha256(SHIPPED_MODEL), **fields)
            assert answer.status_code == 303, answer.text
            eventually(partial(serving, client, model), WAIT_S, f"all serve {model}")
            decided_by(client, model)
        producer.send_signal(signal.SIGTERM)
        assert producer.wait(30) == 0
    accepted = json.loads(log.read_text().splitlines()[-1])["live"]["accepted"]
    eventually(lambda: len(history(client)) >= accepted, WAIT_S, "the end of every crop")
    found = history(client)
    assert len(found) == accepted, "no crop is lost"
    return found


def serving(client: Any, model: str) -> bool:
    """Whether all workers say that this model decides."""
    return [each.champion.name for each in read(client).workers.values()] == [model] * WORKERS


def decided_by(client: Any, model: str) -> None:
    """Wait until the newest crop was decided by this model."""
    eventually(
        lambda: [crop["model"] for crop in history(client)[-1:]] == [model],
        WAIT_S,
        f"a verdict of {model}",
    )


def history(client: Any) -> list[dict[str, str]]:
    return [fields for _, fields in client.xrange(history_key(DOOR))]
