"""The limits of the picture check, each with its reason."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HealthLimits:
    """Grey levels are 0 to 255; see ``picture_measures`` for what is measured.

    The defaults were chosen on two filmed clips, on drawn corridors, and on still rooms with
    sensor noise of 0.5 to 4 levels behind H.264 and MJPEG encoders.
    """

    #: Condition must hold for this time to be told: 5 s are allowed, a person at the lens may pass.
    hold_s: float = 3.0
    #: Condition must be gone for this time to be over.
    gone_s: float = 1.5
    #: Shorter exceptions don't count: a key frame changes a frozen picture for two frames at most.
    grace_s: float = 0.5
    #: More frames a second say nothing more and cost their time.
    interval_s: float = 0.09
    #: Without a frame for this time the camera is stalled, or has no signal. The slowest allowed
    #: camera sends one frame a second.
    silent_s: float = 3.0

    #: Dark: neither the mean nor the brightest 5 % reach these levels. At 15 % of its light, a
    #: well lit room has a mean of 24; a corridor under infrared light is above 40.
    dark_mean: float = 26.0
    dark_p95: float = 40.0
    #: Overexposed: this share of the picture is at the top. A glass front in the sun fills half.
    white_level: int = 245
    white_share: float = 0.6
    #: Covered: at most this share of the tiles has an edge of so many levels per 1/40 of the
    #: picture's width. Light that leaks past a hand over the full range is 5 to 6 levels per cell
    #: and structures few tiles; a bare wall with one door in dim light has a quarter of them.
    edge_levels: float = 7.0
    structured_share: float = 0.1
    #: Frozen: no tile changes by more from frame to frame, in mean levels. Noise of 0.5 levels
    #: that an H.264 encoder has smoothed still changes tiles by 0.2 and more; an encoder that is
    #: fed with one picture stays below 0.1 between key frames.
    still_levels: float = 0.1
    #: Some encoders remove all noise: what does not move is the same in each frame. There an empty
    #: room looks frozen. If nothing but what moved has changed in this share of the frames with
    #: movement, and in at least so many of them, the picture must be still for longer.
    noiseless_share: float = 0.8
    noiseless_frames: int = 50
    noiseless_hold_s: float = 30.0
    #: Out of focus: below the floor, or below this part of the camera's own normal unless it is
    #: above the ceiling. Sharp pictures have 0.14 and more; blurred with a sigma of 1.5, 3 and 5 px
    #: at a width of 640 px, the same have 0.08, 0.035 and 0.015.
    sharpness_floor: float = 0.03
    sharpness_ceiling: float = 0.08
    sharpness_part: float = 0.35
    #: Time constant of the camera's own normal: slower than a person who stands at the lens.
    normal_s: float = 60.0
