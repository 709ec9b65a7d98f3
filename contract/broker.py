"""AMQP connection parameters from the settings; worker and producer connect alike."""

from urllib.parse import quote, urlsplit, urlunsplit

import pika

from contract.amqp_headers import pass_over_bad_tables
from contract.errors import ConfigurationError

#: Two missed beats and the other side is gone.
HEARTBEAT_S = 10
#: pika waits for ever on a broker in memory alarm, a door can't.
BLOCKED_TIMEOUT_S = 30
CONNECT_TIMEOUT_S = 5


pass_over_bad_tables()


def parameters(url: str, password: str | None, *, name: str) -> pika.URLParameters:
    """Connection parameters with bounded waits; the connection shows up under ``name`` in the broker's list.

    Raises:
        ConfigurationError: the URL is not amqp:// or amqps://. The message does not repeat it: it may hold a password.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("amqp", "amqps") or not parts.hostname:
        msg = f"MASKGATE_BROKER_URL: not an amqp:// or amqps:// URL (scheme {parts.scheme!r})"
        raise ConfigurationError(msg)
    if password is not None:
        user = quote(parts.username or "", safe="")
        host = parts.netloc.rpartition("@")[2]
        parts = parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}")
    try:
        wanted = pika.URLParameters(urlunsplit(parts))
    except (ValueError, TypeError) as error:
        msg = f"MASKGATE_BROKER_URL: {type(error).__name__}: {error}"
        raise ConfigurationError(msg) from None
    wanted.heartbeat = HEARTBEAT_S
    wanted.blocked_connection_timeout = BLOCKED_TIMEOUT_S
    wanted.socket_timeout = CONNECT_TIMEOUT_S
    wanted.stack_timeout = CONNECT_TIMEOUT_S
    wanted.connection_attempts = 1
    wanted.client_properties = {"connection_name": name}
    return wanted
