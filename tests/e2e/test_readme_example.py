import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

from maskgate import Action, Gate
from producer.drawing import draw_face
from tests.servers.processes import running, said
from tests.servers.rabbit_server import RabbitServer
from tests.servers.redis_server import RedisServer
from tests.texts import ROOT, blocks


def test_a_door_gets_a_decision_for_the_crop_that_the_readme_sends(
    environment: dict[str, str], rabbit: RabbitServer, redis: RedisServer, tmp_path: Path
) -> None:
    (example,) = (block for block in blocks(ROOT / "README.md") if block.language == "python")
    program, face, log = tmp_path / "send.py", tmp_path / "face.jpg", tmp_path / "worker.log"
    program.write_text(example.text)
    pixels = draw_face(np.random.default_rng(9), masked=True).pixels
    cv2.imwrite(str(face), pixels[:, :, ::-1])
    with running("worker", environment=environment, log=log), Gate(redis.url, timeout_s=5) as gate:
        said(log, "broker.connected")
        sent = subprocess.run(
            [sys.executable, str(program), rabbit.url, str(face)],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert sent.returncode == 0, sent.stderr
        assert gate.decision("yard", timeout_s=20).action is Action.REMOVE_MASK
