"""What was deleted while messages of it may still wait in the queue.

A deleted crop or camera is kept as a digest, so that its id is in no file any more.
"""

import hashlib
from enum import StrEnum

from desk.labels.database import Database
from maskgate.protocol.review import ReviewCrop
from maskgate.runtime.clock import Clock

#: A message may wait in the queue for 24 h, by the policy of ``crops.review``. Twice that is
#: remembered, so that a deletion reaches what waits.
TOMBSTONE_MS = 48 * 3600 * 1000


class Scope(StrEnum):
    """What a deletion names."""

    CROP = "crop"
    CAMERA = "camera"
    AGE = "age"


class Tombstones:
    """Says of a crop that arrives whether it was deleted before."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def add(self, scope: Scope, value: str | int, captured_until_ms: int) -> None:
        """Have messages of this crop, camera or age dropped that wait in the queue now.

        Raises:
            sqlite3.Error: it can't be written.
        """
        digest = "" if scope is Scope.AGE else digest_of(str(value))
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO tombstones VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                "captured_until_ms = max(captured_until_ms, excluded.captured_until_ms), "
                "forget_at_ms = excluded.forget_at_ms",
                (scope.value, digest, captured_until_ms, self._clock() + TOMBSTONE_MS),
            )

    def forget(self) -> None:
        """Delete those that no message can need any more."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM tombstones WHERE forget_at_ms <= ?", (self._clock(),))

    def cover(self, crop: ReviewCrop) -> bool:
        """Whether this crop was deleted, alone, with its camera or by its age."""
        rows = self._database.rows(
            "SELECT 1 FROM tombstones WHERE captured_until_ms >= ? AND forget_at_ms > ? AND "
            "((kind = ? AND digest = ?) OR (kind = ? AND digest = ?) OR kind = ?) LIMIT 1",
            (
                crop.captured_at_ms,
                self._clock(),
                *(Scope.CROP, digest_of(crop.crop_id)),
                *(Scope.CAMERA, digest_of(crop.camera_id)),
                Scope.AGE,
            ),
        )
        return bool(rows)


def digest_of(name: str) -> str:
    """What a tombstone and the journal call a crop or a camera that is deleted."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]
