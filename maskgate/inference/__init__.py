"""From an encoded crop to a probability: decoding, preprocessing, model file and model card."""

import os

# OpenCV reads this limit once, when it is imported. maskgate.inference.image checks sizes first;
# this is the second line of defence.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(1 << 26))
# Official builds of onnxruntime from 1.29 on tell their maker about each model and machine. A
# worker that can't reach that host would also wait 10 s when it stops.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
