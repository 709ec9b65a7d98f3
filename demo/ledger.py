"""Counts the results of a demo from the history, independently of the workers."""

from collections import Counter
from contextlib import suppress

from maskgate.gate.client import Gate
from maskgate.protocol.errors import StoreError
from maskgate.protocol.verdict import HistoryEntry, Outcome


class Ledger:
    """Reads from the history how each crop ended. Repeated crop ids count once."""

    def __init__(self, camera: str) -> None:
        self._camera = camera
        self.entries: dict[str, HistoryEntry] = {}

    def read(self, url: str) -> None:
        """Read until Valkey stops."""
        # The end of the demo stops Valkey, and this with it.
        with suppress(StoreError), Gate(url, timeout_s=5) as gate:
            for entry in gate.follow(self._camera, since="0"):
                if isinstance(entry, HistoryEntry):
                    self.entries.setdefault(entry.crop_id, entry)

    def outcomes(self) -> Counter[Outcome]:
        """How many crops ended with each outcome."""
        return Counter(entry.outcome for entry in list(self.entries.values()))

    def latencies_ms(self) -> list[int]:
        """Milliseconds from capture to decision, of each classified crop."""
        return [
            entry.decided_at_ms - entry.captured_at_ms
            for entry in list(self.entries.values())
            if entry.p_mask is not None and entry.captured_at_ms is not None
        ]
