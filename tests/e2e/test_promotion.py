"""Real workers with a challenger: compared in the shadow, promoted under load, refused."""

import json
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from redis import Redis

from maskgate.inference.image import encode_pnm
from maskgate.inference.model import Model
from maskgate.inference.preprocess import reduce
from maskgate.models.promotion import (
    SWAP_S,
    PromotionError,
    find,
    promote,
    wait_until_served,
)
from maskgate.models.records import pair_counts, read
from maskgate.protocol.crop import Crop, Label, new_crop_id, to_message
from maskgate.protocol.queue import QueueKind
from maskgate.protocol.verdict import history_key
from maskgate.runtime.broker import parameters
from maskgate.runtime.clock import now_ms
from maskgate.runtime.stop import Stop
from producer.drawing import draw_face
from producer.rabbit import RabbitPublisher
from tests.model_files import (
    REFERENCE_MODEL,
    REFERENCE_NAME,
    TWIN_NAME,
    as_challenger,
    sha256,
    twin,
    with_wrong_golden_vector,
)
from tests.servers.ports import eventually
from tests.servers.processes import done, running, said
from tests.servers.rabbit_server import RabbitServer
from tests.servers.redis_server import RedisServer, redis_server

CHAMPION, CHALLENGER = REFERENCE_NAME, TWIN_NAME


@pytest.fixture
def challenger(tmp_path: Path) -> Path:
    """The champion's network, uncertain about nothing: its outcomes differ."""
    return twin(tmp_path, sure=True)


@pytest.fixture
def settings(environment: dict[str, str], challenger: Path) -> dict[str, str]:
    return {
        **environment,
        "MASKGATE_MODEL_PATH": str(REFERENCE_MODEL),
        "MASKGATE_MODEL_CARD": str(REFERENCE_MODEL.with_suffix(".json")),
        **as_challenger(challenger),
    }


def history(client: Any, camera: str) -> list[dict[str, str]]:
    return [fields for _, fields in client.xrange(history_key(camera))]


def promoted(client: Redis, name: str) -> int:
    """Promote a model, wait until all workers serve it, and return when they did."""
    seen = read(client)
    model = find(seen, name)
    promote(client, seen, model, by="test")
    assert wait_until_served(client, model, SWAP_S) == []
    return now_ms()


def held(client: Redis, workers: int) -> Callable[[], bool]:
    """Whether so many workers hold both models."""
    return lambda: len([w for w in read(client).workers.values() if w.challenger]) == workers


def crops(count: int) -> list[tuple[Crop, QueueKind]]:
    """Drawn faces as the champion's thumbnails; every third is an audit sample."""
    rng, found = np.random.default_rng(4), []
    shape = Model.load(REFERENCE_MODEL).card.input
    for i in range(count):
        body, kind = encode_pnm(reduce(draw_face(rng, masked=i % 2 == 0).pixels, shape)[:, :, 0])
        queue = QueueKind.AUDIT if i % 3 == 0 else QueueKind.LIVE
        label = (Label.MASK if i % 2 == 0 else Label.NO_MASK) if i % 3 == 0 else None
        crop_id = new_crop_id()
        found.append((Crop(crop_id, "lobby", crop_id, now_ms(), kind, body, label=label), queue))
    return found


def test_a_shadow_changes_no_verdict_and_the_pairs_are_those_computed_apart(
    settings: dict[str, str],
    challenger: Path,
    rabbit: RabbitServer,
    redis: RedisServer,
    tmp_path: Path,
) -> None:
    sent = crops(90)  # as few as may wait for the challenger
    outlet = RabbitPublisher(parameters(rabbit.url, None, name="test"), stop=Stop(), patient=True)
    for crop, queue in sent:
        outlet.publish(to_message(crop), queue)
    outlet.flush(20)
    outlet.close()
    pictures = [np.frombuffer(crop.body[-784:], np.uint8).reshape(28, 28, 1) for crop, _ in sent]
    one, other = Model.load(REFERENCE_MODEL), Model.load(challenger)
    outcomes = [
        (one.card.outcome(p_mask), other.card.outcome(p_mask)) for p_mask in one.p_mask(pictures)
    ]
    audit, live = Counter[str](), Counter[str]()
    for (crop, queue), (mine, theirs) in zip(sent, outcomes, strict=True):
        if queue is QueueKind.AUDIT:
            audit[f"{crop.label}.{mine}.{theirs}"] += 1
        else:
            live[f"lobby.{mine}.{theirs}"] += 1
    log = tmp_path / "worker.log"
    with running("worker", environment=settings, log=log), redis.client() as client:
        eventually(
            lambda: (
                sum(map(sum, (c.values() for c in pair_counts(client, CHAMPION, CHALLENGER))))
                >= len(sent)
            ),
            20,
            "the paired counts",
        )
        assert pair_counts(client, CHAMPION, CHALLENGER) == (audit, live)
        written = {each["crop_id"]: each for each in history(client, "lobby")}
    expected = {
        crop.crop_id: mine
        for (crop, queue), (mine, _) in zip(sent, outcomes, strict=True)
        if queue is QueueKind.LIVE
    }
    assert {crop_id: each["outcome"] for crop_id, each in written.items()} == expected
    assert {each["model"] for each in written.values()} == {CHAMPION}
    assert any(mine != theirs for mine, theirs in outcomes), "no verdict could have changed"


def test_a_promotion_under_load_and_back_loses_no_crop_and_none_has_two_models(
    settings: dict[str, str], redis: RedisServer, tmp_path: Path
) -> None:
    log, out = tmp_path / "worker.log", tmp_path / "producer.log"
    load = ["producer", "synthetic", "--camera", "door", "--loop", "--faces", "32", "--rate", "400"]
    with (
        running("worker", environment=settings, log=log),
        running("worker", environment=settings, log=log),
        redis.client() as client,
        running(*load, environment=settings, log=out) as producer,
    ):

        def decided(model: str, since_ms: int) -> None:
            """Wait until a model has decided about a crop after a time."""
            eventually(
                lambda: any(
                    each["model"] == model and int(each["decided_at"]) > since_ms
                    for each in history(client, "door")[-200:]
                ),
                20,
                f"a verdict of {model}",
            )

        eventually(held(client, 2), 20, "two workers with both models")
        decided(CHAMPION, 0)
        promoted_ms = promoted(client, CHALLENGER)
        decided(CHALLENGER, promoted_ms)
        back_begun_ms = now_ms()
        back_ms = promoted(client, CHAMPION)
        decided(CHAMPION, back_ms)
        producer.send_signal(signal.SIGTERM)
        assert producer.wait(30) == 0
        accepted = json.loads(out.read_text().splitlines()[-1])["live"]["accepted"]
        eventually(lambda: len(history(client, "door")) >= accepted, 20, "every outcome")
        written = history(client, "door")
    assert len(written) == len({each["crop_id"] for each in written}) == accepted
    by_time = [(int(each["decided_at"]), each["model"]) for each in written]
    assert {model for at_ms, model in by_time if at_ms > back_ms} == {CHAMPION}
    between = {model for at_ms, model in by_time if promoted_ms < at_ms < back_begun_ms}
    assert between == {CHALLENGER}
    assert log.read_text().count('"models.champion_changed"') == 4
    assert '"level": "error"' not in log.read_text()


def test_a_champion_outlives_a_restart_of_redis_and_a_later_worker_begins_with_it(
    settings: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "worker.log"
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server())
        here = {**settings, "MASKGATE_REDIS_URL": redis.url}
        stack.enter_context(running("worker", environment=here, log=log))
        with redis.client() as client:
            eventually(held(client, 1), 20, "a worker with both models")
            promoted(client, CHALLENGER)
        redis.stop()
        redis.start()
        with redis.client() as client:
            eventually(lambda: read(client).generation == 1, 20, "the promotion is restored")
            reign = read(client).reign
            assert reign is not None
            assert (reign.champion_name, bool(reign.restored_by)) == (CHALLENGER, True)
            late = tmp_path / "late.log"
            stack.enter_context(running("worker", environment=here, log=late))
            said(late, "models.champion_changed")
            eventually(
                lambda: (
                    [each.champion.name for each in read(client).workers.values()]
                    == [CHALLENGER] * 2
                ),
                20,
                "both serve it",
            )
            order = [json.loads(line)["event"] for line in late.read_text().splitlines()]
            done("producer", "synthetic", "--camera", "x", "--limit", "40", environment=here)
            eventually(lambda: len(history(client, "x")) == 40, 20, "40 outcomes")
            assert {each["model"] for each in history(client, "x")} == {CHALLENGER}
    assert order.index("challenger.loaded") < order.index("models.champion_changed")


def test_a_challenger_with_a_wrong_golden_vector_is_refused_and_the_old_one_stays(
    settings: dict[str, str], redis: RedisServer, tmp_path: Path
) -> None:
    wrong = with_wrong_golden_vector(tmp_path)
    bad = {
        **settings,
        "MASKGATE_CHALLENGER_PATH": str(wrong),
        "MASKGATE_CHALLENGER_SHA256": sha256(wrong),
    }
    log = tmp_path / "worker.log"
    with (
        running("worker", environment=settings, log=log),
        running("worker", environment=bad, log=log),
        redis.client() as client,
    ):
        said(log, "challenger.refused")
        eventually(lambda: len(read(client).workers) == 2, 20, "two workers")
        with pytest.raises(PromotionError, match=f"{TWIN_NAME} is not held by worker-"):
            promoted(client, CHALLENGER)
        done("producer", "synthetic", "--camera", "x", "--limit", "60", environment=settings)
        eventually(lambda: len(history(client, "x")) == 60, 20, "60 outcomes")
        assert {each["model"] for each in history(client, "x")} == {CHAMPION}
        refused = [each.refused for each in read(client).workers.values() if each.refused]
        assert len(refused) == 1
        assert "its golden vector is off by 0." in refused[0]
