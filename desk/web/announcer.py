"""Tells event streams, from any thread, that there is something new to send."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class News:
    """What one stream waits for."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    async def wait(self, timeout_s: float) -> bool:
        """Whether something was announced since the last wait, at the latest after the timeout."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._event.wait()
        was_set = self._event.is_set()
        self._event.clear()
        return was_set

    def wake(self) -> None:
        """Something is new."""
        with suppress(RuntimeError):  # the loop has ended, and with it the stream
            self._loop.call_soon_threadsafe(self._event.set)


class Announcer:
    """Wakes every stream that follows it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._followers: set[News] = set()

    @contextmanager
    def followed(self) -> Iterator[News]:
        """Used by a stream; look at what there is after each wait, and once before."""
        news = News()
        with self._lock:
            self._followers.add(news)
        try:
            yield news
        finally:
            with self._lock:
                self._followers.discard(news)

    def announce(self) -> None:
        """Something is new."""
        with self._lock:
            followers = list(self._followers)
        for news in followers:
            news.wake()
