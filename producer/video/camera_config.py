"""The settings of one camera, as they stand in a file of cameras."""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from maskgate.protocol.errors import ConfigurationError
from producer.video import regions

_SECRET_OPTIONS = {"pass", "passwd", "password", "pwd"}
_IN_URL = (
    "holds a password, which would reach logs and lists of processes; remove it and set user "
    "and password_file or password_env"
)


def _tuples(value: Any) -> Any:
    """TOML's arrays as tuples: a configuration is compared and never changed."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


_Point = tuple[float, float]
_Polygon = Annotated[tuple[_Point, ...], BeforeValidator(_tuples)]
_Polygons = Annotated[tuple[tuple[_Point, ...], ...], BeforeValidator(_tuples)]
_File = Annotated[Path, Field(strict=False)]


#: What a camera does unless it is told otherwise.
FPS, CROPS_PER_S, MIN_FACE_PX = 5.0, 5.0, 40


class CameraConfig(BaseModel):
    """One camera. Paths that are not absolute are relative to the process's working directory."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False
    )

    source: str = Field(min_length=1, description="URL, file or device")
    user: str | None = Field(None, min_length=1, description="user at the camera")
    password_file: _File | None = Field(None, description="file with the password of that user")
    password_env: str | None = Field(None, min_length=1, description="variable with that password")
    broker_password_file: _File | None = Field(
        None, description="file with the password of the camera's own user at the broker"
    )
    region: _Polygon | None = Field(None, description="region of interest, [[x, y], …], 0 to 1")
    privacy: _Polygons = Field((), description="privacy masks, polygons like region")
    fps: float = Field(FPS, gt=0, le=60, description="frames a second that are worked on")
    crops_per_s: float = Field(
        CROPS_PER_S, gt=0, le=60, description="crops a second, of each person"
    )
    min_face_px: int = Field(MIN_FACE_PX, ge=1, description="least width of a face that is sent")
    transport: Literal["tcp", "udp"] = Field("tcp", description="transport of RTSP")
    hwaccel: str = Field("", description="hardware decoder, as FFmpeg calls it; empty for none")
    loop: bool = Field(default=False, description="play a file again and again")

    @field_validator("source")
    @classmethod
    def _without_password(cls, source: str) -> str:
        if _holds_password(source):
            raise ValueError(_IN_URL)
        return source

    @field_validator("region")
    @classmethod
    def _is_polygon(cls, region: _Polygon | None) -> _Polygon | None:
        if region is not None:
            _check(region, "the polygon")
        return region

    @field_validator("privacy")
    @classmethod
    def _are_polygons(cls, privacy: _Polygons) -> _Polygons:
        for n, polygon in enumerate(privacy, 1):
            _check(polygon, f"polygon {n}")
        return privacy

    @model_validator(mode="after")
    def _one_login(self) -> Self:
        if self.password_file is not None and self.password_env is not None:
            msg = "password_file and password_env are both set; remove one"
            raise ValueError(msg)
        if (self.password_file or self.password_env) and not self.user:
            msg = "a password is set, but no user"
            raise ValueError(msg)
        return self

    def login(self) -> tuple[str, str] | None:
        """User and password for the camera, read now; None if it asks for none.

        Raises:
            ConfigurationError: names the file or the variable.
        """
        if self.user is None:
            return None
        if self.password_env is not None:
            password = os.environ.get(self.password_env)
            if password is None:
                msg = f"password_env: {self.password_env} is not set in the environment"
                raise ConfigurationError(msg)
            return self.user, password
        if self.password_file is None:
            return self.user, ""
        return self.user, _content(self.password_file, "password_file")

    def broker_password(self) -> str | None:
        """The password of the camera's own user at the broker, read now; None if it has none.

        Raises:
            ConfigurationError: names the file.
        """
        if self.broker_password_file is None:
            return None
        return _content(self.broker_password_file, "broker_password_file")


def _holds_password(source: str) -> bool:
    _, is_url, rest = source.partition("://")
    if not is_url:
        return False
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    user, has_user, _ = authority.rpartition("@")
    if has_user and ":" in user:
        return True
    # A password with a slash in it, which was not quoted: user:pa/ss@host.
    port = authority.rpartition(":")[2]
    if not has_user and "@" in rest and ":" in authority and not port.isdigit():
        return not authority.endswith("]")
    try:
        options = parse_qsl(urlsplit(source).query, keep_blank_values=True)
    except ValueError:
        return False
    return any(name.lower() in _SECRET_OPTIONS for name, _ in options)


def _check(polygon: tuple[_Point, ...], name: str) -> None:
    try:
        regions.check(polygon, name)
    except ConfigurationError as error:
        raise ValueError(str(error)) from None


def _content(path: Path, key: str) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        msg = f"{key}: {path} can't be read: {error.strerror}"
    except UnicodeError:
        msg = f"{key}: {path} is not UTF-8 text"
    raise ConfigurationError(msg)
