"""What the searches for slow bodies have in common."""

from typing import Any

from maskgate.inference import jpeg_markers
from maskgate.protocol.crop import MAX_BODY_BYTES

#: A body as its choices.
Genes = dict[str, Any]
BODY_BYTES = MAX_BODY_BYTES - 100
SCANS_BYTES = jpeg_markers.MAX_BYTES_OF_SCANS - 100
#: Width and height at the limit of pixels, and odd ones.
SIZES = (
    (512, 512), (512, 512), (505, 519), (4096, 64), (64, 4096), (2048, 128), (128, 2048),
    (4096, 33), (33, 4096), (256, 256), (1, 4096), (4001, 65),
)  # fmt: skip
