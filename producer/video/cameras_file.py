"""The TOML file that lists the cameras of one process: ``[defaults]`` and ``[cameras.ID]``."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from maskgate.protocol.crop import is_id
from maskgate.protocol.errors import ConfigurationError
from maskgate.runtime.toml_lines import line_of
from producer.video.camera_config import CameraConfig

_TABLES = ("defaults", "cameras")
_KEYS = tuple(CameraConfig.model_fields)
_LOGIN = {"password_file", "password_env"}
#: With more errors, the rest is only counted: finding a line takes its time.
_SHOWN = 20
#: Each camera has its own source.
_NO_DEFAULT = {"source"}


def read(path: Path) -> dict[str, CameraConfig]:
    """The cameras of a file, by their id.

    Raises:
        ConfigurationError: names the file, the line and the key of each error, and shows no value
            that may be a password.
    """
    text = _text(path)
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # not all are TOMLDecodeError
        msg = f"{path}: not valid TOML: {error}"
        raise ConfigurationError(msg) from None
    reader = _Reader(content)
    cameras = reader.cameras()
    if reader.errors:
        raise ConfigurationError("; ".join(_shown(path, text, list(reader.errors))))
    return cameras


@dataclass(frozen=True, slots=True)
class Changes:
    """Ids of cameras that differ between two configurations."""

    added: list[str]
    changed: list[str]
    removed: list[str]


def changes(old: Mapping[str, CameraConfig], new: Mapping[str, CameraConfig]) -> Changes:
    """What must be started, started anew and stopped, in the order of the files."""
    return Changes(
        added=[camera for camera in new if camera not in old],
        changed=[camera for camera in new if camera in old and new[camera] != old[camera]],
        removed=[camera for camera in old if camera not in new],
    )


def _text(path: Path) -> str:
    try:
        # utf-8-sig: editors on Windows write a byte order mark, and lines that end in \r\n.
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        msg = f"{path}: can't be read: {error.strerror}"
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        msg = f"{path}, line {line}: not UTF-8 text"
    raise ConfigurationError(msg)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Collects the errors of a file, all of them: (keys, problem).

    The keys of a dict stay in order and are unique: a wrong default is wrong for every camera.
    """

    content: Mapping[str, Any]
    errors: dict[tuple[tuple[str, ...], str], None] = field(default_factory=dict)

    def cameras(self) -> dict[str, CameraConfig]:
        self._only_known(self.content, [], _TABLES)
        defaults = self._table(self.content.get("defaults", {}), ["defaults"])
        self._only_known(defaults, ["defaults"], [key for key in _KEYS if key not in _NO_DEFAULT])
        tables = self._table(self.content.get("cameras", {}), ["cameras"])
        if not tables:
            self._wrong(["cameras"], "no camera is listed; add a table [cameras.ID]")
        found = {camera: self._camera(camera, table, defaults) for camera, table in tables.items()}
        return {camera: config for camera, config in found.items() if config is not None}

    def _camera(
        self, camera: str, value: object, defaults: Mapping[str, Any]
    ) -> CameraConfig | None:
        keys = ["cameras", camera]
        if not is_id(camera):
            self._wrong(keys, "not a camera id: 1 to 64 letters, digits, _ and -")
            return None
        table = self._table(value, keys)
        self._only_known(table, keys, _KEYS)
        known = {key: value for key, value in table.items() if key in _KEYS}
        try:
            config = CameraConfig(**(_inherited(table, defaults) | known))
            config.login()
            config.broker_password()
        except ValidationError as error:
            self._invalid(error, keys, table)
        except ConfigurationError as error:
            name, _, problem = str(error).partition(": ")
            self._wrong(_home(name, keys, table), problem)
        else:
            return config
        return None

    def _invalid(
        self, error: ValidationError, keys: list[str], table: Mapping[str, object]
    ) -> None:
        for each in error.errors(include_input=False, include_url=False):
            place = each["loc"]
            problem = each["msg"].removeprefix("Value error, ")
            if place[1:]:
                numbers = ", ".join(str(int(part) + 1) for part in place[1:])
                problem += f" (item {numbers})"
            # What is wrong with a camera as a whole, or is missing, stands at its table.
            where = _home(str(place[0]), keys, table) if place else keys
            self._wrong(where, problem)

    def _table(self, value: object, keys: Sequence[str]) -> Mapping[str, Any]:
        if isinstance(value, Mapping):
            return value
        self._wrong(keys, f"must be a table, [{'.'.join(keys)}]")
        return {}

    def _only_known(
        self, table: Mapping[str, object], keys: list[str], known: Sequence[str]
    ) -> None:
        for key in table:
            if key not in known:
                self._wrong([*keys, key], _unknown(key, keys, known))

    def _wrong(self, keys: Sequence[str], problem: str) -> None:
        self.errors[tuple(keys), problem] = None


def _shown(path: Path, text: str, errors: Sequence[tuple[tuple[str, ...], str]]) -> Iterator[str]:
    for keys, problem in errors[:_SHOWN]:
        name = ".".join(key if is_id(key) else repr(key) for key in keys)
        yield f"{path}, line {line_of(text, keys)}, {name}: {problem}"
    if len(errors) > _SHOWN:
        yield f"and {len(errors) - _SHOWN} more"


def _inherited(table: Mapping[str, object], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults that a camera takes: a login of its own replaces the common one."""
    hidden = _NO_DEFAULT | (_LOGIN if _LOGIN & table.keys() else set())
    return {key: value for key, value in defaults.items() if key in _KEYS and key not in hidden}


def _home(key: str, keys: list[str], table: Mapping[str, object]) -> list[str]:
    """Where a camera's key stands: in its own table, or among the defaults."""
    return [*keys, key] if key in table or key in _NO_DEFAULT else ["defaults", key]


def _unknown(key: str, keys: list[str], known: Sequence[str]) -> str:
    if key == "password":
        return "no password is kept in this file; use password_file or password_env"
    if keys == ["defaults"] and key in _NO_DEFAULT:
        return "each camera has its own; it can't be a default"
    close = get_close_matches(key, known, n=1)
    return f"unknown; did you mean {close[0]}?" if close else f"unknown; known: {', '.join(known)}"
