"""Logs: one JSON object a line on standard error, or coloured text where a person is looking."""

import logging
import os
import sys
from contextlib import suppress
from typing import TextIO, cast

import structlog

LEVELS = ("debug", "info", "warning", "error")


def configure(process: str, *, level: str = "info", as_json: bool | None = None) -> None:
    """Set up structlog for this process; JSON unless standard error is a terminal.

    Events are named ``subject.happening``; times are UTC; the process's name is on every line.
    """
    _open_standard_files()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer()
            if (
                (sys.stderr is not None and sys.stderr.isatty()) if as_json is None else not as_json
            )
            else structlog.processors.JSONRenderer(default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _Unfailing(sys.stderr))),
    )
    structlog.contextvars.bind_contextvars(process=process)
    # pika tells every reconnect as an error with a traceback; what matters of it is raised and logged by us.
    logging.getLogger("pika").setLevel(logging.CRITICAL)


class _Unfailing:
    """A stream for logs whose failures are nobody's end: a full disk, a pipe without a reader, no stream at all."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        if self._stream is not None:
            with suppress(OSError, ValueError):
                self._stream.write(text)

    def flush(self) -> None:
        if self._stream is not None:
            with suppress(OSError, ValueError):
                self._stream.flush()


def _open_standard_files() -> None:
    """A process that was started without one would give its number to its next socket, and whoever prints would write to that."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
