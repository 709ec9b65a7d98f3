"""What a source's text and its options may hold. No message repeats what may be a password."""

import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import SplitResult, quote, unquote, urlsplit

SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
DEVICE = re.compile(r"/dev/(video[0-9]+|v4l/by-(id|path)/[\w.:@+-]+)", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NEVER_IN_A_URL = re.compile(r"[^\x21-\x7e]|[\\\"<>^`{|}]")
#: FFmpeg takes these for transports if they stand in the URL of an RTSP stream.
_TRANSPORTS = {"tcp", "udp", "multicast", "http", "https", "tls"}
#: FFmpeg keeps user:password of RTSP in 128 bytes, and cuts what is longer without a word.
_MAX_CREDENTIALS = 127
_KINDS = "a file, rtsp://, rtsps://, http://, https:// or /dev/videoN"
_ENCODE = "percent-encode special characters of user and password"


def text_trouble(text: str) -> str:
    """Why this text is no source, or nothing."""
    scheme = SCHEME.match(text)
    name = scheme[0].lower() if scheme else ""
    return _first(
        (
            (not text.strip(), f"is empty; give {_KINDS}"),
            (_CONTROL.search(text), "holds a control character"),
            (
                text.startswith("/dev/") and not DEVICE.fullmatch(text),
                "is not a video device such as /dev/video0",
            ),
            (
                name not in {"", "rtsp:", "rtsps:", "http:", "https:"},
                f"{name} is not read; give {_KINDS}",
            ),
            (
                name and not text[len(name) :].startswith("//"),
                f"begins with {name} but not with {name}//",
            ),
        )
    ) or (_url_trouble(text) if name else "")


def option_trouble(
    text: str, user: str, password: str, transport: str, ca_file: Path | None
) -> str:
    """What of the options does not fit a source that is valid by itself, or nothing."""
    url = urlsplit(text if SCHEME.match(text) else "")
    if not url.scheme and (user or password):
        return "takes no user and no password"
    return _credentials_trouble(url, user, password) or _first(
        (
            (transport not in {"tcp", "udp"}, "transport must be tcp or udp"),
            (
                transport == "udp" and url.scheme == "rtsps",
                "transport udp is not encrypted; use tcp with rtsps://",
            ),
            (
                transport == "udp" and url.scheme != "rtsp",
                "transport udp is for rtsp:// only",
            ),
            (
                ca_file and url.scheme not in {"rtsps", "https"},
                "has a CA file but is not TLS; use rtsps:// or https://",
            ),
            (ca_file and not ca_file.is_file(), f"there is no CA file {ca_file}"),
        )
    )


def _first(checks: Iterable[tuple[object, str]]) -> str:
    """The words of the first check that is true."""
    return next((words for wrong, words in checks if wrong), "")


def _url_trouble(text: str) -> str:
    if _NEVER_IN_A_URL.search(text):
        return f"holds a character that no URL may have; {_ENCODE}"
    try:
        url = urlsplit(text)
    except ValueError:
        return f"is not a URL; {_ENCODE}"
    options = set(url.query.lower().split("&"))
    return _first(
        (
            ("#" in text, "holds #; write %23 for it"),
            (
                not _has_valid_port(url),
                f"the port after the host must be a number from 1 to 65535; {_ENCODE}",
            ),
            (not url.hostname, "has no host"),
            ("@" in url.path + url.query, f"holds @ behind the host; write %40, and {_ENCODE}"),
            (
                url.scheme.startswith("rtsp") and _TRANSPORTS & options,
                "must not name a transport in the URL; use the option transport",
            ),
        )
    )


def _has_valid_port(url: SplitResult) -> bool:
    try:
        return url.port != 0
    except ValueError:
        return False


def _credentials_trouble(url: SplitResult, user: str, password: str) -> str:
    in_url = unquote(url.username or "")
    who, proof = user or in_url, password or unquote(url.password or "")
    return _first(
        (
            (
                password and url.password is not None,
                "there are two passwords: one in the URL, one beside it",
            ),
            (
                user and in_url and user != in_url,
                "there are two users: one in the URL, one beside it",
            ),
            (proof and not who, "there is a password but no user"),
            (":" in who, "a user's name with a colon can't be sent"),
            (_CONTROL.search(who + proof), "user or password holds a control character"),
            (
                len(quote(who, safe="") + quote(proof, safe="")) >= _MAX_CREDENTIALS,
                f"user and password are too long: over {_MAX_CREDENTIALS - 1} bytes, encoded",
            ),
        )
    )
