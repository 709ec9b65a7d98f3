"""The facts about crops to label, and the answers, in SQLite.

``secure_delete`` overwrites what is deleted with zeros, and the write-ahead log is emptied after a
deletion, so that no file keeps what was deleted.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from maskgate.protocol.errors import ConfigurationError

_VERSION = 1
_BUSY_S = 10.0
_SCHEMA = """
CREATE TABLE crops (
    crop_id TEXT PRIMARY KEY,
    camera_id TEXT NOT NULL,
    track_id TEXT NOT NULL,
    captured_at_ms INTEGER NOT NULL,
    p_mask REAL NOT NULL,
    outcome TEXT NOT NULL,
    model TEXT NOT NULL,
    why TEXT NOT NULL,
    inclusion_probability REAL NOT NULL,
    keep_until_ms INTEGER NOT NULL,
    received_at_ms INTEGER NOT NULL,
    -- How many labellers are asked, and how many of their answers are missing.
    asked INTEGER NOT NULL,
    missing INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX crops_open ON crops (received_at_ms, crop_id) WHERE missing > 0;
CREATE INDEX crops_by_end ON crops (keep_until_ms);
CREATE TABLE answers (
    number INTEGER PRIMARY KEY,
    crop_id TEXT NOT NULL REFERENCES crops ON DELETE CASCADE,
    labeller TEXT NOT NULL,
    answer TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    UNIQUE (crop_id, labeller)
) STRICT;
CREATE INDEX answers_by_labeller ON answers (labeller, number);
-- What was deleted while messages of it may still wait in the queue. Ids are digests.
CREATE TABLE tombstones (
    kind TEXT NOT NULL,
    digest TEXT NOT NULL,
    captured_until_ms INTEGER NOT NULL,
    forget_at_ms INTEGER NOT NULL,
    PRIMARY KEY (kind, digest)
) STRICT, WITHOUT ROWID;
"""


class Database:
    """One connection, which threads share in turn; other processes may have theirs."""

    def __init__(self, path: Path) -> None:
        """Open or make the file.

        Raises:
            ConfigurationError: it can't be opened, or another release wrote it.
        """
        self.path = path
        self._lock = threading.RLock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
            )
            path.chmod(0o600)
            self._prepare()
        except (OSError, sqlite3.Error) as error:
            msg = f"{path}: can't be used: {error}"
            raise ConfigurationError(msg) from None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All statements inside take effect together, or none if an exception leaves it.

        Raises:
            sqlite3.Error: the file can't be read or written.
        """
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """The rows of a query.

        Raises:
            sqlite3.Error: the file can't be read.
        """
        with self._lock:
            return self._connection.execute(query, parameters).fetchall()

    def empty_log(self) -> None:
        """Move the write-ahead log into the file and truncate it; waits for other readers.

        Raises:
            sqlite3.OperationalError: another process reads for too long.
        """
        deadline_s = time.monotonic() + _BUSY_S
        while True:
            with self._lock:
                (busy, _, _) = self._connection.execute(
                    "PRAGMA wal_checkpoint(TRUNCATE)"
                ).fetchone()
            if not busy:
                return
            if time.monotonic() > deadline_s:
                msg = f"{self.path}: another process reads it; its log still has what was deleted"
                raise sqlite3.OperationalError(msg)
            time.sleep(0.05)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def _prepare(self) -> None:
        connection = self._connection
        connection.row_factory = sqlite3.Row
        for pragma in ("journal_mode = WAL", "secure_delete = ON", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")
        with self.transaction():
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version == 0:
                for statement in _SCHEMA.split(";\n"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {_VERSION}")
            elif version != _VERSION:
                msg = f"has version {version}, and this release reads {_VERSION}"
                raise sqlite3.DatabaseError(msg)
