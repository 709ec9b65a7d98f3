"""From an encoded crop to a probability: guarded decoding, preprocessing, model file and card."""

import os

# OpenCV reads its limits once, when it is imported. They back up the checks in
# maskgate.inference.image.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(1 << 26))
