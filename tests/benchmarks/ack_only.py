"""The other ceiling: a pika consumer that does nothing but acknowledge, 64 at a time, with 256 in hand. Prints messages a second."""

import os
import sys
import time
from typing import Any

import pika

_PREFETCH, _ACK_EVERY = 256, 64


def main(queue: str, count: int) -> float:
    """Messages a second of so many that are waiting."""
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
