"""The consumer of RabbitMQ's Python tutorial "Work queues": one message at a time, then an ack.

``python -m tests.benchmarks.peers.naive_pika [quorum] [prefetch=N]`` reads from a classic queue or,
like maskgate's worker, from a quorum queue. The tutorial's prefetch is 1; with N, the broker sends
up to N crops ahead, which is the first thing that a developer would tune.
"""

import os
import sys
from typing import Any

import pika

from tests.benchmarks.peers.work import Work

QUEUE, QUORUM_QUEUE = "peers.naive_pika", "peers.naive_pika.quorum"


def declared(channel: Any, *, quorum: bool) -> str:
    """Declare the queue and return its name."""
    queue = QUORUM_QUEUE if quorum else QUEUE
    channel.queue_declare(
        queue=queue, durable=True, arguments={"x-queue-type": "quorum"} if quorum else None
    )
    return queue


def main(*, quorum: bool, prefetch: int) -> None:
    work = Work()

    def callback(channel: Any, method: Any, properties: Any, body: bytes) -> None:
        headers = properties.headers
        work.do(
            body,
            properties.content_type,
            headers["camera_id"],
            properties.message_id,
            int(headers["captured_at"]),
        )
        channel.basic_ack(delivery_tag=method.delivery_tag)

    channel = pika.BlockingConnection(
        pika.URLParameters(os.environ["MASKGATE_BROKER_URL"])
    ).channel()
    queue = declared(channel, quorum=quorum)
    channel.basic_qos(prefetch_count=prefetch)
    channel.basic_consume(queue=queue, on_message_callback=callback)
    channel.start_consuming()


if __name__ == "__main__":
    given = [
        word.removeprefix("prefetch=") for word in sys.argv[1:] if word.startswith("prefetch=")
    ]
    main(quorum="quorum" in sys.argv[1:], prefetch=int(given[0]) if given else 1)
