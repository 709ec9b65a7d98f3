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
from producer.video.source_rules import DEVICE, SCHEME, option_trouble, text_trouble

#: Words in a path or an option that announce a password. Some cameras want it there.
_SECRET = re.compile(r"((pas|pwd?|secret|token|auth)\w*|\b(api_?)?key)=.", re.IGNORECASE)


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
    trouble = text_trouble(text) or option_trouble(text, user, password, transport, ca_file)
    if trouble:
        msg = f"{setting}: {trouble}"
        raise ConfigurationError(msg)
    if DEVICE.fullmatch(text):
        return SourceAddress(SourceKind.DEVICE, text, text)
    if not SCHEME.match(text):
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
