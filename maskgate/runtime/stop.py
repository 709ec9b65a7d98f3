"""A request to stop, and waits that end when it comes."""

import signal
import time

_SLICE_S = 0.05


class Stop:
    """A request to stop, set once: by SIGTERM or SIGINT, or by another thread."""

    def __init__(self) -> None:
        self.requested = False

    @classmethod
    def on_signals(cls) -> "Stop":
        """A request that SIGTERM and SIGINT set. A plain flag: signal handlers must not lock."""
        stop = cls()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.request())
        return stop

    def request(self) -> None:
        """Request the stop."""
        self.requested = True

    def sleep(self, duration_s: float) -> None:
        """Wait; return early if a stop is requested."""
        deadline = time.monotonic() + duration_s
        while not self.requested and (left_s := deadline - time.monotonic()) > 0:
            time.sleep(min(left_s, _SLICE_S))
