"""What a producer can be told: see ``python -m producer folder --help``."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import CliPositionalArg

from maskgate.runtime.settings import BrokerSettings

SHIPPED_CARD = Path(__file__).parent.parent / "deploy" / "model" / "mask.json"


class ProducerSettings(BrokerSettings):
    """One camera's crops."""

    camera: str = Field(
        "camera", pattern=r"^[A-Za-z0-9_-]{1,64}$", description="the camera id on every crop"
    )
    rate: float | None = Field(
        None, gt=0, description="crops a second (default: as fast as they are accepted)"
    )
    loop: bool = Field(default=False, description="begin again at the end, until stopped")
    limit: int | None = Field(None, ge=1, description="stop after so many crops")
    track_length: int = Field(
        1, ge=1, description="crops in a row that share a track id; 1: every crop is its own track"
    )
    as_is: bool = Field(
        default=False,
        description="send JPEG and PNG files as they are instead of reduced to the model's input",
    )
    audit_dir: Path | None = Field(
        None, description="labelled samples: a folder with WithMask/ and WithoutMask/"
    )
    audit_every: int = Field(50, ge=1, description="one audit sample after so many crops")
    model_card: Path = Field(
        SHIPPED_CARD, description="the card of the model that the workers serve: how far to reduce"
    )
    seed: int = Field(0, ge=0, description="draw or shuffle from this seed")


class FolderSettings(ProducerSettings):
    """The images of a folder, recursively."""

    directory: CliPositionalArg[Path] = Field(description="folder of images")

    @model_validator(mode="after")
    def _folder_exists(self) -> Self:
        if not self.directory.is_dir():
            msg = f"no folder {self.directory}"
            raise ValueError(msg)
        return self


class SyntheticSettings(ProducerSettings):
    """Faces drawn by code."""

    faces: int = Field(
        256, ge=2, description="distinct faces to draw; they are repeated after that"
    )
    audit_drawn: bool = Field(
        default=False,
        description="every AUDIT_EVERY crops, also send a drawn face as an audit sample",
    )
