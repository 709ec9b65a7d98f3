"""``python -m producer folder DIR`` and ``python -m producer synthetic``: the composition root."""

import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from maskgate.inference import card
from maskgate.protocol.errors import ConfigurationError, ModelError
from maskgate.protocol.queue import CropPublisher, Tally
from maskgate.runtime import logs
from maskgate.runtime.broker import parameters
from maskgate.runtime.clock import now_ms
from maskgate.runtime.exit_codes import ExitCode
from maskgate.runtime.settings import load
from maskgate.runtime.stop import Stop
from producer.camera import Plan, play
from producer.images import FolderImages, Image, audit_files, drawn_images, image_files, repeated
from producer.rabbit import RabbitPublisher
from producer.settings import FolderSettings, ProducerSettings, SyntheticSettings

_CONNECT_TIMEOUT_S = 5.0
_FLUSH_TIMEOUT_S = 30.0
_KINDS: dict[str, type[ProducerSettings]] = {
    "folder": FolderSettings,
    "synthetic": SyntheticSettings,
}
_USAGE = (
    "usage: python -m producer {folder DIR | synthetic} [options]; --help after either lists them"
)

log = structlog.get_logger()


def main(argv: list[str]) -> int:
    """The command line; returns an exit code."""
    logs.configure("producer")
    if not argv or argv[0] not in _KINDS:
        print(_USAGE, file=sys.stdout if argv[:1] in (["-h"], ["--help"]) else sys.stderr)
        return ExitCode.OK if argv[:1] in (["-h"], ["--help"]) else ExitCode.USAGE
    try:
        settings = load(_KINDS[argv[0]], argv[1:], f"python -m producer {argv[0]}")
        logs.configure("producer", level=settings.log_level, as_json=settings.log_json)
        return _produce(settings)
    except (ConfigurationError, ModelError) as error:
        log.error("producer.bad_configuration", error=str(error))
        return ExitCode.BAD_CONFIGURATION


def _produce(settings: ProducerSettings) -> int:
    shape = card.read(settings.model_card).input
    images: FolderImages | list[Image]
    if isinstance(settings, FolderSettings):
        images = FolderImages(image_files(settings.directory), shape, as_is=settings.as_is)
        total = len(image_files(settings.directory))
    else:
        images = drawn_images(settings.seed, getattr(settings, "faces", 0), shape)
        total = len(images)
    audit: Iterator[Image] | None = None
    if settings.audit_dir is not None:
        audit = repeated(
            FolderImages(audit_files(settings.audit_dir), shape, as_is=settings.as_is), loop=True
        )
    elif getattr(settings, "audit_drawn", False):
        # Other faces than the live ones: another seed.
        audit = repeated(drawn_images(settings.seed + 1, total, shape), loop=True)
    stop = Stop.on_signals()
    name = f"producer-{socket.gethostname()}-{os.getpid()}"
    # A folder can wait for a broker, a live camera can't: it drops what it can't hand over.
    broker = parameters(*settings.broker_login(), name=name, tls=settings.broker_tls())
    outlet = RabbitPublisher(broker, stop=stop, patient=settings.rate is None)
    plan = Plan(
        settings.camera, settings.rate, settings.limit, settings.track_length, settings.audit_every
    )
    outlet.wait_for_broker(_CONNECT_TIMEOUT_S)
    begun_s = time.monotonic()
    with _progress(
        None if settings.loop and settings.limit is None else min(total, settings.limit or total)
    ) as advance:
        play(
            repeated(images, loop=settings.loop),
            audit,
            outlet,
            plan,
            stop=stop,
            clock=now_ms,
            progress=advance,
        )
        outlet.flush(_FLUSH_TIMEOUT_S)
    outlet.close()
    skipped = images.skipped if isinstance(images, FolderImages) else 0
    print(json.dumps(summary(outlet, skipped=skipped, elapsed_s=time.monotonic() - begun_s)))
    return ExitCode.OK if outlet.live.accepted + outlet.audit.accepted else ExitCode.UNAVAILABLE


def summary(outlet: CropPublisher, *, skipped: int, elapsed_s: float) -> dict[str, Any]:
    """What became of everything: ``offered == accepted + refused + in_doubt``, and ``skipped`` files were no images."""

    def told(tally: Tally) -> dict[str, Any]:
        refusals = {reason.value: n for reason, n in tally.refusals.items()}
        return {
            "offered": tally.offered,
            "accepted": tally.accepted,
            "refused": tally.refused,
            "refusals": refusals,
            "in_doubt": tally.in_doubt,
        }

    return {
        "live": told(outlet.live),
        "audit": told(outlet.audit),
        "skipped": skipped,
        "elapsed_s": round(elapsed_s, 2),
        "accepted_per_s": round(outlet.live.accepted / elapsed_s, 1),
    }


@contextmanager
def _progress(total: int | None) -> Iterator[Callable[[], None]]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda: None
        return
    columns = (TextColumn("crops"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("crops", total=total)
        yield lambda: bar.advance(task)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
