"""What the gate's commands can be told."""

from pydantic import Field
from pydantic_settings import CliPositionalArg

from maskgate.runtime.settings import RedisSettings


class GateSettings(RedisSettings):
    """How to reach the verdicts."""

    redis_timeout_s: float = Field(
        0.3, gt=0, le=60, description="how long Redis may take to answer"
    )


class WaitSettings(GateSettings):
    """One decision for one camera."""

    camera: CliPositionalArg[str] = Field(description="camera id")
    track: str | None = Field(None, description="one track of it only")
    timeout_s: float = Field(2.0, ge=0, le=3600, description="how long to wait for a verdict")
    min_agreeing: int = Field(1, ge=1, description="crops of the track that must have this outcome")


class WatchSettings(GateSettings):
    """Decisions as they happen."""

    cameras: CliPositionalArg[list[str]] = Field(
        default_factory=list, description="camera ids (default: all)"
    )
    interval_s: float = Field(
        1.0, gt=0, description="time between two lines of a camera where no terminal is"
    )
