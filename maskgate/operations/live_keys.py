"""Topic permissions: which cameras' routing keys a broker user may publish."""

from collections.abc import Sequence

from maskgate.protocol.topology import live_key

#: A camera's user is ``camera-NAME``: no role has such a name.
USER_PREFIX = "camera-"
_START = "^" + live_key("").replace(".", r"\.")
#: Not ``$``, which also matches before a newline at the end.
_END = r"\z"
ANY_CAMERA = f"{_START}[A-Za-z0-9_-]{{1,64}}{_END}"


def pattern_of(cameras: Sequence[str]) -> str:
    """The pattern of these cameras' keys. Camera ids hold nothing that a pattern interprets."""
    return f"{_START}({'|'.join(cameras)}){_END}"


def cameras_of(pattern: str) -> list[str] | None:
    """The cameras of a pattern; None if it is not one of :func:`pattern_of`."""
    inner = pattern.removeprefix(f"{_START}(").removesuffix(f"){_END}")
    return inner.split("|") if pattern_of([inner]) == pattern else None
