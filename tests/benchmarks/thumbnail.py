"""The model of all subjects: 28 × 28 px and cheap, so that the software around it is compared.

Alone in its file, so that a peer imports nothing of the benchmark that its memory would include.
"""

from pathlib import Path

THUMBNAIL_MODEL = Path(__file__).parent / "thumbnail.onnx"
