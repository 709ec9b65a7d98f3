"""The HTTP server: uvicorn with limits for clients that are slow on purpose."""

import asyncio
import logging
import socket
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from maskgate.protocol.errors import ConfigurationError

#: Within the 1,024 open files of a process; beyond, who has waited longest for nothing must go.
MAX_CONNECTIONS = 800
MAX_HEAD_BYTES = 16 * 1024
_KEEP_ALIVE_S = 5
_STOP_S = 5
#: The system ends a connection whose client takes nothing for so long.
_UNREAD_MS = 30_000


def bound(host: str, port: int) -> socket.socket:
    """The socket that the page listens on; port 0 is a free one.

    Raises:
        ConfigurationError: the address can't be used.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        made = socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        msg = f"MASKGATE_DESK_PORT: can't listen on {host}:{port}: {error.strerror}"
        raise ConfigurationError(msg) from None
    # Connections inherit both. asyncio sets the first only where the socket names its protocol;
    # without it, the body of a small page waits 40 ms for the client's acknowledgement.
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_MS)
    return made


def serve(app: ASGIApp, listening: socket.socket, *, head_timeout_s: float) -> None:
    """Serve until SIGTERM or SIGINT; open event streams end within half a second.

    ``head_timeout_s`` is from the connection, or from the first byte of a later request, to the end
    of its headers.
    A signal handler of the caller gets the signal afterwards.
    """
    # What uvicorn says in words the log says as data; sse-starlette's are for its developers.
    for name in ("uvicorn", "sse_starlette", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    uvicorn.Server(
        uvicorn.Config(
            app,
            http=_protocol(head_timeout_s),
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,  # desk/access/identity.py decides whom to believe
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_STOP_S,
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        )
    ).run(sockets=[listening])


def _protocol(head_timeout_s: float) -> type[H11Protocol]:
    return type("Protocol", (_Protocol,), {"head_timeout_s": head_timeout_s})


class _Protocol(H11Protocol):
    """uvicorn's, with a time limit for the head of a request and a limit of connections."""

    head_timeout_s: float

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait_for_head()
        if len(self.connections) > MAX_CONNECTIONS:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """Stop waiting if the head is complete; else go on, or begin with the next request."""
        super().data_received(data)
        if self._awaits_head():
            self._wait_for_head()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _awaits_head(self) -> bool:
        return self.conn.their_state is h11.IDLE and not self.transport.is_closing()

    def _wait_for_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_timeout_s, self._give_up)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._head_timer = None
        self.transport.abort()

    def _make_room(self) -> None:
        """Drop the connection that has waited longest without a whole request."""
        waiting = [
            each
            for each in self.connections
            if isinstance(each, _Protocol) and each._head_timer is not None  # noqa: SLF001
        ]
        if waiting:
            min(waiting, key=_due_s)._give_up()  # noqa: SLF001


def _due_s(protocol: _Protocol) -> float:
    timer = protocol._head_timer  # noqa: SLF001
    return timer.when() if timer else 0.0
