"""How large and how elaborate an image may be that is decoded."""

from dataclasses import dataclass

from maskgate.inference.card import InputShape
from maskgate.protocol.crop import MAX_BODY_BYTES

#: Whatever the model, a crop of 512 × 512 px may be sent.
_LEAST_PIXELS = 512 * 512
#: Area averaging from more than twice the model's edges gains nothing that a network sees.
_TIMES_INPUT = 2 * 2


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest image that is decoded."""

    body_bytes: int
    side_px: int
    pixels: int
    #: Whether text, colour profiles and any number of scans may stand in the file.
    local_file: bool = False


#: For files on a local disk: whole photographs, with all that cameras and editors write to them.
FILE_LIMITS = Limits(body_bytes=32 * 1024 * 1024, side_px=16384, pixels=1 << 26, local_file=True)


def crop_limits(shape: InputShape) -> Limits:
    """What a crop from the network may be, for a model with this input.

    512 × 512 px, or twice the edges of the input if that is more. The most expensive crop within
    these limits takes less than 20 ms of processor time for an input of 64 × 64 px
    (``tests/faults/slow_bodies.py`` searches for it); a larger input was not measured.
    """
    pixels = max(_LEAST_PIXELS, _TIMES_INPUT * shape.height * shape.width)
    return Limits(body_bytes=MAX_BODY_BYTES, side_px=4096, pixels=pixels)
