"""The verdict: what a door reads from Redis, and under which keys."""

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

import msgspec

from maskgate.protocol.errors import MaskgateError
from maskgate.protocol.evidence import bounded_log_odds

#: Every worker sets this key, with an expiry. Without it, no worker is running.
ALIVE_KEY = "worker:alive"
ATTEMPTS_KEYS = "worker:attempts:*"
#: The wake-up channels of all cameras.
CHANNEL_PATTERN = "verdicts:*"
#: How long a verdict stands after its crop was captured, unless the workers are configured
#: otherwise; also what a hash without ``ttl_ms`` means.
DEFAULT_TTL_MS = 3000
#: No worker may be configured for more, and no door believes more.
MAX_TTL_MS = 600_000
#: How many tracks of a camera workers remember: more than stand in front of any door. A sender that
#: invents tracks gains nothing.
MAX_TRACKS = 32
#: Not a valid camera id. Results of crops whose camera is unknown are kept under it.
NO_CAMERA = "?"


class Outcome(StrEnum):
    """What became of a crop."""

    MASK = "mask"
    NO_MASK = "no_mask"
    UNCERTAIN = "uncertain"
    UNREADABLE = "unreadable"
    EXPIRED = "expired"


class BadVerdictError(MaskgateError):
    """A value in Redis is not a verdict."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The hash at ``verdict:{camera}`` and ``verdict:{camera}:TRACK``.

    Times are milliseconds since the epoch: captured by the camera's clock, decided by Redis's.
    """

    crop_id: str
    track_id: str
    outcome: Outcome
    p_mask: float
    captured_at_ms: int = msgspec.field(name="captured_at")
    decided_at_ms: int = msgspec.field(name="decided_at")
    model: str
    #: How many of the track's latest crops are counted, and how many of them had this outcome.
    crops: int
    agreeing: int
    #: The verdict stands until ``captured_at + ttl_ms``.
    ttl_ms: int = DEFAULT_TTL_MS
    #: Mean log-odds of a mask over these crops; see ``maskgate/protocol/evidence.py``. Absent in
    #: what another program wrote: then the crop speaks for itself.
    evidence: float | None = None

    @property
    def log_odds(self) -> float:
        """What the crops say together: positive for a mask, negative for a bare face."""
        return bounded_log_odds(self.p_mask) if self.evidence is None else self.evidence


class HistoryEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An entry of the stream ``verdicts:{camera}``: what became of one crop.

    In Redis, a value that is not known is an empty text.
    """

    crop_id: str
    track_id: str
    outcome: Outcome
    p_mask: float | None = None
    captured_at_ms: int | None = msgspec.field(name="captured_at", default=None)
    decided_at_ms: int = msgspec.field(name="decided_at")
    model: str
    reason: str = ""


def verdict_key(camera_id: str) -> str:
    """The key of a camera's latest verdict.

    The braces are literal: a hash tag, so that all keys of a door share a slot on a cluster.
    """
    return f"verdict:{{{camera_id}}}"


def track_key(camera_id: str, track_id: str) -> str:
    """The key of the latest verdict of one track of a camera."""
    return f"verdict:{{{camera_id}}}:{track_id}"


def tracks_key(camera_id: str) -> str:
    """The key of what workers remember of a camera's live tracks; no door reads it."""
    return f"tracks:{{{camera_id}}}"


def visits_key(camera_id: str) -> str:
    """The key of the index of a camera's live tracks: a sorted set.

    A member is a track id, its score the capture time of the track's first crop in milliseconds.
    """
    return f"visits:{{{camera_id}}}"


def history_key(camera_id: str) -> str:
    """The key of the stream of all results, and the name of the wake-up channel."""
    return f"verdicts:{{{camera_id}}}"


def camera_of_channel(channel: str) -> str:
    """The camera id in the name of a wake-up channel."""
    return channel.removeprefix("verdicts:{").removesuffix("}")


def attempts_key(crop_id: str) -> str:
    """Key that counts how often workers began to process a crop that was delivered before."""
    return ATTEMPTS_KEYS.replace("*", crop_id)


def parse_verdict(fields: Mapping[str, str]) -> Verdict | None:
    """Read a verdict's hash; None if the key does not exist.

    Raises:
        BadVerdictError: the hash is something else.
    """
    if not fields:
        return None
    verdict = _convert(fields, Verdict)
    is_sound = (
        verdict.outcome in (Outcome.MASK, Outcome.NO_MASK, Outcome.UNCERTAIN)
        and 0 <= verdict.p_mask <= 1  # false for NaN
        and 1 <= verdict.agreeing <= verdict.crops
        and math.isfinite(verdict.log_odds)
        and 1 <= verdict.ttl_ms <= MAX_TTL_MS
    )
    if not is_sound:
        msg = (
            f"not a verdict: outcome {verdict.outcome}, p_mask {verdict.p_mask}, "
            f"{verdict.agreeing} of {verdict.crops} agreeing, evidence {verdict.evidence}, "
            f"ttl_ms {verdict.ttl_ms}"
        )
        raise BadVerdictError(msg)
    return verdict


def parse_history_entry(fields: Mapping[str, str]) -> HistoryEntry:
    """Read an entry of the history stream.

    Raises:
        BadVerdictError: the entry is something else.
    """
    return _convert({name: value for name, value in fields.items() if value}, HistoryEntry)


StructT = TypeVar("StructT", bound=msgspec.Struct)


def _convert(fields: Mapping[str, str], kind: type[StructT]) -> StructT:
    try:
        return msgspec.convert(fields, kind, strict=False)
    except msgspec.ValidationError as error:
        msg = f"not a {kind.__name__}: {error}"
        raise BadVerdictError(msg) from None


#: Patterns of the keys above, for access rules. :data:`CHANNEL_PATTERN` also covers the histories.
VERDICT_KEYS = "verdict:*"
HISTORY_KEYS = CHANNEL_PATTERN
TRACKS_KEYS = "tracks:*"
VISITS_KEYS = "visits:*"
