"""How fast a consumer empties a full queue, with no producer running meanwhile.

The time of each crop's outcome is the id of its history entry, by Redis's clock, and is read
afterwards. Processor time and memory come from /proc, five times per second during the round.
"""

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from redis import Redis

from tests.benchmarks.stand import Stand
from tests.servers.processes import ROOT

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
#: The measured part of the crops: without the slow start and the last, smaller batches.
_FROM, _TO = 0.15, 0.95
_LOOK_EVERY_S = 0.2
_STOP_TIMEOUT_S = 15


@dataclass(frozen=True, slots=True)
class Drained:
    """One round: crops/s, processor time in µs per crop, and the consumer's peak memory in MiB.

    ``cpu_us`` is the processor time of all processes of the consumer.
    """

    per_s: float
    cpu_us: float
    broker_us: float
    redis_us: float
    resident_mb: float


def drain(
    stand: Stand,
    commands: Sequence[Sequence[str]],
    environment: Mapping[str, str],
    count: int,
    *,
    timeout_s: float = 300,
) -> Drained:
    """Start consumers of a full queue, wait for ``count`` history entries, stop the consumers.

    Raises:
        RuntimeError: a consumer exited, or the time was too short; with the consumers' output.
    """
    with tempfile.TemporaryFile() as said, stand.redis.client() as client:
        processes = [
            subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, **environment}, stdout=said, stderr=said
            )
            for command in commands
        ]
        families = [
            [process.pid for process in processes],
            _pid(stand.rabbit.process),
            _pid(stand.redis.process),
        ]
        looks: list[tuple[float, ...]] = []
        deadline_s = time.monotonic() + timeout_s
        try:
            while True:
                usage = _usage(families)
                looks.append((time.time() * 1000, *(cpu_s for cpu_s, _ in usage), usage[0][1]))
                if sum(int(client.xlen(key)) for key in _histories(client)) >= count:
                    break
                if (
                    any(process.poll() is not None for process in processes)
                    or time.monotonic() > deadline_s
                ):
                    said.seek(0)
                    output = said.read()[-3000:].decode(errors="replace")
                    msg = f"{commands} did not finish {count} crops; output:\n{output}"
                    raise RuntimeError(msg)
                time.sleep(_LOOK_EVERY_S)
        finally:
            end(processes)
        ended = [
            int(name.partition("-")[0])
            for key in _histories(client)
            for name, _ in client.xrange(key)
        ]
    return _drained(np.sort(np.asarray(ended, np.float64)), np.asarray(looks))


def end(processes: "Sequence[subprocess.Popen[bytes]]") -> None:
    """Send SIGTERM, and SIGKILL if a process does not exit within 15 s."""
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _pid(process: "subprocess.Popen[bytes] | None") -> list[int]:
    return [process.pid] if process else []


def _histories(client: Redis) -> list[str]:
    return sorted(map(str, client.scan_iter("verdicts:*", count=1000)))


def _drained(ended_ms: npt.NDArray[np.float64], looks: npt.NDArray[np.float64]) -> Drained:
    first, last = int(len(ended_ms) * _FROM), int(len(ended_ms) * _TO)
    window_ms, crops = (ended_ms[first], ended_ms[last]), last - first
    consumer_us, broker_us, redis_us = (
        float(np.diff(np.interp(window_ms, looks[:, 0], looks[:, i]))[0] / crops * 1e6)
        for i in (1, 2, 3)
    )
    per_s = float(crops / (window_ms[1] - window_ms[0]) * 1000)
    return Drained(per_s, consumer_us, broker_us, redis_us, float(looks[:, 4].max()))


def _usage(families: Sequence[Sequence[int]]) -> list[tuple[float, float]]:
    """Processor time in s and memory in MiB of each group of processes and its descendants."""
    children: dict[int, list[int]] = {}
    stats: dict[int, list[str]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        stats[int(entry.name)] = fields
        children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = []
    for pids in families:
        family = list(pids)
        for pid in family:
            family += children.get(pid, [])
        own = [stats[pid] for pid in family if pid in stats]
        # utime and stime in ticks, rss in pages: fields 14, 15 and 24 of proc_pid_stat(5).
        # f starts with field 3.
        cpu_s = sum(int(f[11]) + int(f[12]) for f in own) / _TICKS_PER_S
        found.append((cpu_s, sum(int(f[21]) for f in own) * _PAGE_BYTES / 2**20))
    return found


def busy_ticks(before: Sequence[int] | None = None) -> tuple[int, int]:
    """Busy ticks and all ticks of all cores since boot, or since ``before``; see proc_stat(5)."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle = ticks[3] + ticks[4]
    found = (sum(ticks) - idle, sum(ticks))
    return (found[0] - before[0], found[1] - before[1]) if before else found


def processor_s(pids: Sequence[int]) -> float:
    """Processor time in s of these processes and their descendants."""
    return _usage([pids])[0][0]


def resident_mb(pids: Sequence[int]) -> float:
    """Resident memory in MiB of these processes and their descendants."""
    return _usage([pids])[0][1]
