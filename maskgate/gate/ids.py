"""Checks the ids that a door names, before they become keys."""

from maskgate.protocol.crop import is_id
from maskgate.protocol.errors import MaskgateError
from maskgate.protocol.verdict import track_key, verdict_key


class BadIdError(MaskgateError, ValueError):
    """A camera or track id with characters or a length that ids can't have."""


def key_of(camera: str, track: str | None = None) -> str:
    """The key of the verdict of a camera, or of one of its tracks.

    Raises:
        BadIdError: not a valid camera or track id.
    """
    for kind, value in (("camera", camera), ("track", camera if track is None else track)):
        if not is_id(value):
            msg = f"{kind} {value!r} is not 1 to 64 of A-Z a-z 0-9 _ -"
            raise BadIdError(msg)
    return verdict_key(camera) if track is None else track_key(camera, track)
