"""Face detectors: BlazeFace, the default, and YuNet. ``load`` opens either."""

from producer.video.detection.loading import load

__all__ = ["load"]
