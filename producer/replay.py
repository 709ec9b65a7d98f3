"""``python -m producer audit DIR``: sends labelled samples to the audit, each once.

For what the desk exports: its ``weights.csv`` gives each sample the weight and the camera it has.
"""

import json
import os
import socket
import time

import structlog

from maskgate.inference import card
from maskgate.protocol.queue import CropPublisher, QueueKind
from maskgate.runtime import broker, logs
from maskgate.runtime.clock import Clock, now_ms
from maskgate.runtime.command_line import CHECK
from maskgate.runtime.exit_codes import ExitCode
from maskgate.runtime.settings import load
from maskgate.runtime.stop import Stop
from producer.camera import to_sample
from producer.images import FolderImages, audit_files
from producer.rabbit import RabbitPublisher
from producer.sample_list import read
from producer.settings import ReplaySettings

_FLUSH_TIMEOUT_S = 30.0

log = structlog.get_logger()


def main(program: str, options: list[str]) -> int:
    """The command line; returns an exit code.

    Raises:
        ConfigurationError: a setting or the folder can't be used.
    """
    settings = load(ReplaySettings, options, program, check=True)
    logs.configure("producer", level=settings.log_level, as_json=settings.log_json)
    shape = card.read(settings.model_card).input
    files, listed = audit_files(settings.directory), read(settings.directory)
    if CHECK in options:
        weighted = f"{sum(path in listed for path in files)} with a weight"
        samples = f"audit samples: {len(files)}, {weighted}, in {settings.directory}"
        print(*broker.check(settings), samples, "valid", sep="\n")
        return ExitCode.OK
    images = FolderImages(files, shape, as_is=settings.as_is, listed=listed)
    name = f"audit-{socket.gethostname()}-{os.getpid()}"
    stop = Stop.on_signals()
    login = broker.parameters(*settings.broker_login(), name=name, tls=settings.broker_tls())
    outlet = RabbitPublisher(login, stop=stop, patient=True)
    try:
        replay(images, outlet, settings, stop=stop, clock=now_ms)
        outlet.flush(_FLUSH_TIMEOUT_S)
    finally:
        outlet.close()
        tally = outlet.audit
        counts = {"offered": tally.offered, "accepted": tally.accepted, "refused": tally.refused}
        print(json.dumps({**counts, "in_doubt": tally.in_doubt, "skipped": images.skipped}))
    return ExitCode.OK if tally.accepted == tally.offered else ExitCode.UNAVAILABLE


def replay(
    images: FolderImages,
    outlet: CropPublisher,
    settings: ReplaySettings,
    *,
    stop: Stop,
    clock: Clock,
) -> None:
    """Send each image once, with at most so many a second as the settings say."""
    begun_s = time.monotonic()
    for sent, image in enumerate(images):
        if stop.requested:
            return
        due_s = begun_s + sent / settings.rate if settings.rate else 0
        while not stop.requested and (left_s := due_s - time.monotonic()) > 0:
            outlet.rest(min(left_s, 0.2))
        outlet.publish(to_sample(image, settings.camera, clock()), QueueKind.AUDIT)
