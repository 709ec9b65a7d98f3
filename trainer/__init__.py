"""Image folders → CNN → evaluation → ONNX file and card; the only process that imports torch."""
