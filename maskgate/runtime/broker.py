"""AMQP connection parameters from the settings, and the cause of a failed connection."""

from urllib.parse import quote, urlsplit, urlunsplit

import pika
from pika.adapters.utils.connection_workflow import (
    AMQPConnectionWorkflowFailed,
    AMQPConnectorPhaseErrorBase,
)
from pika.exceptions import AMQPConnectionError

from maskgate.protocol.errors import ConfigurationError
from maskgate.runtime.check import server_lines
from maskgate.runtime.server_url import must_not_override
from maskgate.runtime.settings import BrokerSettings
from maskgate.runtime.tls import NO_FILES, TlsFiles, client_context
from maskgate.runtime.tls_trouble import with_likely_cause

#: After two missed heartbeats the connection counts as lost.
HEARTBEAT_S = 10
#: By default pika waits for ever while the broker has a memory alarm.
BLOCKED_TIMEOUT_S = 30
CONNECT_TIMEOUT_S = 5


def parameters(
    url: str, password: str | None, *, name: str, tls: TlsFiles = NO_FILES
) -> pika.URLParameters:
    """Connection parameters with bounded waits. The broker lists the connection as ``name``.

    Raises:
        ConfigurationError: the URL is not amqp:// or amqps://, it holds options or a second
            password, or the TLS files can't be used. The message does not repeat the URL, which
            may hold a password.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        # The text of this error may hold the password.
        msg = (
            "MASKGATE_BROKER_URL: not a URL; "
            "set a password with special characters as MASKGATE_BROKER_PASSWORD"
        )
        raise ConfigurationError(msg) from None
    if parts.scheme not in ("amqp", "amqps") or not parts.hostname:
        msg = f"MASKGATE_BROKER_URL: not an amqp:// or amqps:// URL (scheme {parts.scheme!r})"
        raise ConfigurationError(msg)
    context = client_context(url, tls, setting="MASKGATE_BROKER")
    must_not_override(url, password, setting="MASKGATE_BROKER")
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


def check(settings: BrokerSettings) -> list[str]:
    """Validate the settings without connecting; returns lines for ``--check``.

    Raises:
        ConfigurationError: as :func:`parameters`.
    """
    login, tls = settings.broker_login(), settings.broker_tls()
    parameters(*login, name="check", tls=tls)
    return server_lines("broker", login, tls)


def trouble(error: Exception | str) -> str:
    """The cause of a failed or lost connection, in one line."""
    return with_likely_cause(_cause(error), "MASKGATE_BROKER")


def _cause(error: Exception | str) -> Exception | str:
    # pika wraps the cause up to three times, in errors without a text.
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
