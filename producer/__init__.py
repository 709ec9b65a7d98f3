"""Sends crops and audit samples to the queue, from folders or drawn: ``python -m producer``."""

# OpenCV and onnxruntime read the environment when they are imported: this sets it before.
from maskgate import inference as inference
