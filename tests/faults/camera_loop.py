"""``python -m tests.faults.camera_loop --minutes 60``: a camera that is lost and found for an hour.

One RTSP camera plays, is killed, stalls, comes back with another picture size, and so on, while a
source reads it. Exits with 0 if it was found again each time and the memory stayed flat.
"""

import argparse
import itertools
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from maskgate.runtime.backoff import Backoff
from producer.video.live_source import LiveSource
from producer.video.opening import StreamOptions
from producer.video.source_address import parse
from tests.servers.memory import resident_mib
from tests.servers.ports import eventually
from tests.servers.rtsp_server import RtspServer, rtsp_server

_SIZES = ((320, 240), (640, 480), (1280, 720), (64, 48))
#: Every size and every fault was there twice: what grows from here on is a leak.
_WARM_UP_CYCLES = 24
_MAX_GROWTH_MIB = 16.0
_PLAY_FRAMES = 30


def main(argv: list[str]) -> int:
    """The command line; returns an exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.camera_loop")
    parser.add_argument("--minutes", type=float, default=60)
    minutes = parser.parse_args(argv).minutes
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with rtsp_server(fps=30) as camera, watching(camera.url()) as source:
        return loop(camera, source, time.monotonic() + 60 * minutes)


@contextmanager
def watching(url: str) -> Iterator[LiveSource]:
    options = StreamOptions(open_timeout_s=5, read_timeout_s=0.5)
    source = LiveSource(parse(url), "loop", options=options, backoff=Backoff(0.05, 0.2))
    try:
        yield source
    finally:
        source.close()


def loop(camera: RtspServer, source: LiveSource, until_s: float) -> int:
    """Faults in turn until the time is over; prints what it did; returns an exit code."""
    faults = itertools.cycle((killed, stalled, stalled_for_good))
    sizes = itertools.cycle(_SIZES)
    frames = cycles = 0
    first_mib = warm_mib = resident_mib()
    while time.monotonic() < until_s:
        frames += watched(source, _PLAY_FRAMES)
        next(faults)(camera, source, next(sizes))
        eventually(lambda: source.trouble == "", 30, "the camera to be found again")
        cycles += 1
        if cycles <= _WARM_UP_CYCLES:
            warm_mib = resident_mib()
        elif cycles % 50 == 0:
            print(f"{cycles} cycles: {resident_mib():.0f} MiB", flush=True)
    last_mib = resident_mib()
    print(
        f"{cycles} cycles, {source.counts.decoded} pictures decoded, {frames} frames taken, "
        f"{source.counts.reconnects} reconnects; memory {first_mib:.0f} MiB at the start, "
        f"{warm_mib:.0f} MiB after {min(cycles, _WARM_UP_CYCLES)} cycles, {last_mib:.0f} MiB now"
    )
    return 0 if last_mib - warm_mib < _MAX_GROWTH_MIB else 1


def watched(source: LiveSource, count: int) -> int:
    """Take frames until ``count`` of them came."""
    for _ in range(count):
        eventually(lambda: source.newest(1) is not None, 30, "a frame")
    return count


def killed(camera: RtspServer, source: LiveSource, size: tuple[int, int]) -> None:
    """It loses its power, and comes back with another picture size."""
    camera.kill()
    lost(source)
    camera.start(width=size[0], height=size[1])


def stalled(camera: RtspServer, source: LiveSource, _size: tuple[int, int]) -> None:
    """It hangs, and goes on."""
    camera.stall()
    lost(source)
    camera.go_on()


def stalled_for_good(camera: RtspServer, source: LiveSource, size: tuple[int, int]) -> None:
    """It hangs until somebody restarts it."""
    camera.stall()
    lost(source)
    killed(camera, source, size)


def lost(source: LiveSource) -> None:
    """Wait until the source noticed."""
    eventually(lambda: source.trouble, 30, "the loss to be noticed")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
