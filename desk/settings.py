"""The settings of the desk: see ``python -m desk --help``."""

import os
from pathlib import Path

from pydantic import Field, model_validator

from maskgate.protocol.errors import ConfigurationError
from maskgate.runtime.settings import BrokerSettings, RedisSettings, Settings

#: The card of the model that this release ships: an image of the desk has it without the model.
SHIPPED_CARD = Path(__file__).parent.parent / "deploy" / "model" / "mask.json"
_ID = "[A-Za-z0-9_-]{1,64}"
_PAGE = r"http://[A-Za-z0-9._-]{1,253}(:[0-9]{1,5})?"


class UsersSettings(Settings):
    """Where the desk keeps its users and what it remembers."""

    desk_state_dir: Path | None = Field(
        None,
        description="folder of the journal and, unless set, of the users file "
        "(default: maskgate/desk in the user's state folder, ~/.local/state)",
    )
    desk_users_file: Path | None = Field(
        None, description="the users with roles and password hashes (default: users in that folder)"
    )

    def state_dir(self) -> Path:
        """The folder of the journal.

        Raises:
            ConfigurationError: none is set, and this user has no home.
        """
        return self.desk_state_dir or _default_state_dir()

    def users_file(self) -> Path:
        """The users file.

        Raises:
            ConfigurationError: as :meth:`state_dir`.
        """
        return self.desk_users_file or self.state_dir() / "users"


class LabelSettings(UsersSettings):
    """The crops that people label: off without a key."""

    desk_labels_key_file: Path | None = Field(
        None,
        description='key that encrypts crops to label, from "python -m desk key" or '
        '"maskgate secrets" (default: none, and no labelling)',
    )
    desk_labels_twice: float = Field(
        0.2, ge=0, le=1, description="share of the crops that two labellers are asked about"
    )

    def labels_dir(self) -> Path:
        """The folder of crops to label, answers and exports.

        Raises:
            ConfigurationError: as :meth:`UsersSettings.state_dir`.
        """
        return self.state_dir() / "labels"


class DeskSettings(LabelSettings, BrokerSettings, RedisSettings):
    """The web page of a site: doors, precision, throughput, labels and models."""

    desk_host: str = Field("127.0.0.1", description="the address that the page listens on")
    desk_port: int = Field(8300, ge=0, le=65_535, description="its port; 0: a free one")
    desk_cameras: str = Field(
        "",
        pattern=rf"^({_ID}(,{_ID}){{0,999}})?$",
        description="cameras to show, separated by commas (default: those that Redis knows)",
    )
    desk_https: bool = Field(
        False, description="a proxy serves the page over https: cookies are Secure, HSTS is sent"
    )
    desk_proxy: str | None = Field(
        None, description="address of that proxy, whose X-Forwarded-For is believed (default: none)"
    )
    desk_trusted_header: str | None = Field(
        None,
        pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$",
        description="header in which that proxy names who is signed in; replaces the sign-in page",
    )
    desk_idle_s: int = Field(
        1800, ge=60, le=86_400, description="a session ends after so long without a request"
    )
    desk_session_s: int = Field(
        36_000, ge=60, le=604_800, description="a session ends so long after the sign-in"
    )
    desk_client_timeout_s: float = Field(
        10.0, ge=0.1, le=120, description="a client that takes longer to send a request is dropped"
    )
    desk_assets_dir: Path | None = Field(
        None,
        description='folder of "python -m desk assets" (default: beside the code, else the cache)',
    )
    desk_workers: str = Field(
        "",
        pattern=rf"^({_PAGE}(,{_PAGE}){{0,99}})?$",
        description="metrics pages of the workers, separated by commas; every address of a name is "
        "one worker, for example http://worker:9100 (default: none)",
    )
    desk_camera_pages: str = Field(
        "",
        pattern=rf"^({_PAGE}(,{_PAGE}){{0,99}})?$",
        description="metrics pages of the cameras' processes, for refused crops (default: none)",
    )
    desk_cards: str = Field(
        "",
        description="cards of the models that decide here, separated by commas: the page compares "
        "scores with theirs (default: the shipped one)",
    )
    desk_look_s: float = Field(
        5.0, ge=1, le=60, description="time between two looks at these pages and at the queues"
    )
    redis_timeout_s: float = Field(
        1.0, gt=0, le=60, description="how long Redis may take to answer"
    )

    @model_validator(mode="after")
    def _header_needs_proxy(self) -> "DeskSettings":
        if self.desk_trusted_header and not self.desk_proxy:
            msg = "MASKGATE_DESK_TRUSTED_HEADER needs MASKGATE_DESK_PROXY: anybody could send it"
            raise ValueError(msg)
        return self

    def cards(self) -> tuple[Path, ...]:
        """The cards of models."""
        named = tuple(Path(each) for each in self.desk_cards.split(",") if each)
        return named or ((SHIPPED_CARD,) if SHIPPED_CARD.is_file() else ())

    def workers(self) -> tuple[str, ...]:
        """The metrics pages of the workers."""
        return tuple(filter(None, self.desk_workers.split(",")))

    def camera_pages(self) -> tuple[str, ...]:
        """The metrics pages of the cameras' processes."""
        return tuple(filter(None, self.desk_camera_pages.split(",")))

    def cameras(self) -> tuple[str, ...]:
        """The configured cameras; empty: those that Redis knows."""
        return tuple(filter(None, self.desk_cameras.split(",")))


def _default_state_dir() -> Path:
    """The folder of the XDG base directory specification."""
    configured = Path(os.environ.get("XDG_STATE_HOME", ""))
    try:
        folder = configured if configured.is_absolute() else Path.home() / ".local" / "state"
    except RuntimeError:
        msg = "MASKGATE_DESK_STATE_DIR: must be set, this user has no home"
        raise ConfigurationError(msg) from None
    return folder / "maskgate" / "desk"
