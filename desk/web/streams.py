"""Server-sent events: few at the same time, for as long as their session holds."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from desk.access.requires import signed_in
from desk.access.sessions import Sessions

#: Open streams in all, and of one session: a browser has one for each tab.
MOST, MOST_OF_ONE = 100, 10
_PING_S = 15
#: A client that does not read for so long is dropped.
_SEND_TIMEOUT_S = 10.0


class Streams:
    """Counts the open streams. All of it runs in the server's event loop."""

    def __init__(
        self, sessions: Sessions, most: int = MOST, most_of_one: int = MOST_OF_ONE
    ) -> None:
        self._sessions, self._most, self._most_of_one = sessions, most, most_of_one
        self._open: Counter[bytes] = Counter()

    def response(
        self, request: Request, events: AsyncIterator[ServerSentEvent | None]
    ) -> EventSourceResponse:
        """The answer with a stream of events, for a handler that requires a role.

        ``events`` yields None now and then when nothing happens: then the session is looked at.
        The stream ends with the session.
        """
        key = signed_in(request).session.key
        return _Limited(self._while_signed_in(key, events), self, key)

    @contextmanager
    def slot(self, key: bytes) -> Iterator[bool]:
        """Room for one more stream of a session; False if there is none."""
        if self._open.total() >= self._most or self._open[key] >= self._most_of_one:
            yield False
            return
        self._open[key] += 1
        try:
            yield True
        finally:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]

    async def _while_signed_in(
        self, key: bytes, events: AsyncIterator[ServerSentEvent | None]
    ) -> AsyncIterator[ServerSentEvent]:
        async for event in events:
            if self._sessions.still(key) is None:
                return
            if event is not None:
                yield event


class _Limited(EventSourceResponse):
    """A stream that starts only if there is room."""

    def __init__(
        self, events: AsyncIterator[ServerSentEvent], streams: Streams, key: bytes
    ) -> None:
        super().__init__(events, ping=_PING_S, send_timeout=_SEND_TIMEOUT_S, sep="\n")
        self._streams, self._key = streams, key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events, or say that there is no room."""
        with self._streams.slot(self._key) as has_room:
            if has_room:
                await super().__call__(scope, receive, send)
                return
        full = PlainTextResponse("too many open event streams: close a tab\n", 503)
        full.headers["Retry-After"] = "30"
        await full(scope, receive, send)


def streams_of(request: Request) -> Streams:
    """The streams of the application."""
    streams: Streams = request.app.state.streams
    return streams
