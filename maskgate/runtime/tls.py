"""TLS towards RabbitMQ and Redis: one context for either driver. The server is always verified; nothing switches that off."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from maskgate.protocol.errors import ConfigurationError

_TLS_SCHEMES = ("amqps", "rediss")


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files, each optional. They are read once: a process must be restarted after they were renewed."""

    #: Nobody else's certificates are trusted then; without it, those that the system trusts.
    ca: Path | None = None
    #: Ours, with its intermediates, for a server that demands one.
    cert: Path | None = None
    #: Its private key, without a passphrase.
    key: Path | None = None


NO_FILES = TlsFiles()


def client_context(url: str, files: TlsFiles, *, setting: str) -> ssl.SSLContext | None:
    """What to connect with: verifies the server's certificate and host name, TLS 1.2 at least. None for a URL without TLS.

    ``setting`` is what the names of the settings begin with: ``MASKGATE_BROKER`` or ``MASKGATE_REDIS``.

    Raises:
        ConfigurationError: naming the setting, never what its file holds: that may be a private key.
    """
    parts = urlsplit(url)
    # Either driver would take options from here that switch verification off.
    if any(option.startswith("ssl") for option in parse_qs(parts.query, keep_blank_values=True)):
        msg = f"{setting}_URL: no TLS options in the URL, please: set {setting}_CA_FILE, _CERT_FILE and _KEY_FILE"
        raise ConfigurationError(msg)
    named = {"CA": files.ca, "CERT": files.cert, "KEY": files.key}
    given = {f"{setting}_{kind}_FILE": path for kind, path in named.items() if path is not None}
    if parts.scheme not in _TLS_SCHEMES:
        if given:
            msg = f"{', '.join(given)}: of no use to {setting}_URL, whose {parts.scheme}:// is not one of amqps:// and rediss://"
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
        # Not the path: whoever mistook this setting would find the key's text in the log.
        msg = f"{name}: can't read a file of this name: {getattr(error, 'strerror', None) or type(error).__name__}"
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
        # Without this, OpenSSL would ask a terminal for it, and wait.
        msg = f"{setting}_KEY_FILE: the key has a passphrase; give one without, readable by this process alone"
        raise ConfigurationError(msg)

    try:
        context.load_cert_chain(files.cert, files.key, no_passphrase)
    except OSError as error:
        if "MISMATCH" in _reason(error):
            msg = f"{setting}_KEY_FILE: is not the key of the certificate in {setting}_CERT_FILE"
        else:
            msg = f"{setting}_CERT_FILE, {setting}_KEY_FILE: not a certificate and its private key in PEM format ({_reason(error)})"
        raise ConfigurationError(msg) from None
    return context


def _reason(error: OSError) -> str:
    # OpenSSL's own word, which holds nothing of a file's text.
    return getattr(error, "reason", None) or error.strerror or type(error).__name__
