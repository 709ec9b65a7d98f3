"""The measured machine: processor, system and the versions of all software that takes part."""

import os
import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from redis import Redis

from tests.benchmarks.stand import Stand
from tests.servers.processes import ROOT

_PACKAGES = (
    "pika",
    "onnxruntime",
    "opencv-python-headless",
    "numpy",
    "redis",
    "hiredis",
    "msgspec",
    "celery",
    "dramatiq",
    "faststream",
)


def machine(stand: Stand) -> dict[str, str]:
    """Properties by name; without packages that are not installed."""
    memory_kb = int(_first(r"MemTotal:\s+(\d+)", "/proc/meminfo") or 0)
    reported = {
        "processor": _first(r"model name\s*:\s*(.+)", "/proc/cpuinfo") or platform.processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{memory_kb / 2**20:.0f} GiB",
        "system": platform.platform(),
        "commit": _commit(),
        "Python": platform.python_version(),
        "RabbitMQ": stand.rabbit.ctl("version").strip().splitlines()[-1],
        "Redis": _redis_version(stand),
    }
    for package in _PACKAGES:
        try:
            reported[package] = version(package)
        except PackageNotFoundError:
            continue
    return reported


def _first(pattern: str, path: str) -> str | None:
    try:
        found = re.search(pattern, Path(path).read_text())
    except OSError:
        return None
    return found[1] if found else None


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"


def _redis_version(stand: Stand) -> str:
    with Redis(port=stand.redis.port, decode_responses=True) as client:
        return str(client.info("server")["redis_version"])
