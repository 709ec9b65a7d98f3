"""A whole site for fault tests: broker, Redis with its users, workers, a sender and doors.

Proxies stand between the processes and the servers, and workers that exit are restarted.
"""

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from redis import Redis

from maskgate.inference.model import Model
from maskgate.operations.secrets import acl
from tests.faults.ledger import Balance, Ledger
from tests.faults.load import Sender
from tests.faults.observers import DeadLetters, Doors, History, Observer
from tests.faults.proxy import FaultProxy
from tests.servers.ports import free_port
from tests.servers.processes import ROOT
from tests.servers.rabbit_server import RabbitServer, rabbit_server
from tests.servers.redis_server import RedisServer, redis_server
from worker.settings import SHIPPED_MODEL

PASSWORDS = {"admin": "admin-word", "worker": "worker-word", "gate": "gate-word"}


@dataclass
class RunningWorker:
    """One replica; a fault sets ``expected`` before it ends the process."""

    process: "subprocess.Popen[bytes]"
    health_port: int
    expected: bool = False

    def resident_mb(self) -> float:
        """Resident memory in MB; 0 after the process has exited."""
        try:
            found = re.search(
                r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text()
            )
        except OSError:
            found = None
        return int(found[1]) / 1024 if found else 0.0


@dataclass
class Site:
    """The parts of a site, for faults to act on."""

    folder: Path
    rabbit: RabbitServer
    redis: RedisServer
    admin: Redis
    ledger: Ledger
    sender: Sender
    history: History
    observers: list[Observer]
    worker_to_broker: FaultProxy
    worker_to_redis: FaultProxy
    producer_to_broker: FaultProxy
    gate_to_redis: FaultProxy
    environment: dict[str, str]
    workers: list[RunningWorker] = field(default_factory=list)
    worker_command: Callable[[int], list[str]] = lambda _: ["worker"]
    started: int = 0
    crashes: list[str] = field(default_factory=list)
    memory_mb: list[tuple[float, float]] = field(default_factory=list)
    closing: bool = False

    @property
    def log(self) -> Path:
        """The log file of all workers."""
        return self.folder / "workers.log"

    def start_worker(self) -> RunningWorker:
        """Start one more replica."""
        self.started += 1
        command = self.worker_command(self.started)
        port = free_port()
        environment = {**self.environment, "MASKGATE_METRICS_PORT": str(port)}
        with self.log.open("ab") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", *command], cwd=ROOT, env=environment, stdout=out, stderr=out
            )
        return RunningWorker(process, port, expected=command[0].startswith("tests."))

    def keep(self) -> None:
        """Restart workers that have exited, as an orchestrator would, and record memory.

        An exit that no fault caused is recorded as a crash.
        """
        begun_s = time.monotonic()
        while not self.closing:
            for i, worker in enumerate(self.workers):
                if worker.process.poll() is not None:
                    if not worker.expected:
                        self.crashes.append(
                            f"exit code {worker.process.returncode}; see {self.log}"
                        )
                    self.workers[i] = self.start_worker()
            self.memory_mb += [
                (time.monotonic() - begun_s, mb)
                for worker in self.workers
                if (mb := worker.resident_mb()) > 1
            ]
            time.sleep(0.5)

    def is_well(self, since_ms: int) -> bool:
        """Whether a crop captured after ``since_ms`` has a verdict and there is no backlog."""
        return self.history.newest_verdict_ms > since_ms and len(self.ledger.unsettled()) < max(
            50, self.sender.rate / 2
        )

    def settle(self, timeout_s: float = 60) -> Balance:
        """Stop sending, wait up to ``timeout_s`` until no crop is unsettled, and add up."""
        self.sender.finish()
        deadline_s = time.monotonic() + timeout_s
        while self.ledger.unsettled() and time.monotonic() < deadline_s:
            time.sleep(0.1)
        return self.ledger.balance()


@contextmanager
def site(
    folder: Path,
    *,
    workers: int = 2,
    rate: float = 300,
    seed: int = 1,
    worker_command: Callable[[int], list[str]] = lambda _: ["worker"],
    settings: Mapping[str, str] | None = None,
    models: Sequence[Path] = (SHIPPED_MODEL,),
) -> Iterator[Site]:
    """Start a site and send crops at once; on exit, stop everything.

    ``worker_command`` turns the number of the worker into arguments of ``python -m``;
    ``settings`` are added to the workers' environment; ``models`` are all that workers may serve.
    """
    users = folder / "users.acl"
    users.write_text(acl(PASSWORDS))
    (folder / "password").write_text(PASSWORDS["worker"])
    with ExitStack() as stack:
        rabbit, redis = (
            stack.enter_context(rabbit_server()),
            stack.enter_context(redis_server(users, admin_password=PASSWORDS["admin"])),
        )
        to_broker, produced = (stack.enter_context(FaultProxy(rabbit.port)) for _ in range(2))
        to_redis, read = (stack.enter_context(FaultProxy(redis.port)) for _ in range(2))
        admin = Redis(
            port=redis.port, username="admin", password=PASSWORDS["admin"], decode_responses=True
        )
        ledger, served = Ledger(), [Model.load(path) for path in models]
        history = History(admin, ledger, [model.card.name for model in served])
        environment = {
            "PATH": "/usr/bin:/bin",
            "MASKGATE_BROKER_URL": f"amqp://guest:guest@127.0.0.1:{to_broker.port}/%2F",
            "MASKGATE_REDIS_URL": f"redis://worker@127.0.0.1:{to_redis.port}/0",
            "MASKGATE_REDIS_PASSWORD_FILE": str(folder / "password"),
            "MASKGATE_HISTORY_LENGTH": "10000000",
            "MASKGATE_REPORT_INTERVAL_S": "5",
            "MASKGATE_LOG_JSON": "true",
            **(settings or {}),
        }
        sender = Sender(
            f"amqp://guest:guest@127.0.0.1:{produced.port}/%2F",
            ledger,
            rate=rate,
            seed=seed,
            models=served,
        )
        doors = Doors(f"redis://gate@127.0.0.1:{read.port}/0", PASSWORDS["gate"], ledger, sender)
        observers: list[Observer] = [history, DeadLetters(rabbit, ledger), doors]
        place = Site(
            folder,
            rabbit,
            redis,
            admin,
            ledger,
            sender,
            history,
            observers,
            to_broker,
            to_redis,
            produced,
            read,
            environment,
        )
        place.worker_command = worker_command
        place.workers = [place.start_worker() for _ in range(workers)]
        keeper = threading.Thread(target=place.keep, name="keeper")
        for begin in (sender.start, keeper.start, *(observer.start for observer in observers)):
            begin()
        try:
            yield place
        finally:
            place.closing = True
            keeper.join()
            sender.finish()
            for worker in place.workers:
                worker.process.send_signal(signal.SIGCONT)
                worker.process.kill()
                worker.process.wait(10)
            for observer in observers:
                observer.stop()
            admin.close()
