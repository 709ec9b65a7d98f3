"""``python -m worker --check``: validates the configuration without connecting."""

from maskgate.inference.model import Model
from maskgate.protocol.errors import ConfigurationError, ModelError
from maskgate.runtime import broker, store, tracing
from worker.settings import WorkerSettings


def check(settings: WorkerSettings) -> list[str]:
    """Validate the settings and load the model; returns what the worker would use, in lines.

    Raises:
        ConfigurationError: a setting, a TLS file or the model can't be used.
    """
    lines = broker.check(settings) + store.check(settings) + tracing.check(settings)
    try:
        model = Model.load(settings.model_path, settings.model_sha256)
    except ModelError as error:
        raise ConfigurationError(str(error)) from None
    pinned = "pinned" if settings.model_sha256 else "not pinned"
    return [*lines, f"model: {settings.model_path}, SHA-256 {model.sha256}, {pinned}"]
