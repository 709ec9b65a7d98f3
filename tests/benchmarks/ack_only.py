"""``python -m tests.benchmarks.ack_only QUEUE COUNT``: the broker's upper limit for a consumer.

A pika consumer that only acknowledges: 64 messages at a time, prefetch 256. Prints messages/s.
"""

import os
import sys
import time
from typing import Any

import pika

_PREFETCH, _ACK_EVERY = 256, 64


def main(queue: str, count: int) -> float:
    """Consume ``count`` waiting messages; returns messages/s."""
    channel = pika.BlockingConnection(
        pika.URLParameters(os.environ["MASKGATE_BROKER_URL"])
    ).channel()
    channel.basic_qos(prefetch_count=_PREFETCH)
    got, begun_s = 0, time.perf_counter()

    def callback(channel: Any, method: Any, _properties: object, _body: bytes) -> None:
        nonlocal got
        got += 1
        if got % _ACK_EVERY == 0 or got == count:
            channel.basic_ack(method.delivery_tag, multiple=True)
        if got == count:
            channel.stop_consuming()

    channel.basic_consume(queue, callback)
    channel.start_consuming()
    return got / (time.perf_counter() - begun_s)


if __name__ == "__main__":
    print(main(sys.argv[1], int(sys.argv[2])))
