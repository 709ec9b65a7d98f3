"""A person with a timeline: where they go, when they wear a mask, turn, or cover the mouth."""

import math
from bisect import bisect_right
from dataclasses import dataclass

import numpy as np

from producer.scenes.background import HEIGHT, WIDTH
from producer.scenes.person import Person, Pose, Worn

_RAMP_S = 0.3  # a hand comes or goes, a head turns
_EYE_LEVEL = 0.42  # of the frame's height
_STEPS_A_SECOND = 1.8
#: A person sways: amplitudes as shares of the face's width, and radians, and the turn.
_SWAY_X, _SWAY_Y, _ROLL, _SWAY_TURN = 0.05, 0.02, 0.035, 0.09


@dataclass(frozen=True, slots=True)
class Waypoint:
    """At ``t_s`` the middle of the head is at ``x`` (share of the frame's width).

    ``face_px`` is the width of the face then, in pixels.
    """

    t_s: float
    x: float
    face_px: float


@dataclass(frozen=True, slots=True)
class Span:
    """From ``start_s`` to ``end_s``; what is done takes 0.3 s more before and after.

    ``amount`` is the turn (-1 to 1; the profile from 0.75 on) or 1 for a hand.
    """

    start_s: float
    end_s: float
    amount: float = 1.0

    def at(self, t_s: float) -> float:
        """The amount at a time, rising and falling at the ends."""
        inside = min(t_s - self.start_s, self.end_s - t_s) + _RAMP_S
        return self.amount * float(np.clip(inside / _RAMP_S, 0, 1))


@dataclass(frozen=True, slots=True)
class Placed:
    """A person in a frame: middle of the head, face width in pixels, roll in degrees, pose."""

    x: float
    y: float
    face_px: float
    roll: float
    pose: Pose


@dataclass(frozen=True, slots=True)
class Actor:
    """A person and what they do.

    ``path`` has two waypoints or more, in order of time; outside it nobody is there. ``worn`` are
    times and what is worn from then on, in order. ``light`` is the light on this person.
    """

    person: Person
    path: tuple[Waypoint, ...]
    worn: tuple[tuple[float, Worn], ...] = ((0.0, Worn.OFF),)
    hands: tuple[Span, ...] = ()
    turns: tuple[Span, ...] = ()
    light: float = 1.0

    def at(self, t_s: float) -> Placed | None:
        """Where the person is, or None before they come and after they went."""
        if not self.path[0].t_s <= t_s < self.path[-1].t_s:
            return None
        x, face_px, moving = self._walk(t_s)
        phase = _phases(self.person.seed)
        sway = [math.sin(t_s * speed + phase[i]) for i, speed in enumerate((1.3, 2.1, 0.9, 1.7))]
        step = abs(math.sin(math.pi * _STEPS_A_SECOND * t_s + phase[4])) * moving
        return Placed(
            x=x * WIDTH + _SWAY_X * face_px * sway[0],
            y=HEIGHT * _EYE_LEVEL + face_px * (self._tall() + _SWAY_Y * sway[1] + 0.06 * step),
            face_px=face_px,
            roll=math.degrees(_ROLL) * sway[2],
            pose=self._pose(t_s, sway[3]),
        )

    def _walk(self, t_s: float) -> tuple[float, float, bool]:
        """Share of the width, face width, and whether the person walks."""
        after = min(bisect_right([point.t_s for point in self.path], t_s), len(self.path) - 1)
        start, end = self.path[after - 1], self.path[after]
        share = (t_s - start.t_s) / (end.t_s - start.t_s)
        smooth = share * share * (3 - 2 * share)
        return (
            start.x + (end.x - start.x) * smooth,
            start.face_px * (end.face_px / start.face_px) ** smooth,
            (start.x, start.face_px) != (end.x, end.face_px),
        )

    def _tall(self) -> float:
        """How far a head is above or below the others, in widths of the face."""
        return float(np.random.default_rng(self.person.seed + 1).uniform(-0.25, 0.3))

    def _pose(self, t_s: float, sway: float) -> Pose:
        number = bisect_right([since for since, _ in self.worn], t_s)
        turn = sum(span.at(t_s) for span in self.turns)
        return Pose(
            worn=self.worn[max(0, number - 1)][1],
            turn=float(np.clip(turn + _SWAY_TURN * sway * (1 - min(1, abs(turn))), -1, 1)),
            hand=max((span.at(t_s) for span in self.hands), default=0.0),
        )


def taken_off(t_s: float) -> tuple[tuple[float, Worn], ...]:
    """A worn mask slides down over the chin and is off at ``t_s``."""
    return ((t_s - 0.3, Worn.UNDER_NOSE), (t_s - 0.15, Worn.CHIN), (t_s, Worn.OFF))


def put_on(t_s: float) -> tuple[tuple[float, Worn], ...]:
    """A mask comes up over the chin and is worn right from ``t_s`` on."""
    return ((t_s - 0.3, Worn.CHIN), (t_s - 0.15, Worn.UNDER_NOSE), (t_s, Worn.ON))


def _phases(seed: int) -> list[float]:
    return [float(phase) for phase in np.random.default_rng(seed + 2).uniform(0, 2 * math.pi, 5)]
