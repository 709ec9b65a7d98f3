"""Run maskgate's own commands as real processes."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.servers.ports import eventually

ROOT = Path(__file__).parent.parent.parent


@contextmanager
def running(
    *arguments: str, environment: Mapping[str, str], log: Path
) -> "Iterator[subprocess.Popen[bytes]]":
    """Run ``python -m …`` in the background, its output in ``log``; kill it on exit."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=out,
            stderr=out,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def done(
    *arguments: str, environment: Mapping[str, str], timeout_s: float = 60
) -> "subprocess.CompletedProcess[str]":
    """Run ``python -m …`` and wait until it exits."""
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def said(log: Path, event: str, count: int = 1, timeout_s: float = 20) -> None:
    """Wait until ``log`` contains ``event`` at least ``count`` times."""
    eventually(
        lambda: log.exists() and log.read_text().count(f'"{event}"') >= count,
        timeout_s,
        f"{event} in {log}",
    )
