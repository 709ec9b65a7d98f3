"""The settings of a camera process: see ``python -m producer video --help``."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import CliPositionalArg

from maskgate.runtime.settings import BrokerSettings, TracesSettings
from producer.settings import SHIPPED_CARD
from producer.video.camera_config import CROPS_PER_S, FPS, MIN_FACE_PX


class DetectorSettings(BrokerSettings):
    """How faces are found."""

    detector: Literal["blazeface", "yunet"] = Field("blazeface", description="kind of detector")
    detector_model: Path | None = Field(
        None,
        description="file of the detector (default: what 'python -m producer detector' fetched)",
    )
    detector_sha256: str | None = Field(
        None,
        pattern="^[0-9a-f]{64}$",
        description="SHA-256 of that file (default: of the one known for this kind)",
    )


class VideoSettings(DetectorSettings, TracesSettings):
    """Find the faces on the video of a camera, or of several, and send their crops.

    SOURCE is a file, an rtsp://, rtsps:// or http(s):// address, or a device such as /dev/video0.
    """

    source: CliPositionalArg[str] = Field("", description="where the video comes from")
    cameras_file: Path | None = Field(
        None, description="TOML file of several cameras instead of SOURCE; SIGHUP reads it again"
    )
    camera: str = Field("camera", pattern=r"^[A-Za-z0-9_-]{1,64}$", description="camera id")
    source_user: str | None = Field(None, description="user name for the source")
    source_password: SecretStr | None = Field(None, description="password for the source")
    fps: float = Field(FPS, gt=0, le=60, description="frames a second to look for faces on")
    crop_rate: float = Field(CROPS_PER_S, gt=0, le=60, description="crops a second of one person")
    min_face_px: int = Field(MIN_FACE_PX, ge=1, description="least width of a face that is sent")
    loop: bool = Field(default=False, description="play a file again and again")
    transport: Literal["tcp", "udp"] = Field("tcp", description="how RTSP carries the video")
    hwaccel: str | None = Field(None, description="hardware decoder, for example vaapi")
    model_card: Path = Field(
        SHIPPED_CARD,
        description="card of the model that the workers serve; it has the size of the crops",
    )
    metrics_host: str = Field("127.0.0.1", description="the address that it listens on")
    metrics_port: int = Field(
        0, ge=0, le=65_535, description="port of /metrics and /healthz; 0: none"
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if bool(self.source) == (self.cameras_file is not None):
            msg = "name either a SOURCE or a --cameras-file"
            raise ValueError(msg)
        return self
