"""What a picture check remembers of earlier pictures: what lasts, and what is normal."""

from producer.video.health_limits import HealthLimits

#: A tile that changes by so many levels shows that something moves: more than a key frame does.
_MOVEMENT_LEVELS = 8.0
#: A background that changes by less has no noise at all.
_NO_NOISE_LEVELS = 0.005
#: Pictures after which the camera's own sharpness counts as known.
_LEARNED = 25


class Lasting:
    """A condition that is told once it has held for ``hold_s``, with short exceptions."""

    def __init__(self, limits: HealthLimits) -> None:
        self.told = False
        self.hold_s = limits.hold_s
        self._limits = limits
        self._since_s: float | None = None
        self._last_s = 0.0

    def see(self, *, holds: bool, at_s: float) -> None:
        """Whether the condition holds on the picture of this time."""
        if holds:
            self._since_s = at_s if self._since_s is None else self._since_s
            self._last_s = at_s
            self.told = self.told or at_s - self._since_s >= self.hold_s
        elif at_s - self._last_s > (self._limits.gone_s if self.told else self._limits.grace_s):
            self.told, self._since_s = False, None

    def force(self, *, told: bool, at_s: float) -> None:
        """Tell or end the condition at once: the source has waited already."""
        self.told = told
        self._since_s, self._last_s = (at_s, at_s) if told else (None, 0.0)


class Sharpness:
    """The camera's own normal sharpness, and whether a picture falls short of it."""

    def __init__(self, limits: HealthLimits) -> None:
        self._limits = limits
        self._normal = 0.0
        self._pictures = 0
        self._last_s = 0.0

    def is_blurred(self, sharpness: float) -> bool:
        """Whether no sharp edge is left."""
        limits = self._limits
        if sharpness < limits.sharpness_floor or sharpness >= limits.sharpness_ceiling:
            return sharpness < limits.sharpness_floor
        return self._pictures >= _LEARNED and sharpness < limits.sharpness_part * self._normal

    def learn(self, sharpness: float, at_s: float) -> None:
        """A picture of a camera that has nothing the matter."""
        self._pictures += 1
        elapsed_s, self._last_s = at_s - self._last_s, at_s
        share = min(max(elapsed_s / self._limits.normal_s, 0.0), 0.2)
        if self._pictures <= _LEARNED:
            share = 1 / self._pictures
        self._normal += share * (sharpness - self._normal)


class NoiseRemoval:
    """Whether the camera's encoder removes noise, so that an empty room looks frozen."""

    def __init__(self, limits: HealthLimits) -> None:
        self._limits = limits
        self._moving = 0
        self._noiseless = 0.0

    def learn(self, change: float, background_change: float) -> None:
        """The change of the tile that changed most, and of the background, in levels."""
        if change < _MOVEMENT_LEVELS:
            return
        self._moving += 1
        share = 1 / min(self._moving, self._limits.noiseless_frames)
        self._noiseless += share * ((background_change < _NO_NOISE_LEVELS) - self._noiseless)

    @property
    def still_for_s(self) -> float:
        """How long the picture must stand still to be frozen, in seconds."""
        limits = self._limits
        known = self._moving >= limits.noiseless_frames
        removed = known and self._noiseless >= limits.noiseless_share
        return limits.noiseless_hold_s if removed else limits.hold_s
