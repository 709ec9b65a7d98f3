"""People drawn by code, with and without a mask: for load tests, demos and videos without data."""

from producer.drawing.face import DrawnFace as DrawnFace
from producer.drawing.face import draw_face as draw_face
