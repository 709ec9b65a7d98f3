"""``python -m producer``: the composition root of everything that sends crops."""

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
from maskgate.inference.card import InputShape
from maskgate.protocol.errors import ConfigurationError, ModelError
from maskgate.protocol.queue import CropPublisher, Tally
from maskgate.runtime import broker, logs, tracing
from maskgate.runtime.clock import now_ms
from maskgate.runtime.command_line import CHECK, choose
from maskgate.runtime.exit_codes import ExitCode
from maskgate.runtime.settings import load
from maskgate.runtime.stop import Stop
from producer import replay
from producer.camera import Plan, play
from producer.images import (
    FolderImages,
    Image,
    audit_files,
    drawn_images,
    image_files,
    in_visits,
    repeated,
)
from producer.rabbit import RabbitPublisher
from producer.sample_list import read
from producer.settings import FolderSettings, ProducerSettings, SyntheticSettings
from producer.traces import CropTraces
from producer.video.settings import VideoSettings

_CONNECT_TIMEOUT_S = 5.0
_FLUSH_TIMEOUT_S = 30.0
_SETTINGS: dict[str, type[ProducerSettings]] = {
    "folder": FolderSettings,
    "synthetic": SyntheticSettings,
}
_TEXTS = {
    "video": "find the faces on the video of cameras, and send their crops",
    "folder": "send the images of a folder",
    "audit": "send labelled samples to the audit, each once",
    "synthetic": "send faces that are drawn by code",
    "detector": "fetch the face detector",
    "draw-video": "draw a video of people at a door",
}

log = structlog.get_logger()


def main(argv: list[str]) -> int:
    """The command line; returns an exit code."""
    logs.configure("producer")
    name = choose("python -m producer", "Send face crops to the queue.", _TEXTS, argv)
    program, options = f"python -m producer {name}", argv[1:]
    try:
        return _RUN[name](program, options)
    except (ConfigurationError, ModelError) as error:
        log.error("producer.bad_configuration", error=str(error))
        return ExitCode.BAD_CONFIGURATION


def _images(program: str, options: list[str]) -> int:
    settings = load(_SETTINGS[program.rpartition(" ")[2]], options, program, check=True)
    logs.configure("producer", level=settings.log_level, as_json=settings.log_json)
    if CHECK in options:
        return _check(settings)
    name = f"producer-{socket.gethostname()}-{os.getpid()}"
    with tracing.spans_of(settings, "maskgate-producer", name) as spans:
        return _produce(settings, name, CropTraces(spans))


def _video(program: str, options: list[str]) -> int:
    with _extra_packages():
        from producer.video import command  # noqa: PLC0415  (PyAV is an extra)
    settings = load(VideoSettings, options, program, check=True)
    logs.configure("camera", level=settings.log_level, as_json=settings.log_json)
    if CHECK in options:
        print(*command.check(settings), "valid", sep="\n")
        return ExitCode.OK
    return command.run(settings)


def _detector(program: str, options: list[str]) -> int:
    from producer.video.detection import fetch  # noqa: PLC0415  (only this command needs it)

    return fetch.main(options)


def _draw_video(program: str, options: list[str]) -> int:
    with _extra_packages():
        from producer.scenes import record  # noqa: PLC0415  (PyAV is an extra)
    return record.main(program, options)


@contextmanager
def _extra_packages() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        msg = f"no package {error.name}: pip install 'maskgate[camera]' brings what video needs"
        raise ConfigurationError(msg) from None


def _check(settings: ProducerSettings) -> int:
    shape = card.read(settings.model_card).input
    lines = [*broker.check(settings), *tracing.check(settings)]
    lines.append(
        f"model card: {settings.model_card}, "
        f"input {shape.width}x{shape.height} px, {shape.channels} channels"
    )
    if isinstance(settings, FolderSettings):
        lines.append(f"images: {len(image_files(settings.directory))} in {settings.directory}")
    if settings.audit_dir is not None:
        lines.append(
            f"audit samples: {len(audit_files(settings.audit_dir))} in {settings.audit_dir}"
        )
    print(*lines, "valid", sep="\n")
    return ExitCode.OK


def _produce(settings: ProducerSettings, name: str, traces: CropTraces) -> int:
    shape = card.read(settings.model_card).input
    images, total = _live_images(settings, shape)
    audit = _audit_images(settings, shape, total)
    stop = Stop.on_signals()
    login = broker.parameters(*settings.broker_login(), name=name, tls=settings.broker_tls())
    # A folder can wait for a broker. A live camera can't: crops that it can't send are dropped.
    outlet = RabbitPublisher(
        login, stop=stop, patient=settings.rate is None, settled=traces.settled
    )
    plan = Plan(
        settings.camera, settings.rate, settings.limit, settings.track_length, settings.audit_every
    )
    outlet.wait_for_broker(_CONNECT_TIMEOUT_S)
    begun_s = time.monotonic()
    live = repeated(images, loop=settings.loop)
    endless = settings.loop and settings.limit is None
    try:
        with _progress(None if endless else min(total, settings.limit or total)) as advance:
            play(
                live, audit, outlet, plan, stop=stop, clock=now_ms, progress=advance, traces=traces
            )
            outlet.flush(_FLUSH_TIMEOUT_S)
    finally:
        outlet.close()
        skipped = images.skipped if isinstance(images, FolderImages) else 0
        print(json.dumps(summary(outlet, skipped=skipped, elapsed_s=time.monotonic() - begun_s)))
    return ExitCode.OK if outlet.live.accepted + outlet.audit.accepted else ExitCode.UNAVAILABLE


def _live_images(
    settings: ProducerSettings, shape: InputShape
) -> tuple[FolderImages | list[Image], int]:
    """The live crops, and how many there are before they repeat."""
    if isinstance(settings, FolderSettings):
        files = image_files(settings.directory)
        return FolderImages(files, shape, as_is=settings.as_is), len(files)
    faces = drawn_images(settings.seed, getattr(settings, "faces", 0), shape)
    people = in_visits(faces, settings.track_length)
    return people, len(people)


def _audit_images(
    settings: ProducerSettings, shape: InputShape, total: int
) -> Iterator[Image] | None:
    if settings.audit_dir is not None:
        files = audit_files(settings.audit_dir)
        listed = read(settings.audit_dir)
        samples = FolderImages(files, shape, as_is=settings.as_is, listed=listed)
        return repeated(samples, loop=True)
    if getattr(settings, "audit_drawn", False):
        # Another seed: the audit samples are other faces than the live ones.
        return repeated(drawn_images(settings.seed + 1, total, shape), loop=True)
    return None


def summary(outlet: CropPublisher, *, skipped: int, elapsed_s: float) -> dict[str, Any]:
    """Counts of all crops: ``offered == accepted + refused + in_doubt``.

    ``skipped`` counts the files that are not images.
    """

    def counts(tally: Tally) -> dict[str, Any]:
        refusals = {reason.value: n for reason, n in tally.refusals.items()}
        return {
            "offered": tally.offered,
            "accepted": tally.accepted,
            "refused": tally.refused,
            "refusals": refusals,
            "in_doubt": tally.in_doubt,
        }

    return {
        "live": counts(outlet.live),
        "audit": counts(outlet.audit),
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


_RUN: dict[str, Callable[[str, list[str]], int]] = {
    "video": _video,
    "folder": _images,
    "synthetic": _images,
    "audit": replay.main,
    "detector": _detector,
    "draw-video": _draw_video,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
