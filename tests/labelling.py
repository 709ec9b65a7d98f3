"""Drawn people pass a camera, and a labeller who knows the truth answers at the desk."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from maskgate.inference.image import encode_pnm
from maskgate.protocol.crop import Crop, new_crop_id, to_message
from maskgate.protocol.topology import LIVE_EXCHANGE
from maskgate.runtime.clock import now_ms
from maskgate.runtime.message_properties import to_properties
from producer.drawing import draw_face
from tests.desk_site import Browser
from tests.servers.processes import done
from tests.servers.rabbit_server import RabbitServer

FACES = 40


def labelling(environment: Mapping[str, str], folder: Path, rates: str) -> dict[str, str]:
    """Settings of workers and a desk: crops of ``lobby`` are labelled at these rates."""
    review, key = folder / "review.toml", folder / "key"
    review.write_text(f"[lobby]\n{rates}")
    assert done("desk", "key", str(key), environment=environment).returncode == 0
    return {
        **environment,
        "MASKGATE_REVIEW_FILE": str(review),
        "MASKGATE_DESK_STATE_DIR": str(folder / "desk"),
        "MASKGATE_DESK_LABELS_KEY_FILE": str(key),
        "MASKGATE_DESK_LABELS_TWICE": "0",
    }


def send_labels(settings: Mapping[str, str], name: str) -> None:
    """Export what was labelled, and send it as audit samples."""
    out = f"{settings['MASKGATE_DESK_STATE_DIR']}/labels/exports/{name}"
    for command in (("desk", "export", "--out", out), ("producer", "audit", out)):
        finished = done(*command, environment=settings)
        assert finished.returncode == 0, finished.stderr


def film(rabbit: RabbitServer, faces: int = FACES) -> dict[str, str]:
    """Drawn people pass the camera ``lobby``; returns the true label of each crop."""
    rng, truth = np.random.default_rng(5), {}
    with rabbit.channel() as channel:
        channel.confirm_delivery()
        for i in range(faces):
            crop_id = new_crop_id()
            truth[crop_id] = "mask" if i % 2 else "no_mask"
            body, kind = encode_pnm(draw_face(rng, masked=bool(i % 2)).pixels)
            message = to_message(Crop(crop_id, "lobby", crop_id, now_ms(), kind, body))
            channel.basic_publish(LIVE_EXCHANGE, message.routing_key, body, to_properties(message))
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
