"""The producer in crops/s: a window of confirms, one confirm at a time, and no confirms."""

import itertools
import time

from maskgate.inference.image import PPM
from maskgate.protocol.crop import Message, to_message
from maskgate.protocol.topology import LIVE_EXCHANGE
from maskgate.runtime.message_properties import to_properties
from tests.benchmarks.bench import Bench
from tests.benchmarks.figures import alternately, ratios
from tests.benchmarks.stand import crops

WINDOW, ONE, NONE = (
    "maskgate producer, confirmed in a window",
    "confirmed one at a time",
    "not confirmed",
)


def producers(bench: Bench, *, at_least: float = 6) -> None:
    """Measure the three ways of publishing alternately."""
    bench.tell("producer")
    window = [
        to_message(crop) for crop in itertools.islice(crops(PPM), 5000 if bench.quick else 15_000)
    ]
    broker_us: list[float] = []

    def confirmed_in_a_window() -> float:
        per_s, us = bench.fill(window)
        broker_us.append(us)
        return per_s

    subjects = {
        WINDOW: confirmed_in_a_window,
        ONE: lambda: _by_pika(bench, window[:1500], confirm=True),
        NONE: lambda: _by_pika(bench, window, confirm=False),
    }
    rates = alternately(bench.rounds, subjects, bench.tell)
    bench.results.table(
        "Producer",
        "crops/s",
        rates,
        reference=ONE,
        note="28 × 28 PPM to a quorum queue, persistent and mandatory",
    )
    bench.results.table(
        "Broker, taking a crop",
        "µs a crop",
        {"RabbitMQ": broker_us},
        note="processor time, confirmed in a window",
    )
    bench.results.claim(
        "producer's rate to confirming one at a time",
        ratios(rates[WINDOW], rates[ONE]),
        at_least=at_least,
    )


def _by_pika(bench: Bench, messages: list[Message], *, confirm: bool) -> float:
    bench.stand.clear()
    with bench.stand.rabbit.channel() as channel:
        if confirm:
            channel.confirm_delivery()
        begun_s = time.perf_counter()
        for message in messages:
            channel.basic_publish(
                LIVE_EXCHANGE,
                message.routing_key,
                message.body,
                to_properties(message),
                mandatory=True,
            )
        return len(messages) / (time.perf_counter() - begun_s)
