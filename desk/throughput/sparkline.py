"""A curve as points of an SVG polyline, for browsers without JavaScript."""

from collections.abc import Iterable, Sequence

WIDTH, HEIGHT = 600, 120


def top_of(curves: Iterable[Sequence[float | None]]) -> float:
    """The largest value of all curves, which share an axis that begins at 0; at least 1."""
    return max((value for curve in curves for value in curve if value is not None), default=0) or 1


def polylines(values: Sequence[float | None], top: float) -> list[str]:
    """The ``points`` attributes of the pieces of a curve: it is broken where a value is None."""
    step = WIDTH / max(1, len(values) - 1)
    pieces: list[list[str]] = [[]]
    for position, value in enumerate(values):
        if value is not None:
            y = HEIGHT - min(value, top) / top * HEIGHT
            pieces[-1].append(f"{position * step:.1f},{y:.1f}")
        elif pieces[-1]:
            pieces.append([])
    return [" ".join(piece) for piece in pieces if len(piece) > 1]
