"""What every benchmark is given: the stand, how much of it there is time for, and where results go."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from maskgate.protocol.crop import Message
from tests.benchmarks.drain import Drained, drain, processor_s
from tests.benchmarks.figures import Results
from tests.benchmarks.stand import THUMBNAIL_MODEL, Stand
from tests.servers.ports import free_port
from tests.servers.processes import ROOT

#: The peers' commands, as their documentation starts one worker: arguments of Python.
PEERS: Mapping[str, Sequence[str]] = {
    "naive_pika": ("-m", "tests.benchmarks.peers.naive_pika"),
    "celery": (
        "-m",
        "celery",
        "-A",
        "tests.benchmarks.peers.celery_app",
        "worker",
        "--concurrency",
        "1",
        "--loglevel",
        "warning",
    ),
    "dramatiq": ("-m", "dramatiq", "tests.benchmarks.peers.dramatiq_app", "--processes", "1"),
    "faststream": ("-m", "faststream", "run", "tests.benchmarks.peers.faststream_app:app"),
}


@dataclass(frozen=True, slots=True)
class Bench:
    """One run."""

    stand: Stand
    results: Results
    quick: bool
    #: The interpreter that maskgate's worker runs in: an environment with nothing but its own packages, as in its image.
    worker_python: str = sys.executable

    @property
    def rounds(self) -> int:
        """At least five, or a median says nothing."""
        return self.results.rounds

    def tell(self, line: str) -> None:
        """Progress, for whoever waits."""
        print(line, file=sys.stderr, flush=True)

    @property
    def environment(self) -> dict[str, str]:
        """For maskgate's processes: the thumbnail network, and nothing expires in a filled queue; else as shipped."""
        return {
            "MASKGATE_BROKER_URL": self.stand.rabbit.url,
            "MASKGATE_REDIS_URL": self.stand.redis.url,
            "MASKGATE_MODEL_PATH": str(THUMBNAIL_MODEL),
            "MASKGATE_VERDICT_TTL_MS": "600000",
            "MASKGATE_HISTORY_LENGTH": "1000000",
            "MASKGATE_LOG_JSON": "true",
        }

    def python(self, *arguments: str) -> str:
        """What ``python …`` printed."""
        command = [sys.executable, *arguments]
        return subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=600,
        ).stdout

    def worker(self, *options: str) -> list[str]:
        """The command of maskgate's worker."""
        return [self.worker_python, "-m", "worker", *options]

    def shipped(
        self,
        content_type: str,
        count: int,
        *,
        replicas: int = 1,
        cameras: int = 4,
        track_length: int = 20,
        settings: Mapping[str, str] | None = None,
    ) -> Drained:
        """One round of the worker as it is shipped: validation, verdicts, audit samples, logs and metrics all on."""
        self.stand.clear()
        self.stand.fill_with_crops(count, content_type, cameras=cameras, track_length=track_length)
        commands = [self.worker("--metrics-port", str(free_port())) for _ in range(replicas)]
        return drain(self.stand, commands, {**self.environment, **(settings or {})}, count)

    def peer(self, name: str, content_type: str, count: int) -> Drained:
        """One round of somebody else."""
        self.stand.clear()
        self.python("-m", "tests.benchmarks.peers.fill", name, content_type, str(count))
        return drain(self.stand, [[sys.executable, *PEERS[name]]], self.environment, count)

    def fill(self, messages: Sequence[Message]) -> tuple[float, float]:
        """Crops a second that the producer hands over, and the broker's processor time for each in µs."""
        self.stand.clear()
        pids = [self.stand.rabbit.process.pid] if self.stand.rabbit.process else []
        spent_s, begun_s = processor_s(pids), time.perf_counter()
        self.stand.fill(messages)
        elapsed_s = time.perf_counter() - begun_s
        return len(messages) / elapsed_s, (processor_s(pids) - spent_s) / len(messages) * 1e6

    def loop(self, content_type: str, seconds: float) -> float:
        """Crops a second of the loop without broker and Redis."""
        return float(self.python("-m", "tests.benchmarks.loop", content_type, str(seconds)))

    def ack_only(self, content_type: str, count: int) -> float:
        """Messages a second of a consumer that does nothing."""
        self.stand.clear()
        self.stand.fill_with_crops(count, content_type)
        return float(self.python("-m", "tests.benchmarks.ack_only", "crops.live", str(count)))
