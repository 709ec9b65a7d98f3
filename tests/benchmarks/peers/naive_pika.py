"""A consumer as RabbitMQ's tutorial writes it ("Work queues" in Python): one message at a time, acknowledged when it is done."""

import os
from typing import Any

import pika

from tests.benchmarks.peers.work import Work

QUEUE = "peers.naive_pika"


def main() -> None:
    work = Work()

    def callback(channel: Any, method: Any, properties: Any, body: bytes) -> None:  # noqa: ANN401  (pika has no types)
        headers = properties.headers
        work.do(body, properties.content_type, headers["camera_id"], properties.message_id, int(headers["captured_at"]))
        channel.basic_ack(delivery_tag=method.delivery_tag)

    channel = pika.BlockingConnection(pika.URLParameters(os.environ["MASKGATE_BROKER_URL"])).channel()
    channel.queue_declare(queue=QUEUE, durable=True)
    channel.basic_qos(prefetch_count=1)
    channel.basic_consume(queue=QUEUE, on_message_callback=callback)
    channel.start_consuming()


if __name__ == "__main__":
    main()
