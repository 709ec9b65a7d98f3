"""``python -m desk --check``: validates the configuration without connecting."""

from collections import Counter

from desk.access.users import read
from desk.labels import key
from desk.settings import DeskSettings
from maskgate.runtime import broker, store


def check(settings: DeskSettings) -> list[str]:
    """Validate the settings and the users file; returns what the page would use, in lines.

    Raises:
        ConfigurationError: a setting, a TLS file, a key or the users file can't be used.
    """
    lines = broker.check(settings) + store.check(settings)
    roles = Counter(user.role.label for user in read(settings.users_file()).values())
    counted = ", ".join(f"{count} {role}" for role, count in sorted(roles.items())) or "none"
    return [
        *lines,
        f"page: http://{settings.desk_host}:{settings.desk_port}/",
        f"users: {counted} in {settings.users_file()}",
        f"state: {settings.state_dir()}",
        _labels(settings),
    ]


def _labels(settings: DeskSettings) -> str:
    if settings.desk_labels_key_file is None:
        return "labels: off, no key is set"
    identity = key.load(settings.desk_labels_key_file).identity.hex()
    return f"labels: {settings.labels_dir()}, encrypted with the key {identity}"
