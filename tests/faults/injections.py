"""Every fault by name: a context manager that causes the fault at a site and then undoes it.

SECURITY.md lists the faults that a site must survive.
"""

import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from maskgate.protocol.topology import LIVE_QUEUE
from maskgate.redis_functions import library
from maskgate.runtime.clock import now_ms
from tests.faults.proxy import FaultProxy
from tests.faults.site import Site
from tests.servers.ports import eventually

Fault = Callable[[Site, random.Random], AbstractContextManager[None]]
_BANDWIDTH = 20_000.0  # bytes/s: a tenth of what the load needs
_LATENCY_S = 0.15


def _ended_by(number: signal.Signals) -> Fault:
    @contextmanager
    def fault(site: Site, choice: random.Random) -> Iterator[None]:
        worker = choice.choice(site.workers)
        worker.expected = True
        worker.process.send_signal(number)
        yield

    return fault


@contextmanager
def worker_frozen(site: Site, choice: random.Random) -> Iterator[None]:
    """SIGSTOP a worker: it keeps its crops and stops responding."""
    worker = choice.choice(site.workers)
    worker.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        worker.process.send_signal(signal.SIGCONT)


@contextmanager
def broker_stopped(site: Site, _: random.Random) -> Iterator[None]:
    """``rabbitmqctl stop_app``: the broker closes all connections and accepts none."""
    site.rabbit.ctl("stop_app")
    try:
        yield
    finally:
        site.rabbit.ctl("start_app")


@contextmanager
def broker_killed(site: Site, _: random.Random) -> Iterator[None]:
    """SIGKILL the broker; the messages that it confirmed are on its disk."""
    process = site.rabbit.process
    assert process is not None
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)
    try:
        yield
    finally:
        site.rabbit.start()


@contextmanager
def broker_in_memory_alarm(site: Site, _: random.Random) -> Iterator[None]:
    """A memory alarm: the broker reads nothing from publishers."""
    site.rabbit.ctl("set_vm_memory_high_watermark", "absolute", "1MB")
    try:
        yield
    finally:
        site.rabbit.ctl("set_vm_memory_high_watermark", "0.4")


@contextmanager
def queue_deleted(site: Site, _: random.Random) -> Iterator[None]:
    """Delete the live queue under its consumers, once it is empty: deleting loses its messages."""
    site.sender.paused = True
    try:
        eventually(
            lambda: not site.ledger.unsettled() and not site.rabbit.depth(LIVE_QUEUE),
            30,
            "an empty live queue",
        )
        site.rabbit.ctl("delete_queue", LIVE_QUEUE)
        site.sender.paused = False
        yield
    finally:
        site.sender.paused = False
        site.rabbit.ctl("import_definitions", str(site.rabbit.folder / "definitions.json"))


@contextmanager
def redis_killed(site: Site, _: random.Random) -> Iterator[None]:
    """SIGKILL Redis: all verdicts and the functions are lost.

    Writes are paused first, so that the observer can read the whole history before.
    """
    site.admin.client_pause(20_000, all=False)
    site.history.drain()
    began_ms = now_ms()
    site.redis.stop()
    site.ledger.people.forget(began_ms, now_ms())
    try:
        yield
    finally:
        site.redis.start()


@contextmanager
def redis_frozen(site: Site, _: random.Random) -> Iterator[None]:
    """SIGSTOP Redis: connections stay open, nothing is answered."""
    site.redis.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        site.redis.process.send_signal(signal.SIGCONT)


@contextmanager
def redis_flushed(site: Site, _: random.Random) -> Iterator[None]:
    """FLUSHALL: all verdicts are lost."""
    began_ms = now_ms()
    site.history.drain(then_flush=True)
    site.ledger.people.forget(began_ms, now_ms())
    yield


@contextmanager
def redis_forgets_functions(site: Site, _: random.Random) -> Iterator[None]:
    """FUNCTION FLUSH: workers wait until the functions are loaded again."""
    site.admin.function_flush()
    try:
        yield
    finally:
        library().load(site.admin)


@contextmanager
def redis_read_only(site: Site, _: random.Random) -> Iterator[None]:
    """Redis is now a replica: writes fail with READONLY."""
    site.admin.replicaof("127.0.0.1", "1")
    try:
        yield
    finally:
        site.admin.replicaof("NO", "ONE")


@contextmanager
def redis_denies(site: Site, _: random.Random) -> Iterator[None]:
    """The worker's Redis user loses all its rights."""
    rights = next(
        line for line in map(str, site.admin.acl_list()) if line.startswith("user worker ")
    )
    execute = site.admin.execute_command  # redis-py declares no types for it
    execute("ACL", "SETUSER", "worker", "-@all")  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        restored = ("reset", *rights.split()[2:])
        execute("ACL", "SETUSER", "worker", *restored)  # type: ignore[no-untyped-call]


def _link(proxy_of: Callable[[Site], FaultProxy], act: Callable[[FaultProxy], None]) -> Fault:
    @contextmanager
    def fault(site: Site, _: random.Random) -> Iterator[None]:
        proxy = proxy_of(site)
        act(proxy)
        try:
            yield
        finally:
            proxy.calm()

    return fault


def _links() -> Iterator[tuple[str, Fault]]:
    links: dict[str, Callable[[Site], FaultProxy]] = {
        "worker_broker": lambda site: site.worker_to_broker,
        "worker_redis": lambda site: site.worker_to_redis,
        "producer_broker": lambda site: site.producer_to_broker,
        "gate_redis": lambda site: site.gate_to_redis,
    }
    acts: dict[str, Callable[[FaultProxy], None]] = {
        "slow": lambda proxy: setattr(proxy, "latency_s", _LATENCY_S),
        "narrow": lambda proxy: setattr(proxy, "bytes_per_s", _BANDWIDTH),
        "stalled": lambda proxy: setattr(proxy, "stalled", True),
        "reset": FaultProxy.reset,
        "half_open": FaultProxy.swallow,
        "refused": FaultProxy.refuse,
    }
    for link, proxy_of in links.items():
        for name, act in acts.items():
            yield f"{link}_{name}", _link(proxy_of, act)


#: SIGKILL closes no connection properly; SIGTERM is what a deployment sends.
_ENDS = {"worker_killed": _ended_by(signal.SIGKILL), "worker_terminated": _ended_by(signal.SIGTERM)}
FAULTS: dict[str, Fault] = (
    _ENDS
    | {
        fault.__name__: fault
        for fault in (
            worker_frozen,
            broker_stopped,
            broker_killed,
            broker_in_memory_alarm,
            queue_deleted,
            redis_killed,
            redis_frozen,
            redis_flushed,
            redis_forgets_functions,
            redis_read_only,
            redis_denies,
        )
    }
    | dict(_links())
)
