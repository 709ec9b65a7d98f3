"""From results to calls of Redis functions: keys, and one MessagePack map with named values."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
from msgspec import msgpack

from maskgate.protocol import evidence
from maskgate.protocol.audit import AUDIT_MODELS_KEY
from maskgate.protocol.camera_state import (
    STATE_TTL_MS,
    STATE_WAKE_UP,
    SentState,
    camera_key,
    to_fields,
)
from maskgate.protocol.queue import QueueKind
from maskgate.protocol.verdict import (
    MAX_TRACKS,
    NO_CAMERA,
    history_key,
    track_key,
    tracks_key,
    verdict_key,
    visits_key,
)
from worker.result import CropResult
from worker.store.audit_counts import AuditNames, audit_argument, audit_keys, audit_model_argument

#: The history of a camera that was removed is deleted after a day.
HISTORY_TTL_MS = 24 * 3600 * 1000


class EvidenceSettings(msgspec.Struct, frozen=True):
    """How a track's evidence is computed; see ``maskgate/protocol/evidence.py``."""

    limit: float = evidence.LIMIT
    prior: float = evidence.PRIOR
    half_life_ms: int = evidence.HALF_LIFE_MS
    crops: int = evidence.CROPS


class StoreSettings(msgspec.Struct):
    """The same in every call but the history's length; see ``verdicts.lua``."""

    model: str
    ttl_ms: int
    max_skew_ms: int
    history_length: int
    history_ttl_ms: int = HISTORY_TTL_MS
    max_tracks: int = MAX_TRACKS
    evidence: EvidenceSettings = EvidenceSettings()


class FunctionCall(NamedTuple):
    """One call: the function's name, its keys, and its argument, a MessagePack map."""

    function: str
    keys: list[str]
    argument: bytes


class _State(msgspec.Struct, gc=False):
    """The argument of ``camera_state.lua``."""

    sent_at_ms: int
    max_skew_ms: int
    channel: str
    fields: list[str]
    ttl_ms: int = STATE_TTL_MS
    wake_up: str = STATE_WAKE_UP


class _VerdictBatch(msgspec.Struct, gc=False):
    """The argument of ``verdicts.lua``.

    The results are sent as they are, with three fields that the function ignores. To leave those
    out costs as much here as it saves in Redis. Field names cost Redis 0.7 to 1 us per crop,
    compared to values by position; the worker is not slower.
    """

    settings: StoreSettings
    #: Track id → position of its verdict in KEYS, from 1.
    track_keys: dict[str, int]
    crops: list[CropResult]


def function_calls(
    results: Sequence[CropResult],
    settings: StoreSettings,
    *,
    names: AuditNames,
    now_ms: int,
) -> Iterator[FunctionCall]:
    """One call per camera for live crops, and two for all audit samples.

    ``now_ms`` is Redis's time: it tells in which day and hour the samples are counted.
    """
    by_camera: dict[str, list[CropResult]] = defaultdict(list)
    samples: list[CropResult] = []
    for result in results:
        if result.queue is QueueKind.LIVE:
            by_camera[result.camera_id or NO_CAMERA].append(result)
        else:
            samples.append(result)
    names.saw(by_camera.keys())
    for camera_id, crops in by_camera.items():
        yield _verdict_call(camera_id, crops, settings)
    if samples:
        keys = audit_keys(settings.model, now_ms)
        yield FunctionCall("audit", keys, audit_argument(samples, names))
        model = audit_model_argument(settings.model)
        yield FunctionCall("audit_model", [AUDIT_MODELS_KEY], model)


def _verdict_call(camera_id: str, crops: list[CropResult], settings: StoreSettings) -> FunctionCall:
    keys = [
        verdict_key(camera_id),
        history_key(camera_id),
        tracks_key(camera_id),
        visits_key(camera_id),
    ]
    track_ids = {crop.track_id: None for crop in crops if crop.track_id and crop.has_verdict}
    track_keys = {track_id: position for position, track_id in enumerate(track_ids, len(keys) + 1)}
    keys += [track_key(camera_id, track_id) for track_id in track_keys]
    batch = _VerdictBatch(settings, track_keys, crops)
    return FunctionCall("verdicts", keys, msgpack.encode(batch))


def state_calls(states: Sequence[SentState], max_skew_ms: int) -> Iterator[FunctionCall]:
    """One call per camera, with its newest state: a sender of many costs no more than of one."""
    newest: dict[str, SentState] = {}
    for sent in states:
        known = newest.get(sent.camera_id)
        if known is None or sent.state.sent_at_ms > known.state.sent_at_ms:
            newest[sent.camera_id] = sent
    for camera_id, sent in newest.items():
        fields = [text for field in to_fields(sent.state).items() for text in field]
        state = _State(sent.state.sent_at_ms, max_skew_ms, history_key(camera_id), fields)
        yield FunctionCall("camera_state", [camera_key(camera_id)], msgpack.encode(state))
