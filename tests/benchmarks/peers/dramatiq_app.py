"""A dramatiq peer: ``dramatiq tests.benchmarks.peers.dramatiq_app --processes 1``.

It has the default of eight threads. Its messages are JSON, so images are encoded as base64.
"""

import base64
import os
import threading

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker

from tests.benchmarks.peers.work import Work

dramatiq.set_broker(RabbitmqBroker(url=os.environ["MASKGATE_BROKER_URL"]))
_lock = threading.Lock()
_work: list[Work] = []


@dramatiq.actor(queue_name="peers.dramatiq")
def classify(body: str, content_type: str, camera: str, crop_id: str, captured_at_ms: int) -> None:
    with _lock:
        if not _work:
            _work.append(Work())
    _work[0].do(base64.b64decode(body), content_type, camera, crop_id, captured_at_ms)
