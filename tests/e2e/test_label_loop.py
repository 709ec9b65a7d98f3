"""From a door's crops to labels, audit figures and deletion: worker, desk and producer for real."""

import re
from pathlib import Path

import numpy as np
import pika

from maskgate.audit.counts import read_counts, read_models
from maskgate.audit.report import AuditReport, report
from maskgate.inference.image import encode_pnm
from maskgate.protocol.crop import Crop, new_crop_id, to_message
from maskgate.protocol.topology import LIVE_EXCHANGE, REVIEW_QUEUE
from maskgate.runtime.clock import now_ms
from producer.drawing import draw_face
from tests.desk_site import Browser, desk
from tests.servers.ports import eventually
from tests.servers.processes import done, running, said
from tests.servers.rabbit_server import RabbitServer
from tests.servers.redis_server import RedisServer

FACES = 40
WAIT_S = 60
RATES = "[lobby]\nrandom = 0.5\nuncertain = 0.9\nretention_days = 1\n"


def film(rabbit: RabbitServer) -> dict[str, str]:
    """Drawn people pass the camera ``lobby``; returns the true label of each crop."""
    rng, truth = np.random.default_rng(5), {}
    with rabbit.channel() as channel:
        channel.confirm_delivery()
        for i in range(FACES):
            crop_id = new_crop_id()
            truth[crop_id] = "mask" if i % 2 else "no_mask"
            body, kind = encode_pnm(draw_face(rng, masked=bool(i % 2)).pixels)
            message = to_message(Crop(crop_id, "lobby", crop_id, now_ms(), kind, body))
            properties = pika.BasicProperties(
                content_type=kind,
                type=str(message.type),
                message_id=crop_id,
                headers=dict(message.headers),
            )
            channel.basic_publish(LIVE_EXCHANGE, message.routing_key, body, properties)
    return truth


def stored(browser: Browser) -> int:
    found = re.search(r"(\d+) crops are stored", browser.get("/labels/deletion").text)
    assert found
    return int(found[1])


def label_all(browser: Browser, truth: dict[str, str]) -> list[str]:
    """Answer with the truth until nothing waits."""
    answered = []
    while found := re.search(r'name="crop_id" value="(\w+)"', browser.get("/labels").text):
        crop_id = found[1]
        assert browser.get(f"/labels/picture/{crop_id}").headers["content-type"] == "image/png"
        sent = browser.submit("/labels/answer", crop_id=crop_id, answer=truth[crop_id])
        assert sent.status_code == 303
        answered.append(crop_id)
    return answered


def audited(redis: RedisServer) -> AuditReport:
    with redis.client() as client:
        models = read_models(client)
        return report(read_counts(client, models[0], now_ms()).newest if models else {})


def test_a_doors_own_crops_become_audit_figures_and_can_be_deleted(
    environment: dict[str, str], rabbit: RabbitServer, redis: RedisServer, tmp_path: Path
) -> None:
    (tmp_path / "review.toml").write_text(RATES)
    state = tmp_path / "desk"
    state.mkdir()
    settings = {
        **environment,
        "MASKGATE_REVIEW_FILE": str(tmp_path / "review.toml"),
        "MASKGATE_DESK_STATE_DIR": str(state),
        "MASKGATE_DESK_LABELS_KEY_FILE": str(tmp_path / "key"),
        "MASKGATE_DESK_LABELS_TWICE": "0",
        "MASKGATE_AUDIT_SLICES": "random,uncertain",
    }
    assert done("desk", "key", str(tmp_path / "key"), environment=settings).returncode == 0
    log = tmp_path / "worker.log"
    with (
        running("worker", environment=settings, log=log),
        desk(redis.url, state, settings) as site,
        site.browser("operator") as operator,
        site.browser("labeller") as labeller,
    ):
        said(log, "broker.connected", timeout_s=WAIT_S)
        truth = film(rabbit)
        eventually(lambda: stored(operator) >= FACES // 4, WAIT_S, "crops to label")
        answered = label_all(labeller, truth)
        eventually(lambda: rabbit.depth(REVIEW_QUEUE) == 0, WAIT_S, "an empty queue")
        answered += label_all(labeller, truth)

        out = state / "labels" / "exports" / "first"
        exported = done("desk", "export", "--out", str(out), environment=settings)
        assert exported.returncode == 0, exported.stderr
        for _ in range(2):  # sent twice, each sample counts once
            sent = done("producer", "audit", str(out), environment=settings)
            assert sent.returncode == 0, sent.stderr
        eventually(lambda: audited(redis).n >= len(answered), WAIT_S, "the audit samples")
        found = audited(redis)
        assert found.n == len(answered)
        coverage = found.shares["coverage"]
        assert coverage.weights is not None
        assert coverage.weights.total > len(answered) * 1.05, "a crop stands for 1.05 or 2"
        page = operator.get("/precision").text
        assert f"{len(answered)} weighted, as good as" in page
        assert "lobby" in page

        operator.submit("/labels/delete", scope="camera", value="lobby")
        assert stored(operator) == 0
        assert "Nothing waits for you" in labeller.get("/labels").text
        left = b"".join(
            str(path).encode() + path.read_bytes() for path in state.rglob("*") if path.is_file()
        )
        assert not [crop_id for crop_id in answered if crop_id.encode() in left]
        with site.browser("viewer") as viewer:
            assert viewer.get("/labels").status_code == 403
    actions = site.journal
    assert actions.count('"label"') == len(answered)
    assert '"crops_exported"' in actions
    assert '"crops_deleted"' in actions
