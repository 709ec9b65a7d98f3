"""A FastStream peer: ``faststream run tests.benchmarks.peers.faststream_app:app``."""

import os

from faststream import FastStream
from faststream.rabbit import RabbitBroker, RabbitMessage, RabbitQueue

from tests.benchmarks.peers.work import Work

QUEUE = "peers.faststream"

broker = RabbitBroker(os.environ["MASKGATE_BROKER_URL"])
app = FastStream(broker)
work = Work()


@broker.subscriber(RabbitQueue(QUEUE, durable=True))
async def classify(body: bytes, message: RabbitMessage) -> None:
    headers = message.headers
    work.do(
        body,
        message.content_type or "",
        str(headers["camera_id"]),
        message.message_id or "",
        int(str(headers["captured_at"])),
    )
