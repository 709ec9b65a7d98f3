"""Redis connections from the settings, and the errors of the Redis driver."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis
from redis.connection import SSLConnection
from redis.exceptions import DataError, RedisError

from maskgate.protocol.errors import ConfigurationError, StoreError
from maskgate.runtime.check import server_lines
from maskgate.runtime.server_url import must_not_override
from maskgate.runtime.settings import RedisSettings
from maskgate.runtime.tls import NO_FILES, TlsFiles, client_context
from maskgate.runtime.tls_trouble import with_likely_cause

CONNECT_TIMEOUT_S = 1.0
#: A unix:// URL has no other place for the number of the database.
_URL_OPTIONS = frozenset({"db"})


def connect(
    url: str, password: str | None, *, name: str, timeout_s: float, tls: TlsFiles = NO_FILES
) -> Redis:
    """A client that answers or fails within its timeout, without redis-py's ten retries.

    It connects at the first command.

    Raises:
        ConfigurationError: the URL is not redis://, rediss:// or unix://, it holds options or a
            second password, or the TLS files can't be used. The message does not repeat the URL,
            which may hold a password.
    """
    options: dict[str, Any] = {} if password is None else {"password": password}
    try:
        context = client_context(url, tls, setting="MASKGATE_REDIS")
        must_not_override(url, password, setting="MASKGATE_REDIS", options=_URL_OPTIONS)
        if context:
            options |= {"connection_class": _TlsConnection, "context": context}
        return Redis.from_url(
            url,
            decode_responses=True,
            # With RESP3, redis-py asks the server for maintenance notifications, which move the
            # client to another host and lengthen its timeouts. A door must answer in time. No
            # other option turns them off in every redis-py from 6.4 on.
            protocol=2,
            retry=None,
            socket_timeout=timeout_s,
            socket_connect_timeout=min(timeout_s, CONNECT_TIMEOUT_S),
            client_name=name,
            **options,
        )
    except ValueError as error:
        msg = f"MASKGATE_REDIS_URL: {str(error).replace(url, '…')}"
        raise ConfigurationError(msg) from None


def check(settings: RedisSettings) -> list[str]:
    """Validate the settings without connecting; returns lines for ``--check``.

    Raises:
        ConfigurationError: as :func:`connect`.
    """
    login, tls = settings.redis_login(), settings.redis_tls()
    connect(*login, name="check", timeout_s=CONNECT_TIMEOUT_S, tls=tls).close()
    return server_lines("Redis", login, tls)


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn the driver's errors into maskgate's, with the likely cause where TLS is to blame.

    Raises:
        StoreError: Redis does not answer, or refuses the command.
    """
    try:
        yield
    except DataError:
        raise  # a value that the driver can't send: an error in the program, not in Redis
    except RedisError as error:
        raise StoreError(with_likely_cause(error, "MASKGATE_REDIS")) from None


class _TlsConnection(SSLConnection):
    """Uses one TLS context for all connections.

    The driver would also trust the system's authorities, and read the files for each connection
    (30 ms). If a later driver renames the method below, the driver's own verification applies: the
    connection may fail, but it stays safe.
    """

    def __init__(self, *, context: ssl.SSLContext, **options: Any) -> None:
        self._context = context
        super().__init__(**options)

    def _wrap_socket_with_ssl(self, sock: socket.socket) -> ssl.SSLSocket:
        return self._context.wrap_socket(sock, server_hostname=self.host)
