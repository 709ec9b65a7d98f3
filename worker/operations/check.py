"""``python -m worker --check``: validates the configuration without connecting."""

from pathlib import Path

from maskgate.inference.model import Model
from maskgate.protocol.errors import ConfigurationError, ModelError
from maskgate.runtime import broker, store, tracing
from worker.models.challenger import load_challenger
from worker.review import rates
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
    lines.append(f"model: {settings.model_path}, SHA-256 {model.sha256}, {pinned}")
    if settings.challenger_path:
        lines.append(_challenger(settings.challenger_path, settings.challenger_sha256, model))
    if settings.review_file is not None:
        cameras = ", ".join(sorted(rates.read(settings.review_file)))
        lines.append(f"crops to label: {settings.review_file}, cameras {cameras}")
    return lines


def _challenger(path: Path, sha256: str | None, champion: Model) -> str:
    """One that is refused is no error: a worker works without."""
    try:
        challenger = load_challenger(path, sha256, champion)
    except ModelError as error:
        return f"challenger: refused: {error}"
    return f"challenger: {path}, SHA-256 {challenger.sha256}, pinned"
