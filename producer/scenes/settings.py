"""The settings of ``python -m producer draw-video``."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import CliPositionalArg

from maskgate.runtime.settings import Settings


class DrawVideoSettings(Settings):
    """Draw a video of people at a door."""

    output: CliPositionalArg[Path] = Field(description="file to write: .mp4 or .mkv")
    seconds: float = Field(30, gt=0, description="length of the video at most, in seconds")
    fps: int = Field(10, ge=1, le=60, description="frames a second")
    seed: int = Field(0, ge=0, description="seed of the drawn people and the room")
    script: str = Field("everyday", description="what happens: everyday or the name of a script")

    @model_validator(mode="after")
    def _folder_exists(self) -> Self:
        if not self.output.parent.is_dir():
            msg = f"no folder {self.output.parent}"
            raise ValueError(msg)
        return self
