"""Configuration: one class for each process, read from command line, environment and files.

``MASKGATE_BROKER_URL`` in the environment is ``--broker-url`` on the command line. A setting may
also come from a file: ``MASKGATE_BROKER_PASSWORD_FILE`` names the file that holds
``MASKGATE_BROKER_PASSWORD``. The command line accepts no password. Keys and certificates come from
files only: ``MASKGATE_BROKER_KEY_FILE`` is a setting itself; no ``MASKGATE_BROKER_KEY`` holds the
key.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from maskgate.protocol.errors import ConfigurationError
from maskgate.runtime.command_line import settings_parser
from maskgate.runtime.tls import TlsFiles

PREFIX = "MASKGATE_"


class Settings(BaseSettings):
    """The settings that every process has."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="lowest level that is logged"
    )
    log_json: bool | None = Field(
        None,
        description="log JSON or coloured text (default: text on a terminal, else JSON)",
    )

    @classmethod
    def settings_customise_sources(  # noqa: D102  (pydantic-settings' hook)
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _FileSource(settings_cls)


class BrokerSettings(Settings):
    """How to reach RabbitMQ."""

    broker_url: SecretStr = Field(
        SecretStr("amqp://guest:guest@127.0.0.1:5672/%2F"),
        description="amqp:// or amqps:// URL of RabbitMQ "
        "(default: amqp://guest:guest@127.0.0.1:5672/%2F)",
    )
    broker_password: SecretStr | None = Field(
        None, description="password for RabbitMQ, if the URL holds none"
    )
    broker_ca_file: Path | None = Field(
        None,
        description="certificate authorities to trust for RabbitMQ, PEM (default: the system's)",
    )
    broker_cert_file: Path | None = Field(
        None, description="client certificate for RabbitMQ, PEM (default: none)"
    )
    broker_key_file: Path | None = Field(
        None, description="private key of that certificate, PEM, without a passphrase"
    )

    def broker_login(self) -> tuple[str, str | None]:
        """URL and password, revealed: for ``maskgate.runtime.broker.parameters`` only."""
        return (
            self.broker_url.get_secret_value(),
            self.broker_password.get_secret_value() if self.broker_password else None,
        )

    def broker_tls(self) -> TlsFiles:
        """The files for an amqps:// URL."""
        return TlsFiles(self.broker_ca_file, self.broker_cert_file, self.broker_key_file)


class RedisSettings(Settings):
    """How to reach Redis or Valkey."""

    redis_url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379/0"),
        description="redis:// or rediss:// URL of Redis (default: redis://127.0.0.1:6379/0)",
    )
    redis_password: SecretStr | None = Field(
        None, description="password for Redis, if the URL holds none"
    )
    redis_ca_file: Path | None = Field(
        None,
        description="certificate authorities to trust for Redis, PEM (default: the system's)",
    )
    redis_cert_file: Path | None = Field(
        None, description="client certificate for Redis, PEM (default: none)"
    )
    redis_key_file: Path | None = Field(
        None, description="private key of that certificate, PEM, without a passphrase"
    )

    def redis_login(self) -> tuple[str, str | None]:
        """URL and password, revealed: for ``maskgate.runtime.store.connect`` only."""
        return (
            self.redis_url.get_secret_value(),
            self.redis_password.get_secret_value() if self.redis_password else None,
        )

    def redis_tls(self) -> TlsFiles:
        """The files for a rediss:// URL."""
        return TlsFiles(self.redis_ca_file, self.redis_cert_file, self.redis_key_file)


class TracesSettings(Settings):
    """Whether and where to send traces."""

    traces_url: str | None = Field(
        None,
        pattern=r"^https?://[^/?#@\s]+(/[^?#@\s]*)?$",
        description="collector that takes OTLP over HTTP, without /v1/traces (default: no traces)",
    )
    traces_ratio: float = Field(
        0.01, ge=0, le=1, description="share of what begins in this process that is traced"
    )


class _FileSource(PydanticBaseSettingsSource):
    """``MASKGATE_X_FILE`` names a file; X is its content without the last newline."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        variable = f"{PREFIX}{field_name.upper()}_FILE"
        path = os.environ.get(variable)
        if not path:
            return None, field_name, False
        try:
            return Path(path).read_text(encoding="utf-8").rstrip("\r\n"), field_name, False
        except (OSError, UnicodeError) as error:
            msg = f"{variable}: can't read {path}: {error}"
            raise ConfigurationError(msg) from None

    def __call__(self) -> dict[str, Any]:
        # MASKGATE_BROKER_KEY_FILE is a path itself: there is no MASKGATE_BROKER_KEY_FILE_FILE.
        fields = {
            name: field
            for name, field in self.settings_cls.model_fields.items()
            if not name.endswith("_file")
        }
        found = {name: self.get_field_value(field, name)[0] for name, field in fields.items()}
        return {name: value for name, value in found.items() if value is not None}


SettingsT = TypeVar("SettingsT", bound=Settings)


def load(
    kind: type[SettingsT],
    argv: Sequence[str],
    program: str,
    *,
    check: bool = False,
    commands: str = "",
) -> SettingsT:
    """The settings of a process. The command line wins over the environment, that over files.

    ``check`` and ``commands`` are as in :func:`maskgate.runtime.command_line.settings_parser`.
    The caller acts on ``--check``: it is no setting.

    Raises:
        ConfigurationError: names every wrong setting, without its value: that may be secret.
        SystemExit: after ``--help`` (0), or if the command line can't be parsed (2).
    """
    parser, source = settings_parser(kind, program, check=check, commands=commands)
    parsed = parser.parse_args(argv)
    try:
        # pydantic-settings' own argument, which mypy does not see.
        return kind(_cli_settings_source=source(parsed_args=parsed))  # type: ignore[call-arg]
    except ValidationError as error:
        wrong = [
            f"{PREFIX}{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors()
        ]
    except SettingsError as error:
        wrong = [str(error)]
    raise ConfigurationError("; ".join(wrong))
