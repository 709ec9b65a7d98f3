"""Sends images as a camera does, with crop ids, tracks, time stamps and audit samples."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from maskgate.protocol.crop import Crop, Message, new_crop_id, to_message
from maskgate.protocol.queue import CropPublisher, QueueKind
from maskgate.runtime.clock import Clock
from maskgate.runtime.stop import Stop
from producer.images import Image
from producer.traces import CropTraces

#: Without a rate, the producer pauses for this time after a refusal: the queue is full.
_REFUSED_PAUSE_S = 0.02


@dataclass(frozen=True, slots=True)
class Plan:
    """How a camera sends. ``rate`` is in crops per second; None: as fast as they are accepted."""

    camera_id: str
    rate: float | None = None
    limit: int | None = None
    track_length: int = 1
    audit_every: int = 50


def play(
    images: Iterator[Image],
    audit: Iterator[Image] | None,
    outlet: CropPublisher,
    plan: Plan,
    *,
    stop: Stop,
    clock: Clock,
    progress: Callable[[], None] = lambda: None,
    traces: CropTraces | None = None,
) -> None:
    """Send images until they end, the limit is reached or a stop is requested.

    Live crops carry no labels, even if the images have some.
    """
    begun_s = time.monotonic()
    traces = traces or CropTraces()
    track_id = ""
    for sent, image in enumerate(images):
        if stop.requested or (plan.limit is not None and sent >= plan.limit):
            break
        if plan.rate is not None:
            _rest_until(begun_s + sent / plan.rate, outlet, stop)
        crop_id = new_crop_id()
        if sent % plan.track_length == 0:
            track_id = crop_id
        refused_before = outlet.live.refused
        crop = Crop(crop_id, plan.camera_id, track_id, clock(), image.content_type, image.body)
        outlet.publish(to_message(traces.begin(crop)))
        if (
            audit is not None
            and sent % plan.audit_every == plan.audit_every - 1
            and (sample := next(audit, None))
        ):
            outlet.publish(to_sample(sample, plan.camera_id, clock()), QueueKind.AUDIT)
        progress()
        if plan.rate is None and outlet.live.refused > refused_before:
            outlet.rest(_REFUSED_PAUSE_S)


def to_sample(image: Image, camera_id: str, captured_at_ms: int) -> Message:
    """The message that carries a labelled picture as an audit sample."""
    crop_id = image.crop_id or new_crop_id()
    return to_message(
        Crop(
            crop_id,
            image.camera or camera_id,
            crop_id,
            captured_at_ms,
            image.content_type,
            image.body,
            label=image.label,
            slice=image.slice,
            weight=image.weight,
        )
    )


def _rest_until(due_s: float, outlet: CropPublisher, stop: Stop) -> None:
    while not stop.requested and (left_s := due_s - time.monotonic()) > 0:
        outlet.rest(min(left_s, 0.2))
