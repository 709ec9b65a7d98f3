"""The settings of a producer: see ``python -m producer folder --help``."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import CliPositionalArg

from maskgate.runtime.settings import BrokerSettings, TracesSettings

SHIPPED_CARD = Path(__file__).parent.parent / "deploy" / "model" / "mask.json"


class ProducerSettings(BrokerSettings, TracesSettings):
    """What all sources of crops have in common."""

    camera: str = Field(
        "camera", pattern=r"^[A-Za-z0-9_-]{1,64}$", description="camera id of all crops"
    )
    rate: float | None = Field(
        None, gt=0, description="crops per second (default: as fast as the queue accepts them)"
    )
    loop: bool = Field(default=False, description="repeat the images until stopped")
    limit: int | None = Field(None, ge=1, description="number of crops to send (default: all)")
    track_length: int = Field(1, ge=1, description="successive crops with the same track id")
    as_is: bool = Field(
        default=False,
        description="send JPEG and PNG files unchanged, not reduced to the model's input",
    )
    audit_dir: Path | None = Field(
        None, description="audit samples: folder with WithMask/ and WithoutMask/ (default: none)"
    )
    audit_every: int = Field(50, ge=1, description="crops between two audit samples")
    model_card: Path = Field(
        SHIPPED_CARD,
        description="card of the model that the workers serve; it has the size of the crops",
    )
    seed: int = Field(0, ge=0, description="seed of the drawn faces")


class FolderSettings(ProducerSettings):
    """Send the images below a folder."""

    directory: CliPositionalArg[Path] = Field(description="folder of the images")

    @model_validator(mode="after")
    def _folder_exists(self) -> Self:
        if not self.directory.is_dir():
            msg = f"no folder {self.directory}"
            raise ValueError(msg)
        return self


class ReplaySettings(BrokerSettings):
    """Send labelled samples to the audit, each once: with weights, if the folder lists them."""

    directory: CliPositionalArg[Path] = Field(
        description="folder with WithMask/ and WithoutMask/, such as an export of the desk"
    )
    camera: str = Field(
        "audit", pattern=r"^[A-Za-z0-9_-]{1,64}$", description="camera of samples that list none"
    )
    rate: float | None = Field(
        None, gt=0, description="samples per second (default: as fast as the queue accepts them)"
    )
    as_is: bool = Field(
        default=False,
        description="send JPEG and PNG files unchanged, not reduced to the model's input",
    )
    model_card: Path = Field(
        SHIPPED_CARD,
        description="card of the model that the workers serve; it has the size of the crops",
    )


class SyntheticSettings(ProducerSettings):
    """Send faces that are drawn by code."""

    track_length: int = Field(50, ge=1, description="successive crops of one drawn person")
    faces: int = Field(256, ge=2, description="number of different faces, at least 2")
    audit_drawn: bool = Field(
        default=False,
        description="also send drawn faces as audit samples, one every AUDIT_EVERY crops",
    )
