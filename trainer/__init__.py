"""Image folders → CNN → evaluation → ONNX and its card. The only process that imports torch. Run it: ``python -m trainer``."""
