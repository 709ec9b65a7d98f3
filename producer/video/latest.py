"""Hands the newest picture from the thread that decodes to the one that works on it."""

import threading
import time

from producer.video.stream import Picture


class Latest:
    """Holds one picture; a newer one replaces it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._picture: Picture | None = None
        self._over = False

    @property
    def is_empty_for_good(self) -> bool:
        """Whether everything was taken and nothing will follow."""
        with self._changed:
            return self._over and self._picture is None

    def put(self, picture: Picture) -> None:
        """Replace the picture by a newer one."""
        with self._changed:
            self._picture = picture
            self._changed.notify_all()

    def end(self, *, discard: bool = False) -> None:
        """Nothing will follow; ``discard``: what is here is not wanted either."""
        with self._changed:
            self._over = True
            if discard:
                self._picture = None
            self._changed.notify_all()

    def wait(self, *, not_before_s: float, until_s: float) -> bool:
        """Whether there is a picture, at ``not_before_s`` or later; False at ``until_s``.

        Both are times of ``time.monotonic``. False at once if it is over.
        """
        with self._changed:
            while True:
                now_s = time.monotonic()
                if self._over and self._picture is None:
                    return False
                if self._picture is not None and now_s >= not_before_s:
                    return True
                if now_s >= until_s:
                    return False
                wake_s = until_s if self._picture is None else min(until_s, not_before_s)
                self._changed.wait(wake_s - now_s)

    def take(self) -> Picture | None:
        """The newest picture, if it was not taken yet."""
        with self._changed:
            taken, self._picture = self._picture, None
            return taken
