"""What every benchmark gets: the servers, the options of the run and the place for results."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from maskgate.protocol.crop import Message
from tests.benchmarks.drain import Drained, drain, processor_s
from tests.benchmarks.figures import Results
from tests.benchmarks.stand import Stand
from tests.benchmarks.thumbnail import THUMBNAIL_MODEL
from tests.servers.ports import free_port
from tests.servers.processes import ROOT

#: Arguments of ``python`` that start one worker of each peer, as its documentation does.
PEERS: Mapping[str, Sequence[str]] = {
    "naive_pika": ("-m", "tests.benchmarks.peers.naive_pika"),
    "tuned_pika": ("-m", "tests.benchmarks.peers.naive_pika", "prefetch=256"),
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
#: Most unacknowledged crops of each, and when it acknowledges: below each table.
DELIVERY = (
    "Prefetch and acknowledgement: maskgate worker 256, once a batch; naive_pika 1, each crop; "
    "tuned_pika 256, each crop; celery 4, each crop, late; dramatiq 16, each crop; "
    "faststream without limit, each crop."
)


@dataclass(frozen=True, slots=True)
class Bench:
    """One run of the benchmarks."""

    stand: Stand
    results: Results
    quick: bool
    #: The interpreter for maskgate's worker; like the image, its environment should have only the
    #: worker's packages.
    worker_python: str = sys.executable
    #: The interpreter for the peers; its environment should have the worker's packages and theirs.
    peers_python: str = sys.executable

    @property
    def rounds(self) -> int:
        """The number of rounds; five or more for a meaningful median."""
        return self.results.rounds

    def tell(self, line: str) -> None:
        """Print progress to standard error."""
        print(line, file=sys.stderr, flush=True)

    @property
    def environment(self) -> dict[str, str]:
        """Variables for maskgate's processes.

        They set the thumbnail network and a time to live of 10 minutes, so that no crop expires in
        a filled queue. The rest is as shipped.
        """
        return {
            "MASKGATE_BROKER_URL": self.stand.rabbit.url,
            "MASKGATE_REDIS_URL": self.stand.redis.url,
            "MASKGATE_MODEL_PATH": str(THUMBNAIL_MODEL),
            "MASKGATE_VERDICT_TTL_MS": "600000",
            "MASKGATE_HISTORY_LENGTH": "1000000",
            "MASKGATE_LOG_JSON": "true",
        }

    def python(self, *arguments: str, by: str = sys.executable) -> str:
        """Run ``python …`` and return what it printed."""
        command = [by, *arguments]
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
        """The command line of maskgate's worker."""
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
        """One round of maskgate's worker with audit samples, logs and metrics, as shipped."""
        self.stand.clear()
        self.stand.fill_with_crops(count, content_type, cameras=cameras, track_length=track_length)
        commands = [self.worker("--metrics-port", str(free_port())) for _ in range(replicas)]
        return drain(self.stand, commands, {**self.environment, **(settings or {})}, count)

    def peer(self, name: str, content_type: str, count: int) -> Drained:
        """One round of a peer's worker."""
        self.stand.clear()
        self.python(
            "-m",
            "tests.benchmarks.peers.fill",
            name,
            content_type,
            str(count),
            by=self.peers_python,
        )
        # The worker sets the variable for itself: a pool of threads would cost memory.
        environment = {**self.environment, "OPENBLAS_NUM_THREADS": "1"}
        return drain(self.stand, [[self.peers_python, *PEERS[name]]], environment, count)

    def fill(self, messages: Sequence[Message]) -> tuple[float, float]:
        """The producer's rate in crops/s, and the broker's processor time in µs per crop."""
        self.stand.clear()
        pids = [self.stand.rabbit.process.pid] if self.stand.rabbit.process else []
        spent_s, begun_s = processor_s(pids), time.perf_counter()
        self.stand.fill(messages)
        elapsed_s = time.perf_counter() - begun_s
        return len(messages) / elapsed_s, (processor_s(pids) - spent_s) / len(messages) * 1e6

    def loop(self, content_type: str, seconds: float) -> float:
        """Crops/s of decoding and inference alone, without broker and Redis."""
        return float(self.python("-m", "tests.benchmarks.loop", content_type, str(seconds)))

    def ack_only(self, content_type: str, count: int) -> float:
        """Messages/s of a consumer that only acknowledges."""
        self.stand.clear()
        self.stand.fill_with_crops(count, content_type)
        return float(self.python("-m", "tests.benchmarks.ack_only", "crops.live", str(count)))
