"""Asking a process to stop, and waiting without being deaf to it."""

import signal
import time

_SLICE_S = 0.05


class Stop:
    """A request to stop, made once: by SIGTERM or SIGINT, or by whoever runs the process in a thread."""

    def __init__(self) -> None:
        self.requested = False

    @classmethod
    def on_signals(cls) -> "Stop":
        """One that SIGTERM and SIGINT set. A plain flag: a handler may not take locks."""
        stop = cls()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.request())
        return stop

    def request(self) -> None:
        """Ask to stop."""
        self.requested = True

    def sleep(self, duration_s: float) -> None:
        """Wait, but no longer than until the request."""
        deadline = time.monotonic() + duration_s
        while not self.requested and (left_s := deadline - time.monotonic()) > 0:
            time.sleep(min(left_s, _SLICE_S))
