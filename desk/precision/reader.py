"""Reads what the page shows of a model's precision: by window, day, slice, camera and model."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from redis import Redis

from maskgate.audit.counts import read_camera_counts, read_counts, read_models
from maskgate.audit.report import AuditReport, report, slices
from maskgate.protocol.audit import OTHER_CAMERAS
from maskgate.runtime.store import store_errors

#: Models whose figures stand side by side: the newest ones.
_MODELS = 5


@dataclass(frozen=True, slots=True)
class Named:
    """The measures of a part of the samples: a window, a slice, a camera, a model or a day."""

    name: str
    report: AuditReport


@dataclass(frozen=True, slots=True)
class Precision:
    """What is known of one model. Slices, cameras and models are of the last 30 days."""

    model: str
    models: Sequence[Named]
    windows: Sequence[Named]
    #: Oldest first; also days without samples.
    days: Sequence[Named]
    slices: Sequence[Named]
    cameras: Sequence[Named]


def read_precision(client: Redis, model: str | None, now_ms: int) -> Precision | None:
    """The figures of a model, or of the one with the newest sample; None if there is none.

    Raises:
        StoreError: Redis does not answer or refuses.
    """
    with store_errors():
        models = read_models(client)
        if model is None or model not in models:
            if not models:
                return None
            model = models[0]
        counts = read_counts(client, model, now_ms)
        by_camera = read_camera_counts(client, model, now_ms)
        others = {
            other: read_counts(client, other, now_ms).windows["30d"]
            for other in models[:_MODELS]
            if other != model
        }
    windows = counts.windows
    by_model = {model: windows["30d"], **others}
    today = datetime.fromtimestamp(now_ms / 1000, UTC).date()
    return Precision(
        model,
        [Named(name, report(by_model[name])) for name in models[:_MODELS] if name in by_model],
        [Named(name, report(each)) for name, each in windows.items()],
        [
            Named(_day(today, back), report(day))
            for back, day in reversed(list(enumerate(counts.days)))
        ],
        [Named(name, report(windows["30d"], name)) for name in slices(windows["30d"])],
        [Named(_camera(name), report(by_camera, name)) for name in slices(by_camera)],
    )


def _day(today: date, back: int) -> str:
    return (today - timedelta(days=back)).isoformat()


def _camera(name: str) -> str:
    return "other cameras" if name == OTHER_CAMERAS else name
