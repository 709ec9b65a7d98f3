"""AMQP connection parameters from the settings, and what became of the attempt; worker and producer connect alike."""

from urllib.parse import quote, urlsplit, urlunsplit

import pika
from pika.adapters.utils.connection_workflow import (
    AMQPConnectionWorkflowFailed,
    AMQPConnectorPhaseErrorBase,
)
from pika.exceptions import AMQPConnectionError

from maskgate.protocol.errors import ConfigurationError
from maskgate.runtime.tls import NO_FILES, TlsFiles, client_context
from maskgate.runtime.tls_trouble import told

#: Two missed beats and the other side is gone.
HEARTBEAT_S = 10
#: pika waits for ever on a broker in memory alarm, a door can't.
BLOCKED_TIMEOUT_S = 30
CONNECT_TIMEOUT_S = 5


def parameters(
    url: str, password: str | None, *, name: str, tls: TlsFiles = NO_FILES
) -> pika.URLParameters:
    """Connection parameters with bounded waits; the connection shows up under ``name`` in the broker's list.

    Raises:
        ConfigurationError: the URL is not amqp:// or amqps://, or the files for TLS are wrong. The message does not repeat the URL: it may
            hold a password.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        # Its text may hold the password.
        msg = "MASKGATE_BROKER_URL: not a URL; a password with special characters belongs into MASKGATE_BROKER_PASSWORD"
        raise ConfigurationError(msg) from None
    if parts.scheme not in ("amqp", "amqps") or not parts.hostname:
        msg = f"MASKGATE_BROKER_URL: not an amqp:// or amqps:// URL (scheme {parts.scheme!r})"
        raise ConfigurationError(msg)
    context = client_context(url, tls, setting="MASKGATE_BROKER")
    if password is not None:
        user = quote(parts.username or "", safe="")
        host = parts.netloc.rpartition("@")[2]
        parts = parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}")
    try:
        wanted = pika.URLParameters(urlunsplit(parts))
    except (ValueError, TypeError) as error:
        msg = f"MASKGATE_BROKER_URL: {type(error).__name__}: {error}"
        raise ConfigurationError(msg) from None
    wanted.ssl_options = pika.SSLOptions(context) if context else None
    wanted.heartbeat = HEARTBEAT_S
    wanted.blocked_connection_timeout = BLOCKED_TIMEOUT_S
    wanted.socket_timeout = CONNECT_TIMEOUT_S
    wanted.stack_timeout = CONNECT_TIMEOUT_S
    wanted.connection_attempts = 1
    wanted.client_properties = {"connection_name": name}
    return wanted


def trouble(error: Exception | str) -> str:
    """Why there is no connection (any more), in one line for logs and people."""
    return told(_cause(error), "MASKGATE_BROKER")


def _cause(error: Exception | str) -> Exception | str:
    # pika wraps what stopped an attempt up to three times, in errors whose own text is empty.
    if isinstance(error, AMQPConnectionWorkflowFailed):
        return _cause(error.exceptions[-1])
    if isinstance(error, AMQPConnectorPhaseErrorBase):
        return _cause(error.exception)
    if (
        isinstance(error, AMQPConnectionError)
        and error.args
        and isinstance(error.args[0], Exception)
    ):
        return _cause(error.args[0])
    return error
