"""What the worker needs Redis for."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from maskgate.protocol.camera_state import SentState
from worker.result import CropResult
from worker.store.redis_clock import ClockReading


class VerdictStore(Protocol):
    """Where results are written. Not thread-safe: one thread owns it."""

    def writing(
        self, results: Sequence[CropResult], states: Sequence[SentState] = ()
    ) -> AbstractContextManager[None]:
        """Send all results and camera states on entry and wait for the answers on exit.

        The body of the ``with`` runs while the store works. After it, doors can read every verdict,
        and the newest state of each camera.

        Raises:
            StoreError: one of them may not be written. It is safe to write all of them again.
        """

    def attempt(self, crop_id: str) -> int:
        """Count one more attempt to process a crop; returns how many there were, with this one.

        Raises:
            StoreError: no answer.
        """

    def heartbeat(self) -> ClockReading:
        """Set the key that tells doors that a worker is running, and read the store's clock.

        Raises:
            StoreError: no answer.
        """

    def audit_counts(self) -> Mapping[str, Mapping[str, float]]:
        """By window, the counts of audit samples over all workers: ``maskgate.audit.report``.

        Raises:
            StoreError: no answer.
        """
