"""Audit samples: what is counted of each."""

from collections.abc import Collection, Sequence

import msgspec
from msgspec import msgpack

from maskgate.protocol.audit import (
    NEWEST_SAMPLES,
    OTHER_SLICE,
    WINDOW_DAYS,
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
_TTL_MS = (_DAYS_MS, 49 * _HOUR_MS, _DAYS_MS, _DAYS_MS)


class _Sample(msgspec.Struct, omit_defaults=True, gc=False):
    cells: list[str]
    crop_id: str | None = None


class _Batch(msgspec.Struct, gc=False):
    """The argument of ``audit.lua``."""

    samples: list[_Sample]
    newest: int = NEWEST_SAMPLES
    ids_remembered: int = IDS_REMEMBERED
    ttl_ms: tuple[int, ...] = _TTL_MS


def audit_keys(model: str, now_ms: int) -> list[str]:
    """The keys of ``audit.lua`` for samples that are counted now, by Redis's clock."""
    return [
        audit_day_key(model, now_ms),
        audit_hour_key(model, now_ms),
        audit_newest_key(model),
        audit_seen_key(model),
    ]


def audit_argument(samples: Sequence[CropResult], slices: Collection[str]) -> bytes:
    """The argument of ``audit.lua``.

    A slice that is not among ``slices`` counts as ``other``: a sender can't invent any number.
    """
    return msgpack.encode(_Batch([_Sample(_cells(each, slices), each.crop_id) for each in samples]))


def _cells(sample: CropResult, slices: Collection[str]) -> list[str]:
    outcome = sample.outcome.value
    cell = f"{sample.label.value}.{outcome}" if sample.label else outcome
    if not sample.slice:
        return [cell]
    return [cell, f"{sample.slice if sample.slice in slices else OTHER_SLICE}:{cell}"]
