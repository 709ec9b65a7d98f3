"""The same as a Celery task: ``celery -A tests.benchmarks.peers.celery_app worker --concurrency 1``.

JSON as by default, in which Celery writes bytes as base64; acknowledged late, since a crop must not vanish with its worker.
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
