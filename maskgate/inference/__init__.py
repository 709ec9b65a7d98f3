"""From an encoded crop to a probability: decoding, preprocessing, model file and model card."""

import os

# OpenCV reads this limit once, when it is imported. maskgate.inference.image checks sizes first;
# this is the second line of defence.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(1 << 26))
