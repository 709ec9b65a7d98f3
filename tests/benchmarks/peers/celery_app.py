"""A Celery peer: ``celery -A tests.benchmarks.peers.celery_app worker --concurrency 1``.

It uses Celery's default serializer, JSON, which encodes bytes as base64. It acknowledges late, so
that no crop is lost when a worker dies.
"""

import os

from celery import Celery
from celery.signals import worker_process_init

from tests.benchmarks.peers.work import Work

app = Celery("peers", broker=os.environ["MASKGATE_BROKER_URL"])
app.conf.task_acks_late = True
app.conf.task_ignore_result = True

_work: list[Work] = []


@worker_process_init.connect
def start(**_: object) -> None:
    _work.append(Work())


@app.task
def classify(
    body: bytes, content_type: str, camera: str, crop_id: str, captured_at_ms: int
) -> None:
    _work[0].do(body, content_type, camera, crop_id, captured_at_ms)
