"""Every fault by name: a context manager that does it to a site and undoes it. SECURITY.md lists what must be survived."""

import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from maskgate.protocol.topology import LIVE_QUEUE
from tests.faults.proxy import FaultProxy
from tests.faults.site import Site
from tests.servers.ports import eventually

Fault = Callable[[Site, random.Random], AbstractContextManager[None]]
_BANDWIDTH = 20_000.0  # bytes a second: a tenth of what the load needs
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
    """SIGSTOP: it holds crops and says nothing."""
    worker = choice.choice(site.workers)
    worker.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        worker.process.send_signal(signal.SIGCONT)


@contextmanager
def broker_stopped(site: Site, _: random.Random) -> Iterator[None]:
    """``stop_app``: the broker closes every connection and is gone for a while."""
    site.rabbit.ctl("stop_app")
    try:
        yield
    finally:
        site.rabbit.ctl("start_app")


@contextmanager
def broker_killed(site: Site, _: random.Random) -> Iterator[None]:
    """SIGKILL of the broker: what it confirmed is on its disk."""
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
    """It reads nothing more from those that publish."""
    site.rabbit.ctl("set_vm_memory_high_watermark", "absolute", "1MB")
    try:
        yield
    finally:
        site.rabbit.ctl("set_vm_memory_high_watermark", "0.4")


@contextmanager
def queue_deleted(site: Site, _: random.Random) -> Iterator[None]:
    """Under its consumers, when it is empty: what is in a deleted queue nobody can bring back."""
    site.sender.paused = True
    try:
        eventually(
            lambda: not site.ledger.unsettled() and not site.rabbit.depth(LIVE_QUEUE),
            30,
            "an empty queue",
        )
        site.rabbit.ctl("delete_queue", LIVE_QUEUE)
        site.sender.paused = False
        yield
    finally:
        site.sender.paused = False
        site.rabbit.ctl("import_definitions", str(site.rabbit.folder / "definitions.json"))


@contextmanager
def redis_killed(site: Site, _: random.Random) -> Iterator[None]:
    """All verdicts and the script cache are gone. Writes are held back first, so that the history can be read to its end."""
    site.admin.client_pause(20_000, all=False)
    site.history.drain()
    site.redis.stop()
    try:
        yield
    finally:
        site.redis.start()


@contextmanager
def redis_frozen(site: Site, _: random.Random) -> Iterator[None]:
    """SIGSTOP: connections stay, nothing answers."""
    site.redis.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        site.redis.process.send_signal(signal.SIGCONT)


@contextmanager
def redis_flushed(site: Site, _: random.Random) -> Iterator[None]:
    """FLUSHALL, and the script cache with it."""
    site.history.drain(then_flush=True)
    site.admin.script_flush()
    yield


@contextmanager
def redis_out_of_memory(site: Site, _: random.Random) -> Iterator[None]:
    """Full, and told never to evict: every write is an error."""
    site.admin.config_set("maxmemory", "1mb")
    try:
        yield
    finally:
        site.admin.config_set("maxmemory", "0")


@contextmanager
def redis_read_only(site: Site, _: random.Random) -> Iterator[None]:
    """It has become a replica: READONLY."""
    site.admin.replicaof("127.0.0.1", "1")
    try:
        yield
    finally:
        site.admin.replicaof("NO", "ONE")


@contextmanager
def redis_denies(site: Site, _: random.Random) -> Iterator[None]:
    """The worker's user has lost its rights."""
    rights = next(
        line for line in map(str, site.admin.acl_list()) if line.startswith("user worker ")
    )
    site.admin.execute_command("ACL", "SETUSER", "worker", "-@all")  # type: ignore[no-untyped-call]  # redis-py has no types here
    try:
        yield
    finally:
        site.admin.execute_command("ACL", "SETUSER", "worker", "reset", *rights.split()[2:])  # type: ignore[no-untyped-call]


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


#: SIGKILL: no goodbye to broker or Redis; SIGTERM, as at every new version.
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
            redis_out_of_memory,
            redis_read_only,
            redis_denies,
        )
    }
    | dict(_links())
)
