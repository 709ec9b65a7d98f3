"""All of maskgate in one process, without servers: ``python -m demo``."""

# OpenCV and onnxruntime read the environment when they are imported: this sets it before.
from maskgate import inference as inference
