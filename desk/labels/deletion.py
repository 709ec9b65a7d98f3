"""Deletion of crops from everywhere: the store, its pictures, the exports, and what waits.

What waits in the queue can't be picked out of it. It is dropped when it arrives: a tombstone says
what was deleted, as a digest, for longer than a message can wait.
"""

import re
from dataclasses import dataclass

from desk.labels import exports
from desk.labels.store import LabelStore
from desk.labels.tombstones import Scope
from maskgate.protocol.crop import MAX_TIME_MS, is_crop_id, is_id
from maskgate.protocol.errors import ConfigurationError

EXPORTS = "exports"
_DAY_MS = 24 * 3600 * 1000
#: A camera's clock may be ahead of this one.
_SKEW_MS = 60_000
_DAYS = re.compile(r"[0-9]{1,4}")


@dataclass(frozen=True, slots=True)
class Deleted:
    """How many crops were deleted from the store, and files from exports."""

    crops: int
    exported: int


def delete(store: LabelStore, scope: Scope, value: str) -> Deleted:
    """Delete a crop by its id, all of a camera, or all captured so many days ago or more.

    Deleted crops of a camera are those captured until now; later ones are stored again, unless
    workers stop sending them (``MASKGATE_REVIEW_FILE``).

    Raises:
        ConfigurationError: as :func:`check`.
        OSError, sqlite3.Error: something could not be deleted; run it again.
    """
    check(scope, value)
    wanted, until_ms = _meant(store, scope, value)
    store.tombstones.add(scope, wanted, until_ms)
    return _remove(store, store.ids(scope, wanted))


def sweep(store: LabelStore) -> Deleted:
    """Delete the crops whose retention is over, and what an interrupted deletion left.

    Raises:
        OSError, sqlite3.Error: something could not be deleted; run it again.
    """
    store.tombstones.forget()
    store.pictures.delete(store.orphans())
    return _remove(store, store.expired_ids())


def _remove(store: LabelStore, crop_ids: list[str]) -> Deleted:
    if not crop_ids:
        return Deleted(0, 0)
    # The store last: if the exports can't be cleaned, another run finds the crops again. And once
    # more, for an export that was being written.
    folder = store.folder / EXPORTS
    exported = exports.forget(folder, crop_ids)
    store.remove(crop_ids)
    return Deleted(len(crop_ids), exported + exports.forget(folder, crop_ids))


def check(scope: Scope, value: str) -> None:
    """Check what a person wants to delete.

    Raises:
        ConfigurationError: the value is no crop id, camera id or number of days.
    """
    is_good = {Scope.CROP: is_crop_id, Scope.CAMERA: is_id, Scope.AGE: _is_days}[scope]
    if not is_good(value):
        what = {Scope.CROP: "crop id", Scope.CAMERA: "camera id", Scope.AGE: "number of days"}
        msg = f"delete by {scope}: {value[:80]!r} is no {what[scope]}"
        raise ConfigurationError(msg)


def _is_days(value: str) -> bool:
    return _DAYS.fullmatch(value) is not None


def _meant(store: LabelStore, scope: Scope, value: str) -> tuple[str | int, int]:
    """What to look for, and until which capture time crops are deleted."""
    now_ms = store.clock()
    if scope is Scope.AGE:
        until_ms = now_ms - int(value) * _DAY_MS
        return until_ms, until_ms
    return value, MAX_TIME_MS - 1 if scope is Scope.CROP else now_ms + _SKEW_MS
