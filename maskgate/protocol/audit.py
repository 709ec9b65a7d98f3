"""Where the counts of audit samples are in Redis, for each model. All times are UTC.

A hash counts samples by cell: ``label.outcome``, for example ``mask.no_mask``; an unreadable sample
whose label is not known is ``unreadable``. ``slice:label.outcome`` counts one slice. A
hash of its own counts cameras, by ``camera:label.outcome``: workers read the others every few
seconds, and there may be many cameras.

A sample may have a weight: how many crops it stands for. ``cell~w`` adds up weight - 1 of the
samples in a cell, ``cell~w2`` weight² - 1: both are absent where every sample counts one. In the
list of the newest, the cell of a sample with a weight is ``cell~weight``.
"""

from datetime import UTC, datetime, timedelta

#: Days in the window ``30d``: today and the 29 days before.
WINDOW_DAYS = 30
#: Samples in the window ``newest``.
NEWEST_SAMPLES = 1000
#: Tagged samples whose slice is not reported by name.
OTHER_SLICE = "other"
#: Samples of cameras that are not reported by name. No camera can be called so.
OTHER_CAMERAS = "*"
#: The key of a sorted set: the models that have counts, by the time of their last sample.
AUDIT_MODELS_KEY = "audit:models"
#: What the weights of the samples in a cell add, and their squares: the ends of fields.
WEIGHT, SQUARE = "~w", "~w2"
#: A pattern of the keys below, for access rules.
AUDIT_KEYS = "audit:*"

_DAY_MS = 24 * 3600 * 1000


def audit_day_key(model: str, at_ms: int) -> str:
    """The key of the hash with the counts of a day, such as ``audit:{m}:day:2026-11-27``.

    The braces are literal, so that all keys of a model share a slot on a cluster.
    """
    return f"audit:{{{model}}}:day:{_at(at_ms):%Y-%m-%d}"


def audit_day_keys(model: str, now_ms: int) -> list[str]:
    """The keys of the last 30 days, today first."""
    return [audit_day_key(model, now_ms - back * _DAY_MS) for back in range(WINDOW_DAYS)]


def audit_cameras_key(model: str, at_ms: int) -> str:
    """The key of the hash with a day's counts by camera: ``audit:{m}:cameras:2026-11-27``."""
    return f"audit:{{{model}}}:cameras:{_at(at_ms):%Y-%m-%d}"


def audit_cameras_keys(model: str, now_ms: int) -> list[str]:
    """The keys of the last 30 days, today first."""
    return [audit_cameras_key(model, now_ms - back * _DAY_MS) for back in range(WINDOW_DAYS)]


def audit_hour_key(model: str, at_ms: int) -> str:
    """The key of the hash with the counts of an hour: ``audit:{m}:hour:2026-11-27T14``."""
    return f"audit:{{{model}}}:hour:{_at(at_ms):%Y-%m-%dT%H}"


def audit_newest_key(model: str) -> str:
    """The key of a list: the cells of the newest 1,000 samples, newest first, without slices."""
    return f"audit:{{{model}}}:newest"


def audit_seen_key(model: str) -> str:
    """The key of the crop ids of the audit samples counted so far, by time."""
    return f"audit:{{{model}}}:seen"


def _at(at_ms: int) -> datetime:
    # fromtimestamp() would round half-way cases; this is exact.
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
