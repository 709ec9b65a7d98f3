"""What crosses a process boundary: crop message, verdict, queue topology, preprocessing, model card, log set-up."""

import os

# OpenCV reads its own limits once, when it is imported, by whichever module that is; they back up the checks in contract.image.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(1 << 26))
