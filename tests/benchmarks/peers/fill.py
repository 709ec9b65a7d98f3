"""``python -m tests.benchmarks.peers.fill PEER CONTENT_TYPE COUNT``: fills a peer's queue.

Crops are sent with the peer's own client, where it has one.
"""

import base64
import os
import sys
from collections.abc import Iterable

import pika

from maskgate.protocol.crop import Crop, to_message
from tests.benchmarks.crops import crops


def _celery(source: Iterable[Crop]) -> None:
    from tests.benchmarks.peers.celery_app import classify

    for crop in source:
        classify.delay(
            crop.body, crop.content_type, crop.camera_id, crop.crop_id, crop.captured_at_ms
        )


def _dramatiq(source: Iterable[Crop]) -> None:
    from tests.benchmarks.peers.dramatiq_app import classify

    for crop in source:
        body = base64.b64encode(crop.body).decode()
        classify.send(body, crop.content_type, crop.camera_id, crop.crop_id, crop.captured_at_ms)


def _plain(queue: str, source: Iterable[Crop]) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["MASKGATE_BROKER_URL"]))
    channel = connection.channel()
    channel.queue_declare(queue, durable=True)
    for message in map(to_message, source):
        properties = pika.BasicProperties(
            content_type=message.content_type,
            type=message.type,
            message_id=message.message_id,
            headers=dict(message.headers),
            delivery_mode=2,
        )
        channel.basic_publish("", queue, message.body, properties)
    connection.close()


if __name__ == "__main__":
    peer, content_type, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    source = (crop for crop, _ in zip(crops(content_type), range(count), strict=False))
    if peer == "celery":
        _celery(source)
    elif peer == "dramatiq":
        _dramatiq(source)
    else:
        _plain("peers.faststream" if peer == "faststream" else "peers.naive_pika", source)
