"""What the page of precision says without labels, from scores that a worker counted in Redis."""

import json
import random
import urllib.request
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from redis import Redis
from structlog.testing import capture_logs

from desk.metrics import serving
from desk.precision.alarm_log import AlarmLog
from desk.precision.estimating import estimating, references
from desk.settings import SHIPPED_CARD
from maskgate.protocol.errors import ConfigurationError
from maskgate.protocol.scores import scores_key
from maskgate.protocol.verdict import Outcome
from maskgate.redis_functions import library
from tests.crop_results import live_result
from worker.scores.flusher import ScoreFlusher
from worker.scores.store import RedisScoresStore

NOW_MS = 1_795_000_000_000
MODEL = json.loads(SHIPPED_CARD.read_text())["name"]


@pytest.fixture
def worker(client: Redis) -> ScoreFlusher:
    library().load(client)
    return ScoreFlusher(RedisScoresStore(client, lambda: NOW_MS))


def seen(worker: ScoreFlusher, camera: str, p_masks: list[float], model: str = MODEL) -> None:
    results = [
        live_result(
            f"{camera}{model}{number}",
            NOW_MS,
            camera=camera,
            track=f"{number}",
            p_mask=p_mask,
            outcome=Outcome.MASK if p_mask > 0.5 else Outcome.NO_MASK,
        )
        for number, p_mask in enumerate(p_masks)
    ]
    worker.add(results, model)
    worker.flush()


def test_without_a_single_label_the_page_has_figures_of_the_busiest_model(
    client: Redis, worker: ScoreFlusher
) -> None:
    seen(worker, "lobby", [0.998, 0.002] * 300)
    seen(worker, "lobby", [0.99], model="other")
    read = estimating(client, references([SHIPPED_CARD]), lambda: NOW_MS)
    found = read("")
    assert found == read(MODEL)
    assert found.all_cameras is not None
    assert found.all_cameras.crops == 600
    accuracy = found.cameras["lobby"].accuracy
    assert accuracy.value is not None
    assert accuracy.low < 0.995 < accuracy.value < 1
    assert not found.alarms


def test_a_camera_whose_scores_became_doubtful_is_named(
    client: Redis, worker: ScoreFlusher
) -> None:
    rng = random.Random(2)
    seen(worker, "lobby", [0.998, 0.002] * 300)
    seen(worker, "entrance", [rng.uniform(0.2, 0.8) for _ in range(600)])
    read = estimating(client, references([SHIPPED_CARD]), lambda: NOW_MS)
    (alarm,) = read(MODEL).alarms.values()
    assert alarm.startswith("camera entrance: scores have shifted since ")
    assert "600 crops" in alarm
    registry = CollectorRegistry()
    watch = AlarmLog(read, registry)
    with capture_logs() as logged:
        watch.look()
        watch.look()
        shown = scraped(registry)
        client.delete(scores_key("entrance", NOW_MS))
        watch.look()
    assert [(line["event"], line["camera"]) for line in logged] == [
        ("scores.shifted", "entrance"),
        ("scores.back", "entrance"),
    ]
    assert logged[0]["alarm"] == alarm
    assert 'maskgate_scores_shifted{camera="entrance"} 1.0' in shown
    assert 'maskgate_scores_shifted{camera="lobby"} 0.0' in shown
    assert 'maskgate_expected_share{measure="accuracy"} 0.' in shown
    assert 'camera="entrance"' not in scraped(registry)


def scraped(registry: CollectorRegistry) -> str:
    """What Prometheus reads from the desk."""
    with (
        serving("127.0.0.1", 0, registry) as port,
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer,
    ):
        return str(answer.read(), "utf-8")


def test_a_model_without_scores_has_no_figures(client: Redis, worker: ScoreFlusher) -> None:
    seen(worker, "lobby", [0.99])
    found = estimating(client, {}, lambda: NOW_MS)("unknown")
    assert found.all_cameras is None
    assert not found.cameras


def test_a_card_that_can_not_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"absent\.json: No such file"):
        references([tmp_path / "absent.json"])
    bare = json.loads(SHIPPED_CARD.read_text())
    del bare["reference_scores"]
    (tmp_path / "bare.json").write_text(json.dumps(bare))
    with pytest.raises(ConfigurationError, match=r"bare\.json: no reference scores"):
        references([tmp_path / "bare.json"])
