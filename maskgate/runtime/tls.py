"""TLS for RabbitMQ and Redis: one context for both drivers.

The server is always verified; no setting turns that off.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from maskgate.protocol.errors import ConfigurationError

_TLS_SCHEMES = ("amqps", "rediss")


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files, each optional. They are read once: restart the process after renewing them."""

    #: The only authorities to trust; without it, those that the system trusts.
    ca: Path | None = None
    #: The client certificate with its intermediates, for a server that demands one.
    cert: Path | None = None
    #: Its private key, without a passphrase.
    key: Path | None = None


NO_FILES = TlsFiles()


def client_context(url: str, files: TlsFiles, *, setting: str) -> ssl.SSLContext | None:
    """A context that verifies certificate and host name, with TLS 1.2 or later.

    None for a URL without TLS. ``setting`` is the start of the settings' names: ``MASKGATE_BROKER``
    or ``MASKGATE_REDIS``.

    Raises:
        ConfigurationError: names the setting, never the content of a file: it may be a private key.
    """
    parts = urlsplit(url)
    # Both drivers read options from the URL that turn verification off.
    if any(option.startswith("ssl") for option in parse_qs(parts.query, keep_blank_values=True)):
        msg = (
            f"{setting}_URL: must not hold TLS options; "
            f"set {setting}_CA_FILE, _CERT_FILE and _KEY_FILE instead"
        )
        raise ConfigurationError(msg)
    named = {"CA": files.ca, "CERT": files.cert, "KEY": files.key}
    given = {f"{setting}_{kind}_FILE": path for kind, path in named.items() if path is not None}
    if parts.scheme not in _TLS_SCHEMES:
        if given:
            msg = (
                f"{', '.join(given)}: {setting}_URL is {parts.scheme}://, which is not TLS; "
                "use amqps:// or rediss://"
            )
            raise ConfigurationError(msg)
        return None
    for name, path in given.items():
        _must_be_readable(name, path)
    return _context(files, setting)


def _must_be_readable(name: str, path: Path) -> None:
    try:
        with path.open("rb"):
            return
    except (OSError, ValueError) as error:
        # Without the path: somebody may have set the text of the key instead of its path.
        reason = getattr(error, "strerror", None) or type(error).__name__
        msg = f"{name}: can't read the file of this name: {reason}"
    raise ConfigurationError(msg)


def _context(files: TlsFiles, setting: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=files.ca)
    except OSError as error:
        msg = f"{setting}_CA_FILE: holds no certificate in PEM format ({_reason(error)})"
        raise ConfigurationError(msg) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if files.cert is None and files.key is None:
        return context
    if files.cert is None or files.key is None:
        there, missing = ("KEY", "CERT") if files.cert is None else ("CERT", "KEY")
        msg = (
            f"{setting}_{missing}_FILE: needed with {setting}_{there}_FILE (one file may hold both)"
        )
        raise ConfigurationError(msg)

    def no_passphrase() -> str:
        # Otherwise OpenSSL asks for it on the terminal, and waits.
        msg = (
            f"{setting}_KEY_FILE: the key has a passphrase; "
            "use a key without one, in a file that only this process can read"
        )
        raise ConfigurationError(msg)

    try:
        context.load_cert_chain(files.cert, files.key, no_passphrase)
    except OSError as error:
        if "MISMATCH" in _reason(error):
            msg = f"{setting}_KEY_FILE: is not the key of the certificate in {setting}_CERT_FILE"
        else:
            msg = (
                f"{setting}_CERT_FILE, {setting}_KEY_FILE: "
                f"not a certificate and its private key in PEM format ({_reason(error)})"
            )
        raise ConfigurationError(msg) from None
    return context


def _reason(error: OSError) -> str:
    # OpenSSL's name of the error, which holds no text of the file.
    return getattr(error, "reason", None) or error.strerror or type(error).__name__
