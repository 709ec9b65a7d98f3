"""Redis connections from the settings; worker and gate connect alike."""

from redis import Redis

from contract.errors import ConfigurationError

CONNECT_TIMEOUT_S = 1.0


def connect(url: str, password: str | None, *, name: str, timeout_s: float) -> Redis:
    """A client that answers or fails within its timeout: no retries of its own (redis-py's default is ten).

    Nothing is sent before the first command.

    Raises:
        ConfigurationError: the URL is not redis://, rediss:// or unix://. The message does not repeat it: it may hold a password.
    """
    options = {} if password is None else {"password": password}
    try:
        return Redis.from_url(
            url,
            decode_responses=True,
            retry=None,
            socket_timeout=timeout_s,
            socket_connect_timeout=min(timeout_s, CONNECT_TIMEOUT_S),
            client_name=name,
            **options,
        )
    except ValueError as error:
        msg = f"MASKGATE_REDIS_URL: {str(error).replace(url, '…')}"
        raise ConfigurationError(msg) from None
