"""What the URL of a server may hold: where it is and who logs in, and nothing that overrides us."""

from urllib.parse import parse_qs, urlsplit

from maskgate.protocol.errors import ConfigurationError


def must_not_override(
    url: str, password: str | None, *, setting: str, options: frozenset[str] = frozenset()
) -> None:
    """Refuse a second password, and URL options other than ``options``.

    Drivers let the URL win over what they are called with: ``?socket_timeout=3600`` held a door up
    for an hour, and a password in the URL stood against the one of a file. ``setting`` is
    MASKGATE_BROKER or MASKGATE_REDIS.

    Raises:
        ConfigurationError: names the variable, without the URL, which may hold a password.
        ValueError: not a URL.
    """
    parts = urlsplit(url)
    if password is not None and parts.password is not None:
        msg = (
            f"{setting}_URL: holds a password, and {setting}_PASSWORD is set too; "
            "write the URL without one"
        )
        raise ConfigurationError(msg)
    if surplus := parse_qs(parts.query, keep_blank_values=True).keys() - options:
        allowed = f" other than {', '.join(sorted(options))}" if options else ""
        # A name may be a password that was not quoted: shown only if the driver knows it.
        known = ", ".join(sorted(surplus & _KNOWN)) or "?"
        msg = f"{setting}_URL: must not hold options{allowed} (here: {known}); remove them"
        raise ConfigurationError(msg)


_KNOWN = {
    "blocked_connection_timeout",
    "db",
    "frame_max",
    "heartbeat",
    "max_connections",
    "password",
    "protocol",
    "socket_connect_timeout",
    "socket_timeout",
    "timeout",
    "username",
}
