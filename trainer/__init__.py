"""Image folders → CNN → evaluation → ONNX file and card; the only process that imports torch."""

# OpenCV and onnxruntime read the environment when they are imported: this sets it before.
from maskgate import inference as inference
