"""Audit samples: what is counted of each."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

import msgspec
from msgspec import msgpack

from maskgate.protocol.audit import (
    NEWEST_SAMPLES,
    OTHER_CAMERAS,
    OTHER_SLICE,
    WINDOW_DAYS,
    audit_cameras_key,
    audit_day_key,
    audit_hour_key,
    audit_newest_key,
    audit_seen_key,
)
from worker.result import CropResult

#: Redeliveries come within seconds; this many crop ids cover days of audit samples.
IDS_REMEMBERED = 100_000
_HOUR_MS = 3600 * 1000
_DAYS_MS = (WINDOW_DAYS + 1) * 24 * _HOUR_MS
#: In the order of :func:`audit_keys`. An hour can be read for 48 hours after it ended.
_TTL_MS = (_DAYS_MS, 49 * _HOUR_MS, _DAYS_MS, _DAYS_MS, _DAYS_MS)
#: Models whose counts can be found.
_MODELS = 100
#: Cameras that are counted by name.
MAX_CAMERAS = 1000


@dataclass(slots=True)
class AuditNames:
    """The slices and cameras that are counted by name; the others are counted together.

    A sender of audit samples can invent neither. Slices are configured. Cameras are those of which
    this worker saw a live crop: the broker vouches for their names.
    """

    slices: Collection[str] = ()
    cameras: set[str] = field(default_factory=set)

    def saw(self, cameras: Iterable[str]) -> None:
        """Record cameras of live crops."""
        if not self.cameras.issuperset(cameras):
            new = set(cameras) - self.cameras
            self.cameras.update(list(new)[: MAX_CAMERAS - len(self.cameras)])


class _Sample(msgspec.Struct, omit_defaults=True, gc=False):
    cells: list[str]
    crop_id: str | None = None
    camera_cell: str | None = None
    weight: float | None = None


class _Batch(msgspec.Struct, gc=False):
    """The argument of ``audit.lua``."""

    samples: list[_Sample]
    newest: int = NEWEST_SAMPLES
    ids_remembered: int = IDS_REMEMBERED
    ttl_ms: tuple[int, ...] = _TTL_MS


class _Model(msgspec.Struct, gc=False):
    """The argument of ``audit_model.lua``."""

    model: str
    models: int = _MODELS
    ttl_ms: int = _DAYS_MS


def audit_keys(model: str, now_ms: int) -> list[str]:
    """The keys of ``audit.lua`` for samples that are counted now, by Redis's clock."""
    return [
        audit_day_key(model, now_ms),
        audit_hour_key(model, now_ms),
        audit_newest_key(model),
        audit_seen_key(model),
        audit_cameras_key(model, now_ms),
    ]


def audit_argument(samples: Sequence[CropResult], names: AuditNames) -> bytes:
    """The argument of ``audit.lua``."""
    return msgpack.encode(_Batch([_sample(each, names) for each in samples]))


def audit_model_argument(model: str) -> bytes:
    """The argument of ``audit_model.lua``."""
    return msgpack.encode(_Model(model))


def _sample(sample: CropResult, names: AuditNames) -> _Sample:
    outcome = sample.outcome.value
    cell = f"{sample.label.value}.{outcome}" if sample.label else outcome
    cells, camera = [cell], sample.camera_id
    if sample.slice:
        cells.append(f"{sample.slice if sample.slice in names.slices else OTHER_SLICE}:{cell}")
    known = camera if camera in names.cameras else OTHER_CAMERAS
    return _Sample(cells, sample.crop_id, f"{known}:{cell}" if camera else None, sample.weight)
