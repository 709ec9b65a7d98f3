"""The settings of the gate's commands."""

from pydantic import Field
from pydantic_settings import CliPositionalArg

from maskgate.protocol.evidence import MIN_EVIDENCE
from maskgate.runtime.settings import RedisSettings


class GateSettings(RedisSettings):
    """What all commands of the gate need."""

    redis_timeout_s: float = Field(
        0.3, gt=0, le=60, description="seconds that Redis may take to answer"
    )


class WaitSettings(GateSettings):
    """Wait for a decision about one camera and print it as JSON.

    Exits 0: recognise, 10: remove the mask, any other code: manual. --help exits 2. There is
    no --check, which would exit 0: "maskgate alive --check" validates the same settings.
    """

    camera: CliPositionalArg[str] = Field(description="id of the camera")
    track: str | None = Field(None, description="wait for this track only (default: any track)")
    timeout_s: float = Field(2.0, ge=0, le=3600, description="seconds to wait for a verdict")
    min_evidence: float = Field(
        MIN_EVIDENCE, ge=0, description="what the crops of the track must say together, in log-odds"
    )
    newer_than: int | None = Field(
        None,
        ge=0,
        description="ignore crops captured until this time, in ms since the epoch: "
        "the person before",
    )


class WatchSettings(GateSettings):
    """Show decisions as they happen, until interrupted."""

    cameras: CliPositionalArg[list[str]] = Field(
        default_factory=list, description="ids of the cameras to show (default: all)"
    )
    interval_s: float = Field(
        1.0, gt=0, description="seconds between two lines of a camera, if not on a terminal"
    )


class AliveSettings(GateSettings):
    """Exit 0 if a worker is running, 69 if not or if Redis does not answer."""
