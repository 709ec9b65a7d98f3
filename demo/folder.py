"""Crops of a folder, without a camera: as many a second as the demo is told to send."""

import threading
from pathlib import Path

from rich.console import Console

from demo import page
from demo.broker import InProcessPublisher
from demo.display import show_decisions, show_totals
from demo.installation import CAMERA, installed
from maskgate.inference.model import Model
from maskgate.protocol.errors import MaskgateError
from maskgate.runtime.clock import now_ms
from maskgate.runtime.stop import Stop
from producer.camera import Plan, play
from producer.images import FolderImages, audit_files, image_files, repeated

_AUDIT_EVERY = 20


def run(images: Path, model: Model, console: Console, *, seconds: float, rate: float) -> bool:
    """Send the pictures of a folder for some seconds; returns whether the totals add up."""
    source = FolderImages(image_files(images), model.card.input, as_is=True)
    audit = _audit(images, model)
    console.print(
        f"model {model.card.name}, two workers, camera {CAMERA!r}, "
        f"{rate:g} crops/s for {seconds:g} s"
    )
    with installed(model) as installation, page.served(installation.url, CAMERA) as address:
        console.print(f"page      {address}", highlight=False)
        publisher, stop = InProcessPublisher(installation.broker), Stop()
        # Nobody knows who is on its pictures: the camera of a folder does not track.
        plan = Plan(CAMERA, rate=rate, audit_every=_AUDIT_EVERY)
        camera = threading.Thread(
            target=play,
            args=(
                repeated(source, loop=True),
                # Each sample once: the intervals hold for samples that are independent.
                repeated(audit, loop=False) if audit else None,
                publisher,
                plan,
            ),
            kwargs={"stop": stop, "clock": now_ms},
        )
        camera.start()
        show_decisions(installation.url, CAMERA, seconds, installation.ledger, console)
        stop.request()
        camera.join()
        installation.drain(publisher.live.accepted)
        return show_totals(
            console,
            publisher.live,
            publisher.audit,
            ledger=installation.ledger,
            audit=installation.audit(),
            seconds=seconds,
        )


def _audit(images: Path, model: Model) -> FolderImages | None:
    try:
        return FolderImages(audit_files(images), model.card.input, as_is=True)
    except MaskgateError:
        return None  # without labels there are no audit samples
