"""Traces in OpenTelemetry's format. Off by default: then nothing of OpenTelemetry is imported."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from maskgate.protocol.errors import ConfigurationError
from maskgate.runtime.settings import TracesSettings

if TYPE_CHECKING:
    from maskgate.runtime.spans import Spans


@contextmanager
def spans_of(settings: TracesSettings, service: str, instance: str) -> "Iterator[Spans | None]":
    """What makes spans inside the ``with``, or None if there is no collector to send them to.

    ``service`` is the kind of process, ``instance`` the name of this one. The last spans are sent
    on exit, in bounded time.

    Raises:
        ConfigurationError: a package is missing.
    """
    if settings.traces_url is None:
        yield None
        return
    spans = _library()(settings.traces_url, settings.traces_ratio, service, instance)
    try:
        yield spans
    finally:
        spans.close()


def check(settings: TracesSettings) -> list[str]:
    """Validate the settings without connecting; returns lines for ``--check``.

    Raises:
        ConfigurationError: a package is missing.
    """
    if settings.traces_url is None:
        return []
    _library()
    return [f"traces: {settings.traces_url}, {settings.traces_ratio:.1%} of what begins here"]


def _library() -> "type[Spans]":
    try:
        from maskgate.runtime.spans import Spans  # noqa: PLC0415  (OpenTelemetry is an extra)
    except ModuleNotFoundError as error:
        msg = (
            f"MASKGATE_TRACES_URL: no package {error.name}: "
            "pip install 'maskgate[tracing]' brings what traces need"
        )
        raise ConfigurationError(msg) from None
    return Spans
