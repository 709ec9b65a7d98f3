"""Where a camera's pictures come from: what the user wrote, checked, and safe to print.

FFmpeg understands dozens of protocols, some of which read local files or join several addresses
(``concat:``, ``data:``, ``subfile,``). Only the kinds below ever reach it.
"""

import enum
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from urllib.parse import SplitResult, quote, unquote, urlsplit

from maskgate.protocol.errors import ConfigurationError

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_DEVICE = re.compile(r"/dev/(video[0-9]+|v4l/by-(id|path)/[\w.:@+-]+)", re.ASCII)
#: Words in a path or an option that announce a password. Some cameras want it there.
_SECRET = re.compile(r"((pas|pwd?|secret|token|auth)\w*|\b(api_?)?key)=.", re.IGNORECASE)
#: FFmpeg takes these for transports if they stand in the URL of an RTSP stream.
_TRANSPORTS = {"tcp", "udp", "multicast", "http", "https", "tls"}
#: FFmpeg keeps user:password of RTSP in 128 bytes, and cuts what is longer without a word.
_MAX_CREDENTIALS = 127
_SCHEMES = "a file, rtsp://, rtsps://, http://, https:// or /dev/videoN"


class SourceKind(enum.Enum):
    """What reads a source."""

    FILE = "file"
    RTSP = "rtsp"
    HTTP = "http"
    DEVICE = "device"


@dataclass(frozen=True, slots=True)
class SourceAddress:
    """A checked source. Only ``target``, ``user`` and ``password`` hold credentials."""

    kind: SourceKind
    #: The source without credentials and URL options: for logs and errors.
    shown: str
    #: What is opened. For RTSP it holds the credentials, percent-encoded; for HTTP it doesn't.
    target: str = field(repr=False)
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    #: Whether the text itself held a password: then it must not come from a command line.
    has_password: bool = False
    #: How RTSP sends pictures: ``tcp`` or ``udp``.
    transport: str = "tcp"
    #: The only authorities to trust for TLS; None: those that the system trusts.
    ca_file: Path | None = None

    def __str__(self) -> str:
        return self.shown

    def __reduce__(self) -> NoReturn:
        msg = "a SourceAddress may hold a password and is not written anywhere"
        raise TypeError(msg)

    @property
    def is_live(self) -> bool:
        """Whether it shows the present, and is connected again if it fails."""
        return self.kind is not SourceKind.FILE

    @property
    def is_encrypted(self) -> bool:
        """Whether TLS protects it."""
        return self.target.startswith(("rtsps:", "https:"))


def parse(
    text: str,
    *,
    user: str = "",
    password: str = "",
    transport: str = "tcp",
    ca_file: Path | None = None,
    setting: str = "source",
) -> SourceAddress:
    """The address that a user wrote. ``setting`` begins each error message.

    A file whose name begins like a scheme (``a:b.mp4``) is written with its folder (``./a:b.mp4``).

    Raises:
        ConfigurationError: says what is wrong, without any part that may be a password.
    """
    trouble = _trouble(text) or _option_trouble(text, user, password, transport, ca_file)
    if trouble:
        msg = f"{setting}: {trouble}"
        raise ConfigurationError(msg)
    if _DEVICE.fullmatch(text):
        return SourceAddress(SourceKind.DEVICE, text, text)
    if not _SCHEME.match(text):
        return SourceAddress(SourceKind.FILE, text, f"file:{Path(text).absolute()}")
    return _of_url(urlsplit(text), user, password, transport, ca_file)


def _of_url(
    url: SplitResult, user: str, password: str, transport: str, ca_file: Path | None
) -> SourceAddress:
    kind = SourceKind.RTSP if url.scheme.startswith("rtsp") else SourceKind.HTTP
    user, password = user or unquote(url.username or ""), password or unquote(url.password or "")
    credentials = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""
    return SourceAddress(
        kind,
        shown=_shown(url),
        target=_joined(url, credentials if kind is SourceKind.RTSP else ""),
        user=user,
        password=password,
        has_password=url.password is not None or _SECRET.search(url.path + url.query) is not None,
        transport=transport,
        ca_file=ca_file,
    )


def _joined(url: SplitResult, credentials: str) -> str:
    host = url.netloc.rpartition("@")[2]
    query = f"?{url.query}" if url.query else ""
    return f"{url.scheme}://{credentials}{host}{url.path}{query}"


def _shown(url: SplitResult) -> str:
    path, assignment, _ = url.path.partition("=")
    host = url.netloc.rpartition("@")[2]
    more = "=…" if assignment else "?…" if url.query else ""
    return f"{url.scheme}://{host}{path}{more}"


def _trouble(text: str) -> str:
    """Why this text is no source, or nothing."""
    if not text.strip():
        return f"is empty; give {_SCHEMES}"
    if text.startswith("/dev/"):
        return "" if _DEVICE.fullmatch(text) else "is not a video device such as /dev/video0"
    scheme = _SCHEME.match(text)
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        return "holds a control character"
    if scheme is None:
        return ""
    name = scheme[0].lower()
    if name not in {"rtsp:", "rtsps:", "http:", "https:"}:
        return f"{scheme[0]} is not read; give {_SCHEMES}"
    if not text[len(name) :].startswith("//"):
        return f"begins with {name} but not with {name}//"
    return _url_trouble(text)


def _url_trouble(text: str) -> str:
    encode = "percent-encode special characters of user and password"
    if not text.isascii() or set(text) & set(' \\"<>^`{|}'):
        return f"holds a character that no URL may have; {encode}"
    if "#" in text:
        return "holds #; write %23 for it"
    try:
        url = urlsplit(text)
    except ValueError:
        return f"is not a URL; {encode}"
    try:
        port = url.port
    except ValueError:
        port = 0
    if port == 0:
        return f"the port after the host must be a number from 1 to 65535; {encode}"
    if not url.hostname:
        return "has no host"
    if "@" in url.path + url.query:
        return f"holds @ behind the host; write %40 for it, and {encode}"
    if url.scheme.startswith("rtsp") and _TRANSPORTS & set(url.query.lower().split("&")):
        return "must not name a transport in the URL; use the option transport"
    return ""


def _option_trouble(
    text: str, user: str, password: str, transport: str, ca_file: Path | None
) -> str:
    """What of the options does not fit a source that is valid by itself, or nothing."""
    url = urlsplit(text if _SCHEME.match(text) else "")
    if not url.scheme and (user or password):
        return "takes no user and no password"
    return (
        _credentials_trouble(url, user, password)
        or _transport_trouble(url.scheme, transport)
        or _ca_trouble(url.scheme, ca_file)
    )


def _credentials_trouble(url: SplitResult, user: str, password: str) -> str:
    if password and url.password is not None:
        return "there are two passwords: one in the URL, one beside it"
    if user and url.username and user != unquote(url.username):
        return "there are two users: one in the URL, one beside it"
    user, password = user or unquote(url.username or ""), password or unquote(url.password or "")
    if password and not user:
        return "there is a password but no user"
    if ":" in user:
        return "a user's name with a colon can't be sent"
    if any(ord(character) < 32 or ord(character) == 127 for character in user + password):
        return "user or password holds a control character"
    if len(quote(user, safe="")) + 1 + len(quote(password, safe="")) > _MAX_CREDENTIALS:
        return f"user and password are too long: together {_MAX_CREDENTIALS - 1} bytes, encoded"
    return ""


def _transport_trouble(scheme: str, transport: str) -> str:
    if transport not in {"tcp", "udp"}:
        return "transport must be tcp or udp"
    if transport == "tcp" or scheme == "rtsp":
        return ""
    if scheme == "rtsps":
        return "transport udp is not encrypted; use tcp with rtsps://"
    return "transport udp is for rtsp:// only"


def _ca_trouble(scheme: str, ca_file: Path | None) -> str:
    if ca_file is None:
        return ""
    if scheme not in {"rtsps", "https"}:
        return "has a CA file but is not TLS; use rtsps:// or https://"
    return "" if ca_file.is_file() else f"there is no CA file {ca_file}"
