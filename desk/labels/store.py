"""The crops to label: facts in SQLite, pictures in encrypted files, each crop once."""

import random
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path

from desk.labels.database import Database
from desk.labels.key import Key
from desk.labels.pictures import Pictures
from desk.labels.tombstones import Scope, Tombstones
from maskgate.protocol.review import ReviewCrop
from maskgate.runtime.clock import Clock

_MANY = 500


class Intake(StrEnum):
    """What became of a crop that arrived."""

    STORED = "stored"
    KNOWN = "known"
    DELETED = "deleted"
    EXPIRED = "expired"


class LabelStore:
    """Crops and their pictures below one folder.

    ``twice`` is the share of crops that two labellers are asked about.
    """

    def __init__(
        self,
        folder: Path,
        key: Key,
        *,
        clock: Clock,
        twice: float = 0.2,
        rng: random.Random | None = None,
    ) -> None:
        """Open the store, and delete what an interrupted deletion left.

        Raises:
            ConfigurationError: a file can't be used.
        """
        self.folder = folder
        self.database = Database(folder / "labels.sqlite")
        self.tombstones = Tombstones(self.database, clock)
        self.pictures = Pictures(folder / "pictures", key)
        self.clock = clock
        self._twice = twice
        self._random = (rng or random.Random()).random

    def add(self, crop: ReviewCrop) -> Intake:
        """Store a crop that arrived. After it returns, the crop is on disk or is not wanted.

        Raises:
            OSError, sqlite3.Error: it can't be written.
        """
        now_ms = self.clock()
        if crop.keep_until_ms <= now_ms:
            return Intake.EXPIRED
        asked = 2 if self._random() < self._twice else 1
        with self.database.transaction() as connection:
            if self.tombstones.cover(crop):
                return Intake.DELETED
            if connection.execute(
                "SELECT 1 FROM crops WHERE crop_id = ?", (crop.crop_id,)
            ).fetchone():
                return Intake.KNOWN
            # The picture first: without its row, the next sweep deletes it.
            self.pictures.write(crop.crop_id, crop.body)
            fields = {
                **{name: getattr(crop, name) for name in _CROP_COLUMNS},
                "received_at_ms": now_ms,
                "asked": asked,
                "missing": asked,
            }
            connection.execute(
                f"INSERT INTO crops ({', '.join(fields)}) "  # noqa: S608  (our own names)
                f"VALUES ({', '.join('?' * len(fields))})",
                list(fields.values()),
            )
        return Intake.STORED

    def count(self) -> int:
        """How many crops are stored."""
        return int(self.database.rows("SELECT count(*) FROM crops")[0][0])

    def ids(self, scope: Scope, value: str | int) -> list[str]:
        """The stored crops of a crop id, of a camera, or captured until a time in ms."""
        where = {
            Scope.CROP: "crop_id = ?",
            Scope.CAMERA: "camera_id = ?",
            Scope.AGE: "captured_at_ms <= ?",
        }[scope]
        rows = self.database.rows(f"SELECT crop_id FROM crops WHERE {where}", (value,))  # noqa: S608
        return [row[0] for row in rows]

    def expired_ids(self) -> list[str]:
        """The stored crops whose retention is over."""
        rows = self.database.rows(
            "SELECT crop_id FROM crops WHERE keep_until_ms <= ?", (self.clock(),)
        )
        return [row[0] for row in rows]

    def remove(self, crop_ids: Sequence[str]) -> None:
        """Delete crops: facts, answers and pictures. Nothing of them stays in any file.

        Raises:
            OSError, sqlite3.Error: something could not be deleted; calling it again goes on.
        """
        for begin in range(0, len(crop_ids), _MANY):
            some = crop_ids[begin : begin + _MANY]
            with self.database.transaction() as connection:
                marks = ", ".join("?" * len(some))
                connection.execute(f"DELETE FROM crops WHERE crop_id IN ({marks})", some)  # noqa: S608
        self.pictures.delete(crop_ids)
        self.database.empty_log()

    def orphans(self) -> Iterable[str]:
        """Pictures without facts: of an intake or a deletion that was interrupted."""
        with self.database.transaction() as connection:  # no intake meanwhile
            known = {row[0] for row in connection.execute("SELECT crop_id FROM crops")}
            return [crop_id for crop_id in self.pictures.ids() if crop_id not in known]

    def close(self) -> None:
        """Close the database."""
        self.database.close()


_NOT_COLUMNS = ("body", "content_type")
_CROP_COLUMNS = [name for name in ReviewCrop.__struct_fields__ if name not in _NOT_COLUMNS]
