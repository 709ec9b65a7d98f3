"""Who is asked about which crop, and what their answers make of it.

A labeller sees no crop twice, and neither the model's verdict nor another's answer. Crops come in
the order of arrival, whatever the model said about them: then the labelled ones still stand for
all. A share of them is shown to two labellers. A crop on which two differ gets no label.
"""

import threading
import time
from dataclasses import dataclass

from desk.labels.database import Database
from desk.labels.outcomes import Answer, Outcomes, read_outcomes, read_settled
from maskgate.runtime.clock import Clock

#: For so long a crop that is shown to one labeller is not shown to another.
_SHOWN_S = 120.0
#: At 18,000 answers, counting them takes 25 ms.
_KEPT_S = 5.0


@dataclass(frozen=True, slots=True)
class Progress:
    """``open`` crops wait for an answer of this labeller, who has given ``own`` answers."""

    open: int
    own: int


_OPEN = (
    "FROM crops WHERE missing > 0 AND keep_until_ms > ? AND NOT EXISTS "
    "(SELECT 1 FROM answers a WHERE a.crop_id = crops.crop_id AND a.labeller = ?)"
)


class Labelling:
    """Asks labellers and keeps their answers. ``labeller`` is a name that signed in."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._shown: dict[str, tuple[str, float]] = {}
        self._outcomes: tuple[float, Outcomes] | None = None
        self._lock = threading.Lock()

    def next(self, labeller: str) -> str | None:
        """The id of the crop to show; the same one until it is answered. None: nothing to do."""
        with self._lock:
            now_s = time.monotonic()
            self._shown = {
                crop_id: (name, until_s)
                for crop_id, (name, until_s) in self._shown.items()
                if until_s > now_s
            }
            others = {crop_id for crop_id, (name, _) in self._shown.items() if name != labeller}
            rows = self._database.rows(
                f"SELECT crop_id {_OPEN} ORDER BY received_at_ms, crop_id LIMIT ?",
                (self._clock(), labeller, len(others) + 1),
            )
            crop_id = next((row[0] for row in rows if row[0] not in others), None)
            if crop_id is not None:
                self._shown[crop_id] = labeller, now_s + _SHOWN_S
            return crop_id

    def may_answer(self, crop_id: str, labeller: str) -> bool:
        """Whether a crop is there that this labeller has not answered."""
        return bool(
            self._database.rows(
                "SELECT 1 FROM crops WHERE crop_id = ? AND keep_until_ms > ? AND NOT EXISTS "
                "(SELECT 1 FROM answers a WHERE a.crop_id = crops.crop_id AND a.labeller = ?)",
                (crop_id, self._clock(), labeller),
            )
        )

    def answer(self, crop_id: str, labeller: str, answer: Answer) -> bool:
        """Keep an answer; False if the crop is gone or this labeller has answered it before.

        Raises:
            sqlite3.Error: it can't be written.
        """
        with self._database.transaction() as connection:
            if not self.may_answer(crop_id, labeller):
                return False
            connection.execute(
                "INSERT INTO answers (crop_id, labeller, answer, at_ms) VALUES (?, ?, ?, ?)",
                (crop_id, labeller, answer.value, self._clock()),
            )
            connection.execute(_COUNT_MISSING, (crop_id,))
        with self._lock:
            self._shown.pop(crop_id, None)
        return True

    def undo(self, labeller: str) -> str | None:
        """Take back this labeller's last answer; returns its crop, or None if there is none.

        Raises:
            sqlite3.Error: it can't be written.
        """
        with self._database.transaction() as connection:
            last = connection.execute(
                "SELECT crop_id FROM answers WHERE labeller = ? ORDER BY number DESC LIMIT 1",
                (labeller,),
            ).fetchone()
            if last is None:
                return None
            connection.execute(
                "DELETE FROM answers WHERE crop_id = ? AND labeller = ?", (last[0], labeller)
            )
            connection.execute(_COUNT_MISSING, (last[0],))
        with self._lock:
            self._shown[last[0]] = labeller, time.monotonic() + _SHOWN_S
        return str(last[0])

    def progress(self, labeller: str) -> Progress:
        """How much this labeller has done, and how much waits."""
        waiting = self._database.rows(f"SELECT count(*) {_OPEN}", (self._clock(), labeller))
        own = self._database.rows("SELECT count(*) FROM answers WHERE labeller = ?", (labeller,))
        return Progress(int(waiting[0][0]), int(own[0][0]))

    def settled(self) -> dict[str, Answer]:
        """Crop id → label, of the crops that have all answers, which agree and can be used."""
        return read_settled(self._database)

    def outcomes(self) -> Outcomes:
        """What all answers together say; kept for five seconds, for every page shows it."""
        with self._lock:
            if self._outcomes is None or time.monotonic() > self._outcomes[0]:
                self._outcomes = time.monotonic() + _KEPT_S, read_outcomes(self._database)
            return self._outcomes[1]


_COUNT_MISSING = (
    "UPDATE crops SET missing = max(0, asked - (SELECT count(*) FROM answers a "
    "WHERE a.crop_id = crops.crop_id)) WHERE crop_id = ?"
)
