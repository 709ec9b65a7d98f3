"""Logs on standard error: one JSON object per line, or coloured text on a terminal."""

import io
import logging
import os
import sys
from contextlib import suppress
from typing import TextIO, cast

import structlog

LEVELS = ("debug", "info", "warning", "error")


def configure(process: str, *, level: str = "info", as_json: bool | None = None) -> None:
    """Set up structlog for this process. ``as_json`` None: JSON unless on a terminal.

    Events are named ``subject.event``; times are UTC; every line has the name of the process.
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
        # Line and line end in one write: what else is printed there can't come between.
        logger_factory=structlog.WriteLoggerFactory(
            cast("TextIO", _Unfailing(_unbuffered(sys.stderr)))
        ),
    )
    structlog.contextvars.bind_contextvars(process=process)
    # pika logs every lost connection with a traceback; maskgate logs the cause itself.
    logging.getLogger("pika").setLevel(logging.CRITICAL)


def _unbuffered(stream: TextIO | None) -> TextIO | None:
    """Standard error without a buffer.

    What stays in a buffer because it can't be written fails once more when Python exits, which then
    exits with 120.
    """
    standard = sys.__stderr__
    if standard is None or stream is not standard:
        return stream
    raw = io.FileIO(standard.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        cast("io.BufferedWriter", raw), standard.encoding, standard.errors, write_through=True
    )


class _Unfailing:
    """A log stream whose errors stop no process: full disk, pipe without reader, no stream."""

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
    """Open the standard files that are closed.

    Otherwise the next socket would get their number, and a print would write into the socket.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
